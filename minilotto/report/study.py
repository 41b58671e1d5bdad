"""What a study beyond the paper is: a figure of the report that has a question, a design and
settings of its own.
"""

import dataclasses
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from minilotto.errors import ConfigError
from minilotto.report.figure import Figure, Scale, Source
from minilotto.report.rules import LEVEL
from minilotto.store.grid import Sweep
from minilotto.sweeps.run import sweep

Chosen = TypeVar("Chosen", bound="Settings")
Made = TypeVar("Made", bound="Study")


@dataclass(frozen=True)
class Settings:
    """What a study trains. Each study's own adds widths, budgets and the like; the defaults are
    those of the report.

    seeds  networks of each config
    steps  Adam steps, where the study does not vary them
    """

    seeds: int = 100
    steps: int = 50_000

    @classmethod
    def quick(cls: type[Chosen]) -> Chosen:
        """Settings for a first look, at a tenth of the cost."""
        return cls(seeds=20)

    @classmethod
    def at(cls: type[Chosen], scale: Scale) -> Chosen:
        """The report's settings at this scale: no more seeds and steps than it allows."""
        full = cls.quick() if scale.quick else cls()
        return dataclasses.replace(
            full, seeds=min(full.seeds, scale.seeds), steps=min(full.steps, scale.steps)
        )


class Study(Figure):
    """One study. Its verdicts are about hypotheses; their `says` is the hypothesis, and its
    headline the answer in a sentence.
    """

    question: ClassVar[str]
    settings_type: ClassVar[type[Settings]]

    @classmethod
    def chosen(cls, scale: Scale | Settings) -> Any:
        """The settings: given ones, or the report's at that scale."""
        return scale if isinstance(scale, Settings) else cls.settings_type.at(scale)

    @classmethod
    def sweeps(cls, scale: Scale | Settings) -> tuple[Sweep, ...]:
        return cls.trainings(cls.chosen(scale))

    @classmethod
    @abstractmethod
    def trainings(cls, settings: Any) -> tuple[Sweep, ...]:
        """What these settings need to have trained."""

    @abstractmethod
    def __init__(self, source: Source, scale: Scale | Settings) -> None:
        """Study the nets that `source` has of `sweeps(scale)`. Raises DataError where they are too
        few, and says which to train.
        """

    def design(self) -> str:
        """How the question is put to the test: what is varied, what is held, how many seeds, and
        what could have come out.
        """
        return self.entry.design.format(level=LEVEL, **self.facts())

    @classmethod
    def run(
        cls: type[Made],
        runs: str | Path = "runs",
        *,
        threads: int | None = None,
        progress: bool = False,
        **settings: Any,
    ) -> Made:
        """Train what is missing in the store at `runs`, and study it, with settings of your own in
        place of the report's.

        Raises ConfigError for a name that is no setting, what `sweep` raises, and DataError where
        there is too little to study.
        """
        names = [field.name for field in dataclasses.fields(cls.settings_type)]
        for name in settings:
            if name not in names:
                raise ConfigError(
                    f"{name!r} is no setting of the study {cls.name!r}; choose from "
                    f"{', '.join(names)}"
                )
        chosen = cls.settings_type(**settings)
        store = sweep(list(cls.trainings(chosen)), out=runs, threads=threads, progress=progress)
        return cls(Source(store), chosen)
