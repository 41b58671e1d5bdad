"""Sweep: a grid of configs and the seeds to train of each; and the files that describe studies made
of such grids.
"""

import hashlib
import itertools
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.errors import ConfigError, FileError
from minilotto.settings.config import FIELDS, Config, from_fields, whole_number
from minilotto.store.blocks import Run, joined, runs_of, seeds_in
from minilotto.training.train import seeds_of

MOST_CONFIGS = 10**6
SUFFIXES = (".toml", ".json")
AXES = {
    **{f"{field}s": field for field in FIELDS if field != "loss"},
    "losses": "loss",
    **{field: field for field in FIELDS},
}


class Sweep:
    """Every combination of the values given for each Config field, each with the same seeds.

    Config's fields bear their own names, with one value, or the plural (widths, activations, tasks,
    inits, ...), with a list: an axis of the grid. A list under the singular is an axis too, as in
    steps=(1000, 10_000). What is not named has Config's default. The first axis varies slowest.
    `seeds` is a number R for 0, ..., R - 1, or a range or a list of distinct seeds.

    configs  tuple of Config, one a combination
    seeds    (R,) int64, ascending

    Raises ConfigError for a name that is no field, a value that Config refuses, or the same value
    twice.

    >>> sweep = Sweep(widths=(1, 2, 3), activations=("silu", "tanh"), seeds=10, steps=500)
    >>> len(sweep.configs), sweep.configs[1].width, sweep.configs[1].activation, sweep.seeds.size
    (6, 1, 'tanh', 10)
    """

    def __init__(self, seeds: int | Iterable[int] = 1000, **axes: Any) -> None:
        self.runs: tuple[Run, ...] = _runs(seeds)
        fields: dict[str, tuple[Any, ...]] = {}
        for name, value in axes.items():
            if name not in AXES:
                raise ConfigError(
                    f"{name!r} is no field of Config nor its plural; choose from "
                    f"{', '.join(FIELDS)}"
                )
            field = AXES[name]
            if field in fields:
                raise ConfigError(f"{field} is given twice, as {name} too; give it once")
            fields[field] = _values(name, value)
        if np.prod([len(values) for values in fields.values()], dtype=float) > MOST_CONFIGS:
            raise ConfigError(f"these axes make more than {MOST_CONFIGS} configs; split the sweep")
        combinations = (
            dict(zip(fields, values, strict=True)) for values in itertools.product(*fields.values())
        )
        self.configs: tuple[Config, ...] = tuple(
            from_fields(combination) for combination in combinations
        )
        # As Config reads them, so that 1e3 steps and 1000 steps are one study.
        self.axes = {
            field: tuple(dict.fromkeys(getattr(config, field) for config in self.configs))
            for field in fields
        }
        for field, values in fields.items():
            if len(self.axes[field]) < len(values):
                raise ConfigError(f"{field} has a value twice in {list(values)}; give each once")

    @cached_property
    def seeds(self) -> NDArray[np.int64]:
        """(R,) the seeds of each config, ascending."""
        return seeds_in(self.runs)

    def __repr__(self) -> str:
        axes = ", ".join(
            f"{field}={values[0] if len(values) == 1 else values}"
            for field, values in self.axes.items()
        )
        return f"Sweep({', '.join(filter(None, (axes, f'seeds={_said(self.runs)}')))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sweep) and (self.configs, self.runs) == (other.configs, other.runs)

    def __hash__(self) -> int:
        return hash((self.configs, self.runs))

    def to_dict(self) -> dict[str, Any]:
        """What `Sweep(**...)` takes to make it again, in JSON's types."""
        return {
            **{field: list(values) for field, values in self.axes.items()},
            "seeds": _said(self.runs),
        }


def _runs(seeds: Any) -> tuple[Run, ...]:
    """Seeds as runs; a number, a range of step 1 and "1000:2000" without an array, for they may be
    many.
    """
    if isinstance(seeds, str):
        return tuple(_spoken(part) for part in seeds.split(","))
    if (
        isinstance(seeds, range)
        and seeds.step == 1
        and len(seeds)
        and seeds.start >= 0
        and seeds.stop <= 2**48
    ):
        return ((seeds.start, seeds.stop),)
    if not isinstance(seeds, Iterable):
        return ((0, whole_number("seeds", seeds, at_least=1, below=2**48)),)
    return runs_of(seeds_of(seeds))


