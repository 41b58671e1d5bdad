"""Tickets: neurons of a net that are mirror images (w, b) and (-w, b) of each other, and how well
each such pair works.
"""

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

__all__ = ["PairQuality", "Pairing", "alive", "neuron_spread", "pair_neurons", "pair_quality"]

DEAD = 1e-6  # a neuron or pair whose output varies by less, relative to the target
USELESS = 0.9  # squared correlation with the target; a pair below it is no ticket
ROUNDING = 1e-14  # of the greatest value
STATES = ("paired", "unpaired", "flat", "left out", "not finite")
KINDS = ("none", "dead", "useless", "ticket")


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


@dataclass(frozen=True, eq=False)
class PairQuality(Shown):
    """What the K pairs of each net of a Pairing are like; NaN where there is no pair.

    Parameters
    ----------
    dw, db, dv : (R, K) ndarray of float64
        |w|, b and v of the second neuron less those of the first.
    imbalance : (R, K) ndarray of float64
        |dv| / (|v_1| + |v_2|), in [0, 1].
    spread : (R, K) ndarray of float64
        Standard deviation over the points of g(x) = v_1 sigma(w_1 x + b_1) + v_2 sigma(w_2 x +
        b_2), over that of the target.
    odd : (R, K) ndarray of float64
        Fraction of the variance of g, on the points and their mirror images, that is odd in x: 0
        for the pair of equation 3, 1 where only v_2 = -v_1 differs from it.
    r2 : (R, K) ndarray of float64
        Squared correlation of the even part (g(x) + g(-x)) / 2 with the target, 0 where it is
        constant.
    kind : (R, K) ndarray of str
        "dead" (spread < DEAD), "useless" (r2 < USELESS), "ticket", or "none".
    """

    dw: Array
    db: Array
    dv: Array
    imbalance: Array
    spread: Array
    odd: Array
    r2: Array
    kind: NDArray[np.str_]


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


def pair_quality(
    activation: Activation, parameters: Parameters, pairing: Pairing, data: Dataset
) -> PairQuality:
    """How equal the neurons of each pair are, how much a pair does, how even it is, how it fits.

    Parameters
    ----------
    activation, parameters
        As in `neuron_spread`, of the nets that were paired.
    pairing : Pairing
    data
        As in `neuron_spread`.

    Returns
    -------
    PairQuality

    Raises
    ------
    DataError
        For parameters that do not fit the pairing or the data, and for a constant target.

    References
    ----------
    Paper: equation 3; figure 12, second column (R^2). Differs: R^2 is that of the even part, for
    what is odd cancels between pairs.

    Examples
    --------
    >>> import minilotto as ml
    >>> nets = ml.train(ml.Config(width=4, steps=200), seeds=3)
    >>> pairing = pair_neurons(nets.w, nets.b)
    >>> pair_quality(nets.activation, nets.parameters, pairing, nets.data).odd.shape
    (3, 2)
    """
    raw, weight, scale = _checked(parameters, data)
    if raw.b.shape != pairing.state.shape:
        raise DataError(
            f"the nets have b of shape {raw.b.shape}, those that were paired "
            f"{pairing.state.shape}; pass the same nets"
        )
    row = np.arange(len(pairing))[:, None, None]
    there = pairing.pairs[..., 0] >= 0
    w, b, v = (
        np.where(there[..., None], part[row, pairing.pairs], np.nan)
        for part in (raw.w[..., 0], raw.b, raw.v)
    )
    size = np.abs(v).sum(axis=2)
    dv = v[..., 1] - v[..., 0]
    spread, odd, r2 = (np.full(there.shape, np.nan) for _ in range(3))
    x, y = data.x[:, 0], data.y - data.y @ weight
    for part in blocks(len(there), 4 * there.shape[1] * data.points):
        # Equal weights at x and -x make even and odd parts orthogonal, whatever the points are.
        both = _outputs(activation, w[part], b[part], v[part], np.concatenate([x, -x]))
        forth, back = both[..., : len(x)], both[..., len(x) :]
        spread[part] = _deviation(forth, weight) / scale
        odd_part = ((forth - back) / 2) ** 2 @ weight
        whole = _deviation(both, np.concatenate([weight, weight]) / 2) ** 2
        odd[part] = _ratio(odd_part, whole)
        even = (forth + back) / 2
        deviation = _deviation(even, weight)
        # What rounding leaves of a constant correlates with anything.
        shown = deviation > ROUNDING * np.abs(both).max(axis=-1)
        r2[part] = _ratio(even @ (weight * y), np.where(shown, deviation * scale, 0.0)) ** 2
    kind = np.where(spread < DEAD, "dead", np.where(r2 < USELESS, "useless", "ticket"))
    return PairQuality(
        dw=np.abs(w[..., 1]) - np.abs(w[..., 0]),
        db=b[..., 1] - b[..., 0],
        dv=dv,
        imbalance=_ratio(np.abs(dv), size),
        spread=spread,
        odd=np.minimum(odd, 1.0),
        r2=np.where(there, np.minimum(r2, 1.0), np.nan),
        kind=np.where(there & np.isfinite(spread), kind, "none"),
    )


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


def _ratio(above: Array, below: Array) -> Array:
    """above / below, 0 where below is 0 and NaN where it is NaN."""
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)


def _outputs(activation: Activation, w: Array, b: Array, v: Array, x: Array) -> Array:
    """g(x) of pairs (R, K, 2): (R, K, P)."""
    z = w[..., None] * x + b[..., None]
    g = v[..., None] * activation.value(z)
    return np.asarray(g[..., 0, :] + g[..., 1, :])


def _deviation(values: Array, weight: Array) -> Array:
    """Weighted standard deviation over the last axis."""
    rest = values - (values @ weight)[..., None]
    return np.asarray(np.sqrt(rest**2 @ weight))
