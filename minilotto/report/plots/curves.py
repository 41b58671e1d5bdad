"""Numbers with intervals against width, steps and the like; reference lines, axes, legends."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.ticker import (
    EngFormatter,
    FixedLocator,
    LogLocator,
    NullFormatter,
    NullLocator,
    StrMethodFormatter,
)

from minilotto.analysis.stats.bootstrap import Estimate, Points
from minilotto.analysis.stats.estimates import estimates
from minilotto.report.plots.style import GREY, beside, intervals, plain_numbers, style_of
from minilotto.report.rules import THRESHOLDS

Frame = TypeVar("Frame", bound=FigureBase)
LEAST_PART = 0.03  # of a number, where an interval that reaches nearer to zero is cut


def series(
    found: Points | Mapping[int, Estimate],
    ax: Axes,
    color: str,
    marker: str,
    label: str = "",
    line: str = "-",
    **options: Any,
) -> None:
    """Numbers with intervals, joined by a line; `options` as of `errorbar`."""
    known = estimates(found) if isinstance(found, Points) else found
    marks = {"markersize": 3.5, "linewidth": 0.9, "linestyle": line, "capsize": 1.5, **options}
    label = label or "_nolegend_"
    intervals(list(known), list(known.values()), ax, color, marker, label, **marks)


def log_series(
    found: Points | Mapping[int, Estimate], ax: Axes, *look: str, **options: Any
) -> None:
    """The same on two logarithmic axes, no interval below LEAST_PART of its number."""
    known = estimates(found) if isinstance(found, Points) else found
    kept = {
        width: replace(one, low=max(one.low, LEAST_PART * one.value))
        for width, one in known.items()
        if one.value > 0
    }
    ax.set(xscale="log", yscale="log")
    series(kept, ax, *look, **options)


def several(
    found: Mapping[str, Points | Mapping[int, Estimate] | None],
    ax: Axes,
    draw: Callable[..., None] = log_series,
    **options: Any,
) -> None:
    """Series by label, each in the next colour and marker; nothing where there are no numbers."""
    for k, (label, one) in enumerate(found.items()):
        if one:
            draw(one, ax, *style_of(k), label, **options)


def side_by_side(
    series: Mapping[str, Mapping[Any, Estimate]],
    ax: Axes,
    apart: float,
    looks: Sequence[tuple[str, str]] = (),
    **options: Any,
) -> None:
    """Series of numbers by place on a logarithmic axis, their marks a factor `apart`."""
    ax.set_xscale("log")
    for k, (name, found) in enumerate(series.items()):
        if found:
            at = np.array([*found], np.float64) * apart ** (k - (len(series) - 1) / 2)
            look = looks[k] if looks else style_of(k)
            intervals(at, list(found.values()), ax, *look, name, **options)


def forest(
    rows: Mapping[str, Mapping[str, Estimate]],
    ax: Axes,
    looks: Mapping[str, tuple[str, str]],
    apart: float = 0.0,
) -> None:
    """A row for each name from the top, in it a number with its interval for each kind."""
    for i, found in enumerate(rows.values()):
        for k, (kind, one) in enumerate(found.items()):
            y = i + apart * (k - (len(looks) - 1) / 2)
            intervals([y], [one], ax, *looks[kind], sideways=True, linestyle="none", linewidth=1.5)
    ax.set_yticks(range(len(rows)), list(rows), fontsize=8)
    ax.set_ylim(len(rows) - 0.5, -0.5)


def exponent_lines(
    ax: Axes, one: str = "", zero: str = "", shown: tuple[float, float] | None = None
) -> None:
    """Lines at exponents 1 and 0 with what they stand for; no exponents beyond what is `shown`."""
    for level, line, words in ((1, ":", one), (0, "-", zero)):
        ax.axhline(level, color=GREY, linewidth=0.8, linestyle=line, label=words or "_nolegend_")
    low, high = ax.get_ylim()
    if shown:
        ax.set_ylim(max(low, shown[0]), min(high, shown[1]))


def finish(ax: Axes, title: str, ylabel: str = "", **legend: Any) -> None:
    """Title and label of a panel, and the `legend` that is asked for where it names something."""
    ax.set(title=title, ylabel=ylabel)
    if legend and ax.get_legend_handles_labels()[1]:
        ax.legend(**{"fontsize": 8, **legend})


def claimed_exponent(ax: Axes, claimed: str, zero: str) -> None:
    """Along an axis of exponents, the margin about 1 that is claimed, and a line at 0."""
    near = THRESHOLDS["near"]
    ax.axvspan(1 - near, 1 + near, color=GREY, alpha=0.2, linewidth=0, label=claimed)
    ax.axvline(0, color=GREY, linestyle=":", linewidth=1.0, label=zero)


def power_law(
    start: tuple[float, float],
    end: float,
    exponent: float,
    ax: Axes,
    label: str | None = None,
    text: str = "",
    **options: Any,
) -> None:
    """A dotted line y ~ x^-exponent from a point to another x, with `text` at the point."""
    ends = np.array([start[0], end], np.float64)
    look = {"color": GREY, "linestyle": ":", "linewidth": 1.2, "label": label, **options}
    ax.plot(ends, start[1] * (ends / start[0]) ** -exponent, **look)
    beside(text, start, (4, 4), ax, fontsize=10)


def shaded_range(low: float, high: float, ax: Axes, text: str) -> None:
    """A vertical band with its name at the top, inside."""
    ax.axvspan(low, high, color=GREY, alpha=0.1, linewidth=0)
    top, frame = (np.sqrt(low * high), 1.0), ax.get_xaxis_transform()
    beside(text, top, (0, -4), ax, frame, ha="center", va="top")


def exponents(
    local: Sequence[tuple[float, float, Estimate]], ax: Axes, color: str, marker: str, label: str
) -> None:
    """-d log L / d log N between neighbouring widths, each over the widths between which it is."""
    lower, upper = np.array([row[:2] for row in local]).T
    middle = np.sqrt(lower * upper)
    marks: Any = {"xerr": [middle - lower, upper - middle], "linestyle": "none", "capsize": 0}
    intervals(middle, [row[2] for row in local], ax, color, marker, label, **marks)
    ax.set(xscale="log", xlabel="width $N$")
    ax.set_ylabel(r"local exponent $-\Delta\log L\,/\,\Delta\log N$")
    plain_numbers(ax.xaxis)


def width_axis(ax: Axes, label: str = "width $N$", places: Sequence[float] = ()) -> None:
    """Plain numbers below, at `places` where some are given; beside a logarithmic axis few marks,
    in plain numbers where it has few decades.
    """
    plain_numbers(ax.xaxis, places)
    ax.set_xlabel(label)
    low, high = ax.get_ylim()
    if ax.get_yscale() == "log" and high < 30 * low:
        plain_numbers(ax.yaxis)
    elif ax.get_yscale() == "log":
        ax.yaxis.set_major_locator(LogLocator(10, numticks=7))
        ax.yaxis.set_minor_locator(NullLocator())


def steps_axis(ax: Axes, places: Sequence[int] = ()) -> None:
    """Steps on a logarithmic axis, as 50k and 1M, at `places` where some are given."""
    ax.set(xscale="log", xlabel="Adam steps")
    some = FixedLocator(places) if places else LogLocator(10, (1, 5), numticks=99)
    ax.xaxis.set_major_locator(some)
    ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    ax.xaxis.set_minor_formatter(NullFormatter())


def ratios(
    groups: Sequence[str],
    series: Mapping[str, Sequence[Estimate | None]],
    ax: Axes,
    limits: tuple[float, float],
) -> None:
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


def shared_legend(figure: Frame, axes: Sequence[Axes], columns: int = 99) -> Frame:
    """One legend above all panels of a figure, of what is in `axes`, each name once."""
    handles = {
        label: handle
        for ax in axes
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=columns)
    return figure
