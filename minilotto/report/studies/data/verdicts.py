"""What became of each claim about the number of points and label noise."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate, Points
from minilotto.analysis.stats.differences import difference, ratio
from minilotto.analysis.stats.estimates import estimates
from minilotto.analysis.stats.scaling import compare_laws, fit_law, local_exponents
from minilotto.report.claims import Claim, Outcome, untested
from minilotto.report.figure import each, interval, named
from minilotto.report.rules import FAILS, HOLDS, IN_PART, LEVEL, UNTESTED, share, together, within
from minilotto.report.studies.data.analysis import INFINITE, Samples, straight_lines

if TYPE_CHECKING:
    from minilotto.report.studies.data.data import Data

MANY = 1_000_000  # times, beyond which the exact number says nothing


def outcomes(study: "Data") -> dict[str, Outcome | list[Outcome]]:
    """Of each claim, by key; of the first and the last for each activation."""
    claims = study.entry.claims
    rules = (few_points, resolution, misled, noise_cost, noise_decay)
    found: dict[str, Outcome | list[Outcome]] = {}
    for rule in (same_exponent, survives):
        claim = claims[rule.__name__]
        found[rule.__name__] = each(study.samples, partial(rule, study, claim))
    return found | {rule.__name__: rule(study, claims[rule.__name__]) for rule in rules}


def same_exponent(study: "Data", claim: Claim, activation: str) -> Outcome:
    """Whether the exponent of one activation depends on the points."""
    here, all_x = (study.exponent(activation, count) for count in (study.usual, INFINITE))
    if here is None or all_x is None:
        return untested("One of the two fits is missing: train three widths or more on both.")
    change = difference(all_x, here)
    verdict = within(change, -claim["near"], claim["near"])
    faster = "faster" if change.value > 0 else "more slowly"
    reason = {
        HOLDS: "The points do not affect it.",
        FAILS: f"On infinitely many points the loss falls {faster} with width.",
        UNTESTED: f"The interval reaches both sides of {claim['near']:g}.",
    }[verdict]
    laws = _evidence(study.fits[activation, INFINITE, False].points)
    measured = (
        f"{study.usual} points: {here}; infinitely many: {all_x}; difference {change}. On "
        f"infinitely many points: {laws}"
    )
    ends = dict(zip(("difference", "low", "high"), interval(change), strict=True))
    numbers = {"on points": here.value, "on all x": all_x.value, **ends}
    return Outcome(verdict, measured, reason, numbers)


def _evidence(found: Points) -> str:
    """Weights of the laws that could be compared, in words."""
    rows = [row for row in compare_laws(found).rows if row.weight is not None]
    weights = ", ".join(f"{row.law} {row.weight:.2f}" for row in rows)
    return f"evidence {weights}" if rows else "too few widths to compare laws"


def few_points(study: "Data", claim: Claim) -> Outcome:
    """Whether SiLU nets on the fewest points are as good as those on infinitely many."""
    few, limit = min(study.settings.points), claim["similar"]
    found, rows = study.samples.get("silu", Samples()), {}
    for width in found.widths(few):
        here, all_x = found.middle(few, width), found.middle(INFINITE, width)
        if here and all_x:
            rows[width] = ratio(here, all_x)
    if not rows:
        return untested("SiLU nets on the fewest points and on all x are missing.")
    judged = [within(one, 0.0, limit) for one in rows.values()]
    verdict = together(judged)
    reason = {
        HOLDS: "Resolution does not limit SiLU nets.",
        IN_PART: f"Of {len(judged)} widths {judged.count(HOLDS)} are below {limit:g} for certain, "
        f"{judged.count(FAILS)} above.",
        FAILS: "So few points do not determine the function between them.",
        UNTESTED: f"All intervals reach both sides of {limit:g}.",
    }[verdict]
    measured = "ratio " + "; ".join(f"N = {width}: {one}" for width, one in rows.items())
    return Outcome(verdict, measured, reason, {f"ratio at {w}": r.value for w, r in rows.items()})


def resolution(study: "Data", claim: Claim) -> Outcome:
    """Whether LeakyReLU nets on few points are straight lines between them."""
    found, factor = study.samples.get("leaky_relu", Samples()), claim["similar"]
    width = max(found.widths(study.usual), default=0)
    by_count = found.by_count(width)
    few = None if by_count is None else by_count.select(by_count.widths <= width)
    if few is None or not len(few.widths):
        return untested("Nets on fewer points than they have neurons are missing.")
    rows = {n: _over(one, float(straight_lines(np.array(n)))) for n, one in estimates(few).items()}
    verdict = together([within(one, 1 / factor, factor) for one in rows.values()])
    words = f"N = {width}: " + "; ".join(f"{one} at P = {count}" for count, one in rows.items())
    numbers = {f"ratio at {count}": one.value for count, one in rows.items()}
    if len(rows) > 1:
        local = local_exponents(few.select([0, 1]))
        ends = (float(local.exponent[0]), float(local.low[0]), float(local.high[0]))
        exponent = Estimate(*ends, LEVEL)
        words += f"; exponent from {few.widths[0]:g} to {few.widths[1]:g} points {exponent}"
        numbers["exponent"] = exponent.value
    reason = {
        HOLDS: "Resolution limits the nets there.",
        IN_PART: "At some numbers of points resolution limits the nets, at others something else, "
        "or that is not certain.",
        FAILS: "The gaps between the points do not determine the loss.",
        UNTESTED: f"The intervals reach both sides of a factor of {factor:g}.",
    }[verdict]
    return Outcome(verdict, words, reason, numbers)


def misled(study: "Data", claim: Claim) -> Outcome:
    """Whether the number of parameters predicts where the training loss misleads."""
    gaps = [
        (activation, *place, gap)
        for activation, found in study.samples.items()
        for place, gap in found.gaps().items()
    ]
    limit = claim["similar"]
    wrong = [row for row in gaps if row[-1] > limit]
    right = sum((gap > limit) == (count <= 3 * width + 1) for _, _, count, width, gap in gaps)
    verdict = share(right / len(gaps), claim["most"], claim["some"])
    words = []
    for activation in study.samples:
        mine = [row for row in wrong if row[0] == activation]
        if mine:
            _, kind, count, width, gap = max(mine, key=lambda row: row[-1])
            times = f"{gap:.2g}" if gap < MANY else f"over {MANY:,}"
            words.append(
                f"{named(activation)}: up to P = {max(row[2] for row in mine)}, {times} times on "
                f"{count} {kind} points, N = {width}"
            )
        else:
            words.append(f"{named(activation)}: nowhere")
    predicts = "predicts" if verdict == HOLDS else "does not predict"
    return Outcome(
        verdict,
        f"misled in {len(wrong)} of {len(gaps)} cases ({'; '.join(words)}); the rule is right in "
        f"{right / len(gaps):.0%}",
        f"The number of parameters {predicts} where.",
        {"right": right / len(gaps), "misled": len(wrong), "cases": len(gaps)},
    )


def noise_cost(study: "Data", claim: Claim) -> Outcome:
    """Whether nets learn as much noise as they have parameters."""
    noise, count, same = study.noise, max(study.settings.noisy_points), claim["same"]
    rows, words, numbers = [], [], {}
    for activation, found in study.samples.items():
        for width in sorted(study.settings.drawn_widths):
            place, free = (noise, count, width), 3 * width + 1
            learnt, absorbed = found.learnt(*place), found.absorbed(*place)
            if learnt is None or absorbed is None:
                continue
            rows.append(_over(learnt, free))
            words.append(
                f"{named(activation)}, N = {width}: {learnt} of {free} on all x, {absorbed} in the "
                "training loss"
            )
            numbers[f"k of {activation} at {width}"] = learnt.value
    if not rows:
        return untested("Nets with noise, or the same without, are missing.")
    verdict = together([within(one, 1 / same, same) for one in rows])
    less, more = sum(one.high < 1 / same for one in rows), sum(one.low > same for one in rows)
    count_words = f"{less} of {len(rows)} learn less of the noise than their parameters could"
    reason = {
        HOLDS: "As in least squares with that many coefficients.",
        UNTESTED: "The intervals are too wide to decide; more draws are needed.",
    }.get(verdict, f"{count_words}, {more} more.")
    return Outcome(verdict, "; ".join(words), reason, numbers)


def _over(one: Estimate, by: float) -> Estimate:
    return Estimate(one.value / by, one.low / by, one.high / by, one.level)


def noise_decay(study: "Data", claim: Claim) -> Outcome:
    """Whether what noise adds falls as the inverse of the number of points."""
    judged, words, numbers = [], [], {}
    for activation, found in study.samples.items():
        decay = found.noise_decay(study.noise, max(study.settings.drawn_widths))
        if decay is None:
            continue
        counts, exponent = decay
        judged.append(within(exponent, 1 - claim["near"], 1 + claim["near"]))
        words.append(f"{named(activation)}: {exponent} over P = {', '.join(map(str, counts))}")
        numbers[f"exponent of {activation}"] = exponent.value
    if not judged:
        return untested("Noise adds something certain at fewer than two numbers of points.")
    verdict = together(judged)
    reason = {
        HOLDS: "Variance-limited over all these points.",
        IN_PART: "Not so for all.",
        FAILS: "It falls at another rate.",
        UNTESTED: "The intervals reach both sides; more draws are needed.",
    }[verdict]
    return Outcome(verdict, "; ".join(words), reason, numbers)


def survives(study: "Data", claim: Claim, activation: str) -> Outcome:
    """Whether the exponent of one activation is the same with label noise."""
    found, usual, near = study.samples[activation], study.usual, claim["near"]
    by_width = found.by_width(usual, True)
    drawn = by_width and by_width.select(np.isin(by_width.widths, study.settings.drawn_widths))
    if not drawn or len(drawn.widths) < 3:
        return untested("Three widths without noise are needed.")
    clean = fit_law(drawn).estimates["exponent"]
    noises = sorted(study.settings.noises)
    rows = {noise: e for noise in noises if (e := found.noisy_exponent(noise, usual))}
    if not rows:
        return untested("Nets with noise are missing.", f"without noise {clean}")
    judged = {noise: within(difference(e, clean), -near, near) for noise, e in rows.items()}
    least = min(judged)
    gone = [noise for noise, one in judged.items() if one == FAILS]
    verdict = together(list(judged.values()))
    if gone:
        verdict = FAILS if least in gone else IN_PART
    reason = {
        HOLDS: "Noise does not change it.",
        FAILS: f"Noise of {least:g}, with targets up to 4, is enough to change it.",
        IN_PART: f"It is another one from noise {min(gone):g} on."
        if gone
        else "It stays, or the intervals are too wide to decide.",
        UNTESTED: "The intervals reach both sides; more draws are needed.",
    }[verdict]
    words = "; ".join(f"noise {noise:g}: {exponent}" for noise, exponent in rows.items())
    numbers = {"without noise": clean.value} | {f"noise {n:g}": e.value for n, e in rows.items()}
    return Outcome(verdict, f"exponent without noise {clean}; {words}", reason, numbers)
