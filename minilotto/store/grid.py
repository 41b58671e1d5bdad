"""Sweep: a grid of configs with the seeds to train of each; and files that describe sweeps."""

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.errors import ConfigError, FileError, shown
from minilotto.files import check_input, opened, parsed_toml, path_of
from minilotto.settings.arrays import is_list
from minilotto.settings.config import FIELDS, Config, from_fields
from minilotto.settings.limits import listed
from minilotto.settings.numbers import whole_number
from minilotto.settings.schedules import SCHEDULES
from minilotto.store.blocks import Run, runs_of, seeds_in, union
from minilotto.training.going_on import steps_to_keep
from minilotto.training.train import seeds_of

MOST_CONFIGS = 10**6
SUFFIXES = (".toml", ".json")
STUDY_NAME = re.compile(r"[0-9a-f]{16}\.json")  # of `name_of`
AXES = {
    **{f"{field}{'es' if field in ('loss', 'batch') else 's'}": field for field in FIELDS},
    **{field: field for field in FIELDS},
}


class Sweep:
    """A grid: every combination of values of Config's fields, each with the same seeds.

    Parameters
    ----------
    seeds : int or iterable of int
        R for the seeds 0, ..., R - 1, or distinct whole numbers such as range(1000, 2000).
    keep : sequence of int
        Fewer steps than `steps`, after which the nets are stored as well, by the config of so many
        steps: as steps=(*keep, steps), and refused where the rate of a step depends on the number
        of all. By other schedules one training serves an axis of steps.
    **axes : value or sequence of values
        Fields of Config, each by its own name or the plural (widths, tasks, losses, ...); a
        sequence is an axis of the grid. The first axis varies slowest. Other fields have Config's
        defaults.

    Attributes
    ----------
    configs : tuple of Config
        One for each combination.
    axes : dict of str to tuple
        Values of each field that was given.
    runs : tuple of (int, int)
        The seeds as ascending runs: first seed and stop.

    Raises
    ------
    ConfigError
        For a name that is no field, a value that Config refuses, a value given twice, and steps to
        keep that are none on the way.

    Examples
    --------
    >>> sweep = Sweep(widths=(1, 2, 3), activations=("silu", "tanh"), seeds=10, steps=500)
    >>> len(sweep.configs), sweep.configs[1].width, sweep.configs[1].activation, sweep.seeds.size
    (6, 1, 'tanh', 10)
    """

    def __init__(
        self, /, seeds: int | Iterable[int] = 1000, keep: Sequence[int] = (), **axes: Any
    ) -> None:
        self.runs: tuple[Run, ...] = _runs(seeds)
        fields: dict[str, tuple[Any, ...]] = {}
        for name, value in axes.items():
            if name not in AXES:
                raise ConfigError(
                    f"{shown(name)} is no field of Config nor its plural; choose from "
                    f"{', '.join(FIELDS)}"
                )
            field = AXES[name]
            if field in fields:
                raise ConfigError(f"{field} is given twice, as {name} too; give it once")
            fields[field] = _values(name, value)
        self.configs = _combined(fields)
        if earlier := steps_to_keep(keep, 1, min(config.steps for config in self.configs)):
            for config in filter(depends_on_steps, self.configs):
                raise ConfigError(
                    f"keep={earlier[0]} is no whole training by schedule={config.schedule!r}, "
                    "whose rates depend on the number of steps; give steps as a list, which trains "
                    "each, or another schedule"
                )
            fields["steps"] = *earlier, *fields.get("steps", (Config.steps,))
            self.configs = _combined(fields)
        self.axes = self._axes_read(fields)
        for field, values in fields.items():
            if len(self.axes[field]) < len(values):
                raise ConfigError(
                    f"{field} has a value twice in {shown(list(values))}; give each once"
                )

    def _axes_read(self, fields: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        """Values as Config reads them, so that 1e3 steps and 1000 steps are one study; as they were
        given where configs read them differently, as lr_final is where it is a schedule's default.
        """
        read: dict[str, dict[Any, set[Any]]] = {field: {} for field in fields}
        combinations = itertools.product(*fields.values())
        for values, config in zip(combinations, self.configs, strict=True):
            for field, value in zip(fields, values, strict=True):
                read[field].setdefault(value, set()).add(getattr(config, field))
        differs = any(len(one) > 1 for values in read.values() for one in values.values())
        if differs and len(set(self.configs)) < len(self.configs):
            raise ConfigError(
                f"lr_final={shown(list(fields['lr_final']))} makes two configs the same, as None "
                "is the default of a schedule; give each value once"
            )
        return {
            field: tuple(
                dict.fromkeys(one.pop() if len(one) == 1 else value for value, one in seen.items())
            )
            for field, seen in read.items()
        }

    @cached_property
    def seeds(self) -> NDArray[np.int64]:
        """(R,) int64: seeds of each config, ascending."""
        return seeds_in(self.runs)

    def __repr__(self) -> str:
        axes = ", ".join(
            f"{field}={values[0] if len(values) == 1 else values}"
            for field, values in self.axes.items()
        )
        return f"Sweep({', '.join(filter(None, (axes, f'seeds={_words_of(self.runs)}')))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sweep) and (self.configs, self.runs) == (other.configs, other.runs)

    def __hash__(self) -> int:
        return hash((self.configs, self.runs))

    def to_dict(self) -> dict[str, Any]:
        """Arguments of an equal Sweep, in JSON's types.

        Returns
        -------
        dict
            The values of each axis as a list, and seeds.
        """
        axes = {field: list(values) for field, values in self.axes.items()}
        return {**axes, "seeds": _words_of(self.runs)}


def _combined(fields: dict[str, tuple[Any, ...]]) -> tuple[Config, ...]:
    """The configs of a grid. Raises ConfigError."""
    if np.prod([len(values) for values in fields.values()], dtype=float) > MOST_CONFIGS:
        raise ConfigError(f"these axes make more than {MOST_CONFIGS} configs; split the sweep")
    combinations = itertools.product(*fields.values())
    return tuple(from_fields(dict(zip(fields, values, strict=True))) for values in combinations)


def depends_on_steps(config: Config) -> bool:
    """Whether the rate of a step depends on the number of all steps."""
    rises = config.lr_decay > 1.0  # from below lr to a last stage at lr, if "stretched"
    return SCHEDULES[config.schedule].whole and (rises or config.final_fraction != 1.0)


def _runs(seeds: Any) -> tuple[Run, ...]:
    """Seeds as runs; of a number, a range or "1000:2000" without an array of them."""
    if isinstance(seeds, str):
        return tuple(_run_of_words(part) for part in seeds.split(","))
    if isinstance(seeds, range) and seeds.step == 1 and 0 <= seeds.start < seeds.stop <= 2**48:
        return ((seeds.start, seeds.stop),)
    if not is_list(seeds):
        return ((0, whole_number("seeds", seeds, at_least=1, below=2**48)),)
    return runs_of(seeds_of(seeds))


def _run_of_words(part: str) -> Run:
    """The run of "1000:2000" or "7"."""
    first, colon, last = (part.strip() if len(part) < 100 else "").partition(":")
    last = last if colon else str(int(first) + 1) if first.isdecimal() else ""
    if not (first.isdecimal() and last.isdecimal() and int(first) < int(last) <= 2**48):
        raise ConfigError(
            f"seeds={shown(part)} is no seeds; give a number, a range such as 1000:2000, or a list "
            "such as 3,5,8"
        )
    return int(first), int(last)


def _words_of(runs: Sequence[Run]) -> int | str:
    """Runs as `_runs` takes them: a number for one run from 0."""
    if len(runs) == 1 and runs[0][0] == 0:
        return runs[0][1]
    return ",".join(f"{first}:{stop}" for first, stop in runs)


def _values(name: str, value: Any) -> tuple[Any, ...]:
    """The values of an axis. Raises ConfigError for none."""
    ordered = isinstance(value, (str, bytes, Sequence, np.ndarray))
    if isinstance(value, Mapping) or (is_list(value) and not ordered):
        raise ConfigError(
            f"{name}={shown(value)} is no list; give the values of an axis as a list or a tuple"
        )
    single = not is_list(value)
    if not single and len(value) > MOST_CONFIGS:
        raise ConfigError(f"{name} has more than {MOST_CONFIGS} values; split the sweep")
    values = (value,) if single else tuple(value)
    if not values:
        raise ConfigError(f"{name} has no value; give at least one, or leave it out")
    return tuple(one.item() if isinstance(one, np.generic) else one for one in values)


# Studies: one or more sweeps in a file
def as_sweeps(given: Any) -> tuple[Sweep, ...]:
    """One Sweep or several, as a tuple. Raises ConfigError for anything else."""
    sweeps = tuple(listed("sweeps", given)) if is_list(given) else (given,)
    if not sweeps or not all(isinstance(one, Sweep) for one in sweeps):
        raise ConfigError(f"{shown(given)} is no sweep; give a Sweep or a list of them")
    return sweeps


def as_text(sweeps: Sequence[Sweep]) -> str:
    """Sweeps as the JSON that `read_study` reads; equal for equal sweeps."""
    return json.dumps({"sweep": [one.to_dict() for one in sweeps]}, indent=1) + "\n"


def name_of(sweeps: Sequence[Sweep]) -> str:
    """A file name for these sweeps, different for others."""
    return _name_of(as_text(sweeps).encode())


def _name_of(content: bytes) -> str:
    return f"{hashlib.blake2b(content, digest_size=8).hexdigest()}.json"


def is_study(path: Path) -> bool:
    """Whether a file of a store's studies holds what was written under its name."""
    with opened(path) as file:
        return file is not None and _name_of(file.read()) == path.name


def read_study(path: str | Path) -> tuple[Sweep, ...]:
    """The sweeps that a .toml or .json file describes.

    The file holds the arguments of one Sweep, or a list of such tables named `sweep`. Raises
    FileError where it cannot be read, ConfigError for its content.
    """
    path = path_of(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(
            f"study {str(path)!r} ends in {path.suffix!r}; give a .toml or .json file"
        )
    try:
        text = check_input(path).read_text(encoding="utf-8-sig")  # editors write its mark
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(
            f"study {str(path)!r} cannot be read ({getattr(error, 'strerror', None) or error})"
        ) from None
    kind, parsed = ("TOML", parsed_toml) if suffix == ".toml" else ("JSON", json.loads)
    try:
        content = parsed(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"study {str(path)!r} is no {kind} ({error})") from None
    tables = content.get("sweep") if isinstance(content, dict) and "sweep" in content else [content]
    sound = isinstance(tables, list) and all(isinstance(one, dict) and one for one in tables)
    if not tables or not sound:
        raise ConfigError(
            f"study {str(path)!r} describes no sweep; name axes as in widths = [1, 2, 3], or give "
            "[[sweep]] tables"
        )
    if "sweep" in content and len(content) > 1:
        stray = next(name for name in content if name != "sweep")
        raise ConfigError(
            f"study {str(path)!r} has {stray!r} beside its [[sweep]] tables; move it into them"
        )
    return tuple(Sweep(**table) for table in tables)


def wanted(sweeps: Sequence[Sweep]) -> dict[Config, tuple[Run, ...]]:
    """Seeds of several sweeps, by config, in the order in which configs first appear."""
    found: dict[Config, list[Run]] = {}
    for one in sweeps:
        for config in one.configs:
            found.setdefault(config, []).extend(one.runs)
    return {config: union(runs) for config, runs in found.items()}
