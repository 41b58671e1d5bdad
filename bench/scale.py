"""What a sweep of 10^9 networks would take: a model of its cost, and the parts of the model that
one machine can measure.

`python -m bench.scale` prints the model; `python -m bench.scale --measure
resume,listing,scheduler,overhead,cluster` measures. The networks are the paper's, one of nine
widths each.
"""

import dataclasses
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import minilotto as ml
from bench.command import chosen_of, run_command
from minilotto.errors import imported
from minilotto.store import blocks
from minilotto.store import format as store_format
from minilotto.store.blocks import Block
from minilotto.store.store import Store, make_store

WIDTHS = (1, 2, 3, 4, 10, 20, 30, 40, 50)
HASHED_BYTES_PER_SECOND = 0.8e9  # of one core, by `measure_reading`
SECTIONS = ("model", "resume", "listing", "scheduler", "overhead", "cluster")


def model(nets: int, cores: Sequence[int]) -> list[str]:
    """Lines of text: units, time, tasks, bytes, scheduler load, for so many networks, evenly over
    WIDTHS.
    """
    configs = ml.Sweep(widths=WIDTHS).configs
    each = nets / len(configs)
    seconds = [store_format.seconds_per_seed(config) for config in configs]
    size = [store_format.bytes_per_seed(config) for config in configs]
    count = [each / store_format.block_size(config) for config in configs]
    units = sum(each * config.width * config.points * config.steps for config in configs)
    work, disk, tasks = each * sum(seconds), each * sum(size), sum(count)
    longest = max(
        store_format.block_size(config) * one for config, one in zip(configs, seconds, strict=True)
    )
    lines = [
        f"{nets:.0e} networks, {len(configs)} widths: {units:.2g} units on every point, "
        f"{work / 3600:.3g} core hours by the model",
        f"{tasks:.3g} blocks, {min(count):.3g} to {max(count):.3g} a width; {work / tasks:.3g} "
        "core seconds each on average, "
        f"{longest:.3g} at most; {disk / 1e12:.3g} TB, {disk / tasks / 1e6:.3g} MB a block",
        f"{'cores':>8}{'hours':>10}{'blocks/s':>10}{'MB/s':>8}",
    ]
    for number in cores:
        hours = work / number / 3600
        lines.append(
            f"{number:8}{hours:10.3g}{tasks / hours / 3600:10.3g}{disk / hours / 3600 / 1e6:8.3g}"
        )
    lines.append(
        f"resume: {disk / HASHED_BYTES_PER_SECOND / 3600:.2g} core hours to check every seal "
        "(check='full'), "
        f"{100 * disk / HASHED_BYTES_PER_SECOND / work:.2g} percent of the training; names and "
        "ends alone with check='quick'"
    )
    return lines


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the wall and of CPU, of this process and its children that have ended."""

    def cpu() -> float:
        usages = [
            resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        return sum(one.ru_utime + one.ru_stime for one in usages)

    began, before = time.perf_counter(), cpu()
    work()
    return time.perf_counter() - began, cpu() - before


def filled(folder: Path, count: int, seeds: int, whole: bool = True) -> tuple[Store, ml.Sweep]:
    """A finished store of `count` blocks over ten configs; names without contents where not
    `whole`.
    """
    sweep = ml.Sweep(width=2, steps=40, root_seeds=range(10), seeds=seeds * (count // 10))
    store = make_store(folder)
    store.keep_study((sweep,))
    for config in sweep.configs:
        nets = ml.train(config, seeds=seeds, threads=1)
        (store.blocks / config.key).mkdir()
        for i in range(count // 10):
            block = Block(config, i * seeds, (i + 1) * seeds)
            content = b""
            if whole:
                content = blocks.sealed_bytes(
                    block, dataclasses.replace(nets, seeds=np.arange(block.first, block.stop))
                )
            (store.blocks / block.name).write_bytes(content)
    return store, sweep


def measure_resume(count: int) -> list[str]:
    """The command on a finished store of `count` blocks, from start to the end of its table; and
    `status`.
    """
    with tempfile.TemporaryDirectory() as place:
        filled(Path(place) / "runs", count, 4)
        words = [
            "--width",
            "2",
            "--steps",
            "40",
            "--root_seeds",
            ",".join(map(str, range(10))),
            "--seeds",
            str(4 * (count // 10)),
        ]
        commands = {
            "sweep": ["sweep", *words, "--out", f"{place}/runs", "--quiet"],
            "status": ["status", f"{place}/runs"],
        }
        lines = []
        for name, command in commands.items():
            run = [sys.executable, "-m", "minilotto", *command]
            wall, cpu = timed(
                lambda run=run: subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
            )  # type: ignore[misc]
            lines.append(
                f"{name} on a finished store of {count} blocks: {wall:.2f} s ({cpu:.2f} s of CPU)"
            )
        return lines


def measure_listing(count: int) -> list[str]:
    """What is there and what is missing, by names, in a store of `count` blocks."""
    with tempfile.TemporaryDirectory() as place:
        store, sweep = filled(Path(place) / "runs", count, 4, whole=False)
        wall, cpu = timed(lambda: store.missing_runs((sweep,)))
        return [
            f"what is missing of {count} blocks: {wall:.2f} s ({cpu:.2f} s of CPU), "
            f"{1e6 * wall / count:.1f} us a block"
        ]


def measure_scheduler(count: int) -> list[str]:
    """Blocks that are there already, through two Dask workers: what remains is scheduler, driver
    and a look at a file.
    """
    from minilotto.sweeps.dask_cluster import connected
    from minilotto.sweeps.runners import ExecutorRunner, Log
    from minilotto.training.progress import SweepBar

    with tempfile.TemporaryDirectory() as place, connected("local:2") as executor:
        store, sweep = filled(Path(place) / "runs", count, 4)
        todo = [
            Block(config, *one.run) for config in sweep.configs for one in store.stored(config.key)
        ]
        for part in (todo[:50], todo):  # the first ones import minilotto in the workers
            bar, log = SweepBar(False, 1.0, 1), Log(store.folder)
            driver = ExecutorRunner(store, bar, log, 1, "auto", executor)
            wall, _ = timed(lambda part=part, driver=driver: driver.run(part))  # type: ignore[misc]
        return [
            f"scheduler, driver and worker: {1e3 * wall / count:.2f} ms a block, "
            f"{count / wall:.0f} blocks/s over {count} blocks"
        ]


def measure_overhead(seeds: int, rounds: int) -> list[str]:
    """The paper's nine widths by `train`, one after the other, and by `sweep`, in turns."""
    sweep = ml.Sweep(widths=WIDTHS, seeds=seeds)
    for config in sweep.configs:
        ml.train(config.replace(steps=10), seeds=64)
    alone, swept = [], []
    for _ in range(rounds):
        alone.append(timed(lambda: [ml.train(config, seeds=seeds) for config in sweep.configs]))
        with tempfile.TemporaryDirectory() as place:
            swept.append(timed(lambda place=place: ml.sweep(sweep, out=Path(place) / "runs")))  # type: ignore[misc]
    ratios = np.array(swept) / np.array(alone)
    wall, cpu = np.median(ratios, axis=0)
    return [
        f"nine widths, {seeds} seeds each: train {np.median(alone, axis=0)[0]:.1f} s, sweep "
        f"{np.median(swept, axis=0)[0]:.1f} s; "
        f"sweep / train = {wall:.3f} on the wall, {cpu:.3f} of CPU (median of {rounds} rounds)"
    ]


