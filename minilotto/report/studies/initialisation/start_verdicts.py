"""What the study of initialisation says of its hypotheses, from what became of each start."""

from collections.abc import Mapping

import numpy as np
from scipy.stats import chi2_contingency, spearmanr

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.differences import difference
from minilotto.report.claims import Verdict
from minilotto.report.rules import (
    FAILS,
    HOLDS,
    IN_PART,
    LEVEL,
    SEPARATED,
    UNTESTED,
    together,
    within,
)
from minilotto.report.studies.initialisation.starts import (
    DEFAULT,
    LEAST_SHARE,
    NEAR,
    TICKET,
    Start,
    Started,
)

Starts = Mapping[Start, Started]
STATED = 0.1  # the precision with which the paper states exponents
ALIKE, UNLIKE = (
    0.5,
    0.1,
)  # cosines above and below which errors pass for the same function, and for orthogonal
CHANCE = 0.01  # of shares as different as these where all are the same


def start_verdicts(starts: Starts) -> list[Verdict]:
    """Exponent, whose it is, tickets, likeness of errors, lazy against rich. `starts` has the
    default among them.
    """
    return [_exponents(starts), _own(starts), _tickets(starts), _alike(starts), _lazy(starts)]


def _others(starts: Starts) -> Starts:
    return {start: one for start, one in starts.items() if start != DEFAULT}


def _exponents(starts: Starts) -> Verdict:
    claim = f"The exponent does not depend on the start by more than {NEAR:g}"
    says = (
        "A scaling law is a law: how the parameters are drawn moves the losses, not the exponent."
    )
    how = (
        "Power laws over widths 10 to 50, with seeds' and widths' scatter; differences to "
        "torch's default, intervals "
        f"widened so that all together err as seldom as one (Bonferroni), against ±{NEAR:g}. "
        "Holds where all lie within, "
        "fails where one lies outside."
    )
    changes = {
        start: difference(one.strict_exponent, starts[DEFAULT].strict_exponent)
        for start, one in _others(starts).items()
    }
    if not changes:
        return Verdict(
            claim,
            says,
            f"default {starts[DEFAULT].exponent}",
            how,
            UNTESTED,
            "There is no other start to compare with.",
        )
    judged = {start: within(change, -NEAR, NEAR) for start, change in changes.items()}
    outside = [start for start, verdict in judged.items() if verdict == FAILS]
    verdict = FAILS if outside else together(list(judged.values()))
    furthest = max(changes, key=lambda start: abs(changes[start].value))
    reason = {
        HOLDS: "All starts have the default's exponent.",
        IN_PART: f"{list(judged.values()).count(HOLDS)} of {len(judged)} are the same; the others "
        "cannot be told apart from it.",
        UNTESTED: "No difference is known well enough.",
        FAILS: f"{len(outside)} of {len(judged)} have another one: {'; '.join(map(str, outside))}.",
    }[verdict]
    return Verdict(
        claim,
        says,
        f"default {starts[DEFAULT].exponent}; furthest from it {furthest}: "
        f"{starts[furthest].exponent}, by {changes[furthest]}",
        how,
        verdict,
        reason,
        {str(start): one.exponent.value for start, one in starts.items()},
    )


