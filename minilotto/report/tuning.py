"""Median losses of ways of training, the rate of each width its best one, and their exponents."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate, Points, points
from minilotto.analysis.stats.exponents import exponent_over, tuned
from minilotto.errors import DataError
from minilotto.report.figure import commas
from minilotto.report.rules import LEVEL
from minilotto.settings.arrays import Array

RESAMPLES = 2000
Key = TypeVar("Key")

Losses = dict[int, Array]  # (R,) by width
Rates = tuple[float, float]  # the best ones of the seeds at even and at odd places


def best_of(by_rate: Mapping[float, Losses]) -> tuple[Losses, dict[int, Rates]]:
    """Losses at the best rate of each width that all rates have, and these rates."""
    widths = set.intersection(*({*losses} for losses in by_rate.values()))
    found = {w: tuned({r: losses[w] for r, losses in by_rate.items()}) for w in sorted(widths)}
    return {w: one[0] for w, one in found.items()}, {w: one[1] for w, one in found.items()}


def exponents(
    found: Mapping[Key, Points], low: float, high: float, study: str
) -> dict[Key, Estimate]:
    """Exponents of what has three widths in a range. Raises DataError where nothing has."""
    known = {key: e for key, one in found.items() if (e := exponent_over(one, low, high))}
    if not known:
        raise DataError(
            f"an exponent needs three widths from {max(low, 1):g} on, each with {LEAST_SEEDS} "
            f"finite seeds; train more with {study}.run"
        )
    return known


def at_ends(best: Mapping[str, Mapping[int, Rates]], tried: Mapping[str, Sequence[float]]) -> str:
    """Where better rates may lie beyond those tried, in a sentence; "" for nowhere."""
    found = []
    for name, by_width in best.items():
        ends = {min(tried[name]), max(tried[name])} if len(tried[name]) > 1 else set()
        if at := [width for width, two in by_width.items() if ends & {*two}]:
            found.append(f"{name}: N = {commas(at)}")
    return f" The best rate is the least or largest tried at {'; '.join(found)}." * bool(found)


def medians(
    losses: Mapping[int, Array],
    name: str,
    left_out: list[str],
    resamples: int = RESAMPLES,
    what: str = "width",
) -> Points | None:
    """Medians of the widths that have an interval; others are added to `left_out`, by name."""
    kept = {}
    for width, loss in sorted(losses.items()):
        finite = loss[np.isfinite(loss)]
        if len(finite) >= LEAST_SEEDS and 0 < finite.min() < finite.max():
            kept[width] = loss
        else:
            why = f"{len(finite)} of {len(loss)} seeds are finite"
            if len(finite) >= LEAST_SEEDS:
                why = "losses are 0, or all equal"
            left_out.append(f"{name}, {what} {width}: {why}")
    if not kept:
        return None
    return points(list(kept), list(kept.values()), level=LEVEL, resamples=resamples)
