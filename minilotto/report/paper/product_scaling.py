"""Figure 8: loss against width for products of two to five inputs, and whether it hangs on where
they were sampled.
"""

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate, Points, points
from minilotto.analysis.stats.scaling import local_exponents, reference_line
from minilotto.data.dataset import Dataset, sampled
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Figure, Scale, Source, Table, training_words
from minilotto.report.paper.scaling_law import NEAR, STATED
from minilotto.report.paper.targets import (
    FORMULAS,
    PRODUCTS,
    TargetStudy,
    over_targets,
    part_words,
    product_sweeps,
    product_words,
    scaling_tables,
    slope,
    study,
    told,
    training_left,
)
from minilotto.report.rules import FAILS, HOLDS, IN_PART, LEVEL, UNTESTED
from minilotto.settings.config import Config
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

CHECKED = (10, 30, 50)  # widths at which other points are tried
MORE = 4  # times as many points
OTHER_POINTS = 4096  # on which nets are tested that have not seen them
MOST = 0.5  # of all comparisons
LEARNT_BY_HEART = 2.0  # loss on other points over that on the training points


def checks(scale: Scale) -> dict[str, tuple[Sweep, ...]]:
    """The same products from other points: a grid of as many, and more uniform points; nothing
    where no seeds are meant for it.
    """
    seeds = min(scale.check_seeds, scale.seeds)
    if not seeds:
        return {}
    found: dict[str, list[Sweep]] = {"grid": [], f"{MORE} times the points": []}
    for k, task in enumerate(PRODUCTS):
        axis = int(np.ceil(scale.product_points ** (1 / (k + 2)) - 1e-9))
        kinds = (("grid", axis ** (k + 2)), ("uniform", MORE * scale.product_points))
        for name, (sampling, count) in zip(found, kinds, strict=True):
            sweep = Sweep(
                widths=CHECKED,
                tasks=(task,),
                sampling=sampling,
                points=count,
                seeds=seeds,
                steps=scale.steps,
            )
            found[name].append(sweep)
    return {name: tuple(sweeps) for name, sweeps in found.items()}


@lru_cache
def other_points(task: str) -> Dataset:
    """Uniform points of the cube that no training here has seen."""
    return sampled(Config(task=task, sampling="uniform", points=OTHER_POINTS, root_seed=2**32))


def _elsewhere(nets: Mapping[int, Ensemble], level: float) -> Points:
    """Median loss on points that the nets have not seen."""
    losses = []
    for one in nets.values():
        data = other_points(one.config.task)
        losses.append(np.mean((one.predict(data.x) - data.y) ** 2, axis=1))
    return points(list(nets), losses, level=level)


