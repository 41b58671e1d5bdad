"""The study of initialisation: verdicts from planted exponents, shares and cosines, and the whole
of it on few small nets.
"""

import dataclasses

import numpy as np
import pytest

import minilotto as ml
from minilotto.analysis.landscape.starts import DEFAULT, LIKENESS, MOVED, Start, Started
from minilotto.analysis.stats.bootstrap import Estimate, points
from minilotto.report.figure import Source
from minilotto.report.plots.style import style
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED
from minilotto.report.studies.initialisation.initialisation import (
    Initialisation,
    InitialisationSettings,
)

EXPONENT, OWN, TICKETS, ALIKE, LAZY = "exponents", "own", "tickets", "alike", "lazy"
NAMES = ("torch", "kaiming_normal", "glorot_normal", "lecun_normal", "uniform", "normal")


def about(value, reach):
    return Estimate(value, value - reach, value + reach, 0.95)


def planted(exponent=1.0, reach=0.05, won=80, tried=400, cosine=0.9, moved=1.0, loss=1e-7):
    found = points(
        [10, 50],
        [np.geomspace(5 * loss, 5.1 * loss, 11), np.geomspace(loss / 1.1, loss * 1.1, 11)],
        level=0.95,
    )
    return Started(
        points=found,
        exponent=about(exponent, reach),
        strict_exponent=about(exponent, 1.5 * reach),
        weights={},
        won=won,
        tried=tried,
        measured={LIKENESS: {50: about(cosine, 0.03)}, MOVED: {50: about(moved, 0.01)}},
        widest=50,
    )


def judged(starts):
    """Verdicts by the key of their claims."""
    study = object.__new__(Initialisation)
    study.settings, study.count = InitialisationSettings(), 0
    study.starts, study.default = starts, starts[DEFAULT]
    return dict(zip(Initialisation.entry.claims, study.verdicts(), strict=True))


def verdict_of(which, *changes, **default):
    """Of the default, and others that are it but for some changes."""
    starts = {DEFAULT: planted(**default)} | {
        Start(name): planted(**fields) for name, fields in zip(NAMES[1:], changes, strict=False)
    }
    return judged(starts)[which]


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ([{}, {"exponent": 1.1}], HOLDS),
        ([{}, {"exponent": 1.6}], FAILS),
        ([{}, {"exponent": 1.25}], IN_PART),
        ([{"reach": 0.5}], UNTESTED),
        ([], UNTESTED),
    ],
)
def test_exponents_are_compared_with_the_defaults(changes, verdict):
    assert verdict_of(EXPONENT, *changes).verdict == verdict


def test_a_start_with_another_exponent_is_named():
    found = verdict_of(EXPONENT, {}, {"exponent": 0.4})
    assert "glorot normal" in found.reason
    assert "1 of 2" in found.reason


@pytest.mark.parametrize(
    ("default", "others", "verdict"),
    [
        (1.0, [2.0, 0.5, 1.5], HOLDS),
        (1.0, [1.0, 0.5, 1.5], IN_PART),
        (1.0, [1.0, 1.1, 1.5], FAILS),
        (1.5, [1.0, 2.0, 3.0], FAILS),
    ],
)
def test_whose_property_an_exponent_of_one_is(default, others, verdict):
    found = verdict_of(OWN, *({"exponent": e} for e in others), exponent=default)
    assert found.verdict == verdict


@pytest.mark.parametrize(("won", "verdict"), [(85, HOLDS), (50, IN_PART), (8, FAILS), (0, FAILS)])
def test_shares_of_tickets_are_compared(won, verdict):
    found = verdict_of(TICKETS, {"won": won})
    assert found.verdict == verdict
    assert ("none with" in found.reason) == (won == 0)


def test_a_wide_interval_leaves_it_open_whose_property_it_is():
    found = judged({DEFAULT: planted(reach=0.6), Start("normal"): planted(2.0)})[OWN]
    assert found.verdict == UNTESTED
    others = {Start("normal"): planted(reach=0.6), Start("uniform"): planted(2.0)}
    found = judged({DEFAULT: planted(), **others})[OWN]
    assert found.verdict == UNTESTED
    assert "undecided in 1" in found.measured


