"""Single numbers with intervals: of points of loss against width, of counts, of medians."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri
from scipy.stats import binomtest

from minilotto.analysis.stats.bootstrap import Estimate, Points, ends, estimate
from minilotto.analysis.stats.draws import over_draws
from minilotto.errors import DataError
from minilotto.settings.arrays import Array
from minilotto.settings.limits import check_choice, check_fraction, check_whole

__all__ = ["bend", "estimates", "exponents", "share", "slope"]


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

    Raises
    ------
    DataError
        For widths that are no whole numbers.

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
    if (points.widths % 1 != 0).any():
        raise DataError(f"widths {points.widths.tolist()} are no whole numbers; zip them yourself")
    rows = zip(points.widths, points.value, points.low, points.high, strict=True)
    return {
        int(width): Estimate(float(value), float(low), float(high), points.level)
        for width, value, low, high in rows
    }


def exponents(points: Points) -> list[tuple[float, float, Estimate]]:
    """Exponent between each width and the next, -log(L_(i+1) / L_i) / log(N_(i+1) / N_i).

    Parameters
    ----------
    points : Points
        From `bootstrap.points`.

    Returns
    -------
    list of (float, float, Estimate)
        Lower width, upper width, exponent with its interval over seeds.

    Raises
    ------
    DataError
        For fewer than 2 widths.

    References
    ----------
    Paper: figure 1c, where (Leaky)ReLU's slope is said to go from 4 to 1.

    Examples
    --------
    >>> from minilotto.analysis.stats.bootstrap import points
    >>> one = np.geomspace(1, 4, 51)
    >>> found = exponents(points([1, 2, 4], [one, one / 2, one / 32]))
    >>> [round(exponent.value, 12) for _, _, exponent in found]
    [1.0, 4.0]
    """
    if len(points.widths) < 2:
        raise DataError(f"{len(points.widths)} width has no neighbour; give at least 2 widths")
    apart = np.diff(np.log(points.widths))
    found = -np.diff(np.log(points.value)) / apart
    low, high = np.quantile(-np.diff(points.replicates) / apart, ends(points.level), axis=0)
    parts = (points.widths[:-1], points.widths[1:], found, low, high)
    rows = zip(*(part.tolist() for part in parts), strict=True)
    return [(a, b, Estimate(value, low, high, points.level)) for a, b, value, low, high in rows]


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


def bend(points: Points) -> Estimate:
    """By how much the exponent of the upper half of the widths exceeds that of the lower half.

    Two lines in logarithms that meet in the middle of the widths, by least squares with the seeds'
    errors: of all contrasts between widths the one that a break in the middle moves most.

    Parameters
    ----------
    points : Points
        From `bootstrap.points`.

    Returns
    -------
    Estimate
        With its interval over seeds.

    Raises
    ------
    DataError
        For fewer than 4 widths.

    Examples
    --------
    >>> from minilotto.analysis.stats.bootstrap import points
    >>> losses, widths = np.geomspace(1, 4, 51), np.array([1, 2, 4, 8, 16])
    >>> steep = np.where(widths < 4, 1.0 / widths, 0.25 * (widths / 4) ** -3.0)
    >>> round(bend(points(widths, [losses * one for one in steep])).value, 9)
    2.0
    """
    if len(points.widths) < 4:
        raise DataError(
            f"{len(points.widths)} widths show no bend; at least 4 are needed: train more widths"
        )
    x = np.log(points.widths)
    beyond = x - (x[0] + x[-1]) / 2
    design = np.stack([np.ones_like(x), np.minimum(beyond, 0), np.maximum(beyond, 0)], axis=1)
    root = 1 / np.maximum(points.error, 1e-6)
    solver = np.linalg.pinv(design * root[:, None]) * root
    contrast = solver[1] - solver[2]
    value = float(contrast @ np.log(points.value))
    return estimate(value, points.replicates @ contrast, points.level)


def share(count: int, of: int, level: float = 0.95, method: str = "exact") -> Estimate:
    """A fraction with Clopper and Pearson's interval, or Wilson's.

    Parameters
    ----------
    count, of : int
        0 <= count <= of.
    level : float in (0, 1)
    method : {"exact", "wilson"}

    Returns
    -------
    Estimate
        From 0 to 1 and NaN where there is nothing to count.

    Raises
    ------
    ConfigError
        For other numbers or another method.

    Examples
    --------
    >>> round(share(64, 64).low, 3), share(64, 64).high
    (0.944, 1.0)
    """
    check_whole("of", of, 0)
    check_whole("count", count, 0, of)
    check_fraction("level", level, 0.95)
    check_choice("method", method, ("exact", "wilson"))
    if not of:
        return Estimate(float("nan"), 0.0, 1.0, level)
    found = binomtest(count, of).proportion_ci(level, method)
    return Estimate(count / of, float(found.low), float(found.high), level)


def of_quantiles(values: ArrayLike, between: float, nets: int, level: float = 0.95) -> Estimate:
    """The median of so many losses whose logarithms are normal, from three of their quantiles:
    lower, median and upper, with a fraction `between` of the nets from the first to the last.

    >>> found = of_quantiles([0.5, 1.0, 2.0], 0.5, 100)
    >>> round(found.low, 3), round(found.high, 3)
    (0.777, 1.287)
    """
    low, middle, high = np.log(np.maximum(values, 1e-300)).tolist()
    deviation = (high - low) / (2 * float(ndtri(ends(between)[1])))
    reach = float(ndtri(ends(level)[1])) * np.sqrt(np.pi / 2) * deviation / np.sqrt(nets)
    return Estimate(middle, middle - reach, middle + reach, level).mapped(np.exp)


def over_nets(values: Array, level: float = 0.95) -> Estimate:
    """The mean of one number of each net, with Student's interval; infinite for one or two."""
    if len(values) < 3:
        return Estimate(float(np.mean(values)), -np.inf, np.inf, level)
    return over_draws(values, level)
