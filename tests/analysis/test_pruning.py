"""Orders in which neurons go: planted copies, sparse nets, brute force, shuffles."""

from functools import partial

import nets
import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

import minilotto as ml
from minilotto.analysis.landscape.pruning import (
    Merging,
    as_trained,
    at_random,
    by_elimination,
    by_merging,
    by_size,
    by_tickets,
    kept,
    refit_kept,
)
from minilotto.data.dataset import given, sampled
from minilotto.engines.evaluate import losses
from minilotto.ensemble.distillation import refit
from minilotto.initialisation import Parameters
from minilotto.settings.activations import ACTIVATIONS

SILU, TANH = ACTIVATIONS["silu"], ACTIVATIONS["tanh"]
SQUARE = sampled(ml.Config())
X = SQUARE.x[:, 0]
random_nets = partial(nets.random_nets, count=5, width=8, scale=2.0)


def with_copies(nets, times):
    """Each neuron `times` over, with its output weight in unequal parts."""
    parts = np.arange(1.0, times + 1) / np.arange(1.0, times + 1).sum()
    w, b = np.concatenate([nets.w] * times, axis=1), np.concatenate([nets.b] * times, axis=1)
    return Parameters(w, b, np.concatenate([part * nets.v for part in parts], axis=1), nets.c)


def ridge_loss(w, b, data, cut, activation=SILU):
    """The objective of elimination by the normal equations, for few well-conditioned neurons."""
    response = activation.value(w * data.x.T + b[:, None])
    centred = response - response.mean(axis=1, keepdims=True)
    u = centred / np.sqrt(np.mean(centred**2, axis=1, keepdims=True))
    y = data.y - data.y.mean()
    a = np.linalg.solve(u @ u.T / len(y) + cut**2 * np.eye(len(u)), u @ y / len(y))
    return np.mean((a @ u - y) ** 2) + cut**2 * a @ a


# Copies
@pytest.mark.parametrize("times", [2, 3])
def test_copies_go_first_and_nothing_is_lost(times):
    nets = random_nets(0, width=4)
    many = with_copies(nets, times)
    for order in (by_elimination(SILU, many, SQUARE), by_merging(SILU, many, SQUARE).order):
        assert (np.sort(kept(order, 4) % 4, axis=1) == np.arange(4)).all()
    merging = by_merging(SILU, many, SQUARE)
    trained = losses(SILU, nets, SQUARE)
    np.testing.assert_allclose(as_trained(SILU, many, merging, 4, SQUARE), trained, rtol=1e-9)
    assert (np.abs(as_trained(SILU, many, merging, 3, SQUARE) / trained - 1) > 1e-6).all()
    # Dropped by size without a fit, copies are missed.
    assert (
        np.abs(as_trained(SILU, many, by_size(SILU, many, SQUARE), 4, SQUARE) / trained - 1) > 1e-6
    ).all()
    best = refit_kept(SILU, nets, by_size(SILU, nets, SQUARE), 4, SQUARE).loss
    np.testing.assert_allclose(
        refit_kept(SILU, many, by_elimination(SILU, many, SQUARE), 4, SQUARE).loss, best, rtol=1e-6
    )


def test_mirror_images_of_an_odd_activation_merge_with_their_sign():
    w, b, v = (
        np.array([[[1.5], [-1.5], [0.7]]]),
        np.array([[0.4, -0.4, 0.1]]),
        np.array([[2.0, 0.5, 1.0]]),
    )
    nets = Parameters(w, b, v, np.zeros(1))
    merging = by_merging(TANH, nets, SQUARE)
    assert sorted([merging.order[0, 0], merging.into[0, 0]]) == [0, 1]
    assert merging.factor[0, 0] == pytest.approx(-1, rel=1e-12)
    np.testing.assert_allclose(
        as_trained(TANH, nets, merging, 2, SQUARE), losses(TANH, nets, SQUARE), rtol=1e-10
    )


def test_neurons_that_are_dead_or_constant_go_first():
    nets = random_nets(1, width=6)
    nets.v[:, 2] = 0.0
    nets.w[:, 4] = 0.0  # a constant, whatever its output weight
    nets.v[:, 4] = 50.0
    trained = losses(SILU, nets, SQUARE)
    size, merging = by_size(SILU, nets, SQUARE), by_merging(SILU, nets, SQUARE)
    for order in (size, merging.order):
        assert (np.sort(order[:, :2], axis=1) == [2, 4]).all()
    for order in (size, merging):
        np.testing.assert_allclose(as_trained(SILU, nets, order, 4, SQUARE), trained, rtol=1e-10)
    assert (
        by_elimination(SILU, nets, SQUARE)[:, 0] == 4
    ).all()  # the other one may be of use with another weight


