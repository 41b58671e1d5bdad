"""The registers of claims: every row is whole, every figure has its entry, every name in braces
stands for something.
"""

import dataclasses
import inspect
import string
from importlib.resources import files
from pathlib import Path

import pytest

import minilotto as ml
from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.catalogue import FIGURES
from minilotto.report.claims import TEXTS, Case, Claim, Outcome, _claim, over, read_toml, register
from minilotto.report.figure import Figure
from minilotto.report.rules import (
    FAILS,
    HOLDS,
    IN_PART,
    THRESHOLDS,
    UNTESTED,
    VERDICTS,
    at_most,
    counted,
    fraction,
    reaches,
    together,
    unchanged,
    within,
)
from minilotto.report.study import Study

REPORT = Path(str(files("minilotto.report")))
REGISTERS = sorted(path.relative_to(REPORT) for path in REPORT.glob("*/**/*.toml"))
COUNTED = ("good", "of", "agreeing", "others")  # facts of `over`
ROW = {text: text for text in TEXTS[:-1]}


def rows(path: Path) -> dict[tuple[str, str], Claim]:
    """All claims of a register, by name and key."""
    package = ".".join(("minilotto.report", *path.parent.parts))
    return {
        (name, key): claim
        for name in read_toml(package, path.name)
        for key, claim in register(package, path.name, name).claims.items()
    }


