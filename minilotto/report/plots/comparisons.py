"""Estimates with intervals, side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.plots.style import GREY, PALETTE

MARKERS = "osDPX"  # no triangles: those point beyond the frame


def ratios(
    groups: Sequence[str],
    series: Mapping[str, Sequence[Estimate | None]],
    ax: Axes,
    limits: tuple[float, float],
) -> Axes:
    """Ratios with intervals on a logarithmic axis, a mark for each series in each group; triangles
    stand for what is beyond.
    """
    low, high = limits
    handles = {}
    width = 0.7 / max(len(series), 1)
    for k, (name, values) in enumerate(series.items()):
        color, marker = PALETTE[k % len(PALETTE)], MARKERS[k % len(MARKERS)]
        (handles[name],) = ax.plot([], [], marker, color=color)
        for i, estimate in enumerate(values):
            if estimate is None:
                continue
            x = i + (k - (len(series) - 1) / 2) * width
            if low <= estimate.value <= high:
                bars = [
                    [max(estimate.value - estimate.low, 0)],
                    [max(estimate.high - estimate.value, 0)],
                ]
                ax.errorbar(x, estimate.value, yerr=bars, fmt=marker, color=color, capsize=2)
                continue
            above = estimate.value > high
            end = high if above else low
            ax.plot(x, end, "^" if above else "v", color=color, clip_on=False, markersize=7)
            text = f"{estimate.value:,.0f}" if above else f"{estimate.value:.1g}"
            below = (0, -12 if above else 7)
            ax.annotate(
                text,
                (x, end),
                textcoords="offset points",
                xytext=below,
                ha="center",
                fontsize=7,
                color=color,
            )
    ax.axhline(1, color=GREY, linewidth=1.0)
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.set_xticks(np.arange(len(groups)), list(groups))
    ax.set_xlim(-0.6, len(groups) - 0.4)
    ax.legend(handles.values(), handles.keys(), loc="upper right", ncols=2)
    return ax
