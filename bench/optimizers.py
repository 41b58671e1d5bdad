"""Cost of a step by optimiser and batch beside optax and torch: `python -m bench.optimizers`.

Everyone trains the same nets from the same start at a constant rate, in one run, interleaved:
minilotto as `train` does it, JAX as a jitted loop of optax's updates over jax.vmap of one net's
gradient, torch as torch.optim on all nets at once. On all points, their nets after ten steps are
compared first. Batches are drawn by each library's own generator, afresh for each net and step.
"""

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from bench.__main__ import prepare_process, tell
from bench.agreement import Disagreement
from bench.command import FAILURE, Plan, chosen_of, run_command
from bench.speed import Timing, fastest, ratio, time_all
from bench.work import Contestant, Minilotto, Work
from minilotto.engines.lanes import LaneEngine
from minilotto.hardware.machine import usable_cores
from minilotto.settings.config import Config

OPTIMIZERS = ("gd", "momentum", "adamw", "adam", "nesterov", "rmsprop")
WIDTHS, BATCHES = (2, 10, 50), (0, 10)
AGREED = 2e-5  # of float32 parameters after ten steps; a rate off by a percent makes 1e-4 and more


class AsTrained(Minilotto):
    """What `train` does by itself. On all points: on nodes, whose audits are not in the steps."""

    def __init__(self, work: Work) -> None:
        from minilotto.training.train import prepare

        self.work = work
        self.engine = prepare(work.config, work.seeds, data=work.data).choice.make(work.threads)
        self.engine.seeds = work.first + np.arange(work.seeds)
        self.way = self.engine.name


class OnAsManyPoints(Minilotto):
    """A step of all points, of which there are as many as in a batch."""

    family = "points"

    def __init__(self, work: Work) -> None:
        changes = {"points": work.config.batch, "batch": 0, "sampling": "grid"}
        super().__init__(Work(work.config.replace(**changes), 1, 1))
        self.work = work
        self.engine = LaneEngine(self.engine.config, self.engine.data, work.threads)


def peers(work: Work) -> list[Contestant]:
    """The other libraries, as far as they are installed."""
    found: list[Contestant] = []
    for name, package in (("jax_ways", "optax"), ("torch_ways", "torch")):
        try:
            module = __import__(f"bench.{name}", fromlist=["contestant"])
        except ModuleNotFoundError as error:
            tell(f"{error.name} is not installed and {package} is left out; pip install {package}")
            continue
        found.append(module.contestant(work))
    return found


def check_agreement(work: Work, contestants: Sequence[Contestant]) -> None:
    """Raises Disagreement where another library's nets differ after ten steps on all points."""
    nets = []
    for one in contestants:
        one.start()
        one.advance(10)
        nets.append(one.parameters())
    for one, found in zip(contestants[1:], nets[1:], strict=True):
        worst = max(float(np.abs(a - b).max()) for a, b in zip(nets[0], found, strict=True))
        if not worst < AGREED:
            raise Disagreement(f"{one.family} differs by {worst:.2g} after ten steps")


def measure(
    config: Config,
    seeds: int,
    threads: int,
    rounds: int,
    alone: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Timing]:
    """Timings of everyone for one config, of ourselves if `alone`."""
    work = Work(config, seeds, threads)
    contestants = [AsTrained(work), *([] if alone else peers(work))]
    if not config.batch:
        check_agreement(work, contestants)
    else:
        contestants.append(OnAsManyPoints(work))
    return time_all([(work, contestants)], rounds, 0.3, lambda line: None, clock)


def row(config: Config, timings: Sequence[Timing]) -> str:
    """One line of the table: nanoseconds a step and net, and how many times longer peers take."""
    units = Work(config, 1, 1).units  # of a step of one net
    ours = fastest(timings, config.width, "minilotto")
    assert ours is not None
    cells = [
        f"{config.optimizer:9s} {config.batch or 'all':>5} {config.width:5d} "
        f"{ours.median * units:9.1f}"
    ]
    for family, digits in (("JAX", 1), ("torch", 1), ("points", 2)):
        other = fastest(timings, config.width, family)
        if other is None:
            cells.append(f"{'-':>23}")
            continue
        spread = ratio(ours, other) if family == "points" else ratio(other, ours)
        median, low, high = (
            f"{value:.{digits}f}" for value in (spread.median, spread.low, spread.high)
        )
        cells.append(f"{median} ({low} to {high})".rjust(23))
    return " ".join(cells)


def plan(
    *,
    optimizers: list[str] | None = None,
    batches: list[int] | None = None,
    widths: list[int] | None = None,
    seeds: int = 1000,
    points: int = 100,
    sampling: str = "grid",
    threads: int | None = None,
    rounds: int = 5,
    alone: bool = False,
    cpu: bool = False,
) -> Plan:
    """Print nanoseconds a step and net, how many times longer JAX and torch take, and how many
    times longer a step of a batch takes than one of all points, of which there are as many.

    Args:
        optimizers: names such as gd,adam (default all)
        batches: points of a batch, 0 for all (default 0,10)
        widths: numbers of neurons (default 2,10,50)
        seeds: nets trained at once
        points: from which batches are drawn
        sampling: as in Config; of "population" batches are fresh points
        threads: cores for each library, by default all; one on a machine that others use
        rounds: of interleaved timing
        alone: leave out the other libraries
        cpu: time by the CPU time of all cores, on a machine that others use
    """
    cores = usable_cores() if threads is None else threads
    configs = [
        Config(
            width=width,
            batch=batch,
            optimizer=name,
            points=points,
            sampling=sampling,
            schedule="constant",
            lr=1e-3,
            steps=10**6,
        )
        for name in chosen_of("optimizers", optimizers, OPTIMIZERS)
        for batch in batches or BATCHES
        for width in widths or WIDTHS
    ]

    clock = time.process_time if cpu else time.perf_counter

    def run() -> int:
        prepare_process(cores)
        print(
            f"optimiser batch width ns a step{'JAX / ours':>24}{'torch / ours':>24}"
            f"{'ours / points':>24}"
        )
        for config in configs:
            try:
                timings = measure(config, seeds, cores, rounds, alone, clock)
            except Disagreement as error:
                print(f"Disagreement: {error}", file=sys.stderr)
                return FAILURE
            print(row(config, timings), flush=True)
        return 0

    return Plan(run)


if __name__ == "__main__":
    sys.exit(run_command(plan, "bench.optimizers"))
