"""TASKS: the paper's targets, sets of examples and tasks of the user, as frozen rows; families."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from minilotto.errors import ConfigError, shown
from minilotto.settings.arrays import Array, array_of, reals_of
from minilotto.settings.examples import EXAMPLES, Examples
from minilotto.settings.limits import listed
from minilotto.settings.scaled import SCALED_WORDS, parts_of, scaled
from minilotto.settings.streams import stream

CUSTOM = "custom"  # stands in a Config for a target or data that the caller handed in


@dataclass(frozen=True)
class Task:
    """A target y(x) on a box, or a set of examples.

    Parameters
    ----------
    name : str
        An identifier, which Config.task takes once the task is registered.
    formula, latex : str
        The target in words or as a formula, plain and in LaTeX.
    function : callable, optional
        Maps x (P, D) of float64 to y (P,). Either this or `examples` is given.
    domain : tuple of (low, high)
        The box, one finite interval for each of D inputs.
    kinks : tuple of float
        For one input, the points where y or a derivative jumps; quadrature rules are split there.
    examples : callable, optional
        Returns `Examples`, the same at each call. Such a task needs sampling="examples".
    shape : (int, int), optional
        For examples: number of points for training, number of inputs D.

    Raises
    ------
    ConfigError
        For an empty, reversed or infinite domain, a kink outside it, both a function and examples
        or neither, or examples without a shape.
    """

    name: str
    formula: str
    latex: str
    function: Callable[[Array], Array] | None = None
    domain: tuple[tuple[float, float], ...] = ((-2.0, 2.0),)
    kinks: tuple[float, ...] = ()
    examples: Callable[[], Examples] | None = None
    shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ConfigError(
                f"task name {shown(self.name)} is no identifier; use letters, digits and "
                "underscores"
            )
        try:
            object.__setattr__(self, "kinks", tuple(map(float, listed("kinks", self.kinks))))
            domain = () if self.shape is not None else self.domain
            box = tuple((float(low), float(high)) for low, high in listed("domain", domain))
            object.__setattr__(self, "domain", box)
        except (TypeError, ValueError, OverflowError):
            raise ConfigError(
                f"task {self.name!r} has domain {shown(self.domain)} and kinks "
                f"{shown(self.kinks)}; give one (low, high) per input, and numbers"
            ) from None
        rule = self._broken_rule()
        if rule:
            raise ConfigError(f"task {self.name!r} {rule}")

    def __reduce_ex__(self, protocol: Any) -> Any:
        """What minilotto defines travels as its name: its functions need not be picklable."""
        if self.built_in:
            return task_of, (self.name,)
        return super().__reduce_ex__(protocol)

    def _broken_rule(self) -> str:
        """What is wrong with the fields but the name, "" where nothing is."""
        if (self.function is None) == (self.examples is None):
            return "takes either a function or examples; give one of them"
        if not callable(self.function or self.examples):
            return f"takes a function, not {shown(self.function or self.examples)}"
        if (self.shape is None) != (self.examples is None):
            return "takes a shape (points for training, inputs) with examples, and only with them"
        if self.shape is not None:
            if (
                not isinstance(self.shape, tuple)
                or len(self.shape) != 2
                or not all(isinstance(n, int) and n >= 1 for n in self.shape)
            ):
                return (
                    f"has shape {shown(self.shape)}; give whole numbers (points for training, "
                    "inputs)"
                )
            return ""
        if not self.domain:
            return "has an empty domain; give one (low, high) per input"
        for low, high in self.domain:
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                return f"has domain ({low}, {high}); it takes finite low < high"
        low, high = self.domain[0]
        if self.kinks and (len(self.domain) > 1 or not all(low <= k <= high for k in self.kinks)):
            return f"has kinks {self.kinks}; they belong inside a one-dimensional domain"
        return ""

    @property
    def built_in(self) -> bool:
        """Whether minilotto defines it: its function then serves several threads at once."""
        return built_in(self.name) and self == known_task(self.name)

    @property
    def inputs(self) -> int:
        """Number of inputs D."""
        return len(self.domain) if self.shape is None else self.shape[1]

    def __call__(self, x: Array) -> Array:
        """y (P,) at x (P, D). Raises ConfigError for a wrong shape or type, NaN or infinity, and
        DataError for masked values.
        """
        if self.function is None:
            raise ConfigError(
                f"task {self.name!r} is a set of examples and no function; use sampling='examples'"
            )
        # The caller's function may change its argument, and return an array that it changes later.
        y = array_of("y", self.function(x.copy()))
        if y.shape != (len(x),):
            raise ConfigError(
                f"task {self.name!r} returned shape {y.shape} for x of shape {x.shape}; it must "
                f"return ({len(x)},), so index the inputs, as in x[:, 0]"
            )
        if y.dtype.kind not in "fiu":
            raise ConfigError(f"task {self.name!r} returned dtype {y.dtype}; return real numbers")
        y = np.array(reals_of("y", y))
        if not np.isfinite(y).all():
            where = x[np.flatnonzero(~np.isfinite(y))[0]]
            raise ConfigError(
                f"task {self.name!r} is not finite at x = {where.tolist()}; change its formula or "
                "its domain"
            )
        return y


def _unary(
    name: str,
    formula: str,
    latex: str,
    function: Callable[[Array], Array],
    kinks: tuple[float, ...] = (),
) -> Task:
    return Task(name, formula, latex, lambda x: function(x[:, 0]), kinks=kinks)


def _member(
    name: str, formula: str, latex: str, function: Callable[[Array], Array], inputs: int
) -> Task:
    return Task(name, formula, latex, function, domain=((-2.0, 2.0),) * inputs)


def _product(inputs: int) -> Task:
    """The paper's product, not standardised: its mean is 0, its variance (4/3)^D."""
    names = range(1, inputs + 1)
    formula, latex = " ".join(f"x{i}" for i in names), " ".join(f"x_{{{i}}}" for i in names)
    return _member(f"product{inputs}", formula, latex, lambda x: np.prod(x, axis=1), inputs)


