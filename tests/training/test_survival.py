"""What the software must survive: threads, forks, small machines, lost folders, Ctrl-C, a million
seeds.

Whatever may end a process happens in a child. A child prints digests of all that it trained; the
expected ones are made here, in one thread.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

import minilotto as ml
from minilotto.engines.reference import ReferenceEngine
from minilotto.hardware import machine
from minilotto.hardware.threads import (
    PIECE_SECONDS,
    Work,
    available_layers,
    kept_threads,
    run_works,
)
from minilotto.training.loop import CHUNK_STEPS

LAYERS = available_layers()
BITS = """
import hashlib, json, os, sys
import minilotto as ml

def bits(first=0, threads=2):
    nets = ml.train(ml.Config(width=3, steps=60), seeds=range(first, first + 70), threads=threads)
    parts = (*nets.parameters, nets.loss, nets.history.loss)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
"""
# A wide net too, which is what Numba's threads share.
SHARED_BITS = (
    BITS
    + """
narrow_bits = bits

def bits(first=0, threads=2):
    config = ml.Config(width=700, steps=8)
    nets = ml.train(config, seeds=[first], threads=threads, engine="wide", compress=False)
    wide = b"".join(part.tobytes() for part in nets.parameters)
    return narrow_bits(first, threads) + hashlib.sha256(wide).hexdigest()
"""
)


@lru_cache
def serial_bits(first: int = 0, code: str = BITS) -> str:
    """The digest that every child must find, made in one thread."""
    names: dict = {}
    exec(code, names)
    return names["bits"](first, threads=1)


def test_the_digest_tells_one_training_from_another():
    assert serial_bits(0, SHARED_BITS) != serial_bits(1, SHARED_BITS)


# Python threads
EIGHT_THREADS = (
    SHARED_BITS
    + """
import threading
from minilotto.hardware import threads as parallel

if "warm" in sys.argv:
    bits()
gate, found = threading.Barrier(8), [[] for _ in range(8)]

def work(i):
    gate.wait()
    for _ in range(6):
        found[i].append(bits(first=i))

threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"layer": parallel.layer_in_use(), "found": found}))
"""
)


@pytest.mark.slow
@pytest.mark.parametrize("start", ["warm", "cold"])
@pytest.mark.parametrize("layer", LAYERS)
def test_eight_threads_may_train_at_once(layer, start, python):
    ended = python("-c", EIGHT_THREADS, start, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2")
    assert ended.status == 0, ended
    assert ended.err == ""
    found = json.loads(ended.out)
    assert found["layer"] == layer
    assert found["found"] == [[serial_bits(i, SHARED_BITS)] * 6 for i in range(8)]


OWN_PRANGE = """
import numba, numpy as np

@numba.njit(parallel=True)
def own_sum(values):
    total = 0.0
    for i in numba.prange(values.size):
        total += values[i]
    return total

ones = np.ones(100_000)
"""
BESIDE_OWN_PRANGE = (
    SHARED_BITS
    + OWN_PRANGE
    + """
import threading
from minilotto.hardware import threads as parallel

done, sums = threading.Event(), []

def own_work():
    while not done.is_set():
        sums.append(own_sum(ones))

own_sum(ones)
thread = threading.Thread(target=own_work)
thread.start()
found = [bits() for _ in range(10)]
done.set()
thread.join()
layer, rounds = parallel.layer_in_use(), len(sums)
print(json.dumps({"layer": layer, "found": found, "sums": sorted(set(sums)), "rounds": rounds}))
"""
)


# The workqueue layer aborts a process of which two threads use it.
@pytest.mark.slow
@pytest.mark.parametrize("layer", [layer for layer in LAYERS if layer != "workqueue"])
def test_training_stands_a_users_own_prange_beside_it(layer, python):
    ended = python("-c", BESIDE_OWN_PRANGE, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2")
    assert ended.status == 0, ended
    found = json.loads(ended.out)
    assert found["layer"] == layer
    assert found["found"] == [serial_bits(0, SHARED_BITS)] * 10
    assert found["sums"] == [100_000.0]
    assert found["rounds"] > 10


def test_training_leaves_the_users_number_of_threads_alone(python):
    ended = python(
        "-c",
        BITS + "import numba; numba.set_num_threads(1); bits(); print(numba.get_num_threads())",
        NUMBA_NUM_THREADS="2",
    )
    assert ended == (0, "1\n", "")


# Forks
@pytest.fixture(scope="module")
def compiled(child_environment):
    """All kernels of SHARED_BITS are on disk, so that a compilation is not taken for a deadlock."""
    code = SHARED_BITS + "print(bits())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.stdout.strip() == serial_bits(0, SHARED_BITS)


AFTER_FORK = (
    SHARED_BITS
    + OWN_PRANGE
    + """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

