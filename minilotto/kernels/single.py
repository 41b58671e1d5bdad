"""One net at a time, for a caller's own compiled functions: one lane is one point.

    from minilotto.kernels import single

    SILU = single.form("silu")                       # activation, inputs D, precision; an argument
                                                     or a global of your function

    @njit
    def fit(theta, x, y, weight, gradient, scratch):
        for _ in range(1000):
            single.loss_and_gradient(SILU, theta, x, y, weight, gradient, scratch)
            theta -= 0.01 * gradient

Every function here can be called from @njit code, serial or inside a prange, and from Python. None
of them allocates, keeps state, takes the GIL or starts a thread; whatever they write goes to the
caller's buffers, one set of buffers a thread.

A net is a vector theta (K,), K = N (D + 2) + 1, neuron by neuron: its D weights w, its b, its v;
and c at the end. Points are x (P, D), or (P,) for D = 1; y (P,) and weight (P,). All arrays have
the precision of the Form. They may have any memory layout, but for `scratch`, which is contiguous
and holds at least `scratch_size(form, width)` numbers. Lengths are checked at each call, types
while compiling.

Vectors have 64 bytes on every CPU (LLVM splits them where registers are shorter), so that sums over
points are added in the same order everywhere; f has the bits that `Ensemble.predict` gives.
"""

import numpy as np

from minilotto.kernels.compile import kernel
from minilotto.kernels.forms import (
    Form,
    check_points,
    columns_of,
    coordinate,
    coordinates_of,
    form,
    scratch_size,
    width_of,
)
from minilotto.kernels.formulas import (
    adam_update,
    add_loss,
    input_unit,
    loss_and_residual,
    loss_factor,
    output_unit,
    value_and_slope,
)
from minilotto.kernels.points import (
    check_contiguous,
    check_precision,
    first_lanes,
    lane_of,
    load_last_points,
    load_points,
)
from minilotto.kernels.simd import fma, like, sum_of_lanes
from minilotto.kernels.spec import inputs_of, lanes_of, load, spread, store, zero

__all__ = [
    "ADAM",
    "Form",
    "adam_step",
    "form",
    "forward",
    "forward_and_gradient",
    "forward_and_slope",
    "jacobian",
    "loss",
    "loss_and_gradient",
    "outputs",
    "scratch_size",
    "train_net",
    "width_of",
]
ADAM = (0.9, 0.999, 1e-8)  # beta1, beta2, epsilon as Config has them


@kernel(inline="always")
def _at(spec, array, p, column, points):
    """Lanes of points p, p + 1, ...; behind the last point, the last once more."""
    full = p + lanes_of(spec) <= points
    return (
        load_points(spec, array, p, column)
        if full
        else load_last_points(spec, array, p, column, points)
    )


# One point: plain numbers, neuron after neuron.
@kernel(inline="always")
def _argument(spec, theta, row, x):
    """t of one neuron, in the order of operations of every kernel here."""
    inputs, nil = inputs_of(spec), like(theta[0], 0.0)
    inward = like(nil, 1.0 / input_unit(spec))
    t = theta[row + inputs] * inward
    for d in range(inputs):
        t = fma(theta[row + d] * inward, coordinate(spec, x, d), t)
    return t


@kernel()
def forward(form, theta, x):
    """f(x) = sum_i v_i sigma(w_i x + b_i) + c at one point x, a number or (D,). Paper: Eq. 1."""
    spec, width = form.spec, width_of(form, theta)
    rows = inputs_of(spec) + 2
    if coordinates_of(x) != rows - 2:
        raise ValueError("x has another number of inputs than the Form")
    f = theta[width * rows]
    outward = like(f, output_unit(spec))
    for i in range(width):
        value, _ = value_and_slope(spec, _argument(spec, theta, i * rows, x), form.parameter)
        f = fma(theta[i * rows + rows - 1] * outward, value, f)
    return f


@kernel()
def forward_and_slope(form, theta, x):
    """(f(x), df/dx) at one number x, for D = 1."""
    spec, width = form.spec, width_of(form, theta)
    if inputs_of(spec) != 1:
        raise ValueError("forward_and_slope takes one input; use forward_and_gradient")
    f = theta[width * 3]
    outward, df = like(f, output_unit(spec)), like(f, 0.0)
    for i in range(width):
        value, slope = value_and_slope(spec, _argument(spec, theta, i * 3, x), form.parameter)
        f = fma(theta[i * 3 + 2] * outward, value, f)
        df = fma(theta[i * 3 + 2] * theta[i * 3], slope, df)
    return f, df


@kernel()
def forward_and_gradient(form, theta, x, dx):
    """f(x) at one point x, a number or (D,), and df/dx written to dx (D,)."""
    spec, width = form.spec, width_of(form, theta)
    inputs = inputs_of(spec)
    check_precision(spec, dx)
    if coordinates_of(x) != inputs or dx.size != inputs:
        raise ValueError("x or dx has another number of inputs than the Form")
    rows = inputs + 2
    f = theta[width * rows]
    outward = like(f, output_unit(spec))
    for d in range(inputs):
        dx[d] = 0.0
    for i in range(width):
        value, slope = value_and_slope(spec, _argument(spec, theta, i * rows, x), form.parameter)
        v = theta[i * rows + inputs + 1]
        f = fma(v * outward, value, f)
        for d in range(inputs):
            dx[d] = fma(v * theta[i * rows + d], slope, dx[d])
    return f


