"""What analyses cannot use is refused in one line, or counts as diverged, and never in silence."""

import numpy as np
import pytest

import minilotto as ml
from minilotto.analysis.ensembling.averages import averages
from minilotto.analysis.ensembling.decomposition import as_points, decompose, over_noise
from minilotto.analysis.ensembling.ensembling import cosines
from minilotto.analysis.ensembling.logits import error_rate, misses
from minilotto.analysis.ensembling.pairs import compare, drawn_pairs
from minilotto.analysis.ensembling.synergy import synergy
from minilotto.analysis.landscape.curvature import curvature
from minilotto.analysis.landscape.polish import polish
from minilotto.analysis.landscape.pruning import at_random, by_size, refit_kept
from minilotto.analysis.landscape.starts import distance_moved
from minilotto.analysis.stats.bootstrap import Estimate, median_interval, points
from minilotto.analysis.stats.draws import learnt_parameters
from minilotto.analysis.stats.estimates import estimates, share
from minilotto.analysis.stats.exponents import exponent_change
from minilotto.analysis.stats.modality import normality, spread
from minilotto.analysis.stats.rates import compare_rules, line_in_one_over_inputs, predicted
from minilotto.analysis.stats.stretches import longest_stretch
from minilotto.analysis.tickets.algorithms import algorithms
from minilotto.analysis.tickets.disentangling import Disentangled, disentangle
from minilotto.analysis.tickets.error_shapes import error_shapes
from minilotto.analysis.tickets.parameter_plane import plane_clusters, principal_components
from minilotto.analysis.tickets.subtasks import neurons_of_inputs
from minilotto.analysis.tickets.taylor import ticket_taylor
from minilotto.analysis.tickets.valley import valley
from minilotto.data.dataset import given
from minilotto.errors import ConfigError, DataError

LOSSES = np.geomspace(1.0, 4.0, 51)
THREE = points([1, 2, 4], [LOSSES, LOSSES / 2, LOSSES / 4])
X = np.linspace(-2.0, 2.0, 20)
DATA, WEIGHT = given(X, X**2), np.full(20, 0.05)
ERRORS = np.random.default_rng(0).normal(size=(40, 20))
SILU = ml.ACTIVATIONS["silu"]
NONE = ml.Parameters(*(np.zeros(shape) for shape in ((0, 2, 1), (0, 2), (0, 2), (0,))))
NO_PAIRS = np.zeros((0, 1, 2), int)
TWO = ml.Parameters(*(np.ones(shape) for shape in ((2, 2, 1), (2, 2), (2, 2), (2,))))
PAIR = Disentangled(np.zeros((1, 1, 2), int), np.ones((1, 1)), ERRORS[:1, None, :4], WEIGHT[:4])


def exponents(*values):
    return [Estimate(value, value - 0.1, value + 0.1, 0.95) for value in values]


