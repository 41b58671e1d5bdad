"""The engine for many seeds: one lane a seed, blocks of lanes over threads."""

import numpy as np

from minilotto.data.dataset import Dataset
from minilotto.engines.evaluate import spec_of
from minilotto.engines.interface import KernelEngine, schedule_of
from minilotto.engines.packing import (
    aligned,
    group_for,
    kernels_for,
    spaced_points,
    step_seconds,
    training_arrays,
    workspace_size,
)
from minilotto.engines.state import State
from minilotto.hardware.threads import Work, run_works
from minilotto.initialisation import parameter_count
from minilotto.kernels.forms import Form
from minilotto.kernels.spaced import GROUP
from minilotto.kernels.structures import Scratch
from minilotto.settings.config import Config


class LaneEngine(KernelEngine):
    """Trains blocks of seeds with kernels/seed_parallel.py, or kernels/deep.py where nets have
    several hidden layers.

    Parameters
    ----------
    config, data, threads
        See `Engine`.
    lanes : int, optional
        Seeds in a block; by default as many as fit a vector register. Results do not depend on it.
    spaced : bool
        Whether equally spaced points are trained by kernels/spaced.py, where it can; its roundings
        are its own.
    """

    name = "lanes"

    def __init__(
        self,
        config: Config,
        data: Dataset,
        threads: int,
        lanes: int | None = None,
        spaced: bool = True,
    ) -> None:
        super().__init__(config, data, threads)
        found = spaced_points(data, config) if spaced else None
        count = config.batch or data.points
        group = GROUP if found else group_for(count, config.dtype, config.depth)
        self.spec = spec_of(
            self.activation, config.dtype, data.inputs, lanes, config.loss, config.optimizer, group
        )
        self.form = Form(self.spec, self.activation.parameter)
        self.lanes = self.spec.lanes
        self.kernels, self.shape = kernels_for(config.width, config.depth, config.residual)
        self.points = found or training_arrays(data, config.dtype, config.loss, group)
        self.workspace = workspace_size(self.spec, config.width, config.depth, self.points)

    def resume(self, state: State) -> None:
        super().resume(state)
        shape, dtype = self.nets.theta.shape, self.config.dtype
        self.scratch = Scratch(aligned(shape, dtype), aligned((shape[0], self.workspace), dtype))

    def advance(self, first: int, count: int) -> None:
        run_works([self.work(first, count)], self.threads)

    def work(self, first: int, count: int) -> Work:
        schedule = schedule_of(self.config, first, count, self.since)
        arguments = (self.form, self.shape, self.nets, self.points, schedule, self.scratch)
        one = step_seconds(self.config.width, self.points.y.size, self.config.depth)
        seconds = self.lanes * count * one
        return Work(self.kernels.train_blocks, arguments, len(self.nets.theta), seconds)

    def bytes_per_net(self) -> int:
        rows = parameter_count(self.config, self.spec.inputs)
        numbers = 4 * rows + self.workspace // self.lanes
        return numbers * np.dtype(self.config.dtype).itemsize
