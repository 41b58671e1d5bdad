"""`python -m bench.kills --kills 1000`: SIGKILL at random times, or at each step of the writing,
and nothing may be lost.

A process that has its kernels forks a child, which sweeps tiny blocks into a folder; the child is
killed, and the folder must hold whole blocks and nothing else under their names, each equal in
every byte to that of an uninterrupted sweep. Sweeps go on where the last one was killed until they
are complete; then the whole folder must equal the uninterrupted one, and a new one is begun.
"""

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import minilotto as ml
from minilotto.store import format as store_format
from minilotto.store.folder import LOGS
from minilotto.sweeps import runners

STUDY = ml.Sweep(widths=(1, 2, 3), seeds=20, steps=40)
SMALL_STUDY = ml.Sweep(width=1, seeds=10, steps=5)
BLOCK_SEEDS = 8
EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.link")


class Lost(Exception):
    """Something that was in the folder is not what it should be."""


def contents(folder: Path) -> dict[str, bytes]:
    """All files but logs, by name."""
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {
        str(name): path.read_bytes()
        for name, path in sorted(found.items())
        if name.parts[0] not in (LOGS,)
    }


def sweep(folder: Path, study: ml.Sweep = STUDY) -> None:
    """The sweep, one block a batch, without a thread."""
    ml.sweep(study, out=folder, threads=1)


def forked(work: Callable[[], None]) -> int:
    """Do this work in a child; its process id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def ended(child: int) -> bool:
    """Whether the child came to its end by itself. Raises Lost where it failed."""
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise Lost("a sweep failed instead of being killed")
    return os.WIFEXITED(status)


def check_between(folder: Path, expected: dict[str, bytes]) -> int:
    """Of a folder after a kill: every name that counts holds all of its bytes. Returns the number
    of blocks. Raises Lost.
    """
    found = 0
    for name, content in contents(folder).items() if folder.exists() else ():
        if Path(name).name.startswith("."):
            continue  # a fragment, which is not counted
        if content != expected.get(name):
            raise Lost(f"{name} is not what an uninterrupted sweep writes")
        found += name.endswith(".npz")
    return found


def at_random(
    folder: Path, expected: dict[str, bytes], seconds: float, kills: int, chance: random.Random
) -> tuple[int, int]:
    """Kill `kills` sweeps at random times; (sweeps that were completed, blocks that survived a
    kill).
    """
    complete = survived = done = 0
    before = 0
    while done < kills:
        child = forked(lambda: sweep(folder))
        time.sleep(chance.random() * seconds)
        os.kill(child, signal.SIGKILL)
        finished = ended(child)
        done += not finished
        count = check_between(folder, expected)
        if count < before:
            raise Lost(f"{before} blocks were there, and {count} are left")
        survived, before = survived + count, count
        if finished or chance.random() < 0.1:
            if not ended(forked(lambda: sweep(folder))):
                raise Lost("a sweep failed that was not killed")
            if contents(folder) != expected:
                raise Lost("the completed folder differs from that of an uninterrupted sweep")
            shutil.rmtree(folder)
            complete, before = complete + 1, 0
    return complete, survived


def at_each_step(folder: Path, expected: dict[str, bytes]) -> int:
    """Kill a sweep before its first change of the disk, the next one before its second, and so on;
    the number of steps.
    """
    step = 0
    while True:
        step += 1
        child = forked(lambda step=step: stopped_before(step, folder))  # type: ignore[misc]
        finished = ended(child)
        check_between(folder, expected)
        if not ended(forked(lambda: sweep(folder, SMALL_STUDY))) or contents(folder) != expected:
            raise Lost(f"killed before step {step}, the sweep did not go on to the same folder")
        shutil.rmtree(folder)
        if finished:
            return step - 1


def stopped_before(step: int, folder: Path) -> None:
    """Sweep, and die by SIGKILL before the change of the disk with that number."""
    left = [step]

    def count() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(event: str, arguments: tuple) -> None:
        if event in EVENTS and (
            event != "open"
            or (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR))
        ):
            count()

    real = os.fsync
    os.fsync = lambda handle: count() or real(handle)  # type: ignore[func-returns-value]
    sys.addaudithook(hear)
    sweep(folder, SMALL_STUDY)


def together(folder: Path, expected: dict[str, bytes], drivers: int) -> None:
    """Several sweeps into one folder at once. Raises Lost."""
    children = [forked(lambda: sweep(folder)) for _ in range(drivers)]
    finished = [ended(child) for child in children]
    if not all(finished) or contents(folder) != expected:
        raise Lost(f"{drivers} sweeps at once made another folder than one")
    shutil.rmtree(folder)


def main(*, kills: int = 1000, seed: int = 1) -> int:
    """Kill, check, and print what came of it as a line of JSON. Exit status 1 where anything was
    lost.
    """
    store_format.BLOCK_SEEDS, runners.BATCH_SECONDS = BLOCK_SEEDS, 0.0
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # where fsync costs nothing
    with tempfile.TemporaryDirectory(dir=memory) as place:
        sweep(Path(place) / "warm")
        sweep(Path(place) / "small", SMALL_STUDY)
        began = time.perf_counter()
        sweep(Path(place) / "expected")
        seconds = time.perf_counter() - began
        expected, small = contents(Path(place) / "expected"), contents(Path(place) / "small")
        try:
            steps = at_each_step(Path(place) / "runs", small)
            for drivers in (2, 3, 4):
                together(Path(place) / "runs", expected, drivers)
            complete, survived = at_random(
                Path(place) / "runs", expected, 1.2 * seconds, kills, random.Random(seed)
            )
        except Lost as error:
            print(f"LOST: {error}", file=sys.stderr)
            return 1
    results = {
        "steps": steps,
        "kills": kills,
        "completed": complete,
        "blocks that survived a kill": survived,
        "lost": 0,
    }
    print(json.dumps({**results, "seconds of a sweep": round(seconds, 3)}))
    return 0


if __name__ == "__main__":
    import fire

    sys.exit(fire.Fire(main, serialize=lambda result: None))
