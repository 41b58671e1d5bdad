"""Nets that classify into two classes, together: their mean logit or their mean probability."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate, estimate, resampled
from minilotto.errors import DataError
from minilotto.settings.arrays import Array, check_match, reals_of
from minilotto.settings.limits import check_choice, check_whole

__all__ = ["averaged", "cross_entropy", "error_rate", "misses"]

WAYS = ("logits", "probabilities")
RESAMPLES = 1000


def cross_entropy(logits: ArrayLike, y: ArrayLike, weight: ArrayLike) -> Array:
    """The logistic loss sum_p weight_p (log(1 + e^f_p) - y_p f_p).

    Parameters
    ----------
    logits : (..., P) array_like of float
    y : (P,) array_like
        Labels, 0 and 1.
    weight : (P,) array_like of float
        Of sum one.

    Returns
    -------
    (...) ndarray of float64

    Raises
    ------
    DataError
        For shapes that do not match, or other labels.

    Examples
    --------
    >>> round(float(cross_entropy([0.0, 0.0], [0.0, 1.0], [0.5, 0.5])), 12)
    0.69314718056
    """
    f, label, share = _checked(logits, y, weight)
    with np.errstate(invalid="ignore"):  # of a net that diverged
        return np.asarray(np.logaddexp(0.0, (1 - 2 * label) * f) @ share)


def error_rate(logits: ArrayLike, y: ArrayLike, weight: ArrayLike) -> Array:
    """The weight of the points at which f > 0 and the label 1 do not coincide.

    Parameters
    ----------
    logits, y, weight
        As in `cross_entropy`, whose exceptions it raises.

    Returns
    -------
    (...) ndarray of float64
        NaN where a logit is.

    Examples
    --------
    >>> float(error_rate([-1.0, 2.0, 3.0], [0.0, 1.0, 0.0], [0.5, 0.25, 0.25]))
    0.25
    """
    f, label, share = _checked(logits, y, weight)
    return np.where(np.isnan(f).any(axis=-1), np.nan, ((f > 0) != (label == 1)) @ share)


def misses(logits: ArrayLike, y: ArrayLike) -> Array:
    """Residual functions sigmoid(f) - y, the slope of the logistic loss in f, with all digits.

    Parameters
    ----------
    logits, y : (..., P), (P,) array_like
        As in `cross_entropy`, whose exceptions it raises.

    Returns
    -------
    (..., P) ndarray of float64

    Examples
    --------
    >>> [f"{miss:.3g}" for miss in misses([0.0, 50.0], [0.0, 1.0])]
    ['0.5', '-1.93e-22']
    """
    f, label, _ = _checked(logits, y, y)
    sign = 1 - 2 * label
    with np.errstate(invalid="ignore"):  # of a net that diverged
        return np.asarray(sign * np.exp(-np.logaddexp(0.0, -sign * f)))


def averaged(logits: ArrayLike, way: str) -> Array:
    """The logit of k nets together.

    Parameters
    ----------
    logits : (..., k, P) array_like of float
    way : {"logits", "probabilities"}
        Their mean, or the logit of the mean of 1 / (1 + e^-f).

    Returns
    -------
    (..., P) ndarray of float64

    Raises
    ------
    ConfigError
        For another way.
    DataError
        For another shape.

    Examples
    --------
    >>> float(averaged([[1.0], [3.0]], "logits")[0])
    2.0
    >>> float(averaged([[-2.0], [2.0]], "probabilities")[0])
    0.0
    """
    check_choice("way", way, WAYS)
    f = reals_of("logits", logits)
    check_match(f.ndim >= 2 and f.shape[-2] > 0, "(..., k, P)", logits=f)
    with np.errstate(invalid="ignore"):  # of nets that diverged
        if way == "logits":
            return np.asarray(f.mean(axis=-2))
        # log p and log (1 - p), none of which underflows.
        one, other = (np.logaddexp.reduce(-np.logaddexp(0.0, s * f), axis=-2) for s in (-1, 1))
        return np.asarray(one - other)


def groups(nets: int, members: int) -> NDArray[np.intp]:
    """Positions (M, members) of nets to combine, in at least LEAST_SEEDS groups that share none."""
    check_whole("members", members, 2)
    if nets // members < LEAST_SEEDS:
        raise DataError(
            f"{nets} nets make {nets // members} ensembles of {members}; {LEAST_SEEDS} are "
            "needed: train more seeds"
        )
    order = np.random.default_rng(0).permutation(nets)
    return order[: nets // members * members].reshape(-1, members)


def mean_estimate(values: ArrayLike, level: float, seed: int = 0) -> Estimate:
    """The mean of finite values, bootstrapped. Raises DataError for fewer than LEAST_SEEDS."""
    x = reals_of("values", values)
    if x.ndim != 1 or len(x) < LEAST_SEEDS or not np.isfinite(x).all():
        raise DataError(
            f"values of shape {x.shape} must be finite and at least {LEAST_SEEDS}; leave out nets "
            "that diverged"
        )
    random = np.random.default_rng(seed)
    drawn = resampled(lambda rows: rows.mean(axis=1), x, RESAMPLES, random)
    return estimate(float(x.mean()), drawn, level)


def _checked(logits: ArrayLike, y: ArrayLike, weight: ArrayLike) -> tuple[Array, Array, Array]:
    f, label, share = map(reals_of, ("logits", "y", "weight"), (logits, y, weight))
    match = label.ndim == 1 and f.shape[-1:] == label.shape == share.shape
    check_match(match, "(..., P), (P,), (P,)", logits=f, y=label, weight=share)
    if not np.isin(label, (0.0, 1.0)).all():
        raise DataError("y holds other labels than 0 and 1")
    return f, label, share
