"""Many seeds at once: one lane is one seed, and one block of lanes belongs to one thread.

A block's parameters lie as rows of lanes, D + 2 rows a neuron (its D weights w, then b, then v) and
one last row for c: `theta` is (blocks, rows * lanes) with rows = N (D + 2) + 1. The gradient and
the optimiser's m and s lie in the same order. Lanes do not exchange data, so a seed's results do
not depend on its neighbours, and a NaN stays in its own lane.

A group of points, 2 or 4, shares one pass over the neurons, side by side in one long vector. The
loss is sum_p weight_p (f(x_p) - y_p)^2, or another of `formulas.LOSS_FORMULAS`. engines/packing.py
makes the arrays.
"""

from minilotto.kernels.batches import numbers_at, points_of, row_at
from minilotto.kernels.compile import kernel
from minilotto.kernels.formulas import input_unit, loss_and_residual, output_unit, value_and_slope
from minilotto.kernels.groups import add_group, add_products_of_group, load_group, repeat
from minilotto.kernels.simd import fma, like
from minilotto.kernels.spaced import prepare, unit
from minilotto.kernels.spec import group_of, inputs_of, lanes_of, load, spread, store, zero
from minilotto.kernels.structures import Nets, coefficients_of, step_lanes
from minilotto.kernels.subnormals import flush_subnormals, restore_mode


@kernel(inline="always")
def _to_units(spec, width, theta, scaled):
    """scaled = theta with w, b over the activation's input unit and v times its output unit."""
    lanes, inputs = lanes_of(spec), inputs_of(spec)
    inward = like(zero(spec), 1.0 / input_unit(spec))
    outward = like(zero(spec), output_unit(spec))
    for i in range(width):
        row = i * (inputs + 2) * lanes
        for d in range(inputs + 1):
            store(scaled, row + d * lanes, load(spec, theta, row + d * lanes) * inward)
        last = row + (inputs + 1) * lanes
        store(scaled, last, load(spec, theta, last) * outward)


@kernel(inline="always")
def _sums(form, width, theta, points, count, point_row, sums, workspace):
    """Add to `sums` what the gradient of a block's losses on row `point_row` of its points, `count`
    of them, is made of: the gradient, where that of w and b lacks the factor v and that of v the
    output unit.

    workspace: scaled parameters, then residuals times inputs, then activations, then what is
    `spaced`'s.
    """
    spec, parameter = form
    x, y, slope_weight = points.x, points.y, points.slope_weight
    lanes, inputs, group = lanes_of(spec), inputs_of(spec), group_of(spec)
    stride, vector = (inputs + 2) * lanes, group * lanes
    moments = width * stride  # where r * x of a group is kept
    hidden = moments + (inputs - 1) * vector  # values and slopes of a group and N neurons
    ahead = hidden + 2 * width * vector
    c, dc = load(spec, theta, width * stride), zero(spec)
    for p in range(0, count, group):
        prepare(spec, points, width, workspace, ahead, p)
        f = repeat(spec, c)
        # The first input and its products stay in registers.
        first = numbers_at(spec, points, x, point_row, p * inputs, inputs)
        for i in range(width):
            row, kept = i * stride, hidden + 2 * i * vector
            t = repeat(spec, load(spec, workspace, row + inputs * lanes))
            t = fma(repeat(spec, load(spec, workspace, row)), first, t)
            for d in range(1, inputs):
                w = repeat(spec, load(spec, workspace, row + d * lanes))
                t = fma(w, numbers_at(spec, points, x, point_row, p * inputs + d, inputs), t)
            value, slope = unit(spec, points, t, parameter, workspace, ahead, p, i, width)
            v = repeat(spec, load(spec, workspace, row + (inputs + 1) * lanes))
            f = fma(v, value, f)
            store(workspace, kept, value)
            store(workspace, kept + vector, slope)
        _, r = loss_and_residual(spec, f, numbers_at(spec, points, y, point_row, p, 1))
        r = r * numbers_at(spec, points, slope_weight, point_row, p, 1)
        dc = add_group(spec, dc, r)
        rx = r * first
        for d in range(1, inputs):
            further = r * numbers_at(spec, points, x, point_row, p * inputs + d, inputs)
            store(workspace, moments + (d - 1) * vector, further)
        for i in range(width - 1, -1, -1):  # what was written last may still be in the cache
            row, kept = i * stride, hidden + 2 * i * vector
            slope = load_group(spec, workspace, kept + vector)
            _add(spec, sums, row, slope, rx)
            for d in range(1, inputs):
                further = load_group(spec, workspace, moments + (d - 1) * vector)
                _add(spec, sums, row + d * lanes, slope, further)
            _add(spec, sums, row + inputs * lanes, slope, r)
            value = load_group(spec, workspace, kept)
            _add(spec, sums, row + (inputs + 1) * lanes, value, r)
    store(sums, width * stride, dc)


