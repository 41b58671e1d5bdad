"""Work of a worker process: train one block and store it."""

import contextlib
import os
import platform
import time
from pathlib import Path
from typing import NamedTuple

from minilotto.engines.request import requested
from minilotto.errors import FileError
from minilotto.settings.tasks import Task, register_task
from minilotto.signals import Deferral
from minilotto.store import blocks
from minilotto.store.blocks import Block
from minilotto.sweeps.budgets import remaining, trained
from minilotto.training.progress import TrainingBar


class Receipt(NamedTuple):
    """Seconds, host and process of a finished block, and by name files that were not written."""

    seconds: float
    host: str
    process: int
    content: dict[str, bytes] | None


def train_block(
    block: Block,
    folder: str,
    token: str,
    threads: int,
    task: Task | None = None,
    backend: str = "auto",
) -> Receipt:
    """Train a block and the shorter ones that it serves in so many threads and write them below
    `folder`, unless sound ones are there.

    `token` is a file of the sweeping process; where it is missing, this is another machine's
    folder, and the receipt holds the block. `task` is one that this process may lack.
    """
    began = time.perf_counter()
    if task is not None:
        register_task(task)
    content: dict[str, bytes] = {}
    reachable, request = Path(token).exists(), requested(backend, "auto", True)

    def is_there(block: Block) -> bool:
        return reachable and blocks.is_sound(Path(folder), block.name)

    with Deferral():
        for batch in remaining([block], is_there):
            for one, nets, _ in trained(batch, request, threads, TrainingBar()):
                content[one.name] = blocks.sealed_bytes(one, nets)
                if reachable:
                    # Where it fails, the sweeping process tries it too, and says why.
                    with contextlib.suppress(FileError):
                        blocks.put_block(Path(folder), one.name, content[one.name], one.config.task)
                        del content[one.name]
    seconds = round(time.perf_counter() - began, 3)
    return Receipt(seconds, platform.node(), os.getpid(), content or None)
