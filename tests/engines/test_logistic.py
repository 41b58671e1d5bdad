"""The logistic loss: formula, gradients in every coordinate, trainings, and what does not apply to
it. See test_gradients.py.
"""

import itertools

import numpy as np
import pytest
from nets import (
    FEW_POINTS,
    GOLDEN_NET,
    GOLDEN_X,
    SHAPES,
    allowed,
    check,
    largest_difference,
    mostly_slow,
    one_coordinate_moved,
    some_data,
    some_nets,
    trained_by_torch,
    trajectory_tolerance,
    truth,
    worst,
)
from numba import njit
from scipy.integrate import quad
from scipy.optimize import minimize

import minilotto as ml
from minilotto.data.dataset import given
from minilotto.engines.choice import candidates
from minilotto.engines.evaluate import gradients, gradients_by, losses, spec_of
from minilotto.engines.packing import training_arrays
from minilotto.engines.request import Request
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.kernels import formulas, seed_parallel, single
from minilotto.kernels.forms import Form
from minilotto.kernels.formulas import LOSS_FORMULAS, loss_and_residual
from minilotto.kernels.simd import lane_count
from minilotto.kernels.spec import Spec, lanes_of, load, store
from minilotto.settings.activations import ACTIVATIONS, activation_of
from minilotto.settings.config import LATER


def labelled(task, points, weighted):
    """The points of test_gradients, with whether their target is above its median as label."""
    data = some_data(task, points, weighted)
    return given(data.x, (data.y > np.median(data.y)).astype(float), data.weight)


def labels_of(config):
    """x and labels on the points of a config: 1 beyond +-1."""
    x = np.linspace(-2, 2, config.points)
    return x, (np.abs(x) > 1).astype(float)


# The formula against mpmath.
@njit(error_model="numpy")
def _over_lanes(spec, f, y, loss, slope):
    for i in range(0, f.size, lanes_of(spec)):
        some_losses, some_slopes = loss_and_residual(spec, load(spec, f, i), load(spec, y, i))
        store(loss, i, some_losses)
        store(slope, i, some_slopes)


@njit(error_model="numpy")
def _over_numbers(spec, f, y, loss, slope):
    for i in range(f.size):
        loss[i], slope[i] = loss_and_residual(spec, f[i], y[i])


@pytest.mark.parametrize(("dtype", "reach"), [("float32", 80.0), ("float64", 700.0)])
@pytest.mark.parametrize("compiled", [_over_lanes, _over_numbers])
def test_loss_and_slope_keep_their_digits_however_sure_the_answer(compiled, dtype, reach):
    mp = pytest.importorskip("mpmath", reason="the oracle of these tests is mpmath (extra bench)")
    rng = np.random.default_rng(0)
    f = np.concatenate(
        [rng.uniform(-reach, reach, 120), rng.normal(0, 3, 120), [0.0, -0.0, 1e-20, -1e-20] * 4]
    ).astype(dtype)
    y = rng.integers(0, 2, len(f)).astype(dtype)
    loss, slope = np.empty_like(f), np.empty_like(f)
    compiled(Spec("silu", dtype, 16 if dtype == "float32" else 8, 1, "logistic"), f, y, loss, slope)
    with mp.workdps(60):
        wrong = [mp.mpf(float(z)) * (1 - 2 * int(label)) for z, label in zip(f, y, strict=True)]
        exact = np.array([float(mp.log1p(mp.exp(z))) for z in wrong])
        exact_slope = np.array(
            [
                float((1 - 2 * int(label)) / (1 + mp.exp(-z)))
                for z, label in zip(wrong, y, strict=True)
            ]
        )
    room = (
        6 * np.finfo(dtype).eps * (1 + np.abs(f.astype(float)))
    )  # f is the argument of an exponential
    assert (np.abs(loss - exact) / exact <= room).all()
    assert (np.abs(slope - exact_slope) / np.abs(exact_slope) <= room).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_hundreds_are_safe(dtype):
    """Beyond what an exponential can hold: the loss of a wrong answer is |f|, that of a right one
    nothing, and no slope above 1.
    """
    f = np.array([-900.0, -300.0, -120.0, 120.0, 300.0, 900.0, -150.0, 150.0] * 2, dtype)
    y = np.repeat([0.0, 1.0], 8).astype(dtype)
    loss, slope = np.empty_like(f), np.empty_like(f)
    _over_lanes(
        Spec("silu", dtype, len(f) if dtype == "float32" else 8, 1, "logistic"), f, y, loss, slope
    )
    np.testing.assert_allclose(
        loss,
        np.where((f > 0) == (y == 1), 0.0, np.abs(f)),
        rtol=4 * np.finfo(dtype).eps,
        atol=1e-37,
    )
    np.testing.assert_allclose(slope, np.where((f > 0) == (y == 1), 0.0, 1 - 2 * y), atol=1e-37)


