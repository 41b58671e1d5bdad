"""How trainings on nodes scale with threads: `python -m bench.threads [--seeds 1024]`.

In one thread, the CPU time of what threads would share (steps, audits, losses) is taken beside that
of the whole training; what is left bounds the speed-up of more threads (Amdahl's law). Trainings
with up to as many threads as there are cores are timed beside it.
"""

import statistics
import time
from collections.abc import Callable, Iterator

import minilotto as ml
from bench.command import run_command
from minilotto.hardware.machine import cpu_name, usable_cores
from minilotto.hardware.threads import Work

WIDTHS = (2, 10, 20, 50)
COMPUTED = (16, 64)
REPETITIONS = 5


class _Watch:
    """Counts the CPU time of the pieces of every Work while it is entered, but for those that run
    within another.
    """

    def __enter__(self) -> "_Watch":
        self.seconds, self.original, self.within = 0.0, Work.pieces, False

        def pieces(work: Work, threads: int) -> Iterator[Callable[[], None]]:
            for piece in self.original(work, threads):
                yield lambda piece=piece: self._timed(piece)

        Work.pieces = pieces  # type: ignore[method-assign]
        return self

    def _timed(self, piece: Callable[[], None]) -> None:
        if self.within:
            piece()
            return
        self.within, began = True, time.thread_time()
        piece()
        self.within, self.seconds = False, self.seconds + time.thread_time() - began

    def __exit__(self, *exception: object) -> None:
        Work.pieces = self.original  # type: ignore[method-assign]


def serial_fraction(config: ml.Config, seeds: int) -> float:
    """Of the CPU time of a training in one thread, the part that no threads share: the median of
    some trainings.
    """
    return statistics.median(_serial_fraction(config, seeds) for _ in range(REPETITIONS))


def _serial_fraction(config: ml.Config, seeds: int) -> float:
    with _Watch() as watch:
        began = time.thread_time()
        ml.train(config, seeds=seeds, threads=1)
        whole = time.thread_time() - began
    return 1.0 - watch.seconds / whole


def seconds(config: ml.Config, seeds: int, threads: int) -> float:
    began = time.perf_counter()
    ml.train(config, seeds=seeds, threads=threads)
    return time.perf_counter() - began


def main(*, seeds: int = 1024, steps: int = 50_000) -> None:
    """Fraction of the time that is serial, and speed-ups by threads, measured and by Amdahl's law.

    Parameters
    ----------
    seeds : int
        Networks of each width.
    steps : int
        Steps of each training.
    """
    counts = [2**k for k in range(usable_cores().bit_length())]
    print(f"{cpu_name()}, {usable_cores()} cores; {seeds} nets, {steps} steps, on nodes\n")
    print("width  serial  Amdahl   " + " ".join(f"{n:>5}" for n in COMPUTED) + "  measured", end="")
    print("".join(f" {count:>5}" for count in counts))
    for width in WIDTHS:
        config = ml.Config(width=width, steps=steps)
        ml.train(config, seeds=seeds, threads=1)  # compiles, also what nets with more nodes need
        part = serial_fraction(config, seeds)
        law = " ".join(f"{1 / (part + (1 - part) / n):5.1f}" for n in COMPUTED)
        times = [seconds(config, seeds, count) for count in counts]
        print(f"{width:5}  {part:6.3f}           {law}          ", end="")
        print("".join(f" {times[0] / taken:5.2f}" for taken in times))


if __name__ == "__main__":
    raise SystemExit(run_command(main, "bench.threads"))
