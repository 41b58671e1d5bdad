"""Study: which part of the training protocol sets the exponent of loss against width?"""

from collections.abc import Sequence
from itertools import product
from math import inf
from typing import Any, NamedTuple

import numpy as np

from minilotto.analysis.landscape.starts import (
    DEFAULT,
    Start,
    Started,
    distance,
    fraction_of_tickets,
    likeness,
)
from minilotto.analysis.stats.bootstrap import Estimate, Points
from minilotto.analysis.stats.differences import ratio
from minilotto.analysis.stats.estimates import estimates
from minilotto.analysis.stats.exponents import HALVES, exponent_change, exponent_over, mean_ratio
from minilotto.analysis.stats.ranks import rank_correlation
from minilotto.ensemble.ensemble import Ensemble
from minilotto.report.claims import Claim, Outcome, all_in, extent, for_each, untested
from minilotto.report.figure import Source, Table, commas, rows_of
from minilotto.report.rules import FAILS, LEVEL, factor, inside
from minilotto.report.studies.protocol import trainings
from minilotto.report.studies.protocol.trainings import (
    SCALINGS,
    SCHEDULES_TRIED,
    STEP,
    ProtocolSettings,
    Way,
)
from minilotto.report.study import STAGES, Study
from minilotto.report.tuning import Losses, Rates, at_ends, best_of, exponents, medians
from minilotto.settings.config import Config
from minilotto.store.grid import Sweep

BEST = "best"  # in place of a rate: that of each width
RISE = 70  # neurons from which on the loss rises at the paper's rate
each_scaling = for_each("scaling", lambda study: {name: name for name in SCALINGS})


class Place(NamedTuple):
    """One of the combinations that an exponent is measured of."""

    schedule: str
    rate: float | str
    budget: int

    def __str__(self) -> str:
        rate = "best rate" if self.rate == BEST else f"rate {self.rate:g}"
        return f"{self.schedule}, {rate}, {self.budget:,} steps"


