"""Exponents by protocol, starts at their best rates, the lower envelope, losses by sum of rates."""

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from minilotto.report.plots import curves
from minilotto.report.plots.style import BLUE, GREY, PALETTE, Drawing, below, two_rows
from minilotto.report.studies.protocol.protocol import Protocol
from minilotto.report.studies.protocol.trainings import EQUAL_SUMS, SCHEDULES_TRIED

LOOKS = dict(zip(SCHEDULES_TRIED, zip(PALETTE, "osDPXv", strict=True), strict=True))
SHOWN = (-2.5, 4.0)  # exponents; intervals are cut there
FAR = 12  # times the narrowest width, up to which 1/N is drawn
APART = 1.084  # factor between marks at one number of steps


def draw(study: Protocol) -> Drawing:
    heights = 3.8, max(4.0, 0.24 * len(study.starts) + 1.0)
    rates = [*study.settings.rates, "best"]
    ratios = [1.1, 1.0, 2.0, 2.0]
    figure, upper, above, lower = two_rows(13.0, heights, len(rates), ratios, sharex=True)
    ends = [end for e in study.exponents.values() for end in (e.low, e.high)]
    above[0].set_ylim(max(min(ends) - 0.1, SHOWN[0]), min(max(ends) + 0.1, SHOWN[1]))
    for rate, ax in zip(rates, above, strict=True):
        by_schedule = {
            name: {p.budget: e for p, e in study.exponents.items() if p[:2] == (name, rate)}
            for name in SCHEDULES_TRIED
        }
        look = {"linewidth": 0.9, "markersize": 3.5, "capsize": 1.5}
        curves.side_by_side(by_schedule, ax, APART, list(LOOKS.values()), **look)
        curves.exponent_lines(ax)
        curves.steps_axis(ax, study.settings.budgets)
        ax.set_title("each width's best rate" if rate == "best" else f"rate {rate:g}")
    above[0].set_ylabel("exponent of loss against width")
    curves.shared_legend(upper, above[:1])
    left, right, envelope, sums = lower
    _starts(study, left, right)
    curves.several({f"{name} start": one for name, one in study.envelope.items()}, envelope)
    for one in list(study.envelope.values())[:1]:
        first, last = one.widths[[0, -1]]
        end = min(last, FAR * first)  # where it is named
        start = end, 0.5 * one.value[0] * first / end
        curves.power_law(start, first, 1, envelope, text="1/N")
        curves.width_axis(envelope)
    curves.finish(
        envelope, "lowest loss over rates", "median loss (mean squared error)", **below(2)
    )
    for name in EQUAL_SUMS:
        if found := study.sums_of_rates(name):
            curves.log_series(found, sums, *LOOKS[name], name)
    curves.width_axis(sums, "sum of the rates of all steps")
    title = f"loss by sum of rates, N = {study.facts()['middle']}"
    curves.finish(sums, title, "median loss (mean squared error)", **below(2))
    return figure


def _starts(study: Protocol, left: Axes, right: Axes) -> None:
    """A row per start, from the top: exponent and loss; those of the first row as lines."""
    found = {str(start): one for start, one in study.starts.items()}
    widest = max((int(one.points.widths[-1]) for one in found.values()), default=0)
    for ax, what, label in (
        (left, "exponent", "exponent, best rates"),
        (right, "loss", f"median loss, N = {widest}"),
    ):
        rows = {name: {what: getattr(one, what)} for name, one in found.items()}
        curves.forest(rows, ax, {what: (BLUE, "o")})
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
