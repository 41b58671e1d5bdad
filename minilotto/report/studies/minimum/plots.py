"""The figure of the study of minima: spectra, descents by polishing, and the valley of pairs."""

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.landscape.curvature import Curvature
from minilotto.analysis.landscape.polish import Polished
from minilotto.analysis.tickets.valley import EQ2
from minilotto.report.plots.curves import finish, several, steps_axis
from minilotto.report.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    Drawing,
    grid,
    plain_numbers,
)
from minilotto.report.studies.minimum.minimum import Minimum

LEAST = 1e-18  # of the largest eigenvalue, below which none is drawn


def draw(study: Minimum) -> Drawing:
    figure, ((a, b), (c, d)) = grid(2, 2, 10.0, 8.0)
    for k, one in enumerate(study.groups.values()):
        _spectra(one.curvature, k, a)
        _descents(one.polished, k, b)
    for ax in (a, b):
        ax.set(yscale="log", xlabel="width")
        ax.set_xticks(range(len(study.groups)), list(study.groups))
    finish(a, "curvature at trained nets", "size of eigenvalue / largest", loc="lower left")
    finish(b, "polished by Levenberg-Marquardt", "loss (mean squared error)", loc="best")
    _valley(study, c)
    d.set_yscale("log")
    several(study.place, d)
    plain_numbers(d.yaxis)
    steps_axis(d)
    finish(d, "where in the valley training ends", "median |w| of tickets", loc="best")
    d.axvline(study.settings.steps, color=GREY, linewidth=1.0, linestyle=":")
    return figure


def _spectra(one: Curvature, k: int, ax: Axes) -> None:
    """Sizes of eigenvalues over the largest of each net, and what rounding hides, at place k."""
    kept = np.isfinite(one.eigenvalues).all(axis=1)
    largest = np.abs(one.eigenvalues[kept]).max(axis=1, keepdims=True)
    part = one.eigenvalues[kept] / largest
    place = _places(k, len(part), 0.35)[:, None] + np.zeros_like(part)
    for chosen, color, label in ((part > 0, BLUE, "above zero"), (part < 0, ORANGE, "below zero")):
        size = np.maximum(np.abs(part[chosen]), LEAST)
        label = label if k == 0 else ""
        ax.plot(place[chosen], size, ".", color=color, markersize=2.5, rasterized=True, label=label)
    hidden = float(np.median(one.unresolved[kept] / largest[:, 0]))
    ax.hlines(hidden, k - 0.4, k + 0.4, color=GREY, linewidth=1.2, label="" if k else "rounding")


def _descents(one: Polished, k: int, ax: Axes) -> None:
    """Losses before and after polishing, connected, and what rounding alone makes of them."""
    place = _places(k, len(one.start), 0.3)
    ax.vlines(place, one.loss, one.start, color=GREY, linewidth=0.6, alpha=0.6)
    for values, mark, color, label in (
        (one.start, "o", BLUE, "as trained"),
        (one.loss, "v", GREEN, "polished"),
        (one.rounding, "_", ORANGE, "rounding"),
    ):
        ax.plot(place, values, mark, color=color, markersize=4, label="" if k else label)


def _places(k: int, count: int, reach: float) -> np.ndarray:
    return k + np.linspace(-reach, reach, max(count, 2))[:count]


def _valley(study: Minimum, ax: Axes) -> None:
    """Loss along the valley against |w|, the law that it should follow, and trained tickets."""
    line, law = study.valley, study.law.loss(study.valley.w)
    ax.plot(line.w, line.loss, color=BLUE, linewidth=1.8, label="best mirror pair, float64")
    ax.plot(line.w, line.rounding, color=ORANGE, linewidth=1.0, label="rounding")
    inside = law > line.loss[line.loss > 0].min() / 10
    text = f"Taylor: {study.law.coefficient:.2g} |w|^{study.law.power}"
    ax.plot(line.w[inside], law[inside], color=GREY, linestyle=":", linewidth=1.4, label=text)
    every = study.tickets["float32"].values()
    w = np.concatenate([one.w for one in every])
    loss = np.concatenate([one.nets.loss for one in every])
    label = "tickets, all budgets"
    ax.plot(w, loss, ".", color=PURPLE, markersize=4, label=label, rasterized=True)
    printed = float(np.abs(EQ2.w).mean()), study.printed.loss[0]
    ax.plot(*printed, "*", color=GREEN, markersize=10, label="Eq. 2")
    ax.set(xscale="log", yscale="log", xlabel="|w| of the pair")
    finish(ax, "the valley of mirror pairs", "loss (mean squared error)", loc="upper left")
