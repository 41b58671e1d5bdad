"""Study: the law of width over the time of a training, by output scale; collapse of loss curves."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import Any, NamedTuple

import numpy as np

from minilotto.analysis.ensembling.decomposition import Decomposition, as_points, decompose
from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate, Points, points
from minilotto.analysis.stats.exponents import exponent_change, exponent_over, mean_ratio
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import ConfigError, DataError
from minilotto.report.claims import Claim, Outcome, tally
from minilotto.report.figure import Scale, Source, Table, commas, interval, width_rows
from minilotto.report.ranges import extent
from minilotto.report.rules import LEVEL, exactly, factor, inside, near
from minilotto.report.studies.time.analysis import Collapse, collapse, from_mean, to_horizon
from minilotto.report.study import Settings, Study
from minilotto.settings.arrays import Array
from minilotto.settings.scaled import times
from minilotto.store.grid import Sweep

TASK = "square"
PARTS = ("variance", "loss", "bias")
POWERS = (-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5)  # of horizons in the width
TRAINED_POWERS = (0.0, 0.5, 1.0)  # of those that are trained to
HALF = "half the rate"
CLOCK = 1000  # steps from which on the exponent in time is taken


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
        where = (
            f"output scale {Fraction(self.scale)}" if self.init == "uniform" else "torch's start"
        )
        ending = "" if self.schedule == "constant" else f", {self.schedule} decay"
        return f"{name}, {where}{ending}"

    def times(self, width: int) -> Fraction:
        """The number by which outputs and targets are multiplied."""
        return width / Fraction(self.scale) if self.init == "uniform" else Fraction(1)

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
    """What is trained.

    Parameters
    ----------
    widths, wide : tuple of int
        Of nets that take all steps, and of those that take the early ones alone.
    least : int
        The least width of a law.
    scales : tuple of float
        Output scales, 1 among them; the largest is the laziest.
    rate, adam_rate : float
        Of gradient descent in time of the function, and of Adam.
    early : tuple of int
        Early steps at which functions are compared, 10 and 100 among them.
    early_seeds : int
        Networks of each config that are compared early.
    keep : tuple of int
        Later steps at which they are, before the last.
    ladder, horizons : tuple of int
        Widths and steps of trainings whose rate falls to 0.
    other_points : int
        In place of 100.

    Raises
    ------
    ConfigError
        Where output scale 1, or a step at which laws are taken, is missing.
    """

    seeds: int = 64
    steps: int = 20_000
    widths: tuple[int, ...] = (8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512)
    wide: tuple[int, ...] = (724, 1024, 1448, 2048)
    least: int = 32
    scales: tuple[float, ...] = (64.0, 8.0, 1.0, 1 / 8, 1 / 64)
    rate: float = 0.1
    adam_rate: float = 0.003
    early: tuple[int, ...] = (10, 30, 100, 300)
    early_seeds: int = 128
    keep: tuple[int, ...] = (1000, 5000)
    ladder: tuple[int, ...] = (8, 32, 128)
    horizons: tuple[int, ...] = (4000, 8000, 16_000, 32_000, 64_000)
    other_points: int = 400

    def __post_init__(self) -> None:
        if 1.0 not in self.scales or not {10, 100} <= {*self.early} or not self.keep:
            raise ConfigError(
                f"scales={self.scales!r}, early={self.early!r} and keep={self.keep!r} lack output "
                "scale 1, or early steps 10 and 100, or a later one; add them"
            )

    @classmethod
    def quick(cls) -> "TimeSettings":
        return cls(
            seeds=16, steps=5000, widths=(8, 16, 32, 64), wide=(128,), least=16, early_seeds=32,
            early=(10, 100), keep=(1000,), horizons=(500, 1000, 2000, 4000, 8000),
        )  # fmt: skip

    @property
    def gradual(self) -> list[Way]:
        """Gradient descent, from lazy to rich."""
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

    def sweeps(self, way: Way) -> list[Sweep]:
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

    @classmethod
    def trainings(cls, settings: TimeSettings) -> tuple[Sweep, ...]:
        s = settings
        some = [s.sweeps(way) for way in s.ways] + [s.decayed(way) for way in s.falling]
        some += [sweeps for _, _, sweeps in s.others().values()]
        return tuple(one for sweeps in some for one in sweeps)

    def __init__(self, source: Source, scale: Scale | TimeSettings) -> None:
        s: TimeSettings = self.chosen(scale)
        self.settings, self._source, self.left_out, self.count = s, source, list[str](), 0
        self.curves: dict[Way, dict[int, dict[int, tuple[Array, Array]]]] = {}
        self.found = {
            way: {
                (part, step): one
                for step, by_width in sorted(self._parts(way, str(way), s.sweeps(way)).items())
                for part in PARTS
                if (one := self._points(part, by_width, f"{way}, step {step}"))
            }
            for way in s.ways
        }
        self.exponents = {
            (way, part, step): exponent
            for way, found in self.found.items()
            for (part, step), one in found.items()
            if (exponent := exponent_over(one, s.least, inf))
        }
        if not self.exponents:
            raise DataError(
                f"an exponent needs three widths from {s.least} on with {LEAST_SEEDS} finite seeds;"
                " train more with Trajectories.run"
            )
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
        widths, terms = sorted(by_width), {n: one.terms for n, one in by_width.items() if one.terms}
        try:
            if part == "bias":
                known = sorted(terms)
                return as_points(known, [terms[n] for n in known], part) if known else None
            return points(widths, [getattr(by_width[n], part) for n in widths], level=LEVEL)
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
        if self.settings.steps not in known:
            return None
        steps, losses = known[self.settings.steps]
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
            "scales": commas(Fraction(way.scale) for way in s.gradual),
            "lazy": Fraction(max(s.scales)),
            "rich": Fraction(min(s.scales)),
            "first": s.usual.early,
            "widest": max(s.widths),
            "broadest": max(*s.widths, *s.wide),
            "last": max(s.keep),
            "networks": self.count,
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
                f"{Fraction(max(s.scales))} to {Fraction(min(s.scales))}, where theory has 1"
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
        return f"{words[0].upper()}{words[1:]}."

    def tables(self) -> list[Table]:
        rows = [
            (str(way), part, step, *row)
            for way, found in self.found.items()
            for (part, step), one in found.items()
            for row in width_rows(one)
        ]
        exponents = [(str(w), part, s, *interval(e)) for (w, part, s), e in self.exponents.items()]
        clocks = [
            (str(way), *interval(exponent_over(one, 0, inf)))
            for way in self.settings.ways
            if (one := self.clock(way))
        ]
        ratios = [
            (str(way), least, power, power == made.best, *interval(each))
            for way in self.collapses
            for least in (0, self.settings.least)
            if (made := self.collapsed(way, least))
            for power, each in made.ratios.items()
        ]
        ends = "low, high"
        return [
            Table.of("widths", f"way, part, step, width, seeds, left out, value, {ends}", rows),
            Table.of("exponents", f"way, part, step, exponent, {ends}", exponents),
            Table.of("clocks", f"way, exponent in time, {ends}", clocks),
            Table.of(
                "collapse", f"way, least width, power, best, between widths / seeds, {ends}", ratios
            ),
        ]

    # Verdicts
    def outcomes(self) -> dict[str, Outcome]:
        s, claims = self.settings, self.entry.claims
        torch = s.ways[-1:]
        rules: dict[str, Callable[[Claim], Outcome]] = {
            "early": lambda c: self._early(self.at("variance", True, s.ways[:-1]), c),
            "early_torch": lambda c: self._early(self.at("variance", True, torch), c),
            "late": lambda c: self._near(self.at("variance", False, s.ways), c),
            "late_loss": lambda c: self._near(self.at("loss", False, s.ways), c),
            "bias": lambda c: self._near(self.at("bias", False, s.ways), c),
            "strength": self._strength,
            "clock": self._clock,
            "constant": lambda c: self._collapsed(s.ways, c),
            "decayed": lambda c: self._collapsed(s.falling, c),
            "rate": self._rate,
            "same": self._same,
        }
        return {key: rule(claims[key]) for key, rule in rules.items()}

    def _early(self, found: Mapping[str, Estimate], claim: Claim) -> Outcome:
        return tally(found, lambda one: exactly(one, claim["claimed"], claim["near"]))

    def _near(self, found: Mapping[str, Estimate], claim: Claim) -> Outcome:
        return tally(found, lambda one: near(one, claim["claimed"], claim["near"]))

    def _strength(self, claim: Claim) -> Outcome:
        lazy, *others = self.settings.gradual
        base, found = self.end(lazy, "variance"), {}
        for way in others:
            one = self.end(way, "variance")
            if one and base and (ratio := mean_ratio(one, base)):
                found[f"output scale {Fraction(way.scale)}"] = ratio
        return tally(found, lambda one: factor(one, 0.0, 1 / claim["same"]))

    def _clock(self, claim: Claim) -> Outcome:
        lazy, *others = self.settings.gradual
        base, found = self.clock(lazy), {}
        for way in others:
            one = self.clock(way)
            if one and base and (change := exponent_change(one, base, 0, inf)):
                found[f"output scale {Fraction(way.scale)}"] = change
        out = tally(found, lambda one: inside(one, -claim["near"], claim["near"]))
        alone = exponent_over(base, 0, inf) if base else None
        return out._replace(numbers={**out.numbers, "lazy": alone.value}) if alone else out

    def _collapsed(self, ways: Iterable[Way], claim: Claim) -> Outcome:
        found = {str(way): self.collapses[way].ratio for way in ways if way in self.collapses}
        out = tally(found, lambda one: factor(one, 0.0, claim["most"]))
        usual = self.settings.usual
        if str(usual) in found and (one := self.collapsed(usual, self.settings.least)):
            name = f"{usual}, from width {self.settings.least} on"
            measured = f"{out.measured} ({name}: {one.ratio})"
            out = out._replace(measured=measured, numbers={**out.numbers, name: one.ratio.value})
        return out

    def _other(self, name: str, part: str, early: bool = False) -> tuple[Points | None, ...]:
        """Another training's part and that of its way, early or at the last of the steps kept."""
        way, times, _ = self.settings.others()[name]
        step = way.early if early else max(self.settings.keep)
        other = self.others[name].get(times * step, {})
        mine = self._points(part, other, name) if other else None
        return mine, self.found[way].get((part, step))

    def _rate(self, claim: Claim) -> Outcome:
        found = dict[str, Estimate]()
        for name in (name for name in self.others if name.startswith(HALF)):
            for when, early in (("early", True), ("later", False)):
                one, usual = self._other(name, "variance", early)
                if one and usual:
                    change = exponent_change(one, usual, self.settings.least, inf)
                    found |= {f"{name}, {when}": change} if change else {}
        return tally(found, lambda one: inside(one, -claim["near"], claim["near"]))

    def _same(self, claim: Claim) -> Outcome:
        found = {}
        for name in (name for name in self.others if not name.startswith(HALF)):
            one, usual = self._other(name, "loss")
            if one and usual and (ratio := mean_ratio(one, usual)):
                found[name] = ratio
        return tally(found, lambda one: factor(one, 1 / claim["same"], claim["same"]))
