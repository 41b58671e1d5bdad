"""Work of a worker process: train one block and store it."""

import contextlib
import os
import platform
import time
from pathlib import Path
from typing import NamedTuple

from minilotto.engines.request import requested
from minilotto.errors import FileError
from minilotto.settings.tasks import TASKS, Task
from minilotto.signals import Deferral
from minilotto.store import blocks
from minilotto.store.blocks import Block
from minilotto.training.progress import Silent
from minilotto.training.train import prepare


class Receipt(NamedTuple):
    """Seconds, host and process of a finished block, and its bytes where they were not written."""

    seconds: float
    host: str
    process: int
    content: bytes | None


def train_block(
    block: Block,
    folder: str,
    token: str,
    threads: int,
    task: Task | None = None,
    backend: str = "auto",
) -> Receipt:
    """Train a block in so many threads and write it below `folder`, unless a sound one is there.

    `token` is a file of the sweeping process; where it is missing, this is another machine's
    folder, and the receipt holds the block. `task` is one that this process may lack.
    """
    began = time.perf_counter()
    if task is not None:
        # Each block has its own copy, which register_task would take for another function.
        TASKS[task.name] = task
    content: bytes | None = None
    reachable = Path(token).exists()
    if not (reachable and blocks.is_sound(Path(folder), block.name)):
        seeds = range(block.first, block.stop)
        job = prepare(block.config, seeds, requested(backend, "auto", True), threads=threads)
        with Deferral():
            content = blocks.sealed_bytes(block, job.run_reporting(Silent()))
            if reachable:
                # Where it fails, the sweeping process tries it too, and says why.
                with contextlib.suppress(FileError):
                    blocks.put_block(Path(folder), block.name, content)
                    content = None
    return Receipt(round(time.perf_counter() - began, 3), platform.node(), os.getpid(), content)