def forked(function):
    sys.stdout.flush()
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        function()
        sys.stdout.flush()
        status = 0
    finally:
        os._exit(status)

def tell():
    print("child", bits())

def tell_and_fork():
    tell()
    print("grandchild ended", forked(tell))

if __name__ == "__main__":
    if "trained" in sys.argv:
        print("parent", bits())
    else:
        # The user's own code has started the threads, minilotto's has never run.
        assert own_sum(ones) == ones.size
    import numba
    print("layer", numba.threading_layer())
    print("ended", forked(tell_and_fork))
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        for found in pool.map(bits, [0, 0]):
            print("pool", found)
    print("parent", bits())
"""
)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("before", ["trained", "own"])
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.usefixtures("compiled")
def test_a_forked_child_trains(layer, before, python, tmp_path):
    script = tmp_path / "forks.py"
    script.write_text(AFTER_FORK)
    ended = python(
        str(script),
        before,
        NUMBA_THREADING_LAYER=layer,
        NUMBA_NUM_THREADS="2",
        PYTHONWARNINGS="ignore",
        timeout=600,
    )
    assert ended.status == 0, ended
    expected = serial_bits(0, SHARED_BITS)
    lines = [
        *([f"parent {expected}"] if before == "trained" else []),
        f"layer {layer}",
        f"child {expected}",
        f"child {expected}",
        "grandchild ended 0",
        "ended 0",
        f"pool {expected}",
        f"pool {expected}",
        f"parent {expected}",
    ]
    assert ended.out.splitlines() == lines


FORK_DURING_TRAINING = (
    BITS
    + """
import threading

bits()
begun = threading.Event()

def long_training():
    begun.set()
    ml.train(ml.Config(width=3, steps=2000), seeds=700, threads=2)

