"""TASKS, ACTIVATIONS, SCHEMES, Config and Dataset: each row proves itself, and each mistake is
answered in one line.
"""

import dataclasses
import json
import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import special, stats

import minilotto as ml
from minilotto.data.dataset import given, sampled
from minilotto.data.reading import read_dataset
from minilotto.errors import shown
from minilotto.initialisation import stream
from minilotto.settings.activations import activation_of
from minilotto.settings.config import FIELDS
from minilotto.settings.examples import split
from minilotto.settings.optimizers import OPTIMIZER_FIELDS
from minilotto.settings.schedules import SCHEDULE_FIELDS
from minilotto.settings.tasks import TASKS, register_task, task_of


def one_line(error, *parts):
    """The message of a caught error, once it is one line that holds all the parts."""
    message = str(error.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


def parses(latex):
    from matplotlib.mathtext import MathTextParser

    return MathTextParser("path").parse(f"${latex}$").width > 0


# Tasks.
UNARY = {
    "square": lambda x: x**2,
    "cube": lambda x: x**3,
    "quartic": lambda x: x**4,
    "sin": math.sin,
    "cos": math.cos,
    "exp": math.exp,
    "sin2": lambda x: math.sin(x) ** 2,
    "exp_square": lambda x: math.exp(x**2),
    "relu": lambda x: max(x, 0.0),
    "tanh": math.tanh,
}


FUNCTIONS = [name for name, task in TASKS.items() if task.examples is None]


def test_the_papers_targets_are_all_there():
    assert set(FUNCTIONS) == set(UNARY) | {f"product{n}" for n in (2, 3, 4, 5)}


@pytest.mark.parametrize("name", UNARY)
def test_a_unary_task_is_its_formula(name):
    x = [-2.0, -1.5, -0.25, 0.0, 0.75, 2.0]
    np.testing.assert_allclose(
        TASKS[name](np.array(x)[:, None]), [UNARY[name](z) for z in x], rtol=4e-16
    )


@pytest.mark.parametrize("inputs", [2, 3, 4, 5])
def test_a_product_multiplies_all_its_inputs(inputs):
    rows = [[1.5, -2.0, 0.5, 1.0, -1.25][:inputs], [2.0] * inputs, [0.0] + [2.0] * (inputs - 1)]
    np.testing.assert_array_equal(
        TASKS[f"product{inputs}"](np.array(rows)), [math.prod(row) for row in rows]
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_task_row_is_consistent(name):
    task = TASKS[name]
    assert task.name == name
    assert name.isidentifier()
    assert task.formula
    assert task.domain == ((-2.0, 2.0),) * task.inputs
    assert parses(task.latex)
    corners = np.array([[low for low, _ in task.domain], [high for _, high in task.domain]])
    assert task(corners).shape == (2,)
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.name = "other"


@pytest.mark.parametrize("name", UNARY)
def test_a_task_has_kinks_exactly_where_its_slope_jumps(name):
    """The second difference over h is the jump of the slope, and of the order of h where there is
    none.
    """
    task, h = TASKS[name], 1e-4
    for x in np.linspace(-1.75, 1.75, 15):
        left, here, right = task(np.array([[x - h], [x], [x + h]]))
        assert (abs(left - 2 * here + right) / h > 0.05) == (x in task.kinks)


def line(name="line", **changes):
    return ml.Task(
        **{"name": name, "formula": "x", "latex": "x", "function": lambda x: x[:, 0], **changes}
    )


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"name": "two words"}, "'two words'"),
        ({"name": ""}, "''"),
        ({"name": 5}, "5"),
        ({"domain": ()}, "empty domain"),
        ({"domain": ((1.0, 1.0),)}, "(1.0, 1.0)"),
        ({"domain": ((2.0, -2.0),)}, "(2.0, -2.0)"),
        ({"domain": ((0.0, math.inf),)}, "inf"),
        ({"domain": ((math.nan, 1.0),)}, "nan"),
        ({"domain": (-2.0, 2.0)}, "domain"),
        ({"kinks": (3.0,)}, "3.0"),
        ({"kinks": (math.nan,)}, "nan"),
        ({"kinks": (0.0,), "domain": ((-1.0, 1.0),) * 2}, "one-dimensional"),
    ],
)
def test_a_task_that_cannot_be_is_refused(change, part):
    with pytest.raises(ml.ConfigError) as error:
        line(**change)
    one_line(error, part, ";")


