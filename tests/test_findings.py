"""docs/findings.md says what docs/findings.json does, and that what a report does."""

import importlib.util
import json
from pathlib import Path

import pytest

import minilotto as ml

DOCS = Path(ml.__file__).resolve().parent.parent / "docs"
pytestmark = pytest.mark.skipif(
    not (DOCS / "findings.py").exists(), reason="only a source tree has the pages"
)


@pytest.fixture(scope="module")
def findings():
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("findings", DOCS / "findings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def content():
    return json.loads((DOCS / "findings.json").read_text(encoding="utf-8"))


def test_the_page_is_what_its_numbers_say(findings, content):
    assert (DOCS / "findings.md").read_text(encoding="utf-8") == findings.page(content)


def test_the_readme_says_what_its_numbers_say(findings, content):
    text = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert findings.readme(text, content) == text
    content["figures"]["protocol"]["headline"] = "Another; from 0.5 (0 to 1) to 1.5 (1 to 2); more."
    other = " ".join(findings.readme(text, content).split())
    assert "Another; over those tried it runs from 0.5 to 1.5.**" in other


def test_each_study_has_its_section_and_one_that_was_not_made_leaves_nothing(findings, content):
    figures = content["figures"]
    page = " ".join(findings.page(content).split())
    assert [n for n in findings.NEW if figures[n]["headline"] not in page] == []
    del figures["depth"], figures["4"]
    less = " ".join(findings.page(content).split())
    for words in ("### Loss against depth", "models as 1/L", "two layers of a net", "*Figure 4."):
        assert words in page
        assert words not in less


def test_every_claim_of_the_paper_and_every_decided_hypothesis_is_on_the_page(findings, content):
    page = " ".join(findings.page(content).split())
    for name, figure in content["figures"].items():
        for claim in figure["claims"].values():
            decided = claim["verdict"] in ("holds", "holds in part", "fails")
            assert (claim["claim"] in page) >= (decided or name not in findings.NEW)


def test_another_number_or_verdict_makes_another_page(findings, content):
    page = findings.page(content)
    claim = content["figures"]["1c"]["claims"]["silu"]
    for change in ({"numbers": {**claim["numbers"], "exponent": 7.77}}, {"verdict": "fails"}):
        content["figures"]["1c"]["claims"]["silu"] = {**claim, **change}
        assert findings.page(content) != page


def test_the_numbers_are_those_of_the_report_that_is_there(findings, content):
    report = DOCS.parent / "report" / "report.json"
    if not report.exists():
        pytest.skip("no report has been made in this folder")
    found = findings.taken(json.loads(report.read_text(encoding="utf-8")))
    for name, figure in found["figures"].items():
        if figure["warning"] == content["figures"].get(name, {}).get("warning"):
            assert figure == content["figures"][name]


def test_a_folder_without_a_report_is_refused_in_one_line(findings, tmp_path, capsys):
    before = {path: path.read_bytes() for path in DOCS.glob("findings*")}
    assert findings.main("") == findings.main(str(tmp_path), str(tmp_path), "more") == 2
    assert capsys.readouterr().err.count("\n") == 2
    for text in (None, "{}", "no JSON"):
        if text is not None:
            (tmp_path / "report.json").write_text(text)
        assert findings.main(str(tmp_path)) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert {path: path.read_bytes() for path in DOCS.glob("findings*")} == before
