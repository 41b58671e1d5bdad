"""The chooser on a CPU: which engine trains what, why it says so, and what it refuses. On a GPU:
test_cuda.py.
"""

import numpy as np
import pytest

import minilotto as ml
from minilotto.data.dataset import sampled
from minilotto.engines.choice import candidates, choose
from minilotto.engines.request import Request, requested
from minilotto.initialisation import initial_parameters
from minilotto.settings.activations import ACTIVATIONS


def chosen(compress=True, engine="auto", **settings):
    config = ml.Config(**settings)
    return choose(config, sampled(config), requested("cpu", engine, compress))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"width": 20}, "compressed"),
        ({"width": 20, "dtype": "float64"}, "compressed"),
        ({"width": 20, "points": 10}, "lanes"),  # fewer points than nodes
        ({"width": 20, "task": "product2"}, "lanes"),  # two inputs take more nodes
        ({"width": 20, "task": "product2", "points": 900}, "compressed"),
        ({"width": 20, "task": "product2", "points": 900, "steps": 500}, "lanes"),
        ({"width": 20, "task": "product2", "points": 900, "dtype": "float64"}, "lanes"),
        ({"width": 20, "task": "product3", "points": 1000}, "lanes"),
        ({"width": 5000, "task": "product2"}, "wide"),
        ({"width": 20, "activation": "relu"}, "lanes"),  # float32 is not exact
        ({"width": 20, "activation": "relu", "dtype": "float64"}, "exact"),
        ({"width": 20, "activation": "relu", "dtype": "float64", "points": 10}, "lanes"),
        (
            {"width": 20, "activation": "leaky_relu", "dtype": "float64", "sampling": "population"},
            "exact",
        ),
    ],
)
def test_the_cheapest_is_taken(settings, name):
    best, reason = chosen(**settings)
    config = ml.Config(**settings)
    assert best.name == name
    assert best.cost == min(
        one.cost for one in candidates(config, sampled(config), Request()).values()
    )
    assert "ns a step and net" in reason


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_more_work_never_costs_less(name, dtype):
    def costs(**settings):
        config = ml.Config(activation=name, dtype=dtype, **settings)
        found = candidates(config, sampled(config), Request())
        return {name: one.cost for name, one in found.items()}

    for some, more in (
        ({"width": 3}, {"width": 30}),
        ({"points": 50}, {"points": 500}),
        ({"task": "sum2", "sampling": "uniform"}, {"task": "sum5", "sampling": "uniform"}),
    ):
        few, many = costs(**some), costs(**more)
        assert all(few[engine] <= many[engine] for engine in few.keys() & many.keys())


def test_steps_on_nodes_and_exact_steps_have_one_cost_for_all_numbers_of_points():
    for settings in ({}, {"activation": "relu", "dtype": "float64"}):
        few, many = (chosen(points=points, **settings)[0].cost for points in (10_000, 16_000))
        assert few == many


@pytest.mark.parametrize(
    ("dtype", "points", "told"),
    [("float32", 10_000, True), ("float32", 100, False), ("float64", 10_000, False)],
)
def test_the_reason_names_a_precision_that_is_far_cheaper(dtype, points, told):
    _, reason = chosen(activation="leaky_relu", dtype=dtype, points=points)
    assert ("dtype='float64'" in reason) == told


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "lanes"),
        ({"width": 700}, "wide"),
        ({}, "compressed"),
        ({"activation": "relu", "dtype": "float64"}, "exact"),
    ],
)
def test_a_chunk_without_steps_changes_nothing(settings, name):
    config = ml.Config(**{"width": 3, "steps": 4, **settings})
    engine = choose(config, sampled(config), Request(engine=name))[0].make(2)
    engine.start(initial_parameters(config, 1, np.arange(3)))
    for first, count in ((0, 0), (0, 4), (4, 0)):
        before = [array.copy() for array in engine.parameters()]
        engine.advance(first, count)
        same = [np.array_equal(a, b) for a, b in zip(before, engine.parameters(), strict=True)]
        assert all(same) if count == 0 else not all(same)


def test_an_engine_and_a_number_of_nodes_may_be_asked_for():
    assert chosen(engine="wide")[0].name == "wide"
    best, reason = chosen(compress=12)
    assert (best.name, reason) == ("compressed", "asked for 12 nodes")
    on_points = candidates(ml.Config(), sampled(ml.Config()), Request(compress=False))
    assert list(on_points) == ["lanes", "wide"]


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"engine": "exact"}, "here are lanes, wide, compressed"),
        ({"engine": "compressed", "activation": "relu"}, "here are lanes, wide"),
        ({"engine": "compressed", "compress": False}, "here are lanes, wide"),
        ({"compress": 12, "activation": "relu"}, "compress=False"),
        ({"compress": 12, "task": "product3", "points": 27}, "one or two inputs"),
        ({"activation": "relu", "sampling": "population"}, "dtype='float64'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(settings, part):
    with pytest.raises(ml.ConfigError) as error:
        chosen(**settings)
    assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_the_choice_depends_on_no_seed_and_no_thread():
    """Bits depend on the engine, and must not depend on these."""
    config = ml.Config(width=7, steps=3)
    alone = ml.train(config, seeds=[5], threads=1)
    among = ml.train(config, seeds=np.arange(40), threads=2)
    assert alone.engine == among.engine
    assert alone.reason == among.reason
    np.testing.assert_array_equal(alone.w[0], among.w[5])
