"""Mirror pairs: the assignment against all permutations, and planted pairs under noise."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilotto as ml
from minilotto.analysis.tickets.tickets import DEAD, alive, neuron_spread, pair_neurons
from minilotto.data.dataset import given as dataset
from minilotto.engines.evaluate import losses
from minilotto.initialisation import Parameters

SILU = ml.ACTIVATIONS["silu"]
GRID = dataset(np.linspace(-2, 2, 100), np.linspace(-2, 2, 100) ** 2)
TICKET = Parameters(  # equation 2
    np.array([[[-0.83010483], [0.83010304]]]),
    np.array([[-1.16842330, -1.16842365]]),
    np.array([[5.68583536, 5.68586636]]),
    np.array([3.1539197]),
)


def cost(w, b, i, j):
    return (w[i] + w[j]) ** 2 + (b[i] - b[j]) ** 2


def cheapest(w, b):
    """Least total cost of pairing left with right, by trying everything."""
    short, long = sorted([np.flatnonzero(w < 0), np.flatnonzero(w > 0)], key=len)
    return min(
        sum(cost(w, b, i, j) for i, j in zip(short, chosen, strict=True))
        for chosen in permutations(long, len(short))
    )


def greedy(w, b):
    """The nearest two first, then the nearest two of the rest: what an assignment is meant to
    better.
    """
    left, right, total = list(np.flatnonzero(w < 0)), list(np.flatnonzero(w > 0)), 0.0
    while left and right:
        i, j = min(((i, j) for i in left for j in right), key=lambda pair: cost(w, b, *pair))
        total += cost(w, b, i, j)
        left.remove(i), right.remove(j)
    return total


def as_sets(pairing, net=0):
    return {tuple(pair) for pair in pairing.pairs[net].tolist() if pair[0] >= 0}


def planted(pairs, seed, noise=0.0, loners=0):
    """Pairs (w, b), (-w, b) at least 0.3 apart, with noise, in random order: w, b (N,), and the set
    of (left, right) positions.
    """
    random = np.random.default_rng(seed)
    places = random.permutation(
        [(w, b) for w in (0.5, 0.8, 1.1, 1.4) for b in (-1.2, -0.9, -0.6, -0.3, 0.0, 0.3)]
    )
    w = np.concatenate([-places[:pairs, 0], places[: pairs + loners, 0]]) + noise * random.uniform(
        -1, 1, 2 * pairs + loners
    )
    b = np.concatenate([places[:pairs, 1], places[: pairs + loners, 1]]) + noise * random.uniform(
        -1, 1, 2 * pairs + loners
    )
    order = random.permutation(len(w))
    where = np.argsort(order)
    return w[order], b[order], {(int(where[k]), int(where[pairs + k])) for k in range(pairs)}


# The assignment
@given(st.integers(0, 10**6), st.integers(1, 7))
def test_no_other_pairing_is_cheaper(seed, width):
    random = np.random.default_rng(seed)
    w, b = random.normal(size=width), random.normal(size=width)
    found = pair_neurons(w[None], b[None])
    total = sum(cost(w, b, i, j) for i, j in as_sets(found))
    assert total == pytest.approx(cheapest(w, b), rel=1e-12, abs=1e-15)
    for (i, j), distance in zip(found.pairs[0], found.distance[0], strict=True):
        if i >= 0:
            assert w[i] < 0 < w[j]
            assert distance == pytest.approx(np.sqrt(cost(w, b, i, j)), rel=1e-12)
        else:
            assert j == -1
            assert np.isnan(distance)
    used = found.pairs[0][found.pairs[0] >= 0]
    assert len(set(used)) == len(used) == 2 * found.count[0]
    np.testing.assert_array_equal(np.flatnonzero(~found.unpaired[0]), np.sort(used))
    assert (np.diff(found.distance[0, : found.count[0]]) >= 0).all()


def test_the_nearest_first_would_do_worse():
    w = np.array([-1.0, -1.0, 1.0, 1.0])
    b = np.array([0.0, 3.0, 2.0, 5.5])
    found = pair_neurons(w[None], b[None])
    assert as_sets(found) == {(0, 2), (1, 3)}
    assert np.sum(found.distance**2) == pytest.approx(10.25, rel=1e-12)
    assert greedy(w, b) == pytest.approx(31.25, rel=1e-12)


@given(st.integers(0, 10**6), st.integers(1, 16), st.integers(0, 4))
def test_planted_pairs_are_recovered_under_noise(seed, pairs, loners):
    # Noise moves a pair's two images by less than 0.1 from each other; those of different pairs
    # stay 0.2 apart, so that an exchange costs more. A loner can only displace a partner that lies
    # farther off than itself.
    w, b, truth = planted(pairs, seed, noise=0.1 / np.sqrt(8), loners=loners)
    found = pair_neurons(w[None], b[None])
    assert as_sets(found) == truth
    assert found.unpaired.sum() == loners
    assert (found.distance[0, :pairs] <= 0.1).all()


@given(st.integers(0, 10**6), st.integers(1, 12))
def test_the_order_of_the_neurons_does_not_matter(seed, width):
    random = np.random.default_rng(seed)
    w, b, order = random.normal(size=width), random.normal(size=width), random.permutation(width)
    once, again = pair_neurons(w[None], b[None]), pair_neurons(w[None, order], b[None, order])
    assert {(int(order[i]), int(order[j])) for i, j in as_sets(again)} == as_sets(once)
    assert (again.unpaired[0] == once.unpaired[0, order]).all()
    np.testing.assert_array_equal(again.distance, once.distance)
    mirrored = pair_neurons(-w[None], b[None])
    assert {(j, i) for i, j in as_sets(mirrored)} == as_sets(once)


def test_each_net_is_paired_by_itself():
    random = np.random.default_rng(1)
    w, b = random.normal(size=(9, 7, 1)), random.normal(size=(9, 7))
    together = pair_neurons(w, b)
    assert len(together) == 9
    for net in range(9):
        alone = pair_neurons(w[net : net + 1, :, 0], b[net : net + 1])
        np.testing.assert_array_equal(alone.pairs[0], together.pairs[net])
        np.testing.assert_array_equal(alone.unpaired[0], together.unpaired[net])


# Widths and neurons that make trouble
def test_sides_of_different_size_leave_the_farthest():
    found = pair_neurons([[-1.0, 1.0, 1.1, 0.9, 3.0]], [[0.0, 0.0, 0.0, 0.0, 0.0]])
    assert as_sets(found) == {(0, 1)}
    assert found.unpaired[0].tolist() == [False, False, True, True, True]
    assert found.pairs.shape == (1, 2, 2)


@pytest.mark.parametrize("w", [[0.5], [-0.5], [0.0], [1.0, 2.0, 3.0], [0.0, 0.0]])
def test_nets_without_a_second_side_have_no_pair(w):
    found = pair_neurons([w], [np.zeros(len(w))])
    assert found.count.tolist() == [0]
    assert found.pairs.shape == (1, len(w) // 2, 2)
    assert (found.pairs == -1).all()
    assert found.unpaired[0].tolist() == [value != 0 for value in w]


def test_neurons_without_slope_are_flat_whatever_the_sign_of_zero():
    found = pair_neurons([[0.0, -0.0, 1.0, -1.0]], [[1.0, 1.0, 2.0, 2.0]])
    assert as_sets(found) == {(3, 2)}
    assert not found.unpaired.any()


def test_nets_that_are_not_finite_are_told_and_harm_no_other():
    w, b = (
        np.array([[1.0, -1.0], [np.nan, -1.0], [1.0, -1.0]]),
        np.array([[0.0, 0.0], [0.0, 0.0], [np.inf, 0.0]]),
    )
    found = pair_neurons(w, b)
    assert found.count.tolist() == [1, 0, 0]
    assert not found.unpaired.any()


def test_neurons_that_are_left_out_are_nobodys_partners():
    w, b = [[-1.0, 1.0, 1.2]], [[0.0, 0.0, 0.0]]
    found = pair_neurons(w, b, among=np.array([[True, False, True]]))
    assert as_sets(found) == {(0, 2)}
    assert not found.unpaired.any()


def test_many_neurons_at_one_place():
    found = pair_neurons([[-1.0] * 5 + [1.0] * 5], np.zeros((1, 10)))
    assert found.count[0] == 5
    assert (found.distance == 0).all()


@pytest.mark.parametrize(
    ("w", "b", "among"),
    [
        (np.ones((2, 3, 2)), np.ones((2, 3)), None),
        (np.ones(3), np.ones(3), None),
        (np.ones((2, 3)), np.ones((2, 4)), None),
        (np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3))),
        (np.ones((2, 3)), np.ones((2, 3)), np.ones(3, bool)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(w, b, among):
    with pytest.raises(ml.DataError, match=r"do not match|pass one truth value"):
        pair_neurons(w, b, among)


# What a pair is worth
def test_the_papers_ticket():
    np.testing.assert_allclose(losses(SILU, TICKET, GRID), 7.790e-6, rtol=1e-4)
    pairing = pair_neurons(TICKET.w, TICKET.b)
    assert pairing.pairs.tolist() == [[[0, 1]]]
    np.testing.assert_allclose(
        pairing.distance, np.hypot(0.83010483 - 0.83010304, 1.16842365 - 1.16842330), rtol=1e-8
    )


def test_dead_neurons():
    w = np.array([[1.0, 1e-9, 0.0, 1.0, 1.0]])[..., None]
    b = np.array([[0.0, 1.0, 1.0, 0.0, -60.0]])
    v = np.array([[1.0, 1.0, 1.0, 1e-8, 1.0]])
    nets = Parameters(
        np.concatenate([w, w + np.nan]), np.tile(b, (2, 1)), np.tile(v, (2, 1)), np.zeros(2)
    )
    spread = neuron_spread(SILU, nets, GRID)
    np.testing.assert_allclose(
        spread[0, 0], np.std(SILU.value(GRID.x[:, 0])) / np.std(GRID.y), rtol=1e-13
    )
    assert ((spread[0] >= DEAD) == [True, False, False, False, False]).all()
    assert np.isnan(spread[1]).all()
    assert alive(SILU, nets, GRID).tolist() == [[True, False, False, False, False], [False] * 5]


def test_trained_tickets_are_pairs():
    nets = ml.train(ml.Config(width=2), seeds=200)
    pairing = pair_neurons(nets.w, nets.b, alive(nets.activation, nets.parameters, nets.data))
    tickets = (
        nets.loss < 1.3e-5
    )  # from 1.4e-5 there are nets of two unequal neurons, steep and flat, as in no ticket
    assert 20 < tickets.sum() < 80
    assert (pairing.count[tickets] == 1).all()
    assert (pairing.distance[tickets] < 0.01).all()
    others = (nets.loss > 1.3e-5) & (nets.loss < 5e-5)
    assert others.any()
    assert (pairing.distance[others] > 1).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ml.DataError, match="constant"):
        alive(SILU, TICKET, dataset(GRID.x, np.ones(100)))
    with pytest.raises(ml.DataError, match="one input"):
        alive(SILU, TICKET, dataset(np.ones((4, 2)), np.arange(4.0)))
    with pytest.raises(ml.DataError, match="data of 1 inputs"):
        alive(SILU, TICKET._replace(w=np.ones((1, 2, 2))), GRID)
