"""Who may import whom, what `import minilotto` brings along, and how large a module may be."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import minilotto

PACKAGE = Path(minilotto.__file__).parent

# From top to bottom: an entry imports from lines below its own, or from itself.
ROWS = [
    ["__main__"],
    ["cli"],
    ["report"],
    ["__init__"],
    ["analysis", "sweeps"],
    ["store"],
    ["training"],
    ["ensemble"],
    ["interop"],
    ["engines"],
    ["oracles", "data"],
    ["initialisation", "kernels"],
    ["settings", "hardware", "files"],
    ["errors", "signals", "version"],
]
LINE_LIMIT = 400  # outside report/
UNCLEAR = {"utils", "core", "helpers", "common", "misc"}


def module_name(path):
    """`engines.choice` for minilotto/engines/choice.py, `analysis` for its __init__.py."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in MODULES.items()}


def row_of(name):
    """Index of the row that lists the module's entry, or None."""
    entry = name.partition(".")[0]
    return next((index for index, row in enumerate(ROWS) if entry in row), None)


def imports(text):
    """(dotted name, line number, whether inside a function) of everything that a module imports
    at run time, wherever it does.
    """
    found = []

    def visit(node, inside):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        inside = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        if isinstance(node, ast.Import):
            found.extend((alias.name, node.lineno, inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports here are absolute"
            for alias in node.names:
                found.append((f"{node.module}.{alias.name}", node.lineno, inside))
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(text), False)
    return found


def own_modules(text):
    """(module of minilotto, line number) that a text imports."""
    for dotted, number, _ in imports(text):
        if dotted.partition(".")[0] == "minilotto":
            name = dotted.partition(".")[2]
            while name and name not in MODULES:
                name = name.rpartition(".")[0]
            yield name or "__init__", number


def upward_imports(name, text):
    """Imports of the module `name` that point up the rows, or sideways to another entry."""
    found = []
    for other, number in own_modules(text):
        same = other.partition(".")[0] == name.partition(".")[0]
        if not same and row_of(other) <= row_of(name):
            found.append(f"{name}, line {number}: {other}")
    return found


def circles(arrows):
    """Nodes of a graph {node: set of nodes} that can reach themselves."""
    reached = {}
    for start in arrows:
        seen, queue = set(), list(arrows[start])
        while queue:
            node = queue.pop()
            if node not in seen:
                seen.add(node)
                queue.extend(arrows.get(node, ()))
        reached[start] = seen
    return {node for node, seen in reached.items() if node in seen}


ARROWS = {name: {other for other, _ in own_modules(text)} - {name} for name, text in TEXTS.items()}


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name):
    assert row_of(name) is not None, f"say in ROWS who may import {name}"
    assert upward_imports(name, TEXTS[name]) == []


def test_no_two_modules_import_each_other():
    assert circles(ARROWS) == set()
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == {"a", "b", "c"}


def test_no_two_packages_import_each_other():
    """Folders within folders included."""
    arrows = {}
    for name, others in ARROWS.items():
        here = folder_of(name)
        for other in others:
            for mine, theirs in apart(here, folder_of(other)):
                arrows.setdefault(mine, set()).add(theirs)
    assert circles(arrows) == set()


def folder_of(name):
    is_folder = "." not in name or (PACKAGE / name.replace(".", "/")).is_dir()
    return name if is_folder else name.rpartition(".")[0]


def apart(mine, theirs):
    """The two folders, cut to where they part; nothing where one contains the other."""
    a, b = mine.split("."), theirs.split(".")
    for level in range(min(len(a), len(b))):
        if a[level] != b[level]:
            yield ".".join(a[: level + 1]), ".".join(b[: level + 1])
            return


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("errors", "from minilotto.training.train import train"),
        ("errors", "def f():\n    from minilotto import train"),
        ("kernels.simd", "import minilotto.engines.evaluate"),
        ("analysis.stats.losses", "from minilotto.report.plots.style import grid"),
        ("ensemble.ensemble", "if True:\n    from minilotto.training.loop import run"),
        ("engines.lanes", "from minilotto.interop import functional"),
        ("training.train", "import minilotto as ml"),
    ],
)
def test_an_upward_import_is_found(name, text):
    assert len(upward_imports(name, text)) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("training.train", "from minilotto.engines.lanes import LaneEngine"),
        ("settings.tasks", "import minilotto.settings.schemes"),
        ("cli.commands", "import minilotto"),
    ],
)
def test_a_downward_import_is_accepted(name, text):
    assert upward_imports(name, text) == []
    assert len(list(own_modules(text))) == 1


ORACLES = [name for name in MODULES if name.startswith("oracles.")]


def test_there_are_oracles():
    assert {"oracles.numpy_reference", "oracles.torch_reference"} <= set(ORACLES)


@pytest.mark.parametrize("name", ORACLES)
def test_an_oracle_imports_nothing_of_ours(name):
    assert list(own_modules(TEXTS[name])) == []


KERNELS_KNOW = ("settings.activations", "settings.config", "errors")


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("kernels")])
def test_kernels_know_no_config_dataset_or_parameters(name):
    names = [dotted.rpartition(".")[2] for dotted, _, _ in imports(TEXTS[name])]
    assert not {"Config", "Dataset", "Parameters"} & set(names)


def test_plots_alone_import_matplotlib():
    users = {
        name
        for name, text in TEXTS.items()
        if any(dotted.split(".")[0] == "matplotlib" for dotted, _, _ in imports(text))
    }
    assert users
    assert all("plots" in user.split(".") for user in users)


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_small_and_say_what_they_hold(name):
    if not name.startswith("report"):
        assert len(TEXTS[name].splitlines()) <= LINE_LIMIT
    assert not UNCLEAR & set(name.split("."))


IMPORT = """
import json, os, sys, threading
import numpy, psutil  # numpy's own linear algebra may start threads
threads = lambda: len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count()
before, environment = threads(), dict(os.environ)
import minilotto
print(json.dumps({"modules": sorted(sys.modules), "threads": threads() - before, "environment": dict(os.environ) == environment}))
"""  # noqa: E501


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
    [
        "matplotlib",
        "torch",
        "jax",
        "dask",
        "distributed",
        "pandas",
        "xarray",
        "numba.cuda",
        "scipy",
        "fire",
        "tqdm",
        "pytest",
    ],
)
def test_importing_minilotto_is_light(imported, package):
    modules = imported["modules"]
    assert not [name for name in modules if name == package or name.startswith(f"{package}.")]


def test_importing_minilotto_starts_no_thread_and_leaves_the_environment_alone(imported):
    assert imported["threads"] == 0
    assert imported["environment"]


HEAVY = ("scipy", "matplotlib", "torch", "fire", "tqdm")


def test_light_modules_import_scipy_only_inside_functions(imported):
    """What `import minilotto` loads, and what of ours may be imported beside it at no cost."""
    light = [
        name for name in MODULES if name == "__init__" or f"minilotto.{name}" in imported["modules"]
    ]
    assert {"training.train", "settings.config", "ensemble.ensemble"} <= set(light)
    for name in light:
        outside = [dotted for dotted, _, inside in imports(TEXTS[name]) if not inside]
        assert not [dotted for dotted in outside if dotted.split(".")[0] in HEAVY], name
