"""The registers of claims: every row is whole, every figure has its entry, every name in braces
stands for something.
"""

import dataclasses
import inspect
import string
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student

import minilotto as ml
from minilotto.analysis.stats.bootstrap import Estimate
from minilotto.report.catalogue import FIGURES
from minilotto.report.claims import (
    TEXTS,
    Case,
    Claim,
    _claim,
    about,
    over,
    read_toml,
    register,
    untested,
)
from minilotto.report.figure import Figure
from minilotto.report.rules import (
    ERROR,
    FAILS,
    HOLDS,
    IN_PART,
    MARGINS,
    THRESHOLDS,
    UNDECIDED,
    UNTESTED,
    Check,
    Every,
    Judged,
    Some,
    at_least,
    decided,
    exactly,
    factor,
    family,
    fits,
    inside,
    sure,
    together,
)
from minilotto.report.study import Study

REPORT = Path(str(files("minilotto.report")))
REGISTERS = sorted(path.relative_to(REPORT) for path in REPORT.glob("*/**/*.toml"))
COUNTED = ("good", "bad", "open", "of", "agreeing", "others")  # facts of `over`
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
    entry = kind.entry
    known = {"level", *THRESHOLDS, "activation", "scaling", "target", "way"}
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
    # "bad" is also the name of a count, which reasons alone may take
    row = {**ROW, "how": "below\n{bad:g} of {nets}, {most}", "bad": 2}
    verdict = _claim("1", "a", row).judged(about(True, "m", "r", {"x": 1.0}), {"nets": 7}, ERROR)
    assert verdict.how == f"below 2 of 7, {THRESHOLDS['most']}"
    texts = (verdict.claim, verdict.where, verdict.says, verdict.fails)
    assert texts == ("claim", "where", "says", "fails")
    assert (verdict.verdict, verdict.measured, verdict.reason) == (HOLDS, "m", "r")


def test_a_reason_of_the_register_is_printed_where_the_outcome_has_none():
    claim = _claim("1", "a", {**ROW, "least": 2, "reasons": {"holds": "All {nets} of {least:g}."}})
    assert claim.judged(about(True, "m"), {"nets": 7}, ERROR).reason == "All 7 of 2."
    assert claim.judged(about(True, "m", nets=8), {}, ERROR).reason == "All 8 of 2."
    with pytest.raises(ml.ConfigError, match=r"reasons of claim 1.a are maybe; use holds, in_part"):
        _claim("1", "a", {**ROW, "reasons": {"maybe": "text"}})


def test_cases_are_counted_and_named_in_the_reason():
    reasons = {"holds": "All.", "any": "{good} of {of}; not {others}{more}"}
    claim, plain = _claim("1", "a", {**ROW, "reasons": reasons}), _claim("1", "a", ROW)
    cases = [Case("x", True, 1, {"n": 1.0}), Case("y", False, 2)]
    found = over(cases, "seen: ", "!")
    assert (found.measured, found.numbers) == ("seen: x: 1; y: 2", {"n": 1.0})
    assert claim.judged(found, {}, ERROR).reason == "1 of 2; not y!"
    assert claim.judged(over(cases[:1]), {}, ERROR).reason == "All."
    judged = plain.judged(found, {}, ERROR)
    assert judged.verdict == IN_PART
    assert judged.reason == "1 of 2 agree, 1 do not, 0 are undecided!."
    assert plain.judged(over([]), {}, ERROR).verdict == UNTESTED
    assert plain.judged(untested("why"), {}, ERROR).reason == "why"
    unsure = [*cases, Case("z", Check(HOLDS, 1.0))]
    assert plain.judged(over(unsure), {}, ERROR).verdict == IN_PART
    assert plain.judged(over(unsure[::2]), {}, ERROR).verdict == UNDECIDED


def interval(low: float, high: float, freedom: float = np.inf) -> Estimate:
    return Estimate((low + high) / 2, low, high, 0.95, freedom)


def says(judged: Judged, error: float = ERROR) -> str:
    """Its verdict where it may err as often as that; its interval has a level of 95 %."""
    return decided(judged, error)


