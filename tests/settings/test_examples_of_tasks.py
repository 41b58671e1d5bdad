"""Sets of examples as tasks: what they hold, how they train, how nets are judged on the part held
out, and what is refused.
"""

import shlex
import subprocess
import sys

import numpy as np
import pytest

import minilotto as ml
from minilotto.cli import commands
from minilotto.data.dataset import examples_of, sampled
from minilotto.settings.examples import EXAMPLES, Examples, split
from minilotto.settings.tasks import TASKS, task_of

sklearn = pytest.importorskip("sklearn", reason="the examples are scikit-learn's (extra sklearn)")

TWO_CLASSES = ("moons", "circles", "breast_cancer", "digits")


def examples_config(task, **settings):
    return ml.Config(
        **{
            "width": 4,
            "steps": 60,
            "task": task,
            "sampling": "examples",
            "loss": "logistic",
            **settings,
        }
    )


@pytest.fixture(scope="module")
def nets():
    return ml.train(
        examples_config("moons", steps=800, lr_decay_every=400, width=8), seeds=6, threads=1
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_what_their_task_says(name):
    task, (training, held_out) = task_of(name), examples_of(task_of(name))
    assert (training.points, training.inputs) == task.shape
    assert task.inputs == training.inputs == held_out.inputs
    assert held_out.points > training.points / 4
    varies = training.x.std(axis=0) > 0
    np.testing.assert_allclose(training.x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(training.x.std(axis=0)[varies], 1)
    assert (held_out.x[:, ~varies] == 0).all()
    both = {row.tobytes() for row in training.x} & {row.tobytes() for row in held_out.x}
    assert not both, "a point is in both parts"
    again = task.examples()
    np.testing.assert_array_equal(again.x, training.x)
    np.testing.assert_array_equal(again.held_out_y, held_out.y)


@pytest.mark.parametrize("name", TWO_CLASSES)
def test_both_parts_of_a_two_class_problem_hold_both_classes(name):
    for part in examples_of(task_of(name)):
        assert set(np.unique(part.y)) == {0.0, 1.0}
        assert 0.3 < part.y.mean() < 0.7


def test_the_split_is_of_the_points_as_they_are():
    """Another way to the same parts: every point once, standardised by the training part alone."""
    x, y = sklearn.datasets.load_breast_cancer(return_X_y=True)
    training, held_out = examples_of(task_of("breast_cancer"))
    points = np.concatenate([training.x, held_out.x])
    rank = lambda column: np.sort(column)  # noqa: E731
    for d in (0, 7, 29):
        line = np.polyfit(rank(points[:, d]), rank(x[:, d]), 1)
        np.testing.assert_allclose(
            np.polyval(line, rank(points[:, d])), rank(x[:, d]), atol=1e-9 * np.ptp(x[:, d])
        )
    assert training.y.sum() + held_out.y.sum() == y.sum()


def test_a_split_leaves_no_subset_empty():
    for training in (0, 5):
        with pytest.raises(ml.DataError, match="subset empty"):
            split(np.zeros((5, 1)), np.zeros(5), training)


def test_nets_learn_and_are_judged_on_what_they_have_not_seen(nets):
    assert nets.data.points == 500
    assert nets.held_out.points == 1500
    x, y = nets.held_out.x, nets.held_out.y
    f = nets.predict(x)
    np.testing.assert_allclose(
        nets.loss_on(nets.held_out), np.mean(np.logaddexp(0, f) - y * f, axis=1), rtol=1e-12
    )
    np.testing.assert_allclose(
        nets.error_rate_on(nets.held_out), np.mean((f > 0) != (y == 1), axis=1), rtol=1e-12
    )
    assert (nets.error_rate_on(nets.held_out) < 0.15).all()
    with pytest.raises(ml.ConfigError, match="held_out"):
        _ = nets.population_loss
    spoilt = nets.with_parameters(nets.parameters._replace(c=np.full(6, np.nan, np.float32)))
    with np.errstate(invalid="ignore"):
        assert np.isnan(spoilt.loss).all()


def test_they_survive_a_file(nets, tmp_path):
    back = ml.load(nets.save(tmp_path / "nets.npz"))
    assert back.config == nets.config
    np.testing.assert_array_equal(back.held_out.x, nets.held_out.x)


def test_regression_on_examples_works_with_squares():
    nets = ml.train(
        ml.Config(width=4, steps=300, task="diabetes", sampling="examples"), seeds=4, threads=1
    )
    assert (nets.loss < 1).all()
    np.testing.assert_allclose(
        nets.loss_on(nets.held_out),
        np.mean((nets.predict(nets.held_out.x) - nets.held_out.y) ** 2, axis=1),
        rtol=1e-12,
    )
    with pytest.raises(ml.DataError, match="0 and 1"):
        nets.error_rate_on(nets.held_out)


def test_squares_on_labels_tell_classes_by_a_half():
    nets = ml.train(examples_config("moons", loss="squared"), seeds=3, threads=1)
    positive = nets.predict(nets.held_out.x) > 0.5
    np.testing.assert_allclose(
        nets.error_rate_on(nets.held_out), np.mean(positive != nets.held_out.y, axis=1), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"task": "moons"}, "use sampling='examples'"),
        ({"task": "moons", "sampling": "uniform"}, "sampling='uniform'"),
        ({"task": "moons", "sampling": "population"}, "sampling='population'"),
        ({"task": "square", "sampling": "examples"}, "moons, circles"),
        ({"task": "custom", "sampling": "examples"}, "'custom'"),
        ({"task": "moons", "sampling": "examples", "points": 50}, "points=50"),
    ],
)
def test_samplings_that_do_not_fit_are_refused_in_a_line(settings, part):
    with pytest.raises(ml.ConfigError) as error:
        ml.Config(**settings)
    assert part in str(error.value)
    assert "\n" not in str(error.value)


