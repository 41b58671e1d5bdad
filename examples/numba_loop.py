"""A net that learns inside a time step. `python examples/numba_loop.py [picture.png]`

Nonlinear diffusion, u_t = (k(u) u_x)_x, whose conductivity k(u) is costly: here an equation that is
solved by iteration. A net of four neurons stands in for it. Each time step asks the costly law at
two faces only, takes an Adam step on the last 64 answers, and evaluates the net at all faces.
Everything runs in one compiled function that allocates nothing.
"""

import sys
import time

import numpy as np
from matplotlib.figure import Figure
from numba import njit

from minilotto.kernels import single

CELLS, STEPS, ANSWERS, WIDTH = 200, 5000, 64, 4
TANH = single.form("tanh")


@njit(nogil=True)
def costly_conductivity(u):
    """k with k = 0.05 + u^2 / (1 + 4 k), by fixed-point iteration with damping."""
    k = 0.5
    for _ in range(300):
        k += 0.1 * (0.05 + u * u / (1.0 + 4.0 * k) - k)
    return k


@njit(nogil=True)
def diffuse(u, k, courant):
    """One explicit step with conductivities k at the faces; nothing flows through the ends."""
    before = 0.0
    for i in range(k.size):
        flow = courant * k[i] * (u[i + 1] - u[i])
        u[i] += flow - before
        before = flow
    u[-1] -= before


@njit(nogil=True)
def run_costly(u, k, courant, steps):
    for _ in range(steps):
        for i in range(k.size):
            k[i] = costly_conductivity(0.5 * (u[i] + u[i + 1]))
        diffuse(u, k, courant)


@njit(nogil=True)
def run_with_net(
    u, k, courant, steps, theta, moments, asked, answers, weight, gradient, scratch, faces
):
    done = 2000  # Adam steps on the first answers
    single.train_net(
        TANH, theta, moments, asked, answers, weight, 0, done, 1e-2, single.ADAM, gradient, scratch
    )
    for step in range(steps):
        for i in range(k.size):
            faces[i] = 0.5 * (u[i] + u[i + 1])
        for ask in range(2):
            slot = (2 * step + ask) % answers.size
            asked[slot] = faces[(37 * step + 101 * ask) % k.size]
            answers[slot] = costly_conductivity(asked[slot])
        single.train_net(
            TANH,
            theta,
            moments,
            asked,
            answers,
            weight,
            done,
            1,
            1e-3,
            single.ADAM,
            gradient,
            scratch,
        )
        done += 1
        single.outputs(TANH, theta, faces, k)
        diffuse(u, k, courant)


def main(picture="numba_loop.png"):
    start = np.where(np.abs(np.linspace(0, 1, CELLS) - 0.4) < 0.15, 1.0, 0.05)
    courant = 0.9  # times k, at most 0.4, stays below 1/2
    asked = np.linspace(0, 1, ANSWERS)
    answers = np.array([costly_conductivity(u) for u in asked])
    theta = np.random.default_rng(0).uniform(-1, 1, 3 * WIDTH + 1)
    moments, gradient = np.zeros((2, theta.size)), np.empty(theta.size)
    scratch, weight = np.empty(single.scratch_size(TANH, WIDTH)), np.full(ANSWERS, 1 / ANSWERS)
    k, faces, costly, learned = np.empty(CELLS - 1), np.empty(CELLS - 1), start.copy(), start.copy()
    net = (theta, moments, asked, answers, weight, gradient, scratch, faces)

    run_costly(costly.copy(), k, courant, 1)  # compiles
    run_with_net(learned.copy(), k, courant, 0, *(array.copy() for array in net))
    seconds = []
    for function, u, extra in ((run_costly, costly, ()), (run_with_net, learned, net)):
        began = time.perf_counter()
        function(u, k, courant, STEPS, *extra)
        seconds.append(time.perf_counter() - began)
    print(f"costly law everywhere: {seconds[0]:.2f} s; learned while running: {seconds[1]:.2f} s")
    print(f"largest difference of u at the end: {np.abs(learned - costly).max():.1e}")

    figure = Figure(figsize=(8, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(start, color="0.7", label="start")
    left.plot(costly, "k", label="costly law")
    left.plot(learned, "C1--", label="net")
    left.set(xlabel="cell", ylabel="u")
    left.legend(frameon=False)
    u = np.linspace(0, 1, 101)
    right.plot(u, [costly_conductivity(at) for at in u], "k")
    right.plot(u, [single.forward(TANH, theta, at) for at in u], "C1--")
    right.set(xlabel="u", ylabel="k(u)")
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
