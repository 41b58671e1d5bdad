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

LAYERS = {"tbb": "tbbpool", "omp": "omppool", "workqueue": "workqueue"}

_region = threading.Lock()
_forked = False


def _after_fork() -> None:
    global _forked, _region
    _region = threading.Lock()  # the parent may have held it
    _forked = _forked or layer_in_use() is not None


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
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def _threads_set_to(threads: int) -> Iterator[None]:
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        yield
    finally:
        numba.set_num_threads(before)


def run_blocks(
    together: Callable, alone: Callable, blocks: int, threads: int, split: Callable[[int], tuple], arguments: tuple
) -> None:
    """together(*arguments) over `threads` threads where that is safe; else alone(*split(block)) for each block in turn."""
    threads = min(threads, blocks, numba.config.NUMBA_NUM_THREADS)
    ours = False
    try:
        ours = threads > 1 and not _forked and _region.acquire(blocking=False)
        if ours:
            with _threads_set_to(threads):
                together(*arguments)
        else:
            for block in range(blocks):
                alone(*split(block))
    finally:
        if ours:
            _region.release()
