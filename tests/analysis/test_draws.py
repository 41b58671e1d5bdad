"""Statistics over draws of the data, differences of estimates, and distance moved: against planted
truths.
"""

import numpy as np
import pytest
from nets import random_nets
from scipy import stats

import minilotto as ml
from minilotto.analysis.landscape.starts import distance_moved
from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.differences import difference, ratio
from minilotto.analysis.stats.draws import (
    absorbed_parameters,
    exponent_over_draws,
    learnt_parameters,
    over_draws,
    typical_over_draws,
)
from minilotto.analysis.stats.ranks import rank_correlation
from minilotto.initialisation import Parameters, initial_parameters

NAN = float("nan")


def one_line(error, part):
    assert part in str(error.value)
    assert "\n" not in str(error.value)


# Draws
def test_the_mean_over_draws_has_students_interval():
    values = np.random.default_rng(0).normal(3, 2, 7)
    found, theirs = over_draws(values, 0.9), stats.ttest_1samp(values, 0).confidence_interval(0.9)
    np.testing.assert_allclose([found.low, found.high], theirs, rtol=1e-12)
    assert found.value == pytest.approx(values.mean(), rel=1e-12)
    assert over_draws([*values, NAN], 0.9) == found


def test_intervals_of_few_draws_hold_the_truth_as_often_as_they_say():
    """95 % of 2000: three standard deviations of that count are 1.5 %."""
    random = np.random.default_rng(1)
    found = [typical_over_draws(random.lognormal(-5, 1, 4)) for _ in range(2000)]
    assert abs(np.mean([one.low < np.exp(-5) < one.high for one in found]) - 0.95) < 0.015


def test_an_exponent_is_found_whatever_each_draw_multiplies():
    random = np.random.default_rng(2)
    x = np.array([10, 30, 100, 1000])
    factors = random.lognormal(0, 3, (6, 1))
    exact = exponent_over_draws(x, factors * x**-1.3)
    np.testing.assert_allclose([exact.value, exact.low, exact.high], 1.3, rtol=1e-12)
    noisy = exponent_over_draws(x, factors * x**-1.3 * random.lognormal(0, 0.2, (6, 4)))
    assert noisy.low < 1.3 < noisy.high
    assert 0.02 < noisy.high - noisy.low < 0.4


@pytest.mark.parametrize("coefficients", [3, 9])
def test_least_squares_learns_as_many_parameters_as_it_has(coefficients):
    """Polynomials on a grid: what noise adds to the loss on all points, and takes from the training
    loss, is chi-square.
    """
    random = np.random.default_rng(3)
    points, noise, draws = 400, 0.3, 200
    basis, _ = np.linalg.qr(
        np.polynomial.legendre.legvander(np.linspace(-1, 1, points), coefficients - 1)
    )
    labels = random.normal(0, noise, (draws, points))
    fitted = labels @ basis @ basis.T
    squares = np.mean(labels**2, axis=1)
    learnt = learnt_parameters(np.mean(fitted**2, axis=1) + 0.5, 0.5, noise, points)
    absorbed = absorbed_parameters(np.mean((labels - fitted) ** 2, axis=1), squares, noise, points)
    for found in (learnt, absorbed):
        assert abs(found.value - coefficients) < 4 * np.sqrt(2 * coefficients / draws)
        assert found.low < found.value < found.high
    np.testing.assert_allclose(learnt.value, absorbed.value, rtol=1e-9)


def test_a_net_through_every_point_absorbs_them_all():
    squares = np.array([0.09, 0.1, 0.11])
    assert absorbed_parameters(np.zeros(3), squares, np.sqrt(0.1), 50).value == pytest.approx(
        50, rel=1e-12
    )


@pytest.mark.parametrize(
    ("call", "kind", "part"),
    [
        (lambda: over_draws([1.0, NAN, 2.0]), ml.DataError, "2 draws of the data are too few"),
        (lambda: over_draws([1.0, 2.0, 3.0], 1.0), ml.ConfigError, "level=1.0"),
        (lambda: typical_over_draws([1.0, 0.0, 2.0]), ml.DataError, "zero or below"),
        (lambda: exponent_over_draws([1.0], np.ones((3, 1))), ml.DataError, "2 or more"),
        (lambda: exponent_over_draws([1.0, 1.0], np.ones((3, 2))), ml.DataError, "2 or more"),
        (lambda: exponent_over_draws([1.0, 2.0], np.ones((3, 3))), ml.DataError, "(3, 3)"),
        (lambda: exponent_over_draws([1.0, 0.0], np.ones((3, 2))), ml.DataError, "x=array([1., 0."),
        (lambda: learnt_parameters(np.ones(3), 0.0, 0.0, 10), ml.ConfigError, "noise=0.0"),
        (lambda: absorbed_parameters(np.ones(3), np.ones(3), 1.0, 0), ml.ConfigError, "points=0"),
    ],
)
def test_what_cannot_be_told_from_draws_is_refused_in_one_line(call, kind, part):
    with pytest.raises(kind) as error:
        call()
    one_line(error, part)


