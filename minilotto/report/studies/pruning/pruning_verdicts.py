"""What pruned nets say about redundancy, and the numbers behind it."""

from collections.abc import Callable, Mapping

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.claims import Verdict
from minilotto.report.figure import Table
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED
from minilotto.report.studies.pruning.prunings import (
    READOUTS,
    RULES,
    SAME,
    SIMILAR,
    UNFITTED,
    Cut,
    Small,
    enough,
    lossless,
    median_loss,
    median_ratio,
    ratio_of_medians,
)

AWARE = ("tickets", "merging", "elimination")  # rules that see what neurons have in common

Cuts = Mapping[int, Cut]


def verdicts(cuts: Cuts, small: Mapping[int, Small]) -> list[Verdict]:
    """The first of `cuts` is the one that rules are compared on."""
    cut = next(iter(cuts.values()))
    return [
        _half(cuts, "trained"),
        _half(cuts, "refitted"),
        _merged(cuts),
        _aware(cut),
        _unfitted(cut),
        _chance(cut),
        _search(cut),
        _small(cut, small),
    ]


def _half(cuts: Cuts, against: str) -> Verdict:
    other = {
        "trained": (
            "as trained",
            "Half of the neurons can go: the rest does what the trained net does",
        ),
        "refitted": (
            "with its own last layer fitted anew",
            "Half of the neurons can go: the rest does what all could do",
        ),
    }[against]
    fewest: dict[str, int | None] = {}
    told, good, near = [], 0, 0
    for width, cut in cuts.items():
        found = {readout: lossless(cut, "elimination", readout, against) for readout in READOUTS}
        nearly = lossless(cut, "elimination", "float32", against, SIMILAR)
        good, near = good + _up_to(found["float32"], width), near + _up_to(nearly, width)
        fewest |= {f"N = {width}, {readout}": count for readout, count in found.items()}
        told.append(
            f"N = {width}: {enough(found['float32'])} in float32 (within a factor of {SIMILAR:g}: "
            f"{enough(nearly)}), "
            f"{enough(found['float64'])} in float64"
        )
    return Verdict(
        other[1],
        "Highly correlated tickets imply that nets are unnecessarily redundant (appendix C).",
        f"neurons from which on nothing is lost: {'; '.join(told)}",
        "Backward elimination, last layer fitted anew; per net, loss over that of the whole net "
        f"{other[0]}: nothing is lost where "
        f"the interval of the median ratio stays below {SAME:g}, at that number and at all larger "
        "ones tried. Holds where half of "
        "the neurons or fewer are enough at all widths, with output weights that float32 holds; "
        "in part at some, or within "
        f"{SIMILAR:g}.",
        HOLDS if good == len(cuts) else IN_PART if near else FAILS,
        f"{good} of {len(cuts)} widths agree."
        + (
            " The trained last layer is not the best that these neurons allow, which a fit makes "
            "up for."
            if against == "trained" and good
            else ""
        ),
        {name: count for name, count in fewest.items() if count is not None},
    )


def _merged(cuts: Cuts) -> Verdict:
    found = {width: lossless(cut, "merging", None, "trained") for width, cut in cuts.items()}
    nearly = {
        width: lossless(cut, "merging", None, "trained", SIMILAR) for width, cut in cuts.items()
    }
    good = sum(_up_to(count, width) for width, count in found.items())
    near = sum(_up_to(count, width) for width, count in nearly.items())
    return Verdict(
        "Half of the neurons are copies: they merge without a fit",
        "Neurons with proportional contributions are redundant, and one can take up the other's "
        "output weight.",
        "; ".join(
            f"N = {n}: {enough(found[n])} (within a factor of {SIMILAR:g}: {enough(nearly[n])})"
            for n in cuts
        ),
        "Merging, no fit; nothing is lost, and the verdict given, as above.",
        HOLDS if good == len(cuts) else IN_PART if near else FAILS,
        f"{good} of {len(cuts)} widths agree.",
        {f"N = {width}": count for width, count in found.items() if count is not None},
    )