class ProductScaling(Figure):
    """Medians on the training points, on others and from others; bias and variance."""

    name = "8"
    title = "loss against width, products of inputs"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return (
            *product_sweeps(scale),
            *(sweep for some in checks(scale).values() for sweep in some),
        )

    def __init__(self, source: Source, scale: Scale) -> None:
        self.studies: dict[str, TargetStudy] = {}
        self.elsewhere: dict[str, Points] = {}
        self.checked: dict[tuple[str, str], tuple[Points, Points]] = {}
        self.trained: list[Ensemble] = []
        for sweep in product_sweeps(scale):
            nets, task = source.by_width(sweep), sweep.configs[0].task
            if len(nets) > 1:
                self.studies[task] = study(task, nets)
                self.elsewhere[task] = _elsewhere(nets, LEVEL)
                self.trained += list(nets.values())
        if not self.studies:
            raise DataError("no product has two widths; train them first")
        self.check_words: list[str] = []
        for name, some in checks(scale).items():
            counts = []
            for sweep in some:
                nets, task = source.by_width(sweep), sweep.configs[0].task
                if len(nets) == len(CHECKED) and task in self.studies:
                    seen = points(list(nets), [one.loss for one in nets.values()], level=LEVEL)
                    self.checked[task, name] = seen, _elsewhere(nets, LEVEL)
                    counts.append(f"{sweep.configs[0].points:,}")
            if counts:
                tried = "/".join(counts if len(set(counts)) > 1 else counts[:1])
                self.check_words.append(f"{name} ({tried} points; {some[0].seeds.size} seeds)")

    def draw(self) -> "Drawing":
        from minilotto.report.plots.parts import estimates_against_width, shared_legend, width_axis
        from minilotto.report.plots.style import AMBER, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, grid

        figure, (above, below) = grid(
            2, len(self.studies), 2.8 * len(self.studies), 6.0, sharex=True, sharey="col"
        )
        for upper, lower, (task, one) in zip(above, below, self.studies.items(), strict=True):
            estimates_against_width(
                _estimates(one.points), upper, BLUE, "o", "median loss, on the training points"
            )
            estimates_against_width(
                _estimates(self.elsewhere[task]), upper, SKY, "o", "the same nets, on other points"
            )
            for color, marker, name in (
                (AMBER, "s", "grid"),
                (PURPLE, "D", f"{MORE} times the points"),
            ):
                if (task, name) in self.checked:
                    found = _estimates(self.checked[task, name][1])
                    words = "a grid" if name == "grid" else name
                    estimates_against_width(
                        found, upper, color, marker, f"trained on {words}, on other points"
                    )
            estimates_against_width(
                {w: p.loss for w, p in one.parts.items()},
                lower,
                GREY,
                "o",
                "mean of the central half of the nets",
            )
            estimates_against_width(
                {w: p.bias for w, p in one.parts.items()},
                lower,
                ORANGE,
                "s",
                "bias: common to all seeds",
            )
            estimates_against_width(
                {w: p.variance for w, p in one.parts.items()},
                lower,
                GREEN,
                "D",
                "variance: between seeds",
            )
            start = (10.0, 3.0 * float(np.interp(10, one.points.widths, one.points.value)))
            span = np.array([10.0, 50.0])
            upper.plot(
                span,
                reference_line(span, 1.0, start),
                color=GREY,
                linestyle=":",
                linewidth=1.2,
                label="$N^{-1}$",
            )
            upper.set_title(f"y = {one.formula}")
            for ax in (upper, lower):
                width_axis((1, 3, 10, 50), ax)
            lower.set_xlabel("width $N$")
        above[0].set_ylabel("loss")
        below[0].set_ylabel("loss")
        shared_legend(figure, (*above, *below), 4)
        return figure

    def caption(self) -> str:
        tried = (
            f" Trained elsewhere to compare: {'; '.join(self.check_words)}."
            if self.check_words
            else ""
        )
        return (
            "Median loss of SiLU networks that learn products of inputs from [-2, 2], against "
            "width. Above: on the training points "
            f"and on {OTHER_POINTS:,} others. Below: {part_words()} Bars are {LEVEL:.0%} "
            "bootstrap intervals over seeds. "
            f"{training_words(self.trained)}. {product_words(self.trained)}{tried}"
        )

    def headline(self) -> str:
        falls = {}
        for one in self.studies.values():
            slope = one.slope(10, one.widest)
            if slope is not None:
                falls[one.formula] = f"{slope.value:.1f}"
        return (
            f"Products of inputs, exponents from width 10 on: {told(falls)}."
            if len(falls) > 1
            else ""
        )

    def tables(self) -> list[Table]:
        other = {
            (task, int(width)): float(value)
            for task, found in self.elsewhere.items()
            for width, value in zip(found.widths, found.value, strict=True)
        }
        rows: dict[str, list] = {
            name: []
            for name in (
                "target",
                "trained on",
                "width",
                "seeds",
                "median",
                "low",
                "high",
                "on other points",
            )
        }
        for (task, name), (seen, unseen) in self.checked.items():
            count = len(seen.widths)
            rows["target"] += [task] * count
            rows["trained on"] += [name] * count
            rows["width"] += seen.widths.astype(int).tolist()
            numbers = (seen.seeds, seen.value, seen.low, seen.high, unseen.value)
            for column, values in zip(list(rows)[3:], numbers, strict=True):
                rows[column] += values.tolist()
        tables = scaling_tables(self.studies, {"median on other points": other})
        return [*tables, Table("sampling", rows)] if self.checked else tables

    def verdicts(self) -> list[Verdict]:
        return [
            self._some_range(),
            self._before_and_after(),
            self._common(),
            training_left(
                "Products: what is left is what the neurons cannot do",
                [one for one in self.studies.values() if one.widest >= CHECKED[0]],
                "After that range the loss plateaus or increases due to biases of tickets and "
                "optimisation issues.",
            ),
            self._by_heart(),
            self._sampling(),
        ]

    def _some_range(self) -> Verdict:
        says = "For all of 2, 3, 4, 5 inputs at least some range of the loss agrees with N⁻¹."
        how = (
            f"Power law over each three neighbouring widths from N = {CHECKED[0]} on, interval "
            "over seeds. A stretch agrees "
            f"where its exponent is within {NEAR:g} of 1 and the interval reaches within "
            f"{STATED:g}; a product where one stretch "
            "does. Holds for all, in part for some."
        )
        words: dict[str, str] = {}
        numbers: dict[str, float] = {}
        good = 0
        for one in self.studies.values():
            runs = _runs(one)
            if runs:
                agree = [
                    e
                    for _, _, e in runs
                    if e.low - STATED <= 1 <= e.high + STATED and abs(e.value - 1) <= NEAR
                ]
                good += bool(agree)
                words[one.formula] = ", ".join(
                    f"{e.value:.2f} ({e.low:.2f} to {e.high:.2f}) at {a} to {b}" for a, b, e in runs
                )
                numbers |= {f"{one.formula}, {a} to {b}": e.value for a, b, e in runs}
        reason = f"{good} of {len(words)} have one."
        return over_targets(
            "Products: somewhere 1/N",
            says,
            f"exponents: {told(words)}",
            how,
            good,
            len(words),
            reason,
            numbers,
        )

    def _before_and_after(self) -> Verdict:
        says = (
            "Before that range the loss drops faster, by better tickets; after it more "
            "slowly, or it plateaus or increases."
        )
        how = (
            "Largest exponent between neighbouring widths, and the power law over the last three "
            "widths, "
            "intervals over seeds. A product agrees where the first interval lies above "
            f"{1 + NEAR:g} and the "
            "second below 1. Holds for all, in part for some."
        )
        words: dict[str, str] = {}
        numbers: dict[str, float] = {}
        steep: list[str] = []
        good = 0
        for one in self.studies.values():
            stretches, runs = _stretches(one), _runs(one)
            if not runs:
                continue
            low, high, steepest = max(stretches, key=lambda row: row[2].value)
            first, last, end = runs[-1]
            good += steepest.low > 1 + NEAR and end.high < 1
            steep += [one.formula] if end.high >= 1 else []
            words[one.formula] = (
                f"{steepest} at {low} to {high}, finally {end} at {first} to {last}"
            )
            numbers |= {f"{one.formula} steepest": steepest.value, f"{one.formula} last": end.value}
        reason = f"{good} of {len(words)} agree"
        reason += (
            f"; at {', '.join(steep)} the loss may still fall as 1/N or faster at the largest "
            "widths."
            if steep
            else "."
        )
        if good == len(words):
            reason = "All do."
        return over_targets(
            "Products: faster before, slower after",
            says,
            told(words),
            how,
            good,
            len(words),
            reason,
            numbers,
        )

    def _common(self) -> Verdict:
        says = "Where the loss drops slowly, what is left is a bias of tickets."
        how = (
            "Bias and variance of the central half of the nets by loss, at the largest width, by "
            "products of the "
            "errors of distinct nets. "
            "A product agrees where the interval of bias / loss lies above 0.5. Holds for all, "
            "in part for some."
        )
        found = {
            one.formula: one.parts[one.widest].share
            for one in self.studies.values()
            if one.widest in one.parts
        }
        good = sum(share.low > 0.5 for share in found.values())
        return over_targets(
            "Products: what is left is common to all nets",
            says,
            f"bias / loss: {told(found)}",
            how,
            good,
            len(found),
            f"{good} of {len(found)} agree.",
            {f"share for {name}": share.value for name, share in found.items()},
        )

    def _by_heart(self) -> Verdict:
        says = (
            "Losses are those of the function, not of the points: the theory integrates over all x."
        )
        how = (
            f"Median loss on {OTHER_POINTS:,} other uniform points over that on the training "
            "points, from N = 10 on. A product "
            f"agrees where it stays below {LEARNT_BY_HEART:g}. Holds for all, in part for some."
        )
        words: dict[str, str] = {}
        numbers: dict[str, float] = {}
        good = 0
        for task, one in self.studies.items():
            wide = one.points.widths >= CHECKED[0]
            if wide.any():
                ratio = (self.elsewhere[task].value / one.points.value)[wide]
                good += bool((ratio < LEARNT_BY_HEART).all())
                words[one.formula] = f"{ratio.min():.2g} to {ratio.max():.2g}"
                numbers[f"largest ratio for {one.formula}"] = float(ratio.max())
        reason = f"{good} of {len(words)} agree; the others begin to learn their points by heart."
        if good == len(words):
            reason = "The points are enough."
        return over_targets(
            "Products: the points are enough",
            says,
            told(words),
            how,
            good,
            len(words),
            reason,
            numbers,
        )

    def _sampling(self) -> Verdict:
        claim = "Products: other points, the same result"
        says = "The paper does not say at which inputs products were trained."
        how = (
            f"Nets trained on a grid and on {MORE} times as many uniform points: exponents from N "
            f"= {CHECKED[0]} to {CHECKED[1]} "
            f"and from {CHECKED[1]} to {CHECKED[2]}, on their training points. An exponent agrees "
            "with ours where both are steeper "
            f"than 1/N by more than {NEAR:g}, both within that, or both shallower. Holds where "
            f"all agree, in part from {MOST:.0%}. "
            f"Beside it: loss on the same {OTHER_POINTS:,} unseen points, over that of our nets."
        )
        words: dict[str, str] = {}
        numbers: dict[str, float] = {}
        ratios: list[float] = []
        good = count = 0
        for (task, name), (seen, unseen) in self.checked.items():
            ours = self.studies[task]
            slopes = []
            for low, high in pairwise(CHECKED):
                mine, other = ours.slope(low, high), slope(seen, low, high)
                if mine is None or other is None:
                    continue
                count += 1
                good += _steepness(mine.value) == _steepness(other.value)
                slopes.append(f"{other.value:.2f} where ours is {mine.value:.2f}")
                numbers[f"{FORMULAS[task]}, {name}, {low} to {high}"] = other.value
            _, at, mine_at = np.intersect1d(
                unseen.widths, self.elsewhere[task].widths, return_indices=True
            )
            if slopes:
                ratio = (unseen.value[at] / self.elsewhere[task].value[mine_at]).tolist()
                ratios += ratio
                losses = "/".join(f"{value:.2g}" for value in ratio)
                words[f"{FORMULAS[task]}, {name}"] = f"{', '.join(slopes)} (unseen points {losses})"
        if not count:
            return Verdict(
                claim, says, "", how, UNTESTED, "No nets were trained on other points here."
            )
        return Verdict(
            claim,
            says,
            f"exponents: {told(words)}",
            how,
            HOLDS if good == count else IN_PART if good >= MOST * count else FAILS,
            f"{good} of {count} exponents tell the same. Losses themselves depend on the points: "
            "on unseen ones they are "
            f"{min(ratios):.2g} to {max(ratios):.2g} times ours.",
            numbers,
        )


