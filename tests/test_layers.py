"""Who may import whom, what `import minilotto` brings along, and how large a room may be."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import minilotto

PACKAGE = Path(minilotto.__file__).parent

# From top to bottom. A module imports from its own line or from lines below it. A folder's name stands for all its modules.
# Names of rooms that are not built yet do no harm.
LINES = [
    ["__main__", "cli", "cli_sweep", "cli_report", "manual", "words"],
    ["__init__"],
    ["reproduce"],
    ["report", "figures", "beyond", "page", "check"],
    ["plots"],
    ["sweep", "cluster"],
    ["worker", "store", "study", "tables", "inspection"],
    ["blocks"],
    ["analysis"],
    ["sklearn"],
    ["train"],
    ["loop"],
    ["engines"],
    ["archive", "ensemble"],
    ["population", "piecewise", "distillation"],
    ["callables", "embedding", "export", "onnx", "pandas", "torch"],
    ["kernels.evaluate"],
    ["kernels.narrow", "kernels.exact", "kernels.wide", "kernels.single", "kernels.cuda"],
    ["kernels.simulated"],
    ["kernels.formulas", "kernels.layout", "kernels.forms", "kernels.points"],
    ["kernels.kinds"],
    ["kernels.lanes"],
    ["kernels"],
    ["dataset", "initial", "compression"],
    ["config"],
    ["tasks", "activations", "schemes"],
    ["gpu", "problems"],
    ["machine", "progress", "files", "streams", "version", "errors"],
]
STANDS_ALONE = ["kernels.reference", "kernels.torch_reference"]
LINE_LIMIT = 400


def module_name(path):
    """`train` for minilotto/train.py, `analysis` for minilotto/analysis/__init__.py."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def line_of(name):
    """Index of the line that lists the module, or the nearest folder around it."""
    while name:
        for index, line in enumerate(LINES):
            if name in line:
                return index
        name = name.rpartition(".")[0]
    return None


def imports(text):
    """(dotted name, line number, whether it is inside a function) of everything that a module imports, wherever it does."""
    found = []

    def visit(node, inside):
        inside = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        if isinstance(node, ast.Import):
            found.extend((alias.name, node.lineno, inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports here are absolute"
            found.extend((f"{node.module}.{alias.name}", node.lineno, inside) for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(text), False)
    return found


def own_modules(text):
    """(module of minilotto, line number) that a text imports: of `minilotto.kernels.lanes.Kind`, `kernels.lanes`."""
    for dotted, number, _ in imports(text):
        if dotted.partition(".")[0] == "minilotto":
            name = dotted.partition(".")[2]
            while name and name not in MODULES:
                name = name.rpartition(".")[0]
            yield name or "__init__", number


def arrows_up(name, text):
    """Imports of the module `name` that point up the list. One without a place is another test's business."""
    placed = [(other, number) for other, number in own_modules(text) if line_of(other) is not None]
    return [f"{name}, line {number}: {other}" for other, number in placed if line_of(other) < line_of(name)]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_a_place(name):
    assert line_of(name) is not None, f"say in LINES who may import {name}"


@pytest.mark.parametrize("name", [name for name in MODULES if line_of(name) is not None])
def test_imports_point_down(name):
    assert arrows_up(name, MODULES[name].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("errors", "from minilotto.train import train"),
        ("errors", "def f():\n    from minilotto import train"),
        ("kernels.lanes", "from minilotto.kernels import narrow"),
        ("kernels.formulas", "import minilotto.kernels.evaluate"),
        ("analysis.losses", "from minilotto.plots import histogram"),
        ("ensemble", "if True:\n    from minilotto.engines.lanes import LaneEngine"),
        ("train", "import minilotto as ml"),
    ],
)
def test_an_arrow_up_is_seen(name, text):
    assert len(arrows_up(name, text)) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("train", "from minilotto.engines.lanes import LaneEngine"),
        ("tasks", "import minilotto.schemes"),
        ("cli", "import minilotto"),
    ],
)
def test_arrows_down_and_sideways_are_let_be(name, text):
    assert arrows_up(name, text) == []
    assert len(list(own_modules(text))) == 1


@pytest.mark.parametrize("name", [name for name in STANDS_ALONE if name in MODULES])
def test_an_oracle_imports_nothing_of_ours(name):
    assert list(own_modules(MODULES[name].read_text(encoding="utf-8"))) == []


def test_the_oracle_is_there():
    assert "kernels.reference" in MODULES


@pytest.mark.parametrize("package", ["matplotlib"])
def test_plots_alone_imports_matplotlib(package):
    users = {
        name
        for name, path in MODULES.items()
        if any(dotted.split(".")[0] == package for dotted, _, _ in imports(path.read_text(encoding="utf-8")))
    }
    assert {user.partition(".")[0] for user in users} <= {"plots"}


@pytest.mark.parametrize("name", MODULES)
def test_rooms_are_small_and_say_what_they_hold(name):
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= LINE_LIMIT
    assert not {"utils", "core", "helpers", "common"} & set(name.split("."))


IMPORT = """
import json, os, sys, threading
import numpy, psutil  # numpy's own linear algebra may start threads
threads = lambda: len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count()
before, environment = threads(), dict(os.environ)
import minilotto
print(json.dumps({"modules": sorted(sys.modules), "threads": threads() - before, "environment": dict(os.environ) == environment}))
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        cwd=tmp_path_factory.mktemp("empty"),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(child.stdout)


@pytest.mark.parametrize(
    "package",
    ["matplotlib", "torch", "jax", "dask", "distributed", "pandas", "xarray", "numba.cuda", "scipy", "fire", "tqdm", "pytest"],
)
def test_importing_minilotto_is_light(imported, package):
    assert not [name for name in imported["modules"] if name == package or name.startswith(f"{package}.")]


def test_importing_minilotto_starts_no_thread_and_leaves_the_environment_alone(imported):
    assert imported["threads"] == 0
    assert imported["environment"]


def test_light_modules_import_scipy_only_inside_functions(imported):
    """What `import minilotto` loads, and what of ours may be imported beside it without a word."""
    light = [name for name in MODULES if name == "__init__" or f"minilotto.{name}" in imported["modules"]]
    assert {"train", "config", "ensemble"} <= set(light)
    for name in light:
        outside = [dotted for dotted, _, inside in imports(MODULES[name].read_text(encoding="utf-8")) if not inside]
        assert not [dotted for dotted in outside if dotted.split(".")[0] in ("scipy", "matplotlib", "torch", "fire", "tqdm")], name
