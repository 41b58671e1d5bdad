"""Gains of width parted into averaging, combination and neither; means of R nets: planted errors,
oracles, intervals that cover.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minilotto as ml
from minilotto.analysis.ensembling.attribution import STEPS, attribute
from minilotto.analysis.ensembling.averages import averages, possible_sizes
from minilotto.analysis.ensembling.pairs import drawn_pairs
from minilotto.analysis.tickets.disentangling import Disentangled

POINTS = 120
WEIGHT = np.full(POINTS, 1 / POINTS)
Y = np.linspace(-1, 1, POINTS) ** 2
SHAPE = np.sqrt(2) * np.sin(40 * np.linspace(0, np.pi, POINTS))


def planted(common, own, nets, random):
    """Errors with a shared function of square norm `common` and independent ones of square norm
    `own`.
    """
    return np.sqrt(common) * SHAPE + np.sqrt(own) * random.normal(size=(nets, POINTS))


def losses(errors):
    return errors**2 @ WEIGHT


# Attribution
def test_independent_errors_gain_by_averaging_alone():
    random = np.random.default_rng(0)
    errors = 1e-3 * planted(
        0.0, 1.0, 300, random
    )  # small beside the target, which it would pay to shrink
    found = attribute(
        Y + errors, Y, WEIGHT, losses(1e-3 * planted(0.0, 0.5, 300, random)), resamples=200
    )
    assert found.gain.value == pytest.approx(np.log10(2), abs=0.02)
    assert found.parts["averaging"].value == pytest.approx(np.log10(2), abs=0.01)
    assert found.shares["averaging"].low > 0.9
    # Three numbers fitted to 120 points take 3/120 of the loss away.
    assert found.parts["combination"].value == pytest.approx(-np.log10(1 - 3 / POINTS), abs=0.004)
    assert abs(found.parts["neither"].value) < 0.02
    assert found.expected["gain"] == pytest.approx(found.gain.value, abs=0.02)
    assert found.positive.value == 1
    assert found.size.value == pytest.approx(1, abs=1e-12)
    assert (
        attribute(Y + 1e3 * errors, Y, WEIGHT, losses(errors), resamples=100)
        .parts["combination"]
        .value
        > 0.1
    )  # by shrinking


def test_one_shape_of_several_sizes_gains_by_combination_alone():
    """e_i = s_i g plus little else: the mean keeps the size, a difference removes it."""
    random = np.random.default_rng(1)
    sizes = random.uniform(0.9, 1.1, 300)
    errors = sizes[:, None] * SHAPE + 1e-4 * random.normal(size=(300, POINTS))
    found = attribute(Y + errors, Y, WEIGHT, 1e-4 * losses(errors), resamples=200)
    assert abs(found.parts["averaging"].value) < 0.01
    assert found.parts["combination"].value > 4
    assert found.parts["neither"].value < 0  # the pair does better than the wide net
    assert found.positive.value == 0
    assert found.size.value > 5
    assert found.balanced.value <= found.parts["combination"].value
    assert found.expected["averaging"] == pytest.approx(np.log10(2), abs=0.05)


def test_what_no_combination_gives_is_neither():
    random = np.random.default_rng(2)
    errors = 1e-3 * planted(
        0.9, 0.1, 200, random
    )  # nearly one function, and the rest is each net's own
    found = attribute(
        Y + errors, Y, WEIGHT, losses(1e-5 * planted(0.9, 0.1, 200, random)), resamples=200
    )
    assert found.gain.value == pytest.approx(4, abs=0.1)
    assert found.parts["averaging"].value == pytest.approx(-np.log10(0.95), abs=0.01)
    assert found.shares["neither"].low > 0.95
    assert (
        attribute(Y + errors, Y, WEIGHT, losses(errors[::-1]), resamples=200).shares is None
    )  # no gain to be shared


@settings(max_examples=15)
@given(st.integers(0, 50), st.floats(1e-6, 1e3), st.floats(0.0, 1.0))
def test_parts_add_up_and_scale_does_not_matter(seed, scale, common):
    random = np.random.default_rng(seed)
    errors, wide = planted(common, 1.0, 30, random), losses(planted(0.0, 0.2, 25, random))
    one = attribute(Y + errors, Y, WEIGHT, wide, draws=100, resamples=100)
    assert sum(one.parts[name].value for name in STEPS) == pytest.approx(one.gain.value, abs=1e-12)
    other = attribute(
        scale * (Y + errors), scale * Y, WEIGHT, scale**2 * wide, draws=100, resamples=100
    )
    for name in STEPS:
        got, want = other.parts[name], one.parts[name]
        np.testing.assert_allclose(
            [got.value, got.low, got.high], [want.value, want.low, want.high], atol=1e-6
        )
    if one.shares:
        assert sum(share.value for share in one.shares.values()) == pytest.approx(1, rel=1e-12)


def test_medians_are_those_of_the_pairs_drawn():
    random = np.random.default_rng(3)
    errors, wide = planted(0.5, 0.5, 40, random), losses(planted(0.0, 0.5, 30, random))
    found = attribute(Y + errors, Y, WEIGHT, wide, draws=200, resamples=100)
    pairs = drawn_pairs(40, 200)
    means, best = [], []
    for i, j in pairs:
        means.append(losses((errors[i] + errors[j]) / 2))
        columns = np.stack([Y + errors[i], Y + errors[j], np.ones(POINTS)], axis=1)
        solution = np.linalg.lstsq(columns, Y, rcond=None)[0]
        best.append(losses(columns @ solution - Y))
    one = np.log10(np.median(losses(errors)))
    assert found.parts["averaging"].value == pytest.approx(
        one - np.log10(np.median(means)), abs=1e-12
    )
    assert found.parts["combination"].value == pytest.approx(
        np.log10(np.median(means) / np.median(best)), abs=1e-9
    )
    assert found.parts["neither"].value == pytest.approx(
        np.log10(np.median(best) / np.median(wide)), abs=1e-9
    )


def test_intervals_of_parts_cover():
    """60 trials at 90%: 0.9 - 3 standard errors of 0.039 at least; pairs share nets, so intervals
    may be too wide.
    """
    random = np.random.default_rng(4)

    def made(nets):
        sizes = np.sqrt(random.gamma(4, 0.25, nets))[:, None]
        return np.sqrt(0.3) * SHAPE + sizes * random.normal(
            size=(nets, POINTS)
        ), 0.5 * random.lognormal(sigma=0.3, size=nets)

    def parted(nets, draws, seed):
        errors, wide = made(nets)
        return attribute(Y + errors, Y, WEIGHT, wide, draws=draws, resamples=100, seed=seed)

    truth = parted(3000, 2000, 0)
    held = dict.fromkeys(("gain", *STEPS), 0)
    for trial in range(60):
        found = parted(50, 200, trial)
        for name in held:
            part, at = (one.gain if name == "gain" else one.parts[name] for one in (found, truth))
            held[name] += part.low <= at.value <= part.high
    assert min(held.values()) >= 47, held


def test_stages_are_resampled_together():
    """One error function of several sizes: the mean of two loses what one does, which is known far
    better than what that is.
    """
    random = np.random.default_rng(5)
    errors = (
        1e-3
        * random.lognormal(sigma=0.5, size=200)[:, None]
        * SHAPE
        * (1 + 1e-6 * random.normal(size=(200, POINTS)))
    )
    found = attribute(Y + errors, Y, WEIGHT, 0.1 * losses(errors), draws=2000, resamples=200)
    assert found.parts["averaging"].high - found.parts["averaging"].low < 0.6 * (
        found.gain.high - found.gain.low
    )


@pytest.mark.parametrize(
    ("outputs", "wider", "message"),
    [
        (np.ones((20, POINTS - 1)), np.ones(20), "do not match"),
        (np.ones((5, POINTS)), np.ones(20), "5 narrow and 20 wide"),
        (np.tile(Y, (20, 1)), np.arange(1.0, 21), "losses are 0"),
        (np.ones((20, POINTS)), np.full(20, np.nan), "0 wide"),
    ],
)
def test_what_cannot_be_attributed_is_refused(outputs, wider, message):
    with pytest.raises(ml.DataError, match=message):
        attribute(outputs, Y, WEIGHT, wider)


# Means of R nets
@pytest.mark.parametrize(("bias", "variance"), [(0.0, 1.0), (1.0, 0.5), (1.0, 0.0)])
def test_planted_bias_and_variance_are_found(bias, variance):
    errors = planted(bias, variance + 1e-9, 400, np.random.default_rng(5))
    found = averages(errors, WEIGHT, (1, 2, 4, 8, 16), central=1.0, halves=40)
    np.testing.assert_allclose(found.loss, bias + variance / found.sizes, rtol=0.05, atol=1e-8)
    assert found.bias.value == pytest.approx(bias, abs=0.03)
    assert found.variance.value == pytest.approx(variance, abs=0.06)
    assert found.left.value == pytest.approx(bias / (bias + variance), abs=0.03)
    assert found.misfit < 0.03
    np.testing.assert_allclose(
        found.line([1, 1000]), [bias + variance, bias + variance / 1000], rtol=0.06, atol=0.02
    )


def test_the_mean_of_two_by_all_pairs():
    random = np.random.default_rng(6)
    errors = planted(0.3, 1.0, 200, random) * random.lognormal(sigma=0.3, size=200)[:, None]
    found = averages(errors, WEIGHT, (1, 2), central=1.0, halves=20)
    i, j = np.triu_indices(200, 1)
    assert found.loss[0] == pytest.approx(np.median(losses(errors)), rel=1e-12, abs=0)
    assert found.loss[1] == pytest.approx(np.median(losses((errors[i] + errors[j]) / 2)), rel=0.02)


def test_bad_nets_are_left_out_by_the_central_half():
    errors = planted(0.5, 0.5, 200, np.random.default_rng(7))
    spoilt = np.where(np.arange(200)[:, None] % 10 == 0, 1e4 * errors, errors)
    clean, robust = (
        averages(errors, WEIGHT, (1, 4), halves=20),
        averages(spoilt, WEIGHT, (1, 4), halves=20),
    )
    np.testing.assert_allclose(robust.loss, clean.loss, rtol=0.05)
    uneven = errors * np.random.default_rng(0).lognormal(size=200)[:, None]
    assert averages(uneven, WEIGHT, (1, 4), halves=20).loss[0] == pytest.approx(
        np.median(losses(uneven)), rel=1e-12, abs=0
    )
    assert averages(spoilt, WEIGHT, (1, 16), central=1.0, halves=20).loss[1] > 1e3


def test_intervals_of_means_cover():
    """50 trials at 90%: 0.9 - 3 standard errors of 0.042; groups are drawn at random, so intervals
    err on the wide side.
    """
    random = np.random.default_rng(8)
    held = []
    for trial in range(50):
        sizes = np.sqrt(random.gamma(8, 1 / 8, 80))[:, None]
        errors = np.sqrt(0.5) * SHAPE + sizes * random.normal(size=(80, POINTS))
        found = averages(errors, WEIGHT, (1, 2, 8), central=1.0, halves=20, seed=trial)
        truth = 0.5 + 1 / 8
        held.append(found.low[2] <= truth <= found.high[2])
    assert np.mean(held) >= 0.78


def test_sizes_that_are_too_large_are_told():
    assert possible_sizes((1, 2, 4, 8, 16, 32, 64), 100) == (1, 2, 4, 8)
    assert possible_sizes((1, 64), 1000) == (1, 64)
    errors = planted(0.5, 0.5, 40, np.random.default_rng(9))
    for sizes in ((1, 64), (1,), (2, 2), (0, 1), (1, 1.5)):
        with pytest.raises(ml.ConfigError, match="sizes"):
            averages(errors, WEIGHT, sizes)
    with pytest.raises(ml.DataError, match="9 nets"):
        averages(errors[:9], WEIGHT, (1, 2))
    with pytest.raises(ml.DataError, match="do not match"):
        averages(errors, WEIGHT[1:], (1, 2))
    with pytest.raises(ml.ConfigError, match="central"):
        averages(errors, WEIGHT, (1, 2), central=2.0)


# Tickets that Eq. 9 needs
def test_orthogonal_tickets_need_as_many_as_there_are():
    """Three orthogonal tickets of losses 1, 2 and 4 and a useless one; weighted by Eq. 8 the net
    has 1 / (1 + 1/2 + 1/4).
    """
    base = np.linalg.qr(np.random.default_rng(0).normal(size=(POINTS, 4)))[0].T * np.sqrt(POINTS)
    errors = (base * np.sqrt([1.0, 2.0, 4.0, 9.0])[:, None])[None]
    pairs = np.arange(8).reshape(1, 4, 2)
    apart = Disentangled(pairs, np.array([[0.99, 0.98, 0.95, 0.1]]), errors, WEIGHT)
    loss = np.array([1 / 1.75])
    assert apart.needed(loss)[0] == pytest.approx(3, rel=1e-9)
    assert apart.needed(loss / 10)[0] == pytest.approx(30, rel=1e-9)
    useless = Disentangled(pairs, np.zeros((1, 4)), errors, WEIGHT)
    assert np.isnan(useless.needed(loss)[0])
