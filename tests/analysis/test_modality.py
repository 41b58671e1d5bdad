"""Peaks are proven at the stated chance of error; normality, spread and the dip are what they are
defined as.
"""

import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import minilotto as ml
import minilotto.analysis.stats.modes
from minilotto.analysis.stats.modality import LEAST_P, central_limit, dip_test, normality, spread
from minilotto.analysis.stats.modes import (
    CRITICAL,
    _valleys,
    critical_value,
    excesses,
    modes,
    stretches,
)

pytest.importorskip("diptest")
NAN = float("nan")
ONE_PEAK = {
    "uniform": lambda random, n: random.uniform(size=n),
    "normal": lambda random, n: random.normal(size=n),
    "exponential": lambda random, n: random.exponential(size=n),
    "a peak on a level density": lambda random, n: (
        random.uniform(size=n) * np.where(random.random(n) < 0.475, 0.1, 2)
    ),
    "one value in half of all": lambda random, n: np.where(
        random.random(n) < 0.5, 0.0, random.normal(size=n)
    ),
}
PLANTED = {
    "equal": ((-6.0, -4.0), (0.3, 0.3), (0.5, 0.5)),
    "rare and narrow": ((-6.0, -2.0), (0.02, 0.4), (0.08, 0.92)),
    "four": ((-7.0, -5.5, -4.0, 0.0), (0.05, 0.2, 0.3, 0.1), (0.2, 0.3, 0.3, 0.2)),
}


def mixture(random, seeds, places, deviations, shares):
    part = random.choice(len(shares), seeds, p=shares)
    return 10 ** random.normal(np.array(places)[part], np.array(deviations)[part])


@pytest.mark.parametrize("shape", ONE_PEAK)
def test_one_peak_is_seldom_called_more(shape, monkeypatch):
    """At 5 percent: 300 trials may reject 5 + 3 * 1.26 percent. So with the dip, whose table holds
    for the uniform.
    """
    monkeypatch.setattr(minilotto.analysis.stats.modes, "RESOLUTION", 0.0)
    random, trials = np.random.default_rng(1), 300
    wrong = np.zeros(2)
    for _ in range(trials):
        loss = 10 ** ONE_PEAK[shape](random, 200)
        wrong += modes(loss).count > 1, dip_test(loss).p_value < 0.05
    assert (wrong / trials <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)).all()


@pytest.mark.parametrize("name", PLANTED)
def test_planted_peaks_are_found_in_19_of_20_sets_of_1000(name):
    random, trials, right = np.random.default_rng(2), 60, 0
    places, _, shares = PLANTED[name]
    for _ in range(trials):
        found = modes(mixture(random, 1000, *PLANTED[name]))
        assert found.count <= len(places)
        right += found.count == len(places)
        if found.count == len(places):
            # Peaks of 1000 seeds have shares with standard errors of up to 1.6 percent; some tails
            # lie beyond a valley.
            np.testing.assert_allclose(found.peaks.share, shares, atol=0.08)
            assert (found.peaks.high[:-1] < found.peaks.low[1:]).all()
    assert right / trials >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / trials)


def test_two_values_are_two_peaks_and_rounding_errors_none(monkeypatch):
    random = np.random.default_rng(3)
    rounding = 1 + 1e-9 * random.normal(size=200)
    both = np.repeat([1e-3, 2e-3], 100) * rounding
    assert modes(both).count == 2
    assert modes(both).peaks.share.tolist() == [0.5, 0.5]
    split = 1e-3 * (1 + np.repeat([0, 1e-6], 100)) * rounding
    assert modes(split).count == 1
    monkeypatch.setattr(minilotto.analysis.stats.modes, "RESOLUTION", 0.0)
    assert modes(split).count == 2


@pytest.mark.parametrize("digits", [1, 2, 3])
@pytest.mark.parametrize("shape", ["uniform", "normal", "exponential"])
def test_rounding_proves_no_peaks_and_hides_none(shape, digits):
    """Rounded to significant digits, to decimals, and in log10; atoms stay a peak."""
    random, trials = np.random.default_rng(15), 60

    def rounded(loss):
        return np.array([float(f"{one:.{digits - 1}e}") for one in loss.tolist()])

    wrong = np.zeros(4)
    for _ in range(trials):
        z = ONE_PEAK[shape](random, 300)
        loss = rounded(10 ** (z - 6))
        decimals, logs = np.round(2 + 10 ** (0.3 * z), digits), 10 ** np.round(z, digits)
        wrong += [modes(one).count > 1 for one in (loss, decimals, logs)] + [
            dip_test(loss).p_value < 0.05
        ]
    assert (wrong / trials <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)).all()
    loss = mixture(random, 1000, *PLANTED["equal"])
    assert modes(rounded(loss)).count == 2
    atom = np.append(10 ** random.normal(-3, 0.3, 400), np.full(100, 4.123456789e-6))
    assert modes(atom).count == modes(rounded(atom)).count == 2


