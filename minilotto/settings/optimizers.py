"""OPTIMIZERS: the update rules of a training step, as frozen rows.

Each row has its formula of that name in kernels/updates.py, or, as "lm", an engine of its own.
"""

from dataclasses import dataclass
from types import MappingProxyType

from minilotto.errors import ConfigError

# Fields of Config that belong to some optimisers only. That of the rate stands for all fields of
# the schedule.
OPTIMIZER_FIELDS = ("lr", "beta1", "beta2", "epsilon", "momentum", "weight_decay")


@dataclass(frozen=True)
class Optimizer:
    """An update rule: its name, the fields of Config that it uses, among OPTIMIZER_FIELDS, and the
    rule in a line, with g the gradient and p a parameter. Raises ConfigError for another field.
    """

    name: str
    fields: tuple[str, ...]
    note: str

    def __post_init__(self) -> None:
        for field in self.fields:
            if field not in OPTIMIZER_FIELDS:
                raise ConfigError(
                    f"field {field!r} of optimizer {self.name!r} is unknown; choose from "
                    f"{', '.join(OPTIMIZER_FIELDS)}"
                )


_ADAM = ("lr", "beta1", "beta2", "epsilon")
_ROWS = (
    Optimizer("adam", _ADAM, "Kingma and Ba 2015: p -= lr m / (sqrt(s) + epsilon), unbiased m, s"),
    Optimizer(
        "adamw",
        (*_ADAM, "weight_decay"),
        "Loshchilov and Hutter 2019: p *= 1 - lr weight_decay, then as adam",
    ),
    Optimizer("gd", ("lr",), "gradient descent: p -= lr g"),
    Optimizer("momentum", ("lr", "momentum"), "Polyak: m = momentum m + g; p -= lr m"),
    Optimizer("nesterov", ("lr", "momentum"), "m as momentum; p -= lr (g + momentum m)"),
    Optimizer(
        "rmsprop",
        ("lr", "beta2", "epsilon"),
        "s = beta2 s + (1 - beta2) g^2; p -= lr g / (sqrt(s) + epsilon)",
    ),
    Optimizer(
        "lm", (), "Levenberg-Marquardt, second order: steps are iterations; float64, squared loss"
    ),
)
OPTIMIZERS = MappingProxyType({row.name: row for row in _ROWS})
