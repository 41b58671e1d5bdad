"""Study: how much of each law is the number of training points, and the effect of label noise."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate, Points
from minilotto.analysis.stats.draws import typical_over_draws
from minilotto.analysis.stats.estimates import estimates
from minilotto.analysis.stats.scaling import Fit, fit_law
from minilotto.errors import ConfigError, DataError
from minilotto.report.claims import Outcome, register
from minilotto.report.figure import Scale, Source, Table, commas, interval, named
from minilotto.report.rules import LEVEL, SEPARATED
from minilotto.report.studies.data.analysis import (
    INFINITE,
    Drawn,
    gathered,
    nearest,
    straight_lines,
)
from minilotto.report.studies.data.verdicts import outcomes
from minilotto.report.study import Settings, Study
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

# The exact engine, which takes any number of points, computes in float64.
DTYPES = {"relu": "float64", "leaky_relu": "float64"}
PAPER_RANGE, PAPER_POINTS = (10, 50), 100


@dataclass(frozen=True)
class DataSettings(Settings):
    """What is trained.

    Parameters
    ----------
    seeds, other_seeds : int
        Networks of each of `widths` on all x and on that number of `points` which is nearest to
        100, whose exponents are compared; and at the other numbers of points.
    draws, nets_per_draw : int
        Draws of uniform points, and of label noise, each with so many networks of `drawn_widths`.
    noises : tuple of float
        Standard deviations; the largest at each of `noisy_points`, the others at that number
        nearest to 100.

    Raises
    ------
    ConfigError
        For a list that is empty, or a noise not above 0.
    """

    seeds: int = 128
    other_seeds: int = 32
    activations: tuple[str, ...] = ("silu", "leaky_relu")
    widths: tuple[int, ...] = (10, 15, 20, 25, 30, 40, 50)
    points: tuple[int, ...] = (10, 30, 100, 300, 1000)
    draws: int = 12
    nets_per_draw: int = 8
    drawn_widths: tuple[int, ...] = (10, 20, 50)
    noises: tuple[float, ...] = (1e-3, 1e-2, 1e-1)
    noisy_points: tuple[int, ...] = (30, 100, 300, 1000)

    def __post_init__(self) -> None:
        for name in ("activations", "widths", "points", "drawn_widths", "noises", "noisy_points"):
            if not getattr(self, name):
                raise ConfigError(f"{name} is empty; give at least one, or leave it out")
        if not all(noise > 0 for noise in self.noises):
            raise ConfigError(
                f"noises={self.noises} has one that is not above 0; nets without noise are "
                "trained anyway"
            )

    @classmethod
    def quick(cls) -> "DataSettings":
        """Four widths, three numbers of points, four draws."""
        return cls(
            seeds=16,
            other_seeds=16,
            widths=(10, 20, 30, 50),
            points=(10, 100, 1000),
            draws=4,
            nets_per_draw=4,
            noises=(1e-2, 1e-1),
            noisy_points=(100, 1000),
        )

    @property
    def usual(self) -> int:
        """The number of points that stands for the paper's."""
        return nearest(self.points, PAPER_POINTS)


