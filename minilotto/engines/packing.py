"""Arrays of the kernels from those of NumPy, and back: nets in both layouts, and points."""

import itertools
import math
import platform
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.initialisation import Parameters
from minilotto.kernels import deep, seed_parallel, spaced
from minilotto.kernels.deep import Shape
from minilotto.kernels.formulas import LOSS_FORMULAS
from minilotto.kernels.simd import lane_count
from minilotto.kernels.spec import Spec
from minilotto.kernels.structures import Points, Schedule, SpacedPoints
from minilotto.settings.activations import Reals
from minilotto.settings.config import Config
from minilotto.settings.limits import check_one_layer

# In bytes. A load waits for an unfinished store at the same place of another page, so that arrays
# made one after the other begin at different places.
PAGE, APART = 4096, 640
FEW_SPACED = 32  # from here on their powers take less time than they save
UNIT_SECONDS = 0.5e-9  # one neuron, one point, one step of one seed
_places = itertools.cycle(range(0, PAGE, APART))
# One step of adam at a rate of 0, which leaves the gradient behind.
STANDSTILL = Schedule(
    np.zeros(1), np.zeros(1), np.ones(1), 0.9, 0.999, 1e-8, 0.9, 0.01, flush=False
)


def rows_of(width: int, inputs: int) -> int:
    """Parameters of one net: N (D + 2) + 1."""
    return width * (inputs + 2) + 1


def kernels_for(width: int, depth: int, residual: bool) -> tuple[Any, int | Shape]:
    """The module of kernels with one lane a seed for such nets, and what these take as width."""
    if depth == 1:
        return seed_parallel, width
    return deep, Shape(width, depth, residual)


def workspace_size(
    spec: Spec, width: int, depth: int = 1, points: Points | SpacedPoints | None = None
) -> int:
    """Elements of workspace that the gradient of one block of seeds needs."""
    if depth > 1:
        rows: int = deep.workspace_rows(width, depth, spec.inputs)
        return rows * spec.lanes
    group = spec.group * (spec.inputs - 1 + 2 * width)
    group += spaced.ROWS * width if isinstance(points, SpacedPoints) else 0
    return (width * (spec.inputs + 2) + group) * spec.lanes


def step_seconds(width: int, points: int, depth: int = 1) -> float:
    """What a step of one seed takes, about: sizes batches and pieces, never changes a result.

    A weight between hidden layers takes as long as an eighth of a neuron.
    """
    return width * (depth + (depth - 1) * width / 8) * points * UNIT_SECONDS


