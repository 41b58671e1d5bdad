"""Where a loss saturates, and how much two exponents differ: planted curves, coverage, and an
oracle by plain loops.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilotto.analysis.stats.bootstrap import Estimate, points
from minilotto.analysis.stats.budgets import exponent_change
from minilotto.analysis.stats.differences import difference
from minilotto.analysis.stats.saturation import LEAST_SPAN, saturation
from minilotto.errors import ConfigError, DataError

BUDGETS = np.array([1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6])


def found(curve, scatter=0.01, seeds=40, random=0):
    """Points of losses lognormal about a curve, each budget with draws of its own."""
    draws = np.random.default_rng(random).normal(size=(len(BUDGETS), seeds))
    return points(BUDGETS, list(np.asarray(curve)[:, None] * np.exp(scatter * draws)))


@pytest.mark.parametrize("knee", [1e3, 1e4, 1e5, 3e5])
def test_a_planted_knee_is_found(knee):
    """A loss that falls as 1/T up to a budget and is constant from there on."""
    end = saturation(found(1 / np.minimum(BUDGETS, knee)))
    assert end.budget.value == knee
    assert (end.budget.low, end.budget.high, end.gaining) == (knee, knee, 0.0)
    flat = BUDGETS[: len(end.exponent)] >= knee
    assert np.abs(end.exponent[flat]).max() < 0.02
    assert (end.exponent[~flat] > end.slow).all()


def test_what_falls_to_the_end_has_not_saturated_and_what_rises_has():
    falling, rising = saturation(found(BUDGETS**-0.5)), saturation(found(BUDGETS**0.3))
    assert np.isinf([falling.budget.value, falling.budget.low, falling.budget.high]).all()
    assert falling.gaining == 1.0
    np.testing.assert_allclose(falling.exponent, 0.5, atol=0.03)
    assert (rising.budget.value, rising.gaining) == (BUDGETS[0], 0.0)


def test_a_late_fall_is_not_hidden_by_a_plateau_before_it():
    curve = np.array([1, 1, 1, 1, 1, 0.3, 0.1])
    assert np.isinf(saturation(found(curve)).budget.value)


@pytest.mark.parametrize(("gain", "knee"), [(1.2, np.inf), (2.0, 1e3)])
def test_the_gain_that_counts_is_the_callers(gain, knee):
    """Ten times the steps divide the loss by 1.5 throughout."""
    assert saturation(found(BUDGETS ** -np.log10(1.5)), gain).budget.value == knee


def test_an_undecided_curve_has_a_wide_interval():
    """Slopes at the limit, seeds scattered: some replicates saturate early, some not at all."""
    end = saturation(found(BUDGETS ** -np.log10(1.5), scatter=0.5, seeds=20))
    assert end.budget.low < end.budget.high
    assert 0.02 < end.gaining < 0.98


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=6))
def test_the_definition_by_plain_loops(slopes):
    logs = np.concatenate([[0.0], np.cumsum(-np.array(slopes) * np.diff(np.log(BUDGETS)))])
    one = found(np.exp(logs))
    answer = np.inf
    for i in reversed(range(len(BUDGETS))):
        if BUDGETS[i] * LEAST_SPAN > BUDGETS[-1] * (1 + 1e-9):
            continue
        if np.log10(one.value[i] / one.value[-1]) / np.log10(BUDGETS[-1] / BUDGETS[i]) > np.log10(
            1.5
        ):
            break
        answer = BUDGETS[i]
    assert saturation(one).budget.value == answer


def test_what_cannot_be_asked():
    one = found(1 / BUDGETS)
    with pytest.raises(ConfigError, match="gain=1"):
        saturation(one, 1.0)
    with pytest.raises(DataError, match="span less than a factor of 3"):
        saturation(one.select([0]))


def test_differences_of_normal_estimates_are_exact():
    """Where both are normal the interval is d +- 1.96 sqrt(s^2 + t^2)."""
    s, t, z = 0.3, 0.4, 1.959964
    gap = difference(
        Estimate(2.0, 2.0 - z * s, 2.0 + z * s, 0.95), Estimate(1.0, 1.0 - z * t, 1.0 + z * t, 0.95)
    )
    np.testing.assert_allclose(
        (gap.value, gap.low, gap.high), (1.0, 1.0 - z * 0.5, 1.0 + z * 0.5), rtol=1e-12
    )


def test_differences_of_skew_estimates_cover():
    """Rates of exponential times have skew intervals; nine tenths of the differences' intervals
    hold the truth.
    """
    from scipy.stats import gamma

    random, trials, inside = np.random.default_rng(4), 1500, 0
    means = random.gamma(8, 1 / 8, (trials, 2)) * (3.0, 1.0)
    low, high = 8 / gamma.ppf((0.95, 0.05), 8)
    for one, other in means:
        gap = difference(
            Estimate(one, low * one, high * one, 0.9),
            Estimate(other, low * other, high * other, 0.9),
        )
        inside += gap.low <= 2.0 <= gap.high
    assert abs(inside / trials - 0.9) < 4 * np.sqrt(0.09 / trials)


def test_levels_must_agree():
    with pytest.raises(ConfigError, match="levels"):
        difference(Estimate(1, 0, 2, 0.9), Estimate(1, 0, 2, 0.95))


@pytest.mark.parametrize(("count", "scatter"), [(3, 0.0), (6, 0.0), (3, 0.5), (6, 0.5)])
def test_intervals_of_a_change_of_exponent_hold_it(count, scatter):
    """90 percent where widths scatter, more where they do not; resampled alike or not."""
    widths, trials, held = np.geomspace(10, 50, count), 150, 0
    for trial in range(trials):
        random = np.random.default_rng((count, trial))
        one, other = (
            points(
                widths,
                [
                    loss * np.exp(scatter * random.normal() + 0.7 * random.normal(size=60))
                    for loss in widths**-exponent
                ],
                resamples=200,
            )
            for exponent in (2.0, 1.0)
        )
        change = exponent_change(one, other, 10, 50)
        held += change.low <= 1 <= change.high
    error = 3 * np.sqrt(0.9 * 0.1 / trials)
    assert held / trials > 0.9 - error
    assert scatter == 0 or held / trials < 0.9 + error
    assert exponent_change(one, other, 10, 11) is None
