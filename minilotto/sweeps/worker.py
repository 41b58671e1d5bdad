"""What a worker process does: train one block and put it where it belongs."""

import os
import platform
import time
from pathlib import Path
from typing import NamedTuple

from minilotto.errors import FileError
from minilotto.settings.tasks import TASKS, Task
from minilotto.store import blocks
from minilotto.store.blocks import Block
from minilotto.training.progress import Silent
from minilotto.training.train import prepare


class Receipt(NamedTuple):
    """A block is done: in how many seconds, by whom. `content` holds its sealed bytes where the
    worker could not write them.
    """

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
    """Train a block in so many threads and write it below `folder`, unless a sound one is there by
    now.

    token  a file of the driver's; where it is not to be seen, this is not the driver's folder, and
           the receipt holds the block
    task   to be registered first: one that the driver has and this process may lack
    """
    began = time.perf_counter()
    if task is not None:
        TASKS[task.name] = (
            # each block brings a copy of its own, which register_task would take for another
            # function
            task
        )
    content: bytes | None = None
    reachable = Path(token).exists()
    if not (reachable and _is_there(Path(folder), block.name)):
        nets = prepare(
            block.config, range(block.first, block.stop), backend=backend, threads=threads
        ).run_reporting(Silent())
        content = blocks.sealed_bytes(block, nets)
        if reachable:
            try:
                blocks.put_block(Path(folder), block.name, content)
                content = None
            except FileError:
                # the driver, which may have other rights or another disk, tries it too, and says
                # why it fails
                pass
    return Receipt(round(time.perf_counter() - began, 3), platform.node(), os.getpid(), content)


def _is_there(folder: Path, name: str) -> bool:
    try:
        blocks.sealed_content(folder, name)
    except FileError:
        return False
    return True
