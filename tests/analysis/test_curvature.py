"""Spectra of the Hessian: planted saddles and minima, exact zeros, differences, exact arithmetic,
the paper's ticket.
"""

import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st
from nets import random_nets

import minilotto as ml
from minilotto.analysis.landscape.curvature import EPSILON, curvature
from minilotto.analysis.tickets.valley import EQ2
from minilotto.data.dataset import given, sampled
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import ACTIVATIONS, leaky_relu

SILU, SQUARE = ACTIVATIONS["silu"], sampled(ml.Config())


def flat(parameters, i):
    """theta of net i, neuron by neuron."""
    w, b, v, c = (np.asarray(part)[i] for part in parameters)
    return np.concatenate([np.concatenate([w, b[:, None], v[:, None]], axis=1).ravel(), [c]])


def gradient(activation, theta, data):
    """Of the loss, written out here."""
    inputs = data.inputs
    rows = theta[:-1].reshape(-1, inputs + 2)
    w, b, v = rows[:, :inputs], rows[:, inputs], rows[:, -1]
    z = data.x @ w.T + b
    r = 2 * data.weight * (activation.value(z) @ v + theta[-1] - data.y)
    back = r[:, None] * activation.slope(z) * v
    parts = np.concatenate(
        [back.T @ data.x, back.sum(axis=0)[:, None], (r @ activation.value(z))[:, None]], axis=1
    )
    return np.concatenate([parts.ravel(), [r.sum()]])


def by_differences(activation, theta, data, h=1e-5):
    steps = h * np.eye(len(theta))
    columns = [
        (gradient(activation, theta + s, data) - gradient(activation, theta - s, data)) / (2 * h)
        for s in steps
    ]
    return (np.array(columns) + np.array(columns).T) / 2


@pytest.mark.parametrize(("activation", "inputs"), [(SILU, 1), (SILU, 2), (leaky_relu(0.2), 1)])
def test_spectrum_and_gradient_by_differences(activation, inputs):
    """Central differences are good to h^2 of third derivatives, and to eps / h: 1e-8 of the largest
    here.
    """
    nets = random_nets(1, 3, 4, inputs)
    x = np.random.default_rng(2).uniform(-2, 2, (60, inputs))
    data = given(x, np.prod(x, axis=1), weight=np.random.default_rng(3).uniform(0.5, 1, 60))
    found = curvature(activation, nets, data)
    for i in range(3):
        theta = flat(nets, i)
        values = np.linalg.eigvalsh(by_differences(activation, theta, data))
        np.testing.assert_allclose(found.eigenvalues[i], values, atol=1e-7 * values[-1])
        slope = gradient(activation, theta, data)
        assert found.gradient[i] == pytest.approx(np.linalg.norm(slope), rel=1e-12)


def test_beside_a_planted_minimum_newtons_decrease_is_the_loss():
    """At a distance d from a minimum of loss 0 the two differ by a part of order d over the least
    eigenvalue, 1e-3 here.
    """
    x = np.linspace(-2, 2, 80)
    nets = Parameters(np.array([[[1.0]]]), np.array([[0.5]]), np.array([[2.0]]), np.zeros(1))
    data = given(x, 2 * SILU.value(x + 0.5))
    rng = np.random.default_rng(1)
    near = Parameters(*(part + 1e-6 * rng.normal(size=part.shape) for part in nets))
    found = curvature(SILU, near, data)
    assert not found.saddle[0]
    assert found.decrease[0] == pytest.approx(found.loss[0], rel=0.01)
    assert not found.settled()[0]


def test_a_planted_saddle():
    """f = c, y = x, a tanh neuron with w = b = v = 0: the gradient vanishes, and only v and w curve
    together, by -2 <x^2>.
    """
    x = np.linspace(-1, 1, 41)
    data = given(x, x)
    still = Parameters(np.zeros((1, 1, 1)), np.zeros((1, 1)), np.zeros((1, 1)), np.zeros(1))
    found = curvature(ACTIVATIONS["tanh"], still, data)
    m = 2 * np.mean(x**2)
    np.testing.assert_allclose(found.eigenvalues[0], [-m, 0, m, 2], atol=1e-14)
    assert (found.negative[0], found.undecided[0], found.positive[0], found.flat[0]) == (1, 1, 2, 1)
    assert found.saddle[0]
    assert not found.settled()[0]
    assert found.gradient[0] < 1e-14


def teacher(seed, idle):
    """A net of 3 neurons, `idle` more of them with v = 0, and its own outputs as the target."""
    nets = random_nets(seed, 1, 3 + idle)
    nets.v[0, 3:] = 0.0
    x = np.linspace(-2, 2, 80)
    return nets, given(
        x, SILU.value(np.outer(x, nets.w[0, :, 0]) + nets.b[0]) @ nets.v[0] + nets.c[0]
    )


@hypothesis_given(st.integers(0, 10_000), st.integers(0, 3))
@settings(max_examples=25)
def test_a_planted_minimum_has_no_negative_direction_and_its_zeros_are_undecided(seed, idle):
    """At loss 0 H = 2 J^T J: w and b of an idle neuron leave the net alone, so at least two zeros
    each.
    """
    nets, data = teacher(seed, idle)
    found = curvature(SILU, nets, data)
    assert found.negative[0] == 0
    assert found.undecided[0] >= 2 * idle
    assert found.positive[0] >= 4
    assert found.settled()[0] or found.loss[0] < 1e-28


