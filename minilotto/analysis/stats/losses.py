"""What a set of final losses looks like: quantiles, and the peaks of log10 loss."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from minilotto.errors import DataError
from minilotto.settings.arrays import Array, Ints, reals_of
from minilotto.settings.display import Shown

BINS_PER_DECADE = 50
SMOOTHING = 0.06  # decades, standard deviation
LEAST_PROMINENCE = 0.02  # of the highest peak


@dataclass(frozen=True)
class Peaks(Shown):
    """Peaks of the density of log10 loss, from the lowest loss up.

    Parameters
    ----------
    location : (K,) ndarray of float64
        Where each is highest, in units of loss.
    share : (K,) ndarray of float64
        Fraction of the nets between the valleys on either side.
    low, high : (K,) ndarray of float64
        The least and the greatest loss among them.

    References
    ----------
    Paper: figures 2b and 3.
    """

    location: Array
    share: Array
    low: Array
    high: Array

    def __len__(self) -> int:
        return len(self.location)


def positive(loss: Array) -> Array:
    """The finite losses above zero.

    Parameters
    ----------
    loss : array_like of float
        Of any shape.

    Returns
    -------
    (n,) ndarray of float64

    Raises
    ------
    DataError
        Where there is none, and as `reals_of`.
    """
    flat = reals_of("loss", loss).ravel()
    kept = flat[np.isfinite(flat) & (flat > 0)]
    if kept.size == 0:
        raise DataError(
            f"none of {flat.size} losses is finite and above 0; there is nothing to analyse"
        )
    return kept


def peaks(loss: Array) -> Peaks:
    """Peaks of the smoothed density of log10 loss.

    A peak counts when it rises above the higher of its two valleys by LEAST_PROMINENCE of the
    highest peak.

    Parameters
    ----------
    loss : (R,) ndarray of float64
        Losses that are zero or not finite are left out.

    Returns
    -------
    Peaks

    Raises
    ------
    DataError
        When no loss is left.

    Examples
    --------
    >>> found = peaks(np.array([1e-6] * 30 + [1e-3] * 10))
    >>> found.share.tolist(), [f"{place:.0e}" for place in found.location]
    ([0.75, 0.25], ['1e-06', '1e-03'])
    """
    from scipy.signal import find_peaks

    kept = np.sort(positive(loss))
    density, edges = smoothed(np.log10(kept))
    summits, _ = find_peaks(density, prominence=LEAST_PROMINENCE * density.max())
    valleys = [a + int(np.argmin(density[a:b])) for a, b in pairwise(summits)]
    return cut(kept, density, edges, valleys, summits)


def smoothed(exponent: Array) -> tuple[Array, Array]:
    """Density of sorted log10 losses, smoothed over SMOOTHING decades.

    Parameters
    ----------
    exponent : (R,) ndarray of float64

    Returns
    -------
    density : (C,) ndarray of float64
        Smoothed counts in equal cells.
    edges : (C + 1,) ndarray of float64
        Of the cells.
    """
    from scipy.ndimage import gaussian_filter1d

    margin = 5 * SMOOTHING
    count = int(np.ceil((exponent[-1] - exponent[0] + 2 * margin) * BINS_PER_DECADE))
    low = exponent[0] - margin
    counts, edges = np.histogram(exponent, count, (low, low + count / BINS_PER_DECADE))
    width = SMOOTHING * BINS_PER_DECADE
    return gaussian_filter1d(counts.astype(np.float64), width, mode="constant"), edges


def cut(
    kept: Array, density: Array, edges: Array, valleys: list[int], summits: Ints | None = None
) -> Peaks:
    """Sorted losses separated at the lower edges of some cells.

    Parameters
    ----------
    kept : (R,) ndarray of float64
    density, edges
        As from `smoothed`.
    valleys : list of K - 1 int
        The cells.
    summits : (K,) ndarray of int or None
        The highest cells between these, found here unless given.

    Returns
    -------
    Peaks
    """
    if summits is None:
        spans = pairwise([0, *valleys, len(density)])
        summits = np.array(
            [a + int(np.argmax(density[a : max(b, a + 1)])) for a, b in spans], dtype=np.int64
        )
    inner = np.searchsorted(np.log10(kept), edges[np.array(valleys, dtype=np.int64)])
    bounds = np.concatenate([[0], inner, [len(kept)]]).astype(np.int64)
    return Peaks(
        location=10.0 ** ((edges[summits] + edges[summits + 1]) / 2),
        share=np.diff(bounds) / len(kept),
        low=kept[bounds[:-1]],
        high=kept[bounds[1:] - 1],
    )
