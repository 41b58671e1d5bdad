"""One two-class problem: loss and error against width, averages of nets against wider nets, and how
alike residuals are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from minilotto.analysis.ensembling.logits import (
    WAYS,
    averaged,
    cross_entropy,
    error_rate,
    groups,
    mean_estimate,
    misses,
)
from minilotto.analysis.ensembling.synergy import (
    Nets,
    Synergy,
    compare,
    drawn_pairs,
    paper_null,
    synergy,
)
from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Array, Estimate, Points, points
from minilotto.analysis.stats.scaling import Comparison, Fit, compare_laws, fit_law
from minilotto.data.dataset import Dataset
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.report.figure import Table

PARTS = ("training", "held out")
FITTED_FROM = 4  # widths from here on are fitted
PAIRS = 300  # of nets that are taken together
RESAMPLES = 500


@dataclass(frozen=True, eq=False)
class Together:
    """`members` nets of width N averaged in one of averaging.WAYS, or by the paper's null, on one
    of PARTS.

    loss: median of their loss; gain: median of their loss over the mean loss of their members;
    against: loss over the median of single nets of width `members` N. error: mean error rate, None
    for the null, which has no outputs.
    """

    width: int
    members: int
    way: str
    part: str
    loss: Estimate
    gain: Estimate
    against: Estimate
    error: Estimate | None


@dataclass(frozen=True, eq=False)
class ProblemStudy:
    """losses and errors by part and width; together; synergies by width N (two of N against one of
    2N), in squared residuals.

    laws and fits are of the losses at widths from FITTED_FROM on, by part: all laws side by side,
    and the plateau where AICc prefers it, else the power law.
    """

    name: str
    shape: tuple[int, int, int]  # training points, held-out points, inputs
    steps: int
    losses: Mapping[str, Points]
    errors: Mapping[str, Mapping[int, Estimate]]
    laws: Mapping[str, Comparison]
    fits: Mapping[str, Fit]
    together: Sequence[Together]
    synergies: Mapping[int, Synergy]

    @property
    def pair_width(self) -> int | None:
        """The largest width N whose double is there too."""
        return max(self.synergies, default=None)

    def of(self, width: int | None, members: int, way: str, part: str) -> Together | None:
        """One of `together`, None where it could not be had."""
        wanted = (width, members, way, part)
        return next(
            (one for one in self.together if (one.width, one.members, one.way, one.part) == wanted),
            None,
        )

    def cosine(self, width: int | None) -> Estimate | None:
        """The median cosine of the residual functions of two nets of this width, on the training
        points.
        """
        found = None if width is None else self.synergies.get(width)
        return found.similarity_median if found else None


def study_problem(
    name: str, nets: Mapping[int, Ensemble], members: Sequence[int], level: float
) -> ProblemStudy:
    """The study of one problem's nets by width. Raises DataError for fewer than two widths, or too
    few seeds.
    """
    kept = {
        width: one.select(np.flatnonzero(np.isfinite(one.loss)))
        for width, one in sorted(nets.items())
    }
    if len(kept) < 2:
        raise DataError(
            f"{name} has nets of {len(kept)} widths; loss against width needs two: train more "
            "widths"
        )
    for width, one in kept.items():
        if len(one) < LEAST_SEEDS:
            raise DataError(
                f"{name} has {len(one)} nets of width {width} that are finite; {LEAST_SEEDS} are "
                "needed: train more seeds"
            )
    first = next(iter(kept.values()))
    data = dict(zip(PARTS, (first.data, first.held_out), strict=True))
    logits = {
        part: {width: one.predict(data[part].x) for width, one in kept.items()} for part in PARTS
    }
    loss: dict[str, dict[int, Array]] = {}
    errors: dict[str, dict[int, Estimate]] = {}
    for part, where in data.items():
        loss[part] = {
            width: cross_entropy(f, where.y, where.weight) for width, f in logits[part].items()
        }
        errors[part] = {
            width: mean_estimate(error_rate(f, where.y, where.weight), level)
            for width, f in logits[part].items()
        }
    found = {part: points(list(kept), list(loss[part].values()), level=level) for part in PARTS}
    laws, fits = {}, {}
    for part, each in found.items():
        if fitted := law_of(each):
            laws[part], fits[part] = fitted
    together = []
    for part, where in data.items():
        for k in members:
            for width in kept:
                if width * k in kept and len(kept[width]) // k >= LEAST_SEEDS:
                    together += _together(
                        width, k, part, logits[part][width], loss[part], where, level
                    )
    return ProblemStudy(
        name=name,
        shape=(first.data.points, first.held_out.points, first.data.inputs),
        steps=first.config.steps,
        losses=found,
        errors=errors,
        laws=laws,
        fits=fits,
        together=together,
        synergies={
            width: _synergy(kept[width], kept[2 * width], level)
            for width in kept
            if 2 * width in kept
        },
    )


def law_of(loss: Points) -> tuple[Comparison, Fit] | None:
    """All laws at widths from FITTED_FROM on, and the plateau where AICc prefers it, else the power
    law; None for few widths.
    """
    wide = loss.select(loss.widths >= FITTED_FROM)
    if len(wide.widths) < 3:
        return None
    laws = compare_laws(wide)
    return laws, fit_law(wide, "plateau" if laws.best_aicc == "plateau" else "power law")


def _together(
    width: int,
    members: int,
    part: str,
    logits: Array,
    loss: Mapping[int, Array],
    data: Dataset,
    level: float,
) -> list[Together]:
    """Nets of one width taken together in every way, against single nets of this width and of as
    many neurons in all.
    """
    apart = groups(len(logits), members)
    pairs = drawn_pairs(len(logits), PAIRS) if members == 2 else None
    chosen = apart if pairs is None else pairs
    found = []
    for way in (*WAYS, "harmonic"):
        error = None
        if way == "harmonic":
            if pairs is None:
                continue
            values = paper_null(loss[width], PAIRS)
        else:
            values = cross_entropy(averaged(logits[chosen], way), data.y, data.weight)
            error = mean_estimate(
                error_rate(averaged(logits[apart], way), data.y, data.weight), level
            )
        against = compare(
            values, loss[members * width], pairs, name=way, level=level, resamples=RESAMPLES
        )
        part_left = values / loss[width][chosen].mean(axis=1)
        gain = compare(
            part_left, loss[width], pairs, name=way, level=level, resamples=RESAMPLES
        ).median
        found.append(
            Together(width, members, way, part, against.median, gain, against.ratio, error)
        )
    return found


def _synergy(narrow: Ensemble, wide: Ensemble, level: float) -> Synergy:
    """The nulls of figure 4 on the mean square of the residuals sigmoid(f) - y: those of
    probabilities as outputs.
    """
    data = narrow.data

    def as_regression(nets: Ensemble) -> Nets:
        told = data.y + misses(nets.predict(data.x), data.y)
        return Nets((told - data.y) ** 2 @ data.weight, told)

    one, two = as_regression(narrow), as_regression(wide)
    return synergy(
        one,
        Nets(two.loss),
        y=data.y,
        weight=data.weight,
        draws=PAIRS,
        level=level,
        resamples=RESAMPLES,
    )


def tables(studies: Mapping[str, ProblemStudy]) -> list[Table]:
    """Losses and errors by width, ensembles, nulls and laws of all problems."""
    losses: dict[str, list] = {
        name: []
        for name in (
            "problem",
            "part",
            "width",
            "seeds",
            "loss",
            "loss low",
            "loss high",
            "error",
            "error low",
            "error high",
        )
    }
    joint: dict[str, list] = {
        name: []
        for name in (
            "problem", "part", "width", "members", "way", "loss", "loss low", "loss high", "over members", "over members low",
            "over members high", "over wide", "over wide low", "over wide high", "error", "error low", "error high",
        )
    }  # fmt: skip
    nulls: dict[str, list] = {
        name: []
        for name in (
            "problem",
            "width",
            "null",
            "over wide",
            "low",
            "high",
            "cosine",
            "cosine low",
            "cosine high",
        )
    }
    laws: dict[str, list] = {
        name: []
        for name in (
            "problem",
            "part",
            "law",
            "weight",
            "held out decades",
            "parameter",
            "value",
            "low",
            "high",
        )
    }
    nan = float("nan")
    for name, one in studies.items():
        for part in PARTS:
            found = one.losses[part]
            for i, width in enumerate(found.widths.astype(int).tolist()):
                row = [
                    name,
                    part,
                    width,
                    int(found.seeds[i]),
                    found.value[i],
                    found.low[i],
                    found.high[i],
                ]
                _add(losses, [*row, *_three(one.errors[part][width])])
            if part not in one.laws:
                continue
            for law in one.laws[part].rows:
                for parameter, estimate in law.fit.with_misfit.items() if law.fit else ():
                    held = law.fit.held_out_error if law.fit else None
                    numbers = [
                        nan if law.weight is None else law.weight,
                        nan if held is None else held,
                    ]
                    _add(laws, [name, part, law.law, *numbers, parameter, *_three(estimate)])
        for each in one.together:
            row = [name, each.part, each.width, each.members, each.way]
            error = _three(each.error) if each.error else [nan] * 3
            _add(
                joint, [*row, *_three(each.loss), *_three(each.gain), *_three(each.against), *error]
            )
        for width, both in one.synergies.items():
            cosine = _three(both.similarity_median) if both.similarity_median else [nan] * 3
            for null in both.nulls.values():
                _add(nulls, [name, width, null.name, *_three(null.ratio), *cosine])
    return [
        Table("losses", losses),
        Table("ensembles", joint),
        Table("nulls", nulls),
        Table("laws", laws),
    ]


def _three(estimate: Estimate) -> list[float]:
    return [estimate.value, estimate.low, estimate.high]


def _add(columns: dict[str, list], row: list) -> None:
    for name, value in zip(columns, row, strict=True):
        columns[name].append(value)