def two_points():
    x = np.array([[-1.0, 0.0], [1.0, 0.0]])
    return Examples(x, np.array([0.0, 1.0]), x, np.array([0.0, 1.0]))


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setitem(
        TASKS, "two", ml.Task("two", "which", "y", examples=two_points, shape=(2, 2))
    )


@pytest.mark.usefixtures("two")
def test_a_task_of_ones_own_trains_and_refuses_what_it_is_not(monkeypatch):
    nets = ml.train(examples_config("two"), seeds=3, threads=1)
    assert nets.data.x.tolist() == nets.held_out.x.tolist()
    task = task_of("two")
    with pytest.raises(ml.ConfigError, match="no function"):
        task(np.zeros((1, 2)))
    with pytest.raises(ml.ConfigError, match="register_task"):
        ml.train(ml.Config(width=2), seeds=2, target=task)
    with pytest.raises(ml.ConfigError, match="holds out no"):
        _ = ml.train(ml.Config(width=2, steps=1), seeds=2).held_out
    monkeypatch.setitem(
        TASKS, "three", ml.Task("three", "which", "y", examples=two_points, shape=(3, 2))
    )
    with pytest.raises(ml.DataError, match=r"\(3, 2\)"):
        sampled(examples_config("three"))


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"function": len}, "either a function or examples"),
        ({"examples": None, "shape": None}, "either a function or examples"),
        ({"shape": None}, "a shape"),
        ({"examples": None, "function": len}, "a shape"),
        ({"shape": (2,)}, "(2,)"),
        ({"shape": (2, 0)}, "(2, 0)"),
    ],
)
def test_a_task_that_cannot_be_is_refused(changes, part):
    with pytest.raises(ml.ConfigError) as error:
        ml.Task(
            **{
                "name": "two",
                "formula": "which",
                "latex": "y",
                "examples": two_points,
                "shape": (2, 2),
                **changes,
            }
        )
    assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_a_store_holds_them_and_workers_train_them(tmp_path):
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    grid = ml.Sweep(
        tasks=("moons", "circles"),
        sampling="examples",
        losses=("logistic",),
        widths=(2, 3),
        steps=20,
        seeds=4,
    )
    assert ml.Sweep(**grid.to_dict()) == grid
    store = ml.sweep(grid, out=tmp_path / "here", threads=1)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        other = ml.sweep(grid, out=tmp_path / "there", executor=pool)
    for config in grid.configs:
        one, two = store.ensemble(config), other.ensemble(config)
        assert one.config.loss == "logistic"
        np.testing.assert_array_equal(one.w, two.w)
        np.testing.assert_array_equal(one.held_out.y, two.held_out.y)
    assert store.verify(2, threads=1).passed


def test_the_command_line_trains_and_draws_them(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = ["train", "--task", "moons", "--loss", "logistic", "--sampling", "examples", "--quiet"]
    said += shlex.split("--width 3 --steps 20 --seeds 4 --out nets.npz --plot nets.png")
    assert commands.main(said) == 0
    out = capsys.readouterr().out
    assert "500 points (examples)" in out
    assert "loss (logistic)" in out
    assert (tmp_path / "nets.png").stat().st_size > 10_000
    assert ml.load("nets.npz").config.loss == "logistic"
    assert commands.main(["train", "--task", "moons", "--loss", "logistic", "--quiet"]) == 2
    assert "sampling='examples'" in capsys.readouterr().err


def test_without_scikit_learn_the_extra_is_named():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import minilotto as ml\n"
        "try:\n    ml.train(ml.Config(task='moons', sampling='examples', loss='logistic'), 2)\n"
        "except ml.MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install -e ".[sklearn]"' in done.stdout
    assert done.stdout.count("\n") == 1
