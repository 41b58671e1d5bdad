"""Mirror symmetry and the attractor curve: clouds whose symmetry, curve and distance are known."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

import minilotto as ml
from minilotto.analysis.tickets import cloud
from minilotto.analysis.tickets.cloud import FLIPS, attractor, mirror_symmetry
from minilotto.analysis.tickets.tickets import pair_neurons


def plain_statistic(w, b):
    """The energy distance between a cloud and its mirror image, without own distances, by loops;
    and the mean distance of images.
    """
    n, total, size = len(w), 0.0, 0.0
    for i, j in product(range(n), repeat=2):
        if i != j:
            total += np.hypot(w[i] + w[j], b[i] - b[j]) - np.hypot(w[i] - w[j], b[i] - b[j])
            size += np.hypot(w[i] + w[j], b[i] - b[j])
    return total, size


# The test of symmetry
@given(st.integers(0, 10**6), st.integers(2, 9))
def test_the_statistic_by_its_definition(seed, width):
    random = np.random.default_rng(seed)
    w, b = random.normal(size=(2, width))
    total, size = plain_statistic(w, b)
    assert mirror_symmetry(w, b)[0] == pytest.approx(total / size, rel=1e-10, abs=1e-14)


def test_shares_of_flips_are_those_of_all_patterns(monkeypatch):
    monkeypatch.setattr(cloud, "FLIPS", 19_999)
    random = np.random.default_rng(4)
    w, b = random.normal(size=(2, 7))
    observed = plain_statistic(w, b)[0]
    every = np.array([plain_statistic(w * signs, b)[0] for signs in product([1, -1], repeat=7)])
    _, asymmetric, paired = mirror_symmetry(w, b)
    for share, exact in [
        (asymmetric, np.mean(every >= observed - 1e-10)),
        (paired, np.mean(every <= observed + 1e-10)),
    ]:
        # Five standard errors of a share of so many flips; ties count in both shares, so they add
        # up to more than one.
        assert abs(share - exact) < 5 * np.sqrt(exact * (1 - exact) / 19_999) + 1 / 19_999
    assert asymmetric + paired > 1


@pytest.mark.parametrize("width", [8, 30])
def test_symmetric_clouds_are_rejected_no_more_often_than_they_may(width):
    trials = 600
    random = np.random.default_rng(width)
    # Unevenly distributed |w| and b with random signs: the null hypothesis holds for any cloud.
    w = random.choice([-1.0, 1.0], (trials, width)) * random.gamma(2.0, size=(trials, width))
    b = -(w**2) + random.normal(size=(trials, width))
    for p in np.array([mirror_symmetry(*one)[1:] for one in zip(w, b, strict=True)]).T:
        for level in (0.05, 0.1, 0.5):
            low, high = binom.ppf([0.0005, 0.9995], trials, level)
            assert low <= np.sum(p <= level + 1e-9) <= high


def test_a_cloud_that_leans_is_told():
    random = np.random.default_rng(2)
    w, b = random.normal(size=(2, 20, 60))
    found = [mirror_symmetry(*one)[1] for one in zip(w + 0.8, b, strict=True)]
    assert np.mean(np.array(found) <= 0.05) > 0.9
    # Lopsided in b alone: as many on each side, at other heights.
    w = np.concatenate([random.uniform(-1, 0, 100), random.uniform(0, 1, 100)])
    b = np.where(w > 0, 1.0, -1.0) + random.normal(size=w.shape)
    assert mirror_symmetry(w, b)[1] == 1 / (FLIPS + 1)


def test_partners_are_told_from_mere_symmetry():
    random = np.random.default_rng(3)
    w, b = random.uniform(0.3, 1.5, (40, 10)), random.normal(size=(40, 10))
    noise = 0.02 * random.normal(size=(4, 40, 10))
    w, b = (
        np.concatenate([w + noise[0], -w + noise[1]], 1),
        np.concatenate([b + noise[2], b + noise[3]], 1),
    )
    found = np.array([mirror_symmetry(*one) for one in zip(w, b, strict=True)])
    assert np.mean(found[:, 2] <= 0.05) > 0.9
    assert (found[:, 0] < 0).all()
    assert (found[:, 1] > 0.5).all()


def test_two_neurons_are_too_few():
    assert mirror_symmetry([-1.0, 1.0], [0.0, 0.0])[2] > 0.3  # of two patterns one is observed


@given(st.integers(0, 10**6), st.integers(2, 8))
def test_what_the_statistic_does_not_depend_on(seed, width):
    random = np.random.default_rng(seed)
    (w, b), order = random.normal(size=(2, width)), random.permutation(width)
    for other in [
        (w[order], b[order]),
        (-w, b + 3.0),
        (7 * w, 7 * b),
        (w[:, None], b),
        (np.append(w, [np.nan, 1.0]), np.append(b, [0.0, np.inf])),
    ]:
        assert mirror_symmetry(*other)[0] == pytest.approx(
            mirror_symmetry(w, b)[0], rel=1e-9, abs=1e-12
        )


def test_neurons_at_one_point_on_the_axis_are_symmetric():
    assert mirror_symmetry(np.zeros(5), np.zeros(5)) == (0, 1, 1)


def test_training_pairs_neurons_and_initialisation_does_not():
    """Over 100 nets the coefficient, of mean 0 for fair signs, against its standard error."""
    trained, fresh = (ml.train(ml.Config(width=4, steps=steps), seeds=100) for steps in (20_000, 1))
    after, before = (
        np.array([mirror_symmetry(net.w[0], net.b[0])[0] for net in nets])
        for nets in (trained, fresh)
    )
    assert after.mean() / (after.std() / 10) < -5
    assert abs(before.mean() / (before.std() / 10)) < 3
    assert (pair_neurons(trained.w, trained.b).count <= 2).all()


# The curve
@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(40, 370))
def test_a_monotone_curve_is_found_exactly(seed, neurons):
    w = np.random.default_rng(seed).normal(size=neurons)
    found = attractor(w, np.exp(-(w**2)))
    # Windows of odd length: the median of a monotone function is the function of the median.
    np.testing.assert_allclose(found.b, np.exp(-(found.abs_w**2)), rtol=1e-13)
    assert (np.diff(found.abs_w) > 0).all()
    assert found.abs_w[-1] == np.sort(np.abs(w))[-8]  # the last window ends with the last neuron


def test_the_curve_under_noise():
    random = np.random.default_rng(8)
    w = random.uniform(-1.2, 1.2, 20_000)
    b = -(w**2) + 0.1 * random.normal(size=len(w))
    found = attractor(w, b)
    inside = np.linspace(0.1, 1.1, 50)
    # A median of 800 has a standard error of 1.25 * 0.1 / 28; the curve's bend within a window adds
    # less.
    np.testing.assert_allclose(found.at(inside), -(inside**2), atol=5 * 0.0045)
    assert np.sqrt(np.mean((found.at(inside) + inside**2) ** 2)) < 0.007
    assert np.isnan(found.at([5.0, -1.0])).all()


def test_neurons_that_are_not_finite_are_left_out_of_the_curve():
    w = np.linspace(0, 1, 50)
    polluted = attractor(np.concatenate([w, [np.nan, 1.0]]), np.concatenate([w, [0.0, np.inf]]))
    np.testing.assert_array_equal(polluted.b, attractor(w[:, None], w).b)
    same = attractor(np.ones(30), np.linspace(0, 1, 30))
    assert len(same.abs_w) == 1  # one |w| has one b


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: attractor(np.ones(4), np.ones(4)), "4 finite neurons"),
        (lambda: attractor(np.ones((2, 50)), np.ones((2, 50))), "one cloud"),
        (lambda: mirror_symmetry(np.ones(1), np.ones(1)), "1 finite neurons"),
        (lambda: mirror_symmetry(np.ones(3), np.ones(4)), r"w \(3,\), b \(4,\) do not match"),
        (lambda: mirror_symmetry(["a", "b"], [0.0, 1.0]), "pass real numbers"),
        (lambda: attractor(np.ones(30), [[1.0], []]), "b is no array"),
        (lambda: pair_neurons([["a"]], [[0.0]]), "pass real numbers"),
    ],
)
def test_clouds_that_mean_nothing_are_refused(call, word):
    with pytest.raises(ml.DataError, match=word):
        call()
