"""What the mean of R nets loses, against R: measured, and as bias + variance / R."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls
from scipy.special import ndtri

from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate
from minilotto.errors import ConfigError, DataError
from minilotto.settings.arrays import Array

ROUNDS, HALF_ROUNDS = 20, 4  # divisions of all nets, and of half of them, into groups
LEAST_GROUPS = 2  # that half of the nets must make


@dataclass(frozen=True, eq=False)
class Averages:
    """Median loss of means of R nets, for K sizes R of such groups.

    sizes, loss, low, high (K,); error (K,): standard error of the natural logarithm of `loss`. bias
    and variance: of the line bias + variance / R through these, by relative least squares, neither
    below 0; left: bias / (bias + variance), what is left of the loss of one net however many are
    averaged; misfit: the greatest distance of `loss` from the line, in decades. nets: how many of
    them were averaged.
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
    nets: int

    def line(self, sizes: ArrayLike) -> Array:
        """bias + variance / R at sizes (V,)."""
        return self.bias.value + self.variance.value / np.asarray(sizes, dtype=np.float64)


def possible_sizes(sizes: Sequence[int], nets: int, central: float = 0.5) -> tuple[int, ...]:
    """Those of `sizes` for which so many nets suffice: LEAST_GROUPS groups in half of the central
    part.
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

    Nets are the `central` part by loss, as in `decompose`, for one bad net spoils any mean it is
    in. They are divided into groups of R at random, 20 times over. Independent errors of mean zero
    give L / R, errors with a part in common bias + variance / R. Intervals are of random halves of
    the nets: a half differs from the whole as the whole does from infinitely many, and has no net
    twice, which a bootstrap has, and which would pass variance off as bias.

    errors (R, P): nets.predict(nets.data.x) - nets.data.y, rows that are not finite are left out;
    weight (P,). Raises ConfigError for sizes that are no different whole numbers from 1 on, fewer
    than two, or too large; DataError as `decompose`. Paper: Eq. 9 for n nets of equal loss.

    >>> random = np.random.default_rng(0)
    >>> found = averages(random.normal(size=(400, 200)), np.full(200, 1 / 200), (1, 2, 4, 8), central=1.0, halves=50)
    >>> (found.loss * found.sizes).round(1).tolist(), bool(found.left.value < 0.02)
    ([1.0, 1.0, 1.0, 1.0], True)
    """
    e, weights = np.asarray(errors, dtype=np.float64), np.asarray(weight, dtype=np.float64)
    if e.ndim != 2 or weights.shape != e.shape[1:]:
        raise DataError(
            f"errors of shape {e.shape} and weight of shape {weights.shape} do not match; give "
            "(R, P) and (P,)"
        )
    e = e[np.isfinite(e).all(axis=1)] * np.sqrt(weights)
    if len(e) < LEAST_SEEDS:
        raise DataError(
            f"{len(e)} nets are finite; at least {LEAST_SEEDS} are needed: train more seeds"
        )
    if not (
        isinstance(central, (int, float)) and 0 < central <= 1 and 0 < level < 1 and halves >= 20
    ):
        raise ConfigError(
            f"central={central!r}, level={level!r}, halves={halves!r}: give (0, 1], (0, 1) and at "
            "least 20"
        )
    chosen = tuple(sizes)
    whole = all(isinstance(size, (int, np.integer)) and size >= 1 for size in chosen)
    if not whole or len(set(chosen)) != len(chosen) or len(chosen) < 2:
        raise ConfigError(f"sizes={chosen!r} are not two or more different whole numbers from 1 on")
    if len(possible_sizes(chosen, len(e), central)) < len(chosen):
        raise ConfigError(
            f"sizes up to {max(chosen)} are too large for {len(e)} nets; see `possible_sizes`"
        )
    loss = np.sum(e * e, axis=1)
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
    error = np.log(replicates / value).std(axis=0, ddof=1) * np.sqrt(
        (len(e) // 2) / (len(e) - len(e) // 2)
    )
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
        nets=len(_central(loss, central)),
    )


def _central(loss: Array, central: float) -> NDArray[np.intp]:
    """Places of the central part by loss."""
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
    """bias and variance (2,) of least squares of (bias + variance / R) / loss - 1, neither below 0."""
    return nnls(
        np.stack([np.ones_like(sizes), 1 / sizes], axis=1) / loss[:, None], np.ones_like(loss)
    )[0]


def _about(value: float, replicates: Array, level: float, most: float = np.inf) -> Estimate:
    """An estimate with the normal interval of the spread of its replicates about it, not below 0."""
    reach = ndtri((1 + level) / 2) * float(np.sqrt(np.mean((replicates - value) ** 2)))
    return Estimate(
        float(value), float(max(value - reach, 0.0)), float(min(value + reach, most)), level
    )
