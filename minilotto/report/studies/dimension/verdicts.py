"""What became of each claim about the number of inputs."""

from collections.abc import Iterable
from functools import partial
from itertools import combinations

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.differences import difference
from minilotto.analysis.stats.rates import INSIDE, OPEN, OUTSIDE, RULES, place, predicted, telling
from minilotto.analysis.stats.stretches import WINDOW, Stretch
from minilotto.report.claims import Outcome, untested
from minilotto.report.figure import commas, each
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED, counted
from minilotto.report.studies.dimension.analysis import (
    ENTRY,
    FAMILIES,
    LONGER,
    SPAN,
    Curve,
    Findings,
)

SHARMA, TICKETS = "4/D", "1"  # the two rules that are tested
SURE = ENTRY.claims["persists"]["most"]


def outcomes(found: Findings) -> dict[str, Outcome | list[Outcome]]:
    """Of each claim, by key; for each activation, of the first three."""
    shared, several = (one_law, enough_points, longer), (four_over_d, persists, inputs_decide)
    activations = found.activations
    by_activation = {rule.__name__: each(activations, partial(rule, found)) for rule in several}
    return by_activation | {rule.__name__: rule(found) for rule in shared}


def four_over_d(found: Findings, activation: str) -> Outcome:
    """Whether exponents are 4/D where that can be distinguished from 1."""
    every, rows = found.known(activation), found.rules.get(activation, ())
    places = [
        place(e, predicted(SHARMA, one.inputs))
        for one, e in every
        if telling(one.inputs, SHARMA, TICKETS)
    ]
    agree, differ, unsure = (places.count(which) for which in (INSIDE, OUTSIDE, OPEN))
    words = _by_family(every)
    words += [f"off {row.rule} by {row.misfit:.2f}, evidence {row.weight:.2f}" for row in rows]
    numbers = {one.task: e.value for one, e in every}
    numbers |= {f"off {row.rule}": row.misfit for row in rows}
    if not places:
        return untested(
            "No number of inputs here distinguishes 4/D from 1.", "; ".join(words), numbers
        )
    half = len(places) / 2
    if agree:
        verdict = IN_PART if differ or agree < half else HOLDS
    else:
        verdict = FAILS if differ >= half else UNTESTED
    reason = (
        f"Of {len(places)} exponents that distinguish the two {agree} agree, {differ} disagree and "
        f"{unsure} are open."
    )
    if rows:
        best = max(rows, key=lambda row: row.weight)
        nearest = f"{best.rule} is the nearest of the three rules"
        decided = best.weight >= SURE
        reason += (
            f" Over all D {nearest if decided else 'the three rules cannot be distinguished'}."
        )
    return Outcome(verdict, "; ".join(words), reason, numbers)


def _by_family(known: Iterable[tuple[Curve, Estimate]]) -> list[str]:
    """Exponents with their intervals, a phrase per family."""
    families: dict[str, list[str]] = {}
    for one, e in known:
        text = f"D = {one.inputs} {e.value:.2f} ({e.low:.2f} to {e.high:.2f})"
        families.setdefault(one.family, []).append(text)
    return [
        f"{FAMILIES.get(family, family)}: {', '.join(some)}" for family, some in families.items()
    ]


def persists(found: Findings, activation: str) -> Outcome:
    """Whether losses of several inputs fall as 1/N over some range of widths."""
    curves = [one for one in found.curves.values() if one.activation == activation]
    wide = [one for one in curves if one.inputs > 1 and one.span >= SPAN]
    stretches = {one.task: one.stretch for one in wide if one.stretch}
    lasting = [task for task, one in stretches.items() if one.share >= SURE]
    none = [task for task, one in stretches.items() if not one.possible]
    words = "; ".join(
        f"{task}: {f'{one.low:g} to {one.high:g}' if one.reach else 'nowhere'} ({_sure(one)})"
        for task, one in stretches.items()
    )
    decided = len(lasting) + len(none)
    reason = (
        f"{len(lasting)} of {len(stretches)} targets have such a range, {len(none)} have none, the "
        "others are open."
    )
    if lasting:
        reason += f" It is there for {commas(lasting)}."
    if not decided:
        few = f"No target of two inputs or more has widths over a factor {SPAN:g} that count."
        reason = "No target is decided." if stretches else few
    return Outcome(
        counted(len(lasting), len(none), decided),
        f"widest range near 1/N, and whether one is wide enough: {words}" if words else "",
        reason,
        {task: one.share for task, one in stretches.items()},
    )


def _sure(stretch: Stretch) -> str:
    """Whether there is a wide enough range, in a word."""
    return "yes" if stretch.share >= SURE else "open" if stretch.possible else "no"


