"""Study: does the optimiser set the exponent, and what is left of the law without its error?"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate, Points
from minilotto.analysis.stats.estimates import estimates
from minilotto.analysis.stats.exponents import exponent_change, mean_ratio, quotient
from minilotto.errors import ConfigError
from minilotto.report.claims import Claim, Outcome, all_in, extent, for_each
from minilotto.report.figure import Source, Table, commas, rows_of
from minilotto.report.rules import FAILS, HOLDS, Check, factor
from minilotto.report.study import Settings, Study, default, scheduled
from minilotto.report.tuning import Rates, at_ends, best_of, exponents, medians
from minilotto.settings.optimizers import OPTIMIZERS
from minilotto.settings.tasks import task_of
from minilotto.store.grid import Sweep

ADAM, LM = "adam", "lm"
DOUBLE = "adam, float64"
RATES = {
    ADAM: (0.01, 0.03, 0.1, 0.3),
    "adamw": (0.003, 0.01, 0.03, 0.1),
    "rmsprop": (0.003, 0.01, 0.03, 0.1),
    "momentum": (0.01, 0.03, 0.1, 0.3),
    "gd": (0.03, 0.1, 0.2, 0.4),
}


@dataclass(frozen=True)
class OptimizerSettings(Settings):
    """What is trained; `steps` is the paper's budget, at which all widths are. Raises ConfigError
    for rates of what is no first-order optimiser, none of Adam, or one number of iterations.
    """

    seeds: int = default(32, quick=16)  # of each width, rate, target and number of steps
    # of one input
    tasks: tuple[str, ...] = default(("square", "sin2", "relu"), quick=("square", "relu"))
    # those of the exponent
    widths: tuple[int, ...] = default((10, 15, 20, 30, 40, 50), quick=(10, 20, 30, 50))
    # these and the wide ones are trained for `steps` only
    narrow: tuple[int, ...] = default((2, 3, 4, 5, 7), quick=(3, 5))
    wide: tuple[int, ...] = default((70, 100, 200), quick=(100,))
    # steps of first-order optimisers for the first target, beside `steps`
    budgets: tuple[int, ...] = default((12_500, 200_000), quick=(12_500,))
    iterations: tuple[int, ...] = (100, 300, 1000)  # of Levenberg-Marquardt
    # of each first-order optimiser; Adam is among them
    rates: Mapping[str, tuple[float, ...]] = field(
        default_factory=lambda: dict(RATES),
        metadata={"quick": {name: some[1:3] for name, some in RATES.items() if name != "adamw"}},
    )
    by_steps = ("budgets", "iterations")
    by_width = ("wide",)

    def __post_init__(self) -> None:
        first_order = [name for name in OPTIMIZERS if name != LM]
        for name in self.rates:
            if name not in first_order:
                raise ConfigError(
                    f"rates of {name!r}: no first-order optimiser; choose from "
                    f"{', '.join(first_order)}"
                )
        if ADAM not in self.rates:
            raise ConfigError("rates has none of 'adam', with which others are compared; add them")
        if len({*self.iterations}) < 2:
            raise ConfigError(f"iterations={self.iterations} has one number; give two or more")
        object.__setattr__(self, "iterations", tuple(sorted({*self.iterations})))

    @property
    def lengths(self) -> tuple[int, ...]:
        """All numbers of steps of first-order optimisers, in ascending order."""
        return tuple(sorted({*self.budgets, self.steps}))

    def widths_at(self, steps: int) -> tuple[int, ...]:
        if steps != self.steps:
            return self.widths
        return tuple(sorted({*self.narrow, *self.widths, *self.wide}))

    def ways(self) -> Iterator["Way"]:
        for task in self.tasks:
            lengths = self.lengths if task == self.tasks[0] else (self.steps,)
            yield from (Way(task, name, steps) for name in self.rates for steps in lengths)
            yield Way(task, DOUBLE, self.steps)
            yield from (Way(task, LM, count) for count in self.iterations)

    def sweeps(self) -> list[Sweep]:
        sweeps = [sweep for way in self.ways() for sweep in way.sweeps(self).values()]
        return sorted(sweeps, key=lambda one: -one.configs[0].steps)


class Way(NamedTuple):
    """One way of training a target: optimiser (DOUBLE is one of them), and its steps."""

    task: str
    optimizer: str
    steps: int

    def sweeps(self, settings: OptimizerSettings) -> dict[float, Sweep]:
        """By rate; Levenberg-Marquardt has none."""
        s, name = settings, self.optimizer.partition(",")[0]
        fields: dict[str, Any] = {"seeds": s.seeds, "task": self.task, "optimizer": name}
        fields["dtype"] = "float64" if self.optimizer in (DOUBLE, LM) else "float32"
        if name == LM:
            return {0.0: Sweep(widths=s.widths_at(s.steps), steps=self.steps, **fields)}
        fields["widths"] = s.widths if self.optimizer == DOUBLE else s.widths_at(self.steps)
        fields |= scheduled(self.steps)
        return {rate: Sweep(lr=rate, **fields) for rate in s.rates[name]}


def target_of(task: str) -> str:
    return task_of(task).formula


each_target = for_each(
    "target", lambda study: {target_of(task): task for task in study.settings.tasks}
)


class Optimizer(Study):
    """Exponents and losses by optimiser at their best rates; Levenberg-Marquardt beside Adam."""

    name = "optimizer"
    settings_type = OptimizerSettings

    def __init__(self, source: Source, settings: OptimizerSettings) -> None:
        self.settings, self.left_out, self.count = settings, list[str](), 0
        self.found: dict[Way, Points] = {}
        self.rates: dict[Way, dict[int, Rates]] = {}
        self.whole: dict[str, Points] = {}  # losses of the last LM on the whole interval, by task
        for way in settings.ways():
            nets = {rate: source.by_width(one) for rate, one in way.sweeps(settings).items()}
            self.count += sum(len(one) for by_width in nets.values() for one in by_width.values())
            losses = {rate: {n: one.loss for n, one in by.items()} for rate, by in nets.items()}
            best, self.rates[way] = best_of(losses)
            name = f"{way.optimizer}, {way.task}, {way.steps:,} steps"
            if one := medians(best, name, self.left_out):
                self.found[way] = one
            if way == self._lm(way.task, -1):
                whole = {width: one.population_loss for width, one in nets[0.0].items()}
                if one := medians(whole, f"{name}, on the interval", self.left_out):
                    self.whole[way.task] = one
        self.exponents = exponents(self.found, *self.span, "Optimizer")

    # Words
    def facts(self) -> dict[str, Any]:
        s = self.settings
        best = {
            f"{way.optimizer}, {target_of(way.task)}": rates
            for way, rates in self.rates.items()
            if way.steps == s.steps and way.optimizer in s.rates
        }
        return {
            **super().facts(),
            "targets": commas(target_of(task) for task in s.tasks),
            "first": target_of(s.tasks[0]),
            "names": commas(s.rates),
            "rates": "; ".join(f"{name} {commas(rates)}" for name, rates in s.rates.items()),
            "lengths": commas(s.lengths),
            "shortest": s.lengths[0],
            "longest": s.lengths[-1],
            "few": s.iterations[0],
            "middle": s.iterations[-2],
            "last": s.iterations[-1],
            "at_ends": at_ends(best, {name: s.rates[name.partition(",")[0]] for name in best}),
        }

    def headline(self) -> str:
        s, verdicts = self.settings, self.judged()
        ways = self._first_order(s.tasks[0])
        at = [self.exponents[one] for one in ways.values() if one in self.exponents]
        states = {one.verdict for one in verdicts["sets"]}
        parts = ["Whether the optimiser sets the exponent is open"]
        if FAILS in states:
            parts = ["The optimiser sets the exponent"]
        elif states == {HOLDS}:
            parts = ["The optimiser does not set the exponent"]
        if at:
            parts[0] += (
                f": at their best rates it runs from {extent(at)} over "
                f"first-order optimisers after {s.steps:,} steps ({target_of(s.tasks[0])})"
            )
        lm = self._lm(s.tasks[0], -1)
        if (e := self.exponents.get(lm)) and (less := self._ratio(lm, ways[ADAM])):
            parts.append(
                f"Levenberg-Marquardt lowers the loss of widths {self.span[0]} to {self.span[1]} "
                f"by a factor of {1 / less.value:.1g} and has the exponent {e}"
            )
        return "; ".join(parts) + "."

    def tables(self) -> list[Table]:
        header = "target, optimiser, steps"
        columns = "width, seeds, diverged, median, low, high"
        rates = rows_of({way: two for way, two in self.rates.items() if way.optimizer != LM})
        return [
            Table.of("losses", f"{header}, {columns}", rows_of(self.found)),
            Table.of("exponents", f"{header}, exponent, low, high", rows_of(self.exponents)),
            Table.of("rates", f"{header}, width, rate of even seeds, rate of odd seeds", rates),
            Table.of("interval", f"target, {columns}", rows_of(self.whole)),
        ]

    # Verdicts
    def _same(self, pairs: Mapping[str, tuple[Way, Way]], claim: Claim) -> Outcome:
        found = {
            name: exponent_change(self.found.get(one), self.found.get(other), *self.span)
            for name, (one, other) in pairs.items()
            if one != other
        }
        return all_in(found, claim.no_change)

    def _ratio(self, one: Way, other: Way) -> Estimate | None:
        """Median loss of one way over that of the other, over the widths of the exponent."""
        if one not in self.found or other not in self.found:
            return None
        both = self.found[one], self.found[other]
        return mean_ratio(*(e.select(np.isin(e.widths, self.settings.widths)) for e in both))

    def _by_width(
        self, one: Points | None, other: Points | None, judge: Callable[[Estimate], Check]
    ) -> Outcome:
        """Whether the ratio of medians lies in a range at each width."""
        ratios = estimates(quotient(one, other) if one and other else None)
        return all_in({f"N = {width}": ratio for width, ratio in ratios.items()}, judge)

    def _first_order(self, task: str) -> dict[str, Way]:
        return {name: Way(task, name, self.settings.steps) for name in self.settings.rates}

    def _lm(self, task: str, place: int) -> Way:
        """Levenberg-Marquardt after one of its numbers of iterations, in ascending order."""
        return Way(task, LM, self.settings.iterations[place])

    @each_target
    def claim_sets(self, claim: Claim, task: str) -> Outcome:
        ways = self._first_order(task)
        pairs = {name: (way, ways[ADAM]) for name, way in ways.items() if name != ADAM}
        return self._same(pairs, claim)

    @each_target
    def claim_prefactor(self, claim: Claim, task: str) -> Outcome:
        ways = self._first_order(task)
        found = {n: self._ratio(way, ways[ADAM]) for n, way in ways.items() if n != ADAM}
        return all_in(found, claim.similar)

    # Others are trained for one number of steps.
    @for_each("target", lambda study: {target_of(task): task for task in study.settings.tasks[:1]})
    def claim_budget(self, claim: Claim, task: str) -> Outcome:
        lengths = self.settings.lengths
        pairs = {
            name: (Way(task, name, lengths[-1]), Way(task, name, lengths[0]))
            for name in self.settings.rates
        }
        return self._same(pairs, claim)

    @each_target
    def claim_error(self, claim: Claim, task: str) -> Outcome:
        lm, adam = self._lm(task, -1), self._first_order(task)[ADAM]
        return self._by_width(
            self.found.get(lm), self.found.get(adam), lambda e: factor(e, 0.0, claim["half"])
        )

    @each_target
    def claim_second(self, claim: Claim, task: str) -> Outcome:
        return self._same({"change": (self._lm(task, -1), self._first_order(task)[ADAM])}, claim)

    @each_target
    def claim_end(self, claim: Claim, task: str) -> Outcome:
        last, before = (self.found.get(self._lm(task, place)) for place in (-1, -2))
        return self._by_width(last, before, claim.similar)

    @each_target
    def claim_iterations(self, claim: Claim, task: str) -> Outcome:
        return self._same({"change": (self._lm(task, -1), self._lm(task, 0))}, claim)

    @each_target
    def claim_precision(self, claim: Claim, task: str) -> Outcome:
        adam = self._first_order(task)[ADAM]
        return self._same({"change": (adam._replace(optimizer=DOUBLE), adam)}, claim)

    @each_target
    def claim_points(self, claim: Claim, task: str) -> Outcome:
        trained = self.found.get(self._lm(task, -1))
        return self._by_width(self.whole.get(task), trained, claim.similar)
