"""Losses on the training points and on all x: against width, number of points and label noise."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.stats.bootstrap import Estimate, Points
from minilotto.analysis.stats.estimates import estimates
from minilotto.report.plots.curves import estimates_against_width, width_axis
from minilotto.report.plots.style import GREY, style_of
from minilotto.settings.arrays import Array

MARKERS = "osDvPX"
WIDTHS = (10, 20, 30, 50)


def against_width(found: Mapping[float, tuple[Points | None, Points | None]], ax: Axes) -> Axes:
    for k, (count, (everywhere, training)) in enumerate(found.items()):
        color, marker = style_of(k, MARKERS)
        label = f"P = {count:g}" if np.isfinite(count) else "P infinite"
        if everywhere is not None:
            estimates_against_width(estimates(everywhere), ax, color, marker, label)
        if training is not None:
            open_marks: Any = {"marker": marker, "markersize": 3.5, "markerfacecolor": "white"}
            ax.plot(training.widths, training.value, ":", color=color, **open_marks)
    width_axis(WIDTHS, ax)
    ax.set_ylabel("loss (mean squared error)")
    return _finished(ax, "width $N$", 7)


def against_points(
    series: Mapping[tuple[str, int], Mapping[int, Estimate]],
    levels: Mapping[int, float],
    lines: Mapping[str, Callable[[Array], Array]],
    ax: Axes,
) -> Axes:
    """Loss on all x against P: a colour a kind, a filling a width; levels for infinite P."""
    kinds = list(dict.fromkeys(kind for kind, _ in series))
    widest = max(width for _, width in series)
    counts = sorted({count for rows in series.values() for count in rows})
    for (kind, width), rows in series.items():
        if rows:
            estimates_against_width(
                rows, ax, *style_of(kinds.index(kind), MARKERS), f"{kind}, N = {width}"
            )
            if width != widest:
                drawn = ax.containers[-1][0]
                drawn.set_markerfacecolor("white")
                drawn.set_linestyle("--")
    small: Any = {"textcoords": "offset points", "fontsize": 6, "color": GREY}
    for width, level in levels.items():
        ax.axhline(level, color=GREY, linewidth=0.8, linestyle="-" if width == widest else "--")
        place: Any = {"xycoords": ax.get_yaxis_transform(), "xytext": (2, 1), "va": "bottom"}
        ax.annotate(f"P infinite, N = {width}", (0.0, level), **place, **small)
    low, high = ax.get_ylim()
    at = np.geomspace(counts[0], counts[-1], 60) if counts else np.empty(0)
    for name, line in lines.items():
        shown = (line(at) >= low) & (line(at) <= high)
        x, y = at[shown], line(at)[shown]
        ax.plot(x, y, ":", color=GREY, linewidth=1.2)
        if shown.any():
            ax.annotate(name, (x[0], y[0]), xytext=(4, 4), **small)
    return _finished(ax, "training points $P$", 6)


def noise_against_width(found: Mapping[float, Mapping[int, Estimate]], ax: Axes) -> Axes:
    for k, (noise, rows) in enumerate(found.items()):
        if rows:
            label = f"noise {noise:g}" if noise else "no noise"
            estimates_against_width(rows, ax, *style_of(k, MARKERS), label)
    width_axis(WIDTHS, ax)
    return _finished(ax, "width $N$", 7)


def _finished(ax: Axes, label: str, size: int) -> Axes:
    """With logarithmic axes, and a legend where there is something to name."""
    if ax.get_xscale() != "log":
        ax.set_xscale("log")
        ax.set_yscale("log")
    ax.set_xlabel(label)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(loc="best", fontsize=size)
    return ax
