"""Compression from redundancy: how many neurons of a trained net can go, by which rule, and whether
small nets do as well.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import ConfigError, DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Scale, Source, Table, training_words
from minilotto.report.rules import LEVEL
from minilotto.report.studies.pruning.pruning_verdicts import tables, verdicts
from minilotto.report.studies.pruning.prunings import (
    OTHERS,
    READOUTS,
    RULES,
    UNFITTED,
    Cut,
    Small,
    cut_down,
    enough,
    lossless,
    median_loss,
    small,
)
from minilotto.report.study import Settings, Study
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Axes, Drawing

LEAST_SEEDS = 10
LOW = 1e-11  # an axis of losses that goes further down leaves its upper right corner free
SMALL_WIDTHS = (1, 2, 3, 4, 5, 10, 15, 20, 25, 30, 40)


@dataclass(frozen=True)
class PruningSettings(Settings):
    """Nets of widths `wide` are cut down, the first of which the verdicts are about; `small` are
    trained to compare with.
    """

    seeds: int = 100
    wide: tuple[int, ...] = (50, 20, 200)
    small: tuple[int, ...] = SMALL_WIDTHS
    activation: str = "silu"

    @classmethod
    def quick(cls) -> "PruningSettings":
        return cls(seeds=24, wide=(50, 20))


class Pruning(Study):
    """Loss against neurons kept, by six rules and two precisions of the refit, and without a refit;
    nets trained small.
    """

    name = "pruning"
    title = "how much of a net is redundant?"
    question: ClassVar[str] = (
        "Pairs of neurons in a wide net make nearly the same errors, which the paper takes for "
        "redundancy. How many neurons can "
        "be taken out, do correlations tell which, and is the rest better than a net trained at "
        "that size?"
    )
    settings_type = PruningSettings

    @classmethod
    def trainings(cls, settings: PruningSettings) -> tuple[Sweep, ...]:
        if not settings.wide or min(settings.wide) < 2:
            raise ConfigError(
                f"wide={settings.wide!r} leaves nothing to prune; give widths from 2 on, such as "
                "(50,)"
            )
        widths = sorted(
            {*settings.wide, *(width for width in settings.small if width < max(settings.wide))}
        )
        return (
            Sweep(
                widths=widths,
                activations=(settings.activation,),
                seeds=settings.seeds,
                steps=settings.steps,
            ),
        )

    def __init__(self, source: Source, scale: Scale | Settings) -> None:
        settings = self.chosen(scale)
        (sweep,) = self.trainings(settings)
        nets: dict[int, Ensemble] = {}
        for width, one in source.by_width(sweep).items():
            good = np.isfinite(one.loss) & (one.loss > 0)
            if good.sum() >= LEAST_SEEDS:
                nets[width] = one.select(good)
        there = [width for width in settings.wide if width in nets]
        self.cuts: dict[int, Cut] = {width: cut_down(nets[width]) for width in there[:1]}
        for width in there[1:]:
            self.cuts[width] = cut_down(
                nets[width].select(np.arange(min(OTHERS, len(nets[width])))), search=False
            )
        if not self.cuts:
            raise DataError(
                f"no width of {', '.join(map(str, settings.wide))} has {LEAST_SEEDS} finite nets "
                "to prune; train them, as in "
                f"Pruning.run(wide=({settings.wide[0]},), seeds=100)"
            )
        self.small: dict[int, Small] = {
            width: small(one) for width, one in nets.items() if width < max(self.cuts)
        }
        self.main = next(iter(self.cuts))
        self.words = training_words(nets.values())

    def design(self) -> str:
        return (
            "Trained nets are cut down to k neurons, always the same nets (of widths other than "
            f"{self.main} the first {OTHERS}). "
            "Rules: at random; magnitude, |vᵢ| times the standard "
            "deviation of the neuron's response; merging, where the neuron goes whose "
            "contribution another one can take up with "
            "the least change of the net (size times 1 - correlation²); correlated tickets, "
            "where of the two mirror pairs "
            "whose errors correlate most the worse one goes; backward elimination, where the "
            "neuron goes whose absence costs "
            "least once the last layer is fitted anew; and distillation's search for the best "
            "few neurons. Then v and c are "
            "fitted by least squares, in float64 (column-scaled) or to what float32 can hold; "
            "magnitude and merging also "
            "without. Compared per net with the whole net, and with nets trained at that width, "
            "which get the same fit. If "
            "correlation is redundancy, rules that see it keep the loss where magnitude and "
            "chance do not; if all neurons are "
            "needed, all rules lose at once. " + self.words + "."
        )

    def headline(self) -> str:
        cut = self.cuts[self.main]
        few = {
            rule: lossless(cut, rule, "float32", "trained")
            for rule in ("elimination", "magnitude", "random")
        }
        unfitted = lossless(cut, "merging", None, "trained")
        return (
            f"Of {self.main} neurons {enough(few['elimination'])} for the trained loss when the "
            "last layer is fitted anew for "
            "float32 and backward elimination chooses them (by magnitude "
            f"{enough(few['magnitude'])}, at random "
            f"{enough(few['random'])}); merged without a fit, {enough(unfitted)}."
        )

    # Drawing
    def draw(self) -> "Drawing":
        from minilotto.report.plots.style import grid

        figure, ((left, right), (below, corner)) = grid(2, 2, 11.0, 8.6)
        self._draw_rules(left, "float64")
        self._draw_rules(right, "float32")
        self._draw_unfitted(below)
        self._draw_widths(corner)
        return figure

    def _whole(self, ax: "Axes", cut: Cut, readout: str | None) -> None:
        from minilotto.report.plots.style import GREY

        ax.axhline(
            float(np.median(cut.trained)),
            color=GREY,
            linewidth=1.0,
            linestyle="--",
            label=f"all {cut.width}, as trained",
        )
        if readout:
            again = float(np.median(cut.whole[readout]))
            ax.axhline(
                again,
                color=GREY,
                linewidth=1.0,
                linestyle=":",
                label=f"all {cut.width}, fitted anew",
            )

    def _finish(self, ax: "Axes", title: str) -> None:
        from minilotto.report.plots.parts import width_axis

        most = max(count for cut in self.cuts.values() for count in cut.kept)
        width_axis(tuple(tick for tick in (1, 2, 5, 10, 20, 50, 100, 200) if tick <= most), ax)
        ax.set_xlabel("neurons kept, $k$")
        ax.set_ylabel("median loss")
        ax.legend(loc="lower left" if ax.get_ylim()[0] > LOW else "upper right", fontsize=7)
        ax.set_title(title)

    def _trained_small(self, readout: str | None) -> dict[int, Estimate]:
        return {
            k: median_loss(one.trained if readout is None else one.again[readout])
            for k, one in sorted(self.small.items())
        }

    def _draw_rules(self, ax: "Axes", readout: str) -> None:
        from minilotto.report.plots.parts import estimates_against_width
        from minilotto.report.plots.style import PALETTE

        cut = self.cuts[self.main]
        for (rule, label), color, mark in zip(RULES.items(), PALETTE, "xos^D*", strict=True):
            estimates_against_width(cut.curve(rule, readout), ax, color, mark, label)
        below = {k: one for k, one in self._trained_small(readout).items() if k < self.main}
        estimates_against_width(below, ax, "black", "P", "trained at width k, fitted anew")
        self._whole(ax, cut, readout)
        self._finish(ax, f"N = {self.main}: {READOUTS[readout]}")

    def _draw_unfitted(self, ax: "Axes") -> None:
        from minilotto.report.plots.parts import estimates_against_width
        from minilotto.report.plots.style import ORANGE, PURPLE

        cut = self.cuts[self.main]
        for (rule, label), color, mark in zip(
            UNFITTED.items(), (ORANGE, PURPLE), "o^", strict=True
        ):
            estimates_against_width(cut.curve(rule, None), ax, color, mark, label)
        below = {k: one for k, one in self._trained_small(None).items() if k < self.main}
        estimates_against_width(below, ax, "black", "P", "trained at width k")
        self._whole(ax, cut, None)
        ax.set_ylim(bottom=ax.get_ylim()[0] / 100)  # for the legend
        self._finish(ax, f"N = {self.main}: last layer not fitted")

    def _draw_widths(self, ax: "Axes") -> None:
        from minilotto.report.plots.parts import estimates_against_width
        from minilotto.report.plots.style import BLUE, GREEN, ORANGE

        for (width, cut), color, mark in zip(
            sorted(self.cuts.items()), (ORANGE, BLUE, GREEN), "osD", strict=False
        ):
            estimates_against_width(
                cut.curve("elimination", "float32"),
                ax,
                color,
                mark,
                f"from N = {width}, elimination",
            )
            ax.axhline(float(np.median(cut.trained)), color=color, linewidth=1.0, linestyle="--")
        estimates_against_width(
            self._trained_small("float32"), ax, "black", "P", "trained at width k, fitted anew"
        )
        estimates_against_width(self._trained_small(None), ax, "0.6", "X", "trained at width k")
        self._finish(ax, f"{READOUTS['float32']}; dashed: the whole nets")

    def caption(self) -> str:
        return (
            f"Median loss of nets of width {self.main} cut down to k neurons by six rules, with "
            "the last layer fitted anew in "
            "float64 (top left) or as far as float32 holds the weights (top right), and without "
            "(bottom left); the same for other "
            "widths (bottom right). Black: nets trained at width k. Dashed: the whole nets as "
            "trained; dotted: with the last "
            f"layer fitted anew. Bars are {LEVEL:.0%} bootstrap intervals over nets. To losses in "
            "float64 the most that rounding "
            f"may have hidden is added. {self.words}."
        )

    def tables(self) -> list[Table]:
        return tables(self.cuts, self.small)

    def verdicts(self) -> list[Verdict]:
        return verdicts(self.cuts, self.small)
