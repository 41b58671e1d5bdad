"""Is a ticket a minimum? Curvature at trained nets, polishing from them, and the valley that the
paper's ticket lies in.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minilotto.analysis.landscape.curvature import Curvature, curvature
from minilotto.analysis.landscape.polish import Polished, polish
from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Array, Points, points
from minilotto.analysis.tickets.valley import Descent, Valley, descent, valley
from minilotto.data.dataset import Dataset, sampled
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.report.claims import Verdict
from minilotto.report.figure import Scale, Source, Table
from minilotto.report.rules import LEVEL
from minilotto.report.studies.minimum.minimum_verdicts import verdicts
from minilotto.report.study import Settings, Study
from minilotto.settings.activations import ACTIVATIONS
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

EQ2 = Parameters(  # the printed ticket
    np.array([[[-0.83010483], [0.83010304]]]),
    np.array([[-1.16842330, -1.16842365]]),
    np.array([[5.68583536, 5.68586636]]),
    np.array([3.1539197]),
)
ASYMMETRY = 0.05  # of |w|, b and v of two neurons, below which they are a mirror pair
ALONG = (1.5, 1e-4, 72)  # |w| at which the valley is looked at: from, to, how many
DROPS = 5
SILU = ACTIVATIONS["silu"]
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class MinimumSettings(Settings):
    """What is trained and looked at.

    seeds, double_seeds  networks of width 2 at each budget, in float32 and in float64
    budgets              steps, the schedule scaled with them
    widths               of the other nets, trained for `steps`
    looked_at            nets of each kind whose Hessian is taken
    polished             neurons in all that are polished of each kind, 2 nets at least
    """

    seeds: int = 400
    double_seeds: int = 100
    budgets: tuple[int, ...] = (5_000, 15_000, 50_000, 150_000, 500_000, 1_000_000)
    widths: tuple[int, ...] = (4, 10, 50)
    looked_at: int = 64
    polished: int = 160

    @classmethod
    def quick(cls) -> "MinimumSettings":
        return cls(
            seeds=200,
            double_seeds=60,
            budgets=(5_000, 15_000, 50_000, 150_000),
            looked_at=24,
            polished=60,
        )

    @classmethod
    def at(cls, scale: Scale) -> "MinimumSettings":
        """Budgets shrink with the scale's steps, so that the paper's stays among them."""
        full = cls.quick() if scale.quick else cls()
        steps = min(full.steps, scale.steps)
        return dataclasses.replace(
            full,
            steps=steps,
            seeds=min(full.seeds, scale.seeds),
            double_seeds=min(full.double_seeds, scale.seeds),
            looked_at=min(full.looked_at, scale.seeds),
            budgets=tuple(
                sorted({max(1, budget * steps // full.steps) for budget in full.budgets})
            ),
        )


@dataclass(frozen=True, eq=False)
class Kind:
    """Nets of one kind: their curvature, and some of them polished."""

    name: str
    curvature: Curvature
    polished: Polished

    @property
    def stays(self) -> np.ndarray:
        """(R,) bool of the polished ones: no negative curvature, Newton's decrease small, and
        polishing leaves the loss.
        """
        settled = self.curvature.settled()[: len(self.polished.loss)]
        return settled & (self.polished.loss >= 0.99 * self.polished.start)


@dataclass(frozen=True, eq=False)
class Tickets:
    """Mirror pairs near the valley's floor among nets of width 2: their |w| (T,), loss (T,), and
    how many nets there were.
    """

    nets: Ensemble
    w: Array
    loss: Array
    of: int


class Minimum(Study):
    """Spectra, polish, valley, and the place in the valley that training reaches."""

    name = "minimum"
    title = "is a ticket a minimum?"
    question = (
        "The paper takes the losses of trained networks for those of local minima. Is a ticket "
        "one? If not, what ends its "
        "descent: the function that two neurons can make, the arithmetic, or the number of steps?"
    )
    settings_type = MinimumSettings

    @classmethod
    def trainings(cls, settings: MinimumSettings) -> tuple[Sweep, ...]:
        pairs = [
            _pairs(settings, dtype, budget)
            for dtype in DTYPES
            for budget in sorted(settings.budgets, reverse=True)
        ]
        wider = (
            [Sweep(widths=settings.widths, seeds=settings.looked_at, steps=settings.steps)]
            if settings.widths
            else []
        )
        return (*pairs, *wider)

    def __init__(self, source: Source, scale: Scale | MinimumSettings) -> None:
        self.settings: MinimumSettings = self.chosen(scale)
        self.data: Dataset = sampled(
            _pairs(self.settings, "float32", self.settings.steps).configs[0]
        )
        self.law: Descent = descent(SILU, self.data, float(EQ2.b.mean()))
        self.tickets: dict[str, dict[int, Tickets]] = {dtype: {} for dtype in DTYPES}
        for dtype in DTYPES:
            for budget in sorted(self.settings.budgets):
                for nets in source.nets(_pairs(self.settings, dtype, budget)).values():
                    found = tickets(nets, self.law.bias)
                    if len(found.w):
                        self.tickets[dtype][budget] = found
        self.place: dict[str, Points] = {}
        for k, (dtype, by_budget) in enumerate(self.tickets.items()):
            enough = {
                budget: one
                for budget, one in by_budget.items()
                if len(one.w) >= LEAST_SEEDS and np.ptp(one.w) > 0
            }
            if len(enough) > 1:
                self.place[dtype] = points(
                    list(enough), [one.w for one in enough.values()], level=LEVEL, seed=k
                )
        trained = self.tickets["float32"]
        if not trained:
            raise DataError(
                f"none of {self.settings.seeds} nets of width 2 is a ticket at any budget; train "
                "more seeds, or more steps"
            )
        self.budget = min(trained, key=lambda budget: abs(np.log(budget / self.settings.steps)))
        self.valley: Valley = valley(SILU, np.geomspace(*ALONG), self.data, self.law.bias)
        self.above = {
            budget: one.loss / valley(SILU, one.w, self.data, self.law.bias).loss
            for budget, one in trained.items()
        }
        self.printed: Curvature = curvature(SILU, EQ2, self.data)
        self.kinds: dict[str, Kind] = {
            "2, tickets": self._kind("2, tickets", trained[self.budget].nets)
        }
        if self.settings.widths:
            wider = Sweep(
                widths=self.settings.widths,
                seeds=self.settings.looked_at,
                steps=self.settings.steps,
            )
            for width, nets in source.by_width(wider).items():
                if np.isfinite(nets.loss).any():
                    self.kinds[f"{width}"] = self._kind(f"{width}", nets)

    def _kind(self, name: str, nets: Ensemble) -> Kind:
        finite = np.flatnonzero(np.isfinite(nets.loss))[: self.settings.looked_at]
        some = nets.select(finite)
        count = min(len(finite), max(2, self.settings.polished // nets.config.width))
        return Kind(
            name,
            curvature(some.activation, some.parameters, some.data),
            polish(some.activation, some.select(np.arange(count)).parameters, some.data),
        )

    def design(self) -> str:
        s = self.settings
        counts = ", ".join(
            f"{len(one.polished.loss)} of width {name}" for name, one in self.kinds.items()
        )
        return (
            f"(1) The exact Hessian in float64 at {s.looked_at} trained nets of each kind (or as "
            "many as there are), with the "
            "size below which rounding decides an eigenvalue's sign, and what Newton's step "
            "would gain. (2) Levenberg and "
            f"Marquardt's descent from {counts}. (3) The valley: for each |w| the best mirror "
            "pair, its other parameters by "
            "least squares, against what Eq. 4's Taylor terms predict. (4) Tickets after "
            f"{', '.join(f'{budget:,}' for budget in s.budgets)} steps ({s.seeds} seeds in "
            f"float32, {s.double_seeds} in "
            "float64; the rate falls by 5 after each fifth): nets of width 2 whose neurons are "
            "mirror images to "
            f"{ASYMMETRY:.0%} in w, b and v, with b nearer to {self.law.bias:.2f} than to 0. A "
            "minimum would show as a spectrum "
            "without negative part from which no descent leads on, and as one |w| for all budgets."
        )

    def headline(self) -> str:
        one = self.kinds["2, tickets"]
        stays = int(np.count_nonzero(one.stays))
        start, end = float(np.median(one.polished.start)), float(np.median(one.polished.loss))
        place = self.place.get("float32")
        moves = ""
        if place is not None:
            first, last = (
                f"|w| = {place.value[k]:.3g} after {int(place.widths[k]):,} steps" for k in (0, -1)
            )
            moves = f"; training leaves them at {first} and at {last}"
        return (
            f"Of {len(one.stays)} trained tickets {stays} are minima: polishing takes the median "
            f"loss from {start:.2g} to "
            f"{end:.2g}, down a valley along which it falls as |w|^{self.law.power}{moves}."
        )

    def draw(self) -> "Drawing":
        from minilotto.report.plots import curvature as plots
        from minilotto.report.plots.budgets import paper_budget, steps_axis
        from minilotto.report.plots.style import grid

        figure, ((a, b), (c, d)) = grid(2, 2, 10.0, 8.0)
        plots.spectra(
            {
                name: (one.curvature.eigenvalues, one.curvature.unresolved)
                for name, one in self.kinds.items()
            },
            a,
        )
        a.set_title("curvature at trained nets")
        some = {name: one.polished for name, one in self.kinds.items()}
        plots.falls(
            {name: plots.Fall(one.start, one.loss, one.rounding) for name, one in some.items()}, b
        )
        b.set_title("polished by Levenberg and Marquardt")
        for ax in (a, b):
            ax.set_xlabel("width")
        line = self.valley
        law = self.law.loss(line.w)
        plots.valley(
            line.w,
            line.loss,
            line.rounding,
            law,
            f"Taylor: {self.law.coefficient:.2g} |w|^{self.law.power}",
            c,
        )
        everyone = list(self.tickets["float32"].values())
        w, loss = (
            np.concatenate([getattr(one, name) for one in everyone]) for name in ("w", "loss")
        )
        printed = float(np.abs(EQ2.w).mean()), float(self.printed.loss[0])
        plots.tickets(w, loss, c, "tickets, all budgets", printed)
        c.set_title("the valley of mirror pairs")
        plots.positions(self.place, d)
        steps_axis(d)
        paper_budget(self.settings.steps, d)
        d.set_title("where in the valley training ends")
        return figure

    def caption(self) -> str:
        counts = ", ".join(
            f"{len(one.curvature)} of width {name}" for name, one in self.kinds.items()
        )
        return (
            f"Top left: eigenvalues of the exact Hessian in float64 ({counts}), each net's in one "
            "column, those below 1e-18 at "
            "1e-18; grey: what rounding hides. Top right: losses before and after polishing, and "
            "what rounding alone would "
            "make of them. Bottom left: the least loss of a mirror pair of given |w|, with "
            "trained tickets. Bottom right: "
            f"median |w| of tickets by steps, with {LEVEL:.0%} intervals; dotted: "
            f"{self.settings.steps:,} steps. SiLU, x² at 100 points (grid)."
        )

    def tables(self) -> list[Table]:
        names = (
            "width",
            "net",
            "loss",
            "gradient",
            "negative",
            "undecided",
            "positive",
            "flat",
            "least",
            "largest",
            "decrease",
        )
        spectra: dict[str, list] = {name: [] for name in names}
        falls: dict[str, list] = {
            name: []
            for name in (
                "width",
                "net",
                "start",
                "end",
                "evaluations",
                "cancellation",
                "rounding",
                "cancelled",
            )
        }
        for name, one in [
            ("2, Eq. 2", self.printed),
            *((name, kind.curvature) for name, kind in self.kinds.items()),
        ]:
            for i in range(len(one)):
                counts = (one.negative[i], one.undecided[i], one.positive[i], one.flat[i])
                ends = one.eigenvalues[i, 0], one.eigenvalues[i, -1]
                _add(
                    spectra, name, i, one.loss[i], one.gradient[i], *counts, *ends, one.decrease[i]
                )
        for name, kind in self.kinds.items():
            end = kind.polished
            columns = (
                end.start,
                end.loss,
                end.evaluations,
                end.cancellation,
                end.rounding,
                end.cancelled.astype(int),
            )
            for i, row in enumerate(zip(*columns, strict=True)):
                _add(falls, name, i, *row)
        line = self.valley
        along = {
            name: getattr(line, name).tolist() for name in ("w", "b", "v", "c", "loss", "rounding")
        }
        along["predicted"] = self.law.loss(line.w).tolist()
        where: dict[str, list] = {
            name: [] for name in ("dtype", "steps", "nets", "tickets", "median w", "median loss")
        }
        for dtype, by_budget in self.tickets.items():
            for budget, found in by_budget.items():
                _add(
                    where,
                    dtype,
                    budget,
                    found.of,
                    len(found.w),
                    float(np.median(found.w)),
                    float(np.median(found.loss)),
                )
        return [
            Table("curvature", spectra),
            Table("polish", falls),
            Table("valley", along),
            Table("tickets", where),
        ]

    def verdicts(self) -> list[Verdict]:
        return verdicts(self)


def _pairs(settings: MinimumSettings, dtype: str, budget: int) -> Sweep:
    """Nets of width 2 for one budget."""
    seeds = settings.seeds if dtype == "float32" else settings.double_seeds
    return Sweep(
        widths=(2,), seeds=seeds, steps=budget, lr_decay_every=max(1, budget // DROPS), dtype=dtype
    )


def tickets(nets: Ensemble, bias: float) -> Tickets:
    """The nets of two neurons (w, b, v) and (-w, b, v) to ASYMMETRY, with b nearer to `bias` than
    to 0.
    """
    w, b, v = (
        nets.w[:, :, 0].astype(np.float64),
        nets.b.astype(np.float64),
        nets.v.astype(np.float64),
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = [
            np.abs(w[:, 0] + w[:, 1]) / np.abs(w).mean(axis=1),
            np.abs(b[:, 0] - b[:, 1]) / np.abs(b).mean(axis=1),
            np.abs(v[:, 0] - v[:, 1]) / np.abs(v).mean(axis=1),
        ]
        chosen = (
            (np.max(apart, axis=0) < ASYMMETRY)
            & (np.abs(b.mean(axis=1) - bias) < abs(bias) / 2)
            & np.isfinite(nets.loss)
        )
    some = nets.select(chosen)
    return Tickets(some, np.abs(w[chosen]).mean(axis=1), some.loss, len(nets))


def _add(rows: Mapping[str, list], *values: Any) -> None:
    for column, value in zip(rows.values(), values, strict=True):
        column.append(value)