@pytest.mark.parametrize("seeds", [30, 400])
def test_critical_values_are_quantiles_of_the_largest_excess(seeds):
    random, draws = np.random.default_rng(4), 1500
    first, last = stretches(seeds)
    ordered = np.sort(random.uniform(size=(draws, seeds)), axis=1)
    largest = np.array([excesses(row, first, last, row[first], row[last]).max() for row in ordered])
    for error in (0.1, 0.05, 0.01):
        # 4 standard errors, and what interpolation between tabulated numbers may add
        assert (
            abs(np.mean(largest > critical_value(seeds, error)) - error)
            < 4 * np.sqrt(error / draws) + 0.1 * error
        )
    assert all(np.diff(CRITICAL[error]).min() > -0.01 for error in (0.1, 0.05, 0.01))


def test_excess_is_the_rank_statistic_less_its_allowance():
    ordered = np.sort(np.random.default_rng(5).normal(size=50)) - 1e3
    first, last = stretches(50)
    found = excesses(ordered, first, last, ordered[first], ordered[last])
    assert {(0, 49), (0, 4), (45, 49)} <= set(zip(first.tolist(), last.tolist(), strict=True))
    for j, k, value in zip(first.tolist(), last.tolist(), found, strict=True):
        u = (ordered[j + 1 : k] - ordered[j]) / (ordered[k] - ordered[j])
        statistic = np.sqrt(3 / len(u)) * np.sum(2 * u - 1)
        wanted = np.sign(statistic) * max(
            abs(statistic) - np.sqrt(2 * np.log(np.e * 50 / (k - j))), 0
        )
        assert value == pytest.approx(wanted, abs=1e-9)


def most_valleys(falls, rises, after=0):
    """By trying every first fall and rise."""
    return max(
        (
            1 + most_valleys(falls, rises, d)
            for a, b in falls
            if a >= after
            for c, d in rises
            if c >= b
        ),
        default=0,
    )


interval = st.tuples(st.integers(0, 10), st.integers(1, 4)).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)


@given(falls=st.lists(interval, max_size=6), rises=st.lists(interval, max_size=6))
def test_as_many_valleys_as_any_choice_gives(falls, rises):
    ends = [
        np.array(sorted(part, key=lambda s: s[1]), dtype=np.intp).reshape(-1, 2)
        for part in (falls, rises)
    ]
    found = _valleys(*ends)
    assert len(found) == most_valleys(falls, rises)
    assert all(b <= c for (_, b), (c, _) in pairwise(found))


@given(st.floats(1e-9, 1e9), st.integers(0, 50))
def test_units_and_order_of_losses_change_nothing(scale, seed):
    random = np.random.default_rng(seed)
    loss = mixture(random, 100, *PLANTED["equal"])
    assert modes(loss).count == modes(random.permutation(loss) * scale).count
    one, two = dip_test(loss), dip_test(random.permutation(loss) * scale)
    assert one.dip == pytest.approx(two.dip, rel=1e-6)


def test_a_dip_is_the_distance_from_the_nearest_unimodal_distribution():
    """Two equal heaps far apart: any unimodal function is a quarter off somewhere; evenly spaced
    values: half a step.
    """
    random = np.random.default_rng(6)
    apart = dip_test(
        10 ** np.concatenate([random.uniform(0, 1e-6, 500), random.uniform(1, 1 + 1e-6, 500)])
    )
    assert apart.dip == pytest.approx(0.25, abs=0.01)
    assert (apart.p_value, apart.bounded) == (LEAST_P, True)
    assert "p below 1e-05" in str(apart)
    even = dip_test(np.geomspace(1, 10, 101))
    assert even.dip == pytest.approx(1 / 202, rel=1e-6)
    assert not even.bounded
    assert even.p_value > 0.99


def test_more_losses_than_the_dips_table_has_raise_no_warning():
    assert dip_test(np.random.default_rng(7).lognormal(size=80_000)).p_value > 0.5


def test_without_diptest_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "diptest", None)
    loss = np.geomspace(1, 10, 40)
    with pytest.raises(ml.MissingExtraError, match=r'pip install -e "\.\[report\]"'):
        dip_test(loss)
    shape = central_limit([10], [loss]).shapes[0]
    assert shape.dip is None
    assert shape.modes.count == 1
    assert 'pip install -e ".[report]"' in shape.note


# Normality
@pytest.mark.parametrize("scale", [1.0, 1e-8])
def test_moments_are_those_of_scipy_at_any_scale(scale):
    z = np.random.default_rng(8).gamma(4, size=300)
    found = normality(10 ** (-6 + scale * z))
    # log10 of a loss holds 16 digits of 6, so of z at least 16 - 8 - 1
    rtol = 1e-12 if scale == 1 else 1e-6
    np.testing.assert_allclose(found.skewness, stats.skew(z, bias=False), rtol=rtol)
    np.testing.assert_allclose(found.kurtosis, stats.kurtosis(z, bias=False), rtol=10 * rtol)
    np.testing.assert_allclose(found.deviation, scale * z.std(ddof=1), rtol=rtol)
    np.testing.assert_allclose(found.p_value, stats.normaltest(z).pvalue, rtol=100 * rtol)


