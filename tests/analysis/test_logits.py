"""Nets taken together as classifiers: planted ensembles, and arithmetic against other ways to the
same numbers.
"""

import numpy as np
import pytest
from scipy.special import expit, logit

import minilotto as ml
from minilotto.analysis.ensembling.logits import (
    averaged,
    cross_entropy,
    error_rate,
    groups,
    mean_estimate,
    misses,
)

RNG = np.random.default_rng(0)
LOGITS, LABELS = RNG.normal(0, 3, (5, 40)), RNG.integers(0, 2, 40).astype(float)
WEIGHT = RNG.dirichlet(np.ones(40))


def test_loss_and_error_rate_are_their_definitions():
    p = expit(LOGITS)
    loss = -(LABELS * np.log(p) + (1 - LABELS) * np.log(1 - p)) @ WEIGHT
    np.testing.assert_allclose(cross_entropy(LOGITS, LABELS, WEIGHT), loss, rtol=1e-12)
    np.testing.assert_allclose(
        error_rate(LOGITS, LABELS, WEIGHT), (np.rint(p) != LABELS) @ WEIGHT, rtol=1e-12
    )
    np.testing.assert_allclose(misses(LOGITS, LABELS), p - LABELS, atol=1e-15)


def test_mean_probabilities_are_means_of_probabilities():
    np.testing.assert_allclose(
        averaged(LOGITS, "probabilities"), logit(expit(LOGITS).mean(axis=0)), atol=1e-11
    )
    sure = np.array([[800.0], [900.0]])
    assert 800 <= averaged(sure, "probabilities")[0] <= 801
    np.testing.assert_allclose(averaged(-sure, "probabilities"), -averaged(sure, "probabilities"))


def test_averages_have_no_more_loss_than_nets_on_average():
    """Jensen: the loss is convex in the logit, and in the probability."""
    mean = cross_entropy(LOGITS, LABELS, WEIGHT).mean()
    for way in ("logits", "probabilities"):
        assert cross_entropy(averaged(LOGITS, way), LABELS, WEIGHT) < mean
        assert cross_entropy(
            averaged(np.repeat(LOGITS[:1], 3, axis=0), way), LABELS, WEIGHT
        ) == pytest.approx(float(cross_entropy(LOGITS[0], LABELS, WEIGHT)), rel=1e-12)


def test_groups_share_no_net():
    for nets, members in ((48, 4), (50, 4), (20, 2)):
        found = groups(nets, members)
        assert found.shape == (nets // members, members)
        assert len(np.unique(found)) == found.size
        assert found.max() < nets
    with pytest.raises(ml.DataError, match="9 ensembles of 4"):
        groups(39, 4)
    with pytest.raises(ml.ConfigError, match="at least 2"):
        groups(20, 1)


def test_an_interval_covers_the_mean_as_often_as_it_says():
    found = [mean_estimate(RNG.exponential(1.0, 60), 0.9, seed) for seed in range(200)]
    covered = np.mean([one.low <= 1.0 <= one.high for one in found])
    assert 0.8 < covered < 0.97  # 0.9 but for the skewness, and three standard errors of 0.021


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: cross_entropy(LOGITS, LABELS[1:], WEIGHT), "do not match"),
        (lambda: cross_entropy(LOGITS, LABELS + 1, WEIGHT), "other labels"),
        (lambda: averaged(LOGITS, "votes"), "'votes'"),
        (lambda: averaged(LOGITS[0], "logits"), "do not match; give"),
        (lambda: averaged(LOGITS[:0], "probabilities"), "do not match; give"),
        (lambda: mean_estimate(np.zeros(9), 0.9), "at least 10"),
        (lambda: mean_estimate(np.full(20, np.nan), 0.9), "finite"),
    ],
)
def test_what_cannot_be_is_refused(call, part):
    with pytest.raises((ml.DataError, ml.ConfigError), match=part):
        call()


@pytest.mark.parametrize("way", ["logits", "probabilities"])
def test_a_net_that_diverged_has_no_logit_and_harms_no_other(way):
    logits = np.array([[[np.nan, 1.0], [2.0, 3.0]], [[0.0, 1.0], [2.0, 3.0]]])
    together = averaged(logits, way)
    assert np.isnan(together).tolist() == [[True, False], [False, False]]
    assert together[1, 1] == averaged(logits[1], way)[1]
    assert np.isnan(misses(logits[0], [0.0, 1.0])).tolist() == [[True, False], [False, False]]
