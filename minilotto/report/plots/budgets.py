"""Losses and exponents against the number of steps that were trained."""

from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.ticker import FixedLocator, NullFormatter

from minilotto.analysis.stats.bootstrap import Estimate, Points
from minilotto.report.plots.style import GREY, PALETTE, intervals, plain_numbers

MARKS = "osDPXv^"
EXPONENTS_SHOWN = (-2.0, 4.0)
APART = 0.03  # of a decade, by which series lie side by side


def _shades(count: int) -> list[str]:
    """Colours in an order, from dark to light."""
    return [to_hex(colormaps["viridis"](x)) for x in np.linspace(0.0, 0.88, max(count, 1))]


def _curves(found: Mapping[int, Points], ax: Axes) -> None:
    """A curve with its intervals for each of some ordered numbers."""
    for (number, one), color in zip(found.items(), _shades(len(found)), strict=True):
        intervals(one.widths, one, ax, color, "o", f"{number:,}", markersize=3, capsize=1.5)
    ax.set(yscale="log", ylabel="median loss")


def by_budget(found: Mapping[int, Points], ax: Axes) -> Axes:
    """Loss against width with its intervals, a curve a budget."""
    _curves(found, ax)
    ax.set(xscale="log", xlabel="width $N$")
    plain_numbers(ax.xaxis)
    ax.legend(title="steps", loc="lower left", fontsize=8)
    return ax


def against_steps(found: Mapping[int, Points], saturated: Mapping[int, float], ax: Axes) -> Axes:
    """Loss against steps with its intervals, a curve a width, and a ring where each saturates."""
    _curves(found, ax)
    for (width, one), color in zip(found.items(), _shades(len(found)), strict=True):
        at = one.widths == saturated.get(width, np.inf)
        ax.plot(one.widths[at], one.value[at], "o", markersize=9, mfc="none", color=color)
    steps_axis(ax)
    ax.legend(title="width", loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    return ax


def estimates_by_budget(series: Mapping[str, Mapping[int, Estimate]], ax: Axes) -> Axes:
    """Exponents with their intervals against steps, series side by side; lines at 0 and 1."""
    ends = [e for found in series.values() for e in found.values()]
    for k, (name, found) in enumerate(series.items()):
        at = np.array(list(found), np.float64) * 10 ** (APART * (k - (len(series) - 1) / 2))
        color, mark = PALETTE[k % len(PALETTE)], MARKS[k % len(MARKS)]
        intervals(at, list(found.values()), ax, color, mark, name, linewidth=0.9)
    for level in (0.0, 1.0):
        ax.axhline(level, color=GREY, linewidth=0.8, linestyle="-" if level == 0 else ":")
    low, high = min((e.low for e in ends), default=0.0), max((e.high for e in ends), default=1.0)
    ax.set_ylim(max(low - 0.2, EXPONENTS_SHOWN[0]), min(high + 0.2, EXPONENTS_SHOWN[1]))
    steps_axis(ax)
    ax.set_ylabel("exponent of loss against width")
    ax.legend(loc="best", fontsize=8)
    return ax


def paper_budget(steps: int, ax: Axes) -> Axes:
    """A dotted line at the budget of the paper."""
    ax.axvline(steps, color=GREY, linewidth=1.0, linestyle=":")
    return ax


def steps_axis(ax: Axes) -> Axes:
    """Steps on a logarithmic axis, in words such as 50k and 1M."""
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    marks = [m * 10**k for k in range(9) for m in (1, 5) if low <= m * 10**k <= high]
    ax.xaxis.set_major_locator(FixedLocator(marks))
    ax.set_xticklabels([_short(mark) for mark in marks])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("Adam steps")
    return ax


def _short(steps: int) -> str:
    if steps >= 10**6:
        return f"{steps // 10**6}M"
    return f"{steps // 1000}k" if steps >= 1000 else f"{steps}"
