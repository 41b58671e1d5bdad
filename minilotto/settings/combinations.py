"""Which values of Config's fields go together: examples, optimiser, schedule, precision, depth."""

import math
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from minilotto.errors import ConfigError
from minilotto.settings.numbers import real_number, truth_value, whole_number
from minilotto.settings.optimizers import OPTIMIZER_FIELDS, OPTIMIZERS
from minilotto.settings.schedules import SCHEDULE_FIELDS, SCHEDULES
from minilotto.settings.schemes import SCHEMES
from minilotto.settings.tasks import CUSTOM, TASKS, task_of

if TYPE_CHECKING:
    from minilotto.settings.config import Config

STEP_FIELDS = ("schedule", "warmup", "batch", *SCHEDULE_FIELDS)  # of optimisers of first order


def _refuse(config: "Config", name: str, owner: str, remedy: str) -> NoReturn:
    """Raises ConfigError for a field that another one, or its value, does not use."""
    raise ConfigError(f"{name}={getattr(config, name)!r} means nothing to {owner}; {remedy}")


def check_examples(config: "Config") -> None:
    """Raises ConfigError for an unknown task, and a set of examples without sampling of its own."""
    custom = isinstance(config.task, str) and config.task == CUSTOM
    has_examples = not custom and task_of(config.task).examples is not None
    task = f"task={config.task!r}"
    if has_examples and config.sampling != "examples":
        _refuse(config, "sampling", f"{task}, a set of examples", "use sampling='examples'")
    if config.sampling == "examples" and not has_examples:
        known = ", ".join(name for name, task in TASKS.items() if task.examples is not None)
        _refuse(config, "sampling", task, f"it takes a set of examples: {known}")
    if config.sampling == "examples" and config.points != 100:
        _refuse(config, "points", "sampling='examples', which takes all", "leave it out")


def check_optimizer(config: "Config", defaults: dict[str, Any]) -> None:
    """Raises ConfigError for a field that means nothing to the optimiser."""
    _refuse_unused(config, defaults, OPTIMIZERS, config.optimizer, OPTIMIZER_FIELDS)
    if OPTIMIZERS[config.optimizer].fields:
        return
    for name in STEP_FIELDS:
        if getattr(config, name) != defaults[name]:
            remedy = "leave it out, or choose from the other optimisers"
            _refuse(config, name, config.optimizer, remedy)
    for name, needed in (("dtype", "float64"), ("loss", "squared"), ("depth", 1)):
        if getattr(config, name) != needed:
            raise ConfigError(
                f"{name}={getattr(config, name)!r} is nothing that {config.optimizer} trains; use "
                f"{name}={needed!r} or another optimiser"
            )


def check_depth(depth: Any, residual: Any) -> int:
    """The depth as an int. Raises ConfigError for what is none, and for `residual` beside 1."""
    layers = whole_number("depth", depth, at_least=1, below=2**53)
    if truth_value("residual", residual) and layers == 1:
        raise ConfigError(
            "residual=True means nothing to depth=1, as it adds later layers to the first; give a "
            "depth of at least 2, or leave it out"
        )
    return layers


def check_schedule(config: "Config", defaults: dict[str, Any]) -> None:
    """Raises ConfigError for a field that means nothing to the schedule, or is out of range."""
    if config.lr_final is not None:
        above = config.schedule in ("exponential", "stretched")
        rule = f"{'above' if above else 'of at least'} 0 and at most 1"
        real_number("lr_final", config.lr_final, rule, lambda value: above * 5e-324 <= value <= 1)
    _refuse_unused(config, defaults, SCHEDULES, config.schedule, SCHEDULE_FIELDS)


def _refuse_unused(
    config: "Config", defaults: dict[str, Any], table: Any, chosen: str, fields: tuple[str, ...]
) -> None:
    for name in fields:
        if name not in table[chosen].fields and getattr(config, name) != defaults[name]:
            users = ", ".join(row.name for row in table.values() if name in row.fields)
            _refuse(config, name, chosen, f"choose from {users}, or leave it out")


def check_sampling(config: "Config") -> None:
    """Raises ConfigError for points, noise, a scale or a slope that mean nothing to the sampling,
    the initialisation or the activation.
    """
    if config.sampling == "population" and config.points != 100:
        owner = "sampling='population', which has infinitely many"
        _refuse(config, "points", owner, "leave it out")
    if config.noise and config.sampling == "population":
        raise ConfigError(
            f"noise={config.noise} would only add its square to the loss of "
            "sampling='population'; leave it out"
        )
    if config.noise and config.sampling in (CUSTOM, "examples"):
        _refuse(config, "noise", "examples and data of your own", "add it to y yourself")
    if config.init_scale != 1.0 and not SCHEMES[config.init].scalable:
        scalable = ", ".join(name for name, scheme in SCHEMES.items() if scheme.scalable)
        _refuse(config, "init_scale", f"init={config.init!r}", f"it belongs to {scalable}")
    if config.negative_slope != 0.01 and config.activation != "leaky_relu":
        _refuse(config, "negative_slope", config.activation, "use leaky_relu or leave it out")


def check_precision(config: "Config") -> None:
    """Raises ConfigError for sizes that the precision makes zero, or whose squares overflow.

    Rates may be large: nets then diverge, and say so.
    """
    precision = np.finfo(config.dtype)
    least, most = float(precision.tiny), float(precision.max) ** 0.5
    for name, low, high in (
        ("lr", least, math.inf),
        ("epsilon", least, most),
        ("init_scale", least, most),
        ("output_scale", least, most),
        ("negative_slope", 0.0, most),
    ):
        value = getattr(config, name)
        if not low <= abs(value) <= high:
            raise ConfigError(
                f"{name}={value} is out of range; dtype={config.dtype!r} takes sizes from "
                f"{low:.4g} to {high:.4g}"
            )
