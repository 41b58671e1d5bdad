"""Nets of several hidden layers: their definition, initial parameters, training, files."""

import copy
import importlib
import pickle

import numpy as np
import pytest
from nets import trained_by_torch

import minilotto as ml
from minilotto.analysis.landscape.pruned_losses import whole_losses
from minilotto.analysis.landscape.starts import distance_moved
from minilotto.analysis.tickets.parameter_plane import plane_clusters
from minilotto.analysis.tickets.valley import tickets
from minilotto.initialisation import NAMES, Parameters, initial_parameters
from minilotto.oracles import numpy_reference, torch_reference
from minilotto.settings.streams import stream

X = np.array([[-1.5, 0.3], [-0.2, 1.1], [0.9, -0.7], [1.7, 0.1], [0.4, -1.9]])
Y, WEIGHT = np.array([0.0, 1.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.3, 0.2, 0.25, 0.15])
QUICK = {"width": 4, "depth": 3, "steps": 30, "points": 25}
RESIDUAL = pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])


def drawn(depth=3, residual=False, inputs=2, seeds=3, **fields):
    fields = {"width": 4, "dtype": "float64", "init": "normal", **fields}
    config = ml.Config(depth=depth, residual=residual and depth > 1, **fields)
    return initial_parameters(config, inputs, np.arange(seeds))


def oracle(name, nets, residual, loss="squared", of=numpy_reference):
    w, b, v, c, *hidden = nets
    options = {"loss": loss, "hidden": hidden, "residual": residual}
    return of.loss_and_gradient(name, w, b, v, c, X, Y, WEIGHT, **options)


def outputs(nets, residual, x, sigma=np.tanh):
    """One net and point at a time, as the definition reads."""
    f = []
    for w, b, v, c, hidden_w, hidden_b in zip(*nets, strict=True):
        h = [sigma(w @ point + b) for point in x]
        for weights, biases in zip(hidden_w, hidden_b, strict=True):
            step = [sigma(weights @ one + biases) for one in h]
            if residual:
                step = [one + s / (1 + len(hidden_w)) for one, s in zip(h, step, strict=True)]
            h = step
        f.append([v @ one + c for one in h])
    return np.array(f)


def reference(seeds=4, **fields):
    return ml.train(ml.Config(**{**QUICK, **fields}), seeds, backend="reference")


@RESIDUAL
def test_the_oracle_is_the_definition(residual):
    w, b, v, c, *hidden = nets = drawn()
    f = numpy_reference.predict("tanh", w, b, v, c, X, hidden=hidden, residual=residual)
    np.testing.assert_allclose(f, outputs(nets, residual, X), rtol=1e-13, atol=1e-13)


@RESIDUAL
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("name", ml.ACTIVATIONS)
@pytest.mark.parametrize("depth", [2, 4])
def test_the_oracles_gradient_is_that_of_finite_differences(name, loss, residual, depth):
    nets, step = drawn(depth), 1e-6
    _, gradient = oracle(name, nets, residual, loss)
    for part, found in zip(nets, gradient, strict=True):
        assert found.shape == part.shape
        for place in np.ndindex(part.shape[1:]):
            losses = []
            for sign in (1, -1):
                part[(slice(None), *place)] += sign * step
                losses.append(oracle(name, nets, residual, loss)[0])
                part[(slice(None), *place)] -= sign * step
            np.testing.assert_allclose(
                (losses[0] - losses[1]) / (2 * step),
                found[(slice(None), *place)],
                rtol=1e-6,
                atol=1e-7,
            )


@RESIDUAL
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("name", ml.ACTIVATIONS)
def test_the_oracles_agree(name, loss, residual):
    pytest.importorskip("torch")
    for depth in (1, 2, 5):
        nets = drawn(depth, init_scale=0.7)
        ours, gradient = oracle(name, nets, residual, loss)
        theirs, by_torch = oracle(name, nets, residual, loss, torch_reference)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
        for a, b in zip(gradient, by_torch, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11)


