"""The figure of the study of depth."""

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.plots import curves
from minilotto.report.plots.style import BLUE, GREEN, GREY, ORANGE, PALETTE, Drawing, beside, mosaic
from minilotto.report.studies.depth.depth import USUAL, Depth

LAYERS = "hidden layers, $L$"
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
        curves.log_series(curve, ax, color, mark, kind)
        label = "1/L" if kind == "plain" else None
        curves.power_law((curve.widths[0], curve.value[0]), curve.widths[-1], 1, ax, label)
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
        curves.width_axis(ax, LAYERS, settings.depths)
        label = "median loss (mean squared error)" if name == above[0] else ""
        curves.finish(ax, name.replace("square", "x²"), label)
    curves.shared_legend(figure, [axes[name] for name in names.values()], 4)
    _exponents(study, axes["exponents"])
    _cosines(study, axes["cosines"])
    _averages(study, axes["averages"])
    return figure


def _exponents(study: Depth, ax: Axes) -> None:
    rows: dict[str, dict[str, Estimate]] = {}
    for (name, task, width, kind), e in study.exponents.items():
        usual = f"{task.replace('square', 'x²')}, N = {width}"
        rows.setdefault(usual if name == USUAL else name, {})[kind] = e
    curves.forest(rows, ax, STYLES, 0.24)
    curves.claimed_exponent(ax, "1/L, as in language models", "no effect of depth")
    ax.set_xlabel("exponent of loss against $L$")
    title = "exponents by width, target and control (bars: seeds and depths)"
    curves.finish(ax, title, loc="lower right")


def _cosines(study: Depth, ax: Axes) -> None:
    for kind, (color, mark) in STYLES.items():
        found = {depth: one for (name, depth), (one, _) in study.seeds.items() if name == kind}
        curves.series(found, ax, color, mark, f"{kind}: two seeds", "--")
    for width, color in zip(dict.fromkeys(n for n, _ in study.layers), PALETTE[2:], strict=False):
        found = {depth: one["cosine"] for (n, depth), one in study.layers.items() if n == width}
        curves.series(found, ax, color, "D", f"two layers, N = {width}")
    depths = [depth for depth in study.settings.depths if depth > 2]
    cancel = [-1 / (depth - 2) for depth in depths]
    ax.plot(depths, cancel, ":", color=GREY, linewidth=1.4, label="layers that must cancel")
    for height, words in ((0, "independent: 0"), (1, "the same: 1")):
        ax.axhline(height, color=GREY, linewidth=0.8)
        beside(words, (1, height), (2, 3), ax)
    ax.set_xscale("log")
    curves.width_axis(ax, LAYERS, study.settings.depths)
    ax.set(ylim=(-1.1, 2.9), yticks=[-1, -0.5, 0, 0.5, 1])
    curves.finish(ax, "errors of two layers, and of two seeds", "median cosine", loc="upper left")


def _averages(study: Depth, ax: Axes) -> None:
    for what, color, mark, label in (
        ("ratio", GREEN, "D", "loss / their average"),
        ("lesion", ORANGE, "s", "without one / with all"),
    ):
        for width in dict.fromkeys(n for n, _ in study.layers):
            found = {depth: one[what] for (n, depth), one in study.layers.items() if n == width}
            shown = label if width == min(n for n, _ in study.layers) else ""
            curves.log_series(found, ax, color, mark, shown)
    ax.axhline(1, color=GREY, linestyle=":", linewidth=1.4, label="an average: 1")
    curves.width_axis(ax, LAYERS, [depth for depth in study.settings.depths if depth > 2])
    place = {"loc": "center", "bbox_to_anchor": (0.5, 0.68)}
    curves.finish(ax, "residual nets and their layers", "ratio of losses", **place)
