"""Which algorithms narrow nets have found: clusters of nets, modulo everything that leaves net and
target the same.

Two nets are compared by what each neuron adds to the output, g_i(x) = v_i sigma(w_i x + b_i) less
its mean, not by parameters and not by predictions. The same contributions mean the same net, so
scale and sign symmetries of an activation, and neurons that do nothing, drop out by themselves; a
long valley of parameters stays short. Predictions would not do: good nets all predict the target,
whatever way they take. The order of the neurons and the symmetries of the target drop out by taking
the smallest distance over all of them, so no canonical order with its jumps is needed.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import binomtest

from minilotto.analysis.stats.clusters import Clusters, density_clusters
from minilotto.analysis.tickets.symmetries import (
    TargetSymmetry,
    homogeneous,
    parity,
    target_symmetries,
)
from minilotto.data.dataset import Dataset
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array

RESOLUTION = 0.01  # of the target's spread: nets closer than this do the same thing
SYMMETRIC = 0.1  # relative distance to the mirror image up to which a net counts as symmetric
IDLE = 1e-3  # of the target's spread: a neuron that adds less is idle
TAIL = 0.15  # of the activation's whole bending: what a tail may hold
WIDEST = 8  # assignments are exact, at a cost that doubles with each neuron
BLOCK = 2**22  # neuron pairs whose distances are held at a time


@dataclass(frozen=True)
class Neuron:
    """What one neuron of a representative net does.

    low, high: its least and greatest pre-activation on the data. bend_low, bend_high: the fractions
    of the activation's whole bending (the variation of its slope) that lie below these. size: root
    mean square of its contribution, in units of the target's standard deviation. partner: the
    neuron that is its mirror image, itself perhaps, or -1.
    """

    low: float
    high: float
    bend_low: float
    bend_high: float
    size: float
    partner: int

    @property
    def part(self) -> str:
        """The part of the activation it uses: "idle", "lower tail", "upper tail" or "bend"."""
        if self.size < IDLE:
            return "idle"
        return (
            "lower tail"
            if self.bend_high <= TAIL
            else "upper tail"
            if self.bend_low >= 1 - TAIL
            else "bend"
        )


@dataclass(frozen=True, eq=False)
class Algorithm:
    """One cluster of nets.

    members: positions of its nets among those given; medoid: that of the net nearest to all others;
    share with its Wilson interval (95%) among all finite nets; loss quartiles; asymmetry: median
    relative distance of a net to its nearest image under the target's symmetries, NaN where there
    is none but the identity; neurons: those of the medoid.
    """

    members: NDArray[np.intp]
    medoid: int
    share: float
    share_low: float
    share_high: float
    loss_low: float
    loss_median: float
    loss_high: float
    asymmetry: float
    neurons: tuple[Neuron, ...]

    @property
    def symmetric(self) -> bool:
        """Whether its nets are their own images under a symmetry of the target, neurons exchanged."""
        return self.asymmetry <= SYMMETRIC

    @property
    def name(self) -> str:
        """In words: symmetric or not, and each neuron's part of the activation and interval of
        pre-activations.
        """
        active = [neuron for neuron in self.neurons if neuron.part != "idle"]
        if not active:
            return "constant"
        kind = (
            "" if np.isnan(self.asymmetry) else "symmetric: " if self.symmetric else "asymmetric: "
        )
        parts = [f"{neuron.part} [{neuron.low:.2g}, {neuron.high:.2g}]" for neuron in active]
        idle = len(self.neurons) - len(active)
        return kind + " + ".join(parts) + (f" + {idle} idle" if idle else "")


@dataclass(frozen=True, eq=False)
class Algorithms:
    """All algorithms, by rising median loss.

    label (R,) int: which one each net follows, -1 for none or for a net that is not finite. found:
    them. aligned: all nets, each in the order of neurons and the image under symmetries nearest to
    its algorithm's medoid (nets of none as given). symmetries: those of the target that were taken
    out. clusters: how the number was chosen. dropped: nets that are not finite.
    """

    label: NDArray[np.intp]
    found: tuple[Algorithm, ...]
    aligned: Parameters
    symmetries: tuple[TargetSymmetry, ...]
    clusters: Clusters
    dropped: int

    def __len__(self) -> int:
        return len(self.found)


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components: mean (F,), directions (K, F), scores (R, K), explained (K,) parts of
    the whole variance.
    """

    mean: Array
    directions: Array
    scores: Array
    explained: Array


