"""Dataset: the weighted points that a training fits."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from minilotto.data.checks import checked
from minilotto.errors import ConfigError, DataError, shown
from minilotto.settings.activations import Reals
from minilotto.settings.arrays import Array, ReadOnly
from minilotto.settings.config import Config
from minilotto.settings.examples import Examples
from minilotto.settings.streams import stream
from minilotto.settings.tasks import CUSTOM, Task, known_task, task_of


@dataclass(frozen=True, eq=False)
class Dataset(ReadOnly):
    """Weighted points, with the loss sum_p weight_p (f(x_p) - y_p)^2 + offset.

    Arrays are copied, in float64, and are read-only.

    Parameters
    ----------
    x : (P,) or (P, D) array_like of float32 or float64
        Points; kept as (P, D).
    y : (P,) array_like of float32 or float64
        Targets.
    weight : (P,) array_like of float32 or float64, optional
        At least 0, of any positive sum, by which they are divided; equal weights by default.
    offset : float
        The part of the loss that no smooth function can reduce: zero for data as given, above zero
        after compression.
    population : Task, optional
        The task, where the points are quadrature nodes for infinitely many of its points. A pickle
        keeps it where its name is registered.
    names : tuple of str
        Names of the inputs, where the data come from a file that has them.

    Raises
    ------
    DataError
        For wrong shapes, integer or complex dtypes, NaN or infinity, negative or all-zero weights.

    Examples
    --------
    >>> Dataset(np.linspace(0, 1, 3), np.zeros(3), weight=np.array([1.0, 2.0, 1.0])).weight.tolist()
    [0.25, 0.5, 0.25]
    """

    x: Array
    y: Array
    weight: Array = None  # type: ignore[assignment]  # equal ones, once it is made
    offset: float = 0.0
    population: Task | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Weights that sum to one, but for rounding, stay: a copy of a Dataset is equal to it.
        x, y, weight = _normalised(self.x, self.y, self.weight, rounding=EPSILON)
        self.__setstate__({"x": x, "y": y, "weight": weight})
        rule = self._broken_rule()
        if rule:
            raise DataError(rule)

    def _broken_rule(self) -> str:
        """What is wrong with the fields beside the arrays, "" where nothing is."""
        if not isinstance(self.offset, (int, float)) or not np.isfinite(self.offset):
            return f"offset={shown(self.offset)} is no finite number; leave it out"
        task, names = self.population, self.names
        if task is not None and not (
            isinstance(task, Task) and task.examples is None and task.inputs == self.inputs
        ):
            return f"population={shown(task)} is no function of the inputs of x; leave it out"
        if names and not (isinstance(names, tuple) and len(names) == self.inputs):
            return f"names={shown(names)} are no tuple of {self.inputs} names; leave them out"
        return ""

    @property
    def points(self) -> int:
        return len(self.y)

    @property
    def inputs(self) -> int:
        inputs: int = self.x.shape[1]
        return inputs

    def __deepcopy__(self, memo: Any) -> "Dataset":
        return self  # nothing in it changes

    def __getstate__(self) -> dict[str, Any]:
        """Fields, with the name of a task, as its function need not be one that pickles."""
        task = self.population
        name = task.name if task is not None and known_task(task.name) == task else None
        return {**self.__dict__, "population": name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        name = state.get("population")
        super().__setstate__({**state, "population": known_task(name)} if name else state)


EPSILON = float(np.finfo(np.float64).eps)
SAME = 1e-9  # of the largest number: by how much the data of one task may differ between machines


def given(x: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> Dataset:
    """A Dataset of the caller's arrays, as Dataset takes them, of weights of any sum."""
    return frozen(*_normalised(x, y, weight))


def _normalised(
    x: ArrayLike, y: ArrayLike, weight: ArrayLike | None, rounding: float = 0.0
) -> tuple[Array, Array, Array]:
    """Copies of the arrays, weights divided by their sum unless it is 1 but for `rounding` each."""
    points, targets, weights = (a.astype(np.float64) for a in checked(x, y, weight))
    with np.errstate(over="ignore"):
        total = weights.sum()
    if (weights < 0).any() or not 0 < total < np.inf:
        raise DataError(
            f"weight has minimum {weights.min()} and sum {total}; weights are at least 0 with a "
            "finite positive sum"
        )
    return points, targets, weights if abs(total - 1) < rounding * len(weights) else weights / total


def check_dataset(data: object) -> None:
    """Raises DataError for what is no Dataset."""
    if not isinstance(data, Dataset):
        raise DataError(f"data={shown(data)} are no Dataset; make one, as in ml.Dataset(x, y)")


def differing(a: Dataset, b: Dataset) -> str | None:
    """The first array, "x", "y" or "weight", in which two data sets differ by more than the last
    bits, which are other ones on another CPU; None where they are the same data.
    """
    for name in ("x", "y", "weight"):
        ours, theirs = getattr(a, name), getattr(b, name)
        if ours.shape != theirs.shape or np.abs(ours - theirs).max() > SAME * np.abs(theirs).max():
            return name
    return None


def check_labels(y: Reals) -> None:
    """Raises DataError for labels other than 0 and 1, which the logistic loss does not take."""
    wrong = np.flatnonzero((y != 0) & (y != 1))
    if wrong.size:
        raise DataError(
            f"y[{wrong[0]}] = {y[wrong[0]]:g} is no label; loss='logistic' takes 0 and 1 (or use "
            "loss='squared')"
        )


def targets_at(x: Array, task: Task, config: Config) -> Array:
    """What a task makes of points (P, D), which the config's loss takes. Raises DataError."""
    y = task(x)
    if config.loss == "logistic":
        check_labels(y)
    return y


