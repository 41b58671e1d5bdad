"""The files of a store, which any number of processes may read and add to.

    minilotto-store.json                        version of the format
    blocks/CONFIG/FIRST-STOP.npz                nets of seeds FIRST, ..., STOP - 1 of a config, see
                                                store/blocks.py; never changed
    studies/*.json                              sweeps that were requested
    quarantine/CONFIG/FIRST-STOP.npz.N          damaged blocks
    logs/*.jsonl                                events: what, when, by which process, how long

The names in blocks/ alone say which nets are there; there is no index that could be out of date.
The content of a block is used only after its seal has been checked.
"""

import contextlib
import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minilotto.errors import ConfigError, FileError, UnusableFileError
from minilotto.files import absolute, entries, make_folder, probe, remove_fragments, write_bytes
from minilotto.hardware.machine import usable_cores
from minilotto.settings.config import FIELDS, Config, checked_config
from minilotto.store import blocks
from minilotto.store.blocks import Block, Run, Stored
from minilotto.store.grid import STUDY_NAME, Sweep, as_text, is_study, name_of, read_study, wanted

MARKER = "minilotto-store.json"
KEY = re.compile("[0-9a-f]{16}")  # of `Config.key`
OURS = BLOCKS, STUDIES, QUARANTINE, LOGS = "blocks", "studies", "quarantine", "logs"


