"""What curves of loss against width say of each hypothesis about the number of inputs."""

from collections.abc import Iterable
from itertools import combinations

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.rates import (
    INSIDE,
    OPEN,
    OUTSIDE,
    RULES,
    TOLERANCE,
    place,
    predicted,
    telling,
)
from minilotto.analysis.stats.stretches import WINDOW, Stretch
from minilotto.report.claims import Verdict
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED
from minilotto.report.studies.dimension.dimension_curves import (
    FAMILIES,
    HELD_OUT,
    LABELS,
    LEARNT_BY_HEART,
    LONGER,
    SPAN,
    Curve,
    Findings,
)

SHARMA, TICKETS = "4/D", "1"  # the two rules on trial
# of bootstrap replicates, above which a range of 1/N is there; of evidence, above which a rule is
# the better
SURE = 0.95
ALIKE = 0.5  # up to which exponents of two families pass for equal


def verdicts(found: Findings) -> list[Verdict]:
    """Three hypotheses for each activation, and three on which these rest."""
    tests = (four_over_d, persists, inputs_decide)
    return [
        *(test(found, a) for a in found.activations for test in tests),
        one_law(found),
        by_heart(found),
        longer(found),
    ]


def four_over_d(found: Findings, activation: str) -> Verdict:
    """Whether exponents are 4/D where that can be told from 1."""
    claim = f"{LABELS.get(activation, activation)}: the exponent is 4/D"
    says = (
        "A net fits a function of D inputs piece by piece, so its loss falls as N^(-4/D), "
        "whatever the function."
    )
    how = (
        "Exponents of targets whose D tells 4/D from 1. One agrees where its whole interval lies "
        "within a factor "
        f"{TOLERANCE:.2f} of 4/D, disagrees where none of it does, else it is open. Holds where "
        "at least half agree and none "
        "disagrees, in part where some agree and some do not, fails where none agrees and at "
        "least half disagree. Beside it: by "
        "how much exponents of all D stray from each rule beyond their own errors, and its share "
        "of the evidence among the three."
    )
    every, rows = found.told(activation), found.rules.get(activation, ())
    places = [
        place(e, predicted(SHARMA, one.inputs))
        for one, e in every
        if telling(one.inputs, SHARMA, TICKETS)
    ]
    agree, differ, unsure = (places.count(which) for which in (INSIDE, OUTSIDE, OPEN))
    words = "; ".join(
        [
            *_by_family(every),
            *(f"off {row.rule} by {row.misfit:.2f}, evidence {row.weight:.2f}" for row in rows),
        ]
    )
    numbers = {one.task: e.value for one, e in every} | {
        f"off {row.rule}": row.misfit for row in rows
    }
    if not places:
        return Verdict(
            claim, says, words, how, UNTESTED, "No number of inputs here tells 4/D from 1.", numbers
        )
    half = len(places) / 2
    verdict = (
        HOLDS
        if agree >= half and not differ
        else IN_PART
        if agree
        else FAILS
        if differ >= half
        else UNTESTED
    )
    reason = (
        f"Of {len(places)} telling exponents {agree} agree, {differ} disagree and {unsure} "
        "are open."
    )
    if rows:
        best = max(rows, key=lambda row: row.weight)
        nearest = (
            f"{best.rule} is the nearest of the three rules"
            if best.weight >= SURE
            else "the three rules cannot be told apart"
        )
        reason += f" Over all D {nearest}."
    return Verdict(claim, says, words, how, verdict, reason, numbers)


def persists(found: Findings, activation: str) -> Verdict:
    """Whether losses of several inputs fall as 1/N over some range of widths."""
    claim = f"{LABELS.get(activation, activation)}: N⁻¹ persists in more inputs"
    says = (
        "More neurons are more tickets to average, however many inputs there are: over some "
        "range of widths the loss is ∝ 1/N."
    )
    how = (
        "Exponents over each three neighbouring widths. A target has a range of 1/N where these "
        "stay within a factor "
        f"{TOLERANCE:.2f} of 1 over a factor {SPAN:g} in width in at least {SURE:.0%} of "
        "bootstrap replicates, and has none where "
        "in each range as wide one of them has its whole interval beyond; else it is open. Holds "
        "where all decided targets of two "
        "inputs or more have one, in part where some have."
    )
    stretches = {
        one.task: one.stretch
        for one in found.curves.values()
        if one.activation == activation
        and one.inputs > 1
        and one.stretch is not None
        and one.span >= SPAN
    }
    lasting = [task for task, stretch in stretches.items() if stretch.share >= SURE]
    none = [task for task, stretch in stretches.items() if not stretch.possible]
    words = "; ".join(
        f"{task}: {f'{s.low:g} to {s.high:g}' if s.reach else 'nowhere'} ({_sure(s)})"
        for task, s in stretches.items()
    )
    measured = f"widest range near 1/N, and whether one is wide enough: {words}" if words else ""
    numbers = {task: stretch.share for task, stretch in stretches.items()}
    if not lasting and not none:
        few = f"No target of two inputs or more has widths over a factor {SPAN:g} that count."
        reason = "No target is decided." if stretches else few
        return Verdict(claim, says, measured, how, UNTESTED, reason, numbers)
    reason = (
        f"{len(lasting)} of {len(stretches)} targets have such a range, {len(none)} have "
        "none, the others are open."
    )
    if lasting:
        reason += f" It is there for {_listed(lasting)}."
    verdict = HOLDS if not none else IN_PART if lasting else FAILS
    return Verdict(claim, says, measured, how, verdict, reason, numbers)


