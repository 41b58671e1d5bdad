"""Is a ticket a minimum? Curvature at trained nets, polishing from them, and the valley in which
the paper's ticket lies.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minilotto.analysis.landscape.curvature import Curvature, curvature
from minilotto.analysis.landscape.polish import Polished, polish
from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate, Points, points
from minilotto.analysis.stats.estimates import slope
from minilotto.analysis.tickets.valley import Descent, Valley, descent, valley
from minilotto.data.dataset import Dataset, sampled
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.report.claims import Outcome, as_numbers, register, untested
from minilotto.report.figure import Scale, Source, Table
from minilotto.report.rules import FAILS, HOLDS, IN_PART, LEVEL, share, together, unchanged
from minilotto.report.study import Settings, Study
from minilotto.settings.activations import ACTIVATIONS
from minilotto.settings.arrays import Array
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
DROPS = 5  # of the learning rate
SILU = ACTIVATIONS["silu"]
DTYPES = ("float32", "float64")
TICKETS = "2, tickets"  # the group of nets of width 2
COLUMNS = {  # of the tables
    "curvature": "width, net, loss, gradient, negative, undecided, positive, flat, least, "
    "largest, decrease",
    "polish": "width, net, start, end, evaluations, cancellation, rounding, cancelled",
    "valley": "w, b, v, c, loss, rounding, predicted",
    "tickets": "dtype, steps, nets, tickets, median w, median loss",
}


@dataclass(frozen=True)
class MinimumSettings(Settings):
    """What is trained and looked at.

    Parameters
    ----------
    seeds, double_seeds : int
        Networks of width 2 at each budget, in float32 and in float64.
    steps : int
        The paper's budget, at which nets are looked at.
    budgets : tuple of int
        Steps, the schedule scaled with them.
    widths : tuple of int
        Of the other nets, trained for `steps`.
    looked_at : int
        Nets of each width whose Hessian is taken.
    polished : int
        Neurons in all that are polished of each width, 2 nets at least.
    """

    seeds: int = 400
    double_seeds: int = 100
    budgets: tuple[int, ...] = (5_000, 15_000, 50_000, 150_000, 500_000, 1_000_000)
    widths: tuple[int, ...] = (4, 10, 50)
    looked_at: int = 64
    polished: int = 160

    @classmethod
    def quick(cls) -> "MinimumSettings":
        budgets = (5_000, 15_000, 50_000, 150_000)
        return cls(seeds=200, double_seeds=60, budgets=budgets, looked_at=24, polished=60)

    @classmethod
    def at(cls, scale: Scale) -> "MinimumSettings":
        """Budgets shrink with the scale's steps, so that the paper's stays among them."""
        full = cls.quick() if scale.quick else cls()
        steps = min(full.steps, scale.steps)
        budgets = sorted({max(1, budget * steps // full.steps) for budget in full.budgets})
        fewer = {
            name: min(getattr(full, name), scale.seeds)
            for name in ("seeds", "double_seeds", "looked_at")
        }
        return dataclasses.replace(full, steps=steps, budgets=tuple(budgets), **fewer)


@dataclass(frozen=True, eq=False)
class Group:
    """Nets of one width: their curvature, and the first of them polished."""

    curvature: Curvature
    polished: Polished


@dataclass(frozen=True, eq=False)
class Tickets:
    """Mirror pairs near the valley's floor among `of` nets of width 2, and their |w| (T,)."""

    nets: Ensemble
    w: Array
    of: int


