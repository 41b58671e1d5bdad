"""Intervals of a fitted law's parameters: Student's, from the scatter of widths about the law."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from scipy.stats import t as student

from minilotto.analysis.stats.bootstrap import Estimate, ends
from minilotto.analysis.stats.laws import Law
from minilotto.settings.arrays import Array

__all__: list[str] = []

LEAST_VARIANCE = 1e-200  # of residuals that vanish


def evened(variance: Array) -> Array:
    """Variances (W,) moved halfway, in logarithms, to their geometric mean.

    A bootstrap of some ten or hundred seeds errs by a third in each width's error, and by more
    where losses are heavy-tailed; weights that follow it freely would choose the widths that seem
    certain by chance, and the interval of a fit would be too narrow. Equal weights would be wrong
    where errors differ truly. Halfway, neither matters much: `python -m bench.coverage`.
    """
    return np.asarray(np.sqrt(variance * np.exp(np.log(variance).mean())))


def residual_variance(law: Law, parameters: Array, x: Array, y: Array, total: Array) -> Array:
    """Variance (W,) of log loss y, total_i sum_j (r_j^2 / total_j) / (W - k): seeds and the widths'
    own scatter (total, 1 / weight of the fit) decide how it differs between widths, the residuals r
    about the fitted law how large it is.
    """
    rest = y - law.log_loss(parameters[None], x)[0]
    return np.asarray(total * np.sum(rest**2 / total) / (len(x) - len(law.parameters)))


def student_draws(variance: Array, freedom: int, count: int) -> Array:
    """Deviations (count, W) of log loss, normal with the variance of `residual_variance` times
    freedom / chi^2: the interval of a linear fit to them is Student's.
    """
    random = np.random.default_rng((0, 1))
    spread = np.sqrt(variance * freedom / random.chisquare(freedom, (count, 1)))
    return np.asarray(spread * random.normal(size=spread.shape))


def of_line(parameters: Array, x: Array, variance: Array, level: float) -> Mapping[str, Estimate]:
    """Amplitude and exponent of a power law with Student's intervals, from log widths x."""
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
    """A law's parameters (k,) with intervals between quantiles of replicates (B, k)."""
    with np.errstate(invalid="ignore"):  # an amplitude that is infinite in some replicates
        low, high = np.quantile(replicates, ends(level), axis=0)
    rows = zip(law.parameters, parameters.tolist(), low.tolist(), high.tolist(), strict=True)
    return MappingProxyType({name: Estimate(v, a, b, level) for name, v, a, b in rows})
