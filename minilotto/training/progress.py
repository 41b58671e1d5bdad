"""What a long training tells while it runs."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

COMPILING = (
    "compiling the kernels for this CPU (some seconds, once; later runs load them from disk)"
)
ROOM = 1 + 1e-9  # sums of fractions may round up, and tqdm warns of a bar that is more than full


class Reporter(Protocol):
    """Told by `train` how far it is."""

    def compiling(self) -> None:
        """Machine code is being made, which takes seconds, once."""

    def advance(self, seed_steps: int) -> None:
        """So many more (seeds x steps) are done."""


class Silent:
    """Tells nothing."""

    def compiling(self) -> None:
        return None

    def advance(self, seed_steps: int) -> None:
        return None


class Bar:
    """A tqdm bar on stderr, in seed-steps: one Adam step of one net."""

    def __init__(self, total: int, title: str) -> None:
        from tqdm import tqdm

        self._told = False
        self._bar = tqdm(
            total=total,
            desc=title,
            unit=" seed-steps",
            unit_scale=True,
            dynamic_ncols=True,
            file=sys.stderr,
            mininterval=0.2,
        )

    def compiling(self) -> None:
        if not self._told:
            self._told = True
            self._bar.write(COMPILING, file=sys.stderr)

    def advance(self, seed_steps: int) -> None:
        self._bar.update(seed_steps)

    def close(self) -> None:
        self._bar.close()


@contextmanager
def reporter(shown: bool, total: int, title: str) -> Iterator[Reporter]:
    """A Bar where `shown`, else a Silent one."""
    if not shown:
        yield Silent()
        return
    bar = Bar(total, title)
    try:
        yield bar
    finally:
        bar.close()


class SweepBar:
    """One bar over trainings of many kinds, from many threads. It counts work as a model of cost
    does, and tells nets and rate.

    total      work in all, in any unit, of which `done` is there already
    nets       nets in all
    """

    def __init__(self, shown: bool, total: float, nets: int) -> None:
        self._lock = threading.Lock()
        self._told = False
        self._nets, self._done, self._seed_steps = nets, 0, 0
        self._bar: Any = None
        if shown:
            from tqdm import tqdm

            self._bar = tqdm(
                total=max(total, 1e-9) * ROOM,
                bar_format="sweep {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
                dynamic_ncols=True,
                file=sys.stderr,
                mininterval=0.2,
            )

    def part(self, work_per_seed_step: float) -> "BarPart":
        """A Reporter for nets of one config."""
        return BarPart(self, work_per_seed_step)

    def advance(self, work: float, seed_steps: int) -> None:
        """So much more work is done."""
        if self._bar is None:
            return
        with self._lock:
            self._seed_steps += seed_steps
            self._bar.update(min(work, self._bar.total / ROOM - self._bar.n))
            self._tell()

    def finish(self, nets: int) -> None:
        """So many more nets are in the store."""
        with self._lock:
            self._done += nets
            if self._bar is not None:
                self._tell()

    def say(self, line: str) -> None:
        """A line above the bar."""
        with self._lock:
            if self._bar is not None:
                self._bar.write(line, file=sys.stderr)

    def compiling(self) -> None:
        if not self._told:
            self._told = True
            self.say(COMPILING)

    def _tell(self) -> None:
        elapsed = max(self._bar.format_dict["elapsed"], 1e-9)
        self._bar.set_postfix_str(
            f"{self._done}/{self._nets} nets, {self._seed_steps / elapsed:.3g} seed-steps/s",
            refresh=False,
        )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class BarPart:
    """What a training of one config tells a SweepBar. Raises KeyboardInterrupt in the training once
    `stop` is set.
    """

    def __init__(self, bar: SweepBar, work_per_seed_step: float) -> None:
        self._bar, self._work = bar, work_per_seed_step
        self.stop: threading.Event | None = None

    def compiling(self) -> None:
        self._bar.compiling()

    def advance(self, seed_steps: int) -> None:
        if self.stop is not None and self.stop.is_set():
            raise KeyboardInterrupt
        self._bar.advance(seed_steps * self._work, seed_steps)
