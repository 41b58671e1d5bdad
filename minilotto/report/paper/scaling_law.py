"""Figure 1c: median loss against width for SiLU and LeakyReLU, also beyond the paper's widths."""

from typing import Any

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate, Points, median_interval
from minilotto.analysis.stats.estimates import bend, estimates, exponents
from minilotto.analysis.stats.scaling import Fit, fit_law
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.report.claims import Case, Claim, Outcome, about, as_numbers, over, untested
from minilotto.report.figure import Figure, Scale, Source, Table, named, training_words, width_rows
from minilotto.report.paper.targets import medians
from minilotto.report.plots import curves
from minilotto.report.plots.style import BLUE, GREY, ORANGE, Drawing, grid
from minilotto.report.rules import UNSEEN, Every, one_law
from minilotto.store.grid import Sweep

ACTIVATIONS = ("silu", "leaky_relu")
BETWEEN = (5, 15, 25)  # widths that the paper leaves out, where the exponent changes
EXPONENTS_SHOWN = (-3.0, 6.0)
ACTIVATION_OF = {  # claims about power laws
    **dict.fromkeys(("silu", "beyond", "curvature"), "silu"),
    **dict.fromkeys(("early", "late"), "leaky_relu"),
}


class ScalingLaw(Figure):
    """Medians, fits over the paper's and wider widths, local exponents, population losses."""

    name = "1c"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        many = sorted({*scale.widths, *BETWEEN})
        return tuple(
            Sweep(widths=widths, activations=(activation,), seeds=seeds, steps=scale.steps)
            for activation in ACTIVATIONS
            for widths, seeds in ((many, scale.seeds), (scale.wide, scale.wide_seeds))
        )

    def __init__(self, source: Source, scale: Scale) -> None:
        self.grid: dict[str, Points] = {}
        self.population: dict[str, Points] = {}
        self.gaps: dict[str, dict[int, Estimate]] = {}  # loss on all x over that on the points
        self.trained: list[Ensemble] = []
        found = [nets for sweep in self.sweeps(scale) for nets in source.nets(sweep).values()]
        for activation in ACTIVATIONS:
            nets = {one.config.width: one for one in found if one.config.activation == activation}
            if len(nets) > 2:
                self.trained += nets.values()
                self.grid[activation] = medians({n: one.loss for n, one in nets.items()})
                everywhere = {n: one.population_loss for n, one in nets.items()}
                self.population[activation] = medians(everywhere)
                self.gaps[activation] = {n: _gap(one) for n, one in nets.items()}
        if not self.grid:
            raise DataError(
                "no activation has three widths; a scaling law needs at least that many: train "
                "more widths"
            )
        self.fits = {key: self._fit(key) for key in ACTIVATION_OF}
        self.unseen = [UNSEEN] * (scale.widest < Scale.widest)

    def facts(self) -> dict[str, Any]:
        return {"training": training_words(self.trained)}

    def draw(self) -> Drawing:
        figure, ((left, right),) = grid(1, 2, 9.5, 4.4)
        looks = {"silu": (BLUE, "o"), "leaky_relu": (ORANGE, "s")}
        for activation, found in self.grid.items():
            look, label = looks[activation], named(activation)
            everywhere, whole = f"{label}, all of [-2, 2]", self.population[activation]
            curves.log_series(whole, left, *look, everywhere, "--", markerfacecolor="white")
            curves.log_series(found, left, *look, f"{label}, training points")
            curves.exponents(exponents(found), right, *look, label)
        laws = (("silu", 1, 10, 200), ("leaky_relu", 4, 2, 20), ("leaky_relu", 1, 20, 400))
        for activation, exponent, first, last in laws:
            if activation in self.grid and first in self.grid[activation].widths:
                at = first, 2.0 * estimates(self.grid[activation])[first].value
                text = f"$N^{{-{exponent}}}$"
                curves.power_law(at, last, exponent, left, text=text)
        claim = self.entry.claims["silu"]
        curves.width_axis(left)
        left.set_ylabel("median loss (mean squared error)")
        for ax, title in ((left, "median loss"), (right, "slope between neighbouring widths")):
            curves.shaded_range(claim["low"], claim["high"], ax, "the paper's range")
            ax.legend(loc="lower left")
            ax.set_title(title)
        for level in (0.0, 1.0, 4.0):
            right.axhline(level, color=GREY, linewidth=0.8, linestyle=":" if level else "-")
        right.set_ylim(*EXPONENTS_SHOWN)
        left.set_ylim(bottom=left.get_ylim()[0] / 100)  # for the legend
        return figure

    def headline(self) -> str:
        sentences, silu, late = [], self.fits["silu"], self.fits["late"]
        if isinstance(silu, Fit):
            found, slope = self.grid["silu"], silu.estimates["exponent"].value
            least = int(np.argmin(found.value))
            sentences.append(f"The SiLU loss falls with width as N^-{slope:.2f} from 10 to 50")
            if least < len(found.widths) - 1:
                rise = found.value[-1] / found.value[least]
                sentences[0] += (
                    f", is least at {found.widths[least]:g}, and at {found.widths[-1]:g} is "
                    f"{rise:.2g} times the least"
                )
        if isinstance(late, Fit):
            tail = "at the tail that the paper calls N⁻¹"
            slope = late.estimates["exponent"].value
            sentences.append(f"LeakyReLU's exponent is {slope:.1f} {tail}")
        return " ".join(f"{sentence}." for sentence in sentences)

    def tables(self) -> list[Table]:
        losses = [
            (activation, *row, everywhere)
            for activation, found in self.grid.items()
            for row, everywhere in zip(
                width_rows(found), self.population[activation].value, strict=True
            )
        ]
        slopes = [(name, *row) for name, found in self.grid.items() for row in exponents(found)]
        header = "activation, width, seeds, diverged, median, low, high, population"
        return [
            Table.of("losses", header, losses),
            Table.of("exponents", "activation, from, to, exponent, low, high", slopes),
        ]

    def _fit(self, key: str) -> Fit | str:
        """The power law over the widths of a claim, or why there is none."""
        claim, activation = self.entry.claims[key], ACTIVATION_OF[key]
        if activation not in self.grid:
            return f"The {named(activation)} nets are missing."
        found = self.grid[activation]
        inside = (found.widths >= claim["low"]) & (found.widths <= claim["high"])
        try:
            return fit_law(found.select(inside))
        except DataError as error:
            return str(error)

    def claim_silu(self, claim: Claim) -> Outcome:
        fit = self.fits[claim.key]
        if isinstance(fit, str):
            return untested(fit)
        exponent, by_seeds = fit.estimates["exponent"], fit.seeds_only["exponent"]
        rises = "; the loss rises with width" if exponent.high < 0 else ""
        widths = fit.points.widths.astype(int)
        measured = (
            f"exponent {exponent}, over seeds alone {by_seeds}; {len(widths)} widths from "
            f"{widths[0]} to {widths[-1]}"
        )
        numbers = {**as_numbers("exponent", exponent), "claimed": claim["claimed"]}
        return about(claim.near(exponent), measured, numbers=numbers, rises=rises)

    claim_beyond = claim_early = claim_late = claim_silu

    def claim_curvature(self, claim: Claim) -> Outcome:
        fit = self.fits[claim.key]
        if isinstance(fit, str):
            return untested(fit)
        try:
            bent = bend(fit.points)
        except DataError as error:
            return untested(str(error))
        width = np.sqrt(fit.points.widths[0] * fit.points.widths[-1])
        return about(
            one_law(bent, fit.p_value),
            f"exponent above width {width:.0f} minus that below: {bent}; a power law that seeds "
            f"alone scatter about has p = {fit.p_value:.2g}",
            numbers={**as_numbers("bend", bent), "p of the fit": fit.p_value},
            span=np.log10(claim["high"] / claim["low"]),
        )

    def claim_resolution(self, claim: Claim) -> Outcome:
        cases = []
        for activation, gaps in self.gaps.items():
            furthest = max(gaps, key=lambda width: abs(np.log(gaps[width].value)))
            each = [*map(claim.similar, gaps.values()), *self.unseen]
            words = f"furthest from 1 at width {furthest}: {gaps[furthest]}"
            numbers = {f"ratio for {named(activation)}": gaps[furthest].value}
            cases.append(Case(named(activation), Every(each), words, numbers))
        return over(cases)


def _gap(nets: Ensemble) -> Estimate:
    """Median over nets of their loss on all of [-2, 2] over that on the training points."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return median_interval(np.log(nets.population_loss / nets.loss)).mapped(np.exp)
