"""How the time of a step grows with points, neurons and inputs: `python -m bench.axes
[--only=points] [--out axes.png] [--quick]`.

Prints microseconds a step and net, and draws them on logarithmic axes: what `train` chooses,
minilotto's engines on every point, and JAX (the fastest form of `jax_peer.py`) where it is
installed and a step takes it less than a second. Of what `train` chooses, whole trainings are
timed, as networks that have settled take other times than young ones.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from bench.command import Plan, chosen_of, run_command
from minilotto.cli.arguments import FileName
from minilotto.data.dataset import Dataset, given, sampled
from minilotto.engines.choice import candidates, choose
from minilotto.engines.interface import Engine
from minilotto.engines.request import Request
from minilotto.errors import ConfigError, MissingExtraError
from minilotto.files import check_output
from minilotto.hardware.machine import cpu_name, usable_cores
from minilotto.initialisation import initial_parameters
from minilotto.settings.config import Config

AXES = ("points", "width", "inputs")
POINTS = (100, 1000, 10_000, 100_000, 1_000_000)
WIDTHS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
INPUTS = (1, 2, 3, 5, 8, 16, 64)
WIDTH = 20  # along the axes of points and inputs
NETS = 64  # whose steps are timed along these axes
TRAINED = 256  # and whose trainings are: enough for those with equally many nodes to fill vectors
REPEATS = 5
MANY_STEPS = 10**7  # of a config whose step is timed: more than are taken
SLOWEST_STEP = 1.0  # seconds; slower than this, a way is left out from here on


def noisy_square(points: int) -> Dataset:
    """Uniform x on [-2, 2], y = x^2 with noise of standard deviation 0.1."""
    random = np.random.default_rng(points)
    x = random.uniform(-2, 2, points)
    return given(x, x * x + 0.1 * random.normal(size=points))


def microseconds(engine: Engine, nets: int, wanted: float) -> float:
    """Of one step of one net: the minimum over chunks of about `wanted` seconds."""
    engine.start(initial_parameters(engine.config, engine.data.inputs, np.arange(nets)))
    engine.advance(0, 1)
    done, steps, best = 1, 1, np.inf
    for _ in range(40):
        began = time.perf_counter()
        engine.advance(done, steps)
        took, done = time.perf_counter() - began, done + steps
        if took >= wanted / 2:
            break
        steps = max(steps + 1, round(steps * min(8, wanted / max(took, 1e-6))))
    for _ in range(REPEATS):
        began = time.perf_counter()
        engine.advance(done, steps)
        best, done = min(best, (time.perf_counter() - began) / steps / nets), done + steps
    return best * 1e6


def seconds_of_training(engine: Engine, nets: int) -> float:
    """From fresh networks to the config's last step, audits and repeated steps included."""
    engine.start(initial_parameters(engine.config, engine.data.inputs, np.arange(nets)))
    began, done = time.perf_counter(), 0
    for stop in sorted({*engine.audits, engine.config.steps}):
        engine.advance(done, stop - done)
        done = stop
        if stop in engine.audits:
            engine.audit(stop)
    return time.perf_counter() - began


class JaxSteps:
    """Times JAX's fastest form at one width on the paper's grid of so many points."""

    def __init__(self) -> None:
        from bench.__main__ import prepare_process

        prepare_process(usable_cores())  # before JAX is imported
        from bench.jax_peer import Jax, prepare

        prepare(usable_cores())
        self.make = Jax

    def microseconds(self, width: int, points: int, nets: int, wanted: float) -> float:
        from bench.work import Work

        peer = self.make(
            Work(Config(width=width, points=points), nets, usable_cores()), "points", True
        )
        peer.start()
        peer.advance(1)
        began = time.perf_counter()
        peer.advance(1)
        steps = max(1, round(wanted / (time.perf_counter() - began)))
        best = np.inf
        for _ in range(REPEATS):
            began = time.perf_counter()
            peer.advance(steps)
            best = min(best, (time.perf_counter() - began) / steps / nets)
        return best * 1e6


Curve = dict[int, float]


def measure(
    ways: dict[str, Callable[[int], float]], places: tuple[int, ...], nets: Callable[[int], int]
) -> dict[str, Curve]:
    """{way: {place: time, in microseconds a step and net}} along one axis, place by place, leaving
    out what is too slow.
    """
    curves: dict[str, Curve] = {name: {} for name in ways}
    for place in places:
        for name, way in ways.items():
            before = curves[name]
            if (
                before
                and max(before.values()) * nets(place) * 1e-6 * (place / max(before)) > SLOWEST_STEP
            ):
                continue
            before[place] = way(place)
            print(f"{name}, {place}: {before[place]:.3g}", file=sys.stderr, flush=True)
    return curves


