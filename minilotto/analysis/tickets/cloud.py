"""The neurons of one wide net in the plane of w and b: their curve, dimension and symmetry."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from minilotto.errors import DataError
from minilotto.settings.arrays import Array, check_match, reals_of
from minilotto.settings.display import Shown
from minilotto.settings.limits import blocks

__all__ = ["Attractor", "attractor", "correlation_dimension", "mirror_symmetry"]

LEAST_WINDOW = 15  # neurons that a running median is taken over
LEAST_CLOUD = 100  # neurons whose dimension can be measured
NEAR, FAR = 0.02, 0.1  # distances that tell it, in units of w and b
FLIPS = 999  # of random signs
TESTED = 3000  # neurons whose symmetry is tested, at a quadratic cost
BLOCK = 2**23  # numbers that are held at a time


@dataclass(frozen=True, eq=False)
class Attractor(Shown):
    """A curve through a cloud of neurons, from windows of neighbours in |w|.

    Parameters
    ----------
    abs_w, b : (M,) ndarray of float64
        Medians of |w| and b in each window, abs_w ascending.
    """

    abs_w: Array
    b: Array

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
        at = reals_of("abs_w", abs_w)
        return np.interp(at, self.abs_w, self.b, left=np.nan, right=np.nan)


def attractor(w: ArrayLike, b: ArrayLike) -> Attractor:
    """The running median of b against |w| over n neurons, both sides of w = 0 together.

    Windows of n / 25 neurons, at least LEAST_WINDOW, in the order of |w| start half their length
    after the one before. For neurons on a monotone curve the median of b is the curve at the median
    of |w|, whatever its bend and however they lie on it. For one side pass those neurons alone.
    Where a cloud has several branches the median runs between them.

    Parameters
    ----------
    w, b : (n,) or (n, 1), (n,) array_like
        What is not finite is left out.

    Returns
    -------
    Attractor

    Raises
    ------
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
    size = max(LEAST_WINDOW, len(bias) // 25)
    if len(bias) < size:
        raise DataError(f"{len(bias)} finite neurons make no window of {size}; pass a wider net")
    order = np.argsort(np.abs(slope), kind="stable")
    last = len(order) - size
    starts = np.unique([*range(0, last + 1, size // 2), last])
    places = order[starts[:, None] + np.arange(size)]
    at, kept = np.unique(np.median(np.abs(slope[places]), axis=1), return_index=True)
    return Attractor(at, np.median(bias[places], axis=1)[kept])


def _flat(w: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    """w and b as (n,) float64, without neurons that are not finite."""
    slope, bias = reals_of("w", w), reals_of("b", b)
    if slope.ndim == 2 and slope.shape[1] == 1:
        slope = slope[:, 0]
    match = bias.ndim == 1 and slope.shape == bias.shape
    check_match(match, "one cloud, (n,) or (n, 1), and (n,)", w=slope, b=bias)
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


def mirror_symmetry(w: ArrayLike, b: ArrayLike) -> tuple[float, float, float]:
    """Tests the mirror symmetry of neurons z_i = (w_i, b_i) with images z'_i = (-w_i, b_i).

    T = 2 / (n (n - 1)) sum_{i != j} (|z_i - z'_j| - |z_i - z_j|), an energy distance. Null: given
    |w_i| and b_i, the signs of all w_i are independent and fair, so T has its distribution over
    sign flips, where it is sum_{i != j} s_i s_j (...), s_i = +-1. Both tails count: too large, and
    the cloud leans to one side; too small, and neurons are near images of others more often than
    with fair signs. An initialisation that is symmetric by law is not rejected by the first, so
    only the second shows that training pairs neurons.

    Parameters
    ----------
    w, b : (n,) or (n, 1), (n,) array_like
        What is not finite is left out.

    Returns
    -------
    coefficient : float
        T over twice the mean distance of a neuron from the others' images: 1 for two clusters far
        apart, 0 in the mean over sign flips.
    p_asymmetric, p_paired : float
        Fraction of FLIPS random flips (observed one included) with T at least, at most as large.

    Raises
    ------
    DataError
        For shapes that do not fit, or fewer than two neurons.

    References
    ----------
    Paper: figure 2a (a visual claim).

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> w, b = random.uniform(0.5, 1, 40), random.normal(size=40)
    >>> mirror_symmetry(np.concatenate([w, -w]), np.concatenate([b, b]))[1:]
    (1.0, 0.001)
    """
    z = np.stack(_flat(w, b))
    n, random = z.shape[1], np.random.default_rng(0)
    if n < 2:
        raise DataError(f"{n} finite neurons have no symmetry to test; give at least 2")
    signs = np.ones((n, FLIPS + 1))
    signs[:, 1:] -= 2.0 * random.integers(0, 2, (n, FLIPS))
    total, size = np.zeros(FLIPS + 1), 0.0
    for part in blocks(n, max(n, FLIPS), BLOCK):
        across = (z[1, part, None] - z[1]) ** 2
        image = np.sqrt((z[0, part, None] + z[0]) ** 2 + across)
        kernel = image - np.sqrt((z[0, part, None] - z[0]) ** 2 + across)
        own = np.arange(part.start, part.stop)
        image[own - part.start, own] = kernel[own - part.start, own] = 0.0
        total += np.einsum("if,if->f", signs[part], kernel @ signs)
        size += float(image.sum())
    # Flips that restore the observed pattern tie with it but for the rounding of sums.
    slack = 1e-12 * size
    above, below = np.mean(total >= total[0] - slack), np.mean(total <= total[0] + slack)
    return float(total[0] / size) if size > 0 else 0.0, float(above), float(below)


@dataclass(frozen=True, eq=False)
class Cloud(Shown):
    """First-layer weights and biases (n,) of neurons, and measures of their shape: the running
    median of b against |w|, the correlation dimension (1 for a curve, 2 for an area), and what
    `mirror_symmetry` finds.
    """

    w: Array
    b: Array
    curve: Attractor
    dimension: float
    coefficient: float
    p_asymmetric: float
    p_paired: float

    def distance(self, abs_w: Array, right: Array, left: Array) -> float:
        """Root mean square distance of the running medians on either side from a curve: |w|, and b
        for w > 0 and for w < 0, each (K,); over the places that the neurons reach.
        """
        sides = ((self.w > 0, right), (self.w < 0, left))
        gaps = [attractor(self.w[side], self.b[side]).at(abs_w) - b for side, b in sides]
        return float(np.sqrt(np.nanmean(np.concatenate(gaps) ** 2)))


def measure_cloud(w: Array, b: Array, seed: int = 0) -> Cloud:
    """The cloud of living neurons of one net of one input. Symmetry is tested on TESTED of them, at
    random.

    Paper: section 3, figure 2a.
    """
    some = np.random.default_rng(seed).permutation(len(w))[:TESTED]
    symmetry = mirror_symmetry(w[some], b[some])
    return Cloud(w, b, attractor(w, b), correlation_dimension(w, b), *symmetry)
