"""Rules by which every figure and study judges what it measured, and the thresholds they share."""

from collections.abc import Sequence

from minilotto.analysis.stats.bootstrap import Estimate

HOLDS, IN_PART, FAILS, UNTESTED = "holds", "holds in part", "fails", "could not be tested"
VERDICTS = (HOLDS, IN_PART, FAILS, UNTESTED)
LEVEL = 0.95  # of every interval in the report

# One kind of quantity has one threshold; a claim with another says why in its row.
THRESHOLDS = {
    "stated": 0.1,  # the precision with which the paper states exponents, read off log-log plots
    "near": 0.25,  # between exponents that are called about the same
    "wide": 1.0,  # an interval of an exponent that is wider decides nothing
    "same": 1.25,  # ratio of losses, of medians or of counts that are called equal
    "similar": 2.0,  # ratio that is called nearly equal
    "most": 0.95,  # fraction that is called almost all
    "some": 0.5,  # fraction that is called a part
    "little": 0.05,  # fraction, or weight of evidence, that is called none
}

SEPARATED = (
    "holds where the interval lies within, fails where it lies outside, and is undecided where it "
    "reaches both"
)


def within(found: Estimate, low: float, high: float) -> str:
    """HOLDS where the interval lies inside [low, high], FAILS where it lies outside, UNTESTED where
    it reaches both.
    """
    if low <= found.low and found.high <= high:
        return HOLDS
    return FAILS if found.low > high or found.high < low else UNTESTED


def reaches(found: Estimate, claimed: float, stated: float, near: float) -> str:
    """HOLDS where the interval reaches within `stated` of the claimed value, IN_PART within `near`,
    else FAILS.
    """
    away = max(found.low - claimed, claimed - found.high)  # of the nearer end; below 0 inside
    return at_most(away, stated, near)


def unchanged(change: Estimate, margin: float) -> str:
    """Whether a difference is none: HOLDS where the interval contains 0 and lies within the margin,
    IN_PART where it excludes 0 within the margin, FAILS where it excludes 0 and reaches further,
    else UNTESTED.
    """
    inside = -margin <= change.low and change.high <= margin
    if change.low > 0 or change.high < 0:
        return IN_PART if inside else FAILS
    return HOLDS if inside else UNTESTED


def counted(agree: int, disagree: int, of: int) -> str:
    """A claim about `of` things: HOLDS where all agree, IN_PART where some do, FAILS where none
    does and some disagree, UNTESTED where none can be decided.
    """
    if of and agree == of:
        return HOLDS
    return IN_PART if agree else FAILS if disagree else UNTESTED


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


def fraction(value: float, most: float, some: float) -> str:
    """HOLDS where a fraction is at least `most`, IN_PART at least `some`, else FAILS."""
    return HOLDS if value >= most else IN_PART if value >= some else FAILS


def at_most(value: float, least: float, most: float) -> str:
    """HOLDS where a number is at most `least`, IN_PART at most `most`, else FAILS."""
    return HOLDS if value <= least else IN_PART if value <= most else FAILS
