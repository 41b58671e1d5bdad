"""Principal components of parameters, clusters in their plane, those that a swap exchanges."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist, pdist, squareform

from minilotto.analysis.stats.clusters import density_clusters
from minilotto.ensemble.last_layer import TINY, flat
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.settings.arrays import Array, array_of, check_match
from minilotto.settings.display import Shown
from minilotto.settings.limits import check_one_layer


@dataclass(frozen=True, eq=False)
class Components(Shown):
    """Two principal components of R nets' F = N (D + 2) + 1 parameters.

    Parameters
    ----------
    mean, directions : (F,), (2, F) ndarray of float64
    scores : (R, 2) ndarray of float64
        NaN for nets that are not finite.
    explained : (2,) ndarray of float64
        Fractions of the whole variance.
    """

    mean: Array
    directions: Array
    scores: Array
    explained: Array


def principal_components(parameters: Parameters) -> Components:
    """The first two principal components of the nets' raw parameters w, b, v, c in this order.

    A direction's largest entry is positive.

    Parameters
    ----------
    parameters : Parameters
        w (R, N, D), b, v (R, N), c (R,), of any dtype.

    Returns
    -------
    Components

    Raises
    ------
    DataError
        For fewer than two finite nets, or shapes that do not fit.

    References
    ----------
    Paper: figure 9.
    """
    rows = flat(parameters)
    finite = np.isfinite(rows).all(axis=1)
    if finite.sum() < 2:
        raise DataError(
            f"{finite.sum()} of {len(rows)} nets are finite; principal components take at least 2"
        )
    mean = rows[finite].mean(axis=0)
    _, values, directions = np.linalg.svd(rows[finite] - mean, full_matrices=False)
    largest = directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)]
    directions = (directions * np.sign(largest)[:, None])[:2]
    values /= max(float(values[0]), TINY)  # whose squares might overflow or vanish
    explained = values[:2] ** 2 / max(float(np.sum(values**2)), TINY)
    return Components(mean, directions, (rows - mean) @ directions.T, explained)


@dataclass(frozen=True, eq=False)
class PlaneClusters(Shown):
    """Clusters of R nets in the plane of two principal components.

    Parameters
    ----------
    plane : Components
    label : (R,) ndarray of int
        The cluster of each net, from 0, -1 for none.
    orbit : (K,) ndarray of int
        Equal for clusters that a swap of neurons exchanges.
    """

    plane: Components
    label: NDArray[np.intp]
    orbit: NDArray[np.intp]

    @property
    def count(self) -> int:
        """Clusters."""
        return len(self.orbit)

    @property
    def orbits(self) -> int:
        """Clusters modulo the swap."""
        return len(np.unique(self.orbit))


def plane_clusters(parameters: Parameters, chosen: NDArray[np.bool_]) -> PlaneClusters:
    """Clusters of nets of width 2 in the plane of two principal components of their parameters.

    Robust single linkage (`density_clusters`) on distances in the plane. Each net of a cluster is
    projected again with its neurons swapped; the cluster is linked with the one that holds most of
    its images' nearest neighbours.

    Parameters
    ----------
    parameters : Parameters
        w (R, 2, D), b, v (R, 2), c (R,). The plane is that of all of them.
    chosen : (R,) ndarray of bool
        The nets that are clustered.

    Returns
    -------
    PlaneClusters

    Raises
    ------
    DataError
        For another width, a mask that does not match, or fewer than two finite nets among those
        chosen.

    References
    ----------
    Paper: figure 9.

    Examples
    --------
    >>> w, b, c = np.zeros((60, 2, 1)), np.zeros((60, 2)), np.random.default_rng(0).normal(size=60)
    >>> v = np.repeat([[9.0, 0.0], [0.0, 9.0], [40.0, 40.0]], 20, axis=0)
    >>> found = plane_clusters(Parameters(w, b, v, 0.1 * c), np.ones(60, bool))
    >>> found.count, found.orbits
    (3, 2)
    """
    check_one_layer("an analysis of neurons", parameters.depth)
    if parameters.b.shape[1] != 2:
        raise DataError(
            f"nets have {parameters.b.shape[1]} neurons; swapping them is defined for 2"
        )
    plane = principal_components(parameters)
    mask, rule = array_of("chosen", chosen), "one truth value a net, (R,)"
    check_match(mask.shape == (len(plane.scores),) and mask.dtype == bool, rule, chosen=mask)
    chosen = mask & np.isfinite(plane.scores).all(axis=1)
    if chosen.sum() < 2:
        raise DataError(
            f"{chosen.sum()} of {len(chosen)} nets are finite and chosen; clusters take at least 2"
        )
    label = np.full(len(chosen), -1)
    label[chosen] = density_clusters(squareform(pdist(plane.scores[chosen])))
    inside = np.flatnonzero(label >= 0)
    w, b, v, c = (part[inside] for part in parameters)
    swapped = flat(Parameters(w[:, ::-1], b[:, ::-1], v[:, ::-1], c))
    images = (swapped - plane.mean) @ plane.directions.T
    there = label[inside][cdist(images, plane.scores[inside]).argmin(axis=1)]
    count = int(label.max()) + 1
    votes = np.zeros((count, count))
    np.add.at(votes, (label[inside], there), 1)
    places = (np.arange(count), votes.argmax(axis=1))
    links = coo_array((np.ones(count), places), shape=(count, count))
    orbit = connected_components(links, directed=False)[1].astype(np.intp)
    return PlaneClusters(plane, label, orbit)
