"""Interruptions: any signals, at any moment, of each command; Ctrl-C in a user's own program.

What was finished is on disk, files are whole, the exit status is that of a signal, and at most one
line is said. `python -m bench.kills` does the same ten thousand times at random.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from edges.entries import INTERRUPTED

import minilotto as ml
from minilotto import signals
from minilotto.training import loop

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

# What is sent: seconds, or fractions of the command's time below 1, and a signal.
INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
KINDS = {
    "Ctrl-C": [(0.4, INT)],
    "SIGTERM": [(0.6, TERM)],
    "the terminal is closed": [(0.5, HUP)],
    "Ctrl-C twice": [(0.5, INT), (0.02, INT)],
    "Ctrl-C, then SIGTERM, then SIGHUP": [(0.3, INT), (0.001, TERM), (0.01, HUP)],
    "Ctrl-C at the start": [(0.0, INT)],
    "Ctrl-C near the end": [(0.95, INT), (0.01, INT)],
    "an impatient user": [(0.2, INT), *[(0.01, INT)] * 30],
}

# Forks a child for each line on stdin, once everything is imported and compiled.
SERVER = """
import json, mmap, os, sys, time
from pathlib import Path
from minilotto import signals
from minilotto.cli import commands
from minilotto.store import format
from minilotto.sweeps import runners
from minilotto.training import loop
format.BLOCK_SEEDS, runners.BATCH_SECONDS, loop.BATCH_SECONDS = 8, 0.0, 1e-9
finished, real = mmap.mmap(-1, 1 << 20), loop._Record.finish

def finish(record, batch, engine):
    real(record, batch, engine)
    finished.write(bytes([1]) * (batch.stop - batch.start))

def opened(path):
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

def forked(words, folder):
    ready, begun = os.pipe()
    child = os.fork()
    if child:
        os.close(begun)
        os.read(ready, 1)
        os.close(ready)
        return child
    loop._Record.finish = finish
    os.dup2(opened(folder / "out"), 1)
    os.dup2(opened(folder / "err"), 2)
    signals.own_process()
    os.write(begun, b".")
    status = commands.main(words)
    signals.done()
    sys.stdout.flush()
    os._exit(status)

times = {}
for line in sys.stdin:
    name, words, folder, kind = json.loads(line)
    folder = Path(folder)
    finished[:] = bytes(len(finished))
    finished.seek(0)
    for again in range(2 if name not in times else 0):
        (folder / f"warm{again}").mkdir()
        began = time.perf_counter()
        os.waitpid(forked([w.replace("{}", f"{folder}/warm{again}") for w in words], folder), 0)
        times[name] = time.perf_counter() - began
    finished[:] = bytes(len(finished))
    child = forked([word.replace("{}", f"{folder}/made") for word in words], folder)
    for i, (wait, number) in enumerate(kind):
        time.sleep(wait * times[name] if i == 0 else wait)
        os.kill(child, number)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps([status, finished[:].count(1)]), flush=True)
