"""What a long training tells while it runs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


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
            self._bar.write(
                "compiling the kernels for this CPU (some seconds, once; later runs load them from disk)", file=sys.stderr
            )

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
