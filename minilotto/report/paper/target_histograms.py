"""Figures 5 and 6: loss histograms of other targets, nine functions of one input and products of
two to five.
"""

from typing import Any

import numpy as np

from minilotto.analysis.stats.modality import FEW_WIDTHS, Shape, central_limit
from minilotto.errors import DataError
from minilotto.report.claims import Case, Outcome, over, untested
from minilotto.report.figure import Figure, Scale, Source, Table, commas, training_words
from minilotto.report.paper import targets
from minilotto.report.paper.targets import FORMULAS, UNARY
from minilotto.report.plots.multiples import histogram_grid
from minilotto.report.plots.style import Drawing
from minilotto.report.rules import FAILS, HOLDS, IN_PART, LEVEL, counted, fraction
from minilotto.store.grid import Sweep

BINS_PER_DECADE = 5
SIGNIFICANT = 0.05  # p-value of a dip


class _Histograms(Figure):
    """A grid of histograms, targets by widths, with the tests of each."""

    def __init__(self, source: Source, scale: Scale) -> None:
        trained = {sweep.configs[0].task: source.by_width(sweep) for sweep in self.sweeps(scale)}
        self.nets = {task: nets for task, nets in trained.items() if nets}
        if not self.nets:
            raise DataError("no target has any width; train them first")
        self.widths = sorted({width for nets in self.nets.values() for width in nets})
        self.shapes: dict[tuple[str, int], Shape] = {}
        # Distance of the quartiles of log10 loss over 1.349, of wide nets.
        self.spread: dict[str, dict[float, float]] = {}
        for task, nets in self.nets.items():
            losses = [each.loss for each in nets.values()]
            found = central_limit(list(nets), losses, statistic="quartiles", level=LEVEL)
            self.shapes |= {(task, int(shape.width)): shape for shape in found.shapes}
            if (spread := found.spread) is not None:
                self.spread[task] = dict(zip(spread.widths, spread.value, strict=True))
        self.counts = {at: shape.modes.count for at, shape in self.shapes.items() if shape.modes}

    def facts(self) -> dict[str, Any]:
        return {
            "training": training_words(one for nets in self.nets.values() for one in nets.values()),
            "targets": len(self.nets),
            "bins": BINS_PER_DECADE,
        }

    def draw(self) -> Drawing:
        losses = {at: self.nets[at[0]][at[1]].loss for at in self.shapes}
        rows = {task: FORMULAS[task] for task in self.nets}
        columns = {width: f"N = {width}" for width in self.widths}
        return histogram_grid(losses, self.counts, rows, columns, BINS_PER_DECADE)

    def tables(self) -> list[Table]:
        shapes, losses, nothing = [], [], [None] * 4
        for (task, width), shape in self.shapes.items():
            nets, dip, n = self.nets[task][width], shape.dip, shape.normality
            shapes.append((
                task, width, shape.seeds, np.nanmedian(nets.loss), self.counts.get((task, width)),
                *((dip.dip, dip.p_value) if dip else nothing[:2]),
                *((n.skewness, n.skewness_error, n.kurtosis, n.p_value) if n else nothing),
                self.spread.get(task, {}).get(width),
            ))  # fmt: skip
            losses += [(task, width, *row) for row in zip(nets.seeds, nets.loss, strict=True)]
        header = (
            "target, width, seeds, median, peaks proven, dip, dip p, skewness, skewness error, "
            "kurtosis, normality p, spread in decades"
        )
        each = Table.of("losses", "target, width, seed, loss", losses)
        return [Table.of("shapes", header, shapes), each]


