"""Tickets: which neurons of a net are mirror images (w, b) and (-w, b) of each other, and how well
each such pair works.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from minilotto.data.dataset import Dataset
from minilotto.errors import ConfigError, DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array

DEAD = 1e-6  # a neuron or pair whose output varies by less than this part of the target's variation
USELESS = 0.9  # squared correlation with the target; a pair below it is no ticket
ROUNDING = 1e-14  # of the greatest value
STATES = ("paired", "unpaired", "flat", "left out", "not finite")
KINDS = ("none", "dead", "useless", "ticket")
BLOCK = 2**22  # numbers that are held at a time


@dataclass(frozen=True, eq=False)
class Pairing:
    """Mirror pairs of R nets of width N.

    pairs (R, N // 2, 2): positions of the neurons with w < 0 and with w > 0, by ascending distance,
    then (-1, -1) where there is no further pair. distance (R, N // 2): between (-w, b) of the first
    and (w, b) of the second, NaN where there is no pair. state (R, N): "paired"; "unpaired" (its
    side has more neurons, or no partner is within reach); "flat" (w = 0: it is its own mirror image
    and a constant); "left out" (by `among`); "not finite".
    """

    pairs: NDArray[np.intp]
    distance: Array
    state: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def count(self) -> NDArray[np.intp]:
        """(R,) pairs of each net."""
        return np.count_nonzero(self.pairs[:, :, 0] >= 0, axis=1)

    @property
    def unpaired(self) -> NDArray[np.bool_]:
        """(R, N) neurons that could have had a partner and have none."""
        return self.state == "unpaired"


@dataclass(frozen=True, eq=False)
class PairQuality:
    """What the pairs (R, K) of a Pairing are like; NaN where there is no pair.

    dw, db, dv: |w|, b and v of the second neuron less those of the first. imbalance: |dv| / (|v_1|
    + |v_2|), in [0, 1]. spread: standard deviation over the points of g(x) = v_1 sigma(w_1 x + b_1)
    + v_2 sigma(w_2 x + b_2), over that of the target. odd: part of the variance of g, on the points
    and their mirror images, that is odd in x: 0 for the pair of equation 3, 1 where only v_2 = -v_1
    differs from it. r2: squared correlation of the even part (g(x) + g(-x)) / 2 with the target, 0
    where it is constant. kind: "dead" (spread < DEAD), "useless" (r2 < USELESS), "ticket", or
    "none".
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
    """Pair the neurons with w < 0 and w > 0 of each net so that the mirror images lie as near as
    they can, all pairs together.

    Minimises sum over pairs of (w_i + w_j)^2 + (b_i - b_j)^2, an assignment problem, solved
    exactly. With equally many neurons on both sides all are paired; with more on one side, those
    are left whose absence costs least, and told. `reach` ends the search: a neuron without a
    partner costs reach^2 / 2, so that no pair is longer. Neurons with w = 0 are flat, not paired. A
    pair whose |w| is below its noise may lie on one side of w = 0, where this way cannot see it.

    w (R, N) or (R, N, 1), b (R, N); among (R, N) bool: the neurons to look at, as from `alive`.
    Nets that are not finite get no pair. Time grows as N^3 at worst: 0.1 s for 1000 nets of width
    50, half a minute for one of width 10,000, 2 s for the 2800 of its neurons that are alive.
    Raises ConfigError for reach not above 0, DataError for shapes that do not fit.

    Paper: figure 12, first column. Differs: it does not say how it pairs.

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
    state = np.where(chosen, np.where(slope == 0, "flat", "unpaired"), "left out").astype(
        f"<U{max(map(len, STATES))}"
    )
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
        pairs[net, : len(order), 0], pairs[net, : len(order), 1] = (
            left[rows[order]],
            right[columns[order]],
        )
        distance[net, : len(order)] = length[order]
        state[net, pairs[net, : len(order)]] = "paired"
    return Pairing(pairs, distance, state)


def neuron_spread(activation: Activation, parameters: Parameters, data: Dataset) -> Array:
    """Standard deviation over the points of what each neuron adds, |v_i| std(sigma(w_i x + b_i)),
    over that of the target: (R, N).

    NaN for nets that are not finite. Raises DataError for a constant target or parameters that do
    not fit the data.
    """
    raw, weight, scale = _checked(parameters, data)
    nets, width = raw.b.shape
    result = np.full((nets, width), np.nan)
    for part in _blocks(raw, width * data.points):
        response = np.asarray(
            activation.value(raw.w[part] @ data.x.T + raw.b[part][..., None]), np.float64
        )
        result[part] = np.abs(raw.v[part]) * _deviation(response, weight) / scale
    return result


def alive(
    activation: Activation, parameters: Parameters, data: Dataset, least: float = DEAD
) -> NDArray[np.bool_]:
    """(R, N) neurons whose output varies by at least `least` of the target's variation; see
    `neuron_spread`.

    >>> import minilotto as ml
    >>> nets = ml.train(ml.Config(width=2, steps=200), seeds=3)
    >>> alive(nets.activation, nets.parameters, nets.data).tolist()
    [[True, True], [True, True], [True, True]]
    """
    return np.asarray(neuron_spread(activation, parameters, data) >= least)


def pair_quality(
    activation: Activation, parameters: Parameters, pairing: Pairing, data: Dataset
) -> PairQuality:
    """How equal the neurons of each pair are, how much the pair does, how even it is and how well
    it fits; see PairQuality.

    parameters: w (R, N, 1), b, v (R, N), c (R,), of the nets that were paired; data: points x (P,
    1), targets and weights. Raises DataError for parameters that do not fit the pairing or the
    data, and for a constant target.

    Paper: equation 3; figure 12, second column (R^2). Differs: R^2 is that of the even part, for
    what is odd cancels between pairs.

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
    for part in _blocks(raw, 4 * there.shape[1] * data.points):
        # Weight that sits on x and -x alike makes even and odd parts orthogonal, whatever the
        # points are.
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
    """w and b as float64 (R, N), from w (R, N) or (R, N, 1). Raises DataError for other shapes."""
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
    """The neurons to look at, all of them by default. Raises DataError for another shape or no
    truth values.
    """
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
    raw = Parameters(*(np.asarray(part, np.float64) for part in parameters))
    if raw.b.ndim != 2 or raw.w.shape != (*raw.b.shape, 1) or raw.v.shape != raw.b.shape:
        shapes = ", ".join(str(part.shape) for part in raw[:3])
        raise DataError(
            f"w, b, v have shapes {shapes}; pass (R, N, 1), (R, N), (R, N): mirror pairs are "
            "defined for one input"
        )
    if data.inputs != 1:
        raise DataError(f"data with {data.inputs} inputs do not fit nets of one input")
    weight = data.weight / data.weight.sum()
    scale = float(_deviation(data.y, weight))
    if not scale > ROUNDING * np.abs(data.y).max():
        raise DataError(
            "the target is constant on these points; there is no variation to compare with"
        )
    return raw, weight, scale


def _blocks(parameters: Parameters, numbers: int) -> list[slice]:
    """Slices of the nets such that `numbers` a net stay within BLOCK."""
    step = max(1, BLOCK // max(1, numbers))
    return [slice(first, first + step) for first in range(0, len(parameters.b), step)]


def _ratio(above: Array, below: Array) -> Array:
    """above / below, 0 where below is 0 and NaN where it is NaN."""
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)


def _outputs(activation: Activation, w: Array, b: Array, v: Array, x: Array) -> Array:
    """g(x) of pairs (R, K, 2): (R, K, P)."""
    first, second = (
        v[..., i, None] * activation.value(w[..., i, None] * x + b[..., i, None]) for i in (0, 1)
    )
    return first + second


def _deviation(values: Array, weight: Array) -> Array:
    """Weighted standard deviation over the last axis."""
    rest = values - (values @ weight)[..., None]
    return np.sqrt(rest**2 @ weight)
