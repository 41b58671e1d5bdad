"""The engine for many seeds: explicit vectors, one lane a seed, blocks over threads."""

import numpy as np

from minilotto.data.dataset import Dataset
from minilotto.engines.evaluate import kind_of
from minilotto.engines.interface import Engine, State, adam_schedule
from minilotto.engines.packing import (
    aligned,
    pack,
    rows_of,
    training_arrays,
    unpack,
    workspace_size,
)
from minilotto.hardware.threads import run_blocks
from minilotto.initialisation import Parameters
from minilotto.kernels import seed_parallel
from minilotto.settings.config import Config


class LaneEngine(Engine):
    """Trains blocks of `lanes` seeds with kernels/seed_parallel.py."""

    name = "lanes"

    def __init__(
        self, config: Config, data: Dataset, threads: int, lanes: int | None = None
    ) -> None:
        super().__init__(config, data, threads)
        self.kind = kind_of(self.activation, config.dtype, data.inputs, lanes, config.loss)
        self.lanes = self.kind.lanes
        self.arrays = training_arrays(data, config.dtype, config.loss)
        self.constants = (config.beta1, config.beta2, config.epsilon)

    def start(self, parameters: Parameters) -> None:
        zeros = Parameters(*(np.zeros_like(array) for array in parameters))
        self.resume(State(parameters, zeros, zeros))

    def resume(self, state: State) -> None:
        """Go on from a state that `state` gave, of any seeds in any order."""
        self.nets = len(state.parameters.c)
        self.theta, self.first, self.second = (pack(self.kind, part) for part in state)
        self.gradient = aligned(self.theta.shape, self.config.dtype)
        self.workspace = aligned(
            (len(self.theta), workspace_size(self.kind, self.config.width)), self.config.dtype
        )

    def state(self) -> State:
        """Copies of the parameters and of Adam's moments."""
        return State(
            *(
                unpack(self.kind, part, self.nets, self.config.width)
                for part in (self.theta, self.first, self.second)
            )
        )

    def advance(self, first: int, count: int) -> None:
        arguments = (
            self.kind,
            self.activation.parameter,
            self.config.width,
            self.theta,
            self.first,
            self.second,
            *self.arrays,
            *adam_schedule(self.config, first, count),
            self.constants,
            self.config.subnormals == "flush",
            self.gradient,
            self.workspace,
        )
        run_blocks(
            seed_parallel.train_blocks, arguments, blocks=len(self.theta), threads=self.threads
        )

    def parameters(self) -> Parameters:
        return unpack(self.kind, self.theta, self.nets, self.config.width)

    def bytes_per_net(self) -> int:
        rows = rows_of(self.config.width, self.kind.inputs)
        return (4 * rows + workspace_size(self.kind, self.config.width) // self.lanes) * np.dtype(
            self.config.dtype
        ).itemsize
