"""One two-class problem: loss, error and averages against width; how similar residuals are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
from minilotto.analysis.ensembling.pairs import compare, drawn_pairs, paper_null
from minilotto.analysis.ensembling.synergy import Synergy, of_outputs
from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate, Points, points
from minilotto.analysis.stats.scaling import Fit, power_law_over
from minilotto.data.dataset import Dataset
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown

__all__: list[str] = []

PARTS = ("training", "held out")
FITTED_FROM = 4  # widths from here on are fitted
PAIRS = 300  # of nets that are combined
RESAMPLES = 500
LEVEL = 0.95  # of intervals


class Combined(NamedTuple):
    """Some nets of width N combined.

    loss: median of the combined losses; gain: median of the combined loss over the mean loss of
    these nets; against: `loss` over the median of single nets of as many neurons; error: mean error
    rate, None for the paper's null, which has no outputs.
    """

    loss: Estimate
    gain: Estimate
    against: Estimate
    error: Estimate | None


@dataclass(frozen=True, eq=False)
class Problem(Shown):
    """What is found of one problem, by part (one of PARTS) and width.

    shape: training points, held-out points, inputs; errors: mean error rates; laws: as of `law_of`;
    combined: by part, width, number of nets and way, one of WAYS or "harmonic", the paper's null;
    synergies: two nets of width N against one of 2N, in squared residuals on the training points.
    """

    name: str
    shape: tuple[int, int, int]
    steps: int
    losses: Mapping[str, Points]
    errors: Mapping[str, Mapping[int, Estimate]]
    laws: Mapping[str, Fit]
    combined: Mapping[tuple[str, int, int, str], Combined]
    synergies: Mapping[int, Synergy]

    @property
    def pair_width(self) -> int:
        """The largest width N whose double is there too, 0 for none."""
        return max(self.synergies, default=0)

    def pair(self, part: str, way: str) -> Combined | None:
        """Two nets of that width."""
        return self.combined.get((part, self.pair_width, 2, way))

    def cosine(self, width: int) -> Estimate | None:
        """The median cosine of the residual functions of two nets, on the training points."""
        found = self.synergies.get(width)
        return found.similarity_median if found else None

    def exponent(self, part: str) -> Estimate | None:
        """Of the power law of the loss, None for few widths."""
        return self.laws[part].estimates["exponent"] if part in self.laws else None

    def means(self, part: str, members: int) -> dict[int, Combined]:
        """Mean logits of so many nets, by width."""
        return {
            width: one
            for (where, width, count, way), one in self.combined.items()
            if (where, count, way) == (part, members, "logits")
        }

    @property
    def most(self) -> int:
        """The most nets that are combined."""
        return max((members for _, _, members, _ in self.combined), default=2)


def study_problem(name: str, nets: Mapping[int, Ensemble], members: Sequence[int]) -> Problem:
    """Loss and error against width, averages of so many nets, and how alike residuals are."""
    kept = {width: one.select(np.isfinite(one.loss)) for width, one in sorted(nets.items())}
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
    losses, errors, laws = {}, {}, {}
    combined: dict[tuple[str, int, int, str], Combined] = {}
    for part, data in zip(PARTS, (first.data, first.held_out), strict=True):
        logits = {width: one.predict(data.x) for width, one in kept.items()}
        loss = {width: cross_entropy(f, data.y, data.weight) for width, f in logits.items()}
        errors[part] = {width: _mean_error(f, data) for width, f in logits.items()}
        losses[part] = points(list(kept), list(loss.values()), level=LEVEL)
        if law := law_of(losses[part]):
            laws[part] = law
        for k in members:
            for width in kept:
                if width * k in kept and len(kept[width]) // k >= LEAST_SEEDS:
                    every = _combine(logits[width], loss[width], loss[k * width], k, data)
                    combined |= {(part, width, k, way): one for way, one in every}
    return Problem(
        name=name,
        shape=(first.data.points, first.held_out.points, first.data.inputs),
        steps=first.config.steps,
        losses=losses,
        errors=errors,
        laws=laws,
        combined=combined,
        synergies={
            width: _synergy(one, kept[2 * width])
            for width, one in kept.items()
            if 2 * width in kept
        },
    )


def law_of(loss: Points) -> Fit | None:
    """The power law of the loss at widths from FITTED_FROM on, None for few widths."""
    return power_law_over(loss, FITTED_FROM)


def _mean_error(logits: Array, data: Dataset) -> Estimate:
    return mean_estimate(error_rate(logits, data.y, data.weight), LEVEL)


def _combine(
    logits: Array, loss: Array, wide: Array, members: int, data: Dataset
) -> Iterator[tuple[str, Combined]]:
    """Nets of one width combined in every way, against single nets of as many neurons in all."""
    apart = groups(len(logits), members)
    pairs = drawn_pairs(len(logits), PAIRS) if members == 2 else None
    chosen = apart if pairs is None else pairs
    for way in WAYS if pairs is None else (*WAYS, "harmonic"):
        if way == "harmonic":
            values, error = paper_null(loss, PAIRS), None
        else:
            values = cross_entropy(averaged(logits[chosen], way), data.y, data.weight)
            error = _mean_error(averaged(logits[apart], way), data)
        against, gain = (
            compare(each, other, pairs, name=way, level=LEVEL, resamples=RESAMPLES)
            for each, other in ((values, wide), (values / loss[chosen].mean(axis=1), loss))
        )
        yield way, Combined(against.median, gain.median, against.ratio, error)


def _synergy(narrow: Ensemble, wide: Ensemble) -> Synergy:
    """The nulls of figure 4 on the mean square of sigmoid(f) - y: probabilities as outputs."""
    data = narrow.data
    one, two = (data.y + misses(nets.predict(data.x), data.y) for nets in (narrow, wide))
    wider, pairs = (two - data.y) ** 2 @ data.weight, drawn_pairs(len(one), PAIRS)
    return of_outputs(one, data.y, data.weight, wider, pairs, LEVEL, RESAMPLES)
