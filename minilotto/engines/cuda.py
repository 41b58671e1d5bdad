"""The engine for a GPU: every chunk of steps is one launch, in which some threads share each net.

Losses and audits are evaluated there too, in float64. Engines launch on streams of their own, so
that several work side by side. Config.subnormals changes nothing here: results of the special
function unit count subnormal numbers as zero, all else keeps them, at no cost. CUDA is
loaded when the first engine is made.
"""

import warnings
from collections.abc import Sequence
from math import prod
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset, frozen
from minilotto.engines.batches import FreshSource, keys_of
from minilotto.engines.interface import KernelEngine, schedule_of
from minilotto.engines.packing import point_table, rows_of, unpack
from minilotto.engines.state import Kept, State
from minilotto.errors import ResourceError
from minilotto.hardware.gpu import free_memory, simulated, the_gpu, working
from minilotto.hardware.machine import readable_bytes
from minilotto.hardware.threads import Work, run_blocks, run_works
from minilotto.initialisation import Parameters
from minilotto.kernels.formulas import LOSS_FORMULAS
from minilotto.kernels.gpu.partition import (
    MOST_AUDITED,
    SHARED_BYTES,
    WARP,
    Draws,
    Evaluation,
    Gathering,
    Kind,
    Partition,
    partition_for,
    split_for,
)
from minilotto.kernels.simd import lane_count
from minilotto.kernels.spec import Spec
from minilotto.kernels.structures import Nets
from minilotto.settings.activations import Reals
from minilotto.settings.config import Config
from minilotto.settings.limits import blocks

BLOCK = 64  # threads of a block that holds several nets
ONE_THREAD = Lock()  # of Python's at a time changes what is warned of
FRESH = 2**22  # numbers of fresh points that are launched at a time
BATCH_NEURONS = 2**22  # that are trained from start to end before the next ones


class _Copies(NamedTuple):
    """Copies of nets on the GPU, and what it takes to read them."""

    spec: Spec
    width: int
    nets: list[Any]

    def rows(self, places: NDArray[np.intp]) -> State:
        """As of a State."""
        some = (array.copy_to_host()[places] for array in self.nets)
        return State(*(unpack(self.spec, one, len(places), self.width) for one in some))


