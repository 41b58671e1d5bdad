"""What a set of final losses looks like: quantiles, and the peaks of log10 loss."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from minilotto.errors import DataError
from minilotto.settings.arrays import Array, Ints, reals_of
from minilotto.settings.display import Shown

__all__ = ["Peaks", "peaks"]

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
    """The finite losses above zero, as (n,). Raises DataError where there is none."""
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
    kept = np.sort(positive(loss))
    density, edges = smoothed(np.log10(kept))
    summits = summits_of(density, LEAST_PROMINENCE * density.max())
    valleys = [a + int(np.argmin(density[a:b])) for a, b in pairwise(summits)]
    return cut(kept, density, edges, valleys, summits)


# The next two are find_peaks of scipy.signal and gaussian_filter1d of scipy.ndimage, bit for bit:
# importing these takes longer than a short training, each of which prints its peaks.
def summits_of(density: Array, prominence: float) -> Ints:
    """Cells of the peaks of a density (C,) that rise above the higher of their two valleys by
    `prominence`; the middle ones, where neighbours are equal; never the first cell or the last.
    """
    ends = np.flatnonzero(np.append(np.diff(density), 1.0))  # of stretches of one height
    height = density[ends]
    starts = np.append(0, ends[:-1] + 1)
    found = []
    for i in 1 + np.flatnonzero((height[1:-1] > height[:-2]) & (height[1:-1] > height[2:])):
        higher = np.flatnonzero(height > height[i])
        left, right = higher[higher < i], higher[higher > i]
        before = height[left[-1] + 1 if left.size else 0 : i]
        after = height[i + 1 : right[0] if right.size else None]
        if height[i] - max(before.min(), after.min()) >= prominence:
            found.append((starts[i] + ends[i]) // 2)
    return np.array(found, dtype=np.int64)


def gaussian(counts: Array, width: float) -> Array:
    """Counts (C,), zero beyond their ends, smoothed by a Gaussian up to four deviations."""
    reach, cells = int(4 * width + 0.5), len(counts)
    weight = np.exp(-0.5 / (width * width) * np.arange(-reach, reach + 1) ** 2)
    weight /= weight.sum()
    padded = np.pad(counts, reach)
    total: Array = counts * weight[reach]
    for i in range(reach):
        total += (padded[i:][:cells] + padded[2 * reach - i :][:cells]) * weight[i]
    return total


def smoothed(exponent: Array) -> tuple[Array, Array]:
    """Counts (C,) of sorted log10 losses, smoothed over SMOOTHING decades; edges (C + 1,)."""
    margin = 5 * SMOOTHING
    count = int(np.ceil((exponent[-1] - exponent[0] + 2 * margin) * BINS_PER_DECADE))
    low = exponent[0] - margin
    counts, edges = np.histogram(exponent, count, (low, low + count / BINS_PER_DECADE))
    width = SMOOTHING * BINS_PER_DECADE
    return gaussian(counts.astype(np.float64), width), edges


def cut(
    kept: Array, density: Array, edges: Array, valleys: list[int], summits: Ints | None = None
) -> Peaks:
    """Sorted losses separated at the lower edges of the cells `valleys`; density and edges as of
    `smoothed`. `summits` are the highest cells between these, found here unless given.
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