def _sure(stretch: Stretch) -> str:
    """Whether there is a wide enough range, in a word."""
    return "yes" if stretch.share >= SURE else "open" if stretch.possible else "no"


def inputs_decide(found: Findings, activation: str) -> Verdict:
    """Whether targets of as many inputs have the same exponent."""
    claim = f"{LABELS.get(activation, activation)}: the number of inputs decides, not the function"
    says = "Targets of as many inputs have the same exponent; a law in D alone needs it."
    how = (
        "Differences of exponents between families, for each D. Two agree where the whole "
        "interval of their difference lies within "
        f"{ALIKE:g} of 0, differ where none of it does, else they are open. Holds where all "
        "agree, fails where more differ than "
        "agree, in part where fewer do, and is not tested where none differ and some are open."
    )
    told = found.told(activation)
    pairs = [
        (one, other, _difference(a, b))
        for (one, a), (other, b) in combinations(told, 2)
        if one.inputs == other.inputs
    ]
    differ = sum(max(d.low, -d.high) > ALIKE for _, _, d in pairs)
    agree = sum(max(d.high, -d.low) <= ALIKE for _, _, d in pairs)
    spans = {D: [e.value for one, e in told if one.inputs == D] for D in found.inputs}
    spans = {D: some for D, some in spans.items() if len(some) > 1}
    words = [f"D = {D}: {min(some):.2f} to {max(some):.2f}" for D, some in spans.items()]
    if pairs:
        one, other, most = max(pairs, key=lambda pair: abs(pair[2].value))
        words.append(f"furthest apart are {one.task} and {other.task}, by {abs(most.value):.2f}")
    lines = [
        (family, line)
        for (name, family), line in found.lines.items()
        if name == activation and line.freedom > 1
    ]
    words += [
        f"{FAMILIES.get(family, family)}: slope against 1/D {line.slope}" for family, line in lines
    ]
    numbers = {f"spread at D = {D}": max(some) - min(some) for D, some in spans.items()}
    reason = (
        f"Of {len(pairs)} pairs {differ} differ, {agree} agree and "
        f"{len(pairs) - differ - agree} are open."
    )
    if not pairs:
        reason = "No two families have exponents at the same D."
    verdict = (
        HOLDS
        if pairs and agree == len(pairs)
        else UNTESTED
        if not differ
        else FAILS
        if differ > agree
        else IN_PART
    )
    return Verdict(claim, says, "; ".join(words), how, verdict, reason, numbers)


def one_law(found: Findings) -> Verdict:
    """Whether curves are power laws."""
    claim = "One power law describes each curve"
    says = "An exponent belongs to a curve only where a power law is its shape."
    how = (
        "Power law, plateau and broken power law compared by AICc, on the widths kept. A curve "
        "agrees where the power law has at "
        "least half of the evidence. Holds where all curves agree, in part where some do."
    )
    weights = {}
    for one in found.curves.values():
        shares = (
            {row.law: row.weight for row in one.comparison.rows if row.weight is not None}
            if one.comparison
            else {}
        )
        if len(shares) > 1:
            weights[one.named] = shares
    if not weights:
        return Verdict(claim, says, "", how, UNTESTED, "Too few widths to compare laws.")
    good = sum(shares["power law"] >= 0.5 for shares in weights.values())
    best = [max(shares, key=lambda law: shares[law]) for shares in weights.values()]
    measured = "curves by the law that is favoured: " + ", ".join(
        f"{law} {best.count(law)}" for law in sorted(set(best))
    )
    verdict = HOLDS if good == len(weights) else IN_PART if good else FAILS
    reason = f"{good} of {len(weights)} curves agree" + (
        "." if verdict == HOLDS else "; elsewhere an exponent is a mean over widths."
    )
    return Verdict(
        claim,
        says,
        measured,
        how,
        verdict,
        reason,
        {name: shares["power law"] for name, shares in weights.items()},
    )


