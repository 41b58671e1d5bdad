"""Which bar shows the progress: of widgets in a notebook that has them, else of text."""

import sys
from types import SimpleNamespace

import pytest

from minilotto.training.progress import tqdm_here

SHELLS = {
    name: type(name, (), {})() for name in ("ZMQInteractiveShell", "TerminalInteractiveShell")
}


@pytest.mark.parametrize("shell", [*SHELLS.values(), None])
@pytest.mark.parametrize("widgets", [SimpleNamespace(), None])
def test_the_bar_fits_the_place(shell, widgets, monkeypatch, recwarn):
    from tqdm import tqdm
    from tqdm.std import tqdm as plain

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "ipywidgets", widgets)  # None: its import fails
    auto = SimpleNamespace(tqdm=type("auto", (tqdm,), {}))
    monkeypatch.setitem(sys.modules, "tqdm.auto", auto)
    notebook = type(shell).__name__ == "ZMQInteractiveShell" and widgets is not None
    assert tqdm_here() is (auto.tqdm if notebook else plain)
    assert not recwarn.list


def test_without_ipython_the_bar_is_text(monkeypatch):
    from tqdm.std import tqdm as plain

    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert tqdm_here() is plain
    assert "IPython" not in sys.modules
