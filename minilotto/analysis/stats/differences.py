"""Differences and ratios of two estimates, with intervals made of theirs."""

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.errors import ConfigError, DataError


def difference(one: Estimate, other: Estimate) -> Estimate:
    """one - other for independent estimates, by squares of the distances to their intervals' ends.

    low = d - sqrt((a - a_low)^2 + (b_high - b)^2), high = d + sqrt((a_high - a)^2 + (b - b_low)^2):
    for normal errors the usual interval, and one that leans where theirs lean. For estimates that
    vary together (the same seeds) it is too wide.

    Parameters
    ----------
    one, other : Estimate
        At one level.

    Returns
    -------
    Estimate

    Raises
    ------
    ConfigError
        For different levels.

    References
    ----------
    Zou and Donner 2008.

    Examples
    --------
    >>> difference(Estimate(2.0, 1.7, 2.3, 0.95), Estimate(1.0, 0.6, 1.4, 0.95))
    Estimate(value=1.0, low=0.5, high=1.5, level=0.95)
    """
    if one.level != other.level:
        raise ConfigError(
            f"levels {one.level} and {other.level} differ; make both estimates at one level"
        )
    value = one.value - other.value
    low = value - float(np.hypot(one.value - one.low, other.high - other.value))
    high = value + float(np.hypot(one.high - one.value, other.value - other.low))
    return Estimate(value, low, high, one.level, min(one.freedom, other.freedom))


def ratio(one: Estimate, other: Estimate) -> Estimate:
    """one / other for independent estimates above zero: the difference of their logarithms.

    Parameters
    ----------
    one, other : Estimate
        At one level, intervals above 0.

    Returns
    -------
    Estimate

    Raises
    ------
    ConfigError
        For different levels.
    DataError
        Where an end of an interval is not above zero.

    Examples
    --------
    >>> ratio(Estimate(2.0, 2.0, 2.0, 0.95), Estimate(1.0, 0.5, 4.0, 0.95))
    Estimate(value=2.0, low=0.5, high=4.0, level=0.95)
    """
    if min(one.low, other.low) <= 0:
        raise DataError(f"{one} over {other} has no logarithm; a ratio takes intervals above 0")
    return difference(one.mapped(np.log), other.mapped(np.log)).mapped(np.exp)
