"""The training budget: is the exponent of loss against width a property of networks, or of 50,000
steps?
"""

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Array, Estimate
from minilotto.analysis.stats.scaling import Comparison, compare_laws
from minilotto.errors import DataError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Scale, Source, Table
from minilotto.report.rules import HOLDS, LEVEL, UNTESTED
from minilotto.report.studies.budget.budget_lines import (
    GAIN,
    LEAKY,
    MAIN,
    PAPER_RANGE,
    UNSCALED,
    WHOLE_RANGE,
    Line,
    exponent_over,
    line_of,
)
from minilotto.report.studies.budget.budget_verdicts import same, verdicts
from minilotto.report.study import Settings, Study
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

LANES = 16
NARROW = 50  # widths up to here have more seeds
DROPS = 5  # of the rate in a training: every fifth of the paper's budget


@dataclass(frozen=True)
class BudgetSettings(Settings):
    """What is trained.

    seeds, wide_seeds      networks of each width up to 50, and of each wider one, for budgets up to
                           `steps`; beyond, fewer by the root of the budget, in whole vectors of 16
    varied_seeds           the same for the variations
    budgets, widths        of the main line: SiLU, the schedule scaled with the budget, rate 1e-2,
                           float32
    varied_budgets, varied_widths, rates
                           of the variations: the paper's schedule unscaled, these other rates,
                           float64; and LeakyReLU, with all widths of the main line from 10 to 50
    steps                  the paper's budget, whose schedule is left as it is where it is not
                           scaled
    """

    seeds: int = 384
    wide_seeds: int = 48
    varied_seeds: int = 192
    budgets: tuple[int, ...] = (5_000, 15_000, 50_000, 150_000, 500_000, 1_000_000)
    widths: tuple[int, ...] = (2, 4, 10, 15, 20, 30, 40, 50, 70, 100, 200, 1000)
    varied_budgets: tuple[int, ...] = (5_000, 50_000, 150_000)
    varied_widths: tuple[int, ...] = (10, 20, 50)
    rates: tuple[float, ...] = (3e-3, 3e-2)

    @classmethod
    def quick(cls) -> "BudgetSettings":
        return cls(
            seeds=48,
            wide_seeds=16,
            varied_seeds=32,
            budgets=(5_000, 15_000, 50_000, 150_000),
            widths=(2, 10, 20, 30, 50, 100, 200),
            varied_budgets=(5_000, 50_000),
        )

    @classmethod
    def at(cls, scale: Scale) -> "BudgetSettings":
        """Budgets shrink with the scale's steps, so that the paper's stays among them."""
        full = cls.quick() if scale.quick else cls()
        steps = min(full.steps, scale.steps)

        def shrunk(budgets: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(sorted({max(1, budget * steps // full.steps) for budget in budgets}))

        return dataclasses.replace(
            full,
            steps=steps,
            seeds=min(full.seeds, scale.seeds),
            wide_seeds=min(full.wide_seeds, scale.seeds),
            varied_seeds=min(full.varied_seeds, scale.seeds),
            widths=tuple(width for width in full.widths if width <= scale.widest),
            budgets=shrunk(full.budgets),
            varied_budgets=shrunk(full.varied_budgets),
        )


class Budget(Study):
    """Exponents against the number of steps, over the paper's widths and beyond; loss against
    steps, and where it saturates.
    """

    name = "budget"
    title = "the training budget"
    question = (
        "Is the exponent of loss against width a property of the networks, or of the 50,000 "
        "steps after which the paper stops? "
        "And how many steps does each width gain from?"
    )
    settings_type = BudgetSettings

    @classmethod
    def trainings(cls, settings: BudgetSettings) -> tuple[Sweep, ...]:
        found = [
            sweep
            for line in ways(settings)
            for sweeps in _of_line(settings, line).values()
            for sweep in sweeps
        ]
        # The dearest first, so that no core is left alone with it.
        return tuple(
            sorted(found, key=lambda sweep: -sweep.configs[0].steps * sweep.configs[0].width)
        )

    def __init__(self, source: Source, scale: Scale | BudgetSettings) -> None:
        self.settings: BudgetSettings = self.chosen(scale)
        self.left_out: list[str] = []
        self.lines: dict[str, Line] = {}
        for name in ways(self.settings):
            line = self._line(source, name)
            if line.found:
                self.lines[name] = line
        main = self.lines.get(MAIN)
        if main is None or len(main.exponents["10 to 50"]) < 2:
            raise DataError(
                "an exponent against the budget needs three widths from 10 to 50 at two budgets "
                "or more, each with "
                f"{LEAST_SEEDS} finite seeds of SiLU and the schedule scaled; name more of what "
                "there are too few, and train "
                "them with Budget.run"
            )
        self.main = main
        self.laws: dict[int, Comparison] = {}
        for budget, found in main.found.items():
            inside = found.select(found.widths >= WHOLE_RANGE[0])
            if len(inside.widths) >= 3:
                self.laws[budget] = compare_laws(inside)

    def _line(self, source: Source, name: str) -> Line:
        losses: dict[int, dict[int, Array]] = {}
        for budget, sweeps in _of_line(self.settings, name).items():
            found = {
                width: nets.loss
                for sweep in sweeps
                for width, nets in source.by_width(sweep).items()
            }
            losses[budget] = {
                width: loss
                for width, loss in found.items()
                if self._usable(name, budget, width, loss)
            }
        return line_of(name, losses)

    def _usable(self, name: str, budget: int, width: int, loss: Array) -> bool:
        """Whether these losses have a median with an interval; noted where they have not."""
        finite = loss[np.isfinite(loss)]
        good = len(finite) >= LEAST_SEEDS and finite.min() > 0 and finite.min() < finite.max()
        if not good:
            self.left_out.append(
                f"{name}, {budget:,} steps, width {width}: {len(finite)} of {len(loss)} seeds are "
                "finite"
            )
        return good

    def design(self) -> str:
        s = self.settings
        return (
            f"Networks of width {_listed(s.widths)} are trained for {_listed(s.budgets)} steps: "
            f"{s.seeds} seeds up to width 50, "
            f"{s.wide_seeds} beyond, for longer training than the paper's fewer by the root of "
            "the steps. Main line: SiLU, "
            "float32, rate 0.01 that falls by 5 after each fifth of the training, whatever its "
            "length. One thing at a time is "
            f"varied at widths {_listed(s.varied_widths)} and {_listed(s.varied_budgets)} steps, "
            f"{s.varied_seeds} seeds (fewer "
            f"likewise): the paper's schedule unscaled (every {max(1, s.steps // DROPS):,} "
            "steps), rates "
            f"{', '.join(f'{rate:g}' for rate in s.rates)}, float64; and LeakyReLU at all widths "
            "from 10 to 50. Seeds are as "
            "many as tell two exponents over widths 10 to 50 apart by about a quarter. If the "
            "law is the networks', the "
            "exponent stays where the budget changes; if it is the budget's, it moves."
        )

    def headline(self) -> str:
        exponents = self.main.exponents["10 to 50"]
        first, last = min(exponents), max(exponents)
        change = self.main.moved(last, first)
        outcome = UNTESTED if change is None else same(change)
        says = {
            HOLDS: "is the same for short and long training",
            UNTESTED: "is not known well enough to tell a change with training",
        }
        wide = [width for width, one in self.main.saturated.items() if np.isinf(one.budget.value)]
        some = (
            f"{len(wide)} of {len(self.main.saturated)} widths have not saturated by "
            f"{max(self.main.found):,}"
        )
        return (
            "The exponent of loss against width (10 to 50) "
            f"{says.get(outcome, 'moves with the training budget')}: "
            f"{exponents[first]} after {first:,} steps, {exponents[last]} after {last:,}; {some}."
        )

    def draw(self) -> "Drawing":
        from minilotto.report.plots.budgets import (
            against_steps,
            by_budget,
            estimates_by_budget,
            paper_budget,
        )
        from minilotto.report.plots.scaling import shaded_range
        from minilotto.report.plots.style import grid

        figure, ((a, b), (c, d)) = grid(2, 2, 10.0, 8.0)
        by_budget(self.main.found, a)
        shaded_range(*PAPER_RANGE, a, "the paper's range")
        a.set_title("loss against width, by steps")
        marks = {width: one.budget.value for width, one in self.main.saturated.items()}
        against_steps(self.main.by_width, marks, b)
        b.set_title("loss against steps, by width; ring: saturated")
        estimates_by_budget(
            {f"widths {span}": found for span, found in self.main.exponents.items() if found}, c
        )
        c.set_title("exponent by range of widths")
        estimates_by_budget(self._side_by_side(), d)
        d.set_title("exponent over widths 10 to 50, by training")
        for ax in (b, c, d):
            paper_budget(self.settings.steps, ax)
        return figure

    def _side_by_side(self) -> dict[str, dict[int, Estimate]]:
        """Exponents of all trainings over seeds alone, the main line's fitted to the widths of the
        variations.
        """
        shown: dict[str, dict[int, Estimate]] = {}
        for name, line in self.lines.items():
            shown[name] = {}
            for budget, one in line.found.items():
                same_widths = one.select(np.isin(one.widths, self.settings.varied_widths))
                e = exponent_over(one if name == LEAKY else same_widths, *PAPER_RANGE, misfit=False)
                if e is not None:
                    shown[name][budget] = e
        return {name: found for name, found in shown.items() if found}

    def caption(self) -> str:
        low, high = min(self.main.found), max(self.main.found)
        seeds = [int(count) for one in self.main.found.values() for count in one.seeds]
        several = f"{min(seeds)}" if min(seeds) == max(seeds) else f"{min(seeds)} to {max(seeds)}"
        left = f" Left out: {'; '.join(self.left_out)}." if self.left_out else ""
        return (
            f"Median loss of SiLU networks that learn x² after {low:,} to {high:,} Adam steps, "
            "the schedule scaled with them. "
            "Rings: the number of steps from which on ten times as many gain less than a factor "
            f"{GAIN:g}; none where the loss "
            "still gains at the last. Below left: exponents over three ranges of widths, the "
            "scatter of widths about a power "
            "law included. Below right: with one thing changed at a time, all but LeakyReLU "
            "fitted to widths "
            f"{_listed(self.settings.varied_widths)}, scatter of seeds alone. Dotted: "
            f"{self.settings.steps:,} steps, the "
            f"paper's. Bars are {LEVEL:.0%} intervals; {several} seeds a width, 100 points "
            f"(grid).{left}"
        )

    def tables(self) -> list[Table]:
        losses: dict[str, list] = {
            n: []
            for n in ("training", "steps", "width", "seeds", "diverged", "median", "low", "high")
        }
        slopes: dict[str, list] = {
            n: [] for n in ("training", "steps", "widths", "exponent", "low", "high")
        }
        laws: dict[str, list] = {
            n: []
            for n in (
                "steps",
                "widths",
                "law",
                "weight",
                "held out decades",
                "exponent",
                "low",
                "high",
            )
        }
        limits: dict[str, list] = {
            n: []
            for n in ("training", "width", "saturated at", "low", "high", "share still gaining")
        }
        for line in self.lines.values():
            for budget, one in line.found.items():
                rows = zip(
                    one.widths.astype(int).tolist(),
                    one.seeds,
                    one.diverged,
                    one.value,
                    one.low,
                    one.high,
                    strict=True,
                )
                for values in rows:
                    _add(losses, line.name, budget, *values)
            for span, found in line.exponents.items():
                for budget, e in found.items():
                    _add(slopes, line.name, budget, span, e.value, e.low, e.high)
            for width, limit in line.saturated.items():
                _add(
                    limits,
                    line.name,
                    width,
                    limit.budget.value,
                    limit.budget.low,
                    limit.budget.high,
                    limit.gaining,
                )
        nan = float("nan")
        for budget, comparison in self.laws.items():
            for row in comparison.rows:
                if row.fit is not None:
                    e = row.fit.with_misfit["exponent"]
                    weight = nan if row.weight is None else row.weight
                    span = f"{row.fit.points.widths[0]:g} to {row.fit.points.widths[-1]:g}"
                    _add(
                        laws,
                        budget,
                        span,
                        row.law,
                        weight,
                        row.fit.held_out_error or nan,
                        e.value,
                        e.low,
                        e.high,
                    )
        return [
            Table("losses", losses),
            Table("exponents", slopes),
            Table("laws", laws),
            Table("saturation", limits),
        ]

    def verdicts(self) -> list[Verdict]:
        return verdicts(self)


def ways(settings: BudgetSettings) -> dict[str, dict[str, Any]]:
    """The trainings by name: what each changes of the main line's configs."""
    return {
        MAIN: {},
        UNSCALED: {"lr_decay_every": max(1, settings.steps // DROPS)},
        **{f"rate {rate:g}": {"lr": rate} for rate in settings.rates},
        "float64": {"dtype": "float64"},
        LEAKY: {"activation": "leaky_relu"},
    }


def _of_line(settings: BudgetSettings, name: str) -> dict[int, tuple[Sweep, ...]]:
    """What one line trains, by budget, wide nets first."""
    changes = ways(settings)[name]
    if name == MAIN:
        narrow = [width for width in settings.widths if width <= NARROW]
        wide = [width for width in settings.widths if width > NARROW]
        groups, budgets = [(settings.wide_seeds, wide), (settings.seeds, narrow)], settings.budgets
    else:
        inside = [width for width in settings.widths if PAPER_RANGE[0] <= width <= PAPER_RANGE[1]]
        widths = (
            inside if name == LEAKY else list(settings.varied_widths)
        )  # its exponent is asked for, not only its difference
        groups, budgets = [(settings.varied_seeds, widths)], settings.varied_budgets
    return {
        budget: tuple(
            Sweep(
                widths=sorted(widths, reverse=True),
                seeds=_fewer(seeds, budget / settings.steps),
                **{"steps": budget, "lr_decay_every": max(1, budget // DROPS), **changes},
            )
            for seeds, widths in groups
            if widths
        )
        for budget in sorted(budgets)
    }


def _fewer(seeds: int, times: float) -> int:
    """Seeds for a budget so many times the paper's: what is spent grows as its root, in whole
    vectors of nets.
    """
    return (
        seeds
        if times <= 1
        else max(min(seeds, LANES), round(seeds / np.sqrt(times) / LANES) * LANES)
    )


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(f"{number:,}" for number in numbers)


def _add(rows: dict[str, list], *values: Any) -> None:
    for column, value in zip(rows.values(), values, strict=True):
        column.append(value)
