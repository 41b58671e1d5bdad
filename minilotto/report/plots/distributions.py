"""How losses are distributed, on a logarithmic axis: one histogram, and many in one grid."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from matplotlib.axes import Axes

from minilotto.report.plots.style import BLUE, GREY, ORANGE, Drawing, beside, in_corner
from minilotto.settings.arrays import Array

CELL = (1.1, 0.85)  # inches of a histogram in the grid
LEFT, RIGHT, TOP, BOTTOM = 0.95, 0.15, 0.3, 0.6  # around the grid
LABEL_WIDTH = 10.0  # ratio of losses within which two labels would touch


def shares(
    loss: Array,
    ax: Axes,
    edges: Array,
    color: str = BLUE,
    label: str | None = None,
    outline: bool = False,
) -> None:
    """Percentage of the nets in each bin; losses that are not finite or not above 0 left out."""
    kept = loss[np.isfinite(loss) & (loss > 0)]
    options = {"histtype": "step", "linewidth": 1.4} if outline else {"alpha": 0.7}
    weights = np.full(kept.size, 100 / loss.size)
    ax.hist(kept, edges.tolist(), weights=weights, color=color, label=label, **options)
    ax.set(xscale="log", xlabel="loss (mean squared error)", ylabel="nets (%)")


def peak_marks(location: Sequence[float], share: Sequence[float], ax: Axes) -> None:
    """A dotted line at each peak, in ascending order, its percentage above the frame."""
    height, before = 0, 0.0
    for place, part in zip(location, share, strict=True):
        height = 1 - height if place < LABEL_WIDTH * before else 0
        before = place
        ax.axvline(place, color=ORANGE, linewidth=0.8, linestyle=":")
        text, frame = f"{100 * part:.0f}%" if part >= 0.01 else "<1%", ax.get_xaxis_transform()
        offset = (0, 2 + 9 * height)
        beside(text, (place, 1.0), offset, ax, frame, ha="center", va="bottom", color=ORANGE)


def note(text: str, ax: Axes, right: bool = True) -> None:
    in_corner(text, ax, right, 0.95, fontsize=9)


def histogram_grid(
    losses: Mapping[tuple[str, int], Array],
    counts: Mapping[tuple[str, int], int],
    rows: Mapping[str, str],
    columns: Mapping[int, str],
    bins_per_decade: int,
) -> Drawing:
    """Histograms of log10 loss by row and column, which have names, all over one range, each of its
    own height, with the median and, in a free corner, a count above one. Losses that are not finite
    or not above zero are left out.
    """
    exponents = {
        place: np.log10(loss[np.isfinite(loss) & (loss > 0)]) for place, loss in losses.items()
    }
    everything = np.concatenate(list(exponents.values()))
    low, high = np.floor(everything.min()), np.ceil(everything.max() + 1e-9)
    edges = np.linspace(low, high, int(high - low) * bins_per_decade + 1)
    width, height = LEFT + CELL[0] * len(columns) + RIGHT, TOP + CELL[1] * len(rows) + BOTTOM
    figure = Drawing(figsize=(width, height))
    figure.subplots_adjust(
        LEFT / width, BOTTOM / height, 1 - RIGHT / width, 1 - TOP / height, wspace=0.12, hspace=0.25
    )
    step = 4 if high - low > 6 else 2
    ticks = np.arange(-(-low // step) * step, high + 1, step)
    names = [f"$10^{{{tick:.0f}}}$" for tick in ticks]
    for number, at in enumerate(product(rows, columns)):
        # Axes that share nothing, and count decades: the cost of sharing is quadratic, and
        # logarithmic ticks are slow.
        ax = figure.add_subplot(len(rows), len(columns), number + 1)
        ax.set(xlim=(low, high), yticks=[])
        ax.spines["left"].set_visible(False)
        ax.set_xticks(ticks, names if number >= (len(rows) - 1) * len(columns) else [], fontsize=7)
        if number < len(columns):
            ax.set_title(columns[at[1]], loc="center", fontsize=9)
        if number % len(columns) == 0:
            ax.set_ylabel(rows[at[0]], rotation=0, ha="right", va="center")
        values = exponents.get(at)
        if values is None or not values.size:
            beside("none", (0.5, 0.5), (0, 0), ax, "axes fraction", ha="center")
            continue
        ax.stairs(np.histogram(values, edges)[0], edges, fill=True, color=BLUE, alpha=0.7)
        ax.set_ylim(0)
        middle = float(np.median(values))
        ax.axvline(middle, color=GREY, linewidth=0.8, linestyle=":")
        if counts.get(at, 0) > 1:
            look = {"fontsize": 9, "fontweight": "bold", "color": ORANGE}
            in_corner(f"{counts[at]}", ax, middle < (low + high) / 2, 1.0, **look)
    figure.supxlabel("loss (mean squared error)", fontsize=10, y=0.12 / height)
    return figure
