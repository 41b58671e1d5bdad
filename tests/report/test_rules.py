"""What the report says of its own rules: their version, how often they err, what changed between
two reports; and that each of them is held by a planted truth.
"""

import dataclasses
import json

import numpy as np
import pytest

import minilotto as ml
from bench.coverage import FAMILY, SEEDS, verdict_rates
from bench.coverage import ONE_PEAK as NORMAL
from minilotto.cli.commands import main
from minilotto.report import claims as rules_claims
from minilotto.report import frozen, rules
from minilotto.report.calibration import margins_table, rates, rates_table
from minilotto.report.changes import changes, claims_of, recorded
from minilotto.report.figure import reseeded
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNDECIDED, UNTESTED


# Frozen
def test_rules_have_not_changed_since_their_version():
    """Where this fails, a rule, margin or claim has changed: give the next version,
    `python -m minilotto.report.frozen N`, and run a root seed that nobody has looked at.
    """
    assert frozen.changed() == []


def test_a_changed_margin_needs_another_version(tmp_path, monkeypatch):
    register = tmp_path / "claims.toml"
    row = '[x.claims.a]\nclaim = "a"\nsays = "b"\nhow = "within {near:g}"\nnear = 0.25\n'
    register.write_text(row)
    before = frozen._rules_of(register)
    for old, new, same in (
        ('says = "b"', 'says = "c"', True),
        ("0.25", "0.3", False),
        ("within", "beyond", False),
    ):
        register.write_text(row.replace(old, new))
        assert (frozen._rules_of(register) == before) is same
    with pytest.raises(ml.ConfigError, match=r"version \d+ is not above \d+; give a higher one"):
        frozen.freeze(frozen.frozen()["version"])
    assert frozen.main([]) == 0


# Calibrated
TABLE = {(r["claim"], r["truth"], r["losses"], int(r["seeds"])): r for r in rates()}


def rate(place, verdict):
    return float(TABLE[place][verdict])


def test_the_table_of_rates_is_what_the_rules_do():
    """Recomputed with fewer draws, within four standard errors of both."""
    trials = 40
    found = verdict_rates(trials, seeds=(200,), spreads=(NORMAL,))
    assert len(found) > 15
    for (*place, _), each in found.items():
        for verdict, part in each.items():
            stated, of = rate(tuple(place), verdict), int(TABLE[tuple(place)]["trials"])
            middle = (part * trials + stated * of + 1) / (trials + of + 2)
            error = np.sqrt(middle * (1 - middle) * (1 / trials + 1 / of))
            assert abs(part - stated) < 4 * error + 1e-9, (place, verdict)


def test_each_rule_fails_a_planted_violation_and_holds_its_truth():
    claims = {row["claim"] for row in TABLE.values()}
    assert len(claims) >= 6
    for claim in claims:
        mine = [(place, row["true"]) for place, row in TABLE.items() if place[0] == claim]
        assert max(rate(place, FAILS) for place, true in mine if true == "no") > 0.9, claim
        assert max(rate(place, HOLDS) for place, true in mine if true == "yes") > 0.6, claim


def test_wrong_decisions_are_as_rare_as_is_said():
    for place, row in TABLE.items():
        wrong = {"no": HOLDS, "yes": FAILS}.get(row["true"])
        if wrong and place[0] not in ("one peak", "several peaks"):  # groups that are not seen
            assert rate(place, wrong) <= 0.05, place


def test_breaks_of_a_third_are_found_and_power_laws_are_called_one():
    law = "one power law"
    for losses, found, called in (("one peak", 0.8, 0.65), ("heavy-tailed", 0.95, 0.9)):
        assert rate((law, "break of 0.3 in the middle", losses, 1000), FAILS) >= found
        assert rate((law, "power law, exponent 1", losses, 1000), HOLDS) >= called


def test_few_seeds_contradict_many_nowhere():
    """What 200 seeds decide in most draws, 1000 seeds do not decide otherwise in most."""
    few, many = SEEDS
    for *place, seeds in TABLE:
        if seeds == few:
            here, there = (TABLE[(*place, count)] for count in (few, many))
            decided = [v for v in (HOLDS, FAILS) if float(here[v]) > 0.5]
            other = {HOLDS: FAILS, FAILS: HOLDS}
            assert all(float(there[other[v]]) < 0.05 for v in decided), place


