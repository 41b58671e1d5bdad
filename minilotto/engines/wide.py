"""The engine for few seeds of many neurons: a lane a neuron; threads share a net or take one."""

import os
import time

import numba
import numpy as np

from minilotto.data.dataset import Dataset
from minilotto.engines.interface import KernelEngine, schedule_of
from minilotto.engines.packing import aligned, pack_neurons, training_arrays, unpack_neurons
from minilotto.engines.state import State
from minilotto.hardware import threads
from minilotto.initialisation import Parameters
from minilotto.kernels import neuron_parallel
from minilotto.kernels.forms import Form
from minilotto.kernels.spec import Spec
from minilotto.kernels.structures import Nets, NeuronScratch, Schedule
from minilotto.settings.activations import Reals
from minilotto.settings.config import Config

# Neurons times points from which on threads gain by sharing a net, although they synchronise at
# each step.
SHARED_UNITS = 60_000


def cache_bytes() -> int:
    """How much of a core's second-level cache activations may take: five eighths of it."""
    try:
        size = os.sysconf("SC_LEVEL2_CACHE_SIZE")
    except (AttributeError, OSError, ValueError):
        size = 0
    return (size if size > 0 else 2**20) * 5 // 8


class Sharing:
    """Whether threads share a net or one thread trains it: whichever was faster when last measured.

    Threads that synchronise at each step are slow where other programs use the cores. Now and then,
    less often while it does not help, a part of a chunk of steps is done the other way. Changes no
    bit.
    """

    TRIAL = 32  # one in so many steps of a chunk is a trial of the other way
    MOST_CHUNKS = 64  # between two trials

    def __init__(self) -> None:
        self.seconds = {True: 0.0, False: float("inf")}  # a step, when last measured
        self.wait = self.until_trial = 1

    @property
    def shared(self) -> bool:
        return self.seconds[True] <= self.seconds[False]

    def plan(self, count: int) -> list[tuple[bool, int]]:
        """Pieces (shared, steps) of a chunk of `count` steps; none of one without steps."""
        if not count:
            return []
        self.until_trial -= 1
        trial = count // self.TRIAL if self.until_trial <= 0 else 0
        if not trial:
            return [(self.shared, count)]
        self.wait = min(2 * self.wait, self.MOST_CHUNKS)
        self.until_trial = self.wait
        return [(not self.shared, trial), (self.shared, count - trial)]

    def record(self, shared: bool, seconds: float) -> None:
        """A step, done like that, took so long."""
        before = self.shared
        self.seconds[shared] = seconds
        if self.shared != before:
            self.wait = self.until_trial = 1


class WideEngine(KernelEngine):
    """Trains nets one after the other with kernels/neuron_parallel.py; see `Engine`."""

    name = "wide"

    def __init__(self, config: Config, data: Dataset, threads: int) -> None:
        super().__init__(config, data, min(threads, numba.config.NUMBA_NUM_THREADS))
        itemsize = np.dtype(config.dtype).itemsize
        lanes = neuron_parallel.VECTOR_BYTES // itemsize
        self.spec = Spec(
            self.activation.name, config.dtype, lanes, data.inputs, config.loss, config.optimizer
        )
        self.form = Form(self.spec, self.activation.parameter)
        self.points = training_arrays(data, config.dtype, config.loss)
        points, vectors = len(self.points.y), -(-config.width // lanes)
        self.size = ((data.inputs + 2) * vectors + 1) * lanes
        self.padded = -(-points // lanes) * lanes
        self.tiles = neuron_parallel.tile_count(vectors)
        pair = 2 * points * lanes  # value and slope of a vector at every point
        self.kept = min(-(-vectors // self.tiles) * self.tiles * pair, cache_bytes() // itemsize)
        self.sharing = Sharing()

    def resume(self, state: State) -> None:
        super().resume(state)
        shapes = (
            (self.size,),
            (self.size,),
            ((self.spec.inputs + 1) * self.padded,),
            (self.tiles, self.padded),
            (self.kept,),
        )
        dtype = self.config.dtype
        self.scratch = NeuronScratch(*(aligned((self.threads, *shape), dtype) for shape in shapes))

    def _packed(self, parameters: Parameters) -> Reals:
        return pack_neurons(self.spec, parameters)

    def _unpacked(self, theta: Reals) -> Parameters:
        return unpack_neurons(self.spec, theta, self.config.width)

    def advance(self, first: int, count: int) -> None:
        shared = self.config.width * len(self.points.y) >= SHARED_UNITS
        alone = self.count - self.count % self.threads if shared else self.count
        if alone:  # nets that one thread trains
            self._train_blocks(alone, schedule_of(self.config, first, count, self.since))
        for net in range(alone, self.count):
            at = first
            for together, steps in self.sharing.plan(count):
                began = time.perf_counter()
                self._train_net(net, schedule_of(self.config, at, steps, self.since), together)
                self.sharing.record(together, (time.perf_counter() - began) / steps)
                at += steps

    def _train_blocks(self, count: int, schedule: Schedule) -> None:
        """Train the first `count` nets, each in one thread."""
        blocks = min(self.threads, count)
        nets = Nets(*(array[:count] for array in self.nets))
        scratch = NeuronScratch(*(array[:blocks] for array in self.scratch))
        arguments = (self.form, self.config.width, nets, self.points, schedule, scratch)
        threads.run_blocks(neuron_parallel.train_blocks, arguments, blocks, self.threads)

    def _train_net(self, net: int, schedule: Schedule, shared: bool) -> None:
        """Train this net, in all threads where `shared` and hardware/threads.py allow it."""
        parts = min(self.threads, self.tiles) if shared else 1
        nets = Nets(*(array[net] for array in self.nets))
        scratch = NeuronScratch(*(array[0] for array in self.scratch))
        scratch = scratch._replace(activations=self.scratch.activations[:parts])
        with threads.parallel_region(parts) as ours:
            train = neuron_parallel.train_net_in_threads if ours else neuron_parallel.train_net
            train(self.form, self.config.width, nets, self.points, schedule, scratch)

    def bytes_per_net(self) -> int:
        """State, and the scratch of a thread, which holds one net at a time."""
        scratch = 2 * self.size + (self.spec.inputs + 1 + self.tiles) * self.padded + self.kept
        return (3 * self.size + scratch) * np.dtype(self.config.dtype).itemsize
