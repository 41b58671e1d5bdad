"""What every engine offers, and the schedule that all follow."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.initialisation import Parameters
from minilotto.settings.activations import activation_of
from minilotto.settings.config import Config


class State(NamedTuple):
    """Everything that a training needs to go on: parameters, and Adam's first and second moments in
    the same shapes.
    """

    parameters: Parameters
    first: Parameters
    second: Parameters


class Engine(ABC):
    """Holds one wave of nets, parameters and Adam's moments, and carries it forward."""

    name: str
    lanes: int = 1  # seeds that share a vector; a wave should be a multiple of it
    audits: tuple[int, ...] = ()  # steps after which `audit` wants to be called

    def __init__(self, config: Config, data: Dataset, threads: int) -> None:
        self.config, self.data, self.threads = config, data, threads
        self.activation = activation_of(config.activation, config.negative_slope)

    @abstractmethod
    def start(self, parameters: Parameters) -> None:
        """Take these nets, with Adam's moments at zero."""

    @abstractmethod
    def advance(self, first: int, count: int) -> None:
        """Do steps first, first + 1, ..., first + count - 1 (from 0). Cutting a stretch in two
        changes no bit.
        """

    @abstractmethod
    def parameters(self) -> Parameters:
        """The nets as they are now, in the training dtype."""

    @abstractmethod
    def bytes_per_net(self) -> int:
        """Working memory that one net of a wave takes."""

    def nets_per_wave(self) -> int | None:
        """Nets to train from start to end before the next ones; None lets cores and memory decide."""
        return None

    def audit(self, step: int) -> None:
        """Check the nets after `step` steps, and repeat what went wrong."""
        return None

    def points_per_step(self) -> int:
        """Points that a step of one net costs, about."""
        return self.data.points

    def losses(self, final: bool) -> NDArray[np.float64]:
        """Losses of the nets as they are now, in float64: (R,). `final` asks for more care than
        history needs.
        """
        from minilotto.engines.evaluate import losses

        return losses(self.activation, self.parameters(), self.data, self.config.loss)

    def effort(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Points that each step of each net uses (R,), and the worst difference that an audit has
        seen (R,), NaN without audits.
        """
        count = len(self.parameters().c)
        return np.full(count, self.data.points), np.full(count, np.nan)


def adam_schedule(
    config: Config, first: int, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """rates (count,) = lr_t / (1 - beta1^(t+1)) and corrections (count,) = 1 / sqrt(1 -
    beta2^(t+1)), t = first, first + 1, ...
    """
    step = np.arange(first, first + count)
    rates = config.lr * config.lr_decay ** (step // config.lr_decay_every)
    return rates / (1.0 - config.beta1 ** (step + 1)), 1.0 / np.sqrt(
        1.0 - config.beta2 ** (step + 1)
    )
