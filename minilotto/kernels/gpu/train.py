"""Whole trainings on a GPU: some threads share a net, whose parameters and the optimiser's m and s
stay in registers from first step to last.

partition.py defines what each thread does. theta, m and s are (R, N (D + 2) + 1), a
neuron's w, b, v after one another and c last; `points` is one array: y and the loss formula's
factor times the weight (P, 2), then x (P, D), P a multiple of what the threads take at a time.

With batches a net draws its points from a table of that form before each step; see Draws. A table
of fresh points has those of all steps of a net, then those of the next.

Sums have an order that the Partition decides, whatever its splits, so a seed's bits depend on
neither neighbours nor block size. Fast-math is off; instructions.py names what is approximate.
"""

from collections.abc import Callable

import numpy as np
from numba import cuda, types

from minilotto.kernels.gpu import simulated
from minilotto.kernels.gpu.partition import WARP, Kind
from minilotto.kernels.gpu.primitives import (
    arguments_of,
    device,
    element,
    first_row,
    fma,
    neuron_step,
    place_of,
    residual,
    where,
    write_rows,
)
from minilotto.kernels.gpu.simulated import SIMULATED, bound, formulas_of, units_of
from minilotto.kernels.random import DRAWS, TWICE
from minilotto.kernels.updates import UPDATES, Coefficients

ALL_LANES = 0xFFFFFFFF
MOST_THREADS = 1024  # in a block


if SIMULATED:
    draws_of = simulated.draws_of

    @device
    def from_partner(value, offset):
        """The `value` of the thread whose number differs by the bit `offset`."""
        values = cuda.shared.array(MOST_THREADS, types.float64)
        cuda.syncthreads()
        values[cuda.threadIdx.x] = value
        cuda.syncthreads()
        return type(value)(values[cuda.threadIdx.x ^ offset])

else:
    from minilotto.kernels.gpu.instructions import draws_of

    @device
    def from_partner(value, offset):
        """The `value` of the thread whose number differs by the bit `offset`."""
        return cuda.shfl_xor_sync(ALL_LANES, value, offset)