thread = threading.Thread(target=long_training)
thread.start()
begun.wait()
statuses = []
while thread.is_alive() and len(statuses) < 5:
    child = os.fork()
    if not child:
        os._exit(0 if bits() == sys.argv[1] else 3)
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
thread.join()
print(statuses == [0] * len(statuses) and len(statuses) > 0)
"""
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.usefixtures("compiled")
def test_a_child_forked_while_another_thread_trains_trains(python):
    ended = python(
        "-c",
        FORK_DURING_TRAINING,
        serial_bits(),
        NUMBA_NUM_THREADS="2",
        PYTHONWARNINGS="ignore",
        timeout=600,
    )
    assert (ended.status, ended.out) == (0, "True\n"), ended


# Small machines
ALL_CORES = (
    BITS
    + "from minilotto.hardware.machine import usable_cores\n"
    + "print(usable_cores(), bits(threads=None))"
)


def test_one_numba_thread_gives_the_same_bits(python):
    ended = python("-c", BITS + "print(bits())", NUMBA_NUM_THREADS="1")
    assert ended == (0, f"{serial_bits()}\n", "")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system sets no affinity")
def test_one_cpu_gives_the_same_bits(python):
    one = f"import os; os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})\n"
    assert python("-c", one + ALL_CORES) == (0, f"1 {serial_bits()}\n", "")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system sets no affinity")
def test_cpus_taken_away_after_numba_began_give_the_same_bits(python):
    late = f"import numba, os; os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})\n"
    assert python("-c", late + ALL_CORES) == (0, f"1 {serial_bits()}\n", "")


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    """Writes the files of a container's limits: cgroup({"cpu.max": "200000 100000"}). The machine
    has 8 cores, 8 GB free.
    """
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8 * 10**9))

    def write(files: dict[str, str]) -> None:
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content + "\n")

    return write


def version_1(quota: str, period: str) -> dict[str, str]:
    return {"cpu/cpu.cfs_quota_us": quota, "cpu/cpu.cfs_period_us": period}


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000"}, 8),
        ({"cpu.max": "200000 100000"}, 2),
        ({"cpu.max": "250000 100000"}, 2),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "1600000 100000"}, 8),
        ({"cpu.max": ""}, 8),
        ({"cpu.max": "many"}, 8),
        ({"cpu.max": "200000 0"}, 8),
        (version_1("-1", "100000"), 8),
        (version_1("300000", "100000"), 3),
        (version_1("10000", "100000"), 1),
        ({"cpu/cpu.cfs_quota_us": "300000"}, 8),
        ({"cpu.max": "200000 100000", **version_1("300000", "100000")}, 2),
    ],
)
def test_usable_cores_keep_to_the_containers_quota(files, cores, cgroup):
    cgroup(files)
    assert machine.usable_cores() == cores


def test_usable_cores_keep_to_the_affinity(cgroup, monkeypatch):
    cgroup({"cpu.max": "400000 100000"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5}, raising=False)
    assert machine.usable_cores() == 1


GB = 10**9


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 8 * GB),
        ({"memory.max": "max", "memory.current": f"{GB}"}, 8 * GB),
        ({"memory.max": f"{3 * GB}", "memory.current": f"{GB}"}, 2 * GB),
        ({"memory.max": f"{30 * GB}", "memory.current": f"{GB}"}, 8 * GB),
        ({"memory.max": f"{GB}", "memory.current": f"{2 * GB}"}, 0),
        ({"memory.max": f"{GB}"}, 8 * GB),
        (
            {"memory/memory.limit_in_bytes": f"{4 * GB}", "memory/memory.usage_in_bytes": f"{GB}"},
            3 * GB,
        ),
        (
            {
                "memory/memory.limit_in_bytes": "9223372036854771712",
                "memory/memory.usage_in_bytes": f"{GB}",
            },
            8 * GB,
        ),
    ],
)
def test_available_memory_keeps_to_the_containers_limit(files, free, cgroup):
    cgroup(files)
    assert machine.available_memory() == free


@pytest.mark.parametrize(
    ("limit", "usage", "stat"),
    [
        ("memory.max", "memory.current", ("memory.stat", "inactive_file")),
        (
            "memory/memory.limit_in_bytes",
            "memory/memory.usage_in_bytes",
            ("memory/memory.stat", "total_inactive_file"),
        ),
    ],
)
def test_file_pages_that_the_system_would_give_back_count_as_free(limit, usage, stat, cgroup):
    # A container's usage counts the files it has read: a gigabyte of them is no gigabyte lost.
    name, row = stat
    cgroup({limit: f"{3 * GB}", usage: f"{2 * GB}", name: f"anon {GB // 2}\n{row} {GB}"})
    assert machine.available_memory() == 2 * GB


# Lost folders, full disks
TRAIN_TINY = shlex.split(
    "-m minilotto train --width 1 --steps 5 --seeds 2 --quiet --threads 1 --compress=false"
)


@pytest.mark.slow
def test_without_a_folder_for_kernels_it_works_with_one_warning(package, python, tmp_path):
    for folder in [path for path in (package / "minilotto").rglob("*") if path.is_dir()]:
        (folder / "__pycache__").touch()  # a file, so that not even root can make a folder there
    nowhere = tmp_path / "file"
    nowhere.touch()
    lost = {"NUMBA_CACHE_DIR": None, "HOME": str(nowhere), "XDG_CACHE_HOME": str(nowhere)}
    ended = python(*TRAIN_TINY, "--out", "nets.npz", root=package, **lost)
    assert ended.status == 0, ended
    assert len(re.findall("no folder for compiled kernels", ended.err)) == 1, ended.err
    assert "NUMBA_CACHE_DIR" in ended.err
    nets = ml.load(tmp_path / "nets.npz")
    assert (
        nets.w.tobytes()
        == ml.train(ml.Config(width=1, steps=5), seeds=2, compress=False).w.tobytes()
    )


FULL_CACHE = """
import resource, sys
from minilotto import engines
from minilotto.cli import commands
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
sys.exit(commands.main(sys.argv[3:]))
"""


@pytest.mark.slow
def test_a_full_disk_for_kernels_costs_no_training(python, tmp_path):
    # A file that may not grow beyond some bytes fails as a file on a full disk does, in the middle
    # of a write.
    ended = python("-c", FULL_CACHE, *TRAIN_TINY, NUMBA_CACHE_DIR=str(tmp_path / "kernels"))
    assert ended.status == 0, ended
    assert "2 ok" in ended.out
    assert len(re.findall("Warning", ended.err)) <= 1, ended.err


LOSSES = """
import minilotto as ml
from minilotto.kernels import seed_parallel
nets = ml.train(ml.Config(width=1, steps=5), seeds=2, threads=1, compress=False)
hits = sum(seed_parallel.train_blocks.stats.cache_hits.values())
print(nets.w.tobytes().hex(), nets.loss.tobytes().hex(), hits)
"""


@pytest.mark.slow
def test_an_edited_formula_is_never_a_stale_kernel(package, python, tmp_path):
    # Python itself would trust bytecode by time and size, so it keeps none here; what is left is
    # the cache of kernels.
    formulas = package / "minilotto" / "kernels" / "formulas.py"
    right, times = formulas.read_text(), formulas.stat()
    head, silu = right.split("def silu(")
    wrong = head + "def silu(" + silu.replace("t * s", "t + s", 1)
    assert len(wrong) == len(right)
    assert wrong != right

    def losses(text):
        formulas.write_text(text)
        os.utime(formulas, ns=(times.st_atime_ns, times.st_mtime_ns))
        ended = python("-B", "-c", LOSSES, root=package, NUMBA_CACHE_DIR=str(tmp_path / "kernels"))
        assert ended.status == 0, ended
        *found, hits = ended.out.split()
        return found, int(hits)

    first, hits = losses(right)
    assert hits == 0
    assert losses(right) == (first, 1)  # the cache works: a stale kernel would be found here
    second, hits = losses(wrong)
    assert hits == 0
    assert second[0] != first[0]
    assert second[1] != first[1]
    assert losses(right)[0] == first


@pytest.mark.slow
@pytest.mark.parametrize(("reader", "unbuffered"), [("gone", "1"), ("gone", None), ("full", "1")])
def test_lost_output_costs_no_nets(reader, unbuffered, tmp_path, child_environment):
    # The summary cannot be written, for want of a reader or of space; the file of nets can.
    if reader == "full" and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    if reader == "gone":
        end, start = os.pipe()
        os.close(end)
    else:
        start = os.open("/dev/full", os.O_WRONLY)
    try:
        done = subprocess.run(
            [sys.executable, *TRAIN_TINY, "--out", "nets.npz"],
            env=child_environment(PYTHONUNBUFFERED=unbuffered),
            cwd=tmp_path,
            stdout=start,
            stderr=subprocess.PIPE,
            text=True,
            timeout=600,
        )
    finally:
        os.close(start)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) <= 1, done.stderr
    assert len(ml.load(tmp_path / "nets.npz")) == 2


# Ctrl-C
TOLD = """
import sys
from minilotto.cli import commands
from minilotto.training import loop
from minilotto.engines import choice, interface
loop.BATCH_SECONDS = 1e-9  # the smallest batches

