"""What nets say about each assumption and prediction of Eq. 5 to 9, and the numbers behind it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from minilotto.analysis.ensembling.attribution import STEPS, Attribution
from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.scaling import Comparison
from minilotto.report.claims import Verdict
from minilotto.report.figure import Table
from minilotto.report.paper.targets import over_targets
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED
from minilotto.report.studies.ensembling.ensembles import (
    COMPARED_FROM,
    PAPER_COUNTS,
    PAPER_RANGE,
    Ensembles,
    OneWidth,
    label_of,
)

HALF = 0.5
ALIKE = 0.1  # a cosine below which errors pass for orthogonal
SAME, SIMILAR = 1.25, 2.0  # ratios of losses that are called equal, or nearly so
STATED = 0.1  # an exponent is called so within
NARROW = 10  # below, the paper finds synergy, from here on none
LARGE = 8  # averaged nets that are enough to tell 1/R from a limit

Found = Mapping[str, Ensembles]
RANGE = f"{PAPER_RANGE[0]} to {PAPER_RANGE[1]}"


def verdicts(found: Found) -> list[Verdict]:
    """One for each prediction, over all activations."""
    return [
        _unbiased(found),
        _orthogonal(found),
        _mean_law(found),
        _worth(found),
        _averaging(found),
        _only_combination(found),
        _synergy(found),
        _growth(found),
        _explains(found),
    ]


def _each(found: Found) -> Iterator[tuple[str, OneWidth]]:
    """Each activation and width of the paper's range, in words."""
    for name, one in found.items():
        for width, at in one.within().items():
            yield f"{label_of(name)} {width}", at


def _unbiased(found: Found) -> Verdict:
    shares = {name: one.parts.share for name, one in _each(found)}
    good = [name for name, share in shares.items() if share.high < HALF]
    laws = []
    for name, one in found.items():
        for part in ("bias", "variance"):
            fit = one.part_law(part)
            if fit is not None:
                laws.append(
                    f"{label_of(name)} {part}: {fit.with_misfit['exponent']} "
                    f"({_weights(one.part_laws(part))})"
                )
    return over_targets(
        "Errors of seeds have mean zero: the loss is variance",
        "Tickets are unbiased (Eq. 7), so the mean over seeds has no error, and what falls as "
        "1/N is the variance.",
        f"bias / loss: {_told(shares)}. Exponents over {RANGE}: "
        f"{'; '.join(laws) or 'not to be had'}"
        if shares
        else "",
        "Bias and variance by products of the errors of distinct seeds, central half of the "
        f"nets. A width from {RANGE} agrees "
        f"where the interval of bias / loss lies below {HALF:g}. Holds for all, in part for some.",
        len(good),
        len(shares),
        _count(
            good,
            shares,
            "have a loss that is mostly variance; elsewhere half of it or more may be common to "
            "all seeds",
        ),
        {f"bias / loss, {name}": share.value for name, share in shares.items()},
    )


def _orthogonal(found: Found) -> Verdict:
    seeds = {name: one.cosine for name, one in _each(found)}
    within = {
        name: one.tickets["alike"]
        for name, one in _each(found)
        if one.tickets and np.isfinite(one.tickets["alike"].value)
    }
    every = [*seeds.values(), *within.values()]
    good = [one for one in every if one.high < ALIKE and one.low > -ALIKE]
    return over_targets(
        "Errors are orthogonal",
        "Eq. 7 to 9 take the errors of tickets as orthogonal.",
        f"cosine of two seeds: {_told(seeds)}; of two mirror pairs of a net, absolute: "
        f"{_told(within)}"
        if seeds
        else "",
        "Median cosine of the errors of two seeds, and absolute of two useful mirror pairs of "
        f"one net, at widths {RANGE}. A "
        f"median agrees where its interval lies within {ALIKE:g} of 0. Holds for all, in part "
        "for some.",
        len(good),
        len(every),
        _count(good, every, "medians are near 0"),
        {f"seeds, {name}": one.value for name, one in seeds.items()}
        | {f"pairs, {name}": one.value for name, one in within.items()},
    )


