"""One net's neurons and pairs: where they lie, how good they are, what they leave."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from minilotto.report.plots.style import BLUE, GREY, ORANGE
from minilotto.settings.arrays import Array

LINES = 100  # pairs from which on no lines are drawn between partners
CURVES = 80  # curves that are drawn at most


def neuron_cloud(
    w: Array,
    b: Array,
    living: NDArray[np.bool_],
    unpaired: NDArray[np.bool_],
    pairs: NDArray[np.intp],
    ax: Axes,
) -> Axes:
    """Neurons (N,) in the plane of w and b; partners (K, 2) joined, dead grey, single orange."""
    whole = pairs[pairs.min(axis=1) >= 0]
    if len(whole) <= LINES:
        ax.plot(w[whole].T, b[whole].T, color=GREY, linewidth=0.6, alpha=0.6)
    size = 4 if len(w) <= 2 * LINES else 2
    for chosen, color, mark in (
        (~living, GREY, "x"),
        (living & ~unpaired, BLUE, "o"),
        (living & unpaired, ORANGE, "D"),
    ):
        many = len(w) > 2 * LINES
        ax.plot(w[chosen], b[chosen], mark, color=color, markersize=size, rasterized=many)
    reach = 1.1 * max(float(np.abs(w).max()), 1e-3)
    ax.set(xlim=(-reach, reach), xlabel="$w_i$", ylabel="$b_i$")
    return ax


def ranked(r2: Array, cut: float, ax: Axes) -> Axes:
    """R^2 of pairs from the best down, without NaN, and the line below which they are useless."""
    kept = np.sort(r2[np.isfinite(r2)])[::-1]
    ax.plot(np.arange(1, len(kept) + 1), kept, "o", color=BLUE, markersize=3)
    ax.axhline(cut, color=ORANGE, linewidth=0.8, linestyle="--")
    ax.set(ylim=(-0.05, 1.08), xlabel="pair, by rank", ylabel="R² with x²")
    return ax


def correlations(matrix: Array, ax: Axes) -> Axes:
    """A matrix of correlations, blue for -1 over white to red for 1."""
    if not matrix.size:
        ax.set_axis_off()
        return ax
    image = ax.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    ax.figure.colorbar(image, cax=ax.inset_axes((1.04, 0.0, 0.06, 1.0)), ticks=[-1, 0, 1])
    ax.set(xlabel="useful pair", xticks=[], yticks=[])
    return ax


def errors(x: Array, values: Array, ax: Axes) -> Axes:
    """At most CURVES error functions (K, P) of equal size against x (P,), ending above zero."""
    if len(values):
        sign = np.where(values[:, -1] < 0, -1.0, 1.0)
        shown = (values * sign[:, None])[:: -(-len(values) // CURVES)]
        alpha = float(np.clip(6.0 / len(shown), 0.1, 0.8))
        ax.plot(x, shown.T, color=BLUE, alpha=alpha, linewidth=0.8)
    ax.axhline(0, color=GREY, linewidth=0.8)
    for place in (-1.6, 0.0, 1.6):
        ax.axvline(place, color=ORANGE, linewidth=0.8, linestyle=":")
    ax.set(xlabel="x", ylabel="error, scaled")
    return ax