def measure_cluster(seeds: int, rounds: int) -> list[str]:
    """The paper's nine widths in this process and by two workers on it, in turns."""
    sweep = ml.Sweep(widths=WIDTHS, seeds=seeds)
    here, local = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            here.append(
                timed(lambda place=place: ml.sweep(sweep, out=Path(place) / "here", threads=2))
            )  # type: ignore[misc]
            local.append(
                timed(
                    lambda place=place: ml.sweep(
                        sweep, out=Path(place) / "local", cluster="local:2"
                    )
                )
            )  # type: ignore[misc]
    ratios = np.array(local) / np.array(here)
    wall, cpu = np.median(ratios, axis=0)
    took, local_took = (float(np.median(found, axis=0)[0]) for found in (here, local))
    return [
        f"nine widths, {seeds} seeds each: in process {took:.1f} s, local:2 {local_took:.1f} s "
        f"with its start included; ratio {wall:.3f} on the wall, {cpu:.3f} of CPU (median of "
        f"{rounds} rounds)"
    ]


def main(
    *, measure: list[str] | None = None, nets: float = 1e9, seeds: int = 1000, rounds: int = 1
) -> None:
    """Print the model, or measure. `measure`: some of model (the default), resume, listing,
    scheduler, overhead, cluster.
    """
    chosen = chosen_of("measure", measure or ["model"], SECTIONS)
    if {"scheduler", "cluster"} & set(chosen):
        imported("distributed", "dask")
    sections: dict[str, Callable[[], list[str]]] = {
        "model": lambda: model(int(nets), (2, 64, 1024, 16384)),
        "resume": lambda: measure_resume(10_000),
        "listing": lambda: measure_listing(100_000),
        "scheduler": lambda: measure_scheduler(2000),
        "overhead": lambda: measure_overhead(seeds, rounds),
        "cluster": lambda: measure_cluster(seeds, rounds),
    }
    for name in SECTIONS:
        if name in chosen:
            print("\n".join(sections[name]()), flush=True)


if __name__ == "__main__":
    sys.exit(run_command(main, "bench.scale"))
