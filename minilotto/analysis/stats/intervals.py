"""Intervals of a fitted law's parameters: Student's, from the scatter of widths about the law."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from scipy.stats import t as student

from minilotto.analysis.stats.bootstrap import Estimate, ends
from minilotto.analysis.stats.laws import Law
from minilotto.settings.arrays import Array

LEAST_VARIANCE = 1e-200  # of residuals that vanish


def evened(variance: Array) -> Array:
    """Variances moved halfway, in logarithms, to their geometric mean.

    A bootstrap of some ten or hundred seeds errs by a third in each width's error, and by more
    where losses are heavy-tailed; weights that follow it freely would choose the widths that seem
    certain by chance, and the interval of a fit would be too narrow. Equal weights would be wrong
    where errors differ truly. Halfway, neither matters much: `python -m bench.coverage`.

    Parameters
    ----------
    variance : (W,) ndarray of float64
        Above 0.

    Returns
    -------
    (W,) ndarray of float64
    """
    return np.asarray(np.sqrt(variance * np.exp(np.log(variance).mean())))


def residual_variance(law: Law, parameters: Array, x: Array, y: Array, total: Array) -> Array:
    """Variance of log loss at each width, as large as its residuals about the fitted law say.

    total_i sum_j (r_j^2 / total_j) / (W - k): seeds and the widths' own scatter decide how it
    differs between widths, the residuals how large it is.

    Parameters
    ----------
    law : Law
    parameters : (k,) ndarray of float64
        The fitted ones.
    x, y : (W,) ndarray of float64
        Logarithms of width and loss.
    total : (W,) ndarray of float64
        Variance from seeds and misfit; 1 / weight of the fit.

    Returns
    -------
    (W,) ndarray of float64
    """
    rest = y - law.log_loss(parameters[None], x)[0]
    return np.asarray(total * np.sum(rest**2 / total) / (len(x) - len(law.parameters)))


def student_draws(variance: Array, freedom: int, count: int, seed: int) -> Array:
    """Deviations of log loss to add to a fitted law, their variance as uncertain as residuals are.

    Normal with variance times freedom / chi^2: the interval of a linear fit to them is Student's.

    Parameters
    ----------
    variance : (W,) ndarray of float64
        From `residual_variance`.
    freedom : int
        W - k.
    count, seed : int
        How many draws B, and of which sequence.

    Returns
    -------
    (B, W) ndarray of float64
    """
    random = np.random.default_rng((seed, 1))
    spread = np.sqrt(variance * freedom / random.chisquare(freedom, (count, 1)))
    return np.asarray(spread * random.normal(size=spread.shape))


def of_line(parameters: Array, x: Array, variance: Array, level: float) -> Mapping[str, Estimate]:
    """Amplitude and exponent of a power law with Student's intervals of W - 2 degrees of freedom.

    Parameters
    ----------
    parameters : (2,) ndarray of float64
    x : (W,) ndarray of float64
        Logarithms of width.
    variance : (W,) ndarray of float64
        From `residual_variance`.
    level : float in (0, 1)

    Returns
    -------
    mapping of str to Estimate
    """
    weight = 1 / np.maximum(variance, LEAST_VARIANCE)
    middle = float(weight @ x / weight.sum())
    steepness = 1 / float(weight @ (x - middle) ** 2)
    quantile = student.ppf(ends(level)[1], len(x) - 2)
    reach = float(quantile * np.sqrt(steepness))
    with np.errstate(over="ignore"):  # as in laws, an amplitude may have any size
        factor = float(np.exp(quantile * np.sqrt(1 / weight.sum() + middle**2 * steepness)))
    amplitude, exponent = parameters.tolist()
    return MappingProxyType(
        {
            "amplitude": Estimate(amplitude, amplitude / factor, amplitude * factor, level),
            "exponent": Estimate(exponent, exponent - reach, exponent + reach, level, len(x) - 2),
        }
    )


def of_replicates(
    law: Law, parameters: Array, replicates: Array, level: float
) -> Mapping[str, Estimate]:
    """A law's parameters with intervals between quantiles of replicates.

    Parameters
    ----------
    law : Law
    parameters : (k,) ndarray of float64
    replicates : (B, k) ndarray of float64
    level : float in (0, 1)

    Returns
    -------
    mapping of str to Estimate
    """
    with np.errstate(invalid="ignore"):  # an amplitude that is infinite in some replicates
        low, high = np.quantile(replicates, ends(level), axis=0)
    rows = zip(law.parameters, parameters.tolist(), low.tolist(), high.tolist(), strict=True)
    return MappingProxyType({name: Estimate(v, a, b, level) for name, v, a, b in rows})
