"""What every engine offers, and the schedule that all follow."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from minilotto.config import Config
from minilotto.initial import Parameters


class State(NamedTuple):
    """Everything that a training needs to go on: parameters, and Adam's first and second moments in the same shapes."""

    parameters: Parameters
    first: Parameters
    second: Parameters


class Engine(Protocol):
    """Holds the state of one wave of nets: parameters and Adam's moments."""

    name: str
    lanes: int

    def start(self, parameters: Parameters) -> None:
        """Take these nets, with Adam's moments at zero."""

    def advance(self, first: int, count: int) -> None:
        """Do steps first, first + 1, ..., first + count - 1 (from 0)."""

    def parameters(self) -> Parameters:
        """The nets as they are now, in the training dtype."""

    def bytes_per_net(self) -> int:
        """Working memory that one net of a wave takes."""


def adam_schedule(config: Config, first: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """rates (count,) = lr_t / (1 - beta1^(t+1)) and corrections (count,) = 1 / sqrt(1 - beta2^(t+1)), t = first, first + 1, ..."""
    step = np.arange(first, first + count)
    rates = config.lr * config.lr_decay ** (step // config.lr_decay_every)
    return rates / (1.0 - config.beta1 ** (step + 1)), 1.0 / np.sqrt(1.0 - config.beta2 ** (step + 1))
