"""Losses: how they fall with the steps, and how they are distributed."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from minilotto.report.plots.style import BLUE, ORANGE


def loss_history(steps: NDArray[np.int64], loss: NDArray[np.float64], ax: Axes) -> Axes:
    """Median loss against step with the central half and nine tenths of the seeds: steps (C,), loss
    (C, R), NaN ignored.
    """
    levels = np.nanquantile(loss, (0.05, 0.25, 0.5, 0.75, 0.95), axis=1)
    ax.fill_between(
        steps, levels[0], levels[4], color=BLUE, alpha=0.15, linewidth=0, label="90 % of seeds"
    )
    ax.fill_between(
        steps, levels[1], levels[3], color=BLUE, alpha=0.35, linewidth=0, label="50 % of seeds"
    )
    ax.plot(steps, levels[2], color=BLUE, linewidth=1.8, label="median")
    ax.set_xscale("symlog", linthresh=1)
    ax.set_yscale("log")
    ax.set_xlim(0, steps[-1])
    ax.set_xticks([0, *(10**k for k in range(len(str(steps[-1]))))])
    ax.set_xlabel("Adam step")
    ax.set_ylabel("loss (mean squared error)")
    ax.legend(loc="lower left")
    return ax


def loss_histogram(loss: NDArray[np.float64], ax: Axes, bins_per_decade: int = 20) -> Axes:
    """Histogram of final losses (R,), lying on its side so that it shares the logarithmic loss axis
    of a history.
    """
    exponent = np.log10(loss[np.isfinite(loss) & (loss > 0)])
    low, high = (
        np.floor(exponent.min() * bins_per_decade),
        np.floor(exponent.max() * bins_per_decade) + 1,
    )
    edges = 10.0 ** (np.arange(low, high + 1) / bins_per_decade)
    ax.hist(10.0**exponent, bins=edges.tolist(), orientation="horizontal", color=BLUE, alpha=0.75)
    ax.axhline(
        float(np.median(10.0**exponent)),
        color=ORANGE,
        linewidth=1.2,
        label=f"median {np.median(10.0**exponent):.2g}",
    )
    ax.set_yscale("log")
    ax.set_xlabel(f"nets per 1/{bins_per_decade} decade")
    ax.tick_params(axis="y", which="both", left=False, labelleft=False)
    ax.legend(loc="upper right")
    return ax
