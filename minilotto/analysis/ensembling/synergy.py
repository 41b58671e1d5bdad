"""Is a net of width N more than two nets of width N / 2? Four ways to put these together, and how
far each falls short.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.analysis.ensembling.ensembling import (
    Cosines,
    cosines,
    gram,
    optimal_weights,
    orthogonal_loss,
)
from minilotto.analysis.ensembling.joining import Refit, check_weight, least_squares, refitted
from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate, check_bootstrap, ends
from minilotto.errors import ConfigError, DataError
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array

WEIGHED = 200_000  # losses weighted at a time, which fit in cache
NULLS = {
    "harmonic": "(1 / L1 + 1 / L2)^-1, as in the paper",
    "average": "the mean of both nets' functions",
    "sum to one": "a f1 + (1 - a) f2 with the best a",
    "free weights": "a1 f1 + a2 f2 + constant with the best of the three",
    "joined": "all neurons of both nets, last layer refitted",
    "joined, all refitted": "the same, against nets of width N refitted likewise",
}


@dataclass(frozen=True, eq=False)
class Nets:
    """R nets of one width, as arrays.

    loss (R,): nets.loss; outputs (R, P): nets.predict(nets.data.x); w (R, N, D) and b (R, N):
    nets.w, nets.b. What is left out is not analysed: without outputs there is the paper's null
    alone, without w and b nothing is joined.
    """

    loss: NDArray
    outputs: NDArray | None = None
    w: NDArray | None = None
    b: NDArray | None = None


@dataclass(frozen=True, eq=False)
class NullComparison:
    """Losses (M,) of pairs of narrow nets against losses `wider` (R,) of nets of twice their width.

    median is the null's; ratio is median(null) / median(wider), above 1 where the wider net does
    better: synergy. ks is the largest distance between both distribution functions, and p_value the
    chance of one as large between equal ones (`bounded`: it is the least that so many resamples can
    show). wasserstein is the mean distance between them in decades of loss; it is above 0 for equal
    ones too, where it stays below `floor` with the probability of the intervals' level.
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


@dataclass(frozen=True, eq=False)
class Synergy:
    """The nulls side by side, by the names of NULLS; those that could not be had are missing, and
    `notes` say why.

    pairs (M, 2): places among the narrow nets whose loss is finite; diverged: how many narrow and
    wide nets were left out. similarity: cosines of the pairs' error functions, with the interval of
    their median. joined, refitted: the last layers behind the last two nulls, with their ranks.
    """

    pairs: NDArray[np.intp]
    diverged: tuple[int, int]
    nulls: dict[str, NullComparison]
    similarity: Cosines | None
    similarity_median: Estimate | None
    joined: Refit | None
    refitted: Refit | None
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([str(null) for null in self.nulls.values()] + list(self.notes))