def _mean_law(found: Found) -> Verdict:
    left: dict[str, Estimate] = {}
    told: list[str] = []
    numbers: dict[str, float] = {}
    good = 0
    for name, one in _each(found):
        if one.means is None or one.means.sizes[-1] < LARGE:
            continue
        k = len(one.means.sizes) - 1
        size, base = int(one.means.sizes[k]), one.means.loss[0]
        high = float(one.means.high[k] / base)
        left[name] = one.means.left
        good += high < 2 / size
        told.append(
            f"{name}: {one.means.loss[k] / base:.2g} at R = {size}, in the limit {one.means.left}"
        )
        numbers |= {
            f"limit, {name}": one.means.left.value,
            f"misfit in decades, {name}": one.means.misfit,
        }
    worst = max(
        (value for name, value in numbers.items() if name.startswith("misfit")), default=0.0
    )
    return over_targets(
        "The mean of R nets loses L/R",
        "n tickets of equal loss L have a mean of loss L/n (Eq. 9); nothing in the theory ends "
        "that.",
        f"loss over that of one net: {'; '.join(told)}" if told else "",
        f"Median loss of means of R nets, the largest R from {LARGE} on for which there are nets, "
        f"at widths {RANGE}. A width "
        "agrees where the interval lies below 2/R. The limit is that of a fitted bias + "
        "variance/R.",
        good,
        len(left),
        f"{good} of {len(left)} agree. The line bias + variance/R misses the medians by "
        f"{worst:.2f} decades at most"
        + ("." if worst < np.log10(SAME) else ", so it is no good description everywhere."),
        numbers,
    )


def _worth(found: Found) -> Verdict:
    ratios = {
        f"{label_of(name)} {wide // narrow} x {narrow} for {wide}": ratio
        for name, one in found.items()
        for (narrow, wide), ratio in one.worth.items()
        if narrow >= NARROW
    }
    same = [name for name, ratio in ratios.items() if _within(ratio, SAME)]
    near = [name for name, ratio in ratios.items() if _within(ratio, SIMILAR)]
    better = sum(ratio.low > 1 for ratio in ratios.values())
    worse = sum(ratio.high < 1 for ratio in ratios.values())
    verdict = (
        UNTESTED
        if not ratios
        else HOLDS
        if len(same) == len(ratios)
        else IN_PART
        if near
        else FAILS
    )
    return Verdict(
        "R nets of width N are worth one of width R N",
        f"The benefit of width is that of an average, from N = {NARROW} on (figure 4).",
        f"loss of the mean over that of the one net of as many neurons: {_told(ratios)}"
        if ratios
        else "",
        "Median losses; holds where all ratios, with intervals, reach within a factor of "
        f"{SAME:g} of 1, in part where some "
        f"reach within {SIMILAR:g}.",
        verdict,
        f"{len(same)} of {len(ratios)} are worth as much; the wide net is better in {better}, the "
        f"mean of narrow ones in {worse}."
        if ratios
        else "There are no widths that are multiples of others, or too few nets.",
        {name: ratio.value for name, ratio in ratios.items()},
    )


def _gains(found: Found, wide_from: int, wide_to: float = np.inf) -> dict[str, Attribution]:
    """Gains whose interval lies above zero, by activation and widths in words, from narrow width
    `wide_from` on.
    """
    return {
        f"{label_of(name)} {narrow} to {wide}": gain
        for name, one in found.items()
        for (narrow, wide), gain in one.gains.items()
        if wide_from <= narrow < wide_to and gain.shares is not None
    }


def _no_gain(found: Found) -> str:
    """Pairs of widths between which there is nothing to explain, in words."""
    flat = [
        f"{label_of(name)} {narrow} to {wide} ({gain.gain.value:+.2f})"
        for name, one in found.items()
        for (narrow, wide), gain in one.gains.items()
        if narrow >= NARROW and gain.shares is None
    ]
    return f" No certain gain, in decades: {', '.join(flat)}." if flat else ""


