"""Losses of piecewise linear nets from moments are sums over the points."""

import numpy as np
import pytest
from nets import random_nets

import minilotto as ml
from minilotto.data.dataset import given
from minilotto.engines.evaluate import losses
from minilotto.engines.piecewise import PiecewiseLosses
from minilotto.initialisation import Parameters


def noisy_data(points):
    random = np.random.default_rng(points)
    x = np.concatenate([random.uniform(-2, 2, points - 3), [0.5, 0.5, 0.5]])
    return given(x, x * x + 0.1 * random.normal(size=points), random.uniform(0.1, 1, points))


@pytest.mark.parametrize("name", ["relu", "leaky_relu"])
def test_moments_give_the_sums_over_points(name):
    nets = random_nets(3, 8, 7)
    nets.w[0, :3] = 0.0  # neurons without a breakpoint
    nets.b[1] = 30.0  # breakpoints outside the data
    nets.c[7] = np.nan
    data = noisy_data(500)
    found = PiecewiseLosses(data)(ml.ACTIVATIONS[name], nets)
    np.testing.assert_allclose(found[:7], losses(ml.ACTIVATIONS[name], nets, data)[:7], rtol=1e-11)
    assert np.isnan(found[7])


def test_an_ensemble_on_many_points_reports_their_loss():
    data = noisy_data(6000)
    nets = ml.train(
        ml.Config(width=4, steps=200, activation="leaky_relu", dtype="float64"), seeds=5, data=data
    )
    assert nets.engine == "exact"
    direct = ((nets.predict(data.x) - data.y) ** 2) @ data.weight
    np.testing.assert_allclose(nets.loss, direct, rtol=1e-11)


def test_labels_far_from_zero_cost_no_digits():
    """Of a net that is flat, with a label a little beside it."""
    x = np.linspace(-1, 1, 5000)
    data = given(x, 1e6 + 1e-3 * np.sign(x))
    flat = Parameters(np.ones((1, 2, 1)), np.zeros((1, 2)), np.zeros((1, 2)), np.array([1e6]))
    np.testing.assert_allclose(
        PiecewiseLosses(data)(ml.ACTIVATIONS["relu"], flat),
        np.mean((data.y - 1e6) ** 2),
        rtol=1e-12,
    )
