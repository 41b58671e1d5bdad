"""Which GPU this machine offers, or in one line why it offers none. CUDA is loaded on the first
call.
"""

import importlib.util
import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from minilotto.errors import MinilottoError, MissingExtraError, ResourceError
from minilotto.hardware.machine import readable_bytes

OLDEST = (7, 0)  # the first whose threads of a warp can wait for each other
DEVICES = ("/dev/nvidiactl", "/dev/dxg")  # of Linux, and of Linux within Windows


@dataclass(frozen=True)
class Gpu:
    """The GPU that trainings use: the one that CUDA lists first (CUDA_VISIBLE_DEVICES says which
    that is).
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
    """Whether NUMBA_ENABLE_CUDASIM asks for Numba's simulator, which is for tests: right, and a
    million times slower.
    """
    import numba

    return bool(numba.config.ENABLE_CUDASIM)


@lru_cache(maxsize=1)
def the_gpu() -> Gpu:
    """The GPU. Raises MissingExtraError without numba-cuda, ResourceError where there is no driver
    or none that will do.
    """
    if simulated():
        return Gpu("Numba's simulator", OLDEST, 1, 2**30)
    if importlib.util.find_spec("numba_cuda") is None:
        raise MissingExtraError(
            'backend="cuda" needs the package numba-cuda; pip install "minilotto[cuda]" brings it'
        )
    from numba import cuda

    try:
        device = cuda.get_current_device()
        with_memory = cuda.current_context().get_memory_info()
    except Exception as error:  # of whatever kind the driver's state makes it
        reason = " ".join(str(error).split()).strip(" .:") or type(error).__name__
        raise ResourceError(f"no GPU can be used here ({reason}); use backend='cpu'") from None
    name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
    capability = tuple(device.compute_capability)
    if capability < OLDEST:
        raise ResourceError(
            f"{name} has compute capability {capability[0]}.{capability[1]} where "
            f"{OLDEST[0]}.{OLDEST[1]} is needed; "
            "use backend='cpu'"
        )
    return Gpu(name, capability, int(device.MULTIPROCESSOR_COUNT), int(with_memory.total))


def there_is_a_gpu() -> bool:
    """Whether one can be used, without loading CUDA where the system shows no sign of any; the
    simulator does not count.
    """
    signs = any(Path(device).exists() for device in DEVICES) or (
        os.name == "nt" and sys.maxsize > 2**32
    )
    if not signs or simulated() or importlib.util.find_spec("numba_cuda") is None:
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
    """Bytes that are free on the GPU."""
    from numba import cuda

    free = cuda.current_context().get_memory_info().free
    return int(free) if free < float("inf") else the_gpu().memory
