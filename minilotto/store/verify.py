"""Reports on a store: what is requested, missing or damaged, recomputation, spread of losses."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import FileError, UnreadableFileError, UnusableFileError
from minilotto.settings.config import FIELDS, Config
from minilotto.settings.numbers import whole_number
from minilotto.store import blocks
from minilotto.store.blocks import Stored, count_of
from minilotto.store.folder import STUDIES
from minilotto.store.grid import Sweep, wanted
from minilotto.training.train import thread_count, train

if TYPE_CHECKING:
    from minilotto.store.store import Store

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Status(NamedTuple):
    """What a store has of one config.

    key: name of the config's folder, "studies" in a last row where files of requests are damaged;
    config: None where it is not known in this process; asked, done, there: seeds that were
    requested, those of them in sound blocks, all in sound blocks; damaged: names of damaged blocks
    or files of requests; blocks, bytes: number and size of the files.
    """

    key: str
    config: Config | None
    asked: int
    done: int
    there: int
    damaged: tuple[str, ...]
    blocks: int
    bytes: int

    @property
    def missing(self) -> int:
        """Seeds that were requested and are in no sound block."""
        return self.asked - self.done


def status(store: "Store", quick: bool) -> tuple[Status, ...]:
    """See `Store.status`."""
    asked = wanted([one for study in store.studies() for one in study])
    requested = {config.key: config for config in asked}
    rows = []
    for key in dict.fromkeys((*requested, *store.folders())):
        config = requested.get(key)
        if config is None:
            with contextlib.suppress(FileError):
                config = store.config_of(key)
        stored = store.stored(key)
        damaged = tuple(store.damaged([one.name for one in stored], quick))
        sound = blocks.union(one.run for one in stored if one.name not in damaged)
        runs = asked.get(config, ()) if config is not None else ()
        done = count_of(runs) - count_of(blocks.difference(runs, sound))
        size = sum(store.size_of(one.name) for one in stored)
        counts = count_of(runs), done, count_of(sound)
        rows.append(Status(key, config, *counts, damaged, len(stored), size))
    lost = tuple(store.damaged_studies())
    return (*rows, Status(STUDIES, None, 0, 0, 0, lost, 0, 0)) if lost else tuple(rows)


def status_text(rows: Sequence[Status]) -> str:
    """One line for each config, and a sum."""
    if not rows:
        return "an empty store: nothing was asked for, and nothing is there"
    head = ("asked", "done", "missing", "damaged", "there", "blocks")
    lines = ["".join(f"{name:>9}" for name in head) + "  config"]
    for row in rows:
        unknown = (
            "damaged requests" if row.key == STUDIES else f"{row.key}, a config not known here"
        )
        known = str(row.config) if row.config else unknown
        counts = (row.asked, row.done, row.missing, len(row.damaged), row.there, row.blocks)
        lines.append("".join(f"{count:9}" for count in counts) + f"  {known}")
    asked, done = sum(row.asked for row in rows), sum(row.done for row in rows)
    size = sum(row.bytes for row in rows)
    fraction = f", {done / asked:.1%} of what was asked for" if asked else ""
    lines.append(
        f"{done} of {asked} nets{fraction}; {sum(row.blocks for row in rows)} blocks, "
        f"{size / 1e6:.3g} MB"
    )
    lines += [f"damaged: {name}" for row in rows for name in row.damaged]
    if any(row.damaged for row in rows):
        lines.append("the same sweep puts damaged files aside and makes them again")
    return "\n".join(lines)


@dataclass(frozen=True)
class Verification:
    """What `Store.verify` found.

    Attributes
    ----------
    blocks : int
        Blocks that were read.
    nets : int
        Nets in sound blocks.
    damaged : tuple of (str, str)
        Name and reason of each damaged block, and of each damaged file of requests.
    unusable : tuple of (str, str)
        The same of blocks of a newer minilotto or of a task that is not registered.
    recomputed : int
        Nets that were trained again.
    different : tuple of (Config, int, str)
        Those that differed: config, seed, version and CPU that stored them.
    """

    blocks: int
    nets: int
    damaged: tuple[tuple[str, str], ...]
    unusable: tuple[tuple[str, str], ...]
    recomputed: int
    different: tuple[tuple[Config, int, str], ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is damaged and no net differed."""
        return not self.damaged and not self.different

    def __str__(self) -> str:
        lines = [
            f"{self.blocks} blocks read: {self.nets} nets in sound ones, "
            f"{len(self.damaged)} damaged"
        ]
        lines += [f"damaged: {name}: {why}" for name, why in self.damaged]
        lines += [f"not checked: {name}: {why}" for name, why in self.unusable]
        if self.recomputed:
            same = self.recomputed - len(self.different)
            lines.append(
                f"{self.recomputed} nets trained again: {same} the same in every bit, "
                f"{len(self.different)} different"
            )
        lines += [
            f"different: seed {seed} of {config}, stored by {who}"
            for config, seed, who in self.different
        ]
        return "\n".join(lines)


