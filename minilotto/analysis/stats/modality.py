"""The shape of log10 loss: unimodal or not, normal or not, and how both change with width."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import iqr, kurtosis, normaltest, skew

from minilotto.analysis.stats.bootstrap import (
    Points,
    at_each_width,
    check_bootstrap,
    finite_losses,
    resampled,
)
from minilotto.analysis.stats.modes import Modes, modes, sorted_losses, unrounded
from minilotto.analysis.stats.scaling import Fit, fit_law
from minilotto.errors import DataError, MissingExtraError, imported
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.limits import check_choice

FEW_WIDTHS = 10  # from which width on the paper sees single peaks
LEAST_P = 1e-5  # diptest's table has ten of its million samples beyond it
LEAST_NORMAL_P = 1e-16  # far beyond what its approximation is good for
QUARTILES = 2 * float(ndtri(0.75))  # their distance in standard deviations of a normal distribution
SPREADS: dict[str, Callable[[Array], Array]] = {  # of rows
    "deviation": lambda rows: rows.std(axis=1, ddof=1),
    "quartiles": lambda rows: iqr(rows, axis=1) / QUARTILES,
}


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


@dataclass(frozen=True)
class Normality(Shown):
    """How far log10 loss of R seeds is from normal.

    Parameters
    ----------
    deviation : float
        In decades.
    skewness, skewness_error : float
        G1 and its bootstrap standard error.
    kurtosis, kurtosis_error : float
        G2, the excess over a normal distribution's, and its bootstrap standard error.
    p_value : float
        D'Agostino and Pearson's, of both together, no less than LEAST_NORMAL_P.
    """

    deviation: float
    skewness: float
    skewness_error: float
    kurtosis: float
    kurtosis_error: float
    p_value: float


@dataclass(frozen=True)
class Shape(Shown):
    """The tests of one width; what could not be tested is None.

    Parameters
    ----------
    width : float
    seeds : int
        Finite losses.
    dip : Dip or None
    modes : Modes or None
    normality : Normality or None
    note : str
        Why a test is missing; "" where none is.
    """

    width: float
    seeds: int
    dip: Dip | None
    modes: Modes | None
    normality: Normality | None
    note: str


@dataclass(frozen=True)
class CentralLimit(Shown):
    """Shapes width by width, the spread of log10 loss against width, and its fall with width.

    Parameters
    ----------
    shapes : tuple of Shape
    spread : Points or None
        None where no width can be used.
    narrowing : Fit or None
        A power law; its exponent is above 0 where the spread falls. An average of N independent
        parts would give 1/2. None where too few widths can be used.
    notes : tuple of str
        What cannot be used, and why.
    """

    shapes: tuple[Shape, ...]
    spread: Points | None
    narrowing: Fit | None
    notes: tuple[str, ...]


def normality(loss: NDArray[np.float64], *, resamples: int = 1000, seed: int = 0) -> Normality:
    """Skewness and kurtosis of log10 loss, tested against a normal distribution.

    Both moments are corrected for bias (G1 and G2).

    Parameters
    ----------
    loss : (R,) ndarray of float64
        Losses that are zero or not finite are left out.
    resamples, seed : int
        Of the bootstrap of both errors.

    Returns
    -------
    Normality

    Raises
    ------
    DataError
        For fewer than 30 losses or identical ones.
    ConfigError
        For fewer than 100 resamples, or a seed below 0.

    References
    ----------
    Paper: "central limit", said of figure 3 for N >= 10; no number is given.

    Examples
    --------
    >>> found = normality(np.random.default_rng(0).lognormal(size=500))
    >>> bool(found.p_value > 0.05), bool(abs(found.skewness) < 3 * found.skewness_error)
    (True, True)
    """
    check_bootstrap(0.9, resamples, seed)
    values = np.log10(sorted_losses(loss))
    # Standardised first: losses that differ in few digits would lose theirs in third and fourth
    # powers.
    standard = (values - values.mean()) / values.std()
    random = np.random.default_rng(seed)
    moments = resampled(_standard_moments, standard, resamples, random)
    # A resample of equal values has neither moment; of 30 values, that takes almost all tied.
    errors = np.nanstd(moments, axis=0, ddof=1)
    return Normality(
        deviation=float(values.std(ddof=1)),
        skewness=float(skew(standard, bias=False)),
        skewness_error=float(errors[0]),
        kurtosis=float(kurtosis(standard, bias=False)),
        kurtosis_error=float(errors[1]),
        p_value=max(float(normaltest(standard).pvalue), LEAST_NORMAL_P),
    )


def _standard_moments(rows: Array) -> Array:
    """Third and fourth standardised moments (B, 2) of rows (B, n); NaN for rows of equal values."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    square = centred * centred
    variance = square.mean(axis=1)
    variance[np.ptp(rows, axis=1) == 0] = np.nan
    third, fourth = (square * centred).mean(axis=1), (square * square).mean(axis=1)
    return np.stack([third / variance**1.5, fourth / variance**2], axis=1)


