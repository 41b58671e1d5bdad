"""Statistics over draws of the data, not nets: those that learnt the same draw share its effect."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.errors import DataError, shown
from minilotto.settings.arrays import Array, check_match, reals_of
from minilotto.settings.limits import check_fraction
from minilotto.settings.numbers import real_number

LEAST_DRAWS = 3


def over_draws(values: ArrayLike, level: float = 0.95) -> Estimate:
    """Mean of one number from each of G draws, with Student's interval.

    mean +- t s / sqrt(G), G - 1 degrees of freedom. Not a bootstrap: of a few draws its intervals
    are too narrow.

    Parameters
    ----------
    values : (G,) array_like of float
        What is not finite is left out.
    level : float in (0, 1)

    Returns
    -------
    Estimate

    Raises
    ------
    ConfigError
        For a level that is no probability.
    DataError
        For fewer than LEAST_DRAWS numbers.

    Examples
    --------
    >>> found = over_draws([1.0, 2.0, 3.0])
    >>> found.value, round(found.high - found.value, 3)
    (2.0, 2.484)
    """
    check_fraction("level", level, 0.95)
    kept = reals_of("values", values).ravel()
    kept = kept[np.isfinite(kept)]
    if kept.size < LEAST_DRAWS:
        raise DataError(
            f"{kept.size} draws of the data are too few; at least {LEAST_DRAWS} are needed: train "
            "more root seeds"
        )
    middle = float(kept.mean())
    quantile = student.ppf((1 + level) / 2, kept.size - 1)
    with np.errstate(over="ignore"):  # squares of huge values; the interval is then infinite
        reach = float(quantile * kept.std(ddof=1) / np.sqrt(kept.size))
    return Estimate(middle, middle - reach, middle + reach, level, kept.size - 1)


def typical_over_draws(losses: ArrayLike, level: float = 0.95) -> Estimate:
    """Geometric mean of a loss from each of G draws, with Student's interval of the logarithm.

    Parameters
    ----------
    losses : (G,) array_like of float
        Above 0.
    level : float in (0, 1)

    Returns
    -------
    Estimate

    Raises
    ------
    ConfigError, DataError
        As `over_draws`; DataError also for a loss of zero or below.

    Examples
    --------
    >>> round(typical_over_draws([1e-4, 1e-3, 1e-2]).value, 9)
    0.001
    """
    return over_draws(np.log(_above_zero(losses)), level).mapped(np.exp)


def exponent_over_draws(x: ArrayLike, losses: ArrayLike, level: float = 0.95) -> Estimate:
    """Exponent of a power law L = A x^-alpha, fitted to each draw in logarithms; its mean.

    A draw is compared with itself, so what raises or lowers all its losses alike does not widen the
    interval.

    Parameters
    ----------
    x : (W,) array_like of float
        Widths or numbers of points, above 0, at least two distinct ones.
    losses : (G, W) array_like of float
        Above 0. Draws that are not finite are left out.
    level : float in (0, 1)

    Returns
    -------
    Estimate

    Raises
    ------
    ConfigError, DataError
        As `typical_over_draws`; DataError also for shapes that do not match or too few x.

    Examples
    --------
    >>> x = np.array([10.0, 20.0, 50.0])
    >>> found = exponent_over_draws(x, np.array([[1.0], [5.0], [9.0]]) / x)
    >>> round(found.value, 12), round(found.high - found.low, 12)
    (1.0, 0.0)
    """
    at, rows = reals_of("x", x), _above_zero(losses)
    match = at.ndim == 1 and rows.shape == (*rows.shape[:1], len(at))
    check_match(match, "(W,), (G, W)", x=at, losses=rows)
    if len(np.unique(at)) < 2 or not ((at > 0) & (at < np.inf)).all():
        raise DataError(f"x={shown(at)} has no slope; give 2 or more different numbers above 0")
    reach = np.log(at) - np.log(at).mean()
    with np.errstate(invalid="ignore"):  # of infinite losses, whose draws are left out
        return over_draws(-(np.log(rows) @ reach) / (reach @ reach), level)


def learnt_parameters(
    losses: ArrayLike, clean: float, noise: float, points: int, level: float = 0.95
) -> Estimate:
    """How many parameters' worth of label noise nets have learnt, k = P (L - L_0) / sigma^2.

    Least squares with k free coefficients on points that stand for all x has L - L_0 = sigma^2
    chi^2_k / P, so k comes out, whatever the features are. Nets that pass through every point do
    not average: they count P or more.

    Parameters
    ----------
    losses : (G,) array_like of float
        The loss of each draw of the noise on all x, against targets without noise.
    clean : float
        L_0, the loss of nets trained without noise.
    noise : float
        sigma, above 0.
    points : int
        P, above 0.
    level : float in (0, 1)

    Returns
    -------
    Estimate

    Raises
    ------
    ConfigError, DataError
        As `over_draws`; ConfigError also for a noise or number of points that is not above 0.

    Examples
    --------
    >>> found = learnt_parameters([3.1e-4, 2.9e-4, 3.0e-4], clean=1e-4, noise=0.1, points=100)
    >>> round(found.value, 6)
    2.0
    """
    extra = reals_of("losses", losses) - clean
    return over_draws(extra * _weight(noise, points), level)


def absorbed_parameters(
    losses: ArrayLike, squares: ArrayLike, noise: float, points: int, level: float = 0.95
) -> Estimate:
    """How many parameters' worth of label noise is gone from the training loss.

    k = P (S - L) / sigma^2. Least squares with k free coefficients removes sigma^2 chi^2_k / P; a
    net through every point removes all, and counts P. What nets could not fit without noise counts
    against it.

    Parameters
    ----------
    losses : (G,) array_like of float
        Training losses on noisy labels.
    squares : (G,) array_like of float
        S, the mean square of the noise that each draw really has.
    noise, points, level
        As in `learnt_parameters`.

    Returns
    -------
    Estimate

    Raises
    ------
    ConfigError, DataError
        As `learnt_parameters`.

    Examples
    --------
    >>> found = absorbed_parameters([0.9, 1.0, 1.1], [1.0, 1.1, 1.2], noise=1.0, points=50)
    >>> round(found.value, 6)
    5.0
    """
    there, left = reals_of("squares", squares), reals_of("losses", losses)
    rule = "one square for each loss"
    check_match(there.shape == left.shape, rule, squares=there, losses=left)
    with np.errstate(invalid="ignore"):  # of infinite losses, which are left out
        lost = there - left
    return over_draws(lost * _weight(noise, points), level)


def _weight(noise: float, points: int) -> float:
    """P / sigma^2. Raises ConfigError."""
    noise = real_number("noise", noise, "above 0", lambda x: x > 0)
    return real_number("points", points, "above 0", lambda x: x > 0) / noise**2


def _above_zero(losses: ArrayLike) -> Array:
    """Losses as float64. Raises DataError where one is zero or below."""
    values = reals_of("losses", losses)
    if (values <= 0).any():
        raise DataError(
            f"{np.count_nonzero(values <= 0)} losses are zero or below and have no logarithm; "
            "leave them out"
        )
    return values
