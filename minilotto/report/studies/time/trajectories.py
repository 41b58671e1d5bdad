"""Study: the law of width over the time of a training, by output scale; collapse of loss curves."""

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any, NamedTuple

import numpy as np

from minilotto.analysis.ensembling.decomposition import Decomposition, as_points, decompose
from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate, Points, points
from minilotto.analysis.stats.exponents import exponent_change, exponent_over, mean_ratio
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.report.claims import Claim, Outcome, extent, tally
from minilotto.report.figure import Source, Table, commas, interval, rows_of
from minilotto.report.rules import LEVEL, exactly, factor
from minilotto.report.studies.time.analysis import Collapse, collapse, from_mean, to_horizon
from minilotto.report.studies.time.trainings import HALF, TimeSettings, Way
from minilotto.report.study import Study
from minilotto.report.tuning import exponents, medians
from minilotto.settings.arrays import Array
from minilotto.store.grid import Sweep

PARTS = ("variance", "loss", "bias")
POWERS = (-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5)  # of horizons in the width
TRAINED_POWERS = (0.0, 0.5, 1.0)  # of those that are trained to
CLOCK = 1000  # steps from which on the exponent in time is taken


class Parts(NamedTuple):
    """Of the nets of one width at one time: loss and distance from the mean of each and, at the
    end, the terms of the mean loss.
    """

    loss: Array
    variance: Array
    terms: Decomposition | None


def parts_of(nets: Ensemble, times: float, ends: bool) -> Parts | None:
    """Parts of nets whose outputs are so many times those of interest; None for too few."""
    errors = (nets.predict(nets.data.x) - nets.data.y) / times
    errors, weight = errors[np.isfinite(errors).all(axis=1)], nets.data.weight
    if len(errors) < LEAST_SEEDS:
        return None
    terms = decompose(errors, weight, central=1.0, level=LEVEL) if ends else None
    return Parts(errors**2 @ weight, from_mean(errors, weight), terms)


