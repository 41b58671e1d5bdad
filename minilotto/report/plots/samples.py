"""Losses on the training points and on all x: against width, number of points and label noise."""

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.stats.bootstrap import Array, Estimate, Points
from minilotto.report.plots.parts import estimates_against_width, width_axis
from minilotto.report.plots.style import GREY, PALETTE, beside

MARKERS = "osDvPX"
WIDTHS = (10, 20, 30, 50)


def against_width(found: Mapping[float, tuple[Points | None, Points | None]], ax: Axes) -> Axes:
    """Loss on all x (filled, solid) and on the training points (open, dotted), by their number."""
    for k, (count, (everywhere, training)) in enumerate(found.items()):
        color, marker = PALETTE[k % len(PALETTE)], MARKERS[k % len(MARKERS)]
        label = f"P = {count:g}" if np.isfinite(count) else "P infinite"
        if everywhere is not None:
            estimates_against_width(_estimates(everywhere), ax, color, marker, label)
        if training is not None:
            line = f"{marker}:"
            ax.plot(training.widths, training.value, line, color=color, ms=3.5, mfc="white")
    ax.set_ylabel("loss (mean squared error)")
    return _by_width(ax)


def against_points(
    series: Mapping[tuple[str, int], Mapping[int, Estimate]],
    levels: Mapping[int, float | None],
    lines: Mapping[str, Callable[[Array], Array]],
    ax: Axes,
) -> Axes:
    """Loss on all x against P by (kind, width), a colour a kind and a filling a width; levels for
    infinite P; dotted lines.
    """
    kinds = list(dict.fromkeys(kind for kind, _ in series))
    widths = sorted({width for _, width in series})
    counts = sorted({count for rows in series.values() for count in rows})
    for (kind, width), rows in series.items():
        k = kinds.index(kind)
        estimates = {int(count): one for count, one in rows.items()}
        if estimates:
            color, marker = PALETTE[k % len(PALETTE)], MARKERS[k % len(MARKERS)]
            estimates_against_width(estimates, ax, color, marker, f"{kind}, N = {width}")
            if width != widths[-1]:
                drawn = ax.containers[-1][0]
                drawn.set_markerfacecolor("white")
                drawn.set_linestyle("--")
    for width, level in levels.items():
        if level is not None:
            dash = "-" if width == widths[-1] else "--"
            ax.axhline(level, color=GREY, linewidth=0.8, linestyle=dash)
            text, frame = f"P infinite, N = {width}", ax.get_yaxis_transform()
            beside(text, (0.0, level), (2, 1), ax, frame, va="bottom", fontsize=6)
    if counts:
        low, high = ax.get_ylim()
        at = np.geomspace(counts[0], counts[-1], 60)
        for name, line in lines.items():
            values = line(at)
            shown = (values >= low) & (values <= high)
            ax.plot(at[shown], values[shown], ":", color=GREY, linewidth=1.2)
            if shown.any():
                first = int(np.argmax(shown))
                beside(name, (at[first], values[first]), (4, 4), ax, fontsize=6)
    ax.set(xscale="log", yscale="log", xlabel="training points $P$")
    return _named(ax, 6)


def noise_against_width(found: Mapping[float, Mapping[int, Estimate]], ax: Axes) -> Axes:
    """Loss on all x against width, a line a standard deviation of the label noise; 0 for none."""
    for k, (noise, rows) in enumerate(found.items()):
        if rows:
            label = f"noise {noise:g}" if noise else "no noise"
            color, marker = PALETTE[k % len(PALETTE)], MARKERS[k % len(MARKERS)]
            estimates_against_width(dict(rows), ax, color, marker, label)
    return _by_width(ax)


def _estimates(found: Points) -> dict[int, Estimate]:
    rows = zip(found.widths, found.value, found.low, found.high, strict=True)
    return {
        int(width): Estimate(float(value), float(low), float(high), found.level)
        for width, value, low, high in rows
    }


def _by_width(ax: Axes) -> Axes:
    ax.set(xscale="log", yscale="log", xlabel="width $N$")
    width_axis(WIDTHS, ax)
    return _named(ax, 7)


def _named(ax: Axes, size: int) -> Axes:
    """A legend, where there is something to name."""
    if ax.get_legend_handles_labels()[1]:
        ax.legend(loc="best", fontsize=size)
    return ax
