"""Legends get out of the way of what is drawn, and pictures get small."""

import io

import numpy as np
import pytest
from PIL import Image

from minilotto.report.plots.style import grid, hidden, lay_out, save, style, thumbnail


def _drawn(kind, place, log):
    figure, ((ax,),) = grid(1, 1, 3.0, 2.5)
    x = np.linspace(1, 10, 40)
    for k in range(4):
        if kind == "lines":
            ax.plot(x, x * (k + 1), label=f"line {k}")
        elif kind == "marks":
            ax.plot(x, 10 * np.sin(x * (k + 1)) ** 2 + 0.1, "o", label=f"marks {k}")
        elif kind == "bars":
            ax.bar(x + 0.2 * k, x[::-1], 0.2, label=f"bars {k}")
        elif kind == "intervals":
            ax.errorbar(x, x, x / 2, linestyle="none", label=f"intervals {k}")
        else:
            ax.annotate("words", (k * 3, k * 3))
            ax.plot(x, x, label=f"words {k}")
    if log:
        ax.set(xscale="log", yscale="log")
    ax.legend(loc=place)
    return figure, ax


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("place", ["upper left", "upper right", "lower left", "center"])
@pytest.mark.parametrize("kind", ["lines", "marks", "bars", "intervals", "words"])
def test_a_legend_covers_nothing(kind, place, log):
    with style():
        figure, ax = _drawn(kind, place, log)
        lay_out(figure)
        assert not hidden(ax)


def test_a_legend_in_the_way_is_seen_and_a_line_across_is_not():
    with style():
        figure, ax = _drawn("lines", "upper right", False)
        figure.draw_without_rendering()
        assert hidden(ax)
        figure, ((ax,),) = grid(1, 1, 3.0, 2.5)
        ax.axhline(0.9)
        ax.axvspan(0.5, 1.0)
        ax.plot([0, 1], [0, 0], label="line")
        ax.set_ylim(-1, 1)
        ax.legend(loc="upper right")
        figure.draw_without_rendering()
        assert not hidden(ax)


def test_a_small_picture_is_as_wide_as_asked(tmp_path):
    figure, _ = grid(1, 1, 3.0, 1.5)
    with (tmp_path / "a.png").open("wb") as file:
        save(figure, file, ".png")
    small = Image.open(io.BytesIO(thumbnail(tmp_path / "a.png", 100)))
    assert small.size == (100, 50)
