"""Trained bits do not change: digests of 115 trainings are compared with recorded ones.

`python tests/test_golden.py` records them again. Do so only for an intended change of bits, and
state it in the commit message.

Points, targets and nodes come from NumPy, SciPy and LAPACK, whose last bits differ between versions
and CPUs. Where the points differ from the recorded ones, losses are compared as numbers, and bits
only where the training took nothing else from these libraries.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import minilotto as ml

RECORDED = Path(__file__).with_name("golden.json")
ALL = ("silu", "relu", "leaky_relu", "tanh", "gelu", "softplus", "sigmoid")
SMOOTH = ("silu", "tanh", "gelu", "softplus", "sigmoid")
DTYPES = ("float32", "float64")
X = np.linspace(-1.0, 2.0, 37)
LABELS = (X > 0.3).astype(float)


def uneven(points: int) -> tuple:
    x = np.sinh(np.linspace(-3.0, 3.0, points))
    return x / 10.0, x**2 / 100.0


def cases() -> dict:
    """(fields of Config, seeds, further arguments of train) by name."""
    found = {}

    def add(name: str, fields: dict, seeds=5, **arguments) -> None:
        found[name] = ({"width": 3, "steps": 200, **fields}, seeds, arguments)

    for dtype in DTYPES:
        for name in ALL:
            on_points = {"engine": "lanes", "compress": False}
            add(f"lanes {name} {dtype}", {"activation": name, "dtype": dtype}, **on_points)
        for name in SMOOTH:
            add(
                f"compressed {name} {dtype}",
                {"activation": name, "dtype": dtype, "steps": 1200},
                engine="compressed",
            )
        for name in ("silu", "relu", "tanh"):
            add(
                f"wide {name} {dtype}",
                {"activation": name, "dtype": dtype, "width": 40},
                3,
                engine="wide",
                compress=False,
            )
        for scheme in ml.SCHEMES:
            add(
                f"init {scheme} {dtype}",
                {"init": scheme, "dtype": dtype},
                engine="lanes",
                compress=False,
            )
        labelled = {"data": (X, LABELS), "compress": False}
        add(
            f"logistic lanes {dtype}",
            {"loss": "logistic", "dtype": dtype},
            engine="lanes",
            **labelled,
        )
        add(
            f"logistic wide {dtype}",
            {"loss": "logistic", "dtype": dtype, "width": 20},
            2,
            engine="wide",
            **labelled,
        )
    add("reference", {"steps": 50}, 3, backend="reference")
    add(
        "reference float64 tanh",
        {"steps": 50, "activation": "tanh", "dtype": "float64"},
        3,
        backend="reference",
    )
    for slope in (0.01, 0.2, -0.5):
        fields = {
            "activation": "leaky_relu",
            "negative_slope": slope,
            "dtype": "float64",
            "width": 10,
        }
        add(f"exact leaky_relu {slope}", {**fields, "steps": 1000}, engine="exact")
    add("exact relu", {"activation": "relu", "dtype": "float64", "steps": 1000}, engine="exact")
    add(
        "exact population",
        {"activation": "relu", "dtype": "float64", "sampling": "population"},
        engine="exact",
    )
    add(
        "exact many points",
        {"activation": "relu", "dtype": "float64"},
        data=uneven(6000),
        engine="exact",
    )
    add("compressed wide", {"width": 300}, 2)
    add(
        "compressed refined",
        {"width": 4, "init": "normal", "init_scale": 8.0, "steps": 400},
        40,
        engine="compressed",
    )
    for dtype in DTYPES:
        add(f"compressed long {dtype}", {"dtype": dtype, "steps": 10_100}, 8, engine="compressed")
    add("compressed to 24 nodes", {"steps": 400}, compress=24)
    add("compressed many points", {}, data=uneven(30_000), engine="compressed")
    add("compressed population", {"sampling": "population"})
    two = {"task": "product2", "points": 400, "sampling": "uniform", "steps": 600}
    add("compressed two inputs", two, engine="compressed")
    for task in ("cube", "quartic", "sin", "cos", "exp", "sin2", "exp_square", "relu", "tanh"):
        add(f"task {task}", {"task": task}, compress=False, engine="lanes")
    for task, points in (
        ("product2", 49),
        ("product3", 27),
        ("radial3", 27),
        ("sum4", 16),
        ("teacher2", 49),
    ):
        add(f"task {task}", {"task": task, "points": points}, 3, engine="lanes")
    add("uniform", {"sampling": "uniform", "root_seed": 11})
    add("noise", {"noise": 0.1})
    add("own data and weights", {}, data=(X, np.sin(X), 1.0 + X**2))
    add("target function", {}, target=lambda x: x[:, 0] ** 2 - x[:, 0])
    add("subnormals kept", {"subnormals": "keep", "steps": 800}, engine="lanes", compress=False)
    add(
        "schedule",
        {
            "lr": 0.03,
            "lr_decay": 0.5,
            "lr_decay_every": 37,
            "beta1": 0.8,
            "beta2": 0.99,
            "epsilon": 1e-6,
        },
    )
    add("scales", {"init": "uniform", "init_scale": 2.0, "output_scale": 0.25})
    add("few seeds of a range", {}, range(1000, 1003))
    add("seeds in any order", {}, [17, 2, 40_000_000_000])
    add("checkpoints", {"steps": 250}, checkpoints=[0, 3, 77, 249])
    add("one thread", {"width": 7}, 40, threads=1)
    add("two threads", {"width": 7}, 40, threads=2)
    add("by default", {"width": 20, "steps": 300}, 20)
    for dtype in DTYPES:
        for name in ("adamw", "gd", "momentum", "nesterov", "rmsprop"):
            fields = {"optimizer": name, "dtype": dtype, "schedule": "cosine", "warmup": 20}
            add(f"optimizer {name} {dtype}", fields, engine="lanes", compress=False)
        batch = {"batch": 7, "dtype": dtype}
        add(f"batches {dtype}", batch)
        add(f"batches of a population {dtype}", {**batch, "sampling": "population"})
    add("batches logistic", {"batch": 4, "loss": "logistic"}, data=(X, LABELS))
    add("batches weighted", {"batch": 9}, data=(X, np.sin(X), 1.0 + X**2))
    add("batches of many points", {"batch": 10}, data=uneven(1000))
    add("batches of two inputs", {"batch": 11, "task": "product2", "points": 49})
    return found


CASES = cases()
# One case for each kernel that other tests compile as well; the others have to compile theirs.
QUICK = [
    "lanes silu float32",
    "lanes silu float64",
    "lanes relu float32",
    "lanes tanh float32",
    "compressed silu float32",
    "compressed silu float64",
    "wide silu float32",
    "exact relu",
    "exact population",
    "reference",
    "logistic lanes float32",
    "task product2",
    *[name for name in CASES if name.startswith("init ") and name.endswith("float32")],
    *list(CASES)[list(CASES).index("compressed wide") :],
]
QUICK = [name for name in QUICK if not name.startswith("task ") or name == "task product2"]


def digest(*arrays: np.ndarray) -> str:
    found = hashlib.blake2b(digest_size=12)
    for array in arrays:
        found.update(f"{array.dtype.str} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def fingerprint(name: str) -> dict:
    """What is recorded of a training."""
    fields, seeds, arguments = CASES[name]
    nets = ml.train(ml.Config(**fields), seeds=seeds, **arguments)
    return {
        "fitted": digest(nets.data.x, nets.data.y, nets.data.weight),
        "parameters": digest(nets.w, nets.b, nets.v, nets.c),
        "history": digest(nets.history.steps, nets.history.loss),
        "loss": nets.loss.tolist(),
        "nodes": nets.nodes.tolist(),
        "audit": digest(nets.audit),
        "engine": nets.engine,
    }


@pytest.fixture(scope="module")
def recorded() -> dict:
    return json.loads(RECORDED.read_text(encoding="utf-8"))


def test_every_case_is_recorded(recorded):
    assert len(CASES) >= 60
    assert list(recorded["trainings"]) == list(CASES)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in CASES]
)
def test_a_training_has_the_bits_it_had(recorded, name):
    expected, found = recorded["trainings"][name], fingerprint(name)
    if libraries() == recorded["libraries"]:
        assert found == expected
        return
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-2)
    own_code_alone = found["engine"] in ("lanes", "wide") and "init" not in CASES[name][0]
    if own_code_alone and found["fitted"] == expected["fitted"]:
        assert found["parameters"] == expected["parameters"]


def libraries() -> dict:
    from numpy.linalg import eigh
    from numpy.polynomial.legendre import leggauss

    x = np.linspace(-3.0, 3.0, 401)
    matrix = np.diag(np.linspace(0.4, 0.6, 47), 1)
    values, vectors = eigh(matrix + matrix.T)
    return {
        "functions": digest(np.exp(x), np.exp(x.astype(np.float32)), np.sin(x), np.tanh(x)),
        "products": digest(np.stack([x, x**2]) @ np.stack([x, x**3], axis=1), np.array(x @ x)),
        "eigenvectors": digest(values, vectors),
        "legendre": digest(*leggauss(100)),
    }


if __name__ == "__main__":
    content = {"libraries": libraries(), "trainings": {name: fingerprint(name) for name in CASES}}
    RECORDED.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
