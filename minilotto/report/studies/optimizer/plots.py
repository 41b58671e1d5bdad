"""Loss against width by optimiser, their exponents, and Levenberg-Marquardt by iterations."""

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.plots.curves import (
    log_series,
    power_law,
    side_by_side,
    steps_axis,
    width_axis,
)
from minilotto.report.plots.style import GREY, Drawing, intervals, legend_below, style_of
from minilotto.report.studies.optimizer.optimizer import ADAM, DOUBLE, LM, Optimizer, Way
from minilotto.settings.tasks import task_of

SHOWN = (-1.0, 4.0)  # exponents; intervals are cut there
APART = 1.084  # factor between marks at one number of steps


def draw(study: Optimizer) -> Drawing:
    tasks = study.settings.tasks
    figure = Drawing(figsize=(13.0, 8.4), layout="constrained")
    upper, lower = figure.subfigures(2, 1, squeeze=False)[:, 0]
    above = upper.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    looks = _looks(study)
    for task, ax in zip(tasks, above, strict=True):
        losses(study, task, ax)
    above[0].set_ylabel("median loss (mean squared error)")
    handles, labels = above[0].get_legend_handles_labels()
    upper.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    left, middle, right = lower.subplots(1, 3, width_ratios=[1.6, 1.0, 1.0])
    exponents(study, left)
    by_steps(study, looks, middle)
    by_iterations(study, right)
    return figure


def _looks(study: Optimizer) -> dict[str, tuple[str, str]]:
    looks = {name: style_of(k) for k, name in enumerate(study.settings.rates)}
    return {**looks, LM: ("black", "*")}


def losses(study: Optimizer, task: str, ax: Axes) -> Axes:
    s = study.settings
    for name, look in _looks(study).items():
        way = Way(task, name, max(s.iterations) if name == LM else s.steps)
        if one := study.found.get(way):
            log_series(one, ax, *look, name)
    if adam := study.found.get(Way(task, ADAM, s.steps)):
        inside = adam.select(np.isin(adam.widths, s.widths))
        if len(inside.widths):
            first, last = inside.widths[[0, -1]]
            power_law((first, 0.03 * inside.value[0]), last, 1, ax, text="1/N", color=GREY)
    ax.set(title=_formula(task), ylabel="")
    width_axis(ax)
    return ax


def _formula(task: str) -> str:
    return f"$y = {task_of(task).latex}$"


def exponents(study: Optimizer, ax: Axes) -> Axes:
    s = study.settings
    names = [*s.rates, DOUBLE, LM]
    beside = np.linspace(-0.2, 0.2, len(s.tasks)) if len(s.tasks) > 1 else np.zeros(1)
    for k, task in enumerate(s.tasks):
        ways = [
            (place, Way(task, name, max(s.iterations) if name == LM else s.steps))
            for place, name in enumerate(names)
        ]
        found = {place: study.exponents[way] for place, way in ways if way in study.exponents}
        if found:
            at = np.array(list(found)) + beside[k]
            intervals(at, list(found.values()), ax, *style_of(k), _formula(task), linestyle="none")
    _lines(ax)
    ax.set_xticks(range(len(names)), [name.replace(", ", "\n") for name in names], fontsize=8)
    ax.set(
        ylabel="exponent of loss against width",
        title=f"{s.steps:,} steps (lm: {max(s.iterations):,})",
    )
    legend_below(ax, 4)
    return ax


def by_steps(study: Optimizer, looks: dict[str, tuple[str, str]], ax: Axes) -> Axes:
    s = study.settings
    found: dict[str, dict[int, Estimate]] = {name: {} for name in s.rates}
    for way, e in study.exponents.items():
        if way.task == s.tasks[0] and way.optimizer in s.rates:
            found[way.optimizer][way.steps] = e
    side_by_side(found, ax, APART, [looks[name] for name in found])
    steps_axis(ax, s.lengths)
    ax.set(xlabel="steps", title=f"exponent by steps, {_formula(s.tasks[0])}")
    _lines(ax)
    return ax


def _lines(ax: Axes) -> None:
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, SHOWN[0]), min(high, SHOWN[1]))
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.axhline(1, color=GREY, linewidth=0.8, linestyle=":")


def by_iterations(study: Optimizer, ax: Axes) -> Axes:
    s = study.settings
    rows = [(f"lm, {count:,}", Way(s.tasks[0], LM, count)) for count in sorted(s.iterations)]
    rows.insert(0, (f"adam, {s.steps:,}", Way(s.tasks[0], ADAM, s.steps)))
    for k, (name, way) in enumerate(rows):
        if one := study.found.get(way):
            log_series(one, ax, *style_of(k), name)
    ax.set(title=f"lm by iterations, {_formula(s.tasks[0])}", ylabel="median loss")
    width_axis(ax)
    legend_below(ax, 4)
    return ax