def test_shares_of_few_nets_tell_nothing():
    starts = {DEFAULT: planted(won=4, tried=20), Start("normal"): planted(won=1, tried=20)}
    assert judged(starts)[TICKETS].verdict == UNTESTED
    assert judged({DEFAULT: planted(won=0, tried=0)})[TICKETS].verdict == UNTESTED


@pytest.mark.parametrize(("cosine", "verdict"), [(0.8, HOLDS), (0.05, IN_PART), (0.5, IN_PART)])
def test_likeness_must_be_that_of_all(cosine, verdict):
    found = verdict_of(ALIKE, {"cosine": cosine})
    assert found.verdict == verdict
    assert ("not alike at all: kaiming" in found.reason) == (cosine == 0.05)


@pytest.mark.parametrize(("sign", "verdict"), [(-1, HOLDS), (1, FAILS), (0, UNTESTED)])
def test_moving_far_is_good_bad_or_neither(sign, verdict):
    order = {-1: (5, 4, 3, 2, 1), 1: (1, 2, 3, 4, 5), 0: (3, 1, 4, 5, 2)}[sign]
    changes = [
        {"moved": 1.0 + i, "loss": 1e-7 * (1 + sign * 0.1 + j)} for i, j in enumerate(order, 1)
    ]
    loss = {-1: 9e-7, 1: 0.5e-7, 0: 3.3e-7}[sign]
    assert verdict_of(LAZY, *changes, moved=0.5, loss=loss).verdict == verdict


def test_starts_are_torch_and_each_other_once():
    starts = InitialisationSettings().starts
    assert starts[0] == DEFAULT
    assert len(set(starts)) == len(starts) == len(ml.SCHEMES) + 2 * 2 + 5
    assert str(Start("normal", init_scale=3.0)) == "normal, scale 3"
    assert str(Start(output_scale=0.01)) == "torch, output 0.01"
    assert InitialisationSettings(inits=("normal",), init_scales=(), output_scales=()).starts == (
        DEFAULT,
        Start("normal"),
    )


def test_an_unknown_start_is_refused():
    with pytest.raises(ml.ConfigError, match="init 'zeros' is unknown; choose from torch"):
        InitialisationSettings(inits=("zeros",))


# The whole
@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("starts") / "runs"
    settings = {
        "seeds": 12, "steps": 150, "inits": ("torch", "normal", "mean_field"),
        "init_scales": (0.3,), "output_scales": (0.1, 10), "widths": (10, 12, 14), "wide": (16,),
        "wide_seeds": 12, "narrow_seeds": 12,
    }  # fmt: skip
    return Initialisation.run(folder, threads=1, **settings), folder


def test_it_draws_tells_and_tabulates_what_it_trained(small):
    study, _ = small
    starts = "torch; normal; mean field; normal, scale 0.3; torch, output 0.1; torch, output 10"
    assert "; ".join(map(str, study.starts)) == starts
    with style():
        assert study.draw().axes
    assert "150 Adam steps" in study.caption()
    assert "6 ways to start" in study.headline()
    assert "torch, output 0.1" in study.design()
    losses, quantities = (table.columns for table in study.tables())
    assert set(losses["width"]) == {2, 10, 12, 14, 16}
    assert {
        "exponent",
        "cosine of errors",
        "distance moved",
        "share of neurons in symmetric tickets",
    } < set(quantities["quantity"])
    assert all(
        len({len(column) for column in columns.values()}) == 1 for columns in (losses, quantities)
    )
    assert len(study.verdicts()) == 5


def test_its_trainings_are_each_config_once():
    kinds = InitialisationSettings
    for settings in (kinds(), kinds.quick(), kinds(widths=(2, 10, 20, 50))):
        sweeps = Initialisation.trainings(settings)
        configs = [config for sweep in sweeps for config in sweep.configs]
        assert len(configs) == len(set(configs))


def test_what_is_missing_is_noted_and_the_rest_is_studied(small):
    study, folder = small
    source = Source(ml.open_store(folder))
    found = Initialisation(
        source, dataclasses.replace(study.settings, output_scales=(0.1, 10, 100))
    )
    assert any("torch, output 100" in note for note in source.missing)
    assert len(found.starts) == len(study.starts)
    with pytest.raises(ml.DataError, match="train more widths or seeds"):
        Initialisation(Source(ml.open_store(folder)), dataclasses.replace(study.settings, seeds=5))