@pytest.mark.parametrize(
    "call",
    [
        lambda seed: points([1], [LOSSES], seed=seed),
        lambda seed: median_interval(LOSSES, seed=seed),
        lambda seed: spread([1], [LOSSES], seed=seed),
        lambda seed: normality(LOSSES, seed=seed),
        lambda seed: decompose(ERRORS, WEIGHT, seed=seed),
        lambda seed: averages(ERRORS, WEIGHT, (1, 2), seed=seed),
        lambda seed: compare(LOSSES, LOSSES, seed=seed),
        lambda seed: drawn_pairs(5, 4, seed=seed),
        lambda seed: at_random(2, 3, seed=seed),
    ],
)
@pytest.mark.parametrize("seed", [-1, 0.5, "a"])
def test_seeds_of_resamples_are_whole_numbers(call, seed):
    with pytest.raises(ConfigError, match=r"seed=.* is out of range; give a whole number"):
        call(seed)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: median_interval(LOSSES, resamples=0), "resamples=0"),
        (lambda: share(11, 10), "count=11"),
        (lambda: share(-1, 10), "count=-1"),
        (lambda: share(1, 10, 95), "level=95"),
        (lambda: share(1, 10, method="bayes"), "method='bayes'"),
        (lambda: drawn_pairs(5, 2.5), "draws=2.5"),
        (lambda: line_in_one_over_inputs([1, 2, 4], exponents(4, 2, 1), 95), "level=95"),
        (lambda: predicted("4/D", 0), "inputs=0"),
        (lambda: longest_stretch(THREE, factor="a"), "factor='a'"),
        (lambda: learnt_parameters([3.0, 2.0, 1.0], 0.0, "a", 100), "noise='a'"),
        (lambda: averages(ERRORS, WEIGHT, None), "sizes=None"),
        (lambda: valley(SILU, [np.inf], DATA, -1.0), "numbers above 0"),
        (lambda: valley(SILU, [1.0], DATA, np.nan), "bias=nan"),
        (
            lambda: exponent_change(THREE, points([1, 2, 4], [LOSSES] * 3, resamples=100), 1, 4),
            "cannot be compared",
        ),
        (
            lambda: exponent_change(THREE, points([1, 2, 4], [LOSSES] * 3, level=0.5), 1, 4),
            "cannot be compared",
        ),
    ],
)
def test_settings_out_of_range(call, words):
    with pytest.raises(ConfigError, match=words):
        call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: points([], []), "give each width once"),
        (lambda: spread([], []), "give each width once"),
        (lambda: as_points([1, 1], [decompose(ERRORS, WEIGHT)] * 2, "loss"), "each width once"),
        (lambda: as_points([-1], [decompose(ERRORS, WEIGHT)], "loss"), "numbers above 0"),
        (lambda: estimates(points([1.5, 1.7], [LOSSES] * 2)), "no whole numbers"),
        (lambda: compare_rules([0, 2, 4], exponents(4, 2, 1)), "above 0"),
        (lambda: compare_rules([1, 2, 4], exponents(4, 2, np.inf)), "finite"),
        (lambda: cosines(ERRORS, WEIGHT, [[0, 40]]), "positions among 40 nets"),
        (lambda: cosines(ERRORS, WEIGHT, [[0, -1]]), "positions among 40 nets"),
        (lambda: cosines(ERRORS, WEIGHT, [[0.2, 1.7]]), "positions among 40 nets"),
        (lambda: cosines(ERRORS, WEIGHT, [0, 1]), "positions among 40 nets"),
        (lambda: cosines(ERRORS, WEIGHT, [[0, 1, 2]]), "positions among 40 nets"),
        (lambda: over_noise(ERRORS, WEIGHT), r"give \(J, R, P\)"),
        (lambda: over_noise([ERRORS], WEIGHT[:9]), "do not match"),
        (lambda: misses([1.0, 2.0], [0.0, 1.0, 1.0]), "do not match"),
        (lambda: misses([1.0, 2.0], [0.0, 3.0]), "other labels"),
        (lambda: curvature(SILU, NONE, DATA), "there is no net"),
        (lambda: polish(SILU, NONE, DATA), "there is no net"),
        (lambda: by_size(SILU, NONE, DATA), "there is no net"),
        (lambda: disentangle(SILU, NONE, NO_PAIRS, DATA), "there is no net"),
        (lambda: ml.pack(NONE), "at least one net"),
        (lambda: error_shapes(PAIR, X[:4]), "4 points hold no polynomial of degree 4"),
        (lambda: algorithms(SILU, TWO, DATA, [1.0, 2.0, 3.0]), "do not match; give one loss a net"),
        (lambda: plane_clusters(TWO, [True]), "do not match; give one truth value a net"),
        (lambda: plane_clusters(TWO, [1, 0]), "do not match; give one truth value a net"),
        (lambda: refit_kept(SILU, TWO, [[0, 1], [1]], 1, DATA), "order is no array"),
        (lambda: algorithms(SILU, TWO._replace(w=np.ones(2)), DATA), "do not match; give"),
        (lambda: principal_components(TWO._replace(c=np.ones(3))), "do not match; give"),
        (lambda: principal_components(TWO._replace(w=np.ones((2, 1, 1)))), "do not match; give"),
        (lambda: principal_components(TWO._replace(b=TWO.b + 1j)), "pass real numbers"),
        (lambda: distance_moved(TWO, TWO._replace(v=TWO.v + 1j)), "pass real numbers"),
        (lambda: ticket_taylor(SILU, [1.0, 2.0], 1.0, [1.0, 2.0, 3.0]), "do not match; give"),
        (lambda: over_noise(np.zeros((2, 3, 0)), []), r"give \(J, R, P\)"),
    ],
)
def test_data_that_have_no_answer(call, words):
    with pytest.raises(DataError, match=words):
        call()


def test_nets_of_other_widths_than_half_and_whole_have_no_synergy():
    nets = ml.train(ml.Config(width=2, steps=10), seeds=10)
    with pytest.raises(DataError, match="widths 2 and 2 are not N / 2 and N"):
        synergy(nets, nets, resamples=100)


def test_a_net_that_diverged_has_no_error_rate():
    rates = error_rate([[np.nan, -1.0], [1.0, -1.0]], [1.0, 0.0], [0.5, 0.5])
    np.testing.assert_array_equal(rates, [np.nan, 0.0])


def test_a_net_that_diverged_counts_no_neurons():
    counts, alone = neurons_of_inputs([[[1.0, 2.0], [np.inf, 1.0]], [[1.0, 0.0], [0.0, 1.0]]])
    np.testing.assert_array_equal(counts, [[np.nan, np.nan], [1.0, 1.0]])
    np.testing.assert_array_equal(alone, [np.nan, 1.0])


def test_a_start_that_is_not_finite_is_named():
    one = ml.Parameters(*(np.ones(shape) for shape in ((1, 2, 1), (1, 2), (1, 2), (1,))))
    with pytest.raises(DataError, match="or not finite"):
        distance_moved(one._replace(c=np.array([np.nan])), one)


@pytest.mark.parametrize("nets", [7, 20])
def test_nets_come_about_equally_often(nets):
    for draws in range(1, nets * (nets - 1) // 2 + 1):
        counts = np.bincount(drawn_pairs(nets, draws).ravel(), minlength=nets)
        assert np.ptp(counts) <= 2


def test_zero_has_no_sign_in_any_format():
    assert f"{Estimate(-0.0, -0.1, 0.1, 0.9):.0e}" == "0e+00 (-1e-01 to 1e-01)"
