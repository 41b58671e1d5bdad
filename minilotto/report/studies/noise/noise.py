"""Study: does the noise of minibatches make a central limit over the width?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import numpy as np

from minilotto.analysis.ensembling.decomposition import over_noise
from minilotto.analysis.stats.bootstrap import LEAST_SEEDS, Estimate, Points, median_interval
from minilotto.analysis.stats.exponents import (
    exponent_change,
    exponent_over,
    geometric_mean,
    mean_ratio,
    over_widths,
)
from minilotto.data.dataset import sampled
from minilotto.errors import ConfigError
from minilotto.report.claims import Claim, Outcome, about, as_numbers, for_each, tally, untested
from minilotto.report.figure import Source, Table, commas, interval, rows_of
from minilotto.report.rules import Judged, factor, inside
from minilotto.report.study import Settings, Study, default, scheduled
from minilotto.report.tuning import exponents, medians
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
each_way = for_each("way", lambda study: {str(way): way for way in WAYS})


@dataclass(frozen=True)
class NoiseSettings(Settings):
    """What is trained, each width with each batch. Raises ConfigError for fewer than two sets, and
    batches that are none.
    """

    seeds: int = 16  # starts of each width
    steps: int = default(20_000, quick=5000)
    widths: tuple[int, ...] = default(
        (10, 12, 14, 17, 20, 24, 28, 34, 40, 48, 56), quick=(10, 20, 40)
    )
    batches: tuple[int, ...] = default((1, 3, 10, 30, 100), quick=(1, 10, 100))
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

    def sweep(self, way: Way, batches: tuple[int, ...], **others: Any) -> Sweep:
        """The nets of a way, on all sets unless `others` say otherwise."""
        fields = {**way._asdict(), "lr": way.rate, "steps": self.steps, **others}
        del fields["rate"]
        if way.schedule == "step":
            fields |= scheduled(self.steps)
        if "sampling" not in others:
            fields |= {"sampling": "uniform", "points": self.sets}
        return Sweep(self.seeds, widths=self.widths, batches=batches, **fields)

    @property
    def usual(self) -> dict[Way, Sweep]:
        return {way: self.sweep(way, (FULL, *self.batches)) for way in WAYS}

    @property
    def fresh(self) -> dict[Way, Sweep]:
        """Nets that see fresh points at each step."""
        return {w: self.sweep(w, self.fresh_batches, sampling="population") for w in FRESH_WAYS}

    @property
    def rated(self) -> dict[float, Sweep]:
        return {r: self.sweep(ADAM._replace(rate=r), (self.control_batch,)) for r in self.rates}

    @property
    def precise(self) -> Sweep:
        return self.sweep(ADAM, (self.control_batch,), dtype="float64")

    def sweeps(self) -> list[Sweep]:
        return [*self.usual.values(), *self.fresh.values(), *self.rated.values(), self.precise]


class Starts(NamedTuple):
    """One number for each start, by batch and width."""

    loss: dict[int, dict[int, Array]]
    variance: dict[int, dict[int, Array]]


class Noise(Study):
    """Variance over minibatches at fixed starts, against width, batch and rate."""

    name = "noise"
    settings_type = NoiseSettings

    def __init__(self, source: Source, settings: NoiseSettings) -> None:
        s = self.settings = settings
        self._source, self.left_out, self.count = source, list[str](), 0
        self.starts = {way: self._starts(one) for way, one in s.usual.items()}
        self.variance = {way: self._points(one.variance, way) for way, one in self.starts.items()}
        self.loss = {way: self._points(one.loss, way) for way, one in self.starts.items()}
        every = {(w, b): one for w, found in self.variance.items() for b, one in found.items()}
        noisy = {key: one for key, one in every.items() if key[1] != FULL}
        self.exponents = exponents(noisy, 0, inf, "Noise")
        fresh = {way: self._starts(one).loss for way, one in s.fresh.items()}
        self.fresh = {way: self._points(one, f"{way}, fresh points") for way, one in fresh.items()}
        rated = {rate: self._starts(one).variance for rate, one in s.rated.items()}
        self.rated = {rate: self._points(one, rate) for rate, one in rated.items()}
        self.rated[ADAM.rate] = self.variance[ADAM]
        self.precise = self._points(self._starts(s.precise).variance, "float64")

    def _starts(self, sweep: Sweep) -> Starts:
        """Loss and variance of each start that is finite on all sets."""
        grid, errors = sampled(Config()), dict[tuple[int, int], list[Array]]()
        for config, nets in self._source.nets(sweep).items():
            found = nets.predict(grid.x) - grid.y
            errors.setdefault((config.batch, config.width), []).append(found)
            self.count += len(nets)
        made, sets = Starts({}, {}), len(sweep.axes.get("points", (1,)))
        for (batch, width), several in errors.items():
            if len(several) == sets:
                for by, part in zip(made, over_noise(several, grid.weight), strict=True):
                    by.setdefault(batch, {})[width] = part
        return made

    def _points(self, rows: Mapping[int, Mapping[int, Array]], name: Any) -> dict[int, Points]:
        """Medians over starts against width, by batch; what is too few is noted."""
        found = {
            b: medians(one, f"{name}, batch {b}", self.left_out, 1000) for b, one in rows.items()
        }
        return {batch: one for batch, one in found.items() if one}

    # Numbers
    def over_batches(self, found: Mapping[int, Points]) -> Points | None:
        """Geometric mean over the batches."""
        return geometric_mean([one for batch, one in found.items() if batch != FULL])

    def against_batch(self, way: Way) -> Points | None:
        """Variance against the batch, as geometric mean over widths."""
        return over_widths({b: one for b, one in self.variance[way].items() if b != FULL})

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
            "largest": max(s.batches),
            "least": min(s.sets),
        }

    def headline(self) -> str:
        found = {way: self._exponent(way) for way in WAYS}
        parts = [f"{one} by {way}" for way, one in found.items() if one]
        return (
            "At fixed starts the variance over gradient noise goes with the width N as N^-a, where "
            f"a central limit has a = 1; over batches a is {'; '.join(parts)}."
        )

    def tables(self) -> list[Table]:
        columns = "width, starts, left out, median, low, high"
        known = {str(w): {"variance": self.variance[w], "loss": self.loss[w]} for w in WAYS}
        known |= {f"{way}, fresh points": {"loss": one} for way, one in self.fresh.items()}
        rows = [(way, what, batch or "full", *row) for way, what, batch, *row in rows_of(known)]
        rates = rows_of({(str(w), str(b)): e for (w, b), e in self.exponents.items()})
        rates += [(str(w), "all", *interval(self._exponent(w))) for w in WAYS]
        every = {(str(way), b): self.pooled(way, b) for way in WAYS for b in self.settings.batches}
        header = "way, batch, fraction variance, low, high, mean over noise / full batch"
        pooled = rows_of({key: both for key, both in every.items() if both})
        return [
            Table.of("widths", f"way, quantity, batch, {columns}", rows),
            Table.of("exponents", "way, batch, exponent, low, high", rates),
            Table.of("parts", f"{header}, low ratio, high ratio", pooled),
        ]

    # Verdicts
    def _pooled(self, way: Way, place: int) -> dict[str, Estimate]:
        found = {f"batch {batch}": self.pooled(way, batch) for batch in self.settings.batches}
        return {name: both[place] for name, both in found.items() if both}

    def _exponent(self, way: Way) -> Estimate | None:
        """Exponent of the variance in the width, of its geometric mean over batches."""
        return exponent_over(self.over_batches(self.variance[way]), 0, inf)

    @each_way
    def claim_central(self, claim: Claim, way: Way) -> Outcome:
        return _single(self._exponent(way), claim.near)

    claim_shared = claim_central

    @each_way
    def claim_batch(self, claim: Claim, way: Way) -> Outcome:
        return _single(exponent_over(self.against_batch(way), 0, inf), claim.near)

    def claim_rate(self, claim: Claim) -> Outcome:
        batch = self.settings.control_batch
        against = over_widths({1 / r: by[batch] for r, by in self.rated.items() if batch in by})
        return _single(exponent_over(against, 0, inf), claim.near)

    @each_way
    def claim_mean(self, claim: Claim, way: Way) -> Outcome:
        same = claim["same"]
        return tally(self._pooled(way, 1), lambda one: inside(one, 1 / same, same))

    @each_way
    def claim_share(self, claim: Claim, way: Way) -> Outcome:
        return tally(self._pooled(way, 0), claim.mostly)

    @each_way
    def claim_law(self, claim: Claim, way: Way) -> Outcome:
        found = self.loss[way]
        change = exponent_change(self.over_batches(found), found.get(FULL), 0, inf)
        return _single(change, claim.unchanged)

    @for_each("way", lambda study: {str(way): way for way in FRESH_WAYS})
    def claim_fresh(self, claim: Claim, way: Way) -> Outcome:
        fresh = self.fresh[way]
        sets = {batch: one for batch, one in self.loss[way].items() if batch in fresh}
        ratio = mean_ratio(self.over_batches(fresh), self.over_batches(sets))
        return _single(ratio, claim.same)

    @each_way
    def claim_sets(self, claim: Claim, way: Way) -> Outcome:
        full, noisy = (self.variance[way].get(b) for b in (FULL, max(self.settings.batches)))
        return _single(mean_ratio(full, noisy), lambda one: factor(one, 0.0, claim["part"]))

    def claim_precision(self, claim: Claim) -> Outcome:
        batch = self.settings.control_batch
        ratio = mean_ratio(self.precise.get(batch), self.variance[ADAM].get(batch))
        return _single(ratio, claim.same)


def _single(found: Estimate | None, judge: Callable[[Estimate], Judged]) -> Outcome:
    if found is None:
        return untested("These nets are missing, or too few.")
    return about(judge(found), f"{found}", "", as_numbers("value", found))
