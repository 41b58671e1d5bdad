"""Standard streams that are closed, full, without a reader or without characters."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.edges import entries
from tests.nets import mostly_slow

TRAIN = "train --width 1 --steps 5 --seeds 2 --out nets.npz"
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
# Redirections of a shell; then the exit status where standard output is asked for, and the lines
# on standard error.
LOST_OUTPUT = [
    (">&-", 0, 0),
    (">&- <&-", 0, 0),
    (">&- 2>&-", 0, 0),
    pytest.param(">/dev/full", 1, 1, marks=FULL),
    pytest.param(">/dev/full 2>/dev/full", 1, 0, marks=FULL),
    pytest.param(">/dev/full 2>&-", 1, 0, marks=FULL),
]
LOST_ERRORS = ["2>&-", "2>&- <&-", pytest.param("2>/dev/full", marks=FULL), "<&-"]


@pytest.fixture
def shell(tmp_path, child_environment):
    """Runs a command of minilotto with redirections in a folder of the test's own."""

    def run(line, redirections="", **changes):
        return subprocess.run(
            ["bash", "-c", f'"$0" -m minilotto {line} {redirections}', sys.executable],
            env=child_environment(**changes),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
        )

    return run


@pytest.mark.parametrize(
    "line",
    mostly_slow([*entries.COMMANDS, f"{TRAIN} --quiet"], quick=["--help", f"{TRAIN} --quiet"]),
)
@pytest.mark.parametrize(("redirections", "status", "lines"), LOST_OUTPUT)
def test_lost_output_ends_no_run(line, redirections, status, lines, shell, tmp_path):
    ended = shell(line, redirections)
    assert (ended.returncode, ended.stdout) == (status, ""), ended
    assert len(ended.stderr.splitlines()) == lines, ended.stderr
    assert ("output cannot be written" in ended.stderr) == bool(lines)
    assert (tmp_path / "nets.npz").exists() == line.startswith(TRAIN)


@pytest.mark.parametrize("redirections", LOST_ERRORS)
def test_lost_errors_change_no_exit_status(redirections, shell, tmp_path):
    ended = shell(TRAIN, redirections)
    assert ended.returncode == 0, ended
    assert "nets in nets.npz" in ended.stdout
    assert (tmp_path / "nets.npz").exists()
    if redirections != "<&-":
        assert ended.stderr == ""
    refused = shell("train --wdith 3", redirections)
    assert (refused.returncode, refused.stdout) == (2, ""), refused


@pytest.mark.parametrize("line", ["--help", f"{TRAIN} --quiet"])
@pytest.mark.parametrize("unbuffered", ["1", None])
def test_a_reader_that_has_seen_enough_is_told_nothing(line, unbuffered, shell, tmp_path):
    ended = shell(line, '| true; exit "${PIPESTATUS[0]}"', PYTHONUNBUFFERED=unbuffered)
    assert ended.returncode in (0, 1), ended
    assert (ended.stdout, ended.stderr) == ("", "")
    assert (tmp_path / "nets.npz").exists() == line.startswith(TRAIN)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", r"nets in \u0436\u20ac.npz"),
        ("cp1252", "nets in \\u0436\u20ac.npz"),
        ("latin-1:strict", r"nets in \u0436\u20ac.npz"),
        ("utf-16-le", "nets in \u0436\u20ac.npz"),
        ("utf-8", "nets in \u0436\u20ac.npz"),
    ],
)
def test_characters_that_a_stream_lacks_are_escaped(encoding, shown, tmp_path, child_environment):
    ended = subprocess.run(
        [sys.executable, "-m", "minilotto", *TRAIN.replace("nets", "\u0436\u20ac").split()],
        env=child_environment(PYTHONIOENCODING=encoding),
        cwd=tmp_path,
        capture_output=True,
        timeout=600,
    )
    assert ended.returncode == 0, ended
    assert shown in ended.stdout.decode(encoding.partition(":")[0])
    assert (tmp_path / "\u0436\u20ac.npz").exists()
