"""`python -m bench.kills --count 10000`: kills, signals and corruptions at random, and nothing may
be lost or silently wrong.

- **Kills.** A sweep of tiny blocks is ended by SIGKILL. The folder must hold whole blocks and
  nothing else under their names, each equal in every byte to that of an uninterrupted sweep; the
  next sweep goes on from there, and a completed folder must equal the uninterrupted one. First, a
  sweep is killed before each of its changes of the disk, and several sweeps share a folder, a new
  one and one that lost its marker and has damaged blocks.
- **Signals.** A train, sweep or figure command gets one to three of SIGINT, SIGTERM and SIGHUP.
  What it had finished must be on disk, all files whole, nothing else beside them, the exit status
  that of a signal that was sent, and at most one line said.
- **Corruptions.** A block or a file of nets is changed, cut, emptied, replaced by a link or by
  another file. Reading it must fail, or give the right nets; `verify` must report it, and the same
  sweep must restore every byte.

Children are forked by processes that have imported and compiled everything; one signal of a
hundred goes to a fresh process, while it imports, trains or ends. Needs Linux.
"""

import json
import mmap
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import minilotto as ml
from bench.command import run_command
from minilotto import signals
from minilotto.cli import commands
from minilotto.store import format as store_format
from minilotto.store.folder import BLOCKS, LOGS, MARKER, QUARANTINE
from minilotto.sweeps import runners
from minilotto.training import loop

STUDY = ml.Sweep(widths=(1, 2, 3), seeds=20, steps=40)
SMALL_STUDY = ml.Sweep(width=1, seeds=10, steps=5)
BLOCK_SEEDS = 8
CHANGES = ("open", "os.mkdir", "os.rename", "os.remove", "os.link")
TRAIN = "train --width 2 --seeds 600 --steps 2000 --quiet --force --out"
SWEEP = "sweep --widths 1,2,3 --seeds 20 --steps 40 --quiet --out"
FIGURE = "figure 2b --quick --seeds 30 --quiet --force --runs"
SENT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 120.0  # seconds, after which a child that got a signal hangs


class Lost(Exception):
    """Something is lost, or wrong without a word."""


def contents(folder: Path) -> dict[str, bytes]:
    """All files but logs and what was put aside, by name."""
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {
        str(name): path.read_bytes()
        for name, path in sorted(found.items())
        if name.parts[0] not in (LOGS, QUARANTINE)
    }


def sweep(folder: Path, study: ml.Sweep = STUDY) -> None:
    """The sweep, one block a batch, without a thread."""
    ml.sweep(study, out=folder, threads=1)


