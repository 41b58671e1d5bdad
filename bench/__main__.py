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
from typing import Any

from minilotto.errors import ConfigError, FileError, MissingExtraError
from minilotto.files import check_output, write_bytes
from minilotto.hardware.machine import cpu_name, usable_cores

WIDTHS, QUICK_WIDTHS = (1, 2, 3, 4, 10, 20, 50), (2, 20)
PEERS = ("jax", "torch")
SECTIONS = ("speed", "cost", "start")
SUFFIXES = (".json", ".md", ".txt")


class Plan:
    """What to run. It shows no members, so that Fire reports a stray word instead of looking it up
    here.
    """

    def __init__(
        self, quick: bool, widths: Any, peers: Any, sections: Any, seeds: Any, out: Any, force: bool
    ) -> None:
        for name, value in (("quick", quick), ("force", force)):
            if not isinstance(value, bool):
                raise ConfigError(
                    f"{name}={value!r} is neither True nor False; give --{name} or leave it out"
                )
        self.quick = quick
        self.widths = tuple(_whole("widths", w) for w in _listed(widths)) or (
            QUICK_WIDTHS if quick else WIDTHS
        )
        self.peers = _chosen("peers", peers, PEERS)
        self.sections = _chosen("sections", sections, SECTIONS)
        self.seeds = _whole("seeds", seeds)
        self.out = [check_output(str(name), SUFFIXES, force) for name in _listed(out)]

    def __dir__(self) -> list[str]:
        return []


def _listed(value: Any) -> tuple:
    """What Fire makes of `a,b`, `a` or nothing, as a tuple."""
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(value.split(","))
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name}={value!r} is out of range; give whole numbers of at least 1")
    return value


def _chosen(name: str, value: Any, choices: Sequence[str]) -> tuple[str, ...]:
    if value == "none":
        return ()
    for word in _listed(value):
        if word not in choices:
            raise ConfigError(
                f"{name}={word!r} is unknown; choose from {', '.join(choices)} or none"
            )
    return _listed(value) or tuple(choices)


def plan(*, quick=False, widths=None, peers=None, sections=None, seeds=1000, out=None, force=False):
    """Check that minilotto, JAX and torch compute the same, then time them and print tables.

    Args:
        quick: fewer widths and rounds, about a minute instead of five widths: numbers of neurons,
        such as 2,10,20,50 peers: whom to compare with: jax,torch or one of them or none sections:
        which parts to run: speed (against the peers), cost (in vector FMAs), start (import to first
        step, memory) seeds: networks trained at once in the speed section out: files to write
        beside the printed tables, such as bench.json,bench.md force: overwrite files that exist
    """
    return Plan(quick, widths, peers, sections, seeds, out, force)


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


def run_speed(chosen: Plan, threads: int) -> list[Any]:
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


def run(chosen: Plan) -> int:
    """Run the plan, print tables, write files. Exit status 1 where a library disagrees."""
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
        return 1
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


def main() -> int:
    """Exit status: 0 done, 1 a library disagrees, 2 wrong flags, 130 interrupted."""
    import fire

    try:
        chosen = fire.Fire(plan, name="bench", serialize=lambda result: None)
    except (ConfigError, FileError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    try:
        return run(chosen) if isinstance(chosen, Plan) else 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