def test_tables_of_the_page_have_a_row_for_each_margin_and_truth():
    assert len(margins_table().rows) == len(rules.MARGINS)
    table = rates_table()
    assert len(table.rows) == len(TABLE)
    assert {len(row) for row in table.rows} == {len(table.header)}
    assert str(FAMILY) == "6"
    assert "six" in table.text


# Mutated: a rule that is broken is noticed by what is planted
def rule_holds():
    """Planted numbers, at the level of one interval: what each rule says of them."""

    def at(low, high):
        return rules.Estimate((low + high) / 2, low, high, rules.LEVEL)

    def says(judged):
        return rules.decided(judged, rules.ERROR)

    some = [rules.Check(HOLDS, error) for error in (0.001, 0.03, 0.04)]
    return [
        says(rules.near(at(0.9, 1.1), 1.0)) == HOLDS,
        says(rules.near(at(1.4, 1.6), 1.0)) == FAILS,
        says(rules.near(at(0.5, 1.5), 1.0)) == UNDECIDED,
        says(rules.near(at(0.7, 1.1), 1.0)) == UNDECIDED,
        says(rules.near(at(np.nan, np.nan), 1.0)) == UNDECIDED,
        says(rules.factor(at(0.9, 1.1), 0.8, 1.25)) == HOLDS,
        says(rules.factor(at(1.5, 1.6), 0.8, 1.25)) == FAILS,
        says(rules.factor(at(0.5, 1.5), 0.8, 1.25)) == UNDECIDED,
        says(rules.one_law(at(-0.1, 0.1), 0.5)) == HOLDS,
        says(rules.one_law(at(0.1, 0.5), 0.5)) == FAILS,
        says(rules.one_law(at(-0.1, 0.1), 0.001)) == FAILS,
        says(rules.one_law(at(-0.4, 0.4), 0.5)) == UNDECIDED,
        says(rules.inside(rules.at_least(1, 100), 2, np.inf)) == UNDECIDED,
        says(rules.inside(rules.at_least(1, 1000), 2, np.inf)) == FAILS,
        says(rules.Every([rules.sure(True), rules.sure(False)])) == FAILS,
        says(rules.Some([rules.sure(True), rules.sure(False)])) == HOLDS,
        says(rules.Every([rules.sure(True), rules.UNSEEN])) == UNDECIDED,
        says(rules.Every([rules.sure(False), rules.UNSEEN])) == FAILS,
        says(rules.Some([rules.sure(False), rules.UNSEEN])) == UNDECIDED,
        rules.family(some) == 0.001,
        rules.together([HOLDS, FAILS]) == IN_PART,
        rules.together([HOLDS, UNDECIDED]) == UNDECIDED,
        rules.together([]) == UNTESTED,
    ]


