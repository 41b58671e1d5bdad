"""Engines: what can carry a wave of nets forward by some steps. `train` chooses one and knows nothing else about them."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from minilotto.activations import activation_of
from minilotto.config import Config
from minilotto.dataset import Dataset
from minilotto.initial import Parameters
from minilotto.kernels import narrow
from minilotto.kernels.evaluate import kind_of
from minilotto.kernels.layout import aligned, pack, rows_of, training_arrays, unpack, workspace_size
from minilotto.kernels.parallel import run_blocks


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


class LaneEngine:
    """Explicit vectors, one lane a seed, blocks over threads."""

    name = "lanes"

    def __init__(self, config: Config, data: Dataset, threads: int, lanes: int | None = None) -> None:
        self.config = config
        self.threads = threads
        self.activation = activation_of(config.activation, config.negative_slope)
        self.kind = kind_of(self.activation, config.dtype, data.inputs, lanes)
        self.lanes = self.kind.lanes
        self.arrays = training_arrays(data, config.dtype)
        self.constants = (config.beta1, config.beta2, config.epsilon)

    def start(self, parameters: Parameters) -> None:
        self.nets = len(parameters.c)
        self.theta = pack(self.kind, parameters)
        shape = self.theta.shape
        self.first, self.second, self.gradient = (aligned(shape, self.config.dtype) for _ in range(3))
        self.workspace = aligned((shape[0], workspace_size(self.kind, self.config.width)), self.config.dtype)

    def advance(self, first: int, count: int) -> None:
        lead = (self.kind, self.activation.parameter, self.config.width)
        tail = (*self.arrays, *adam_schedule(self.config, first, count), self.constants, self.config.subnormals == "flush")
        state, scratch = (self.theta, self.first, self.second), (self.gradient, self.workspace)
        run_blocks(
            narrow.train_blocks,
            narrow.train_block,
            blocks=len(self.theta),
            threads=self.threads,
            arguments=(*lead, *state, *tail, *scratch),
            split=lambda block: (*lead, *(a[block] for a in state), *tail, *(a[block] for a in scratch)),
        )

    def parameters(self) -> Parameters:
        return unpack(self.kind, self.theta, self.nets, self.config.width)

    def bytes_per_net(self) -> int:
        rows = rows_of(self.config.width, self.kind.inputs)
        return (4 * rows + workspace_size(self.kind, self.config.width) // self.lanes) * np.dtype(self.config.dtype).itemsize


class ReferenceEngine:
    """NumPy, step by step: slow, and independent of the kernels. For tests and doubts."""

    name = "reference"
    lanes = 1

    def __init__(self, config: Config, data: Dataset) -> None:
        from minilotto.kernels import reference  # here, because it takes scipy along

        self.reference = reference
        self.config = config
        self.data = data

    def start(self, parameters: Parameters) -> None:
        self.state = Parameters(*(array.copy() for array in parameters))
        self.first = [np.zeros_like(array) for array in self.state]
        self.second = [np.zeros_like(array) for array in self.state]

    def advance(self, first: int, count: int) -> None:
        config = self.config
        x, y, weight = (array.astype(config.dtype) for array in (self.data.x, self.data.y, self.data.weight))
        for step in range(first, first + count):
            _, gradients = self.reference.loss_and_gradient(
                config.activation, *self.state, x, y, weight, negative_slope=config.negative_slope
            )
            lr = config.lr * config.lr_decay ** (step // config.lr_decay_every)
            self.reference.adam(
                self.state, self.first, self.second, gradients, step + 1, lr, config.beta1, config.beta2, config.epsilon
            )

    def parameters(self) -> Parameters:
        return Parameters(*(array.copy() for array in self.state))

    def bytes_per_net(self) -> int:
        size = np.dtype(self.config.dtype).itemsize
        return size * (4 * rows_of(self.config.width, self.data.inputs) + 6 * self.config.width * self.data.points)
