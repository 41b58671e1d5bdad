"""Losses on the training data and on all x by number of points, width and label noise."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

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
from minilotto.errors import DataError
from minilotto.report.rules import LEVEL
from minilotto.settings.arrays import Array
from minilotto.settings.config import Config
from minilotto.settings.tasks import task_of

INFINITE = float("inf")  # points of a population
FLOOR = 1e-300  # in place of a loss of zero, which has no logarithm


@dataclass(frozen=True)
class Losses:
    """Of the nets of one config: on their training data and on all x, (R,) each."""

    training: Array
    everywhere: Array


@dataclass(frozen=True)
class Drawn:
    """Of G draws of the data, (G,) each: medians of the nets' losses on their data and on all x;
    mean square of the label noise.
    """

    nets: int
    training: Array
    everywhere: Array
    squares: Array

    @property
    def typical(self) -> Estimate:
        """Loss on all x, over draws."""
        return typical_over_draws(self.everywhere, LEVEL)


@dataclass
class Samples:
    """One activation's nets.

    lattice: nets on equally spaced points without noise and on all x, by (P, N), P infinite for the
    latter. drawn: nets on several draws of the data, by (noise, P, N): of independent uniform
    points for noise 0, else of label noise on equally spaced points.
    """

    lattice: dict[tuple[float, int], Losses] = field(default_factory=dict)
    drawn: dict[tuple[float, int, int], Drawn] = field(default_factory=dict)

    @property
    def counts(self) -> list[float]:
        """Numbers of points on lattices, the infinite last."""
        return sorted({count for count, _ in self.lattice})

    def widths(self, count: float) -> list[int]:
        return sorted(width for at, width in self.lattice if at == count)

    def by_width(self, count: float, everywhere: bool) -> Points | None:
        """Median loss against width at one number of points; None for fewer than two widths."""
        widths = self.widths(count)
        rows = [_shown(self.lattice[count, width], everywhere) for width in widths]
        return points(widths, rows, level=LEVEL) if len(widths) > 1 else None

    def by_count(self, width: int) -> Points | None:
        """Median loss on all x against the number of points of a lattice at one width; None for
        fewer than two numbers.
        """
        counts = [
            count for count in self.counts if count < INFINITE and (count, width) in self.lattice
        ]
        rows = [_shown(self.lattice[count, width], True) for count in counts]
        return points(counts, rows, level=LEVEL) if len(counts) > 1 else None

    def median(self, count: float, width: int) -> float | None:
        """Median loss on all x of nets trained without noise."""
        found = self.lattice.get((count, width))
        return None if found is None else float(np.nanmedian(found.everywhere))

    def middle(self, count: float, width: int) -> Estimate | None:
        """The same with its interval over seeds."""
        found = self.lattice.get((count, width))
        if found is None:
            return None
        return estimates(points([width], [_shown(found, True)], level=LEVEL))[width]

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

    def learnt(self, noise: float, count: int, width: int) -> Estimate | None:
        """Number of parameters that fit noise, from the loss on all x; None without nets that had
        no noise.
        """
        found, clean = self.drawn.get((noise, count, width)), self.median(count, width)
        if found is None or clean is None or not noise:
            return None
        return learnt_parameters(found.everywhere, clean, noise, count, LEVEL)

    def absorbed(self, noise: float, count: int, width: int) -> Estimate | None:
        """The same from the training loss."""
        found = self.drawn.get((noise, count, width))
        if found is None or not noise:
            return None
        return absorbed_parameters(found.training, found.squares, noise, count, LEVEL)

    def drawn_by_width(self, noise: float, count: int) -> dict[int, Drawn]:
        """Nets on draws of one kind, by width."""
        found = {n: one for (at, p, n), one in self.drawn.items() if (at, p) == (noise, count)}
        return dict(sorted(found.items()))

    def drawn_by_count(self, noise: float, width: int) -> dict[int, Drawn]:
        """The same by number of points."""
        found = {p: one for (at, p, n), one in self.drawn.items() if (at, n) == (noise, width)}
        return dict(sorted(found.items()))

    def noisy_exponent(self, noise: float, count: int) -> Estimate | None:
        """Exponent in width of the loss on all x, draw by draw; None for fewer than two widths with
        the same draws.
        """
        return _exponent({n: d.everywhere for n, d in self.drawn_by_width(noise, count).items()})

    def noise_decay(self, noise: float, width: int) -> tuple[list[int], Estimate] | None:
        """Exponent in P of what noise adds to the loss on all x, draw by draw, over those P where
        every draw adds something.
        """
        added = {}
        for count, found in self.drawn_by_count(noise, width).items():
            clean = self.median(count, width)
            if clean is not None and (found.everywhere > clean).all():
                added[count] = found.everywhere - clean
        exponent = _exponent(added)
        return None if exponent is None else (list(added), exponent)


def _exponent(rows: Mapping[int, Array]) -> Estimate | None:
    if len(rows) < 2 or len({len(row) for row in rows.values()}) > 1:
        return None
    return exponent_over_draws(list(rows), np.stack(list(rows.values()), axis=1), LEVEL)


def _shown(losses: Losses, everywhere: bool) -> Array:
    values = losses.everywhere if everywhere else losses.training
    return np.where(values <= 0, FLOOR, values)


def gathered(nets: Mapping[Config, Ensemble]) -> dict[str, Samples]:
    """The nets of each activation; configs with fewer than LEAST_SEEDS finite losses, or
    LEAST_DRAWS draws, are left out.
    """
    found: dict[str, Samples] = {}
    drawn: dict[tuple, list[tuple[float, ...]]] = {}
    for config, one in nets.items():
        samples = found.setdefault(config.activation, Samples())
        losses = Losses(one.loss, one.population_loss)
        medians = _median(losses.training), _median(losses.everywhere)
        finite = np.isfinite(losses.training) & np.isfinite(losses.everywhere)
        if config.noise or config.sampling == "uniform":
            place = (config.activation, config.noise, config.points, config.width)
            drawn.setdefault(place, []).append((*medians, _noise_square(one), len(one)))
        elif np.count_nonzero(finite) >= LEAST_SEEDS:
            count = INFINITE if config.sampling == "population" else config.points
            samples.lattice[count, config.width] = losses
    for (activation, noise, count, width), rows in drawn.items():
        table = np.array([row for row in rows if np.isfinite(row).all()]).reshape(-1, 4)
        if len(table) >= LEAST_DRAWS:
            one_drawn = Drawn(int(table[:, 3].sum()), *table[:, :3].T)
            found[activation].drawn[noise, count, width] = one_drawn
    return found


def _median(losses: Array) -> float:
    kept = losses[np.isfinite(losses)]
    return max(float(np.median(kept)), FLOOR) if kept.size else float("nan")


def _noise_square(nets: Ensemble) -> float:
    """Mean square of what the targets have beyond the task."""
    return float(np.mean((nets.data.y - task_of(nets.config.task)(nets.data.x)) ** 2))


def straight_lines(count: Array) -> Array:
    """Mean squared error of the straight lines between P equally spaced points of x² on [-2, 2]:
    h^4 / 30.
    """
    return (4.0 / (np.asarray(count, dtype=np.float64) - 1.0)) ** 4 / 30.0


def nearest(counts: Iterable[int], wanted: int) -> int:
    """The number of points nearest to `wanted`, in logarithms. Raises DataError for none."""
    chosen = sorted(counts, key=lambda count: abs(np.log(count / wanted)))
    if not chosen:
        raise DataError("no number of points is named; name some, as in points=(10, 100, 1000)")
    return chosen[0]
