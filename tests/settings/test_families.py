"""Families of targets of any number of inputs: what they are, that they are normalised, and that a
name is enough anywhere.
"""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilotto as ml
from minilotto.data.dataset import population_rule, sampled
from minilotto.engines.check import compare
from minilotto.settings.tasks import (
    FAMILIES,
    MOST_INPUTS,
    TASKS,
    Task,
    built_in,
    register_task,
    task_of,
)

NORMALISED = ("sum", "weighted", "radial", "teacher")


def uniform(inputs, count, seed=0):
    return np.random.default_rng(seed).uniform(-2, 2, (count, inputs))


@given(st.sampled_from(list(FAMILIES)), st.integers(1, 12))
def test_a_member_is_made_from_its_name_alone(family, inputs):
    task = task_of(f"{family}{inputs}")
    assert task.name == f"{family}{inputs}"
    assert task.domain == ((-2.0, 2.0),) * inputs
    assert task is task_of(task.name)
    assert built_in(task.name)
    assert ml.Config.from_json(ml.Config(task=task.name).to_json()).task == task.name
    assert task(uniform(inputs, 5)).shape == (5,)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("inputs", [1, 2, 9, 10])
def test_latex_is_such(family, inputs):
    from matplotlib.mathtext import MathTextParser

    assert MathTextParser("path").parse(f"${task_of(f'{family}{inputs}').latex}$").width > 0


@pytest.mark.parametrize("inputs", [1, 2, 5, 8])
def test_members_are_their_formulas(inputs):
    """Written here once more, plainly; the radial one's printed numbers have six digits."""
    x = uniform(inputs, 7)
    plain = [math.sqrt(45 / (64 * inputs)) * sum(z * z - 4 / 3 for z in row) for row in x]
    np.testing.assert_allclose(task_of(f"sum{inputs}")(x), plain, rtol=1e-12, atol=1e-13)
    weights = [0.01 ** (i / max(1, inputs - 1)) for i in range(inputs)]
    scales = [math.sqrt(45 / 64 * weight / sum(weights)) for weight in weights]
    plain = [sum(a * (z * z - 4 / 3) for a, z in zip(scales, row, strict=True)) for row in x]
    np.testing.assert_allclose(task_of(f"weighted{inputs}")(x), plain, rtol=1e-12, atol=1e-13)
    shift, scale = (
        float(word.strip("),"))
        for word in task_of(f"radial{inputs}").formula.split()
        if word[0].isdigit() and "." in word
    )
    plain = [(math.exp(-sum(z * z for z in row) / 2) - shift) / scale for row in x]
    np.testing.assert_allclose(task_of(f"radial{inputs}")(x), plain, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        task_of(f"product{inputs}")(x), [math.prod(row) for row in x], rtol=1e-12
    )


@pytest.mark.parametrize("family", NORMALISED)
@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_mean_zero_and_variance_one_by_quadrature(family, inputs):
    """Exact but for the teacher, which is normalised on 4096 points: a percent or two of the
    deviation.
    """
    rule = population_rule(task_of(f"{family}{inputs}"))
    tolerance = 0.08 if family == "teacher" else 1e-9
    assert abs(rule.weight @ rule.y) < tolerance
    assert abs(rule.weight @ rule.y**2 - 1) < tolerance


@pytest.mark.parametrize("family", NORMALISED)
@pytest.mark.parametrize("inputs", [5, 8])
def test_mean_zero_and_variance_one_on_many_points(family, inputs):
    """Five standard errors of a mean of P numbers; the teacher adds those of its 4096 points."""
    y = task_of(f"{family}{inputs}")(uniform(inputs, 200_000))
    squares = y * y
    error = 5 * squares.std() / math.sqrt(len(y)) + (
        5 * squares.std() / 64 if family == "teacher" else 0
    )
    assert abs(squares.mean() - 1) < error
    assert abs(y.mean()) < 5 / math.sqrt(len(y)) + (5 / 64 if family == "teacher" else 0)


def test_a_teacher_is_no_plane_and_another_in_each_dimension():
    for inputs in (1, 3, 8):
        x = uniform(inputs, 4000)
        y = task_of(f"teacher{inputs}")(x)
        design = np.column_stack([x, np.ones(len(x))])
        rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
        assert rest.var() > 0.02, inputs
    x = uniform(2, 50)
    assert not np.allclose(
        task_of("teacher2")(x), task_of("teacher3")(np.column_stack([x, np.zeros(50)]))
    )


