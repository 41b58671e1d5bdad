"""Do all engines give the same distribution of final losses?

`python -m bench.distributions [--seeds 300] [--steps 50000] [--peers none] [--sections engines]`

After thousands of steps rounding decides where a net ends, so that engines can only be compared as
distributions: each trains its own seeds by the paper's protocol, and final losses, evaluated in
float64, are compared with those of the lanes engine on every point: a Kolmogorov-Smirnov test each,
with a family-wise error of 1 percent, and the ratio of medians with its 99 percent interval. Many
nets end in the same minimum to nine digits, so that tests take log10 losses rounded to 0.01. On
20,000 uneven points trainings are shorter. The section "ways" compares each optimiser, schedule and
kind of batch with optax, "depth" nets of two hidden layers with JAX. Exits with status 1 where a
test rejects.
"""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap, ks_2samp

import minilotto as ml
from bench.command import FAILURE, Plan, chosen_of, run_command
from bench.work import Contestant, Work
from minilotto.engines.evaluate import losses
from minilotto.errors import optional
from minilotto.hardware.machine import usable_cores
from minilotto.initialisation import Parameters
from minilotto.settings.activations import activation_of
from minilotto.settings.numbers import whole_number

WIDTHS = (2, 10, 20, 50)
MANY, SHORT = 20_000, 25  # points, and the part of the steps that is trained on these
SECTIONS = ("engines", "ways", "depth")
DEPTH = {"width": 10, "depth": 2}
WAYS_WIDTH = 10
WAYS: dict[str, dict] = {  # by what differs from the paper's protocol
    **{name: {"optimizer": name} for name in ("adam", "adamw", "rmsprop")},
    **{name: {"optimizer": name, "lr": 0.05} for name in ("gd", "momentum", "nesterov")},
    **{name: {"schedule": name} for name in ("constant", "cosine", "linear", "exponential")},
    "cosine after a warmup": {"schedule": "cosine", "warmup": 5000},
    "adam, batches of 10": {"batch": 10},
    "gd, batches of 10": {"batch": 10, "optimizer": "gd", "lr": 0.05},
    "momentum, batches of 10": {"batch": 10, "optimizer": "momentum", "lr": 0.01},
    "adam, 10 fresh points": {"batch": 10, "sampling": "population"},
}
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


def by_jax(optax: bool = False) -> Trained | None:
    """JAX's fastest form of the paper's protocol, or any protocol by optax; None where it is not
    installed.
    """
    from bench.__main__ import prepare_process

    prepare_process(usable_cores())  # before JAX is imported
    make: Callable[[Work], Contestant]
    try:
        from bench.jax_peer import Jax, prepare

        if optax:
            with optional("optax", "bench"):
                from bench.jax_ways import contestant as make
        else:
            make = partial(Jax, form="points", sharded=True)
    except ml.MissingExtraError as error:
        print(f"JAX is left out: {error}", file=sys.stderr)
        return None
    prepare(usable_cores())

    def train(config: ml.Config, seeds: range) -> NDArray[np.float64]:
        work = Work(config, len(seeds), usable_cores(), seeds.start)
        one = make(work)
        one.start()
        one.advance(config.steps)
        return losses(activation_of(config.activation), one.parameters(), work.data)

    return train


def rounded(sample: NDArray[np.float64]) -> NDArray[np.float64]:
    """log10 losses to 0.01."""
    return np.round(np.log10(sample), 2)


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
            rows.append((row, float(ks_2samp(rounded(ours), rounded(expected)).pvalue)))
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