def forked(work: Callable[[], object]) -> int:
    """Do this work in a child, whose exit status is 0 or what the work returns; its process id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = int(work() or 0)  # type: ignore[call-overload]
        except BaseException:
            traceback.print_exc()
            raise
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
        if event in CHANGES and (
            event != "open"
            or (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR))
        ):
            count()

    real = os.fsync
    os.fsync = lambda handle: count() or real(handle)  # type: ignore[func-returns-value]
    sys.addaudithook(hear)
    sweep(folder, SMALL_STUDY)


def together(folder: Path, expected: dict[str, bytes], drivers: int) -> None:
    """Several sweeps into one folder at once, whatever it holds. Raises Lost."""
    children = [forked(lambda: sweep(folder)) for _ in range(drivers)]
    finished = [ended(child) for child in children]
    if not all(finished) or contents(folder) != expected:
        raise Lost(f"{drivers} sweeps at once made another folder than one")
    shutil.rmtree(folder)


def damaged_copy(store: Path, folder: Path, chance: random.Random) -> None:
    """A copy of a store without its marker, and with half of its blocks damaged."""
    shutil.copytree(store, folder, ignore=shutil.ignore_patterns(MARKER))
    names = sorted((folder / BLOCKS).glob("*/*.npz"))
    for one in chance.sample(names, len(names) // 2):
        one.write_bytes(damaged(one.read_bytes(), chance))


class Right:
    """What uninterrupted runs make, and how long they take."""

    def __init__(self, place: Path) -> None:
        sweep(place / "warm")
        self.folder = place / "expected"
        self.seconds = {"sweep": timed(lambda: sweep(self.folder))}
        self.store = contents(self.folder)
        sweep(place / "small", SMALL_STUDY)
        self.small = contents(place / "small")
        self.file = place / "nets.npz"
        self.runs, self.picture = place / "runs", place / "picture.png"
        figure = [*FIGURE.split(), str(self.runs), "--out", str(self.picture), "--threads", "1"]
        train = [*TRAIN.split(), str(self.file), "--threads", "1"]
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            stdout, sys.stdout = sys.stdout, nowhere
            for _ in range(2):  # compiled and imported by the second time
                self.seconds["train"] = timed(lambda: commands.main(train))
                self.seconds["figure"] = timed(lambda: commands.main(figure))
            sys.stdout = stdout
        self.nets, self.drawn = ml.load(self.file), self.picture.read_bytes()
        self.bits = self.file.read_bytes()
        self.configs = ml.open_store(self.folder).configs
        self.ensembles = [ml.open_store(self.folder).ensemble(one) for one in self.configs]


def timed(work: Callable[[], object]) -> float:
    """Seconds of CPU, which do not depend on what else the machine does."""
    began = time.process_time()
    work()
    return time.process_time() - began


def wait_for(child: int, seconds: float) -> None:
    """Wait until a child has taken so many seconds of CPU, or has ended."""
    clock = (~child << 3) | 2  # what clock_getcpuclockid makes of a process on Linux
    limit = time.monotonic() + PATIENCE
    while time.clock_gettime(clock) < seconds and time.monotonic() < limit:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.001)


def same(nets: ml.Ensemble, right: ml.Ensemble) -> bool:
    """Whether these are the first nets of `right`, in every bit."""
    count = len(nets)
    mine, others = nets.per_net(), right.per_net()
    return nets.config == right.config and all(
        np.array_equal(mine[name], others[name][:count], equal_nan=mine[name].dtype.kind == "f")
        for name in mine
    )


class Attacks:
    """Random kills, signals and corruptions, in a place of their own."""

    def __init__(self, place: Path, right: Right, seed: int) -> None:
        self.place, self.right, self.chance = place, right, random.Random(seed)
        self.finished = mmap.mmap(-1, 8)  # shared with children: nets or blocks that are finished
        self.reset()

    def reset(self) -> None:
        """Begin with empty folders and a sound store."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        self.sweeps, self.trained = self.place / "sweeps", self.place / "trained"
        self.damaged, self.before = self.place / "damaged", 0
        self.trained.mkdir()
        shutil.copytree(self.right.folder, self.damaged)

    def kill(self) -> str:
        """SIGKILL at a sweep, which goes on from the last one."""
        child = forked(lambda: sweep(self.sweeps))
        wait_for(child, self.chance.random() * 1.4 * self.right.seconds["sweep"])
        os.kill(child, signal.SIGKILL)
        self._after_sweep(ended(child))
        return "kill"

    def _after_sweep(self, finished: bool, least: int = 0) -> None:
        count = check_between(self.sweeps, self.right.store)
        if count < self.before + least:
            raise Lost(f"{self.before + least} blocks were there, and {count} are left")
        self.before = count
        if finished or self.chance.random() < 0.1:
            if not ended(forked(lambda: sweep(self.sweeps))):
                raise Lost("a sweep failed that was not killed")
            if contents(self.sweeps) != self.right.store:
                raise Lost("the completed folder differs from that of an uninterrupted sweep")
            shutil.rmtree(self.sweeps)
            self.before = 0

    def interrupt(self) -> str:
        """Signals at a command."""
        draw = self.chance.random()
        threads = str(self.chance.choice((1, 2)))
        if draw < 0.5:
            words = [*TRAIN.split(), str(self.trained / "nets.npz"), "--threads", threads]
            status, said = self._signalled("train", words)
            self._check_nets(status, said, int.from_bytes(self.finished[:8], "little"))
        elif draw < 0.98:
            words = [*SWEEP.split(), str(self.sweeps), "--threads", threads]
            status, said = self._signalled("sweep", words)
            self._after_sweep(status == 0, int.from_bytes(self.finished[:8], "little"))
        else:
            picture = self.trained / "picture.png"
            words = [*FIGURE.split(), str(self.right.runs), "--out", str(picture)]
            status, said = self._signalled("figure", [*words, "--threads", "1"])
            self._check_files("picture.png", status)
            if picture.exists() and picture.read_bytes() != self.right.drawn:
                raise Lost("the picture is not whole")
            picture.unlink(missing_ok=True)
        return "signal"

    def _check_files(self, name: str, status: int) -> None:
        found = sorted(path.name for path in self.trained.iterdir())
        if found not in ([], [name]) or (status == 0 and not found):
            raise Lost(f"exit status {status} left the files {found}")

    def _check_nets(self, status: int, said: str, finished: int) -> None:
        self._check_files("nets.npz", status)
        file = self.trained / "nets.npz"
        nets = ml.load(file) if file.exists() else None
        count = 0 if nets is None else len(nets)
        file.unlink(missing_ok=True)
        if count < finished or (status == 0 and count < len(self.right.nets)):
            raise Lost(f"{finished} nets were finished, {count} are kept, exit status {status}")
        if nets is not None and not same(nets, self.right.nets):
            raise Lost("the nets that are kept are not those of an uninterrupted training")
        if status and not (said or nets is not None):
            raise Lost("nothing was said of the interruption")

    def _signalled(self, kind: str, words: list[str]) -> tuple[int, str]:
        """Exit status and stderr of a command that is sent signals. Raises Lost."""
        said = self.place / "stderr"
        self.finished[:8] = bytes(8)
        fresh = kind == "train" and self.chance.random() < 0.02
        if fresh:
            with said.open("wb") as errors:
                process = subprocess.Popen(
                    [sys.executable, "-m", "minilotto", *words],
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                )
            child = process.pid
            while not catches(child, signal.SIGHUP):  # until then, signals are Python's affair
                time.sleep(0.001)
        else:
            ready, begun = os.pipe()
            child = forked(lambda: self._command(words, said, begun))
            os.close(begun)
            os.read(ready, 1)
            os.close(ready)
        wait_for(child, self.chance.random() * (1.4 * self.right.seconds[kind] + 1.5 * fresh))
        sent = self.chance.choices(SENT, (3, 2, 1), k=self.chance.choice((1, 2, 3)))
        for number in sent:
            os.kill(child, number)
            time.sleep(10 ** self.chance.uniform(-5.0, -0.7))
        limit = time.monotonic() + PATIENCE
        while (result := os.waitpid(child, os.WNOHANG))[0] == 0:
            if time.monotonic() > limit:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise Lost(f"{kind} does not end after {sent}")
            time.sleep(0.002)
        if fresh:
            process.returncode = os.waitstatus_to_exitcode(result[1])
        status, lines = os.waitstatus_to_exitcode(result[1]), said.read_text(encoding="utf-8")
        if status not in (0, *(128 + number for number in sent)):
            raise Lost(f"{kind} ended with status {status} after {sent}: {lines}")
        if len(lines.splitlines()) > 1 or (kind == "sweep" and bool(lines) != bool(status)):
            raise Lost(f"{kind} ended with status {status} and said: {lines}")
        return status, lines

    def _command(self, words: list[str], said: Path, begun: int) -> int:
        """What `python -m minilotto` does, and counts what it has finished."""
        real, lock = loop._Record.finish, threading.Lock()

        def finish(record: Any, batch: slice, engine: Any) -> None:
            real(record, batch, engine)
            with lock:
                count = int.from_bytes(self.finished[:8], "little")
                more = batch.stop - batch.start if words[0] == "train" else 1
                self.finished[:8] = (count + more).to_bytes(8, "little")

        loop._Record.finish = finish  # type: ignore[method-assign]
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        signals.own_process()
        os.write(begun, b".")
        status = commands.main(words)
        signals.done()
        return status

    def corrupt(self) -> str:
        """Damage to a block, or to a file of nets."""
        if self.chance.random() < 0.2:
            self._corrupt_file()
        else:
            self._corrupt_block()
        return "corruption"

    def _corrupt_file(self) -> None:
        file = self.place / "damaged.npz"
        file.write_bytes(damaged(self.right.bits, self.chance))
        try:
            nets = ml.load(file)
        except ml.FileError:
            return
        if len(nets) != len(self.right.nets) or not same(nets, self.right.nets):
            raise Lost("a damaged file of nets was read")

    def _corrupt_block(self) -> None:
        folder, chance = self.damaged / BLOCKS, self.chance
        one, other = chance.sample(sorted(folder.glob("*/*.npz")), 2)
        kind = chance.choice(
            ("bytes", "bytes", "copy", "swap", "link", "nowhere", "loop", "folder")
        )
        content = one.read_bytes()
        if kind == "bytes":
            one.write_bytes(damaged(content, chance))
        elif kind in ("copy", "swap"):
            one.write_bytes(other.read_bytes())
            if kind == "swap":
                other.write_bytes(content)
        else:
            one.unlink()
            if kind == "folder":
                one.mkdir()
            else:
                one.symlink_to({"link": other, "nowhere": "nowhere", "loop": one.name}[kind])
        store = ml.open_store(self.damaged)
        what = f"{kind} in place of {one.name}"
        for config, right in zip(self.right.configs, self.right.ensembles, strict=True):
            try:
                nets = store.ensemble(config)
            except ml.FileError:
                continue
            if len(nets) != len(right) or not same(nets, right):
                raise Lost(f"{what}: other nets were read")
        if store.verify().passed:
            raise Lost(f"{what}: verify passed")
        ml.sweep(STUDY, out=self.damaged, threads=1)
        if contents(self.damaged) != self.right.store or one.is_symlink():
            raise Lost(f"{what}: the same sweep did not restore the folder")
        if not store.verify().passed:
            raise Lost(f"{what}: verify failed after the sweep")
        shutil.rmtree(self.damaged / QUARANTINE)
        shutil.rmtree(self.damaged / LOGS)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Other bytes than these: some changed, some zero, cut, nothing, or more of them."""
    at = chance.randrange(len(content))
    stop = min(len(content), at + chance.choice((1, 8, 512)))
    part = content[at:stop]
    changed = bytes(byte ^ chance.randrange(1, 256) for byte in part)
    return chance.choice(
        (
            content[:at] + changed + content[stop:],
            content[:at] + changed[:1] + content[at + 1 :],
            content[:at] + bytes(len(part)) + content[stop:] if any(part) else content[:at],
            content[:at],
            content[:at] + content[stop:],
            content + part,
            b"",
        )
    )


def catches(process: int, number: int) -> bool:
    """Whether a process of this Linux has a handler for a signal, or has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return True
    caught = next((line for line in lines if line.startswith("SigCgt")), "SigCgt: 0")
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1) or "State:\tZ (zombie)" in lines


