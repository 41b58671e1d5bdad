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
    step_seconds,
    training_arrays,
    unpack,
    workspace_size,
)
from minilotto.hardware.threads import run_blocks
from minilotto.initialisation import Parameters
from minilotto.kernels.deep import Shape
from minilotto.kernels.forms import Form
from minilotto.kernels.simd import lane_count
from minilotto.kernels.spec import Spec
from minilotto.kernels.structures import Nets, Points, Scratch, SpacedPoints
from minilotto.settings.activations import Activation, Reals

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
    return PackedNets(activation, parameters, residual).losses(data, loss, threads)


class PackedNets:
    """R nets in float64, packed once for all data that they are evaluated on."""

    def __init__(self, activation: Activation, parameters: Parameters, residual: bool) -> None:
        self.activation, self.residual = activation, residual
        self.count, self.width, self.inputs = parameters.w.shape
        self.depth = parameters.depth
        self.theta = self.packed(parameters)

    def _form(self, loss: str = "squared", group: int = 1) -> Form:
        spec = spec_of(self.activation, "float64", self.inputs, loss=loss, group=group)
        return Form(spec, self.activation.parameter)

    def losses(self, data: Dataset, loss: str = "squared", threads: int = 1) -> NDArray[np.float64]:
        """As the function of that name."""
        form, theta = self._form(loss), self.theta
        results = np.empty((len(theta), form.spec.lanes))
        kernels, shape = kernels_for(self.width, self.depth, self.residual)
        points = data.x.ravel(), data.y, data.weight
        size = workspace_size(form.spec, self.width, self.depth)

        def evaluate(begin: int, end: int) -> None:
            some, workspace = slice(begin, end), aligned((size,), "float64")
            kernels.loss_blocks(form, shape, theta[some], *points, results[some], workspace)

        seconds = form.spec.lanes * step_seconds(self.width, data.points, self.depth)
        run_blocks(evaluate, (), len(theta), threads, seconds)
        return results.ravel()[: self.count] + data.offset

    def gradients(self, data: Dataset) -> Reals:
        """Of the squares' losses, as theta."""
        group = group_for(data.points, "float64", self.depth)
        points = training_arrays(data, "float64", group=group)
        kernels, shape = kernels_for(self.width, self.depth, self.residual)
        form = self._form(group=group)
        size = workspace_size(form.spec, self.width, self.depth)
        return _gradients(kernels.train_blocks, form, shape, size, self.theta, points)

    def packed(self, parameters: Parameters) -> Reals:
        """Others as theta."""
        return pack(self._form().spec, parameters)

    def largest(self, values: Reals) -> NDArray[np.float64]:
        """The largest number of each net, NaN where there is one, of values as theta: (R,)."""
        blocks, lanes = len(values), self._form().spec.lanes
        largest: NDArray[np.float64] = values.reshape(blocks, -1, lanes).max(axis=1)
        return largest.ravel()[: self.count]


def predictions(
    activation: Activation, parameters: Parameters, x: NDArray[np.float64], residual: bool = False
) -> NDArray[np.float64]:
    """f(x_p) of R nets at x (P, D), in float64: (R, P)."""
    nets, width, inputs = parameters.w.shape
    form = Form(spec_of(activation, "float64", inputs, group=1), activation.parameter)
    lanes, count = form.spec.lanes, len(x)
    results = np.empty((nets, count))
    if not count:
        return results
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
    points: Points | SpacedPoints,
    residual: bool = False,
) -> Parameters:
    """Gradients of a step at rate 0 by `train`: train_blocks of the kernels, or made of it."""
    count, width, _ = parameters.w.shape
    _, shape = kernels_for(width, parameters.depth, residual)
    theta = pack(form.spec, parameters)
    size = workspace_size(form.spec, width, parameters.depth, points)
    results = _gradients(train, form, shape, size, theta, points)
    return unpack(form.spec, results, count, width)


def _gradients(
    train: Callable[..., None],
    form: Form,
    shape: int | Shape,
    size: int,
    theta: Reals,
    points: Points | SpacedPoints,
) -> Reals:
    """As theta, which stays as it is: where a gradient is infinite, a step at rate 0 makes NaN."""
    dtype = form.spec.dtype
    results = aligned(theta.shape, dtype)
    for first in range(0, len(theta), AT_ONCE):
        own = results[first : first + AT_ONCE]
        nets = Nets(*(aligned(own.shape, dtype) for _ in range(3)))
        nets.theta[:] = theta[first : first + AT_ONCE]
        scratch = Scratch(own, aligned((len(own), size), dtype))
        train(form, shape, nets, points, STANDSTILL, scratch, 0, len(own))
    return results
