"""Mirror symmetry of a cloud of neurons (w, b) under w -> -w: as chance makes it, less, or more."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.analysis.tickets.tickets import cloud, mask
from minilotto.errors import DataError
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.limits import blocks, check_whole

BLOCK = 2**23  # numbers that are held at a time


@dataclass(frozen=True, eq=False)
class MirrorSymmetry(Shown):
    """Energy distance between neurons of R nets and their mirror images, against random sign flips.

    NaN for nets that are not finite or have fewer than two neurons.

    Parameters
    ----------
    statistic : (R,) ndarray of float64
        In units of w and b; its mean over sign flips is zero, above means less symmetric than flips
        make it, below more: neurons that have partners.
    coefficient : (R,) ndarray of float64
        statistic over twice the mean distance of a neuron from the others' images; 1 for two
        clusters far apart.
    p_asymmetric, p_paired : (R,) ndarray of float64
        Fraction of flips (observed one included) with a statistic at least, at most as large.
    neurons : (R,) ndarray of int
        How many neurons were compared.
    pooled_statistic, pooled_p_asymmetric, pooled_p_paired : float
        The same for the mean over the nets that have a statistic.
    flips : int
    """

    statistic: Array
    coefficient: Array
    p_asymmetric: Array
    p_paired: Array
    neurons: NDArray[np.intp]
    pooled_statistic: float
    pooled_p_asymmetric: float
    pooled_p_paired: float
    flips: int

    def __len__(self) -> int:
        return len(self.statistic)


def mirror_symmetry(
    w: ArrayLike, b: ArrayLike, among: ArrayLike | None = None, *, flips: int = 999, seed: int = 0
) -> MirrorSymmetry:
    """Tests the mirror symmetry of neurons z_i = (w_i, b_i) with images z'_i = (-w_i, b_i).

    T = 2 / (n (n - 1)) sum_{i != j} (|z_i - z'_j| - |z_i - z_j|). Null: given |w_i| and b_i, the
    signs of all w_i are independent and fair, so T has its distribution over sign flips, where it
    is sum_{i != j} s_i s_j (...), s_i = +-1. Both tails count: too large, and the cloud leans to
    one side; too small, and neurons are near images of others more often than with fair signs. An
    initialisation that is symmetric by law is not rejected by the first, so only the second shows
    that training pairs neurons. n neurons have 2^(n - 1) patterns, so p of one narrow net cannot be
    small; the pooled one can. Costs R N^2 flips.

    Parameters
    ----------
    w, b : (R, N) or (R, N, 1), (R, N) array_like
    among : (R, N) array_like of bool or None
        The neurons to compare.
    flips : int
        At least 99.
    seed : int

    Returns
    -------
    MirrorSymmetry

    Raises
    ------
    ConfigError
        For fewer than 99 flips.
    DataError
        For shapes that do not fit, or where no net has two neurons.

    References
    ----------
    Paper: figure 2a (a visual claim).

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> w, b = random.uniform(0.5, 1, (1, 40)), random.normal(size=(1, 40))
    >>> found = mirror_symmetry(np.concatenate([w, -w], 1), np.concatenate([b, b], 1))
    >>> float(found.p_asymmetric[0]), float(found.p_paired[0])
    (1.0, 0.001)
    """
    slope, bias = cloud(w, b)
    check_whole("flips", flips, 99)
    chosen = mask(among, bias.shape)
    chosen = chosen & (np.isfinite(slope) & np.isfinite(bias)).all(axis=1, keepdims=True)
    neurons = chosen.sum(axis=1)
    counted = np.flatnonzero(neurons >= 2)
    if counted.size == 0:
        raise DataError(
            f"none of {len(bias)} nets has two finite neurons to compare; there is no symmetry to "
            "test"
        )
    random = np.random.default_rng(seed)
    null = np.full((len(bias), flips + 1), np.nan)
    size = np.full(len(bias), np.nan)
    for net in counted:
        z = np.stack([slope[net, chosen[net]], bias[net, chosen[net]]])
        null[net], size[net] = _flipped(z, flips, random)
    # Flips that restore the observed pattern tie with it but for the rounding of sums.
    slack = 1e-12 * size[:, None]
    observed = null[:, :1]
    pooled, pooled_slack = null[counted].mean(axis=0), float(slack[counted].mean())
    return MirrorSymmetry(
        statistic=null[:, 0].copy(),
        coefficient=np.divide(null[:, 0], size, out=0.0 * size, where=size > 0),
        p_asymmetric=_share(null >= observed - slack, size),
        p_paired=_share(null <= observed + slack, size),
        neurons=neurons,
        pooled_statistic=float(pooled[0]),
        pooled_p_asymmetric=float(np.mean(pooled >= pooled[0] - pooled_slack)),
        pooled_p_paired=float(np.mean(pooled <= pooled[0] + pooled_slack)),
        flips=int(flips),
    )


def _flipped(z: Array, flips: int, random: np.random.Generator) -> tuple[Array, float]:
    """T as observed and under `flips` flips (flips + 1,), and twice the mean distance to images."""
    n = z.shape[1]
    signs = np.ones((n, flips + 1))
    signs[:, 1:] -= 2.0 * random.integers(0, 2, (n, flips))
    total, images = np.zeros(flips + 1), 0.0
    for part in blocks(n, max(n, flips), BLOCK):
        across = (z[1, part, None] - z[1]) ** 2
        image = np.sqrt((z[0, part, None] + z[0]) ** 2 + across)
        kernel = image - np.sqrt((z[0, part, None] - z[0]) ** 2 + across)
        own = np.arange(part.start, part.stop)
        image[own - part.start, own] = kernel[own - part.start, own] = 0.0
        total += np.einsum("if,if->f", signs[part], kernel @ signs)
        images += float(image.sum())
    return 2 * total / (n * (n - 1)), 2 * images / (n * (n - 1))


def _share(hits: NDArray[np.bool_], size: Array) -> Array:
    """(R,) share of hits; NaN for nets without a statistic."""
    return np.where(np.isnan(size), np.nan, hits.mean(axis=1))
