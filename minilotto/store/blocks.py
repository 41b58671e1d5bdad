"""Blocks: consecutive seeds of one config, the unit that a sweep trains and a store keeps.

A block's file is an .npz as `Ensemble.save` writes it, with nothing in it that depends on when, in
how many threads or beside which other seeds it was trained, so that one machine makes the same
bytes of it every time. The archive's comment seals it: a digest of everything before it and of the
block's name. A file that is cut, changed anywhere or put in another's place breaks its seal, which
is found at the speed of reading; any reader of .npz reads it all the same.
"""

import hashlib
import io
import re
import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import sampled
from minilotto.ensemble.ensemble import Ensemble
from minilotto.ensemble.load import read
from minilotto.errors import FileError, UnusableFileError
from minilotto.files import write_atomically
from minilotto.hardware.machine import available_memory
from minilotto.settings.config import FIELDS, Config
from minilotto.training.train import checkpoint_steps

DEFAULT = Config()
Run = tuple[int, int]  # seeds first, first + 1, ..., stop - 1

# Where one block ends and the next begins follows from the config alone, so that a later sweep of
# more seeds finds the blocks of an earlier one. By the model of cost a block takes at most
# BLOCK_SECONDS of one core and BLOCK_BYTES of disk; a whole vector of nets, though, may take
# MOST_SECONDS.
BLOCK_SECONDS, MOST_SECONDS = 30.0, 300.0
BLOCK_BYTES = 2**25
BLOCK_SEEDS = 2**20
LARGE_BYTES = 2**30  # beyond it, a look at the memory that is free
LANES = 16
TIMELESS = (
    "minilotto",
    "engine",
    "reason",
    "lanes",
    "cpu",
    "python",
    "numpy",
)  # provenance that is the same whenever it is trained
SEAL = b"minilotto block "
_END_OF_ARCHIVE, _DIGEST_BYTES = b"PK\x05\x06", 16
_MEMBER, _LOCAL = (
    b"PK\x03\x04",
    struct.Struct("<IHH"),
)  # of a member's header: its size, and those of its name and extra fields
_SEAL_BYTES = len(SEAL) + 2 * _DIGEST_BYTES
_NAME = re.compile(r"(\d{15})-(\d{15})\.npz")


class Block(NamedTuple):
    """Seeds first, ..., stop - 1 of a config."""

    config: Config
    first: int
    stop: int

    @property
    def name(self) -> str:
        """The file's name within a store, config first: equal for equal blocks, in the order of
        seeds.
        """
        return f"{self.config.key}/{self.first:015d}-{self.stop:015d}.npz"

    @property
    def seconds(self) -> float:
        """What it takes one core, by the model of cost."""
        return (self.stop - self.first) * seconds_per_seed(self.config)

    def __str__(self) -> str:
        return f"seeds {self.first} to {self.stop - 1} of {described(self.config)}"


class Stored(NamedTuple):
    """A block's file: its name below blocks/ and its seeds."""

    name: str
    run: Run


def described(config: Config) -> str:
    """A config in few words: its width, and whatever is not the default.

    >>> described(Config(width=3, steps=500))
    'Config(width=3, steps=500)'
    """
    told = [
        name
        for name in FIELDS
        if name == "width" or getattr(config, name) != getattr(DEFAULT, name)
    ]
    return f"Config({', '.join(f'{name}={getattr(config, name)!r}' for name in told)})"


def run_of(file_name: str) -> Run | None:
    """First seed and stop of a block's file name (without its folder), or None where it is no
    block's name.
    """
    found = _NAME.fullmatch(file_name)
    return (int(found[1]), int(found[2])) if found and found[1] < found[2] else None


@lru_cache(maxsize=4096)
def seconds_per_seed(config: Config) -> float:
    """What one net takes one core, by the model of cost in engines/choice.py."""
    from minilotto.engines.choice import choose
    from minilotto.engines.request import Request

    choice, _ = choose(config, sampled(config), Request())
    return choice.cost * 1e-9 * config.steps


def bytes_per_seed(config: Config, inputs: int) -> int:
    """What one net takes on disk: parameters, losses along the way, and what is known of it."""
    parameters = config.width * (inputs + 2) + 1
    return parameters * np.dtype(config.dtype).itemsize + 8 * (
        len(checkpoint_steps(config.steps)) + 4
    )


@lru_cache(maxsize=4096)
def block_size(config: Config) -> int:
    """Seeds of a whole block, a power of two; blocks begin at its multiples."""
    seconds, size = seconds_per_seed(config), bytes_per_seed(config, sampled(config).inputs)

    def fits(seeds: int, limit: float) -> bool:
        return seeds * seconds <= limit and seeds * size <= BLOCK_BYTES and seeds <= BLOCK_SEEDS

    seeds = 1
    while fits(2 * seeds, MOST_SECONDS if 2 * seeds <= LANES else BLOCK_SECONDS):
        seeds *= 2
    return seeds


