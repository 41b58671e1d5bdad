"""Bias and variance between seeds: planted parts, an oracle by plain loops, bad seeds, intervals
that cover.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minilotto as ml
from minilotto.analysis.ensembling.decomposition import as_points, decompose, over_noise
from minilotto.analysis.stats.scaling import fit_law

POINTS = 40
WEIGHT = np.random.default_rng(5).dirichlet(np.full(POINTS, 3.0))
SHAPE = np.sin(np.arange(POINTS))
SHAPE /= np.sqrt(WEIGHT @ SHAPE**2)  # of norm 1


def planted(bias, variance, nets, random):
    """Errors of nets: a shared function of square norm `bias` and independent ones whose square
    norms have mean `variance`.
    """
    return np.sqrt(bias) * SHAPE + np.sqrt(variance) * random.normal(size=(nets, POINTS))


def by_loops(errors, weight, central):
    """Loss and bias as the definition has them, net by net and pair by pair."""
    losses = [float(sum(w * value**2 for w, value in zip(weight, e, strict=True))) for e in errors]
    order = sorted(range(len(errors)), key=lambda r: losses[r])
    low, high = len(errors) * (1 - central) / 2, len(errors) * (1 + central) / 2
    kept = {r: max(0.0, min(i + 1, high) - max(i, low)) for i, r in enumerate(order)}
    loss = sum(kept[r] * losses[r] for r in kept) / sum(kept.values())
    pairs = list(itertools.permutations(kept, 2))
    products = sum(
        kept[r] * kept[s] * float(np.sum(weight * errors[r] * errors[s])) for r, s in pairs
    )
    return loss, products / sum(kept[r] * kept[s] for r, s in pairs)


# Values
@pytest.mark.parametrize("central", [1.0, 0.5, 0.83])
def test_the_definition_by_plain_loops(central):
    errors = planted(0.3, 1.0, 23, np.random.default_rng(0)) * np.geomspace(0.1, 3, 23)[:, None]
    found = decompose(errors, WEIGHT, central=central, resamples=100)
    np.testing.assert_allclose(
        (found.loss.value, found.bias.value), by_loops(errors, WEIGHT, central), rtol=1e-12
    )
    assert found.loss.value == pytest.approx(found.bias.value + found.variance.value, rel=1e-12)
    assert found.share.value == pytest.approx(found.bias.value / found.loss.value, rel=1e-12)


@pytest.mark.parametrize("bias", [0.0, 0.02, 2.0])
def test_no_bias_of_the_bias_whatever_the_number_of_seeds(bias):
    """Where the loss of the mean over 12 seeds would be too large by variance / 12 = 0.083."""
    random = np.random.default_rng(1)
    found = [
        decompose(planted(bias, 1.0, 12, random), WEIGHT, central=1.0, resamples=100)
        for _ in range(250)
    ]
    for part, truth in (("bias", bias), ("variance", 1.0)):
        values = np.array([getattr(one, part).value for one in found])
        assert abs(values.mean() - truth) < 4 * values.std(ddof=1) / np.sqrt(len(values))
    assert (
        np.std([one.bias.value for one in found]) / np.sqrt(250) < 0.083 / 4
    )  # so that it would be seen


def test_equal_nets_have_no_variance_and_opposite_ones_no_bias():
    same = decompose(np.tile(SHAPE, (30, 1)), WEIGHT)
    assert same.share.value == pytest.approx(1, abs=1e-12)
    assert same.variance.low == pytest.approx(0, abs=1e-12)
    opposite = decompose(
        np.tile(SHAPE, (30, 1)) * np.resize([1.0, -1.0], 30)[:, None], WEIGHT, central=1.0
    )
    assert opposite.bias.value == pytest.approx(
        -1 / 29, rel=1e-9
    )  # the average of the products of 30 x 29 pairs
    assert opposite.loss.value == pytest.approx(1, rel=1e-12)
    perfect = decompose(np.zeros((30, POINTS)), WEIGHT)
    assert (perfect.loss.value, perfect.share.value) == (0, 1)


def test_a_fifth_of_bad_nets_changes_little():
    random = np.random.default_rng(2)
    errors = planted(0.7, 0.3, 400, random)
    clean = decompose(errors, WEIGHT)
    spoilt = np.where(np.arange(400)[:, None] < 80, 1e3 * random.normal(size=errors.shape), errors)
    robust, all_of_them = decompose(spoilt, WEIGHT), decompose(spoilt, WEIGHT, central=1.0)
    assert robust.loss.value == pytest.approx(clean.loss.value, rel=0.1)
    assert robust.share.value == pytest.approx(0.7, abs=0.05)
    assert all_of_them.loss.value > 1e4


def test_diverged_nets_are_counted_and_left_out():
    errors = planted(0.5, 0.5, 50, np.random.default_rng(3))
    with_two = np.insert(errors, [7, 30], np.nan, axis=0)
    plain, found = decompose(errors, WEIGHT), decompose(with_two, WEIGHT)
    assert (found.seeds, found.diverged) == (50, 2)
    assert found.bias == plain.bias


@settings(max_examples=20)
@given(st.integers(20, 60), st.floats(0.5, 1.0), st.floats(1e-6, 1e6), st.integers(0, 99))
def test_order_scale_and_split_points_do_not_matter(nets, central, scale, seed):
    random = np.random.default_rng(seed)
    errors = planted(random.uniform(), random.uniform(), nets, random)
    found = decompose(errors, WEIGHT, central=central, resamples=100)
    shuffled = decompose(random.permutation(errors) * scale, WEIGHT, central=central, resamples=100)
    halves = decompose(
        np.repeat(errors, 2, axis=1), np.repeat(WEIGHT / 2, 2), central=central, resamples=100
    )
    for other, square in ((shuffled, scale**2), (halves, 1.0)):
        for part in ("loss", "bias", "variance"):
            got, want = getattr(other, part), getattr(found, part)
            size = found.loss.value  # a bias may be near zero by cancellation
            np.testing.assert_allclose(
                np.array([got.value, got.low, got.high]) / square,
                [want.value, want.low, want.high],
                rtol=1e-9,
                atol=1e-9 * size,
            )


# Intervals
@pytest.mark.parametrize(
    ("bias", "nets", "least", "most"),
    [(1.0, 60, 0.84, 0.96), (0.1, 60, 0.84, 0.98), (0.0, 60, 0.84, 1.0)],
)
def test_nine_of_ten_intervals_hold_the_truth(bias, nets, least, most):
    """200 trials at 90%: 0.9 +- 3 standard errors of 0.021; where there is little or no bias the
    interval errs on the wide side.
    """
    random = np.random.default_rng(4)
    trials = [
        decompose(planted(bias, 1.0, nets, random), WEIGHT, central=1.0, resamples=200, seed=i)
        for i in range(200)
    ]
    held = np.mean([one.bias.low <= bias <= one.bias.high for one in trials])
    assert least <= held <= most
    assert 0.84 <= np.mean([one.variance.low <= 1 <= one.variance.high for one in trials]) <= 0.96


def test_a_copy_of_a_net_is_no_evidence_of_bias():
    """Each resample has copies of nets; were they paired, its bias would lie variance / R higher on
    average.
    """
    random = np.random.default_rng(6)
    found = decompose(planted(0.0, 1.0, 20, random), WEIGHT, central=1.0, resamples=4000)
    bias = found.replicates[:, 1]
    assert abs(bias.mean() - found.bias.value) < 0.2 / 20


# Laws
def test_intervals_hold_for_the_central_half_too():
    """Its truth is that of very many nets, for which no formula is at hand."""
    random = np.random.default_rng(9)

    def made(nets):
        return planted(0.5, 1.0, nets, random) * np.exp(0.5 * random.normal(size=(nets, 1)))

    truth = decompose(made(30_000), WEIGHT, resamples=100)
    trials = [decompose(made(60), WEIGHT, resamples=200, seed=i) for i in range(150)]
    for part in ("loss", "bias", "variance", "share"):
        at = getattr(truth, part).value
        held = np.mean([getattr(one, part).low <= at <= getattr(one, part).high for one in trials])
        assert 0.82 <= held <= 0.98, part


def test_planted_powers_of_width_are_found():
    random = np.random.default_rng(8)
    widths = (10, 20, 30, 40, 50)
    found = [decompose(planted(1e-4, 1 / n, 300, random), WEIGHT) for n in widths]
    exponent = fit_law(as_points(widths, found, "variance")).estimates["exponent"]
    assert abs(exponent.value - 1) < 0.03
    assert 0 < exponent.high - exponent.low < 0.1
    shuffled = as_points(widths[::-1], found[::-1], "loss")
    assert shuffled.widths.tolist() == list(widths)
    np.testing.assert_array_equal(shuffled.value, as_points(widths, found, "loss").value)
    with pytest.raises(ml.DataError, match="bias at width 10 is not above zero"):
        as_points(
            widths, [decompose(planted(0.0, 1.0, 30, random), WEIGHT) for _ in widths], "bias"
        )


# Refusals
@pytest.mark.parametrize(
    ("errors", "weight", "options", "error", "message"),
    [
        (np.ones((20, 3)), np.ones(2), {}, ml.DataError, "do not match"),
        (np.ones(20), np.ones(20), {}, ml.DataError, "do not match"),
        (np.ones((20, 2)), np.array([-1.0, 2.0]), {}, ml.DataError, "minimum -1"),
        (np.ones((19, 2)), np.ones(2), {}, ml.DataError, "19 finite nets, 50% of them kept"),
        (np.ones((40, 2)), np.ones(2), {"central": 0}, ml.ConfigError, "central=0"),
        (np.ones((40, 2)), np.ones(2), {"central": True}, ml.ConfigError, "central=True"),
        (np.ones((40, 2)), np.ones(2), {"level": 2.0}, ml.ConfigError, "level"),
        (np.ones((40, 2)), np.ones(2), {"resamples": 5}, ml.ConfigError, "resamples"),
    ],
)
def test_what_cannot_be_parted_is_refused(errors, weight, options, error, message):
    with pytest.raises(error, match=message):
        decompose(errors, weight, **options)


def test_points_of_what_does_not_match_are_refused():
    one = decompose(planted(1.0, 1.0, 30, np.random.default_rng(0)), WEIGHT)
    with pytest.raises(ml.DataError, match="do not match"):
        as_points([1, 2], [one], "loss")
    with pytest.raises(ml.ConfigError, match="'noise' is unknown"):
        as_points([1], [one], "noise")


# Noise at fixed starts
def test_variance_over_noise_is_free_of_what_starts_have_and_of_bias():
    random = np.random.default_rng(2)
    starts = planted(4.0, 9.0, 3000, random)
    noisy = [starts + np.sqrt(0.25) * random.normal(size=starts.shape) for _ in range(3)]
    loss, variance = over_noise(noisy, WEIGHT)
    assert variance.mean() == pytest.approx(0.25, rel=0.02)
    assert (loss - variance).mean() == pytest.approx((starts**2 @ WEIGHT).mean(), rel=0.02)


def test_a_start_that_diverges_once_counts_nowhere():
    errors = np.ones((2, 3, 4))
    errors[1, 2, 0] = np.inf
    loss, variance = over_noise(errors, np.full(4, 0.25))
    assert loss[:2].tolist() == [1, 1]
    assert variance[:2].tolist() == [0, 0]
    assert np.isnan([loss[2], variance[2]]).all()
    assert np.isnan(over_noise(errors[:1], np.full(4, 0.25))[1]).all()
