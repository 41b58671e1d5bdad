"""The kernels, compiled for the current GPU and kept on disk."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from numba import cuda, types
from numba.core import event

from minilotto.kernels.compile import number_of, sources_digest, warn_of_no_cache
from minilotto.kernels.gpu.evaluate import evaluation
from minilotto.kernels.gpu.partition import ASIDE, Draws, Evaluation, Form, Gathering, limits
from minilotto.kernels.gpu.simulated import SIMULATED
from minilotto.kernels.gpu.train import resident, streamed


def gathering() -> Callable:
    """The kernel that copies nets into a smaller batch."""

    def copy_rows(source, places, first, target):
        """Copy the rows at `places` to those from `first` on, a number a thread."""
        at = cuda.grid(1)
        row, column = at // source.shape[1], at % source.shape[1]
        if row < len(places):
            target[first + row, column] = source[places[row], column]

    return copy_rows


def function_of(kind: Form, limit: int = 0) -> tuple[Callable, tuple[Any, ...]]:
    """What kernel_of compiles, for `limit` registers, and the types of its arguments."""
    key, real, number = (
        (int(sources_digest(), 16), limit),
        getattr(types, kind.dtype),
        types.float64,
    )
    sizes, nets, numbers = (number, types.int64), real[:, ::1], number[::1]
    if isinstance(kind, Gathering):
        return gathering(), (nets, types.int64[::1], types.int64, nets)
    if isinstance(kind, Evaluation):
        return evaluation(kind, key), (*sizes, nets, numbers, number, numbers, number, numbers)
    draws = types.NamedTuple((types.int64[::1], types.int32[:, ::1], *[types.int64] * 3), Draws)
    points = real[::1], types.int64, draws
    made = streamed if kind.partition.streamed else resident
    return made(kind, key), (*sizes, *[nets] * 4, *points, nets, types.UniTuple(number, 5))


@lru_cache(maxsize=256)
def kernel_of(kind: Form) -> Any:
    """The kernel of that kind.

    Compiled for the current GPU, unless an earlier process has and the cache kept it.
    """
    if SIMULATED:
        return cuda.jit(function_of(kind)[0])
    with event.trigger_event("numba:compile"):
        for limit in limits(kind):
            kernel = _kernel(kind, limit)
            if kernel.get_local_mem_per_thread() <= ASIDE:
                break
    return kernel


def _kernel(kind: Form, limit: int) -> Any:
    function, types_of = function_of(kind, limit)
    # Numba's files bear this name: processes that compile at once would write two kernels into one.
    capability = cuda.get_current_device().compute_capability
    number = number_of(sources_digest(), kind, limit, capability)
    function.__qualname__ = f"{function.__name__}_{number}"
    try:
        return cuda.jit(types_of, cache=True, max_registers=limit)(function)
    except (RuntimeError, OSError):  # no folder is writable, or its disk is full
        warn_of_no_cache()
        return cuda.jit(types_of, max_registers=limit)(function)
