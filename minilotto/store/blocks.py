"""Blocks: consecutive seeds of one config, the unit that a sweep trains and a store keeps.

A block's file is an .npz as `Ensemble.save` writes it, without what depends on the time, on the
number of threads or on the other seeds of the call: one machine writes the same bytes each time.
The archive's comment seals it: a digest of everything before it and of the block's name. A file
that was cut, changed or put in another's place has a broken seal, which is found at the speed of
reading; any reader of .npz reads it all the same.
"""

import contextlib
import dataclasses
import hashlib
import io
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import differing
from minilotto.ensemble.ensemble import Ensemble
from minilotto.ensemble.load import read
from minilotto.errors import FileError, UnreadableFileError, UnusableFileError
from minilotto.files import alone_in, entries, make_folder, opened, write_bytes
from minilotto.hardware.machine import available_memory
from minilotto.settings.config import Config
from minilotto.settings.tasks import built_in
from minilotto.store.format import block_size, seconds_per_seed

Run = tuple[int, int]  # seeds first, first + 1, ..., stop - 1

# Provenance that does not depend on when or in how many threads a block was trained.
TIMELESS = ("minilotto", "engine", "reason", "lanes", "cpu", "python", "numpy")
LARGE_BYTES = 2**30  # a file beyond it is compared with free memory before it is read
SEAL = b"minilotto block "
_END_OF_ARCHIVE, _DIGEST_BYTES = b"PK\x05\x06", 16
_SEAL_BYTES = len(SEAL) + 2 * _DIGEST_BYTES
_NAME = re.compile(r"(\d{15})-(\d{15})\.npz")


class Block(NamedTuple):
    """Seeds first, ..., stop - 1 of a config, and shorter trainings that go along with it;
    `compress` as of `train`.
    """

    config: Config
    first: int
    stop: int
    shorter: tuple["Block", ...] = ()
    compress: bool = True

    @property
    def name(self) -> str:
        """Name of the file within a store: config, then seeds; equal for equal blocks."""
        return f"{self.config.key}/{self.first:015d}-{self.stop:015d}.npz"

    @property
    def seconds(self) -> float:
        """Time that it takes one core, by the format's model of cost."""
        return (self.stop - self.first) * seconds_per_seed(self.config)

    def __str__(self) -> str:
        earlier = sorted({one.config.steps for one in self.shorter})
        also = f", and after {', '.join(map(str, earlier))} steps" if earlier else ""
        return f"seeds {self.first} to {self.stop - 1} of {self.config}{also}"


class Stored(NamedTuple):
    """A block's file: its name below blocks/ and its seeds."""

    name: str
    run: Run


def run_of(file_name: str) -> Run | None:
    """First seed and stop in the name of a file (without its folder); None for another name."""
    found = _NAME.fullmatch(file_name)
    return (int(found[1]), int(found[2])) if found and found[1] < found[2] else None


# Runs of seeds
def runs_of(seeds: NDArray[np.int64]) -> tuple[Run, ...]:
    """Ascending runs of distinct seeds (R,) in any order.

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
    """(R,) the seeds of runs, in their order."""
    return np.concatenate([np.empty(0, np.int64), *(np.arange(*run) for run in runs)])


def count_of(runs: Iterable[Run]) -> int:
    """Number of seeds in runs that do not overlap."""
    return sum(stop - first for first, stop in runs)


def union(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Ascending runs, apart from each other, of all seeds in runs that may overlap.

    >>> union([(4, 6), (0, 2), (1, 3), (6, 7)])
    ((0, 3), (4, 7))
    """
    result: list[Run] = []
    for first, stop in sorted(runs):
        if result and first <= result[-1][1]:
            result[-1] = result[-1][0], max(result[-1][1], stop)
        else:
            result.append((first, stop))
    return tuple(result)


