"""An optional package that is missing, too old, too new, broken or hidden by another module of its
name is one line that names the extra and the command that installs it.
"""

import configparser
import re
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from entries import OF_EXTRAS

import minilotto as ml
from minilotto import errors
from minilotto.cli import commands
from minilotto.data.dataset import examples_of
from minilotto.hardware import gpu
from minilotto.report.figure import QUICK
from minilotto.report.studies.classification.classification import Classification

ROOT = Path(__file__).resolve().parent.parent.parent

# Modules that import an optional package when they are imported.
IMPORTERS = [f"minilotto.interop.to_{name}" for name in ("torch", "pandas", "onnx")] + [
    "minilotto.training.estimator",
    "bench.torch_peer",
    "bench.jax_peer",
]
MISSING, OLD, ELSEWHERE, UNUSABLE = (
    r"{name} is not installed; ",
    r"{name} 0\.0\.1 is installed where >=[\d.]+ is needed; ",
    r"nowhere_to_be_found is not installed, and .+ imports it; ",
    r"{name} cannot be used as it is at .+ \({error}.*\); remove or rename that; ",
)
# What stands in the package's place (None: nothing), and what is said about it.
STATES = {
    "missing": (None, MISSING, ""),
    "old": ("__version__ = '0.0.1'", OLD, ""),
    "old, and broken by what is newer": ("import numpy\nnumpy.no_such_name", UNUSABLE, "Attr"),
    "needs another": ("import nowhere_to_be_found", ELSEWHERE, ""),
    "a name has gone": ("from os import no_such_name", UNUSABLE, "ImportError: cannot import"),
    "a shared library is missing": (
        "raise OSError('libcudart.so.13: cannot open shared object file')",
        UNUSABLE,
        "OSError: libcudart",
    ),
    "another binary interface": (
        "raise ValueError('numpy.dtype size changed, may indicate binary incompatibility')",
        UNUSABLE,
        "ValueError: numpy.dtype",
    ),
    "many lines": ("raise ImportError('first\\n\\n  second\\n' + 'x ' * 999)", UNUSABLE, "Import"),
    "no message": ("raise AssertionError", UNUSABLE, "AssertionError"),
    "a syntax error": ("def (:", UNUSABLE, "SyntaxError"),
    "a script that exits": ("import sys; sys.exit('usage: script FILE')", UNUSABLE, "SystemExit"),
    "a failing script": ("1 / 0", UNUSABLE, "ZeroDivisionError"),
    "a file of that name": ("x = 1", UNUSABLE, "AttributeError: module"),
    "an empty file of that name": ("", UNUSABLE, "AttributeError: module"),
    "warns, and is old": (
        "import warnings; warnings.warn('is going', DeprecationWarning)\n__version__ = '0.0.1'",
        OLD,
        "",
    ),
}
CALLS = {
    f"{call}, {extra}": (package, extra, function)
    for (package, extra), group in OF_EXTRAS.items()
    for call, function in group.items()
}


@pytest.fixture(scope="module")
def nets():
    return ml.train(ml.Config(width=2, steps=5), seeds=3)


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Puts a file, or nothing, in the place of a package."""
    names = [*IMPORTERS, *(package for package, _ in OF_EXTRAS)]
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    (tmp_path / "first").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "first")
    monkeypatch.setattr(np, "__version__", "2.4.0")  # which every extra admits
    gpu.the_gpu.cache_clear()
    examples_of.cache_clear()

    def put(package, text):
        if text is None:
            sys.modules[package] = None
        else:
            (tmp_path / "first" / f"{package}.py").write_text(text)

    yield put
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(before)


@pytest.mark.skipif(gpu.simulated(), reason="the simulator needs no package")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("call", CALLS)
def test_one_line_names_the_extra(call, state, put, nets, tmp_path, capsys):
    (package, extra, function), (text, said, error) = CALLS[call], STATES[state]
    name = {"sklearn": "scikit-learn", "numba_cuda": "numba-cuda"}.get(package, package)
    put(package, text)
    try:
        status = function(nets, tmp_path)
    except ml.MissingExtraError as refused:
        line = str(refused)
    else:
        assert status in (1, 2)
        head, line = capsys.readouterr().err.rstrip("\n").split(": ", 1)
        assert head == "MissingExtraError"
    remedy = rf"""pip install -e "\.\[{extra}\]" in minilotto's folder installs what is needed"""
    assert re.fullmatch(said.format(name=name, error=error) + remedy, line), line
    assert len(line) < 600
    assert not list(tmp_path.glob("runs*"))


def test_a_folder_of_that_name_is_not_the_package(put, tmp_path):
    (tmp_path / "first" / "no_such_package").mkdir()
    with pytest.raises(ml.MissingExtraError, match=r"at .*no_such_package .*; remove or rename"):
        errors.imported("no_such_package", "torch")


@pytest.fixture
def bounds(monkeypatch):
    """Those of setup.cfg, whatever they were when minilotto was installed."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = [
        f'{line}; extra == "{extra}"'
        for extra, lines in setup["options.extras_require"].items()
        for line in lines.split("\n")
        if line
    ]
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    errors._requirements.cache_clear()
    yield
    errors._requirements.cache_clear()


@pytest.mark.usefixtures("bounds")
def test_a_package_that_is_too_new_for_another_is_named(put, monkeypatch):
    """As NumPy 2.5 is for numba-cuda 0.30."""
    put("numba_cuda", "__version__ = '0.30.4'")
    monkeypatch.setattr(np, "__version__", "2.5.0")
    with pytest.raises(ml.MissingExtraError, match=r'^numpy 2\.5\.0 is .*<2\.5 .*\[cuda\]"'):
        errors.imported("numba_cuda", "cuda")
    monkeypatch.setattr(np, "__version__", "2.4.9")
    assert errors.imported("numba_cuda", "cuda").__version__ == "0.30.4"


@pytest.mark.skipif(gpu.simulated(), reason="the simulator needs no package")
@pytest.mark.parametrize("state", STATES)
def test_what_can_do_without_a_package_does(state, put, nets, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(gpu, "DEVICES", (tmp_path,))  # a sign of a GPU, so that more is asked
    for package in ("numba_cuda", "sklearn", "torch"):
        put(package, STATES[state][0])
    assert not gpu.there_is_a_gpu()
    assert re.fullmatch(r"none: numba-cuda .*\[cuda\].*|none: nowhere.*", gpu.about_the_gpu())
    assert Classification.sweeps(Classification.plan(QUICK)) == ()
    words = ["check", "--activations", "silu", "--tasks", "square", "--dtypes", "float32"]
    words += ["--optimizers", "adam"]
    status = commands.main(words)
    said = capsys.readouterr()
    if state == "missing":
        assert status == 0
    else:  # a torch that is installed is not passed over in silence
        assert status in (1, 2)
        assert said.err.rstrip().splitlines()[-1].startswith("MissingExtraError: ")
        assert 'pip install -e ".[torch]"' in said.err


def test_a_version_of_a_package_that_warns_is_used_without_a_word(put):
    put(
        "diptest",
        "import warnings; warnings.warn('is going', DeprecationWarning)\n__version__ = '99'",
    )
    assert errors.imported("diptest", "report").__version__ == "99"
