"""Losses and predictions of nets of several hidden layers, in NumPy and float64."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.limits import blocks


def layers(
    activation: Activation, parameters: Parameters, x: NDArray[np.float64], residual: bool
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """What the activation takes and h_l, both (R, N, P), of each hidden layer at x (P, D)."""
    w, b, _, _, *hidden = (array.astype(np.float64) for array in parameters)
    z = w @ x.T + b[:, :, None]
    h = np.asarray(activation.value(z), np.float64)
    yield z, h
    for row in range(parameters.depth - 1):
        z = hidden[0][:, row] @ h + hidden[1][:, row, :, None]
        after = np.asarray(activation.value(z), np.float64)
        h = h + after / parameters.depth if residual else after
        yield z, h


def predictions(
    activation: Activation, parameters: Parameters, x: NDArray[np.float64], residual: bool
) -> NDArray[np.float64]:
    """f(x_p) of R nets at x (P, D): (R, P)."""
    results = np.empty((len(parameters.c), len(x)))
    width = parameters.b.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):  # of nets that diverge
        for part in blocks(len(results), 4 * width * max(1, len(x))):
            taken = Parameters(*(array[part] for array in parameters))
            *_, (_, h) = layers(activation, taken, x, residual)
            v, c = (array.astype(np.float64) for array in (taken.v, taken.c))
            results[part] = (v[:, None, :] @ h)[:, 0] + c[:, None]
    return results


def losses(
    activation: Activation, parameters: Parameters, data: Dataset, loss: str, residual: bool
) -> NDArray[np.float64]:
    """The mean loss of R nets, as `evaluate.losses` defines it: (R,)."""
    results = np.empty(len(parameters.c))
    for part in blocks(len(results), max(1, data.points)):
        taken = Parameters(*(array[part] for array in parameters))
        f = predictions(activation, taken, data.x, residual)
        with np.errstate(over="ignore", invalid="ignore"):
            squared = loss == "squared"
            terms = (f - data.y) ** 2 if squared else np.logaddexp(0.0, f) - data.y * f
            results[part] = (terms * data.weight).sum(axis=1)  # row by row, whatever their number
    return results + data.offset