@pytest.mark.parametrize(
    ("rule", "verdicts"),
    [
        (lambda low, high: inside(interval(low, high), 1, 2),
         {(1.0, 2.0): HOLDS, (1.0, 2.01): UNDECIDED, (2.01, 3.0): FAILS, (0.0, 0.99): FAILS,
          (1.99, 2.5): UNDECIDED, (-9.0, 9.0): UNDECIDED, (-np.inf, np.inf): UNDECIDED,
          (np.nan, np.nan): UNDECIDED}),
        (lambda low, high: factor(interval(low, high), 0.5, 2),
         {(0.6, 1.9): HOLDS, (0.0, 1.0): UNDECIDED, (2.2, 3.0): FAILS, (0.1, 9.0): UNDECIDED}),
        (lambda low, high: exactly(interval(low, high), 0, 0.3),
         {(-0.1, 0.2): HOLDS, (0.01, 0.2): FAILS, (-0.1, 0.4): UNDECIDED, (-0.4, 0.4): UNDECIDED,
          (0.01, 9.0): FAILS, (-9.0, -0.01): FAILS}),
        (fits, {(0.5,): HOLDS, (0.01,): FAILS}),
        (sure, {(True,): HOLDS, (False,): FAILS}),
        (lambda count, nets: inside(at_least(count, nets), 2, 3),
         {(1, 1000): FAILS, (1, 100): UNDECIDED, (2, 1000): HOLDS, (2, 100): UNDECIDED,
          (4, 100): FAILS, (4, 1000): FAILS}),
        (lambda *each: Every([sure(one) if one is not None else Check(HOLDS, 1.0) for one in each]),
         {(True, True): HOLDS, (True, False): FAILS, (True, None): UNDECIDED,
          (False, None): FAILS}),
        (lambda *each: Some([sure(one) if one is not None else Check(HOLDS, 1.0) for one in each]),
         {(True, False): HOLDS, (False, False): FAILS, (True, None): HOLDS,
          (False, None): UNDECIDED}),
    ],
    ids=["inside", "factor", "exactly", "fits", "sure", "at_least", "every", "some"],
)  # fmt: skip
def test_rules_judge_planted_numbers(rule, verdicts):
    assert {given: says(rule(*given)) for given in verdicts} == verdicts


@pytest.mark.parametrize(
    "judge",
    [
        lambda found: inside(found, 0.75, 1.25),
        lambda found: factor(found, 0.8, 1.25),
        lambda found: exactly(found, 1.0, 0.25),
    ],
    ids=["inside", "factor", "exactly"],
)
def test_no_interval_supports_a_claim_by_being_wide(judge):
    for value in np.linspace(0.3, 1.7, 57):
        each = [says(judge(interval(value - w, value + w))) for w in (0.01, 0.1, 0.3, 1.0, 10.0)]
        assert each[-1] == UNDECIDED
        assert HOLDS not in each[each.index(UNDECIDED) :], (value, each)


def test_one_verdict_on_several_is_the_only_one_that_could_become_of_it():
    assert together([HOLDS, HOLDS]) == HOLDS
    assert together([FAILS, FAILS]) == FAILS
    assert together([HOLDS, FAILS, UNDECIDED]) == IN_PART
    assert together([HOLDS, UNDECIDED]) == together([FAILS, UNDECIDED]) == UNDECIDED
    assert together([]) == UNTESTED


def test_a_family_is_decided_by_holms_step_down():
    tests = [Check(HOLDS, error) for error in (0.001, 0.016, 0.03, 0.06)]
    assert family(tests) == 0.016  # 0.05 / 4, 0.05 / 3, then 0.03 is above 0.05 / 2
    assert family([Every(tests[:2]), Some(tests[2:])]) == 0.016
    assert family([]) == family(tests[3:]) == 0.0
    assert family([Check(HOLDS, 0.0), Check(HOLDS, 0.05)]) == 0.05
    assert family([Check(HOLDS, float("nan"))]) == 0.0


@pytest.mark.parametrize("freedom", [1, 2, 5, np.inf])
def test_the_error_of_a_test_is_that_of_the_interval_that_decides_it(freedom):
    """Student's, of its degrees of freedom: 0.75 to 1.25 is reached by 2.5 times the length."""
    error = inside(interval(0.9, 1.1, freedom), 0.75, 1.25).error
    assert error == pytest.approx(2 * student.sf(2.5 * student.ppf(0.975, freedom), freedom))


def test_every_margin_says_of_what_it_is_and_why():
    assert all(margin.kind and margin.why for margin in MARGINS.values())
