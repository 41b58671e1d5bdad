"""One statistic of the losses at each width, with what a bootstrap over seeds says of its error."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.errors import ConfigError, DataError
from minilotto.settings.arrays import Array

LEAST_SEEDS = 10  # at a width; a bootstrap of fewer says little about the spread between seeds
GATHERED = 4_000_000  # losses resampled at a time
STATISTICS = ("median", "mean", "geometric mean")


@dataclass(frozen=True)
class Estimate:
    """A number with its interval: the bootstrap's quantiles (1 - level) / 2 and (1 + level) / 2."""

    value: float
    low: float
    high: float
    level: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True)
class Points:
    """A statistic of loss at W widths, in ascending order.

    widths, seeds and diverged (W,) count; value, low, high (W,) are in units of loss; error (W,) is
    the standard error of the natural logarithm of value; replicates (B, W) are logarithms of the
    statistic of B resamples of the seeds of each width.
    """

    widths: Array
    seeds: NDArray[np.int64]
    diverged: NDArray[np.int64]
    statistic: str | float
    level: float
    value: Array
    low: Array
    high: Array
    error: Array
    replicates: Array

    def select(self, chosen: ArrayLike) -> "Points":
        """The same for some of the widths: a mask (W,) or places."""
        at = np.arange(len(self.widths))[np.asarray(chosen)]
        names = ("widths", "seeds", "diverged", "value", "low", "high", "error")
        parts = {name: getattr(self, name)[at] for name in names}
        return Points(
            **parts, statistic=self.statistic, level=self.level, replicates=self.replicates[:, at]
        )


def points(
    widths: ArrayLike,
    losses: Sequence[ArrayLike],
    statistic: str | float = "median",
    *,
    level: float = 0.9,
    resamples: int = 1000,
    seed: int = 0,
) -> Points:
    """The median, mean, geometric mean or a quantile of the losses at each width, and `resamples`
    of its bootstrap replicates.

    widths (W,) are distinct and above 0, in any order; losses: for each width the final losses of
    its seeds, as many as there are; what is not finite has diverged, is left out and counted.
    statistic: "median", "mean", "geometric mean", or a number in (0, 1), that quantile (as
    numpy.quantile). Each width is resampled on its own, with as many seeds as it has.

    Raises ConfigError for a statistic, level or number of resamples out of range; DataError for
    fewer than LEAST_SEEDS finite losses at a width, losses of zero or below (they have no
    logarithm), or losses that are all the same. Paper: figure 1c (median). Differs: the paper gives
    no intervals.

    >>> found = points([1, 2], [np.geomspace(1, 4, 51), np.geomspace(0.1, 0.4, 51)])
    >>> found.value.round(12).tolist(), bool(np.all((found.low < found.value) & (found.value < found.high)))
    ([2.0, 0.2], True)
    """
    check_bootstrap(level, resamples)
    quantile = _as_quantile(statistic)
    names, kept, diverged = finite_losses(widths, losses)
    random = np.random.default_rng(seed)
    values, columns = [], []
    for width, loss in zip(names, kept, strict=True):
        check_losses(width, loss, LEAST_SEEDS)
        if quantile is not None:
            values.append(np.quantile(loss, quantile))
            columns.append(np.log(_resampled_quantiles(np.sort(loss), quantile, resamples, random)))
        elif statistic == "mean":
            values.append(loss.mean())
            columns.append(np.log(resampled_means(loss, resamples, random)))
        else:
            values.append(np.exp(np.log(loss).mean()))
            columns.append(resampled_means(np.log(loss), resamples, random))
    return assembled(
        names, kept, diverged, np.array(values), np.stack(columns, axis=1), statistic, level
    )


def assembled(
    widths: Array,
    kept: list[Array],
    diverged: NDArray[np.int64],
    value: Array,
    replicates: Array,
    statistic: str | float,
    level: float,
) -> Points:
    """Points of a statistic `value` (W,) and the logarithms (B, W) of its replicates, with
    intervals and errors from these.
    """
    low, high = np.exp(np.quantile(replicates, ends(level), axis=0))
    return Points(
        widths=widths,
        seeds=np.array([len(loss) for loss in kept]),
        diverged=diverged,
        statistic=statistic,
        level=level,
        value=value,
        low=low,
        high=high,
        error=replicates.std(axis=0, ddof=1),
        replicates=replicates,
    )