def _sum(inputs: int) -> Task:
    """A sum of squares, x^2 for each input: E x^2 = 4/3 and Var x^2 = 64/45 on [-2, 2]."""
    scale = math.sqrt(45 / (64 * inputs))
    return _member(
        f"sum{inputs}",
        f"sqrt(45 / (64 * {inputs})) sum_i (x_i^2 - 4/3), mean 0, variance 1",
        rf"\sqrt{{45/(64 \cdot {inputs})}} \sum_{{i=1}}^{{{inputs}}} (x_i^2 - 4/3)",
        lambda x: scale * np.sum(x * x - 4 / 3, axis=1),
        inputs,
    )


LIGHTEST = 0.01  # of the first term's variance, that of the last one


def falling(inputs: int) -> Array:
    """Variances (D,) that fall geometrically from 1 to LIGHTEST."""
    return np.asarray(LIGHTEST ** (np.arange(inputs) / max(1, inputs - 1)))


def _weighted(inputs: int) -> Task:
    """A sum of squares whose variances fall geometrically from the first input to the last."""
    a = np.sqrt(falling(inputs))
    a *= math.sqrt(45 / 64) / np.linalg.norm(a)
    return _member(
        f"weighted{inputs}",
        f"sum_i a_i (x_i^2 - 4/3), a_i^2 falling geometrically to {LIGHTEST:g} a_1^2, mean 0, "
        "variance 1",
        rf"\sum_{{i=1}}^{{{inputs}}} a_i (x_i^2 - 4/3)",
        lambda x: np.sum(a * (x * x - 4 / 3), axis=1),
        inputs,
    )


def _radial(inputs: int) -> Task:
    """A Gaussian of |x|. With m and q the means of one input over [-2, 2], E e^(-|x|^2/2) = m^D and
    E e^(-|x|^2) = q^D.
    """
    m = math.sqrt(2 * math.pi) * math.erf(math.sqrt(2)) / 4
    q = math.sqrt(math.pi) * math.erf(2) / 4
    # the deviation over q^(D/2), which alone would underflow
    spread = math.sqrt(1 - (m * m / q) ** inputs)
    shift, mean = inputs * math.log(q) / 2, (m / math.sqrt(q)) ** inputs
    a, s = m**inputs, q ** (inputs / 2) * spread
    return _member(
        f"radial{inputs}",
        f"(exp(-|x|^2 / 2) - {a:.6g}) / {s:.6g}, mean 0, variance 1",
        rf"(e^{{-|x|^2/2}} - {a:.4g}) / {s:.4g}",
        lambda x: (np.exp(-np.sum(x * x, axis=1) / 2 - shift) - mean) / spread,
        inputs,
    )


TEACHER_NEURONS, TEACHER_POINTS = 64, 4096
# weights are U(+-gain / sqrt(D)), biases U(+-gain): u . x has a deviation of 2, whatever D is
TEACHER_GAIN = 3.0


def _teacher(inputs: int) -> Task:
    """A fixed random net of tanh neurons, standardised on fixed uniform points."""
    parts = (TEACHER_NEURONS * inputs, TEACHER_NEURONS, TEACHER_NEURONS, TEACHER_POINTS * inputs)
    draws = 2 * stream(0, f"teacher {inputs}", 0, sum(parts)) - 1
    u, t, a, x = np.split(draws, np.cumsum(parts)[:-1])
    u, t = TEACHER_GAIN / math.sqrt(inputs) * u.reshape(TEACHER_NEURONS, inputs), TEACHER_GAIN * t

    def raw(x: Array) -> Array:
        y = np.zeros(len(x))
        for k in range(TEACHER_NEURONS):  # one by one: P points times all neurons may be many
            y += a[k] * np.tanh(np.einsum("pd,d->p", x, u[k]) + t[k])
        return y

    found = raw(2 * x.reshape(TEACHER_POINTS, inputs))
    mean, spread = found.mean(), found.std()
    return _member(
        f"teacher{inputs}",
        f"sum_k a_k tanh(u_k . x + t_k) of {TEACHER_NEURONS} fixed random neurons, mean 0, "
        "variance 1 (to some percent)",
        rf"\sum_{{k=1}}^{{{TEACHER_NEURONS}}} a_k \tanh(u_k \cdot x + t_k)",
        lambda x: (raw(x) - mean) / spread,
        inputs,
    )


