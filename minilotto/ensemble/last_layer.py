"""The responses of hidden neurons, and the least squares of their output weights.

Small w make neurons almost equal, and output weights of 1e12 and more then make up the difference.
So all is in float64, each response is centred and scaled before it meets another, and directions
that rounding would decide are left out and counted.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import lstsq

from minilotto.data.dataset import Dataset, check_dataset
from minilotto.errors import DataError
from minilotto.initialisation import NAMES, Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array, check_match, reals_of
from minilotto.settings.limits import check_one_layer

EPSILON = float(np.finfo(np.float64).eps)
TINY = float(np.finfo(np.float64).tiny)
# Of the largest singular value, and of a response's size: what is less is rounding.
RANK_CUT = 100 * EPSILON
NEAR = 100.0  # up to this multiple of the loss that rounding alone makes, rounding decides
# Of scipy.optimize.least_squares: Levenberg and Marquardt's steps as far as float64 allows.
TO_ROUNDING: Any = {"method": "lm", "ftol": EPSILON, "xtol": EPSILON, "gtol": EPSILON}


class Span(NamedTuple):
    """Singular value decomposition of N rows (..., N, P): left (..., N, K), values (..., K), right
    (..., K, P), and kept (..., K), where a value is more than rounding.
    """

    left: Array
    values: Array
    right: Array
    kept: NDArray[np.bool_]

    def inverse(self, along: Array) -> Array:
        """`along` (..., K) over the values that are kept, 0 for the others."""
        return np.divide(along, self.values, out=np.zeros_like(self.values), where=self.kept)


def checked_nets(parameters: Parameters, data: Dataset, finite: bool = False) -> Parameters:
    """The parameters in float64. Raises DataError for no net, shapes that do not fit each other or
    the data, and with `finite` for nets that are not; ConfigError for several hidden layers.
    """
    check_dataset(data)
    check_one_layer("an analysis of neurons", getattr(parameters, "depth", 1))
    raw = Parameters(*map(reals_of, "wbvc", parameters))
    if not raw.c.size:
        raise DataError("there is no net to analyse; select at least one")
    nets, width = raw.b.shape if raw.b.ndim == 2 else (len(raw.c), 0)
    shapes = [(nets, width, data.inputs), (nets, width), (nets, width), (nets,)]
    rule = f"(R, N, {data.inputs}), (R, N), (R, N), (R,) for data of {data.inputs} inputs"
    match = [part.shape for part in raw[:4]] == shapes
    check_match(match, rule, **dict(zip("wbvc", raw, strict=False)))
    if finite and not finite_nets(raw).all():
        raise DataError(
            "some nets are not finite; leave them out, as nets.select(np.isfinite(nets.loss))"
        )
    return raw


def finite_nets(parameters: Parameters) -> NDArray[np.bool_]:
    """(R,) whether all parameters of a net are finite."""
    return np.asarray(np.isfinite(flat(parameters)).all(axis=1))


def flat(parameters: Parameters) -> Array:
    """All parameters of each net in one row, w, b, v, c: (R, N (D + 2) + 1) float64. Raises
    DataError for shapes that do not fit each other.
    """
    parts = [reals_of(name, part) for name, part in zip(NAMES, parameters, strict=False)]
    w, b, v, c = parts[:4]
    match = w.ndim == 3 and b.shape == v.shape == w.shape[:2] and c.shape == w.shape[:1]
    check_match(match, "(R, N, D), (R, N), (R, N), (R,)", w=w, b=b, v=v, c=c)
    rows = [part.reshape(len(part), math.prod(part.shape[1:])) for part in parts]
    return np.concatenate(rows, axis=1)


def first_layer(parameters: Parameters, places: NDArray[np.intp]) -> tuple[Array, Array]:
    """w (R, K, D) and b (R, K) of each net's neurons at `places` (R, K)."""
    w = np.take_along_axis(parameters.w, places[:, :, None], axis=1)
    return w, np.take_along_axis(parameters.b, places, axis=1)


def check_weight(weight: Array) -> None:
    """Raises DataError for weights of points that are no measure."""
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.sum() > 0):
        raise DataError(
            f"weights of points have minimum {weight.min():g} and sum {weight.sum():g}; they must "
            "be finite, at least 0 and not all 0: pass the points themselves, not compressed ones"
        )


def hidden(activation: Activation, w: ArrayLike, b: ArrayLike, x: ArrayLike) -> Array:
    """Responses sigma(w_i x_p + b_i) of hidden neurons, (R, N, P), from w (R, N, D), b (R, N) and x
    (P, D), or (P,) for one input. Raises DataError for other shapes.
    """
    weights, biases, points = map(reals_of, "wbx", (w, b, x))
    points = points[:, None] if points.ndim == 1 else points
    match = weights.ndim == 3 and biases.shape == weights.shape[:2]
    match = match and points.ndim == 2 and points.shape[1] == weights.shape[2]
    check_match(match, "(R, N, D), (R, N), (P, D)", w=weights, b=biases, x=points)
    return np.asarray(activation.value(weights @ points.T + biases[:, :, None]), np.float64)


