"""Few neurons with refitted output weights: planted nets, brute force, exact arithmetic, and the
paper's equation 11.
"""

from functools import partial
from itertools import combinations

import nets
import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

import minilotto as ml
from minilotto.analysis.landscape.polish import VALLEY, Polished, Projected, polish
from minilotto.analysis.tickets.valley import valley
from minilotto.data.dataset import given, sampled
from minilotto.engines.evaluate import losses
from minilotto.ensemble.distillation import distill, distill_pairs, distill_path, pair_errors, refit
from minilotto.ensemble.last_layer import centred, orthogonal
from minilotto.errors import ConfigError, DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import ACTIVATIONS

SILU = ACTIVATIONS["silu"]
SQUARE = sampled(ml.Config())
W11, B11 = np.array([[[-5.9e-8], [1.2e-5]]]), np.array([[-2.8e-7, 7.6e-5]])
random_nets = partial(nets.random_nets, count=6, width=8)


def brute_loss(nets, i, chosen, data, activation=SILU):
    """Loss of the least squares on [responses, 1] by LAPACK: an oracle where nothing cancels."""
    columns = activation.value(data.x @ nets.w[i, chosen].T + nets.b[i, chosen])
    root = np.sqrt(data.weight)[:, None]
    matrix = np.concatenate([columns, np.ones((data.points, 1))], axis=1) * root
    solution = np.linalg.lstsq(matrix, data.y * root[:, 0], rcond=None)[0]
    return np.sum((matrix @ solution - data.y * root[:, 0]) ** 2)


def exact_columns(mp, w, b, x):
    z = [
        [mp.mpf(float(w[i])) * mp.mpf(float(a)) + mp.mpf(float(b[i])) for i in range(len(w))]
        for a in x
    ]
    return mp.matrix([[u / (1 + mp.exp(-u)) for u in row] + [mp.mpf(1)] for row in z])


def exact_fit(mp, w, b, x):
    """Least-squares loss on y = x^2 of silu neurons, and the root mean square of the sum of
    absolute terms, in exact arithmetic.
    """
    matrix = exact_columns(mp, w, b, x)
    y = mp.matrix([mp.mpf(float(a)) ** 2 for a in x])
    solution = mp.lu_solve(matrix.T * matrix, matrix.T * y)
    rest = matrix * solution - y
    terms = [sum(abs(matrix[p, k] * solution[k]) for k in range(len(w) + 1)) for p in range(len(x))]
    return sum(r * r for r in rest) / len(x), mp.sqrt(sum(t * t for t in terms) / len(x))


def test_equation_11():
    """From its printed w and b, 2.4e-19 within a factor of 2; without scaled columns it is 1e-12 at
    best.
    """
    found = refit(SILU, W11, B11, SQUARE)
    assert 1.2e-19 < found.loss[0] < 4.8e-19
    assert found.rank[0] == 2
    np.testing.assert_allclose(
        found.parameters.v, [[5.5e12, 2.6e10]], rtol=0.1
    )  # as printed; they follow w and b of two digits
    assert found.rounding[0] == pytest.approx(
        (2.2e-16 * found.cancellation[0]) ** 2 * np.mean(SQUARE.y**2), rel=0.05
    )
    columns = np.concatenate([SILU.value(SQUARE.x @ W11[0].T + B11[0]), np.ones((100, 1))], axis=1)
    plain = np.linalg.lstsq(columns, SQUARE.y, rcond=None)[0]
    assert np.mean((columns @ plain - SQUARE.y) ** 2) > 1e-12


def test_equation_11_in_exact_arithmetic():
    mp = pytest.importorskip("mpmath").mp
    with mp.workdps(60):
        loss, _ = exact_fit(mp, W11[0, :, 0], B11[0], SQUARE.x[:, 0])
    assert float(loss) == pytest.approx(1.4222e-19, rel=1e-3)
    found = refit(SILU, W11, B11, SQUARE)
    # What float64 adds is at most a few times the rounding that it reports.
    assert abs(found.loss[0] - float(loss)) <= 2 * found.rounding[0]