# A family has a member for each number of inputs, made when its name is looked up: sum7, radial3.
# Members of all but product have mean 0 and variance 1 for uniform x, so that the best constant has
# a loss of 1 for any D.
FAMILIES: dict[str, Callable[[int], Task]] = {
    "product": _product,
    "sum": _sum,
    "weighted": _weighted,
    "radial": _radial,
    "teacher": _teacher,
}
MOST_INPUTS = 1000
_MEMBER = re.compile(f"({'|'.join(FAMILIES)})([1-9][0-9]{{0,8}})")


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        _unary("square", "x^2", r"x^2", np.square),
        _unary("cube", "x^3", r"x^3", lambda x: x * x * x),
        _unary("quartic", "x^4", r"x^4", lambda x: (x * x) ** 2),
        _unary("sin", "sin(x)", r"\sin x", np.sin),
        _unary("cos", "cos(x)", r"\cos x", np.cos),
        _unary("exp", "exp(x)", r"e^x", np.exp),
        _unary("sin2", "sin(x)^2", r"\sin^2 x", lambda x: np.sin(x) ** 2),
        _unary("exp_square", "exp(x^2)", r"e^{x^2}", lambda x: np.exp(x * x)),
        _unary("relu", "max(x, 0)", r"\max(x, 0)", lambda x: np.maximum(x, 0.0), kinks=(0.0,)),
        _unary("tanh", "tanh(x)", r"\tanh x", np.tanh),
        *(_product(inputs) for inputs in (2, 3, 4, 5)),
        *(
            Task(name, note, rf"\mathrm{{{note}}}".replace(" ", r"\ "), examples=load, shape=shape)
            for name, (note, load, shape) in EXAMPLES.items()
        ),
    )
}

BUILT_IN = frozenset(TASKS)
FAMILY_WORDS = f"{', '.join(f'{one}7' for one in FAMILIES)} (any number of inputs), {SCALED_WORDS}"


@cache
def _family_member(name: str) -> Task | None:
    """The task of "sum7", "square_over_7" and the like, None for any other name."""
    base, factor = parts_of(name)
    if factor != 1:
        return scaled(task_of(base), factor) if built_in(base) else None
    if not (found := _MEMBER.fullmatch(name)):
        return None
    if int(found[2]) > MOST_INPUTS:
        raise ConfigError(
            f"task={name!r} has {found[2]} inputs; {found[1]} goes up to {found[1]}{MOST_INPUTS}"
        )
    return FAMILIES[found[1]](int(found[2]))


def built_in(name: str) -> bool:
    """Whether every process knows the task of that name without `register_task`."""
    return name in BUILT_IN or _family_member(name) is not None


def register_task(task: Task) -> Task:
    """Add a task to TASKS, so that Config and the command line accept its name.

    Parameters
    ----------
    task : Task
        The task; it takes the place of one of yours that has its name.

    Returns
    -------
    Task
        The same task.

    Raises
    ------
    ConfigError
        If another task of minilotto has the name.

    Examples
    --------
    >>> saw = register_task(
    ...     Task("saw", "|x|", "|x|", lambda x: abs(x[:, 0]), domain=((-1, 1),), kinks=(0,))
    ... )
    >>> TASKS.pop("saw").inputs
    1
    """
    if not isinstance(task, Task):
        raise ConfigError(f"{shown(task)} is no Task; make one with ml.Task")
    if task.name == CUSTOM or (built_in(task.name) and known_task(task.name) != task):
        raise ConfigError(f"task name {task.name!r} is taken; choose another")
    TASKS[task.name] = task
    return task


def known_task(name: str) -> Task | None:
    """The task of that name, None where none has it."""
    return TASKS.get(name) or _family_member(name)


def task_of(name: str) -> Task:
    """The task of that name, in TASKS or of a family; ConfigError for an unknown name.

    >>> task_of("sum7").inputs, task_of("square").inputs
    (7, 1)
    """
    if isinstance(name, str) and name == CUSTOM:
        raise ConfigError(
            "task='custom' stands for a target or data of your own; pass target= or data= to train"
        )
    task = known_task(name) if isinstance(name, str) else None
    if callable(name):
        raise ConfigError(
            "task is a function; pass it as target= to train, or name it by register_task"
        )
    if task is None:
        raise ConfigError(
            f"task={shown(name)} is unknown; choose from {', '.join(TASKS)}, {FAMILY_WORDS}, or "
            "register_task your own"
        )
    return task