def spread(
    widths: ArrayLike,
    losses: Sequence[ArrayLike],
    statistic: str = "deviation",
    *,
    level: float = 0.9,
    resamples: int = 1000,
    seed: int = 0,
) -> Points:
    """Spread of log10 loss at each width, as points that laws can be fitted to.

    The bootstrap's intervals of a deviation are too narrow for few seeds: those of 95% hold that of
    a normal distribution in 76% of the cases with 10 seeds, 85% with 20, 90% with 50, 93% with 100.

    Parameters
    ----------
    widths, losses
        As in `bootstrap.points`.
    statistic : {"deviation", "quartiles"}
        The standard deviation in decades; or the distance of the quartiles over 1.349, which is the
        same for a normal distribution and not affected by single nets.
    level, resamples, seed
        As in `bootstrap.points`.

    Returns
    -------
    Points

    Raises
    ------
    ConfigError, DataError
        As `bootstrap.points`; DataError also where most losses of a width are identical.

    References
    ----------
    Paper: figure 3, where the histograms narrow with width.

    Examples
    --------
    >>> found = spread([1, 2], [np.geomspace(1, 100, 101), np.geomspace(1, 10, 101)])
    >>> round(float(found.value[0] / found.value[1]), 12)
    2.0
    """
    check_bootstrap(level, resamples, seed)
    check_choice("statistic", statistic, SPREADS)
    measure = SPREADS[statistic]

    def resample(loss: Array, random: np.random.Generator) -> tuple[float, Array]:
        exponent = np.log10(loss)
        value = float(measure(exponent[None])[0])
        return value, resampled(measure, exponent, resamples, random)

    return at_each_width(widths, losses, resample, statistic, level, seed)


def central_limit(
    widths: ArrayLike,
    losses: Sequence[ArrayLike],
    *,
    statistic: str = "deviation",
    level: float = 0.9,
) -> CentralLimit:
    """Whether log10 loss is single-peaked and normal at each width, and narrower with width.

    Each width gets a dip test, the number of peaks that is proven and a test of normality; a power
    law is fitted to the spread from FEW_WIDTHS on. What cannot be tested becomes a note instead of
    an error.

    Parameters
    ----------
    widths, losses, statistic, level
        As in `spread`.

    Returns
    -------
    CentralLimit

    Raises
    ------
    ConfigError
        As `spread`.
    DataError
        For widths that do not match the losses.

    References
    ----------
    Paper: figure 3, single-peaked for N >= 10.

    Examples
    --------
    >>> random, widths = np.random.default_rng(0), (10, 20, 40)
    >>> losses = [10 ** random.normal(-6, 1 / np.sqrt(n), 400) for n in widths]
    >>> found = central_limit(widths, losses)
    >>> [shape.modes.count for shape in found.shapes]
    [1, 1, 1]
    >>> bool(abs(found.narrowing.estimates["exponent"].value - 0.5) < 0.1)
    True
    """
    names, kept, _ = finite_losses(widths, losses)
    pairs = list(zip(names.tolist(), kept, strict=True))
    shapes = tuple(_shape(width, loss) for width, loss in pairs)
    notes = [f"width {shape.width:g}: {shape.note}" for shape in shapes if shape.note]
    usable = []
    for width, loss in pairs:
        if width < FEW_WIDTHS:
            continue
        try:
            spread([width], [loss], statistic, level=level, resamples=100)
            usable.append(width)
        except DataError as refusal:
            notes.append(f"spread: {refusal}")
    found = narrowing = None
    try:
        if not usable:
            raise DataError(f"no width of at least {FEW_WIDTHS} can be used")
        given = dict(zip(np.asarray(widths, dtype=np.float64).tolist(), losses, strict=True))
        chosen = [given[width] for width in usable]
        found = spread(usable, chosen, statistic, level=level)
        narrowing = fit_law(found)
    except DataError as refusal:
        notes.append(f"narrowing: {refusal}")
    return CentralLimit(shapes, found, narrowing, tuple(dict.fromkeys(notes)))


def _shape(width: float, loss: Array) -> Shape:
    """The tests of one width, or the reason why there are none."""
    try:
        dip, note = dip_test(loss), ""
    except (DataError, MissingExtraError) as refusal:
        dip, note = None, str(refusal)
    try:
        return Shape(width, len(loss), dip, modes(loss), normality(loss), note)
    except DataError as refusal:
        return Shape(width, len(loss), dip, None, None, str(refusal))