@pytest.mark.parametrize(
    ("function", "part"),
    [
        (lambda x: x, "(3, 1)"),
        (lambda x: 1.0, "()"),
        (lambda x: x[:2, 0], "(2,)"),
        (lambda x: 1 / (x[:, 0] - 1), "[1.0]"),
        (lambda x: np.where(x[:, 0] > 0, np.nan, 0.0), "[1.0]"),
        (lambda x: x[:, 0] + 1j, "complex"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_function_that_is_no_target_is_refused(function, part):
    with pytest.raises(ml.ConfigError) as error:
        line(function=function)(np.array([[0.0], [1.0], [-1.0]]))
    one_line(error, part, ";" if "(" not in part else "must return")


@pytest.fixture
def tasks_restored():
    before = dict(TASKS)
    yield
    TASKS.clear()
    TASKS.update(before)


@pytest.mark.usefixtures("tasks_restored")
def test_a_registered_task_is_known_to_configs():
    task = register_task(
        line("saw", function=lambda x: abs(x[:, 0]), domain=((-1, 3),), kinks=(0,))
    )
    assert task_of("saw") is task
    assert sampled(ml.Config(task="saw", points=5)).x.ravel().tolist() == [-1, 0, 1, 2, 3]
    assert register_task(task) is task
    nets = ml.train(ml.Config(width=1, task="saw", points=5, steps=1), seeds=1)
    assert nets.population_loss.shape == (1,)
    # as where a cell of a notebook runs again
    other = register_task(dataclasses.replace(task, function=lambda x: 2 * abs(x[:, 0])))
    assert task_of("saw") is other
    assert sampled(ml.Config(task="saw", points=5)).y.tolist() == [2, 0, 2, 4, 6]
    steep = register_task(dataclasses.replace(task, domain=((-1, 4),)))
    bits = register_task(dataclasses.replace(task, function=lambda x: abs(x[:, 0]) * (1 + 1e-15)))
    for one, same in ((task, True), (bits, True), (other, False), (steep, False)):
        register_task(one)
        if same:
            assert nets[:].population_loss == pytest.approx(nets.population_loss)
            continue
        with pytest.raises(ml.ConfigError, match="learnt another task than the 'saw' of now"):
            nets[:].population_loss  # noqa: B018


@pytest.mark.usefixtures("tasks_restored")
def test_examples_that_are_registered_again_hold_out_none_of_the_former_nets():
    def halves(key):
        return split(np.arange(20.0)[:, None], np.arange(20.0) % key, 10)

    def task(key):
        return ml.Task("halves", "", "", None, examples=lambda: halves(key), shape=(10, 1))

    register_task(task(3))
    nets = ml.train(ml.Config(width=1, task="halves", sampling="examples", steps=1), seeds=1)
    assert nets.held_out.points == 10
    register_task(task(4))
    with pytest.raises(ml.ConfigError, match="learnt another task"):
        nets[:].held_out  # noqa: B018


@pytest.mark.usefixtures("tasks_restored")
@pytest.mark.parametrize("name", ["square", "custom"])
def test_a_name_that_is_taken_is_not_given_again(name):
    before = dict(TASKS)
    with pytest.raises(ml.ConfigError) as error:
        register_task(line(name))
    one_line(error, repr(name), "choose another")
    assert before == TASKS


def test_an_unknown_task_is_answered_with_the_known_ones():
    with pytest.raises(ml.ConfigError) as error:
        task_of("sqare")
    one_line(error, "'sqare'", *TASKS)


# Activations and schemes.
AT_POINTS = {  # sigma and sigma' at -2, 0 and 3, worked out in 30 digits
    "silu": ([-0.238405844044, 0.0, 2.85772238047], [-0.0907842487849, 0.5, 1.08810410602]),
    "relu": ([0.0, 0.0, 3.0], [0.0, 0.0, 1.0]),
    "leaky_relu": ([-0.02, 0.0, 3.0], [0.01, 0.01, 1.0]),
    "tanh": ([-0.964027580076, 0.0, 0.995054753687], [0.0706508248532, 1.0, 0.00986603716544]),
    "gelu": ([-0.0455002638964, 0.0, 2.99595030591], [-0.0852318010782, 0.5, 1.0119456472]),
    "softplus": (
        [0.126928011043, 0.69314718056, 3.04858735157],
        [0.119202922022, 0.5, 0.952574126822],
    ),
    "sigmoid": ([0.119202922022, 0.5, 0.952574126822], [0.104993585404, 0.25, 0.0451766597309]),
}


@pytest.mark.parametrize("name", ml.ACTIVATIONS)
def test_an_activation_row_is_consistent(name):
    row, z = ml.ACTIVATIONS[name], np.array([-2.0, 0.0, 3.0])
    assert row.name == name
    assert parses(row.latex)
    value, slope = AT_POINTS[name]
    np.testing.assert_allclose(row.value(z), value, rtol=1e-11)
    np.testing.assert_allclose(row.slope(z), slope, rtol=1e-11)
    assert row.value(np.zeros((2, 3))).shape == row.slope(np.zeros((2, 3))).shape == (2, 3)
    assert row.kinks == ((0.0,) if "relu" in name else ())
    assert row.parameter == (0.01 if name == "leaky_relu" else 0.0)


@pytest.mark.parametrize("name", ml.ACTIVATIONS)
@pytest.mark.parametrize("z", [800.0, -800.0, 1e5, -1e5, 1e300])
def test_rows_stay_finite_far_out(name, z):
    row = ml.ACTIVATIONS[name]
    if name == "gelu" and z == 1e300:
        pytest.skip("z^2 overflows, with NumPy's warning")
    assert np.isfinite([row.value(np.array(z)), row.slope(np.array(z))]).all()


def test_leaky_relu_has_the_slope_asked_for():
    assert activation_of("leaky_relu", 0.3).slope(np.array([-1.0, 0.0, 1.0])).tolist() == [
        0.3,
        0.3,
        1.0,
    ]
    assert activation_of("leaky_relu", 0.3).parameter == 0.3
    assert activation_of("silu", 0.3) is ml.ACTIVATIONS["silu"]


@pytest.mark.parametrize("name", ["slu", "SiLU", "", None, 3])
def test_an_unknown_activation_is_answered_with_the_known_ones(name):
    with pytest.raises(ml.ConfigError) as error:
        activation_of(name)
    one_line(error, repr(name), *ml.ACTIVATIONS)


def test_rows_name_fields_that_others_are_refused_by():
    for table, fields in ((ml.OPTIMIZERS, OPTIMIZER_FIELDS), (ml.SCHEDULES, SCHEDULE_FIELDS)):
        assert set().union(*(row.fields for row in table.values())) == set(fields)


@pytest.mark.parametrize("table", [ml.ACTIVATIONS, ml.SCHEMES, ml.OPTIMIZERS, ml.SCHEDULES])
def test_tables_cannot_be_written_to(table):
    with pytest.raises(TypeError):
        table["mine"] = next(iter(table.values()))


@pytest.mark.parametrize("name", ml.SCHEMES)
def test_a_scheme_row_is_consistent(name):
    row = ml.SCHEMES[name]
    assert row.unit in ("uniform", "normal")
    assert row.note
    assert row.scalable == (name in ("uniform", "normal"))
    for inputs, width in ((1, 1), (1, 20), (5, 3)):
        spreads = row.spreads(inputs, width)
        assert len(spreads) == 4
        assert all(np.isfinite(spread) and spread >= 0 for spread in spreads)
        assert spreads[0] > 0
        assert spreads[2] > 0


# Config.
NO_NUMBERS = [math.nan, math.inf, -math.inf, "10", "", b"3", True, False, np.True_, None, [3], 1j]
BAD = {
    **{
        name: [0, -1, 1.5, 2**53, 10**400, *NO_NUMBERS]
        for name in ("width", "points", "steps", "lr_decay_every", "depth")
    },
    "root_seed": [-1, 1.5, 2**64, *NO_NUMBERS],
    "residual": ["yes", None, 2, 0.5, math.nan, [True]],
    **{
        name: [0, -1, -1e-300, *NO_NUMBERS]
        for name in ("lr", "lr_decay", "epsilon", "init_scale", "output_scale")
    },
    **{name: [-0.1, 1, 1.5, *NO_NUMBERS] for name in ("beta1", "beta2", "momentum")},
    "weight_decay": [-1, *NO_NUMBERS],
    "lr_final": [-0.1, 1.5, *(value for value in NO_NUMBERS if value is not None)],
    "warmup": [-1, 1.5, 50_000, *NO_NUMBERS],
    "batch": [-1, 1.5, 2**31, *NO_NUMBERS],
    "negative_slope": [1, 2.5, *NO_NUMBERS],
    "noise": [-1, -1e-300, *NO_NUMBERS],
    **{
        name: ["", "no_such_name", None, 3, True, 1.5, math.nan, ["grid"]]
        for name in (
            *("activation", "task", "sampling", "init", "dtype", "subnormals", "loss"),
            *("optimizer", "schedule"),
        )
    },
}


def test_every_field_has_bad_values():
    assert set(BAD) == set(FIELDS)


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in BAD.items() for value in values],
    ids=lambda v: repr(v)[:20],
)
def test_a_bad_value_is_answered_with_the_value_and_the_remedy(name, value):
    """`width=0 is out of range; give a whole number of at least 1`"""
    with pytest.raises(ml.ConfigError) as error:
        ml.Config(**{name: value})
    message = one_line(error, f"{name}={shown(value)}")
    assert message.startswith(name)
    assert "; give " in message or "; choose from " in message


GOOD = {
    "width": [1, 1e6, np.int64(5), np.float32(8)],
    "root_seed": [0, 2**64 - 1],
    "lr": [1e-30, 5, np.float32(0.5)],
    "noise": [0, 1e-300, 3, np.float32(0.5)],
    "beta1": [0, 0.999999],
    "task": FUNCTIONS,
    "activation": list(ml.ACTIVATIONS),
    "init": list(ml.SCHEMES),
    "optimizer": [name for name in ml.OPTIMIZERS if name != "lm"],
    "schedule": list(ml.SCHEDULES),
    "warmup": [0, 1e3],
    "batch": [0, 10, 1e6],
    "dtype": ["float32", "float64"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in GOOD.items() for value in values]
)
def test_a_good_value_is_taken_and_stored_as_a_plain_one(name, value):
    stored = getattr(ml.Config(**{name: value}), name)
    assert stored == value
    assert type(stored) is type(getattr(ml.Config(), name))


def test_a_million_may_be_written_1e6():
    assert ml.Config(steps=1e6) == ml.Config(steps=1_000_000)
    assert ml.Config(steps=1e6).key == ml.Config(steps=1_000_000).key


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"negative_slope": 0.2}, "negative_slope=0.2"),
        ({"negative_slope": 0.2, "activation": "relu"}, "relu"),
        ({"init_scale": 2.0}, "init_scale=2.0"),
        ({"init_scale": 2.0, "init": "kaiming_normal"}, "kaiming_normal"),
        ({"noise": 0.1, "sampling": "custom"}, "noise=0.1"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(fields, part):
    with pytest.raises(ml.ConfigError) as error:
        ml.Config(**fields)
    one_line(error, part, "means nothing")


def test_replace_and_json_refuse_what_config_refuses():
    for make in (
        lambda: ml.Config().replace(width=0),
        lambda: ml.Config().replace(wdth=3),
        lambda: ml.Config.from_json('{"width": 0}'),
        lambda: ml.Config.from_json('{"wdth": 3}'),
        lambda: ml.Config.from_json("[1, 2]"),
        lambda: ml.Config.from_json("{"),
    ):
        with pytest.raises(ml.ConfigError) as error:
            make()
        one_line(error)


def test_the_defaults_are_the_papers_protocol():
    config = ml.Config()
    assert (config.points, config.steps, config.task, config.sampling, config.dtype) == (
        100,
        50_000,
        "square",
        "grid",
        "float32",
    )
    assert (config.lr, config.lr_decay, config.lr_decay_every) == (1e-2, 0.2, 10_000)
    assert (config.beta1, config.beta2, config.epsilon, config.init) == (0.9, 0.999, 1e-8, "torch")


def test_a_config_is_frozen_and_hashable():
    config = ml.Config(width=3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.width = 4
    assert len({config, ml.Config(width=3), ml.Config(width=4)}) == 2


def test_json_holds_every_field_in_order():
    assert list(json.loads(ml.Config().to_json())) == [
        field.name for field in dataclasses.fields(ml.Config)
    ]


# Stored results are found by these keys: a change here is a change of every user's store.
KEYS = {
    "4faf4c6659989148": {},
    "6bd541fa1882b0ad": {"width": 2, "activation": "relu", "dtype": "float64", "root_seed": 7},
}


def test_noise_that_would_only_raise_the_loss_is_refused():
    with pytest.raises(ml.ConfigError) as error:
        ml.Config(noise=0.1, sampling="population")
    one_line(error, "noise=0.1", "leave it out")
    with pytest.raises(ml.ConfigError) as error:
        ml.train(ml.Config(noise=0.1, steps=5), seeds=2, data=(np.zeros(3), np.zeros(3)))
    one_line(error, "noise=0.1", "add it to y")


@pytest.mark.parametrize("key", KEYS)
def test_keys_never_change(key):
    assert ml.Config(**KEYS[key]).key == key


def test_a_field_that_came_later_counts_where_it_is_set():
    for key, fields in KEYS.items():
        assert ml.Config(**fields, noise=-0.0).key == key
        assert len({ml.Config(**fields, noise=noise).key for noise in (0, 0.1, 0.2)}) == 3
    before = {
        name: value
        for name, value in json.loads(ml.Config(width=3).to_json()).items()
        if name != "noise"
    }
    assert ml.Config.from_json(json.dumps(before)) == ml.Config(width=3)


def test_keys_are_the_same_in_every_process(python):
    code = "import minilotto as ml; print(ml.Config(width=3, task='sin').key)"
    printed = {python("-c", code, PYTHONHASHSEED=seed).out.strip() for seed in ("0", "1")}
    assert printed == {ml.Config(width=3, task="sin").key}


@pytest.mark.parametrize("name", ["beta1", "beta2"])
def test_equal_configs_have_equal_keys_even_with_a_negative_zero(name):
    assert ml.Config(**{name: -0.0}) == ml.Config(**{name: 0.0})
    assert ml.Config(**{name: -0.0}).key == ml.Config(**{name: 0.0}).key


# Sampling.
def test_the_papers_grid_is_linspace():
    data = sampled(ml.Config())
    np.testing.assert_array_equal(data.x[:, 0], np.linspace(-2, 2, 100))
    np.testing.assert_array_equal(data.y, np.linspace(-2, 2, 100) ** 2)
    np.testing.assert_array_equal(data.weight, np.full(100, 0.01))
    assert (data.points, data.inputs) == (100, 1)
    assert data.x.dtype == data.y.dtype == data.weight.dtype == np.float64


@pytest.mark.parametrize("array", ["x", "y", "weight"])
def test_datasets_are_read_only(array):
    for data in (sampled(ml.Config()), given(np.zeros(3), np.zeros(3))):
        with pytest.raises(ValueError, match="read-only"):
            getattr(data, array)[0] = 1.0


@pytest.mark.parametrize(
    ("inputs", "points", "per_axis"),
    [(2, 100, 10), (3, 27, 3), (3, 1000, 10), (5, 32, 2), (5, 243, 3)],
)
def test_a_grid_of_several_inputs_is_a_lattice(inputs, points, per_axis):
    data = sampled(ml.Config(task=f"product{inputs}", points=points))
    axis = np.linspace(-2, 2, per_axis)
    assert len({tuple(row) for row in data.x.tolist()}) == points
    for column in data.x.T:
        np.testing.assert_array_equal(np.unique(column), axis)
    np.testing.assert_array_equal(data.y, np.prod(data.x, axis=1))


def test_a_grid_of_one_point_is_the_middle():
    assert sampled(ml.Config(points=1)).x.tolist() == [[0.0]]


@pytest.mark.parametrize(
    ("task", "points", "below", "above"),
    [("product2", 99, 81, 100), ("product3", 126, 125, 216), ("product5", 3, 1, 32)],
)
def test_points_that_make_no_lattice_are_refused_with_the_nearest_that_do(
    task, points, below, above
):
    with pytest.raises(ml.ConfigError) as error:
        sampled(ml.Config(task=task, points=points))
    one_line(error, f"points={points}", f"points={below}", f"points={above}", "sampling='uniform'")
    for remedy in ({"points": below}, {"points": above}, {"sampling": "uniform"}):
        sampled(ml.Config(task=task, points=points).replace(**remedy))


@pytest.mark.parametrize("task", ["square", "product3"])
def test_uniform_points_come_from_the_root_seed_alone(task):
    config = ml.Config(task=task, sampling="uniform", points=1001)
    one, again, other = (
        sampled(config),
        sampled(config.replace(width=7, init="normal")),
        sampled(config.replace(root_seed=1)),
    )
    np.testing.assert_array_equal(one.x, again.x)
    assert not np.isin(one.x, other.x).any()
    assert (np.abs(one.x) < 2).all()
    # 1001 points in 20 boxes: a box's count is off its mean of 50 by 5 standard deviations once in
    # a million.
    for column in one.x.T:
        counts, _ = np.histogram(column, bins=20, range=(-2, 2))
        assert np.abs(counts - 1001 / 20).max() < 5 * np.sqrt(1001 / 20)


def test_uniform_points_are_drawn_one_after_the_other():
    few, many = (sampled(ml.Config(sampling="uniform", points=points)) for points in (10, 20))
    np.testing.assert_array_equal(few.x, many.x[:10])
    np.testing.assert_allclose(
        few.x[:2, 0], [4 * 0.7274983753012998 - 2, 4 * 0.5815725161584051 - 2], rtol=1e-15
    )


# Standard normal numbers of root seed 0, which never change.
GOLDEN_NOISE = (
    -1.8249465795063466,
    1.8295697146435212,
    0.331558215927395,
    -0.39982583027702145,
    -0.6189039079733073,
    -0.2681427484702942,
)


def test_noise_is_that_of_its_own_stream():
    """To a few roundings of the normal quantile function, which no standard fixes."""
    noisy = sampled(ml.Config(noise=0.5, points=6))
    np.testing.assert_allclose(
        noisy.y - noisy.x[:, 0] ** 2, 0.5 * np.array(GOLDEN_NOISE), rtol=0, atol=4e-15
    )
    unit = stream(7, "label noise", 0, 5)
    noisy, clean = (
        sampled(ml.Config(noise=noise, points=5, root_seed=7, sampling="uniform"))
        for noise in (2.0, 0.0)
    )
    np.testing.assert_array_equal(noisy.y, clean.y + 2.0 * special.ndtri(unit))
    np.testing.assert_array_equal(noisy.x, clean.x)


def test_noise_is_the_same_whatever_else_is_set_and_another_for_another_root():
    def noise_of(**fields):
        config = ml.Config(**{"noise": 1.0, "points": 100, **fields})
        return sampled(config).y - sampled(config.replace(noise=0.0)).y

    one = noise_of()
    for fields in (
        {"points": 1000},
        {"sampling": "uniform"},
        {"task": "sin"},
        {"task": "product2"},
        {"width": 3, "init": "normal"},
    ):
        np.testing.assert_allclose(noise_of(**fields)[:100], one, rtol=0, atol=1e-14)
    np.testing.assert_allclose(noise_of(noise=0.01), one / 100, rtol=0, atol=1e-15)
    assert not np.isin(noise_of(root_seed=1), one).any()


def test_noise_is_normal():
    noise = sampled(ml.Config(noise=0.3, points=100_000)).y - sampled(ml.Config(points=100_000)).y
    assert stats.kstest(noise / 0.3, "norm").pvalue > 1e-6
    assert abs(noise @ np.r_[noise[1:], 0]) / 0.09 < 5 * np.sqrt(100_000)


@pytest.mark.parametrize("activation", ["silu", "leaky_relu"])
def test_nets_learn_the_noise_and_the_population_loss_does_without(activation):
    config = ml.Config(width=3, activation=activation, steps=200, noise=1.0, dtype="float64")
    nets, clean = ml.train(config, seeds=4), sampled(config.replace(noise=0.0))
    error = nets.predict(nets.data.x) - nets.data.y
    np.testing.assert_allclose(nets.loss, np.mean(error**2, axis=1), rtol=1e-9)
    x = np.linspace(-2, 2, 200_001)
    np.testing.assert_allclose(
        nets.population_loss, np.mean((nets.predict(x) - x**2) ** 2, axis=1), rtol=1e-4
    )
    assert not np.allclose(nets.data.y, clean.y)
    by_hand = ml.train(config.replace(noise=0.0), seeds=4, data=(nets.data.x, nets.data.y))
    np.testing.assert_array_equal(nets.w, by_hand.w)


# Data of the caller's own.
ONES = np.ones(3)


@pytest.mark.parametrize(
    ("x", "y", "weight", "part"),
    [
        (np.ones((3, 1)), np.ones((3, 1)), None, "(3, 1)"),
        (ONES, np.ones((3, 1)), None, "(3, 1)"),
        (ONES, np.ones((1, 3)), None, "(1, 3)"),
        (ONES, np.ones(4), None, "(4,)"),
        (np.ones((3, 1, 1)), ONES, None, "(3, 1, 1)"),
        (np.ones((3, 0)), ONES, None, "(3, 0)"),
        (np.ones(0), np.ones(0), None, "(0,)"),
        (np.float64(1), np.float64(1), None, "()"),
        (np.arange(3), ONES, None, "int64"),
        (ONES, np.arange(3), None, "int64"),
        (ONES, ONES, np.arange(3), "int64"),
        ([1, 2, 3], ONES, None, "int64"),
        (ONES, ONES.astype(bool), None, "bool"),
        (ONES + 1j, ONES, None, "complex128"),
        (ONES.astype(np.float16), ONES, None, "float16"),
        (["a", "b", "c"], ONES, None, "dtype"),
        (np.array([1, np.nan, 1]), ONES, None, "[1]"),
        (ONES, np.array([1, 1, np.inf]), None, "[2]"),
        (ONES, ONES, np.array([1, 1, np.nan]), "[2]"),
        (ONES, ONES, np.array([1.0, -1.0, 1.0]), "-1.0"),
        (ONES, ONES, np.zeros(3), "0.0"),
        (ONES, ONES, np.full(3, 1e308), "inf"),
        (ONES, ONES, np.ones(4), "(4,)"),
        (ONES, ONES, np.ones((3, 1)), "(3, 1)"),
        ([[1.0, 2.0], [3.0]], ONES, None, "x"),
    ],
)
def test_data_that_cannot_be_fitted_are_refused(x, y, weight, part):
    for attempt in (
        lambda: given(x, y, weight),
        lambda: ml.train(ml.Config(width=1), 1, data=(x, y, weight)),
    ):
        with pytest.raises(ml.DataError) as error:
            attempt()
        one_line(error, part)


def test_columns_and_lists_of_floats_are_taken():
    column, flat = given(np.ones((3, 1)), ONES), given([1.0, 1.0, 1.0], [1.0, 1.0, 1.0])
    for data in (column, flat, given(ONES.astype(np.float32), ONES)):
        assert data.x.shape == (3, 1)
        assert data.x.dtype == np.float64
        assert data.weight.tolist() == [1 / 3] * 3


def test_weights_are_scaled_to_sum_to_one_and_the_callers_arrays_stay_as_they_were():
    x, y, weight = np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.array([1.0, 3.0])
    data = given(x, y, weight)
    assert data.weight.tolist() == [0.25, 0.75]
    x[0] = y[0] = weight[0] = 9.0
    assert (data.x[0, 0], data.y[0], data.weight[0]) == (1.0, 3.0, 0.25)


@pytest.mark.parametrize("data", [ONES, (ONES,), (ONES, ONES, ONES, ONES), "data.npz", 5])
def test_data_that_are_no_pair_are_refused(data):
    with pytest.raises(ml.ConfigError) as error:
        ml.train(ml.Config(width=1), 1, data=data)
    one_line(error, "(x, y)")


# Data files.
def test_csv_columns_are_known_by_their_names(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("weight, x1,y,x2\n1,0.5,2,-0.5\n3,1e-3,4,7\n", encoding="utf-8")
    data = read_dataset(path)
    assert data.x.tolist() == [[0.5, -0.5], [0.001, 7.0]]
    assert data.y.tolist() == [2.0, 4.0]
    assert data.weight.tolist() == [0.25, 0.75]


def test_a_csv_without_weights_has_equal_ones(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("x,y\n1,2\n3,4\n5,6\n", encoding="utf-8")
    assert read_dataset(str(path)).weight.tolist() == [1 / 3] * 3


@pytest.mark.parametrize("weight", [None, np.array([1.0, 3.0])])
def test_npz_arrays_are_known_by_their_names(tmp_path, weight):
    path = tmp_path / "data.npz"
    arrays = {
        "x": np.array([[1.0, 2.0], [3.0, 4.0]]),
        "y": np.array([5.0, 6.0]),
        "comment": np.array("mine"),
    }
    np.savez(path, **arrays, **({} if weight is None else {"weight": weight}))
    data, direct = read_dataset(path), given(arrays["x"], arrays["y"], weight)
    for array in ("x", "y", "weight"):
        np.testing.assert_array_equal(getattr(data, array), getattr(direct, array))


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("data.csv", b"x,y\n", ml.DataError),
        ("data.csv", b"", ml.DataError),
        ("data.csv", b"x,x2\n1,2\n", ml.DataError),
        ("data.csv", b"y,weight\n1,2\n", ml.DataError),
        ("data.csv", b"1,2\n3,4\n", ml.DataError),
        ("data.csv", b"x,y\n1,nan\n", ml.DataError),
        ("data.csv", b"x,y\n1,2,3\n", ml.DataError),
        ("data.csv", b"x,y\n1,2\n3\n", ml.FileError),
        ("data.csv", b"x,y\n1,two\n", ml.FileError),
        ("data.csv", b"\xff\xfe\x00", ml.FileError),
        ("data.npz", b"", ml.FileError),
        ("data.npz", b"PK\x03\x04 and no more", ml.FileError),
        ("data.npz", b"no archive at all", ml.FileError),
        ("data.txt", b"x,y\n1,2\n", ml.FileError),
    ],
)
def test_a_file_that_holds_no_data_is_refused(tmp_path, name, content, error):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(error) as caught:
        read_dataset(path)
    one_line(caught)


@pytest.mark.parametrize("name", ["missing.csv", "missing.npz", "."])
def test_a_file_that_is_not_there_is_refused(tmp_path, name):
    with pytest.raises(ml.FileError) as error:
        read_dataset(tmp_path / name)
    one_line(error, str(tmp_path))


def test_an_array_file_under_the_name_of_an_archive_is_refused(tmp_path):
    with open(tmp_path / "data.npz", "wb") as file:
        np.save(file, ONES)
    with pytest.raises(ml.FileError) as error:
        read_dataset(tmp_path / "data.npz")
    one_line(error, "data.npz")


@pytest.mark.parametrize("missing", ["x", "y"])
def test_an_archive_without_x_or_y_is_refused(tmp_path, missing):
    np.savez(tmp_path / "data.npz", **{name: ONES for name in ("x", "y") if name != missing})
    with pytest.raises(ml.DataError) as error:
        read_dataset(tmp_path / "data.npz")
    one_line(error, "data.npz")


def test_a_negative_weight_or_an_integer_in_an_archive_is_refused(tmp_path):
    np.savez(tmp_path / "data.npz", x=np.arange(3), y=ONES)
    with pytest.raises(ml.DataError, match="int64"):
        read_dataset(tmp_path / "data.npz")


# What train takes beside a Config.
@pytest.mark.parametrize(
    "seeds",
    [
        0,
        -1,
        1.5,
        math.nan,
        True,
        None,
        "7",
        [],
        range(0),
        [1.5],
        [-1],
        [3, 3],
        [2**48],
        [[1, 2]],
        range(2**70, 2**70 + 2),
    ],
)
def test_seeds_that_are_none_are_refused(seeds):
    with pytest.raises(ml.ConfigError) as error:
        ml.train(ml.Config(width=1, steps=1), seeds)
    one_line(error, "seeds" if seeds != [3, 3] else "twice")


@pytest.mark.parametrize("checkpoints", [[-1], [11], [1.5], [None], ["1"], 5])
def test_checkpoints_that_are_none_are_refused(checkpoints):
    with pytest.raises(ml.ConfigError) as error:
        ml.train(ml.Config(width=1, steps=10), 1, checkpoints=checkpoints)
    one_line(error, "checkpoint")


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"backend": "gpu"}, "backend='gpu'"),
        ({"threads": 0}, "threads=0"),
        ({"threads": 1.5}, "threads=1.5"),
        ({"target": "x^2"}, "target='x^2'"),
        ({"target": np.square, "data": (ONES, ONES)}, "both"),
    ],
)
def test_settings_of_a_training_that_cannot_be_are_refused(settings, part):
    with pytest.raises(ml.ConfigError) as error:
        ml.train(ml.Config(width=1, steps=1), 1, **settings)
    one_line(error, part)


def test_work_beyond_memory_is_refused_before_it_starts():
    for config, seeds in (
        (ml.Config(width=10**6), 10**7),
        (ml.Config(), 2**47),
        (ml.Config(points=10**14), 1),
    ):
        with pytest.raises(ml.ResourceError) as error:
            ml.train(config, seeds)
        one_line(error, "memory", "free")


def test_errors_are_of_the_kinds_that_callers_catch():
    for kind, base in pairwise((ml.ConfigError, ml.MinilottoError, Exception)):
        assert issubclass(kind, base)
    assert issubclass(ml.ConfigError, ValueError)
    assert issubclass(ml.DataError, ValueError)
    assert issubclass(ml.FileError, OSError)
    assert issubclass(ml.TrainingInterrupted, KeyboardInterrupt)
