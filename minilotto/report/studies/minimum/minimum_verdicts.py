"""What the study of minima concludes, by rules that are stated beforehand."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.scaling import local_exponents
from minilotto.report.claims import Verdict
from minilotto.report.rules import FAILS, HOLDS, IN_PART, LEVEL, UNTESTED

if TYPE_CHECKING:
    from minilotto.report.studies.minimum.minimum import Kind, Minimum

MOST, FEW = 0.95, 0.05
NOISE = 0.02  # of a loss
NEAR_END = 0.2  # |w| below which the valley should follow its expansion
POWER, FACTOR = 0.1, 0.05  # to which power and factor of the expansion must be met
ON_FLOOR = 2.0  # times the valley's loss, within which tickets count as on its floor
SAME = 1.25


def verdicts(study: "Minimum") -> list[Verdict]:
    tickets = {name: kind for name, kind in study.kinds.items() if name.startswith("2")}
    wider = {name: kind for name, kind in study.kinds.items() if name not in tickets}
    return [
        _minima(
            tickets,
            "A ticket is a local minimum",
            "The lowest peak of losses is a local minimum, reached by luck.",
            study,
        ),
        _minima(
            wider,
            "Wider nets are local minima",
            "So are the nets of more neurons after training.",
            None,
        ),
        _ends(study.kinds),
        _endless(study),
        _by_budget(study),
        _by_precision(study),
    ]


def _minima(kinds: Mapping[str, "Kind"], claim: str, says: str, study: "Minimum | None") -> Verdict:
    how = (
        "A net counts as a minimum where no eigenvalue of its Hessian is below zero beyond "
        "rounding, Newton's step would gain "
        "at most 1% of the loss, and polishing leaves 99% of it. A kind holds where at least "
        f"{MOST:.0%} of its nets are, and "
        f"fails where at most {FEW:.0%} are. Holds if all kinds do, fails if all fail."
    )
    if not kinds:
        return Verdict(claim, says, "", how, UNTESTED, "There are no such nets.")
    shares = {name: float(np.mean(kind.stays)) for name, kind in kinds.items()}
    told = []
    for name, kind in kinds.items():
        found, end = kind.curvature, kind.polished
        ratio = float(np.median(found.decrease / found.loss))
        told.append(
            f"width {name}: {np.mean(found.saddle):.0%} of {len(found)} have negative curvature "
            "(median "
            f"{_middle(found.negative)} below zero, {_middle(found.undecided)} hidden by "
            f"rounding, {_middle(found.positive)} "
            f"above; {_middle(found.flat)} of them smaller than 1e-6 of the largest), gradient "
            f"{np.median(found.gradient):.1e}, "
            f"Newton's gain {ratio:.1e} of the loss; polishing takes it from "
            f"{np.median(end.start):.2g} to "
            f"{np.median(end.loss):.2g}"
        )
    if study is not None:
        eq2 = study.printed
        told.append(
            f"Eq. 2: eigenvalues from {eq2.eigenvalues[0, 0]:.2g} to "
            f"{eq2.eigenvalues[0, -1]:.2g}, {eq2.negative[0]} below "
            f"zero, gradient {eq2.gradient[0]:.2g}, Newton's gain "
            f"{eq2.decrease[0] / eq2.loss[0]:.2g} of the loss"
        )
    verdict = (
        HOLDS if min(shares.values()) >= MOST else FAILS if max(shares.values()) <= FEW else IN_PART
    )
    counts = ", ".join(
        f"{np.count_nonzero(kind.stays)} of {len(kind.stays)} of width {name}"
        for name, kind in kinds.items()
    )
    return Verdict(
        claim,
        says,
        "; ".join(told),
        how,
        verdict,
        f"Minima: {counts}.",
        {f"minima {name}": share for name, share in shares.items()},
    )


def _middle(counts: np.ndarray) -> str:
    return f"{float(np.median(counts)):g}"


def _ends(kinds: Mapping[str, "Kind"]) -> Verdict:
    claim = "Second-order descent ends in rounding"
    says = "What ends the descent from trained nets is float64's precision, not a minimum."
    how = (
        f"Share of polished nets at a loss L that rounding alone, R, moves by {NOISE:.0%} or more "
        "(2 √(R / L)), so that steps "
        f"can no longer be told good from bad. A kind holds from {MOST:.0%} on and fails up to "
        f"{FEW:.0%}. Holds if all kinds "
        "do, fails if all fail."
    )
    shares = {
        name: float(np.mean(2 * np.sqrt(kind.polished.rounding / kind.polished.loss) >= NOISE))
        for name, kind in kinds.items()
    }
    verdict = (
        HOLDS if min(shares.values()) >= MOST else FAILS if max(shares.values()) <= FEW else IN_PART
    )
    told = "; ".join(
        f"width {name}: {shares[name]:.0%} of {len(kind.polished.loss)} in rounding, sums of "
        f"{np.nanmedian(kind.polished.cancellation):.1e} times what they come to, "
        f"{np.mean(kind.polished.evaluations >= 500):.0%} stopped by the limit"
        for name, kind in kinds.items()
    )
    return Verdict(
        claim,
        says,
        told,
        how,
        verdict,
        {HOLDS: "All kinds.", FAILS: "None does.", IN_PART: "Some nets do, others stop before."}[
            verdict
        ],
        {f"in rounding {name}": share for name, share in shares.items()},
    )


def _endless(study: "Minimum") -> Verdict:
    law, line = study.law, study.valley
    claim = "The valley descends without end"
    says = (
        f"Along the mirror pairs loss falls as |w|^{law.power} to zero, which no net attains "
        "(Eq. 4, with b where σ'''' = 0)."
    )
    start = float(np.median(study.tickets["float32"][study.budget].w))
    how = (
        f"From the tickets' |w| = {start:.3g} down to where rounding decides, the loss of the "
        "best mirror pair must never rise "
        f"by 1%; below |w| = {NEAR_END:g} its power must be within {POWER:g} of the predicted and "
        f"its size within {FACTOR:.0%}. "
        "Holds if all is so, fails where it rises, in part otherwise."
    )
    order = np.argsort(-line.w)
    w, loss, resolved = line.w[order], line.loss[order], line.resolved[order]
    stop = len(w) if resolved.all() else int(np.argmin(resolved))  # the first that rounding decides
    inside = np.arange(len(w)) < stop
    falling = loss[inside & (w <= 1.01 * start)]
    far = inside & (w <= NEAR_END)
    if len(falling) < 3 or np.count_nonzero(far) < 3:
        return Verdict(
            claim, says, "", how, UNTESTED, "Too little of the valley is above rounding."
        )
    rises = bool((falling > 1.01 * np.minimum.accumulate(falling)).any())
    half = np.flatnonzero(far)
    half = half[len(half) // 2 :]
    power = float(np.polyfit(np.log(w[half]), np.log(loss[half]), 1)[0])
    factor = float(loss[half[0]] / law.loss(w[half[0]]))
    met = abs(power - law.power) <= POWER and abs(factor - 1) <= FACTOR
    verdict = FAILS if rises else HOLDS if met else IN_PART
    reason = {
        HOLDS: "There is no minimum on the way, and rounding alone ends it.",
        FAILS: "The loss rises on the way, so there is a minimum.",
        IN_PART: "It falls all the way, but not by the predicted law.",
    }[verdict]
    measured = (
        f"loss {falling[0]:.2g} at |w| = {w[inside & (w <= 1.01 * start)][0]:.3g}, "
        f"{loss[inside][-1]:.2g} at "
        f"{w[inside][-1]:.2g}, where rounding takes over; power {power:.3f} (predicted "
        f"{law.power}), {factor:.3f} of the "
        f"predicted size; b goes to {line.b[order][inside][-1]:.4f} (predicted {law.bias:.4f})"
    )
    numbers = {"power": power, "factor": factor, "least loss": float(loss[inside][-1])}
    return Verdict(claim, says, measured, how, verdict, reason, numbers)


def _by_budget(study: "Minimum") -> Verdict:
    claim = "The number of steps sets a ticket's loss"
    says = (
        "Training moves tickets down the valley, and stops where its steps run out: |w| falls "
        "with the budget."
    )
    steps = study.budget
    how = (
        f"Exponent of the tickets' median |w| from {steps:,} steps to the longest training, and "
        "their median loss over that of "
        "the best mirror pair of the same |w|. Holds where the exponent is above 0 with its "
        "interval and that ratio is below "
        f"{ON_FLOOR:g} at all these budgets; fails where the exponent's interval holds 0 or lies "
        "below; in part otherwise."
    )
    place = study.place.get("float32")
    if place is None or place.widths[-1] <= steps or steps not in place.widths:
        return Verdict(
            claim,
            says,
            "",
            how,
            UNTESTED,
            f"Ten tickets each at {steps:,} steps and at more are needed.",
        )
    ends = local_exponents(place.select(np.isin(place.widths, (steps, place.widths[-1]))))
    exponent = Estimate(
        float(ends.exponent[0]), float(ends.low[0]), float(ends.high[0]), ends.level
    )
    above = {budget: float(np.median(ratio)) for budget, ratio in study.above.items()}
    losses = {
        budget: float(np.median(one.loss)) for budget, one in study.tickets["float32"].items()
    }
    floor = max(ratio for budget, ratio in above.items() if budget >= steps) < ON_FLOOR
    verdict = FAILS if exponent.low <= 0 else HOLDS if floor else IN_PART
    told = "; ".join(
        f"{int(budget):,} steps: |w| = {value:.4g} ({low:.4g} to {high:.4g}), loss "
        f"{losses[int(budget)]:.3g}, "
        f"{above[int(budget)]:.3g} times the valley's"
        for budget, value, low, high in zip(
            place.widths, place.value, place.low, place.high, strict=True
        )
    )
    reason = {
        HOLDS: "A ticket's loss says how long it was trained: it lies on the valley's floor, as "
        "far down as the steps took it.",
        FAILS: "Longer training does not take tickets further down.",
        IN_PART: "Tickets go down with the steps, but not on the valley's floor.",
    }[verdict]
    numbers = {"exponent": exponent.value, "low": exponent.low, "high": exponent.high}
    return Verdict(
        claim, says, f"|w| falls as steps^-{exponent}; {told}", how, verdict, reason, numbers
    )


def _by_precision(study: "Minimum") -> Verdict:
    claim = "It is not float32 that stops them"
    says = "In float64 training takes tickets no further down than in float32."
    how = (
        "Median |w| of float32's tickets over float64's, at the longest budget of both. Holds "
        "where the interval lies within a "
        f"factor {SAME:g} of 1, fails where it lies beyond that, in part where it "
        "excludes 1 within; otherwise it cannot be told."
    )
    single, double = study.place.get("float32"), study.place.get("float64")
    if single is None or double is None:
        return Verdict(
            claim,
            says,
            "",
            how,
            UNTESTED,
            "One of the two has fewer than ten tickets at two budgets.",
        )
    shared = np.intersect1d(single.widths, double.widths)
    if not len(shared):
        return Verdict(claim, says, "", how, UNTESTED, "No budget has ten tickets of both.")
    budget = shared[-1]
    i, j = (
        int(np.flatnonzero(single.widths == budget)[0]),
        int(np.flatnonzero(double.widths == budget)[0]),
    )
    low, high = np.exp(
        np.quantile(
            single.replicates[:, i] - double.replicates[:, j], ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
        )
    )
    ratio = Estimate(float(single.value[i] / double.value[j]), float(low), float(high), LEVEL)
    inside = ratio.low >= 1 / SAME and ratio.high <= SAME
    beyond = ratio.low > SAME or ratio.high < 1 / SAME
    verdict = (
        FAILS
        if beyond
        else UNTESTED
        if not inside
        else IN_PART
        if ratio.low > 1 or ratio.high < 1
        else HOLDS
    )
    reason = {
        HOLDS: "Both end at the same place.",
        IN_PART: "Nearly: float32 ends a little "
        + ("earlier." if ratio.value > 1 else "further down."),
        FAILS: "Precision does matter: float32 ends "
        + ("earlier." if ratio.value > 1 else "further down."),
        UNTESTED: "The interval is too wide to tell.",
    }[verdict]
    measured = (
        f"after {int(budget):,} steps {single.value[i]:.4g} and {double.value[j]:.4g}, ratio "
        f"{ratio}"
    )
    return Verdict(
        claim,
        says,
        measured,
        how,
        verdict,
        reason,
        {"ratio": ratio.value, "low": ratio.low, "high": ratio.high},
    )