# Sparse truths
@settings(max_examples=15)
@hypothesis_given(st.integers(0, 200), st.integers(1, 3))
def test_an_exact_sparse_solution_is_found(seed, planted):
    """The target is made of some of a net's neurons; elimination keeps these."""
    random = np.random.default_rng(seed)
    w, b = np.linspace(0.3, 3, 8)[None, :, None], np.linspace(-2, 2, 8)[random.permutation(8)][None]
    chosen = random.permutation(8)[:planted]
    target = (
        random.choice([-1.0, 1.0], planted)
        * random.uniform(1, 2, planted)
        @ TANH.value(w[0, chosen] * X + b[0, chosen, None])
    )
    data = given(X, target + 0.3)
    nets = Parameters(w, b, random.normal(size=(1, 8)), np.zeros(1))
    order = by_elimination(TANH, nets, data)
    assert set(kept(order, planted)[0]) == set(chosen)
    assert refit_kept(TANH, nets, order, planted, data).loss[0] < 1e-20


@pytest.mark.parametrize("cut", [1e-2, 1e-4])
def test_each_step_takes_out_the_neuron_whose_absence_costs_least(cut):
    """By brute force, with the normal equations, from all neurons down to one."""
    nets = random_nets(3, count=4, width=6)
    order = by_elimination(SILU, nets, SQUARE, cut)
    for i in range(4):
        left = list(range(6))
        for step in range(5):
            rest = {k: [j for j in left if j != k] for k in left}
            cost = {
                k: ridge_loss(nets.w[i, some], nets.b[i, some], SQUARE, cut)
                for k, some in rest.items()
            }
            assert cost[order[i, step]] <= min(cost.values()) * (1 + 1e-6)
            left.remove(int(order[i, step]))


def test_more_neurons_than_points_and_many_blocks(monkeypatch):
    data = given(np.linspace(-2, 2, 7), np.linspace(-2, 2, 7) ** 2)
    nets = random_nets(4, count=3, width=20)
    order = by_elimination(SILU, nets, data)
    assert (np.sort(order, axis=1) == np.arange(20)).all()
    assert (refit_kept(SILU, nets, order, 6, data).loss < 1e-8).all()
    merging = by_merging(SILU, nets, data)
    loss = as_trained(SILU, nets, merging, 5, data)
    monkeypatch.setattr("minilotto.analysis.landscape.pruning.BLOCK", 1)
    np.testing.assert_array_equal(by_elimination(SILU, nets, data), order)
    np.testing.assert_array_equal(by_merging(SILU, nets, data).order, merging.order)
    np.testing.assert_allclose(as_trained(SILU, nets, merging, 5, data), loss, rtol=1e-12)


# Merging and size, one step at a time
def test_each_merge_changes_the_net_least():
    """By brute force, with the output weights as merged so far."""
    nets = random_nets(5, count=6, width=5)
    merging = by_merging(SILU, nets, SQUARE)
    for i in range(6):
        response = SILU.value(nets.w[i] * X + nets.b[i][:, None])
        s, v, left = (
            response - response.mean(axis=1, keepdims=True),
            nets.v[i].copy(),
            list(range(5)),
        )
        for step in range(4):
            change = {}
            for a in left:
                for b in left:
                    if a != b:
                        change[a, b] = np.mean(
                            (v[a] * (s[a] - s[a] @ s[b] / (s[b] @ s[b]) * s[b])) ** 2
                        )
            a, b = int(merging.order[i, step]), int(merging.into[i, step])
            assert change[a, b] == pytest.approx(min(change.values()), rel=1e-6)
            assert merging.factor[i, step] == pytest.approx(s[a] @ s[b] / (s[b] @ s[b]), rel=1e-12)
            v[b] += merging.factor[i, step] * v[a]
            left.remove(a)
            rest = v[left] @ response[left] - SQUARE.y
            whole = nets.v[i] @ response + nets.c[i] - SQUARE.y
            loss = as_trained(SILU, nets, merging, len(left), SQUARE)[i]
            assert loss == pytest.approx(
                np.mean((rest - rest.mean() + whole.mean()) ** 2), rel=1e-9
            )


