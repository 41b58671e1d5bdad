"""Points of loss against width as single estimates: values, and exponents between widths."""

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate, Points
from minilotto.analysis.stats.scaling import local_exponents


def estimates(points: Points | None) -> dict[int, Estimate]:
    """The statistic at each width, with its interval.

    Parameters
    ----------
    points : Points or None
        From `bootstrap.points`.

    Returns
    -------
    dict of int to Estimate
        By width, ascending; empty for None.

    Examples
    --------
    >>> from minilotto.analysis.stats.bootstrap import points
    >>> losses = np.geomspace(1, 4, 51)
    >>> found = estimates(points([1, 2], [losses, losses / 2]))
    >>> round(found[2].value, 12)
    1.0
    """
    if points is None:
        return {}
    rows = zip(points.widths, points.value, points.low, points.high, strict=True)
    return {
        int(width): Estimate(float(value), float(low), float(high), points.level)
        for width, value, low, high in rows
    }


def exponents(points: Points) -> list[tuple[float, float, Estimate]]:
    """Exponents between neighbouring widths, as of `local_exponents`.

    Parameters
    ----------
    points : Points
        Of at least 2 widths.

    Returns
    -------
    list of (float, float, Estimate)
        Lower width, upper width, exponent with its interval over seeds.
    """
    local = local_exponents(points)
    parts = (local.lower, local.upper, local.exponent, local.low, local.high)
    rows = zip(*(part.tolist() for part in parts), strict=True)
    return [(a, b, Estimate(value, low, high, local.level)) for a, b, value, low, high in rows]


def slope(points: Points, low: float, high: float) -> Estimate | None:
    """The exponent between two widths, -log(L_high / L_low) / log(high / low).

    Parameters
    ----------
    points : Points
        From `bootstrap.points`.
    low, high : float
        Widths.

    Returns
    -------
    Estimate or None
        With its interval over seeds; None where a width is missing or both are one.

    Examples
    --------
    >>> from minilotto.analysis.stats.bootstrap import points
    >>> losses = np.geomspace(1, 4, 51)
    >>> found = points([1, 2, 4], [losses, losses / 2, losses / 16])
    >>> round(slope(found, 1, 4).value, 12), slope(found, 1, 3)
    (2.0, None)
    """
    chosen = np.isin(points.widths, (low, high))
    return exponents(points.select(chosen))[0][2] if np.count_nonzero(chosen) == 2 else None
