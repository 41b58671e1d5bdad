"""The engine of optimizer="lm", Levenberg-Marquardt, on points and on nodes."""

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.engines.compressed import TOLERANCE, CompressedEngine
from minilotto.engines.differences import compared
from minilotto.engines.evaluate import spec_of
from minilotto.engines.interface import KernelEngine
from minilotto.engines.packing import aligned, rows_of, step_seconds
from minilotto.engines.state import State
from minilotto.hardware.threads import Work, run_works
from minilotto.initialisation import Parameters
from minilotto.kernels import levenberg_marquardt
from minilotto.kernels.forms import Form
from minilotto.kernels.levenberg_marquardt import FIRST_FACTOR, START, NormalScratch, scratch_sizes
from minilotto.settings.config import Config

SHARE = 0.01  # of a loss, by which it may differ on nodes
ROUNDING = 16 * np.finfo(np.float64).eps  # of a residual, in units of its absolute terms
UNIT, PRODUCT = 1.6, 0.04


def nanoseconds(width: int, inputs: int, points: int, unit: float) -> float:
    """An iteration of one net, about, where a float64 unit of `choice.UNITS` takes `unit`: two
    passes over the points, and the products of the matrix and its factorisation.
    """
    few, many = sorted((rows_of(width, inputs), points))
    products = few * few * many / 2 + few**3 / 6
    return UNIT * width * points * unit + PRODUCT * products


class SecondOrderEngine(KernelEngine):
    """Trains blocks of seeds with kernels/levenberg_marquardt.py, in float64. A step is an
    iteration, one trial step.

    In a State, m.c holds each net's damping lambda and s.c the factor by which its next rejection
    raises it; where both are 0, as at the start, they begin anew. The other numbers of m and s
    are 0.

    Parameters
    ----------
    config, data, threads
        See `Engine`.
    lanes : int, optional
        Seeds in a block; by default as many as fit a vector register. Results do not depend on it.
    """

    name = "lm"
    fewer_nodes = False

    def __init__(
        self, config: Config, data: Dataset, threads: int, lanes: int | None = None
    ) -> None:
        super().__init__(config, data, threads)
        self.spec = spec_of(self.activation, "float64", data.inputs, lanes)
        self.form = Form(self.spec, self.activation.parameter)
        self.lanes = self.spec.lanes
        self.points = data.x.flatten(), data.y.copy(), np.sqrt(data.weight)
        self.sizes = scratch_sizes(self.spec, config.width, data.points)

    def resume(self, state: State) -> None:
        super().resume(state)
        for array, start in ((self.nets.m, START), (self.nets.s, FIRST_FACTOR)):
            last = array[:, -self.lanes :]
            last[last == 0] = start

    def advance(self, first: int, count: int) -> None:
        run_works([self.work(first, count)], self.threads)

    def work(self, first: int, count: int) -> Work:
        return Work(self._iterate, (count,), len(self.nets.theta))

    def _iterate(self, count: int, begin: int, end: int) -> None:
        levenberg_marquardt.train_blocks(
            self.form,
            self.config.width,
            self.nets,
            self.points,
            count,
            self.config.subnormals == "flush",
            NormalScratch(*(aligned((size,), "float64") for size in self.sizes)),
            begin,
            end,
        )

    def bytes_per_net(self) -> int:
        """State, and the scratch of a thread, which holds one block at a time."""
        state = 3 * rows_of(self.config.width, self.spec.inputs)
        return 8 * (state + sum(self.sizes) // self.lanes)

    def points_per_step(self) -> int:
        width = self.config.width
        cost = nanoseconds(width, self.data.inputs, self.data.points, unit=1.0)
        return round(1e-9 * cost / step_seconds(width, points=1))


class CompressedSecondOrderEngine(CompressedEngine):
    """SecondOrderEngine on as few nodes as audits allow. Audits are stricter here: the loss falls
    far below the terms that cancel in it, so its own relative difference counts too.
    """

    def __init__(
        self, config: Config, data: Dataset, threads: int, nodes: int | None = None
    ) -> None:
        super().__init__(config, data, threads, SecondOrderEngine, nodes)

    def _differences(
        self, parameters: Parameters, rule: Dataset, data: Dataset
    ) -> NDArray[np.float64]:
        largest, on_rule, on_data, scale = compared(
            self.activation, parameters, rule, data, residual=False
        )
        with np.errstate(invalid="ignore", over="ignore"):
            part = np.abs(on_rule - on_data) / (on_data + ROUNDING**2 * scale)
        relative = part / SHARE * TOLERANCE[self.config.dtype]
        # fmax: where a loss is not finite, the differences of gradients decide.
        return np.asarray(np.fmax(largest, relative))

    def points_per_step(self) -> int:
        return self._engine(self.first_nodes).points_per_step()