def engine_named(config: Config, data: Dataset, name: str, threads: int | None = None) -> Engine:
    """One of the engines that could train this, for more steps than are timed."""
    config = config.replace(steps=MANY_STEPS)
    return candidates(config, data, Request())[name].make(threads or usable_cores())


def chosen(config: Config, data: Dataset) -> Engine:
    """What `train` would take."""
    return choose(config, data, Request())[0].make(usable_cores())


SILU, LEAKY = Config(width=WIDTH), Config(width=WIDTH, activation="leaky_relu", dtype="float64")


def warm(config: Config, data: Dataset) -> Engine:
    """What `train` would take, once its kernels are compiled."""
    engine = chosen(config, data)
    engine.start(initial_parameters(config, data.inputs, np.arange(NETS)))
    engine.advance(0, 1)
    return engine


def as_trained(config: Config, data: Dataset, nets: int) -> float:
    """Microseconds a step and net of a whole training."""
    return seconds_of_training(warm(config, data), nets) / config.steps / nets * 1e6


def axis_of_points(wanted: float, steps: int, jax: JaxSteps | None) -> dict[str, Curve]:
    """Width 20: SiLU in float32 and LeakyReLU in float64, each as trained from start to end, and by
    a step on every point.
    """
    silu, leaky = SILU.replace(steps=steps), LEAKY.replace(steps=steps)
    ways: dict[str, Callable[[int], float]] = {
        "SiLU, as trained": lambda p: as_trained(silu, noisy_square(p), TRAINED),
        "SiLU, every point": lambda p: microseconds(
            engine_named(SILU, noisy_square(p), "lanes"), NETS, wanted
        ),
        "LeakyReLU, as trained": lambda p: as_trained(leaky, noisy_square(p), TRAINED),
        "LeakyReLU, every point": lambda p: microseconds(
            engine_named(LEAKY, noisy_square(p), "lanes"), NETS, wanted
        ),
    }
    if jax is not None:
        ways["SiLU, JAX"] = lambda p: jax.microseconds(WIDTH, p, NETS, wanted)
    return measure(ways, POINTS, lambda p: NETS)


def few_and_many(steps: int) -> list[list[str]]:
    """Rows: whole trainings on the fewest and on the most points, in turns, and the median and
    range of their ratios.
    """
    few, many = POINTS[0], POINTS[-1]
    rows = [
        [
            "as trained",
            f"set-up, {many:,} points",
            f"{few:,} points",
            f"{many:,} points",
            "ratio",
            "least",
            "most",
        ]
    ]
    for name, config in (
        ("SiLU", SILU.replace(steps=steps)),
        ("LeakyReLU", LEAKY.replace(steps=steps)),
    ):
        data, began = noisy_square(many), time.perf_counter()
        chosen(config, data)
        took = time.perf_counter() - began
        engines = [warm(config, points) for points in (data, noisy_square(few))]
        rounds = np.array(
            [[seconds_of_training(engine, TRAINED) for engine in engines] for _ in range(REPEATS)]
        )
        ratios, (slow, fast) = rounds[:, 0] / rounds[:, 1], np.median(rounds, axis=0)
        numbers = [fast, slow, np.median(ratios), ratios.min(), ratios.max()]
        rows.append(
            [
                name,
                f"{took:.2f} s",
                *(f"{number:.3g}{' s' if i < 2 else ''}" for i, number in enumerate(numbers)),
            ]
        )
    return rows


def axis_of_inputs(wanted: float) -> dict[str, Curve]:
    """Nanoseconds of a unit of SiLU, one core, by the engine that gives each seed a lane: targets
    of so many inputs.
    """

    def unit(inputs: int, dtype: str) -> float:
        x = np.random.default_rng(inputs).uniform(-2, 2, (100, inputs))
        engine = engine_named(
            Config(width=WIDTH, dtype=dtype), given(x, np.sin(x.sum(axis=1))), "lanes", threads=1
        )
        return microseconds(engine, NETS, wanted) / WIDTH / 100 * 1e3

    return measure(
        {dtype: lambda d, dtype=dtype: unit(d, dtype) for dtype in ("float32", "float64")},
        INPUTS,
        lambda d: NETS,
    )


