"""Fits recover planted laws within their intervals; what cannot be fitted is refused."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

import minilotto as ml
from bench.coverage import LOSSES, exponent_coverage
from minilotto.analysis.stats.bootstrap import points
from minilotto.analysis.stats.estimates import exponents
from minilotto.analysis.stats.laws import BROKEN, EXPONENTS, LAWS, PLATEAU, POWER_LAW
from minilotto.analysis.stats.scaling import compare_laws, fit_law

NAN = float("nan")
WIDTHS = np.array([1, 2, 3, 4, 10, 20, 30, 40, 50.0])
MANY = np.array([1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 40, 50.0])  # enough to compare all laws
PLANTED = {
    "power law": ({"amplitude": 4e-6, "exponent": 1.0}, lambda n: 4e-6 / n),
    "plateau": ({"amplitude": 0.1, "exponent": 2.0, "plateau": 1e-4}, lambda n: 1e-4 + 0.1 * n**-2),
    "broken power law": (
        {"amplitude": 1.0, "exponent": 4.0, "exponent after": 1.0, "break": 7.0},
        lambda n: np.where(n < 7, n**-4.0, 7.0**-3 / n),
    ),
}
# Extremes that a training can give: levels near rounding, steep starts, breaks at a width, rising
# losses.
EXACT = [
    ("power law", lambda n: 3e-19 * n**-4, [3e-19, 4]),
    ("power law", lambda n: 0.5 * n**0.3, [0.5, -0.3]),
    ("plateau", lambda n: 1e-9 + n**-7.0, [1, 7, 1e-9]),
    ("plateau", lambda n: 2e-7 + 1e-6 * n**-0.5, [1e-6, 0.5, 2e-7]),
    ("plateau", lambda n: 1.0 / n, [1, 1, 0]),
    ("plateau", lambda n: 1e-3 + 10 * n**-4.0, [10, 4, 1e-3]),
    ("broken power law", lambda n: np.where(n < 10, n**-4.0, 1e-3 / n), [1, 4, 1, 10]),
    ("broken power law", lambda n: np.where(n < 2.5, n**-1.0, 2.5**2 * n**-3.0), [1, 1, 3, 2.5]),
    ("broken power law", lambda n: np.where(n < 35, n**-2.0, 35.0**-3 * n), [1, 2, -1, 35]),
]


def drawn(loss, seeds, seed, widths=WIDTHS, spread=0.7):
    """Lognormal losses whose medians follow a law."""
    random = np.random.default_rng((seed, 11))
    return [level * random.lognormal(sigma=spread, size=seeds) for level in loss(widths)]


@pytest.mark.parametrize(("law", "loss", "parameters"), EXACT)
def test_a_law_without_noise_is_recovered(law, loss, parameters):
    x = np.log(WIDTHS)
    found = LAWS[law].solve(x, np.log(loss(WIDTHS))[None], np.linspace(1, 3, len(x))[None])[0]
    # A plateau's least squares are as flat as rounding in their minimum: half the digits, as for
    # any minimum of a square.
    np.testing.assert_allclose(found, parameters, rtol=1e-6, atol=1e-7 * min(loss(WIDTHS)))


def residual(law, logs, x, y, weight):
    """Weighted residuals of a law, written independently; `logs` are logarithms where positive."""
    if law == "plateau":
        value = np.log(np.exp(logs[0]) + np.exp(logs[1]) * np.exp(-np.exp(logs[2]) * x))
    else:
        value = logs[0] - np.where(x < logs[3], logs[1] * (x - logs[3]), logs[2] * (x - logs[3]))
    return np.sqrt(weight) * (y - value)


@pytest.mark.parametrize("law", ["plateau", "broken power law"])
def test_no_general_minimiser_finds_less(law):
    random = np.random.default_rng(5)
    x, weight = np.log(WIDTHS), np.linspace(1, 3, len(WIDTHS))[None]
    y = np.log(PLANTED[law][1](WIDTHS)) + random.normal(scale=0.3, size=(20, len(x)))
    found = LAWS[law].solve(x, y, weight)
    ours = (y - LAWS[law].log_loss(found, x)) ** 2 @ weight[0]
    for row, least in zip(y, ours, strict=True):
        for _ in range(8):
            if law == "plateau":
                start = [
                    row.min() - random.exponential(),
                    row.max(),
                    np.log(random.uniform(0.3, 8)),
                ]
                bounds = ([-99, -99, np.log(EXPONENTS[0])], [99, 99, np.log(EXPONENTS[1])])
            else:
                start = [row.mean(), 3, 1, random.uniform(x[1], x[-2])]
                bounds = ([-99, -99, -99, x[1]], [99, 99, 99, x[-2]])
            other = least_squares(
                lambda logs, row=row: residual(law, logs, x, row, weight[0]), start, bounds=bounds
            )
            assert 2 * other.cost >= least * (1 - 1e-7)


@settings(max_examples=40)
@given(
    law=st.sampled_from(sorted(LAWS)),
    scale=st.floats(1e-12, 1e6),
    factor=st.floats(0.1, 100),
    seed=st.integers(0, 99),
)
def test_units_of_loss_and_width_change_no_exponent(law, scale, factor, seed):
    y = np.log(PLANTED[law][1](WIDTHS)) + np.random.default_rng(seed).normal(
        scale=0.1, size=(1, len(WIDTHS))
    )
    weight = np.ones((1, len(WIDTHS)))
    one = LAWS[law].solve(np.log(WIDTHS), y, weight)[0]
    two = LAWS[law].solve(np.log(WIDTHS * factor), y + np.log(scale), weight)[0]
    names = LAWS[law].parameters
    for name, before, after in zip(names, one, two, strict=True):
        expected = {
            "exponent": 1,
            "exponent after": 1,
            "break": factor,
            "plateau": scale,
            "amplitude": scale * factor ** one[1],
        }[name]
        np.testing.assert_allclose(
            after, before * expected, rtol=1e-3 if law == "plateau" else 1e-8, atol=1e-9 * scale
        )


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_intervals_of_90_percent_hold_the_truth_in_85_to_95(law):
    """The quick form of `python -m bench.coverage`: 120 trials, so two standard errors of 2.7
    percent beyond 85 to 95.
    """
    parameters, loss = PLANTED[law]
    trials, held = 120, dict.fromkeys(parameters, 0)
    for trial in range(trials):
        fit = fit_law(points(WIDTHS, drawn(loss, 100, trial), resamples=200, seed=trial), law)
        for name, value in parameters.items():
            held[name] += fit.estimates[name].low <= value <= fit.estimates[name].high
    for name, count in held.items():
        assert 0.85 - 0.055 <= count / trials <= 0.95 + 0.055, (name, count / trials)


def test_intervals_narrow_as_seeds_grow():
    few, many = (
        fit_law(points(WIDTHS, drawn(PLANTED["power law"][1], seeds, 1))) for seeds in (50, 5000)
    )
    lengths = [
        fit.seeds_only["exponent"].high - fit.seeds_only["exponent"].low for fit in (few, many)
    ]
    assert lengths[0] / lengths[1] == pytest.approx(
        10, rel=0.3
    )  # a hundred times the seeds; widths of quantiles err by 5 %


@pytest.mark.parametrize("spread", LOSSES, ids=lambda spread: spread.name)
@pytest.mark.parametrize("statistic", ["median", "mean", "trimmed mean"])
def test_intervals_of_exponents_are_honest_at_any_scatter_and_number_of_widths(spread, statistic):
    """The quick form of `python -m bench.coverage`: 3 percent, and 3 standard errors of 150 trials,
    of which all scatters of a case share the losses.
    """
    trials, chosen = 150, (0.0, 1.0)
    found = exponent_coverage(spread, statistic, 30, trials, scatters=chosen, counts=(3, 5, 9))
    allowed = 0.03 + 3 * np.sqrt(0.9 * 0.1 / trials)
    assert max(abs(held - 0.9) for held, _ in found.values()) < allowed
    assert found[1.0, 5][1] < 0.6  # over seeds alone


@pytest.mark.parametrize(
    "statistic", ["median", "mean", "trimmed mean", "geometric mean", 0.1, 0.99]
)
def test_points_are_numpys_statistics_with_the_bootstraps_distribution(statistic):
    random = np.random.default_rng(2)
    losses = [random.lognormal(size=40), random.lognormal(size=41)]
    direct = {
        "median": lambda a: np.median(a, axis=-1),
        "mean": lambda a: a.mean(axis=-1),
        "trimmed mean": lambda a: np.sort(a, axis=-1)[..., 4:-4].mean(axis=-1),  # of 40 or 41
        "geometric mean": lambda a: np.exp(np.log(a).mean(axis=-1)),
    }.get(statistic, lambda a: np.quantile(a, statistic, axis=-1))
    found = points([4, 2], losses, statistic, resamples=20_000)
    assert found.widths.tolist() == [2, 4]
    for i, loss in enumerate(losses[::-1]):
        assert found.value[i] == pytest.approx(direct(loss), rel=1e-13)
        plain = np.log(direct(loss[random.integers(0, len(loss), (20_000, len(loss)))]))
        ours = found.replicates[:, i]
        # Of 20,000 draws each: means to 4 standard errors, shares of the same values to 4 times
        # sqrt(1 / (2 * 20,000)).
        assert abs(ours.mean() - plain.mean()) < 4 * np.sqrt(2 / 20_000) * plain.std()
        for q in (0.05, 0.3, 0.7, 0.95):
            level = np.quantile(plain, q) + 1e-9
            assert abs(np.mean(ours <= level) - np.mean(plain <= level)) < 4 * np.sqrt(0.5 / 20_000)


def test_a_law_that_seeds_cannot_explain_shows_its_misfit():
    random = np.random.default_rng(3)
    offsets = random.normal(scale=0.5, size=len(WIDTHS))
    losses = [
        level * np.exp(offset)
        for level, offset in zip(drawn(lambda n: 1 / n, 1000, 1), offsets, strict=True)
    ]
    fit = fit_law(points(WIDTHS, losses))
    assert fit.misfit * np.log(10) == pytest.approx(
        0.5, rel=0.5
    )  # 9 widths, 7 degrees of freedom: 27 % a standard error
    assert fit.p_value < 1e-10
    narrow, wide = fit.seeds_only["exponent"], fit.estimates["exponent"]
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)
    exact = fit_law(points(WIDTHS, drawn(lambda n: 1 / n, 1000, 1)))
    assert exact.p_value > 0.01
    assert exact.misfit < 0.02


@pytest.mark.parametrize("widths", [WIDTHS, WIDTHS[4:8]])
def test_intervals_with_misfit_hold_the_truth_where_those_of_seeds_do_not(widths):
    """With four widths, two degrees of freedom are left, and a normal's interval would hold it in
    70 percent.
    """
    held, trials = np.zeros(2), 250
    for trial in range(trials):
        random = np.random.default_rng((trial, 4))
        level = (1 / widths) * np.exp(random.normal(scale=0.5, size=len(widths)))
        fit = fit_law(
            points(
                widths,
                [one * random.lognormal(sigma=0.7, size=1000) for one in level],
                resamples=400,
                seed=trial,
            )
        )
        for i, estimate in enumerate((fit.seeds_only["exponent"], fit.estimates["exponent"])):
            held[i] += estimate.low <= 1 <= estimate.high
    assert held[0] / trials < 0.5
    assert 0.85 - 0.038 <= held[1] / trials <= 0.95 + 0.038  # two standard errors


def test_four_widths_without_a_law_overflow_in_silence():
    """With one degree of freedom misfits are drawn from a Cauchy distribution; warnings are errors
    here.
    """
    random = np.random.default_rng(0)
    losses = [loss * random.lognormal(0, 0.3, 12) for loss in (1.0, 1e-1, 3e-1, 1e-3)]
    found = fit_law(points([4, 6, 9, 13], losses), "plateau")
    assert found.estimates["exponent"].high > found.seeds_only["exponent"].high


@pytest.mark.parametrize("law", LAWS)
def test_comparison_prefers_the_planted_law(law):
    right = 0
    for trial in range(10):
        losses = drawn(PLANTED[law][1], 300, trial, MANY)
        found = compare_laws(points(MANY, losses, resamples=200))
        assert sum(row.weight for row in found) == pytest.approx(1, rel=1e-12)
        best = max(found, key=lambda row: row.weight)
        assert best.fit.aicc == min(row.fit.aicc for row in found)
        right += best.law == law
    assert right >= 9


def test_aicc_is_that_of_gaussian_least_squares_where_misfit_rules():
    """With errors of seeds that are negligible and equal, -2 log L = W log(2 pi e RSS / W)."""
    random = np.random.default_rng(8)
    y = np.log(1 / WIDTHS) + random.normal(scale=0.4, size=len(WIDTHS))
    base = random.lognormal(sigma=1e-3, size=1000)
    measured = points(WIDTHS, [np.exp(level) * base for level in y])
    fit = fit_law(measured)
    x, y = np.log(WIDTHS), np.log(measured.value)
    rss = np.sum((y - np.polyval(np.polyfit(x, y, 1), x)) ** 2)
    count, k = len(x), 3
    expected = (
        count * np.log(2 * np.pi * np.e * rss / count) + 2 * k + 2 * k * (k + 1) / (count - k - 1)
    )
    assert fit.aicc == pytest.approx(expected, abs=1e-3)  # errors of 1e-3 against misfits of 0.4
    np.testing.assert_allclose(fit.misfit, np.sqrt(rss / count) / np.log(10), rtol=1e-2)


def test_held_out_widths_are_predicted_from_the_others():
    losses = drawn(lambda n: 1 / n, 400, 2)
    losses[-1] = losses[-1] * 100
    fit = fit_law(points(WIDTHS, losses))
    others = fit_law(points(WIDTHS[:-1], losses[:-1]))
    assert fit.held_out.shape == WIDTHS.shape
    # The weights are those of the whole fit, so the two agree to what weights matter.
    assert fit.held_out[-1] == pytest.approx(
        np.log10(fit.points.value[-1] / others.predict([50])[0]), abs=0.05
    )
    assert fit.held_out[-1] == pytest.approx(2, abs=0.15)
    assert fit.held_out_error == pytest.approx(np.sqrt(np.mean(fit.held_out**2)), rel=1e-12)


def test_what_few_widths_cannot_test_is_said():
    measured = points(MANY, drawn(lambda n: 1 / n, 100, 1, MANY))
    counts = ((3, 1, 0), (4, 2, 0), (5, 3, 0), (7, 3, 0), (8, 3, 1), (10, 3, 2), (12, 3, 3))
    for count, tested, compared in counts:
        rows = compare_laws(measured.select(np.arange(count)))
        assert [row.law for row in rows] == list(LAWS)
        assert [row.fit is not None for row in rows] == [i < tested for i in range(3)]
        assert [row.fit is not None and row.fit.aicc is not None for row in rows] == [
            i < compared for i in range(3)
        ]
        assert [row.weight is not None for row in rows] == [
            i < compared and compared > 1 for i in range(3)
        ]
        assert all(bool(row.note) == (i >= compared) for i, row in enumerate(rows))
    with pytest.raises(ml.DataError, match="2 widths are too few to compare"):
        compare_laws(measured.select([0, 1]))
    for law in LAWS.values():
        with pytest.raises(ml.DataError, match=f"at least {law.least_widths} are needed"):
            fit_law(measured.select(np.arange(law.least_widths - 1)), law.name)


def test_exponents_between_neighbours_are_the_slopes_of_a_broken_law():
    found = exponents(points(WIDTHS, drawn(PLANTED["broken power law"][1], 2000, 6), level=0.99))
    assert [ends[:2] for ends in found] == list(itertools.pairwise(WIDTHS))
    wanted = [4.0, 4.0, 4.0, NAN, 1.0, 1.0, 1.0, 1.0]
    for (_, _, exponent), slope in zip(found, wanted, strict=True):
        if slope == slope:
            assert exponent.low <= slope <= exponent.high
        else:
            assert 1 < exponent.value < 4


def test_the_fit_holds_its_points():
    fit = fit_law(points(WIDTHS, drawn(PLANTED["plateau"][1], 1000, 1)), "plateau")
    assert (np.abs(np.log(fit.predict(WIDTHS) / fit.points.value)) < 5 * fit.points.error).all()


def test_diverged_seeds_are_dropped_and_counted_and_order_does_not_matter():
    losses = drawn(PLANTED["power law"][1], 60, 1)
    polluted = [np.append(loss, [NAN] * i + [np.inf]) for i, loss in enumerate(losses)]
    clean, dirty = points(WIDTHS, losses), points(WIDTHS[::-1], polluted[::-1])
    assert dirty.diverged.tolist() == list(range(1, 10))
    assert dirty.seeds.tolist() == clean.seeds.tolist() == [60] * 9
    np.testing.assert_array_equal(clean.replicates, dirty.replicates)
    one, two = fit_law(clean), fit_law(dirty)
    assert dict(one.estimates) == dict(two.estimates)


GOOD = np.geomspace(1, 2, 20)


@pytest.mark.parametrize(
    ("widths", "losses", "said"),
    [
        ([1, 2], [GOOD], "give one set for each width"),
        ([1, 1], [GOOD, GOOD], "give each width once"),
        ([0, 1], [GOOD, GOOD], "above 0"),
        ([1, 2], [GOOD, np.full(30, NAN)], "width 2 has 0 finite losses; at least 10"),
        ([1, 2], [GOOD, GOOD[:9]], "width 2 has 9 finite losses"),
        ([1, 2], [GOOD, np.append(GOOD, [0.0, -1.0])], "2 losses of width 2 are zero or below"),
        ([1, 2], [GOOD, np.full(30, 0.5)], "the 30 losses of width 2 are all 0.5"),
        ([1, 2], [GOOD, GOOD[None]], r"width 2 have shape \(1, 20\)"),
    ],
)
def test_losses_that_cannot_be_resampled_are_refused(widths, losses, said):
    with pytest.raises(ml.DataError, match=said) as caught:
        points(widths, losses)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"statistic": "mode"}, "statistic='mode' is unknown"),
        ({"statistic": 1.5}, "statistic=1.5"),
        ({"level": 90}, "level=90 is out of range"),
        ({"resamples": 10}, "resamples=10 is out of range"),
    ],
)
def test_settings_out_of_range_are_refused(arguments, said):
    with pytest.raises(ml.ConfigError, match=said):
        points([1, 2], [GOOD, GOOD], **arguments)


def test_an_unknown_law_and_a_lone_width_are_refused():
    measured = points([1, 2, 3], [GOOD, GOOD / 2, GOOD / 3])
    with pytest.raises(
        ml.ConfigError,
        match="law='line' is unknown; choose from power law, plateau, broken power law",
    ):
        fit_law(measured, "line")
    with pytest.raises(ml.DataError, match="no neighbour"):
        exponents(measured.select([0]))


def test_half_tied_losses_give_finite_numbers():
    """As ReLU nets of one dead neuron do: the median is known exactly."""
    losses = [np.append(np.full(60, 1 / n), GOOD / n) for n in WIDTHS]
    fit = fit_law(points(WIDTHS, losses))
    assert fit.estimates["exponent"].value == pytest.approx(1, abs=1e-9)
    assert np.isfinite([fit.p_value, fit.misfit, fit.aicc]).all()


def test_a_thousand_seeds_at_nine_widths_take_little_time():
    losses = drawn(PLANTED["plateau"][1], 1000, 1)
    began = time.process_time()
    compare_laws(points(WIDTHS, losses))
    assert time.process_time() - began < 3  # about 0.4 s on a quiet core


def test_parameters_and_solutions_match():
    assert (POWER_LAW.least_widths, PLATEAU.least_widths, BROKEN.least_widths) == (3, 4, 5)
