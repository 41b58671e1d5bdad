"""sweep: many configs, each with many seeds, into a store, so that nothing is lost and nothing is
trained twice.
"""

import contextlib
import json
import os
import platform
import queue
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from minilotto.data.dataset import sampled
from minilotto.engines.request import BACKENDS
from minilotto.errors import (
    ConfigError,
    FileError,
    MinilottoError,
    ResourceError,
    SweepError,
    SweepInterrupted,
    TrainingInterrupted,
)
from minilotto.hardware.machine import usable_cores
from minilotto.settings.config import Config, whole_number
from minilotto.settings.tasks import built_in, task_of
from minilotto.store import blocks
from minilotto.store.blocks import Block
from minilotto.store.grid import Sweep, as_sweeps
from minilotto.store.store import LOGS, MARKER, Store, make_store, open_store, wanted
from minilotto.sweeps.worker import Receipt, train_block
from minilotto.training.progress import SweepBar
from minilotto.training.train import prepare
from minilotto.version import VERSION

CHECKS = ("full", "quick")
BATCH_SECONDS = (
    10.0  # of all threads: blocks of one config are trained together until they take so long
)
WINDOW = 2048  # blocks that an executor holds at a time


def sweep(
    sweeps: Sweep | Sequence[Sweep],
    out: str | Path = "runs",
    *,
    progress: bool = False,
    threads: int | None = None,
    executor: Executor | None = None,
    cluster: str | None = None,
    backend: str = "auto",
    check: str = "full",
) -> Store:
    """Train what of one Sweep, or of several, is not in the store in folder `out` yet, and return
    the store.

    progress  show one bar over all of it on stderr
    threads   how many threads to use here, by default every core; with an executor or a cluster, in
              each of its tasks, by default 1
    executor  trains blocks instead of this process: anything with the `submit` of
              concurrent.futures, such as mpi4py.futures' pool
    cluster   "local:4" for four worker processes here, or the address of a Dask scheduler,
              "tcp://host:8786" (extra `dask`)
    backend   as `train` takes it; with "cuda" a cluster's blocks go to those workers that Dask
              knows to have a GPU, one each
    check     of blocks that are there: "full" reads them all and checks their seals, "quick" looks
              only whether they are cut

    Finished blocks are kept whatever happens, and the same call goes on from them. Damaged blocks
    are put aside and trained again.

    Raises ConfigError, FileError, ResourceError before anything is trained; FileError where the
    store cannot be written any more; SweepError, at the end, naming blocks that failed;
    SweepInterrupted (a KeyboardInterrupt) on Ctrl-C.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = sweep(Sweep(widths=(1, 2), seeds=4, steps=100), out=folder)
    ...     [len(store.ensemble(config)) for config in store.configs]
    [4, 4]
    """
    asked = as_sweeps(sweeps)
    if threads is not None:
        threads = whole_number("threads", threads, at_least=1)
    if check not in CHECKS:
        raise ConfigError(f"check={check!r} is unknown; choose from {', '.join(CHECKS)}")
    if executor is not None and cluster is not None:
        raise ConfigError("both executor and cluster are given; pass one of them")
    if backend not in BACKENDS:
        raise ConfigError(f"backend={backend!r} is unknown; choose from {', '.join(BACKENDS)}")
    elsewhere = executor is not None or cluster is not None
    # Others have the GPU; whether they can train a config, only they can tell.
    _refuse_untrainable(asked, Path(out), "cpu" if elsewhere and backend == "cuda" else backend)
    if cluster is None:
        return _sweep(asked, Path(out), progress, threads, executor, backend, check)
    from minilotto.sweeps.dask_cluster import connected

    with connected(cluster, gpu=backend == "cuda") as pool:
        return _sweep(asked, Path(out), progress, threads, pool, backend, check)


def _refuse_untrainable(sweeps: Sequence[Sweep], out: Path, backend: str) -> None:
    """Whatever `train` would refuse, before anything is trained or written."""
    configs: Iterable[Config] = wanted(sweeps)
    if os.path.exists(out / MARKER):
        configs = open_store(out).missing_runs(sweeps)
    for config in configs:
        prepare(config, 1, backend=backend)