def test_a_draw_with_an_infinite_loss_is_left_out():
    x, losses = np.array([1.0, 2.0, 4.0]), np.ones((5, 3)) / [1.0, 2.0, 4.0]
    losses[1, 1], losses[3, 0] = np.inf, NAN
    assert exponent_over_draws(x, losses).value == pytest.approx(1.0, rel=1e-12)


def test_a_perfect_rank_correlation_lies_in_its_interval():
    for sign in (1.0, -1.0):
        found = rank_correlation(np.arange(1000.0), sign * np.arange(1000.0))
        assert found.value == pytest.approx(sign, rel=1e-12)
        assert found.low <= found.value <= found.high


# Differences
def test_a_difference_of_normal_estimates_is_the_usual_one():
    one, other = Estimate(3.0, 2.4, 3.6, 0.95), Estimate(1.0, 0.2, 1.8, 0.95)
    found = difference(one, other)
    np.testing.assert_allclose([found.value, found.low, found.high], [2.0, 1.0, 3.0], rtol=1e-12)
    back = difference(other, one)
    np.testing.assert_allclose([back.value, back.low, back.high], [-2.0, -3.0, -1.0], rtol=1e-12)


def test_differences_and_ratios_hold_the_truth_as_often_as_they_say():
    random = np.random.default_rng(4)

    def estimate(middle, spread):
        value = random.normal(middle, spread)
        return Estimate(value, value - 1.96 * spread, value + 1.96 * spread, 0.95)

    apart = [difference(estimate(2, 0.1), estimate(1, 0.3)) for _ in range(2000)]
    assert abs(np.mean([one.low < 1 < one.high for one in apart]) - 0.95) < 0.015
    logs = [(estimate(2, 0.1), estimate(1, 0.3)) for _ in range(2000)]
    made = [[Estimate(*np.exp([e.value, e.low, e.high]), 0.95) for e in pair] for pair in logs]
    assert (
        abs(np.mean([one.low < np.e < one.high for one in (ratio(*pair) for pair in made)]) - 0.95)
        < 0.015
    )


def test_what_has_no_difference_or_ratio_is_refused():
    one = Estimate(1.0, 0.5, 2.0, 0.95)
    with pytest.raises(ml.ConfigError) as error:
        difference(one, Estimate(1.0, 0.5, 2.0, 0.9))
    one_line(error, "0.95 and 0.9 differ")
    with pytest.raises(ml.DataError) as refused:
        ratio(one, Estimate(1.0, 0.0, 2.0, 0.95))
    one_line(refused, "above 0")


# Lazy or rich
def test_distance_is_that_of_all_numbers_of_a_net_and_of_w_and_b():
    random = np.random.default_rng(5)
    start, end = (random_nets(random, 4, 3, 2) for _ in range(2))
    found = distance_moved(start, end)
    for i in range(4):
        before, after = (
            np.concatenate([np.ravel(part[i]) for part in parts]) for parts in (start, end)
        )
        assert found[i] == pytest.approx(
            np.linalg.norm(after - before) / np.linalg.norm(before), rel=1e-12
        )


def test_training_moves_nets_and_a_large_output_makes_them_lazy():
    rich, lazy = (
        ml.train(ml.Config(width=10, steps=200, output_scale=scale), seeds=5)
        for scale in (0.1, 30.0)
    )
    moved = [
        distance_moved(initial_parameters(nets.config, 1, nets.seeds), nets.parameters)
        for nets in (rich, lazy)
    ]
    assert (moved[0] > 3 * moved[1]).all()
    still = initial_parameters(rich.config, 1, rich.seeds)
    assert distance_moved(still, still).tolist() == [0.0] * 5


def test_a_diverged_net_has_no_distance_and_other_shapes_are_refused():
    start = Parameters(*(np.ones(shape) for shape in ((2, 1, 1), (2, 1), (2, 1), (2,))))
    end = Parameters(start.w, start.b, start.v, np.array([NAN, 1.0]))
    np.testing.assert_array_equal(distance_moved(start, end), [NAN, 0.0])
    with pytest.raises(ml.DataError) as error:
        distance_moved(start, Parameters(*(part[:1] for part in start)))
    one_line(error, "same nets")
    with pytest.raises(ml.DataError) as nowhere:
        distance_moved(Parameters(*(0 * part for part in start)), start)
    one_line(nowhere, "at zero")
