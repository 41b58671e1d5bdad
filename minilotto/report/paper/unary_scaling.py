"""Figure 7: loss against width for functions of one input, and where its plateaus come from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.scaling import reference_line
from minilotto.errors import DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Figure, Scale, Source, Table, training_words
from minilotto.report.paper.scaling_law import NEAR, STATED
from minilotto.report.paper.targets import (
    PAPER_RANGE,
    UNARY,
    TargetStudy,
    over_targets,
    part_words,
    scaling_tables,
    study,
    told,
    training_left,
)
from minilotto.report.rules import LEVEL
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

TARGETS = ("square", *UNARY)  # x² for comparison
THROUGHOUT = ("square", "cube")  # those of the 1/N claim for which it does not say until when
LAWFUL, DECAYING = (*THROUGHOUT, "tanh"), ("quartic", "sin2", "exp_square")
FLAT = ("sin", "cos", "exp", "relu")
EARLY, LATE = (10, 20), (30, 50)
PLATEAU = 0.5  # exponent over widths 20 to 50 below which a loss counts as levelling off
HALF = 0.5


class UnaryScaling(Figure):
    """Medians, exponents, laws, and the parts of the loss that all seeds share and do not."""

    name = "7"
    title = "loss against width, functions of one input"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return tuple(
            Sweep(
                widths=scale.widths,
                tasks=(task,),
                seeds=scale.seeds if task == "square" else scale.target_seeds,  # those of figure 3
                steps=scale.steps,
            )
            for task in TARGETS
        )

    def __init__(self, source: Source, scale: Scale) -> None:
        self.studies: dict[str, TargetStudy] = {}
        trained = []
        for sweep in self.sweeps(scale):
            nets = source.by_width(sweep)
            if len(nets) > 1:
                task = sweep.configs[0].task
                self.studies[task] = study(task, nets)
                trained += list(nets.values())
        if not self.studies:
            raise DataError("no target has two widths; train them first")
        self.words = training_words(trained)

    def draw(self) -> "Drawing":
        from minilotto.report.plots.parts import estimates_against_width, shared_legend, width_axis
        from minilotto.report.plots.style import BLUE, GREEN, GREY, ORANGE, grid

        columns = 5
        rows = -(-len(self.studies) // columns)
        figure, axes = grid(rows, columns, 11.0, 2.7 * rows + 0.4, sharex=True)
        flat = [ax for row in axes for ax in row]
        for ax, one in zip(flat, self.studies.values(), strict=False):
            found = one.points
            medians = zip(found.value, found.low, found.high, strict=True)
            loss = {
                int(w): Estimate(*row, LEVEL) for w, row in zip(found.widths, medians, strict=True)
            }
            wide = {width: part for width, part in one.parts.items() if width >= PAPER_RANGE[0]}
            estimates_against_width(
                {w: p.bias for w, p in wide.items()}, ax, ORANGE, "s", "bias: common to all seeds"
            )
            estimates_against_width(
                {w: p.variance for w, p in wide.items()}, ax, GREEN, "D", "variance: between seeds"
            )
            estimates_against_width(loss, ax, BLUE, "o", "median loss")
            if PAPER_RANGE[0] in loss:
                span = np.array(PAPER_RANGE, dtype=np.float64)
                start = 2.5 * loss[PAPER_RANGE[0]].value
                ax.plot(
                    span,
                    reference_line(span, 1.0, (span[0], start)),
                    color=GREY,
                    linestyle=":",
                    linewidth=1.2,
                    label="$N^{-1}$",
                )
            fit = one.fit()
            if fit is not None:
                value = round(fit.estimates["exponent"].value, 2) + 0.0  # no -0.00
                ax.set_title(f"exponent {value:.2f}", loc="right", fontsize=9, color=GREY)
            ax.set_title(one.formula)
            width_axis((1, 3, 10, 50), ax)
        for ax in flat[len(self.studies) :]:
            ax.set_visible(False)
        for ax in flat[max(0, len(self.studies) - columns) : len(self.studies)]:
            ax.set_xlabel("width $N$")
            ax.tick_params(axis="x", labelbottom=True)
        for row in axes:
            row[0].set_ylabel("loss")
        shared_legend(figure, flat[:1], 4)
        return figure

    def caption(self) -> str:
        return (
            "Median loss of SiLU networks that learn functions of one input on [-2, 2], against "
            "width, with its exponent over "
            f"widths 10 to 50. From width 10 on also its parts: {part_words()} x² is there for "
            f"comparison. Bars are {LEVEL:.0%} "
            f"bootstrap intervals over seeds. {self.words}."
        )

    def headline(self) -> str:
        plateaus = self._plateaus()
        shared = [one for one in plateaus if one.parts[one.widest].share.low > HALF]
        lawful = [one for one in self._some(THROUGHOUT) if one.widest in one.parts]
        if not plateaus or not lawful:
            return ""
        told = (
            f"Where the loss levels off ({len(plateaus)} functions of one input) most of it is "
            f"common to all seeds in {len(shared)}"
        )
        names = " and ".join(one.formula for one in lawful)
        least = min(one.parts[one.widest].share.value for one in lawful)
        if least <= HALF:
            return f"{told}."
        return (
            f"{told}; but so is {least:.0%} or more of it for {names}, so what falls there is "
            "not a variance between seeds."
        )

    def tables(self) -> list[Table]:
        return scaling_tables(self.studies, {})

    def verdicts(self) -> list[Verdict]:
        return [
            self._law(),
            self._decaying(),
            self._flat(),
            self._common(),
            self._what_falls(),
            training_left(
                "A plateau is what the tickets cannot do",
                self._plateaus(),
                "Plateaus are possibly due to the bias term of tickets, or to optimisation issues.",
            ),
        ]

    def _some(self, tasks: Sequence[str]) -> list[TargetStudy]:
        return [self.studies[task] for task in tasks if task in self.studies]

    def _plateaus(self) -> list[TargetStudy]:
        """Targets whose loss levels off, by the paper or by ours."""
        found = []
        for task, one in self.studies.items():
            fit = one.fit(20, PAPER_RANGE[1])
            if fit is not None and one.widest in one.parts:
                level = fit.estimates["exponent"].value < PLATEAU
                found += [one] if level or task in DECAYING else []
        return found

    def _law(self) -> Verdict:
        claim = "x², x³ and, at first, tanh: 1/N"
        says = "Some examples obey the N⁻¹ law quite well: x², x³, tanh(x) (early stage)."
        how = (
            "Exponent over widths 10 to 50 with seeds' and widths' scatter, for tanh from 10 to "
            f"{EARLY[1]}. A target agrees where "
            f"the interval reaches within {STATED:g} of 1. Holds for all three, in part for some."
        )
        found: dict[str, Estimate] = {}
        for one in self._some(LAWFUL):
            estimate = one.slope(*EARLY) if one.task == "tanh" else one.exponent
            if estimate is not None:
                found[one.formula] = estimate
        good = [name for name, e in found.items() if e.low - STATED <= 1 <= e.high + STATED]
        late = self.studies["tanh"].slope(*LATE) if "tanh" in self.studies else None
        return over_targets(
            claim,
            says,
            told(found) + (f"; tanh x from {LATE[0]} to {LATE[1]}: {late}" if late else ""),
            how,
            len(good),
            len(found),
            f"{len(good)} of {len(found)} agree.",
            {name: e.value for name, e in found.items()},
        )

    def _decaying(self) -> Verdict:
        claim = "x⁴, sin², exp(x²): slowing down, still falling"
        says = (
            "For some examples the losses are still decaying but seem to plateau, e.g. x⁴, "
            "sin² x, exp(x²)."
        )
        how = (
            f"Exponents from {EARLY[0]} to {EARLY[1]} and from {LATE[0]} to {LATE[1]}, over "
            "seeds. A target "
            f"agrees where the second is smaller by more than {NEAR:g} and its interval reaches "
            "above 0 without "
            "reaching 1. Holds for all, in part for some."
        )
        words: dict[str, str] = {}
        numbers: dict[str, float] = {}
        good = 0
        for one in self._some(DECAYING):
            early, late = one.slope(*EARLY), one.slope(*LATE)
            if early is None or late is None:
                continue
            good += early.value - late.value > NEAR and 0 < late.high < 1
            words[one.formula] = f"{early}, then {late}{_weights(one)}"
            numbers |= {f"{one.formula} early": early.value, f"{one.formula} late": late.value}
        reason = f"{good} of {len(words)} slow down and still fall."
        return over_targets(claim, says, told(words), how, good, len(words), reason, numbers)

    def _flat(self) -> Verdict:
        claim = "The others: flat or rising"
        says = "Other examples (sin, cos, exp, relu) already plateaued or even slightly increase."
        how = (
            "Exponent over widths 10 to 50 with seeds' and widths' scatter. A target agrees "
            "where its value is below "
            f"{NEAR:g}. Holds for all, in part for some."
        )
        found: dict[str, Estimate] = {}
        for one in self._some(FLAT):
            if one.exponent is not None:
                found[one.formula] = one.exponent
        good = [name for name, estimate in found.items() if estimate.value < NEAR]
        falling = [name for name in found if name not in good]
        return over_targets(
            claim,
            says,
            told(found),
            how,
            len(good),
            len(found),
            "All are flat."
            if not falling
            else f"Still falling over these widths: {', '.join(falling)}.",
            {name: estimate.value for name, estimate in found.items()},
        )

    def _common(self) -> Verdict:
        claim = "A plateau is a bias common to all nets"
        says = (
            "If all tickets share a non-zero bias, the loss plateaus at the bias; this is "
            "seen in some cases."
        )
        how = (
            "Targets are x⁴, sin², exp(x²) and those whose exponent over 20 to 50 is below "
            f"{PLATEAU:g}. Bias and variance of the "
            "central half of the nets by loss, at the largest width, by products of the errors "
            "of distinct nets. A target agrees "
            f"where the interval of bias / loss lies above {HALF:g}. Holds for all, in part for "
            "some. Beside it: the bias over the "
            "level E of a fitted L = E + A N^-a, where there is one."
        )
        words: dict[str, str] = {}
        numbers: dict[str, float] = {}
        good = 0
        plateaus = self._plateaus()
        for one in plateaus:
            part = one.parts[one.widest]
            good += part.share.low > HALF
            words[one.formula] = f"{part.share}{_level(one)}"
            numbers[f"share for {one.formula}"] = part.share.value
        varied = [one.formula for one in plateaus if one.parts[one.widest].share.high < HALF]
        reason = f"{good} of {len(plateaus)} agree"
        reason += (
            f"; at {', '.join(varied)} the loss levels off without: its variance does."
            if varied
            else "."
        )
        return over_targets(
            claim,
            says,
            f"bias / loss: {told(words)}",
            how,
            good,
            len(plateaus),
            "At each plateau most of the loss is the same function for all seeds."
            if good == len(plateaus)
            else reason,
            numbers,
        )

    def _what_falls(self) -> Verdict:
        claim = "Where the loss falls as 1/N, its variance does"
        says = (
            "The N⁻¹ law is a central limit: an average of n ∝ N unbiased tickets, whose "
            "variance falls as 1/n."
        )
        how = (
            "Bias and variance as above, at widths 10 to 50, for x² and x³, which are to follow "
            "the law throughout. A target "
            "agrees where the variance is more than half of the loss at all of these widths and "
            f"its exponent within {NEAR:g} "
            "of 1. Holds for all, in part for some."
        )
        words: dict[str, str] = {}
        numbers: dict[str, float] = {}
        common: list[str] = []
        good = 0
        for one in self._some(THROUGHOUT):
            shares = [
                part.share.value for width, part in one.parts.items() if width >= PAPER_RANGE[0]
            ]
            fits = {part: one.part_fit(part) for part in ("bias", "variance")}
            variance = fits["variance"]
            if not shares or variance is None:
                continue
            exponent = variance.with_misfit["exponent"]
            good += max(shares) < HALF and abs(exponent.value - 1) <= NEAR
            common += [one.formula] if min(shares) > HALF else []
            slopes = ", ".join(
                f"{name} {fit.with_misfit['exponent']}" for name, fit in fits.items() if fit
            )
            words[one.formula] = (
                f"bias {min(shares):.0%} to {max(shares):.0%} of the loss; exponents: {slopes}"
            )
            numbers |= {
                f"largest share for {one.formula}": max(shares),
                f"variance of {one.formula}": exponent.value,
            }
        reason = f"{good} of {len(words)} agree."
        if common:
            reason += (
                f" For {' and '.join(common)} errors of nets of different seeds are largely one "
                "function, and it is this common "
                "part that falls with width: not what an average of independent errors does."
            )
        if good == len(words):
            reason = "As an average of independent errors does."
        return over_targets(claim, says, told(words), how, good, len(words), reason, numbers)


def _weights(one: TargetStudy) -> str:
    """The evidence for each law, in words."""
    rows = [row for row in one.comparison.rows if row.weight is not None] if one.comparison else []
    return (
        f" (evidence from N = 3 on: {', '.join(f'{row.law} {row.weight:.2f}' for row in rows)})"
        if rows
        else ""
    )


def _level(one: TargetStudy) -> str:
    """The bias at the largest width over the plateau of the fitted law, in words."""
    rows = (
        [row for row in one.comparison.rows if row.law == "plateau" and row.fit]
        if one.comparison
        else []
    )
    if not rows or rows[0].fit is None:
        return ""
    level = rows[0].fit.estimates["plateau"]
    bias = one.parts[one.widest].bias
    if not (level.value > 0 and bias.value > 0):
        return ", no plateau fits"
    return f", bias / E = {bias.value / level.value:.2g}"
