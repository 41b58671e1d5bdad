"""Figures 5 and 6: loss histograms of other targets, nine functions of one input and products of
two to five.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from minilotto.analysis.stats.modality import FEW_WIDTHS, CentralLimit, Shape, central_limit
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Figure, Scale, Source, Table, training_words
from minilotto.report.paper.histograms import NARROW
from minilotto.report.paper.targets import FORMULAS, PRODUCTS, UNARY, product_sweeps, product_words
from minilotto.report.rules import FAILS, HOLDS, IN_PART, LEVEL, UNTESTED
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

BINS_PER_DECADE = 5
ALMOST_ALL, MOST = 0.9, 0.5  # parts of all histograms
CONCENTRATED = 0.1  # decades, standard deviation, below which losses of one kind look like one loss
HOW_PEAKS = (
    "Number of peaks of log10 loss that a multiscale test proves (at most 5% chance of one too "
    "many, each histogram); "
    "Hartigan's dip."
)


class _Histograms(Figure):
    """A grid of histograms, targets by widths, with the tests of each."""

    formulas: ClassVar[Mapping[str, str]]

    def __init__(self, source: Source, scale: Scale) -> None:
        self.nets: dict[str, dict[int, Ensemble]] = {}
        for sweep in self.sweeps(scale):
            found = source.by_width(sweep)
            if found:
                self.nets[sweep.configs[0].task] = found
        if not self.nets:
            raise DataError("no target has any width; train them first")
        self.widths = sorted({width for found in self.nets.values() for width in found})
        self.study: dict[str, CentralLimit] = {
            task: central_limit(
                list(found),
                [nets.loss for nets in found.values()],
                statistic="quartiles",
                level=LEVEL,
            )
            for task, found in self.nets.items()
        }
        self.shapes = {
            (task, int(shape.width)): shape
            for task, one in self.study.items()
            for shape in one.shapes
        }

    def draw(self) -> "Drawing":
        from minilotto.report.plots.multiples import histogram_grid

        tasks, losses, counts = list(self.nets), {}, {}
        for (task, width), shape in self.shapes.items():
            place = tasks.index(task), self.widths.index(width)
            losses[place] = self.nets[task][width].loss
            counts[place] = shape.modes.count if shape.modes else 0
        columns = [f"N = {width}" for width in self.widths]
        return histogram_grid(
            losses, counts, [self.formulas[task] for task in tasks], columns, BINS_PER_DECADE
        )

    def _words(self) -> str:
        """What the picture shows, beside which targets."""
        return (
            f"Each panel has its own height, all one axis of losses with {BINS_PER_DECADE} bins a "
            "decade; dotted: the median. "
            "Orange: how many peaks a multiscale test proves (5% error for each histogram), "
            "where that is more than one."
        )

    def tables(self) -> list[Table]:
        columns: dict[str, list] = {
            name: []
            for name in (
                "target", "width", "seeds", "median", "peaks proven", "dip", "dip p", "skewness", "skewness error", "kurtosis",
                "normality p", "spread in decades",
            )
        }  # fmt: skip
        losses: dict[str, list] = {"target": [], "width": [], "seed": [], "loss": []}
        nan = float("nan")
        for task, found in self.nets.items():
            for width, nets in found.items():
                shape = self.shapes[task, width]
                dip, normal = shape.dip, shape.normality
                row = [
                    task,
                    width,
                    shape.seeds,
                    float(np.nanmedian(nets.loss)),
                    shape.modes.count if shape.modes else nan,
                ]
                row += [dip.dip, dip.p_value] if dip else [nan] * 2
                row += (
                    [normal.skewness, normal.skewness_error, normal.kurtosis, normal.p_value]
                    if normal
                    else [nan] * 4
                )
                row += [self._spread(task).get(width, nan)]
                for name, value in zip(columns, row, strict=True):
                    columns[name].append(value)
                losses["target"] += [task] * len(nets)
                losses["width"] += [width] * len(nets)
                losses["seed"] += nets.seeds.tolist()
                losses["loss"] += nets.loss.tolist()
        return [Table("shapes", columns), Table("losses", losses)]

    def _spread(self, task: str) -> dict[int, float]:
        """Distance of the quartiles of log10 loss over 1.349, at wide widths."""
        spread = self.study[task].spread
        return (
            {}
            if spread is None
            else dict(zip(spread.widths.astype(int).tolist(), spread.value.tolist(), strict=True))
        )

    def _counts(self, task: str, low: float, high: float = np.inf) -> dict[int, int]:
        """Proven peaks by width, of the widths from `low` to `high` that could be tested."""
        chosen = {
            width: shape
            for (name, width), shape in self.shapes.items()
            if name == task and low <= width <= high
        }
        return {
            width: shape.modes.count for width, shape in chosen.items() if shape.modes is not None
        }

    def _dips(self, low: float, high: float = np.inf) -> str:
        tested = [
            shape.dip.p_value
            for (_, width), shape in self.shapes.items()
            if shape.dip and low <= width <= high
        ]
        return (
            f"; the dip is significant at 5% in {sum(p < 0.05 for p in tested)} of {len(tested)}"
            if tested
            else ""
        )


def _peaks(counts: Mapping[int, int]) -> str:
    return "/".join(str(count) for count in counts.values())


class UnaryHistograms(_Histograms):
    """Peaks, skewness and spread of nine functions of one input."""

    name = "5"
    title = "loss histograms, functions of one input"
    formulas = UNARY

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return tuple(
            Sweep(widths=scale.widths, tasks=(task,), seeds=scale.target_seeds, steps=scale.steps)
            for task in UNARY
        )

    def caption(self) -> str:
        everyone = [nets for found in self.nets.values() for nets in found.values()]
        return (
            f"Final losses of SiLU networks that learn {len(self.nets)} functions of one input on "
            "[-2, 2], by width N. "
            f"{self._words()} {training_words(everyone)}."
        )

    def headline(self) -> str:
        narrow, several = self._cells(0, NARROW, lambda count: count > 1)
        wide, single = self._cells(FEW_WIDTHS, np.inf, lambda count: count == 1)
        if not narrow or not wide:
            return ""
        return (
            f"{len(self.nets)} other functions of one input: several peaks are proven in "
            f"{several} of {narrow} histograms of "
            f"narrow nets, and in {wide - single} of {wide} of wide nets."
        )

    def verdicts(self) -> list[Verdict]:
        return [self._narrow(), self._wide(), self._left_tail(), self._concentrated()]

    def _cells(self, low: float, high: float, wanted: Callable[[int], bool]) -> tuple[int, int]:
        """Histograms of these widths, and how many of them have a wanted number of peaks."""
        counts = [count for task in self.nets for count in self._counts(task, low, high).values()]
        return len(counts), sum(wanted(count) for count in counts)

    def _general(
        self,
        claim: str,
        says: str,
        low: float,
        high: float,
        wanted: Callable[[int], bool],
        reason: str,
    ) -> Verdict:
        """A claim on the number of peaks at all targets and these widths."""
        cells, good = self._cells(low, high, wanted)
        counted = {task: self._counts(task, low, high) for task in self.nets}
        widths = ", ".join(str(width) for width in self.widths if low <= width <= high)
        each = "; ".join(
            f"{FORMULAS[task]} {_peaks(counts)}" for task, counts in counted.items() if counts
        )
        how = (
            f"{HOW_PEAKS} Holds in at least {ALMOST_ALL:.0%} of the histograms, in part from "
            f"{MOST:.0%}."
        )
        part = good / cells if cells else 0.0
        return Verdict(
            claim,
            says,
            f"{good} of {cells} histograms{self._dips(low, high)}. Peaks proven at N = {widths}: "
            f"{each}"
            if cells
            else "",
            how,
            UNTESTED
            if not cells
            else HOLDS
            if part >= ALMOST_ALL
            else IN_PART
            if part >= MOST
            else FAILS,
            reason if cells else "Too few nets to test a shape.",
            {"histograms": cells, "as claimed": good},
        )

    def _narrow(self) -> Verdict:
        return self._general(
            "Narrow nets: many peaks, whatever the function",
            "For narrow networks the loss histogram always shows multiple peaks.",
            0,
            NARROW,
            lambda count: count > 1,
            "Peaks that are too small or too close to prove are not counted.",
        )

    def _wide(self) -> Verdict:
        return self._general(
            "Wide nets: one peak, whatever the function",
            "As width grows larger, the loss histogram becomes single-peaked.",
            FEW_WIDTHS,
            np.inf,
            lambda count: count == 1,
            "A test can prove a second peak, not its absence.",
        )

    def _left_tail(self) -> Verdict:
        claim, says = (
            "cos: a heavy tail to the left",
            "Some histograms are asymmetric: cos(x) is very heavy-tailed towards the left.",
        )
        how = (
            "Skewness of log10 loss with its bootstrap standard error, N from 10 on; below 0 is "
            "a tail to the left. Holds where "
            "all widths are below 0 by two standard errors, in part where some are, fails where "
            "none is."
        )
        found = {
            w: s.normality
            for (task, w), s in self.shapes.items()
            if task == "cos" and w >= FEW_WIDTHS and s.normality
        }
        if not found:
            return Verdict(
                claim, says, "", how, UNTESTED, "The nets for cos are missing or too few."
            )
        left = sum(n.skewness < -2 * n.skewness_error for n in found.values())
        right = sum(n.skewness > 2 * n.skewness_error for n in found.values())
        return Verdict(
            claim,
            says,
            "; ".join(
                f"N = {w}: {n.skewness:+.2f} ± {n.skewness_error:.2f}" for w, n in found.items()
            ),
            how,
            HOLDS if left == len(found) else IN_PART if left else FAILS,
            f"{left} of {len(found)} widths have a tail to the left, {right} to the right, "
            "towards high losses.",
            {f"skewness at width {w}": n.skewness for w, n in found.items()},
        )

    def _concentrated(self) -> Verdict:
        claim = "sin: losses almost all the same"
        says = "Some losses are more concentrated than others: sin(x) looks like a delta function."
        how = (
            "Distance of the quartiles of log10 loss in units of a normal's standard deviation, "
            "median over N from 10 on. Holds "
            f"where sin has the least of all targets and less than {CONCENTRATED:g} decades, in "
            "part where one of the two is so."
        )
        spread = {
            task: float(np.median(list(found.values())))
            for task in self.nets
            if (found := self._spread(task))
        }
        if "sin" not in spread or len(spread) < 2:
            return Verdict(
                claim,
                says,
                "",
                how,
                UNTESTED,
                "The nets for sin, or others to compare, are missing or too few.",
            )
        order = sorted(spread, key=lambda task: spread[task])
        least, narrow = order[0] == "sin", spread["sin"] < CONCENTRATED
        medians = {
            task: float(np.nanmedian(found[max(found)].loss)) for task, found in self.nets.items()
        }
        rank = sorted(medians, key=lambda task: medians[task]).index("sin") + 1
        return Verdict(
            claim,
            says,
            "decades: " + ", ".join(f"{FORMULAS[task]} {spread[task]:.2f}" for task in order),
            how,
            HOLDS if least and narrow else IN_PART if least or narrow else FAILS,
            f"On a logarithmic axis sin is number {order.index('sin') + 1} of {len(order)}, the "
            "most concentrated first. Its "
            f"losses are number {rank} in size at the largest width, the smallest first; an axis "
            "that is not logarithmic would "
            "crowd small losses at 0, and the paper's axis is not known.",
            spread,
        )


class ProductHistograms(_Histograms):
    """Peaks of products of two to five inputs."""

    name = "6"
    title = "loss histograms, products of inputs"
    formulas = PRODUCTS

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return product_sweeps(scale)

    def caption(self) -> str:
        everyone = [nets for found in self.nets.values() for nets in found.values()]
        return (
            "Final losses of SiLU networks that learn products of two to five inputs from [-2, "
            f"2], by width N. {self._words()} "
            f"{training_words(everyone)}. {product_words(everyone)}"
        )

    def verdicts(self) -> list[Verdict]:
        two = "For 2 inputs there are several peaks early on, at widths such as 2, 3 and 4."
        ten = "For {} inputs there are several peaks at width 10 only."
        none = "For 5 inputs there is no histogram with several peaks."
        return [
            self._pattern(
                "product2", "Two inputs: several peaks for narrow nets", two, (2, 3, 4), exact=False
            ),
            self._pattern(
                "product3", "Three inputs: several peaks at width 10 only", ten.format(3), (10,)
            ),
            self._pattern(
                "product4", "Four inputs: several peaks at width 10 only", ten.format(4), (10,)
            ),
            self._pattern("product5", "Five inputs: never several peaks", none, ()),
        ]

    def _pattern(
        self, task: str, claim: str, says: str, several: tuple[int, ...], exact: bool = True
    ) -> Verdict:
        """A claim that just these widths have several peaks; where it is not exact, that these
        have.
        """
        rule = (
            "at these widths and no other"
            if exact and several
            else "at these widths"
            if several
            else "nowhere"
        )
        how = (
            f"{HOW_PEAKS} Holds where several are proven {rule}; in part where at most two "
            "widths differ, not all of those named."
        )
        counts = self._counts(task, 0) if task in self.nets else {}
        asked = {width: count for width, count in counts.items() if exact or width in several}
        if not asked or not set(several) <= set(asked):
            return Verdict(
                claim, says, "", how, UNTESTED, "These nets are missing or too few to test a shape."
            )
        wrong = [width for width, count in asked.items() if (count > 1) != (width in several)]
        few = len(wrong) <= min(2, len(asked) - 1) and (
            not several or not set(several) <= set(wrong)
        )
        found = [
            (width, shape.dip)
            for width, shape in self._tested(task)
            if shape.dip and shape.dip.p_value < 0.05
        ]
        dips = [
            f"N = {width} (p {'below' if dip.bounded else '='} {dip.p_value:.2g})"
            for width, dip in found
        ]
        return Verdict(
            claim,
            says,
            "peaks proven: "
            + ", ".join(f"N = {width}: {count}" for width, count in counts.items())
            + (
                f"; dip significant at {', '.join(dips)}"
                if dips
                else "; no dip is significant at 5%"
            ),
            how,
            HOLDS if not wrong else IN_PART if few else FAILS,
            f"It differs at N = {', '.join(map(str, wrong))}." if wrong else "As the paper says.",
            {f"peaks at width {width}": count for width, count in counts.items()},
        )

    def _tested(self, task: str) -> list[tuple[int, Shape]]:
        return [(width, shape) for (name, width), shape in self.shapes.items() if name == task]
