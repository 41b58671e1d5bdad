"""The figure of the study of pruning: loss against neurons kept."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from minilotto.analysis.landscape.pruned_losses import RULES, UNFITTED, Readout, median_loss
from minilotto.report.plots.curves import finish, log_series, width_axis
from minilotto.report.plots.style import BLUE, GREEN, GREY, ORANGE, PALETTE, Drawing, grid
from minilotto.report.studies.pruning.pruning import Pruning

READOUTS = {"float64": "output weights in float64", "float32": "output weights that float32 holds"}
STYLES = dict(zip(RULES, zip(PALETTE, "xos^D*", strict=True), strict=True))


def draw(study: Pruning) -> Drawing:
    figure, ((left, right), (below, corner)) = grid(2, 2, 11.0, 8.6)
    _rules(study, left, RULES, "float64")
    _rules(study, right, RULES, "float32")
    _rules(study, below, UNFITTED, None)
    styles = zip((ORANGE, BLUE, GREEN), "osD", strict=True)
    for (width, cut), (color, mark) in zip(sorted(study.cuts.items()), styles, strict=False):
        curve = cut.curve("elimination", "float32")
        log_series(curve, corner, color, mark, f"from N = {width}, elimination")
        _whole(corner, cut.whole[None], "--", color)
    _small(study, "float32", max(study.cuts), corner, "black", "P")
    _small(study, None, max(study.cuts), corner, "0.6", "X")
    for ax, title in (
        (left, f"N = {study.main}: {READOUTS['float64']}"),
        (right, f"N = {study.main}: {READOUTS['float32']}"),
        (below, f"N = {study.main}: last layer not fitted"),
        (corner, f"{READOUTS['float32']}; dashed: the whole nets"),
    ):
        width_axis(ax, "neurons kept, $k$")
        finish(ax, title, "median loss", loc="lower left", fontsize=7)
    return figure


def _rules(study: Pruning, ax: Axes, rules: Mapping[str, str], readout: Readout) -> None:
    cut = study.cuts[study.main]
    for rule, label in rules.items():
        log_series(cut.curve(rule, readout), ax, *STYLES[rule], label)
    _small(study, readout, study.main, ax, "black", "P")
    _whole(ax, cut.whole[None], "--", GREY, f"all {cut.width}, as trained")
    if readout:
        _whole(ax, cut.whole[readout], ":", GREY, f"all {cut.width}, fitted again")


def _small(study: Pruning, readout: Readout, below: int, ax: Axes, color: str, mark: str) -> None:
    """Nets that were trained at widths below another."""
    found = {k: median_loss(one[readout]) for k, one in study.small.items() if k < below}
    label = "trained at width k, fitted again" if readout else "trained at width k"
    log_series(found, ax, color, mark, label)


def _whole(ax: Axes, loss: np.ndarray, line: str, color: str, label: str = "") -> None:
    ax.axhline(float(np.median(loss)), color=color, linewidth=1.0, linestyle=line, label=label)