def sampled(config: Config, task: Task | None = None) -> Dataset:
    """The points of config.sampling, with targets y_p = task(x_p) + noise z_p; `task` stands in
    place of config.task.

    The z_p are standard normal; z_1, z_2, ... are the same for any P, points, noise and task. For
    sampling="population" the points are the nodes of `population_rule`, for "examples" the training
    subset of `examples_of`. Weights are equal but for "population". Raises ConfigError where no
    grid of D inputs has this number of points, and for sampling="custom".
    """
    task = task_of(config.task) if task is None else task
    if config.sampling == "examples":
        return examples_of(task).training
    low, high = np.array(task.domain, dtype=np.float64).T
    shape = points, inputs = config.points, task.inputs
    if config.sampling == "population":
        return population_rule(task)
    if config.sampling == CUSTOM:
        raise ConfigError("sampling='custom' stands for data of your own; pass data= to train")
    if config.sampling == "grid":
        per_axis = round(points ** (1 / inputs))
        if per_axis**inputs != points:
            below, above = ((int(points ** (1 / inputs)) + k) ** inputs for k in (0, 1))
            raise ConfigError(
                f"points={points} makes no grid of {inputs} inputs; use points={below}, "
                f"points={above} or sampling='uniform'"
            )
        axes = [
            np.linspace(a, b, per_axis) if per_axis > 1 else np.array([(a + b) / 2])
            for a, b in task.domain
        ]
        x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(shape)
    else:
        unit = stream(config.root_seed, f"points {inputs}", 0, points * inputs)
        x = low + (high - low) * unit.reshape(shape)
    y = task(x)
    if config.noise:
        from scipy.special import ndtri

        y = y + config.noise * ndtri(stream(config.root_seed, "label noise", 0, points))
    return frozen(x, y, np.full(points, 1.0 / points))


class Split(NamedTuple):
    """A task's examples for training, and those for testing."""

    training: Dataset
    held_out: Dataset


@lru_cache(maxsize=16)
def examples_of(task: Task) -> Split:
    """The examples of a task that is a set of examples: training and held-out ones, of equal
    weights within each.

    Raises ConfigError for a task that is a function, DataError for what are no Examples or have
    another shape than the task states, MissingExtraError without the package that has them.
    """
    if task.examples is None:
        raise ConfigError(
            f"task {task.name!r} is a function and holds out no examples; evaluate it at points "
            "of your own"
        )
    found = task.examples()
    if not isinstance(found, Examples):
        raise DataError(f"task {task.name!r} returned {shown(found)}; return Examples")
    training, held_out = given(found.x, found.y), given(found.held_out_x, found.held_out_y)
    if (training.points, training.inputs) != task.shape or held_out.inputs != training.inputs:
        raise DataError(
            f"the examples of task {task.name!r} have shapes {training.x.shape} and "
            f"{held_out.x.shape}, where its shape is {task.shape}; make them agree"
        )
    return Split(training, held_out)


RULE_NODES = {1: 256, 2: 48, 3: 24}  # by number of inputs: nodes along each axis, between kinks
QUADRATURE_INPUTS = max(RULE_NODES)


def population_rule(task: Task, nodes: int | None = None) -> Dataset:
    """Infinitely many uniform points of the task's domain, as nodes of a Gauss-Legendre rule.

    For D > 1 it is a tensor product; one input is split at the task's kinks. Loss and gradient are
    exact for nets and targets that are polynomials of degree below `nodes` on each interval; by
    default there are those of RULE_NODES. Raises ConfigError for more than QUADRATURE_INPUTS
    inputs.

    >>> from minilotto.settings.tasks import TASKS
    >>> rule = population_rule(TASKS["square"], nodes=3)
    >>> round(float(rule.weight @ rule.y), 12)
    1.333333333333
    """
    if task.inputs > QUADRATURE_INPUTS:
        raise ConfigError(
            f"sampling='population' is out of reach for {task.inputs} inputs; it takes up to "
            f"{QUADRATURE_INPUTS}, use sampling='uniform' with many points"
        )
    axes = [
        gauss_legendre(np.unique([low, *task.kinks, high]), nodes or RULE_NODES[task.inputs])
        for low, high in task.domain
    ]
    x = np.stack(np.meshgrid(*(at for at, _ in axes), indexing="ij"), axis=-1)
    x, weight = x.reshape(-1, task.inputs), np.ones(1)
    for _, rule in axes:
        weight = np.outer(weight, rule).ravel()
    return frozen(x, task(x), weight / weight.sum(), population=task)


# an eigenvalue problem, solved once where many nets need the same rule
_leggauss = lru_cache(maxsize=16)(np.polynomial.legendre.leggauss)


def gauss_legendre(edges: Array, nodes: int) -> tuple[Array, Array]:
    """A composite Gauss-Legendre rule between ascending edges (E,): so many nodes in each interval,
    ascending, and their weights, whose sum is edges[-1] - edges[0].
    """
    at, rule = _leggauss(nodes)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * at).ravel(), (half[:, None] * rule).ravel()


def frozen(
    x: Array,
    y: Array,
    weight: Array,
    offset: float = 0.0,
    population: Task | None = None,
    names: tuple[str, ...] = (),
) -> Dataset:
    """A Dataset of these float64 arrays themselves, weights of sum 1, unchecked and read-only."""
    data = object.__new__(Dataset)
    fields = {"x": x, "y": y, "weight": weight, "offset": offset}
    ReadOnly.__setstate__(data, {**fields, "population": population, "names": names})
    return data