def _averaging(found: Found) -> Verdict:
    shares = {
        name: gain.shares["averaging"]
        for name, gain in _gains(found, NARROW).items()
        if gain.shares
    }
    good = [name for name, share in shares.items() if share.low > HALF]
    return over_targets(
        "The gain from N/2 to N is averaging",
        f"From N = {2 * NARROW} on the benefit of width is solely that of ensembling two halves "
        "(figure 4).",
        f"averaging's part of the gain: {_told(shares)}" if shares else "",
        "Log10 median loss, from one net of width N/2 to the mean of two, over the whole step to "
        f"width N, from N/2 = {NARROW} on "
        "where the loss falls for certain. A step agrees where the interval lies above "
        f"{HALF:g}. Holds for all, in part for some.",
        len(good),
        len(shares),
        _count(good, shares, "are mostly averaging") + _no_gain(found),
        {name: share.value for name, share in shares.items()},
    )


def _only_combination(found: Found) -> Verdict:
    gains = _gains(found, NARROW)
    rest = {name: gain.neither for name, gain in gains.items()}
    near = np.log10(SAME)
    good = [name for name, one in rest.items() if one.low <= near and one.high >= -near]
    over = [name for name, one in rest.items() if one.high < -near]
    under = [name for name, one in rest.items() if one.low > near]
    reason = _count(good, rest, "leave nothing else to explain")
    if over:
        reason += (
            f" In {len(over)} the best combination of two halves is better than training "
            "makes the wide net."
        )
    if under:
        reason += f" In {len(under)} the wide net does what no combination of two halves does."
    subtracted = [gain.size.value for gain in gains.values()]
    if subtracted:
        both = [gain.positive.value for gain in gains.values()]
        reason += (
            " The sum of absolute values of the best two weights that sum to one is between "
            f"{min(subtracted):.3g} and "
            f"{max(subtracted):.3g} (an average: 1), and both are positive in {min(both):.0%} to "
            f"{max(both):.0%} of the pairs."
        )
    joined = [
        ratio.value
        for one in found.values()
        for (narrow, _), ratio in one.joined.items()
        if narrow >= NARROW
    ]
    if joined:
        reason += (
            " With one last layer fitted to the neurons of both halves the loss would be between "
            f"{min(joined):.2g} and "
            f"{max(joined):.2g} times that of the wide net."
        )
    return over_targets(
        "The gain from N/2 to N is at most a best combination",
        "The last layer combines tickets with the best weights (Eq. 5 to 8), and that is all "
        "that width does.",
        f"decades of loss from the best a₁f₁ + a₂f₂ + constant to the net of width N: {_told(rest)}"
        if rest
        else "",
        f"Log10 median losses, from N/2 = {NARROW} on where the loss falls for certain. A step "
        "agrees where the interval reaches "
        f"within a factor of {SAME:g} of nothing. Holds for all, in part for some.",
        len(good),
        len(rest),
        reason,
        {name: one.value for name, one in rest.items()},
    )


def _synergy(found: Found) -> Verdict:
    gains = _gains(found, 1, NARROW / 2)
    rest = {name: gain.neither for name, gain in gains.items()}
    good = [name for name, one in rest.items() if one.low > np.log10(SAME)]
    return over_targets(
        "Narrow nets are more than combinations of halves",
        "2 is much better than 1 + 1, and 4 slightly better than 2 + 2: synergy (figure 4).",
        f"decades of loss from the best combination to the net of width N: {_told(rest)}"
        if rest
        else "",
        "The same for narrow nets. A step agrees where the interval lies above a factor of "
        f"{SAME:g}. Holds for all, in part for "
        "some.",
        len(good),
        len(rest),
        _count(good, rest, "are beyond any linear combination of two halves"),
        {name: one.value for name, one in rest.items()},
    )


