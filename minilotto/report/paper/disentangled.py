"""Figure 12: wide nets taken apart into mirror pairs, how good each pair is, and how many of them
are independent.
"""

from typing import TYPE_CHECKING

import numpy as np

from minilotto.analysis.tickets.disentangling import USELESS
from minilotto.analysis.tickets.error_shapes import by_angle, unit_errors
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Figure, Scale, Source, Table, training_words
from minilotto.report.paper.apart import (
    COUNTS,
    PREDICTORS,
    Apart,
    mean_estimate,
    median_estimate,
    taken_apart,
    whole_pairs,
)
from minilotto.report.rules import FAILS, HOLDS, IN_PART, LEVEL, UNTESTED
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Axes, Drawing

NARROW, WIDE = (10, 30, 50), 1000
WIDE_SEEDS = 48
PAPER_COUNTS = {10: 1, 30: 2, 50: 3}
MOST, SOME = 0.95, 0.8  # shares of pairs that are called "almost all", and "in part"
STRONG, WEAK = 0.9, 0.5  # correlations that are called high, and "in part"


class Disentanglement(Figure):
    """Clouds, R^2, correlations and errors of one typical net a width; ranks and shares over all
    seeds.
    """

    name = "12"
    title = "wide nets taken apart into pairs"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return (
            Sweep(widths=NARROW, seeds=scale.seeds, steps=scale.steps),
            Sweep(
                widths=(WIDE,),
                seeds=min(scale.wide_seeds, scale.seeds, WIDE_SEEDS),
                steps=scale.steps,
            ),
        )

    def __init__(self, source: Source, scale: Scale) -> None:
        found: dict[int, Ensemble] = {}
        for sweep in self.sweeps(scale):
            found |= source.by_width(sweep)
        kept = {width: nets.select(np.isfinite(nets.loss)) for width, nets in found.items()}
        self.widths = {width: taken_apart(nets) for width, nets in kept.items() if len(nets)}
        if not self.widths:
            raise DataError(
                f"no finite net of widths {', '.join(map(str, (*NARROW, WIDE)))} is there; train "
                "them first"
            )

    def draw(self) -> "Drawing":
        from minilotto.report.plots.neurons import correlations, errors, neuron_cloud, ranked
        from minilotto.report.plots.style import PALETTE, mosaic

        rows = [
            [f"{kind} {width}" for kind in ("cloud", "r2", "correlation", "errors")]
            for width in self.widths
        ]
        figure, axes = mosaic(
            [*rows, ["ranks", "ranks", "useless", "useless"]], 10.5, 2.5 * len(rows) + 3.0
        )
        for width, one in self.widths.items():
            i, apart = one.typical, one.working
            useful = apart.useful()[i]
            w, b = one.nets.w[i, :, 0].astype(np.float64), one.nets.b[i].astype(np.float64)
            ax = neuron_cloud(
                w, b, one.living[i], one.unpaired[i], apart.pairs[i], axes[f"cloud {width}"]
            )
            ax.set_title(f"N = {width}, seed {int(one.nets.seeds[i])}, loss {one.nets.loss[i]:.1e}")
            ranked(whole_pairs(one.apart["span"])[i], USELESS, axes[f"r2 {width}"])
            order = by_angle(apart, i)
            correlations(apart.correlation(i)[np.ix_(order, order)], axes[f"correlation {width}"])
            errors(one.nets.data.x[:, 0], unit_errors(apart, i)[useful], axes[f"errors {width}"])
        self._draw_counts(axes["ranks"])
        ax = axes["useless"]
        for color, label, values in (
            (
                PALETTE[1],
                f"pairs with R² below {USELESS:g}",
                {w: one.useless for w, one in self.widths.items()},
            ),
            (
                PALETTE[0],
                "pairs of two dead neurons",
                {w: one.both_dead for w, one in self.widths.items()},
            ),
        ):
            found = [median_estimate(each) for each in values.values()]
            bars = [[f.value - f.low for f in found], [f.high - f.value for f in found]]
            ax.errorbar(
                list(values),
                [f.value for f in found],
                yerr=bars,
                color=color,
                marker="o",
                capsize=2,
                label=label,
            )
        ax.set_xscale("log")
        ax.set_xticks(list(self.widths), [str(width) for width in self.widths])
        ax.minorticks_off()
        ax.set_ylim(-0.02, 0.72)
        ax.set_xlabel("width $N$")
        ax.set_ylabel("share of the pairs")
        ax.set_title("useless pairs, median over nets")
        ax.legend(loc="upper left", fontsize=8)
        return figure

    def _draw_counts(self, ax: "Axes") -> None:
        from minilotto.report.plots.style import GREY, PALETTE

        at = np.arange(len(self.widths))
        ways = [(predictor, count) for predictor in PREDICTORS for count in COUNTS]
        for k, (predictor, count) in enumerate(ways):
            found = [one.counts[predictor, count] for one in self.widths.values()]
            x = at + (k - (len(ways) - 1) / 2) * 0.09
            y = np.array([f.value for f in found])
            bars = [[f.value - f.low for f in found], [f.high - f.value for f in found]]
            color = PALETTE[k % len(COUNTS)]
            face = color if predictor == "span" else "white"
            label = COUNTS[count] if predictor == "span" else None
            ax.errorbar(
                x,
                y,
                yerr=bars,
                fmt="osD^"[k % 4],
                color=color,
                markerfacecolor=face,
                markersize=5,
                capsize=2,
                label=label,
            )
        for i, width in enumerate(self.widths):
            if width in PAPER_COUNTS:
                ax.hlines(
                    PAPER_COUNTS[width],
                    i - 0.42,
                    i + 0.42,
                    color=GREY,
                    linewidth=1.5,
                    label="the paper" if i == 0 else "",
                )
        ax.set_xticks(at, [str(width) for width in self.widths])
        ax.set_ylim(0, 10.5)
        ax.set_xlabel("width $N$")
        ax.set_ylabel("independent tickets")
        ax.set_title("filled: best output weights; open: the net's own")
        ax.legend(loc="upper left", fontsize=8)

    def caption(self) -> str:
        return (
            "Rows: the net of the median loss at each width. Columns: its neurons, lines between "
            "those paired as mirror images "
            "(w, b) and (-w, b) by a least-cost assignment (orange: no partner left on the other "
            "side; grey: dead neurons); R² "
            "of each pair's best linear predictor of x², from the best pair down; correlations "
            "of the error functions of the "
            "useful pairs (pairs of two dead neurons aside), ordered by angle; these error "
            "functions, scaled to equal size. "
            "Bottom left: how many of the useful pairs are independent, in four ways of counting "
            "and for two predictors, "
            "medians over nets that have one. Bottom right: pairs that explain less than "
            f"{USELESS:.0%} of the target. Intervals "
            f"{LEVEL:.0%}. {training_words(one.nets for one in self.widths.values())}."
        )

    def tables(self) -> list[Table]:
        counts: dict[str, list] = {
            name: []
            for name in ("width", "nets", "predictor", "count", "median", "low", "high", "paper")
        }
        shares: dict[str, list] = {
            name: []
            for name in ("width", "seed", "loss", "dead neurons", "unpaired neurons", "useless pairs", "pairs of dead neurons",
                         "median correlation", "cubic part of the errors", "quartic part of the errors")
        }  # fmt: skip
        pairs: dict[str, list] = {
            name: [] for name in ("width", "seed", "w1", "b1", "w2", "b2", "R2 span", "R2 output")
        }
        for width, one in self.widths.items():
            for (predictor, count), found in one.counts.items():
                row = (
                    width,
                    len(one.nets),
                    PREDICTORS[predictor],
                    COUNTS[count],
                    found.value,
                    found.low,
                    found.high,
                )
                for name, value in zip(
                    counts, (*row, PAPER_COUNTS.get(width, float("nan"))), strict=True
                ):
                    counts[name].append(value)
            columns = (
                one.nets.seeds, one.nets.loss, np.mean(~one.living, axis=1), one.unpaired.sum(axis=1), one.useless, one.both_dead,
                one.shapes.correlation, *one.shapes.degrees.T,
            )  # fmt: skip
            shares["width"] += [width] * len(one.nets)
            for name, values in zip(list(shares)[1:], columns, strict=True):
                shares[name] += values.tolist()
            i = one.typical
            for k, (first, second) in enumerate(one.apart["span"].pairs[i]):
                if min(first, second) < 0:
                    continue
                w, b = one.nets.w[i, :, 0], one.nets.b[i]
                r2 = (float(one.apart[predictor].r2[i, k]) for predictor in PREDICTORS)
                place = (float(a) for a in (w[first], b[first], w[second], b[second]))
                for name, number in zip(
                    pairs, (width, int(one.nets.seeds[i]), *place, *r2), strict=True
                ):
                    pairs[name].append(number)
        tables = [Table("independent", counts), Table("nets", shares)]
        return [*tables, Table("pairs", pairs)] if pairs["width"] else tables

    def verdicts(self) -> list[Verdict]:
        return [
            self._quality(),
            self._useless(),
            self._correlated(),
            self._two_shapes(),
            self._independent(),
        ]

    def _narrow(self) -> dict[int, Apart]:
        return {width: one for width, one in self.widths.items() if width in NARROW}

    def _quality(self) -> Verdict:
        claim, says = (
            "R² of the pairs is about 1 for N = 10, 30, 50",
            "Almost all tickets have very high quality there: R² ≈ 1.",
        )
        how = (
            f"Share of the mirror pairs with R² of at least {USELESS:g}, both output weights "
            "fitted; mean over nets. Holds from "
            f"{MOST:.0%} at each width, in part from {SOME:.0%}."
        )
        found = {
            width: one for width, one in self._narrow().items() if np.isfinite(one.useless).any()
        }
        if not found:
            return Verdict(claim, says, "", how, UNTESTED, "The nets are missing, or have no pair.")
        shares = {width: mean_estimate(1 - one.useless) for width, one in found.items()}
        own = {
            width: mean_estimate(1 - one.apart["output"].useless_share()).value
            for width, one in found.items()
        }
        worst = min(one.value for one in shares.values())
        reason = ""
        if max(own.values()) < 0.5 * worst:
            reason = (
                "So good only where both output weights are fitted anew; with the weights "
                "that a pair has in the net it mostly is "
            )
            reason += "not, for other pairs make up for what it leaves."
        told = "; ".join(
            f"N = {n}: {shares[n].value:.1%} ({shares[n].low:.1%} to {shares[n].high:.1%}), "
            "median R² "
            f"{float(np.nanmedian(whole_pairs(one.apart['span']))):.4f}; with the net's own "
            "weights "
            f"{own[n]:.1%}; {one.unpaired.sum(axis=1).mean():.1f} neurons without a partner"
            for n, one in found.items()
        )
        return Verdict(
            claim,
            says,
            told,
            how,
            HOLDS if worst >= MOST else IN_PART if worst >= SOME else FAILS,
            reason,
            {f"share at width {n}": shares[n].value for n in found},
        )

    def _useless(self) -> Verdict:
        claim, says = (
            f"Half of the pairs are useless at N = {WIDE}",
            "Only about half of the tickets have high quality there.",
        )
        how = (
            f"Median over nets of the share of pairs with R² below {USELESS:g}; holds from 0.4 "
            "to 0.6, in part from 0.25 to 0.75."
        )
        if WIDE not in self.widths or not np.isfinite(self.widths[WIDE].useless).any():
            return Verdict(claim, says, "", how, UNTESTED, "The nets are missing, or have no pair.")
        one = self.widths[WIDE]
        share, neurons = median_estimate(one.useless), float(np.mean(~one.living))
        near, roughly = (
            0.4 <= share.low <= share.high <= 0.6,
            0.25 <= share.low <= share.high <= 0.75,
        )
        dead = one.dead_useless > 0.9
        return Verdict(
            claim,
            says,
            f"{share} of the pairs; {neurons:.0%} of the neurons are dead, and "
            f"{one.dead_useless:.0%} of the useless pairs are "
            "two of them",
            how,
            HOLDS if near else IN_PART if roughly else FAILS,
            "They are neurons that training has let die: w and b have shrunk to zero, and with "
            "them what they add."
            if dead
            else "",
            {"share": share.value, "low": share.low, "high": share.high, "dead neurons": neurons},
        )

    def _correlated(self) -> Verdict:
        claim, says = (
            "Error functions of the pairs are highly correlated",
            "Tickets of one net are highly correlated (figure 12).",
        )
        how = (
            "Absolute correlation of the errors of two useful pairs of a net: median, over nets "
            "too. Holds from "
            f"{STRONG:g} at each width, in part from {WEAK:g}."
        )
        shapes = {
            width: one.shapes
            for width, one in self.widths.items()
            if np.isfinite(one.shapes.correlation).any()
        }
        found = {width: median_estimate(one.correlation) for width, one in shapes.items()}
        if not found:
            return Verdict(claim, says, "", how, UNTESTED, "No net has two useful pairs.")
        low = min(one.value for one in found.values())
        kinds = [
            (median_estimate(one.within).value, median_estimate(one.between).value)
            for one in shapes.values()
        ]
        within, between = (
            np.array(values)[np.isfinite(values)] for values in zip(*kinds, strict=True)
        )
        reason = ""
        if within.size and between.size:
            reason = (
                "There are two kinds: two pairs with mostly cubic errors, or two with mostly "
                "other ones, correlate by "
                f"{within.min():.2f} or more, one of either kind by {between.max():.2f} or less."
            )
        return Verdict(
            claim,
            says,
            "; ".join(f"N = {width}: {one}" for width, one in found.items()),
            how,
            HOLDS if low >= STRONG else IN_PART if low >= WEAK else FAILS,
            reason,
            {f"correlation at width {width}": one.value for width, one in found.items()},
        )

    def _two_shapes(self) -> Verdict:
        claim, says = (
            "Error functions vanish around x = 0 and ±1.6",
            "All |e(x)| tend to be small around x = 0 and ±1.6, large elsewhere.",
        )
        how = (
            "Errors of useful pairs projected on Legendre polynomials of the points of degree 3 "
            "(odd, zeros 0 and ±1.55) and 4 "
            "(even, zeros ±0.68 and ±1.72). Holds where the cubic alone has 90% at each width; "
            "in part where both together have."
        )
        shares = {
            width: [mean_estimate(part).value for part in one.shapes.degrees.T]
            for width, one in self.widths.items()
            if np.isfinite(one.shapes.degrees).any()
        }
        if not shares:
            return Verdict(claim, says, "", how, UNTESTED, "No net has a useful pair.")
        both = min(sum(part) for part in shares.values())
        mirror = [one.mirror for one in self.widths.values() if np.isfinite(one.mirror)]
        reason = "Other shapes take part."
        if both >= 0.9:
            reason = (
                "There are two shapes of error at all widths: a cubic, as the paper "
                "describes, and a quartic."
            )
            reason += (
                " The further a pair is from mirror symmetry, the more cubic (rank correlation "
                f"from {min(mirror):.2f})."
                if mirror
                else ""
            )
        return Verdict(
            claim,
            says,
            "mean parts of the squared errors: "
            + "; ".join(
                f"N = {n}: {part[0]:.0%} cubic, {part[1]:.0%} quartic" for n, part in shares.items()
            ),
            how,
            HOLDS
            if min(part[0] for part in shares.values()) >= 0.9
            else IN_PART
            if both >= 0.9
            else FAILS,
            reason,
            {
                f"{kind} at width {n}": part[k]
                for n, part in shares.items()
                for k, kind in enumerate(("cubic", "quartic"))
            },
        )

    def _independent(self) -> Verdict:
        claim, says = (
            "1, 2, 3 independent tickets at N = 10, 30, 50",
            "The number of independent tickets grows like this, by eye.",
        )
        how = (
            "Effective rank of the error functions of the useful pairs, counted in four ways and "
            "with two predictors; medians over "
            "nets, rounded. Holds where most of these ways give 1, 2, 3, in part where one does."
        )
        found = self._narrow()
        if set(found) != set(NARROW):
            return Verdict(claim, says, "", how, UNTESTED, "The nets are missing.")
        told, agree, ways = [], [], 0
        for predictor, words in PREDICTORS.items():
            for count, name in COUNTS.items():
                values = [found[width].counts[predictor, count] for width in NARROW]
                if not np.isfinite([one.value for one in values]).all():
                    continue
                ways += 1
                shown = [
                    str(one) if count == "participation" else f"{one.value:.2g}" for one in values
                ]
                told.append(f"{name}, {words}: {', '.join(shown)}")
                if all(
                    round(one.value) == PAPER_COUNTS[width]
                    for one, width in zip(values, NARROW, strict=True)
                ):
                    agree.append(f"{name} ({words})")
        if not ways:
            return Verdict(
                claim, says, "", how, UNTESTED, "At one of these widths no net has a useful pair."
            )
        reason = f"1, 2, 3 by {' and '.join(agree) or 'none'}."
        if all(1.5 <= found[width].counts["span", "participation"].value < 2.5 for width in NARROW):
            reason += (
                " With fitted output weights, as R² near 1 needs, there are about two at "
                "every width: a cubic and a quartic error."
            )
        numbers = {
            f"{p} {c} {n}": found[n].counts[p, c].value
            for p in PREDICTORS
            for c in COUNTS
            for n in NARROW
        }
        verdict = HOLDS if len(agree) > ways / 2 else IN_PART if agree else FAILS
        return Verdict(claim, says, "; ".join(told), how, verdict, reason, numbers)
