"""Formulas of activations with their slopes and of losses with theirs, once for all engines.

A formula is a plain function of numbers of one type, Lanes or floats, so that vector kernels,
scalar loops and CUDA threads run the same text. Activations are written in their natural unit: with
t = z / input_unit, a formula returns (sigma(z) / output_unit, sigma'(z)). A kernel divides w and b
by the input unit and multiplies v by the output unit once a step, which takes log2(e) out of every
exponential.

The polynomials come from `bench/coefficients.py`, which states their errors.
"""

from collections.abc import Callable
from typing import NamedTuple

from numba import types
from numba.extending import overload, register_jitable

from minilotto.kernels.groups import halves, side_by_side
from minilotto.kernels.simd import (
    Lanes,
    absolute,
    fma,
    fraction,
    like,
    polynomial,
    scale,
    square_root,
    where,
    whole,
    with_sign_of,
)
from minilotto.kernels.spec import constant_of_spec

LN2 = 0.6931471805599453

_exp2_of_fraction = polynomial(
    single=(
        1.0,
        0.693146977600525753,
        0.240222420864758354,
        0.0555073374318849147,
        0.00967151260596862778,
        0.00132647270738298188,
    ),
    double=(
        1.0,
        0.693147180559945326,
        0.240226506959101313,
        0.0555041086648200832,
        0.00961812910759412134,
        0.00133335581467746259,
        0.000154035304571104917,
        0.0000152527334931161927,
        1.32154352831002927e-6,
        1.01781995784035934e-7,
        7.07378311555888531e-9,
        4.43477010883327712e-10,
    ),
)
# 2^r = (a + r) / (a - r) with a = r coth(r ln2 / 2), a polynomial in r^2.
_r_over_tanh = polynomial(
    single=(2.88539008688862418, 0.115524160734437784, -0.000921117774224622939),
    double=(
        2.88539008177792682,
        0.115524530093323583,
        -0.000925068477717336262,
        0.0000105821884976230258,
        -1.27102193572512347e-7,
        1.52815630108263563e-9,
    ),
)
_log2_over_q = polynomial(
    single=(
        2.88539009320555168,
        0.961791615863535726,
        0.577437395633056815,
        0.403386231337680019,
        0.406527430764209103,
    ),
    double=(
        2.88539008177792682,
        0.961796693925967923,
        0.577078016358331304,
        0.412198582728756334,
        0.320598925236400274,
        0.262307058246685945,
        0.221982226988185813,
        0.191879915585502514,
        0.174742841893206531,
        0.11996986053227953,
        0.246124852080349594,
    ),
)
# The normal tail over a in [0, reach] is a polynomial in q = offset / (offset + a), mapped to [-1,
# 1].
_normal_tail_over_q = polynomial(
    single=(
        0.274461852809248634,
        0.163538549566508872,
        0.0577010905783289568,
        0.00723726062078017378,
        -0.00248158037403446951,
        -0.000694448756033077438,
        0.000208776647813700303,
        0.0000479987880804858729,
        -0.0000194740710421921001,
    ),
    double=(
        0.203984254851703764,
        0.15533662323347366,
        0.0909143250437189658,
        0.0390208632369374313,
        0.0106892199489797358,
        0.000807196359219767073,
        -0.000622994612177474513,
        -0.000182833650166123291,
        0.0000367095254853159406,
        0.0000218939306558096608,
        -3.40034724049016046e-6,
        -2.5821276876903549e-6,
        5.43521796982586386e-7,
        2.98241447124558288e-7,
        -1.07887888323422181e-7,
        -2.80594803120942775e-8,
        2.07732499441017008e-8,
        7.28750562260057483e-10,
        -3.45785122230836144e-9,
        4.02935634493283763e-10,
        4.45259772144917103e-10,
        -6.72899631093820737e-11,
        -3.38328808385753262e-11,
    ),
)
_tail_offset = polynomial(single=(3.0,), double=(4.0,))
_tail_slope = polynomial(single=(2.0 * 17.5 / 14.5,), double=(2.0 * 42.6 / 38.6,))
_tail_shift = polynomial(single=(-20.5 / 14.5,), double=(-46.6 / 38.6,))


