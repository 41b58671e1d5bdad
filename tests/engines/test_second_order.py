"""Levenberg-Marquardt as an engine: on points and on nodes, through `train`, beside Adam."""

import numpy as np
import pytest
from nets import random_nets

import minilotto as ml
from minilotto.data.dataset import given, sampled
from minilotto.engines import compressed, second_order
from minilotto.engines.choice import choose
from minilotto.engines.compressed import FEWER_FROM, TOLERANCE
from minilotto.engines.evaluate import PackedNets, losses
from minilotto.engines.request import requested
from minilotto.engines.second_order import CompressedSecondOrderEngine, SecondOrderEngine
from minilotto.errors import ConfigError
from minilotto.initialisation import initial_parameters
from minilotto.settings.activations import ACTIVATIONS

LM = ml.Config(width=5, steps=120, optimizer="lm", dtype="float64")


def test_it_descends_far_below_adam_from_the_same_seeds():
    adam = ml.train(LM.replace(optimizer="adam", steps=5000), seeds=16)
    nets = ml.train(LM, seeds=16)
    assert np.median(nets.loss) < np.median(adam.loss) / 100
    assert (np.diff(nets.history.loss, axis=0) <= 1e-30).all()
    np.testing.assert_array_equal(nets.history.loss[0], adam.history.loss[0])


def test_nodes_give_what_points_give():
    """Losses agree in distribution: roundings lead some nets elsewhere."""
    points, nodes = (ml.train(LM, seeds=64, compress=compress) for compress in (False, True))
    assert (points.engine, nodes.engine) == ("lm", "lm, compressed")
    assert (nodes.nodes[nodes.audit > 0] < 100).all()
    quantiles = (np.quantile(np.log10(nets.loss), [0.1, 0.5, 0.9]) for nets in (points, nodes))
    np.testing.assert_allclose(*quantiles, atol=0.2)


def test_audits_see_a_loss_that_is_small_at_the_nodes_alone(monkeypatch):
    """Eight nodes that sixteen parameters meet; seen by its loss long before its gradient."""
    monkeypatch.setitem(compressed.NODE_LEVELS[1], "float64", (8,))
    data, parameters = sampled(LM), initial_parameters(LM, 1, np.arange(16))
    engine = CompressedSecondOrderEngine(LM, data, threads=1)
    engine.start(parameters)
    engine.advance(0, LM.steps)
    before = losses(engine.activation, engine.parameters(), engine._rule(8))
    assert np.median(before) < np.median(engine.losses(True)) / 100  # what audits prevent
    engine.audit(LM.steps)
    now = losses(engine.activation, engine.parameters(), engine._rule(engine.levels[-1]))
    np.testing.assert_allclose(now, engine.losses(True), rtol=second_order.SHARE)
    assert (engine.nodes == 100).any()


def test_nets_keep_their_nodes():
    """Audits do not compare the matrices that steps follow from."""
    engine = CompressedSecondOrderEngine(LM, sampled(LM), threads=1)
    engine.start(initial_parameters(LM, 1, np.arange(4)))
    engine.nodes, engine.good_step = np.full(4, 96), FEWER_FROM[1]
    assert not engine._take_fewest()
    assert set(engine.nodes) == {96}


def test_a_difference_of_two_percent_in_the_loss_fails_an_audit():
    data = sampled(LM)
    engine = CompressedSecondOrderEngine(LM, data, threads=1)
    engine.start(initial_parameters(LM, 1, np.arange(4)))
    engine.advance(0, 60)
    nets, rule = engine.parameters(), engine._rule(48)
    loss = losses(engine.activation, nets, rule)
    for share, fails in ((0.0, False), (0.02, True)):
        shifted = given(rule.x, rule.y, rule.weight)
        object.__setattr__(shifted, "offset", rule.offset + share * float(loss.max()))
        worst = engine._differences(nets, shifted, data)[loss.argmax()]
        assert (worst > TOLERANCE["float64"]) == fails


def test_an_audit_computes_each_loss_once(monkeypatch):
    called = []

    def count(owner, name):
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *given: (called.append(name), real(*given))[1])

    engine = CompressedSecondOrderEngine(LM, sampled(LM), threads=1)
    engine.start(initial_parameters(LM, 1, np.arange(4)))
    count(PackedNets, "losses")
    count(CompressedSecondOrderEngine, "_differences")
    engine.audit(0)
    assert called.count("losses") == 2 * called.count("_differences") > 0


