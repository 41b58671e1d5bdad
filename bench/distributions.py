"""Do all engines give the same distribution of final losses?

`python -m bench.distributions [--seeds 300] [--steps 50000] [--peers none]`

After thousands of steps rounding decides where a net ends, so that engines can only be compared as
distributions: each trains its own seeds by the paper's protocol, and final losses, evaluated in
float64, are compared with those of the lanes engine on every point: a Kolmogorov-Smirnov test each,
with a family-wise error of 1 percent, and the ratio of medians with its 99 percent interval. On
20,000 uneven points trainings are shorter. Exits with status 1 where a test rejects.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap, ks_2samp

import minilotto as ml
from bench.command import FAILURE, Plan, run_command
from bench.work import Work
from minilotto.engines.evaluate import losses
from minilotto.hardware.machine import usable_cores
from minilotto.settings.activations import activation_of
from minilotto.settings.numbers import whole_number

WIDTHS = (2, 10, 20, 50)
MANY, SHORT = 20_000, 25  # points, and the part of the steps that is trained on these
LEAST_SEEDS = 20  # fewer could not tell like from unlike
ERRORS = 0.01  # chance that any of the tests takes like for unlike
Trained = Callable[
    [ml.Config, range], NDArray[np.float64]
]  # losses of these seeds after the whole training


def by_minilotto(engine: str, data: tuple[NDArray, NDArray] | None = None) -> Trained:
    """By this engine, or by what `train` takes ("auto")."""
    return lambda config, seeds: (
        ml.train(config, seeds=seeds, data=data, engine=engine, progress=False).loss
    )


def by_jax() -> Trained | None:
    """JAX's fastest form, where it is installed."""
    from bench.__main__ import prepare_process

    prepare_process(usable_cores())  # before JAX is imported
    try:
        from bench.jax_peer import Jax, prepare
    except ml.MissingExtraError as error:
        print(f"JAX is left out: {error}", file=sys.stderr)
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
    interval = bootstrap(
        logs, difference, confidence_level=0.99, method="percentile", rng=0
    ).confidence_interval
    low, high = np.exp(interval)
    return f"{np.exp(difference(*logs)):.2f} ({low:.2f} to {high:.2f})"


def compared(
    about: str, config: ml.Config, widths: tuple[int, ...], ways: dict[str, Trained], seeds: int
) -> list[tuple[list[str], float]]:
    """A row for each way and width, and its p: against the first way, which has other seeds."""
    rows = []
    for width in widths:
        found = []
        for k, (way, train) in enumerate(ways.items()):
            began = time.perf_counter()
            found.append(train(config.replace(width=width), range(k * seeds, (k + 1) * seeds)))
            took = time.perf_counter() - began
            print(f"{about}, width {width}, {way}: {took:.1f} s", file=sys.stderr, flush=True)
        expected, *others = (
            np.where(np.isnan(sample), np.inf, sample) for sample in found
        )  # diverged nets count too
        for way, ours in zip(list(ways)[1:], others, strict=True):
            medians = [f"{np.median(sample):.3g}" for sample in (ours, expected)]
            row = [f"{about}, {way}", str(width), *medians, ratio_of_medians(ours, expected)]
            rows.append((row, float(ks_2samp(ours, expected).pvalue)))
    return rows


def on_many_points(steps: int, seeds: int) -> list[tuple[list[str], float]]:
    """Rows for data of which nodes are made in pieces."""
    random, rows = np.random.default_rng(5), []
    for about, x in {
        "normal x": random.normal(size=MANY),
        "Student's t x": random.standard_t(3, size=MANY),
        "uniform x and one far away": np.append(random.uniform(-2, 2, MANY - 1), 100.0),
    }.items():
        data = x, np.sin(x)
        ways = {
            "every point": by_minilotto("lanes", data),
            "as trained": by_minilotto("auto", data),
        }
        rows += compared(f"{about}, {MANY:,} points", ml.Config(steps=steps), (5,), ways, seeds)
    return rows


def plan(*, seeds: int = 300, steps: int = 50_000, peers: str = "jax") -> Plan:
    """Train the same networks by several engines, and compare how they end.

    Args:
        seeds: networks of each engine and width, at least 20
        steps: of a whole training; on many points a twenty-fifth of these
        peers: whom to compare with: jax or none
    """
    seeds = whole_number("seeds", seeds, at_least=LEAST_SEEDS)
    steps = whole_number("steps", steps, at_least=SHORT)
    if peers not in ("jax", "none"):
        raise ml.ConfigError(f"peers={peers!r} is unknown; choose from jax, none")
    return Plan(partial(run, seeds, steps, peers == "jax"))


def run(seeds: int, steps: int, jax_too: bool) -> int:
    """Train, compare, print a table. The exit status: 1 where a test says no."""
    ways = {"every point": by_minilotto("lanes"), "as trained": by_minilotto("auto")}
    jax = by_jax() if jax_too else None
    if jax is not None:
        ways["JAX"] = jax
    rows = compared("SiLU, float32", ml.Config(steps=steps), WIDTHS, ways, seeds)
    ways = {"every point": by_minilotto("lanes"), "exact": by_minilotto("exact")}
    leaky = ml.Config(steps=steps, activation="leaky_relu", dtype="float64")
    rows += compared("LeakyReLU, float64", leaky, WIDTHS, ways, seeds)
    rows += on_many_points(steps // SHORT, seeds)
    least = ERRORS / len(rows)
    print(f"{seeds} seeds, {steps:,} steps; same: p above {least:.2g}\n")
    print("| | width | median | every point | ratio of medians | Kolmogorov-Smirnov p | same |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for row, p in rows:
        print("| " + " | ".join([*row, f"{p:.2g}", "yes" if p > least else "NO"]) + " |")
    return FAILURE if any(not p > least for _, p in rows) else 0


if __name__ == "__main__":
    sys.exit(run_command(plan, "bench.distributions"))
