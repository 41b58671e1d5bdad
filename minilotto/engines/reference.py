"""The engine for doubts: NumPy, step by step, slow, and independent of the kernels."""

import numpy as np

from minilotto.data.dataset import Dataset
from minilotto.engines.interface import Engine
from minilotto.engines.packing import rows_of
from minilotto.initialisation import Parameters
from minilotto.oracles import numpy_reference
from minilotto.settings.config import Config


class ReferenceEngine(Engine):
    """Trains with kernels/numpy_reference.py."""

    name = "reference"

    def __init__(self, config: Config, data: Dataset, threads: int = 1) -> None:
        super().__init__(config, data, threads)

    def start(self, parameters: Parameters) -> None:
        self.state = Parameters(*(array.copy() for array in parameters))
        self.first = [np.zeros_like(array) for array in self.state]
        self.second = [np.zeros_like(array) for array in self.state]

    def advance(self, first: int, count: int) -> None:
        config = self.config
        x, y, weight = (
            array.astype(config.dtype) for array in (self.data.x, self.data.y, self.data.weight)
        )
        for step in range(first, first + count):
            _, gradients = numpy_reference.loss_and_gradient(
                numpy_reference.second_opinion(self.activation),
                *self.state,
                x,
                y,
                weight,
                negative_slope=config.negative_slope,
                loss=config.loss,
            )
            lr = config.lr * config.lr_decay ** (step // config.lr_decay_every)
            numpy_reference.adam(
                self.state,
                self.first,
                self.second,
                gradients,
                step + 1,
                lr,
                config.beta1,
                config.beta2,
                config.epsilon,
            )

    def parameters(self) -> Parameters:
        return Parameters(*(array.copy() for array in self.state))

    def bytes_per_net(self) -> int:
        size = np.dtype(self.config.dtype).itemsize
        return size * (
            4 * rows_of(self.config.width, self.data.inputs)
            + 6 * self.config.width * self.data.points
        )
