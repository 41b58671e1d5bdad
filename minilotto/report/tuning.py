"""Median losses of ways of training whose rate is the best one of each width."""

from collections.abc import Mapping

import numpy as np

from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Points, points
from minilotto.analysis.stats.exponents import tuned
from minilotto.report.rules import LEVEL
from minilotto.settings.arrays import Array

RESAMPLES = 2000

Losses = dict[int, Array]  # (R,) by width
Rates = tuple[float, float]  # the best ones of the seeds at even and at odd places


def best_of(by_rate: Mapping[float, Losses]) -> tuple[Losses, dict[int, Rates]]:
    """Losses at the best rate of each width that all rates have, and these rates."""
    widths = set.intersection(*({*losses} for losses in by_rate.values()))
    found = {w: tuned({r: losses[w] for r, losses in by_rate.items()}) for w in sorted(widths)}
    return {w: one[0] for w, one in found.items()}, {w: one[1] for w, one in found.items()}


def medians(
    losses: Mapping[int, Array], name: str, left_out: list[str], resamples: int = RESAMPLES
) -> Points | None:
    """Medians of the widths that have an interval; others are added to `left_out`, by name."""
    kept = {}
    for width, loss in sorted(losses.items()):
        finite = loss[np.isfinite(loss)]
        if len(finite) >= LEAST_SEEDS and 0 < finite.min() < finite.max():
            kept[width] = loss
        else:
            left_out.append(f"{name}, width {width}: {len(finite)} of {len(loss)} seeds are finite")
    if not kept:
        return None
    return points(list(kept), list(kept.values()), level=LEVEL, resamples=resamples)
