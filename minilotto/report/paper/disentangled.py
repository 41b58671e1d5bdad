"""Figure 12: wide nets taken apart into mirror pairs: how good, and how many are independent."""

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.analysis.tickets.apart import (
    COUNTS,
    PREDICTORS,
    Apart,
    mean_estimate,
    median_estimate,
    taken_apart,
    whole_pairs,
)
from minilotto.analysis.tickets.disentangling import USELESS, unit_errors
from minilotto.analysis.tickets.error_shapes import by_angle
from minilotto.errors import DataError
from minilotto.report.claims import Case, Claim, Outcome, about, as_numbers, over, untested
from minilotto.report.figure import (
    PAPER_COUNTS,
    Figure,
    Scale,
    Source,
    Table,
    commas,
    finite,
    training_words,
)
from minilotto.report.plots import curves
from minilotto.report.plots.style import (
    BLUE,
    GREY,
    ORANGE,
    PALETTE,
    Axes,
    Drawing,
    intervals,
    mosaic,
)
from minilotto.report.rules import Every, inside, near
from minilotto.settings.arrays import Array
from minilotto.store.grid import Sweep

NARROW, WIDE = (10, 30, 50), 1000
WIDE_SEEDS = 48
LINES = 100  # pairs from which on no lines are drawn between partners
CURVES = 80  # curves that are drawn at most
PAPER_COUNTING = "output", "numerical"  # the nearest to pictures of correlation matrices