# Many points: one lane a point.
@kernel(inline="always")
def _outputs_at(spec, parameter, width, theta, x, p, points):
    """f of the points from p on, straight from theta."""
    inputs, nil = inputs_of(spec), zero(spec)
    rows = inputs + 2
    inward, outward = like(theta[0], 1.0 / input_unit(spec)), like(theta[0], output_unit(spec))
    f = like(nil, theta[width * rows])
    for i in range(width):
        t = like(nil, theta[i * rows + inputs] * inward)
        for d in range(inputs):
            t = fma(like(nil, theta[i * rows + d] * inward), _at(spec, x, p, d, points), t)
        value, _ = value_and_slope(spec, t, parameter)
        f = fma(like(nil, theta[i * rows + inputs + 1] * outward), value, f)
    return f


@kernel()
def outputs(form, theta, x, out):
    """Write f(x_p) to out (P,) for points x (P, D) or (P,): the bits that `forward` gives, several
    times faster.
    """
    spec, width, points = form.spec, width_of(form, theta), out.size
    check_precision(spec, x)
    check_precision(spec, out)
    if x.shape[0] != points or columns_of(x) != inputs_of(spec):
        raise ValueError("x has another number of points than out, or of inputs than the Form")
    for p in range(0, points, lanes_of(spec)):
        f = _outputs_at(spec, form.parameter, width, theta, x, p, points)
        for lane in range(min(lanes_of(spec), points - p)):
            out[p + lane] = lane_of(f, lane)


@kernel()
def loss(form, theta, x, y, weight):
    """sum_p weight_p (f(x_p) - y_p)^2, or the Form's other loss."""
    spec, width, points = form.spec, width_of(form, theta), y.size
    check_points(form, x, y, weight)
    total = zero(spec)
    for p in range(0, points, lanes_of(spec)):
        f = _outputs_at(spec, form.parameter, width, theta, x, p, points)
        total = add_loss(
            spec,
            total,
            f,
            _at(spec, y, p, 0, points),
            first_lanes(_at(spec, weight, p, 0, points), points - p),
        )
    return sum_of_lanes(total)


@kernel()
def loss_and_gradient(form, theta, x, y, weight, gradient, scratch):
    """The Form's loss, sum_p weight_p (f(x_p) - y_p)^2 unless said, and its gradient written to
    gradient (K,), in theta's order.

    scratch: scaled parameters, then a vector of points, then values and slopes of the neurons
    there, then sums over points.
    """
    spec, width, points = form.spec, width_of(form, theta), y.size
    check_points(form, x, y, weight)
    check_precision(spec, gradient)
    check_contiguous(spec, scratch)
    if gradient.size != theta.size:
        raise ValueError("gradient has another length than theta")
    if scratch.size < scratch_size(form, width):
        raise ValueError("scratch is too short; scratch_size(form, width) says how long it must be")
    lanes, inputs = lanes_of(spec), inputs_of(spec)
    rows = inputs + 2
    at_x = (width * rows + lanes - 1) // lanes * lanes
    hidden = at_x + inputs * lanes
    sums = hidden + 2 * width * lanes
    inward, outward = like(theta[0], 1.0 / input_unit(spec)), like(theta[0], output_unit(spec))
    for i in range(width):
        for d in range(inputs + 1):
            scratch[i * rows + d] = theta[i * rows + d] * inward
        scratch[i * rows + inputs + 1] = theta[i * rows + inputs + 1] * outward
    for row in range(width * rows):
        store(scratch, sums + row * lanes, zero(spec))
    total, dc = zero(spec), zero(spec)
    c = like(total, theta[width * rows])
    for p in range(0, points, lanes):
        for d in range(inputs):
            store(scratch, at_x + d * lanes, _at(spec, x, p, d, points))
        f = c
        for i in range(width):
            row, kept = i * rows, hidden + 2 * i * lanes
            t = spread(spec, scratch, row + inputs)
            for d in range(inputs):
                t = fma(spread(spec, scratch, row + d), load(spec, scratch, at_x + d * lanes), t)
            value, slope = value_and_slope(spec, t, form.parameter)
            f = fma(spread(spec, scratch, row + inputs + 1), value, f)
            store(scratch, kept, value)
            store(scratch, kept + lanes, slope)
        target, share = (
            _at(spec, y, p, 0, points),
            first_lanes(_at(spec, weight, p, 0, points), points - p),
        )
        total = add_loss(spec, total, f, target, share)
        _, r = loss_and_residual(spec, f, target)
        df = r * share * like(total, loss_factor(spec))
        dc = dc + df
        for i in range(width):
            at, kept = sums + i * rows * lanes, hidden + 2 * i * lanes
            db = df * load(spec, scratch, kept + lanes)
            for d in range(inputs):
                dw = fma(
                    db, load(spec, scratch, at_x + d * lanes), load(spec, scratch, at + d * lanes)
                )
                store(scratch, at + d * lanes, dw)
            store(scratch, at + inputs * lanes, load(spec, scratch, at + inputs * lanes) + db)
            dv = fma(df, load(spec, scratch, kept), load(spec, scratch, at + (inputs + 1) * lanes))
            store(scratch, at + (inputs + 1) * lanes, dv)
    for i in range(width):
        v = theta[i * rows + inputs + 1]
        for d in range(inputs + 1):
            gradient[i * rows + d] = (
                sum_of_lanes(load(spec, scratch, sums + (i * rows + d) * lanes)) * v
            )
        gradient[i * rows + inputs + 1] = (
            sum_of_lanes(load(spec, scratch, sums + (i * rows + inputs + 1) * lanes)) * outward
        )
    gradient[width * rows] = sum_of_lanes(dc)
    return sum_of_lanes(total)


