"""Lossless compression for several inputs: rules of positive weights that have the data's moments.

Where f is a polynomial of total degree m / 2, the loss sum_p weight_p (f(x_p) - y_p)^2 needs the
moments of the weights up to degree m and those of the labels up to m / 2. Of the M moments for
weights, any measure needs at most M of its own points (Tchakaloff): a point whose moments are a
combination of those of others can give its weight to these until one of them has none left. Points
are eliminated so in groups first, by halves, then one by one.

A node that may move meets as many equations as it has coordinates, and one more by its weight.
Newton steps of least norm, damped, from the centres of cells of the data, mostly end at a rule of
0.6 M nodes of two inputs where the data fill their box; otherwise the rule on the points is taken.
All sums here are NumPy's own or loops, not BLAS: their bits do not depend on threads.
"""

import itertools
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from heapq import heappop, heappush
from math import ceil, comb

import numpy as np

from minilotto.data.dataset import Dataset, frozen
from minilotto.errors import ConfigError
from minilotto.kernels.elimination import pivot
from minilotto.settings.arrays import Array, Ints

MOST_NODES = 2048  # those of a rule for which some 10^10 operations are too many
FREE, FREE_DEGREE = 0.6, 28  # nodes that move, over M; the degree up to which they are tried
MOST_SOLUTIONS = 40  # of the Newton equations
CLOSE, NO_PIVOT = 1e-14, 1e-13  # of moments; of the largest moment
SMALL = 1e-9  # of the labels' squares
OUTSIDE = 0.05  # by which a node may leave the box, in half its sides
AT_ONCE = 4096  # points whose polynomials are held


class _Measure:
    """Points (P, D) in [-1, 1]^D and their weights; equal for equal content."""

    def __init__(self, x: Array, weight: Array) -> None:
        self.x, self.weight = x, weight
        self.digest = blake2b(x.tobytes() + weight.tobytes()).digest()

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Measure) and self.digest == other.digest


