"""Figure 2a: the neurons of nets of width 10,000, the curve on which they lie, and its symmetry."""

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from minilotto.analysis.tickets.attractor import Attractor, attractor, correlation_dimension
from minilotto.analysis.tickets.mirror import mirror_symmetry
from minilotto.analysis.tickets.tickets import alive
from minilotto.errors import DataError
from minilotto.report.claims import Outcome, register
from minilotto.report.figure import Figure, Scale, Source, Table, training_words
from minilotto.report.rules import counted
from minilotto.settings.arrays import Array
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

COLUMNS = 3
TESTED_NEURONS = 3000  # the test's cost is quadratic; a random subset has the same distribution
DIGITISED = "figure-2a-digitised.csv"


def digitised() -> tuple[Array, Array, Array]:
    """|w|, b at w > 0 and b at w < 0, each (11,), as read off the paper's figure 2a."""
    text = (files("minilotto.report.paper") / DIGITISED).read_text(encoding="utf-8")
    table = np.loadtxt(text.splitlines(), delimiter=",", skiprows=2)
    return table[:, 0], table[:, 1], table[:, 2]


@dataclass(frozen=True)
class _Cloud:
    """The living neurons of one net: w, b (n,), their running median, its root mean square distance
    from the paper's points where the cloud reaches, and measures of shape and symmetry.
    """

    seed: int
    loss: float
    w: Array
    b: Array
    curve: Attractor
    dimension: float
    distance: float
    coefficient: float
    p_asymmetric: float
    p_paired: float


class NeuronCloud(Figure):
    """The cloud (w, b) of each of some very wide nets: the paper shows one; they differ."""

    name = "2a"
    entry = register(__package__, "claims.toml", name)
    title = entry.title

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return (Sweep(widths=(scale.giant_width,), seeds=scale.giants, steps=scale.steps),)

    def __init__(self, source: Source, scale: Scale) -> None:
        found, self.width = source.by_width(self.sweeps(scale)[0]), scale.giant_width
        if self.width not in found:
            raise DataError(f"nets of width {self.width:,} are not there; train them first")
        self.nets = found[self.width].select(np.isfinite(found[self.width].loss))
        if not len(self.nets):
            raise DataError(
                f"all nets of width {self.width:,} have diverged; lower the learning rate"
            )
        living = alive(self.nets.activation, self.nets.parameters, self.nets.data)
        self.dead = float(np.mean(~living))
        self.clouds = [self._cloud(i, living[i]) for i in range(len(self.nets))]

    def _cloud(self, i: int, living: np.ndarray) -> _Cloud:
        w, b = (
            array[living].astype(np.float64) for array in (self.nets.w[i, :, 0], self.nets.b[i])
        )
        some = np.random.default_rng(i).permutation(len(w))[:TESTED_NEURONS]
        symmetry = mirror_symmetry(w[None, some], b[None, some])
        abs_w, right, left = digitised()
        gaps = [
            attractor(w[side], b[side]).at(abs_w) - paper
            for side, paper in ((w > 0, right), (w < 0, left))
        ]
        return _Cloud(
            seed=int(self.nets.seeds[i]),
            loss=float(self.nets.loss[i]),
            w=w,
            b=b,
            curve=attractor(w, b),
            dimension=correlation_dimension(w, b),
            distance=float(np.sqrt(np.nanmean(np.concatenate(gaps) ** 2))),
            coefficient=float(symmetry.coefficient[0]),
            p_asymmetric=float(symmetry.p_asymmetric[0]),
            p_paired=float(symmetry.p_paired[0]),
        )

    def facts(self) -> dict[str, Any]:
        training = training_words([self.nets])
        return {"width": self.width, "dead": self.dead, "training": training}

    def draw(self) -> "Drawing":
        from minilotto.report.plots.distributions import note
        from minilotto.report.plots.style import BLUE, GREY, ORANGE, panels

        abs_w, right, left = digitised()
        count, columns = len(self.clouds), min(COLUMNS, len(self.clouds))
        figure, axes = panels(count, columns, 3.2, 2.7, sharex=True, sharey=True)
        for i, (cloud, ax) in enumerate(zip(self.clouds, axes, strict=True)):
            ax.plot(cloud.w, cloud.b, ".", color=BLUE, markersize=2, alpha=0.3, rasterized=True)
            for sign, paper in ((1, right), (-1, left)):
                ax.plot(sign * cloud.curve.abs_w, cloud.curve.b, color=GREY, linewidth=1.0)
                ax.plot(sign * abs_w, paper, "o", color=ORANGE, mfc="none", markersize=4)
            note(f"seed {cloud.seed}, loss {cloud.loss:.1e}", ax, right=False)
            ax.set_xlabel("weight $w_i$" if i + columns >= count else "")
            ax.set_ylabel("bias $b_i$" if i % columns == 0 else "")
        axes[0].set_xlim(-1.6, 1.6)
        axes[0].set_ylim(-1.7, 1.0)
        return figure

    def tables(self) -> list[Table]:
        neurons = [
            (cloud.seed, w, b)
            for cloud in self.clouds
            for w, b in zip(cloud.w, cloud.b, strict=True)
        ]
        names = ("dimension", "distance", "coefficient", "p_asymmetric", "p_paired")
        shapes = [
            (one.seed, one.loss, len(one.w), *(getattr(one, name) for name in names))
            for one in self.clouds
        ]
        header = "seed, loss, neurons, dimension, distance, coefficient, p lopsided, p paired"
        return [Table.of("neurons", "seed, w, b", neurons), Table.of("shapes", header, shapes)]

    def outcomes(self) -> dict[str, Outcome]:
        claims, count = self.entry.claims, len(self.clouds)
        error = claims["symmetric"]["error"]
        curves = sum(cloud.dimension < claims["curve"]["curve"] for cloud in self.clouds)
        areas = sum(cloud.dimension > claims["curve"]["area"] for cloud in self.clouds)
        same = sum(cloud.distance <= 2 * claims["same"]["reading"] for cloud in self.clouds)
        symmetric = sum(cloud.p_asymmetric > error for cloud in self.clouds)
        paired = sum(cloud.p_paired <= error for cloud in self.clouds)
        dimensions, distances, coefficients = (
            [getattr(cloud, name) for cloud in self.clouds]
            for name in ("dimension", "distance", "coefficient")
        )
        least, most = min(dimensions), max(dimensions)
        return {
            "curve": Outcome(
                counted(curves, areas, count),
                f"correlation dimension {least:.2f} to {most:.2f}; 1 for curves, 2 for areas such "
                "as the initial square",
                "",
                {"curves": curves, "areas": areas, "of": count, "least": least, "largest": most},
                {"curves": curves, "areas": areas, "of": count},
            ),
            "same": Outcome(
                counted(same, count - same, count),
                f"root mean square distance from {min(distances):.2f} to {max(distances):.2f}",
                "",
                {"nets": same, "of": count, "nearest": min(distances), "furthest": max(distances)},
                {"good": same, "of": count},
            ),
            "symmetric": Outcome(
                counted(symmetric, count - symmetric, count),
                f"{symmetric} of {count} clouds are no more asymmetric than random signs make "
                f"them, {paired} more symmetric than that; energy distance from the mirror image "
                f"{min(coefficients):.1e} to {max(coefficients):.1e} of that of two separate "
                "clusters",
                numbers={"nets": symmetric, "of": count, "paired": paired}
                | {"largest coefficient": max(coefficients)},
            ),
        }
