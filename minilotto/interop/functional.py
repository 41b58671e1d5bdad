"""Nets as plain NumPy arrays, for optimisers and other codes: outputs, losses, gradients, Jacobians
and Hessians.

Parameters of a net are one vector theta (K,), K = N (D + 2) + 1, neuron by neuron: its D weights w,
its b, its v; and c at the end. This is what scipy.optimize moves about, and what the compiled
functions of kernels/single.py take. Below, `parameters` is

    theta (K,)        one net; results have no axis of nets
    thetas (R, K)     R nets; results have a first axis R
    Parameters        (w, b, v, c) as an Ensemble holds them; gradients come back as the same

in float32 or float64, which is the precision of the computation. Points are x (P, D), or (P,) for D
= 1; y (P,); weight (P,), taken as it is, by default 1 / P each. (`train` divides weights by their
sum.) Arrays may have any memory layout and may be read-only.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.data.dataset import check_labels
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import activation_of

PRECISIONS = (np.dtype(np.float32), np.dtype(np.float64))
POINTS_AT_ONCE = 2**12  # of a Hessian, to keep the Jacobian small


def pack(parameters: Parameters) -> NDArray:
    """thetas (R, K) of nets w (R, N, D), b (R, N), v (R, N), c (R,); theta (K,) of one net w (N,
    D), b (N,), v (N,), c ().

    Raises DataError for shapes or precisions that do not go together.

    >>> pack(Parameters(np.array([[0.1], [0.2]]), np.array([0.3, 0.4]), np.array([0.5, 0.6]), np.array(0.7))).tolist()
    [0.1, 0.3, 0.5, 0.2, 0.4, 0.6, 0.7]
    """
    try:
        w, b, v, c = (
            _floating(name, array) for name, array in zip("wbvc", parameters, strict=True)
        )
    except (TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"parameters are a {type(parameters).__name__}; pass (w, b, v, c), as in "
            "nets.parameters"
        ) from None
    shape = w.shape[:-1]
    if (
        w.ndim not in (2, 3)
        or 0 in w.shape[-2:]
        or b.shape != shape
        or v.shape != shape
        or c.shape != shape[:-1]
    ):
        raise DataError(
            f"w, b, v, c have shapes {w.shape}, {b.shape}, {v.shape}, {c.shape}; "
            "they must be (R, N, D), (R, N), (R, N), (R,), or the same without R"
        )
    if len({array.dtype for array in (w, b, v, c)}) > 1:
        raise DataError(
            f"w, b, v, c have dtypes {w.dtype}, {b.dtype}, {v.dtype}, {c.dtype}; give all of them "
            "the same"
        )
    neurons = np.concatenate([w, b[..., None], v[..., None]], axis=-1)
    return np.concatenate([neurons.reshape(*shape[:-1], -1), c[..., None]], axis=-1)


def unpack(theta: ArrayLike, inputs: int = 1) -> Parameters:
    """The inverse of pack, for nets of D = `inputs`, as copies. Raises DataError for a length that
    no such net has.

    >>> unpack(np.arange(7.0)).v.tolist()
    [2.0, 5.0]
    """
    if isinstance(inputs, bool) or not isinstance(inputs, (int, np.integer)) or inputs < 1:
        raise DataError(f"inputs={inputs!r} is out of range; give a whole number of at least 1")
    flat = _flat(theta, int(inputs))
    neurons = flat[..., :-1].reshape(*flat.shape[:-1], -1, inputs + 2)
    parts = neurons[..., :inputs], neurons[..., inputs], neurons[..., inputs + 1], flat[..., -1]
    return Parameters(*(np.array(part) for part in parts))


def predict(
    parameters: Any, x: ArrayLike, *, activation: str = "silu", negative_slope: float = 0.01
) -> NDArray:
    """f(x_p) = sum_i v_i sigma(w_i x_p + b_i) + c: (P,), or (R, P) for R nets. Paper: Eq. 1.

    Raises DataError for parameters or points of the wrong shape, type or content, ConfigError for
    an unknown activation.

    >>> predict(np.array([1.0, 0.0, 2.0, -1.0]), np.array([-3.0, 0.5, 2.0]), activation="relu").tolist()
    [-1.0, 0.0, 3.0]
    """
    from minilotto.kernels import single

    points = _points(x)
    flat, thetas = _thetas(parameters, points.shape[1])
    form = _form(activation, thetas.dtype, points.shape[1], negative_slope)
    out = np.empty((len(thetas), len(points)), thetas.dtype)
    single.outputs_of_each(form, thetas, _read_only(points, thetas.dtype), out)
    return out[0] if flat.ndim == 1 else out


def loss_and_gradient(
    parameters: Any,
    x: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    activation: str = "silu",
    negative_slope: float = 0.01,
    loss: str = "squared",
) -> tuple[Any, Any]:
    """The loss sum_p weight_p (f(x_p) - y_p)^2 and its gradient with respect to the parameters.

    loss="logistic": sum_p weight_p (log(1 + e^f(x_p)) - y_p f(x_p)) for labels y_p of 0 and 1.

    For theta (K,): a float and (K,), so that `scipy.optimize.minimize(loss_and_gradient, theta, (x,
    y), jac=True)` trains a net. For thetas (R, K): losses (R,) and gradients (R, K); for
    Parameters: losses and Parameters. Each net is computed by itself, so its bits do not depend on
    the others.

    Raises DataError and ConfigError as `predict`, and DataError for other labels.

    >>> loss, gradient = loss_and_gradient(np.array([1.0, 0.0, 2.0, -1.0]), np.array([1.0]), np.array([0.0]), activation="relu")
    >>> loss, gradient.tolist()
    (1.0, [4.0, 4.0, 2.0, 2.0])
    """
    from minilotto.kernels import single

    points, targets, weights = _data(x, y, weight)
    inputs = points.shape[1]
    flat, thetas = _thetas(parameters, inputs)
    form = _form(activation, thetas.dtype, inputs, negative_slope, loss)
    if loss == "logistic":
        check_labels(targets)
    losses, gradients = np.empty(len(thetas), thetas.dtype), np.empty(thetas.shape, thetas.dtype)
    scratch = np.empty(_scratch_size(form, thetas.shape[1] // (inputs + 2)), thetas.dtype)
    data = (_read_only(array, thetas.dtype) for array in (points, targets, weights))
    single.losses_and_gradients(form, thetas, *data, losses, gradients, scratch)
    gradient = gradients.reshape(flat.shape)
    return (
        float(losses[0]) if flat.ndim == 1 else losses,
        unpack(gradient, inputs) if isinstance(parameters, Parameters) else gradient,
    )


def jacobian(
    parameters: Any, x: ArrayLike, *, activation: str = "silu", negative_slope: float = 0.01
) -> NDArray:
    """df(x_p)/dtheta_k: (P, K), or (R, P, K) for R nets, in the order of `pack`.

    Raises DataError and ConfigError as `predict`.
    """
    from minilotto.kernels import single

    points = _points(x)
    flat, thetas = _thetas(parameters, points.shape[1])
    form = _form(activation, thetas.dtype, points.shape[1], negative_slope)
    out = np.empty((len(thetas), len(points), thetas.shape[1]), thetas.dtype)
    single.jacobian_of_each(form, thetas, _read_only(points, thetas.dtype), out)
    return out[0] if flat.ndim == 1 else out


def residuals(
    parameters: Any,
    x: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    activation: str = "silu",
    negative_slope: float = 0.01,
) -> NDArray:
    """sqrt(weight_p) (f(x_p) - y_p), whose sum of squares is the loss: (P,), or (R, P) for R nets.

    `scipy.optimize.least_squares(residuals, theta, residual_jacobian, args=(x, y))` trains a net by
    trust regions.

    Raises DataError and ConfigError as `predict`, and DataError for a negative weight.
    """
    points, targets, weights = _data(x, y, weight)
    f = predict(parameters, points, activation=activation, negative_slope=negative_slope)
    return (np.sqrt(_not_negative(weights)) * (f - targets)).astype(f.dtype)


def residual_jacobian(
    parameters: Any,
    x: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    activation: str = "silu",
    negative_slope: float = 0.01,
) -> NDArray:
    """Derivatives of `residuals` with respect to the parameters: (P, K), or (R, P, K) for R nets.

    Raises what `residuals` raises.
    """
    points, _, weights = _data(x, y, weight)
    slopes = jacobian(parameters, points, activation=activation, negative_slope=negative_slope)
    slopes *= np.sqrt(_not_negative(weights)).astype(slopes.dtype)[:, None]
    return slopes


def hessian(
    parameters: Any,
    x: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    activation: str = "silu",
    negative_slope: float = 0.01,
) -> NDArray[np.float64]:
    """Second derivatives of the loss, in float64: (K, K), or (R, K, K) for R nets, in the order of
    `pack`.

    H = 2 sum_p weight_p (J_p J_p^T + (f(x_p) - y_p) H_p) with J_p and H_p the first and second
    derivatives of f(x_p). Of relu and leaky_relu it is the Hessian wherever there is one; kinks add
    nothing.

    Raises DataError and ConfigError as `predict`.
    """
    sigma = activation_of(activation, negative_slope)
    points, targets, weights = _data(x, y, weight)
    inputs = points.shape[1]
    flat, thetas = _thetas(parameters, inputs)
    thetas = thetas.astype(np.float64)
    settings: dict[str, Any] = {"activation": activation, "negative_slope": negative_slope}
    result = np.zeros((*thetas.shape, thetas.shape[1]))
    for first in range(0, len(points), POINTS_AT_ONCE):
        part = slice(first, first + POINTS_AT_ONCE)
        here, doubled = points[part].astype(np.float64), 2.0 * weights[part]
        for theta, total in zip(thetas, result, strict=True):
            slopes = jacobian(theta, here, **settings)
            r = predict(theta, here, **settings) - targets[part]
            total += slopes.T @ (doubled[:, None] * slopes)
            _add_curvature(sigma, theta, here, doubled * r, total)
    result = (
        result + result.transpose(0, 2, 1)
    ) / 2  # sums in another order: symmetric but for rounding
    return result[0] if flat.ndim == 1 else result


def _add_curvature(sigma: Any, theta: NDArray, x: NDArray, factor: NDArray, total: NDArray) -> None:
    """total += sum_p factor_p H_p: blocks of one neuron each, of its w and b with one another and
    with its v.
    """
    inputs = x.shape[1]
    rows = inputs + 2
    neurons = theta[:-1].reshape(-1, rows)
    extended = np.column_stack([x, np.ones(len(x))])
    z = neurons[:, : inputs + 1] @ extended.T
    slope, curvature = sigma.slope(z) * factor, sigma.curvature(z) * neurons[:, -1:] * factor
    within = np.einsum("np,pd,pe->nde", curvature, extended, extended, optimize=True)
    across = slope @ extended
    for i in range(len(neurons)):
        start, v = i * rows, i * rows + inputs + 1
        total[start:v, start:v] += within[i]
        total[start:v, v] += across[i]
        total[v, start:v] += across[i]


# What callers hand in.
@lru_cache(maxsize=64)
def _form(
    activation: str, dtype: np.dtype, inputs: int, negative_slope: float, loss: str = "squared"
) -> Any:
    from minilotto.kernels import single

    return single.form(activation, inputs, dtype.name, negative_slope, loss)


@lru_cache(maxsize=256)
def _scratch_size(form: Any, width: int) -> int:
    from minilotto.kernels import single

    return single.scratch_size(form, width)


def _floating(name: str, values: Any) -> NDArray:
    """`values` as an array of float32 or float64. Raises DataError."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"{name} is no array ({error}); pass rows of equal length") from None
    if array.dtype not in PRECISIONS:
        raise DataError(
            f"{name} has dtype {array.dtype}; pass float32 or float64, as in {name}.astype(float)"
        )
    return array


