"""Dataset: the weighted points that a training fits."""

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.errors import ConfigError, DataError, FileError
from minilotto.settings.config import Config
from minilotto.settings.streams import stream
from minilotto.settings.tasks import CUSTOM, Task, task_of


@dataclass(frozen=True, eq=False)
class Dataset:
    """Points x (P, D), targets y (P,), weights (P,) that sum to one; float64, read-only.

    The loss is sum_p weight_p (f(x_p) - y_p)^2 + offset. The offset is zero for data as given;
    compression puts there what no smooth function could fit, and may leave weights below zero.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    weight: NDArray[np.float64]
    offset: float = 0.0
    population: Task | None = (
        None  # the task whose infinitely many points these are the quadrature of
    )

    @property
    def points(self) -> int:
        return self.x.shape[0]

    @property
    def inputs(self) -> int:
        return self.x.shape[1]


def given(x: Any, y: Any, weight: Any = None) -> Dataset:
    """A Dataset from the caller's arrays: x (P,) or (P, D), y (P,), weight (P,) of any positive
    sum, or None for equal weights.

    Raises DataError for wrong shapes, integer or complex dtypes, NaN or infinity, negative or
    all-zero weights.

    >>> given(np.linspace(0, 1, 3), np.zeros(3), weight=np.array([1.0, 2.0, 1.0])).weight.tolist()
    [0.25, 0.5, 0.25]
    """
    x, y = _floating("x", x), _floating("y", y)
    if x.ndim not in (1, 2) or 0 in x.shape:
        raise DataError(
            f"x has shape {x.shape}; it must be (P,) or (P, D) with at least one point and one "
            "input"
        )
    if y.shape != x.shape[:1]:
        raise DataError(f"y has shape {y.shape} where x has {x.shape}; it must be ({x.shape[0]},)")
    weight = np.ones(len(y)) if weight is None else _floating("weight", weight)
    if weight.shape != y.shape:
        raise DataError(
            f"weight has shape {weight.shape} where y has {y.shape}; give one weight a point"
        )
    with np.errstate(over="ignore"):
        total = weight.sum()
    if (weight < 0).any() or not 0 < total < np.inf:
        raise DataError(
            f"weight has minimum {weight.min()} and sum {total}; weights are at least 0 with a "
            "finite positive sum"
        )
    return frozen(x.reshape(len(y), -1), y, weight / total)


def check_labels(y: NDArray) -> None:
    """Raises DataError for labels other than 0 and 1, which the logistic loss takes."""
    wrong = np.flatnonzero((y != 0) & (y != 1))
    if wrong.size:
        raise DataError(
            f"y[{wrong[0]}] = {y[wrong[0]]:g} is no label; loss='logistic' takes 0 and 1 (or use "
            "loss='squared')"
        )


def sampled(config: Config, task: Task | None = None) -> Dataset:
    """The points of config.sampling on the task's domain, with their targets; `task` defaults to
    config.task.

    y_p = task(x_p) + noise z_p, with z_p of the normal distribution; the first P of z_1, z_2, ...
    are the same whatever P, the points, the noise and the task are. For sampling="population" these
    are the nodes of `population_rule`, for "examples" the training part of `examples_of`.

    Raises ConfigError when a grid of D inputs is asked for a number of points that is no D-th
    power.
    """
    task = task_of(config.task) if task is None else task
    if config.sampling == "examples":
        return examples_of(task).training
    low, high = np.array(task.domain, dtype=np.float64).T
    inputs, points = task.inputs, config.points
    if config.sampling == "population":
        return population_rule(task)
    if config.sampling == CUSTOM:
        raise ConfigError("sampling='custom' stands for data of your own; pass data= to train")
    if config.sampling == "grid":
        per_axis = round(points ** (1 / inputs))
        if per_axis**inputs != points:
            below, above = (
                int(points ** (1 / inputs)) ** inputs,
                (int(points ** (1 / inputs)) + 1) ** inputs,
            )
            raise ConfigError(
                f"points={points} makes no grid of {inputs} inputs; use points={below}, "
                f"points={above} or sampling='uniform'"
            )
        axes = [
            np.linspace(a, b, per_axis) if per_axis > 1 else np.array([(a + b) / 2])
            for a, b in task.domain
        ]
        x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(points, inputs)
    else:
        unit = stream(config.root_seed, f"points {inputs}", 0, points * inputs).reshape(
            points, inputs
        )
        x = low + (high - low) * unit
    y = task(x)
    if config.noise:
        from scipy.special import ndtri

        y = y + config.noise * ndtri(stream(config.root_seed, "label noise", 0, points))
    return frozen(x, y, np.full(points, 1.0 / points))


class Split(NamedTuple):
    """A task's examples: those to train on, and those held out."""

    training: Dataset
    held_out: Dataset


@lru_cache(maxsize=16)
def examples_of(task: Task) -> Split:
    """The examples of a task that is a set of them, equally weighted within each part.

    Raises ConfigError for another task, DataError for examples that are not what the task says,
    MissingExtraError for a package.
    """
    if task.examples is None:
        raise ConfigError(
            f"task {task.name!r} is a function and holds out no examples; evaluate it where you "
            "like"
        )
    found = task.examples()
    training, held_out = given(found.x, found.y), given(found.held_out_x, found.held_out_y)
    if (training.points, training.inputs) != task.shape or held_out.inputs != training.inputs:
        raise DataError(
            f"the examples of task {task.name!r} have shapes {training.x.shape} and "
            f"{held_out.x.shape}, where its shape is "
            f"{task.shape}; make them agree"
        )
    return Split(training, held_out)


