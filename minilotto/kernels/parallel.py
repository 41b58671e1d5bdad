"""When a kernel may use Numba's threads.

Numba's workqueue layer aborts the process when two Python threads enter it at once, and its OpenMP layer when a forked child
does. So one parallel region of ours runs at a time; whoever comes second, and every forked child of a process that had threads,
runs its blocks one after the other in its own thread. Results are the same bit for bit.
"""

import importlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numba
import psutil
from numba.core.compiler_lock import global_compiler_lock

from minilotto.machine import threads_lost_by_fork

LAYERS = {"tbb": "tbbpool", "omp": "omppool", "workqueue": "workqueue"}

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
    # A fork waits until no other thread compiles, else the child would find Numba's lock taken for good.
    os.register_at_fork(
        before=global_compiler_lock.acquire, after_in_parent=global_compiler_lock.release, after_in_child=_after_fork
    )


# Imported for the first time in a child that was forked before minilotto could notice: a layer without threads.
_imported_too_late = layer_in_use() is not None and psutil.Process().num_threads() == 1


def _threads_lost() -> bool:
    return _imported_too_late or threads_lost_by_fork()


@contextmanager
def parallel_region(threads: int) -> Iterator[bool]:
    """Whether the block may use that many of Numba's threads; if so, the region is ours until the block ends.

    It may not where one thread is asked for, in a forked child, and while another thread of this process is in a region.
    """
    ours = False
    try:
        ours = threads > 1 and not _threads_lost() and _region.acquire(blocking=False)
        if not ours:
            yield False
            return
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            yield True
        finally:
            numba.set_num_threads(before)
    finally:
        if ours:
            _region.release()


def run_blocks(
    together: Callable, alone: Callable, blocks: int, threads: int, split: Callable[[int], tuple], arguments: tuple
) -> None:
    """together(*arguments) over `threads` threads where that is safe; else alone(*split(block)) for each block in turn."""
    with parallel_region(min(threads, blocks, numba.config.NUMBA_NUM_THREADS)) as ours:
        if ours:
            together(*arguments)
        else:
            for block in range(blocks):
                alone(*split(block))
