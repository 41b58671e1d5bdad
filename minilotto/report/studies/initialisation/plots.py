"""Ways to start a network, side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from minilotto.analysis.stats.bootstrap import Estimate, Points
from minilotto.report.plots.parts import width_axis
from minilotto.report.plots.style import BLUE, GREY, PALETTE, intervals

SINGLED_OUT = 4  # lowest and highest curves, and the first, that get a colour and a name


def losses_of_starts(found: Mapping[str, Points], ax: Axes) -> Axes:
    """Median loss against width: the first start, the lowest and the highest in colour, the others
    grey.
    """
    first, *others = found
    order = sorted(others, key=lambda name: float(found[name].value[-1]))
    half = SINGLED_OUT // 2
    chosen = list(dict.fromkeys([first, *order[:half], *order[-half:]]))
    for name, one in found.items():
        if name not in chosen:
            ax.plot(one.widths, one.value, "-", color=GREY, linewidth=0.7, alpha=0.6)
    for k, name in enumerate(chosen):
        points = found[name]
        color = PALETTE[k % len(PALETTE)]
        intervals(points.widths, points, ax, color, "o", name, markersize=3.5, capsize=1.5)
    ax.set(xscale="log", yscale="log", xlabel="width $N$")
    ax.set_ylabel("median loss (mean squared error)")
    width_axis((2, 10, 20, 50, 200), ax)
    ax.legend(loc="best", fontsize=7)
    return ax


def forest(
    labels: Sequence[str],
    found: Sequence[Estimate | None],
    ax: Axes,
    title: str,
    scale: str,
    limits: tuple[float, float] | None = None,
) -> Axes:
    """A row per start, from the top: a mark and its interval; the first row's value as a line.
    Intervals are cut at the limits.
    """
    for row, one in enumerate(found):
        if one is not None:
            bars = [[max(one.value - one.low, 0)], [max(one.high - one.value, 0)]]
            ax.errorbar(one.value, row, None, bars, "o", color=BLUE, markersize=4, capsize=2)
    if found and found[0] is not None:
        ax.axvline(found[0].value, color=GREY, linewidth=0.8, linestyle=":")
    ax.set_xscale(scale)
    low, high = ax.get_xlim()
    if limits:
        low, high = ax.set_xlim(max(low, limits[0]), min(high, limits[1]))
    if scale == "log":
        ax.xaxis.set_minor_formatter(NullFormatter())
        if high < 50 * low:  # powers of ten alone would leave one label, or none
            marks = (1, 2, 5) if high > 5 * low else range(1, 10)
            ax.xaxis.set_major_locator(LogLocator(10, marks))
            ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.set_yticks(np.arange(len(labels)), list(labels), fontsize=8)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(title, fontsize=8)
    ax.tick_params(axis="x", labelsize=8)
    return ax
