"""The engine for minibatches: the lanes engine, where each seed draws its own points at each step.

Points of given data are drawn with replacement, each with the same chance; where weights differ, a
point counts as often as its weight says, so that the expected gradient is that of all points. With
sampling="population" they are uniform in the task's domain. Kernels compute the targets that
kernels/targets.py has; other tasks are called for all points, which takes longer than drawing them.
"""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset, targets_at
from minilotto.engines.interface import STEPWISE, schedule_of
from minilotto.engines.lanes import LaneEngine
from minilotto.engines.packing import aligned
from minilotto.engines.state import State
from minilotto.hardware.threads import Work
from minilotto.kernels.batches import draw_points
from minilotto.kernels.formulas import LOSS_FORMULAS
from minilotto.kernels.gather import SMALL
from minilotto.kernels.random import seed_keys
from minilotto.kernels.spec import Spec
from minilotto.kernels.structures import Batches, FreshBatches, FreshPoints, Nets, Schedule, Scratch
from minilotto.kernels.targets import TARGETS
from minilotto.settings.activations import Reals
from minilotto.settings.arrays import Array
from minilotto.settings.config import Config
from minilotto.settings.limits import blocks
from minilotto.settings.tasks import Task

WINDOW = 128  # points of a seed that are drawn at a time, those of several steps
FRESH = 2**17  # numbers that a thread draws and hands to the task at a time


