"""Last layers refitted: the best that hidden neurons can do, of one net or of several joined."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.ensemble.last_layer import RANK_CUT, hidden, least_squares
from minilotto.errors import DataError
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.limits import blocks

ENTRIES = 2_000_000  # of design matrices solved at a time


@dataclass(frozen=True)
class Refit(Shown):
    """B nets with hidden neurons as given and the best last layer.

    Where v is far larger than trained ones, training would not find it.

    Parameters
    ----------
    loss : (B,) ndarray of float64
        Of the net with v and c, in float64.
    v, c : (B, N), (B,) ndarray of float64
    rank : (B,) ndarray of int
        How many of the N + 1 directions were used, the others being rounding by `cut`.
    cut : float
    """

    loss: Array
    v: Array
    c: Array
    rank: NDArray[np.intp]
    cut: float

    @property
    def largest(self) -> Array:
        """(B,) the greatest absolute v of each net."""
        return np.asarray(np.abs(self.v).max(axis=1))


def refitted(
    activation: Activation,
    w: ArrayLike,
    b: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike,
    together: ArrayLike | None = None,
    cut: float = RANK_CUT,
) -> Refit:
    """Nets with their hidden neurons kept and the last layer, v and c, fitted by least squares.

    Parameters
    ----------
    activation : Activation
    w, b : (R, N, D), (R, N) array_like
        nets.w, nets.b.
    x, y, weight : (P, D) or (P,), (P,), (P,) array_like
        nets.data.x, .y and .weight.
    together : (B, n) array_like of int or None
        Positions of nets to be joined into one of width n N before the fit; unless given, each is
        refitted alone.
    cut : float in (0, 1)
        As in `last_layer.least_squares`; 1e-6 keeps to what float32 can resolve.

    Returns
    -------
    Refit

    Raises
    ------
    DataError
        For shapes that do not match, or hidden responses that are not finite.
    ConfigError
        For a cut out of range.

    References
    ----------
    Paper: appendix D refits pairs of neurons. Differs: whole nets here, and scaled columns.

    Examples
    --------
    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> x, w, b = np.linspace(-2, 2, 50), [[[1.0]], [[-1.0]]], [[0.0], [0.0]]
    >>> fit = refitted(ACTIVATIONS["relu"], w, b, x, abs(x), np.ones(50) / 50, [[0, 1]])
    >>> fit.v.round(12).tolist(), bool(fit.loss[0] < 1e-30), fit.rank.tolist()
    ([[1.0, 1.0]], True, [3])
    """
    responses = hidden(activation, w, b, x)
    nets, width, points = responses.shape
    groups = np.arange(nets)[:, None] if together is None else np.asarray(together, dtype=np.intp)
    if groups.ndim != 2 or groups.size == 0 or groups.min() < 0 or groups.max() >= nets:
        raise DataError(
            f"together has shape {groups.shape}; give (B, n) positions among {nets} nets"
        )
    neurons = groups.shape[1] * width
    parts = []
    for block in blocks(len(groups), points * (neurons + 1), ENTRIES):
        chosen = responses[groups[block]].reshape(-1, neurons, points)
        design = np.ones((len(chosen), points, neurons + 1))
        design[:, :, :-1] = chosen.transpose(0, 2, 1)
        parts.append(least_squares(design, y, weight, cut))
    coefficients, loss, rank = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Refit(loss, coefficients[:, :-1], coefficients[:, -1], rank, cut)
