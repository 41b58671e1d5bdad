"""What the mean of R nets loses, against R: measured, and as bias + variance / R."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls
from scipy.special import ndtri

from minilotto.analysis.ensembling.decomposition import KEPT
from minilotto.analysis.ensembling.ensembling import matched
from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate, points
from minilotto.errors import ConfigError, DataError
from minilotto.settings.arrays import Array, reals_of
from minilotto.settings.display import Shown
from minilotto.settings.limits import check_fraction, check_whole, listed
from minilotto.settings.numbers import real_number

__all__ = ["Averages", "averages", "possible_sizes"]

ROUNDS, HALF_ROUNDS = 20, 4  # divisions of all nets, and of half of them, into groups
LEAST_GROUPS = 2  # that half of the nets must make


@dataclass(frozen=True, eq=False)
class Averages(Shown):
    """Median loss of means of R nets, for K sizes R of such groups.

    Parameters
    ----------
    sizes : (K,) ndarray of int
    loss, low, high : (K,) ndarray of float64
    error : (K,) ndarray of float64
        Standard error of the natural logarithm of `loss`.
    bias, variance : Estimate
        Of the line bias + variance / R through these, by relative least squares, neither below 0.
    left : Estimate
        bias / (bias + variance), what is left of the loss of one net however many are averaged.
    misfit : float
        Greatest distance of `loss` from the line, in decades.
    """

    sizes: NDArray[np.int64]
    loss: Array
    low: Array
    high: Array
    error: Array
    bias: Estimate
    variance: Estimate
    left: Estimate
    misfit: float

    def line(self, sizes: ArrayLike) -> Array:
        """Loss of the average of R nets: bias + variance / R.

        Parameters
        ----------
        sizes : (V,) array_like of float
            Numbers of nets R, above 0.

        Returns
        -------
        (V,) ndarray of float64
        """
        return self.bias.value + self.variance.value / reals_of("sizes", sizes)


def possible_sizes(sizes: Sequence[int], nets: int, central: float = 0.5) -> tuple[int, ...]:
    """Those of `sizes` for which so many nets suffice.

    They do for LEAST_GROUPS groups in half of the central fraction.

    Parameters
    ----------
    sizes : sequence of int
    nets : int
    central : float in (0, 1]
        As in `averages`.

    Returns
    -------
    tuple of int
    """
    kept = len(_central(np.arange(nets // 2, dtype=np.float64), central))
    return tuple(size for size in sizes if size * LEAST_GROUPS <= kept)


def averages(
    errors: ArrayLike,
    weight: ArrayLike,
    sizes: Sequence[int],
    *,
    central: float = 0.5,
    level: float = 0.9,
    halves: int = 100,
    seed: int = 0,
) -> Averages:
    """The median of |mean of R errors|^2 over groups of R different nets, for each R in `sizes`.

    Nets are divided into groups of R at random, ROUNDS times. Independent errors of mean zero give
    L / R, errors with a common term bias + variance / R. Intervals are of random halves of the
    nets: a half differs from the whole as the whole does from infinitely many, and has no net
    twice. A bootstrap has, and would count variance as bias.

    Parameters
    ----------
    errors : (R, P) array_like of float
        nets.predict(nets.data.x) - nets.data.y; nets that are not finite are left out.
    weight : (P,) array_like of float
    sizes : sequence of int
        At least two different ones, from 1 on.
    central : float in (0, 1]
        Fraction of the nets that is kept, about the median loss, as in `decompose`: one bad net
        determines any mean that it is in.
    level : float in (0, 1)
    halves : int
        At least 20.
    seed : int

    Returns
    -------
    Averages

    Raises
    ------
    ConfigError
        For sizes that are too few, too large or no whole numbers, or another setting out of range.
    DataError
        For shapes that do not match, or too few nets.

    References
    ----------
    Paper: Eq. 9 for n nets of equal loss.

    Examples
    --------
    >>> errors, weight = np.random.default_rng(0).normal(size=(400, 200)), np.full(200, 1 / 200)
    >>> found = averages(errors, weight, (1, 2, 4, 8), central=1.0, halves=50)
    >>> (found.loss * found.sizes).round(1).tolist(), bool(found.left.value < 0.02)
    ([1.0, 1.0, 1.0, 1.0], True)
    """
    e, weights = matched(errors, weight)
    e = e[np.isfinite(e).all(axis=1)] * np.sqrt(weights)
    if len(e) < LEAST_SEEDS:
        raise DataError(
            f"{len(e)} nets are finite; at least {LEAST_SEEDS} are needed: train more seeds"
        )
    central = real_number("central", central, KEPT, lambda part: 0 < part <= 1)
    check_fraction("level", level, 0.9)
    check_whole("halves", halves, 20)
    check_whole("seed", seed, 0)
    chosen = tuple(listed("sizes", sizes))
    whole = all(isinstance(size, (int, np.integer)) and size >= 1 for size in chosen)
    if not whole or len(set(chosen)) != len(chosen) or len(chosen) < 2:
        raise ConfigError(f"sizes={chosen!r} are not two or more different whole numbers from 1 on")
    if len(possible_sizes(chosen, len(e), central)) < len(chosen):
        raise ConfigError(
            f"sizes up to {max(chosen)} are too large for {len(e)} nets; see `possible_sizes`"
        )
    loss: Array = np.sum(e * e, axis=1)
    random = np.random.default_rng(seed)
    value = _medians(e, loss, chosen, central, ROUNDS, random)
    if not (value > 0).all():
        raise DataError("groups have no loss, and no logarithm; leave out nets without error")
    drawn = []
    for _ in range(halves):
        half = random.permutation(len(e))[: len(e) // 2]
        drawn.append(_medians(e[half], loss[half], chosen, central, HALF_ROUNDS, random))
    replicates = np.stack(drawn)
    # Of h among n nets the variance about all n is (n - h) / h times the variance that n nets have.
    ratio = (len(e) // 2) / (len(e) - len(e) // 2)
    error = np.log(replicates / value).std(axis=0, ddof=1) * np.sqrt(ratio)
    reach = np.exp(ndtri((1 + level) / 2) * error)
    r = np.array(chosen, dtype=np.float64)
    fitted = _line(r, value)
    lines = np.stack([_line(r, row) for row in replicates])
    return Averages(
        sizes=np.array(chosen, dtype=np.int64),
        loss=value,
        low=value / reach,
        high=value * reach,
        error=error,
        bias=_about(fitted[0], lines[:, 0], level),
        variance=_about(fitted[1], lines[:, 1], level),
        left=_about(fitted[0] / fitted.sum(), lines[:, 0] / lines.sum(axis=1), level, most=1.0),
        misfit=float(np.abs(np.log10((fitted[0] + fitted[1] / r) / value)).max()),
    )


def _central(loss: Array, central: float) -> NDArray[np.intp]:
    """Positions of the central fraction by loss."""
    out = int(len(loss) * (1 - central) / 2)
    return np.argsort(loss, kind="stable")[out : len(loss) - out]


def _medians(
    e: Array,
    loss: Array,
    sizes: tuple[int, ...],
    central: float,
    rounds: int,
    random: np.random.Generator,
) -> Array:
    """Median loss (K,) of means of groups of each size."""
    kept = _central(loss, central)
    found: list[list[Array]] = [[] for _ in sizes]
    for _ in range(rounds):
        shuffled = e[random.permutation(kept)]
        for values, size in zip(found, sizes, strict=True):
            groups = len(kept) // size
            mean = shuffled[: groups * size].reshape(groups, size, -1).mean(axis=1)
            values.append(np.sum(mean * mean, axis=1))
    return np.array([np.median(np.concatenate(values)) for values in found])


def _line(sizes: Array, loss: Array) -> Array:
    """bias, variance (2,) of least squares of (bias + variance / R) / loss - 1, neither below 0."""
    columns = np.stack([np.ones_like(sizes), 1 / sizes], axis=1) / loss[:, None]
    return np.asarray(nnls(columns, np.ones_like(loss))[0])


def _about(value: float, replicates: Array, level: float, most: float = np.inf) -> Estimate:
    """An estimate with the normal interval of its replicates' spread about it, not below 0."""
    reach = ndtri((1 + level) / 2) * float(np.sqrt(np.mean((replicates - value) ** 2)))
    low, high = max(value - reach, 0.0), min(value + reach, most)
    return Estimate(float(value), float(low), float(high), level)


def worth(
    means: Mapping[int, Averages | None], losses: Mapping[int, ArrayLike], level: float
) -> dict[tuple[int, int], Estimate]:
    """Loss of the mean of M / N nets of width N over the median loss of nets of width M, by (N, M),
    where N divides M and there are enough nets.

    Intervals are of independent normal errors of both logarithms, 1.96 standard errors wide: of a
    level of 0.95.
    """
    found = {}
    for narrow, one in means.items():
        sizes = {wide: wide // narrow for wide in losses if wide > narrow and wide % narrow == 0}
        for wide, size in sizes.items():
            if one is None or size not in one.sizes:
                continue
            with suppress(DataError):
                whole = points([wide], [losses[wide]], level=level)
                k = int(np.flatnonzero(one.sizes == size)[0])
                ratio = float(one.loss[k] / whole.value[0])
                error = np.hypot(one.error[k], whole.error[0])
                reach = float(np.exp(1.96 * error))
                found[narrow, wide] = Estimate(ratio, ratio / reach, ratio * reach, level)
    return found
