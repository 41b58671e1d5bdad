"""Figure 2a: the neurons of nets of width 10,000, the curve on which they lie, and its symmetry."""

from importlib.resources import files
from typing import Any

import numpy as np

from minilotto.analysis.stats.estimates import over_nets
from minilotto.analysis.tickets.cloud import measure_cloud
from minilotto.analysis.tickets.tickets import alive
from minilotto.errors import DataError
from minilotto.report.claims import Claim, Outcome, about
from minilotto.report.figure import Figure, Scale, Source, Table, finite, training_words
from minilotto.report.plots.distributions import note
from minilotto.report.plots.style import BLUE, GREY, ORANGE, Drawing, panels
from minilotto.report.rules import factor, inside, near
from minilotto.settings.arrays import Array
from minilotto.store.grid import Sweep

COLUMNS = 3
DIGITISED = "figure-2a-digitised.csv"


def digitised() -> tuple[Array, Array, Array]:
    """|w|, b at w > 0 and b at w < 0, each (11,), as read off the paper's figure 2a."""
    text = (files("minilotto.report.paper") / DIGITISED).read_text(encoding="utf-8")
    table = np.loadtxt(text.splitlines(), delimiter=",", skiprows=2)
    return table[:, 0], table[:, 1], table[:, 2]


class NeuronCloud(Figure):
    """The cloud (w, b) of each of some very wide nets: the paper shows one; they differ."""

    name = "2a"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return (Sweep(widths=(scale.giant_width,), seeds=scale.giants, steps=scale.steps),)

    def __init__(self, source: Source, scale: Scale) -> None:
        found, self.width = finite(source.by_width(self.sweeps(scale)[0])), scale.giant_width
        if self.width not in found:
            raise DataError(
                f"no finite nets of width {self.width:,} are there; train them first, or lower the "
                "learning rate where all have diverged"
            )
        self.nets = nets = found[self.width]
        living = alive(nets.activation, nets.parameters, nets.data)
        self.dead = float(np.mean(~living))
        w, b = nets.w[:, :, 0].astype(np.float64), nets.b.astype(np.float64)
        self.clouds = [measure_cloud(w[i, on], b[i, on], seed=i) for i, on in enumerate(living)]
        self.distances = [one.distance(*digitised()) for one in self.clouds]

    def facts(self) -> dict[str, Any]:
        training = training_words([self.nets])
        return {"width": self.width, "dead": self.dead, "training": training}

    def draw(self) -> Drawing:
        abs_w, right, left = digitised()
        count, columns = len(self.clouds), min(COLUMNS, len(self.clouds))
        figure, axes = panels(count, columns, 3.2, 2.7, sharex=True, sharey=True)
        for i, (one, ax) in enumerate(zip(self.clouds, axes, strict=True)):
            ax.plot(one.w, one.b, ".", color=BLUE, markersize=2, alpha=0.3, rasterized=True)
            for sign, paper in ((1, right), (-1, left)):
                ax.plot(sign * one.curve.abs_w, one.curve.b, color=GREY, linewidth=1.0)
                ax.plot(sign * abs_w, paper, "o", color=ORANGE, mfc="none", markersize=4)
            note(f"seed {self.nets.seeds[i]}, loss {self.nets.loss[i]:.1e}", ax, right=False)
            ax.set_xlabel("weight $w_i$" if i + columns >= count else "")
            ax.set_ylabel("bias $b_i$" if i % columns == 0 else "")
        axes[0].set(xlim=(-1.6, 1.6), ylim=(-1.7, 1.0))
        return figure

    def tables(self) -> list[Table]:
        neurons, shapes = [], []
        for i, (one, distance) in enumerate(zip(self.clouds, self.distances, strict=True)):
            seed = self.nets.seeds[i]
            neurons += [(seed, w, b) for w, b in zip(one.w, one.b, strict=True)]
            symmetry = one.coefficient, one.p_asymmetric, one.p_paired
            loss, size = float(self.nets.loss[i]), len(one.w)
            shapes.append((seed, loss, size, one.dimension, distance, *symmetry))
        header = "seed, loss, neurons, dimension, distance, coefficient, p lopsided, p paired"
        return [Table.of("neurons", "seed, w, b", neurons), Table.of("shapes", header, shapes)]

    def claim_curve(self, claim: Claim) -> Outcome:
        found = [one.dimension for one in self.clouds]
        mean = over_nets(np.array(found))
        return about(
            near(mean, 1.0, claim["curve"]),
            f"correlation dimension {mean} in the mean of {len(found)} nets, {min(found):.2f} to "
            f"{max(found):.2f}; 1 for curves, 2 for areas such as the initial square",
            numbers={"least": min(found), "largest": max(found), "of": len(found)},
        )

    def claim_same(self, claim: Claim) -> Outcome:
        reading, far = claim["reading"], self.distances
        mean = over_nets(np.array(far))
        return about(
            inside(mean, -np.inf, 2 * reading),
            f"root mean square distance {mean} in the mean of {len(far)} nets, {min(far):.2f} to "
            f"{max(far):.2f}",
            numbers={"of": len(far), "nearest": min(far), "furthest": max(far)},
        )

    def claim_symmetric(self, claim: Claim) -> Outcome:
        found = [one.coefficient for one in self.clouds]
        # It is 0 or below where halves agree better than random signs make them.
        typical = over_nets(np.log(np.maximum(found, 1e-12))).mapped(np.exp)
        lopsided = sum(one.p_asymmetric <= claim["error"] for one in self.clouds)
        return about(
            factor(typical, 0.0, claim["apart"]),
            f"energy distance from the mirror image {typical} of that of two separate clusters, "
            f"geometric mean of {len(found)} nets, {min(found):.1e} to {max(found):.1e}; "
            f"{lopsided} are more asymmetric than random signs make them",
            numbers={"coefficient": typical.value, "lopsided": lopsided},
        )