def telling(place, name, word):
    real = getattr(place, name)

    def reporting(*arguments):
        print(word, file=sys.stderr, flush=True)
        return real(*arguments)

    setattr(place, name, reporting)

telling(loop, "initial_parameters", "batch")
engines = {*interface.Engine.__subclasses__(), *interface.KernelEngine.__subclasses__()}
for engine in engines - {interface.KernelEngine}:
    telling(engine, "advance", "advance")
sys.exit(commands.main(sys.argv[1:]))
"""


PATIENCE = 3.0  # seconds of CPU from the signal to the end, which other processes do not lengthen


@pytest.fixture
def interrupted(tmp_path, child_environment):
    """Runs a child until `enough` says so of a line on its stderr, sends SIGINT `after` some
    seconds, and takes the CPU time that its end costs.

    Returns (status, stdout, the lines of stderr after the signal, seconds)."""

    def run(arguments, enough, after=0.0):
        before = os.times()
        child = subprocess.Popen(
            [sys.executable, *arguments],
            env=child_environment(PYTHONUNBUFFERED="1"),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        watchdog = threading.Timer(600, child.kill)
        watchdog.start()
        try:
            for line in child.stderr:
                if enough(line):
                    break
            time.sleep(after)
            used = psutil.Process(child.pid).cpu_times()
            child.send_signal(signal.SIGINT)
            out, err = child.communicate()
            whole = os.times()
            seconds = whole.children_user - before.children_user - used.user
            seconds += whole.children_system - before.children_system - used.system
            return child.returncode, out, err.splitlines(), seconds
        finally:
            watchdog.cancel()
            child.kill()
            child.communicate()

    return run


def count_of(word, wanted):
    """Whether `word` has been said `wanted` times."""
    said = []

    def enough(line):
        said.extend([line] * (line.strip() == word))
        return len(said) >= wanted

    return enough


def test_ctrl_c_keeps_the_seeds_that_were_done(interrupted, tmp_path):
    said = shlex.split("train --width 2 --steps 20000 --seeds 7:1000000 --quiet --out nets.npz")
    status, out, err, seconds = interrupted(["-c", TOLD, *said], count_of("batch", 2), after=0.05)
    assert status == 130, err
    assert seconds < PATIENCE
    assert [line for line in err if line not in ("batch", "advance")] == []
    nets = ml.load(tmp_path / "nets.npz")
    assert nets.partial
    assert nets.requested == 1_000_000 - 7
    assert nets.seeds.tolist() == list(range(7, 7 + len(nets)))
    assert f"PARTIAL: interrupted, {len(nets)} of 999993 seeds are done" in out
    assert "PARTIAL result in nets.npz" in out
    assert [path.name for path in tmp_path.iterdir()] == ["nets.npz"]
    for part in (slice(0, 5), slice(-5, None)):
        alone = ml.train(ml.Config(width=2, steps=20000), seeds=nets.seeds[part])
        assert alone.loss.tobytes() == nets.loss[part].tobytes()
        assert all(
            a.tobytes() == b[part].tobytes()
            for a, b in zip(alone.parameters, nets.parameters, strict=True)
        )


def test_ctrl_c_before_any_seed_is_done_writes_nothing(interrupted, tmp_path):
    said = shlex.split(
        "train --width 2 --steps 10000000 --seeds 100 --quiet --out nets.npz --plot nets.pdf"
    )
    status, out, err, seconds = interrupted(["-c", TOLD, *said], count_of("advance", 10), after=0.3)
    assert status == 130, err
    assert seconds < PATIENCE
    assert out == ""
    assert [line for line in err if line != "advance"] == [
        "interrupted before any seed was done; nothing is written"
    ]
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_need_not_wait_for_many_large_steps(monkeypatch):
    # Ctrl-C is noticed after each call of advance, here of steps of a tenth of a second, as of very
    # wide nets. The first call must not be a long one either.
    spans = []

    def slow(engine, first, count):
        time.sleep(0.1 * count)
        spans.append((first, count))

    monkeypatch.setattr(ReferenceEngine, "advance", slow)
    ml.train(ml.Config(width=1, steps=20), seeds=1, checkpoints=[20], backend="reference")
    assert sum(count for _, count in spans) == 20
    assert max(count for _, count in spans) <= 8


def test_chunks_of_the_fastest_steps_are_bounded_as_their_schedule_takes_memory(monkeypatch):
    counts = []
    monkeypatch.setattr(ReferenceEngine, "advance", lambda self, first, n: counts.append(n))
    ml.train(ml.Config(width=1, steps=10**8), seeds=1, checkpoints=[10**8], backend="reference")
    assert (sum(counts), max(counts)) == (10**8, CHUNK_STEPS)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("mine", [True, False])
def test_work_that_fails_ends_in_every_thread(mine, error, threads, monkeypatch):
    """Whichever thread a piece fails in, no other piece begins."""
    monkeypatch.setattr("minilotto.hardware.threads.most_threads", lambda: threads)
    meet, begun = threading.Barrier(threads), []

    def run(begin, end):
        begun.append(begin)
        if len(begun) <= threads:  # the first of each thread
            meet.wait(10)
        if (threading.current_thread() is threading.main_thread()) == (mine or threads == 1):
            raise error
        time.sleep(0.5)  # in which the other thread ends, on a busy machine too

    with pytest.raises(error):
        run_works([Work(run, (), 40), Work(run, (), 40)], threads)
    assert len(begun) <= threads


def test_threads_are_kept_within_a_block_and_end_with_it(monkeypatch):
    monkeypatch.setattr("minilotto.hardware.threads.most_threads", lambda: 2)
    before, used = set(threading.enumerate()), set()

    def run(begin, end):
        used.add(threading.current_thread())
        time.sleep(0.01)

    with kept_threads():
        for _ in range(3):
            run_works([Work(run, (), 8)], 2)
        assert len(used) == 2
    assert set(threading.enumerate()) == before


FORK_BESIDE_KEPT_THREADS = """
import os, threading, time
from minilotto.hardware.threads import Work, kept_threads, run_works

