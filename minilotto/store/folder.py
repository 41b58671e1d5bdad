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
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from minilotto.errors import ConfigError, FileError, UnusableFileError
from minilotto.files import entries, make_folder, remove_fragments, write_bytes
from minilotto.hardware.machine import usable_cores
from minilotto.settings.config import Config
from minilotto.store import blocks
from minilotto.store.blocks import Block, Run, Stored
from minilotto.store.grid import Sweep, as_text, name_of, read_study

MARKER = "minilotto-store.json"
BLOCKS, STUDIES, QUARANTINE, LOGS = "blocks", "studies", "quarantine", "logs"


class StoreFolder:
    """Names, damage and studies in the folder of a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def blocks(self) -> Path:
        """The folder of the blocks."""
        return self.folder / BLOCKS

    def folders(self) -> list[str]:
        """Keys of the configs that have a folder, in alphabetical order."""
        return sorted(entry.name for entry in entries(self.blocks) if entry.is_dir())

    def stored(self, key: str) -> list[Stored]:
        """Blocks of a config, by their names.

        Parameters
        ----------
        key : str
            `Config.key`.

        Returns
        -------
        list of Stored
            Name and run of each block, in the order of seeds.
        """
        found = ((entry.name, blocks.run_of(entry.name)) for entry in entries(self.blocks / key))
        return sorted(
            (Stored(f"{key}/{name}", run) for name, run in found if run),
            key=lambda one: (one.run[0], -one.run[1]),
        )

    def runs(self, config: Config) -> tuple[Run, ...]:
        """Seeds of a config in the store, in runs.

        Parameters
        ----------
        config : Config

        Returns
        -------
        tuple of (int, int)
            First seed and stop of each run, ascending.
        """
        return blocks.union(one.run for one in self.stored(config.key))

    def size_of(self, name: str) -> int:
        """Size of a block's file.

        Parameters
        ----------
        name : str
            As in `stored`.

        Returns
        -------
        int
            Bytes; 0 where there is no file.
        """
        with contextlib.suppress(OSError):
            return os.path.getsize(self.blocks / name)
        return 0

    def has(self, block: Block) -> bool:
        """Whether exactly this block is in the store, with a whole seal.

        Parameters
        ----------
        block : Block

        Returns
        -------
        bool
        """
        return self._is_sound(block.name, quick=False)

    def damaged(self, names: Sequence[str], quick: bool = False) -> list[str]:
        """Those of the named blocks that have a broken seal.

        Parameters
        ----------
        names : sequence of str
            As in `stored`.
        quick : bool
            Read only the end of each file, which finds cut blocks and no others.

        Returns
        -------
        list of str

        Raises
        ------
        UnusableFileError
            For a block of a newer minilotto.
        """
        with ThreadPoolExecutor(min(8, usable_cores() + 2)) as pool:
            sound = pool.map(lambda name: self._is_sound(name, quick), names)
            return [name for name, good in zip(names, sound, strict=True) if not good]

    def _is_sound(self, name: str, quick: bool) -> bool:
        try:
            if quick:
                return blocks.has_ending(self.blocks / name)
            blocks.sealed_content(self.blocks, name)
        except UnusableFileError:
            raise
        except OSError:
            return False
        return True

    def put_aside(self, name: str) -> Path | None:
        """Move a damaged block to the quarantine.

        Parameters
        ----------
        name : str
            As in `stored`.

        Returns
        -------
        Path or None
            The new place; None where another process was faster.

        Raises
        ------
        FileError
            Where the quarantine cannot be made or is full.
        """
        target = self.folder / QUARANTINE / name
        make_folder(target.parent)
        for number in range(1, 10**6):
            place = target.with_name(f"{target.name}.{number}")
            try:
                if os.path.islink(self.blocks / name):  # to what it leads is not ours
                    os.replace(self.blocks / name, place)
                    return place
                # Unlike a rename, this never replaces what another process put there.
                os.link(self.blocks / name, place)
            except FileExistsError:
                continue
            except FileNotFoundError:
                return None
            except OSError:  # a file system without hard links
                with contextlib.suppress(FileNotFoundError):
                    os.replace(self.blocks / name, place)
                return place
            with contextlib.suppress(FileNotFoundError):
                if blocks.is_sealed(place.read_bytes(), name):  # replaced by another process
                    os.unlink(place)
                    return None
                os.unlink(self.blocks / name)
            return place
        raise FileError(f"{str(target.parent)!r} is full of damaged blocks; remove them")

    def studies(self) -> list[tuple[Sweep, ...]]:
        """Sweeps that were requested, one tuple per call of `sweep`.

        Those of tasks that are not registered in this process are left out.
        """
        names = sorted(entry.name for entry in entries(self.folder / STUDIES))
        found = []
        for name in names:
            if name.endswith(".json") and not name.startswith("."):
                with contextlib.suppress(ConfigError, FileError):
                    found.append(read_study(self.folder / STUDIES / name))
        return found

    def keep_study(self, sweeps: Sequence[Sweep]) -> None:
        """Record that these sweeps were requested.

        Parameters
        ----------
        sweeps : sequence of Sweep
        """
        path = self.folder / STUDIES / name_of(sweeps)
        if not path.exists():
            make_folder(path.parent)
            write_bytes(path, as_text(sweeps).encode())

    def tidy(self) -> None:
        """Remove the temporary files of writers that were killed."""
        of_configs = (self.blocks / key for key in self.folders())
        for folder in (self.folder, self.folder / STUDIES, self.blocks, *of_configs):
            remove_fragments(folder)
