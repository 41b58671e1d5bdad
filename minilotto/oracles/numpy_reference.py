"""The oracle of every kernel: plain NumPy that shares no formula with the package.

Activations are written a second time, as functions that also take complex numbers. Slopes of smooth
ones come from a complex step, sigma'(z) = Im sigma(z + ih) / h with h = 1e-200 (in float64 exact to
rounding), so that no formula of a slope is trusted. backend="reference" trains with it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit

Reals = NDArray[np.floating]  # float32 or float64
Numbers = NDArray[np.inexact]  # these, or complex
STEP = 1e-200


class Row(Protocol):
    """An activation as NumPy functions of its value and slope."""

    @property
    def value(self) -> Callable[[Any], Any]: ...
    @property
    def slope(self) -> Callable[[Any], Any]: ...


def _logistic(z: Numbers) -> Numbers:
    if not np.iscomplexobj(z):
        real: Numbers = expit(z)
        return real
    positive = z.real > 0
    e = np.exp(np.where(positive, -z, z))
    return np.where(positive, 1 / (1 + e), e / (1 + e))


def _softplus(z: Numbers) -> Numbers:
    large = z.real > 0
    return np.where(large, z, 0) + np.log1p(np.exp(np.where(large, -z, z)))


SMOOTH: dict[str, Callable[[Numbers], Numbers]] = {
    "silu": lambda z: z * _logistic(z),
    "tanh": np.tanh,
    "gelu": lambda z: z * (1 + erf(z * 2**-0.5)) / 2,
    "softplus": _softplus,
    "sigmoid": _logistic,
}
KINKED = ("relu", "leaky_relu")


def second_opinion(row: Any) -> "str | Row":
    """The name of an activation that is written here, else its row with functions of its own."""
    known: str | Row = row.name if row.name in SMOOTH or row.name in KINKED else row
    return known


def activation(name: str | Row, z: Reals, negative_slope: float = 0.01) -> tuple[Reals, Reals]:
    """(sigma(z), sigma'(z)) in the shape and precision of z; a kink has the slope on its left."""
    if not isinstance(name, str):
        return name.value(z).astype(z.dtype), name.slope(z).astype(z.dtype)
    if name in KINKED:
        left = 0.0 if name == "relu" else negative_slope
        slope = np.where(z > 0, 1.0, left).astype(z.dtype)
        return slope * z, slope
    sigma = SMOOTH[name]
    slope = np.imag(sigma(z.astype(np.complex128) + 1j * STEP)) / STEP
    return sigma(z).astype(z.dtype), slope.astype(z.dtype)


def predict(
    name: str | Row,
    w: Reals,
    b: Reals,
    v: Reals,
    c: Reals,
    x: Reals,
    negative_slope: float = 0.01,
    *,
    hidden: Sequence[Reals] = (),
    residual: bool = False,
) -> Reals:
    """Outputs f(x) = sum_i v_i sigma(w_i x + b_i) + c (R, P), or those of more hidden layers.
    Paper: Eq. 1.

    Parameters are w (R, N, D), b and v (R, N), c (R,) and, as `hidden`, weights (R, L - 1, N, N)
    and biases (R, L - 1, N) of the layers h_l = sigma(W_l h_(l-1) + b_l) after the first; if
    `residual`, h_l = h_(l-1) + sigma(W_l h_(l-1) + b_l) / L.
    """
    values, _ = _layers(name, w, b, hidden, residual, x, negative_slope)
    f: Reals = np.einsum("rn,rnp->rp", v, values[-1]) + c[:, None]
    return f


def _layers(
    name: str | Row,
    w: Reals,
    b: Reals,
    hidden: Sequence[Reals],
    residual: bool,
    x: Reals,
    negative_slope: float,
) -> tuple[list[Reals], list[Reals]]:
    """h_1, ..., h_L, each (R, N, P), and the slopes of sigma in each layer."""
    z = np.einsum("rnd,pd->rnp", w, x) + b[:, :, None]
    value, slope = activation(name, z, negative_slope)
    values, slopes = [value], [slope]
    for weights, biases in _rows(hidden):
        z = weights @ values[-1] + biases[:, :, None]
        value, slope = activation(name, z, negative_slope)
        depth = 1 + hidden[0].shape[1]
        values.append(values[-1] + value / depth if residual else value)
        slopes.append(slope / depth if residual else slope)
    return values, slopes


def _rows(hidden: Sequence[Reals]) -> list[tuple[Reals, Reals]]:
    """W_l and b_l of all nets, of each layer after the first."""
    return list(zip(*(array.swapaxes(0, 1) for array in hidden), strict=True)) if hidden else []


def _square(f: Reals, y: Reals) -> tuple[Numbers, Numbers]:
    return (f - y) ** 2, 2 * (f - y)


def _cross_entropy(f: Reals, y: Reals) -> tuple[Numbers, Numbers]:
    return _softplus(f) - y * f, _logistic(f) - y


def loss_and_gradient(
    name: str | Row,
    w: Reals,
    b: Reals,
    v: Reals,
    c: Reals,
    x: Reals,
    y: Reals,
    weight: Reals,
    negative_slope: float = 0.01,
    loss: str = "squared",
    *,
    hidden: Sequence[Reals] = (),
    residual: bool = False,
) -> tuple[Reals, tuple[Reals, ...]]:
    """The losses (R,) sum_p weight_p (f(x_p) - y_p)^2 of nets as of `predict`, and their gradients,
    in the shapes of w, b, v, c and, with `hidden`, of its two.

    The loss "logistic" is sum_p weight_p (log(1 + e^f(x_p)) - y_p f(x_p)) for y_p of 0 or 1.
    """
    values, slopes = _layers(name, w, b, hidden, residual, x, negative_slope)
    f = np.einsum("rn,rnp->rp", v, values[-1]) + c[:, None]
    terms, of_loss = {"squared": _square, "logistic": _cross_entropy}[loss](f, y)
    df: Any = weight * of_loss  # as complex as the parameters are
    dh = df[:, None, :] * v[:, :, None]
    gradients = []  # of the last hidden layer first
    for row, (weights, _) in reversed(list(enumerate(_rows(hidden)))):
        dz = dh * slopes[row + 1]
        gradients.append((dz @ values[row].swapaxes(1, 2), dz.sum(axis=2)))
        dh = weights.swapaxes(1, 2) @ dz + (dh if residual else 0)
    dz = dh * slopes[0]
    dw = np.einsum("rnp,pd->rnd", dz, x)
    dv = np.einsum("rp,rnp->rn", df, values[-1])
    dhidden = (np.stack(layers, axis=1) for layers in zip(*gradients[::-1], strict=True))
    return (np.einsum("p,rp->r", weight, terms), (dw, dz.sum(axis=2), dv, df.sum(axis=1), *dhidden))


class Constants(Protocol):
    """The fields of Config that an update uses."""

    @property
    def optimizer(self) -> str: ...
    @property
    def beta1(self) -> float: ...
    @property
    def beta2(self) -> float: ...
    @property
    def epsilon(self) -> float: ...
    @property
    def momentum(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...


def update(
    config: Constants,
    parameters: Sequence[Reals],
    m: Sequence[Reals],
    s: Sequence[Reals],
    gradients: Sequence[Reals],
    step: int,
    lr: float,
) -> None:
    """One step of an optimiser in place; steps count from 1. m and s are not read by optimisers
    that have none.

    Kingma and Ba 2015, Algorithm 1; Loshchilov and Hutter 2019, Algorithm 2; Sutskever et al. 2013
    and Tieleman and Hinton 2012 as torch has them.
    """
    for p, first, second, g in zip(parameters, m, s, gradients, strict=True):
        if config.optimizer in ("adam", "adamw"):
            if config.optimizer == "adamw":
                p -= lr * config.weight_decay * p
            first += (1 - config.beta1) * (g - first)
            second += (1 - config.beta2) * (g * g - second)
            unbiased_m = first / (1 - config.beta1**step)
            unbiased_s = second / (1 - config.beta2**step)
            p -= lr * unbiased_m / (np.sqrt(unbiased_s) + config.epsilon)
        elif config.optimizer == "rmsprop":
            second += (1 - config.beta2) * (g * g - second)
            p -= lr * g / (np.sqrt(second) + config.epsilon)
        else:
            friction = 0.0 if config.optimizer == "gd" else config.momentum
            first *= friction
            first += g
            p -= lr * (g + friction * first if config.optimizer == "nesterov" else first)
