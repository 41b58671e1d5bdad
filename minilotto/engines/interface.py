"""What every engine offers, and the schedule that all follow."""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.engines.packing import pack, unpack
from minilotto.engines.state import Audited, Kept, State, states_joined
from minilotto.hardware.threads import Work
from minilotto.initialisation import Parameters
from minilotto.kernels.spec import Spec
from minilotto.kernels.structures import Nets, Schedule
from minilotto.settings.activations import Reals, activation_of
from minilotto.settings.arrays import powers
from minilotto.settings.config import Config

STEPWISE = ("lr", "adam_rate", "correction")  # arrays of a Schedule
# Of a schedule: computed at once and kept, with as many more, for all chunks and engines there.
KEPT_STEPS = 2**15


class Engine(ABC):
    """Trains one batch of nets on given data, a chunk of steps at a time.

    Parameters
    ----------
    config : Config
        Width, activation, loss, precision, optimiser and schedule.
    data : Dataset
        Weighted points.
    threads : int
        Threads to use at most. Results do not depend on it.

    Attributes
    ----------
    name : str
        As `Ensemble.engine` reports it.
    lanes : int
        Seeds that share a vector; a batch should be a multiple of it.
    fewer_nodes : bool
        Whether fewer nodes than trainings begin with save time, though they divide nets.
    audits : tuple of int
        Steps after which `audit` has to be called.
    seeds : (R,) array of int64
        Those of the nets, in their order, given before `start` or `resume`: where batches are
        drawn, by them.
    since : int
        The step before which the optimiser's m and s are zero, given before `start` or `resume`.
    before : Audited or None
        Where the nets were at the audit before the last, if going on from here may need it.
    """

    name: str
    lanes: int = 1
    fewer_nodes: bool = True
    audits: tuple[int, ...] = ()
    seeds: NDArray[np.int64]
    since: int = 0
    before: Audited | None = None

    def __init__(self, config: Config, data: Dataset, threads: int) -> None:
        self.config, self.data, self.threads = config, data, threads
        self.activation = activation_of(config.activation, config.negative_slope)

    def start(self, parameters: Parameters) -> None:
        """Take these nets, with the optimiser's m and s at zero."""
        zeros = Parameters(*(np.zeros_like(array) for array in parameters))
        self.resume(State(parameters, zeros, zeros))

    @abstractmethod
    def resume(self, state: State) -> None:
        """Continue from a state that `state` gave, of any seeds in any order."""

    def go_on(self, now: Audited, before: Audited | None = None) -> None:
        """Continue from nets of another training: `now`, and `before` if its steps were alike."""
        self.resume(now.state)

    @abstractmethod
    def state(self) -> State:
        """Copies of the parameters, in the training dtype, and of the optimiser's m and s."""

    def snapshot(self) -> Kept:
        """The state as it is now."""
        return self.state()

    def rows(self, places: NDArray[np.intp]) -> State:
        """The state of some of the nets, as copies."""
        return self.state().rows(places)

    def take(self, parts: Sequence[tuple[Kept, NDArray[np.intp]]]) -> None:
        """Go on with nets of others, or of this engine: those at these places of each."""
        self.resume(states_joined([kept.rows(places) for kept, places in parts]))

    @abstractmethod
    def advance(self, first: int, count: int) -> None:
        """Do `count` steps from `first` (from 0) on. Cutting a chunk in two changes no bit."""

    def work(self, first: int, count: int) -> Work | None:
        """What `advance` gives to threads, if it is one Work, of these steps as soon as it is
        asked for: several engines then share them.
        """
        return None

    @abstractmethod
    def bytes_per_net(self) -> int:
        """Working memory that one net of a batch takes."""

    def parameters(self) -> Parameters:
        """Copies of the parameters, in the training dtype."""
        return self.state().parameters

    def nets_per_batch(self) -> int | None:
        """Nets to train from start to end before the next ones; None: as cores and memory allow."""
        return None

    def audit(self, step: int) -> None:
        """Check the nets after `step` steps, and repeat steps where the check fails."""
        return None

    @contextmanager
    def aside(self, step: int) -> Iterator[None]:
        """Within the block, after `step` steps, the nets are as a training that ends there would
        leave them; later steps do not notice.
        """
        yield

    def points_per_step(self) -> int:
        """Points that a step of one net costs, about."""
        return self.config.batch or self.data.points

    def losses(self, final: bool) -> NDArray[np.float64]:
        """Losses of the nets, in float64: (R,). `final`: more accurate than history needs."""
        task = self.data.population
        # The nodes of a population resolve no kinks.
        if task is not None and self.activation.kinks and self.data.inputs == 1:
            from minilotto.engines.population import population_losses

            nets, config = self.parameters(), self.config
            return population_losses(self.activation, nets, task, config.loss, config.residual)
        return self.losses_on(self.data)

    def losses_on(self, data: Dataset) -> NDArray[np.float64]:
        """The same on other points."""
        from minilotto.engines.evaluate import losses

        config, nets = self.config, self.parameters()
        return losses(self.activation, nets, data, config.loss, config.residual, self.threads)

    def differences(self, data: Dataset) -> NDArray[np.float64] | None:
        """What an audit finds between the engine's points and `data`, if the engine computes it
        itself: (R,). What is not finite, or None, is left to `CompressedEngine`.
        """
        return None

    def effort(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Points that each step of each net uses (R,), and the largest difference that an audit
        found (R,), NaN without audits.
        """
        count = len(self.parameters().c)
        return np.full(count, self.config.batch or self.data.points), np.full(count, np.nan)


class KernelEngine(Engine):
    """An engine whose nets are arrays of the kernel for `spec`, packed with one lane a seed."""

    spec: Spec

    def resume(self, state: State) -> None:
        self.count = len(state.parameters.c)
        self.nets = Nets(*(self._packed(one) for one in state))

    def state(self) -> State:
        return State(*(self._unpacked(theta) for theta in self.nets))

    def snapshot(self) -> Kept:
        kept = copy.copy(self)
        kept.nets = Nets(*(array.copy() for array in self.nets))
        return kept

    def parameters(self) -> Parameters:
        return self._unpacked(self.nets.theta)

    def _packed(self, parameters: Parameters) -> Reals:
        return pack(self.spec, parameters)

    def _unpacked(self, theta: Reals) -> Parameters:
        return unpack(self.spec, theta, self.count, self.config.width)


def _weight_of_gradients(beta: float, steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 - beta^steps, of ascending steps. From `last` steps on that is 1 to the last bit."""
    last = 1 - int(60.0 / math.log2(beta)) if beta > 0.0 else 1
    weight = np.ones(len(steps))
    few = int(np.searchsorted(steps, last))
    weight[:few] -= powers(beta, steps[:few])
    return weight


def schedule_of(config: Config, first: int, count: int, since: int) -> Schedule:
    """Steps first, first + 1, ..., first + count - 1, from 0; `since` as in `Engine`."""
    start = max(first - first % KEPT_STEPS, since)
    stop = max(first + count, min(start + 2 * KEPT_STEPS, config.steps))
    kept = _schedule(config, start, stop - start, since)
    part = slice(first - start, first - start + count)
    return kept._replace(**{name: getattr(kept, name)[part] for name in STEPWISE})


@lru_cache(maxsize=4)
def _schedule(config: Config, first: int, count: int, since: int) -> Schedule:
    step = np.arange(first, first + count)
    with np.errstate(over="ignore"):  # a rate without limit makes nets diverge, which is reported
        rates = config.rate(step)
        adam_rates = rates / _weight_of_gradients(config.beta1, step + 1 - since)
    return Schedule(
        rates,
        adam_rates,
        1.0 / np.sqrt(_weight_of_gradients(config.beta2, step + 1 - since)),
        config.beta1,
        config.beta2,
        config.epsilon,
        config.momentum,
        config.weight_decay,
        config.subnormals == "flush",
    )
