"""Shapes of the errors of pairs of neurons: cubic or quartic, and how alike they are in a net."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minilotto.analysis.tickets.disentangling import Disentangled, unit_errors
from minilotto.errors import DataError
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown

__all__ = ["ErrorShapes", "error_shapes"]

DEGREES = (3, 4)  # of the polynomials that errors are compared with


@dataclass(frozen=True, eq=False)
class ErrorShapes(Shown):
    """Error functions of the useful pairs of R nets; NaN where a net has too few.

    Parameters
    ----------
    correlation : (R,) ndarray of float64
        Median absolute correlation of two pairs of a net.
    within, between : (R,) ndarray of float64
        The same of two pairs whose errors are both mostly cubic or both mostly not, and of one of
        either kind.
    degrees : (R, 2) ndarray of float64
        Mean fractions of the squared errors that are polynomials of degree 3 and 4.
    cubic : (R, K) ndarray of float64
        The first of these for each pair, NaN for pairs that are not useful.
    """

    correlation: Array
    within: Array
    between: Array
    degrees: Array
    cubic: Array


def error_shapes(apart: Disentangled, points: Array) -> ErrorShapes:
    """Errors of useful pairs on polynomials p_3, p_4: <e p_k>^2 / <e^2>, and their correlations.

    The polynomials are orthonormal on the points. The span of two neurons holds 1 and, nearly, x
    and x^2, so the cubic leads the error of two neurons that differ, and the quartic that of mirror
    images, whose error is even. Best linear predictors with points from -2 to 2 have the cubic's
    zeros at 0 and +-1.55, the quartic's at +-0.68 and +-1.72.

    Parameters
    ----------
    apart : Disentangled
    points : (P,) ndarray of float64
        Of its errors.

    Returns
    -------
    ErrorShapes

    Raises
    ------
    DataError
        For fewer than 5 points.

    References
    ----------
    Paper: figure 12, fourth column.

    Examples
    --------
    >>> from minilotto.data.dataset import sampled
    >>> import minilotto as ml
    >>> x, weight = sampled(ml.Config()).x[:, 0], np.full(100, 0.01)
    >>> errors = np.stack([[x**3 - 2.45 * x, x**3 - x]])
    >>> apart = Disentangled(np.zeros((1, 2, 2), int), np.ones((1, 2)), errors, weight)
    >>> error_shapes(apart, x).cubic.round(2).tolist()
    [[1.0, 0.35]]
    """
    if len(points) <= max(DEGREES):
        raise DataError(
            f"{len(points)} points hold no polynomial of degree {max(DEGREES)}; pass more points"
        )
    powers = np.polynomial.polynomial.polyvander(points / np.abs(points).max(), max(DEGREES))
    basis, _ = np.linalg.qr(powers * np.sqrt(apart.weight)[:, None])
    useful = apart.useful()
    cubic = np.full(useful.shape, np.nan)
    correlation, within, between = np.full((3, len(useful)), np.nan)
    degrees = np.full((len(useful), len(DEGREES)), np.nan)
    for net, chosen in enumerate(useful):
        if not chosen.any():
            continue
        unit = unit_errors(apart.errors[net, chosen], apart.weight)
        parts = ((unit @ basis) ** 2)[:, DEGREES]
        cubic[net, chosen], degrees[net] = parts[:, 0], parts.mean(axis=0)
        first, second = np.triu_indices(len(unit), 1)
        found = np.abs(unit @ unit.T)[first, second]
        alike = (parts[first, 0] > 0.5) == (parts[second, 0] > 0.5)
        rows = ((correlation, found), (within, found[alike]), (between, found[~alike]))
        for values, part in rows:
            values[net] = np.median(part) if part.size else np.nan
    return ErrorShapes(correlation, within, between, degrees, cubic)


def by_angle(apart: Disentangled, net: int) -> NDArray[np.intp]:
    """Positions (K,) of a net's useful pairs, by their errors' angle in the main plane, signs
    aside, so that pairs whose errors are multiples of each other are neighbours.
    """
    chosen = np.flatnonzero(apart.useful()[net])
    if len(chosen) < 3:
        return chosen
    unit = unit_errors(apart.errors[net, chosen], apart.weight)
    first, second = np.linalg.svd(unit, full_matrices=False)[2][:2]
    return np.asarray(chosen[np.argsort(np.arctan2(unit @ second, unit @ first) % np.pi)])
