"""Appendix A's targets, and what is asked of each: how the loss falls with width, what of it seeds
share, what training left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from minilotto.analysis.ensembling.decomposition import Decomposition, as_points, decompose
from minilotto.analysis.ensembling.readout import readout_loss
from minilotto.analysis.stats.bootstrap import Array, Estimate, Points, points
from minilotto.analysis.stats.scaling import Comparison, Fit, compare_laws, fit_law, local_exponents
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Scale, Table
from minilotto.report.rules import FAILS, HOLDS, IN_PART, LEVEL, UNTESTED
from minilotto.store.grid import Sweep

UNARY = {
    "cube": "x³",
    "quartic": "x⁴",
    "sin": "sin x",
    "cos": "cos x",
    "exp": "exp x",
    "sin2": "sin² x",
    "exp_square": "exp x²",
    "relu": "relu x",
    "tanh": "tanh x",
}
PRODUCTS = {
    "product2": "x₁x₂",
    "product3": "x₁x₂x₃",
    "product4": "x₁x₂x₃x₄",
    "product5": "x₁x₂x₃x₄x₅",
}
FORMULAS = {"square": "x²", **UNARY, **PRODUCTS}
PAPER_RANGE = (10, 50)
COMPARED_FROM = 3  # widths from here on are enough to compare all three laws
REFITTED = 32  # nets whose output weights are fitted anew
# part of the loss that is left by a refit, above which the hidden neurons count as the limit
LIMIT = 0.1


@dataclass(frozen=True)
class TargetStudy:
    """One target: median loss at W widths, laws over the paper's and over more widths, bias and
    variance, loss after a refit.

    parts and left are by width; left is the loss that the same hidden neurons would have with the
    best output weights, over the loss that they have: quartiles (3,) over nets. comparison is None
    where widths are too few.
    """

    task: str
    points: Points
    comparison: Comparison | None
    parts: Mapping[int, Decomposition]
    left: Mapping[int, Array]

    @property
    def formula(self) -> str:
        return FORMULAS[self.task]

    def fit(self, low: float = PAPER_RANGE[0], high: float = PAPER_RANGE[1]) -> Fit | None:
        """The power law over these widths, None for fewer than three."""
        return _power(self.points, low, high)

    @property
    def exponent(self) -> Estimate | None:
        """That of the paper's range, with seeds' and widths' scatter."""
        fit = self.fit()
        return None if fit is None else fit.with_misfit["exponent"]

    def part_fit(self, part: str) -> Fit | None:
        """The power law of the bias or the variance over the paper's range, None where it cannot be
        had.
        """
        widths = [width for width in self.parts if PAPER_RANGE[0] <= width <= PAPER_RANGE[1]]
        try:
            return fit_law(as_points(widths, [self.parts[width] for width in widths], part))
        except DataError:
            return None

    def slope(self, low: int, high: int) -> Estimate | None:
        """The exponent between two widths, with its interval over seeds; None where one is missing."""
        return slope(self.points, low, high)

    @property
    def widest(self) -> int:
        return int(self.points.widths[-1])


def study(task: str, nets: Mapping[int, Ensemble], level: float = LEVEL) -> TargetStudy:
    """The study of one target's nets by width. Raises DataError for fewer than two widths, or few
    seeds.
    """
    if len(nets) < 2:
        raise DataError(
            f"{FORMULAS[task]} has nets of {len(nets)} widths; loss against width needs two: "
            "train more widths"
        )
    widths = sorted(nets)
    found = points(widths, [nets[width].loss for width in widths], level=level)
    try:
        comparison = compare_laws(found.select(found.widths >= COMPARED_FROM))
    except DataError:
        comparison = None
    parts = {}
    for width in widths:
        one = nets[width]
        try:
            parts[width] = decompose(
                one.predict(one.data.x) - one.data.y, one.data.weight, level=level
            )
        except DataError:
            continue
    left = {width: _left(nets[width]) for width in widths if width >= PAPER_RANGE[0]}
    return TargetStudy(task, found, comparison, parts, left)


def slope(found: Points, low: int, high: int) -> Estimate | None:
    """The exponent between two widths, with its interval over seeds; None where one is missing."""
    chosen = np.isin(found.widths, (low, high))
    if low == high or np.count_nonzero(chosen) != 2:
        return None
    local = local_exponents(found.select(chosen))
    return Estimate(
        float(local.exponent[0]), float(local.low[0]), float(local.high[0]), local.level
    )


def _power(found: Points, low: float, high: float) -> Fit | None:
    chosen = found.select((found.widths >= low) & (found.widths <= high))
    return fit_law(chosen) if len(chosen.widths) >= 3 else None


def _left(nets: Ensemble) -> Array:
    """Loss with the best output weights over loss as trained: quartiles (3,) over some nets."""
    some = nets.select(np.flatnonzero(np.isfinite(nets.loss))[:REFITTED])
    better = readout_loss(some.activation, some.w, some.b, some.data, nets.config.dtype)
    return np.quantile(np.minimum(better / some.loss, 1.0), (0.25, 0.5, 0.75))


