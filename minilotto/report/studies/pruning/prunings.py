"""Trained nets cut down by several rules, with their last layers fitted anew or not, beside nets
trained at that width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minilotto.analysis.ensembling.readout import readout_loss
from minilotto.analysis.landscape.pruning import (
    CUT,
    as_trained,
    at_random,
    by_elimination,
    by_merging,
    by_size,
    by_tickets,
    kept,
    refitted,
)
from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.tickets.disentangling import median_interval
from minilotto.ensemble.distillation import distill_path, refit
from minilotto.ensemble.ensemble import Ensemble
from minilotto.report.figure import Array
from minilotto.report.rules import LEVEL

KEPT = (1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 35, 40, 45, 50, 70, 100, 150, 200)
DISTILLED_TO = (
    10  # most neurons that distillation's search is asked for; its time grows with their square
)
FLOAT32_CUT = 1e-7  # of a response: what output weights in float32 can make use of
SAME, SIMILAR = 1.25, 2.0  # ratios of losses up to which nothing, or next to nothing, is lost
OTHERS = 40  # nets of each width beyond the first
READOUTS = {"float64": "output weights in float64", "float32": "output weights that float32 holds"}
RULES = {
    "random": "at random",
    "magnitude": "magnitude",
    "tickets": "correlated tickets",
    "merging": "merging",
    "elimination": "backward elimination",
    "distilled": "distillation's search",
}
UNFITTED = {"magnitude": "magnitude, weights as trained", "merging": "merging, weights merged"}


@dataclass(frozen=True, eq=False)
class Cut:
    """R nets of one width cut down. Losses (R,) by (rule, neurons kept), for each of READOUTS;
    `unfitted` by rules of UNFITTED.

    trained (R,): of the whole nets as trained; whole: with the last layer fitted anew, by readout.
    To losses in float64 the most that rounding may have hidden is added. growth (R,) by (rule,
    kept): root mean square of the sum of absolute terms over that of the output, for weights in
    float64.
    """

    width: int
    trained: Array
    whole: Mapping[str, Array]
    losses: Mapping[str, Mapping[tuple[str, int], Array]]
    unfitted: Mapping[tuple[str, int], Array]
    growth: Mapping[tuple[str, int], Array]

    @property
    def kept(self) -> tuple[int, ...]:
        """Numbers of neurons, ascending."""
        return tuple(sorted({count for _, count in self.unfitted}))

    @cached_property
    def medians(self) -> dict[tuple[str, int, str | None], Estimate]:
        """The median loss by rule, neurons kept and readout, None for weights that are not fitted."""
        found = {
            (*place, readout): median_loss(loss)
            for readout, part in self.losses.items()
            for place, loss in part.items()
        }
        return found | {(*place, None): median_loss(loss) for place, loss in self.unfitted.items()}

    def curve(self, rule: str, readout: str | None) -> dict[int, Estimate]:
        """Median loss by neurons kept."""
        return {
            count: self.medians[rule, count, readout]
            for count in self.kept
            if (rule, count, readout) in self.medians
        }


@dataclass(frozen=True, eq=False)
class Small:
    """Nets trained at a width: losses (R,) as trained, and with the last layer fitted anew, by
    readout.
    """

    trained: Array
    again: Mapping[str, Array]


def cut_down(nets: Ensemble, counts: Sequence[int] = KEPT, search: bool = True) -> Cut:
    """These nets, all of them finite, cut down by every rule to each of `counts` below their width.

    search: by distillation's search too, which takes longer than all the rest.
    """
    activation, parameters, data = nets.activation, nets.parameters, nets.data
    width = nets.config.width
    counts = [count for count in counts if count < width]
    size = by_size(activation, parameters, data)
    merging = by_merging(activation, parameters, data)
    orders = {
        "random": at_random(len(nets), width),
        "magnitude": size,
        "tickets": by_tickets(activation, parameters, data),
        "merging": merging.order,
    }
    losses: dict[str, dict[tuple[str, int], Array]] = {readout: {} for readout in READOUTS}
    growth: dict[tuple[str, int], Array] = {}
    for readout, cut in (("float64", CUT), ("float32", FLOAT32_CUT)):
        every = {**orders, "elimination": by_elimination(activation, parameters, data, cut)}
        for rule, order in every.items():
            for count in counts:
                if readout == "float64":
                    found = refitted(activation, parameters, order, count, data)
                    losses[readout][rule, count] = found.loss + found.rounding
                    growth[rule, count] = found.cancellation
                else:
                    places = kept(order, count)
                    w = np.take_along_axis(nets.w, places[:, :, None], axis=1)
                    losses[readout][rule, count] = readout_loss(
                        activation, w, np.take_along_axis(nets.b, places, axis=1), data
                    )
    few = [count for count in counts if count <= DISTILLED_TO and search]
    for count, found in zip(
        few, distill_path(activation, parameters, few, data) if few else [], strict=True
    ):
        losses["float64"]["distilled", count] = found.loss + found.rounding
        losses["float32"]["distilled", count] = readout_loss(
            activation, found.parameters.w, found.parameters.b, data
        )
        growth["distilled", count] = found.cancellation
    unfitted = {
        ("magnitude", count): as_trained(activation, parameters, size, count, data)
        for count in counts
    }
    unfitted |= {
        ("merging", count): as_trained(activation, parameters, merging, count, data)
        for count in counts
    }
    return Cut(width, nets.loss, _again(nets), losses, unfitted, growth)


def small(nets: Ensemble) -> Small:
    """Losses of nets, all of them finite, as trained and with the last layer fitted anew."""
    return Small(nets.loss, _again(nets))


def _again(nets: Ensemble) -> dict[str, Array]:
    found = refit(nets.activation, nets.w, nets.b, nets.data)
    return {
        "float64": found.loss + found.rounding,
        "float32": readout_loss(nets.activation, nets.w, nets.b, nets.data),
    }


def median_loss(loss: Array) -> Estimate:
    """The median of losses above 0 with its interval over nets."""
    found = median_interval(np.log10(loss))
    return Estimate(float(10**found.value), float(10**found.low), float(10**found.high), LEVEL)


def median_ratio(first: Array, second: Array) -> Estimate:
    """The median over nets of the ratio of two losses of the same net, with its interval."""
    return median_loss(first / second)


def lossless(
    cut: Cut, rule: str, readout: str | None, against: str, most: float = SAME
) -> int | None:
    """The fewest neurons from which on nothing is lost against the "trained" or the "refitted"
    whole net; None for none.

    A number of neurons loses nothing where the interval of the median ratio of losses stays below
    `most`.
    """
    found = cut.unfitted if readout is None else cut.losses[readout]
    whole = cut.trained if against == "trained" or readout is None else cut.whole[readout]
    least = None
    for count in sorted((count for name, count in found if name == rule), reverse=True):
        if median_ratio(found[rule, count], whole).high > most:
            break
        least = count
    return least


def enough(count: int | None) -> str:
    """What `lossless` says, in words."""
    return (
        "none can go" if count is None else "1 is enough" if count == 1 else f"{count} are enough"
    )


def ratio_of_medians(first: Array, second: Array, resamples: int = 2000, seed: int = 0) -> Estimate:
    """The ratio of the median losses of two lots of nets, with its bootstrap interval."""
    random = np.random.default_rng(seed)
    logs = [np.log10(loss) for loss in (first, second)]
    one, two = (
        np.median(each[random.integers(len(each), size=(resamples, len(each)))], axis=1)
        for each in logs
    )
    low, high = 10.0 ** np.quantile(one - two, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Estimate(
        float(10 ** (np.median(logs[0]) - np.median(logs[1]))), float(low), float(high), LEVEL
    )
