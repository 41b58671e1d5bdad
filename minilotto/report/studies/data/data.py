"""Study: how much of each law is the number of training points, and the effect of label noise."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.differences import difference, ratio
from minilotto.analysis.stats.draws import typical_over_draws
from minilotto.analysis.stats.estimates import bend, estimates, exponents, share
from minilotto.analysis.stats.samples import INFINITE, Samples, gathered, straight_lines
from minilotto.analysis.stats.scaling import fit_law, power_law_over
from minilotto.errors import ConfigError, DataError
from minilotto.report.claims import (
    Case,
    Claim,
    Outcome,
    about,
    as_numbers,
    described,
    for_each,
    over,
    tally,
    untested,
)
from minilotto.report.figure import PAPER_RANGE, Source, Table, commas, divided, interval, named
from minilotto.report.rules import LEVEL, factor, inside, near
from minilotto.report.study import Settings, Study, default
from minilotto.store.grid import Sweep

# The exact engine, which takes any number of points, computes in float64.
DTYPES = {"relu": "float64", "leaky_relu": "float64"}
PAPER_POINTS = 100
MANY = 1_000_000  # times, beyond which the exact number says nothing
COLUMNS = {  # of the tables
    "losses": "activation, sampling, points, noise, width, nets, draws, training median, "
    "median on all x, low, high",
    "exponents": "activation, points, loss, widths, exponent, low, high, low over seeds, "
    "high over seeds",
    "noise": "activation, noise, points, width, parameters, learnt, low, high, absorbed, "
    "absorbed low, absorbed high",
}


@dataclass(frozen=True)
class DataSettings(Settings):
    """What is trained. Raises ConfigError for a list that is empty, or a noise not above 0."""

    # of each of `widths` on all x and on that number of `points` nearest to 100
    seeds: int = default(128, quick=16)
    other_seeds: int = default(32, quick=16)  # at the other numbers of points
    activations: tuple[str, ...] = ("silu", "leaky_relu")
    widths: tuple[int, ...] = default((10, 15, 20, 25, 30, 40, 50), quick=(10, 20, 30, 50))
    points: tuple[int, ...] = default((10, 30, 100, 300, 1000), quick=(10, 100, 1000))
    # of uniform points, and of label noise, each with `nets_per_draw` of `drawn_widths`
    draws: int = default(12, quick=4)
    nets_per_draw: int = default(8, quick=4)
    drawn_widths: tuple[int, ...] = (10, 20, 50)
    # standard deviations, at the number of points nearest to 100
    noises: tuple[float, ...] = default((1e-3, 1e-2, 1e-1), quick=(1e-2, 1e-1))
    # at which the largest noise is
    noisy_points: tuple[int, ...] = default((30, 100, 300, 1000), quick=(100, 1000))

    def __post_init__(self) -> None:
        for name in ("activations", "widths", "points", "drawn_widths", "noises", "noisy_points"):
            if not getattr(self, name):
                raise ConfigError(f"{name} is empty; give at least one, or leave it out")
        if not all(noise > 0 for noise in self.noises):
            raise ConfigError(
                f"noises={self.noises} has one that is not above 0; nets without noise are "
                "trained anyway"
            )

    @property
    def usual(self) -> int:
        """The number of points nearest to the paper's, in logarithms."""
        return min(self.points, key=lambda count: abs(np.log(count / PAPER_POINTS)))

    def sweeps(self) -> list[Sweep]:
        wide = sorted({*self.widths, *self.drawn_widths})
        others = sorted({*self.points, *self.noisy_points} - {self.usual})
        noisy = [(max(self.noises), tuple(self.noisy_points))]
        noisy += [(noise, (self.usual,)) for noise in sorted(self.noises)]
        if self.usual in self.noisy_points:
            noisy.pop()  # the largest noise has been there
        sweeps: list[Sweep] = []
        draws: dict[str, Any] = {"root_seeds": tuple(range(self.draws))}
        draws |= {"widths": self.drawn_widths, "seeds": self.nets_per_draw}
        for activation in self.activations:
            common: dict[str, Any] = {"activation": activation, "steps": self.steps}
            common["dtype"] = DTYPES.get(activation, "float32")
            several = {**draws, **common}
            sweeps += [
                Sweep(widths=wide, points=self.usual, seeds=self.seeds, **common),
                Sweep(widths=wide, sampling="population", seeds=self.seeds, **common),
                Sweep(points=self.points, sampling="uniform", **several),
            ]
            if others:
                few: dict[str, Any] = {"points": others, "seeds": self.other_seeds}
                sweeps.append(Sweep(widths=wide, **few, **common))
            sweeps += [Sweep(points=at, noise=noise, **several) for noise, at in noisy]
        return sweeps


each_activation = for_each("activation", lambda study: {named(one): one for one in study.samples})


