"""The loss of nets that differ in their seed alone: bias, which all share, and variance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from minilotto.analysis.ensembling.ensembling import matched
from minilotto.analysis.stats.bootstrap import (
    GATHERED,
    LEAST_SEEDS,
    Estimate,
    Points,
    assembled,
    check_bootstrap,
    check_widths,
    estimate,
)
from minilotto.errors import DataError
from minilotto.settings.arrays import Array, reals_of
from minilotto.settings.display import Shown
from minilotto.settings.limits import blocks, check_choice
from minilotto.settings.numbers import real_number

__all__ = ["Decomposition", "as_points", "decompose", "over_noise"]

CENTRAL = 0.5  # fraction of the nets, about the median loss, that is kept
PARTS = ("loss", "bias", "variance")
KEPT = "above 0 and at most 1, the fraction of the nets to keep"


@dataclass(frozen=True)
class Decomposition(Shown):
    """loss = bias + variance of the nets kept.

    Parameters
    ----------
    loss, bias, variance : Estimate
        bias is |E e|^2, the loss of the mean over infinitely many seeds. It is estimated without
        bias, so it may come out below zero where there is none.
    share : Estimate
        bias / loss.
    seeds, diverged : int
        Finite nets, and the others.
    replicates : (B, 2) ndarray of float64
        Loss and bias of each bootstrap resample.
    """

    loss: Estimate
    bias: Estimate
    variance: Estimate
    share: Estimate
    seeds: int
    diverged: int
    replicates: Array


def decompose(
    errors: ArrayLike,
    weight: ArrayLike,
    *,
    central: float = CENTRAL,
    level: float = 0.9,
    resamples: int = 1000,
    seed: int = 0,
) -> Decomposition:
    """Bias and variance between seeds of R nets, by the products of the errors of distinct nets.

    loss = sum_r k_r |e_r|^2 / sum k; bias = sum_{r != s} k_r k_s <e_r, e_s> / sum_{r != s} k_r k_s;
    variance = loss - bias. |e|^2 = sum_p weight_p e(x_p)^2; k_r is how much of net r lies in the
    `central` fraction of the nets sorted by loss.

    Few bad nets determine any mean of losses, so only the central fraction is kept, by default the
    half about the median loss: up to a quarter of bad nets change nothing, and `loss` stays beside
    the median. Nets are resampled and sorted again in each replicate; products are of different
    nets there too, never of copies of one, which would count variance as bias.

    Parameters
    ----------
    errors : (R, P) array_like of float
        nets.predict(nets.data.x) - nets.data.y; nets that are not finite have diverged.
    weight : (P,) array_like of float
    central : float in (0, 1]
        1 keeps all, and is free of bias for any R; a smaller one describes the nets between two
        quantiles of the loss.
    level : float in (0, 1)
    resamples, seed : int

    Returns
    -------
    Decomposition

    Raises
    ------
    ConfigError
        For `central`, `level`, `resamples` or `seed` out of range.
    DataError
        For shapes that do not match, or few nets.

    References
    ----------
    Paper: section 5 and appendix A, where a plateau is ascribed to a bias shared by all tickets.

    Examples
    --------
    >>> errors = 1.0 + np.random.default_rng(0).normal(0, 2.0, (500, 400))
    >>> found = decompose(errors, np.full(400, 1 / 400), central=1.0)
    >>> bool(abs(found.bias.value - 1) < 0.02), bool(abs(found.variance.value - 4) < 0.1)
    (True, True)
    """
    check_bootstrap(level, resamples, seed)
    central = real_number("central", central, KEPT, lambda part: 0 < part <= 1)
    e, weights = matched(errors, weight)
    count, finite = len(e), np.isfinite(e).all(axis=1)
    seeds = int(finite.sum())
    if seeds * central < LEAST_SEEDS:
        raise DataError(
            f"{seeds} finite nets, {central:.0%} of them kept, are too few; at least "
            f"{LEAST_SEEDS} must be kept"
        )
    e = e[finite] * np.sqrt(weights)
    loss = np.sum(e * e, axis=1)
    order = np.argsort(loss, kind="stable")
    e, loss = e[order], loss[order]
    kept = _central(np.ones((1, seeds)), central)
    value = _parts(kept, e, loss)
    random, parts = np.random.default_rng(seed), []
    for block in blocks(resamples, seeds, GATHERED):  # how often each net is in each resample
        counts = random.multinomial(seeds, np.full(seeds, 1 / seeds), block.stop - block.start)
        parts.append(_parts(_central(counts.astype(np.float64), central), e, loss))
    replicates = np.concatenate(parts)
    estimates = {
        name: estimate(_part(value, name)[0], _part(replicates, name), level)
        for name in (*PARTS, "share")
    }
    return Decomposition(**estimates, seeds=seeds, diverged=count - seeds, replicates=replicates)


def over_noise(errors: ArrayLike, weight: ArrayLike) -> tuple[Array, Array]:
    """Mean loss of each start, and its variance between J trainings that differ in their noise.

    loss_r = mean_j |e_jr|^2; variance_r = sum_j |e_jr - mean_j e_jr|^2 / (J - 1), which is free of
    bias. Their difference is the loss of the mean over infinitely many noises, without bias too.

    Parameters
    ----------
    errors : (J, R, P) array_like of float
        Of the same R starts in each of J trainings.
    weight : (P,) array_like of float

    Returns
    -------
    (R,) ndarray of float64, (R,) ndarray of float64
        Loss and variance; NaN for a start that has diverged in one of the trainings, the variance
        for J = 1 too.

    Raises
    ------
    DataError
        For shapes that do not match.

    Examples
    --------
    >>> loss, variance = over_noise([[[3.0]], [[1.0]]], [1.0])
    >>> loss.tolist(), variance.tolist()
    ([5.0], [2.0])
    """
    given = reals_of("errors", errors)
    if given.ndim != 3 or 0 in given.shape[::2]:
        raise DataError(f"errors have shape {given.shape}; give (J, R, P)")
    _, weights = matched(given[0], weight)
    e = given * np.sqrt(weights)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        loss = np.sum(e * e, axis=2).mean(axis=0)
        variance = np.sum((e - e.mean(axis=0)) ** 2, axis=(0, 2)) / np.float64(len(e) - 1)
    good = np.isfinite(loss)
    return np.where(good, loss, np.nan), np.where(good, variance, np.nan)


def as_points(widths: Sequence[float], found: Sequence[Decomposition], part: str) -> Points:
    """One term at each width, as points that laws can be fitted to.

    Parameters
    ----------
    widths : sequence of W float
    found : sequence of W Decomposition
        Of one level and number of resamples.
    part : {"loss", "bias", "variance"}

    Returns
    -------
    Points

    Raises
    ------
    ConfigError
        For another part.
    DataError
        For widths that are not distinct numbers above 0, and where a replicate of it is not above
        zero, as of a bias that is nearly none.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> errors = [random.normal(0, n**-0.5, (100, 50)) for n in (1, 4)]
    >>> made = as_points([1, 4], [decompose(e, np.full(50, 0.02)) for e in errors], "variance")
    >>> bool(abs(made.value[0] / made.value[1] - 4) < 0.5)
    True
    """
    check_choice("part", part, PARTS)
    names = reals_of("widths", widths)
    settings = {(len(one.replicates), one.loss.level) for one in found}
    if names.shape != (len(found),) or len(settings) != 1:
        raise DataError(
            f"{names.size} widths and {len(found)} decompositions do not match; give one each, "
            "made alike"
        )
    check_widths(names)
    order = np.argsort(names)
    found = [found[i] for i in order.tolist()]
    columns = np.stack([_part(one.replicates, part) for one in found], axis=1)
    value = np.array([getattr(one, part).value for one in found])
    if not ((columns > 0).all() and (value > 0).all()):
        name = names[order][int(np.argmax((columns <= 0).any(axis=0) | (value <= 0)))]
        raise DataError(
            f"the {part} at width {name:g} is not above zero for certain, so it has no logarithm; "
            "leave the width out"
        )
    seeds, diverged = np.array([(one.seeds, one.diverged) for one in found]).T
    level = found[0].loss.level
    return assembled(names[order], seeds, diverged, value, np.log(columns), part, level)


def _central(counts: Array, central: float) -> Array:
    """How much of each net, of counts (B, R) by ascending loss, is in the central fraction."""
    upper = np.cumsum(counts, axis=1)
    nets = upper[:, -1:]
    low, high = nets * (1 - central) / 2, nets * (1 + central) / 2
    return np.asarray(np.maximum(np.minimum(upper, high) - np.maximum(upper - counts, low), 0.0))


def _parts(kept: Array, e: Array, loss: Array) -> Array:
    """Loss and bias (B, 2) of nets weighted by kept (B, R); e (R, P): errors times root weights."""
    own = kept * kept
    total = kept.sum(axis=1)
    with np.errstate(invalid="ignore"):  # a resample of one net alone
        bias = (np.sum((kept @ e) ** 2, axis=1) - own @ loss) / (total**2 - own.sum(axis=1))
    mean = kept @ loss / total
    return np.stack([mean, np.where(np.isfinite(bias), np.minimum(bias, mean), mean)], axis=1)


def _part(rows: Array, part: str) -> Array:
    """Loss, bias, variance or share (B,) of rows of loss and bias (B, 2)."""
    total, bias = rows[:, 0], rows[:, 1]
    if part == "share":
        return np.divide(bias, total, out=np.ones_like(total), where=total > 0)
    return {"loss": total, "bias": bias, "variance": total - bias}[part]
