"""Compression keeps loss and gradient; audits find what it would lose; the population limit is an
integral.
"""

import nets
import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st
from nets import NUMBERS, mostly_slow
from scipy.integrate import quad
from scipy.stats import ks_2samp

import minilotto as ml
from minilotto.cli.summary import summary
from minilotto.data.dataset import frozen, given, population_rule, sampled
from minilotto.data.quadrature import compress, merged, thinned
from minilotto.engines.compressed import (
    FEWER_FROM,
    FEWER_NODES,
    NODE_LEVELS,
    SPARE,
    TOLERANCE,
    CompressedEngine,
    audit_steps,
)
from minilotto.engines.differences import scales
from minilotto.engines.lanes import LaneEngine
from minilotto.initialisation import Parameters
from minilotto.kernels.simd import lane_count
from minilotto.oracles import numpy_reference


def random_nets(seed, count=12, width=6, weight=1.0):
    drawn = nets.random_nets(seed, count, width, uniform=True)
    return drawn._replace(w=weight * drawn.w)


def loss_and_gradient(nets, data, activation="silu"):
    """Loss with its offset, and the whole gradient of each net as one row."""
    loss, parts = numpy_reference.loss_and_gradient(activation, *nets, data.x, data.y, data.weight)
    return loss + data.offset, np.concatenate(
        [part.reshape(len(loss), -1) for part in parts], axis=1
    )


def scale(nets, data):
    """A size that loss and gradient have when nothing cancels: what rounding errors are measured
    against.
    """
    w, b, v, c = (np.abs(part) for part in nets)
    reach = np.abs(data.x).max() + 1
    output = (v * (w[:, :, 0] * reach + b + 1)).sum(axis=1) + c + np.abs(data.y).max()
    return output**2, (
        output * (1 + v.max(axis=1)) * (reach + 1) * (1 + w.max(axis=(1, 2)) + b.max(axis=1))
    )[:, None]


@pytest.mark.parametrize("activation", ["silu", "tanh", "gelu", "softplus", "sigmoid"])
def test_48_nodes_stand_for_1000_noisy_points(activation):
    rng = np.random.default_rng(1)
    x = rng.uniform(-2, 2, 1000)
    data = given(x, x**2 + 0.1 * rng.normal(size=1000))
    few = compress(data, 48)
    assert few.points == 48
    nets = random_nets(2)
    (loss, gradient), (loss_few, gradient_few) = (
        loss_and_gradient(nets, data, activation),
        loss_and_gradient(nets, few, activation),
    )
    np.testing.assert_allclose(loss_few, loss, rtol=1e-12)
    assert (
        np.abs(gradient_few - gradient).max(axis=1) <= 1e-12 * np.abs(gradient).max(axis=1)
    ).all()


def test_trained_nets_in_float64_lose_nothing_at_the_default_number_of_nodes():
    rng = np.random.default_rng(3)
    x = rng.uniform(-2, 2, 1000)
    data = given(x, x**2 + 0.1 * rng.normal(size=1000))
    nets = ml.train(ml.Config(width=10, steps=3000, dtype="float64"), seeds=16, data=data)
    assert nets.engine == "lanes, compressed"
    assert set(nets.nodes) == {48}
    _, gradient = loss_and_gradient(nets.parameters, data)
    _, gradient_few = loss_and_gradient(nets.parameters, compress(data, 48))
    untrained = loss_and_gradient(random_nets(4, width=10), data)[1]
    assert np.abs(gradient_few - gradient).max() <= 1e-12 * np.abs(untrained).max()


