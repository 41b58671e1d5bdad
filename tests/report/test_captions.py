"""Captions name what trained the nets."""

import pytest

import minilotto as ml
from minilotto.report.figure import training_words


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "9 Adam steps, float32, 100 points (grid)"),
        ({"optimizer": "gd"}, "9 steps of gradient descent, float32, 100 points (grid)"),
        ({"batch": 3}, "9 Adam steps, float32, 100 points (grid), 3 drawn at each step"),
        (
            {"optimizer": "lm", "dtype": "float64"},
            "9 iterations of Levenberg-Marquardt, float64, 100 points (grid)",
        ),
    ],
)
def test_a_caption_names_the_optimiser_and_the_batch(fields, words):
    nets = ml.train(ml.Config(width=2, steps=9, **fields), 2, threads=1)
    assert training_words([nets]) == f"2 seeds a width, {words}"


def test_a_picture_of_a_training_names_the_optimiser(tmp_path):
    pytest.importorskip("matplotlib", reason="draws (extra report)")
    from minilotto.report.training import training_figure

    nets = ml.train(ml.Config(width=2, steps=9, optimizer="gd"), 5, threads=1)
    training_figure(nets, tmp_path / "nets.svg")
    assert "<!-- step of gradient descent -->" in (tmp_path / "nets.svg").read_text("utf-8")