def inputs_decide(found: Findings, activation: str) -> Outcome:
    """Whether targets of as many inputs have the same exponent."""
    near, known = ENTRY.claims["inputs_decide"]["near"], found.known(activation)
    pairs = [
        (one, other, difference(a, b))
        for (one, a), (other, b) in combinations(known, 2)
        if one.inputs == other.inputs
    ]
    differ = sum(max(d.low, -d.high) > near for _, _, d in pairs)
    agree = sum(max(d.high, -d.low) <= near for _, _, d in pairs)
    by_inputs = {D: [e.value for one, e in known if one.inputs == D] for D in found.inputs}
    ranges = {D: (min(some), max(some)) for D, some in by_inputs.items() if len(some) > 1}
    words = [f"D = {D}: {low:.2f} to {high:.2f}" for D, (low, high) in ranges.items()]
    if pairs:
        one, other, most = max(pairs, key=lambda pair: abs(pair[2].value))
        words.append(f"furthest apart are {one.task} and {other.task}, by {abs(most.value):.2f}")
    words += [
        f"{FAMILIES.get(family, family)}: slope against 1/D {line.slope}"
        for (name, family), line in found.lines.items()
        if name == activation and line.freedom > 1
    ]
    reason = (
        f"Of {len(pairs)} pairs {differ} differ, {agree} agree and "
        f"{len(pairs) - differ - agree} are open."
    )
    if not pairs:
        reason = "No two families have exponents at the same D."
    verdict = FAILS if differ > agree else IN_PART
    if not differ:
        verdict = HOLDS if pairs and agree == len(pairs) else UNTESTED
    numbers = {f"spread at D = {D}": high - low for D, (low, high) in ranges.items()}
    return Outcome(verdict, "; ".join(words), reason, numbers)


def one_law(found: Findings) -> Outcome:
    """Whether curves are power laws."""
    weights = {}
    for one in found.curves.values():
        rows = one.comparison.rows if one.comparison else ()
        by_law = {row.law: row.weight for row in rows if row.weight is not None}
        if len(by_law) > 1:
            weights[one.named] = by_law
    if not weights:
        return untested("Too few widths to compare laws.")
    power = {name: by_law["power law"] for name, by_law in weights.items()}
    good = sum(weight >= ENTRY.claims["one_law"]["some"] for weight in power.values())
    best = [max(by_law, key=lambda law: by_law[law]) for by_law in weights.values()]
    favoured = ", ".join(f"{law} {best.count(law)}" for law in sorted(set(best)))
    verdict = counted(good, len(power) - good, len(power))
    rest = "." if verdict == HOLDS else "; elsewhere an exponent is a mean over widths."
    reason = f"{good} of {len(power)} curves agree{rest}"
    return Outcome(verdict, f"curves by the law that is favoured: {favoured}", reason, power)


def enough_points(found: Findings) -> Outcome:
    """Whether nets have learnt the function or the points."""
    curves = found.curves.values()
    worst = max(curves, key=lambda one: one.ratio.max())
    largest = float(worst.ratio.max())
    out, idle = found.left_out
    lost = [one.named for one in curves if not one.fit and np.count_nonzero(~one.idle) >= WINDOW]
    steeper = [
        one.seen_fit.parameters[1] - one.fit.parameters[1]
        for one in curves
        if one.seen_fit and one.fit
    ]
    measured = f"largest ratio {largest:.2f} ({worst.named})"
    if steeper:
        measured += (
            f"; on the training points exponents are larger by {np.mean(steeper):.2f} on average, "
            f"{max(steeper):.2f} at most"
        )
    reason = (
        f"Of {sum(len(one.kept) for one in curves)} widths {out} are left out for it, {idle} as "
        "they have hardly begun."
    )
    reason += f" Too few are left of {commas(lost)}." if lost else ""
    verdict = HOLDS if not out else FAILS if lost else IN_PART
    return Outcome(verdict, measured, reason, {"largest ratio": largest, "left out": float(out)})


def longer(found: Findings) -> Outcome:
    """Whether a longer training would place exponents elsewhere."""
    steps, more = found.settings.steps, round(LONGER * found.settings.steps)
    words: list[str] = []
    numbers: dict[str, float] = {}
    places: list[set[str]] = []
    for case, one in found.longer.items():
        before, after = found.curves[case].exponent if case in found.curves else None, one.exponent
        if before is None or after is None:
            continue
        words.append(f"{one.named}: {before} after {steps:,} steps, {after} after {more:,}")
        numbers |= {f"{one.named}, shorter": before.value, f"{one.named}, longer": after.value}
        claimed = [predicted(rule, one.inputs) for rule in RULES]
        places += [{place(before, value), place(after, value)} for value in claimed]
    if not places:
        return untested("Nets that were trained longer are missing, or too few.")
    verdict, reason = HOLDS, "No exponent changes its place."
    if {INSIDE, OUTSIDE} in places:
        verdict = FAILS
        reason = "An exponent changes sides: what is measured belongs to the training budget too."
    elif any(len(both) > 1 for both in places):
        verdict, reason = IN_PART, "An exponent becomes open or decided; none changes sides."
    return Outcome(verdict, "; ".join(words), reason, numbers)
