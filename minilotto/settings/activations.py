"""ACTIVATIONS: the activation functions, as frozen rows of NumPy functions.

These rows are the definition, readable and exact to float64 rounding. `kernels/formulas.py` holds
the forms that the machine runs; the tests hold one against the other, each slope against its value,
and both against torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from minilotto.errors import ConfigError

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Activation:
    """One activation sigma.

    value, slope and curvature map an array z to sigma(z), sigma'(z) and sigma''(z), same shape.
    `kinks` lists the z where the slope jumps: there it takes its left limit, as in torch, and the
    curvature is given as zero. `parameter` is the one number that a kernel gets beside z: the slope
    for z < 0 of leaky_relu, unused elsewhere.
    """

    name: str
    latex: str
    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    curvature: Callable[[Array], Array]
    kinks: tuple[float, ...] = ()
    parameter: float = 0.0


def _sigmoid(z: Array) -> Array:
    e = np.exp(-np.abs(z))
    return np.where(z < 0, e, 1.0) / (1.0 + e)


def _sigmoid_slope(z: Array) -> Array:
    e = np.exp(-np.abs(z))
    return e / (1.0 + e) ** 2


def _silu_slope(z: Array) -> Array:
    return _sigmoid(z) * (1.0 + z * _sigmoid(-z))


def _silu_curvature(z: Array) -> Array:
    return _sigmoid_slope(z) * (2.0 - z * np.tanh(z / 2.0))


def _tanh_slope(z: Array) -> Array:
    return 1.0 / np.cosh(np.minimum(np.abs(z), 350.0)) ** 2


def _gelu(z: Array) -> Array:
    from scipy.special import ndtr

    return z * ndtr(z)


def _gelu_slope(z: Array) -> Array:
    from scipy.special import ndtr

    return ndtr(z) + z * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)


def _gelu_curvature(z: Array) -> Array:
    square = np.minimum(np.abs(z), 100.0) ** 2
    return np.exp(-0.5 * square) / np.sqrt(2.0 * np.pi) * (2.0 - square)


def leaky_relu(negative_slope: float = 0.01) -> Activation:
    """LeakyReLU, max(z, 0) + negative_slope * min(z, 0). Paper: section 2.2; the slope is torch's
    default there, by our guess.
    """
    return Activation(
        name="leaky_relu",
        latex=r"\max(z, 0) + a \min(z, 0)",
        value=lambda z: np.where(z > 0, z, negative_slope * z),
        slope=lambda z: np.where(z > 0, 1.0, negative_slope),
        curvature=np.zeros_like,
        kinks=(0.0,),
        parameter=float(negative_slope),
    )


_ROWS = (
    Activation(
        "silu", r"z / (1 + e^{-z})", lambda z: z * _sigmoid(z), _silu_slope, _silu_curvature
    ),
    Activation(
        "relu",
        r"\max(z, 0)",
        lambda z: np.maximum(z, 0.0),
        lambda z: np.where(z > 0, 1.0, 0.0),
        np.zeros_like,
        kinks=(0.0,),
    ),
    leaky_relu(),
    Activation(
        "tanh", r"\tanh z", np.tanh, _tanh_slope, lambda z: -2.0 * np.tanh(z) * _tanh_slope(z)
    ),
    Activation("gelu", r"z\,\Phi(z)", _gelu, _gelu_slope, _gelu_curvature),
    Activation(
        "softplus", r"\log(1 + e^z)", lambda z: np.logaddexp(0.0, z), _sigmoid, _sigmoid_slope
    ),
    Activation(
        "sigmoid",
        r"1 / (1 + e^{-z})",
        _sigmoid,
        _sigmoid_slope,
        lambda z: -_sigmoid_slope(z) * np.tanh(z / 2.0),
    ),
)

ACTIVATIONS = MappingProxyType({row.name: row for row in _ROWS})


def activation_of(name: str, negative_slope: float = 0.01) -> Activation:
    """The row of that name, with leaky_relu's slope set.

    Raises ConfigError for an unknown name.

    >>> float(activation_of("leaky_relu", 0.2).value(np.array(-1.0)))
    -0.2
    """
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ConfigError(f"activation={name!r} is unknown; choose from {', '.join(ACTIVATIONS)}")
    return leaky_relu(negative_slope) if name == "leaky_relu" else ACTIVATIONS[name]
