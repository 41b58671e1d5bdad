"""Pictures of nets on matplotlib's axes: losses, functions, neurons."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minilotto.errors import ConfigError, DataError, ResourceError
from minilotto.settings.arrays import Array
from minilotto.settings.limits import check_choice, check_one_layer

try:
    from matplotlib.axes import Axes
    from matplotlib.ticker import FixedLocator, LogFormatterSciNotation, MaxNLocator
except (ImportError, OSError, ValueError) as error:  # a folder or a setting of its own
    raise ResourceError(
        f"matplotlib cannot be loaded ({error}); see MPLBACKEND, MPLCONFIGDIR"
    ) from None

if TYPE_CHECKING:
    from minilotto.ensemble.ensemble import Ensemble

# Okabe and Ito's palette, which colour-blind readers tell apart.
BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER = PALETTE = (
    *("#0072B2", "#D55E00", "#009E73"),
    *("#CC79A7", "#56B4E9", "#E69F00"),
)
GREY = "#666666"
MOST = 200  # functions and nets that are drawn one by one
KINDS = ("losses", "history", "functions", "neurons")


def plot(nets: "Ensemble", kind: str, ax: Axes | None) -> Axes:
    """What `Ensemble.plot` draws."""
    check_choice("kind", kind, KINDS)
    if ax is not None and not isinstance(ax, Axes):
        raise ConfigError(f"ax is a {type(ax).__name__}; pass one of matplotlib's Axes, or None")
    if kind == "neurons":
        check_one_layer("a picture of neurons", nets.config.depth)
    good = np.isfinite(nets.loss)
    if kind in ("losses", "history"):
        good &= nets.loss > 0
    if not good.any():
        raise DataError("no seed has a finite loss above 0; there is nothing to draw")
    if kind == "history" and not nets.history.steps.size:
        raise DataError("these nets have no history of losses; nets that were trained have one")
    if kind in ("functions", "neurons") and nets.data.inputs != 1:
        raise DataError(f"nets of {nets.data.inputs} inputs have no picture of {kind}; use one")
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.subplots(layout="constrained")[1]
    if kind == "losses":
        return loss_histogram(nets.loss, ax, across=False)
    if kind == "history":
        return loss_history(nets.history.steps, nets.history.loss[:, good], ax)
    order = np.flatnonzero(good)[np.argsort(nets.loss[good], kind="stable")]
    few = nets.select(order[np.unique(np.linspace(0, len(order) - 1, MOST).astype(int))])
    return functions(few, ax) if kind == "functions" else neurons(few, ax)


def functions(nets: "Ensemble", ax: Axes) -> Axes:
    """f(x) of nets in order of their losses, the first in colour, and the points."""
    data = nets.data
    x = np.linspace(data.x.min(), data.x.max(), 300)
    f = nets.predict(x)
    alpha = float(np.clip(10 / len(nets), 0.05, 0.8))
    ax.plot(x, f[1:].T, color=BLUE, alpha=alpha, linewidth=0.8)
    shown = slice(None, None, -(-data.points // 1000))
    ax.plot(data.x[shown, 0], data.y[shown], ".", color=GREY, markersize=3, label="data")
    ax.plot(x, f[0], color=ORANGE, label=f"least loss {nets.loss[0]:.2g}")
    ax.set(xlabel="x", ylabel="f(x)")
    ax.legend()
    return ax


def neurons(nets: "Ensemble", ax: Axes) -> Axes:
    """The neurons of nets in order of their losses, in the plane of w and b; those of the first
    net in colour, all with areas by |v|.
    """
    w, b, v = nets.w[..., 0], nets.b, np.abs(nets.v)
    size = 4 + 60 * v / max(float(v.max()), np.finfo(float).tiny)
    many = w.size > 1000
    ax.scatter(w[1:], b[1:], size[1:], BLUE, alpha=0.3, linewidth=0, rasterized=many)
    label = f"least loss {nets.loss[0]:.2g}"
    ax.scatter(w[0], b[0], size[0], ORANGE, linewidth=0, label=label)
    ax.axhline(0, color=GREY, linewidth=0.5, zorder=0)
    ax.axvline(0, color=GREY, linewidth=0.5, zorder=0)
    ax.set(xlabel="$w_i$", ylabel="$b_i$")
    ax.legend(title="area: $|v_i|$")
    return ax


def edges_of(loss: Array, bins_per_decade: int) -> Array:
    """Edges of equal bins in log10, aligned with the decades, that hold all losses that are finite
    and above zero.
    """
    kept = loss[np.isfinite(loss) & (loss > 0)]
    ends = np.log10([kept.min(), kept.max()]) * bins_per_decade + 1e-9
    first, last = np.floor(ends)
    return 10.0 ** (np.arange(first, last + 2) / bins_per_decade)


def loss_history(steps: NDArray[np.int64], loss: Array, ax: Axes) -> Axes:
    """Median loss (C, R) against steps (C,), with the central half and nine tenths of seeds."""
    levels = np.nanquantile(loss, (0.05, 0.25, 0.5, 0.75, 0.95), axis=1)
    for k, alpha, text in ((0, 0.15, "90% of seeds"), (1, 0.35, "50% of seeds")):
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


def loss_histogram(loss: Array, ax: Axes, bins_per_decade: int = 20, across: bool = True) -> Axes:
    """Histogram of final losses (R,) on a logarithmic axis; lying on its side where `across`, so
    that it shares the loss axis of a history.
    """
    kept = loss[np.isfinite(loss) & (loss > 0)]
    edges = edges_of(loss, bins_per_decade)
    ax.hist(
        kept,
        bins=edges.tolist(),
        orientation="horizontal" if across else "vertical",
        color=BLUE,
        alpha=0.75,
    )
    median = float(np.median(kept))
    label: Any = {"color": ORANGE, "linewidth": 1.2, "label": f"median {median:.2g}"}
    nets = f"nets per 1/{bins_per_decade} decade"
    if across:
        ax.axhline(median, **label)
        ax.set(yscale="log", xlabel=nets)
        ax.tick_params(axis="y", which="both", left=False, labelleft=False)
    else:
        ax.axvline(median, **label)
        ax.set(xscale="log", xlabel="loss", ylabel=nets)
        # Of less than two decades 2 and 5 have labels; more of them, or larger ones, would overlap.
        powers = 10.0 ** np.arange(*np.floor(np.log10(edges[[0, -1]])) + (0, 1))
        marks = np.outer((1, 2, 5), powers)
        several = np.count_nonzero((edges[0] <= marks) & (marks <= edges[-1])) > 1
        places = FixedLocator(marks[1:].ravel().tolist()) if several else MaxNLocator(4)
        ax.xaxis.set_minor_locator(places)
        ax.xaxis.set_minor_formatter(LogFormatterSciNotation(minor_thresholds=(2, 2)))
        ax.tick_params(axis="x", which="minor", labelsize="small")
    (ax.xaxis if across else ax.yaxis).set_major_locator(
        MaxNLocator("auto", steps=(1, 2, 5, 10), integer=True)
    )
    ax.legend(loc="best")
    return ax
