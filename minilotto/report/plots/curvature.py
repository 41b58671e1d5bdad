"""Curvature of the loss, descents by polishing, and the valley of mirror pairs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from minilotto.analysis.stats.bootstrap import Points
from minilotto.report.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, intervals, plain_numbers

Array = NDArray[np.float64]
MARKS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0)  # of |w|
LEAST = 1e-18  # of the largest eigenvalue, below which none is drawn


class Fall(NamedTuple):
    """Losses (R,) before and after polishing, and what rounding alone would make."""

    start: Array
    end: Array
    rounding: Array


def spectra(groups: Mapping[str, tuple[Array, Array]], ax: Axes) -> Axes:
    """Sizes of eigenvalues (R, K) over the largest of each net, by group, and the mean size (R,)
    that rounding hides.
    """
    for k, (values, unresolved) in enumerate(groups.values()):
        kept = np.isfinite(values).all(axis=1)
        largest = np.abs(values[kept]).max(axis=1, keepdims=True)
        part = values[kept] / largest
        place = (
            k + np.linspace(-0.35, 0.35, max(len(part), 2))[: len(part), None] + np.zeros_like(part)
        )
        for chosen, color, label in (
            (part > 0, BLUE, "above zero"),
            (part < 0, ORANGE, "below zero"),
        ):
            size = np.maximum(np.abs(part[chosen]), LEAST)
            name = label if k == 0 else None
            ax.plot(place[chosen], size, ".", color=color, ms=2.5, label=name, rasterized=True)
        hidden = float(np.median(unresolved[kept] / largest[:, 0]))
        name = "rounding" if k == 0 else None
        ax.plot([k - 0.4, k + 0.4], [hidden] * 2, color=GREY, linewidth=1.2, label=name)
    return _grouped(groups, ax, "size of eigenvalue / largest", "lower left")


def falls(groups: Mapping[str, Fall], ax: Axes) -> Axes:
    """Losses before and after polishing, joined, by group, and what rounding would make of them."""
    for k, one in enumerate(groups.values()):
        place = k + np.linspace(-0.3, 0.3, max(len(one.start), 2))[: len(one.start)]
        ax.vlines(place, one.end, one.start, color=GREY, linewidth=0.6, alpha=0.6)
        for values, mark, color, label in (
            (one.start, "o", BLUE, "as trained"),
            (one.end, "v", GREEN, "polished"),
            (one.rounding, "_", ORANGE, "rounding"),
        ):
            ax.plot(place, values, mark, color=color, markersize=4, label=label if k == 0 else None)
    return _grouped(groups, ax, "loss (mean squared error)", "best")


def _grouped(groups: Mapping[str, object], ax: Axes, label: str, place: Any) -> Axes:
    ax.set(yscale="log", ylabel=label)
    ax.set_xticks(range(len(groups)), list(groups))
    ax.legend(loc=place, fontsize=8)
    return ax


def valley(w: Array, loss: Array, rounding: Array, law: Array, text: str, ax: Axes) -> Axes:
    """Loss along the valley against |w|, what rounding would make, and the power law that it should
    follow.
    """
    ax.plot(w, loss, color=BLUE, linewidth=1.8, label="best mirror pair, float64")
    ax.plot(w, rounding, color=ORANGE, linewidth=1.0, label="rounding")
    inside = law > loss[loss > 0].min() / 10
    ax.plot(w[inside], law[inside], color=GREY, linestyle=":", linewidth=1.4, label=text)
    ax.set(xscale="log", yscale="log")
    ax.set(xlabel="|w| of the pair", ylabel="loss (mean squared error)")
    return ax


def tickets(w: Array, loss: Array, ax: Axes, text: str, printed: tuple[float, float]) -> Axes:
    """Trained tickets in the same plane, and the printed one."""
    ax.plot(w, loss, ".", color=PURPLE, markersize=4, label=text, rasterized=True)
    ax.plot(*printed, "*", color=GREEN, markersize=10, label="Eq. 2")
    ax.legend(loc="upper left", fontsize=8)
    return ax


def positions(series: Mapping[str, Points], ax: Axes) -> Axes:
    """Median |w| of tickets against steps, with intervals, a mark a series."""
    for (name, one), color, mark in zip(series.items(), (BLUE, ORANGE), "os", strict=False):
        intervals(one.widths, one, ax, color, mark, name)
    ax.set(yscale="log", ylabel="median |w| of tickets")
    low, high = ax.get_ylim()
    plain_numbers(ax.yaxis, [mark for mark in MARKS if low <= mark <= high])
    if series:
        ax.legend(loc="best", fontsize=8)
    return ax
