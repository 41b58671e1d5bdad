"""The study of two-class problems: worlds made up for each verdict, and a small store."""

import csv
import io
import sys

import numpy as np
import pytest

import minilotto as ml
from minilotto.analysis.ensembling import two_classes
from minilotto.data.dataset import given
from minilotto.report.figure import QUICK, Scale
from minilotto.report.plots.style import style
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED
from minilotto.report.studies.classification.classification import (
    Classification,
    ClassificationSettings,
)

pytest.importorskip("sklearn", reason="the examples are scikit-learn's (extra sklearn)")

POINTS, NETS, WIDTHS = 300, 48, (2, 4, 8, 16, 32, 64)
SURE = 30.0  # a logit whose loss is nothing beside the others
LABELS = np.random.default_rng(0).integers(0, 2, POINTS).astype(float)
TRAINING, HELD_OUT = (given(np.full(POINTS, float(part)), LABELS) for part in (0, 1))


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(two_classes, "RESAMPLES", 100)
    monkeypatch.setattr(two_classes, "PAIRS", 100)


class Planted:
    """Stands for nets: margins (R, P) towards the right answer, the same on both parts."""

    def __init__(self, width, margins):
        self.config = ml.Config(width=width, task="moons", sampling="examples", loss="logistic")
        self.data, self.held_out, self.margins = TRAINING, HELD_OUT, margins
        self.loss = np.logaddexp(0, -margins).mean(axis=1)

    def __len__(self):
        return len(self.margins)

    def select(self, which):
        return Planted(self.config.width, self.margins[which])

    def predict(self, x):
        return self.margins * (2 * LABELS - 1)


class Source:
    """Stands for a store: what a world gives for each problem and width."""

    def __init__(self, **worlds):
        self.worlds, self.missing = worlds, []

    def by_width(self, sweep):
        world, steps = self.worlds[sweep.configs[0].task], sweep.configs[0].steps
        if isinstance(world, tuple):
            world = world[steps < ClassificationSettings().steps]
        return {
            config.width: Planted(config.width, world(config.width)) for config in sweep.configs
        }


