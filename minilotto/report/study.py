"""A study beyond the paper: a figure of the report with its own question, design and settings."""

import dataclasses
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from minilotto.errors import ConfigError
from minilotto.report.figure import Figure, Scale, Source, commas
from minilotto.report.rules import THRESHOLDS
from minilotto.store.grid import Sweep
from minilotto.sweeps.run import sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

STAGES = 5  # of the paper's schedule
Chosen = TypeVar("Chosen", bound="Settings")
Made = TypeVar("Made", bound="Study")
Value = TypeVar("Value")


def scheduled(steps: int) -> dict[str, Any]:
    """Fields of a Sweep: so many steps, by the paper's schedule scaled to them."""
    return {"steps": steps, "lr_decay_every": max(1, steps // STAGES)}


def default(full: Value, quick: Value) -> Value:
    """A field of Settings: the report's value, and that for a first look."""
    return field(default=full, metadata={"quick": quick})


@dataclass(frozen=True)
class Settings:
    """What a study trains, by default the report's; each study adds fields, and `sweeps`."""

    seeds: int = default(100, quick=20)  # networks of each config
    steps: int = 50_000  # of Adam, where the study does not vary them
    by_steps: ClassVar[tuple[str, ...]] = ("budgets",)
    by_width: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def quick(cls: type[Chosen]) -> Chosen:
        """Settings for a first look, at a tenth of the cost."""
        every = {one.name: one.metadata for one in dataclasses.fields(cls)}
        return cls(**{name: some["quick"] for name, some in every.items() if "quick" in some})

    @classmethod
    def at(cls: type[Chosen], scale: Scale) -> Chosen:
        """The report's settings at this scale: no more seeds and steps, and none of the widths
        named `by_width`, than it allows. Steps named `by_steps` shrink with the others, so that the
        paper's stay among them.
        """
        full: Any = cls.quick() if scale.quick else cls()
        less: dict[str, Any] = {"steps": min(full.steps, scale.steps)}
        for name in (one.name for one in dataclasses.fields(cls)):
            one = getattr(full, name)
            if name.endswith("seeds"):
                less[name] = min(one, getattr(scale, name, scale.seeds))
            elif name in cls.by_width:
                less[name] = tuple(width for width in one if width <= scale.widest)
            elif name in cls.by_steps:
                fewer = {max(1, steps * less["steps"] // full.steps) for steps in one}
                less[name] = tuple(sorted(fewer))
        return cast(Chosen, dataclasses.replace(full, **less))


class Study(Figure):
    """One study. Its claims are hypotheses, its headline the answer in a sentence."""

    settings_type: ClassVar[type[Settings]]
    settings: Any
    left_out: list[str]  # what is too little to study, in words; not of every study
    count = 0  # networks

    @classmethod
    def plan(cls, scale: Scale) -> Any:
        """The report's settings at this scale."""
        return cls.settings_type.at(scale)

    def draw(self) -> "Drawing":
        """The drawing of the module `plots` beside the study's."""
        plots = import_module(".plots", type(self).__module__.rpartition(".")[0])
        return cast("Drawing", plots.draw(self))

    @staticmethod
    def sweeps(plan: Any) -> tuple[Sweep, ...]:
        """Those of the settings."""
        return tuple(plan.sweeps())

    def facts(self) -> dict[str, Any]:
        """Settings by name, lists in words, but those named as a threshold; ends of the widths, how
        many networks, and what is left out.
        """
        found = {name: one for name, one in vars(self.settings).items() if name not in THRESHOLDS}
        if getattr(self.settings, "widths", ()):
            found |= {"narrowest": self.span[0], "widest": self.span[1]}
        several = (list, tuple)
        left_out = getattr(self, "left_out", [])
        words = f" Left out: {'; '.join(left_out)}." if left_out else ""
        facts = {n: commas(one) if isinstance(one, several) else one for n, one in found.items()}
        return {"left_out": words, "networks": self.count, **facts}

    @property
    def span(self) -> tuple[int, int]:
        """The least and the largest of the settings' widths."""
        return min(self.settings.widths), max(self.settings.widths)

    def design(self) -> str:
        """How the question is tested: what varies or is fixed, seeds, possible outcomes."""
        return self.filled(self.entry.design)

    @classmethod
    def run(
        cls: type[Made],
        runs: str | Path = "runs",
        *,
        threads: int | None = None,
        progress: bool = False,
        **settings: Any,
    ) -> Made:
        """Train what is missing, and study it.

        Parameters
        ----------
        runs : str or Path
            Folder of the store.
        threads, progress
            As of `sweep`.
        **settings
            Fields of the study's settings, in place of the report's.

        Returns
        -------
        Study
            With its tables, verdicts and drawing.

        Raises
        ------
        ConfigError
            For a name that is no setting, and what `sweep` raises.
        DataError
            Where there is too little to study.
        """
        names = [one.name for one in dataclasses.fields(cls.settings_type)]
        for name in settings:
            if name not in names:
                raise ConfigError(
                    f"{name!r} is no setting of the study {cls.name!r}; choose from "
                    f"{', '.join(names)}"
                )
        chosen = cls.settings_type(**settings)
        store = sweep(list(cls.sweeps(chosen)), out=runs, threads=threads, progress=progress)
        return cls(Source(store), chosen)
