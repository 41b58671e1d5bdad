"""The training budget: is the exponent of loss against width a property of networks, or of 50,000
steps?
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate
from minilotto.analysis.stats.budgets import BudgetCurves, exponent_change, exponent_over
from minilotto.analysis.stats.scaling import compare_laws
from minilotto.errors import DataError
from minilotto.report.claims import Claim, Outcome, as_numbers, described, register, untested
from minilotto.report.figure import Scale, Source, Table, commas, interval, width_rows
from minilotto.report.rules import (
    FAILS,
    HOLDS,
    IN_PART,
    LEVEL,
    UNTESTED,
    counted,
    reaches,
    unchanged,
)
from minilotto.report.study import Settings, Study
from minilotto.settings.arrays import Array
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

PAPER_RANGE = (10.0, 50.0)
WHOLE_RANGE = (10.0, np.inf)
RANGES = {"10 to 50": PAPER_RANGE, "50 on": (50.0, np.inf), "10 on": WHOLE_RANGE}
MAIN, UNSCALED, LEAKY = "SiLU", "unscaled schedule", "LeakyReLU"
LANES = 16
NARROW = 50  # widths up to here have more seeds
DROPS = 5  # of the rate in a training: every fifth of the paper's budget


@dataclass(frozen=True)
class BudgetSettings(Settings):
    """What is trained.

    Parameters
    ----------
    seeds, wide_seeds, varied_seeds : int
        Networks of each width up to 50, of each wider one, and of each variation, for budgets up to
        `steps`; beyond, fewer by the root of the budget, in whole vectors of 16.
    steps : int
        The paper's budget, whose schedule is left as it is where it is not scaled.
    budgets, widths : tuple of int
        Of the main line: SiLU, the schedule scaled with the budget, rate 1e-2, float32.
    varied_budgets, varied_widths : tuple of int
        Of the variations: the paper's schedule unscaled, other rates, float64; and LeakyReLU, with
        all widths of the main line from 10 to 50.
    rates : tuple of float
        These other rates.
    """

    seeds: int = 384
    wide_seeds: int = 48
    varied_seeds: int = 192
    budgets: tuple[int, ...] = (5_000, 15_000, 50_000, 150_000, 500_000, 1_000_000)
    widths: tuple[int, ...] = (2, 4, 10, 15, 20, 30, 40, 50, 70, 100, 200, 1000)
    varied_budgets: tuple[int, ...] = (5_000, 50_000, 150_000)
    varied_widths: tuple[int, ...] = (10, 20, 50)
    rates: tuple[float, ...] = (3e-3, 3e-2)

    @classmethod
    def quick(cls) -> "BudgetSettings":
        return cls(
            seeds=48,
            wide_seeds=16,
            varied_seeds=32,
            budgets=(5_000, 15_000, 50_000, 150_000),
            widths=(2, 10, 20, 30, 50, 100, 200),
            varied_budgets=(5_000, 50_000),
        )

    @classmethod
    def at(cls, scale: Scale) -> "BudgetSettings":
        """Budgets shrink with the scale's steps, so that the paper's stays among them."""
        full = super().at(scale)

        def shrunk(budgets: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(sorted({max(1, b * full.steps // cls.steps) for b in budgets}))

        return dataclasses.replace(
            full,
            wide_seeds=min(full.wide_seeds, scale.seeds),
            varied_seeds=min(full.varied_seeds, scale.seeds),
            widths=tuple(width for width in full.widths if width <= scale.widest),
            budgets=shrunk(full.budgets),
            varied_budgets=shrunk(full.varied_budgets),
        )


class Budget(Study):
    """Exponents against the number of steps, over the paper's widths and beyond; loss against
    steps, and where it saturates.
    """

    name = "budget"
    entry = register(__package__, "claims.toml", name)
    title, question = entry.title, entry.question
    settings_type = BudgetSettings

    @classmethod
    def trainings(cls, settings: BudgetSettings) -> tuple[Sweep, ...]:
        lines = (_of_line(settings, name) for name in ways(settings))
        found = [sweep for line in lines for sweeps in line.values() for sweep in sweeps]
        # The most expensive first, so that no core is left alone with it.
        return tuple(sorted(found, key=lambda one: -one.configs[0].steps * one.configs[0].width))

    def __init__(self, source: Source, scale: Scale | BudgetSettings) -> None:
        self.settings: BudgetSettings = self.chosen(scale)
        self.gain = self.entry.claims["enough"]["gain"]
        self.left_out: list[str] = []
        lines = {name: self._line(source, name) for name in ways(self.settings)}
        self.lines = {name: line for name, line in lines.items() if line.found}
        if MAIN not in self.lines or len(self.lines[MAIN].exponents["10 to 50"]) < 2:
            raise DataError(
                "an exponent against the budget needs three widths from 10 to 50 at two budgets "
                f"or more, each with {LEAST_SEEDS} finite seeds of SiLU and the schedule scaled; "
                "name more of what there are too few, and train them with Budget.run"
            )
        self.main = self.lines[MAIN]
        inside = {b: one.select(one.widths >= WHOLE_RANGE[0]) for b, one in self.main.found.items()}
        self.laws = {b: compare_laws(one) for b, one in inside.items() if len(one.widths) >= 3}

    def _line(self, source: Source, name: str) -> BudgetCurves:
        """One way of training; widths without a median and its interval are left out and noted."""
        losses: dict[int, dict[int, Array]] = {}
        for budget, sweeps in _of_line(self.settings, name).items():
            losses[budget] = {}
            found = {w: nets.loss for sweep in sweeps for w, nets in source.by_width(sweep).items()}
            for width, loss in found.items():
                finite = loss[np.isfinite(loss)]
                if len(finite) >= LEAST_SEEDS and 0 < finite.min() < finite.max():
                    losses[budget][width] = loss
                    continue
                seeds = f"{len(finite)} of {len(loss)} seeds are finite"
                self.left_out.append(f"{name}, {budget:,} steps, width {width}: {seeds}")
        return BudgetCurves(losses, RANGES, self.gain, LEVEL)

    def _moved(self, later: int, earlier: int, span: str = "10 to 50") -> Estimate | None:
        """By how much the main line's exponent differs between two budgets."""
        return exponent_change(self.main.found[later], self.main.found[earlier], *RANGES[span])

    def facts(self) -> dict[str, Any]:
        seeds = sorted({int(count) for one in self.main.found.values() for count in one.seeds})
        return {
            **super().facts(),
            "decay": _decay(self.settings.steps),
            "first": min(self.main.found),
            "last": max(self.main.found),
            "gain": self.gain,
            "counts": f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else seeds[0],
            "left_out": f" Left out: {'; '.join(self.left_out)}." if self.left_out else "",
        }

    def headline(self) -> str:
        exponents = self.main.exponents["10 to 50"]
        first, last = min(exponents), max(exponents)
        change, near = self._moved(last, first), self.entry.claims["independent"]["near"]
        says = {
            HOLDS: "is the same for short and long training",
            UNTESTED: "is not known well enough to decide whether it changes with training",
        }.get(unchanged(change, near) if change else UNTESTED, "moves with the training budget")
        limits = [one.budget.value for one in self.main.saturated.values()]
        return (
            f"The exponent of loss against width (10 to 50) {says}: {exponents[first]} after "
            f"{first:,} steps, {exponents[last]} after {last:,}; {np.isinf(limits).sum()} of "
            f"{len(limits)} widths have not saturated by {max(self.main.found):,}."
        )

    def draw(self) -> "Drawing":
        from minilotto.report.plots import budgets as plots
        from minilotto.report.plots.scaling import shaded_range
        from minilotto.report.plots.style import grid

        figure, ((a, b), (c, d)) = grid(2, 2, 10.0, 8.0)
        titles = {
            a: "loss against width, by steps",
            b: "loss against steps, by width; ring: saturated",
            c: "exponent by range of widths",
            d: "exponent over widths 10 to 50, by training",
        }
        plots.by_budget(self.main.found, a)
        shaded_range(*PAPER_RANGE, a, "the paper's range")
        marks = {width: one.budget.value for width, one in self.main.saturated.items()}
        plots.against_steps(self.main.by_width, marks, b)
        ranges = {f"widths {span}": one for span, one in self.main.exponents.items() if one}
        plots.estimates_by_budget(ranges, c)
        plots.estimates_by_budget(self._side_by_side(), d)
        for ax, title in titles.items():
            ax.set_title(title)
            if ax is not a:
                plots.paper_budget(self.settings.steps, ax)
        return figure

    def _side_by_side(self) -> dict[str, dict[int, Estimate]]:
        """Exponents of all trainings, the main line's fitted to the widths of the variations."""
        shown: dict[str, dict[int, Estimate]] = {}
        for name, line in self.lines.items():
            for budget, one in line.found.items():
                same_widths = one.select(np.isin(one.widths, self.settings.varied_widths))
                e = exponent_over(one if name == LEAKY else same_widths, *PAPER_RANGE)
                if e is not None:
                    shown.setdefault(name, {})[budget] = e
        return shown

    def tables(self) -> list[Table]:
        losses, slopes, limits, laws = [], [], [], []
        for name, line in self.lines.items():
            for budget, one in line.found.items():
                losses += [(name, budget, *row) for row in width_rows(one)]
            for span, found in line.exponents.items():
                slopes += [(name, budget, span, *interval(e)) for budget, e in found.items()]
            for width, limit in line.saturated.items():
                limits.append((name, width, *interval(limit.budget), limit.gaining))
        for budget, comparison in self.laws.items():
            for row in comparison.rows:
                if row.fit:
                    widths, e = row.fit.points.widths, row.fit.estimates["exponent"]
                    weights = np.array([row.weight, row.fit.held_out_error], float)
                    span = f"{widths[0]:g} to {widths[-1]:g}"
                    laws.append((budget, span, row.law, *weights, *interval(e)))
        rows = {
            "losses": ("training, steps, width, seeds, diverged, median, low, high", losses),
            "exponents": ("training, steps, widths, exponent, low, high", slopes),
            "laws": ("steps, widths, law, weight, held out decades, exponent, low, high", laws),
            "saturation": ("training, width, saturated at, low, high, share still gaining", limits),
        }
        return [Table.of(name, *one) for name, one in rows.items()]

    def outcomes(self) -> dict[str, Outcome]:
        claims, found = self.entry.claims, {"law": self._law("law", MAIN)}
        if LEAKY in self.lines:
            found["leaky_law"] = self._law("leaky_law", LEAKY)
        rules = {
            "independent": self._independent,
            "one_law": self._one_law,
            "enough": self._enough,
            "wide_nets": self._wide_nets,
            "schedule": self._schedule,
            "varied": self._varied,
        }
        return found | {key: rule(claims[key]) for key, rule in rules.items()}

    def _law(self, key: str, name: str) -> Outcome:
        claim, every = self.entry.claims[key], self.lines[name].exponents["10 to 50"]
        known = {budget: e for budget, e in every.items() if e.high - e.low <= claim["wide"]}
        good = [budget for budget, e in known.items() if _reached(e, claim)]
        others = [budget for budget in known if budget not in good]
        verdict = counted(len(good), len(others), len(known))
        facts = {"good": commas(good), "others": commas(others)}
        return Outcome(verdict, _in_words(every), "", _numbers(every), facts)

    def _independent(self, claim: Claim) -> Outcome:
        found = self.main.exponents["10 to 50"]
        first, last = min(found), max(found)
        change = self._moved(last, first)
        if change is None:
            return untested("The two have fewer than three widths in common.", _in_words(found))
        measured = (
            f"{found[first]} after {first:,} steps, {found[last]} after {last:,}; difference "
            f"{change}"
        )
        moved = "larger" if change.value > 0 else "smaller"
        facts = {"moved": moved, "shortest": first, "longest": last}
        verdict = unchanged(change, claim["near"])
        return Outcome(verdict, measured, "", as_numbers("difference", change), facts)

    def _one_law(self, claim: Claim) -> Outcome:
        weights = {
            budget: {row.law: row.weight for row in laws.rows if row.weight is not None}
            for budget, laws in self.laws.items()
            if all(r.fit and len(r.fit.points.widths) >= claim["compared"] for r in laws.rows)
        }
        if not weights:
            return untested(
                f"With fewer than {claim['compared']:g} widths from 10 on AICc cannot prefer a "
                "break, so it would be no test."
            )
        power = {budget: by_law.get("power law", 0.0) for budget, by_law in weights.items()}
        good = sum(weight > claim["some"] for weight in power.values())
        bad = sum(weight < claim["little"] for weight in power.values())
        words = {
            f"{budget:,} steps": ", ".join(f"{law} {weight:.2f}" for law, weight in some.items())
            for budget, some in weights.items()
        }
        widths, slopes = self.main.found[max(weights)].widths, self.main.exponents["10 on"]
        reason = (
            f"The power law leads at {good} of {len(power)} budgets and is excluded at {bad}; "
            f"fitted all the same, its exponent goes from {slopes[min(slopes)]} to "
            f"{slopes[max(slopes)]}."
        )
        span = f"{max(10, widths[0]):g} to {widths[-1]:g}"
        return Outcome(
            counted(good, bad, len(power)),
            f"weight of evidence over widths {span}: {described(words)}",
            reason,
            {f"power law, {budget}": weight for budget, weight in power.items()},
        )

    def _enough(self, claim: Claim) -> Outcome:
        saturated, last = self.main.saturated, max(self.main.found)
        if not saturated:
            return untested("No width has two budgets a factor of 3 apart.")
        good = sum(one.budget.high <= self.settings.steps for one in saturated.values())
        bad = sum(one.budget.low > self.settings.steps for one in saturated.values())
        undecided = len(saturated) - good - bad
        reason = f"Of {len(saturated)} widths {good} have saturated by then and {bad} have not"
        words = {f"N = {width}": _saturated(one.budget, last) for width, one in saturated.items()}
        return Outcome(
            counted(good, bad, len(saturated)),
            described(words),
            reason + (f"; {undecided} are undecided." if undecided else "."),
            {"saturated": good, "not saturated": bad, "undecided": undecided},
        )

    def _wide_nets(self, claim: Claim) -> Outcome:
        found, steps = self.main.exponents["50 on"], self.settings.steps
        if len(found) < 2:
            return untested("Fewer than three widths from 50 on at two budgets.")
        last = max(found)
        base = min((b for b in found if b != last), key=lambda b: abs(np.log(b / steps)))
        change = self._moved(last, base, "50 on")
        if change is None:
            reason = "The budgets have fewer than three widths from 50 on in common."
            return untested(reason, _in_words(found))
        verdict = FAILS if change.high < claim["near"] else UNTESTED
        if found[last].high - found[last].low <= claim["wide"] and _reached(found[last], claim):
            verdict = HOLDS
        elif change.low > 0:
            verdict = IN_PART
        measured = f"{_in_words(found)}; difference from {base:,} to {last:,} steps {change}"
        facts = {"longest": last, "times": last / base}
        return Outcome(verdict, measured, "", _numbers(found), facts)

    def _schedule(self, claim: Claim) -> Outcome:
        steps, gain, words = self.settings.steps, claim["gain"], {}
        other = self.lines.get(UNSCALED)
        both = set(other.found) & set(self.main.found) if other else set()
        last, good, bad = max(both, default=steps), 0, 0
        for width in other.by_width if other and last > steps else ():
            unscaled, scaled = (one.gain(width, steps, last) for one in (other, self.main) if one)
            if unscaled and scaled:
                words[f"N = {width}"] = f"{unscaled} unscaled, {scaled} scaled"
                good += unscaled.high < gain < scaled.low
                bad += scaled.high < gain
        if not words:
            return untested(f"Both schedules at {steps:,} steps and longer are missing.")
        reason = f"{good} of {len(words)} widths agree, {bad} disagree; the others are undecided."
        if good == len(words):
            reason = "At all widths the loss stops falling because the rate has become small."
        measured = f"gain from ten times the steps, by the loss at {steps:,} and {last:,}: "
        verdict, numbers = counted(good, bad, len(words)), {"agree": good, "of": len(words)}
        return Outcome(verdict, measured + described(words), reason, numbers)

    def _varied(self, claim: Claim) -> Outcome:
        changes: dict[str, Estimate] = {}
        places: dict[str, str] = {}
        for name, line in self.lines.items():
            for budget in line.exponents["10 to 50"] if name not in (MAIN, LEAKY) else ():
                same = (name, budget) == (UNSCALED, self.settings.steps)  # as the main line
                other = None if same else self.main.found.get(budget)
                if other and (e := exponent_change(line.found[budget], other, *PAPER_RANGE)):
                    changes[f"{name}, {budget:,} steps"] = e
                    places[f"{name} at {budget:,}"] = unchanged(e, claim["near"])
        differ = [place for place, verdict in places.items() if verdict in (FAILS, IN_PART)]
        alike, undecided = (list(places.values()).count(one) for one in (HOLDS, UNTESTED))
        numbers = {"agree": alike, "differ": len(differ), "undecided": undecided}
        if not changes:
            return untested("The variations are missing.", "", numbers)
        which = f"{len(differ)} differ ({', '.join(differ)})" if differ else "none differs"
        more = f"; {undecided} are consistent both with the main line and with a difference of "
        more = f"{more}{claim['near']:g}." if undecided else "."
        verdict = counted(alike, len(differ), alike + len(differ))
        return Outcome(
            verdict, f"differences: {described(changes)}", f"{alike} agree, {which}{more}", numbers
        )


