"""How the time of a step grows with points and neurons: `python -m bench.axes [--out axes.png] [--quick]`.

Prints microseconds a step and net, and draws them on logarithmic axes: what `train` chooses, minilotto's engines on every point,
and JAX (the fastest form of `jax_peer.py`) where it is installed and a step takes it less than a second.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from minilotto.config import Config
from minilotto.dataset import Dataset, given
from minilotto.engines.choice import candidates, choose
from minilotto.engines.interface import Engine
from minilotto.initial import initial_parameters
from minilotto.machine import cpu_name, usable_cores

POINTS = (100, 1000, 10_000, 100_000, 1_000_000)
WIDTHS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
WIDTH = 20  # along the axis of points
REPEATS = 5
SLOWEST_STEP = 1.0  # seconds; slower than this, a way is left out from here on


def noisy_square(points: int) -> Dataset:
    """Uniform x on [-2, 2], y = x^2 with noise of standard deviation 0.1."""
    random = np.random.default_rng(points)
    x = random.uniform(-2, 2, points)
    return given(x, x * x + 0.1 * random.normal(size=points))


def microseconds(engine: Engine, nets: int, wanted: float) -> float:
    """Of one step of one net: the least of some stretches of about `wanted` seconds."""
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

        peer = self.make(Work(Config(width=width, points=points), nets, usable_cores()), "points", True)
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


def measure(ways: dict[str, Callable[[int], float]], places: tuple[int, ...], nets: Callable[[int], int]) -> dict[str, Curve]:
    """{way: {place: microseconds a step and net}} along one axis, place by place, leaving out what has become too slow."""
    curves: dict[str, Curve] = {name: {} for name in ways}
    for place in places:
        for name, way in ways.items():
            before = curves[name]
            if before and max(before.values()) * nets(place) * 1e-6 * (place / max(before)) > SLOWEST_STEP:
                continue
            before[place] = way(place)
            print(f"{name}, {place}: {before[place]:.3g} us", file=sys.stderr, flush=True)
    return curves


def engine_named(config: Config, data: Dataset, name: str) -> Engine:
    """One of the engines that could train this."""
    return next(c for c in candidates(config, data, True) if c.name == name).make(usable_cores())


def chosen(config: Config, data: Dataset) -> Engine:
    """What `train` would take."""
    return choose(config, data, "auto", True)[0].make(usable_cores())


def axis_of_points(wanted: float, jax: JaxSteps | None) -> dict[str, Curve]:
    """Width 20: SiLU in float32 and LeakyReLU in float64, each as chosen and on every point."""
    silu, leaky = Config(width=WIDTH), Config(width=WIDTH, activation="leaky_relu", dtype="float64")
    ways: dict[str, Callable[[int], float]] = {
        "SiLU, as trained": lambda p: microseconds(chosen(silu, noisy_square(p)), 64, wanted),
        "SiLU, every point": lambda p: microseconds(engine_named(silu, noisy_square(p), "lanes"), 64, wanted),
        "LeakyReLU, as trained": lambda p: microseconds(chosen(leaky, noisy_square(p)), 64, wanted),
        "LeakyReLU, every point": lambda p: microseconds(engine_named(leaky, noisy_square(p), "lanes"), 64, wanted),
    }
    if jax is not None:
        ways["SiLU, JAX"] = lambda p: jax.microseconds(WIDTH, p, 64, wanted)
    return measure(ways, POINTS, lambda p: 64)


def axis_of_neurons(wanted: float, jax: JaxSteps | None) -> dict[str, Curve]:
    """SiLU in float32 on the paper's grid of 100; as many seeds as make 2000 neurons, at least one."""

    def nets(width: int) -> int:
        return max(1, 2000 // width)

    data = noisy_square(100)
    ways: dict[str, Callable[[int], float]] = {
        "SiLU, as trained": lambda n: microseconds(chosen(Config(width=n), data), nets(n), wanted),
        "SiLU, every point, lane = seed": lambda n: microseconds(engine_named(Config(width=n), data, "lanes"), nets(n), wanted),
        "SiLU, every point, lane = neuron": lambda n: microseconds(engine_named(Config(width=n), data, "wide"), nets(n), wanted),
    }
    if jax is not None:
        ways["SiLU, JAX"] = lambda n: jax.microseconds(n, 100, nets(n), wanted)
    return measure(ways, WIDTHS, nets)


def table(title: str, curves: dict[str, Curve], places: tuple[int, ...]) -> str:
    """Markdown: a row a way, a column a place."""
    rows = [[title, *(f"{place:,}" for place in places)]]
    rows += [[name, *(f"{curve[p]:.3g}" if p in curve else "" for p in places)] for name, curve in curves.items()]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---|" + "---:|" * len(places), *lines[1:]])


def draw(points: dict[str, Curve], neurons: dict[str, Curve], path: Path) -> None:
    """Both axes side by side, to a .png, .svg or .pdf."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    colours = ("#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#666666")
    for ax, curves, label in ((left, points, f"training points P (width {WIDTH})"), (right, neurons, "width N (100 points)")):
        for (name, curve), colour, marker in zip(curves.items(), colours, "osD^v", strict=False):
            ax.loglog(list(curve), list(curve.values()), marker=marker, color=colour, label=name, linewidth=1.5, markersize=4)
        ax.set_xlabel(label)
        ax.legend(frameon=False, fontsize=8)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.2)
    left.set_ylabel("microseconds a step and net")
    figure.savefig(path, dpi=150)


def main(*, out: str = "", quick: bool = False) -> None:
    """Time along both axes, print two tables, and draw them where `out` names a picture."""
    wanted = 0.05 if quick else 0.3
    try:
        jax = JaxSteps()
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed and is left out", file=sys.stderr)
        jax = None
    points, neurons = axis_of_points(wanted, jax), axis_of_neurons(wanted, jax)
    print(f"Microseconds a step and net; {cpu_name()}, {usable_cores()} threads\n")
    print(table("points", points, POINTS) + "\n")
    print(table("width", neurons, WIDTHS))
    if out:
        draw(points, neurons, Path(out))


if __name__ == "__main__":
    import fire

    fire.Fire(main)
