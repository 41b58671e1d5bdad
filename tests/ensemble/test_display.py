"""What nets, configs, stores and results show in a notebook, and their pictures."""

import dataclasses
import time
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import minilotto as ml
from minilotto.analysis.stats.bootstrap import points
from minilotto.analysis.stats.scaling import fit_law
from minilotto.analysis.tickets.tickets import pair_neurons
from minilotto.ensemble.plots import KINDS, MOST, loss_histogram
from minilotto.settings.display import LONGEST, histogram, panel, words_of

NAN = np.nan


class Reader(HTMLParser):
    """Checks that each element is closed, and collects text and names of elements."""

    def __init__(self, text):
        super().__init__()
        self.open, self.names, self.text = [], set(), ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.names.add(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.names.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def shown(value):
    reader = Reader(value._repr_html_())
    assert not reader.names & {"script", "iframe", "link", "img", "style"}
    return reader


@pytest.fixture(scope="module")
def nets():
    return ml.train(ml.Config(width=3, steps=200), seeds=20)


def test_nets_show_a_table_and_a_histogram(nets):
    found = shown(nets)
    assert {"table", "svg", "rect"} <= found.names
    assert "width=3, activation=silu, task=square, steps=200" in found.text
    assert f"{nets.loss.min():.3g} to {nets.loss.max():.3g}" in found.text


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([NAN] * 3, "3, 3 of them diverged"),
        ([], "0, 0 of them diverged"),
        ([0.0] * 9, "0 to 0"),
        ([1e-300, 1e300, NAN] * 9, "27, 9 of them diverged"),
        ([5e-324, 1.0] * 5, "4.94e-324 to 1"),
        ([1e-5] * 9, "1e-05 to 1e-05"),
    ],
)
def test_any_losses_are_shown(constructed, losses, words):
    assert words in shown(constructed(losses)).text


def test_interrupted_nets_say_so(constructed):
    assert "interrupted, 9 were requested" in shown(constructed([0.1, 0.2], requested=9)).text


def test_a_config_shows_what_is_not_a_default_first():
    text = shown(ml.Config(width=7, lr=0.5)).text
    first, _, rest = text.partition(" defaults")
    assert "lr0.5" in first
    assert "beta10.9" in rest


def test_a_config_is_written_as_what_makes_it():
    for config in (ml.Config(), ml.Config(width=7, schedule="cosine", lr=0.5)):
        assert eval(repr(config), {"Config": ml.Config}) == config
    assert repr(ml.Config(lr=0.5)) == "Config(width=20, lr=0.5)"


def test_a_store_shows_its_configs(tmp_path):
    store = ml.sweep(ml.Sweep(widths=(1, 2), steps=5, seeds=3), out=tmp_path / "<b>&runs")
    text = shown(store).text
    assert "<b>&runs" in text
    assert text.count("3 nets") == 2
    damaged = next((tmp_path / "<b>&runs").rglob("*.npz"))
    damaged.write_bytes(b"no block")
    assert "Error" in shown(ml.open_store(tmp_path / "<b>&runs")).text


def test_results_of_analyses_show_their_fields(nets):
    found = points([2, 3, 4], [nets.loss, nets.loss / 2, nets.loss / 4])
    assert "statistic" in shown(found).text
    fit = fit_law(found)
    for text in (shown(fit).text, repr(fit)):  # a terminal too shows no array of replicates
        assert f"exponent: {fit.estimates['exponent']}" in text
        assert len(text) < 2000
    assert "distance" in shown(pair_neurons(nets.w, nets.b)).text


@dataclasses.dataclass(frozen=True)
class Odd:
    """Values whose text is hostile."""

    text: str = "<script>alert(1)</script>"

    def __repr__(self):
        return "</table>" * 100


@pytest.mark.parametrize(
    "value", [Odd(), "<img src=x>", ["<b>"] * 99, {"<a>": "&"}, np.array(["<i>"] * 9), 1e-300, None]
)
def test_values_are_escaped_and_short(value):
    reader = Reader(panel("<title>", [("<name>", value)]))
    assert reader.names == {"div", "strong", "table", "tr", "th", "td"}
    assert len(words_of(value)) <= LONGEST


