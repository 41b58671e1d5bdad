"""Losses on the training data and on all x by number of points, width and label noise."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate, Points, points
from minilotto.analysis.stats.draws import (
    LEAST_DRAWS,
    absorbed_parameters,
    exponent_over_draws,
    learnt_parameters,
    typical_over_draws,
)
from minilotto.analysis.stats.estimates import estimates
from minilotto.ensemble.ensemble import Ensemble
from minilotto.settings.arrays import Array
from minilotto.settings.config import Config
from minilotto.settings.display import Shown
from minilotto.settings.tasks import task_of

__all__: list[str] = []

INFINITE = float("inf")  # points of a population
FLOOR = 1e-300  # in place of a loss of zero, which has no logarithm


@dataclass(frozen=True)
class Losses(Shown):
    """Losses (R,) of the nets of one config, on their training data and on all x."""

    training: Array
    everywhere: Array


@dataclass(frozen=True)
class Drawn(Shown):
    """Nets on G draws of the data: how many in all, medians (G,) of their losses on their data and
    on all x, and the mean square (G,) of the label noise.
    """

    nets: int
    training: Array
    everywhere: Array
    squares: Array


@dataclass
class Samples:
    """One activation's nets, at one level of intervals.

    lattice: nets on equally spaced points without noise, and on all x, by P and N; P is infinite
    for the latter. drawn: nets on several draws, by noise, P and N: of independent uniform points
    for noise 0, else of label noise on equally spaced points.
    """

    level: float
    lattice: dict[tuple[float, int], Losses] = field(default_factory=dict)
    drawn: dict[tuple[float, int, int], Drawn] = field(default_factory=dict)

    @property
    def counts(self) -> list[float]:
        """Numbers of points on lattices, the infinite last."""
        return sorted({count for count, _ in self.lattice})

    def widths(self, count: float) -> list[int]:
        """Widths of nets on so many points of a lattice."""
        return sorted(width for at, width in self.lattice if at == count)

    def by_width(self, count: float, everywhere: bool) -> Points | None:
        """Median loss against width at a number of points, on all x or these; None for one."""
        rows = {float(n): self.lattice[count, n] for n in self.widths(count)}
        return self._points(rows, everywhere)

    def by_count(self, width: int) -> Points | None:
        """Median loss on all x against the points of a lattice; None for fewer than two of them."""
        rows = {at: one for (at, n), one in self.lattice.items() if at < INFINITE and n == width}
        return self._points(rows, everywhere=True)

    def _points(self, losses: dict[float, Losses], everywhere: bool) -> Points | None:
        rows = [_positive(one, everywhere) for one in losses.values()]
        return points(list(losses), rows, level=self.level) if len(rows) > 1 else None

    def median(self, count: float, width: int) -> Estimate | None:
        """Median loss on all x of nets trained without noise, with its interval over seeds."""
        found = self.lattice.get((count, width))
        if found is None:
            return None
        return estimates(points([width], [_positive(found, True)], level=self.level))[width]

    def gaps(self) -> dict[tuple[str, int, int], float]:
        """Loss on all x over training loss, without noise, by kind of points, P and N."""
        found = {
            ("equally spaced", int(count), width): _median(one.everywhere) / _median(one.training)
            for (count, width), one in self.lattice.items()
            if count < INFINITE
        }
        return found | {
            ("uniform", count, width): float(np.exp(np.log(one.everywhere / one.training).mean()))
            for (noise, count, width), one in self.drawn.items()
            if not noise
        }

    def learnt(self, noise: float, count: int, width: int) -> tuple[Estimate, Estimate] | None:
        """Number of parameters that fit noise, as of `learnt_parameters` and `absorbed_parameters`;
        None for no noise, and without nets that had none.
        """
        found, clean = self.drawn.get((noise, count, width)), self.lattice.get((count, width))
        if found is None or clean is None or not noise:
            return None
        middle, more = float(np.nanmedian(clean.everywhere)), (noise, count, self.level)
        return (
            learnt_parameters(found.everywhere, middle, *more),
            absorbed_parameters(found.training, found.squares, *more),
        )

    def drawn_by(
        self, noise: float, count: int | None = None, width: int | None = None
    ) -> dict[int, Drawn]:
        """Nets on draws with one noise: by width at a number of points, or the reverse."""
        found = {
            (p if count is None else n): one
            for (at, p, n), one in self.drawn.items()
            if at == noise and (p == count or n == width)
        }
        return dict(sorted(found.items()))

    def typical(
        self, noise: float, count: int | None = None, width: int | None = None
    ) -> dict[int, Estimate]:
        """Losses on all x of `drawn_by`, geometric means over draws."""
        found = self.drawn_by(noise, count, width)
        return {at: typical_over_draws(one.everywhere, self.level) for at, one in found.items()}

    def noisy_exponent(self, noise: float, count: int) -> Estimate | None:
        """Exponent in width of the loss on all x, draw by draw; None for fewer than two widths."""
        return self._exponent({n: d.everywhere for n, d in self.drawn_by(noise, count).items()})

    def noise_decay(self, noise: float, width: int) -> tuple[list[int], Estimate] | None:
        """Exponent in P of what noise adds to the loss on all x, draw by draw, over those P,
        listed, where every draw adds something; None for fewer than two.
        """
        added = {}
        for count, found in self.drawn_by(noise, width=width).items():
            clean = self.lattice.get((count, width))
            middle = np.inf if clean is None else np.nanmedian(clean.everywhere)
            if (found.everywhere > middle).all():
                added[count] = found.everywhere - middle
        exponent = self._exponent(added)
        return None if exponent is None else (list(added), exponent)

    def _exponent(self, rows: Mapping[int, Array]) -> Estimate | None:
        if len(rows) < 2 or len({len(row) for row in rows.values()}) > 1:
            return None
        return exponent_over_draws(list(rows), np.stack(list(rows.values()), axis=1), self.level)


def gathered(nets: Mapping[Config, Ensemble], level: float) -> dict[str, Samples]:
    """The nets of each activation; configs with too few finite losses or draws are left out."""
    found: dict[str, Samples] = {}
    drawn: dict[tuple[str, float, int, int], list[tuple[float, ...]]] = {}
    for config, one in nets.items():
        samples = found.setdefault(config.activation, Samples(level))
        losses = Losses(one.loss, one.population_loss)
        medians = _median(losses.training), _median(losses.everywhere)
        finite = np.isfinite(losses.training) & np.isfinite(losses.everywhere)
        if config.noise or config.sampling == "uniform":
            errors = one.data.y - task_of(config.task)(one.data.x)  # of the labels
            place = (config.activation, config.noise, config.points, config.width)
            drawn.setdefault(place, []).append((*medians, float(np.mean(errors**2)), len(one)))
        elif np.count_nonzero(finite) >= LEAST_SEEDS:
            size = INFINITE if config.sampling == "population" else config.points
            samples.lattice[size, config.width] = losses
    for (activation, noise, count, width), rows in drawn.items():
        table = np.array([row for row in rows if np.isfinite(row).all()]).reshape(-1, 4)
        if len(table) >= LEAST_DRAWS:
            one_drawn = Drawn(int(table[:, 3].sum()), *table[:, :3].T)
            found[activation].drawn[noise, count, width] = one_drawn
    return found


def straight_lines(count: ArrayLike) -> Array:
    """Mean squared error h^4 / 30, h = 4 / (P - 1), of the straight lines between P equally spaced
    points of x² on [-2, 2].

    >>> float(straight_lines(5) * 30)
    1.0
    """
    return (4.0 / (np.asarray(count, dtype=np.float64) - 1.0)) ** 4 / 30.0


def _positive(losses: Losses, everywhere: bool) -> Array:
    values = losses.everywhere if everywhere else losses.training
    return np.where(values <= 0, FLOOR, values)


def _median(losses: Array) -> float:
    kept = losses[np.isfinite(losses)]
    return max(float(np.median(kept)), FLOOR) if kept.size else float("nan")