class Data(Study):
    """Losses on the training points and on all x, by width, number of points and label noise."""

    name = "data"
    entry = register(__package__, "claims.toml", name)
    title, question = entry.title, entry.question
    settings_type = DataSettings

    @classmethod
    def trainings(cls, settings: DataSettings) -> tuple[Sweep, ...]:
        wide = sorted({*settings.widths, *settings.drawn_widths})
        others = sorted({*settings.points, *settings.noisy_points} - {settings.usual})
        noisy = [(max(settings.noises), tuple(settings.noisy_points))]
        noisy += [(noise, (settings.usual,)) for noise in sorted(settings.noises)]
        if settings.usual in settings.noisy_points:
            noisy.pop()  # the largest noise has been there
        sweeps = []
        for activation in settings.activations:
            common: dict[str, Any] = {
                "activation": activation,
                "dtype": DTYPES.get(activation, "float32"),
                "steps": settings.steps,
            }
            several: dict[str, Any] = {
                "widths": settings.drawn_widths,
                "root_seeds": tuple(range(settings.draws)),
                "seeds": settings.nets_per_draw,
                **common,
            }
            sweeps += [
                Sweep(widths=wide, points=settings.usual, seeds=settings.seeds, **common),
                Sweep(widths=wide, sampling="population", seeds=settings.seeds, **common),
                Sweep(points=settings.points, sampling="uniform", **several),
            ]
            if others:
                few = settings.other_seeds
                sweeps.append(Sweep(widths=wide, points=others, seeds=few, **common))
            sweeps += [Sweep(points=at, noise=noise, **several) for noise, at in noisy]
        return tuple(sweeps)

    def __init__(self, source: Source, scale: Scale | DataSettings) -> None:
        self.settings: DataSettings = self.chosen(scale)
        self.usual, self.noise = self.settings.usual, max(self.settings.noises)
        sweeps = self.trainings(self.settings)
        nets = {config: one for sweep in sweeps for config, one in source.nets(sweep).items()}
        every = gathered(nets).items()
        self.samples = {name: one for name, one in every if len(one.widths(self.usual)) >= 3}
        if not self.samples:
            raise DataError(
                f"no activation has three widths of nets on {self.usual} equally spaced points, "
                "with ten or more seeds each; train more widths or seeds"
            )
        self.count = sum(len(one) for one in nets.values())
        self.fits = {
            (activation, count, everywhere): fit
            for activation, found in self.samples.items()
            for count in found.counts
            for everywhere in (False, True)
            if (fit := _fit(found.by_width(count, everywhere)))
        }

    def exponent(self, activation: str, count: float) -> Estimate | None:
        """Of the training loss in width, with seeds' and widths' scatter."""
        fit = self.fits.get((activation, count, False))
        return fit.with_misfit["exponent"] if fit else None

    def facts(self) -> dict[str, Any]:
        s = self.settings
        return {
            **super().facts(),
            "separated": SEPARATED,
            "usual": self.usual,
            "few": min(s.points),
            "noise": self.noise,
            "most_points": max(s.noisy_points),
            "widest": max(s.drawn_widths),
            "drawn_widths": commas(sorted(s.drawn_widths)),
            "shown_widths": " and ".join(map(str, self._shown_widths)),
            "precision": f"{1.2 / s.seeds**0.5:.1g}",
            "networks": self.count,
        }

    def headline(self) -> str:
        exponents, costs = [], []
        most, width = max(self.settings.noisy_points), max(self.settings.drawn_widths)
        for activation, found in self.samples.items():
            name = named(activation)
            here, all_x = (self.exponent(activation, count) for count in (self.usual, INFINITE))
            if here and all_x:
                exponents.append(f"{all_x.value:.2f} for {name} ({here.value:.2f} on {self.usual})")
            learnt = found.learnt(self.noise, most, width)
            if learnt:
                costs.append(f"{learnt.value:.2g} of {3 * width + 1} parameters of {name} nets")
        said = []
        if exponents:
            said.append(f"On infinitely many points the exponent is {' and '.join(exponents)}")
        if costs:
            said.append(f"label noise is fitted by {' and '.join(costs)}")
        return f"{'; '.join(said)}." if said else ""

    @property
    def _shown_widths(self) -> list[int]:
        return sorted({min(self.settings.drawn_widths), max(self.settings.drawn_widths)})

    def draw(self) -> "Drawing":
        from minilotto.report.plots.style import grid
        from minilotto.report.studies.data import plots

        figure, axes = grid(len(self.samples), 3, 11.5, 3.7 * len(self.samples), sharey="row")
        widths, noise = self._shown_widths, self.noise
        lines = {
            "sigma² (3N + 1) / P": lambda count: noise**2 * (3 * widths[-1] + 1) / count,
            "h⁴ / 30": straight_lines,
        }
        for (activation, found), row in zip(self.samples.items(), axes, strict=True):
            left, middle, right = row
            pairs = {p: (found.by_width(p, True), found.by_width(p, False)) for p in found.counts}
            plots.against_width(pairs, left)
            series = {}
            for width in widths:
                series["equally spaced", width] = estimates(found.by_count(width))
                series["uniform", width] = _typical(found.drawn_by_count(0.0, width))
                series[f"noise {noise:g}", width] = _typical(found.drawn_by_count(noise, width))
            levels = {width: found.median(INFINITE, width) for width in widths}
            plots.against_points(series, levels, lines, middle)
            noisy = {0.0: estimates(found.by_width(self.usual, True))} | {
                at: _typical(found.drawn_by_width(at, self.usual))
                for at in sorted(self.settings.noises)
            }
            plots.noise_against_width(noisy, right)
            # A net that fits its points exactly has a training loss of rounding; it lies below the
            # frame.
            rows = (*series.values(), *noisy.values())
            shown = [one.low for some in rows for one in some.values() if one.value > 0]
            if shown:
                left.set_ylim(bottom=0.03 * min(shown))
            titles = ("loss against width", "against points", f"noise, {self.usual} points")
            for ax, what in zip(row, titles, strict=True):
                ax.set_title(f"{named(activation)}: {what}")
        return figure

    def tables(self) -> list[Table]:
        losses: list[tuple] = []
        noise: list[tuple] = []
        for activation, found in self.samples.items():
            for (count, width), one in sorted(found.lattice.items()):
                where = ("lattice", int(count)) if count < INFINITE else ("all x", "infinite")
                lead = (activation, *where, 0.0, width, len(one.training), 1)
                middle = interval(found.middle(count, width))
                losses.append((*lead, float(np.nanmedian(one.training)), *middle))
            for place, drawn in sorted(found.drawn.items()):
                size, few, width = place
                training = typical_over_draws(drawn.training, LEVEL).value
                kind, draws = "lattice" if size else "uniform", len(drawn.training)
                row = (kind, few, size, width, drawn.nets, draws, training)
                losses.append((activation, *row, *interval(drawn.typical)))
                learnt, absorbed = found.learnt(*place), found.absorbed(*place)
                if learnt and absorbed:
                    free = 3 * width + 1
                    noise.append((activation, *place, free, *interval(learnt), *interval(absorbed)))
        exponents = []
        for (activation, count, everywhere), fit in self.fits.items():
            what = "on all x" if everywhere else "training"
            points = int(count) if count < INFINITE else "infinite"
            widths = " ".join(f"{width:g}" for width in fit.points.widths)
            ends = (
                *interval(fit.with_misfit["exponent"]),
                *interval(fit.estimates["exponent"])[1:],
            )
            exponents.append((activation, points, what, widths, *ends))
        headers = {
            "losses": "activation, sampling, points, noise, width, nets, draws, training median, "
            "median on all x, low, high",
            "exponents": "activation, points, loss, widths, exponent, low, high, low over seeds, "
            "high over seeds",
            "noise": "activation, noise, points, width, parameters, learnt, low, high, absorbed, "
            "absorbed low, absorbed high",
        }
        every = zip(headers.items(), (losses, exponents, noise), strict=True)
        return [Table.of(*head, rows) for head, rows in every if rows]

    def outcomes(self) -> dict[str, Outcome | list[Outcome]]:
        return outcomes(self)


def _fit(found: Points | None) -> Fit | None:
    """The power law over the paper's widths, None for fewer than three."""
    if found is None:
        return None
    chosen = found.select((found.widths >= PAPER_RANGE[0]) & (found.widths <= PAPER_RANGE[1]))
    return fit_law(chosen) if len(chosen.widths) >= 3 else None


def _typical(found: dict[int, Drawn]) -> dict[int, Estimate]:
    return {at: one.typical for at, one in found.items()}
