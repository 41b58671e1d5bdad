"""Rules by which studies judge differences and counts: stated once, whatever comes out."""

from collections.abc import Sequence

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.figure import FAILS, HOLDS, IN_PART, UNTESTED

SEPARATED = (
    "holds where the interval lies within, fails where it lies outside, and is undecided "
    "where it reaches both"
)


def within(found: Estimate, low: float, high: float) -> str:
    """HOLDS where the interval lies inside [low, high], FAILS where it lies outside, UNTESTED where
    it reaches both.
    """
    if low <= found.low and found.high <= high:
        return HOLDS
    return FAILS if found.low > high or found.high < low else UNTESTED


def together(verdicts: Sequence[str]) -> str:
    """One verdict on a claim about several things: it holds where all do, fails where those that
    are decided do, else in part.
    """
    decided = {verdict for verdict in verdicts if verdict != UNTESTED}
    if not decided:
        return UNTESTED
    if decided == {FAILS} or set(verdicts) == {HOLDS}:
        return decided.pop()
    return IN_PART
