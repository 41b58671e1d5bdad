"""Study: shares of the neurons that subtasks have, and their loss against their neurons."""

from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import numpy as np

from minilotto.analysis.stats.bootstrap import (
    LEAST_SEEDS,
    Estimate,
    Points,
    median_interval,
    points,
)
from minilotto.analysis.stats.estimates import estimates
from minilotto.analysis.stats.exponents import exponent_change, exponent_over, mean_ratio, quotient
from minilotto.analysis.tickets.subtasks import loss_of_inputs, neurons_of_inputs
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import ConfigError, DataError
from minilotto.report.claims import Claim, Outcome, extent, tally, untested
from minilotto.report.figure import Source, Table, divided, rows_of
from minilotto.report.rules import LEVEL, factor, inside
from minilotto.report.study import Settings, Study, default, scheduled
from minilotto.settings.arrays import Array
from minilotto.settings.streams import stream
from minilotto.settings.tasks import falling, task_of
from minilotto.store.grid import Sweep

HELD_OUT = 2048  # points at which errors are taken
EQUAL, WEIGHTED = "sum", "weighted"  # families of targets
USUAL, OTHERS = "usual", ("rate", "batch")
ENOUGH = 2  # neurons a subtask, a mirror pair, from which on widths are compared


@dataclass(frozen=True)
class SubtasksSettings(Settings):
    """What is trained. Raises ConfigError for fewer than two subtasks."""

    seeds: int = default(32, quick=16)
    steps: int = default(20_000, quick=4000)
    widths: tuple[int, ...] = default(
        (8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100), quick=(8, 16, 32)
    )
    subtasks: tuple[int, ...] = default((2, 4, 8), quick=(2, 4))  # numbers of inputs, from 2 on
    rate: float = 0.01  # of the first step
    batch: int = default(64, quick=32)  # points a step
    points: int = 8192  # of which these are drawn
    control: int = 4  # number of weighted subtasks that are also trained otherwise
    other_rate: float = 0.003  # how these are trained
    other_batch: int = default(256, quick=64)

    def __post_init__(self) -> None:
        if not self.subtasks or min(*self.subtasks, self.control) < 2:
            raise ConfigError(
                f"subtasks={self.subtasks!r} and control={self.control!r} share out nothing; give "
                "numbers from 2 on"
            )

    def sweep(self, task: str, how: str = USUAL) -> Sweep:
        """The nets of one target, trained as usual, or at another rate or batch."""
        rate = self.other_rate if how == "rate" else self.rate
        batch = self.other_batch if how == "batch" else self.batch
        return Sweep(
            self.seeds,
            widths=self.widths,
            task=task,
            sampling="uniform",
            points=self.points,
            **scheduled(self.steps),
            lr=rate,
            batch=batch,
        )

    @property
    def ways(self) -> list[tuple[str, str]]:
        """Targets, and how each is trained."""
        usual = [(f"{kind}{m}", USUAL) for kind in (EQUAL, WEIGHTED) for m in self.subtasks]
        return [*usual, *((f"{WEIGHTED}{self.control}", how) for how in OTHERS)]

    def sweeps(self) -> list[Sweep]:
        return [self.sweep(*way) for way in self.ways]


class Allocated(NamedTuple):
    """Of the nets of one width: neurons and relative loss of each subtask, the mean largest
    fraction of a neuron, and the loss of the whole.
    """

    neurons: Array
    relative: Array
    alone: Array
    loss: Array


def weights_of(task: str) -> Array:
    """Fractions of the target's variance."""
    count = task_of(task).inputs
    found = falling(count) if task.startswith(WEIGHTED) else np.ones(count)
    return np.asarray(found / found.sum())


def allocated(nets: Ensemble) -> Allocated:
    """Neurons and losses of finite nets, at points of their own."""
    task = task_of(nets.config.task)
    nets, count = nets.select(np.isfinite(nets.loss)), task.inputs
    drawn = stream(nets.config.root_seed, f"subtasks {count}", 0, 2 * HELD_OUT * count)
    x, again = (4 * drawn - 2).reshape(2, HELD_OUT, count)
    errors = nets.predict(x) - task(x)
    redrawn = []
    for i in range(count):
        moved = np.where(np.arange(count) == i, again, x)
        redrawn.append(nets.predict(moved) - task(moved))
    neurons, alone = neurons_of_inputs(nets.w)
    relative = loss_of_inputs(errors, redrawn) / weights_of(nets.config.task)
    return Allocated(neurons, relative, alone, np.mean(errors**2, axis=1))


