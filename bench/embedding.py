"""What it costs to use minilotto inside other codes: `python -m bench.embedding`.

Each line is a ratio of least times, of short bursts taken in turns in one process, with its bound.
Status 1 where one is missed.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import integrate, ndimage

import minilotto as ml
from bench.command import run_command
from minilotto.engines.packing import workspace_size
from minilotto.kernels import seed_parallel, single
from minilotto.kernels.forms import Form
from minilotto.kernels.spec import Spec
from minilotto.kernels.structures import Nets, Points, Schedule, Scratch

POINTS, ROUNDS, WANTED = (
    100,
    150,
    0.002,
)  # seconds a burst, short beside what other programs take at a time
MOST_OF_OWN_TIME, LEAST_SPEEDUP = 1.1, 20.0


@njit(nogil=True)
def users_loop(form, thetas, x, y, weight, losses, gradients, scratch):
    """What a user writes around one net after the other."""
    for net in range(thetas.shape[0]):
        losses[net] = single.loss_and_gradient(
            form, thetas[net], x, y, weight, gradients[net], scratch
        )


@njit(nogil=True)
def users_training(form, theta, moments, x, y, weight, steps, gradient, scratch):
    """What a user writes who wants something between gradient and step."""
    for step in range(steps):
        loss = single.loss_and_gradient(form, theta, x, y, weight, gradient, scratch)
        single.adam_step(form, theta, moments, gradient, step, 1e-6, single.ADAM)
    return loss


@dataclass(frozen=True)
class Line:
    """One ratio, with its bound and what a call takes in either way."""

    what: str
    first: float
    second: float
    ratio: float
    bound: str
    kept: bool


def ratio(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float, float]:
    """Minimum seconds of each, and their ratio, in turns after both have been compiled."""
    functions, counts = (first, second), []
    for function in functions:
        function()
        began = time.perf_counter()
        function()
        counts.append(max(1, int(WANTED / (time.perf_counter() - began))))
    seconds = np.empty((ROUNDS, 2))
    for r in range(ROUNDS):
        for which in (r % 2, 1 - r % 2):
            began = time.perf_counter()
            for _ in range(counts[which]):
                functions[which]()
            seconds[r, which] = (time.perf_counter() - began) / counts[which]
    least = seconds.min(axis=0)
    return float(least[0]), float(least[1]), float(least[0] / least[1])


def gradients(width: int, dtype: str) -> list[Line]:
    """A user's loops against our own, and against the engine's kernel with one lane."""
    rng, nets, form = np.random.default_rng(0), 64, single.form("silu", 1, dtype)
    thetas = rng.normal(size=(nets, 3 * width + 1)).astype(dtype)
    x = np.linspace(-2, 2, POINTS, dtype=dtype)[:, None]
    y, weight = x[:, 0] ** 2, np.full(POINTS, 1 / POINTS, dtype)
    losses, slopes = np.empty(nets, dtype), np.empty_like(thetas)
    scratch = np.empty(single.scratch_size(form, width), dtype)
    loop = (form, thetas, x, y, weight, losses, slopes, scratch)
    spec = Spec("silu", dtype, 1, 1)
    theta = thetas[:1].copy()
    scratch_of_lane = Scratch(
        np.empty_like(theta), np.empty((1, workspace_size(spec, width)), dtype)
    )
    lane = (
        Form(spec, 0.0),
        width,
        Nets(theta, np.zeros_like(theta), np.zeros_like(theta)),
        Points(x.ravel(), y, 2 * weight),
        Schedule(
            *(np.full(nets, 1e-6),) * 2,
            np.ones(nets),
            *single.ADAM,
            single.MOMENTUM,
            single.WEIGHT_DECAY,
            flush=False,
        ),
        scratch_of_lane,
        0,
        1,
    )
    moments = np.zeros((2, thetas.shape[1]), dtype)
    data = (x, y, weight)

    def own_training() -> None:
        single.train_net(
            form, thetas[0], moments, *data, 0, nets, 1e-6, single.ADAM, slopes[0], scratch
        )

    def their_training() -> None:
        users_training(form, thetas[0], moments, *data, nets, slopes[0], scratch)

    def users_gradients() -> None:
        users_loop(*loop)

    lines, most = [], MOST_OF_OWN_TIME
    for what, first, second in (
        (
            "a user's loop over gradients / our own loop",
            users_gradients,
            lambda: single.losses_and_gradients(*loop),
        ),
        ("a user's gradient and Adam step / train_net", their_training, own_training),
        (
            "a user's gradient and Adam step / the engine's kernel, one lane",
            their_training,
            lambda: seed_parallel.train_blocks(*lane),
        ),
    ):
        a, b, r = ratio(first, second)
        lines.append(
            Line(
                f"{what}; width {width}, {dtype}",
                a / nets,
                b / nets,
                r,
                f"at most {most}",
                r <= most,
            )
        )
    return lines


def callbacks(width: int) -> list[Line]:
    """scipy calling compiled nets against scipy calling a Python function of NumPy arrays."""
    net = ml.train(ml.Config(width=width, steps=200), seeds=1)
    w, b, v, c = (np.asarray(array[0], dtype=np.float64) for array in net.parameters)

    def python_net(x):
        z = w @ x + b
        return v @ (z / (1 + np.exp(-z))) + c

    column = w[:, 0]

    def python_net_of_number(x):
        z = column * x + b
        return v @ (z / (1 + np.exp(-z))) + c

    def quad(function):
        return integrate.quad(function, -20, 20, epsabs=1e-12, epsrel=1e-12, limit=200)

    line = np.random.default_rng(0).uniform(-2, 2, 4000)
    compiled, filtering = net.to_scipy(), net.to_scipy("filter")
    lines = []
    for what, slow, fast in (
        ("quad", lambda: quad(python_net_of_number), lambda: quad(compiled)),
        (
            "ndimage",
            lambda: ndimage.generic_filter(line, python_net, 1),
            lambda: ndimage.generic_filter(line, filtering, 1),
        ),
    ):
        a, b_seconds, r = ratio(slow, fast)
        what = f"{what} calling a Python function / calling to_scipy(); width {width}"
        lines.append(
            Line(what, a, b_seconds, r, f"at least {LEAST_SPEEDUP:.0f}", r >= LEAST_SPEEDUP)
        )
    return lines


def main() -> int:
    """Print the lines. Exit status: 0, or 1 where a bound is missed."""
    lines = [
        line
        for dtype in ("float64", "float32")
        for width in (2, 20)
        for line in gradients(width, dtype)
    ]
    lines += callbacks(20)
    for line in lines:
        verdict = "" if line.kept else "  MISSED"
        print(
            f"{line.what:94s} {line.first * 1e6:9.2f} us {line.second * 1e6:9.2f} us "
            f"{line.ratio:7.2f}, {line.bound}{verdict}"
        )
    return int(not all(line.kept for line in lines))


if __name__ == "__main__":
    sys.exit(run_command(main, "bench.embedding"))
