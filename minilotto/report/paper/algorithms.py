"""Figures 9 to 11: which algorithms nets of two neurons find, and what the neurons of each do."""

from typing import TYPE_CHECKING

import numpy as np

from minilotto.analysis.stats.clusters import LEAST_SHARE
from minilotto.analysis.tickets.algorithms import (
    RESOLUTION,
    SYMMETRIC,
    TAIL,
    Algorithm,
    Algorithms,
    algorithms,
)
from minilotto.analysis.tickets.parameter_plane import plane_clusters
from minilotto.errors import DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Array, Figure, Scale, Source, Table, training_words
from minilotto.report.paper.two_neurons import BAD
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.ensemble.ensemble import Ensemble
    from minilotto.report.plots.style import Axes, Drawing

WIDTH = 2
MANY = 500  # nets from which on a group of two percent would be found
PAPER_CLUSTERS, PAPER_ALGORITHMS = 6, 4
PAPER_SYMMETRY = (True, False, True, False)
# What each algorithm's two neurons use of the activation, in the words of analysis.algorithms.
PAPER_PARTS = (("bend", "bend"), ("bend", "lower tail"), ("bend", "bend"), ("bend", "upper tail"))
SHOWN = 40  # nets of an algorithm that are drawn
MARKERS = "osD^vP"


class _Algorithms(Figure):
    """What the three figures share: the nets, and the algorithms that they follow."""

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return (Sweep(widths=(WIDTH,), seeds=scale.seeds, steps=scale.steps),)

    def __init__(self, source: Source, scale: Scale) -> None:
        found = source.by_width(self.sweeps(scale)[0])
        if WIDTH not in found:
            raise DataError(f"nets of width {WIDTH} are not there; train them first")
        self.nets: Ensemble = found[WIDTH]
        self.study: Algorithms = algorithms(
            self.nets.activation, self.nets.parameters, self.nets.data, self.nets.loss
        )
        good = [one for one in self.study.found if one.loss_median < BAD]
        self.trained = bool(good)
        self.good: list[Algorithm] = good or list(
            self.study.found
        )  # something to show after few steps

    @property
    def few(self) -> str:
        """Why a missing algorithm proves nothing, where the nets are few or their training is
        short.
        """
        if not self.trained:
            return f"No algorithm has a loss below {BAD:g}; train longer."
        return (
            f"{len(self.nets)} nets are too few to find groups of two percent."
            if len(self.nets) < MANY
            else ""
        )


