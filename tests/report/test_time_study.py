"""The study of time: planted variances and curves that give verdicts, and a small real store."""

import numpy as np
import pytest
from figures import is_whole

import minilotto as ml
from minilotto.report.figure import QUICK, Scale, Source
from minilotto.report.rules import FAILS, HOLDS, LEVEL
from minilotto.report.studies.time.analysis import PLACES, collapse, from_mean, to_horizon
from minilotto.report.studies.time.trainings import TimeSettings
from minilotto.report.studies.time.trajectories import Trajectories

SETTINGS = TimeSettings(scales=(64.0, 1.0), early=(10, 100), keep=(1000,))
SMALL = {
    "seeds": 10, "steps": 5000, "widths": (2, 4, 8), "wide": (), "least": 2, "scales": (2.0, 1.0),
    "early": (10, 100), "early_seeds": 10, "keep": (200,), "ladder": (2, 8), "other_points": 50,
    "horizons": (50, 100, 200),
}  # fmt: skip


class Made:
    """Stands for a store: nets whose functions and losses are planted by config."""

    def __init__(self, variance, loss):
        self.variance, self.loss = variance, loss

    def ensemble(self, config, seeds):
        return Nets(self, config, len(list(seeds)))


class Nets:
    """Stands for nets: three points, errors of a bias and of a random direction."""

    def __init__(self, store, config, count):
        self.config, self.count = config, count
        seed = [config.width, config.steps, len(config.task), round(1e7 * config.lr)]
        random = np.random.default_rng(seed)
        steps = np.array([0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000])
        steps = np.append(steps[steps < config.steps], config.steps)
        each = random.lognormal(sigma=0.1, size=count)
        losses = store.loss(config.width, np.maximum(steps, 1))[:, None] * each
        number = ml.settings.tasks.task_of(config.task)(np.ones((1, 1)))[0]
        self.history = type("History", (), {"steps": steps, "loss": losses * number**2})
        spread = np.sqrt(store.variance(config.width, config.steps))
        self.errors = number * (0.1 + spread * random.normal(size=(count, 3)))
        self.data = type("Data", (), {"x": None, "y": 0.0, "weight": np.full(3, 1 / 3)})

    def __len__(self):
        return self.count

    def predict(self, x):
        return self.errors


def judged(variance, loss):
    study = Trajectories(Source(Made(variance, loss)), SETTINGS)
    return {key: one.verdict for key, (one,) in study.judged().items()}, study


def test_one_law_at_all_times_and_one_curve_are_found():
    """Curves depend on step / sqrt(width) alone."""
    found, study = judged(lambda n, t: 1e-3 / n, lambda n, t: (t / n**0.5) ** -1.0 / n)
    for key in ("early", "early_torch", "late", "bias", "clock", "constant", "decayed", "same"):
        assert found[key] == HOLDS, key
    assert found["strength"] != HOLDS
    assert found["late_loss"] == FAILS  # of the errors, which have a bias
    assert "where theory has 1" in study.headline()
    way = study.settings.usual
    assert study.exponents[way, "variance", 10].value == pytest.approx(1, abs=0.1)


def test_late_laws_and_widths_that_differ_are_found():
    def variance(width, step):
        return 1e-3 / width if step <= 200 else 1e-3 / width**2

    found, _ = judged(variance, lambda n, t: t ** -(0.5 + 0.2 * np.log(n)))
    assert found["early"] == HOLDS
    assert {found[key] for key in ("late", "constant", "decayed")} == {FAILS}


def test_the_mean_of_distances_is_the_variance():
    random = np.random.default_rng(0)
    errors = random.normal(1.0, [0.5, 2.0], size=(4, 2000, 2))
    found = np.mean([from_mean(one[:10], np.array([0.5, 0.5])).mean() for one in
                     errors.reshape(-1, 10, 2)])  # fmt: skip
    assert found == pytest.approx((0.25 + 4) / 2, rel=0.05)


def test_curves_are_taken_at_fractions_of_their_horizon():
    steps = np.array([1.0, 10, 100, 1000])
    found = to_horizon(steps, np.stack([steps**-2, 3 / steps], axis=1), 1000)
    assert np.exp(found[:-1] - found[-1])[:, 0] == pytest.approx(PLACES**-2.0)
    assert np.exp(found[:, 1]) == pytest.approx(3e-3 / np.append(PLACES, 1))


def test_the_horizon_of_a_collapse_is_found():
    random = np.random.default_rng(0)
    x = np.append(PLACES, 1.0)[:, None]
    noise = random.normal(scale=0.1, size=(3, 1, 32))
    good = [-np.log(x) + own for own in noise]
    bad = [-k * np.log(x) + own for k, own in enumerate(noise)]
    found = collapse({0.0: bad, 0.5: good}, LEVEL)
    assert found.best == 0.5
    assert found.ratio.high < 1 < 5 < found.ratios[0.0].low


def test_the_study_of_a_small_store(tmp_path):
    study = Trajectories.run(tmp_path, threads=1, **SMALL)
    assert is_whole(study)
    with pytest.raises(ml.DataError, match=r"three widths.*Trajectories\.run"):
        Trajectories.run(tmp_path, threads=1, **{**SMALL, "widths": (2, 4)})


@pytest.mark.parametrize(
    "wrong",
    [
        {"scales": (2.0,)},
        {"scales": (1.0, 0.0)},
        {"scales": (1.0, float("nan"))},
        {"early": (10,)},
        {"keep": ()},
    ],
)
def test_settings_without_a_law_are_refused(wrong, tmp_path):
    with pytest.raises(ml.ConfigError, match=r"add it|change them"):
        Trajectories.run(tmp_path, **wrong)


@pytest.mark.parametrize("scale", [1e-4, 1 / 3, 3141.59265, 1e4])
def test_targets_of_any_scale_have_names(scale):
    assert Trajectories.sweeps(TimeSettings(scales=(1.0, scale)))


def test_a_scale_bounds_seeds_and_steps():
    assert TimeSettings.at(Scale()) == TimeSettings()
    assert TimeSettings.at(QUICK) == TimeSettings.quick()
    configs = Trajectories.sweeps(Trajectories.plan(Scale(seeds=12, steps=300)))
    assert {len(sweep.seeds) for sweep in configs} == {12}
    assert max(one.steps for sweep in configs for one in sweep.configs) == 960