def scaling_tables(
    studies: Mapping[str, TargetStudy], extra: Mapping[str, Mapping[tuple[str, int], float]]
) -> list[Table]:
    """Losses and their parts by width, exponents, and laws compared. extra: more columns, by (task,
    width).
    """
    nan = float("nan")
    losses: dict[str, list] = {
        name: []
        for name in (
            "target", "width", "seeds", "diverged", "median", "low", "high", "central mean", "bias", "bias low", "bias high",
            "variance", "variance low", "variance high", "share of bias", "share low", "share high", "left by a refit", *extra,
        )
    }  # fmt: skip
    slopes: dict[str, list] = {
        name: [] for name in ("target", "from", "to", "exponent", "low", "high")
    }
    laws: dict[str, list] = {
        name: []
        for name in (
            "target",
            "law",
            "widths",
            "weight",
            "held out decades",
            "parameter",
            "value",
            "low",
            "high",
        )
    }
    for task, one in studies.items():
        found = one.points
        for i, width in enumerate(found.widths.astype(int).tolist()):
            part, left = one.parts.get(width), one.left.get(width)
            row = [task, width, int(found.seeds[i]), int(found.diverged[i])]
            row += [float(found.value[i]), float(found.low[i]), float(found.high[i])]
            row += [part.loss.value] if part else [nan]
            for name in ("bias", "variance", "share"):
                estimate = getattr(part, name) if part else None
                row += [estimate.value, estimate.low, estimate.high] if estimate else [nan] * 3
            row += [
                nan if left is None else float(left[1]),
                *(values.get((task, width), nan) for values in extra.values()),
            ]
            for name, value in zip(losses, row, strict=True):
                losses[name].append(value)
        local = local_exponents(found)
        slopes["target"] += [task] * len(local.exponent)
        columns = (local.lower, local.upper, local.exponent, local.low, local.high)
        for name, values in zip(("from", "to", "exponent", "low", "high"), columns, strict=True):
            slopes[name] += values.tolist()
        power = one.fit()
        fitted: list[tuple[str, Fit, float | None]] = (
            [("power law, widths 10 to 50", power, None)] if power else []
        )
        if one.comparison:
            fitted += [
                (f"{row.law}, widths from {COMPARED_FROM}", row.fit, row.weight)
                for row in one.comparison.rows
                if row.fit
            ]
        for law, fit, weight in fitted:
            for parameter, estimate in fit.with_misfit.items():
                row = [
                    task,
                    law,
                    len(fit.points.widths),
                    nan if weight is None else weight,
                    fit.held_out_error or nan,
                ]
                row += [parameter, estimate.value, estimate.low, estimate.high]
                for name, value in zip(laws, row, strict=True):
                    laws[name].append(value)
    return [Table("losses", losses), Table("exponents", slopes), Table("laws", laws)]


def told(estimates: Mapping[str, object]) -> str:
    """Formula and number of each, in one line."""
    return "; ".join(f"{formula}: {estimate}" for formula, estimate in estimates.items())


def product_sweeps(scale: Scale) -> tuple[Sweep, ...]:
    """Products of two to five inputs, one sweep each: independent uniform points, the same for all
    seeds.
    """
    return tuple(
        Sweep(
            widths=scale.product_widths,
            tasks=(task,),
            sampling="uniform",
            points=scale.product_points,
            seeds=min(scale.product_seeds, scale.seeds),
            steps=scale.steps,
        )
        for task in PRODUCTS
    )


def product_words(nets: Sequence[Ensemble]) -> str:
    """How products were sampled, and why with so many points and so few seeds."""
    config, count = nets[0].config, len(nets[0])
    words = (
        f"Inputs: {config.points:,} independent uniform points of the cube, the same for all "
        "seeds; the paper does not say its own."
    )
    if count < Scale().seeds:
        words += (
            f" Only {count} seeds: time goes with the number of points, and fewer of them "
            "would be learnt by heart (figure 8)."
        )
    return words


def part_words() -> str:
    """What bias and variance are, for a caption."""
    return (
        "bias, the loss of the mean over all seeds, and variance, the rest, of the central half "
        "of the nets by "
        "loss, so that a few bad nets do not decide."
    )


def over_targets(
    claim: str,
    says: str,
    measured: str,
    how: str,
    good: int,
    of: int,
    reason: str,
    numbers: Mapping[str, float],
) -> Verdict:
    """The verdict on a claim that `good` of `of` targets agree with."""
    verdict = UNTESTED if not of else HOLDS if good == of else IN_PART if good else FAILS
    if not of:
        measured, reason = "", "These nets are missing, or too few."
    return Verdict(claim, says, measured, how, verdict, reason, numbers)


def training_left(claim: str, studies: Sequence[TargetStudy], says: str) -> Verdict:
    """Whether plateaus are what the hidden neurons cannot do, or what training leaves undone."""
    how = (
        f"Hidden neurons of {REFITTED} nets as trained, at the largest width; output weights by "
        "least squares on the training "
        "points, rounded to the training's precision. If the tickets cannot do better, the loss "
        "stays: a target's tickets count as "
        f"its limit where more than {LIMIT:.0%} of the loss is left in the median. Holds for all, "
        "in part for some."
    )
    found = {one.formula: one.left[one.widest] for one in studies if one.widest in one.left}
    limited = [name for name, left in found.items() if left[1] > LIMIT]
    reason = (
        "With other output weights the same neurons could do far better: the limit is training."
    )
    if limited:
        some = f"At {', '.join(limited)} the neurons themselves are the limit"
        reason = (
            f"{some}."
            if len(limited) == len(found)
            else f"{some}; elsewhere other output weights could do far better."
        )
    measured = "; ".join(
        f"{name}: {left[1]:.1e} (quartiles {left[0]:.1e} to {left[2]:.1e})"
        for name, left in found.items()
    )
    return over_targets(
        claim,
        says,
        f"part of the loss left: {measured}",
        how,
        len(limited),
        len(found),
        reason,
        {f"left for {name}": float(left[1]) for name, left in found.items()},
    )
