"""Appendix A's targets: how the loss falls with width, how much of it is common to all seeds, and
how much a refit of the output weights leaves.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from minilotto.analysis.ensembling.decomposition import Decomposition
from minilotto.analysis.ensembling.width_study import (
    COMPARED_FROM,
    REFITTED,
    WidthStudy,
    width_study,
)
from minilotto.analysis.stats.bootstrap import Points, points
from minilotto.analysis.stats.estimates import exponents, of_quantiles
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.report.claims import Case, Outcome, over
from minilotto.report.figure import PAPER_RANGE, Scale, Source, Table, interval, rows_of, width_rows
from minilotto.report.plots.curves import log_series
from minilotto.report.plots.style import GREEN, ORANGE, Axes
from minilotto.report.rules import LEVEL, factor, inside
from minilotto.settings.arrays import Array
from minilotto.store.grid import Sweep

UNARY = {
    "cube": "x³", "quartic": "x⁴", "sin": "sin x", "cos": "cos x", "exp": "exp x",
    "sin2": "sin² x", "exp_square": "exp x²", "relu": "relu x", "tanh": "tanh x",
}  # fmt: skip
PRODUCTS = {
    "product2": "x₁x₂", "product3": "x₁x₂x₃", "product4": "x₁x₂x₃x₄", "product5": "x₁x₂x₃x₄x₅",
}  # fmt: skip
FORMULAS = {"square": "x²", **UNARY, **PRODUCTS}
PARTS = ("bias", "variance")
FIRST, LAST = PAPER_RANGE


def target_studies(
    source: Source, sweeps: Iterable[Sweep]
) -> tuple[dict[str, WidthStudy], dict[str, dict[int, Ensemble]]]:
    """Studies, and nets by width, of targets with two widths or more. Raises DataError for none."""
    nets = {sweep.configs[0].task: source.by_width(sweep) for sweep in sweeps}
    nets = {task: found for task, found in nets.items() if len(found) > 1}
    if not nets:
        raise DataError("no target has two widths; train them first")
    studies = {
        task: width_study(FORMULAS[task], found, LEVEL, FIRST) for task, found in nets.items()
    }
    return studies, nets


def medians(losses: Mapping[int, Array]) -> Points:
    return points(list(losses), list(losses.values()), level=LEVEL)


def scaling_tables(
    studies: Mapping[str, WidthStudy], elsewhere: Mapping[str, Points] | None = None
) -> list[Table]:
    """Losses and parts by width, exponents, laws; elsewhere: medians on other points."""
    losses, slopes, laws = [], [], []
    for task, one in studies.items():
        for i, row in enumerate(width_rows(one.points)):
            part, left = one.parts.get(row[0]), one.left.get(row[0])
            line = [task, *row, part.loss.value if part else None]
            for name in ("bias", "variance", "share"):
                line += interval(getattr(part, name, None))
            line += interval(getattr(one.whole.get(row[0]), "share", None))
            line += [None if left is None else left[1]]
            losses.append(line + ([elsewhere[task].value[i]] if elsewhere else []))
        slopes += [(task, *row) for row in exponents(one.points)]
        fits = [(f"{FIRST} to {LAST}", one.fit(FIRST, LAST))]
        fits += [(f"from {COMPARED_FROM}", row.fit) for row in one.laws]
        for widths, fit in fits:
            if fit:
                of = task, f"{fit.law}, widths {widths}", len(fit.points.widths)
                laws += rows_of(fit.estimates, *of, fit.held_out_error or None)
    header = (
        "target, width, seeds, diverged, median, low, high, central mean, bias, bias low, "
        "bias high, variance, variance low, variance high, share of bias, share low, share high, "
        "share in all nets, share in all low, share in all high, left by a refit"
        + (", median on other points" if elsewhere else "")
    )
    head = "target, law, widths, held out decades, parameter, value, low, high"
    return [
        Table.of("losses", header, losses),
        Table.of("exponents", "target, from, to, exponent, low, high", slopes),
        Table.of("laws", head, laws),
    ]


def draw_parts(parts: Mapping[int, Decomposition], ax: Axes) -> None:
    bias, variance = ({n: getattr(p, name) for n, p in parts.items()} for name in PARTS)
    log_series(bias, ax, ORANGE, "s", "bias: common to all seeds")
    log_series(variance, ax, GREEN, "D", "variance: between seeds")


def bias_cases(
    studies: Iterable[WidthStudy], half: float, also: Callable[[WidthStudy], str] = lambda one: ""
) -> list[Case]:
    """Whether bias is more than `half` of the loss of the central half of the nets at the largest
    width, beside its fraction in all nets; `also` gives words.
    """
    cases = []
    for one in studies:
        if e := one.share:
            numbers = {f"share for {one.name}": e.value}
            words = f"{e}"
            if (every := one.whole.get(one.widest)) is not None:
                words += f", of all nets {every.share}"
                numbers[f"share in all nets for {one.name}"] = every.share.value
            cases.append(Case(one.name, inside(e, half, np.inf), words + also(one), numbers))
    return cases


def training_left(studies: Iterable[WidthStudy], limit: float) -> Outcome:
    """Whether neurons limit the loss, or training: whether a refit leaves more than `limit`."""
    cases = []
    for one in studies:
        if one.widest in one.left:
            # Some studies have fewer nets than are refitted at most.
            nets = min(REFITTED, int(one.points.seeds[-1]))
            left = of_quantiles(one.left[one.widest], 0.5, nets)
            judged, numbers = factor(left, limit, np.inf), {f"left for {one.name}": left.value}
            cases.append(Case(one.name, judged, f"{left:.1e}", numbers))
    return over(cases, "fraction of the loss left: ")


def unary_sweeps(scale: Scale, tasks: Iterable[str]) -> tuple[Sweep, ...]:
    """Functions of one input, one sweep each; x² has the seeds of figure 3."""
    few = min(scale.seeds, 48) if scale.quick else scale.seeds
    seeds = {task: scale.seeds if task == "square" else few for task in tasks}
    return tuple(
        Sweep(widths=scale.widths, tasks=(task,), seeds=count, steps=scale.steps)
        for task, count in seeds.items()
    )


def product_sweeps(scale: Scale) -> tuple[Sweep, ...]:
    """Products of two to five inputs, a sweep each: the same uniform points for all seeds."""
    few = min(scale.product_seeds, scale.seeds)
    fields: Any = {"widths": scale.product_widths, "steps": scale.steps, "sampling": "uniform"}
    fields["points"] = scale.product_points
    return tuple(
        Sweep(tasks=(task,), seeds=few if scale.quick or inputs > 2 else scale.seeds, **fields)
        for inputs, task in enumerate(PRODUCTS, start=2)
    )


def product_words(nets: Sequence[Ensemble]) -> str:
    """How products were sampled, and why with so many points and so few seeds."""
    counts, points = {len(one) for one in nets}, {one.config.points for one in nets}
    which = " of more than two inputs" * (len(counts) > 1)
    few = (
        f" Only {min(counts)} seeds{which}: time goes with the number of points, and fewer of them "
        "would be overfitted (figure 8)."
    )
    return (
        f"Inputs: {min(points):,} independent uniform points of the cube, the same for all "
        "seeds; the paper does not say its own." + (few if min(counts) < Scale().seeds else "")
    )
