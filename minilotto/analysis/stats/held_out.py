"""Loss against width on the points of the training and on others; widths that count."""

from collections.abc import Sequence

from numpy.typing import ArrayLike

from minilotto.analysis.stats.bootstrap import Estimate, points
from minilotto.analysis.stats.rates import TOLERANCE
from minilotto.analysis.stats.scaling import Fit, fit_law
from minilotto.analysis.stats.stretches import WINDOW, Stretch, longest_stretch


class HeldOutCurve:
    """Held-out loss against width, without widths that overfit or have hardly begun.

    Parameters
    ----------
    widths : (W,) sequence of int
    seen, held : sequence of W arrays (R,)
        Losses of each width's seeds on the training points and on others.
    begun : float
        Median held-out loss above which a net has hardly begun.
    overfitted : float
        Ratio of the two medians above which a net overfits.
    span : float
        A factor in width over which an exponent must last to count as a law.
    level : float in (0, 1)

    Attributes
    ----------
    seen, held : Points
        Medians at all widths.
    ratio : (W,) ndarray of float64
        held / seen.
    overfitted, idle, kept : (W,) ndarray of bool
        Widths that overfit, that have hardly begun, and the others.
    span : float
        The largest width kept over the smallest, 1 for none.
    fit, seen_fit : Fit or None
        Power laws of the two at the widths kept; None where these are too few.
    stretch : Stretch or None
        The longest range of widths kept where the loss falls as 1/N.
    """

    def __init__(
        self,
        widths: Sequence[int],
        seen: Sequence[ArrayLike],
        held: Sequence[ArrayLike],
        begun: float,
        overfitted: float,
        span: float,
        level: float,
    ) -> None:
        self.seen, self.held = (points(widths, each, level=level) for each in (seen, held))
        self.ratio = self.held.value / self.seen.value
        self.overfitted = self.ratio > overfitted
        self.idle = self.held.value > begun
        self.kept = ~(self.overfitted | self.idle)
        kept = self.held.widths[self.kept]
        self.span = float(kept[-1] / kept[0]) if len(kept) else 1.0
        self.fit: Fit | None = None
        self.seen_fit: Fit | None = None
        self.stretch: Stretch | None = None
        if len(kept) >= WINDOW:
            self.fit, self.seen_fit = (fit_law(e.select(self.kept)) for e in (self.held, self.seen))
            self.stretch = longest_stretch(self.fit.points, 1.0, TOLERANCE, span)

    @property
    def exponent(self) -> Estimate | None:
        """Of the held-out loss, with seeds' and widths' scatter."""
        return None if self.fit is None else self.fit.estimates["exponent"]