class Subtasks(Study):
    """Neurons and losses of the parts of a sum, against width and weight."""

    name = "subtasks"
    settings_type = SubtasksSettings

    def __init__(self, source: Source, settings: SubtasksSettings) -> None:
        s = self.settings = settings
        self.left_out, self.count = list[str](), 0
        self.found: dict[tuple[str, str], dict[int, Allocated]] = {}
        for way in s.ways:
            for width, nets in source.by_width(s.sweep(*way)).items():
                one = allocated(nets)
                self.count += len(nets)
                if len(one.loss) >= LEAST_SEEDS:
                    self.found.setdefault(way, {})[width] = one
                else:
                    self.left_out.append(f"{way[0]}, width {width}: {len(one.loss)} finite seeds")
        every = [(way, i) for way in self.found for i in self._parts(way[0])]
        self.exponents = {
            (*way, i): exponent
            for way, i in every
            if max(self.found[way]) >= (least := self._least(way[0]))
            and (exponent := exponent_over(self.against_neurons(way, i, least), 0, inf))
        }
        if not self.exponents:
            raise DataError(
                f"an exponent needs three widths of {ENOUGH} neurons a subtask or more, with "
                f"{LEAST_SEEDS} finite seeds; train more with Subtasks.run"
            )
        self.shares: dict[tuple[str, str, int], Points] = {}
        for way, i in every:
            rows = [one.neurons[:, i] / width for width, one in self.found[way].items()]
            self.shares[(*way, i)] = points(list(self.found[way]), rows, level=LEVEL)

    @staticmethod
    def _parts(task: str) -> range:
        return range(task_of(task).inputs if task.startswith(WEIGHTED) else 1)

    # Numbers
    @staticmethod
    def _least(task: str) -> int:
        return ENOUGH * task_of(task).inputs

    def against_neurons(self, way: tuple[str, str], i: int, least: int = 0) -> Points:
        """Relative loss of a subtask against its median number of neurons, over widths."""
        found = [one for width, one in self.found[way].items() if width >= least]
        neurons = [float(np.median(one.neurons[:, i])) for one in found]
        return points(neurons, [one.relative[:, i] for one in found], level=LEVEL)

    def across(self, task: str, width: int) -> Estimate | None:
        """Exponent of relative loss against neurons between the subtasks of one width."""
        one = self.found.get((task, USUAL), {}).get(width)
        if one is None:
            return None
        neurons = np.median(one.neurons, axis=0)
        return exponent_over(points(neurons, list(one.relative.T), level=LEVEL), 0, inf)

    def whole(self, way: tuple[str, str]) -> Points | None:
        found = self.found.get(way, {})
        rows = [one.loss for one in found.values()]
        return points(list(found), rows, level=LEVEL) if found else None

    @property
    def weighted(self) -> list[str]:
        """Weighted targets of which there are nets."""
        names = [f"{WEIGHTED}{m}" for m in self.settings.subtasks]
        return [name for name in names if (name, USUAL) in self.found]

    def uneven(self, task: str, how: str = USUAL) -> Points | None:
        """Share of the heaviest subtask over that of the lightest, against width."""
        ends = (0, task_of(task).inputs - 1)
        return quotient(*(self.shares.get((task, how, i)) for i in ends))

    def facts(self) -> dict[str, Any]:
        return {
            **super().facts(),
            "held_out": HELD_OUT,
            "enough": ENOUGH,
            "most": max(self.settings.subtasks),
        }

    def headline(self) -> str:
        slopes = [e for (_, how, _), e in self.exponents.items() if how == USUAL]
        moved = ""
        if known := [one for one in self._drifts().values() if one]:
            moved = (
                f"; its share of them goes with the width N as N^-d, d from "
                f"{extent(known)}, where constant shares have 0"
            )
        return (
            "The relative loss of a subtask goes with its neurons n as n^-a with a from "
            f"{extent(slopes)}, where the resource model has 1{moved}."
        )

    def tables(self) -> list[Table]:
        shares, losses = [], []
        for (task, how, i), one in self.shares.items():
            weight = weights_of(task)[i]
            shares += rows_of(one, task, how, i + 1, weight)
            losses += rows_of(self.against_neurons((task, how), i), task, how, i + 1, weight)
        slopes = [(t, how, i + 1, e) for (t, how, i), e in self.exponents.items()]
        sums = {t: self.whole((t, how)) for t, how in self.found if how == USUAL}
        start, ends = "target, training, subtask", "low, high"
        return [
            Table.of("shares", f"{start}, weight, width, seeds, left out, share, {ends}", shares),
            Table.of("losses", f"{start}, weight, neurons, seeds, left out, loss, {ends}", losses),
            Table.of("exponents", f"{start}, exponent, {ends}", slopes),
            Table.of("sums", f"target, width, seeds, left out, loss, {ends}", rows_of(sums)),
        ]

    # Verdicts
    def claim_belong(self, claim: Claim) -> Outcome:
        widest = self.span[1]
        found = {
            _titled(task): median_interval(by_width[widest].alone)
            for (task, how), by_width in self.found.items()
            if how == USUAL and widest in by_width
        }
        return tally(found, lambda one: inside(one, claim["most_of"], inf))

    def _drifts(self) -> dict[str, Estimate | None]:
        """Exponents with which shares fall with the width."""
        return {
            _named(task, i): exponent_over(self.shares[task, USUAL, i], self._least(task), inf)
            for task in self.weighted
            for i in self._parts(task)
        }

    def claim_constant(self, claim: Claim) -> Outcome:
        drift = claim["drift"]
        return _ranged(tally(self._drifts(), lambda one: inside(one, -drift, drift)))

    def claim_slope(self, claim: Claim) -> Outcome:
        found = {_named(task, i): e for (task, how, i), e in self.exponents.items() if how == USUAL}
        return _ranged(tally(found, claim.near))

    def claim_across(self, claim: Claim) -> Outcome:
        found = {
            f"{_titled(task)}, N = {width}": exponent
            for task in self.weighted
            for width in self.span
            if width >= self._least(task) and (exponent := self.across(task, width))
        }
        if not found:
            return untested("An exponent between subtasks needs three of them.")
        return tally(found, claim.near)

    def _uneven(self) -> dict[str, tuple[str, Estimate]]:
        """How uneven shares of the weighted targets are at the largest width, by name."""
        found = {task: estimates(self.uneven(task)).get(self.span[1]) for task in self.weighted}
        return {_titled(task): (task, one) for task, one in found.items() if one}

    def claim_heavier(self, claim: Claim) -> Outcome:
        found = {name: one for name, (_, one) in self._uneven().items()}
        return tally(found, lambda one: factor(one, claim["same"], inf))

    def claim_optimal(self, claim: Claim) -> Outcome:
        found = {}
        for name, (task, one) in self._uneven().items():
            found[name] = divided(one, float(least_loss(task)[0] / least_loss(task)[-1]))
        return tally(found, claim.same)

    def claim_whole(self, claim: Claim) -> Outcome:
        tasks = [task for task, how in self.found if how == USUAL]
        found = {
            _titled(task): exponent_over(self.whole((task, USUAL)), self._least(task), inf)
            for task in tasks
        }
        return tally(found, claim.near)

    def claim_shares_stay(self, claim: Claim) -> Outcome:
        task = f"{WEIGHTED}{self.settings.control}"
        usual, others = self.uneven(task), {how: self.uneven(task, how) for how in OTHERS}
        found = {f"other {how}": mean_ratio(one, usual) for how, one in others.items()}
        return tally(found, claim.same)

    def claim_law_stays(self, claim: Claim) -> Outcome:
        task = f"{WEIGHTED}{self.settings.control}"
        usual, least = self.whole((task, USUAL)), self._least(task)
        changes = {
            f"other {how}": exponent_change(self.whole((task, how)), usual, least, inf)
            for how in OTHERS
        }
        return tally(changes, claim.unchanged)


def least_loss(task: str) -> Array:
    """Shares for which the sum of weight/neurons is least."""
    root = np.sqrt(weights_of(task))
    return np.asarray(root / root.sum())


def _ranged(found: Outcome) -> Outcome:
    known = found.numbers.values()
    ends = {"least": min(known), "most": max(known)} if known else {}
    return found._replace(numbers={**found.numbers, **ends})


def _titled(task: str) -> str:
    kind = "weighted" if task.startswith(WEIGHTED) else "equal"
    return f"{task_of(task).inputs} {kind}"


def _named(task: str, i: int) -> str:
    place = f", no. {i + 1}" if task.startswith(WEIGHTED) else ""
    return f"{_titled(task)}{place}"