class CudaEngine(KernelEngine):
    """Trains with kernels/gpu/train.py.

    Parameters
    ----------
    config, data
        See `Engine`.
    threads : int
        That draw fresh points; else the CPU needs one.
    block : int, optional
        Threads of a block; results do not depend on it.
    partition : Partition, optional
        How threads share a net; by default that of `partition_for`.

    Raises
    ------
    MissingExtraError, ResourceError
        Where no GPU can be used.
    """

    name = "cuda"
    fewer_nodes = False

    def __init__(
        self,
        config: Config,
        data: Dataset,
        threads: int = 1,
        block: int | None = None,
        partition: Partition | None = None,
    ) -> None:
        task = data.population if config.batch else None
        super().__init__(config, data, 1 if task is None else threads)
        self.gpu = the_gpu()
        count, batch = config.batch or data.points, config.batch
        sizes = (config.width, data.inputs, count, config.dtype)
        self.sizes, self.given = sizes[1:], partition is not None
        self.partition = partition or partition_for(*sizes)
        self.spec = Spec(config.activation, config.dtype, 1, data.inputs)
        self.padded = self.partition.padded(count)
        factor = LOSS_FORMULAS[config.loss].factor * (data.points / batch if batch else 1.0)
        rows = data.points + 1 if batch else self.padded
        self.points = point_table(data, config.dtype, rows, factor)
        drawing = Spec(config.activation, config.dtype, lane_count(config.dtype), data.inputs)
        self.fresh = None if task is None else FreshSource(drawing, config, task)
        staged = task is None and self.points.nbytes <= SHARED_BYTES
        self.shared_bytes = self.points.nbytes if staged else 0
        self.block = block
        with working():
            from minilotto.kernels.gpu.compiled import kernel_of

            self.compiled = kernel_of

    def kind(self) -> Kind:
        """What the present partition's kernel is compiled for."""
        config, partition, staged = self.config, self.partition, self.shared_bytes > 0
        form = (config.activation, config.dtype, self.data.inputs, partition, staged)
        whole = partition.slots * partition.neurons == config.width
        batched = config.batch > 0 and self.fresh is None
        return Kind(*form, config.optimizer, config.loss, batched, whole)

    def resume(self, state: State) -> None:
        from numba import cuda

        self._hold([cuda.to_device(self._packed(one)) for one in state])

    def take(self, parts: Sequence[tuple[Kept, NDArray[np.intp]]]) -> None:
        from numba import cuda

        here = [(kept.nets, at) for kept, at in parts if isinstance(kept, CudaEngine | _Copies)]
        if len(here) < len(parts):
            super().take(parts)
            return
        dtype, self.stream = self.config.dtype, cuda.stream()
        with working():
            kernel = self.compiled(Gathering(dtype))
        count, rows = sum(len(at) for _, at in here), rows_of(self.config.width, self.data.inputs)
        arrays = [cuda.device_array((count, rows), dtype) for _ in Nets._fields]
        used, first, threads = [], 0, 2 if simulated() else BLOCK
        for nets, places in here:
            if len(places):
                used.append(cuda.to_device(places, stream=self.stream))
                launch = self._configured(kernel, -(-len(places) * rows // threads), threads, 0)
                for source, target in zip(nets, arrays, strict=True):
                    launch(source, used[-1], first, target)
            first += len(places)
        self.stream.synchronize()
        self._hold(arrays)

    def _hold(self, arrays: Sequence[Any]) -> None:
        from numba import cuda

        self.stream, self.count = cuda.stream(), len(arrays[0])
        self.nets = Nets(*arrays)
        if not self.given and not simulated():
            load = self.count, self.gpu.processors
            self.partition = split_for(self.partition, *self.sizes, *load)
        with working():
            self.kernel = self.compiled(self.kind())
        shape = self.nets.theta.shape if self.partition.streamed else (1, 1)
        self.scratch = cuda.device_array(shape, self.config.dtype)
        self.table = cuda.to_device(self.points)
        self.keys, shape = np.zeros((1, 1), np.int64), (1, 1)
        if self.config.batch:
            spec = self.spec if self.fresh is None else self.fresh.spec
            self.keys = keys_of(spec, self.config.root_seed, self.seeds[: self.count])
        if self.kind().batched:
            number, threads = self._launch()
            shape = (number * max(1, threads // self.partition.threads), self.padded)
        space = cuda.to_device(self.keys.ravel()), cuda.device_array(shape, np.int32)
        rows = self.data.points if self.fresh is None else self.padded
        self.draws = Draws(*space, 0, self.config.batch, rows if self.config.batch else 0)

    def _unpacked(self, theta: Any) -> Parameters:
        return super()._unpacked(theta.copy_to_host())

    def snapshot(self) -> Kept:
        from numba import cuda

        copies = [cuda.device_array_like(array) for array in self.nets]
        for copy, array in zip(copies, self.nets, strict=True):
            copy.copy_to_device(array)
        return _Copies(self.spec, self.config.width, copies)

    def advance(self, first: int, count: int) -> None:
        if self.fresh is None:
            run_works([self.work(first, count)], 1)
            return
        # The points of some steps are drawn while the GPU trains on those before.
        numbers = self.count * self.padded * (self.data.inputs + 2)
        launched: list[Work] = []
        for part in blocks(count, numbers, FRESH):
            steps = first + part.start, part.stop - part.start
            points = self._drawn(*steps)
            run_works(launched, 1)
            launched = [self.work(*steps, points)]
        run_works(launched, 1)

    def _drawn(self, first: int, steps: int) -> Reals:
        """A table of fresh points for all nets and so many steps."""
        shape = self.count, steps, self.padded
        table = np.empty(prod(shape) * (self.data.inputs + 2), self.config.dtype)
        pairs, x = np.split(table, [2 * prod(shape)])
        pairs = pairs.reshape(*shape, 2)
        pairs[..., 1] = np.arange(self.padded) < self.config.batch
        pairs[..., 1] *= LOSS_FORMULAS[self.config.loss].factor / self.config.batch
        arguments = first, (x.reshape(*shape[:2], -1), pairs[..., 0])
        run_blocks(self._draw, arguments, len(self.keys), self.threads)
        return table

    def _draw(self, first: int, xy: tuple[Reals, Reals], begin: int, end: int) -> None:
        assert self.fresh is not None
        lanes, keys, steps = self.fresh.spec.lanes, self.keys[begin:end], xy[0].shape[1]
        for some, part, *drawn in self.fresh.pieces(keys, first, steps, self.padded):
            nets = slice((begin + some.start) * lanes, (begin + some.stop) * lanes)
            for array, numbers in zip(xy, drawn, strict=True):
                by_net = numbers.reshape(*numbers.shape[:2], -1, lanes).transpose(0, 3, 1, 2)
                rows = by_net.reshape(-1, *by_net.shape[2:])[: self.count - nets.start]
                array[nets, part] = rows

    def work(self, first: int, count: int, fresh: Reals | None = None) -> Work:
        """Launches them; what is left to threads is to wait."""
        from numba import cuda

        table = self.table if fresh is None else cuda.to_device(fresh, stream=self.stream)
        dtype, schedule = self.config.dtype, schedule_of(self.config, first, count, self.since)
        rates = np.array([schedule.lr, schedule.adam_rate, schedule.correction], dtype)
        on_device = cuda.to_device(rates, stream=self.stream)
        self._configured(self.kernel, *self._launch(), self.shared_bytes)(
            float(self.activation.parameter),
            self.config.width,
            *self.nets,
            self.scratch,
            table,
            self.partition.batches(self.sizes[1]),
            self.draws._replace(first=first),
            on_device,
            tuple(map(float, schedule[3:8])),
        )
        return Work(self._wait, ((rates, fresh, on_device, table),), 1)

    def _wait(self, used: Any, begin: int, end: int) -> None:
        """Until all is done that was launched; what it used is freed only afterwards."""
        from numba import cuda

        cuda.current_context()  # a thread of ours has none at first
        self.stream.synchronize()

    def _configured(self, kernel: Any, blocks: int, threads: int, shared_bytes: int) -> Any:
        with ONE_THREAD, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few nets are no mistake
            return kernel[blocks, threads, self.stream, shared_bytes]

    def losses_on(self, data: Dataset) -> NDArray[np.float64]:
        return self._evaluated(data)

    def differences(self, data: Dataset) -> NDArray[np.float64] | None:
        ours, theirs = self.data, data
        if ours.points + theirs.points > MOST_AUDITED:
            return None
        pairs = (ours.x, theirs.x), (ours.y, theirs.y), (ours.weight, -theirs.weight)
        x, y, weight = (np.concatenate(pair) for pair in pairs)
        both = frozen(x, y, weight, ours.offset - theirs.offset)
        size = float(np.sqrt(np.abs(theirs.weight) @ theirs.y**2))
        return self._evaluated(both, np.abs(theirs.x).max(axis=0), size)

    def _evaluated(
        self, data: Dataset, reach: NDArray[np.float64] | None = None, size: float = 0.0
    ) -> NDArray[np.float64]:
        """Results of kernels/gpu/evaluate.py, of audits where there is a reach."""
        from numba import cuda

        config, inputs, audit = self.config, data.inputs, reach is not None
        kind = Evaluation(config.activation, config.dtype, inputs, config.loss, audit)
        with working():
            kernel = self.compiled(kind)
        table = point_table(data, "float64", data.points, 1.0)
        arrays = table, np.zeros(inputs) if reach is None else reach
        points, reaches = (cuda.to_device(array, stream=self.stream) for array in arrays)
        results = cuda.device_array(self.count, np.float64)
        threads = 2 if simulated() else WARP
        nets = float(self.activation.parameter), config.width, self.nets.theta
        launch = self._configured(kernel, self.count, threads, 8 * data.points if audit else 0)
        launch(*nets, points, float(data.offset), reaches, size, results)
        self.stream.synchronize()
        found: NDArray[np.float64] = results.copy_to_host()
        return found

    def _launch(self) -> tuple[int, int]:
        """Blocks and the threads of each: a block holds several nets, and fewer where smaller
        blocks are needed to occupy every processor.
        """
        each, nets = self.partition.threads, self.count
        if self.partition.streamed or self.partition.warps > 1:
            return nets, each
        if self.block is not None:
            threads = self.block
        elif simulated():
            threads = each
        else:
            threads = BLOCK if nets * each >= BLOCK * self.gpu.processors else WARP
        return -(-nets * each // threads), threads

    def bytes_per_net(self) -> int:
        arrays = 4 if self.partition.streamed else 3
        rows = rows_of(self.config.width, self.data.inputs)
        size = np.dtype(self.config.dtype).itemsize
        held = arrays * rows * size
        if self.config.batch:  # the points of two steps, or the places of one
            held += self.padded * (4 if self.fresh is None else 2 * size * (self.data.inputs + 2))
        return held

    def nets_per_batch(self) -> int:
        """As many as keep the GPU busy and fit a sixth of its free memory, which holds them as they
        were at an audit too, and twice while groups change. Raises ResourceError where not even one
        fits.
        """
        free, net, table = free_memory(), self.bytes_per_net(), self.points.nbytes
        if net + table > free:
            raise ResourceError(
                f"a net of width {self.config.width} on {self.sizes[1]} points needs "
                f"{readable_bytes(net + table)} "
                f"of the GPU's memory and {readable_bytes(free)} is free; use backend='cpu'"
            )
        return max(1, min(BATCH_NEURONS // self.config.width, (free - table) // 6 // net))
