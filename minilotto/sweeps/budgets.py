"""Budgets: one training serves those of fewer steps, where the rates of their steps agree.

The rate of a step depends on the number of all steps by cosine, linear, exponential and stretched
schedules, whose budgets are trainings of their own; by others a net of 50,000 steps was one of
5,000, to the last bit, if both trainings choose the same engine and audits.
"""

import dataclasses
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from types import MappingProxyType
from typing import Any

from minilotto.engines.request import Request
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import TrainingInterrupted
from minilotto.settings.config import Config
from minilotto.store import blocks
from minilotto.store.blocks import Block, Run
from minilotto.store.grid import depends_on_steps
from minilotto.training.going_on import Course
from minilotto.training.progress import Reporter
from minilotto.training.train import prepare


def planned(
    missing: dict[Config, tuple[Run, ...]], lost: Mapping[str, Sequence[Run]] = MappingProxyType({})
) -> list[Block]:
    """Blocks of these seeds to train, each with the shorter trainings that it serves; by
    `Config.key` the runs of blocks that were lost, which come back as they were.
    """
    groups: dict[Any, list[Config]] = {}
    for config in missing:
        fields = dataclasses.asdict(config)
        steps = fields.pop("steps")
        groups.setdefault((*fields.values(), depends_on_steps(config) and steps), []).append(config)
    todo = []
    for configs in groups.values():
        gaps = {one: missing[one] for one in sorted(configs, key=lambda one: -one.steps)}
        while gaps:
            longest = next(iter(gaps))
            runs = gaps.pop(longest)
            for block in blocks.cut(longest, _apart(runs, lost.get(longest.key, ()))):
                here = [(block.first, block.stop)]
                served = (
                    Block(config, *run)
                    for config, own in gaps.items()
                    for run in blocks.difference(here, blocks.difference(here, own))
                )
                todo.append(block._replace(shorter=tuple(served)))
            left = {config: blocks.difference(own, runs) for config, own in gaps.items()}
            gaps = {config: own for config, own in left.items() if own}
    return todo


def _apart(runs: Iterable[Run], edges: Iterable[Run]) -> Iterator[Run]:
    """The same seeds in runs that also end where those of `edges` begin or end."""
    cuts = sorted({end for edge in edges for end in edge})
    for first, stop in runs:
        inner = cuts[bisect_right(cuts, first) : bisect_left(cuts, stop)]
        yield from pairwise((first, *inner, stop))


def remaining(batch: Sequence[Block], has: Callable[[Block], bool]) -> Iterator[list[Block]]:
    """What is to be trained of some blocks of one config, as such batches."""
    whole, others = [], []
    for block in batch:
        shorter = tuple(one for one in block.shorter if not has(one))
        if has(block):  # by another process, which did not want all of these
            others.extend(planned({one.config: ((one.first, one.stop),) for one in shorter}))
        else:
            whole.append(block._replace(shorter=shorter))
    for _, some in groupby([*whole, *others], key=lambda block: block.config):
        yield list(some)


def trained(
    batch: Sequence[Block], request: Request, threads: int, report: Reporter
) -> Iterator[tuple[Block, Ensemble, float]]:
    """Blocks of one config and the shorter ones that they serve, with their nets and seconds.

    Raises KeyboardInterrupt after those that were done when it came.
    """
    config, apart = batch[0].config, []
    request = dataclasses.replace(request, compress=batch[0].compress)
    shorter = {one.config: one.compress for block in batch for one in block.shorter}
    reasons = {
        one: _reason(config, one, request) if compress == request.compress else None
        for one, compress in shorter.items()
    }
    keep = sorted(one.steps for one, reason in reasons.items() if reason is not None)
    seeds = blocks.seeds_in((block.first, block.stop) for block in batch)
    course = Course(keep=tuple(keep))
    job = prepare(config, seeds, request, threads=threads, course=course)
    interrupted = False
    try:
        nets: Any = job.run_reporting(report)
    except TrainingInterrupted as interruption:
        nets, interrupted = interruption.nets, True
    first = 0
    for block in batch:
        stop = first + block.stop - block.first
        if nets is None or stop > len(nets):
            break
        for one in block.shorter:  # before their block, which would be taken for all
            reason = reasons[one.config]
            if reason is None:
                apart.append(one)
                continue
            start = first + one.first - block.first
            kept = nets.kept[one.config.steps][start : start + one.stop - one.first]
            provenance = {**kept.provenance, "reason": reason}
            yield one, dataclasses.replace(kept, config=one.config, provenance=provenance), 0.0
        seconds = nets.provenance["seconds"] * (stop - first) / len(nets)
        yield block, nets[first:stop], seconds
        first = stop
    if interrupted:
        raise KeyboardInterrupt
    for one in apart:
        yield from trained([one], request, threads, report)


def _reason(config: Config, shorter: Config, request: Request) -> str | None:
    """Why the shorter training takes the engine of the longer; None if it makes other steps."""
    jobs = [prepare(one, 1, request) for one in (config, shorter)]
    engines = [job.choice.make(1) for job in jobs]
    ways = {
        (engine.name, *(step for step in engine.audits if step < shorter.steps))
        for engine in engines
    }
    return jobs[1].reason if len(ways) == 1 else None