def of_the_theory(width):
    """Each net is wrong at points of its own, half as many where it is twice as wide: losses of
    1/N, orthogonal residuals.
    """
    rng = np.random.default_rng(width)
    margins = np.full((NETS, POINTS), SURE)
    for row in margins:
        row[rng.choice(POINTS, 2 * 64 // width, replace=False)] = -rng.uniform(0.9, 1.1)
    return margins


def with_loss(level, width):
    """The same function for all seeds, but for a factor near one, of this loss."""
    scatter = np.random.default_rng(width).normal(1, 0.02, (NETS, 1))
    return np.repeat(-np.log(np.expm1(level * scatter)), POINTS, axis=1)


def of_one_function(width):
    return with_loss(0.5 * width**-0.5, width)


def with_a_floor(width):
    return with_loss(0.2 + 1.0 / width, width)


def study_of(widths=WIDTHS, **worlds):
    return Classification(
        Source(**worlds), ClassificationSettings(problems=tuple(worlds), widths=widths)
    )


def verdicts_of(one):
    return [verdict.verdict for verdict in one.verdicts()]


def test_a_world_of_the_theory_gets_every_hypothesis_right():
    one = study_of(moons=of_the_theory)
    assert verdicts_of(one) == [HOLDS] * 8
    assert one.exponents("training")["moons"].value == pytest.approx(1, abs=0.05)


def test_a_world_of_one_function_gets_every_hypothesis_wrong():
    one = study_of(moons=of_one_function)
    assert verdicts_of(one) == [FAILS, FAILS, HOLDS, *[FAILS] * 5]
    study = one.problems["moons"]
    assert one.exponents("held out")["moons"].value == pytest.approx(0.5, abs=0.02)
    assert study.cosine(32).low > 0.99
    assert study.pair("training", "logits").gain.value == pytest.approx(1, abs=0.02)
    assert study.pair("training", "harmonic").against.value == pytest.approx(2**-0.5, abs=0.02)
    four = study.combined["held out", 16, 4, "probabilities"]
    assert four.against.value == pytest.approx(2, abs=0.05)


def test_an_exponent_that_changes_with_the_budget_is_seen():
    steeper = lambda width: with_loss(0.5 / width, width)  # noqa: E731
    one = study_of(moons=(steeper, of_one_function))
    assert verdicts_of(one)[:3] == [HOLDS, HOLDS, FAILS]
    assert one.verdicts()[2].numbers["moons"] == pytest.approx(0.5, abs=0.05)


def test_problems_that_differ_make_parts():
    one = study_of(moons=of_the_theory, circles=of_one_function)
    assert verdicts_of(one) == [IN_PART, IN_PART, HOLDS, *[IN_PART] * 5]
    assert "falls as 1/N in 1 on the training points" in one.headline()
    assert "0.50 to 1.00" in one.headline()


def test_a_fall_above_a_floor_is_no_fall_as_one_over_n():
    one = study_of(circles=with_a_floor, widths=(2, 4, 8, 16, 32, 64, 128))
    assert one.exponents("training")["circles"].value < 0.5
    assert verdicts_of(one)[:2] == [FAILS, FAILS]


def test_what_two_widths_cannot_decide_is_not_tested():
    one = study_of(moons=of_one_function, widths=(4, 6))
    assert verdicts_of(one) == [UNTESTED] * 8
    assert one.headline() == ""
    with style():
        one.draw()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    settings = {"problems": ("moons", "circles"), "widths": (2, 4, 8, 16), "seeds": 20, "steps": 60}
    return Classification.run(tmp_path_factory.mktemp("store") / "runs", threads=1, **settings)


def test_a_small_store_is_drawn_described_and_tabulated(small):
    with style():
        drawing = small.draw()
    assert len(drawing.axes) == 6
    assert "500 training and 1,500 held-out points of 2 inputs" in small.design()
    assert "20 seeds" in small.caption()
    assert small.question.endswith("?")
    assert len(small.verdicts()) == 8
    for table in small.tables():
        rows = list(csv.DictReader(io.StringIO(table.to_csv())))
        assert rows, table.name
        assert {row["problem"] for row in rows} == {"moons", "circles"}
    losses = list(csv.DictReader(io.StringIO(small.tables()[0].to_csv())))
    assert len(losses) == 2 * 2 * 4


def test_loss_and_error_are_those_of_the_nets(small, tmp_path):
    sweep = Classification.sweeps(small.settings)[0]
    nets = ml.train(sweep.configs[1], small.settings.seeds, threads=1)
    study = small.problems["moons"]
    assert study.losses["training"].value[1] == pytest.approx(np.median(nets.loss), rel=1e-9)
    assert study.losses["held out"].value[1] == pytest.approx(
        np.median(nets.loss_on(nets.held_out)), rel=1e-9
    )
    assert study.errors["held out"][4].value == pytest.approx(
        nets.error_rate_on(nets.held_out).mean(), rel=1e-9
    )


def test_too_few_seeds_are_refused_and_half_a_study_is_noted():
    few = lambda width: of_one_function(width)[:5]  # noqa: E731
    with pytest.raises(ml.DataError, match="train more seeds"):
        study_of(moons=few)
    source = Source(moons=few, circles=of_one_function)
    one = Classification(
        source, ClassificationSettings(problems=("moons", "circles"), widths=WIDTHS)
    )
    assert list(one.problems) == ["circles"]
    assert "moons" in source.missing[0]


def test_settings_scale():
    quick, full = ClassificationSettings.at(QUICK), ClassificationSettings.at(Scale())
    cost = lambda s: s.seeds * s.steps * sum(s.widths)  # noqa: E731
    assert cost(quick) < cost(full) / 8
    assert full == ClassificationSettings()
    with pytest.raises(ml.ConfigError, match="no setting"):
        Classification.run(width=3)


def test_a_report_goes_on_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert Classification.sweeps(Classification.plan(QUICK)) == ()
    with pytest.raises(ml.MissingExtraError, match=r'pip install -e "\.\[sklearn\]"'):
        Classification(Source(), Classification.plan(QUICK))
