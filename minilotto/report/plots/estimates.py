"""Numbers that may be zero, with their intervals, against width."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, StrMethodFormatter

from minilotto.analysis.stats.bootstrap import Estimate


def estimates_on_line(
    found: Mapping[int, Estimate],
    ax: Axes,
    color: str,
    marker: str,
    label: str = "",
    line: str = "-",
) -> Axes:
    """Numbers with intervals on a plain axis, joined by a line; widths stay as the axis has them."""
    value = [one.value for one in found.values()]
    low = [max(one.value - one.low, 0.0) for one in found.values()]
    high = [max(one.high - one.value, 0.0) for one in found.values()]
    ax.errorbar(
        list(found),
        value,
        [low, high] if found else None,
        color=color,
        marker=marker,
        markersize=3.5,
        linewidth=0.9,
        linestyle=line,
        capsize=1.5,
        label=label or "_nolegend_",
    )
    return ax


def loss_axes(widths: tuple[int, ...], ax: Axes) -> Axes:
    """Whole widths below, and losses at 1, 2 and 5 of each decade beside an axis that spans few of
    them.
    """
    low, high = ax.get_ylim()
    few = high < 30 * low
    ax.xaxis.set_major_locator(FixedLocator(widths))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_locator(LogLocator(10, (1, 2, 5) if few else (1,)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_locator(FixedLocator([]))
    return ax
