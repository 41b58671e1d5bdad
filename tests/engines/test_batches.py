"""Minibatches: the reference's draws and steps, bits that depend on the seed alone, gradients whose
mean is that of all points, and what is refused.
"""

import itertools

import numba
import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from nets import largest_difference, mostly_slow, trajectory_tolerance

import minilotto as ml
from minilotto.cli.summary import summary
from minilotto.data.dataset import Dataset, given, sampled
from minilotto.engines import batches as engine_module
from minilotto.engines.batches import BatchEngine
from minilotto.engines.evaluate import gradients
from minilotto.engines.reference import ReferenceEngine
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.kernels.targets import TARGETS
from minilotto.kernels.updates import UPDATES
from minilotto.oracles import random_reference
from minilotto.settings.tasks import task_of
from minilotto.training.train import prepare

SEEDS = 24
X = np.linspace(-1.0, 2.0, 37)
LABELLED = given(X, (X > 0.3).astype(float))
WEIGHTED = given(X, np.sin(X), 1.0 + np.arange(37) ** 2)
MANY = given(np.linspace(-2, 2, 1000), np.linspace(-2, 2, 1000) ** 2)
TEN_STEPS = {"width": 5, "batch": 10, "steps": 10, "dtype": "float64"}


def config_of(**fields):
    return ml.Config(**{**TEN_STEPS, **fields})


def trained(config, data=None, seeds=SEEDS, cuts=(), **arguments):
    """Parameters by the engine, whose steps are cut into chunks at `cuts`."""
    data = data or sampled(config)
    seeds = np.arange(seeds) if np.isscalar(seeds) else np.array(seeds)
    kind = arguments.pop("kind", BatchEngine)
    engine = kind(config, data, arguments.pop("threads", 1), **arguments)
    engine.seeds = seeds
    engine.start(initial_parameters(config, data.inputs, seeds))
    for first, last in itertools.pairwise((0, *cuts, config.steps)):
        engine.advance(first, last - first)
    return engine.parameters()


# Against the reference.
CASES = {
    "grid": ({}, None),
    "one point": ({"batch": 1}, None),
    "odd": ({"batch": 7}, None),
    "more than the points": ({"batch": 130}, None),
    "many rows": ({}, MANY),
    "logistic": ({"batch": 5, "loss": "logistic"}, LABELLED),
    "weighted": ({}, WEIGHTED),
    "weighted, odd": ({"batch": 3}, WEIGHTED),
    "two inputs": ({"task": "product2", "points": 49, "batch": 7}, None),
    "examples": ({"task": "moons", "sampling": "examples", "loss": "logistic"}, None),
    "seven inputs": ({"task": "sum7", "sampling": "uniform", "batch": 9}, None),
    "population": ({"sampling": "population"}, None),
    "population, odd": ({"sampling": "population", "batch": 3, "task": "product3"}, None),
    "population, sin": ({"sampling": "population", "task": "sin"}, None),
    "population, relu": ({"sampling": "population", "activation": "relu"}, None),
    "root seed": ({"root_seed": 2**64 - 1}, None),
    "float32": ({"dtype": "float32"}, None),
    "float32, many rows": ({"dtype": "float32"}, MANY),
    "float32, weighted": ({"dtype": "float32", "batch": 11}, WEIGHTED),
    "float32, population": ({"dtype": "float32", "sampling": "population", "batch": 4}, None),
}
QUICK = ["odd", "many rows", "weighted, odd", "population, odd", "float32", "float32, weighted"]


@pytest.mark.parametrize("name", mostly_slow(CASES, QUICK))
def test_steps_are_those_of_the_reference(name):
    fields, data = CASES[name]
    config = config_of(**fields)
    if "examples" in fields.values():
        pytest.importorskip("sklearn", reason="moons come from scikit-learn (extra sklearn)")
    seeds = np.arange(SEEDS) * 12_345_678_901
    ours, theirs = (trained(config, data, seeds, kind=k) for k in (BatchEngine, ReferenceEngine))
    assert largest_difference(ours, theirs) < trajectory_tolerance(config)


