"""Pruning: in which order the neurons of trained nets can be removed, and what the rest still does.

An order (R, N) holds the positions of each net's neurons, the first to go first; so the last k of
it are kept. Orders differ in what they depend on: how much a neuron adds, whether others add the
same, or how well the rest could do with the last layer refitted. None of them depends on other
nets, so nets may be pruned in any batch. All functions take nets that are finite and raise
DataError for others, for shapes that do not fit the data and for orders that do not hold each
neuron once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.analysis.tickets.disentangling import disentangle, unit_errors
from minilotto.analysis.tickets.tickets import pair_neurons
from minilotto.data.dataset import Dataset
from minilotto.ensemble.distillation import Distilled, refit
from minilotto.ensemble.last_layer import centred, checked_nets, directions, first_layer, hidden
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation, Reals
from minilotto.settings.arrays import Array, array_of
from minilotto.settings.display import Shown
from minilotto.settings.limits import blocks, check_fraction, check_whole

__all__ = [
    "Merging",
    "as_trained",
    "at_random",
    "by_elimination",
    "by_merging",
    "by_size",
    "by_tickets",
    "refit_kept",
]

Order = NDArray[np.intp]
# Of a response's size. Not a rank cut but a ridge: it bounds output weights to what the arithmetic
# can resolve while neurons are compared, so it is wider than `last_layer.RANK_CUT`.
CUT = 1e-12
BLOCK = 2**22  # numbers that are held at a time


@dataclass(frozen=True, eq=False)
class Merging(Shown):
    """An order, and what took up each neuron that went.

    Parameters
    ----------
    order : (R, N) ndarray of int
    into : (R, N) ndarray of int
        The neuron that took it up, by the step at which it went.
    factor : (R, N) ndarray of float64
        By which multiple of its output weight that neuron's grew, 0 where it took up nothing.
    """

    order: Order
    into: Order
    factor: Array


def by_size(activation: Activation, parameters: Parameters, data: Dataset) -> Order:
    """Magnitude pruning: the neurons that add least go first.

    What a neuron adds is |v_i| times the standard deviation of sigma(w_i x + b_i). Its mean does
    not count, for the constant c can replace it.

    Parameters
    ----------
    activation : Activation
    parameters : Parameters
        w (R, N, D), b, v (R, N), c (R,).
    data : Dataset

    Returns
    -------
    (R, N) ndarray of int

    Examples
    --------
    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> from minilotto.data.dataset import given
    >>> x, v = np.linspace(-1, 1, 50), np.array([[2.0, -0.1, 1.0]])
    >>> nets = Parameters(np.ones((1, 3, 1)), np.zeros((1, 3)), v, np.zeros(1))
    >>> by_size(ACTIVATIONS["relu"], nets, given(x, x**2)).tolist()
    [[1, 2, 0]]
    """
    raw, units, length = _responses(activation, parameters, data)
    return np.argsort(_sizes(raw, units, length), axis=1, kind="stable")


def at_random(nets: int, width: int, seed: int = 0) -> Order:
    """Orders drawn at random, the baseline of every rule.

    Parameters
    ----------
    nets, width, seed : int
        At least 0.

    Returns
    -------
    (nets, width) ndarray of int

    Examples
    --------
    >>> at_random(2, 3).shape
    (2, 3)
    """
    for name, value in (("nets", nets), ("width", width), ("seed", seed)):
        check_whole(name, value, 0)
    return np.random.default_rng(seed).random((nets, width)).argsort(axis=1)


def by_elimination(
    activation: Activation, parameters: Parameters, data: Dataset, cut: float = CUT
) -> Order:
    """Backward elimination: at each step the neuron goes whose absence, after a refit, costs least.

    J(kept) = min over a of |sum_i a_i u_i - y|^2 + cut^2 |a|^2, u_i the centred response of unit
    length, y centred; without i it grows by a_i^2 / (A^-1)_ii, A = U^T U + cut^2. So of neurons
    that do the same all but one are removed at no cost. A^-1 = S S^T is never formed: S is the
    inverse of the triangle of a QR factorisation, and removing a neuron is one reflection of it,
    which loses no digits; N^3 operations a net in all.

    Parameters
    ----------
    activation, parameters, data
        As in `by_size`.
    cut : float in (0, 1)
        Ridge that bounds the weights to what the arithmetic can resolve.

    Returns
    -------
    (R, N) ndarray of int

    Raises
    ------
    ConfigError
        For a cut not between 0 and 1.

    References
    ----------
    Paper: asked for in appendix C. The reverse of orthogonal least squares.

    Examples
    --------
    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> from minilotto.data.dataset import given
    >>> x, w = np.linspace(-1, 1, 50), np.array([[[1.0], [-1.0], [1.0]]])
    >>> nets = Parameters(w, np.array([[0.0, 0.0, 0.5]]), np.ones((1, 3)), np.zeros(1))
    >>> int(by_elimination(ACTIVATIONS["relu"], nets, given(x, abs(x)))[0, 0])
    2
    """
    check_fraction("cut", cut, CUT)
    _, units, _ = _responses(activation, parameters, data)
    nets, width, points = units.shape
    root = np.sqrt(data.weight / data.weight.sum())
    target = centred(data.y, root)
    order = np.empty((nets, width), np.intp)
    for block in blocks(nets, width * (width + points), BLOCK):
        order[block] = _eliminated(units[block], target, cut)
    return order


def by_merging(activation: Activation, parameters: Parameters, data: Dataset) -> Merging:
    """Merging: at each step the neuron goes whose contribution another takes up with least change.

    Into neuron j goes i with output weight v_j + v_i <s_i, s_j> / <s_j, s_j>, s the centred
    responses, and the constant takes the means up; the net then changes by |v_i|^2 |s_i|^2 (1 -
    rho_ij^2) in mean square, and the pair with the least change is merged. So it goes by size and
    by correlation: neurons with proportional contributions merge at no cost, whatever their size. v
    is the merged one from then on.

    Parameters
    ----------
    activation, parameters, data
        As in `by_size`.

    Returns
    -------
    Merging
    """
    raw, units, length = _responses(activation, parameters, data)
    nets, width, _ = units.shape
    held = blocks(nets, width**2, BLOCK)
    parts = [_merged(units[block], length[block], raw.v[block]) for block in held]
    return Merging(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def by_tickets(activation: Activation, parameters: Parameters, data: Dataset) -> Order:
    """Ticket pruning: of the two mirror pairs whose errors correlate most the worse goes first.

    Pairs and their errors are those of figure 12 (`pair_neurons`, `disentangle`: both output
    weights of a pair fitted to the target). Neurons without a partner go first, those that add
    least before others; of a pair the one that adds less goes first. Errors that vanish correlate
    with none.

    Parameters
    ----------
    activation, parameters, data
        As in `by_size`.

    Returns
    -------
    (R, N) ndarray of int

    References
    ----------
    Paper: appendix C, on what the correlations may be good for.
    """
    raw, units, length = _responses(activation, parameters, data)
    nets, width = raw.b.shape
    size = _sizes(raw, units, length)
    if width == 1:
        return np.zeros((nets, 1), np.intp)
    order = np.empty((nets, width), np.intp)
    pairs = pair_neurons(raw.w, raw.b).pairs
    apart = disentangle(activation, raw, pairs, data)
    for net in range(nets):
        whole = np.flatnonzero(pairs[net].min(axis=1) >= 0)
        errors = apart.errors[net, whole]
        loss = np.sum((errors * np.sqrt(apart.weight)) ** 2, axis=1)
        unit = unit_errors(errors, apart.weight)
        alike = np.abs(unit @ unit.T)
        np.fill_diagonal(alike, -1.0)
        gone: list[int] = []
        left = np.ones(len(whole), bool)
        for _ in range(len(whole)):
            last = int(np.argmax(left))
            if left.sum() > 1:
                among = np.where(left[:, None] & left, alike, -2.0)
                i, j = divmod(int(np.argmax(among)), len(whole))
                last = i if loss[i] >= loss[j] else j
            left[last] = False
            gone += sorted(pairs[net, whole[last]].tolist(), key=lambda neuron: size[net, neuron])
        single = np.setdiff1d(np.arange(width), gone)
        order[net] = [*single[np.argsort(size[net, single], kind="stable")], *gone]
    return order


def kept(order: Order, width: int) -> Order:
    """The last `width` neurons of an order (R, N). Raises ConfigError for another width."""
    check_whole("width", width, 1, order.shape[1])
    return order[:, order.shape[1] - width :]


def refit_kept(
    activation: Activation, parameters: Parameters, order: Order, width: int, data: Dataset
) -> Distilled:
    """The last `width` neurons of an order with the output weights of least squares.

    Parameters
    ----------
    activation, parameters
        As in `by_size`.
    order : (R, N) array_like of int
    width : int
        From 1 to N.
    data : Dataset

    Returns
    -------
    Distilled

    Raises
    ------
    ConfigError
        For another width.
    """
    raw = checked_nets(parameters, data, finite=True)
    return refit(activation, *first_layer(raw, kept(_checked_order(order, raw), width)), data)


def as_trained(
    activation: Activation,
    parameters: Parameters,
    order: Order | Merging,
    width: int,
    data: Dataset,
) -> Array:
    """Loss of the last `width` neurons of an order with the output weights that they have.

    c takes up the means of the others.

    Parameters
    ----------
    activation, parameters
        As in `by_size`.
    order : (R, N) array_like of int, or Merging
        Of a Merging the weights are the merged ones; of another order those of the net.
    width : int
        From 1 to N.
    data : Dataset

    Returns
    -------
    (R,) ndarray of float64
    """
    raw = checked_nets(parameters, data, finite=True)
    v = raw.v.copy()
    places = _checked_order(order.order if isinstance(order, Merging) else order, raw)
    chosen = kept(places, width)
    if isinstance(order, Merging):
        row = np.arange(len(v))
        for step in range(v.shape[1] - width):
            v[row, order.into[:, step]] += order.factor[:, step] * v[row, places[:, step]]
    weight = data.weight / data.weight.sum()
    result = np.empty(len(v))
    for block in blocks(len(v), v.shape[1] * data.points, BLOCK):
        response = hidden(activation, raw.w[block], raw.b[block], data.x)
        whole = np.einsum("rnp,rn->rp", response, raw.v[block]) + raw.c[block][:, None] - data.y
        some = np.take_along_axis(response, chosen[block][:, :, None], axis=1)
        output = np.take_along_axis(v[block], chosen[block], axis=1)
        rest = np.einsum("rkp,rk->rp", some, output) - data.y
        rest += ((whole - rest) @ weight)[:, None]
        result[block] = rest**2 @ weight + data.offset
    return result


def _responses(
    activation: Activation, parameters: Parameters, data: Dataset
) -> tuple[Parameters, Array, Array]:
    """Parameters, unit vectors (R, N, P) of centred responses, and their lengths (R, N)."""
    raw = checked_nets(parameters, data, finite=True)
    root = np.sqrt(data.weight / data.weight.sum())
    return raw, *directions(hidden(activation, raw.w, raw.b, data.x), root)


def _sizes(raw: Parameters, units: Array, length: Array) -> Array:
    """Standard deviation over the points of what each neuron adds: (R, N)."""
    return np.asarray(np.abs(raw.v) * length * units.any(axis=2))


def _checked_order(order: ArrayLike, raw: Parameters) -> Order:
    """An order of these nets' neurons. Raises DataError."""
    places = array_of("order", order)
    if places.shape != raw.b.shape or (np.sort(places, axis=1) != np.arange(raw.b.shape[1])).any():
        raise DataError(
            f"an order of shape {places.shape} is none of nets {raw.b.shape}; give each position "
            "once a net"
        )
    return places.astype(np.intp)


