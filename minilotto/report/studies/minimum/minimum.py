"""Is a ticket a minimum? Curvature at trained nets, descent from them, and the ticket's valley."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minilotto.analysis.landscape.curvature import Curvature, curvature
from minilotto.analysis.landscape.polish import Polished, polish
from minilotto.analysis.stats.bootstrap import (
    LEAST_SEEDS,
    Points,
    estimate,
    median_interval,
    points,
)
from minilotto.analysis.stats.estimates import estimates, share, slope
from minilotto.analysis.tickets.valley import (
    ASYMMETRY,
    EQ2,
    Descent,
    Tickets,
    Valley,
    descent,
    fall,
    tickets,
    valley,
)
from minilotto.data.dataset import Dataset, sampled
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.report.claims import Case, Claim, Outcome, about, as_numbers, over, tally, untested
from minilotto.report.figure import Scale, Source, Table, commas
from minilotto.report.rules import LEVEL, THRESHOLDS, Every, factor, inside
from minilotto.report.study import Settings, Study, default, scheduled
from minilotto.settings.activations import ACTIVATIONS
from minilotto.store.grid import Sweep

SHORT = (5_000, 15_000, 50_000, 150_000)  # budgets
ALONG = (1.5, 1e-4, 72)  # |w| at which the valley is looked at: from, to, how many
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
    """What is trained and studied; curvature is measured at `steps`, the paper's budget."""

    seeds: int = default(400, quick=200)  # of width 2 at each budget, in float32
    double_seeds: int = default(100, quick=60)  # the same in float64
    # steps, the schedule scaled with them
    budgets: tuple[int, ...] = default((*SHORT, 500_000, 1_000_000), quick=SHORT)
    widths: tuple[int, ...] = (4, 10, 50)  # of the other nets, trained for `steps`
    looked_at: int = default(64, quick=24)  # nets of each width whose Hessian is taken
    # neurons in all that are polished of each width, 2 nets at least
    polished: int = default(160, quick=60)

    @classmethod
    def at(cls, scale: Scale) -> "MinimumSettings":
        full = super().at(scale)
        return dataclasses.replace(full, looked_at=min(full.looked_at, scale.seeds))

    def pairs(self, dtype: str, budget: int) -> Sweep:
        """Nets of width 2."""
        seeds = self.seeds if dtype == "float32" else self.double_seeds
        return Sweep(widths=(2,), seeds=seeds, dtype=dtype, **scheduled(budget))

    @property
    def wider(self) -> list[Sweep]:
        widths = self.widths
        return [Sweep(self.looked_at, widths=widths, steps=self.steps)] if widths else []

    def sweeps(self) -> list[Sweep]:
        budgets = sorted(self.budgets, reverse=True)
        return [*(self.pairs(dtype, budget) for dtype in DTYPES for budget in budgets), *self.wider]


@dataclass(frozen=True, eq=False)
class Group:
    """Nets of one width: their curvature, and the first of them polished."""

    curvature: Curvature
    polished: Polished