def _own(starts: Starts) -> Verdict:
    claim = "N⁻¹ is a property of torch's default"
    says = (
        "Exponent 1 over widths 10 to 50 comes with the start that the paper must have used, "
        "and with no other."
    )
    how = (
        "A start has exponent 1 where the interval, of seeds and widths, reaches within "
        f"{STATED:g} of it; where it is more "
        "than 1 wide, that is undecided. Holds where the default alone has it, fails where the "
        "default has not or half of "
        "the others have, in part where fewer have; undecided where only undecided ones could "
        "change that."
    )
    judged = {start: _is_one(one.exponent) for start, one in starts.items()}
    others = [start for start, one in judged.items() if one and start != DEFAULT]
    unknown = [start for start, one in judged.items() if one is None and start != DEFAULT]
    rest = len(starts) - 1
    told = (
        f"exponent 1 in {list(judged.values()).count(True)} of {len(starts)} starts; default "
        f"{starts[DEFAULT].exponent}"
    )
    told += f"; undecided in {len(unknown)}" if unknown else ""
    numbers = {
        "lawful": list(judged.values()).count(True),
        "undecided": len(unknown),
        "starts": len(starts),
    }
    if not rest or judged[DEFAULT] is None:
        reason = (
            "The default's interval is too wide to tell."
            if rest
            else "There is no other start to compare with."
        )
        return Verdict(claim, says, told, how, UNTESTED, reason, numbers)
    if not judged[DEFAULT]:
        return Verdict(
            claim, says, told, how, FAILS, "Not even the default has exponent 1.", numbers
        )
    verdict = (
        FAILS if 2 * len(others) >= rest else IN_PART if others else UNTESTED if unknown else HOLDS
    )
    reason = (
        f"Of the others {len(others)} of {rest} have it too: {'; '.join(map(str, others))}."
        if others
        else ""
    )
    return Verdict(
        claim, says, told, how, verdict, reason or "No other start is known to have it.", numbers
    )


def _tickets(starts: Starts) -> Verdict:
    claim = "The share of tickets does not depend on the start"
    says = (
        "To win a ticket is luck: a group of neurons happens to lie well, whatever the draw "
        "is from."
    )
    how = (
        f"Shares of two-neuron nets with a loss up to {TICKET:g} (the default's tickets end at "
        "8.3e-6, the next group begins "
        "at 1.3e-5); chi-square test that all starts have one share. Fails below a chance of "
        f"{CHANCE:g} where the largest "
        "share exceeds the smallest by more than a factor of 2, in part where by less. Otherwise "
        "it holds where they are "
        "within that factor, and cannot be told where not."
    )
    counted = {start: one for start, one in starts.items() if one.tickets}
    if len(counted) < 2:
        return Verdict(claim, says, "", how, UNTESTED, "Two-neuron nets of two starts are needed.")
    won = np.array([[one.won, one.tried - one.won] for one in counted.values()])
    shares = won[:, 0] / won.sum(axis=1)
    if not won[:, 0].any() or not won[:, 1].any():
        return Verdict(
            claim,
            says,
            f"{shares[0]:.0%} in all",
            how,
            UNTESTED,
            "All nets end alike; there is nothing to compare.",
        )
    chance = float(chi2_contingency(won).pvalue)
    most, least = (list(counted)[int(at)] for at in (np.argmax(shares), np.argmin(shares)))
    spread = shares.max() / max(shares.min(), LEAST_SHARE)
    verdict = (
        (FAILS if spread > 2 else IN_PART) if chance < CHANCE else UNTESTED if spread > 2 else HOLDS
    )
    reason = {
        HOLDS: "Chance would make shares as different as these.",
        IN_PART: "They differ, by less than a factor of 2.",
        UNTESTED: "They may differ by more than a factor of 2, or by chance; more nets are needed.",
        FAILS: f"The start decides how many nets draw one: {spread:.2g} times as many with {most} "
        f"as with {least}."
        if shares.min() > 0
        else f"The start decides how many nets draw one: none with {least}.",
    }[verdict]
    told = (
        f"default {starts[DEFAULT].tickets or 'missing'}; most {most}: {counted[most].tickets}; "
        f"fewest {least}: "
        f"{counted[least].tickets}"
    )
    numbers = {str(start): float(share) for start, share in zip(counted, shares, strict=True)}
    return Verdict(
        claim,
        says,
        f"{told}; chance {chance:.2g}",
        how,
        verdict,
        reason,
        {**numbers, "chance": chance},
    )


