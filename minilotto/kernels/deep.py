"""Several hidden layers, plain and residual: one lane is one seed, as in seed_parallel.

h_1 = sigma(w x + b), and for the layers l = 2, ..., L

    h_l = sigma(W_l h_(l-1) + b_l)   or, residual,   h_l = h_(l-1) + sigma(W_l h_(l-1) + b_l) / L

with f = v h_L + c. A block's parameters are rows of lanes: those of a net with one hidden layer, as
seed_parallel has them, then for each further layer and neuron its N weights and its bias.

Points are taken in groups whose activations stay in the cache. For a group, a layer takes three
products of matrices: its outputs, the gradient of its inputs, and that of its weights and biases,
which a step sums over its groups. Each is a sum in the order of its terms, so the groups change no
bit. The group of `spec`, which is of seed_parallel, is one point here.

Outputs are kept in the activation's output unit and sums in its input unit. E_l is dL/dh_l times
the output unit, and D_l is E_l times the slope of h_l. `_in_units` mends the gradients once a step.
"""

from typing import NamedTuple

from numba.extending import register_jitable

from minilotto.kernels.batches import numbers_at, points_of, row_at
from minilotto.kernels.compile import kernel
from minilotto.kernels.formulas import input_unit, loss_and_residual, output_unit, value_and_slope
from minilotto.kernels.products import ABSENT, matrix, multiply_add
from minilotto.kernels.simd import fma, like
from minilotto.kernels.spec import inputs_of, lanes_of, load, spread, store, zero
from minilotto.kernels.structures import Nets, Points, coefficients_of, step_lanes
from minilotto.kernels.subnormals import flush_subnormals, restore_mode


class Shape(NamedTuple):
    """Width N, hidden layers L and whether they are residual."""

    width: int
    depth: int
    residual: bool


MOST = 20  # points of a group


@register_jitable
def rows_of_shape(width, depth, inputs):
    """Parameters of one net."""
    return width * (inputs + 2) + 1 + (depth - 1) * width * (width + 1)


@register_jitable
def workspace_rows(width, depth, inputs):
    """Lanes of workspace of one block: scaled parameters, and of a group of points x and ones, each
    layer's slopes, values and ones, but outputs or residuals after the last, and E of one layer.
    """
    layers = depth * (2 * width + 1)
    return rows_of_shape(width, depth, inputs) + MOST * (inputs + 1 + layers + width)


