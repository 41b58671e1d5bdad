"""Which algorithms narrow nets have found: clusters of nets, modulo everything that leaves net and
target the same.

Two nets are compared by what each neuron adds to the output, g_i(x) = v_i sigma(w_i x + b_i) less
its mean, not by parameters and not by predictions. The same contributions mean the same net, so
scale and sign symmetries of an activation, and neurons that do nothing, drop out by themselves; a
long valley of parameters stays short. Predictions do not distinguish algorithms: all good nets
predict the target. The order of the neurons and the symmetries of the target drop out by taking the
smallest distance over all of them, so no canonical order with its discontinuities is needed.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from minilotto.analysis.stats.clusters import density_clusters
from minilotto.analysis.stats.estimates import share
from minilotto.analysis.tickets.symmetries import (
    TargetSymmetry,
    homogeneous,
    parity,
    target_symmetries,
)
from minilotto.data.dataset import Dataset
from minilotto.engines.evaluate import losses
from minilotto.ensemble.last_layer import TINY, check_weight, checked_nets, hidden
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array, check_match, reals_of
from minilotto.settings.display import Shown
from minilotto.settings.limits import blocks

__all__ = ["Algorithm", "Algorithms", "Neuron", "algorithms"]

IDLE = 1e-3  # of the target's spread: a neuron that adds less is idle
BLOCK = 2**22  # neuron pairs whose distances are held at a time
RESOLUTION = 0.01  # of the target's spread: nets closer than this do the same thing
SYMMETRIC = 0.1  # relative distance to the mirror image up to which a net counts as symmetric
TAIL = 0.15  # of the activation's whole bending: what a tail may hold
WIDEST = 8  # assignments are exact, at a cost that doubles with each neuron


@dataclass(frozen=True)
class Neuron(Shown):
    """What one neuron of a representative net does.

    Parameters
    ----------
    low, high : float
        Its least and greatest pre-activation on the data.
    bend_low, bend_high : float
        Fractions of the activation's whole bending (the variation of its slope) that lie below
        these.
    size : float
        Root mean square of its contribution, in units of the target's standard deviation.
    """

    low: float
    high: float
    bend_low: float
    bend_high: float
    size: float

    @property
    def part(self) -> str:
        """The part of the activation it uses: "idle", "lower tail", "upper tail" or "bend"."""
        if self.size < IDLE:
            return "idle"
        if self.bend_high <= TAIL:
            return "lower tail"
        return "upper tail" if self.bend_low >= 1 - TAIL else "bend"


@dataclass(frozen=True, eq=False)
class Algorithm(Shown):
    """One cluster of nets.

    Parameters
    ----------
    members : (K,) ndarray of int
        Positions of its nets among those given.
    medoid : int
        Position of the net nearest to all others.
    share, share_low, share_high : float
        Fraction of all finite nets, with its Wilson interval (95%).
    loss_low, loss_median, loss_high : float
        Quartiles.
    asymmetry : float
        Median relative distance of a net to its nearest image under the target's symmetries, NaN
        where there is none but the identity.
    neurons : tuple of Neuron
        Those of the medoid.
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
        """Whether its nets are their own images under a symmetry, with neurons exchanged."""
        return self.asymmetry <= SYMMETRIC

    @property
    def name(self) -> str:
        """In words: symmetric or not, each neuron's part of the activation and pre-activations."""
        active = [neuron for neuron in self.neurons if neuron.part != "idle"]
        if not active:
            return "constant"
        parts = [f"{neuron.part} [{neuron.low:.2g}, {neuron.high:.2g}]" for neuron in active]
        idle = len(self.neurons) - len(active)
        words = " + ".join(parts) + (f" + {idle} idle" if idle else "")
        if np.isnan(self.asymmetry):
            return words
        return f"{'symmetric' if self.symmetric else 'asymmetric'}: {words}"


@dataclass(frozen=True, eq=False)
class Algorithms(Shown):
    """All algorithms, by rising median loss.

    Parameters
    ----------
    label : (R,) ndarray of int
        Which one each net follows, -1 for none or for a net that is not finite.
    found : tuple of Algorithm
    aligned : Parameters
        All nets, each in the order of neurons and the image under symmetries nearest to its
        algorithm's medoid (nets of none as given).
    """

    label: NDArray[np.intp]
    found: tuple[Algorithm, ...]
    aligned: Parameters

    def __len__(self) -> int:
        return len(self.found)


def contributions(activation: Activation, parameters: Parameters, data: Dataset) -> Array:
    """g_i(x_p) = v_i sigma(w_i x_p + b_i) less its weighted mean over the points: (R, N, P)."""
    response = hidden(activation, parameters.w, parameters.b, data.x)
    g = np.asarray(parameters.v, np.float64)[:, :, None] * response
    return np.asarray(g - (g @ (data.weight / data.weight.sum()))[:, :, None])