def _reached(exponent: Estimate, claim: Claim) -> bool:
    return reaches(exponent, claim["claimed"], claim["stated"], claim["near"]) == HOLDS


def _in_words(found: Mapping[int, Estimate]) -> str:
    return described({f"{budget:,} steps": exponent for budget, exponent in found.items()})


def _numbers(found: Mapping[int, Estimate]) -> dict[str, float]:
    return {f"exponent at {budget}": exponent.value for budget, exponent in found.items()}


def _saturated(budget: Estimate, last: float) -> str:
    """A budget and its interval, where beyond the last one is infinite."""
    value, low, high = (
        f"{x:,.0f}" if np.isfinite(x) else f"beyond {last:,}"
        for x in (budget.value, budget.low, budget.high)
    )
    return value if low == value == high else f"{value} ({low} to {high})"


def ways(settings: BudgetSettings) -> dict[str, dict[str, Any]]:
    """The trainings by name: what each changes of the main line's configs."""
    return {
        MAIN: {},
        UNSCALED: {"lr_decay_every": _decay(settings.steps)},
        **{f"rate {rate:g}": {"lr": rate} for rate in settings.rates},
        "float64": {"dtype": "float64"},
        LEAKY: {"activation": "leaky_relu"},
    }


def _of_line(settings: BudgetSettings, name: str) -> dict[int, tuple[Sweep, ...]]:
    """What one line trains, by budget, wide nets first."""
    low, high = PAPER_RANGE
    budgets, groups = settings.varied_budgets, [(settings.varied_seeds, settings.varied_widths)]
    if name == MAIN:
        narrow = tuple(width for width in settings.widths if width <= NARROW)
        wide = tuple(width for width in settings.widths if width > NARROW)
        budgets, groups = settings.budgets, [(settings.wide_seeds, wide), (settings.seeds, narrow)]
    elif name == LEAKY:  # its exponent is asked for, not only its difference
        inside = tuple(width for width in settings.widths if low <= width <= high)
        groups = [(settings.varied_seeds, inside)]
    return {
        budget: tuple(
            Sweep(
                widths=sorted(widths, reverse=True),
                seeds=_fewer(seeds, budget / settings.steps),
                **{"steps": budget, "lr_decay_every": _decay(budget), **ways(settings)[name]},
            )
            for seeds, widths in groups
            if widths
        )
        for budget in sorted(budgets)
    }


def _decay(steps: int) -> int:
    """Steps between two drops of the rate."""
    return max(1, steps // DROPS)


def _fewer(seeds: int, times: float) -> int:
    """Seeds for a budget so many times the paper's: the cost grows as its root, in whole vectors
    of nets.
    """
    if times <= 1:
        return seeds
    return max(min(seeds, LANES), round(seeds / sqrt(times) / LANES) * LANES)
