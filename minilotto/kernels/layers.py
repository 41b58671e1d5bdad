"""What the layers of nets hold, in NumPy and float64: asked of a few nets at a time."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array


def layers(
    activation: Activation, nets: Sequence[NDArray[Any]], x: Array, residual: bool
) -> Iterator[tuple[Array, Array]]:
    """z_l, which the activation takes, and h_l, both (R, N, P), of each hidden layer.

    `nets` are (w, b, v, c, hidden_w, hidden_b) of R nets, or the first four; `x` is (P, D).
    """
    w, b, _, _, *hidden = (array.astype(np.float64) for array in nets)
    z = w @ x.T + b[:, :, None]
    h = np.asarray(activation.value(z), np.float64)
    yield z, h
    depth = 1 + hidden[0].shape[1] if hidden else 1
    for row in range(depth - 1):
        z = hidden[0][:, row] @ h + hidden[1][:, row, :, None]
        after = np.asarray(activation.value(z), np.float64)
        h = h + after / depth if residual else after
        yield z, h
