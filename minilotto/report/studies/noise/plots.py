"""The figure of the study of gradient noise: its variance against width and batch, its parts."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.stats.estimates import estimates
from minilotto.report.plots.parts import estimates_against_width, width_axis
from minilotto.report.plots.style import GREY, Drawing, intervals, mosaic, plain_numbers, style_of

if TYPE_CHECKING:
    from minilotto.report.studies.noise.noise import Noise, Way

BESIDE = 1.09  # factor by which marks of one batch are set apart
FULL = 0


def draw(study: "Noise") -> Drawing:
    """Above, a panel a way; below, exponents, the variance against the batch, and parts."""
    rows = ["aaaabbbbcccc", "dddeeefffggg"]
    figure, axes = mosaic(rows, 13.0, 8.2)
    above = [axes[name] for name in "abc"]
    for way, ax in zip(study.starts, above, strict=True):
        _against_width(study, way, ax)
    limits = [ax.get_ylim() for ax in above if ax.has_data()]
    for ax in above:
        ax.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    _exponents(study, axes["d"])
    _against_batch(study, axes["e"])
    _parts(study, axes["f"], axes["g"])
    return figure


def _against_width(study: "Noise", way: "Way", ax: Axes) -> None:
    """Variance at each batch, the sets' alone, and both predictions from one place."""
    found = study.variance[way]
    for k, (batch, one) in enumerate(sorted(found.items())):
        if batch == FULL:
            estimates_against_width(estimates(one), ax, GREY, "v", "all points (sets alone)")
        else:
            estimates_against_width(estimates(one), ax, *style_of(k - 1), f"batch {batch}")
    noisy = [one for batch, one in found.items() if batch != FULL]
    if noisy:
        largest = max(noisy, key=lambda one: one.value[0])
        ends = np.array([largest.widths[0], largest.widths[-1]])
        for power, line, name in ((1, ":", "1/N: central limit"), (0, "--", "shared by neurons")):
            level = 2.5 * largest.value[0] * (ends[0] / ends) ** power
            ax.plot(ends, level, line, color="black", linewidth=1.0, label=name)
    width_axis(tuple(n for n in (5, 10, 20, 40, 80) if n <= study.settings.widths[-1]), ax)
    ax.set(xlabel="width $N$", title=f"{way}")
    ax.set_ylabel("variance over gradient noise (squared output)")
    ax.legend(fontsize=7, ncols=2, loc="lower left")
    low, high = ax.get_ylim()
    ax.set_ylim(low / 30, high)  # for the legend


def _batch_axis(study: "Noise", ax: Axes) -> None:
    ax.set_xscale("log")
    ax.set_xticks(study.settings.batches, [str(b) for b in study.settings.batches])
    ax.minorticks_off()
    ax.set_xlabel("batch (points)")


def _exponents(study: "Noise", ax: Axes) -> None:
    for k, way in enumerate(study.starts):
        found = {b: e for (one, b), e in study.exponents.items() if one == way}
        at = np.array([*found], float) * BESIDE ** (k - 1)
        intervals(at, list(found.values()), ax, *style_of(k), f"{way}", linestyle="none")
    ax.axhline(1, color="black", linestyle=":", linewidth=1.0, label="central limit")
    ax.axhline(0, color="black", linestyle="--", linewidth=1.0, label="shared by neurons")
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, -0.5), max(high, 1.2))
    _batch_axis(study, ax)
    ax.set(title="exponent $a$ of the variance, as $N^{-a}$", ylabel="exponent $a$ in the width")
    ax.legend(fontsize=7)


def _against_batch(study: "Noise", ax: Axes) -> None:
    ax.set(xscale="log", yscale="log")
    for k, way in enumerate(study.starts):
        if one := study.against_batch(way):
            intervals(one.widths, one, ax, *style_of(k), f"{way}", linestyle="-")
            if k == 0:
                law = 2 * one.value[0] * one.widths[0] / one.widths
                ax.plot(one.widths, law, ":", color="black", linewidth=1.0, label="1/batch")
    _batch_axis(study, ax)
    ax.set(title="variance against the batch")
    ax.set_ylabel("variance over gradient noise (squared output)")
    ax.legend(fontsize=7)


def _parts(study: "Noise", shares: Axes, means: Axes) -> None:
    """Fraction of the loss that is variance, and the rest relative to full batch."""
    for k, way in enumerate(study.starts):
        found = {b: both for b in study.settings.batches if (both := study.pooled(way, b))}
        at = np.array([*found], float) * BESIDE ** (k - 1)
        for place, ax in enumerate((shares, means)):
            values = [both[place] for both in found.values()]
            intervals(at, values, ax, *style_of(k), f"{way}", linestyle="-")
    shares.set(ylim=(0, 1.5), title="variance in the loss", ylabel="variance over noise / loss")
    shares.set_yticks([0, 0.25, 0.5, 0.75, 1])
    shares.axhline(0.5, color=GREY, linewidth=0.8)
    means.axhline(1, color="black", linestyle=":", linewidth=1.0, label="noise averages out")
    means.set(yscale="log", title="loss of the mean over noise")
    means.set_ylabel("relative to full batch")
    plain_numbers(means.yaxis, [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])
    for ax in (shares, means):
        _batch_axis(study, ax)
        ax.legend(fontsize=7, loc="upper right")
