"""Variables of the environment: each has no effect on a run, or ends it with one line."""

import os
import re

import pytest

from tests.edges import entries
from tests.nets import mostly_slow

TRAIN = "train --width 1 --steps 5 --seeds 2 --out nets.npz --plot nets.pdf"
HARMLESS = [
    *({"MPLBACKEND": value} for value in ("nosuch", "", "TkAgg", "module://nosuch", "a b")),
    *({"MPLCONFIGDIR": value} for value in ("/nosuch/x", "/dev/null", "")),
    *({"OMP_NUM_THREADS": value} for value in ("0", "-1", "abc", "", "1")),
    *({"NUMBA_NUM_THREADS": value} for value in ("1", "1000")),
    *({"NUMBA_CACHE_DIR": value} for value in ("/nosuch/x", "/dev/null", "")),
    *({"NUMBA_CPU_NAME": value} for value in ("generic", "")),
    *({"NUMBA_THREADING_LAYER": value} for value in ("nosuch", "")),
    *({"HOME": value} for value in (None, "", "/nosuch")),
    *({"COLUMNS": value} for value in ("abc", "0", "-5", "1", "")),
    *({"TERM": value} for value in ("dumb", "", None)),
    *({"TQDM_MININTERVAL": value} for value in ("abc", "")),
    *({name: "abc"} for name in ("TQDM_NCOLS", "TQDM_ASCII", "TQDM_NOSUCH", "TQDM_BAR_FORMAT")),
    *({"PYTHONWARNINGS": value} for value in ("error", "error::RuntimeWarning", "ignore")),
    *({"PYTHONUTF8": value} for value in ("0", "1")),
    {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
    *({"LC_ALL": value} for value in ("nosuch", "C", "")),
    *({"PYTHONOPTIMIZE": value} for value in ("1", "2")),
    {"PYTHONDONTWRITEBYTECODE": "1"},
    {"PYTHONDEVMODE": "1"},
    {"TMPDIR": "/nosuch"},
    {"TZ": "nosuch"},
    *({"SOURCE_DATE_EPOCH": value} for value in ("abc", "", "-1", "0")),
    {"PAGER": "nosuch"},
    {"CUDA_VISIBLE_DEVICES": "abc"},
]
REFUSED = [
    *({"NUMBA_NUM_THREADS": value} for value in ("0", "-1", "abc", "2.5", "1e3", "")),
    *({"NUMBA_DISABLE_JIT": value} for value in ("1", "2", "abc")),
    *({"NUMBA_OPT": value} for value in ("9", "abc")),
    {"NUMBA_CPU_NAME": "nosuch"},
    *({"NUMBA_CPU_FEATURES": value} for value in ("nosuch", "+nosuch")),
    {"NUMBA_DEBUG": "abc"},
]
OFTEN_HARMLESS = [{"MPLBACKEND": "nosuch"}, {"TQDM_NCOLS": "abc"}, {"PYTHONWARNINGS": "error"}]
OFTEN_REFUSED = [{"NUMBA_NUM_THREADS": "0"}, {"NUMBA_DISABLE_JIT": "1"}]


def shown(changes):
    return " ".join(f"{name}={value}" for name, value in changes.items())


def together(changes):
    """The first values of all variables, then the second ones, and so on: few processes try all."""
    groups = []
    for change in changes:
        free = (group for group in groups if not change.keys() & group.keys())
        group = next(free, None)
        if group is None:
            groups.append(group := {})
        group |= change
    return groups


@pytest.mark.parametrize(
    "changes", mostly_slow([*OFTEN_HARMLESS, *together(HARMLESS)], OFTEN_HARMLESS), ids=shown
)
def test_a_variable_changes_no_run(changes, python, tmp_path):
    ended = python("-m", "minilotto", *TRAIN.split(), **changes)
    assert ended.status == 0, ended
    assert "picture in nets.pdf" in ended.out
    # Lines that a bar overwrites are one line; another says that kernels are compiled. Where there
    # is a fontconfig, matplotlib runs it, and it says a line about locales that do not exist.
    other = [line for line in re.split(r"[\r\n]+", ended.err) if line.strip() and "%" not in line]
    known = re.compile("x|.*compiling.*|Fontconfig warning: .*")
    assert [line for line in other if not known.fullmatch(line)] == [], other
    assert {"nets.npz", "nets.pdf"} <= set(os.listdir(tmp_path))


FIRST, *OTHERS = entries.COMPILED


@pytest.mark.parametrize(
    ("changes", "line"),
    mostly_slow(
        [
            *((changes, FIRST) for changes in REFUSED),
            *((changes, line) for changes in OFTEN_REFUSED for line in OTHERS),
        ],
        [(changes, FIRST) for changes in OFTEN_REFUSED],
    ),
)
def test_a_variable_that_numba_cannot_use_is_named(changes, line, python, tmp_path):
    ended = python("-m", "minilotto", *line.split(), **changes)
    assert ended.status in (1, 2), ended
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1, ended.err
    assert ended.err.startswith("ResourceError: ")
    assert next(iter(changes)) in ended.err
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".npz")]