class StoreFolder:
    """What sweeps and reports need of the folder of a store: names, losses, damage, studies."""

    def __init__(self, folder: Path) -> None:
        self.folder = absolute(folder)

    @property
    def blocks(self) -> Path:
        """The folder of the blocks. Raises FileError where it is no longer there."""
        blocks = self.folder / BLOCKS
        if not os.path.isdir(blocks):
            raise FileError(
                f"{str(blocks)!r} is not there; the store was moved or removed, open it where it is"
            )
        return blocks

    def folders(self) -> list[str]:
        """Keys of the configs that have a folder, in alphabetical order."""
        found = entries(self.blocks)  # what took the place of a config's folder too
        return sorted(one.name for one in found if KEY.fullmatch(one.name) or os.path.isdir(one))

    def stored(self, key: str) -> list[Stored]:
        """Name and run of each block of a config, by `Config.key`, in the order of seeds."""
        folder = self.blocks / key
        # In this order, since another sweep may make the folder between the two.
        if os.path.lexists(folder) and not os.path.isdir(folder):
            raise FileError(f"{str(folder)!r} is no folder, nor leads to one; mend or remove it")
        found = ((entry.name, blocks.run_of(entry.name)) for entry in entries(folder))
        return sorted(
            (Stored(f"{key}/{name}", run) for name, run in found if run),
            key=lambda one: (one.run[0], -one.run[1]),
        )

    def runs(self, config: Config) -> tuple[Run, ...]:
        """First seed and stop of each run of a config's seeds in the store, ascending."""
        return blocks.union(one.run for one in self.stored(checked_config(config).key))

    def size_of(self, name: str) -> int:
        """Bytes of the file of a block, by its name; 0 where there is none."""
        path = self.blocks / name
        with contextlib.suppress(OSError):
            return os.path.getsize(path)
        return 0

    def config_of(self, key: str) -> Config | None:
        """The config of a folder, from its first block that can be used here; None without one.

        Raises FileError for a damaged block, UnusableFileError where all blocks are of a newer
        minilotto or of a task that is not registered.
        """
        unusable = None
        for one in self.stored(key):
            try:
                return blocks.read_block(self.blocks, one.name).config
            except UnusableFileError as error:
                unusable = error
        if unusable:
            raise unusable
        return None

    def known(self, *without: type[FileError]) -> tuple[Config, ...]:
        """Configs that have blocks, ordered by their fields. Raises FileError, but for those of
        `without`, where one cannot be read.
        """
        found = []
        for key in self.folders():
            with contextlib.suppress(*without):
                found.append(self.config_of(key))
        return tuple(sorted((one for one in found if one is not None), key=by_fields))

    def missing_runs(self, sweeps: Sequence[Sweep]) -> dict[Config, tuple[Run, ...]]:
        """Runs of seeds of sweeps that are not in the store, of the configs that miss some."""
        gaps = {
            config: blocks.difference(runs, self.runs(config))
            for config, runs in wanted(sweeps).items()
        }
        return {config: runs for config, runs in gaps.items() if runs}

    def losses(self, config: Config, runs: Iterable[Run]) -> NDArray[np.float64]:
        """Final losses (R,) of those seeds of a config that are in the store, in their order.
        Raises FileError for a damaged block.
        """
        parts = [np.empty(0)]
        for one, have in cover(self.stored(checked_config(config).key), runs):
            content = io.BytesIO(blocks.sealed_content(self.blocks, one.name))
            with np.load(content, allow_pickle=False) as arrays:
                parts.append(arrays["loss"][positions_in(one, have)])
        return np.concatenate(parts)

    def has(self, block: Block) -> bool:
        """Whether exactly this block is in the store, with a whole seal."""
        return blocks.is_sound(self.blocks, block.name)

    def damaged(self, names: Sequence[str], quick: bool = False) -> list[str]:
        """Those of the named blocks that have a broken seal. `quick` reads only the end of each
        file, which finds cut blocks and no others.

        Raises UnusableFileError for a block of a newer minilotto, UnreadableFileError for a file
        that cannot be read, which need not be damaged.
        """
        folder = self.blocks
        with ThreadPoolExecutor(min(8, usable_cores() + 2)) as pool:
            sound = pool.map(lambda name: blocks.is_sound(folder, name, quick), names)
            return [name for name, good in zip(names, sound, strict=True) if not good]

    def put_aside(self, name: str) -> Path | None:
        """Move a damaged block to the quarantine: its new place, or None where another process was
        faster. Raises FileError where the quarantine cannot be made or is full.
        """
        source, target = self.blocks / name, self.folder / QUARANTINE / name
        if blocks.is_sound(self.blocks, name):
            return None
        make_folder(target.parent)
        for number in range(1, 10**6):
            place, sound = target.with_name(f"{target.name}.{number}"), True
            try:
                place.touch(exist_ok=False)  # from now on this name is ours
                if os.path.isdir(source) and not os.path.islink(source):
                    place.unlink()  # a folder replaces no file
                os.replace(source, place)
            except FileExistsError:
                continue
            except OSError as error:
                with contextlib.suppress(OSError):
                    place.unlink()
                if isinstance(error, FileNotFoundError):
                    return None
                raise FileError(f"{str(source)!r} cannot be put aside ({error.strerror})") from None
            try:
                sound = blocks.is_sealed_file(place, name)
            finally:
                if sound:  # another process has trained it again, or this one cannot tell
                    os.replace(place, source)
            return None if sound else place
        raise FileError(f"{str(target.parent)!r} is full of damaged blocks; remove them")

    def studies(self) -> list[tuple[Sweep, ...]]:
        """Sweeps that were requested, one tuple per call of `sweep`.

        Those of tasks that are not registered in this process are left out, and so are files that
        `damaged_studies` names.
        """
        found = []
        damaged = self.damaged_studies()
        for name in self._studies():
            if name not in damaged:
                with contextlib.suppress(ConfigError):
                    found.append(read_study(self.folder / name))
        return found

    def damaged_studies(self) -> list[str]:
        """Names below the folder of files in studies/ that are not what was written so."""
        return [name for name in self._studies() if not is_study(self.folder / name)]

    def _studies(self) -> list[str]:
        """Names of the studies below the folder of the store; other files are left alone."""
        folder = self.blocks.with_name(STUDIES)
        names = sorted(entry.name for entry in entries(folder))
        return [f"{STUDIES}/{name}" for name in names if STUDY_NAME.fullmatch(name)]

    def keep_study(self, sweeps: Sequence[Sweep]) -> None:
        """Record that these sweeps were requested."""
        path = self.blocks.with_name(STUDIES) / name_of(sweeps)
        if not is_study(path):
            make_folder(path.parent)
            write_bytes(path, as_text(sweeps).encode())

    def tidy(self) -> None:
        """Remove the temporary files of writers that were killed."""
        of_configs = (self.blocks / key for key in self.folders())
        for folder in (self.folder, self.folder / STUDIES, self.blocks, *of_configs):
            remove_fragments(folder)

    def check_writable(self) -> None:
        """Raises FileError where no block can be added."""
        try:
            probe(self.blocks / "probe")
        except OSError as error:
            raise FileError(
                f"folder {str(self.blocks)!r} cannot be written to ({error.strerror}); choose "
                "another"
            ) from None


def by_fields(config: Config) -> tuple[object, ...]:
    return tuple(getattr(config, name) for name in FIELDS)


def cover(
    stored: Sequence[Stored], runs: Iterable[Run]
) -> Iterator[tuple[Stored, tuple[Run, ...]]]:
    """Which block gives which of these seeds, each seed once."""
    left = blocks.union(runs)
    for one in stored:
        rest = blocks.difference(left, [one.run])
        if rest != left:
            yield one, blocks.difference(left, rest)
            left = rest


def positions_in(one: Stored, runs: Iterable[Run]) -> NDArray[np.int64]:
    """Positions within a block of the seeds in runs."""
    return blocks.seeds_in(runs) - one.run[0]
