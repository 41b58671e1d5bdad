"""Cold start: import, first compilation, first step of the next process, peak memory. Each figure
comes from fresh processes.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

IMPORT = """
import time
import numba
began = time.perf_counter()
import minilotto
print(time.perf_counter() - began)
"""
FIRST_STEP = """
import minilotto as ml
ml.train(ml.Config(width=20, steps=1), seeds={seeds})
"""
PEAK_MEMORY = """
import resource
import minilotto as ml
ml.train(ml.Config(width=2, steps=2), seeds={seeds})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of ru_maxrss
MOST_SECONDS = 300.0


@dataclass(frozen=True)
class Figure:
    """One measured figure with its target (at most)."""

    what: str
    value: float
    target: float
    unit: str


def run(code: str, **environment: str) -> tuple[float, str]:
    """Run Python code in a fresh process: seconds from command to end, and what it printed."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=MOST_SECONDS,
    )
    return time.perf_counter() - began, done.stdout


def measure(repeats: int, memory_seeds: int, tell: Callable[[str], None]) -> list[Figure]:
    """All figures; medians over `repeats` processes where a figure is cheap."""
    tell("cold start: import")
    imports = [float(run(IMPORT)[1]) for _ in range(repeats)]
    with tempfile.TemporaryDirectory() as cache:
        tell("cold start: first compilation")
        first, _ = run(FIRST_STEP.format(seeds=1000), NUMBA_CACHE_DIR=cache)
        tell("cold start: the next process")
        later = [
            run(FIRST_STEP.format(seeds=1000), NUMBA_CACHE_DIR=cache)[0] for _ in range(repeats)
        ]
        tell(f"peak memory of {memory_seeds} seeds")
        _, printed = run(PEAK_MEMORY.format(seeds=memory_seeds), NUMBA_CACHE_DIR=cache)
    return [
        Figure("import minilotto, beyond import numba", float(np.median(imports)), 0.15, "s"),
        Figure(
            "first training step ever, compilation included, from the command", first, 10.0, "s"
        ),
        Figure(
            "first training step of a later process, from the command",
            float(np.median(later)),
            1.5,
            "s",
        ),
        Figure(
            f"peak memory, {memory_seeds:,} seeds of width 2",
            int(printed) * RSS_UNIT / 1e9,
            1.0,
            "GB",
        ),
    ]