def drive(attacks: Attacks, count: int, pipe: int) -> None:
    """So many attacks; each is told to the pipe as a line of JSON."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Drawn first: how many numbers an attack draws depends on when it strikes.
    kinds = attacks.chance.choices(
        (attacks.kill, attacks.interrupt, attacks.corrupt), (3, 3, 4), k=count
    )
    for attack in kinds:
        found = {"kind": attack.__name__, "lost": ""}
        try:
            attack()
        except Exception as error:
            found["lost"] = f"{type(error).__name__}: {error}"
            attacks.reset()
        os.write(pipe, (json.dumps(found) + "\n").encode())


def main(*, count: int = 10_000, seed: int = 1, processes: int = 2) -> int:
    """Kill, interrupt, damage, and print what came of it as a line of JSON. Exit status 1 where
    anything was lost or silently wrong.

    --count 10000   kills, signals and corruptions in all
    --seed 1        of the choice of what happens when
    --processes 2   that do so side by side
    """
    from tqdm import tqdm

    warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)  # no thread of ours runs then
    store_format.BLOCK_SEEDS, runners.BATCH_SECONDS, loop.BATCH_SECONDS = BLOCK_SEEDS, 0.0, 1e-9
    began = time.monotonic()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # where fsync costs nothing
    counts: Counter[str] = Counter()
    lost = 0
    with tempfile.TemporaryDirectory(dir=memory) as name:
        place = Path(name)
        right = Right(place)
        try:
            steps = at_each_step(place / "steps", right.small)
            for drivers in (2, 3, 4):
                together(place / "together", right.store, drivers)
                damaged_copy(right.folder, place / "together", random.Random(drivers))
                together(place / "together", right.store, drivers)
        except Lost as error:
            print(f"LOST: {error}", file=sys.stderr)
            return 1
        reading, writing = os.pipe()
        drivers_of = [count // processes + (i < count % processes) for i in range(processes)]
        for i, part in enumerate(drivers_of):
            attacks = Attacks(place / str(i), right, 1000 * seed + i)
            forked(lambda attacks=attacks, part=part: drive(attacks, part, writing))  # type: ignore[misc]
        os.close(writing)
        with open(reading, encoding="utf-8") as lines, tqdm(total=count, unit=" attacks") as bar:
            for line in lines:
                found = json.loads(line)
                counts[found["kind"]] += 1
                bar.update()
                if found["lost"]:
                    lost += 1
                    bar.write(f"LOST: {found['kind']}: {found['lost']}", file=sys.stderr)
    results = {
        "kills": counts["kill"],
        "signals": counts["interrupt"],
        "corruptions": counts["corrupt"],
        "steps": steps,
        "lost or silently wrong": lost,
        "minutes": round((time.monotonic() - began) / 60, 1),
    }
    print(json.dumps(results))
    return 0 if lost == 0 and sum(counts.values()) == count else 1


if __name__ == "__main__":
    sys.exit(run_command(main, "bench.kills"))
