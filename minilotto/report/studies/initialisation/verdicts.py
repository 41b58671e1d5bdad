"""What became of each claim about initialisation."""

from collections.abc import Mapping

import numpy as np
from scipy.stats import chi2_contingency, spearmanr

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.differences import difference
from minilotto.report.claims import Claim, Outcome, untested
from minilotto.report.rules import FAILS, HOLDS, IN_PART, LEVEL, UNTESTED, reaches, together, within
from minilotto.report.studies.initialisation.analysis import DEFAULT, ENTRY, Start, Started
from minilotto.settings.arrays import Array

Starts = Mapping[Start, Started]  # the default among them
LEAST_FRACTION = 1e-3  # of nets, in place of none


def outcomes(starts: Starts) -> dict[str, Outcome]:
    """Of each claim, by key."""
    rules = (exponents, own, tickets, alike, lazy)
    return {rule.__name__: rule(starts, ENTRY.claims[rule.__name__]) for rule in rules}


def exponents(starts: Starts, claim: Claim) -> Outcome:
    """Whether all starts have the default's exponent."""
    default, near = starts[DEFAULT], claim["near"]
    changes = {
        start: difference(one.strict_exponent, default.strict_exponent)
        for start, one in starts.items()
        if start != DEFAULT
    }
    if not changes:
        return untested("There is no other start to compare with.", f"default {default.exponent}")
    judged = {start: within(change, -near, near) for start, change in changes.items()}
    outside = [str(start) for start, verdict in judged.items() if verdict == FAILS]
    verdict = FAILS if outside else together(list(judged.values()))
    furthest = max(changes, key=lambda start: abs(changes[start].value))
    reason = {
        HOLDS: "All starts have the default's exponent.",
        IN_PART: f"{list(judged.values()).count(HOLDS)} of {len(judged)} are the same; the others "
        "are undecided.",
        UNTESTED: "No difference is known well enough.",
        FAILS: f"{len(outside)} of {len(judged)} have another one: {'; '.join(outside)}.",
    }[verdict]
    measured = (
        f"default {default.exponent}; furthest from it {furthest}: {starts[furthest].exponent}, by "
        f"{changes[furthest]}"
    )
    numbers = {str(start): one.exponent.value for start, one in starts.items()}
    return Outcome(verdict, measured, reason, numbers)


def own(starts: Starts, claim: Claim) -> Outcome:
    """Whether the default alone has exponent 1."""
    judged = {start: _is_one(one.exponent, claim) for start, one in starts.items()}
    default = judged.pop(DEFAULT)
    others = [str(start) for start, one in judged.items() if one]
    unknown = list(judged.values()).count(None)
    lawful = len(others) + bool(default)
    measured = f"exponent 1 in {lawful} of {len(starts)} starts; default {starts[DEFAULT].exponent}"
    measured += f"; undecided in {unknown}" if unknown else ""
    numbers = {"lawful": lawful, "undecided": unknown, "starts": len(starts)}
    if not judged:
        return untested("There is no other start to compare with.", measured, numbers)
    if default is None:
        return untested("The default's interval is too wide to decide.", measured, numbers)
    if not default:
        return Outcome(FAILS, measured, "Not even the default has exponent 1.", numbers)
    if not others:
        verdict, reason = UNTESTED if unknown else HOLDS, "No other start is known to have it."
    else:
        verdict = FAILS if 2 * len(others) >= len(judged) else IN_PART
        reason = f"Of the others {len(others)} of {len(judged)} have it too: {'; '.join(others)}."
    return Outcome(verdict, measured, reason, numbers)


def _is_one(exponent: Estimate, claim: Claim) -> bool | None:
    """Whether it is 1 to the paper's precision; None where that is not known."""
    if exponent.high - exponent.low > claim["wide"]:
        return None
    return reaches(exponent, claim["claimed"], claim["stated"], claim["near"]) == HOLDS


