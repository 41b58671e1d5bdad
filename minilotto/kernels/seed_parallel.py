"""Many seeds at once: one lane is one seed, and one block of lanes belongs to one thread.

A block's parameters lie as rows of lanes, D + 2 rows a neuron (its D weights w, then b, then v) and
one last row for c: `theta` is (blocks, rows * lanes) with rows = N (D + 2) + 1. The gradient and
the optimiser's m and s lie in the same order. Lanes do not exchange data, so a seed's results do
not depend on its neighbours, and a NaN stays in its own lane.

Two points share one pass over the neurons. The loss is sum_p weight_p (f(x_p) - y_p)^2, or another
of `formulas.LOSS_FORMULAS`. engines/packing.py makes the arrays.
"""

from minilotto.kernels.batches import count_of, draw, must_draw, number_at, points_of, row_at
from minilotto.kernels.compile import kernel
from minilotto.kernels.formulas import input_unit, loss_and_residual, output_unit, value_and_slope
from minilotto.kernels.simd import fma, like
from minilotto.kernels.spec import inputs_of, lanes_of, load, spread, store, zero
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
def _from_units(spec, width, theta, gradient):
    """Complete the sums of `_gradient`: those of w and b lack the factor v, those of v the output
    unit.
    """
    lanes, inputs = lanes_of(spec), inputs_of(spec)
    outward = like(zero(spec), output_unit(spec))
    for i in range(width):
        row = i * (inputs + 2) * lanes
        last = row + (inputs + 1) * lanes
        v = load(spec, theta, last)
        for d in range(inputs + 1):
            store(gradient, row + d * lanes, load(spec, gradient, row + d * lanes) * v)
        store(gradient, last, load(spec, gradient, last) * outward)


@kernel(inline="always")
def _gradient(form, width, theta, points, point_row, gradient, workspace):
    """Write the gradient of a block's losses on row `point_row` of its points. workspace: scaled
    parameters, then residuals times inputs, then activations.
    """
    spec, parameter = form
    x, y, slope_weight = points.x, points.y, points.slope_weight
    lanes, inputs = lanes_of(spec), inputs_of(spec)
    stride = (inputs + 2) * lanes
    moments = width * stride  # where r * x of two points is kept
    hidden = moments + 2 * (inputs - 1) * lanes  # value and slope of two points and N neurons
    _to_units(spec, width, theta, workspace)
    for row in range(width * (inputs + 2)):
        store(gradient, row * lanes, zero(spec))
    c = load(spec, theta, width * stride)
    dc = zero(spec)
    for p in range(0, count_of(spec, points), 2):
        f0, f1 = c, c
        for i in range(width):
            row, kept = i * stride, hidden + i * 4 * lanes
            t0 = load(spec, workspace, row + inputs * lanes)
            t1 = t0
            for d in range(inputs):
                w = load(spec, workspace, row + d * lanes)
                t0 = fma(w, number_at(spec, points, x, point_row, p * inputs + d), t0)
                t1 = fma(w, number_at(spec, points, x, point_row, (p + 1) * inputs + d), t1)
            value0, slope0 = value_and_slope(spec, t0, parameter)
            value1, slope1 = value_and_slope(spec, t1, parameter)
            v = load(spec, workspace, row + (inputs + 1) * lanes)
            f0 = fma(v, value0, f0)
            f1 = fma(v, value1, f1)
            store(workspace, kept, value0)
            store(workspace, kept + lanes, value1)
            store(workspace, kept + 2 * lanes, slope0)
            store(workspace, kept + 3 * lanes, slope1)
        _, r0 = loss_and_residual(spec, f0, number_at(spec, points, y, point_row, p))
        r0 = r0 * number_at(spec, points, slope_weight, point_row, p)
        _, r1 = loss_and_residual(spec, f1, number_at(spec, points, y, point_row, p + 1))
        r1 = r1 * number_at(spec, points, slope_weight, point_row, p + 1)
        dc = dc + (r0 + r1)
        # Products with the first input stay in registers.
        rx0, rx1 = (
            r0 * number_at(spec, points, x, point_row, p * inputs),
            r1 * number_at(spec, points, x, point_row, (p + 1) * inputs),
        )
        for d in range(1, inputs):
            here = moments + 2 * (d - 1) * lanes
            store(workspace, here, r0 * number_at(spec, points, x, point_row, p * inputs + d))
            store(
                workspace,
                here + lanes,
                r1 * number_at(spec, points, x, point_row, (p + 1) * inputs + d),
            )
        for i in range(width):
            row, kept = i * stride, hidden + i * 4 * lanes
            slope0 = load(spec, workspace, kept + 2 * lanes)
            slope1 = load(spec, workspace, kept + 3 * lanes)
            dw = fma(slope0, rx0, load(spec, gradient, row))
            store(gradient, row, fma(slope1, rx1, dw))
            for d in range(1, inputs):
                here, at = moments + 2 * (d - 1) * lanes, row + d * lanes
                dw = fma(slope0, load(spec, workspace, here), load(spec, gradient, at))
                store(gradient, at, fma(slope1, load(spec, workspace, here + lanes), dw))
            at = row + inputs * lanes
            db = fma(slope0, r0, load(spec, gradient, at))
            store(gradient, at, fma(slope1, r1, db))
            at = row + (inputs + 1) * lanes
            dv = fma(load(spec, workspace, kept), r0, load(spec, gradient, at))
            store(gradient, at, fma(load(spec, workspace, kept + lanes), r1, dv))
    _from_units(spec, width, theta, gradient)
    store(gradient, width * stride, dc)


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
        gradient, workspace = scratch.gradient[block], scratch.workspace[block]
        here = points_of(spec, points, block)
        for step in range(schedule.lr.size):
            if must_draw(spec, here, step):
                draw(spec, here, step)
            point_row = row_at(spec, here, step)
            _gradient(form, width, own.theta, here, point_row, gradient, workspace)
            coefficients = coefficients_of(schedule, step)
            for row in range(width * (inputs_of(spec) + 2) + 1):
                step_lanes(spec, own, gradient, row * lanes_of(spec), coefficients)
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
