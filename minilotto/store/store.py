"""Store: a folder of blocks that any number of processes may read and add to.

    minilotto-store.json                        the schema
    blocks/CONFIG/FIRST-STOP.npz                the nets of seeds FIRST, ..., STOP - 1 of a config,
                                                see store/blocks.py; never changed
    studies/*.json                              the sweeps that were asked for
    quarantine/CONFIG/FIRST-STOP.npz.N          what was found damaged, out of the way
    logs/*.jsonl                                who did what, when, in how many seconds

The names in blocks/ are all that is relied on to know what is there; no index can be out of date.
What a block holds is relied on only after its seal has been checked.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import ConfigError, FileError, ResourceError, UnusableFileError
from minilotto.files import probe, remove_fragments, write_atomically
from minilotto.hardware.machine import available_memory, readable_bytes, usable_cores
from minilotto.settings.config import Config
from minilotto.store import blocks
from minilotto.store.blocks import Block, Run, Stored
from minilotto.store.grid import Sweep, as_sweeps, as_text, name_of, read_study, wanted
from minilotto.training.train import seeds_of

if TYPE_CHECKING:
    from minilotto.store.verify import Status, Verification

SCHEMA = 1
MARKER, BLOCKS, STUDIES, QUARANTINE, LOGS = (
    "minilotto-store.json",
    "blocks",
    "studies",
    "quarantine",
    "logs",
)


class Store:
    """The nets in a folder, by config. Nothing is read before it is asked for, and what others add
    meanwhile is seen.

    Made by `sweep` and `open_store`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[str, Config | None] = {}  # by key: enough for what is only said of others

    def __repr__(self) -> str:
        return f"Store({str(self.folder)!r})"

    @property
    def blocks(self) -> Path:
        return self.folder / BLOCKS

    # What is there
    def folders(self) -> list[str]:
        """The keys of the configs that have a folder, in alphabetical order."""
        return sorted(entry.name for entry in _entries(self.blocks) if entry.is_dir())

    def stored(self, key: str) -> list[Stored]:
        """The blocks of the config of that key, in the order of seeds, by their names alone."""
        found = ((entry.name, blocks.run_of(entry.name)) for entry in _entries(self.blocks / key))
        return sorted(
            (Stored(f"{key}/{name}", run) for name, run in found if run),
            key=lambda one: (one.run[0], -one.run[1]),
        )

    @property
    def configs(self) -> tuple[Config, ...]:
        """The configs of which there are nets, ordered by their fields."""
        found = [config for config in map(self._config, self.folders()) if config is not None]
        return tuple(sorted(found, key=_by_fields))

    def _config(self, key: str) -> Config | None:
        """The config of a folder, told by its first sound block."""
        for one in self.stored(key):
            with contextlib.suppress(FileError):
                return blocks.read_block(self.blocks, one.name).config
        return None

    def runs(self, config: Config) -> tuple[Run, ...]:
        """Which seeds of `config` there are, as ascending runs."""
        return blocks.joined(one.run for one in self.stored(config.key))

    def seeds(self, config: Config) -> NDArray[np.int64]:
        """(R,) the seeds of `config` that there are, ascending."""
        return blocks.seeds_in(self.runs(config))

    def missing(self, sweeps: Sweep | Sequence[Sweep]) -> dict[Config, NDArray[np.int64]]:
        """The seeds of each config of one sweep, or of several, that are not there yet; {} where
        nothing is missing.
        """
        runs = self.missing_runs(as_sweeps(sweeps))
        return {config: blocks.seeds_in(gaps) for config, gaps in runs.items()}

    def missing_runs(self, sweeps: Sequence[Sweep]) -> dict[Config, tuple[Run, ...]]:
        """As `missing`, in runs."""
        gaps = {
            config: blocks.without(runs, self.runs(config))
            for config, runs in wanted(sweeps).items()
        }
        return {config: runs for config, runs in gaps.items() if runs}

    # What it holds
    def ensemble(self, config: Config, seeds: int | Iterable[int] | None = None) -> Ensemble:
        """The nets of `config`, blocks joined in the order of seeds.

        seeds  a number R for 0, ..., R - 1, or a range or a list, in whose order the nets come; by
               default all that are there

        Raises ConfigError for a config or a seed that is not there, FileError for a damaged block
        (the same sweep trains it again), ResourceError for more than fits in memory.
        """
        stored = self.stored(config.key)
        if not stored:
            raise ConfigError(
                f"{str(self.folder)!r} has no nets of {blocks.described(config)}; "
                f"{self._others(config)}"
            )
        chosen = None if seeds is None else seeds_of(seeds)
        runs = (
            blocks.joined(one.run for one in stored) if chosen is None else blocks.runs_of(chosen)
        )
        gaps = blocks.without(runs, (one.run for one in stored))
        if gaps:
            raise ConfigError(
                f"{str(self.folder)!r} has {blocks.count_of(runs) - blocks.count_of(gaps)} of "
                f"these {blocks.count_of(runs)} seeds "
                f"of {blocks.described(config)}; seed {gaps[0][0]} is the first that is missing, "
                "sweep it first"
            )
        self._refuse_beyond_memory(stored)
        parts = [self._part(one, have) for one, have in self._cover(stored, runs)]
        nets = blocks.together(parts)
        if chosen is None or np.array_equal(chosen, nets.seeds):
            return nets
        order = np.argsort(nets.seeds)
        return nets.select(order[np.searchsorted(nets.seeds, chosen, sorter=order)])

    def _cover(
        self, stored: Sequence[Stored], runs: Iterable[Run]
    ) -> Iterator[tuple[Stored, tuple[Run, ...]]]:
        """Which block gives which of these seeds, each seed once."""
        left = blocks.joined(runs)
        for one in stored:
            rest = blocks.without(left, [one.run])
            if rest != left:
                yield one, blocks.without(left, rest)
                left = rest

    def _part(self, one: Stored, runs: tuple[Run, ...]) -> Ensemble:
        nets = blocks.read_block(self.blocks, one.name)
        return nets if runs == (one.run,) else nets.select(blocks.seeds_in(runs) - one.run[0])

    def size_of(self, name: str) -> int:
        """Bytes of a block's file; 0 where it is gone."""
        with contextlib.suppress(OSError):
            return os.path.getsize(self.blocks / name)
        return 0

    def _refuse_beyond_memory(self, stored: Sequence[Stored]) -> None:
        needed, free = 3 * sum(self.size_of(one.name) for one in stored), available_memory()
        if needed > free:
            raise ResourceError(
                f"these blocks need about {readable_bytes(needed)} of memory and "
                f"{readable_bytes(free)} is free; "
                "ask for fewer seeds"
            )

    def _others(self, config: Config) -> str:
        """What to say of the configs that are there instead."""
        keys = self.folders()
        for key in keys:
            if self._seen.get(key) is None:
                self._seen[key] = self._config(key)
        others = sorted(
            (one for key in keys if (one := self._seen[key]) is not None), key=_by_fields
        )
        if not others:
            return "it is empty"
        names = Config.__dataclass_fields__
        apart = {
            one: [name for name in names if getattr(one, name) != getattr(config, name)]
            for one in others
        }
        nearest = min(apart, key=lambda one: len(apart[one]))
        differences = ", ".join(f"{name}={getattr(nearest, name)!r}" for name in apart[nearest])
        return f"of the {len(others)} configs there the nearest has {differences}"

    def losses(self, config: Config, runs: Iterable[Run]) -> NDArray[np.float64]:
        """(R,) final losses of the seeds of `config` in `runs` that are there, in the order of
        seeds. Raises FileError.
        """
        parts = [np.empty(0)]
        for one, have in self._cover(self.stored(config.key), runs):
            losses = blocks.losses_in(blocks.sealed_content(self.blocks, one.name))
            parts.append(
                losses if have == (one.run,) else losses[blocks.seeds_in(have) - one.run[0]]
            )
        return np.concatenate(parts)

    # Studies
    def studies(self) -> list[tuple[Sweep, ...]]:
        """The sweeps that were asked for, as they were asked for together; without those of tasks
        that are not registered here.
        """
        names = sorted(
            entry.name for entry in _entries(self.folder / STUDIES) if entry.name.endswith(".json")
        )
        found = []
        for name in (name for name in names if not name.startswith(".")):
            with contextlib.suppress(ConfigError, FileError):
                found.append(read_study(self.folder / STUDIES / name))
        return found

    def keep_study(self, sweeps: Sequence[Sweep]) -> None:
        """Remember that these sweeps were asked for. Raises FileError."""
        path = self.folder / STUDIES / name_of(sweeps)
        if not path.exists():
            _make(path.parent)
            write_atomically(path, lambda file: file.write(as_text(sweeps).encode()))

    # Damage
    def damaged(self, names: Sequence[str], quick: bool = False) -> list[str]:
        """Those of these blocks whose seal is broken; `quick` looks at their ends only. Raises
        UnusableFileError.
        """
        with ThreadPoolExecutor(min(8, usable_cores() + 2)) as pool:
            sound = pool.map(lambda name: self._is_sound(name, quick), names)
            return [name for name, good in zip(names, sound, strict=True) if not good]

    @staticmethod
    def _is_sound_at(place: Path, name: str) -> bool:
        return blocks.is_sealed(place.read_bytes(), name)

    def has(self, block: Block) -> bool:
        """Whether exactly this block is there, and sound."""
        return os.path.exists(self.blocks / block.name) and self._is_sound(block.name, quick=False)

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
        """Move a damaged block to the quarantine; None where another process was faster. Raises
        FileError.
        """
        target = self.folder / QUARANTINE / name
        _make(target.parent)
        for number in range(1, 10**6):
            place = target.with_name(f"{target.name}.{number}")
            try:
                os.link(
                    self.blocks / name, place
                )  # unlike a rename, never over what another process put there
            except FileExistsError:
                continue
            except FileNotFoundError:
                return None
            except OSError:  # a file system without hard links
                with contextlib.suppress(FileNotFoundError):
                    os.replace(self.blocks / name, place)
                return place
            with contextlib.suppress(FileNotFoundError):
                if self._is_sound_at(place, name):  # another process has replaced it meanwhile
                    os.unlink(place)
                    return None
                os.unlink(self.blocks / name)
            return place
        raise FileError(f"{str(target.parent)!r} is full of damaged blocks; remove them")

    def status(self, quick: bool = True) -> "tuple[Status, ...]":
        """What was asked for, what is there and what is damaged, a row a config; see
        `inspection.Status`.
        """
        from minilotto.store.verify import status

        return status(self, quick)

    def verify(
        self, recompute: int = 0, *, threads: int | None = None, choice: int | None = None
    ) -> "Verification":
        """Read every block and check all that can be checked; train `recompute` random nets again
        and compare every bit.

        threads  how many threads to use; by default all cores that this process may use
        choice   a number that fixes which nets are drawn; by default others each time

        Nothing is changed. See `inspection.Verification`.
        """
        from minilotto.store.verify import verify

        return verify(self, recompute, threads, choice)

    # As tables
    def to_csv(self, path: str | Path, force: bool = False) -> Path:
        """Write a tidy table: a row a net, with all fields of its config, seed, loss, status,
        nodes, audit. Returns the path.
        """
        from minilotto.store.tables import to_csv

        return to_csv(self, path, force)

    def to_dataframe(self) -> Any:
        """The table of `to_csv` as a pandas DataFrame, text as categories (extra `pandas`)."""
        from minilotto.store.tables import to_dataframe

        return to_dataframe(self)

    def to_parquet(self, path: str | Path, force: bool = False) -> Path:
        """Write the table of `to_csv` as Parquet (extra `pandas`). Returns the path."""
        from minilotto.store.tables import to_parquet

        return to_parquet(self, path, force)

    def to_netcdf(self, path: str | Path, force: bool = False) -> Path:
        """Write the table of `to_csv` as NetCDF, along one dimension `net` (extra `netcdf`).
        Returns the path.
        """
        from minilotto.store.tables import to_netcdf

        return to_netcdf(self, path, force)

    def tidy(self) -> None:
        """Remove the fragments of writers that were killed."""
        for folder in (
            self.folder,
            self.folder / STUDIES,
            self.blocks,
            *(self.blocks / key for key in self.folders()),
        ):
            remove_fragments(folder)


