"""Nets of several hidden layers: kernels/deep.py and what trains with it."""

import numpy as np
import pytest

import minilotto as ml
from minilotto.data.dataset import given
from minilotto.engines.compressed import CompressedEngine
from minilotto.engines.evaluate import gradients, losses, predictions
from minilotto.engines.lanes import LaneEngine
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.kernels.simd import lane_count
from minilotto.oracles import numpy_reference
from minilotto.settings.activations import activation_of

RESIDUAL = pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
UNITS = 4.0  # of rounding, as for one hidden layer
QUICK = {"depth": 3, "width": 5, "steps": 200}


def points(inputs, dtype, count=23):
    random = np.random.default_rng(4)
    x = random.uniform(-1.5, 1.5, (count, inputs)).astype(dtype).astype(np.float64)
    weight = random.uniform(0.5, 1.5, count)
    y = (x[:, 0] > 0).astype(np.float64)
    return given(x, y, (weight / weight.sum()).astype(dtype).astype(np.float64))


def drawn(width, depth, inputs, dtype, seeds=20):
    config = ml.Config(width=width, depth=depth, dtype=dtype, init="normal", root_seed=8)
    return initial_parameters(config, inputs, np.arange(seeds))


def by_the_oracle(name, nets, data, loss, residual):
    w, b, v, c, *hidden = (array.astype(np.float64) for array in nets)
    options = {"loss": loss, "hidden": hidden, "residual": residual}
    row = numpy_reference.second_opinion(activation_of(name))
    return numpy_reference.loss_and_gradient(
        row, w, b, v, c, data.x, data.y, data.weight, **options
    )


def absolute_terms(name, nets, data, loss, residual):
    """For each coordinate of the gradient, the sum of the absolute values of what makes it."""
    exact = Parameters(*(array.astype(np.float64) for array in nets))
    w, b, v, c, hidden_w, hidden_b = (np.abs(array) for array in exact)
    row, share = activation_of(name), 1 / exact.depth if residual else 1.0
    z = exact.w @ data.x.T + exact.b[:, :, None]
    terms = w @ np.abs(data.x.T) + b[:, :, None]
    h = row.value(z)
    values, slopes = [np.abs(h) + terms], [np.abs(row.slope(z)) + terms]
    for layer in range(exact.depth - 1):
        z = exact.hidden_w[:, layer] @ h + exact.hidden_b[:, layer, :, None]
        terms = hidden_w[:, layer] @ values[-1] + hidden_b[:, layer, :, None]
        h = share * row.value(z) + (h if residual else 0)
        before = values[-1] if residual else 0
        values.append(share * (np.abs(row.value(z)) + terms) + before)
        slopes.append(share * (np.abs(row.slope(z)) + terms))
    f = (v[:, None] @ values[-1])[:, 0] + c[:, None] + np.abs(data.y)
    df = (2 if loss == "squared" else 1) * data.weight * f
    dh, deep = v[:, :, None] * df[:, None], []
    for layer in range(exact.depth - 2, -1, -1):
        dz = dh * slopes[layer + 1]
        deep.insert(0, (dz @ values[layer].swapaxes(1, 2), dz.sum(axis=2)))
        dh = hidden_w[:, layer].swapaxes(1, 2) @ dz + (dh if residual else 0)
    dz = dh * slopes[0]
    weights, biases = (np.stack(some, axis=1) for some in zip(*deep, strict=True))
    dv = (values[-1] @ df[:, :, None])[:, :, 0]
    return dz @ np.abs(data.x), dz.sum(axis=2), dv, df.sum(axis=1), weights, biases


def errors(name, width, depth, inputs, dtype, loss, residual):
    """Of each part of the gradient, in units of rounding."""
    nets, data = drawn(width, depth, inputs, dtype), points(inputs, dtype)
    row = activation_of(name)
    found = gradients(row, nets, data, dtype, loss=loss, residual=residual)
    value, expected = by_the_oracle(name, nets, data, loss, residual)
    np.testing.assert_allclose(losses(row, nets, data, loss, residual), value, rtol=1e-11)
    units = absolute_terms(name, nets, data, loss, residual)
    return [
        float((np.abs(ours - theirs) / unit).max() / np.finfo(dtype).eps)
        for ours, theirs, unit in zip(found, expected, units, strict=True)
    ]


@RESIDUAL
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 6, 7, 8, 11, 18])
def test_gradients_of_every_width(width, residual):
    for depth in (2, 3, 4, 8):
        assert max(errors("silu", width, depth, 1, "float32", "squared", residual)) < UNITS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dtype"),  # both precisions of a formula are tested with one layer, relu's steps below
    [("tanh", "float32"), ("gelu", "float64"), ("leaky_relu", "float32")],
)
def test_gradients_of_other_activations(name, dtype):
    for residual in (False, True):
        assert max(errors(name, 6, 3, 2, dtype, "squared", residual)) < UNITS


