"""Over how many widths in a row a loss keeps near one exponent, and how certain seeds make that."""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from minilotto.analysis.stats.bootstrap import Points, ends
from minilotto.errors import DataError
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.numbers import real_number

__all__ = ["Stretch", "longest_stretch"]

WINDOW = 3  # neighbouring widths that a running exponent is taken over


@dataclass(frozen=True)
class Stretch(Shown):
    """The longest range of widths along which every running exponent is near a given one.

    Parameters
    ----------
    low, high : float
        Widths at its ends; NaN where there is none.
    share : float
        Fraction of the bootstrap replicates in which such a range reaches over the `span` that was
        asked for.
    possible : bool
        Whether some range as wide has no running exponent whose interval lies wholly beyond: where
        not, there is none.
    """

    low: float
    high: float
    share: float
    possible: bool

    @property
    def reach(self) -> float:
        """high / low, 0 where there is no such range."""
        return 0.0 if np.isnan(self.low) else self.high / self.low


def running_exponents(log_widths: Array, log_losses: Array) -> Array:
    """Exponents (B, W - 2) of lines through three neighbouring log widths (W,); losses (B, W)."""
    x = np.lib.stride_tricks.sliding_window_view(log_widths, WINDOW)
    y = np.lib.stride_tricks.sliding_window_view(log_losses, WINDOW, axis=1)
    reach = x - x.mean(axis=1, keepdims=True)
    return np.asarray(-np.sum(y * reach, axis=2) / np.sum(reach**2, axis=1))


def longest_stretch(
    points: Points, exponent: float = 1.0, factor: float = 4 / 3, span: float = 4.0
) -> Stretch:
    """The longest range of widths over which the loss keeps near a power law.

    Near: exponent / factor <= running exponent <= exponent * factor, for all windows of three
    neighbouring widths in the range. A curve that bends from steep to flat passes through every
    exponent between; it persists in one only if it stays there, which `span` decides.

    Parameters
    ----------
    points : Points
        From `bootstrap.points`.
    exponent : float
        Above 0.
    factor, span : float
        Above 1.

    Returns
    -------
    Stretch

    Raises
    ------
    ConfigError
        For an exponent, factor or span out of range.
    DataError
        For fewer than three widths.

    Examples
    --------
    >>> from minilotto.analysis.stats.bootstrap import points
    >>> draws = np.random.default_rng(1).lognormal(sigma=0.2, size=(6, 400))
    >>> widths = np.array([2, 4, 8, 16, 32, 64])
    >>> found = longest_stretch(points(widths, list(draws / widths[:, None])))
    >>> found.low, found.high, found.share
    (2.0, 64.0, 1.0)
    """
    exponent = real_number("exponent", exponent, "above 0", lambda x: x > 0)
    factor = real_number("factor", factor, "above 1", lambda x: x > 1)
    span = real_number("span", span, "above 1", lambda x: x > 1)
    if len(points.widths) < WINDOW:
        raise DataError(
            f"{len(points.widths)} widths have no running exponent; at least {WINDOW} are needed: "
            "train more widths"
        )
    x = np.log(points.widths)
    both = np.concatenate([np.log(points.value)[None], points.replicates])
    running = running_exponents(x, both)
    near = (running >= exponent / factor) & (running <= exponent * factor)
    lowest, highest = np.quantile(running[1:], ends(points.level), axis=0)
    beyond = (highest < exponent / factor) | (lowest > exponent * factor)
    reached = np.zeros(len(both), dtype=bool)
    possible, longest = False, (np.nan, np.nan)
    for first, last in combinations_with_replacement(range(near.shape[1]), 2):
        low, high = points.widths[first], points.widths[last + WINDOW - 1]
        if high / low >= span * (1 - 1e-12):
            reached |= near[:, first : last + 1].all(axis=1)
            possible |= not beyond[first : last + 1].any()
        if near[0, first : last + 1].all() and not high / low <= longest[1] / longest[0]:
            longest = (float(low), float(high))
    return Stretch(*longest, share=float(reached[1:].mean()), possible=bool(possible))