def keys_of(spec: Spec, root_seed: int, seeds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keys (blocks, lanes) of seeds (R,), of which the last one fills the last block."""
    places = np.minimum(np.arange(-(-len(seeds) // spec.lanes) * spec.lanes), len(seeds) - 1)
    seeds = seeds[places].reshape(-1, spec.lanes)
    keys = np.empty_like(seeds)
    seed_keys(spec, np.uint64(root_seed), seeds, keys)
    return keys


def box_of(task: Task) -> tuple[Array, Array]:
    """The least x (D,) of a task's domain, and the lengths of its sides."""
    low, high = np.array(task.domain, dtype=np.float64).T
    return low, high - low


class FreshSource:
    """Fresh points of a task's domain, with its targets there, for blocks of seeds."""

    def __init__(self, spec: Spec, config: Config, task: Task) -> None:
        self.spec, self.config, self.task = spec, config, task
        # A task of the caller need not be safe in several threads at once.
        self.calling = None if task.built_in else threading.Lock()

    def pieces(
        self, keys: NDArray[np.int64], first: int, steps: int, points: int
    ) -> Iterator[tuple[slice, slice, NDArray[Any], NDArray[Any]]]:
        """Points for seeds of these keys (blocks, lanes) at steps from `first` on, in pieces of all
        steps of some blocks or some steps of one: which blocks, which steps, and x and y of
        FreshPoints, which hold until the next piece.
        """
        numbers = points * (self.spec.inputs + 1) * self.spec.lanes
        # Arrays that are made again at each turn cost more in page faults than their points do.
        dtypes = np.dtype(np.float64), self.config.dtype, self.config.dtype
        space = [np.empty(max(FRESH, numbers), dtype) for dtype in dtypes]
        for some in blocks(len(keys), numbers * steps, FRESH):
            own = keys[some]
            for part in blocks(steps, numbers * len(own), FRESH):
                shape = len(own), part.stop - part.start, points
                yield some, part, *self._drawn(own, first + part.start, shape, space)

    def _drawn(
        self,
        keys: NDArray[np.int64],
        first: int,
        shape: tuple[int, int, int],
        space: Sequence[NDArray[Any]],
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """x and y for that many blocks, steps and points, in `space`."""
        task, lanes, inputs = self.task, self.spec.lanes, self.spec.inputs
        assert task.function is not None
        numbers = shape[0] * shape[1] * shape[2] * lanes
        exact, x, y = (
            array[: numbers * size].reshape(*shape[:2], -1)
            for array, size in zip(space, (inputs, inputs, 1), strict=True)
        )
        draw_points(self.spec, keys, first, *box_of(task), exact, x)
        by_lane = exact.reshape(-1, inputs, lanes).transpose(0, 2, 1).reshape(-1, inputs)
        if self.calling is None:
            y.reshape(-1)[:] = task.function(by_lane)
        else:
            with self.calling:
                y.reshape(-1)[:] = targets_at(by_lane, task, self.config)
        return x, y


class BatchEngine(LaneEngine):
    """Trains as LaneEngine does on batches of `config.batch` points; see `LaneEngine`.

    Which points a seed takes at a step depends on the root seed, the seed and the step alone.
    """

    name = "lanes, batches"

    def __init__(
        self, config: Config, data: Dataset, threads: int, lanes: int | None = None
    ) -> None:
        super().__init__(config, data, threads, lanes)
        self.factor = LOSS_FORMULAS[config.loss].factor / config.batch
        self.padded = config.batch + -config.batch % max(2, self.spec.group)  # words draw twice
        self.weighted = bool((data.weight != data.weight[0]).any()) and data.population is None
        # A power of two of steps, so that a kernel finds a step's row without a division; at least
        # two, so that there is a multiple of four rows of lanes.
        self.window = 1 << max(2, WINDOW // self.padded).bit_length() - 1
        self.fresh: FreshSource | None = None  # where the task is called
        if data.population is None:
            self.table, self.planes = self._table()
        elif not (data.population.built_in and data.population.name in TARGETS):
            self.fresh = FreshSource(self.spec, config, data.population)

    def _table(self) -> tuple[Reals, NDArray[np.uint8]]:
        """The data as kernels.structures.Batches takes them."""
        data = self.data
        columns = [*data.x.T, data.y]
        if self.weighted:
            columns.append(self.factor * data.points * data.weight)
        columns += columns[-1:] * (len(columns) % 2)
        table = aligned((len(columns) // 2, max(data.points, SMALL), 2), self.config.dtype)
        for number, column in enumerate(columns):
            table[number // 2, : data.points, number % 2] = column
        small = np.ascontiguousarray(table[:, :SMALL])
        planes = small.view(np.uint8).reshape(len(table), SMALL, -1)
        return table, np.ascontiguousarray(planes.transpose(0, 2, 1))

    def resume(self, state: State) -> None:
        super().resume(state)
        count, lanes = len(self.nets.theta), self.lanes
        self.keys = keys_of(self.spec, self.config.root_seed, self.seeds[: self.count])
        size, dtype = self.padded * lanes, self.config.dtype
        each = (count, self.window) if self.weighted else (1, 1)
        self.slope_weight = aligned((*each, size), dtype)
        self.slope_weight[:, :, : self.config.batch * lanes] = self.factor
        if self.fresh is None:
            self.x = aligned((count, self.window, size * self.spec.inputs), dtype)
            self.y = aligned((count, self.window, size), dtype)
        if self.data.population is None:
            self.places = np.empty((count, self.window, size), np.int32)

    def work(self, first: int, count: int) -> Work:
        schedule = schedule_of(self.config, first, count, self.since)
        count = len(self.nets.theta)
        if self.fresh is not None:
            return Work(self._train_fresh, (first, schedule), count)
        space = self.keys, self.x, self.y, self.slope_weight
        points: Batches | FreshBatches
        if (task := self.data.population) is not None:
            points = FreshBatches(TARGETS.index(task.name), *box_of(task), first, *space)
        else:
            table = self.table, self.planes, self.data.points, self.weighted
            points = Batches(*table, self.config.batch, first, self.places, *space)
        arguments = (self.form, self.shape, self.nets, points, schedule, self.scratch)
        return Work(self.kernels.train_blocks, arguments, count)

    def _train_fresh(self, first: int, schedule: Schedule, begin: int, end: int) -> None:
        """Steps of some blocks from step `first` on."""
        assert self.fresh is not None
        pieces = self.fresh.pieces(self.keys[begin:end], first, len(schedule.lr), self.padded)
        for some, part, x, y in pieces:
            own = slice(begin + some.start, begin + some.stop)
            nets, scratch = (
                kind(*(array[own] for array in arrays))
                for kind, arrays in ((Nets, self.nets), (Scratch, self.scratch))
            )
            points = FreshPoints(x, y, self.slope_weight[0])
            steps = schedule._replace(**{name: getattr(schedule, name)[part] for name in STEPWISE})
            arguments = (nets, points, steps, scratch, 0, len(x))
            self.kernels.train_blocks(self.form, self.shape, *arguments)

    def bytes_per_net(self) -> int:
        size = np.dtype(self.config.dtype).itemsize
        points = self.window * self.padded
        return super().bytes_per_net() + points * (size * (self.spec.inputs + 2) + 4)
