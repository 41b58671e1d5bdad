"""The valley of mirror pairs: exact arithmetic, the expansion in w, neighbours, and the paper's
ticket.
"""

import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

import minilotto as ml
from minilotto.analysis.tickets.taylor import derivatives
from minilotto.analysis.tickets.valley import descent, valley
from minilotto.data.dataset import given, sampled
from minilotto.engines.evaluate import losses
from minilotto.ensemble.distillation import refit
from minilotto.errors import ConfigError, DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import ACTIVATIONS

SILU, SQUARE = ACTIVATIONS["silu"], sampled(ml.Config())
X = SQUARE.x[:, 0]
LAW = descent(SILU, SQUARE, -1.168)


def exact_loss(mp, w, b):
    """Least loss over v and c of the mirror pair of these w and b, on y = x^2 at the 100 points,
    and its slope's sign-carrier.
    """
    column = []
    for at in X:
        one, other = mp.mpf(w) * mp.mpf(float(at)) + b, -mp.mpf(w) * mp.mpf(float(at)) + b
        column.append(one / (1 + mp.exp(-one)) + other / (1 + mp.exp(-other)))
    y = [mp.mpf(float(at)) ** 2 for at in X]
    mean, middle = mp.fsum(column) / 100, mp.fsum(y) / 100
    g, t = [a - mean for a in column], [a - middle for a in y]
    part = mp.fsum(a * b for a, b in zip(g, t, strict=True)) / mp.fsum(a * a for a in g)
    return mp.fsum((b - part * a) ** 2 for a, b in zip(g, t, strict=True)) / 100


def exact_valley(mp, w, start):
    """The least of it over b, by parabolas through three points about the best."""
    b, h = mp.mpf(float(start)), mp.mpf(w) ** 2 / 10
    for _ in range(12):
        low, here, high = (exact_loss(mp, w, b + k * h) for k in (-1, 0, 1))
        step = h * (low - high) / (2 * (low - 2 * here + high))
        b += step
        if abs(step) < h * mp.mpf("1e-6"):
            break
        h = max(abs(step) / 4, h / 100)
    return exact_loss(mp, w, b), b


def test_the_valley_in_exact_arithmetic():
    mp = pytest.importorskip("mpmath").mp
    w = np.array([0.8, 0.1])
    found = valley(SILU, w, SQUARE, -1.168)
    for i in range(2):
        with mp.workdps(60):
            loss, b = exact_valley(mp, w[i], found.b[i])
        assert found.loss[i] == pytest.approx(float(loss), rel=1e-6)
        assert found.b[i] == pytest.approx(float(b), abs=1e-3 * w[i] ** 2)


def test_exact_arithmetic_goes_on_by_the_expansion_where_float64_ends():
    """Down to |w| = 1e-6, where the loss is 1e-54 and float64's rounding 1e-8; corrections are of
    relative order w^2.
    """
    mp = pytest.importorskip("mpmath").mp
    for w in (1e-2, 1e-6):
        with mp.workdps(90):
            loss, b = exact_valley(mp, w, LAW.bias)
        assert float(loss / mp.mpf(float(LAW.loss(w)))) == pytest.approx(1, abs=max(2 * w**2, 1e-9))
        assert float(b) == pytest.approx(LAW.bias, abs=2 * w**2 + 1e-9)
    found = valley(SILU, [1e-6], SQUARE, LAW.bias)
    assert not found.resolved[0]


def test_float64_follows_the_expansion_until_rounding():
    w = np.geomspace(1.0, 1e-4, 60)
    found = valley(SILU, w, SQUARE, -1.168)
    clear = found.resolved
    assert clear[0]
    assert not clear[-1]
    stop = int(np.argmin(clear))
    assert (np.diff(found.loss[:stop]) < 0).all()
    near = np.arange(len(w)) < stop
    near &= w < 0.1
    np.testing.assert_allclose(found.loss[near], LAW.loss(w[near]), rtol=0.02)
    power = np.polyfit(np.log(w[near]), np.log(found.loss[near]), 1)[0]
    assert power == pytest.approx(8, abs=0.02)
    assert found.loss[stop - 1] < 1e-16