def principal_components(parameters: Parameters, count: int = 2) -> Components:
    """The first `count` principal components of the nets' raw parameters (w, b, v, c) in this
    order, F = N (D + 2) + 1.

    Nets that are not finite get NaN scores. A direction's largest entry is positive. Raises
    DataError for fewer than two finite nets. Paper: figure 9.
    """
    rows = np.concatenate(
        [np.asarray(part, np.float64).reshape(len(parameters.c), -1) for part in parameters], axis=1
    )
    finite = np.isfinite(rows).all(axis=1)
    if finite.sum() < 2:
        raise DataError(
            f"{finite.sum()} of {len(rows)} nets are finite; principal components take at least 2"
        )
    mean = rows[finite].mean(axis=0)
    _, values, directions = np.linalg.svd(rows[finite] - mean, full_matrices=False)
    directions = (
        directions[:count]
        * np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])[
            :count, None
        ]
    )
    explained = values[:count] ** 2 / max(float(np.sum(values**2)), np.finfo(np.float64).tiny)
    return Components(mean, directions, (rows - mean) @ directions.T, explained)


def contributions(activation: Activation, parameters: Parameters, data: Dataset) -> Array:
    """g_i(x_p) = v_i sigma(w_i x_p + b_i) less its weighted mean over the points, in float64: (R,
    N, P).
    """
    w, b, v = (np.asarray(part, np.float64) for part in parameters[:3])
    g = v[:, :, None] * activation.value(w @ data.x.T + b[:, :, None])
    return g - (g @ (data.weight / data.weight.sum()))[:, :, None]


