"""Several hidden layers, plain and residual: one lane is one seed, as in seed_parallel.

h_1 = sigma(w x + b), and for the layers l = 2, ..., L

    h_l = sigma(W_l h_(l-1) + b_l)   or, residual,   h_l = h_(l-1) + sigma(W_l h_(l-1) + b_l) / L

with f = v h_L + c. A block's parameters are rows of lanes: those of a net with one hidden layer, as
seed_parallel has them, then for each further layer the N x N rows of W_l and the N of b_l.

Points are taken in groups whose activations stay in the cache. For a group, a layer takes three
products of matrices: its outputs, the gradient of its inputs, and that of its weights, which a step
sums over its groups. Each is a sum in the order of its terms, so the groups change no bit.

Outputs are kept in the activation's output unit and sums in its input unit (`_to_units`). E_l is
dL/dh_l times the output unit, and D_l is E_l times the slope of h_l. What multiplies the gradients
because of this is taken out once a step (`_from_units`).
"""

from typing import NamedTuple

from numba.extending import register_jitable

from minilotto.kernels.batches import count_of, number_at, points_of, row_at
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
    """Lanes of workspace of one block: scaled parameters; value and slope of a group of points in
    each layer; the gradient of one layer's outputs; outputs or residuals.
    """
    return rows_of_shape(width, depth, inputs) + MOST * (width * (2 * depth + 1) + 1)


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
    both = like(zero(spec), output_unit(spec) / input_unit(spec))
    inward = like(zero(spec), 1.0 / input_unit(spec))
    for layer in range(1, shape.depth):
        weights, biases = _places(spec, shape, layer)
        for row in range(weights * lanes, biases * lanes, lanes):
            store(scaled, row, load(spec, theta, row) * both)
        for row in range(biases * lanes, (biases + width) * lanes, lanes):
            store(scaled, row, load(spec, theta, row) * inward)


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
    for i in range(width):
        row, at = i * (inputs + 2) * lanes, (rows + i * count) * lanes
        for p in range(first, first + count):
            t = load(spec, workspace, row + inputs * lanes)
            for d in range(inputs):
                x = number_at(spec, points, points.x, point_row, p * inputs + d)
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
            matrix(workspace, weights, width, 1),
            matrix(workspace, below, 1, count),
            matrix(workspace, slopes, count, 1),
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
    last = rows + 2 * (depth - 1) * size
    outputs = last + 3 * size
    multiply_add(
        spec,
        matrix(theta, width * (inputs + 2), 0, 0),
        matrix(workspace, inputs + 1, 0, inputs + 2),
        matrix(workspace, last, 1, count),
        matrix(workspace, outputs, 0, 1),
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
        errors, last = residuals - size, residuals - 3 * size
        _residuals(form, shape, points, point_row, first, count, gradient, workspace, residuals)
        multiply_add(
            spec,
            matrix(gradient, inputs + 1, stride, 0),
            matrix(workspace, last, count, 1),
            matrix(workspace, residuals, 0, 1),
            matrix(gradient, inputs + 1, stride, 0),
            width,
            1,
            count,
        )
        for i in range(width):
            v = load(spec, workspace, (i * stride + inputs + 1) * lanes)
            for p in range(count):
                r = load(spec, workspace, (residuals + p) * lanes)
                store(workspace, (errors + i * count + p) * lanes, v * r)
        for layer in range(depth - 1, 0, -1):
            slopes = rows + (2 * layer + 1) * size
            weights, biases = _places(spec, shape, layer)
            _slopes_to_errors(spec, width, count, workspace, errors, slopes, gradient, biases, 1)
            multiply_add(
                spec,
                matrix(gradient, weights, width, 1),
                matrix(workspace, slopes, count, 1),
                matrix(workspace, slopes - 3 * size, count, 1),
                matrix(gradient, weights, width, 1),
                width,
                width,
                count,
            )
            if not residual:
                for at in range(errors * lanes, residuals * lanes, lanes):
                    store(workspace, at, zero(spec))
            multiply_add(
                spec,
                matrix(workspace, errors, count, 1),
                matrix(workspace, weights, 1, width),
                matrix(workspace, slopes, 1, count),
                matrix(workspace, errors, count, 1),
                width,
                count,
                width,
            )
        slopes = rows + size
        _slopes_to_errors(spec, width, count, workspace, errors, slopes, gradient, inputs, stride)
        for i in range(width):
            for d in range(inputs):
                dw = load(spec, gradient, (i * stride + d) * lanes)
                for p in range(count):
                    error = load(spec, workspace, (slopes + i * count + p) * lanes)
                    at = (first + p) * inputs + d
                    dw = fma(error, number_at(spec, points, points.x, point_row, at), dw)
                store(gradient, (i * stride + d) * lanes, dw)
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
        _, r = loss_and_residual(spec, f, number_at(spec, points, points.y, point_row, first + p))
        r = r * number_at(spec, points, points.slope_weight, point_row, first + p)
        dc = dc + r
        store(workspace, (outputs + p) * lanes, r)
    store(gradient, constant, dc)


@kernel(inline="always")
def _slopes_to_errors(spec, width, count, workspace, errors, slopes, gradient, biases, stride):
    """Replace the slopes of a layer by D, and add its sums over the points to db."""
    lanes = lanes_of(spec)
    for i in range(width):
        at = (biases + i * stride) * lanes
        db = load(spec, gradient, at)
        for place in range(i * count * lanes, (i + 1) * count * lanes, lanes):
            slope = load(spec, workspace, slopes * lanes + place)
            error = load(spec, workspace, errors * lanes + place) * slope
            db = db + error
            store(workspace, slopes * lanes + place, error)
        store(gradient, at, db)


@kernel(inline="always")
def _from_units(spec, shape, gradient):
    """Complete the sums of `_gradient`, which have the output unit in w, b, the input unit in b_l,
    their quotient in W_l, and lack the output unit in v.
    """
    lanes, inputs, width = lanes_of(spec), inputs_of(spec), shape.width
    outward, first = like(zero(spec), output_unit(spec)), like(zero(spec), 1.0 / output_unit(spec))
    for i in range(width):
        row = i * (inputs + 2) * lanes
        for at in range(row, row + (inputs + 1) * lanes, lanes):
            store(gradient, at, load(spec, gradient, at) * first)
        at = row + (inputs + 1) * lanes
        store(gradient, at, load(spec, gradient, at) * outward)
    both = like(zero(spec), output_unit(spec) / input_unit(spec))
    inward = like(zero(spec), 1.0 / input_unit(spec))
    for layer in range(1, shape.depth):
        weights, biases = _places(spec, shape, layer)
        for at in range(weights * lanes, biases * lanes, lanes):
            store(gradient, at, load(spec, gradient, at) * both)
        for at in range(biases * lanes, (biases + width) * lanes, lanes):
            store(gradient, at, load(spec, gradient, at) * inward)


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
            for row in range(rows):
                step_lanes(spec, own, gradient, row * lanes_of(spec), coefficients)
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
