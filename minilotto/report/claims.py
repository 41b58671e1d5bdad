"""Claims as data: what is claimed and where, how it is tested, and what would make it fail.

The register of a figure or study is a TOML file beside its code, in which a referee reads every
claim and its rule without reading the code, and which the report prints as it stands:

    ["1c"]
    title = "loss against width"
    caption = "Median loss ... {training}."

    ["1c".claims.silu]
    claim = "SiLU: the loss falls as 1/N"
    where = "section 2, figure 1c"
    says = "For SiLU the median loss decays as N⁻¹ over widths 10 to 50."
    how = "Power law fitted to log median loss; its exponent within {near:g} of {claimed:g}."
    fails = "The interval lies more than {near:g} away from {claimed:g}."
    claimed = 1.0

    ["1c".claims.silu.reasons]  # holds, in_part, fails, undecided, untested; any: the first three
    holds = "{claimed:g} to the margin."

Numbers of a claim are its thresholds; those of `rules.MARGINS` need not be repeated, and one that
differs from them says `why`. Names in braces are replaced by thresholds, and by the facts of the
run that `Figure.facts` names.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from math import inf
from typing import Any, NamedTuple

from minilotto.analysis.stats.bootstrap import Estimate, Points
from minilotto.analysis.stats.estimates import bend
from minilotto.analysis.stats.scaling import fit_law
from minilotto.errors import ConfigError
from minilotto.files import parsed_toml
from minilotto.report.rules import (
    ERROR,
    FAILS,
    HOLDS,
    IN_PART,
    LEVEL,
    THRESHOLDS,
    UNDECIDED,
    VERDICTS,
    Check,
    Every,
    Judged,
    decided,
    factor,
    family,
    inside,
    one_law,
    sure,
    together,
)
from minilotto.settings.limits import check_choice

TEXTS = ("claim", "where", "says", "how", "fails", "why")
REASONS = dict(zip(("holds", "in_part", "fails", "undecided", "untested"), VERDICTS, strict=True))
LISTED = 3  # numbers that are listed; of more, the extremes are
OPEN = "Too wide to decide at the level that all tests here share{more}."


class Case(NamedTuple):
    """One thing that a claim is about: how it is judged (a bool: for sure), words and numbers."""

    name: str
    judged: Judged | bool
    words: object = ""
    numbers: Mapping[str, float] = {}


class Outcome(NamedTuple):
    """What became of a claim: the things that it is about, none where it could not be tested; the
    numbers with intervals in words; why ("" takes the register's reason for that verdict); the same
    numbers for machines; and what names in braces of the claim's texts stand for.
    """

    cases: Sequence[Case]
    measured: str
    reason: str = ""
    numbers: Mapping[str, float] = {}
    facts: Mapping[str, Any] = {}

    @property
    def judged(self) -> list[Judged]:
        """How each case is judged."""
        every = [one.judged for one in self.cases]
        return [sure(one) if isinstance(one, bool) else one for one in every]


def about(
    judged: Judged | bool,
    measured: str,
    reason: str = "",
    numbers: Mapping[str, float] = {},
    **facts: Any,
) -> Outcome:
    """The outcome of a claim about one thing."""
    return Outcome([Case("", judged)], measured, reason, numbers, facts)


def over(cases: Sequence[Case], before: str = "", more: str = "", **facts: Any) -> Outcome:
    """The outcome of a claim about several things; `before` precedes what was measured, and `more`
    ends the reason. Reasons in the register may name good, bad, open, of, agreeing, others, and
    `facts`.
    """
    if not cases:
        return untested("These nets are missing, or too few.")
    numbers = {name: value for one in cases for name, value in one.numbers.items()}
    measured = before + described({one.name: one.words for one in cases})
    return Outcome(cases, measured, "", numbers, {"more": more, **facts})


def tally(
    found: Mapping[str, Estimate | None],
    judge: Callable[[Estimate], Judged],
    before: str = "",
    more: str = "",
    **facts: Any,
) -> Outcome:
    """The outcome of a claim about each of some estimates, all judged alike; None is left out."""
    known = {name: one for name, one in found.items() if one}
    cases = [Case(name, judge(one), one, {name: one.value}) for name, one in known.items()]
    return over(cases, before, more, **facts)


def extent(found: Sequence[Estimate]) -> str:
    """The least and the largest of some numbers, with their intervals."""
    ends = (min(found, key=lambda one: one.value), max(found, key=lambda one: one.value))
    return "{:.2f} to {:.2f}".format(*ends)


def all_in(found: Mapping[str, Estimate | None], judge: Callable[[Estimate], Check]) -> Outcome:
    """The outcome of a claim that all of some numbers lie in its range; None is left out."""
    known = {name: one for name, one in found.items() if one}
    if not known:
        return untested("These nets are missing, or too few.")
    judged = {name: judge(one) for name, one in known.items()}
    if len(known) == 1:
        ((name, one),) = known.items()
        return about(judged[name], f"{name} {one}", "", as_numbers(name, one))
    order = sorted(known, key=lambda name: known[name].value)
    ends = order if len(order) <= LISTED else [order[0], order[-1]]
    words = described({name: known[name] for name in ends})
    if len(order) > LISTED:
        words = f"{len(order)} numbers, from the least to the largest: {words}"
    alone = {name: decided(one, ERROR) for name, one in judged.items()}
    outside = [name for name, state in alone.items() if state == FAILS]
    named = f" ({', '.join(outside[:LISTED])}{', ...' if len(outside) > LISTED else ''})"
    reason = (
        f"Taken one by one, {list(alone.values()).count(HOLDS)} of {len(known)} intervals lie in "
        f"the range and {len(outside)} outside{named if outside else ''}."
    )
    return about(Every([*judged.values()]), words, reason, values(known), more=f": t{reason[1:-1]}")


def one_laws(found: Mapping[str, Points], number: Callable[[Estimate, float], float]) -> Outcome:
    """The outcome of a claim that each of some curves is one power law; `number` of its bend and
    the p-value of the fit is for machines.
    """
    cases = []
    for name, one in found.items():
        bent, p = bend(one), fit_law(one).p_value
        words = f"{bent}, p = {p:.2g}"
        cases.append(Case(name, one_law(bent, p), words, {name: number(bent, p)}))
    return over(cases, "bend, and p of a power law about which seeds alone scatter: ")


def for_each(fact: str, things: Callable[[Any], Mapping[str, Any]]) -> Callable[[Any], Any]:
    """Decorates the method that judges a claim about one thing: an outcome for each, by the names
    that `fact` stands for in the claim's texts.
    """

    def decorate(rule: Callable[[Any, Claim, Any], Outcome]) -> Callable[[Any, Claim], Any]:
        def every(figure: Any, claim: Claim) -> list[Outcome]:
            found = {name: rule(figure, claim, one) for name, one in things(figure).items()}
            return [out._replace(facts={**out.facts, fact: n}) for n, out in found.items()]

        return every

    return decorate


def untested(reason: str, measured: str = "", numbers: Mapping[str, float] = {}) -> Outcome:
    """The outcome of a claim that could not be tested."""
    return Outcome((), measured, str(reason), numbers)


def as_numbers(name: str, found: Estimate) -> dict[str, float]:
    """An estimate and its interval, as numbers of an outcome."""
    return {name: found.value, "low": found.low, "high": found.high}


@dataclass(frozen=True)
class Verdict:
    """One claim and its outcome, as the page prints it; `how` states the rule, `fails` what would
    have made it fail; `key` names the claim in the register.
    """

    claim: str
    says: str
    measured: str
    how: str
    verdict: str
    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    where: str = ""
    fails: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        check_choice("verdict", self.verdict, VERDICTS)


@dataclass(frozen=True)
class Claim:
    """A row of the register. `claim["near"]` is a threshold: its own, else the shared one."""

    key: str
    claim: str
    where: str
    says: str
    how: str
    fails: str
    why: str
    numbers: Mapping[str, float]
    reasons: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        return self.numbers[name] if name in self.numbers else THRESHOLDS[name]

    def near(self, found: Estimate) -> Check:
        """Whether a number is the claimed one."""
        claimed, margin = self["claimed"], self["near"]
        return inside(found, claimed - margin, claimed + margin)

    def unchanged(self, found: Estimate) -> Check:
        """Whether a difference of exponents is none."""
        return inside(found, -self["near"], self["near"])

    def no_change(self, found: Estimate) -> Check:
        """The same, where one outside the margin fails if its interval excludes 0."""
        margin = self["near"] if abs(found.value) <= self["near"] else 0.0
        return inside(found, -margin, margin)

    def same(self, found: Estimate) -> Check:
        """Whether a ratio is that of equal things."""
        return factor(found, 1 / self["same"], self["same"])

    def similar(self, found: Estimate) -> Check:
        """Whether a ratio is that of things of one size."""
        return factor(found, 1 / self["similar"], self["similar"])

    def orthogonal(self, found: Estimate) -> Check:
        """Whether a cosine is that of orthogonal errors."""
        return inside(found, -self["orthogonal"], self["orthogonal"])

    def mostly(self, found: Estimate) -> Check:
        """Whether a fraction is the larger part."""
        return inside(found, self["half"], inf)

    def judged(self, outcome: Outcome, facts: Mapping[str, Any], taken: float) -> Verdict:
        """The claim with its outcome, names replaced; each test may take that chance of error."""
        each = [decided(judged, taken) for judged in outcome.judged]
        verdict, names = together(each), [case.name for case in outcome.cases]
        found = {
            state: [name for name, one in zip(names, each, strict=True) if one == state]
            for state in (HOLDS, FAILS, UNDECIDED)
        }
        good, bad, unsure = (len(names) for names in found.values())
        counts: dict[str, Any] = {"good": good, "bad": bad, "open": unsure, "of": len(each)}
        counts |= {"agreeing": ", ".join(found[HOLDS]), "others": ", ".join(found[FAILS])}
        known = {"level": LEVEL, **THRESHOLDS, **self.numbers, **facts, **outcome.facts}
        made: dict[str, Any] = {"measured": outcome.measured, "numbers": outcome.numbers}
        made |= {text: getattr(self, text).format(**known) for text in TEXTS[:-1]}
        default = OPEN if verdict == UNDECIDED and len(each) == 1 else ""
        if len(each) > 1:
            default = "{good} of {of} agree, {bad} do not, {open} are undecided{more}."
        known = {"more": "", **known, **counts, **outcome.facts}
        reason = outcome.reason if verdict != UNDECIDED else ""
        reason = reason or (self.reasons.get(verdict) or default).format(**known)
        return Verdict(verdict=verdict, reason=reason, key=self.key, **made)


def verdicts(
    claims: Mapping[str, Claim],
    outcomes: Mapping[str, Outcome | Sequence[Outcome]],
    facts: Mapping[str, Any],
) -> dict[str, list[Verdict]]:
    """What became of the claims of one figure or study, by key: the tests of all are one family."""
    several = {
        key: [found] if isinstance(found, Outcome) else list(found)
        for key, found in outcomes.items()
    }
    taken = family(one for some in several.values() for out in some for one in out.judged)
    return {
        key: [claim.judged(out, facts, taken) for out in several.get(key, ())]
        for key, claim in claims.items()
    }


@dataclass(frozen=True)
class Entry:
    """What the register says of one figure or study: its texts, and its claims by key, in order."""

    title: str
    caption: str
    question: str
    design: str
    claims: Mapping[str, Claim]


def described(found: Mapping[str, object]) -> str:
    """Names and values, in one line."""
    return "; ".join(f"{name}: {value}" for name, value in found.items())


def values(found: Mapping[str, Estimate], prefix: str = "") -> dict[str, float]:
    """Estimates without their intervals, for the numbers of an outcome."""
    return {prefix + name: one.value for name, one in found.items()}


@lru_cache
def register(package: str, file: str, name: str) -> Entry:
    """The entry `name` of a TOML file in a package. Raises ConfigError for a row that is not whole.

    >>> register("minilotto.report.paper", "claims.toml", "1c").title
    'loss against width'
    """
    table = read_toml(package, file)[name]
    claims = {key: _claim(name, key, row) for key, row in table.get("claims", {}).items()}
    return Entry(claims=claims, **_folded(table, ("title", "caption", "question", "design")))


def read_toml(package: str, file: str) -> dict[str, Any]:
    """A TOML file beside the modules of a package."""
    content: dict[str, Any] = parsed_toml((files(package) / file).read_text(encoding="utf-8"))
    return content


def _claim(name: str, key: str, row: Mapping[str, Any]) -> Claim:
    reasons = _folded(row.get("reasons", {}), tuple(row.get("reasons", {})))
    numbers = {n: float(v) for n, v in row.items() if n not in (*TEXTS, "reasons")}
    missing = [text for text in TEXTS[:-1] if not row.get(text)]
    changed = [n for n in numbers if n in THRESHOLDS and numbers[n] != THRESHOLDS[n]]
    if missing or (changed and not row.get("why")):
        need = missing or [f"why (its {', '.join(changed)} differ from the shared thresholds)"]
        raise ConfigError(f"claim {name}.{key} lacks {', '.join(need)}; add it to the register")
    if not {*REASONS, "any"} >= {*reasons}:
        known = ", ".join([*REASONS, "any"])
        raise ConfigError(f"reasons of claim {name}.{key} are {', '.join(reasons)}; use {known}")
    by_verdict = dict.fromkeys((HOLDS, IN_PART, FAILS), reasons.pop("any", ""))
    by_verdict |= {REASONS[word]: text for word, text in reasons.items()}
    return Claim(key=key, numbers=numbers, reasons=by_verdict, **_folded(row, TEXTS))


def _folded(table: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Texts of a table, "" where there is none, each on one line."""
    return {name: " ".join(table.get(name, "").split()) for name in names}
