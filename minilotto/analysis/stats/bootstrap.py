"""One statistic of the losses at each width, with what a bootstrap over seeds says of its error."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import trim_mean

from minilotto.errors import ConfigError, DataError, shown
from minilotto.settings.arrays import Array, Ints, array_of, reals_of
from minilotto.settings.display import Shown
from minilotto.settings.limits import blocks, check_fraction, check_whole

__all__ = ["Estimate", "Points", "median_interval", "points"]

LEAST_VALUES = 5  # of a median that has an interval
LEAST_SEEDS = 10  # at a width; a bootstrap of fewer says little about the spread between seeds
GATHERED = 4_000_000  # losses resampled at a time
TRIMMED = 0.1  # fraction of the losses that a trimmed mean leaves out at either end
MEANS: dict[str, Callable[[Array], Array]] = {  # of rows
    "mean": lambda rows: rows.mean(axis=1),
    "trimmed mean": lambda rows: trim_mean(rows, TRIMMED, axis=1),
    "geometric mean": lambda rows: np.exp(np.log(rows).mean(axis=1)),
}
STATISTICS = ("median", *MEANS)


@dataclass(frozen=True)
class Estimate(Shown):
    """A number with its interval, in general the bootstrap's quantiles (1 -+ level) / 2.

    Parameters
    ----------
    value, low, high : float
    level : float in (0, 1)
        Probability that the interval from `low` to `high` holds the truth.
    freedom : float
        Degrees of freedom of Student's interval; infinite for others.
    """

    value: float
    low: float
    high: float
    level: float
    freedom: float = field(default=np.inf, repr=False, compare=False)

    def __str__(self) -> str:
        return format(self, ".3g")

    def __format__(self, spec: str) -> str:
        """The number and, in brackets, its interval, each as `spec` says, without -0."""
        texts = (format(one, spec or ".3g") for one in (self.value, self.low, self.high))
        value, low, high = (text if text.strip("-0.e+%") else text.lstrip("-") for text in texts)
        return f"{value} ({low} to {high})"

    def mapped(self, function: Callable[[float], float]) -> "Estimate":
        """The estimate of a rising function of the number.

        Parameters
        ----------
        function : callable
            From float to float, increasing.

        Returns
        -------
        Estimate
            Value and ends of the interval mapped, at the same level.
        """
        value, low, high = (float(function(x)) for x in (self.value, self.low, self.high))
        return Estimate(value, low, high, self.level, self.freedom)


@dataclass(frozen=True)
class Points(Shown):
    """A statistic of loss at W widths, in ascending order.

    Parameters
    ----------
    widths : (W,) ndarray of float64
    seeds, diverged : (W,) ndarray of int
        How many losses were finite, and how many were not.
    statistic : str or float
        As in `points`.
    level : float in (0, 1)
        Probability of each interval.
    value, low, high : (W,) ndarray of float64
        The statistic and its interval, in units of loss.
    error : (W,) ndarray of float64
        Standard error of the natural logarithm of `value`.
    replicates : (B, W) ndarray of float64
        Logarithms of the statistic of B resamples of the seeds of each width.
    """

    widths: Array
    seeds: Ints
    diverged: Ints
    statistic: str | float
    level: float
    value: Array
    low: Array
    high: Array
    error: Array
    replicates: Array

    def select(self, chosen: ArrayLike) -> "Points":
        """The same for some of the widths.

        Parameters
        ----------
        chosen : (W,) array_like of bool, or (K,) array_like of int
            A mask, or positions in any order.

        Returns
        -------
        Points
            Each width once, in ascending order.

        Raises
        ------
        DataError
            For anything else.
        """
        which, count = array_of("chosen", chosen), len(self.widths)
        try:
            at = np.unique(np.arange(count)[which if which.size else []])
        except IndexError:
            rule = f"none of {count} widths; give a mask or positions"
            raise DataError(f"chosen={shown(chosen)} are {rule}") from None
        names = ("widths", "seeds", "diverged", "value", "low", "high", "error")
        parts = {name: getattr(self, name)[at] for name in names}
        return replace(self, **parts, replicates=self.replicates[:, at])


def points(
    widths: ArrayLike,
    losses: Sequence[ArrayLike],
    statistic: str | float = "median",
    *,
    level: float = 0.9,
    resamples: int = 1000,
    seed: int = 0,
) -> Points:
    """Median, a mean or a quantile of the losses at each width, with a bootstrap.

    Each width is resampled on its own, with as many seeds as it has.

    Parameters
    ----------
    widths : (W,) array_like of float
        Distinct, above 0, in any order.
    losses : sequence of W arrays (R,)
        Final losses of each width's seeds, as many as there are; what is not finite has diverged,
        is left out and counted.
    statistic : {"median", "mean", "trimmed mean", "geometric mean"} or float in (0, 1)
        A trimmed mean leaves out the TRIMMED lowest and as many highest losses, as
        scipy.stats.trim_mean. A number is that quantile, as numpy.quantile.
    level : float in (0, 1)
        Probability of each interval.
    resamples : int
        At least 100.
    seed : int
        Of the resamples.

    Returns
    -------
    Points

    Raises
    ------
    ConfigError
        For a statistic, level, number of resamples or seed out of range.
    DataError
        For no widths, fewer than LEAST_SEEDS finite losses at a width, losses of zero or below
        (they have no logarithm), or losses that are all the same.

    References
    ----------
    Paper: figure 1c (median). Differs: the paper gives no intervals.

    Examples
    --------
    >>> found = points([1, 2], [np.geomspace(1, 4, 51), np.geomspace(0.1, 0.4, 51)])
    >>> found.value.round(12).tolist()
    [2.0, 0.2]
    >>> bool(np.all((found.low < found.value) & (found.value < found.high)))
    True
    """
    check_bootstrap(level, resamples, seed)
    real = isinstance(statistic, (float, np.floating)) and 0 < statistic < 1
    if not real and not (isinstance(statistic, str) and statistic in STATISTICS):
        raise ConfigError(
            f"statistic={statistic!r} is unknown; choose from {', '.join(STATISTICS)} or a "
            "quantile between 0 and 1"
        )

    def resample(loss: Array, random: np.random.Generator) -> tuple[float, Array]:
        if statistic not in MEANS:
            quantile = 0.5 if statistic == "median" else float(statistic)
            drawn = _resampled_quantiles(np.sort(loss), quantile, resamples, random)
            return float(np.quantile(loss, quantile)), drawn
        mean = MEANS[str(statistic)]
        return float(mean(loss[None])[0]), resampled(mean, loss, resamples, random)

    return at_each_width(widths, losses, resample, statistic, level, seed)


def at_each_width(
    widths: ArrayLike,
    losses: Sequence[ArrayLike],
    resample: Callable[[Array, np.random.Generator], tuple[float, Array]],
    statistic: str | float,
    level: float,
    seed: int,
) -> Points:
    """Points of a statistic, which `resample` gives of the losses of a width, with its resamples.
    Raises DataError for what `points` refuses, and for a statistic of zero.
    """
    names, kept, diverged = finite_losses(widths, losses)
    random = np.random.default_rng(seed)
    values, columns = [], []
    for width, loss in zip(names, kept, strict=True):
        check_losses(f"width {width:g}", loss)
        value, drawn = resample(loss, random)
        if not (value > 0 and (drawn > 0).all()):
            raise DataError(
                f"most losses of width {width:g} are identical, or in some resamples, where their "
                f"{statistic} is zero; train more seeds or leave the width out"
            )
        values.append(value)
        columns.append(np.log(drawn))
    drawn = np.stack(columns, axis=1)
    seeds = np.array([len(loss) for loss in kept])
    return assembled(names, seeds, diverged, np.array(values), drawn, statistic, level)


def _resampled_quantiles(
    ordered: Array, quantile: float, resamples: int, random: np.random.Generator
) -> Array:
    """A quantile of each of many resamples of ascending losses (n,), from its exact distribution.

    A resample of n losses is n uniform numbers U mapped to ordered[floor(n U)], so its r-th
    smallest loss is that of the r-th smallest U, which is Beta(r, n - r + 1); the next one is the
    least of n - r uniforms above it. So no resample is drawn. Interpolation is numpy's.
    """
    n = len(ordered)
    place = (n - 1) * quantile
    below = int(place)
    rank = below + 1
    first = random.beta(rank, n - rank + 1, resamples)
    result: Array = ordered[_cells(first, n)]
    if place > below:
        second = first + (1 - first) * -np.expm1(np.log1p(-random.random(resamples)) / (n - rank))
        result = result + (place - below) * (ordered[_cells(second, n)] - result)
    return result


def _cells(uniform: Array, n: int) -> Ints:
    return np.minimum((n * uniform).astype(np.int64), n - 1)


def resampled(
    measure: Callable[[Array], Array], values: Array, resamples: int, random: np.random.Generator
) -> Array:
    """A measure of the rows (., n) of many resamples of n values, in blocks of bounded memory."""
    n = len(values)
    rows = (block.stop - block.start for block in blocks(resamples, n, GATHERED))
    return np.concatenate([measure(values[random.integers(0, n, (count, n))]) for count in rows])


def medians(rows: Array) -> Array:
    """The median of each row."""
    return np.asarray(np.median(rows, axis=1))


def assembled(
    widths: Array,
    seeds: Ints,
    diverged: Ints,
    value: Array,
    replicates: Array,
    statistic: str | float,
    level: float,
) -> Points:
    """Points of a statistic `value` (W,), with intervals from replicates (B, W)."""
    low, high = np.exp(np.quantile(replicates, ends(level), axis=0))
    error = replicates.std(axis=0, ddof=1)
    return Points(widths, seeds, diverged, statistic, level, value, low, high, error, replicates)


def finite_losses(
    widths: ArrayLike, losses: Sequence[ArrayLike]
) -> tuple[Array, list[Array], Ints]:
    """Ascending widths (W,), finite losses of each, and how many (W,) were not; or DataError."""
    names = reals_of("widths", widths)
    if not isinstance(losses, Collection):
        raise DataError(f"losses={shown(losses)} are no sets of losses; give one for each width")
    if names.ndim != 1 or len(names) != len(losses):
        raise DataError(
            f"widths of shape {names.shape} and {len(losses)} sets of losses do not match; give "
            "one set for each width"
        )
    check_widths(names)
    sets = []
    for name, given in zip(names, losses, strict=True):
        loss = reals_of(f"the loss of width {name:g}", given)
        if loss.ndim != 1:
            raise DataError(
                f"the losses of width {name:g} have shape {loss.shape}; give one loss a seed, "
                "shape (R,)"
            )
        sets.append(loss)
    order = np.argsort(names)
    kept = [sets[i][np.isfinite(sets[i])] for i in order]
    diverged = [len(sets[i]) - len(loss) for i, loss in zip(order, kept, strict=True)]
    return names[order], kept, np.array(diverged, dtype=np.int64)


def check_widths(widths: Array) -> None:
    """Raises DataError for widths (W,) that are not distinct numbers above 0, or none."""
    distinct = 0 < len(widths) == len(np.unique(widths))
    if not (distinct and np.isfinite(widths).all() and (widths > 0).all()):
        raise DataError(
            f"widths {widths.tolist()} are not distinct numbers above 0; give each width once"
        )


def check_losses(title: str, loss: Array) -> None:
    """Raises DataError for losses that cannot be resampled in logarithms; `title` says whose."""
    if len(loss) < LEAST_SEEDS:
        raise DataError(
            f"{title} has {len(loss)} finite losses; at least {LEAST_SEEDS} are needed: train "
            "more seeds or leave it out"
        )
    if not (loss > 0).all():
        raise DataError(
            f"{np.count_nonzero(loss <= 0)} losses of {title} are zero or below and have no "
            "logarithm; leave them out"
        )
    if (loss == loss[0]).all():
        raise DataError(
            f"the {len(loss)} losses of {title} are all {loss[0]:g}; seeds must differ to be "
            "resampled"
        )


def check_bootstrap(level: float, resamples: int, seed: int = 0) -> None:
    """Raises ConfigError for a level that is no probability, few resamples and a seed below 0."""
    check_fraction("level", level, 0.9)
    check_whole("resamples", resamples, 100)
    check_whole("seed", seed, 0)


def ends(level: float) -> tuple[float, float]:
    """The two quantiles between which an equal-tailed interval lies."""
    return (1 - level) / 2, (1 + level) / 2


def estimate(value: float, replicates: Array, level: float) -> Estimate:
    """A number with the interval between two quantiles of its replicates (B,)."""
    low, high = np.quantile(replicates, ends(level))
    return Estimate(float(value), float(low), float(high), level)


def median_interval(values: ArrayLike, resamples: int = 2000, seed: int = 0) -> Estimate:
    """The median of the finite values with its 95% bootstrap interval.

    Infinite for fewer than LEAST_VALUES: even the least and the greatest of 4 hold it 7 times of 8.

    Parameters
    ----------
    values : (R,) array_like of float
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    Estimate

    Raises
    ------
    ConfigError
        For fewer than 100 resamples, or a seed below 0.
    DataError
        Where no value is finite.

    Examples
    --------
    >>> median_interval(np.full(5, 2.0)).value
    2.0
    """
    check_bootstrap(0.95, resamples, seed)
    given = reals_of("values", values)
    kept = given[np.isfinite(given)]
    if kept.size == 0:
        raise DataError(f"none of {given.size} values is finite; there is no median")
    if kept.size < LEAST_VALUES:
        return Estimate(float(np.median(kept)), -np.inf, np.inf, 0.95)
    drawn = resampled(medians, kept, resamples, np.random.default_rng(seed))
    return estimate(float(np.median(kept)), drawn, 0.95)
