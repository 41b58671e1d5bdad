"""The valley of mirror pairs: v sigma(w x + b) + v sigma(-w x + b) + c as w goes to 0 and v to
infinity, and where it leads.

Expanded in w, the pair is a polynomial in x^2 whose coefficient of x^(2k) is of order v w^(2k) (Eq.
4). Where v sigma''(b) w^2 = 1, x^2 comes out exactly and x^4 has order w^2: the loss falls as w^4
at any b. At the b where sigma'''' is zero x^4 vanishes too, and the loss falls as w^8. There is no
minimum on the way: the least loss, zero, is at no net.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, least_squares

from minilotto.analysis.tickets.taylor import derivatives
from minilotto.data.dataset import Dataset
from minilotto.ensemble.ensemble import Ensemble
from minilotto.ensemble.last_layer import (
    EPSILON,
    NEAR,
    RANK_CUT,
    TO_ROUNDING,
    centred,
    check_weight,
    directions,
)
from minilotto.errors import ConfigError, DataError, shown
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array, reals_of
from minilotto.settings.display import Shown
from minilotto.settings.limits import check_one_layer
from minilotto.settings.numbers import real_number

__all__ = ["Descent", "Valley", "descent", "valley"]

REACH = 20.0  # of b, within which a zero of sigma'''' is looked for
EQ2 = Parameters(  # the ticket that the paper prints in Eq. 2
    np.array([[[-0.83010483], [0.83010304]]]),
    np.array([[-1.16842330, -1.16842365]]),
    np.array([[5.68583536, 5.68586636]]),
    np.array([3.1539197]),
)
ASYMMETRY = 0.05  # of |w|, b and v of two neurons, below which they are a mirror pair


@dataclass(frozen=True, eq=False)
class Valley(Shown):
    """The best mirror pair at each |w|, in the order in which the w were given.

    Parameters
    ----------
    w, b, v, c, loss : (M,) ndarray of float64
    rounding : (M,) ndarray of float64
        (eps times the root mean square of 2 |v| |sigma| + |c|)^2, the loss that rounding alone may
        make.
    """

    w: Array
    b: Array
    v: Array
    c: Array
    loss: Array
    rounding: Array

    @property
    def resolved(self) -> NDArray[np.bool_]:
        """(M,) whether the loss is more than NEAR times its rounding."""
        return self.loss > NEAR * self.rounding


@dataclass(frozen=True)
class Descent(Shown):
    """Expansion at the valley's far end: loss -> coefficient |w|^power, b -> bias as w -> 0.

    Parameters
    ----------
    power : int
    coefficient, bias : float
    """

    power: int
    coefficient: float
    bias: float

    def loss(self, w: ArrayLike) -> Array:
        """coefficient |w|^power.

        Parameters
        ----------
        w : array_like of float
            Of any shape.

        Returns
        -------
        ndarray of float64
            Of the same shape.
        """
        return self.coefficient * np.abs(reals_of("w", w)) ** self.power


def valley(
    activation: Activation, w: ArrayLike, data: Dataset, bias: float, fitted: bool = True
) -> Valley:
    """For each |w|, the b, v and c of the least loss of v sigma(w x + b) + v sigma(-w x + b) + c.

    v and c are at their least squares for each b, the column centred and scaled before (variable
    projection); b is found by Levenberg and Marquardt's steps along the projected residual, from
    `bias` at the largest |w| and from one w to the next below. All in float64.

    Parameters
    ----------
    activation : Activation
    w : (M,) array_like of float
        Above 0, in any order.
    data : Dataset
        Of one input, weights at least 0.
    bias : float
        Where to begin, and with fitted=False the b of all.
    fitted : bool

    Returns
    -------
    Valley

    Raises
    ------
    ConfigError
        For w not above 0, or a bias that is not finite.
    DataError
        For data of more inputs or with negative weights.

    References
    ----------
    Paper: equations 2 to 4. Differs: there one pair is printed; here w is a coordinate.

    Examples
    --------
    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> from minilotto.settings.config import Config
    >>> from minilotto.data.dataset import sampled
    >>> found = valley(ACTIVATIONS["silu"], [0.83, 0.083], sampled(Config()), -1.168)
    >>> bool(found.loss[1] < 1e-7 * found.loss[0])
    True
    """
    at = reals_of("w", w)
    if at.ndim != 1 or not ((at > 0) & (at < np.inf)).all():
        raise ConfigError(
            f"w={shown(w)} are no slopes of mirror pairs; give numbers above 0, as (M,)"
        )
    check_weight(data.weight)
    if data.inputs != 1:
        raise DataError(f"data have {data.inputs} inputs; a mirror pair takes points of one input")
    pair = _Pair(activation, data)
    result = np.empty((6, len(at)))
    b = real_number("bias", bias, "at which to begin", lambda _: True)
    for i in np.argsort(-at):
        pair.w = float(at[i])
        if fitted:
            end = least_squares(pair.residual, [b], pair.jacobian, x_scale=[1.0], **TO_ROUNDING)
            b = float(end.x[0])
        result[:, i] = at[i], b, *pair.solution(b)
    return Valley(*result)


class _Pair:
    """Residual and slope of a mirror pair of slope w as functions of b, with v and c fitted."""

    w = 1.0

    def __init__(self, activation: Activation, data: Dataset) -> None:
        self.activation, self.x, self.y, self.offset = activation, data.x[:, 0], data.y, data.offset
        self.weight: Array = data.weight / data.weight.sum()
        self.root = np.sqrt(self.weight)
        self.target = centred(data.y, self.root)

    def _sum(self, function: Callable[[Array], NDArray[Any]], b: float) -> Array:
        """function(w x + b) + function(-w x + b): (P,)."""
        return np.asarray(function(self.w * self.x + b) + function(-self.w * self.x + b))

    def _unit(self, b: float) -> tuple[Array, float]:
        units, length = directions(self._sum(self.activation.value, b)[None], self.root)
        return units[0], float(length[0])

    def residual(self, b: Array) -> Array:
        unit, _ = self._unit(float(b[0]))
        rest = self.target - (unit @ self.target) * unit
        return rest - (unit @ rest) * unit

    def jacobian(self, b: Array) -> Array:
        """Kaufman's (P, 1)."""
        unit, length = self._unit(float(b[0]))
        slope = centred(self._sum(self.activation.slope, float(b[0])), self.root)
        for _ in range(2):
            slope = slope - (unit @ slope) * unit
        return (-(unit @ self.target) / length * slope)[:, None]

    def solution(self, b: float) -> tuple[float, float, float, float]:
        """v, c, the loss as float64 evaluates the pair, and its rounding."""
        unit, length = self._unit(b)
        v = float(unit @ self.target) / length if length > RANK_CUT else 0.0
        one, other = (self.activation.value(w * self.x + b) for w in (self.w, -self.w))
        hidden = v * one + v * other
        c = float(self.weight @ (self.y - hidden))
        loss = float(self.weight @ (hidden + c - self.y) ** 2) + self.offset
        terms = abs(v) * (np.abs(one) + np.abs(other)) + abs(c)
        return v, c, loss, float(EPSILON**2 * (self.weight @ terms**2))


