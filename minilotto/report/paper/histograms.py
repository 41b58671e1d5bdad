"""Figure 3: loss histograms at each width, and the tickets' "central limit theorem" in numbers."""

from typing import Any

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.modality import FEW_WIDTHS, Normality, Shape, central_limit
from minilotto.ensemble.plots import edges_of
from minilotto.errors import DataError
from minilotto.report.claims import Case, Claim, Outcome, about, as_numbers, over, untested
from minilotto.report.figure import Figure, Scale, Source, Table, training_words
from minilotto.report.plots.distributions import note, peak_marks, shares
from minilotto.report.plots.style import Drawing, panels
from minilotto.report.rules import LEVEL, Every, at_least, inside
from minilotto.settings.arrays import Array
from minilotto.store.grid import Sweep

COLUMNS = 3
BINS_PER_DECADE = 10
DIP = ("dip", "p_value")
MOMENTS = ("skewness", "skewness_error", "kurtosis", "kurtosis_error", "p_value")
SHAPE = (
    "seeds, median, peaks proven, dip, dip p, skewness, skewness error, kurtosis, kurtosis error, "
    "normality p"
)


class LossHistograms(Figure):
    """Peaks, dip, normality and spread of log10 loss against width."""

    name = "3"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return (Sweep(widths=scale.widths, seeds=scale.seeds, steps=scale.steps),)

    def __init__(self, source: Source, scale: Scale) -> None:
        self.nets = source.by_width(self.sweeps(scale)[0])
        if not self.nets:
            raise DataError("no width of the paper is there; train them first")
        self.narrow = self.entry.claims["many"]["narrow"]
        losses = [nets.loss for nets in self.nets.values()]
        self.study = central_limit(list(self.nets), losses, level=LEVEL)
        self.shapes = {int(shape.width): shape for shape in self.study.shapes}
        self.modes = {width: one.modes for width, one in self.shapes.items() if one.modes}

    def facts(self) -> dict[str, Any]:
        return {"training": training_words(self.nets.values())}

    def draw(self) -> Drawing:
        every = np.concatenate([nets.loss for nets in self.nets.values()])
        edges = edges_of(every, BINS_PER_DECADE)
        figure, axes = panels(len(self.nets), COLUMNS, 3.2, 2.3, sharex=True)
        for i, (ax, (width, nets)) in enumerate(zip(axes, self.nets.items(), strict=True)):
            shares(nets.loss, ax, edges)
            found = self.modes.get(width)
            if found and found.count > 1:
                peak_marks(found.peaks.location.tolist(), found.peaks.share.tolist(), ax)
            note(f"N = {width}", ax, right=width > self.narrow)
            ax.set_xlabel("loss (mean squared error)" if i >= len(axes) - COLUMNS else "")
            ax.set_ylabel("nets (%)" if i % COLUMNS == 0 else "")
        return figure

    def tables(self) -> list[Table]:
        shapes, losses = [], []
        for width, nets in self.nets.items():
            one = self.shapes[width]
            deviation = getattr(one.normality, "deviation", None)
            shapes.append((width, *shape_row(one, nets.loss), deviation))
            losses += [(width, *row) for row in zip(nets.seeds, nets.loss, strict=True)]
        header = f"width, {SHAPE}, deviation in decades"
        return [Table.of("shapes", header, shapes), Table.of("losses", "width, seed, loss", losses)]

    def claim_many(self, claim: Claim) -> Outcome:
        some = {n: one for n, one in self.modes.items() if n <= self.narrow}
        return over([self._peaks(n, one.count, 2, np.inf) for n, one in some.items()])

    def claim_one(self, claim: Claim) -> Outcome:
        some = {n: one for n, one in self.modes.items() if n >= FEW_WIDTHS}
        second = ", ".join(
            f"{1 - one.peaks.share.max():.1%} of the nets at N = {width}"
            for width, one in some.items()
            if one.count > 1
        )
        return over([self._peaks(n, one.count, 1, 1) for n, one in some.items()], second=second)

    def _peaks(self, width: int, count: int, least: float, most: float) -> Case:
        shape = self.shapes[width]
        words = f"{count} proven" + (f" ({shape.dip})" if shape.dip else "")
        judged = inside(at_least(count, shape.seeds), least, most)
        return Case(f"N = {width}", judged, words, {f"peaks at width {width}": count})

    def claim_normal(self, claim: Claim) -> Outcome:
        most, cases = claim["moment"], []
        for width, shape in self.shapes.items():
            if width >= FEW_WIDTHS and (one := shape.normality) is not None:
                words = (
                    f"skewness {one.skewness:+.2f} ± {one.skewness_error:.2f}, excess kurtosis "
                    f"{one.kurtosis:+.2f} ± {one.kurtosis_error:.2f}, p = {one.p_value:.2g}"
                )
                numbers = {f"skewness at width {width}": one.skewness}
                cases.append(Case(f"N = {width}", is_normal(one, most), words, numbers))
        return over(cases)

    def claim_narrowing(self, claim: Claim) -> Outcome:
        fit = self.study.narrowing
        if fit is None:
            return untested("; ".join(self.study.notes))
        exponent = fit.estimates["exponent"]
        spread = "; ".join(
            f"N = {w:g}: {s:.2f}" for w, s in zip(fit.points.widths, fit.points.value, strict=True)
        )
        return about(
            claim.near(exponent),
            f"deviation in decades: {spread}; exponent {exponent}",
            numbers=as_numbers("exponent", exponent),
        )


def shape_row(found: Shape, loss: Array) -> list[Any]:
    """Numbers about log10 losses by SHAPE, None for what has not been tested."""
    parts = ((found.dip, DIP), (found.normality, MOMENTS))
    tests = [getattr(one, name, None) for one, names in parts for name in names]
    return [found.seeds, np.nanmedian(loss), found.modes and found.modes.count, *tests]


def is_normal(found: Normality, most: float) -> Every:
    """Whether skewness is within `most` of 0, and excess kurtosis within twice that."""
    skewness = normal_interval(found.skewness, found.skewness_error)
    kurtosis = normal_interval(found.kurtosis, found.kurtosis_error)
    return Every([inside(skewness, -most, most), inside(kurtosis, -2 * most, 2 * most)])


def normal_interval(value: float, error: float) -> Estimate:
    """Of a number with a normal error."""
    return Estimate(value, value - 1.96 * error, value + 1.96 * error, LEVEL)
