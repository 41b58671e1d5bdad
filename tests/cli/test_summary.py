"""What a person reads and sees after a training: the summary, the peaks, the picture."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy import ndimage, signal

import minilotto as ml
from minilotto.analysis.stats.losses import gaussian, peaks, positive, summits_of
from minilotto.cli.summary import summary
from minilotto.ensemble import plots
from minilotto.report.plots import style
from minilotto.report.training import SUFFIXES, training_figure

HEADERS = {".png": b"\x89PNG\r\n\x1a\n", ".pdf": b"%PDF-", ".svg": b"<?xml"}
NAN = np.nan


def histogram(text: str) -> list[tuple[float, float, int, str]]:
    """(low, high, count, bar and note) of each line of a summary's histogram."""
    rows = re.findall(r"^ *(-?[\d.]+)\.\. *(-?[\d.]+) +(\d+) (.*)$", text, re.MULTILINE)
    return [(float(low), float(high), int(count), rest) for low, high, count, rest in rows]


# Summary
def test_the_summary_says_what_was_trained(constructed):
    config = ml.Config(
        width=3,
        steps=100,
        activation="relu",
        task="product2",
        points=49,
        sampling="uniform",
        dtype="float64",
    )
    text = summary(constructed([1e-3, 2e-3], config=config))
    assert (
        text.splitlines()[0]
        == "2 nets of width 3, relu, task product2, 100 steps, 49 points (uniform), float64"
    )
    assert text.splitlines()[1] == "2 ok, 0 diverged"
    assert (
        summary(constructed([1e-3, 2e-3], config=config.replace(noise=0.05)))
        .splitlines()[0]
        .endswith("float64, noise 0.05")
    )


def test_the_summary_has_the_quantiles_and_who_was_best_and_worst(constructed):
    losses = np.arange(101) / 1000 + 0.001
    text = summary(constructed(np.random.default_rng(1).permutation(losses), seeds=None))
    assert "5% 0.006   25% 0.026   median 0.051   75% 0.076   95% 0.096" in text
    text = summary(constructed([0.5, 0.25, NAN, 0.125, 0.75], seeds=[11, 7, 5, 3, 2]))
    assert "best 0.125 (seed 3)   worst 0.75 (seed 2)" in text
    assert "median 0.375" in text
    assert "4 ok, 1 diverged" in text


def test_the_summary_names_each_peak_and_its_share(constructed):
    random = np.random.default_rng(2)
    text = summary(
        constructed(
            10 ** np.concatenate([random.normal(-6, 0.1, 300), random.normal(-2, 0.1, 100)])
        )
    )
    found = re.findall(r"peak at (\S+): ([\d.]+)%", text)
    assert [float(share) for _, share in found] == [75.0, 25.0]
    assert [round(np.log10(float(place)), 1) for place, _ in found] == pytest.approx(
        [-6, -2], abs=0.11
    )
    for low, high, _, rest in histogram(text):
        for place in re.findall(r"peak at ([^:]+):", rest):
            assert low - 0.05 <= np.log10(float(place)) <= high + 0.05


@given(st.lists(st.floats(-300, 300), min_size=1, max_size=60))
def test_the_histogram_counts_every_net_once(constructed, exponents):
    text = summary(constructed(10.0 ** np.array(exponents)))
    rows = histogram(text)
    assert sum(count for _, _, count, _ in rows) == len(exponents)
    assert 1 <= len(rows) <= 26
    for low, high, count, rest in rows:
        within = sum(low - 0.01 <= exponent <= high + 0.01 for exponent in exponents)
        assert count <= within
        assert ("#" in rest) == (count > 0)
    assert max(rest.count("#") for *_, rest in rows) == 40
    shares = [float(share) for share in re.findall(r"peak at \S+: ([\d.]+)%", text)]
    assert sum(shares) == pytest.approx(100, abs=0.05 * len(shares) + 1e-9)