def work():
    run_works([Work(lambda begin, end: time.sleep(0.01), (), 8)], 2)

def another():
    with kept_threads():
        work()
        begun.set()
        done.wait()

def child():
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with kept_threads():
        work()
    return threading.active_count() - 1

begun, done = threading.Event(), threading.Event()
thread = threading.Thread(target=another)
thread.start()
begun.wait()
parent = os.getpid()
with kept_threads():
    left = child()
if os.getpid() != parent:
    os._exit(left + threading.active_count() - 1)
done.set()
thread.join()
print(left, threading.active_count())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_threads_end_in_a_child_forked_while_others_are_kept(python):
    ended = python("-c", FORK_BESIDE_KEPT_THREADS, NUMBA_NUM_THREADS="2", PYTHONWARNINGS="ignore")
    assert ended == (0, "0 1\n", "")


def test_work_that_takes_little_is_one_piece():
    work = Work(print, (), 40)
    assert [work.most_pieces(), len([*work.pieces(2)]), len([*work.pieces(1)])] == [40, 8, 1]
    assert work._replace(seconds=1e-6).most_pieces() == 1
    assert work._replace(seconds=PIECE_SECONDS / 10).most_pieces() == 4
    assert work._replace(blocks=0, seconds=1e-6).most_pieces() == 0


