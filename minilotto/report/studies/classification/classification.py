"""Two classes in place of a regression: does the loss fall as 1/N, and do ensembles gain what
independence predicts?
"""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from minilotto.analysis.stats.bootstrap import Estimate, points
from minilotto.analysis.stats.scaling import reference_line
from minilotto.errors import DataError, MinilottoError, MissingExtraError
from minilotto.report.claims import Verdict
from minilotto.report.figure import Scale, Source, Table
from minilotto.report.paper.targets import over_targets, told
from minilotto.report.rules import LEVEL
from minilotto.report.studies.classification.two_classes import (
    FITTED_FROM,
    PARTS,
    ProblemStudy,
    Together,
    law_of,
    study_problem,
    tables,
)
from minilotto.report.study import Settings, Study
from minilotto.store.grid import Sweep

if TYPE_CHECKING:
    from minilotto.report.plots.style import Drawing

TITLES = {
    "moons": "moons",
    "circles": "circles",
    "breast_cancer": "breast cancer",
    "digits": "digits, even or odd",
}
STEPS_PART = {
    "breast_cancer": 0.5,
    "digits": 0.125,
}  # of the steps, for many inputs, which cost in proportion
MEMBERS = (2, 4)
NEAR = 0.1  # of an exponent of 1
WIDE = 1.0  # interval of an exponent that tells nothing
ALIKE = 0.1  # a median cosine below which residuals pass for orthogonal
HALVED, LITTLE = (
    0.6,
    0.9,
)  # part of a loss up to which it counts as halved, and above which little is gained
SHORTER = 0.25  # of the steps, to see whether the exponent is the budget's
SAME = 1.25  # ratio of medians within which they count as equal
AS_GOOD = 1.1  # ratio up to which an ensemble counts as good as a wide net


@dataclass(frozen=True)
class ClassificationSettings(Settings):
    """What the study trains.

    problems  tasks of examples with labels 0 and 1
    widths    the same for each problem; doubles and fourfolds of a width make the comparisons with
              ensembles
    steps     those of few inputs; breast_cancer takes half of them, digits an eighth; all also
              train with a quarter of them
    """

    seeds: int = 64
    steps: int = 4000
    problems: tuple[str, ...] = tuple(TITLES)
    widths: tuple[int, ...] = (2, 4, 8, 16, 32, 64, 128, 256)

    @classmethod
    def quick(cls) -> "ClassificationSettings":
        return cls(seeds=32, steps=1500, widths=(2, 4, 8, 16, 32, 64, 128))


