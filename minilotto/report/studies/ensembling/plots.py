"""The figure of the study of ensembling."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.ensembling.attribution import STEPS
from minilotto.report.plots.estimates import estimates_on_line
from minilotto.report.plots.parts import estimates_against_width, width_axis
from minilotto.report.plots.style import BLUE, GREEN, GREY, ORANGE, PALETTE, mosaic, plain_numbers
from minilotto.report.studies.ensembling.analysis import LEAST_TICKETS, PAPER_COUNTS, Ensembles

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing
    from minilotto.report.studies.ensembling.ensembling import Ensembling

SHOWN = 5  # widths whose means are drawn
TICKS = (1, 3, 10, 30, 100, 300, 1000)


def draw(study: "Ensembling") -> "Drawing":
    """A row for each activation; below, cosines and numbers of tickets, beside the paper's."""
    found = study.found
    rows = [[f"parts {name}", f"means {name}", f"gains {name}"] for name in found]
    below = ["cosines", "tickets", "tickets"]
    figure, axes = mosaic([*rows, below], 11.0, 3.2 * len(rows) + 3.0)
    for name, one in found.items():
        _parts(one, axes[f"parts {name}"])
        _means(one, axes[f"means {name}"])
        _gains(one, axes[f"gains {name}"])
    axes[rows[-1][-1]].legend(loc="lower right", fontsize=8)
    _cosines(list(found.values()), axes["cosines"])
    _tickets(next(iter(found.values())), axes["tickets"])
    return figure


def _parts(one: Ensembles, ax: Axes) -> None:
    for part, color, mark, label in (
        ("loss", BLUE, "o", "loss"),
        ("bias", ORANGE, "s", "bias: common to all seeds"),
        ("variance", GREEN, "D", "variance: between seeds"),
    ):
        found = {n: getattr(at.parts, part) for n, at in one.widths.items()}
        estimates_against_width(found, ax, color, mark, label)
    _width_axis(ax, one.widths)
    ax.set(ylabel="mean loss, central half", title=f"{one.label}: bias and variance")
    ax.legend(loc="upper right", fontsize=8)


def _means(one: Ensembles, ax: Axes) -> None:
    means = {n: at.means for n, at in one.widths.items() if at.means is not None}
    wide = [n for n in means if n >= LEAST_TICKETS] or list(means)
    picked = wide[:: max(1, -(-len(wide) // SHOWN))]
    longest = max((float(means[width].sizes[-1]) for width in picked), default=2.0)
    for width, color in zip(picked, PALETTE, strict=False):
        found = means[width]
        base = found.loss[0]
        bars = np.stack([found.loss - found.low, found.high - found.loss]) / base
        marks: dict[str, Any] = {"fmt": "o", "color": color, "markersize": 3.5, "capsize": 2}
        ax.errorbar(found.sizes, found.loss / base, bars, label=f"N = {width}", **marks)
        fine = np.geomspace(1, found.sizes[-1], 50)
        ax.plot(fine, found.line(fine) / base, color=color, linewidth=0.9)
    law, label = [1, 1 / longest], "1/R, as Eq. 9 has it"
    ax.plot([1, longest], law, color=GREY, linestyle=":", linewidth=1.2, label=label)
    ax.set_xscale("log", base=2)
    plain_numbers(ax.xaxis, [2**k for k in range(7) if 2**k <= longest])
    ax.set(yscale="log", title="means of R nets; lines: bias + variance/R")
    ax.minorticks_off()
    ax.set(xlabel="nets averaged, $R$", ylabel="loss of the mean / of one net")
    ax.legend(loc="lower left", fontsize=8)


def _gains(one: Ensembles, ax: Axes) -> None:
    at = np.arange(len(one.gains))
    for k, (name, color) in enumerate(zip(STEPS, (BLUE, ORANGE, GREEN), strict=True)):
        parts = [gain.parts[name] for gain in one.gains.values()]
        value, low, high = np.array([(part.value, part.low, part.high) for part in parts]).T
        bars, place = np.abs([value - low, high - value]), at + (k - 1) * 0.26
        ax.bar(place, value, 0.24, yerr=bars, color=color, alpha=0.8, capsize=2, label=name)
    gains = [gain.gain.value for gain in one.gains.values()]
    ax.hlines(gains, at - 0.4, at + 0.4, color="black", linewidth=1.2, label="the gain")
    label = "log 2, as Eq. 9 has it"
    ax.axhline(np.log10(2), color=GREY, linestyle=":", linewidth=1.2, label=label)
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set_xticks(at, [f"{a} to {b}" for a, b in one.gains], rotation=30, ha="right")
    ax.set(ylabel="decades of loss", title="gain from N/2 to N, and its parts")
    ax.set_yscale("symlog", linthresh=1, linscale=1.5)
    plain_numbers(ax.yaxis, [-3, -1, -0.5, 0, 0.5, 1, 3])


def _cosines(found: list[Ensembles], ax: Axes) -> None:
    for one, color in zip(found, (BLUE, ORANGE), strict=False):
        seeds = {n: at.cosine for n, at in one.widths.items()}
        estimates_on_line(seeds, ax, color, "o", f"{one.label}, two seeds")
        within = {n: at.tickets["alike"] for n, at in one.widths.items() if at.tickets}
        within = {n: cosine for n, cosine in within.items() if np.isfinite(cosine.value)}
        estimates_on_line(within, ax, color, "D", f"{one.label}, two pairs of a net (size)", "--")
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set_xscale("log")
    _width_axis(ax, found[0].widths)
    ax.set(ylim=(-0.15, 1.5), ylabel="cosine of errors, median", title="how similar errors are")
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    ax.legend(loc="upper left", fontsize=7)


def _tickets(one: Ensembles, ax: Axes) -> None:
    counted = {n: at.tickets for n, at in one.widths.items() if at.tickets}
    for kind, color, mark, label in (
        ("independent", BLUE, "o", "independent (participation ratio)"),
        ("groups", GREEN, "D", "independent (groups with |correlation| above 0.9)"),
        ("needed", ORANGE, "s", "needed by Eq. 9 for the net's loss"),
    ):
        found = {n: each[kind] for n, each in counted.items()}
        estimates_against_width(found, ax, color, mark, label)
    label = "the paper: 1, 2, 3"
    ax.plot(
        list(PAPER_COUNTS), list(PAPER_COUNTS.values()), "*", color=GREY, markersize=9, label=label
    )
    _width_axis(ax, counted or one.widths)
    ax.set_ylim(bottom=min(ax.get_ylim()[0], 1e-3))  # for the legend
    ax.set_ylabel("tickets in a net")
    ax.legend(loc="lower left", fontsize=8)
    ax.set_title(f"{one.label}: independent tickets that nets have, and would need")


def _width_axis(ax: Axes, widths: Iterable[int]) -> None:
    """Some of the widths below a logarithmic axis."""
    width_axis(tuple(width for width in TICKS if min(widths) <= width <= max(widths)), ax)
    ax.set_xlabel("width $N$")