def centred(values: Array, root: Array) -> Array:
    """Values (..., P) less their weighted mean, times the root of the weights, which sum to one.

    The mean is taken out twice, for what rounding leaves of it the first time.
    """
    for _ in range(2):
        values = values - (values @ root**2)[..., None]
    return values * root


def directions(response: NDArray[np.floating], root: Array) -> tuple[Array, Array]:
    """Unit vectors (..., N, P) of centred responses times the root of the weights, zero for a
    response that is constant to rounding; and what the centred responses were divided by (..., N),
    1 for constant ones.
    """
    response = np.asarray(response, np.float64)
    size = np.sqrt(response**2 @ root**2)
    scale = np.where(size > TINY, size, 1.0)
    parts = centred(response / scale[..., None], root)
    norm = np.linalg.norm(parts, axis=-1)
    alive = (norm > RANK_CUT) & (size > TINY)
    units = np.divide(parts, norm[..., None], out=np.zeros_like(parts), where=alive[..., None])
    return units, np.where(alive, norm * scale, 1.0)


def orthogonal(rows: Array, basis: Array) -> Array:
    """Rows less their components in the basis; twice, for accuracy in near-parallels."""
    for _ in range(2 if len(basis) else 0):
        rows = rows - (rows @ basis.T) @ basis
    return rows


def orthonormal_pair(units: Array) -> Array:
    """Unit vectors (..., 2, P) made orthonormal; the second is zero where it is the first."""
    first, second = units[..., 0, :], units[..., 1, :]
    alone = ~first.any(axis=-1, keepdims=True)
    first, second = np.where(alone, second, first), np.where(alone, 0.0, second)
    for _ in range(2):
        second = second - np.sum(first * second, axis=-1, keepdims=True) * first
    norm = np.linalg.norm(second, axis=-1, keepdims=True)
    second = np.divide(second, norm, out=np.zeros_like(second), where=norm > RANK_CUT)
    return np.stack([first, second], axis=-2)


def singular(rows: Array, cut: float = RANK_CUT) -> Span:
    """Singular value decomposition of rows; values above `cut` of the largest are kept."""
    left, values, right = np.linalg.svd(rows, full_matrices=False)
    return Span(left, values, right, values > cut * np.maximum(values[..., :1], TINY))


def output_layer(
    response: Array, target: Array, weight: Array
) -> tuple[Array, Array, Array, NDArray[np.intp]]:
    """The output weights v (R, N), c (R,) of least squares for given hidden responses (R, N, P) and
    target (P,) or (R, P); with the output (R, P) and the responses' rank (R,).

    min over v, c of sum_p weight_p (sum_i v_i response_ip + c - target_p)^2, by the singular values
    of the centred responses of unit length. Responses that are constant get v = 0.
    """
    root = np.sqrt(weight)
    units, length = directions(response, root)
    span = singular(units)
    along = (span.right @ centred(target, root)[..., None])[..., 0]
    v = np.einsum("rak,rk->ra", span.left, span.inverse(along))
    v = np.where(units.any(axis=2), v, 0.0) / length
    output = np.einsum("rkp,rk->rp", response, v)
    c = (target - output) @ weight
    return v, c, output + c[:, None], span.kept.sum(axis=1)


def least_squares(columns: Array, target: Array, weight: Array, cut: float = RANK_CUT) -> Array:
    """Least loss (B,) of sum_p weight_p (sum_k columns_pk theta_k - target_p)^2 for each of B
    problems: columns (B, P, K), target (P,) or (B, P).

    Columns are scaled to equal norm and solved by LAPACK's gelsy, a complete orthogonal
    factorisation; directions are left out where the condition would exceed 1 / cut. Columns that
    are rounding beside the greatest get no coefficient. The loss is evaluated with the
    coefficients, so it is what they give in float64. Unlike in `output_layer` nothing is centred,
    so the cut is one of the given columns. Raises DataError for numbers that are not finite.

    >>> columns = np.array([[[1.0, 1.0], [1.0, 1 + 1e-9], [1.0, 1 + 2e-9]]])
    >>> target, weight = np.array([1.0, 2.0, 3.0]), np.ones(3) / 3
    >>> [round(float(least_squares(columns, target, weight, cut)[0]), 3) for cut in (1e-12, 1e-6)]
    [0.0, 0.667]
    """
    if not (np.isfinite(columns).all() and np.isfinite(target).all()):
        raise DataError("columns or target are not finite; leave out nets that diverged")
    check_weight(weight)
    root = np.sqrt(weight)
    scaled, goal = columns * root[:, None], np.broadcast_to(target * root, columns.shape[:2])
    norm = np.sqrt(np.einsum("bpk,bpk->bk", scaled, scaled))
    alive = norm > RANK_CUT * norm.max(axis=1, keepdims=True)
    scaled *= np.divide(1.0, norm, out=np.zeros_like(norm), where=alive)[:, None, :]
    theta = np.zeros_like(norm)
    for i in np.flatnonzero(alive.any(axis=1)):
        theta[i] = lstsq(scaled[i], goal[i], cond=cut, lapack_driver="gelsy", check_finite=False)[0]
    rest = (scaled @ theta[:, :, None])[:, :, 0] - goal
    return np.asarray(np.einsum("bp,bp->b", rest, rest))