def _eliminated(units: Array, target: Array, cut: float) -> Order:
    """The order in which backward elimination takes the rows of units (R, N, P) out."""
    nets, width, points = units.shape
    ridge = np.broadcast_to(cut * np.eye(width), (nets, width, width))
    q, r = np.linalg.qr(np.concatenate([units.transpose(0, 2, 1), ridge], axis=1))
    z = np.einsum("rpn,p->rn", q[:, :points], target)
    s = np.linalg.inv(r)  # triangular, so its rows are as accurate as those of r
    place = np.tile(np.arange(width), (nets, 1))
    order = np.empty((nets, width), np.intp)
    row = np.arange(nets)
    for count in range(width, 0, -1):
        square = np.einsum("rij,rij->ri", s, s)
        growth = (s @ z[:, :, None])[:, :, 0] ** 2 / square
        out = np.argmin(growth, axis=1)
        order[:, width - count] = place[row, out]
        # A reflection turns row `out` of s into a multiple of the last unit vector, to be removed.
        mirror = s[row, out]
        norm = np.sqrt(square[row, out])
        mirror[:, -1] += np.where(mirror[:, -1] < 0, -norm, norm)
        mirror /= np.linalg.norm(mirror, axis=1)[:, None]
        s -= 2 * (s @ mirror[:, :, None]) * mirror[:, None, :]
        z -= 2 * np.einsum("rj,rj->r", z, mirror)[:, None] * mirror
        s[row, out], place[row, out] = s[:, -1], place[row, count - 1]
        s, z = s[:, :-1, :-1], z[:, :-1]
    return order


