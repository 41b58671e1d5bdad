"""Nets of one activation at all widths: what their errors share, what means of them lose, and where
a wider net's gain is from.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from minilotto.analysis.ensembling.attribution import Attribution, attribute
from minilotto.analysis.ensembling.averages import Averages, averages, possible_sizes
from minilotto.analysis.ensembling.decomposition import Decomposition, as_points, decompose
from minilotto.analysis.ensembling.ensembling import cosines
from minilotto.analysis.ensembling.joining import refitted
from minilotto.analysis.ensembling.synergy import compare, cosine_medians, drawn_pairs
from minilotto.analysis.stats.bootstrap import LEAST_SEEDS as BOOTSTRAP_SEEDS
from minilotto.analysis.stats.bootstrap import Estimate, Points, points
from minilotto.analysis.stats.scaling import Comparison, Fit, compare_laws, fit_law
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.report.figure import Array
from minilotto.report.paper.apart import median_estimate, taken_apart
from minilotto.report.paper.halves import FLOAT32_CUT
from minilotto.report.rules import LEVEL

SIZES = (1, 2, 4, 8, 16, 32, 64)  # nets that are averaged
DRAWS = 2000  # pairs of seeds
JOINED = 200  # pairs of nets whose neurons get one last layer
MOST_JOINED = 100  # widest nets for which that is done
LEAST_TICKETS = 4  # neurons of the narrowest nets that are taken apart: two pairs
APART = ((500, 12), (100, 48), (0, 100))  # from this width on, so many nets are taken apart
PAPER_RANGE = (10, 50)
COMPARED_FROM = 3  # widths from here on are enough to compare all laws
LEAST_SEEDS = 20  # half of which are kept
PAPER_COUNTS = {10: 1, 30: 2, 50: 3}  # independent tickets, by width
LABELS = {"silu": "SiLU", "leaky_relu": "LeakyReLU", "relu": "ReLU"}


@dataclass(frozen=True)
class OneWidth:
    """Nets of one width.

    parts: bias and variance; cosine: between the errors of two seeds, median over pairs, and
    `directions`, so many orthogonal functions would be as alike; means: None where the nets are too
    few for groups. Of the mirror pairs within a net: independent, groups (as the eye counts),
    needed (by Eq. 9 for the net's loss), alike (|cosine| of two); None below LEAST_TICKETS neurons,
    NaN where no net has a useful pair. inverse (.,): 1 / independent of each net that has some.
    """

    nets: Ensemble
    parts: Decomposition
    cosine: Estimate
    directions: float
    means: Averages | None
    tickets: Mapping[str, Estimate] | None
    inverse: Array


@dataclass(frozen=True)
class Ensembles:
    """One activation. by (N / 2, N): gains and their parts, and `joined`, the median loss of all
    neurons of two nets under one last layer over that of the wide net; by (N, M): worth, the loss
    of the mean of M / N nets of width N over that of a net of width M.
    """

    activation: str
    widths: Mapping[int, OneWidth]
    gains: Mapping[tuple[int, int], Attribution]
    joined: Mapping[tuple[int, int], Estimate]
    worth: Mapping[tuple[int, int], Estimate]

    def within(
        self, low: float = PAPER_RANGE[0], high: float = PAPER_RANGE[1]
    ) -> dict[int, OneWidth]:
        """The widths from `low` to `high`."""
        return {width: one for width, one in self.widths.items() if low <= width <= high}

    def part_law(self, part: str) -> Fit | None:
        """The power law of the bias or the variance over the paper's widths, None where it cannot
        be had.
        """
        return _or_none(lambda: fit_law(self._parts(part, PAPER_RANGE[0])))

    def part_laws(self, part: str) -> Comparison | None:
        """The same beside a plateau and a break, over widths from COMPARED_FROM on."""
        return _or_none(lambda: compare_laws(self._parts(part, COMPARED_FROM)))

    def independent_law(self) -> Fit | None:
        """The power law of 1 / (independent tickets) over the paper's widths, None where it cannot
        be had.
        """
        return _or_none(lambda: fit_law(self._inverse(PAPER_RANGE[0])))

    def independent_laws(self) -> Comparison | None:
        """The same beside a plateau, at which the number would end, and a break, over widths from
        COMPARED_FROM on.
        """
        return _or_none(lambda: compare_laws(self._inverse(COMPARED_FROM)))

    def _parts(self, part: str, low: int) -> Points:
        some = self.within(low)
        return as_points(list(some), [one.parts for one in some.values()], part)

    def _inverse(self, low: int) -> Points:
        some = {
            width: one.inverse
            for width, one in self.within(low).items()
            if len(one.inverse) >= BOOTSTRAP_SEEDS
        }
        if not some:
            raise DataError("no width has enough nets with useful pairs")
        return points(list(some), list(some.values()), level=LEVEL)


Law = TypeVar("Law")


def _or_none(law: Callable[[], Law]) -> Law | None:
    """What it finds, None where the data are too few or have no logarithm."""
    try:
        return law()
    except DataError:
        return None


def label_of(activation: str) -> str:
    """How an activation is written."""
    return LABELS.get(activation, activation)


def ensembles(activation: str, nets: Mapping[int, Ensemble]) -> Ensembles:
    """The study of one activation's nets by width; widths of fewer than LEAST_SEEDS finite nets are
    left out.
    """
    finite = {width: nets[width].select(np.isfinite(nets[width].loss)) for width in sorted(nets)}
    finite = {width: one for width, one in finite.items() if len(one) >= LEAST_SEEDS}
    widths = {
        width: _one_width(one, [m // width for m in finite if m % width == 0])
        for width, one in finite.items()
    }
    gains, joined = {}, {}
    for narrow, wide in ((width, 2 * width) for width in finite if 2 * width in finite):
        halves, whole = finite[narrow], finite[wide]
        data = halves.data
        try:
            gains[narrow, wide] = attribute(
                halves.predict(data.x), data.y, data.weight, whole.loss, draws=DRAWS, level=LEVEL
            )
        except DataError:  # losses of zero
            continue
        if wide <= MOST_JOINED:
            pairs = drawn_pairs(len(halves), JOINED)
            loss = refitted(
                halves.activation,
                halves.w,
                halves.b,
                data.x,
                data.y,
                data.weight,
                pairs,
                FLOAT32_CUT,
            ).loss
            with contextlib.suppress(DataError):
                joined[narrow, wide] = compare(loss, whole.loss, pairs, level=LEVEL).ratio
    return Ensembles(activation, widths, gains, joined, _worth(widths))


def _one_width(nets: Ensemble, more: list[int]) -> OneWidth:
    """`more`: sizes of groups that have as many neurons as another width."""
    data = nets.data
    errors = nets.predict(data.x) - data.y
    pairs = drawn_pairs(len(nets), DRAWS)
    between = cosines(errors, data.weight, pairs)
    drawn = cosine_medians(between.values, pairs, 1000, np.random.default_rng(0))
    low, high = np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    sizes = possible_sizes(
        sorted({*SIZES, *(size for size in more if size <= max(SIZES))}), len(nets)
    )
    tickets, inverse = None, np.empty(0)
    if nets.config.width >= LEAST_TICKETS and data.inputs == 1:
        most = next(count for width, count in APART if nets.config.width >= width)
        apart = taken_apart(nets.select(np.arange(min(most, len(nets)))))
        number = apart.working.ranks().participation
        inverse = 1 / number[number > 0]
        tickets = {
            "independent": apart.counts["span", "participation"],
            "groups": apart.counts["span", "groups"],
            "needed": median_estimate(apart.working.needed(apart.nets.loss)),
            "alike": median_estimate(apart.shapes.correlation),
        }
    return OneWidth(
        nets=nets,
        parts=decompose(errors, data.weight, level=LEVEL),
        cosine=Estimate(between.median, float(low), float(high), LEVEL),
        directions=between.directions,
        means=averages(errors, data.weight, sizes, level=LEVEL) if len(sizes) > 1 else None,
        tickets=tickets,
        inverse=inverse,
    )


def _worth(widths: Mapping[int, OneWidth]) -> dict[tuple[int, int], Estimate]:
    """Loss of the mean of M / N nets of width N over the median loss of nets of width M, for each
    such pair.
    """
    found = {}
    for narrow, one in widths.items():
        for wide in widths:
            size = wide // narrow
            if one.means is None or wide % narrow or size < 2 or size not in one.means.sizes:
                continue
            try:
                whole = points([wide], [widths[wide].nets.loss], level=LEVEL)
            except DataError:
                continue
            k = int(np.flatnonzero(one.means.sizes == size)[0])
            ratio = float(one.means.loss[k] / whole.value[0])
            reach = float(np.exp(1.96 * np.hypot(one.means.error[k], whole.error[0])))
            found[narrow, wide] = Estimate(ratio, ratio / reach, ratio * reach, LEVEL)
    return found
