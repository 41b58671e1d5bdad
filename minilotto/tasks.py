"""TASKS: the target functions of the paper and some sets of examples, as frozen rows, and the user's own beside them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minilotto.errors import ConfigError
from minilotto.problems import EXAMPLES, Examples

CUSTOM = "custom"  # stands in a Config for a target or data that the caller handed in


@dataclass(frozen=True)
class Task:
    """A target y(x) on a box, or a set of examples.

    function maps x (P, D) float64 to y (P,). `domain` holds one (low, high) per input, so its length is D. `kinks` lists, for
    one input, the points where y or a derivative jumps; a quadrature rule must not straddle them.

    examples, in place of a function and a domain, is a callable that gives `Examples`, the same at each call. `shape` then says how
    many points they have for training, and how many inputs D. A Config takes such a task with sampling="examples".

    Raises ConfigError when the domain is empty, reversed or infinite, a kink lies outside it, or there are both a function and
    examples.
    """

    name: str
    formula: str
    latex: str
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None
    domain: tuple[tuple[float, float], ...] = ((-2.0, 2.0),)
    kinks: tuple[float, ...] = ()
    examples: Callable[[], Examples] | None = None
    shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ConfigError(f"task name {self.name!r} is no identifier; use letters, digits and underscores")
        if (self.function is None) == (self.examples is None):
            raise ConfigError(f"task {self.name!r} takes either a function or examples; give one of them")
        if (self.shape is None) != (self.examples is None):
            raise ConfigError(f"task {self.name!r} takes a shape (points for training, inputs) with examples, and only with them")
        if self.shape is not None:
            if np.shape(self.shape) != (2,) or not all(isinstance(n, int) and n >= 1 for n in self.shape):
                raise ConfigError(f"task {self.name!r} has shape {self.shape}; give whole numbers (points for training, inputs)")
            object.__setattr__(self, "domain", ())
            return
        if not self.domain:
            raise ConfigError(f"task {self.name!r} has an empty domain; give one (low, high) per input")
        if not all(np.shape(pair) == (2,) for pair in self.domain):
            raise ConfigError(f"task {self.name!r} has domain {self.domain}; it takes one (low, high) per input")
        for low, high in self.domain:
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                raise ConfigError(f"task {self.name!r} has domain ({low}, {high}); it takes finite low < high")
        if self.kinks and (len(self.domain) > 1 or not all(self.domain[0][0] <= k <= self.domain[0][1] for k in self.kinks)):
            raise ConfigError(f"task {self.name!r} has kinks {self.kinks}; they belong inside a one-dimensional domain")

    @property
    def inputs(self) -> int:
        """Number of inputs D."""
        return len(self.domain) if self.shape is None else self.shape[1]

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """y (P,) at x (P, D), checked for shape and finiteness. Raises ConfigError."""
        if self.function is None:
            raise ConfigError(f"task {self.name!r} is a set of examples and no function; use sampling='examples'")
        y = np.asarray(self.function(x))
        if y.shape != (len(x),):
            raise ConfigError(
                f"task {self.name!r} returned shape {y.shape} for x of shape {x.shape}; it must return ({len(x)},), "
                "so index the inputs, as in x[:, 0]"
            )
        if y.dtype.kind not in "fiu":
            raise ConfigError(f"task {self.name!r} returned dtype {y.dtype}; return real numbers")
        y = y.astype(np.float64)
        if not np.isfinite(y).all():
            where = x[np.flatnonzero(~np.isfinite(y))[0]]
            raise ConfigError(f"task {self.name!r} is not finite at x = {where.tolist()}; change its formula or its domain")
        return y


def _unary(name: str, formula: str, latex: str, function: Callable, kinks: tuple[float, ...] = ()) -> Task:
    return Task(name, formula, latex, lambda x: function(x[:, 0]), kinks=kinks)


def _product(inputs: int) -> Task:
    return Task(
        name=f"product{inputs}",
        formula=" ".join(f"x{i}" for i in range(1, inputs + 1)),
        latex=" ".join(f"x_{i}" for i in range(1, inputs + 1)),
        function=lambda x: np.prod(x, axis=1),
        domain=((-2.0, 2.0),) * inputs,
    )


def _upright(words: str) -> str:
    """Words as LaTeX's mathematics sets them."""
    return r"\mathrm{" + words.replace(" ", r"\ ") + "}"


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
        *(Task(name, note, _upright(note), examples=load, shape=shape) for name, (note, load, shape) in EXAMPLES.items()),
    )
}

BUILT_IN = frozenset(TASKS)


def register_task(task: Task) -> Task:
    """Make `task` known under its name, so that a Config and the command line can use it. Returns it.

    Raises ConfigError when the name is taken by another task.

    >>> saw = register_task(Task("saw", "|x|", "|x|", lambda x: abs(x[:, 0]), domain=((-1, 1),), kinks=(0,)))
    >>> TASKS.pop("saw").inputs
    1
    """
    if task.name == CUSTOM or TASKS.get(task.name, task) != task:
        raise ConfigError(f"task name {task.name!r} is taken; choose another")
    TASKS[task.name] = task
    return task


def task_of(name: str) -> Task:
    """The row of that name. Raises ConfigError for an unknown one."""
    if name == CUSTOM:
        raise ConfigError("task='custom' stands for a target or data of your own; pass target= or data= to train")
    if not isinstance(name, str) or name not in TASKS:
        raise ConfigError(f"task={name!r} is unknown; choose from {', '.join(TASKS)}, or register_task your own")
    return TASKS[name]
