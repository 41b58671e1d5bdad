"""`python -m bench`: check that everyone computes the same, then time. See `python -m bench
--help`.
"""

import importlib
import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.command import FAILURE, Plan, chosen_of, run_command
from minilotto.errors import MissingExtraError
from minilotto.files import check_output, write_bytes
from minilotto.hardware.machine import cpu_name, usable_cores

WIDTHS, QUICK_WIDTHS = (1, 2, 3, 4, 10, 20, 50), (2, 20)
PEERS = ("jax", "torch")
SECTIONS = ("speed", "cost", "start")
SUFFIXES = (".json", ".md", ".txt")


class Chosen(NamedTuple):
    """What to run."""

    quick: bool
    widths: Sequence[int]
    peers: Sequence[str]
    sections: Sequence[str]
    seeds: int
    out: Sequence[Path]


def plan(
    *,
    quick: bool = False,
    widths: list[int] | None = None,
    peers: list[str] | None = None,
    sections: list[str] | None = None,
    seeds: int = 1000,
    out: list[str] | None = None,
    force: bool = False,
) -> Plan:
    """Check that minilotto, JAX and torch compute the same, then time them and print tables.

    Args:
        quick: fewer widths and rounds, about a minute instead of five
        widths: numbers of neurons, such as 2,10,20,50
        peers: whom to compare with: jax,torch or one of them or none
        sections: which parts to run: speed (against the peers), cost (in vector FMAs), start
            (import to first step, memory)
        seeds: networks trained at once in the speed section
        out: files to write beside the printed tables, such as bench.json,bench.md
        force: overwrite files that exist
    """
    chosen = Chosen(
        quick,
        widths or (QUICK_WIDTHS if quick else WIDTHS),
        () if peers == ["none"] else chosen_of("peers", peers, PEERS),
        chosen_of("sections", sections, SECTIONS),
        seeds,
        [check_output(name, SUFFIXES, force) for name in out or ()],
    )
    return Plan(lambda: run(chosen))


def tell(line: str) -> None:
    """A line of progress, on stderr."""
    print(f"[{time.perf_counter() - BEGAN:6.1f} s] {line}", file=sys.stderr, flush=True)


BEGAN = time.perf_counter()


def prepare_process(threads: int) -> None:
    """Give every library the same cores. Must run before any of them is imported, for they look
    once.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ["JAX_PLATFORMS"] = "cpu"
    # The full vector width, where by default XLA takes half of AVX-512's.
    os.environ["XLA_FLAGS"] = (
        f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_prefer_vector_width=512".strip()
    )


def peers_of(names: Sequence[str], threads: int) -> list[Any]:
    """The modules of these peers; a peer that is not installed is named and left out."""
    modules = []
    for name in names:
        try:
            module = importlib.import_module(f"bench.{name}_peer")
        except MissingExtraError as error:
            tell(f"{name} is left out: {error}")
            continue
        module.prepare(threads)
        modules.append(module)
    return modules


def checked(work: Any, contestants: list[Any]) -> list[Any]:
    """The contestants that run here, all of which agree. Raises Disagreement."""
    from bench.agreement import check_gradient, check_training

    running = []
    for one in contestants:
        try:
            worst = check_gradient(one, work), check_training(one, work)
        except RuntimeError as error:  # such as torch.compile without a C++ compiler
            tell(
                f"{one.family} ({one.way}) does not run here and is left out: "
                f"{' '.join(str(error).split())[:160]}"
            )
            continue
        tell(
            f"width {work.config.width}, {one.family} ({one.way}): errors of {worst[0]:.2g} and "
            f"{worst[1]:.2g} of their bounds"
        )
        running.append(one)
    return running


def run_speed(chosen: Chosen, threads: int) -> list[Any]:
    """Agreement of everyone at every width, then the rounds."""
    from bench.speed import time_all
    from bench.work import AsTrained, Minilotto, Work
    from minilotto.settings.config import Config

    peers = peers_of(chosen.peers, threads)
    matches = []
    for width in chosen.widths:
        work = Work(Config(width=width), chosen.seeds, threads)
        contestants = [
            Minilotto(work),
            AsTrained(work),
            *(one for peer in peers for one in peer.contestants(work)),
        ]
        matches.append((work, checked(work, contestants)))
    rounds, wanted = (5, 0.2) if chosen.quick else (7, 0.3)
    return time_all(matches, rounds, wanted, tell)


def machine(threads: int, load: float, peers: Sequence[str]) -> dict[str, Any]:
    """What the figures depend on."""
    versions = {"python": platform.python_version()}
    for name in ("minilotto", "numba", *peers):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"cpu": cpu_name(), "threads": threads, "load": load, "versions": versions}


def run(chosen: Chosen) -> int:
    """Measure, print tables, write files. Exit status 1 where a library disagrees."""
    threads = usable_cores()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    if load > 0.3:
        tell(
            f"load average {load:.2f}: others are using this machine, and figures of many threads "
            "suffer most"
        )
    prepare_process(threads)
    from bench import cost, report, startup
    from bench.agreement import Disagreement

    # The processes that measure cold starts go first, before this one has threads of its own.
    figures = (
        startup.measure(3 if chosen.quick else 7, 1_000_000, tell)
        if "start" in chosen.sections
        else []
    )
    try:
        timings = run_speed(chosen, threads) if "speed" in chosen.sections else []
    except Disagreement as error:
        print(f"Disagreement: {error}", file=sys.stderr)
        return FAILURE
    jobs = cost.jobs_for(chosen.widths, others=not chosen.quick)
    speeds, costs, deep = [], [], []
    if "cost" in chosen.sections:
        rounds = 7 if chosen.quick else 15
        speeds, costs = cost.measure(jobs, rounds, tell)
        deep = cost.measure_deep(rounds, tell)
    about = machine(threads, load, chosen.peers)
    result = report.Report(about, timings, speeds, costs, figures, deep)
    print(report.as_text(result))
    writers = {".json": report.as_json, ".md": report.as_markdown, ".txt": report.as_text}
    for path in chosen.out:
        write_bytes(path, writers[path.suffix.lower()](result).encode())
        tell(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(plan, "bench"))
