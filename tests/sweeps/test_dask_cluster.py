"""Sweeps through Dask distributed: the same blocks, whatever dies."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from stores import files_in

import minilotto as ml
from minilotto.cli import commands
from minilotto.sweeps import dask_cluster
from minilotto.sweeps.runners import Log

distributed = pytest.importorskip("distributed", reason="needs the extra dask")

STUDY = ml.Sweep(widths=(1, 2), seeds=64, steps=20_000)
HERE = Path(__file__).parent
# Dask's own warnings about slow or busy machines are not ours to mend.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore:.*:UserWarning:distributed", "ignore::DeprecationWarning:distributed"
    ),
]


@pytest.fixture(autouse=True)
def _sixteen_seeds_a_block(small_blocks, monkeypatch):
    folders = (Path(ml.__file__).parent.parent, HERE, HERE.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, folders)))
    return small_blocks(16)


def blocks_in(folder: Path) -> dict[str, bytes]:
    return {
        name: content
        for name, content in files_in(folder).items()
        if name.endswith(".npz") and "/." not in name
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> dict[str, bytes]:
    """The files of STUDY, trained here."""
    from minilotto.store import format as store_format

    folder = tmp_path_factory.mktemp("expected") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_format, "BLOCK_SEEDS", 16)
        ml.sweep(STUDY, out=folder)
    return files_in(folder)


@pytest.fixture
def at_second_block(monkeypatch):
    """Makes this process's sweep call something with the worker of its second block, at once: who
    waits for blocks to appear may find them all.
    """

    def call(act) -> None:
        real, workers = Log.write, []

        def write(log, event, **facts):
            real(log, event, **facts)
            if event == "block":
                workers.append(facts["process"])
                if len(workers) == 2:
                    act(workers[1])

        monkeypatch.setattr(Log, "write", write)

    return call


def wait_for(condition, seconds: float = 600.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_local_workers_write_the_same_blocks_though_one_is_killed_in_mid_block(
    tmp_path, expected, at_second_block
):
    killed = []

    def kill(worker):
        os.kill(worker, signal.SIGKILL)
        killed.append(worker)

    at_second_block(kill)
    store = ml.sweep(STUDY, out=tmp_path / "runs", cluster="local:2")
    assert len(killed) == 1
    ml.sweep(STUDY, out=store.folder)  # removes what was being written where it died in that moment
    assert files_in(store.folder) == expected


def deadly(x):
    """A target that ends every process that learns it, but the first one."""
    if os.environ.get("DRIVER") != str(os.getpid()):
        os.kill(os.getpid(), signal.SIGKILL)
    return x[:, 0]


def test_a_block_that_always_kills_its_worker_is_one_failure_and_the_rest_completes(
    tmp_path, expected, monkeypatch
):
    monkeypatch.setenv("DRIVER", str(os.getpid()))
    monkeypatch.setitem(ml.TASKS, "deadly", ml.Task("deadly", "x", "x", deadly))
    poison = ml.Sweep(width=1, task="deadly", steps=5, seeds=3)
    with pytest.raises(
        ml.SweepError, match=r"1 of 9 blocks failed.*task='deadly'.*KilledWorker"
    ) as error:
        ml.sweep([STUDY, poison], out=tmp_path / "runs", cluster="local:2")
    assert len(error.value.failures) == 1
    assert blocks_in(tmp_path / "runs") == {
        name: content for name, content in expected.items() if name.endswith(".npz")
    }


def test_a_worker_that_dask_does_not_start_again_is_replaced(monkeypatch):
    import dask

    monkeypatch.setattr(dask_cluster, "REPLACE_SECONDS", 0.5)

    async def nothing(nanny, status):
        """What Dask does where a worker dies while it starts."""

    monkeypatch.setattr(distributed.Nanny, "_on_worker_exit", nothing)
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}),
        dask_cluster.connected("local:1") as executor,
    ):
        first = executor.submit(os.getpid).result(timeout=600)
        os.kill(first, signal.SIGKILL)
        assert executor.submit(os.getpid).result(timeout=600) not in (first, os.getpid())


def test_a_task_of_ones_own_goes_along(tmp_path, monkeypatch):
    monkeypatch.setitem(
        ml.TASKS, "saw", ml.Task("saw", "|x|", "|x|", lambda x: abs(x[:, 0]), kinks=(0.0,))
    )
    sweep = ml.Sweep(width=1, task="saw", steps=40, seeds=80)
    store = ml.sweep(sweep, out=tmp_path / "runs", cluster="local:1")
    assert (
        store.ensemble(sweep.configs[0]).loss.tolist()
        == ml.train(sweep.configs[0], seeds=80).loss.tolist()
    )


DRIVER = """
import os, signal, sys
import minilotto as ml
from minilotto.store import format
from minilotto.sweeps import runners

