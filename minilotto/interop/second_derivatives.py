"""Second derivatives of the loss."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minilotto.initialisation import Parameters
from minilotto.interop.functional import jacobian, predict, weighted
from minilotto.interop.vectors import thetas_of, width_of
from minilotto.settings.activations import Activation, Reals, activation_of
from minilotto.settings.arrays import Array

POINTS_AT_ONCE = 2**12  # to keep their derivatives small
NUMBERS_AT_ONCE = 2**22  # of derivatives of neurons, where there are several layers


def hessian(
    parameters: Parameters | ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    activation: str = "silu",
    negative_slope: float = 0.01,
    depth: int = 1,
    residual: bool = False,
) -> Array:
    """Second derivatives H = 2 sum_p weight_p (J_p J_p^T + (f(x_p) - y_p) H_p) of the loss.

    J_p and H_p are the first and second derivatives of f(x_p). For relu and leaky_relu it is the
    Hessian wherever it exists; kinks contribute nothing.

    Parameters
    ----------
    parameters, x, y, weight, activation, negative_slope, depth, residual
        As in `loss_and_gradient`.

    Returns
    -------
    (K, K) or (R, K, K) array of float64
        Second derivatives, in the order of `pack`.

    Raises
    ------
    DataError
        For parameters or data of the wrong shape, type or content.
    ConfigError
        For an unknown activation.
    """
    sigma = activation_of(activation, negative_slope)
    points, targets, weights = weighted(x, y, weight)
    inputs = points.shape[1]
    theta, thetas, depth = thetas_of(parameters, inputs, depth, residual)
    thetas = thetas.astype(np.float64)
    net: dict[str, Any] = {"activation": activation, "negative_slope": negative_slope}
    net |= {"depth": depth, "residual": residual}
    result = np.zeros((*thetas.shape, thetas.shape[1]))
    some = POINTS_AT_ONCE
    if depth > 1:
        from minilotto.interop.several_layers import add_curvature

        width = width_of(thetas.shape[1], inputs, depth)
        some = min(some, max(1, NUMBERS_AT_ONCE // (width * thetas.shape[1])))
    for first in range(0, len(points), some):
        part = slice(first, first + some)
        here, doubled = points[part].astype(np.float64), 2.0 * weights[part]
        for one, total in zip(thetas, result, strict=True):
            slopes = jacobian(one, here, **net)
            r = predict(one, here, **net) - targets[part]
            total += slopes.T @ (doubled[:, None] * slopes)
            if depth > 1:
                add_curvature(sigma, one, here, doubled * r, depth, residual, total)
            else:
                _add_curvature(sigma, one, here, doubled * r, total)
    symmetric: Array = (result + result.transpose(0, 2, 1)) / 2  # it was but for rounding
    return symmetric[0] if theta.ndim == 1 else symmetric


def _add_curvature(sigma: Activation, theta: Reals, x: Reals, factor: Reals, total: Array) -> None:
    """total += sum_p factor_p H_p, which couples w, b and v of the same neuron only."""
    inputs = x.shape[1]
    rows = inputs + 2
    neurons = theta[:-1].reshape(-1, rows)
    extended = np.column_stack([x, np.ones(len(x))])
    z = neurons[:, : inputs + 1] @ extended.T
    slope, curvature = sigma.slope(z) * factor, sigma.curvature(z) * neurons[:, -1:] * factor
    within = np.einsum("np,pd,pe->nde", curvature, extended, extended, optimize=True)
    across = slope @ extended
    v = np.arange(len(neurons))[:, None] * rows + inputs + 1
    inner = v + np.arange(-inputs - 1, 0)  # places of w and b
    total[inner[:, :, None], inner[:, None]] += within
    total[inner, v] += across
    total[v, inner] += across