class Trajectories(Study):
    """Laws of width along trainings, by output scale, and loss curves by their horizons."""

    name = "time"
    settings_type = TimeSettings

    def __init__(self, source: Source, settings: TimeSettings) -> None:
        s = settings
        self.settings, self._source, self.left_out, self.count = s, source, list[str](), 0
        self.curves: dict[Way, dict[int, dict[int, tuple[Array, Array]]]] = {}
        self.found = {
            way: {
                (part, step): one
                for step, by_width in sorted(self._parts(way, str(way), s.usually(way)).items())
                for part in PARTS
                if (one := self._points(part, by_width, f"{way}, step {step}"))
            }
            for way in s.ways
        }
        every = {(way, *key): one for way, by in self.found.items() for key, one in by.items()}
        self.exponents = exponents(every, s.least, inf, "Trajectories")
        self.others = {
            name: self._parts(way, name, sweeps, curves=False)
            for name, (way, _, sweeps) in s.others().items()
        }
        for way in s.falling:
            self._parts(way, str(way), s.decayed(way))
        found = {way: self.collapsed(way) for way in self.curves}
        self.collapses = {way: one for way, one in found.items() if one}

    def _parts(
        self, way: Way, name: str, sweeps: Iterable[Sweep], curves: bool = True
    ) -> dict[int, dict[int, Parts]]:
        """Parts by step and width; loss curves are kept by width and number of steps."""
        found = dict[int, dict[int, Parts]]()
        for config, nets in ((c, n) for one in sweeps for c, n in self._source.nets(one).items()):
            self.count += len(nets)
            width, number = config.width, float(way.times(config.width))
            if curves:
                history, good = nets.history, np.isfinite(nets.history.loss).all(axis=0)
                later = history.steps > 0
                losses = history.loss[later][:, good] / number**2
                by_steps = self.curves.setdefault(way, {}).setdefault(width, {})
                by_steps[config.steps] = history.steps[later].astype(float), losses
            if one := parts_of(nets, number, config.steps == self.settings.steps):
                found.setdefault(config.steps, {})[width] = one
            else:
                self.left_out.append(f"{name}, width {width}, step {config.steps:,}: few finite")
        return found

    def _points(self, part: str, by_width: Mapping[int, Parts], name: str) -> Points | None:
        """A part against width: medians over nets, and of bias the mean's loss."""
        if part != "bias":
            losses = {width: getattr(one, part) for width, one in by_width.items()}
            return medians(losses, name, self.left_out, 1000)
        terms = {width: one.terms for width, one in sorted(by_width.items()) if one.terms}
        try:
            return as_points(list(terms), list(terms.values()), part) if terms else None
        except DataError as error:
            self.left_out.append(f"{name}: {error}")
            return None

    def horizon(self, way: Way, width: int, power: float) -> float:
        """The steps of a width, as a power of it: the largest is that of the trainings, or the
        middle of a ladder has the middle horizon.
        """
        widths = self.settings.widths
        if way.schedule == "constant":
            longest = max(widths) if power > 0 else min(widths)
            return float(self.settings.steps * (width / longest) ** power)
        ladder, horizons = self.settings.ladder, sorted(self.settings.horizons)
        middle = np.exp(np.mean(np.log([min(ladder), max(ladder)])))
        return float(horizons[len(horizons) // 2] * (width / middle) ** power)

    def normalised(self, way: Way, power: float) -> dict[int, Array]:
        """Logarithms of loss up to the horizons of a power, by width."""
        found = {}
        for width, by_steps in self.curves.get(way, {}).items():
            horizon = self.horizon(way, width, power)
            steps = max(by_steps) if way.schedule == "constant" else round(horizon)
            if steps in by_steps and horizon <= 1.001 * steps:
                known, losses = by_steps[steps]
                if losses.shape[1] >= LEAST_SEEDS:
                    found[width] = to_horizon(known, losses, horizon)
        return dict(sorted(found.items()))

    def collapsed(self, way: Way, least: int = 0) -> Collapse | None:
        """The collapse of the widths of a ladder, or of all from `least` on."""
        powers = POWERS if way.schedule == "constant" else TRAINED_POWERS
        rows = {power: self.normalised(way, power) for power in powers}
        shared = set.intersection(*({*by_width} for by_width in rows.values()))
        widths = sorted(width for width in shared if width >= least)
        if len(widths) < 2:
            self.left_out.append(f"{way}: fewer than two widths have all horizons")
            return None
        return collapse({p: [by[n] for n in widths] for p, by in rows.items()}, LEVEL)

    # Numbers
    def end(self, way: Way, part: str) -> Points | None:
        return self.found[way].get((part, self.settings.steps))

    def clock(self, way: Way) -> Points | None:
        """Median loss against steps, of the widest nets that take all."""
        known = self.curves.get(way, {}).get(max(self.settings.widths), {})
        steps, losses = known.get(self.settings.steps, (np.empty(0), np.empty((0, 0))))
        late = steps >= CLOCK
        if losses.shape[1] < LEAST_SEEDS or np.count_nonzero(late) < 3:
            return None
        return points(steps[late], list(losses[late]), level=LEVEL)

    def at(self, part: str, early: bool, ways: Iterable[Way]) -> dict[str, Estimate]:
        """Exponents in the width, early or at the end, by way."""
        steps = {way: way.early if early else self.settings.steps for way in ways}
        keys = {way: (way, part, step) for way, step in steps.items()}
        return {str(way): self.exponents[k] for way, k in keys.items() if k in self.exponents}

    def facts(self) -> dict[str, Any]:
        s = self.settings
        return {
            **super().facts(),
            "scales": commas(way.exact for way in s.gradual),
            "lazy": s.gradual[0].exact,
            "rich": s.gradual[-1].exact,
            "first": s.usual.early,
            "broadest": max(*s.widths, *s.wide),
            "last": max(s.keep),
            "start": CLOCK,
        }

    def headline(self) -> str:
        s = self.settings
        early, late = (list(self.at("variance", one, s.gradual).values()) for one in (True, False))
        parts = []
        if early:
            parts.append(
                f"after {s.usual.early} steps of gradient descent the variance over seeds goes "
                f"with the width N as N^-a with a from {extent(early)} over output scales "
                f"{s.gradual[0].exact} to {s.gradual[-1].exact}, where theory has 1"
            )
        if late:
            parts.append(f"after {s.steps:,} steps a is from {extent(late)}")
        if self.collapses:
            ratios = extent([one.ratio for one in self.collapses.values()])
            parts.append(
                "loss curves of all widths, each divided by its end, lie apart by "
                f"{ratios} times what seeds do, at the best choice of horizons"
            )
        words = "; ".join(parts)
        return f"{words[:1].upper()}{words[1:]}."

    def tables(self) -> list[Table]:
        rows = rows_of({str(way): found for way, found in self.found.items()})
        slopes = [(str(way), part, step, e) for (way, part, step), e in self.exponents.items()]
        clocks = [
            (str(way), *interval(exponent_over(one, 0, inf)))
            for way in self.settings.ways
            if (one := self.clock(way))
        ]
        ratios = [
            (str(way), least, power, power == made.best, each)
            for way in self.collapses
            for least in (0, self.settings.least)
            if (made := self.collapsed(way, least))
            for power, each in made.ratios.items()
        ]
        header = "way, least width, power, best, between widths / seeds, low, high"
        return [
            Table.of("widths", "way, part, step, width, seeds, left out, value, low, high", rows),
            Table.of("exponents", "way, part, step, exponent, low, high", slopes),
            Table.of("clocks", "way, exponent in time, low, high", clocks),
            Table.of("collapse", header, ratios),
        ]

    # Verdicts
    def claim_early(self, claim: Claim) -> Outcome:
        *ways, torch = self.settings.ways
        found = self.at("variance", True, ways if claim.key == "early" else [torch])
        return tally(found, lambda one: exactly(one, claim["claimed"], claim["near"]))

    claim_early_torch = claim_early

    def claim_late(self, claim: Claim) -> Outcome:
        part = {"late": "variance", "late_loss": "loss", "bias": "bias"}[claim.key]
        return tally(self.at(part, False, self.settings.ways), claim.near)

    claim_late_loss = claim_bias = claim_late

    def _to_lazy(
        self,
        made: Callable[[Way], Points | None],
        compared: Callable[[Points | None, Points | None], Estimate | None],
    ) -> dict[str, Estimate | None]:
        """What each richer way has, compared with the laziest."""
        lazy, *others = self.settings.gradual
        return {f"output scale {way.exact}": compared(made(way), made(lazy)) for way in others}

    def claim_strength(self, claim: Claim) -> Outcome:
        found = self._to_lazy(lambda way: self.end(way, "variance"), mean_ratio)
        return tally(found, lambda one: factor(one, 0.0, 1 / claim["same"]))

    def claim_clock(self, claim: Claim) -> Outcome:
        found = self._to_lazy(self.clock, lambda one, base: exponent_change(one, base, 0, inf))
        out = tally(found, claim.unchanged)
        alone = exponent_over(self.clock(self.settings.gradual[0]), 0, inf)
        return out._replace(numbers={**out.numbers, "lazy": alone.value}) if alone else out

    def claim_constant(self, claim: Claim) -> Outcome:
        ways = self.settings.ways if claim.key == "constant" else self.settings.falling
        found = {str(way): self.collapses[way].ratio for way in ways if way in self.collapses}
        out = tally(found, lambda one: factor(one, 0.0, claim["most"]))
        usual = self.settings.usual
        if str(usual) in found and (one := self.collapsed(usual, self.settings.least)):
            name = f"{usual}, from width {self.settings.least} on"
            numbers = {**out.numbers, name: one.ratio.value}
            out = out._replace(measured=f"{out.measured} ({name}: {one.ratio})", numbers=numbers)
        return out

    claim_decayed = claim_constant

    def _other(
        self, name: str, part: str, early: bool = False
    ) -> tuple[Points | None, Points | None]:
        """Another training's part and that of its way, early or at the last of the steps kept."""
        way, times, _ = self.settings.others()[name]
        step = way.early if early else max(self.settings.keep)
        other = self.others[name].get(times * step, {})
        mine = self._points(part, other, name) if other else None
        return mine, self.found[way].get((part, step))

    def claim_rate(self, claim: Claim) -> Outcome:
        found = {
            f"{name}, {when}": exponent_change(
                *self._other(name, "variance", early), self.settings.least, inf
            )
            for name in self.others
            if name.startswith(HALF)
            for when, early in (("early", True), ("later", False))
        }
        return tally(found, claim.unchanged)

    def claim_same(self, claim: Claim) -> Outcome:
        names = [name for name in self.others if not name.startswith(HALF)]
        found = {name: mean_ratio(*self._other(name, "loss")) for name in names}
        return tally(found, claim.same)
