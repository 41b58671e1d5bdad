"""One style for every figure: colours that colour-blind readers tell apart, grids of panels, values
with intervals, and files.
"""

from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from minilotto.analysis.stats.bootstrap import Estimate, Points

Drawing = Figure  # by this name elsewhere, where a Figure is one of the paper's
# Okabe and Ito's palette.
BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER, GREY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#666666",
)
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER)
_STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.hashsalt": "minilotto",
    "pdf.fonttype": 42,
}
_UNDATED: Any = {".png": {"Software": None}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}


def style() -> Any:
    """A context in which everything here should be drawn and saved."""
    return rc_context(rc=_STYLE)


def new_figure(width: float, height: float, ratios: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """A figure of some inches with panels side by side that share their vertical axis."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, len(ratios), sharey=True, width_ratios=ratios, squeeze=False)[0]
    return figure, list(axes)


def grid(
    rows: int, columns: int, width: float, height: float, **options: Any
) -> tuple[Figure, list[list[Axes]]]:
    """A figure of some inches with rows x columns panels; `options` go to matplotlib's `subplots`."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [list(row) for row in axes]


def panels(
    count: int, columns: int, width: float, height: float, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels of some inches each, by rows; the rest of the last row is blank."""
    rows = -(-count // columns)
    figure, axes = grid(rows, columns, width * columns, height * rows, **options)
    every = [ax for row in axes for ax in row]
    for ax in every[count:]:
        ax.set_visible(False)
    return figure, every[:count]


def mosaic(
    pattern: Sequence[Sequence[str]], width: float, height: float, **options: Any
) -> tuple[Figure, dict[str, Axes]]:
    """A figure of some inches with panels of several sizes, by name; `options` go to matplotlib's
    `subplot_mosaic`.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, dict(figure.subplot_mosaic([list(row) for row in pattern], **options))


def intervals(
    x: ArrayLike,
    found: Points | Sequence[Estimate],
    ax: Axes,
    color: str,
    marker: str,
    label: str | None = None,
    **options: Any,
) -> Axes:
    """Values with their intervals at x (n,); `options` go to matplotlib's `errorbar`."""
    value, low, high = (
        np.array(
            getattr(found, end) if isinstance(found, Points) else [getattr(e, end) for e in found]
        )
        for end in ("value", "low", "high")
    )
    options = {"markersize": 4, "linewidth": 1.0, "capsize": 2, "label": label, **options}
    ax.errorbar(
        x, value, np.abs([value - low, high - value]), None, color=color, marker=marker, **options
    )
    return ax


def lay_out(figure: Figure) -> None:
    """Place panels, labels and legends for good; else every `save` would do it again."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def save(figure: Figure, file: BinaryIO, suffix: str) -> None:
    """Write a figure as .png, .pdf or .svg: the same bytes for the same figure, whenever it is
    drawn.
    """
    figure.savefig(file, format=suffix[1:], dpi=160, metadata=_UNDATED[suffix])