@register_jitable
def _group_size(total):
    """Points of a group: equal groups of at most MOST, in whole tiles where possible."""
    groups = -(-total // MOST)
    return min(total, -(-total // (4 * groups)) * 4)


@kernel(inline="always")
def _layer(spec, shape, layer, theta, scaled):
    """Of a hidden layer, from 0: where its weights are in units, the row of the first, the rows of
    a neuron, and the layer's inputs.
    """
    width, inputs = shape.width, inputs_of(spec)
    if layer == 0:
        return scaled, 0, inputs + 2, inputs
    own = theta if output_unit(spec) == input_unit(spec) else scaled
    return own, rows_of_shape(width, layer, inputs), width + 1, width


@kernel()
def _in_units(spec, shape, source, target, inner):
    """target = source with w, b times `inner`, v times the output unit, W times the output unit
    over the input unit, and the further biases over the input unit.
    """
    width, stride, outward = shape.width, inputs_of(spec) + 2, output_unit(spec)
    inward, between = 1.0 / input_unit(spec), output_unit(spec) / input_unit(spec)
    for row in range(0, width * stride, stride):
        _scale(spec, source, target, row, row + stride - 1, inner)
        _scale(spec, source, target, row + stride - 1, row + stride, outward)
    rows = rows_of_shape(width, shape.depth, inputs_of(spec))
    for row in range(width * stride + 1, rows, width + 1):
        if between != 1.0:  # otherwise the kernels read theta
            _scale(spec, source, target, row, row + width, between)
        _scale(spec, source, target, row + width, row + width + 1, inward)


@kernel(inline="always")
def _scale(spec, source, target, begin, end, factor):
    for at in range(begin * lanes_of(spec), end * lanes_of(spec), lanes_of(spec)):
        store(target, at, load(spec, source, at) * like(zero(spec), factor))


@kernel()
def _forward(form, shape, theta, points, point_row, first, count, workspace):
    """Write value and slope of each layer at `count` points from `first` on, and the outputs f;
    returns where these are.
    """
    spec, parameter = form
    width, depth, residual = shape
    lanes, inputs, size = lanes_of(spec), inputs_of(spec), width * count
    one, share = like(zero(spec), 1.0), 1.0 / depth if residual else 1.0
    below = rows_of_shape(width, depth, inputs)
    for p in range(count):
        for d in range(inputs):
            x = numbers_at(spec, points, points.x, point_row, (first + p) * inputs + d, 1)
            store(workspace, (below + d * count + p) * lanes, x)
    for layer in range(depth):
        own, start, stride, fan_in = _layer(spec, shape, layer, theta, workspace)
        for p in range(fan_in * count, (fan_in + 1) * count):
            store(workspace, (below + p) * lanes, one)
        slopes = below + (fan_in + 1) * count
        b = matrix(spec, workspace, start + fan_in, stride, 0)
        w = matrix(spec, own, start, stride, 1)
        inner = matrix(spec, workspace, below, 1, count)
        z = matrix(spec, workspace, slopes, count, 1)
        multiply_add(spec, b, w, inner, z, ABSENT, width, count, fan_in)
        unit = share * (input_unit(spec) / output_unit(spec)) if layer > 0 else 1.0
        for at in range(slopes * lanes, (slopes + size) * lanes, lanes):
            value, slope = value_and_slope(spec, load(spec, workspace, at), parameter)
            if residual and layer > 0:
                before = load(spec, workspace, at - (slopes - below) * lanes)
                value = fma(value, like(one, share), before)
            store(workspace, at, slope * like(one, unit))
            store(workspace, at + size * lanes, value)
        below = slopes + size
    outputs = below + size
    c = matrix(spec, theta, width * (inputs + 2), 0, 0)
    v = matrix(spec, workspace, inputs + 1, 0, inputs + 2)
    inner = matrix(spec, workspace, below, 1, count)
    f = matrix(spec, workspace, outputs, 0, 1)
    multiply_add(spec, c, v, inner, f, ABSENT, 1, count, width)
    return outputs


@kernel()
def _gradient(form, shape, theta, points, total, point_row, gradient, workspace):
    """Write the gradient of a block's losses on row `point_row` of its points, `total` of them."""
    spec, _ = form
    width, depth, residual = shape
    lanes, inputs = lanes_of(spec), inputs_of(spec)
    _in_units(spec, shape, theta, workspace, 1.0 / input_unit(spec))
    for row in range(rows_of_shape(width, depth, inputs)):
        store(gradient, row * lanes, zero(spec))
    constant, group = width * (inputs + 2) * lanes, _group_size(total)
    for first in range(0, total, group):
        count = min(group, total - first)
        outputs = _forward(form, shape, theta, points, point_row, first, count, workspace)
        dc = load(spec, gradient, constant)
        for p in range(count):
            f = load(spec, workspace, (outputs + p) * lanes)
            y = numbers_at(spec, points, points.y, point_row, first + p, 1)
            _, r = loss_and_residual(spec, f, y)
            r = r * numbers_at(spec, points, points.slope_weight, point_row, first + p, 1)
            dc = dc + r
            store(workspace, (outputs + p) * lanes, r)
        store(gradient, constant, dc)
        values = outputs - width * count
        dv = matrix(spec, gradient, inputs + 1, inputs + 2, 0)
        inner = matrix(spec, workspace, values, count, 1)
        residuals = matrix(spec, workspace, outputs, 0, 1)
        multiply_add(spec, dv, inner, residuals, dv, ABSENT, width, 1, count)
        # E of the last layer is v r; that of another is a sum over the neurons of the next.
        left = matrix(spec, workspace, inputs + 1, inputs + 2, 0)
        right = matrix(spec, workspace, outputs, 1, 0)
        terms, before = 1, ABSENT
        after = matrix(spec, workspace, outputs + count, count, 1) if residual else ABSENT
        for layer in range(depth - 1, -1, -1):
            own, start, stride, fan_in = _layer(spec, shape, layer, theta, workspace)
            slopes = values - width * count
            values = slopes - (fan_in + 1) * count
            d = matrix(spec, workspace, slopes, count, 1)
            multiply_add(spec, before, left, right, after, d, width, count, terms)
            dw = matrix(spec, gradient, start, stride, 1)
            inner = matrix(spec, workspace, values, count, 1)
            multiply_add(spec, dw, d, inner, dw, ABSENT, width, fan_in + 1, count)
            left = matrix(spec, own, start, 1, stride)
            right = matrix(spec, workspace, slopes, 1, count)
            terms, before = width, after
    _in_units(spec, shape, gradient, gradient, 1.0 / output_unit(spec))


@kernel()
def train_blocks(form, shape, nets, points, schedule, scratch, begin, end):
    """As seed_parallel.train_blocks does, for nets of a Shape."""
    mode = flush_subnormals(schedule.flush)
    spec, _ = form
    rows = rows_of_shape(shape.width, shape.depth, inputs_of(spec))
    for block in range(begin, end):
        own = Nets(nets.theta[block], nets.m[block], nets.s[block])
        gradient, workspace = scratch.gradient[block], scratch.workspace[block]
        here, total = points_of(spec, points, block)
        for step in range(schedule.lr.size):
            point_row = row_at(spec, here, step)
            _gradient(form, shape, own.theta, here, total, point_row, gradient, workspace)
            coefficients = coefficients_of(schedule, step)
            for at in range(0, rows * lanes_of(spec), lanes_of(spec)):
                step_lanes(spec, own, load(spec, gradient, at), at, coefficients)
    restore_mode(mode)


@kernel()
def loss_blocks(form, shape, theta, x, y, weight, losses, workspace):
    """Write the loss of every net: losses (blocks, lanes)."""
    spec, lanes, group = form.spec, lanes_of(form.spec), _group_size(y.size)
    points = Points(x, y, weight)
    for block in range(theta.shape[0]):
        _in_units(spec, shape, theta[block], workspace, 1.0 / input_unit(spec))
        total = zero(spec)
        for first in range(0, y.size, group):
            count = min(group, y.size - first)
            outputs = _forward(form, shape, theta[block], points, 0, first, count, workspace)
            for p in range(count):
                f = load(spec, workspace, (outputs + p) * lanes)
                loss, _ = loss_and_residual(spec, f, spread(spec, y, first + p))
                total = fma(loss, spread(spec, weight, first + p), total)
        store(losses[block], 0, total)


@kernel()
def predict_blocks(form, shape, theta, x, outputs, workspace):
    """Write f(x_p) of every net: outputs (blocks, P, lanes)."""
    spec, lanes, total = form.spec, lanes_of(form.spec), outputs.shape[1]
    points, group = Points(x, x, x), _group_size(total)
    for block in range(theta.shape[0]):
        _in_units(spec, shape, theta[block], workspace, 1.0 / input_unit(spec))
        for first in range(0, total, group):
            count = min(group, total - first)
            place = _forward(form, shape, theta[block], points, 0, first, count, workspace)
            for p in range(count):
                store(outputs[block, first + p], 0, load(spec, workspace, (place + p) * lanes))