def verify(store: "Store", recompute: int, threads: int | None, choice: int | None) -> Verification:
    """See `Store.verify`."""
    recompute, threads = whole_number("recompute", recompute, at_least=0), thread_count(threads)
    stored = [one for key in store.folders() for one in store.stored(key)]
    sound, unusable = [], []
    why = "it is not what was written under that name; the same sweep writes it again"
    damaged = [(name, why) for name in store.damaged_studies()]
    for one in stored:
        try:
            blocks.read_block(store.blocks, one.name)
        except UnreadableFileError:
            raise
        except UnusableFileError as error:
            unusable.append((one.name, str(error)))
        except FileError as error:
            damaged.append((one.name, str(error)))
        else:
            sound.append(one)
    drawn = _drawn(sound, recompute, choice)
    different = [found for one, seeds in drawn for found in _different(store, one, seeds, threads)]
    return Verification(
        blocks=len(stored),
        nets=count_of(one.run for one in sound),
        damaged=tuple(damaged),
        unusable=tuple(unusable),
        recomputed=sum(len(seeds) for _, seeds in drawn),
        different=tuple(different),
    )


def _drawn(
    stored: Sequence[Stored], count: int, choice: int | None
) -> list[tuple[Stored, NDArray[np.int64]]]:
    """Seeds of `count` distinct random nets, all equally likely, by block."""
    ends = np.cumsum([stop - first for first, stop in (one.run for one in stored)], dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    random = np.random.default_rng(choice)
    places: set[int] = set(range(total)) if count >= total else set()
    while len(places) < min(count, total):
        places.add(int(random.integers(total)))
    ordered = np.array(sorted(places), dtype=np.int64)
    owners = np.searchsorted(ends, ordered, side="right")
    return [
        (stored[owner], stored[owner].run[1] - (ends[owner] - ordered[owners == owner]))
        for owner in np.unique(owners).tolist()
    ]


def _different(
    store: "Store", one: Stored, seeds: NDArray[np.int64], threads: int
) -> list[tuple[Config, int, str]]:
    """Those of these seeds of a block that differ when they are trained again."""
    kept = blocks.read_block(store.blocks, one.name)
    engine = kept.engine.split(",")[0]
    backend = engine if engine in ("cuda", "reference") else "cpu"
    nodes = "compressed" in kept.engine
    again = train(kept.config, seeds, backend=backend, compress=nodes, threads=threads)
    kept = kept.select(seeds - one.run[0])
    who = f"minilotto {kept.provenance.get('minilotto')} on {kept.provenance.get('cpu')}"
    return [
        (kept.config, int(seed), who)
        for i, seed in enumerate(seeds)
        if not _same_net(kept, again, i)
    ]


def _same_net(a: Ensemble, b: Ensemble, i: int) -> bool:
    arrays = zip(a.per_net().values(), b.per_net().values(), strict=True)
    pairs = [(one[i], other[i]) for one, other in arrays]
    pairs.append((a.history.loss[:, i], b.history.loss[:, i]))
    return all(p.dtype == q.dtype and p.tobytes() == q.tobytes() for p, q in pairs)


class Row(NamedTuple):
    """Losses of one config: seeds requested, done and diverged; QUANTILES and least of the rest."""

    config: Config
    asked: int
    done: int
    diverged: int
    quantiles: tuple[float, ...]
    best: float


def losses_of(store: "Store", sweeps: Sequence[Sweep]) -> tuple[Row, ...]:
    """One Row for each config of these sweeps. Raises FileError for a damaged block."""
    rows = []
    for config, runs in wanted(sweeps).items():
        losses = store.losses(config, runs)
        finite = losses[np.isfinite(losses)]
        # The least loss is the quantile of 0.
        spread = np.quantile(finite if finite.size else np.nan, (0.0, *QUANTILES)).tolist()
        diverged = losses.size - finite.size
        rows.append(
            Row(config, count_of(runs), losses.size, diverged, tuple(spread[1:]), spread[0])
        )
    return tuple(rows)


def losses_text(rows: Sequence[Row]) -> str:
    """One line for each config: fields that vary, seeds done, losses, diverged."""
    varying = [name for name in FIELDS if len({getattr(row.config, name) for row in rows}) > 1]
    varying = varying or ["width"]
    quantiles = ("median" if q == 0.5 else f"{q:.0%}" for q in QUANTILES)
    table = [[*varying, "seeds", "best", *quantiles, "diverged"]]
    for row in rows:
        label = (str(getattr(row.config, name)) for name in varying)
        done = f"{row.done}/{row.asked}" if row.done < row.asked else f"{row.done}"
        values = (f"{value:.3g}" for value in (row.best, *row.quantiles))
        table.append([*label, done, *values, str(row.diverged)])
    fixed = (16, *(10,) * (len(QUANTILES) + 2))
    sizes = [max(map(len, column)) + 2 for column in zip(*table, strict=True)][: len(varying)]
    return "\n".join(
        "".join(f"{text:>{size}}" for text, size in zip(line, (*sizes, *fixed), strict=True))
        for line in table
    )