# Gradients. The loss knows nothing of the activation, and a kernel takes seconds to compile:
# activations take turns with precisions, here and with several inputs.
DTYPES = ("float32", "float64")
IN_TURN = [(name, DTYPES[i % 2]) for i, name in enumerate(ACTIVATIONS)]


@pytest.mark.parametrize(
    ("name", "dtype"), mostly_slow([("silu", "float64"), *IN_TURN], quick=[("silu", "float64")])
)
def test_gradients_are_right_in_every_coordinate(name, dtype):
    for width, points, weighted in SHAPES + FEW_POINTS * (name == "silu"):
        data = labelled("square", points, weighted)
        check(name, some_nets(data, 19, width), data, dtype, kind="logistic")


WITH_INPUTS = [
    *((name, "product2", dtype) for name, dtype in IN_TURN),
    ("silu", "product5", "float32"),
    ("relu", "product5", "float64"),
]


@pytest.mark.parametrize(
    ("name", "task", "dtype"),
    mostly_slow(
        WITH_INPUTS, quick=[("silu", "product2", "float32"), ("relu", "product5", "float64")]
    ),
)
def test_gradients_of_nets_with_several_inputs(name, task, dtype):
    for width, points, weighted in SHAPES:
        data = labelled(task, points, weighted)
        check(name, some_nets(data, 9, width), data, dtype, kind="logistic")


GOLDEN_LABELS = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 1.0] * 2)
# fmt: off
GOLDEN = {  # worked out once in 40 digits: the loss, then dw1, dw2, db1, db2, dv1, dv2, dc
    "silu": (
        0.85375352600245358, -0.044994764999925275, -0.24665246899173301, 0.03301877945878771,
        0.10741774382491997, 0.020246506811249497, -0.34082771727924667, -0.093403669507147087,
    ),
    "relu": (
        0.80815465218490608, 0.065098686443512599, -0.20513891323407094, 0.10389132059649162,
        0.054524600009388315, -0.0020810969770742394, -0.30863404747992657, -0.071184719288870954,
    ),
    "tanh": (
        0.83530825945277592, 0.13064153612209933, -0.019175365733421964, 0.045077423695667438,
        0.024862770931346748, 0.152882927321559, -0.18109231922688251, -0.089740836001249571,
    ),
    "gelu": (
        0.82729576028469938, -0.039571889981130802, -0.20249030980514996, 0.022736247906417293,
        0.096530406637120045, -0.0058243068900878452, -0.34042775319113162, -0.091324867130673227,
    ),
}
# fmt: on


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dtype"), [one for one in IN_TURN if one[0] in GOLDEN])
def test_a_small_net_has_the_loss_and_gradient_of_forty_digits(name, dtype):
    data, (loss, *gradient) = given(GOLDEN_X, GOLDEN_LABELS), GOLDEN[name]
    loss_bound, _, _ = allowed(name, GOLDEN_NET, data, "float64", kind="logistic")
    assert (
        worst(
            [losses(ACTIVATIONS[name], GOLDEN_NET, data, "logistic")],
            [np.array([loss])],
            [loss_bound],
        )
        <= 1
    )
    dw1, dw2, db1, db2, dv1, dv2, dc = gradient
    expected = Parameters(
        np.array([[[dw1], [dw2]]]), np.array([[db1, db2]]), np.array([[dv1, dv2]]), np.array([dc])
    )
    bounds = allowed(name, GOLDEN_NET, data, dtype, kind="logistic")[2]
    assert (
        worst(
            gradients(ACTIVATIONS[name], GOLDEN_NET, data, dtype, loss="logistic"), expected, bounds
        )
        <= 1
    )