# GPUs have instructions of their own for exp2, falling_logistic, quotient and root in float32: see
# kernels/gpu/instructions.py.
@register_jitable
def exp2(t):
    """2^t. Relative error below 2e-7 (float32) or 4e-16 (float64)."""
    r = fraction(t)
    return scale(_exp2_of_fraction(r), whole(t))


@register_jitable
def falling_logistic(t):
    """1 / (1 + 2^t). Relative error below 2e-7 (float32) or 4e-16 (float64)."""
    below, above = _exp2_parts(t)
    return quotient(below, below + above)


@register_jitable
def _exp2_parts(t):
    """Two numbers whose quotient, above / below, is 2^t, for formulas that divide anyway. Where
    |t| < 1/2, above - below = 2 t.
    """
    r = fraction(t)
    a = _r_over_tanh(r * r)
    return a - r, scale(a + r, whole(t))


@register_jitable
def quotient(a, b):
    """a / b."""
    return a / b


@register_jitable
def root(a):
    """The square root of a."""
    return square_root(a)


@register_jitable
def silu(t, parameter):
    return silu_of(t, falling_logistic(t))


@register_jitable
def silu_of(t, s):
    """SiLU at t with s = 1 / (1 + 2^t)."""
    ln2 = like(t, LN2)
    g = t * s
    return g, fma(g, fma(s, ln2, -ln2), s)


@register_jitable
def relu(t, parameter):
    nil = like(t, 0.0)
    return where(t < nil, nil, t), where(t > nil, like(t, 1.0), nil)


@register_jitable
def leaky_relu(t, parameter):
    nil, slope = like(t, 0.0), like(t, parameter)
    return where(t < nil, slope * t, t), where(t > nil, like(t, 1.0), slope)


@register_jitable
def tanh(t, parameter):
    size = absolute(t)
    below, above = _exp2_parts(-size)
    one = quotient(like(t, 1.0), below + above)
    rise = where(size > like(t, 0.5), below - above, size + size)
    return with_sign_of(rise * one, t), like(t, 4.0) * (below * one) * (above * one)


@register_jitable
def gelu(t, parameter):
    one, nil = like(t, 1.0), like(t, 0.0)
    offset = _tail_offset(t)
    q = quotient(offset, offset + absolute(t))
    square, beyond = t * t, like(t, 1e4)  # from where the density is zero in either precision
    density = exp2(like(t, -0.5 / LN2) * where(square < beyond, square, beyond))
    tail = density * q * _normal_tail_over_q(fma(q, _tail_slope(t), _tail_shift(t)))
    distribution = where(t < nil, tail, one - tail)
    return t * distribution, fma(t * density, like(t, 0.3989422804014327), distribution)


@register_jitable
def softplus(t, parameter):
    one, nil = like(t, 1.0), like(t, 0.0)
    e = exp2(-absolute(t))
    s = quotient(one, one + e)
    q = quotient(e, like(t, 2.0) + e)
    return where(t < nil, nil, t) + q * _log2_over_q(q * q), where(t < nil, e * s, s)


@register_jitable
def sigmoid(t, parameter):
    one = like(t, 1.0)
    e = exp2(-absolute(t))
    s = quotient(one, one + e)
    return where(t < like(t, 0.0), e * s, s), e * s * s


class Formula(NamedTuple):
    """evaluate(t, parameter) -> (sigma(z) / output_unit, sigma'(z)) with t = z / input_unit."""

    evaluate: Callable
    input_unit: float
    output_unit: float