def tickets(starts: Starts, claim: Claim) -> Outcome:
    """Whether all starts have the same fraction of tickets."""
    tried = {start: one for start, one in starts.items() if one.tickets}
    if len(tried) < 2:
        return untested("Two-neuron nets of two starts are needed.")
    won = np.array([[one.won, one.tried - one.won] for one in tried.values()])
    fractions = won[:, 0] / won.sum(axis=1)
    if not won.any(axis=0).all():
        reason = "All nets end alike; there is nothing to compare."
        return untested(reason, f"{fractions[0]:.0%} in all")
    chance = float(chi2_contingency(won).pvalue)
    most, least = (list(tried)[int(at)] for at in (np.argmax(fractions), np.argmin(fractions)))
    factor = fractions.max() / max(fractions.min(), LEAST_FRACTION)
    wide = factor > claim["similar"]
    if chance < claim["chance"]:
        verdict = FAILS if wide else IN_PART
    else:
        verdict = UNTESTED if wide else HOLDS
    times = f"{factor:.2g} times as many with {most} as with {least}"
    reason = {
        HOLDS: "Chance would make fractions as different as these.",
        IN_PART: f"They differ, by less than a factor of {claim['similar']:g}.",
        UNTESTED: f"They may differ by more than a factor of {claim['similar']:g}, or by chance; "
        "more nets are needed.",
        FAILS: "The start decides how many nets draw one: "
        f"{times if fractions.min() > 0 else f'none with {least}'}.",
    }[verdict]
    measured = (
        f"default {starts[DEFAULT].tickets or 'missing'}; most {most}: {tried[most].tickets}; "
        f"fewest {least}: {tried[least].tickets}; chance {chance:.2g}"
    )
    numbers = {str(start): float(one) for start, one in zip(tried, fractions, strict=True)}
    return Outcome(verdict, measured, reason, {**numbers, "chance": chance})


def alike(starts: Starts, claim: Claim) -> Outcome:
    """Whether errors of different seeds are alike for each start."""
    rows = {start: one.likeness for start, one in starts.items() if one.likeness}
    if not rows:
        return untested("Nets of that width are missing.")
    judged = [within(one, claim["some"], 1.0) for one in rows.values()]
    limit, least = claim["orthogonal"], min(rows, key=lambda start: rows[start].value)
    orthogonal = [str(start) for start, one in rows.items() if one.high < limit]
    reason = f"Below {limit:g}, not alike at all: {'; '.join(orthogonal)}."
    measured = (
        f"above {claim['some']:g} in {judged.count(HOLDS)} of {len(rows)} starts; least {least}: "
        f"{rows[least]}"
    )
    return Outcome(
        together(judged),
        measured,
        reason if orthogonal else f"None is below {limit:g} for certain.",
        {str(start): one.value for start, one in rows.items()},
    )


def lazy(starts: Starts, claim: Claim) -> Outcome:
    """Whether starts whose parameters move further end at lower losses."""
    rows = {
        start: (one.moved.value, one.loss.value)
        for start, one in starts.items()
        if one.moved and one.loss
    }
    if len(rows) < claim["least"]:
        return untested(
            f"{len(rows)} starts are too few for a correlation; {claim['least']:g} are needed."
        )
    moved, loss = np.array(list(rows.values())).T
    found = _rank_correlation(moved, loss)
    verdict = HOLDS if found.high < 0 else FAILS if found.low > 0 else UNTESTED
    reason = {
        HOLDS: "Richer starts end lower.",
        FAILS: "Lazier starts end lower.",
        UNTESTED: f"{len(rows)} starts show neither.",
    }[verdict]
    least, most = (list(rows)[int(at)] for at in (np.argmin(moved), np.argmax(moved)))
    measured = (
        f"correlation {found}; laziest {least} moves {moved.min():.2g} to loss "
        f"{rows[least][1]:.2g}, richest {most} {moved.max():.2g} to {rows[most][1]:.2g}"
    )
    numbers = {"correlation": found.value, "low": found.low, "high": found.high}
    return Outcome(verdict, measured, reason, numbers)


def _rank_correlation(one: Array, other: Array) -> Estimate:
    """Spearman's rank correlation with its interval: tanh(artanh r +- 1.96 sqrt((1 + r^2 / 2) /
    (n - 3))).
    """
    value = float(spearmanr(one, other).statistic)
    bounded = float(np.clip(value, -1 + 1e-12, 1 - 1e-12))
    reach = 1.959964 * np.sqrt((1 + bounded**2 / 2) / (len(one) - 3))
    low, high = np.tanh(np.arctanh(bounded) + np.array([-reach, reach]))
    return Estimate(value, float(low), float(high), LEVEL)
