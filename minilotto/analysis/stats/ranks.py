"""Rank correlation of two quantities."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import spearmanr

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.errors import DataError
from minilotto.settings.arrays import reals_of


def rank_correlation(one: ArrayLike, other: ArrayLike) -> Estimate:
    """Spearman's rank correlation with its 95% interval.

    tanh(artanh r +- 1.96 sqrt((1 + r^2 / 2) / (n - 3))).

    Parameters
    ----------
    one, other : (n,) array_like of float
        At least 4 values, finite and not all the same.

    Returns
    -------
    Estimate

    Raises
    ------
    DataError
        For other values, or where the two differ in length.

    References
    ----------
    Bonett and Wright 2000.

    Examples
    --------
    >>> found = rank_correlation(np.arange(5.0), np.array([0.0, 2.0, 1.0, 3.0, 4.0]))
    >>> round(found.value, 12), round(found.low, 2)
    (0.9, -0.17)
    """
    a, b = reals_of("one", one), reals_of("other", other)
    if a.ndim != 1 or a.shape != b.shape or len(a) < 4:
        raise DataError(
            f"values of shapes {a.shape} and {b.shape} have no rank correlation; give 4 or more "
            "pairs, shape (n,)"
        )
    if not all(np.isfinite(each).all() and np.ptp(each) > 0 for each in (a, b)):
        raise DataError(
            "values that are all the same, NaN or infinite have no rank correlation; leave them out"
        )
    value = float(spearmanr(a, b).statistic)
    bounded = float(np.clip(value, -1 + 1e-12, 1 - 1e-12))
    reach = 1.959964 * np.sqrt((1 + bounded**2 / 2) / (len(a) - 3))
    low, high = np.tanh(np.arctanh(bounded) + np.array([-reach, reach])).tolist()
    return Estimate(value, min(low, value), max(high, value), 0.95)
