"""Lossless compression: many points become few weighted nodes with the same loss. This is for one
input, data/cubature.py for two.

A smooth network f is a polynomial of moderate degree on the data's interval, to rounding. So sum_p
weight_p (f(x_p) - y_p)^2 needs only the data's moments, and these are kept by K nodes: the Gauss
rule of the data's own measure (Lanczos, then Golub and Welsch 1969), with the labels projected on
the polynomials of degree below K. The rest of the labels is orthogonal to every such f and becomes
a constant offset of the loss. For f of degree below K, loss and gradient are equal in exact
arithmetic.

Many points are split into pieces, each piece becomes the nodes of its own Gauss rule, and these
become the K. Rules have positive weights, so that nothing cancels, however uneven the data.
"""

from typing import NamedTuple

import numpy as np

from minilotto.data.cubature import compressed
from minilotto.data.dataset import Dataset, frozen
from minilotto.errors import ConfigError
from minilotto.settings.arrays import Array, Ints

PIECE = 4096  # points that are reduced to local nodes at a time
DIRECT = 16_384  # up to so many points, the Gauss rule is made from the points themselves
LARGEST_BASIS = 2**29  # numbers in the values of all polynomials at the points
AT_ONCE = 2**18  # numbers in those of some pieces
LITTLE = 0.1  # of half an interval; b of evenly spaced points is 0.5
FAINT = 1e-100  # square root of a fraction of the weight
BREAKDOWN = 1e-14  # of half an interval: a polynomial this small is rounding


def merged(data: Dataset) -> Dataset:
    """The same loss from distinct points in ascending order, without those of zero weight; points
    with equal x become one with their mean label.
    """
    kept = np.flatnonzero(data.weight)
    x, y, weight = data.x[kept], data.y[kept], data.weight[kept]
    order = np.lexsort(x.T[::-1])
    ordered = x[order]
    first = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))
    if first.all():
        return frozen(ordered, y[order], weight[order], data.offset)
    distinct, where = ordered[first], np.empty(len(x), np.intp)
    where[order] = np.cumsum(first) - 1
    total = np.bincount(where, weight).astype(np.float64)
    mean = np.bincount(where, weight * y) / total
    spread = np.sum(weight * (y - mean[where]) ** 2)
    return frozen(distinct, mean, total, data.offset + float(spread))


