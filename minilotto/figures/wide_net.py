"""Figure 2a: the neurons of one net of width 10,000 lie on a bell-shaped curve, mirror images of each other."""

from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from minilotto.analysis.tickets import attractor_curve, mirror_pairs, mirror_symmetry
from minilotto.errors import DataError
from minilotto.figures.figure import FAILS, HOLDS, IN_PART, Figure, Scale, Source, Table, Verdict, training_words
from minilotto.study import Sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

WIDTH = 10_000
READING_ERROR = 0.02  # of points read off the paper's figure
DIGITISED = "figure-2a-digitised.csv"
PLACES = np.arange(0.05, 1.5, 0.05)  # of |w|, where our own curve is taken
LEAST_NEURONS = 20  # at one of them


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
        self.symmetry = mirror_symmetry(self.w, self.b)
        self.abs_w, self.paper_right, self.paper_left = digitised()
        right = self.w > 0
        self.right = attractor_curve(self.w[right], self.b[right], self.abs_w)
        self.left = attractor_curve(self.w[~right], self.b[~right], self.abs_w)
        self.curve = attractor_curve(self.w, self.b, PLACES)
        self.pairs = mirror_pairs(self.nets.w, self.nets.b, self.nets.v)

    def draw(self) -> "Drawing":
        from minilotto.plots.style import BLUE, GREY, ORANGE, grid

        figure, ((ax,),) = grid(1, 1, 7.0, 4.4)
        ax.plot(self.w, self.b, ".", color=BLUE, markersize=2, alpha=0.25, rasterized=True, label=f"{WIDTH:,} neurons")
        told = self.curve.count >= LEAST_NEURONS
        for sign in (1, -1):
            ax.plot(
                sign * self.curve.abs_w[told], self.curve.b[told], color=GREY, linewidth=1.4, label="their median" if sign > 0 else None
            )
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
            f"{self.nets.loss[0]:.2g}), with the median of b against w, and eleven places of the curve on each side as read off the "
            f"paper's figure 2a.{beyond} {training_words([self.nets])}."
        )

    def tables(self) -> list[Table]:
        return [
            Table("neurons", {"w": self.w.tolist(), "b": self.b.tolist(), "v": self.nets.v[0].astype(float).tolist()}),
            Table(
                "curve",
                {
                    "abs w": self.abs_w.tolist(),
                    "b right": self.right.b.tolist(),
                    "b left": self.left.b.tolist(),
                    "paper right": self.paper_right.tolist(),
                    "paper left": self.paper_left.tolist(),
                },
            ),
        ]

    def verdicts(self) -> list[Verdict]:
        gaps = np.concatenate([self.right.b - self.paper_right, self.left.b - self.paper_left])
        shape = float(np.sqrt(np.nanmean(gaps**2)))
        worst = float(np.nanmax(np.abs(gaps)))
        told = self.curve.count >= LEAST_NEURONS
        width_of_band = float(np.median((self.curve.high - self.curve.low)[told]))
        reach = float(np.ptp(self.curve.b[told]))
        on_curve = width_of_band < 0.1 * reach
        distance, singles = self.pairs.distance[0], int(self.pairs.singles[0])
        half = float(np.nanmedian(distance))
        return [
            Verdict(
                "The neurons lie on a curve",
                "Most neurons are concentrated around a bell-shaped curve: an attractor manifold.",
                f"half of the neurons at a given |w| have b within {width_of_band:.2g}, where b itself spans {reach:.2g}",
                "Interquartile range of b about its local trend in |w|, median over places; holds below a tenth of the curve's height.",
                HOLDS if on_curve else FAILS,
                "A narrow band." if on_curve else "A broad cloud.",
                {"interquartile range": width_of_band, "height": reach},
            ),
            Verdict(
                "It is the paper's curve",
                "Figure 2a shows the curve; 11 places on either side were read off it.",
                f"root mean square distance {shape:.3f}, largest {worst:.3f}",
                f"Median b at these |w| against the readings, whose error is about ±{READING_ERROR:g}; holds to twice that, in part to 0.1.",
                HOLDS if shape <= 2 * READING_ERROR else IN_PART if shape <= 0.1 else FAILS,
                "The same curve, as well as it can be read."
                if shape <= 2 * READING_ERROR
                else "A curve of the same kind, not the same one: seeds, or a detail of the protocol, differ.",
                {"rms": shape, "largest": worst},
            ),
            Verdict(
                "The cloud is mirror-symmetric",
                "If there is a neuron at (w, b), there is one around (-w, b).",
                f"energy distance from its mirror image {self.symmetry.asymmetry:.1e}, null's median {np.median(self.symmetry.null):.1e}, "
                f"p = {self.symmetry.p_value:.2g}; best pairing: half of the pairs within {half:.3f}, {singles} neurons left single",
                "Energy distance of (w, b) and (-w, b) against 999 draws with every sign of w a fair coin; a small p would refute symmetry.",
                HOLDS if self.symmetry.p_value > 0.05 else FAILS,
                "As symmetric as fair coins make it: the distribution is symmetric; it takes no mechanism that pairs neurons."
                if self.symmetry.p_value > 0.05
                else "Less symmetric than independent signs would be.",
                {"asymmetry": self.symmetry.asymmetry, "p": self.symmetry.p_value, "median distance": half},
            ),
        ]
