"""Median losses by budget and width of one way of training, and what is read off them: exponents,
and where loss saturates.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from minilotto.analysis.stats.bootstrap import Array, Estimate, Points, points
from minilotto.analysis.stats.differences import difference
from minilotto.analysis.stats.saturation import Saturation, saturation
from minilotto.analysis.stats.scaling import fit_law
from minilotto.errors import DataError
from minilotto.report.rules import LEVEL

PAPER_RANGE = (10.0, 50.0)
BEYOND_RANGE = (50.0, np.inf)
WHOLE_RANGE = (10.0, np.inf)
RANGES = {"10 to 50": PAPER_RANGE, "50 on": BEYOND_RANGE, "10 on": WHOLE_RANGE}
GAIN = 1.5  # a loss that ten times the steps divide by less has saturated
MAIN, UNSCALED, LEAKY = "SiLU", "unscaled schedule", "LeakyReLU"


@dataclass(frozen=True, eq=False)
class Line:
    """One way of training: the median loss at each budget and width, and what follows from it.

    losses: by budget and width, one a seed. found: points over widths, by budget. exponents: by
    name of a range of widths and budget, with seeds' and widths' scatter. by_width: points over
    budgets. saturated: by width.
    """

    name: str
    losses: Mapping[int, Mapping[int, Array]]
    found: Mapping[int, Points]
    exponents: Mapping[str, Mapping[int, Estimate]]
    by_width: Mapping[int, Points]
    saturated: Mapping[int, Saturation]

    def moved(self, later: int, earlier: int, span: str = "10 to 50") -> Estimate | None:
        """By how much the exponent differs between two budgets."""
        return gap(self.found[later], self.found[earlier], *RANGES[span])

    def gain(self, width: int, earlier: int, later: int) -> Estimate | None:
        """By what factor longer training lowers the loss: the median over the seeds that both have;
        None for too few.
        """
        try:
            before, after = (self.losses[budget][width] for budget in (earlier, later))
            both = min(len(before), len(after))
            ratio = points([width], [before[:both] / after[:both]], level=LEVEL)
        except (KeyError, DataError):
            return None
        return Estimate(float(ratio.value[0]), float(ratio.low[0]), float(ratio.high[0]), LEVEL)


def line_of(name: str, losses: Mapping[int, Mapping[int, Array]]) -> Line:
    """What follows from losses (R,) by budget and width; a budget with fewer than two widths is
    left out.
    """
    found = {}
    for k, (budget, by) in enumerate(sorted(losses.items())):
        if len(by) > 1:
            widths = sorted(by)
            # Resampled with draws of its own, or budgets would seem to scatter together.
            found[budget] = points(widths, [by[width] for width in widths], level=LEVEL, seed=k)
    exponents = {
        span: {
            budget: exponent
            for budget, one in found.items()
            if (exponent := exponent_over(one, *ends)) is not None
        }
        for span, ends in RANGES.items()
    }
    by_width = against_budget(found)
    saturated = {}
    for width, one in by_width.items():
        try:
            saturated[width] = saturation(one, GAIN)
        except DataError:
            continue
    return Line(name, losses, found, exponents, by_width, saturated)


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
    return None if first is None or second is None else difference(first, second)


def against_budget(found: Mapping[int, Points]) -> dict[int, Points]:
    """Points over widths by budget, turned into points over budgets by width; a width with one
    budget is left out.
    """
    widths = sorted({int(width) for one in found.values() for width in one.widths})
    turned = {}
    for width in widths:
        have = {
            budget: one.select(one.widths == width)
            for budget, one in sorted(found.items())
            if (one.widths == width).any()
        }
        if len(have) < 2:
            continue
        some = list(have.values())
        parts = {
            name: np.concatenate([getattr(one, name) for one in some])
            for name in ("seeds", "diverged", "value", "low", "high", "error")
        }
        turned[width] = Points(
            widths=np.array(list(have), np.float64),
            statistic=some[0].statistic,
            level=some[0].level,
            replicates=np.concatenate([one.replicates for one in some], axis=1),
            **parts,
        )
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
