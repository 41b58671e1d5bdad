"""Many seeds at once: one lane is one seed, one block of lanes is one thread's work.

A block's parameters lie as rows of lanes, D + 2 rows a neuron (its D weights w, then b, then v) and
one last row for c: `theta` is (blocks, rows * lanes) with rows = N * (D + 2) + 1. Gradients and
Adam's moments lie in the same order. Lanes never speak to each other, so nothing a seed computes
depends on its neighbours; a NaN stays in its own lane.

The data come as x (P * D,), y (P,) and slope_weight (P,) in the kernel's precision, P even: two
points share one pass over the neurons. Gradients are of the kind's loss, sum_p weight_p (f(x_p) -
y_p)^2 or another of `formulas.LOSS_FORMULAS`; slope_weight is weight times that formula's factor, 2
weight_p for squares. `layout.py` makes these arrays.
"""

from minilotto.kernels.compile import kernel
from minilotto.kernels.formulas import (
    adam_update,
    input_unit,
    loss_and_residual,
    output_unit,
    value_and_slope,
)
from minilotto.kernels.simd import flush_subnormals, fma, like, restore_mode
from minilotto.kernels.spec import inputs_of, lanes_of, load, spread, store, zero


@kernel(inline="always")
def _to_units(kind, width, theta, scaled):
    """scaled = theta with w, b over the activation's input unit and v times its output unit."""
    lanes, inputs = lanes_of(kind), inputs_of(kind)
    inward = like(zero(kind), 1.0 / input_unit(kind))
    outward = like(zero(kind), output_unit(kind))
    for i in range(width):
        row = i * (inputs + 2) * lanes
        for d in range(inputs + 1):
            store(scaled, row + d * lanes, load(kind, theta, row + d * lanes) * inward)
        store(
            scaled,
            row + (inputs + 1) * lanes,
            load(kind, theta, row + (inputs + 1) * lanes) * outward,
        )


@kernel(inline="always")
def _from_units(kind, width, theta, gradient):
    """Complete the sums of `_gradient`: those of w and b lack the factor v, those of v the output
    unit.
    """
    lanes, inputs = lanes_of(kind), inputs_of(kind)
    outward = like(zero(kind), output_unit(kind))
    for i in range(width):
        row = i * (inputs + 2) * lanes
        v = load(kind, theta, row + (inputs + 1) * lanes)
        for d in range(inputs + 1):
            store(gradient, row + d * lanes, load(kind, gradient, row + d * lanes) * v)
        store(
            gradient,
            row + (inputs + 1) * lanes,
            load(kind, gradient, row + (inputs + 1) * lanes) * outward,
        )


@kernel(inline="always")
def _gradient(kind, parameter, width, theta, x, y, slope_weight, gradient, workspace):
    """Write the gradient of a block's losses. workspace: scaled parameters, then residuals times
    inputs, then activations.
    """
    lanes, inputs = lanes_of(kind), inputs_of(kind)
    stride = (inputs + 2) * lanes
    moments = width * stride  # where r * x of two points is kept
    hidden = (
        moments + 2 * (inputs - 1) * lanes
    )  # where value and slope of two points and N neurons are kept
    _to_units(kind, width, theta, workspace)
    for row in range(width * (inputs + 2)):
        store(gradient, row * lanes, zero(kind))
    c = load(kind, theta, width * stride)
    dc = zero(kind)
    for p in range(0, y.size, 2):
        f0, f1 = c, c
        for i in range(width):
            row, kept = i * stride, hidden + i * 4 * lanes
            t0 = load(kind, workspace, row + inputs * lanes)
            t1 = t0
            for d in range(inputs):
                w = load(kind, workspace, row + d * lanes)
                t0 = fma(w, spread(kind, x, p * inputs + d), t0)
                t1 = fma(w, spread(kind, x, (p + 1) * inputs + d), t1)
            value0, slope0 = value_and_slope(kind, t0, parameter)
            value1, slope1 = value_and_slope(kind, t1, parameter)
            v = load(kind, workspace, row + (inputs + 1) * lanes)
            f0 = fma(v, value0, f0)
            f1 = fma(v, value1, f1)
            store(workspace, kept, value0)
            store(workspace, kept + lanes, value1)
            store(workspace, kept + 2 * lanes, slope0)
            store(workspace, kept + 3 * lanes, slope1)
        _, r0 = loss_and_residual(kind, f0, spread(kind, y, p))
        r0 = r0 * spread(kind, slope_weight, p)
        _, r1 = loss_and_residual(kind, f1, spread(kind, y, p + 1))
        r1 = r1 * spread(kind, slope_weight, p + 1)
        dc = dc + (r0 + r1)
        rx0, rx1 = (
            r0 * spread(kind, x, p * inputs),
            r1 * spread(kind, x, (p + 1) * inputs),
        )  # the first input's stay in registers
        for d in range(1, inputs):
            store(workspace, moments + 2 * (d - 1) * lanes, r0 * spread(kind, x, p * inputs + d))
            store(
                workspace, moments + (2 * d - 1) * lanes, r1 * spread(kind, x, (p + 1) * inputs + d)
            )
        for i in range(width):
            row, kept = i * stride, hidden + i * 4 * lanes
            slope0 = load(kind, workspace, kept + 2 * lanes)
            slope1 = load(kind, workspace, kept + 3 * lanes)
            dw = fma(slope0, rx0, load(kind, gradient, row))
            store(gradient, row, fma(slope1, rx1, dw))
            for d in range(1, inputs):
                dw = fma(
                    slope0,
                    load(kind, workspace, moments + 2 * (d - 1) * lanes),
                    load(kind, gradient, row + d * lanes),
                )
                store(
                    gradient,
                    row + d * lanes,
                    fma(slope1, load(kind, workspace, moments + (2 * d - 1) * lanes), dw),
                )
            db = fma(slope0, r0, load(kind, gradient, row + inputs * lanes))
            store(gradient, row + inputs * lanes, fma(slope1, r1, db))
            dv = fma(
                load(kind, workspace, kept), r0, load(kind, gradient, row + (inputs + 1) * lanes)
            )
            store(
                gradient,
                row + (inputs + 1) * lanes,
                fma(load(kind, workspace, kept + lanes), r1, dv),
            )
    _from_units(kind, width, theta, gradient)
    store(gradient, width * stride, dc)


