"""Rules for two inputs: few nodes with the loss and the gradient of all points."""

import tracemalloc

import numpy as np
import pytest
from nets import random_nets
from scipy.stats import ks_2samp

import minilotto as ml
from minilotto.data import cubature
from minilotto.data.dataset import given
from minilotto.data.quadrature import compress, merged
from minilotto.engines.compressed import TOLERANCE
from minilotto.oracles import numpy_reference

RANDOM = np.random.default_rng(8)
SQUARE = RANDOM.uniform(-2, 2, (700, 2))
ALONG = RANDOM.uniform(-1, 1, 300)
AXIS = np.linspace(-1, 1, 25)
POINTS = {
    "uniform": SQUARE,
    "a grid": np.stack(np.meshgrid(AXIS, AXIS), axis=-1).reshape(-1, 2),
    "a disc": SQUARE[(SQUARE**2).sum(axis=1) < 4],
    "normal": RANDOM.normal(size=(500, 2)),
    "clusters": np.concatenate([0.01 * SQUARE[:250], SQUARE[:250] + [30, 0]]),
    "a line": np.stack([ALONG, 3 * ALONG], axis=1),
    "nearly a line": np.stack([ALONG, ALONG + 1e-6 * SQUARE[:300, 0]], axis=1),
    "a curve": np.stack([ALONG, ALONG**2], axis=1),
    "a constant input": np.stack([ALONG, 0 * ALONG + 7], axis=1),
    "repeated": np.repeat(SQUARE[:200], 3, axis=0),
    "hardly more than nodes": SQUARE[:142],
    "far away": SQUARE + 1e6,
    "of unlike size": SQUARE * [1e-100, 1e100],
    "an outlier": np.concatenate([SQUARE, [[1e3, -1e3]]]),
    "many": RANDOM.uniform(-1, 1, (5000, 2)),
}


