"""The kernels, compiled for the current GPU and kept on disk."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from numba import cuda, types
from numba.core import event

from minilotto.kernels.compile import sources_digest, warn_of_no_cache
from minilotto.kernels.gpu.evaluate import REGISTERS, evaluation
from minilotto.kernels.gpu.partition import ASIDE, Draws, Evaluation, Kind, limits
from minilotto.kernels.gpu.train import SIMULATED, resident, streamed


def signature(dtype: str) -> tuple[Any, ...]:
    """The types of a training kernel's arguments."""
    real = getattr(types, dtype)
    nets, constants = real[:, ::1], types.UniTuple(types.float64, 5)
    sizes = (types.float64, types.int64)
    parts = (types.int64[::1], types.int32[:, ::1], *[types.int64] * 3)
    draws = types.NamedTuple(parts, Draws)
    return (*sizes, nets, nets, nets, nets, real[::1], types.int64, draws, nets, constants)


def evaluation_signature(dtype: str) -> tuple[Any, ...]:
    """The types of an evaluating kernel's arguments."""
    number, numbers = types.float64, types.float64[::1]
    nets = getattr(types, dtype)[:, ::1]
    return (number, types.int64, nets, numbers, number, numbers, number, numbers)


def function_of(kind: Kind | Evaluation, limit: int = 0) -> tuple[Callable, tuple[Any, ...]]:
    """What kernel_of compiles, for `limit` registers, and its arguments' types."""
    key = int(sources_digest(), 16), limit
    if isinstance(kind, Evaluation):
        return evaluation(kind, key), evaluation_signature(kind.dtype)
    made = streamed if kind.partition.streamed else resident
    return made(kind, key), signature(kind.dtype)


def limits_of(kind: Kind | Evaluation) -> tuple[int, ...]:
    """Registers to compile for, of which the first that suffice are taken."""
    return (REGISTERS,) if isinstance(kind, Evaluation) else limits(kind)


@lru_cache(maxsize=256)
def kernel_of(kind: Kind | Evaluation) -> Any:
    """The kernel of that kind.

    Compiled for the current GPU, unless an earlier process has and the cache kept it.
    """
    if SIMULATED:
        return cuda.jit(function_of(kind)[0])
    with event.trigger_event("numba:compile"):
        for limit in limits_of(kind):
            kernel = _kernel(kind, limit)
            if kernel.get_local_mem_per_thread() <= ASIDE:
                break
    return kernel


def _kernel(kind: Kind | Evaluation, limit: int) -> Any:
    function, types_of = function_of(kind, limit)
    try:
        return cuda.jit(types_of, cache=True, max_registers=limit)(function)
    except (RuntimeError, OSError):  # no folder is writable, or its disk is full
        warn_of_no_cache()
        return cuda.jit(types_of, max_registers=limit)(function)
