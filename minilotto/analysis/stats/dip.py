"""Hartigan and Hartigan's dip test of log10 loss."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minilotto.analysis.stats.modes import sorted_losses, unrounded
from minilotto.errors import imported
from minilotto.settings.display import Shown

LEAST_P = 1e-5  # diptest's table has ten of its million samples beyond it


@dataclass(frozen=True)
class Dip(Shown):
    """Hartigan and Hartigan's dip of log10 loss.

    Parameters
    ----------
    dip : float
        The largest distance of the distribution function from the nearest unimodal one.
    p_value : float
        Chance of one as large from a uniform distribution, never below LEAST_P.
    bounded : bool
        Whether p_value is LEAST_P and stands for anything less.
    """

    dip: float
    p_value: float
    bounded: bool

    def __str__(self) -> str:
        return f"dip {self.dip:.3g}, p {'below' if self.bounded else '='} {self.p_value:.2g}"


def dip_test(loss: NDArray[np.float64]) -> Dip:
    """Dip of log10 loss, with its p-value.

    The p-value is interpolated in a table of a million simulated samples for each of many R. Ties
    among losses that are not rounded, a fraction s of all, may raise the dip by s / 2. Needs the
    extra `report`.

    Parameters
    ----------
    loss : (R,) ndarray of float64
        Losses that are zero or not finite are left out.

    Returns
    -------
    Dip

    Raises
    ------
    DataError
        For fewer than 30 losses or identical ones.
    MissingExtraError
        Without diptest.

    References
    ----------
    Paper: figure 3, judged visually. Differs: a test, and of log10 loss, whose dip is another one.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> two = np.concatenate([random.normal(-6, 0.5, 200), random.normal(-3, 0.5, 200)])
    >>> str(dip_test(10**two))
    'dip 0.101, p below 1e-05'
    """
    diptest = imported("diptest", "report")
    ordered = unrounded(sorted_losses(loss))
    with warnings.catch_warnings():
        # Beyond its table's last sample size the statistic has reached its limit.
        warnings.filterwarnings("ignore", message="Sample size exceeds")
        dip, p_value = diptest.diptest(ordered, sort_x=False)
    return Dip(float(dip), max(float(p_value), LEAST_P), bool(p_value < LEAST_P))
