"""Losses on the training points and on all x: against width, number of points and label noise."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.estimates import estimates
from minilotto.analysis.stats.samples import INFINITE, Samples, straight_lines
from minilotto.report.figure import named
from minilotto.report.plots.curves import finish, log_series, several, width_axis
from minilotto.report.plots.style import GREY, Drawing, beside, grid, style_of
from minilotto.report.studies.data.data import Data
from minilotto.settings.arrays import Array


def draw(study: Data) -> Drawing:
    figure, axes = grid(len(study.samples), 3, 11.5, 3.7 * len(study.samples), sharey="row")
    widths, noise = study.shown_widths, study.noise
    lines = {
        "sigma² (3N + 1) / P": lambda count: noise**2 * (3 * widths[-1] + 1) / count,
        "h⁴ / 30": straight_lines,
    }
    for (activation, found), row in zip(study.samples.items(), axes, strict=True):
        left, middle, right = row
        for ax in row:
            ax.set(xscale="log", yscale="log")
        _against_width(found, left)
        series = {}
        for width in widths:
            series["equally spaced", width] = estimates(found.by_count(width))
            series["uniform", width] = found.typical(0.0, width=width)
            series[f"noise {noise:g}", width] = found.typical(noise, width=width)
        all_x = {width: found.median(INFINITE, width) for width in widths}
        levels = {width: one.value for width, one in all_x.items() if one}
        _against_points(series, levels, lines, middle)
        noisy = {"no noise": estimates(found.by_width(study.usual, True))} | {
            f"noise {at:g}": found.typical(at, count=study.usual)
            for at in sorted(study.settings.noises)
        }
        several(noisy, right)
        width_axis(right)
        # A net that fits its points exactly has a training loss of rounding; it lies below the
        # frame.
        rows = (*series.values(), *noisy.values())
        shown = [one.low for some in rows for one in some.values() if one.value > 0]
        if shown:
            left.set_ylim(0.03 * min(shown), 3 * max(ax.dataLim.y1 for ax in row))
        titles = ("loss against width", "against points", f"noise, {study.usual} points")
        for ax, what, label in zip(row, titles, ("loss (mean squared error)", "", ""), strict=True):
            size = 6 if ax is middle else 7
            finish(ax, f"{named(activation)}: {what}", label, loc="best", fontsize=size)
    return figure


def _against_width(found: Samples, ax: Axes) -> None:
    for k, count in enumerate(found.counts):
        color, marker = style_of(k)
        label = f"P = {count:g}" if np.isfinite(count) else "P infinite"
        everywhere, training = (found.by_width(count, where) for where in (True, False))
        if everywhere is not None:
            log_series(everywhere, ax, color, marker, label)
        if training is not None:
            open_marks: Any = {"marker": marker, "markersize": 3.5, "markerfacecolor": "white"}
            ax.plot(training.widths, training.value, ":", color=color, **open_marks)
    width_axis(ax)


def _against_points(
    series: Mapping[tuple[str, int], Mapping[int, Estimate]],
    levels: Mapping[int, float],
    lines: Mapping[str, Callable[[Array], Array]],
    ax: Axes,
) -> None:
    """Loss on all x against P: a colour a kind, a filling a width; levels for infinite P."""
    kinds = list(dict.fromkeys(kind for kind, _ in series))
    widest = max(width for _, width in series)
    counts = sorted({count for rows in series.values() for count in rows})
    for (kind, width), rows in series.items():
        if rows:
            look: Any = {} if width == widest else {"line": "--", "markerfacecolor": "white"}
            log_series(rows, ax, *style_of(kinds.index(kind)), f"{kind}, N = {width}", **look)
    for width, level in levels.items():
        ax.axhline(level, color=GREY, linewidth=0.8, linestyle="-" if width == widest else "--")
        words, frame = f"P infinite, N = {width}", ax.get_yaxis_transform()
        beside(words, (0.0, level), (2, 1), ax, frame, va="bottom", fontsize=6)
    low, high = ax.get_ylim()
    at = np.geomspace(counts[0], counts[-1], 60) if counts else np.empty(0)
    for name, line in lines.items():
        shown = (line(at) >= low) & (line(at) <= high)
        x, y = at[shown], line(at)[shown]
        ax.plot(x, y, ":", color=GREY, linewidth=1.2)
        if shown.any():
            beside(name, (x[0], y[0]), (4, 4), ax, fontsize=6)
    ax.set_xlabel("training points $P$")
