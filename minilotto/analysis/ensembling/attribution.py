"""Where the gain from nets of width N / 2 to nets of width N comes from: averaging two nets,
combining them, or neither.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.analysis.ensembling.ensembling import gram, optimal_weights, orthogonal_loss
from minilotto.analysis.ensembling.joining import check_weight
from minilotto.analysis.ensembling.synergy import (
    WEIGHED,
    combined,
    drawn_pairs,
    pair_weights,
    weighted_medians,
)
from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate, check_bootstrap, ends
from minilotto.errors import DataError
from minilotto.settings.arrays import Array

STEPS = {
    "averaging": ("one", "average"),
    "combination": ("average", "free weights"),
    "neither": ("free weights", "wide"),
}


@dataclass(frozen=True, eq=False)
class Attribution:
    """The gain from one net of width N / 2 to one of width N, in decades of median loss: gain =
    averaging + combination + neither.

    averaging: from one narrow net to the mean of two; combination: on to a1 f1 + a2 f2 + constant
    with the best of the three, of which `balanced` is what the best a f1 + (1 - a) f2 gains;
    neither: on to the wide net, below zero where two narrow nets so combined do better. shares:
    each part over the gain, None where the gain's interval reaches zero. expected: the same parts
    by Eq. 9 for the same nets. positive: part of the pairs whose best a and 1 - a are both above 0,
    so that they average; size: the median of |a| + |1 - a|, which is 1 for an average and large
    where two nets are subtracted.
    """

    gain: Estimate
    averaging: Estimate
    combination: Estimate
    balanced: Estimate
    neither: Estimate
    shares: Mapping[str, Estimate] | None
    expected: Mapping[str, float]
    positive: Estimate
    size: Estimate

    def part(self, name: str) -> Estimate:
        """One of STEPS."""
        return {
            "averaging": self.averaging,
            "combination": self.combination,
            "neither": self.neither,
        }[name]


def attribute(
    outputs: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike,
    wider: ArrayLike,
    *,
    draws: int = 2000,
    level: float = 0.9,
    resamples: int = 1000,
    seed: int = 0,
) -> Attribution:
    """Parts the ratio of median losses of nets of width N / 2 and N, by pairs of narrow nets.

    gain = log10 m(L1) - log10 m(L); averaging = log10 m(L1) - log10 m(|(e1 + e2) / 2|^2); and so
    on, m being medians over nets or pairs of `drawn_pairs`. Eq. 9 expects (L1 + L2) / 4 of the
    mean, for orthogonal errors, and (1 / L1 + 1 / L2)^-1 of the best combination and of the wide
    net. Intervals: nets are weighted at random, all stages by the same draws (see
    `synergy.compare`).

    outputs (R, P): narrow.predict(narrow.data.x); y, weight (P,) of that data; wider (R',): losses
    of the wide nets. Nets that are not finite are left out. Raises DataError for shapes that do not
    match, losses of 0 and fewer than LEAST_SEEDS nets. Paper: figure 4, Eq. 5 to 9. Differs: the
    paper compares with Eq. 9's value alone; here real nets are combined.

    >>> random = np.random.default_rng(0)
    >>> y, errors = np.linspace(0, 1, 200), random.normal(size=(200, 200))  # orthogonal ones
    >>> found = attribute(y + errors, y, np.full(200, 1 / 200), (errors**2).mean(axis=1) / 2)
    >>> bool(abs(found.shares["averaging"].value - 1) < 0.1), bool(found.positive.value > 0.9)
    (True, True)
    """
    check_bootstrap(level, resamples)
    f, target, measure, wide = _checked(outputs, y, weight, wider)
    errors = f - target
    loss = errors**2 @ measure
    pairs = drawn_pairs(len(f), draws, seed)
    first, second = loss[pairs[:, 0]], loss[pairs[:, 1]]
    best = optimal_weights(
        gram(np.stack([errors[pairs[:, 0]], errors[pairs[:, 1]]], axis=1), measure)
    )
    values: dict[str, Array] = {
        "one": np.concatenate([first, second]),
        **combined(f, target, measure, pairs),
        "expected average": (first + second) / 4,
        "expected": orthogonal_loss(loss[pairs]),
        "wide": wide,
        "size": np.abs(best).sum(axis=1),
    }
    if not all((column > 0).all() for column in values.values()):
        raise DataError("some losses are 0 and have no logarithm; leave those nets out")
    positive = np.all(best >= 0, axis=1).astype(np.float64)
    drawn, averaging = _resampled(values, positive, pairs, resamples, np.random.default_rng(seed))
    middle = {
        name: float(np.log10(np.median(loss if name == "one" else column)))
        for name, column in values.items()
    }

    def down(start: str, end: str) -> Estimate:
        return _estimate(middle[start] - middle[end], drawn[start] - drawn[end], level)

    gain = down("one", "wide")
    parts = {name: down(*step) for name, step in STEPS.items()}
    shares = None
    if gain.low > 0:
        whole = drawn["one"] - drawn["wide"]
        columns = {
            name: (drawn[start] - drawn[end]) / whole for name, (start, end) in STEPS.items()
        }
        shares = {
            name: _estimate(parts[name].value / gain.value, column, level)
            for name, column in columns.items()
        }
    return Attribution(
        gain=gain,
        balanced=down("average", "sum to one"),
        shares=shares,
        expected={
            "gain": middle["one"] - middle["expected"],
            "averaging": middle["one"] - middle["expected average"],
            "combination": middle["expected average"] - middle["expected"],
            "neither": 0.0,
        },
        positive=_estimate(float(positive.mean()), averaging, level),
        size=_estimate(10 ** middle["size"], 10 ** drawn["size"], level),
        **parts,
    )


def _checked(
    outputs: ArrayLike, y: ArrayLike, weight: ArrayLike, wider: ArrayLike
) -> tuple[Array, Array, Array, Array]:
    """Finite outputs (R, P), target and weight (P,), finite losses (R',). Raises DataError."""
    f, target, measure = (np.asarray(given, dtype=np.float64) for given in (outputs, y, weight))
    if f.ndim != 2 or target.shape != f.shape[1:] or measure.shape != target.shape:
        raise DataError(
            f"outputs {f.shape}, y {target.shape}, weight {measure.shape} do not match; give (R, "
            "P), (P,) and (P,)"
        )
    check_weight(measure)
    f, wide = f[np.isfinite(f).all(axis=1)], np.asarray(wider, dtype=np.float64).ravel()
    wide = wide[np.isfinite(wide)]
    if min(len(f), len(wide)) < LEAST_SEEDS:
        raise DataError(
            f"{len(f)} narrow and {len(wide)} wide nets are finite; at least {LEAST_SEEDS} of "
            "each are needed: train more seeds"
        )
    return f, target, measure, wide


def _resampled(
    values: Mapping[str, Array],
    positive: Array,
    pairs: NDArray[np.intp],
    resamples: int,
    random: np.random.Generator,
) -> tuple[dict[str, Array], Array]:
    """log10 of each stage's median (B,) in resamples that all stages share, and the part of the
    pairs (B,) that is positive.
    """
    orders = {name: np.argsort(column) for name, column in values.items()}
    rows: dict[str, list[Array]] = {name: [] for name in values}
    averaging = []
    step = max(1, WEIGHED // (2 * len(pairs)))
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        one = pair_weights(pairs, count, random)
        two = random.standard_exponential((count, len(values["wide"])))
        for name, column in values.items():
            weights = (
                np.concatenate([one, one], axis=1)
                if name == "one"
                else two
                if name == "wide"
                else one
            )
            weights = weights[:, orders[name]] / weights.sum(axis=1, keepdims=True)
            rows[name].append(np.log10(weighted_medians(column[orders[name]], weights)))
        averaging.append(one @ positive / one.sum(axis=1))
    return {name: np.concatenate(parts) for name, parts in rows.items()}, np.concatenate(averaging)


def _estimate(value: float, replicates: Array, level: float) -> Estimate:
    low, high = np.quantile(replicates, ends(level))
    return Estimate(value, float(low), float(high), level)
