"""Figure 2a: the neurons of nets of width 10,000, the curve that they lie on, and whether it is its
own mirror image.
"""

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from minilotto.analysis.tickets.attractor import Attractor, attractor, correlation_dimension
from minilotto.analysis.tickets.mirror import mirror_symmetry
from minilotto.analysis.tickets.tickets import alive
from minilotto.errors import DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Array, Figure, Scale, Source, Table, training_words
from minilotto.report.rules import FAILS, HOLDS, IN_PART
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

COLUMNS = 3
TESTED_NEURONS = 3000
READING_ERROR = 0.02  # of points read off the paper's figure
CURVE, AREA = 1.35, 1.65  # correlation dimensions: curves below, areas above
DIGITISED = "figure-2a-digitised.csv"


def digitised() -> tuple[Array, Array, Array]:
    """|w|, b at w > 0 and b at w < 0, each (11,), as read off the paper's figure 2a."""
    text = (files("minilotto.report.paper") / DIGITISED).read_text(encoding="utf-8")
    table = np.loadtxt(text.splitlines(), delimiter=",", skiprows=2)
    return table[:, 0], table[:, 1], table[:, 2]


@dataclass(frozen=True)
class _Cloud:
    """The neurons of one net that do something: w, b (n,), their running median, and its distance
    (22,) from the paper's points.
    """

    seed: int
    loss: float
    w: Array
    b: Array
    curve: Attractor
    gaps: Array
    dimension: float
    coefficient: float
    p_lopsided: float
    p_paired: float

    @property
    def distance(self) -> float:
        """Root mean square of the gaps, where the cloud reaches."""
        return float(np.sqrt(np.nanmean(self.gaps**2)))


