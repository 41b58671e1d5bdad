"""Figures 9 to 11: which algorithms nets of two neurons find, and what the neurons of each do."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.clusters import LEAST_SHARE
from minilotto.analysis.tickets.algorithms import RESOLUTION, SYMMETRIC, TAIL, Algorithm, algorithms
from minilotto.analysis.tickets.parameter_plane import plane_clusters
from minilotto.ensemble.plots import edges_of
from minilotto.report.claims import Case, Claim, Outcome, about, over
from minilotto.report.figure import Scale, Source, Table
from minilotto.report.paper.two_neurons import TwoNeurons
from minilotto.report.plots.distributions import shares
from minilotto.report.plots.style import BLUE, GREY, ORANGE, Axes, Drawing, grid, panels, style_of
from minilotto.report.rules import FAILS, LEVEL, THRESHOLDS, Check, Judged, inside, sure
from minilotto.settings.arrays import Array

BAD = 1e-2  # losses above it are left aside by the paper
PAPER_SYMMETRY = (True, False, True, False)
# What each algorithm's two neurons use of the activation, in the words of analysis.algorithms.
PAPER_PARTS = (("bend", "bend"), ("bend", "lower tail"), ("bend", "bend"), ("bend", "upper tail"))
SHOWN = 40  # nets of an algorithm that are drawn
MARKERS = "osD^vP"
Numbers = Mapping[str, float]


class _Algorithms(TwoNeurons):
    """The algorithms that the nets follow."""

    def __init__(self, source: Source, scale: Scale) -> None:
        super().__init__(source, scale)
        nets = self.nets
        self.study = algorithms(nets.activation, nets.parameters, nets.data, nets.loss)
        good = [one for one in self.study.found if one.loss_median < BAD]
        self.good = good or list(self.study.found)  # something to show after few steps
        # Few nets may not have drawn an algorithm, and few steps not separated them.
        self.enough = bool(good) and len(nets) >= THRESHOLDS["absent"]

    def facts(self) -> dict[str, Any]:
        limits = {"bad": BAD, "least": LEAST_SHARE, "symmetric": SYMMETRIC, "tail": TAIL}
        return {**super().facts(), **limits, "resolution": RESOLUTION, "shown": SHOWN}

    def _counted(self, count: int, paper: float) -> Judged:
        """Whether so many groups were found as in the paper."""
        error = 0.0 if self.enough else np.inf
        return inside(Estimate(count, count - error, count + error, LEVEL), paper, paper)

    def _matched(
        self, found: Sequence[Any], paper: Sequence[Any], measured: str, numbers: Numbers
    ) -> Outcome:
        """The outcome of a claim on each of the paper's algorithms, in the order of losses."""
        agree = [i < len(found) and found[i] == one for i, one in enumerate(paper)]
        cases = [
            Case(f"algorithm {i}", sure(yes) if self.enough else Check(FAILS, 1.0))
            for i, yes in enumerate(agree, start=1)
        ]
        return over(cases, found=len(found))._replace(measured=measured, numbers=numbers)


