"""What the study of the protocol trains, and where it reads the losses of each way of training."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from minilotto.analysis.landscape.starts import DEFAULT, Start
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import ConfigError
from minilotto.report.study import STAGES, Settings, default
from minilotto.settings.arrays import Array
from minilotto.settings.schemes import SCHEMES
from minilotto.store.grid import Sweep
from minilotto.training.train import checkpoint_steps

STEP, STRETCHED, HELD, COSINE, LINEAR, CONSTANT = SCHEDULES_TRIED = (
    *("step", "stretched", "held"),
    *("cosine", "linear", "constant"),
)
# Parts of the steps by which the sums of rates of the four are equal: a step schedule of five
# stages has a quarter of the rates of a constant one, to a thousandth.
EQUAL_SUMS = {STEP: 1, COSINE: 2, LINEAR: 2, CONSTANT: 4}
PAPER_RATE = 0.01
MEAN_FIELD = Start("mean_field")
SCALINGS = {"standard": DEFAULT, "mean-field": MEAN_FIELD}
NARROW = 2  # neurons of a ticket
HALVED = 500  # neurons from which on there are half the seeds
LONG = 4  # times the paper's budget, beyond which there are fewer seeds


@dataclass(frozen=True)
class ProtocolSettings(Settings):
    """What is trained; `steps` is the paper's budget, of starts and of the envelope. Raises
    ConfigError for an unknown scheme.
    """

    seeds: int = default(64, quick=16)  # of each width, rate and schedule
    long_seeds: int = default(32, quick=16)  # of trainings beyond LONG times `steps`
    # as `budgets` and `rates`, of every schedule
    widths: tuple[int, ...] = default(
        (10, 12, 15, 20, 25, 30, 35, 40, 50), quick=(10, 15, 20, 30, 50)
    )
    budgets: tuple[int, ...] = default((50_000, 200_000, 1_000_000), quick=(50_000, 200_000))
    rates: tuple[float, ...] = default((0.003, 0.01, 0.03, 0.1), quick=(0.003, 0.01, 0.1))
    # of every start
    start_rates: tuple[float, ...] = default((0.01, 0.03, 0.1, 0.3), quick=(0.01, 0.1))
    inits: tuple[str, ...] = tuple(SCHEMES)  # starts: schemes at scale one
    init_scales: tuple[float, ...] = default((0.3, 3.0), quick=(3.0,))  # of those that have one
    # of torch's outputs
    output_scales: tuple[float, ...] = default((0.01, 0.1, 3.0, 10.0, 100.0), quick=(0.1, 10.0))
    narrow_seeds: int = default(320, quick=160)  # of two neurons, for the tickets
    # of the envelope; those from HALVED on have half the seeds
    wide: tuple[int, ...] = default((70, 100, 200, 500, 1000), quick=(70, 100, 200))
    wide_seeds: int = default(32, quick=16)
    wide_rates: tuple[float, ...] = default(
        (0.001, 0.003, 0.01, 0.03, 0.1, 0.3), quick=(0.01, 0.03, 0.1, 0.3)
    )
    by_width = ("wide",)

    def __post_init__(self) -> None:
        for name in self.inits:
            if name not in SCHEMES:
                raise ConfigError(f"init {name!r} is unknown; choose from {', '.join(SCHEMES)}")

    @property
    def starts(self) -> tuple[Start, ...]:
        """Torch's default, and the others, each once."""
        scaled = [name for name in self.inits if SCHEMES[name].scalable]
        found = [DEFAULT, *(Start(name) for name in self.inits)]
        found += [Start(name, float(scale)) for name in scaled for scale in self.init_scales]
        found += [Start(output_scale=float(scale)) for scale in self.output_scales]
        return tuple(dict.fromkeys(found))

    @property
    def paper_rate(self) -> float:
        """The rate that others are compared with: the paper's, where it is tried."""
        return PAPER_RATE if PAPER_RATE in self.rates else self.rates[0]

    @property
    def shortest(self) -> int:
        return min(self.budgets)

    @property
    def longest(self) -> int:
        return max(self.budgets)

    @property
    def precise(self) -> "Way":
        """The paper's, in float64."""
        return Way(rate=self.paper_rate, budget=self.steps, dtype="float64")

    @property
    def equal_sums(self) -> dict[int, dict[str, "Way"]]:
        """Ways whose rates have one sum, by the budget of the step schedule."""
        return {
            budget: {
                name: Way(name, self.paper_rate, max(1, budget // part))
                for name, part in EQUAL_SUMS.items()
            }
            for budget in self.budgets
        }

    def at_rates(self, start: Start, rates: Iterable[float]) -> list["Way"]:
        """A start at several rates, by the paper's budget."""
        return [Way(rate=rate, budget=self.steps, start=start) for rate in rates]

    @property
    def of_starts(self) -> dict[Start, list["Way"]]:
        return {start: self.at_rates(start, self.start_rates) for start in self.starts}

    @property
    def of_envelope(self) -> dict[str, list["Way"]]:
        return {name: self.at_rates(one, self.wide_rates) for name, one in SCALINGS.items()}

    @property
    def wide_groups(self) -> list[tuple[tuple[int, ...], int]]:
        """Widths of the envelope beyond those of the law, with their seeds."""
        groups = {self.wide_seeds: [w for w in self.wide if w < HALVED]}
        groups.setdefault(max(1, self.wide_seeds // 2), []).extend(
            w for w in self.wide if w >= HALVED
        )
        return [(tuple(widths), seeds) for seeds, widths in groups.items() if widths]

    def sweeps(self) -> list[Sweep]:
        """All trainings, the most expensive first, so that no core is left alone with it."""
        every = product(self.budgets, SCHEDULES_TRIED, self.rates)
        grid = [*(Way(name, rate, budget) for budget, name, rate in every), self.precise]
        grid += [way for ways in self.equal_sums.values() for way in ways.values()]
        starts = [way for ways in self.of_starts.values() for way in ways]
        envelope = [way for ways in self.of_envelope.values() for way in ways]
        sweeps = [way.sweep(self, self.widths) for way in [*grid, *starts, *envelope]]
        sweeps += [way.sweep(self, (NARROW,), self.narrow_seeds) for way in starts]
        sweeps += [way.sweep(self, *group) for way in envelope for group in self.wide_groups]
        cost = {one: -one.configs[0].steps * one.configs[-1].width for one in sweeps}
        return sorted(cost, key=lambda one: cost[one])


@dataclass(frozen=True)
class Way:
    """One way of training: everything that is varied but width and seed."""

    schedule: str = STEP
    rate: float = PAPER_RATE
    budget: int = 50_000
    start: Start = DEFAULT
    dtype: str = "float32"

    def config(self, settings: ProtocolSettings) -> dict[str, Any]:
        """Fields of Config. A training whose first steps do not depend on its length serves all
        budgets at which its history has the losses.
        """
        steps, usual = self.budget, settings.steps
        if self.schedule in (HELD, CONSTANT) and steps != usual * (self.schedule == HELD):
            longest = settings.longest
            steps = longest if steps in checkpoint_steps(longest) else steps
        fields: dict[str, Any] = {"schedule": self.schedule}
        if self.schedule == STEP or (self.schedule in (HELD, STRETCHED) and steps == usual):
            fields = {"lr_decay_every": max(1, steps // STAGES)}
        elif self.schedule in (HELD, STRETCHED):
            fields["lr_decay_every"] = max(1, usual // STAGES)
        start = asdict(self.start)
        return {"steps": steps, **fields, **start, "lr": self.rate, "dtype": self.dtype}

    def sweep(
        self, settings: ProtocolSettings, widths: tuple[int, ...], seeds: int | None = None
    ) -> Sweep:
        """The trainings of these widths, by default with the settings' seeds."""
        fields = self.config(settings)
        usual = settings.seeds if fields["steps"] <= LONG * settings.steps else settings.long_seeds
        return Sweep(widths=widths, seeds=seeds or usual, **fields)

    def losses(self, nets: Ensemble) -> Array:
        """(R,) losses after `budget` steps."""
        if nets.config.steps == self.budget:
            return nets.loss
        return np.asarray(nets.history.loss[nets.history.steps == self.budget][0])
