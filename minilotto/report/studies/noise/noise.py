"""Study: does the noise of minibatches make a central limit over the width?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import numpy as np

from minilotto.analysis.ensembling.decomposition import over_noise
from minilotto.analysis.stats.bootstrap import (
    LEAST_SEEDS,
    Estimate,
    Points,
    median_interval,
    points,
)
from minilotto.analysis.stats.exponents import (
    exponent_change,
    exponent_over,
    geometric_mean,
    mean_ratio,
    over_widths,
)
from minilotto.data.dataset import sampled
from minilotto.errors import ConfigError, DataError
from minilotto.report.claims import Claim, Outcome, about, as_numbers, tally, untested
from minilotto.report.figure import Scale, Source, Table, commas, interval, rows_of
from minilotto.report.rules import LEVEL, Judged, factor, inside
from minilotto.report.study import Settings, Study, scheduled
from minilotto.settings.arrays import Array
from minilotto.settings.config import Config
from minilotto.store.grid import Sweep

FULL = 0  # in place of a batch


class Way(NamedTuple):
    """How nets are trained, but for width, batch and set."""

    optimizer: str
    schedule: str
    rate: float

    def __str__(self) -> str:
        name = {"adam": "Adam", "gd": "Gradient descent"}[self.optimizer]
        return f"{name}, {self.schedule} {'schedule' if self.schedule == 'step' else 'rate'}"


ADAM = Way("adam", "constant", 0.003)
STEP = Way("adam", "step", 0.01)
WAYS = (ADAM, Way("gd", "constant", 0.03), STEP)
FRESH_WAYS = (ADAM, STEP)


@dataclass(frozen=True)
class NoiseSettings(Settings):
    """What is trained, each width with each batch. Raises ConfigError for fewer than two sets, and
    batches that are none.
    """

    seeds: int = 16  # starts of each width
    steps: int = 20_000
    widths: tuple[int, ...] = (10, 12, 14, 17, 20, 24, 28, 34, 40, 48, 56)
    batches: tuple[int, ...] = (1, 3, 10, 30, 100)
    # sizes of sets of points, a tenth apart or more: another size is another noise
    sets: tuple[int, ...] = (4000, 4800, 5800)
    # of Adam at a constant rate, beside its usual one
    rates: tuple[float, ...] = (0.001, 0.002, 0.005, 0.01)
    # some of `batches`, with fresh points at each step
    fresh_batches: tuple[int, ...] = (1, 10, 100)
    control_batch: int = 10  # one of `batches`: of the other rates, and in float64

    def __post_init__(self) -> None:
        if len({*self.sets}) < 2:
            raise ConfigError(f"sets={self.sets!r} make no noise; give two sizes or more")
        for name in ("batches", "fresh_batches"):
            if not getattr(self, name) or min(getattr(self, name)) < 1:
                raise ConfigError(
                    f"{name}={getattr(self, name)!r} has none or one below 1; give batches such as "
                    "(1, 10)"
                )

    @classmethod
    def quick(cls) -> "NoiseSettings":
        return cls(steps=5000, widths=(10, 20, 40), batches=(1, 10, 100))

    def sweep(self, way: Way, batches: tuple[int, ...], **others: Any) -> Sweep:
        """The nets of a way, on all sets unless `others` say otherwise."""
        fields = {**way._asdict(), "lr": way.rate, "steps": self.steps, **others}
        del fields["rate"]
        if way.schedule == "step":
            fields |= scheduled(self.steps)
        if "sampling" not in others:
            fields |= {"sampling": "uniform", "points": self.sets}
        return Sweep(self.seeds, widths=self.widths, batches=batches, **fields)

    def fresh(self, way: Way) -> Sweep:
        """Those that see fresh points at each step."""
        return self.sweep(way, self.fresh_batches, sampling="population")

    def rated(self) -> dict[float, Sweep]:
        """Adam at the other rates."""
        return {r: self.sweep(ADAM._replace(rate=r), (self.control_batch,)) for r in self.rates}

    def precise(self) -> Sweep:
        return self.sweep(ADAM, (self.control_batch,), dtype="float64")


class Starts(NamedTuple):
    """One number for each start, by batch and width."""

    loss: dict[int, dict[int, Array]]
    variance: dict[int, dict[int, Array]]


class Noise(Study):
    """Variance over minibatches at fixed starts, against width, batch and rate."""

    name = "noise"
    settings_type = NoiseSettings

    @classmethod
    def trainings(cls, settings: NoiseSettings) -> tuple[Sweep, ...]:
        s = settings
        ways = [s.sweep(way, (FULL, *s.batches)) for way in WAYS]
        fresh = [s.fresh(way) for way in FRESH_WAYS]
        return (*ways, *fresh, *s.rated().values(), s.precise())

    def __init__(self, source: Source, scale: Scale | Settings) -> None:
        s = self.settings = self.chosen(scale)
        self._source, self.left_out, self.count = source, list[str](), 0
        self.starts = {way: self._starts(s.sweep(way, (FULL, *s.batches))) for way in WAYS}
        self.variance = {way: self._points(one.variance, way) for way, one in self.starts.items()}
        self.loss = {way: self._points(one.loss, way) for way, one in self.starts.items()}
        self.exponents = {
            (way, batch): exponent
            for way, found in self.variance.items()
            for batch, one in found.items()
            if batch != FULL and (exponent := exponent_over(one, 0, inf))
        }
        if not self.exponents:
            raise DataError(
                f"an exponent needs three widths with {LEAST_SEEDS} finite starts on two sets; "
                "train more with Noise.run"
            )
        self.fresh = {
            way: self._points(self._starts(s.fresh(way)).loss, f"{way}, fresh points")
            for way in FRESH_WAYS
        }
        rated = {rate: self._starts(one) for rate, one in s.rated().items()}
        self.rated = {rate: self._points(one.variance, rate) for rate, one in rated.items()}
        self.rated[ADAM.rate] = self.variance[ADAM]
        self.precise = self._points(self._starts(s.precise()).variance, "float64")

    def _starts(self, sweep: Sweep) -> Starts:
        """Loss and variance of each start that is finite on all sets."""
        grid, errors = sampled(Config()), dict[tuple[int, int], list[Array]]()
        for config, nets in self._source.nets(sweep).items():
            found = nets.predict(grid.x) - grid.y
            errors.setdefault((config.batch, config.width), []).append(found)
            self.count += len(nets)
        loss, variance = dict[int, dict[int, Array]](), dict[int, dict[int, Array]]()
        sets = len(sweep.axes.get("points", (1,)))
        for (batch, width), several in errors.items():
            if len(several) == sets:
                both = over_noise(several, grid.weight)
                loss.setdefault(batch, {})[width], variance.setdefault(batch, {})[width] = both
        return Starts(loss, variance)

    def _points(self, rows: Mapping[int, Mapping[int, Array]], name: Any) -> dict[int, Points]:
        """Medians over starts against width, by batch; what is too few is noted."""
        found = {}
        for batch, by_width in rows.items():
            kept = {n: row for n, row in by_width.items() if self._enough(row)}
            if dropped := [n for n in by_width if n not in kept]:
                self.left_out.append(f"{name}, batch {batch}, widths {commas(dropped)}")
            if kept:
                found[batch] = points(list(kept), list(kept.values()), level=LEVEL)
        return found

    @staticmethod
    def _enough(row: Array) -> bool:
        good = row[np.isfinite(row)]
        return len(good) >= LEAST_SEEDS and 0 < good.min() < good.max()

    # Numbers
    def over_batches(self, found: Mapping[int, Points]) -> Points | None:
        """Geometric mean over the batches."""
        return geometric_mean([one for batch, one in found.items() if batch != FULL])

    def against_batch(self, way: Way) -> Points | None:
        """Variance against the batch, as geometric mean over widths."""
        return over_widths({b: one for b, one in self.variance[way].items() if b != FULL})

    def against_rate(self) -> Points | None:
        """Variance of Adam against 1/rate, as geometric mean over widths."""
        batch = self.settings.control_batch
        return over_widths({1 / r: by[batch] for r, by in self.rated.items() if batch in by})

    def pooled(self, way: Way, batch: int) -> tuple[Estimate, Estimate] | None:
        """Over starts and widths: the fraction of the loss that is variance, and the loss of the
        mean over noise relative to full batch.
        """
        one = self.starts[way]
        shares, ratios = [], []
        for width, loss in one.loss.get(batch, {}).items():
            variance, full = one.variance[batch][width], one.loss.get(FULL, {}).get(width)
            shares.append(variance / loss)
            if full is not None:
                ratios.append((loss - variance) / full)
        every = [np.concatenate(some) if some else np.empty(0) for some in (shares, ratios)]
        shares_, ratios_ = (row[np.isfinite(row)] for row in every)
        if min(len(shares_), len(ratios_)) < LEAST_SEEDS:
            return None
        return median_interval(shares_), median_interval(ratios_)

    def facts(self) -> dict[str, Any]:
        s = self.settings
        return {
            **super().facts(),
            "count": len(s.sets),
            "ways": "; ".join(f"{way} ({way.rate:g})" for way in WAYS),
            "rates": commas(sorted({*s.rates, ADAM.rate})),
            "narrowest": min(s.widths),
            "widest": max(s.widths),
            "largest": max(s.batches),
            "least": min(s.sets),
            "networks": self.count,
        }

    def headline(self) -> str:
        found = {way: self._exponent(self.variance[way]) for way in WAYS}
        parts = [f"{one} ({way})" for way, one in found.items() if one]
        return (
            "At fixed starts the variance over gradient noise goes with the width N as N^-a, where "
            f"a central limit has a = 1; over batches a is {', '.join(parts)}."
        )

    def tables(self) -> list[Table]:
        columns = "width, starts, left out, median, low, high"
        known = {way: {"variance": self.variance[way], "loss": self.loss[way]} for way in WAYS}
        rows = [
            (str(way), what, batch or "full", *row)
            for way, found in known.items()
            for what, batch, *row in rows_of(found)
        ]
        for way, fresh in self.fresh.items():
            rows += rows_of(fresh, f"{way}, fresh points", "loss")
        exponents = rows_of({(str(w), str(b)): e for (w, b), e in self.exponents.items()})
        exponents += [(str(w), "all", *interval(self._exponent(self.variance[w]))) for w in WAYS]
        pooled = [
            (str(way), batch, *both)
            for way in WAYS
            for batch in self.settings.batches
            if (both := self.pooled(way, batch))
        ]
        ends = "low, high"
        return [
            Table.of("widths", f"way, quantity, batch, {columns}", rows),
            Table.of("exponents", f"way, batch, exponent, {ends}", exponents),
            Table.of(
                "parts",
                f"way, batch, fraction variance, {ends}, mean over noise / full batch, low ratio, "
                "high ratio",
                pooled,
            ),
        ]

    # Verdicts
    def outcomes(self) -> dict[str, Outcome | list[Outcome]]:
        rules: dict[str, Callable[[Way, Claim], Outcome]] = {
            "central": self._exponents,
            "shared": self._exponents,
            "batch": self._batch,
            "mean": self._mean,
            "share": self._share,
            "law": self._law,
            "sets": self._sets,
        }
        found: dict[str, Outcome | list[Outcome]] = {
            key: [rule(w, self.entry.claims[key])._replace(facts={"way": str(w)}) for w in WAYS]
            for key, rule in rules.items()
        }
        claims = self.entry.claims
        found["fresh"] = [
            self._fresh(w, claims["fresh"])._replace(facts={"way": str(w)}) for w in FRESH_WAYS
        ]
        return {
            **found,
            "rate": self._rate(claims["rate"]),
            "precision": self._precision(claims["precision"]),
        }

    def _of(self, way: Way, what: Callable[[int], Estimate | None]) -> dict[str, Estimate]:
        """An estimate for each batch that has one."""
        found = {f"batch {b}": what(b) for b in self.settings.batches}
        return {name: one for name, one in found.items() if one}

    def _exponent(self, found: Mapping[int, Points]) -> Estimate | None:
        """Exponent in the width, of the geometric mean over batches."""
        return _slope(self.over_batches(found))

    def _exponents(self, way: Way, claim: Claim) -> Outcome:
        return _single(self._exponent(self.variance[way]), claim.near)

    def _batch(self, way: Way, claim: Claim) -> Outcome:
        return _single(_slope(self.against_batch(way)), claim.near)

    def _rate(self, claim: Claim) -> Outcome:
        return _single(_slope(self.against_rate()), claim.near)

    def _mean(self, way: Way, claim: Claim) -> Outcome:
        found = self._of(way, lambda b: both[1] if (both := self.pooled(way, b)) else None)
        same = claim["same"]
        return tally(found, lambda one: inside(one, 1 / same, same))

    def _share(self, way: Way, claim: Claim) -> Outcome:
        found = self._of(way, lambda b: both[0] if (both := self.pooled(way, b)) else None)
        return tally(found, claim.mostly)

    def _law(self, way: Way, claim: Claim) -> Outcome:
        noisy, full = self.over_batches(self.loss[way]), self.loss[way].get(FULL)
        change = exponent_change(noisy, full, 0, inf) if noisy and full else None
        return _single(change, claim.unchanged)

    def _fresh(self, way: Way, claim: Claim) -> Outcome:
        fresh = self.fresh[way]
        sets = {batch: one for batch, one in self.loss[way].items() if batch in fresh}
        return self._same(self.over_batches(fresh), self.over_batches(sets), claim)

    def _sets(self, way: Way, claim: Claim) -> Outcome:
        full, noisy = (self.variance[way].get(b) for b in (FULL, max(self.settings.batches)))
        found = mean_ratio(full, noisy) if full and noisy else None
        return _single(found, lambda one: factor(one, 0.0, claim["part"]))

    def _precision(self, claim: Claim) -> Outcome:
        batch = self.settings.control_batch
        return self._same(self.precise.get(batch), self.variance[ADAM].get(batch), claim)

    def _same(self, one: Points | None, other: Points | None, claim: Claim) -> Outcome:
        found = mean_ratio(one, other) if one and other else None
        return _single(found, claim.same)


def _slope(found: Points | None) -> Estimate | None:
    """Exponent over all places."""
    return exponent_over(found, 0, inf) if found else None


def _single(found: Estimate | None, judge: Callable[[Estimate], Judged]) -> Outcome:
    """The outcome of a claim about one number."""
    if found is None:
        return untested("These nets are missing, or too few.")
    return about(judge(found), f"{found}", "", as_numbers("value", found))
