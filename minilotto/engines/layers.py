"""The hidden layers of nets, in NumPy and float64."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation


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
