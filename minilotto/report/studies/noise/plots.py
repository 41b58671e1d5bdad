"""The figure of the study of gradient noise: its variance against width and batch, its parts."""

from matplotlib.axes import Axes

from minilotto.report.plots import curves
from minilotto.report.plots.style import GREY, Drawing, mosaic, plain_numbers
from minilotto.report.studies.noise.noise import FULL, Noise, Way

BESIDE = 1.09  # factor by which marks of one batch are set apart
VARIANCE = "variance over gradient noise (squared output)"


def draw(study: Noise) -> Drawing:
    figure, axes = mosaic(["aaaabbbbcccc", "dddeeefffggg"], 13.0, 8.2)
    above = [axes[name] for name in "abc"]
    for way, ax in zip(study.starts, above, strict=True):
        _against_width(study, way, ax)
    limits = [ax.get_ylim() for ax in above if ax.has_data()]
    for ax in above:
        ax.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    exponents, against_batch, shares, means = (axes[name] for name in "defg")
    found = {
        str(way): {b: e for (one, b), e in study.exponents.items() if one == way}
        for way in study.starts
    }
    curves.side_by_side(found, exponents, BESIDE, linestyle="none")
    curves.exponent_lines(exponents, "central limit", "shared by neurons")
    curves.several({str(way): study.against_batch(way) for way in study.starts}, against_batch)
    if one := study.against_batch(next(iter(study.starts))):
        start = one.widths[0], 2 * one.value[0]
        curves.power_law(start, one.widths[-1], 1, against_batch, "1/batch")
    batches = study.settings.batches
    for place, ax in enumerate((shares, means)):
        parts = {
            str(way): {b: both[place] for b in batches if (both := study.pooled(way, b))}
            for way in study.starts
        }
        curves.side_by_side(parts, ax, BESIDE, linestyle="-")
    shares.set(ylim=(0, 1.5), yticks=[0, 0.25, 0.5, 0.75, 1])
    shares.axhline(0.5, color=GREY, linewidth=0.8)
    means.axhline(1, color="black", linestyle=":", linewidth=1.0, label="noise averages out")
    means.set_yscale("log")
    for ax, title, label in (
        (exponents, "exponent $a$ of the variance, as $N^{-a}$", "exponent $a$ in the width"),
        (against_batch, "variance against the batch", VARIANCE),
        (shares, "variance in the loss", "variance over noise / loss"),
        (means, "loss of the mean over noise", "relative to full batch"),
    ):
        curves.width_axis(ax, "batch (points)", batches)
        curves.finish(
            ax, title, label, fontsize=7, loc="best" if ax is exponents else "upper right"
        )
    plain_numbers(means.yaxis)
    return figure


def _against_width(study: Noise, way: Way, ax: Axes) -> None:
    """Variance at each batch, the sets' alone, and both predictions from one place."""
    found = dict(sorted(study.variance[way].items()))
    if full := found.pop(FULL, None):
        curves.log_series(full, ax, GREY, "v", "all points (sets alone)")
    curves.several({f"batch {batch}": one for batch, one in found.items()}, ax)
    if found:
        largest = max(found.values(), key=lambda one: one.value[0])
        start, end = (largest.widths[0], 2.5 * largest.value[0]), largest.widths[-1]
        curves.power_law(start, end, 1, ax, "1/N: central limit")
        curves.power_law(start, end, 0, ax, "shared by neurons", linestyle="--")
    curves.width_axis(ax)
    curves.finish(ax, f"{way}", VARIANCE, fontsize=7, ncols=2, loc="lower left")
    low, high = ax.get_ylim()
    ax.set_ylim(low / 30, high)  # for the legend
