"""The figure of the study of time: laws of width by step, parts at the end, clocks, collapse."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.plots import curves
from minilotto.report.plots.style import GREY, Drawing, intervals, mosaic, plain_numbers, style_of
from minilotto.report.studies.time.analysis import PLACES
from minilotto.report.studies.time.trainings import Way
from minilotto.report.studies.time.trajectories import Trajectories

BESIDE = 1.05  # factor by which marks of one step are set apart
SHOWN = (-1.5, 4.0)  # exponents; intervals are cut there
NAMES = {"fontsize": 6.5, "ncols": 2}  # how legends look


def draw(study: Trajectories) -> Drawing:
    figure, axes = mosaic(["aaabbbcccddd", "eeefffgggggg", "hhhiiijjjkkk"], 14.0, 11.0)
    s = study.settings
    for way, name in zip((s.gradual[0], s.usual, s.gradual[-1]), "abc", strict=True):
        _by_step(study, way, axes[name])
    _exponents(study, axes["d"])
    _at_end(study, "variance", "variance over seeds", axes["e"])
    _at_end(study, "bias", "bias: loss of the mean function", axes["f"])
    _clocks(study, axes["g"])
    for way, name in zip((s.usual, s.ways[-1], s.falling[0]), "hij", strict=True):
        _curves(study, way, axes[name])
    _ratios(study, axes["k"])
    return figure


def _short(way: Way) -> str:
    name = {"gd": "gd", "adam": "Adam"}[way.optimizer]
    where = f"$s$ = {way.exact}" if way.init == "uniform" else "torch"
    return f"{name}, {where}{', decay' if way.schedule != 'constant' else ''}"


def _by_step(study: Trajectories, way: Way, ax: Axes) -> None:
    found = {step: one for (part, step), one in study.found[way].items() if part == "variance"}
    curves.several({f"{step:,} steps": one for step, one in found.items()}, ax)
    for step in sorted({*list(found)[:1], *list(found)[-1:]}):
        one, label = found[step], "1/N" if step == min(found) else None
        curves.power_law((one.widths[-1], 1.6 * one.value[-1]), one.widths[0], 1, ax, label)
    curves.width_axis(ax)
    curves.finish(ax, f"{way}", "variance over seeds (squared output)", loc="lower left", **NAMES)


def _exponents(study: Trajectories, ax: Axes) -> None:
    found: dict[str, dict[int, Estimate]] = {_short(way): {} for way in study.settings.ways}
    for (way, part, step), e in study.exponents.items():
        if part == "variance":
            found[_short(way)][step] = e
    curves.side_by_side(found, ax, BESIDE, linestyle="-")
    curves.exponent_lines(ax, "theory, early", shown=SHOWN)
    ax.set_xlabel("step")
    curves.finish(ax, "variance as $N^{-a}$", "exponent $a$ in the width", **NAMES)


def _at_end(study: Trajectories, part: str, words: str, ax: Axes) -> None:
    curves.several({_short(way): study.end(way, part) for way in study.settings.ways}, ax)
    if usual := study.end(study.settings.usual, part):
        power, name = (1, "1/N") if part == "variance" else (0, "no dependence on $N$")
        curves.power_law(
            (usual.widths[-1], 0.7 * usual.value[-1]), usual.widths[0], power, ax, name
        )
    curves.width_axis(ax)
    title = f"{words}, {study.settings.steps:,} steps"
    curves.finish(ax, title, f"{part} (squared output)", **NAMES)


def _clocks(study: Trajectories, ax: Axes) -> None:
    s = study.settings
    for k, way in enumerate(s.ways):
        known = study.curves.get(way, {}).get(max(s.widths), {})
        if s.steps in known:
            (steps, losses), (color, marker) = known[s.steps], style_of(k)
            look: Any = {"color": color, "marker": marker, "markersize": 3, "linewidth": 1.0}
            ax.plot(steps, np.median(losses, axis=1), label=_short(way), **look)
    ax.set(xscale="log", yscale="log", xlabel="step")
    title = f"loss at width {max(s.widths)} over time"
    curves.finish(ax, title, "median loss (squared output)", **NAMES)


def _curves(study: Trajectories, way: Way, ax: Axes) -> None:
    title = f"{_short(way)}: curves over their ends"
    if found := study.collapses.get(way):
        at, logs = np.append(PLACES, 1.0), study.normalised(way, found.best)
        middles = {width: np.exp((one - one[-1]).mean(axis=1)) for width, one in logs.items()}
        colors = colormaps["viridis"](np.linspace(0, 0.9, len(middles)))
        for k, (width, middle) in enumerate(middles.items()):
            named = k % max(1, len(middles) // 4) == 0 or k == len(middles) - 1
            label = f"$N$ = {width}" if named else None
            ax.plot(at, middle, color=colors[k], marker=".", linewidth=1.0, label=label)
        band = 0.5 * np.min(list(middles.values()), axis=0)[:-1]
        ends = band * np.exp(-found.within), band * np.exp(found.within)
        ax.fill_between(PLACES, *ends, color=GREY, alpha=0.4, label="spread of seeds")
        title = f"{_short(way)}: horizon as $N^{{{found.best:g}}}$"
    ax.set(xscale="log", yscale="log", xlabel="step / horizon")
    curves.finish(ax, title, "loss / loss at the horizon", **NAMES)


def _ratios(study: Trajectories, ax: Axes) -> None:
    ways = study.settings.ways
    for way, one in study.collapses.items():
        k = ways.index(way._replace(schedule="constant"))
        at = np.array([*one.ratios]) + 0.01 * (k - 3)
        line = "-" if way in ways else "--"
        intervals(at, list(one.ratios.values()), ax, *style_of(k), _short(way), linestyle=line)
    ax.axhline(1, color="black", linestyle=":", linewidth=1.0, label="spread of seeds")
    ax.set(yscale="log", xlabel="power of the horizon in the width")
    plain_numbers(ax.yaxis)
    curves.finish(
        ax, "spread between widths", "over the spread of seeds", **{**NAMES, "fontsize": 6}
    )
