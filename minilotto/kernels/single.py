"""One net at a time, for a caller's own compiled functions: one lane is one point::

    from minilotto.kernels import single

    SILU = single.form("silu")  # an argument or a global of your function

    @njit
    def fit(theta, x, y, weight, gradient, scratch):
        for _ in range(1000):
            single.loss_and_gradient(SILU, theta, x, y, weight, gradient, scratch)
            theta -= 0.01 * gradient

Every function here can be called from @njit code, serial or inside a prange, and from Python. None
of them allocates, keeps state, takes the GIL or starts a thread; they write to the caller's
buffers, one set of buffers a thread.

A net is a vector theta (K,), K = N (D + 2) + 1, neuron by neuron: its D weights w, its b, its v;
and c at the end. Points are x (P, D), or (P,) for D = 1; y (P,) and weight (P,). All arrays have
the precision of the Form. They may have any memory layout, except `scratch`, which is contiguous
and holds at least `scratch_size(form, width)` numbers. Lengths are checked at each call, where a
wrong one raises ValueError; types and numbers of axes are checked while compiling, where a wrong
one raises numba.TypingError.

Vectors have 64 bytes on every CPU (LLVM splits them where registers are shorter), so that sums over
points are added in the same order everywhere; f has the bits that `Ensemble.predict` gives.
"""

import numpy as np

from minilotto.kernels.compile import kernel
from minilotto.kernels.forms import Form, check_points, columns_of, form, scratch_size, width_of
from minilotto.kernels.formulas import (
    add_loss,
    input_unit,
    loss_and_residual,
    loss_factor,
    output_unit,
    value_and_slope,
)
from minilotto.kernels.one_point import forward, forward_and_gradient, forward_and_slope
from minilotto.kernels.points import (
    check_contiguous,
    check_matrix,
    check_rows,
    check_vector,
    first_lanes,
    lane_of,
    load_last_points,
    load_points,
)
from minilotto.kernels.simd import fma, like, sum_of_lanes
from minilotto.kernels.spec import inputs_of, lanes_of, load, spec_of, spread, store, zero
from minilotto.kernels.updates import Coefficients, update

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
    "step",
    "train_net",
    "width_of",
]
ADAM = (0.9, 0.999, 1e-8)  # beta1, beta2, epsilon as Config has them
MOMENTUM, WEIGHT_DECAY = 0.9, 0.01  # likewise; for constants that end with epsilon


@kernel(inline="always")
def _at(spec, array, p, column, points):
    """Lanes of points p, p + 1, ...; lanes beyond the last point repeat it."""
    full = p + lanes_of(spec) <= points
    return (
        load_points(spec, array, p, column)
        if full
        else load_last_points(spec, array, p, column, points)
    )


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
    """f(x_p) at many points: the bits of `forward`, several times faster.

    Parameters
    ----------
    form : Form
    theta : (K,) array
    x : (P, D) or (P,) array
    out : (P,) array
        Written.

    Raises
    ------
    ValueError
        For arrays of other lengths than these.
    """
    spec, width = spec_of(form), width_of(form, theta)
    check_rows(spec, x)
    check_vector(spec, out)
    points = out.size
    if x.shape[0] != points or columns_of(x) != inputs_of(spec):
        raise ValueError("x has another number of points than out, or of inputs than the Form")
    for p in range(0, points, lanes_of(spec)):
        f = _outputs_at(spec, form.parameter, width, theta, x, p, points)
        for lane in range(min(lanes_of(spec), points - p)):
            out[p + lane] = lane_of(f, lane)


@kernel()
def loss(form, theta, x, y, weight):
    """sum_p weight_p (f(x_p) - y_p)^2, or the Form's other loss.

    Parameters
    ----------
    form : Form
    theta : (K,) array
    x : (P, D) or (P,) array
    y, weight : (P,) array

    Returns
    -------
    float
        In the precision of the Form.
    """
    spec, width = spec_of(form), width_of(form, theta)
    check_points(form, x, y, weight)
    points = y.size
    total = zero(spec)
    for p in range(0, points, lanes_of(spec)):
        f = _outputs_at(spec, form.parameter, width, theta, x, p, points)
        some_weight = first_lanes(_at(spec, weight, p, 0, points), points - p)
        total = add_loss(spec, total, f, _at(spec, y, p, 0, points), some_weight)
    return sum_of_lanes(total)


