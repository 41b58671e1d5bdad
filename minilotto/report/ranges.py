"""Claims that numbers lie in ranges, judged by the shared rules."""

from collections.abc import Mapping, Sequence
from math import inf, log
from typing import Any, NamedTuple

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.claims import Claim, Outcome, about, as_numbers, described, untested
from minilotto.report.figure import commas
from minilotto.report.rules import ERROR, FAILS, HOLDS, Check, Every, decided, inside

LISTED = 3  # numbers that are listed; of more, the extremes are


class Ranged(NamedTuple):
    """A number that a claim places in a range. Where it claims `exactly` a number, one outside the
    range fails if its interval excludes that number; else if it excludes the range.
    """

    name: str
    found: Estimate
    low: float
    high: float
    exactly: float | None = None

    def judged(self) -> Check:
        """By the shared rules."""
        if self.exactly is None or self.low <= self.found.value <= self.high:
            return inside(self.found, self.low, self.high)
        return inside(self.found, self.exactly, self.exactly)


def near(name: str, found: Estimate, claim: Claim) -> Ranged:
    return Ranged(name, found, claim["claimed"] - claim["near"], claim["claimed"] + claim["near"])


def logged(name: str, found: Estimate, low: float, high: float) -> Ranged:
    """A ratio and its range, by their logarithms: as far up as down."""
    return Ranged(name, found.mapped(log), log(low) if low else -inf, log(high))


def above(found: Estimate, least: float) -> Estimate:
    """A fraction that may be none as one that is at least so small."""
    return found.mapped(lambda value: max(value, least))


def extent(found: Sequence[Estimate]) -> str:
    """The least and the largest of some numbers, with their intervals."""
    ends = (min(found, key=lambda one: one.value), max(found, key=lambda one: one.value))
    least, largest = (
        "{:.2f} ({:.2f} to {:.2f})".format(*(round(n, 2) + 0.0 for n in (e.value, e.low, e.high)))
        for e in ends
    )
    return f"{least} to {largest}"


def all_in(cases: Sequence[Ranged], shown: Any = None) -> Outcome:
    """The outcome of a claim that numbers lie in their ranges; `shown` maps what is printed."""
    if not cases:
        return untested("These nets are missing, or too few.")
    judged = [one.judged() for one in cases]
    printed = [(one.name, one.found.mapped(shown) if shown else one.found) for one in cases]
    if len(printed) == 1:
        name, found = printed[0]
        return about(judged[0], f"{name} {found}", "", as_numbers(name, found))
    order = sorted(printed, key=lambda one: one[1].value)
    ends = order if len(order) <= LISTED else [order[0], order[-1]]
    words = described(dict(ends))
    if len(order) > LISTED:
        words = f"{len(order)} numbers, from the least to the largest: {words}"
    alone = [decided(one, ERROR) for one in judged]
    outside = [one.name for one, state in zip(cases, alone, strict=True) if state == FAILS]
    named = f" ({commas(outside[:LISTED])}{', ...' if len(outside) > LISTED else ''})"
    reason = (
        f"Taken one by one, {alone.count(HOLDS)} of {len(cases)} intervals lie in the range and "
        f"{len(outside)} outside{named if outside else ''}."
    )
    numbers = {name: found.value for name, found in printed}
    return about(Every(judged), words, reason, numbers, more=f": t{reason[1:-1]}")


def unchanged(found: Mapping[str, Estimate | None], claim: Claim) -> Outcome:
    """The outcome of a claim that differences of exponents are none; None is left out."""
    margin = claim["near"]
    return all_in([Ranged(name, e, -margin, margin, 0.0) for name, e in found.items() if e])


def ratios_in(found: Mapping[str, Estimate | None], low: float, high: float) -> Outcome:
    """The outcome of a claim that several ratios lie in one range; None is left out."""
    return all_in([logged(name, e, low, high) for name, e in found.items() if e], np.exp)
