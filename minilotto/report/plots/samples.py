"""Losses on the training points and on all x: against width, number of points and label noise."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.stats.bootstrap import Array, Estimate, Points
from minilotto.report.plots.parts import estimates_against_width, width_axis
from minilotto.report.plots.style import GREY, PALETTE

MARKERS = "osDvPX"
WIDTHS = (10, 20, 30, 50)


def against_width(found: Mapping[float, tuple[Points | None, Points | None]], ax: Axes) -> Axes:
    """Loss on all x (filled, solid) and on the training points (open, dotted) by number of points."""
    for k, (count, (everywhere, training)) in enumerate(found.items()):
        color, marker = PALETTE[k % len(PALETTE)], MARKERS[k % len(MARKERS)]
        label = f"P = {count:g}" if np.isfinite(count) else "P infinite"
        if everywhere is not None:
            estimates_against_width(_estimates(everywhere), ax, color, marker, label)
        if training is not None:
            ax.plot(
                training.widths,
                training.value,
                ":",
                color=color,
                marker=marker,
                markersize=3.5,
                markerfacecolor="white",
            )
    ax.set_xscale("log")
    ax.set_yscale("log")
    width_axis(WIDTHS, ax)
    ax.set_xlabel("width $N$")
    ax.set_ylabel("loss (mean squared error)")
    _named(ax, 7)
    return ax


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
            label = f"{kind}, N = {width}"
            estimates_against_width(
                estimates, ax, PALETTE[k % len(PALETTE)], MARKERS[k % len(MARKERS)], label
            )
            if width != widths[-1]:
                drawn = ax.containers[-1][0]
                drawn.set_markerfacecolor("white")
                drawn.set_linestyle("--")
    for width, level in levels.items():
        if level is not None:
            ax.axhline(
                level, color=GREY, linewidth=0.8, linestyle="-" if width == widths[-1] else "--"
            )
            place: dict[str, Any] = {
                "xycoords": ax.get_yaxis_transform(),
                "textcoords": "offset points",
                "va": "bottom",
            }
            ax.annotate(
                f"P infinite, N = {width}",
                (0.0, level),
                xytext=(2, 1),
                color=GREY,
                fontsize=6,
                **place,
            )
    if counts:
        low, high = ax.get_ylim()
        at = np.geomspace(counts[0], counts[-1], 60)
        for name, line in lines.items():
            values = line(at)
            shown = (values >= low) & (values <= high)
            ax.plot(at[shown], values[shown], ":", color=GREY, linewidth=1.2)
            if shown.any():
                first = int(np.argmax(shown))
                ax.annotate(
                    name,
                    (at[first], values[first]),
                    textcoords="offset points",
                    xytext=(4, 4),
                    fontsize=6,
                    color=GREY,
                )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("training points $P$")
    _named(ax, 6)
    return ax


def noise_against_width(found: Mapping[float, Mapping[int, Estimate]], ax: Axes) -> Axes:
    """Loss on all x against width, a line a standard deviation of the label noise; 0 for none."""
    for k, (noise, rows) in enumerate(found.items()):
        if rows:
            label = f"noise {noise:g}" if noise else "no noise"
            estimates_against_width(
                {int(w): e for w, e in rows.items()},
                ax,
                PALETTE[k % len(PALETTE)],
                MARKERS[k % len(MARKERS)],
                label,
            )
    ax.set_xscale("log")
    ax.set_yscale("log")
    width_axis(WIDTHS, ax)
    ax.set_xlabel("width $N$")
    _named(ax, 7)
    return ax


def _estimates(found: Points) -> dict[int, Estimate]:
    rows = zip(found.widths, found.value, found.low, found.high, strict=True)
    return {
        int(width): Estimate(float(value), float(low), float(high), found.level)
        for width, value, low, high in rows
    }


def _named(ax: Axes, size: int) -> None:
    """A legend, where there is something to name."""
    if ax.get_legend_handles_labels()[1]:
        ax.legend(loc="best", fontsize=size)
