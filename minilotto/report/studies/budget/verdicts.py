"""What became of each claim about the training budget."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.claims import Claim, Outcome, untested
from minilotto.report.figure import commas
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED, counted, reaches, unchanged
from minilotto.report.studies.budget.analysis import LEAKY, MAIN, PAPER_RANGE, UNSCALED, gap

if TYPE_CHECKING:
    from minilotto.report.studies.budget.budget import Budget


def outcomes(study: "Budget") -> dict[str, Outcome]:
    """Of each claim, by key; of LeakyReLU's only where there are nets of it."""
    claims = study.entry.claims
    rules = (law, independent, one_law, enough, wide_nets, schedule, varied)
    found = {rule.__name__: rule(study, claims[rule.__name__]) for rule in rules}
    if LEAKY in study.lines:
        found["leaky_law"] = law(study, claims["leaky_law"], LEAKY)
    return found


def law(study: "Budget", claim: Claim, name: str = MAIN) -> Outcome:
    """Whether the exponent of one way of training is 1 at each budget."""
    every = study.lines[name].exponents["10 to 50"]
    known = {budget: e for budget, e in every.items() if e.high - e.low <= claim["wide"]}
    good = [budget for budget, e in known.items() if _reached(e, claim)]
    others = [budget for budget in known if budget not in good]
    verdict = counted(len(good), len(others), len(known))
    reason = f"At {len(good)} of {len(known)} budgets."
    if verdict == UNTESTED:
        reason = "No budget has an exponent that is known well enough."
    elif verdict == IN_PART:
        reason = f"At {commas(good)} steps, and not at {commas(others)}."
    return Outcome(verdict, _in_words(every), reason, _numbers(every))


def _reached(exponent: Estimate, claim: Claim) -> bool:
    return reaches(exponent, claim["claimed"], claim["stated"], claim["near"]) == HOLDS


def independent(study: "Budget", claim: Claim) -> Outcome:
    """Whether the exponent is the same after the shortest and the longest training."""
    found, near = study.main.exponents["10 to 50"], claim["near"]
    first, last = min(found), max(found)
    change = study.main.moved(last, first)
    if change is None:
        return untested("The two have fewer than three widths in common.", _in_words(found))
    verdict = unchanged(change, near)
    moved = "larger" if change.value > 0 else "smaller"
    reason = {
        HOLDS: f"From {first:,} to {last:,} steps it stays within {near:g}.",
        IN_PART: f"It gets {moved}, by less than {near:g}.",
        FAILS: f"It gets {moved} with longer training: an exponent measured at one budget is also "
        "that budget's.",
        UNTESTED: "The intervals are too wide to decide.",
    }[verdict]
    measured = (
        f"{found[first]} after {first:,} steps, {found[last]} after {last:,}; difference over "
        f"seeds {change}"
    )
    numbers = {"difference": change.value, "low": change.low, "high": change.high}
    return Outcome(verdict, measured, reason, numbers)


def one_law(study: "Budget", claim: Claim) -> Outcome:
    """Whether the loss is one power law from width 10 on."""
    weights = {
        budget: {row.law: row.weight for row in comparison.rows if row.weight is not None}
        for budget, comparison in study.laws.items()
        if all(r.fit and len(r.fit.points.widths) >= claim["compared"] for r in comparison.rows)
    }
    if not weights:
        return untested(
            f"With fewer than {claim['compared']:g} widths from 10 on AICc cannot prefer a break, "
            "so it would be no test."
        )
    power = {budget: by_law.get("power law", 0.0) for budget, by_law in weights.items()}
    good = sum(weight > claim["some"] for weight in power.values())
    bad = sum(weight < claim["little"] for weight in power.values())
    words = "; ".join(
        f"{budget:,} steps: " + ", ".join(f"{law} {weight:.2f}" for law, weight in by_law.items())
        for budget, by_law in weights.items()
    )
    widths = study.main.found[max(weights)].widths
    slopes = study.main.exponents["10 on"]
    reason = (
        f"The power law leads at {good} of {len(power)} budgets and is excluded at {bad}; fitted "
        f"all the same, its exponent goes from {slopes[min(slopes)]} to {slopes[max(slopes)]}."
    )
    return Outcome(
        counted(good, bad, len(power)),
        f"weight of evidence over widths {max(10, widths[0]):g} to {widths[-1]:g}: {words}",
        reason,
        {f"power law, {budget}": weight for budget, weight in power.items()},
    )


def enough(study: "Budget", claim: Claim) -> Outcome:
    """Whether each width has saturated after the paper's steps."""
    steps, saturated, last = study.settings.steps, study.main.saturated, max(study.main.found)
    if not saturated:
        return untested("No width has two budgets a factor of 3 apart.")
    good = sum(one.budget.high <= steps for one in saturated.values())
    bad = sum(one.budget.low > steps for one in saturated.values())
    undecided = len(saturated) - good - bad
    reason = f"Of {len(saturated)} widths {good} have saturated by then and {bad} have not"
    words = (f"N = {width}: {_saturated(one.budget, last)}" for width, one in saturated.items())
    return Outcome(
        counted(good, bad, len(saturated)),
        "; ".join(words),
        reason + (f"; {undecided} are undecided." if undecided else "."),
        {"saturated": good, "not saturated": bad, "undecided": undecided},
    )