def by_optax(steps: int, seeds: int) -> list[tuple[list[str], float]]:
    """Rows for each optimiser, schedule and kind of batch, beside optax."""
    optax, rows = by_jax(optax=True), []
    if optax is None:
        return []
    protocol = ml.Config(steps=steps, lr_decay_every=max(1, steps // 5))
    for about, changes in WAYS.items():
        if "schedule" in changes:
            changes = {"lr_decay_every": 10_000, **changes}
        changes = {**changes, **({"warmup": steps // 10} if "warmup" in changes else {})}
        ways = {"optax": optax, "as trained": by_minilotto("auto")}
        rows += compared(about, protocol.replace(**changes), (WAYS_WIDTH,), ways, seeds)
    return rows


def plan(
    *, seeds: int = 300, steps: int = 50_000, peers: str = "jax", sections: list[str] | None = None
) -> Plan:
    """Train the same networks by several engines, and compare how they end.

    Args:
        seeds: networks of each engine and width, at least 20
        steps: of a whole training; on many points a twenty-fifth of these
        peers: whom to compare with: jax or none
        sections: engines, ways, depth or several of them; ways needs jax
    """
    seeds = whole_number("seeds", seeds, at_least=LEAST_SEEDS)
    steps = whole_number("steps", steps, at_least=SHORT)
    if peers not in ("jax", "none"):
        raise ml.ConfigError(f"peers={peers!r} is unknown; choose from jax, none")
    chosen = chosen_of("sections", sections, SECTIONS)
    return Plan(partial(run, seeds, steps, peers == "jax", chosen))


def run(seeds: int, steps: int, jax_too: bool, sections: Sequence[str] = SECTIONS) -> int:
    """Train, compare, print a table a section. The exit status: 1 where a test says no."""
    status = 0
    if "engines" in sections:
        status |= shown("every point", by_engines(steps, seeds, jax_too), seeds, steps)
    if "ways" in sections and jax_too:
        status |= shown("optax", by_optax(steps, seeds), seeds, steps)
    if "depth" in sections:
        status |= shown("every point", of_depth(steps, seeds, jax_too), seeds, steps)
    return status


def by_engines(steps: int, seeds: int, jax_too: bool) -> list[tuple[list[str], float]]:
    """Rows for each engine, beside that of lanes on every point."""
    ways = {"every point": by_minilotto("lanes"), "as trained": by_minilotto("auto")}
    jax = by_jax() if jax_too else None
    if jax is not None:
        ways["JAX"] = jax
    rows = compared("SiLU, float32", ml.Config(steps=steps), WIDTHS, ways, seeds)
    ways = {"every point": by_minilotto("lanes"), "exact": by_minilotto("exact")}
    leaky = ml.Config(steps=steps, activation="leaky_relu", dtype="float64")
    rows += compared("LeakyReLU, float64", leaky, WIDTHS, ways, seeds)
    return rows + on_many_points(steps // SHORT, seeds)


def of_depth(steps: int, seeds: int, jax_too: bool) -> list[tuple[list[str], float]]:
    """Rows for two hidden layers, with the paper's five rates in that number of steps."""
    ways = {"every point": by_minilotto("lanes"), "as trained": by_minilotto("auto")}
    if jax_too and by_jax() is not None:
        from bench.depth import by_jax as peer_of

        def by_vmap(config: ml.Config, seeds: range) -> NDArray[np.float64]:
            work = Work(config, len(seeds), usable_cores(), seeds.start)
            peer = peer_of(work)
            peer.advance(config.steps)
            nets = Parameters(*peer.parameters())
            return losses(activation_of(config.activation), nets, work.data)

        ways["JAX"] = by_vmap
    config = ml.Config(steps=steps, depth=DEPTH["depth"], lr_decay_every=max(1, steps // 5))
    return compared("two hidden layers", config, (DEPTH["width"],), ways, seeds)


def shown(against: str, rows: list[tuple[list[str], float]], seeds: int, steps: int) -> int:
    """Print the table. 1 where a test says no."""
    if not rows:
        return 0
    least = ERRORS / len(rows)
    print(f"{seeds} seeds, {steps:,} steps; same: p above {least:.2g}\n")
    print(f"| | width | median | {against} | ratio of medians | Kolmogorov-Smirnov p | same |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for row, p in rows:
        print("| " + " | ".join([*row, f"{p:.2g}", "yes" if p > least else "NO"]) + " |")
    print(flush=True)
    return FAILURE if any(not p > least for _, p in rows) else 0


if __name__ == "__main__":
    sys.exit(run_command(plan, "bench.distributions"))
