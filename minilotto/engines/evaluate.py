"""Losses, predictions and gradients of given parameters, through the lane kernels."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.engines.packing import (
    STANDSTILL,
    aligned,
    pack,
    training_arrays,
    unpack,
    workspace_size,
)
from minilotto.initialisation import Parameters
from minilotto.kernels import seed_parallel
from minilotto.kernels.simd import lane_count
from minilotto.kernels.spec import Kind
from minilotto.settings.activations import Activation


def kind_of(
    activation: Activation, dtype: str, inputs: int, lanes: int | None = None, loss: str = "squared"
) -> Kind:
    """The Kind that this CPU runs best; `lanes` overrides its lane count (the results do not depend
    on it).
    """
    return Kind(activation.name, dtype, lanes or lane_count(dtype), inputs, loss)


def losses(
    activation: Activation, parameters: Parameters, data: Dataset, loss: str = "squared"
) -> NDArray[np.float64]:
    """sum_p weight_p (f(x_p) - y_p)^2 + offset of R nets, in float64 whatever the parameters'
    precision: (R,).

    `loss`: another of Config's losses in place of the square.
    """
    nets, width, inputs = parameters.w.shape
    kind = kind_of(activation, "float64", inputs, loss=loss)
    theta = pack(kind, parameters)
    results = np.empty((len(theta), kind.lanes))
    workspace = aligned((1, theta.shape[1]), "float64")[0]
    seed_parallel.loss_blocks(
        kind,
        activation.parameter,
        width,
        theta,
        data.x.ravel(),
        data.y,
        data.weight,
        results,
        workspace,
    )
    return results.ravel()[:nets] + data.offset


def predictions(
    activation: Activation, parameters: Parameters, x: NDArray[np.float64]
) -> NDArray[np.float64]:
    """f(x_p) of R nets at x (P, D), in float64: (R, P)."""
    nets, width, inputs = parameters.w.shape
    kind = kind_of(activation, "float64", inputs)
    results = np.empty((nets, len(x)))
    workspace = aligned((1, (width * (inputs + 2) + 1) * kind.lanes), "float64")[0]
    some = kind.lanes * max(
        1, 2**20 // (kind.lanes * max(1, len(x)))
    )  # nets at a time, to keep the transposed copy small
    for first in range(0, nets, some):
        part = Parameters(*(array[first : first + some] for array in parameters))
        theta = pack(kind, part)
        outputs = np.empty((len(theta), len(x), kind.lanes))
        seed_parallel.predict_blocks(
            kind, activation.parameter, width, theta, x.ravel(), outputs, workspace
        )
        results[first : first + some] = outputs.transpose(0, 2, 1).reshape(
            len(theta) * kind.lanes, len(x)
        )[: len(part.c)]
    return results


def gradients(
    activation: Activation,
    parameters: Parameters,
    data: Dataset,
    dtype: str = "float64",
    lanes: int | None = None,
    loss: str = "squared",
) -> Parameters:
    """(dw, db, dv, dc) of the losses of R nets, shaped as (w, b, v, c), by the kernel that trains
    in `dtype`.
    """
    kind = kind_of(activation, dtype, parameters.w.shape[2], lanes, loss)
    return gradients_by(
        seed_parallel.train_blocks,
        kind,
        activation.parameter,
        parameters,
        training_arrays(data, dtype, loss),
    )


def gradients_by(
    train: Callable, kind: Kind, parameter: float, parameters: Parameters, arrays: tuple
) -> Parameters:
    """(dw, db, dv, dc) that `train`, which is seed_parallel.train_blocks or made of it, takes a
    step at a rate of 0 with.

    arrays: of layout.training_arrays.
    """
    nets, width, _ = parameters.w.shape
    theta = pack(kind, parameters)
    results, first, second = (aligned(theta.shape, kind.dtype) for _ in range(3))
    workspace = aligned((1, workspace_size(kind, width)), kind.dtype)
    for block in range(len(theta)):
        one = slice(block, block + 1)
        train(
            kind,
            parameter,
            width,
            theta[one],
            first[one],
            second[one],
            *arrays,
            *STANDSTILL,
            results[one],
            workspace,
            0,
            1,
        )
    return unpack(kind, results, nets, width)
