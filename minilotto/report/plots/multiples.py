"""Many small histograms in one grid."""

from collections.abc import Mapping, Sequence

import numpy as np

from minilotto.report.plots.style import BLUE, GREY, ORANGE, Drawing, beside
from minilotto.settings.arrays import Array

CELL = (1.1, 0.85)  # inches
LEFT, RIGHT, TOP, BOTTOM = 0.95, 0.15, 0.3, 0.6


def histogram_grid(
    losses: Mapping[tuple[int, int], Array],
    counts: Mapping[tuple[int, int], int],
    rows: Sequence[str],
    columns: Sequence[str],
    bins_per_decade: int,
) -> Drawing:
    """Histograms of log10 loss by (row, column), all over one range, each of its own height, with
    the median and a count.

    Losses that are not finite or not above zero are left out. A count above one is written into a
    corner that is free.
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
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            # Axes that share nothing, and count decades: the cost of sharing is quadratic, and
            # logarithmic ticks are slow.
            ax = figure.add_subplot(len(rows), len(columns), i * len(columns) + j + 1)
            ax.set_xlim(low, high)
            ax.set_yticks([])
            ax.spines["left"].set_visible(False)
            last = i == len(rows) - 1
            ax.set_xticks(
                ticks, [f"$10^{{{tick:.0f}}}$" for tick in ticks] if last else [], fontsize=7
            )
            if i == 0:
                ax.set_title(column, loc="center", fontsize=9)
            if j == 0:
                ax.set_ylabel(row, rotation=0, ha="right", va="center")
            values = exponents.get((i, j))
            if values is None or not values.size:
                beside("none", (0.5, 0.5), (0, 0), ax, "axes fraction", ha="center")
                continue
            ax.stairs(np.histogram(values, edges)[0], edges, fill=True, color=BLUE, alpha=0.7)
            ax.set_ylim(0)
            middle = float(np.median(values))
            ax.axvline(middle, color=GREY, linewidth=0.8, linestyle=":")
            if counts.get((i, j), 0) > 1:
                right = middle < (low + high) / 2
                place, side = (0.98, "right") if right else (0.02, "left")
                options = {"ha": side, "va": "top", "fontsize": 9, "fontweight": "bold"}
                text, corner = f"{counts[i, j]}", (place, 1.0)
                beside(text, corner, (0, 0), ax, "axes fraction", color=ORANGE, **options)
    figure.supxlabel("loss (mean squared error)", fontsize=10, y=0.12 / height)
    return figure
