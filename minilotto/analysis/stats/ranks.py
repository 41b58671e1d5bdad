"""Rank correlation of two quantities."""

import numpy as np
from scipy.stats import spearmanr

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.settings.arrays import Array


def rank_correlation(one: Array, other: Array) -> Estimate:
    """Spearman's rank correlation with its 95% interval.

    tanh(artanh r +- 1.96 sqrt((1 + r^2 / 2) / (n - 3))).

    Parameters
    ----------
    one, other : (n,) ndarray of float64
        At least 4 values.

    Returns
    -------
    Estimate

    References
    ----------
    Bonett and Wright 2000.

    Examples
    --------
    >>> found = rank_correlation(np.arange(5.0), np.array([0.0, 2.0, 1.0, 3.0, 4.0]))
    >>> round(found.value, 12), round(found.low, 2)
    (0.9, -0.17)
    """
    value = float(spearmanr(one, other).statistic)
    bounded = float(np.clip(value, -1 + 1e-12, 1 - 1e-12))
    reach = 1.959964 * np.sqrt((1 + bounded**2 / 2) / (len(one) - 3))
    low, high = np.tanh(np.arctanh(bounded) + np.array([-reach, reach]))
    return Estimate(value, float(low), float(high), 0.95)