def legendre(x, points, degree):
    """Products of Legendre polynomials up to a total degree, on the box of `points`: (M, P)."""
    low, high = points.min(axis=0), points.max(axis=0)
    s = (x - (low + high) / 2) / np.where(high > low, (high - low) / 2, 1)
    values = [np.polynomial.legendre.legvander(s[:, d], degree).T for d in range(2)]
    return np.array(
        [values[0][i] * values[1][j] for i in range(degree + 1) for j in range(degree + 1 - i)]
    )


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("nodes", [1, 40, 139])
def test_a_rule_has_the_datas_moments_and_projected_labels(name, nodes):
    x = POINTS[name]
    weight = np.random.default_rng(3).uniform(0.1, 1, len(x))
    data = merged(given(x, np.sin(5 * x[:, 0]) + np.sign(x[:, 1]), weight))
    few = compress(data, nodes)
    degree = {1: 0, 40: 7, 139: 15}[nodes]  # of as many moments
    assert 1 <= few.points <= nodes
    assert (few.weight > 0).all()
    assert np.isfinite(few.y).all()
    on_nodes, on_data = legendre(few.x, x, degree), legendre(data.x, x, degree)
    rounding = 1e-15 * np.abs(x).max() / np.ptp(x, axis=0).max()
    np.testing.assert_allclose(
        on_nodes @ few.weight, on_data @ data.weight, rtol=0, atol=1e-13 + 300 * rounding
    )
    # A polynomial f has the loss of the data, and so has its gradient, with f for a parameter.
    low = [*range((degree // 2 + 1) * (degree // 2 + 2) // 2)]
    on_nodes, on_data = (legendre(at, x, degree // 2)[low] for at in (few.x, data.x))
    f = np.random.default_rng(5).normal(size=len(low))
    ours = few.weight @ (f @ on_nodes - few.y) ** 2 + few.offset
    theirs = data.weight @ (f @ on_data - data.y) ** 2 + data.offset
    assert ours == pytest.approx(theirs, rel=1e-11 + 1e4 * rounding)
    slope = on_nodes @ (few.weight * (f @ on_nodes - few.y))
    expected = on_data @ (data.weight * (f @ on_data - data.y))
    size = np.abs(f).sum() * len(low)
    np.testing.assert_allclose(slope, expected, rtol=0, atol=size * (1e-13 + 300 * rounding))


def test_points_of_a_curve_need_no_more_nodes_than_its_polynomials():
    for name, most in (("a line", 21), ("a constant input", 21), ("a curve", 41)):
        x = POINTS[name]
        assert compress(given(x, x[:, 0]), 139).points <= most


@pytest.mark.parametrize("name", ["uniform", "a grid", "many"])
def test_nodes_that_move_are_fewer_than_moments(name):
    x = POINTS[name]
    few = compress(given(x, x[:, 0]), 139)
    exact = legendre(few.x, x, 20)
    assert few.points == 139 < len(exact)
    np.testing.assert_allclose(
        exact @ few.weight, legendre(x, x, 20).mean(axis=1), rtol=0, atol=1e-13
    )


def test_points_that_do_not_fill_their_box_are_compressed_on_points():
    x = POINTS["an outlier"]
    few = compress(given(x, x[:, 0]), 139)
    assert np.abs(few.x[:, None] - x).max(axis=2).min(axis=1).max() < 1e-12


def test_a_random_net_has_the_loss_and_gradient_of_its_points():
    x = POINTS["uniform"]
    data = given(x, np.sign(x[:, 0] * x[:, 1]))  # labels that no polynomial meets
    nets = random_nets(4, count=6, width=5, inputs=2, scale=0.5, uniform=True)
    few = compress(data, 139)
    (loss, gradient), (expected, slopes) = (
        numpy_reference.loss_and_gradient("silu", *nets, points.x, points.y, points.weight)
        for points in (few, data)
    )
    np.testing.assert_allclose(loss + few.offset, expected, rtol=1e-7)
    for ours, theirs in zip(gradient, slopes, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * np.abs(theirs).max())


CONFIG = ml.Config(task="product2", width=3, points=400, sampling="uniform", steps=1200)


def test_training_on_nodes_ends_in_the_distribution_of_training_on_points():
    on_nodes = ml.train(CONFIG, seeds=200, engine="compressed")
    on_points = ml.train(CONFIG, seeds=range(200, 400), compress=False)
    assert on_nodes.engine == "lanes, compressed"
    assert on_nodes.audit.max() <= TOLERANCE["float32"]
    assert len(set(on_nodes.nodes)) > 1
    assert ks_2samp(on_nodes.loss, on_points.loss).pvalue > 1e-3


def test_nets_do_not_depend_on_others_nor_on_threads_chunks_and_where_they_go_on():
    nets = ml.train(CONFIG, seeds=24, engine="compressed", threads=2, keep=[700, 1000], state=True)
    alone = ml.train(CONFIG, seeds=[5], engine="compressed", threads=1, checkpoints=[77])
    assert alone.w.tobytes() == nets.w[5:6].tobytes()
    for step in (700, 1000):  # between two audits, and at one
        shorter = ml.train(CONFIG.replace(steps=step), seeds=24, engine="compressed", state=True)
        assert shorter.w.tobytes() == nets.kept[step].w.tobytes()
        assert shorter.nodes.tolist() == nets.kept[step].nodes.tolist()
        for start in (shorter, nets.kept[step]):
            again = ml.train(CONFIG, start=start, engine="compressed")
            assert again.w.tobytes() == nets.w.tobytes()
            assert again.nodes.tolist() == nets.nodes.tolist()


def test_the_number_of_nodes_can_be_chosen_and_has_a_limit(capsys):
    nets = ml.train(CONFIG.replace(steps=5), seeds=3, compress=30)
    assert (nets.nodes == 30).all()
    with pytest.raises(ml.ConfigError, match="compress=3000 is out of reach for 2 inputs"):
        ml.train(CONFIG.replace(steps=5, points=4000), seeds=3, compress=3000, progress=True)
    assert not capsys.readouterr().err  # no bar before the refusal


def test_the_same_points_make_a_rule_once(monkeypatch):
    x = np.random.default_rng(0).uniform(-1, 1, (150, 2))
    compress(given(x, x[:, 0]), 30)
    monkeypatch.setattr(cubature, "_free_rule", None)
    monkeypatch.setattr(cubature, "_rule_on_points", None)
    compress(given(x.copy(), x[:, 1]), 30)


def test_memory_does_not_grow_with_the_polynomials_of_many_points():
    x = np.random.default_rng(2).uniform(-1, 1, (60_000, 2))
    data = merged(given(x, np.exp(x[:, 0])))
    tracemalloc.start()
    assert compress(data, 92).points == 92
    assert tracemalloc.get_traced_memory()[1] < 5e7
    tracemalloc.stop()