def _growth(found: Found) -> Verdict:
    claim, says = (
        "Independent tickets grow in proportion to N",
        "A net of width N has n ∝ N independent tickets; 1, 2 and 3 at N = 10, 30 and 50 "
        "(figure 12).",
    )
    how = (
        "Participation ratio of the errors of a net's useful mirror pairs, n; exponent of n "
        f"against N over {RANGE}, with seeds' "
        "and widths' scatter, beside a plateau and a break. An activation agrees where the "
        "interval reaches within "
        f"{STATED:g} of 1."
    )
    told: list[str] = []
    numbers: dict[str, float] = {}
    good = of = 0
    for name, one in found.items():
        fit, counted = one.independent_law(), one.within()
        if fit is None:
            continue
        of += 1
        exponent = fit.with_misfit["exponent"]
        good += exponent.low - STATED <= 1 <= exponent.high + STATED
        some = {
            f"N = {n}": at.tickets["independent"]
            for n, at in counted.items()
            if n in PAPER_COUNTS and at.tickets
        }
        told.append(
            f"{label_of(name)}: exponent {exponent} ({_weights(one.independent_laws())}); "
            f"{_told(some)}"
        )
        numbers |= {
            f"exponent, {name}": exponent.value,
            f"low, {name}": exponent.low,
            f"high, {name}": exponent.high,
        }
    return over_targets(
        claim,
        says,
        ". ".join(told),
        how,
        good,
        of,
        f"{good} of {of} activations agree; exponent 0 is no growth.",
        numbers,
    )


def _explains(found: Found) -> Verdict:
    ratio: dict[str, float] = {}
    told, good = [], 0
    for name, one in _each(found):
        if (
            one.tickets is None
            or not np.isfinite(
                [one.tickets["needed"].value, one.tickets["independent"].value]
            ).all()
        ):
            continue
        needed, has = one.tickets["needed"], one.tickets["independent"]
        ratio[name] = needed.value / has.value
        good += needed.low <= SIMILAR * has.high and needed.high >= has.low / SIMILAR
        told.append(f"{name}: {has.value:.3g} there, {needed.value:.3g} needed")
    above = sum(value > SIMILAR for value in ratio.values())
    return over_targets(
        "The independent tickets explain the loss",
        "n independent tickets as good as a net's pairs give it the n-th part of their loss "
        "(Eq. 9).",
        "; ".join(told),
        "Orthogonal tickets as good as the net's useful pairs that Eq. 9 needs for its loss, "
        "against those that it has "
        f"(participation ratio), medians at widths {RANGE}. A width agrees where the intervals "
        "come within a factor of "
        f"{SIMILAR:g} of each other. Holds for all, in part for some.",
        good,
        len(ratio),
        f"{good} of {len(ratio)} agree."
        + (
            f" In {above} nets do far better than their independent tickets allow." if above else ""
        ),
        {f"needed / there, {name}": value for name, value in ratio.items()},
    )


# Words
def _told(estimates: Mapping[str, Estimate]) -> str:
    return "; ".join(f"{name}: {estimate}" for name, estimate in estimates.items())


def _count(good: list, of: Mapping | list, what: str) -> str:
    return f"{len(good)} of {len(of)} {what}."


def _within(ratio: Estimate, factor: float) -> bool:
    return ratio.low <= factor and ratio.high >= 1 / factor


def _weights(laws: Comparison | None) -> str:
    shares = (
        [f"{row.law} {row.weight:.2f}" for row in laws.rows if row.weight is not None]
        if laws
        else []
    )
    return (
        f"evidence, widths from {COMPARED_FROM} on: {', '.join(shares)}"
        if shares
        else "laws could not be compared"
    )


# Tables
def tables(found: Found) -> list[Table]:
    """By width; by pair of widths; by size of groups; nets of as many neurons."""
    return [_by_width(found), *_gains_table(found), *_means_table(found), *_worth_table(found)]


def _add(rows: Mapping[str, list], row: Sequence[Any]) -> None:
    """One row to a table's columns."""
    for column, value in zip(rows.values(), row, strict=True):
        column.append(value)


