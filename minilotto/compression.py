"""Lossless compression: many one-dimensional points become few weighted nodes with the same loss and gradient.

A smooth network f is a polynomial of modest degree on the data's interval, to rounding. So sum_p weight_p (f(x_p) - y_p)^2 needs
only the data's moments, and these are kept by K nodes: the Gauss rule of the data's own measure (Lanczos, then Golub and Welsch
1969), with the labels projected on the polynomials of degree below K. What the labels hold beyond these, no such f can see; it
becomes a constant offset of the loss. For f of degree below K, loss and gradient are equal in exact arithmetic.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.dataset import Dataset, frozen
from minilotto.errors import ConfigError

Array = NDArray[np.float64]
PIECE = 4096  # points that are reduced to local nodes at a time
DIRECT = 16_384  # up to so many points, the Gauss rule is made from the points themselves


def merged(data: Dataset) -> Dataset:
    """The same loss from distinct points in ascending order: ties become one point at their mean label, zero weights vanish.

    Raises ConfigError for more than one input.
    """
    if data.inputs != 1:
        raise ConfigError(f"data with {data.inputs} inputs cannot be compressed; only one input can (compress=False)")
    kept = np.flatnonzero(data.weight)
    x, y, weight = data.x[kept, 0], data.y[kept], data.weight[kept]
    distinct, where = np.unique(x, return_inverse=True)
    if len(distinct) == len(x):
        order = np.argsort(x, kind="stable")
        return frozen(x[order, None], y[order], weight[order], data.offset)
    total = np.bincount(where, weight).astype(np.float64)
    mean = np.bincount(where, weight * y) / total
    spread = np.sum(weight * (y - mean[where]) ** 2)
    return frozen(distinct[:, None], mean, total, data.offset + float(spread))


def compress(data: Dataset, nodes: int) -> Dataset:
    """At most `nodes` nodes whose loss and gradient equal those of `data` for each f that is a polynomial of degree below `nodes`.

    Data of no more than `nodes` distinct points come back as these. Costs O(P * nodes) for many points. Raises ConfigError for
    more than one input or fewer than one node.

    >>> from minilotto.dataset import given
    >>> x = np.linspace(-1, 1, 501)
    >>> few = compress(given(x, np.exp(x)), 12)
    >>> few.points, bool(abs(few.weight @ few.x[:, 0] ** 4 - np.mean(x**4)) < 1e-15)
    (12, True)
    """
    if nodes < 1:
        raise ConfigError(f"compress={nodes} is out of range; give a number of nodes of at least 1, or False")
    points = merged(data)
    if points.points <= nodes:
        return points
    middle, half = _interval(points.x[:, 0])
    s = (points.x[:, 0] - middle) / half
    few = _local_nodes(s, points.weight, points.weight * points.y, 2 * nodes)
    basis = _lanczos(*few, nodes)
    at, rule, y = _gauss_rule(basis)
    if len(few[0]) == points.points:
        rest = float(np.sum(points.weight * (points.y - basis.coefficients @ basis.values) ** 2))
    else:
        rest = _squared_rest(points, basis, s)
    return frozen((middle + half * at)[:, None], y, rule, points.offset + rest)


def thinned(data: Dataset, pieces: int, degree: int) -> Dataset:
    """Nodes that keep every moment up to `degree` within each of `pieces` equal parts of the data's interval.

    Unlike `compress`, it serves functions that bend at the scale of a piece: what many points are audited with. Weights may be
    negative.
    """
    points = merged(data)
    middle, half = _interval(points.x[:, 0])
    s = (points.x[:, 0] - middle) / half
    edges = np.searchsorted(s, np.linspace(-1.0, 1.0, pieces + 1)[1:-1])
    weight, labels = points.weight, points.weight * points.y
    parts = []
    for first, last in pairwise([0, *edges.tolist(), len(s)]):
        if last - first <= degree + 1:
            parts.append((s[first:last], weight[first:last], labels[first:last]))
        else:
            parts.append(_anterpolated(s[first:last], weight[first:last], labels[first:last], degree + 1))
    at, rule, moments = (np.concatenate(column) for column in zip(*parts, strict=True))
    y = np.divide(moments, rule, out=np.zeros_like(moments), where=rule != 0)
    # The labels of a node are a weighted mean; the loss of the zero function must come out right, so the offset makes up the rest.
    rest = float(np.sum(points.weight * points.y**2) - np.sum(rule * y**2))
    return frozen((middle + half * at)[:, None], y, rule, points.offset + rest)


def _interval(x: Array) -> tuple[float, float]:
    low, high = float(x[0]), float(x[-1])
    return (low + high) / 2, (high - low) / 2 or 1.0


class _Basis(NamedTuple):
    """Orthonormal polynomials p_0 ... p_(K-1) of a discrete measure of M points.

    b_j p_(j+1) = (s - a_j) p_j - b_(j-1) p_(j-1) with a (K,), b (K - 1,), p_0 = `constant`; `values` (K, M) are theirs at the
    points, `coefficients` (K,) those of the labels' projection.
    """

    a: Array
    b: Array
    constant: float
    values: Array
    coefficients: Array


def _lanczos(s: Array, weight: Array, labels: Array, count: int) -> _Basis:
    """At most `count` orthonormal polynomials; fewer where the measure has no more distinct points to rounding.

    Each is orthogonalised twice against all before it, without which Lanczos loses them.
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
        if j + 1 == count or b[j] <= 1e-14:
            found = j + 1
            break
        p[j + 1] = q / b[j]
    return _Basis(a[:found], b[: found - 1], constant, p[:found], p[:found] @ labels)


