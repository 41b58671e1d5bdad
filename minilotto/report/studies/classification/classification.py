"""Two classes: does the loss fall as 1/N, and do ensembles gain what independence predicts?"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minilotto.analysis.ensembling.two_classes import (
    FITTED_FROM,
    PARTS,
    Combined,
    Problem,
    law_of,
    study_problem,
)
from minilotto.analysis.stats.bootstrap import Estimate, points
from minilotto.analysis.stats.differences import difference
from minilotto.analysis.stats.estimates import estimates
from minilotto.errors import DataError, MinilottoError, MissingExtraError, imported
from minilotto.report.claims import Claim, Outcome, tally
from minilotto.report.figure import Scale, Source, Table, interval, rows_of
from minilotto.report.rules import LEVEL, factor
from minilotto.report.study import Settings, Study, default, scheduled
from minilotto.store.grid import Sweep

PROBLEMS = ("moons", "circles", "breast_cancer", "digits")
TITLES = {"breast_cancer": "breast cancer", "digits": "digits, even or odd"}
FEWER_STEPS = {"breast_cancer": 0.5, "digits": 0.125}  # for many inputs, which cost in proportion
SMALL = (2, 4, 8, 16, 32, 64, 128)  # widths
MEMBERS = (2, 4)
SHORTER = 0.25  # of the steps, to see whether the exponent is the budget's
TRAINING, HELD_OUT = PARTS
COLUMNS = {  # of the tables
    "losses": "problem, part, width, seeds, loss, loss low, loss high, error, error low, "
    "error high",
    "ensembles": "problem, part, width, members, way, loss, loss low, loss high, over members, "
    "over members low, over members high, over wide, over wide low, over wide high, error, "
    "error low, error high",
    "nulls": "problem, width, null, over wide, low, high, cosine, cosine low, cosine high",
    "laws": "problem, part, held out decades, p of the fit, parameter, value, low, high",
}


@dataclass(frozen=True)
class ClassificationSettings(Settings):
    """What is trained; breast_cancer takes half the steps, digits an eighth; all also a quarter."""

    seeds: int = default(64, quick=32)
    steps: int = default(4000, quick=1500)
    problems: tuple[str, ...] = PROBLEMS  # tasks of examples with labels 0 and 1
    # of each problem; ensembles need doubles and fourfolds of a width
    widths: tuple[int, ...] = default((*SMALL, 256), quick=SMALL)

    def sweep(self, problem: str, part: float) -> Sweep:
        """The nets of a problem, with that part of its steps and its schedule scaled."""
        return Sweep(
            widths=self.widths,
            task=problem,
            sampling="examples",
            loss="logistic",
            seeds=self.seeds,
            **scheduled(max(5, round(self.steps * part * FEWER_STEPS.get(problem, 1.0)))),
        )

    def sweeps(self) -> list[Sweep]:
        return [self.sweep(problem, part) for part in (1, SHORTER) for problem in self.problems]


class Classification(Study):
    """Losses and error rates by width, averages beside wider nets, and cosines of residuals."""

    name = "classification"
    settings_type = ClassificationSettings

    @classmethod
    def plan(cls, scale: Scale) -> ClassificationSettings:
        with contextlib.suppress(MissingExtraError):
            imported("sklearn", "sklearn")
            return ClassificationSettings.at(scale)
        return ClassificationSettings(problems=())  # the report goes on, and this study says why

    def __init__(self, source: Source, settings: ClassificationSettings) -> None:
        imported("sklearn", "sklearn")
        self.settings = settings
        self.problems: dict[str, Problem] = {}  # by title
        self.shorter: dict[str, Estimate] = {}  # exponents of the training loss after fewer steps
        refused = []
        for problem in settings.problems:
            title = TITLES.get(problem, problem)
            full, shorter = (settings.sweep(problem, part) for part in (1, SHORTER))
            try:
                self.problems[title] = study_problem(problem, source.by_width(full), MEMBERS)
                if nets := source.by_width(shorter):
                    loss = points(list(nets), [one.loss for one in nets.values()], level=LEVEL)
                    if law := law_of(loss):
                        self.shorter[title] = law.estimates["exponent"]
            except MinilottoError as error:
                refused.append(str(error))
        if not self.problems:
            raise DataError(f"no problem can be studied: {[*refused, 'none is named'][0]}")
        source.missing.extend(refused)

    def facts(self) -> dict[str, Any]:
        sizes = (
            f"{title}: {one.shape[0]:,} training and {one.shape[1]:,} held-out points of "
            f"{one.shape[2]} inputs, {one.steps:,} steps"
            for title, one in self.problems.items()
        )
        return {
            **super().facts(),
            "sizes": "; ".join(sizes),
            "fitted_from": FITTED_FROM,
            "ensembles": self.settings.seeds // MEMBERS[-1],
            "members": next(iter(self.problems.values())).most,
            "shorter": SHORTER,
        }

    def tables(self) -> list[Table]:
        rows: dict[str, list[Sequence[Any]]] = {name: [] for name in COLUMNS}
        for one in self.problems.values():
            for part, loss in one.losses.items():
                for (width, median), seeds in zip(estimates(loss).items(), loss.seeds, strict=True):
                    error = one.errors[part][width]
                    rows["losses"].append((one.name, part, width, seeds, median, error))
            for part, fit in one.laws.items():
                start, found = (one.name, part, fit.held_out_error, fit.p_value), fit.estimates
                rows["laws"] += rows_of(found, *start)
            for key, combined in one.combined.items():
                numbers = (number for each in combined for number in interval(each))
                rows["ensembles"].append((one.name, *key, *numbers))
            for width, both in one.synergies.items():
                for null in both.nulls.values():
                    ends = null.ratio, *interval(one.cosine(width))
                    rows["nulls"].append((one.name, width, null.name, *ends))
        return [Table.of(name, COLUMNS[name], some) for name, some in rows.items()]

    def exponents(self, part: str) -> dict[str, Estimate]:
        """Of the power law."""
        found = {name: one.exponent(part) for name, one in self.problems.items()}
        return {name: exponent for name, exponent in found.items() if exponent}

    def _pairs(self, part: str, way: str) -> dict[str, Combined]:
        """Two of the widest nets whose double is there, combined, by problem and width in words."""
        found = {name: (one.pair_width, one.pair(part, way)) for name, one in self.problems.items()}
        return {f"{name}, N = {width}": one for name, (width, one) in found.items() if one}

    def _cosines(self) -> dict[str, Estimate]:
        widths = {name: one.pair_width for name, one in self.problems.items()}
        found = {f"{n}, N = {k}": self.problems[n].cosine(k) for n, k in widths.items()}
        return {name: cosine for name, cosine in found.items() if cosine}

    def headline(self) -> str:
        train, held = both = [self.exponents(part) for part in PARTS]
        gains = [one.gain.value for one in self._pairs(HELD_OUT, "logits").values()]
        cosines = [one.value for one in self._cosines().values()]
        if not train or not gains or not cosines:
            return ""
        claim = self.entry.claims["training"]
        low, high = (claim["claimed"] + sign * claim["near"] for sign in (-1, 1))
        every = [some.values() for some in both]
        lawful = [sum(low <= one.low and one.high <= high for one in some) for some in every]
        left = " to ".join(f"{end:.0%}" for end in sorted({min(gains), max(gains)}))
        return (
            f"Of {len(train)} two-class problems the logistic loss falls as 1/N in {lawful[0]} on "
            f"the training points and in {lawful[1]} on held-out ones (exponents {_span(train)} "
            f"and {_span(held)}, widths from {FITTED_FROM}), and averaging the logits of two of "
            f"the wider nets leaves {left} of their held-out loss where independent errors would "
            f"leave 50%: their residuals have cosines of {min(cosines):.2f} to {max(cosines):.2f}."
        )

    def claim_training(self, claim: Claim) -> Outcome:
        return tally(self.exponents(TRAINING), claim.near)

    def claim_held_out(self, claim: Claim) -> Outcome:
        return tally(self.exponents(HELD_OUT), claim.near)

    def claim_budget(self, claim: Claim) -> Outcome:
        full = self.exponents(TRAINING)
        changes = {n: difference(full[n], few) for n, few in self.shorter.items() if n in full}
        return tally(changes, claim.unchanged, "changes of the exponent: ")

    def claim_orthogonal(self, claim: Claim) -> Outcome:
        return tally(self._cosines(), claim.orthogonal)

    def claim_training_mean(self, claim: Claim) -> Outcome:
        part = TRAINING if claim.key == "training_mean" else HELD_OUT
        found = {name: one.gain for name, one in self._pairs(part, "logits").items()}
        return tally(found, lambda one: factor(one, 0.0, claim["halved"]))

    claim_held_out_mean = claim_training_mean

    def claim_null(self, claim: Claim) -> Outcome:
        found = {name: one.against for name, one in self._pairs(TRAINING, "harmonic").items()}
        more = "; a ratio below 1 says that the wide net is worse than the null"
        return tally(found, claim.same, more=more)

    def claim_wide_net(self, claim: Claim) -> Outcome:
        found: dict[str, Estimate] = {}
        for title, one in self.problems.items():
            if means := one.means(HELD_OUT, one.most):
                found[f"{title}, {one.most} of {max(means)}"] = means[max(means)].against
        return tally(found, lambda one: factor(one, 0.0, claim["as_good"]))


def _span(found: Mapping[str, Estimate]) -> str:
    ends = sorted(round(one.value, 2) + 0.0 for one in found.values())
    return f"{ends[0]:.2f} to {ends[-1]:.2f}"