@kernel(inline="always")
def _add(spec, sums, at, a, b):
    store(sums, at, add_products_of_group(spec, load(spec, sums, at), a, b))


@kernel(inline="always")
def _step(spec, width, nets, sums, workspace, coefficients, last):
    """One step of a block from its sums, with the scaled parameters of the next one and sums of
    zero; after the last step `sums` is the gradient.
    """
    lanes, inputs = lanes_of(spec), inputs_of(spec)
    inward = like(zero(spec), 1.0 / input_unit(spec))
    outward = like(zero(spec), output_unit(spec))
    at = 0
    for _ in range(width):
        v = load(spec, nets.theta, at + (inputs + 1) * lanes)
        for d in range(inputs + 2):
            inner = d <= inputs
            gradient = load(spec, sums, at) * (v if inner else outward)
            store(sums, at, gradient if last else zero(spec))
            new = step_lanes(spec, nets, gradient, at, coefficients)
            store(workspace, at, new * (inward if inner else outward))
            at += lanes
    step_lanes(spec, nets, load(spec, sums, at), at, coefficients)


@kernel()
def train_blocks(form, width, nets, points, schedule, scratch, begin, end):
    """Train blocks `begin` to `end` - 1 for the steps of the schedule, in place, on the same Points
    at each step, on FreshPoints or on Batches.

    `scratch.gradient` holds that of the last step afterwards; at a rate of 0 it is the gradient of
    the nets as they are.
    """
    mode = flush_subnormals(schedule.flush)
    spec, _ = form
    for block in range(begin, end):
        own = Nets(nets.theta[block], nets.m[block], nets.s[block])
        sums, workspace = scratch.gradient[block], scratch.workspace[block]
        here, count = points_of(spec, points, block)
        steps = schedule.lr.size
        _to_units(spec, width, own.theta, workspace)
        for row in range(width * (inputs_of(spec) + 2)):
            store(sums, row * lanes_of(spec), zero(spec))
        for step in range(steps):
            point_row = row_at(spec, here, step)
            _sums(form, width, own.theta, here, count, point_row, sums, workspace)
            coefficients = coefficients_of(schedule, step)
            _step(spec, width, own, sums, workspace, coefficients, step == steps - 1)
    restore_mode(mode)


@kernel(inline="always")
def _output(form, width, theta, scaled, x, p):
    """f(x_p) of one block; `scaled` is theta after _to_units."""
    spec, parameter = form
    lanes, inputs = lanes_of(spec), inputs_of(spec)
    stride = (inputs + 2) * lanes
    f = load(spec, theta, width * stride)
    for i in range(width):
        row = i * stride
        t = load(spec, scaled, row + inputs * lanes)
        for d in range(inputs):
            t = fma(load(spec, scaled, row + d * lanes), spread(spec, x, p * inputs + d), t)
        value, _ = value_and_slope(spec, t, parameter)
        f = fma(load(spec, scaled, row + (inputs + 1) * lanes), value, f)
    return f


@kernel()
def loss_blocks(form, width, theta, x, y, weight, losses, workspace):
    """Write the loss of every net: losses (blocks, lanes)."""
    spec, _ = form
    for block in range(theta.shape[0]):
        _to_units(spec, width, theta[block], workspace)
        total = zero(spec)
        for p in range(y.size):
            f = _output(form, width, theta[block], workspace, x, p)
            loss, _ = loss_and_residual(spec, f, spread(spec, y, p))
            total = fma(loss, spread(spec, weight, p), total)
        store(losses[block], 0, total)


@kernel()
def predict_blocks(form, width, theta, x, outputs, workspace):
    """Write f(x_p) of every net: outputs (blocks, P, lanes)."""
    spec, _ = form
    for block in range(theta.shape[0]):
        _to_units(spec, width, theta[block], workspace)
        for p in range(outputs.shape[1]):
            store(outputs[block, p], 0, _output(form, width, theta[block], workspace, x, p))