@pytest.mark.parametrize("b", [-1.0, -0.6, 0.0])
def test_at_a_fixed_b_the_power_is_four(b):
    law = descent(SILU, SQUARE, b, fitted=False)
    w = np.geomspace(0.05, 0.01, 8)
    found = valley(SILU, w, SQUARE, b, fitted=False)
    assert law.power == 4
    assert (found.b == b).all()
    np.testing.assert_allclose(found.loss, law.loss(w), rtol=0.04)


@pytest.mark.parametrize(
    ("name", "near"), [("silu", -1.2), ("silu", 1.2), ("gelu", -0.8), ("softplus", 1.0)]
)
def test_the_law_of_other_activations(name, near):
    activation = ACTIVATIONS[name]
    law = descent(activation, SQUARE, near)
    assert abs(derivatives(activation, law.bias, 4)[4]) < 1e-12
    w = np.geomspace(0.15, 0.08, 5)
    found = valley(activation, w, SQUARE, law.bias)
    np.testing.assert_allclose(found.loss, law.loss(w), rtol=0.1)


@hypothesis_given(st.floats(0.05, 1.5), st.floats(-0.02, 0.02))
@settings(max_examples=30)
def test_no_neighbour_is_better(w, shift):
    """Another b is none, nor are v of their own for the two neurons; rounding R moves a loss L by 2
    sqrt(L R).
    """
    found = valley(SILU, [w], SQUARE, LAW.bias)
    other = valley(SILU, [w], SQUARE, float(found.b[0]) + shift, fitted=False)
    assert other.loss[0] >= found.loss[0] - 10 * np.sqrt(found.loss[0] * found.rounding[0])
    net = Parameters(
        np.array([[[w], [-w]]]),
        np.full((1, 2), found.b[0]),
        np.full((1, 2), found.v[0]),
        np.array([found.c[0]]),
    )
    slack = 10 * np.sqrt(found.loss[0] * found.rounding[0])
    assert losses(SILU, net, SQUARE)[0] == pytest.approx(found.loss[0], rel=1e-12, abs=slack)
    free = refit(SILU, net.w, net.b, SQUARE).loss[0]
    assert free == pytest.approx(found.loss[0], rel=1e-6, abs=slack)


def test_the_papers_ticket_lies_in_it():
    found = valley(SILU, [0.83010393], SQUARE, -1.168)
    assert found.loss[0] <= 7.790e-6 * (1 + 1e-4)
    assert found.loss[0] == pytest.approx(7.790e-6, rel=0.02)
    assert (found.b[0], found.v[0], found.c[0]) == pytest.approx(
        (-1.16842, 5.68585, 3.15392), rel=2e-3
    )


def test_the_order_of_slopes_does_not_matter():
    w = np.array([0.3, 0.9, 0.1])
    one, other = valley(SILU, w, SQUARE, -1.168), valley(SILU, np.sort(w), SQUARE, -1.168)
    np.testing.assert_array_equal(one.loss[np.argsort(w)], other.loss)
    np.testing.assert_array_equal(one.w, w)


def test_what_has_no_valley():
    with pytest.raises(ConfigError, match="above 0"):
        valley(SILU, [0.1, 0.0], SQUARE, -1.0)
    with pytest.raises(DataError, match="one input"):
        valley(SILU, [0.1], given(np.zeros((4, 2)), np.zeros(4)), -1.0)
    with pytest.raises(DataError, match=r"not x\^2"):
        descent(SILU, given(X, X**3), -1.0)
    with pytest.raises(ConfigError, match="no zero"):
        descent(ACTIVATIONS["relu"], SQUARE, -30.5)
    with pytest.raises(ConfigError, match="no curvature"):
        descent(ACTIVATIONS["tanh"], SQUARE, 0.0, fitted=False)
