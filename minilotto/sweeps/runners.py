"""Runners train the blocks of a sweep: in this process, or through an executor."""

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
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from minilotto.engines.request import requested
from minilotto.errors import FileError, MinilottoError, ResourceError, SweepError
from minilotto.settings.tasks import built_in, task_of
from minilotto.signals import Deferral
from minilotto.store import blocks
from minilotto.store.blocks import Block
from minilotto.store.folder import LOGS
from minilotto.store.format import LANES, seconds_per_seed
from minilotto.store.store import Store
from minilotto.sweeps.budgets import remaining, trained
from minilotto.sweeps.worker import Receipt, train_block
from minilotto.training.progress import BarPart, SweepBar
from minilotto.training.train import prepare

# Blocks of one config are trained together until they take this many seconds of all threads.
BATCH_SECONDS = 10.0
WINDOW = 2048  # blocks that an executor holds at a time


class Log:
    """A file of events, one line of JSON each. A log that cannot be written stops nothing."""

    def __init__(self, folder: Path) -> None:
        began = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        name = f"{began}-{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self.path = folder / LOGS / name
        self.write("open", argv=None)

    def write(self, event: str, **facts: Any) -> None:
        line = json.dumps({"time": round(time.time(), 3), "event": event, **facts}) + "\n"
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)


@dataclass(eq=False)
class Runner:
    """What both runners share: the store, its log, the bar, and failures, kept for the end."""

    store: Store
    bar: SweepBar
    log: Log
    threads: int
    backend: str
    failures: list[tuple[Block, BaseException]] = field(default_factory=list, init=False)

    def fail(self, failed: Sequence[Block], error: Exception) -> None:
        """Record that these blocks failed."""
        for block in failed:
            self.failures.append((block, error))
            self.log.write("failure", block=block.name, error=_in_one_line(error))
        self.bar.say(f"{failed[0]} failed: {_in_one_line(error)}")

    def raise_failures(self, count: int) -> None:
        """Raises SweepError where some of `count` blocks failed."""
        if self.failures:
            failures = tuple((str(block), _in_one_line(error)) for block, error in self.failures)
            raise SweepError(self.store, failures, count)


@dataclass(eq=False)
class LocalRunner(Runner):
    """Trains blocks in this process: one config after another, in all threads."""

    def __post_init__(self) -> None:
        self.request, self.stop = requested(self.backend, "auto", True), threading.Event()

    def run(self, todo: Sequence[Block]) -> None:
        """Train and store every block. Raises KeyboardInterrupt, SweepError, FileError."""
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
        self.raise_failures(len(todo))

    def _batches(self, todo: Sequence[Block]) -> Iterator[list[Block]]:
        """Blocks of one config to train together, so that all threads have enough work."""
        for config, blocks_of_config in groupby(todo, key=lambda block: block.config):
            # The format's model knows no nodes of two inputs; what has no cost is not a number.
            cost = 1e-9 * config.steps * prepare(config, 1, self.request).choice.cost
            seconds = min(seconds_per_seed(config), cost)
            batch: list[Block] = []
            for block in blocks_of_config:
                batch.append(block)
                seeds = sum(one.stop - one.first for one in batch)
                if seeds * seconds >= BATCH_SECONDS * self.threads:
                    yield batch
                    batch = []
            if batch:
                yield batch

    def _fills_threads(self, batch: Sequence[Block]) -> bool:
        """Whether these seeds keep all threads busy."""
        seeds = sum(block.stop - block.first for block in batch)
        if seeds > LANES * (self.threads - 1):
            return True
        engine = prepare(batch[0].config, 1, self.request).choice.make(1)
        return engine.lanes == 1 or seeds > engine.lanes * (self.threads - 1)

    def _train(self, batch: Sequence[Block], threads: int) -> None:
        """Train and store those of these blocks that no other process has stored by now."""
        try:
            with Deferral():
                for some in remaining(batch, self.store.has):
                    self._train_and_store(some, threads)
        except KeyboardInterrupt:  # the other threads stop now, not when this one is waited for
            self.stop.set()
            raise
        except FileError:
            raise
        except Exception as error:
            self.fail(batch, error)

    def _train_and_store(self, batch: Sequence[Block], threads: int) -> None:
        config = batch[0].config
        report = BarPart(self.bar, seconds_per_seed(config) / config.steps, self.stop)
        for block, nets, seconds in trained(batch, self.request, threads, report):
            blocks.write_block(self.store.blocks, block, nets)
            self.bar.finish(len(nets))
            self.log.write("block", block=block.name, seconds=round(seconds, 3))


@dataclass(eq=False)
class ExecutorRunner(Runner):
    """Trains blocks through an executor, longest first.

    The workers write them, or return them to be written here.
    """

    executor: Executor

    def __post_init__(self) -> None:
        self.ended: queue.SimpleQueue[Future[Receipt]] = queue.SimpleQueue()
        self.running: dict[Future[Receipt], Block] = {}

    def run(self, todo: Sequence[Block]) -> None:
        """Train every block.

        Raises SweepError at the end where some failed; FileError and ResourceError where the sweep
        cannot go on.
        """
        try:
            self._run(sorted(todo, key=lambda block: -block.seconds), WINDOW)
            # Dask gave these up because their workers died; it need not be installed.
            suspects = [
                block for block, error in self.failures if type(error).__name__ == "KilledWorker"
            ]
            if suspects:
                # A block that kills its worker takes those that wait beside it along: run again one
                # at a time, only the cause fails.
                self.failures = [failure for failure in self.failures if failure[0] not in suspects]
                self._run(suspects, 1)
        except BaseException:
            for future in self.running:
                future.cancel()
            raise
        self.raise_failures(len(todo))

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

    def _take(self, block: Block, future: Future[Receipt]) -> None:
        """Store and log a block whose training has ended, or record its failure."""
        try:
            receipt = future.result()
        except (BrokenExecutor, CancelledError) as error:
            why = _in_one_line(error) or type(error).__name__
            raise ResourceError(
                f"the executor broke down ({why}); finished blocks are kept, and the same sweep "
                "goes on"
            ) from None
        except Exception as error:
            self.fail([block], error)
            return
        for name, content in (receipt.content or {}).items():
            blocks.put_block(self.store.blocks, name, content, block.config.task)
        facts = {"seconds": receipt.seconds, "host": receipt.host, "process": receipt.process}
        self.log.write("block", block=block.name, **facts)
        self.bar.advance(block.seconds, (block.stop - block.first) * block.config.steps)
        self.bar.finish(sum(one.stop - one.first for one in (block, *block.shorter)))


def _in_one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, MinilottoError) else f"{type(error).__name__}: {text}"[:300]
