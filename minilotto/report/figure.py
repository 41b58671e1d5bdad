"""A figure of the report: the trainings that it needs, a study, a drawing, tables and verdicts."""

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate, Points
from minilotto.data.dataset import Dataset, sampled
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError, FileError, MinilottoError
from minilotto.report.claims import Entry, Verdict, register, verdicts
from minilotto.report.plots.style import Drawing
from minilotto.report.rules import LEVEL, THRESHOLDS
from minilotto.settings.arrays import Array
from minilotto.settings.config import Config
from minilotto.store.grid import Sweep
from minilotto.store.store import Store

PAPER_RANGE = 10, 50  # widths of the paper's exponents
PAPER_COUNTS = {10: 1, 30: 2, 50: 3}  # independent tickets that it finds, by width


@dataclass(frozen=True)
class Scale:
    """How much is trained.

    seeds, wide_seeds: at the paper's widths and at wider ones; giants, giant_width: the nets of
    figure 2a; widest: largest width of scaling fits; quick: fewer targets' seeds and products'
    widths; product_seeds, product_points: of nets that learn products, at most `seeds` of them,
    which products of two inputs have unless `quick`; check_seeds: of nets that learn the same
    products from other points, 0 for none.
    """

    seeds: int = 1000
    wide_seeds: int = 100
    giants: int = 6
    giant_width: int = 10_000
    widest: int = 1000
    steps: int = 50_000
    widths: ClassVar[tuple[int, ...]] = (1, 2, 3, 4, 10, 20, 30, 40, 50)  # section 4 of the paper
    quick: bool = False
    product_seeds: int = 192
    product_points: int = 1000
    check_seeds: int = 16

    @property
    def product_widths(self) -> tuple[int, ...]:
        """Widths of nets that learn products, by far the most expensive."""
        return tuple(width for width in self.widths if width <= 30 or not self.quick)

    @property
    def wide(self) -> tuple[int, ...]:
        """Widths beyond the paper's."""
        return tuple(width for width in (70, 100, 200, 500, 1000) if width <= self.widest)


QUICK = Scale(
    200, 32, 2, widest=200, quick=True, product_seeds=32, product_points=300, check_seeds=0
)


@dataclass(frozen=True)
class Table:
    """Columns of equal length, for a .csv file beside the figure."""

    name: str
    columns: Mapping[str, Sequence[Any] | Array]

    @classmethod
    def of(cls, name: str, header: str, rows: Iterable[Sequence[Any]]) -> "Table":
        """A table from its rows, in which an estimate fills three cells: value, low and high;
        `header` names the columns, with commas between them.
        """
        names, cells = [each.strip() for each in header.split(",")], [*map(_expanded, rows)]
        columns = list(zip(*cells, strict=True)) if cells else [()] * len(names)
        return cls(name, dict(zip(names, columns, strict=True)))

    def to_csv(self) -> str:
        """Header and rows; floating-point numbers to the last digit, NaN as an empty cell."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        for row in zip(*self.columns.values(), strict=True):
            writer.writerow([_cell(value) for value in row])
        return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, (float, np.floating)):
        return "" if np.isnan(value) else repr(float(value))
    return value.item() if isinstance(value, np.generic) else value


def _expanded(row: Sequence[Any]) -> list[Any]:
    return [end for one in row for end in (interval(one) if isinstance(one, Estimate) else [one])]


def interval(found: Estimate | None) -> tuple[float, float, float]:
    """Value and ends of an estimate, as columns of a table; NaN where there is none."""
    nan = float("nan")
    return (found.value, found.low, found.high) if found else (nan, nan, nan)


def divided(found: Estimate, by: float) -> Estimate:
    """An estimate over a number above 0."""
    return found.mapped(lambda number: number / by)


def reseeded(sweep: Sweep, root_seed: int) -> Sweep:
    """The same trainings from another root seed; a sweep of K of them takes the next K."""
    if not root_seed:
        return sweep
    given = sweep.axes.get("root_seed", (0,))
    seeds = [one + root_seed * len(given) for one in given]
    return Sweep(**{**sweep.to_dict(), "root_seed": seeds})


class Source:
    """Nets by config and seeds out of a store; missing ones are noted, damaged ones an error."""

    def __init__(self, store: Store, root_seed: int = 0) -> None:
        self._store, self._root_seed = store, root_seed
        self.missing: list[str] = []

    def nets(self, sweep: Sweep) -> dict[Config, Ensemble]:
        """The nets of each config of `sweep` that has all its seeds, in the sweep's order."""
        found = {}
        trained = reseeded(sweep, self._root_seed).configs
        for config, other in zip(sweep.configs, trained, strict=True):
            try:
                found[config] = self._store.ensemble(other, sweep.seeds)
            except FileError:
                raise
            except MinilottoError as error:
                self.missing.append(str(error))
        return found

    def by_width(self, sweep: Sweep) -> dict[int, Ensemble]:
        """The same by width, for a sweep whose only axis is the width."""
        return {config.width: nets for config, nets in self.nets(sweep).items()}


