"""Losses of trained nets pruned by every rule, with the last layer fitted again or not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

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
from minilotto.analysis.stats.bootstrap import (
    Estimate,
    estimate,
    median_interval,
    medians,
    resampled,
)
from minilotto.ensemble.distillation import distill_path, refit
from minilotto.ensemble.ensemble import Ensemble
from minilotto.ensemble.last_layer import first_layer
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.limits import check_one_layer

__all__: list[str] = []

KEPT = (1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 35, 40, 45, 50, 70, 100, 150, 200)
DISTILLED_TO = 10  # most neurons that the search is asked for; its time grows with their square
RULES = {
    "random": "at random",
    "magnitude": "magnitude",
    "tickets": "correlated tickets",
    "merging": "merging",
    "elimination": "backward elimination",
    "distilled": "distillation's search",
}
UNFITTED = {"magnitude": "magnitude, weights as trained", "merging": "merging, weights merged"}
RESAMPLES = 2000  # of the bootstrap over nets
FLOAT32_CUT = 1e-7  # of a response: what output weights in float32 can make use of

Readout = str | None  # "float64", "float32", None for output weights that are not fitted again


@dataclass(frozen=True, eq=False)
class PrunedLosses(Shown):
    """Losses (R,) of R nets of one width, pruned.

    whole: of the nets with all neurons, by readout; losses: by rule, neurons kept and readout, in
    float64 with the most that rounding may have hidden; growth: by rule and neurons kept, root mean
    square of the sum of absolute terms over that of the output, for weights in float64.
    """

    width: int
    whole: Mapping[Readout, Array]
    losses: Mapping[tuple[str, int, Readout], Array]
    growth: Mapping[tuple[str, int], Array]

    @cached_property
    def medians(self) -> dict[tuple[str, int, Readout], Estimate]:
        """Median losses over nets."""
        return {place: median_loss(loss) for place, loss in self.losses.items()}

    def kept(self, rule: str, readout: Readout) -> list[int]:
        """Numbers of neurons that were tried, ascending."""
        return sorted(k for name, k, other in self.losses if (name, other) == (rule, readout))

    def curve(self, rule: str, readout: Readout) -> dict[int, Estimate]:
        """Median loss by neurons kept."""
        return {k: self.medians[rule, k, readout] for k in self.kept(rule, readout)}

    def ratios(
        self, first: str, second: str, readout: Readout, least: int = 2
    ) -> dict[int, Estimate]:
        """Median ratio per net of one rule's loss to another's, from `least` neurons to half."""
        both = {*self.kept(first, readout)} & {*self.kept(second, readout)}
        return {
            k: median_loss(self.losses[first, k, readout] / self.losses[second, k, readout])
            for k in sorted(both)
            if least <= k <= self.width / 2
        }

    def fewest(self, rule: str, readout: Readout, against: Readout, most: float) -> int | None:
        """The fewest neurons from which on the median loss over whole nets' is below `most`."""
        least = None
        for k in reversed(self.kept(rule, readout)):
            ratio = self.losses[rule, k, readout] / self.whole[against]
            if median_loss(ratio).high > most:
                break
            least = k
        return least


def pruned_losses(
    nets: Ensemble, counts: Sequence[int] = KEPT, search: bool = True
) -> PrunedLosses:
    """Prunes finite nets of one width by each of RULES; `distill_path` takes the longest."""
    net, data = (nets.activation, nets.parameters), nets.data
    counts = [count for count in counts if count < nets.config.width]
    few = [count for count in counts if count <= DISTILLED_TO] if search else []
    found = dict(zip(few, distill_path(*net, few, data) if few else [], strict=True))
    merging = by_merging(*net, data)
    orders = {
        "random": at_random(len(nets), nets.config.width),
        "magnitude": by_size(*net, data),
        "tickets": by_tickets(*net, data),
        "merging": merging.order,
        "elimination": by_elimination(*net, data, CUT),
    }
    losses: dict[tuple[str, int, Readout], Array] = {}
    refitted = {
        (rule, count): refit_kept(*net, order, count, data)
        for rule, order in orders.items()
        for count in counts
    }
    refitted |= {("distilled", count): best for count, best in found.items()}
    for (rule, count), best in refitted.items():
        losses[rule, count, "float64"] = best.loss + best.rounding
    orders["elimination"] = by_elimination(*net, data, FLOAT32_CUT)
    for rule, order in orders.items():
        for count in counts:
            layer = first_layer(nets.parameters, kept(order, count))
            losses[rule, count, "float32"] = readout_loss(nets.activation, *layer, data)
    for count, best in found.items():
        w, b = best.parameters.w, best.parameters.b
        losses["distilled", count, "float32"] = readout_loss(nets.activation, w, b, data)
    for rule, steps in (("magnitude", orders["magnitude"]), ("merging", merging)):
        for count in counts:
            losses[rule, count, None] = as_trained(*net, steps, count, data)
    growth = {place: best.cancellation for place, best in refitted.items()}
    return PrunedLosses(nets.config.width, whole_losses(nets), losses, growth)


def whole_losses(nets: Ensemble) -> dict[Readout, Array]:
    """Losses (R,) of finite nets, as trained and with the last layer fitted again."""
    check_one_layer("a fit of output weights", nets.config.depth)
    best = refit(nets.activation, nets.w, nets.b, nets.data)
    return {
        None: nets.loss,
        "float64": best.loss + best.rounding,
        "float32": readout_loss(nets.activation, nets.w, nets.b, nets.data),
    }


def median_loss(loss: ArrayLike) -> Estimate:
    """The median of losses above 0, with its 95% bootstrap interval in their logarithm."""
    return median_interval(np.log10(loss)).mapped(lambda x: 10**x)


def ratio_of_medians(first: ArrayLike, second: ArrayLike) -> Estimate:
    """The ratio of the median losses of two sets of nets, with its 95% bootstrap interval."""
    random = np.random.default_rng(0)
    logs = [np.log10(loss) for loss in (first, second)]
    one, two = (resampled(medians, each, RESAMPLES, random) for each in logs)
    value = float(np.median(logs[0]) - np.median(logs[1]))
    return estimate(value, one - two, 0.95).mapped(lambda x: 10**x)