class Disentanglement(Figure):
    """Pairs of one typical net a width; effective ranks and useless pairs over all seeds."""

    name = "12"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        few = min(scale.wide_seeds, scale.seeds, WIDE_SEEDS)
        return (
            Sweep(widths=NARROW, seeds=scale.seeds, steps=scale.steps),
            Sweep(widths=(WIDE,), seeds=few, steps=scale.steps),
        )

    def __init__(self, source: Source, scale: Scale) -> None:
        narrow, wide = (finite(source.by_width(sweep)) for sweep in self.sweeps(scale))
        self.widths = {width: taken_apart(nets) for width, nets in (narrow | wide).items()}
        if not self.widths:
            widths = ", ".join(map(str, (*NARROW, WIDE)))
            raise DataError(f"no finite net of widths {widths} is there; train them first")

    def facts(self) -> dict[str, Any]:
        training = training_words(one.nets for one in self.widths.values())
        return {"training": training, "useless": USELESS, "wide": WIDE}

    def draw(self) -> Drawing:
        columns = ("cloud", "r2", "correlation", "errors")
        rows = [[f"{column} {width}" for column in columns] for width in self.widths]
        pattern = [*rows, ["ranks", "ranks", "useless", "useless"]]
        figure, axes = mosaic(pattern, 10.5, 2.5 * len(rows) + 3.0)
        for (width, one), row in zip(self.widths.items(), rows, strict=True):
            cloud, r2, correlation, error = (axes[name] for name in row)
            i, apart = one.typical, one.working
            w, b = one.nets.w[i, :, 0].astype(np.float64), one.nets.b[i].astype(np.float64)
            neuron_cloud(w, b, one.living[i], one.unpaired[i], apart.pairs[i], cloud)
            loss = f"{one.nets.loss[i]:.1e}"
            cloud.set_title(f"N = {width}, seed {one.nets.seeds[i]}, loss {loss}")
            ranked(whole_pairs(one.apart["span"])[i], USELESS, r2)
            order = by_angle(apart, i)
            correlations(apart.correlation(i)[np.ix_(order, order)], correlation)
            useful = apart.errors[i, apart.useful()[i]]
            unit = unit_errors(useful, apart.weight) / np.sqrt(apart.weight)
            errors(one.nets.data.x[:, 0], unit, error)
        self._draw_counts(axes["ranks"])
        self._draw_useless(axes["useless"])
        return figure

    def _draw_counts(self, ax: Axes) -> None:
        at, ways = np.arange(len(self.widths)), list(product(PREDICTORS, COUNTS))
        for k, (predictor, count) in enumerate(ways):
            found = [one.counts[predictor, count] for one in self.widths.values()]
            color, fitted = PALETTE[k % len(COUNTS)], predictor == "span"
            look: Any = {"linestyle": "none", "markersize": 5}
            look |= {"markerfacecolor": color if fitted else "white"}
            label = COUNTS[count] if fitted else None
            place = at + (k - (len(ways) - 1) / 2) * 0.09
            intervals(place, found, ax, color, "osD^"[k % 4], label, **look)
        for i, width in enumerate(self.widths):
            if width in PAPER_COUNTS:
                look = {"color": GREY, "linewidth": 1.5, "label": "" if i else "the paper"}
                ax.hlines(PAPER_COUNTS[width], i - 0.42, i + 0.42, **look)
        ax.set_xticks(at, [str(width) for width in self.widths])
        ax.set(ylim=(0, 10.5), xlabel="width $N$")
        title = "filled: best output weights; open: the net's own"
        curves.finish(ax, title, "independent tickets", loc="upper left")

    def _draw_useless(self, ax: Axes) -> None:
        labels = {"both_dead": "pairs of two dead neurons"}
        labels["useless"] = f"pairs with R² below {USELESS:g}"
        found = {
            label: {n: median_estimate(getattr(one, name)) for n, one in self.widths.items()}
            for name, label in labels.items()
        }
        curves.several(found, ax, curves.series)
        ax.set(xscale="log", ylim=(-0.02, 0.72))
        curves.width_axis(ax, places=list(self.widths))
        title = "useless pairs, median over nets"
        curves.finish(ax, title, "fraction of the pairs", loc="upper left")

    def headline(self) -> str:
        narrow = self._narrow()
        ways = (PAPER_COUNTING, ("span", "participation"))
        papers, ours = ([narrow[n].counts[way].value for n in narrow] for way in ways)
        if set(narrow) != set(NARROW) or not np.isfinite([papers, ours]).all():
            return ""
        return (
            f"Nets of width {commas(NARROW)} have {commas(papers)} independent mirror pairs as the "
            f"paper counts them (eigenvalues above 1% of the largest), and "
            f"{', '.join(f'{one:.2g}' for one in ours)} by the participation ratio with the best "
            "output weights."
        )

    def tables(self) -> list[Table]:
        counts, nets, pairs = [], [], []
        for width, one in self.widths.items():
            for (predictor, count), e in one.counts.items():
                way = PREDICTORS[predictor], COUNTS[count]
                counts.append((width, len(one.nets), *way, e, PAPER_COUNTS.get(width)))
            columns = (
                one.nets.seeds, one.nets.loss, np.mean(~one.living, axis=1),
                one.unpaired.sum(axis=1), one.useless, one.both_dead, one.shapes.correlation,
                *one.shapes.degrees.T,
            )  # fmt: skip
            nets += [(width, *row) for row in zip(*columns, strict=True)]
            i, span = one.typical, one.apart["span"]
            w, b, whole = one.nets.w[i, :, 0], one.nets.b[i], ~span.incomplete[i]
            first, second = span.pairs[i][whole].T
            r2 = (each.r2[i][whole] for each in one.apart.values())
            rows = zip(w[first], b[first], w[second], b[second], *r2, strict=True)
            pairs += [(width, one.nets.seeds[i], *row) for row in rows]
        header = (
            "width, seed, loss, dead neurons, unpaired neurons, useless pairs, "
            "pairs of dead neurons, median correlation, cubic part of the errors, "
            "quartic part of the errors"
        )
        head = "width, nets, predictor, count, median, low, high, paper"
        tables = [Table.of("independent", head, counts), Table.of("nets", header, nets)]
        head = "width, seed, w1, b1, w2, b2, R2 span, R2 output"
        return [*tables, Table.of("pairs", head, pairs)] if pairs else tables

    def _narrow(self) -> dict[int, Apart]:
        return {width: one for width, one in self.widths.items() if width in NARROW}

    def claim_quality(self, claim: Claim) -> Outcome:
        most, cases, own, useful = claim["most"], [], [], []
        for n, one in self._narrow().items():
            if np.isfinite(one.useless).any():
                good = mean_estimate(1 - one.useless)
                own.append(mean_estimate(1 - one.apart["output"].useless_share()).value)
                useful.append(good.value)
                words = (
                    f"{good:.1%}, median R² "
                    f"{np.nanmedian(whole_pairs(one.apart['span'])):.4f}; with the net's own "
                    f"weights {own[-1]:.1%}; {one.unpaired.sum(axis=1).mean():.1f} neurons without "
                    "a partner"
                )
                numbers = {f"share at width {n}": good.value}
                cases.append(Case(f"N = {n}", inside(good, most, np.inf), words, numbers))
        more = (
            "; only where both output weights are fitted again: with the weights that a pair has "
            "in the net it mostly is not so good, for other pairs make up for what it leaves"
        )
        return over(cases, more=more if cases and max(own) < 0.5 * min(useful) else "")

    def claim_useless(self, claim: Claim) -> Outcome:
        one = self.widths.get(WIDE)
        if one is None or not np.isfinite(one.useless).any():
            return untested("The nets are missing, or have no pair.")
        found, dead = median_estimate(one.useless), float(np.mean(~one.living))
        reason = "They are neurons that died in training: w and b have shrunk to zero, and with "
        reason += "them what they add."
        return about(
            near(found, 0.5, claim["close"]),
            f"{found} of the pairs; {dead:.0%} of the neurons are dead, and {one.dead_useless:.0%} "
            "of the useless pairs are two of them",
            reason if one.dead_useless > 0.9 else "",
            {**as_numbers("share", found), "dead neurons": dead},
        )

    def claim_correlated(self, claim: Claim) -> Outcome:
        shapes = {n: one.shapes for n, one in self.widths.items()}
        shapes = {n: one for n, one in shapes.items() if np.isfinite(one.correlation).any()}
        within = [median_estimate(one.within).value for one in shapes.values()]
        between = [median_estimate(one.between).value for one in shapes.values()]
        more = ""
        if np.isfinite(within).any() and np.isfinite(between).any():
            more = (
                ". There are two kinds: two pairs with mostly cubic errors, or two with mostly "
                f"other ones, correlate by {np.nanmin(within):.2f} or more, one of either kind by "
                f"{np.nanmax(between):.2f} or less"
            )
        cases = []
        for n, one in shapes.items():
            found, at = median_estimate(one.correlation), f"N = {n}"
            numbers = {f"correlation at width {n}": found.value}
            cases.append(Case(at, inside(found, claim["most"], np.inf), found, numbers))
        return over(cases, more=more)

    def claim_shapes(self, claim: Claim) -> Outcome:
        cases = []
        for n, one in self.widths.items():
            if np.isfinite(one.shapes.degrees).any():
                odd, even = (mean_estimate(part) for part in one.shapes.degrees.T)
                numbers = {f"cubic at width {n}": odd.value, f"quartic at width {n}": even.value}
                words = f"{odd.value:.0%} cubic, {even.value:.0%} quartic"
                cases.append(Case(f"N = {n}", inside(odd, claim["most"], np.inf), words, numbers))
        further = ""
        if mirror := [one.mirror for one in self.widths.values() if np.isfinite(one.mirror)]:
            further = (
                " The further a pair is from mirror symmetry, the more cubic (rank correlation "
                f"from {min(mirror):.2f})."
            )
        return over(cases, "mean fractions of the squared errors: ", mirror=further)

    def claim_independent(self, claim: Claim) -> Outcome:
        found, cases = self._narrow(), []
        if set(found) != set(NARROW):
            return untested("The nets are missing.")
        ways = sorted(product(PREDICTORS, COUNTS), key=lambda way: way != PAPER_COUNTING)
        for predictor, count in ways:
            values = {n: found[n].counts[predictor, count] for n in NARROW}
            if np.isfinite([one.value for one in values.values()]).all():
                digits = count != "participation"  # the others are whole, or nearly so
                shown = (f"{one.value:.2g}" if digits else str(one) for one in values.values())
                judged = [near(one, PAPER_COUNTS[n], 0.5) for n, one in values.items()]
                way = f"{COUNTS[count]} ({PREDICTORS[predictor]})"
                numbers = {f"{predictor} {count} {n}": one.value for n, one in values.items()}
                cases.append(Case(way, Every(judged), ", ".join(shown), numbers))
        two, numbers = "", {name: one for case in cases for name, one in case.numbers.items()}
        if all(1.5 <= numbers.get(f"span participation {n}", 0.0) < 2.5 for n in NARROW):
            two = (
                " With fitted output weights, as R² near 1 needs, there are about two at every "
                "width: a cubic and a quartic error."
            )
        return over(cases, two=two)


