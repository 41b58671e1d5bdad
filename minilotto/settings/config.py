"""Config: everything that decides the outcome of a training, apart from the seed."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minilotto.errors import ConfigError, shown
from minilotto.settings.activations import activation_of
from minilotto.settings.schemes import SCHEMES
from minilotto.settings.tasks import CUSTOM, TASKS, task_of

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
}
REAL_FIELDS: dict[str, tuple[str, Callable[[float], bool]]] = {
    **dict.fromkeys(
        ("lr", "lr_decay", "epsilon", "init_scale", "output_scale"),
        ("above 0", lambda value: value > 0),
    ),
    **dict.fromkeys(("beta1", "beta2"), ("in [0, 1)", lambda value: 0 <= value < 1)),
    "negative_slope": ("below 1", lambda value: value < 1),
    "noise": ("of at least 0", lambda value: value >= 0),
}
NO_NUMBERS = (bool, np.bool_, str, bytes, np.ndarray)  # though int() or float() accepts them


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
        A name in TASKS, or of a family for any number of inputs: sum7, product7, radial7, teacher7.
    sampling : str
        "grid": equally spaced points, ends included, one lattice axis per input. "uniform":
        independent uniform points, drawn from root_seed. "population": infinitely many uniform
        points, by quadrature, for up to three inputs. "examples": those of a task that is a set of
        examples, such as moons or digits. The last two do not use `points`.
    points : int
        Number of training points P, at least 1; each step uses all of them.
    steps : int
        Number of Adam steps, at least 1.
    lr, lr_decay, lr_decay_every : float, float, int
        The rate of step t (from 0) is lr * lr_decay ** (t // lr_decay_every); all above 0.
    beta1, beta2, epsilon : float
        Adam's constants; the betas in [0, 1), epsilon above 0.
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
        "flush": x86 CPUs treat numbers too small for a full mantissa (1e-38 in float32) as zero
        while training, as JAX does. "keep": they keep them, as torch does, at up to ten times the
        cost where neurons die.
    root_seed : int
        Changes all random numbers; in [0, 2**64). Seed s of another root is another network.
    noise : float
        Standard deviation, at least 0, of independent Gaussian noise on the targets of a grid or of
        uniform points, drawn from root_seed: the same for all seeds.
    loss : str
        "squared": mean of (f - y)^2. "logistic": mean of log(1 + e^f) - y f for labels y of 0 and
        1, where 1 / (1 + e^-f) is the probability of 1.

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

    def __post_init__(self) -> None:
        for name in ("width", "points", "steps", "lr_decay_every"):
            self._set(name, whole_number(name, getattr(self, name), at_least=1, below=2**53))
        self._set("root_seed", whole_number("root_seed", self.root_seed, at_least=0, below=2**64))
        for name, (rule, holds) in REAL_FIELDS.items():
            self._set(name, _real_number(name, getattr(self, name), rule, holds))
        for name, choices in CHOICES.items():
            _one_of(name, getattr(self, name), choices)
        activation_of(self.activation)
        self._check_examples()
        self._check_precision()
        if self.negative_slope != 0.01 and self.activation != "leaky_relu":
            raise ConfigError(
                f"negative_slope={self.negative_slope} means nothing to {self.activation}; use "
                "leaky_relu or leave it out"
            )
        if self.sampling == "population" and self.points != 100:
            raise ConfigError(
                f"points={self.points} means nothing to sampling='population', which has "
                "infinitely many; leave it out"
            )
        if self.noise and self.sampling == "population":
            raise ConfigError(
                f"noise={self.noise} would only add its square to the loss of "
                "sampling='population'; leave it out"
            )
        if self.noise and self.sampling in (CUSTOM, "examples"):
            raise ConfigError(
                f"noise={self.noise} means nothing to examples and data of your own; add it to y "
                "yourself"
            )
        if self.init_scale != 1.0 and not SCHEMES[self.init].scalable:
            scalable = ", ".join(name for name, scheme in SCHEMES.items() if scheme.scalable)
            raise ConfigError(
                f"init_scale={self.init_scale} means nothing to init={self.init!r}; it belongs to "
                f"{scalable}"
            )

    def _check_examples(self) -> None:
        """Refuse an unknown task, and examples without sampling="examples" or the reverse."""
        custom = isinstance(self.task, str) and self.task == CUSTOM
        has_examples = not custom and task_of(self.task).examples is not None
        if has_examples and self.sampling != "examples":
            raise ConfigError(
                f"sampling={self.sampling!r} means nothing to task={self.task!r}, a set of "
                "examples; use sampling='examples'"
            )
        if self.sampling == "examples" and not has_examples:
            known = ", ".join(name for name, task in TASKS.items() if task.examples is not None)
            raise ConfigError(
                f"sampling='examples' means nothing to task={self.task!r}; it takes a set of "
                f"examples: {known}"
            )
        if self.sampling == "examples" and self.points != 100:
            raise ConfigError(
                f"points={self.points} means nothing to sampling='examples', which takes all; "
                "leave it out"
            )

    def _check_precision(self) -> None:
        """Refuse sizes that this precision makes zero, and those whose squares it overflows.

        Rates may be large: nets then diverge, and say so.
        """
        precision = np.finfo(self.dtype)
        least, most = float(precision.tiny), float(precision.max) ** 0.5
        for name, low, high in (
            ("lr", least, math.inf),
            ("epsilon", least, most),
            ("init_scale", least, most),
            ("output_scale", least, most),
            ("negative_slope", 0.0, most),
        ):
            value = getattr(self, name)
            if not low <= abs(value) <= high:
                raise ConfigError(
                    f"{name}={value} is out of range; dtype={self.dtype!r} takes sizes from "
                    f"{low:.4g} to {high:.4g}"
                )

    def _set(self, name: str, value: int | float) -> None:
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
                f"config is not JSON ({shown(error, str)}); write it with Config.to_json"
            ) from None
        if not isinstance(fields, dict):
            raise ConfigError("config is not a JSON object; write it with Config.to_json")
        return from_fields(fields)

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


# fields added after stores were first written, with their defaults
LATER: dict[str, Any] = {"noise": 0.0, "loss": "squared"}
FIELDS = tuple(field.name for field in dataclasses.fields(Config))


def from_fields(fields: dict[str, Any]) -> Config:
    """Config(**fields), with ConfigError for a name that is no field.

    Parameters
    ----------
    fields : dict
        Fields and their values.

    Returns
    -------
    Config
        The config.

    Raises
    ------
    ConfigError
        For a name that is no field; otherwise as Config does.
    """
    for name in fields:
        if name not in FIELDS:
            raise ConfigError(f"{name!r} is no field of Config; choose from {', '.join(FIELDS)}")
    return Config(**fields)


def whole_number(name: str, value: Any, at_least: int, below: int | None = None) -> int:
    """A setting as an int; 1e6 counts as whole.

    Parameters
    ----------
    name : str
        Name of the setting, for the message.
    value : object
        What was given.
    at_least, below : int
        Range of the number, without `below` itself.

    Returns
    -------
    int
        The number.

    Raises
    ------
    ConfigError
        For anything else.
    """
    whole = None
    if not isinstance(value, NO_NUMBERS):
        try:
            if value == math.floor(value):
                whole = int(value)
        except Exception:  # whatever the caller's own type raises
            whole = None
    if whole is None or whole < at_least or (below is not None and whole >= below):
        limit = f"of at least {at_least}" + (f" and below {below}" if below else "")
        raise ConfigError(f"{name}={shown(value)} is out of range; give a whole number {limit}")
    return whole


def _real_number(name: str, value: Any, rule: str, holds: Callable[[float], bool]) -> float:
    real = None
    if not isinstance(value, NO_NUMBERS):
        try:
            real = float(value) + 0.0  # no negative zero: equal configs have equal keys
        except Exception:
            real = None
    if real is None or not math.isfinite(real) or not holds(real):
        raise ConfigError(f"{name}={shown(value)} is out of range; give a finite number {rule}")
    return real


def _one_of(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        known = ", ".join(choice for choice in choices if choice != CUSTOM)
        raise ConfigError(f"{name}={shown(value)} is unknown; choose from {known}")
