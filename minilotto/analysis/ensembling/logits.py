"""Nets that tell two classes apart, taken together: their mean logit or their mean probability, and
what that is worth.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate, ends, resampled_means
from minilotto.errors import ConfigError, DataError
from minilotto.settings.arrays import Array

WAYS = ("logits", "probabilities")
RESAMPLES = 1000


def cross_entropy(logits: ArrayLike, y: ArrayLike, weight: ArrayLike) -> Array:
    """The logistic loss sum_p weight_p (log(1 + e^f_p) - y_p f_p) of logits (..., P): (...).

    y (P,) are labels of 0 and 1, weight (P,) sums to one. Raises DataError for shapes that do not
    match, or other labels.

    >>> round(float(cross_entropy([0.0, 0.0], [0.0, 1.0], [0.5, 0.5])), 12)
    0.69314718056
    """
    f, label, share = _checked(logits, y, weight)
    return np.logaddexp(0.0, (1 - 2 * label) * f) @ share


def error_rate(logits: ArrayLike, y: ArrayLike, weight: ArrayLike) -> Array:
    """The weight of the points at which f > 0 and the label 1 do not go together: (...). Parameters
    as in `cross_entropy`.

    >>> float(error_rate([-1.0, 2.0, 3.0], [0.0, 1.0, 0.0], [0.5, 0.25, 0.25]))
    0.25
    """
    f, label, share = _checked(logits, y, weight)
    return ((f > 0) != (label == 1)) @ share


def misses(logits: ArrayLike, y: ArrayLike) -> Array:
    """Residual functions sigmoid(f) - y, the slope of the logistic loss in f, with all digits:
    (..., P).

    >>> [f"{miss:.3g}" for miss in misses([0.0, 50.0], [0.0, 1.0])]
    ['0.5', '-1.93e-22']
    """
    f, label = np.asarray(logits, dtype=np.float64), np.asarray(y, dtype=np.float64)
    sign = 1 - 2 * label
    return sign * np.exp(-np.logaddexp(0.0, -sign * f))


def averaged(logits: ArrayLike, way: str) -> Array:
    """The logit of k nets together: (..., P) from logits (..., k, P).

    "logits": their mean; "probabilities": the logit of the mean of 1 / (1 + e^-f). Raises
    ConfigError for another way.

    >>> float(averaged([[1.0], [3.0]], "logits")[0]), float(averaged([[-2.0], [2.0]], "probabilities")[0])
    (2.0, 0.0)
    """
    f = np.asarray(logits, dtype=np.float64)
    if way == "logits":
        return f.mean(axis=-2)
    if way != "probabilities":
        raise ConfigError(f"way={way!r} is unknown; choose from {', '.join(WAYS)}")
    # log p and log (1 - p), none of which underflows.
    return np.logaddexp.reduce(-np.logaddexp(0.0, -f), axis=-2) - np.logaddexp.reduce(
        -np.logaddexp(0.0, f), axis=-2
    )


def groups(nets: int, members: int, seed: int = 0) -> NDArray[np.intp]:
    """Nets to take together, as places (M, members) in groups that share no net.

    Raises DataError where these would be fewer than LEAST_SEEDS, too few to resample; ConfigError
    for fewer than two members.

    >>> groups(48, 4).shape
    (12, 4)
    """
    if members < 2:
        raise ConfigError(f"members={members} make no ensemble; give at least 2")
    if nets // members < LEAST_SEEDS:
        raise DataError(
            f"{nets} nets make {nets // members} ensembles of {members}; {LEAST_SEEDS} are "
            "needed: train more seeds"
        )
    order = np.random.default_rng(seed).permutation(nets)
    return order[: nets // members * members].reshape(-1, members)


def mean_estimate(values: ArrayLike, level: float, seed: int = 0) -> Estimate:
    """The mean of values (R,) with its interval by a bootstrap over them. Raises DataError for
    fewer than LEAST_SEEDS.

    >>> found = mean_estimate(np.linspace(0, 1, 101), 0.95)
    >>> round(found.value, 12), bool(0.43 < found.low < 0.46)
    (0.5, True)
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or len(x) < LEAST_SEEDS or not np.isfinite(x).all():
        raise DataError(
            f"values of shape {x.shape} must be finite and at least {LEAST_SEEDS}; leave out nets "
            "that diverged"
        )
    low, high = np.quantile(resampled_means(x, RESAMPLES, np.random.default_rng(seed)), ends(level))
    return Estimate(float(x.mean()), float(low), float(high), level)


def _checked(logits: ArrayLike, y: ArrayLike, weight: ArrayLike) -> tuple[Array, Array, Array]:
    f, label, share = (np.asarray(array, dtype=np.float64) for array in (logits, y, weight))
    if label.ndim != 1 or f.shape[-1:] != label.shape or share.shape != label.shape:
        raise DataError(
            f"logits {f.shape}, y {label.shape}, weight {share.shape} do not match; give (..., "
            "P), (P,), (P,)"
        )
    if not np.isin(label, (0.0, 1.0)).all():
        raise DataError("y holds other labels than 0 and 1")
    return f, label, share