def compressed(points: Dataset, nodes: int) -> Dataset:
    """At most `nodes` nodes for more than that many distinct points, as `quadrature.compress`.

    Loss and gradient are equal for each f that is a polynomial of half the rule's degree. Raises
    ConfigError for more than MOST_NODES.
    """
    if nodes > MOST_NODES:
        raise ConfigError(
            f"compress={nodes} is out of reach for {points.inputs} inputs; give at most "
            f"{MOST_NODES} nodes, or False"
        )
    low, high = points.x.min(axis=0), points.x.max(axis=0)
    middle = low / 2 + high / 2
    half = np.where(high > low, high / 2 - low / 2, 1.0)
    measure = _Measure((points.x - middle) / half, points.weight)
    at, weight, degree = _rule(measure, nodes)
    labels, rest = _labels(measure, points.y, at, weight, degree // 2)
    return frozen(middle + half * at, labels, weight, points.offset + rest)


def moments_of(inputs: int, degree: int) -> int:
    """Number of the polynomials of a total degree: M."""
    return comb(degree + inputs, inputs)


@lru_cache(maxsize=16)
def _rule(measure: _Measure, nodes: int) -> tuple[Array, Array, int]:
    """Nodes, weights and degree of the best rule that is found."""
    inputs = measure.x.shape[1]

    def highest(share: float) -> int:
        return max(m for m in range(nodes) if ceil(share * moments_of(inputs, m)) <= nodes)

    degree, tried = highest(1.0), min(highest(FREE), FREE_DEGREE)
    if tried > degree and inputs == 2:
        at, weight = _rule_on_points(measure, tried)
        if len(at) <= nodes:  # they lie on a curve, or nearly
            return at, weight, tried
        found = _free_rule(measure, tried)
        if found is not None:
            return *found, tried
    return *_rule_on_points(measure, degree), degree


# Chebyshev polynomials
@lru_cache(maxsize=64)
def _exponents(inputs: int, degree: int) -> Ints:
    """Degrees in each input (M, D) of all products of total degree up to `degree`, ascending."""
    every = itertools.product(range(degree + 1), repeat=inputs)
    return np.array(sorted((one for one in every if sum(one) <= degree), key=sum))


def _values(x: Array, degree: int) -> Array:
    """Products of Chebyshev polynomials at points (P, D): (M, P)."""
    t = _chebyshev(x, degree)
    factors = (t[e, :, d] for d, e in enumerate(_exponents(x.shape[1], degree).T))
    result: Array = np.multiply.reduce([*factors])
    return result


def _chebyshev(x: Array, degree: int) -> Array:
    """Polynomials: (degree + 1, P, D)."""
    t = np.ones((degree + 1, *x.shape))
    for k in range(1, degree + 1):
        t[k] = (1 + (k > 1)) * x * t[k - 1] - (k > 1) * t[k - 2]
    return t


def _chebyshev_slopes(x: Array, t: Array) -> Array:
    """Those of the polynomials t."""
    slope = np.zeros_like(t)
    for k in range(1, len(t)):
        slope[k] = (1 + (k > 1)) * (t[k - 1] + x * slope[k - 1]) - (k > 1) * slope[k - 2]
    return slope


def _moments(x: Array, weight: Array, degree: int) -> Array:
    total = np.zeros(moments_of(x.shape[1], degree))
    for first in range(0, len(x), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        total += np.sum(_values(x[some], degree) * weight[some], axis=1)
    return total


# Rules on the data's own points
def _rule_on_points(measure: _Measure, degree: int) -> tuple[Array, Array]:
    x, weight = measure.x, measure.weight
    while True:
        groups = min(len(x), 2 * moments_of(x.shape[1], degree))
        edges = np.arange(groups + 1) * len(x) // groups
        if groups == len(x):
            columns = _values(x, degree) * weight
        else:
            parts = (_moments(x[a:b], weight[a:b], degree) for a, b in itertools.pairwise(edges))
            columns = np.stack([*parts], axis=1)
        factor = np.repeat(_fewer(columns), np.diff(edges))
        kept = factor > 0
        x, weight = x[kept], (factor * weight)[kept]
        if groups == len(factor):
            return x, weight / weight.sum()


def _fewer(columns: Array) -> Array:
    """Factors u >= 0 (G,) with columns (M, G) times u equal to their sum, of which no more than the
    columns' rank are above zero.
    """
    table, count, space = columns.copy(), np.ones(columns.shape[1]), np.empty(columns.shape)
    out, inside = np.arange(len(count)), []  # columns by their places in `columns`
    limit = NO_PIVOT * np.abs(table).max()
    for row in range(min(table.shape)):  # columns inside become those of the unit matrix
        below = table[row:, : len(out)]
        size = np.abs(below, out=space.ravel()[: below.size].reshape(below.shape))
        best, j = divmod(int(size.argmax()), len(out))
        if size[best, j] <= limit:
            break
        table[[row, row + best]] = table[[row + best, row]]
        inside.append(out[j])
        pivot(table, len(out), row, j, space[0])
        out = np.delete(out, j)
    table, u = table[: len(inside)], np.ones(len(inside))
    for j in range(len(out) - 1, -1, -1):  # columns outside, to be given up
        column = table[:, j]
        with np.errstate(divide="ignore", invalid="ignore"):
            less = np.where(column < 0, u / -column, np.inf)
            more = np.where(column > 0, u / column, np.inf)
        row, other = int(less.argmin()), int(more.argmin())
        if less[row] >= 1.0:
            u = np.maximum(u + column, 0.0)
            count[out[j]] = 0.0
            continue
        # One of those inside leaves instead, by the change of j's that makes the larger pivot.
        change = less[row]
        if np.isfinite(more[other]) and abs(column[other]) > abs(column[row]):
            row, change = other, -more[other]
        u = np.maximum(u + change * column, 0.0)
        u[row] = 1.0 - change
        count[inside[row]], inside[row] = 0.0, out[j]
        pivot(table, j + 1, row, j, space[0])
    count[inside] = u
    return count


# Rules of nodes that move
def _free_rule(measure: _Measure, degree: int) -> tuple[Array, Array] | None:
    """FREE M nodes of two inputs; None where none are found."""
    wanted = _moments(measure.x, measure.weight, degree)
    some = slice(None, None, -(-len(measure.x) // (4 * len(wanted))))
    values = _values(measure.x[some], degree)
    gram = _products(values * measure.weight[some], values)
    gram /= np.trace(gram)
    gram += CLOSE * np.eye(len(gram))
    cells = [*_cells(measure.x, ceil(FREE * len(wanted)))]
    if len(cells) >= len(measure.x):
        return None
    weight = np.array([measure.weight[cell].sum() for cell in cells])
    parts = (np.sum(measure.weight[c, None] * measure.x[c], axis=0) for c in cells)
    at = np.stack([*parts]) / weight[:, None]
    left, damping, side = _moments(at, weight, degree) - wanted, 1e-3, len(cells) ** -0.5
    norm = np.sum(left**2)
    slopes, square = np.empty(0), np.empty(0)
    for _ in range(MOST_SOLUTIONS):
        if not slopes.size:
            scale = side * np.sqrt(np.maximum(1 - at**2, side**2))
            slopes = _slopes(at, weight, scale, degree)
            square = _products(slopes, slopes)
        by = _solution(square + damping * np.trace(square) * gram, left)
        if not np.isfinite(by).all():
            return None
        step = -np.sum(slopes * by[:, None], axis=0).reshape(3, -1)
        new = np.clip(at + scale * step[:2].T, -1 - OUTSIDE, 1 + OUTSIDE)
        new_weight = weight * np.exp(np.clip(step[2], -1, 1))
        new_left = _moments(new, new_weight, degree) - wanted
        new_norm = np.sum(new_left**2)
        if not new_norm < norm:
            damping *= 5
            continue
        damping *= 0.05 if new_norm < 0.3 * norm else 0.3
        at, weight, left, norm, slopes = new, new_weight, new_left, new_norm, np.empty(0)
        if np.abs(left).max() < CLOSE:
            return at, weight / weight.sum()
    return None


def _cells(x: Array, count: int) -> Iterator[Ints]:
    """Places of the points in each of at most `count` cells of like size in the angles whose
    cosines the points are, halved along their longest sides.
    """
    angle = np.arccos(np.clip(x, -1, 1))
    heap: list[tuple[float, int, Ints]] = []
    order = itertools.count()  # of cells of one length

    def put(places: Ints) -> None:
        heappush(heap, (-np.ptp(angle[places], axis=0).max(), next(order), places))

    put(np.arange(len(x)))
    while len(heap) < count and heap[0][0] < 0:
        _, _, places = heappop(heap)
        along = angle[places]
        d = np.ptp(along, axis=0).argmax()
        first = along[:, d] <= (along[:, d].min() + along[:, d].max()) / 2
        put(places[first])
        put(places[~first])
    yield from (places for _, _, places in heap)


def _slopes(at: Array, weight: Array, scale: Array, degree: int) -> Array:
    """Those of the moments by scaled coordinates and by the logarithm of the weights: (M, 3K)."""
    t = _chebyshev(at, degree)
    slope = _chebyshev_slopes(at, t)
    e, f = _exponents(2, degree).T
    by_first = slope[e, :, 0] * t[f, :, 1] * (weight * scale[:, 0])
    by_second = t[e, :, 0] * slope[f, :, 1] * (weight * scale[:, 1])
    return np.concatenate([by_first, by_second, t[e, :, 0] * t[f, :, 1] * weight], axis=1)


def _products(a: Array, b: Array) -> Array:
    """a b^T."""
    result: Array = np.einsum("ik,jk->ij", a, b)
    return result


def _solution(matrix: Array, right: Array) -> Array:
    """Of a positive definite system, by elimination; not finite where it is none to rounding."""
    rows = np.column_stack([matrix, right])
    with np.errstate(all="ignore"):
        for k in range(len(rows) - 1):
            below = rows[k + 1 :, k] / rows[k, k]
            rows[k + 1 :, k + 1 :] -= below[:, None] * rows[k, k + 1 :]
        x = rows[:, -1].copy()
        for k in range(len(rows) - 1, -1, -1):
            x[k] = (x[k] - np.sum(rows[k, k + 1 : -1] * x[k + 1 :])) / rows[k, k]
    return x


# Labels
def _labels(
    measure: _Measure, y: Array, at: Array, weight: Array, degree: int
) -> tuple[Array, float]:
    """Labels at nodes (K,) that have the data's moments with all polynomials of a degree, and what
    the loss of the data has beyond theirs.

    Polynomials are made orthonormal on the nodes, twice, and carried along to the data. So what
    rounding leaves between the two, which grows where polynomials nearly vanish on them, is not in
    the moments.
    """
    found = np.empty((moments_of(at.shape[1], degree), len(at)))
    steps: list[tuple[int, list[Array], float]] = []
    for row, q in enumerate(_values(at, degree)):
        size, alongs, count = np.sqrt(np.sum(weight * q**2)), [], len(steps)
        for _ in range(2):
            alongs.append(np.einsum("kp,p->k", found[:count], weight * q))
            q = q - np.einsum("k,kp->p", alongs[-1], found[:count])
        norm = np.sqrt(np.sum(weight * q**2))
        if norm > NO_PIVOT * size:
            found[count] = q / norm
            steps.append((row, alongs, float(norm)))

    def carried(x: Array) -> Array:
        values, there = _values(x, degree), np.empty((len(steps), len(x)))
        for count, (row, alongs, norm) in enumerate(steps):
            q = values[row]
            for along in alongs:
                q = q - np.einsum("k,kp->p", along, there[:count])
            there[count] = q / norm
        return there

    def fit(polynomials: Array) -> Array:
        values = np.zeros(polynomials.shape[1])
        for coefficient, polynomial in zip(coefficients, polynomials, strict=True):
            values += coefficient * polynomial
        return values

    parts = [slice(first, first + AT_ONCE) for first in range(0, len(y), AT_ONCE)]
    coefficients, rest = np.zeros(len(steps)), 0.0
    for p in parts:
        coefficients += np.sum(measure.weight[p] * y[p] * carried(measure.x[p]), axis=1)
    labels, square = fit(found[: len(steps)]), np.sum(measure.weight * y**2)
    for p in parts:
        rest += float(np.sum(measure.weight[p] * (y[p] - fit(carried(measure.x[p]))) ** 2))
    # The sum is exact for labels that are nearly polynomials, the difference for all others.
    difference = float(square - np.sum(weight * labels**2))
    return labels, difference if rest > SMALL * square else rest