# Runs of seeds
def runs_of(seeds: NDArray[np.int64]) -> tuple[Run, ...]:
    """Distinct seeds (R,), in any order, as ascending runs.

    >>> runs_of(np.array([5, 3, 4, 9]))
    ((3, 6), (9, 10))
    """
    ordered = np.sort(seeds)
    if not ordered.size:
        return ()
    breaks = np.flatnonzero(np.diff(ordered) != 1) + 1
    firsts, lasts = ordered[np.r_[0, breaks]], ordered[np.r_[breaks - 1, len(ordered) - 1]]
    return tuple((int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True))


def seeds_in(runs: Iterable[Run]) -> NDArray[np.int64]:
    """The seeds of runs, in their order: (R,)."""
    return np.concatenate([np.empty(0, np.int64), *(np.arange(*run) for run in runs)])


def count_of(runs: Iterable[Run]) -> int:
    """How many seeds runs that do not overlap have."""
    return sum(stop - first for first, stop in runs)


def joined(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Runs that may overlap, as ascending ones that do not touch.

    >>> joined([(4, 6), (0, 2), (1, 3), (6, 7)])
    ((0, 3), (4, 7))
    """
    result: list[Run] = []
    for first, stop in sorted(runs):
        if result and first <= result[-1][1]:
            result[-1] = result[-1][0], max(result[-1][1], stop)
        else:
            result.append((first, stop))
    return tuple(result)


def without(wanted: Iterable[Run], have: Iterable[Run]) -> tuple[Run, ...]:
    """What of `wanted` is not in `have`, as ascending runs.

    >>> without([(0, 10)], [(8, 12), (2, 4)])
    ((0, 2), (4, 8))
    """
    result: list[Run] = []
    taken = joined(have)
    at = 0
    for first, stop in joined(wanted):
        while at < len(taken) and taken[at][1] <= first:
            at += 1
        here = at
        while first < stop:
            if here == len(taken) or taken[here][0] >= stop:
                result.append((first, stop))
                break
            if first < taken[here][0]:
                result.append((first, taken[here][0]))
            first, here = taken[here][1], here + 1
    return tuple(result)


def cut(config: Config, runs: Iterable[Run]) -> list[Block]:
    """Runs, cut where the config's blocks begin."""
    size = block_size(config)
    edges = ((first, stop, range(first // size * size, stop, size)) for first, stop in runs)
    return [
        Block(config, max(first, at), min(stop, at + size))
        for first, stop, starts in edges
        for at in starts
    ]


# Files
def write_block(folder: Path, block: Block, nets: Ensemble) -> int:
    """Write a block's nets where they belong below `folder`; returns the number of bytes. Raises
    FileError.
    """
    content = sealed_bytes(block, nets)
    put_block(folder, block.name, content)
    return len(content)


def put_block(folder: Path, name: str, content: bytes) -> None:
    """Put sealed bytes in their place below `folder`, whole or not at all. Raises FileError."""
    path = folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f"{str(path.parent)!r} cannot be made ({error.strerror or error})"
        ) from None
    write_atomically(path, lambda file: file.write(content))


def sealed_bytes(block: Block, nets: Ensemble) -> bytes:
    """The bytes of a block's file."""
    provenance = {name: nets.provenance[name] for name in TIMELESS if name in nets.provenance}
    timeless = Ensemble(**{**vars_of(nets), "requested": len(nets), "provenance": provenance})
    memory = io.BytesIO()
    timeless.write(memory)
    content = memory.getbuffer()
    body = bytes(content[:-2]) + _SEAL_BYTES.to_bytes(2, "little") + SEAL
    return body + _digest(body, block.name)


def vars_of(nets: Ensemble) -> dict:
    """The fields of an Ensemble by name, without copies."""
    return {name: getattr(nets, name) for name in Ensemble.__dataclass_fields__}


def is_sealed(content: bytes | memoryview, name: str) -> bool:
    """Whether these are all the bytes that were written as the block `name`, and no others."""
    body = memoryview(content)[: -2 * _DIGEST_BYTES]
    return len(content) > _SEAL_BYTES and _digest(body, name) == bytes(
        content[-2 * _DIGEST_BYTES :]
    )


def has_ending(path: Path) -> bool:
    """Whether the file ends as a sealed one does: a look at its last bytes, which finds a cut one."""
    with path.open("rb") as file:
        file.seek(0, io.SEEK_END)
        tail = _SEAL_BYTES + 22
        if file.tell() <= tail:
            return False
        file.seek(-tail, io.SEEK_END)
        ending = file.read()
    return ending[:4] == _END_OF_ARCHIVE and ending[22 : 22 + len(SEAL)] == SEAL


def _digest(body: bytes | memoryview, name: str) -> bytes:
    digest = hashlib.blake2b(name.encode() + b"\n", digest_size=_DIGEST_BYTES)
    digest.update(body)
    return digest.hexdigest().encode()


def read_block(folder: Path, name: str) -> Ensemble:
    """The nets of a block's file. Raises FileError, one line, for anything but what was written
    under that name.
    """
    path = str(folder / name)
    content = sealed_content(folder, name)
    nets = read(io.BytesIO(content), path)
    first, stop = run_of(name.rpartition("/")[2]) or (0, 0)
    if nets.config.key != name.partition("/")[0] or not np.array_equal(
        nets.seeds, np.arange(first, stop)
    ):
        raise FileError(
            f"{path!r} is damaged: it holds other seeds or another config than its name says; "
            "sweep again"
        )
    return nets


def sealed_content(folder: Path, name: str) -> bytes:
    """The bytes of a block's file, their seal checked. Raises FileError."""
    path = folder / name
    try:
        if path.stat().st_size > LARGE_BYTES and path.stat().st_size > available_memory() // 2:
            raise FileError(
                f"{str(path)!r} is larger than any block that was written here; the same sweep "
                "trains it again"
            )
        content = path.read_bytes()
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{str(path)!r} cannot be read ({error.strerror or error})") from None
    if not is_sealed(content, name):
        _refuse_newer(content, str(path))
        raise FileError(
            f"{str(path)!r} is damaged: it is not what was written under that name; the same "
            "sweep trains it again"
        )
    return content


def _refuse_newer(content: bytes, path: str) -> None:
    """Without a seal of ours a file may still be a good one, from a newer minilotto. Raises
    UnusableFileError.
    """
    try:
        read(io.BytesIO(content), path)
    except UnusableFileError:
        raise
    except FileError:
        return


def losses_in(content: bytes) -> NDArray[np.float64]:
    """(R,) float64: the losses in sealed bytes. Found by hand: NumPy's look at the archive's
    directory takes ten times longer.
    """
    at = 0
    while content[at : at + 4] == _MEMBER:
        size, name_size, extra_size = _LOCAL.unpack_from(content, at + 22)
        name_at = at + 30
        begin = name_at + name_size + extra_size
        if size == 2**32 - 1:  # the true size stands first in the first extra field
            size = int.from_bytes(
                content[name_at + name_size + 4 : name_at + name_size + 12], "little"
            )
        if content[name_at : name_at + name_size] == b"loss.npy":
            begin_of_data = begin + 10 + int.from_bytes(content[begin + 8 : begin + 10], "little")
            if b"'descr': '<f8'" not in content[begin:begin_of_data]:
                break
            return np.frombuffer(content, "<f8", (begin + size - begin_of_data) // 8, begin_of_data)
        at = begin + size
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return arrays["loss"]


def together(blocks: Sequence[Ensemble]) -> Ensemble:
    """Blocks of one config, in the order given, as one Ensemble. Raises FileError where they were
    not trained on the same data.
    """
    one = blocks[0]
    for other in blocks[1:]:
        same = all(
            np.array_equal(getattr(one.data, name), getattr(other.data, name))
            for name in ("x", "y", "weight")
        )
        if not same or not np.array_equal(one.history.steps, other.history.steps):
            raise FileError(
                f"blocks of {described(one.config)} disagree about their data or their "
                "checkpoints; keep them apart"
            )
    fields = vars_of(one)
    for name in ("seeds", "w", "b", "v", "c", "loss", "nodes", "audit"):
        fields[name] = np.concatenate([getattr(nets, name) for nets in blocks])
    fields["history"] = type(one.history)(
        one.history.steps, np.concatenate([nets.history.loss for nets in blocks], axis=1)
    )
    fields["requested"] = len(fields["seeds"])
    fields["provenance"] = _common_provenance([nets.provenance for nets in blocks])
    return Ensemble(**fields)


def _common_provenance(found: Sequence[dict]) -> dict:
    """What blocks say of their making; where they differ, all of it."""
    names = dict.fromkeys(name for one in found for name in one)
    distinct = {
        name: list(dict.fromkeys(one.get(name, "unknown") for one in found)) for name in names
    }
    return {
        name: values[0] if len(values) == 1 else " and ".join(map(str, values))
        for name, values in distinct.items()
    }