@kernel()
def loss_and_gradient(form, theta, x, y, weight, gradient, scratch):
    """`loss`, and its gradient.

    Parameters
    ----------
    form : Form
    theta : (K,) array
    x : (P, D) or (P,) array
    y, weight : (P,) array
    gradient : (K,) array
        Written, in the order of theta.
    scratch : (S,) array
        At least `scratch_size` numbers, overwritten.

    Returns
    -------
    float
        The loss, in the precision of the Form.

    Raises
    ------
    ValueError
        For arrays of other lengths than these.
    """
    # scratch: scaled parameters, then a vector of points, then values and slopes of the neurons
    # there, then sums over points.
    spec, width = spec_of(form), width_of(form, theta)
    check_points(form, x, y, weight)
    points = y.size
    check_vector(spec, gradient)
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
        target = _at(spec, y, p, 0, points)
        some_weight = first_lanes(_at(spec, weight, p, 0, points), points - p)
        total = add_loss(spec, total, f, target, some_weight)
        _, r = loss_and_residual(spec, f, target)
        df = r * some_weight * like(total, loss_factor(spec))
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
    """Derivatives df(x_p)/dtheta_k of the output.

    Parameters
    ----------
    form : Form
    theta : (K,) array
    x : (P, D) or (P,) array
    out : (P, K) array
        Written.

    Raises
    ------
    ValueError
        For arrays of other lengths than these.
    """
    spec, width = spec_of(form), width_of(form, theta)
    check_rows(spec, x)
    check_matrix(spec, out)
    inputs, points = inputs_of(spec), out.shape[0]
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
def step(form, theta, moments, gradient, number, lr, constants):
    """One step of the Form's optimiser, in place.

    Parameters
    ----------
    form : Form
    theta : (K,) array
    moments : (2, K) array
        The optimiser's m and s, zero before the first step.
    gradient : (K,) array
    number : int
        Number of the step, from 0.
    lr : float
    constants : (beta1, beta2, epsilon) or (beta1, beta2, epsilon, momentum, weight_decay)
        As ADAM, without which momentum and weight_decay have Config's defaults.

    Raises
    ------
    ValueError
        For arrays or constants of other lengths than these.

    References
    ----------
    The equations are the notes of OPTIMIZERS, in torch's order of operations.
    """
    spec = spec_of(form)
    check_vector(spec, theta)
    check_matrix(spec, moments)
    check_vector(spec, gradient)
    if gradient.size != theta.size or moments.shape[0] != 2 or moments.shape[1] != theta.size:
        raise ValueError("gradient must be as long as theta (K,), and moments (2, K)")
    if len(constants) != 3 and len(constants) != 5:
        raise ValueError("constants must be three numbers, as ADAM has them, or five")
    adam_rate = lr / (1.0 - constants[0] ** (number + 1))
    correction = 1.0 / np.sqrt(1.0 - constants[1] ** (number + 1))
    k = Coefficients(lr, adam_rate, correction, *(constants + (MOMENTUM, WEIGHT_DECAY))[:5])
    for i in range(theta.size):
        theta[i], moments[0, i], moments[1, i] = update(
            spec, theta[i], moments[0, i], moments[1, i], gradient[i], k
        )


adam_step = step  # its name while Adam was the only optimiser


@kernel()
def train_net(
    form, theta, moments, x, y, weight, first_step, steps, lr, constants, gradient, scratch
):
    """Steps first_step, ..., first_step + steps - 1 (from 0) of the Form's optimiser, in place.

    Two calls, one after the other, give the bits of one call for all their steps.

    Parameters
    ----------
    form, theta
        As in `loss_and_gradient`.
    moments
        As in `step`.
    x, y, weight
        As in `loss_and_gradient`.
    first_step, steps : int
        At least 0.
    lr, constants
        As in `step`.
    gradient, scratch
        As in `loss_and_gradient`.

    Returns
    -------
    float
        The loss before the last step; NaN for no steps.
    """
    before = np.nan
    for number in range(first_step, first_step + steps):
        before = loss_and_gradient(form, theta, x, y, weight, gradient, scratch)
        step(form, theta, moments, gradient, number, lr, constants)
    return before


# Many nets, one after the other: what `interop/functional.py` calls.
@kernel()
def outputs_of_each(form, thetas, x, out):
    """`outputs` of nets thetas (R, K): out (R, P)."""
    for net in range(thetas.shape[0]):
        outputs(form, thetas[net], x, out[net])


@kernel()
def losses_and_gradients(form, thetas, x, y, weight, losses, gradients, scratch):
    """`loss_and_gradient` of nets thetas (R, K): losses (R,), gradients (R, K)."""
    for net in range(thetas.shape[0]):
        losses[net] = loss_and_gradient(form, thetas[net], x, y, weight, gradients[net], scratch)


@kernel()
def jacobian_of_each(form, thetas, x, out):
    """`jacobian` of nets thetas (R, K): out (R, P, K)."""
    for net in range(thetas.shape[0]):
        jacobian(form, thetas[net], x, out[net])