@pytest.mark.parametrize("after", [0.0, 0.3])
def test_ctrl_c_at_the_start_is_one_line_and_no_traceback(after, interrupted, tmp_path):
    # The bar shows as soon as the words are understood, while the engine is still being imported.
    said = shlex.split("-m minilotto train --width 2 --steps 10000000 --seeds 100 --out nets.npz")
    status, out, err, seconds = interrupted(said, lambda line: "seed-steps" in line, after=after)
    assert status == 130, err
    assert seconds < PATIENCE
    assert out == ""
    assert "Traceback" not in "\n".join(err)
    assert "interrupted" in err[-1]
    assert list(tmp_path.iterdir()) == []


# Large and wild
def test_a_learning_rate_that_blows_up_is_told(python, tmp_path):
    ended = python(
        "-m",
        "minilotto",
        "train",
        "--width",
        "2",
        "--steps",
        "50",
        "--seeds",
        "40",
        "--lr",
        "5e18",
        "--quiet",
        "--out",
        "nets.npz",
    )
    assert ended.status == 0, ended
    assert ended.err == ""
    nets = ml.load(tmp_path / "nets.npz")
    diverged = int((nets.status == "diverged").sum())
    assert diverged > 0
    assert f"{40 - diverged} ok, {diverged} diverged" in ended.out


# A child's ru_maxrss starts from its parent's on Linux, so the most that its own memory has held is
# read there instead.
PEAK = """
def peak():
    import resource
    from pathlib import Path
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
"""
MILLION = (
    PEAK
    + """
import sys
import minilotto as ml
nets = ml.train(ml.Config(width=2, steps=2), seeds=1_000_000)
print(len(nets), (nets.status == "ok").all(), peak())
"""
)


@pytest.mark.slow
def test_a_million_seeds_take_less_than_a_gigabyte(python):
    ended = python("-c", MILLION)
    assert ended.status == 0, ended
    count, fine, peak = ended.out.split()
    assert (count, fine) == ("1000000", "True")
    assert int(peak) < 10**9


def test_the_memory_check_can_fail(python):
    ended = python("-c", PEAK + "import sys, numpy; numpy.ones(130_000_000); print(peak())")
    assert int(ended.out) > 10**9


@pytest.mark.slow
def test_a_cache_that_an_older_version_wrote_is_replaced(python, tmp_path):
    """Its index may name classes that are gone, which Numba alone would not survive."""
    program = (
        "import minilotto as ml; print(ml.train(ml.Config(width=2, steps=5), seeds=3, "
        "threads=1).loss.tobytes().hex())"
    )
    folder = tmp_path / "kernels"
    first = python("-c", program, NUMBA_CACHE_DIR=str(folder))
    indices = list(folder.rglob("*train_blocks-*.nbi"))
    assert indices
    for index in indices:
        content = index.read_bytes()
        assert b"SpecType" in content
        index.write_bytes(content.replace(b"SpecType", b"GoneType"))
    assert python("-c", program, NUMBA_CACHE_DIR=str(folder)) == first
    assert any(b"SpecType" in index.read_bytes() for index in indices)
