"""Whole trainings on a GPU: a team of threads a net, parameters and Adam's moments in registers
from first step to last.

team.py says who does what. theta, first and second are (R, N * (D + 2) + 1), a neuron's w, b, v
after one another and c last; `points` is one array: x (P, D), then y (P,), then twice the weights
(P,), P a multiple of what a team takes at a time.

Sums over neurons and points have an order that the Team alone decides, so a seed's bits depend on
neither neighbours nor block size. Fast-math stays off. What is approximate, in float32 only, is
here by name: 2^t, quotients and square roots come from the special function unit, whose relative
errors are about 2^-22 or less (NVIDIA's PTX manual), like those of the CPU's polynomials.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numba import cuda, types
from numba.core import event

from minilotto.kernels import formulas, simd
from minilotto.kernels.compile import sources_digest, warn_of_no_cache
from minilotto.kernels.formulas import FORMULAS
from minilotto.kernels.gpu import simulated
from minilotto.kernels.gpu.partition import WARP, Team
from minilotto.kernels.ptx import special_function

SIMULATED = bool(numba.config.ENABLE_CUDASIM)
ALL_LANES = 0xFFFFFFFF
MOST_THREADS = 1024  # in a block
REGISTER_FILE, MOST_REGISTERS = 65536, 255  # of a processor, of a thread


if SIMULATED:
    adam_update, fma = simulated.uncompiled(formulas.adam_update), simulated.PRIMITIVES["fma"]

    @cuda.jit(device=True)
    def from_partner(value, offset):
        """The `value` of the thread whose number differs by the bit `offset`."""
        values = cuda.shared.array(MOST_THREADS, types.float64)
        cuda.syncthreads()
        values[cuda.threadIdx.x] = value
        cuda.syncthreads()
        return type(value)(values[cuda.threadIdx.x ^ offset])

    def element(array, offset):
        """array[offset], for an offset of at least 0."""
        return array[offset]

else:
    from numba.cuda.extending import intrinsic, overload

    adam_update, fma = formulas.adam_update, simd.fma

    @cuda.jit(device=True, forceinline=True)
    def from_partner(value, offset):
        """The `value` of the thread whose number differs by the bit `offset`."""
        return cuda.shfl_xor_sync(ALL_LANES, value, offset)

    @intrinsic
    def element(typingctx, array, offset):
        """array[offset], for an offset of at least 0: Numba's own indexing would ask each time."""
        if not (
            isinstance(array, types.Array) and array.ndim == 1 and isinstance(offset, types.Integer)
        ):
            return None

        def codegen(context, builder, signature, arguments):
            data = context.make_array(array)(context, builder, arguments[0]).data
            return builder.load(builder.gep(data, [arguments[1]], inbounds=True))

        return array.dtype(array, types.intp), codegen

    def _special(name):
        @intrinsic
        def function(typingctx, t):
            if t != types.float32:
                return None

            def codegen(context, builder, signature, arguments):
                return builder.call(special_function(name), arguments)

            return t(t), codegen

        return function

    power_of_two, reciprocal, square_root = _special("ex2"), _special("rcp"), _special("sqrt")

    @overload(formulas.exp2)
    def _exp2(t):
        return (lambda t: power_of_two(t)) if t == types.float32 else None

    @overload(formulas.falling_logistic)
    def _falling_logistic(t):
        return (
            (lambda t: reciprocal(np.float32(1.0) + power_of_two(t)))
            if t == types.float32
            else None
        )

    @overload(formulas.quotient)
    def _quotient(a, b):
        return (lambda a, b: a * reciprocal(b)) if a == b == types.float32 else None

    @overload(formulas.root)
    def _root(a):
        return (lambda a: square_root(a)) if a == types.float32 else None


def signature(dtype: str) -> tuple[Any, ...]:
    """The types of a training kernel's arguments."""
    real = getattr(types, dtype)
    nets, numbers = real[:, ::1], real[::1]
    adam = (types.float64, types.float64, types.float64)
    return (
        types.float64,
        types.int64,
        nets,
        nets,
        nets,
        nets,
        numbers,
        types.int64,
        numbers,
        numbers,
        *adam,
    )