def axis_of_neurons(wanted: float, steps: int, jax: JaxSteps | None) -> dict[str, Curve]:
    """SiLU in float32 on the paper's grid of 100, 2000 neurons in all, at least one seed."""

    def nets(width: int) -> int:
        return max(1, 2000 // width)

    data = sampled(SILU)
    ways: dict[str, Callable[[int], float]] = {
        "SiLU, as trained": lambda n: as_trained(Config(width=n, steps=steps), data, nets(n)),
        "SiLU, every point, lane = seed": lambda n: microseconds(
            engine_named(Config(width=n), data, "lanes"), nets(n), wanted
        ),
        "SiLU, every point, lane = neuron": lambda n: microseconds(
            engine_named(Config(width=n), data, "wide"), nets(n), wanted
        ),
    }
    if jax is not None:
        ways["SiLU, JAX"] = lambda n: jax.microseconds(n, 100, nets(n), wanted)
    return measure(ways, WIDTHS, nets)


def table(title: str, curves: dict[str, Curve], places: tuple[int, ...]) -> str:
    """Markdown: a row a way, a column a place."""
    rows = [[title, *(f"{place:,}" for place in places)]]
    return markdown(
        [
            *rows,
            *(
                [name, *(f"{curve[p]:.3g}" if p in curve else "" for p in places)]
                for name, curve in curves.items()
            ),
        ]
    )


def markdown(rows: list[list[str]]) -> str:
    """A table with a title row."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---|" + "---:|" * (len(rows[0]) - 1), *lines[1:]])


LOOKS = {
    "SiLU, as trained": ("#0072B2", "o"),
    "SiLU, every point": ("#56B4E9", "s"),
    "SiLU, every point, lane = seed": ("#56B4E9", "s"),
    "SiLU, every point, lane = neuron": ("#009E73", "P"),
    "SiLU, JAX": ("#666666", "v"),
    "LeakyReLU, as trained": ("#D55E00", "D"),
    "LeakyReLU, every point": ("#E69F00", "^"),
}


def draw(points: dict[str, Curve], neurons: dict[str, Curve], path: Path) -> None:
    """Both axes side by side, to a .png, .svg or .pdf."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for ax, curves, label in (
        (left, points, f"training points P (width {WIDTH})"),
        (right, neurons, "width N (100 points)"),
    ):
        for name, curve in curves.items():
            colour, marker = LOOKS[name]
            ax.loglog(
                list(curve),
                list(curve.values()),
                marker=marker,
                color=colour,
                label=name,
                linewidth=1.5,
                markersize=4,
            )
        ax.set_xlabel(label)
        ax.legend(frameon=False, fontsize=8)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.2)
    left.set_ylabel("microseconds a step and net")
    figure.savefig(path, dpi=150)


def plan(
    *,
    only: list[str] | None = None,
    out: FileName | None = None,
    quick: bool = False,
    force: bool = False,
) -> Plan:
    """Time along axes, as tables and a picture.

    Args:
        only: which axes: points,width,inputs (default all)
        out: a picture of points and width
        quick: shorter measurements and trainings
        force: overwrite a picture that exists
    """
    from minilotto.report.training import SUFFIXES

    axes = list(chosen_of("only", only, AXES))
    if out is not None and not {"points", "width"} <= set(axes):
        raise ConfigError(f"out={out!r} cannot be drawn; measure points and width for it")
    path = None if out is None else check_output(out, SUFFIXES, force)
    return Plan(partial(run, axes, path, quick))


def run(axes: list[str], out: Path | None, quick: bool) -> int:
    """Measure, print tables, draw."""
    wanted, steps = (0.05, 5000) if quick else (0.3, SILU.steps)
    jax = None
    if axes != ["inputs"]:
        try:
            jax = JaxSteps()
        except MissingExtraError as error:
            print(f"JAX is left out: {error}", file=sys.stderr)
    print(f"{cpu_name()}, {usable_cores()} threads\n")
    if "points" in axes:
        points = axis_of_points(wanted, steps, jax)
        title = f"Microseconds a step and net of width {WIDTH}; as trained: over {steps:,} steps"
        print(f"{title}\n\n{table('points', points, POINTS)}\n")
        print(
            f"{steps:,} steps of {TRAINED} nets of width {WIDTH}, in "
            f"turns\n\n{markdown(few_and_many(steps))}\n"
        )
    if "width" in axes:
        neurons = axis_of_neurons(wanted, steps, jax)
        title = f"Microseconds a step and net on 100 points; as trained: over {steps:,} steps"
        print(f"{title}\n\n{table('width', neurons, WIDTHS)}\n")
    if "inputs" in axes:
        print(
            "Nanoseconds a unit of SiLU, on one "
            f"core\n\n{table('inputs', axis_of_inputs(wanted), INPUTS)}\n"
        )
    if out:
        draw(points, neurons, out)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(plan, "bench.axes"))