RULE_NODES = {1: 256, 2: 48, 3: 24}  # by number of inputs: nodes along each axis, between kinks
QUADRATURE_INPUTS = max(RULE_NODES)


def population_rule(task: Task, nodes: int | None = None) -> Dataset:
    """Uniform x on the task's domain in the limit of infinitely many points: a Gauss-Legendre rule,
    a tensor product for D > 1.

    `nodes` along each axis (default RULE_NODES); one input is split at the task's kinks. Loss and
    gradient are exact for functions that are polynomials of degree below `nodes` on each part.
    Raises ConfigError for more inputs than are affordable.

    >>> from minilotto.settings.tasks import TASKS
    >>> rule = population_rule(TASKS["square"], nodes=3)
    >>> round(float(rule.weight @ rule.y), 12)
    1.333333333333
    """
    if task.inputs > QUADRATURE_INPUTS:
        raise ConfigError(
            f"sampling='population' is out of reach for {task.inputs} inputs; it takes up to "
            f"{QUADRATURE_INPUTS}, "
            "use sampling='uniform' with many points"
        )
    axes = []
    for low, high in task.domain:
        edges = np.unique([low, *task.kinks, high])
        axes.append(gauss_legendre(edges, nodes or RULE_NODES[task.inputs]))
    x = np.stack(np.meshgrid(*(at for at, _ in axes), indexing="ij"), axis=-1).reshape(
        -1, task.inputs
    )
    weight = np.ones(1)
    for _, rule in axes:
        weight = np.outer(weight, rule).ravel()
    nodes_of_rule = frozen(x, task(x), weight / weight.sum())
    return dataclasses.replace(nodes_of_rule, population=task)


_leggauss = lru_cache(maxsize=16)(
    np.polynomial.legendre.leggauss
)  # an eigenvalue problem, where many nets ask for the same rule


def gauss_legendre(
    edges: NDArray[np.float64], nodes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights of a composite rule with `nodes` in each interval between consecutive edges
    (E,).
    """
    at, rule = _leggauss(nodes)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * at).ravel(), (half[:, None] * rule).ravel()


def read_dataset(path: str | Path) -> Dataset:
    """A Dataset from a file: .npz with arrays x, y and perhaps weight, or .csv with a header such
    as `x1,x2,y,weight`.

    Raises FileError when it cannot be read, DataError for what is in it.
    """
    path = Path(path)
    try:
        if path.suffix == ".npz":
            # np.load(path) would leave the file open where the archive is damaged.
            with open(path, "rb") as binary, np.load(binary, allow_pickle=False) as arrays:
                columns = {
                    name: arrays[name] for name in arrays.files if name in ("x", "y", "weight")
                }
            columns = {
                "x": columns.get("x"),
                "y": columns.get("y"),
                "weight": columns.get("weight"),
            }
        elif path.suffix == ".csv":
            with open(path, encoding="utf-8") as file:
                names = [name.strip() for name in file.readline().split(",")]
                rows = [line for line in file if line.strip()]
            if not rows:
                raise DataError(
                    f"{path} has no row of numbers; give a header such as x1,x2,y,weight and a "
                    "row a point"
                )
            table = np.loadtxt(rows, delimiter=",", ndmin=2)
            if table.size == 0 or table.shape[1] != len(names):
                raise DataError(
                    f"{path} has {len(names)} names in its header and {table.shape} numbers; give "
                    "one column a name"
                )
            inputs = [i for i, name in enumerate(names) if name not in ("y", "weight")]
            columns = {
                "x": table[:, inputs] if inputs else None,
                "y": table[:, names.index("y")] if "y" in names else None,
                "weight": table[:, names.index("weight")] if "weight" in names else None,
            }
        else:
            raise FileError(f"{path} is neither .npz nor .csv; data files are one of these")
    except (FileError, DataError):
        raise
    except (
        Exception
    ) as error:  # a damaged archive raises whatever zipfile, zlib and NumPy make of it
        raise FileError(
            f"{path} cannot be read as data ({error}); give an .npz with x and y, or a .csv with "
            "a header"
        ) from None
    if columns["x"] is None or columns["y"] is None:
        raise DataError(f"{path} has no x or no y; name the columns as in x1,x2,y,weight")
    return given(columns["x"], columns["y"], columns["weight"])


def _floating(name: str, values: Any) -> NDArray[np.float64]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"{name} is no array ({error}); pass rows of equal length") from None
    if array.dtype not in (np.float32, np.float64):
        raise DataError(
            f"{name} has dtype {array.dtype}; pass float32 or float64, as in {name}.astype(float)"
        )
    if not np.isfinite(array).all():
        raise DataError(
            f"{name} holds NaN or infinity at index "
            f"{np.argwhere(~np.isfinite(array))[0].tolist()}; remove it first"
        )
    return array.astype(np.float64)


def frozen(
    x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64], offset: float = 0.0
) -> Dataset:
    """The Dataset of these arrays, which become read-only."""
    for array in (x, y, weight):
        array.setflags(write=False)
    return Dataset(x, y, weight, offset)