@pytest.mark.parametrize("task", ["square", "product3"])
@pytest.mark.parametrize("name", ["silu", "tanh", "gelu", "softplus", "sigmoid"])
def test_the_reference_gradient_is_the_complex_step_of_its_loss(name, task):
    data = labelled(task, 9, True)
    nets = some_nets(data, 1, 4)
    moved, shaped = one_coordinate_moved(nets, 1e-100j)
    loss, _ = truth(name, moved, data, kind="logistic")
    bounds = allowed(name, nets, data, "float64", kind="logistic")[2]
    assert (
        worst(shaped(loss.imag / 1e-100), truth(name, nets, data, kind="logistic")[1], bounds) <= 1
    )


@pytest.mark.parametrize("task", ["square", "product3"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_reference_gradient_is_what_torch_derives(name, task):
    pytest.importorskip(
        "torch", reason="torch, a third way to the gradient, is not installed (extra torch)"
    )
    from minilotto.oracles import torch_reference

    data = labelled(task, 9, True)
    nets = some_nets(data, 6, 4)
    theirs, gradient = torch_reference.loss_and_gradient(
        name, *nets, data.x, data.y, data.weight, 0.2, "logistic"
    )
    ours, expected = truth(name, nets, data, kind="logistic")
    loss_bound, _, bounds = allowed(name, nets, data, "float64", kind="logistic")
    assert worst([theirs], [ours], [loss_bound]) <= 1
    assert worst(gradient, expected, bounds) <= 1


# The check can fail.
@formulas.register_jitable
def _as_it_is(f, y):
    return formulas.logistic(f, y)


@formulas.register_jitable
def _labels_as_signs(f, y):
    value, slope = formulas.logistic(f, y)
    return value, slope * (y + y - formulas.like(f, 1.0))


@formulas.register_jitable
def _slope_off_by_one_in_ten_thousand(f, y):
    value, slope = formulas.logistic(f, y)
    return value, slope * formulas.like(f, 1.0001)


_trials = itertools.count()


@pytest.mark.parametrize(
    ("evaluate", "factor", "right"),
    [
        (_as_it_is, 1.0, True),
        (_as_it_is, 2.0, False),
        (_labels_as_signs, 1.0, False),
        (_slope_off_by_one_in_ten_thousand, 1.0, False),
    ],
)
def test_a_broken_loss_is_seen(evaluate, factor, right, monkeypatch):
    data, name = labelled("square", 16, True), f"trial_{next(_trials)}"
    nets = some_nets(data, 16, 3)
    monkeypatch.setitem(LOSS_FORMULAS, name, formulas.LossFormula(evaluate, factor))
    spec = Spec("silu", "float32", lane_count("float32"), 1, name)
    train = njit(error_model="numpy")(seed_parallel.train_blocks.py_func)
    found = gradients_by(train, Form(spec, 0.0), nets, training_arrays(data, "float32", name))
    expected, bounds = (
        truth("silu", nets, data, kind="logistic")[1],
        allowed("silu", nets, data, "float32", kind="logistic")[2],
    )
    assert (worst(found, expected, bounds) <= 1) == right


# Trainings.
SHORT = ml.Config(
    width=3, points=20, steps=10, lr_decay_every=6, beta1=0.8, beta2=0.99, loss="logistic"
)


@pytest.mark.parametrize(
    ("name", "dtype", "engine"),
    mostly_slow(
        itertools.product(("silu", "tanh"), DTYPES, ("lanes", "wide")),
        quick=[("silu", "float64", "lanes")],
    ),
)
def test_ten_steps_are_those_of_torch_adam(name, dtype, engine):
    config = SHORT.replace(activation=name, dtype=dtype)
    nets = ml.train(config, 24, data=labels_of(config), engine=engine, threads=1)
    expected = trained_by_torch(config, 24, given(*labels_of(config)))
    assert largest_difference(nets.parameters, expected) < trajectory_tolerance(config)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["lanes", "wide"])
def test_training_walks_as_the_reference_does(engine):
    config = SHORT.replace(activation="leaky_relu", width=37, negative_slope=0.1, points=31)
    x = np.random.default_rng(0).uniform(-2, 2, (31, 2))
    data = (x, (x[:, 0] * x[:, 1] > 0).astype(float), np.arange(1.0, 32.0))
    nets = ml.train(config, 20, data=data, engine=engine, threads=1)
    reference = ml.train(config, 20, data=data, backend="reference")
    assert nets.engine != reference.engine
    assert largest_difference(nets.parameters, reference.parameters) < trajectory_tolerance(config)


def test_losses_along_the_way_are_those_of_float64():
    nets = ml.train(SHORT, 5, data=labels_of(SHORT), checkpoints=[0, 10])
    x, y = labels_of(SHORT)
    f = nets.predict(x)
    np.testing.assert_allclose(nets.loss, np.mean(np.logaddexp(0, f) - y * f, axis=1), rtol=1e-13)
    np.testing.assert_array_equal(nets.history.loss[-1], nets.loss)
    np.testing.assert_array_equal(nets.with_parameters(nets.parameters).loss, nets.loss)
    np.testing.assert_array_equal(nets.loss_on(nets.data), nets.loss)


def test_training_learns_what_can_be_learnt():
    config = SHORT.replace(width=8, steps=2000, points=100, lr_decay_every=1000)
    nets = ml.train(config, 16, data=labels_of(config))
    assert np.median(nets.loss) < 0.05
    assert np.median(nets.error_rate_on(nets.data)) == 0


def test_one_net_can_be_trained_by_other_optimisers():
    x, y = labels_of(SHORT)
    theta = ml.pack(
        Parameters(
            *(array[0].astype(float) for array in initial_parameters(SHORT, 1, np.arange(1)))
        )
    )
    before, _ = ml.loss_and_gradient(theta, x, y, loss="logistic")
    found = minimize(
        lambda t: ml.loss_and_gradient(t, x, y, loss="logistic"), theta, jac=True, method="BFGS"
    )
    assert found.fun < 0.2 * before
    with pytest.raises(ml.DataError, match="0 and 1"):
        ml.loss_and_gradient(theta, x, x, loss="logistic")


@pytest.mark.parametrize("dtype", mostly_slow(DTYPES, quick=["float64"]))
def test_one_net_at_a_time_has_the_same_gradient(dtype):
    data = labelled("product2", 31, True)
    nets = some_nets(data, 5, 7)
    thetas = ml.pack(nets).astype(dtype)
    loss, gradient = ml.loss_and_gradient(thetas, data.x, data.y, data.weight, loss="logistic")
    expected_loss, expected = truth("silu", nets, data, kind="logistic")
    loss_bound, _, bounds = allowed("silu", nets, data, dtype, kind="logistic")
    assert worst([loss], [expected_loss], [loss_bound]) <= 1
    assert worst(ml.unpack(gradient, 2), expected, bounds) <= 1
    form = single.form("silu", 2, dtype, loss="logistic")
    arrays = (array.astype(dtype) for array in (data.x, data.y, data.weight))
    np.testing.assert_allclose(
        single.loss(form, thetas[0], *arrays), loss[0], rtol=4 * np.finfo(dtype).eps
    )


@pytest.fixture
def step_task(monkeypatch):
    task = ml.Task(
        "step", "x > 1/2", "x > 1/2", lambda x: (x[:, 0] > 0.5).astype(float), kinks=(0.5,)
    )
    monkeypatch.setitem(ml.TASKS, "step", task)


@pytest.mark.slow
@pytest.mark.usefixtures("step_task")
@pytest.mark.parametrize(("name", "dtype"), [("silu", "float32"), ("relu", "float64")])
def test_the_population_loss_is_the_integral(name, dtype):
    nets = ml.train(
        ml.Config(width=4, steps=400, task="step", activation=name, dtype=dtype, loss="logistic"), 3
    )
    w, b = nets.w.astype(float), nets.b.astype(float)

    def loss(x, net, y):
        f = float(nets.select([net]).predict([x])[0, 0])
        return np.logaddexp(0, f) - y * f

    for net in range(3):
        bends = np.sort(np.clip(-b[net] / w[net, :, 0], -2, 2))
        parts = [
            quad(loss, lo, hi, (net, y), points=bends, epsrel=1e-10, limit=200)[0]
            for lo, hi, y in ((-2, 0.5, 0), (0.5, 2, 1))
        ]
        np.testing.assert_allclose(nets.population_loss[net], sum(parts) / 4, rtol=1e-7)


# What does not apply.
@pytest.mark.parametrize(
    "config",
    [
        ml.Config(loss="logistic"),
        ml.Config(loss="logistic", activation="relu", dtype="float64", width=500),
    ],
)
def test_engines_for_squares_are_never_taken(config):
    data = given(*labels_of(config))
    assert list(candidates(config, data, Request())) == ["lanes", "wide"]
    assert ml.train(config.replace(steps=1), 1, data=labels_of(config)).engine in ("lanes", "wide")


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"engine": "compressed"}, "engine='compressed'"),
        ({"engine": "exact"}, "engine='exact'"),
        ({"compress": 32}, "compress=32"),
    ],
)
def test_asking_for_an_engine_of_squares_is_refused_in_a_line(settings, part):
    with pytest.raises(ml.ConfigError) as error:
        ml.train(SHORT, 2, data=labels_of(SHORT), **settings)
    assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_other_labels_are_refused():
    with pytest.raises(
        ml.DataError, match=r"y\[0\] = 4 is no label; loss='logistic' takes 0 and 1"
    ):
        ml.train(SHORT, 2)
    nets = ml.train(SHORT, 2, data=labels_of(SHORT))
    with pytest.raises(ml.DataError, match="0 and 1"):
        nets.loss_on(given(np.zeros(1), np.array([0.5])))
    with pytest.raises(ml.DataError, match="inputs"):
        nets.loss_on(given(np.zeros((1, 2)), np.array([1.0])))
    with pytest.raises(ml.ConfigError, match="distilled"):
        nets.distill(1)
    with pytest.raises(ml.ConfigError, match="'hinge'"):
        ml.Config(loss="hinge")


def test_a_population_of_kinks_is_refused(step_task):
    with pytest.raises(ml.ConfigError, match="squares"):
        ml.train(
            SHORT.replace(
                task="step", activation="relu", dtype="float64", sampling="population", points=100
            ),
            1,
        )


def test_stores_from_before_the_loss_keep_their_keys():
    assert ml.Config().key == "4faf4c6659989148"
    assert (
        ml.Config(width=3, activation="relu", dtype="float64", root_seed=5).key
        == "43d013bb61589587"
    )
    assert SHORT.key != SHORT.replace(loss="squared").key
    assert LATER["loss"] == "squared"


def test_kernels_of_both_losses_are_told_apart():
    """A Spec of one loss has another type, hence another place in the cache, than that of the
    other.
    """
    from minilotto.kernels.spec import type_of_spec

    one, other = (
        type_of_spec(spec_of(activation_of("silu"), "float32", 1, loss=loss))
        for loss in LOSS_FORMULAS
    )
    assert one != other
    assert one.name != other.name
