"""How many peaks the density of log10 loss has at least, with a stated chance of too high a number.

Duembgen and Walther (2008) test on every interval between two of the sorted values whether the
density must rise or must fall somewhere in it. All those tests hold at once, for any density and
any number of values, so a fall followed by a rise proves a valley, however narrow the peaks beside
it are; no bandwidth is chosen.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import numpy as np

from minilotto.analysis.stats.losses import SMOOTHING, Peaks, cut, positive, smoothed
from minilotto.errors import ConfigError, DataError
from minilotto.settings.arrays import Array, Ints
from minilotto.settings.display import Shown

__all__ = ["Modes", "modes"]

LEAST_LOSSES = 30
ROUNDING = 1e-12  # decades; losses that differ by no more are the same
MOST_DIGITS = 6  # losses that all have so few significant digits have been rounded
SHORTEST = 4  # steps between the ends of an interval
LENGTHS = 500  # the shortest is at least one in so many of all losses
RATIO, PARTS = 1.15, 8  # lengths grow by RATIO, starts by 1 / PARTS of the length
# decades over which a rise or a fall must be seen, so that rounding errors make no peaks
RESOLUTION = SMOOTHING
# Quantiles of the largest excess of T among uniform values, from bench/multiscale.py. One sign is
# enough: a peak too many takes a false claim on a piece where the density only rises or only falls,
# so of one known sign on each piece; and given the pieces' ends, uniform values within each are as
# likely mirrored, so that all signs may be taken as equal.
CRITICAL: dict[str | float, tuple[float, ...]] = {
    "losses": (30, 50, 100, 200, 500, 1000, 2000, 5000),
    0.1: (0.889, 0.978, 1.038, 1.093, 1.155, 1.170, 1.201, 1.211),
    0.05: (1.126, 1.201, 1.259, 1.309, 1.368, 1.364, 1.412, 1.413),
    0.01: (1.557, 1.658, 1.690, 1.741, 1.808, 1.807, 1.832, 1.880),
}


@dataclass(frozen=True)
class Modes(Shown):
    """What is proven of the peaks of log10 loss of R seeds.

    Parameters
    ----------
    count : int
        The least number of peaks.
    error : float
        Chance of at least one false claim.
    peaks : Peaks
        The losses cut at the lowest smoothed density within each valley.
    """

    count: int
    error: float
    peaks: Peaks


def modes(loss: Array, error: float = 0.05) -> Modes:
    """The least number of peaks of log10 loss that can be stated with a small chance of error.

    For sorted values x_j < ... < x_k and u_i = (x_i - x_j) / (x_k - x_j),
    T = sqrt(3 / (k - j - 1)) sum (2 u_i - 1), and |T| > sqrt(2 log(e n / (k - j))) + kappa proves a
    rise (T > 0) or a fall within. kappa is the quantile 1 - error of the largest excess of T among
    uniform values. Intervals of less than RESOLUTION are not tested. Rounded losses are spread over
    what was rounded to them, see `unrounded`.

    Parameters
    ----------
    loss : (R,) ndarray of float64
        Losses that are zero or not finite are left out.
    error : {0.1, 0.05, 0.01}
        Chance of too many peaks.

    Returns
    -------
    Modes

    Raises
    ------
    DataError
        For fewer than LEAST_LOSSES losses or identical ones.
    ConfigError
        For another error.

    References
    ----------
    Paper: figures 2b and 3, which are judged visually. Differs from Duembgen and Walther: intervals
    may also end between two values, see the comments.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> two = np.concatenate([random.normal(-6, 0.1, 100), random.normal(-3, 0.5, 300)])
    >>> found = modes(10**two)
    >>> found.count, found.peaks.share.tolist()
    (2, [0.25, 0.75])
    """
    if error not in (0.1, 0.05, 0.01):
        raise ConfigError(f"error={error!r} has no critical value; choose from 0.1, 0.05, 0.01")
    kept = sorted_losses(loss)
    exponent = unrounded(kept)
    first, last = stretches(len(exponent))
    kappa = critical_value(len(exponent), error)
    # Where f does not fall between x_j and a point p in the gap before x_k, its u_i with p in place
    # of x_k are no less than those of uniform values up to x_k itself. So a fall whose test holds
    # with p lies before p, and a rise may begin at such a p: without this, no fall and rise would
    # fit between two sharp peaks with nothing between them. Positions count half steps: 2 i is the
    # value i, 2 i + 1 the middle of the gap after it.
    place = np.empty(2 * len(exponent) - 1)
    place[::2], place[1::2] = exponent, (exponent[1:] + exponent[:-1]) / 2
    falls = [
        _proven(exponent, place, first, last, (2 * first, end), kappa, -1)
        for end in (2 * last, 2 * last - 1)
    ]
    rises = [
        _proven(exponent, place, first, last, (start, 2 * last), kappa, 1)
        for start in (2 * first, 2 * first + 1)
    ]
    pairs = _valleys(_by_end(falls), _by_end(rises))
    valleys = place[np.array(pairs, dtype=np.int64).reshape(-1, 2)]
    density, edges = smoothed(exponent)
    cells = np.clip(np.searchsorted(edges, valleys, side="right") - 1, 0, len(density) - 1)
    lowest = [a + int(np.argmin(density[a : b + 1])) for a, b in cells.tolist()]
    return Modes(len(valleys) + 1, error, cut(kept, density, edges, lowest))


def sorted_losses(loss: Array) -> Array:
    """Finite positive losses, ascending. Raises DataError for equal ones or too few."""
    kept = np.sort(positive(loss))
    if len(kept) < LEAST_LOSSES:
        raise DataError(
            f"{len(kept)} finite losses above 0 are too few to test a shape; at least "
            f"{LEAST_LOSSES} seeds are needed"
        )
    if np.log10(kept[-1]) - np.log10(kept[0]) <= ROUNDING:
        raise DataError(
            f"the {len(kept)} losses are all {kept[0]:g}; identical losses have no shape to test"
        )
    return kept


def unrounded(ordered: Array) -> Array:
    """log10 of ascending losses; if all have been rounded, each value spread over what was rounded
    to it.

    A density without a valley, averaged over the cells of a rounding, has none, so the spread
    losses are like a sample of such a density, where tied ones are heaps with gaps between them.
    Losses are rounded if none has more than MOST_DIGITS significant decimal digits; cells are those
    of as many digits, or decimals, as the losses have; or if log10 of all has at most three
    decimals. Nets that reach one minimum tie to nine digits and more; they are left as they are,
    and are a peak in rounded losses too.

    >>> unrounded(np.array([1.0, 1.0, 1.0, 3.0])).round(3).tolist()
    [-0.222, -0.062, 0.097, 0.471]
    """
    values, first, counts = np.unique(ordered, return_index=True, return_counts=True)
    exponent = np.log10(values)
    for step in (0.1, 0.01, 0.001):
        if np.allclose(exponent / step, np.rint(exponent / step), rtol=0, atol=1e-6):
            return _spread(exponent - step / 2, exponent + step / 2, first, counts)
    exact = [Decimal(repr(value)).normalize() for value in values.tolist()]
    digits = max(len(one.as_tuple().digits) for one in exact)
    if digits > MOST_DIGITS:
        return np.log10(ordered)
    finest = min(one.as_tuple().exponent for one in exact)
    # A power of ten has the next decade's finer cells below it.
    powers = np.array([one.as_tuple().digits == (1,) for one in exact])
    unit = np.array([one.adjusted() + 1 - digits for one in exact])
    above, below = (10.0 ** np.maximum(each, finest) for each in (unit, unit - powers))
    low = np.log10(np.maximum(values - below / 2, values * 0.5))
    return _spread(low, np.log10(values + above / 2), first, counts)


def _spread(low: Array, high: Array, first: Ints, counts: Ints) -> Array:
    """As many values as there are losses in each cell, evenly from low to high."""
    rank = np.arange(counts.sum()) - np.repeat(first, counts) + 0.5
    return np.asarray(np.repeat(low, counts) + rank * np.repeat((high - low) / counts, counts))


@lru_cache
def stretches(count: int) -> tuple[Ints, Ints]:
    """First and last positions (S,) of the intervals tested among `count` values: all lengths."""
    firsts, lasts = [], []
    length = float(max(SHORTEST, count // LENGTHS))
    while length < count:
        steps = int(length)
        end = count - 1 - steps
        starts = np.append(np.arange(0, end, max(1, steps // PARTS)), end)
        firsts.append(starts)
        lasts.append(starts + steps)
        length = max(length + 1, length * RATIO)
    return np.concatenate(firsts).astype(np.int64), np.concatenate(lasts).astype(np.int64)


def excesses(ordered: Array, first: Ints, last: Ints, low: Array, high: Array) -> Array:
    """The statistic of values (..., n) in intervals low to high (..., S), less its allowance."""
    inner = (last - first - 1).astype(np.float64)
    total = np.cumsum(ordered - ordered[..., :1], axis=-1)
    mass = total[..., last - 1] - total[..., first] - inner * (low - ordered[..., :1])
    span = high - low
    place = np.divide(mass, span, out=inner / 2 + np.zeros_like(span), where=span > 0)
    statistic = np.sqrt(3 / inner) * (2 * place - inner)
    allowance = np.sqrt(2 * np.log(np.e * ordered.shape[-1] / (last - first)))
    return np.asarray(np.sign(statistic) * np.maximum(np.abs(statistic) - allowance, 0))


def _proven(
    exponent: Array,
    place: Array,
    first: Ints,
    last: Ints,
    ends: tuple[Ints, Ints],
    kappa: float,
    sign: int,
) -> Ints:
    """Ends (M, 2) of the intervals that prove a rise (sign 1) or a fall (-1) over RESOLUTION.

    All claims hold at once, so those of the intervals that are long enough do.
    """
    low, high = place[ends[0]], place[ends[1]]
    held = (sign * excesses(exponent, first, last, low, high) > kappa) & (high - low >= RESOLUTION)
    return np.stack([ends[0][held], ends[1][held]], axis=1)


def critical_value(count: int, error: float) -> float:
    """kappa for a key of CRITICAL, interpolated in the logarithm of the number of losses."""
    return float(np.interp(np.log(count), np.log(CRITICAL["losses"]), CRITICAL[error]))


def _by_end(parts: list[Ints]) -> Ints:
    """Intervals (M, 2) of all lists, the one that ends first in front."""
    found = np.concatenate(parts)
    return found[np.argsort(found[:, 1], kind="stable")]


def _valleys(falls: Ints, rises: Ints) -> list[tuple[int, int]]:
    """As many pairs of a fall and a later rise as can be had one after another, each from the start
    of one to the end of the other.

    Taking the interval that ends first each time gives the most.
    """
    found: list[tuple[int, int]] = []
    after = 0
    while True:
        fall = falls[falls[:, 0] >= after]
        if not len(fall):
            return found
        rise = rises[rises[:, 0] >= fall[0, 1]]
        if not len(rise):
            return found
        # Of the falls that end before this rise, the last gives the tightest valley.
        near = fall[fall[:, 1] <= rise[0, 0]]
        found.append((int(near[:, 0].max()), int(rise[0, 1])))
        after = int(rise[0, 1])