def test_a_warning_is_one_line_and_no_error(python):
    ended = python(
        *("-m", "minilotto", *entries.COMPILED[0].split()),
        PYTHONWARNINGS="error",
        NUMBA_CACHE_LOCATOR_CLASSES="nosuch",
    )
    assert ended.status == 0, ended
    (line,) = ended.err.splitlines()
    assert line.startswith("minilotto: no folder for compiled kernels can be written to")


@pytest.mark.parametrize("limit", ["1", "1000"])
def test_the_summary_states_the_threads_that_there_are(limit, python):
    line = entries.COMPILED[0]
    ended = python("-m", "minilotto", *line.split(), "--threads", "1000", NUMBA_NUM_THREADS=limit)
    found = re.search(r", (up to )?(\d+) threads?;", ended.out)
    assert found, ended
    assert (found[1], found[2]) == ((None, "1") if limit == "1" else ("up to ", "1000"))


@pytest.mark.parametrize("page", mostly_slow(["train", "sweep", "verify"], ["train"]))
def test_help_needs_no_docstrings(page, python):
    usual = python("-m", "minilotto", page, "--help", PYTHONOPTIMIZE=None)
    assert python("-m", "minilotto", page, "--help", PYTHONOPTIMIZE="2") == usual
    assert usual.status == 0
    overview = python("-OO", "-m", "minilotto")
    assert overview == python("-m", "minilotto", PYTHONOPTIMIZE=None)
    assert overview.status == 0


def test_the_manual_needs_no_docstrings(python):
    usual = python("-m", "minilotto.cli.manual")
    assert python("-OO", "-m", "minilotto.cli.manual") == usual
    assert usual.status == 0


RC = {
    "text.usetex": "True",
    "font.size": "70",
    "text.parse_math": "False",
    "savefig.dpi": "1000",
    "savefig.bbox": "tight",
    "figure.autolayout": "True",
    "axes.facecolor": "black",
    "lines.linewidth": "30",
    "savefig.transparent": "True",
    "figure.constrained_layout.use": "False",
    "axes.spines.left": "False",
}


def test_a_matplotlibrc_changes_no_picture(python, tmp_path):
    words = ("-m", "minilotto", *TRAIN.split())
    python(*words)
    before = (tmp_path / "nets.pdf").read_bytes()
    (tmp_path / "rc").mkdir()
    rc = "".join(f"{name}: {value}\n" for name, value in RC.items())
    (tmp_path / "rc" / "matplotlibrc").write_text(rc)
    ended = python(*words, "--force", MATPLOTLIBRC=str(tmp_path / "rc"), PATH="")
    assert ended.status == 0, ended
    assert (tmp_path / "nets.pdf").read_bytes() == before