def neuron_cloud(
    w: Array,
    b: Array,
    living: NDArray[np.bool_],
    unpaired: NDArray[np.bool_],
    pairs: NDArray[np.intp],
    ax: Axes,
) -> None:
    """Neurons (N,) in the plane of w and b; partners (K, 2) joined, dead grey, single orange."""
    whole = pairs[pairs.min(axis=1) >= 0]
    if len(whole) <= LINES:
        ax.plot(w[whole].T, b[whole].T, color=GREY, linewidth=0.6, alpha=0.6)
    size = 4 if len(w) <= 2 * LINES else 2
    for chosen, color, mark in (
        (~living, GREY, "x"),
        (living & ~unpaired, BLUE, "o"),
        (living & unpaired, ORANGE, "D"),
    ):
        many = len(w) > 2 * LINES
        ax.plot(w[chosen], b[chosen], mark, color=color, markersize=size, rasterized=many)
    reach = 1.1 * max(float(np.abs(w).max()), 1e-3)
    ax.set(xlim=(-reach, reach), xlabel="$w_i$", ylabel="$b_i$")


def ranked(r2: Array, cut: float, ax: Axes) -> None:
    """R^2 of pairs from the best down, without NaN, and the line below which they are useless."""
    kept = np.sort(r2[np.isfinite(r2)])[::-1]
    ax.plot(np.arange(1, len(kept) + 1), kept, "o", color=BLUE, markersize=3)
    ax.axhline(cut, color=ORANGE, linewidth=0.8, linestyle="--")
    ax.set(ylim=(-0.05, 1.08), xlabel="pair, by rank", ylabel="R² with x²")


def correlations(matrix: Array, ax: Axes) -> None:
    """A matrix of correlations, blue for -1 over white to red for 1."""
    if not matrix.size:
        ax.set_axis_off()
        return
    image = ax.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    ax.figure.colorbar(image, cax=ax.inset_axes((1.04, 0.0, 0.06, 1.0)), ticks=[-1, 0, 1])
    ax.set(xlabel="useful pair", xticks=[], yticks=[])


def errors(x: Array, values: Array, ax: Axes) -> None:
    """At most CURVES error functions (K, P) of equal size against x (P,), ending above zero."""
    if len(values):
        sign = np.where(values[:, -1] < 0, -1.0, 1.0)
        shown = (values * sign[:, None])[:: -(-len(values) // CURVES)]
        alpha = float(np.clip(6.0 / len(shown), 0.1, 0.8))
        ax.plot(x, shown.T, color=BLUE, alpha=alpha, linewidth=0.8)
    ax.axhline(0, color=GREY, linewidth=0.8)
    for place in (-1.6, 0.0, 1.6):
        ax.axvline(place, color=ORANGE, linewidth=0.8, linestyle=":")
    ax.set(xlabel="x", ylabel="error, scaled")