def _alike(starts: Starts) -> Verdict:
    claim = "Errors of different seeds are alike whatever the start"
    says = (
        "That all seeds make nearly the same error, so that averaging gains little, is no "
        "accident of the default."
    )
    how = (
        f"Median cosine of the errors of two seeds at N = {starts[DEFAULT].widest}, over disjoint "
        "pairs of nets, for each "
        f"start: above {ALIKE:g} for all of them: {SEPARATED}."
    )
    rows = {start: one.likeness for start, one in starts.items() if one.likeness}
    if not rows:
        return Verdict(claim, says, "", how, UNTESTED, "Nets of that width are missing.")
    judged = [within(one, ALIKE, 1.0) for one in rows.values()]
    verdict = together(judged)
    least = min(rows, key=lambda start: rows[start].value)
    orthogonal = [str(start) for start, one in rows.items() if one.high < UNLIKE]
    reason = (
        f"Below {UNLIKE:g}, not alike at all: {'; '.join(orthogonal)}."
        if orthogonal
        else f"None is below {UNLIKE:g} for certain."
    )
    told = (
        f"above {ALIKE:g} in {judged.count(HOLDS)} of {len(rows)} starts; least {least}: "
        f"{rows[least]}"
    )
    return Verdict(
        claim,
        says,
        told,
        how,
        verdict,
        reason,
        {str(start): one.value for start, one in rows.items()},
    )


def _lazy(starts: Starts) -> Verdict:
    claim = "The further parameters move, the smaller the loss"
    says = (
        "Rich training, which leaves its start behind, finds better nets than lazy training, "
        "which keeps it."
    )
    how = (
        "Rank correlation (Spearman), over starts, of |theta - theta0| / |theta0| with the "
        "median loss at N = "
        f"{starts[DEFAULT].widest}, interval by Bonett and Wright (2000). Holds where it lies "
        "below 0, fails where above."
    )
    rows = {
        start: (one.moved.value, one.loss.value)
        for start, one in starts.items()
        if one.moved and one.loss
    }
    if len(rows) < 5:
        return Verdict(
            claim,
            says,
            "",
            how,
            UNTESTED,
            f"{len(rows)} starts are too few for a correlation; five are needed.",
        )
    moved, loss = np.array(list(rows.values())).T
    found = _rank_correlation(moved, loss)
    verdict = HOLDS if found.high < 0 else FAILS if found.low > 0 else UNTESTED
    reason = {
        HOLDS: "Richer starts end lower.",
        FAILS: "Lazier starts end lower.",
        UNTESTED: f"{len(rows)} starts show neither.",
    }[verdict]
    lazy, rich = (list(rows)[int(at)] for at in (np.argmin(moved), np.argmax(moved)))
    told = (
        f"correlation {found}; laziest {lazy} moves {moved.min():.2g} to loss "
        f"{rows[lazy][1]:.2g}, richest {rich} "
        f"{moved.max():.2g} to {rows[rich][1]:.2g}"
    )
    return Verdict(
        claim,
        says,
        told,
        how,
        verdict,
        reason,
        {"correlation": found.value, "low": found.low, "high": found.high},
    )


def _is_one(exponent: Estimate) -> bool | None:
    """Whether it is 1 to the paper's precision; None where that is not known."""
    if exponent.high - exponent.low > 1:
        return None
    return exponent.low - STATED <= 1 <= exponent.high + STATED


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> Estimate:
    """Spearman's rank correlation with its interval: tanh(artanh r +- 1.96 sqrt((1 + r^2 / 2) / (n
    - 3))).
    """
    value = float(spearmanr(one, other).statistic)
    bounded = float(np.clip(value, -1 + 1e-12, 1 - 1e-12))
    reach = 1.959964 * np.sqrt((1 + bounded**2 / 2) / (len(one) - 3))
    low, high = np.tanh(np.arctanh(bounded) + np.array([-reach, reach]))
    return Estimate(value, float(low), float(high), LEVEL)