MUTATIONS = {
    "a margin times 100": ('"near"]) -> Check', '"near"] * 100) -> Check'),
    "a bend's margin times 100": ('0.0, THRESHOLDS["bend"])', '0.0, 100 * THRESHOLDS["bend"])'),
    "inside and outside exchanged": ("if low <= value <= high:", "if not low <= value <= high:"),
    "the nearer end alone": ("min(_over(value - low, below)", "max(_over(value - low, below)"),
    "no error": ("if times < 0:\n        return 1.0", "if times < 0:\n        return 0.0"),
    "a value that is never excluded": ("if excluded <= ERROR:", "if excluded <= -1:"),
    "a fit that is never rejected": ("Check(FAILS, p_value", "Check(HOLDS, p_value"),
    "what is not seen agrees": ("UNSEEN = Check(HOLDS, math.inf)", "UNSEEN = Check(HOLDS, 0.0)"),
    "no logarithms": ("found.mapped(_log), _log(low), _log(high)", "found, -high, -low"),
    "groups that are always seen": ("if nets >= enough else", "if nets >= 0 else"),
    "all and some exchanged": ("isinstance(judged, Every) else", "isinstance(judged, Some) else"),
    "no correction for several": ("if not error <= ERROR / left:", "if not error <= ERROR:"),
    "undecided counts as agreeing": ("else UNDECIDED if found", "else HOLDS if found"),
    "in part counts as all": ("return IN_PART\n", "return HOLDS\n"),
    "what is undecided is decided": ("if judged.error <= taken else", "if judged.error <= 1 else"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new"), MUTATIONS.values(), ids=list(MUTATIONS))
def test_a_broken_rule_is_noticed(old, new, monkeypatch):
    source = frozen.files(frozen.PACKAGE).joinpath("rules.py").read_text(encoding="utf-8")
    assert all(rule_holds())
    assert source.count(old) == 1, source.count(old)
    broken = dict(vars(rules))
    exec(compile(source.replace(old, new), "rules.py", "exec"), broken)
    for name in vars(rules):
        monkeypatch.setattr(rules, name, broken[name])
    assert not all(rule_holds())


# Two reports
def test_what_changed_between_two_reports_is_counted():
    before = zip("abcd", (HOLDS, HOLDS, FAILS, UNDECIDED), strict=True)
    after = zip("abce", (HOLDS, FAILS, UNDECIDED, HOLDS), strict=True)
    found = changes(*({("1c", key): [(key, v)] for key, v in one} for one in (before, after)))
    assert (found.agree, found.share) == (1, 0.5)
    assert found.flipped == [("1c", "b", HOLDS, FAILS)]
    assert found.lost == [("1c", "c", FAILS, UNDECIDED)]
    words = " ".join(found.words())
    assert words.startswith("1 of 2 claims that both reports decide have the same verdict.")
    assert "Changed: 1c, b: holds, now fails." in words


def test_claims_are_matched_by_key_and_not_by_words():
    def claims(*rows):
        some = [
            rules_claims.Verdict(words, "", "", "", verdict, "", key=key)
            for key, words, verdict in rows
        ]
        return claims_of([("1c", some)])

    two = ("a", "SiLU: a", HOLDS), ("a", "ReLU: a", FAILS)
    found = changes(claims(*two, ("b", "b", HOLDS)), claims(*two, ("b", "b in new words", FAILS)))
    assert (found.agree, found.flipped) == (2, [("1c", "b in new words", HOLDS, FAILS)])
    # One activation is missing: which one is not known.
    assert changes(claims(*two), claims(two[1])) == changes({}, {})


def test_another_root_seed_moves_every_training():
    one, several = ml.Sweep(widths=(2, 3), seeds=4), ml.Sweep(root_seeds=(0, 1, 2), seeds=4)
    assert reseeded(one, 0) is one
    assert [c.root_seed for c in reseeded(one, 3).configs] == [3, 3]
    assert [c.root_seed for c in reseeded(several, 1).configs] == [3, 4, 5]
    moved = [dataclasses.replace(c, root_seed=0) for c in reseeded(one, 3).configs]
    assert moved == list(one.configs)


def test_a_report_is_compared_with_another_root_seed(tmp_path, capsys):
    words = ["reproduce", "--figures", "2b", "--seeds", "64", "--quick", "--quiet"]
    words += ["--runs", str(tmp_path / "runs")]
    assert main([*words, "--out", str(tmp_path / "a")]) == 0
    capsys.readouterr()
    again = ["--out", str(tmp_path / "b"), "--root-seed", "1", "--compare", str(tmp_path / "a")]
    assert main([*words, *again]) == 0
    assert "claims that both reports decide have the same verdict" in capsys.readouterr().out
    one, other = (
        json.loads((tmp_path / name / "report.json").read_text(encoding="utf-8")) for name in "ab"
    )
    assert "root seed 0" in one["provenance"]["seeds"]
    assert "root seed 1" in other["provenance"]["seeds"]
    assert one["figures"][0]["claims"] != other["figures"][0]["claims"]
    assert recorded(tmp_path / "a") == recorded(tmp_path / "a" / "report.json")
    page = (tmp_path / "b" / "index.html").read_text(encoding="utf-8")
    assert "How often each verdict is given" in page
    assert "claims that both reports decide" in page


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--root-seed", "-1"], "root_seed=-1 is out of range"),
        (["--compare", "missing"], "cannot read 'missing'"),
        (["--compare", "setup.cfg"], "'setup.cfg' is no report.json; name a report's folder"),
        (["--compare", "deep.json"], "'deep.json' is no report.json; name a report's folder"),
        (["--compare", "~/missing"], "cannot read '/elsewhere/missing'"),
        (["--compare", "x" * 256], "longer than file systems take"),
    ],
)
def test_a_comparison_with_nothing_is_refused(words, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/elsewhere")
    (tmp_path / "setup.cfg").write_text("x")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    assert main(["reproduce", *words]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("word", ["abc", "-1", "0", "1", "1.5", ""])
def test_a_wrong_version_is_refused_in_one_line(word, capsys):
    before = frozen.frozen()
    assert frozen.main([word]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ConfigError: version")
    assert said.count("\n") == 1
    assert frozen.frozen() == before
