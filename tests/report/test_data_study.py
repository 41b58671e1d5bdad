"""The study of points and noise: verdicts from planted losses, and the whole of it on few small
nets.
"""

import dataclasses

import numpy as np
import pytest
from figures import is_whole

import minilotto as ml
from minilotto.data.dataset import sampled
from minilotto.report.figure import Source
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNDECIDED, UNTESTED
from minilotto.report.studies.data.data import Data, DataSettings

SETTINGS = DataSettings(
    seeds=40,
    other_seeds=40,
    draws=8,
    nets_per_draw=5,
    points=(10, 30, 100, 1000),
    noisy_points=(100, 1000),
)
SAME = "{}: the same exponent on infinitely many points"
FEW, GAPS = (
    "SiLU: 10 points do as well as infinitely many",
    "LeakyReLU: with few points the loss is the gap between them",
)
MISLED = "The training loss misleads where points are fewer than parameters"
COST, DECAY, SURVIVES = (
    "Label noise costs sigma² (3N + 1) / P",
    "What label noise adds to the loss falls as 1/P",
    "{}: the law survives noisy labels",
)


class Made:
    """Stands for a store."""

    def __init__(self, nets_of):
        self.nets_of = nets_of

    def ensemble(self, config, seeds=None):
        return self.nets_of(config, seeds)


@pytest.fixture
def judged(constructed, monkeypatch):
    """Verdicts by claim from (training loss, loss on all x) as a function of the config and the
    parameters that learn noise.
    """
    monkeypatch.setattr(
        ml.Ensemble,
        "population_loss",
        property(lambda nets: np.array(nets.provenance["everywhere"])),
    )

    def make(
        losses_of, learnt=lambda config: 3 * config.width + 1, absorbed=None, settings=SETTINGS
    ):
        def nets_of(config, seeds):
            random = np.random.default_rng([config.width, config.points, config.root_seed])
            count = len(list(seeds))
            training, everywhere = losses_of(config)
            spread = 10 ** random.normal(0, 0.03, count)
            if config.noise:
                share = random.chisquare(400) / 400
                everywhere = everywhere + learnt(config) * config.noise**2 / config.points * share
            nets = constructed(
                training * spread, provenance={"everywhere": (everywhere * spread).tolist()}
            )
            return dataclasses.replace(nets, config=config, data=sampled(config))

        study = Data(Source(Made(nets_of)), settings)
        return {verdict.claim: verdict for verdict in study.verdicts()}, study

    return make


def law(config):
    """SiLU: 1/N everywhere. LeakyReLU: 1/N^2, but never below straight lines between the points,
    which it fits where it can.
    """
    if config.activation == "silu":
        return 1e-6 / config.width, 1e-6 / config.width
    loss = 1e-2 / config.width**2
    if config.sampling == "population":
        return loss, loss
    gap = (4 / (config.points - 1)) ** 4 / 30
    if config.points <= 3 * config.width + 1:
        return 1e-4 * gap, 3 * gap
    return loss, loss


def test_planted_laws_are_judged(judged):
    settings = dataclasses.replace(
        SETTINGS, points=(10, 30, 200, 1000), noisy_points=(200, 1000), noises=(0.01, 0.1)
    )
    found, study = judged(law, settings=settings)
    assert found[SAME.format("SiLU")].verdict == HOLDS
    assert found[SAME.format("LeakyReLU")].verdict == HOLDS
    assert found[FEW].verdict == HOLDS
    assert found[GAPS].verdict == FAILS
    assert found[GAPS].numbers["P = 10"] == pytest.approx(3, rel=0.1)
    assert "exponent from 10 to 30 points 4.2" in found[GAPS].measured
    assert found[MISLED].verdict in (UNDECIDED, FAILS)  # SiLU is not misled where the rule says so
    assert found[COST].verdict == HOLDS
    assert found[DECAY].verdict == HOLDS
    assert "for SiLU (" in study.headline()
    assert "on 200)" in study.headline()


def test_other_truths_get_other_verdicts(judged):
    def other(config):
        exponent = 1.0 if config.sampling == "population" else 2.0
        loss = (1e-5 if exponent == 1 else 1e-2) / config.width**exponent
        return loss, loss * (1 + 100 / config.points if config.sampling == "grid" else 1)

    found, study = judged(other, learnt=lambda config: 4 * (config.points / 100) ** 0.5)
    assert found[SAME.format("SiLU")].verdict == FAILS
    assert "more slowly" in found[SAME.format("SiLU")].reason
    assert found[SAME.format("SiLU")].numbers["difference"] == pytest.approx(-1, abs=0.05)
    assert "for SiLU (2.0" in study.headline() or "for SiLU (1.99" in study.headline()
    assert found[FEW].verdict == FAILS
    assert found[COST].verdict == FAILS
    assert found[COST].numbers["k of silu at 50"] == pytest.approx(4 * 10**0.5, rel=0.5)
    assert found[DECAY].verdict == FAILS
    assert next(iter(found[DECAY].numbers.values())) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(("size", "verdict"), [(1e-12, HOLDS), (1.0, IN_PART), (1e9, FAILS)])
