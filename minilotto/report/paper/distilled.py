"""Figure 13: narrow nets made of two neurons of wide ones, and where their quality comes from."""

from typing import Any

import numpy as np

from minilotto.analysis.landscape.polish import polish
from minilotto.analysis.stats.bootstrap import Estimate, median_interval
from minilotto.analysis.stats.differences import ratio
from minilotto.analysis.stats.estimates import of_quantiles, share
from minilotto.analysis.tickets.distilling import SOME, WAYS, curves, equation_11, ways
from minilotto.ensemble.plots import edges_of
from minilotto.initialisation import Parameters
from minilotto.report.claims import Case, Claim, Outcome, about, over, untested
from minilotto.report.figure import Figure, Scale, Source, Table, finite, need, training_words
from minilotto.report.plots.curves import finish, several, width_axis
from minilotto.report.plots.distributions import shares
from minilotto.report.plots.style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    Axes,
    Drawing,
    beside,
    grid,
)
from minilotto.report.rules import at_least, factor, inside
from minilotto.store.grid import Sweep

WIDE, NARROW = 50, 2
TRAINED = (1, 2, 3, 4, 10, 20)  # widths of trained nets to compare with
BEST = 40  # of the distilled nets, polished too
MANY = 1000  # nets, as many as the paper has
MACHINE = 1e-16  # losses below it are called extremely good by the paper
EXTREME = 1e-12  # a loss far below that of any trained net
RECORD = 1.6e-19  # the paper's
SHOWN_FLOOR = 1e-31


