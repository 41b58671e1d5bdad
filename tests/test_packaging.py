"""What is said of the package in several places is the same."""

import configparser
import re
from pathlib import Path

import pytest

import minilotto as ml

ROOT = Path(ml.__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(
    not (ROOT / "CITATION.cff").exists(), reason="only a source tree has these files"
)
CONDA = {"matplotlib-base": "matplotlib", "python-fire": "fire"}  # other names there


def setup():
    found = configparser.ConfigParser()
    found.read(ROOT / "setup.cfg", encoding="utf-8")
    return found


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_is_one():
    assert setup()["metadata"]["version"] == "attr: minilotto.version.VERSION"
    for name in ("CITATION.cff", "docs/packaging/recipe.yaml"):
        assert re.findall(r"^ *version: \"?([\d.]+)", text_of(name), re.MULTILINE) == [
            ml.__version__
        ]
    assert ml.__version__ in text_of("CHANGELOG.md")


def test_the_citation_has_its_date():
    assert re.search(r"^date-released: \d{4}-\d\d-\d\d$", text_of("CITATION.cff"), re.MULTILINE)


def test_the_recipe_of_conda_asks_for_what_the_wheel_asks_for():
    wanted = setup()["options"]["install_requires"].split(";")[0].split()
    run = text_of("docs/packaging/recipe.yaml").partition("  run:\n")[2].partition("\n\n")[0]
    asked = [line.strip("- ").split() for line in run.splitlines() if "python >=" not in line]
    assert {CONDA.get(name, name) + bounds for name, bounds in asked} == set(wanted)


def test_the_command_is_the_function():
    from minilotto.__main__ import main

    assert callable(main)
    scripts = setup()["options.entry_points"]["console_scripts"].split()
    assert scripts == ["minilotto", "=", "minilotto.__main__:main"]
    assert "minilotto = minilotto.__main__:main" in text_of("docs/packaging/recipe.yaml")


def test_the_paper_cites_what_its_bibliography_has():
    cited = set(re.findall(r"@(\w+)", text_of("docs/paper/paper.md").partition("# Summary")[2]))
    entries = re.findall(r"^@\w+\{(\w+),", text_of("docs/paper/paper.bib"), re.MULTILINE)
    assert cited == set(entries)
    assert len(entries) == len(set(entries))


def test_the_changelog_has_the_form():
    parts = re.findall(r"^##+ (.*)$", text_of("CHANGELOG.md"), re.MULTILINE)
    assert parts[0] == "[Unreleased]"
    known = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert {part for part in parts if not re.match(r"\[", part)} <= known