class Figure(ABC):
    """One figure. Making it studies what `source` has; DataError where that is too little."""

    name: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]  # of a study, "" for a figure of the paper
    entry: ClassVar[Entry]  # of its name, in claims.toml beside its module

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" in vars(cls) and "entry" not in vars(cls):
            cls.entry = register(cls.__module__.rpartition(".")[0], "claims.toml", cls.name)
            cls.title, cls.question = cls.entry.title, cls.entry.question

    @classmethod
    def plan(cls, scale: Scale) -> Any:
        """What `sweeps` and the constructor take at this scale."""
        return scale

    @staticmethod
    @abstractmethod
    def sweeps(plan: Any) -> tuple[Sweep, ...]:
        """Trainings that the figure needs."""

    @abstractmethod
    def __init__(self, source: Source, plan: Any) -> None:
        """Study the nets. Raises DataError where they are too few, and says which to train."""

    @abstractmethod
    def draw(self) -> Drawing:
        """The figure, inside `plots.style.style()`."""

    def facts(self) -> dict[str, Any]:
        """What names in braces stand for in the register's texts."""
        return {}

    def caption(self) -> str:
        """What is seen, and from which nets: seeds, steps, dtype, data."""
        return self.filled(self.entry.caption)

    def filled(self, text: str) -> str:
        """A text of the register with names in braces replaced."""
        return text.format(**{"level": LEVEL, **THRESHOLDS, **self.facts()})

    def headline(self) -> str:
        """The result in a sentence or two with numbers, for the top of the report; "" for none."""
        return ""

    @abstractmethod
    def tables(self) -> list[Table]:
        """The numbers behind the figure."""

    def judged(self) -> dict[str, list[Verdict]]:
        """What became of the register's claims, by key, in their order. Of the claim KEY the method
        `claim_KEY` gives the outcome, or a list: of none where it does not apply, of one for each
        of several things.
        """
        claims = self.entry.claims
        rules = {key: getattr(self, f"claim_{key.replace(' ', '_')}") for key in claims}
        return verdicts(claims, {key: rules[key](one) for key, one in claims.items()}, self.facts())

    def verdicts(self) -> list[Verdict]:
        """The same as a list."""
        return [verdict for several in self.judged().values() for verdict in several]


def need(nets: Mapping[int, Any], widths: Iterable[int], what: str) -> None:
    """Raise DataError where a width is missing that `what` cannot do without."""
    missing = [width for width in widths if width not in nets]
    if missing:
        raise DataError(
            f"{what} needs widths {', '.join(map(str, missing))}, which are not there; train them "
            "first"
        )


def finite(found: Mapping[int, Ensemble]) -> dict[int, Ensemble]:
    """The nets with a finite loss, of the widths that have any."""
    kept = {width: nets.select(np.isfinite(nets.loss)) for width, nets in found.items()}
    return {width: nets for width, nets in kept.items() if len(nets)}


@lru_cache(maxsize=64)
def unseen_points(task: str, points: int) -> Dataset:
    """Uniform points of the cube that no training here has seen."""
    return sampled(Config(task=task, sampling="uniform", points=points, root_seed=2**32))


def losses_on(data: Dataset, nets: Mapping[int, Ensemble]) -> dict[int, Array]:
    """Losses (R,) of nets by width, on other points than theirs."""
    errors = {width: one.predict(data.x) - data.y for width, one in nets.items()}
    return {width: np.mean(error**2, axis=1) for width, error in errors.items()}


def commas(things: Iterable[Any]) -> str:
    """Things with commas between them; integers as 1,000, other numbers as 0.01."""
    return ", ".join(format(one, {int: ",", float: "g"}.get(type(one), "")) for one in things)


def named(activation: str) -> str:
    """An activation as a reader knows it."""
    names = {"silu": "SiLU", "relu": "ReLU", "leaky_relu": "LeakyReLU"}
    return names.get(activation, activation)


def width_rows(found: Points) -> list[tuple[Any, ...]]:
    """Rows of a table: width, seeds, diverged seeds, value, low and high."""
    names = ("seeds", "diverged", "value", "low", "high")
    columns = (found.widths.astype(int), *(getattr(found, name) for name in names))
    return list(zip(*(column.tolist() for column in columns), strict=True))


def rows_of(found: Any, *keys: Any) -> list[tuple[Any, ...]]:
    """Rows of a table from nested mappings: the keys on the way, the parts of a tuple each by
    itself, and then an estimate, several numbers, or points width by width.
    """
    if isinstance(found, Points):
        return [(*keys, *row) for row in width_rows(found)]
    if not isinstance(found, Mapping):
        return [(*keys, *found) if isinstance(found, tuple) else (*keys, found)]
    parts = {key: key if isinstance(key, tuple) else (key,) for key in found}
    return [row for key, one in found.items() for row in rows_of(one, *keys, *parts[key])]


def training_words(nets: Iterable[Ensemble]) -> str:
    """How these nets were trained, for a caption: seeds (or their range), steps, dtype, points."""
    nets = list(nets)
    counts = sorted({len(each) for each in nets})
    seeds = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    config = nets[0].config
    where = f"{config.points} points ({config.sampling})"
    if config.sampling == "population":
        where = "infinitely many points"
    if config.noise:
        where += f", noise of standard deviation {config.noise:g} on their targets"
    plural = "seed" if counts == [1] else "seeds a width"
    if config.batch:
        where += f", {config.batch:,} drawn at each step"
    steps = f"{config.steps:,} {step_words(config.optimizer, 's')}"
    return f"{seeds} {plural}, {steps}, {config.dtype}, {where}"


def step_words(optimizer: str, ending: str = "") -> str:
    """A step of an optimiser, as a reader knows it; "s" makes it several."""
    names = {
        "adam": f"Adam step{ending}",
        "adamw": f"AdamW step{ending}",
        "gd": f"step{ending} of gradient descent",
        "lm": f"iteration{ending} of Levenberg-Marquardt",
    }
    return names.get(optimizer, f"step{ending} of {optimizer}")