class Protocol(Study):
    """Exponents by rate, schedule and budget; starts at their best rates; the lower envelope over
    rates; losses at equal sums of rates.
    """

    name = "protocol"
    settings_type = ProtocolSettings

    def __init__(self, source: Source, settings: ProtocolSettings) -> None:
        self.settings, self.left_out = settings, list[str]()
        self._source, self._read = source, dict[Sweep, dict[Config, Ensemble]]()
        self.found: dict[Place, Points] = {}
        self.rates: dict[Place, dict[int, Rates]] = {}
        for budget, schedule in product(settings.budgets, SCHEDULES_TRIED):
            usual = Place(schedule, BEST, budget)
            by_rate = {r: self._losses(Way(schedule, r, budget)) for r in settings.rates}
            best, self.rates[usual] = best_of(by_rate)
            places = {usual._replace(rate=rate): losses for rate, losses in by_rate.items()}
            for place, losses in {**places, usual: best}.items():
                if one := self._points(losses, str(place)):
                    self.found[place] = one
        self.exponents = exponents(self.found, *self.span, "Protocol")
        self.precise = self._points(self._losses(settings.precise), "float64")
        self.sums = {
            budget: {
                name: one
                for name, way in ways.items()
                if (one := self._points(self._losses(way), f"{name}, {way.budget:,} steps"))
            }
            for budget, ways in settings.equal_sums.items()
        }
        self.starts: dict[Start, Started] = {}
        for start, ways in settings.of_starts.items():
            if (started := self._started(start, ways)) is not None:
                self.starts[start] = started
        self.envelope: dict[str, Points] = {}
        self.envelope_rates: dict[str, dict[int, Rates]] = {}
        for name, ways in settings.of_envelope.items():
            by_rate = {}
            for way in ways:
                wide = [self._nets(way, *group) for group in settings.wide_groups]
                more = {width: nets.loss for some in wide for width, nets in some.items()}
                by_rate[way.rate] = self._losses(way) | more
            best, self.envelope_rates[name] = best_of(by_rate)
            if one := self._points(best, f"{name} start"):
                self.envelope[name] = one
        self.count = sum(len(nets) for by in self._read.values() for nets in by.values())
        self._read.clear()

    # Reading
    def _nets(
        self, way: Way, widths: tuple[int, ...], seeds: int | None = None
    ) -> dict[int, Ensemble]:
        sweep = way.sweep(self.settings, widths, seeds)
        if sweep not in self._read:
            self._read[sweep] = self._source.nets(sweep)
        return {config.width: nets for config, nets in self._read[sweep].items()}

    def _losses(self, way: Way) -> Losses:
        found = self._nets(way, self.settings.widths)
        return {width: way.losses(nets) for width, nets in found.items()}

    def _points(self, losses: Losses, name: str) -> Points | None:
        return medians(losses, name, self.left_out)

    def _started(self, start: Start, ways: list[Way]) -> Started | None:
        """What became of the nets of a start; None, and a note, where there are too few."""
        losses, rates = best_of({way.rate: self._losses(way) for way in ways})
        found = self._points(losses, str(start))
        exponent = exponent_over(found, *self.span)
        if found is None or exponent is None:
            self._source.missing.append(f"{start}: fewer than three widths at all of its rates")
            return None
        s, level = self.settings, self.entry.claims["tickets"]["ticket"]
        narrow = {way.rate: self._nets(way, (trainings.NARROW,), s.narrow_seeds) for way in ways}
        two, _ = best_of({r: {w: n.loss for w, n in by.items()} for r, by in narrow.items()})
        widest = int(found.widths[-1])
        at = {way.rate: self._nets(way, s.widths)[widest] for way in ways}
        halves = [
            at[rate].select(np.arange(s.seeds)[half])
            for rate, half in zip(rates[widest], HALVES, strict=True)
        ]
        won = {n: fraction_of_tickets(losses, level, LEVEL) for n, losses in two.items()}
        tickets = won.get(trainings.NARROW)
        return Started(found, exponent, rates, tickets, likeness(halves), distance(halves))

    # Words
    def facts(self) -> dict[str, Any]:
        s = self.settings
        return {
            **super().facts(),
            "schedules": commas(SCHEDULES_TRIED),
            "last_stages": s.steps - s.steps // STAGES,
            "count": len(s.starts),
            "halved": trainings.HALVED,
            "long": trainings.LONG * s.steps,
            "widest": max([self.span[1], *s.wide]),
            "law_widest": self.span[1],
            "middle": self._middle,
            "paper_rate": s.paper_rate,
            "shortest": s.shortest,
            "longest": s.longest,
            "ticket": self.entry.claims["tickets"]["ticket"],
            "at_ends": at_ends(self.envelope_rates, dict.fromkeys(SCALINGS, s.wide_rates)),
        }

    @property
    def _middle(self) -> int:
        return int(sorted(self.settings.widths)[len(self.settings.widths) // 2])

    def sums_of_rates(self, schedule: str) -> dict[int, Estimate]:
        """Median loss at the middle width by the sum of all rates, rounded, at the paper's rate."""
        found: dict[int, Estimate] = {}
        rate = self.settings.paper_rate
        ways = [Way(schedule, rate, budget) for budget in self.settings.budgets]
        medians = [self.found.get(Place(schedule, rate, way.budget)) for way in ways]
        if schedule in trainings.EQUAL_SUMS:
            ways += [by[schedule] for by in self.settings.equal_sums.values()]
            medians += [by.get(schedule) for by in self.sums.values()]
        for way, one in zip(ways, medians, strict=True):
            if one and self._middle in one.widths:
                config = Config(**way.config(self.settings))
                total = round(float(config.rate(np.arange(way.budget)).sum()))
                found[total] = estimates(one)[self._middle]
        return dict(sorted(found.items()))

    def headline(self) -> str:
        verdicts = self.judged()
        moved = {
            "rate": "the learning rate",
            "schedule": "its schedule",
            "budget": "the number of steps",
        }
        by = [words for key, words in moved.items() if verdicts[key][0].verdict == FAILS]
        start = "is not known to depend on rate, schedule or steps"
        if len(by) == len(moved):
            start = "belongs to the whole protocol: it moves with " + ", ".join(by[:-1])
            start += f" and {by[-1]}"
        elif by:
            start = f"moves with {' and '.join(by)}"
        parts = [f"The exponent of loss against width {start}"]
        runs = [
            f"from {extent(at)} after {budget:,} steps"
            for budget in self.settings.budgets
            if (at := [e for place, e in self.exponents.items() if place.budget == budget])
        ]
        parts.append(f"over the rates and schedules tried it runs {', '.join(runs)}")
        if at := [one.exponent for one in self.starts.values()]:
            parts.append(f"over {len(at)} initialisations at their best rates from {extent(at)}")
        for name in self.envelope:
            if rise := self._beyond(name, RISE):
                parts.append(f"past width {RISE}, each width at its best rate, it is {rise}")
                break
        return "; ".join(parts) + "."

    def tables(self) -> list[Table]:
        header = "schedule, rate, steps"
        rates = rows_of({(one.schedule, one.budget): two for one, two in self.rates.items()})
        starts = {
            str(start): {**dict(one.quantities()), "loss": one.loss}
            for start, one in self.starts.items()
        }
        envelope = [(*row, *self.envelope_rates[row[0]][row[1]]) for row in rows_of(self.envelope)]
        columns = "width, seeds, diverged, median, low, high"
        two = "rate of even seeds, rate of odd seeds"
        return [
            Table.of("losses", f"{header}, {columns}", rows_of(self.found)),
            Table.of("exponents", f"{header}, exponent, low, high", rows_of(self.exponents)),
            Table.of("rates", f"schedule, steps, width, {two}", rates),
            Table.of("sums", f"steps of step schedule, schedule, {columns}", rows_of(self.sums)),
            Table.of("starts", "start, quantity, value, low, high", rows_of(starts)),
            Table.of("envelope", f"start, {columns}, {two}", envelope),
        ]

    # Verdicts
    def _unchanged(self, pairs: Sequence[tuple[str, Place, Place]], claim: Claim) -> Outcome:
        """Whether exponents at one place are those at another, where both are known."""
        found = {
            name: exponent_change(self.found.get(one), self.found.get(other), *self.span)
            for name, one, other in pairs
            if one != other
        }
        return all_in(found, claim.no_change)

    def claim_rate(self, claim: Claim) -> Outcome:
        s = self.settings
        usual = Place(STEP, s.paper_rate, s.longest)
        pairs = [(f"rate {rate:g}", usual._replace(rate=rate), usual) for rate in s.rates]
        return self._unchanged(pairs, claim)

    def _schedules(self, rate: float | str) -> list[tuple[str, Place, Place]]:
        last = self.settings.longest
        return [(n, Place(n, rate, last), Place(STEP, rate, last)) for n in SCHEDULES_TRIED]

    def _budgets(self, rates: Sequence[float | str]) -> list[tuple[str, Place, Place]]:
        first, last = self.settings.shortest, self.settings.longest
        return [
            (f"{name}, {rate} rate", Place(name, rate, last), Place(name, rate, first))
            for name in SCHEDULES_TRIED
            for rate in rates
        ]

    def claim_schedule(self, claim: Claim) -> Outcome:
        return self._unchanged(self._schedules(self.settings.paper_rate), claim)

    def claim_budget(self, claim: Claim) -> Outcome:
        return self._unchanged(self._budgets([self.settings.paper_rate]), claim)

    def claim_best(self, claim: Claim) -> Outcome:
        return self._unchanged([*self._schedules(BEST), *self._budgets([BEST])], claim)

    def claim_one(self, claim: Claim) -> Outcome:
        alike = (trainings.STRETCHED, trainings.HELD)
        found = {
            place.schedule: e
            for place, e in self.exponents.items()
            # Of what is the step schedule there only that.
            if place[1:] == (BEST, self.settings.shortest) and place.schedule not in alike
        }
        return all_in(found, claim.near)

    def claim_longer(self, claim: Claim) -> Outcome:
        found = {
            name: mean_ratio(self.found.get(last), self.found.get(first))
            for name, last, first in self._budgets(self.settings.rates)
            if last != first
        }
        return all_in(found, lambda one: factor(one, 0.0, 1.0))

    def claim_precision(self, claim: Claim) -> Outcome:
        s = self.settings
        usual = self.found.get(Place(STEP, s.paper_rate, s.steps))
        change = exponent_change(self.precise, usual, *self.span)
        return all_in({"difference": change}, claim.no_change)

    def _at_sums(self, compared: Any) -> dict[str, Estimate | None]:
        """What compares two medians, of each schedule with the constant one at equal sums."""
        return {
            f"{name}, as step after {budget:,}": compared(one, by_name.get(trainings.CONSTANT))
            for budget, by_name in self.sums.items()
            for name, one in by_name.items()
            if name != trainings.CONSTANT
        }

    def claim_sum_exponent(self, claim: Claim) -> Outcome:
        found = self._at_sums(lambda one, other: exponent_change(one, other, *self.span))
        return all_in(found, claim.no_change)

    def claim_sum_loss(self, claim: Claim) -> Outcome:
        return all_in(self._at_sums(mean_ratio), claim.similar)

    def claim_own(self, claim: Claim) -> Outcome:
        found = {str(s): one.exponent for s, one in self.starts.items() if s != DEFAULT}
        return all_in(found, claim.near)

    def claim_tickets(self, claim: Claim) -> Outcome:
        usual = self.starts[DEFAULT].tickets if DEFAULT in self.starts else None
        if usual is None:
            return untested("Two-neuron nets of torch's default are missing.")
        least = 0.5 / self.settings.narrow_seeds  # in place of none
        found = {
            str(start): ratio(*(e.mapped(lambda x: max(x, least)) for e in (one.tickets, usual)))
            for start, one in self.starts.items()
            if start != DEFAULT and one.tickets
        }
        return all_in(found, claim.similar)

    def claim_alike(self, claim: Claim) -> Outcome:
        return all_in({str(start): one.alike for start, one in self.starts.items()}, claim.mostly)

    def claim_lazy(self, claim: Claim) -> Outcome:
        rows = {s: (one.moved.value, one.loss.value) for s, one in self.starts.items() if one.moved}
        if len(rows) < claim["least"]:
            few = f"{len(rows)} starts are too few for a correlation; "
            return untested(few + f"{claim['least']:g} are needed.")
        moved, loss = np.array(list(rows.values())).T
        if not np.ptp(moved) or not np.ptp(loss):
            return untested("All starts end alike.")
        found = {"correlation": rank_correlation(moved, loss)}
        return all_in(found, lambda one: inside(one, -inf, 0.0))

    def _beyond(self, scaling: str, low: int) -> Estimate | None:
        return exponent_over(self.envelope.get(scaling), low, inf)

    @each_scaling
    def claim_envelope(self, claim: Claim, scaling: str) -> Outcome:
        return all_in({"exponent": self._beyond(scaling, self.span[1])}, claim.near)

    @each_scaling
    def claim_rise(self, claim: Claim, scaling: str) -> Outcome:
        found = {"exponent": self._beyond(scaling, RISE)}
        return all_in(found, lambda one: inside(one, -inf, 0.0))
