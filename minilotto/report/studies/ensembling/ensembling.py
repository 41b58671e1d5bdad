"""Ensembling measured rather than assumed: what the paper's Eq. 5 to 9 predict, and what nets do."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from minilotto.analysis.ensembling.attribution import STEPS
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import ConfigError, DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Scale, Source, Table, training_words
from minilotto.report.rules import LEVEL
from minilotto.report.studies.ensembling.ensembles import (
    DRAWS,
    LEAST_TICKETS,
    PAPER_COUNTS,
    PAPER_RANGE,
    Ensembles,
    ensembles,
    label_of,
)
from minilotto.report.studies.ensembling.ensembling_verdicts import tables, verdicts
from minilotto.report.study import Settings, Study
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Axes, Drawing

SHOWN = 5  # widths whose means are drawn
TICKS = (1, 3, 10, 30, 100, 300, 1000)


@dataclass(frozen=True)
class EnsemblingSettings(Settings):
    """Widths, each with `seeds` nets, and wider ones with `wide_seeds`; activations. Those of
    figure 1c, which trains them too.
    """

    seeds: int = 1000
    widths: tuple[int, ...] = (1, 2, 3, 4, 10, 20, 30, 40, 50)
    wide: tuple[int, ...] = (70, 100, 200, 500, 1000)
    wide_seeds: int = 100
    activations: tuple[str, ...] = ("silu", "leaky_relu")

    @classmethod
    def quick(cls) -> "EnsemblingSettings":
        return cls(seeds=64, wide=(100, 200), wide_seeds=24)

    @classmethod
    def at(cls, scale: Scale) -> "EnsemblingSettings":
        chosen = super().at(scale)
        wide = tuple(width for width in chosen.wide if width <= scale.widest)
        return dataclasses.replace(
            chosen, wide=wide, wide_seeds=min(chosen.wide_seeds, scale.wide_seeds)
        )


class Ensembling(Study):
    """Bias and variance, cosines, means of R nets, gains from N / 2 to N and independent tickets,
    against width.
    """

    name = "ensembling"
    title = "is a wide net an ensemble?"
    question: ClassVar[str] = (
        "The paper explains 1/N by an average of independent tickets. Are the errors "
        "independent, and is it averaging that "
        "makes a net of width N better than one of width N/2?"
    )
    settings_type = EnsemblingSettings

    @classmethod
    def trainings(cls, settings: EnsemblingSettings) -> tuple[Sweep, ...]:
        if not settings.activations or not (settings.widths or settings.wide):
            raise ConfigError(
                "there is no width or no activation to study; give some, such as widths=(10, 20)"
            )
        return tuple(
            Sweep(widths=widths, activations=(activation,), seeds=seeds, steps=settings.steps)
            for activation in settings.activations
            for widths, seeds in (
                (settings.widths, settings.seeds),
                (settings.wide, settings.wide_seeds),
            )
            if widths
        )

    def __init__(self, source: Source, scale: Scale | Settings) -> None:
        settings = self.chosen(scale)
        self.found: dict[str, Ensembles] = {}
        trained: list[Ensemble] = []
        for activation in settings.activations:
            nets: dict[int, Ensemble] = {}
            for sweep in self.trainings(settings):
                if sweep.configs[0].activation == activation:
                    nets |= source.by_width(sweep)
            one = ensembles(activation, nets)
            if one.gains:
                self.found[activation] = one
                trained += [each.nets for each in one.widths.values()]
        if not self.found:
            raise DataError(
                "no activation has nets of a width and of twice that width with 20 finite seeds "
                "each; train them, as in "
                "Ensembling.run(widths=(10, 20), wide=(), seeds=100)"
            )
        self.words = training_words(trained)

    def design(self) -> str:
        return (
            "Eq. 5 to 9 take a net as a combination of n ∝ N tickets whose errors are orthogonal "
            "and have mean zero. If so, all "
            "of the loss is variance between seeds and none is bias; errors of two seeds, and of "
            "two tickets of a net, have "
            "a cosine of 0; R averaged nets lose L/R, as one net of R times the width does; from "
            "N/2 to N the loss halves, all "
            "of it by averaging; and the number of independent tickets (the paper reads 1, 2, 3 "
            "off N = 10, 30, 50) grows as N "
            "and explains the loss. Each of these is measured. The gain from N/2 to N is parted "
            "on the scale of log median "
            "loss: from one net to the mean of two of them (averaging), on to a₁f₁ + a₂f₂ + "
            "constant with the best of the "
            "three (combination), on to the net of width N (neither). The parts add up to the "
            "gain, and any of them may be "
            f"negative. {self.words}; {DRAWS:,} pairs of seeds at most. Bias, variance and means "
            "are of the central half of the "
            f"nets by loss. {self._precision()}"
        )

    def _precision(self) -> str:
        """How well medians are known, which is what the numbers of seeds were chosen for."""
        told = []
        for low, high, words in (
            (*PAPER_RANGE, "at widths {} to {}".format(*PAPER_RANGE)),
            (PAPER_RANGE[1] + 1, np.inf, "at wider ones"),
        ):
            every = [
                one.means
                for found in self.found.values()
                for one in found.within(low, high).values()
                if one.means
            ]
            reach = [float(means.high[0] / means.loss[0] - 1) for means in every]
            if reach:
                told.append(f"within {min(reach):.0%} to {max(reach):.0%} {words}")
        return (
            f"So many seeds tell a median {', '.join(told)} ({LEVEL:.0%} intervals)."
            if told
            else ""
        )

    def headline(self) -> str:
        one = next(iter(self.found.values()))
        inside = [
            pair for pair in one.gains if PAPER_RANGE[0] <= pair[0] and pair[1] <= PAPER_RANGE[1]
        ]
        narrow, wide = (inside or list(one.gains))[-1]
        gain, half = one.gains[narrow, wide], one.widths[narrow]
        label = label_of(one.activation)
        start = (
            f"Errors of two {label} nets of width {narrow} have a cosine of "
            f"{half.cosine.value:.2f}, and"
        )
        if gain.shares is None:
            return (
                f"{start} from there to width {wide} the loss does not fall for certain, so "
                "there is no gain to explain."
            )
        told = {
            name: f"{share.value:.0%} ({share.low:.0%} to {share.high:.0%})"
            for name, share in gain.shares.items()
        }
        others = ""
        for name, other in self.found.items():
            same = other.gains.get((narrow, wide))
            if other is not one and same is not None and same.shares is not None:
                others += f"; for {label_of(name)} " + ", ".join(
                    f"{share.value:.0%}" for share in same.shares.values()
                )
        return (
            f"{start} of what width {wide} gains over them in log loss averaging two of them "
            f"gives {told['averaging']}, "
            f"their best combination {told['combination']} more, and neither gives "
            f"{told['neither']}{others}."
        )

    # Drawing
    def draw(self) -> "Drawing":
        from minilotto.report.plots.style import mosaic

        rows = [[f"parts {name}", f"means {name}", f"gains {name}"] for name in self.found]
        figure, axes = mosaic(
            [*rows, ["cosines", "tickets", "tickets"]], 11.0, 3.2 * len(rows) + 3.0
        )
        for name, one in self.found.items():
            self._draw_parts(one, axes[f"parts {name}"])
            self._draw_means(one, axes[f"means {name}"])
            self._draw_gains(one, axes[f"gains {name}"])
        self._draw_cosines(axes["cosines"])
        self._draw_tickets(axes["tickets"])
        return figure

    def _draw_parts(self, one: Ensembles, ax: "Axes") -> None:
        from minilotto.report.plots.parts import estimates_against_width
        from minilotto.report.plots.style import BLUE, GREEN, ORANGE

        for part, color, marker, label in (
            ("loss", BLUE, "o", "loss"),
            ("bias", ORANGE, "s", "bias: common to all seeds"),
            ("variance", GREEN, "D", "variance: between seeds"),
        ):
            estimates_against_width(
                {n: getattr(w.parts, part) for n, w in one.widths.items()}, ax, color, marker, label
            )
        _width_axis(ax, one.widths)
        ax.set_ylabel("mean loss, central half")
        ax.legend(loc="upper right", fontsize=8)
        ax.set_title(f"{label_of(one.activation)}: bias and variance")

    def _draw_means(self, one: Ensembles, ax: "Axes") -> None:
        from minilotto.report.plots.style import GREY, PALETTE

        means = {n: w.means for n, w in one.widths.items() if w.means is not None}
        wide = [n for n in means if n >= LEAST_TICKETS] or list(means)
        picked = wide[:: max(1, -(-len(wide) // SHOWN))]
        longest = 2.0
        for width, color in zip(picked, PALETTE, strict=False):
            found = means[width]
            if found is None:
                continue
            base = found.loss[0]
            bars = np.stack([found.loss - found.low, found.high - found.loss]) / base
            ax.errorbar(
                found.sizes,
                found.loss / base,
                yerr=bars,
                fmt="o",
                color=color,
                markersize=3.5,
                capsize=2,
                label=f"N = {width}",
            )
            fine = np.geomspace(1, found.sizes[-1], 50)
            ax.plot(fine, found.line(fine) / base, color=color, linewidth=0.9)
            longest = max(longest, float(found.sizes[-1]))
        ax.plot(
            [1, longest],
            [1, 1 / longest],
            color=GREY,
            linestyle=":",
            linewidth=1.2,
            label="1/R, as Eq. 9 has it",
        )
        ax.set_xscale("log", base=2)
        ticks = [2**k for k in range(7) if 2**k <= longest]
        ax.set_xticks(ticks, [str(tick) for tick in ticks])
        ax.set_yscale("log")
        ax.minorticks_off()
        ax.set_xlabel("nets averaged, $R$")
        ax.set_ylabel("loss of the mean / of one net")
        ax.legend(loc="lower left", fontsize=8)
        ax.set_title("means of R nets; lines: bias + variance/R")

    def _draw_gains(self, one: Ensembles, ax: "Axes") -> None:
        from minilotto.report.plots.style import BLUE, GREEN, GREY, ORANGE

        at = np.arange(len(one.gains))
        for k, (name, color) in enumerate(zip(STEPS, (BLUE, ORANGE, GREEN), strict=True)):
            parts = [gain.part(name) for gain in one.gains.values()]
            value = np.array([part.value for part in parts])
            bars = np.abs(
                np.array([[part.value - part.low, part.high - part.value] for part in parts]).T
            )
            ax.bar(
                at + (k - 1) * 0.26,
                value,
                0.24,
                yerr=bars,
                color=color,
                alpha=0.8,
                capsize=2,
                label=name,
            )
        for i, gain in enumerate(one.gains.values()):
            ax.hlines(
                gain.gain.value,
                i - 0.4,
                i + 0.4,
                color="black",
                linewidth=1.2,
                label="the gain" if i == 0 else "",
            )
        ax.axhline(
            np.log10(2), color=GREY, linestyle=":", linewidth=1.2, label="log 2, as Eq. 9 has it"
        )
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.set_xticks(at, [f"{a} to {b}" for a, b in one.gains], rotation=30, ha="right")
        ax.set_ylabel("decades of loss")
        ax.set_yscale("symlog", linthresh=1, linscale=1.5)
        ax.set_yticks([-3, -1, -0.5, 0, 0.5, 1, 3], ["-3", "-1", "-0.5", "0", "0.5", "1", "3"])
        ax.minorticks_off()
        if one is list(self.found.values())[-1]:
            ax.legend(loc="lower right", fontsize=8)
        ax.set_title("gain from N/2 to N, and its parts")

    def _draw_cosines(self, ax: "Axes") -> None:
        from minilotto.report.plots.style import BLUE, GREY, ORANGE

        for (name, one), color in zip(self.found.items(), (BLUE, ORANGE), strict=False):
            seeds = {n: w.cosine for n, w in one.widths.items()}
            within = {
                n: w.tickets["alike"]
                for n, w in one.widths.items()
                if w.tickets and np.isfinite(w.tickets["alike"].value)
            }
            for values, mark, label in (
                (seeds, "o-", "two seeds"),
                (within, "D--", "two pairs of a net (size)"),
            ):
                if values:
                    y = np.array([value.value for value in values.values()])
                    bars = np.abs(
                        np.array([[v.value - v.low, v.high - v.value] for v in values.values()]).T
                    )
                    ax.errorbar(list(values), y, yerr=bars, fmt=mark, color=color, markersize=4, capsize=2, linewidth=0.9,
                                label=f"{label_of(name)}, {label}")  # fmt: skip
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.set_xscale("log")
        _width_axis(ax, next(iter(self.found.values())).widths)
        ax.set_ylim(-0.15, 1.5)
        ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
        ax.set_ylabel("cosine of errors, median")
        ax.legend(loc="upper left", fontsize=7)
        ax.set_title("how alike errors are")

    def _draw_tickets(self, ax: "Axes") -> None:
        from minilotto.report.plots.parts import estimates_against_width
        from minilotto.report.plots.style import BLUE, GREEN, GREY, ORANGE

        one = next(iter(self.found.values()))
        counted = {n: w.tickets for n, w in one.widths.items() if w.tickets is not None}
        for kind, color, mark, label in (
            ("independent", BLUE, "o", "independent (participation ratio)"),
            ("groups", GREEN, "D", "independent (groups with |correlation| above 0.9)"),
            ("needed", ORANGE, "s", "needed by Eq. 9 for the net's loss"),
        ):
            estimates_against_width(
                {n: each[kind] for n, each in counted.items()}, ax, color, mark, label
            )
        ax.plot(
            list(PAPER_COUNTS),
            list(PAPER_COUNTS.values()),
            "*",
            color=GREY,
            markersize=9,
            label="the paper: 1, 2, 3",
        )
        _width_axis(ax, counted or one.widths)
        ax.set_ylim(bottom=min(ax.get_ylim()[0], 1e-3))  # for the legend
        ax.set_ylabel("tickets in a net")
        ax.legend(loc="lower left", fontsize=8)
        ax.set_title(
            f"{label_of(one.activation)}: independent tickets that nets have, and would need"
        )

    def caption(self) -> str:
        return (
            "For each activation: loss of the nets, parted into what is common to all seeds and "
            "the rest; the loss of the mean of "
            "R nets over that of one, with the line bias + variance/R; what a net of width N "
            "gains over one of width N/2, "
            "parted into averaging two of these, combining them with the best weights and "
            "constant, and neither (log10 of "
            "median losses; the axis is linear up to 1 decade). Below: median cosine of the "
            "errors of two seeds, and of two "
            "mirror pairs of a net (absolute); how many of a net's mirror pairs are independent, "
            "and how many orthogonal ones "
            f"Eq. 9 would need for its loss. Bars are {LEVEL:.0%} intervals over seeds. "
            f"{self.words}."
        )

    # Numbers
    def tables(self) -> list[Table]:
        return tables(self.found)

    def verdicts(self) -> list[Verdict]:
        return verdicts(self.found)


def _width_axis(ax: "Axes", widths: Iterable[int]) -> None:
    """Some of the widths below a logarithmic axis."""
    from minilotto.report.plots.parts import width_axis

    width_axis(tuple(width for width in TICKS if min(widths) <= width <= max(widths)), ax)
    ax.set_xlabel("width $N$")
