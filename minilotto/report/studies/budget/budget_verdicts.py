"""What the study of the training budget concludes, by rules that are stated beforehand."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.claims import Verdict
from minilotto.report.paper.scaling_law import NEAR, STATED
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED
from minilotto.report.studies.budget.budget_lines import (
    GAIN,
    LEAKY,
    MAIN,
    PAPER_RANGE,
    UNSCALED,
    Line,
    gap,
)

if TYPE_CHECKING:
    from minilotto.report.studies.budget.budget import Budget

TOO_WIDE = 1.0  # an interval of an exponent that is wider says nothing
COMPARED = 9  # widths; with fewer, AICc's penalty of a break is beyond any fit
SHARE = 0.05  # of the evidence, below which a law is ruled out


def verdicts(study: "Budget") -> list[Verdict]:
    return [
        _everywhere(
            study.main,
            f"{MAIN}: 1/N at every budget",
            "The law N⁻¹ holds over widths 10 to 50 however long one trains.",
        ),
        _independent(study.main),
        _one_law(study),
        _enough(study),
        _longer_for_wider(study),
        _schedule(study),
        _varied(study),
        *(
            [
                _everywhere(
                    study.lines[LEAKY],
                    f"{LEAKY}: 1/N at every budget",
                    "The same for LeakyReLU, over widths 10 to 50.",
                )
            ]
            if LEAKY in study.lines
            else []
        ),
    ]


def _everywhere(line: Line, claim: str, says: str) -> Verdict:
    how = (
        "Exponent at each budget with seeds' and widths' scatter. A budget agrees where the "
        f"interval reaches within {STATED:g} "
        f"of 1, and says nothing where the interval is wider than {TOO_WIDE:g}. Holds for all, in "
        "part for some, fails for none."
    )
    found = {
        budget: e for budget, e in line.exponents["10 to 50"].items() if e.high - e.low <= TOO_WIDE
    }
    good = [budget for budget, e in found.items() if e.low - STATED <= 1 <= e.high + STATED]
    verdict = (
        UNTESTED if not found else HOLDS if len(good) == len(found) else IN_PART if good else FAILS
    )
    reason = (
        f"At {len(good)} of {len(found)} budgets."
        if found
        else "No budget has an exponent that is known well enough."
    )
    if verdict == IN_PART:
        reason = (
            f"At {_steps(good)} steps, and not at "
            f"{_steps([budget for budget in found if budget not in good])}."
        )
    return Verdict(
        claim,
        says,
        _told(line.exponents["10 to 50"]),
        how,
        verdict,
        reason,
        _numbers(line.exponents["10 to 50"]),
    )


def _independent(line: Line) -> Verdict:
    claim = "The exponent is the networks', not the budget's"
    says = "The exponent over widths 10 to 50 is the same after few and after many steps."
    how = (
        "Exponent after the longest training less that after the shortest, both fitted to the "
        "same widths, so that only seeds "
        f"scatter. Holds where the interval lies within {NEAR:g} of 0, fails where it excludes 0 "
        "and reaches further, in part "
        f"where it excludes 0 within {NEAR:g}; otherwise it cannot be told."
    )
    found = line.exponents["10 to 50"]
    first, last = min(found), max(found)
    change = line.moved(last, first)
    if change is None:
        return Verdict(
            claim,
            says,
            _told(found),
            how,
            UNTESTED,
            "The two have fewer than three widths in common.",
        )
    verdict = same(change)
    moved = "larger" if change.value > 0 else "smaller"
    reason = {
        HOLDS: f"From {first:,} to {last:,} steps it stays within {NEAR:g}.",
        IN_PART: f"It gets {moved}, by less than {NEAR:g}.",
        FAILS: f"It gets {moved} with longer training: an exponent measured at one budget is "
        "also that budget's.",
        UNTESTED: "The intervals are too wide to tell a change from none.",
    }[verdict]
    measured = (
        f"{found[first]} after {first:,} steps, {found[last]} after {last:,}; difference over "
        f"seeds {change}"
    )
    numbers = {"difference": change.value, "low": change.low, "high": change.high}
    return Verdict(claim, says, measured, how, verdict, reason, numbers)


def same(change: Estimate) -> str:
    """Whether a difference of exponents is none: HOLDS, IN_PART, FAILS or UNTESTED."""
    inside = change.low >= -NEAR and change.high <= NEAR
    if change.low > 0 or change.high < 0:
        return IN_PART if inside else FAILS
    return HOLDS if inside else UNTESTED


def _one_law(study: "Budget") -> Verdict:
    claim = "One power law from width 10 on, at every budget"
    says = (
        "Loss against width is a power law over all widths from 10 on, not a plateau or a "
        "broken power law."
    )
    how = (
        "Power law, plateau and break compared by AICc at each budget. A budget agrees where the "
        "power law has more than half "
        f"of the evidence, and excludes it where it has less than {SHARE:g}. Holds for all, in "
        "part for some; fails for none "
        "where some exclude it."
    )
    weights = {}
    for budget, comparison in study.laws.items():
        shares = {row.law: row.weight for row in comparison.rows if row.weight is not None}
        if all(row.fit and len(row.fit.points.widths) >= COMPARED for row in comparison.rows):
            weights[budget] = shares
    if not weights:
        return Verdict(
            claim,
            says,
            "",
            how,
            UNTESTED,
            f"With fewer than {COMPARED} widths from 10 on AICc cannot prefer a break, so it "
            "would be no test.",
        )
    power = {budget: shares.get("power law", 0.0) for budget, shares in weights.items()}
    good, bad = [b for b, p in power.items() if p > 0.5], [b for b, p in power.items() if p < SHARE]
    verdict = HOLDS if len(good) == len(power) else IN_PART if good else FAILS if bad else UNTESTED
    told = "; ".join(
        f"{budget:,} steps: " + ", ".join(f"{law} {weight:.2f}" for law, weight in shares.items())
        for budget, shares in weights.items()
    )
    widths = study.main.found[max(weights)].widths
    span = f"widths {max(10, widths[0]):g} to {widths[-1]:g}"
    slopes = study.main.exponents["10 on"]
    reason = (
        f"The power law leads at {len(good)} of {len(power)} budgets and is excluded at "
        f"{len(bad)}; as if it were one, its "
        f"exponent goes from {slopes[min(slopes)]} to {slopes[max(slopes)]}."
    )
    return Verdict(
        claim,
        says,
        f"weight of evidence over {span}: {told}",
        how,
        verdict,
        reason,
        {f"power law, {b}": p for b, p in power.items()},
    )


def _enough(study: "Budget") -> Verdict:
    steps, saturated = study.settings.steps, study.main.saturated
    claim = f"{steps:,} steps are enough"
    says = (
        f"The paper's networks have learnt what they can: at {steps:,} steps the loss of every "
        "width has saturated."
    )
    how = (
        "The budget from which on ten times the steps divide the median loss by less than "
        f"{GAIN:g}, up to the longest "
        f"training. A width agrees where its interval ends at or before {steps:,}, and disagrees "
        "where it begins after. Holds "
        "if all agree, fails if none does and some disagree."
    )
    if not saturated:
        return Verdict(
            claim, says, "", how, UNTESTED, "No width has two budgets a factor of 3 apart."
        )
    good = [width for width, one in saturated.items() if one.budget.high <= steps]
    bad = [width for width, one in saturated.items() if one.budget.low > steps]
    verdict = (
        HOLDS if len(good) == len(saturated) else IN_PART if good else FAILS if bad else UNTESTED
    )
    open_ = len(saturated) - len(good) - len(bad)
    reason = (
        f"Of {len(saturated)} widths {len(good)} have saturated by then and {len(bad)} have not"
        + (f"; {open_} cannot be told." if open_ else ".")
    )
    last = max(study.main.found)
    told = "; ".join(
        f"N = {width}: {_saturated(one.budget, last)}" for width, one in saturated.items()
    )
    return Verdict(
        claim,
        says,
        told,
        how,
        verdict,
        reason,
        {"saturated": len(good), "not saturated": len(bad), "not told": open_},
    )


def _saturated(budget: Estimate, last: float) -> str:
    """A budget and its interval, where beyond the last one is infinite."""
    value, low, high = (
        f"{x:,.0f}" if np.isfinite(x) else f"beyond {last:,}"
        for x in (budget.value, budget.low, budget.high)
    )
    return value if low == value == high else f"{value} ({low} to {high})"


def _longer_for_wider(study: "Budget") -> Verdict:
    claim = "Past width 50 it is the budget that lacks"
    says = (
        "That the law stops beyond width 50 is a matter of training: with more steps the "
        "exponent over widths 50 and wider nears 1."
    )
    how = (
        "Exponent over widths 50 and wider. Holds where that of the longest training reaches "
        f"within {STATED:g} of 1; in part "
        f"where it is larger than that of {study.settings.steps:,} steps or of the nearest budget "
        "to it, the interval of the "
        f"difference excluding 0; fails where that interval ends below {NEAR:g}; otherwise it "
        "cannot be told."
    )
    found = study.main.exponents["50 on"]
    if len(found) < 2:
        return Verdict(
            claim, says, "", how, UNTESTED, "Fewer than three widths from 50 on at two budgets."
        )
    last = max(found)
    base = min((b for b in found if b != last), key=lambda b: abs(np.log(b / study.settings.steps)))
    change = study.main.moved(last, base, "50 on")
    if change is None:
        return Verdict(
            claim,
            says,
            _told(found),
            how,
            UNTESTED,
            "The budgets have fewer than three widths from 50 on in common.",
        )
    known = found[last].high - found[last].low <= TOO_WIDE
    if known and found[last].low - STATED <= 1 <= found[last].high + STATED:
        verdict, reason = HOLDS, f"After {last:,} steps the law goes on."
    elif change.low > 0:
        verdict, reason = (
            IN_PART,
            "Longer training helps wide nets more than narrow ones, and does not restore the law.",
        )
    elif change.high < NEAR:
        verdict, reason = FAILS, f"{last / base:.3g} times the steps do not bring the law back."
    else:
        verdict, reason = UNTESTED, "The intervals are too wide to tell."
    return Verdict(
        claim,
        says,
        f"{_told(found)}; difference from {base:,} to {last:,} steps {change}",
        how,
        verdict,
        reason,
        _numbers(found),
    )


def _schedule(study: "Budget") -> Verdict:
    steps = study.settings.steps
    claim = "It is the schedule that ends the descent"
    says = (
        f"After {steps:,} steps of the paper's schedule the rate, not the network, keeps the "
        "loss from falling."
    )
    how = (
        f"Loss after {steps:,} steps over that of the same seed after the longest training of "
        "both, median by width, as the "
        "gain from ten times the steps: with the schedule unscaled and scaled. A width agrees "
        "where the first is below "
        f"{GAIN:g} and the second above, intervals included, and disagrees where the second is "
        "below. Holds if all agree, in "
        "part if some, fails if none does and some disagree."
    )
    other = study.lines.get(UNSCALED)
    told, good, bad = {}, 0, 0
    last = max(set(other.found) & set(study.main.found), default=steps) if other else steps
    if other is not None and last > steps:
        for width in other.by_width:
            without, scaled = other.gain(width, steps, last), study.main.gain(width, steps, last)
            if without is not None and scaled is not None:
                without, scaled = (_tenfold(each, last / steps) for each in (without, scaled))
                told[width] = f"{without} unscaled, {scaled} scaled"
                good += without.high < GAIN < scaled.low
                bad += scaled.high < GAIN
    if not told:
        return Verdict(
            claim,
            says,
            "",
            how,
            UNTESTED,
            f"Both schedules at {steps:,} steps and at a longer training are missing.",
        )
    verdict = HOLDS if good == len(told) else IN_PART if good else FAILS if bad else UNTESTED
    reason = (
        f"{good} of {len(told)} widths agree, {bad} disagree; the others gain something "
        "between, or cannot be told."
    )
    if verdict == HOLDS:
        reason = "All widths: what looks like the end of learning is the end of the rate."
    measured = (
        f"gain from ten times the steps, by the loss at {steps:,} and {last:,}: "
        + "; ".join(f"N = {width}: {text}" for width, text in told.items())
    )
    return Verdict(claim, says, measured, how, verdict, reason, {"agree": good, "of": len(told)})


def _tenfold(gain: Estimate, times: float) -> Estimate:
    """The gain from so many times the steps as that from ten times: its power."""
    power = float(1 / np.log10(times))
    return Estimate(gain.value**power, gain.low**power, gain.high**power, gain.level)


def _varied(study: "Budget") -> Verdict:
    claim = "Rate, schedule and precision do not matter"
    says = "At a given budget the exponent over widths 10 to 50 does not hang on how one trains."
    how = (
        "Exponent of each variation less that of the main line at the same budget, fitted to the "
        "same widths. They agree where "
        f"the interval of the difference lies within {NEAR:g} of 0, and differ where it excludes "
        "0. Holds if all that can be "
        "told agree, fails if all differ."
    )
    alike, differ, open_, told = 0, [], 0, []
    for name, line in study.lines.items():
        if name in (MAIN, LEAKY):
            continue
        for budget in line.exponents["10 to 50"]:
            both = study.main.found.get(budget)
            if both is None:
                continue
            change = gap(line.found[budget], both, *PAPER_RANGE)
            if change is None or (name, budget) == (UNSCALED, study.settings.steps):
                continue  # the same training as the main line's
            told.append(f"{name}, {budget:,} steps: {change}")
            outcome = same(change)
            alike += outcome == HOLDS
            open_ += outcome == UNTESTED
            if outcome in (FAILS, IN_PART):
                differ.append(f"{name} at {budget:,}")
    known = alike + len(differ)
    verdict = UNTESTED if not known else HOLDS if not differ else IN_PART if alike else FAILS
    reason = (
        f"{alike} agree, {len(differ)} differ ({', '.join(differ)})"
        if differ
        else f"{alike} agree, none differs"
    )
    reason += (
        f"; {open_} cannot be told apart from the main line or from a difference of {NEAR:g}."
        if open_
        else "."
    )
    return Verdict(
        claim,
        says,
        f"differences: {'; '.join(told)}" if told else "",
        how,
        verdict,
        reason if told else "The variations are missing.",
        {"agree": alike, "differ": len(differ), "not told": open_},
    )


def _told(found: Mapping[int, Estimate]) -> str:
    return "; ".join(f"{budget:,} steps: {exponent}" for budget, exponent in found.items())


def _numbers(found: Mapping[int, Estimate]) -> dict[str, float]:
    return {f"exponent at {budget}": exponent.value for budget, exponent in found.items()}


def _steps(budgets: list[int]) -> str:
    return ", ".join(f"{budget:,}" for budget in budgets)
