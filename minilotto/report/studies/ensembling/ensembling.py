"""Ensembling measured, not assumed: what the paper's Eq. 5 to 9 predict, and what nets do."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minilotto.analysis.ensembling.attribution import STEPS
from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.differences import ratio
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import ConfigError, DataError
from minilotto.report.claims import Case, Claim, Outcome, described, over, tally
from minilotto.report.figure import (
    PAPER_COUNTS,
    PAPER_RANGE,
    Source,
    Table,
    interval,
    training_words,
)
from minilotto.report.rules import LEVEL, factor, inside
from minilotto.report.studies.ensembling.analysis import DRAWS, Ensembles, OneWidth, ensembles
from minilotto.report.study import Settings, Study, default
from minilotto.store.grid import Sweep

RANGE = f"{PAPER_RANGE[0]} to {PAPER_RANGE[1]}"
NARROW = 10  # below, the paper finds synergy, from here on none
TICKETS = ("independent", "groups", "needed", "alike")
PARTS = ("loss", "bias", "variance", "share of bias", "share in all nets", "cosine")
EACH = (f"{part}, {part} low, {part} high" for part in (*PARTS, *TICKETS[:3], "cosine within"))
COLUMNS = {  # of the tables
    "widths": f"activation, width, seeds, {', '.join(EACH)}",
    "gains": "activation, from, to, part, decades, low, high, expected, share, share low, "
    "share high",
    "combinations": "activation, from, to, what, value, low, high",
    "means": "activation, width, averaged, loss, low, high, fitted",
    "limits": "activation, width, bias, variance, limit, low, high, misfit decades",
    "worth": "activation, width, averaged, against width, ratio, low, high",
}


@dataclass(frozen=True)
class EnsemblingSettings(Settings):
    """What is trained, which is what figure 1c trains too; each of `activations` is studied."""

    seeds: int = default(1000, quick=64)
    # the paper's, of `seeds` networks each
    widths: tuple[int, ...] = (1, 2, 3, 4, 10, 20, 30, 40, 50)
    wide: tuple[int, ...] = default((70, 100, 200, 500, 1000), quick=(100, 200))  # of `wide_seeds`
    wide_seeds: int = default(100, quick=24)
    activations: tuple[str, ...] = ("silu", "leaky_relu")
    by_width = ("wide",)

    def sweeps(self) -> list[Sweep]:
        if not self.activations or not (self.widths or self.wide):
            raise ConfigError(
                "there is no width or no activation to study; give some, such as widths=(10, 20)"
            )
        return [
            Sweep(widths=widths, activations=(activation,), seeds=seeds, steps=self.steps)
            for activation in self.activations
            for widths, seeds in ((self.widths, self.seeds), (self.wide, self.wide_seeds))
            if widths
        ]


class Ensembling(Study):
    """Bias and variance, cosines, means of nets, gains from N / 2 to N and tickets, by width."""

    name = "ensembling"
    settings_type = EnsemblingSettings

    def __init__(self, source: Source, settings: EnsemblingSettings) -> None:
        self.found: dict[str, Ensembles] = {}
        trained: list[Ensemble] = []
        for activation in settings.activations:
            nets: dict[int, Ensemble] = {}
            for sweep in dataclasses.replace(settings, activations=(activation,)).sweeps():
                nets |= source.by_width(sweep)
            one = ensembles(activation, nets)
            if one.gains:
                self.found[activation] = one
                trained += [each.nets for each in one.widths.values()]
        if not self.found:
            raise DataError(
                "no activation has nets of a width and of twice that width with 20 finite seeds "
                "each; train them, as in Ensembling.run(widths=(10, 20), wide=(), seeds=100)"
            )
        self.training = training_words(trained)

    def facts(self) -> dict[str, Any]:
        widths = {"range": RANGE, "narrow": NARROW, "double": 2 * NARROW}
        return {"training": self.training, "draws": DRAWS, "precision": self._precision(), **widths}

    def _precision(self) -> str:
        """How well medians are known, which is what the numbers of seeds were chosen for."""
        words = []
        wider = PAPER_RANGE[1] + 1, np.inf
        for ends, where in ((PAPER_RANGE, f"at widths {RANGE}"), (wider, "at wider ones")):
            every = [n.means for one in self.found.values() for n in one.within(*ends).values()]
            if reach := [float(means.high[0] / means.loss[0] - 1) for means in every if means]:
                words.append(f"within {min(reach):.0%} to {max(reach):.0%} {where}")
        known = ", ".join(words)
        return f"So many seeds fix a median {known} ({LEVEL:.0%} intervals)." if known else ""

    def headline(self) -> str:
        one = next(iter(self.found.values()))
        low, high = PAPER_RANGE
        inside = [pair for pair in one.gains if low <= pair[0] and pair[1] <= high]
        narrow, wide = (inside or list(one.gains))[-1]
        shares = one.gains[narrow, wide].shares
        cosine = f"have a cosine of {one.widths[narrow].cosine.value:.2f}"
        start = f"Errors of two {one.label} nets of width {narrow} {cosine}"
        if shares is None:
            flat = f"from there to width {wide} the loss does not fall with certainty"
            return f"{start}, and {flat}, so there is no gain to explain."
        averaging, combination, neither = (f"{shares[part]:.0%}" for part in STEPS)
        others = ""
        for other in self.found.values():
            same = other.gains.get((narrow, wide))
            if other is not one and same and same.shares:
                parts = ", ".join(f"{share.value:.0%}" for share in same.shares.values())
                others += f"; for {other.label} the three are {parts}"
        rest = one.gains[narrow, wide].parts["neither"]
        support = ", which supports the paper's Eq. 5 and 6" if rest.low <= 0 <= rest.high else ""
        return (
            f"{start}; of what width {wide} gains over them in log loss, averaging two of them "
            f"gives {averaging}, their best combination another {combination}, and {neither} is "
            f"neither{support}{others}."
        )

    def tables(self) -> list[Table]:
        rows: dict[str, list[Sequence[Any]]] = {name: [] for name in COLUMNS}
        for name, one in self.found.items():
            for width, at in one.widths.items():
                tickets = (at.tickets.get(kind) for kind in TICKETS)
                parts = at.parts.loss, at.parts.bias, at.parts.variance, at.parts.share
                every = *parts, at.whole.share, at.cosine, *tickets
                numbers = (number for each in every for number in interval(each))
                rows["widths"].append((name, width, len(at.nets), *numbers))
                if means := at.means:
                    lines = means.loss, means.low, means.high, means.line(means.sizes)
                    sizes = zip(means.sizes, *lines, strict=True)
                    rows["means"] += [(name, width, *row) for row in sizes]
                    ends = means.bias.value, means.variance.value, means.left
                    rows["limits"].append((name, width, *ends, means.misfit))
            for (narrow, wide), gain in one.gains.items():
                pair, shares = (name, narrow, wide), gain.shares or {}
                steps = {"gain": gain.gain, **gain.parts}
                for part, value in {**steps, "weights that sum to one": gain.balanced}.items():
                    more = gain.expected.get(part), *interval(shares.get(part))
                    rows["gains"].append((*pair, part, value, *more))
                others = {
                    "both weights positive": gain.positive,
                    "sum of absolute weights": gain.size,
                    "one last layer for both / wide net": one.joined.get((narrow, wide)),
                }
                rows["combinations"] += [(*pair, what, v) for what, v in others.items() if v]
            for (narrow, wide), times in one.worth.items():
                rows["worth"].append((name, narrow, wide // narrow, wide, times))
        return [Table.of(name, COLUMNS[name], some) for name, some in rows.items() if some]

    def claim_synergy(self, claim: Claim) -> Outcome:
        gains = self._steps("gains", 1, NARROW / 2).items()
        rest = {name: gain.parts["neither"] for name, gain in gains if gain.shares}
        what = "decades of loss from the best combination to the net of width N: "
        return tally(rest, lambda one: inside(one, np.log10(claim["same"]), np.inf), what)

    def _each(self) -> Iterator[tuple[str, OneWidth]]:
        """Each activation and width of the paper's range, in words."""
        for one in self.found.values():
            for width, at in one.within().items():
                yield f"{one.label} {width}", at

    def claim_variance(self, claim: Claim) -> Outcome:
        half = claim["half"]
        shares = {name: one.parts.share for name, one in self._each()}
        every = {name: f"{one.whole.share.value:.0%}" for name, one in self._each()}
        laws = {
            f"{one.label} {part}": fit.estimates["exponent"]
            for one in self.found.values()
            for part in ("bias", "variance")
            if (fit := one.law(part))
        }
        found = tally(shares, lambda one: inside(one, -np.inf, half), "bias / loss: ")
        more = f"; of all nets {described(every)}. Exponents over {RANGE}: {described(laws)}"
        return found._replace(measured=found.measured + more)

    def claim_orthogonal(self, claim: Claim) -> Outcome:
        seeds = {f"seeds, {name}": one.cosine for name, one in self._each()}
        every = {f"pairs, {name}": one.tickets.get("alike") for name, one in self._each()}
        pairs = {name: one for name, one in every.items() if one and np.isfinite(one.value)}
        what = "cosine of two seeds, and absolute of two mirror pairs of a net: "
        return tally(seeds | pairs, claim.orthogonal, what)

    def claim_mean(self, claim: Claim) -> Outcome:
        cases, misfits = [], [0.0]
        for name, one in ((name, at.means) for name, at in self._each() if at.means):
            size, two = one.sizes[-1], float(one.loss[1] / one.loss[0])
            if size < claim["large"]:
                continue
            end, low, high = (float(p[-1] / one.loss[0]) for p in (one.loss, one.low, one.high))
            left = Estimate(end, low, high, LEVEL)
            words = (
                f"{two:.3g} at R = {one.sizes[1]}, {left.value:.2g} at R = {size}, in the limit "
                f"{one.left}"
            )
            numbers = {f"limit, {name}": one.left.value, f"misfit in decades, {name}": one.misfit}
            numbers[f"R = {one.sizes[1]}, {name}"] = two
            cases.append(Case(name, factor(left, 0.0, 2 / size), words, numbers))
            misfits.append(one.misfit)
        more = f"; the line bias + variance/R misses the medians by {max(misfits):.2f} decades"
        return over(cases, "loss over that of one net: ", more)

    def claim_worth(self, claim: Claim) -> Outcome:
        ratios = {
            f"{one.label} {wide // narrow} x {narrow} for {wide}": times
            for one in self.found.values()
            for (narrow, wide), times in one.worth.items()
            if narrow >= NARROW
        }
        what = "loss of the mean over that of one net of as many neurons: "
        better = sum(one.low > 1 for one in ratios.values())
        worse = sum(one.high < 1 for one in ratios.values())
        more = f"; the wide net is better in {better}, the mean of narrow ones in {worse}"
        return tally(ratios, claim.same, what, more)

    def _steps(self, what: str, start: float = NARROW, end: float = np.inf) -> dict[str, Any]:
        """`gains` or `joined` by activation and widths, for some narrow widths."""
        return {
            f"{one.label} {narrow} to {wide}": found
            for one in self.found.values()
            for (narrow, wide), found in getattr(one, what).items()
            if start <= narrow < end
        }

    def claim_averaging(self, claim: Claim) -> Outcome:
        every = self._steps("gains").items()
        shares = {name: gain.shares["averaging"] for name, gain in every if gain.shares}
        flat = [f"{name} ({gain.gain.value:+.2f})" for name, gain in every if not gain.shares]
        more = f"; no certain gain, in decades: {', '.join(flat)}" if flat else ""
        what = "fraction of the gain that is averaging: "
        return tally(shares, claim.mostly, what, more)

    def claim_combination(self, claim: Claim) -> Outcome:
        gains = [(n, gain) for n, gain in self._steps("gains").items() if gain.shares]
        rest = {name: gain.parts["neither"] for name, gain in gains}
        near = np.log10(claim["same"])
        better = sum(one.high < -near for one in rest.values())
        worse = sum(one.low > near for one in rest.values())
        more = ""
        if better:
            more += f"; in {better} the best combination of two halves is better than the wide net"
        if worse:
            more += f"; in {worse} the wide net does what no combination of two halves does"
        if gains:
            sizes = [gain.size.value for _, gain in gains]
            both = [gain.positive.value for _, gain in gains]
            more += (
                ". The sum of absolute values of the best two weights that sum to one is between "
                f"{min(sizes):.3g} and {max(sizes):.3g} (an average: 1), and both are positive in "
                f"{min(both):.0%} to {max(both):.0%} of the pairs"
            )
        if joined := [ratio.value for ratio in self._steps("joined").values()]:
            more += (
                ". With one last layer fitted to the neurons of both halves the loss would be "
                f"between {min(joined):.2g} and {max(joined):.2g} times that of the wide net"
            )
        what = "decades of loss from the best a₁f₁ + a₂f₂ + constant to the net of width N: "
        return tally(rest, lambda one: inside(one, -near, near), what, more)

    def claim_growth(self, claim: Claim) -> Outcome:
        cases = []
        for one in self.found.values():
            if fit := one.law("independent"):
                exponent = fit.estimates["exponent"]
                some = {n: at.tickets for n, at in one.within().items() if n in PAPER_COUNTS}
                counts = {f"N = {n}": each["independent"] for n, each in some.items() if each}
                words = f"exponent {exponent}; {described(counts)}"
                numbers = {f"exponent, {one.label}": exponent.value}
                cases.append(Case(one.label, claim.near(exponent), words, numbers))
        return over(cases, more="; exponent 0 is no growth")

    def claim_explains(self, claim: Claim) -> Outcome:
        cases, above = [], 0
        for name, one in self._each():
            needed, has = (one.tickets.get(what) for what in ("needed", "independent"))
            if needed and has and np.isfinite([needed.value, has.value]).all():
                times = ratio(needed, has)
                above += times.value > claim["similar"]
                words = f"{has.value:.3g} there, {needed.value:.3g} needed"
                numbers = {f"needed / there, {name}": times.value}
                cases.append(Case(name, claim.similar(times), words, numbers))
        more = f"; in {above} nets do far better than their independent tickets allow"
        return over(cases, more=more if above else "")
