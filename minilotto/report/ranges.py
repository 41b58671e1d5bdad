"""Claims that numbers lie in ranges, judged by the shared rules."""

from collections.abc import Callable, Mapping, Sequence

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.claims import Claim, Outcome, about, as_numbers, described, untested, values
from minilotto.report.figure import commas
from minilotto.report.rules import ERROR, FAILS, HOLDS, Check, Every, decided, inside

LISTED = 3  # numbers that are listed; of more, the extremes are


def extent(found: Sequence[Estimate]) -> str:
    """The least and the largest of some numbers, with their intervals."""
    ends = (min(found, key=lambda one: one.value), max(found, key=lambda one: one.value))
    return "{:.2f} to {:.2f}".format(*ends)


def all_in(found: Mapping[str, Estimate | None], judge: Callable[[Estimate], Check]) -> Outcome:
    """The outcome of a claim that all of some numbers lie in its range; None is left out."""
    known = {name: one for name, one in found.items() if one}
    if not known:
        return untested("These nets are missing, or too few.")
    judged = {name: judge(one) for name, one in known.items()}
    if len(known) == 1:
        ((name, one),) = known.items()
        return about(judged[name], f"{name} {one}", "", as_numbers(name, one))
    order = sorted(known, key=lambda name: known[name].value)
    ends = order if len(order) <= LISTED else [order[0], order[-1]]
    words = described({name: known[name] for name in ends})
    if len(order) > LISTED:
        words = f"{len(order)} numbers, from the least to the largest: {words}"
    alone = {name: decided(one, ERROR) for name, one in judged.items()}
    outside = [name for name, state in alone.items() if state == FAILS]
    named = f" ({commas(outside[:LISTED])}{', ...' if len(outside) > LISTED else ''})"
    reason = (
        f"Taken one by one, {list(alone.values()).count(HOLDS)} of {len(known)} intervals lie in "
        f"the range and {len(outside)} outside{named if outside else ''}."
    )
    return about(Every([*judged.values()]), words, reason, values(known), more=f": t{reason[1:-1]}")


def no_change(claim: Claim) -> Callable[[Estimate], Check]:
    """Whether a difference of exponents is none: one outside the margin fails if its interval
    excludes 0.
    """

    def judge(found: Estimate) -> Check:
        margin = claim["near"] if abs(found.value) <= claim["near"] else 0.0
        return inside(found, -margin, margin)

    return judge