def test_many_points_are_trained_on_nodes():
    random = np.random.default_rng(0)
    x = random.uniform(-2, 2, 20_000)
    data = given(x, x * x + 0.1 * random.normal(size=x.size))
    nets = ml.train(LM.replace(steps=30), seeds=8, data=data)
    assert nets.engine == "lm, compressed"
    residual = nets.predict(x) - data.y
    np.testing.assert_allclose(nets.loss, np.mean(residual**2, axis=1), rtol=1e-9)
    assert (nets.loss < 0.0115).all()  # the noise is 0.01 of it


def test_the_cheaper_of_points_and_nodes_is_chosen():
    for config, name in (
        (LM.replace(width=50), "compressed"),
        (LM.replace(points=20), "lanes"),
        (LM.replace(activation="relu"), "lanes"),
        (LM.replace(task="product2"), "lanes"),
    ):
        candidate, reason = choose(config, sampled(config), requested("auto", "auto", True))
        assert candidate.name == name, reason


def test_kinks_of_a_population_are_refused():
    with pytest.raises(ConfigError, match="cannot train relu with optimizer='lm'"):
        ml.train(LM.replace(activation="relu", sampling="population"), seeds=1)


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("engine='wide' does not train with optimizer='lm'", {"engine": "wide"}),
        ("engine='exact' does not train with optimizer='lm'", {"engine": "exact"}),
        ("backend='cuda' does not train with optimizer='lm'", {"backend": "cuda"}),
        ("backend='reference' does not train with optimizer='lm'", {"backend": "reference"}),
    ],
)
def test_what_cannot_train_it_is_refused(words, options):
    with pytest.raises(ConfigError, match=words) as refused:
        ml.train(LM.replace(activation="relu"), seeds=1, **options)
    assert "choose from auto" in str(refused.value)


@pytest.mark.parametrize("compress", [True, False])
def test_seeds_threads_and_states_change_no_bit(compress):
    config = LM.replace(steps=350)
    whole = ml.train(config, seeds=24, compress=compress, threads=2)
    part = ml.train(config, seeds=[17, 3], compress=compress, threads=1)
    for all_, some in zip(whole.parameters, part.parameters, strict=True):
        assert all_[[17, 3]].tobytes() == some.tobytes()


def test_an_engine_resumes_where_another_stopped():
    data, start = sampled(LM), initial_parameters(LM, 1, np.arange(11))
    whole, first, second = (SecondOrderEngine(LM, data, 1) for _ in range(3))
    whole.start(start)
    whole.advance(0, 40)
    first.start(start)
    first.advance(0, 25)
    second.resume(first.state())
    second.advance(25, 15)
    for one, other in zip(whole.state(), second.state(), strict=True):
        assert [a.tobytes() for a in one] == [a.tobytes() for a in other]


def test_diverged_starts_are_flagged_and_harm_no_other():
    """Outputs that overflow leave no step that could be tried."""
    config = LM.replace(init="normal", init_scale=1e150, steps=20)
    nets = ml.train(config, seeds=4)
    assert (nets.status == "diverged").all()


def test_memory_is_counted():
    for width, points in ((5, 100), (50, 40)):
        config = LM.replace(width=width, points=points)
        engine = SecondOrderEngine(config, sampled(config), 1)
        assert engine.bytes_per_net() >= 8 * min(3 * width + 1, points) ** 2
        assert engine.points_per_step() > points


@pytest.mark.slow
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_descends(name):
    nets = ml.train(LM.replace(activation=name, width=8), seeds=16)
    assert np.median(nets.loss) < 1e-2 * np.median(nets.history.loss[0])


def test_more_neurons_than_points_interpolate():
    data = given(np.linspace(-1, 1, 6), np.array([0.0, 1.0, -1.0, 2.0, 0.0, 1.0]))
    engine = SecondOrderEngine(LM.replace(width=20), data, 1)
    engine.start(random_nets(0, 8, 20))
    engine.advance(0, 200)
    assert np.median(engine.losses(True)) < 1e-25
