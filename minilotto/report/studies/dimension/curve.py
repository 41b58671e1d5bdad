"""Dimension: one curve of loss against width, and the widths of it that count."""

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minilotto.analysis.stats.bootstrap import Estimate, points
from minilotto.analysis.stats.rates import TOLERANCE
from minilotto.analysis.stats.scaling import Fit, fit_law
from minilotto.analysis.stats.stretches import WINDOW, Stretch, longest_stretch
from minilotto.report.claims import register
from minilotto.report.figure import named
from minilotto.report.rules import LEVEL, inside

BEGUN = 0.5  # held-out loss over the target's variance, above which a width is left out
ENTRY = register(__package__, "claims.toml", "dimension")
# Held-out loss over training loss, above which a width is left out.
OVERFITTED = ENTRY.claims["enough_points"]["overfitted"]
# A factor in width over which an exponent must last to count as a law.
SPAN = ENTRY.claims["persists"]["span"]

Target = tuple[str, str, int]  # activation, family, number of inputs


class Curve:
    """Loss against width of one activation on one target, on the training points (`seen`) and on
    others (`held`), without the widths that overfit or have hardly begun.

    ratio: held / seen; overfitted, idle, kept: (W,) such widths, and the others; span: the largest
    width kept over the smallest, 1 for none; fit, seen_fit: power laws at the widths kept; stretch:
    the longest range of these where the loss falls as 1/N; None where they are too few.
    """

    fit: Fit | None = None
    seen_fit: Fit | None = None
    stretch: Stretch | None = None

    def __init__(
        self,
        case: Target,
        widths: Sequence[int],
        seen: Sequence[ArrayLike],
        held: Sequence[ArrayLike],
        variance: float = 1.0,
    ) -> None:
        """From losses (R,) by width, on training and other points, and the target's variance."""
        self.activation, self.family, self.inputs = case
        self.task = f"{self.family}{self.inputs}"
        self.named = f"{named(self.activation)} {self.task}"
        self.seen, self.held = (points(widths, each, level=LEVEL) for each in (seen, held))
        self.ratio = self.held.value / self.seen.value
        self.overfitted = self.ratio > OVERFITTED
        self.idle = self.held.value > BEGUN * variance
        self.kept = ~(self.overfitted | self.idle)
        kept = self.held.widths[self.kept]
        self.span = float(kept[-1] / kept[0]) if len(kept) else 1.0
        if len(kept) >= WINDOW:
            self.fit, self.seen_fit = (fit_law(e.select(self.kept)) for e in (self.held, self.seen))
            self.stretch = longest_stretch(self.fit.points, 1.0, TOLERANCE, SPAN)

    @property
    def exponent(self) -> Estimate | None:
        """Of the held-out loss, with seeds' and widths' scatter."""
        return None if self.fit is None else self.fit.estimates["exponent"]

    def ranges(self) -> list[list[Any]]:
        """For each range over a factor SPAN, whether each three widths in it have exponent 1."""
        found = self.fit.points if self.fit else self.held
        widths = found.widths
        some = (found.select(np.arange(i, i + WINDOW)) for i in range(len(widths) - WINDOW + 1))
        slopes = (fit_law(one).seeds_only["exponent"] for one in some)
        windows = [inside(e, 1 / TOLERANCE, TOLERANCE) for e in slopes]
        return [
            windows[first : last + 1]
            for first, last in combinations_with_replacement(range(len(windows)), 2)
            if widths[last + WINDOW - 1] / widths[first] >= SPAN * (1 - 1e-12)
        ]