class Minimum(Study):
    """Spectra, polish, valley, and the place in the valley that training reaches."""

    name = "minimum"
    settings_type = MinimumSettings

    def __init__(self, source: Source, settings: MinimumSettings) -> None:
        self.settings = settings
        self.data: Dataset = sampled(settings.pairs("float32", settings.steps).configs[0])
        self.law: Descent = descent(SILU, self.data, float(EQ2.b.mean()))
        self.tickets: dict[str, dict[int, Tickets]] = {}  # by dtype and budget
        self.place: dict[str, Points] = {}  # median |w| by budget
        for k, dtype in enumerate(DTYPES):
            found = {
                budget: tickets(nets, self.law.bias)
                for budget in sorted(settings.budgets)
                for nets in source.nets(settings.pairs(dtype, budget)).values()
            }
            self.tickets[dtype] = {budget: one for budget, one in found.items() if len(one.w)}
            w = {budget: one.w for budget, one in found.items() if len(one.w) >= LEAST_SEEDS}
            w = {budget: one for budget, one in w.items() if np.ptp(one) > 0}
            if len(w) > 1:
                self.place[dtype] = points(list(w), list(w.values()), level=LEVEL, seed=k)
        trained = self.tickets["float32"]
        if not trained:
            raise DataError(
                f"none of {settings.seeds} nets of width 2 is a ticket at any budget; train more "
                "seeds, or more steps"
            )
        self.budget = min(trained, key=lambda budget: abs(np.log(budget / settings.steps)))
        self.start = float(np.median(trained[self.budget].w))  # |w| where curvature is measured
        self.valley: Valley = valley(SILU, np.geomspace(*ALONG), self.data, self.law.bias)
        self.above = {
            budget: one.nets.loss / valley(SILU, one.w, self.data, self.law.bias).loss
            for budget, one in trained.items()
        }
        self.printed: Curvature = curvature(SILU, EQ2, self.data)
        self.groups = {TICKETS: self._group(trained[self.budget].nets)}
        for sweep in settings.wider:
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
        groups = self.groups.items()
        return {
            **super().facts(),
            "spectra": commas(f"{len(one.curvature)} of width {name}" for name, one in groups),
            "descents": commas(f"{len(one.polished.loss)} of width {n}" for n, one in groups),
            "asymmetry": ASYMMETRY,
            "bias": self.law.bias,
            "power": self.law.power,
            "budget": self.budget,
            "start": self.start,
        }

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

    def tables(self) -> list[Table]:
        curvatures, polished = [], []
        groups = {name: one.curvature for name, one in self.groups.items()}
        for name, one in {"2, Eq. 2": self.printed, **groups}.items():
            counts = one.negative, one.undecided, one.positive, one.flat
            ends = one.eigenvalues[:, 0], one.eigenvalues[:, -1]
            curvatures += _rows(name, one.loss, one.gradient, *counts, *ends, one.decrease)
        for name, end in ((name, one.polished) for name, one in self.groups.items()):
            more = end.evaluations, end.cancellation, end.rounding, end.cancelled.astype(int)
            polished += _rows(name, end.start, end.loss, *more)
        places = [
            (dtype, budget, one.of, len(one.w), np.median(one.w), np.median(one.nets.loss))
            for dtype, by_budget in self.tickets.items()
            for budget, one in by_budget.items()
        ]
        line = zip(*vars(self.valley).values(), self.law.loss(self.valley.w), strict=True)
        rows = {"curvature": curvatures, "polish": polished, "valley": line, "tickets": places}
        return [Table.of(name, COLUMNS[name], some) for name, some in rows.items()]

    def claim_ticket(self, claim: Claim) -> Outcome:
        eq2 = self.printed
        printed = (
            f"Eq. 2: eigenvalues from {eq2.eigenvalues[0, 0]:.2g} to {eq2.eigenvalues[0, -1]:.2g}, "
            f"{eq2.negative[0]} below zero, gradient {eq2.gradient[0]:.2g}, Newton's gain "
            f"{eq2.decrease[0] / eq2.loss[0]:.2g} of the loss"
        )
        return self._are_minima([TICKETS], [printed])

    def claim_wider(self, claim: Claim) -> Outcome:
        return self._are_minima([name for name in self.groups if name != TICKETS], [])

    def _minima(self, name: str) -> np.ndarray:
        """(R,) bool of the polished nets of a group: whether they are minima."""
        claim, one = self.entry.claims["ticket"], self.groups[name]
        settled = one.curvature.settled(claim["gain"])[: len(one.polished.loss)]
        return settled & (one.polished.loss >= claim["left"] * one.polished.start)

    def _are_minima(self, names: Sequence[str], more: Sequence[str]) -> Outcome:
        if not names:
            return untested("There are no such nets.")
        minima, words = {name: self._minima(name) for name in names}, []
        for name in names:
            one, end = self.groups[name].curvature, self.groups[name].polished
            counts = one.negative, one.undecided, one.positive, one.flat
            negative, undecided, positive, flat = (f"{np.median(count):g}" for count in counts)
            words.append(
                f"width {name}: {np.mean(one.saddle):.0%} of {len(one)} have negative curvature "
                f"(median {negative} below zero, {undecided} hidden by rounding, {positive} above; "
                f"{flat} of them smaller than 1e-6 of the largest), gradient "
                f"{np.median(one.gradient):.1e}, Newton's gain "
                f"{np.median(one.decrease / one.loss):.1e} of the loss; polishing takes it from "
                f"{np.median(end.start):.2g} to {np.median(end.loss):.2g}"
            )
        minimal = commas(f"{one.sum()} of {len(one)} of width {n}" for n, one in minima.items())
        shares = {f"minima {n}": share(int(each.sum()), len(each)) for n, each in minima.items()}
        found = tally(shares, lambda one: inside(one, THRESHOLDS["most"], np.inf))
        return found._replace(measured="; ".join([f"minima: {minimal}", *words, *more]))

    def claim_rounding(self, claim: Claim) -> Outcome:
        shares, words = {}, []
        for name, one in ((f"width {n}", group.polished) for n, group in self.groups.items()):
            hidden = 2 * np.sqrt(one.rounding / one.loss) >= claim["noise"]
            shares[name] = share(int(hidden.sum()), len(hidden))
            words.append(
                f"{name}: {shares[name].value:.0%} of {len(hidden)} in rounding, sums of absolute "
                f"terms {np.nanmedian(one.cancellation):.1e} times their result, "
                f"{np.mean(one.evaluations >= 500):.0%} stopped by the limit"
            )
        found = tally(shares, lambda one: inside(one, THRESHOLDS["most"], np.inf))
        return found._replace(measured="; ".join(words))

    def claim_endless(self, claim: Claim) -> Outcome:
        law = self.law
        try:
            found = fall(self.valley, law, self.start, claim["far"])
        except DataError as error:
            return untested(str(error))
        w, loss = found.w, found.loss
        measured = (
            f"loss {loss[0]:.2g} at |w| = {w[0]:.3g}, {loss[-1]:.2g} at {w[-1]:.2g}, below which "
            f"rounding decides; power {found.power:.3f} (predicted {law.power}), "
            f"{found.factor:.3f} of the predicted size; b goes to {found.bias:.4f} (predicted "
            f"{law.bias:.4f})"
        )
        numbers = {"power": found.power, "factor": found.factor, "least loss": float(loss[-1])}
        cases = [
            Case("never rises", not found.rises),
            Case("the power", abs(found.power - law.power) <= claim["power_margin"]),
            Case("the size", abs(found.factor - 1) <= claim["size_margin"]),
        ]
        return over(cases)._replace(measured=measured, numbers=numbers)

    def claim_steps(self, claim: Claim) -> Outcome:
        place, steps = self.place.get("float32"), self.budget
        exponent = None if place is None else slope(place, steps, int(place.widths[-1]))
        if place is None or exponent is None:
            return untested(f"Ten tickets each at {steps:,} steps and at more are needed.")
        similar = claim["similar"]
        above = {budget: median_interval(ratio) for budget, ratio in self.above.items()}
        floor = [factor(ratio, 0.0, similar) for n, ratio in above.items() if n >= steps]
        falls = inside(exponent, claim["fall"], np.inf)
        losses = {n: np.median(one.nets.loss) for n, one in self.tickets["float32"].items()}
        by_budget = "; ".join(
            f"{n:,} steps: |w| = {one:.4g}, loss "
            f"{losses[n]:.3g}, {above[n].value:.3g} times the valley's"
            for n, one in estimates(place).items()
        )
        measured = f"|w| falls as steps^-{exponent}; {by_budget}"
        return about(Every([falls, *floor]), measured, "", as_numbers("exponent", exponent))

    def claim_precision(self, claim: Claim) -> Outcome:
        if len(self.place) < len(DTYPES):
            return untested("One of the two has fewer than ten tickets at two budgets.")
        single, double = self.place.values()
        shared = np.intersect1d(single.widths, double.widths)
        if not len(shared):
            return untested("No budget has ten tickets of both.")
        single, double = (one.select(one.widths == shared[-1]) for one in (single, double))
        one, other = single.value[0], double.value[0]
        logs = (single.replicates - double.replicates)[:, 0]
        found = estimate(float(np.log(one / other)), logs, LEVEL).mapped(np.exp)
        return about(
            claim.same(found),
            f"after {int(shared[-1]):,} steps {one:.4g} and {other:.4g}, ratio {found}",
            numbers=as_numbers("ratio", found),
            place="earlier" if one > other else "further down",
        )


def _rows(name: str, *columns: np.ndarray) -> list[tuple[Any, ...]]:
    """Rows of a table from columns (R,) of the nets of a group."""
    return [(name, i, *row) for i, row in enumerate(zip(*columns, strict=True))]
