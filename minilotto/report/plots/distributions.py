"""How losses are distributed, on a logarithmic axis."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from minilotto.report.plots.style import BLUE, ORANGE, beside, in_corner
from minilotto.settings.arrays import Array

LABEL_WIDTH = 10.0  # ratio of losses within which two labels would touch


def shares(
    loss: Array,
    ax: Axes,
    edges: Array,
    color: str = BLUE,
    label: str | None = None,
    outline: bool = False,
) -> Axes:
    """Percentage of the nets in each bin; losses that are not finite or not above 0 left out."""
    kept = loss[np.isfinite(loss) & (loss > 0)]
    options = {"histtype": "step", "linewidth": 1.4} if outline else {"alpha": 0.7}
    weights = np.full(kept.size, 100 / loss.size)
    ax.hist(kept, edges.tolist(), weights=weights, color=color, label=label, **options)
    ax.set(xscale="log", xlabel="loss (mean squared error)", ylabel="nets (%)")
    return ax


def peak_marks(location: Sequence[float], share: Sequence[float], ax: Axes) -> Axes:
    """A dotted line at each peak, in ascending order, its percentage above the frame."""
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
