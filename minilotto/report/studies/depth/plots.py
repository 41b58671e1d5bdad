"""The figure of the study of depth."""

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.plots.curves import (
    claimed_exponent,
    forest,
    log_series,
    power_law,
    series,
    shared_legend,
    width_axis,
)
from minilotto.report.plots.style import BLUE, GREEN, GREY, ORANGE, PALETTE, Drawing, beside, mosaic
from minilotto.report.studies.depth.depth import USUAL, Depth

STYLES = {"plain": (BLUE, "o"), "residual": (ORANGE, "s")}


def draw(study: Depth) -> Drawing:
    usual = {key: one for key, one in study.curves.items() if key[0] == USUAL}
    places = list(dict.fromkeys((task, width) for _, task, width, _ in usual))
    names = {place: f"{place[0]}, N = {place[1]}" for place in places}
    columns = max(4, len(places))
    above = [name for name in names.values() for _ in range(columns // len(places))]
    above += [above[-1]] * (columns - len(above))
    below = ["exponents"] * (columns - 2) + ["cosines", "averages"]
    figure, axes = mosaic([above, below], 3.2 * columns, 8.0)
    for (_, task, width, kind), curve in usual.items():
        ax, (color, mark) = axes[names[task, width]], STYLES[kind]
        log_series(curve, ax, color, mark, kind)
        label = "1/L" if kind == "plain" else None
        power_law((curve.widths[0], curve.value[0]), curve.widths[-1], 1, ax, label, color=GREY)
    settings = study.settings
    wide = {
        depth: float(np.median(study.shallow[settings.wide(depth)].loss))
        for depth in settings.depths
        if settings.wide(depth) in study.shallow
    }
    for (task, width), name in names.items():
        ax = axes[name]
        if (task, width) == ("square", settings.main):
            label = "one layer of as many parameters"
            ax.plot(list(wide), list(wide.values()), "x", color="black", label=label)
        _finish(ax, settings.depths, name.replace("square", "x²"))
        ax.set_ylabel("median loss (mean squared error)" if name == above[0] else "")
    shared_legend(figure, [axes[name] for name in names.values()], 4)
    _exponents(study, axes["exponents"])
    _cosines(study, axes["cosines"])
    _averages(study, axes["averages"])
    return figure


def _finish(ax: Axes, depths: tuple[int, ...], title: str) -> None:
    width_axis(ax, "hidden layers, $L$", depths)
    ax.set_title(title)


def _exponents(study: Depth, ax: Axes) -> None:
    rows: dict[str, dict[str, Estimate]] = {}
    for (name, task, width, kind), e in study.exponents.items():
        usual = f"{task.replace('square', 'x²')}, N = {width}"
        rows.setdefault(usual if name == USUAL else name, {})[kind] = e
    forest(rows, ax, STYLES, 0.24)
    claimed_exponent(ax, "1/L, as in language models", "no effect of depth")
    ax.set_xlabel("exponent of loss against $L$")
    ax.set_title("exponents by width, target and control (bars: seeds and depths)")
    ax.legend(loc="lower right", fontsize=8)


def _cosines(study: Depth, ax: Axes) -> None:
    for kind, (color, mark) in STYLES.items():
        found = {depth: one for (name, depth), (one, _) in study.seeds.items() if name == kind}
        series(found, ax, color, mark, f"{kind}: two seeds", "--")
    for width, color in zip(dict.fromkeys(n for n, _ in study.layers), PALETTE[2:], strict=False):
        found = {depth: one["cosine"] for (n, depth), one in study.layers.items() if n == width}
        series(found, ax, color, "D", f"two layers, N = {width}")
    depths = [depth for depth in study.settings.depths if depth > 2]
    cancel = [-1 / (depth - 2) for depth in depths]
    ax.plot(depths, cancel, ":", color=GREY, linewidth=1.4, label="layers that must cancel")
    for height, words in ((0, "independent: 0"), (1, "the same: 1")):
        ax.axhline(height, color=GREY, linewidth=0.8)
        beside(words, (1, height), (2, 3), ax)
    ax.set_xscale("log")
    _finish(ax, study.settings.depths, "errors of two layers, and of two seeds")
    ax.set(ylabel="median cosine", ylim=(-1.1, 2.9))
    ax.set_yticks([-1, -0.5, 0, 0.5, 1])
    ax.legend(loc="upper left", fontsize=8)


def _averages(study: Depth, ax: Axes) -> None:
    for what, color, mark, label in (
        ("ratio", GREEN, "D", "loss / their average"),
        ("lesion", ORANGE, "s", "without one / with all"),
    ):
        for width in dict.fromkeys(n for n, _ in study.layers):
            found = {depth: one[what] for (n, depth), one in study.layers.items() if n == width}
            shown = label if width == min(n for n, _ in study.layers) else ""
            log_series(found, ax, color, mark, shown)
    ax.axhline(1, color=GREY, linestyle=":", linewidth=1.4, label="an average: 1")
    _finish(
        ax,
        tuple(depth for depth in study.settings.depths if depth > 2),
        "residual nets and their layers",
    )
    ax.set_ylabel("ratio of losses")
    ax.legend(loc="center", bbox_to_anchor=(0.5, 0.68), fontsize=8)