class UnaryHistograms(_Histograms):
    """Peaks, skewness and spread of nine functions of one input."""

    name = "5"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return targets.unary_sweeps(scale, UNARY)

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "wide": FEW_WIDTHS}

    def headline(self) -> str:
        few = self.entry.claims["narrow"]["narrow"]
        narrow = [count > 1 for (_, width), count in self.counts.items() if width <= few]
        wide = [count > 1 for (_, width), count in self.counts.items() if width >= FEW_WIDTHS]
        if not narrow or not wide:
            return ""
        return (
            f"{len(self.nets)} other functions of one input: several peaks are proven in "
            f"{sum(narrow)} of {len(narrow)} histograms of narrow nets, and in {sum(wide)} of "
            f"{len(wide)} of wide nets."
        )

    def outcomes(self) -> dict[str, Outcome]:
        return {
            "narrow": self._peaks("narrow", 0, self.entry.claims["narrow"]["narrow"], True),
            "wide": self._peaks("wide", FEW_WIDTHS, np.inf, False),
            "cos": self._left_tail(),
            "sin": self._concentrated(),
        }

    def _peaks(self, key: str, low: float, high: float, several: bool) -> Outcome:
        """A claim that all targets have several peaks at these widths, or one."""
        claim, widths = self.entry.claims[key], [w for w in self.widths if low <= w <= high]
        counts = {at: count for at, count in self.counts.items() if at[1] in widths}
        if not counts:
            return untested("Too few nets to test a shape.")
        good, of = sum((count > 1) == several for count in counts.values()), len(counts)
        dips = [shape.dip for (_, width), shape in self.shapes.items() if width in widths]
        significant = [dip.p_value < SIGNIFICANT for dip in dips if dip]
        each = {
            FORMULAS[task]: "/".join(str(counts[task, w]) for w in widths if (task, w) in counts)
            for task in self.nets
        }
        return Outcome(
            fraction(good / of, claim["most"], claim["some"]),
            f"{good} of {of} histograms; the dip is significant at 5% in {sum(significant)} of "
            f"{len(significant)}. Peaks proven at N = {', '.join(map(str, widths))}: "
            + "; ".join(f"{formula} {peaks}" for formula, peaks in each.items() if peaks),
            numbers={"histograms": of, "as claimed": good},
        )

    def _left_tail(self) -> Outcome:
        found = {
            width: shape.normality
            for (task, width), shape in self.shapes.items()
            if task == "cos" and width >= FEW_WIDTHS and shape.normality
        }
        cases = []
        for width, n in found.items():
            words = f"{n.skewness:+.2f} ± {n.skewness_error:.2f}"
            numbers = {f"skewness at width {width}": n.skewness}
            left = n.skewness < -2 * n.skewness_error
            cases.append(Case(f"N = {width}", left, words, numbers))
        return over(cases, right=sum(n.skewness > 2 * n.skewness_error for n in found.values()))

    def _concentrated(self) -> Outcome:
        spread = {
            task: float(np.median(list(found.values())))
            for task, found in self.spread.items()
            if found
        }
        if "sin" not in spread or len(spread) < 2:
            return untested("The nets for sin, or others to compare, are missing or too few.")
        order = sorted(spread, key=lambda task: spread[task])
        narrow = spread["sin"] < self.entry.claims["sin"]["concentrated"]
        good = (order[0] == "sin") + narrow
        medians = {task: np.nanmedian(nets[max(nets)].loss) for task, nets in self.nets.items()}
        rank = sorted(medians, key=lambda task: medians[task]).index("sin") + 1
        return Outcome(
            counted(good, 2 - good, 2),
            "decades: " + ", ".join(f"{FORMULAS[task]} {spread[task]:.2f}" for task in order),
            numbers=spread,
            facts={"place": order.index("sin") + 1, "of": len(order), "rank": rank},
        )


class ProductHistograms(_Histograms):
    """Peaks of products of two to five inputs."""

    name = "6"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return targets.product_sweeps(scale)

    def facts(self) -> dict[str, Any]:
        first = next(iter(next(iter(self.nets.values())).values()))
        return {**super().facts(), "sampling": targets.product_words(first)}

    def outcomes(self) -> dict[str, Outcome]:
        two = self._pattern("product2", (2, 3, 4), others=True)
        several = {"product3": (10,), "product4": (10,), "product5": ()}
        return {"product2": two, **{task: self._pattern(task, at) for task, at in several.items()}}

    def _pattern(self, task: str, several: tuple[int, ...], others: bool = False) -> Outcome:
        """A claim that these widths have several peaks, and, unless `others` may, no other has."""
        counts = {width: count for (name, width), count in self.counts.items() if name == task}
        asked = {width: count for width, count in counts.items() if not others or width in several}
        if not asked or not set(several) <= set(asked):
            return untested("These nets are missing or too few to test a shape.")
        wrong = [width for width, count in asked.items() if (count > 1) != (width in several)]
        none = several and set(several) <= set(wrong)
        few = len(wrong) <= min(self.entry.claims[task]["few"], len(asked) - 1) and not none
        dips = [
            f"N = {width} (p {'below' if shape.dip.bounded else '='} {shape.dip.p_value:.2g})"
            for (name, width), shape in self.shapes.items()
            if name == task and shape.dip and shape.dip.p_value < SIGNIFICANT
        ]
        proven = ", ".join(f"N = {width}: {count}" for width, count in counts.items())
        dip = f"dip significant at {', '.join(dips)}" if dips else "no dip is significant at 5%"
        return Outcome(
            HOLDS if not wrong else IN_PART if few else FAILS,
            f"peaks proven: {proven}; {dip}",
            numbers={f"peaks at width {width}": count for width, count in counts.items()},
            facts={"wrong": commas(wrong)},
        )
