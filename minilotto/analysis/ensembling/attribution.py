"""Where the gain from width N / 2 to width N comes from: averaging, combining, or neither."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.analysis.ensembling.ensembling import gram, matched, optimal_weights, orthogonal_loss
from minilotto.analysis.ensembling.pairs import drawn_pairs, pair_weights, weighted_medians
from minilotto.analysis.ensembling.synergy import combined
from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate, check_bootstrap, estimate
from minilotto.errors import DataError
from minilotto.settings.arrays import Array, check_match, reals_of
from minilotto.settings.display import Shown

STEPS = {
    "averaging": ("one", "average"),
    "combination": ("average", "free weights"),
    "neither": ("free weights", "wide"),
}


@dataclass(frozen=True, eq=False)
class Attribution(Shown):
    """The gain from one net of width N / 2 to one of width N, in decades of median loss.

    Parameters
    ----------
    gain : Estimate
    parts : mapping of str to Estimate
        Terms of the gain, by STEPS: "averaging", from one narrow net to the mean of two;
        "combination", on to a1 f1 + a2 f2 + constant with the best of the three; "neither", on to
        the wide net, below zero where two narrow nets so combined do better.
    balanced : Estimate
        What the best a f1 + (1 - a) f2 gains of the combination.
    shares : mapping of str to Estimate, or None
        Each term over the gain, None where the gain's interval reaches zero.
    expected : mapping of str to float
        The same terms by Eq. 9 for the same nets.
    positive : Estimate
        Fraction of the pairs whose best a and 1 - a are both above 0, so that they average.
    size : Estimate
        Median of |a| + |1 - a|, which is 1 for an average and large where two nets are subtracted.
    """

    gain: Estimate
    parts: Mapping[str, Estimate]
    balanced: Estimate
    shares: Mapping[str, Estimate] | None
    expected: Mapping[str, float]
    positive: Estimate
    size: Estimate


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
    """Splits the ratio of median losses of nets of width N / 2 and N, by pairs of narrow nets.

    gain = log10 m(L1) - log10 m(L); averaging = log10 m(L1) - log10 m(|(e1 + e2) / 2|^2); and so
    on, m being medians over nets or pairs of `drawn_pairs`. Eq. 9 expects (L1 + L2) / 4 of the
    mean, for orthogonal errors, and (1 / L1 + 1 / L2)^-1 of the best combination and of the wide
    net. For the intervals nets are weighted at random, all stages by the same draws (see
    `pairs.compare`).

    Parameters
    ----------
    outputs : (R, P) array_like of float
        narrow.predict(narrow.data.x). Nets that are not finite are left out.
    y, weight : (P,) array_like of float
        Of that data.
    wider : (R',) array_like of float
        Losses of the wide nets.
    draws, level, resamples, seed
        As in `pairs.compare`.

    Returns
    -------
    Attribution

    Raises
    ------
    ConfigError
        As `compare` and `drawn_pairs`.
    DataError
        For shapes that do not match, losses of 0 and fewer than LEAST_SEEDS nets.

    References
    ----------
    Paper: figure 4, Eq. 5 to 9. Differs: the paper compares with Eq. 9's value alone; here real
    nets are combined.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> y, errors = np.linspace(0, 1, 200), random.normal(size=(200, 200))  # orthogonal ones
    >>> found = attribute(y + errors, y, np.full(200, 1 / 200), (errors**2).mean(axis=1) / 2)
    >>> bool(abs(found.shares["averaging"].value - 1) < 0.1), bool(found.positive.value > 0.9)
    (True, True)
    """
    check_bootstrap(level, resamples, seed)
    f, target, measure, wide = _checked(outputs, y, weight, wider)
    errors = f - target
    loss = errors**2 @ measure
    pairs = drawn_pairs(len(f), draws, seed)
    first, second = loss[pairs[:, 0]], loss[pairs[:, 1]]
    best = optimal_weights(gram(errors[pairs], measure))
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
        return estimate(middle[start] - middle[end], drawn[start] - drawn[end], level)

    gain = down("one", "wide")
    parts = {name: down(*step) for name, step in STEPS.items()}
    shares = None
    if gain.low > 0:
        whole = drawn["one"] - drawn["wide"]
        shares = {
            name: estimate(
                parts[name].value / gain.value, (drawn[start] - drawn[end]) / whole, level
            )
            for name, (start, end) in STEPS.items()
        }
    return Attribution(
        gain=gain,
        parts=parts,
        balanced=down("average", "sum to one"),
        shares=shares,
        expected={
            "gain": middle["one"] - middle["expected"],
            "averaging": middle["one"] - middle["expected average"],
            "combination": middle["expected average"] - middle["expected"],
            "neither": 0.0,
        },
        positive=estimate(float(positive.mean()), averaging, level),
        size=estimate(10 ** middle["size"], 10 ** drawn["size"], level),
    )


def _checked(
    outputs: ArrayLike, y: ArrayLike, weight: ArrayLike, wider: ArrayLike
) -> tuple[Array, Array, Array, Array]:
    """Finite outputs (R, P), target and weight (P,), finite losses (R',). Raises DataError."""
    f, measure = matched(outputs, weight)
    target = reals_of("y", y)
    check_match(target.shape == measure.shape, "(P,), (P,)", y=target, weight=measure)
    f, wide = f[np.isfinite(f).all(axis=1)], reals_of("wider", wider).ravel()
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
    """log10 of each stage's median (B,) in shared resamples, and the positive fraction (B,)."""
    rows: dict[str, list[Array]] = {name: [] for name in values}
    averaging = []
    for one in pair_weights(pairs, resamples, 2 * len(pairs), random):
        two = random.standard_exponential((len(one), len(values["wide"])))
        special = {"one": np.concatenate([one, one], axis=1), "wide": two}
        for name, column in values.items():
            rows[name].append(np.log10(weighted_medians(column, special.get(name, one))))
        averaging.append(one @ positive / one.sum(axis=1))
    return {name: np.concatenate(parts) for name, parts in rows.items()}, np.concatenate(averaging)
