"""Dimension: the exponent of loss against width for one input and more, several families of
targets, two activations.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from minilotto.analysis.stats.rates import RULES, TOLERANCE, place, predicted, telling
from minilotto.analysis.stats.stretches import WINDOW
from minilotto.errors import DataError
from minilotto.report.claims import Outcome
from minilotto.report.figure import Scale, Source, Table, commas, interval, named, width_rows
from minilotto.report.studies.dimension.analysis import (
    BEGUN,
    ENTRY,
    FAMILIES,
    HELD_OUT,
    LONGER,
    OVERFITTED,
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
from minilotto.report.studies.dimension.verdicts import SHARMA, SURE, TICKETS, outcomes
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
    entry = ENTRY
    title, question = entry.title, entry.question
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
                f"no target has {WINDOW} widths to fit, which learn and do not overfit; train more"
            )

    def facts(self) -> dict[str, Any]:
        s, (overfitted, idle) = self.settings, self.found.left_out
        sizes = [s.points(family, inputs) for _, family, inputs in cases(s)]
        apart = commas(D for D in s.inputs if telling(D, SHARMA, TICKETS))
        which = f"{overfitted} that overfit and {idle} that have hardly begun"
        return {
            **super().facts(),
            "families": commas(FAMILIES.get(f, f) for f in s.families),
            "neurons": TEACHER_NEURONS,
            "count": len(s.widths),
            "least": min(s.widths),
            "widest": max(s.widths),
            "product_points": PRODUCT_POINTS,
            "fewest": min(sizes),
            "most_points": max(sizes),
            "held_out": HELD_OUT,
            "overfitted": OVERFITTED,
            "begun": BEGUN,
            "tolerance": TOLERANCE,
            "window": WINDOW,
            "longer": LONGER,
            "longer_steps": round(LONGER * s.steps),
            "apart": f"can be distinguished for D = {apart}, and either could come out."
            if apart
            else "cannot be distinguished here.",
            "crosses": f" Crosses: widths left out, {which}." if overfitted or idle else "",
        }

    def draw(self) -> "Drawing":
        from minilotto.report.plots.parts import shared_legend, width_axis
        from minilotto.report.plots.scaling import loss_against_width
        from minilotto.report.plots.style import PALETTE, mosaic
        from minilotto.report.studies.dimension.plots import exponents_against_inputs

        found = self.found
        activations, families = found.activations, found.families
        above = [[f"{a} {f}" for f in families for _ in activations] for a in activations]
        size = max(7.0, 2.8 * len(families)), 2.5 * len(activations) + 3.8
        figure, axes = mosaic([*above, [a for a in activations for _ in families]], *size)
        colors = {inputs: PALETTE[i % len(PALETTE)] for i, inputs in enumerate(found.inputs)}
        out: Any = {"color": "black", "markersize": 8, "zorder": 5}
        for one in found.curves.values():
            ax, held = axes[f"{one.activation} {one.family}"], one.held
            loss_against_width(held, ax, colors[one.inputs], "o", f"D = {one.inputs}")
            ax.plot(held.widths[~one.kept], held.value[~one.kept], "x", **out)
        for a in activations:
            for f in families:
                ax = axes[f"{a} {f}"]
                ax.set_title(f"{named(a)}, {FAMILIES.get(f, f)}")
                ax.set_ylabel("held-out loss" if f == families[0] else "")
                ax.set_xlabel("width $N$" if a == activations[-1] else "")
                width_axis(tuple(sorted(self.settings.widths)[::2]), ax)
            exponents = {
                FAMILIES.get(f, f): {one.inputs: e for one, e in found.known(a) if one.family == f}
                for f in families
            }
            exponents_against_inputs(exponents, RULES, axes[a])
            axes[a].set_title(f"{named(a)}: exponent against the number of inputs")
        shared_legend(figure, [axes[f"{a} {f}"] for a in activations for f in families], 6)
        return figure

    def headline(self) -> str:
        said = []
        for activation, rows in self.found.rules.items():
            misses = ", ".join(f"{row.rule} by {row.misfit:.2f}" for row in rows)
            said.append(f"{named(activation)} exponents are off {misses}")
        stretches = [one.stretch for one in self.found.curves.values() if one.stretch]
        if not said:
            return ""
        inputs = self.found.inputs
        return (
            f"Over {inputs[0]} to {inputs[-1]} inputs {'; '.join(said)} beyond their own errors; "
            f"N⁻¹ lasts over a factor of {SPAN:g} in width for "
            f"{sum(one.share >= SURE for one in stretches)} of {len(stretches)} targets."
        )

    def tables(self) -> list[Table]:
        lead, beside = "activation, family, inputs", ", ".join(f"beside {rule}" for rule in RULES)
        rows: dict[str, list[tuple[Any, ...]]] = {
            f"losses: {lead}, points, steps, width, seeds, diverged, on training points, held out, "
            "low, high, by heart, hardly begun": [],
            f"exponents: {lead}, steps, widths, from, to, exponent, low, high, low by seeds, "
            "high by seeds, on training points, on training points low, on training points high, "
            f"{beside}, near 1/N from, near 1/N to, share that lasts, possible": [],
            f"laws: {lead}, law, weight, held out decades, parameter, value, low, high": [],
            "rules: activation, family, rule, miss, misfit, weight, offset, offset low, "
            "offset high, slope, slope low, slope high": [],
        }
        losses, exponents, laws, rules = rows.values()
        usual = [(1.0, *row) for row in self.found.curves.items()]
        for times, case, one in usual + [(LONGER, *row) for row in self.found.longer.items()]:
            steps, points = round(times * self.settings.steps), self.settings.points(*case[1:])
            flags = zip(one.seen.value, one.overfitted, one.idle, strict=True)
            for row, (seen, *left_out) in zip(width_rows(one.held), flags, strict=True):
                losses.append((*case, points, steps, *row[:3], seen, *row[3:], *left_out))
            if one.fit and one.exponent and one.seen_fit and one.stretch:
                widths, near = one.fit.points.widths, one.stretch
                by_seeds, e = one.fit.estimates["exponent"], one.seen_fit.with_misfit["exponent"]
                places = (place(one.exponent, predicted(rule, one.inputs)) for rule in RULES)
                ends = (*interval(one.exponent), by_seeds.low, by_seeds.high, *interval(e))
                last = (*places, near.low, near.high, near.share, near.possible)
                span = (len(widths), int(widths[0]), int(widths[-1]))
                exponents.append((*case, steps, *span, *ends, *last))
        for _, case, one in usual:
            for law in one.comparison.rows if one.comparison else ():
                if law.fit:
                    weights = np.array([law.weight, law.fit.held_out_error], float)
                    found = law.fit.with_misfit.items()
                    laws += [(*case, law.law, *weights, n, *interval(e)) for n, e in found]
        none = (np.nan,) * 6
        for activation, misses in self.found.rules.items():
            for miss in misses:
                numbers = (miss.miss, miss.misfit, miss.weight, *none)
                rules.append((activation, "all", miss.rule, *numbers))
        for family, line in self.found.lines.items():
            both = (*interval(line.offset), *interval(line.slope))
            rules.append((*family, "offset + slope / D", *none[:3], *both))
        heads = (head.partition(": ") for head in rows)
        return [Table.of(name, header, rows[f"{name}: {header}"]) for name, _, header in heads]

    def outcomes(self) -> dict[str, Outcome | list[Outcome]]:
        return outcomes(self.found)
