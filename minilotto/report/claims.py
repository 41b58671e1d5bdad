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
    how = "Power law fitted to log median loss; holds where ... within {stated:g} ..."
    fails = "The interval stays more than {near:g} away from 1."
    claimed = 1.0

Numbers of a claim are its thresholds; those of `rules.THRESHOLDS` need not be repeated, and one
that differs from them says `why`. Names in braces are replaced by thresholds, and by the facts of
the run that `Figure.facts` names.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from minilotto.errors import ConfigError
from minilotto.report.rules import THRESHOLDS, UNTESTED, VERDICTS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEXTS = ("claim", "where", "says", "how", "fails", "why")


class Outcome(NamedTuple):
    """What became of a claim: one of VERDICTS, the numbers with intervals in words, why, and the
    same numbers for machines.
    """

    verdict: str
    measured: str
    reason: str
    numbers: Mapping[str, float] = {}


def untested(reason: str, measured: str = "") -> Outcome:
    """The outcome of a claim that could not be tested."""
    return Outcome(UNTESTED, measured, str(reason))


@dataclass(frozen=True)
class Verdict:
    """One claim and its outcome, as the page prints it; `how` states the rule, `fails` what would
    have made it fail.
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

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ConfigError(
                f"verdict={self.verdict!r} is unknown; choose from {', '.join(VERDICTS)}"
            )


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

    def __getitem__(self, name: str) -> float:
        return self.numbers[name] if name in self.numbers else THRESHOLDS[name]

    def judged(self, outcome: Outcome, facts: Mapping[str, Any]) -> Verdict:
        """The claim with its outcome, names in braces replaced."""
        known = {**THRESHOLDS, **self.numbers, **facts}
        claim, where, says, how, fails = (
            text.format(**known)
            for text in (self.claim, self.where, self.says, self.how, self.fails)
        )
        verdict, measured, reason, numbers = outcome
        return Verdict(claim, says, measured, how, verdict, reason, numbers, where, fails)


@dataclass(frozen=True)
class Entry:
    """What the register says of one figure or study: its texts, and its claims by key, in order."""

    title: str
    caption: str
    question: str
    design: str
    claims: Mapping[str, Claim]


@lru_cache
def register(package: str, file: str, name: str) -> Entry:
    """The entry `name` of a TOML file in a package. Raises ConfigError for a row that is not whole.

    >>> register("minilotto.report.paper", "claims.toml", "1c").title
    'loss against width'
    """
    table = tomllib.loads((files(package) / file).read_text(encoding="utf-8"))[name]
    claims = {key: _claim(name, key, row) for key, row in table.get("claims", {}).items()}
    names = ("title", "caption", "question", "design")
    texts = (" ".join(table.get(text, "").split()) for text in names)
    return Entry(*texts, claims)


def _claim(name: str, key: str, row: Mapping[str, Any]) -> Claim:
    numbers = {n: float(v) for n, v in row.items() if n not in TEXTS}
    missing = [text for text in TEXTS[:-1] if not row.get(text)]
    changed = [n for n in numbers if n in THRESHOLDS and numbers[n] != THRESHOLDS[n]]
    if missing or (changed and not row.get("why")):
        need = missing or [f"why (its {', '.join(changed)} differ from the shared thresholds)"]
        raise ConfigError(f"claim {name}.{key} lacks {', '.join(need)}; add it to the register")
    texts = (" ".join(row.get(text, "").split()) for text in TEXTS)
    return Claim(key, *texts, numbers)