class Distillation(Figure):
    """Losses of distilled nets, against the neurons kept, and after second-order polishing."""

    name = "13"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return (
            Sweep(widths=(*TRAINED, WIDE), seeds=scale.seeds, steps=scale.steps),
            Sweep(widths=(WIDE,), subnormals=("keep",), seeds=scale.seeds, steps=scale.steps),
        )

    def __init__(self, source: Source, scale: Scale) -> None:
        plain, kept = (finite(source.by_width(sweep)) for sweep in self.sweeps(scale))
        need(plain, (NARROW, WIDE), "distillation")
        self.trained, self.wide, self.narrow = plain, plain[WIDE], plain[NARROW]
        self.ways = ways(self.wide, kept.get(WIDE))
        self.path = curves(self.wide, {n: nets for n, nets in plain.items() if n != WIDE})
        pairs, every = self.ways["pairs"].nets, np.arange(SOME)
        chosen = {
            "best": (self.wide, pairs.parameters, np.argsort(pairs.loss)[:BEST]),
            "distilled": (self.wide, pairs.parameters, every[: len(pairs)]),
            "trained": (self.narrow, self.narrow.parameters, every[: len(self.narrow)]),
        }
        self.polished = {
            name: polish(nets.activation, Parameters(*(part[at] for part in parameters)), nets.data)
            for name, (nets, parameters, at) in chosen.items()
        }

    def facts(self) -> dict[str, Any]:
        counts = {"kept": SOME, "cut": min(SOME, len(self.wide)), "best": BEST, "many": MANY}
        training = training_words(self.trained.values())
        return {**counts, "wide": WIDE, "extreme": EXTREME, "training": training}

    def draw(self) -> Drawing:
        figure, ((left, right), (below, corner)) = grid(2, 2, 10.0, 7.6)
        self._draw_losses(left)
        self._draw_tails(right)
        self._draw_path(below)
        self._draw_polish(corner)
        return figure

    def _draw_losses(self, ax: Axes) -> None:
        pairs, trained, output = self.ways["pairs"].loss, self.narrow.loss, self.ways["output"].loss
        edges = edges_of(np.concatenate([pairs, trained, output]), 2)
        shares(pairs, ax, edges, BLUE, WAYS["pairs"])
        shares(trained, ax, edges, ORANGE, "trained nets of width 2", outline=True)
        shares(output, ax, edges, GREEN, WAYS["output"], outline=True)
        ax.axvline(MACHINE, color=GREY, linewidth=1.0, linestyle=":")
        ax.set_ylim(top=1.35 * ax.get_ylim()[1])
        finish(ax, f"two neurons of a net of width {WIDE}", ax.get_ylabel(), loc="upper left")

    def _draw_tails(self, ax: Axes) -> None:
        colors = {"pairs": BLUE, "living": SKY, "untrained": PURPLE, "keep": AMBER}
        series = [(self.ways[way], color) for way, color in colors.items() if way in self.ways]
        lines = [(way.label, way.loss, color) for way, color in series]
        for label, loss, color in [*lines, ("trained nets of width 2", self.narrow.loss, ORANGE)]:
            rising = np.sort(loss[np.isfinite(loss)])
            below = np.arange(1, len(rising) + 1) / len(rising)
            line = "--" if label == WAYS["keep"] else "-"
            ax.step(rising, below, line, where="post", color=color, label=label)
        ax.axvline(RECORD, color=GREY, linewidth=1.0)
        beside(" the paper's record", (RECORD, 0.62), (0, 0), ax, ax.get_xaxis_transform())
        ax.set(xscale="log", yscale="log", xlabel="loss (mean squared error)")
        ax.set_ylim(top=12)
        finish(ax, "where the best come from", "fraction of nets below", loc="upper left")

    def _draw_path(self, ax: Axes) -> None:
        labels = {"distilled": f"distilled from width {WIDE}", "trained": "trained at that width"}
        labels["refitted"] = "trained, last layer refitted"
        found = {
            label: {k: Estimate(median, low, high, 0.9) for k, low, median, high in self.path[name]}
            for name, label in labels.items()
        }
        several(found, ax)
        look: Any = {"color": GREY, "linewidth": 1.0, "linestyle": "--"}
        ax.axhline(float(np.median(self.wide.loss)), label=f"nets of width {WIDE}", **look)
        width_axis(ax, "neurons", sorted({k for one in found.values() for k in one}))
        title = "how many neurons are needed"
        finish(ax, title, "loss, median and 90% of nets", loc="lower left")

    def _draw_polish(self, ax: Axes) -> None:
        for name, color, mark, label in (
            ("distilled", BLUE, "o", WAYS["pairs"]),
            ("best", GREEN, "D", f"the {len(self.polished['best'].loss)} best of these"),
            ("trained", ORANGE, "s", "trained nets of width 2"),
        ):
            one = self.polished[name]
            look: Any = {"color": color, "markersize": 4, "alpha": 0.6, "label": label}
            ax.plot(one.start, np.maximum(one.loss, SHOWN_FLOOR), mark, **look)
        starts = np.concatenate([one.start for one in self.polished.values()])
        ends = np.array([starts.min(), starts.max()])
        ax.plot(ends, ends, color=GREY, linewidth=1.0, linestyle=":", label="no change")
        ax.axhline(MACHINE, color=GREY, linewidth=1.0)
        ax.set(xscale="log", yscale="log", xlabel="loss before polishing")
        finish(ax, "Levenberg-Marquardt in float64", "loss after", loc="upper left")

    def tables(self) -> list[Table]:
        losses, after = [], []
        for way in self.ways.values():
            one = way.nets
            w, b, v, c = one.parameters
            parts = (
                way.seeds, one.loss, one.rounding, one.cancellation, one.rank, way.living,
                *w[:, :, 0].T, *b.T, *v.T, c,
            )  # fmt: skip
            losses += [(way.label, *row) for row in zip(*parts, strict=True)]
        path = [(name, *row) for name, rows in self.path.items() for row in rows]
        for name, end in self.polished.items():
            digits = end.digits(), end.digits(1e-30)
            parts = (end.start, end.loss, end.rounding, end.evaluations, *digits)
            after += [(name, *row) for row in zip(*parts, strict=True)]
        header = "way, seed, loss, rounding, cancellation, rank, living neurons, "
        header += "w1, w2, b1, b2, v1, v2, c"
        head = "nets, start, loss, rounding, evaluations, digits, digits for 1e-30"
        return [
            Table.of("distilled", header, losses),
            Table.of("neurons", "nets, neurons, low, median, high", path),
            Table.of("polished", head, after),
        ]

    def claim_typical(self, claim: Claim) -> Outcome:
        half, trained = claim["half"], median_interval(self.narrow.loss)
        ways = "pairs", "output", "untrained"
        found = {way: median_interval(self.ways[way].loss) for way in ways}
        over_trained = {way: ratio(one, trained) for way, one in found.items()}
        labels = {"pairs": "both output weights fitted", "output": "chosen by its own output"}
        cases = [
            Case(label, factor(over_trained[way], half, np.inf)) for way, label in labels.items()
        ]
        return over(cases, times=1 / over_trained["pairs"].value)._replace(
            measured=f"medians: trained {trained:.2g}, distilled {found['pairs']:.2g}; "
            f"where the pair is chosen by its own output {found['output']:.2g}; from nets "
            f"before training {found['untrained']:.2g}",
            numbers={f"{way} over trained": one.value for way, one in over_trained.items()},
        )

    def claim_best(self, claim: Claim) -> Outcome:
        pairs, seeds = self.ways["pairs"], len(self.wide)
        count, extreme = int(pairs.below(MACHINE).sum()), int(pairs.below(EXTREME).sum())
        return about(
            inside(at_least(count, seeds, MANY), 1, np.inf),
            f"{count} of {seeds} below {MACHINE:g}, {extreme} below {EXTREME:g}; best "
            f"{np.nanmin(pairs.loss):.2g}",
            numbers={"below 1e-16": count, "below 1e-12": extreme, "of": seeds},
            nets=seeds,
        )

    def claim_origin(self, claim: Claim) -> Outcome:
        pairs = self.ways["pairs"]
        best = pairs.below(EXTREME)
        if not best.any():
            return untested(f"No distilled net is below {EXTREME:g}.")
        nets = int(best.sum())
        both, dead = (
            share(int(np.count_nonzero(pairs.living[best] == alive)), nets) for alive in (2, 0)
        )
        living = self.ways["living"]
        return about(
            claim.mostly(both),
            f"{nets} nets, {dead.value:.0%} of two dead neurons and {both:.0%} "
            f"of two living ones; "
            f"from living neurons alone {living.below(EXTREME).sum()} nets are below {EXTREME:g}, "
            f"the best {np.nanmin(living.loss):.2g}; before training: median "
            f"{median_interval(self.ways['untrained'].loss):.2g}",
            numbers={"nets": nets, "two dead": dead.value, "two living": both.value},
        )

    def claim_record(self, claim: Claim) -> Outcome:
        times, words, best = claim["factor"], [], {}
        for way, name in (("pairs", "flushed"), ("keep", "kept")):
            if way in self.ways:
                one = self.ways[way]
                i = int(np.nanargmin(one.loss))
                best[way] = float(one.loss[i])
                words.append(
                    f"subnormals {name}: {best[way]:.2g} (rounding {one.nets.rounding[i]:.1g}), "
                    f"{one.below(MACHINE).sum()} below {MACHINE:g}"
                )
        near = any(RECORD / times <= value <= RECORD * times for value in best.values())
        return about(
            inside(at_least(int(near), len(self.wide), MANY), 1, np.inf),
            "; ".join(words),
            numbers={f"record, {way}": value for way, value in best.items()},
            nets=len(self.wide),
        )

    def claim_equation_11(self, claim: Claim) -> Outcome:
        times, found = claim["similar"], equation_11()
        words = "; ".join(f"{name} {value:.3g}" for name, value in found.items())
        return about(
            RECORD / times <= next(iter(found.values())) <= RECORD * times,
            f"loss with w and b as printed, and v and c from least squares or as printed: {words}",
            numbers=found,
        )

    def claim_tuning(self, claim: Claim) -> Outcome:
        best = self.polished["best"]
        further = {
            name: float(np.mean(one.loss < one.start / 10)) for name, one in self.polished.items()
        }
        words = {"distilled": "distilled nets", "trained": "trained nets of width 2"}
        medians = "; ".join(
            f"{len(one.loss)} {words.get(name, name)}: {further[name]:.0%} gain a factor of 10, "
            f"median {np.median(one.start):.1e} before, {np.median(one.loss):.1e} after"
            for name, one in self.polished.items()
        )
        gaining = share(int(np.count_nonzero(best.loss < best.start / 10)), len(best.loss))
        return about(
            inside(gaining, -np.inf, claim["half"]),
            f"{medians}. Of the best {np.mean(best.cancelled):.0%} end where float64 rounding "
            f"hides any descent; to go on takes {np.nanmedian(best.digits()):.0f} digits of "
            f"arithmetic, a loss of 1e-30 {np.nanmedian(best.digits(1e-30)):.0f}",
            numbers={f"further, {name}": value for name, value in further.items()},
        )

    def claim_compression(self, claim: Claim) -> Outcome:
        distilled, trained = (
            {k: of_quantiles(found, 0.9, self._nets(k, name)) for k, *found in self.path[name]}
            for name in ("distilled", "trained")
        )
        wide = float(np.median(self.wide.loss))
        enough = [k for k, loss in distilled.items() if loss.value <= wide]
        cases = []
        for k in (k for k in distilled if k in trained and k >= NARROW):
            gain, name = ratio(distilled[k], trained[k]), f"{k} neurons"
            words = f"{distilled[k].value:.1e} against {trained[k].value:.1e}"
            numbers = {f"distilled over trained at {k}": gain.value}
            cases.append(Case(name, factor(gain, 0.0, 1.0), words, numbers))
        least = ""
        if enough:
            least = (
                f". {enough[0]} neurons are enough for the loss of all {WIDE}. The gain is least "
                "squares', in float64 and with large weights: a small loss on the data, no robust "
                "net"
            )
        before = f"median loss distilled against trained, that of width {WIDE} {wide:.1e}: "
        return over(cases, before, more=least)

    def _nets(self, k: int, kind: str) -> int:
        """How many nets a point of the path stands for."""
        return min(SOME, len(self.wide)) if kind == "distilled" else len(self.trained[k])
