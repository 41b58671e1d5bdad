"""Config: everything that decides the outcome of a training, apart from the seed."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minilotto.errors import ConfigError, DataError, reason_of, shown
from minilotto.settings.activations import activation_of
from minilotto.settings.arrays import Array, array_of
from minilotto.settings.combinations import (
    check_depth,
    check_examples,
    check_optimizer,
    check_precision,
    check_sampling,
    check_schedule,
)
from minilotto.settings.numbers import real_number, whole_number
from minilotto.settings.optimizers import OPTIMIZERS
from minilotto.settings.schedules import SCHEDULES
from minilotto.settings.schemes import SCHEMES
from minilotto.settings.tasks import CUSTOM

SAMPLINGS = ("grid", "uniform", "population", "examples")
DTYPES = ("float32", "float64")
SUBNORMALS = ("flush", "keep")
LOSSES = ("squared", "logistic")
CHOICES = {
    "sampling": (*SAMPLINGS, CUSTOM),
    "dtype": DTYPES,
    "subnormals": SUBNORMALS,
    "loss": LOSSES,
    "init": tuple(SCHEMES),
    "optimizer": tuple(OPTIMIZERS),
    "schedule": tuple(SCHEDULES),
}
REAL_FIELDS: dict[str, tuple[str, Callable[[float], bool]]] = {
    **dict.fromkeys(
        ("lr", "lr_decay", "epsilon", "init_scale", "output_scale"),
        ("above 0", lambda value: value > 0),
    ),
    **dict.fromkeys(("beta1", "beta2", "momentum"), ("in [0, 1)", lambda value: 0 <= value < 1)),
    **dict.fromkeys(("noise", "weight_decay"), ("of at least 0", lambda value: value >= 0)),
    "negative_slope": ("below 1", lambda value: value < 1),
}


@dataclass(frozen=True)
class Config:
    """One training protocol; the defaults are the paper's.

    Parameters
    ----------
    width : int
        Number of hidden neurons N, at least 1.
    activation : str
        A name in ACTIVATIONS.
    task : str
        A name in TASKS, of a family for any number of inputs (sum7, weighted7, product7, radial7,
        teacher7), or a built-in function times a fraction in lowest terms: square_times_8,
        square_times_3_over_8.
    sampling : str
        "grid": equally spaced points, ends included, one lattice axis per input. "uniform":
        independent uniform points, drawn from root_seed. "population": infinitely many uniform
        points, by quadrature, for up to three inputs. "examples": those of a task that is a set of
        examples, such as moons or digits. The last two do not use `points`.
    points : int
        Number of training points P, at least 1.
    steps : int
        Number of steps of the optimiser, at least 1.
    lr, lr_decay, lr_decay_every : float, float, int
        The rate of step t (from 0) is lr * lr_decay ** (t // lr_decay_every); all above 0. Other
        schedules, but for held and stretched, do not take the last two.
    beta1, beta2, epsilon : float
        Constants of adam and adamw, the last two of rmsprop too; betas in [0, 1), epsilon above 0.
    init : str
        A name in SCHEMES.
    init_scale : float
        Factor of all initial parameters, above 0; for the schemes that take it.
    output_scale : float
        Factor of the initial v and c, above 0.
    negative_slope : float
        Slope of leaky_relu for z < 0, below 1; no other activation takes it.
    dtype : {"float32", "float64"}
        Precision of the training; losses are always reported in float64.
    subnormals : str
        "flush": x86 and ARM CPUs treat numbers too small for a full mantissa (1e-38 in float32) as
        zero while training, as JAX does. "keep": they keep them, as torch does, on x86 at up to ten
        times the cost where neurons die.
    root_seed : int
        Changes all random numbers; in [0, 2**64). Seed s of another root is another network.
    noise : float
        Standard deviation, at least 0, of independent Gaussian noise on the targets of a grid or of
        uniform points, drawn from root_seed: the same for all seeds.
    loss : str
        "squared": mean of (f - y)^2. "logistic": mean of log(1 + e^f) - y f for labels y of 0 and
        1, where 1 / (1 + e^-f) is the probability of 1.
    optimizer : str
        A name in OPTIMIZERS. A field that the optimiser does not use is refused.
    momentum : float
        Of momentum and nesterov, in [0, 1): m = momentum m + gradient, as torch has it.
    weight_decay : float
        Of adamw, at least 0: each step first multiplies all parameters by 1 - rate * weight_decay.
    schedule : str
        A name in SCHEDULES: how the rate changes.
    lr_final : float or None
        The rate after the last step, as a fraction of lr, in [0, 1]: by default 0 of cosine and
        linear, 0.01 of exponential, 0.0016 of held and stretched. Above 0 for exponential and
        stretched.
    warmup : int
        Steps of linear rise of the rate before the schedule, at least 0 and below `steps`.
    batch : int
        Points drawn for each seed and step, with replacement and equal chances; a point of another
        weight counts in proportion. With sampling="population" fresh points of the domain. 0: each
        step uses all points.
    depth : int
        Number of hidden layers L, each of N neurons, at least 1: h_1 = sigma(w x + b), h_l =
        sigma(W_l h_(l-1) + b_l), f = v . h_L + c.
    residual : bool
        Whether layers after the first add to what they take: h_l = h_(l-1) + sigma(W_l h_(l-1) +
        b_l) / L. For depth of at least 2.

    Raises
    ------
    ConfigError
        For a value out of range, an unknown name, or fields that contradict each other.

    References
    ----------
    Paper: section 2.2.

    Examples
    --------
    >>> Config(width=20, steps=1e3).steps
    1000
    """

    width: int = 20
    activation: str = "silu"
    task: str = "square"
    sampling: str = "grid"
    points: int = 100
    steps: int = 50_000
    lr: float = 1e-2
    lr_decay: float = 0.2
    lr_decay_every: int = 10_000
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    init: str = "torch"
    init_scale: float = 1.0
    output_scale: float = 1.0
    negative_slope: float = 0.01
    dtype: str = "float32"
    subnormals: str = "flush"
    root_seed: int = 0
    noise: float = 0.0
    loss: str = "squared"
    optimizer: str = "adam"
    momentum: float = 0.9
    weight_decay: float = 0.01
    schedule: str = "step"
    lr_final: float | None = None
    warmup: int = 0
    batch: int = 0
    depth: int = 1
    residual: bool = False

    def __post_init__(self) -> None:
        for name in ("width", "points", "steps", "lr_decay_every"):
            self._set(name, whole_number(name, getattr(self, name), at_least=1, below=2**53))
        self._set("depth", check_depth(self.depth, self.residual))
        self._set("residual", bool(self.residual))
        self._set("batch", whole_number("batch", self.batch, at_least=0, below=2**31))
        self._set("warmup", whole_number("warmup", self.warmup, at_least=0, below=self.steps))
        self._set("root_seed", whole_number("root_seed", self.root_seed, at_least=0, below=2**64))
        for name, (rule, holds) in REAL_FIELDS.items():
            self._set(name, real_number(name, getattr(self, name), rule, holds))
        for name, choices in CHOICES.items():
            _one_of(name, getattr(self, name), choices)
        activation_of(self.activation)
        check_examples(self)
        check_optimizer(self, DEFAULTS)
        check_schedule(self, DEFAULTS)
        if self.lr_final is not None:
            final = float(self.lr_final) + 0.0  # equal configs have equal keys
            self._set("lr_final", None if final == SCHEDULES[self.schedule].final else final)
        check_precision(self)
        check_sampling(self)

    def _set(self, name: str, value: int | float | None) -> None:
        object.__setattr__(self, name, value)

    def replace(self, **changes: Any) -> "Config":
        """A copy with some fields changed.

        Parameters
        ----------
        **changes
            Fields and their new values.

        Returns
        -------
        Config
            The copy.

        Raises
        ------
        ConfigError
            As Config does.
        """
        return from_fields({**dataclasses.asdict(self), **changes})

    def to_json(self) -> str:
        """All fields as JSON.

        Returns
        -------
        str
            One line, fields in the order of their declaration.
        """
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> "Config":
        """The inverse of to_json.

        Parameters
        ----------
        text : str
            What to_json returned.

        Returns
        -------
        Config
            The same config.

        Raises
        ------
        ConfigError
            For any other text.
        """
        try:
            fields = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(
                f"config is not JSON ({reason_of(error)}); write it with Config.to_json"
            ) from None
        if not isinstance(fields, dict):
            raise ConfigError("config is not a JSON object; write it with Config.to_json")
        return from_fields(fields)

    def __repr__(self) -> str:
        apart = (one for one in FIELDS if one == "width" or getattr(self, one) != DEFAULTS[one])
        return f"Config({', '.join(f'{name}={getattr(self, name)!r}' for name in apart)})"

    def _repr_html_(self) -> str:
        from minilotto.settings.display import config_panel

        return config_panel(self)

    def rate(self, step: ArrayLike) -> Array:
        """The rate of each step: lr times a fraction that falls after the warmup.

        With t = step - warmup and u = t / (steps - warmup), the fraction is lr_decay^(t //
        lr_decay_every) for "step", 1 for "constant", f + (1 - f) (1 + cos(pi u)) / 2 for "cosine",
        1 - (1 - f) u for "linear" and f^u for "exponential", where f is lr_final; the larger of f
        and that of "step" for "held"; and min(1, f lr_decay^-k) for "stretched", where k =
        (steps - step - 1) // lr_decay_every stages are left. In the warmup it is (step + 1) /
        (warmup + 1).

        Parameters
        ----------
        step : array_like of int
            Steps, from 0 to `steps`.

        Returns
        -------
        array of float64
            In the shape of `step`.

        Raises
        ------
        DataError
            For anything else.

        Examples
        --------
        >>> Config(steps=100, schedule="linear", warmup=1).rate([0, 1, 100]).tolist()
        [0.005, 0.01, 0.0]
        """
        given = array_of("step", step)
        inside = given.dtype.kind in "iuf" and ((given >= 0) & (given <= self.steps)).all()
        if not (inside and (given.dtype.kind != "f" or (given == np.floor(given)).all())):
            raise DataError(
                f"step={shown(step)} is out of range; give whole numbers from 0 to {self.steps}"
            )
        step = given.astype(np.int64)
        after = np.maximum(step - self.warmup, 0)
        rates: Array = self.lr * SCHEDULES[self.schedule].fraction(self, after)
        return np.where(step < self.warmup, self.lr * (step + 1) / (self.warmup + 1), rates)

    @property
    def final_fraction(self) -> float:
        """The rate after the last step over lr, of schedules that have lr_final; otherwise 1."""
        default = SCHEDULES[self.schedule].final
        value = default if self.lr_final is None else self.lr_final
        return 1.0 if value is None else value

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits that name this config; equal for equal configs, on every
        machine.

        A field of LATER counts only where it differs from its default, so that nets stored before
        it existed keep their key.
        """
        fields = dataclasses.asdict(self)
        stated = {n: value for n, value in fields.items() if n not in LATER or value != LATER[n]}
        return hashlib.blake2b(json.dumps(stated).encode(), digest_size=8).hexdigest()


# LATER: fields added after stores were first written, with their defaults.
DEFAULTS: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(Config)}
FIELDS = tuple(DEFAULTS)
LATER: dict[str, Any] = {name: DEFAULTS[name] for name in FIELDS[FIELDS.index("noise") :]}


def checked_config(config: Any) -> Config:
    """The config that it is. Raises ConfigError for anything else."""
    if not isinstance(config, Config):
        raise ConfigError(
            f"config={shown(config)} is no Config; pass one, as in ml.Config(width=20)"
        )
    return config


def from_fields(fields: dict[str, Any]) -> Config:
    """Config(**fields), with ConfigError for a name that is no field."""
    for name in fields:
        if name not in FIELDS:
            raise ConfigError(
                f"{shown(name)} is no field of Config; choose from {', '.join(FIELDS)}"
            )
    return Config(**fields)


def _one_of(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        known = ", ".join(choice for choice in choices if choice != CUSTOM)
        raise ConfigError(f"{name}={shown(value)} is unknown; choose from {known}")
