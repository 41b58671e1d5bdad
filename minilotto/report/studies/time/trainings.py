"""Trainings of the study of time: ways, output scales, early and late steps, and horizons."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from minilotto.errors import ConfigError
from minilotto.report.study import Settings, default
from minilotto.settings.scaled import times
from minilotto.store.grid import Sweep

TASK = "square"
HALF = "half the rate"


class Way(NamedTuple):
    """How nets are trained, but for their width."""

    optimizer: str
    init: str
    scale: float
    rate: float
    early: int
    schedule: str = "constant"

    def __str__(self) -> str:
        name = {"gd": "gradient descent", "adam": "Adam"}[self.optimizer]
        where = f"output scale {self.exact}" if self.init == "uniform" else "torch's start"
        ending = "" if self.schedule == "constant" else f", {self.schedule} decay"
        return f"{name}, {where}{ending}"

    @property
    def exact(self) -> Fraction:
        return Fraction(self.scale).limit_denominator(10**4)

    def times(self, width: int) -> Fraction:
        """The number by which outputs and targets are multiplied."""
        return width / self.exact if self.init == "uniform" else Fraction(1)

    def fields(self, width: int) -> dict[str, Any]:
        """Fields of Config. The rate of gradient descent has the function move alike at every
        width and, where it is stable, at every scale.
        """
        by_width = width * max(1.0, 1 / self.scale) if self.optimizer == "gd" else 1.0
        fixed = {"optimizer": self.optimizer, "init": self.init, "schedule": self.schedule}
        task = times(TASK, self.times(width))
        return {"width": width, "task": task, "lr": self.rate / by_width, **fixed}


@dataclass(frozen=True)
class TimeSettings(Settings):
    """What is trained. Raises ConfigError for scales without 1 or beyond ten thousand either way,
    and steps without those named.
    """

    seeds: int = default(64, quick=16)
    steps: int = default(20_000, quick=5000)
    # of nets that take all steps
    widths: tuple[int, ...] = default(
        (8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512), quick=(8, 16, 32, 64)
    )
    # of those that take the early ones alone
    wide: tuple[int, ...] = default((724, 1024, 1448, 2048), quick=(128,))
    least: int = default(32, quick=16)  # width of a law
    # of the output, 1 among them; the largest is the laziest
    scales: tuple[float, ...] = (64.0, 8.0, 1.0, 1 / 8, 1 / 64)
    rate: float = 0.1  # of gradient descent in time of the function
    adam_rate: float = 0.003
    # steps at which functions are compared, 10 and 100 among them
    early: tuple[int, ...] = default((10, 30, 100, 300), quick=(10, 100))
    early_seeds: int = default(128, quick=32)  # of each config that are compared early
    # later steps at which they are, before the last
    keep: tuple[int, ...] = default((1000, 5000), quick=(1000,))
    ladder: tuple[int, ...] = (8, 32, 128)  # widths of trainings whose rate falls to 0
    # their steps
    horizons: tuple[int, ...] = default(
        (4000, 8000, 16_000, 32_000, 64_000), quick=(500, 1000, 2000, 4000, 8000)
    )
    other_points: int = 400  # in place of 100
    by_steps = ("keep", "horizons")

    def __post_init__(self) -> None:
        if 1.0 not in self.scales or not all(1e-4 <= scale <= 1e4 for scale in self.scales):
            raise ConfigError(f"scales={self.scales!r} lack 1 or leave 1e-4 to 1e4; change them")
        if not {10, 100} <= {*self.early} or not self.keep:
            raise ConfigError(
                f"early={self.early!r} and keep={self.keep!r} lack step 10, 100 or a later one; "
                "add it"
            )

    @property
    def gradual(self) -> list[Way]:
        scales = sorted(self.scales, reverse=True)
        return [Way("gd", "uniform", scale, self.rate, 10) for scale in scales]

    @property
    def usual(self) -> Way:
        return Way("gd", "uniform", 1.0, self.rate, 10)

    @property
    def ways(self) -> list[Way]:
        adams = [Way("adam", init, 1.0, self.adam_rate, 100) for init in ("uniform", "torch")]
        return [*self.gradual, *adams]

    @property
    def falling(self) -> list[Way]:
        """Ways whose rate falls to 0 at their horizon."""
        mean_field = (self.usual, self.ways[-2])
        return [way._replace(schedule="linear") for way in mean_field]

    def sweeps(self) -> list[Sweep]:
        some = [*map(self.usually, self.ways), *map(self.decayed, self.falling)]
        some += [sweeps for _, _, sweeps in self.others().values()]
        return [one for sweeps in some for one in sweeps]

    def usually(self, way: Way) -> list[Sweep]:
        """The nets of a way, by width: many that end early, and some that take all steps."""
        early, *others = sorted(self.early, reverse=True)
        short = [
            Sweep(self.early_seeds, steps=early, keep=others, **way.fields(width))
            for width in (*self.widths, *self.wide)
        ]
        keep = [step for step in self.keep if step < self.steps]
        long = [
            Sweep(self.seeds, steps=self.steps, keep=keep, **way.fields(width))
            for width in self.widths
        ]
        return [*short, *long]

    def others(self) -> dict[str, tuple[Way, int, list[Sweep]]]:
        """Other trainings up to the last step of `keep`, by name: the way that they change, how
        many times as many steps they take, and their nets.
        """

        def trained(way: Way, times: int, rate: float, **fields: Any) -> Any:
            fields |= {"steps": times * max(self.keep), "keep": (times * way.early,)}
            other = way._replace(rate=rate)
            nets = [Sweep(self.seeds, **other.fields(width), **fields) for width in self.widths]
            return way, times, nets

        usual, rate = self.usual, self.rate
        return {
            f"{HALF}, {usual}": trained(usual, 2, rate / 2),
            f"{HALF}, {self.gradual[-1]}": trained(self.gradual[-1], 2, rate / 2),
            "float64": trained(usual, 1, rate, dtype="float64"),
            f"{self.other_points} points": trained(usual, 1, rate, points=self.other_points),
        }

    def decayed(self, way: Way) -> list[Sweep]:
        return [
            Sweep(self.seeds, steps=self.horizons, **way.fields(width)) for width in self.ladder
        ]