def _finite(name: str, values: Any) -> NDArray:
    array = _floating(name, values)
    if not np.isfinite(array).all():
        raise DataError(
            f"{name} holds NaN or infinity at index "
            f"{np.argwhere(~np.isfinite(array))[0].tolist()}; remove it first"
        )
    return array


def _points(x: Any) -> NDArray:
    """Points (P, D)."""
    array = _finite("x", x)
    if array.ndim not in (1, 2) or 0 in array.shape:
        raise DataError(
            f"x has shape {array.shape}; it must be (P,) or (P, D) with at least one point and "
            "one input"
        )
    return array[:, None] if array.ndim == 1 else array


def _data(x: Any, y: Any, weight: Any) -> tuple[NDArray, NDArray, NDArray]:
    """Points (P, D), targets (P,), weights (P,)."""
    points, targets = _points(x), _finite("y", y)
    if targets.shape != (len(points),):
        raise DataError(
            f"y has shape {targets.shape} where x has {len(points)} points; it must be "
            f"({len(points)},)"
        )
    weights = (
        np.full(len(points), 1.0 / len(points)) if weight is None else _finite("weight", weight)
    )
    if weights.shape != targets.shape:
        raise DataError(
            f"weight has shape {weights.shape} where y has {targets.shape}; give one weight a point"
        )
    return points, targets, weights


