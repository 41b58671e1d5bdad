"""Figure 2a: the neurons of one net of width 10,000 lie on a bell-shaped curve, mirror images of each other."""

from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from minilotto.analysis.attractor import attractor
from minilotto.analysis.mirror import mirror_symmetry
from minilotto.analysis.tickets import alive, pair_neurons
from minilotto.errors import DataError
from minilotto.figures.figure import FAILS, HOLDS, IN_PART, Figure, Scale, Source, Table, Verdict, training_words
from minilotto.study import Sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

WIDTH = 10_000
READING_ERROR = 0.02  # of points read off the paper's figure
DIGITISED = "figure-2a-digitised.csv"


def digitised() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """|w|, b at w > 0 and b at w < 0, each (11,), as read off the paper's figure 2a."""
    text = (files("minilotto") / "data" / DIGITISED).read_text(encoding="utf-8")
    table = np.loadtxt(text.splitlines(), delimiter=",", skiprows=2)
    return table[:, 0], table[:, 1], table[:, 2]


class NeuronCloud(Figure):
    """The cloud (w, b) of one very wide net, its curve beside the paper's, and its symmetry."""

    name = "2a"
    title = "the neurons of a very wide net"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return (Sweep(widths=(WIDTH,), seeds=1, steps=scale.steps),)

    def __init__(self, source: Source, scale: Scale) -> None:
        found = source.by_width(self.sweeps(scale)[0])
        if WIDTH not in found:
            raise DataError(f"the net of width {WIDTH:,} is not there; train it first")
        self.nets = found[WIDTH]
        if not np.isfinite(self.nets.loss[0]):
            raise DataError(f"the net of width {WIDTH:,} has diverged; lower the learning rate")
        self.w, self.b = self.nets.w[0, :, 0].astype(np.float64), self.nets.b[0].astype(np.float64)
        self.alive = alive(self.nets.activation, self.nets.parameters, self.nets.data)[0]
        w, b = self.w[self.alive], self.b[self.alive]
        self.symmetry = mirror_symmetry(w[None], b[None])
        self.curve = attractor(w, b)
        self.abs_w, self.paper_right, self.paper_left = digitised()
        self.right = attractor(w[w > 0], b[w > 0]).at(self.abs_w)
        self.left = attractor(w[w < 0], b[w < 0]).at(self.abs_w)
        self.pairing = pair_neurons(w[None], b[None])

    def draw(self) -> "Drawing":
        from minilotto.plots.style import BLUE, GREY, ORANGE, grid

        figure, ((ax,),) = grid(1, 1, 7.0, 4.4)
        living = int(np.count_nonzero(self.alive))
        ax.plot(
            self.w[self.alive],
            self.b[self.alive],
            ".",
            color=BLUE,
            markersize=2,
            alpha=0.3,
            rasterized=True,
            label=f"{living:,} neurons that do something",
        )
        for sign in (1, -1):
            ax.plot(sign * self.curve.abs_w, self.curve.b, color=GREY, linewidth=1.4, label="their median" if sign > 0 else None)
        ax.plot(self.abs_w, self.paper_right, "o", color=ORANGE, markerfacecolor="none", label="the paper's figure, read off")
        ax.plot(-self.abs_w, self.paper_left, "o", color=ORANGE, markerfacecolor="none")
        ax.set_xlabel("weight $w_i$")
        ax.set_ylabel("bias $b_i$")
        ax.set_xlim(-1.6, 1.6)
        ax.set_ylim(-1.6, 1.1)
        ax.legend(loc="lower center")
        return figure

    def caption(self) -> str:
        outside = int(np.count_nonzero((np.abs(self.w) > 1.6) | (self.b < -1.6) | (self.b > 1.1)))
        beyond = f" {outside} neurons lie outside the frame." if outside else ""
        return (
            f"First-layer weights and biases of one network of {WIDTH:,} SiLU neurons after training (final loss "
            f"{self.nets.loss[0]:.2g}); "
            f"{int(np.count_nonzero(~self.alive)):,} neurons whose output does not vary are left out. Shown with the running "
            f"median of b, and eleven places of the curve on each side as read off the "
            f"paper's figure 2a.{beyond} {training_words([self.nets])}."
        )

    def tables(self) -> list[Table]:
        return [
            Table(
                "neurons",
                {
                    "w": self.w.tolist(),
                    "b": self.b.tolist(),
                    "v": self.nets.v[0].astype(float).tolist(),
                    "alive": self.alive.tolist(),
                },
            ),
            Table(
                "curve",
                {
                    "abs w": self.abs_w.tolist(),
                    "b right": self.right.tolist(),
                    "b left": self.left.tolist(),
                    "paper right": self.paper_right.tolist(),
                    "paper left": self.paper_left.tolist(),
                },
            ),
        ]

    def verdicts(self) -> list[Verdict]:
        gaps = np.concatenate([self.right - self.paper_right, self.left - self.paper_left])
        shape, worst = float(np.sqrt(np.nanmean(gaps**2))), float(np.nanmax(np.abs(gaps)))
        band, reach = 2 * self.curve.spread, float(np.ptp(self.curve.b))
        on_curve = band < 0.1 * reach
        p_lopsided, p_paired = float(self.symmetry.p_asymmetric[0]), float(self.symmetry.p_paired[0])
        half = float(np.nanmedian(self.pairing.distance[0]))
        singles = int(self.pairing.unpaired[0].sum())
        return [
            Verdict(
                "The neurons lie on a curve",
                "Most neurons are concentrated around a bell-shaped curve: an attractor manifold.",
                f"{self.curve.level:.0%} of the neurons at a given |w| have b within {band:.2g}, where their median itself spans "
                f"{reach:.2g}",
                "Width of the band in b, median over windows of |w|; holds below a tenth of the height of the running median.",
                HOLDS if on_curve else FAILS,
                "A narrow band." if on_curve else "A broad cloud.",
                {"band": band, "height": reach},
            ),
            Verdict(
                "It is the paper's curve",
                "Figure 2a shows the curve; 11 places on either side were read off it.",
                f"root mean square distance {shape:.3f}, largest {worst:.3f}",
                f"Median b at these |w| against the readings, whose error is about ±{READING_ERROR:g}; holds to twice that, in "
                f"part to 0.1.",
                HOLDS if shape <= 2 * READING_ERROR else IN_PART if shape <= 0.1 else FAILS,
                "The same curve, as well as it can be read."
                if shape <= 2 * READING_ERROR
                else "A curve of the same kind, not the same one: seeds, or a detail of the protocol, differ.",
                {"rms": shape, "largest": worst},
            ),
            Verdict(
                "The cloud is mirror-symmetric",
                "If there is a neuron at (w, b), there is one around (-w, b).",
                f"energy distance from its mirror image {self.symmetry.coefficient[0]:.1e} of the distance of two clusters; p = "
                f"{p_lopsided:.2g} for fair coins being as lopsided, {p_paired:.2g} for their being as symmetric; best pairing: "
                f"half of "
                f"the pairs within {half:.2g}, {singles} neurons left single",
                f"Energy distance of (w, b) and (-w, b) against {self.symmetry.flips} draws with every sign of w a fair coin, |w| "
                f"and b "
                "kept. Below 5% in the first, and the cloud leans to one side; in the second, and neurons are paired.",
                FAILS if p_lopsided <= 0.05 else HOLDS,
                "The cloud leans to one side more than independent signs would let it."
                if p_lopsided <= 0.05
                else "More symmetric than fair coins: neurons come in pairs."
                if p_paired <= 0.05
                else "As symmetric as fair coins make it; nothing needs to pair neurons.",
                {
                    "coefficient": float(self.symmetry.coefficient[0]),
                    "p lopsided": p_lopsided,
                    "p paired": p_paired,
                    "distance": half,
                },
            ),
        ]