def _sweep(
    sweeps: Sequence[Sweep],
    out: Path,
    progress: bool,
    threads: int | None,
    executor: Executor | None,
    backend: str,
    check: str,
) -> Store:
    store = make_store(out)
    store.keep_study(sweeps)
    _refuse_another_function(store, wanted(sweeps))
    log = Log(store.folder)
    quarantine(store, sweeps, check == "quick", log)
    todo = [
        block
        for config, runs in store.missing_runs(sweeps).items()
        for block in blocks.cut(config, runs)
    ]
    log.write(
        "start",
        version=VERSION,
        blocks=len(todo),
        executor=type(executor).__name__ if executor else None,
        threads=threads,
    )
    nets = sum(blocks.count_of(runs) for runs in wanted(sweeps).values())
    new = sum(block.stop - block.first for block in todo)
    bar = SweepBar(progress and bool(todo), sum(block.seconds for block in todo), nets)
    bar.finish(nets - new)
    try:
        if executor is None:
            Here(store, bar, log, threads or usable_cores(), backend).run(todo)
        else:
            Elsewhere(store, bar, log, executor, threads or 1, backend).run(todo)
    except KeyboardInterrupt:
        log.write("interrupted")
        raise SweepInterrupted(store) from None
    finally:
        bar.close()
        log.write("end")
    return store


def quarantine(store: Store, sweeps: Sequence[Sweep], quick: bool, log: "Log") -> list[str]:
    """Put damaged blocks of these sweeps aside; returns their names. Raises UnusableFileError for
    what is not damaged but newer.
    """
    names = [one.name for config in wanted(sweeps) for one in store.stored(config.key)]
    damaged = store.damaged(names, quick)
    for name in damaged:
        log.write("quarantine", block=name, place=str(store.put_aside(name)))
    return damaged


def _refuse_another_function(store: Store, configs: Iterable[Config]) -> None:
    """A task of the caller's own is known by its name alone. Raises ConfigError where the store's
    nets learnt another function.
    """
    for config in configs:
        if built_in(config.task):
            continue
        data = sampled(config)
        for one in store.stored(config.key)[:1]:
            with contextlib.suppress(FileError):
                kept = blocks.read_block(store.blocks, one.name).data
                if not all(
                    np.array_equal(getattr(data, name), getattr(kept, name))
                    for name in ("x", "y", "weight")
                ):
                    raise ConfigError(
                        f"{str(store.folder)!r} has nets of another function under the name "
                        f"{config.task!r}; "
                        "register it under another"
                    )


class Log:
    """What happened when, a line of JSON an event, in a file of its own. A log that cannot be
    written stops nothing.
    """

    def __init__(self, folder: Path) -> None:
        name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self.path = folder / LOGS / name
        self.write("open", argv=None)

    def write(self, event: str, **facts: Any) -> None:
        line = json.dumps({"time": round(time.time(), 3), "event": event, **facts}) + "\n"
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)


class Here:
    """Trains blocks in this process: one config after another, in all threads."""

    def __init__(self, store: Store, bar: SweepBar, log: Log, threads: int, backend: str) -> None:
        self.store, self.bar, self.log, self.threads, self.backend = (
            store,
            bar,
            log,
            threads,
            backend,
        )
        self.stop = threading.Event()
        self.failures: list[tuple[Block, BaseException]] = []

    def run(self, todo: Sequence[Block]) -> None:
        """Train and store every block. Raises KeyboardInterrupt with finished blocks stored;
        SweepError, FileError as `sweep`.
        """
        large: list[list[Block]] = []
        small: list[list[Block]] = []
        for batch in self._batches(todo):
            (large if self._fills_threads(batch) else small).append(batch)
        for batch in large:
            self._train(batch, self.threads)
        with ThreadPoolExecutor(self.threads) as pool:
            futures = [pool.submit(self._train, batch, 1) for batch in small]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self.stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        _refuse_failures(self.store, self.failures, len(todo))

    def _batches(self, todo: Sequence[Block]) -> Iterator[list[Block]]:
        """Blocks of one config to train at once, so that many threads have enough to do."""
        for _, blocks_of_config in groupby(todo, key=lambda block: block.config):
            batch: list[Block] = []
            for block in blocks_of_config:
                batch.append(block)
                if sum(one.seconds for one in batch) >= BATCH_SECONDS * self.threads:
                    yield batch
                    batch = []
            if batch:
                yield batch

    def _fills_threads(self, batch: Sequence[Block]) -> bool:
        """Whether these seeds keep all threads busy."""
        seeds = sum(block.stop - block.first for block in batch)
        if seeds > blocks.LANES * (self.threads - 1):
            return True
        engine = prepare(batch[0].config, 1, backend=self.backend).choice.make(1)
        return engine.lanes == 1 or seeds > engine.lanes * (self.threads - 1)

    def _train(self, batch: Sequence[Block], threads: int) -> None:
        """Train and store what of these blocks another process has not stored by now; a failure is
        kept for the end.
        """
        try:
            self._train_and_store([block for block in batch if not self.store.has(block)], threads)
        except FileError:
            raise
        except Exception as error:
            for block in batch:
                self.failures.append((block, error))
                self.log.write("failure", block=block.name, error=_in_one_line(error))
            self.bar.say(f"{batch[0]} failed: {_in_one_line(error)}")

    def _train_and_store(self, batch: Sequence[Block], threads: int) -> None:
        if not batch:
            return
        began = time.perf_counter()
        config = batch[0].config
        seeds = blocks.seeds_in((block.first, block.stop) for block in batch)
        report = self.bar.part(blocks.seconds_per_seed(config) / config.steps)
        report.stop = self.stop
        interrupted = False
        try:
            nets = prepare(config, seeds, backend=self.backend, threads=threads).run_reporting(
                report
            )
        except TrainingInterrupted as interruption:
            nets, interrupted = interruption.nets, True
        seconds = time.perf_counter() - began
        done = 0 if nets is None else len(nets)
        at = 0
        for block in batch:
            part = slice(at, at + block.stop - block.first)
            at = part.stop
            if part.stop > done:
                break
            blocks.write_block(
                self.store.blocks, block, nets.select(np.arange(part.start, part.stop))
            )
            self.bar.finish(block.stop - block.first)
            self.log.write(
                "block",
                block=block.name,
                seconds=round(seconds * (part.stop - part.start) / max(done, 1), 3),
            )
        if interrupted:
            raise KeyboardInterrupt


