"""Pruning: in which order the neurons of trained nets can be taken out, and what the rest still
does.

An order (R, N) holds the positions of each net's neurons, the first to go first; so the last k of
it are kept. Orders differ in what they look at: how much a neuron adds, whether others add the
same, or how well the rest could do with the last layer fitted anew. None of them looks at other
nets, so nets may be pruned in any company.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.analysis.tickets.disentangling import disentangle
from minilotto.analysis.tickets.tickets import pair_neurons
from minilotto.data.dataset import Dataset
from minilotto.ensemble.distillation import Distilled, refit
from minilotto.ensemble.last_layer import centred, directions
from minilotto.errors import ConfigError, DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array

Order = NDArray[np.intp]
# of a response's size: output weights that make use of less of it cost more than they gain
CUT = 1e-12
BLOCK = 2**22  # numbers that are held at a time


@dataclass(frozen=True, eq=False)
class Merging:
    """An order, and what became of each neuron that went: order (R, N); into (R, N): the neuron
    that took it up, by the step at which it went; factor (R, N): by which multiple of its output
    weight that neuron's grew, 0 where it took up nothing."""

    order: Order
    into: Order
    factor: Array


def by_size(activation: Activation, parameters: Parameters, data: Dataset) -> Order:
    """Magnitude pruning: the neurons that add least go first, by |v_i| times the standard deviation
    of sigma(w_i x + b_i).

    A neuron's mean does not count, for the constant c can stand in for it. parameters: w (R, N, D),
    b, v (R, N), c (R,).

    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> from minilotto.data.dataset import given
    >>> x = np.linspace(-1, 1, 50)
    >>> nets = Parameters(np.ones((1, 3, 1)), np.zeros((1, 3)), np.array([[2.0, -0.1, 1.0]]), np.zeros(1))
    >>> by_size(ACTIVATIONS["relu"], nets, given(x, x**2)).tolist()
    [[1, 2, 0]]
    """
    raw, units, length = _responses(activation, parameters, data)
    return np.argsort(np.abs(raw.v) * length * units.any(axis=2), axis=1, kind="stable")


def at_random(nets: int, width: int, seed: int = 0) -> Order:
    """Orders (nets, width) drawn at random: what any rule must better.

    >>> at_random(2, 3).shape
    (2, 3)
    """
    return np.random.default_rng(seed).random((nets, width)).argsort(axis=1)


