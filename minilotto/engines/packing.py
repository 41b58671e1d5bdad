"""Between NumPy arrays of nets and the kernels' blocks of lanes (see narrow.py for the layout)."""

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.initialisation import Parameters
from minilotto.kernels.formulas import LOSS_FORMULAS
from minilotto.kernels.spec import Kind

CACHE_LINE = 64  # bytes
# One Adam step at a rate of 0, which leaves the gradient behind: rates, corrections, constants, and
# whether subnormals are flushed.
STANDSTILL = (np.zeros(1), np.ones(1), (0.9, 0.999, 1e-8), False)


def rows_of(width: int, inputs: int) -> int:
    """Parameters of one net: N (D + 2) + 1."""
    return width * (inputs + 2) + 1


def workspace_size(kind: Kind, width: int) -> int:
    """Elements of workspace that one block's gradient needs."""
    return (width * (kind.inputs + 2) + 2 * (kind.inputs - 1) + 4 * width) * kind.lanes


def aligned(shape: tuple[int, int], dtype: str) -> NDArray:
    """A zeroed contiguous array that starts on a cache line, so that rows of whole vectors never
    straddle two lines.
    """
    size = np.dtype(dtype).itemsize
    buffer = np.zeros(shape[0] * shape[1] + CACHE_LINE // size, dtype)
    start = -buffer.ctypes.data % CACHE_LINE // size
    return buffer[start : start + shape[0] * shape[1]].reshape(shape)


def pack(kind: Kind, parameters: Parameters) -> NDArray:
    """Parameters of R nets as theta (blocks, rows * lanes) in the kernel's precision. The last net
    fills the lanes left over.
    """
    nets, width, inputs = parameters.w.shape
    blocks = -(-nets // kind.lanes)
    rows = np.empty((nets, rows_of(width, inputs)), kind.dtype)
    neurons = rows[:, :-1].reshape(nets, width, inputs + 2)
    neurons[:, :, :inputs] = parameters.w
    neurons[:, :, inputs] = parameters.b
    neurons[:, :, inputs + 1] = parameters.v
    rows[:, -1] = parameters.c
    theta = aligned((blocks, rows.shape[1] * kind.lanes), kind.dtype)
    full = theta.reshape(blocks, rows.shape[1], kind.lanes)
    lane_of_net = np.minimum(np.arange(blocks * kind.lanes), nets - 1).reshape(blocks, kind.lanes)
    full[:] = rows[lane_of_net].transpose(0, 2, 1)
    return theta


def unpack(kind: Kind, theta: NDArray, nets: int, width: int) -> Parameters:
    """The inverse of pack, as copies."""
    inputs = kind.inputs
    rows = (
        theta.reshape(len(theta), -1, kind.lanes)
        .transpose(0, 2, 1)
        .reshape(len(theta) * kind.lanes, -1)[:nets]
    )
    neurons = rows[:, :-1].reshape(nets, width, inputs + 2)
    return Parameters(
        neurons[:, :, :inputs].copy(),
        neurons[:, :, inputs].copy(),
        neurons[:, :, inputs + 1].copy(),
        rows[:, -1].copy(),
    )


def training_arrays(
    data: Dataset, dtype: str, loss: str = "squared"
) -> tuple[NDArray, NDArray, NDArray]:
    """x (P * D,), y (P,), slope_weight (P,) as the gradient takes them: P even, by a point of
    weight zero where need be.
    """
    extra = data.points % 2
    x = np.concatenate([data.x, data.x[:extra]]).astype(dtype)
    y = np.concatenate([data.y, data.y[:extra]]).astype(dtype)
    slope_weight = np.concatenate(
        [LOSS_FORMULAS[loss].factor * data.weight, np.zeros(extra)]
    ).astype(dtype)
    return x.ravel(), y, slope_weight
