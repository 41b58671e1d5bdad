"""The cells of the notebooks run, in order, with warnings as errors."""

import re
import time
from pathlib import Path

import pytest

import minilotto as ml

NOTEBOOKS = Path(ml.__file__).resolve().parent.parent / "docs" / "notebooks"
PAGES = sorted(NOTEBOOKS.glob("*.md"))
CELL = re.compile(r"^```\{code-cell\} ipython3\n(.*?)^```$", re.MULTILINE | re.DOTALL)
pytestmark = pytest.mark.skipif(not PAGES, reason="only a source tree has the notebooks")


def cells_of(page):
    return CELL.findall(page.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_notebook_runs(page, tmp_path, monkeypatch):
    from matplotlib import pyplot

    monkeypatch.chdir(tmp_path)
    names, cells = {}, cells_of(page)
    with pyplot.rc_context({"backend": "agg"}):
        for cell in cells:
            exec(compile(cell, str(page), "exec"), names)
        drawn = len(pyplot.get_fignums())
        pyplot.close("all")
    assert drawn >= 2
    assert len(cells) >= 4


def test_the_first_picture_is_four_cells_and_two_minutes_away():
    from matplotlib import pyplot

    names, began, ran = {}, time.process_time(), 0
    with pyplot.rc_context({"backend": "agg"}):
        for cell in cells_of(NOTEBOOKS / "first.md"):
            cell = cell.replace("width=2)", "width=2, steps=200)")
            exec(compile(cell, "first.md", "exec"), names)
            ran += 1
            if pyplot.get_fignums():
                break
        pyplot.close("all")
    assert ran <= 3  # and one for the installation
    assert time.process_time() - began < 100


def test_what_the_first_notebook_calls_tickets_are_mirror_pairs():
    from minilotto.analysis.tickets.tickets import pair_neurons

    names, page = {}, NOTEBOOKS / "first.md"
    exec(compile(cells_of(page)[0], "first.md", "exec"), names)
    below = float(re.search(r"select\(nets\.loss < (\S+?)\)", page.read_text(encoding="utf-8"))[1])
    tickets = names["nets"].select(names["nets"].loss < below)
    assert len(tickets) > 50
    assert (pair_neurons(tickets.w, tickets.b).distance < 0.1).all()


def test_notebooks_are_text_without_outputs():
    assert len(PAGES) >= 4
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert text.startswith("---\njupytext:")
        assert text.count("```") == 2 * text.count("```{code-cell} ipython3\n")
