"""The study of dimension: planted curves give each verdict, and a small store is trained, drawn and
tabulated.
"""

import csv
import io

import numpy as np
import pytest

import minilotto as ml
from minilotto.report.catalogue import BEYOND, FIGURES
from minilotto.report.figure import QUICK, Scale, Source, unseen_points
from minilotto.report.plots.style import style
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNDECIDED, UNTESTED, family
from minilotto.report.studies.dimension.curve import Curve
from minilotto.report.studies.dimension.dimension import (
    HELD_OUT,
    LONGER,
    Dimension,
    DimensionSettings,
)

WIDTHS = (4, 6, 9, 13, 19, 28)
APART = {"sum": 3.0, "product": 2.0, "radial": 1.0, "teacher": 0.2}  # exponents by family
SETTINGS = DimensionSettings(widths=WIDTHS, activations=("silu",), seeds=32)


def planted(exponent, sigma=0.05, gap=1.0, top=0.3, **changes):
    """A study of curves whose held-out losses are top (N/4)^-exponent(family, D), `gap` times
    those on the training points.
    """
    settings = DimensionSettings(
        **{"widths": WIDTHS, "activations": ("silu",), "seeds": 32, **changes}
    )
    made, random = {}, np.random.default_rng(0)
    for case in settings.cases()[1.0]:
        power = exponent(*case[1:])
        shape = power if callable(power) else lambda n, power=power: n**-power
        seen = [
            top * shape(width / 4) * random.lognormal(0, sigma, settings.seeds)
            for width in settings.widths
        ]
        made[case] = Curve(case, settings.widths, seen, [gap * loss for loss in seen])
    return study_of(settings, made, {})


def study_of(settings, curves, longer):
    study = object.__new__(Dimension)
    study.settings = settings
    study._study(curves, longer)
    return study


def verdict_of(study, key):
    """On one claim alone, as laws take time."""
    claim = study.entry.claims[key]
    outcome = getattr(study, f"claim_{key}")(claim)
    (outcome,) = outcome if isinstance(outcome, list) else [outcome]
    return claim.judged(outcome, study.facts(), family(outcome.judged))


def steep_then_flat(n):
    return np.minimum(n**-4.0, 2.0**-4 * (n / 2) ** -0.1)


# Hypotheses
@pytest.mark.parametrize(
    ("exponent", "verdict", "nearest"),
    [
        (lambda family, D: 4 / D, HOLDS, "4/D is the nearest"),
        (lambda family, D: 1.0, FAILS, "1 is the nearest"),
        (lambda family, D: 4 / D if family == "sum" else 1.0, IN_PART, ""),
        (lambda family, D: 1 + 3 / D, IN_PART, "1 + 3/D is the nearest"),  # it is 4/D at D = 1
    ],
    ids=["4/D", "1", "one family", "1 + 3/D"],
)
def test_four_over_d(exponent, verdict, nearest):
    found = verdict_of(planted(exponent), "four_over_d")
    assert found.verdict == verdict, found.reason
    assert nearest in found.reason


def test_noise_leaves_four_over_d_open():
    found = verdict_of(planted(lambda family, D: 4 / D * 0.75, sigma=1.5), "four_over_d")
    assert found.verdict in (UNDECIDED, IN_PART)
    found = verdict_of(planted(lambda family, D: 1.0, inputs=(3, 4, 5)), "four_over_d")
    assert found.verdict == UNTESTED
    assert "distinguishes 4/D from 1" in found.reason


@pytest.mark.parametrize(
    ("exponent", "verdict"),
    [
        (lambda family, D: 1.0, HOLDS),
        (lambda family, D: 2.5, FAILS),
        (lambda family, D: 1.0 if family == "teacher" else 2.5, IN_PART),
        (lambda family, D: steep_then_flat, FAILS),
    ],
    ids=["1/N", "steeper", "one family", "passes through 1"],
)
def test_a_range_of_one_over_n(exponent, verdict):
    found = verdict_of(planted(exponent, sigma=0.02), "persists")
    assert found.verdict == verdict, found.reason
    assert ("teacher8" in found.reason) == (verdict in (HOLDS, IN_PART))


def test_one_input_says_nothing_of_more():
    assert verdict_of(planted(lambda family, D: 1.0, inputs=(1,)), "persists").verdict == UNTESTED
    assert verdict_of(planted(lambda family, D: 1.0, sigma=1.0), "persists").verdict == UNDECIDED


