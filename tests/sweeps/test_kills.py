"""Kills, signals and corruptions at random, in short; Ctrl-C from a terminal."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import minilotto as ml

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]


def test_nothing_is_lost_to_kills_signals_and_corruptions(python):
    ended = python("-W", "error", "-m", "bench.kills", "--count", "60", "--seed", "3")
    assert ended.status == 0, ended
    found = json.loads(ended.out)
    assert found["lost or silently wrong"] == 0
    assert found["kills"] + found["signals"] + found["corruptions"] == 60
    assert min(found["kills"], found["signals"], found["corruptions"]) >= 10
    # Two blocks, each written beside its place, synced, moved, its folder synced; marker, study,
    # log.
    assert found["steps"] >= 25


FRAGILE = """
import io, os, sys
from minilotto import files
import bench.kills
def write(path, write):
    memory = io.BytesIO()
    write(memory)
    with path.open("wb") as file:
        file.write(memory.getvalue()[:100])
        file.flush()
        os.fsync(file.fileno())
        file.write(memory.getvalue()[100:])
files.write_atomically = write
sys.exit(bench.kills.main(count=0))
"""
FORGETFUL = """
import sys
import bench.kills
from minilotto import signals
signals.Deferral.begin = lambda deferral: None
sys.exit(bench.kills.main(count=120))
"""
TRUSTING = """
import sys
import bench.kills
from minilotto.store import blocks
real = bench.kills.drive
def drive(*arguments):
    blocks.is_sealed = lambda content, name: True
    real(*arguments)
bench.kills.drive = drive
sys.exit(bench.kills.main(count=60))
"""


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (FRAGILE, "killed before step|not what an uninterrupted sweep writes"),
        (FORGETFUL, "nets were finished, 0 are kept"),
        (TRUSTING, "LOST: corrupt: "),
    ],
)
def test_the_check_finds_what_is_wrong(code, what, python):
    ended = python("-c", code)
    assert ended.status == 1, ended
    assert "LOST" in ended.err
    assert re.search(what, ended.err)


SLOW = "sweep --widths 1,2 --seeds 48 --steps 20000 --threads 1 --quiet"
SMALL = """
import sys
from minilotto.cli import commands
from minilotto.store import format
from minilotto.sweeps import runners
format.BLOCK_SEEDS, runners.BATCH_SECONDS = 16, 0.0
sys.exit(commands.main(sys.argv[1:]))
"""


def blocks_in(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("blocks/*/*.npz")
    }


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(
    tmp_path, python, child_environment
):
    words = [*SLOW.split(), "--out", str(tmp_path / "runs")]
    child = subprocess.Popen(
        [sys.executable, "-c", SMALL, *words],
        env=child_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(blocks_in(tmp_path / "runs")) < 2 and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=600)
    assert (child.returncode, out) == (130, "")
    assert (
        err == "interrupted: every finished block is kept, and the same sweep goes on from there\n"
    )
    kept = blocks_in(tmp_path / "runs")
    assert 2 <= len(kept) < 6
    ended = python("-c", SMALL, *words)
    assert (ended.status, ended.err) == (0, "")
    assert python("-c", SMALL, *SLOW.split(), "--out", str(tmp_path / "other")).status == 0
    assert blocks_in(tmp_path / "runs") == blocks_in(tmp_path / "other")
    assert kept.items() <= blocks_in(tmp_path / "runs").items()
    assert len(ml.open_store(tmp_path / "runs").ensemble(ml.Config(width=2, steps=20000))) == 48
