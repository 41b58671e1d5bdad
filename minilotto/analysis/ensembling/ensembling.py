"""Ensembles of nets by the equations of the paper: the best weights, and the loss they give."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from minilotto.ensemble.last_layer import EPSILON, check_weight
from minilotto.errors import DataError
from minilotto.settings.arrays import Array, Ints, array_of, check_match, reals_of
from minilotto.settings.display import Shown

__all__ = ["Cosines", "cosines", "gram", "optimal_weights", "orthogonal_loss", "orthogonal_weights"]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Cosines(Shown):
    """How alike the error functions of two seeds are: 1 the same but for their size, 0 orthogonal.

    Parameters
    ----------
    values : (M,) ndarray of float64
        The cosines of the pairs, from -1 to 1.
    median, quantiles : float, (5,) ndarray of float64
        Theirs, the latter at QUANTILES.
    directions : float
        1 / (mean of the squared cosines): so many orthogonal functions, one drawn for each net,
        would be as alike.
    """

    values: Array
    median: float
    quantiles: Array
    directions: float


def matched(errors: ArrayLike, weight: ArrayLike) -> tuple[Array, Array]:
    """Functions (R, P) of R nets and the points' weights (P,), in float64; DataError for others."""
    e, weights = reals_of("errors", errors), reals_of("weight", weight)
    match = e.ndim == 2 and weights.shape == e.shape[1:]
    check_match(match, "(R, P), (P,)", errors=e, weight=weights)
    check_weight(weights)
    return e, weights


def positions(name: str, places: ArrayLike, nets: int, members: int | None = None) -> Ints:
    """Groups (B, n) of positions among so many nets. Raises DataError for others."""
    groups = array_of(name, places)
    whole = groups.ndim == 2 and groups.size and groups.dtype.kind in "iu"
    whole = whole and members in (None, groups.shape[1])
    if not whole or groups.min() < 0 or groups.max() >= nets:
        raise DataError(
            f"{name} has shape {groups.shape} and dtype {groups.dtype}; give (B, {members or 'n'}) "
            f"positions among {nets} nets"
        )
    return groups.astype(np.int64)


