"""Derivatives of activations, and the Taylor coefficients of tickets about x = 0."""

from math import factorial

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import ArrayLike
from scipy.special import ndtr

from minilotto.errors import ConfigError, DataError
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array, check_match, reals_of
from minilotto.settings.limits import check_whole

HIGHEST_ORDER = 20  # beyond, factorials and alternating sums leave few digits


def derivatives(activation: Activation, z: ArrayLike, order: int) -> Array:
    """sigma, sigma', ..., up to the derivative of `order`, at z.

    The derivatives of s = 1 / (1 + e^-z) are polynomials in s, those of tanh in tanh, those of the
    normal density Hermite polynomials times itself; silu's and gelu's follow by Leibniz, (z g)^(n)
    = z g^(n) + n g^(n - 1). For relu and leaky_relu all from the second on are zero off the kink,
    where none exists.

    Parameters
    ----------
    activation : Activation
    z : array_like of float
        Of any shape.
    order : int
        From 0 to HIGHEST_ORDER.

    Returns
    -------
    (order + 1, *z.shape) ndarray of float64

    Raises
    ------
    ConfigError
        For an order out of range, or an activation without a rule.
    DataError
        For z on a kink.

    Examples
    --------
    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> derivatives(ACTIVATIONS["silu"], 0.0, 4).tolist()
    [0.0, 0.5, 0.5, 0.0, -0.5]
    """
    check_whole("order", order, 0, HIGHEST_ORDER)
    at = reals_of("z", z)
    if activation.name not in _RULES:
        raise ConfigError(
            f"activation {activation.name!r} has no rule for derivatives; choose from "
            f"{', '.join(_RULES)}"
        )
    return np.stack(_RULES[activation.name](activation, at, order))


def ticket_taylor(
    activation: Activation,
    w: ArrayLike,
    b: ArrayLike,
    v: ArrayLike,
    c: ArrayLike = 0.0,
    order: int = 4,
) -> Array:
    """Coefficients of 1, x^2, x^4, ... of the exact pair v sigma(w x + b) + v sigma(-w x + b) + c.

    t_2k = 2 v sigma^(2k)(b) w^(2k) / (2k)!, and c more for k = 0: 2 sigma(b) v + c, v sigma''(b)
    w^2, v sigma''''(b) w^4 / 12, ... Odd coefficients are zero.

    Parameters
    ----------
    activation : Activation
    w, b, v, c : array_like of float
        Scalars or arrays of one shape.
    order : int
        As in `derivatives`.

    Returns
    -------
    (..., order // 2 + 1) ndarray of float64

    Raises
    ------
    ConfigError, DataError
        As `derivatives`; DataError also for shapes that do not match.

    References
    ----------
    Paper: equation 4. Differs: there a letter u stands for v.

    Examples
    --------
    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> pair = (0.83010393, -1.16842347, 5.68585086, 3.1539197)
    >>> ticket_taylor(ACTIVATIONS["silu"], *pair).round(4).tolist()
    [0.003, 0.9822, 0.0154]
    """
    slope, bias, output, constant = map(reals_of, "wbvc", (w, b, v, c))
    parts = {"w": slope, "b": bias, "v": output, "c": constant}
    try:
        np.broadcast_shapes(*(part.shape for part in parts.values()))
    except ValueError:
        check_match(False, "scalars or arrays of one shape", **parts)
    sigma = derivatives(activation, bias, order)
    terms = [2 * output * sigma[k] * slope**k / factorial(k) for k in range(0, order + 1, 2)]
    terms[0] = terms[0] + constant
    return np.stack(np.broadcast_arrays(*terms), axis=-1)


def _sigmoid(_: Activation, z: Array, order: int) -> list[Array]:
    """s^(n) = s (1 - s) q_n(s), q_1 = 1, q_(n+1) = (1 - 2 s) q_n + s (1 - s) q_n'.

    At -|z|, as q_n cancels near s = 1: s^(n)(z) = -(-1)^n s^(n)(-z).
    """
    e = np.exp(-np.abs(z))
    s, slope = e / (1.0 + e), e / (1.0 + e) ** 2
    rows, q = [np.where(z < 0, e, 1.0) / (1.0 + e)], Polynomial([1.0])
    for n in range(1, order + 1):
        rows.append(np.where(z > 0, -((-1.0) ** n), 1.0) * slope * q(s))
        q = Polynomial([1.0, -2.0]) * q + Polynomial([0.0, 1.0, -1.0]) * q.deriv()
    return rows


def _tanh(activation: Activation, z: Array, order: int) -> list[Array]:
    """tanh z = 2 s(2 z) - 1, so that its n-th derivative is 2^(n + 1) s^(n)(2 z)."""
    rows = [2.0 ** (n + 1) * row for n, row in enumerate(_sigmoid(activation, 2 * z, order))]
    return [np.tanh(z), *rows[1:]]


def _softplus(activation: Activation, z: Array, order: int) -> list[Array]:
    return [np.logaddexp(0.0, z), *_sigmoid(activation, z, order)][: order + 1]


def _normal(_: Activation, z: Array, order: int) -> list[Array]:
    """Phi^(n + 1) = (-1)^n He_n(z) phi(z), He_(n+1) = z He_n - n He_(n-1)."""
    rows, before, here = [ndtr(z)], np.zeros_like(z), np.ones_like(z)
    z = np.clip(z, -40.0, 40.0)  # beyond, the density is 0, and powers of z may be infinite
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    for n in range(order):
        rows.append((-1) ** n * here * density)
        before, here = here, z * here - n * before
    return rows


def _times_z(inner: list[Array], z: Array) -> list[Array]:
    """Derivatives of z g(z) from those of g."""
    return [z * inner[0], *(z * inner[n] + n * inner[n - 1] for n in range(1, len(inner)))]


def _piecewise(activation: Activation, z: Array, order: int) -> list[Array]:
    if (z == 0).any():
        raise DataError(
            f"{activation.name} has no derivative at its kink z = 0; leave out neurons with b = 0"
        )
    rows = [np.asarray(row, np.float64) for row in (activation.value(z), activation.slope(z))]
    return [*rows, *(np.zeros_like(z) for _ in range(order))][: order + 1]


_RULES = {
    "silu": lambda activation, z, order: _times_z(_sigmoid(activation, z, order), z),
    "gelu": lambda activation, z, order: _times_z(_normal(activation, z, order), z),
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "softplus": _softplus,
    "relu": _piecewise,
    "leaky_relu": _piecewise,
}