def _merged(units: Array, length: Array, v: Reals) -> tuple[Order, Order, Array]:
    """Order, into and factor (R, N) of merging."""
    nets, width, _ = units.shape
    rho = np.einsum("rip,rjp->rij", units, units)
    lost = np.maximum((1 - np.abs(rho)) * (1 + np.abs(rho)), 0.0)
    lost[:, np.arange(width), np.arange(width)] = np.inf
    there = units.any(axis=2)
    size = v * length * there  # of the contribution, with its sign
    length = np.where(there, length, 1.0)
    row = np.arange(nets)
    order, into = np.empty((2, nets, width), np.intp)
    factor = np.zeros((nets, width))
    left = np.ones((nets, width), bool)
    for step in range(width):
        nearest = lost.argmin(axis=2)
        least = np.take_along_axis(lost, nearest[:, :, None], axis=2)[:, :, 0]
        change = size**2 * np.where(np.isfinite(least), least, 0.0)  # the last neuron has no other
        out = np.argmin(np.where(left, change, np.inf), axis=1)
        to = nearest[row, out]
        order[:, step], into[:, step] = out, to
        if step < width - 1:
            alike = rho[row, out, to]
            factor[:, step] = alike * length[row, out] / length[row, to]
            size[row, to] += alike * size[row, out]
        left[row, out] = False
        lost[row, out], lost[row, :, out] = np.inf, np.inf
    return order, into, factor
