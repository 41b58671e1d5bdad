"""Nets of several hidden layers in NumPy and float64: what is asked of a few nets at a time."""

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


def outputs(
    activation: Activation, nets: Sequence[NDArray[Any]], x: Array, residual: bool
) -> Array:
    """f(x_p) of R nets: (R, P)."""
    *_, (_, h) = layers(activation, nets, x, residual)
    v, c = (array.astype(np.float64) for array in nets[2:4])
    f: Array = (v[:, None, :] @ h)[:, 0] + c[:, None]
    return f


def loss_and_slope(loss: str, f: Array, y: Array) -> tuple[Array, Array]:
    """The loss of outputs f and targets y, and its derivative with respect to f."""
    if loss == "squared":
        return (f - y) ** 2, 2.0 * (f - y)
    sigmoid: Array = 1.0 / (1.0 + np.exp(-f))
    return np.logaddexp(0.0, f) - y * f, sigmoid - y


def derivatives(
    activation: Activation, nets: Sequence[NDArray[Any]], x: Array, residual: bool
) -> tuple[Array, ...]:
    """Derivatives of the outputs f(x_p) of R nets with respect to (w, b, v, c, hidden_w, hidden_b),
    each (R, P, ...) in its shape.
    """
    zs, hs = zip(*layers(activation, nets, x, residual), strict=True)
    depth, points = len(zs), len(x)
    share = 1.0 / depth if residual else 1.0
    dh = np.repeat(nets[2].astype(np.float64)[:, :, None], points, axis=2)
    later: list[tuple[Array, Array]] = []  # of the last hidden layer first
    for row in range(depth - 2, -1, -1):
        db = (share * dh * activation.slope(zs[row + 1])).transpose(0, 2, 1)
        later.append((db[..., None] * hs[row].transpose(0, 2, 1)[:, :, None, :], db))
        back = (db @ nets[4][:, row].astype(np.float64)).transpose(0, 2, 1)
        dh = dh + back if residual else back
    db = (dh * activation.slope(zs[0])).transpose(0, 2, 1)
    hidden = (np.stack(parts, axis=2) for parts in zip(*later[::-1], strict=True))
    one = np.ones((len(db), points))
    return (db[..., None] * x[:, None, :], db, hs[-1].transpose(0, 2, 1), one, *hidden)