@kernel()
def jacobian(form, theta, x, out):
    """Write df(x_p)/dtheta_k to out (P, K)."""
    spec, width, points = form.spec, width_of(form, theta), out.shape[0]
    check_precision(spec, x)
    check_precision(spec, out)
    inputs = inputs_of(spec)
    if x.shape[0] != points or columns_of(x) != inputs or out.shape[1] != theta.size:
        raise ValueError("out is not (P, K), or x has another number of inputs than the Form")
    rows = inputs + 2
    nil = zero(spec)
    inward, outward = like(theta[0], 1.0 / input_unit(spec)), like(theta[0], output_unit(spec))
    for p in range(0, points, lanes_of(spec)):
        count = min(lanes_of(spec), points - p)
        for i in range(width):
            row = i * rows
            t = like(nil, theta[row + inputs] * inward)
            for d in range(inputs):
                t = fma(like(nil, theta[row + d] * inward), _at(spec, x, p, d, points), t)
            value, slope = value_and_slope(spec, t, form.parameter)
            value, slope = value * like(nil, outward), slope * like(nil, theta[row + inputs + 1])
            for d in range(inputs):
                dw = slope * _at(spec, x, p, d, points)
                for lane in range(count):
                    out[p + lane, row + d] = lane_of(dw, lane)
            for lane in range(count):
                out[p + lane, row + inputs] = lane_of(slope, lane)
                out[p + lane, row + inputs + 1] = lane_of(value, lane)
        for lane in range(count):
            out[p + lane, width * rows] = 1.0


# Training.
@kernel()
def adam_step(form, theta, moments, gradient, step, lr, constants):
    """Adam's step number `step` (from 0) in place: theta (K,), moments (2, K), which start at zero.
    constants: see ADAM.
    """
    spec = form.spec
    check_precision(spec, theta)
    check_precision(spec, moments)
    check_precision(spec, gradient)
    if gradient.size != theta.size or moments.shape[0] != 2 or moments.shape[1] != theta.size:
        raise ValueError("gradient must be as long as theta (K,), and moments (2, K)")
    beta1, beta2, epsilon = constants
    rate, correction = lr / (1.0 - beta1 ** (step + 1)), 1.0 / np.sqrt(1.0 - beta2 ** (step + 1))
    for k in range(theta.size):
        theta[k], moments[0, k], moments[1, k] = adam_update(
            theta[k],
            moments[0, k],
            moments[1, k],
            gradient[k],
            rate,
            correction,
            beta1,
            beta2,
            epsilon,
        )


@kernel()
def train_net(
    form, theta, moments, x, y, weight, first_step, steps, lr, constants, gradient, scratch
):
    """Adam's steps first_step, ..., first_step + steps - 1 (from 0) in place. Returns the loss
    before the last of them.

    Cutting a stretch in two changes no bit. Buffers as in `loss_and_gradient` and `adam_step`. NaN
    for no steps.
    """
    before = np.nan
    for step in range(first_step, first_step + steps):
        before = loss_and_gradient(form, theta, x, y, weight, gradient, scratch)
        adam_step(form, theta, moments, gradient, step, lr, constants)
    return before


# Many nets, one after the other: what `interop/functional.py` calls.
@kernel()
def outputs_of_each(form, thetas, x, out):
    """outputs of nets thetas (R, K): out (R, P)."""
    for net in range(thetas.shape[0]):
        outputs(form, thetas[net], x, out[net])


@kernel()
def losses_and_gradients(form, thetas, x, y, weight, losses, gradients, scratch):
    """loss_and_gradient of nets thetas (R, K): losses (R,), gradients (R, K)."""
    for net in range(thetas.shape[0]):
        losses[net] = loss_and_gradient(form, thetas[net], x, y, weight, gradients[net], scratch)


@kernel()
def jacobian_of_each(form, thetas, x, out):
    """jacobian of nets thetas (R, K): out (R, P, K)."""
    for net in range(thetas.shape[0]):
        jacobian(form, thetas[net], x, out[net])
