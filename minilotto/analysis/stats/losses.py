"""What a set of final losses looks like: quantiles, and the peaks of log10 loss."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from minilotto.errors import DataError

BINS_PER_DECADE = 50
SMOOTHING = 0.06  # decades, standard deviation
LEAST_PROMINENCE = 0.02  # of the highest peak


@dataclass(frozen=True)
class Peaks:
    """Peaks of the density of log10 loss, from the lowest loss up.

    location (K,) is where each is highest, in units of loss; share (K,) is the part of the nets
    between the valleys on either side; low, high (K,) are the least and the greatest loss among
    them. Paper: figures 2b and 3.
    """

    location: NDArray[np.float64]
    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.location)


def positive(loss: NDArray[np.float64]) -> NDArray[np.float64]:
    """The finite losses above zero, as a flat array. Raises DataError where there is none."""
    flat = np.asarray(loss, dtype=np.float64).ravel()
    kept = flat[np.isfinite(flat) & (flat > 0)]
    if kept.size == 0:
        raise DataError(
            f"none of {flat.size} losses is finite and above 0; there is nothing to analyse"
        )
    return kept


def peaks(loss: NDArray[np.float64]) -> Peaks:
    """Peaks of the density of log10 loss (R,), smoothed over SMOOTHING decades; losses that are NaN
    or zero are left out.

    A peak counts when it rises above the higher of its two valleys by LEAST_PROMINENCE of the
    highest peak. Raises DataError when no loss is left.

    >>> found = peaks(np.array([1e-6] * 30 + [1e-3] * 10))
    >>> found.share.tolist(), [f"{place:.0e}" for place in found.location]
    ([0.75, 0.25], ['1e-06', '1e-03'])
    """
    from scipy.signal import find_peaks

    kept = np.sort(positive(loss))
    density, edges = smoothed(np.log10(kept))
    summits, _ = find_peaks(density, prominence=LEAST_PROMINENCE * density.max())
    return cut(
        kept,
        density,
        edges,
        [a + int(np.argmin(density[a:b])) for a, b in pairwise(summits)],
        summits,
    )


def smoothed(exponent: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smoothed counts (C,) of sorted log10 losses in equal cells, and the cells' edges (C + 1,)."""
    from scipy.ndimage import gaussian_filter1d

    margin = 5 * SMOOTHING
    count = int(np.ceil((exponent[-1] - exponent[0] + 2 * margin) * BINS_PER_DECADE))
    counts, edges = np.histogram(
        exponent,
        bins=count,
        range=(exponent[0] - margin, exponent[0] - margin + count / BINS_PER_DECADE),
    )
    return gaussian_filter1d(
        counts.astype(np.float64), SMOOTHING * BINS_PER_DECADE, mode="constant"
    ), edges


def cut(
    kept: NDArray[np.float64],
    density: NDArray[np.float64],
    edges: NDArray[np.float64],
    valleys: list[int],
    summits: NDArray[np.intp] | None = None,
) -> Peaks:
    """Sorted losses parted at the lower edges of the cells `valleys`; summits: the highest cells
    between them unless given.
    """
    if summits is None:
        spans = pairwise([0, *valleys, len(density)])
        summits = np.array(
            [a + int(np.argmax(density[a : max(b, a + 1)])) for a, b in spans], dtype=np.intp
        )
    inner = np.searchsorted(np.log10(kept), edges[np.array(valleys, dtype=np.intp)])
    bounds = np.concatenate([[0], inner, [len(kept)]]).astype(np.intp)
    return Peaks(
        location=10.0 ** ((edges[summits] + edges[summits + 1]) / 2),
        share=np.diff(bounds) / len(kept),
        low=kept[bounds[:-1]],
        high=kept[bounds[1:] - 1],
    )
