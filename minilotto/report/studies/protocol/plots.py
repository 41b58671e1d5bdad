"""Exponents by protocol, starts at their best rates, the lower envelope, losses by sum of rates."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.plots.curves import (
    forest,
    log_series,
    power_law,
    series,
    side_by_side,
    steps_axis,
    width_axis,
)
from minilotto.report.plots.style import BLUE, GREY, ORANGE, PALETTE, Drawing, legend_below
from minilotto.report.studies.protocol.protocol import Protocol
from minilotto.report.studies.protocol.trainings import EQUAL_SUMS, SCHEDULES_TRIED

MARKS = dict(zip(SCHEDULES_TRIED, "osDPXv", strict=True))
COLOURS = dict(zip(SCHEDULES_TRIED, PALETTE, strict=True))
SHOWN = (-2.5, 4.0)  # exponents; intervals are cut there
FAR = 12  # times the narrowest width, up to which 1/N is drawn
APART = 1.084  # factor between marks at one number of steps


def draw(study: Protocol) -> Drawing:
    below = max(4.0, 0.24 * len(study.starts) + 1.0)
    figure = Drawing(figsize=(13.0, 3.8 + below), layout="constrained")
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[3.8, below])[:, 0]
    rates = [*study.settings.rates, "best"]
    above = upper.subplots(1, len(rates), sharex=True, sharey=True, squeeze=False)[0]
    ends = [end for e in study.exponents.values() for end in (e.low, e.high)]
    above[0].set_ylim(max(min(ends) - 0.1, SHOWN[0]), min(max(ends) + 0.1, SHOWN[1]))
    for rate, ax in zip(rates, above, strict=True):
        by_schedule = {
            name: {p.budget: e for p, e in study.exponents.items() if p[:2] == (name, rate)}
            for name in SCHEDULES_TRIED
        }
        exponents_by_steps(by_schedule, ax)
        steps_axis(ax, study.settings.budgets)
        ax.set_title("each width's best rate" if rate == "best" else f"rate {rate:g}")
    above[0].set_ylabel("exponent of loss against width")
    handles, labels = above[0].get_legend_handles_labels()
    upper.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    left, right, middle, last = lower.subplots(1, 4, width_ratios=[1.1, 1.0, 2.0, 2.0])
    starts(study, left, right)
    envelope(study, middle)
    sums(study, last)
    return figure


def exponents_by_steps(series: Mapping[str, Mapping[int, Estimate]], ax: Axes) -> Axes:
    looks = [(COLOURS[name], MARKS[name]) for name in series]
    side_by_side(series, ax, APART, looks, linewidth=0.9, markersize=3.5, capsize=1.5)
    for level in (0.0, 1.0):
        ax.axhline(level, color=GREY, linewidth=0.8, linestyle="-" if level == 0 else ":")
    return ax


def starts(study: Protocol, left: Axes, right: Axes) -> None:
    """A row per start, from the top: exponent and loss; those of the first row as lines."""
    found = {str(start): one for start, one in study.starts.items()}
    widest = max((int(one.points.widths[-1]) for one in found.values()), default=0)
    for ax, what, label in (
        (left, "exponent", "exponent, best rates"),
        (right, "loss", f"median loss, N = {widest}"),
    ):
        rows = {name: {what: getattr(one, what)} for name, one in found.items()}
        forest(rows, ax, {what: (BLUE, "o")})
        for one in list(rows.values())[:1]:
            ax.axvline(one[what].value, color=GREY, linewidth=0.8, linestyle=":")
        ax.set_xlabel(label)
        ax.tick_params(axis="y", length=0)
    left.set_xlim(max(left.get_xlim()[0], SHOWN[0]), min(left.get_xlim()[1], SHOWN[1]))
    left.axvline(0, color=GREY, linewidth=0.8)
    right.set_xscale("log")
    low, high = right.get_xlim()
    right.xaxis.set_major_locator(LogLocator(10, (1, 3) if high < 30 * low else (1,), numticks=4))
    right.xaxis.set_minor_formatter(NullFormatter())
    right.tick_params(axis="x", labelsize=8)
    right.set_yticks([])


def envelope(study: Protocol, ax: Axes) -> Axes:
    looks = ((BLUE, "o"), (ORANGE, "s"))
    for (name, one), look in zip(study.envelope.items(), looks, strict=False):
        log_series(one, ax, *look, f"{name} start")
    for one in list(study.envelope.values())[:1]:
        first, last = one.widths[[0, -1]]
        end = min(last, FAR * first)  # where it is named
        start = end, 0.5 * one.value[0] * first / end
        power_law(start, first, 1, ax, text="1/N", color=GREY)
        width_axis(ax)
    ax.set(title="lowest loss over rates", ylabel="median loss (mean squared error)")
    legend_below(ax, 2)
    return ax


def sums(study: Protocol, ax: Axes) -> Axes:
    for name in EQUAL_SUMS:
        found = study.sums_of_rates(name)
        if found:
            series(found, ax, COLOURS[name], MARKS[name], name)
    ax.set(xscale="log", yscale="log")
    ax.set(title=f"loss by sum of rates, N = {study.facts()['middle']}")
    ax.set_ylabel("median loss (mean squared error)")
    width_axis(ax, "sum of the rates of all steps")
    legend_below(ax, 2)
    return ax