def _ratios(
    cut: Cut, first: str, second: str, readout: str | None, least: int = 2
) -> dict[int, Estimate]:
    """Median ratio per net of one rule's loss to another's, from `least` neurons to half of them."""
    found = cut.unfitted if readout is None else cut.losses[readout]
    counts = [
        count
        for count in cut.kept
        if least <= count <= cut.width / 2 and {(first, count), (second, count)} <= set(found)
    ]
    return {count: median_ratio(found[first, count], found[second, count]) for count in counts}


def _compared(
    claim: str,
    says: str,
    how: str,
    series: Mapping[str, Mapping[int, Estimate]],
    reason: Callable[[int, int], str],
) -> Verdict:
    """A verdict on "the first is better", from ratios by neurons kept for each of some comparisons."""
    every = {name: ratios for name, ratios in series.items() if ratios}
    if not every:
        return Verdict(claim, says, "", how, UNTESTED, "Too few numbers of neurons were tried.")
    good = sum(all(ratio.high < 1 for ratio in ratios.values()) for ratios in every.values())
    some = any(ratio.high < 1 for ratios in every.values() for ratio in ratios.values())
    verdict = HOLDS if good == len(every) else IN_PART if some else FAILS
    told = ". ".join(
        f"{name}: " + "; ".join(f"k = {k}: {ratio}" for k, ratio in ratios.items())
        for name, ratios in every.items()
    )
    numbers = {
        f"{name}, k = {k}": ratio.value
        for name, ratios in every.items()
        for k, ratio in ratios.items()
    }
    worse = sum(ratio.low > 1 for ratios in every.values() for ratio in ratios.values())
    total = sum(len(ratios) for ratios in every.values())
    return Verdict(claim, says, told, how, verdict, reason(worse, total), numbers)


def _aware(cut: Cut) -> Verdict:
    series = {
        f"{RULES[rule]} / magnitude": _ratios(cut, rule, "magnitude", "float32") for rule in AWARE
    }
    return _compared(
        "Pruning that sees correlations beats magnitude",
        "Insights from tickets' correlations could reduce redundancies for pruning (appendix C).",
        f"N = {cut.width}, last layer fitted anew for float32; median over nets of the ratio of "
        "losses at k from 2 to N/2. A rule "
        "is better where the interval lies below 1 at each k. Holds for all rules, in part "
        "where some k has it.",
        series,
        lambda worse, total: f"Magnitude is better at {worse} of {total} places.",
    )


def _unfitted(cut: Cut) -> Verdict:
    return _compared(
        "Without a fit, merging beats dropping the smallest",
        "What goes can be taken up by what is like it.",
        f"N = {cut.width}, no fit; median over nets of the ratio of losses, merging over "
        "magnitude, at k from 2 to N/2. Holds "
        "where the interval lies below 1 at each k, in part where at some.",
        {"merging / magnitude": _ratios(cut, "merging", "magnitude", None)},
        lambda worse, total: f"Dropping is better at {worse} of {total} places.",
    )


def _chance(cut: Cut) -> Verdict:
    return _compared(
        "Once the last layer is fitted, it matters which neurons stay",
        "A rule is worth something where it betters chance.",
        f"N = {cut.width}, last layer fitted anew for float32; median over nets of the ratio of "
        "losses to those of neurons "
        "kept at random, at k from 2 to N/2. A rule is better where the interval lies below 1 at "
        "each k. Holds for all, in part "
        "for some k.",
        {
            f"{RULES[rule]} / random": _ratios(cut, rule, "random", "float32")
            for rule in ("magnitude", *AWARE)
        },
        lambda worse, total: f"Chance is better at {worse} of {total} places.",
    )