def drawn_pairs(nets: int, draws: int, seed: int = 0) -> NDArray[np.intp]:
    """Pairs of different nets (M, 2), none twice, each net equally often but for one; M = draws, or
    all pairs if these are fewer.

    Nets in random order are paired with their neighbours, then with those two places on, and so on.
    Raises ConfigError for fewer than two nets or one draw.

    >>> pairs = drawn_pairs(5, 100)
    >>> len({frozenset(pair) for pair in pairs.tolist()})
    10
    """
    if nets < 2 or draws < 1:
        raise ConfigError(
            f"{draws} pairs of {nets} nets cannot be drawn; give at least 1 pair and 2 nets"
        )
    order = np.random.default_rng(seed).permutation(nets)
    draw = np.arange(min(draws, nets * (nets - 1) // 2))
    return np.stack([order[draw % nets], order[(draw % nets + draw // nets + 1) % nets]], axis=1)


def paper_null(losses: ArrayLike, draws: int = 2000, seed: int = 0) -> Array:
    """Losses (M,) that two nets of width N / 2 would have together by Eq. 9: (1 / L1 + 1 / L2)^-1
    of pairs of `drawn_pairs`.

    losses (R,) are finite and at least 0. Raises DataError otherwise.
    Paper: figure 4, "N/2 + N/2". Differs: no net is paired with itself, no pair comes twice.

    >>> paper_null(np.array([1.0, 1.0, 1.0])).tolist()
    [0.5, 0.5, 0.5]
    """
    loss = np.asarray(losses, dtype=np.float64)
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
    """Compares losses of pairs, null (M,), with those of wider nets (R,): ratio of medians,
    Kolmogorov-Smirnov, Wasserstein.

    pairs (M, 2) says which nets each null loss is of; None takes all as independent. Intervals come
    from a bootstrap over nets, not over pairs, for pairs share nets: each net gets a random weight
    of mean 1, a pair the product of its two, a wider net one of its own. The variance of the
    weights (at most 1) is such that where a pair's value is a sum of its nets' values, the variance
    of the mean comes out right; where it is not, intervals are too wide rather than too narrow. The
    same resamples, about the distributions found, give the p-value and the floor. Losses that are
    not finite must have been left out.

    Raises DataError for fewer than LEAST_SEEDS losses, losses of zero or below, or identical ones;
    ConfigError as `points` does. Paper: figure 4, compared by eye.

    >>> random = np.random.default_rng(0)
    >>> losses = random.lognormal(size=400)
    >>> found = compare(paper_null(losses), random.lognormal(size=400) / 20, drawn_pairs(400, 2000))
    >>> bool(found.ratio.low > 1), found.bounded
    (True, True)
    """
    check_bootstrap(level, resamples)
    first, second = (
        _checked_losses(null, f"the null {name!r}"),
        _checked_losses(wider, "the wider nets"),
    )
    together = _checked_pairs(pairs, len(first))
    first_order, second_order = np.argsort(first), np.argsort(second)
    values = np.log10(np.concatenate([first, second]))
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order])
    difference = np.cumsum(
        np.concatenate(
            [np.full(len(first), 1 / len(first)), np.full(len(second), -1 / len(second))]
        )[order]
    )[:-1]
    # Equal losses are one step of both functions: only differences behind the last of them count.
    ks = float(np.abs(difference[gaps > 0]).max())
    random = np.random.default_rng(seed)
    columns: list[Array] = []
    step = max(1, WEIGHED // len(values))
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        one = pair_weights(together, rows, random)
        two = random.standard_exponential((rows, len(second)))
        one, two = one / one.sum(axis=1, keepdims=True), two / two.sum(axis=1, keepdims=True)
        replicate = np.cumsum(np.concatenate([one, -two], axis=1)[:, order], axis=1)[:, :-1]
        centred = np.abs(replicate - difference)
        medians = (
            weighted_medians(first[first_order], one[:, first_order]),
            weighted_medians(second[second_order], two[:, second_order]),
        )
        columns.append(
            np.stack(
                [
                    *medians,
                    np.abs(replicate) @ gaps,
                    centred[:, gaps > 0].max(axis=1),
                    centred @ gaps,
                ]
            )
        )
    null_median, wide_median, distance, chance_ks, chance_distance = np.concatenate(columns, axis=1)
    exceed = int(np.count_nonzero(chance_ks >= ks))
    middle = float(np.median(first))
    return NullComparison(
        name=name,
        losses=first,
        wider=second,
        median=_estimate(middle, null_median, level),
        ratio=_estimate(middle / float(np.median(second)), null_median / wide_median, level),
        ks=ks,
        p_value=(1 + exceed) / (1 + resamples),
        bounded=exceed == 0,
        wasserstein=_estimate(float(np.abs(difference) @ gaps), distance, level),
        floor=float(np.quantile(chance_distance, level)),
    )


def _checked_losses(losses: ArrayLike, title: str) -> Array:
    """Losses (R,) that have logarithms and can be resampled. Raises DataError."""
    loss = np.asarray(losses, dtype=np.float64)
    if loss.ndim != 1 or len(loss) < LEAST_SEEDS:
        raise DataError(
            f"the losses of {title} have shape {loss.shape}; give at least {LEAST_SEEDS}, shape "
            "(R,)"
        )
    if not (np.isfinite(loss).all() and (loss > 0).all()):
        bad = np.count_nonzero(~(np.isfinite(loss) & (loss > 0)))
        raise DataError(
            f"{bad} losses of {title} are not finite or not above 0, and have no logarithm; leave "
            "them out"
        )
    if (loss == loss[0]).all():
        raise DataError(
            f"the {len(loss)} losses of {title} are all {loss[0]:g}; nets must differ to be "
            "resampled"
        )
    return loss


def _checked_pairs(pairs: ArrayLike | None, draws: int) -> NDArray[np.intp]:
    """Pairs (M, 2) of places from 0; pairs without a common net unless given. Raises DataError."""
    if pairs is None:
        return np.arange(2 * draws).reshape(draws, 2)
    together = np.asarray(pairs)
    if together.shape != (draws, 2) or together.dtype.kind not in "iu" or (together < 0).any():
        raise DataError(
            f"pairs have shape {together.shape} and dtype {together.dtype}; give places from 0, "
            f"({draws}, 2)"
        )
    return np.unique(together, return_inverse=True)[1].reshape(draws, 2)


def pair_weights(pairs: NDArray[np.intp], rows: int, random: np.random.Generator) -> Array:
    """Random weights (rows, M) of pairs: products of their nets' weights, which have mean 1 and
    variance t.

    Let a pair's value be g_i + g_j with independent g of variance 1, and d_i the number of pairs of
    net i. Then the sum over M pairs has variance S = sum d_i^2, and its bootstrap (2 t + t^2) 2 M +
    t (S - 2 M): each pair with itself, and with those that share one net with it. Both are equal
    for 2 M t^2 + (S + 2 M) t = S.
    """
    count = len(pairs)
    often = float((np.bincount(pairs.ravel()).astype(np.float64) ** 2).sum()) / (2 * count)
    variance = 2 * often / (often + 1 + np.sqrt((often + 1) ** 2 + 4 * often))
    nets = random.gamma(1 / variance, variance, (rows, int(pairs.max()) + 1))
    return nets[:, pairs[:, 0]] * nets[:, pairs[:, 1]]


def weighted_medians(ordered: Array, weights: Array) -> Array:
    """The median (B,) of sorted values (n,) under each row of weights (B, n) that sum to one."""
    return ordered[np.argmax(np.cumsum(weights, axis=1) >= 0.5, axis=1)]


def _estimate(value: float, replicates: Array, level: float) -> Estimate:
    low, high = np.quantile(replicates, ends(level))
    return Estimate(value, float(low), float(high), level)


def synergy(
    narrow: Nets,
    wide: Nets,
    *,
    y: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    x: ArrayLike | None = None,
    activation: Activation | None = None,
    cut: float | None = None,
    draws: int = 2000,
    level: float = 0.9,
    resamples: int = 1000,
    seed: int = 0,
) -> Synergy:
    """Two nets of width N / 2, put together in each way of NULLS, against nets of width N; all ways
    have the same pairs.

    narrow, wide: Nets(nets.loss, nets.predict(nets.data.x), nets.w, nets.b); wide needs no outputs.
    y (P,), weight (P,) and x (P, D): nets.data.y, .weight and .x; activation: nets.activation.
    Outputs need y and weight, w and b all four. Nets of finite loss are taken. "free weights" is
    the linear combination that a last layer could make, "sum to one" that of Eq. 5 to 7; each way
    holds the ones before it, from "average" on, so its losses are no greater but for what a rank
    cut leaves out. "joined" is fitted better than Adam fits wide nets, so "joined, all refitted"
    compares like with like; cut: see `refitted`. A null that cannot be compared becomes a note.

    Raises DataError for shapes that do not match, fewer than LEAST_SEEDS nets, or losses that are
    not those of the outputs; ConfigError as `compare`. Paper: figure 4, Eq. 5 to 9. Differs: the
    paper has the first null alone.

    >>> random = np.random.default_rng(0)
    >>> y, errors = np.linspace(0, 1, 50), random.normal(size=(30, 50)) / 100
    >>> narrow, wide = Nets((errors**2).mean(axis=1), y + errors), Nets((errors**2).mean(axis=1) / 2)
    >>> [name for name, null in synergy(narrow, wide, y=y, weight=np.ones(50) / 50).nulls.items() if 0.9 < null.ratio.value < 1.1]
    ['harmonic', 'average', 'sum to one', 'free weights']
    """
    one, two = _finite(narrow, "narrow"), _finite(wide, "wide")
    pairs = drawn_pairs(len(one.loss), draws, seed)
    losses = {"harmonic": orthogonal_loss(one.loss[pairs])}
    notes: list[str] = []
    similarity = median = joined = again = None
    if one.outputs is not None:
        target, weights = _measure(y, weight, one.loss, one.outputs)
        errors = one.outputs - target
        losses |= combined(one.outputs, target, weights, pairs)
        try:
            similarity = cosines(errors, weights, pairs)
            replicates = cosine_medians(
                similarity.values, pairs, resamples, np.random.default_rng(seed)
            )
            median = _estimate(similarity.median, replicates, level)
        except DataError as refusal:
            notes.append(f"similarity: {refusal}")
    if one.w is not None and one.b is not None:
        if y is None or weight is None or x is None or activation is None:
            raise DataError(
                "w and b are given without x, y, weight or activation; give all of them, or nets "
                "without w and b"
            )
        joined = refitted(activation, one.w, one.b, x, y, weight, pairs, cut)
        losses["joined"] = joined.loss
        if two.w is not None and two.b is not None:
            again = refitted(activation, two.w, two.b, x, y, weight, cut=cut)
            losses["joined, all refitted"] = joined.loss
    nulls = {}
    for name, loss in losses.items():
        against = again.loss if again is not None and name == "joined, all refitted" else two.loss
        try:
            nulls[name] = compare(
                loss, against, pairs, name=name, level=level, resamples=resamples, seed=seed
            )
        except DataError as refusal:
            notes.append(f"{name}: {refusal}")
    diverged = (len(narrow.loss) - len(one.loss), len(wide.loss) - len(two.loss))
    return Synergy(pairs, diverged, nulls, similarity, median, joined, again, tuple(notes))


def combined(
    outputs: Array, target: Array, weight: Array, pairs: NDArray[np.intp]
) -> dict[str, Array]:
    """The losses (M,) of the pairs' average and of their linear combinations."""
    first, second = outputs[pairs[:, 0]], outputs[pairs[:, 1]]
    errors = np.stack([first, second], axis=1) - target
    best = optimal_weights(gram(errors, weight))
    balanced = np.einsum("mi,mip->mp", best, errors)
    # a1 f1 + a2 f2 + c - y, written with the small e2 and f1 - f2 for y and f1: the same functions,
    # and less to cancel.
    columns = np.stack([first - second, second, np.ones_like(second)], axis=2)
    return {
        "average": errors.mean(axis=1) ** 2 @ weight,
        "sum to one": balanced**2 @ weight,
        "free weights": least_squares(columns, -errors[:, 1], weight).loss,
    }


def cosine_medians(
    values: Array, pairs: NDArray[np.intp], resamples: int, random: np.random.Generator
) -> Array:
    """Medians (B,) of the values (M,) of pairs (M, 2), each of another resample of the nets."""
    order = np.argsort(values)
    step = max(1, WEIGHED // len(values))
    parts = []
    for start in range(0, resamples, step):
        weights = pair_weights(pairs, min(step, resamples - start), random)[:, order]
        parts.append(weighted_medians(values[order], weights / weights.sum(axis=1, keepdims=True)))
    return np.concatenate(parts)


def _finite(nets: Nets, title: str) -> Nets:
    """The nets whose loss is finite, as float64. Raises DataError."""
    loss = np.asarray(nets.loss, dtype=np.float64)
    if loss.ndim != 1:
        raise DataError(
            f"the losses of the {title} nets have shape {loss.shape}; give one loss a net, shape "
            "(R,)"
        )
    kept = np.isfinite(loss)
    if np.count_nonzero(kept) < LEAST_SEEDS:
        raise DataError(
            f"{np.count_nonzero(kept)} {title} nets have a finite loss; at least {LEAST_SEEDS} "
            "are needed: train more"
        )
    parts: dict[str, Array | None] = {}
    for name in ("outputs", "w", "b"):
        array = getattr(nets, name)
        if array is not None and np.shape(array)[:1] != loss.shape:
            raise DataError(
                f"{name} of the {title} nets has shape {np.shape(array)} for {len(loss)} losses; "
                "give one row a net"
            )
        parts[name] = None if array is None else np.asarray(array, dtype=np.float64)[kept]
    return Nets(loss[kept], **parts)


def _measure(
    y: ArrayLike | None, weight: ArrayLike | None, loss: Array, outputs: Array
) -> tuple[Array, Array]:
    """Target and weight (P,) of the nets' outputs. Raises DataError where they are not those of the
    losses.
    """
    if y is None or weight is None:
        raise DataError(
            "outputs are given without y or weight; give nets.data.y and nets.data.weight, or "
            "nets without outputs"
        )
    target, weights = np.asarray(y, dtype=np.float64), np.asarray(weight, dtype=np.float64)
    if target.ndim != 1 or weights.shape != target.shape or outputs.shape[1:] != target.shape:
        raise DataError(
            f"outputs {outputs.shape}, y {target.shape}, weight {weights.shape} do not match: (R, "
            "P), (P,), (P,)"
        )
    check_weight(weights)
    found = (outputs - target) ** 2 @ weights
    if not np.allclose(found, loss, rtol=1e-6, atol=0):
        worst = int(np.argmax(np.abs(found - loss)))
        raise DataError(
            f"net {worst} has loss {loss[worst]:.6g}, its outputs {found[worst]:.6g}; give "
            "outputs at nets.data.x"
        )
    return target, weights