class NeuronCloud(Figure):
    """The cloud (w, b) of each of some very wide nets: the paper shows one; they differ."""

    name = "2a"
    title = "the neurons of very wide nets"

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
        # The test costs the square of the number of neurons; a random part of them has the same
        # law.
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
            gaps=np.concatenate(gaps),
            dimension=correlation_dimension(w, b),
            coefficient=float(symmetry.coefficient[0]),
            p_lopsided=float(symmetry.p_asymmetric[0]),
            p_paired=float(symmetry.p_paired[0]),
        )

    def draw(self) -> "Drawing":
        from minilotto.report.plots.distributions import note
        from minilotto.report.plots.style import BLUE, GREY, ORANGE, grid

        abs_w, right, left = digitised()
        columns = min(COLUMNS, len(self.clouds))
        rows = -(-len(self.clouds) // columns)
        figure, axes = grid(rows, columns, 3.2 * columns, 2.7 * rows, sharex=True, sharey=True)
        for ax in [ax for row in axes for ax in row][len(self.clouds) :]:
            ax.set_visible(False)
        for i, cloud in enumerate(self.clouds):
            ax = axes[i // columns][i % columns]
            ax.plot(cloud.w, cloud.b, ".", color=BLUE, markersize=2, alpha=0.3, rasterized=True)
            for sign in (1, -1):
                ax.plot(sign * cloud.curve.abs_w, cloud.curve.b, color=GREY, linewidth=1.0)
                ax.plot(
                    sign * abs_w,
                    right if sign > 0 else left,
                    "o",
                    color=ORANGE,
                    markerfacecolor="none",
                    markersize=4,
                )
            note(f"seed {cloud.seed}, loss {cloud.loss:.1e}", ax, right=False)
            ax.set_xlabel("weight $w_i$" if i + columns >= len(self.clouds) else "")
            ax.set_ylabel("bias $b_i$" if i % columns == 0 else "")
        axes[0][0].set_xlim(-1.6, 1.6)
        axes[0][0].set_ylim(-1.7, 1.0)
        return figure

    def caption(self) -> str:
        return (
            f"First-layer weights and biases of networks of {self.width:,} SiLU neurons after "
            "training, one panel a seed, none "
            f"left out: neurons that do something (blue; {self.dead:.0%} do not, most of them "
            "near w = b = 0), the running median "
            "of b against |w| (grey), and eleven places of the curve on each side as read off "
            "the paper's figure 2a, which shows "
            f"one net (orange). {training_words([self.nets])}."
        )

    def tables(self) -> list[Table]:
        neurons: dict[str, list] = {"seed": [], "w": [], "b": []}
        shapes: dict[str, list] = {
            name: []
            for name in (
                "seed",
                "loss",
                "neurons",
                "dimension",
                "distance",
                "coefficient",
                "p lopsided",
                "p paired",
            )
        }
        for cloud in self.clouds:
            neurons["seed"] += [cloud.seed] * len(cloud.w)
            neurons["w"] += cloud.w.tolist()
            neurons["b"] += cloud.b.tolist()
            names = ("dimension", "distance", "coefficient", "p_lopsided", "p_paired")
            row = (cloud.seed, cloud.loss, len(cloud.w), *(getattr(cloud, name) for name in names))
            for name, value in zip(shapes, row, strict=True):
                shapes[name].append(value)
        return [Table("neurons", neurons), Table("shapes", shapes)]

    def verdicts(self) -> list[Verdict]:
        count = len(self.clouds)

        def judged(good: int) -> str:
            return HOLDS if good == count else IN_PART if good else FAILS

        curves = sum(cloud.dimension < CURVE for cloud in self.clouds)
        areas = sum(cloud.dimension > AREA for cloud in self.clouds)
        same = sum(cloud.distance <= 2 * READING_ERROR for cloud in self.clouds)
        symmetric = sum(cloud.p_lopsided > 0.05 for cloud in self.clouds)
        paired = sum(cloud.p_paired <= 0.05 for cloud in self.clouds)
        dimensions, distances, coefficients = (
            [getattr(cloud, name) for cloud in self.clouds]
            for name in ("dimension", "distance", "coefficient")
        )
        return [
            Verdict(
                "The neurons lie on a curve",
                "Most neurons are concentrated around a bell-shaped curve: an attractor manifold.",
                f"correlation dimension {min(dimensions):.2f} to {max(dimensions):.2f}; 1 for "
                "curves, 2 for areas such as the "
                f"initial square",
                "How the number of pairs of living neurons within r of each other grows from r = "
                "0.02 to 0.1; holds for a net "
                f"below {CURVE:g}, fails above {AREA:g}.",
                HOLDS if curves == count else FAILS if areas == count else IN_PART,
                f"{curves} of {count} nets are curves by this measure, {areas} areas: arcs in the "
                "shape of a bell, often with more "
                "than one branch, and neurons scattered beside them.",
                {
                    "curves": curves,
                    "areas": areas,
                    "of": count,
                    "least": min(dimensions),
                    "largest": max(dimensions),
                },
            ),
            Verdict(
                "It is the paper's curve",
                "Figure 2a shows one net's curve; 11 places on either side were read off it.",
                f"root mean square distance from {min(distances):.2f} to {max(distances):.2f}",
                "Median b at these |w| against the readings, whose error is about "
                f"±{READING_ERROR:g}; holds to twice that.",
                judged(same),
                f"{same} of {count} nets. Each seed has a curve of its own, and a detail of the "
                "paper's protocol at this width may "
                "differ from ours.",
                {"nets": same, "of": count, "nearest": min(distances), "furthest": max(distances)},
            ),
            Verdict(
                "The cloud is mirror-symmetric",
                "If there is a neuron at (w, b), there is one around (-w, b).",
                f"{symmetric} of {count} clouds are no more lopsided than fair coins make them, "
                f"{paired} more "
                "symmetric than that; energy distance from the mirror image "
                f"{min(coefficients):.1e} to "
                f"{max(coefficients):.1e} of that of two separate clusters",
                "Energy distance of (w, b) and (-w, b) against 999 draws in which every sign of "
                "w is a fair coin, at 5%.",
                judged(symmetric),
                "Close to symmetric by eye and by distance; with thousands of neurons the test "
                "sees small excesses of one side."
                if symmetric < count
                else "As symmetric as fair coins make it; nothing needs to pair neurons.",
                {
                    "nets": symmetric,
                    "of": count,
                    "paired": paired,
                    "largest coefficient": max(coefficients),
                },
            ),
        ]
