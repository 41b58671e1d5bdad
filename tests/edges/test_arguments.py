"""Arguments that mean nothing, and settings that contradict each other."""

import contextlib
import itertools
import time

import numpy as np
import pytest
from edges.entries import ARGUMENTS, QUICK, X, Y, deep_nets, quick_nets

import minilotto as ml
from minilotto.engines.population import population_losses
from minilotto.report.build import figure_names


class WithoutText:
    def __repr__(self):
        raise RuntimeError("no\ntext")

    __str__ = __repr__


class Unlike:
    """Cannot be compared, and is no key."""

    __hash__ = None

    def __eq__(self, other):
        raise RuntimeError("no")

    def __repr__(self):
        return "two\nlines"


NOTHING = {
    "an object": object,
    "what has no text": WithoutText,
    "what cannot be compared": Unlike,
    "an integer of 400 digits": lambda: 10**400,
    "an integer of 5000 digits": lambda: 10**5000,
    "its negative": lambda: -(10**5000),
    "complex": lambda: 1j,
    "bytes": lambda: b"\xff",
    "a dict": lambda: {"a": 1},
    "the class": lambda: ml.Config,
    "a function": lambda: len,
    "an array": lambda: np.zeros((40, 3)),
    "a masked value": lambda: np.ma.masked,
    "an array without a dimension": lambda: np.array("x"),
    "a long text": lambda: "word " * 1000,
    "a long list": lambda: [0.5] * 1000,
    "a list of itself": lambda: (lambda it: it.append(it) or it)([]),
    "NaN": lambda: float("nan"),
    "an infinite fraction": lambda: -float("inf"),
}


@pytest.mark.parametrize("thing", NOTHING)
@pytest.mark.parametrize("entry", ARGUMENTS)
def test_what_means_nothing_is_refused_in_a_line(entry, thing):
    if (entry, thing) == ("Task domain", "a dict"):
        pytest.skip("its keys are no pairs, which is another test")
    with pytest.raises(ml.MinilottoError) as error:
        ARGUMENTS[entry](NOTHING[thing]())
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("config", [None, ml.Config, "square", {"width": 2}, ml.Sweep(widths=1)])
def test_what_is_no_config_is_refused(config):
    with pytest.raises(ml.ConfigError, match="config="):
        ml.train(config, 1)


@pytest.mark.parametrize("path", [None, 0, 5, ["nets.npz"], 1.5])
def test_what_is_no_file_name_is_refused(path):
    with pytest.raises(ml.ConfigError):
        quick_nets().save(path)
    with pytest.raises(ml.ConfigError):
        ml.load(path)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ml.Sweep(widths=range(1, 10**8)),
        lambda: ml.Sweep(widths=range(1, 10**4), steps=range(1, 10**4)),
        lambda: ml.Sweep(widths=itertools.count(1)),
        lambda: ml.Sweep(seeds=itertools.count()),
        lambda: ml.train(QUICK, itertools.count()),
        lambda: ml.train(QUICK, itertools.repeat(1)),
        *(
            lambda name=name, make=make: ml.train(QUICK, 2, **{name: make()})
            for name in ("checkpoints", "keep")
            for make in (lambda: itertools.repeat(1), itertools.count, lambda: range(10**12))
        ),
        lambda: ml.Task("a", "a", "a", np.sum, kinks=itertools.repeat(0.5)),
        lambda: ml.Task("a", "a", "a", np.sum, domain=itertools.repeat((0, 1))),
        lambda: ml.sweep(itertools.repeat(ml.Sweep(width=2))),
        lambda: figure_names(itertools.repeat("2b")),
        lambda: ml.train(QUICK.replace(steps=10**15), 2, checkpoints=range(10**15)),
        lambda: ml.train(QUICK, range(2**48)),
        lambda: ml.Sweep(seeds="9" * 5000),
        lambda: ml.Sweep(seeds="0:" + "9" * 5000),
    ],
)
def test_what_is_too_long_is_refused_at_once(make):
    began = time.process_time()  # others may use the machine
    with pytest.raises(ml.MinilottoError) as error:
        make()
    assert time.process_time() - began < 10
    assert len(str(error.value)) < 1500


@pytest.mark.parametrize("seeds", [1.5, [0.0, 1.0], [True], ["1"], None, [[1]], np.array([1.0])])
def test_seeds_that_are_no_whole_numbers_are_refused(seeds):
    with pytest.raises(ml.ConfigError):
        ml.train(QUICK, seeds)


def test_seeds_of_a_mixed_table_are_taken_as_numbers():
    """NumPy has a column of one as objects."""
    assert ml.train(QUICK, np.array([3, 5], object)).seeds.tolist() == [3, 5]
    with pytest.raises(ml.ConfigError, match="seed '5' is none"):
        ml.train(QUICK, np.array([3, "5"], object))


