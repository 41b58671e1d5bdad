"""The paper's work at one width, what a contestant must be able to do with it, and minilotto as a
contestant.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset, sampled
from minilotto.engines.compressed import CompressedEngine
from minilotto.engines.evaluate import losses
from minilotto.engines.interface import Engine, schedule_of
from minilotto.engines.lanes import LaneEngine
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.settings.config import Config


@dataclass(frozen=True)
class Work:
    """R nets of one Config, to be trained by full-batch Adam on `threads` threads."""

    config: Config
    seeds: int
    threads: int
    first: int = 0  # seed

    @cached_property
    def data(self) -> Dataset:
        return sampled(self.config)

    @cached_property
    def parameters(self) -> Parameters:
        """Initial w (R, N, 1), b (R, N), v (R, N), c (R,), float32."""
        return initial_parameters(self.config, 1, self.first + np.arange(self.seeds))

    @cached_property
    def schedule(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """adam_rate and correction (steps,) of `kernels.structures.Schedule`."""
        schedule = schedule_of(self.config, 0, self.config.steps)
        return schedule.adam_rate, schedule.correction

    @property
    def units(self) -> int:
        """One unit is one neuron at one point in one step of one seed, forward and backward; this
        many make a step.
        """
        return self.seeds * self.config.width * self.data.points


class Contestant(Protocol):
    """Trains the nets of one Work. Contestants of one family are ways of one library; its fastest
    is the opponent.
    """

    family: str
    way: str

    def start(self) -> None:
        """Back to the initial parameters, moments at zero."""

    def advance(self, steps: int) -> None:
        """Do so many more steps, and return when they are done."""

    def parameters(self) -> Parameters:
        """The nets as they are now, as NumPy arrays."""

    def first_moment(self) -> Parameters:
        """Adam's first moment, shaped as the parameters. After one step it is (1 - beta1) times the
        first gradient.
        """

    def losses(self) -> NDArray:
        """Mean squared errors (R,) of the present nets, by this library's own forward pass."""


class Minilotto:
    """The lanes engine on every point of the data, as its peers."""

    family = "minilotto"

    def __init__(self, work: Work) -> None:
        self.work = work
        self.engine: Engine = LaneEngine(work.config, work.data, work.threads)
        self.way = f"{self.engine.lanes} lanes"

    def start(self) -> None:
        self.engine.start(self.work.parameters)
        self._done = 0

    def advance(self, steps: int) -> None:
        self.engine.advance(self._done, steps)
        self._done += steps

    def parameters(self) -> Parameters:
        return self.engine.parameters()

    def first_moment(self) -> Parameters:
        return self.engine.state().m

    def losses(self) -> NDArray:
        return losses(self.engine.activation, self.engine.parameters(), self.work.data)


class AsTrained(Minilotto):
    """What `minilotto.train` does by itself: the same nets on as few nodes as give the same
    gradient.

    Its units are those of all points, which it stands for. Audits, some percent of a whole
    training, are not in its steps.
    """

    family = "train"

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.engine = CompressedEngine(work.config, work.data, work.threads)
        self.way = self.engine.name
