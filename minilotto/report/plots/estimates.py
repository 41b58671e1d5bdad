"""Numbers with their intervals: against width on a plain axis, and ratios side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, LogLocator, StrMethodFormatter

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.plots.style import GREY, beside, intervals, plain_numbers, style_of


def estimates_on_line(
    found: Mapping[int, Estimate],
    ax: Axes,
    color: str,
    marker: str,
    label: str = "",
    line: str = "-",
) -> Axes:
    """Numbers with intervals on a plain axis, joined by a line; the axis keeps its widths."""
    marks: Any = {"markersize": 3.5, "linewidth": 0.9, "linestyle": line, "capsize": 1.5}
    label = label or "_nolegend_"
    return intervals(list(found), list(found.values()), ax, color, marker, label, **marks)


def loss_axes(widths: tuple[int, ...], ax: Axes) -> Axes:
    """Whole widths below; beside, losses at 1, 2 and 5 of each decade where these are few."""
    low, high = ax.get_ylim()
    few = high < 30 * low
    plain_numbers(ax.xaxis, widths)
    ax.yaxis.set_major_locator(LogLocator(10, (1, 2, 5) if few else (1,)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_locator(FixedLocator([]))
    return ax


def ratios(
    groups: Sequence[str],
    series: Mapping[str, Sequence[Estimate | None]],
    ax: Axes,
    limits: tuple[float, float],
) -> Axes:
    """Ratios with intervals on a logarithmic axis, a mark for each series in each group; a triangle
    and a number stand for one beyond the limits.
    """
    low, high = limits
    width = 0.7 / max(len(series), 1)
    for k, (name, values) in enumerate(series.items()):
        color, marker = style_of(k)
        ax.plot([], [], marker, color=color, label=name)
        for i, one in enumerate(values):
            x = i + (k - (len(series) - 1) / 2) * width
            if one is None:
                continue
            if low <= one.value <= high:
                intervals([x], [one], ax, color, marker, markersize=6, linewidth=1.5)
                continue
            above = one.value > high
            end, text = (high, f"{one.value:,.0f}") if above else (low, f"{one.value:.1g}")
            ax.plot(x, end, "^" if above else "v", color=color, clip_on=False, markersize=7)
            offset = (0, -12 if above else 7)
            beside(text, (x, end), offset, ax, ha="center", fontsize=7, color=color)
    ax.axhline(1, color=GREY, linewidth=1.0)
    ax.set(yscale="log", ylim=limits, xlim=(-0.6, len(groups) - 0.4))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.set_xticks(np.arange(len(groups)), list(groups))
    ax.legend(loc="upper right", ncols=2)
    return ax
