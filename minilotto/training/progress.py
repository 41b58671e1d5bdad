"""Progress of a long training: reporters and bars on stderr."""

import sys
import threading
from typing import Any, Protocol

from minilotto import signals

COMPILING = (
    "compiling the kernels for this CPU (some seconds, once; later runs load them from disk)"
)
MARGIN = 1 + 1e-9  # sums of fractions may round up, and tqdm warns of a bar beyond its end


class Reporter(Protocol):
    """Hears from a training how far it is."""

    def compiling(self) -> None:
        """Kernels are being compiled, which takes seconds, once."""

    def advance(self, seed_steps: int) -> None:
        """More seed-steps are done: one is a step of one seed."""


def tqdm_here() -> Any:
    """The tqdm of this process: that of widgets in a notebook that has them, else of text."""
    from tqdm import tqdm

    interactive = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if type(interactive).__name__ != "ZMQInteractiveShell":
        return tqdm
    try:
        import ipywidgets  # noqa: F401  without it tqdm.auto warns
    except Exception:  # a broken package may raise anything
        return tqdm
    from tqdm.auto import tqdm as auto

    return auto


class Bar:
    """A bar of tqdm, on stderr where it is text, for many threads; nothing unless `shown`."""

    def __init__(self, shown: bool, **options: Any) -> None:
        self._lock, self._noted = threading.Lock(), False
        self._bar: Any = None
        if shown:
            signals.state.bar = True
            options |= {"dynamic_ncols": True, "file": sys.stderr, "mininterval": 0.2}
            self._bar = tqdm_here()(**options)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        with self._lock:
            if self._bar is not None:
                self._bar.write(line, file=sys.stderr)

    def compiling(self) -> None:
        if not self._noted:
            self._noted = True
            self.say(COMPILING)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            signals.state.bar = False


class TrainingBar(Bar):
    """A bar in seed-steps: one step of one net."""

    def __init__(self, shown: bool = False, total: int = 0, title: str = "") -> None:
        super().__init__(shown, total=total, desc=title, unit=" seed-steps", unit_scale=True)

    def advance(self, seed_steps: int) -> None:
        if self._bar is not None:
            self._bar.update(seed_steps)


class SweepBar(Bar):
    """One bar for the trainings of a sweep, from many threads.

    `total` is the work by a model of cost, in any unit; `nets` is the number of nets. The bar shows
    the fraction of the work, nets in the store and rate.
    """

    def __init__(self, shown: bool, total: float, nets: int) -> None:
        words = "sweep {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        super().__init__(shown, total=max(total, 1e-9) * MARGIN, bar_format=words)
        self._nets, self._done, self._seed_steps = nets, 0, 0

    def advance(self, work: float, seed_steps: int) -> None:
        """More work is done."""
        if self._bar is None:
            return
        with self._lock:
            self._seed_steps += seed_steps
            self._bar.update(min(work, self._bar.total / MARGIN - self._bar.n))
            self._show()

    def finish(self, nets: int) -> None:
        """More nets are in the store."""
        with self._lock:
            self._done += nets
            if self._bar is not None:
                self._show()

    def _show(self) -> None:
        elapsed = max(self._bar.format_dict["elapsed"], 1e-9)
        self._bar.set_postfix_str(
            f"{self._done}/{self._nets} nets, {self._seed_steps / elapsed:.3g} seed-steps/s",
            refresh=False,
        )


class BarPart:
    """Reporter of one config's training to a SweepBar.

    Raises KeyboardInterrupt in the training once `stop` is set.
    """

    def __init__(self, bar: SweepBar, work_per_seed_step: float, stop: threading.Event) -> None:
        self._bar, self._work, self._stop = bar, work_per_seed_step, stop

    def compiling(self) -> None:
        self._bar.compiling()

    def advance(self, seed_steps: int) -> None:
        if self._stop.is_set():
            raise KeyboardInterrupt
        self._bar.advance(seed_steps * self._work, seed_steps)