@pytest.mark.parametrize(
    ("exponent", "sigma", "verdict"),
    [
        (lambda family, D: 4 / D, 0.05, HOLDS),
        (lambda family, D: APART[family], 0.05, FAILS),
        (lambda family, D: 3.0 if family == "sum" and D > 3 else 1.0, 0.02, IN_PART),
        (lambda family, D: 1.0, 2.0, UNDECIDED),
    ],
    ids=["D alone", "families", "one family", "noise"],
)
def test_whether_the_number_of_inputs_decides(exponent, sigma, verdict):
    found = verdict_of(planted(exponent, sigma=sigma, families=tuple(APART)), "inputs_decide")
    assert found.verdict == verdict, found.reason


def test_one_family_compares_with_none():
    found = verdict_of(planted(lambda family, D: 1.0, families=("sum",)), "inputs_decide")
    assert found.verdict == UNTESTED


def test_shapes_of_curves():
    def plateau(n):
        return n**-3.0 + 0.2

    few = {"families": ("sum",), "inputs": (1, 4), "sigma": 0.02, "seeds": 12}
    assert verdict_of(planted(lambda family, D: 1.0, **few), "one_law").verdict == HOLDS
    assert verdict_of(planted(lambda family, D: plateau, **few), "one_law").verdict == FAILS
    assert (
        verdict_of(planted(lambda family, D: plateau if D > 2 else 1.0, **few), "one_law").verdict
        == IN_PART
    )
    few["widths"] = (4, 9, 28)
    assert verdict_of(planted(lambda family, D: 1.0, **few), "one_law").verdict == UNTESTED


def test_points_that_are_overfitted():
    assert verdict_of(planted(lambda family, D: 1.0, gap=1.8), "enough_points").verdict == HOLDS
    found = verdict_of(planted(lambda family, D: 1.0, gap=2.1), "enough_points")
    assert found.verdict == FAILS
    assert "132 widths" in found.reason
    some = planted(lambda family, D: 1.0)
    case = next(iter(some.curves))
    seen = [0.1 / width * np.geomspace(0.9, 1.1, 20) for width in WIDTHS]
    held = [loss * (3 if width == 28 else 1) for width, loss in zip(WIDTHS, seen, strict=True)]
    one = Curve(case, WIDTHS, seen, held)
    assert one.kept.tolist() == [True] * 5 + [False]
    assert one.fit is not None
    assert one.fit.points.widths[-1] == 19
    assert (
        verdict_of(study_of(SETTINGS, {**some.curves, case: one}, {}), "enough_points").verdict
        == IN_PART
    )


def test_what_has_hardly_begun_is_left_out():
    seen = [np.geomspace(0.9, 1.1, 20) * loss for loss in (0.9, 0.8, 0.45, 0.3, 0.2, 0.1)]
    one = Curve(("silu", "sum", 2), WIDTHS, seen, seen)
    assert one.idle.tolist() == [True, True, False, False, False, False]
    assert one.span == pytest.approx(28 / 9, rel=1e-12)
    twice = Curve(("silu", "product", 2), WIDTHS, seen, seen, variance=2.0)
    assert not twice.idle.any()
    nothing = Curve(
        ("silu", "sum", 2), WIDTHS, [9 * loss for loss in seen], [9 * loss for loss in seen]
    )
    assert nothing.fit is None
    assert nothing.exponent is None


def test_longer_training():
    few = {"families": ("radial",), "inputs": (2,)}
    usual = planted(lambda family, D: 2.0, **few)
    case = ("silu", "radial", 2)
    same, other = usual.curves[case], planted(lambda family, D: 4.0, **few).curves[case]
    near = planted(lambda family, D: 2.25, **few).curves[case]
    assert verdict_of(usual, "longer").verdict == UNTESTED
    for one, verdict in ((same, HOLDS), (other, FAILS), (near, UNDECIDED)):
        found = verdict_of(study_of(SETTINGS, usual.curves, {case: one}), "longer")
        assert found.verdict == verdict, found.measured


def test_all_verdicts_and_tables_of_planted_curves():
    found = planted(lambda family, D: 4 / D, families=("teacher",), inputs=(1, 2, 5, 8))
    verdicts = found.verdicts()
    assert len(verdicts) == 6
    assert len({verdict.claim for verdict in verdicts}) == 6
    assert found.rules["silu"][0].weight > 0.95
    line = found.lines["silu", "teacher"]
    assert line.slope.low < 4 < line.slope.high
    for table in found.tables():
        header, *rows = csv.reader(io.StringIO(table.to_csv()))
        assert rows, table.name
        assert all(len(row) == len(header) for row in rows)
        assert len(set(header)) == len(header)


