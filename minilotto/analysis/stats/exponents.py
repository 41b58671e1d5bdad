"""Exponents of loss against width of several ways of training, and how they differ."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from minilotto.analysis.stats.bootstrap import Estimate, Points, assembled, ends, estimate
from minilotto.analysis.stats.scaling import power_law_over
from minilotto.errors import ConfigError, DataError
from minilotto.settings.arrays import Array, Ints, reals_of

__all__ = ["exponent_change", "exponent_over", "tuned"]

HALVES = (slice(0, None, 2), slice(1, None, 2))


def exponent_over(found: Points | None, low: float, high: float) -> Estimate | None:
    """Exponent of a power law over a range of widths, as of `fit_law`.

    Parameters
    ----------
    found : Points or None
        From `bootstrap.points`.
    low, high : float
        Least and largest width.

    Returns
    -------
    Estimate or None
        None for fewer than three widths, and for no points.
    """
    fit = power_law_over(found, low, high)
    return None if fit is None else fit.estimates["exponent"]


def exponent_change(
    one: Points | None, other: Points | None, low: float, high: float
) -> Estimate | None:
    """Exponent of one less that of the other: of their ratio, at the widths that both have.

    So how both lie about a power law alike is no error. The interval includes how their ratio
    scatters about one, and is no narrower than over seeds alone: of three widths the scatter is
    often small by chance.

    Parameters
    ----------
    one, other : Points or None
        Of different nets, with as many resamples.
    low, high : float
        Least and largest width.

    Returns
    -------
    Estimate or None
        None for fewer than three widths, and for no points.

    Raises
    ------
    ConfigError
        For points of another number of resamples or another level than the other's.
    """
    fit = power_law_over(quotient(one, other), low, high)
    if fit is None:
        return None
    scattered, alone = fit.estimates["exponent"], fit.seeds_only["exponent"]
    reach = {"low": min(scattered.low, alone.low), "high": max(scattered.high, alone.high)}
    return dataclasses.replace(scattered, **reach)


def mean_ratio(one: Points | None, other: Points | None) -> Estimate | None:
    """Loss of one over that of the other, as geometric mean over the widths that both have.

    They are of different nets, with as many resamples; None where one of them is, and where they
    have no width in common.
    """
    ratio = quotient(one, other)
    if ratio is None or not len(ratio.widths):
        return None
    value = float(np.log(ratio.value).mean())
    return estimate(value, ratio.replicates.mean(axis=1), ratio.level).mapped(np.exp)


def geometric_mean(several: Sequence[Points]) -> Points | None:
    """Geometric mean of several, with as many resamples, at each width that all have, if any."""
    both = _common(several)
    if not both:
        return None
    value = np.exp(np.mean([np.log(one.value) for one in both], axis=0))
    logs = np.mean([one.replicates for one in both], axis=0)
    return _made(both[0].widths, both[0].seeds, value, logs, both[0])


def over_widths(found: Mapping[float, Points]) -> Points | None:
    """Geometric mean over the widths that all have, against a number above 0 such as a batch.

    The numbers are the `widths` of what is returned; None where there is no width in common.
    """
    names = sorted(found)
    both = _common([found[name] for name in names])
    if not both:
        return None
    value = np.exp([np.log(one.value).mean() for one in both])
    logs = np.stack([one.replicates.mean(axis=1) for one in both], axis=1)
    seeds = np.array([one.seeds.sum() for one in both])
    return _made(np.array(names, dtype=np.float64), seeds, value, logs, both[0])


def _common(several: Sequence[Points]) -> list[Points]:
    """Those of the widths that all have; none where there is none."""
    shared = set.intersection(*({*one.widths} for one in several)) if several else set()
    return [one.select(np.isin(one.widths, [*shared])) for one in several] if shared else []


def _made(widths: Array, seeds: Ints, value: Array, logs: Array, like: Points) -> Points:
    none = np.zeros(len(widths), dtype=np.int64)
    return assembled(widths, seeds, none, value, logs, like.statistic, like.level)


def tuned(losses: Mapping[float, ArrayLike]) -> tuple[Array, tuple[float, float]]:
    """Losses at the best of several rates, which is chosen on other seeds than it is judged by.

    Every second net has the rate at which the others have the least median, and the others that at
    which these have; so the choice does not favour the nets on which it rests.

    Parameters
    ----------
    losses : mapping of float to (R,) array_like
        By rate, of the same seeds; what is not finite has diverged and counts as infinite.

    Returns
    -------
    (R,) ndarray of float64, (float, float)
        The losses, and the rates of the seeds at even and at odd places.

    Raises
    ------
    DataError
        For no rates, fewer than two seeds, or different numbers of them.

    Examples
    --------
    >>> tuned({0.1: [3.0, 3.0, 3.0, 1.0], 0.2: [2.0, 4.0, 2.0, 4.0]})
    (array([3., 4., 3., 4.]), (0.1, 0.2))
    """
    rows = {rate: reals_of("losses", row) for rate, row in losses.items()}
    shapes = {row.shape for row in rows.values()}
    if len(shapes) != 1 or (shape := shapes.pop()) < (2,) or len(shape) > 1:
        raise DataError(
            f"losses of {len(rows)} rates cannot be compared; give (R,) losses of each rate, of "
            "the same two seeds or more"
        )
    found, chosen = np.empty(shape), []
    for mine, other in zip(HALVES, HALVES[::-1], strict=True):
        median = {
            rate: np.median(np.where(np.isfinite(row[other]), row[other], np.inf))
            for rate, row in rows.items()
        }
        best = min(median, key=lambda rate: median[rate])
        found[mine] = rows[best][mine]
        chosen.append(best)
    return found, (chosen[0], chosen[1])


def quotient(one: Points | None, other: Points | None) -> Points | None:
    """Loss of one over that of the other, at the widths that both have; None where one is.

    Of different nets, with as many resamples; of the same nets intervals are too wide where both
    rise together. Raises ConfigError for other settings of the two.
    """
    if one is None or other is None:
        return None
    settings = [(len(each.replicates), each.level) for each in (one, other)]
    if settings[0] != settings[1]:
        raise ConfigError(
            f"points of (resamples, level) {settings[0]} and {settings[1]} cannot be compared; "
            "make both alike"
        )
    widths = np.intersect1d(one.widths, other.widths)
    first, second = (each.select(np.isin(each.widths, widths)) for each in (one, other))
    # Reversed: both may be resampled by the same random numbers.
    replicates = first.replicates - second.replicates[::-1]
    low, high = np.exp(np.quantile(replicates, ends(first.level), axis=0))
    parts = {
        "value": first.value / second.value,
        "error": np.hypot(first.error, second.error),
        "low": low,
        "high": high,
    }
    return dataclasses.replace(first, **parts, replicates=replicates)
