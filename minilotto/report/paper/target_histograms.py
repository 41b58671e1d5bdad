"""Figures 5 and 6: loss histograms of nine functions of one input, and of products."""

from typing import Any

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.differences import ratio
from minilotto.analysis.stats.estimates import estimates
from minilotto.analysis.stats.modality import FEW_WIDTHS, Shape, central_limit
from minilotto.errors import DataError
from minilotto.report.claims import Case, Claim, Outcome, over, untested
from minilotto.report.figure import Figure, Scale, Source, Table, training_words
from minilotto.report.paper import targets
from minilotto.report.paper.histograms import SHAPE, normal_interval, shape_row
from minilotto.report.paper.targets import FORMULAS, UNARY
from minilotto.report.plots.distributions import histogram_grid
from minilotto.report.plots.style import Drawing
from minilotto.report.rules import LEVEL, Every, Judged, at_least, factor, inside
from minilotto.store.grid import Sweep

BINS_PER_DECADE = 5
SIGNIFICANT = 0.05  # p-value of a dip
# Widths at which products have several peaks, by the paper.
SEVERAL = {"product2": (2, 3, 4), "product3": (10,), "product4": (10,), "product5": ()}
UNCLAIMED = "product2"  # of whose other widths nothing is claimed


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
        self.spread: dict[str, dict[int, Estimate]] = {}
        for task, nets in self.nets.items():
            losses = [each.loss for each in nets.values()]
            found = central_limit(list(nets), losses, statistic="quartiles", level=LEVEL)
            self.shapes |= {(task, int(shape.width)): shape for shape in found.shapes}
            if found.spread is not None:
                self.spread[task] = estimates(found.spread)
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
        shapes, losses = [], []
        for (task, width), shape in self.shapes.items():
            nets, spread = self.nets[task][width], self.spread.get(task, {}).get(width)
            row = shape_row(shape, nets.loss)
            shapes.append((task, width, *row, getattr(spread, "value", None)))
            losses += [(task, width, *row) for row in zip(nets.seeds, nets.loss, strict=True)]
        each = Table.of("losses", "target, width, seed, loss", losses)
        return [Table.of("shapes", f"target, width, {SHAPE}, spread in decades", shapes), each]

    def _judged(self, at: tuple[str, int], peaks: tuple[float, float]) -> Judged:
        return inside(at_least(self.counts[at], self.shapes[at].seeds), *peaks)


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

    def claim_narrow(self, claim: Claim) -> Outcome:
        return self._peaks(0, claim["narrow"], (2, np.inf))

    def claim_wide(self, claim: Claim) -> Outcome:
        return self._peaks(FEW_WIDTHS, np.inf, (1, 1))

    def _peaks(self, low: float, high: float, peaks: tuple[float, float]) -> Outcome:
        """A claim that all targets have so many peaks at these widths."""
        dips = [s.dip for (_, width), s in self.shapes.items() if low <= width <= high]
        significant = [dip.p_value < SIGNIFICANT for dip in dips if dip]
        cases = [
            Case(f"{FORMULAS[task]} {width}", self._judged((task, width), peaks), count)
            for (task, width), count in self.counts.items()
            if low <= width <= high
        ]
        found = over(cases, "peaks proven, by target and width: ")
        dip = f". The dip is significant at 5% in {sum(significant)} of {len(significant)}"
        numbers = {"histograms": len(cases), "several": sum(int(str(c.words)) > 1 for c in cases)}
        return found._replace(measured=found.measured + dip, numbers=numbers) if cases else found

    def claim_cos(self, claim: Claim) -> Outcome:
        cases, right = [], 0
        for (task, width), shape in self.shapes.items():
            if task == "cos" and width >= FEW_WIDTHS and (n := shape.normality):
                found = normal_interval(n.skewness, n.skewness_error)
                numbers = {f"skewness at width {width}": n.skewness}
                words = f"{n.skewness:+.2f} ± {n.skewness_error:.2f}"
                cases.append(Case(f"N = {width}", inside(found, -np.inf, 0.0), words, numbers))
                right += found.low > 0
        return over(cases, right=right)

    def claim_sin(self, claim: Claim) -> Outcome:
        spread, most = self.spread, claim["concentrated"]
        if "sin" not in spread or len(spread) < 2:
            return untested("The nets for sin, or others to compare, are missing or too few.")
        typical = {t: float(np.median([e.value for e in s.values()])) for t, s in spread.items()}
        order = sorted(typical, key=lambda task: typical[task])
        medians = {task: np.nanmedian(nets[max(nets)].loss) for task, nets in self.nets.items()}
        narrow = [factor(one, 0.0, most) for one in spread["sin"].values()]
        least = [
            factor(ratio(spread["sin"][width], other[width]), 0.0, 1.0)
            for task, other in spread.items()
            for width in sorted({*spread["sin"], *other})[-1:]
            if task != "sin" and width in other and width in spread["sin"]
        ]
        words = ", ".join(f"{FORMULAS[task]} {typical[task]:.2f}" for task in order)
        cases = [Case("size", Every(narrow)), Case("the least of all", Every(least))]
        return over(
            cases,
            place=order.index("sin") + 1,
            targets_in_all=len(order),
            rank=sorted(medians, key=lambda task: medians[task]).index("sin") + 1,
        )._replace(measured=f"decades: {words}", numbers=typical)


class ProductHistograms(_Histograms):
    """Peaks of products of two to five inputs."""

    name = "6"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return targets.product_sweeps(scale)

    def facts(self) -> dict[str, Any]:
        nets = [one for by_width in self.nets.values() for one in by_width.values()]
        return {**super().facts(), "sampling": targets.product_words(nets)}

    def _pattern(self, claim: Claim) -> Outcome:
        """Whether the widths that are claimed to have several peaks do, and no other does."""
        task, several = claim.key, SEVERAL[claim.key]
        counts = {width: count for (name, width), count in self.counts.items() if name == task}
        if not counts or not set(several) <= set(counts):
            return untested("These nets are missing or too few to test a shape.")
        cases = []
        for width, count in counts.items():
            if task != UNCLAIMED or width in several:
                judged = self._judged((task, width), (2, np.inf) if width in several else (1, 1))
                numbers = {f"peaks at width {width}": count}
                cases.append(Case(f"N = {width}", judged, count, numbers))
        dips = [
            f"N = {width} (p {'below' if shape.dip.bounded else '='} {shape.dip.p_value:.2g})"
            for (name, width), shape in self.shapes.items()
            if name == task and shape.dip and shape.dip.p_value < SIGNIFICANT
        ]
        dip = f"; dip significant at {', '.join(dips)}" if dips else "; no dip is significant at 5%"
        found = over(cases, "peaks proven: ")
        return found._replace(measured=found.measured + dip)

    claim_product2 = claim_product3 = claim_product4 = claim_product5 = _pattern
