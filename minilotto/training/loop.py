"""The loop: batches of nets, chunks of steps, and what is recorded between them."""

import dataclasses
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.engines.interface import Engine
from minilotto.engines.packing import step_seconds
from minilotto.engines.state import OptimizerState, joined
from minilotto.ensemble.ensemble import Ensemble, History
from minilotto.errors import ResourceError, TrainingInterrupted
from minilotto.hardware.gpu import driver_errors
from minilotto.hardware.machine import available_memory, cpu_name, readable_bytes
from minilotto.hardware.threads import kept_threads
from minilotto.initialisation import Parameters, initial_parameters, shapes_of
from minilotto.kernels.compile import watched_compilation
from minilotto.settings.config import Config
from minilotto.signals import Deferral, check
from minilotto.training.going_on import Course, begin
from minilotto.training.progress import Reporter
from minilotto.version import VERSION

CHUNK_SECONDS = 0.2  # after which Ctrl-C is noticed
CHUNK_STEPS = 2**20  # at most: their schedule takes 25 MB, and some schedules are kept
BATCH_SECONDS = 2.0  # of work a thread, after which a batch of nets is complete


class _Outcome:
    """`count` nets at one step, filled batch by batch."""

    def __init__(self, config: Config, inputs: int, count: int) -> None:
        shapes = shapes_of(config, inputs, count).values()
        self.parameters = Parameters(*(np.empty(shape, config.dtype) for shape in shapes))
        self.loss = np.empty(count)
        self.nodes = np.empty(count, np.int64)
        self.audit = np.empty(count)
        self.states: list[OptimizerState] = []  # one a batch, if kept

    def fill(self, batch: slice, engine: Engine, loss: NDArray[np.float64], state: bool) -> None:
        """Copy a batch."""
        for array, result in zip(self.parameters, engine.parameters(), strict=True):
            array[batch] = result
        self.loss[batch] = loss
        self.nodes[batch], self.audit[batch] = engine.effort()
        if state:
            _, m, s = engine.state()
            self.states.append(OptimizerState(m, s, engine.since, engine.before))


class _Record:
    """What is kept of `count` seeds: losses at checkpoints, and the nets at some steps."""

    def __init__(
        self, engine: Engine, count: int, checkpoints: NDArray[np.int64], course: Course
    ) -> None:
        config, inputs = engine.config, engine.data.inputs
        self.loss = np.empty((len(checkpoints), count))
        steps = {*course.keep, config.steps}
        self.outcomes = {step: _Outcome(config, inputs, count) for step in sorted(steps)}
        self.done, self.state = 0, course.state

    def keep(self, step: int, batch: slice, engine: Engine, loss: NDArray[np.float64]) -> None:
        """Copy a batch that is at this step."""
        self.outcomes[step].fill(batch, engine, loss, self.state)

    def finish(self, batch: slice, engine: Engine) -> None:
        """Copy a batch that has reached its last step."""
        self.keep(engine.config.steps, batch, engine, self.loss[-1, batch])
        self.done = batch.stop


def run(
    engine: Engine,
    seeds: NDArray[np.int64],
    checkpoints: NDArray[np.int64],
    reason: str,
    report: Reporter,
    course: Course | None = None,
) -> Ensemble:
    """Train `seeds` (R,) with `engine`, recording losses at `checkpoints` (C,), the last of which
    ends the training. `course` says where it begins and what is kept beside its end.

    Raises TrainingInterrupted on Ctrl-C, with the seeds whose batch was complete, and ResourceError
    where memory does not suffice or the GPU fails.
    """
    began = time.perf_counter()
    course = course or Course()
    record = _Record(engine, len(seeds), checkpoints, course)
    nets, interrupted = None, False
    try:
        with Deferral() as deferral:
            try:
                with (
                    watched_compilation(report.compiling) as compilation,
                    kept_threads(),
                    driver_errors(),
                ):
                    _train_batches(engine, seeds, checkpoints, course, record, report, deferral)
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
                if course.start is not None:
                    provenance |= {"from_step": course.first, "moments": course.moments}
                nets = _ensemble(engine, seeds, checkpoints, course, record, provenance)
    except KeyboardInterrupt:  # one that waited
        interrupted = True
    if interrupted or nets is None:
        raise TrainingInterrupted(nets, len(seeds))
    return nets