class AlgorithmClusters(_Algorithms):
    """Clusters in the plane of two principal components, and which of them a swap exchanges."""

    name = "9"

    def __init__(self, source: Source, scale: Scale) -> None:
        super().__init__(source, scale)
        finite, low = np.isfinite(self.nets.loss), self.nets.loss < BAD
        self.clusters = plane_clusters(self.nets.parameters, low if low.sum() >= 2 else finite)
        self.all_clusters = plane_clusters(self.nets.parameters, finite).count
        self.scores = self.clusters.plane.scores
        # The corners of what is shown of the plane: all clusters, with a margin.
        inside = self.scores[self.study.label >= 0]
        margin = 0.1 * np.ptp(inside, axis=0)
        self.low, self.high = inside.min(axis=0) - margin, inside.max(axis=0) + margin

    def facts(self) -> dict[str, Any]:
        finite = self.scores[np.isfinite(self.scores).all(axis=1)]
        beyond = ((finite < self.low) | (finite > self.high)).any(axis=1).sum()
        return {**super().facts(), "lost": np.mean(self.study.label < 0), "beyond": beyond}

    def draw(self) -> Drawing:
        figure, ((left, right),) = grid(1, 2, 9.8, 4.2, width_ratios=(1.2, 1.0))
        loss, label = self.nets.loss, self.study.label
        edges, none = edges_of(loss, 10), f"none ({np.mean(label < 0):.1%})"
        left.plot(*self.scores[label < 0].T, ".", color="black", markersize=3, label=none)
        look: Any = {"markersize": 5, "alpha": 0.6, "markeredgewidth": 0.6}
        for i, one in enumerate(self.study.found):
            (color, mark), name = style_of(i, MARKERS), f"{i + 1}"
            if i >= len(self.good):
                color, mark = GREY, "x"
                name = "constant" if one.name == "constant" else f"{name}, bad"
            words = f"{name} ({one.share:.0%})"
            left.plot(*self.scores[one.members].T, mark, color=color, label=words, **look)
            shares(np.where(label == i, loss, np.nan), right, edges, color, name)
        look = {"textcoords": "offset points", "xytext": (9, 9)}
        look |= {"fontsize": 11, "fontweight": "bold"}
        for k, i in product(range(self.clusters.count), range(len(self.good))):
            # A cluster may hold several algorithms, and each is named where its nets are.
            here = (self.clusters.label == k) & (label == i)
            if np.mean(here) >= LEAST_SHARE:
                left.annotate(f"{i + 1}", np.median(self.scores[here], axis=0), **look)
        first, second = self.clusters.plane.explained[:2]
        left.set(
            xlim=(self.low[0], self.high[0]),
            ylim=(self.low[1], self.high[1]),
            xlabel=f"first principal component ({first:.0%} of the variance)",
            ylabel=f"second principal component ({second:.0%})",
            title="seven parameters of each net",
        )
        left.legend(title="algorithm (fraction)", loc="center left", bbox_to_anchor=(1.0, 0.5))
        right.set_title("loss of each algorithm")
        return figure

    def tables(self) -> list[Table]:
        rows = []
        for i, one in enumerate(self.study.found, start=1):
            parameters = (n for part in self.nets.parameters for n in part[one.medoid].ravel())
            fractions = one.share, one.share_low, one.share_high
            losses = one.loss_low, one.loss_median, one.loss_high
            about_it = one.asymmetry, one.name, self.nets.seeds[one.medoid]
            rows.append((i, len(one.members), *fractions, *losses, *about_it, *parameters))
        header = (
            "algorithm, nets, share, low, high, loss quartile 1, loss median, loss quartile 3, "
            "asymmetry, what its neurons do, seed, w1, w2, b1, b2, v1, v2, c"
        )
        label, cluster = self.study.label + 1, self.clusters.label + 1
        columns = (self.nets.seeds, self.nets.loss, label, cluster, *self.scores[:, :2].T)
        names = "seed, loss, algorithm, cluster in the plane, component 1, component 2"
        nets = Table.of("nets", names, zip(*columns, strict=True))
        return [Table.of("algorithms", header, rows), nets]

    def claim_clusters(self, claim: Claim) -> Outcome:
        count = self.clusters.count
        return about(
            self._counted(count, claim["paper"]),
            f"{count} clusters among nets with losses below {BAD:g}; {self.all_clusters} among all",
            numbers={"clusters": count, "clusters of all nets": self.all_clusters},
        )

    def claim_algorithms(self, claim: Claim) -> Outcome:
        paper = claim["paper"]
        shares = (f"{one.share:.1%} (loss {one.loss_median:.2g})" for one in self.good)
        cases = [
            Case(name, self._counted(count, paper), f"{count}{more}", {name: count})
            for name, count, more in (
                ("modulo the swap", self.clusters.orbits, ""),
                ("by function", len(self.good), f", fractions {', '.join(shares)}"),
            )
        ]
        return over(cases)


class _Panels(_Algorithms):
    """A panel for each algorithm, four in a row."""

    across: str
    place: Any  # of the legend
    top: float  # of the frame, over that of the curves: space for the legend

    def draw(self) -> Drawing:
        count = max(len(self.good), 1)
        figure, axes = panels(count, min(count, 4), 3.0, 3.2)
        for i, (one, ax) in enumerate(zip(self.good, axes, strict=False)):
            self._panel(one, ax)
            ax.set_title(f"algorithm {i + 1}: loss {one.loss_median:.1e}")
            ax.set(xlabel=self.across, ylabel="activation" if i % 4 == 0 else "")
            ax.set_ylim(top=self.top * ax.get_ylim()[1])
            ax.legend(loc=self.place, fontsize=8)
        return figure

    @abstractmethod
    def _panel(self, one: Algorithm, ax: Axes) -> None:
        """What is drawn of one algorithm."""

    def _neuron(self, net: int, k: int) -> tuple[float, float]:
        """w and b of a neuron of a net, in the order of its algorithm's central net."""
        return self.study.aligned.w[net, k, 0], self.study.aligned.b[net, k]


