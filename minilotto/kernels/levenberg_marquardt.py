"""Levenberg-Marquardt for many seeds at once: one lane is one seed, as in seed_parallel.

With J the derivatives of the P outputs by the M parameters, r the residuals and W the weights, an
iteration solves

    (A + lambda S) step = -B^T R,   B = W^1/2 J,   R = W^1/2 r,   A = B^T B,

where S_m = A_mm + FLOOR trace(A) / M: Marquardt's scaling, with a floor for parameters on which the
outputs hardly depend, such as those of dead neurons. Where there are fewer points than parameters,
the P x P matrix C C^T + lambda with C = B S^-1/2 gives the same step at less cost:
step = -S^-1/2 C^T (C C^T + lambda)^-1 R.

A step that does not lower the loss, or is not finite (the factorisation of a matrix that is
indefinite by rounding gives NaN), is rejected. lambda follows Nielsen's rule (1999): with the ratio
of the loss's decrease to the predicted one it falls smoothly, to a third at most; after rejections
it rises ever faster, by 2, 4, 8, ... Each net has its own lambda and its own next factor, in the
last rows of `nets.m` and `nets.s`.

The matrix of either form is a Gram matrix of rows: B's columns over the points, or C's rows over
the parameters. The right side is one more row, which the factorisation turns into L^-1 times it.
Each element is a sum in the order of its terms, so neither tiles nor the CPU's vector width change
a bit.
"""

from typing import NamedTuple

from numpy.typing import NDArray

from minilotto.kernels.compile import kernel
from minilotto.kernels.formulas import output_unit, value_and_slope
from minilotto.kernels.seed_parallel import _output, _to_units
from minilotto.kernels.simd import absolute, fma, like, square_root, sum_of_lanes, where
from minilotto.kernels.spec import Spec, inputs_of, lanes_of, load, spread, store, zero
from minilotto.kernels.structures import Nets
from minilotto.kernels.subnormals import flush_subnormals, restore_mode
from minilotto.kernels.tiles import (
    add_outer,
    edge_of,
    load_tile,
    store_tile,
    subtract_outer,
    tile_edge,
)

FLOOR = 0.01
LOWEST, HIGHEST = 1e-16, 1e16  # bounds of lambda
FASTEST = 2.0**30  # bound of the factor
START, FIRST_FACTOR = 0.1, 2.0
TERMS = 33  # of each sum at a time: their factors stay in the cache


class NormalScratch(NamedTuple):
    """Of one thread, in numbers of `lanes` a place: M parameters, P points, n the lesser of the
    two, Q = n + 1 rounded up to whole tiles.

    scaled, trial, step, scale (M,)    in units; theta + step; -step; S or S^-1/2
    factors (Q K,)                     rows of the Gram matrix's factor; K is TERMS where n = M,
                                       else M; rows from n on are zero but for the right side
    matrix (Q Q,)                      the lower triangle counts
    """

    scaled: NDArray
    trial: NDArray
    step: NDArray
    scale: NDArray
    factors: NDArray
    matrix: NDArray


