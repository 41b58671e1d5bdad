"""SCHEDULES: how the rate changes over the steps of a training, as frozen rows."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from minilotto.settings.arrays import Array, Ints, powers

if TYPE_CHECKING:
    from minilotto.settings.config import Config

# Fields of Config that belong to some schedules only, with their defaults.
SCHEDULE_FIELDS = ("lr_decay", "lr_decay_every", "lr_final")
LAST_OF_PAPER = 0.0016  # 0.2^4, the fraction after four drops


@dataclass(frozen=True)
class RateSchedule:
    """The rate as a fraction of Config.lr."""

    name: str  # as Config.schedule has it
    # maps (config, t) to rate / lr, with t (n,) the steps since the end of the warmup
    fraction: Callable[["Config", Ints], Array]
    fields: tuple[str, ...]  # of Config that it uses, among SCHEDULE_FIELDS
    # the equation in a line, with u the fraction of the steps after the warmup that are done
    note: str
    final: float | None = None  # default of Config.lr_final; None where it has no such field
    whole: bool = False  # whether the rate of a step depends on the number of all steps


def _done(config: "Config", step: Ints) -> Array:
    done: Array = step / (config.steps - config.warmup)
    return done


def _step(config: "Config", step: Ints) -> Array:
    return powers(config.lr_decay, step // config.lr_decay_every)


def _cosine(config: "Config", step: Ints) -> Array:
    fraction: Array = (1.0 + np.cos(np.pi * _done(config, step))) / 2.0
    fraction = config.final_fraction + (1.0 - config.final_fraction) * fraction
    return fraction


def _linear(config: "Config", step: Ints) -> Array:
    return 1.0 - (1.0 - config.final_fraction) * _done(config, step)


def _exponential(config: "Config", step: Ints) -> Array:
    # One by one, for the same bits on every CPU; see `powers`.
    done = _done(config, step)
    return np.array([config.final_fraction**u for u in done.flat]).reshape(done.shape)


def _stretched(config: "Config", step: Ints) -> Array:
    left = (config.steps - config.warmup - 1 - step) // config.lr_decay_every
    with np.errstate(divide="ignore"):  # of stages that are not reached
        earlier = config.final_fraction / powers(config.lr_decay, np.maximum(left, 0))
    fraction: Array = np.minimum(earlier, 1.0)
    return fraction


_ROWS = (
    RateSchedule(
        "step", _step, ("lr_decay", "lr_decay_every"), "lr_decay^(steps // lr_decay_every)"
    ),
    RateSchedule("constant", lambda config, step: np.ones(step.shape), (), "1"),
    RateSchedule(
        "cosine",
        _cosine,
        ("lr_final",),
        "lr_final + (1 - lr_final) (1 + cos(pi u)) / 2",
        0.0,
        whole=True,
    ),
    RateSchedule("linear", _linear, ("lr_final",), "1 - (1 - lr_final) u", 0.0, whole=True),
    RateSchedule("exponential", _exponential, ("lr_final",), "lr_final^u", 0.01, whole=True),
    RateSchedule(
        "held",
        lambda config, step: np.maximum(_step(config, step), config.final_fraction),
        SCHEDULE_FIELDS,
        "as step, but never below lr_final: longer trainings hold the last rate",
        LAST_OF_PAPER,
    ),
    RateSchedule(
        "stretched",
        _stretched,
        SCHEDULE_FIELDS,
        "as step, with its last stage at lr_final: longer trainings stretch the first stage",
        LAST_OF_PAPER,
        whole=True,
    ),
)
SCHEDULES = MappingProxyType({row.name: row for row in _ROWS})
