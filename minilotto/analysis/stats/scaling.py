"""How loss falls with width: power law, plateau and break, and which of them the widths support."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax
from scipy.stats import chi2
from scipy.stats import t as student

from minilotto.analysis.stats.bootstrap import Estimate, Points, ends
from minilotto.analysis.stats.laws import LAWS, POWER_LAW, Law, widths_of
from minilotto.errors import DataError
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.limits import check_choice

__all__ = ["Compared", "Fit", "compare_laws", "fit_law"]

LEAST_ERROR = 1e-6  # of a log loss: where most seeds tie, a bootstrap finds none
SCANNED = 16  # sizes of misfit that are tried at a time
LEAST_VARIANCE = 1e-200  # of residuals that vanish


@dataclass(frozen=True)
class Fit(Shown):
    """One law fitted to a statistic of loss at W widths.

    Parameters
    ----------
    law : str
        A key of LAWS.
    points : Points
    estimates : mapping of str to Estimate
        The law's parameters. Their intervals include the widths' own scatter about the law beside
        that of seeds, and are Student's of W - k degrees of freedom.
    seeds_only : mapping of str to Estimate
        The same with intervals over seeds alone, which hold only where the law is exact.
    misfit : float
        The widths' own scatter, a standard deviation in decades (0: seeds explain it all).
    p_value : float
        Of the law's being exact, so that only seeds scatter.
    aicc : float or None
        None for fewer widths than it needs.
    held_out : (W,) ndarray of float64 or None
        Decades by which each width lies above what the others predict; None where they are too few.
    parameters : (k,) ndarray of float64
    """

    law: str
    points: Points
    estimates: Mapping[str, Estimate]
    seeds_only: Mapping[str, Estimate]
    misfit: float
    p_value: float
    aicc: float | None
    held_out: Array | None
    parameters: Array

    @property
    def held_out_error(self) -> float | None:
        """Root mean square of held_out, in decades."""
        return None if self.held_out is None else float(np.sqrt(np.mean(self.held_out**2)))

    def predict(self, widths: ArrayLike) -> Array:
        """The fitted loss.

        Parameters
        ----------
        widths : (V,) array_like of float
            Above 0.

        Returns
        -------
        (V,) ndarray of float64
        """
        log_loss = LAWS[self.law].log_loss(self.parameters[None], np.log(widths_of(widths)))
        return np.asarray(np.exp(log_loss[0]))


@dataclass(frozen=True)
class Compared(Shown):
    """One law among others.

    Parameters
    ----------
    law : str
        A key of LAWS.
    fit : Fit or None
        None where the law could not be fitted.
    weight : float or None
        Its Akaike weight, from 0 to 1; None for a law without AICc, or where no other has one.
    note : str
        Why there is no fit.
    """

    law: str
    fit: Fit | None
    weight: float | None
    note: str


def fit_law(points: Points, law: str = "power law") -> Fit:
    """A law fitted to log loss by weighted least squares, with Student's intervals.

    log L_i = law(N_i) + d_i + e_i, Var e_i = s_i^2 (seeds: `evened` error_i^2), Var d_i = tau^2
    (misfit, by maximum likelihood). weight_i = 1 / (s_i^2 + tau^2), q = sum_i weight_i r_i^2 /
    (W - k). A power law's interval is value +- t sqrt(q C), C from the inverse of the normal
    matrix, t of W - k degrees of freedom; other laws are fitted to draws that scatter alike.

    Parameters
    ----------
    points : Points
        From `bootstrap.points`.
    law : {"power law", "plateau", "broken power law"}

    Returns
    -------
    Fit

    Raises
    ------
    ConfigError
        For an unknown law.
    DataError
        For fewer than 3 widths (power law), 4 (plateau) or 5 (break).

    References
    ----------
    Paper: figure 1c, which fits nothing. Intervals: Knapp and Hartung 2003.

    Examples
    --------
    >>> from minilotto.analysis.stats.bootstrap import points
    >>> draws = np.random.default_rng(1).lognormal(sigma=0.5, size=(5, 200))
    >>> widths = np.array([2, 4, 8, 16, 32])
    >>> found = fit_law(points(widths, list(draws / widths[:, None])))
    >>> bool(found.estimates["exponent"].low < 1 < found.estimates["exponent"].high)
    True
    """
    check_choice("law", law, LAWS)
    chosen = LAWS[law]
    if len(points.widths) < chosen.least_widths:
        raise DataError(f"{_too_few(chosen, len(points.widths))}; train more widths")
    x, y = np.log(points.widths), np.log(points.value)
    variance = np.maximum(points.error, LEAST_ERROR) ** 2
    tau, likelihood = fitted_misfit(chosen, x, y, variance)
    total = evened(variance) + tau**2
    weight = 1 / total[None]
    parameters = chosen.solve(x, y[None], weight)[0]
    scatter = residual_variance(chosen, parameters, x, y, total)
    freedom, count = len(x) - len(chosen.parameters), len(points.replicates)
    if chosen is POWER_LAW:
        estimates = of_line(parameters, x, scatter, points.level)
    else:
        drawn = chosen.log_loss(parameters[None], x) + student_draws(scatter, freedom, count)
        # With one or two degrees of freedom amplitudes may overflow; their quantiles do not.
        with np.errstate(over="ignore", invalid="ignore"):
            replicates = chosen.solve(x, drawn, weight)
        estimates = of_replicates(chosen, parameters, replicates, points.level)
    by_seeds = chosen.solve(x, points.replicates, weight)
    exact = chosen.solve(x, y[None], 1 / variance[None])
    chi_square = float(np.sum((y - chosen.log_loss(exact, x)[0]) ** 2 / variance))
    return Fit(
        chosen.name,
        points,
        estimates=estimates,
        seeds_only=of_replicates(chosen, parameters, by_seeds, points.level),
        misfit=float(tau / np.log(10)),
        p_value=float(chi2.sf(chi_square, freedom)),
        aicc=corrected_aic(likelihood, len(chosen.parameters) + 1, len(x)),
        held_out=_held_out(chosen, x, y, weight),
        parameters=parameters,
    )


def power_law_over(points: Points | None, low: float, high: float = np.inf) -> Fit | None:
    """`fit_law` over a range of widths; None for fewer than three of them, and for no points."""
    if points is None:
        return None
    inside = points.select((points.widths >= low) & (points.widths <= high))
    return fit_law(inside) if len(inside.widths) >= POWER_LAW.least_widths else None


def compare_laws(points: Points) -> tuple[Compared, ...]:
    """Every law fitted to the same points, compared by AICc and by widths held out.

    weight_m = exp(-delta_m / 2) / sum exp(-delta / 2), over the laws with widths enough for AICc
    (`corrected_aic`); the others keep their row with a note that says how many they need.

    Parameters
    ----------
    points : Points

    Returns
    -------
    tuple of Compared
        In the order of LAWS.

    Raises
    ------
    DataError
        For fewer than 3 widths, which test nothing.

    Examples
    --------
    >>> from minilotto.analysis.stats.bootstrap import points
    >>> draws = np.random.default_rng(1).lognormal(sigma=0.5, size=(5, 200))
    >>> found = compare_laws(points([1, 2, 4, 8, 16], list(draws)))
    >>> found[2].note
    'AICc needs 12 widths for broken power law, there are 5'
    """
    count = len(points.widths)
    least = min(law.least_widths for law in LAWS.values())
    if count < least:
        raise DataError(
            f"{count} widths are too few to compare laws; at least {least} are needed: train more "
            "widths"
        )
    usable = [law.name for law in LAWS.values() if count >= law.least_widths]
    fits = {name: fit_law(points, name) for name in usable}
    aicc = {name: fit.aicc for name, fit in fits.items() if fit.aicc is not None}
    weight = {}
    if len(aicc) > 1:  # the least of one number says nothing
        shares = softmax([-value / 2 for value in aicc.values()]).tolist()
        weight = dict(zip(aicc, shares, strict=True))
    rows = []
    for law in LAWS.values():
        note = ""
        if law.name not in fits:
            note = f"not testable: {_too_few(law, count)}"
        elif law.name not in aicc:
            need = 2 * len(law.parameters) + 4
            note = f"AICc needs {need} widths for {law.name}, there are {count}"
        rows.append(Compared(law.name, fits.get(law.name), weight.get(law.name), note))
    return tuple(rows)


def _too_few(law: Law, count: int) -> str:
    return (
        f"{count} widths cannot test a {law.name} ({len(law.parameters)} parameters); at least "
        f"{law.least_widths} are needed"
    )


def _held_out(law: Law, x: Array, y: Array, weight: Array) -> Array | None:
    """log10 of measured over predicted (W,), each width predicted from the others."""
    if len(x) - 1 < law.least_widths:
        return None
    result: Array = np.empty_like(x)
    for i in range(len(x)):
        others = np.arange(len(x)) != i
        parameters = law.solve(x[others], y[None, others], weight[:, others])
        result[i] = y[i] - law.log_loss(parameters, x[i : i + 1])[0, 0]
    return np.asarray(result / np.log(10))


def fitted_misfit(law: Law, x: Array, y: Array, variance: Array) -> tuple[float, float]:
    """Scatter tau of log loss y about a law beyond that of seeds, by maximum likelihood; and the
    logarithm of the likelihood there.

    Why not weights 1 / error^2 alone: with 1000 seeds a median is known to some percent and no
    simple law is true to that, so one width of little error would determine the fit, and
    differences of chi-square in the hundreds would declare one wrong law certain over another. With
    tau, many seeds give the widths equal weight (ordinary least squares), and few seeds give more
    to those with little error; the likelihood then measures how far the law misses the widths.
    """

    def log_likelihood(tau: Array) -> Array:
        total = variance + tau[:, None] ** 2
        many = np.broadcast_to(y, total.shape)
        rest = many - law.log_loss(law.solve(x, many, 1 / total), x)
        return np.asarray(-0.5 * np.sum(rest**2 / total + np.log(2 * np.pi * total), axis=1))

    # It may have two maxima, so grids are searched, three times finer: to about a percent of tau.
    low, high = 1e-2 * np.sqrt(variance.min()), max(float(np.ptp(y)), 1e-3)
    for _ in range(3):
        grid = np.geomspace(low, high, SCANNED)
        found = log_likelihood(grid)
        at = int(np.argmax(found))
        low, high = grid[max(at - 1, 0)], grid[min(at + 1, SCANNED - 1)]
    none = log_likelihood(np.zeros(1))[0]
    return (float(grid[at]), float(found[at])) if found[at] > none else (0.0, float(none))


def corrected_aic(likelihood: float, parameters: int, widths: int) -> float | None:
    """-2 log L + 2 k + 2 k (k + 1) / (n - k - 1), n = W and k with tau; None for fewer than 2 k + 2
    widths.

    n counts widths, however many seeds each has: more seeds at the same widths say nothing of a law
    between and beyond them. With fewer than 2 k + 2 the correction exceeds the penalty that it
    corrects, and decides by itself: of seven widths from 10 to 50 every break, however large, is
    called a power law.
    """
    if widths < 2 * parameters + 2:
        return None
    correction = 2 * parameters * (parameters + 1) / (widths - parameters - 1)
    return -2 * likelihood + 2 * parameters + correction


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
    freedom = len(x) - 2
    quantile = student.ppf(ends(level)[1], freedom)
    reach = float(quantile * np.sqrt(steepness))
    with np.errstate(over="ignore"):  # as in laws, an amplitude may have any size
        factor = float(np.exp(quantile * np.sqrt(1 / weight.sum() + middle**2 * steepness)))
    amplitude, exponent = parameters.tolist()
    return MappingProxyType(
        {
            "amplitude": Estimate(
                amplitude, amplitude / factor, amplitude * factor, level, freedom
            ),
            "exponent": Estimate(exponent, exponent - reach, exponent + reach, level, freedom),
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
