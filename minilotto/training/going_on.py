"""Where a training begins, when it goes on from other nets, and what it keeps on its way."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset, differing
from minilotto.engines.state import Audited, State
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import ConfigError, shown
from minilotto.initialisation import Parameters
from minilotto.settings.combinations import STEP_FIELDS
from minilotto.settings.config import DEFAULTS, FIELDS, Config
from minilotto.settings.limits import listed
from minilotto.settings.numbers import truth_value, whole_number
from minilotto.settings.optimizers import OPTIMIZER_FIELDS, OPTIMIZERS
from minilotto.settings.schedules import SCHEDULE_FIELDS, SCHEDULES
from minilotto.settings.tasks import CUSTOM

if TYPE_CHECKING:
    from minilotto.engines.interface import Engine

CONSTANTS = ("optimizer", *OPTIMIZER_FIELDS[1:], "batch", "subnormals")
# What may differ from the config of the nets to go on from: how steps are made, and how many.
MAY_DIFFER = ("steps", "lr", "schedule", *SCHEDULE_FIELDS, "warmup", *CONSTANTS)


@dataclass(frozen=True, eq=False)
class Course:
    """The nets that a training goes on from, if any; the steps at which nets are kept as well; and
    whether the optimiser's state is kept with them.
    """

    start: Ensemble | None = None
    keep: tuple[int, ...] = ()
    state: bool = False
    restarts: str = ""  # why the optimiser's moments start from zero, if they do

    @property
    def first(self) -> int:
        """Steps that were done before."""
        return 0 if self.start is None else self.start.step

    @property
    def moments(self) -> str:
        """What becomes of the optimiser's moments where the training goes on."""
        if self.restarts:
            return f"from zero, as {self.restarts}"
        return "those of the nets"


def course_of(config: Config, start: Any = None, keep: Any = (), state: Any = False) -> Course:
    """The Course for these arguments of `train`. Raises ConfigError."""
    kept = truth_value("state", state)
    first, restarts = 0, ""
    if start is not None:
        _check_start(config, start)
        first = start.step + 1
        if start.state is None:
            restarts = "the nets have no state"
        elif start.config.optimizer != config.optimizer:
            restarts = f"the nets were trained by {start.config.optimizer}"
    return Course(start, steps_to_keep(keep, first, config.steps + 1), kept, restarts)


def steps_to_keep(keep: Any, first: int, below: int) -> tuple[int, ...]:
    """Ascending steps in this range at which nets are kept. Raises ConfigError."""
    steps = {whole_number("keep", step, first, below) for step in listed("keep", keep)}
    return tuple(sorted(steps))


def _check_start(config: Config, start: Any) -> None:
    if not isinstance(start, Ensemble):
        raise ConfigError(
            f"start={shown(start)} are no nets; pass an Ensemble, as train and load return"
        )
    if not len(start):
        raise ConfigError("start has no net to go on from; select at least one")
    for name in FIELDS:
        ours, theirs = getattr(config, name), getattr(start.config, name)
        if ours != theirs and name not in MAY_DIFFER:
            raise ConfigError(
                f"{name}={ours!r} is not that of the nets to go on from, {theirs!r}; only the "
                "number of steps, rates, optimiser and batch may change"
            )
    if start.step >= config.steps:
        raise ConfigError(
            f"steps={config.steps} leaves nothing to do, as start is at step {start.step}; give "
            "the number of all steps"
        )


def goes_on(config: Config, changes: dict[str, Any]) -> Config:
    """The config with changes, and without what another optimiser or schedule does not use."""
    fields: dict[str, Any] = {}
    tables: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
        ("optimizer", OPTIMIZERS, OPTIMIZER_FIELDS),
        ("schedule", SCHEDULES, SCHEDULE_FIELDS),
    )
    for name, table, own in tables:
        chosen = changes.get(name, getattr(config, name))
        if chosen != getattr(config, name) and chosen in table:
            unused = set(own).difference(table[chosen].fields)
            unused |= {*STEP_FIELDS} if chosen == "lm" else set()
            fields |= {field: DEFAULTS[field] for field in unused}
    return config.replace(**{**fields, **changes})


def own_data(config: Any, start: Any) -> Dataset | None:
    """The data of the nets to go on from, where these are the caller's own or of a target of the
    caller's own; otherwise None. Raises ConfigError where the target itself is needed.
    """
    if not (isinstance(start, Ensemble) and isinstance(config, Config)) or config.task != CUSTOM:
        return None
    if config.sampling == "population" and start.data.population is None:
        raise ConfigError(
            "sampling='population' needs the target itself, which no file holds; give target= again"
        )
    return start.data


def check_same_data(start: Ensemble, data: Dataset) -> None:
    """Raises ConfigError unless these are the data of the nets to go on from."""
    if name := differing(data, start.data):
        raise ConfigError(
            f"{name} of the data is not that of the nets to go on from; leave data out, or train "
            "new nets"
        )


def check_same_seeds(start: Ensemble, seeds: NDArray[np.int64]) -> None:
    """Raises ConfigError unless these are the seeds of the nets to go on from."""
    if not np.array_equal(start.seeds, seeds):
        raise ConfigError(
            f"seeds={shown(seeds)} are not those of the nets to go on from, "
            f"{shown(start.seeds)}; leave seeds out, or select nets"
        )


def begin(engine: "Engine", start: Ensemble, course: Course, batch: slice) -> None:
    """Give the engine a batch of the nets to go on from, where they stand."""
    same = start.engine == engine.name
    parameters = Parameters(*(array[batch] for array in start.parameters))
    nodes = start.nodes[batch] if same else np.zeros_like(start.nodes[batch])
    before = None
    if start.state is None or course.restarts:
        zeros = Parameters(*(np.zeros_like(array) for array in parameters))
        state, engine.since = State(parameters, zeros, zeros), start.step
    else:
        memory = start.state.rows(batch)
        state, engine.since = State(parameters, memory.m, memory.s), memory.since
        if same and memory.audited and _same_steps(engine.config, start, memory.audited.step):
            before = memory.audited
    engine.go_on(Audited(start.step, state, nodes, start.audit[batch]), before)


def _same_steps(config: Config, start: Ensemble, first: int) -> bool:
    """Whether the steps from `first` to those that start has done are the same by both configs."""
    steps = np.arange(first, start.step)
    return all(getattr(config, name) == getattr(start.config, name) for name in CONSTANTS) and (
        np.array_equal(config.rate(steps), start.config.rate(steps))
    )