@device
def draw(draws, net, seed, step, member, threads):
    """Write the rows that a net draws at a step, by all of its threads."""
    places, each = draws.places, 2 * DRAWS if draws.rows <= TWICE else DRAWS
    cuda.syncthreads()
    for block in range(member, (places.shape[1] + each - 1) // each, threads):
        one, two, three, four = draws_of(draws.keys[seed], draws.first + step, block)
        p = write_rows(places, net, block * each, draws, one)
        p = write_rows(places, net, p, draws, two)
        p = write_rows(places, net, p, draws, three)
        write_rows(places, net, p, draws, four)
    cuda.syncthreads()


# Called by both kernels, which pass constants for sizes, so that loops over these are unrolled. The
# simulator needs device functions and kernels in one module.
@device
def stage(points, table):
    """Copy the points to shared memory."""
    for k in range(cuda.threadIdx.x, points.size, cuda.blockDim.x):
        table[k] = points[k]
    cuda.syncthreads()


@device
def add_in_warp(f, batch, halvings):
    """Add each of f (batch,) over 2^halvings threads of a warp; all get the sums."""
    for halving in range(halvings):
        for j in range(batch):
            f[j] += from_partner(f[j], 1 << halving)


@device
def add_over_warps(f, exchange, half, warps, batch):
    """Add each of f (batch,) over the warps of a block; all threads get the sums.

    exchange: 2 * warps * batch numbers of shared memory, whose halves 0 and 1 serve in turns, so
    that one synchronisation a sum is enough.
    """
    thread, start = cuda.threadIdx.x, half * warps * batch
    if thread % WARP == 0:
        for j in range(batch):
            exchange[start + thread // WARP * batch + j] = f[j]
    cuda.syncthreads()
    for j in range(batch):
        f[j] = element(exchange, start + j)
        for warp in range(1, warps):
            f[j] += element(exchange, start + warp * batch + j)


@device
def add_batch(leaf, first, sizes, evaluate, loss, parameter, net, points, gradient, space, shared):
    """Add the gradient of the batch of points from `first` to one of a thread's leaves."""
    inputs, neurons, batch, warps, halvings, batched = sizes
    scaled, begin, number = net
    table, x, draws = points
    values, slopes, f, chosen = space
    stride = inputs + 2
    start, end = leaf * (neurons * stride + 1), leaf * (neurons * stride + 1) + neurons * stride
    for j in range(batch):
        f[j] = begin
        chosen[j] = draws.places[number, first + j] if batched else number + first + j
    for i in range(neurons):
        for j in range(batch):
            t = scaled[i * stride + inputs]
            for d in range(inputs):
                t = fma(scaled[i * stride + d], element(table, x + chosen[j] * inputs + d), t)
            value, slope = evaluate(t, parameter)
            f[j] = fma(scaled[i * stride + inputs + 1], value, f[j])
            values[i * batch + j] = value
            slopes[i * batch + j] = slope
    add_in_warp(f, batch, halvings)
    if warps > 1:
        exchange, turn = shared
        add_over_warps(f, exchange, (turn + first // batch) & 1, warps, batch)
    for j in range(batch):
        r = residual(loss, f[j], table, chosen[j])
        gradient[end] += r
        for d in range(inputs):
            rx = r * element(table, x + chosen[j] * inputs + d)
            for i in range(neurons):
                at = start + i * stride + d
                gradient[at] = fma(slopes[i * batch + j], rx, gradient[at])
        for i in range(neurons):
            at = start + i * stride + inputs
            gradient[at] = fma(slopes[i * batch + j], r, gradient[at])
            gradient[at + 1] = fma(values[i * batch + j], r, gradient[at + 1])


@device
def add_round(leaves, first, batches, split, splits, batch, *more):
    """Add a batch to each of a thread's leaves, as far as there are batches. No loop, since that
    would keep the leaves in memory.
    """
    add_batch(0, (first + split) * batch, *more)
    if leaves > 1 and first + splits < batches:
        add_batch(1, (first + splits + split) * batch, *more)
    if leaves > 2 and first + 2 * splits < batches:
        add_batch(2, (first + 2 * splits + split) * batch, *more)
    if leaves > 2 and first + 3 * splits < batches:
        add_batch(3, (first + 3 * splits + split) * batch, *more)
    if leaves > 4 and first + 4 * splits < batches:
        add_batch(4, (first + 4 * splits + split) * batch, *more)
    if leaves > 4 and first + 5 * splits < batches:
        add_batch(5, (first + 5 * splits + split) * batch, *more)
    if leaves > 4 and first + 6 * splits < batches:
        add_batch(6, (first + 6 * splits + split) * batch, *more)
    if leaves > 4 and first + 7 * splits < batches:
        add_batch(7, (first + 7 * splits + split) * batch, *more)


@device
def share(sums, factors, split, splittings, size, slots):
    """Add the sums of all splits, those with the highest bit first. Each is left with a share of
    `size` at the front, of the factors too.
    """
    for splitting in range(splittings - 1, -1, -1):
        upper, half = (split >> splitting & 1) != 0, size << splitting
        for e in range(half):
            given = from_partner(where(upper, sums[e], sums[half + e]), slots << splitting)
            sums[e] = where(upper, sums[half + e], sums[e]) + given
            factors[e] = where(upper, factors[half + e], factors[e])


@device
def gather(every, split, splittings, size, slots):
    """Write the shares of all splits, of which this one's is at the front."""
    for splitting in range(splittings):
        upper, half = (split >> splitting & 1) != 0, size << splitting
        for e in range(half):
            mine, other = every[e], from_partner(every[e], slots << splitting)
            every[e] = where(upper, other, mine)
            every[half + e] = where(upper, mine, other)


# What is in capitals is known when a kernel is compiled. Kernels are kept on disk under what they
# refer to: KEY, so that an edited formula is a new kernel, and no function that holds an intrinsic,
# since these have another name in each process.
def resident(kind: Kind, key: tuple[int, int]) -> Callable:
    """A training whose nets stay in registers."""
    activation, dtype, inputs, partition, staged, optimizer, loss, batched, whole = kind
    real, (ZERO, INWARD, OUTWARD) = getattr(types, dtype), units_of(activation, dtype)
    evaluate, loss_formula = formulas_of(activation, loss)
    update, ONE = bound(UPDATES[optimizer]), np.dtype(dtype).type(1.0)
    INPUTS, STRIDE, STAGED, KEY = inputs, inputs + 2, staged, key
    NEURONS, SLOTS, SPLITS = partition.neurons, partition.slots, partition.splits
    BATCH, THREADS, WARPS = partition.batch, partition.threads, partition.warps
    LEAVES, OWN_LEAVES = partition.leaves, partition.leaves // partition.splits
    HALVINGS, BATCHED, WHOLE = (min(SLOTS, WARP) - 1).bit_length(), batched, whole
    MERGINGS, SPLITTINGS = OWN_LEAVES.bit_length() - 1, SPLITS.bit_length() - 1
    HELD, SUMS, KEPT = NEURONS * STRIDE, NEURONS * STRIDE + 1, NEURONS * BATCH
    SHARE = -(-SUMS // SPLITS)  # of the parameters, which a split updates
    EVERY, EXCHANGED = SHARE * SPLITS, 2 * WARPS * BATCH if WARPS > 1 else 1
    ALL_SUMS = max(SUMS * OWN_LEAVES, EVERY)

    def train(
        parameter, width, theta, theta_m, theta_s, scratch, points, batches, draws, rates, constants
    ):
        KEY  # noqa: B018
        own = cuda.local.array(SHARE, real)
        m = cuda.local.array(SHARE, real)
        s = cuda.local.array(SHARE, real)
        every = cuda.local.array(EVERY, real)
        factors = cuda.local.array(EVERY, real)
        scaled = cuda.local.array(HELD, real)
        gradient = cuda.local.array(ALL_SUMS, real)
        values = cuda.local.array(KEPT, real)
        slopes = cuda.local.array(KEPT, real)
        f = cuda.local.array(BATCH, real)
        chosen = cuda.local.array(BATCH, types.int64)
        exchange = cuda.shared.array(EXCHANGED, real)
        thread = cuda.threadIdx.x
        table = points
        if STAGED:
            table = cuda.shared.array(0, real)
            stage(points, table)

        # Threads beyond the last net train it too, unwritten, so that whole warps exchange values.
        number = cuda.blockIdx.x * (cuda.blockDim.x // THREADS) + thread // THREADS
        net = min(number, theta.shape[0] - 1)
        member = thread % THREADS
        neuron, split = (member % SLOTS) * NEURONS, member // SLOTS if SPLITS > 1 else 0
        end = width * STRIDE
        for k in range(SHARE):
            at = place_of(split * SHARE + k, neuron, end, STRIDE, HELD)
            own[k] = theta[net, at] if at <= end else ZERO
            m[k] = theta_m[net, at] if at <= end else ZERO
            s[k] = theta_s[net, at] if at <= end else ZERO
        x = points.size // STRIDE * 2

        for step in range(rates.shape[1]):
            rule = Coefficients(rates[0, step], rates[1, step], rates[2, step], *constants)
            for k in range(SHARE):
                every[k] = own[k]
            gather(every, split, SPLITTINGS, SHARE, SLOTS)
            for i in range(NEURONS):
                held, v = WHOLE or neuron + i < width, every[i * STRIDE + INPUTS + 1]
                for e in range(STRIDE):
                    inward, k = e <= INPUTS, i * STRIDE + e
                    scaled[k] = every[k] * (INWARD if inward else OUTWARD) if held else ZERO
                    factors[k] = v if inward else OUTWARD
            for k in range(HELD, EVERY):
                factors[k] = ONE
            for e in range(ALL_SUMS):
                gradient[e] = ZERO
            begin = every[HELD] if member % SLOTS == 0 else ZERO
            if BATCHED:
                draw(draws, number, net, step, member, THREADS)
            sizes = INPUTS, NEURONS, BATCH, WARPS, HALVINGS, BATCHED
            row = number if BATCHED else first_row(STAGED, net, step, rates, draws)
            net_and_points = (scaled, begin, row), (table, x, draws)
            space = gradient, (values, slopes, f, chosen), (exchange, step * batches)
            more = (sizes, evaluate, loss_formula, parameter) + net_and_points + space
            for first in range(0, batches, LEAVES):
                add_round(OWN_LEAVES, first, batches, split, SPLITS, BATCH, *more)
            # The tree: leaves of one thread, then threads, those with the highest bit first.
            for merging in range(MERGINGS - 1, -1, -1):
                for e in range(SUMS << merging):
                    gradient[e] += gradient[(SUMS << merging) + e]
            share(gradient, factors, split, SPLITTINGS, SHARE, SLOTS)
            for k in range(SHARE):
                own[k], m[k], s[k] = update(own[k], m[k], s[k], gradient[k] * factors[k], rule)

        if number < theta.shape[0]:
            for k in range(SHARE):
                at = place_of(split * SHARE + k, neuron, end, STRIDE, HELD)
                if at < end or (at == end and member % SLOTS == 0):
                    theta[net, at], theta_m[net, at], theta_s[net, at] = own[k], m[k], s[k]

    return train


def streamed(kind: Kind, key: tuple[int, int]) -> Callable:
    """A training of nets too large for registers: a block a net, whose state and gradient
    (`scratch`) stay in memory.
    """
    activation, dtype, inputs, partition, staged, optimizer, loss, batched, _ = kind
    real, (ZERO, INWARD, OUTWARD) = getattr(types, dtype), units_of(activation, dtype)
    evaluate, loss_formula = formulas_of(activation, loss)
    update, step_neuron = bound(UPDATES[optimizer]), neuron_step(inputs, OUTWARD, optimizer)
    INPUTS, STRIDE, STAGED, BATCHED, KEY = inputs, inputs + 2, staged, batched, key
    BATCH, THREADS, WARPS = partition.batch, partition.threads, partition.warps
    HALVINGS, EXCHANGED = WARP.bit_length() - 1, 2 * WARPS * BATCH

    def train(
        parameter, width, theta, theta_m, theta_s, scratch, points, batches, draws, rates, constants
    ):
        KEY  # noqa: B018
        t = cuda.local.array(BATCH, real)
        f = cuda.local.array(BATCH, real)
        chosen = cuda.local.array(BATCH, types.int64)
        r = cuda.local.array(BATCH, real)
        slopes = cuda.local.array(BATCH, real)
        exchange = cuda.shared.array(EXCHANGED, real)
        thread, net, end = cuda.threadIdx.x, cuda.blockIdx.x, width * STRIDE
        table = points
        if STAGED:
            table = cuda.shared.array(0, real)
            stage(points, table)
        own, m, s, gradient = theta[net], theta_m[net], theta_s[net], scratch[net]
        c, mc, sc = own[end], m[end], s[end]
        half, x = 0, points.size // STRIDE * 2
        for step in range(rates.shape[1]):
            rule = Coefficients(rates[0, step], rates[1, step], rates[2, step], *constants)
            dc = ZERO
            if BATCHED:
                draw(draws, net, net, step, thread, THREADS)
            row = first_row(STAGED, net, step, rates, draws)
            for base in range(0, batches * BATCH, BATCH):
                for j in range(BATCH):
                    f[j] = ZERO
                    chosen[j] = draws.places[net, base + j] if BATCHED else row + base + j
                for i in range(thread, width, THREADS):
                    at = i * STRIDE
                    arguments_of(own, at, INWARD, table, x, chosen, INPUTS, BATCH, t)
                    v = element(own, at + INPUTS + 1) * OUTWARD
                    for j in range(BATCH):
                        value, slope = evaluate(t[j], parameter)
                        f[j] = fma(v, value, f[j])
                add_in_warp(f, BATCH, HALVINGS)
                add_over_warps(f, exchange, half, WARPS, BATCH)
                half = 1 - half
                for j in range(BATCH):
                    r[j] = residual(loss_formula, f[j] + c, table, chosen[j])
                    dc += r[j]
                for i in range(thread, width, THREADS):
                    at = i * STRIDE
                    arguments_of(own, at, INWARD, table, x, chosen, INPUTS, BATCH, t)
                    db = gradient[at + INPUTS] if base > 0 else ZERO
                    dv = gradient[at + INPUTS + 1] if base > 0 else ZERO
                    for j in range(BATCH):
                        value, slope = evaluate(t[j], parameter)
                        slopes[j] = slope * r[j]
                        db += slopes[j]
                        dv = fma(value, r[j], dv)
                    gradient[at + INPUTS] = db
                    gradient[at + INPUTS + 1] = dv
                    for d in range(INPUTS):
                        dw = gradient[at + d] if base > 0 else ZERO
                        for j in range(BATCH):
                            dw = fma(slopes[j], element(table, x + chosen[j] * INPUTS + d), dw)
                        gradient[at + d] = dw
            for i in range(thread, width, THREADS):
                step_neuron(own, m, s, gradient, i * STRIDE, rule)
            c, mc, sc = update(c, mc, sc, dc, rule)
        if thread == 0:
            own[end], m[end], s[end] = c, mc, sc

    return train