@kernel()
def train_blocks(
    kind,
    parameter,
    width,
    theta,
    first,
    second,
    x,
    y,
    slope_weight,
    rates,
    corrections,
    constants,
    flush,
    gradient,
    workspace,
    begin,
    end,
):
    """Train blocks `begin` to `end` - 1 for rates.size Adam steps, in place. constants: beta1,
    beta2, epsilon.

    `gradient` holds that of the last step afterwards; with a rate of 0 it is that of the nets as
    they are.
    """
    mode = flush_subnormals(flush)
    lanes = lanes_of(kind)
    beta1, beta2, epsilon = constants
    for block in range(begin, end):
        nets, m, s, slopes, space = (
            theta[block],
            first[block],
            second[block],
            gradient[block],
            workspace[block],
        )
        for step in range(rates.size):
            _gradient(kind, parameter, width, nets, x, y, slope_weight, slopes, space)
            for row in range(width * (inputs_of(kind) + 2) + 1):
                at = row * lanes
                moved, m_after, s_after = adam_update(
                    load(kind, nets, at),
                    load(kind, m, at),
                    load(kind, s, at),
                    load(kind, slopes, at),
                    rates[step],
                    corrections[step],
                    beta1,
                    beta2,
                    epsilon,
                )
                store(nets, at, moved)
                store(m, at, m_after)
                store(s, at, s_after)
    restore_mode(mode)


@kernel(inline="always")
def _output(kind, parameter, width, theta, scaled, x, p):
    """f(x_p) of one block; `scaled` is theta after _to_units."""
    lanes, inputs = lanes_of(kind), inputs_of(kind)
    stride = (inputs + 2) * lanes
    f = load(kind, theta, width * stride)
    for i in range(width):
        row = i * stride
        t = load(kind, scaled, row + inputs * lanes)
        for d in range(inputs):
            t = fma(load(kind, scaled, row + d * lanes), spread(kind, x, p * inputs + d), t)
        value, _ = value_and_slope(kind, t, parameter)
        f = fma(load(kind, scaled, row + (inputs + 1) * lanes), value, f)
    return f


@kernel()
def loss_blocks(kind, parameter, width, theta, x, y, weight, losses, workspace):
    """Write the loss of every net, such as sum_p weight_p (f(x_p) - y_p)^2: losses (blocks, lanes)."""
    for block in range(theta.shape[0]):
        _to_units(kind, width, theta[block], workspace)
        total = zero(kind)
        for p in range(y.size):
            f = _output(kind, parameter, width, theta[block], workspace, x, p)
            loss, _ = loss_and_residual(kind, f, spread(kind, y, p))
            total = fma(loss, spread(kind, weight, p), total)
        store(losses[block], 0, total)


@kernel()
def predict_blocks(kind, parameter, width, theta, x, outputs, workspace):
    """Write f(x_p) of every net: outputs (blocks, P, lanes)."""
    for block in range(theta.shape[0]):
        _to_units(kind, width, theta[block], workspace)
        for p in range(outputs.shape[1]):
            store(
                outputs[block, p], 0, _output(kind, parameter, width, theta[block], workspace, x, p)
            )