@dataclass(frozen=True, eq=False)
class _Scene:
    """Contributions (R, N, P) times the root of the weights, the symmetries, and the target's
    standard deviation.
    """

    g: Array
    symmetries: tuple[TargetSymmetry, ...]
    spread: float

    @cached_property
    def squares(self) -> Array:
        return np.einsum("rnp,rnp->rn", self.g, self.g)

    def costs(
        self,
        rows: slice | NDArray[np.intp],
        others: slice | NDArray[np.intp],
        symmetry: TargetSymmetry,
    ) -> Array:
        """Squared distances of each neuron of `rows` to each of the images of `others`: (N, N,
        rows, others).
        """
        here, there = self.g[rows], symmetry.sign * self.g[others][:, :, symmetry.order]
        square = self.squares[rows][:, :, None, None] + self.squares[others]
        return np.maximum(square - 2 * np.tensordot(here, there, (2, 2)), 0.0).transpose(1, 3, 0, 2)

    def distances(self) -> Array:
        """Of each two nets, over every order of neurons and every symmetry: (R, R), in units of the
        target's standard deviation.
        """
        nets, width, _ = self.g.shape
        result = np.full((nets, nets), np.inf)
        step = max(1, BLOCK // (nets * width * width))
        for first in range(0, nets, step):
            rows = slice(first, first + step)
            for symmetry in self.symmetries:
                np.minimum(
                    result[rows],
                    _cheapest(self.costs(rows, slice(None), symmetry)),
                    out=result[rows],
                )
        np.fill_diagonal(result, 0.0)
        return np.sqrt(np.minimum(result, result.T)) / self.spread

    def asymmetry(self) -> Array:
        """Distance of each net to its nearest proper image, relative to the size of its
        contributions: (R,).
        """
        best = np.full(len(self.g), np.inf)
        for symmetry in self.symmetries[1:]:
            for i in range(len(self.g)):
                one = slice(i, i + 1)
                best[i] = min(best[i], _cheapest(self.costs(one, one, symmetry))[0, 0])
        whole = self.squares.sum(axis=1)
        active = whole > (IDLE * self.spread) ** 2  # else a constant, which is its own image
        return np.where(
            np.isfinite(best),
            np.sqrt(np.divide(best, whole, out=np.zeros_like(best), where=active)),
            np.nan,
        )


def _cheapest(costs: Array) -> Array:
    """The cheapest assignment of N neurons to N, for costs (N, N, ...): over sets of columns
    instead of all N! orders.
    """
    width = len(costs)
    best: dict[int, Array] = {0: np.zeros(costs.shape[2:])}
    for i in range(width):
        following: dict[int, Array] = {}
        for taken, so_far in best.items():
            for j in range(width):
                if not taken >> j & 1:
                    total, key = so_far + costs[i, j], taken | 1 << j
                    following[key] = (
                        np.minimum(following[key], total) if key in following else total
                    )
        best = following
    return best[(1 << width) - 1]


def algorithms(
    activation: Activation,
    parameters: Parameters,
    data: Dataset,
    loss: Array | None = None,
    clusters: int | None = None,
) -> Algorithms:
    """The algorithms that R nets follow, their shares, losses and representatives.

    The distance of two nets is sqrt(min over symmetries G and orders pi of sum_i <(g_i - G
    h_pi(i))^2>) in units of the target's standard deviation, <> the weighted mean over `data`.
    `density_clusters` parts the nets, with a resolution of RESOLUTION.

    activation, parameters (w (R, N, D), b, v (R, N), c (R,), any dtype); data: points at which nets
    are compared, symmetric ones where the target's symmetries shall be taken out; loss (R,), by
    default evaluated here; clusters: take the tree's cut that gives so many instead of the widest
    gap. Raises DataError for fewer than two finite nets, a constant target, negative weights, or
    more than WIDEST neurons.

    Paper: figures 9 to 11. Differs: there clusters are counted by eye in a plane of two principal
    components of the parameters.

    >>> import minilotto as ml
    >>> nets = ml.train(ml.Config(width=2, steps=2000), seeds=64)
    >>> len(algorithms(nets.activation, nets.parameters, nets.data).label)
    64
    """
    width = parameters.w.shape[1]
    if width > WIDEST:
        raise DataError(
            f"nets have {width} neurons; algorithms are told apart up to width {WIDEST}"
        )
    if (data.weight < 0).any():
        raise DataError(
            "data have negative weights; pass the points themselves, not compressed ones"
        )
    weight = data.weight / data.weight.sum()
    spread = float(np.sqrt(weight @ (data.y - weight @ data.y) ** 2))
    if not spread > 0:
        raise DataError("the target is constant on these points; there is nothing to compute")
    raw = Parameters(*(np.asarray(part, np.float64) for part in parameters))
    loss = _losses(activation, raw, data) if loss is None else np.asarray(loss, np.float64)
    g = contributions(activation, raw, data) * np.sqrt(weight)
    kept = np.flatnonzero(np.isfinite(g).all(axis=(1, 2)) & np.isfinite(loss) & np.isfinite(raw.c))
    if len(kept) < 2:
        raise DataError(f"{len(kept)} of {len(loss)} nets are finite; algorithms take at least 2")
    scene = _Scene(g[kept], target_symmetries(data), spread)
    distance = scene.distances()
    parts = density_clusters(distance, RESOLUTION, count=clusters)
    median = [float(np.median(loss[kept[parts.label == k]])) for k in range(parts.count)]
    order = np.argsort(median, kind="stable")
    asymmetry = scene.asymmetry()
    label, found = np.full(len(loss), -1), []
    aligned = Parameters(*(part.copy() for part in raw))
    bending = _bending(activation)
    for rank, k in enumerate(order):
        inside = np.flatnonzero(parts.label == k)
        medoid = int(inside[np.argmin(distance[np.ix_(inside, inside)].sum(axis=1))])
        label[kept[inside]] = rank
        for i in inside:
            _align(activation, raw, aligned, scene, int(i), medoid, kept)
        low, middle, high = np.quantile(loss[kept[inside]], [0.25, 0.5, 0.75])
        share = binomtest(len(inside), len(kept)).proportion_ci(method="wilson")
        neurons = _neurons(raw, scene, medoid, int(kept[medoid]), data, bending)
        middle_asymmetry = float(np.median(asymmetry[inside]))
        found.append(
            Algorithm(
                kept[inside], int(kept[medoid]), len(inside) / len(kept), float(share.low), float(share.high),
                float(low), float(middle), float(high), middle_asymmetry, neurons,
            )
        )  # fmt: skip
    return Algorithms(label, tuple(found), aligned, scene.symmetries, parts, len(loss) - len(kept))


def _losses(activation: Activation, parameters: Parameters, data: Dataset) -> Array:
    from minilotto.engines.evaluate import losses

    return losses(activation, parameters, data)


def _align(
    activation: Activation,
    raw: Parameters,
    aligned: Parameters,
    scene: _Scene,
    i: int,
    medoid: int,
    kept: NDArray[np.intp],
) -> None:
    """Write net i into `aligned` as the image, in the order and with the signs of neurons, that is
    nearest to the medoid.
    """
    best, chosen, places = np.inf, scene.symmetries[0], np.arange(raw.b.shape[1])
    for symmetry in scene.symmetries:
        costs = scene.costs(slice(medoid, medoid + 1), slice(i, i + 1), symmetry)[:, :, 0, 0]
        rows, columns = linear_sum_assignment(costs)
        total = costs[rows, columns].sum()
        if total < best * (1 - 1e-9):
            best, chosen, places = total, symmetry, columns
    w, b, v, c = (
        part[0] for part in chosen.image(Parameters(*(part[kept[i], None] for part in raw)))
    )
    w, b, v = w[places], b[places], v[places]
    if homogeneous(activation):
        size = np.sqrt((w**2).sum(axis=1) + b**2)
        ratio = np.sqrt(
            np.divide(np.abs(v), size, out=np.ones_like(v), where=(size > 0) & (v != 0))
        )
        w, b, v = w * ratio[:, None], b * ratio, v / ratio
    mirror = parity(activation)
    if mirror is not None:
        like = (w * raw.w[kept[medoid]]).sum(axis=1) + b * raw.b[kept[medoid]]
        turned = like < 0
        c = c + mirror[1] * v[turned].sum()
        w, b, v = (
            np.where(turned[:, None], -w, w),
            np.where(turned, -b, b),
            np.where(turned, mirror[0] * v, v),
        )
    for place, part in zip(aligned, (w, b, v, c), strict=True):
        place[kept[i]] = part


def _bending(activation: Activation) -> tuple[Array, Array]:
    """z and the fraction of the whole variation of the slope that lies below z."""
    z = np.linspace(-30.0, 30.0, 24_001)
    part = np.cumsum(np.abs(np.diff(activation.slope(z), prepend=activation.slope(z[:1]))))
    return z, part / max(float(part[-1]), np.finfo(np.float64).tiny)


def _neurons(
    raw: Parameters,
    scene: _Scene,
    place: int,
    net: int,
    data: Dataset,
    bending: tuple[Array, Array],
) -> tuple[Neuron, ...]:
    """What the neurons of one net do; `place` is its position in the scene, `net` that in `raw`."""
    z = raw.w[net] @ data.x.T + raw.b[net][:, None]
    low, high = z.min(axis=1), z.max(axis=1)
    partner = np.full(len(z), -1)
    one, best = slice(place, place + 1), np.inf
    for symmetry in scene.symmetries[1:]:
        costs = scene.costs(one, one, symmetry)[:, :, 0, 0]
        rows, columns = linear_sum_assignment(costs)
        if costs[rows, columns].sum() < best:
            best = costs[rows, columns].sum()
            partner = np.where(
                costs[rows, columns] <= SYMMETRIC**2 * scene.squares[place].sum(), columns, -1
            )
    size = np.sqrt(scene.squares[place]) / scene.spread
    below = np.interp(low, *bending), np.interp(high, *bending)
    columns = (low, high, *below, size, partner)
    return tuple(
        Neuron(float(a), float(b), float(c), float(d), float(e), int(f))
        for a, b, c, d, e, f in zip(*columns, strict=True)
    )