class Data(Study):
    """Losses on the training points and on all x, by width, number of points and label noise."""

    name = "data"
    settings_type = DataSettings

    def __init__(self, source: Source, settings: DataSettings) -> None:
        self.settings, self.usual, self.noise = settings, settings.usual, max(settings.noises)
        every = settings.sweeps()
        nets = {config: one for sweep in every for config, one in source.nets(sweep).items()}
        found = gathered(nets, LEVEL).items()
        self.samples = {name: one for name, one in found if len(one.widths(self.usual)) >= 3}
        if not self.samples:
            raise DataError(
                f"no activation has three widths of nets on {self.usual} equally spaced points, "
                "with ten or more seeds each; train more widths or seeds"
            )
        self.count = sum(len(one) for one in nets.values())
        self.fits = {
            (activation, count, everywhere): fit
            for activation, found in self.samples.items()
            for count in found.counts
            for everywhere in (False, True)
            if (fit := power_law_over(found.by_width(count, everywhere), *PAPER_RANGE))
        }

    def exponent(self, activation: str, count: float) -> Estimate | None:
        """Of the training loss in width, with seeds' and widths' scatter."""
        fit = self.fits.get((activation, count, False))
        return fit.estimates["exponent"] if fit else None

    def facts(self) -> dict[str, Any]:
        s = self.settings
        return {
            **super().facts(),
            "usual": self.usual,
            "few": min(s.points),
            "noise": self.noise,
            "most_points": max(s.noisy_points),
            "widest": max(s.drawn_widths),
            "drawn_widths": commas(sorted(s.drawn_widths)),
            "shown_widths": " and ".join(map(str, self.shown_widths)),
            "precision": f"{1.2 / s.seeds**0.5:.1g}",
        }

    def headline(self) -> str:
        exponents, costs = [], []
        most, width = max(self.settings.noisy_points), max(self.settings.drawn_widths)
        for activation, found in self.samples.items():
            name = named(activation)
            here, all_x = (self.exponent(activation, count) for count in (self.usual, INFINITE))
            if here and all_x:
                exponents.append(f"{all_x.value:.2f} for {name} ({here.value:.2f} on {self.usual})")
            if learnt := found.learnt(self.noise, most, width):
                costs.append(f"{learnt[0].value:.2g} of {3 * width + 1} parameters of {name} nets")
        span = "On infinitely many points the exponent over widths {} to {} is".format(*PAPER_RANGE)
        starts = (span, "label noise is fitted by")
        both = zip(starts, (exponents, costs), strict=True)
        said = "; ".join(f"{start} {' and '.join(some)}" for start, some in both if some)
        return f"{said}." if said else ""

    @property
    def shown_widths(self) -> list[int]:
        return sorted({min(self.settings.drawn_widths), max(self.settings.drawn_widths)})

    def tables(self) -> list[Table]:
        every: list[list[tuple[Any, ...]]] = [[], [], []]
        losses, exponents, noise = every
        for activation, found in self.samples.items():
            for (count, width), one in sorted(found.lattice.items()):
                where = ("lattice", int(count)) if count < INFINITE else ("all x", "infinite")
                lead = (activation, *where, 0.0, width, len(one.training), 1)
                middle = interval(found.median(count, width))
                losses.append((*lead, float(np.nanmedian(one.training)), *middle))
            for place, drawn in sorted(found.drawn.items()):
                size, few, width = place
                here, all_x = (
                    typical_over_draws(each, LEVEL) for each in (drawn.training, drawn.everywhere)
                )
                kind, draws = "lattice" if size else "uniform", len(drawn.training)
                row = (kind, few, size, width, drawn.nets, draws, here.value, all_x)
                losses.append((activation, *row))
                if learnt := found.learnt(*place):
                    noise.append((activation, *place, 3 * width + 1, *learnt))
        for (activation, count, everywhere), fit in self.fits.items():
            what = "on all x" if everywhere else "training"
            points = int(count) if count < INFINITE else "infinite"
            widths = " ".join(f"{width:g}" for width in fit.points.widths)
            wide, narrow = (one["exponent"] for one in (fit.estimates, fit.seeds_only))
            exponents.append((activation, points, what, widths, wide, narrow.low, narrow.high))
        tables = zip(COLUMNS.items(), every, strict=True)
        return [Table.of(*head, rows) for head, rows in tables if rows]

    @each_activation
    def claim_same_exponent(self, claim: Claim, activation: str) -> Outcome:
        here, all_x = (self.exponent(activation, count) for count in (self.usual, INFINITE))
        if here is None or all_x is None:
            return untested("One of the two fits is missing: train three widths or more on both.")
        change = difference(all_x, here)
        fit = self.fits[activation, INFINITE, False]
        shape = f"p = {fit.p_value:.2g} for a power law about which seeds alone scatter"
        if len(fit.points.widths) > 3:
            shape += f", bend {bend(fit.points)}"
        return about(
            claim.unchanged(change),
            f"{self.usual} points: {here}; infinitely many: {all_x}; difference {change}. On "
            f"infinitely many points: {shape}",
            "",
            {"on points": here.value, "on all x": all_x.value} | as_numbers("difference", change),
            faster="faster" if change.value > 0 else "more slowly",
        )

    def claim_few_points(self, claim: Claim) -> Outcome:
        few, found = min(self.settings.points), self.samples.get("silu", Samples(LEVEL))
        rows = {
            f"N = {width}": ratio(here, all_x)
            for width in found.widths(few)
            if (here := found.median(few, width)) and (all_x := found.median(INFINITE, width))
        }
        if not rows:
            return untested("SiLU nets on the fewest points and on all x are missing.")
        return tally(rows, lambda one: factor(one, 0.0, claim["similar"]), "ratio ")

    def claim_resolution(self, claim: Claim) -> Outcome:
        found = self.samples.get("leaky_relu", Samples(LEVEL))
        width = max(found.widths(self.usual), default=0)
        by_count = found.by_count(width)
        few = None if by_count is None else by_count.select(by_count.widths <= width)
        if few is None or not len(few.widths):
            return untested("Nets on fewer points than they have neurons are missing.")
        lines = {n: (one, float(straight_lines(n))) for n, one in estimates(few).items()}
        rows = {f"P = {n}": divided(*both) for n, both in lines.items()}
        outcome = tally(rows, claim.similar, f"N = {width}: ")
        if len(rows) < 2:
            return outcome
        low, high, exponent = exponents(few)[0]
        words = f"; exponent from {low:g} to {high:g} points {exponent}"
        return outcome._replace(measured=outcome.measured + words)

    def claim_misled(self, claim: Claim) -> Outcome:
        gaps = [
            (activation, *place, gap)
            for activation, found in self.samples.items()
            for place, gap in found.gaps().items()
        ]
        limit = claim["similar"]
        wrong = [row for row in gaps if row[-1] > limit]
        right = sum((gap > limit) == (count <= 3 * width + 1) for *_, count, width, gap in gaps)
        words = {}
        for activation in self.samples:
            mine = [row for row in wrong if row[0] == activation]
            words[named(activation)] = "nowhere"
            if mine:
                _, kind, count, width, gap = max(mine, key=lambda row: row[-1])
                times = f"{gap:.2g}" if gap < MANY else f"over {MANY:,}"
                words[named(activation)] = (
                    f"up to P = {max(row[2] for row in mine)}, {times} times on {count} {kind} "
                    f"points, N = {width}"
                )
        correct = share(right, len(gaps))
        return about(
            inside(correct, claim["most"], np.inf),
            f"misled in {len(wrong)} of {len(gaps)} cases ({described(words)}); the rule is right "
            f"in {correct:.0%}",
            "",
            {"right": correct.value, "misled": len(wrong), "cases": len(gaps)},
        )

    def claim_noise_cost(self, claim: Claim) -> Outcome:
        noise, count, similar = self.noise, max(self.settings.noisy_points), claim["similar"]
        cases, less, more = [], 0, 0
        for activation, found in self.samples.items():
            for width in sorted(self.settings.drawn_widths):
                both, free = found.learnt(noise, count, width), 3 * width + 1
                if both is None:
                    continue
                learnt, absorbed = both
                part, name = divided(learnt, free), f"{named(activation)}, N = {width}"
                less, more = less + (part.high < 1 / similar), more + (part.low > similar)
                words = f"{learnt} of {free} on all x, {absorbed} in the training loss"
                numbers = {f"k of {activation} at {width}": learnt.value}
                cases.append(Case(name, inside(part, 1 / similar, similar), words, numbers))
        if not cases:
            return untested("Nets with noise, or the same without, are missing.")
        return over(cases, less=less, more_than=more)

    def claim_noise_decay(self, claim: Claim) -> Outcome:
        rows = {}
        for activation, found in self.samples.items():
            decay = found.noise_decay(self.noise, max(self.settings.drawn_widths))
            if decay is not None:
                rows[f"{named(activation)} over P = {', '.join(map(str, decay[0]))}"] = decay[1]
        if not rows:
            return untested("Noise adds something certain at fewer than two numbers of points.")
        return tally(rows, lambda one: near(one, 1.0, claim["near"]))

    @each_activation
    def claim_survives(self, claim: Claim, activation: str) -> Outcome:
        found, usual = self.samples[activation], self.usual
        by_width = found.by_width(usual, True)
        drawn = by_width and by_width.select(np.isin(by_width.widths, self.settings.drawn_widths))
        if not drawn or len(drawn.widths) < 3:
            return untested("Three widths without noise are needed.")
        # Fitted to the same widths as those with noise: how these lie about a law is no error.
        clean = fit_law(drawn).seeds_only["exponent"]
        noises = sorted(self.settings.noises)
        rows = {f"noise {noise:g}": found.noisy_exponent(noise, usual) for noise in noises}
        if not any(rows.values()):
            return untested("Nets with noise are missing.", f"without noise {clean}")
        before = f"exponent without noise {clean}; "
        return tally(rows, lambda one: claim.unchanged(difference(one, clean)), before)