def _saturated(budget: Estimate, last: float) -> str:
    """A budget and its interval, where beyond the last one is infinite."""
    value, low, high = (
        f"{x:,.0f}" if np.isfinite(x) else f"beyond {last:,}"
        for x in (budget.value, budget.low, budget.high)
    )
    return value if low == value == high else f"{value} ({low} to {high})"


def wide_nets(study: "Budget", claim: Claim) -> Outcome:
    """Whether more steps restore the law beyond width 50."""
    found, steps = study.main.exponents["50 on"], study.settings.steps
    if len(found) < 2:
        return untested("Fewer than three widths from 50 on at two budgets.")
    last = max(found)
    base = min((b for b in found if b != last), key=lambda b: abs(np.log(b / steps)))
    change = study.main.moved(last, base, "50 on")
    if change is None:
        reason = "The budgets have fewer than three widths from 50 on in common."
        return untested(reason, _in_words(found))
    if found[last].high - found[last].low <= claim["wide"] and _reached(found[last], claim):
        verdict, reason = HOLDS, f"After {last:,} steps the law goes on."
    elif change.low > 0:
        verdict = IN_PART
        reason = "Longer training lowers the loss of wide nets more, and does not restore the law."
    elif change.high < claim["near"]:
        verdict, reason = FAILS, f"{last / base:.3g} times the steps do not restore the law."
    else:
        verdict, reason = UNTESTED, "The intervals are too wide to decide."
    measured = f"{_in_words(found)}; difference from {base:,} to {last:,} steps {change}"
    return Outcome(verdict, measured, reason, _numbers(found))


def schedule(study: "Budget", claim: Claim) -> Outcome:
    """Whether the loss gains from more steps only with the schedule scaled."""
    steps, gain, words = study.settings.steps, claim["gain"], []
    missing = f"Both schedules at {steps:,} steps and at a longer training are missing."
    other = study.lines.get(UNSCALED)
    if other is None:
        return untested(missing)
    last = max(set(other.found) & set(study.main.found), default=steps)
    good = bad = 0
    for width in other.by_width if last > steps else ():
        unscaled, scaled = (line.gain(width, steps, last) for line in (other, study.main))
        if unscaled and scaled:
            words.append(f"N = {width}: {unscaled} unscaled, {scaled} scaled")
            good += unscaled.high < gain < scaled.low
            bad += scaled.high < gain
    if not words:
        return untested(missing)
    reason = f"{good} of {len(words)} widths agree, {bad} disagree; the others are undecided."
    if good == len(words):
        reason = "At all widths the loss stops falling because the rate has become small."
    measured = f"gain from ten times the steps, by the loss at {steps:,} and {last:,}: "
    return Outcome(
        counted(good, bad, len(words)),
        measured + "; ".join(words),
        reason,
        {"agree": good, "of": len(words)},
    )


def varied(study: "Budget", claim: Claim) -> Outcome:
    """Whether the variations have the main line's exponent."""
    places, words = {}, []
    for name, line in study.lines.items():
        for budget in line.exponents["10 to 50"] if name not in (MAIN, LEAKY) else ():
            if (name, budget) == (UNSCALED, study.settings.steps) or budget not in study.main.found:
                continue  # the same training as the main line's, or nothing to compare with
            change = gap(line.found[budget], study.main.found[budget], *PAPER_RANGE)
            if change is not None:
                words.append(f"{name}, {budget:,} steps: {change}")
                places[f"{name} at {budget:,}"] = unchanged(change, claim["near"])
    if not words:
        numbers = {"agree": 0, "differ": 0, "undecided": 0}
        return untested("The variations are missing.", "", numbers)
    alike, undecided = (list(places.values()).count(one) for one in (HOLDS, UNTESTED))
    differ = [place for place, verdict in places.items() if verdict in (FAILS, IN_PART)]
    reason = f"{alike} agree, " + (
        f"{len(differ)} differ ({', '.join(differ)})" if differ else "none differs"
    )
    more = f"; {undecided} are consistent both with the main line and with a difference of "
    return Outcome(
        counted(alike, len(differ), alike + len(differ)),
        f"differences: {'; '.join(words)}",
        reason + (f"{more}{claim['near']:g}." if undecided else "."),
        {"agree": alike, "differ": len(differ), "undecided": undecided},
    )


def _in_words(found: Mapping[int, Estimate]) -> str:
    return "; ".join(f"{budget:,} steps: {exponent}" for budget, exponent in found.items())


def _numbers(found: Mapping[int, Estimate]) -> dict[str, float]:
    return {f"exponent at {budget}": exponent.value for budget, exponent in found.items()}
