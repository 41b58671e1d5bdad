"""The loop: batches of nets, chunks of steps, and what is recorded between them."""

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.engines.interface import Engine
from minilotto.ensemble.ensemble import Ensemble, History
from minilotto.errors import ResourceError, TrainingInterrupted
from minilotto.hardware.machine import available_memory, cpu_name, readable_bytes
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.kernels.compile import watched_compilation
from minilotto.settings.config import Config
from minilotto.signals import Deferral, check
from minilotto.training.progress import Reporter
from minilotto.version import VERSION

CHUNK_SECONDS = 0.2  # after which Ctrl-C is noticed
BATCH_SECONDS = 2.0  # of work a thread, after which a batch of nets is complete
# One neuron, one point, one step of one seed; sizes batches, never changes a result.
UNIT_SECONDS = 0.5e-9


class _Record:
    """What is kept of `count` seeds, filled batch by batch."""

    def __init__(
        self, config: Config, inputs: int, count: int, checkpoints: NDArray[np.int64]
    ) -> None:
        width = config.width
        self.parameters = Parameters(
            np.empty((count, width, inputs), config.dtype),
            np.empty((count, width), config.dtype),
            np.empty((count, width), config.dtype),
            np.empty(count, config.dtype),
        )
        self.loss = np.empty((len(checkpoints), count))
        self.nodes = np.empty(count, np.int64)
        self.audit = np.empty(count)
        self.done = 0

    def finish(self, batch: slice, engine: Engine) -> None:
        """Copy a batch that has reached its last step."""
        for array, result in zip(self.parameters, engine.parameters(), strict=True):
            array[batch] = result
        self.nodes[batch], self.audit[batch] = engine.effort()
        self.done = batch.stop


def run(
    engine: Engine,
    seeds: NDArray[np.int64],
    checkpoints: NDArray[np.int64],
    reason: str,
    report: Reporter,
) -> Ensemble:
    """Train `seeds` (R,) with `engine`, recording losses at `checkpoints` (C,), the last of which
    ends the training.

    Raises TrainingInterrupted on Ctrl-C, with the seeds whose batch was complete.
    """
    began = time.perf_counter()
    record = _Record(engine.config, engine.data.inputs, len(seeds), checkpoints)
    nets, interrupted = None, False
    try:
        with Deferral() as deferral:
            try:
                with watched_compilation(report.compiling) as compilation:
                    _train_batches(engine, seeds, checkpoints, record, report, deferral)
            except KeyboardInterrupt:
                interrupted = True
            if record.done:
                provenance = {
                    "minilotto": VERSION,
                    "engine": engine.name,
                    "reason": reason,
                    "lanes": engine.lanes,
                    "threads": engine.threads,
                    "cpu": cpu_name(),
                    "python": platform.python_version(),
                    "numpy": np.__version__,
                    "seconds": round(time.perf_counter() - began, 3),
                    "seconds_compiling": round(compilation.seconds, 3),
                }
                nets = _ensemble(engine, seeds, checkpoints, record, provenance)
    except KeyboardInterrupt:  # one that waited
        interrupted = True
    if interrupted or nets is None:
        raise TrainingInterrupted(nets, len(seeds))
    return nets


def _train_batches(
    engine: Engine,
    seeds: NDArray[np.int64],
    checkpoints: NDArray[np.int64],
    record: _Record,
    report: Reporter,
    deferral: Deferral,
) -> None:
    config, chunk = engine.config, _ChunkLength()
    stops = sorted({*checkpoints.tolist(), *engine.audits})
    size = _batch_size(engine)
    for first in range(0, len(seeds), size):
        batch = slice(first, min(first + size, len(seeds)))
        count = batch.stop - batch.start
        engine.start(initial_parameters(config, engine.data.inputs, seeds[batch]))
        reached = 0
        for stop in stops:
            while reached < stop:
                steps = min(chunk.steps, stop - reached)
                with chunk.measured(steps):
                    engine.advance(reached, steps)
                reached += steps
                report.advance(steps * count)
                check()
            if stop in engine.audits:
                engine.audit(stop)
            for row in np.flatnonzero(checkpoints == stop):
                record.loss[row, batch] = engine.losses(final=stop == config.steps)
        deferral.begin()
        record.finish(batch, engine)


def _ensemble(
    engine: Engine,
    seeds: NDArray[np.int64],
    checkpoints: NDArray[np.int64],
    record: _Record,
    provenance: dict[str, Any],
) -> Ensemble:
    """The Ensemble of the seeds that are done, with NaN in the rows of those that diverged."""
    done = record.done
    parameters = Parameters(*(array[:done] for array in record.parameters))
    history = record.loss[:, :done]
    finite = np.isfinite(history[-1])
    for array in parameters:
        finite &= np.isfinite(array.reshape(done, -1)).all(axis=1)
    np.copyto(history, np.nan, where=~np.isfinite(history))
    history[-1, ~finite] = np.nan
    for array in parameters:
        array[~finite] = np.nan
    return Ensemble(
        config=engine.config,
        data=engine.data,
        seeds=seeds[:done],
        **parameters._asdict(),
        loss=history[-1].copy(),
        history=History(checkpoints, history),
        nodes=record.nodes[:done],
        audit=record.audit[:done],
        requested=len(seeds),
        provenance=provenance,
    )


class _ChunkLength:
    """Steps of a chunk, chosen so that one takes about CHUNK_SECONDS. Changes no result."""

    def __init__(self) -> None:
        self.steps = 1

    @contextmanager
    def measured(self, steps: int) -> Iterator[None]:
        """Time the block, which does so many steps."""
        began = time.perf_counter()
        yield
        wanted = int(steps * CHUNK_SECONDS / max(time.perf_counter() - began, 1e-9))
        if steps == self.steps or wanted < self.steps:
            self.steps = max(1, min(wanted, 8 * self.steps))


def _batch_size(engine: Engine) -> int:
    """Seeds that are trained from start to end before the next ones: enough to occupy the threads
    for BATCH_SECONDS, if they fit.

    Raises ResourceError where not even one vector of nets fits.
    """
    config, free, net = engine.config, available_memory(), engine.bytes_per_net()
    wanted = engine.nets_per_batch()
    if wanted is not None:
        return max(1, min(wanted, free // 2 // net))
    seconds = config.width * engine.points_per_step() * config.steps * UNIT_SECONDS * engine.lanes
    least = 4 if engine.lanes > 1 else 1  # blocks a thread, which end at different times
    blocks = engine.threads * min(64, max(least, round(BATCH_SECONDS / seconds)))
    block = engine.lanes * net
    if block > free:
        raise ResourceError(
            f"{engine.lanes} nets of width {config.width} need {readable_bytes(block)} of memory "
            f"while they train and {readable_bytes(free)} is free; train narrower nets"
        )
    return engine.lanes * max(1, min(blocks, free // 2 // block))