def _search(cut: Cut) -> Verdict:
    ratios = _ratios(cut, "elimination", "distilled", "float64", least=1)
    claim, says = (
        "Elimination is as good as a search",
        "Taking out one neuron after another leaves nearly the best ones.",
    )
    how = (
        f"N = {cut.width}, float64; median over nets of the ratio of losses, elimination over "
        "distillation's search (additions and "
        "exchanges), at the few neurons that the search is asked for. Holds where all intervals "
        f"stay below {SAME:g}."
    )
    if not ratios:
        return Verdict(claim, says, "", how, UNTESTED, "Too few numbers of neurons were tried.")
    good = [ratio for ratio in ratios.values() if ratio.high <= SAME]
    verdict = HOLDS if len(good) == len(ratios) else IN_PART if good else FAILS
    told = "; ".join(f"k = {k}: {ratio}" for k, ratio in ratios.items())
    numbers = {f"k = {k}": ratio.value for k, ratio in ratios.items()}
    better = sum(ratio.high < 1 for ratio in ratios.values())
    return Verdict(
        claim,
        says,
        told,
        how,
        verdict,
        f"{len(good)} of {len(ratios)} agree; elimination is the better one in {better}.",
        numbers,
    )


def _small(cut: Cut, small: Mapping[int, Small]) -> Verdict:
    claim, says = (
        "Pruned nets beat nets trained small",
        "A wide net holds better small nets than training finds (appendix D: distilled ones are "
        "as good or worse on average).",
    )
    how = (
        f"Ratio of median losses at each k below N = {cut.width}: backward elimination, last "
        "layer fitted anew for float32, over "
        "nets trained at that width, fitted likewise. Holds where the interval lies below 1 at "
        "all k, in part where at some, or "
        "only against small nets as trained."
    )
    found = cut.losses["float32"]
    shared = [k for k in cut.kept if k in small and ("elimination", k) in found]
    if not shared:
        return Verdict(
            claim, says, "", how, UNTESTED, "No nets were trained at a width that was pruned to."
        )
    fair = {k: ratio_of_medians(found["elimination", k], small[k].again["float32"]) for k in shared}
    raw = {k: ratio_of_medians(found["elimination", k], small[k].trained) for k in shared}
    good, plain = ([k for k, ratio in ratios.items() if ratio.high < 1] for ratios in (fair, raw))
    worse = [k for k, ratio in fair.items() if ratio.low > 1]
    reason = f"Better at {len(good)} of {len(shared)} numbers of neurons, worse at {len(worse)}"
    reason += f" (k = {', '.join(map(str, worse))})." if worse else "."
    return Verdict(
        claim,
        says,
        "fitted likewise: "
        + "; ".join(f"k = {k}: {ratio}" for k, ratio in fair.items())
        + ". Against small nets as trained: "
        + "; ".join(f"k = {k}: {ratio}" for k, ratio in raw.items()),
        how,
        HOLDS if len(good) == len(shared) else IN_PART if good or plain else FAILS,
        reason,
        {f"k = {k}": ratio.value for k, ratio in fair.items()}
        | {f"as trained, k = {k}": ratio.value for k, ratio in raw.items()},
    )


def _up_to(count: int | None, width: int) -> bool:
    """Whether half of the neurons or fewer are enough."""
    return count is not None and count <= width / 2


# Tables
def tables(cuts: Cuts, small: Mapping[int, Small]) -> list[Table]:
    """Median losses by rule and neurons kept; nets trained small; the whole nets."""
    rows: dict[str, list] = {
        name: []
        for name in (
            "from",
            "rule",
            "output weights",
            "kept",
            "loss",
            "low",
            "high",
            "cancellation",
        )
    }
    whole: dict[str, list] = {
        name: [] for name in ("width", "kind", "output weights", "nets", "loss", "low", "high")
    }

    def add(columns: Mapping[str, list], *row: object) -> None:
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)

    for width, cut in cuts.items():
        for (rule, count, readout), one in cut.medians.items():
            growth = (
                float(np.median(cut.growth[rule, count])) if readout == "float64" else float("nan")
            )
            label = RULES[rule] if readout else UNFITTED[rule]
            add(
                rows,
                width,
                label,
                readout or "not fitted",
                count,
                one.value,
                one.low,
                one.high,
                growth,
            )
    lots = [(width, "cut down", cut.trained, cut.whole) for width, cut in cuts.items()]
    lots += [(width, "small", one.trained, one.again) for width, one in sorted(small.items())]
    for width, kind, trained, again in lots:
        for readout, loss in {"as trained": trained, **again}.items():
            one = median_loss(loss)
            add(whole, width, kind, readout, len(loss), one.value, one.low, one.high)
    return [Table("kept", rows), Table("whole", whole)]
