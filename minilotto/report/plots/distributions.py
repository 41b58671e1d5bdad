"""Losses on a logarithmic axis: how they are distributed, and how they fall with the steps."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from minilotto.report.plots.style import BLUE, ORANGE, beside, in_corner
from minilotto.settings.arrays import Array

LABEL_WIDTH = 10.0  # ratio of losses within which two labels would touch


def log_edges(low: float, high: float, bins_per_decade: int) -> Array:
    """Edges of equal bins in log10, aligned with the decades, that hold [low, high]."""
    first = np.floor(np.log10(low) * bins_per_decade + 1e-9)
    last = np.floor(np.log10(high) * bins_per_decade + 1e-9) + 1
    return 10.0 ** (np.arange(first, last + 1) / bins_per_decade)


def edges_of(loss: Array, bins_per_decade: int) -> Array:
    """The same for all losses that are finite and above zero."""
    kept = loss[np.isfinite(loss) & (loss > 0)]
    return log_edges(kept.min(), kept.max(), bins_per_decade)


def shares(
    loss: Array,
    ax: Axes,
    edges: Array,
    color: str = BLUE,
    label: str | None = None,
    outline: bool = False,
) -> Axes:
    """Percentage of the nets in each bin; losses that are not finite or not above zero are left
    out.
    """
    kept = loss[np.isfinite(loss) & (loss > 0)]
    options = {"histtype": "step", "linewidth": 1.4} if outline else {"alpha": 0.7}
    weights = np.full(kept.size, 100 / loss.size)
    ax.hist(kept, edges.tolist(), weights=weights, color=color, label=label, **options)
    ax.set(xscale="log", xlabel="loss (mean squared error)", ylabel="nets (%)")
    return ax


def peak_marks(location: Sequence[float], share: Sequence[float], ax: Axes) -> Axes:
    """A dotted line at each peak, in ascending order, with its percentage above the frame; the
    heights of near neighbours alternate.
    """
    height, before = 0, 0.0
    for place, part in zip(location, share, strict=True):
        height = 1 - height if place < LABEL_WIDTH * before else 0
        before = place
        ax.axvline(place, color=ORANGE, linewidth=0.8, linestyle=":")
        text, frame = f"{100 * part:.0f}%" if part >= 0.01 else "<1%", ax.get_xaxis_transform()
        offset = (0, 2 + 9 * height)
        beside(text, (place, 1.0), offset, ax, frame, ha="center", va="bottom", color=ORANGE)
    return ax


def note(text: str, ax: Axes, right: bool = True) -> Axes:
    """A few words in an upper corner."""
    return in_corner(text, ax, right, 0.95, fontsize=9)


def loss_history(steps: NDArray[np.int64], loss: Array, ax: Axes) -> Axes:
    """Median loss against step with the central half and nine tenths of the seeds: steps (C,), loss
    (C, R), NaN ignored.
    """
    levels = np.nanquantile(loss, (0.05, 0.25, 0.5, 0.75, 0.95), axis=1)
    for k, alpha, text in ((0, 0.15, "90 % of seeds"), (1, 0.35, "50 % of seeds")):
        band = ax.fill_between(steps, levels[k], levels[4 - k], color=BLUE, alpha=alpha, label=text)
        band.set_linewidth(0)
    ax.plot(steps, levels[2], color=BLUE, linewidth=1.8, label="median")
    ax.set_xscale("symlog", linthresh=1)
    ax.set_yscale("log")
    ax.set_xlim(0, steps[-1])
    ax.set_xticks([0, *(10**k for k in range(len(str(steps[-1]))))])
    ax.set(xlabel="step", ylabel="loss (mean squared error)")
    ax.legend(loc="lower left")
    return ax


def loss_histogram(loss: Array, ax: Axes, bins_per_decade: int = 20) -> Axes:
    """Histogram of final losses (R,), lying on its side so that it shares the logarithmic loss axis
    of a history.
    """
    kept = loss[np.isfinite(loss) & (loss > 0)]
    edges = edges_of(loss, bins_per_decade)
    ax.hist(kept, bins=edges.tolist(), orientation="horizontal", color=BLUE, alpha=0.75)
    median = float(np.median(kept))
    ax.axhline(median, color=ORANGE, linewidth=1.2, label=f"median {median:.2g}")
    ax.set(yscale="log", xlabel=f"nets per 1/{bins_per_decade} decade")
    ax.tick_params(axis="y", which="both", left=False, labelleft=False)
    ax.legend(loc="upper right")
    return ax