class Minimum(Study):
    """Spectra, polish, valley, and the place in the valley that training reaches."""

    name = "minimum"
    entry = register(__package__, "claims.toml", "minimum")
    title, question = entry.title, entry.question
    settings_type = MinimumSettings
    eq2 = EQ2

    @classmethod
    def trainings(cls, settings: MinimumSettings) -> tuple[Sweep, ...]:
        budgets = sorted(settings.budgets, reverse=True)
        pairs = [_pairs(settings, dtype, budget) for dtype in DTYPES for budget in budgets]
        return (*pairs, *_wider(settings))

    def __init__(self, source: Source, scale: Scale | MinimumSettings) -> None:
        settings: MinimumSettings = self.chosen(scale)
        self.settings = settings
        self.data: Dataset = sampled(_pairs(settings, "float32", settings.steps).configs[0])
        self.law: Descent = descent(SILU, self.data, float(EQ2.b.mean()))
        self.tickets: dict[str, dict[int, Tickets]] = {dtype: {} for dtype in DTYPES}
        self.place: dict[str, Points] = {}  # median |w| by budget
        for k, (dtype, by_budget) in enumerate(self.tickets.items()):
            for budget in sorted(settings.budgets):
                for nets in source.nets(_pairs(settings, dtype, budget)).values():
                    found = tickets(nets, self.law.bias)
                    if len(found.w):
                        by_budget[budget] = found
            w = {budget: one.w for budget, one in by_budget.items()}
            w = {n: one for n, one in w.items() if len(one) >= LEAST_SEEDS and np.ptp(one) > 0}
            if len(w) > 1:
                self.place[dtype] = points(list(w), list(w.values()), level=LEVEL, seed=k)
        trained = self.tickets["float32"]
        if not trained:
            raise DataError(
                f"none of {settings.seeds} nets of width 2 is a ticket at any budget; train more "
                "seeds, or more steps"
            )
        self.budget = min(trained, key=lambda budget: abs(np.log(budget / settings.steps)))
        self.valley: Valley = valley(SILU, np.geomspace(*ALONG), self.data, self.law.bias)
        self.above = {
            budget: one.nets.loss / valley(SILU, one.w, self.data, self.law.bias).loss
            for budget, one in trained.items()
        }
        self.printed: Curvature = curvature(SILU, EQ2, self.data)
        self.groups: dict[str, Group] = {TICKETS: self._group(trained[self.budget].nets)}
        for sweep in _wider(settings):
            for width, nets in source.by_width(sweep).items():
                if np.isfinite(nets.loss).any():
                    self.groups[f"{width}"] = self._group(nets)

    def _group(self, nets: Ensemble) -> Group:
        some = nets.select(np.flatnonzero(np.isfinite(nets.loss))[: self.settings.looked_at])
        count = min(len(some), max(2, self.settings.polished // nets.config.width))
        few = some.select(np.arange(count))
        return Group(
            curvature(some.activation, some.parameters, some.data),
            polish(few.activation, few.parameters, few.data),
        )

    def facts(self) -> dict[str, Any]:
        spectra = {name: len(one.curvature) for name, one in self.groups.items()}
        descents = {name: len(one.polished.loss) for name, one in self.groups.items()}
        return {
            **vars(self.settings),
            "budgets": ", ".join(f"{budget:,}" for budget in self.settings.budgets),
            "spectra": ", ".join(f"{count} of width {name}" for name, count in spectra.items()),
            "descents": ", ".join(f"{count} of width {name}" for name, count in descents.items()),
            "asymmetry": ASYMMETRY,
            "bias": self.law.bias,
            "power": self.law.power,
            "budget": self.budget,
            "start": self._start,
        }

    @property
    def _start(self) -> float:
        """The median |w| of the tickets whose curvature is looked at."""
        return float(np.median(self.tickets["float32"][self.budget].w))

    def headline(self) -> str:
        one, minima = self.groups[TICKETS].polished, self._minima(TICKETS)
        place, moves = self.place.get("float32"), ""
        if place is not None:
            first, last = (
                f"|w| = {place.value[k]:.3g} after {int(place.widths[k]):,} steps" for k in (0, -1)
            )
            moves = f"; training leaves them at {first} and at {last}"
        return (
            f"Of {len(minima)} trained tickets {np.count_nonzero(minima)} are minima: polishing "
            f"takes the median loss from {np.median(one.start):.2g} to {np.median(one.loss):.2g}, "
            f"down a valley along which it falls as |w|^{self.law.power}{moves}."
        )

    def draw(self) -> "Drawing":
        from minilotto.report.studies.minimum.plots import draw

        return draw(self)

    def tables(self) -> list[Table]:
        curvatures, polished = [], []
        groups = {name: one.curvature for name, one in self.groups.items()}
        for name, one in {"2, Eq. 2": self.printed, **groups}.items():
            counts = one.negative, one.undecided, one.positive, one.flat
            ends = one.eigenvalues[:, 0], one.eigenvalues[:, -1]
            columns = zip(one.loss, one.gradient, *counts, *ends, one.decrease, strict=True)
            curvatures += [(name, i, *row) for i, row in enumerate(columns)]
        for name, end in ((name, one.polished) for name, one in self.groups.items()):
            more = end.evaluations, end.cancellation, end.rounding, end.cancelled.astype(int)
            columns = zip(end.start, end.loss, *more, strict=True)
            polished += [(name, i, *row) for i, row in enumerate(columns)]
        places = [
            (dtype, budget, one.of, len(one.w), np.median(one.w), np.median(one.nets.loss))
            for dtype, by_budget in self.tickets.items()
            for budget, one in by_budget.items()
        ]
        line = zip(*vars(self.valley).values(), self.law.loss(self.valley.w), strict=True)
        rows = {"curvature": curvatures, "polish": polished, "valley": line, "tickets": places}
        return [Table.of(name, COLUMNS[name], some) for name, some in rows.items()]

    def outcomes(self) -> dict[str, Outcome]:
        eq2 = self.printed
        printed = (
            f"Eq. 2: eigenvalues from {eq2.eigenvalues[0, 0]:.2g} to {eq2.eigenvalues[0, -1]:.2g}, "
            f"{eq2.negative[0]} below zero, gradient {eq2.gradient[0]:.2g}, Newton's gain "
            f"{eq2.decrease[0] / eq2.loss[0]:.2g} of the loss"
        )
        return {
            "ticket": self._are_minima([TICKETS], [printed]),
            "wider": self._are_minima([name for name in self.groups if name != TICKETS], []),
            "rounding": self._in_rounding(),
            "endless": self._endless(),
            "steps": self._by_budget(),
            "precision": self._by_precision(),
        }

    def _minima(self, name: str) -> np.ndarray:
        """(R,) bool of the polished nets of a group: whether they are minima."""
        claim, one = self.entry.claims["ticket"], self.groups[name]
        settled = one.curvature.settled(claim["gain"])[: len(one.polished.loss)]
        return settled & (one.polished.loss >= claim["left"] * one.polished.start)

    def _are_minima(self, names: Sequence[str], more: Sequence[str]) -> Outcome:
        if not names:
            return untested("There are no such nets.")
        minima, measured = {name: self._minima(name) for name in names}, []
        for name in names:
            one, end = self.groups[name].curvature, self.groups[name].polished
            negative, undecided, positive, flat = (
                f"{np.median(counts):g}"
                for counts in (one.negative, one.undecided, one.positive, one.flat)
            )
            measured.append(
                f"width {name}: {np.mean(one.saddle):.0%} of {len(one)} have negative curvature "
                f"(median {negative} below zero, {undecided} hidden by rounding, {positive} above; "
                f"{flat} of them smaller than 1e-6 of the largest), gradient "
                f"{np.median(one.gradient):.1e}, Newton's gain "
                f"{np.median(one.decrease / one.loss):.1e} of the loss; polishing takes it from "
                f"{np.median(end.start):.2g} to {np.median(end.loss):.2g}"
            )
        counts = ", ".join(
            f"{np.count_nonzero(found)} of {len(found)} of width {name}"
            for name, found in minima.items()
        )
        fractions = {f"minima {name}": float(np.mean(found)) for name, found in minima.items()}
        return Outcome(
            self._most(fractions), "; ".join([*measured, *more]), f"Minima: {counts}.", fractions
        )

    def _most(self, fractions: dict[str, float]) -> str:
        """Whether almost all nets of each group have a property."""
        claim = self.entry.claims["ticket"]
        return together([share(one, claim["most"], claim["little"]) for one in fractions.values()])

    def _in_rounding(self) -> Outcome:
        noise = self.entry.claims["rounding"]["noise"]
        polished = {name: one.polished for name, one in self.groups.items()}
        fractions = {
            name: float(np.mean(2 * np.sqrt(one.rounding / one.loss) >= noise))
            for name, one in polished.items()
        }
        measured = "; ".join(
            f"width {name}: {fractions[name]:.0%} of {len(one.loss)} in rounding, sums of absolute "
            f"terms {np.nanmedian(one.cancellation):.1e} times their result, "
            f"{np.mean(one.evaluations >= 500):.0%} stopped by the limit"
            for name, one in polished.items()
        )
        reasons = {HOLDS: "At all widths.", FAILS: "At none.", IN_PART: "Some nets end before."}
        verdict = self._most(fractions)
        numbers = {f"in rounding {name}": one for name, one in fractions.items()}
        return Outcome(verdict, measured, reasons[verdict], numbers)

    def _endless(self) -> Outcome:
        claim, law, line = self.entry.claims["endless"], self.law, self.valley
        order = np.argsort(-line.w)
        hidden = ~line.resolved[order]
        order = order[: np.argmax(hidden)] if hidden.any() else order  # down to rounding
        w, loss = line.w[order], line.loss[order]
        below, far = w <= 1.01 * self._start, np.flatnonzero(w <= claim["far"])
        falling = loss[below]
        if len(falling) < 3 or len(far) < 3:
            return untested("Too little of the valley is above rounding.")
        rises = bool((falling > 1.01 * np.minimum.accumulate(falling)).any())
        far = far[len(far) // 2 :]
        power = float(np.polyfit(np.log(w[far]), np.log(loss[far]), 1)[0])
        factor = float(loss[far[0]] / law.loss(w[far[0]]))
        near = abs(power - law.power) <= claim["power_margin"]
        verdict, reason = (
            (FAILS, "The loss rises on the way, so there is a minimum.")
            if rises
            else (HOLDS, "There is no minimum on the way; rounding alone ends it.")
            if near and abs(factor - 1) <= claim["size_margin"]
            else (IN_PART, "It falls all the way, but not by the predicted law.")
        )
        measured = (
            f"loss {falling[0]:.2g} at |w| = {w[below][0]:.3g}, {loss[-1]:.2g} at {w[-1]:.2g}, "
            f"below which rounding decides; power {power:.3f} (predicted {law.power}), "
            f"{factor:.3f} of the predicted size; b goes to {line.b[order][-1]:.4f} (predicted "
            f"{law.bias:.4f})"
        )
        numbers = {"power": power, "factor": factor, "least loss": float(loss[-1])}
        return Outcome(verdict, measured, reason, numbers)

    def _by_budget(self) -> Outcome:
        place, steps = self.place.get("float32"), self.budget
        exponent = None if place is None else slope(place, steps, int(place.widths[-1]))
        if place is None or exponent is None:
            return untested(f"Ten tickets each at {steps:,} steps and at more are needed.")
        above = {budget: float(np.median(ratio)) for budget, ratio in self.above.items()}
        highest = max(ratio for budget, ratio in above.items() if budget >= steps)
        verdict, reason = (
            (FAILS, "Longer training does not take tickets further down.")
            if exponent.low <= 0
            else (HOLDS, "The loss of a ticket follows from how long it was trained.")
            if highest < self.entry.claims["steps"]["similar"]
            else (IN_PART, "Tickets go down with the steps, but not on the valley's floor.")
        )
        losses = {n: np.median(one.nets.loss) for n, one in self.tickets["float32"].items()}
        budgets = place.widths.astype(int).tolist()
        by_budget = "; ".join(
            f"{n:,} steps: |w| = {value:.4g} ({low:.4g} to {high:.4g}), loss {losses[n]:.3g}, "
            f"{above[n]:.3g} times the valley's"
            for n, value, low, high in zip(budgets, place.value, place.low, place.high, strict=True)
        )
        measured = f"|w| falls as steps^-{exponent}; {by_budget}"
        return Outcome(verdict, measured, reason, as_numbers("exponent", exponent))

    def _by_precision(self) -> Outcome:
        if len(self.place) < len(DTYPES):
            return untested("One of the two has fewer than ten tickets at two budgets.")
        single, double = self.place.values()
        shared = np.intersect1d(single.widths, double.widths)
        if not len(shared):
            return untested("No budget has ten tickets of both.")
        single, double = (one.select(one.widths == shared[-1]) for one in (single, double))
        logs = single.replicates - double.replicates
        ends = np.quantile(logs, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        low, high = np.exp(ends)
        ratio = Estimate(float(single.value[0] / double.value[0]), float(low), float(high), LEVEL)
        change = Estimate(float(np.log(ratio.value)), float(ends[0]), float(ends[1]), LEVEL)
        verdict = unchanged(change, float(np.log(self.entry.claims["precision"]["same"])))
        where = "earlier" if ratio.value > 1 else "further down"
        reasons = {
            HOLDS: "Both end at the same place.",
            IN_PART: f"Nearly: float32 ends a little {where}.",
            FAILS: f"Precision does matter: float32 ends {where}.",
        }
        reason = reasons.get(verdict, "The interval is too wide to decide.")
        measured = (
            f"after {int(shared[-1]):,} steps {single.value[0]:.4g} and {double.value[0]:.4g}, "
            f"ratio {ratio}"
        )
        return Outcome(verdict, measured, reason, as_numbers("ratio", ratio))


def _pairs(settings: MinimumSettings, dtype: str, budget: int) -> Sweep:
    """Nets of width 2 for one budget."""
    seeds = settings.seeds if dtype == "float32" else settings.double_seeds
    every = max(1, budget // DROPS)
    return Sweep(widths=(2,), seeds=seeds, steps=budget, lr_decay_every=every, dtype=dtype)


def _wider(settings: MinimumSettings) -> list[Sweep]:
    """Nets of the other widths."""
    counts = {"seeds": settings.looked_at, "steps": settings.steps}
    return [Sweep(widths=settings.widths, **counts)] if settings.widths else []


def tickets(nets: Ensemble, bias: float) -> Tickets:
    """The nets of two neurons (w, b, v) and (-w, b, v) to ASYMMETRY, with b nearer to `bias`.

    Parameters
    ----------
    nets : Ensemble
        Nets of width 2 and one input.
    bias : float
        Of the valley's far end; b is nearer to it than to 0.

    Returns
    -------
    Tickets
        Those whose loss is finite.
    """
    w, b, v = (part.astype(np.float64) for part in (nets.w[:, :, 0], nets.b, nets.v))
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = [
            np.abs(one[:, 0] - other) / np.abs(one).mean(axis=1)
            for one, other in ((w, -w[:, 1]), (b, b[:, 1]), (v, v[:, 1]))
        ]
        near = np.abs(b.mean(axis=1) - bias) < abs(bias) / 2
        chosen = (np.max(apart, axis=0) < ASYMMETRY) & near & np.isfinite(nets.loss)
    return Tickets(nets.select(chosen), np.abs(w[chosen]).mean(axis=1), len(nets))