@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("name", ["silu", "relu", "tanh"])
def test_one_and_two_neurons_are_the_best_of_all(inputs, name):
    rng = np.random.default_rng(inputs)
    x = rng.normal(size=(60, inputs))
    data = given(x, np.sin(x.sum(axis=1)), rng.uniform(0.1, 1, 60))
    nets = random_nets(5, inputs=inputs)
    for count in (1, 2):
        found = distill(ACTIVATIONS[name], nets, count, data)
        for i in range(6):
            best = min(
                brute_loss(nets, i, list(c), data, ACTIVATIONS[name])
                for c in combinations(range(8), count)
            )
            np.testing.assert_allclose(found.loss[i], best, rtol=1e-9)
            np.testing.assert_allclose(
                brute_loss(nets, i, found.chosen[i], data, ACTIVATIONS[name]), best, rtol=1e-9
            )
    np.testing.assert_allclose(
        losses(ACTIVATIONS[name], found.parameters, data), found.loss, rtol=1e-9
    )


def test_three_and_four_neurons_come_close_to_the_best_of_all():
    nets = random_nets(7, count=40)
    for k, found in zip((3, 4), distill_path(SILU, nets, [3, 4], SQUARE), strict=True):
        best = np.array(
            [
                min(brute_loss(nets, i, list(c), SQUARE) for c in combinations(range(8), k))
                for i in range(40)
            ]
        )
        assert (found.loss >= best * (1 - 1e-6)).all()
        assert np.mean(found.loss <= best * (1 + 1e-6)) >= 0.7
        assert np.median(found.loss / best) < 1.001


def test_planted_neurons_are_found_and_the_loss_falls_with_width():
    nets = random_nets(8, count=5, width=14)
    data = given(
        SQUARE.x,
        SILU.value(SQUARE.x @ nets.w[0, [2, 5, 11]].T + nets.b[0, [2, 5, 11]]) @ [1.0, -2.0, 0.5]
        + 3.0,
    )
    path = distill_path(SILU, Parameters(*(part[:1] for part in nets)), [1, 2, 3, 6], data)
    assert sorted(path[2].chosen[0]) == [2, 5, 11]
    assert path[2].loss[0] < 1e-26
    order = np.argsort(path[2].chosen[0])
    np.testing.assert_allclose(path[2].parameters.v[0, order], [1.0, -2.0, 0.5], rtol=1e-8)
    path = distill_path(SILU, nets, [1, 2, 3, 5, 8, 14], SQUARE)
    for wider, narrower in zip(path[1:], path[:-1], strict=True):
        assert (wider.loss <= narrower.loss * (1 + 1e-9) + 10 * wider.rounding).all()


@settings(max_examples=20, deadline=None)
@hypothesis_given(seed=st.integers(0, 999), k=st.integers(1, 4))
def test_shuffled_and_rescaled_neurons_give_the_same_net(seed, k):
    nets = random_nets(seed, count=2, width=6)
    order = np.random.default_rng(seed).permutation(6)
    shuffled = Parameters(nets.w[:, order], nets.b[:, order], 1e5 * nets.v[:, order], nets.c)
    one, other = distill(SILU, nets, k, SQUARE), distill(SILU, shuffled, k, SQUARE)
    np.testing.assert_allclose(one.loss, other.loss, rtol=1e-6, atol=1e-22)


def test_dead_equal_and_diverged_neurons():
    nets = random_nets(9, count=4, width=3)
    nets.w[0] = 0.0  # all dead
    nets.w[1], nets.b[1] = nets.w[1, :1], nets.b[1, :1]  # all equal
    nets.w[2, 1:], nets.b[2, 1:] = 0.0, 1e-320  # dead, and a response that underflows
    nets.c[3] = np.inf
    found = distill(SILU, nets, 2, SQUARE)
    assert found.rank.tolist() == [0, 1, 1, 0]
    assert found.loss[0] == pytest.approx(np.var(SQUARE.y), rel=1e-12)
    assert np.isfinite(found.parameters.v[:3]).all()
    assert np.isnan(found.loss[3])
    assert found.chosen[3].tolist() == [-1, -1]
    assert found.loss[1] == pytest.approx(brute_loss(nets, 1, [0], SQUARE), rel=1e-9)
    # A response that varies by rounding alone is no direction.
    assert refit(
        SILU, np.array([[[2e-15], [0.5]]]), np.array([[1.0, 0.2]]), SQUARE
    ).rank.tolist() == [1]