@pytest.mark.parametrize("values", [[], [1.0] * 99, [NAN] * 99, [1.0, 2.0], [1e308, -1e308] * 9])
def test_what_has_no_spread_has_no_histogram(values):
    assert histogram(np.array(values), "x") == ""


def test_a_histogram_counts_every_finite_value():
    text = histogram(np.concatenate([np.linspace(1, 2, 300), [NAN, np.inf]]), "<x>")
    assert text.count("<rect") == 30
    assert "&lt;x&gt;" in text


def test_a_million_nets_are_shown_at_once(constructed):
    nets = constructed(10 ** np.random.default_rng(0).normal(-4, 1, 10**6))
    began = time.process_time()
    assert len(nets._repr_html_()) < 10_000
    assert time.process_time() - began < 2


# Pictures
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_drawn_on_axes(nets, kind):
    ax = Figure().add_subplot()
    assert nets.plot(kind, ax) is ax
    assert ax.has_data()
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_without_axes_new_ones_are_made(nets):
    from matplotlib import pyplot

    with pyplot.rc_context({"backend": "agg"}):
        ax = nets.plot()
    assert isinstance(ax, Axes)
    pyplot.close(ax.figure)


@pytest.mark.parametrize("kind", KINDS)
def test_one_net_and_diverged_ones_are_drawn(constructed, kind):
    for losses in ([1e-3], [NAN, 1e-3, 0.2], [1e-3] * 3):
        assert constructed(losses).plot(kind, Figure().add_subplot()).has_data()


def overlapping(axis, limits):
    """Whether numbers that an axis shows between its limits overlap."""
    ticks = [tick.label1 for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())]
    shown = [
        one for one in ticks if one.get_text() and limits[0] <= one.get_position()[0] <= limits[1]
    ]
    assert len(shown) >= 1
    spans = sorted((box.x0, box.x1) for box in (one.get_window_extent() for one in shown))
    return any(end >= start for (_, end), (start, _) in pairwise(spans))


@pytest.mark.parametrize("decades", [0.02, 0.3, 0.7, 1.1, 1.9, 5.0])
def test_numbers_of_a_picture_of_losses_do_not_overlap_and_nets_are_whole(constructed, decades):
    figure = Figure(figsize=(6, 4), layout="constrained")
    nets = constructed(10 ** np.linspace(-2.6, -2.6 + decades, 10))
    ax = nets.plot("losses", figure.subplots())
    FigureCanvasAgg(figure).draw()
    assert not overlapping(ax.xaxis, ax.get_xlim())
    assert (ax.get_yticks() % 1 == 0).all()


@pytest.mark.parametrize("nets", [3, 180, 12_345])
def test_numbers_beside_a_history_do_not_overlap(nets):
    figure = Figure(figsize=(8, 4), layout="constrained")
    _, narrow = figure.subplots(1, 2, width_ratios=(2, 1))
    loss_histogram(np.repeat([1e-4, 1e-3], nets), narrow)
    FigureCanvasAgg(figure).draw()
    assert not overlapping(narrow.xaxis, narrow.get_xlim())
    assert (narrow.get_xticks() % 1 == 0).all()


def test_of_many_nets_few_functions_are_drawn_the_best_among_them(constructed):
    losses = np.linspace(1, 2, 5 * MOST)[::-1].copy()
    ax = constructed(losses).plot("functions", Figure().add_subplot())
    assert len(ax.get_lines()) == MOST + 1
    assert "least loss 1" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_what_cannot_be_drawn_is_refused(nets, constructed):
    with pytest.raises(ml.ConfigError, match="kind='loss' is unknown; choose from losses, "):
        nets.plot("loss")
    with pytest.raises(ml.ConfigError, match="ax is a str; pass"):
        nets.plot(ax="left")
    for losses in ([NAN, NAN], []):
        for kind in KINDS:
            with pytest.raises(ml.DataError, match="nothing to draw"):
                constructed(losses).plot(kind)
    with pytest.raises(ml.DataError, match="no history"):
        nets.with_parameters(nets.parameters).plot("history")
    two = ml.train(ml.Config(width=2, task="product2", steps=5), seeds=3)
    for kind in ("functions", "neurons"):
        with pytest.raises(ml.DataError, match="nets of 2 inputs have no picture"):
            two.plot(kind)