def difference(wanted: Iterable[Run], have: Iterable[Run]) -> tuple[Run, ...]:
    """Ascending runs of the seeds in `wanted` that are not in `have`.

    >>> difference([(0, 10)], [(8, 12), (2, 4)])
    ((0, 2), (4, 8))
    """
    result: list[Run] = []
    taken = union(have)
    at = 0
    for first, stop in union(wanted):
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
    """The parts of runs in each block of the config."""
    size = block_size(config)
    edges = ((first, stop, range(first // size * size, stop, size)) for first, stop in runs)
    return [
        Block(config, max(first, at), min(stop, at + size))
        for first, stop, starts in edges
        for at in starts
    ]


# Files
def write_block(folder: Path, block: Block, nets: Ensemble) -> int:
    """Write a block's nets below `folder`; returns the number of bytes. Raises FileError."""
    content = sealed_bytes(block, nets)
    put_block(folder, block.name, content, block.config.task)
    return len(content)


def put_block(folder: Path, name: str, content: bytes, task: str) -> None:
    """Write sealed bytes below `folder`, whole or not at all; a sound block that is there by now
    stays. Raises FileError, also where a task that its caller registered has other data there.
    """
    path = folder / name
    make_folder(path.parent, parents=False)
    with contextlib.nullcontext() if built_in(task) else alone_in(path.parent):
        there = None if built_in(task) else first_of(folder, path.parent.name)
        if there and differing(read(io.BytesIO(content), name, sealed=True).data, there.data):
            raise FileError(
                f"{str(path)!r} is not written, as the store has nets of another function under "
                f"the name {task!r}, which another sweep has trained; register it under another"
            )
        if not is_sound(folder, name):
            write_bytes(path, content)


def first_of(folder: Path, key: str) -> Ensemble | None:
    """The nets of the first block of a config, by its key, that can be read; None without one."""
    for name in sorted(entry.name for entry in entries(folder / key)):
        if run_of(name):
            with contextlib.suppress(FileError):
                return read_block(folder, f"{key}/{name}")
    return None


def sealed_bytes(block: Block, nets: Ensemble) -> bytes:
    """The bytes of a block's file."""
    provenance = {name: nets.provenance[name] for name in TIMELESS if name in nets.provenance}
    timeless = dataclasses.replace(nets, requested=len(nets), provenance=provenance)
    memory = io.BytesIO()
    timeless.write(memory)
    content = memory.getbuffer()
    body = bytes(content[:-2]) + _SEAL_BYTES.to_bytes(2, "little") + SEAL
    return body + _digest(body, block.name)


def is_sealed(content: bytes | memoryview, name: str) -> bool:
    """Whether these are exactly the bytes that were written as the block `name`."""
    body, digest = memoryview(content)[: -2 * _DIGEST_BYTES], content[-2 * _DIGEST_BYTES :]
    return len(content) > _SEAL_BYTES and _digest(body, name) == bytes(digest)


def is_sealed_file(path: Path, name: str) -> bool:
    """Whether the file at `path` holds the block `name`. Raises UnreadableFileError."""
    with opened(path) as file:
        return file is not None and not _is_too_large(file) and is_sealed(file.read(), name)


def _is_too_large(file: BinaryIO) -> bool:
    size = os.fstat(file.fileno()).st_size
    return size > LARGE_BYTES and size > available_memory() // 2


def has_ending(path: Path) -> bool:
    """Whether the last bytes of the file are those of a sealed one, as a cut one's are not."""
    with opened(path) as file:
        if file is None:
            return False
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
    """The nets of a block's file. Raises FileError unless it is what was written under that name.

    The seal covers the digest within the archive, so the bytes are digested once.
    """
    path = str(folder / name)
    nets = read(io.BytesIO(sealed_content(folder, name)), path, sealed=True)
    first, stop = run_of(name.rpartition("/")[2]) or (0, 0)
    ours = nets.config.key == name.partition("/")[0]
    if not (ours and np.array_equal(nets.seeds, np.arange(first, stop))):
        raise FileError(
            f"{path!r} is damaged: it holds other seeds or another config than its name says; "
            "sweep again"
        )
    return nets


def sealed_content(folder: Path, name: str) -> bytes:
    """The bytes of a block's file, their seal checked. Raises FileError."""
    path = folder / name
    with opened(path) as file:
        if file is None:
            raise FileError(
                f"{str(path)!r} is damaged: it is missing or no regular file; the same sweep "
                "trains it again"
            )
        if _is_too_large(file):
            raise FileError(
                f"{str(path)!r} is larger than any block that was written here; the same sweep "
                "trains it again"
            )
        content = file.read()
    if not is_sealed(content, name):
        _refuse_newer(content, str(path))
        raise FileError(
            f"{str(path)!r} is damaged: it is not what was written under that name; the same "
            "sweep trains it again"
        )
    return content


def is_sound(folder: Path, name: str, quick: bool = False) -> bool:
    """Whether a block's file has a whole seal; `quick`: the end of one.

    Raises UnusableFileError for a block of a newer minilotto, UnreadableFileError for a file that
    cannot be read.
    """
    try:
        if quick:
            return has_ending(folder / name)
        sealed_content(folder, name)
    except (UnreadableFileError, UnusableFileError):
        raise
    except FileError:
        return False
    return True


def _refuse_newer(content: bytes, path: str) -> None:
    """Raises UnusableFileError where a file without our seal is whole, from a newer minilotto."""
    try:
        read(io.BytesIO(content), path)
    except FileError as error:
        if isinstance(error, UnusableFileError):
            raise


def concatenate(blocks: Sequence[Ensemble]) -> Ensemble:
    """One Ensemble of blocks of one config, in their order. Raises FileError for unequal data."""
    one = blocks[0]
    for other in blocks[1:]:
        same_steps = np.array_equal(one.history.steps, other.history.steps)
        if not same_steps or differing(other.data, one.data):
            raise FileError(
                f"blocks of {one.config} disagree about their data or their "
                "checkpoints; keep them apart"
            )
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(nets, name) for nets in blocks]) for name in one.per_net()
    }
    losses = np.concatenate([nets.history.loss for nets in blocks], axis=1)
    return dataclasses.replace(
        one,
        **arrays,
        history=type(one.history)(one.history.steps, losses),
        requested=len(arrays["seeds"]),
        provenance=_common_provenance([nets.provenance for nets in blocks]),
    )


def _common_provenance(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Provenance of blocks; where they differ, the distinct values joined by "and"."""
    common: dict[str, Any] = {}
    for name in dict.fromkeys(name for one in found for name in one):
        values = list(dict.fromkeys(one.get(name, "unknown") for one in found))
        common[name] = values[0] if len(values) == 1 else " and ".join(map(str, values))
    return common