def compress(data: Dataset, nodes: int) -> Dataset:
    """Few nodes with the loss and gradient of all points.

    Of one input they are equal for each f that is a polynomial of degree below `nodes`, at a cost
    of O(P nodes^2). Of more, the number of nodes grows with the degree's power of inputs.

    Parameters
    ----------
    data : Dataset
        P points.
    nodes : int
        Largest number of nodes, at least 1.

    Returns
    -------
    Dataset
        At most `nodes` nodes; the distinct points where there are no more than that.

    Raises
    ------
    ConfigError
        For no node, or so many that the computation needs some gigabytes or minutes.

    Examples
    --------
    >>> from minilotto.data.dataset import given
    >>> x = np.linspace(-1, 1, 501)
    >>> few = compress(given(x, np.exp(x)), 12)
    >>> few.points, bool(abs(few.weight @ few.x[:, 0] ** 4 - np.mean(x**4)) < 1e-15)
    (12, True)
    """
    if nodes < 1:
        raise ConfigError(
            f"compress={nodes} is out of range; give a number of nodes of at least 1, or False"
        )
    points = merged(data)
    if points.points <= nodes:
        return points
    if points.inputs > 1:
        return compressed(points, nodes)
    middle, half = _interval(points.x[:, 0])
    s, weight, y, rest = (points.x[:, 0] - middle) / half, points.weight, points.y, 0.0
    while len(s) > DIRECT and len(s) > 2 * nodes * (len(s) // PIECE + 1):
        s, weight, y, lost = _reduced(s, weight, y, np.arange(0, len(s), PIECE), nodes)
        rest += lost
    if nodes * len(s) > LARGEST_BASIS:
        raise ConfigError(
            f"compress={nodes} is out of reach for {points.points:,} points; give fewer nodes, or "
            "False"
        )
    basis = _lanczos(s, weight, weight * y, nodes)
    at, rule, labels, unseen = _gauss_rule(basis)
    rest += unseen + float(np.sum(weight * (y - basis.coefficients @ basis.values) ** 2))
    return frozen((middle + half * at)[:, None], labels, rule, points.offset + rest)


def thinned(data: Dataset, pieces: int, degree: int) -> Dataset:
    """Nodes with the loss of every f that is a polynomial of this degree within each piece: at most
    degree + 1 for each.

    Unlike `compress`, it serves functions that bend at the scale of a piece: audits of many points
    use it. Pieces are equal subintervals of the interval, and of what is left of it without its
    outermost points where that is less than half; quantiles split these.
    """
    points = merged(data)
    middle, half = _interval(points.x[:, 0])
    s = (points.x[:, 0] - middle) / half
    starts = [np.arange(0, len(s), -(-4 * len(s) // pieces))]
    trim, narrowest = 0, np.inf
    while 4 * trim < len(s):
        low, high = s[trim], s[len(s) - 1 - trim]
        if high - low < narrowest / 2:
            narrowest = high - low
            starts.append(np.searchsorted(s, np.linspace(low, high, pieces + 1)))
        trim = 2 * trim or 1
    inside = np.unique(np.concatenate(starts))
    at, rule, y, rest = _reduced(s, points.weight, points.y, inside[inside < len(s)], degree + 1)
    return frozen((middle + half * at)[:, None], y, rule, points.offset + rest)


def _interval(x: Array) -> tuple[float, float]:
    low, high = float(x[0]), float(x[-1])
    return low / 2 + high / 2, high / 2 - low / 2 or 1.0


class _Basis(NamedTuple):
    """Orthonormal polynomials p_0 ... p_(K-1) of a discrete measure of M points.

    b_j p_(j+1) = (s - a_j) p_j - b_(j-1) p_(j-1) with a (K,), b (K - 1,), p_0 = `constant`;
    `values` (K, M) are theirs at the points, `coefficients` (K,) those of the labels' projection.
    """

    a: Array
    b: Array
    constant: float
    values: Array
    coefficients: Array


def _lanczos(s: Array, weight: Array, labels: Array, count: int) -> _Basis:
    """At most `count` orthonormal polynomials; fewer where the measure has fewer distinct points to
    rounding.

    Each is orthogonalised twice against all before it; otherwise Lanczos loses orthogonality.
    """
    constant = float(1.0 / np.sqrt(weight.sum()))
    p = np.empty((count, len(s)))
    p[0] = constant
    a, b = np.empty(count), np.empty(count)
    found = count
    for j in range(count):
        q = s * p[j]
        a[j] = np.sum(weight * q * p[j])
        q -= a[j] * p[j] + (b[j - 1] * p[j - 1] if j else 0.0)
        for _ in range(2):
            q -= (p[: j + 1] @ (weight * q)) @ p[: j + 1]
        b[j] = np.sqrt(max(np.sum(weight * q * q), 0.0))
        if j + 1 == count or b[j] <= BREAKDOWN:
            found = j + 1
            break
        p[j + 1] = q / b[j]
    return _Basis(a[:found], b[: found - 1], constant, p[:found], p[:found] @ labels)


def _gauss_rule(basis: _Basis) -> tuple[Array, Array, Array, float]:
    """Nodes, weights and projected labels (K,) each, from the eigenvectors of the Jacobi matrix.

    That of node k holds sqrt(weight_k) p_j(node_k), which stays accurate where the recurrence does
    not. Nodes of no weight are left out; the last number is what their labels would have added to
    the loss.
    """
    at, vectors = np.linalg.eigh(np.diag(basis.a) + np.diag(basis.b, 1) + np.diag(basis.b, -1))
    kept = np.abs(vectors[0]) > FAINT
    root = vectors[0, kept] / basis.constant
    unseen = float(np.sum((basis.coefficients @ vectors[:, ~kept]) ** 2))
    return at[kept], root**2, basis.coefficients @ vectors[:, kept] / root, unseen


def _reduced(
    s: Array, weight: Array, y: Array, starts: Ints, count: int
) -> tuple[Array, Array, Array, float]:
    """(s, weight, y) of at most `count` nodes for each piece from one of `starts` to the next, and
    the offset.

    Each piece has its own Gauss rule and its own projection of the labels, as in `compress`. Pieces
    of no more than `count` points stay as they are.
    """
    ends = np.append(starts[1:], len(s))
    sizes = ends - starts
    small = np.repeat(sizes <= count, sizes)
    parts, rest = [(s[small], weight[small], y[small])], 0.0
    large = np.flatnonzero(sizes > count)
    large = large[np.argsort(sizes[large], kind="stable")]  # pieces of like size share a batch
    while len(large):
        # in the polynomials of a batch that ends with this piece
        numbers = count * sizes[large] * np.arange(1, len(large) + 1)
        batch, large = np.split(large, [max(1, int(np.searchsorted(numbers, AT_ONCE, "right")))])
        place = starts[batch][:, None] + np.arange(sizes[batch[-1]])
        there = place < ends[batch][:, None]
        place = np.where(there, place, starts[batch][:, None])
        at, rule, labels, lost = _local_rules(
            s[place], np.where(there, weight[place], 0.0), y[place], count
        )
        parts.append((at, rule, labels))
        rest += lost
    at, rule, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(at, kind="stable")
    return at[order], rule[order], labels[order], rest


def _local_rules(
    s: Array, weight: Array, y: Array, count: int
) -> tuple[Array, Array, Array, float]:
    """Gauss rules of B pieces at once, s, weight, y (B, M), with more than `count` weighted points
    each: `_lanczos` for many.

    Nodes, weights and labels of all, and the offset. Orthogonalised a second time only where the
    first time left little.
    """

    def rest_of(q: Array) -> Array:
        before = p[:, : j + 1]
        projected = np.matmul(before, (weight * q)[:, :, None]).transpose(0, 2, 1) @ before
        rest: Array = q - projected[:, 0]
        return rest

    def norm(q: Array) -> Array:
        squares: Array = np.einsum("bm,bm,bm->b", weight, q, q)
        return np.sqrt(squares)

    low, high = s.min(axis=1, keepdims=True), s.max(axis=1, keepdims=True)
    middle, half = (low + high) / 2, (high - low) / 2
    local = (s - middle) / np.where(half > 0, half, 1.0)
    p = np.zeros((len(s), count, s.shape[1]))
    jacobi = np.zeros((len(s), count, count))
    constant = 1.0 / np.sqrt(weight.sum(axis=1))
    p[:, 0] = constant[:, None]
    going = np.ones(len(s), bool)
    for j in range(count):
        q = local * p[:, j]
        a = np.einsum("bm,bm,bm->b", weight, q, p[:, j])
        q -= a[:, None] * p[:, j] + (jacobi[:, j - 1, j, None] * p[:, j - 1] if j else 0.0)
        jacobi[:, j, j] = np.where(going, a, 2.0 + j)  # beyond the interval: no node
        if j + 1 < count:
            q = rest_of(q)
            b = norm(q)
            if (b < LITTLE).any():
                q = rest_of(q)
                b = norm(q)
            going &= b > BREAKDOWN
            b[~going] = 0.0
            jacobi[:, j, j + 1] = jacobi[:, j + 1, j] = b
            p[:, j + 1] = np.divide(q, b[:, None], out=np.zeros_like(q), where=going[:, None])
    coefficients = np.matmul(p, (weight * y)[:, :, None])[:, :, 0]
    rest = float(np.sum(weight * (y - np.matmul(coefficients[:, None], p)[:, 0]) ** 2))
    at, vectors = np.linalg.eigh(jacobi)
    root = vectors[:, 0] / constant[:, None]
    energy = np.matmul(coefficients[:, None], vectors)[:, 0]
    kept = (at < 1.5) & (np.abs(vectors[:, 0]) > FAINT)
    rest += float(np.sum(energy[~kept] ** 2))
    return (middle + half * at)[kept], root[kept] ** 2, energy[kept] / root[kept], rest
