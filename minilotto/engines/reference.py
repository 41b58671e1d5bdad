"""The engine to check the others: NumPy, step by step, slow, and independent of the kernels."""

import numpy as np

from minilotto.data.dataset import Dataset, frozen, targets_at
from minilotto.engines.interface import Engine
from minilotto.engines.state import State
from minilotto.initialisation import Parameters, parameter_count
from minilotto.oracles import numpy_reference, random_reference
from minilotto.settings.activations import Reals
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

    @np.errstate(all="ignore")  # nets that diverge are reported
    def advance(self, first: int, count: int) -> None:
        config = self.config
        parameters, m, s = self._state
        for step in range(first, first + count):
            gradients = self._on_batches(step) if config.batch else self._gradients(parameters)
            lr = float(config.rate(step))
            numpy_reference.update(config, parameters, m, s, gradients, step + 1 - self.since, lr)

    def _gradients(self, parameters: Parameters, data: Dataset | None = None) -> tuple[Reals, ...]:
        data, config = data or self.data, self.config
        x, y, weight = (array.astype(config.dtype) for array in (data.x, data.y, data.weight))
        formulas = numpy_reference.second_opinion(self.activation)
        w, b, v, c, *hidden = parameters
        _, gradients = numpy_reference.loss_and_gradient(
            formulas,
            *(w, b, v, c, x, y, weight),
            config.negative_slope,
            config.loss,
            hidden=hidden,
            residual=config.residual,
        )
        return gradients

    def _on_batches(self, step: int) -> list[Reals]:
        """Gradients of nets that each have points of their own, one net after the other."""
        config, data = self.config, self.data
        draws = config.root_seed, self.seeds, step, config.batch
        if data.population is not None:
            fresh = random_reference.fresh_points(*draws, data.population.domain)
            share = np.full(config.batch, 1.0 / config.batch)
            batches = [frozen(x, targets_at(x, data.population, config), share) for x in fresh]
        else:
            factor = data.points / config.batch
            batches = [
                frozen(data.x[rows], data.y[rows], factor * data.weight[rows])
                for rows in random_reference.batch_rows(*draws, data.points)
            ]
        nets = (
            Parameters(*(array[net : net + 1] for array in self._state.parameters))
            for net in range(len(batches))
        )
        parts = [self._gradients(net, batch) for net, batch in zip(nets, batches, strict=True)]
        return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]

    def bytes_per_net(self) -> int:
        points = self.config.batch or self.data.points
        numbers = 4 * parameter_count(self.config, self.data.inputs)
        numbers += (4 + 2 * self.config.depth) * self.config.width * points
        return numbers * np.dtype(self.config.dtype).itemsize


def _copied(state: State) -> State:
    return State(*(Parameters(*(array.copy() for array in one)) for one in state))