def test_losses_of_zero_are_counted_and_kept_out_of_the_logarithms(constructed):
    text = summary(constructed([0.0, 1e-3, 0.0, 1e-3]))
    assert "2 nets have loss zero" in text
    assert sum(count for *_, count, _ in histogram(text)) == 2
    assert "best 0 (seed 0)" in text
    text = summary(constructed([0.0, 0.0]))
    assert "2 nets have loss zero" in text
    assert histogram(text) == []
    assert "loss zero" not in summary(constructed([1e-3]))


def test_a_net_alone(constructed):
    text = summary(constructed([2e-3], seeds=[41]))
    assert "best 0.002 (seed 41)   worst 0.002 (seed 41)" in text
    assert [count for *_, count, _ in histogram(text)] == [1]
    assert "peak at 0.002: 100.0%" in text


def test_all_diverged(constructed):
    text = summary(constructed([NAN, NAN, NAN]))
    assert "0 ok, 3 diverged" in text
    assert "nan" not in text
    assert "best" not in text
    assert histogram(text) == []


def test_no_net_at_all(constructed):
    text = summary(constructed([1e-3]).select([]))
    assert "0 ok, 0 diverged" in text
    assert histogram(text) == []


def test_a_partial_result_is_said_to_be_one(constructed):
    assert "PARTIAL: interrupted, 2 of 9 seeds are done" in summary(
        constructed([1e-3, 2e-3], requested=9)
    )
    assert "PARTIAL" not in summary(constructed([1e-3, 2e-3]))


def test_the_speed_is_nets_times_neurons_times_points_times_steps_over_the_seconds_of_training(
    constructed,
):
    # 3 nets x 2 neurons x 100 points x 100 steps in 5 s, of which 1 s was compilation
    text = summary(constructed([1e-3] * 3))
    assert "1.5e+04 units/s" in text
    assert "2 threads" in text


def test_nets_of_unknown_origin_have_a_summary(constructed):
    # A file of another version may record less; what is known is still printed.
    text = summary(constructed([1e-3], provenance={}))
    assert "best 0.001 (seed 0)" in text


def test_every_kind_of_training_has_a_summary():
    for backend in ("auto", "reference"):
        nets = ml.train(ml.Config(width=1, steps=5), seeds=3, backend=backend)
        assert summary(nets).startswith("3 nets of width 1")
    data = np.linspace(-1, 1, 7), np.zeros(7)
    assert "task custom, 5 steps, 7 points (custom)" in summary(
        ml.train(ml.Config(width=1, steps=5), seeds=3, data=data)
    )


# Peaks
MIXTURES = {
    "one": [(-3.0, 0.1, 1.0)],
    "two": [(-7.0, 0.1, 0.3), (-4.0, 0.1, 0.7)],
    "three": [(-7.0, 0.05, 0.2), (-5.0, 0.1, 0.5), (-1.0, 0.2, 0.3)],
    "near": [(-5.0, 0.08, 0.5), (-4.4, 0.08, 0.5)],
    "rare": [(-9.0, 0.1, 0.05), (-2.0, 0.1, 0.95)],
    "high": [(2.0, 0.1, 0.5), (9.0, 0.1, 0.5)],
}


@pytest.mark.parametrize("mixture", MIXTURES)
def test_peaks_recover_a_planted_mixture(mixture):
    total, random = 20_000, np.random.default_rng(5)
    parts = [
        random.normal(place, spread, round(share * total))
        for place, spread, share in MIXTURES[mixture]
    ]
    found = peaks(10 ** random.permutation(np.concatenate(parts)))
    planted = np.array(MIXTURES[mixture])
    assert len(found) == len(planted)
    # A bin is 0.02 decades wide, and the top of a smoothed peak of some hundred nets a bin moves by
    # some bins.
    np.testing.assert_allclose(np.log10(found.location), planted[:, 0], atol=0.05)
    np.testing.assert_allclose(found.share, planted[:, 2], atol=0.002)
    for i, part in enumerate(parts):
        if mixture != "near":  # there the parts overlap
            np.testing.assert_allclose(
                [np.log10(found.low[i]), np.log10(found.high[i])],
                [part.min(), part.max()],
                rtol=1e-12,
            )


