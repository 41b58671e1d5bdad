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
from minilotto.analysis.stats.bootstrap import Estimate, estimate, median_interval
from minilotto.ensemble.distillation import distill_path, refit
from minilotto.ensemble.ensemble import Ensemble
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.limits import check_one_layer

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
FLOAT32_CUT = 1e-7  # of a response: what output weights in float32 can make use of

Readout = str | None  # "float64", "float32", None for output weights that are not fitted again


@dataclass(frozen=True, eq=False)
class PrunedLosses(Shown):
    """Losses of R nets of one width, pruned.

    Parameters
    ----------
    width : int
    whole : mapping of Readout to (R,) ndarray of float64
        Of the nets with all neurons.
    losses : mapping of (str, int, Readout) to (R,) ndarray of float64
        By rule, neurons kept and readout. To losses in float64 the most that rounding may have
        hidden is added.
    growth : mapping of (str, int) to (R,) ndarray of float64
        By rule and neurons kept: root mean square of the sum of absolute terms over that of the
        output, for weights in float64.
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
        """Numbers of neurons that were tried, ascending.

        Parameters
        ----------
        rule : str
        readout : Readout

        Returns
        -------
        list of int
        """
        return sorted(k for name, k, other in self.losses if (name, other) == (rule, readout))

    def curve(self, rule: str, readout: Readout) -> dict[int, Estimate]:
        """Median loss by neurons kept.

        Parameters
        ----------
        rule : str
        readout : Readout

        Returns
        -------
        dict of int to Estimate
        """
        return {k: self.medians[rule, k, readout] for k in self.kept(rule, readout)}

    def ratios(
        self, first: str, second: str, readout: Readout, least: int = 2
    ) -> dict[int, Estimate]:
        """Median ratio per net of one rule's loss to another's, from `least` neurons to half.

        Parameters
        ----------
        first, second : str
            Rules.
        readout : Readout
        least : int

        Returns
        -------
        dict of int to Estimate
            By neurons kept.
        """
        both = {*self.kept(first, readout)} & {*self.kept(second, readout)}
        return {
            k: median_loss(self.losses[first, k, readout] / self.losses[second, k, readout])
            for k in sorted(both)
            if least <= k <= self.width / 2
        }

    def fewest(self, rule: str, readout: Readout, against: Readout, most: float) -> int | None:
        """The fewest neurons from which on nothing is lost against the whole nets.

        Parameters
        ----------
        rule : str
        readout, against : Readout
            Of the pruned nets, and of the whole ones.
        most : float
            The interval of the median ratio of losses stays below.

        Returns
        -------
        int or None
            None where every number tried loses something.
        """
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
    """Prunes nets by every rule.

    Rules are those of RULES: the orders of `pruning`, and the search of `distill_path`.

    Parameters
    ----------
    nets : Ensemble
        R nets of one width, all of them finite.
    counts : sequence of int
        Numbers of neurons to keep; those below the width are used.
    search : bool
        Distil too, which takes longer than all the rest.

    Returns
    -------
    PrunedLosses
    """
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
    }
    losses: dict[tuple[str, int, Readout], Array] = {}
    refitted = {
        (rule, count): refit_kept(*net, order, count, data)
        for rule, order in {**orders, "elimination": by_elimination(*net, data, CUT)}.items()
        for count in counts
    }
    refitted |= {("distilled", count): best for count, best in found.items()}
    for (rule, count), best in refitted.items():
        losses[rule, count, "float64"] = best.loss + best.rounding
    for rule, order in {**orders, "elimination": by_elimination(*net, data, FLOAT32_CUT)}.items():
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
    growth = {place: best.cancellation for place, best in refitted.items()}
    return PrunedLosses(nets.config.width, whole_losses(nets), losses, growth)


def whole_losses(nets: Ensemble) -> dict[Readout, Array]:
    """Losses of whole nets, as trained and with the last layer fitted again.

    Parameters
    ----------
    nets : Ensemble
        R nets, all of them finite.

    Returns
    -------
    dict of Readout to (R,) ndarray of float64
    """
    check_one_layer("a fit of output weights", nets.config.depth)
    best = refit(nets.activation, nets.w, nets.b, nets.data)
    return {
        None: nets.loss,
        "float64": best.loss + best.rounding,
        "float32": readout_loss(nets.activation, nets.w, nets.b, nets.data),
    }


def median_loss(loss: ArrayLike) -> Estimate:
    """The median of losses above 0, with its 95% bootstrap interval in their logarithm.

    Parameters
    ----------
    loss : (R,) array_like of float

    Returns
    -------
    Estimate

    Examples
    --------
    >>> round(median_loss([1.0, 10.0, 1000.0]).value, 9)
    10.0
    """
    return median_interval(np.log10(loss)).mapped(lambda x: 10**x)


def ratio_of_medians(
    first: ArrayLike, second: ArrayLike, resamples: int = 2000, seed: int = 0
) -> Estimate:
    """The ratio of the median losses of two sets of nets, with its 95% bootstrap interval.

    Parameters
    ----------
    first, second : (R,), (Q,) array_like of float
        Losses above 0.
    resamples, seed : int
        Of the bootstrap over nets.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> losses = np.geomspace(1, 4, 101)
    >>> round(ratio_of_medians(3 * losses, losses).value, 9)
    3.0
    """
    random = np.random.default_rng(seed)
    logs = [np.log10(loss) for loss in (first, second)]
    one, two = (
        np.median(each[random.integers(len(each), size=(resamples, len(each)))], axis=1)
        for each in logs
    )
    value = float(np.median(logs[0]) - np.median(logs[1]))
    return estimate(value, one - two, 0.95).mapped(lambda x: 10**x)
