"""SiLU units on equally spaced points of one input: one exponential for eight points, one division
for two, or for four in float64.

SiLU takes s = 1 / (1 + 2^t) with t = w x + b. Among points that are h apart, those at a distance of
k h from the middle m of a span have t = (w m + b) +- k w h, so that with a = 2^(w m + b), once a
span, and b_k = 2^(k w h), once a step,

    s = 1 / (1 + a b_k)  and  1 / (1 + a / b_k) = b_k / (a + b_k)

are right to some roundings, and both take one division, of (1 + a b_k) (a + b_k). Spans have eight
points, the last one may have four; `engines.packing.spaced_points` puts each pair side by side, the
inner ones first.

Lanes in which a neuron is so steep that these numbers could overflow take the usual formula.
"""

from numba.extending import overload, register_jitable

from minilotto.kernels.formulas import exp2, silu_of, value_and_slope
from minilotto.kernels.groups import repeat, side_by_side
from minilotto.kernels.simd import (
    absolute,
    fma,
    like,
    polynomial,
    precision_of,
    sum_of_lanes,
    where,
)
from minilotto.kernels.spec import lanes_of, load, spread, store, zero
from minilotto.kernels.structures import SpacedPoints

GROUP, SPAN = 4, 8
AHEAD = 128  # points whose exponentials are taken at once
# Vectors of workspace that a neuron needs: b_k, whether a lane is steep, and a of all spans ahead.
POWERS = SPAN // 2
ROWS = POWERS + 1 + AHEAD // SPAN

# Of a lane that is not steep, 2^-reach <= b_k <= 2^reach. No a is above 2^top, from where on s is
# below 2^(reach - top). Then (1 + a b_k) (a + b_k), in float64 two such products, has a normal
# reciprocal.
_reach = polynomial(single=(20.0,), double=(100.0,))
_top = polynomial(single=(50.0,), double=(200.0,))


def prepare(spec, points, width, workspace, at, p):
    """Write to `workspace`, from `at` on, what `unit` needs at the points from p on."""
    raise TypeError("prepare runs inside compiled functions only")


def unit(spec, points, t, parameter, workspace, at, p, i, width):
    """value_and_slope of neuron i at t, its arguments at a group of points from p on."""
    raise TypeError("unit runs inside compiled functions only")


@overload(prepare, inline="always")
def _compile_prepare(spec, points, width, workspace, at, p):
    if points.instance_class is SpacedPoints:
        return _prepare
    return lambda spec, points, width, workspace, at, p: None


@overload(unit, inline="always")
def _compile_unit(spec, points, t, parameter, workspace, at, p, i, width):
    if points.instance_class is SpacedPoints:
        return _unit
    return lambda spec, points, t, parameter, workspace, at, p, i, width: value_and_slope(
        spec, t, parameter
    )


@register_jitable
def _steep(w, distance):
    """Whether a lane is, with the distance of a span's last points from its middle."""
    return absolute(w * distance) > _reach(w)


def _prepare(spec, points, width, workspace, at, p):
    lanes = lanes_of(spec)
    steep, middles = at + width * POWERS * lanes, at + width * (POWERS + 1) * lanes
    if p == 0:
        one = like(zero(spec), 1.0)
        for i in range(width):
            w = load(spec, workspace, i * 3 * lanes)
            for k in range(POWERS):
                distance = spread(spec, points.distance, k)
                row = k // 2 * 2 * width + 2 * i + k % 2
                store(workspace, at + row * lanes, exp2(w * distance))
            mask = _steep(w, spread(spec, points.distance, POWERS - 1))
            workspace[steep + i] = sum_of_lanes(where(mask, one, zero(spec)))
    if p % AHEAD == 0:
        first = p // SPAN
        for span in range(first, min(first + AHEAD // SPAN, points.middle.size)):
            middle = spread(spec, points.middle, span)
            for i in range(width):
                row = i * 3 * lanes
                t = fma(load(spec, workspace, row), middle, load(spec, workspace, row + lanes))
                t = where(t > _top(t), _top(t), t)
                store(workspace, middles + ((span - first) * width + i) * lanes, exp2(t))


def _unit(spec, points, t, parameter, workspace, at, p, i, width):
    lanes = lanes_of(spec)
    steep, middles = at + width * POWERS * lanes, at + width * (POWERS + 1) * lanes
    a = load(spec, workspace, middles + (p % AHEAD // SPAN * width + i) * lanes)
    pair = at + (p % SPAN // 2 * width + 2 * i) * lanes
    s = falling_logistics(a, load(spec, workspace, pair), load(spec, workspace, pair + lanes))
    value, slope = silu_of(t, s)
    if workspace[steep + i] > 0.0:
        w = repeat(spec, load(spec, workspace, i * 3 * lanes))
        mask = _steep(w, repeat(spec, spread(spec, points.distance, POWERS - 1)))
        usual_value, usual_slope = value_and_slope(spec, t, parameter)
        value, slope = where(mask, usual_value, value), where(mask, usual_slope, slope)
    return value, slope


@register_jitable
def falling_logistics(a, b, c):
    """1 / (1 + a b), 1 / (1 + a / b), 1 / (1 + a c) and 1 / (1 + a / c), side by side."""
    one = like(a, 1.0)
    d, e, f, g = fma(a, b, one), a + b, fma(a, c, one), a + c
    p, q = reciprocals(d * e, f * g)
    return side_by_side(side_by_side(e * p, d * (b * p)), side_by_side(g * q, f * (c * q)))


def reciprocals(a, b):
    """1 / a and 1 / b."""
    raise TypeError("reciprocals runs inside compiled functions only")


@overload(reciprocals)
def _compile_reciprocals(a, b):
    if precision_of(a) == 32:
        return lambda a, b: (like(a, 1.0) / a, like(b, 1.0) / b)

    def by_one_division(a, b):
        q = like(a, 1.0) / (a * b)
        return b * q, a * q

    return by_one_division