def _estimates(found: Points) -> dict[int, Estimate]:
    rows = zip(found.widths.astype(int).tolist(), found.value, found.low, found.high, strict=True)
    return {
        width: Estimate(float(value), float(low), float(high), found.level)
        for width, value, low, high in rows
    }


def _stretches(one: TargetStudy) -> list[tuple[int, int, Estimate]]:
    """Exponents between neighbouring widths."""
    local = local_exponents(one.points)
    rows = zip(local.lower, local.upper, local.exponent, local.low, local.high, strict=True)
    return [
        (int(a), int(b), Estimate(float(e), float(low), float(high), local.level))
        for a, b, e, low, high in rows
    ]


def _runs(one: TargetStudy) -> list[tuple[int, int, Estimate]]:
    """Exponents over each three neighbouring widths from CHECKED[0] on."""
    widths = [int(width) for width in one.points.widths if width >= CHECKED[0]]
    found = [(a, b, one.fit(a, b)) for a, b in zip(widths, widths[2:], strict=False)]
    return [(a, b, fit.estimates["exponent"]) for a, b, fit in found if fit is not None]


def _steepness(exponent: float) -> int:
    """Whether a loss falls faster than 1/N (1), as 1/N (0) or more slowly (-1)."""
    return int(exponent > 1 + NEAR) - int(exponent < 1 - NEAR)
