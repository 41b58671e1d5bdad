"""Nets of one activation at all widths: what their errors have in common, what means of them lose,
and where a wider net's gain comes from.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from minilotto.analysis.ensembling.attribution import Attribution, attribute
from minilotto.analysis.ensembling.averages import Averages, averages, possible_sizes, worth
from minilotto.analysis.ensembling.decomposition import Decomposition, as_points, decompose
from minilotto.analysis.ensembling.ensembling import cosines
from minilotto.analysis.ensembling.pairs import compare, cosine_medians, drawn_pairs
from minilotto.analysis.ensembling.synergy import refitted
from minilotto.analysis.stats.bootstrap import LEAST_SEEDS as BOOTSTRAP_SEEDS
from minilotto.analysis.stats.bootstrap import Estimate, estimate, points
from minilotto.analysis.stats.scaling import Fit, fit_law
from minilotto.analysis.tickets.apart import median_estimate, taken_apart
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.report.figure import PAPER_RANGE, named
from minilotto.report.rules import LEVEL
from minilotto.settings.arrays import Array

SIZES = (1, 2, 4, 8, 16, 32, 64)  # nets that are averaged
DRAWS = 2000  # pairs of seeds
JOINED = 200  # pairs of nets whose neurons get one last layer
MOST_JOINED = 100  # widest nets for which that is done
LEAST_TICKETS = 4  # neurons of the narrowest nets that are taken apart: two pairs
APART = ((500, 12), (100, 48), (0, 100))  # from this width on, so many nets are taken apart
LEAST_SEEDS = 20  # half of which are kept


@dataclass(frozen=True)
class OneWidth:
    """Nets of one width.

    parts, whole: bias and variance, of the central half of the nets and of all; cosine: between the
    errors of two seeds, median over pairs; means: None where the nets are too few for groups.
    tickets: of the mirror pairs within a net, how many are independent (independent), groups by
    correlation (groups), how many Eq. 9 needs for the net's loss (needed), |cosine| of two (alike);
    empty below LEAST_TICKETS neurons, NaN where no net has a useful pair. inverse (.,): 1 /
    independent of each net that has some.
    """

    nets: Ensemble
    parts: Decomposition
    whole: Decomposition
    cosine: Estimate
    means: Averages | None
    tickets: Mapping[str, Estimate]
    inverse: Array


Widths = dict[int, OneWidth]


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

    @property
    def label(self) -> str:
        return named(self.activation)

    def within(self, low: float = PAPER_RANGE[0], high: float = PAPER_RANGE[1]) -> Widths:
        """The widths from `low` to `high`."""
        return {width: one for width, one in self.widths.items() if low <= width <= high}

    def law(self, what: str) -> Fit | None:
        """The power law of the "bias", the "variance" or 1 / the "independent" tickets over the
        paper's widths, None where data are too few.
        """
        some = self.within()
        inverse = {n: one.inverse for n, one in some.items() if len(one.inverse) >= BOOTSTRAP_SEEDS}
        with contextlib.suppress(DataError):
            if what != "independent":
                return fit_law(as_points(list(some), [one.parts for one in some.values()], what))
            if inverse:
                return fit_law(points(list(inverse), list(inverse.values()), level=LEVEL))
        return None


def ensembles(activation: str, nets: Mapping[int, Ensemble]) -> Ensembles:
    """The study of one activation: nets by width, less widths of fewer than LEAST_SEEDS."""
    finite = {width: nets[width].select(np.isfinite(nets[width].loss)) for width in sorted(nets)}
    finite = {width: one for width, one in finite.items() if len(one) >= LEAST_SEEDS}
    widths = {
        width: _one_width(one, [m // width for m in finite if m % width == 0])
        for width, one in finite.items()
    }
    gains, joined = {}, {}
    for narrow, wide in ((width, 2 * width) for width in finite if 2 * width in finite):
        halves, whole, data = finite[narrow], finite[wide], finite[narrow].data
        with contextlib.suppress(DataError):  # losses of zero
            gains[narrow, wide] = attribute(
                *(halves.predict(data.x), data.y, data.weight, whole.loss), draws=DRAWS, level=LEVEL
            )
            if wide <= MOST_JOINED:
                pairs = drawn_pairs(len(halves), JOINED)
                found = compare(refitted(halves, pairs), whole.loss, pairs, level=LEVEL)
                joined[narrow, wide] = found.ratio
    means = {width: one.means for width, one in widths.items()}
    worths = worth(means, {width: one.nets.loss for width, one in widths.items()}, LEVEL)
    return Ensembles(activation, widths, gains, joined, worths)


def cosine_between(errors: Array, weight: Array, draws: int = DRAWS) -> Estimate:
    """Cosine of the errors (R, P) of two nets, median over so many pairs."""
    pairs = drawn_pairs(len(errors), draws)
    between = cosines(errors, weight, pairs)
    drawn = cosine_medians(between.values, pairs, 1000, np.random.default_rng(0))
    return estimate(between.median, drawn, LEVEL)


def _one_width(nets: Ensemble, more: list[int]) -> OneWidth:
    """`more`: sizes of groups that have as many neurons as another width."""
    data = nets.data
    errors = nets.predict(data.x) - data.y
    wanted = sorted({*SIZES, *(size for size in more if size <= max(SIZES))})
    sizes = possible_sizes(wanted, len(nets))
    tickets, inverse = {}, np.empty(0)
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
        whole=decompose(errors, data.weight, central=1.0, level=LEVEL),
        cosine=cosine_between(errors, data.weight),
        means=averages(errors, data.weight, sizes, level=LEVEL) if len(sizes) > 1 else None,
        tickets=tickets,
        inverse=inverse,
    )