@kernel()
def shape_of(edge, size):
    """Rows of a matrix of `size` columns and a right side, in whole tiles; and places from one row
    to the next: an odd number, lest rows compete for the same lines of the cache.
    """
    rows = (size // edge + 1) * edge
    return rows, rows | 1


def scratch_sizes(spec: Spec, width: int, points: int) -> tuple[int, ...]:
    """The lengths of the arrays of NormalScratch for nets of that width on so many points."""
    parameters = width * (spec.inputs + 2) + 1
    size = min(points, parameters)
    rows, stride = shape_of(tile_edge(spec.lanes), size)
    terms = parameters if points < parameters else TERMS
    lengths = (*(parameters,) * 4, rows * terms, rows * stride)
    return tuple(spec.lanes * length for length in lengths)


@kernel()
def _linearise(form, width, theta, scratch, data, first, count, strides, right, total):
    """Write B of `count` points from `first` on, element (m, p) at m strides[0] + p strides[1] of
    the factors, and R into right[0] from right[1] on. Returns total + the sum of R^2.
    """
    spec, parameter = form
    x, y, root_weight = data
    lanes, inputs = lanes_of(spec), inputs_of(spec)
    scaled, factors = scratch.scaled, scratch.factors
    by_row, by_point = strides
    outward = like(zero(spec), output_unit(spec))
    for p in range(count):
        here, point = p * by_point, first + p
        weight = spread(spec, root_weight, point)
        value_weight = weight * outward
        f = load(spec, theta, width * (inputs + 2) * lanes)
        for i in range(width):
            row = i * (inputs + 2)
            t = load(spec, scaled, (row + inputs) * lanes)
            for d in range(inputs):
                w = load(spec, scaled, (row + d) * lanes)
                t = fma(w, spread(spec, x, point * inputs + d), t)
            value, slope = value_and_slope(spec, t, parameter)
            last = (row + inputs + 1) * lanes
            f = fma(load(spec, scaled, last), value, f)
            db = slope * (load(spec, theta, last) * weight)
            for d in range(inputs):
                dw = db * spread(spec, x, point * inputs + d)
                store(factors, (row + d) * by_row + here, dw)
            store(factors, (row + inputs) * by_row + here, db)
            store(factors, (row + inputs + 1) * by_row + here, value * value_weight)
        store(factors, width * (inputs + 2) * by_row + here, weight)
        r = (f - spread(spec, y, point)) * weight
        store(right[0], right[1] + p * lanes, r)
        total = fma(r, r, total)
    return total


@kernel()
def _loss(form, width, theta, scaled, data):
    """The loss, with the operations of `_linearise`."""
    spec, _ = form
    x, y, root_weight = data
    total = zero(spec)
    for p in range(y.size):
        f = _output(form, width, theta, scaled, x, p)
        r = (f - spread(spec, y, p)) * spread(spec, root_weight, p)
        total = fma(r, r, total)
    return total


@kernel()
def _add_gram(spec, matrix, size, factors, stride, count):
    """matrix[i, j] += sum_k factors[i, k] factors[j, k] over `count` columns, for j <= i; rows of
    factors are `stride` apart.
    """
    lanes, edge = lanes_of(spec), edge_of(spec)
    rows, step = shape_of(edge, size)
    for start in range(0, count, TERMS):
        stop = min(start + TERMS, count) * lanes
        for i in range(0, rows, edge):
            for j in range(0, i + edge, edge):
                at = (i * step + j) * lanes
                tile = load_tile(spec, matrix, at, step * lanes)
                for k in range(start * lanes, stop, lanes):
                    tile = add_outer(spec, tile, factors, i * stride + k, j * stride + k, stride)
                store_tile(spec, matrix, at, step * lanes, tile)


@kernel()
def _factorise(spec, matrix, size):
    """Replace the first `size` columns by those of the Cholesky factor L, its diagonal by its
    inverse; row `size`, the right side g, becomes L^-1 g.
    """
    lanes, edge = lanes_of(spec), edge_of(spec)
    rows, stride = shape_of(edge, size)
    stride *= lanes
    for first in range(0, size, edge):
        for i in range(first, rows, edge):
            at = i * stride + first * lanes
            tile = load_tile(spec, matrix, at, stride)
            for k in range(0, first * lanes, lanes):
                tile = subtract_outer(
                    spec, tile, matrix, i * stride + k, first * stride + k, stride
                )
            store_tile(spec, matrix, at, stride, tile)
        for j in range(first, min(first + edge, size)):
            inverse = zero(spec)
            for i in range(j, size + 1):
                value = load(spec, matrix, i * stride + j * lanes)
                for k in range(first * lanes, j * lanes, lanes):
                    a, b = load(spec, matrix, i * stride + k), load(spec, matrix, j * stride + k)
                    value = fma(-a, b, value)
                if i == j:
                    inverse = like(value, 1.0) / square_root(value)
                    store(matrix, i * stride + j * lanes, inverse)
                else:
                    store(matrix, i * stride + j * lanes, value * inverse)


@kernel()
def _solve(spec, matrix, size):
    """Replace L^-1 g in row `size` by L^-T L^-1 g."""
    lanes = lanes_of(spec)
    stride = shape_of(edge_of(spec), size)[1] * lanes
    last = size * stride
    for k in range(size - 1, -1, -1):
        row = k * stride
        u = load(spec, matrix, last + k * lanes) * load(spec, matrix, row + k * lanes)
        store(matrix, last + k * lanes, u)
        for i in range(0, k * lanes, lanes):
            rest = fma(-load(spec, matrix, row + i), u, load(spec, matrix, last + i))
            store(matrix, last + i, rest)


@kernel()
def _squares(spec, array, start, count):
    """The sum of the squares of `count` numbers of each lane."""
    total = zero(spec)
    for at in range(start, start + count * lanes_of(spec), lanes_of(spec)):
        value = load(spec, array, at)
        total = fma(value, value, total)
    return total


@kernel()
def _clear(spec, array):
    for at in range(0, array.size, lanes_of(spec)):
        store(array, at, zero(spec))


@kernel()
def _add_floor(spec, scale, size):
    """Add FLOOR times their mean to the numbers in `scale`."""
    total = zero(spec)
    for at in range(0, scale.size, lanes_of(spec)):
        total = total + load(spec, scale, at)
    floor = total * like(total, FLOOR / size)
    for at in range(0, scale.size, lanes_of(spec)):
        store(scale, at, load(spec, scale, at) + floor)


@kernel()
def _step_by_parameters(form, width, theta, data, scratch, damping):
    """Write -step. Returns the loss and the decrease that it predicts."""
    spec, _ = form
    step, scale, factors, matrix = scratch.step, scratch.scale, scratch.factors, scratch.matrix
    lanes, points = lanes_of(spec), data[1].size
    size, stride = theta.size // lanes, TERMS * lanes
    down = shape_of(edge_of(spec), size)[1] * lanes
    last = size * down
    loss = zero(spec)
    _clear(spec, matrix)
    for first in range(0, points, TERMS):
        count, right = min(TERMS, points - first), (factors, size * stride)
        loss = _linearise(
            form, width, theta, scratch, data, first, count, (stride, lanes), right, loss
        )
        _add_gram(spec, matrix, size, factors, stride, count)
    for m in range(size):
        store(scale, m * lanes, load(spec, matrix, m * (down + lanes)))
    _add_floor(spec, scale, size)
    for m in range(size):
        at = m * (down + lanes)
        store(matrix, at, fma(damping, load(spec, scale, m * lanes), load(spec, matrix, at)))
    _factorise(spec, matrix, size)
    predicted = _squares(spec, matrix, last, size)
    _solve(spec, matrix, size)
    length = zero(spec)
    for m in range(0, size * lanes, lanes):
        u = load(spec, matrix, last + m)
        length = fma(u * u, load(spec, scale, m), length)
        store(step, m, u)
    return loss, fma(damping, length, predicted)


@kernel()
def _step_by_points(form, width, theta, data, scratch, damping):
    """The same by the matrix of the points."""
    spec, _ = form
    trial, step, scale, factors, matrix = scratch[1:]
    lanes, size, stride = lanes_of(spec), data[1].size, theta.size
    down = shape_of(edge_of(spec), size)[1] * lanes
    last = size * down
    right = (trial, 0)  # there are fewer points than parameters
    loss = _linearise(
        form, width, theta, scratch, data, 0, size, (lanes, stride), right, zero(spec)
    )
    _clear(spec, scale)
    for p in range(0, size * stride, stride):
        for m in range(0, stride, lanes):
            b = load(spec, factors, p + m)
            store(scale, m, fma(b, b, load(spec, scale, m)))
    _add_floor(spec, scale, stride // lanes)
    for m in range(0, stride, lanes):
        s = load(spec, scale, m)
        store(scale, m, like(s, 1.0) / square_root(s))
    for p in range(0, size * stride, stride):
        for m in range(0, stride, lanes):
            store(factors, p + m, load(spec, factors, p + m) * load(spec, scale, m))
    _clear(spec, matrix)
    for p in range(size):
        store(matrix, p * (down + lanes), damping)
        store(matrix, last + p * lanes, load(spec, trial, p * lanes))
    _add_gram(spec, matrix, size, factors, stride, stride // lanes)
    _factorise(spec, matrix, size)
    _solve(spec, matrix, size)
    _clear(spec, step)
    for p in range(size):
        u = load(spec, matrix, last + p * lanes)
        store(trial, p * lanes, fma(-damping, u, load(spec, trial, p * lanes)))
        for m in range(0, stride, lanes):
            c = load(spec, factors, p * stride + m)
            store(step, m, fma(c, u, load(spec, step, m)))
    length = _squares(spec, step, 0, stride // lanes)
    predicted = _squares(spec, trial, 0, size)
    for m in range(0, stride, lanes):
        store(step, m, load(spec, step, m) * load(spec, scale, m))
    return loss, fma(like(length, 2.0) * damping, length, predicted)


@kernel()
def _iterate(form, width, net, data, scratch):
    """One iteration of a block. Returns whether it changed anything."""
    spec, _ = form
    theta, trial, lanes = net.theta, scratch.trial, lanes_of(spec)
    last = theta.size - lanes
    damping, factor = load(spec, net.m, last), load(spec, net.s, last)
    _to_units(spec, width, theta, scratch.scaled)
    if data[1].size * lanes < theta.size:
        loss, predicted = _step_by_points(form, width, theta, data, scratch, damping)
    else:
        loss, predicted = _step_by_parameters(form, width, theta, data, scratch, damping)
    for at in range(0, theta.size, lanes):
        store(trial, at, load(spec, theta, at) - load(spec, scratch.step, at))
    _to_units(spec, width, trial, scratch.scaled)
    nil, one = zero(spec), like(loss, 1.0)
    decrease = loss - _loss(form, width, trial, scratch.scaled, data)
    accepted = decrease > nil  # not where it is NaN
    for at in range(0, theta.size, lanes):
        store(theta, at, where(accepted, load(spec, trial, at), load(spec, theta, at)))
    # Nielsen's rule, with twice the ratio of the decrease to the predicted one, less 1.
    gain = fma(like(loss, 2.0), decrease / predicted, -one)
    third = like(loss, 1.0 / 3.0)
    fall = fma(-gain * gain, gain, one)
    new = damping * where(accepted, where(fall > third, fall, third), factor)
    new = where(new < like(new, LOWEST), like(new, LOWEST), new)
    new = where(new > like(new, HIGHEST), like(new, HIGHEST), new)
    faster = where(factor < like(factor, FASTEST), factor + factor, factor)
    faster = where(accepted, like(factor, FIRST_FACTOR), faster)
    store(net.m, last, new)
    store(net.s, last, faster)
    change = where(accepted, one, absolute(new - damping) + absolute(faster - factor))
    return sum_of_lanes(change) != 0.0


@kernel()
def train_blocks(form, width, nets, data, iterations, flush, scratch, begin, end):
    """Do so many iterations of blocks `begin` to `end` - 1, in place. data: x (P * D,), y (P,) and
    the square roots of the weights (P,).
    """
    mode = flush_subnormals(flush)
    for block in range(begin, end):
        net = Nets(nets.theta[block], nets.m[block], nets.s[block])
        for _ in range(iterations):
            # An iteration that changes nothing is repeated for ever.
            if not _iterate(form, width, net, data, scratch):
                break
    restore_mode(mode)
