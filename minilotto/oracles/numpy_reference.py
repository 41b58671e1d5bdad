"""The plain reference: NumPy, no speed, and no formula of ours.

It is the oracle for every kernel. Activations are written anew, as functions that also take complex
numbers; slopes of smooth ones come from a complex step, sigma'(z) = Im sigma(z + ih) / h with h =
1e-200 (in float64 exact to rounding), so that no slope formula is trusted. An activation that is
not written anew here comes as its NumPy row. backend="reference" trains with it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit

STEP = 1e-200


def _logistic(z: NDArray) -> NDArray:
    if not np.iscomplexobj(z):
        return expit(z)
    positive = z.real > 0
    e = np.exp(np.where(positive, -z, z))
    return np.where(positive, 1 / (1 + e), e / (1 + e))


def _softplus(z: NDArray) -> NDArray:
    large = z.real > 0
    return np.where(large, z, 0) + np.log1p(np.exp(np.where(large, -z, z)))


SMOOTH: dict[str, Callable[[NDArray], NDArray]] = {
    "silu": lambda z: z * _logistic(z),
    "tanh": np.tanh,
    "gelu": lambda z: z * (1 + erf(z * 2**-0.5)) / 2,
    "softplus": _softplus,
    "sigmoid": _logistic,
}
KINKED = ("relu", "leaky_relu")


def second_opinion(row: Any) -> Any:
    """What the functions here take for an activation: its name, or the row with its functions where
    it is not written anew here.
    """
    return row.name if row.name in SMOOTH or row.name in KINKED else row


def activation(name: Any, z: NDArray, negative_slope: float = 0.01) -> tuple[NDArray, NDArray]:
    """(sigma(z), sigma'(z)) for real z, in z's precision. At a kink the slope is the one from the
    left.
    """
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
    name: Any,
    w: NDArray,
    b: NDArray,
    v: NDArray,
    c: NDArray,
    x: NDArray,
    negative_slope: float = 0.01,
) -> NDArray:
    """f(x) = sum_i v_i sigma(w_i x + b_i) + c, (R, P), for x (P, D), w (R, N, D), b and v (R, N), c
    (R,). Paper: Eq. 1.
    """
    z = np.einsum("rnd,pd->rnp", w, x) + b[:, :, None]
    return np.einsum("rn,rnp->rp", v, activation(name, z, negative_slope)[0]) + c[:, None]


def _square(f: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
    return (f - y) ** 2, 2 * (f - y)


def _cross_entropy(f: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
    return _softplus(f) - y * f, _logistic(f) - y


def loss_and_gradient(
    name: Any,
    w: NDArray,
    b: NDArray,
    v: NDArray,
    c: NDArray,
    x: NDArray,
    y: NDArray,
    weight: NDArray,
    negative_slope: float = 0.01,
    loss: str = "squared",
) -> tuple[NDArray, tuple[NDArray, NDArray, NDArray, NDArray]]:
    """Losses (R,) and gradients (dw, db, dv, dc), shaped as w, b, v, c, of sum_p weight_p (f(x_p) -
    y_p)^2.

    loss="logistic": of sum_p weight_p (log(1 + e^f(x_p)) - y_p f(x_p)) for y_p of 0 or 1.
    """
    z = np.einsum("rnd,pd->rnp", w, x) + b[:, :, None]
    value, slope = activation(name, z, negative_slope)
    f = np.einsum("rn,rnp->rp", v, value) + c[:, None]
    terms, slopes = {"squared": _square, "logistic": _cross_entropy}[loss](f, y)
    df = weight * slopes
    dz = df[:, None, :] * v[:, :, None] * slope
    dw = np.einsum("rnp,pd->rnd", dz, x)
    return np.einsum("p,rp->r", weight, terms), (
        dw,
        dz.sum(axis=2),
        np.einsum("rp,rnp->rn", df, value),
        df.sum(axis=1),
    )


def adam(
    parameters: Sequence[NDArray],
    first: Sequence[NDArray],
    second: Sequence[NDArray],
    gradients: Sequence[NDArray],
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    epsilon: float,
) -> None:
    """One Adam step in place; `step` counts from 1. Kingma and Ba 2015, Algorithm 1, with the bias
    corrections inside.
    """
    for p, m, s, g in zip(parameters, first, second, gradients, strict=True):
        m += (1 - beta1) * (g - m)
        s += (1 - beta2) * (g * g - s)
        unbiased_m = m / (1 - beta1**step)
        unbiased_s = s / (1 - beta2**step)
        p -= lr * unbiased_m / (np.sqrt(unbiased_s) + epsilon)
