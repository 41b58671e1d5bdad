"""Figure 3: loss histograms at each width, and the "central limit theorem" of lottery tickets in
numbers.
"""

from typing import TYPE_CHECKING

import numpy as np

from minilotto.analysis.stats.modality import FEW_WIDTHS, central_limit
from minilotto.errors import DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Figure, Scale, Source, Table, training_words
from minilotto.report.rules import FAILS, HOLDS, IN_PART, LEVEL, UNTESTED
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

NARROW = 4  # the paper calls widths up to this one multi-modal
BINS_PER_DECADE = 10


class LossHistograms(Figure):
    """Peaks, dip, normality and spread of log10 loss against width."""

    name = "3"
    title = "loss histograms by width"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return (Sweep(widths=scale.widths, seeds=scale.seeds, steps=scale.steps),)

    def __init__(self, source: Source, scale: Scale) -> None:
        self.nets = source.by_width(self.sweeps(scale)[0])
        if not self.nets:
            raise DataError("no width of the paper is there; train them first")
        self.widths = list(self.nets)
        self.study = central_limit(
            self.widths, [nets.loss for nets in self.nets.values()], level=LEVEL
        )
        self.shapes = {int(shape.width): shape for shape in self.study.shapes}

    def draw(self) -> "Drawing":
        from minilotto.report.plots.distributions import log_edges, note, peak_marks, shares
        from minilotto.report.plots.style import grid

        columns = 3
        rows = -(-len(self.widths) // columns)
        finite = np.concatenate(
            [nets.loss[np.isfinite(nets.loss) & (nets.loss > 0)] for nets in self.nets.values()]
        )
        edges = log_edges(finite.min(), finite.max(), BINS_PER_DECADE)
        figure, axes = grid(rows, columns, 9.5, 2.2 * rows + 0.3, sharex=True)
        for i, (width, nets) in enumerate(self.nets.items()):
            ax = axes[i // columns][i % columns]
            shares(nets.loss, ax, edges)
            found = self.shapes[width].modes
            if found is not None and found.count > 1:
                peak_marks(found.peaks.location.tolist(), found.peaks.share.tolist(), ax)
            note(f"N = {width}", ax, right=width > NARROW)
            ax.set_xlabel("loss (mean squared error)" if i >= len(self.widths) - columns else "")
            ax.set_ylabel("nets (%)" if i % columns == 0 else "")
        for ax in [ax for row in axes for ax in row][len(self.widths) :]:
            ax.set_visible(False)
        return figure

    def caption(self) -> str:
        return (
            "Final losses of SiLU networks that learn y = x², by width N, all on one axis. "
            "Dotted lines and percentages: peaks "
            "that a multiscale test proves (5% error for each width), with their share of the "
            "nets; no mark where only one is "
            f"proven. {training_words(self.nets.values())}."
        )

    def tables(self) -> list[Table]:
        columns: dict[str, list] = {
            name: []
            for name in (
                "width", "seeds", "median", "peaks proven", "dip", "dip p", "skewness", "skewness error", "kurtosis",
                "kurtosis error", "normality p", "deviation in decades",
            )
        }  # fmt: skip
        nan = float("nan")
        for width, nets in self.nets.items():
            shape = self.shapes[width]
            normal = shape.normality
            row = (
                width,
                shape.seeds,
                float(np.nanmedian(nets.loss)),
                shape.modes.count if shape.modes else nan,
                shape.dip.dip if shape.dip else nan,
                shape.dip.p_value if shape.dip else nan,
                normal.skewness if normal else nan,
                normal.skewness_error if normal else nan,
                normal.kurtosis if normal else nan,
                normal.kurtosis_error if normal else nan,
                normal.p_value if normal else nan,
                normal.deviation if normal else nan,
            )
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
        losses: dict[str, list] = {"width": [], "seed": [], "loss": []}
        for width, nets in self.nets.items():
            losses["width"] += [width] * len(nets)
            losses["seed"] += nets.seeds.tolist()
            losses["loss"] += nets.loss.tolist()
        return [Table("shapes", columns), Table("losses", losses)]

    def verdicts(self) -> list[Verdict]:
        return [self._many_peaks(), self._one_peak(), self._normal(), self._narrowing()]

    def _counts(self, wide: bool) -> dict[int, int]:
        """Proven peaks of the widths on one side of the paper's divide."""
        return {
            width: shape.modes.count
            for width, shape in self.shapes.items()
            if shape.modes is not None and (width >= FEW_WIDTHS if wide else width <= NARROW)
        }

    def _told(self, wide: bool) -> str:
        told = []
        for width, count in self._counts(wide).items():
            shape = self.shapes[width]
            told.append(f"N = {width}: {count} proven" + (f" ({shape.dip})" if shape.dip else ""))
        return "; ".join(told)

    def _many_peaks(self) -> Verdict:
        counts = self._counts(wide=False)
        several = sum(count > 1 for count in counts.values())
        return Verdict(
            "Narrow nets: many peaks",
            "For N = 1, 2, 3, 4 the histogram of losses has several peaks.",
            self._told(wide=False),
            "Number of peaks of log10 loss that a multiscale test proves (at most 5% chance of "
            "one too many, each width); "
            "Hartigan's dip.",
            UNTESTED
            if not counts
            else HOLDS
            if several == len(counts)
            else IN_PART
            if several
            else FAILS,
            f"{several} of {len(counts)} widths have more than one.",
            {f"peaks at width {width}": count for width, count in counts.items()},
        )

    def _one_peak(self) -> Verdict:
        counts = self._counts(wide=True)
        single = sum(count == 1 for count in counts.values())
        groups = {
            width: float(1 - self.shapes[width].modes.peaks.share.max())  # type: ignore[union-attr]
            for width, count in counts.items()
            if count > 1
        }
        aside = ", ".join(
            f"{share:.1%} of the nets at N = {width}" for width, share in groups.items()
        )
        return Verdict(
            "Wide nets: one peak",
            "For N = 10, 20, 30, 40, 50 the histogram is single-peaked.",
            self._told(wide=True),
            "As above. A test can prove a second peak, not its absence: with these seeds a "
            "group of some percent would be seen.",
            UNTESTED
            if not counts
            else HOLDS
            if single == len(counts)
            else IN_PART
            if single
            else FAILS,
            "No second peak can be proven."
            if not groups
            else f"A second group is proven: {aside}.",
            {f"peaks at width {width}": count for width, count in counts.items()},
        )

    def _normal(self) -> Verdict:
        found = {
            width: shape.normality
            for width, shape in self.shapes.items()
            if width >= FEW_WIDTHS and shape.normality is not None
        }
        told = "; ".join(
            f"N = {width}: skewness {n.skewness:+.2f} ± {n.skewness_error:.2f}, excess kurtosis "
            f"{n.kurtosis:+.2f} ± "
            f"{n.kurtosis_error:.2f}"
            for width, n in found.items()
        )
        normal = sum(n.p_value > 0.05 / len(found) for n in found.values())
        return Verdict(
            "Central limit: the histograms become normal",
            "Single peaks remind the authors of the central limit theorem, by which an average "
            "of many parts is Gaussian.",
            told,
            "Skewness and excess kurtosis of log10 loss with bootstrap standard errors; "
            "D'Agostino and Pearson's test at 5% over "
            "all widths.",
            UNTESTED
            if not found
            else HOLDS
            if normal == len(found)
            else IN_PART
            if normal
            else FAILS,
            f"{normal} of {len(found)} widths are compatible with a normal distribution of log10 "
            "loss.",
            {f"skewness at width {width}": n.skewness for width, n in found.items()},
        )

    def _narrowing(self) -> Verdict:
        fit = self.study.narrowing
        how = (
            "Standard deviation of log10 loss against width, power law fitted from N = 10 on; an "
            "average of N independent parts "
            "narrows as 1/√N. Holds where the interval includes 1/2, in part where the spread "
            "falls at all."
        )
        claim, says = (
            "Central limit: the spread falls as more is averaged",
            "A wide network averages many tickets, n ∝ N of them.",
        )
        if fit is None:
            return Verdict(claim, says, "", how, UNTESTED, "; ".join(self.study.notes))
        exponent = fit.with_misfit["exponent"]
        spread = "; ".join(
            f"N = {w:g}: {s:.2f}" for w, s in zip(fit.points.widths, fit.points.value, strict=True)
        )
        verdict = (
            HOLDS
            if exponent.low <= 0.5 <= exponent.high
            else IN_PART
            if exponent.low > 0
            else FAILS
        )
        reason = {
            HOLDS: "The spread falls as that of an average does.",
            IN_PART: "The spread falls, but not as that of an average of N independent parts.",
            FAILS: "The spread does not fall, or not provably.",
        }[verdict]
        return Verdict(
            claim,
            says,
            f"deviation in decades: {spread}; exponent {exponent}",
            how,
            verdict,
            reason,
            {"exponent": exponent.value, "low": exponent.low, "high": exponent.high},
        )
