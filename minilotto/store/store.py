"""Store: the nets in a folder, by config."""

import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import ConfigError, FileError, ResourceError, UnusableFileError
from minilotto.files import check_folder, check_input, entries, make_folder, path_of, write_bytes
from minilotto.hardware.machine import available_memory, readable_bytes
from minilotto.settings.config import FIELDS, Config, checked_config
from minilotto.store import blocks
from minilotto.store.folder import BLOCKS, MARKER, OURS, by_fields, cover, positions_in
from minilotto.store.format import SCHEMA
from minilotto.store.grid import Sweep, as_sweeps
from minilotto.store.tables import Tables
from minilotto.training.train import seeds_of

if TYPE_CHECKING:
    from minilotto.store.verify import Status, Verification


class Store(Tables):
    """The nets in a folder, by config; `sweep` and `open_store` make it.

    Nothing is read before it is asked for, and blocks that other processes add are seen.

    Parameters
    ----------
    folder : Path
        An existing store.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._seen: dict[str, Config | None] = {}  # by key, for messages

    def __repr__(self) -> str:
        return f"Store({str(self.folder)!r})"

    @property
    def configs(self) -> tuple[Config, ...]:
        """Configs of which the store has nets, ordered by their fields.

        Without those of a newer minilotto or of a task that is not registered. Raises FileError for
        a damaged block.
        """
        return self.known(UnusableFileError)

    def seeds(self, config: Config) -> NDArray[np.int64]:
        """Seeds of a config in the store.

        Parameters
        ----------
        config : Config

        Returns
        -------
        (R,) ndarray of int64
            Ascending.
        """
        return blocks.seeds_in(self.runs(config))

    def missing(self, sweeps: Sweep | Sequence[Sweep]) -> dict[Config, NDArray[np.int64]]:
        """Seeds of sweeps that are not in the store.

        Parameters
        ----------
        sweeps : Sweep or sequence of Sweep

        Returns
        -------
        dict of Config to (R,) ndarray of int64
            Without the configs that miss nothing.
        """
        runs = self.missing_runs(as_sweeps(sweeps))
        return {config: blocks.seeds_in(gaps) for config, gaps in runs.items()}

    def ensemble(self, config: Config, seeds: int | Iterable[int] | None = None) -> Ensemble:
        """Nets of a config, from all its blocks.

        Parameters
        ----------
        config : Config
        seeds : int, iterable of int or None
            R for the seeds 0, ..., R - 1, or distinct seeds, in whose order the nets come. By
            default all in the store, ascending.

        Returns
        -------
        Ensemble

        Raises
        ------
        ConfigError
            For a config or a seed that is not in the store.
        FileError
            For a damaged block; the same sweep trains it again.
        ResourceError
            For more than fits in memory.
        """
        stored = self.stored(checked_config(config).key)
        if not stored:
            raise ConfigError(
                f"{str(self.folder)!r} has no nets of {config}; {self._nearest(config)}"
            )
        chosen = None if seeds is None else seeds_of(seeds)
        there = blocks.union(one.run for one in stored)
        runs = there if chosen is None else blocks.runs_of(chosen)
        gaps = blocks.difference(runs, there)
        if gaps:
            raise ConfigError(
                f"{str(self.folder)!r} has {blocks.count_of(runs) - blocks.count_of(gaps)} of "
                f"these {blocks.count_of(runs)} seeds of {config}; seed "
                f"{gaps[0][0]} is the first that is missing, sweep it first"
            )
        needed, free = 3 * sum(self.size_of(one.name) for one in stored), available_memory()
        if needed > free:
            raise ResourceError(
                f"these blocks need about {readable_bytes(needed)} of memory and "
                f"{readable_bytes(free)} is free; ask for fewer seeds"
            )
        parts = []
        for one, have in cover(stored, runs):
            nets = blocks.read_block(self.blocks, one.name)
            parts.append(nets if have == (one.run,) else nets.select(positions_in(one, have)))
        nets = blocks.concatenate(parts)
        if chosen is None or np.array_equal(chosen, nets.seeds):
            return nets
        order = np.argsort(nets.seeds)
        return nets.select(order[np.searchsorted(nets.seeds, chosen, sorter=order)])

    def _nearest(self, config: Config) -> str:
        """What the config in the store that is nearest to this one has instead."""
        keys = self.folders()
        for key in keys:
            if self._seen.get(key) is None:
                with contextlib.suppress(FileError):
                    self._seen[key] = self.config_of(key)
        found = map(self._seen.get, keys)
        others = sorted((one for one in found if one is not None), key=by_fields)
        if not others:
            return "it is empty"
        apart = {
            one: [name for name in FIELDS if getattr(one, name) != getattr(config, name)]
            for one in others
        }
        nearest = min(apart, key=lambda one: (len(apart[one]), abs(one.width - config.width)))
        differences = ", ".join(f"{name}={getattr(nearest, name)!r}" for name in apart[nearest])
        return f"of the {len(others)} configs there the nearest has {differences}"

    def status(self, quick: bool = True) -> "tuple[Status, ...]":
        """What was requested, what is there and what is damaged.

        Parameters
        ----------
        quick : bool
            Read only the end of each file, which finds cut blocks and no others.

        Returns
        -------
        tuple of Status
            One for each config, requested ones first.
        """
        from minilotto.store.verify import status

        return status(self, quick)

    def verify(
        self, recompute: int = 0, *, threads: int | None = None, choice: int | None = None
    ) -> "Verification":
        """Check every block, and some nets by training them again. Nothing is changed.

        Parameters
        ----------
        recompute : int
            Number of random nets to train again and compare in every bit.
        threads : int or None
            Threads to train with; by default all cores that this process may use.
        choice : int or None
            Seed of the random choice of nets; by default a new one each time.

        Returns
        -------
        Verification
        """
        from minilotto.store.verify import verify

        return verify(self, recompute, threads, choice)


def open_store(folder: str | Path) -> Store:
    """The store in a folder, to read.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    Store

    Raises
    ------
    FileError
        For a folder without a store.
    UnusableFileError
        For a store of a newer minilotto.

    Examples
    --------
    >>> open_store("no/such/folder")
    Traceback (most recent call last):
    minilotto.errors.FileError: 'no/such/folder' does not exist; check the name
    """
    folder = path_of(folder, folder=True)
    try:
        os.stat(folder / MARKER)
        text = check_input(folder / MARKER).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        if not os.path.exists(folder):
            raise FileError(f"{str(folder)!r} does not exist; check the name") from None
        raise FileError(
            f"{str(folder)!r} is no store of minilotto (no sweep has written to it); check the name"
        ) from None
    except FileError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(
            f"{str(folder / MARKER)!r} cannot be read ({getattr(error, 'strerror', None) or error})"
        ) from None
    schema = None
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
        schema = json.loads(text)["schema"]
    if type(schema) is not int or schema < 1:
        raise FileError(
            f"{str(folder / MARKER)!r} is damaged; remove it, and the next sweep writes it again"
        )
    if schema > SCHEMA:
        raise UnusableFileError(
            f"{str(folder)!r} has schema {schema}, and {SCHEMA} is the newest known here; upgrade "
            "minilotto or use another folder"
        )
    return Store(folder)


def make_store(folder: str | Path) -> Store:
    """The store in a folder, to write; made where there is none.

    Raises ConfigError for a folder with other files, FileError where nothing can be written, and
    UnusableFileError for a newer store.
    """
    folder = check_folder(folder, MARKER)
    if not os.path.lexists(folder / MARKER):
        make_folder(folder)
        names = [entry.name for entry in entries(folder) if not entry.name.startswith(".")]
        # A store may have lost its marker, but not its blocks.
        others = [name for name in names if name not in OURS or BLOCKS not in names]
        # Another process may have made the store meanwhile, its marker before any name but blocks.
        if others and not os.path.lexists(folder / MARKER):
            raise ConfigError(
                f"{str(folder)!r} is no store and holds {others[0]!r}; name an empty or a new "
                "folder"
            )
        make_folder(folder / BLOCKS)
        text = json.dumps({"what": "store of minilotto", "schema": SCHEMA}) + "\n"
        write_bytes(folder / MARKER, text.encode())
    store = open_store(folder)
    make_folder(folder / BLOCKS)
    store.tidy()
    return store