class Elsewhere:
    """Trains blocks through an executor, longest first; the workers write them, or hand them back
    to be written here.
    """

    def __init__(
        self, store: Store, bar: SweepBar, log: Log, executor: Executor, threads: int, backend: str
    ) -> None:
        self.store, self.bar, self.log, self.executor, self.threads, self.backend = (
            store,
            bar,
            log,
            executor,
            threads,
            backend,
        )
        self.ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self.running: dict[Future, Block] = {}
        self.failures: list[tuple[Block, BaseException]] = []

    def run(self, todo: Sequence[Block]) -> None:
        """Train every block. Raises SweepError at the end where some failed; FileError,
        ResourceError where nothing can go on.
        """
        try:
            self._run(sorted(todo, key=lambda block: -block.seconds), WINDOW)
            suspects = [block for block, error in self.failures if _died_with_its_worker(error)]
            if suspects:
                # Whoever waited beside a block that kills its worker fails with it: one at a time,
                # each is its own culprit.
                self.failures = [failure for failure in self.failures if failure[0] not in suspects]
                self._run(suspects, 1)
        except BaseException:
            for future in self.running:
                future.cancel()
            raise
        _refuse_failures(self.store, self.failures, len(todo))

    def _run(self, todo: Iterable[Block], window: int) -> None:
        waiting = iter(todo)
        while True:
            while len(self.running) < window and (block := next(waiting, None)) is not None:
                self._submit(block)
            if not self.running:
                return
            future = self.ended.get()
            self._take(self.running.pop(future), future)

    def _submit(self, block: Block) -> None:
        task = None if built_in(block.config.task) else task_of(block.config.task)
        folder, token = str(self.store.blocks.resolve()), str(self.log.path.resolve())
        try:
            future = self.executor.submit(
                train_block, block, folder, token, self.threads, task, self.backend
            )
        except (RuntimeError, BrokenExecutor) as error:
            raise ResourceError(
                f"the executor takes no more blocks ({_in_one_line(error)}); the same sweep goes on"
            ) from None
        self.running[future] = block
        future.add_done_callback(self.ended.put)

    def _take(self, block: Block, future: Future) -> None:
        """Deal with the end of a block's training."""
        seeds = block.stop - block.first
        try:
            receipt: Receipt = future.result()
        except (BrokenExecutor, CancelledError) as error:
            why = _in_one_line(error) or type(error).__name__
            raise ResourceError(
                f"the executor broke down ({why}); finished blocks are kept, and the same sweep "
                "goes on"
            ) from None
        except Exception as error:
            self.failures.append((block, error))
            self.log.write("failure", block=block.name, error=_in_one_line(error))
            self.bar.say(f"{block} failed: {_in_one_line(error)}")
            return
        if receipt.content is not None:
            blocks.put_block(self.store.blocks, block.name, receipt.content)
        self.log.write(
            "block",
            block=block.name,
            seconds=receipt.seconds,
            host=receipt.host,
            process=receipt.process,
        )
        self.bar.advance(block.seconds, seeds * block.config.steps)
        self.bar.finish(seeds)


def _refuse_failures(
    store: Store, failures: Sequence[tuple[Block, BaseException]], blocks_in_all: int
) -> None:
    if failures:
        raise SweepError(
            store,
            tuple((str(block), _in_one_line(error)) for block, error in failures),
            blocks_in_all,
        )


def _died_with_its_worker(error: BaseException) -> bool:
    """Whether Dask gave a block up because its workers died; the name is enough, and Dask need not
    be there.
    """
    return type(error).__name__ == "KilledWorker"


def _in_one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, MinilottoError) else f"{type(error).__name__}: {text}"[:300]
