"""Rules for exponents in D inputs, the line in 1/D, and ranges of widths with one exponent: planted
truths come back.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilotto.analysis.stats.bootstrap import Estimate, points
from minilotto.analysis.stats.rates import (
    INSIDE,
    OPEN,
    OUTSIDE,
    RULES,
    compare_rules,
    line_in_one_over_inputs,
    place,
    predicted,
    telling,
)
from minilotto.analysis.stats.stretches import longest_stretch, running_exponents
from minilotto.errors import ConfigError, DataError

INPUTS = np.array([1, 2, 3, 4, 5, 8] * 3, dtype=float)
WIDTHS = np.array([3, 5, 8, 12, 20, 32, 50], dtype=float)


def estimates(values, half=0.1):
    return [Estimate(float(v), float(v) - half, float(v) + half, 0.95) for v in values]


# Rules
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(5))
def test_the_rule_that_made_the_exponents_has_the_evidence(rule, seed):
    noise = np.random.default_rng(seed).normal(0, 0.1 / 1.96, len(INPUTS))
    rows = compare_rules(INPUTS, estimates(RULES[rule](INPUTS) + noise))
    best = max(rows, key=lambda row: row.weight)
    assert best.rule == rule
    assert best.weight > 0.99
    assert best.misfit < 0.1
    assert best.miss == pytest.approx(0.1 / 1.96, rel=0.5)
    assert sum(row.weight for row in rows) == pytest.approx(1, rel=1e-12)
    assert all(row.miss > 3 * best.miss for row in rows if row is not best)


def test_a_misfit_is_found_beside_the_errors():
    """Misses of 0.5 with errors of 0.05: tau is the deviation of the misses, less the errors, to a
    step of the scan.
    """
    noise = np.random.default_rng(3).normal(0, 0.5, 400)
    inputs = np.full(400, 2.0)
    (row,) = [row for row in compare_rules(inputs, estimates(2 + noise, 0.1)) if row.rule == "4/D"]
    assert row.misfit == pytest.approx(np.sqrt(np.mean(noise**2) - (0.1 / 1.96) ** 2), rel=0.1)
    assert row.miss == pytest.approx(np.sqrt(np.mean(noise**2)), rel=1e-12)


def test_rules_that_say_the_same_share_the_evidence():
    four, _, one = compare_rules([4, 4, 4], estimates([1.0, 1.1, 0.9]))
    assert four.weight == pytest.approx(one.weight, rel=1e-12)


@given(st.floats(0.1, 9), st.floats(0.01, 2), st.floats(0.1, 9))
def test_places_are_what_intervals_say(value, half, claimed):
    found = place(Estimate(value, value - half, value + half, 0.95), claimed)
    ends = np.array([value - half, value + half])
    inside = (ends >= claimed * 0.75) & (ends <= claimed / 0.75)
    assert (found == INSIDE) == bool(inside.all())
    beyond = ends[1] < claimed * 0.75 or ends[0] > claimed / 0.75
    assert (found == OUTSIDE) == beyond
    assert (found == OPEN) == (not beyond and not inside.all())


def test_rules_meet_where_they_say_the_same():
    assert not telling(4, "4/D", "1")
    assert not telling(1, "4/D", "1 + 3/D")
    assert telling(8, "4/D", "1 + 3/D")
    assert telling(1, "4/D", "1")
    assert [predicted(rule, 2) for rule in RULES] == [2.0, 2.5, 1.0]


# The line in 1/D
@given(st.floats(-2, 2), st.floats(-4, 4))
def test_a_line_comes_back(offset, slope):
    found = line_in_one_over_inputs(INPUTS, estimates(offset + slope / INPUTS))
    assert found.offset.value == pytest.approx(offset, abs=1e-9)
    assert found.slope.value == pytest.approx(slope, abs=1e-9)


def test_intervals_of_the_line_cover_as_often_as_they_say():
    random = np.random.default_rng(5)
    hits = 0
    for _ in range(400):
        found = line_in_one_over_inputs(
            INPUTS[:6], estimates(1 + 3 / INPUTS[:6] + random.normal(0, 0.3, 6))
        )
        hits += found.slope.low < 3 < found.slope.high
    assert abs(hits / 400 - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 400)


@pytest.mark.parametrize(
    ("inputs", "values", "part"),
    [
        ([1, 2], [1, 2], "at least 3"),
        ([1, 2, 3], [1, 2], "do not match"),
        ([2, 2, 2], [1, 2, 3], "two numbers of inputs"),
    ],
)
def test_too_few_exponents_are_refused(inputs, values, part):
    with pytest.raises(DataError, match=part):
        line_in_one_over_inputs(inputs, estimates(values))


def test_too_few_for_rules():
    with pytest.raises(DataError, match="at least 3"):
        compare_rules([1, 2], estimates([1, 2]))
    with pytest.raises(ConfigError, match="'2/D' is unknown"):
        predicted("2/D", 1)


# Ranges of widths
def made(losses, sigma=0.05, seeds=64, seed=0):
    random = np.random.default_rng(seed)
    return points(WIDTHS, [loss * random.lognormal(0, sigma, seeds) for loss in losses], level=0.95)


def broken(at, before, after):
    return np.where(at >= WIDTHS, (WIDTHS / at) ** -before, (WIDTHS / at) ** -after)


def test_running_exponents_are_slopes_of_lines():
    """Against numpy's polynomial fits of each three."""
    y = np.random.default_rng(1).normal(size=(4, 7))
    x = np.log(WIDTHS)
    expected = [[-np.polyfit(x[i : i + 3], row[i : i + 3], 1)[0] for i in range(5)] for row in y]
    np.testing.assert_allclose(running_exponents(x, y), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("losses", "low", "high", "share"),
    [
        (1 / WIDTHS, 3, 50, 1.0),
        (1 / WIDTHS**2, np.nan, np.nan, 0.0),
        (np.ones(7), np.nan, np.nan, 0.0),
        (broken(12, 3, 1), 12, 50, 1.0),
        (broken(12, 1, -0.5), 3, 12, 1.0),
    ],
    ids=["1/N", "steeper", "flat", "1/N late", "1/N early"],
)
def test_a_planted_range_is_found(losses, low, high, share):
    found = longest_stretch(made(losses, 0.02))
    np.testing.assert_array_equal([found.low, found.high], [low, high])
    assert found.share == pytest.approx(share, abs=0.02)
    assert found.possible == (share == 1)


