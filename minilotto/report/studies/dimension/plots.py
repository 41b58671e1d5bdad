"""Exponents against the number of inputs, beside what theories say."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.rates import RULES
from minilotto.report.figure import named
from minilotto.report.plots import curves
from minilotto.report.plots.style import GREY, PALETTE, Drawing, below, mosaic, plain_numbers
from minilotto.report.studies.dimension.dimension import FAMILIES, Dimension

LINES = ("-", "--", ":", "-.")
SHOWN = (-1.0, 6.5)  # exponents; intervals are cut there
BESIDE = 1.025  # factor by which marks of one number of inputs are set apart


def draw(study: Dimension) -> Drawing:
    activations, families = study.activations, study.families
    above = [[f"{a} {f}" for f in families for _ in activations] for a in activations]
    size = max(7.0, 2.8 * len(families)), 2.5 * len(activations) + 3.8
    figure, axes = mosaic([*above, [a for a in activations for _ in families]], *size)
    colors = {inputs: PALETTE[i % len(PALETTE)] for i, inputs in enumerate(study.inputs)}
    out: Any = {"color": "black", "markersize": 8, "zorder": 5}
    for one in study.curves.values():
        ax, held = axes[f"{one.activation} {one.family}"], one.held
        curves.log_series(held, ax, colors[one.inputs], "o", f"D = {one.inputs}")
        ax.plot(held.widths[~one.kept], held.value[~one.kept], "x", **out)
    for a in activations:
        for f in families:
            ax = axes[f"{a} {f}"]
            ax.set_title(f"{named(a)}, {FAMILIES.get(f, f)}")
            ax.set_ylabel("held-out loss" if f == families[0] else "")
            curves.width_axis(ax, "width $N$" if a == activations[-1] else "")
        exponents: dict[str, dict[int, Estimate]] = {FAMILIES.get(f, f): {} for f in families}
        for one, e in study.known(a).items():
            exponents[FAMILIES.get(one.family, one.family)][one.inputs] = e
        _exponents(exponents, axes[a], named(a))
    curves.shared_legend(figure, [axes[f"{a} {f}"] for a in activations for f in families], 6)
    return figure


def _exponents(found: Mapping[str, Mapping[int, Estimate]], ax: Axes, title: str) -> None:
    """Exponents with intervals by name and number of inputs D, and rules as curves."""
    numbers = sorted({inputs for some in found.values() for inputs in some})
    span = np.geomspace(min(numbers, default=1) / 1.1, max(numbers, default=8) * 1.1, 200)
    for (name, rule), line in zip(RULES.items(), LINES, strict=False):
        ax.plot(span, rule(span), color=GREY, linestyle=line, linewidth=1.2, label=name)
    curves.side_by_side(found, ax, BESIDE, linestyle="none")
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.set_xlabel("number of inputs $D$")
    plain_numbers(ax.xaxis, numbers)
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, SHOWN[0]), min(high, SHOWN[1]))
    curves.finish(
        ax, f"{title}: exponent against the number of inputs", "exponent", **below(4, 0.22)
    )
