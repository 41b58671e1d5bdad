"""Which threads run kernels.

Blocks of nets go to Python threads, in which compiled kernels run without the GIL: these need no
threading layer of Numba's, and work in any process, forked ones too. The threads that share one
wide net synchronise at every step, and are Numba's. Its workqueue layer aborts the process when two
Python threads enter it at once, and its OpenMP layer when a forked child does.

One set of threads of ours runs at a time. A second caller does all blocks in its own thread, and so
does every forked child of a process that had Numba's threads with a wide net. Results are the same
bit for bit.
"""

import importlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import minilotto.hardware.compiler  # noqa: F401  before Numba

# isort: split
import numba
import psutil
from numba.core.compiler_lock import global_compiler_lock

from minilotto.hardware.machine import threads_lost_by_fork

LAYERS = {"tbb": "tbbpool", "omp": "omppool", "workqueue": "workqueue"}
# A thread gets its blocks in so many pieces, so that a delayed thread leaves some to the others.
PIECES_A_THREAD = 4
PIECE_SECONDS = 2e-4  # or more, beside which a call, during which others wait, takes little


class _KeptThreads:
    """Threads, and the number of blocks that keep them; they end with the last."""

    pool: ThreadPoolExecutor | None = None
    blocks = 0


_region, _counting, _kept = threading.Lock(), threading.Lock(), _KeptThreads()


def _after_fork() -> None:
    global _region, _counting, _kept
    global_compiler_lock.release()
    _region, _counting = threading.Lock(), threading.Lock()  # the parent may have held them
    _kept.pool = None  # a block that a child leaves has none of its parent's threads to end
    _kept = _KeptThreads()


def layer_in_use() -> str | None:
    """Name of the threading layer that this process has started, or None."""
    try:
        return str(numba.threading_layer())
    except ValueError:
        return None


def available_layers() -> list[str]:
    """Names of the threading layers that can be loaded here; loading starts none."""
    return [name for name, module in LAYERS.items() if _loads(f"numba.np.ufunc.{module}")]


def most_threads() -> int:
    """The most threads that Numba starts here: NUMBA_NUM_THREADS, or the usable cores."""
    return int(numba.config.NUMBA_NUM_THREADS)


def _loads(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


if hasattr(os, "register_at_fork"):
    # A fork waits until no other thread compiles, else the child could never take Numba's lock.
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=_after_fork,
    )


# Whether minilotto was first imported in a forked child: it has a threading layer without threads.
_imported_too_late = layer_in_use() is not None and psutil.Process().num_threads() == 1


@contextmanager
def _alone(wanted: bool) -> Iterator[bool]:
    """Whether threads are wanted and no others of ours run; if so, none start until the block
    ends.
    """
    region = _region  # another one after a fork within the block
    ours = wanted and region.acquire(blocking=False)
    try:
        yield ours
    finally:
        if ours:
            region.release()


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


@contextmanager
def kept_threads() -> Iterator[_KeptThreads]:
    """Threads that `run_works` starts within the block serve it until the block ends: starting
    fifteen takes a millisecond.
    """
    kept = _kept
    with _counting:
        kept.blocks += 1
    try:
        yield kept
    finally:
        with _counting:
            kept.blocks -= 1
            ended, kept.pool = (None, kept.pool) if kept.blocks else (kept.pool, None)
        if ended is not None:
            ended.shutdown()


class Work(NamedTuple):
    """run(*arguments, begin, end) for ranges that make up range(blocks). `seconds` is what a block
    takes, about, where that may be little.
    """

    run: Callable[..., None]
    arguments: tuple[Any, ...]
    blocks: int
    seconds: float = 1.0

    def most_pieces(self) -> int:
        return int(min(self.blocks, max(1.0, self.blocks * self.seconds / PIECE_SECONDS)))

    def pieces(self, threads: int) -> Iterator[Callable[[], None]]:
        """Calls that do all of it: some a thread, or a single one."""
        pieces = min(self.most_pieces(), PIECES_A_THREAD * threads if threads > 1 else 1)
        for piece in range(pieces):
            begin, end = (self.blocks * edge // pieces for edge in (piece, piece + 1))
            yield partial(self.run, *self.arguments, begin, end)


def run_blocks(
    run: Callable[..., None],
    arguments: tuple[Any, ...],
    blocks: int,
    threads: int,
    seconds: float = 1.0,
) -> None:
    """One Work."""
    run_works([Work(run, arguments, blocks, seconds)], threads)


def run_works(works: Sequence[Work], threads: int) -> None:
    """All of them, in `threads` threads at most; the longest blocks should be in the first."""
    threads = min(threads, sum(work.most_pieces() for work in works), most_threads())
    with _alone(threads > 1) as ours:
        count = threads if ours else 1
        left = iter([piece for work in works for piece in work.pieces(count)])

        def work() -> None:
            try:
                for piece in left:  # shared: each thread takes the next one
                    piece()
            finally:  # where one fails, or is interrupted, no thread begins another
                deque(left, maxlen=0)

        if not ours:
            work()
            return

        with kept_threads() as kept:
            pool = kept.pool = kept.pool or ThreadPoolExecutor(most_threads())
            others = [pool.submit(work) for _ in range(threads - 1)]
            try:
                work()
            finally:
                wait(others)
        for other in others:
            other.result()