if __name__ == "__main__":
    format.BLOCK_SEEDS = 16
    runners.WINDOW = 2  # so that the others are not under way
    real, blocks = runners.Log.write, []
    def write(log, event, **facts):
        real(log, event, **facts)
        blocks.extend([1] * (event == "block"))
        if len(blocks) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    runners.Log.write = write
    ml.sweep(ml.Sweep(widths=(1, 2), seeds=64, steps=20_000), out=sys.argv[1], cluster=sys.argv[2])
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="needs Linux's /proc to see which processes are left"
)
def test_a_driver_killed_in_mid_run_leaves_whole_blocks_and_no_workers(
    tmp_path, expected, child_environment
):
    words = [sys.executable, "-c", DRIVER, str(tmp_path / "runs"), "local:2"]
    driver = subprocess.run(words, env=child_environment(), timeout=600)
    assert driver.returncode == -signal.SIGKILL
    (log,) = (tmp_path / "runs" / "logs").iterdir()
    pids = {int(process) for process in re.findall(r'"process": (\d+)', log.read_text())}
    assert pids
    assert wait_for(lambda: not any(alive(pid) for pid in pids))
    kept = blocks_in(tmp_path / "runs")
    assert 2 <= len(kept) < 8
    assert kept.items() <= expected.items()
    assert files_in(ml.sweep(STUDY, out=tmp_path / "runs").folder) == expected


@contextmanager
def scheduler(environment, workers: int, gpus: int = 0):
    """The address of a scheduler in a process of its own, with workers, some of them with a
    simulated GPU; and that process.
    """
    base = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    command = [*base, *options, "--scheduler-file", "scheduler.json"]
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    others = []
    try:
        address = next(
            found[1]
            for line in child.stderr
            if (found := re.search(r"Scheduler at:\s+(tcp://\S+)", line))
        )
        threading.Thread(target=child.stderr.read, daemon=True).start()
        options = [address, "--nthreads", "1", "--no-dashboard"]
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", *options]
        kinds = [(worker, environment)] * workers
        kinds += [
            ([*worker, "--resources", "GPU=1"], {**environment, "NUMBA_ENABLE_CUDASIM": "1"})
        ] * gpus
        for command, variables in kinds:
            others.append(
                subprocess.Popen(
                    command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
        with distributed.Client(address) as client:
            client.wait_for_workers(workers + gpus)
        yield address, child
    finally:
        for process in (*others, child):
            process.terminate()
        for process in (*others, child):
            process.wait(timeout=600)
        child.stderr.close()


def test_a_scheduler_that_is_there_already_is_used_and_its_end_is_told(
    tmp_path, expected, child_environment, monkeypatch, capsys, at_second_block
):
    monkeypatch.chdir(tmp_path)
    with scheduler(child_environment(), workers=1) as (address, process):
        words = (
            f"sweep --widths 1,2 --seeds 64 --steps 20000 --quiet --out {tmp_path}/runs "
            f"--cluster {address}"
        )
        assert commands.main(words.split()) == 0
        capsys.readouterr()
        assert files_in(tmp_path / "runs") == expected
        at_second_block(lambda _: process.kill())
        with pytest.raises(ml.ResourceError, match="same sweep goes on") as error:
            ml.sweep(
                ml.Sweep(widths=(1, 2, 3), seeds=128, steps=20_000),
                out=tmp_path / "runs",
                cluster=address,
            )
    assert len(str(error.value).splitlines()) == 1
    assert expected.items() <= {**files_in(tmp_path / "runs")}.items()


def test_nobody_at_the_address_is_one_line(monkeypatch, tmp_path):
    from minilotto.sweeps import dask_cluster

    monkeypatch.setattr(dask_cluster, "CONNECT_SECONDS", 0.5)
    with pytest.raises(ml.ResourceError, match="does not answer") as error:
        ml.sweep(STUDY, out=tmp_path / "runs", cluster="tcp://127.0.0.1:9")
    assert len(str(error.value).splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_without_dask_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ml.MissingExtraError, match=r'pip install -e "\.\[dask\]"'):
        ml.sweep(STUDY, out=tmp_path / "runs", cluster="local:2")
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(
    importlib.util.find_spec("numba.cuda") is None, reason="Numba has no simulator here"
)
def test_blocks_for_a_gpu_go_to_workers_that_have_one(tmp_path, child_environment):
    study, folder = ml.Sweep(width=1, seeds=3, steps=2, points=4), tmp_path / "runs"
    with (
        scheduler(child_environment(), workers=1) as (address, _),
        pytest.raises(ml.ResourceError, match=r"none of tcp://.* 1 workers has a GPU"),
    ):
        ml.sweep(study, out=folder, cluster=address, backend="cuda")
    with scheduler(child_environment(), workers=1, gpus=1) as (address, _):
        store = ml.sweep(study, out=folder, cluster=address, backend="cuda")
    assert store.ensemble(study.configs[0]).engine == "cuda"
    with pytest.raises(ml.ConfigError, match=r"local:2.*give local:1"):
        ml.sweep(study, out=folder, cluster="local:2", backend="cuda")