def test_two_heaps_closer_than_the_smoothing_are_one_peak():
    assert len(peaks(np.array([1.00e-3] * 10 + [1.05e-3] * 10))) == 1
    assert len(peaks(np.array([1e-3] * 10 + [3e-3] * 10))) == 2


def test_a_bump_below_two_percent_of_the_highest_peak_is_none():
    assert len(peaks(np.array([1e-3] * 1000 + [1e-1] * 10))) == 1
    assert len(peaks(np.array([1e-3] * 1000 + [1e-1] * 30))) == 2


@given(st.lists(st.floats(-307, 307), min_size=1, max_size=80))
def test_peaks_share_out_all_losses_in_order(exponents):
    losses = 10.0 ** np.array(exponents)
    found = peaks(losses)
    assert len(found) >= 1
    assert found.share.sum() == pytest.approx(1, rel=1e-12)
    assert (found.share >= 0).all()
    assert (np.diff(found.location) > 0).all()
    assert (found.low <= found.high).all()
    assert found.low[0] == losses.min()
    assert found.high[-1] == losses.max()
    np.testing.assert_array_equal(found.location, peaks(losses[::-1]).location)


@pytest.mark.parametrize("kind", ["counts", "few heights", "flat", "losses", "one", "short"])
def test_peaks_are_found_as_scipy_finds_them(kind):
    """Bit for bit, ties and stretches of one height included."""
    random = np.random.default_rng(3)
    for _ in range(20):
        counts = {
            "counts": random.poisson(2.0, 300),
            "few heights": random.integers(0, 3, 200),
            "flat": np.zeros(40),
            "losses": np.histogram(random.normal(size=200), 90)[0],
            "one": np.eye(31)[15] * 7,
            "short": random.integers(0, 3, random.integers(1, 5)),
        }[kind].astype(float)
        for width in (1.0, 3.0):
            smooth = gaussian(counts, width)
            np.testing.assert_array_equal(
                smooth, ndimage.gaussian_filter1d(counts, width, mode="constant")
            )
            for density in (counts, smooth):
                for least in (0.0, 0.02, 0.3):
                    found, _ = signal.find_peaks(density, prominence=least * density.max())
                    np.testing.assert_array_equal(summits_of(density, least * density.max()), found)


def test_peaks_leave_out_what_has_no_logarithm():
    losses = np.array([1e-6] * 6 + [1e-3] * 2)
    polluted = np.concatenate([losses, [0.0, NAN, np.inf, NAN]])
    ours, clean = peaks(polluted), peaks(losses)
    assert ours.share.tolist() == clean.share.tolist() == [0.75, 0.25]
    np.testing.assert_array_equal(ours.location, clean.location)
    assert positive(polluted).tolist() == losses.tolist()


@pytest.mark.parametrize("losses", [[], [0.0], [NAN, NAN], [np.inf, 0.0, -1.0]])
def test_peaks_refuse_losses_of_which_none_is_left(losses):
    with pytest.raises(ml.DataError, match=f"none of {len(losses)} losses is finite and above 0"):
        peaks(np.array(losses))


# The picture
@pytest.fixture
def drawn(monkeypatch):
    """The axes of every figure that is made."""
    axes, real = [], style.panels

    def recorded(*arguments, **options):
        figure, panels = real(*arguments, **options)
        axes.extend(panels)
        return figure, panels

    monkeypatch.setattr(style, "panels", recorded)
    return axes


PICTURED = {
    "many": lambda make: make(10 ** np.random.default_rng(3).normal(-4, 1, 200)),
    "one": lambda make: make([1e-3]),
    "equal": lambda make: make([1e-3] * 5),
    "some diverged": lambda make: make([1e-3, NAN, 1e-5, NAN]),
    "some exact": lambda make: make([1e-3, 0.0, 1e-5]),
    "partial": lambda make: make([1e-3, 1e-4], requested=10),
    "far apart": lambda make: make([1e-12, 1e3]),
    "trained": lambda make: ml.train(ml.Config(width=1, steps=5), seeds=3),
    "one step": lambda make: ml.train(ml.Config(width=1, steps=1), seeds=3),
    "given data": lambda make: ml.train(
        ml.Config(width=1, steps=5), seeds=3, data=(np.linspace(-1, 1, 7), np.zeros(7))
    ),
}


