"""Clusters of any shape from distances alone, and how many there are."""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from minilotto.errors import DataError
from minilotto.settings.arrays import Array, reals_of

NEIGHBOURS = 5
LEAST_SHARE = 0.01  # of all points; smaller groups are no cluster
LEAST_SIZE = 5
LEAST_GAP = 1.5  # the factor by which one height must exceed the next for a cut between them
MOST_POINTS = 6000  # their distances fill 0.3 GB


def density_clusters(distance: Array, resolution: float = 0.0) -> NDArray[np.intp]:
    """Clusters of R points from their distances, by single linkage that outliers do not chain.

    Linkage is on max(d_ij, k_i, k_j), where k_i is the distance to i's NEIGHBOURS-th neighbour. It
    follows clusters that are curves, as valleys of a loss are, where Ward's or average linkage cuts
    them up. The heights at which two groups of at least `least` points meet are sorted; below them
    is a floor, the larger of `resolution` and of the height under which 95% of all merges lie. The
    tree is cut in the gap of the largest ratio between consecutive heights; where none reaches
    LEAST_GAP, all is one cluster.

    Parameters
    ----------
    distance : (R, R) ndarray of float64
        Finite, at least 0, R from 2 to MOST_POINTS.
    resolution : float
        Distance below which points are the same.

    Returns
    -------
    (R,) ndarray of int
        Which cluster each point belongs to: 0 is the largest, -1 none.

    Raises
    ------
    DataError
        For another shape, or distances that are negative or not finite.

    References
    ----------
    Robust single linkage, Chaudhuri and Dasgupta 2010; the tree of HDBSCAN.

    Examples
    --------
    >>> at = np.concatenate([np.linspace(0, 1, 40), np.linspace(3, 4, 20), [9.0]])
    >>> found = density_clusters(abs(at[:, None] - at))
    >>> np.bincount(found + 1).tolist(), int(found[-1])
    ([1, 40, 20], -1)
    """
    distance = reals_of("distance", distance)
    points = distance.shape[0] if distance.ndim else 0
    if distance.ndim != 2 or distance.shape[1] != points or not 2 <= points <= MOST_POINTS:
        raise DataError(
            f"distances have shape {distance.shape}; clusters take (R, R) with R from 2 to "
            f"{MOST_POINTS}"
        )
    if not (np.isfinite(distance).all() and (distance >= 0).all()):
        raise DataError(
            "distances must be finite and at least 0; leave out the points that are not finite"
        )
    least = max(LEAST_SIZE, int(np.ceil(LEAST_SHARE * points)))
    k = min(NEIGHBOURS, points - 1)
    reach = np.partition(distance, k, axis=1)[:, k]
    mutual = np.maximum(distance, np.maximum(reach[:, None], reach))
    np.fill_diagonal(mutual, 0.0)
    tree = linkage(squareform(mutual, checks=False), "single")
    size = np.concatenate([np.ones(points), tree[:, 3]])
    smaller = np.minimum(size[tree[:, 0].astype(np.intp)], size[tree[:, 1].astype(np.intp)])
    merges = tree[smaller >= least, 2][::-1]
    floor = max(resolution, float(np.quantile(tree[:, 2], 0.95)), np.finfo(np.float64).tiny)
    heights = np.append(merges[merges > floor], floor)
    ratios = heights[:-1] / heights[1:]
    cut = max(float(tree[-1, 2]), floor)
    if ratios.size and ratios.max() >= LEAST_GAP:
        place = int(np.argmax(ratios))
        cut = float(np.sqrt(heights[place]) * np.sqrt(heights[place + 1]))
    _, first, where, count = np.unique(
        fcluster(tree, cut, "distance"), return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(count), np.intp)  # by falling size; the largest stays, however small
    rank[np.lexsort([first, -count])] = np.arange(len(count))
    rank[(count < least) & (rank > 0)] = -1
    return rank[where.ravel()]
