"""Boundaries of blocks, recorded when version 1 of the format was declared."""

from pathlib import Path

import pytest

import minilotto as ml
from minilotto.store import format as store_format

UNIFORM, POPULATION, EXAMPLES = (
    {"sampling": sampling} for sampling in ("uniform", "population", "examples")
)
SIZES = [
    (524288, {"width": 1, "activation": "sigmoid", "steps": 1}),
    (262144, {"width": 1, "activation": "relu", "steps": 99}),
    (262144, {"width": 1, "activation": "relu", "steps": 1, "dtype": "float64"}),
    (131072, {"width": 3, "activation": "sigmoid", "steps": 101, "dtype": "float64"}),
    (131072, {"width": 2, "activation": "tanh", "steps": 5000}),
    (65536, {"width": 2, "points": 1, **UNIFORM}),
    (65536, {"width": 6, "task": "sum1", "points": 285, "steps": 4000, **UNIFORM}),
    (32768, {"width": 1, "activation": "tanh", "task": "exp_square", "points": 500, **UNIFORM}),
    (32768, {"width": 1, **POPULATION}),
    (16384, {"width": 3, "points": 5000}),
    (16384, {"width": 3, "activation": "tanh", "task": "cos", "points": 500, **UNIFORM}),
    (8192, {"width": 7, "task": "sin", "points": 500, **UNIFORM}),
    (8192, {"width": 255, "activation": "leaky_relu", "steps": 99}),
    (4096, {"width": 1, "activation": "tanh", "dtype": "float64", "points": 500, **UNIFORM}),
    (4096, {"width": 1, "activation": "softplus", "dtype": "float64", "points": 100_000}),
    (
        2048,
        {"width": 7, "activation": "gelu", "dtype": "float64", "loss": "logistic", "points": 10},
    ),
    (2048, {"width": 1000, "activation": "gelu", "steps": 1}),
    (1024, {"width": 7, "activation": "tanh", "dtype": "float64", "points": 1000}),
    (1024, {"width": 2, "task": "product3", "points": 300, **UNIFORM}),
    (512, {"width": 50, "activation": "softplus", "task": "exp", "points": 500, **UNIFORM}),
    (512, {"width": 2, "activation": "softplus", "task": "diabetes", **EXAMPLES}),
    (256, {"width": 7, "activation": "sigmoid", "task": "relu", "loss": "logistic", **POPULATION}),
    (256, {"width": 7, "activation": "tanh", "points": 500, "loss": "logistic"}),
    (128, {"activation": "leaky_relu", "task": "moons", "loss": "logistic", **EXAMPLES}),
    (128, {"width": 7, "dtype": "float64", "points": 500, "loss": "logistic"}),
    (64, {"width": 7, "task": "product2", **POPULATION}),
    (64, {"width": 50, "activation": "leaky_relu", "task": "circles", **EXAMPLES}),
    (32, {"width": 1000, "activation": "tanh", "dtype": "float64", "points": 1}),
    (32, {"width": 1172, "activation": "softplus"}),
    (16, {"width": 255, "task": "diabetes", "loss": "logistic", **EXAMPLES}),
    (16, {"width": 2, "activation": "relu", "points": 100_000, "loss": "logistic"}),
    (8, {"width": 3000, "task": "product2", "dtype": "float64"}),
    (8, {"width": 4598, "activation": "gelu", "dtype": "float64"}),
    (4, {"width": 1000, "activation": "softplus", "task": "breast_cancer", **EXAMPLES}),
    (4, {"width": 255, "activation": "gelu", "points": 5000, "loss": "logistic"}),
    (2, {"width": 100_000, "activation": "relu", "dtype": "float64", "points": 1000}),
    (2, {"width": 256, "activation": "softplus", "task": "digits", **EXAMPLES}),
    (1, {"width": 100_000, "activation": "softplus", "task": "diabetes", **EXAMPLES}),
]
SECONDS = [
    (0.0097366752, {}),
    (0.48847899999999994, {"width": 1000}),
    (0.405, {"width": 300, "activation": "relu", "dtype": "float64", "points": 4096}),
    (0.022926960000000003, {"activation": "leaky_relu"}),
    (1.1635300000000002, {"task": "sum7", "dtype": "float64", "points": 500, **UNIFORM}),
    (0.011864442240000002, {"task": "relu", "activation": "tanh", **POPULATION}),
    (0.13975416000000002, {"activation": "relu", "task": "moons", "loss": "logistic", **EXAMPLES}),
]


@pytest.mark.parametrize(("size", "fields"), SIZES)
def test_blocks_begin_where_they_always_did(size, fields):
    assert store_format.block_size(ml.Config(**fields)) == size


@pytest.mark.parametrize(("seconds", "fields"), SECONDS)
def test_the_model_of_cost_is_frozen(seconds, fields):
    assert store_format.seconds_per_seed(ml.Config(**fields)) == seconds


def test_no_module_of_the_store_imports_the_engines_tuned_costs():
    modules = sorted(Path(store_format.__file__).parent.glob("*.py"))
    assert len(modules) > 5
    assert not [path for path in modules if "minilotto.engines" in path.read_text("utf-8")]


@pytest.mark.parametrize(
    ("size", "fields"),
    [
        (4096, {"activation": "relu", "points": 10**6, "batch": 10}),
        (1, {"batch": 10**6}),
        (16, {"width": 50, "points": 1000, "steps": 10_000, "optimizer": "lm", "dtype": "float64"}),
    ],
)
def test_blocks_of_batches_and_of_second_order_take_seconds_too(size, fields):
    assert store_format.block_size(ml.Config(**fields)) == size
