"""Bias and variance of a loss against width."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, StrMethodFormatter

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.plots.style import Drawing

LEAST_PART = 0.03  # of a number, where an interval that reaches nearer to zero ends


def estimates_against_width(
    found: Mapping[int, Estimate], ax: Axes, color: str, marker: str, label: str
) -> Axes:
    """Numbers with intervals on two logarithmic axes; an interval that goes below LEAST_PART of its
    number ends there.
    """
    kept = {width: one for width, one in found.items() if one.value > 0}
    value = np.array([one.value for one in kept.values()])
    low = np.array([max(one.low, LEAST_PART * one.value) for one in kept.values()])
    high = np.array([one.high for one in kept.values()])
    bars = np.abs(np.stack([value - low, high - value])) if kept else np.empty((2, 0))
    ax.errorbar(
        list(kept),
        value,
        yerr=bars,
        color=color,
        marker=marker,
        markersize=3.5,
        linewidth=0.9,
        linestyle="-",
        capsize=1.5,
        label=label,
    )
    ax.set_xscale("log")
    ax.set_yscale("log")
    return ax


def width_axis(widths: tuple[int, ...], ax: Axes) -> Axes:
    """Whole widths below a logarithmic axis, and few marks beside it."""
    ax.xaxis.set_major_locator(FixedLocator(widths))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
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