@pytest.mark.parametrize("inputs", [30, MOST_INPUTS])
def test_many_inputs_stay_finite(inputs):
    x = np.concatenate([uniform(inputs, 3), np.zeros((1, inputs))])
    for family in FAMILIES:
        assert np.isfinite(task_of(f"{family}{inputs}")(x)).all(), family


@pytest.mark.parametrize("inputs", [2, 3, 4, 5])
def test_products_of_the_paper_are_those_of_the_family(inputs):
    assert task_of(f"product{inputs}") is TASKS[f"product{inputs}"]
    x = uniform(inputs, 9)
    np.testing.assert_array_equal(FAMILIES["product"](inputs)(x), TASKS[f"product{inputs}"](x))


@pytest.mark.parametrize(
    "name", ["sum", "sum0", "sum-1", "sum07", "sum1.0", "sum 3", "Sum3", "sum٣", "tanh2", "sum3x"]
)
def test_a_name_of_no_member_is_answered_in_one_line(name):
    with pytest.raises(ml.ConfigError) as error:
        ml.Config(task=name)
    assert "\n" not in str(error.value)
    assert repr(name) in str(error.value)
    for family in FAMILIES:
        assert f"{family}7" in str(error.value)


def test_too_many_inputs_are_refused_before_anything_is_made():
    for name in (f"sum{MOST_INPUTS + 1}", "teacher999999999"):
        with pytest.raises(ml.ConfigError, match=f"goes up to .*{MOST_INPUTS}"):
            ml.Config(task=name)


def test_a_members_name_is_taken():
    before = dict(TASKS)
    with pytest.raises(ml.ConfigError, match="'sum3' is taken"):
        register_task(Task("sum3", "x", "x", lambda x: x[:, 0]))
    assert before == TASKS


def test_a_member_trains_on_its_own_points():
    nets = ml.train(
        ml.Config(width=2, task="radial2", sampling="uniform", points=50, steps=20), seeds=2
    )
    assert nets.data.x.shape == (50, 2)
    np.testing.assert_array_equal(nets.data.y, task_of("radial2")(nets.data.x))
    assert (nets.population_loss > 0).all()


def test_a_store_keeps_members_and_a_fresh_process_trains_them(tmp_path):
    """In another process, as a worker of a cluster is one, no name has been made yet."""
    sweep = ml.Sweep(
        widths=(1, 2), tasks=("sum2", "teacher2"), sampling="uniform", points=20, seeds=2, steps=10
    )
    store = ml.sweep(sweep, out=tmp_path / "runs")
    assert len(store.configs) == 4
    code = (
        "import pickle, sys\n"
        "from minilotto.sweeps.worker import train_block\n"
        "block, folder = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
        "train_block(block, folder, folder, 1)\n"
    )
    import pickle

    from minilotto.store.blocks import Block

    block = Block(sweep.configs[1], 0, 2)
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run(
        [sys.executable, "-c", code, pickle.dumps((block, str(other))).hex()],
        check=True,
        capture_output=True,
    )
    assert (other / block.name).read_bytes() == (
        tmp_path / "runs" / "blocks" / block.name
    ).read_bytes()


def test_a_sweep_hands_no_function_to_its_workers(tmp_path):
    """Functions of a family cannot be pickled, and need not be."""
    import pickle
    from concurrent.futures import Future

    class Pickling:
        def submit(self, function, *arguments):
            function, arguments = pickle.loads(pickle.dumps((function, arguments)))
            done = Future()
            done.set_result(function(*arguments))
            return done

    sweep = ml.Sweep(width=1, task="radial3", sampling="uniform", points=10, seeds=2, steps=5)
    store = ml.sweep(sweep, out=tmp_path / "runs", executor=Pickling())
    assert len(store.ensemble(sweep.configs[0])) == 2


def test_gradients_are_checked_on_members():
    (found,) = compare(["tanh"], ["sum2"], ["float64"])
    assert found.task == "sum2"
    assert found.passed


def test_training_points_are_those_of_any_task_of_as_many_inputs():
    one, other = (
        sampled(ml.Config(task=name, sampling="uniform", points=8)) for name in ("sum4", "product4")
    )
    np.testing.assert_array_equal(one.x, other.x)
