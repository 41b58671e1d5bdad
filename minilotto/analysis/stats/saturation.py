"""The training budget from which on a loss stops gaining by longer training."""

from dataclasses import dataclass

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate, Points, ends
from minilotto.errors import ConfigError, DataError
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown

LEAST_SPAN = 3.0  # least factor of budget that a gain is measured over; scatter hides less


@dataclass(frozen=True)
class Saturation(Shown):
    """The budget from which on longer training gains little, with its interval.

    Parameters
    ----------
    budget : Estimate
        One of the budgets trained; infinite where none of them is long enough.
    gaining : float
        Fraction of the bootstrap's replicates in which that is so.
    exponent, low, high : (C,) ndarray of float64
        -log(L_last / L_i) / log(T_last / T_i) of each budget that is LEAST_SPAN or more below the
        last, with its interval.
    slow : float
        The exponent below which a gain counts as little.
    """

    budget: Estimate
    gaining: float
    exponent: Array
    low: Array
    high: Array
    slow: float


def saturation(found: Points, gain: float = 1.5) -> Saturation:
    """The least budget T_i from which on ten times the steps divide the loss by less than `gain`.

    T* = min {T_i : log10(L_j / L_last) / log10(T_last / T_j) <= log10(gain) for all j >= i with
    T_last / T_j >= LEAST_SPAN}. It is infinite where the loss still gains more than that, and T_1
    where it never did: then it saturates at T_1 or before. No model of the curve is assumed, and
    nothing is said of budgets beyond the last.

    Parameters
    ----------
    found : Points
        Statistic of loss at budgets T_1 < ... < T_last, as from `bootstrap.points` with budgets in
        place of widths; its replicates make the interval.
    gain : float
        Above 1.

    Returns
    -------
    Saturation

    Raises
    ------
    ConfigError
        For a gain not above 1.
    DataError
        For budgets that span less than LEAST_SPAN.

    Examples
    --------
    >>> from minilotto.analysis.stats.bootstrap import points
    >>> one = np.geomspace(1, 1.1, 51)
    >>> found = saturation(points([1e3, 1e4, 1e5, 1e6], [100 * one, 10 * one, one, one]))
    >>> found.budget.value, found.gaining
    (100000.0, 0.0)
    """
    if not gain > 1:
        raise ConfigError(f"gain={gain!r} is out of range; give a factor above 1")
    budgets = found.widths
    earlier = budgets <= budgets[-1] / LEAST_SPAN * (1 + 1e-12)
    if not earlier.any():
        raise DataError(
            f"budgets {budgets.tolist()} span less than a factor of {LEAST_SPAN:g}; train a "
            "longer or a shorter one"
        )
    slow = float(np.log10(gain))
    reach = np.log(budgets[-1] / budgets[earlier])
    exponent = np.log(found.value[earlier] / found.value[-1]) / reach
    replicates = (found.replicates[:, : len(reach)] - found.replicates[:, -1:]) / reach
    at = _first(replicates, budgets, slow)
    below, above = np.quantile(at, ends(found.level), method="inverted_cdf")
    low, high = np.quantile(replicates, ends(found.level), axis=0)
    value = float(_first(exponent[None], budgets, slow)[0])
    return Saturation(
        Estimate(value, float(below), float(above), found.level),
        float(np.mean(np.isinf(at))),
        exponent,
        low,
        high,
        slow,
    )


def _first(exponent: Array, budgets: Array, slow: float) -> Array:
    """The budget (B,) from which on no exponent (B, C) is above `slow`; infinite where the last one
    is.
    """
    fast = exponent > slow
    last = exponent.shape[1] - 1 - np.argmax(fast[:, ::-1], axis=1)
    first = np.where(fast.any(axis=1), last + 1, 0)
    return np.where(first < exponent.shape[1], budgets[np.minimum(first, len(budgets) - 1)], np.inf)