@RESIDUAL
@pytest.mark.parametrize("name", [n for n, rule in ml.OPTIMIZERS.items() if rule.fields])
def test_the_reference_trains_as_torch_does(name, residual):
    config = ml.Config(**QUICK, optimizer=name, residual=residual, dtype="float64", warmup=3)
    nets = ml.train(config, 3, backend="reference")
    for ours, theirs in zip(nets.parameters, trained_by_torch(config, 3, nets.data), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@RESIDUAL
@pytest.mark.parametrize("layer", [1, 2, 3])
def test_the_order_of_neurons_in_a_plain_layer_does_not_matter(layer, residual):
    """In a residual net the order is that of all layers at once."""
    w, b, v, c, hidden_w, hidden_b = map(np.copy, drawn())
    order = np.array([2, 0, 3, 1])
    layers = (1, 2, 3) if residual else (layer,)
    if 1 in layers:
        w, b = w[:, order], b[:, order]
    for row in range(2):
        if row + 2 in layers:
            hidden_w[:, row], hidden_b[:, row] = hidden_w[:, row, order], hidden_b[:, row, order]
        if row + 1 in layers:
            hidden_w[:, row] = hidden_w[:, row][:, :, order]
    if 3 in layers:
        v = v[:, order]
    other = Parameters(w, b, v, c, hidden_w, hidden_b)
    for name in ("silu", "relu"):
        np.testing.assert_allclose(
            oracle(name, other, residual)[0], oracle(name, drawn(), residual)[0], rtol=1e-12
        )


def test_a_residual_net_whose_later_layers_are_zero_is_the_first_layer():
    nets = reference(residual=True, dtype="float64")
    shallow = ml.train(ml.Config(width=4, dtype="float64", points=25, steps=1), 4)
    zeros = (np.zeros_like(nets.hidden_w), np.zeros_like(nets.hidden_b))
    x = np.linspace(-3, 3, 50)
    np.testing.assert_allclose(
        nets.with_parameters(Parameters(*nets.parameters[:4], *zeros)).predict(x),
        shallow.with_parameters(nets.parameters[:4]).predict(x),
        rtol=1e-12,
        atol=1e-14,
    )


def test_layers_are_drawn_apart():
    """The parameters of a net of one layer, and each later layer, do not depend on the depth."""
    shallow, two, four = (drawn(depth, init="torch") for depth in (1, 2, 4))
    assert len(shallow) == 4
    for a, b, c in zip(shallow, two[:4], four[:4], strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    np.testing.assert_array_equal(two.hidden_w, four.hidden_w[:, :1])
    np.testing.assert_array_equal(two.hidden_b, four.hidden_b[:, :1])
    assert len(np.unique(four.hidden_w)) == four.hidden_w.size


def test_a_seed_owns_a_range_of_the_stream_of_each_layer():
    nets = initial_parameters(
        ml.Config(width=3, depth=3, init="uniform", root_seed=5, dtype="float64"), 2, np.array([9])
    )
    for row in range(2):
        draws = 2 * stream(5, f"initial uniform hidden 3 {row + 2}", 9 * 3, 12) - 1
        np.testing.assert_array_equal(nets.hidden_w[0, row], draws[:9].reshape(3, 3))
        np.testing.assert_array_equal(nets.hidden_b[0, row], draws[9:])


SPREADS = {  # standard deviation of hidden weights and biases for N = 25
    "torch": (1 / 75**0.5, 1 / 75**0.5),
    "kaiming_uniform": (0.08**0.5, 0.0),
    "kaiming_normal": (0.08**0.5, 0.0),
    "glorot_uniform": (0.2, 0.0),
    "glorot_normal": (0.2, 0.0),
    "lecun_uniform": (0.2, 0.0),
    "lecun_normal": (0.2, 0.0),
    "uniform": (1 / 3**0.5, 1 / 3**0.5),
    "normal": (1.0, 1.0),
    "mean_field": (1 / 75**0.5, 1 / 75**0.5),
}


@pytest.mark.parametrize("scheme", ml.SCHEMES)
def test_a_hidden_layer_has_the_spread_of_its_fans(scheme):
    nets = drawn(width=25, seeds=40, init=scheme)
    for part, deviation in zip((nets.hidden_w, nets.hidden_b), SPREADS[scheme], strict=True):
        np.testing.assert_allclose(part.std(), deviation, rtol=0.05)
        np.testing.assert_allclose(part.mean(), 0, atol=0.05 * deviation)


def test_parameters_are_a_tuple_of_what_there_is():
    shallow, deep = drawn(1), drawn(3)
    assert (len(shallow), len(deep)) == (4, 6)
    assert (shallow.depth, deep.depth) == (1, 3)
    assert shallow.hidden_w.shape == (3, 0, 4, 4)
    assert shallow.hidden_b.shape == (3, 0, 4)
    assert deep._fields == NAMES
    for nets in (shallow, deep):
        for other in (
            pickle.loads(pickle.dumps(nets)),
            copy.deepcopy(nets),
            Parameters(**nets._asdict()),
            nets._replace(c=nets.c),
            Parameters(*nets[:4], nets.hidden_w, nets.hidden_b),
        ):
            assert type(other) is Parameters
            assert other._fields == nets._fields
            for a, b in zip(nets, other, strict=True):
                np.testing.assert_array_equal(a, b)
    assert "hidden_b=array(" in repr(deep)


REFUSED = [
    ({"depth": 0}, "depth=0 is out of range; give a whole number of at least 1"),
    ({"depth": -1}, "depth=-1 is out of range"),
    ({"depth": 1.5}, "depth=1.5 is out of range"),
    ({"depth": "2"}, "depth='2' is out of range"),
    ({"depth": True}, "depth=True is out of range"),
    ({"depth": None}, "depth=None is out of range"),
    ({"residual": True}, "residual=True means nothing to depth=1"),
    ({"residual": 1, "depth": 2}, "residual=1 is no truth value; give True or False"),
    ({"residual": "yes", "depth": 2}, "residual='yes' is no truth value"),
    ({"optimizer": "lm", "dtype": "float64", "depth": 2}, "depth=2 is nothing that lm trains"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED, ids=[str(f) for f, _ in REFUSED])
def test_fields_are_refused(fields, message):
    with pytest.raises(ml.ConfigError, match=message.replace("(", r"\(")):
        ml.Config(**fields)


@pytest.mark.parametrize(
    "arguments",
    [{"engine": "wide"}, {"engine": "exact"}, {"backend": "cuda"}],
    ids=["wide", "exact", "cuda"],
)
def test_engines_of_one_hidden_layer_are_refused(arguments):
    with pytest.raises(ml.ConfigError, match="depth=3"):
        ml.train(ml.Config(**QUICK), 2, **arguments)


def test_nets_beyond_memory_are_refused():
    for fields in ({"depth": 10**9}, {"width": 10**6}):
        with pytest.raises(ml.ResourceError, match=r"and depth \d+ need about"):
            ml.train(ml.Config(**{**QUICK, **fields}), 10, backend="reference")


def test_the_key_of_one_hidden_layer_is_what_it_was():
    assert ml.Config().key == "4faf4c6659989148"
    keys = {ml.Config(depth=d, residual=r).key for d, r in ((1, False), (2, False), (2, True))}
    assert len(keys) == 3
    assert ml.Config(depth=2.0) == ml.Config(depth=2)


VARIANTS = {
    "plain": {},
    "residual": {"residual": True},
    "piecewise linear": {"activation": "relu", "dtype": "float64"},
    "batches": {"batch": 8, "optimizer": "momentum"},
    "two inputs": {"task": "product2", "depth": 2},
}


@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
def test_a_training_with_all_that_follows(fields, tmp_path):
    config = ml.Config(**{**QUICK, **fields})
    options = {"backend": "reference", "state": True, "keep": [10]}
    nets = ml.train(config, 5, **options)
    few = ml.train(config, [4, 2], **options)
    assert equal(nets[[4, 2]], few)
    assert equal(nets.kept[10][[4, 2]], few.kept[10])
    assert nets.hidden_w.shape == (5, config.depth - 1, 4, 4)
    assert (nets.hidden_w != nets.kept[10].hidden_w).any()
    w, b, v, c, *hidden = (array.astype(np.float64) for array in nets.parameters)
    x = np.random.default_rng(0).uniform(-2, 2, (30, nets.data.inputs))
    expected = numpy_reference.predict(
        config.activation, w, b, v, c, x, hidden=hidden, residual=config.residual
    )
    np.testing.assert_allclose(nets.predict(x), expected, rtol=1e-12, atol=1e-12)
    f = nets.predict(nets.data.x)
    np.testing.assert_allclose(nets.loss, (f - nets.data.y) ** 2 @ nets.data.weight, rtol=1e-12)
    again = ml.load(nets.save(tmp_path / "nets.npz"))
    assert equal(nets, again)
    assert again.state.m._fields == NAMES
    longer = config.replace(steps=45)
    whole = ml.train(longer, 5, backend="reference")
    assert equal(whole, ml.train(longer, start=again, backend="reference"))


def equal(a, b):
    return all(
        np.array_equal(x, b.per_net()[name], equal_nan=True) for name, x in a.per_net().items()
    )


@RESIDUAL
@pytest.mark.parametrize("name", ["silu", "relu", "leaky_relu"])
def test_the_population_loss_is_the_mean_over_the_domain(name, residual):
    nets = reference(activation=name, residual=residual, width=6)
    x = -2 + 4 * (np.arange(400_000) + 0.5) / 400_000
    np.testing.assert_allclose(
        nets.population_loss, ((nets.predict(x) - x**2) ** 2).mean(axis=1), rtol=1e-8
    )


def test_a_net_that_diverges_is_nan_in_every_layer():
    with np.errstate(all="ignore"):
        nets = reference(lr=1e30)
    assert (nets.status == "diverged").all()
    assert np.isnan(nets.hidden_w).all()
    assert np.isnan(nets.hidden_b).all()


def test_nets_of_another_depth_are_not_gone_on_from():
    nets = reference()
    for fields in ({"depth": 2}, {"residual": True}):
        with pytest.raises(ml.ConfigError, match="is not that of the nets to go on from"):
            ml.train(nets.config.replace(steps=50, **fields), start=nets, backend="reference")


def _analysis(name, *more):
    """A call of a public function of nets, from where it is defined."""

    def call(nets):
        module, _, function = name.rpartition(".")
        found = getattr(importlib.import_module(f"minilotto.{module}"), function)
        return found(nets.activation, nets.parameters, *more, nets.data)

    return call


NEURONS = {
    "distill": lambda nets: nets.distill(1),
    "plot": lambda nets: nets.plot("neurons"),
    "alive": _analysis("analysis.tickets.tickets.alive"),
    "neuron_spread": _analysis("analysis.tickets.tickets.neuron_spread"),
    "algorithms": _analysis("analysis.tickets.algorithms.algorithms"),
    "curvature": _analysis("analysis.landscape.curvature.curvature"),
    "polish": _analysis("analysis.landscape.polish.polish"),
    "by_size": _analysis("analysis.landscape.pruning.by_size"),
    "by_merging": _analysis("analysis.landscape.pruning.by_merging"),
    "distill_path": _analysis("ensemble.distillation.distill_path", [1]),
    "distill_pairs": _analysis("ensemble.distillation.distill_pairs", np.zeros((4, 1, 2), int)),
    "distance_moved": lambda nets: distance_moved(nets.parameters, nets.parameters),
    "tickets": lambda nets: tickets(nets, -1.0),
    "whole_losses": lambda nets: whole_losses(nets),
    "plane_clusters": lambda nets: plane_clusters(nets.parameters, np.ones(4, bool)),
}


@pytest.mark.parametrize("call", NEURONS.values(), ids=NEURONS)
def test_what_is_defined_for_one_hidden_layer_refuses_more(call):
    with pytest.raises(ml.ConfigError, match="one hidden layer, and depth=3; use depth=1"):
        call(reference(width=2))


def test_the_command_line_takes_depths(tmp_path, capsys):
    from minilotto.cli.commands import main

    words = "--width 2 --seeds 2 --steps 5 --quiet --backend reference"
    assert main(f"train {words} --depth 2 --residual --out {tmp_path}/n.npz".split()) == 0
    assert "float32, depth 2, residual" in capsys.readouterr().out
    assert ml.load(tmp_path / "n.npz").config.residual
    words = "--width 2 --seeds 2 --steps 5 --quiet"
    assert (
        main(f"sweep {words} --depths 2,3 --residuals false,true --out {tmp_path}/r".split()) == 0
    )
    store = ml.open_store(tmp_path / "r")
    found = {(one.depth, one.residual) for one in store.configs}
    assert found == {(2, False), (2, True), (3, False), (3, True)}


def test_the_estimator_takes_a_depth():
    pytest.importorskip("sklearn")
    from minilotto.training.estimator import NetsRegressor

    x = np.linspace(-2, 2, 30)[:, None]
    model = NetsRegressor(width=4, depth=2, residual=True, seeds=4, steps=500, random_state=0)
    assert model.fit(x, x[:, 0] ** 2).score(x, x[:, 0] ** 2) > 0.95
    assert model.nets_.hidden_w.shape == (4, 1, 4, 4)
