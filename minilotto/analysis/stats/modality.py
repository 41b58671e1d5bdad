"""The shape of log10 loss: unimodal or not, normal or not, and how both change with width."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import kurtosis, normaltest, skew

from minilotto.analysis.stats.bootstrap import (
    LEAST_SEEDS,
    Array,
    Points,
    assembled,
    check_bootstrap,
    check_losses,
    finite_losses,
    resampled,
)
from minilotto.analysis.stats.modes import Modes, modes, sorted_losses, ties
from minilotto.analysis.stats.scaling import Fit, fit_law
from minilotto.errors import ConfigError, DataError, MissingExtraError, imported

# the last chance that the dip test's table resolves, with ten of its million samples beyond
LEAST_P = 1e-5
FEW_WIDTHS = 10  # from which width on the paper sees single peaks
LEAST_NORMAL_P = 1e-16  # far beyond what its approximation is good for
SPREADS = ("deviation", "quartiles")
QUARTILES = 2 * float(ndtri(0.75))  # their distance in standard deviations of a normal distribution


@dataclass(frozen=True)
class Dip:
    """Hartigan and Hartigan's dip of log10 loss, and the chance of one as large from a uniform
    distribution.

    p_value is never below LEAST_P; `bounded` says that it is that and stands for anything less.
    ties: losses that another one equals; a share of them of s may raise the dip by s / 2.
    """

    dip: float
    p_value: float
    bounded: bool
    seeds: int
    ties: int

    def __str__(self) -> str:
        return f"dip {self.dip:.3g}, p {'below' if self.bounded else '='} {self.p_value:.2g}"


@dataclass(frozen=True)
class Normality:
    """How far log10 loss of R seeds is from normal; mean and deviation in decades.

    kurtosis is the excess over a normal's; errors are bootstrap standard errors; p_value is
    D'Agostino and Pearson's, of both together, no less than LEAST_NORMAL_P. normal, values (R,):
    quantiles of the standard normal and sorted log10 losses, for a plot of one against the other.
    """

    seeds: int
    mean: float
    deviation: float
    skewness: float
    skewness_error: float
    kurtosis: float
    kurtosis_error: float
    p_value: float
    normal: Array
    values: Array


@dataclass(frozen=True)
class Shape:
    """The tests of one width; what could not be tested is None, and `note` says why."""

    width: float
    seeds: int
    dip: Dip | None
    modes: Modes | None
    normality: Normality | None
    note: str


@dataclass(frozen=True)
class CentralLimit:
    """Shapes width by width, the spread of log10 loss against width, and its fall as a power of
    width.

    narrowing's exponent is above 0 where the spread falls; an average of N independent parts would
    give 1/2. spread and narrowing are None where too few widths can be used; notes say which
    cannot, and why.
    """

    shapes: tuple[Shape, ...]
    spread: Points | None
    narrowing: Fit | None
    notes: tuple[str, ...]


def dip_test(loss: NDArray[np.float64]) -> Dip:
    """Dip of log10 loss (R,): the largest distance of its distribution function from the nearest
    unimodal one, with its p-value.

    The p-value is interpolated in a table of a million simulated samples for each of many R. Losses
    that are not finite or zero are left out. Needs the extra `report`.

    Raises DataError for fewer than 30 losses or identical ones, MissingExtraError without diptest.
    Paper: figure 3, judged by eye. Differs: a test, and of log10 loss, for the dip of the losses
    themselves is another one.

    >>> random = np.random.default_rng(0)
    >>> str(dip_test(10 ** np.concatenate([random.normal(-6, 0.5, 200), random.normal(-3, 0.5, 200)])))
    'dip 0.101, p below 1e-05'
    """
    diptest = imported("diptest", "report")
    kept = sorted_losses(loss)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Sample size exceeds"
        )  # its table then serves as the limit that it has reached
        dip, p_value = diptest.diptest(np.log10(kept), sort_x=False)
    return Dip(
        dip=float(dip),
        p_value=max(float(p_value), LEAST_P),
        bounded=bool(p_value < LEAST_P),
        seeds=len(kept),
        ties=ties(kept),
    )


def normality(loss: NDArray[np.float64], *, resamples: int = 1000, seed: int = 0) -> Normality:
    """Mean, deviation, skewness and excess kurtosis of log10 loss (R,), tested against those of a
    normal distribution.

    Both are corrected for bias (G1 and G2). Losses that are not finite or zero are left out.
    Quantiles for a plot stand at (i - 1/2) / R. Raises DataError for fewer than 30 losses or
    identical ones, ConfigError for fewer than 100 resamples. Paper: "central limit", said of figure
    3 for N >= 10; no number is given.

    >>> found = normality(np.random.default_rng(0).lognormal(size=500))
    >>> bool(found.p_value > 0.05), bool(abs(found.skewness) < 3 * found.skewness_error)
    (True, True)
    """
    check_bootstrap(0.9, resamples)
    values = np.log10(sorted_losses(loss))
    # Standardised first: losses that differ in few digits would lose theirs in third and fourth
    # powers.
    standard = (values - values.mean()) / values.std()
    random = np.random.default_rng(seed)
    moments = np.concatenate(
        [_standard_moments(rows) for rows in resampled(standard, resamples, random)]
    )
    # A resample of equal values has neither; with 30 values at least, it takes nearly all of them
    # tied.
    errors = np.nanstd(moments, axis=0, ddof=1)
    return Normality(
        seeds=len(values),
        mean=float(values.mean()),
        deviation=float(values.std(ddof=1)),
        skewness=float(skew(standard, bias=False)),
        skewness_error=float(errors[0]),
        kurtosis=float(kurtosis(standard, bias=False)),
        kurtosis_error=float(errors[1]),
        p_value=max(float(normaltest(standard).pvalue), LEAST_NORMAL_P),
        normal=ndtri((np.arange(len(values)) + 0.5) / len(values)),
        values=values,
    )


def _standard_moments(rows: Array) -> Array:
    """Third and fourth standardised moments (B, 2) of rows (B, n); NaN for a row of equal values."""
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
    """How wide the distribution of log10 loss is at each width, in decades, as points that laws can
    be fitted to.

    statistic: "deviation", the standard deviation; or "quartiles", their distance over 1.349, which
    is the same for a normal distribution and blind to stray nets. The rest is as in
    `bootstrap.points`, refusals included. Paper: figure 3, where the histograms narrow with width.

    >>> found = spread([1, 2], [np.geomspace(1, 100, 101), np.geomspace(1, 10, 101)])
    >>> round(float(found.value[0] / found.value[1]), 12)
    2.0
    """
    check_bootstrap(level, resamples)
    if statistic not in SPREADS:
        raise ConfigError(f"statistic={statistic!r} is unknown; choose from {', '.join(SPREADS)}")
    measure = _deviation if statistic == "deviation" else _quartile_distance
    names, kept, diverged = finite_losses(widths, losses)
    random = np.random.default_rng(seed)
    values, columns = [], []
    for width, loss in zip(names, kept, strict=True):
        check_losses(width, loss, LEAST_SEEDS)
        exponent = np.log10(loss)
        replicates = np.concatenate(
            [measure(rows) for rows in resampled(exponent, resamples, random)]
        )
        value = float(measure(exponent[None])[0])
        if not (value > 0 and (replicates > 0).all()):
            raise DataError(
                f"most losses of width {width:g} are identical, so their {statistic} is zero; "
                "leave the width out"
            )
        values.append(value)
        columns.append(np.log(replicates))
    return assembled(
        names, kept, diverged, np.array(values), np.stack(columns, axis=1), statistic, level
    )


def _deviation(rows: Array) -> Array:
    return rows.std(axis=1, ddof=1)


def _quartile_distance(rows: Array) -> Array:
    low, high = np.quantile(rows, (0.25, 0.75), axis=1)
    return (high - low) / QUARTILES


def central_limit(
    widths: ArrayLike,
    losses: Sequence[ArrayLike],
    *,
    least_width: float = FEW_WIDTHS,
    error: float = 0.05,
    statistic: str = "deviation",
    level: float = 0.9,
    resamples: int = 1000,
    seed: int = 0,
) -> CentralLimit:
    """The paper's "central limit" in numbers: is log10 loss single-peaked and normal at each width,
    and narrower with width?

    Each width gets a dip test, the number of peaks that is proven (with the chance `error` of too
    many) and a test of normality; a power law is fitted to the spread of the widths from
    `least_width` on. What cannot be tested becomes a note instead of an error. Parameters are those
    of `spread`, `modes.modes` and `normality`. Raises ConfigError and, for widths that do not match
    the losses, DataError. Paper: figure 3, single-peaked for N >= 10.

    >>> random = np.random.default_rng(0)
    >>> found = central_limit([10, 20, 40], [10 ** random.normal(-6, 1 / np.sqrt(n), 400) for n in (10, 20, 40)])
    >>> [shape.modes.count for shape in found.shapes], bool(abs(found.narrowing.estimates["exponent"].value - 0.5) < 0.1)
    ([1, 1, 1], True)
    """
    names, kept, _ = finite_losses(widths, losses)
    shapes = tuple(
        _shape(width, loss, error, resamples, seed)
        for width, loss in zip(names.tolist(), kept, strict=True)
    )
    notes = [f"width {shape.width:g}: {shape.note}" for shape in shapes if shape.note]
    usable = []
    for i, (width, loss) in enumerate(zip(names.tolist(), kept, strict=True)):
        if width < least_width:
            continue
        try:
            spread([width], [loss], statistic, level=level, resamples=100, seed=seed)
            usable.append(i)
        except DataError as refusal:
            notes.append(f"spread: {refusal}")
    given = dict(zip(np.asarray(widths, dtype=np.float64).tolist(), losses, strict=True))
    chosen = names[usable]
    found = (
        spread(
            chosen,
            [given[name] for name in chosen.tolist()],
            statistic,
            level=level,
            resamples=resamples,
            seed=seed,
        )
        if usable
        else None
    )
    narrowing = None
    try:
        if found is None:
            raise DataError(f"no width of at least {least_width:g} can be used")
        narrowing = fit_law(found, seed=seed)
    except DataError as refusal:
        notes.append(f"narrowing: {refusal}")
    return CentralLimit(
        shapes=shapes, spread=found, narrowing=narrowing, notes=tuple(dict.fromkeys(notes))
    )


def _shape(width: float, loss: Array, error: float, resamples: int, seed: int) -> Shape:
    """The tests of one width, or the reason why there are none."""
    try:
        dip = dip_test(loss)
        note = ""
    except (DataError, MissingExtraError) as refusal:
        dip, note = None, str(refusal)
    try:
        return Shape(
            width,
            len(loss),
            dip,
            modes(loss, error),
            normality(loss, resamples=resamples, seed=seed),
            note,
        )
    except DataError as refusal:
        return Shape(width, len(loss), dip, None, None, str(refusal))