@pytest.mark.parametrize("optimizer", mostly_slow(UPDATES, ["adam", "gd"]))
def test_every_optimiser_steps_on_batches(optimizer):
    config = config_of(optimizer=optimizer)
    nets = ml.train(config, SEEDS)
    reference = ml.train(config, SEEDS, backend="reference")
    assert (nets.engine, reference.engine) == ("lanes, batches", "reference")
    assert largest_difference(nets.parameters, reference.parameters) < trajectory_tolerance(config)


# The rows drawn show in the gradient of one step: x = 0 and y = p at point p give dc = -2 mean p.
@pytest.mark.parametrize(("points", "batch"), [(100, 1), (100, 5), (256, 64), (257, 3), (1000, 2)])
def test_draws_are_those_of_numpy(points, batch):
    config = config_of(
        width=1, batch=batch, optimizer="gd", lr=0.5, schedule="constant", steps=2**41
    )
    data = given(np.zeros(points), np.arange(points, dtype=float))
    seeds = np.array([0, 1, 2**31, 2**32 - 1, 2**32, 2**48 - 1])
    start = initial_parameters(config, 1, seeds)
    nothing = Parameters(*(np.zeros_like(array) for array in start))
    engine = BatchEngine(config, data, 1)
    engine.seeds = seeds
    for step in (0, 1, 6, 2**32 - 1, 2**32, 2**40 + 5):
        engine.start(nothing)
        engine.advance(step, 1)
        drawn = random_reference.batch_rows(0, seeds, step, batch, points)
        np.testing.assert_allclose(engine.parameters().c, drawn.mean(axis=1), rtol=1e-12)


