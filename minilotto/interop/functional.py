"""Outputs, losses and derivatives of nets as plain NumPy arrays, for optimisers and other codes.

Vectors theta are those of interop/vectors.py, and of kernels/single.py. Below, `parameters` is

    theta (K,)        one net; results have no axis of nets
    thetas (R, K)     R nets; results have a first axis R
    Parameters        as an Ensemble holds them; gradients come back as the same

in float32 or float64, the precision of the computation. Points are x (P, D), or (P,) for D = 1.
Weights are taken as they are; `train` divides them by their sum. Any memory layout will do. Several
hidden layers are computed in float64.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from minilotto.data.checks import checked, points_of
from minilotto.data.dataset import check_labels, frozen
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.interop.vectors import check_form, pack, read_only, thetas_of, unpack
from minilotto.settings.activations import Reals, activation_of

__all__ = ["jacobian", "loss_and_gradient", "predict", "residual_jacobian", "residuals"]

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
    from minilotto.engines.evaluate import predictions
    from minilotto.kernels import single

    points = points_of(x)
    theta, thetas, depth = thetas_of(parameters, points.shape[1], depth, residual)
    form = _form(activation, thetas.dtype, points.shape[1], negative_slope)
    out = np.empty((len(thetas), len(points)), thetas.dtype)
    if depth > 1:
        nets, sigma = (
            unpack(thetas, points.shape[1], depth),
            activation_of(activation, form.parameter),
        )
        with np.errstate(over="ignore", invalid="ignore"):
            out[:] = predictions(sigma, nets, np.array(points, np.float64), residual)
    else:
        single.outputs_of_each(form, thetas, read_only(points, thetas.dtype), out)
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
    from minilotto.engines import evaluate
    from minilotto.kernels import single

    points, targets, weights = weighted(x, y, weight)
    inputs = points.shape[1]
    theta, thetas, depth = thetas_of(parameters, inputs, depth, residual)
    form = _form(activation, thetas.dtype, inputs, negative_slope, loss)
    if loss == "logistic":
        check_labels(targets)
    losses, gradients = np.empty(len(thetas), thetas.dtype), np.empty(thetas.shape, thetas.dtype)
    if depth > 1:
        sigma, nets = activation_of(activation, form.parameter), unpack(thetas, inputs, depth)
        points, targets, weights = (a.astype(np.float64) for a in (points, targets, weights))
        data = frozen(points, targets, weights)
        with np.errstate(over="ignore", invalid="ignore"):
            losses[:] = evaluate.losses(sigma, nets, data, loss, residual)
            found = evaluate.gradients(sigma, nets, data, loss=loss, residual=residual)
            gradients[:] = pack(found)
    else:
        scratch = np.empty(_scratch_size(form, thetas.shape[1] // (inputs + 2)), thetas.dtype)
        arrays = (read_only(array, thetas.dtype) for array in (points, targets, weights))
        single.losses_and_gradients(form, thetas, *arrays, losses, gradients, scratch)
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
    parameters, x, activation, negative_slope, depth, residual
        As in `predict`.

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
    from minilotto.interop.several_layers import jacobian_of
    from minilotto.kernels import single

    points = points_of(x)
    theta, thetas, depth = thetas_of(parameters, points.shape[1], depth, residual)
    form = _form(activation, thetas.dtype, points.shape[1], negative_slope)
    out = np.empty((len(thetas), len(points), thetas.shape[1]), thetas.dtype)
    if depth > 1:
        sigma = activation_of(activation, form.parameter)
        with np.errstate(over="ignore"):
            out[:] = [jacobian_of(sigma, one, points, depth, residual) for one in thetas]
    else:
        single.jacobian_of_each(form, thetas, read_only(points, thetas.dtype), out)
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
    parameters, x, y, weight, activation, negative_slope, depth, residual
        As in `loss_and_gradient`.

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
    parameters, x, y, weight, activation, negative_slope, depth, residual
        As in `loss_and_gradient`; derivatives do not depend on y.

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
    """Points, targets and weights, checked; 1 / P each by default."""
    points, targets, weights = checked(x, y, weight)
    return points, targets, weights / len(weights) if weight is None else weights


def _not_negative(weights: Reals) -> Reals:
    if (weights < 0).any():
        raise DataError(
            f"weight has minimum {weights.min()}; a weight below zero has no square root, use "
            "loss_and_gradient"
        )
    return weights
