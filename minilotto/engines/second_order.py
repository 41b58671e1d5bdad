"""The engine of optimizer="lm": Levenberg-Marquardt, one lane a seed, blocks of lanes over threads."""

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.engines.compressed import TOLERANCE, CompressedEngine, _scales
from minilotto.engines.evaluate import losses, spec_of
from minilotto.engines.interface import KernelEngine, State
from minilotto.engines.packing import aligned, rows_of
from minilotto.hardware.threads import run_blocks
from minilotto.initialisation import Parameters
from minilotto.kernels import levenberg_marquardt
from minilotto.kernels.forms import Form
from minilotto.kernels.levenberg_marquardt import FIRST_FACTOR, START, NormalScratch, scratch_sizes
from minilotto.settings.config import Config

# Nanoseconds a multiply-add of one net, and two passes over a unit in those of the lanes engine.
PRODUCT, PASSES = 0.04, 1.6
SHARE = 0.01  # of a loss, by which it may differ on nodes
ROUNDING = 16 * np.finfo(np.float64).eps  # of a residual, in units of its absolute terms


def products(width: int, inputs: int, points: int) -> float:
    """Multiply-adds of an iteration of one net: its matrix, of parameters or points, and the
    factorisation.
    """
    few, many = sorted((rows_of(width, inputs), points))
    return few * few * many / 2 + few**3 / 6


class SecondOrderEngine(KernelEngine):
    """Trains blocks of seeds with kernels/levenberg_marquardt.py, in float64. A step is an
    iteration, one trial step.

    In a State, m.c holds each net's damping lambda and s.c the factor by which its next rejection
    raises it; both are 0 before the first iteration. The other numbers of m and s are 0.

    Parameters
    ----------
    config, data, threads
        See `Engine`.
    lanes : int, optional
        Seeds in a block; by default as many as fit a vector register. Results do not depend on it.
    """

    name = "second order"

    def __init__(
        self, config: Config, data: Dataset, threads: int, lanes: int | None = None
    ) -> None:
        super().__init__(config, data, threads)
        self.spec = spec_of(self.activation, "float64", data.inputs, lanes)
        self.form = Form(self.spec, self.activation.parameter)
        self.lanes = self.spec.lanes
        self.points = data.x.ravel(), data.y, np.sqrt(data.weight)

    def resume(self, state: State) -> None:
        super().resume(state)
        for array, start in ((self.nets.m, START), (self.nets.s, FIRST_FACTOR)):
            last = array[:, -self.lanes :]
            last[last == 0] = start

    def advance(self, first: int, count: int) -> None:
        run_blocks(self._iterate, (count,), len(self.nets.theta), self.threads)

    def _iterate(self, count: int, begin: int, end: int) -> None:
        sizes = scratch_sizes(self.spec, self.config.width, self.data.points)
        levenberg_marquardt.train_blocks(
            self.form,
            self.config.width,
            self.nets,
            self.points,
            count,
            self.config.subnormals == "flush",
            NormalScratch(*(aligned((size,), "float64") for size in sizes)),
            begin,
            end,
        )

    def bytes_per_net(self) -> int:
        sizes = scratch_sizes(self.spec, self.config.width, self.data.points)
        return 8 * (3 * sizes.trial + sum(sizes)) // self.lanes

    def points_per_step(self) -> int:
        some = self.config.width, self.data.inputs, self.data.points
        return round(PASSES * self.data.points + products(*some) * PRODUCT / self.config.width)


class CompressedSecondOrderEngine(CompressedEngine):
    """SecondOrderEngine on as few nodes as audits allow, which are stricter here: losses fall so far
    below the terms that cancel in them that the losses themselves are compared as well.
    """

    def __init__(
        self, config: Config, data: Dataset, threads: int, nodes: int | None = None
    ) -> None:
        super().__init__(config, data, threads, SecondOrderEngine, nodes)

    def _differences(self, parameters: Parameters, rule: Dataset) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore", over="ignore"):
            on_nodes, on_data = (
                losses(self.activation, parameters, data) for data in (rule, self.audited)
            )
            _, scale = _scales(parameters, self.audited)
            part = np.abs(on_nodes - on_data) / (on_data + ROUNDING**2 * scale)
        # NaN where a loss is not finite, on which the other differences decide
        return np.fmax(
            super()._differences(parameters, rule), part / SHARE * TOLERANCE[self.config.dtype]
        )

    def points_per_step(self) -> int:
        return self._engine(self.levels[0]).points_per_step()
