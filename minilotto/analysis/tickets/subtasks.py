"""Which inputs neurons serve, and how much of the loss is due to each input."""

import numpy as np
from numpy.typing import ArrayLike

from minilotto.settings.arrays import Array, check_match, reals_of


def neurons_of_inputs(w: ArrayLike) -> tuple[Array, Array]:
    """How many neurons each input has, where a neuron is split by the squares of its weights.

    Parameters
    ----------
    w : (R, N, D) array_like of float
        Input weights; a neuron whose weights are all 0 counts for no input.

    Returns
    -------
    (R, D) ndarray of float64, (R,) ndarray of float64
        Numbers of neurons, and the mean over neurons of the largest fraction of one; NaN for nets
        that are not finite, the second also where all weights are 0.

    Raises
    ------
    DataError
        For another shape.

    Examples
    --------
    >>> counts, alone = neurons_of_inputs([[[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]])
    >>> counts.tolist(), alone.tolist()
    ([[1.0, 1.0]], [1.0])
    """
    weights = reals_of("w", w)
    check_match(weights.ndim == 3 and weights.shape[2] > 0, "(R, N, D)", w=weights)
    # over a power of two, which rounds nothing, so that squares neither overflow nor vanish
    exponents = np.frexp(np.abs(weights).max(axis=2, keepdims=True))[1]
    size = np.ldexp(weights, -exponents) ** 2
    whole = size.sum(axis=2, keepdims=True)
    with np.errstate(invalid="ignore"):
        part = np.divide(size, whole, out=np.zeros_like(size), where=whole != 0)
        alive = np.count_nonzero(whole[:, :, 0] != 0, axis=1)
        part[~np.isfinite(whole[:, :, 0]).all(axis=1)] = np.nan
        alone = np.where(alive > 0, part.max(axis=2).sum(axis=1) / np.maximum(alive, 1), np.nan)
    return part.sum(axis=1), alone


def loss_of_inputs(errors: ArrayLike, redrawn: ArrayLike) -> Array:
    """The part of the loss that is due to each input, alone or with others: E Var(e | the others).

    Parameters
    ----------
    errors : (R, P) array_like of float
        At random points.
    redrawn : (D, R, P) array_like of float
        At the same points, but for one input that was drawn again.

    Returns
    -------
    (R, D) ndarray of float64
        Half the mean squared change, unbiased; where an error is a sum over inputs, the variances
        of its terms. NaN for nets that are not finite.

    Raises
    ------
    DataError
        For shapes that do not match.

    References
    ----------
    Jansen 1999, of Sobol's total indices.

    Examples
    --------
    >>> loss_of_inputs([[0.0, 2.0]], [[[2.0, 0.0]], [[0.0, 2.0]]]).tolist()
    [[2.0, 0.0]]
    """
    e, other = reals_of("errors", errors), reals_of("redrawn", redrawn)
    match = e.ndim == 2 and other.ndim == 3 and other.shape[1:] == e.shape
    check_match(match, "(R, P), (D, R, P)", errors=e, redrawn=other)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.mean((e - other) ** 2, axis=2).T / 2)
