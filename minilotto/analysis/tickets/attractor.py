"""The curve |w| -> b on which the neurons of a very wide net gather, and their dimension."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from minilotto.analysis.stats.bootstrap import ends
from minilotto.errors import DataError
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.limits import check_fraction, check_whole

LEAST_WINDOW = 5  # neurons; fewer say nothing of a spread
LEAST_CLOUD = 100  # neurons whose dimension can be measured
NEAR, FAR = 0.02, 0.1  # distances that tell it, in units of w and b


@dataclass(frozen=True, eq=False)
class Attractor(Shown):
    """A curve through a cloud of neurons, from windows of neighbours in |w|.

    Parameters
    ----------
    abs_w, b : (M,) ndarray of float64
        Medians of |w| and b in each window, abs_w ascending.
    low, high : (M,) ndarray of float64
        Quantiles of b in the window between which the fraction `level` of it lies.
    level : float in (0, 1)
    window : int
        Neurons in each.
    """

    abs_w: Array
    b: Array
    low: Array
    high: Array
    level: float
    window: int

    def at(self, abs_w: ArrayLike) -> Array:
        """b of the curve, linear between its points.

        Parameters
        ----------
        abs_w : array_like of float
            |w|, of any shape.

        Returns
        -------
        ndarray of float64
            Of the same shape, NaN outside the curve.
        """
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
    """The running median of b against |w| over one cloud of neurons, both sides of w = 0 together.

    Windows in the order of |w| start half their length after the one before. For neurons on a
    monotone curve the median of b is the curve at the median of |w|, whatever its bend and however
    they lie on it. For one side pass those neurons alone. Where a cloud has several branches the
    median runs between them, and `low`, `high` show that.

    Parameters
    ----------
    w, b : (n,) or (n, 1), (n,) array_like
        What is not finite is left out.
    window : int or None
        Neurons in a window, at least LEAST_WINDOW; by default n / 25, at least 15.
    level : float in (0, 1)

    Returns
    -------
    Attractor

    Raises
    ------
    ConfigError
        For a window or level out of range.
    DataError
        For fewer neurons than a window, or shapes that do not fit.

    References
    ----------
    Paper: figure 2a (visually).

    Examples
    --------
    >>> w = np.linspace(-1, 1, 400)
    >>> bool(np.allclose(attractor(w, -(w**2)).at([0.3, 0.6]), [-0.09, -0.36], atol=1e-3))
    True
    """
    slope, bias = _flat(w, b)
    check_fraction("level", level, 0.68)
    size = max(15, len(bias) // 25) if window is None else window
    check_whole("window", size, LEAST_WINDOW)
    if len(bias) < size:
        raise DataError(
            f"{len(bias)} finite neurons make no window of {size}; pass a wider net or a smaller "
            "window"
        )
    order = np.argsort(np.abs(slope), kind="stable")
    last = len(order) - size
    starts = np.unique([*range(0, last + 1, max(1, int(size) // 2)), last])
    places = order[starts[:, None] + np.arange(size)]
    low, high = ends(level)
    low, middle, high = np.quantile(bias[places], [low, 0.5, high], axis=1)
    at, kept = np.unique(np.median(np.abs(slope[places]), axis=1), return_index=True)
    return Attractor(at, middle[kept], low[kept], high[kept], float(level), int(size))


def _flat(w: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    """w and b as (n,) float64, without neurons that are not finite."""
    slope, bias = np.asarray(w, np.float64), np.asarray(b, np.float64)
    if slope.ndim == 2 and slope.shape[1] == 1:
        slope = slope[:, 0]
    if bias.ndim != 1 or slope.shape != bias.shape:
        raise DataError(
            f"w and b have shapes {np.shape(w)} and {bias.shape}; pass one cloud, (n,) or (n, 1), "
            "and (n,)"
        )
    finite = np.isfinite(slope) & np.isfinite(bias)
    return slope[finite], bias[finite]


def correlation_dimension(w: ArrayLike, b: ArrayLike) -> float:
    """Dimension of a cloud of neurons by how the number of near pairs falls with distance.

    d = log(C(FAR) / C(NEAR)) / log(FAR / NEAR), C(r) the fraction of pairs of neurons within r of
    each other: about 1 along curves, 2 over an area, 0 at isolated points. Unlike a running median
    it does not depend on the number of branches.

    Parameters
    ----------
    w, b : (n,) or (n, 1), (n,) array_like

    Returns
    -------
    float

    Raises
    ------
    DataError
        For fewer than LEAST_CLOUD neurons, or none that are near each other.

    References
    ----------
    Grassberger and Procaccia 1983.

    Examples
    --------
    >>> t, random = np.linspace(-1, 1, 3000), np.random.default_rng(0)
    >>> round(correlation_dimension(t, -(t**2)), 1)
    1.0
    >>> round(correlation_dimension(t, random.uniform(-1, 1, 3000)), 1)
    2.0
    """
    slope, bias = _flat(w, b)
    if len(bias) < LEAST_CLOUD:
        raise DataError(
            f"{len(bias)} finite neurons have no dimension to measure; give at least {LEAST_CLOUD}"
        )
    tree = cKDTree(np.stack([slope, bias], axis=-1))
    counts = np.asarray(tree.count_neighbors(tree, [NEAR, FAR]), dtype=np.float64) - len(bias)
    if not counts[0] > 0:
        raise DataError(
            f"no two of {len(bias)} neurons are within {NEAR:g} of each other; give a wider net"
        )
    return float(np.log(counts[1] / counts[0]) / np.log(FAR / NEAR))
