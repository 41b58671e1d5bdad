"""Loss against width by optimiser, their exponents, and Levenberg-Marquardt by iterations."""

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.plots import curves
from minilotto.report.plots.style import Drawing, below, intervals, style_of, two_rows
from minilotto.report.studies.optimizer.optimizer import ADAM, DOUBLE, LM, Optimizer, Way
from minilotto.settings.tasks import task_of

SHOWN = (-1.0, 4.0)  # exponents; intervals are cut there
APART = 1.084  # factor between marks at one number of steps


def draw(study: Optimizer) -> Drawing:
    s = study.settings
    figure, upper, above, lower = two_rows(13.0, (4.2, 4.2), len(s.tasks), [1.6, 1.0, 1.0])
    left, middle, right = lower
    for task, ax in zip(s.tasks, above, strict=True):
        _losses(study, task, ax)
    above[0].set_ylabel("median loss (mean squared error)")
    curves.shared_legend(upper, above[:1])
    _exponents(study, left)
    found: dict[str, dict[int, Estimate]] = {name: {} for name in s.rates}
    for way, e in study.exponents.items():
        if way.task == s.tasks[0] and way.optimizer in s.rates:
            found[way.optimizer][way.steps] = e
    curves.side_by_side(found, middle, APART)
    curves.exponent_lines(middle, shown=SHOWN)
    curves.steps_axis(middle, s.lengths)
    middle.set(xlabel="steps", title=f"exponent by steps, {_formula(s.tasks[0])}")
    last = {f"adam, {s.steps:,}": Way(s.tasks[0], ADAM, s.steps)}
    last |= {f"lm, {count:,}": Way(s.tasks[0], LM, count) for count in s.iterations}
    curves.several({name: study.found.get(way) for name, way in last.items()}, right)
    curves.width_axis(right)
    curves.finish(right, f"lm by iterations, {_formula(s.tasks[0])}", "median loss", **below(4))
    return figure


def _formula(task: str) -> str:
    return f"$y = {task_of(task).latex}$"


def _usual(study: Optimizer, task: str, name: str) -> Way:
    """An optimiser after the paper's steps, Levenberg-Marquardt after its last iteration."""
    return Way(task, name, study.settings.iterations[-1] if name == LM else study.settings.steps)


def _losses(study: Optimizer, task: str, ax: Axes) -> None:
    s = study.settings
    curves.several({name: study.found.get(_usual(study, task, name)) for name in s.rates}, ax)
    if lm := study.found.get(_usual(study, task, LM)):
        curves.log_series(lm, ax, "black", "*", LM)
    if adam := study.found.get(_usual(study, task, ADAM)):
        inside = adam.select(np.isin(adam.widths, s.widths))
        if len(inside.widths):
            first, last = inside.widths[[0, -1]]
            curves.power_law((first, 0.03 * inside.value[0]), last, 1, ax, text="1/N")
    ax.set_title(_formula(task))
    curves.width_axis(ax)


def _exponents(study: Optimizer, ax: Axes) -> None:
    s = study.settings
    names = [*s.rates, DOUBLE, LM]
    beside = np.linspace(-0.2, 0.2, len(s.tasks)) if len(s.tasks) > 1 else np.zeros(1)
    for k, task in enumerate(s.tasks):
        ways = enumerate(_usual(study, task, name) for name in names)
        found = {place: study.exponents[way] for place, way in ways if way in study.exponents}
        if found:
            at = np.array(list(found)) + beside[k]
            intervals(at, list(found.values()), ax, *style_of(k), _formula(task), linestyle="none")
    curves.exponent_lines(ax, shown=SHOWN)
    ax.set_xticks(range(len(names)), [name.replace(", ", "\n") for name in names], fontsize=8)
    title = f"{s.steps:,} steps (lm: {max(s.iterations):,})"
    curves.finish(ax, title, "exponent of loss against width", **below(4))
