"""How exponents differ, and losses at the best of several rates: planted curves and coverage."""

import numpy as np
import pytest

from minilotto.analysis.stats.bootstrap import Estimate, points
from minilotto.analysis.stats.differences import difference
from minilotto.analysis.stats.exponents import (
    exponent_change,
    exponent_over,
    geometric_mean,
    mean_ratio,
    over_widths,
    tuned,
)
from minilotto.errors import ConfigError, DataError

LOSSES = np.geomspace(1, 4, 51)


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


def planted(exponent, scale=1.0, scatter=0.02, random=0, widths=(10, 20, 30, 50)):
    draws = np.random.default_rng(random).normal(size=(len(widths), 40))
    losses = scale * np.array(widths, float)[:, None] ** -exponent * np.exp(scatter * draws)
    return points(widths, list(losses))


def test_a_planted_ratio_and_exponent_are_found():
    one, other = planted(1.0, 3.0), planted(1.0, 2.0, random=1)
    found = mean_ratio(one, other)
    assert found.low < 1.5 < found.high < 1.52
    assert mean_ratio(one, planted(1.0, widths=(11, 12))) is None
    assert exponent_over(planted(0.7), 10, 50).value == pytest.approx(0.7, abs=0.03)
    assert exponent_over(planted(0.7), 10, 20) is None


def test_the_best_rate_is_chosen_on_other_seeds():
    """Where all rates are alike the chosen losses are no lower than those of one rate, as they
    would be if the seeds chose that are judged; a planted best rate is found.
    """
    random, trials, excess = np.random.default_rng(5), 400, []
    for _ in range(trials):
        rows = {float(rate): random.normal(size=20) for rate in range(6)}
        excess.append(np.median(tuned(rows)[0]))
        best = min(rows, key=lambda rate: np.median(rows[rate]))
        assert np.median(rows[best]) < 0.2
    assert abs(np.mean(excess)) < 4 * np.std(excess) / np.sqrt(trials)
    rows[3.0] -= 5.0
    losses, rates = tuned(rows)
    assert rates == (3.0, 3.0)
    np.testing.assert_array_equal(losses, rows[3.0])


def test_what_diverged_is_never_best():
    rows = {0.1: [1.0, 1.0, 1.0, 1.0], 0.2: [np.nan, 0.5, np.nan, np.inf]}
    losses, rates = tuned(rows)
    assert rates == (0.1, 0.1)
    assert losses.tolist() == [1.0] * 4


@pytest.mark.parametrize("rows", [{}, {1: [1.0]}, {1: [1.0, 2.0], 2: [1.0]}, {1: [[1.0, 2.0]] * 2}])
def test_rates_that_cannot_be_compared(rows):
    with pytest.raises(DataError, match="cannot be compared; give"):
        tuned(rows)


def test_geometric_means_over_several_and_over_widths():
    random = np.random.default_rng(1)

    def made(widths, level):
        rows = [level / n * random.lognormal(sigma=0.1, size=40) for n in widths]
        return points(widths, rows, resamples=200)

    several = {3.0: made([10, 20, 40], 1.0), 1.0: made([20, 40, 80], 9.0)}
    middle = geometric_mean(list(several.values()))
    assert middle.widths.tolist() == [20, 40]
    np.testing.assert_allclose(middle.value, [3 / 20, 3 / 40], rtol=0.05)
    assert (middle.low < middle.value).all()
    assert (middle.value < middle.high).all()
    assert (middle.error < several[3.0].error[1:]).all()  # of two that are independent
    against = over_widths(several)
    assert against.widths.tolist() == [1, 3]
    np.testing.assert_allclose(against.value, np.array([9, 1]) / np.sqrt(800), rtol=0.05)
    assert against.seeds.tolist() == [80, 80]
    apart = [made([10], 1.0), made([20], 1.0)]
    assert geometric_mean(apart) is geometric_mean([]) is over_widths({}) is None


@pytest.mark.parametrize(
    ("chosen", "widths"),
    [
        ([], []),
        ([3, 0, 1, 3], [1, 2, 8]),
        (np.array([-1, 0]), [1, 16]),
        ([True] + [False] * 4, [1]),
    ],
)
def test_some_widths_are_in_order_and_each_there_once(chosen, widths):
    found = points([1, 2, 4, 8, 16], [LOSSES / width for width in (1, 2, 4, 8, 16)]).select(chosen)
    assert found.widths.tolist() == widths
    np.testing.assert_allclose(found.value * found.widths, np.full(len(widths), 2.0))
    assert found.replicates.shape == (1000, len(widths))


@pytest.mark.parametrize("chosen", [[True, False], [5], [0.5], "all", None])
def test_what_selects_no_widths_is_refused(chosen):
    found = points([1, 2, 4, 8, 16], [LOSSES] * 5)
    with pytest.raises(DataError, match=r"chosen=.* are none of 5 widths"):
        found.select(chosen)