def test_neurons_are_not_chosen_for_the_luck_of_rounding():
    """Of all pairs, the one whose loss and ten times its rounding are least, to the accuracy of
    that estimate.
    """
    rng = np.random.default_rng(15)
    scale = 10.0 ** rng.uniform(-8, -4, (20, 9))
    nets = Parameters(
        (scale * rng.choice([-1, 1], (20, 9)))[:, :, None],
        scale * rng.normal(size=(20, 9)),
        scale,
        np.zeros(20),
    )
    found = distill(SILU, nets, 2, SQUARE)
    for i in range(20):
        fits = [
            refit(SILU, nets.w[i][None, list(c)], nets.b[i][None, list(c)], SQUARE)
            for c in combinations(range(9), 2)
        ]
        best = min(float(fit.loss[0] + 10 * fit.rounding[0]) for fit in fits)
        assert found.loss[i] + 10 * found.rounding[i] <= 2 * best


def test_near_parallel_responses_are_told_apart_to_rounding():
    rng = np.random.default_rng(16)
    basis = np.linalg.qr(rng.normal(size=(100, 3)))[0].T
    rows = basis + 1e-9 * rng.normal(size=(3, 100))
    left = orthogonal(rows, basis)
    assert (np.abs(left @ basis.T) <= 1e-15 * np.linalg.norm(left, axis=1)[:, None]).all()


@pytest.mark.parametrize("width", [0, 9, 2.0, True])
def test_widths_out_of_reach_are_refused(width):
    with pytest.raises(ConfigError, match="out of range; give a whole number from 1 to 8"):
        distill(SILU, random_nets(0), width, SQUARE)


def test_data_of_other_inputs_are_refused():
    with pytest.raises(DataError, match="for data of 1 inputs"):
        distill(SILU, random_nets(0, inputs=2), 2, SQUARE)


@pytest.mark.parametrize("predictor", ["span", "output"])
def test_errors_of_pairs_are_those_of_least_squares(predictor):
    nets = random_nets(10)
    pairs = np.array([[[0, 1], [2, 3], [4, -1]]] * 6)
    nets.b[5, 0] = np.nan
    errors, r2 = pair_errors(SILU, nets, pairs, SQUARE, predictor)
    for i in range(5):
        for k, pair in enumerate(pairs[i]):
            chosen = [j for j in pair if j >= 0]
            columns = SILU.value(SQUARE.x @ nets.w[i, chosen].T + nets.b[i, chosen])
            columns = columns @ nets.v[i, chosen][:, None] if predictor == "output" else columns
            matrix = np.concatenate([columns, np.ones((100, 1))], axis=1)
            fit = matrix @ np.linalg.lstsq(matrix, SQUARE.y, rcond=None)[0]
            np.testing.assert_allclose(errors[i, k], fit - SQUARE.y, atol=1e-10)
            np.testing.assert_allclose(
                r2[i, k], 1 - np.var(fit - SQUARE.y) / np.var(SQUARE.y), atol=1e-12
            )
    assert np.isnan(r2[5]).all()


def test_a_neuron_paired_with_itself_is_no_better_than_alone():
    nets = random_nets(10)
    _, r2 = pair_errors(SILU, nets, np.array([[[3, 3], [3, -1], [-1, 3], [-1, -1]]] * 6), SQUARE)
    np.testing.assert_allclose(r2[:, :3], r2[:, :1].repeat(3, axis=1), atol=1e-13)
    assert (r2[:, 3] == 0).all()


def test_the_best_pair_is_refitted():
    nets = random_nets(11)
    pairs = np.array([[[0, 1], [2, 3], [4, 5], [6, -1]]] * 6)
    found = distill_pairs(SILU, nets, pairs, SQUARE)
    for i in range(6):
        best = min(brute_loss(nets, i, list(pair), SQUARE) for pair in pairs[i, :3])
        np.testing.assert_allclose(found.loss[i], best, rtol=1e-9)
    by_output = distill_pairs(SILU, nets, pairs, SQUARE, "output")
    _, r2 = pair_errors(SILU, nets, pairs, SQUARE, "output")
    assert by_output.chosen.tolist() == pairs[np.arange(6), np.argmax(r2[:, :3], axis=1)].tolist()
    assert (by_output.loss >= found.loss * (1 - 1e-9)).all()


