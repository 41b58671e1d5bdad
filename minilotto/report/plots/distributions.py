"""Distributions of final losses on a logarithmic axis."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from minilotto.report.plots.style import BLUE, GREY, ORANGE

Array = NDArray[np.float64]
LABEL_WIDTH = 10.0  # ratio of losses within which two labels would touch


def log_edges(low: float, high: float, bins_per_decade: int) -> Array:
    """Edges of equal bins in log10, aligned with the decades, that hold [low, high]."""
    first = np.floor(np.log10(low) * bins_per_decade + 1e-9)
    last = np.floor(np.log10(high) * bins_per_decade + 1e-9) + 1
    return 10.0 ** (np.arange(first, last + 1) / bins_per_decade)


def shares(
    loss: Array,
    ax: Axes,
    edges: Array,
    color: str = BLUE,
    label: str | None = None,
    outline: bool = False,
) -> Axes:
    """Share of the nets in each bin, in percent; losses that are not finite or not above zero are
    left out.
    """
    kept = loss[np.isfinite(loss) & (loss > 0)]
    options = {"histtype": "step", "linewidth": 1.4} if outline else {"alpha": 0.7}
    ax.hist(
        kept,
        bins=edges.tolist(),
        weights=np.full(kept.size, 100 / loss.size),
        color=color,
        label=label,
        **options,
    )
    ax.set_xscale("log")
    ax.set_xlabel("loss (mean squared error)")
    ax.set_ylabel("nets (%)")
    return ax


def peak_marks(location: Sequence[float], share: Sequence[float], ax: Axes) -> Axes:
    """A dotted line at each peak, from the lowest up, with its share above the frame; near
    neighbours take turns in height.
    """
    height, before = 0, 0.0
    for place, part in zip(location, share, strict=True):
        height = 1 - height if place < LABEL_WIDTH * before else 0
        before = place
        ax.axvline(place, color=ORANGE, linewidth=0.8, linestyle=":")
        ax.annotate(
            f"{100 * part:.0f}%" if part >= 0.01 else "<1%",
            (place, 1.0),
            xycoords=ax.get_xaxis_transform(),
            textcoords="offset points",
            xytext=(0, 2 + 9 * height),
            ha="center",
            va="bottom",
            fontsize=8,
            color=ORANGE,
        )
    return ax


def note(text: str, ax: Axes, right: bool = True) -> Axes:
    """A few words in an upper corner."""
    place = (0.98, 0.95) if right else (0.02, 0.95)
    ax.annotate(
        text,
        place,
        xycoords="axes fraction",
        ha="right" if right else "left",
        va="top",
        fontsize=9,
        color=GREY,
    )
    return ax
