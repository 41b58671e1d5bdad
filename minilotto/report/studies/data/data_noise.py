"""What the study of data says about label noise."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.differences import difference
from minilotto.analysis.stats.scaling import fit_law
from minilotto.report.claims import Verdict
from minilotto.report.rules import FAILS, HOLDS, IN_PART, SEPARATED, UNTESTED, together, within
from minilotto.report.studies.data.samples import NAMES, NEAR, Samples

if TYPE_CHECKING:
    from minilotto.report.studies.data.data import DataSettings

SAME = 1.5  # factor within which a number of parameters is called that of the net


def noise_verdicts(settings: "DataSettings", samples: Mapping[str, Samples]) -> list[Verdict]:
    """The floor's height, its decay with the points, and whether 1/N survives it."""
    return [
        _floor(settings, samples),
        _decay(settings, samples),
        *(_survival(settings, name, one) for name, one in samples.items()),
    ]


def _name(activation: str) -> str:
    return NAMES.get(activation, activation)


def _floor(settings: "DataSettings", samples: Mapping[str, Samples]) -> Verdict:
    noise, count = max(settings.noises), max(settings.noisy_points)
    claim = "Noise costs sigma² (3N + 1) / P"
    says = (
        "All 3N + 1 parameters are free, so label noise leaves sigma² (3N + 1) / P on all x, "
        "as in least squares."
    )
    how = (
        f"k = P (L - L0) / sigma², L the loss on all x with noise of {noise:g} at {count} points, "
        "L0 that without noise; "
        f"mean over draws, Student's interval. k / (3N + 1) within a factor of {SAME:g} of 1: "
        f"{SEPARATED}; over activations "
        "and widths together."
    )
    rows: dict[str, Estimate] = {}
    told, numbers = [], {}
    for activation, found in samples.items():
        for width in sorted(settings.drawn_widths):
            learnt, absorbed = (
                found.learnt(noise, count, width),
                found.absorbed(noise, count, width),
            )
            if learnt is None or absorbed is None:
                continue
            free = 3 * width + 1
            rows[f"{activation} {width}"] = Estimate(
                learnt.value / free, learnt.low / free, learnt.high / free, learnt.level
            )
            told.append(
                f"{_name(activation)}, N = {width}: {learnt} of {free} on all x, {absorbed} in "
                "the training loss"
            )
            numbers[f"k of {activation} at {width}"] = learnt.value
    if not rows:
        return Verdict(
            claim, says, "", how, UNTESTED, "Nets with noise, or the same without, are missing."
        )
    verdict = together([within(one, 1 / SAME, SAME) for one in rows.values()])
    less = sum(one.high < 1 / SAME for one in rows.values())
    more = sum(one.low > SAME for one in rows.values())
    reason = (
        f"{less} of {len(rows)} learn less of the noise than their parameters could, {more} more."
    )
    if verdict == HOLDS:
        reason = "As in least squares with that many coefficients."
    if verdict == UNTESTED:
        reason = "The intervals are too wide to tell; more draws are needed."
    return Verdict(claim, says, "; ".join(told), how, verdict, reason, numbers)


def _decay(settings: "DataSettings", samples: Mapping[str, Samples]) -> Verdict:
    noise, width = max(settings.noises), max(settings.drawn_widths)
    claim = "What noise adds falls as 1/P"
    says = (
        "The part of the loss that noise adds is a variance, and falls as 1/P with the number "
        "of points."
    )
    how = (
        f"Exponent in P of L - L0 at noise {noise:g} and N = {width}, fitted to each draw; mean "
        "over draws, Student's "
        f"interval; against 1 ± {NEAR:g} for each activation: {SEPARATED}."
    )
    verdicts, told, numbers = [], [], {}
    for activation, found in samples.items():
        decay = found.noise_decay(noise, width)
        if decay is None:
            continue
        counts, exponent = decay
        verdicts.append(within(exponent, 1 - NEAR, 1 + NEAR))
        told.append(f"{_name(activation)}: {exponent} over P = {', '.join(map(str, counts))}")
        numbers[f"exponent of {activation}"] = exponent.value
    if not verdicts:
        return Verdict(
            claim,
            says,
            "",
            how,
            UNTESTED,
            "Noise adds something certain at fewer than two numbers of points.",
        )
    verdict = together(verdicts)
    reason = {
        HOLDS: "Variance-limited over all these points.",
        IN_PART: "Not so for all.",
        FAILS: "It falls at another rate.",
        UNTESTED: "The intervals reach both sides; more draws are needed.",
    }[verdict]
    return Verdict(claim, says, "; ".join(told), how, verdict, reason, numbers)


def _survival(settings: "DataSettings", activation: str, found: Samples) -> Verdict:
    name, usual = _name(activation), settings.usual
    claim = f"{name}: the law survives noisy labels"
    says = f"The exponent in N of the loss on all x stays the same when {usual} labels have noise."
    how = (
        f"Exponents over widths {', '.join(map(str, sorted(settings.drawn_widths)))} at {usual} "
        "points, with noise fitted to "
        f"each draw, without noise to medians over seeds; differences against ±{NEAR:g}. Holds "
        "where all lie within, fails "
        "where that of the smallest noise lies outside, else in part."
    )
    widths = [width for width in sorted(settings.drawn_widths) if (usual, width) in found.lattice]
    clean_points = found.by_width(usual, True)
    if clean_points is None or len(widths) < 3:
        return Verdict(claim, says, "", how, UNTESTED, "Three widths without noise are needed.")
    clean = fit_law(
        clean_points.select([width in widths for width in clean_points.widths])
    ).estimates["exponent"]
    rows = {
        noise: exponent
        for noise in sorted(settings.noises)
        if (exponent := found.noisy_exponent(noise, usual))
    }
    if not rows:
        return Verdict(
            claim, says, f"without noise {clean}", how, UNTESTED, "Nets with noise are missing."
        )
    judged = {
        noise: within(difference(exponent, clean), -NEAR, NEAR) for noise, exponent in rows.items()
    }
    first = judged[min(judged)]
    verdict = FAILS if first == FAILS else HOLDS if set(judged.values()) == {HOLDS} else IN_PART
    if set(judged.values()) == {UNTESTED}:
        verdict = UNTESTED
    gone = [noise for noise, one in judged.items() if one == FAILS]
    reason = {
        HOLDS: "Noise does not reach it.",
        FAILS: f"Noise of {min(judged):g}, with targets up to 4, is enough to change it.",
        IN_PART: f"It is another one from noise {min(gone):g} on."
        if gone
        else "It stays, or cannot be told from one that does not.",
        UNTESTED: "The intervals reach both sides; more draws are needed.",
    }[verdict]
    told = "; ".join(f"noise {noise:g}: {exponent}" for noise, exponent in rows.items())
    numbers = {
        "without noise": clean.value,
        **{f"noise {noise:g}": one.value for noise, one in rows.items()},
    }
    return Verdict(
        claim, says, f"exponent without noise {clean}; {told}", how, verdict, reason, numbers
    )
