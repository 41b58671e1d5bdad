"""Equation 10: what an exponent in the width says about an exponent in the number of parameters,
and why it tests nothing.
"""

from typing import TYPE_CHECKING

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate, points
from minilotto.analysis.stats.parameter_count import MEASURED, REFIT, parameter_exponents
from minilotto.analysis.stats.scaling import fit_law
from minilotto.errors import DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Figure, Scale, Source, Table, training_words
from minilotto.report.rules import LEVEL, UNTESTED
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

KAPLAN = 0.076  # Kaplan et al. 2020, for the same kind of model
POWERS = {1: "", 2: "²", 3: "³"}
LOW, HIGH = 10, 50  # the paper's range of widths


class ParameterLaw(Figure):
    """Exponents in the number of parameters that a width exponent implies, for three ways in which
    a model may grow.
    """

    name = "eq10"
    title = "equation 10, from width to number of parameters"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        widths = tuple(width for width in scale.widths if LOW <= width <= HIGH)
        return (Sweep(widths=widths, seeds=scale.seeds, steps=scale.steps),)

    def __init__(self, source: Source, scale: Scale) -> None:
        self.nets = source.by_width(self.sweeps(scale)[0])
        if len(self.nets) < 3:
            raise DataError(
                f"of widths {LOW} to {HIGH}, {len(self.nets)} are there; an exponent needs 3: "
                "train more widths"
            )
        fit = fit_law(
            points(list(self.nets), [nets.loss for nets in self.nets.values()], level=LEVEL)
        )
        self.measured: Estimate = fit.with_misfit["exponent"]
        self.claimed = parameter_exponents(1.0)

    def draw(self) -> "Drawing":
        from minilotto.report.plots.style import BLUE, GREY, ORANGE, grid

        figure, ((ax,),) = grid(1, 1, 7.2, 3.6)
        powers = np.array([row.power for row in self.claimed])
        at = np.arange(len(powers))
        ax.axhspan(
            *REFIT,
            color=GREY,
            alpha=0.2,
            linewidth=0,
            label=f"language models, refit ({REFIT[0]:g} to {REFIT[1]:g})",
        )
        ax.axhline(MEASURED, color=GREY, linewidth=1.0, label=f"as quoted ({MEASURED:g})")
        ax.axhline(
            KAPLAN, color=GREY, linewidth=1.0, linestyle=":", label=f"an earlier study ({KAPLAN:g})"
        )
        ax.plot(
            at - 0.08,
            [row.exponent for row in self.claimed],
            "o",
            color=BLUE,
            label="width exponent 1, as claimed",
        )
        value = self.measured.value / powers
        bars = [
            (self.measured.value - self.measured.low) / powers,
            (self.measured.high - self.measured.value) / powers,
        ]
        label = f"width exponent {self.measured.value:.2f}, measured"
        ax.errorbar(
            at + 0.08, value, yerr=bars, fmt="s", color=ORANGE, markersize=4, capsize=3, label=label
        )
        ax.set_xticks(
            at, [f"{row.shape}:\nparameters ∝ width{POWERS[row.power]}" for row in self.claimed]
        )
        ax.set_xlim(-0.5, len(at) - 0.5)
        ax.set_ylim(bottom=0)
        ax.set_ylabel("exponent in the number of parameters")
        ax.legend(loc="upper left", fontsize=8)
        return figure

    def caption(self) -> str:
        return (
            "What loss ∝ width⁻ᵃ means for the number of parameters, by how a model grows: "
            "circles for a = 1, as the paper "
            f"claims, squares for the exponent measured over widths {LOW} to {HIGH} with its "
            f"{LEVEL:.0%} interval. Grey: the "
            "exponent of language models that the paper quotes (Hoffmann et al. 2022), the band "
            "that a refit of the same data "
            "leaves (Besiroglu et al. 2024), and what Kaplan et al. 2020 found. "
            f"{training_words(self.nets.values())}."
        )

    def tables(self) -> list[Table]:
        rows: dict[str, list] = {
            name: []
            for name in (
                "how the model grows",
                "power of the width",
                "exponent for 1",
                "measured",
                "low",
                "high",
                "excluded",
            )
        }
        for row in self.claimed:
            ours = (
                self.measured.value / row.power,
                self.measured.low / row.power,
                self.measured.high / row.power,
            )
            values = (row.shape, row.power, row.exponent, *ours, row.excluded)
            for name, value in zip(rows, values, strict=True):
                rows[name].append(value)
        return [Table("exponents", rows)]

    def verdicts(self) -> list[Verdict]:
        told = "; ".join(
            f"{row.shape}: {row.exponent:.3g} (measured {self.measured.value / row.power:.3g})"
            for row in self.claimed
        )
        return [
            Verdict(
                "Width⁻¹ explains the exponent 0.34 of language models",
                "Loss ∝ width⁻¹ and parameters ∝ width³ give 1/3, quite close to 0.34; the "
                "authors leave open whether it is "
                "coincidence.",
                f"width exponent {self.measured}; {told}",
                f"Exponents that the claim implies, against {REFIT[0]:g} to {REFIT[1]:g}. Any "
                "width exponent from "
                f"{3 * REFIT[0]:.2f} to {3 * REFIT[1]:.2f} would agree if depth grows with "
                "width, none of 1 otherwise.",
                UNTESTED,
                "This is no test: the power of the width is an assumption, the number was known "
                "beforehand, an earlier study of "
                f"the same kind of model found {KAPLAN:g}, and any law of 1/3 fits as well. A "
                "test would vary width alone in "
                "language models.",
                {row.shape: row.exponent for row in self.claimed}
                | {"measured width exponent": self.measured.value},
            )
        ]