def test_the_headline_is_one_sentence_with_the_numbers():
    said = planted(lambda family, D: 1.0).headline()
    assert "Over 1 to 8 inputs SiLU exponents deviate from 4/D by 1." in said
    assert "from 1 by 0.0" in said
    assert said.endswith("by targets: SiLU, All 19 have such a range.")
    assert said.count(". ") == 1
    said = planted(lambda family, D: 4.0).headline()
    assert said.endswith("SiLU, 0 of 19 agree, 19 do not, 0 are undecided.")


# Settings
def test_what_is_trained_at_the_defaults():
    settings = DimensionSettings()
    sweeps = Dimension.sweeps(settings)
    assert [len(some) for some in settings.cases().values()] == [2 * 22, 4]
    assert len(sweeps) == 2 * 22 + 4
    tasks = {sweep.configs[0].task for sweep in sweeps}
    assert {"sum1", "sum8", "product2", "product5", "radial3", "teacher8"} <= tasks
    assert not {"product1", "product8"} & tasks
    for sweep in sweeps:
        for config in sweep.configs:
            assert config.lr_decay_every * 5 == config.steps
            assert config.points >= 5 * (config.width * (int(config.task[-1]) + 2))
    usual, late = sweeps[0].configs[0], sweeps[-1].configs[0]
    assert late.steps == LONGER * usual.steps
    assert (late.steps, late.lr_decay_every) == (ml.Config().steps, ml.Config().lr_decay_every)


def test_the_report_asks_for_no_more_than_its_scale():
    few = Dimension.plan(Scale(seeds=12, steps=300))
    assert (few.seeds, few.steps, few.widths) == (12, 300, DimensionSettings().widths)
    quick = Dimension.plan(QUICK)
    assert quick == DimensionSettings.quick()
    fast, small, full = (
        sum(c.width * c.points * c.steps for s in Dimension.sweeps(settings) for c in s.configs)
        for settings in (quick, few, DimensionSettings())
    )
    assert max(fast, small) < full / 10
    assert Dimension in BEYOND
    assert FIGURES["dimension"] is Dimension


# From a small store
SMALL = {
    "seeds": 10,
    "steps": 200,
    "widths": (2, 4, 8),
    "inputs": (1, 2),
    "activations": ("silu",),
    "families": ("sum", "teacher"),
    "checked": ("sum2",),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("dimension") / "runs"


@pytest.fixture(scope="module")
def small(folder):
    return Dimension.run(folder, **SMALL)


def test_a_small_study_is_whole(small, tmp_path):
    with style():
        small.draw().savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert len(small.curves) == 4
    assert len(small.longer) == 1
    assert len(small.verdicts()) == 6
    assert "200 Adam steps" in small.caption()
    assert "D = 1, 2" in small.design()
    assert "(120 to 160)" in small.design()
    assert small.tables()[0].to_csv().count("\n") == 1 + 3 * 5
    assert small.question.endswith("?")


def test_held_out_losses_are_of_points_that_nobody_was_trained_on(small, folder):
    case = ("silu", "teacher", 2)
    config = small.settings.sweep(case).configs[1]
    data = unseen_points("teacher2", HELD_OUT)
    nets = ml.open_store(folder).ensemble(config)
    assert not set(map(tuple, data.x)) & set(map(tuple, nets.data.x))
    expected = np.median(np.mean((nets.predict(data.x) - data.y) ** 2, axis=1))
    assert small.curves[case].held.value[1] == pytest.approx(expected, rel=1e-12)
    assert small.curves[case].seen.value[1] == pytest.approx(np.median(nets.loss), rel=1e-12, abs=0)


def test_missing_parts_are_named_and_the_rest_is_studied(small, folder):
    source = Source(ml.open_store(folder))
    more = DimensionSettings(**{**SMALL, "families": ("sum", "radial", "teacher")})
    study = Dimension(source, more)
    assert len(study.curves) == 4
    assert any("radial1" in note for note in source.missing)


def test_too_little_is_an_error_with_a_remedy(folder, small):
    with pytest.raises(ml.DataError, match="train"):
        Dimension(Source(ml.open_store(folder)), DimensionSettings(**{**SMALL, "steps": 201}))
    with pytest.raises(ml.ConfigError, match="'depth' is no setting"):
        Dimension.run(folder, depth=2)
