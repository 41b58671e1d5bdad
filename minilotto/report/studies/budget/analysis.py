"""Median losses by budget and width of one way of training; their exponents and saturation."""

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate, Points, points
from minilotto.analysis.stats.differences import difference
from minilotto.analysis.stats.estimates import estimates
from minilotto.analysis.stats.saturation import Saturation, saturation
from minilotto.analysis.stats.scaling import fit_law
from minilotto.errors import DataError
from minilotto.report.rules import LEVEL
from minilotto.settings.arrays import Array

PAPER_RANGE = (10.0, 50.0)
WHOLE_RANGE = (10.0, np.inf)
RANGES = {"10 to 50": PAPER_RANGE, "50 on": (50.0, np.inf), "10 on": WHOLE_RANGE}
MAIN, UNSCALED, LEAKY = "SiLU", "unscaled schedule", "LeakyReLU"


class Line:
    """One way of training: the median loss at each budget and width, and what follows from it.

    losses: by budget and width, one per seed. found: points over widths, by budget. exponents: by
    name of a range of widths and budget, with seeds' and widths' scatter. by_width: points over
    budgets. saturated: by width.
    """

    def __init__(self, losses: Mapping[int, Mapping[int, Array]], gain: float) -> None:
        """From losses (R,) by budget and width; a budget with fewer than two widths is left out. A
        loss that ten times the steps divide by less than `gain` has saturated.
        """
        self.losses = losses
        self.found: dict[int, Points] = {}
        for k, (budget, by) in enumerate(sorted(losses.items())):
            if len(by) > 1:
                # Resampled with draws of its own, or budgets would seem to scatter together.
                widths, rows = zip(*sorted(by.items(), key=lambda row: row[0]), strict=True)
                self.found[budget] = points(widths, rows, level=LEVEL, seed=k)
        self.exponents = {
            span: {b: e for b, one in self.found.items() if (e := exponent_over(one, *ends))}
            for span, ends in RANGES.items()
        }
        self.by_width = against_budget(self.found)
        self.saturated: dict[int, Saturation] = {}
        for width, one in self.by_width.items():
            with suppress(DataError):  # budgets too near to one another
                self.saturated[width] = saturation(one, gain)

    def moved(self, later: int, earlier: int, span: str = "10 to 50") -> Estimate | None:
        """By how much the exponent differs between two budgets."""
        return gap(self.found[later], self.found[earlier], *RANGES[span])

    def gain(self, width: int, earlier: int, later: int) -> Estimate | None:
        """Factor by which longer training lowers the loss, as from ten times the steps: the median
        over the seeds that both have; None for too few.
        """
        try:
            before, after = (self.losses[budget][width] for budget in (earlier, later))
            both = min(len(before), len(after))
            one = estimates(points([width], [before[:both] / after[:both]], level=LEVEL))[width]
        except (KeyError, DataError):
            return None
        power = float(1 / np.log10(later / earlier))
        return Estimate(one.value**power, one.low**power, one.high**power, one.level)


def gap(one: Points, other: Points, low: float, high: float) -> Estimate | None:
    """Exponent of one less that of the other, fitted to the widths from `low` to `high` that both
    have; None for fewer than three.

    The interval is over seeds alone: how widths lie about a power law is no error where both are
    fitted to the same widths.
    """
    widths = np.intersect1d(one.widths, other.widths)
    first, second = (
        exponent_over(each.select(np.isin(each.widths, widths)), low, high, False)
        for each in (one, other)
    )
    return difference(first, second) if first and second else None


def against_budget(found: Mapping[int, Points]) -> dict[int, Points]:
    """Points over widths by budget, turned into points over budgets by width; a width with one
    budget is left out.
    """
    turned = {}
    for width in sorted({int(width) for one in found.values() for width in one.widths}):
        have = {
            b: one.select(one.widths == width) for b, one in found.items() if width in one.widths
        }
        if len(have) < 2:
            continue
        some = list(have.values())
        parts: dict[str, Any] = {
            name: np.concatenate([getattr(one, name) for one in some], axis=-1)
            for name in ("seeds", "diverged", "value", "low", "high", "error", "replicates")
        }
        turned[width] = dataclasses.replace(some[0], widths=np.array(list(have), float), **parts)
    return turned


def exponent_over(found: Points, low: float, high: float, misfit: bool = True) -> Estimate | None:
    """Exponent over the widths from `low` to `high`, None for fewer than three; its interval over
    seeds, or over widths too.
    """
    inside = found.select((found.widths >= low) & (found.widths <= high))
    if len(inside.widths) < 3:
        return None
    fit = fit_law(inside)
    return (fit.with_misfit if misfit else fit.estimates)["exponent"]
