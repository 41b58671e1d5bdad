"""Mirror symmetry and the attractor curve: clouds whose symmetry, curve and distance are known."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

import minilotto as ml
from minilotto.analysis.tickets.attractor import attractor
from minilotto.analysis.tickets.mirror import mirror_symmetry
from minilotto.analysis.tickets.tickets import pair_neurons


def plain_statistic(w, b):
    """The energy distance between a cloud and its mirror image, without own distances, by loops."""
    n, total, size = len(w), 0.0, 0.0
    for i, j in product(range(n), repeat=2):
        if i != j:
            total += np.hypot(w[i] + w[j], b[i] - b[j]) - np.hypot(w[i] - w[j], b[i] - b[j])
            size += np.hypot(w[i] + w[j], b[i] - b[j])
    return 2 * total / (n * (n - 1)), total / size


# The test of symmetry
@given(st.integers(0, 10**6), st.integers(2, 9))
def test_the_statistic_by_its_definition(seed, width):
    random = np.random.default_rng(seed)
    w, b = random.normal(size=(3, width)), random.normal(size=(3, width))
    found = mirror_symmetry(w, b, flips=99)
    plain = np.array([plain_statistic(w[net], b[net]) for net in range(3)])
    np.testing.assert_allclose(found.statistic, plain[:, 0], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(found.coefficient, plain[:, 1], rtol=1e-10, atol=1e-14)
    assert found.pooled_statistic == pytest.approx(plain[:, 0].mean(), rel=1e-10, abs=1e-14)


def test_shares_of_flips_are_those_of_all_patterns():
    random = np.random.default_rng(4)
    w, b = random.normal(size=(1, 7)), random.normal(size=(1, 7))
    observed = plain_statistic(w[0], b[0])[0]
    every = np.array(
        [plain_statistic(w[0] * signs, b[0])[0] for signs in product([1, -1], repeat=7)]
    )
    flips = 19_999
    found = mirror_symmetry(w, b, flips=flips)
    for share, exact in [
        (found.p_asymmetric[0], np.mean(every >= observed - 1e-12)),
        (found.p_paired[0], np.mean(every <= observed + 1e-12)),
    ]:
        # Five standard errors of a share of so many flips; ties count in both shares, so they add
        # up to more than one.
        assert abs(share - exact) < 5 * np.sqrt(exact * (1 - exact) / flips) + 1 / flips
    assert found.p_asymmetric[0] + found.p_paired[0] > 1


@pytest.mark.parametrize("width", [8, 30])
def test_symmetric_clouds_are_rejected_no_more_often_than_they_may(width):
    trials, flips = 600, 99
    random = np.random.default_rng(width)
    # Unevenly distributed |w| and b with random signs: the null hypothesis holds for any cloud.
    w = random.choice([-1.0, 1.0], (trials, width)) * random.gamma(2.0, size=(trials, width))
    b = -(w**2) + random.normal(size=(trials, width))
    found = mirror_symmetry(w, b, flips=flips)
    for p in (found.p_asymmetric, found.p_paired):
        for level in (0.05, 0.1, 0.5):
            low, high = binom.ppf([0.0005, 0.9995], trials, level)
            assert low <= np.sum(p <= level + 1e-9) <= high
    assert found.pooled_p_asymmetric > 0.001


def test_a_cloud_that_leans_is_told():
    random = np.random.default_rng(2)
    b = random.normal(size=(20, 60))
    w = random.normal(size=(20, 60)) + 0.8
    found = mirror_symmetry(w, b, flips=199)
    assert np.mean(found.p_asymmetric <= 0.05) > 0.9
    assert found.pooled_p_asymmetric == 1 / 200
    assert found.pooled_p_paired == 1.0
    # Lopsided in b alone: as many on each side, at other heights.
    w = np.concatenate([random.uniform(-1, 0, (1, 100)), random.uniform(0, 1, (1, 100))], axis=1)
    b = np.where(w > 0, 1.0, -1.0) + random.normal(size=w.shape)
    assert mirror_symmetry(w, b, flips=199).p_asymmetric[0] == 1 / 200


def test_partners_are_told_from_mere_symmetry():
    random = np.random.default_rng(3)
    w, b = random.uniform(0.3, 1.5, (40, 10)), random.normal(size=(40, 10))
    noise = 0.02 * random.normal(size=(4, 40, 10))
    paired = mirror_symmetry(
        np.concatenate([w + noise[0], -w + noise[1]], 1),
        np.concatenate([b + noise[2], b + noise[3]], 1),
    )
    assert np.mean(paired.p_paired <= 0.05) > 0.9
    assert paired.pooled_p_paired == 1 / 1000
    assert (paired.statistic < 0).all()
    assert (paired.p_asymmetric > 0.5).all()


def test_two_neurons_are_too_few_alone_and_enough_together():
    w = np.tile([[-1.0, 1.0]], (30, 1))
    found = mirror_symmetry(w, np.zeros((30, 2)), flips=199)
    assert (found.p_paired > 0.3).all()  # of two patterns one is observed
    assert found.pooled_p_paired == 1 / 200


@given(st.integers(0, 10**6), st.integers(2, 8))
def test_what_the_statistic_does_not_depend_on(seed, width):
    random = np.random.default_rng(seed)
    w, b, order = (
        random.normal(size=(1, width)),
        random.normal(size=(1, width)),
        random.permutation(width),
    )
    reference = mirror_symmetry(w, b, flips=99)
    for other, factor in [
        ((w[:, order], b[:, order]), 1),
        ((-w, b + 3.0), 1),
        ((7 * w, 7 * b), 7),
        ((w[..., None], b), 1),
    ]:
        found = mirror_symmetry(*other, flips=99)
        np.testing.assert_allclose(
            found.statistic, factor * reference.statistic, rtol=1e-9, atol=1e-12
        )
        np.testing.assert_allclose(found.coefficient, reference.coefficient, rtol=1e-9, atol=1e-12)
    both = mirror_symmetry(
        np.pad(w, ((0, 0), (0, 1))),
        np.pad(b, ((0, 0), (0, 1))),
        among=np.arange(width + 1)[None] < width,
        flips=99,
    )
    assert both.neurons.tolist() == [width]
    np.testing.assert_allclose(both.statistic, reference.statistic, rtol=1e-12)
    np.testing.assert_allclose(both.p_paired, reference.p_paired)


def test_nets_that_cannot_be_tested_are_nan_and_out_of_the_pool():
    w, b = np.array([[-1.0, 1.0], [np.nan, 1.0], [-1.0, 1.0], [1.0, 2.0]]), np.zeros((4, 2))
    among = np.array([[True, True], [True, True], [True, False], [True, True]])
    found = mirror_symmetry(w, b, among, flips=99)
    assert (
        np.isnan(found.statistic).tolist()
        == np.isnan(found.p_paired).tolist()
        == [False, True, True, False]
    )
    assert np.isnan(found.coefficient).tolist() == [False, True, True, False]
    assert found.neurons.tolist() == [2, 0, 1, 2]
    assert found.pooled_statistic == pytest.approx(np.nanmean(found.statistic), rel=1e-12)
    assert len(found) == 4


def test_neurons_at_one_point_on_the_axis_are_symmetric():
    found = mirror_symmetry(np.zeros((1, 5)), np.zeros((1, 5)), flips=99)
    assert (found.statistic[0], found.coefficient[0], found.p_asymmetric[0], found.p_paired[0]) == (
        0,
        0,
        1,
        1,
    )


def test_training_pairs_neurons_and_initialisation_does_not():
    config = ml.Config(width=4, steps=20_000)
    trained, fresh = ml.train(config, seeds=100), ml.train(ml.Config(width=4, steps=1), seeds=100)
    assert mirror_symmetry(trained.w, trained.b, flips=199).pooled_p_paired == 1 / 200
    start = mirror_symmetry(fresh.w, fresh.b, flips=999)
    assert start.pooled_p_paired > 0.001  # the least there is: by chance once in a thousand
    assert start.pooled_p_asymmetric > 0.001
    assert (pair_neurons(trained.w, trained.b).count <= 2).all()


def test_what_cannot_be_tested_is_refused():
    with pytest.raises(ml.ConfigError, match="flips"):
        mirror_symmetry(np.ones((1, 3)), np.ones((1, 3)), flips=10)
    with pytest.raises(ml.DataError, match="none of 2 nets"):
        mirror_symmetry(np.ones((2, 1)), np.ones((2, 1)))
    with pytest.raises(ml.DataError, match="pass"):
        mirror_symmetry(np.ones((2, 3)), np.ones((2, 4)))


# The curve
@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(40, 300), st.sampled_from([5, 11, 21]))
def test_a_monotone_curve_is_found_exactly(seed, neurons, window):
    w = np.random.default_rng(seed).normal(size=neurons)
    found = attractor(w, np.exp(-(w**2)), window)
    # Windows of odd length: the median of a monotone function is the function of the median.
    np.testing.assert_allclose(found.b, np.exp(-(found.abs_w**2)), rtol=1e-13)
    assert (np.diff(found.abs_w) > 0).all()
    assert ((found.low <= found.b) & (found.b <= found.high)).all()
    assert (
        found.abs_w[-1] == np.sort(np.abs(w))[-(window // 2 + 1)]
    )  # the last window ends with the last neuron


def test_curve_and_spread_under_noise():
    random = np.random.default_rng(8)
    w = random.uniform(-1.2, 1.2, 20_000)
    b = -(w**2) + 0.1 * random.normal(size=len(w))
    found = attractor(w, b, window=401)
    inside = np.linspace(0.1, 1.1, 50)
    # A median of 401 has a standard error of 1.25 * 0.1 / 20; the curve's bend within a window adds
    # less.
    np.testing.assert_allclose(found.at(inside), -(inside**2), atol=5 * 0.0063)
    assert np.sqrt(np.mean((found.at(inside) + inside**2) ** 2)) < 0.01
    assert found.spread == pytest.approx(
        0.0994, rel=0.1
    )  # 68 percent of a normal distribution lie within 0.994 deviations
    assert np.isnan(found.at([5.0, -1.0])).all()
    assert attractor(w, b, window=401, level=0.9).spread == pytest.approx(0.1645, rel=0.1)


def test_neurons_that_are_not_finite_are_left_out_of_the_curve():
    w = np.linspace(0, 1, 50)
    polluted = attractor(np.concatenate([w, [np.nan, 1.0]]), np.concatenate([w, [0.0, np.inf]]))
    np.testing.assert_array_equal(polluted.b, attractor(w[:, None], w).b)
    assert polluted.window == 15
    same = attractor(np.ones(30), np.linspace(0, 1, 30))
    assert len(same.abs_w) == 1  # one |w| has one b


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: attractor(np.ones(4), np.ones(4)), ml.DataError, "4 finite neurons"),
        (lambda: attractor(np.ones(50), np.ones(50), window=3), ml.ConfigError, "window"),
        (lambda: attractor(np.ones(50), np.ones(50), level=1.0), ml.ConfigError, "level"),
        (lambda: attractor(np.ones((2, 50)), np.ones((2, 50))), ml.DataError, "one cloud"),
    ],
)
def test_clouds_that_mean_nothing_are_refused(call, error, word):
    with pytest.raises(error, match=word):
        call()