def open_store(folder: str | Path) -> Store:
    """The store in a folder, to read. Raises FileError where there is none, or one of a newer
    minilotto.

    >>> open_store("no/such/folder")
    Traceback (most recent call last):
    minilotto.errors.FileError: 'no/such/folder' does not exist; check the name
    """
    folder = Path(folder)
    try:
        text = (folder / MARKER).read_text(encoding="utf-8")
    except FileNotFoundError:
        what = (
            "is no store of minilotto (nothing was ever swept into it)"
            if os.path.exists(folder)
            else "does not exist"
        )
        raise FileError(f"{str(folder)!r} {what}; check the name") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(
            f"{str(folder / MARKER)!r} cannot be read ({getattr(error, 'strerror', None) or error})"
        ) from None
    schema = _schema_in(text)
    if schema is None:
        raise FileError(
            f"{str(folder / MARKER)!r} is damaged; remove it, and the next sweep writes it anew"
        )
    if schema > SCHEMA:
        raise UnusableFileError(
            f"{str(folder)!r} has schema {schema}, and {SCHEMA} is the newest known here; upgrade "
            "minilotto or use another folder"
        )
    return Store(folder)


def make_store(folder: str | Path) -> Store:
    """The store in a folder, to add to; made where there is none.

    Raises ConfigError for a folder with other things in it, FileError where nothing can be written,
    or a newer store is.
    """
    folder = Path(folder)
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise FileError(f"{str(folder)!r} is a file; name a folder")
    if not os.path.lexists(folder / MARKER):
        _make(folder)
        others = [
            entry.name
            for entry in _entries(folder)
            if entry.name != BLOCKS and not entry.name.startswith(".")
        ]
        if others and not os.path.isdir(folder / BLOCKS):
            raise ConfigError(
                f"{str(folder)!r} is no store and holds {others[0]!r}; name an empty or a new "
                "folder"
            )
        text = json.dumps({"what": "store of minilotto", "schema": SCHEMA}) + "\n"
        write_atomically(folder / MARKER, lambda file: file.write(text.encode()))
    store = open_store(folder)
    _make(store.blocks)
    store.tidy()
    _refuse_read_only(store.blocks)
    return store


def _schema_in(text: str) -> int | None:
    with contextlib.suppress(ValueError, TypeError, KeyError):
        schema = json.loads(text)["schema"]
        if type(schema) is int and schema >= 1:
            return schema
    return None


def _entries(folder: Path) -> list[os.DirEntry]:
    """What is in a folder; nothing where it does not exist. Raises FileError where it may not be
    looked at.
    """
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise FileError(f"{str(folder)!r} cannot be listed ({error.strerror})") from None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"folder {str(folder)!r} cannot be made ({error.strerror})") from None


def _refuse_read_only(folder: Path) -> None:
    try:
        probe(folder / "probe")
    except OSError as error:
        raise FileError(
            f"folder {str(folder)!r} cannot be written to ({error.strerror}); choose another"
        ) from None


def _by_fields(config: Config) -> tuple[Any, ...]:
    return tuple(getattr(config, name) for name in Config.__dataclass_fields__)
