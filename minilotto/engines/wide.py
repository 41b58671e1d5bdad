"""The engine for few seeds of many neurons: one lane a neuron, threads share a net or take one
each.
"""

import os
import time

import numba
import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.engines.interface import Engine, State, adam_schedule
from minilotto.engines.packing import aligned, training_arrays
from minilotto.hardware import threads
from minilotto.initialisation import Parameters
from minilotto.kernels import neuron_parallel
from minilotto.kernels.spec import Kind
from minilotto.settings.config import Config

SHARED_UNITS = (
    60_000  # neurons times points from which on a net is worth a meeting of threads each step
)


def cache_bytes() -> int:
    """How much of a core's second-level cache activations may take: five eighths of what the system
    tells, or of 1 MiB.
    """
    try:
        size = os.sysconf("SC_LEVEL2_CACHE_SIZE")
    except (AttributeError, OSError, ValueError):
        size = 0
    return (size if size > 0 else 2**20) * 5 // 8


class Pace:
    """Which is faster at this time, together or alone: threads that meet each step crawl where
    other programs want the cores too.

    Now and then, more and more rarely while it is in vain, a piece of a stretch is done the other
    way. Changes no bit.
    """

    PART = 32  # of a stretch is tried the other way
    RAREST = 64  # stretches between two trials

    def __init__(self) -> None:
        self.seconds = {True: 0.0, False: float("inf")}  # a step, when last measured
        self.wait = self.until_trial = 1

    @property
    def together(self) -> bool:
        return self.seconds[True] <= self.seconds[False]

    def plan(self, count: int) -> list[tuple[bool, int]]:
        """Pieces (together, steps) of a stretch of `count` steps; none of one without steps."""
        if not count:
            return []
        self.until_trial -= 1
        trial = count // self.PART if self.until_trial <= 0 else 0
        if not trial:
            return [(self.together, count)]
        self.wait = min(2 * self.wait, self.RAREST)
        self.until_trial = self.wait
        return [(not self.together, trial), (self.together, count - trial)]

    def took(self, together: bool, seconds: float) -> None:
        """A step, done like that, took so long."""
        before = self.together
        self.seconds[together] = seconds
        if self.together != before:
            self.wait = self.until_trial = 1


