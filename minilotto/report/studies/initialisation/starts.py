"""Ways to start a network, and what became of networks that started so, for the study of
initialisation.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from minilotto.analysis.ensembling.ensembling import cosines
from minilotto.analysis.landscape.laziness import distance_moved
from minilotto.analysis.stats.bootstrap import Estimate, Points, points
from minilotto.analysis.stats.scaling import compare_laws, fit_law
from minilotto.analysis.tickets.disentangling import median_interval
from minilotto.analysis.tickets.tickets import alive, pair_neurons, pair_quality
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.initialisation import initial_parameters
from minilotto.report.rules import LEVEL

TICKET = 1e-5  # loss of a two-neuron net up to which it has drawn a ticket
NEAR = 0.25  # between exponents that are called the same
LEAST_SHARE = 1e-3  # of nets, in place of none
SYMMETRIC = (
    0.01  # part of a pair's variance that is odd in x, up to which it counts as a mirror pair
)
RESAMPLES = 4000  # of the losses at a width, for the outer quantiles


@dataclass(frozen=True)
class Start:
    """A scheme and its two scales; see `schemes`."""

    init: str = "torch"
    init_scale: float = 1.0
    output_scale: float = 1.0

    def __str__(self) -> str:
        scale = f", scale {self.init_scale:g}" if self.init_scale != 1 else ""
        output = f", output {self.output_scale:g}" if self.output_scale != 1 else ""
        return f"{self.init.replace('_', ' ')}{scale}{output}"

    @property
    def fields(self) -> dict[str, Any]:
        """What Config calls them."""
        return {"init": self.init, "init_scale": self.init_scale, "output_scale": self.output_scale}


DEFAULT = Start()


@dataclass(frozen=True)
class Started:
    """Networks of one start.

    points: median loss by width. exponent: over the widths of the law, and strict_exponent at
    another level; weights: the evidence for each law there. won, tried: two-neuron nets with a
    ticket, and all. By width: likeness, the median cosine of the errors of two seeds; moved and
    hidden, the median distance of all parameters and of w, b from where they started; paired, the
    share of neurons that are in mirror pairs which fit the target. widest: the largest width of the
    law.
    """

    points: Points
    exponent: Estimate
    strict_exponent: Estimate
    weights: Mapping[str, float]
    won: int
    tried: int
    likenesses: Mapping[int, Estimate]
    distances: Mapping[int, Estimate]
    hidden: Mapping[int, Estimate]
    paired: Mapping[int, Estimate]
    widest: int

    @property
    def tickets(self) -> Estimate | None:
        """Share of two-neuron nets with a ticket, with Wilson's interval."""
        if not self.tried:
            return None
        found = binomtest(self.won, self.tried).proportion_ci(LEVEL, "wilson")
        return Estimate(self.won / self.tried, float(found.low), float(found.high), LEVEL)

    @property
    def likeness(self) -> Estimate | None:
        return self.likenesses.get(self.widest)

    @property
    def moved(self) -> Estimate | None:
        return self.distances.get(self.widest)

    @property
    def loss(self) -> Estimate | None:
        """Median loss at the largest width of the law."""
        at = np.flatnonzero(self.points.widths == self.widest)
        if not at.size:
            return None
        value, low, high = (
            float(column[at[0]])
            for column in (self.points.value, self.points.low, self.points.high)
        )
        return Estimate(value, low, high, LEVEL)

    def quantities(self) -> Iterator[tuple[str, int, Estimate]]:
        """(name, width, estimate) of everything but the losses; of the exponent the largest width."""
        yield "exponent", self.widest, self.exponent
        if self.tickets:
            yield "share of tickets", 2, self.tickets
        for name in ("likenesses", "distances", "hidden", "paired"):
            told = {
                "likenesses": "cosine of errors",
                "distances": "distance moved",
                "hidden": "distance moved by w and b",
            }
            for width, estimate in getattr(self, name).items():
                yield told.get(name, "share of neurons in symmetric tickets"), width, estimate
        for law, weight in self.weights.items():
            yield f"weight of {law}", self.widest, Estimate(weight, weight, weight, LEVEL)


def started(nets: Mapping[int, Ensemble], span: tuple[int, int], strict: float) -> Started:
    """What became of the nets of one start, by width; the law is fitted from span[0] to span[1].

    strict: the level of strict_exponent. Raises DataError for fewer than three widths in the span,
    or too few seeds.
    """
    law = sorted(width for width in nets if span[0] <= width <= span[1])
    if len(law) < 3:
        raise DataError(
            f"{len(law)} widths from {span[0]} to {span[1]} are there; an exponent needs three: "
            "train more widths"
        )
    widths = sorted(nets)
    kept = {width: nets[width].select(np.isfinite(nets[width].loss)) for width in widths}
    losses = [nets[width].loss for width in widths]
    found = points(widths, losses, level=LEVEL)
    narrow = points(law, [nets[width].loss for width in law], level=strict, resamples=RESAMPLES)
    inside = found.select(np.isin(found.widths, law))
    weights = {row.law: row.weight for row in compare_laws(inside).rows if row.weight is not None}
    likenesses, distances, hidden, paired = {}, {}, {}, {}
    for width in widths:
        one = kept[width]
        moved = distance_moved(
            initial_parameters(one.config, one.data.inputs, one.seeds), one.parameters
        )
        distances[width], hidden[width] = _median(moved.whole), _median(moved.hidden)
        if width >= span[0]:
            likenesses[width] = _likeness(one)
        if width in (2, law[0], law[-1]):
            paired[width] = _paired(one)
    two = nets.get(2)
    return Started(
        points=found,
        exponent=fit_law(inside).with_misfit["exponent"],
        strict_exponent=fit_law(narrow).with_misfit["exponent"],
        weights=weights,
        won=0 if two is None else int(np.count_nonzero(two.loss <= TICKET)),
        tried=0 if two is None else len(two),
        likenesses=likenesses,
        distances=distances,
        hidden=hidden,
        paired=paired,
        widest=law[-1],
    )


def _median(values: np.ndarray) -> Estimate:
    found = median_interval(values)
    return Estimate(found.value, found.low, found.high, LEVEL)


def _likeness(nets: Ensemble) -> Estimate:
    """Median cosine of the errors of two nets, over pairs that share none, so that they are
    independent.
    """
    pairs = np.arange(len(nets) // 2 * 2).reshape(-1, 2)
    return _median(cosines(nets.predict(nets.data.x) - nets.data.y, nets.data.weight, pairs).values)


def _paired(nets: Ensemble) -> Estimate:
    """Mean share of neurons that are in mirror pairs whose output is even in x and fits the target."""
    living = alive(nets.activation, nets.parameters, nets.data)
    quality = pair_quality(
        nets.activation, nets.parameters, pair_neurons(nets.w, nets.b, among=living), nets.data
    )
    good = (quality.kind == "ticket") & (quality.odd <= SYMMETRIC)
    share = 2 * good.sum(axis=1) / nets.config.width
    drawn = np.random.default_rng(0).integers(len(share), size=(2000, len(share)))
    low, high = np.quantile(share[drawn].mean(axis=1), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Estimate(float(share.mean()), float(low), float(high), LEVEL)