def _not_negative(weights: NDArray) -> NDArray:
    if (weights < 0).any():
        raise DataError(
            f"weight has minimum {weights.min()}; a weight below zero has no square root, use "
            "loss_and_gradient"
        )
    return weights


def _flat(theta: Any, inputs: int) -> NDArray:
    """theta (K,) or (R, K) of nets of so many inputs. Raises DataError."""
    array = _floating("theta", theta)
    rows = inputs + 2
    if (
        array.ndim not in (1, 2)
        or array.shape[-1] <= rows
        or array.shape[-1] % rows != 1 % rows
        or 0 in array.shape
    ):
        raise DataError(
            f"theta has shape {array.shape}; for {inputs} input{'s' * (inputs > 1)} it must be "
            "(K,) or (R, K) "
            f"with K = {rows} N + 1 and at least one net"
        )
    return array


def _thetas(parameters: Any, inputs: int) -> tuple[NDArray, NDArray]:
    """Parameters as theta (K,) or (R, K), and as read-only thetas (R, K)."""
    flat = _flat(pack(parameters) if isinstance(parameters, Parameters) else parameters, inputs)
    return flat, _read_only(flat.reshape(-1, flat.shape[-1]), flat.dtype)


def _read_only(array: NDArray, dtype: np.dtype) -> NDArray:
    """The array in that precision, contiguous and marked read-only: one type for the compiler,
    whatever was handed in.
    """
    view = np.ascontiguousarray(array, dtype)
    view = view.view() if view.flags.aligned else view.copy()
    view.setflags(write=False)
    return view
