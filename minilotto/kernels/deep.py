"""Several hidden layers, plain and residual: one lane is one seed, as in seed_parallel.

h_1 = sigma(w x + b), and for the layers l = 2, ..., L

    h_l = sigma(W_l h_(l-1) + b_l)   or, residual,   h_l = h_(l-1) + sigma(W_l h_(l-1) + b_l) / L

with f = v h_L + c. A block's parameters are rows of lanes: those of a net with one hidden layer, as
seed_parallel has them, then for each further layer the N x N rows of W_l and the N of b_l.

Points are taken in groups whose activations stay in the cache. For a group, a layer takes three
products of matrices: its outputs, the gradient of its inputs, and that of its weights, which a step
sums over its groups. Each is a sum in the order of its terms, so the groups change no bit. The
group of `spec`, which is of seed_parallel, is one point here.

Outputs are kept in the activation's output unit and sums in its input unit (`_to_units`). E_l is
dL/dh_l times the output unit, and D_l is E_l times the slope of h_l. What multiplies the gradients
because of this is taken out once a step (`_from_units`).
"""

from typing import NamedTuple

from numba.extending import register_jitable

from minilotto.kernels.batches import count_of, numbers_at, points_of, row_at
from minilotto.kernels.compile import kernel
from minilotto.kernels.formulas import input_unit, loss_and_residual, output_unit, value_and_slope
from minilotto.kernels.products import matrix, multiply_add
from minilotto.kernels.seed_parallel import _to_units as _first_to_units
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
    """Lanes of workspace of one block: scaled parameters; of a group of points, value and slope in
    each layer, E of one layer, outputs or residuals, x, and ones.
    """
    return rows_of_shape(width, depth, inputs) + MOST * (width * (2 * depth + 1) + inputs + 2)