FORMULAS = {
    "silu": Formula(silu, -LN2, -LN2),
    "relu": Formula(relu, 1.0, 1.0),
    "leaky_relu": Formula(leaky_relu, 1.0, 1.0),
    "tanh": Formula(tanh, LN2 / 2, 1.0),
    "gelu": Formula(gelu, 1.0, 1.0),
    "softplus": Formula(softplus, LN2, LN2),
    "sigmoid": Formula(sigmoid, LN2, 1.0),
}


# The kernel's first argument carries the activation in its type, so these resolve while compiling.
def value_and_slope(spec, t, parameter):
    """(sigma(z) / output_unit, sigma'(z)) of the activation of `spec` at t = z / input_unit."""
    raise TypeError("value_and_slope runs inside compiled functions only")


# The units in which the activation of a Spec takes its argument and returns its value.
input_unit = constant_of_spec(lambda spec: FORMULAS[spec.activation].input_unit, types.float64)
output_unit = constant_of_spec(lambda spec: FORMULAS[spec.activation].output_unit, types.float64)


@overload(value_and_slope)
def _compile_value_and_slope(spec, t, parameter):
    if isinstance(t, Lanes) and t.count > spec.lanes.count:
        return _value_and_slope_by_halves
    evaluate = FORMULAS[spec.activation].evaluate
    return lambda spec, t, parameter: evaluate(t, parameter)


def _value_and_slope_by_halves(spec, t, parameter):
    # One point after the other: side by side they would need more registers than there are.
    first, second = halves(t)
    value0, slope0 = value_and_slope(spec, first, parameter)
    value1, slope1 = value_and_slope(spec, second, parameter)
    return side_by_side(value0, value1), side_by_side(slope0, slope1)


@register_jitable
def squared(f, y):
    r = f - y
    return r * r, r


@register_jitable
def logistic(f, y):
    # log(1 + e^f) - y f = softplus(sign f), without loss of digits where |f| is large.
    sign = fma(like(f, -2.0), y, like(f, 1.0))
    value, slope = softplus(like(f, 1.0 / LN2) * (sign * f), 0.0)
    return like(f, LN2) * value, sign * slope


class LossFormula(NamedTuple):
    """evaluate(f, y) -> (l, l' / factor) of the loss sum_p weight_p l(f_p, y_p); l' = dl/df."""

    evaluate: Callable
    factor: float


@register_jitable
def bounds_of_slopes(f, v, hidden):
    """Bounds of the squared loss's slopes, terms taken absolute, by a neuron's output and by its
    weight v: f bounds the net's output and y together, `hidden` the neuron's output.
    """
    return 2.0 * f * v, 2.0 * f * hidden


LOSS_FORMULAS = {"squared": LossFormula(squared, 2.0), "logistic": LossFormula(logistic, 1.0)}


def loss_and_residual(spec, f, y):
    """(l(f, y), l'(f, y) / factor) of the loss of `spec`: ((f - y)^2, f - y) or (softplus(f) - y f,
    sigmoid(f) - y).
    """
    raise TypeError("loss_and_residual runs inside compiled functions only")


loss_factor = constant_of_spec(lambda spec: LOSS_FORMULAS[spec.loss].factor, types.float64)


def add_loss(spec, total, f, y, weight):
    """total + weight l(f, y)."""
    raise TypeError("add_loss runs inside compiled functions only")


@overload(loss_and_residual)
def _compile_loss_and_residual(spec, f, y):
    evaluate = LOSS_FORMULAS[spec.loss].evaluate
    return lambda spec, f, y: evaluate(f, y)


@overload(add_loss)
def _compile_add_loss(spec, total, f, y, weight):
    if spec.loss == "squared":  # in the order that shares a product with the slope
        return lambda spec, total, f, y, weight: fma((f - y) * weight, f - y, total)
    evaluate = LOSS_FORMULAS[spec.loss].evaluate
    return lambda spec, total, f, y, weight: fma(evaluate(f, y)[0], weight, total)
