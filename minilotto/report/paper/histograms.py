"""Figure 3: loss histograms at each width, and the "central limit theorem" of lottery tickets in
numbers.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from minilotto.analysis.stats.modality import FEW_WIDTHS, central_limit
from minilotto.errors import DataError
from minilotto.report.claims import Outcome, as_numbers, register, untested
from minilotto.report.figure import Figure, Scale, Source, Table, training_words
from minilotto.report.rules import FAILS, HOLDS, IN_PART, LEVEL, counted
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

NARROW = 4  # the paper calls widths up to this one multi-modal
COLUMNS = 3
BINS_PER_DECADE = 10


class LossHistograms(Figure):
    """Peaks, dip, normality and spread of log10 loss against width."""

    name = "3"
    entry = register(__package__, "claims.toml", name)
    title = entry.title

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return (Sweep(widths=scale.widths, seeds=scale.seeds, steps=scale.steps),)

    def __init__(self, source: Source, scale: Scale) -> None:
        self.nets = source.by_width(self.sweeps(scale)[0])
        if not self.nets:
            raise DataError("no width of the paper is there; train them first")
        losses = [nets.loss for nets in self.nets.values()]
        self.study = central_limit(list(self.nets), losses, level=LEVEL)
        self.shapes = {int(shape.width): shape for shape in self.study.shapes}

    def facts(self) -> dict[str, Any]:
        return {"training": training_words(self.nets.values())}

    def draw(self) -> "Drawing":
        from minilotto.report.plots.distributions import log_edges, note, peak_marks, shares
        from minilotto.report.plots.style import panels

        every = np.concatenate([nets.loss for nets in self.nets.values()])
        every = every[np.isfinite(every) & (every > 0)]
        edges = log_edges(every.min(), every.max(), BINS_PER_DECADE)
        figure, axes = panels(len(self.nets), COLUMNS, 3.2, 2.3, sharex=True)
        for i, (ax, (width, nets)) in enumerate(zip(axes, self.nets.items(), strict=True)):
            shares(nets.loss, ax, edges)
            found = self.shapes[width].modes
            if found is not None and found.count > 1:
                peak_marks(found.peaks.location.tolist(), found.peaks.share.tolist(), ax)
            note(f"N = {width}", ax, right=width > NARROW)
            ax.set_xlabel("loss (mean squared error)" if i >= len(axes) - COLUMNS else "")
            ax.set_ylabel("nets (%)" if i % COLUMNS == 0 else "")
        return figure

    def tables(self) -> list[Table]:
        names = ("skewness", "skewness_error", "kurtosis", "kurtosis_error", "p_value", "deviation")
        nan, shapes = float("nan"), []
        for width, nets in self.nets.items():
            one = self.shapes[width]
            dip = (one.dip.dip, one.dip.p_value) if one.dip else (nan, nan)
            normality = [getattr(one.normality, name, nan) for name in names]
            median, peaks = np.nanmedian(nets.loss), one.modes.count if one.modes else nan
            shapes.append((width, one.seeds, median, peaks, *dip, *normality))
        losses = [
            (width, *row)
            for width, nets in self.nets.items()
            for row in zip(nets.seeds, nets.loss, strict=True)
        ]
        header = (
            "width, seeds, median, peaks proven, dip, dip p, skewness, skewness error, kurtosis, "
            "kurtosis error, normality p, deviation in decades"
        )
        return [Table.of("shapes", header, shapes), Table.of("losses", "width, seed, loss", losses)]

    def outcomes(self) -> dict[str, Outcome]:
        narrow, wide = {}, {}
        for width, shape in self.shapes.items():
            if shape.modes is not None and width <= NARROW:
                narrow[width] = shape.modes.count
            elif shape.modes is not None and width >= FEW_WIDTHS:
                wide[width] = shape.modes.count
        several = sum(count > 1 for count in narrow.values())
        second = {width: self._second(width) for width, count in wide.items() if count > 1}
        groups = ", ".join(f"{part:.1%} of the nets at N = {n}" for n, part in second.items())
        return {
            "many": self._peaks(
                narrow, several, f"{several} of {len(narrow)} widths have several."
            ),
            "one": self._peaks(
                wide,
                len(wide) - len(second),
                f"A second group is proven: {groups}." if second else "No second peak is proven.",
            ),
            "normal": self._normal(),
            "narrowing": self._narrowing(),
        }

    def _second(self, width: int) -> float:
        """Fraction of the nets that are not in the largest group."""
        found = self.shapes[width].modes
        return 0.0 if found is None else float(1 - found.peaks.share.max())

    def _peaks(self, counts: dict[int, int], agree: int, reason: str) -> Outcome:
        described = []
        for width, count in counts.items():
            dip = self.shapes[width].dip
            described.append(f"N = {width}: {count} proven" + (f" ({dip})" if dip else ""))
        return Outcome(
            counted(agree, len(counts) - agree, len(counts)),
            "; ".join(described),
            reason if counts else "These nets are missing, or too few.",
            {f"peaks at width {width}": count for width, count in counts.items()},
        )

    def _normal(self) -> Outcome:
        found = {
            width: shape.normality
            for width, shape in self.shapes.items()
            if width >= FEW_WIDTHS and shape.normality is not None
        }
        described = "; ".join(
            f"N = {width}: skewness {n.skewness:+.2f} ± {n.skewness_error:.2f}, excess kurtosis "
            f"{n.kurtosis:+.2f} ± {n.kurtosis_error:.2f}"
            for width, n in found.items()
        )
        error = self.entry.claims["normal"]["error"]
        normal = sum(n.p_value > error / len(found) for n in found.values())
        return Outcome(
            counted(normal, len(found) - normal, len(found)),
            described,
            f"{normal} of {len(found)} widths are compatible with a normal distribution of log10 "
            "loss.",
            {f"skewness at width {width}": n.skewness for width, n in found.items()},
        )

    def _narrowing(self) -> Outcome:
        fit, claimed = self.study.narrowing, self.entry.claims["narrowing"]["claimed"]
        if fit is None:
            return untested("; ".join(self.study.notes))
        exponent = fit.with_misfit["exponent"]
        spread = "; ".join(
            f"N = {w:g}: {s:.2f}" for w, s in zip(fit.points.widths, fit.points.value, strict=True)
        )
        if exponent.low <= claimed <= exponent.high:
            verdict, reason = HOLDS, "The spread falls as that of an average does."
        elif exponent.low > 0:
            verdict = IN_PART
            reason = "The spread falls, but not as that of an average of N independent parts."
        else:
            verdict, reason = FAILS, "The spread does not fall, or not provably."
        measured = f"deviation in decades: {spread}; exponent {exponent}"
        return Outcome(verdict, measured, reason, as_numbers("exponent", exponent))
