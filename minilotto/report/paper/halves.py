"""Figure 4: is a net of width N more than two nets of width N / 2? The paper's answer, and what
other ways of joining them say.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from minilotto.analysis.ensembling.synergy import Nets, NullComparison, Synergy, synergy
from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Figure, Scale, Source, Table, training_words
from minilotto.report.rules import FAILS, HOLDS, IN_PART, LEVEL, UNTESTED
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

WIDE = (2, 4, 20, 40)  # the paper's, each against two of half the width
# directions that a last layer in float32 could not tell apart are left out of least squares
FLOAT32_CUT = 1e-6
PAPERS = "harmonic"
SAME, SIMILAR = 1.25, 2.0  # ratios of medians that are called equal, or nearly so
RATIOS_SHOWN = (0.05, 300.0)
ALIKE = 0.1  # a median cosine of error functions below which they pass for orthogonal


@dataclass(frozen=True)
class _Half:
    """The study of one width: two narrow nets against one wide one."""

    wide: int
    narrow_median: float
    study: Synergy

    @property
    def name(self) -> str:
        return f"{self.wide // 2}+{self.wide // 2} against {self.wide}"

    def null(self, name: str) -> NullComparison | None:
        return self.study.nulls.get(name)


class Halves(Figure):
    """Four comparisons of width N with two nets of width N / 2, each by six nulls."""

    name = "4"
    title = "one wide net against two half as wide"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        widths = sorted({width for wide in WIDE for width in (wide, wide // 2)})
        return (Sweep(widths=widths, seeds=scale.seeds, steps=scale.steps),)

    def __init__(self, source: Source, scale: Scale) -> None:
        found = source.by_width(self.sweeps(scale)[0])
        pairs = [
            (found[wide // 2], found[wide]) for wide in WIDE if wide in found and wide // 2 in found
        ]
        if not pairs:
            raise DataError(
                f"of widths {', '.join(map(str, WIDE))} none is there with its half; train them "
                "first"
            )
        self.nets = [nets for pair in pairs for nets in pair]
        self.halves = [
            _Half(wide.config.width, float(np.nanmedian(narrow.loss)), _study(narrow, wide))
            for narrow, wide in pairs
        ]

    def draw(self) -> "Drawing":
        from minilotto.report.plots.comparisons import ratios
        from minilotto.report.plots.distributions import log_edges, note, shares
        from minilotto.report.plots.style import BLUE, ORANGE, mosaic

        names = [half.name for half in self.halves]
        figure, axes = mosaic([names, ["ratios"] * len(names)], 9.5, 6.2)
        for half in self.halves:
            null, ax = half.null(PAPERS), axes[half.name]
            if null is None:
                note("not comparable", ax)
                continue
            low = min(np.quantile(null.losses, 0.002), np.quantile(null.wider, 0.002))
            edges = log_edges(float(low), float(max(null.losses.max(), null.wider.max())), 8)
            shares(null.wider, ax, edges, BLUE, f"N = {half.wide}")
            shares(
                null.losses, ax, edges, ORANGE, f"{half.wide // 2} + {half.wide // 2}", outline=True
            )
            ax.legend(loc="upper right")
            ax.set_ylim(top=1.35 * ax.get_ylim()[1])
            ax.set_xlabel("loss")
            if half is not self.halves[0]:
                ax.set_ylabel("")
        series = {
            label: [null.ratio if (null := half.null(name)) else None for half in self.halves]
            for name, label in _LABELS.items()
        }
        ratios(names, series, axes["ratios"], RATIOS_SHOWN)
        axes["ratios"].set_ylabel("median of two halves / of one net")
        return figure

    def caption(self) -> str:
        return (
            "Top: losses of nets of width N (blue) and the paper's null of two nets of half the "
            "width (orange), (1/L₁ + 1/L₂)⁻¹. "
            "Bottom: by how much the median of two halves exceeds that of one net, for the "
            "paper's null and for nets that are "
            "really put together: their average; the best combination whose weights sum to one; "
            "all their neurons under one last "
            "layer fitted by least squares (to float32's precision), against trained nets and "
            "against nets refitted likewise. "
            f"{LEVEL:.0%} intervals. {training_words(self.nets)}."
        )

    def headline(self) -> str:
        half = self.halves[-1]
        average, similarity = half.null("average"), half.study.similarity
        if half.wide < 20 or average is None or similarity is None:
            return ""
        return (
            "The theory's average is not what happens: the errors of two nets of width "
            f"{half.wide // 2} have a cosine of "
            f"{similarity.median:.2f} where it assumes 0, and averaging two such nets leaves "
            f"{average.median.value / half.narrow_median:.0%} "
            "of the loss where it says 50%."
        )

    def tables(self) -> list[Table]:
        names = (
            "comparison",
            "null",
            "ratio",
            "low",
            "high",
            "ks",
            "p",
            "wasserstein decades",
            "floor",
        )
        rows: dict[str, list] = {name: [] for name in names}
        for half in self.halves:
            for null in half.study.nulls.values():
                row = (
                    half.name,
                    null.name,
                    null.ratio.value,
                    null.ratio.low,
                    null.ratio.high,
                    null.ks,
                    null.p_value,
                )
                for name, value in zip(
                    names, (*row, null.wasserstein.value, null.floor), strict=True
                ):
                    rows[name].append(value)
        return [Table("nulls", rows)]

    def verdicts(self) -> list[Verdict]:
        told = {
            2: (
                "2 ≫ 1 + 1",
                "A net of width 2 is much better than two of width 1 ensembled: synergy.",
            ),
            4: (
                "4 > 2 + 2",
                "A net of width 4 is (slightly) better than two of width 2 ensembled.",
            ),
            20: (
                "20 = 10 + 10",
                "Nets of width 20 do as well as two of width 10 ensembled: no synergy is left.",
            ),
            40: (
                "40 = 20 + 20",
                "Nets of width 40 do as well as two of width 20 ensembled: no synergy is left.",
            ),
        }
        found = [self._by_the_papers_null(half, *told[half.wide]) for half in self.halves]
        wide = [half for half in self.halves if half.wide >= 20]
        return [
            *found,
            *(self._orthogonal(half) for half in wide[-1:]),
            *(self._averaging(half) for half in wide[-1:]),
        ]

    def _by_the_papers_null(self, half: _Half, claim: str, says: str) -> Verdict:
        how = (
            f"Ratio of medians, paper's null over width N; bootstrap over nets. "
            f"{'Holds above 2, in part above 1.' if half.wide == 2 else ''}"
            f"{'Holds above 1.' if half.wide == 4 else ''}"
            f"{f'Holds within a factor of {SAME:g}, in part within {SIMILAR:g}.' if half.wide >= 20 else ''}"
        )
        null, best, joined = half.null(PAPERS), half.null("sum to one"), half.null("joined")
        if null is None:
            return Verdict(claim, says, "", how, UNTESTED, "; ".join(half.study.notes))
        ratio = null.ratio
        if half.wide >= 20:
            away = max(ratio.high, 1 / ratio.low)
            verdict = HOLDS if away <= SAME else IN_PART if away <= SIMILAR else FAILS
            chance = f"p {'below' if null.bounded else '='} {null.p_value:.2g}"
            reason = f"Medians agree; the distributions differ by {null.ks:.2f} at most ({chance})."
            if verdict == FAILS:
                reason = "The medians differ by more than that."
        else:
            needed = 2.0 if half.wide == 2 else 1.0
            verdict = HOLDS if ratio.low > needed else IN_PART if ratio.low > 1 else FAILS
            reason = "The wide net is better by the paper's measure."
        if half.wide == 4 and best is not None and joined is not None:
            reason += (
                " But two nets with the best weights come within a factor of "
                f"{best.ratio.value:.2g}, and with one last layer for "
                f"all their neurons within {joined.ratio.value:.2g}."
            )
        more = f"; best weights that sum to one: {best.ratio}" if best is not None else ""
        numbers = {"ratio": ratio.value, "low": ratio.low, "high": ratio.high, "ks": null.ks}
        return Verdict(claim, says, f"ratio {ratio}{more}", how, verdict, reason, numbers)

    def _orthogonal(self, half: _Half) -> Verdict:
        narrow = half.wide // 2
        claim, says = (
            "Error functions of different nets are orthogonal",
            "Eq. 7 to 9 assume that tickets have orthogonal, unbiased errors; so their ensemble "
            "has a loss of L / n.",
        )
        how = (
            f"Cosine of the errors of two nets of width {narrow}, median over pairs; holds "
            f"below {ALIKE:g}, fails above 0.5."
        )
        similarity, median = half.study.similarity, half.study.similarity_median
        if similarity is None or median is None:
            return Verdict(claim, says, "", how, UNTESTED, "; ".join(half.study.notes))
        low, _, _, _, high = similarity.quantiles
        verdict = HOLDS if abs(median.high) < ALIKE else FAILS if median.low > 0.5 else IN_PART
        return Verdict(
            claim,
            says,
            f"cosine {median}, nine tenths of the pairs between {low:.2f} and {high:.2f}; as "
            f"alike as {similarity.directions:.1f} "
            "orthogonal functions would make them",
            how,
            verdict,
            "All seeds make nearly the same error; there is little to average out."
            if verdict == FAILS
            else "",
            {
                "cosine": median.value,
                "low": median.low,
                "high": median.high,
                "directions": similarity.directions,
            },
        )

    def _averaging(self, half: _Half) -> Verdict:
        narrow = half.wide // 2
        claim, says = (
            "Averaging two nets halves the loss",
            "The central limit: averaging n tickets divides the loss by n.",
        )
        how = (
            f"Median loss of the average of two nets of width {narrow} over that of one; holds "
            "up to 0.6, in part below 0.9."
        )
        null = half.null("average")
        if null is None:
            return Verdict(claim, says, "", how, UNTESTED, "; ".join(half.study.notes))
        one, pair = half.narrow_median, null.median
        gain = Estimate(pair.value / one, pair.low / one, pair.high / one, LEVEL)
        verdict = HOLDS if gain.high <= 0.6 else IN_PART if gain.high < 0.9 else FAILS
        return Verdict(
            claim,
            says,
            f"{gain} of one net's median loss",
            how,
            verdict,
            {
                HOLDS: "As the theory has it.",
                IN_PART: "It gains, but less than the theory has it.",
                FAILS: "It gains almost nothing. Where the harmonic null fits, it is not "
                "because errors average out.",
            }[verdict],
            {"gain": gain.value, "low": gain.low, "high": gain.high},
        )


_LABELS = {
    PAPERS: "the paper's null",
    "average": "average",
    "sum to one": "best weights that sum to one",
    "joined": "joined, last layer refitted",
    "joined, all refitted": "joined, against refitted nets",
}


def _study(narrow: Ensemble, wide: Ensemble) -> Synergy:
    data = narrow.data
    return synergy(
        Nets(narrow.loss, narrow.predict(data.x), narrow.w, narrow.b),
        Nets(wide.loss, w=wide.w, b=wide.b),
        y=data.y,
        weight=data.weight,
        x=data.x,
        activation=narrow.activation,
        cut=FLOAT32_CUT,
        level=LEVEL,
    )