def _by_width(found: Found) -> Table:
    names = ["activation", "width", "seeds"]
    kinds = (
        "loss",
        "bias",
        "variance",
        "share of bias",
        "cosine",
        "independent",
        "groups",
        "needed",
        "cosine within",
    )
    rows: dict[str, list] = {name: [] for name in names} | {
        f"{k}{end}": [] for k in kinds for end in ("", " low", " high")
    }
    none = Estimate(float("nan"), float("nan"), float("nan"), 0.95)
    for name, one in found.items():
        for width, at in one.widths.items():
            tickets = at.tickets or {}
            values = [at.parts.loss, at.parts.bias, at.parts.variance, at.parts.share, at.cosine]
            values += [
                tickets.get(kind, none) for kind in ("independent", "groups", "needed", "alike")
            ]
            row = [
                name,
                width,
                len(at.nets),
                *(number for v in values for number in (v.value, v.low, v.high)),
            ]
            _add(rows, row)
    return Table("widths", rows)


def _gains_table(found: Found) -> list[Table]:
    rows: dict[str, list] = {
        name: []
        for name in (
            "activation",
            "from",
            "to",
            "part",
            "decades",
            "low",
            "high",
            "expected",
            "share",
            "share low",
            "share high",
        )
    }
    nan = float("nan")
    for name, one in found.items():
        for (narrow, wide), gain in one.gains.items():
            named = {
                "gain": gain.gain,
                **{part: gain.part(part) for part in STEPS},
                "weights that sum to one": gain.balanced,
            }
            for part, value in named.items():
                share = gain.shares.get(part) if gain.shares else None
                row = [
                    name,
                    narrow,
                    wide,
                    part,
                    value.value,
                    value.low,
                    value.high,
                    gain.expected.get(part, nan),
                ]
                row += [share.value, share.low, share.high] if share else [nan] * 3
                _add(rows, row)
    more: dict[str, list] = {
        name: [] for name in ("activation", "from", "to", "what", "value", "low", "high")
    }
    for name, one in found.items():
        for (narrow, wide), gain in one.gains.items():
            others = {"both weights positive": gain.positive, "sum of absolute weights": gain.size}
            if (narrow, wide) in one.joined:
                others["one last layer for both / wide net"] = one.joined[narrow, wide]
            for what, value in others.items():
                for column, number in zip(
                    more.values(),
                    (name, narrow, wide, what, value.value, value.low, value.high),
                    strict=True,
                ):
                    column.append(number)
    return [Table("gains", rows), Table("combinations", more)]


def _means_table(found: Found) -> list[Table]:
    rows: dict[str, list] = {
        name: [] for name in ("activation", "width", "averaged", "loss", "low", "high", "fitted")
    }
    fits: dict[str, list] = {
        name: []
        for name in (
            "activation",
            "width",
            "bias",
            "variance",
            "limit",
            "low",
            "high",
            "misfit decades",
        )
    }
    for name, one in found.items():
        for width, at in one.widths.items():
            means = at.means
            if means is None:
                continue
            for row in zip(
                means.sizes, means.loss, means.low, means.high, means.line(means.sizes), strict=True
            ):
                _add(rows, (name, width, *row))
            left = means.left
            fit = (
                name,
                width,
                means.bias.value,
                means.variance.value,
                left.value,
                left.low,
                left.high,
                means.misfit,
            )
            _add(fits, fit)
    return [Table("means", rows), Table("limits", fits)] if rows["width"] else []


def _worth_table(found: Found) -> list[Table]:
    rows: dict[str, list] = {
        name: []
        for name in ("activation", "width", "averaged", "against width", "ratio", "low", "high")
    }
    for name, one in found.items():
        for (narrow, wide), ratio in one.worth.items():
            row = (name, narrow, wide // narrow, wide, ratio.value, ratio.low, ratio.high)
            _add(rows, row)
    return [Table("worth", rows)] if rows["width"] else []