def _spoken(part: str) -> Run:
    """The run of "1000:2000" or "7"."""
    first, colon, last = part.strip().partition(":")
    last = last if colon else str(int(first) + 1) if first.isdecimal() else ""
    if not (first.isdecimal() and last.isdecimal() and int(first) < int(last) <= 2**48):
        raise ConfigError(
            f"seeds={part!r} is no seeds; give a number, a range such as 1000:2000, or a list "
            "such as 3,5,8"
        )
    return int(first), int(last)


def _said(runs: Sequence[Run]) -> int | str:
    """Runs as `_runs` takes them: a number where it is one from 0."""
    if len(runs) == 1 and runs[0][0] == 0:
        return runs[0][1]
    return ",".join(f"{first}:{stop}" for first, stop in runs)


def _values(name: str, value: Any) -> tuple[Any, ...]:
    """The values of an axis. Raises ConfigError for none."""
    if isinstance(value, Mapping) or (
        isinstance(value, Iterable) and not isinstance(value, (str, bytes, Sequence, np.ndarray))
    ):
        raise ConfigError(
            f"{name}={value!r} is no list; give the values of an axis as a list or a tuple"
        )
    values = (
        (value,)
        if isinstance(value, (str, bytes)) or not isinstance(value, Iterable)
        else tuple(value)
    )
    if not values:
        raise ConfigError(f"{name} has no value; give at least one, or leave it out")
    return tuple(one.item() if isinstance(one, np.generic) else one for one in values)


# Studies: one or more sweeps, as a file describes them
def as_sweeps(given: Any) -> tuple[Sweep, ...]:
    """One Sweep or several, as a tuple. Raises ConfigError for anything else."""
    sweeps = (
        (given,)
        if isinstance(given, Sweep)
        else tuple(given)
        if isinstance(given, Iterable)
        else ()
    )
    if not sweeps or not all(isinstance(one, Sweep) for one in sweeps):
        raise ConfigError(f"{given!r} is no sweep; give a Sweep or a list of them")
    return sweeps


def as_text(sweeps: Sequence[Sweep]) -> str:
    """Sweeps as the JSON that `read_study` reads; equal for equal sweeps."""
    return json.dumps({"sweep": [one.to_dict() for one in sweeps]}, indent=1) + "\n"


def name_of(sweeps: Sequence[Sweep]) -> str:
    """A file name that stands for these sweeps and no others."""
    return f"{hashlib.blake2b(as_text(sweeps).encode(), digest_size=8).hexdigest()}.json"


def read_study(path: str | Path) -> tuple[Sweep, ...]:
    """The sweeps that a .toml or .json file describes: the arguments of one Sweep, or a list of
    such tables named `sweep`.

    Raises FileError when it cannot be read, ConfigError for what is in it.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ConfigError(
            f"study {str(path)!r} ends in {path.suffix!r}; give a .toml or .json file"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(
            f"study {str(path)!r} cannot be read ({getattr(error, 'strerror', None) or error})"
        ) from None
    content = _parsed_toml(text, path) if path.suffix == ".toml" else _parsed_json(text, path)
    tables = content.get("sweep") if isinstance(content, dict) and "sweep" in content else [content]
    if (
        not isinstance(tables, list)
        or not tables
        or not all(isinstance(table, dict) and table for table in tables)
    ):
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


def _parsed_json(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"study {str(path)!r} is no JSON ({error})") from None


def _parsed_toml(text: str, path: Path) -> Any:
    if sys.version_info < (3, 11):
        raise ConfigError(
            f"study {str(path)!r} is TOML, which Python reads from 3.11 on; write it as .json"
        )
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"study {str(path)!r} is no TOML ({error})") from None


def wanted(sweeps: Sequence[Sweep]) -> dict[Config, tuple[Run, ...]]:
    """The seeds that several sweeps ask for, by config, in the order in which configs first appear."""
    found: dict[Config, list[Run]] = {}
    for one in sweeps:
        for config in one.configs:
            found.setdefault(config, []).extend(one.runs)
    return {config: joined(runs) for config, runs in found.items()}
