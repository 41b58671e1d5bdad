"""Ways to start a network, and what became of networks that started so."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from minilotto.analysis.ensembling.ensembling import cosines
from minilotto.analysis.stats.bootstrap import Estimate, Points, median_interval
from minilotto.analysis.stats.estimates import estimates, share
from minilotto.ensemble.ensemble import Ensemble
from minilotto.ensemble.last_layer import flat
from minilotto.errors import DataError
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.limits import check_one_layer

__all__ = ["distance_moved"]


@dataclass(frozen=True)
class Start(Shown):
    """A scheme of initialisation and its two scales, of all and of v and c, as of `Config`."""

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
    """Networks of one start, each width at its best rate.

    points: median losses; exponent: over these widths; rates: the best of each width, of the seeds
    at even and at odd places; tickets: fraction of two-neuron nets with a ticket, with Wilson's
    interval; alike, moved: at the largest width the median cosine of the errors of two seeds, and
    the median distance of the parameters from where they started.
    """

    points: Points
    exponent: Estimate
    rates: Mapping[int, tuple[float, float]]
    tickets: Estimate | None = None
    alike: Estimate | None = None
    moved: Estimate | None = None

    @property
    def loss(self) -> Estimate:
        """Median loss at the largest width."""
        return estimates(self.points)[int(self.points.widths[-1])]

    def quantities(self) -> Iterator[tuple[str, Estimate]]:
        """Everything but the losses, by name."""
        found = {
            "exponent": self.exponent,
            "fraction of tickets": self.tickets,
            "cosine of errors": self.alike,
            "distance moved": self.moved,
        }
        return ((name, one) for name, one in found.items() if one)


def fraction_of_tickets(losses: ArrayLike, ticket: float, level: float) -> Estimate:
    """Fraction of nets (R,) with at most a ticket's loss, NaN not, with Wilson's interval."""
    rows = np.asarray(losses, dtype=np.float64)
    return share(int(np.count_nonzero(rows <= ticket)), rows.size, level, "wilson")


def likeness(groups: Sequence[Ensemble]) -> Estimate:
    """Median cosine of the errors of two seeds, over disjoint pairs of each group's finite nets."""
    values = []
    for nets in groups:
        one = nets.select(np.isfinite(nets.loss))
        pairs = np.arange(len(one) // 2 * 2).reshape(-1, 2)  # disjoint, and so independent
        errors = one.predict(one.data.x) - one.data.y
        values.append(cosines(errors, one.data.weight, pairs).values)
    return median_interval(np.concatenate(values))


def distance(groups: Sequence[Ensemble]) -> Estimate:
    """Median distance of all parameters from where they started, relative to those."""
    moved = [
        distance_moved(initial_parameters(one.config, one.data.inputs, one.seeds), one.parameters)
        for one in groups
    ]
    return median_interval(np.concatenate(moved))


def distance_moved(start: Parameters, end: Parameters) -> Array:
    """How far each net is from its initial parameters, |theta - theta_0| / |theta_0|.

    Small: lazy, the features are those of the initial draw. About 1 and above: rich, they have no
    relation to it.

    Parameters
    ----------
    start, end : Parameters
        w (R, N, D), b, v (R, N), c (R,) of the same nets, of any dtype.

    Returns
    -------
    (R,) ndarray of float64
        NaN where a net diverged.

    Raises
    ------
    DataError
        For shapes that differ, or where a net starts at zero or at what is not finite.

    References
    ----------
    Chizat, Oyallon and Bach (2019); not in the paper.

    Examples
    --------
    >>> one = Parameters(*(np.ones(shape) for shape in ((2, 3, 1), (2, 3), (2, 3), (2,))))
    >>> distance_moved(one, Parameters(*(3 * part for part in one))).tolist()
    [2.0, 2.0]
    """
    check_one_layer("an analysis of neurons", getattr(start, "depth", 1))
    shapes, others = ([np.shape(part) for part in nets] for nets in (start, end))
    if shapes != others:
        raise DataError(
            f"initial parameters have shapes {shapes}, final ones {others}; give the same nets"
        )
    before, after = flat(start), flat(end)
    size = np.linalg.norm(before, axis=1)
    if not (np.isfinite(size) & (size > 0)).all():
        raise DataError(
            "a net starts with all parameters at zero, or not finite; its distance has no unit"
        )
    with np.errstate(invalid="ignore"):
        moved = np.linalg.norm(after - before, axis=1) / size
    return np.where(np.isfinite(moved), moved, np.nan)