def finite_losses(
    widths: ArrayLike, losses: Sequence[ArrayLike]
) -> tuple[Array, list[Array], NDArray[np.int64]]:
    """Widths (W,) in ascending order, the finite losses of each, and how many were not finite (W,).
    Raises DataError.
    """
    names = np.asarray(widths, dtype=np.float64)
    if names.ndim != 1 or len(names) != len(losses):
        raise DataError(
            f"widths of shape {names.shape} and {len(losses)} sets of losses do not match; give "
            "one set for each width"
        )
    if not (np.isfinite(names).all() and (names > 0).all() and len(np.unique(names)) == len(names)):
        raise DataError(
            f"widths {names.tolist()} are not distinct numbers above 0; give each width once"
        )
    flat = [np.asarray(loss, dtype=np.float64) for loss in losses]
    for name, loss in zip(names, flat, strict=True):
        if loss.ndim != 1:
            raise DataError(
                f"the losses of width {name:g} have shape {loss.shape}; give one loss a seed, "
                "shape (R,)"
            )
    order = np.argsort(names)
    kept = [flat[i][np.isfinite(flat[i])] for i in order]
    return (
        names[order],
        kept,
        np.array(
            [len(flat[i]) - len(loss) for i, loss in zip(order, kept, strict=True)], dtype=np.int64
        ),
    )


def check_losses(width: float, loss: Array, least: int) -> None:
    """Raises DataError for losses whose logarithms cannot be resampled."""
    if len(loss) < least:
        raise DataError(
            f"width {width:g} has {len(loss)} finite losses; at least {least} are needed: train "
            "more seeds or leave it out"
        )
    if not (loss > 0).all():
        count = np.count_nonzero(loss <= 0)
        raise DataError(
            f"{count} losses of width {width:g} are zero or below and have no logarithm; leave "
            "these or the width out"
        )
    if (loss == loss[0]).all():
        raise DataError(
            f"the {len(loss)} losses of width {width:g} are all {loss[0]:g}; seeds must differ to "
            "be resampled"
        )


def _as_quantile(statistic: str | float) -> float | None:
    """The quantile that a statistic is, None for means. Raises ConfigError."""
    if statistic == "median":
        return 0.5
    if isinstance(statistic, str) and statistic in STATISTICS:
        return None
    if isinstance(statistic, (float, np.floating)) and 0 < statistic < 1:
        return float(statistic)
    raise ConfigError(
        f"statistic={statistic!r} is unknown; choose from {', '.join(STATISTICS)} or a quantile "
        "between 0 and 1"
    )


def check_bootstrap(level: float, resamples: int) -> None:
    """Raises ConfigError for a level that is no probability, or too few resamples for its
    quantiles.
    """
    if not (isinstance(level, (float, np.floating)) and 0 < level < 1):
        raise ConfigError(
            f"level={level!r} is out of range; give a probability between 0 and 1, such as 0.9"
        )
    if (
        isinstance(resamples, bool)
        or not isinstance(resamples, (int, np.integer))
        or resamples < 100
    ):
        raise ConfigError(
            f"resamples={resamples!r} is out of range; give a whole number of at least 100"
        )


def ends(level: float) -> tuple[float, float]:
    """The two quantiles between which an equal-tailed interval lies."""
    return (1 - level) / 2, (1 + level) / 2


def _resampled_quantiles(
    ordered: Array, quantile: float, resamples: int, random: np.random.Generator
) -> Array:
    """The quantile of each of many resamples of n sorted losses, drawn from its exact distribution
    without drawing the resamples.

    A resample of n losses is n uniform numbers U mapped to ordered[floor(n U)], so its r-th
    smallest loss is that of the r-th smallest U, which is Beta(r, n - r + 1); the next one is the
    least of n - r uniforms above it. Interpolation is numpy's.
    """
    n = len(ordered)
    place = (n - 1) * quantile
    below = int(place)
    rank = below + 1
    first = random.beta(rank, n - rank + 1, resamples)
    result = ordered[_cells(first, n)]
    if place > below:
        second = first + (1 - first) * -np.expm1(np.log1p(-random.random(resamples)) / (n - rank))
        result = result + (place - below) * (ordered[_cells(second, n)] - result)
    return result


def _cells(uniform: Array, n: int) -> NDArray[np.intp]:
    return np.minimum((n * uniform).astype(np.intp), n - 1)


def resampled_means(values: Array, resamples: int, random: np.random.Generator) -> Array:
    """The mean of each of many resamples of n values (n,): (resamples,)."""
    return np.concatenate([rows.mean(axis=1) for rows in resampled(values, resamples, random)])


def resampled(values: Array, resamples: int, random: np.random.Generator) -> Iterator[Array]:
    """Resamples of n values (n,), some rows (., n) at a time."""
    n = len(values)
    step = max(1, GATHERED // n)
    for start in range(0, resamples, step):
        yield values[random.integers(0, n, (min(step, resamples - start), n))]
