"""The engine to check the others: NumPy, step by step, slow, and independent of the kernels."""

import numpy as np

from minilotto.data.dataset import Dataset
from minilotto.engines.interface import Engine, State
from minilotto.engines.packing import rows_of
from minilotto.initialisation import Parameters
from minilotto.oracles import numpy_reference
from minilotto.settings.config import Config


class ReferenceEngine(Engine):
    """Trains with oracles/numpy_reference.py; see `Engine`."""

    name = "reference"

    def __init__(self, config: Config, data: Dataset, threads: int = 1) -> None:
        super().__init__(config, data, threads)

    def resume(self, state: State) -> None:
        self._state = _copied(state)

    def state(self) -> State:
        return _copied(self._state)

    def advance(self, first: int, count: int) -> None:
        config = self.config
        parameters, m, s = self._state
        x, y, weight = (
            array.astype(config.dtype) for array in (self.data.x, self.data.y, self.data.weight)
        )
        formulas = numpy_reference.second_opinion(self.activation)
        for step in range(first, first + count):
            _, gradients = numpy_reference.loss_and_gradient(
                formulas, *parameters, x, y, weight, config.negative_slope, config.loss
            )
            lr = float(config.rate(step))
            numpy_reference.update(config, parameters, m, s, gradients, step + 1, lr)

    def bytes_per_net(self) -> int:
        numbers = 4 * rows_of(self.config.width, self.data.inputs)
        numbers += 6 * self.config.width * self.data.points
        return numbers * np.dtype(self.config.dtype).itemsize


def _copied(state: State) -> State:
    return State(*(Parameters(*(array.copy() for array in one)) for one in state))
