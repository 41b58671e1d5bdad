"""One style for every figure: colours, grids of panels, values with intervals, and files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes as Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, StrMethodFormatter
from numpy.typing import ArrayLike
from PIL import Image  # which matplotlib needs itself

from minilotto.analysis.stats.bootstrap import Estimate, Points
from minilotto.ensemble.plots import AMBER as AMBER
from minilotto.ensemble.plots import BLUE as BLUE
from minilotto.ensemble.plots import GREEN as GREEN
from minilotto.ensemble.plots import GREY as GREY
from minilotto.ensemble.plots import ORANGE as ORANGE
from minilotto.ensemble.plots import PALETTE as PALETTE
from minilotto.ensemble.plots import PURPLE as PURPLE
from minilotto.ensemble.plots import SKY as SKY

Drawing = Figure  # by this name elsewhere, where a Figure is one of the paper's
MARKERS = "osDPX"  # no triangles: those point beyond the frame
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
PLACES = (
    *("upper right", "upper left", "lower left", "lower right"),
    *("upper center", "lower center", "center right", "center left"),
)
ROOM = 12  # times that a panel may grow by a tenth for its legend
_UNDATED: Any = {".png": {"Software": None}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}


@contextmanager
def style() -> Iterator[None]:
    """A context in which all here should be drawn and saved, whatever a matplotlibrc says."""
    with rc_context():
        rcdefaults()
        rcParams.update(_STYLE)
        yield


def grid(
    rows: int, columns: int, width: float, height: float, **options: Any
) -> tuple[Figure, list[list[Axes]]]:
    """A figure of some inches with rows x columns panels; `options` go to `subplots`."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [list(row) for row in axes]


def panels(
    count: int, columns: int, width: float, height: float, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels of some inches each, row by row; the last row may end early."""
    rows = -(-count // columns)
    figure, axes = grid(rows, columns, width * columns, height * rows, **options)
    every = [ax for row in axes for ax in row]
    for ax in every[count:]:
        ax.set_visible(False)
    return figure, every[:count]


def mosaic(
    pattern: Sequence[Sequence[str]], width: float, height: float, **options: Any
) -> tuple[Figure, dict[str, Axes]]:
    """A figure of some inches with named panels of several sizes; see `subplot_mosaic`."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, dict(figure.subplot_mosaic([list(row) for row in pattern], **options))


def intervals(
    x: ArrayLike,
    found: Points | Sequence[Estimate],
    ax: Axes,
    color: str,
    marker: str,
    label: str | None = None,
    sideways: bool = False,
    **options: Any,
) -> None:
    """Values with intervals at x (n,), or `sideways`; `options` are of matplotlib's `errorbar`."""
    ends = ("value", "low", "high")
    if isinstance(found, Points):
        value, low, high = (getattr(found, end) for end in ends)
    else:
        value, low, high = (np.array([getattr(one, end) for one in found]) for end in ends)
    bars = np.maximum([value - low, high - value], 0.0)
    options = {"markersize": 4, "linewidth": 1.0, "capsize": 2, **options}
    place = (value, x, None, bars) if sideways else (x, value, bars)
    ax.errorbar(*place, color=color, marker=marker, label=label, **options)


def style_of(k: int, markers: str = MARKERS) -> tuple[str, str]:
    """Colour and marker of the k-th series."""
    colors = (*PALETTE, GREY)
    return colors[k % len(colors)], markers[k % len(markers)]


def below(columns: int, down: float = 0.16) -> dict[str, Any]:
    """Options of a legend under the axis, off the data."""
    return {"loc": "upper center", "bbox_to_anchor": (0.5, -down), "ncols": columns}


def two_rows(
    width: float, heights: tuple[float, float], above: int, ratios: Sequence[float], **options: Any
) -> tuple[Figure, SubFigure, list[Axes], list[Axes]]:
    """Rows of panels of some inches: so many `above` alike, with `options` of `subplots`, in a
    frame that may have a legend, and below others by the `ratios` of their widths.
    """
    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
    some = upper.subplots(1, above, sharey=True, squeeze=False, **options)[0]
    return figure, upper, list(some), list(lower.subplots(1, len(ratios), width_ratios=ratios))


def beside(
    text: str,
    at: tuple[float, float],
    offset: tuple[float, float],
    ax: Axes,
    frame: Any = "data",
    **options: Any,
) -> None:
    """A few words, `offset` points from a place; `frame` and `options` as of `annotate`."""
    options = {"color": GREY, "fontsize": 8, **options}
    ax.annotate(text, at, offset, frame, "offset points", **options)


def in_corner(text: str, ax: Axes, right: bool, height: float, **options: Any) -> None:
    place, side = (0.98, "right") if right else (0.02, "left")
    beside(text, (place, height), (0, 0), ax, "axes fraction", ha=side, va="top", **options)


def plain_numbers(axis: Axis, places: Sequence[float] = ()) -> None:
    """Plain numbers beside a logarithmic axis, at these places, or some of each decade."""
    low, high = axis.get_view_interval()
    parts: tuple[float, ...] = (1, 3) if high < 3000 * low else (1,)
    if high < 100 * low:
        parts = (1, 2, 5) if high > 5 * low else (1, 1.2, 1.5, 2, 3, 4, 5, 6, 8)
    some = LogLocator(10, parts, numticks=99)
    axis.set_major_locator(FixedLocator(places) if len(places) else some)
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))


