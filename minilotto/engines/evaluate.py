"""Losses, predictions and gradients of given parameters, by the kernels with one lane a seed."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.engines.packing import (
    STANDSTILL,
    aligned,
    group_for,
    kernels_for,
    pack,
    training_arrays,
    unpack,
    workspace_size,
)
from minilotto.hardware.threads import run_blocks
from minilotto.initialisation import Parameters
from minilotto.kernels.forms import Form
from minilotto.kernels.simd import lane_count
from minilotto.kernels.spec import Spec
from minilotto.kernels.structures import Nets, Points, Scratch
from minilotto.settings.activations import Activation

AT_ONCE = 64  # blocks in one call of a kernel, which takes as long as some blocks of narrow nets


def spec_of(
    activation: Activation,
    dtype: str,
    inputs: int,
    lanes: int | None = None,
    loss: str = "squared",
    optimizer: str = "adam",
    group: int = 2,
) -> Spec:
    """The Spec that this CPU runs fastest; another lane count gives the same results."""
    lanes = lanes or lane_count(dtype)
    return Spec(activation.name, dtype, lanes, inputs, loss, optimizer, group)


def losses(
    activation: Activation,
    parameters: Parameters,
    data: Dataset,
    loss: str = "squared",
    residual: bool = False,
    threads: int = 1,
) -> NDArray[np.float64]:
    """sum_p weight_p (f(x_p) - y_p)^2 + offset of R nets, in float64 whatever the parameters'
    precision: (R,).

    `loss`: another of Config's losses in place of the square; `residual` as in Config. Results do
    not depend on the number of threads.
    """
    nets, width, inputs = parameters.w.shape
    form = Form(spec_of(activation, "float64", inputs, loss=loss, group=1), activation.parameter)
    theta = pack(form.spec, parameters)
    results = np.empty((len(theta), form.spec.lanes))
    kernels, shape = kernels_for(width, parameters.depth, residual)
    points = data.x.ravel(), data.y, data.weight
    size = workspace_size(form.spec, width, parameters.depth)

    def evaluate(begin: int, end: int) -> None:
        some, workspace = slice(begin, end), aligned((size,), "float64")
        kernels.loss_blocks(form, shape, theta[some], *points, results[some], workspace)

    run_blocks(evaluate, (), len(theta), threads)
    return results.ravel()[:nets] + data.offset


def predictions(
    activation: Activation, parameters: Parameters, x: NDArray[np.float64], residual: bool = False
) -> NDArray[np.float64]:
    """f(x_p) of R nets at x (P, D), in float64: (R, P)."""
    nets, width, inputs = parameters.w.shape
    form = Form(spec_of(activation, "float64", inputs, group=1), activation.parameter)
    lanes, count = form.spec.lanes, len(x)
    results = np.empty((nets, count))
    kernels, shape = kernels_for(width, parameters.depth, residual)
    workspace = aligned((workspace_size(form.spec, width, parameters.depth),), "float64")
    some = lanes * max(1, 2**20 // (lanes * max(1, count)))  # nets, so that the copy stays small
    for first in range(0, nets, some):
        taken = Parameters(*(array[first : first + some] for array in parameters))
        theta = pack(form.spec, taken)
        outputs = np.empty((len(theta), count, lanes))
        kernels.predict_blocks(form, shape, theta, x.ravel(), outputs, workspace)
        rows = outputs.transpose(0, 2, 1).reshape(len(theta) * lanes, count)
        results[first : first + some] = rows[: len(taken.c)]
    return results


def gradients(
    activation: Activation,
    parameters: Parameters,
    data: Dataset,
    dtype: str = "float64",
    lanes: int | None = None,
    loss: str = "squared",
    residual: bool = False,
) -> Parameters:
    """Gradients of R nets' losses, as their parameters, by the kernel that trains in `dtype`."""
    group = group_for(data.points, dtype, parameters.depth)
    spec = spec_of(activation, dtype, parameters.w.shape[2], lanes, loss, group=group)
    points = training_arrays(data, dtype, loss, group)
    form = Form(spec, activation.parameter)
    kernels, _ = kernels_for(1, parameters.depth, residual)
    return gradients_by(kernels.train_blocks, form, parameters, points, residual)


def gradients_by(
    train: Callable[..., None],
    form: Form,
    parameters: Parameters,
    points: Points,
    residual: bool = False,
) -> Parameters:
    """Gradients of a step at rate 0 by `train`: train_blocks of the kernels, or made of it."""
    count, width, _ = parameters.w.shape
    _, shape = kernels_for(width, parameters.depth, residual)
    theta = pack(form.spec, parameters)
    results = aligned(theta.shape, form.spec.dtype)
    size = workspace_size(form.spec, width, parameters.depth)
    for first in range(0, len(theta), AT_ONCE):
        some, own = theta[first : first + AT_ONCE], results[first : first + AT_ONCE]
        m, s = (aligned(some.shape, form.spec.dtype) for _ in range(2))
        scratch = Scratch(own, aligned((len(some), size), form.spec.dtype))
        train(form, shape, Nets(some, m, s), points, STANDSTILL, scratch, 0, len(some))
    return unpack(form.spec, results, count, width)