def descent(activation: Activation, data: Dataset, near: float, fitted: bool = True) -> Descent:
    """The power of |w| by which the valley's loss falls as w -> 0, its factor and its b.

    x^4's coefficient is sigma''''(b) w^2 / (12 sigma''(b)), x^6's sigma^(6)(b) w^4 / (360
    sigma''(b)), once v sigma''(b) w^2 = 1. Fitted, b goes to the zero of sigma'''' nearest to
    `near`, and changes of b about it by order w^2 take the component of x^6 along x^4 away: loss =
    (sigma^(6) / (360 sigma''))^2 m w^8, m the mean square of x^6 less its projection on 1, x^2,
    x^4. Otherwise b = near and loss = (sigma'''' / (12 sigma''))^2 m w^4, m that of x^4 less its
    projection on 1, x^2.

    Parameters
    ----------
    activation : Activation
    data : Dataset
        With the target x^2.
    near : float
    fitted : bool

    Returns
    -------
    Descent

    Raises
    ------
    ConfigError
        For an activation without a zero of sigma'''' or without curvature there.
    DataError
        For a target that is not x^2.

    References
    ----------
    Paper: equation 4.

    Examples
    --------
    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> from minilotto.settings.config import Config
    >>> from minilotto.data.dataset import sampled
    >>> descent(ACTIVATIONS["silu"], sampled(Config()), -1.168).power
    8
    """
    x = data.x[:, 0]
    if data.inputs != 1 or np.abs(data.y - x**2).max() > 1e-12 * np.abs(data.y).max():
        raise DataError(
            "the data's target is not x^2; the expansion is that of a pair which learns x^2"
        )
    bias = _quartic_zero(activation, near) if fitted else float(near)
    order = 6 if fitted else 4
    sigma = derivatives(activation, bias, order)
    if not abs(sigma[2]) > 1e-8:
        raise ConfigError(
            f"{activation.name} has no curvature at {bias:g}; a mirror pair there makes no x^2"
        )
    factor = 2.0 * float(sigma[order]) / (factorial(order) * float(sigma[2]))
    columns = np.stack([x**k for k in range(0, order, 2)], axis=1) * np.sqrt(data.weight)[:, None]
    top = x**order * np.sqrt(data.weight)
    rest = top - columns @ np.linalg.lstsq(columns, top, rcond=None)[0]
    return Descent(2 * (order - 2), factor**2 * float(rest @ rest) / float(data.weight.sum()), bias)


