"""What kernels for GPUs are written in, on hardware and in Numba's simulator, and functions of one
thread that need not know its number.

The simulator finds a thread's number only in functions of its kernel's own module.
"""

from collections.abc import Callable
from typing import Any

from numba import cuda

from minilotto.kernels import simd
from minilotto.kernels.gpu import simulated
from minilotto.kernels.gpu.simulated import SIMULATED, bound
from minilotto.kernels.random import TWICE
from minilotto.kernels.updates import UPDATES

if SIMULATED:
    fma, where = (simulated.PRIMITIVES[name] for name in ("fma", "where"))
    device = cuda.jit(device=True)

    def element(array, offset):
        """array[offset], for an offset of at least 0."""
        return array[offset]

else:
    from minilotto.kernels.gpu.instructions import element

    fma, where = simd.fma, simd.where
    device = cuda.jit(device=True, forceinline=True)


@device
def write_rows(places, net, p, draws, word):
    """Write what one word draws, at places p and perhaps p + 1, and return the next place."""
    for _ in range(2 if draws.rows <= TWICE else 1):
        if p < places.shape[1]:
            word *= draws.rows
            places[net, p] = word >> 32 if p < draws.size else draws.rows
            word &= 0xFFFFFFFF
        p += 1
    return p


@device
def first_row(staged, net, step, rates, draws):
    """Where the points of a net at a step begin."""
    return 0 if staged else (net * rates.shape[1] + step) * draws.rows


@device
def arguments_of(theta, at, inward, table, x, chosen, inputs, batch, t):
    """Write the activation's arguments of the neuron at `at`, at the points `chosen` (batch,)."""
    for j in range(batch):
        t[j] = element(theta, at + inputs) * inward
    for d in range(inputs):
        w = element(theta, at + d) * inward
        for j in range(batch):
            t[j] = fma(w, element(table, x + chosen[j] * inputs + d), t[j])


@device
def residual(loss, f, table, p):
    """The slope of the loss at point p, times its weight."""
    _, slope = loss(f, element(table, 2 * p))
    return slope * element(table, 2 * p + 1)


@device
def place_of(k, neuron, end, stride, held):
    """Where the k-th parameter of a thread is in its net, whose c is at `end`; beyond: nowhere."""
    at = neuron * stride + k
    return end if k == held else at if k < held and at < end else end + 1


def neuron_step(inputs: int, outward: Any, optimizer: str) -> Callable:
    update = bound(UPDATES[optimizer])

    @device
    def step_neuron(theta, m, s, gradient, at, k):
        """One step of the neuron at `at`, whose gradient lacks the factors v and `outward`."""
        v = theta[at + inputs + 1]
        for i in range(at, at + inputs + 2):
            g = gradient[i] * (v if i <= at + inputs else outward)
            theta[i], m[i], s[i] = update(theta[i], m[i], s[i], g, k)

    return step_neuron
