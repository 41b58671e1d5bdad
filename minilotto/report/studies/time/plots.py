"""The figure of the study of time: laws of width by step, parts at the end, clocks, collapse."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.plots.curves import log_series, power_law, side_by_side, width_axis
from minilotto.report.plots.style import GREY, Drawing, intervals, mosaic, plain_numbers, style_of
from minilotto.report.studies.time.analysis import PLACES
from minilotto.report.studies.time.trainings import Way
from minilotto.report.studies.time.trajectories import Trajectories

BESIDE = 1.05  # factor by which marks of one step are set apart


def draw(study: Trajectories) -> Drawing:
    figure, axes = mosaic(["aaabbbcccddd", "eeefffgggggg", "hhhiiijjjkkk"], 14.0, 11.0)
    s = study.settings
    shown = (s.gradual[0], s.usual, s.gradual[-1])
    for way, name in zip(shown, "abc", strict=True):
        _by_step(study, way, axes[name])
    _exponents(study, axes["d"])
    for name, part, words in (("e", "variance", "variance over seeds"),
                              ("f", "bias", "bias: loss of the mean function")):  # fmt: skip
        _at_end(study, part, words, axes[name])
    _clocks(study, axes["g"])
    collapsed = [s.usual, s.ways[-1], s.falling[0]]
    for way, name in zip(collapsed, "hij", strict=True):
        _curves(study, way, axes[name])
    _ratios(study, axes["k"])
    return figure


def _legend(ax: Axes, **options: Any) -> None:
    if ax.get_legend_handles_labels()[0]:
        ax.legend(**options)


def _short(way: Way) -> str:
    name = {"gd": "gd", "adam": "Adam"}[way.optimizer]
    where = f"$s$ = {way.exact}" if way.init == "uniform" else "torch"
    return f"{name}, {where}{', decay' if way.schedule != 'constant' else ''}"


def _by_step(study: Trajectories, way: Way, ax: Axes) -> None:
    found = {step: one for (part, step), one in study.found[way].items() if part == "variance"}
    for k, (step, one) in enumerate(found.items()):
        log_series(one, ax, *style_of(k), f"{step:,} steps")
        if step in (min(found), max(found)):
            label, start = "1/N" if step == min(found) else None, one.widths[-1]
            power_law((start, 1.6 * one.value[-1]), one.widths[0], 1, ax, label)
    width_axis(ax)
    ax.set(title=f"{way}", ylabel="variance over seeds (squared output)")
    _legend(ax, fontsize=6.5, ncols=2, loc="lower left")


def _exponents(study: Trajectories, ax: Axes) -> None:
    ax.set_xscale("log")
    found: dict[str, dict[int, Estimate]] = {_short(way): {} for way in study.settings.ways}
    for (way, part, step), e in study.exponents.items():
        if part == "variance":
            found[_short(way)][step] = e
    side_by_side(found, ax, BESIDE, linestyle="-")
    ax.axhline(1, color="black", linestyle=":", linewidth=1.0, label="theory, early")
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, -1.5), min(high, 4.0))
    ax.set(xlabel="step", ylabel="exponent $a$ in the width", title="variance as $N^{-a}$")
    _legend(ax, fontsize=6.5, ncols=2)


def _at_end(study: Trajectories, part: str, words: str, ax: Axes) -> None:
    for k, way in enumerate(study.settings.ways):
        if one := study.end(way, part):
            log_series(one, ax, *style_of(k), _short(way))
    if usual := study.end(study.settings.usual, part):
        power, name = (1, "1/N") if part == "variance" else (0, "no dependence on $N$")
        power_law((usual.widths[-1], 0.7 * usual.value[-1]), usual.widths[0], power, ax, name)
    width_axis(ax)
    ax.set_ylabel(f"{part} (squared output)")
    ax.set_title(f"{words}, {study.settings.steps:,} steps")
    _legend(ax, fontsize=6.5, ncols=2)


def _clocks(study: Trajectories, ax: Axes) -> None:
    ax.set(xscale="log", yscale="log")
    s = study.settings
    for k, way in enumerate(s.ways):
        known = study.curves.get(way, {}).get(max(s.widths), {})
        if s.steps in known:
            steps, losses = known[s.steps]
            ax.plot(steps, np.median(losses, axis=1), color=style_of(k)[0], marker=style_of(k)[1],
                    markersize=3, linewidth=1.0, label=_short(way))  # fmt: skip
    ax.set(xlabel="step", ylabel="median loss (squared output)")
    ax.set_title(f"loss at width {max(s.widths)} over time")
    _legend(ax, fontsize=7, ncols=2)


def _curves(study: Trajectories, way: Way, ax: Axes) -> None:
    ax.set(xscale="log", yscale="log")
    title = f"{_short(way)}: curves over their ends"
    if found := study.collapses.get(way):
        at, logs = np.append(PLACES, 1.0), study.normalised(way, found.best)
        curves = {width: np.exp((one - one[-1]).mean(axis=1)) for width, one in logs.items()}
        colors = colormaps["viridis"](np.linspace(0, 0.9, len(curves)))
        for k, (width, middle) in enumerate(curves.items()):
            named = k % max(1, len(curves) // 4) == 0 or k == len(curves) - 1
            ax.plot(at, middle, color=colors[k], marker=".", linewidth=1.0,
                    label=f"$N$ = {width}" if named else None)  # fmt: skip
        band = 0.5 * np.min(list(curves.values()), axis=0)[:-1]
        ax.fill_between(PLACES, band * np.exp(-found.within), band * np.exp(found.within),
                        color=GREY, alpha=0.4, label="spread of seeds")  # fmt: skip
        title = f"{_short(way)}: horizon as $N^{{{found.best:g}}}$"
    ax.set(xlabel="step / horizon", ylabel="loss / loss at the horizon", title=title)
    _legend(ax, fontsize=6.5, ncols=2)


def _ratios(study: Trajectories, ax: Axes) -> None:
    ax.set_yscale("log")
    ways = study.settings.ways
    for way, one in study.collapses.items():
        k = ways.index(way._replace(schedule="constant"))
        at = np.array([*one.ratios]) + 0.01 * (k - 3)
        line = "-" if way in ways else "--"
        intervals(at, list(one.ratios.values()), ax, *style_of(k), _short(way), linestyle=line)
    ax.axhline(1, color="black", linestyle=":", linewidth=1.0, label="spread of seeds")
    plain_numbers(ax.yaxis)
    ax.set(xlabel="power of the horizon in the width", title="spread between widths")
    ax.set_ylabel("over the spread of seeds")
    _legend(ax, fontsize=6, ncols=2)
