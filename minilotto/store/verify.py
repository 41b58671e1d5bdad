"""What is in a store: what was asked for, what is missing or damaged, whether everything is what it
says, how losses are spread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import FileError, UnusableFileError
from minilotto.settings.config import FIELDS, Config
from minilotto.store import blocks
from minilotto.store.blocks import Stored, count_of, described
from minilotto.store.grid import Sweep, wanted
from minilotto.training.train import train

if TYPE_CHECKING:
    from minilotto.store.store import Store

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Status(NamedTuple):
    """Of one config: seeds that were asked for, those of them that are there, all that are there,
    damaged blocks, blocks, bytes.

    `config` is None for a folder whose config is not known here.
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
        """Seeds that were asked for and are not there, or are damaged."""
        return self.asked - self.done


def status(store: "Store", quick: bool) -> tuple[Status, ...]:
    """A Status for each config that was asked for, and then for each other one that is there."""
    asked = wanted([one for study in store.studies() for one in study])
    others = [key for key in store.folders() if key not in {config.key for config in asked}]
    known = {config.key: config for config in (*asked, *store.configs)}
    rows = []
    for key in (*(config.key for config in asked), *others):
        stored = store.stored(key)
        damaged = store.damaged([one.name for one in stored], quick)
        sound = blocks.joined(one.run for one in stored if one.name not in set(damaged))
        runs = asked.get(known[key], ()) if key in known else ()
        missing = count_of(blocks.without(runs, sound))
        size = sum(store.size_of(one.name) for one in stored)
        rows.append(
            Status(
                key,
                known.get(key),
                count_of(runs),
                count_of(runs) - missing,
                count_of(sound),
                tuple(damaged),
                len(stored),
                size,
            )
        )
    return tuple(rows)


