"""Trained nets cut down by several rules, with their last layers fitted again or not."""

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
    refit_kept,
)
from minilotto.analysis.stats.bootstrap import Estimate, median_interval
from minilotto.ensemble.distillation import Distilled, distill_path, refit
from minilotto.ensemble.ensemble import Ensemble
from minilotto.report.rules import LEVEL
from minilotto.settings.arrays import Array

KEPT = (1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 35, 40, 45, 50, 70, 100, 150, 200)
DISTILLED_TO = 10  # most neurons that the search is asked for; its time grows with their square
FLOAT32_CUT = 1e-7  # of a response: what output weights in float32 can make use of
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

Readout = str | None  # one of READOUTS, None for output weights that are not fitted again


@dataclass(frozen=True, eq=False)
class Cut:
    """R nets of one width cut down: losses (R,) by rule, neurons kept and readout.

    whole: losses (R,) of the whole nets by readout. To losses in float64 the most that rounding may
    have hidden is added. growth (R,) by rule and neurons kept: root mean square of the sum of
    absolute terms over that of the output, for weights in float64.
    """

    width: int
    whole: Mapping[Readout, Array]
    losses: Mapping[tuple[str, int, Readout], Array]
    growth: Mapping[tuple[str, int], Array]

    @cached_property
    def medians(self) -> dict[tuple[str, int, Readout], Estimate]:
        return {place: median_loss(loss) for place, loss in self.losses.items()}

    def kept(self, rule: str, readout: Readout) -> list[int]:
        """Numbers of neurons that were tried, ascending."""
        tried = ((name, k) for name, k, other in self.losses if other == readout)
        return sorted(k for name, k in tried if name == rule)

    def curve(self, rule: str, readout: Readout) -> dict[int, Estimate]:
        """Median loss by neurons kept."""
        return {k: self.medians[rule, k, readout] for k in self.kept(rule, readout)}

    def ratios(
        self, first: str, second: str, readout: Readout, least: int = 2
    ) -> dict[int, Estimate]:
        """Median ratio per net of one rule's loss to another's, from `least` neurons to half."""
        both = set(self.kept(first, readout)) & set(self.kept(second, readout))
        return {
            k: median_loss(self.losses[first, k, readout] / self.losses[second, k, readout])
            for k in sorted(both)
            if least <= k <= self.width / 2
        }

    def fewest(self, rule: str, readout: Readout, against: Readout, most: float) -> int | None:
        """The fewest neurons from which on nothing is lost against the whole nets, None for none:
        the interval of the median ratio of losses stays below `most`.
        """
        least = None
        for k in reversed(self.kept(rule, readout)):
            ratio = self.losses[rule, k, readout] / self.whole[against]
            if median_loss(ratio).high > most:
                break
            least = k
        return least


def cut_down(nets: Ensemble, counts: Sequence[int] = KEPT, search: bool = True) -> Cut:
    """Nets cut down by every rule.

    Parameters
    ----------
    nets : Ensemble
        R nets of one width, all of them finite.
    counts : sequence of int
        Numbers of neurons to keep; those below the width are used.
    search : bool
        By distillation's search too, which takes longer than all the rest.

    Returns
    -------
    Cut
        Losses of the nets that are left.
    """
    net, data = (nets.activation, nets.parameters), nets.data
    width = nets.config.width
    counts = [count for count in counts if count < width]
    merging = by_merging(*net, data)
    orders = {
        "random": at_random(len(nets), width),
        "magnitude": by_size(*net, data),
        "tickets": by_tickets(*net, data),
        "merging": merging.order,
    }
    few = [count for count in counts if count <= DISTILLED_TO] if search else []
    found = dict(zip(few, distill_path(*net, few, data) if few else [], strict=True))
    losses: dict[tuple[str, int, Readout], Array] = {}
    growth: dict[tuple[str, int], Array] = {}

    def add(rule: str, count: int, best: Distilled) -> None:
        losses[rule, count, "float64"] = best.loss + best.rounding
        growth[rule, count] = best.cancellation

    eliminated = by_elimination(*net, data, CUT)
    for rule, order in {**orders, "elimination": eliminated}.items():
        for count in counts:
            add(rule, count, refit_kept(*net, order, count, data))
    for count, best in found.items():
        add("distilled", count, best)
    eliminated = by_elimination(*net, data, FLOAT32_CUT)
    for rule, order in {**orders, "elimination": eliminated}.items():
        for count in counts:
            places = kept(order, count)
            w = np.take_along_axis(nets.w, places[:, :, None], axis=1)
            b = np.take_along_axis(nets.b, places, axis=1)
            losses[rule, count, "float32"] = readout_loss(nets.activation, w, b, data)
    for count, best in found.items():
        w, b = best.parameters.w, best.parameters.b
        losses["distilled", count, "float32"] = readout_loss(nets.activation, w, b, data)
    for rule, steps in (("magnitude", orders["magnitude"]), ("merging", merging)):
        for count in counts:
            losses[rule, count, None] = as_trained(*net, steps, count, data)
    return Cut(width, whole_losses(nets), losses, growth)


def whole_losses(nets: Ensemble) -> dict[Readout, Array]:
    """Losses (R,) of nets, all of them finite, as trained and with the last layer fitted again."""
    best = refit(nets.activation, nets.w, nets.b, nets.data)
    return {
        None: nets.loss,
        "float64": best.loss + best.rounding,
        "float32": readout_loss(nets.activation, nets.w, nets.b, nets.data),
    }


def median_loss(loss: Array) -> Estimate:
    """The median over nets of numbers above 0, with its interval."""
    found = median_interval(np.log10(loss))
    return Estimate(float(10**found.value), float(10**found.low), float(10**found.high), LEVEL)


def ratio_of_medians(first: Array, second: Array, resamples: int = 2000, seed: int = 0) -> Estimate:
    """The ratio of the median losses of two sets of nets, with its bootstrap interval.

    Parameters
    ----------
    first, second : (R,) array of float
        Losses above 0, as many as there are of each.
    resamples, seed : int
        Of the bootstrap over nets.

    Returns
    -------
    Estimate
        The ratio and its interval.
    """
    random = np.random.default_rng(seed)
    logs = [np.log10(loss) for loss in (first, second)]
    one, two = (
        np.median(each[random.integers(len(each), size=(resamples, len(each)))], axis=1)
        for each in logs
    )
    low, high = 10.0 ** np.quantile(one - two, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    value = 10 ** (np.median(logs[0]) - np.median(logs[1]))
    return Estimate(float(value), float(low), float(high), LEVEL)
