"""Curves of loss against width for targets of one input and more, and their settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from numpy.typing import ArrayLike

from minilotto.analysis.stats.bootstrap import Estimate, points
from minilotto.analysis.stats.rates import TOLERANCE
from minilotto.analysis.stats.scaling import Fit, fit_law
from minilotto.analysis.stats.stretches import WINDOW, Stretch, longest_stretch
from minilotto.ensemble.ensemble import Ensemble
from minilotto.report.claims import register
from minilotto.report.figure import losses_on, named, unseen_points
from minilotto.report.rules import LEVEL
from minilotto.report.study import Settings, scheduled
from minilotto.store.grid import Sweep

# One factor is no product; of eight a few hundred points sample nothing but the tails.
PRODUCT_INPUTS = (2, 5)
PRODUCT_POINTS = 2  # times as many training points
HELD_OUT = 8192  # uniform points that no training has seen
FAMILIES = {"sum": "sums", "product": "products", "radial": "radial", "teacher": "teachers"}
BEGUN = 0.5  # held-out loss over the target's variance, above which a width is left out
LONGER = 2.5  # times as many steps, to see what shorter training does
ENTRY = register(__package__, "claims.toml", "dimension")
# Held-out loss over training loss, above which a width is left out.
OVERFITTED = ENTRY.claims["enough_points"]["overfitted"]
# A factor in width over which an exponent must last to count as a law.
SPAN = ENTRY.claims["persists"]["span"]

Case = tuple[str, str, int]  # activation, family, number of inputs


@dataclass(frozen=True)
class DimensionSettings(Settings):
    seeds: int = 16
    steps: int = 20_000
    widths: tuple[int, ...] = (4, 6, 9, 13, 19, 28)
    inputs: tuple[int, ...] = (1, 2, 3, 4, 5, 8)  # numbers of them
    families: tuple[str, ...] = ("sum", "product", "radial", "teacher")  # of targets
    activations: tuple[str, ...] = ("silu", "leaky_relu")
    points_per_parameter: float = 5.0  # for training, of the widest net
    # tasks of nets also trained LONGER times as long, by default as long as the paper's
    checked: tuple[str, ...] = ("radial2", "teacher3")

    @classmethod
    def quick(cls) -> "DimensionSettings":
        return cls(steps=4_000, widths=(4, 6, 9, 13, 19), inputs=(1, 2, 5))

    def points(self, family: str, inputs: int) -> int:
        """Training points; more for products, most of whose variance lies in a few corners."""
        times = PRODUCT_POINTS if family == "product" else 1
        return ceil(times * self.points_per_parameter * max(self.widths) * (inputs + 2))

    def sweep(self, case: Case, longer: float = 1.0) -> Sweep:
        """The nets of one curve of loss against width, whose rate falls four times."""
        activation, family, inputs = case
        return Sweep(
            widths=self.widths,
            activations=(activation,),
            tasks=(f"{family}{inputs}",),
            sampling="uniform",
            points=self.points(family, inputs),
            seeds=self.seeds,
            **scheduled(round(longer * self.steps)),
        )


def cases(settings: DimensionSettings) -> list[Case]:
    """(activation, family, number of inputs) of every curve."""
    low, high = PRODUCT_INPUTS
    return [
        (activation, family, inputs)
        for activation in settings.activations
        for family in settings.families
        for inputs in settings.inputs
        if family != "product" or low <= inputs <= high
    ]


def checks(settings: DimensionSettings) -> list[Case]:
    """Those that are also trained longer."""
    return [case for case in cases(settings) if f"{case[1]}{case[2]}" in settings.checked]


class Curve:
    """Loss against width of one activation on one target, on the training points (`seen`) and on
    others (`held`), without the widths that overfit or have hardly begun.

    ratio: held / seen; overfitted, idle, kept: (W,) such widths, and the others; span: the largest
    width kept over the smallest, 1 for none; fit, seen_fit: power laws at the widths kept; stretch:
    the longest range of these where the loss falls as 1/N; None where they are too few.
    """

    fit: Fit | None = None
    seen_fit: Fit | None = None
    stretch: Stretch | None = None

    def __init__(
        self,
        case: Case,
        widths: Sequence[int],
        seen: Sequence[ArrayLike],
        held: Sequence[ArrayLike],
        variance: float = 1.0,
    ) -> None:
        """From losses (R,) by width, on training and other points, and the target's variance."""
        self.activation, self.family, self.inputs = case
        self.task = f"{self.family}{self.inputs}"
        self.named = f"{named(self.activation)} {self.task}"
        self.seen, self.held = (points(widths, each, level=LEVEL) for each in (seen, held))
        self.ratio = self.held.value / self.seen.value
        self.overfitted = self.ratio > OVERFITTED
        self.idle = self.held.value > BEGUN * variance
        self.kept = ~(self.overfitted | self.idle)
        kept = self.held.widths[self.kept]
        self.span = float(kept[-1] / kept[0]) if len(kept) else 1.0
        if len(kept) >= WINDOW:
            self.fit, self.seen_fit = (fit_law(e.select(self.kept)) for e in (self.held, self.seen))
            self.stretch = longest_stretch(self.fit.points, 1.0, TOLERANCE, SPAN)

    @property
    def exponent(self) -> Estimate | None:
        """Of the held-out loss, with seeds' and widths' scatter."""
        return None if self.fit is None else self.fit.estimates["exponent"]


def curve_of_nets(case: Case, nets: Mapping[int, Ensemble]) -> Curve:
    """The curve of nets by width. Raises DataError for too few seeds."""
    data, seen = unseen_points(f"{case[1]}{case[2]}", HELD_OUT), [one.loss for one in nets.values()]
    held = list(losses_on(data, nets).values())
    return Curve(case, list(nets), seen, held, float(data.y.var()))
