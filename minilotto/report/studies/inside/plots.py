"""The figure of the study of tickets inside a net."""

import numpy as np
from matplotlib.axes import Axes

from minilotto.report.plots import curves
from minilotto.report.plots.style import GREY, Drawing, mosaic, plain_numbers, style_of
from minilotto.report.studies.inside.inside import COMBINED, FITTED, JUDGED, PAPER, Inside, Kept

SHOWN = {way: {**COMBINED, **FITTED}[way] for way in (*JUDGED, *FITTED)}
EQUATION = "equation 9"
KEPT = "tickets kept, $K$"


def draw(study: Inside) -> Drawing:
    widths, counts = list(study.widths), study.settings.counts
    above = [f"N = {width}" for width in widths for _ in range(6 // min(len(widths), 6))]
    names = ("exponents", "weights", "independent")
    below = [name for name in names for _ in range(len(above) // 3)]
    below += ["independent"] * (len(above) - len(below))
    figure, axes = mosaic([above, below], 11.0, 8.4, height_ratios=(1.25, 1))
    for width, one in study.widths.items():
        _losses(one, axes[f"N = {width}"], f"N = {width}")
    curves.shared_legend(figure, [axes[above[0]]], 4)
    exponents, weights, independent = (axes[name] for name in names)
    _exponents(study, exponents)
    kept = {f"N = {width}": one for width, one in study.widths.items()}
    curves.several({name: one.by_count(one.weight) for name, one in kept.items()}, weights)
    curves.several({name: one.by_count(one.independent) for name, one in kept.items()}, independent)
    weights.axhline(1, color=GREY, linestyle=":", label="an average: 1")
    independent.plot(counts, counts, color=GREY, linestyle=":", label="orthogonal: n = K")
    for ax, title, label in (
        (weights, "how large the best weights are", "sum of absolute best weights"),
        (independent, "how many of K are independent", "independent tickets, $n$"),
    ):
        curves.width_axis(ax, KEPT, counts)
        curves.finish(ax, title, label, loc="upper left")
    plain_numbers(weights.yaxis)
    plain_numbers(independent.yaxis, counts)
    return figure


def _losses(one: Kept, ax: Axes, title: str) -> None:
    curves.several({label: one.by_count(one.losses[way]) for way, label in SHOWN.items()}, ax)
    equation = [each.value for each in one.by_count(one.losses[EQUATION]).values()]
    label = f"predicted: {COMBINED[EQUATION]}"
    ax.plot(one.counts, equation, color=GREY, linewidth=1.2, label=label)
    first = one.by_count(one.losses["average"])[int(one.counts[0])].value
    ends = one.counts[[0, -1]]
    curves.power_law((ends[0], first), ends[1], 1, ax, "predicted: 1/K")
    trained = float(np.median(one.trained))
    ax.axhline(trained, color="black", linestyle="--", linewidth=1.0, label="the trained net")
    curves.width_axis(ax, KEPT, one.counts.tolist())
    curves.finish(ax, title, "loss (mean squared error)")


def _exponents(study: Inside, ax: Axes) -> None:
    names = [f"N = {width}" if name == PAPER else name for name, width in study.found]
    every = dict(zip(names, study.found.values(), strict=True))
    rows = {name: {way: one.exponent(way) for way in JUDGED} for name, one in every.items()}
    curves.forest(rows, ax, {way: style_of(k) for k, way in enumerate(JUDGED)})
    value = [one.exponent(EQUATION).value for one in every.values()]
    ax.plot(value, range(len(value)), "|", color=GREY, markersize=11, label="Eq. 9")
    curves.claimed_exponent(ax, "1/K", "one common error")
    ax.set_xlabel("exponent of loss against $K$")
    curves.finish(ax, "exponents by width and control", loc="lower right")
