"""Which GPU this machine has, or in one line why none can be used. CUDA is loaded on demand."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from minilotto.errors import MinilottoError, ResourceError, optional, reason_of
from minilotto.hardware.machine import readable_bytes

OLDEST = (7, 0)  # the first whose threads of a warp can wait for each other
DEVICES = ("/dev/nvidiactl", "/dev/dxg")  # of Linux, and of Linux within Windows


@dataclass(frozen=True)
class Gpu:
    """The GPU that trainings use: the first in CUDA's list, which CUDA_VISIBLE_DEVICES selects.

    name: its model; capability: major and minor; processors: multiprocessors; memory: bytes.
    """

    name: str
    capability: tuple[int, int]
    processors: int
    memory: int

    def __str__(self) -> str:
        major, minor = self.capability
        return (
            f"{self.name}, compute capability {major}.{minor}, {self.processors} processors, "
            f"{readable_bytes(self.memory)}"
        )


def simulated() -> bool:
    """Whether Numba's simulator is selected: for tests, correct and a million times slower."""
    import numba

    return bool(numba.config.ENABLE_CUDASIM)


@contextmanager
def driver_errors() -> Iterator[None]:
    """For a block that uses the GPU: what its driver reports, for want of memory that another
    program took for one, is ResourceError.
    """
    try:
        yield
    except Exception as error:
        # numba-cuda's class and that of cuda-core, which it launches with: neither need be loaded.
        if not {one.__name__ for one in type(error).__mro__} & {"CudaAPIError", "CUDAError"}:
            raise
        raise ResourceError(
            f"the GPU cannot go on ({reason_of(error)}); see that no other program takes its "
            "memory, or use backend='cpu'"
        ) from error


@contextmanager
def working() -> Iterator[None]:
    """For a block that uses numba.cuda: what fails as versions do not fit is MissingExtraError, and
    what the GPU's driver reports ResourceError.
    """
    own = simulated() and find_spec("numba_cuda") is None and find_spec("numba.cuda") is not None
    # Numba once had a simulator.
    with nullcontext() if own else optional("numba_cuda", "cuda"), driver_errors():
        yield


def numba_cuda() -> Any:
    """The module numba.cuda, of the package numba-cuda or of Numba's simulator; what else Numba has
    by itself is no replacement. Raises MissingExtraError where it cannot be used.
    """
    with working():
        return import_module("numba.cuda")


@lru_cache(maxsize=1)
def the_gpu() -> Gpu:
    """The GPU. Raises MissingExtraError without numba-cuda, ResourceError without a usable GPU."""
    cuda = numba_cuda()
    if simulated():
        return Gpu("Numba's simulator", OLDEST, 1, 2**30)
    try:
        device = cuda.get_current_device()
        with_memory = cuda.current_context().get_memory_info()
    except Exception as error:  # its class depends on the state of the driver
        reason = " ".join(str(error).split()).strip(" .:") or type(error).__name__
        raise ResourceError(f"no GPU can be used here ({reason}); use backend='cpu'") from None
    name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
    capability = tuple(device.compute_capability)
    if capability < OLDEST:
        raise ResourceError(
            f"{name} has compute capability {capability[0]}.{capability[1]} where "
            f"{OLDEST[0]}.{OLDEST[1]} is needed; use backend='cpu'"
        )
    return Gpu(name, capability, int(device.MULTIPROCESSOR_COUNT), int(with_memory.total))


def there_is_a_gpu() -> bool:
    """Whether there is a GPU (no simulator); CUDA is loaded only where the system shows a sign."""
    signs = any(Path(device).exists() for device in DEVICES) or (
        os.name == "nt" and sys.maxsize > 2**32
    )
    if not signs or simulated():
        return False
    try:
        the_gpu()
    except MinilottoError:
        return False
    return True


def about_the_gpu() -> str:
    """The GPU, or why there is none, in one line."""
    try:
        return str(the_gpu())
    except MinilottoError as error:
        return f"none: {error}"


def free_memory() -> int:
    """Free memory of the GPU in bytes."""
    free = numba_cuda().current_context().get_memory_info().free
    return int(free) if free < float("inf") else the_gpu().memory
