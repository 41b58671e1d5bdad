"""Losses and audits of nets where a GPU holds them, in float64 whatever their precision.

A block, of one warp at most, evaluates a net. Its threads share the points, and sums are added in
the order of one tree, so that a net's result depends on that net alone.

An audit compares a net's loss and gradient on two sets of points. It is one sum over both, where
the weights of one set are negative, in units of bounds of the absolute terms.
"""

from collections.abc import Callable

import numpy as np
from numba import cuda, types

from minilotto.kernels.formulas import LOSS_FORMULAS, bounds_of_slopes
from minilotto.kernels.gpu.partition import WARP, Evaluation
from minilotto.kernels.gpu.primitives import device, element, fma
from minilotto.kernels.gpu.simulated import formulas_of, units_of


@device
def read(own, at):
    """A parameter, in float64."""
    return types.float64(element(own, at))


@device
def argument(own, at, inward, points, x, inputs):
    """The activation's argument of the neuron at `at`, at the point whose inputs begin at x."""
    t = read(own, at + inputs) * inward
    for d in range(inputs):
        t = fma(read(own, at + d) * inward, element(points, x + d), t)
    return t


@device
def bound_of_output(own, at, reach, inputs):
    """A bound of the neuron's |sigma| over all points, as |sigma(z)| <= |z| + 1."""
    bound = abs(read(own, at + inputs)) + 1.0
    for d in range(inputs):
        bound += abs(read(own, at + d)) * reach[d]
    return bound


@device
def add_over_threads(sums, space, count):
    """Add each of sums (count,) over the threads of a block; all get the sums."""
    thread, apart = cuda.threadIdx.x, 1
    while apart < cuda.blockDim.x:
        cuda.syncthreads()
        for e in range(count):
            space[e * WARP + thread] = sums[e]
        cuda.syncthreads()
        for e in range(count):
            sums[e] += space[e * WARP + (thread ^ apart)]
        apart *= 2


@device
def larger(worst, difference, bound, tiny):
    """The larger of `worst` and difference / bound; NaN where either is."""
    ratio = abs(difference) / (bound + tiny)
    return ratio if ratio > worst or ratio != ratio else worst


def evaluation(kind: Evaluation, key: tuple[int, int]) -> Callable:
    """The loss plus `offset` of each net on weighted points or, of audits, its largest difference:
    results (R,).

    theta is as in train.py, and points too, in float64 and with weights as they are. Audits also
    need the largest |x|, reach (D,), the root of the mean square of y, `size`, and a number of
    dynamic shared memory for each point.
    """
    activation, _, inputs, loss, audit = kind
    evaluate, loss_formula = formulas_of(activation, loss)
    _, INWARD, OUTWARD = units_of(activation, "float64")
    INPUTS, STRIDE, AUDIT, KEY = inputs, inputs + 2, audit, key
    SUMS = inputs + 2 if audit else 2
    FACTOR, TINY = LOSS_FORMULAS[loss].factor, float(np.finfo(np.float64).tiny)
    SPACE = WARP * SUMS

    def run(parameter, width, theta, points, offset, reach, size, results):
        KEY  # noqa: B018
        net, thread, end = cuda.blockIdx.x, cuda.threadIdx.x, width * STRIDE
        own, count, threads = theta[net], points.size // STRIDE, cuda.blockDim.x
        sums = cuda.local.array(SUMS, types.float64)
        space = cuda.shared.array(SPACE, types.float64)
        residuals = cuda.shared.array(0, types.float64)
        sums[0], sums[1] = 0.0, 0.0
        for p in range(thread, count, threads):
            f = read(own, end)
            for at in range(0, end, STRIDE):
                t = argument(own, at, INWARD, points, 2 * count + p * INPUTS, INPUTS)
                value, slope = evaluate(t, parameter)
                f = fma(read(own, at + INPUTS + 1) * OUTWARD, value, f)
            value, slope = loss_formula(f, element(points, 2 * p))
            sums[0] = fma(value, element(points, 2 * p + 1), sums[0])
            sums[1] = fma(slope, element(points, 2 * p + 1), sums[1])
            if AUDIT:
                residuals[p] = slope * element(points, 2 * p + 1)  # each thread reads its own alone
        add_over_threads(sums, space, 2)
        result = sums[0] + offset
        if AUDIT:
            bound = abs(read(own, end)) + size
            for at in range(0, end, STRIDE):
                bound += abs(read(own, at + INPUTS + 1)) * bound_of_output(own, at, reach, INPUTS)
            worst = larger(0.0, result, bound * bound, TINY)
            worst = larger(worst, FACTOR * sums[1], 2.0 * bound, TINY)
            for at in range(0, end, STRIDE):
                for e in range(SUMS):
                    sums[e] = 0.0
                for p in range(thread, count, threads):
                    x = 2 * count + p * INPUTS
                    value, slope = evaluate(argument(own, at, INWARD, points, x, INPUTS), parameter)
                    for d in range(INPUTS):
                        sums[d] = fma(
                            slope * element(residuals, p), element(points, x + d), sums[d]
                        )
                    sums[INPUTS] = fma(slope, element(residuals, p), sums[INPUTS])
                    sums[INPUTS + 1] = fma(value, element(residuals, p), sums[INPUTS + 1])
                add_over_threads(sums, space, SUMS)
                v, hidden = abs(read(own, at + INPUTS + 1)), bound_of_output(own, at, reach, INPUTS)
                dh, dv = bounds_of_slopes(bound, v, hidden)
                dz = 2.0 * dh  # |sigma'| <= 2
                for d in range(INPUTS):
                    worst = larger(worst, FACTOR * v * sums[d], dz * reach[d], TINY)
                worst = larger(worst, FACTOR * v * sums[INPUTS], dz, TINY)
                worst = larger(worst, FACTOR * OUTWARD * sums[INPUTS + 1], dv, TINY)
            result = worst
        if thread == 0:
            results[net] = result

    return run