"""


@pytest.fixture(scope="module")
def server(child_environment):
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        env=child_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def attacked(server, tmp_path):
    """Runs a command and sends it signals; how it ended, and what it had finished and kept."""

    def run(name, kind):
        (tmp_path / "made").mkdir()
        if name == "verify":
            ml.sweep(ml.Sweep(width=2, seeds=60, steps=3000), out=tmp_path / "runs", threads=1)
        line = json.dumps([name, INTERRUPTED[name].split(), str(tmp_path), kind])
        server.stdin.write(line + "\n")
        server.stdin.flush()
        status, finished = json.loads(server.stdout.readline())
        out, err = ((tmp_path / stream).read_text() for stream in ("out", "err"))
        files = [path for path in (tmp_path / "made").rglob("*") if path.is_file()]
        return SimpleNamespace(status=status, finished=finished, out=out, err=err, files=files)

    return run


def without_bar(text):
    """Lines of stderr, without what a bar has drawn."""
    lines = [line for line in re.split("[\\r\\n]", text) if "seed-steps" not in line]
    return [line for line in lines if line.strip()]


FAST = ("train", "sweep in threads")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in INTERRUPTED]
)
def test_what_is_finished_is_kept_whatever_comes(name, kind, attacked):
    ended = attacked(name, KINDS[kind])
    assert ended.status in (0, *(128 + number for _, number in KINDS[kind])), ended
    lines = without_bar(ended.err)
    assert len(lines) <= 1, ended
    assert all("interrupted" in line for line in lines)
    assert lines or ended.status == 0 or "PARTIAL" in ended.out or "{}" not in INTERRUPTED[name]
    assert not [path for path in ended.files if path.name.startswith(".")]
    kept = [ml.load(path) for path in ended.files if path.suffix == ".npz"]
    if "{}/" in INTERRUPTED[name] and name != "verify":
        assert sum(len(nets) for nets in kept) >= ended.finished, ended
    for nets in kept[:3]:
        alone = ml.train(nets.config, seeds=nets.seeds[-2:], threads=1)
        assert alone.w.tobytes() == nets.w[-2:].tobytes()


# Fresh processes
def started(words, child_environment, folder, **options):
    child = subprocess.Popen(
        [sys.executable, *words],
        env=child_environment(),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    return child


def handled(child, number):
    """Wait until the child has a handler for a signal; Python starts for some hundredths before."""
    while child.poll() is None:
        lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
        caught = next((line.split()[1] for line in lines if line.startswith("SigCgt")), "0")
        if int(caught, 16) >> (number - 1) & 1:
            return
        time.sleep(0.001)


WORDS = "train --width 2 --seeds 10 --steps 50 --quiet --out nets.npz"
SHORT = ["-m", "minilotto", *WORDS.split()]
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@on_linux
@pytest.mark.parametrize("number", [INT, TERM, HUP])
def test_a_signal_during_the_imports_is_one_line(number, child_environment, tmp_path):
    child = started(SHORT, child_environment, tmp_path)
    handled(child, HUP)
    child.send_signal(number)
    out, err = child.communicate(timeout=600)
    assert (child.returncode, out, err) == (128 + number, "", "interrupted\n")
    assert not list(tmp_path.iterdir())


def test_an_ignored_ctrl_c_stays_ignored(child_environment, tmp_path):
    before = signal.signal(INT, signal.SIG_IGN)  # as a child inherits it from `nohup`
    child = started(SHORT, child_environment, tmp_path)
    signal.signal(INT, before)
    for _ in range(20):
        time.sleep(0.1)
        child.send_signal(INT)
    out, err = child.communicate(timeout=600)
    assert (child.returncode, err) == (0, "")
    assert "10 ok" in out


# A user's own program
CONFIG = ml.Config(width=2, steps=3000)


@pytest.fixture
def many_batches(monkeypatch):
    """Small batches; sends Ctrl-C to this process when a number of them are done."""
    real = loop._Record.finish

    def interrupt(after, times):
        done = []

        def finish(record, batch, engine):
            real(record, batch, engine)
            done.append(batch)
            if len(done) == after:
                for _ in range(times):
                    os.kill(os.getpid(), INT)

        monkeypatch.setattr(loop, "BATCH_SECONDS", 1e-9)
        monkeypatch.setattr(loop._Record, "finish", finish)

    return interrupt


@pytest.mark.parametrize("times", [1, 2, 5])
def test_ctrl_c_hands_over_the_nets_and_leaves_handlers_as_they_were(many_batches, times):
    many_batches(after=2, times=times)
    before = [signal.getsignal(number) for number in signals.NUMBERS]
    with pytest.raises(ml.TrainingInterrupted) as interruption:
        ml.train(CONFIG, seeds=1000, threads=1)
    assert 0 < len(interruption.value.nets) < 1000
    assert [signal.getsignal(number) for number in signals.NUMBERS] == before
    assert len(ml.train(CONFIG, seeds=200, threads=1)) == 200


def test_a_users_handler_is_left_alone(many_batches):
    many_batches(after=1, times=2)
    heard = []
    before = signal.signal(INT, lambda *_: heard.append(1))
    try:
        assert len(ml.train(CONFIG, seeds=500, threads=1)) == 500
    finally:
        signal.signal(INT, before)
    assert heard


def test_training_in_a_thread_touches_no_handler(many_batches):
    many_batches(after=10**9, times=0)
    found = []
    thread = threading.Thread(target=lambda: found.append(ml.train(CONFIG, 300, threads=1)))
    thread.start()
    while thread.is_alive():
        assert signal.getsignal(INT) is signal.default_int_handler
    assert len(found[0]) == 300


def test_ctrl_c_while_a_file_is_written_waits_for_its_end(tmp_path, monkeypatch):
    nets, real = ml.train(CONFIG, seeds=5, threads=1), os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: os.kill(os.getpid(), INT) or real(file))
    with pytest.raises(KeyboardInterrupt):
        nets.save(tmp_path / "nets.npz")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["nets.npz"]
    assert ml.load(tmp_path / "nets.npz").loss.tobytes() == nets.loss.tobytes()


@pytest.mark.filterwarnings("ignore:.*fork")  # Python 3.15 counts the threads of Numba, too
@pytest.mark.parametrize("number", [INT, TERM, HUP])
def test_a_forked_child_has_the_handlers_of_the_program(number):
    with signals.command():
        child = os.fork()
        if not child:
            ours = signal.getsignal(number) is signals._handle
            os._exit(3 if ours or signals.state.command else 0)
        assert os.waitpid(child, 0)[1] == 0
        assert signal.getsignal(number) is signals._handle
    assert signal.getsignal(number) is not signals._handle


# Worker processes
UNGUARDED = """
import minilotto as ml
ml.register_task(ml.Task("saw", "|x|", "|x|", lambda x: abs(x[:, 0])))
store = ml.sweep(ml.Sweep(widths=(1, 2), seeds=9, steps=40, task="saw"), "runs", cluster="local:2")
print([len(store.ensemble(config)) for config in store.configs])
"""


@pytest.mark.slow
@pytest.mark.parametrize("stdin", [False, True])
def test_workers_need_no_main_guard(stdin, child_environment, tmp_path):
    pytest.importorskip("distributed")
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    words = ["-"] if stdin else [str(script)]
    child = started(words, child_environment, tmp_path, stdin=subprocess.PIPE)
    out, err = child.communicate(UNGUARDED if stdin else "", timeout=600)
    assert (child.returncode, out, err) == (0, "[9, 9]\n", "")


@pytest.mark.slow
@on_linux
@pytest.mark.parametrize("sent", [[INT], [INT, INT], [TERM], [HUP, INT]])
def test_a_signal_to_all_workers_is_one_line(sent, child_environment, tmp_path):
    pytest.importorskip("distributed")
    words = "-m minilotto sweep --widths 1,2 --seeds 40000 --steps 50000 --quiet --cluster local:2"
    child = started(
        [*words.split(), "--out", "runs"], child_environment, tmp_path, start_new_session=True
    )
    while not list(tmp_path.glob("runs/logs/*")) and child.poll() is None:
        time.sleep(0.05)
    for number in sent:
        time.sleep(0.3)
        os.killpg(child.pid, number)
    out, err = child.communicate(timeout=600)
    assert (child.returncode, out) == (128 + sent[0], "")
    assert err == (
        "interrupted: every finished block is kept, and the same sweep goes on from there\n"
    )
