"""Figure 8: loss against width for products of two to five inputs, and whether it depends on the
points that they were trained on.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from minilotto.analysis.ensembling.width_study import REFITTED, WidthStudy
from minilotto.analysis.stats.bootstrap import Estimate, Points
from minilotto.analysis.stats.differences import difference, ratio
from minilotto.analysis.stats.estimates import estimates, exponents, slope
from minilotto.ensemble.ensemble import Ensemble
from minilotto.report.claims import Case, Claim, Outcome, described, over, untested
from minilotto.report.figure import (
    Figure,
    Scale,
    Source,
    Table,
    losses_on,
    training_words,
    unseen_points,
    width_rows,
)
from minilotto.report.paper import targets
from minilotto.report.paper.targets import FIRST, LAST
from minilotto.report.plots import curves
from minilotto.report.plots.style import AMBER, BLUE, GREY, PURPLE, SKY, Drawing, grid
from minilotto.report.rules import UNSEEN, Every, Some, factor, inside, near
from minilotto.store.grid import Sweep

CHECKED = (10, 30, 50)  # widths at which other points are tried
MORE = 4  # times as many points
OTHER_POINTS = 4096  # on which nets are tested that have not seen them


def checks(scale: Scale) -> dict[str, tuple[Sweep, ...]]:
    """The same products from other points: a grid of as many, and more uniform points; nothing
    where no seeds are meant for it.
    """
    seeds = min(scale.check_seeds, scale.seeds)
    if not seeds:
        return {}
    alike: Any = {"widths": CHECKED, "seeds": seeds, "steps": scale.steps}
    grid, more = [], []
    for inputs, task in enumerate(targets.PRODUCTS, start=2):
        axis = int(np.ceil(scale.product_points ** (1 / inputs) - 1e-9))
        count = MORE * scale.product_points
        grid.append(Sweep(tasks=(task,), sampling="grid", points=axis**inputs, **alike))
        more.append(Sweep(tasks=(task,), sampling="uniform", points=count, **alike))
    return {"grid": tuple(grid), f"{MORE} times the points": tuple(more)}


def _elsewhere(task: str, nets: Mapping[int, Ensemble]) -> Points:
    return targets.medians(losses_on(unseen_points(task, OTHER_POINTS), nets))


class ProductScaling(Figure):
    """Medians on the training points, on others and from others; bias and variance."""

    name = "8"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        other = (sweep for some in checks(scale).values() for sweep in some)
        return (*targets.product_sweeps(scale), *other)

    def __init__(self, source: Source, scale: Scale) -> None:
        self.studies, trained = targets.target_studies(source, targets.product_sweeps(scale))
        self.elsewhere = {task: _elsewhere(task, nets) for task, nets in trained.items()}
        self.trained = [one for nets in trained.values() for one in nets.values()]
        self.unseen = [UNSEEN] * (scale.product_widths[-1] < Scale().product_widths[-1])
        self.checked: dict[tuple[str, str], tuple[Points, Points]] = {}
        tried = []
        for name, some in checks(scale).items():
            counts = []
            for sweep in some:
                nets, task = source.by_width(sweep), sweep.configs[0].task
                if len(nets) == len(CHECKED) and task in self.studies:
                    seen = targets.medians({width: one.loss for width, one in nets.items()})
                    self.checked[task, name] = seen, _elsewhere(task, nets)
                    counts.append(f"{sweep.configs[0].points:,}")
            if counts:
                points = "/".join(counts if len(set(counts)) > 1 else counts[:1])
                tried.append(f"{name} ({points} points; {some[0].seeds.size} seeds)")
        self.tried = f" Trained elsewhere to compare: {'; '.join(tried)}." if tried else ""

    def facts(self) -> dict[str, Any]:
        early, late = (f"{low} to {high}" for low, high in pairwise(CHECKED))
        points = {"other": OTHER_POINTS, "more": MORE, "tried": self.tried, "refitted": REFITTED}
        words = {"sampling": targets.product_words(self.trained), "early": early, "late": late}
        training = training_words(self.trained)
        return {**points, **words, "from_width": CHECKED[0], "training": training}

    def draw(self) -> Drawing:
        columns = len(self.studies)
        figure, (above, below) = grid(2, columns, 2.8 * columns, 6.0, sharex=True, sharey="col")
        for upper, lower, (task, one) in zip(above, below, self.studies.items(), strict=True):
            label = "the same nets, on other points"
            curves.log_series(one.points, upper, BLUE, "o", "median loss, on the training points")
            curves.log_series(self.elsewhere[task], upper, SKY, "o", label)
            more = f"{MORE} times the points"
            for name, words, *look in (("grid", "a grid", AMBER, "s"), (more, more, PURPLE, "D")):
                if (task, name) in self.checked:
                    label = f"trained on {words}, on other points"
                    curves.log_series(self.checked[task, name][1], upper, *look, label)
            middle = {width: part.loss for width, part in one.parts.items()}
            words = "mean of the central half of the nets"
            curves.log_series(middle, lower, GREY, "o", words)
            targets.draw_parts(one.parts, lower)
            start = FIRST, 3.0 * float(np.interp(FIRST, one.points.widths, one.points.value))
            curves.power_law(start, LAST, 1, upper, "$N^{-1}$")
            upper.set_title(f"y = {one.name}")
            lower.set_xlabel("width $N$")
        for ax in (*above, *below):
            curves.width_axis(ax, "", (1, 3, 10, 50))
            ax.set_ylabel("loss" if ax in (above[0], below[0]) else "")
        return curves.shared_legend(figure, (*above, *below), 4)

    def headline(self) -> str:
        falls = {}
        for task, one in self.studies.items():
            seen, unseen = (
                slope(found, CHECKED[0], one.widest) for found in (one.points, self.elsewhere[task])
            )
            if seen and unseen:
                falls[one.name] = f"{seen.value:.1f} and {unseen.value:.1f}"
        return (
            f"Products of inputs, exponents from width {CHECKED[0]} on, of the loss on the "
            f"training points and of that on other points: {described(falls)}."
            if len(falls) > 1
            else ""
        )

    def tables(self) -> list[Table]:
        rows = [
            (*key, *row, on_others)
            for key, (seen, unseen) in self.checked.items()
            for row, on_others in zip(width_rows(seen), unseen.value, strict=True)
        ]
        header = "target, trained on, width, seeds, diverged, median, low, high, on other points"
        tables = targets.scaling_tables(self.studies, self.elsewhere)
        return [*tables, Table.of("sampling", header, rows)] if rows else tables

    def claim_bias(self, claim: Claim) -> Outcome:
        return over(targets.bias_cases(self.studies.values(), claim["half"]), "bias / loss: ")

    def claim_neurons(self, claim: Claim) -> Outcome:
        wide = [one for one in self.studies.values() if one.widest >= CHECKED[0]]
        return targets.training_left(wide, claim["limit"])

    def claim_range(self, claim: Claim) -> Outcome:
        cases = []
        for task, one in self.studies.items():
            runs = _runs(one)
            agree = [*(near(e, 1.0, claim["near"]) for e in runs.values()), *self.unseen]
            words = (f"{e:.2f} at {at}" for at, e in runs.items())
            numbers = {f"{one.name}, {at}": e.value for at, e in runs.items()}
            measured = ", ".join(words)
            if unseen := slope(self.elsewhere[task], CHECKED[0], one.widest):
                measured += f" (on other points, {CHECKED[0]} to {one.widest}: {unseen})"
                numbers[f"{one.name} on other points"] = unseen.value
            cases += [Case(one.name, Some(agree), measured, numbers)] if runs else []
        return over(cases, "exponents on the training points: ")

    def claim_around(self, claim: Claim) -> Outcome:
        cases, steep = [], []
        for one in self.studies.values():
            if runs := _runs(one):
                every = exponents(one.points)
                low, high, first = max(every, key=lambda row: row[2].value)
                at, last = list(runs.items())[-1]
                before = Some([inside(e, 1 + claim["near"], np.inf) for *_, e in every])
                agrees = Every([before, inside(last, -np.inf, 1.0)])
                steep += [one.name] if last.high >= 1 else []
                words = f"{first} at {low:g} to {high:g}, finally {last} at {at}"
                numbers = {f"{one.name} steepest": first.value, f"{one.name} last": last.value}
                cases.append(Case(one.name, agrees, words, numbers))
        still = f"; at {', '.join(steep)} the loss may still fall as 1/N or faster"
        return over(cases, more=f"{still} at the largest widths" if steep else "")

    def claim_points(self, claim: Claim) -> Outcome:
        similar, cases = claim["similar"], []
        for task, one in self.studies.items():
            wide = one.points.widths >= CHECKED[0]
            if wide.any():
                seen, unseen = (
                    estimates(e.select(wide)) for e in (one.points, self.elsewhere[task])
                )
                found = [ratio(unseen[width], seen[width]) for width in seen]
                ratios = [e.value for e in found]
                largest = max(ratios)
                enough = [*(factor(e, 0.0, similar) for e in found), *self.unseen]
                numbers = {f"largest ratio for {one.name}": largest}
                words = f"{min(ratios):.2g} to {largest:.2g}"
                cases.append(Case(one.name, Every(enough), words, numbers))
        return over(cases)

    def claim_sampling(self, claim: Claim) -> Outcome:
        cases, times = [], []
        for (task, name), (seen, unseen) in self.checked.items():
            title, ours = f"{targets.FORMULAS[task]}, {name}", estimates(self.elsewhere[task])
            for low, high in pairwise(CHECKED):
                mine, other = slope(self.studies[task].points, low, high), slope(seen, low, high)
                if mine and other:
                    change, at = difference(other, mine), f"{title}, {low} to {high}"
                    words = f"{other.value:.2f} against {mine.value:.2f}"
                    cases.append(Case(at, claim.unchanged(change), words, {at: other.value}))
            times += [e.value / ours[w].value for w, e in estimates(unseen).items() if w in ours]
        if not cases:
            return untested("No nets were trained on other points here.")
        before = "exponents, against those of the figure's nets: "
        return over(cases, before, least=min(times), largest=max(times))


def _runs(one: WidthStudy) -> dict[str, Estimate]:
    """Exponents over each three neighbouring widths from CHECKED[0] on, by these widths.

    Over seeds alone: they describe a curve that bends, not the law of three widths.
    """
    widths = [int(width) for width in one.points.widths if width >= CHECKED[0]]
    found = {f"{a} to {b}": one.fit(a, b) for a, b in zip(widths, widths[2:], strict=False)}
    return {at: fit.seeds_only["exponent"] for at, fit in found.items() if fit is not None}