class WideEngine(Engine):
    """Trains nets with kernels/neuron_parallel.py."""

    name = "wide"

    def __init__(self, config: Config, data: Dataset, threads: int) -> None:
        super().__init__(config, data, min(threads, numba.config.NUMBA_NUM_THREADS))
        itemsize = np.dtype(config.dtype).itemsize
        self.kind = Kind(
            self.activation.name,
            config.dtype,
            neuron_parallel.VECTOR_BYTES // itemsize,
            data.inputs,
            config.loss,
        )
        self.arrays = training_arrays(data, config.dtype, config.loss)
        self.constants = (config.beta1, config.beta2, config.epsilon)
        vectors = -(-config.width // self.kind.lanes)
        self.size = ((data.inputs + 2) * vectors + 1) * self.kind.lanes
        self.points = -(-len(self.arrays[1]) // self.kind.lanes) * self.kind.lanes
        self.chunks = neuron_parallel.chunk_count(vectors)
        pair = (
            2 * len(self.arrays[1]) * self.kind.lanes
        )  # value and slope of a vector at every point
        self.pace = Pace()
        self.kept = min(-(-vectors // self.chunks) * self.chunks * pair, cache_bytes() // itemsize)

    def start(self, parameters: Parameters) -> None:
        zeros = Parameters(*(np.zeros_like(array) for array in parameters))
        self.resume(State(parameters, zeros, zeros))

    def resume(self, state: State) -> None:
        """Go on from a state that `state` gave, of any seeds in any order."""
        self.nets = len(state.parameters.c)
        self.theta, self.first, self.second = (pack(self.kind, part) for part in state)
        self.scratch = (
            aligned((self.threads, self.size), self.config.dtype),
            aligned((self.threads, self.size), self.config.dtype),
            aligned((self.threads, (self.kind.inputs + 1) * self.points), self.config.dtype),
            aligned((self.threads * self.chunks, self.points), self.config.dtype).reshape(
                self.threads, self.chunks, self.points
            ),
            aligned((self.threads, self.kept), self.config.dtype),
        )

    def state(self) -> State:
        """Copies of the parameters and of Adam's moments."""
        return State(
            *(
                unpack(self.kind, part, self.config.width)
                for part in (self.theta, self.first, self.second)
            )
        )

    def advance(self, first: int, count: int) -> None:
        shared = self.config.width * len(self.arrays[1]) >= SHARED_UNITS
        single = (
            self.nets - self.nets % self.threads if shared else self.nets
        )  # nets that one thread has for itself
        if single:
            self._train_blocks(slice(0, single), first, count)
        for net in range(single, self.nets):
            at = first
            for together, steps in self.pace.plan(count):
                began = time.perf_counter()
                self._train_net(net, at, steps, together)
                self.pace.took(together, (time.perf_counter() - began) / steps)
                at += steps

    def _settings(self, first: int, count: int) -> tuple:
        return (
            self.arrays,
            adam_schedule(self.config, first, count),
            self.constants,
            self.config.subnormals == "flush",
        )

    def _train_blocks(self, nets: slice, first: int, count: int) -> None:
        """Train these nets, each in one thread."""
        blocks = min(self.threads, nets.stop - nets.start)
        state = (self.theta[nets], self.first[nets], self.second[nets])
        scratch = tuple(array[:blocks] for array in self.scratch)
        arguments = (
            self.kind,
            self.activation.parameter,
            self.config.width,
            state,
            *self._settings(first, count),
            scratch,
        )
        threads.run_blocks(
            neuron_parallel.train_blocks, arguments, blocks=blocks, threads=self.threads
        )

    def _train_net(self, net: int, first: int, count: int, together: bool) -> None:
        """Train this net, in all threads where `together` and the rules of kernels/threads.py allow
        it.
        """
        shares = min(self.threads, self.chunks) if together else 1
        state = (self.theta[net], self.first[net], self.second[net])
        *common, activations = self.scratch
        scratch = (*(array[0] for array in common), activations[:shares])
        with threads.parallel_region(shares) as ours:
            train = neuron_parallel.train_net_together if ours else neuron_parallel.train_net
            lead = (self.kind, self.activation.parameter, self.config.width, state)
            train(*lead, *self._settings(first, count), scratch)

    def parameters(self) -> Parameters:
        return unpack(self.kind, self.theta, self.config.width)

    def bytes_per_net(self) -> int:
        """State, and the scratch of a thread, which holds one net at a time."""
        scratch = 2 * self.size + (self.kind.inputs + 1 + self.chunks) * self.points + self.kept
        return (3 * self.size + scratch) * np.dtype(self.config.dtype).itemsize


def pack(kind: Kind, parameters: Parameters) -> NDArray:
    """Parameters of R nets as theta (R, S), see kernels/neuron_parallel.py, in the kernel's
    precision.
    """
    nets, width, inputs = parameters.w.shape
    padded = -(-width // kind.lanes) * kind.lanes
    theta = aligned((nets, (inputs + 2) * padded + kind.lanes), kind.dtype)
    for row, values in enumerate((*parameters.w.transpose(2, 0, 1), parameters.b, parameters.v)):
        theta[:, row * padded : row * padded + width] = values
    theta[:, -kind.lanes] = parameters.c
    return theta


def unpack(kind: Kind, theta: NDArray, width: int) -> Parameters:
    """The inverse of pack, as copies."""
    padded = (theta.shape[1] - kind.lanes) // (kind.inputs + 2)
    rows = [theta[:, row * padded : row * padded + width].copy() for row in range(kind.inputs + 2)]
    return Parameters(np.stack(rows[:-2], axis=2), rows[-2], rows[-1], theta[:, -kind.lanes].copy())