def gram(errors: ArrayLike, weight: ArrayLike) -> Array:
    """Inner products of error functions, G_ij = sum_p weight_p e_i(x_p) e_j(x_p).

    Parameters
    ----------
    errors : (..., n, P) array_like of float
        Outputs minus target.
    weight : (P,) array_like of float
        Of sum one.

    Returns
    -------
    (..., n, n) ndarray of float64
        With the losses on its diagonal.

    Raises
    ------
    DataError
        For shapes that do not match.

    References
    ----------
    Paper: the norm of section 4, with data in place of its integral.

    Examples
    --------
    >>> gram([[1.0, 1.0], [1.0, -1.0]], [0.5, 0.5]).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    e, weights = reals_of("errors", errors), reals_of("weight", weight)
    match = e.ndim >= 2 and weights.shape == e.shape[-1:]
    check_match(match, "(..., n, P), (P,)", errors=e, weight=weights)
    return np.asarray((e * weights) @ np.swapaxes(e, -1, -2))


def orthogonal_weights(losses: ArrayLike) -> Array:
    """The best weights of n nets whose errors are orthogonal, a_i = (1 / L_i) / sum_j (1 / L_j).

    Parameters
    ----------
    losses : (..., n) array_like of float
        At least 0; a net without loss gets all the weight.

    Returns
    -------
    (..., n) ndarray of float64
        Of sum one.

    Raises
    ------
    DataError
        For losses that are negative or not finite.

    References
    ----------
    Paper: Eq. 8, where equality holds.

    Examples
    --------
    >>> orthogonal_weights([1.0, 3.0]).tolist()
    [0.75, 0.25]
    """
    share, _ = _shares(losses)
    return np.asarray(share / share.sum(axis=-1, keepdims=True))


def orthogonal_loss(losses: ArrayLike) -> Array:
    """The loss of n nets so weighted, (sum_i 1 / L_i)^-1: L / n for n equal losses.

    Parameters
    ----------
    losses : (..., n) array_like of float
        As in `orthogonal_weights`, whose weights these are.

    Returns
    -------
    (...) ndarray of float64

    Raises
    ------
    DataError
        As `orthogonal_weights`.

    References
    ----------
    Paper: Eq. 9.

    Examples
    --------
    >>> float(orthogonal_loss([1.0, 3.0])), float(orthogonal_loss([1.0] * 4))
    (0.75, 0.25)
    """
    share, least = _shares(losses)
    return np.asarray(least / share.sum(axis=-1))


def _shares(losses: ArrayLike) -> tuple[Array, Array]:
    """least loss / L_i (..., n), which cannot overflow, and the least loss (...)."""
    loss = reals_of("losses", losses)
    if loss.ndim < 1 or loss.shape[-1] < 1 or not (np.isfinite(loss).all() and (loss >= 0).all()):
        raise DataError(
            f"losses of shape {loss.shape} must be finite and at least 0, one or more; leave out "
            "nets that diverged"
        )
    least = loss.min(axis=-1, keepdims=True)
    return np.divide(least, loss, out=np.ones_like(loss), where=loss > least), least[..., 0]


def optimal_weights(products: ArrayLike) -> Array:
    """The weights of sum one with the least loss a^T G a, whether errors are orthogonal or not.

    a = G^-1 1 / (1^T G^-1 1), found as a correction to Eq. 8's weights within those that sum to
    one; so G may be singular (errors that are multiples cancel), and a diagonal G or identical nets
    give Eq. 8's weights themselves. Weights may be negative, and large where errors are nearly the
    same. Differences that are rounding do not count.

    Parameters
    ----------
    products : (..., n, n) array_like of float
        The Gram matrix G of `gram`.

    Returns
    -------
    (..., n) ndarray of float64

    Raises
    ------
    DataError
        For other shapes or numbers that are not finite.

    References
    ----------
    Paper: Eq. 5 to 7. Differs: footnote 3 says that orthogonality is not needed, and goes on with
    it; here it is not assumed.

    Examples
    --------
    >>> optimal_weights([[1.0, 2.0], [2.0, 4.0]]).round(12).tolist()
    [2.0, -1.0]
    """
    g = reals_of("products", products)
    if g.ndim < 2 or g.shape[-1] != g.shape[-2] or g.shape[-1] < 1 or not np.isfinite(g).all():
        raise DataError(
            f"a Gram matrix of shape {g.shape} must be (..., n, n) and finite; see `gram`"
        )
    count = g.shape[-1]
    diagonal = np.diagonal(g, axis1=-2, axis2=-1)
    a = orthogonal_weights(diagonal)
    if count == 1:
        return a
    # In differences from the best net, z_i multiplies e_i - e_best: the worst nets then cost no
    # digits of the others.
    order = np.argsort(diagonal, axis=-1)
    g = np.take_along_axis(g, order[..., None], axis=-2)
    g = np.take_along_axis(g, order[..., None, :], axis=-1)
    a = np.take_along_axis(a, order, axis=-1)
    toward = (g[..., 1:, :] - g[..., :1, :]) @ a[..., None]
    h = g[..., 1:, 1:] - g[..., 1:, :1] - g[..., :1, 1:] + g[..., :1, :1]
    square = np.diagonal(h, axis1=-2, axis2=-1)
    size = np.diagonal(g, axis1=-2, axis2=-1)
    distinct = square > 8 * EPSILON * (size[..., 1:] + size[..., :1])
    root = np.sqrt(np.where(distinct, square, 1.0))
    scale = np.divide(1.0, root, where=distinct, out=np.zeros_like(square))
    values, vectors = np.linalg.eigh(h * scale[..., :, None] * scale[..., None, :])
    cut = count * EPSILON * np.maximum(values[..., -1:], 0.0)
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=values > cut)
    along = np.swapaxes(vectors, -1, -2) @ (scale[..., None] * toward)
    z = -scale * (vectors @ (inverse[..., None] * along))[..., 0]
    a = a + np.concatenate([-z.sum(axis=-1, keepdims=True), z], axis=-1)
    result: Array = np.empty_like(a)
    np.put_along_axis(result, order, a, axis=-1)
    return result


def cosines(errors: ArrayLike, weight: ArrayLike, pairs: ArrayLike | None = None) -> Cosines:
    """Cosines <e_i, e_j> / (|e_i| |e_j|) of the error functions of pairs of nets.

    Parameters
    ----------
    errors, weight : (R, P), (P,) array_like of float
        nets.predict(nets.data.x) - nets.data.y, and nets.data.weight.
    pairs : (M, 2) array_like of int or None
        Positions of nets, all of i < j unless given.

    Returns
    -------
    Cosines

    Raises
    ------
    DataError
        For shapes that do not match, errors that are not finite, a net without error, which has
        no direction, and pairs that are no positions of nets.

    References
    ----------
    Paper: appendix C calls tickets highly correlated; Eq. 7 takes them as orthogonal.

    Examples
    --------
    >>> cosines([[1.0, 1.0], [1.0, -1.0], [-2.0, -2.0]], [0.5, 0.5]).values.round(12).tolist()
    [0.0, -1.0, -0.0]
    """
    e, weights = matched(errors, weight)
    if len(e) < 2:
        raise DataError(f"{len(e)} net makes no pair; give errors (R, P) with R > 1")
    norm = np.sqrt((e * e) @ weights)
    if not (np.isfinite(norm).all() and (norm > 0).all()):
        raise DataError(
            "errors must be finite and above 0 in norm; leave out nets that diverged or have no "
            "error"
        )
    unit = e * (np.sqrt(weights) / norm[:, None])
    if pairs is None:
        values = (unit @ unit.T)[np.triu_indices(len(e), 1)]
    else:
        first, second = positions("pairs", pairs, len(e), 2).T
        values = np.einsum("mp,mp->m", unit[first], unit[second])
    values = np.clip(values, -1.0, 1.0)
    with np.errstate(divide="ignore"):
        directions = float(1.0 / np.mean(values**2))
    return Cosines(values, float(np.median(values)), np.quantile(values, QUANTILES), directions)
