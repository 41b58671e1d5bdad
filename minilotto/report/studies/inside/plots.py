"""The figure of the study of tickets inside a net."""

import numpy as np
from matplotlib.axes import Axes

from minilotto.report.plots.curves import (
    claimed_exponent,
    forest,
    log_series,
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
    mosaic,
    plain_numbers,
)
from minilotto.report.studies.inside.inside import COMBINED, FITTED, JUDGED, PAPER, Inside, Kept

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
            log_series(found, axes[name], color, mark, f"N = {width}")
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
        log_series(one.by_count(one.losses[way]), ax, color, mark, label)
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
    names = [f"N = {width}" if name == PAPER else name for name, width in study.found]
    every = dict(zip(names, study.found.values(), strict=True))
    rows = {name: {way: one.exponent(way) for way in JUDGED} for name, one in every.items()}
    forest(rows, ax, STYLES)
    value = [one.exponent(EQUATION).value for one in every.values()]
    ax.plot(value, range(len(value)), "|", color=GREY, markersize=11, label="Eq. 9")
    claimed_exponent(ax, "1/K", "one common error")
    ax.set(xlabel="exponent of loss against $K$", title="exponents by width and control")
    ax.legend(loc="lower right", fontsize=8)