@pytest.mark.parametrize("kind", PICTURED)
def test_a_picture_is_drawn_with_every_axis_labelled(kind, constructed, drawn, tmp_path):
    training_figure(PICTURED[kind](constructed), tmp_path / "nets.png")
    assert (tmp_path / "nets.png").read_bytes().startswith(HEADERS[".png"])
    assert [path.name for path in tmp_path.iterdir()] == ["nets.png"]
    left, right = drawn
    assert left.get_xlabel() == "Adam step"
    assert "loss" in left.get_ylabel()
    assert "nets" in right.get_xlabel()
    assert left.get_yscale() == right.get_yscale() == "log"
    assert left.get_ylim() == right.get_ylim()  # one loss axis for both
    for axes in drawn:
        assert axes.get_title(loc="left")
        assert axes.get_legend() is not None


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pictures_are_whole_and_the_same_each_time(suffix, constructed, tmp_path):
    nets = constructed(10 ** np.random.default_rng(3).normal(-4, 1, 50))
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    training_figure(nets, first)
    training_figure(nets, second)
    assert first.read_bytes().startswith(HEADERS[suffix])
    assert len(first.read_bytes()) > 5000
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("losses", [[NAN, NAN], [0.0, 0.0], [NAN, 0.0]])
def test_a_picture_of_nothing_is_refused(losses, constructed, tmp_path):
    with pytest.raises(ml.DataError, match="nothing to draw"):
        training_figure(constructed(losses), tmp_path / "nets.png")
    assert list(tmp_path.iterdir()) == []


def test_drawing_leaves_matplotlibs_settings_alone(constructed, tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    training_figure(constructed([1e-3]), tmp_path / "nets.svg")
    assert dict(matplotlib.rcParams) == before


def test_the_history_shows_median_and_bands():
    ax = Figure().add_subplot()
    steps, loss = (
        np.array([0, 10, 100]),
        np.array([[1.0, 2, 3, 4, 5], [0.1, 0.2, 0.3, 0.4, 0.5], [0.01, 0.02, 0.03, 0.04, 0.05]]),
    )
    assert plots.loss_history(steps, loss, ax) is ax
    (median,) = ax.get_lines()
    np.testing.assert_allclose(median.get_xdata(), steps)
    np.testing.assert_allclose(median.get_ydata(), [3, 0.3, 0.03], rtol=1e-15)
    wide, narrow = (band.get_paths()[0].vertices for band in ax.collections)
    assert (wide[:, 1].max(), narrow[:, 1].max()) == pytest.approx(
        (4.8, 4.0), rel=1e-12
    )  # quantiles 95 % and 75 % at step 0
    assert (wide[:, 1].min(), narrow[:, 1].min()) == pytest.approx(
        (0.012, 0.02), rel=1e-12
    )  # 5 % and 25 % at step 100
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "90% of seeds",
        "50% of seeds",
        "median",
    ]


def test_the_histogram_holds_every_positive_loss():
    ax = Figure().add_subplot()
    losses = np.array([1e-3, 1.01e-3, 2e-3, 5e-1, 0.0, NAN])
    assert plots.loss_histogram(losses, ax) is ax
    bars = {
        round(np.log10(bar.get_y()), 2): bar.get_width() for bar in ax.patches if bar.get_width()
    }
    assert bars == {-3.0: 2, -2.7: 1, -0.35: 1}
    (line,) = ax.get_lines()
    assert line.get_ydata()[0] == pytest.approx(np.median(losses[:4]), rel=1e-12)


def test_a_population_has_infinitely_many_points():
    nets = ml.train(ml.Config(width=2, steps=9, sampling="population"), 3, threads=1)
    text = summary(nets)
    assert ", 9 steps, infinitely many points (population), float32\n" in text
    assert f"one neuron at one of {nets.data.points} points in one step" in text