@RESIDUAL
def test_gradients_of_the_logistic_loss(residual):
    assert max(errors("silu", 6, 3, 2, "float64", "logistic", residual)) < UNITS


@RESIDUAL
def test_predictions_are_those_of_the_oracle(residual):
    nets, x = drawn(7, 4, 2, "float64"), points(2, "float64", 37).x
    w, b, v, c, *hidden = nets
    expected = numpy_reference.predict("silu", w, b, v, c, x, hidden=hidden, residual=residual)
    found = predictions(activation_of("silu"), nets, x, residual)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_no_points_have_no_predictions():
    found = predictions(activation_of("silu"), drawn(7, 4, 2, "float64"), np.empty((0, 2)))
    assert found.shape == (20, 0)


def trained(config, seeds=37, steps=60, lanes=None, threads=1, chunks=(60,), points=21):
    config = config.replace(points=points)
    data = ml.train(config.replace(steps=1), 1, backend="reference").data
    engine = LaneEngine(config, data, threads, lanes)
    engine.start(initial_parameters(config, 1, np.arange(seeds)))
    done = 0
    for count in chunks:
        engine.advance(done, count)
        done += count
    return engine.parameters()


def equal(one, other):
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


@RESIDUAL
def test_a_seed_does_not_depend_on_lanes_threads_chunks_or_neighbours(residual):
    config = ml.Config(**QUICK, residual=residual)
    whole = trained(config)
    assert equal(whole, trained(config, lanes=lane_count("float32") // 2))
    assert equal(whole, trained(config, threads=2, chunks=(1, 20, 39)))
    few = trained(config, seeds=5)
    assert equal(Parameters(*(array[:5] for array in whole)), few)


def test_a_net_that_is_not_finite_keeps_to_its_row():
    config, nets = ml.Config(**QUICK), drawn(5, 3, 1, "float32")
    data = points(1, "float32")
    expected = gradients(activation_of("silu"), nets, data, "float32")
    nets.hidden_w[7, 1, 2, 2] = np.nan
    found = gradients(activation_of("silu"), nets, data, "float32")
    others = np.arange(len(nets.c)) != 7
    assert equal(*(Parameters(*(a[others] for a in some)) for some in (found, expected)))
    assert np.isnan(found.hidden_w[7]).any()
    assert config.depth == 3


@RESIDUAL
def test_nodes_train_as_every_point_does(residual):
    config = ml.Config(**QUICK, residual=residual)
    on_nodes, on_points = ml.train(config, 24), ml.train(config, 24, compress=False)
    assert on_nodes.engine == "lanes, compressed"
    assert on_points.engine == "lanes"
    assert (on_nodes.audit < 1e-9).all()
    np.testing.assert_allclose(on_nodes.loss, on_points.loss, rtol=1e-3)
    few = ml.train(config, [3, 17])
    assert equal(few.parameters, [array[[3, 17]] for array in on_nodes.parameters])


def test_an_audit_finds_nodes_that_are_too_few():
    config = ml.Config(**QUICK, init="normal", init_scale=3.0)
    data = ml.train(config.replace(steps=1), 1, backend="reference").data
    engine = CompressedEngine(config, data, 1)
    engine.start(initial_parameters(config, 1, np.arange(24)))
    engine.audit(0)
    assert (engine.nodes > engine.first_nodes).any()
    assert (engine.worst[engine.nodes < engine.levels[-1]] <= 1e-9).all()


@pytest.mark.parametrize("fields", [{}, {"batch": 6}])
def test_a_training_goes_on_bit_for_bit(fields):
    config = ml.Config(**QUICK, **fields)
    nets = ml.train(config, 9, keep=[70], state=True)
    again = ml.train(config, start=nets.kept[70], state=True)
    assert equal(again.parameters, nets.parameters)
    for ours, theirs in zip(again.state.arrays().items(), nets.state.arrays().items(), strict=True):
        assert ours[0] == theirs[0]
        assert np.array_equal(ours[1], theirs[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "nesterov", "schedule": "cosine", "warmup": 4},
        {"batch": 7, "activation": "relu"},
        {"batch": 4, "sampling": "population"},
        {"loss": "logistic", "task": "moons", "sampling": "examples"},
    ],
    ids=str,
)
def test_steps_are_those_of_the_reference(fields):
    config = ml.Config(**{**QUICK, "steps": 20, "dtype": "float64", **fields})
    nets, expected = (ml.train(config, 5, backend=name) for name in ("cpu", "reference"))
    for ours, theirs in zip(nets.parameters, expected.parameters, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


def test_what_trains_one_hidden_layer_refuses_more():
    config = ml.Config(**QUICK)
    for options in ({"engine": "wide"}, {"engine": "exact"}, {"backend": "cuda"}):
        with pytest.raises(ml.ConfigError, match="depth"):
            ml.train(config, 2, **options)
