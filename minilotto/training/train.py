"""train: from Config and seeds to an Ensemble, after every setting has been checked."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.data.checks import check_resolution
from minilotto.data.dataset import Dataset, check_labels, given, sampled
from minilotto.engines.request import Request, requested
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import ConfigError, DataError, ResourceError, shown
from minilotto.hardware.machine import available_memory, readable_bytes, usable_cores
from minilotto.initialisation import parameter_count
from minilotto.settings.arrays import array_of, is_list
from minilotto.settings.config import Config, checked_config
from minilotto.settings.limits import listed
from minilotto.settings.numbers import truth_value, whole_number
from minilotto.settings.tasks import CUSTOM, Task, task_of
from minilotto.training.going_on import (
    Course,
    check_same_data,
    check_same_seeds,
    course_of,
    own_data,
)
from minilotto.training.progress import Reporter, TrainingBar

if TYPE_CHECKING:
    from minilotto.engines.choice import Candidate
    from minilotto.engines.interface import Engine

AUTO = Request("auto")


class _Default(int):
    """A default that differs from an equal number that was given."""


SEEDS = _Default(1000)


def train(
    config: Config,
    seeds: int | Iterable[int] = SEEDS,
    *,
    data: Dataset | tuple[ArrayLike, ...] | None = None,
    target: Task | Callable[[NDArray[np.float64]], NDArray[Any]] | None = None,
    backend: str = "auto",
    engine: str = "auto",
    compress: bool | int = True,
    checkpoints: Sequence[int] | None = None,
    threads: int | None = None,
    progress: bool = False,
    start: Ensemble | None = None,
    keep: Sequence[int] = (),
    state: bool = False,
) -> Ensemble:
    """Train one network for each seed, from its own initial parameters, all on the same data.

    The result of a seed depends on config, data and seed alone, bit for bit on one machine: not on
    the other seeds, on threads or on checkpoints.

    Parameters
    ----------
    config : Config
        The training protocol.
    seeds : int or iterable of int
        R for the seeds 0, ..., R - 1, or distinct whole numbers such as range(1000, 2000). Left
        out, those of `start`, if there is one.
    data : Dataset, tuple of arrays or None
        (x, y) or (x, y, weight) to fit instead of config.task: x (P,) or (P, D), y (P,),
        weight (P,).
    target : Task, callable or None
        A task, or a function from x (P, 1) to y (P,) on [-2, 2], to fit instead of config.task.
    backend : {"auto", "cpu", "cuda", "reference"}
        "cpu": the vector kernels; "cuda": an NVIDIA GPU; "auto": the GPU where there is one and the
        training is long enough; "reference": plain NumPy, slow and independent.
    engine : {"auto", "lanes", "wide", "compressed", "exact"}
        "auto" takes the one of least estimated cost; see `Ensemble.engine` and `Ensemble.reason`.
    compress : bool or int
        True: train on as few nodes as give the same loss and gradient, where that is cheaper;
        False: on all points; a number: on so many nodes.
    checkpoints : sequence of int or None
        Steps at which the history records losses; by default 0, 1, 2, 5, 10, ... and the last.
    threads : int or None
        Number of threads; by default all cores that this process may use.
    progress : bool
        Show a bar on stderr.
    start : Ensemble or None
        Nets to go on from, at `start.step`, to config.steps. Their config may have had other steps,
        rates, optimiser and batch. With `start.state` the result is that of one training under
        config, bit for bit, if that had the same rates, constants and engine so far; without, the
        optimiser's moments start from zero, as `provenance` says.
    keep : sequence of int
        Steps at which the nets are kept as well, in `Ensemble.kept`.
    state : bool
        Keep the optimiser's state too, in `Ensemble.state` and in files.

    Returns
    -------
    Ensemble
        The trained nets, in the order of seeds.

    Raises
    ------
    ConfigError, DataError
        For settings or data that cannot be trained.
    ResourceError
        For more than fits in memory, and for a GPU that cannot be used.
    TrainingInterrupted
        On Ctrl-C, a KeyboardInterrupt with the seeds that were done.

    Examples
    --------
    >>> nets = train(Config(width=2, steps=100), seeds=3)
    >>> nets.loss.shape, nets.w.shape
    ((3,), (3, 2, 1))

    >>> nets = train(Config(width=2, steps=100), seeds=3, state=True)
    >>> longer = train(Config(width=2, steps=300), start=nets, keep=[200])
    >>> longer.kept[200].step, longer.provenance["moments"]
    (200, 'those of the nets')
    """
    dataset = own_data(config, start) if data is None and target is None else None
    if dataset is None:
        config, dataset = what_to_fit(config, data, target)
    request, course = requested(backend, engine, compress), course_of(config, start, keep, state)
    job = prepare(config, seeds, request, dataset, checkpoints, threads, course)
    return job.run(progress)


@dataclass(frozen=True, eq=False)
class Job:
    """A training whose settings have all been checked."""

    config: Config
    data: Dataset
    seeds: NDArray[np.int64]
    checkpoints: NDArray[np.int64]
    threads: int
    choice: "Candidate"
    reason: str
    course: Course

    def run(self, progress: bool = False) -> Ensemble:
        """Train; see `train`."""
        progress = truth_value("progress", progress)
        count = len(self.seeds)
        depth = f", depth {self.config.depth}" * (self.config.depth > 1)
        title = f"{count} x width {self.config.width}{depth}"
        steps = self.config.steps - self.course.first
        engine = self.choice.make(self.threads)  # refuses data out of reach: before a bar is drawn
        with closing(TrainingBar(progress, count * steps, title)) as bar:
            return self.run_reporting(bar, engine)

    def run_reporting(self, report: Reporter, engine: "Engine | None" = None) -> Ensemble:
        """Train, and tell `report` how far the training is."""
        from minilotto.training.loop import run

        engine = engine or self.choice.make(self.threads)
        return run(engine, self.seeds, self.checkpoints, self.reason, report, self.course)


def prepare(
    config: Config,
    seeds: int | Iterable[int] = SEEDS,
    request: Request = AUTO,
    data: Dataset | None = None,
    checkpoints: Sequence[int] | None = None,
    threads: int | None = None,
    course: Course | None = None,
) -> Job:
    """Check all that `train` takes and choose the engine; `data` by default those of the config.

    Raises what `train` raises, before anything is trained.
    """
    dataset = _sampled(config) if data is None else data
    if config.loss == "logistic":
        check_labels(dataset.y)
    _refuse_what_squares_overflow(config, dataset)
    course = course or Course()
    start = course.start
    if seeds is SEEDS and start is not None:
        seeds = start.seeds
    seed_array = seeds_of(seeds)
    steps = checkpoint_steps(config.steps, checkpoints)
    if start is not None:
        check_same_data(start, dataset)
        check_same_seeds(start, seed_array)
        steps = steps[steps > start.step]
    count = thread_count(threads)
    sets = (1 + len(course.keep)) * (6 if course.state else 1)
    _refuse_what_cannot_fit(config, dataset.inputs, len(seed_array), len(steps), sets)
    # Imported last, so that `import minilotto` stays light and whatever is refused above is refused
    # at once.
    from minilotto.engines.choice import choose
    from minilotto.hardware.threads import most_threads

    choice, reason = choose(config, dataset, request)
    cores = min(count, most_threads())
    return Job(config, dataset, seed_array, steps, cores, choice, reason, course)


def thread_count(threads: int | None, default: int | None = None) -> int:
    """Number of threads; without one `default`, or all usable cores. Raises ConfigError."""
    if threads is None:
        return default or usable_cores()
    return whole_number("threads", threads, at_least=1)


def _refuse_what_squares_overflow(config: Config, data: Dataset) -> None:
    largest = float(np.sqrt(np.finfo(config.dtype).max))
    for name, values in (("x", data.x), ("y", data.y)):
        if np.abs(values).max(initial=0.0) > largest:
            place = tuple(int(i) for i in np.argwhere(np.abs(values) > largest)[0])
            raise DataError(
                f"{name}{list(place)} = {values[place]:g} is too large for "
                f"dtype={config.dtype!r}, where squares end at {largest:.2g}^2; give {name} in "
                "other units"
            )


def what_to_fit(config: Config, data: Any, target: Any = None) -> tuple[Config, Dataset]:
    """The data to train on, and the config of such data."""
    checked_config(config)
    if data is not None and target is not None:
        raise ConfigError("both data and target are given; pass one of them")
    if data is not None:
        dataset = _resolved(config, data if isinstance(data, Dataset) else _given(data))
        _refuse_beside("data of your own", config, ("task", "sampling"))
        # the config of nets that were trained on such data has their number of points
        if config.sampling != CUSTOM and config.points != dataset.points:
            _refuse_beside("data of your own", config, ("points",))
        changes: dict[str, Any] = {"task": CUSTOM, "sampling": CUSTOM, "points": dataset.points}
        return config.replace(**changes), dataset
    if target is None:
        return config, _sampled(config)
    if not callable(target):
        raise ConfigError(
            f"target={shown(target)} is no function; pass a Task or a function of x (P, 1)"
        )
    _refuse_beside("a target of your own", config, ("task",))
    task = target if isinstance(target, Task) else Task("target", "f(x)", "f(x)", target)
    if task.examples is not None:
        raise ConfigError(
            f"target {task.name!r} is a set of examples; register it (register_task) and name "
            "it in Config(task=)"
        )
    return config.replace(task=CUSTOM), _sampled(config, task)


def _refuse_beside(what: str, config: Config, fields: tuple[str, ...]) -> None:
    """Refuse fields of the config that what is given in their place would silently overrule."""
    for name in fields:
        value = getattr(config, name)
        if value not in (CUSTOM, getattr(Config, name)):
            raise ConfigError(
                f"{name}={value!r} means nothing to {what}; leave {name} out of the Config"
            )


def _given(data: Any) -> Dataset:
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise ConfigError(f"data is a {type(data).__name__}; pass (x, y) or (x, y, weight)")
    return given(*data)


def _sampled(config: Config, task: Task | None = None) -> Dataset:
    """`sampled`, unless the points would not fit in memory."""
    if config.sampling not in ("population", "examples"):
        inputs = (task or task_of(config.task)).inputs
        _refuse_beyond_memory(8 * config.points * (4 * inputs + 4), f"{config.points} points")
    return _resolved(config, sampled(config, task))


def _resolved(config: Config, data: Dataset) -> Dataset:
    for name, values in (("x", data.x), ("y", data.y)):
        check_resolution(name, values, config.dtype)
    return data


def seeds_of(seeds: Any) -> NDArray[np.int64]:
    """Seeds as an array (R,): 0, ..., R - 1 for R, or the distinct whole numbers given.

    Raises ConfigError, and ResourceError for more than fit in memory.
    """
    if isinstance(seeds, range):
        _refuse_beyond_memory(16 * len(seeds), f"{len(seeds)} seeds")
        array = np.arange(seeds.start, seeds.stop, seeds.step)
    elif is_list(seeds):
        numbers = isinstance(seeds, np.ndarray) and seeds.dtype != object
        seeds = seeds if numbers or isinstance(seeds, Sequence) else listed("seeds", seeds)
        try:
            array = array_of("seeds", seeds)
        except DataError as error:
            raise ConfigError(f"{shown(seeds)} are no list of seeds ({error})") from None
    else:
        count = whole_number("seeds", seeds, at_least=1, below=2**48)
        _refuse_beyond_memory(16 * count, f"{count} seeds")
        return np.arange(count)
    if array.ndim != 1 or array.size == 0:
        raise ConfigError(
            f"seeds of shape {array.shape} are no seeds; give a number, a range or a list with at "
            "least one seed"
        )
    if array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= 2**48:
        whole = (int, np.integer)
        wrong = (seed for seed in seeds if not isinstance(seed, whole) or not 0 <= seed < 2**48)
        raise ConfigError(
            f"seed {shown(next(wrong, array[0]))} is none; seeds are whole numbers of at least 0 "
            "and below 2^48, in a range or a list"
        )
    distinct, counts = np.unique(array, return_counts=True)
    if distinct.size < array.size:
        raise ConfigError(f"seed {distinct[counts > 1][0]} is given twice; give each once")
    return array.astype(np.int64)


def checkpoint_steps(steps: int, checkpoints: Sequence[int] | None = None) -> NDArray[np.int64]:
    """Ascending steps at which history records losses; by default 0, 1, 2, 5, 10, 20, 50, ...

    The last step is always one. Raises ConfigError for one that is no whole number up to `steps`.

    >>> checkpoint_steps(70).tolist()
    [0, 1, 2, 5, 10, 20, 50, 70]
    """
    if checkpoints is None:
        powers = (10**k for k in range(len(str(steps))))
        chosen = {0, *(m * power for power in powers for m in (1, 2, 5) if m * power < steps)}
    else:
        given = listed("checkpoints", checkpoints)
        chosen = {whole_number("checkpoint", step, at_least=0, below=steps + 1) for step in given}
    return np.array(sorted(chosen | {steps}), dtype=np.int64)


def _refuse_what_cannot_fit(
    config: Config, inputs: int, count: int, checkpoints: int, sets: int
) -> None:
    """Counts what is kept, and once more while it is checked; the loop limits its batches."""
    per_net = 2 * sets * parameter_count(config, inputs) * np.dtype(config.dtype).itemsize + 8 * (
        checkpoints + 6
    )
    depth = f" and depth {config.depth}" * (config.depth > 1)
    _refuse_beyond_memory(count * per_net, f"{count} seeds of width {config.width}{depth}")


def _refuse_beyond_memory(needed: int, what: str) -> None:
    free = available_memory()
    if needed > free:
        raise ResourceError(
            f"{what} need about {readable_bytes(needed)} of memory and {readable_bytes(free)} is "
            "free; train fewer at a time"
        )
