"""The figure of the study of ensembling."""

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.ensembling.attribution import STEPS
from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.figure import PAPER_COUNTS
from minilotto.report.plots import curves
from minilotto.report.plots.style import (
    BLUE,
    GREY,
    ORANGE,
    PALETTE,
    Drawing,
    intervals,
    mosaic,
    plain_numbers,
)
from minilotto.report.rules import LEVEL
from minilotto.report.studies.ensembling.analysis import LEAST_TICKETS, Ensembles
from minilotto.report.studies.ensembling.ensembling import Ensembling

SHOWN = 5  # widths whose means are drawn
PARTS = {"loss": "loss", "bias": "bias: common to all seeds", "variance": "variance: between seeds"}
TICKETS = {
    "independent": "independent (participation ratio)",
    "needed": "needed by Eq. 9 for the net's loss",
    "groups": "independent (groups with |correlation| above 0.9)",
}


def draw(study: Ensembling) -> Drawing:
    found = study.found
    rows = [[f"parts {name}", f"means {name}", f"gains {name}"] for name in found]
    below = ["cosines", "tickets", "tickets"]
    figure, axes = mosaic([*rows, below], 11.0, 3.2 * len(rows) + 3.0)
    for name, one in found.items():
        parts = axes[f"parts {name}"]
        by_width = {n: at.parts for n, at in one.widths.items()}
        curves.several(
            {w: {n: getattr(at, p) for n, at in by_width.items()} for p, w in PARTS.items()}, parts
        )
        curves.width_axis(parts)
        title = f"{one.label}: bias and variance"
        curves.finish(parts, title, "mean loss, central half", loc="upper right")
        _means(one, axes[f"means {name}"])
        _gains(one, axes[f"gains {name}"])
    axes[rows[-1][-1]].legend(loc="lower right", fontsize=8)
    _cosines(list(found.values()), axes["cosines"])
    first, ax = next(iter(found.values())), axes["tickets"]
    counted = {n: at.tickets for n, at in first.widths.items() if at.tickets}
    curves.several({w: {n: each[k] for n, each in counted.items()} for k, w in TICKETS.items()}, ax)
    counts = list(PAPER_COUNTS), list(PAPER_COUNTS.values())
    ax.plot(*counts, "*", color=GREY, markersize=9, label="the paper: 1, 2, 3")
    curves.width_axis(ax)
    title = f"{first.label}: independent tickets that nets have, and would need"
    curves.finish(ax, title, "tickets in a net", loc="lower left")
    return figure


def _means(one: Ensembles, ax: Axes) -> None:
    means = {n: at.means for n, at in one.widths.items() if at.means is not None}
    wide = [n for n in means if n >= LEAST_TICKETS] or list(means)
    picked = wide[:: max(1, -(-len(wide) // SHOWN))]
    longest = max((float(means[width].sizes[-1]) for width in picked), default=2.0)
    for width, color in zip(picked, PALETTE, strict=False):
        found = means[width]
        base = found.loss[0]
        ends = np.stack([found.loss, found.low, found.high], axis=1) / base
        bars = [Estimate(value, low, high, LEVEL) for value, low, high in ends.tolist()]
        intervals(found.sizes, bars, ax, color, "o", f"N = {width}", linestyle="none")
        fine = np.geomspace(1, found.sizes[-1], 50)
        ax.plot(fine, found.line(fine) / base, color=color, linewidth=0.9)
    curves.power_law((1, 1), longest, 1, ax, "1/R, as Eq. 9 has it")
    ax.set_xscale("log", base=2)
    plain_numbers(ax.xaxis, [2**k for k in range(7) if 2**k <= longest])
    ax.set(yscale="log", xlabel="nets averaged, $R$")
    ax.minorticks_off()
    title = "means of R nets; lines: bias + variance/R"
    curves.finish(ax, title, "loss of the mean / of one net", loc="lower left")


def _gains(one: Ensembles, ax: Axes) -> None:
    at = np.arange(len(one.gains))
    for k, name in enumerate(STEPS):
        parts = [gain.parts[name] for gain in one.gains.values()]
        value, low, high = np.array([(part.value, part.low, part.high) for part in parts]).T
        bars, place = np.abs([value - low, high - value]), at + (k - 1) * 0.26
        ax.bar(place, value, 0.24, yerr=bars, color=PALETTE[k], alpha=0.8, capsize=2, label=name)
    gains = [gain.gain.value for gain in one.gains.values()]
    ax.hlines(gains, at - 0.4, at + 0.4, color="black", linewidth=1.2, label="the gain")
    label = "log 2, as Eq. 9 has it"
    ax.axhline(np.log10(2), color=GREY, linestyle=":", linewidth=1.2, label=label)
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set_xticks(at, [f"{a} to {b}" for a, b in one.gains], rotation=30, ha="right")
    ax.set_yscale("symlog", linthresh=1, linscale=1.5)
    plain_numbers(ax.yaxis, [-3, -1, -0.5, 0, 0.5, 1, 3])
    curves.finish(ax, "gain from N/2 to N, and its parts", "decades of loss")


def _cosines(found: list[Ensembles], ax: Axes) -> None:
    for one, color in zip(found, (BLUE, ORANGE), strict=False):
        seeds = {n: at.cosine for n, at in one.widths.items()}
        curves.series(seeds, ax, color, "o", f"{one.label}, two seeds")
        within = {n: at.tickets["alike"] for n, at in one.widths.items() if at.tickets}
        within = {n: cosine for n, cosine in within.items() if np.isfinite(cosine.value)}
        curves.series(within, ax, color, "D", f"{one.label}, two pairs of a net (size)", "--")
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set_xscale("log")
    curves.width_axis(ax)
    ax.set_ylim(-0.15, 1.5)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    title = "how similar errors are"
    curves.finish(ax, title, "cosine of errors, median", loc="upper left", fontsize=7)