class AlgorithmClusters(_Algorithms):
    """The plane of the first two principal components, its clusters, and which of them a swap of
    neurons exchanges.
    """

    name = "9"
    title = "algorithms as clusters of nets"

    def __init__(self, source: Source, scale: Scale) -> None:
        super().__init__(source, scale)
        low = self.nets.loss < BAD
        self.clusters = plane_clusters(
            self.nets.parameters, low if low.sum() >= 2 else np.isfinite(self.nets.loss)
        )
        self.plane = self.clusters.plane
        self.all_clusters = plane_clusters(self.nets.parameters, np.isfinite(self.nets.loss)).count

    @property
    def frame(self) -> tuple[Array, Array]:
        """Lower left and upper right corner of what is shown of the plane: all clusters, with a
        margin.
        """
        inside = self.plane.scores[self.study.label >= 0]
        low, high = inside.min(axis=0), inside.max(axis=0)
        margin = 0.1 * (high - low)
        return low - margin, high + margin

    def draw(self) -> "Drawing":
        from minilotto.report.plots.distributions import log_edges, shares
        from minilotto.report.plots.style import GREY, PALETTE, grid

        figure, ((left, right),) = grid(1, 2, 9.8, 4.2, width_ratios=(1.2, 1.0))
        finite = self.nets.loss[np.isfinite(self.nets.loss) & (self.nets.loss > 0)]
        edges = log_edges(finite.min(), finite.max(), 10)
        nobody = self.study.label < 0
        left.plot(
            *self.plane.scores[nobody].T,
            ".",
            color="black",
            markersize=3,
            label=f"none ({np.mean(nobody):.1%})",
        )
        for i, one in enumerate(self.study.found):
            good = i < len(self.good)
            color, mark = (
                (PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)]) if good else (GREY, "x")
            )
            label = (
                f"{i + 1}" if good else "constant" if one.name == "constant" else f"{i + 1}, bad"
            )
            points = self.plane.scores[one.members].T
            left.plot(
                *points,
                mark,
                color=color,
                markersize=5,
                alpha=0.6,
                markeredgewidth=0.6,
                label=f"{label} ({one.share:.0%})",
            )
            member = np.zeros(len(self.nets), bool)
            member[one.members] = True
            shares(np.where(member, self.nets.loss, np.nan), right, edges, color, label)
        for k in range(self.clusters.count):
            x, y = np.median(self.plane.scores[self.clusters.label == k], axis=0)
            ranks = self.study.label[(self.clusters.label == k) & (self.study.label >= 0)]
            if ranks.size:
                text = str(int(np.bincount(ranks).argmax()) + 1)
                left.annotate(
                    text,
                    (x, y),
                    textcoords="offset points",
                    xytext=(9, 9),
                    fontsize=11,
                    fontweight="bold",
                )
        low, high = self.frame
        left.set_xlim(low[0], high[0])
        left.set_ylim(low[1], high[1])
        part = self.plane.explained
        left.set_xlabel(f"first principal component ({part[0]:.0%} of the variance)")
        left.set_ylabel(f"second principal component ({part[1]:.0%})")
        left.set_title("seven parameters of each net")
        left.legend(title="algorithm (share)", loc="center left", bbox_to_anchor=(1.0, 0.5))
        right.set_title("loss of each algorithm")
        return figure

    def caption(self) -> str:
        low, high = self.frame
        finite = np.isfinite(self.plane.scores).all(axis=1)
        beyond = int(
            np.count_nonzero(
                finite & ((self.plane.scores < low) | (self.plane.scores > high)).any(axis=1)
            )
        )
        return (
            "Left: first two principal components of the seven parameters of each net with two "
            "SiLU neurons that learns y = x², "
            "by algorithm, numbered by rising median loss. Nets follow the same algorithm where "
            "each neuron adds the same to "
            "the output, up to the order of the neurons and the mirror image x → -x. Crosses: "
            "nets that are constant, which the "
            f"paper leaves aside, as all with losses above {BAD:g}; "
            f"{np.mean(self.study.label < 0):.1%} of the nets follow none, "
            f"{beyond} lie beyond the frame. Right: their losses. {training_words([self.nets])}."
        )

    def tables(self) -> list[Table]:
        rows: dict[str, list] = {
            name: []
            for name in (
                "algorithm", "nets", "share", "low", "high", "loss quartile 1", "loss median", "loss quartile 3", "asymmetry",
                "what its neurons do", "seed", "w1", "w2", "b1", "b2", "v1", "v2", "c",
            )
        }  # fmt: skip
        for i, one in enumerate(self.study.found):
            w, b, v, c = (part[one.medoid] for part in self.nets.parameters)
            row = (
                i + 1, len(one.members), one.share, one.share_low, one.share_high, one.loss_low, one.loss_median, one.loss_high,
                one.asymmetry, one.name, int(self.nets.seeds[one.medoid]), *w[:, 0].tolist(), *b.tolist(), *v.tolist(), float(c),
            )  # fmt: skip
            for name, value in zip(rows, row, strict=True):
                rows[name].append(value)
        nets = {
            "seed": self.nets.seeds.tolist(),
            "loss": self.nets.loss.tolist(),
            "algorithm": (self.study.label + 1).tolist(),
            "cluster in the plane": (self.clusters.label + 1).tolist(),
            "component 1": self.plane.scores[:, 0].tolist(),
            "component 2": self.plane.scores[:, 1].tolist(),
        }
        return [Table("algorithms", rows), Table("nets", nets)]

    def verdicts(self) -> list[Verdict]:
        return [self._six_clusters(), self._four_algorithms()]

    def _six_clusters(self) -> Verdict:
        away = abs(self.clusters.count - PAPER_CLUSTERS)
        verdict = HOLDS if away == 0 else UNTESTED if self.few else IN_PART if away == 1 else FAILS
        return Verdict(
            "Six clusters of parameters",
            "The first two principal components of the parameters of 1000 nets show 6 clusters.",
            f"{self.clusters.count} clusters among nets with losses below {BAD:g}; "
            f"{self.all_clusters} among all",
            "Robust single linkage in the plane of two principal components, cut in the widest "
            "gap; groups below "
            f"{LEAST_SHARE:.0%} of the nets do not count. Holds for {PAPER_CLUSTERS}, in part "
            "for one more or less.",
            verdict,
            {
                HOLDS: "The same number; the nets above this loss are constant and form one more.",
                UNTESTED: self.few,
            }.get(verdict, "Another number."),
            {"clusters": self.clusters.count, "clusters of all nets": self.all_clusters},
        )

    def _four_algorithms(self) -> Verdict:
        count = len(self.good)
        both = count == self.clusters.orbits == PAPER_ALGORITHMS
        either = PAPER_ALGORITHMS in (count, self.clusters.orbits)
        verdict = HOLDS if both else UNTESTED if self.few else IN_PART if either else FAILS
        told = ", ".join(f"{one.share:.1%} (loss {one.loss_median:.2g})" for one in self.good)
        return Verdict(
            "Four algorithms, modulo swapping the neurons",
            "Swapping the two neurons exchanges clusters; modulo this symmetry there are 4, "
            "each a distinct algorithm.",
            f"{self.clusters.orbits} modulo the swap in the plane; {count} by what the neurons "
            f"compute, with shares {told}",
            "Clusters of the plane are joined where the swapped nets of one lie in another; "
            "independently, nets are clustered by "
            f"what each neuron adds to the output, at {RESOLUTION:.0%} of the target's spread. "
            "Holds where both give "
            f"{PAPER_ALGORITHMS}.",
            verdict,
            {HOLDS: "Both ways agree.", UNTESTED: self.few}.get(
                verdict, "The two ways do not both give four."
            ),
            {"modulo the swap": self.clusters.orbits, "by function": count},
        )