@pytest.mark.parametrize(
    "pairs",
    [np.zeros((6, 3)), np.zeros((6, 3, 3), int), np.zeros((5, 3, 2), int), np.full((6, 1, 2), 8)],
)
def test_pairs_that_do_not_fit_are_refused(pairs):
    with pytest.raises(DataError, match="pairs"):
        pair_errors(SILU, random_nets(0), pairs, SQUARE)


def test_an_unknown_predictor_is_refused():
    with pytest.raises(ConfigError, match="choose from span, output"):
        pair_errors(SILU, random_nets(0), np.zeros((6, 1, 2), int), SQUARE, "best")


def test_an_ensemble_distills_itself(tmp_path):
    nets = ml.train(ml.Config(width=50), seeds=100)
    small = nets.distill(2)
    assert small.config.width == 2
    assert small.engine == "distilled"
    # Figure 13: some tickets of tickets fit below 1e-12. About one net in six has such a pair.
    assert (small.loss < 1e-12).any()
    # The kernel's exponential rounds in its own way; what differs is of the size that is reported.
    rounding = distill(nets.activation, nets.parameters, 2, nets.data).rounding
    elsewhere = np.mean((small.predict(small.data.x) - small.data.y) ** 2, axis=1)
    assert (np.abs(np.sqrt(elsewhere) - np.sqrt(small.loss)) <= 2 * np.sqrt(rounding)).all()
    again = ml.load(small.save(tmp_path / "small.npz"))
    np.testing.assert_array_equal(again.v, small.v)
    np.testing.assert_array_equal(again.seeds, nets.seeds)


@pytest.mark.parametrize("name", ["silu", "tanh"])
@pytest.mark.parametrize("inputs", [1, 2])
def test_the_gradient_of_the_projected_loss_is_right_in_every_coordinate(name, inputs):
    rng = np.random.default_rng(12)
    x = rng.normal(size=(40, inputs))
    data = given(x, np.cos(x).prod(axis=1), rng.uniform(0.1, 1, 40))
    net = Projected(ACTIVATIONS[name], data, 3)
    theta = rng.normal(size=3 * (inputs + 1))
    gradient = 2 * net.jacobian(theta).T @ net.residual(theta)
    h = 1e-5  # central differences err by h^2 and by eps / h
    steps = h * np.eye(len(theta))
    differences = [
        (np.sum(net.residual(theta + s) ** 2) - np.sum(net.residual(theta - s) ** 2)) / (2 * h)
        for s in steps
    ]
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-9)
    # Where the residual vanishes, so does what Kaufman leaves out.
    fitted = given(
        x,
        ACTIVATIONS[name].value(x @ theta[: 3 * inputs].reshape(3, inputs).T + theta[3 * inputs :])
        @ [1.0, 2.0, -1.0],
    )
    net = Projected(ACTIVATIONS[name], fitted, 3)
    columns = np.stack(
        [(net.residual(theta + s) - net.residual(theta - s)) / (2 * h) for s in steps], axis=1
    )
    np.testing.assert_allclose(net.jacobian(theta), columns, atol=1e-8)


def test_a_planted_minimum_is_found_to_rounding():
    nets = random_nets(13, count=3, width=2)
    rng = np.random.default_rng(0)
    for i in range(3):
        data = given(
            SQUARE.x, SILU.value(SQUARE.x @ nets.w[i].T + nets.b[i]) @ nets.v[i] + nets.c[i]
        )
        near = Parameters(
            *(
                part[i : i + 1] * (1 + 0.01 * rng.normal(size=part[i : i + 1].shape))
                for part in nets
            )
        )
        assert polish(SILU, near, data).loss[0] < 1e-26


def test_trained_nets_descend_until_cancellation():
    """None of 64 nets, not even those that had become constants, sits in a local minimum."""
    nets = ml.train(ml.Config(width=2), seeds=64)
    end = polish(nets.activation, nets.parameters, nets.data)
    np.testing.assert_allclose(end.start, nets.loss, rtol=1e-6)
    assert (end.loss <= end.start).all()
    assert end.loss.max() < 1e-8
    # How far rounding lets a net go depends on the net and on LAPACK, 1e-19 to 4e-17 in the median.
    assert np.median(end.loss / end.rounding) < 3
    assert np.mean(end.cancelled) > 0.8
    assert (end.evaluations <= 500).all()
    # From there on only rounding moves; what it makes worse is not taken.
    again = polish(nets.activation, end.parameters, nets.data)
    assert (again.loss <= end.loss).all()