def lay_out(figure: Figure) -> None:
    """Place panels, labels and legends for good; else every `save` would do it again. Legends get
    out of the way of what is drawn.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for ax in figure.axes:
        if ax.get_legend() is not None and ax.get_visible():
            _clear(ax)


def hidden(ax: Axes) -> bool:
    """Whether a panel's legend lies on something that is drawn there, once it is laid out."""
    legend = ax.get_legend()
    return legend is not None and _covers(ax, legend.get_window_extent())


def _covers(ax: Axes, box: Any, edges: bool = False) -> bool:
    """Whether lines, marks, bars or words of a panel reach into a box of the display; lines from
    edge to edge, as at 0, count with `edges`, shaded ranges never.
    """
    for line in ax.lines:
        if not edges and line.get_transform() != ax.transData:
            continue
        path: Any = line.get_path().transformed(line.get_transform())
        joined = line.get_linestyle() not in ("None", "none", "", " ")
        marks = box.count_contains(path.vertices) if len(path.vertices) else 0
        if marks or (joined and len(path.vertices) > 1 and path.intersects_bbox(box, False)):
            return True
    for collection in ax.collections:
        if collection.get_transform() == ax.transData:
            paths = collection.get_paths()
            if any(path.transformed(ax.transData).intersects_bbox(box) for path in paths):
                return True
    patches = [patch for patch in ax.patches if patch.get_transform().contains_branch(ax.transData)]
    shaded = [ax.get_xaxis_transform(), ax.get_yaxis_transform()]
    for patch in patches:
        path = patch.get_path().transformed(patch.get_transform())
        if patch.get_data_transform() not in shaded and path.intersects_bbox(box, patch.get_fill()):
            return True
    return any(box.overlaps(text.get_window_extent()) for text in ax.texts if text.get_visible())


def _clear(ax: Axes) -> None:
    """Move a panel's legend to the first corner or side where it covers nothing; where there is
    none, give the panel more room at its top.
    """
    legend: Any = ax.get_legend()
    where = legend.get_window_extent()
    if not _covers(ax, where, edges=True) or not ax.bbox.overlaps(where):
        return
    for edges in (True, *[False] * ROOM):
        for place in PLACES:
            legend.set_loc(place)
            if not _covers(ax, legend.get_window_extent(), edges):
                return
        if edges:
            continue
        low, high = ax.transScale.transform([(1.0, end) for end in ax.get_ylim()])[:, 1]
        top = ax.transScale.inverted().transform((0.0, high + 0.1 * (high - low)))[1]
        ax.set_ylim(top=float(top))


def thumbnail(picture: Path, width: int) -> bytes:
    """A .png picture in so many pixels across and few colours, as .png."""
    file = BytesIO()
    with Image.open(picture) as image:
        small = image.convert("RGB").resize((width, round(width * image.height / image.width)))
        small.quantize(128, Image.Quantize.FASTOCTREE).save(file, "png", optimize=True)
    return file.getvalue()


def save(figure: Figure, file: BinaryIO, suffix: str) -> None:
    """Write a figure as .png, .pdf or .svg: the same figure gives the same bytes."""
    kind = suffix.lower()
    figure.savefig(file, format=kind[1:], dpi=160, metadata=_UNDATED[kind])
