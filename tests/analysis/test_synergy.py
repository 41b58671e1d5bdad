"""Ensembles whose best weights, losses and distances are known, and the bootstrap's coverage where
pairs share nets.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import ks_2samp, wasserstein_distance

import minilotto as ml
from minilotto.analysis.ensembling.ensembling import (
    QUANTILES,
    cosines,
    gram,
    optimal_weights,
    orthogonal_loss,
    orthogonal_weights,
)
from minilotto.analysis.ensembling.pairs import compare, drawn_pairs, pair_weights, paper_null
from minilotto.analysis.ensembling.synergy import NULLS, of_outputs, refitted, synergy
from minilotto.data.dataset import given as dataset
from minilotto.ensemble.last_layer import hidden, least_squares
from minilotto.errors import ConfigError, DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import ACTIVATIONS

EPSILON = np.finfo(np.float64).eps
POINTS = 64
WEIGHT = np.ones(POINTS) / POINTS
X = np.linspace(-2, 2, POINTS)


def orthonormal(count, seed=0):
    """`count` functions (count, POINTS), orthonormal under WEIGHT and orthogonal to 1 and X**2."""
    random = np.random.default_rng(seed)
    start = np.stack([np.ones(POINTS), X**2, *random.normal(size=(count, POINTS))], axis=1)
    return np.linalg.qr(start)[0].T[2:] * np.sqrt(POINTS)


def loss_of(weights, products):
    """a^T G a, Eq. 6 for weights of sum one."""
    return np.einsum("...i,...ij,...j", weights, products, weights)


# Eq. 5 to 9


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_orthogonal_equal_errors_fall_as_one_over_n(count):
    errors = 1e-3 * orthonormal(count)
    products = gram(errors, WEIGHT)
    assert_allclose(optimal_weights(products), np.full(count, 1 / count), rtol=1e-12)
    assert_allclose(orthogonal_loss(np.diagonal(products)), 1e-6 / count, rtol=1e-13)
    assert_allclose(loss_of(optimal_weights(products), products), 1e-6 / count, rtol=1e-12)
    assert_allclose(np.mean(errors.mean(axis=0) ** 2), 1e-6 / count, rtol=1e-12)


def test_orthogonal_errors_of_different_size_are_eq_9():
    sizes = np.array([1e-4, 1e-2, 3.0, 1e-3])
    errors = sizes[:, None] * orthonormal(4)
    products = gram(errors, WEIGHT)
    expected = 1 / np.sum(sizes**-2)
    assert_allclose(orthogonal_loss(sizes**2), expected, rtol=8 * EPSILON)
    assert_allclose(orthogonal_weights(sizes**2), sizes**-2 * expected, rtol=8 * EPSILON)
    assert_allclose(np.mean((optimal_weights(products) @ errors) ** 2), expected, rtol=1e-9)


@pytest.mark.parametrize("count", [2, 5])
def test_identical_errors_gain_nothing_though_eq_9_says_so(count):
    errors = np.repeat(1e-3 * orthonormal(1), count, axis=0)
    products = gram(errors, WEIGHT)
    assert_allclose(optimal_weights(products), np.full(count, 1 / count), rtol=1e-12)
    assert_allclose(loss_of(optimal_weights(products), products), 1e-6, rtol=1e-12)
    assert_allclose(orthogonal_loss(np.diagonal(products)), 1e-6 / count, rtol=1e-12)


@pytest.mark.parametrize("factor", [1.5, 1.001, -0.3, 0.0])
def test_multiples_cancel_though_eq_9_does_not_know(factor):
    one = 1e-3 * orthonormal(1)[0]
    errors = np.stack([one, factor * one])
    a = optimal_weights(gram(errors, WEIGHT))
    # G is known to epsilon, and its differences to epsilon / (factor - 1)^2.
    assert_allclose(
        a,
        np.array([-factor, 1]) / (1 - factor),
        rtol=20 * EPSILON / (factor - 1) ** 2,
        atol=EPSILON,
    )
    assert np.mean((a @ errors) ** 2) < 1e-6 * (20 * EPSILON / (factor - 1) ** 2) ** 2
    assert_allclose(
        orthogonal_loss([1e-6, factor**2 * 1e-6]), 1e-6 * factor**2 / (1 + factor**2), rtol=1e-12
    )


def test_losses_beyond_the_range_of_their_inverses():
    assert_allclose(orthogonal_loss([1e-320, 1e-320]), 5e-321, atol=5e-324)
    assert orthogonal_loss([0.0, 1.0]) == 0
    assert orthogonal_weights([0.0, 0.0, 1.0]).tolist() == [0.5, 0.5, 0.0]


ensembles = st.tuples(
    st.integers(1, 6), st.integers(1, 8), st.integers(0, 2**32 - 1), st.floats(-4, 0)
)


def drawn(which):
    """Errors (n, POINTS) of nets that share up to `rank` directions, of sizes over decades."""
    count, rank, seed, spread = which
    random = np.random.default_rng(seed)
    sizes = 10 ** random.uniform(spread, 0, count)
    return sizes[:, None] * (random.normal(size=(count, rank)) @ orthonormal(8)[:rank])


@given(ensembles)
@settings(max_examples=150, deadline=None)
def test_the_best_weights_are_no_worse_than_any_others(which):
    errors = drawn(which)
    products = gram(errors, WEIGHT)
    a = optimal_weights(products)
    found = np.mean((a @ errors) ** 2)
    single = np.diagonal(products)
    allowed = 1e-12 * single.min() + EPSILON * 100 * np.abs(a).max() ** 2 * EPSILON * single.max()
    assert_allclose(a.sum(), 1, atol=1e-13 * max(1, np.abs(a).max()))
    assert found <= single.min() + allowed
    assert found <= np.mean(errors.mean(axis=0) ** 2) + allowed
    assert found <= loss_of(orthogonal_weights(single), products) + allowed


@given(ensembles)
@settings(max_examples=100, deadline=None)
def test_the_best_weights_solve_the_constrained_least_squares_problem(which):
    count, _, seed, spread = which
    errors = drawn((count, 8, seed, spread))
    found = optimal_weights(gram(errors, WEIGHT))
    # The same without a Gram matrix: e_0 + sum z_i (e_i - e_0), with the smallest error as e_0.
    first = int(np.argmin((errors**2).sum(axis=1)))
    rest = [i for i in range(count) if i != first]
    columns = (errors[rest] - errors[first]).T
    norm = np.linalg.norm(columns, axis=0)
    z = (
        np.linalg.lstsq(columns / norm, -errors[first], rcond=None)[0] / norm
        if rest
        else np.empty(0)
    )
    best = np.mean((errors[first] + columns @ z) ** 2) if rest else np.mean(errors[0] ** 2)
    scale = np.mean(errors[first] ** 2)
    # Gram squares the condition; with at most 6 of 8 random directions it rarely exceeds 1e4.
    assert (
        best - 1e-12 * scale <= np.mean((found @ errors) ** 2) <= best * (1 + 1e-6) + 1e-12 * scale
    )


@given(st.lists(st.floats(1e-12, 1e3), min_size=1, max_size=8))
def test_a_diagonal_gram_matrix_is_eq_9(losses):
    products = np.diag(losses)
    a = optimal_weights(products)
    assert_allclose(a, orthogonal_weights(losses), rtol=1e-12, atol=1e-13)
    assert_allclose(loss_of(a, products), orthogonal_loss(losses), rtol=1e-10)
    assert_allclose(
        loss_of(orthogonal_weights(losses), products), orthogonal_loss(losses), rtol=1e-12
    )


def test_many_ensembles_at_once_are_each_alone():
    errors = np.stack([drawn((3, 8, seed, -3)) for seed in range(12)]).reshape(3, 4, 3, POINTS)
    products = gram(errors, WEIGHT)
    together = optimal_weights(products)
    for place in np.ndindex(3, 4):
        assert_allclose(together[place], optimal_weights(products[place]), rtol=1e-12)


# Cosines


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.99999])
def test_planted_cosines_are_found(shared):
    base = orthonormal(9)
    errors = np.geomspace(1e-6, 1, 8)[:, None] * (
        np.sqrt(shared) * base[0] + np.sqrt(1 - shared) * base[1:]
    )
    found = cosines(errors, WEIGHT)
    assert len(found.values) == 28
    assert_allclose(found.values, shared, atol=1e-13)
    assert_allclose([found.median, *found.quantiles], shared, atol=1e-13)
    if shared:
        assert_allclose(found.directions, shared**-2, rtol=1e-10)


def test_cosines_of_pairs_count_each_direction():
    base = orthonormal(4)
    nets = np.repeat(base, 50, axis=0) * np.tile([1.0, -2.0], 100)[:, None]
    pairs = np.array(
        [[i, j] for i in range(200) for j in range(200)]
    )  # with themselves, so that shares are exact
    found = cosines(nets, WEIGHT, pairs)
    assert_allclose(found.directions, 4, rtol=1e-12)
    assert_allclose(np.unique(found.values.round(9)), [-1, 0, 1])
    assert len(found.quantiles) == len(QUANTILES)


# Last layers


def test_scaling_of_columns_changes_nothing():
    random = np.random.default_rng(0)
    columns, target, weight = (
        random.normal(size=(5, 30, 4)),
        random.normal(size=30),
        random.dirichlet(np.ones(30)),
    )
    plain = least_squares(columns, target, weight)
    scales = np.array([1e-6, 1.0, 1e6, 1e3])
    for cut in (1e-14, 1e-6):
        found = least_squares(columns * scales, target, weight, cut)
        assert_allclose(found, plain, rtol=1e-12)
    for i in range(5):
        root = np.sqrt(weight)
        theta = np.linalg.lstsq(columns[i] * root[:, None], target * root, rcond=None)[0]
        assert_allclose(plain[i], weight @ (columns[i] @ theta - target) ** 2, rtol=1e-12)


def test_dead_and_repeated_columns_are_cut():
    one = np.stack([X, X, np.zeros(POINTS), np.full(POINTS, 1e-30), np.ones(POINTS)], axis=1)
    assert least_squares(one[None], 3 * X + 2, WEIGHT)[0] < 1e-28
    assert least_squares(np.zeros((1, POINTS, 2)), X, WEIGHT)[0] == pytest.approx(
        np.mean(X**2), rel=1e-12
    )


def test_a_coarser_cut_keeps_fewer_directions():
    columns = np.stack([np.ones(POINTS), 1 + 1e-8 * X], axis=1)[None]
    assert least_squares(columns, X, WEIGHT)[0] < 1e-12
    assert least_squares(columns, X, WEIGHT, cut=1e-6)[0] > 0.1


def nets_of(w, b, x, y, activation="silu"):
    """An Ensemble of these hidden neurons, with other output weights."""
    data, count = dataset(x, y), len(w)
    config = ml.Config(width=w.shape[1], activation=activation, task="custom", sampling="custom")
    return ml.Ensemble(
        config=config.replace(points=data.points),
        data=data,
        seeds=np.arange(count),
        **Parameters(w, b, np.zeros(b.shape), np.zeros(count))._asdict(),
        loss=np.ones(count),
        history=ml.History(np.empty(0, np.int64), np.empty((0, count))),
        nodes=np.zeros(count, np.int64),
        audit=np.zeros(count),
        requested=count,
    )


@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("activation", ["silu", "relu", "tanh"])
def test_a_teacher_in_two_halves_is_joined_again(inputs, activation):
    random = np.random.default_rng(inputs)
    row = ACTIVATIONS[activation]
    x = random.uniform(-2, 2, (80, inputs))
    w, b = random.normal(size=(2, 2, inputs)) * 2, random.normal(size=(2, 2))
    v = random.normal(size=4)
    responses = hidden(row, w, b, x)
    assert_allclose(responses[1, 0], row.value(x @ w[1, 0] + b[1, 0]), rtol=1e-12)
    y = v @ np.concatenate([responses[0], responses[1]]) + 0.7
    nets = nets_of(w, b, x, y, activation)
    assert (refitted(nets) > 1e-5).all()
    assert (refitted(nets, [[0, 1], [1, 0]]) < 1e-25).all()


def test_many_joined_in_small_parts_are_the_same(monkeypatch):
    random = np.random.default_rng(0)
    nets = nets_of(random.normal(size=(20, 3, 1)), random.normal(size=(20, 3)), X, X**2)
    pairs = drawn_pairs(20, 50)
    whole = refitted(nets, pairs)
    monkeypatch.setattr("minilotto.analysis.ensembling.synergy.ENTRIES", 3 * POINTS * 7)
    assert_allclose(refitted(nets, pairs), whole, rtol=1e-6)


# Pairs and the paper's null


@given(st.integers(2, 40), st.integers(1, 1000), st.integers(0, 100))
def test_pairs_are_of_different_nets_each_once_and_balanced(nets, draws, seed):
    pairs = drawn_pairs(nets, draws, seed)
    assert len(pairs) == min(draws, nets * (nets - 1) // 2)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert len({frozenset(pair) for pair in pairs.tolist()}) == len(pairs)
    often = np.bincount(pairs.ravel(), minlength=nets)
    assert np.ptp(often) <= 2
    assert (drawn_pairs(nets, draws, seed) == pairs).all()


def test_the_papers_null_is_half_the_harmonic_mean():
    losses = np.random.default_rng(0).lognormal(size=50)
    pairs = drawn_pairs(50, 300, 4)
    assert_allclose(
        paper_null(losses, 300, 4),
        1 / (1 / losses[pairs[:, 0]] + 1 / losses[pairs[:, 1]]),
        rtol=1e-14,
    )


# Comparing


def test_distances_are_those_of_scipy():
    random = np.random.default_rng(0)
    null, wider = random.lognormal(size=137), random.lognormal(0.4, 1.3, size=61)
    wider[:20] = null[:20]  # ties between both
    found = compare(null, wider, resamples=100)
    assert_allclose(found.ks, ks_2samp(null, wider).statistic, rtol=1e-12)
    assert_allclose(
        found.wasserstein.value, wasserstein_distance(np.log10(null), np.log10(wider)), rtol=1e-12
    )
    assert_allclose(found.ratio.value, np.median(null) / np.median(wider), rtol=1e-15)
    assert found.median.low < found.median.value < found.median.high


def test_the_same_losses_have_no_distance():
    losses = np.random.default_rng(0).lognormal(size=30)
    found = compare(losses, losses[::-1], resamples=100)
    assert found.ks < 1e-14
    assert found.wasserstein.value < 1e-14
    assert found.p_value == 1
    assert found.ratio.value == 1


def test_a_planted_factor_is_found():
    random = np.random.default_rng(1)
    losses = 10 ** random.normal(-6, 0.3, 1000)
    pairs = drawn_pairs(1000, 2000)
    wider = 10 ** random.normal(-6, 0.3, (1000, 2))
    wider = 1 / (1 / wider[:, 0] + 1 / wider[:, 1])
    same, better = (
        compare(paper_null(losses), wider, pairs),
        compare(paper_null(losses), wider / 10, pairs),
    )
    assert same.ratio.low < 1 < same.ratio.high
    assert same.p_value > 0.05
    assert not same.bounded
    assert better.ratio.low < 10 < better.ratio.high
    assert abs(better.wasserstein.value - 1) < 1.5 * (
        better.wasserstein.high - better.wasserstein.low
    )
    assert better.wasserstein.low > better.floor
    assert better.bounded
    assert better.p_value == pytest.approx(1 / 1001, rel=1e-12)
    assert "p below" in str(better)
    assert_allclose(better.ratio.value, 10 * same.ratio.value, rtol=1e-12)


def test_the_same_seed_gives_the_same_and_units_do_not_matter():
    random = np.random.default_rng(2)
    null, wider = random.lognormal(size=50), random.lognormal(size=40)
    one, two = (
        compare(null, wider, resamples=200),
        compare(null * 1e-9, wider * 1e-9, resamples=200),
    )
    assert_allclose(
        [one.ratio.low, one.ratio.high, one.floor],
        [two.ratio.low, two.ratio.high, two.floor],
        rtol=1e-9,
    )
    assert one.p_value == two.p_value
    assert compare(null, wider, resamples=200, seed=1).ratio.low != one.ratio.low


@pytest.mark.parametrize(("nets", "draws"), [(30, 15), (30, 30), (30, 60), (30, 100), (30, 435)])
def test_resampled_sums_over_pairs_vary_as_those_of_new_nets(nets, draws):
    random = np.random.default_rng(3)
    pairs = drawn_pairs(nets, draws)
    often = np.bincount(pairs.ravel(), minlength=nets)
    weights = np.concatenate([*pair_weights(pairs, 400, len(pairs), random)])
    assert_allclose(weights.mean(), 1, atol=0.1)
    found = []
    for _ in range(200):
        parts = random.normal(size=nets)
        sums = weights @ (parts[pairs].sum(axis=1))
        found.append(np.mean((sums - often @ parts) ** 2))
    # 400 resamples shared by 200 ensembles of 30: the mean is known to some percent.
    assert_allclose(np.mean(found), np.sum(often**2), rtol=0.15)


def harmonic_pairs(random, count):
    two = 10 ** random.normal(0, 0.4, (count, 2))
    return 1 / (1 / two[:, 0] + 1 / two[:, 1])


@pytest.mark.parametrize("draws", [40, 80, 160, 480])
def test_intervals_cover_and_p_values_are_uniform(draws):
    """The ratio's 90 percent interval covers the truth 1, and p is below 0.1 in 10 percent, for 80
    nets against 80 wider ones.
    """
    random = np.random.default_rng(5)
    trials, nets = 200, 80
    covered = small = below = 0
    pairs = drawn_pairs(nets, draws)
    for trial in range(trials):
        losses = 10 ** random.normal(0, 0.4, nets)
        null = orthogonal_loss(losses[pairs])
        found = compare(null, harmonic_pairs(random, nets), pairs, resamples=150, seed=trial)
        covered += found.ratio.low < 1 < found.ratio.high
        small += found.p_value <= 0.1
        below += found.wasserstein.value < found.floor
    # Three binomial deviations of 200 trials are 6.4 percent; resamples of 40 pairs know their own
    # spread to a tenth.
    assert 0.84 <= covered / trials <= 0.98, covered / trials
    assert 0.02 <= small / trials <= 0.18, small / trials
    assert below / trials >= 0.8, below / trials


# All nulls side by side


def quick(errors, wider):
    """Of error functions of narrow and of wide nets."""
    pairs, losses = drawn_pairs(len(errors), 100), np.mean(wider**2, axis=1)
    return of_outputs(X**2 + errors, X**2, WEIGHT, losses, pairs, 0.9, 100)


def medians(found):
    return {name: null.median.value for name, null in found.nulls.items()}


def test_orthogonal_errors_make_every_null_the_papers():
    sizes = np.random.default_rng(0).uniform(1, 1.001, 20) * 1e-3
    found = quick(sizes[:, None] * orthonormal(20), sizes[:, None] * orthonormal(20) / 2)
    values = medians(found)
    assert list(values) == ["harmonic", "average", "sum to one", "free weights"]
    assert_allclose(list(values.values()), values["harmonic"], rtol=1e-5)
    assert_allclose([null.ratio.value for null in found.nulls.values()], 2, rtol=2e-3)
    assert_allclose(found.similarity.values, 0, atol=1e-13)
    assert found.notes == ()


def test_the_same_error_but_for_its_size_is_cancelled_by_weights_alone():
    sizes = np.linspace(1, 2, 20)
    noise = 1e-3 * orthonormal(21)  # leaves something where the rest has cancelled
    errors = sizes[:, None] * noise[0] + 1e-6 * noise[1:]
    values = medians(quick(errors, errors))
    assert values["average"] > values["harmonic"] > 1e3 * values["sum to one"]
    assert values["free weights"] <= values["sum to one"] * (1 + 1e-9)


def test_identical_errors_gain_from_no_weights():
    noise = 1e-3 * orthonormal(21)
    values = medians(quick(noise[0] + 1e-6 * noise[1:], noise[1:]))
    assert_allclose(values["average"], 2 * values["harmonic"], rtol=1e-3)
    # Errors that differ by little in all directions have no cancelling part: weights of one half
    # are best.
    assert_allclose(values["sum to one"], values["average"], rtol=1e-3)


def test_a_constant_and_a_factor_are_found_by_free_weights_alone():
    random = np.random.default_rng(0)
    base = 1e-4 * orthonormal(20)
    errors = 0.1 * X**2 + 0.2 + base * random.uniform(1, 2, 20)[:, None]
    values = medians(quick(errors, base * random.uniform(1, 2, 20)[:, None]))
    assert values["sum to one"] > 1e-3
    assert values["free weights"] < 3e-8


def test_real_nets_run_through_all_nulls(monkeypatch):
    # Else the cut may leave out what the nets' own outputs are made of.
    monkeypatch.setattr("minilotto.analysis.ensembling.synergy.FLOAT32_CUT", 1e-15)
    narrow, wide = (ml.train(ml.Config(width=width, steps=300), seeds=24) for width in (2, 4))
    data, pairs = narrow.data, drawn_pairs(24, 200)
    found = synergy(narrow, wide, draws=200, resamples=100)
    assert list(found.nulls) == list(NULLS)
    losses = {name: null.losses for name, null in found.nulls.items()}
    single = narrow.loss[pairs].min(axis=1)
    for worse, better in (
        (losses["average"], losses["sum to one"]),
        (single, losses["sum to one"]),
        (losses["sum to one"], losses["free weights"]),
        (losses["free weights"], losses["joined"]),
    ):
        assert (better <= worse * (1 + 1e-9)).all()
    assert (found.nulls["joined, all refitted"].wider <= wide.loss * (1 + 1e-9)).all()
    assert found.similarity_median.low <= found.similarity.median <= found.similarity_median.high
    outputs = (narrow.predict(data.x)[pairs[7]] - data.y).mean(axis=0)
    assert_allclose(losses["average"][7], data.weight @ outputs**2, rtol=1e-12)


def test_nets_that_diverged_are_left_out():
    narrow, wide = (ml.train(ml.Config(width=width, steps=50), seeds=16) for width in (2, 4))
    loss = narrow.loss.copy()
    loss[[3, 9]] = np.nan
    one = synergy(replace(narrow, loss=loss), wide, resamples=100)
    two = synergy(narrow.select(np.isfinite(loss)), wide, resamples=100)
    assert str(one) == str(two)
    with pytest.raises(DataError, match="9 narrow and 16 wide nets are finite; at least 10"):
        synergy(narrow[:9], wide)


def test_nets_that_have_no_joined_loss_are_refused():
    config, x = ml.Config(width=2, steps=5), np.linspace(-1, 1, 20)

    def halves(data=None, **changes):
        some = (config.replace(width=width, **changes) for width in (2, 4))
        return [ml.train(one, 12, data=data) for one in some]

    (nets, _), (_, other), deep = halves(), halves(task="sin"), halves(depth=2)
    labelled = halves((x, (x > 0).astype(float)), loss="logistic")
    with pytest.raises(DataError, match="have different data"):
        synergy(nets, other)
    for pair, word in ((labelled, "loss='logistic'"), (deep, "depth=2")):
        for call in (lambda pair=pair: refitted(pair[0]), lambda pair=pair: synergy(*pair)):
            with pytest.raises(ConfigError, match=word):
                call()
    for together in ([[0, 12]], [[-1, 0]], [0, 1], [[]], [[0.0, 1.0]], [["a"]], 3):
        with pytest.raises(DataError, match="positions among 12 nets"):
            refitted(nets, together)


def test_what_cannot_be_compared_becomes_a_note():
    sizes = np.linspace(1, 2, 20)
    exact = quick(sizes[:, None] * orthonormal(1)[0] * 0.0, sizes[:, None] * orthonormal(20))
    assert exact.nulls == {}
    assert exact.similarity is None
    assert len(exact.notes) == 5
    assert "logarithm" in str(exact)


GOOD = np.random.default_rng(0).lognormal(size=20)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: compare(np.ones(20), GOOD), "all 1"),
        (lambda: compare(GOOD[:9], GOOD), "at least 10"),
        (lambda: compare(np.append(GOOD, np.nan), GOOD), "not finite"),
        (lambda: compare(GOOD, GOOD, drawn_pairs(20, 30)), "pairs have shape"),
        (lambda: paper_null([1.0]), "two nets"),
        (lambda: orthogonal_loss([1.0, -1.0]), "at least 0"),
        (lambda: optimal_weights(np.zeros((2, 3))), "(..., n, n)"),
        (lambda: gram(np.zeros(3), np.ones(3)), "do not match"),
        (lambda: cosines(np.zeros((3, POINTS)), WEIGHT), "no error"),
        (lambda: cosines(np.ones((1, POINTS)), WEIGHT), "R > 1"),
        (lambda: least_squares(np.full((1, POINTS, 1), np.nan), X, WEIGHT), "not finite"),
    ],
)
def test_refusals_of_data(call, words):
    with pytest.raises(DataError) as caught:
        call()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: drawn_pairs(1, 5),
        lambda: drawn_pairs(5, 0),
        lambda: compare(GOOD, GOOD, level=1.5),
        lambda: compare(GOOD, GOOD, resamples=5),
    ],
)
def test_refusals_of_settings(call):
    with pytest.raises(ConfigError):
        call()