def _quartic_zero(activation: Activation, near: float) -> float:
    """The zero of sigma'''' nearest to `near`. Raises ConfigError."""
    grid = near + np.linspace(-REACH, REACH, 4001)
    fourth = derivatives(activation, grid, 4)[4]
    changes = np.flatnonzero(np.signbit(fourth[1:]) != np.signbit(fourth[:-1]))
    changes = changes[np.abs(fourth[changes] - fourth[changes + 1]) > 1e-9]
    if not len(changes):
        raise ConfigError(
            f"the fourth derivative of {activation.name} has no zero near {near:g}; give another b"
        )
    i = changes[np.argmin(np.abs(grid[changes] - near))]
    function = lambda b: float(derivatives(activation, b, 4)[4])  # noqa: E731
    return float(brentq(function, grid[i], grid[i + 1], xtol=1e-15))


@dataclass(frozen=True, eq=False)
class Tickets(Shown):
    """Mirror pairs near the valley's floor, their mean |w| (T,), and among how many nets."""

    nets: Ensemble
    w: Array
    of: int


def tickets(nets: Ensemble, bias: float) -> Tickets:
    """The nets of two neurons (w, b, v) and (-w, b, v) to ASYMMETRY, whose loss is finite and whose
    b is nearer to `bias`, that of the valley's far end, than to 0.
    """
    check_one_layer("an analysis of neurons", nets.config.depth)
    w, b, v = (part.astype(np.float64) for part in (nets.w[:, :, 0], nets.b, nets.v))
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = [
            np.abs(one[:, 0] - other) / np.abs(one).mean(axis=1)
            for one, other in ((w, -w[:, 1]), (b, b[:, 1]), (v, v[:, 1]))
        ]
        near = np.abs(b.mean(axis=1) - bias) < abs(bias) / 2
        chosen = (np.max(apart, axis=0) < ASYMMETRY) & near & np.isfinite(nets.loss)
    return Tickets(nets.select(chosen), np.abs(w[chosen]).mean(axis=1), len(nets))


@dataclass(frozen=True, eq=False)
class Fall(Shown):
    """How the loss falls along a valley, down to where rounding decides.

    w, loss: (K,) from the start on, w descending; bias: at the end; rises: whether the loss rises
    by more than 1% on the way; power, factor: exponent of w in the lower half of the points below
    `far`, and the loss over that of the expansion at the first of them.
    """

    w: Array
    loss: Array
    bias: float
    rises: bool
    power: float
    factor: float


def fall(line: Valley, law: Descent, start: float, far: float) -> Fall:
    """Follows a valley from |w| = start; compares its end from |w| = far on with the expansion."""
    order = np.argsort(-line.w)
    hidden = ~line.resolved[order]
    order = order[: np.argmax(hidden)] if hidden.any() else order  # down to rounding
    w, loss = line.w[order], line.loss[order]
    below, end = w <= 1.01 * start, np.flatnonzero(w <= far)
    falling = loss[below]
    if len(falling) < 3 or len(end) < 3:
        raise DataError("too little of the valley is above rounding; look at more |w|")
    end = end[len(end) // 2 :]
    return Fall(
        w=w[below],
        loss=falling,
        bias=float(line.b[order][-1]),
        rises=bool((falling > 1.01 * np.minimum.accumulate(falling)).any()),
        power=float(np.polyfit(np.log(w[end]), np.log(loss[end]), 1)[0]),
        factor=float(loss[end[0]] / law.loss(w[end[0]])),
    )