class AlgorithmResponses(_Panels):
    """Activations of both neurons against the input, one panel an algorithm."""

    name = "10"
    across, place, top = "input x", "upper center", 1.3

    def _response(self, net: int, k: int, x: Array) -> Array:
        w, b = self._neuron(net, k)
        return np.asarray(self.nets.activation.value(w * x + b), np.float64)

    def _panel(self, one: Algorithm, ax: Axes) -> None:
        x, step = np.linspace(-2, 2, 201), -(-len(one.members) // SHOWN)
        for k, color in enumerate((BLUE, ORANGE)):
            for net in one.members[::step]:
                ax.plot(x, self._response(net, k, x), color=color, alpha=0.12, linewidth=0.7)
            w, b = self._neuron(one.medoid, k)
            label = f"σ({w:+.2g} x {b:+.2g})"
            ax.plot(x, self._response(one.medoid, k, x), color=color, linewidth=2.0, label=label)

    def tables(self) -> list[Table]:
        x = np.linspace(-2, 2, 41)
        columns = {
            f"algorithm {i + 1} neuron {k + 1}": self._response(one.medoid, k, x)
            for i, one in enumerate(self.good)
            for k in range(2)
        }
        return [Table("activations", {"x": x, **columns})]

    def claim_symmetry(self, claim: Claim) -> Outcome:
        found, numbers, each = [one.symmetric for one in self.good], {}, []
        for i, one in enumerate(self.good, start=1):
            numbers[f"asymmetry {i}"] = one.asymmetry
            kind = "symmetric" if one.symmetric else "asymmetric"
            each.append(f"{i} {kind} ({one.asymmetry:.2g})")
        measured = f"by rising loss: {', '.join(each)}"
        return self._matched(found, PAPER_SYMMETRY, measured, numbers)


class AlgorithmParts(_Panels):
    """Activations of both neurons against their pre-activations."""

    name = "11"
    across, place, top = "pre-activation z", "upper left", 1.45

    def _panel(self, one: Algorithm, ax: Axes) -> None:
        value, ends = self.nets.activation.value, self.nets.data.x[[0, -1], 0]
        low, high = min(n.low for n in one.neurons), max(n.high for n in one.neurons)
        whole = np.linspace(min(low, -4.0) - 0.5, max(high, 1.0) + 0.5, 300)
        ax.plot(whole, value(whole), color=GREY, linewidth=1.0, label="σ(z)")
        look: Any = {"solid_capstyle": "round"}
        for k, (color, width) in enumerate(((BLUE, 5.0), (ORANGE, 2.2))):
            w, b = self._neuron(one.medoid, k)
            start, stop = np.sort(w * ends + b)
            nearest = min(one.neurons, key=lambda n: abs(n.low - start) + abs(n.high - stop))
            z, label = np.linspace(start, stop, 200), f"{nearest.part}: {start:.2g} to {stop:.2g}"
            ax.plot(z, value(z), color=color, linewidth=width, label=label, **look)

    def tables(self) -> list[Table]:
        rows = [
            (i, k, each.part, each.low, each.high, each.bend_low, each.bend_high, each.size)
            for i, one in enumerate(self.good, start=1)
            for k, each in enumerate(one.neurons, start=1)
        ]
        header = "algorithm, neuron, part, low, high, bend low, bend high, size"
        return [Table.of("parts", header, rows)]

    def claim_parts(self, claim: Claim) -> Outcome:
        found = tuple(tuple(sorted(each.part for each in one.neurons)) for one in self.good)
        agree = sum(a == b for a, b in zip(found, PAPER_PARTS, strict=False))
        each = (
            f"{i}: " + " and ".join(f"{n.part} [{n.low:.2g}, {n.high:.2g}]" for n in one.neurons)
            for i, one in enumerate(self.good, start=1)
        )
        return self._matched(found, PAPER_PARTS, "; ".join(each), {"matching": agree})