class Classification(Study):
    """Training and held-out loss and error rate against width, averages against wider nets, cosines
    of residuals, by problem.
    """

    name = "classification"
    title = "two classes and the logistic loss"
    question = (
        "The paper's law is about squared errors of a smooth function. Where networks learn to "
        "tell two classes apart by the "
        "logistic loss, does the loss still fall as 1/N, on the training points and on others, "
        "and do ensembles gain what "
        "independent errors would let them gain?"
    )
    settings_type = ClassificationSettings

    @classmethod
    def sweeps(cls, scale: Scale | Settings) -> tuple[Sweep, ...]:
        if isinstance(scale, Scale) and find_spec("sklearn") is None:
            return ()  # the report goes on without, and this study says why
        return super().sweeps(scale)

    @classmethod
    def trainings(cls, settings: ClassificationSettings) -> tuple[Sweep, ...]:
        return (*cls._sweeps(settings, 1.0), *cls._sweeps(settings, SHORTER))

    @classmethod
    def _sweeps(cls, settings: ClassificationSettings, part: float) -> tuple[Sweep, ...]:
        """One sweep a problem, with that part of its steps and its schedule scaled."""
        wanted = {
            problem: settings.steps * part * STEPS_PART.get(problem, 1.0)
            for problem in settings.problems
        }
        return tuple(
            Sweep(
                widths=settings.widths,
                task=problem,
                sampling="examples",
                loss="logistic",
                seeds=settings.seeds,
                steps=max(5, round(steps)),
                lr_decay_every=max(5, round(steps)) // 5,
            )
            for problem, steps in wanted.items()
        )

    def __init__(self, source: Source, scale: Scale | Settings) -> None:
        if find_spec("sklearn") is None:
            raise MissingExtraError.of("scikit-learn", "sklearn", "its problems are studied here")
        self.settings: ClassificationSettings = self.chosen(scale)
        self.studies: dict[str, ProblemStudy] = {}
        refused = []
        self.shorter: dict[str, Estimate] = {}  # exponents of the training loss after fewer steps
        sweeps = (self._sweeps(self.settings, part) for part in (1.0, SHORTER))
        for problem, sweep, shorter in zip(self.settings.problems, *sweeps, strict=True):
            try:
                self.studies[problem] = study_problem(
                    problem, source.by_width(sweep), MEMBERS, LEVEL
                )
                fewer = source.by_width(shorter)
                law = (
                    law_of(points(list(fewer), [one.loss for one in fewer.values()], level=LEVEL))
                    if fewer
                    else None
                )
                self.shorter |= {problem: law[1].with_misfit["exponent"]} if law else {}
            except MinilottoError as error:
                refused.append(str(error))
        if not self.studies:
            raise DataError(
                f"no problem can be studied: {refused[0] if refused else 'none is named'}"
            )
        source.missing.extend(refused)

    def _title(self, problem: str) -> str:
        return TITLES.get(problem, problem)

    def design(self) -> str:
        sizes = "; ".join(
            f"{self._title(name)}: {one.shape[0]:,} training and {one.shape[1]:,} held-out points "
            f"of {one.shape[2]} inputs, "
            f"{one.steps:,} steps"
            for name, one in self.studies.items()
        )
        widths = self.settings.widths
        return (
            "Two-class problems of scikit-learn's bundled data, inputs standardised, one fixed "
            f"split ({sizes}). Networks of SiLU "
            f"neurons, widths {', '.join(map(str, widths))}, {self.settings.seeds} seeds of each, "
            "full-batch Adam in float32 from "
            "a rate of 0.01, which falls by a factor of 5 after each fifth of the steps; "
            "problems with many inputs take fewer "
            f"steps, as each costs more. So many seeds make {self.settings.seeds // MEMBERS[-1]} "
            "ensembles of four nets that share "
            f"no net. All train a second time with {SHORTER:.0%} of the steps. Held are data and "
            "split: intervals are over "
            "seeds, and say nothing of other data. The 1/N law, "
            "a plateau or a break could come out, and ensembles as good as theory has it, "
            "useless, or anything between."
        )

    def draw(self) -> "Drawing":
        from minilotto.report.plots.estimates import estimates_on_line, loss_axes
        from minilotto.report.plots.parts import estimates_against_width, shared_legend
        from minilotto.report.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, grid

        figure, axes = grid(
            3, len(self.studies), max(5.0, 2.75 * len(self.studies)), 8.2, sharex=True
        )
        shown = tuple(width for width in (2, 8, 32, 128) if width <= max(self.settings.widths))
        for column, (name, one) in enumerate(self.studies.items()):
            upper, middle, lower = (row[column] for row in axes)
            for part, color, marker in zip(PARTS, (BLUE, ORANGE), "os", strict=True):
                found = one.losses[part]
                medians = zip(found.value, found.low, found.high, strict=True)
                loss = {
                    int(w): Estimate(*row, LEVEL)
                    for w, row in zip(found.widths, medians, strict=True)
                }
                estimates_against_width(loss, upper, color, marker, f"one net, {part}")
                estimates_on_line(one.errors[part], middle, color, marker)
                gain = {each.width: each.gain for each in self._series(one, 2, part)}
                estimates_on_line(
                    gain,
                    lower,
                    color,
                    marker,
                    f"loss of two nets' mean logit / their mean loss, {part}",
                )
            members = self._most(one)
            ensembles = {
                members * each.width: each for each in self._series(one, members, PARTS[1])
            }
            together = {neurons: each.loss for neurons, each in ensembles.items()}
            estimates_against_width(
                together, upper, GREEN, "D", f"mean logit of {members} nets, held out"
            )
            errors = {neurons: each.error for neurons, each in ensembles.items() if each.error}
            estimates_on_line(errors, middle, GREEN, "D")
            cosines = {width: cosine for width in one.synergies if (cosine := one.cosine(width))}
            estimates_on_line(
                cosines, lower, PURPLE, "P", "cosine of two nets' residuals, training", "--"
            )
            found = one.losses[PARTS[0]]
            span = found.widths[[0, -1]]
            guide = reference_line(span, 1.0, (float(span[0]), 1.6 * float(found.value[0])))
            limits = upper.get_ylim()
            upper.plot(span, guide, color=GREY, linestyle=":", linewidth=1.2, label="$N^{-1}$")
            upper.set_ylim(limits)
            lower.axhline(
                0.5, color=GREY, linestyle=":", linewidth=1.2, label="gain of independent errors"
            )
            upper.set_title(self._title(name))
            loss_axes(shown, upper)
            lower.set_ylim(-0.05, 1.25)
            lower.set_xlabel("width $N$")
            middle.set_ylim(bottom=0)
        for row, text in zip(
            axes,
            ("median logistic loss", "mean error rate", "gain of averaging, cosine"),
            strict=True,
        ):
            row[0].set_ylabel(text)
        shared_legend(figure, [axes[0][0], axes[2][0]], 3)
        return figure

    def _series(self, one: ProblemStudy, members: int, part: str) -> list[Together]:
        return [
            each
            for each in one.together
            if (each.members, each.part, each.way) == (members, part, "logits")
        ]

    def _most(self, one: ProblemStudy) -> int:
        return max((each.members for each in one.together), default=MEMBERS[0])

    def caption(self) -> str:
        members = self._most(next(iter(self.studies.values())))
        return (
            "Each column a problem. Top: median logistic loss of single networks on the training "
            "points (blue) and on held-out "
            f"ones (orange), and on these that of the mean logit of {members} networks (green) at "
            "the number of neurons that they "
            "have together. Middle: mean error rates. Bottom: loss of the mean logit of two nets "
            "over their own mean loss, median "
            "over pairs, and the cosine of the residual functions sigmoid(f) - y of two nets. "
            f"Bars are {LEVEL:.0%} bootstrap intervals over seeds. {self.settings.seeds} seeds, "
            "float32."
        )

    def tables(self) -> list[Table]:
        return tables(self.studies)

    # Answers.
    def _gain(self, one: ProblemStudy, part: str) -> Estimate | None:
        found = one.of(one.pair_width, 2, "logits", part)
        return found.gain if found else None

    def _exponents(self, part: str) -> dict[str, Estimate]:
        """Of the power law, or of what is above the plateau where AICc prefers one."""
        return {
            self._title(name): one.fits[part].with_misfit["exponent"]
            for name, one in self.studies.items()
            if part in one.fits
        }

    def _lawful(self, part: str) -> tuple[list[str], list[str]]:
        """Problems whose exponent reaches 1, among those, which come second, whose interval tells
        anything.
        """
        found = self._exponents(part)
        clear = [name for name, e in found.items() if e.high - e.low <= WIDE]
        return [
            name for name in clear if found[name].low - NEAR <= 1 <= found[name].high + NEAR
        ], clear

    def _budgets(self) -> tuple[dict[str, tuple[Estimate, Estimate]], list[str], list[str]]:
        """Exponents after all steps and after fewer, by problem; those that tell anything; and of
        these, those that agree.
        """
        full = self._exponents(PARTS[0])
        pairs = {
            name: (full[name], fewer)
            for key, fewer in self.shorter.items()
            if (name := self._title(key)) in full
        }
        clear = [name for name, pair in pairs.items() if max(e.high - e.low for e in pair) <= WIDE]
        return pairs, clear, [name for name in clear if _overlap(*pairs[name])]

    def headline(self) -> str:
        train, held = (self._exponents(part) for part in PARTS)
        gains = [gain.value for one in self.studies.values() if (gain := self._gain(one, PARTS[1]))]
        cosines = [
            cosine.value for one in self.studies.values() if (cosine := one.cosine(one.pair_width))
        ]
        if not train or not gains or not cosines:
            return ""
        lawful = [len(self._lawful(part)[0]) for part in PARTS]
        _, clear, same = self._budgets()
        return (
            f"Of {len(train)} two-class problems the logistic loss falls as 1/N in {lawful[0]} on "
            "the training points and in "
            f"{lawful[1]} on held-out ones (exponents {_span(train)} and {_span(held)}, above a "
            "plateau where there is one, widths "
            f"from {FITTED_FROM} on; training for {SHORTER:.0%} of the steps changes "
            f"{len(clear) - len(same)} of {len(clear)}), "
            f"and averaging the logits of two of the wider nets leaves {_percent(gains)} of their "
            "held-out loss where independent "
            f"errors would leave 50%: their residuals have cosines of {min(cosines):.2f} to "
            f"{max(cosines):.2f}."
        )

    def verdicts(self) -> list[Verdict]:
        return [
            self._law(PARTS[0], "The training loss falls as 1/N"),
            self._law(PARTS[1], "The held-out loss falls as 1/N"),
            self._budget(),
            self._orthogonal(),
            self._averaging(PARTS[0]),
            self._averaging(PARTS[1]),
            self._null(),
            self._against_wide(),
        ]

    def _law(self, part: str, claim: str) -> Verdict:
        found = self._exponents(part)
        good, clear = self._lawful(part)
        unclear = [name for name in found if name not in clear]
        best = {
            self._title(n): s.laws[part].best_aicc
            for n, s in self.studies.items()
            if part in s.laws
        }
        laws = "; ".join(f"{name}: {law}" for name, law in best.items() if law)
        return over_targets(
            claim,
            f"The median {part} loss is proportional to 1/N, as the paper has it for squared "
            "errors.",
            told(found)
            + (f". Best by AICc of power law, plateau and break: {laws}" if laws else ""),
            f"Exponent of a power law over widths {FITTED_FROM} to {max(self.settings.widths)}, "
            "or of what is above a plateau "
            "where AICc prefers one, with seeds' and widths' scatter. A problem agrees where the "
            f"interval reaches within {NEAR:g} "
            f"of 1, and is not counted where it is wider than {WIDE:g}. Holds for all, in part "
            "for some.",
            len(good),
            len(clear),
            f"{len(good)} of {len(clear)} agree{': ' + ', '.join(good) if good else ''}"
            f"{'; too uncertain to say: ' + ', '.join(unclear) if unclear else ''}.",
            {name: e.value for name, e in found.items()},
        )

    def _budget(self) -> Verdict:
        pairs, clear, good = self._budgets()
        return over_targets(
            "The exponent is the problem's, not the budget's",
            "How the training loss falls with width does not depend on how long the networks "
            "train.",
            "; ".join(f"{name}: {fewer}, then {one}" for name, (one, fewer) in pairs.items()),
            f"Exponents of the training loss as above, after {SHORTER:.0%} of the steps and after "
            "all, the schedule scaled. A "
            "problem agrees where the intervals overlap, and is not counted where one is wider "
            f"than {WIDE:g}. Holds for all, in "
            "part for some.",
            len(good),
            len(clear),
            f"{len(good)} of {len(clear)} agree.",
            {name: one.value - fewer.value for name, (one, fewer) in pairs.items()},
        )

    def _orthogonal(self) -> Verdict:
        found = {
            self._at(name, one): cosine
            for name, one in self.studies.items()
            if (cosine := one.cosine(one.pair_width))
        }
        good = [name for name, e in found.items() if max(abs(e.low), abs(e.high)) < ALIKE]
        return over_targets(
            "Residuals of different nets are orthogonal",
            "Eq. 7 to 9 in this setting: the residual functions sigmoid(f) - y of two seeds "
            "have no inner product.",
            told(found),
            "Cosine on the training points, median over pairs of the widest nets whose double is "
            "there. A problem agrees where "
            f"the interval lies within {ALIKE:g} of 0. At each point all nets' residuals have the "
            "sign that its label gives "
            "them, so no cosine is below 0; and where classes overlap all share the residual of "
            "the labels' own chance, so a large "
            "cosine alone does not tell alike nets from noisy labels.",
            len(good),
            len(found),
            f"{len(good)} of {len(found)} agree.",
            {name: e.value for name, e in found.items()},
        )

    def _averaging(self, part: str) -> Verdict:
        found = {
            self._at(name, one): gain
            for name, one in self.studies.items()
            if (gain := self._gain(one, part))
        }
        good = [name for name, e in found.items() if e.high <= HALVED]
        little = [name for name, e in found.items() if e.low > LITTLE]
        return over_targets(
            f"Averaging two nets halves the {part} loss",
            "The central limit: the average of n tickets with independent errors has the loss L "
            "/ n.",
            told(found),
            f"{part.capitalize()} loss of two nets' mean logit over the mean of their own, which "
            "convexity keeps below 1; median "
            "over pairs of the widest nets whose double is there. A problem agrees where the "
            f"interval ends at {HALVED:g} or "
            "below. Holds for all, in part for some.",
            len(good),
            len(found),
            f"{len(good)} of {len(found)} agree; in {len(little)} more than {LITTLE:.0%} of the "
            "loss is left for certain.",
            {name: e.value for name, e in found.items()},
        )

    def _null(self) -> Verdict:
        def agrees(one: Together) -> bool:
            return max(one.against.high, 1 / one.against.low) <= SAME

        found = {
            self._at(n, s): one
            for n, s in self.studies.items()
            if (one := s.of(s.pair_width, 2, "harmonic", PARTS[0]))
        }
        good = [name for name, one in found.items() if agrees(one)]
        return over_targets(
            "2N = N + N by the paper's null",
            "A wide net has the loss (1/L₁ + 1/L₂)⁻¹ of two nets of half its width, as in "
            "figure 4.",
            told({name: one.against for name, one in found.items()}),
            "Median of that null over the median training loss of the wide net, at the widest "
            "pair. A problem agrees where the "
            f"interval stays within a factor of {SAME:g} of 1. Holds for all, in part for some.",
            len(good),
            len(found),
            f"{len(good)} of {len(found)} agree; a ratio below 1 says that the wide net is worse "
            "than the null.",
            {name: one.against.value for name, one in found.items()},
        )

    def _against_wide(self) -> Verdict:
        found: dict[str, Estimate] = {}
        for name, one in self.studies.items():
            chosen = [
                each for each in one.together if each.part == PARTS[1] and each.way == "logits"
            ]
            if chosen:
                most = max(chosen, key=lambda each: (each.members, each.width))
                found[f"{self._title(name)}, {most.members} of {most.width}"] = most.against
        good = [name for name, e in found.items() if e.high <= AS_GOOD]
        better = [name for name, e in found.items() if e.high < 1]
        return over_targets(
            "An ensemble is as good as one net with all its neurons",
            "On held-out points the mean logit of k nets of width N does as well as one net of "
            "width kN.",
            told(found),
            "Median held-out loss of ensembles of most members and widest nets over that of "
            "single nets of all their neurons. A "
            f"problem agrees where the interval ends at {AS_GOOD:g} or below. Holds for all, in "
            "part for some.",
            len(good),
            len(found),
            f"{len(good)} of {len(found)} agree; in {len(better)} the ensemble is better for "
            "certain.",
            {name: e.value for name, e in found.items()},
        )

    def _at(self, name: str, one: ProblemStudy) -> str:
        return f"{self._title(name)}, N = {one.pair_width}"


def _span(found: dict[str, Estimate]) -> str:
    values = sorted(round(one.value, 2) + 0.0 for one in found.values())
    return f"{values[0]:.2f} to {values[-1]:.2f}"


def _percent(values: list[float]) -> str:
    return f"{min(values):.0%} to {max(values):.0%}" if len(values) > 1 else f"{values[0]:.0%}"


def _overlap(one: Estimate, other: Estimate) -> bool:
    return max(one.low, other.low) <= min(one.high, other.high)