def status_text(rows: Sequence[Status]) -> str:
    """A line a config, and a sum."""
    if not rows:
        return "an empty store: nothing was asked for, and nothing is there"
    lines = [
        f"{'asked':>9}{'done':>9}{'missing':>9}{'damaged':>9}{'there':>9}{'blocks':>8}  config"
    ]
    for row in rows:
        name = (
            described(row.config) if row.config else f"{row.key}, a config that is not known here"
        )
        lines.append(
            f"{row.asked:9}{row.done:9}{row.missing:9}{len(row.damaged):9}{row.there:9}{row.blocks:8} "
            f" {name}"
        )
    asked, done = sum(row.asked for row in rows), sum(row.done for row in rows)
    size = sum(row.bytes for row in rows)
    share = f", {done / asked:.1%} of what was asked for" if asked else ""
    lines.append(
        f"{done} of {asked} nets{share}; {sum(row.blocks for row in rows)} blocks, "
        f"{size / 1e6:.3g} MB"
    )
    lines += [f"damaged: {name}" for row in rows for name in row.damaged]
    if any(row.damaged for row in rows):
        lines.append("the same sweep puts damaged blocks aside and trains them again")
    return "\n".join(lines)


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    blocks      blocks that were read
    nets        nets in those that are sound
    damaged     (name, why) of those that are not what they should be
    unusable    (name, why) of those from a newer minilotto or of a task that is not registered here
    recomputed  nets that were trained again
    different   of them, those that came out otherwise: config, seed, and by whom they were stored
    """

    blocks: int
    nets: int
    damaged: tuple[tuple[str, str], ...]
    unusable: tuple[tuple[str, str], ...]
    recomputed: int
    different: tuple[tuple[Config, int, str], ...]

    @property
    def passed(self) -> bool:
        return not self.damaged and not self.different

    def __str__(self) -> str:
        lines = [
            f"{self.blocks} blocks read: {self.nets} nets in sound ones, {len(self.damaged)} "
            "damaged"
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
            f"different: seed {seed} of {described(config)}, stored by {who}"
            for config, seed, who in self.different
        ]
        return "\n".join(lines)


def verify(store: "Store", recompute: int, threads: int | None, choice: int | None) -> Verification:
    """See `Store.verify`."""
    sound: list[Stored] = []
    damaged, unusable, read = [], [], 0
    for one in (one for key in store.folders() for one in store.stored(key)):
        read += 1
        try:
            blocks.read_block(store.blocks, one.name)
        except UnusableFileError as error:
            unusable.append((one.name, str(error)))
        except FileError as error:
            damaged.append((one.name, str(error)))
        else:
            sound.append(one)
    nets = count_of(one.run for one in sound)
    drawn = _drawn(sound, recompute, choice)
    different = [found for one, seeds in drawn for found in _different(store, one, seeds, threads)]
    return Verification(
        read,
        nets,
        tuple(damaged),
        tuple(unusable),
        sum(len(seeds) for _, seeds in drawn),
        tuple(different),
    )


def _drawn(
    stored: Sequence[Stored], count: int, choice: int | None
) -> list[tuple[Stored, NDArray[np.int64]]]:
    """Some `count` distinct nets, each as likely as another, by block."""
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
    store: "Store", one: Stored, seeds: NDArray[np.int64], threads: int | None
) -> list[tuple[Config, int, str]]:
    """Of these seeds of a block, those that come out otherwise when they are trained again."""
    kept = blocks.read_block(store.blocks, one.name)
    backend = kept.engine.split(",")[0]
    again = train(
        kept.config,
        seeds,
        backend=backend if backend in ("cuda", "reference") else "cpu",
        threads=threads,
    )
    kept = kept.select(seeds - one.run[0])
    who = f"minilotto {kept.provenance.get('minilotto')} on {kept.provenance.get('cpu')}"
    return [
        (kept.config, int(seed), who)
        for i, seed in enumerate(seeds)
        if not _same_net(kept, again, i)
    ]


def _same_net(a: Ensemble, b: Ensemble, i: int) -> bool:
    pairs = [
        (getattr(a, name)[i], getattr(b, name)[i])
        for name in ("w", "b", "v", "c", "loss", "nodes", "audit")
    ]
    pairs.append((a.history.loss[:, i], b.history.loss[:, i]))
    return all(p.dtype == q.dtype and p.tobytes() == q.tobytes() for p, q in pairs)


class Row(NamedTuple):
    """Losses of one config: seeds asked for and done, of these diverged, quantiles of the others'
    losses (QUANTILES), the best.
    """

    config: Config
    asked: int
    done: int
    diverged: int
    quantiles: tuple[float, ...]
    best: float


def losses_of(store: "Store", sweeps: Sequence[Sweep]) -> tuple[Row, ...]:
    """A Row for each config of these sweeps. Raises FileError for a damaged block."""
    rows = []
    for config, runs in wanted(sweeps).items():
        losses = store.losses(config, runs)
        finite = losses[np.isfinite(losses)]
        spread = (
            tuple(np.quantile(finite, QUANTILES).tolist())
            if finite.size
            else (float("nan"),) * len(QUANTILES)
        )
        best = float(finite.min()) if finite.size else float("nan")
        rows.append(
            Row(config, count_of(runs), losses.size, losses.size - finite.size, spread, best)
        )
    return tuple(rows)


def losses_text(rows: Sequence[Row]) -> str:
    """A line a config: what varies between the configs, seeds done, losses, diverged."""
    varying = [name for name in FIELDS if len({getattr(row.config, name) for row in rows}) > 1] or [
        "width"
    ]
    labels = [[str(getattr(row.config, name)) for name in varying] for row in rows]
    sizes = [
        max(len(name), *(len(label[i]) for label in labels)) + 2 for i, name in enumerate(varying)
    ]
    head = "".join(f"{name:>{size}}" for name, size in zip(varying, sizes, strict=True))
    names = ("median" if q == 0.5 else f"{q:.0%}" for q in QUANTILES)
    lines = [
        head
        + f"{'seeds':>16}{'best':>10}"
        + "".join(f"{name:>10}" for name in names)
        + f"{'diverged':>10}"
    ]
    for row, label in zip(rows, labels, strict=True):
        left = "".join(f"{text:>{size}}" for text, size in zip(label, sizes, strict=True))
        done = f"{row.done}/{row.asked}" if row.done < row.asked else f"{row.done}"
        values = "".join(f"{value:10.3g}" for value in (row.best, *row.quantiles))
        lines.append(f"{left}{done:>16}{values}{row.diverged:10}")
    return "\n".join(lines)
