"""Levenberg-Marquardt: `OPENBLAS_NUM_THREADS=1 python -m bench.second_order [--seeds 1000]`.

The nets of x^2 on the paper's grid, at once, beside scipy.optimize.least_squares with the analytic
Jacobian, net by net from the same seeds; and the losses beside those of Adam after 50,000 steps.
Times are the best of runs that take turns, of the clock and of all cores together; threads of BLAS
that wait count among the latter, hence the variable.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.command import run_command
from minilotto import ACTIVATIONS, Config, train
from minilotto.data.dataset import sampled
from minilotto.engines.choice import choose
from minilotto.engines.request import requested
from minilotto.hardware.machine import cpu_name, usable_cores
from minilotto.initialisation import Parameters, initial_parameters

WIDTHS = (10, 20, 50)
METHODS = ("lm", "trf")  # of SciPy


def ours(config: Config, start: Parameters, compress: bool) -> Callable[[], int]:
    """Trains all nets; returns the iterations of all together."""
    candidate, _ = choose(config, sampled(config), requested("cpu", "auto", compress))
    engine = candidate.make(usable_cores())

    def run() -> int:
        engine.start(start)
        reached = 0
        for stop in sorted({*engine.audits, config.steps}):
            engine.advance(reached, stop - reached)
            reached = stop
            if stop in engine.audits:
                engine.audit(stop)
        return config.steps * len(start.c)

    return run


def scipys(config: Config, start: Parameters, method: str) -> Callable[[], int]:
    """The same by SciPy, net by net, of as many trial steps at most."""
    from scipy.optimize import least_squares

    data, row, width = sampled(config), ACTIVATIONS[config.activation], config.width
    x, root = data.x[:, 0], np.sqrt(data.weight)

    def residuals(theta: NDArray[np.float64]) -> NDArray[np.float64]:
        w, b, v, c = np.split(theta, (width, 2 * width, 3 * width))
        return root * (row.value(np.outer(x, w) + b) @ v + c - data.y)

    def jacobian(theta: NDArray[np.float64]) -> NDArray[np.float64]:
        w, b, v, _ = np.split(theta, (width, 2 * width, 3 * width))
        z = np.outer(x, w) + b
        db = row.slope(z) * v
        columns = (db * x[:, None], db, row.value(z), np.ones((len(x), 1)))
        return root[:, None] * np.concatenate(columns, axis=1)

    starts = np.concatenate([start.w[:, :, 0], start.b, start.v, start.c[:, None]], axis=1)
    tolerances = dict.fromkeys(("ftol", "xtol", "gtol"), 1e-15)

    def run() -> int:
        return sum(
            least_squares(
                residuals, theta, jacobian, method=method, max_nfev=config.steps, **tolerances
            ).nfev
            for theta in starts
        )

    return run


def microseconds(runs: dict[str, Callable[[], int]], rounds: int) -> dict[str, NDArray[np.float64]]:
    """An iteration of one net, by the clock and in all cores, the best of interleaved rounds."""
    best = {name: np.full(2, np.inf) for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            began = time.perf_counter(), time.process_time()
            done = run()
            ended = time.perf_counter(), time.process_time()
            best[name] = np.fmin(best[name], np.subtract(ended, began) / done * 1e6)
    return best


def main(
    *, seeds: int = 1000, iterations: int = 300, peers: int = 3, rounds: int = 3, adam: int = 50_000
) -> None:
    """Print both tables. `peers`: nets that SciPy trains; `adam`: steps of Adam."""
    print(f"{cpu_name()}, {usable_cores()} threads; {seeds} nets, {iterations} iterations\n")
    print("| width | way | an iteration of one net (us) | CPU (us) | CPU of ours | all nets (s) |")
    print("|---:|---|---:|---:|---:|---:|")
    losses = []
    for width in WIDTHS:
        config = Config(width=width, steps=iterations, optimizer="lm", dtype="float64")
        start = initial_parameters(config, 1, np.arange(seeds))
        few = Parameters(*(array[:peers] for array in start))
        ways = {
            "minilotto, points": ours(config, start, compress=False),
            "minilotto, as trained": ours(config, start, compress=True),
        }
        for method in METHODS:
            if method != "lm" or 3 * width + 1 <= config.points:  # MINPACK's condition
                ways[f"SciPy, {method}"] = scipys(config, few, method)
        taken = microseconds(ways, rounds)
        for way, (clock, cpu) in taken.items():
            ratio = cpu / taken["minilotto, points"][1]
            whole = clock * 1e-6 * seeds * iterations
            print(f"| {width} | {way} | {clock:.3g} | {cpu:.3g} | {ratio:.3g} | {whole:.3g} |")
        first = train(Config(width=width, steps=adam), seeds=seeds, checkpoints=[]).loss
        second = train(config, seeds=seeds, checkpoints=[]).loss
        losses.append((width, np.median(first), np.median(second)))
    print(
        f"\n| width | median loss, {adam} steps of Adam | ours | quotient |\n|---:|---:|---:|---:|"
    )
    for width, slow, fast in losses:
        print(f"| {width} | {slow:.2g} | {fast:.2g} | {slow / fast:.2g} |")


if __name__ == "__main__":
    sys.exit(run_command(main, "bench.second_order"))
