"""The training kernels, compiled for the current GPU and kept on disk."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from numba import cuda, types
from numba.core import event

from minilotto.kernels.compile import sources_digest, warn_of_no_cache
from minilotto.kernels.gpu.partition import ASIDE, Draws, Kind, limits
from minilotto.kernels.gpu.train import SIMULATED, resident, streamed


def signature(dtype: str) -> tuple[Any, ...]:
    """The types of a training kernel's arguments."""
    real = getattr(types, dtype)
    nets, constants = real[:, ::1], types.UniTuple(types.float64, 5)
    sizes = (types.float64, types.int64)
    parts = (types.int64[::1], types.int32[:, ::1], *[types.int64] * 3)
    draws = types.NamedTuple(parts, Draws)
    return (*sizes, nets, nets, nets, nets, real[::1], types.int64, draws, nets, constants)


def training_function(kind: Kind, limit: int = 0) -> Callable:
    """What training_kernel compiles, for `limit` registers."""
    key = int(sources_digest(), 16), limit
    return streamed(kind, key) if kind.partition.streamed else resident(kind, key)


@lru_cache(maxsize=256)
def training_kernel(kind: Kind) -> Any:
    """The kernel of that kind.

    Compiled for the current GPU, unless an earlier process has and the cache kept it.
    """
    if SIMULATED:
        return cuda.jit(training_function(kind))
    with event.trigger_event("numba:compile"):
        for limit in limits(kind):
            kernel = _kernel(kind, limit)
            if kernel.get_local_mem_per_thread() <= ASIDE:
                break
    return kernel


def _kernel(kind: Kind, limit: int) -> Any:
    function, types_of = training_function(kind, limit), signature(kind.dtype)
    try:
        return cuda.jit(types_of, cache=True, max_registers=limit)(function)
    except (RuntimeError, OSError):  # no folder is writable, or its disk is full
        warn_of_no_cache()
        return cuda.jit(types_of, max_registers=limit)(function)