def _train_batches(
    engine: Engine,
    seeds: NDArray[np.int64],
    checkpoints: NDArray[np.int64],
    course: Course,
    record: _Record,
    report: Reporter,
    deferral: Deferral,
) -> None:
    config, chunk = engine.config, _ChunkLength()
    stops = sorted({*checkpoints.tolist(), *engine.audits, *course.keep})
    if course.start is not None:
        stops = [stop for stop in stops if stop > course.first]
    size = _batch_size(engine)
    for first in range(0, len(seeds), size):
        batch = slice(first, min(first + size, len(seeds)))
        count = batch.stop - batch.start
        engine.seeds = seeds[batch]
        if course.start is None:
            engine.start(initial_parameters(config, engine.data.inputs, seeds[batch]))
        else:
            begin(engine, course.start, course, batch)
        reached = course.first
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
            if stop in course.keep and stop < config.steps:
                with engine.aside(stop):
                    record.keep(stop, batch, engine, engine.losses(final=True))
        deferral.begin()
        record.finish(batch, engine)


def _ensemble(
    engine: Engine,
    seeds: NDArray[np.int64],
    checkpoints: NDArray[np.int64],
    course: Course,
    record: _Record,
    provenance: dict[str, Any],
) -> Ensemble:
    """The Ensemble of the seeds that are done, with those that are kept."""
    done = record.done
    nets: dict[int, Ensemble] = {}
    for step, outcome in record.outcomes.items():
        earlier = checkpoints < step
        steps = [checkpoints[earlier], np.array([step])]
        losses = [record.loss[earlier, :done], outcome.loss[None, :done]]
        if course.start is not None:
            steps.insert(0, course.start.history.steps)
            losses.insert(0, course.start.history.loss[:, :done])
        history = History(np.concatenate(steps), np.concatenate(losses))
        parameters = Parameters(*(array[:done] for array in outcome.parameters))
        _mark_diverged(parameters, history.loss)
        nets[step] = Ensemble(
            config=engine.config,
            data=engine.data,
            seeds=seeds[:done],
            **parameters._asdict(),
            loss=history.loss[-1].copy(),
            history=history,
            nodes=outcome.nodes[:done],
            audit=outcome.audit[:done],
            requested=len(seeds),
            provenance=dict(provenance),
            step=step,
            state=joined(outcome.states).rows(slice(done)) if course.state else None,
        )
    kept = {step: nets[step] for step in course.keep}
    return dataclasses.replace(nets[engine.config.steps], kept=kept)


def _mark_diverged(parameters: Parameters, history: NDArray[np.float64]) -> None:
    """NaN in the rows of nets that diverged."""
    finite = np.isfinite(history[-1])
    for array in parameters:
        finite &= np.isfinite(array.reshape(len(finite), -1)).all(axis=1)
    np.copyto(history, np.nan, where=~np.isfinite(history))
    history[-1, ~finite] = np.nan
    for array in parameters:
        array[~finite] = np.nan


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
            self.steps = max(1, min(wanted, 8 * self.steps, CHUNK_STEPS))


def _batch_size(engine: Engine) -> int:
    """Seeds that are trained from start to end before the next ones: enough to occupy the threads
    for BATCH_SECONDS, if they fit.

    Raises ResourceError where not even one vector of nets fits.
    """
    config, free, net = engine.config, available_memory(), engine.bytes_per_net()
    wanted = engine.nets_per_batch()
    if wanted is not None:
        return max(1, min(wanted, free // 2 // net))
    one = step_seconds(config.width, engine.points_per_step(), config.depth)
    seconds = one * config.steps * engine.lanes
    # Blocks a thread, which end at different times; more where nets on unlike nodes divide them.
    least = 1 if engine.lanes == 1 else 8 if engine.audits else 4
    blocks = engine.threads * min(64, max(least, round(BATCH_SECONDS / seconds)))
    block = engine.lanes * net
    if block > free:
        raise ResourceError(
            f"{engine.lanes} nets of width {config.width} need {readable_bytes(block)} of memory "
            f"while they train and {readable_bytes(free)} is free; train narrower nets"
            + (" or smaller batches" if config.batch else "")
        )
    return engine.lanes * max(1, min(blocks, free // 2 // block))
