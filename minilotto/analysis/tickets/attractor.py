"""The curve |w| -> b on which the neurons of a very wide net gather, and how far a cloud lies from
a curve.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from minilotto.errors import ConfigError, DataError
from minilotto.settings.arrays import Array

LEAST_WINDOW = 5  # neurons; fewer say nothing of a spread
LEAST_CLOUD = 100  # neurons whose dimension can be measured
BLOCK = 2**22  # numbers that are held at a time


@dataclass(frozen=True, eq=False)
class Attractor:
    """A curve through a cloud of neurons, from windows of neighbours in |w|.

    abs_w, b (M,): medians of |w| and b in each window, abs_w ascending. low, high (M,): quantiles
    of b in the window between which the share `level` of it lies. window: neurons in each.
    """

    abs_w: Array
    b: Array
    low: Array
    high: Array
    level: float
    window: int

    def at(self, abs_w: ArrayLike) -> Array:
        """b of the curve at |w|, linear between its points, NaN outside."""
        return np.interp(
            np.asarray(abs_w, np.float64), self.abs_w, self.b, left=np.nan, right=np.nan
        )

    @property
    def spread(self) -> float:
        """Median over the windows of (high - low) / 2, in units of b."""
        return float(np.median(self.high - self.low) / 2)


def attractor(
    w: ArrayLike, b: ArrayLike, window: int | None = None, level: float = 0.68
) -> Attractor:
    """The running median of b against |w| over the n neurons of one cloud, both sides of w = 0
    folded together.

    Windows of `window` neighbours (default n / 25, at least 15) in the order of |w|, each half its
    length after the one before. For neurons on a monotone curve the median of b is the curve at the
    median of |w|, whatever its bend and however they lie on it. For one side pass those neurons
    alone. Where a cloud has several branches the median runs between them, and `low`, `high` say
    so.

    w (n,) or (n, 1), b (n,); what is not finite is left out. Raises ConfigError for a window below
    LEAST_WINDOW or a level outside (0, 1), DataError for fewer neurons than a window or shapes that
    do not fit. Paper: figure 2a (by eye).

    >>> w = np.linspace(-1, 1, 400)
    >>> bool(np.allclose(attractor(w, -(w**2)).at([0.3, 0.6]), [-0.09, -0.36], atol=1e-3))
    True
    """
    slope, bias = _flat(w, b)
    if not 0 < level < 1:
        raise ConfigError(
            f"level={level!r} is out of range; give a share between 0 and 1, such as 0.68"
        )
    size = max(15, len(bias) // 25) if window is None else window
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < LEAST_WINDOW:
        raise ConfigError(
            f"window={window!r} is out of range; give a number of neurons of at least "
            f"{LEAST_WINDOW}"
        )
    if len(bias) < size:
        raise DataError(
            f"{len(bias)} finite neurons make no window of {size}; pass a wider net or a smaller "
            "window"
        )
    order = np.argsort(np.abs(slope), kind="stable")
    last = len(order) - size
    starts = np.unique([*range(0, last + 1, max(1, int(size) // 2)), last])
    places = order[starts[:, None] + np.arange(size)]
    around = np.quantile(bias[places], [(1 - level) / 2, 0.5, (1 + level) / 2], axis=1)
    at, kept = np.unique(np.median(np.abs(slope[places]), axis=1), return_index=True)
    return Attractor(at, around[1, kept], around[0, kept], around[2, kept], float(level), int(size))


def curve_distance(w: ArrayLike, b: ArrayLike, curve_w: ArrayLike, curve_b: ArrayLike) -> Array:
    """Distance of each neuron (|w|, b) from the polyline through the points (curve_w, curve_b), in
    their units: (n,) float64.

    The curve has M >= 2 points in the order in which it runs. NaN for neurons that are not finite.
    Beyond its ends the distance is that from the end. Raises DataError for shapes that do not fit
    or a curve that is not finite.

    >>> curve_distance([-1.0, 3.0], [1.0, 0.0], [0.0, 2.0], [0.0, 0.0]).tolist()
    [1.0, 1.0]
    """
    slope, bias = _flat(w, b, keep=True)
    ends = np.asarray(curve_w, np.float64), np.asarray(curve_b, np.float64)
    if (
        ends[0].ndim != 1
        or ends[0].shape != ends[1].shape
        or len(ends[0]) < 2
        or not np.isfinite(ends).all()
    ):
        raise DataError(
            f"the curve has shapes {ends[0].shape} and {ends[1].shape}; give at least two finite "
            "points, (M,) and (M,)"
        )
    curve = np.stack(ends, axis=-1)
    start, along = curve[:-1], np.diff(curve, axis=0)
    square = np.sum(along**2, axis=1)
    result = np.empty(len(bias))
    step = max(1, BLOCK // len(curve))
    for first in range(0, len(bias), step):
        part = slice(first, first + step)
        offset = np.stack([np.abs(slope[part]), bias[part]], axis=-1)[:, None] - start
        foot = np.sum(offset * along, axis=2)
        foot = np.clip(np.divide(foot, square, out=np.zeros_like(foot), where=square > 0), 0.0, 1.0)
        result[part] = np.sqrt(np.sum((offset - foot[..., None] * along) ** 2, axis=2).min(axis=1))
    return result


def _flat(w: ArrayLike, b: ArrayLike, keep: bool = False) -> tuple[Array, Array]:
    """w and b as (n,) float64, without neurons that are not finite unless `keep`."""
    slope, bias = np.asarray(w, np.float64), np.asarray(b, np.float64)
    if slope.ndim == 2 and slope.shape[1] == 1:
        slope = slope[:, 0]
    if bias.ndim != 1 or slope.shape != bias.shape:
        raise DataError(
            f"w and b have shapes {np.shape(w)} and {bias.shape}; pass one cloud, (n,) or (n, 1), "
            "and (n,)"
        )
    finite = np.isfinite(slope) & np.isfinite(bias)
    return (slope, bias) if keep else (slope[finite], bias[finite])


def correlation_dimension(
    w: ArrayLike, b: ArrayLike, near: float = 0.02, far: float = 0.1
) -> float:
    """Dimension of a cloud of n neurons by how its pairs thin out: about 1 along curves, 2 over an
    area, 0 at isolated points.

    d = log(C(far) / C(near)) / log(far / near),  C(r) = share of pairs of neurons within r of each
                                                  other (Grassberger and
    Procaccia 1983). It asks nothing of the number of branches, unlike a running median.

    w (n,) or (n, 1), b (n,); near < far in their units, far well below the extent of the cloud.
    Raises ConfigError for distances in no such order, DataError for fewer than 100 neurons or none
    that are near each other.

    >>> t, random = np.linspace(-1, 1, 3000), np.random.default_rng(0)
    >>> round(correlation_dimension(t, -(t**2)), 1), round(correlation_dimension(t, random.uniform(-1, 1, 3000)), 1)
    (1.0, 2.0)
    """
    slope, bias = _flat(w, b)
    if not 0 < near < far:
        raise ConfigError(
            f"near={near!r} and far={far!r} are in no order; give two distances, the smaller one "
            "first"
        )
    if len(bias) < LEAST_CLOUD:
        raise DataError(
            f"{len(bias)} finite neurons have no dimension to measure; give at least {LEAST_CLOUD}"
        )
    tree = cKDTree(np.stack([slope, bias], axis=-1))
    counts = np.asarray(tree.count_neighbors(tree, [near, far]), dtype=np.float64) - len(bias)
    if not counts[0] > 0:
        raise DataError(
            f"no two of {len(bias)} neurons are within {near:g} of each other; give larger "
            "distances"
        )
    return float(np.log(counts[1] / counts[0]) / np.log(far / near))