class AlgorithmResponses(_Algorithms):
    """Activations of both neurons against the input, one panel an algorithm."""

    name = "10"
    title = "what the neurons of each algorithm compute"

    def draw(self) -> "Drawing":
        from minilotto.report.plots.style import BLUE, ORANGE

        figure, axes = _panels(self.good)
        x = np.linspace(-2, 2, 201)
        for i, (one, ax) in enumerate(zip(self.good, axes, strict=False)):
            others, medoid = _neurons(self, one)
            for k, color in enumerate((BLUE, ORANGE)):
                for w, b in others:
                    ax.plot(
                        x,
                        self.nets.activation.value(w[k] * x + b[k]),
                        color=color,
                        alpha=0.12,
                        linewidth=0.7,
                    )
                w, b = medoid
                label = f"σ({w[k]:+.2g} x {b[k]:+.2g})"
                ax.plot(
                    x,
                    self.nets.activation.value(w[k] * x + b[k]),
                    color=color,
                    linewidth=2.0,
                    label=label,
                )
            ax.set_title(_panel_title(i, one))
            ax.set_xlabel("input x")
            ax.set_ylabel("activation" if i % 4 == 0 else "")
            ax.set_ylim(top=1.3 * ax.get_ylim()[1])
            ax.legend(loc="upper center", fontsize=8)
        return figure

    def caption(self) -> str:
        return (
            "Activations of both neurons against the input, for each algorithm of figure 9 with "
            "a loss below "
            f"{BAD:g}: its most central net (thick), and at most {SHOWN} others (thin), neurons "
            "in the same order, mirrored where "
            f"that fits better. {training_words([self.nets])}."
        )

    def tables(self) -> list[Table]:
        x = np.linspace(-2, 2, 41)
        columns: dict[str, list] = {"x": x.tolist()}
        for i, one in enumerate(self.good):
            _, (w, b) = _neurons(self, one)
            for k in range(WIDTH):
                columns[f"algorithm {i + 1} neuron {k + 1}"] = self.nets.activation.value(
                    w[k] * x + b[k]
                ).tolist()
        return [Table("activations", columns)]

    def verdicts(self) -> list[Verdict]:
        found = tuple(one.symmetric for one in self.good)
        agree = sum(a == b for a, b in zip(found, PAPER_SYMMETRY, strict=False))
        verdict = _agreement(found, agree, self.few)
        told = ", ".join(
            f"{i + 1} {'symmetric' if one.symmetric else 'asymmetric'} ({one.asymmetry:.2g})"
            for i, one in enumerate(self.good)
        )
        return [
            Verdict(
                "Algorithms 1 and 3 are symmetric, 2 and 4 are not",
                "In 1 and 3 both neurons play the same role; in 2 and 4 they do not. (One "
                "sentence of the paper says 1 and 4 are "
                "asymmetric; its other sentence, and its figures' order, say 2 and 4.)",
                f"by rising loss: {told}",
                "Median distance of a net to its mirror image x → -x, neurons exchanged, "
                "relative to what its neurons add to the "
                f"output; symmetric up to {SYMMETRIC:g}. Holds where all four agree, in part "
                "where three do.",
                verdict,
                _agreement_reason(found, agree, self.few),
                {f"asymmetry {i + 1}": one.asymmetry for i, one in enumerate(self.good)},
            )
        ]


