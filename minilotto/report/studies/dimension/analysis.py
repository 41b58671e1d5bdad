"""Curves of loss against width for targets of one input and more: settings, fits, rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil

import numpy as np
from numpy.typing import ArrayLike

from minilotto.analysis.stats.bootstrap import Estimate, points
from minilotto.analysis.stats.rates import (
    LEAST,
    TOLERANCE,
    Line,
    RuleMiss,
    compare_rules,
    line_in_one_over_inputs,
)
from minilotto.analysis.stats.scaling import Comparison, Fit, compare_laws, fit_law
from minilotto.analysis.stats.stretches import WINDOW, Stretch, longest_stretch
from minilotto.data.dataset import Dataset, sampled
from minilotto.ensemble.ensemble import Ensemble
from minilotto.report.claims import register
from minilotto.report.figure import named
from minilotto.report.rules import LEVEL
from minilotto.report.study import Settings
from minilotto.settings.config import Config
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
    """What is trained.

    Parameters
    ----------
    widths, inputs : tuple of int
        Widths of the nets; numbers of inputs.
    families, activations : tuple of str
        Of targets; of nets.
    points_per_parameter : float
        Training points for each parameter of the widest net.
    checked : tuple of str
        Tasks of the nets that are also trained LONGER times as long, with the defaults as long as
        the paper's.
    """

    seeds: int = 16
    steps: int = 20_000
    widths: tuple[int, ...] = (4, 6, 9, 13, 19, 28)
    inputs: tuple[int, ...] = (1, 2, 3, 4, 5, 8)
    families: tuple[str, ...] = ("sum", "product", "radial", "teacher")
    activations: tuple[str, ...] = ("silu", "leaky_relu")
    points_per_parameter: float = 5.0
    checked: tuple[str, ...] = ("radial2", "teacher3")

    @classmethod
    def quick(cls) -> "DimensionSettings":
        return cls(steps=4_000, widths=(4, 6, 9, 13, 19), inputs=(1, 2, 5))

    def points(self, family: str, inputs: int) -> int:
        """Training points; more for products, most of whose variance lies in a few corners."""
        times = PRODUCT_POINTS if family == "product" else 1
        return ceil(times * self.points_per_parameter * max(self.widths) * (inputs + 2))

    def sweep(self, case: Case, longer: float = 1.0) -> Sweep:
        """The nets of one curve of loss against width; the rate falls four times, however many
        steps there are.
        """
        activation, family, inputs = case
        steps = round(longer * self.steps)
        return Sweep(
            widths=self.widths,
            activations=(activation,),
            tasks=(f"{family}{inputs}",),
            sampling="uniform",
            points=self.points(family, inputs),
            seeds=self.seeds,
            steps=steps,
            lr_decay_every=max(1, steps // 5),
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
    """Loss against width of one activation on one target, whose variance is given.

    seen, held: median loss on the training points and on others; overfitted, idle (W,): widths that
    overfit or have hardly begun. fit, seen_fit and stretch are of the widths kept, None where these
    are too few. span: the largest width kept over the smallest, 1 for none.
    """

    def __init__(
        self,
        case: Case,
        widths: Sequence[int],
        seen: Sequence[ArrayLike],
        held: Sequence[ArrayLike],
        variance: float = 1.0,
    ) -> None:
        """From losses on training points and on others, each (R,) by width. Raises DataError for
        too few seeds.
        """
        self.activation, self.family, self.inputs = case
        self.task = f"{self.family}{self.inputs}"
        self.seen, self.held = (points(widths, each, level=LEVEL) for each in (seen, held))
        self.ratio = self.held.value / self.seen.value
        self.overfitted = self.ratio > OVERFITTED
        self.idle = self.held.value > BEGUN * variance
        self.kept = ~(self.overfitted | self.idle)
        kept = self.held.widths[self.kept]
        self.span = float(kept[-1] / kept[0]) if len(kept) else 1.0
        self.fit: Fit | None = None
        self.seen_fit: Fit | None = None
        self.stretch: Stretch | None = None
        if len(kept) >= WINDOW:
            self.fit, self.seen_fit = (fit_law(e.select(self.kept)) for e in (self.held, self.seen))
            self.stretch = longest_stretch(self.fit.points, 1.0, TOLERANCE, SPAN)

    @property
    def exponent(self) -> Estimate | None:
        """Of the held-out loss, with seeds' and widths' scatter."""
        return None if self.fit is None else self.fit.with_misfit["exponent"]

    @cached_property
    def comparison(self) -> Comparison | None:
        """Laws for the widths kept."""
        return None if self.fit is None else compare_laws(self.fit.points)

    @property
    def named(self) -> str:
        """Activation and task, for a reader."""
        return f"{named(self.activation)} {self.task}"


@lru_cache(maxsize=64)
def held_out_points(task: str) -> Dataset:
    """Uniform points of the cube that no training here has seen."""
    return sampled(Config(task=task, sampling="uniform", points=HELD_OUT, root_seed=2**32))


def curve_of_nets(case: Case, nets: Mapping[int, Ensemble]) -> Curve:
    """The curve of nets by width. Raises DataError for too few seeds."""
    data, some = held_out_points(f"{case[1]}{case[2]}"), nets.values()
    held = [np.mean((one.predict(data.x) - data.y) ** 2, axis=1) for one in some]
    return Curve(case, list(nets), [one.loss for one in some], held, float(data.y.var()))


class Findings:
    """All curves, those of nets trained longer, rules for the exponents of each activation, and
    lines in 1/D of each family.
    """

    def __init__(
        self,
        settings: DimensionSettings,
        curves: Mapping[Case, Curve],
        longer: Mapping[Case, Curve],
    ) -> None:
        self.settings, self.curves, self.longer = settings, curves, longer
        self.activations = [a for a in settings.activations if any(a == case[0] for case in curves)]
        self.families = [f for f in settings.families if any(f == case[1] for case in curves)]
        self.inputs = sorted({inputs for _, _, inputs in curves})
        self.rules: dict[str, tuple[RuleMiss, ...]] = {}
        self.lines: dict[tuple[str, str], Line] = {}
        for activation in self.activations:
            some = [(one.inputs, e) for one, e in self.known(activation)]
            if len(some) >= LEAST:
                self.rules[activation] = compare_rules(*_columns(some))
            for family in self.families:
                some = [(c.inputs, e) for c, e in self.known(activation) if c.family == family]
                if len(some) >= LEAST:
                    line = line_in_one_over_inputs(*_columns(some), LEVEL)
                    self.lines[activation, family] = line

    @property
    def left_out(self) -> tuple[int, int]:
        """Widths of all curves that overfit, and that have hardly begun."""
        curves = self.curves.values()
        overfitted = sum(int(one.overfitted.sum()) for one in curves)
        return overfitted, sum(int(one.idle.sum()) for one in curves)

    def known(self, activation: str) -> list[tuple[Curve, Estimate]]:
        """Curves of an activation that have an exponent, with it."""
        some = [(one, one.exponent) for one in self.curves.values() if one.activation == activation]
        return [(one, exponent) for one, exponent in some if exponent is not None]


def _columns(rows: Sequence[tuple[int, Estimate]]) -> tuple[list[int], list[Estimate]]:
    return [inputs for inputs, _ in rows], [exponent for _, exponent in rows]
