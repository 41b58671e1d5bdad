"""Last layers refitted: the best that given hidden neurons can do, of one net or of several joined
into one.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import lstsq

from minilotto.errors import ConfigError, DataError
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array

ENTRIES = 2_000_000  # of design matrices solved at a time


class Solution(NamedTuple):
    """Of B least-squares problems: coefficients (B, K), loss (B,), rank (B,) that was kept."""

    coefficients: Array
    loss: Array
    rank: NDArray[np.int64]


@dataclass(frozen=True)
class Refit:
    """B nets with hidden neurons as given and the best last layer.

    loss (B,) is that of the net with v (B, N) and c (B,), in float64; rank (B,) is how many of the
    N + 1 directions were used, the others being rounding by `cut`. Where v is far larger than
    trained ones, training would not find it.
    """

    loss: Array
    v: Array
    c: Array
    rank: NDArray[np.int64]
    cut: float

    @property
    def largest(self) -> Array:
        """(B,) the greatest absolute v of each net."""
        return np.abs(self.v).max(axis=1)


def rank_cut(points: int, columns: int) -> float:
    """What is rounding, in units of the greatest: epsilon * max(P, K)."""
    return float(np.finfo(np.float64).eps) * max(points, columns)


def least_squares(
    columns: ArrayLike, target: ArrayLike, weight: ArrayLike, cut: float | None = None
) -> Solution:
    """Minimises sum_p weight_p (sum_k columns_pk theta_k - target_p)^2, for each of B problems.

    columns (B, P, K); target (P,) or (B, P); weight (P,), at least 0. Columns are scaled to equal
    norm and solved by LAPACK's gelsy, a complete orthogonal factorisation, which is faster here
    than singular values and leaves smaller rests. Directions are left out where the condition would
    exceed 1 / cut (`rank_cut` unless given); columns that are rounding beside the greatest get no
    coefficient. The loss is evaluated with the coefficients, so it is what they give in float64.
    Raises DataError for shapes that do not match or numbers that are not finite, ConfigError for a
    cut that is not between 0 and 1.

    >>> solution = least_squares(np.array([[[1.0, 0.0], [1.0, 1e-9], [1.0, 2e-9]]]), [1.0, 2.0, 3.0], np.ones(3) / 3)
    >>> solution.coefficients.round(6).tolist(), solution.rank.tolist()
    ([[1.0, 1000000000.0]], [2])
    """
    a, y, weights = (np.asarray(given, dtype=np.float64) for given in (columns, target, weight))
    if a.ndim != 3 or weights.shape != a.shape[1:2] or y.shape not in (weights.shape, a.shape[:2]):
        raise DataError(
            f"columns {a.shape}, target {y.shape}, weight {weights.shape} do not match; give (B, "
            "P, K), (P,) and (P,)"
        )
    if not (np.isfinite(a).all() and np.isfinite(y).all()):
        raise DataError("columns or target are not finite; leave out nets that diverged")
    check_weight(weights)
    rounding = rank_cut(*a.shape[1:])
    cut = rounding if cut is None else cut
    if not 0 < cut < 1:
        raise ConfigError(
            f"cut={cut!r} is out of range; give a number between 0 and 1, such as 1e-14"
        )
    root = np.sqrt(weights)
    scaled, goal = a * root[:, None], np.broadcast_to(y * root, a.shape[:2])
    norm = np.sqrt(np.einsum("bpk,bpk->bk", scaled, scaled))
    alive = norm > rounding * norm.max(axis=1, keepdims=True)
    scale = np.divide(1.0, norm, out=np.zeros_like(norm), where=alive)
    scaled *= scale[:, None, :]
    theta, rank = np.zeros_like(norm), np.zeros(len(a), dtype=np.int64)
    for i in range(len(a)):
        if alive[i].any():
            theta[i], _, rank[i], _ = lstsq(
                scaled[i], goal[i], cond=cut, lapack_driver="gelsy", check_finite=False
            )
    rest = (scaled @ theta[:, :, None])[:, :, 0] - goal
    return Solution(scale * theta, np.einsum("bp,bp->b", rest, rest), rank)


def check_weight(weight: Array) -> None:
    """Raises DataError for weights that are no measure."""
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.sum() > 0):
        raise DataError(
            "weight must be finite, at least 0 and not all 0; give the weights of the data, not "
            "of compressed ones"
        )


def hidden(activation: Activation, w: ArrayLike, b: ArrayLike, x: ArrayLike) -> Array:
    """Responses sigma(w_i x_p + b_i) of hidden neurons, in float64: (R, P, N).

    w (R, N, D), b (R, N); x (P, D), or (P,) for one input. Raises DataError for shapes that do not
    match.
    """
    weights, biases, points = (np.asarray(given, dtype=np.float64) for given in (w, b, x))
    points = points[:, None] if points.ndim == 1 else points
    if (
        weights.ndim != 3
        or biases.shape != weights.shape[:2]
        or points.ndim != 2
        or points.shape[1] != weights.shape[2]
    ):
        raise DataError(
            f"w {weights.shape}, b {biases.shape}, x {points.shape} do not match; give (R, N, D), "
            "(R, N), (P, D)"
        )
    return np.asarray(
        activation.value(points @ np.swapaxes(weights, 1, 2) + biases[:, None, :]), dtype=np.float64
    )


def refitted(
    activation: Activation,
    w: ArrayLike,
    b: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike,
    together: ArrayLike | None = None,
    cut: float | None = None,
) -> Refit:
    """Nets with their hidden neurons kept and the last layer, all v and c, fitted anew by least
    squares in float64.

    w (R, N, D), b (R, N), x (P, D) or (P,), y (P,), weight (P,): nets.w, nets.b, nets.data.x, .y
    and .weight. together (B, n): places of nets to be joined into one of width n N before the fit;
    unless given, each is refitted alone. cut: see `least_squares`; 1e-6 keeps to what float32 can
    tell apart. Raises DataError for shapes that do not match or hidden responses that are not
    finite, ConfigError as `least_squares`. Paper: appendix D refits pairs of neurons. Differs:
    whole nets here, and scaled columns.

    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> x = np.linspace(-2, 2, 50)
    >>> fit = refitted(ACTIVATIONS["relu"], [[[1.0]], [[-1.0]]], [[0.0], [0.0]], x, abs(x), np.ones(50) / 50, [[0, 1]])
    >>> fit.v.round(12).tolist(), bool(fit.loss[0] < 1e-30), fit.rank.tolist()
    ([[1.0, 1.0]], True, [3])
    """
    responses = hidden(activation, w, b, x)
    if not np.isfinite(responses).all():
        raise DataError("hidden responses are not finite; leave out nets that diverged")
    nets, points, width = responses.shape
    groups = np.arange(nets)[:, None] if together is None else np.asarray(together, dtype=np.intp)
    if groups.ndim != 2 or groups.size == 0 or groups.min() < 0 or groups.max() >= nets:
        raise DataError(f"together has shape {groups.shape}; give (B, n) places among {nets} nets")
    columns = groups.shape[1] * width + 1
    step = max(1, ENTRIES // (points * columns))
    parts = []
    for start in range(0, len(groups), step):
        chosen = responses[groups[start : start + step]]  # (., n, P, N)
        design = np.ones((len(chosen), points, columns))
        design[:, :, :-1] = chosen.transpose(0, 2, 1, 3).reshape(len(chosen), points, -1)
        parts.append(least_squares(design, y, weight, cut))
    coefficients, loss, rank = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Refit(
        loss,
        coefficients[:, :-1],
        coefficients[:, -1],
        rank,
        rank_cut(points, columns) if cut is None else cut,
    )
