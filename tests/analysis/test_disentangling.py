"""How many tickets are independent: planted error functions and pairs."""

import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

from minilotto.analysis.stats.bootstrap import median_interval
from minilotto.analysis.tickets.apart import mean_estimate
from minilotto.analysis.tickets.disentangling import Disentangled, disentangle
from minilotto.analysis.tickets.tickets import pair_neurons
from minilotto.data.dataset import given
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import ACTIVATIONS

SILU = ACTIVATIONS["silu"]
X = np.linspace(-2, 2, 100)
SQUARE = given(X, X**2)
WEIGHT = SQUARE.weight


def orthogonal(seed, count):
    """Rows (count, P) that are orthogonal under the weights, of unit mean square."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(100, count)))
    return q.T * 10


def ranks(errors):
    """Of pairs that all count."""
    places = np.zeros((*errors.shape[:2], 2), np.intp)
    return Disentangled(places, np.ones(errors.shape[:2]), errors, WEIGHT).ranks()


@settings(max_examples=30, deadline=None)
@hypothesis_given(
    seed=st.integers(0, 99),
    directions=st.integers(1, 6),
    copies=st.integers(1, 5),
    sign=st.sampled_from([1.0, -1.0, -3.0]),
)
def test_copies_of_orthogonal_tickets_count_once_in_every_way(seed, directions, copies, sign):
    base = orthogonal(seed, directions)
    errors = np.concatenate([base] + [sign * base] * (copies - 1))[
        np.random.default_rng(seed).permutation(directions * copies)
    ]
    found = ranks(errors[None])
    for name in ("participation", "entropy", "numerical", "groups"):
        assert getattr(found, name)[0] == pytest.approx(directions, rel=1e-9), name


def test_the_four_ways_differ_as_defined_on_uneven_copies():
    base = orthogonal(0, 2)
    errors = np.concatenate([np.repeat(base[:1], 99, axis=0), base[1:]])[None]
    found = ranks(errors)
    p = np.array([0.99, 0.01])
    assert found.participation[0] == pytest.approx(1 / np.sum(p**2), rel=1e-12)
    assert found.entropy[0] == pytest.approx(np.exp(-np.sum(p * np.log(p))), rel=1e-12)
    assert found.numerical[0] in (1, 2)  # exactly on the edge
    assert found.groups[0] == 2


def test_noise_adds_what_its_size_says():
    rng = np.random.default_rng(1)
    noise = 0.02 * rng.normal(size=(20, 30, 100))
    errors = np.repeat(orthogonal(2, 3), 10, axis=0) + noise
    found = ranks(errors)
    np.testing.assert_allclose(found.participation, 3.0, rtol=0.01)
    assert (found.numerical == 3).all()
    assert (found.groups == 3).all()


def test_more_tickets_than_points_give_the_same_eigenvalues():
    errors = np.random.default_rng(3).normal(size=(1, 150, 100))
    found = ranks(errors)
    unit = errors[0] / np.linalg.norm(errors[0], axis=1, keepdims=True)
    values = np.linalg.eigvalsh(unit @ unit.T)
    assert found.participation[0] == pytest.approx(values.sum() ** 2 / np.sum(values**2), rel=1e-12)


def test_nets_without_pairs_have_no_rank():
    found = ranks(np.empty((2, 0, len(WEIGHT))))
    assert found.participation.tolist() == found.entropy.tolist() == [0.0, 0.0]
    assert found.numerical.tolist() == found.groups.tolist() == [0, 0]


def planted():
    """One net of three mirror pairs, a dead pair and a neuron that is good by itself."""
    w = np.array([0.8, -0.8, 0.5, -0.5, 0.3, -0.3, 0.0, 0.0, 0.05])
    b = np.array([-1.1, -1.1, -1.0, -1.0, 0.2, 0.2, 0.4, 0.4, -1.278])
    v = np.array([5.0, 5.0, 3.0, 3.0, 2.0, 2.0, 1.0, 1.0, 1.0])
    nets = Parameters(np.stack([w, w])[:, :, None], np.stack([b, b]), np.stack([v, v]), np.zeros(2))
    nets.b[1, 0] = np.nan
    return nets, np.array([[[0, 1], [2, 3], [4, 5], [6, 7], [8, -1]]] * 2)


@pytest.mark.parametrize("predictor", ["span", "output"])
def test_good_dead_and_single_neurons_are_told_apart(predictor):
    nets, pairs = planted()
    found = disentangle(SILU, nets, pairs, SQUARE, predictor)
    assert (found.r2[0, :3] > 0.999).all()
    assert found.r2[0, 3] == 0
    assert found.r2[0, 4] > 0.99
    np.testing.assert_allclose(found.errors[0, 3], X.var() - X**2 + X.mean() ** 2, atol=1e-12)
    assert found.incomplete.tolist() == [[False] * 4 + [True]] * 2
    assert found.useful()[0].tolist() == [True] * 3 + [False] * 2
    assert found.useless_share()[0] == 0.25
    assert np.isnan(found.useless_share()[1])
    assert found.ranks().participation[1] == 0
    correlation = found.correlation(0)
    np.testing.assert_allclose(correlation, np.corrcoef(found.errors[0]), atol=1e-6)
    # Mirror pairs that are good all err as the quartic term does.
    assert (np.abs(correlation[:3, :3]) > 0.9).all()
    assert found.ranks().groups[0] == 1
    assert found.ranks().participation[0] == pytest.approx(1.0, abs=0.1)


def test_the_pairs_of_a_shuffled_net_are_the_planted_ones():
    nets, pairs = planted()
    order = np.random.default_rng(6).permutation(9)
    shuffled = Parameters(*(part[:1, order] for part in nets[:3]), nets.c[:1])
    found = pair_neurons(shuffled.w, shuffled.b)
    result = disentangle(SILU, shuffled, found.pairs, SQUARE)
    direct = disentangle(SILU, Parameters(*(part[:1] for part in nets)), pairs[:1, :3], SQUARE)
    assert found.count.tolist() == [3]
    np.testing.assert_allclose(np.sort(result.r2[0, :3]), np.sort(direct.r2[0]), rtol=1e-12)
    assert result.incomplete[0].tolist() == [False] * 3 + [True]
    assert result.useless_share()[0] == 0


def test_a_target_in_the_span_of_a_pair_has_no_error():
    nets, pairs = planted()
    y = SILU.value(np.multiply.outer(X, nets.w[0, :2, 0]) + nets.b[0, :2]) @ [3.0, -1.0] + 2.0
    found = disentangle(SILU, nets, pairs, given(X, y))
    assert found.r2[0, 0] == pytest.approx(1.0, abs=1e-14)
    assert np.abs(found.errors[0, 0]).max() < 1e-12


def test_intervals_hold_the_median():
    rng = np.random.default_rng(5)
    inside = [
        found.low <= 0.0 <= found.high
        for found in (
            median_interval(rng.normal(size=60), resamples=400, seed=k) for k in range(200)
        )
    ]
    # 95% wanted; 200 trials have a standard deviation of 1.5%, and a percentile interval of 60
    # values covers a little less.
    assert np.mean(inside) > 0.88
    with_nan = median_interval(np.array([1.0, np.nan, 3.0, 2.0, 4.0, 5.0]))
    assert (with_nan.value, with_nan.low, with_nan.high) == (3.0, 1.0, 5.0)
    with pytest.raises(DataError, match="none of 2 values"):
        median_interval(np.full(2, np.nan))


def test_few_nets_have_no_interval():
    """All of 4 values lie on one side of the median in one case of 8, of 5 in one of 16."""
    values = np.array([1.0, 2.0, 4.0, 7.0, 9.0])
    for count in range(1, 5):
        found = median_interval(values[:count])
        assert (found.low, found.value, found.high) == (-np.inf, np.median(values[:count]), np.inf)
    assert median_interval(values).low == 1.0
    for count, whole in ((1, False), (2, False), (3, True)):
        assert np.isfinite(mean_estimate(values[:count]).low) == whole
