"""Tickets: neurons of a net that are mirror images (w, b) and (-w, b) of each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from minilotto.data.dataset import Dataset
from minilotto.ensemble.last_layer import checked_nets, hidden
from minilotto.errors import ConfigError, DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.limits import blocks

__all__ = ["Pairing", "alive", "neuron_spread", "pair_neurons"]

DEAD = 1e-6  # a neuron whose output varies by less, relative to the target
ROUNDING = 1e-14  # of the greatest value
STATES = ("paired", "unpaired", "flat", "left out", "not finite")


@dataclass(frozen=True, eq=False)
class Pairing(Shown):
    """Mirror pairs of R nets of width N.

    Parameters
    ----------
    pairs : (R, N // 2, 2) ndarray of int
        Positions of the neurons with w < 0 and with w > 0, by ascending distance, then (-1, -1)
        where there is no further pair.
    distance : (R, N // 2) ndarray of float64
        Between (-w, b) of the first and (w, b) of the second, NaN where there is no pair.
    state : (R, N) ndarray of str
        "paired"; "unpaired" (its side has more neurons, or no partner is within reach); "flat" (w =
        0: it is its own mirror image and a constant); "left out" (by `among`); "not finite".
    """

    pairs: NDArray[np.intp]
    distance: Array
    state: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def count(self) -> NDArray[np.intp]:
        """(R,) pairs of each net."""
        return np.asarray(np.count_nonzero(self.pairs[:, :, 0] >= 0, axis=1))

    @property
    def unpaired(self) -> NDArray[np.bool_]:
        """(R, N) neurons that could have had a partner and have none."""
        return np.asarray(self.state == "unpaired")


def pair_neurons(
    w: ArrayLike, b: ArrayLike, among: ArrayLike | None = None, reach: float = np.inf
) -> Pairing:
    """Pairs the neurons with w < 0 and w > 0 of each net so that mirror images are nearest in all.

    Minimises sum over pairs of (w_i + w_j)^2 + (b_i - b_j)^2, an assignment problem, solved
    exactly. With equally many neurons on both sides all are paired; with more on one side, those
    are left whose absence costs least. A pair whose |w| is below its noise may lie on one side of w
    = 0, where it is not found. Time grows as N^3 at worst: 0.1 s for 1000 nets of width 50, half a
    minute for one of width 10,000, 2 s for the 2800 of its neurons that are alive.

    Parameters
    ----------
    w, b : (R, N) or (R, N, 1), (R, N) array_like
        Nets that are not finite get no pair.
    among : (R, N) array_like of bool or None
        The neurons to pair, as from `alive`.
    reach : float
        Above 0. A neuron without a partner costs reach^2 / 2, so that no pair is longer.

    Returns
    -------
    Pairing

    Raises
    ------
    ConfigError
        For reach not above 0.
    DataError
        For shapes that do not fit.

    References
    ----------
    Paper: figure 12, first column. Differs: it does not say how it pairs.

    Examples
    --------
    >>> found = pair_neurons([[-1.0, 0.9, 0.3, 0.0]], [[0.5, 0.5, 0.1, 0.2]])
    >>> found.pairs[0].tolist(), found.state[0].tolist()
    ([[0, 1], [-1, -1]], ['paired', 'paired', 'unpaired', 'flat'])
    """
    slope, bias = cloud(w, b)
    if not reach > 0:
        raise ConfigError(
            f"reach={reach!r} is out of range; give a distance above 0, in units of w and b"
        )
    chosen = mask(among, bias.shape)
    nets, width = bias.shape
    state = np.where(chosen, np.where(slope == 0, "flat", "unpaired"), "left out")
    state = state.astype(f"<U{max(map(len, STATES))}")
    finite = np.isfinite(slope).all(axis=1) & np.isfinite(bias).all(axis=1)
    state[~finite] = "not finite"
    pairs = np.full((nets, width // 2, 2), -1)
    distance = np.full((nets, width // 2), np.nan)
    for net in np.flatnonzero(finite):
        left = np.flatnonzero(chosen[net] & (slope[net] < 0))
        right = np.flatnonzero(chosen[net] & (slope[net] > 0))
        cost = (slope[net, left, None] + slope[net, right]) ** 2 + (
            bias[net, left, None] - bias[net, right]
        ) ** 2
        rows, columns = linear_sum_assignment(np.minimum(cost, reach**2))
        length = np.sqrt(cost[rows, columns])
        order = np.argsort(length, kind="stable")
        order = order[length[order] < reach]
        pairs[net, : len(order)] = np.stack([left[rows[order]], right[columns[order]]], axis=1)
        distance[net, : len(order)] = length[order]
        state[net, pairs[net, : len(order)]] = "paired"
    return Pairing(pairs, distance, state)


def neuron_spread(activation: Activation, parameters: Parameters, data: Dataset) -> Array:
    """Standard deviation over the points of what each neuron adds, over that of the target.

    Parameters
    ----------
    activation : Activation
    parameters : Parameters
        w (R, N, 1), b, v (R, N), c (R,).
    data : Dataset
        Of one input.

    Returns
    -------
    (R, N) ndarray of float64
        |v_i| std(sigma(w_i x + b_i)) / std(y); NaN for nets that are not finite.

    Raises
    ------
    DataError
        For a constant target or parameters that do not fit the data.
    """
    raw, weight, scale = _checked(parameters, data)
    nets, width = raw.b.shape
    result = np.full((nets, width), np.nan)
    for part in blocks(nets, width * data.points):
        response = hidden(activation, raw.w[part], raw.b[part], data.x)
        result[part] = np.abs(raw.v[part]) * _deviation(response, weight) / scale
    return result


def alive(
    activation: Activation, parameters: Parameters, data: Dataset, least: float = DEAD
) -> NDArray[np.bool_]:
    """Neurons whose output varies by at least `least` of the target; see `neuron_spread`.

    Parameters
    ----------
    activation, parameters, data
        As in `neuron_spread`, whose exceptions it raises.
    least : float

    Returns
    -------
    (R, N) ndarray of bool

    Examples
    --------
    >>> import minilotto as ml
    >>> nets = ml.train(ml.Config(width=2, steps=200), seeds=3)
    >>> alive(nets.activation, nets.parameters, nets.data).tolist()
    [[True, True], [True, True], [True, True]]
    """
    return np.asarray(neuron_spread(activation, parameters, data) >= least)


def cloud(w: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    """w and b of R nets of one input as (R, N) float64. Raises DataError for other shapes."""
    slope, bias = np.asarray(w, np.float64), np.asarray(b, np.float64)
    if slope.ndim == 3 and slope.shape[2] == 1:
        slope = slope[..., 0]
    if bias.ndim != 2 or slope.shape != bias.shape:
        raise DataError(
            f"w and b have shapes {np.shape(w)} and {bias.shape}; pass (R, N, 1) or (R, N), and "
            "(R, N): one input"
        )
    return slope, bias


def mask(among: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The neurons (R, N) to use, all for None. Raises DataError for another shape or dtype."""
    if among is None:
        return np.ones(shape, bool)
    chosen = np.asarray(among)
    if chosen.shape != shape or chosen.dtype != bool:
        raise DataError(
            f"among has shape {chosen.shape} and dtype {chosen.dtype}; pass one truth value a "
            f"neuron, {shape}"
        )
    return chosen


def _checked(parameters: Parameters, data: Dataset) -> tuple[Parameters, Array, float]:
    """Parameters in float64, normalised weights (P,), and the standard deviation of the target."""
    if data.inputs != 1:
        raise DataError(f"data have {data.inputs} inputs; mirror pairs are defined for one input")
    raw = checked_nets(parameters, data)
    weight = data.weight / data.weight.sum()
    scale = float(_deviation(data.y, weight))
    if not scale > ROUNDING * np.abs(data.y).max():
        raise DataError(
            "the target is constant on these points; there is no variation to compare with"
        )
    return raw, weight, scale


def _deviation(values: Array, weight: Array) -> Array:
    """Weighted standard deviation over the last axis."""
    rest = values - (values @ weight)[..., None]
    return np.asarray(np.sqrt(rest**2 @ weight))