@dataclass(frozen=True, eq=False)
class Scene(Shown):
    """R nets to be compared: g (R, N, P), their contributions times the root of the points'
    weights; the target's symmetries, the identity first; and its standard deviation, the spread.
    """

    g: Array
    symmetries: tuple[TargetSymmetry, ...]
    spread: float

    @cached_property
    def squares(self) -> Array:
        """(R, N) squared sizes of the contributions."""
        return np.asarray(np.einsum("rnp,rnp->rn", self.g, self.g))

    def costs(
        self,
        rows: slice | NDArray[np.intp],
        others: slice | NDArray[np.intp],
        symmetry: TargetSymmetry,
    ) -> Array:
        """Squared distances (N, N, rows, others) of some nets' neurons to images of others'."""
        here, there = self.g[rows], symmetry.sign * self.g[others][:, :, symmetry.order]
        square = self.squares[rows][:, :, None, None] + self.squares[others]
        costs: Array = np.maximum(square - 2 * np.tensordot(here, there, (2, 2)), 0.0)
        return np.asarray(costs.transpose(1, 3, 0, 2))

    def distances(self) -> Array:
        """Distances (R, R) of nets, least over orders and symmetries, in units of `spread`."""
        nets, width, _ = self.g.shape
        result = np.full((nets, nets), np.inf)
        for rows in blocks(nets, nets * width * width, BLOCK):
            for symmetry in self.symmetries:
                images = cheapest(self.costs(rows, slice(None), symmetry))
                result[rows] = np.minimum(result[rows], images)
        np.fill_diagonal(result, 0.0)
        return np.asarray(np.sqrt(np.minimum(result, result.T)) / self.spread)

    def asymmetry(self) -> Array:
        """Distance (R,) of each net to its nearest proper image, relative to its contributions'
        size; NaN where the target has no symmetry but the identity.
        """
        best = np.full(len(self.g), np.inf)
        for symmetry in self.symmetries[1:]:
            for i in range(len(self.g)):
                one = slice(i, i + 1)
                best[i] = min(best[i], cheapest(self.costs(one, one, symmetry))[0, 0])
        whole = self.squares.sum(axis=1)
        active = whole > (IDLE * self.spread) ** 2  # else a constant, which is its own image
        relative = np.divide(best, whole, out=np.zeros_like(best), where=active)
        return np.where(np.isfinite(best), np.sqrt(relative), np.nan)


def cheapest(costs: Array) -> Array:
    """The cheapest assignment (...) of N neurons to N, costs (N, N, ...), over sets of columns."""
    width = len(costs)
    best: dict[int, Array] = {0: np.zeros(costs.shape[2:])}
    for i in range(width):
        following: dict[int, Array] = {}
        for taken, so_far in best.items():
            for j in range(width):
                if not taken >> j & 1:
                    total, key = so_far + costs[i, j], taken | 1 << j
                    following[key] = np.minimum(following.get(key, np.inf), total)
        best = following
    return best[(1 << width) - 1]


