"""The study of subtasks: planted shares and losses that give each verdict, a small real store."""

import numpy as np
import pytest
from figures import is_whole

import minilotto as ml
from minilotto.report.figure import Source
from minilotto.report.rules import FAILS, HOLDS
from minilotto.report.studies.subtasks import subtasks
from minilotto.report.studies.subtasks.subtasks import (
    Allocated,
    Subtasks,
    SubtasksSettings,
    least_loss,
    weights_of,
)

SETTINGS = SubtasksSettings()


class Made:
    """Stands for a store."""

    def ensemble(self, config, seeds):
        return Config(config, range(len(list(seeds))))


class Config:
    """Stands for nets, of which only the config counts."""

    def __init__(self, config, seeds):
        self.config, self.seeds = config, seeds

    def __len__(self):
        return len(self.seeds)


def judged(monkeypatch, shares_of, power=1.0, alone=0.95):
    """Verdicts by key from shares as a function of target and width; losses fall as
    neurons^-power.
    """

    def allocated(nets):
        config, seeds = nets.config, len(nets)
        random = np.random.default_rng([config.width, config.batch, len(config.task)])
        spread = random.lognormal(sigma=0.03, size=(3, seeds, len(weights_of(config.task))))
        neurons = config.width * shares_of(config.task, config.width)
        relative = 1e-3 * neurons**-power * spread[0]
        loss = relative @ weights_of(config.task)
        return Allocated(neurons * spread[1], relative, alone * spread[2, :, 0], loss)

    monkeypatch.setattr(subtasks, "allocated", allocated)
    study = Subtasks(Source(Made()), SETTINGS)
    return {key: one.verdict for key, (one,) in study.judged().items()}, study


def test_the_resource_model_is_found(monkeypatch):
    found, study = judged(monkeypatch, lambda task, width: least_loss(task))
    assert set(found.values()) == {HOLDS}, found
    assert "constant shares have 0" in study.headline()


def test_shares_that_drift_and_losses_that_are_no_inverse_fail_it(monkeypatch):
    def drifting(task, width):
        first = np.arange(len(weights_of(task))) % 2 * 2 - 1
        return (width / 100) ** (0.3 * first) / (5 + np.arange(len(first))[::-1])

    found, _ = judged(monkeypatch, drifting, power=2.0, alone=0.6)
    assert {found[key] for key in ("belong", "slope", "constant", "heavier")} == {FAILS}


def test_the_study_of_a_small_store(tmp_path):
    fields = {"seeds": 10, "steps": 30, "widths": (4, 5, 6), "subtasks": (2,), "control": 2}
    fields |= {"points": 50, "batch": 4, "other_batch": 4}
    study = Subtasks.run(tmp_path, threads=1, **fields)
    assert is_whole(study)
    with pytest.raises(ml.DataError, match=r"three widths.*Subtasks\.run"):
        Subtasks.run(tmp_path, threads=1, **{**fields, "widths": (2,)})
    with pytest.raises(ml.ConfigError, match="share out nothing"):
        Subtasks.run(tmp_path, subtasks=(1, 2))


def test_weights_span_two_decades_and_the_least_loss_has_their_roots():
    weights, best = weights_of("weighted4"), least_loss("weighted4")
    assert weights[0] / weights[-1] == pytest.approx(100)
    assert best[0] / best[-1] == pytest.approx(10)
    assert weights_of("sum4").tolist() == [0.25] * 4
    inputs = np.random.default_rng(0).uniform(-2, 2, (200_000, 4))
    alone = [np.where(np.arange(4) == i, inputs, 0.0) for i in range(4)]
    target = ml.TASKS.get("weighted4") or subtasks.task_of("weighted4")
    assert [np.var(target(one)) for one in alone] == pytest.approx(weights, rel=0.02)
