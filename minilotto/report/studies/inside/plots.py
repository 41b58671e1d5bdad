"""The figure of the study of tickets inside a net."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from minilotto.report.plots.curves import (
    estimates_against_width,
    power_law,
    shared_legend,
    width_axis,
)
from minilotto.report.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    Drawing,
    intervals,
    mosaic,
    plain_numbers,
)
from minilotto.report.rules import THRESHOLDS
from minilotto.report.studies.inside.inside import COMBINED, FITTED, Inside, Kept

STYLES = {
    "average": (BLUE, "o"),
    "positive": (GREEN, "s"),
    "gram": (ORANGE, "D"),
    "tickets": (PURPLE, "P"),
    "random": (SKY, "X"),
}
EQUATION = "equation 9"
COLORS = (BLUE, GREEN, ORANGE)


def draw(study: Inside) -> Drawing:
    widths = list(study.widths)
    above = [f"N = {width}" for width in widths for _ in range(6 // min(len(widths), 6))]
    below = [
        name for name in ("exponents", "weights", "independent") for _ in range(len(above) // 3)
    ]
    below += ["independent"] * (len(above) - len(below))
    figure, axes = mosaic([above, below], 11.0, 8.4, height_ratios=(1.25, 1))
    for width, one in study.widths.items():
        _losses(one, axes[f"N = {width}"], f"N = {width}")
    shared_legend(figure, [axes[above[0]]], 4)
    _exponents(study, axes["exponents"])
    for (width, one), color, mark in zip(study.widths.items(), COLORS, "osD", strict=False):
        for name, values in (("weights", one.weight), ("independent", one.independent)):
            found = one.by_count(values)
            estimates_against_width(found, axes[name], color, mark, f"N = {width}")
    counts = study.settings.counts
    _finish(
        axes["weights"], counts, "sum of absolute best weights", "how large the best weights are"
    )
    axes["weights"].axhline(1, color=GREY, linestyle=":", label="an average: 1")
    _finish(
        axes["independent"], counts, "independent tickets, $n$", "how many of K are independent"
    )
    axes["independent"].plot(counts, counts, color=GREY, linestyle=":", label="orthogonal: n = K")
    plain_numbers(axes["weights"].yaxis)
    plain_numbers(axes["independent"].yaxis, counts)
    for name in ("weights", "independent"):
        axes[name].legend(loc="upper left", fontsize=8)
    return figure


def _losses(one: Kept, ax: Axes, title: str) -> None:
    for way, (color, mark) in STYLES.items():
        label = {**COMBINED, **FITTED}[way]
        estimates_against_width(one.by_count(one.losses[way]), ax, color, mark, label)
    equation = [each.value for each in one.by_count(one.losses[EQUATION]).values()]
    ax.plot(
        one.counts, equation, color=GREY, linewidth=1.2, label=f"predicted: {COMBINED[EQUATION]}"
    )
    first = one.by_count(one.losses["average"])[int(one.counts[0])].value
    ends = one.counts[[0, -1]]
    power_law((ends[0], first), ends[1], 1, ax, "predicted: 1/K", color=GREY)
    trained = float(np.median(one.trained))
    ax.axhline(trained, color="black", linestyle="--", linewidth=1.0, label="the trained net")
    _finish(ax, one.counts.tolist(), "loss (mean squared error)", title)


def _finish(ax: Axes, counts: "list[int] | tuple[int, ...]", label: str, title: str) -> None:
    width_axis(ax, "tickets kept, $K$", counts)
    ax.set(ylabel=label, title=title)


def _exponents(study: Inside, ax: Axes) -> None:
    names = [f"N = {width}" if width in study.widths and i < len(study.widths) else name
             for i, (name, width) in enumerate(study.found)]  # fmt: skip
    rows = np.arange(len(names))[::-1]
    look: Any = {"linestyle": "none", "linewidth": 1.5}
    for way in list(STYLES)[:3]:
        found = [one.exponent(way) for one in study.found.values()]
        intervals(rows, found, ax, *STYLES[way], sideways=True, **look)
    value = [one.exponent(EQUATION).value for one in study.found.values()]
    ax.plot(value, rows, "|", color=GREY, markersize=11, label="Eq. 9")
    near = THRESHOLDS["near"]
    ax.axvspan(1 - near, 1 + near, color=GREY, alpha=0.2, linewidth=0, label="1/K")
    ax.axvline(0, color=GREY, linestyle=":", linewidth=1.0, label="one common error")
    ax.set_yticks(rows, names)
    ax.set(xlabel="exponent of loss against $K$", title="exponents by width and control")
    ax.legend(loc="lower right", fontsize=8)
