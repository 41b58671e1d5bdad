"""Figure 4: is a net of width N more than two of width N / 2? Several ways of combining them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minilotto.analysis.ensembling.pairs import NullComparison
from minilotto.analysis.ensembling.synergy import Synergy, synergy
from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.ensemble.ensemble import Ensemble
from minilotto.ensemble.plots import edges_of
from minilotto.errors import DataError
from minilotto.report.claims import Claim, Outcome, about, as_numbers, described, untested, values
from minilotto.report.figure import Figure, Scale, Source, Table, commas, divided, training_words
from minilotto.report.plots.curves import ratios
from minilotto.report.plots.distributions import note, shares
from minilotto.report.plots.style import BLUE, ORANGE, Drawing, mosaic
from minilotto.report.rules import LEVEL, factor
from minilotto.store.grid import Sweep

WIDE = (2, 4, 20, 40)  # the paper's, each against two of half the width
AS_GOOD = 20  # from here on the paper finds no difference
PAPERS = "harmonic"
LABELS = {
    PAPERS: "the paper's null",
    "average": "average",
    "sum to one": "best weights that sum to one",
    "joined": "joined, last layer refitted",
    "joined, all refitted": "joined, against refitted nets",
}
RATIOS_SHOWN = (0.05, 300.0)


@dataclass(frozen=True)
class _Half:
    """The study of one width: two narrow nets against one wide one."""

    narrow: Ensemble
    whole: Ensemble
    study: Synergy

    @property
    def wide(self) -> int:
        return self.whole.config.width

    @property
    def name(self) -> str:
        return f"{self.wide // 2}+{self.wide // 2} against {self.wide}"

    def null(self, name: str) -> NullComparison | None:
        return self.study.nulls.get(name)

    def averaged(self) -> Estimate | None:
        """Median loss of the average of two narrow nets over that of one."""
        if (null := self.null("average")) is None:
            return None
        return divided(null.median, float(np.nanmedian(self.narrow.loss)))


class Halves(Figure):
    """Four comparisons of width N with two nets of width N / 2, each by six nulls."""

    name = "4"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        widths = sorted({width for wide in WIDE for width in (wide, wide // 2)})
        return (Sweep(widths=widths, seeds=scale.seeds, steps=scale.steps),)

    def __init__(self, source: Source, scale: Scale) -> None:
        found = source.by_width(self.sweeps(scale)[0])
        whole = [wide for wide in WIDE if wide in found and wide // 2 in found]
        pairs = [(found[wide // 2], found[wide]) for wide in whole]
        if not pairs:
            raise DataError(
                f"of widths {commas(WIDE)} none is there with its half; train them first"
            )
        self.nets = [nets for pair in pairs for nets in pair]
        self.halves = [_Half(*pair, synergy(*pair, level=LEVEL)) for pair in pairs]

    def facts(self) -> dict[str, Any]:
        narrow = self.halves[-1].wide // 2
        return {"narrow": narrow, "training": training_words(self.nets)}

    def draw(self) -> Drawing:
        names = [half.name for half in self.halves]
        figure, axes = mosaic([names, ["ratios"] * len(names)], 9.5, 6.2)
        for half in self.halves:
            null, ax = half.null(PAPERS), axes[half.name]
            if null is None:
                note("not comparable", ax)
                continue
            low = min(np.quantile(null.losses, 0.002), np.quantile(null.wider, 0.002))
            edges = edges_of(np.array([low, null.losses.max(), null.wider.max()]), 8)
            narrow = f"{half.wide // 2} + {half.wide // 2}"
            shares(null.wider, ax, edges, BLUE, f"N = {half.wide}")
            shares(null.losses, ax, edges, ORANGE, narrow, outline=True)
            ax.legend(loc="upper right")
            ax.set_ylim(top=1.35 * ax.get_ylim()[1])
            ax.set(xlabel="loss", ylabel="nets (%)" if half is self.halves[0] else "")
        series = {
            label: [null.ratio if (null := half.null(name)) else None for half in self.halves]
            for name, label in LABELS.items()
        }
        ratios(names, series, axes["ratios"], RATIOS_SHOWN)
        axes["ratios"].set_ylabel("median of two halves / of one net")
        return figure

    def headline(self) -> str:
        half = self.halves[-1]
        average, similarity = half.averaged(), half.study.similarity
        best = half.null("sum to one")
        if half.wide < AS_GOOD or average is None or similarity is None or best is None:
            return ""
        return (
            f"Errors of two nets of width {half.wide // 2} have a cosine of "
            f"{similarity.median:.2f}, so that averaging two of them leaves {average.value:.0%} of "
            "the loss, where independent errors would leave 50%; with the best weights that sum to "
            f"one (Eq. 5 and 6) two have {best.ratio.value:.2g} times the loss of one net of width "
            f"{half.wide}."
        )

    def tables(self) -> list[Table]:
        rows = [
            (half.name, null.name, null.ratio, null.ks, null.p_value)
            + (null.wasserstein.value, null.floor)
            for half in self.halves
            for null in half.study.nulls.values()
        ]
        header = "comparison, null, ratio, low, high, ks, p, wasserstein decades, floor"
        return [Table.of("nulls", header, rows)]

    def _by_the_papers_null(self, claim: Claim) -> Outcome | list[Outcome]:
        half = next((one for one in self.halves if str(one.wide) == claim.key), None)
        if half is None:
            return []
        null, best, joined = half.null(PAPERS), half.null("sum to one"), half.null("joined")
        if null is None:
            return untested("; ".join(half.study.notes))
        ratio, alike = null.ratio, half.wide >= AS_GOOD
        least = claim.numbers.get("factor", 1.0)
        judged = claim.same(ratio) if alike else factor(ratio, least, np.inf)
        chance, combined = f"p {'below' if null.bounded else '='} {null.p_value:.2g}", ""
        if half.wide == 4 and best is not None and joined is not None:
            combined = (
                " But two nets with the best weights come within a factor of "
                f"{best.ratio.value:.2g}, and with one last layer for all their neurons within "
                f"{joined.ratio.value:.2g}."
            )
        more = f"; best weights that sum to one: {best.ratio}" if best is not None else ""
        if alike and best is not None:
            combined = (
                " Two halves with the best weights that sum to one, which is what Eq. 5 and 6 "
                f"allow, come to {best.ratio.value:.2g} times the loss of the one net; their plain "
                "average does not (below)."
            )
        numbers = {**as_numbers("ratio", ratio), "ks": null.ks}
        numbers |= {"best weights": best.ratio.value} if best is not None else {}
        facts = {"ks": null.ks, "chance": chance, "combined": combined}
        return about(judged, f"ratio {ratio}{more}", "", numbers, **facts)

    claim_2 = claim_4 = claim_20 = claim_40 = _by_the_papers_null

    def claim_orthogonal(self, claim: Claim) -> Outcome | list[Outcome]:
        half = self.halves[-1]
        if half.wide < AS_GOOD:
            return []
        similarity, median = half.study.similarity, half.study.similarity_median
        if similarity is None or median is None:
            return untested("; ".join(half.study.notes))
        low, _, _, _, high = similarity.quantiles
        return about(
            claim.orthogonal(median),
            f"cosine {median}, nine tenths of the pairs between {low:.2f} and {high:.2f}; as "
            f"alike as {similarity.directions:.1f} orthogonal functions would make them",
            numbers={**as_numbers("cosine", median), "directions": similarity.directions},
        )

    def claim_average(self, claim: Claim) -> Outcome | list[Outcome]:
        half = self.halves[-1]
        if half.wide < AS_GOOD:
            return []
        if (gain := half.averaged()) is None:
            return untested("; ".join(half.study.notes))
        every = {f"N = {one.wide // 2}": one.averaged() for one in self.halves}
        found = {name: left for name, left in every.items() if left}
        measured = f"of one net's median loss: {described(found)}"
        numbers = {**as_numbers("gain", gain), **values(found, "left at ")}
        return about(factor(gain, 0.0, claim["halved"]), measured, "", numbers)