def by_elimination(
    activation: Activation, parameters: Parameters, data: Dataset, cut: float = CUT
) -> Order:
    """Backward elimination: at each step the neuron goes whose absence, with the last layer fitted
    anew, costs least.

    J(kept) = min over a of |sum_i a_i u_i - y|^2 + cut^2 |a|^2, u_i the centred response of unit
    length, y centred; without i it grows by a_i^2 / (A^-1)_ii, A = U^T U + cut^2. So of neurons
    that do the same all but one go for nothing. The ridge keeps weights to what the arithmetic can
    tell apart. A^-1 = S S^T is never formed: S is the inverse of the triangle of a QR
    factorisation, and taking a neuron out is one reflection of it, which loses no digits; N^3
    operations a net in all.

    Raises ConfigError for a cut not between 0 and 1. Paper: asks for it in appendix C. The reverse
    of orthogonal least squares.

    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> from minilotto.data.dataset import given
    >>> x = np.linspace(-1, 1, 50)
    >>> w, b = np.array([[[1.0], [-1.0], [1.0]]]), np.array([[0.0, 0.0, 0.5]])
    >>> by_elimination(ACTIVATIONS["relu"], Parameters(w, b, np.ones((1, 3)), np.zeros(1)), given(x, abs(x)))[0, 0].tolist()
    2
    """
    if not 0 < cut < 1:
        raise ConfigError(
            f"cut={cut!r} is out of range; give a number between 0 and 1, such as {CUT:g}"
        )
    _, units, _ = _responses(activation, parameters, data)
    nets, width, points = units.shape
    root = np.sqrt(data.weight / data.weight.sum())
    target = centred(data.y, root)
    order = np.empty((nets, width), np.intp)
    step = max(1, BLOCK // (width * (width + points)))
    for first in range(0, nets, step):
        block = slice(first, first + step)
        order[block] = _eliminated(units[block], target, cut)
    return order


def by_merging(activation: Activation, parameters: Parameters, data: Dataset) -> Merging:
    """Merging: at each step the neuron goes whose contribution another one can take up with the
    least change of the net.

    Into neuron j goes i with output weight v_j + v_i <s_i, s_j> / <s_j, s_j>, s the centred
    responses, and the constant takes the means up; the net then changes by |v_i|^2 |s_i|^2 (1 -
    rho_ij^2) in mean square, and the pair with the least change is merged. So it goes by size and
    by correlation: neurons with proportional contributions merge for nothing, whatever their size.
    v is the merged one from then on.
    """
    raw, units, length = _responses(activation, parameters, data)
    nets, width, _ = units.shape
    order, into = np.empty((nets, width), np.intp), np.empty((nets, width), np.intp)
    factor = np.zeros((nets, width))
    step = max(1, BLOCK // width**2)
    for first in range(0, nets, step):
        block = slice(first, first + step)
        order[block], into[block], factor[block] = _merged(
            units[block], length[block], raw.v[block]
        )
    return Merging(order, into, factor)


def by_tickets(activation: Activation, parameters: Parameters, data: Dataset) -> Order:
    """Ticket pruning: of the two mirror pairs whose errors correlate most, the one of the larger
    error goes, and so on.

    Pairs and their errors are those of figure 12 (`pair_neurons`, `disentangle`: both output
    weights of a pair fitted to the target). Neurons without a partner go first, those that add
    least before others; of a pair the one that adds less goes first. Errors that vanish correlate
    with none. Paper: appendix C, on what the correlations may be good for.
    """
    raw, units, length = _responses(activation, parameters, data)
    nets, width = raw.b.shape
    size = np.abs(raw.v) * length * units.any(axis=2)
    order = np.empty((nets, width), np.intp)
    if width == 1:
        return np.zeros((nets, 1), np.intp)
    pairs = pair_neurons(raw.w, raw.b).pairs
    apart = disentangle(activation, raw, pairs, data)
    for net in range(nets):
        whole = np.flatnonzero(pairs[net].min(axis=1) >= 0)
        rows = apart.errors[net, whole] * np.sqrt(apart.weight)
        loss = np.sum(rows * rows, axis=1)
        unit = np.divide(
            rows, np.sqrt(loss)[:, None], out=np.zeros_like(rows), where=loss[:, None] > 0
        )
        alike = np.abs(unit @ unit.T)
        np.fill_diagonal(alike, -1.0)
        gone: list[int] = []
        left = np.ones(len(whole), bool)
        for _ in range(len(whole)):
            last = int(np.argmax(left))
            if left.sum() > 1:
                i, j = divmod(
                    int(np.argmax(np.where(left[:, None] & left, alike, -2.0))), len(whole)
                )
                last = i if loss[i] >= loss[j] else j
            left[last] = False
            gone += sorted(pairs[net, whole[last]].tolist(), key=lambda neuron: size[net, neuron])
        single = np.setdiff1d(np.arange(width), gone)
        order[net] = [*single[np.argsort(size[net, single], kind="stable")], *gone]
    return order


def kept(order: Order, width: int) -> Order:
    """The `width` neurons (R, width) that are kept. Raises ConfigError for a width below 1 or above
    that of the nets.
    """
    if (
        isinstance(width, bool)
        or not isinstance(width, (int, np.integer))
        or not 1 <= width <= order.shape[1]
    ):
        raise ConfigError(
            f"width={width!r} is out of reach; these nets have 1 to {order.shape[1]} neurons to "
            "keep"
        )
    return order[:, order.shape[1] - width :]


def refitted(
    activation: Activation, parameters: Parameters, order: Order, width: int, data: Dataset
) -> Distilled:
    """The last `width` neurons of the order with their output weights and the constant fitted anew,
    as in `distillation.refit`.
    """
    raw = _finite(parameters, data)
    places = kept(_checked_order(order, raw), width)
    return refit(
        activation,
        np.take_along_axis(raw.w, places[:, :, None], axis=1),
        np.take_along_axis(raw.b, places, axis=1),
        data,
    )


def as_trained(
    activation: Activation,
    parameters: Parameters,
    order: Order | Merging,
    width: int,
    data: Dataset,
) -> Array:
    """Loss (R,) of the last `width` neurons of an order with the output weights that they have; c
    takes up the means of the others.

    Of a Merging the weights are the merged ones; of another order those of the net.
    """
    raw = _finite(parameters, data)
    v = raw.v.copy()
    places = _checked_order(order.order if isinstance(order, Merging) else order, raw)
    chosen = kept(places, width)
    if isinstance(order, Merging):
        row = np.arange(len(v))
        for step in range(v.shape[1] - width):
            v[row, order.into[:, step]] += order.factor[:, step] * v[row, places[:, step]]
    weight = data.weight / data.weight.sum()
    result = np.empty(len(v))
    step = max(1, BLOCK // (v.shape[1] * data.points))
    for first in range(0, len(v), step):
        block = slice(first, first + step)
        response = np.asarray(
            activation.value(raw.w[block] @ data.x.T + raw.b[block][..., None]), np.float64
        )
        whole = np.einsum("rnp,rn->rp", response, raw.v[block]) + raw.c[block][:, None] - data.y
        some = np.take_along_axis(response, chosen[block][:, :, None], axis=1)
        rest = (
            np.einsum("rkp,rk->rp", some, np.take_along_axis(v[block], chosen[block], axis=1))
            - data.y
        )
        rest += ((whole - rest) @ weight)[:, None]
        result[block] = rest**2 @ weight + data.offset
    return result


def _finite(parameters: Parameters, data: Dataset) -> Parameters:
    """Parameters in float64. Raises DataError for nets that are not finite or do not fit the data."""
    raw = Parameters(*(np.asarray(part, np.float64) for part in parameters))
    if (
        raw.w.ndim != 3
        or raw.b.shape != raw.w.shape[:2]
        or raw.v.shape != raw.b.shape
        or raw.w.shape[2] != data.inputs
    ):
        shapes = ", ".join(str(part.shape) for part in raw)
        raise DataError(
            f"w, b, v, c have shapes {shapes} for {data.inputs} inputs; pass (R, N, D), (R, N), "
            "(R, N), (R,)"
        )
    if not all(np.isfinite(part).all() for part in raw):
        raise DataError(
            "some nets are not finite; leave them out, as nets.select(np.isfinite(nets.loss))"
        )
    return raw


def _responses(
    activation: Activation, parameters: Parameters, data: Dataset
) -> tuple[Parameters, Array, Array]:
    """Parameters, unit vectors (R, N, P) of centred responses, and the lengths (R, N) divided out."""
    raw = _finite(parameters, data)
    root = np.sqrt(data.weight / data.weight.sum())
    response = activation.value(raw.w @ data.x.T + raw.b[..., None])
    units, length = directions(np.asarray(response), root)
    return raw, units, length


def _checked_order(order: ArrayLike, raw: Parameters) -> Order:
    """An order of these nets' neurons. Raises DataError."""
    places = np.asarray(order)
    if places.shape != raw.b.shape or not np.array_equal(
        np.sort(places, axis=1), np.broadcast_to(np.arange(places.shape[1]), places.shape)
    ):
        raise DataError(
            f"an order of shape {places.shape} is none of nets {raw.b.shape}; give each position "
            "once a net"
        )
    return places.astype(np.intp)


def _eliminated(units: Array, target: Array, cut: float) -> Order:
    """The order in which backward elimination takes the rows of units (R, N, P) out."""
    nets, width, points = units.shape
    tall = np.concatenate(
        [units.transpose(0, 2, 1), np.broadcast_to(cut * np.eye(width), (nets, width, width))],
        axis=1,
    )
    q, r = np.linalg.qr(tall)
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
        # A reflection that turns row `out` of s into a multiple of the last unit vector; then that
        # row and column go.
        mirror = s[row, out]
        norm = np.sqrt(square[row, out])
        mirror[:, -1] += np.where(mirror[:, -1] < 0, -norm, norm)
        mirror /= np.linalg.norm(mirror, axis=1)[:, None]
        s -= 2 * (s @ mirror[:, :, None]) * mirror[:, None, :]
        z -= 2 * np.einsum("rj,rj->r", z, mirror)[:, None] * mirror
        s[row, out], place[row, out] = s[:, -1], place[row, count - 1]
        s, z = s[:, :-1, :-1], z[:, :-1]
    return order


def _merged(units: Array, length: Array, v: Array) -> tuple[Order, Order, Array]:
    """Order, into and factor (R, N) of merging."""
    nets, width, _ = units.shape
    rho = np.einsum("rip,rjp->rij", units, units)
    lost = np.maximum((1 - np.abs(rho)) * (1 + np.abs(rho)), 0.0)
    lost[:, np.arange(width), np.arange(width)] = np.inf
    there = units.any(axis=2)
    size = v * length * there  # of the contribution, with its sign
    length = np.where(there, length, 1.0)
    row = np.arange(nets)
    order, into, factor = (
        np.empty((nets, width), np.intp),
        np.empty((nets, width), np.intp),
        np.zeros((nets, width)),
    )
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
