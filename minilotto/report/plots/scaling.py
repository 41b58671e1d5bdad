"""Loss against width, and the exponent between neighbouring widths."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.stats.bootstrap import Estimate, Points
from minilotto.report.plots.style import GREY, beside, intervals, plain_numbers
from minilotto.settings.arrays import Array


def loss_against_width(
    points: Points, ax: Axes, color: str, marker: str, label: str, open_marks: bool = False
) -> Axes:
    """A statistic of loss with its intervals, on two logarithmic axes."""
    marks: Any = {"markersize": 5, "markerfacecolor": "white" if open_marks else color}
    line = "--" if open_marks else "-"
    intervals(points.widths, points, ax, color, marker, label, linestyle=line, **marks)
    ax.set(xscale="log", yscale="log", xlabel="width $N$")
    ax.set_ylabel("median loss (mean squared error)")
    plain_numbers(ax.xaxis)
    return ax


def slope_line(widths: Array, losses: Array, ax: Axes, text: str) -> Axes:
    """A dashed reference line with its name at its upper end."""
    ax.plot(widths, losses, color=GREY, linestyle=":", linewidth=1.2)
    return beside(text, (widths[0], losses[0]), (4, 4), ax, fontsize=10)


def shaded_range(low: float, high: float, ax: Axes, text: str) -> Axes:
    """A vertical band with its name at the top, inside."""
    ax.axvspan(low, high, color=GREY, alpha=0.1, linewidth=0)
    top, frame = (np.sqrt(low * high), 1.0), ax.get_xaxis_transform()
    return beside(text, top, (0, -4), ax, frame, ha="center", va="top")


def exponents(
    local: Sequence[tuple[float, float, Estimate]], ax: Axes, color: str, marker: str, label: str
) -> Axes:
    """-d log L / d log N between neighbouring widths, each over the widths between which it is."""
    lower, upper = np.array([row[:2] for row in local]).T
    middle = np.sqrt(lower * upper)
    marks: Any = {"xerr": [middle - lower, upper - middle], "linestyle": "none", "capsize": 0}
    intervals(middle, [row[2] for row in local], ax, color, marker, label, **marks)
    ax.set(xscale="log", xlabel="width $N$")
    ax.set_ylabel(r"local exponent $-\Delta\log L\,/\,\Delta\log N$")
    plain_numbers(ax.xaxis)
    return ax
