"""Losses by width and training budget (Adam steps): exponents at each budget, and saturation."""

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate, Points, ends, points
from minilotto.analysis.stats.estimates import estimates
from minilotto.analysis.stats.saturation import Saturation, saturation
from minilotto.analysis.stats.scaling import fit_law
from minilotto.errors import DataError
from minilotto.settings.arrays import Array


class BudgetCurves:
    """One way of training: the median loss at each budget and width, and what follows from it.

    Parameters
    ----------
    losses : mapping of int to mapping of int to (R,) ndarray
        By budget and width; a budget with fewer than two widths is left out.
    ranges : mapping of str to (float, float)
        Least and largest width that exponents are fitted to, by name.
    gain : float
        A loss that ten times the steps divide by less has saturated.
    level : float in (0, 1)

    Attributes
    ----------
    found : dict of int to Points
        Over widths, by budget.
    exponents : dict of str to dict of int to Estimate
        By range and budget, with the scatter of seeds and widths.
    by_width : dict of int to Points
        Over budgets, by width.
    saturated : dict of int to Saturation
        By width, where its budgets are far enough apart.
    """

    def __init__(
        self,
        losses: Mapping[int, Mapping[int, Array]],
        ranges: Mapping[str, tuple[float, float]],
        gain: float,
        level: float,
    ) -> None:
        self.losses, self.level = losses, level
        self.found: dict[int, Points] = {}
        for k, (budget, by) in enumerate(sorted(losses.items())):
            if len(by) > 1:
                # Resampled with draws of its own, or budgets would seem to scatter together.
                widths, rows = zip(*sorted(by.items(), key=lambda row: row[0]), strict=True)
                self.found[budget] = points(widths, rows, level=level, seed=k)
        self.exponents = {
            span: {b: e for b, one in self.found.items() if (e := exponent_over(one, *ends))}
            for span, ends in ranges.items()
        }
        self.by_width = against_budget(self.found)
        self.saturated: dict[int, Saturation] = {}
        for width, one in self.by_width.items():
            with suppress(DataError):  # budgets too near to one another
                self.saturated[width] = saturation(one, gain)

    def gain(self, width: int, earlier: int, later: int) -> Estimate | None:
        """Factor by which longer training lowers the loss, as from ten times the steps.

        Parameters
        ----------
        width, earlier, later : int
            Width and two budgets.

        Returns
        -------
        Estimate or None
            Median over the seeds that both budgets have; None for too few.
        """
        try:
            before, after = (self.losses[budget][width] for budget in (earlier, later))
            both = min(len(before), len(after))
            found = points([width], [before[:both] / after[:both]], level=self.level)
        except (KeyError, DataError):
            return None
        power = float(1 / np.log10(later / earlier))
        return estimates(found)[width].mapped(lambda factor: float(factor**power))


def exponent_over(found: Points, low: float, high: float) -> Estimate | None:
    """Exponent of a power law over a range of widths, as of `fit_law`.

    Parameters
    ----------
    found : Points
        From `bootstrap.points`.
    low, high : float
        Least and largest width.

    Returns
    -------
    Estimate or None
        None for fewer than three widths.
    """
    inside = found.select((found.widths >= low) & (found.widths <= high))
    if len(inside.widths) < 3:
        return None
    return fit_law(inside).estimates["exponent"]


def exponent_change(one: Points, other: Points, low: float, high: float) -> Estimate | None:
    """Exponent of one less that of the other: of their ratio, at the widths that both have.

    So how both lie about a power law alike is no error. The interval includes how their ratio
    scatters about one, and is no narrower than over seeds alone: of three widths the scatter is
    often small by chance.

    Parameters
    ----------
    one, other : Points
        Of different nets, with as many resamples.
    low, high : float
        Least and largest width.

    Returns
    -------
    Estimate or None
        None for fewer than three widths.
    """
    widths = np.intersect1d(one.widths, other.widths)
    first, second = (each.select(np.isin(each.widths, widths)) for each in (one, other))
    # Reversed: both may be resampled by the same random numbers.
    replicates = first.replicates - second.replicates[::-1]
    value, error = first.value / second.value, np.hypot(first.error, second.error)
    low_end, high_end = np.exp(np.quantile(replicates, ends(first.level), axis=0))
    parts = {"value": value, "error": error, "low": low_end, "high": high_end}
    ratio = dataclasses.replace(first, **parts, replicates=replicates)
    inside = ratio.select((widths >= low) & (widths <= high))
    if len(inside.widths) < 3:
        return None
    fit = fit_law(inside)
    scattered, alone = fit.estimates["exponent"], fit.seeds_only["exponent"]
    reach = min(scattered.low, alone.low), max(scattered.high, alone.high)
    return Estimate(scattered.value, *reach, scattered.level)


def against_budget(found: Mapping[int, Points]) -> dict[int, Points]:
    """Points over widths by budget, turned into points over budgets by width.

    Parameters
    ----------
    found : mapping of int to Points
        By budget.

    Returns
    -------
    dict of int to Points
        By width; a width with one budget is left out.
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
