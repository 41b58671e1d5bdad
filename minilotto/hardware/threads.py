"""Which threads run kernels.

Blocks of nets go to Python threads, which a compiled kernel runs in without the GIL: they need no
threading layer of Numba's, and work in any process, forked ones too. The threads that share one
wide net meet at every step, and are Numba's. Its workqueue layer aborts the process when two Python
threads enter it at once, and its OpenMP layer when a forked child does.

One set of threads of ours runs at a time; whoever comes second does all blocks alone, in its own
thread, as every forked child of a process that had Numba's threads does with a wide net. Results
are the same bit for bit.
"""

import importlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numba
import numpy as np
import psutil
from numba.core.compiler_lock import global_compiler_lock

from minilotto.hardware.machine import threads_lost_by_fork

LAYERS = {"tbb": "tbbpool", "omp": "omppool", "workqueue": "workqueue"}
# of the blocks that a thread gets, one after the other: one that is held up leaves some to the
# others
SHARES = 4

_region = threading.Lock()


def _after_fork() -> None:
    global _region
    global_compiler_lock.release()
    _region = threading.Lock()  # the parent may have held it


def layer_in_use() -> str | None:
    """Name of the threading layer that this process has started, or None."""
    try:
        return numba.threading_layer()
    except ValueError:
        return None


def available_layers() -> list[str]:
    """Names of the threading layers that can be loaded here; loading starts none."""
    return [name for name, module in LAYERS.items() if _loads(f"numba.np.ufunc.{module}")]


def _loads(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


if hasattr(os, "register_at_fork"):
    # A fork waits until no other thread compiles, else the child would find Numba's lock taken for
    # good.
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=_after_fork,
    )


# Imported for the first time in a child that was forked before minilotto could notice: a layer
# without threads.
_imported_too_late = layer_in_use() is not None and psutil.Process().num_threads() == 1


@contextmanager
def _alone(wanted: bool) -> Iterator[bool]:
    """Whether threads are wanted and no others of ours run; if so, that is kept so until the block
    ends.
    """
    ours = wanted and _region.acquire(blocking=False)
    try:
        yield ours
    finally:
        if ours:
            _region.release()


@contextmanager
def parallel_region(threads: int) -> Iterator[bool]:
    """Whether the block may use that many of Numba's threads.

    It may not where one thread is asked for, in a forked child, and while other threads of ours
    run.
    """
    with _alone(threads > 1 and not _imported_too_late and not threads_lost_by_fork()) as ours:
        if not ours:
            yield False
            return
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            yield True
        finally:
            numba.set_num_threads(before)


def run_blocks(train: Callable, arguments: tuple, blocks: int, threads: int) -> None:
    """train(*arguments, begin, end) for parts of range(blocks) that make up all of it, in `threads`
    threads at most.
    """
    threads = min(threads, blocks, numba.config.NUMBA_NUM_THREADS)
    with _alone(threads > 1) as ours:
        if not ours:
            train(*arguments, 0, blocks)
            return
        edges = np.linspace(0, blocks, min(blocks, SHARES * threads) + 1).astype(int).tolist()
        parts = iter(list(itertools.pairwise(edges)))

        def work() -> None:
            for begin, end in parts:  # whoever is free takes the next
                train(*arguments, begin, end)

        with ThreadPoolExecutor(threads - 1) as pool:
            helpers = [pool.submit(work) for _ in range(threads - 1)]
            work()
        for helper in helpers:
            helper.result()
