"""The engine for a GPU: every stretch of steps is one launch, in which a team of threads trains
each net.

Losses and audits are evaluated on the CPU, in float64. Config.subnormals changes nothing here:
results of the special function unit count subnormal numbers as zero, all else keeps them, at no
cost. Nothing of CUDA is loaded before an engine is made.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.engines.interface import Engine, State, adam_schedule
from minilotto.engines.packing import pack, rows_of, unpack
from minilotto.errors import ResourceError
from minilotto.hardware.gpu import free_memory, simulated, the_gpu
from minilotto.hardware.machine import readable_bytes
from minilotto.initialisation import Parameters
from minilotto.kernels.gpu.partition import SHARED_BYTES, WARP, Team, team_for
from minilotto.kernels.spec import Kind
from minilotto.settings.config import Config

BLOCK = 128  # threads of a block that holds several nets
WAVE_NEURONS = 2**22  # that are trained from start to end before the next ones


class CudaEngine(Engine):
    """Trains with kernels/gpu/train.py. `block`: threads of a block, on which no result depends; `team`:
    another than the usual.
    """

    name = "cuda"

    def __init__(
        self,
        config: Config,
        data: Dataset,
        threads: int = 1,
        block: int | None = None,
        team: Team | None = None,
    ) -> None:
        from minilotto.kernels.gpu.train import training_kernel

        super().__init__(config, data, 1)
        self.gpu = the_gpu()
        self.team = team or team_for(config.width, data.inputs, data.points, config.dtype)
        self.kind = Kind(config.activation, config.dtype, 1, data.inputs)
        self.padded = self.team.padded(data.points)
        self.points = self._points()
        staged = self.points.nbytes <= SHARED_BYTES
        self.shared_bytes = self.points.nbytes if staged else 0
        self.block = block
        self.kernel = training_kernel(
            config.activation, config.dtype, data.inputs, self.team, staged
        )

    def _points(self) -> NDArray:
        """x, y and twice the weights, one after the other; as many points of weight zero as make
        the team's shares even.
        """
        data, extra = self.data, self.padded - self.data.points
        x = np.concatenate([data.x, np.repeat(data.x[-1:], extra, axis=0)])
        y = np.concatenate([data.y, np.repeat(data.y[-1:], extra)])
        return np.concatenate([x.ravel(), y, 2.0 * data.weight, np.zeros(extra)]).astype(
            self.config.dtype
        )

    def start(self, parameters: Parameters) -> None:
        zeros = Parameters(*(np.zeros_like(array) for array in parameters))
        self.resume(State(parameters, zeros, zeros))

    def resume(self, state: State) -> None:
        """Go on from a state that `state` gave, of any seeds in any order."""
        from numba import cuda

        self.nets = len(state.parameters.c)
        self.theta, self.first, self.second = (
            cuda.to_device(pack(self.kind, part)) for part in state
        )
        self.scratch = cuda.device_array(
            self.theta.shape if self.team.streamed else (1, 1), self.config.dtype
        )
        self.table = cuda.to_device(self.points)

    def state(self) -> State:
        """Copies of the parameters and of Adam's moments."""
        return State(*(self._unpacked(part) for part in (self.theta, self.first, self.second)))

    def _unpacked(self, part) -> Parameters:
        return unpack(self.kind, part.copy_to_host(), self.nets, self.config.width)

    def advance(self, first: int, count: int) -> None:
        from numba import cuda

        config = self.config
        rates, corrections = (
            cuda.to_device(a.astype(config.dtype)) for a in adam_schedule(config, first, count)
        )
        blocks, threads = self._launch()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Grid size")  # few nets are no mistake
            self.kernel[blocks, threads, 0, self.shared_bytes](
                float(self.activation.parameter),
                config.width,
                self.theta,
                self.first,
                self.second,
                self.scratch,
                self.table,
                self.padded,
                rates,
                corrections,
                config.beta1,
                config.beta2,
                config.epsilon,
            )
        cuda.synchronize()

    def _launch(self) -> tuple[int, int]:
        """Blocks and the threads of each: whole teams, and in smaller blocks where these alone
        reach every processor.
        """
        team = self.team
        if team.streamed or team.warps > 1:
            return self.nets, team.threads
        if self.block is not None:
            threads = self.block
        elif simulated():
            threads = team.threads
        else:
            threads = BLOCK if self.nets * team.threads >= BLOCK * self.gpu.processors else WARP
        return -(-self.nets * team.threads // threads), threads

    def parameters(self) -> Parameters:
        return self._unpacked(self.theta)

    def bytes_per_net(self) -> int:
        arrays = 4 if self.team.streamed else 3
        return (
            arrays
            * rows_of(self.config.width, self.data.inputs)
            * np.dtype(self.config.dtype).itemsize
        )

    def nets_per_wave(self) -> int:
        """As many as keep the GPU busy and fit half of its free memory. Raises ResourceError where
        not even one does.
        """
        free, net = free_memory(), self.bytes_per_net()
        if net + self.points.nbytes > free:
            raise ResourceError(
                f"a net of width {self.config.width} on {self.data.points} points needs "
                f"{readable_bytes(net + self.points.nbytes)} "
                f"of the GPU's memory and {readable_bytes(free)} is free; use backend='cpu'"
            )
        return max(
            1, min(WAVE_NEURONS // self.config.width, (free - self.points.nbytes) // 2 // net)
        )
