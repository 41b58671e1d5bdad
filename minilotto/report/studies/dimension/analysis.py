"""Curves of loss against width for targets of one input and more, and their settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import ArrayLike

from minilotto.analysis.stats.held_out import HeldOutCurve
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


class Curve(HeldOutCurve):
    """Loss against width of one activation on one target, whose variance is given."""

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
        self.named = f"{named(self.activation)} {self.task}"
        super().__init__(widths, seen, held, BEGUN * variance, OVERFITTED, SPAN, LEVEL)


@lru_cache(maxsize=64)
def held_out_points(task: str) -> Dataset:
    """Uniform points of the cube that no training here has seen."""
    return sampled(Config(task=task, sampling="uniform", points=HELD_OUT, root_seed=2**32))


def curve_of_nets(case: Case, nets: Mapping[int, Ensemble]) -> Curve:
    """The curve of nets by width. Raises DataError for too few seeds."""
    data, some = held_out_points(f"{case[1]}{case[2]}"), nets.values()
    held = [np.mean((one.predict(data.x) - data.y) ** 2, axis=1) for one in some]
    return Curve(case, list(nets), [one.loss for one in some], held, float(data.y.var()))