def _gauss_rule(basis: _Basis) -> tuple[Array, Array, Array]:
    """Nodes (K,), weights (K,) and projected labels (K,): eigenvalues and eigenvectors of the Jacobi matrix.

    The eigenvector of node k holds sqrt(weight_k) p_j(node_k), which stays accurate where the recurrence does not.
    """
    at, vectors = np.linalg.eigh(np.diag(basis.a) + np.diag(basis.b, 1) + np.diag(basis.b, -1))
    kept = vectors[0] != 0
    root = vectors[0, kept] / basis.constant
    return at[kept], root**2, basis.coefficients @ vectors[:, kept] / root


def _squared_rest(points: Dataset, basis: _Basis, s: Array) -> float:
    """sum_p weight_p (y_p - projection of y at x_p)^2 of many points, in pieces that fit in cache."""
    total = 0.0
    for first in range(0, points.points, PIECE):
        part = slice(first, first + PIECE)
        before, here = np.zeros_like(s[part]), np.full_like(s[part], basis.constant)
        projected = basis.coefficients[0] * here
        for j in range(len(basis.b)):
            above = ((s[part] - basis.a[j]) * here - (basis.b[j - 1] * before if j else 0.0)) / basis.b[j]
            before, here = here, above
            projected += basis.coefficients[j + 1] * here
        total += float(np.sum(points.weight[part] * (points.y[part] - projected) ** 2))
    return total


def _local_nodes(s: Array, weight: Array, labels: Array, degree: int) -> tuple[Array, Array, Array]:
    """Nodes, weights and label moments that keep all moments below `degree`: pieces of points, then pieces of what these leave."""
    while len(s) > DIRECT and len(s) > 2 * degree * (len(s) // PIECE + 1):
        parts = [
            _anterpolated(s[first : first + PIECE], weight[first : first + PIECE], labels[first : first + PIECE], degree)
            for first in range(0, len(s), PIECE)
        ]
        s, weight, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    return s, weight, labels


def _anterpolated(s: Array, weight: Array, labels: Array, count: int) -> tuple[Array, Array, Array]:
    """`count` Chebyshev nodes of the points' interval with sum_k rule_k p(node_k) = sum weight p(s) for degrees below `count`.

    The transpose of barycentric interpolation (Berrut and Trefethen 2004). The same for the label moments.
    """
    if len(s) <= count:
        return s, weight, labels
    middle, half = _interval(s)
    angle = (np.arange(count) + 0.5) * np.pi / count
    node = np.cos(angle)[::-1]
    factor = np.sin(angle)[::-1] * (-1.0) ** np.arange(count)
    distance = ((s - middle) / half)[:, None] - node
    hit = distance == 0
    distance[hit] = 1.0
    basis = factor / distance
    basis[hit.any(axis=1)] = hit[hit.any(axis=1)]
    basis /= basis.sum(axis=1, keepdims=True)
    return middle + half * node, weight @ basis, labels @ basis