def training_function(
    activation: str, dtype: str, inputs: int, team: Team, staged: bool
) -> Callable:
    """What training_kernel compiles."""
    return (_streamed if team.streamed else _resident)(activation, dtype, inputs, team, staged)


@lru_cache(maxsize=256)
def training_kernel(activation: str, dtype: str, inputs: int, team: Team, staged: bool) -> Any:
    """The kernel for nets of these sizes; `staged`: the points fit shared memory.

    Compiled for the current GPU, unless an earlier process has and the cache kept it.
    """
    function = training_function(activation, dtype, inputs, team, staged)
    if SIMULATED:
        return cuda.jit(function)
    with event.trigger_event("numba:compile"):
        try:
            return cuda.jit(signature(dtype), cache=True, **limits(team))(function)
        except (RuntimeError, OSError):  # no folder can be written to, or its disk is full
            warn_of_no_cache()
            return cuda.jit(signature(dtype), **limits(team))(function)


def limits(team: Team) -> dict[str, int]:
    """Options that make a block of the team's size fit the 65536 registers of a processor."""
    return (
        {"max_registers": REGISTER_FILE // team.threads}
        if team.threads > REGISTER_FILE // MOST_REGISTERS
        else {}
    )


def _evaluate(activation: str) -> Callable:
    evaluate = FORMULAS[activation].evaluate
    return simulated.uncompiled(evaluate) if SIMULATED else evaluate


def _resident(activation: str, dtype: str, inputs: int, team: Team, staged: bool) -> Callable:
    """A training whose nets stay in registers. What is in capitals is known when it is compiled, so
    that loops over it vanish.
    """
    real = getattr(types, dtype)
    evaluate = _evaluate(activation)
    ZERO, INWARD, OUTWARD = (np.dtype(dtype).type(value) for value in _units(activation))
    INPUTS, STRIDE, NEURONS, SLOTS, SPLITS, BATCH = (
        inputs,
        inputs + 2,
        team.neurons,
        team.slots,
        team.splits,
        team.batch,
    )
    TEAM, WARPS, STAGED = team.threads, team.warps, staged
    HALVINGS, SPLITTINGS = (math.ceil(math.log2(min(SLOTS, WARP))), int(math.log2(SPLITS)))
    SOURCES = int(sources_digest(), 16)
    HELD, KEPT = NEURONS * STRIDE, NEURONS * BATCH
    MEETINGS = 2 * WARPS * BATCH if WARPS > 1 else 1

    def train(
        parameter,
        width,
        theta,
        first,
        second,
        scratch,
        points,
        padded,
        rates,
        corrections,
        beta1,
        beta2,
        epsilon,
    ):
        SOURCES  # noqa: B018 - a part of the key under which the kernel is kept on disk: an edited formula is a new kernel
        own = cuda.local.array(HELD, real)
        m = cuda.local.array(HELD, real)
        s = cuda.local.array(HELD, real)
        scaled = cuda.local.array(HELD, real)
        gradient = cuda.local.array(HELD, real)
        values = cuda.local.array(KEPT, real)
        slopes = cuda.local.array(KEPT, real)
        f = cuda.local.array(BATCH, real)
        met = cuda.shared.array(MEETINGS, real)
        thread = cuda.threadIdx.x
        table = points
        if STAGED:
            table = cuda.shared.array(0, real)
            for k in range(thread, points.size, cuda.blockDim.x):
                table[k] = points[k]
            cuda.syncthreads()

        # Threads beyond the last net train it too, without a word, so that whole warps exchange
        # values.
        number = cuda.blockIdx.x * (cuda.blockDim.x // TEAM) + thread // TEAM
        net = min(number, theta.shape[0] - 1)
        member = thread % TEAM
        neuron = (member % SLOTS) * NEURONS
        start = (member // SLOTS) * (padded // SPLITS)
        end = width * STRIDE
        for i in range(NEURONS):
            for e in range(STRIDE):
                at = (neuron + i) * STRIDE + e
                own[i * STRIDE + e] = theta[net, at] if at < end else ZERO
                m[i * STRIDE + e] = first[net, at] if at < end else ZERO
                s[i * STRIDE + e] = second[net, at] if at < end else ZERO
        c, mc, sc = theta[net, end], first[net, end], second[net, end]
        parity = 0

        for step in range(rates.size):
            for i in range(NEURONS):
                for e in range(STRIDE):
                    unit = INWARD if e <= INPUTS else OUTWARD
                    scaled[i * STRIDE + e] = own[i * STRIDE + e] * unit
                    gradient[i * STRIDE + e] = ZERO
            dc = ZERO
            for base in range(start, start + padded // SPLITS, BATCH):
                for j in range(BATCH):
                    f[j] = ZERO
                for i in range(NEURONS):
                    for j in range(BATCH):
                        t = scaled[i * STRIDE + INPUTS]
                        for d in range(INPUTS):
                            t = fma(
                                scaled[i * STRIDE + d], element(table, (base + j) * INPUTS + d), t
                            )
                        value, slope = evaluate(t, parameter)
                        f[j] = fma(scaled[i * STRIDE + INPUTS + 1], value, f[j])
                        values[i * BATCH + j] = value
                        slopes[i * BATCH + j] = slope
                for halving in range(HALVINGS):
                    for j in range(BATCH):
                        f[j] += from_partner(f[j], 1 << halving)
                if WARPS > 1:
                    if thread % WARP == 0:
                        for j in range(BATCH):
                            met[(parity * WARPS + thread // WARP) * BATCH + j] = f[j]
                    cuda.syncthreads()
                    for j in range(BATCH):
                        f[j] = met[parity * WARPS * BATCH + j]
                    for warp in range(1, WARPS):
                        for j in range(BATCH):
                            f[j] += met[(parity * WARPS + warp) * BATCH + j]
                    parity = 1 - parity
                for j in range(BATCH):
                    p = base + j
                    r = (f[j] + c - element(table, padded * INPUTS + p)) * element(
                        table, padded * (INPUTS + 1) + p
                    )
                    dc += r
                    for d in range(INPUTS):
                        rx = r * element(table, p * INPUTS + d)
                        for i in range(NEURONS):
                            gradient[i * STRIDE + d] = fma(
                                slopes[i * BATCH + j], rx, gradient[i * STRIDE + d]
                            )
                    for i in range(NEURONS):
                        at = i * STRIDE + INPUTS
                        gradient[at] = fma(slopes[i * BATCH + j], r, gradient[at])
                        gradient[at + 1] = fma(values[i * BATCH + j], r, gradient[at + 1])
            for splitting in range(SPLITTINGS):
                for e in range(HELD):
                    gradient[e] += from_partner(gradient[e], SLOTS << splitting)
                dc += from_partner(dc, SLOTS << splitting)

            for i in range(NEURONS):
                if neuron + i < width:
                    v = own[i * STRIDE + INPUTS + 1]
                    for e in range(STRIDE):
                        at = i * STRIDE + e
                        g = gradient[at] * (v if e <= INPUTS else OUTWARD)
                        own[at], m[at], s[at] = adam_update(
                            own[at],
                            m[at],
                            s[at],
                            g,
                            rates[step],
                            corrections[step],
                            beta1,
                            beta2,
                            epsilon,
                        )
            c, mc, sc = adam_update(
                c, mc, sc, dc, rates[step], corrections[step], beta1, beta2, epsilon
            )

        if number < theta.shape[0] and member < SLOTS:
            for i in range(NEURONS):
                for e in range(STRIDE):
                    at = (neuron + i) * STRIDE + e
                    if at < end:
                        theta[net, at] = own[i * STRIDE + e]
                        first[net, at] = m[i * STRIDE + e]
                        second[net, at] = s[i * STRIDE + e]
            if member == 0:
                theta[net, end], first[net, end], second[net, end] = c, mc, sc

    return train


def _streamed(activation: str, dtype: str, inputs: int, team: Team, staged: bool) -> Callable:
    """A training of nets too large for registers: a block a net, whose state and gradient
    (`scratch`) stay in memory.
    """
    real = getattr(types, dtype)
    evaluate = _evaluate(activation)
    ZERO, INWARD, OUTWARD = (np.dtype(dtype).type(value) for value in _units(activation))
    INPUTS, STRIDE, BATCH, TEAM, WARPS, STAGED = (
        inputs,
        inputs + 2,
        team.batch,
        team.threads,
        team.warps,
        staged,
    )
    SOURCES, HALVINGS = int(sources_digest(), 16), int(math.log2(WARP))
    MEETINGS = 2 * WARPS * BATCH

    def train(
        parameter,
        width,
        theta,
        first,
        second,
        scratch,
        points,
        padded,
        rates,
        corrections,
        beta1,
        beta2,
        epsilon,
    ):
        SOURCES  # noqa: B018 - as above
        t = cuda.local.array(BATCH, real)
        f = cuda.local.array(BATCH, real)
        r = cuda.local.array(BATCH, real)
        slopes = cuda.local.array(BATCH, real)
        met = cuda.shared.array(MEETINGS, real)
        thread, net, end = cuda.threadIdx.x, cuda.blockIdx.x, width * STRIDE
        table = points
        if STAGED:
            table = cuda.shared.array(0, real)
            for k in range(thread, points.size, TEAM):
                table[k] = points[k]
            cuda.syncthreads()
        own, m, s, gradient = theta[net], first[net], second[net], scratch[net]
        c, mc, sc = own[end], m[end], s[end]
        parity = 0
        for step in range(rates.size):
            dc = ZERO
            for base in range(0, padded, BATCH):
                for j in range(BATCH):
                    f[j] = ZERO
                for i in range(thread, width, TEAM):
                    at = i * STRIDE
                    for j in range(BATCH):
                        t[j] = element(own, at + INPUTS) * INWARD
                    for d in range(INPUTS):
                        w = element(own, at + d) * INWARD
                        for j in range(BATCH):
                            t[j] = fma(w, element(table, (base + j) * INPUTS + d), t[j])
                    v = element(own, at + INPUTS + 1) * OUTWARD
                    for j in range(BATCH):
                        value, slope = evaluate(t[j], parameter)
                        f[j] = fma(v, value, f[j])
                for halving in range(HALVINGS):
                    for j in range(BATCH):
                        f[j] += from_partner(f[j], 1 << halving)
                if thread % WARP == 0:
                    for j in range(BATCH):
                        met[(parity * WARPS + thread // WARP) * BATCH + j] = f[j]
                cuda.syncthreads()
                for j in range(BATCH):
                    total = met[parity * WARPS * BATCH + j]
                    for warp in range(1, WARPS):
                        total += met[(parity * WARPS + warp) * BATCH + j]
                    p = base + j
                    r[j] = (total + c - element(table, padded * INPUTS + p)) * element(
                        table, padded * (INPUTS + 1) + p
                    )
                    dc += r[j]
                parity = 1 - parity
                for i in range(thread, width, TEAM):
                    at = i * STRIDE
                    for j in range(BATCH):
                        t[j] = element(own, at + INPUTS) * INWARD
                    for d in range(INPUTS):
                        w = element(own, at + d) * INWARD
                        for j in range(BATCH):
                            t[j] = fma(w, element(table, (base + j) * INPUTS + d), t[j])
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
                            dw = fma(slopes[j], element(table, (base + j) * INPUTS + d), dw)
                        gradient[at + d] = dw
            for i in range(thread, width, TEAM):
                v = own[i * STRIDE + INPUTS + 1]
                for e in range(STRIDE):
                    at = i * STRIDE + e
                    g = gradient[at] * (v if e <= INPUTS else OUTWARD)
                    own[at], m[at], s[at] = adam_update(
                        own[at],
                        m[at],
                        s[at],
                        g,
                        rates[step],
                        corrections[step],
                        beta1,
                        beta2,
                        epsilon,
                    )
            c, mc, sc = adam_update(
                c, mc, sc, dc, rates[step], corrections[step], beta1, beta2, epsilon
            )
        if thread == 0:
            own[end], m[end], s[end] = c, mc, sc

    return train


def _units(activation: str) -> tuple[float, float, float]:
    formula = FORMULAS[activation]
    return 0.0, 1.0 / formula.input_unit, formula.output_unit