def test_size_is_that_of_the_contribution():
    nets = random_nets(6, count=3, width=6)
    spread = np.abs(nets.v) * SILU.value(nets.w @ SQUARE.x.T + nets.b[..., None]).std(axis=2)
    np.testing.assert_array_equal(by_size(SILU, nets, SQUARE), np.argsort(spread, axis=1))


def test_a_whole_net_keeps_its_loss():
    nets = random_nets(7)
    for order in (by_size(SILU, nets, SQUARE), by_merging(SILU, nets, SQUARE)):
        np.testing.assert_allclose(
            as_trained(SILU, nets, order, 8, SQUARE), losses(SILU, nets, SQUARE), rtol=1e-12
        )


# Tickets
def test_of_two_tickets_with_one_error_the_worse_goes():
    """Two nearly equal mirror pairs, a different one, and a neuron without a partner, which goes
    before all.
    """
    w = np.array([[[-0.80], [0.80], [-0.81], [0.81], [-3.0], [3.0], [1.0]]])
    b = np.array([[-1.2, -1.2, -1.21, -1.21, 1.0, 1.0, 2.5]])
    nets = Parameters(w, b, np.ones((1, 7)), np.zeros(1))
    order = by_tickets(SILU, nets, SQUARE)
    assert order[0, 0] == 6
    loss = [refit(SILU, w[:, pair], b[:, pair], SQUARE).loss[0] for pair in ([0, 1], [2, 3])]
    worse = {0, 1} if loss[0] > loss[1] else {2, 3}
    assert set(order[0, 1:3]) == worse
    other = Parameters(w[:, [2, 3, 0, 1, 4, 5, 6]], b[:, [2, 3, 0, 1, 4, 5, 6]], nets.v, nets.c)
    assert set(by_tickets(SILU, other, SQUARE)[0, 1:3]) == {(place + 2) % 4 for place in worse}
    assert by_tickets(SILU, random_nets(8, width=1), SQUARE).tolist() == [[0]] * 5


# Shuffles
@settings(max_examples=10)
@hypothesis_given(st.integers(0, 500))
def test_the_order_of_neurons_and_the_company_of_nets_do_not_matter(seed):
    random = np.random.default_rng(seed)
    nets = random_nets(seed, count=3, width=7)
    shuffle = random.permutation(7)
    moved = Parameters(nets.w[:, shuffle], nets.b[:, shuffle], nets.v[:, shuffle], nets.c)
    one = Parameters(*(part[1:2] for part in nets))
    rules = {
        "size": by_size,
        "elimination": lambda *given: by_elimination(*given, 1e-4),
        "merging": lambda *given: by_merging(*given).order,
        "tickets": by_tickets,
    }
    for name, rule in rules.items():
        order = rule(SILU, nets, SQUARE)
        np.testing.assert_array_equal(shuffle[rule(SILU, moved, SQUARE)], order, err_msg=name)
        np.testing.assert_array_equal(rule(SILU, one, SQUARE), order[1:2], err_msg=name)
        assert (np.sort(order, axis=1) == np.arange(7)).all()


def test_random_orders_are_orders_and_repeat():
    order = at_random(50, 9)
    assert (np.sort(order, axis=1) == np.arange(9)).all()
    np.testing.assert_array_equal(order, at_random(50, 9))
    assert len(np.unique(order, axis=0)) > 40


# Refusals
def test_what_does_not_fit_is_refused():
    nets = random_nets(9)
    order = by_size(SILU, nets, SQUARE)
    for width in (0, 9, True, 2.0):
        with pytest.raises(ml.ConfigError, match="width="):
            kept(order, width)
    with pytest.raises(ml.ConfigError, match="cut=0"):
        by_elimination(SILU, nets, SQUARE, 0)
    with pytest.raises(ml.DataError, match="is none of nets"):
        refit_kept(SILU, nets, np.zeros_like(order), 2, SQUARE)
    with pytest.raises(ml.DataError, match="not finite"):
        by_size(SILU, nets._replace(b=nets.b * np.nan), SQUARE)
    with pytest.raises(ml.DataError, match="shapes"):
        by_size(SILU, nets._replace(b=nets.b[:, 1:]), SQUARE)
    with pytest.raises(ml.DataError, match="is none of nets"):
        as_trained(SILU, nets, Merging(order[:, 1:], order, np.zeros_like(nets.b)), 2, SQUARE)
