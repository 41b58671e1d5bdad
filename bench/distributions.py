"""Do whole trainings end alike, whatever trains? `python -m bench.distributions [--seeds 300] [--steps 50000] [--peers none]`.

After thousands of steps rounding has decided where a net ends, so that engines can only be compared as distributions: each trains
seeds of its own by the paper's protocol, and final losses, evaluated alike in float64, are compared with those of the lanes engine
on every point. A Kolmogorov-Smirnov test for each, all of which together take like for unlike with a chance of 1 percent, and the
ratio of medians with its 99 percent interval. Exits with status 1 where a test says no.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap, ks_2samp

import minilotto as ml
from bench.work import Work
from minilotto.activations import activation_of
from minilotto.kernels.evaluate import losses
from minilotto.machine import usable_cores

WIDTHS = (2, 10, 20, 50)
ERRORS = 0.01  # chance that any of the tests takes like for unlike
Trained = Callable[[ml.Config, range], NDArray[np.float64]]  # losses of these seeds after the whole training


def by_minilotto(engine: str) -> Trained:
    """By this engine, or by what `train` takes ("auto")."""
    return lambda config, seeds: ml.train(config, seeds=seeds, engine=engine, progress=False).loss


def by_jax() -> Trained | None:
    """JAX's fastest form, where it is installed."""
    from bench.__main__ import prepare_process

    prepare_process(usable_cores())  # before JAX is imported
    try:
        from bench.jax_peer import Jax, prepare
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed and is left out", file=sys.stderr)
        return None
    prepare(usable_cores())

    def train(config: ml.Config, seeds: range) -> NDArray[np.float64]:
        work = Work(config, len(seeds), usable_cores(), seeds.start)
        one = Jax(work, "points", True)
        one.start()
        one.advance(config.steps)
        return losses(activation_of(config.activation), one.parameters(), work.data)

    return train


def ratio_of_medians(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> str:
    """With its 99 percent interval, by bootstrap over seeds."""

    def difference(a: NDArray, b: NDArray, axis: int = -1) -> NDArray:
        return np.median(a, axis=axis) - np.median(b, axis=axis)

    logs = np.log(ours), np.log(theirs)
    interval = bootstrap(logs, difference, confidence_level=0.99, method="percentile", rng=0).confidence_interval
    low, high = np.exp(interval)
    return f"{np.exp(difference(*logs)):.2f} ({low:.2f} to {high:.2f})"


def compared(config: ml.Config, ways: dict[str, Trained], seeds: int) -> list[tuple[list[str], float]]:
    """A row for each way and width, and its p: against the lanes engine on every point, which has other seeds."""
    rows = []
    for width in WIDTHS:
        found = []
        for k, (way, train) in enumerate({"every point": by_minilotto("lanes"), **ways}.items()):
            began = time.perf_counter()
            found.append(train(config.replace(width=width), range(k * seeds, (k + 1) * seeds)))
            took = time.perf_counter() - began
            print(f"{config.activation}, width {width}, {way}: {took:.1f} s", file=sys.stderr, flush=True)
        expected, *others = found
        for way, ours in zip(ways, others, strict=True):
            medians = [f"{np.median(sample):.3g}" for sample in (ours, expected)]
            row = [f"{config.activation}, {config.dtype}, {way}", str(width), *medians, ratio_of_medians(ours, expected)]
            rows.append((row, float(ks_2samp(ours, expected).pvalue)))
    return rows


def main(*, seeds: int = 300, steps: int = 50_000, peers: str = "jax") -> None:
    """Train, compare, print a table."""
    ways = {"as trained": by_minilotto("auto")}
    jax = by_jax() if peers == "jax" else None
    if jax is not None:
        ways["JAX"] = jax
    rows = compared(ml.Config(steps=steps), ways, seeds)
    rows += compared(ml.Config(steps=steps, activation="leaky_relu", dtype="float64"), {"exact": by_minilotto("exact")}, seeds)
    least = ERRORS / len(rows)
    print(f"{seeds} seeds, {steps:,} steps; alike: p above {least:.2g}\n")
    print("| | width | median | every point | ratio of medians | Kolmogorov-Smirnov p | alike |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for row, p in rows:
        print("| " + " | ".join([*row, f"{p:.2g}", "yes" if p > least else "NO"]) + " |")
    sys.exit(any(p <= least for _, p in rows))


if __name__ == "__main__":
    import fire

    fire.Fire(main)
