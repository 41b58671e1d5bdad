"""The loss of nets that differ in their seed alone, parted into what is common to all seeds (bias)
and the rest (variance).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.analysis.stats.bootstrap import (
    GATHERED,
    LEAST_SEEDS,
    Array,
    Estimate,
    Points,
    assembled,
    check_bootstrap,
    ends,
)
from minilotto.errors import ConfigError, DataError

CENTRAL = 0.5  # part of the nets, about the median loss, that is kept
PARTS = ("loss", "bias", "variance")


@dataclass(frozen=True)
class Decomposition:
    """loss = bias + variance of the nets kept, whose losses lie from `low` to `high`; each with its
    interval.

    bias is |E e|^2, the loss of the mean over infinitely many seeds; it is estimated without bias,
    so it may come out below zero where there is none. share is bias / loss. seeds counts finite
    nets, of which the part `central` was kept; diverged the others. replicates (B, 2) are loss and
    bias of each bootstrap resample.
    """

    loss: Estimate
    bias: Estimate
    variance: Estimate
    share: Estimate
    central: float
    seeds: int
    diverged: int
    low: float
    high: float
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

    loss = sum_r k_r |e_r|^2 / sum k;  bias = sum_{r != s} k_r k_s <e_r, e_s> / sum_{r != s} k_r
                                       k_s;  variance = loss - bias
    |e|^2 = sum_p weight_p e(x_p)^2;  k_r: how much of net r lies in the `central` part of the nets
                                      sorted by loss

    Few bad nets rule any mean of losses; so only the central part is kept, by default the half
    about the median loss: up to a quarter of bad nets change nothing, and `loss` stays beside the
    median. central=1 keeps all, and is free of bias for any R; a smaller one describes the nets
    between two quantiles of the loss. Nets are resampled and sorted again in each replicate; there
    too a net meets only others, never its own copy, which would pass variance off as bias.

    errors (R, P): nets.predict(nets.data.x) - nets.data.y, rows that are not finite have diverged;
    weight (P,). Raises ConfigError for `central`, `level` or `resamples` out of range; DataError
    for shapes that do not match or few nets. Paper: section 5 and appendix A, where a plateau is
    ascribed to a bias shared by all tickets.

    >>> random = np.random.default_rng(0)
    >>> found = decompose(1.0 + random.normal(0, 2.0, (500, 400)), np.full(400, 1 / 400), central=1.0)
    >>> bool(abs(found.bias.value - 1) < 0.02), bool(abs(found.variance.value - 4) < 0.1)
    (True, True)
    """
    check_bootstrap(level, resamples)
    if (
        isinstance(central, bool)
        or not isinstance(central, (int, float, np.number))
        or not 0 < central <= 1
    ):
        raise ConfigError(
            f"central={central!r} is out of range; give the part of the nets to keep, above 0 and "
            "at most 1"
        )
    e, weights = np.asarray(errors, dtype=np.float64), np.asarray(weight, dtype=np.float64)
    if e.ndim != 2 or weights.shape != e.shape[1:]:
        raise DataError(
            f"errors of shape {e.shape} and weight of shape {weights.shape} do not match; give "
            "(R, P) and (P,)"
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise DataError(
            "weight has numbers that are negative or not finite; weights are at least 0"
        )
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
    value = _parts(kept, e, loss)[0]
    replicates = np.concatenate(
        [
            _parts(_central(counts, central), e, loss)
            for counts in _counts(seeds, resamples, np.random.default_rng(seed))
        ]
    )
    columns = [(part[..., 0], part[..., 1]) for part in (value, replicates)]
    derived = [(total, bias, total - bias, _share(total, bias)) for total, bias in columns]
    low, high = np.quantile(np.stack(derived[1]), ends(level), axis=1)
    names = ("loss", "bias", "variance", "share")
    rows = zip(names, derived[0], low, high, strict=True)
    estimates = {name: Estimate(float(v), float(a), float(b), level) for name, v, a, b in rows}
    inside = loss[kept[0] > 0]
    return Decomposition(
        **estimates,
        central=float(central),
        seeds=seeds,
        diverged=count - seeds,
        low=float(inside[0]),
        high=float(inside[-1]),
        replicates=replicates,
    )


def as_points(widths: Sequence[float], found: Sequence[Decomposition], part: str) -> Points:
    """One part at each width, as points that laws can be fitted to: "loss", "bias" or "variance".

    Raises ConfigError for another part, DataError where a replicate of it is not above zero, as of
    a bias that is nearly none.

    >>> random = np.random.default_rng(0)
    >>> errors = [random.normal(0, n**-0.5, (100, 50)) for n in (1, 4)]
    >>> made = as_points([1, 4], [decompose(e, np.full(50, 0.02)) for e in errors], "variance")
    >>> bool(abs(made.value[0] / made.value[1] - 4) < 0.5)
    True
    """
    if part not in PARTS:
        raise ConfigError(f"part={part!r} is unknown; choose from {', '.join(PARTS)}")
    names = np.asarray(widths, dtype=np.float64)
    if (
        names.shape != (len(found),)
        or len({(len(one.replicates), one.loss.level) for one in found}) != 1
    ):
        raise DataError(
            f"{names.size} widths and {len(found)} decompositions do not match; give one each, "
            "made alike"
        )
    order = np.argsort(names)
    found = [found[i] for i in order]
    columns = np.stack([_part(one.replicates, part) for one in found], axis=1)
    value = np.array([getattr(one, part).value for one in found])
    if not ((columns > 0).all() and (value > 0).all()):
        name = names[order][int(np.argmax((columns <= 0).any(axis=0) | (value <= 0)))]
        raise DataError(
            f"the {part} at width {name:g} is not above zero for certain, so it has no logarithm; "
            "leave the width out"
        )
    kept = [np.empty(one.seeds) for one in found]
    diverged = np.array([one.diverged for one in found], dtype=np.int64)
    return assembled(
        names[order], kept, diverged, value, np.log(columns), part, found[0].loss.level
    )


def _central(counts: Array, central: float) -> Array:
    """How much of each net, of counts (B, R) in ascending order of loss, lies in the central part:
    (B, R), of the sum R central.
    """
    upper = np.cumsum(counts, axis=1)
    nets = upper[:, -1:]
    low, high = nets * (1 - central) / 2, nets * (1 + central) / 2
    return np.maximum(np.minimum(upper, high) - np.maximum(upper - counts, low), 0.0)


def _parts(kept: Array, e: Array, loss: Array) -> Array:
    """Loss and bias (B, 2) of nets weighted by kept (B, R); e (R, P) holds errors times the roots
    of the points' weights.
    """
    own = kept * kept
    total = kept.sum(axis=1)
    with np.errstate(invalid="ignore"):  # a resample of one net alone
        bias = (np.sum((kept @ e) ** 2, axis=1) - own @ loss) / (total**2 - own.sum(axis=1))
    mean = kept @ loss / total
    return np.stack([mean, np.where(np.isfinite(bias), np.minimum(bias, mean), mean)], axis=1)


def _part(rows: Array, part: str) -> Array:
    return {"loss": rows[:, 0], "bias": rows[:, 1], "variance": rows[:, 0] - rows[:, 1]}[part]


def _share(total: Array, bias: Array) -> Array:
    return np.divide(bias, total, out=np.ones_like(np.asarray(total)), where=np.asarray(total) > 0)


def _counts(
    seeds: int, resamples: int, random: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    """How often each net is in each resample, some rows (., seeds) at a time."""
    step = max(1, GATHERED // seeds)
    for start in range(0, resamples, step):
        drawn = random.multinomial(seeds, np.full(seeds, 1 / seeds), min(step, resamples - start))
        yield drawn.astype(np.float64)
