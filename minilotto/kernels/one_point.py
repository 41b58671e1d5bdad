"""f and df/dx of one net at one point: plain numbers, neuron after neuron. Part of single.py."""

from minilotto.kernels.compile import kernel
from minilotto.kernels.forms import coordinate, coordinates_of, width_of
from minilotto.kernels.formulas import input_unit, output_unit, value_and_slope
from minilotto.kernels.points import check_vector
from minilotto.kernels.simd import fma, like
from minilotto.kernels.spec import inputs_of, spec_of


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
    """f(x) = sum_i v_i sigma(w_i x + b_i) + c at one point.

    Parameters
    ----------
    form : Form
    theta : (K,) array
    x : float or (D,) array

    Returns
    -------
    float
        In the precision of the Form.

    Raises
    ------
    ValueError
        For arrays of other lengths than these.

    References
    ----------
    arXiv:2310.02258, Eq. 1.
    """
    spec, width = spec_of(form), width_of(form, theta)
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
    """f(x) and df/dx of a net of one input.

    Parameters
    ----------
    form : Form
    theta : (K,) array
    x : float

    Returns
    -------
    (float, float)
        In the precision of the Form.

    Raises
    ------
    ValueError
        For arrays of other lengths than these.
    """
    spec, width = spec_of(form), width_of(form, theta)
    if inputs_of(spec) != 1 or coordinates_of(x) != 1:
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
    """f(x) at one point, and its gradient.

    Parameters
    ----------
    form : Form
    theta : (K,) array
    x : float or (D,) array
    dx : (D,) array
        df/dx, written.

    Returns
    -------
    float
        In the precision of the Form.

    Raises
    ------
    ValueError
        For arrays of other lengths than these.
    """
    spec, width = spec_of(form), width_of(form, theta)
    inputs = inputs_of(spec)
    check_vector(spec, dx)
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


@kernel()
def forward_of_layers(form, theta, width, depth, residual, x, h):
    """f(x) of several hidden layers at one point.

    theta is as interop/vectors.py has it; h (2, N) is overwritten. With `residual` the layers are
    h_l = h_(l-1) + sigma(W_l h_(l-1) + b_l) / L.
    """
    spec, nil = form.spec, like(theta[0], 0.0)
    inward, outward = like(nil, 1.0 / input_unit(spec)), like(nil, output_unit(spec))
    share = like(nil, 1.0 / depth if residual else 1.0)
    rows = inputs_of(spec) + 2
    for i in range(width):
        value, _ = value_and_slope(spec, _argument(spec, theta, i * rows, x), form.parameter)
        h[0, i] = value * outward
    at = width * rows + 1
    for layer in range(depth - 1):
        before, after = h[layer % 2], h[1 - layer % 2]
        for i in range(width):
            t = theta[at + width * width + i]
            for j in range(width):
                t = fma(theta[at + i * width + j], before[j], t)
            value, _ = value_and_slope(spec, t * inward, form.parameter)
            after[i] = value * outward * share + (before[i] if residual else nil)
        at += width * (width + 1)
    f = theta[width * rows]
    for i in range(width):
        f = fma(theta[i * rows + rows - 1], h[(depth - 1) % 2, i], f)
    return f
