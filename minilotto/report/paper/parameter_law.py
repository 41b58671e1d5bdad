"""Equation 10: what a width exponent says about that of parameters, and why it tests nothing."""

from typing import Any

import numpy as np

from minilotto.analysis.stats.scaling import fit_law
from minilotto.errors import DataError
from minilotto.report.claims import Claim, Outcome, untested
from minilotto.report.figure import Figure, Scale, Source, Table, divided, training_words
from minilotto.report.paper.targets import FIRST, LAST, medians
from minilotto.report.plots.style import BLUE, GREY, ORANGE, Drawing, grid, intervals
from minilotto.store.grid import Sweep

KAPLAN = 0.076  # Kaplan et al. 2020, for the same kind of model
MEASURED = 0.34  # Hoffmann et al. 2022, the fit that the paper quotes in equation 10
# Besiroglu et al. 2024, from the same data: 0.35 with two standard errors of 0.02 on either side.
REFIT = (0.31, 0.39)
# The power of the width as which parameters grow: a transformer has some width^2 depth of them.
SHAPES = {"depth grows with width": 3, "depth is fixed": 2, "one hidden layer": 1}
POWERS = {1: "", 2: "²", 3: "³"}


class ParameterLaw(Figure):
    """Exponents in the number of parameters that a width exponent implies, for three shapes: loss ~
    width^-1 is loss ~ parameters^-(1 / power).
    """

    name = "eq10"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        widths = tuple(width for width in scale.widths if FIRST <= width <= LAST)
        return (Sweep(widths=widths, seeds=scale.seeds, steps=scale.steps),)

    def __init__(self, source: Source, scale: Scale) -> None:
        self.nets = source.by_width(self.sweeps(scale)[0])
        if len(self.nets) < 3:
            raise DataError(
                f"of widths {FIRST} to {LAST}, {len(self.nets)} are there; an exponent needs 3: "
                "train more widths"
            )
        fit = fit_law(medians({width: nets.loss for width, nets in self.nets.items()}))
        self.measured = one = fit.estimates["exponent"]
        self.claimed = {shape: 1.0 / power for shape, power in SHAPES.items()}
        self.implied = [divided(one, power) for power in SHAPES.values()]

    def facts(self) -> dict[str, Any]:
        ends = dict(zip(("refit_low", "refit_high"), REFIT, strict=True))
        agree = {"agree_low": 3 * REFIT[0], "agree_high": 3 * REFIT[1]}
        return {**ends, **agree, "training": training_words(self.nets.values())}

    def draw(self) -> Drawing:
        figure, ((ax,),) = grid(1, 1, 7.2, 3.6)
        at, band = np.arange(len(self.claimed)), f"{REFIT[0]:g} to {REFIT[1]:g}"
        label = f"language models, refit ({band})"
        ax.axhspan(*REFIT, color=GREY, alpha=0.2, linewidth=0, label=label)
        for level, line, name in ((MEASURED, "-", "as quoted"), (KAPLAN, ":", "an earlier study")):
            label = f"{name} ({level:g})"
            ax.axhline(level, color=GREY, linewidth=1.0, linestyle=line, label=label)
        label, claimed = "width exponent 1, as claimed", [*self.claimed.values()]
        ax.plot(at - 0.08, claimed, "o", color=BLUE, label=label)
        label = f"width exponent {self.measured.value:.2f}, measured"
        intervals(at + 0.08, self.implied, ax, ORANGE, "s", label, linestyle="none", capsize=3)
        names = [f"{shape}:\nparameters ∝ width{POWERS[n]}" for shape, n in SHAPES.items()]
        ax.set_xticks(at, names)
        ax.set(xlim=(-0.5, len(at) - 0.5), ylabel="exponent in the number of parameters")
        ax.set_ylim(bottom=0)
        ax.legend(loc="upper left", fontsize=8)
        return figure

    def tables(self) -> list[Table]:
        rows = [
            (shape, SHAPES[shape], exponent, ours, not REFIT[0] <= exponent <= REFIT[1])
            for (shape, exponent), ours in zip(self.claimed.items(), self.implied, strict=True)
        ]
        header = "how the model grows, power of the width, exponent for 1, measured, low, high"
        return [Table.of("exponents", f"{header}, excluded", rows)]

    def claim_language(self, claim: Claim) -> Outcome:
        described = "; ".join(
            f"{shape}: {exponent:.3g} (measured {ours.value:.3g})"
            for (shape, exponent), ours in zip(self.claimed.items(), self.implied, strict=True)
        )
        numbers = {**self.claimed, "measured width exponent": self.measured.value}
        measured = f"width exponent {self.measured}; {described}"
        return untested("", measured, numbers)._replace(facts={"earlier": KAPLAN})
