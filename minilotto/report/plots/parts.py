"""Numbers against width on logarithmic axes, and a legend that panels share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, LogLocator

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.plots.estimates import estimates_on_line
from minilotto.report.plots.style import Drawing, plain_numbers

LEAST_PART = 0.03  # of a number, where an interval that reaches nearer to zero is cut


def estimates_against_width(
    found: Mapping[int, Estimate], ax: Axes, color: str, marker: str, label: str
) -> Axes:
    """Numbers with intervals, not below LEAST_PART of the number, on two logarithmic axes."""
    kept = {
        width: replace(one, low=max(one.low, LEAST_PART * one.value))
        for width, one in found.items()
        if one.value > 0
    }
    ax.set(xscale="log", yscale="log")
    return estimates_on_line(kept, ax, color, marker, label)


def width_axis(widths: tuple[int, ...], ax: Axes) -> Axes:
    """Whole widths below a logarithmic axis, and few marks beside it."""
    plain_numbers(ax.xaxis, widths)
    ax.yaxis.set_major_locator(LogLocator(10, numticks=7))
    ax.yaxis.set_minor_locator(FixedLocator([]))
    return ax


def shared_legend(figure: Drawing, axes: Sequence[Axes], columns: int) -> Drawing:
    """One legend above all panels, of what is in `axes`, each name once."""
    handles = {
        label: handle
        for ax in axes
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=columns)
    return figure