def aligned(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """A zeroed contiguous array that starts on a cache line, so that rows of whole vectors never
    straddle two lines.
    """
    count, size = math.prod(shape), np.dtype(dtype).itemsize
    buffer = np.zeros(count + PAGE // size, dtype)
    start = (next(_places) - buffer.__array_interface__["data"][0]) % PAGE // size
    return buffer[start : start + count].reshape(shape)


# One lane a seed: see kernels/seed_parallel.py. With one lane a block, also the layout of
# kernels/piecewise_linear.py and kernels/gpu/train.py.
def pack(spec: Spec, parameters: Parameters) -> NDArray[Any]:
    """Parameters of R nets as theta (blocks, rows * lanes), in the kernel's precision. Lanes beyond
    the last net repeat it. The rows of further hidden layers, each neuron's weights and bias, come
    last.
    """
    nets, width, inputs = parameters.w.shape
    blocks, first = -(-nets // spec.lanes), rows_of(width, inputs)
    layers = parameters.depth - 1
    full = np.empty((blocks * spec.lanes, first + layers * width * (width + 1)), spec.dtype)
    rows = full[:nets]
    neurons = rows[:, : first - 1].reshape(nets, width, inputs + 2)
    neurons[:, :, :inputs] = parameters.w
    neurons[:, :, inputs] = parameters.b
    neurons[:, :, inputs + 1] = parameters.v
    rows[:, first - 1] = parameters.c
    if layers:
        hidden = rows[:, first:].reshape(nets, layers, width, width + 1)
        hidden[..., :width], hidden[..., width] = parameters.hidden_w, parameters.hidden_b
    full[nets:] = full[nets - 1 : nets]
    theta = aligned((blocks, rows.shape[1] * spec.lanes), spec.dtype)
    by_lane = theta.reshape(blocks, rows.shape[1], spec.lanes)
    by_lane[:] = full.reshape(blocks, spec.lanes, full.shape[1]).transpose(0, 2, 1)
    return theta


def unpack(spec: Spec, theta: Reals, nets: int, width: int) -> Parameters:
    """The inverse of pack, as copies."""
    inputs, blocks, first = spec.inputs, len(theta), rows_of(width, spec.inputs)
    rows = theta.reshape(blocks, -1, spec.lanes).transpose(0, 2, 1)
    rows = rows.reshape(blocks * spec.lanes, -1)[:nets]
    neurons = rows[:, : first - 1].reshape(nets, width, inputs + 2)
    w, b, v = neurons[:, :, :inputs], neurons[:, :, inputs], neurons[:, :, inputs + 1]
    layers = (rows.shape[1] - first) // (width * (width + 1))
    parts = [w, b, v, rows[:, first - 1]]
    if layers:
        hidden = rows[:, first:].reshape(nets, layers, width, width + 1)
        parts += [hidden[..., :width], hidden[..., width]]
    return Parameters(*(part.copy() for part in parts))


# One lane a neuron: see kernels/neuron_parallel.py.
def pack_neurons(spec: Spec, parameters: Parameters) -> Reals:
    """Parameters of R nets as theta (R, S), in the kernel's precision. Raises as `pack`."""
    check_one_layer("a kernel of one hidden layer", parameters.depth)
    nets, width, inputs = parameters.w.shape
    padded = -(-width // spec.lanes) * spec.lanes
    theta = aligned((nets, (inputs + 2) * padded + spec.lanes), spec.dtype)
    for row, values in enumerate((*parameters.w.transpose(2, 0, 1), parameters.b, parameters.v)):
        theta[:, row * padded : row * padded + width] = values
    theta[:, -spec.lanes] = parameters.c
    return theta


def unpack_neurons(spec: Spec, theta: Reals, width: int) -> Parameters:
    """The inverse of pack_neurons, as copies."""
    padded = (theta.shape[1] - spec.lanes) // (spec.inputs + 2)
    rows = [theta[:, row * padded : row * padded + width].copy() for row in range(spec.inputs + 2)]
    return Parameters(np.stack(rows[:-2], axis=2), rows[-2], rows[-1], theta[:, -spec.lanes].copy())


def group_for(points: int, dtype: str, depth: int = 1) -> int:
    """Points that the kernel takes side by side: 4 where the CPU has the registers for it, 32, and
    `points` is not much less than a multiple of 4; one where there are several hidden layers.
    Results do not depend on it.
    """
    if depth > 1:
        return 1
    roomy = lane_count(dtype) * np.dtype(dtype).itemsize == 64
    roomy |= platform.machine().lower() in ("aarch64", "arm64")
    return 4 if roomy and -points % 4 <= points // 16 else 2


def training_arrays(data: Dataset, dtype: str, loss: str = "squared", group: int = 2) -> Points:
    """The data as the CPU's kernels take them: P a multiple of the group, by points of weight zero
    where need be.
    """
    extra = -data.points % group
    x = np.concatenate([data.x, np.repeat(data.x[:1], extra, axis=0)]).astype(dtype)
    y = np.concatenate([data.y, np.repeat(data.y[:1], extra)]).astype(dtype)
    slope_weight = np.append(LOSS_FORMULAS[loss].factor * data.weight, np.zeros(extra))
    return Points(x.ravel(), y, slope_weight.astype(dtype))


def spaced_points(data: Dataset, config: Config) -> SpacedPoints | None:
    """The data for kernels/spaced.py; None for what it does not train, and where points are few or,
    to the rounding of the kernel, not equally spaced.
    """
    x, count, dtype = data.x[:, 0], data.points, config.dtype
    other = config.activation != "silu" or config.depth > 1 or data.inputs > 1
    if other or config.batch or count < FEW_SPACED:
        return None
    step = x[-1] / (count - 1) - x[0] / (count - 1)
    line = x[0] + step * np.arange(count + -count % spaced.GROUP)
    if abs(line[:count] - x).max() > 2 * np.finfo(dtype).eps * abs(x).max():
        return None
    usual = training_arrays(data, dtype, config.loss, spaced.GROUP)
    line[:count] = x
    place = np.arange(len(line))
    first = place - place % spaced.SPAN
    own = np.minimum(len(line) - first, spaced.SPAN)  # points of the span
    pair, second = np.divmod(place % spaced.SPAN, 2)
    order = first + own // 2 + np.where(second, -1 - pair, pair)
    middle = x[0] + step * (first + (own - 1) / 2)[:: spaced.SPAN]
    distance = step * (np.arange(spaced.POWERS) + 0.5)
    arrays = line[order], usual.y[order], usual.slope_weight[order], middle, distance
    return SpacedPoints(*(array.astype(dtype) for array in arrays))


def point_table(data: Dataset, dtype: str, padded: int, factor: float = 2.0) -> Reals:
    """As the GPU's kernels take them: (y, `factor` times the weight) of each point, then x.
    `padded` points, those beyond the data of weight zero.
    """
    extra = padded - data.points
    x = np.concatenate([data.x, np.repeat(data.x[-1:], extra, axis=0)])
    y = np.concatenate([data.y, np.repeat(data.y[-1:], extra)])
    weight = np.concatenate([factor * data.weight, np.zeros(extra)])
    return np.concatenate([np.stack([y, weight], axis=1).ravel(), x.ravel()]).astype(dtype)