@settings(max_examples=60)
@hypothesis_given(
    points=st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(-12, 3)), min_size=1, max_size=60),
    nodes=st.integers(1, 40),
    seed=st.integers(0, 9),
)
def test_any_data_ties_clusters_and_uneven_weights(points, nodes, seed):
    x, y, exponent = np.array(points, dtype=np.float64).T
    data = given(x, y, 10.0**exponent)
    few = compress(data, nodes)
    assert few.points <= min(nodes, len(np.unique(x)))
    np.testing.assert_allclose(few.weight.sum(), 1.0, rtol=1e-13)
    # Polynomials of degree below `nodes` see no difference, whatever the data: here a constant, a
    # line, a parabola.
    for degree in range(min(nodes, 3)):
        p = np.polynomial.Polynomial(np.random.default_rng(seed).uniform(-1, 1, degree + 1))
        full = np.sum(data.weight * (p(data.x[:, 0]) - data.y) ** 2)
        kept = np.sum(few.weight * (p(few.x[:, 0]) - few.y) ** 2) + few.offset
        np.testing.assert_allclose(
            kept, full, rtol=1e-9, atol=1e-13 * (1 + np.abs(data.y).max()) ** 2
        )
    if few.points == len(np.unique(x)):
        nets = random_nets(seed)
        (loss, gradient), (loss_few, gradient_few) = (
            loss_and_gradient(nets, data),
            loss_and_gradient(nets, few),
        )
        loss_scale, gradient_scale = scale(nets, data)
        assert (np.abs(loss_few - loss) <= 1e-13 * loss_scale).all()
        assert (np.abs(gradient_few - gradient) <= 1e-13 * gradient_scale).all()


