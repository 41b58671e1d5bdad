"""The figure of the study of gradient noise: its variance against width and batch, its parts."""

from matplotlib.axes import Axes

from minilotto.report.plots.curves import log_series, power_law, side_by_side, width_axis
from minilotto.report.plots.style import GREY, Drawing, intervals, mosaic, plain_numbers, style_of
from minilotto.report.studies.noise.noise import FULL, Noise, Way

BESIDE = 1.09  # factor by which marks of one batch are set apart


def draw(study: Noise) -> Drawing:
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


def _against_width(study: Noise, way: Way, ax: Axes) -> None:
    """Variance at each batch, the sets' alone, and both predictions from one place."""
    found = study.variance[way]
    for k, (batch, one) in enumerate(sorted(found.items())):
        if batch == FULL:
            log_series(one, ax, GREY, "v", "all points (sets alone)")
        else:
            log_series(one, ax, *style_of(k - 1), f"batch {batch}")
    noisy = [one for batch, one in found.items() if batch != FULL]
    if noisy:
        largest = max(noisy, key=lambda one: one.value[0])
        start, end = (largest.widths[0], 2.5 * largest.value[0]), largest.widths[-1]
        power_law(start, end, 1, ax, "1/N: central limit")
        power_law(start, end, 0, ax, "shared by neurons", linestyle="--")
    width_axis(ax)
    ax.set_title(f"{way}")
    ax.set_ylabel("variance over gradient noise (squared output)")
    ax.legend(fontsize=7, ncols=2, loc="lower left")
    low, high = ax.get_ylim()
    ax.set_ylim(low / 30, high)  # for the legend


def _batch_axis(study: Noise, ax: Axes) -> None:
    ax.set_xscale("log")
    ax.set_xticks(study.settings.batches, [str(b) for b in study.settings.batches])
    ax.minorticks_off()
    ax.set_xlabel("batch (points)")


def _exponents(study: Noise, ax: Axes) -> None:
    found = {
        str(way): {b: e for (one, b), e in study.exponents.items() if one == way}
        for way in study.starts
    }
    side_by_side(found, ax, BESIDE, linestyle="none")
    ax.axhline(1, color="black", linestyle=":", linewidth=1.0, label="central limit")
    ax.axhline(0, color="black", linestyle="--", linewidth=1.0, label="shared by neurons")
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, -0.5), max(high, 1.2))
    _batch_axis(study, ax)
    ax.set(title="exponent $a$ of the variance, as $N^{-a}$", ylabel="exponent $a$ in the width")
    ax.legend(fontsize=7)


def _against_batch(study: Noise, ax: Axes) -> None:
    ax.set(xscale="log", yscale="log")
    for k, way in enumerate(study.starts):
        if one := study.against_batch(way):
            intervals(one.widths, one, ax, *style_of(k), f"{way}", linestyle="-")
            if k == 0:
                power_law((one.widths[0], 2 * one.value[0]), one.widths[-1], 1, ax, "1/batch")
    _batch_axis(study, ax)
    ax.set(title="variance against the batch")
    ax.set_ylabel("variance over gradient noise (squared output)")
    ax.legend(fontsize=7)


def _parts(study: Noise, shares: Axes, means: Axes) -> None:
    batches = study.settings.batches
    for place, ax in enumerate((shares, means)):
        found = {
            str(way): {b: both[place] for b in batches if (both := study.pooled(way, b))}
            for way in study.starts
        }
        side_by_side(found, ax, BESIDE, linestyle="-")
    shares.set(ylim=(0, 1.5), title="variance in the loss", ylabel="variance over noise / loss")
    shares.set_yticks([0, 0.25, 0.5, 0.75, 1])
    shares.axhline(0.5, color=GREY, linewidth=0.8)
    means.axhline(1, color="black", linestyle=":", linewidth=1.0, label="noise averages out")
    means.set(yscale="log", title="loss of the mean over noise")
    means.set_ylabel("relative to full batch")
    plain_numbers(means.yaxis)
    for ax in (shares, means):
        _batch_axis(study, ax)
        ax.legend(fontsize=7, loc="upper right")