def by_heart(found: Findings) -> Verdict:
    """Whether nets have learnt the function or the points."""
    claim = "The points are enough"
    says = "Losses are those of the function, not of the points that the nets were trained on."
    how = (
        f"Median loss on {HELD_OUT:,} other points over that on the training points. Holds where "
        "it stays up to "
        f"{LEARNT_BY_HEART:g} for all widths, in part where every curve of {WINDOW} widths that "
        "learn keeps as many, else fails. "
        "Beside it: exponents on the training points, which with infinitely many points would be "
        "the same."
    )
    curves = found.curves.values()
    worst = max(curves, key=lambda one: one.ratio.max())
    out, idle = found.left_out
    lost = [
        one.named for one in curves if one.fit is None and np.count_nonzero(~one.idle) >= WINDOW
    ]
    pairs = [(one.seen_fit, one.fit) for one in curves]
    steeper = [
        seen.parameters[1] - held.parameters[1]
        for seen, held in pairs
        if seen is not None and held is not None
    ]
    largest = float(worst.ratio.max())
    measured = f"largest ratio {largest:.2f} ({worst.named})"
    if steeper:
        mean, most = np.mean(steeper), max(steeper)
        measured += (
            f"; on the training points exponents are larger by {mean:.2f} on average, "
            f"{most:.2f} at most"
        )
    reason = (
        f"Of {sum(len(one.kept) for one in curves)} widths {out} are left out for it, {idle} "
        "as they have hardly begun."
    )
    reason += f" Too few are left of {_listed(lost)}." if lost else ""
    verdict = HOLDS if not out else FAILS if lost else IN_PART
    return Verdict(
        claim,
        says,
        measured,
        how,
        verdict,
        reason,
        {"largest ratio": largest, "left out": float(out)},
    )


def longer(found: Findings) -> Verdict:
    """Whether a longer training would place exponents elsewhere."""
    steps = found.settings.steps
    claim = "Longer training says the same"
    says = (
        f"Exponents after {steps:,} steps with a shrunken schedule stand beside the rules as "
        f"after {round(LONGER * steps):,}."
    )
    how = (
        f"Nets of some targets trained {LONGER:g} times as long. Holds where each exponent is "
        "placed as before beside each of the "
        "three rules, fails where one goes from agreement to disagreement or back, in part where "
        "one becomes open or decided."
    )
    words: list[str] = []
    numbers: dict[str, float] = {}
    places: list[tuple[str, str]] = []
    for case, one in found.longer.items():
        before, after = found.curves[case].exponent if case in found.curves else None, one.exponent
        if before is None or after is None:
            continue
        words.append(
            f"{one.named}: {before} after {steps:,} steps, {after} after {round(LONGER * steps):,}"
        )
        numbers |= {f"{one.named}, shorter": before.value, f"{one.named}, longer": after.value}
        claimed = [predicted(rule, one.inputs) for rule in RULES]
        places += [(place(before, rule), place(after, rule)) for rule in claimed]
    if not places:
        return Verdict(
            claim, says, "", how, UNTESTED, "Nets that were trained longer are missing, or too few."
        )
    if any(set(pair) == {INSIDE, OUTSIDE} for pair in places):
        verdict, reason = (
            FAILS,
            "An exponent turns round: what is measured here belongs to the training budget too.",
        )
    elif any(a != b for a, b in places):
        verdict, reason = IN_PART, "An exponent becomes open or decided; none turns round."
    else:
        verdict, reason = HOLDS, "None changes its place."
    return Verdict(claim, says, "; ".join(words), how, verdict, reason, numbers)


def _difference(a: Estimate, b: Estimate) -> Estimate:
    """a - b, of independent estimates: half intervals are added in quadrature."""
    value = a.value - b.value
    low = value - float(np.hypot(a.value - a.low, b.high - b.value))
    high = value + float(np.hypot(a.high - a.value, b.value - b.low))
    return Estimate(value, low, high, a.level)


def _by_family(told: Iterable[tuple[Curve, Estimate]]) -> list[str]:
    """Exponents with their intervals, a phrase a family."""
    families: dict[str, list[str]] = {}
    for one, e in told:
        families.setdefault(one.family, []).append(
            f"D = {one.inputs} {e.value:.2f} ({e.low:.2f} to {e.high:.2f})"
        )
    return [f"{FAMILIES.get(family, family)}: {_listed(some)}" for family, some in families.items()]


def _listed(things: Iterable[object]) -> str:
    return ", ".join(map(str, things))
