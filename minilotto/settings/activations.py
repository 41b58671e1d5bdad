"""ACTIVATIONS: the activation functions, as frozen rows of NumPy functions.

These rows are the definition, readable and exact to float64 rounding. `kernels/formulas.py` holds
the forms that are compiled. The tests compare one with the other, each slope with its value, and
both with torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.settings.limits import check_choice
from minilotto.settings.numbers import real_number

Reals = NDArray[np.floating]  # float32 or float64


@dataclass(frozen=True)
class Activation:
    """One activation sigma.

    Parameters
    ----------
    name : str
        What Config.activation takes.
    latex : str
        Its formula.
    value, slope, curvature : callable
        Map an array z to sigma(z), sigma'(z) and sigma''(z), of the same shape.
    kinks : tuple of float
        Where the slope jumps: there it takes its left limit, as in torch, and the curvature is
        given as zero.
    parameter : float
        The one number that a kernel gets beside z: the slope of leaky_relu for z < 0, unused by
        the others.
    """

    name: str
    latex: str
    value: Callable[[Reals], Reals]
    slope: Callable[[Reals], Reals]
    curvature: Callable[[Reals], Reals]
    kinks: tuple[float, ...] = ()
    parameter: float = 0.0

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A row of ACTIVATIONS travels as its name: its functions need not be picklable."""
        if self.name == "leaky_relu" or ACTIVATIONS.get(self.name) is self:
            return activation_of, (self.name, self.parameter)
        return super().__reduce_ex__(protocol)


def _sigmoid(z: Reals) -> Reals:
    e = np.exp(-np.abs(z))
    return np.where(z < 0, e, 1.0) / (1.0 + e)


def _sigmoid_slope(z: Reals) -> Reals:
    e: Reals = np.exp(-np.abs(z))
    return e / (1.0 + e) ** 2


def _silu_slope(z: Reals) -> Reals:
    return _sigmoid(z) * (1.0 + z * _sigmoid(-z))


def _silu_curvature(z: Reals) -> Reals:
    curvature: Reals = _sigmoid_slope(z) * (2.0 - z * np.tanh(z / 2.0))
    return curvature


def _tanh_slope(z: Reals) -> Reals:
    cosh: Reals = np.cosh(np.minimum(np.abs(z), 350.0))
    return 1.0 / cosh**2


def _normal(z: Reals) -> Reals:
    from scipy.special import ndtr

    fraction: Reals = ndtr(z)
    return fraction


def _gelu_curvature(z: Reals) -> Reals:
    square = np.minimum(np.abs(z), 100.0) ** 2
    curvature: Reals = np.exp(-0.5 * square) / np.sqrt(2.0 * np.pi) * (2.0 - square)
    return curvature


def leaky_relu(negative_slope: float = 0.01) -> Activation:
    """LeakyReLU, sigma(z) = max(z, 0) + negative_slope min(z, 0).

    Paper: section 2.2, which gives no slope; the default is torch's. Raises ConfigError for a slope
    that is not a finite number below 1.
    """
    negative_slope = real_number("negative_slope", negative_slope, "below 1", lambda a: a < 1)
    return Activation(
        name="leaky_relu",
        latex=r"\max(z, 0) + a \min(z, 0)",
        value=lambda z: np.where(z > 0, z, negative_slope * z),
        slope=lambda z: np.where(z > 0, 1.0, negative_slope),
        curvature=np.zeros_like,
        kinks=(0.0,),
        parameter=negative_slope,
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
    Activation(
        "gelu",
        r"z\,\Phi(z)",
        lambda z: z * _normal(z),
        lambda z: _normal(z) + z * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi),
        _gelu_curvature,
    ),
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
    """The row of that name, of leaky_relu with that slope for z < 0; ConfigError for an unknown
    name.

    >>> float(activation_of("leaky_relu", 0.2).value(np.array(-1.0)))
    -0.2
    """
    check_choice("activation", name, ACTIVATIONS)
    return leaky_relu(negative_slope) if name == "leaky_relu" else ACTIVATIONS[name]