@hypothesis_given(st.permutations(range(5)))
@settings(max_examples=10)
def test_the_order_of_neurons_does_not_matter(order):
    nets = random_nets(5, 2, 5)
    moved = Parameters(nets.w[:, order], nets.b[:, order], nets.v[:, order], nets.c)
    one, other = curvature(SILU, nets, SQUARE), curvature(SILU, moved, SQUARE)
    np.testing.assert_allclose(
        one.eigenvalues, other.eigenvalues, atol=1e-12 * one.eigenvalues.max()
    )


def exact_hessian(mp, theta, x):
    """Of the mean square error on y = x^2 of two SiLU neurons, from the second derivatives written
    out, in exact arithmetic.
    """
    theta, count = [mp.mpf(float(t)) for t in theta], len(x)
    total = mp.zeros(7, 7)
    for at in x:
        at = mp.mpf(float(at))
        f, slopes, curves = theta[6], [mp.mpf(0)] * 7, mp.zeros(7, 7)
        slopes[6] = mp.mpf(1)
        for i in (0, 3):
            w, b, v = theta[i : i + 3]
            z = w * at + b
            s = 1 / (1 + mp.exp(-z))
            d = s * (1 - s)
            value, first, second = z * s, s + z * d, d * (2 + z * (1 - 2 * s))
            f += v * value
            slopes[i], slopes[i + 1], slopes[i + 2] = v * first * at, v * first, value
            for j, k, term in (
                (0, 0, v * second * at * at),
                (0, 1, v * second * at),
                (1, 1, v * second),
                (0, 2, first * at),
                (1, 2, first),
            ):
                curves[i + j, i + k] += term
                if j != k:
                    curves[i + k, i + j] += term
        r = f - at * at
        for j in range(7):
            for k in range(7):
                total[j, k] += 2 * (slopes[j] * slopes[k] + r * curves[j, k]) / count
    return total


def test_the_papers_ticket_in_exact_arithmetic():
    """All seven eigenvalues of Eq. 2, the smallest of which is 1e-7 of the largest, to the error
    that is claimed for them.
    """
    mp = pytest.importorskip("mpmath").mp
    found = curvature(SILU, EQ2, SQUARE)
    with mp.workdps(40):
        exact = mp.eigsy(exact_hessian(mp, flat(EQ2, 0), SQUARE.x[:, 0]), eigvals_only=True)
        exact = np.sort([float(value) for value in exact])
    assert np.abs(found.eigenvalues[0] - exact).max() <= found.unresolved[0]
    np.testing.assert_array_equal(np.sign(found.eigenvalues[0]), np.sign(exact))
    assert found.undecided[0] == 0
    assert (
        found.unresolved[0] < 0.1 * np.abs(exact).min()
    )  # or the check above would say nothing of the smallest
    assert found.gradient[0] == pytest.approx(3.76e-6, rel=0.05)
    assert found.loss[0] == pytest.approx(7.790e-6, rel=1e-3)


def test_the_claimed_error_is_that_of_a_rounded_evaluation():
    """Random nets with large terms that cancel: eigenvalues in float64 against those from parts
    summed in longer arithmetic.
    """
    mp = pytest.importorskip("mpmath").mp
    rng, worst = np.random.default_rng(8), 0.0
    for scale in (1.0, 30.0):
        w, b = rng.normal(size=2), rng.normal(size=2)
        nets = Parameters(
            w[None, :, None], b[None], scale * rng.normal(size=(1, 2)), scale * rng.normal(size=1)
        )
        found = curvature(SILU, nets, SQUARE)
        with mp.workdps(40):
            exact = mp.eigsy(exact_hessian(mp, flat(nets, 0), SQUARE.x[:, 0]), eigvals_only=True)
            exact = np.sort([float(value) for value in exact])
        worst = max(worst, np.abs(found.eigenvalues[0] - exact).max() / found.unresolved[0])
    assert worst < 1
    assert found.unresolved[0] < 1e5 * EPSILON * found.eigenvalues[0, -1]


def test_nets_that_are_not_finite_and_shapes_that_do_not_fit():
    nets = random_nets(6, 3, 2)
    nets.v[1, 0] = np.nan
    found = curvature(SILU, nets, SQUARE)
    assert np.isnan(found.eigenvalues[1]).all()
    assert np.isnan(
        [found.loss[1], found.gradient[1], found.decrease[1], found.unresolved[1]]
    ).all()
    assert (found.negative[1], found.undecided[1], found.positive[1], found.flat[1]) == (0, 0, 0, 0)
    assert not found.settled()[1]
    alone = curvature(SILU, Parameters(*(part[2:] for part in nets)), SQUARE)
    np.testing.assert_array_equal(alone.eigenvalues[0], found.eigenvalues[2])
    with pytest.raises(DataError, match="1 inputs"):
        curvature(SILU, random_nets(6, 1, 2, inputs=2), SQUARE)