def test_a_law_survives_as_much_noise_as_leaves_its_losses_alone(judged, size, verdict):
    """7 parameters' worth of noise add 7e-8, 7e-6 and 7e-4 at 100 points: against 5e-5 to 1e-5 that
    is none, some and much.
    """
    found, _ = judged(lambda config: (5e-4 / config.width,) * 2, learnt=lambda config: 7 * size)
    assert found[SURVIVES.format("SiLU")].verdict == verdict


@pytest.mark.parametrize(("factor", "verdict"), [(1.2, HOLDS), (0.2, FAILS), (2.0, UNDECIDED)])
def test_losses_of_few_points_are_those_of_straight_lines_or_not(judged, factor, verdict):
    def losses(config):
        lines = (4 / (config.points - 1)) ** 4 / 30
        return 1e-9 / config.width, factor * lines if config.points <= 50 else 1e-9 / config.width

    found, _ = judged(losses)
    assert found[GAPS].verdict == verdict
    assert found[GAPS].numbers["P = 30"] == pytest.approx(factor, rel=0.1)


def test_what_points_tell_is_told(judged):
    def fitted(config):
        loss = 1e-4 / config.width
        misled = config.sampling != "population" and config.points <= 3 * config.width + 1
        return loss, loss * (10 if misled else 1)

    assert judged(fitted)[0][MISLED].verdict == HOLDS
    assert judged(lambda config: (1e-4 / config.width,) * 2)[0][MISLED].numbers["misled"] == 0


def test_wide_intervals_are_undecided(judged):
    def scattered(config):
        random = np.random.default_rng([config.width, config.points])
        return (1e-4 / config.width * 10 ** random.normal(0, 1),) * 2

    found, _ = judged(scattered)
    assert found[SAME.format("SiLU")].verdict == UNDECIDED
    assert "wide to decide" in found[SAME.format("SiLU")].reason


# The whole
@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "runs"
    settings = {
        "seeds": 12, "other_seeds": 11, "steps": 200, "widths": (10, 12, 15), "points": (5, 40),
        "draws": 3, "nets_per_draw": 2, "drawn_widths": (10, 12, 15), "noises": (0.01, 0.1),
        "noisy_points": (40, 60),
    }  # fmt: skip
    return Data.run(folder, threads=1, **settings), folder


def test_it_draws_tells_and_tabulates_what_it_trained(small):
    study, _ = small
    assert is_whole(study)
    assert "200 Adam steps" in study.caption()
    assert study.headline().endswith(".")
    assert "5, 40 equally spaced points" in study.design()
    tables = {table.name: table for table in study.tables()}
    assert set(tables) == {"losses", "exponents", "noise"}
    assert {"lattice", "all x", "uniform"} == set(tables["losses"].columns["sampling"])
    assert len(study.verdicts()) == 9


def test_its_trainings_are_each_config_once():
    for settings in (DataSettings(), DataSettings.quick()):
        configs = [config for sweep in Data.sweeps(settings) for config in sweep.configs]
        assert len(configs) == len(set(configs))


def test_what_is_missing_is_noted_and_the_rest_is_studied(small):
    study, folder = small
    more = dataclasses.replace(study.settings, draws=4, noises=(0.01, 0.1, 1.0))
    source = Source(ml.open_store(folder))
    found = Data(source, more)
    assert source.missing
    assert found.verdicts()


def test_too_little_is_refused_with_what_to_train(small):
    study, folder = small
    with pytest.raises(ml.DataError, match="train more widths or seeds"):
        Data(Source(ml.open_store(folder)), dataclasses.replace(study.settings, seeds=5))
    with pytest.raises(ml.ConfigError, match="'width' is no setting"):
        Data.run(folder, width=3)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"noises": ()}, "noises is empty"),
        ({"points": []}, "points is empty"),
        ({"noises": (0.0, 0.1)}, "not above 0"),
    ],
)
def test_settings_that_leave_nothing_to_study_are_refused(settings, part):
    with pytest.raises(ml.ConfigError, match=part):
        DataSettings(**settings)


def test_settings_of_ones_own_are_studied(tmp_path):
    """One activation, lists for tuples, another number of points in place of 100, one draw: what
    needs more is not tested.
    """
    study = Data.run(
        tmp_path / "runs", threads=1, seeds=12, other_seeds=12, steps=50, activations=["silu"],
        widths=[10, 11, 12], points=[20], draws=1, nets_per_draw=1, drawn_widths=[10, 11, 12],
        noises=[0.5], noisy_points=[20],
    )  # fmt: skip
    verdicts = {verdict.claim: verdict.verdict for verdict in study.verdicts()}
    assert verdicts[COST] == verdicts[GAPS] == UNTESTED
    assert is_whole(study)
    assert "on 20)" in study.headline()
