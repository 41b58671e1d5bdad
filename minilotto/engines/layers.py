"""Losses and predictions of nets of several hidden layers, in NumPy and float64."""

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.initialisation import Parameters
from minilotto.kernels import layers
from minilotto.settings.activations import Activation
from minilotto.settings.limits import blocks


def predictions(
    activation: Activation, parameters: Parameters, x: NDArray[np.float64], residual: bool
) -> NDArray[np.float64]:
    """f(x_p) of R nets at x (P, D): (R, P)."""
    results = np.empty((len(parameters.c), len(x)))
    width = parameters.b.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):  # of nets that diverge
        for part in blocks(len(results), 4 * width * max(1, len(x))):
            taken = Parameters(*(array[part] for array in parameters))
            results[part] = layers.outputs(activation, taken, x, residual)
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
            terms, _ = layers.loss_and_slope(loss, f, data.y)
            results[part] = (terms * data.weight).sum(axis=1)  # row by row, whatever their number
    return results + data.offset