def test_a_net_whose_output_weights_diverged_is_not_polished():
    """w and b alone would do for a fit of v and c."""
    nets = Parameters(np.ones((2, 1, 1)), np.ones((2, 1)), np.array([[np.nan], [1.0]]), np.zeros(2))
    end = polish(SILU, nets, SQUARE, evaluations=3)
    assert np.isnan(end.loss).tolist() == np.isnan(end.start).tolist() == [True, False]
    assert np.isnan(end.parameters.w).ravel().tolist() == [True, False]
    assert end.evaluations[0] == 0


def test_no_widths_are_no_smaller_nets():
    nets = Parameters(np.ones((2, 1, 1)), np.ones((2, 1)), np.ones((2, 1)), np.zeros(2))
    assert distill_path(SILU, nets, [], SQUARE) == []


def test_polish_leaves_alone_what_it_cannot_better():
    nets = random_nets(14, count=2, width=2)
    nets.w[1] = np.nan
    end = polish(SILU, nets, SQUARE)
    assert np.isnan(end.loss[1])
    assert end.evaluations[1] == 0
    with pytest.raises(DataError, match="4 weights and biases"):
        polish(SILU, nets, given(np.linspace(0, 1, 3), np.arange(3.0)))
    with pytest.raises(ConfigError, match="evaluations=0"):
        polish(SILU, nets, SQUARE, evaluations=0)


def test_the_digits_that_a_net_needs():
    """With so many digits exact arithmetic gives the loss to some percent; with four fewer it gives
    another.
    """
    mp = pytest.importorskip("mpmath").mp
    w, b = np.array([0.01, -0.01]), np.array([-1.03, -1.03])
    with mp.workdps(60):
        loss, terms = exact_fit(mp, w, b, SQUARE.x[:, 0])
        matrix = exact_columns(mp, w, b, SQUARE.x[:, 0])
        y = mp.matrix([mp.mpf(float(a)) ** 2 for a in SQUARE.x[:, 0]])
        # The two columns are nearly mirror images; the symmetric solution is the one that trained
        # nets have.
        solution = mp.lu_solve(matrix.T * matrix, matrix.T * y)
    rounding = np.array([(np.finfo(float).eps * float(terms)) ** 2])
    polished = Polished(None, None, np.array([float(loss)]), None, None, rounding)
    digits = int(np.ceil(polished.digits()[0]))
    found = {}
    for places in (digits, digits - 4):
        with mp.workdps(places):
            rounded = exact_columns(mp, w, b, SQUARE.x[:, 0])
            rest = [
                sum((+rounded[p, k]) * (+solution[k]) for k in range(3)) - (+y[p])
                for p in range(100)
            ]
            found[places] = float(sum(r * r for r in rest) / 100)
    assert found[digits] == pytest.approx(float(loss), rel=0.1)
    assert found[digits - 4] > 2 * float(loss)


def test_terms_grow_down_the_valley_that_a_descent_follows():
    found = valley(SILU, [0.2, 0.05], SQUARE, -1.2)
    assert found.resolved.all()
    slope = (
        -0.5 * np.log(found.rounding[1] / found.rounding[0]) / np.log(found.loss[1] / found.loss[0])
    )
    assert slope == pytest.approx(VALLEY, abs=0.02)


def test_digits_down_the_valley():
    nets = ml.train(ml.Config(width=2, steps=5000), seeds=8)
    end = polish(nets.activation, nets.parameters, nets.data, evaluations=5)
    np.testing.assert_allclose(end.digits(1e-20) - end.digits(1e-30), -7.5)


def test_centring_leaves_no_mean():
    weight = np.array([0.2, 0.3, 0.5])
    rows = centred(np.array([[1e8, 1e8 + 1, 1e8 - 1]]), np.sqrt(weight))
    assert abs(rows @ np.sqrt(weight)) < 1e-15
