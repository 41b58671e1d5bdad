"""Rules by which every figure and study judges what it measured, and the margins they share.

A claim about a number says in which range it lies. Equivalence: the number's interval lies inside
that range, and the claim holds. Difference: the interval lies outside, or excludes a value that is
claimed exactly, and the claim fails. Neither: undecided, so that few seeds never support a claim.

Each interval judged is a test with a chance of error, the least at which it decides. The tests of
one figure or study are one family, and Holm's step-down decides them all with a chance of at most
ERROR of any wrong decision. `python -m bench.coverage --parts verdicts` measures how often planted
truths get which verdict.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from minilotto.analysis.stats.bootstrap import Estimate

HOLDS, IN_PART, FAILS = "holds", "holds in part", "fails"
UNDECIDED, UNTESTED = "undecided", "could not be tested"
DECIDED = (HOLDS, IN_PART, FAILS)
VERDICTS = (*DECIDED, UNDECIDED, UNTESTED)
LEVEL = 0.95  # of every interval that the report prints
ERROR = 1 - LEVEL  # of any wrong decision in one figure or study


class Margin(NamedTuple):
    """What passes for the same, for one kind of quantity, and why."""

    size: float
    kind: str
    why: str


MARGINS = {
    "near": Margin(
        0.25,
        "exponent: distance from a claimed one, or between two",
        "separates a claimed 1 from 1/2 and from 3/2, and 4 from 3; a loss ratio over widths 10 to "
        "50 is then known to a factor of 1.5",
    ),
    "bend": Margin(
        0.3,
        "change of an exponent within a range that is claimed to have one",
        "a third of the law claimed: with 1000 seeds at seven widths it can be told from none",
    ),
    "same": Margin(
        1.25,
        "ratio of losses, medians or sizes that are called equal",
        "a doubling of width halves a 1/N loss, so a quarter is a third of what is at stake",
    ),
    "similar": Margin(
        2.0,
        "ratio of quantities of which only the size is claimed",
        "on axes over decades, less than a factor of 2 is not seen",
    ),
    "most": Margin(
        0.9,
        "fraction that is called almost all",
        "one in ten may differ; 64 nets without exception prove it",
    ),
    "half": Margin(0.5, "fraction that is called the larger part", "more than what is left"),
    "orthogonal": Margin(
        0.1,
        "cosine of errors that are called orthogonal",
        "averaging two then leaves 55% of the loss where independence leaves 50%",
    ),
    "moment": Margin(
        0.5,
        "skewness, and half of excess kurtosis, called normal",
        "an average of 16 exponential variables has a skewness of 0.5",
    ),
    "absent": Margin(
        500,
        "nets from which on a group that is not seen is not there",
        "a group of a fifth, a decade apart, is then missed once in thirty",
    ),
}
THRESHOLDS = {name: margin.size for name, margin in MARGINS.items()}


@dataclass(frozen=True)
class Check:
    """One interval judged: `verdict` where a chance of error of `error` may be taken, else
    `otherwise`.
    """

    verdict: str
    error: float
    otherwise: str = UNDECIDED


@dataclass(frozen=True)
class Every:
    """Holds where all parts hold, fails where one fails."""

    parts: Sequence["Judged"]


@dataclass(frozen=True)
class Some:
    """Holds where one part holds, fails where all fail."""

    parts: Sequence["Judged"]


Judged = Check | Every | Some
# A width that a claim is about and a reduced run has not trained: it could do either.
UNSEEN = Check(HOLDS, math.inf)


def inside(found: Estimate, low: float, high: float) -> Check:
    """Whether a number lies in [low, high]: holds where its interval does, fails where it lies
    outside.
    """
    value, below, above = _reach(found)
    if low <= value <= high:
        return Check(
            HOLDS, _error(found, min(_over(value - low, below), _over(high - value, above)))
        )
    return Check(FAILS, _error(found, max(_over(value - high, below), _over(low - value, above))))


def factor(found: Estimate, low: float, high: float) -> Check:
    """`inside` for a number above 0 whose interval leans as that of a ratio: by logarithms."""
    return inside(found.mapped(_log), _log(low), _log(high))


def exactly(found: Estimate, claimed: float, margin: float) -> Check:
    """Whether a number is one that is claimed exactly: fails where its interval excludes that, and
    holds where it does not and lies within `margin` of it.
    """
    value, below, above = _reach(found)
    excluded = _error(found, max(_over(value - claimed, below), _over(claimed - value, above)))
    if excluded <= ERROR:
        return Check(FAILS, excluded)
    return inside(found, claimed - margin, claimed + margin)


def near(found: Estimate, claimed: float, margin: float = THRESHOLDS["near"]) -> Check:
    """`inside` a margin about a claimed number."""
    return inside(found, claimed - margin, claimed + margin)


def one_law(bend: Estimate, p_value: float) -> Every:
    """Whether one power law holds over some widths: its exponent does not change between their
    halves, and seeds alone explain how the widths scatter about it.
    """
    return Every([exactly(bend, 0.0, THRESHOLDS["bend"]), fits(p_value)])


def fits(p_value: float) -> Check:
    """Whether data fit a law: fails where its p-value is small. No support by itself, as few data
    fit anything; beside `exactly` in an Every.
    """
    return Check(FAILS, p_value, HOLDS)


def sure(agrees: bool) -> Check:
    """What has no error: a count of a finite list, a computation."""
    return Check(HOLDS if agrees else FAILS, 0.0)


def at_least(count: int, nets: float, enough: float = THRESHOLDS["absent"]) -> Estimate:
    """A number of groups of which `count` are proven: as many, where nets are enough to see any
    other, else that or more.
    """
    return Estimate(count, count, count if nets >= enough else np.inf, LEVEL)


def family(judged: Iterable[Judged]) -> float:
    """The chance of error that each test of a family may take, so that all together take ERROR:
    Holm's step-down, over tests sorted by their error.
    """
    errors = sorted(test.error for one in judged for test in _tests(one))
    taken = 0.0
    for left, error in zip(range(len(errors), 0, -1), errors, strict=True):
        if not error <= ERROR / left:
            break
        taken = error
    return taken


def decided(judged: Judged, taken: float) -> str:
    """HOLDS, FAILS or UNDECIDED, where each test may take that chance of error."""
    if isinstance(judged, Check):
        return judged.verdict if judged.error <= taken else judged.otherwise
    ends = (FAILS, HOLDS) if isinstance(judged, Every) else (HOLDS, FAILS)
    each = {decided(part, taken) for part in judged.parts}
    return ends[0] if ends[0] in each else ends[1] if each == {ends[1]} else UNDECIDED


def together(verdicts: Iterable[str]) -> str:
    """One verdict on a claim about several things: holds or fails where all do, in part where some
    hold and some fail; no other could become of it if the undecided were decided.
    """
    found = set(verdicts)
    if {HOLDS, FAILS} <= found or IN_PART in found:
        return IN_PART
    return found.pop() if len(found) == 1 else UNDECIDED if found else UNTESTED


def _tests(judged: Judged) -> list[Check]:
    if isinstance(judged, Check):
        return [judged]
    return [test for part in judged.parts for test in _tests(part)]


def _reach(found: Estimate) -> tuple[float, float, float]:
    """The value, and how far its interval reaches below and above: at least a tenth of its length,
    as a median among ties may be an end of its own interval.
    """
    length = found.high - found.low
    least = 0.1 * length if length < np.inf else 0.0
    below, above = found.value - found.low, found.high - found.value
    return found.value, max(below, least), max(above, least)


def _over(room: float, reach: float) -> float:
    """How many times an interval may be as long before its end goes through that room."""
    if math.isnan(room) or math.isnan(reach):
        return -1.0
    if room == np.inf or (reach == 0 and room >= 0):
        return np.inf
    return -1.0 if room < 0 else room / reach


def _error(found: Estimate, times: float) -> float:
    """1 - level of the interval that is so many times as long: normal, or Student's."""
    if times < 0:
        return 1.0
    half = (1 + found.level) / 2
    if found.freedom == np.inf:
        return float(2 * ndtr(-times * ndtri(half)))
    return float(2 * stdtr(found.freedom, -times * stdtrit(found.freedom, half)))


def _log(value: float) -> float:
    return math.log(value) if 0 < value < np.inf else -np.inf if value <= 0 else np.inf
