"""Exponents against the number of inputs, beside what theories say."""

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.plots.curves import side_by_side
from minilotto.report.plots.style import GREY, plain_numbers
from minilotto.settings.arrays import Array

LINES = ("-", "--", ":", "-.")
SHOWN = (1.0, 6.5)  # exponents below 0 and above it that are shown
BESIDE = 1.025  # factor by which marks of one number of inputs are set apart


def exponents_against_inputs(
    found: Mapping[str, Mapping[int, Estimate]],
    rules: Mapping[str, Callable[[Array], Array]],
    ax: Axes,
) -> Axes:
    """Exponents with intervals by name and number of inputs D, and rules as curves."""
    numbers = sorted({inputs for some in found.values() for inputs in some})
    span = np.geomspace(min(numbers, default=1) / 1.1, max(numbers, default=8) * 1.1, 200)
    for (name, rule), line in zip(rules.items(), LINES, strict=False):
        ax.plot(span, rule(span), color=GREY, linestyle=line, linewidth=1.2, label=name)
    side_by_side(found, ax, BESIDE, linestyle="none")
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.set(xscale="log", xlabel="number of inputs $D$", ylabel="exponent")
    plain_numbers(ax.xaxis, numbers)
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, -SHOWN[0]), min(high, SHOWN[1]))
    ax.legend(ncols=4, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.22))
    return ax
