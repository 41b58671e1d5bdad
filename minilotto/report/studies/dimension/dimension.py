"""Dimension: the exponent of loss against width for one input and more, several families of
targets, two activations.
"""

from typing import TYPE_CHECKING

from minilotto.analysis.stats.rates import RULES, TOLERANCE, telling
from minilotto.analysis.stats.stretches import WINDOW
from minilotto.errors import DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Scale, Source, Table
from minilotto.report.rules import LEVEL
from minilotto.report.studies.dimension.dimension_curves import (
    BEGUN,
    FAMILIES,
    HELD_OUT,
    LABELS,
    LEARNT_BY_HEART,
    LONGER,
    PRODUCT_POINTS,
    SPAN,
    Case,
    Curve,
    DimensionSettings,
    Findings,
    cases,
    checks,
    curve_of_nets,
)
from minilotto.report.studies.dimension.dimension_tables import tables
from minilotto.report.studies.dimension.dimension_verdicts import SHARMA, SURE, TICKETS, verdicts
from minilotto.report.study import Study
from minilotto.settings.tasks import TEACHER_NEURONS
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing


class Dimension(Study):
    """Curves by activation, family and number of inputs; rules for their exponents; ranges of 1/N;
    families compared.
    """

    name = "dimension"
    title = "the exponent and the number of inputs"
    question = (
        "Does the exponent of loss against width fall with the number of inputs D as 4/D, does "
        "N⁻¹ persist in more inputs, and is "
        "it the number of inputs that decides, or the function?"
    )
    settings_type = DimensionSettings

    @classmethod
    def trainings(cls, settings: DimensionSettings) -> tuple[Sweep, ...]:
        usual = (settings.sweep(case) for case in cases(settings))
        return (*usual, *(settings.sweep(case, LONGER) for case in checks(settings)))

    def __init__(self, source: Source, scale: Scale | DimensionSettings) -> None:
        self.settings: DimensionSettings = self.chosen(scale)
        found: dict[float, dict[Case, Curve]] = {1: {}, LONGER: {}}
        for times, wanted in ((1.0, cases(self.settings)), (LONGER, checks(self.settings))):
            for case in wanted:
                nets = source.by_width(self.settings.sweep(case, times))
                if len(nets) >= WINDOW:
                    found[times][case] = curve_of_nets(case, nets)
        self.found = Findings(self.settings, found[1], found[LONGER])
        if not any(one.fit for one in found[1].values()):
            raise DataError(
                f"no target has {WINDOW} widths to fit: that learn, but not their points by "
                "heart; train more"
            )

    def design(self) -> str:
        s = self.settings
        sizes = [s.points(family, inputs) for _, family, inputs in cases(s)]
        apart = ", ".join(str(D) for D in s.inputs if telling(D, SHARMA, TICKETS))
        return (
            f"Targets on [-2, 2]^D for D = {', '.join(map(str, s.inputs))}: "
            f"{', '.join(FAMILIES.get(f, f) for f in s.families)}. "
            "Sums are of x², so that one input is the paper's problem; radial is exp(-|x|²/2); "
            "teachers are "
            f"{TEACHER_NEURONS} fixed random tanh neurons; products are the paper's, of two to "
            "five factors; the others have "
            "variance 1. "
            f"{len(s.widths)} widths from {min(s.widths)} to {max(s.widths)}, {s.seeds} seeds "
            f"each, {s.steps:,} Adam steps with "
            "the paper's schedule shrunk to them. Training points are uniform, the same for all "
            "nets of a target, "
            f"{s.points_per_parameter:g} for each parameter of the widest net, {PRODUCT_POINTS} "
            "times as many for products "
            f"({min(sizes):,} to {max(sizes):,}). Exponents are of the loss on {HELD_OUT:,} other "
            "points. Widths are left out that "
            f"learn their points by heart, with more than {LEARNT_BY_HEART:g} times the loss on "
            "the training points, or that have "
            f"hardly begun, with more than {BEGUN:.0%} of the target's variance. An exponent "
            "agrees with a rule where its whole "
            f"interval lies within a factor {TOLERANCE:.2f} of it, and disagrees where none of it "
            "does; so 4/D and 1 "
            + (
                f"can be told apart for D = {apart}, and either could come out."
                if apart
                else "cannot be told apart here."
            )
        )

    def draw(self) -> "Drawing":
        from minilotto.report.plots.dimensions import exponents_against_inputs
        from minilotto.report.plots.parts import shared_legend, width_axis
        from minilotto.report.plots.scaling import loss_against_width
        from minilotto.report.plots.style import PALETTE, mosaic

        found = self.found
        activations, families = found.activations, found.families
        above = [[f"{a} {f}" for f in families for _ in activations] for a in activations]
        size = max(7.0, 2.8 * len(families)), 2.5 * len(activations) + 3.8
        figure, axes = mosaic([*above, [a for a in activations for _ in families]], *size)
        colors = {inputs: PALETTE[i % len(PALETTE)] for i, inputs in enumerate(found.inputs)}
        for one in found.curves.values():
            ax = axes[f"{one.activation} {one.family}"]
            loss_against_width(one.held, ax, colors[one.inputs], "o", f"D = {one.inputs}")
            ax.plot(
                one.held.widths[~one.kept],
                one.held.value[~one.kept],
                "x",
                color="black",
                markersize=8,
                zorder=5,
            )
        for a in activations:
            for f in families:
                ax = axes[f"{a} {f}"]
                ax.set_title(f"{LABELS.get(a, a)}, {FAMILIES.get(f, f)}")
                ax.set_ylabel("held-out loss" if f == families[0] else "")
                ax.set_xlabel("width $N$" if a == activations[-1] else "")
                width_axis(tuple(sorted(self.settings.widths)[::2]), ax)
            exponents = {
                f: {one.inputs: e for one, e in found.told(a) if one.family == f} for f in families
            }
            exponents_against_inputs(
                {FAMILIES.get(f, f): some for f, some in exponents.items()}, RULES, axes[a]
            )
            axes[a].set_title(f"{LABELS.get(a, a)}: exponent against the number of inputs")
        shared_legend(figure, [axes[f"{a} {f}"] for a in activations for f in families], 6)
        return figure

    def caption(self) -> str:
        s = self.settings
        by_heart, idle = self.found.left_out
        crosses = (
            f" Crosses: widths left out, {by_heart} that learnt their points by heart and "
            f"{idle} that have hardly begun."
        )
        return (
            f"Above: median loss on {HELD_OUT:,} points that no net was trained on, against "
            "width, for D inputs."
            f"{crosses if by_heart or idle else ''} Below: "
            "the exponent of a power law through these widths, against D, and what three "
            "theories say: 4/D (Sharma and Kaplan), "
            "1 (an average of tickets) and 1 + 3/D (the best of one hidden layer of ReLU on "
            "smooth functions). Bars are "
            f"{LEVEL:.0%} bootstrap intervals over seeds, below with the widths' scatter about "
            f"the power law. {s.seeds} seeds a "
            f"width, {s.steps:,} Adam steps, float32."
        )

    def headline(self) -> str:
        found, told = self.found, []
        for activation, rows in found.rules.items():
            misses = ", ".join(f"{row.rule} by {row.misfit:.2f}" for row in rows)
            told.append(f"{LABELS.get(activation, activation)} exponents are off {misses}")
        stretches = [one.stretch for one in found.curves.values() if one.stretch]
        if not told:
            return ""
        return (
            f"Over {found.inputs[0]} to {found.inputs[-1]} inputs {'; '.join(told)} beyond their "
            "own errors; N⁻¹ lasts over a "
            f"factor of {SPAN:g} in width for {sum(one.share >= SURE for one in stretches)} of "
            f"{len(stretches)} targets."
        )

    def tables(self) -> list[Table]:
        return tables(self.found)

    def verdicts(self) -> list[Verdict]:
        return verdicts(self.found)
