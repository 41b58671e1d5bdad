"""The study of gradient noise: planted variances that give each verdict, and a small real store."""

import numpy as np
import pytest
from figures import is_whole

import minilotto as ml
from minilotto.report.figure import QUICK, Source
from minilotto.report.rules import FAILS, HOLDS, UNTESTED
from minilotto.report.studies.noise.noise import FULL, Noise, NoiseSettings, Starts

SETTINGS = NoiseSettings()


def judged(monkeypatch, power, batches=1.0, rates=1.0, bias=1.0):
    """Verdicts by key: variance as width^-power batch^-batches rate^rates, about nets of full batch
    whose loss noise multiplies by `bias`.
    """

    def starts(self, sweep):
        found = Starts({}, {})
        for config in sweep.configs:
            n, b = config.width, config.batch
            random = np.random.default_rng([n, b, config.sampling == "population"])
            spread = random.lognormal(sigma=0.1, size=(2, SETTINGS.seeds))
            noise = 1e-3 * n**-power * (b or 1e6) ** -batches * (config.lr / 0.003) ** rates
            variance = noise * spread[0]
            found.variance.setdefault(b, {})[n] = variance
            rest = (bias if b else 1.0) * spread[1] / n
            found.loss.setdefault(b, {})[n] = rest + variance
        return found

    monkeypatch.setattr(Noise, "_starts", starts)
    study = Noise(Source(None), SETTINGS)
    return {key: {one.verdict for one in some} for key, some in study.judged().items()}, study


def test_a_central_limit_is_found(monkeypatch):
    found, _ = judged(monkeypatch, power=1.0)
    assert found["shared"] == found["share"] == {FAILS}
    for key in ("central", "batch", "rate", "mean", "law", "fresh", "sets", "precision"):
        assert found[key] == {HOLDS}, key


def test_noise_that_neurons_share_is_no_central_limit(monkeypatch):
    found, study = judged(monkeypatch, power=0.0, batches=0.5, rates=0.0, bias=30.0)
    for key in ("central", "batch", "rate", "mean"):
        assert found[key] == {FAILS}, key
    assert found["shared"] == found["law"] == {HOLDS}
    assert "a is" in study.headline()


def test_the_study_of_a_small_store(tmp_path):
    fields = {"seeds": 10, "steps": 30, "widths": (2, 3, 4), "batches": (1, 2, 4)}
    others = {"rates": (0.01,), "fresh_batches": (1,), "control_batch": 1}
    study = Noise.run(tmp_path, threads=1, sets=(40, 60), **fields, **others)
    assert is_whole(study)
    (rate,) = study.judged()["rate"]
    assert rate.verdict == UNTESTED  # of two rates
    with pytest.raises(ml.DataError, match=r"three widths.*Noise\.run"):
        Noise.run(tmp_path, threads=1, sets=(40, 60), **{**fields, "widths": (2,)}, **others)


@pytest.mark.parametrize(
    "wrong", [{"sets": (40,)}, {"sets": (40, 40)}, {"batches": (0, 1)}, {"fresh_batches": ()}]
)
def test_settings_without_noise_are_refused(wrong, tmp_path):
    (name,) = wrong
    with pytest.raises(ml.ConfigError, match=name):
        Noise.run(tmp_path, **wrong)


def test_noises_of_one_start_differ_by_their_sets_alone():
    """So that places drawn are the same and points are others; quick ones are fewer."""
    (sweep, *_), quick = Noise.sweeps(SETTINGS), NoiseSettings.at(QUICK)
    configs = [one for one in sweep.configs if (one.width, one.batch) == (10, 1)]
    assert [one.points for one in configs] == list(SETTINGS.sets)
    assert {one.replace(points=100) for one in configs} == {configs[0].replace(points=100)}
    assert FULL in {one.batch for one in sweep.configs}
    assert quick.steps < SETTINGS.steps
