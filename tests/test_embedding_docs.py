"""The examples run and draw, and every Python block of docs/embedding.md runs."""

import re
from pathlib import Path

import numpy as np
import pytest

import minilotto as ml

ROOT = Path(ml.__file__).resolve().parent.parent
EXAMPLES = ("one_net", "own_data", "scaling_law", "tickets", "optimisers", "numba_loop", "c_and_fortran")
pytestmark = pytest.mark.skipif(not (ROOT / "examples" / "one_net.py").exists(), reason="only a source tree has examples and docs")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_and_draws(python, tmp_path, name):
    done = python("-W", "error", str(ROOT / "examples" / f"{name}.py"), "picture.png", timeout=300, OPENBLAS_NUM_THREADS="1")
    assert done.status == 0, done.err
    if "skipped: no C compiler" in done.out:
        pytest.skip("no C compiler (cc) is installed")
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_the_blocks_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
    blocks, names = re.findall(r"```python\n(.*?)```", text, re.DOTALL), {}
    assert len(blocks) >= 5
    for block in blocks:
        exec(compile(block, "embedding.md", "exec"), names)
    assert (tmp_path / "ticket.c").exists()
    assert np.isfinite(names["loss"])


def test_the_page_names_every_function_of_single():
    from minilotto.kernels import single

    text = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
    assert [name for name in single.__all__ if name not in text and name != "Form"] == []


def test_the_timings_run_and_a_missed_bound_is_told(monkeypatch, capsys):
    from bench import embedding

    monkeypatch.setattr(embedding, "ROUNDS", 3)
    monkeypatch.setattr(embedding, "MOST_OF_OWN_TIME", 1e9)
    monkeypatch.setattr(embedding, "LEAST_SPEEDUP", 1.0)
    assert embedding.main() == 0
    assert "MISSED" not in capsys.readouterr().out
    monkeypatch.setattr(embedding, "callbacks", lambda width: [])
    monkeypatch.setattr(embedding, "MOST_OF_OWN_TIME", 0.0)
    assert embedding.main() == 1
    assert capsys.readouterr().out.count("MISSED") == 12