def algorithms(
    activation: Activation, parameters: Parameters, data: Dataset, loss: Array | None = None
) -> Algorithms:
    """The algorithms that R nets follow, their shares, losses and representatives.

    The distance of two nets is sqrt(min over symmetries G and orders pi of sum_i <(g_i - G
    h_pi(i))^2>) in units of the target's standard deviation, <> the weighted mean over `data`.
    `density_clusters` finds the clusters, with a resolution of RESOLUTION.

    Parameters
    ----------
    activation : Activation
    parameters : Parameters
        w (R, N, D), b, v (R, N), c (R,), of any dtype, N up to WIDEST.
    data : Dataset
        Points at which nets are compared, symmetric ones where the target's symmetries shall count.
    loss : (R,) ndarray of float64 or None
        By default evaluated here.

    Returns
    -------
    Algorithms

    Raises
    ------
    DataError
        For fewer than two finite nets, a constant target, negative weights, more than WIDEST
        neurons, or losses that do not match.

    References
    ----------
    Paper: figures 9 to 11. Differs: there clusters are counted visually in a plane of two principal
    components of the parameters.

    Examples
    --------
    >>> import minilotto as ml
    >>> nets = ml.train(ml.Config(width=2, steps=2000), seeds=64)
    >>> len(algorithms(nets.activation, nets.parameters, nets.data).label)
    64
    """
    raw = checked_nets(parameters, data)
    width = raw.w.shape[1]
    if width > WIDEST:
        raise DataError(
            f"nets have {width} neurons; algorithms are distinguished up to width {WIDEST}"
        )
    check_weight(data.weight)
    weight = data.weight / data.weight.sum()
    spread = float(np.sqrt(weight @ (data.y - weight @ data.y) ** 2))
    if not spread > 0:
        raise DataError("the target is constant on these points; there is nothing to compute")
    loss = losses(activation, raw, data) if loss is None else reals_of("loss", loss)
    check_match(loss.shape == raw.c.shape, "one loss a net, (R,)", loss=loss, c=raw.c)
    g = contributions(activation, raw, data) * np.sqrt(weight)
    kept = np.flatnonzero(np.isfinite(g).all(axis=(1, 2)) & np.isfinite(loss) & np.isfinite(raw.c))
    if len(kept) < 2:
        raise DataError(f"{len(kept)} of {len(loss)} nets are finite; algorithms take at least 2")
    scene = Scene(g[kept], target_symmetries(data), spread)
    distance = scene.distances()
    parts = density_clusters(distance, RESOLUTION)
    median = [float(np.median(loss[kept[parts == k]])) for k in range(parts.max() + 1)]
    order = np.argsort(median, kind="stable")
    asymmetry = scene.asymmetry()
    label, found = np.full(len(loss), -1), []
    aligned = Parameters(*(part.copy() for part in raw))
    # z and the fraction of the whole variation of the slope that lies below z
    z = np.linspace(-30.0, 30.0, 24_001)
    part = np.cumsum(np.abs(np.diff(activation.slope(z), prepend=activation.slope(z[:1]))))
    bending = z, part / max(float(part[-1]), TINY)
    for rank, k in enumerate(order):
        inside = np.flatnonzero(parts == k)
        medoid = int(inside[np.argmin(distance[np.ix_(inside, inside)].sum(axis=1))])
        label[kept[inside]] = rank
        for i in inside:
            _align(activation, raw, aligned, scene, int(i), medoid, kept)
        low, middle, high = np.quantile(loss[kept[inside]], [0.25, 0.5, 0.75])
        won = share(len(inside), len(kept), method="wilson")
        found.append(
            Algorithm(
                members=kept[inside],
                medoid=int(kept[medoid]),
                share=won.value,
                share_low=won.low,
                share_high=won.high,
                loss_low=float(low),
                loss_median=float(middle),
                loss_high=float(high),
                asymmetry=float(np.median(asymmetry[inside])),
                neurons=_neurons(raw, scene, medoid, int(kept[medoid]), data, bending),
            )
        )
    return Algorithms(label, tuple(found), aligned)


def _align(
    activation: Activation,
    raw: Parameters,
    aligned: Parameters,
    scene: Scene,
    i: int,
    medoid: int,
    kept: NDArray[np.intp],
) -> None:
    """Write net i into `aligned`: its image, neurons ordered and signed, nearest to the medoid."""
    best, chosen, places = np.inf, scene.symmetries[0], np.arange(raw.b.shape[1])
    for symmetry in scene.symmetries:
        costs = scene.costs(slice(medoid, medoid + 1), slice(i, i + 1), symmetry)[:, :, 0, 0]
        rows, columns = linear_sum_assignment(costs)
        total = costs[rows, columns].sum()
        if total < best * (1 - 1e-9):
            best, chosen, places = total, symmetry, columns
    image = chosen.image(Parameters(*(part[kept[i], None] for part in raw)))
    w, b, v = (part[0, places] for part in image[:3])
    c = image.c[0]
    if homogeneous(activation):
        size = np.sqrt((w**2).sum(axis=1) + b**2)
        active = (size > 0) & (v != 0)
        ratio = np.sqrt(np.divide(np.abs(v), size, out=np.ones_like(v), where=active))
        w, b, v = w * ratio[:, None], b * ratio, v / ratio
    mirror = parity(activation)
    if mirror is not None:
        like = (w * raw.w[kept[medoid]]).sum(axis=1) + b * raw.b[kept[medoid]]
        turned = like < 0
        c = c + mirror[1] * v[turned].sum()
        w, b = np.where(turned[:, None], -w, w), np.where(turned, -b, b)
        v = np.where(turned, mirror[0] * v, v)
    for place, part in zip(aligned, (w, b, v, c), strict=True):
        place[kept[i]] = part


def _neurons(
    raw: Parameters, scene: Scene, place: int, net: int, data: Dataset, bending: tuple[Array, Array]
) -> tuple[Neuron, ...]:
    """What the neurons of one net do; `place` is its position in the scene, `net` that in `raw`."""
    z = raw.w[net] @ data.x.T + raw.b[net][:, None]
    low, high = z.min(axis=1), z.max(axis=1)
    size = np.sqrt(scene.squares[place]) / scene.spread
    rows = (low, high, np.interp(low, *bending), np.interp(high, *bending), size)
    return tuple(Neuron(*neuron) for neuron in zip(*(row.tolist() for row in rows), strict=True))