@pytest.mark.parametrize("data", [given(X, np.sin(X)), WEIGHTED], ids=["equal", "weighted"])
def test_the_mean_gradient_is_that_of_all_points(data):
    steps, batch, width = 4000, 5, 2
    config = config_of(
        batch=batch, optimizer="gd", lr=1.0, schedule="constant", width=width, steps=steps
    )
    one = initial_parameters(config, 1, np.array([3]))
    start = Parameters(*(np.repeat(array, 64, axis=0) for array in one))
    engine = BatchEngine(config, data, 2)
    engine.seeds = np.arange(64)
    sums, squares = [0.0] * 4, [0.0] * 4
    for step in range(steps // 64):
        engine.start(start)
        engine.advance(step, 1)
        moved = engine.parameters()
        found = [before - after for before, after in zip(start, moved, strict=True)]
        sums = [total + array.sum(axis=0) for total, array in zip(sums, found, strict=True)]
        squares = [total + (a * a).sum(axis=0) for total, a in zip(squares, found, strict=True)]
    count = steps // 64 * 64
    expected = gradients(engine.activation, one, data)
    for total, square, truth in zip(sums, squares, expected, strict=True):
        mean = total / count
        error = np.sqrt((square / count - mean**2) / count)
        assert (np.abs(mean - truth[0]) < 5 * error).all()


# A seed's bits depend on itself alone.
SAME = {
    "grid": {"batch": 7},
    "population": {"batch": 3, "sampling": "population"},
    "population, sin": {"batch": 3, "sampling": "population", "task": "sin"},
    "many rows": {"batch": 6, "points": 300},
}


@pytest.mark.parametrize("dtype", mostly_slow(["float32", "float64"], ["float32"]))
@pytest.mark.parametrize("name", SAME)
def test_bits_are_the_same_whatever_surrounds_a_seed(name, dtype, monkeypatch):
    config = ml.Config(width=3, steps=150, dtype=dtype, **SAME[name])
    every = trained(config, seeds=range(100), threads=2)
    few = trained(config, seeds=[41, 7, 99], cuts=(1, 2, 37, 64, 100))
    other_lanes = trained(config, seeds=range(100), lanes=4 if dtype == "float32" else 2)
    monkeypatch.setattr(engine_module, "FRESH", 50)
    monkeypatch.setattr(engine_module, "WINDOW", 9)
    smaller_pieces = trained(config, seeds=range(100), threads=2)
    for whole, some, third, fourth in zip(every, few, other_lanes, smaller_pieces, strict=True):
        np.testing.assert_array_equal(whole[[41, 7, 99]], some)
        np.testing.assert_array_equal(whole, third)
        np.testing.assert_array_equal(whole, fourth)


def test_going_on_from_a_state_changes_no_bit():
    config, seeds = config_of(steps=90, batch=3), np.arange(20)
    data = sampled(config)
    engines = [BatchEngine(config, data, 1) for _ in range(2)]
    order = np.random.default_rng(0).permutation(20)
    engines[0].seeds, engines[1].seeds = seeds, seeds[order]
    engines[0].start(initial_parameters(config, 1, seeds))
    engines[0].advance(0, 37)
    state = engines[0].state()
    engines[1].resume(type(state)(*(Parameters(*(a[order] for a in one)) for one in state)))
    for engine in engines:
        engine.advance(37, 53)
    for a, b in zip(engines[0].parameters(), engines[1].parameters(), strict=True):
        np.testing.assert_array_equal(a[order], b)


@pytest.mark.parametrize("task", [*ml.TASKS, "sum3", "radial2", "teacher3"])
def test_targets_do_not_depend_on_the_other_points(task):
    """So that one seed's fresh points have the same targets beside any others."""
    task = task_of(task)
    if task.examples is not None:
        pytest.skip("a set of examples has no function")
    low, high = np.array(task.domain).T
    x = low + (high - low) * np.random.default_rng(0).random((203, task.inputs))
    whole = task(x)
    for first, last in ((0, 1), (5, 6), (3, 10), (100, 203), (1, 203)):
        np.testing.assert_array_equal(task(x[first:last]), whole[first:last])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("task", TARGETS)
def test_targets_of_kernels_are_the_tasks_in_every_bit(task, dtype, monkeypatch):
    config = config_of(sampling="population", task=task, dtype=dtype, batch=7, steps=40, lr=1e-3)
    by_kernel = trained(config)
    monkeypatch.setattr(engine_module, "TARGETS", ())
    for ours, called in zip(by_kernel, trained(config), strict=True):
        np.testing.assert_array_equal(ours, called)


def test_a_task_of_that_name_is_not_the_one_that_kernels_know():
    """Nor is one on another domain."""
    square = ml.Task("square", "x^2 / 2", "x^2 / 2", lambda x: x[:, 0] ** 2 / 2, ((0.0, 1.0),))
    config = config_of(sampling="population")
    ours = ml.train(config, SEEDS, target=square)
    theirs = ml.train(config, SEEDS, target=square, backend="reference")
    assert largest_difference(ours.parameters, theirs.parameters) < trajectory_tolerance(config)


# What is reported, and what is refused.
def test_losses_are_those_on_all_data():
    config = ml.Config(width=3, steps=50, batch=3, sampling="population")
    nets = ml.train(config, 20)
    np.testing.assert_allclose(nets.loss, nets.population_loss, rtol=1e-6)
    assert (nets.nodes == 3).all()
    kinked = ml.train(config.replace(activation="relu"), 20)
    np.testing.assert_array_equal(kinked.loss, kinked.population_loss)
    nets = ml.train(ml.Config(width=3, steps=50, batch=3), 20)
    data, f = nets.data, nets.predict(sampled(ml.Config()).x)
    np.testing.assert_allclose(nets.loss, ((f - data.y) ** 2).mean(axis=1), rtol=1e-12)


def test_the_expected_gradient_trains():
    nets = ml.train(ml.Config(width=5, steps=3000, batch=10, schedule="cosine"), 50)
    assert np.median(nets.loss) < np.median(nets.history.loss[0]) / 200


def test_divergence_is_flagged_by_seed():
    nets = ml.train(config_of(optimizer="gd", lr=1e30), 20)
    assert set(nets.status) == {"diverged"}


def test_the_reason_and_the_summary_say_so():
    assert "batch=7" in prepare(ml.Config(batch=7)).reason
    nets = ml.train(config_of(batch=7), 3)
    assert "one of 7 points in one step" in summary(nets)


@pytest.mark.parametrize(
    ("fields", "arguments", "words"),
    [
        ({}, {"engine": "wide"}, "engine='wide' takes no batches, but batch=10"),
        ({}, {"engine": "exact"}, "engine='exact' takes no batches"),
        ({}, {"engine": "compressed"}, "engine='compressed' takes no batches"),
        ({}, {"compress": 16}, "compress=16 takes no batches"),
        ({"batch": -1}, {}, "batch=-1 is out of range"),
        ({"batch": 1.5}, {}, "batch=1.5 is out of range"),
        ({"batch": True}, {}, "batch=True is out of range"),
        ({"batch": "10"}, {}, "batch='10' is out of range"),
        ({"batch": 2**31}, {}, "batch=2147483648 is out of range"),
        (
            {"sampling": "population", "task": "product2", "activation": "relu"},
            {},
            "no quadrature resolves its kinks",
        ),
        ({"sampling": "population", "task": "sum4"}, {}, "out of reach for 4 inputs"),
    ],
)
def test_what_takes_no_batches_is_refused_in_one_line(fields, arguments, words):
    with pytest.raises(ml.ConfigError) as error:
        ml.train(config_of(**fields), 2, **arguments)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_batch_beyond_memory_is_refused():
    with pytest.raises(ml.ResourceError, match="smaller batches"):
        ml.train(config_of(batch=2**31 - 1), 1)


def test_a_target_that_fails_at_some_point_says_where():
    config = config_of(sampling="population", steps=200)
    with pytest.raises(ml.ConfigError, match="not finite at x"):
        ml.train(config, 9, target=lambda x: np.where(x[:, 0] > 1.99, np.nan, 0.0), threads=2)


@pytest.mark.slow
@settings(max_examples=30)
@examples(
    batch=st.integers(1, 40),
    points=st.integers(1, 300),
    dtype=st.sampled_from(["float32", "float64"]),
    weighted=st.booleans(),
    root=st.integers(0, 2**64 - 1),
    seeds=st.lists(st.integers(0, 2**48 - 1), min_size=1, max_size=5, unique=True),
)
def test_any_combination_is_that_of_the_reference(batch, points, dtype, weighted, root, seeds):
    """By Adam: a step of any other optimiser is the same function of a gradient, and on batches has
    the test above.
    """
    rng = np.random.default_rng(points)
    weight = rng.random(points) + 0.1 if weighted else np.ones(points)
    data = Dataset(rng.normal(size=(points, 1)), rng.normal(size=points), weight / weight.sum())
    config = ml.Config(width=2, steps=5, batch=batch, dtype=dtype, root_seed=root, lr=1e-3)
    ours, theirs = (trained(config, data, seeds, kind=k) for k in (BatchEngine, ReferenceEngine))
    assert largest_difference(ours, theirs) < trajectory_tolerance(config)


@pytest.mark.slow
def test_a_step_calls_no_function_to_find_its_row():
    """Such a call, with all arrays as its arguments, took as long as drawing ten points."""
    config = config_of(optimizer="gd", dtype="float32")
    engine = BatchEngine(config, sampled(config), threads=1)
    engine.seeds = np.arange(SEEDS)
    engine.start(initial_parameters(config, 1, engine.seeds))
    work = engine.work(0, 1)
    # with the kernel's options; what comes from the cache has no code
    fresh = numba.jit(**work.run.targetoptions)(work.run.py_func)
    fresh(*work.arguments, 0, 1)
    (code,) = fresh.inspect_asm().values()
    assert "_draw" in code
    assert "row_of_batches" not in code
    assert "NRT_incref" not in code
