"""Figure 7: loss against width for functions of one input, and where its plateaus come from."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minilotto.analysis.ensembling.width_study import REFITTED, WidthStudy
from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.analysis.stats.differences import difference
from minilotto.analysis.stats.estimates import estimates, slope
from minilotto.report.claims import Case, Claim, Outcome, over, tally
from minilotto.report.figure import Figure, Scale, Source, Table, training_words
from minilotto.report.paper import targets
from minilotto.report.paper.targets import FIRST, LAST
from minilotto.report.plots.curves import log_series, power_law, shared_legend, width_axis
from minilotto.report.plots.style import BLUE, GREY, Drawing, panels
from minilotto.report.rules import Every, inside, near
from minilotto.store.grid import Sweep

TARGETS = ("square", *targets.UNARY)  # x² for comparison
THROUGHOUT = ("square", "cube")  # those of the 1/N claim for which it does not say until when
LAWFUL, DECAYING = (*THROUGHOUT, "tanh"), ("quartic", "sin2", "exp_square")
FLAT = ("sin", "cos", "exp", "relu")
EARLY, LATE = (10, 20), (30, 50)
COLUMNS = 5


class UnaryScaling(Figure):
    """Medians, exponents and laws of the loss, its bias and its variance."""

    name = "7"

    @staticmethod
    def sweeps(scale: Scale) -> tuple[Sweep, ...]:
        return targets.unary_sweeps(scale, TARGETS)

    def __init__(self, source: Source, scale: Scale) -> None:
        self.studies, nets = targets.target_studies(source, self.sweeps(scale))
        self.training = training_words(one for found in nets.values() for one in found.values())

    def facts(self) -> dict[str, Any]:
        early, late = (f"{low} to {high}" for low, high in (EARLY, LATE))
        words = {"training": self.training, "refitted": REFITTED}
        return {**words, "early": early, "late": late}

    def draw(self) -> Drawing:
        count = len(self.studies)
        figure, axes = panels(count, COLUMNS, 2.2, 2.9, sharex=True)
        for i, (ax, one) in enumerate(zip(axes, self.studies.values(), strict=True)):
            loss = estimates(one.points)
            targets.draw_parts({w: part for w, part in one.parts.items() if w >= FIRST}, ax)
            log_series(loss, ax, BLUE, "o", "median loss")
            if FIRST in loss:
                power_law((FIRST, 2.5 * loss[FIRST].value), LAST, 1, ax, "$N^{-1}$")
            if (fit := one.fit(FIRST, LAST)) is not None:
                value = round(fit.estimates["exponent"].value, 2) + 0.0  # no -0.00
                ax.set_title(f"exponent {value:.2f}", loc="right", fontsize=9, color=GREY)
            ax.set_title(one.name)
            width_axis(ax, "", (1, 3, 10, 50))
            last = i + COLUMNS >= count
            ax.set(xlabel="width $N$" if last else "", ylabel="" if i % COLUMNS else "loss")
            ax.tick_params(axis="x", labelbottom=last)
        return shared_legend(figure, axes[:1], 4)

    def headline(self) -> str:
        half = self.entry.claims["bias"]["half"]
        plateaus = [e for one in self._plateaus() if (e := one.share)]
        lawful = {one.name: e.value for one in self._some(THROUGHOUT).values() if (e := one.share)}
        if not plateaus or not lawful:
            return ""
        also = ""
        if (least := min(lawful.values())) > half:
            also = (
                f"; but so is {least:.0%} or more of it for {' and '.join(lawful)}, so what falls "
                "there is not a variance between seeds"
            )
        return (
            f"Where the loss levels off ({len(plateaus)} functions of one input) most of it is "
            f"common to all seeds in {sum(e.low > half for e in plateaus)}{also}."
        )

    def tables(self) -> list[Table]:
        return targets.scaling_tables(self.studies)

    def _some(self, tasks: Sequence[str]) -> dict[str, WidthStudy]:
        return {task: self.studies[task] for task in tasks if task in self.studies}

    def _plateaus(self) -> list[WidthStudy]:
        """Targets whose loss levels off, by the paper or by these nets."""
        level = self.entry.claims["bias"]["plateau"]
        return [
            one
            for task, one in self.studies.items()
            if (fit := one.fit(20, LAST)) is not None
            and one.share
            and (fit.estimates["exponent"].value < level or task in DECAYING)
        ]

    def claim_law(self, claim: Claim) -> Outcome:
        exponents = {
            one.name: slope(one.points, *EARLY) if task == "tanh" else _exponent(one)
            for task, one in self._some(LAWFUL).items()
        }
        found = tally(exponents, lambda e: near(e, 1.0, claim["near"]))
        late = slope(self.studies["tanh"].points, *LATE) if "tanh" in self.studies else None
        words = f"; tanh x from {LATE[0]} to {LATE[1]}: {late}" if found.cases and late else ""
        return found._replace(measured=found.measured + words)

    def claim_slowing(self, claim: Claim) -> Outcome:
        cases = []
        for one in self._some(DECAYING).values():
            early, late = slope(one.points, *EARLY), slope(one.points, *LATE)
            if early and late:
                slows = (
                    inside(difference(early, late), claim["near"], np.inf),
                    inside(late, 0.0, 1.0),
                )
                numbers = {f"{one.name} early": early.value, f"{one.name} late": late.value}
                cases.append(Case(one.name, Every(slows), f"{early}, then {late}", numbers))
        return over(cases)

    def claim_flat(self, claim: Claim) -> Outcome:
        found = {one.name: _exponent(one) for one in self._some(FLAT).values()}
        return tally(found, lambda e: inside(e, -np.inf, claim["near"]))

    def claim_bias(self, claim: Claim) -> Outcome:
        half, plateaus = claim["half"], self._plateaus()
        varied = [one.name for one in plateaus if one.share and one.share.high < half]
        without = f"; at {', '.join(varied)} the loss levels off without: its variance does"
        cases = targets.bias_cases(plateaus, half, _level)
        return over(cases, "bias / loss: ", more=without if varied else "")

    def claim_variance(self, claim: Claim) -> Outcome:
        cases, common = [], []
        for one in self._some(THROUGHOUT).values():
            every = [part.share for w, part in one.parts.items() if w >= FIRST]
            shares = [e.value for e in every]
            exponents = {part: _exponent(one, part) for part in ("bias", "variance")}
            slopes = {part: e for part, e in exponents.items() if e}
            if not shares or "variance" not in slopes:
                continue
            exponent = slopes["variance"]
            parts = [inside(e, -np.inf, claim["half"]) for e in every]
            agrees = Every([*parts, near(exponent, 1.0, claim["near"])])
            common += [one.name] if min(shares) > claim["half"] else []
            each = ", ".join(f"{name} {found}" for name, found in slopes.items())
            whole = [part.share.value for w, part in one.whole.items() if w >= FIRST]
            words = (
                f"bias {min(shares):.0%} to {max(shares):.0%} of the loss, of all nets "
                f"{min(whole):.0%} to {max(whole):.0%}; exponents: {each}"
            )
            numbers = {f"largest share for {one.name}": max(shares)}
            numbers |= {f"variance of {one.name}": exponent.value}
            cases.append(Case(one.name, agrees, words, numbers))
        same = (
            f" For {' and '.join(common)} errors of nets of different seeds are largely one "
            "function, and it is this common part that falls with width: not what an average of "
            "independent errors does."
        )
        return over(cases, common=same if common else "")

    def claim_neurons(self, claim: Claim) -> Outcome:
        return targets.training_left(self._plateaus(), claim["limit"])


def _exponent(one: WidthStudy, part: str | None = None) -> Estimate | None:
    """That of the paper's range, with the scatter of seeds and of widths."""
    fit = one.fit(FIRST, LAST, part)
    return fit.estimates["exponent"] if fit else None


def _level(one: WidthStudy) -> str:
    """The bias at the largest width over the plateau of the fitted law, in words."""
    for row in one.laws:
        if row.law == "plateau" and row.fit:
            level, bias = row.fit.estimates["plateau"].value, one.parts[one.widest].bias.value
            positive = level > 0 and bias > 0
            return f", bias / E = {bias / level:.2g}" if positive else ", no plateau fits"
    return ""
