"""Outputs, losses and derivatives of nets as plain NumPy arrays, for optimisers and other codes.

Vectors theta are those of interop/vectors.py, and of kernels/single.py. Below, `parameters` is

    theta (K,)        one net; results have no axis of nets
    thetas (R, K)     R nets; results have a first axis R
    Parameters        as an Ensemble holds them; gradients come back as the same

in float32 or float64, the precision of the computation. Points are x (P, D), or (P,) for D = 1.
Weights are taken as they are; `train` divides them by their sum. Any memory layout will do. Several
hidden layers are computed in NumPy and float64.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from minilotto.data.checks import checked, points_of
from minilotto.data.dataset import check_labels
from minilotto.errors import ConfigError, DataError, shown
from minilotto.initialisation import Parameters
from minilotto.interop.several_layers import of_each, rows_of, write_losses_and_gradients
from minilotto.interop.vectors import check_form, flat, pack, unpack
from minilotto.settings.activations import Reals
from minilotto.settings.combinations import check_depth
from minilotto.settings.numbers import whole_number

if TYPE_CHECKING:
    from minilotto.kernels.forms import Form


def predict(
    parameters: Parameters | ArrayLike,
    x: ArrayLike,
    *,
    activation: str = "silu",
    negative_slope: float = 0.01,
    depth: int = 1,
    residual: bool = False,
) -> Reals:
    """Outputs f(x_p) = sum_i v_i sigma(w_i x_p + b_i) + c, or those of more hidden layers.

    Parameters
    ----------
    parameters : Parameters, (K,) or (R, K) array_like
        One net or R nets.
    x : (P,) or (P, D) array_like of float32 or float64
        Points.
    activation, negative_slope : str, float
        A name in ACTIVATIONS, and the slope of leaky_relu for z < 0.
    depth, residual : int, bool
        As in Config; Parameters have a depth of their own.

    Returns
    -------
    (P,) or (R, P) array
        Outputs, in the precision of the parameters.

    Raises
    ------
    DataError
        For parameters or data of the wrong shape, type or content.
    ConfigError
        For an unknown activation.

    References
    ----------
    Paper: equation 1.

    Examples
    --------
    >>> theta, x = np.array([1.0, 0.0, 2.0, -1.0]), np.array([-3.0, 0.5, 2.0])
    >>> predict(theta, x, activation="relu").tolist()
    [-1.0, 0.0, 3.0]
    """
    from minilotto.kernels import layers, single

    points = points_of(x)
    theta, thetas, depth = _thetas(parameters, points.shape[1], depth, residual)
    form = _form(activation, thetas.dtype, points.shape[1], negative_slope)
    out = np.empty((len(thetas), len(points)), thetas.dtype)
    if depth > 1:
        out[:] = [f[0] for f in of_each(layers.outputs, form, thetas, points, depth, residual)]
    else:
        single.outputs_of_each(form, thetas, _read_only(points, thetas.dtype), out)
    return out[0] if theta.ndim == 1 else out


def loss_and_gradient(
    parameters: Parameters | ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    activation: str = "silu",
    negative_slope: float = 0.01,
    loss: str = "squared",
    depth: int = 1,
    residual: bool = False,
) -> tuple[Any, Any]:
    """The loss sum_p weight_p (f(x_p) - y_p)^2 and its gradient.

    `scipy.optimize.minimize(loss_and_gradient, theta, (x, y), jac=True)` trains a net. Each net is
    computed by itself, so that its bits do not depend on the others.

    Parameters
    ----------
    parameters : Parameters, (K,) or (R, K) array_like
        One net or R nets.
    x : (P,) or (P, D) array_like of float32 or float64
        Points.
    y : (P,) array_like of float
        Targets.
    weight : (P,) array_like of float, optional
        Weights, used as they are; 1 / P each by default.
    activation, negative_slope : str, float
        A name in ACTIVATIONS, and the slope of leaky_relu for z < 0.
    loss : {"squared", "logistic"}
        The latter is sum_p weight_p (log(1 + e^f(x_p)) - y_p f(x_p)), for labels y_p of 0 and 1.
    depth, residual : int, bool
        As in Config; Parameters have a depth of their own.

    Returns
    -------
    loss : float or (R,) array
        Loss of each net.
    gradient : (K,) array, (R, K) array or Parameters
        Its derivatives, in the form of the parameters.

    Raises
    ------
    DataError
        For parameters or data of the wrong shape, type or content, or other labels.
    ConfigError
        For an unknown activation.

    Examples
    --------
    >>> theta, x, y = np.array([1.0, 0.0, 2.0, -1.0]), np.array([1.0]), np.array([0.0])
    >>> loss, gradient = loss_and_gradient(theta, x, y, activation="relu")
    >>> loss, gradient.tolist()
    (1.0, [4.0, 4.0, 2.0, 2.0])
    """
    from minilotto.kernels import single

    points, targets, weights = weighted(x, y, weight)
    inputs = points.shape[1]
    theta, thetas, depth = _thetas(parameters, inputs, depth, residual)
    form = _form(activation, thetas.dtype, inputs, negative_slope, loss)
    if loss == "logistic":
        check_labels(targets)
    losses, gradients = np.empty(len(thetas), thetas.dtype), np.empty(thetas.shape, thetas.dtype)
    if depth > 1:
        write_losses_and_gradients(
            form, thetas, (points, targets, weights), depth, residual, losses, gradients
        )
    else:
        scratch = np.empty(_scratch_size(form, thetas.shape[1] // (inputs + 2)), thetas.dtype)
        data = (_read_only(array, thetas.dtype) for array in (points, targets, weights))
        single.losses_and_gradients(form, thetas, *data, losses, gradients, scratch)
    gradient = gradients.reshape(theta.shape)
    return (
        float(losses[0]) if theta.ndim == 1 else losses,
        unpack(gradient, inputs, depth) if isinstance(parameters, Parameters) else gradient,
    )


def jacobian(
    parameters: Parameters | ArrayLike,
    x: ArrayLike,
    *,
    activation: str = "silu",
    negative_slope: float = 0.01,
    depth: int = 1,
    residual: bool = False,
) -> Reals:
    """Derivatives df(x_p)/dtheta_k of the outputs.

    Parameters
    ----------
    parameters : Parameters, (K,) or (R, K) array_like
        One net or R nets.
    x : (P,) or (P, D) array_like of float32 or float64
        Points.
    activation, negative_slope : str, float
        A name in ACTIVATIONS, and the slope of leaky_relu for z < 0.
    depth, residual : int, bool
        As in Config; Parameters have a depth of their own.

    Returns
    -------
    (P, K) or (R, P, K) array
        Derivatives, in the order of `pack`.

    Raises
    ------
    DataError
        For parameters or data of the wrong shape, type or content.
    ConfigError
        For an unknown activation.
    """
    from minilotto.kernels import layers, single

    points = points_of(x)
    theta, thetas, depth = _thetas(parameters, points.shape[1], depth, residual)
    form = _form(activation, thetas.dtype, points.shape[1], negative_slope)
    out = np.empty((len(thetas), len(points), thetas.shape[1]), thetas.dtype)
    if depth > 1:
        found = of_each(layers.derivatives, form, thetas, points, depth, residual)
        out[:] = [rows_of(parts) for parts in found]
    else:
        single.jacobian_of_each(form, thetas, _read_only(points, thetas.dtype), out)
    return out[0] if theta.ndim == 1 else out


def residuals(
    parameters: Parameters | ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    activation: str = "silu",
    negative_slope: float = 0.01,
    depth: int = 1,
    residual: bool = False,
) -> Reals:
    """Residuals sqrt(weight_p) (f(x_p) - y_p), whose sum of squares is the loss.

    `scipy.optimize.least_squares(residuals, theta, residual_jacobian, args=(x, y))` trains a net by
    trust regions.

    Parameters
    ----------
    parameters : Parameters, (K,) or (R, K) array_like
        One net or R nets.
    x : (P,) or (P, D) array_like of float32 or float64
        Points.
    y : (P,) array_like of float
        Targets.
    weight : (P,) array_like of float, optional
        Weights, used as they are; 1 / P each by default.
    activation, negative_slope : str, float
        A name in ACTIVATIONS, and the slope of leaky_relu for z < 0.
    depth, residual : int, bool
        As in Config; Parameters have a depth of their own.

    Returns
    -------
    (P,) or (R, P) array
        Residuals.

    Raises
    ------
    DataError
        For parameters or data of the wrong shape, type or content, or a negative weight.
    ConfigError
        For an unknown activation.
    """
    points, targets, weights = weighted(x, y, weight)
    net: dict[str, Any] = {"activation": activation, "negative_slope": negative_slope}
    f = predict(parameters, points, **net, depth=depth, residual=residual)
    return (np.sqrt(_not_negative(weights)) * (f - targets)).astype(f.dtype)


def residual_jacobian(
    parameters: Parameters | ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    activation: str = "silu",
    negative_slope: float = 0.01,
    depth: int = 1,
    residual: bool = False,
) -> Reals:
    """Derivatives of `residuals` with respect to the parameters.

    Parameters
    ----------
    parameters : Parameters, (K,) or (R, K) array_like
        One net or R nets.
    x : (P,) or (P, D) array_like of float32 or float64
        Points.
    y : (P,) array_like of float
        Targets, which the derivatives do not depend on.
    weight : (P,) array_like of float, optional
        Weights, used as they are; 1 / P each by default.
    activation, negative_slope : str, float
        A name in ACTIVATIONS, and the slope of leaky_relu for z < 0.
    depth, residual : int, bool
        As in Config; Parameters have a depth of their own.

    Returns
    -------
    (P, K) or (R, P, K) array
        Derivatives, in the order of `pack`.

    Raises
    ------
    DataError
        For parameters or data of the wrong shape, type or content, or a negative weight.
    ConfigError
        For an unknown activation.
    """
    points, _, weights = weighted(x, y, weight)
    net: dict[str, Any] = {"activation": activation, "negative_slope": negative_slope}
    slopes = jacobian(parameters, points, **net, depth=depth, residual=residual)
    slopes *= np.sqrt(_not_negative(weights)).astype(slopes.dtype)[:, None]
    return slopes


def _form(name: str, dtype: Any, inputs: int, slope: float, loss: str = "squared") -> "Form":
    check_form(name, slope, loss)  # before they are keys of the cache
    return _known_form(name, dtype, inputs, slope, loss)


@lru_cache(maxsize=64)
def _known_form(activation: str, dtype: Any, inputs: int, slope: float, loss: str) -> "Form":
    from minilotto.kernels import single

    return single.form(activation, inputs, dtype.name, slope, loss)


@lru_cache(maxsize=256)
def _scratch_size(form: "Form", width: int) -> int:
    from minilotto.kernels import single

    return int(single.scratch_size(form, width))


def weighted(x: ArrayLike, y: ArrayLike, weight: ArrayLike | None) -> tuple[Reals, Reals, Reals]:
    """Points, targets and weights, checked; 1 / P each by default.

    Parameters
    ----------
    x : (P,) or (P, D) array_like
        Points.
    y : (P,) array_like
        Targets.
    weight : (P,) array_like or None
        Weights.

    Returns
    -------
    x, y, weight : arrays

    Raises
    ------
    DataError
        For data of the wrong shape, type or content.
    """
    points, targets, weights = checked(x, y, weight)
    return points, targets, weights / len(weights) if weight is None else weights


def _not_negative(weights: Reals) -> Reals:
    if (weights < 0).any():
        raise DataError(
            f"weight has minimum {weights.min()}; a weight below zero has no square root, use "
            "loss_and_gradient"
        )
    return weights


def _thetas(
    parameters: Parameters | ArrayLike, inputs: int, depth: int, residual: bool
) -> tuple[Reals, Reals, int]:
    """Parameters as theta (K,) or (R, K), and as read-only thetas (R, K); and their depth."""
    packed: Any = parameters
    if isinstance(parameters, Parameters):
        if whole_number("depth", depth, at_least=1) not in (1, parameters.depth):
            raise ConfigError(
                f"depth={shown(depth)} is not that of the Parameters, {parameters.depth}; leave it "
                "out"
            )
        packed, depth = pack(parameters), parameters.depth
    depth = check_depth(depth, residual)
    array = flat(packed, inputs, depth)
    return array, _read_only(array.reshape(-1, array.shape[-1]), array.dtype), depth


def _read_only(array: Reals, dtype: DTypeLike) -> Reals:
    """The array in that precision, contiguous and marked read-only, so that the compiler sees one
    type.
    """
    view: Reals = np.ascontiguousarray(array, dtype)
    view = view.view() if view.flags.aligned else view.copy()
    view.setflags(write=False)
    return view