def test_merging_keeps_the_loss_of_repeated_points():
    x = np.array([0.0, 1.0, 0.0, 1.0, 0.5])
    data = given(x, np.array([1.0, 2.0, 3.0, 2.0, 0.0]), np.array([1.0, 1.0, 3.0, 0.0, 2.0]))
    nets = random_nets(5)
    few = merged(data)
    assert few.points == 3
    for ours, theirs in zip(
        loss_and_gradient(nets, few), loss_and_gradient(nets, data), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("points", [50_000, 200_001])
def test_many_points_are_compressed_in_pieces(points):
    rng = np.random.default_rng(points)
    x = np.concatenate(
        [rng.uniform(-2, 2, points // 2), rng.normal(0.3, 0.01, points - points // 2)]
    )
    data = given(x, np.sin(x) + rng.normal(size=points), rng.uniform(0.1, 1, points))
    nets = random_nets(6, count=2)
    full, few, local = (
        loss_and_gradient(nets, part) for part in (data, compress(data, 48), thinned(data, 256, 7))
    )
    for reduced in (few, local):
        np.testing.assert_allclose(reduced[0], full[0], rtol=1e-11)
        assert (
            np.abs(reduced[1] - full[1]).max(axis=1) <= 1e-11 * np.abs(full[1]).max(axis=1)
        ).all()


def test_a_sharp_net_makes_the_audit_raise_its_nodes_and_only_its_own():
    config = ml.Config(width=6, steps=20)
    data = sampled(config)
    nets = random_nets(7, count=4)
    sharp = nets._replace(w=nets.w.copy())
    sharp.w[2] = 200.0
    engine = CompressedEngine(config, data, threads=1)
    engine.start(Parameters(*(part.astype(np.float32) for part in sharp)))
    engine.audit(0)
    engine.advance(0, 20)
    engine.audit(20)
    nodes, worst = engine.effort()
    assert nodes[2] == 100
    assert (nodes[[0, 1, 3]] <= 32).all()
    assert (worst <= TOLERANCE["float32"]).all()
    alone = CompressedEngine(config, data, threads=1)
    alone.start(Parameters(*(part[:1].astype(np.float32) for part in sharp)))
    alone.audit(0)
    alone.advance(0, 20)
    alone.audit(20)
    assert alone.parameters().w.tobytes() == engine.parameters().w[:1].tobytes()


def test_audits_fill_whole_vectors_of_wide_nets(monkeypatch):
    config, sizes = ml.Config(width=900), []

    def compared(engine, parameters, rule, data):
        sizes.append(len(parameters.c))
        return np.zeros(sizes[-1])

    monkeypatch.setattr(CompressedEngine, "_differences", compared)
    engine = CompressedEngine(config, sampled(config), threads=1)
    drawn, data = random_nets(seed=0, count=20, width=900), engine.data
    engine._differences_in_threads(drawn, data, data)
    lanes = lane_count("float64")
    assert (sum(sizes), {size % lanes for size in sizes[:-1]}) == (20, {0})


def test_a_net_too_sharp_for_every_level_is_reported_not_hidden():
    rng = np.random.default_rng(8)
    x = rng.uniform(-2, 2, 6000)
    config = ml.Config(width=6, steps=5)
    engine = CompressedEngine(config, given(x, x**2), threads=1)
    nets = random_nets(9, count=2)
    nets.w[1] = 3000.0
    engine.start(Parameters(*(part.astype(np.float32) for part in nets)))
    engine.audit(0)
    nodes, worst = engine.effort()
    assert nodes[1] == 256
    assert worst[1] > TOLERANCE["float32"] > worst[0]


def test_a_failed_audit_goes_back_to_the_last_good_one(monkeypatch):
    """Forced to fail at step 100, seeds end where more nodes from the start of that chunk would
    have brought them.
    """
    config = ml.Config(width=3, steps=100)
    data = sampled(config)
    start = Parameters(*(part.astype(np.float32) for part in random_nets(10, count=5, width=3)))
    engine = CompressedEngine(config, data, threads=1)
    engine.levels = [16, 48]
    engine.start(start)
    engine.audit(0)
    engine.advance(0, 100)
    monkeypatch.setitem(TOLERANCE, "float32", -1.0)
    engine.audit(100)
    assert set(engine.nodes) == {48}
    direct = LaneEngine(config, compress(data, 48), threads=1)
    direct.start(start)
    direct.advance(0, 100)
    assert direct.parameters().w.tobytes() == engine.parameters().w.tobytes()


def test_training_with_and_without_compression_ends_in_the_same_distribution():
    """Kolmogorov-Smirnov on final losses; seeds are fixed, so the stated error rate of 1 in 1000
    was drawn once.
    """
    config = ml.Config(width=4, steps=8000, lr_decay_every=1600)
    with_nodes = ml.train(config, seeds=range(500))
    without = ml.train(config, seeds=range(500, 1000), compress=False)
    assert with_nodes.nodes.max() < 100 <= without.nodes.min()
    assert ks_2samp(with_nodes.loss, without.loss).pvalue > 1e-3


def test_results_do_not_depend_on_neighbours_threads_or_checkpoints():
    config = ml.Config(width=2, steps=400)
    whole = ml.train(config, seeds=40)
    part = ml.train(config, seeds=[7, 31], threads=1, checkpoints=[3, 250])
    for name in ("w", "b", "v", "c", "loss", "nodes"):
        assert getattr(whole, name)[[7, 31]].tobytes() == getattr(part, name).tobytes(), name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_later_audits_let_each_net_go_on_with_the_fewest_nodes_that_serve_it(dtype):
    config = ml.Config(width=4, steps=FEWER_FROM[1], dtype=dtype)
    before = ml.train(config, seeds=30, engine="compressed", state=True)
    after = ml.train(config.replace(steps=FEWER_FROM[1] + 1), start=before)
    assert after.nodes.mean() < NODE_LEVELS[1][dtype][0] <= before.nodes.min()
    data, nets = merged(before.data), [part.astype(float) for part in before.parameters[:4]]
    loss, gradient = loss_and_gradient(nets, data)
    bounds, loss_scale = scales(Parameters(*nets), data)
    bounds = np.concatenate([part.reshape(30, -1) for part in bounds[:4]], axis=1)
    differences = {}
    for nodes in (*FEWER_NODES[dtype], *NODE_LEVELS[1][dtype][:4]):
        few, gradient_few = loss_and_gradient(nets, compress(data, nodes))
        found = np.abs(gradient_few - gradient) / bounds
        differences[nodes] = np.maximum(found.max(axis=1), np.abs(few - loss) / loss_scale)
    limit, rounding = SPARE * TOLERANCE[dtype], 1e-14
    levels = list(differences)
    for net, nodes in enumerate(after.nodes.tolist()):
        assert differences[nodes][net] < limit + rounding or nodes == before.nodes[net]
        for fewer in levels[: levels.index(nodes)]:
            assert differences[fewer][net] > limit - rounding


def test_seeds_that_fail_an_audit_at_different_levels_are_raised_one_level_each():
    """Early on nets of width 3 outgrow 16 nodes and some of them 20: each as it would alone."""
    config = ml.Config(width=3, steps=500)
    together = ml.train(config, seeds=100)
    assert set(together.nodes) >= {16, 20, 24}
    alone = [ml.train(config, seeds=[seed], threads=1) for seed in range(20)]
    assert together.nodes[:20].tolist() == [int(net.nodes[0]) for net in alone]
    for name in ("w", "loss", "audit"):
        assert getattr(together, name)[:20].tobytes() == b"".join(
            getattr(net, name).tobytes() for net in alone
        ), name


def test_a_fixed_number_of_nodes_is_kept_and_its_error_reported():
    nets = ml.train(ml.Config(width=3, steps=50), seeds=5, compress=10)
    assert set(nets.nodes) == {10}
    assert (nets.audit > TOLERANCE["float32"]).any()


@pytest.mark.parametrize("compress_to", [0, -3, 1.5, "few"])
def test_a_number_of_nodes_that_means_nothing_is_refused(compress_to):
    with pytest.raises(ml.ConfigError, match="compress"):
        ml.train(ml.Config(steps=5), seeds=2, compress=compress_to)


@pytest.mark.parametrize(
    "config",
    [ml.Config(activation="relu", steps=5), ml.Config(task="product3", points=27, steps=5)],
)
def test_what_cannot_be_compressed_is_refused_by_name(config):
    with pytest.raises(ml.ConfigError, match="one or two inputs and a smooth activation"):
        ml.train(config, seeds=2, compress=20)
    assert "compressed" not in ml.train(config, seeds=2).engine


def test_audit_steps_begin_at_zero_and_end_with_the_budget():
    for steps in (1, 99, 100, 5000, 50_000, 3_000_000):
        chosen = audit_steps(steps)
        assert chosen[0] == 0
        assert chosen[-1] == steps
        assert (np.diff(chosen) > 0).all()
        assert len(chosen) < 70


@pytest.mark.parametrize("name", ["square", "relu", "exp_square", "sin"])
def test_population_rule_integrates_the_target(name):
    task = ml.TASKS[name]
    rule = population_rule(task)
    exact = (
        quad(
            lambda x: float(task(np.array([[x]]))[0]) ** 2,
            -2,
            2,
            points=[0],
            epsabs=0,
            epsrel=1e-12,
        )[0]
        / 4
    )
    np.testing.assert_allclose(rule.weight @ rule.y**2, exact, rtol=1e-12)


@pytest.mark.parametrize(
    ("activation", "task", "weight"),
    [
        ("silu", "square", 1.0),
        ("silu", "relu", 30.0),
        ("relu", "square", 3.0),
        ("leaky_relu", "sin", 50.0),
        ("tanh", "exp", 5.0),
    ],
)
def test_population_loss_is_the_integral(activation, task, weight):
    config = ml.Config(width=6, steps=1, activation=activation, task=task, dtype="float64")
    nets = ml.train(config, seeds=3)
    parameters = random_nets(11, count=3, weight=weight)
    from minilotto.engines.population import population_losses

    found = population_losses(nets.activation, parameters, ml.TASKS[task])
    kinks = np.concatenate([[0.0], (-parameters.b / parameters.w[:, :, 0]).ravel()])
    inside = np.sort(kinks[np.abs(kinks) < 2])
    for i, value in enumerate(found):
        one = [part[i : i + 1] for part in parameters]

        def squared(x, one=one):
            point = np.array([[x]])
            return float(
                (numpy_reference.predict(activation, *one, point)[0, 0] - ml.TASKS[task](point)[0])
                ** 2
            )

        exact = quad(squared, -2, 2, points=inside, limit=400, epsabs=0, epsrel=1e-10)[0] / 4
        np.testing.assert_allclose(value, exact, rtol=1e-8)


def test_population_loss_of_the_papers_ticket():
    from minilotto.engines.population import population_losses

    ticket = Parameters(
        np.array([[[-0.83010483], [0.83010304]]]),
        np.array([[-1.16842330, -1.16842365]]),
        np.array([[5.68583536, 5.68586636]]),
        np.array([3.1539197]),
    )
    np.testing.assert_allclose(
        population_losses(ml.ACTIVATIONS["silu"], ticket, ml.TASKS["square"]), 7.071e-6, rtol=2e-4
    )


def test_training_on_the_population_minimises_the_population_loss():
    nets = ml.train(ml.Config(width=4, steps=500, sampling="population"), seeds=6)
    np.testing.assert_allclose(nets.loss, nets.population_loss, rtol=1e-8)


@pytest.mark.parametrize(("task", "remedy"), [("product4", "uniform"), ("product5", "uniform")])
def test_population_of_many_inputs_is_refused_with_a_remedy(task, remedy):
    with pytest.raises(ml.ConfigError, match=remedy):
        ml.train(ml.Config(task=task, sampling="population", steps=5), seeds=2)


def test_population_takes_no_number_of_points():
    with pytest.raises(ml.ConfigError, match="points=50"):
        ml.Config(sampling="population", points=50)


UNEVEN = {
    "normal": lambda random: random.normal(size=17_000),
    "exponential": lambda random: random.exponential(size=17_000),
    "lognormal": lambda random: random.lognormal(size=17_000),
    "heavy tails": lambda random: random.standard_t(3, size=17_000),
    "heavier tails": lambda random: random.standard_cauchy(17_000),
    "far away": lambda random: np.append(random.uniform(-2, 2, 17_000), 100.0),
    "as nothing beside it": lambda random: np.append(random.uniform(-2, 2, 17_000), 1e20),
    "two clusters": lambda random: np.concatenate(
        [random.normal(0, 1e-9, 10_000), random.normal(1, 1e-3, 10_000)]
    ),
    "many": lambda random: random.normal(size=60_000),
}


QUICK = ["heavy tails", "far away"]


@pytest.mark.parametrize("name", mostly_slow(UNEVEN, quick=QUICK))
def test_uneven_points_in_pieces_make_a_rule_of_positive_weights_that_keeps_polynomials(name):
    random = np.random.default_rng(5)
    x = UNEVEN[name](random)
    y = np.sin(np.clip(x, -1e6, 1e6)) + 0.1 * random.normal(size=len(x))
    data = given(x, y, random.uniform(0.1, 1, len(x)))
    middle, half = (x.min() + x.max()) / 2, (x.max() - x.min()) / 2
    s = (data.x[:, 0] - middle) / half
    for nodes in (1, 16, 64):
        few = compress(data, nodes)
        assert few.points <= nodes
        assert (few.weight > 0).all()
        assert few.offset >= 0
        assert np.isfinite(few.y).all()
        at = (few.x[:, 0] - middle) / half
        for degree in {0, min(1, nodes - 1), nodes // 2, nodes - 1}:
            full, kept = (np.polynomial.Chebyshev.basis(degree)(part) for part in (s, at))
            np.testing.assert_allclose(
                few.weight @ (kept * kept), data.weight @ (full * full), atol=1e-12
            )
            np.testing.assert_allclose(
                few.weight @ (kept * few.y), data.weight @ (full * data.y), atol=1e-12
            )
            loss = data.weight @ (full - data.y) ** 2
            np.testing.assert_allclose(
                few.weight @ (kept - few.y) ** 2 + few.offset, loss, rtol=1e-10
            )


@pytest.mark.parametrize("name", mostly_slow(UNEVEN, quick=QUICK))
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_thinned_points_keep_the_loss_wherever_the_points_lie(name, offset):
    random = np.random.default_rng(6)
    x = UNEVEN[name](random)
    nets = random_nets(3, count=4)
    nets = nets._replace(c=nets.c + offset)
    data = given(
        x, numpy_reference.predict("silu", *nets, x[:, None])[0] + 1e-3 * random.normal(size=len(x))
    )
    for pieces, tolerance in ((256, 1e-8), (4096, 1e-9)):
        few = thinned(data, pieces, 7)
        assert (few.weight > 0).all()
        assert few.offset >= 0
        loss, _ = loss_and_gradient(nets, data)
        size = (data.weight @ data.y**2) * 1e-15 + 1e-6 * tolerance
        np.testing.assert_allclose(loss_and_gradient(nets, few)[0], loss, rtol=tolerance, atol=size)


@pytest.mark.parametrize("name", mostly_slow(QUICK, quick=["heavy tails"]))
def test_training_on_uneven_points_ends_as_on_every_point(name):
    """Two samples of 48 independent seeds each: a right rule fails once in a thousand choices of
    seeds, and these are fixed.
    """
    x = UNEVEN[name](np.random.default_rng(5))
    data = (x, np.sin(x))
    config = ml.Config(width=5, steps=400)
    with_nodes = ml.train(config, seeds=range(48), data=data)
    without = ml.train(config, seeds=range(48, 96), data=data, compress=False)
    assert with_nodes.engine == "lanes, compressed"
    assert (with_nodes.status == "ok").all()
    assert with_nodes.audit.max() <= TOLERANCE["float32"]
    assert ks_2samp(with_nodes.loss, without.loss).pvalue > 1e-3


def test_an_audit_fails_where_the_rule_makes_nan(monkeypatch):
    config = ml.Config(width=3, steps=5)
    data = sampled(config)
    rule = compress(data, 16)
    broken = frozen(rule.x, np.full(16, np.nan), rule.weight)
    engine = CompressedEngine(config, data, threads=1)
    engine._rules[16] = broken
    engine.start(
        Parameters(*(part.astype(np.float32) for part in random_nets(10, count=5, width=3)))
    )
    engine.audit(0)
    assert (engine.nodes > 16).all()
    assert (engine.worst <= TOLERANCE["float32"]).all()


@pytest.mark.parametrize(("low", "high"), [(-1.7e308, 1.7e308), (1e308, 1.7e308)])
def test_nodes_of_the_largest_points_are_those_of_smaller_ones(low, high):
    x = np.linspace(low / 2**1000, high / 2**1000, 50)
    small, large = (compress(given(unit * x, np.cos(np.arange(50.0))), 8) for unit in (1, 2**1000))
    np.testing.assert_array_equal(large.x, small.x * 2**1000)
    np.testing.assert_array_equal(large.y, small.y)


def test_as_many_nodes_as_points_are_the_points():
    x = np.linspace(-1, 1, 5000)
    for nodes in (5000, 100_000):
        nets = ml.train(ml.Config(width=2, steps=3), seeds=2, data=(x, x), compress=nodes)
        assert (nets.nodes == 5000).all()
    with pytest.raises(ml.ConfigError, match="compress=20000 is out of reach"):
        ml.train(
            ml.Config(width=2, steps=3),
            seeds=2,
            data=(np.linspace(-1, 1, 200_000), np.zeros(200_000)),
            compress=20_000,
        )


def test_the_summary_says_how_many_audits_failed():
    x = np.random.default_rng(8).uniform(-2, 2, 6000)
    nets = ml.train(
        ml.Config(width=6, steps=1, lr=1e-30), seeds=4, data=(x, np.sign(x)), compress=2
    )
    assert "audits failed: 4 nets" in summary(nets)
    assert "audits failed" not in summary(
        ml.train(ml.Config(width=6, steps=1), seeds=4, data=(x, np.sign(x)))
    )
