"""The training kernel's cost in vector FMAs, on one thread.

Clocks differ and drift; the time of one independent native-width vector FMA in the same instant
drifts with them. A kernel is measured between two such measurements, so that what is reported is a
property of the kernel and the core, not of the weather. Everything here runs in the calling thread
and is timed by that thread's CPU clock, which stands still while others have the core.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.speed import Spread, seconds, steps_for
from bench.work import Minilotto, Work
from minilotto.kernels.compile import kernel
from minilotto.kernels.formulas import value_and_slope
from minilotto.kernels.simd import fma, lane_count
from minilotto.kernels.spec import Spec, lanes_of, load, store
from minilotto.settings.activations import ACTIVATIONS
from minilotto.settings.config import Config

# two FMAs a cycle of four cycles' latency need eight; with two constants they fit sixteen registers
ACCUMULATORS = 12
BLOCKS = 4  # of lanes, for a kernel measurement: its state stays in cache
TIMED_FMAS = 4_000_000
KERNEL_SECONDS = 0.02
DTYPES = ("float32", "float64")
WIDTH_FOR_ALL = 20  # where the other activations are measured
DEEP = ((10, 2), (10, 4), (30, 2))  # width and depth
ACTIVATIONS_AT_ONCE, ACTIVATION_ROUNDS = 64, 2000


@dataclass(frozen=True)
class Cost:
    """One kernel: vector FMAs per unit-vector (lanes-many units at once), and seconds per unit over
    those of float32.
    """

    activation: str
    dtype: str
    width: int
    fmas: Spread
    nanoseconds: float  # per unit-vector
    over_single: Spread | None = None


@dataclass(frozen=True)
class DeepCost:
    """A kernel of several hidden layers, optimiser included: vector FMAs at one point of a step of
    lanes-many nets; those of its products and sums by count and of its activations, each as long
    as one takes alone; and how many times as much it takes.
    """

    dtype: str
    width: int
    depth: int
    fmas: Spread
    counted: float
    over_counted: Spread


@dataclass(frozen=True)
class FmaSpeed:
    """ns of one vector FMA, and how many times longer one takes that must wait for the one before
    (latency x FMAs a cycle).
    """

    dtype: str
    nanoseconds: Spread
    chain: Spread


@kernel()
def independent_fmas(spec, start, factors, rounds):
    """ACCUMULATORS * rounds FMAs. start (ACCUMULATORS * lanes,) is overwritten; factors (2 *
    lanes,): a = a * m + d.
    """
    n = lanes_of(spec)
    m, d = load(spec, factors, 0), load(spec, factors, n)
    a0, a1, a2, a3 = (
        load(spec, start, 0),
        load(spec, start, n),
        load(spec, start, 2 * n),
        load(spec, start, 3 * n),
    )
    a4, a5, a6, a7 = (
        load(spec, start, 4 * n),
        load(spec, start, 5 * n),
        load(spec, start, 6 * n),
        load(spec, start, 7 * n),
    )
    a8, a9, a10, a11 = (
        load(spec, start, 8 * n),
        load(spec, start, 9 * n),
        load(spec, start, 10 * n),
        load(spec, start, 11 * n),
    )
    for _ in range(rounds):
        a0, a1, a2, a3 = fma(a0, m, d), fma(a1, m, d), fma(a2, m, d), fma(a3, m, d)
        a4, a5, a6, a7 = fma(a4, m, d), fma(a5, m, d), fma(a6, m, d), fma(a7, m, d)
        a8, a9, a10, a11 = fma(a8, m, d), fma(a9, m, d), fma(a10, m, d), fma(a11, m, d)
    at = 0
    for a in (a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11):
        store(start, at, a)
        at += n


@kernel()
def chained_fmas(spec, start, factors, rounds):
    """`rounds` FMAs, each on the result of the one before."""
    m, d = load(spec, factors, 0), load(spec, factors, lanes_of(spec))
    a = load(spec, start, 0)
    for _ in range(rounds):
        a = fma(a, m, d)
    store(start, 0, a)


@kernel()
def values_and_slopes(spec, parameter, t, results, rounds):
    """Activations alone: their values and slopes at t, beside each other in results."""
    for _ in range(rounds):
        for at in range(0, t.size, lanes_of(spec)):
            value, slope = value_and_slope(spec, load(spec, t, at), parameter)
            store(results, 2 * at, value)
            store(results, 2 * at + lanes_of(spec), slope)


class Fma:
    """Times FMAs of one precision. The numbers converge to 1: neither subnormal nor infinite, and
    unknown to the compiler.
    """

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.spec = Spec("silu", dtype, lane_count(dtype), 1)
        self.factors = np.repeat([0.75, 0.25], self.spec.lanes).astype(dtype)
        self.nanoseconds()
        self.chain_nanoseconds()

    def _time(self, function: Callable, rounds: int) -> float:
        start = np.linspace(0.5, 1.5, ACCUMULATORS * self.spec.lanes).astype(self.dtype)
        began = time.thread_time()
        function(self.spec, start, self.factors, rounds)
        return (time.thread_time() - began) * 1e9

    def nanoseconds(self) -> float:
        """Of one vector FMA among independent ones."""
        rounds = TIMED_FMAS // ACCUMULATORS
        return self._time(independent_fmas, rounds) / (rounds * ACCUMULATORS)

    def chain_nanoseconds(self) -> float:
        """Of one vector FMA in a chain."""
        rounds = TIMED_FMAS // 8
        return self._time(chained_fmas, rounds) / rounds

    def of_activation(self) -> float:
        """How many of these take as long as value and slope of SiLU at one vector."""
        t = np.linspace(-4, 4, ACTIVATIONS_AT_ONCE * self.spec.lanes).astype(self.dtype)
        arguments = self.spec, 0.0, t, np.zeros(2 * t.size, self.dtype)
        values_and_slopes(*arguments, 1)
        before, began = self.nanoseconds(), time.thread_time()
        values_and_slopes(*arguments, ACTIVATION_ROUNDS)
        took = 1e9 * (time.thread_time() - began)
        return took / (ACTIVATION_ROUNDS * ACTIVATIONS_AT_ONCE) / before


class _Kernel:
    """One activation, precision, width and depth on one thread."""

    def __init__(self, activation: str, dtype: str, width: int, fma: Fma, depth: int = 1) -> None:
        self.activation, self.dtype, self.width, self.fma = activation, dtype, width, fma
        config = Config(width=width, activation=activation, dtype=dtype, depth=depth)
        self.work = Work(config, seeds=BLOCKS * fma.spec.lanes, threads=1)
        self.contestant = Minilotto(self.work)
        self.steps = steps_for(self.contestant, KERNEL_SECONDS, config.steps, time.thread_time)
        self.fmas: list[float] = []
        self.nanoseconds: list[float] = []

    def run(self) -> None:
        before = self.fma.nanoseconds()
        took = (
            seconds(self.contestant, self.steps, time.thread_time)
            * 1e9
            * self.fma.spec.lanes
            / (self.steps * self.work.units)
        )
        after = self.fma.nanoseconds()
        self.nanoseconds.append(took)
        self.fmas.append(took / ((before + after) / 2))

    def per_unit(self) -> np.ndarray:
        return np.array(self.fmas) / self.fma.spec.lanes


def jobs_for(widths: tuple[int, ...], others: bool) -> list[tuple[str, int]]:
    """(activation, width): SiLU at all these widths, and where `others` is true the other
    activations at one.
    """
    return [("silu", width) for width in widths] + [
        (name, WIDTH_FOR_ALL) for name in ACTIVATIONS if others and name != "silu"
    ]


def measure(
    jobs: list[tuple[str, int]], rounds: int, tell: Callable[[str], None]
) -> tuple[list[FmaSpeed], list[Cost]]:
    """FMA speeds, and the cost of each (activation, width) in both precisions."""
    tell("kernel cost: compiling")
    fmas = {dtype: Fma(dtype) for dtype in DTYPES}
    kernels = {
        (name, width): [_Kernel(name, dtype, width, fmas[dtype]) for dtype in DTYPES]
        for name, width in jobs
    }
    speeds: dict[str, list[float]] = {dtype: [] for dtype in DTYPES}
    chains: dict[str, list[float]] = {dtype: [] for dtype in DTYPES}
    for number in range(rounds):
        tell(f"kernel cost: round {number + 1} of {rounds}")
        for dtype, fma_of_dtype in fmas.items():
            speeds[dtype].append(fma_of_dtype.nanoseconds())
            chains[dtype].append(fma_of_dtype.chain_nanoseconds() / speeds[dtype][-1])
        for pair in kernels.values():
            for one in pair:
                one.run()
    costs = [
        _cost(one, None if one is pair[0] else pair[0]) for pair in kernels.values() for one in pair
    ]
    return [
        FmaSpeed(dtype, Spread.of(speeds[dtype]), Spread.of(chains[dtype])) for dtype in DTYPES
    ], costs


def deep_count(width: int, depth: int) -> int:
    """FMAs, sums and products at one point of one input, activations apart. Of each weight between
    layers three FMAs; of each neuron a product with its slope and a sum for its bias, of the first
    layer two FMAs and of the last three operations more.
    """
    return 3 * (depth - 1) * width**2 + (2 * depth + 5) * width


def measure_deep(rounds: int, tell: Callable[[str], None]) -> list[DeepCost]:
    """The cost of nets of several hidden layers, in both precisions."""
    tell("cost of several hidden layers: compiling")
    fmas = {dtype: Fma(dtype) for dtype in DTYPES}
    kernels = [
        (_Kernel("silu", dtype, width, fmas[dtype], depth), depth)
        for width, depth in DEEP
        for dtype in DTYPES
    ]
    activations: dict[str, list[float]] = {dtype: [] for dtype in DTYPES}
    for number in range(rounds):
        tell(f"cost of several hidden layers: round {number + 1} of {rounds}")
        for dtype, fma_of_dtype in fmas.items():
            activations[dtype].append(fma_of_dtype.of_activation())
        for one, _ in kernels:
            one.run()
    found = []
    for one, depth in kernels:
        measured = np.array(one.fmas) * one.width
        counted = deep_count(one.width, depth)
        counted += one.width * depth * float(np.median(activations[one.dtype]))
        spreads = Spread.of(measured), counted, Spread.of(measured / counted)
        found.append(DeepCost(one.dtype, one.width, depth, *spreads))
    return found


def _cost(one: _Kernel, single: _Kernel | None) -> Cost:
    # Both precisions' vector FMAs take the same time, so that their ratio is taken in FMAs, free of
    # what the clock did between.
    over_single = None if single is None else Spread.of(one.per_unit() / single.per_unit())
    return Cost(
        one.activation,
        one.dtype,
        one.width,
        Spread.of(one.fmas),
        float(np.median(one.nanoseconds)),
        over_single,
    )