def names_in(*texts: str) -> set[str]:
    return {name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("path", REGISTERS, ids=str)
def test_every_register_is_read_and_every_row_is_whole(path):
    """`register` refuses a row without a text, and a threshold that differs without a reason."""
    found = rows(path)
    assert found
    for place, claim in found.items():
        assert claim.how.endswith("."), place
        assert claim.fails.endswith("."), place
        assert not claim.claim.endswith("."), place


@pytest.mark.parametrize("kind", FIGURES.values(), ids=lambda kind: kind.name)
def test_every_figure_has_an_entry(kind: type[Figure]):
    assert kind.title == kind.entry.title
    assert kind.entry.claims
    assert kind.entry.caption
    if issubclass(kind, Study):
        assert kind.question == kind.entry.question
        assert kind.entry.design


@pytest.mark.parametrize("kind", FIGURES.values(), ids=lambda kind: kind.name)
def test_every_name_in_braces_is_a_threshold_or_a_fact(kind: type[Figure]):
    entry, known = kind.entry, {"level", *THRESHOLDS, "activation", "scaling"}  # of outcomes
    if issubclass(kind, Study):
        known |= {field.name for field in dataclasses.fields(kind.settings_type)}
    source = "".join(
        inspect.getsource(base.facts) for base in kind.__mro__ if "facts" in vars(base)
    )
    used = names_in(entry.caption, entry.design)
    for claim in entry.claims.values():
        texts = (claim.claim, claim.where, claim.says, claim.how, claim.fails)
        used |= names_in(*texts) - set(claim.numbers)
    for name in used - known:
        assert f'"{name}"' in source or f"{name}=" in source, f"{kind.name}: {{{name}}}"
    code = "".join(path.read_text() for path in Path(inspect.getfile(kind)).parent.glob("*.py"))
    for claim in entry.claims.values():
        for name in names_in(*claim.reasons.values()) - known - {*claim.numbers, *COUNTED}:
            assert f'"{name}"' in code or f"{name}=" in code, f"{kind.name}: {{{name}}}"


def test_a_row_that_is_not_whole_is_refused():
    assert _claim("1", "a", {**ROW, "same": THRESHOLDS["same"]})["same"] == THRESHOLDS["same"]
    assert _claim("1", "a", {**ROW, "same": 3.0, "why": "because"})["same"] == 3.0
    with pytest.raises(ml.ConfigError, match=r"claim 1\.a lacks fails"):
        _claim("1", "a", {**ROW, "fails": ""})
    with pytest.raises(ml.ConfigError, match=r"why .*same differ"):
        _claim("1", "a", {**ROW, "same": 3.0})


def test_a_claim_is_printed_as_it_stands_with_its_numbers():
    claim = _claim("1", "a", {**ROW, "how": "below\n{least:g} of {nets}, {most}", "least": 2})
    verdict = claim.judged(Outcome(HOLDS, "m", "r", {"x": 1.0}), {"nets": 7})
    assert verdict.how == f"below 2 of 7, {THRESHOLDS['most']}"
    texts = (verdict.claim, verdict.where, verdict.says, verdict.fails)
    assert texts == ("claim", "where", "says", "fails")
    assert (verdict.verdict, verdict.measured, verdict.reason) == (HOLDS, "m", "r")


def test_a_reason_of_the_register_is_printed_where_the_outcome_has_none():
    claim = _claim("1", "a", {**ROW, "least": 2, "reasons": {"holds": "All {nets} of {least:g}."}})
    assert claim.judged(Outcome(HOLDS, "m"), {"nets": 7}).reason == "All 7 of 2."
    assert claim.judged(Outcome(HOLDS, "m", facts={"nets": 8}), {}).reason == "All 8 of 2."
    with pytest.raises(ml.ConfigError, match=r"reasons of claim 1.a are maybe; use holds, in_part"):
        _claim("1", "a", {**ROW, "reasons": {"maybe": "text"}})


def test_cases_are_counted_and_named_in_the_reason():
    reasons = {"holds": "All.", "any": "{good} of {of}; not {others}{more}"}
    claim, plain = _claim("1", "a", {**ROW, "reasons": reasons}), _claim("1", "a", ROW)
    cases = [Case("x", True, 1, {"n": 1.0}), Case("y", False, 2)]
    found = over(cases, "seen: ", more="!")
    assert (found.verdict, found.measured) == (IN_PART, "seen: x: 1; y: 2")
    assert found.numbers == {"n": 1.0}
    assert claim.judged(found, {}).reason == "1 of 2; not y!"
    assert claim.judged(over(cases[:1]), {}).reason == "All."
    assert plain.judged(found, {}).reason == "1 of 2 agree."
    assert over([]).verdict == UNTESTED


def interval(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, 0.95)


@pytest.mark.parametrize(
    ("found", "verdicts"),
    [
        (lambda low, high: within(interval(low, high), 1, 2),
         {(1.0, 2.0): HOLDS, (2.1, 3.0): FAILS, (0.0, 0.9): FAILS, (1.5, 2.5): UNTESTED}),
        (lambda low, high: reaches(interval(low, high), 1, 0.1, 0.25),
         {(1.05, 1.5): HOLDS, (0.5, 0.8): IN_PART, (1.3, 2.0): FAILS, (0.5, 1.5): HOLDS}),
        (lambda low, high: unchanged(interval(low, high), 0.1),
         {(-0.1, 0.1): HOLDS, (0.01, 0.1): IN_PART, (0.01, 0.2): FAILS, (-0.1, 0.2): UNTESTED}),
        (lambda agree, disagree: counted(agree, disagree, 3),
         {(3, 0): HOLDS, (1, 2): IN_PART, (0, 1): FAILS, (0, 0): UNTESTED}),
        (lambda *each: together(each),
         {(HOLDS, HOLDS): HOLDS, (HOLDS, FAILS): IN_PART, (HOLDS, UNTESTED): IN_PART,
          (FAILS, UNTESTED): FAILS, (UNTESTED,): UNTESTED, (): UNTESTED}),
        (lambda part: fraction(part, 0.95, 0.5), {(0.95,): HOLDS, (0.5,): IN_PART, (0.4,): FAILS}),
        (lambda value: at_most(value, 1, 2), {(1.0,): HOLDS, (2.0,): IN_PART, (2.1,): FAILS}),
    ],
    ids=["within", "reaches", "unchanged", "counted", "together", "fraction", "at_most"],
)  # fmt: skip
def test_rules_judge_planted_numbers(found, verdicts):
    assert {given: found(*given) for given in verdicts} == verdicts
    assert set(verdicts.values()) <= set(VERDICTS)