class AlgorithmParts(_Algorithms):
    """Activations of both neurons against their pre-activations: the part of the activation
    function that each uses.
    """

    name = "11"
    title = "which part of the activation each algorithm uses"

    def draw(self) -> "Drawing":
        from minilotto.report.plots.style import BLUE, GREY, ORANGE

        figure, axes = _panels(self.good)
        ends = self.nets.data.x[[0, -1], 0]
        value = self.nets.activation.value
        for i, (one, ax) in enumerate(zip(self.good, axes, strict=False)):
            _, (w, b) = _neurons(self, one)
            low, high = min(n.low for n in one.neurons), max(n.high for n in one.neurons)
            whole = np.linspace(min(low, -4.0) - 0.5, max(high, 1.0) + 0.5, 300)
            ax.plot(whole, value(whole), color=GREY, linewidth=1.0, label="σ(z)")
            for k, (color, width) in enumerate(((BLUE, 5.0), (ORANGE, 2.2))):
                reach = np.sort(w[k] * ends + b[k])
                z = np.linspace(reach[0], reach[1], 200)
                label = f"{_part(one, reach)}: {reach[0]:.2g} to {reach[1]:.2g}"
                ax.plot(
                    z, value(z), color=color, linewidth=width, solid_capstyle="round", label=label
                )
            ax.set_title(_panel_title(i, one))
            ax.set_xlabel("pre-activation z")
            ax.set_ylabel("activation" if i % 4 == 0 else "")
            ax.set_ylim(top=1.45 * ax.get_ylim()[1])
            ax.legend(loc="upper left", fontsize=8)
        return figure

    def caption(self) -> str:
        return (
            "Activations of both neurons against their pre-activations in the most central net "
            "of each algorithm: the part of SiLU "
            f"(grey) that each neuron covers for x from -2 to 2. A tail holds at most {TAIL:.0%} "
            "of the function's bending. "
            f"{training_words([self.nets])}."
        )

    def tables(self) -> list[Table]:
        rows: dict[str, list] = {
            name: []
            for name in (
                "algorithm",
                "neuron",
                "part",
                "low",
                "high",
                "bend low",
                "bend high",
                "size",
            )
        }
        for i, one in enumerate(self.good):
            for k, neuron in enumerate(one.neurons):
                row = (
                    i + 1,
                    k + 1,
                    neuron.part,
                    neuron.low,
                    neuron.high,
                    neuron.bend_low,
                    neuron.bend_high,
                    neuron.size,
                )
                for name, value in zip(rows, row, strict=True):
                    rows[name].append(value)
        return [Table("parts", rows)]

    def verdicts(self) -> list[Verdict]:
        found = tuple(tuple(sorted(neuron.part for neuron in one.neurons)) for one in self.good)
        agree = sum(a == b for a, b in zip(found, PAPER_PARTS, strict=False))
        told = "; ".join(
            f"{i + 1}: "
            + " and ".join(f"{n.part} [{n.low:.2g}, {n.high:.2g}]" for n in one.neurons)
            for i, one in enumerate(self.good)
        )
        return [
            Verdict(
                "The algorithms use different parts of the activation",
                "1: both neurons use the nonlinear middle; 2: one the saturating negative tail, "
                "the other the middle; 3: both the "
                "boundary between nonlinear and linear; 4: one the linear part, the other the "
                "boundary.",
                told,
                "Interval of pre-activations of each neuron of the central net; a tail where it "
                f"holds at most {TAIL:.0%} of the "
                "function's bending. Holds where all four match.",
                _agreement(found, agree, self.few),
                _agreement_reason(found, agree, self.few),
                {"matching": agree},
            )
        ]


def _panels(found: list[Algorithm]) -> "tuple[Drawing, list[Axes]]":
    """A panel for each algorithm, four in a row."""
    from minilotto.report.plots.style import grid

    count = max(len(found), 1)
    columns = min(count, 4)
    rows = -(-count // columns)
    figure, axes = grid(rows, columns, 2.9 * columns + 0.5, 3.1 * rows + 0.2)
    flat = [ax for row in axes for ax in row]
    for ax in flat[len(found) :]:
        ax.set_visible(False)
    return figure, flat


def _panel_title(i: int, one: Algorithm) -> str:
    return f"algorithm {i + 1}: loss {one.loss_median:.1e}"


def _neurons(
    figure: _Algorithms, one: Algorithm
) -> tuple[list[tuple[Array, Array]], tuple[Array, Array]]:
    """(w, b) of some nets of an algorithm, neurons in the central net's order, and of that net."""
    w, b = figure.study.aligned.w[:, :, 0], figure.study.aligned.b
    step = -(-len(one.members) // SHOWN)
    return [(w[i], b[i]) for i in one.members[::step]], (w[one.medoid], b[one.medoid])


def _part(one: Algorithm, reach: Array) -> str:
    """The part of the neuron whose pre-activations reach so far."""
    return min(
        one.neurons, key=lambda neuron: abs(neuron.low - reach[0]) + abs(neuron.high - reach[1])
    ).part


def _agreement(found: tuple, agree: int, few: str) -> str:
    if len(found) == PAPER_ALGORITHMS and agree == PAPER_ALGORITHMS:
        return HOLDS
    return UNTESTED if few else IN_PART if agree >= PAPER_ALGORITHMS - 1 else FAILS


def _agreement_reason(found: tuple, agree: int, few: str) -> str:
    if len(found) == PAPER_ALGORITHMS and agree == PAPER_ALGORITHMS:
        return "All four as in the paper, in the order of their losses."
    return few or f"{agree} of {PAPER_ALGORITHMS} agree; {len(found)} algorithms were found."
