"""Clusters of nets in the plane of two principal components of their parameters, and which of them
a swap of neurons exchanges.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist, pdist, squareform

from minilotto.analysis.stats.clusters import density_clusters
from minilotto.analysis.tickets.algorithms import Components, principal_components
from minilotto.errors import DataError
from minilotto.initialisation import Parameters


@dataclass(frozen=True, eq=False)
class PlaneClusters:
    """label (R,): the cluster of each net, from 0, -1 for none. orbit (K,): equal for clusters that
    a swap of neurons exchanges.
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
    """Clusters of the `chosen` (R,) nets of width 2 in the plane of two principal components of all
    nets' parameters.

    Robust single linkage (`density_clusters`) on distances in the plane. Each net of a cluster is
    projected again with its neurons swapped; the cluster is joined with the one that holds most of
    its images' nearest neighbours. Raises DataError for another width or fewer than two finite nets
    among those chosen. Paper: figure 9.

    >>> from minilotto.initialisation import Parameters
    >>> w, b, c = np.zeros((60, 2, 1)), np.zeros((60, 2)), np.random.default_rng(0).normal(size=60)
    >>> v = np.repeat([[9.0, 0.0], [0.0, 9.0], [40.0, 40.0]], 20, axis=0)
    >>> found = plane_clusters(Parameters(w, b, v, 0.1 * c), np.ones(60, bool))
    >>> found.count, found.orbits
    (3, 2)
    """
    if parameters.b.shape[1] != 2:
        raise DataError(
            f"nets have {parameters.b.shape[1]} neurons; swapping them is defined for 2"
        )
    plane = principal_components(parameters)
    chosen = chosen & np.isfinite(plane.scores).all(axis=1)
    if chosen.sum() < 2:
        raise DataError(
            f"{chosen.sum()} of {len(chosen)} nets are finite and chosen; clusters take at least 2"
        )
    label = np.full(len(chosen), -1)
    label[chosen] = density_clusters(squareform(pdist(plane.scores[chosen]))).label
    inside = np.flatnonzero(label >= 0)
    parts = [np.asarray(part, np.float64)[inside] for part in parameters]
    swapped = [
        part[:, ::-1].reshape(len(inside), -1) if part.ndim > 1 else part[:, None] for part in parts
    ]
    images = (np.concatenate(swapped, axis=1) - plane.mean) @ plane.directions.T
    there = label[inside][cdist(images, plane.scores[inside]).argmin(axis=1)]
    count = int(label.max()) + 1
    votes = np.zeros((count, count))
    np.add.at(votes, (label[inside], there), 1)
    links = coo_array(
        (np.ones(count), (np.arange(count), votes.argmax(axis=1))), shape=(count, count)
    )
    return PlaneClusters(
        plane, label, connected_components(links, directed=False)[1].astype(np.intp)
    )
