"""Interleaved timing: in each round every contestant trains the same nets, one after the other, at
every width.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from bench.work import Contestant, Work

TRIALS = 3
CLOSE = 1.3  # a way whose trial took more than this times the family's best is not timed further
STEPS_UNIT = 4  # steps are whole multiples of it, for ways that do several steps a call


@dataclass(frozen=True)
class Timing:
    """ns per unit of one contestant at one width: one figure a round, or the trial's alone where it
    was too slow to go on.
    """

    width: int
    family: str
    way: str
    steps: int
    nanoseconds: tuple[float, ...]
    trial_only: bool
    cores: float = float("nan")  # CPU time over wall time: how many cores it had, on average

    @property
    def median(self) -> float:
        return float(np.median(self.nanoseconds))


@dataclass(frozen=True)
class Spread:
    """Median and quartiles."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        return cls(*(float(q) for q in np.quantile(list(values), (0.25, 0.5, 0.75))))


def seconds(
    contestant: Contestant, steps: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Of so many steps from the initial parameters; laying out the nets is not counted."""
    contestant.start()
    began = clock()
    contestant.advance(steps)
    return clock() - began


def steps_for(
    contestant: Contestant, wanted: float, most: int, clock: Callable[[], float] = time.perf_counter
) -> int:
    """How many steps take about `wanted` seconds, at most `most`. The contestant is warm
    afterwards.
    """
    steps = STEPS_UNIT
    seconds(contestant, steps, clock)
    while (took := seconds(contestant, steps, clock)) < wanted / 4 and 4 * steps <= most:
        steps *= 4
    whole = round(steps * wanted / took / STEPS_UNIT)
    return int(np.clip(whole, 1, max(1, most // STEPS_UNIT))) * STEPS_UNIT


def time_all(
    matches: list[tuple[Work, list[Contestant]]],
    rounds: int,
    wanted: float,
    tell: Callable[[str], None],
    clock: Callable[[], float] = time.perf_counter,
) -> list[Timing]:
    """Time every contestant of every match over `rounds` rounds of about `wanted` seconds each.
    `tell` gets progress lines.
    """
    entries: list[_Entry] = []
    for work, contestants in matches:
        tell(f"width {work.config.width}: how many steps")
        entries += _promising([_Entry(work, one, wanted, clock) for one in contestants])
    runners = [entry for entry in entries if not entry.trial_only]
    for number in range(rounds):
        tell(f"round {number + 1} of {rounds}")
        # Every second round runs backwards, so that none always follows the same one.
        for entry in runners if number % 2 == 0 else reversed(runners):
            entry.figures.append(entry.run())
    return [entry.timing() for entry in entries]


class _Entry:
    """One contestant's figures at one width."""

    def __init__(
        self, work: Work, contestant: Contestant, wanted: float, clock: Callable[[], float]
    ) -> None:
        self.work, self.contestant, self.clock = work, contestant, clock
        self.steps = steps_for(contestant, wanted, work.config.steps, clock)
        self.trial_only = False
        self.wall = self.busy = 0.0
        self.trials: list[float] = []
        self.figures: list[float] = []

    def run(self) -> float:
        """One timing, in ns per unit."""
        busy, wall = time.process_time(), time.perf_counter()
        took = seconds(self.contestant, self.steps, self.clock)
        self.busy += time.process_time() - busy
        self.wall += time.perf_counter() - wall
        return took / (self.steps * self.work.units) * 1e9

    def timing(self) -> Timing:
        figures = (min(self.trials),) if self.trial_only else tuple(self.figures)
        return Timing(
            self.work.config.width,
            self.contestant.family,
            self.contestant.way,
            self.steps,
            figures,
            self.trial_only,
            self.busy / self.wall,
        )


def _promising(entries: list[_Entry]) -> list[_Entry]:
    """Mark the ways that are far behind the best of their family, each judged by the best of
    interleaved trials.
    """
    for _ in range(TRIALS):
        for entry in entries:
            entry.trials.append(entry.run())
    for entry in entries:
        best = min(
            min(other.trials)
            for other in entries
            if other.contestant.family == entry.contestant.family
        )
        entry.trial_only = min(entry.trials) > CLOSE * best
    return entries


def fastest(timings: Iterable[Timing], width: int, family: str) -> Timing | None:
    """The family's way with the lowest median at this width; None where the family did not take
    part.
    """
    ways = [t for t in timings if (t.width, t.family, t.trial_only) == (width, family, False)]
    return min(ways, key=lambda t: t.median, default=None)


def cores_had(timings: Iterable[Timing]) -> float:
    """Cores that minilotto had on average, the least of all widths. Fewer than its threads means
    that others took them.
    """
    return min((t.cores for t in timings if t.family == "minilotto"), default=float("nan"))


def ratio(peer: Timing, ours: Timing) -> Spread:
    """How many times longer the peer took, round by round; a peer that was timed in its trial
    alone, against our median.
    """
    if peer.trial_only:
        return Spread.of([peer.median / ours.median])
    return Spread.of(p / o for p, o in zip(peer.nanoseconds, ours.nanoseconds, strict=True))
