"""Taylor coefficients of nets and tickets, against mpmath, against the nets themselves and against
the paper's numbers.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilotto as ml
from minilotto.analysis.tickets.taylor import HIGHEST_ORDER, derivatives, ticket_taylor

SMOOTH = ("silu", "gelu", "sigmoid", "tanh", "softplus")
SILU = ml.ACTIVATIONS["silu"]
TICKET = {  # equation 2
    "w": np.array([-0.83010483, 0.83010304]),
    "b": np.array([-1.16842330, -1.16842365]),
    "v": np.array([5.68583536, 5.68586636]),
    "c": 3.1539197,
}


def taylor(activation, w, b, v, c, order=4):
    """Coefficients (..., order + 1) of sum_i v_i sigma(w_i x + b_i) + c."""
    sigma = derivatives(activation, b, order)
    terms = [np.sum(v * sigma[k] * w**k, axis=-1) / math.factorial(k) for k in range(order + 1)]
    return np.stack([terms[0] + c, *terms[1:]], axis=-1)


def in_many_digits(mp):
    return {
        "silu": lambda z: z / (1 + mp.exp(-z)),
        "gelu": lambda z: z * mp.ncdf(z),
        "sigmoid": lambda z: 1 / (1 + mp.exp(-z)),
        "tanh": mp.tanh,
        "softplus": lambda z: mp.log(1 + mp.exp(z)),
    }


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("z", [-9.0, -1.17, 0.0, 0.3, 4.0])
def test_derivatives_are_those_of_mpmath(name, z):
    mp = pytest.importorskip("mpmath", reason="the oracle of this test is mpmath (extra bench)")
    order = 12
    with mp.workdps(60):
        exact = [
            float(value * math.factorial(n))
            for n, value in enumerate(mp.taylor(in_many_digits(mp)[name], mp.mpf(z), order))
        ]
    found = derivatives(ml.ACTIVATIONS[name], z, order)
    # The polynomials in s have coefficients of up to n!, which cancel: an error of some eps on that
    # scale, times how fast s levels off. tanh is s stretched by two, which brings 2^n.
    factor, rate = {"tanh": (2.0, 2.0), "gelu": (1.0, 2.0)}.get(name, (1.0, 1.0))
    scale = np.array([math.factorial(n) * factor ** (n + 1) for n in range(order + 1)]) * np.exp(
        -rate * abs(z) / 2
    )
    assert (np.abs(found - exact) <= 1e-15 * scale + 2e-14 * np.abs(exact)).all()


@pytest.mark.parametrize("name", ["silu", "sigmoid", "tanh", "softplus"])
@pytest.mark.parametrize("z", [0.3, 4.0, 15.0, 30.0])
def test_high_orders_keep_their_digits_where_the_activation_is_a_line(name, z):
    mp = pytest.importorskip("mpmath", reason="the oracle of this test is mpmath (extra bench)")
    with mp.workdps(100):
        series = mp.taylor(in_many_digits(mp)[name], mp.mpf(z), HIGHEST_ORDER)
        exact = [float(value * math.factorial(n)) for n, value in enumerate(series)]
    found = derivatives(ml.ACTIVATIONS[name], z, HIGHEST_ORDER)
    np.testing.assert_allclose(found, exact, rtol=3e-8, atol=1e-300)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("z", [1e20, 1e200, -1e20, -1e200])
def test_far_out_activations_are_lines(name, z):
    found = derivatives(ml.ACTIVATIONS[name], z, HIGHEST_ORDER)
    np.testing.assert_array_equal(found[2:], 0.0)
    np.testing.assert_array_equal(found[0], ml.ACTIVATIONS[name].value(np.array(z)))


@pytest.mark.parametrize("name", SMOOTH)
def test_the_first_two_are_value_and_slope(name):
    z = np.linspace(-30, 30, 121).reshape(11, 11)
    found = derivatives(ml.ACTIVATIONS[name], z, 1)
    assert found.shape == (2, 11, 11)
    np.testing.assert_allclose(found[0], ml.ACTIVATIONS[name].value(z), rtol=1e-15, atol=1e-300)
    np.testing.assert_allclose(found[1], ml.ACTIVATIONS[name].slope(z), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("name", [*SMOOTH, "relu", "leaky_relu"])
def test_the_series_is_the_net(name):
    random = np.random.default_rng(5)
    w, b, v, c = (
        random.uniform(-0.1, 0.1, (3, 6)),
        random.uniform(0.5, 1.5, (3, 6)),
        random.normal(size=(3, 6)),
        random.normal(size=3),
    )
    x = np.linspace(-2, 2, 9)
    net = (
        np.einsum("rn,rnp->rp", v, ml.ACTIVATIONS[name].value(w[..., None] * x + b[..., None]))
        + c[:, None]
    )
    coefficients = taylor(ml.ACTIVATIONS[name], w, b, v, c, order=HIGHEST_ORDER)
    assert coefficients.shape == (3, HIGHEST_ORDER + 1)
    # |w x| <= 0.2 and poles at pi or farther (tanh: pi / 2): the rest is below (0.13)^21, rounding
    # some eps of the sum.
    np.testing.assert_allclose(np.polynomial.polynomial.polyval(x, coefficients.T), net, atol=1e-14)


@given(
    st.sampled_from(SMOOTH),
    st.floats(0.01, 3),
    st.floats(-3, 3),
    st.floats(-10, 10),
    st.floats(-10, 10),
    st.integers(0, 10),
)
def test_a_ticket_is_a_pair_without_its_odd_part(name, w, b, v, c, order):
    activation = ml.ACTIVATIONS[name]
    whole = taylor(activation, np.array([-w, w]), [b, b], np.array([v, v]), c, order)
    even = ticket_taylor(activation, w, b, v, c, order)
    # Powers of -w and of w may differ in their last place.
    size = [
        abs(v * term) * w**k / math.factorial(k)
        for k, term in enumerate(derivatives(activation, b, order).tolist())
    ]
    assert (np.abs(whole[1::2]) <= 1e-15 * np.array(size)[1::2]).all()
    np.testing.assert_allclose(even, whole[::2], rtol=1e-14, atol=1e-14 * abs(c))


def test_equation_4_with_v_where_it_has_u():
    w, b, v, c = 0.83, -1.17, 5.7, 3.15
    s = 1 / (1 + math.exp(-b))
    slope = s * (1 - s)
    second = 2 * slope + b * slope * (1 - 2 * s)  # sigma = z s, differentiated by hand
    fourth = 4 * slope * (1 - 6 * s + 6 * s * s) + b * slope * (1 - 2 * s) * (
        1 - 12 * s + 12 * s * s
    )
    by_hand = [2 * b * s * v + c, v * second * w**2, v * fourth * w**4 / 12]
    np.testing.assert_allclose(ticket_taylor(SILU, w, b, v, c), by_hand, rtol=1e-13)


def test_the_printed_ticket_is_nearly_but_not_quite_x_squared_at_zero():
    w, b, v = np.abs(TICKET["w"]).mean(), TICKET["b"].mean(), TICKET["v"].mean()
    constant, quadratic, quartic = ticket_taylor(SILU, w, b, v, TICKET["c"])
    assert abs(constant) < 4e-3
    assert 0.98 < quadratic < 0.99  # the fit on [-2, 2] gives up some of x^2 for the quartic term
    assert 0.015 < quartic < 0.016
    odd = taylor(SILU, TICKET["w"], TICKET["b"], TICKET["v"], TICKET["c"])[1::2]
    assert (np.abs(odd) < 1e-4).all()
    assert (odd != 0).all()


def test_shapes_follow_the_arrays():
    assert ticket_taylor(SILU, np.ones((4, 3)), -1.0, 2.0, np.zeros(3), order=6).shape == (4, 3, 4)
    assert ticket_taylor(SILU, 1.0, -1.0, 2.0, order=7).shape == (4,)


def test_kinks():
    assert derivatives(ml.ACTIVATIONS["leaky_relu"], [-2.0, 3.0], 3).tolist() == [
        [-0.02, 3.0],
        [0.01, 1.0],
        [0, 0],
        [0, 0],
    ]
    with pytest.raises(ml.DataError, match="kink"):
        derivatives(ml.ACTIVATIONS["relu"], [1.0, 0.0], 2)


@pytest.mark.parametrize("order", [-1, 21, 2.0, True])
def test_orders_that_mean_nothing_are_refused(order):
    with pytest.raises(ml.ConfigError, match="order"):
        derivatives(SILU, 0.0, order)
    with pytest.raises(ml.ConfigError, match="order"):
        ticket_taylor(SILU, 1.0, 0.0, 1.0, order=order)


def test_an_activation_without_a_rule_is_refused():
    odd_one = ml.Activation("cube", "z^3", lambda z: z**3, lambda z: 3 * z**2, lambda z: 6 * z)
    with pytest.raises(ml.ConfigError, match="'cube' has no rule"):
        derivatives(odd_one, 1.0, 2)
