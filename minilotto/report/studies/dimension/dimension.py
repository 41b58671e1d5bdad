"""Dimension: the exponent of loss against width by number of inputs, target and activation."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, product
from math import ceil
from typing import Any

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.differences import difference, ratio
from minilotto.analysis.stats.estimates import estimates
from minilotto.analysis.stats.rates import (
    LEAST,
    RULES,
    TOLERANCE,
    Line,
    RuleMiss,
    compare_rules,
    line_in_one_over_inputs,
    place,
    predicted,
    telling,
)
from minilotto.analysis.stats.stretches import WINDOW
from minilotto.errors import DataError
from minilotto.report.claims import Case, Claim, Outcome, for_each, one_laws, over, tally, untested
from minilotto.report.figure import (
    Source,
    Table,
    commas,
    losses_on,
    named,
    unseen_points,
    width_rows,
)
from minilotto.report.rules import LEVEL, Every, Some, factor, inside
from minilotto.report.studies.dimension.curve import BEGUN, OVERFITTED, SPAN, Curve, Target
from minilotto.report.study import Settings, Study, default, scheduled
from minilotto.settings.tasks import TEACHER_NEURONS
from minilotto.store.grid import Sweep

# One factor is no product; of eight a few hundred points sample nothing but the tails.
PRODUCT_INPUTS = (2, 5)
PRODUCT_POINTS = 2  # times as many training points
HELD_OUT = 8192  # uniform points that no training has seen
FAMILIES = {"sum": "sums", "product": "products", "radial": "radial", "teacher": "teachers"}
LONGER = 2.5  # times as many steps, to see what shorter training does


@dataclass(frozen=True)
class DimensionSettings(Settings):
    seeds: int = 16
    steps: int = default(20_000, quick=4_000)
    widths: tuple[int, ...] = default((4, 6, 9, 13, 19, 28), quick=(4, 6, 9, 13, 19))
    inputs: tuple[int, ...] = default((1, 2, 3, 4, 5, 8), quick=(1, 2, 5))  # numbers of them
    families: tuple[str, ...] = ("sum", "product", "radial", "teacher")  # of targets
    activations: tuple[str, ...] = ("silu", "leaky_relu")
    points_per_parameter: float = 5.0  # for training, of the widest net
    # tasks of nets also trained LONGER times as long, by default as long as the paper's
    checked: tuple[str, ...] = ("radial2", "teacher3")

    def points(self, family: str, inputs: int) -> int:
        """Training points; more for products, most of whose variance lies in a few corners."""
        times = PRODUCT_POINTS if family == "product" else 1
        return ceil(times * self.points_per_parameter * max(self.widths) * (inputs + 2))

    def sweep(self, case: Target, longer: float = 1.0) -> Sweep:
        """The nets of one curve of loss against width, whose rate falls four times."""
        activation, family, inputs = case
        return Sweep(
            widths=self.widths,
            activations=(activation,),
            tasks=(f"{family}{inputs}",),
            sampling="uniform",
            points=self.points(family, inputs),
            seeds=self.seeds,
            **scheduled(round(longer * self.steps)),
        )

    def cases(self) -> dict[float, list[Target]]:
        """(activation, family, number of inputs) of every curve, and of those trained longer."""
        low, high = PRODUCT_INPUTS
        every = product(self.activations, self.families, self.inputs)
        usual = [one for one in every if one[1] != "product" or low <= one[2] <= high]
        return {1.0: usual, LONGER: [one for one in usual if f"{one[1]}{one[2]}" in self.checked]}

    def sweeps(self) -> list[Sweep]:
        return [self.sweep(case, times) for times, some in self.cases().items() for case in some]


SHARMA, TICKETS = "4/D", "1"  # the two rules that are tested
COLUMNS = {  # of the tables
    "losses": "activation, family, inputs, points, steps, width, seeds, diverged, "
    "on training points, held out, low, high, overfitted, hardly begun",
    "exponents": "activation, family, inputs, steps, widths, from, to, exponent, low, high, "
    "low by seeds, high by seeds, on training points, on training points low, "
    f"on training points high, {', '.join(f'beside {rule}' for rule in RULES)}, near 1/N from, "
    "near 1/N to, share that lasts, possible",
    "rules": "activation, family, rule, miss, misfit, weight, offset, offset low, offset high, "
    "slope, slope low, slope high",
}


each_activation = for_each("activation", lambda study: {named(a): a for a in study.activations})


class Dimension(Study):
    """Curves by activation, family and inputs; rules for exponents; ranges of 1/N; families."""

    name = "dimension"
    settings_type = DimensionSettings

    def __init__(self, source: Source, settings: DimensionSettings) -> None:
        self.settings = settings
        found: dict[float, dict[Target, Curve]] = {1.0: {}, LONGER: {}}
        for times, cases in settings.cases().items():
            for case in cases:
                nets = source.by_width(settings.sweep(case, times))
                if len(nets) >= WINDOW:
                    data = unseen_points(f"{case[1]}{case[2]}", HELD_OUT)
                    losses = [one.loss for one in nets.values()], [*losses_on(data, nets).values()]
                    found[times][case] = Curve(case, list(nets), *losses, float(data.y.var()))
        self._study(found[1], found[LONGER])
        if not any(one.fit for one in self.curves.values()):
            raise DataError(
                f"no target has {WINDOW} widths to fit, which learn and do not overfit; train more"
            )

    def _study(self, curves: Mapping[Target, Curve], longer: Mapping[Target, Curve]) -> None:
        """Compare rules for the exponents of each activation, and fit lines in 1/D to those of each
        family; longer: curves of nets that were trained longer.
        """
        self.curves, self.longer = curves, longer
        wanted, every = self.settings, list(curves.values())
        self.activations = [a for a in wanted.activations if any(a == c.activation for c in every)]
        self.families = [f for f in wanted.families if any(f == c.family for c in every)]
        self.inputs = sorted({one.inputs for one in every})
        self.rules: dict[str, tuple[RuleMiss, ...]] = {}
        self.lines: dict[tuple[str, str], Line] = {}
        for activation in self.activations:
            known = self.known(activation)
            if len(known) >= LEAST:
                some = list(known.values())
                self.rules[activation] = compare_rules([one.inputs for one in known], some)
            for family in self.families:
                mine = {one.inputs: e for one, e in known.items() if one.family == family}
                if len(mine) >= LEAST:
                    line = line_in_one_over_inputs(list(mine), list(mine.values()), LEVEL)
                    self.lines[activation, family] = line

    def known(self, activation: str) -> dict[Curve, Estimate]:
        """Curves of an activation that have an exponent, with it."""
        some = [one for one in self.curves.values() if one.activation == activation]
        return {one: exponent for one in some if (exponent := one.exponent)}

    @property
    def _left_out(self) -> tuple[int, int]:
        """Widths of all curves that overfit, and that have hardly begun."""
        flags = [(one.overfitted.sum(), one.idle.sum()) for one in self.curves.values()]
        overfitted, idle = np.sum(flags, axis=0).tolist()
        return overfitted, idle

    def facts(self) -> dict[str, Any]:
        s, (overfitted, idle) = self.settings, self._left_out
        sizes = [s.points(family, inputs) for _, family, inputs in s.cases()[1.0]]
        apart = commas(D for D in s.inputs if telling(D, SHARMA, TICKETS))
        which = f"{overfitted} that overfit and {idle} that have hardly begun"
        return {
            **super().facts(),
            "families": commas(FAMILIES.get(f, f) for f in s.families),
            "neurons": TEACHER_NEURONS,
            "count": len(s.widths),
            "least": min(s.widths),
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

    def headline(self) -> str:
        said = []
        for activation, rows in self.rules.items():
            misses = ", ".join(f"from {row.rule} by {row.misfit:.2f}" for row in rows)
            said.append(f"{named(activation)} exponents deviate {misses}")
        if not said:
            return ""
        lasts = zip(map(named, self.activations), self.judged()["persists"], strict=True)
        words = (f"{name}, {one.reason.rstrip('.').partition(':')[0]}" for name, one in lasts)
        return (
            f"Over {self.inputs[0]} to {self.inputs[-1]} inputs {'; '.join(said)} beyond their own "
            f"errors. Whether N⁻¹ lasts over a factor of {SPAN:g} in width, by targets: "
            f"{'; '.join(words)}."
        )

    def tables(self) -> list[Table]:
        every: list[list[tuple[Any, ...]]] = [[], [], []]
        losses, exponents, rules = every
        usual = [(1.0, *row) for row in self.curves.items()]
        for times, case, one in usual + [(LONGER, *row) for row in self.longer.items()]:
            steps, points = round(times * self.settings.steps), self.settings.points(*case[1:])
            flags = zip(one.seen.value, one.overfitted, one.idle, strict=True)
            for row, (seen, *left_out) in zip(width_rows(one.held), flags, strict=True):
                losses.append((*case, points, steps, *row[:3], seen, *row[3:], *left_out))
            if one.fit and one.exponent and one.seen_fit and one.stretch:
                widths, near = one.fit.points.widths, one.stretch
                by_seeds, e = one.fit.seeds_only["exponent"], one.seen_fit.estimates["exponent"]
                places = (place(one.exponent, predicted(rule, one.inputs)) for rule in RULES)
                ends = (one.exponent, by_seeds.low, by_seeds.high, e)
                last = (*places, near.low, near.high, near.share, near.possible)
                span = (len(widths), int(widths[0]), int(widths[-1]))
                exponents.append((*case, steps, *span, *ends, *last))
        none = (np.nan,) * 6
        for activation, misses in self.rules.items():
            for miss in misses:
                numbers = (miss.miss, miss.misfit, miss.weight, *none)
                rules.append((activation, "all", miss.rule, *numbers))
        for family, line in self.lines.items():
            rules.append((*family, "offset + slope / D", *none[:3], line.offset, line.slope))
        tables = zip(COLUMNS.items(), every, strict=True)
        return [Table.of(*head, rows) for head, rows in tables]

    @each_activation
    def claim_four_over_d(self, claim: Claim, activation: str) -> Outcome:
        every, rows = self.known(activation), self.rules.get(activation, ())
        cases, families = [], dict[str, list[str]]()
        for one, e in every.items():
            name = FAMILIES.get(one.family, one.family)
            families.setdefault(name, []).append(f"D = {one.inputs} {e:.2f}")
            if telling(one.inputs, SHARMA, TICKETS):
                claimed = predicted(SHARMA, one.inputs)
                judged = inside(e, claimed / TOLERANCE, claimed * TOLERANCE)
                cases.append(Case(one.task, judged))
        words = [f"{family}: {', '.join(some)}" for family, some in families.items()]
        words += [f"off {row.rule} by {row.misfit:.2f}, evidence {row.weight:.2f}" for row in rows]
        numbers = {one.task: e.value for one, e in every.items()}
        numbers |= {f"off {row.rule}": row.misfit for row in rows}
        if not cases:
            none = "No number of inputs here distinguishes 4/D from 1."
            return untested(none, "; ".join(words), numbers)
        nearest = ""
        if rows:
            best = max(rows, key=lambda row: row.weight)
            nearest = ". Over all D the three rules cannot be distinguished"
            if best.weight >= self.entry.claims["persists"]["most"]:
                nearest = f". Over all D {best.rule} is the nearest of the three rules"
        return over(cases, more=nearest)._replace(measured="; ".join(words), numbers=numbers)

    @each_activation
    def claim_persists(self, claim: Claim, activation: str) -> Outcome:
        cases = []
        for one in self.curves.values():
            found = one.stretch
            if one.activation == activation and one.inputs > 1 and one.span >= SPAN and found:
                words = f"{found.low:g} to {found.high:g}" if found.reach else "nowhere"
                judged = Some([Every(some) for some in one.ranges()])
                cases.append(Case(one.task, judged, words, {one.task: found.share}))
        if not cases:
            few = f"No target of two inputs or more has widths over a factor {SPAN:g} that count."
            return untested(few)
        return over(cases, "widest range near 1/N: ")

    @each_activation
    def claim_inputs_decide(self, claim: Claim, activation: str) -> Outcome:
        known = self.known(activation)
        apart = {
            f"{one.task} and {other.task}": difference(a, b)
            for (one, a), (other, b) in combinations(known.items(), 2)
            if one.inputs == other.inputs
        }
        if not apart:
            return untested("No two families have exponents at the same D.")
        by_inputs = {D: [e.value for c, e in known.items() if c.inputs == D] for D in self.inputs}
        ranges = {D: (min(some), max(some)) for D, some in by_inputs.items() if len(some) > 1}
        words = [f"D = {D}: {low:.2f} to {high:.2f}" for D, (low, high) in ranges.items()]
        furthest = max(apart, key=lambda pair: abs(apart[pair].value))
        words.append(f"furthest apart are {furthest}, by {abs(apart[furthest].value):.2f}")
        words += [
            f"{FAMILIES.get(family, family)}: slope against 1/D {line.slope}"
            for (name, family), line in self.lines.items()
            if name == activation and line.freedom > 1
        ]
        numbers = {f"spread at D = {D}": high - low for D, (low, high) in ranges.items()}
        found = tally(apart, claim.unchanged)
        return found._replace(measured="; ".join(words), numbers=numbers)

    def claim_one_law(self, claim: Claim) -> Outcome:
        fits = {one.named: one.fit for one in self.curves.values()}
        found = {name: fit.points for name, fit in fits.items() if fit}
        some = {name: one for name, one in found.items() if len(one.widths) > WINDOW}
        return one_laws(some, lambda bent, p: p)

    def claim_enough_points(self, claim: Claim) -> Outcome:
        curves, cases = list(self.curves.values()), []
        for one in curves:
            seen, held = estimates(one.seen), estimates(one.held)
            judged = [factor(ratio(held[n], seen[n]), 0.0, OVERFITTED) for n in seen]
            largest = float(one.ratio.max())
            cases.append(Case(one.named, Every(judged), "", {one.named: largest}))
        worst = max(curves, key=lambda one: one.ratio.max())
        out, idle = self._left_out
        steeper = [
            one.seen_fit.parameters[1] - one.fit.parameters[1]
            for one in curves
            if one.seen_fit and one.fit
        ]
        measured = f"largest ratio {worst.ratio.max():.2f} ({worst.named})"
        if steeper:
            measured += (
                "; on the training points exponents are larger by "
                f"{np.mean(steeper):.2f} on average, {max(steeper):.2f} at most"
            )
        more = f". Of {sum(len(one.kept) for one in curves)} widths {out} are left out for it, "
        more += f"{idle} as they have hardly begun"
        return over(cases, more=more)._replace(measured=measured)

    def claim_longer(self, claim: Claim) -> Outcome:
        changes = {}
        for case, one in self.longer.items():
            earlier = self.curves.get(case)
            if earlier and earlier.exponent and one.exponent:
                name = f"{one.named}, {earlier.exponent} then {one.exponent}"
                changes[name] = difference(one.exponent, earlier.exponent)
        if not changes:
            return untested("Nets that were trained longer are missing, or too few.")
        return tally(changes, claim.unchanged)