def test_errors_of_moments_are_those_of_a_normal_for_a_normal():
    n = 4000
    found = normality(np.random.default_rng(9).lognormal(size=n))
    assert found.skewness_error == pytest.approx(np.sqrt(6 / n), rel=0.15)
    assert found.kurtosis_error == pytest.approx(np.sqrt(24 / n), rel=0.25)


def test_normality_is_rejected_as_often_as_stated_and_for_what_is_not_normal():
    random, trials = np.random.default_rng(10), 300
    wrong = sum(
        normality(random.lognormal(size=200), resamples=100).p_value < 0.05 for _ in range(trials)
    )
    assert abs(wrong / trials - 0.05) < 3 * np.sqrt(0.05 * 0.95 / trials)
    two = normality(mixture(random, 300, *PLANTED["equal"]))
    assert two.p_value < 1e-6
    assert two.kurtosis + 3 * two.kurtosis_error < 0
    assert normality(np.repeat([1.0, 2.0], 5000)).p_value > 0


# Spread
@pytest.mark.parametrize("statistic", ["deviation", "quartiles"])
def test_spread_is_the_deviation_of_a_normal_and_its_intervals_hold_it(statistic):
    random, trials, held = np.random.default_rng(11), 200, 0
    for trial in range(trials):
        found = spread(
            [5], [10 ** random.normal(-6, 0.3, 200)], statistic, resamples=200, seed=trial
        )
        held += bool(found.low[0] <= 0.3 <= found.high[0])
    assert 0.85 - 0.042 <= held / trials <= 0.95 + 0.042


def test_quartiles_are_blind_to_stray_nets():
    loss = 10 ** np.random.default_rng(12).normal(-6, 0.2, 1000)
    stray = np.append(loss, np.full(10, 1.5))
    robust, plain = (
        spread([3], [stray], name).value[0] / spread([3], [loss], name).value[0]
        for name in ("quartiles", "deviation")
    )
    assert robust < 1.05
    assert plain > 2


# Against width
def test_central_limit_finds_the_planted_narrowing_and_the_peaks_before_it():
    random = np.random.default_rng(13)
    widths = [2, 4, 10, 20, 40, 80]
    losses = [mixture(random, 500, *PLANTED["equal"]) for _ in range(2)]
    losses += [10 ** random.normal(-7, 0.8 * n**-0.5, 500) for n in widths[2:]]
    found = central_limit(widths, losses)
    assert [shape.modes.count for shape in found.shapes] == [2, 2, 1, 1, 1, 1]
    assert [shape.dip.bounded for shape in found.shapes[:2]] == [True, True]
    assert min(shape.dip.p_value for shape in found.shapes[2:]) > 0.01
    exponent = found.narrowing.estimates["exponent"]
    assert exponent.low < 0.5 < exponent.high
    assert exponent.low > 0.4
    assert found.spread.widths.tolist() == widths[2:]
    assert found.notes == ()


def test_what_central_limit_cannot_test_becomes_a_note():
    good = 10 ** np.random.default_rng(14).normal(size=100)
    losses = [good, good[:12], np.full(50, NAN), np.full(50, 2.0), good / 3]
    found = central_limit([50, 40, 30, 20, 10], losses)
    assert [shape.modes is not None for shape in found.shapes] == [True, False, False, False, True]
    assert found.spread.widths.tolist() == [10, 40, 50]  # 12 seeds do for a spread, not for a shape
    assert found.narrowing is not None
    text = "\n".join(found.notes)
    for said in (
        "width 20: the 50 losses are all 2",
        "width 30: none of 0 losses",
        "width 40: 12 finite",
        "spread: width 30 has 0 finite",
    ):
        assert said in text
    lonely = central_limit([10], [good])
    assert lonely.narrowing is None
    assert "narrowing: 1 widths cannot test a power law" in lonely.notes[0]
    assert central_limit([2], [good]).spread is None


@pytest.mark.parametrize("test", [modes, dip_test, normality])
@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (np.geomspace(1, 2, 29), "29 finite losses above 0 are too few"),
        (np.append(np.geomspace(1, 2, 29), [NAN, 0.0, np.inf]), "at least 30 seeds are needed"),
        (np.full(100, 1e-3), "the 100 losses are all 0.001; identical"),
        (np.full(100, NAN), "none of 100 losses is finite"),
    ],
)
def test_losses_without_a_shape_are_refused(test, loss, said):
    with pytest.raises(ml.DataError, match=said) as caught:
        test(loss)
    assert "\n" not in str(caught.value)


def test_settings_out_of_range_are_refused():
    loss = np.geomspace(1, 2, 100)
    with pytest.raises(
        ml.ConfigError, match=r"error=0\.2 has no critical value; choose from 0\.1, 0\.05, 0\.01"
    ):
        modes(loss, 0.2)
    with pytest.raises(
        ml.ConfigError, match="statistic='range' is unknown; choose from deviation, quartiles"
    ):
        spread([1], [loss], "range")
    with pytest.raises(ml.ConfigError, match="resamples=5"):
        normality(loss, resamples=5)
    with pytest.raises(ml.DataError, match="most losses of width 1 are identical"):
        spread([1], [np.append(np.full(90, 1.0), loss[:10])], "quartiles")
