"""Loss against width, and the exponent between neighbouring widths."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from minilotto.analysis.stats.bootstrap import Array, Points
from minilotto.analysis.stats.scaling import LocalExponents
from minilotto.report.plots.style import GREY


def loss_against_width(
    points: Points, ax: Axes, color: str, marker: str, label: str, open_marks: bool = False
) -> Axes:
    """A statistic of loss with its intervals, on two logarithmic axes."""
    bars = np.abs(np.stack([points.value - points.low, points.high - points.value]))
    face = "white" if open_marks else color
    ax.errorbar(
        points.widths,
        points.value,
        yerr=bars,
        color=color,
        marker=marker,
        markerfacecolor=face,
        markersize=5,
        linewidth=1.0,
        linestyle="--" if open_marks else "-",
        capsize=2,
        label=label,
    )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("width $N$")
    ax.set_ylabel("median loss (mean squared error)")
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    return ax


def slope_line(widths: Array, losses: Array, ax: Axes, text: str) -> Axes:
    """A dashed reference line with its name at its upper end."""
    ax.plot(widths, losses, color=GREY, linestyle=":", linewidth=1.2)
    ax.annotate(text, (widths[0], losses[0]), textcoords="offset points", xytext=(4, 4), color=GREY)
    return ax


def shaded_range(low: float, high: float, ax: Axes, text: str) -> Axes:
    """A vertical band with its name at the top, inside."""
    ax.axvspan(low, high, color=GREY, alpha=0.1, linewidth=0)
    ax.annotate(
        text,
        (np.sqrt(low * high), 1.0),
        xycoords=ax.get_xaxis_transform(),
        textcoords="offset points",
        xytext=(0, -4),
        ha="center",
        va="top",
        color=GREY,
        fontsize=8,
    )
    return ax


def exponents(local: LocalExponents, ax: Axes, color: str, marker: str, label: str) -> Axes:
    """-d log L / d log N between neighbouring widths, each over the widths that it is taken from."""
    ax.errorbar(
        local.middle,
        local.exponent,
        xerr=np.stack([local.middle - local.lower, local.upper - local.middle]),
        yerr=np.abs(np.stack([local.exponent - local.low, local.high - local.exponent])),
        color=color,
        marker=marker,
        markersize=4,
        linestyle="none",
        linewidth=1.0,
        label=label,
    )
    ax.set_xscale("log")
    ax.set_xlabel("width $N$")
    ax.set_ylabel(r"local exponent $-\Delta\log L\,/\,\Delta\log N$")
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    return ax
