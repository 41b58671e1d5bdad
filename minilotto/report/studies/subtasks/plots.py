"""The figure of the study of subtasks: shares of the neurons, losses against them, exponents."""

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.stats.bootstrap import Estimate, median_interval
from minilotto.report.plots import curves
from minilotto.report.plots.style import (
    GREY,
    Drawing,
    beside,
    grid,
    intervals,
    plain_numbers,
    style_of,
)
from minilotto.report.studies.subtasks.subtasks import USUAL, Subtasks, least_loss, weights_of


def draw(study: Subtasks) -> Drawing:
    figure, (above, (left, middle, right)) = grid(2, 3, 12.0, 8.0)
    for task, ax in zip(study.weighted[:3], above, strict=False):
        _shares(study, task, ax)
    for ax in above[len(study.weighted[:3]) :]:
        ax.set_visible(False)
    _losses(study, left)
    _exponents(study, middle)
    _alone(study, right)
    return figure


def _of(study: Subtasks, task: str) -> list[int]:
    return [i for (name, how, i) in study.shares if (name, how) == (task, USUAL)]


def _shares(study: Subtasks, task: str, ax: Axes) -> None:
    parts = _of(study, task)
    for i in parts:
        color, mark = style_of(i)
        curves.log_series(study.shares[task, USUAL, i], ax, color, mark, f"no. {i + 1}")
        ax.axhline(least_loss(task)[i], color=color, linestyle="--", linewidth=0.8)
    ax.axhline(1 / len(parts), color="black", linestyle=":", linewidth=1.0, label="equal shares")
    ax.plot([], [], "--", color=GREY, label="root of weight")
    curves.width_axis(ax)
    ax.set_ylim(0.006, 1.1)  # for the legend
    plain_numbers(ax.yaxis)
    title = f"{len(parts)} subtasks, weights 100 to 1"
    look = {"fontsize": 7, "ncols": 5, "columnspacing": 1.0, "handlelength": 1.5}
    curves.finish(ax, title, "share of the neurons", loc="lower center", **look)


def _losses(study: Subtasks, ax: Axes) -> None:
    task = study.weighted[-1]
    ax.set(xscale="log", yscale="log")
    for i in _of(study, task):
        one = study.against_neurons((task, USUAL), i)
        intervals(one.widths, one, ax, *style_of(i), f"no. {i + 1}", linestyle="-")
    first = study.against_neurons((task, USUAL), 0)
    curves.power_law((first.widths[0], 0.4 * first.value[0]), first.widths[-1], 1, ax, "1/neurons")
    curves.width_axis(ax, "neurons of the subtask")
    title, label = (
        f"{len(_of(study, task))} weighted subtasks",
        "loss of the subtask / its variance",
    )
    curves.finish(ax, title, label, fontsize=7, ncols=3, loc="lower left")
    ax.set_ylim(ax.get_ylim()[0] / 10)
    ax.set_xlim(left=max(ax.get_xlim()[0], 0.1))


def _exponents(study: Subtasks, ax: Axes) -> None:
    found = dict[str, dict[float, Estimate]]()
    for task, how, i in study.exponents:
        if task in study.weighted:
            label = f"{task.removeprefix('weighted')} subtasks" + f", other {how}" * (how != USUAL)
            weight = weights_of(task)[i] / weights_of(task)[-1]
            found.setdefault(label, {})[weight] = study.exponents[task, how, i]
    curves.side_by_side(found, ax, 1.07, linestyle="none")
    curves.exponent_lines(ax, "resource model")
    curves.width_axis(ax, "weight (the lightest: 1)")
    title = "a subtask's loss as neurons$^{-a}$ over widths"
    curves.finish(ax, title, "exponent of loss against neurons", fontsize=7, ncols=2)


def _alone(study: Subtasks, ax: Axes) -> None:
    """How far neurons serve one input, trained and at the start."""
    ax.set_xscale("log")
    for k, ((task, how), by_width) in enumerate(study.found.items()):
        if how == USUAL:
            known = {width: median_interval(one.alone) for width, one in by_width.items()}
            kind = "weighted" if task in study.weighted else "equal"
            inputs = task.removeprefix("sum").removeprefix("weighted")
            curves.series(known, ax, *style_of(k), f"{inputs} {kind}")
    for m in study.settings.subtasks:
        drawn = np.random.default_rng(0).uniform(-1, 1, (4000, m)) ** 2
        level = float((drawn.max(axis=1) / drawn.sum(axis=1)).mean())
        ax.axhline(level, color=GREY, linestyle=":", linewidth=0.8)
        beside(f"start, {m}", (0, level), (2, -8), ax, ax.get_yaxis_transform(), fontsize=7)
    curves.width_axis(ax)
    ax.set_ylim(0, 1.02)
    label = "squared weight on one input / all"
    curves.finish(ax, "whose neurons are", label, fontsize=7, ncols=2, loc="lower left")
