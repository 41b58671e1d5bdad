"""Figure 13: narrow nets made of two neurons of wide ones, how good they are, and where their
quality comes from.
"""

from typing import TYPE_CHECKING

import numpy as np

from minilotto.analysis.tickets.disentangling import Interval, median_interval
from minilotto.ensemble.ensemble import Ensemble
from minilotto.report.claims import Verdict
from minilotto.report.figure import Figure, Scale, Source, Table, need, training_words
from minilotto.report.paper.distilling import SOME, WAYS, curves, equation_11, polished, ways
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Axes, Drawing

WIDE, NARROW = 50, 2
TRAINED = (1, 2, 3, 4, 10, 20)  # widths of trained nets to compare with
BEST = 40  # of the distilled nets, polished too
MACHINE, EXTREME = (
    1e-16,
    1e-12,
)  # losses below which the paper calls a net extremely good, and far below any trained one
RECORD = 1.6e-19  # the paper's
SHOWN_FLOOR = 1e-31


class Distillation(Figure):
    """Losses of distilled nets, their tail, loss against the neurons kept, and what second-order
    polishing makes of them.
    """

    name = "13"
    title = "narrow nets distilled from wide ones"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return (
            Sweep(widths=(*TRAINED, WIDE), seeds=scale.seeds, steps=scale.steps),
            Sweep(widths=(WIDE,), subnormals=("keep",), seeds=scale.seeds, steps=scale.steps),
        )

    def __init__(self, source: Source, scale: Scale) -> None:
        plain, kept = self.sweeps(scale)
        self.trained = {width: _finite(nets) for width, nets in source.by_width(plain).items()}
        self.trained = {width: nets for width, nets in self.trained.items() if len(nets)}
        need(self.trained, (NARROW, WIDE), "distillation")
        self.wide, self.narrow = self.trained[WIDE], self.trained[NARROW]
        others = [_finite(nets) for nets in source.by_width(kept).values()]
        self.ways = ways(self.wide, others[0] if others and len(others[0]) else None)
        self.path = curves(
            self.wide, {width: nets for width, nets in self.trained.items() if width != WIDE}
        )
        refitted = self.ways["pairs"].nets
        every = np.arange(SOME)
        self.polished = {
            "best": polished(self.wide, refitted.parameters, np.argsort(refitted.loss)[:BEST]),
            "distilled": polished(self.wide, refitted.parameters, every[: len(refitted)]),
            "trained": polished(self.narrow, self.narrow.parameters, every[: len(self.narrow)]),
        }

    def draw(self) -> "Drawing":
        from minilotto.report.plots.style import grid

        figure, ((left, right), (below, corner)) = grid(2, 2, 10.0, 7.6)
        self._draw_losses(left)
        self._draw_tails(right)
        self._draw_path(below)
        self._draw_polish(corner)
        return figure

    def _draw_losses(self, ax: "Axes") -> None:
        from minilotto.report.plots.distributions import log_edges, shares
        from minilotto.report.plots.style import BLUE, GREEN, GREY, ORANGE

        parts = [self.narrow.loss, self.ways["pairs"].loss, self.ways["output"].loss]
        whole = np.concatenate([part[np.isfinite(part) & (part > 0)] for part in parts])
        edges = log_edges(whole.min(), whole.max(), 2)
        shares(parts[1], ax, edges, BLUE, WAYS["pairs"])
        shares(parts[0], ax, edges, ORANGE, "trained nets of width 2", outline=True)
        shares(parts[2], ax, edges, GREEN, WAYS["output"], outline=True)
        ax.axvline(MACHINE, color=GREY, linewidth=1.0, linestyle=":")
        ax.set_ylim(top=1.35 * ax.get_ylim()[1])
        ax.legend(loc="upper left", fontsize=8)
        ax.set_title("two neurons of a net of width 50")

    def _draw_tails(self, ax: "Axes") -> None:
        from minilotto.report.plots.style import AMBER, BLUE, GREY, ORANGE, PURPLE, SKY

        series = {WAYS[way]: one.loss for way, one in self.ways.items() if way != "output"}
        series["trained nets of width 2"] = self.narrow.loss
        colors = (
            (BLUE, SKY, PURPLE, AMBER, ORANGE)
            if "keep" in self.ways
            else (BLUE, SKY, PURPLE, ORANGE)
        )
        for (label, loss), color in zip(series.items(), colors, strict=True):
            rising = np.sort(loss[np.isfinite(loss)])
            line = "--" if label == WAYS["keep"] else "-"
            ax.step(
                rising,
                np.arange(1, len(rising) + 1) / len(rising),
                line,
                where="post",
                color=color,
                label=label,
            )
        ax.axvline(RECORD, color=GREY, linewidth=1.0)
        ax.annotate(
            " the paper's record",
            (RECORD, 0.62),
            xycoords=ax.get_xaxis_transform(),
            fontsize=8,
            color=GREY,
        )
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_ylim(top=12)
        ax.set_xlabel("loss (mean squared error)")
        ax.set_ylabel("share of nets below")
        ax.legend(loc="upper left", fontsize=8)
        ax.set_title("where the best come from")

    def _draw_path(self, ax: "Axes") -> None:
        from minilotto.report.plots.style import BLUE, GREY, ORANGE, PURPLE

        for (name, label), color, mark in zip(
            {
                "distilled": f"distilled from width {WIDE}",
                "trained": "trained at that width",
                "refitted": "trained, last layer refitted",
            }.items(),
            (BLUE, ORANGE, PURPLE),
            "osD",
            strict=True,
        ):
            one = self.path[name]
            bars = [one.median - one.low, one.high - one.median]
            ax.errorbar(
                one.widths,
                one.median,
                yerr=bars,
                color=color,
                marker=mark,
                markersize=5,
                capsize=2,
                label=label,
            )
        ax.axhline(
            float(np.median(self.wide.loss)),
            color=GREY,
            linewidth=1.0,
            linestyle="--",
            label=f"nets of width {WIDE}",
        )
        ax.set_xscale("log")
        ax.set_yscale("log")
        ticks = sorted({width for one in self.path.values() for width in one.widths})
        ax.set_xticks(ticks, [str(k) for k in ticks])
        ax.minorticks_off()
        ax.set_xlabel("neurons")
        ax.set_ylabel("loss, median and 90% of nets")
        ax.legend(loc="lower left", fontsize=8)
        ax.set_title("how many neurons are needed")

    def _draw_polish(self, ax: "Axes") -> None:
        from minilotto.report.plots.style import BLUE, GREEN, GREY, ORANGE

        for name, color, mark, label in (
            ("distilled", BLUE, "o", WAYS["pairs"]),
            ("best", GREEN, "D", f"the {len(self.polished['best'].loss)} best of these"),
            ("trained", ORANGE, "s", "trained nets of width 2"),
        ):
            one = self.polished[name]
            ax.plot(
                one.start,
                np.maximum(one.loss, SHOWN_FLOOR),
                mark,
                color=color,
                markersize=4,
                alpha=0.6,
                label=label,
            )
        starts = np.concatenate([one.start for one in self.polished.values()])
        ends = np.array([starts.min(), starts.max()])
        ax.plot(ends, ends, color=GREY, linewidth=1.0, linestyle=":", label="no change")
        ax.axhline(MACHINE, color=GREY, linewidth=1.0)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel("loss before polishing")
        ax.set_ylabel("loss after")
        ax.legend(loc="upper left", fontsize=8)
        ax.set_title("Levenberg-Marquardt in float64")

    def caption(self) -> str:
        return (
            f"Top left: of each net of width {WIDE} the pair of neurons of the highest R², with "
            "both output weights fitted "
            "(blue) or with those that they have in the net (green), as a net of width 2 with "
            "its last layer refitted by "
            "column-scaled least squares in float64; trained nets of width 2 (orange); dotted: "
            "1e-16. Top right: share of nets "
            "below each loss, also for neurons that do something in their net, for the same nets "
            "before training, and for "
            f"trainings that keep float32's subnormal numbers. Bottom left: {SOME} nets cut down "
            "to their best neurons and "
            f"refitted, beside nets trained at that width. Bottom right: {SOME} nets of each "
            f"kind, and the {BEST} best, before "
            "and after second-order polishing; the lowest are known to rounding only. "
            f"{training_words(self.trained.values())}."
        )

    def tables(self) -> list[Table]:
        losses: dict[str, list] = {
            name: []
            for name in (
                "way",
                "seed",
                "loss",
                "rounding",
                "cancellation",
                "rank",
                "living neurons",
                "w1",
                "w2",
                "b1",
                "b2",
                "v1",
                "v2",
                "c",
            )
        }
        for way in self.ways.values():
            one = way.nets
            w, b, v, c = one.parameters
            parts = (
                way.seeds, one.loss, one.rounding, one.cancellation, one.rank, way.living, *w[:, :, 0].T, *b.T, *v.T, c
            )  # fmt: skip
            losses["way"] += [way.label] * len(one)
            for name, values in zip(list(losses)[1:], parts, strict=True):
                losses[name] += values.tolist()
        path: dict[str, list] = {name: [] for name in ("nets", "neurons", "low", "median", "high")}
        for name, curve in self.path.items():
            path["nets"] += [name] * len(curve.widths)
            path["neurons"] += list(curve.widths)
            for key in ("low", "median", "high"):
                path[key] += getattr(curve, key).tolist()
        after: dict[str, list] = {
            name: []
            for name in (
                "nets",
                "start",
                "loss",
                "rounding",
                "evaluations",
                "digits",
                "digits for 1e-30",
            )
        }
        for name, end in self.polished.items():
            after["nets"] += [name] * len(end.loss)
            values = (
                end.start,
                end.loss,
                end.rounding,
                end.evaluations,
                end.digits(),
                end.digits(1e-30),
            )
            for key, part in zip(list(after)[1:], values, strict=True):
                after[key] += part.tolist()
        return [Table("distilled", losses), Table("neurons", path), Table("polished", after)]

    def verdicts(self) -> list[Verdict]:
        return [
            self._typical(),
            self._best(),
            self._origin(),
            self._record(),
            self._equation_11(),
            self._fine_tuning(),
            self._compression(),
        ]

    def _typical(self) -> Verdict:
        trained = median_interval(self.narrow.loss)
        found = {
            way: median_interval(self.ways[way].loss) for way in ("pairs", "output", "untrained")
        }
        ratio = {way: one.value / trained.value for way, one in found.items()}
        verdict = HOLDS if ratio["pairs"] >= 0.5 else IN_PART if ratio["output"] >= 0.5 else FAILS
        return Verdict(
            "Typical distilled nets are no better than trained ones",
            "On average, distilled nets of width 2 do as well as trained ones or worse.",
            f"medians: trained {_told(trained)}, distilled {_told(found['pairs'])}; where the "
            "pair is chosen by its own output "
            f"{_told(found['output'])}; from nets before training {_told(found['untrained'])}",
            "Median loss; holds where the distilled nets' is at least half of the trained nets', "
            "in part where that is so only "
            "if the pair is chosen by R² of its own output v₁σ₁ + v₂σ₂.",
            verdict,
            "With both output weights fitted, as the high R² of figure 12 needs, the typical "
            "distilled net is "
            f"{1 / ratio['pairs']:,.0f} times better: least squares in float64 finds output "
            "weights that training does not reach."
            if ratio["pairs"] < 0.5
            else "",
            {f"{way} over trained": value for way, value in ratio.items()},
        )

    def _best(self) -> Verdict:
        count, seeds = int(self.ways["pairs"].below(MACHINE).sum()), len(self.wide)
        extreme = int(self.ways["pairs"].below(EXTREME).sum())
        return Verdict(
            "The best distilled nets are below 1e-16",
            "Some distilled nets reach losses smaller than machine precision, below 1e-16.",
            f"{count} of {seeds} below {MACHINE:g}, {extreme} below {EXTREME:g}; best "
            f"{np.nanmin(self.ways['pairs'].loss):.2g}",
            "Loss of the refitted pair plus what rounding may have hidden, (eps times the sum of "
            "absolute terms)². Holds where "
            "one net is below.",
            HOLDS if count else FAILS if seeds >= 1000 else UNTESTED,
            "Two almost linear neurons with output weights of 1e10 and more, whose curvatures "
            "make x²."
            if count
            else f"None among {seeds} nets.",
            {"below 1e-16": count, "below 1e-12": extreme, "of": seeds},
        )

    def _origin(self) -> Verdict:
        claim = "The best are lottery tickets of lottery tickets"
        says = "Extremely good distilled nets are tickets of the wide net, found by its training."
        how = (
            f"Nets below {EXTREME:g}: how many of their two neurons are alive in the wide net, "
            "which is to add at least 1e-6 of "
            "the target's variation. Holds where both are alive in most, fails where none is in "
            "most."
        )
        one = self.ways["pairs"]
        best = one.below(EXTREME)
        if not best.any():
            return Verdict(
                claim, says, "", how, UNTESTED, f"No distilled net is below {EXTREME:g}."
            )
        both, dead = float(np.mean(one.living[best] == 2)), float(np.mean(one.living[best] == 0))
        living = int(self.ways["living"].below(EXTREME).sum())
        before = median_interval(self.ways["untrained"].loss)
        return Verdict(
            claim,
            says,
            f"{best.sum()} nets, {dead:.0%} of two dead neurons and {both:.0%} of two living "
            "ones; from living neurons alone "
            f"{living} nets are below {EXTREME:g}, the best "
            f"{np.nanmin(self.ways['living'].loss):.2g}; before training: median "
            f"{_told(before)}",
            how,
            HOLDS if both > 0.5 else FAILS if dead > 0.5 else IN_PART,
            "They are made of neurons that training has let die, with w and b near zero: the "
            "smaller the weights, the better two "
            "neurons and least squares make a parabola. The wide net does not use them. "
            "Eq. 11's weights, of 6e-8 and 1e-5, are of this kind." if dead > 0.5 else "",
            {"nets": int(best.sum()), "two dead": dead, "two living": both},
        )  # fmt: skip

    def _record(self) -> Verdict:
        told, best = [], {}
        for way in ("pairs", "keep"):
            if way in self.ways:
                one = self.ways[way]
                i = int(np.nanargmin(one.loss))
                best[way] = float(one.loss[i])
                name = "flushed" if way == "pairs" else "kept"
                count = int(one.below(MACHINE).sum())
                told.append(
                    f"subnormals {name}: {best[way]:.2g} (rounding {one.nets.rounding[i]:.1g}), "
                    f"{count} below {MACHINE:g}"
                )
        near = [value for value in best.values() if RECORD / 10 <= value <= RECORD * 10]
        return Verdict(
            "The record is 1.6e-19",
            "The best of 1000 distilled nets has a loss of 1.6e-19.",
            "; ".join(told),
            "Lowest loss of as many nets, trained with float32 numbers below 1e-38 flushed to "
            "zero and with them kept. Holds "
            "within a factor of 10.",
            HOLDS if near else FAILS if len(self.wide) >= 1000 else UNTESTED,
            "A record says little: it is about as large as its rounding, and other seeds or "
            "another treatment of subnormals, which "
            "decide how small dead weights get, change which net holds it."
            if near
            else f"{len(self.wide)} nets.",
            {f"record, {way}": value for way, value in best.items()},
        )

    def _equation_11(self) -> Verdict:
        found = equation_11()
        told = "; ".join(f"{name} {value:.2g}" for name, value in found.items())
        scaled = found["centred and scaled"]
        return Verdict(
            "Eq. 11: the best net's printed numbers",
            "w = (-5.9e-8, 1.2e-5), b = (-2.8e-7, 7.6e-5), v = (5.5e12, 2.6e10), c = -2.2e5 "
            "have a loss of 1.6e-19.",
            f"loss with w and b as printed, and v and c from least squares or as printed: {told}",
            "Least squares on 100 points: columns centred and scaled, scaled, as they are, and "
            "in float32; holds where the "
            "first is within a factor of 2.",
            HOLDS if RECORD / 2 <= scaled <= RECORD * 2 else FAILS,
            "The printed first layer does it, given careful arithmetic. The printed v and c "
            "cannot: terms of order 1e6 cancel, "
            "and two digits leave errors of 1e4.",
            {name: float(value) for name, value in found.items()},
        )

    def _fine_tuning(self) -> Verdict:
        best, typical, trained = (self.polished[name] for name in ("best", "distilled", "trained"))
        further = {
            name: float(np.mean(one.loss < one.start / 10)) for name, one in self.polished.items()
        }
        medians = "; ".join(
            f"{words}: {further[name]:.0%} gain a factor of 10, median {np.median(one.start):.1e} "
            "before, "
            f"{np.median(one.loss):.1e} after"
            for name, words, one in (
                ("best", f"the {len(best.loss)} best", best),
                ("distilled", f"{len(typical.loss)} distilled nets", typical),
                ("trained", f"{len(trained.loss)} trained nets of width 2", trained),
            )
        )
        return Verdict(
            "The best distilled nets cannot be fine-tuned",
            "It seems impossible to fine-tune them further, since their weights are extremely "
            "ill-conditioned.",
            f"{medians}. Of the best {np.mean(best.cancelled):.0%} end where float64 rounding "
            "hides any descent; to go on takes "
            f"{np.nanmedian(best.digits()):.0f} digits of arithmetic, a loss of 1e-30 "
            f"{np.nanmedian(best.digits(1e-30)):.0f}",
            "Levenberg-Marquardt in float64, output weights eliminated. Holds where fewer than a "
            "tenth of the best gain a "
            "factor of 10, fails where more than half do.",
            FAILS if further["best"] > 0.5 else HOLDS if further["best"] < 0.1 else IN_PART,
            "What stops the best is arithmetic: there is no minimum to reach, and the loss falls "
            "for ever as w goes to 0 and v to "
            "infinity, until 16 digits end. Trained nets of width 2 fall as far by the same "
            "method, without any wide net.",
            {f"further, {name}": value for name, value in further.items()},
        )

    def _compression(self) -> Verdict:
        distilled, trained = self.path["distilled"], self.path["trained"]
        shared = [k for k in distilled.widths if k in trained.widths]
        at = {
            k: (
                distilled.median[distilled.widths.index(k)],
                trained.median[trained.widths.index(k)],
            )
            for k in shared
        }
        wide = float(np.median(self.wide.loss))
        enough = [
            k for k, loss in zip(distilled.widths, distilled.median, strict=True) if loss <= wide
        ]
        better = [k for k, (ours, theirs) in at.items() if k >= NARROW and ours < theirs]
        told = ", ".join(
            f"{k}: {ours:.1e} against {theirs:.1e}" for k, (ours, theirs) in at.items()
        )
        asked = [k for k in shared if k >= NARROW]
        return Verdict(
            "Redundancy can be used to compress a net",
            "The high correlation of tickets may mean that a net is redundant and could be "
            "pruned (an open question there).",
            f"neurons: median loss distilled against trained at that width: {told}; width {WIDE} "
            f"itself {wide:.1e}",
            f"Best neurons of {min(SOME, len(self.wide))} nets by orthogonal least squares and "
            "exchange, refitted. Holds where "
            "their median is below that of nets trained at each width from 2 on.",
            HOLDS if len(better) == len(asked) else IN_PART if better else FAILS,
            f"{enough[0]} neurons are enough for the loss of all {WIDE}. The gain is least "
            "squares', in float64 and with large "
            "weights: a small loss on the data, no robust net."
            if enough
            else "",
            {
                f"distilled over trained at {k}": float(ours / theirs)
                for k, (ours, theirs) in at.items()
            },
        )


def _finite(nets: Ensemble) -> Ensemble:
    return nets.select(np.isfinite(nets.loss))


def _told(one: Interval) -> str:
    return f"{one.value:.2g} ({one.low:.2g} to {one.high:.2g})"
