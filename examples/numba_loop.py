"""A net that is trained inside a time loop, as a surrogate for an expensive function.

Run `python examples/numba_loop.py [picture.png]`. It solves nonlinear diffusion,
u_t = (k(u) u_x)_x, whose conductivity k(u) is expensive: the solution of an equation, by iteration.
A net of four neurons approximates it. Each time step computes the exact conductivity at two faces
only, takes an Adam step on the last 64 samples, and evaluates the net at all faces. Everything runs
in one compiled function that allocates nothing.
"""

import sys
import time

import numpy as np
from matplotlib.figure import Figure
from numba import njit

from minilotto.kernels import single

CELLS, STEPS, SAMPLES, WIDTH = 200, 5000, 64, 4
TANH = single.form("tanh")


@njit(nogil=True)
def exact_conductivity(u):
    """k with k = 0.05 + u^2 / (1 + 4 k), by fixed-point iteration with damping."""
    k = 0.5
    for _ in range(300):
        k += 0.1 * (0.05 + u * u / (1.0 + 4.0 * k) - k)
    return k


@njit(nogil=True)
def diffuse(u, k, courant):
    """One explicit step with conductivities k at the faces and no flux at the boundaries."""
    before = 0.0
    for i in range(k.size):
        flow = courant * k[i] * (u[i + 1] - u[i])
        u[i] += flow - before
        before = flow
    u[-1] -= before


@njit(nogil=True)
def run_exact(u, k, courant, steps):
    for _ in range(steps):
        for i in range(k.size):
            k[i] = exact_conductivity(0.5 * (u[i] + u[i + 1]))
        diffuse(u, k, courant)


@njit(nogil=True)
def run_with_net(u, k, courant, steps, theta, moments, at, exact, weight, gradient, scratch, faces):
    done = 2000  # Adam steps on the first samples
    single.train_net(
        TANH, theta, moments, at, exact, weight, 0, done, 1e-2, single.ADAM, gradient, scratch
    )
    for step in range(steps):
        for i in range(k.size):
            faces[i] = 0.5 * (u[i] + u[i + 1])
        for new in range(2):
            slot = (2 * step + new) % exact.size
            at[slot] = faces[(37 * step + 101 * new) % k.size]
            exact[slot] = exact_conductivity(at[slot])
        single.train_net(
            TANH, theta, moments, at, exact, weight, done, 1, 1e-3, single.ADAM, gradient, scratch
        )
        done += 1
        single.outputs(TANH, theta, faces, k)
        diffuse(u, k, courant)


def main(picture="numba_loop.png"):
    start = np.where(np.abs(np.linspace(0, 1, CELLS) - 0.4) < 0.15, 1.0, 0.05)
    courant = 0.9  # times k, which is at most 0.4, it stays below 1/2
    at = np.linspace(0, 1, SAMPLES)
    exact = np.array([exact_conductivity(u) for u in at])
    theta = np.random.default_rng(0).uniform(-1, 1, 3 * WIDTH + 1)
    moments, gradient = np.zeros((2, theta.size)), np.empty(theta.size)
    scratch, weight = np.empty(single.scratch_size(TANH, WIDTH)), np.full(SAMPLES, 1 / SAMPLES)
    k, faces = np.empty(CELLS - 1), np.empty(CELLS - 1)
    reference, learned = start.copy(), start.copy()
    net = (theta, moments, at, exact, weight, gradient, scratch, faces)

    run_exact(reference.copy(), k, courant, 1)  # compiles
    run_with_net(learned.copy(), k, courant, 0, *(array.copy() for array in net))
    seconds = []
    for function, u, extra in ((run_exact, reference, ()), (run_with_net, learned, net)):
        began = time.perf_counter()
        function(u, k, courant, STEPS, *extra)
        seconds.append(time.perf_counter() - began)
    print(f"exact conductivity: {seconds[0]:.2f} s; net trained in the loop: {seconds[1]:.2f} s")
    print(f"largest difference of u at the end: {np.abs(learned - reference).max():.1e}")

    figure = Figure(figsize=(8, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(start, color="0.7", label="start")
    left.plot(reference, "k", label="exact k")
    left.plot(learned, "C1--", label="net")
    left.set(xlabel="cell", ylabel="u")
    left.legend(frameon=False)
    u = np.linspace(0, 1, 101)
    right.plot(u, [exact_conductivity(at) for at in u], "k")
    right.plot(u, [single.forward(TANH, theta, at) for at in u], "C1--")
    right.set(xlabel="u", ylabel="k(u)")
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