# Settings beside each other
@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"task": "sin"}, "task"),
        ({"points": 7}, "points"),
        ({"sampling": "uniform"}, "sampling"),
        ({"sampling": "population"}, "sampling"),
        ({"task": "moons", "sampling": "examples"}, "task"),
        ({"noise": 0.1}, "noise"),
    ],
)
def test_settings_of_points_are_refused_beside_data(fields, name):
    for data in ((X, Y), ml.Dataset(X, Y)):
        with pytest.raises(ml.ConfigError, match=f"{name}=.* means nothing to .*data of your own"):
            ml.train(QUICK.replace(**fields), 2, data=data)


@pytest.mark.parametrize("call", [ml.predict, ml.jacobian])
def test_another_depth_than_that_of_the_parameters_is_refused(call):
    for nets, depth in ((quick_nets(), 2), (deep_nets(), 3)):
        with pytest.raises(ml.ConfigError, match=f"depth={depth} is not that of the Parameters"):
            call(nets.parameters, X, depth=depth)
        assert len(call(nets.parameters, X, depth=nets.parameters.depth)) == 3


def test_a_task_is_refused_beside_a_target():
    with pytest.raises(ml.ConfigError, match="task='sin' means nothing"):
        ml.train(QUICK.replace(task="sin"), 2, target=lambda x: x[:, 0])


def test_the_config_of_nets_trains_again_on_data():
    nets = ml.train(QUICK, 2, data=(X, Y))
    again = ml.train(nets.config, 2, data=(X, Y))
    np.testing.assert_array_equal(nets.w, again.w)
    assert ml.train(nets.config, 2, data=(X[:3], Y[:3])).config.points == 3
    assert len(ml.train(QUICK.replace(points=5), 2, data=(X, Y))) == 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["lr", "epsilon", "init_scale", "output_scale"])
def test_sizes_that_the_precision_makes_zero_or_infinite_are_refused(dtype, name):
    fields = {"dtype": dtype, "init": "normal"}
    too_small = {"float32": 1e-38, "float64": 1e-308}[dtype]
    with pytest.raises(ml.ConfigError, match=f"{name}=.*{dtype}"):
        ml.Config(**fields, **{name: too_small})
    if name != "lr":  # a large rate makes nets diverge, which is reported
        with pytest.raises(ml.ConfigError, match=f"{name}=.*{dtype}"):
            ml.Config(**fields, **{name: 1e300})


def test_rates_that_grow_without_limit_make_nets_diverge_and_no_warnings():
    nets = ml.train(ml.Config(width=2, steps=40, lr_decay=1e300, lr_decay_every=10), 2)
    assert (nets.status == "diverged").all()


# Nets that vary faster than the nodes that stand for a population
def test_the_population_loss_of_the_sharpest_nets_settles():
    step = ml.Parameters(*map(np.array, ([[[1e9]]], [[0.3e9]], [[1.0]], [0.5])))
    found = population_losses(ml.ACTIVATIONS["tanh"], step, ml.TASKS["square"])
    # f = -1/2 below x = -0.3 and 3/2 above it; the integral of (x^2 - c)^2 in closed form
    primitive = lambda x, c: x**5 / 5 - 2 * c * x**3 / 3 + c * c * x  # noqa: E731
    below = primitive(-0.3, -0.5) - primitive(-2, -0.5)
    above = primitive(2, 1.5) - primitive(-0.3, 1.5)
    np.testing.assert_allclose(found, (below + above) / 4, rtol=1e-8)


def test_the_summary_counts_nets_that_are_too_sharp_for_their_nodes():
    from minilotto.cli.summary import summary

    config = ml.Config(
        width=10, sampling="population", steps=5, activation="tanh", init="normal", init_scale=1e3
    )
    nets = ml.train(config, 8)
    off = np.abs(nets.loss / nets.population_loss - 1) > 1e-3
    assert off.any()
    assert "too sharp for the nodes" in summary(nets)
    assert "too sharp" not in summary(ml.train(config.replace(init_scale=1.0), 8))


@pytest.mark.parametrize("batch", [0, 3])
@pytest.mark.parametrize("trap", [contextlib.nullcontext, lambda: np.errstate(all="raise")])
@pytest.mark.filterwarnings("error")
def test_the_reference_diverges_without_a_word(batch, trap):
    config = ml.Config(width=2, steps=60, optimizer="gd", lr=1e3, schedule="constant", batch=batch)
    with trap():
        nets = ml.train(config, 2, backend="reference", checkpoints=[])
    assert (nets.status == "diverged").all()


def step_at(edge, other):
    """Labels that are none beyond the edge, where no quadrature node lies."""
    return lambda x: np.where(x[:, 0] > edge, other, (x[:, 0] > 0) * 1.0)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("other", [0.5, -1.0, 2.0])
def test_labels_are_checked_at_every_point_that_is_drawn(other, backend):
    config = ml.Config(width=2, steps=40, sampling="population", loss="logistic", batch=64)
    assert len(ml.train(config, 16, target=step_at(1.9999, 1.0), backend=backend)) == 16
    with pytest.raises(ml.DataError, match="is no label"):
        ml.train(config, 16, target=step_at(1.9999, other), backend=backend)
