"""Ways to start a network, and what became of networks that started so."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from minilotto.analysis.ensembling.ensembling import cosines
from minilotto.analysis.landscape.laziness import distance_moved
from minilotto.analysis.stats.bootstrap import Estimate, Points, median_interval, points
from minilotto.analysis.stats.estimates import estimates
from minilotto.analysis.stats.scaling import compare_laws, fit_law
from minilotto.analysis.tickets.mirror_fraction import mirror_fraction
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.initialisation import initial_parameters
from minilotto.settings.display import Shown

LIKENESS, MOVED, HIDDEN = "cosine of errors", "distance moved", "distance moved by w and b"
PAIRED = "share of neurons in symmetric tickets"
RESAMPLES = 4000  # of the losses at a width, for the outer quantiles


@dataclass(frozen=True)
class Start(Shown):
    """A scheme of initialisation and its two scales, as of `Config`.

    Parameters
    ----------
    init : str
        One of SCHEMES.
    init_scale, output_scale : float
        Of all parameters, and of v and c.
    """

    init: str = "torch"
    init_scale: float = 1.0
    output_scale: float = 1.0

    def __str__(self) -> str:
        scale = f", scale {self.init_scale:g}" if self.init_scale != 1 else ""
        output = f", output {self.output_scale:g}" if self.output_scale != 1 else ""
        return f"{self.init.replace('_', ' ')}{scale}{output}"


DEFAULT = Start()


@dataclass(frozen=True)
class Started(Shown):
    """Networks of one start.

    Parameters
    ----------
    points : Points
        Median loss by width.
    exponent, strict_exponent : Estimate
        Over the widths of the law, at two levels.
    weights : dict of str to float
        The evidence for each law there.
    won, tried : int
        Two-neuron nets with a ticket, and all.
    measured : dict of str to dict of int to Estimate
        By name and width: LIKENESS, the median cosine of the errors of two seeds; MOVED and HIDDEN,
        the median distance of all parameters and of w, b from where they started; PAIRED, the
        fraction of neurons that are in mirror pairs which fit the target.
    widest : int
        The largest width of the law.
    """

    points: Points
    exponent: Estimate
    strict_exponent: Estimate
    weights: Mapping[str, float]
    won: int
    tried: int
    measured: Mapping[str, Mapping[int, Estimate]]
    widest: int

    @property
    def tickets(self) -> Estimate | None:
        """Fraction of two-neuron nets with a ticket, with Wilson's interval; None for no nets."""
        if not self.tried:
            return None
        level = self.exponent.level
        found = binomtest(self.won, self.tried).proportion_ci(level, "wilson")
        return Estimate(self.won / self.tried, float(found.low), float(found.high), level)

    def at_widest(self, name: str) -> Estimate | None:
        """What is measured, at the largest width of the law.

        Parameters
        ----------
        name : str

        Returns
        -------
        Estimate or None
            None where it is not measured there.
        """
        return self.measured[name].get(self.widest)

    @property
    def loss(self) -> Estimate | None:
        """Median loss at the largest width of the law."""
        return estimates(self.points).get(self.widest)

    def quantities(self) -> Iterator[tuple[str, int, Estimate]]:
        """Everything but the losses.

        Returns
        -------
        iterator of (str, int, Estimate)
            Name, width (of laws the largest) and estimate.
        """
        yield "exponent", self.widest, self.exponent
        if self.tickets:
            yield "share of tickets", 2, self.tickets
        for name, by_width in self.measured.items():
            for width, estimate in by_width.items():
                yield name, width, estimate
        for law, weight in self.weights.items():
            yield (
                f"weight of {law}",
                self.widest,
                Estimate(weight, weight, weight, self.exponent.level),
            )


def started(
    nets: Mapping[int, Ensemble], span: tuple[int, int], ticket: float, level: float, strict: float
) -> Started:
    """What became of the nets of one start.

    Parameters
    ----------
    nets : mapping of int to Ensemble
        By width.
    span : (int, int)
        Least and largest width that the law is fitted to.
    ticket : float
        Loss up to which two neurons are a ticket.
    level, strict : float in (0, 1)
        Of all intervals, and of strict_exponent.

    Returns
    -------
    Started

    Raises
    ------
    DataError
        For fewer than three widths in the span, or too few seeds.
    """
    widths = sorted(nets)
    law = [width for width in widths if span[0] <= width <= span[1]]
    if len(law) < 3:
        raise DataError(
            f"{len(law)} widths from {span[0]} to {span[1]} are there; an exponent needs three: "
            "train more widths"
        )
    losses = {width: nets[width].loss for width in widths}
    found = points(widths, list(losses.values()), level=level)
    narrow = points(law, [losses[width] for width in law], level=strict, resamples=RESAMPLES)
    inside = found.select(np.isin(found.widths, law))
    weights = {row.law: row.weight for row in compare_laws(inside).rows if row.weight is not None}
    measured: dict[str, dict[int, Estimate]] = {LIKENESS: {}, MOVED: {}, HIDDEN: {}, PAIRED: {}}
    for width in widths:
        one = nets[width].select(np.isfinite(losses[width]))
        begun = initial_parameters(one.config, one.data.inputs, one.seeds)
        moved = distance_moved(begun, one.parameters)
        measured[MOVED][width] = median_interval(moved.whole)
        measured[HIDDEN][width] = median_interval(moved.hidden)
        if width >= span[0]:
            pairs = np.arange(len(one) // 2 * 2).reshape(-1, 2)  # disjoint, and so independent
            errors = one.predict(one.data.x) - one.data.y
            measured[LIKENESS][width] = median_interval(
                cosines(errors, one.data.weight, pairs).values
            )
        if width in (2, law[0], law[-1]):
            measured[PAIRED][width] = mirror_fraction(one, level=level)
    two = losses.get(2, np.empty(0))
    return Started(
        points=found,
        exponent=fit_law(inside).estimates["exponent"],
        strict_exponent=fit_law(narrow).estimates["exponent"],
        weights=weights,
        won=int(np.count_nonzero(two <= ticket)),
        tried=len(two),
        measured=measured,
        widest=law[-1],
    )
