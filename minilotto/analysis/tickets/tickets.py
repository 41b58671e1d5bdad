"""Tickets: neurons of a net that are mirror images (w, b) and (-w, b) of each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from minilotto.data.dataset import Dataset
from minilotto.ensemble.last_layer import checked_nets, hidden
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array, check_match, reals_of
from minilotto.settings.display import Shown
from minilotto.settings.limits import blocks

__all__ = ["Pairing", "alive", "neuron_spread", "pair_neurons"]

DEAD = 1e-6  # a neuron whose output varies by less, relative to the target
ROUNDING = 1e-14  # of the greatest value


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
    unpaired : (R, N) ndarray of bool
        Neurons that have no partner, as their side has more of them. Those of w = 0 are their own
        mirror images.
    """

    pairs: NDArray[np.intp]
    distance: Array
    unpaired: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def count(self) -> NDArray[np.intp]:
        """(R,) pairs of each net."""
        return np.asarray(np.count_nonzero(self.pairs[:, :, 0] >= 0, axis=1))


def pair_neurons(w: ArrayLike, b: ArrayLike, among: ArrayLike | None = None) -> Pairing:
    """Pairs the neurons with w < 0 and w > 0 of each net so that mirror images are nearest in all.

    Minimises sum over pairs of (w_i + w_j)^2 + (b_i - b_j)^2, an assignment problem, solved
    exactly. With equally many neurons on both sides all are paired; with more on one side, those
    are left whose absence costs least. A pair whose |w| is below its noise may lie on one side of w
    = 0, where it is not found. Time grows as N^3 at worst: 0.1 s for 1000 nets of width 50, half a
    minute for one of width 10,000, 2 s for the 2800 of its neurons that are alive.

    Parameters are compared, not functions: neurons of an odd activation are the same with the signs
    of w, b and v changed, and those of ReLU with w and b times and v over a factor, but pair
    otherwise.

    Parameters
    ----------
    w, b : (R, N) or (R, N, 1), (R, N) array_like
        Nets that are not finite get no pair.
    among : (R, N) array_like of bool or None
        The neurons to pair, as from `alive`.

    Returns
    -------
    Pairing

    Raises
    ------
    DataError
        For shapes that do not fit.

    References
    ----------
    Paper: figure 12, first column. Differs: it does not say how it pairs.

    Examples
    --------
    >>> found = pair_neurons([[-1.0, 0.9, 0.3, 0.0]], [[0.5, 0.5, 0.1, 0.2]])
    >>> found.pairs[0].tolist(), found.unpaired[0].tolist()
    ([[0, 1], [-1, -1]], [False, False, True, False])
    """
    slope, bias = reals_of("w", w), reals_of("b", b)
    if slope.ndim == 3 and slope.shape[2] == 1:
        slope = slope[..., 0]
    match = bias.ndim == 2 and slope.shape == bias.shape
    check_match(match, "(R, N) or, of one input, (R, N, 1), and (R, N)", w=slope, b=bias)
    everyone = np.ones(bias.shape, bool)
    chosen: NDArray[np.bool_] = everyone if among is None else np.asarray(among)
    if chosen.shape != bias.shape or chosen.dtype != bool:
        raise DataError(
            f"among has shape {chosen.shape} and dtype {chosen.dtype}; pass one truth value a "
            f"neuron, {bias.shape}"
        )
    nets, width = bias.shape
    finite = np.asarray((np.isfinite(slope) & np.isfinite(bias)).all(axis=1))
    unpaired = chosen & (slope != 0) & finite[:, None]
    pairs = np.full((nets, width // 2, 2), -1)
    distance = np.full((nets, width // 2), np.nan)
    for net in np.flatnonzero(finite):
        left = np.flatnonzero(chosen[net] & (slope[net] < 0))
        right = np.flatnonzero(chosen[net] & (slope[net] > 0))
        cost = (slope[net, left, None] + slope[net, right]) ** 2 + (
            bias[net, left, None] - bias[net, right]
        ) ** 2
        rows, columns = linear_sum_assignment(cost)
        order = np.argsort(cost[rows, columns], kind="stable")
        rows, columns = rows[order], columns[order]
        pairs[net, : len(order)] = np.stack([left[rows], right[columns]], axis=1)
        distance[net, : len(order)] = np.sqrt(cost[rows, columns])
        unpaired[net, pairs[net, : len(order)]] = False
    return Pairing(pairs, distance, unpaired)


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
    if data.inputs != 1:
        raise DataError(f"data have {data.inputs} inputs; mirror pairs are defined for one input")
    raw = checked_nets(parameters, data)
    weight = data.weight / data.weight.sum()
    scale = float(_deviation(data.y, weight))
    if not scale > ROUNDING * np.abs(data.y).max():
        raise DataError(
            "the target is constant on these points; there is no variation to compare with"
        )
    nets, width = raw.b.shape
    result = np.full((nets, width), np.nan)
    for part in blocks(nets, width * data.points):
        response = hidden(activation, raw.w[part], raw.b[part], data.x)
        result[part] = np.abs(raw.v[part]) * _deviation(response, weight) / scale
    return result


def alive(activation: Activation, parameters: Parameters, data: Dataset) -> NDArray[np.bool_]:
    """Neurons whose output varies by at least DEAD of the target; see `neuron_spread`.

    Parameters
    ----------
    activation, parameters, data
        As in `neuron_spread`, whose exceptions it raises.

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
    return np.asarray(neuron_spread(activation, parameters, data) >= DEAD)


def _deviation(values: Array, weight: Array) -> Array:
    """Weighted standard deviation over the last axis."""
    rest = values - (values @ weight)[..., None]
    return np.asarray(np.sqrt(rest**2 @ weight))