@register_jitable
def _group_size(total):
    """Points of a group: equal groups of at most MOST, in whole tiles where possible."""
    groups = -(-total // MOST)
    return min(total, -(-total // (4 * groups)) * 4)


@kernel()
def _places(spec, shape, layer):
    """Where W_l and b_l of layer `layer` (from 1) lie, in lanes."""
    width = shape.width
    weights = width * (inputs_of(spec) + 2) + 1 + (layer - 1) * width * (width + 1)
    return weights, weights + width * width


@kernel(inline="always")
def _to_units(spec, shape, theta, scaled):
    """scaled = theta with weights and biases in units: w, b over the input unit, v times the output
    unit, and W times the output unit over the input unit.
    """
    lanes, width = lanes_of(spec), shape.width
    _first_to_units(spec, width, theta, scaled)
    both, inward = output_unit(spec) / input_unit(spec), 1.0 / input_unit(spec)
    for layer in range(1, shape.depth):
        weights, biases = _places(spec, shape, layer)
        if both != 1.0:  # otherwise the kernels read theta
            _scale(spec, theta, scaled, weights * lanes, biases * lanes, both)
        _scale(spec, theta, scaled, biases * lanes, (biases + width) * lanes, inward)


@kernel(inline="always")
def _scale(spec, source, target, begin, end, factor):
    for at in range(begin, end, lanes_of(spec)):
        store(target, at, load(spec, source, at) * like(zero(spec), factor))


@kernel(inline="always")
def _weights(spec, theta, scaled):
    """Where W of `_to_units` is."""
    return theta if output_unit(spec) == input_unit(spec) else scaled


@kernel()
def _forward(form, shape, theta, points, point_row, first, count, workspace):
    """Write value and slope of each layer at `count` points from `first` on, and the outputs f;
    returns where these are.
    """
    spec, parameter = form
    width, depth, residual = shape
    lanes, inputs = lanes_of(spec), inputs_of(spec)
    rows = rows_of_shape(width, depth, inputs)
    size = width * count
    last = rows + 2 * (depth - 1) * size
    outputs = last + 3 * size
    coordinates = (outputs + count) * lanes
    for p in range(count):
        at = coordinates + p * lanes
        for d in range(inputs):
            x = numbers_at(spec, points, points.x, point_row, (first + p) * inputs + d, 1)
            store(workspace, at + d * count * lanes, x)
        store(workspace, at + inputs * count * lanes, like(zero(spec), 1.0))
    for i in range(width):
        row, at = i * (inputs + 2) * lanes, (rows + i * count) * lanes
        for p in range(count):
            t = load(spec, workspace, row + inputs * lanes)
            for d in range(inputs):
                x = load(spec, workspace, coordinates + (d * count + p) * lanes)
                t = fma(load(spec, workspace, row + d * lanes), x, t)
            value, slope = value_and_slope(spec, t, parameter)
            store(workspace, at, value)
            store(workspace, at + size * lanes, slope)
            at += lanes
    share = 1.0 / depth if residual else 1.0
    in_units = like(zero(spec), share * (input_unit(spec) / output_unit(spec)))
    for layer in range(1, depth):
        values = rows + 2 * layer * size
        below, slopes = values - 2 * size, values + size
        weights, biases = _places(spec, shape, layer)
        multiply_add(
            spec,
            matrix(workspace, biases, 1, 0),
            matrix(_weights(spec, theta, workspace), weights, width, 1),
            matrix(workspace, below, 1, count),
            matrix(workspace, slopes, count, 1),
            None,
            width,
            count,
            width,
        )
        for at in range(0, size * lanes, lanes):
            t = load(spec, workspace, slopes * lanes + at)
            value, slope = value_and_slope(spec, t, parameter)
            if residual:
                value = fma(value, like(value, share), load(spec, workspace, below * lanes + at))
            store(workspace, values * lanes + at, value)
            store(workspace, slopes * lanes + at, slope * in_units)
    multiply_add(
        spec,
        matrix(theta, width * (inputs + 2), 0, 0),
        matrix(workspace, inputs + 1, 0, inputs + 2),
        matrix(workspace, last, 1, count),
        matrix(workspace, outputs, 0, 1),
        None,
        1,
        count,
        width,
    )
    return outputs


@kernel()
def _gradient(form, shape, theta, points, point_row, gradient, workspace):
    """Write the gradient of a block's losses on row `point_row` of its points."""
    spec, _ = form
    width, depth, residual = shape
    lanes, inputs = lanes_of(spec), inputs_of(spec)
    rows = rows_of_shape(width, depth, inputs)
    stride = inputs + 2
    _to_units(spec, shape, theta, workspace)
    for row in range(0, rows * lanes, lanes):
        store(gradient, row, zero(spec))
    total = count_of(spec, points)
    group = _group_size(total)
    for first in range(0, total, group):
        count = min(group, total - first)
        residuals = _forward(form, shape, theta, points, point_row, first, count, workspace)
        size = width * count
        errors, values = residuals - size, residuals - 3 * size
        _residuals(form, shape, points, point_row, first, count, gradient, workspace, residuals)
        by_points = matrix(workspace, residuals, 0, 1)
        dv = matrix(gradient, inputs + 1, stride, 0)
        multiply_add(
            spec, dv, matrix(workspace, values, count, 1), by_points, dv, None, width, 1, count
        )
        _last_errors(spec, shape, count, workspace, residuals)
        ones = matrix(workspace, residuals + (1 + inputs) * count, 0, 1)
        for layer in range(depth - 1, 0, -1):
            slopes = rows + (2 * layer + 1) * size
            weights, biases = _places(spec, shape, layer)
            by_points = matrix(workspace, slopes, count, 1)
            db, dw = matrix(gradient, biases, 1, 0), matrix(gradient, weights, width, 1)
            multiply_add(spec, db, by_points, ones, db, None, width, 1, count)
            values = matrix(workspace, slopes - 3 * size, count, 1)
            multiply_add(spec, dw, by_points, values, dw, None, width, width, count)
            by_inputs = matrix(_weights(spec, theta, workspace), weights, 1, width)
            by_neurons = matrix(workspace, slopes, 1, count)
            below = matrix(workspace, slopes - 2 * size, count, 1)
            if residual:
                sums = matrix(workspace, errors, count, 1)
                multiply_add(spec, sums, by_inputs, by_neurons, sums, None, width, count, width)
                for at in range(0, size * lanes, lanes):
                    error = load(spec, workspace, errors * lanes + at)
                    place = (slopes - 2 * size) * lanes + at
                    store(workspace, place, error * load(spec, workspace, place))
            else:
                multiply_add(spec, None, by_inputs, by_neurons, below, below, width, count, width)
        first_layer = matrix(gradient, 0, stride, 1)
        by_points = matrix(workspace, rows + size, count, 1)
        coordinates = matrix(workspace, residuals + count, count, 1)
        multiply_add(
            spec, first_layer, by_points, coordinates, first_layer, None, width, inputs + 1, count
        )
    _from_units(spec, shape, gradient)


@kernel(inline="always")
def _residuals(form, shape, points, point_row, first, count, gradient, workspace, outputs):
    """Replace outputs by residuals, and add these to dc."""
    spec, _ = form
    lanes = lanes_of(spec)
    constant = shape.width * (inputs_of(spec) + 2) * lanes
    dc = load(spec, gradient, constant)
    for p in range(count):
        f = load(spec, workspace, (outputs + p) * lanes)
        _, r = loss_and_residual(
            spec, f, numbers_at(spec, points, points.y, point_row, first + p, 1)
        )
        r = r * numbers_at(spec, points, points.slope_weight, point_row, first + p, 1)
        dc = dc + r
        store(workspace, (outputs + p) * lanes, r)
    store(gradient, constant, dc)


@kernel(inline="always")
def _last_errors(spec, shape, count, workspace, residuals):
    """Replace the slopes of the last layer by D; where later layers add, write E too."""
    lanes, inputs, size = lanes_of(spec), inputs_of(spec), shape.width * count
    at = (residuals - size) * lanes
    for i in range(shape.width):
        v = load(spec, workspace, (i * (inputs + 2) + inputs + 1) * lanes)
        for p in range(count):
            error = v * load(spec, workspace, (residuals + p) * lanes)
            if shape.residual:
                store(workspace, at, error)
            place = at - size * lanes
            store(workspace, place, error * load(spec, workspace, place))
            at += lanes


@kernel(inline="always")
def _from_units(spec, shape, gradient):
    """Complete the sums of `_gradient`, which have the output unit in w, b, the input unit in b_l,
    their quotient in W_l, and lack the output unit in v.
    """
    lanes, inputs, width = lanes_of(spec), inputs_of(spec), shape.width
    both, inward = output_unit(spec) / input_unit(spec), 1.0 / input_unit(spec)
    for row in range(0, width * (inputs + 2) * lanes, (inputs + 2) * lanes):
        last = row + (inputs + 1) * lanes
        _scale(spec, gradient, gradient, row, last, 1.0 / output_unit(spec))
        _scale(spec, gradient, gradient, last, last + lanes, output_unit(spec))
    for layer in range(1, shape.depth):
        weights, biases = _places(spec, shape, layer)
        if both != 1.0:
            _scale(spec, gradient, gradient, weights * lanes, biases * lanes, both)
        _scale(spec, gradient, gradient, biases * lanes, (biases + width) * lanes, inward)


@kernel()
def train_blocks(form, shape, nets, points, schedule, scratch, begin, end):
    """As seed_parallel.train_blocks does, for nets of a Shape."""
    mode = flush_subnormals(schedule.flush)
    spec, _ = form
    rows = rows_of_shape(shape.width, shape.depth, inputs_of(spec))
    for block in range(begin, end):
        own = Nets(nets.theta[block], nets.m[block], nets.s[block])
        gradient, workspace = scratch.gradient[block], scratch.workspace[block]
        here = points_of(spec, points, block)
        for step in range(schedule.lr.size):
            point_row = row_at(spec, here, step)
            _gradient(form, shape, own.theta, here, point_row, gradient, workspace)
            coefficients = coefficients_of(schedule, step)
            for at in range(0, rows * lanes_of(spec), lanes_of(spec)):
                step_lanes(spec, own, load(spec, gradient, at), at, coefficients)
    restore_mode(mode)


@kernel()
def loss_blocks(form, shape, theta, x, y, weight, losses, workspace):
    """Write the loss of every net: losses (blocks, lanes)."""
    spec, _ = form
    lanes = lanes_of(spec)
    points = Points(x, y, weight)
    for block in range(theta.shape[0]):
        _to_units(spec, shape, theta[block], workspace)
        total = zero(spec)
        group = _group_size(y.size)
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
    spec, _ = form
    lanes, total = lanes_of(spec), outputs.shape[1]
    points = Points(x, x, x)
    for block in range(theta.shape[0]):
        _to_units(spec, shape, theta[block], workspace)
        group = _group_size(total)
        for first in range(0, total, group):
            count = min(group, total - first)
            place = _forward(form, shape, theta[block], points, 0, first, count, workspace)
            for p in range(count):
                store(outputs[block, first + p], 0, load(spec, workspace, (place + p) * lanes))
