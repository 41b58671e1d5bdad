"""The machine code of the GPU's kernels for compute capability 9.0, on a machine with or without a
GPU: registers, local memory, and instructions of a step. Needs numba-cuda.
"""

import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from types import SimpleNamespace
from unittest.mock import patch

from minilotto.hardware.gpu import numba_cuda
from minilotto.kernels.gpu.partition import ASIDE, Evaluation, Form, Kind, limits

CAPABILITY = (9, 0)
INSTRUCTION = 16  # bytes
BRANCH, LOAD_LOCAL, STORE_LOCAL = 0x947, 0x983, 0x387  # the lowest 12 bits of an instruction


@dataclass(frozen=True)
class MachineCode:
    """A kernel's, as the assembler gives it.

    registers, aside    of a thread; bytes of memory that stand in for registers
    local               instructions of a step that use such memory
    step, round         instructions of a step, without those of rounds; of a round, in which each
                        leaf of a thread gets a batch of points
    """

    registers: int
    aside: int
    local: int
    step: int
    round: int

    def a_unit(self, kind: Kind, width: int, points: int) -> float:
        """Instructions that all threads of a net issue in a step, over its neurons and points."""
        partition = kind.partition
        full, rest = divmod(partition.batches(points), partition.leaves)
        leaves = partition.leaves // partition.splits
        rounds = full + -(-rest // partition.splits) / leaves
        return partition.threads * (self.step + rounds * self.round) / (width * points)


@lru_cache(maxsize=64)
def ptx_of(kind: Form) -> str:
    """The kernel in NVIDIA's virtual instructions."""
    cuda = numba_cuda()
    from minilotto.kernels.gpu.compiled import function_of

    device = SimpleNamespace(compute_capability=CAPABILITY)  # numba-cuda asks for the present one
    with patch("numba.cuda.dispatcher.get_current_device", lambda: device):
        return str(cuda.compile_ptx(*function_of(kind), cc=CAPABILITY)[0])


def machine_code_of(kind: Kind | Evaluation) -> MachineCode:
    """What a GPU would run, of a kernel whose nets stay in registers."""
    source = ptx_of(kind).encode() + b"\0"
    for limit in limits(kind):
        code = _assembled(source, limit)
        if code.aside <= ASIDE:
            break
    return code


def _assembled(source: bytes, limit: int) -> MachineCode:
    """What the assembler in nvJitLink makes of it."""
    nvjitlink = import_module("cuda.bindings.nvjitlink")
    options = ["-arch=sm_90", "-verbose", f"-maxrregcount={limit}"]
    handle = nvjitlink.create(len(options), options)
    try:
        nvjitlink.add_data(handle, nvjitlink.InputType.PTX, source, len(source), "kernel")
        nvjitlink.complete(handle)
        log = bytearray(nvjitlink.get_info_log_size(handle))
        nvjitlink.get_info_log(handle, log)
        binary = bytearray(nvjitlink.get_linked_cubin_size(handle))
        nvjitlink.get_linked_cubin(handle, binary)
    finally:
        nvjitlink.destroy(handle)
    found = re.search(r"used (\d+) registers.*?(\d+) stack.*?(\d+) bytes lmem", log.decode())
    if found is None:
        raise ValueError(f"the assembler reports no registers: {log.decode()}")
    used, stack, local = map(int, found.groups())
    text = _text(bytes(binary))
    loops = sorted(_loops(text), reverse=True)
    step = loops[0]  # the longest; a round is the next within it
    within = (n for n, first, last in loops[1:] if step[1] <= first and last <= step[2])
    inner = next(within, 0)
    codes = [word & 0xFFF for word, _ in struct.iter_unpack("<QQ", text)]
    uses = sum(code in (LOAD_LOCAL, STORE_LOCAL) for code in codes[step[1] : step[2] + 1])
    return MachineCode(used, stack + local, uses, step[0] - inner, inner)


def _text(binary: bytes) -> bytes:
    """The instructions of an ELF file's longest function."""
    (table,) = struct.unpack_from("<Q", binary, 0x28)
    size, count, names = struct.unpack_from("<HHH", binary, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", binary, table + k * size) for k in range(count)]
    functions = []
    for name, _, _, _, start, length in sections:
        at = sections[names][4] + name
        if binary[at : at + 6] == b".text.":
            functions.append(binary[start : start + length])
    return max(functions, key=len)


def _loops(text: bytes) -> list[tuple[int, int, int]]:
    """(instructions, first, last) of each backward branch."""
    found = []
    for last, (word, high) in enumerate(struct.iter_unpack("<QQ", text)):
        if word & 0xFFF == BRANCH:
            # The distance from the next instruction in 4 bytes: bits 16 to 23, then 34 to 81.
            upper = word >> 34 | (high & 0x3FFFF) << 30
            distance = (upper - (upper >> 47 << 48)) * 256 + (word >> 16 & 0xFF)
            first = last + 1 + distance * 4 // INSTRUCTION
            if first < last:
                found.append((last + 1 - first, first, last))
    return found