def test_a_curve_that_passes_through_one_does_not_stay_there():
    """Its exponent falls from 3 to -1 over the widths, and is near 1 for less than a factor of
    four.
    """
    x = np.log(WIDTHS / 3)
    found = longest_stretch(made(np.exp(-3 * x + 4 / (2 * x[-1]) * x**2), 0.02))
    assert found.share < 0.05
    assert not found.possible
    assert found.reach < 4


def test_noise_makes_a_range_uncertain():
    found = longest_stretch(made(1 / WIDTHS, 1.0, seeds=16))
    assert found.share < 0.9
    assert found.possible


def test_what_is_there_is_seldom_ruled_out():
    """Five windows, each wrong with a chance of 0.05 at most, and one range of several that must
    survive: well below 0.25.
    """
    wrong = sum(
        not longest_stretch(made(1 / WIDTHS, 0.6, seeds=16, seed=seed)).possible
        for seed in range(60)
    )
    assert wrong <= 60 * 0.25


def test_a_range_of_another_exponent():
    found = longest_stretch(made(WIDTHS**-2.0, 0.02), exponent=2.0)
    assert (found.low, found.high, found.share) == (3, 50, 1.0)
    assert found.reach == pytest.approx(50 / 3, rel=1e-12)


@pytest.mark.parametrize(
    "change", [{"exponent": 0}, {"factor": 1}, {"span": 1}, {"factor": float("nan")}]
)
def test_settings_of_a_range_are_checked(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        longest_stretch(made(1 / WIDTHS), **change)


def test_two_widths_have_no_range():
    with pytest.raises(DataError, match="at least 3"):
        longest_stretch(made(1 / WIDTHS).select([0, 1]))
