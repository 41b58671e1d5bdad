"""Pairs of nets: which are drawn, how they are resampled, and their losses against wider nets'."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.analysis.ensembling.ensembling import orthogonal_loss
from minilotto.analysis.stats.bootstrap import Estimate, check_bootstrap, check_losses, estimate
from minilotto.errors import DataError
from minilotto.settings.arrays import Array, reals_of
from minilotto.settings.display import Shown
from minilotto.settings.limits import blocks, check_whole

__all__ = ["NullComparison", "compare", "drawn_pairs", "paper_null"]

WEIGHED = 200_000  # losses weighted at a time, which fit in cache


@dataclass(frozen=True, eq=False)
class NullComparison(Shown):
    """Losses of pairs of narrow nets against losses of nets of twice their width.

    Parameters
    ----------
    name : str
        How the pairs are combined.
    losses, wider : (M,), (R,) ndarray of float64
    median : Estimate
        Of `losses`.
    ratio : Estimate
        median(losses) / median(wider), above 1 where the wider net does better: synergy.
    ks : float
        Largest distance between both distribution functions.
    p_value, bounded : float, bool
        Chance of one as large between equal ones, and whether it is the least that so many
        resamples can show.
    wasserstein : Estimate
        Mean distance between them in decades of loss.
    floor : float
        For equal ones that distance stays below it with the probability of the intervals' level.
    """

    name: str
    losses: Array
    wider: Array
    median: Estimate
    ratio: Estimate
    ks: float
    p_value: float
    bounded: bool
    wasserstein: Estimate
    floor: float

    def __str__(self) -> str:
        chance = f"p {'below' if self.bounded else '='} {self.p_value:.2g}"
        return (
            f"{self.name}: ratio {self.ratio}, distance {self.wasserstein} decades, KS "
            f"{self.ks:.3g}, {chance}"
        )


def drawn_pairs(nets: int, draws: int, seed: int = 0) -> NDArray[np.intp]:
    """Pairs of different nets, none twice; how often each net comes differs by at most two.

    Nets in random order are paired with their neighbours, then with those two positions on, and so
    on.

    Parameters
    ----------
    nets : int
        At least 2.
    draws : int
        At least 1.
    seed : int

    Returns
    -------
    (M, 2) ndarray of int
        M = draws, or all pairs if these are fewer.

    Raises
    ------
    ConfigError
        For too few nets or draws, or a seed below 0.

    Examples
    --------
    >>> pairs = drawn_pairs(5, 100)
    >>> len({frozenset(pair) for pair in pairs.tolist()})
    10
    """
    check_whole("nets", nets, 2)
    check_whole("draws", draws, 1)
    check_whole("seed", seed, 0)
    order = np.random.default_rng(seed).permutation(nets)
    draw = np.arange(min(draws, nets * (nets - 1) // 2))
    return np.stack([order[draw % nets], order[(draw % nets + draw // nets + 1) % nets]], axis=1)


def paper_null(losses: ArrayLike, draws: int = 2000, seed: int = 0) -> Array:
    """Losses that two nets of width N / 2 would have together by Eq. 9, (1 / L1 + 1 / L2)^-1.

    Parameters
    ----------
    losses : (R,) array_like of float
        Finite, at least 0.
    draws, seed : int
        As in `drawn_pairs`.

    Returns
    -------
    (M,) ndarray of float64

    Raises
    ------
    ConfigError
        As `drawn_pairs`.
    DataError
        For other losses.

    References
    ----------
    Paper: figure 4, "N/2 + N/2". Differs: no net is paired with itself, no pair comes twice.

    Examples
    --------
    >>> paper_null(np.array([1.0, 1.0, 1.0])).tolist()
    [0.5, 0.5, 0.5]
    """
    loss = reals_of("losses", losses)
    if loss.ndim != 1 or len(loss) < 2:
        raise DataError(
            f"losses have shape {loss.shape}; give one loss a net, shape (R,), of two nets at least"
        )
    return orthogonal_loss(loss[drawn_pairs(len(loss), draws, seed)])


def compare(
    null: ArrayLike,
    wider: ArrayLike,
    pairs: ArrayLike | None = None,
    *,
    name: str = "null",
    level: float = 0.9,
    resamples: int = 1000,
    seed: int = 0,
) -> NullComparison:
    """Compares losses of pairs with those of wider nets: medians, Kolmogorov-Smirnov, Wasserstein.

    Intervals come from a bootstrap over nets, not over pairs, for pairs share nets: each net gets a
    random weight of mean 1, a pair the product of its two, a wider net one of its own. The variance
    of the weights (at most 1) is such that where a pair's value is a sum of its nets' values, the
    variance of the mean comes out right; where it is not, intervals are too wide rather than too
    narrow. The same resamples, about the distributions found, give the p-value and the floor.

    Parameters
    ----------
    null, wider : (M,), (R,) array_like of float
        Finite losses above 0.
    pairs : (M, 2) array_like of int or None
        Which nets each null loss is of; None takes all as independent.
    name : str
    level : float in (0, 1)
    resamples, seed : int

    Returns
    -------
    NullComparison

    Raises
    ------
    DataError
        For fewer than LEAST_SEEDS losses, losses of zero or below, identical or not finite ones, or
        pairs that do not match.
    ConfigError
        As `bootstrap.points`.

    References
    ----------
    Paper: figure 4, compared visually.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> losses = random.lognormal(size=400)
    >>> wider = random.lognormal(size=400) / 20
    >>> found = compare(paper_null(losses), wider, drawn_pairs(400, 2000))
    >>> bool(found.ratio.low > 1), found.bounded
    (True, True)
    """
    check_bootstrap(level, resamples, seed)
    first = _checked_losses(null, f"the null {name!r}")
    second = _checked_losses(wider, "the wider nets")
    # Without a common net unless given.
    nets = np.arange(2 * len(first)).reshape(-1, 2) if pairs is None else np.asarray(pairs)
    if nets.shape != (len(first), 2) or nets.dtype.kind not in "iu" or (nets < 0).any():
        raise DataError(
            f"pairs have shape {nets.shape} and dtype {nets.dtype}; give positions from 0, "
            f"({len(first)}, 2)"
        )
    nets = np.unique(nets, return_inverse=True)[1].reshape(-1, 2)
    values = np.log10(np.concatenate([first, second]))
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order])
    steps = [np.full(len(first), 1 / len(first)), np.full(len(second), -1 / len(second))]
    difference = np.cumsum(np.concatenate(steps)[order])[:-1]
    # Equal losses are one step of both functions: only differences behind the last of them count.
    ks = float(np.abs(difference[gaps > 0]).max())
    random = np.random.default_rng(seed)
    columns: list[Array] = []
    for one in pair_weights(nets, resamples, len(values), random):
        two = random.standard_exponential((len(one), len(second)))
        one, two = one / one.sum(axis=1, keepdims=True), two / two.sum(axis=1, keepdims=True)
        replicate = np.cumsum(np.concatenate([one, -two], axis=1)[:, order], axis=1)[:, :-1]
        centred = np.abs(replicate - difference)
        found = [
            weighted_medians(first, one),
            weighted_medians(second, two),
            np.abs(replicate) @ gaps,
            centred[:, gaps > 0].max(axis=1),
            centred @ gaps,
        ]
        columns.append(np.stack(found))
    null_median, wide_median, distance, chance_ks, chance_distance = np.concatenate(columns, axis=1)
    exceed = int(np.count_nonzero(chance_ks >= ks))
    middle, wide_middle = float(np.median(first)), float(np.median(second))
    return NullComparison(
        name=name,
        losses=first,
        wider=second,
        median=estimate(middle, null_median, level),
        ratio=estimate(middle / wide_middle, null_median / wide_median, level),
        ks=ks,
        p_value=(1 + exceed) / (1 + resamples),
        bounded=exceed == 0,
        wasserstein=estimate(float(np.abs(difference) @ gaps), distance, level),
        floor=float(np.quantile(chance_distance, level)),
    )


def _checked_losses(losses: ArrayLike, title: str) -> Array:
    """Losses (R,) that have logarithms and can be resampled. Raises DataError."""
    loss = reals_of("losses", losses)
    if loss.ndim != 1 or not np.isfinite(loss).all():
        raise DataError(
            f"the losses of {title}, of shape {loss.shape}, are not finite or not of shape (R,); "
            "give one finite loss a net or pair"
        )
    check_losses(title, loss)
    return loss


def pair_weights(
    pairs: NDArray[np.intp], resamples: int, numbers: int, random: np.random.Generator
) -> Iterator[Array]:
    """Random weights (., M) of pairs (M, 2), so many resamples at a time that their `numbers` each
    fit in cache: products of their nets' weights, which have mean 1 and variance t.

    Let a pair's value be g_i + g_j with independent g of variance 1, and d_i the number of pairs of
    net i. Then the sum over M pairs has variance S = sum d_i^2, and its bootstrap (2 t + t^2) 2 M +
    t (S - 2 M): each pair with itself, and with those that share one net with it. Both are equal
    for 2 M t^2 + (S + 2 M) t = S.
    """
    count = len(pairs)
    often = float((np.bincount(pairs.ravel()).astype(np.float64) ** 2).sum()) / (2 * count)
    variance = 2 * often / (often + 1 + np.sqrt((often + 1) ** 2 + 4 * often))
    for block in blocks(resamples, numbers, WEIGHED):
        shape = block.stop - block.start, int(pairs.max()) + 1
        nets = random.gamma(1 / variance, variance, shape)
        yield nets[:, pairs[:, 0]] * nets[:, pairs[:, 1]]


def weighted_medians(values: Array, weights: Array) -> Array:
    """Median (B,) of values (n,) under each of some weightings (B, n)."""
    order = np.argsort(values)
    share = weights[:, order] / weights.sum(axis=1, keepdims=True)
    return np.asarray(values[order[np.argmax(np.cumsum(share, axis=1) >= 0.5, axis=1)]])


def cosine_medians(
    values: Array, pairs: NDArray[np.intp], resamples: int, random: np.random.Generator
) -> Array:
    """Medians (resamples,) of the values (M,) of pairs, each of another resample of the nets."""
    drawn = pair_weights(pairs, resamples, len(values), random)
    return np.concatenate([weighted_medians(values, weights) for weights in drawn])
