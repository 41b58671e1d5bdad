"""Which engine trains a config on given data, and why: the one that a measured model of cost finds cheapest.

The choice follows from config and data alone, never from the seeds or threads, because the bits of a result depend on it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from minilotto.activations import activation_of
from minilotto.config import Config
from minilotto.dataset import Dataset
from minilotto.engines.compressed import LADDER, CompressedEngine, audit_steps
from minilotto.engines.exact import PIECEWISE_LINEAR, ExactEngine
from minilotto.engines.interface import Engine
from minilotto.engines.lanes import LaneEngine
from minilotto.engines.wide import WideEngine
from minilotto.errors import ConfigError

Compress = bool | int


@dataclass(frozen=True)
class Candidate:
    """An engine that could do it: nanoseconds a step of one net, about, and how to make it."""

    name: str
    cost: float
    make: Callable[[int], Engine]


# Nanoseconds on one core of a 2 GHz AVX-512 machine (`python -m bench`); only ratios matter. A unit is one neuron at one point in
# one step of one net, forward and backward; an update is Adam's for one parameter.
UNIT = {"float32": 0.43, "float64": 0.85}
UPDATE = {"float32": 0.9, "float64": 2.6}
EXACT_NEURON = 27.0
NARROW, WIDE_UNIT, WIDE_STEP = 256, (1.2, 0.95), 500.0  # a unit over one of the lanes engine, below and above; a step's fixed cost
TYPICAL_NEURONS = 20_000  # in all nets of one call: the wider the nets, the fewer there are to fill the lanes


def candidates(config: Config, data: Dataset, compress: Compress) -> list[Candidate]:
    """Engines that can train `config` on `data`."""
    parameters = config.width * (data.inputs + 2) + 1
    seeds = max(1.0, TYPICAL_NEURONS / config.width)
    lanes = 64 // (4 if config.dtype == "float32" else 8)
    idle = ceil(seeds / lanes) * lanes / seeds

    def on_points(points: float) -> tuple[float, float]:
        """Nanoseconds a step and net, on so many points: with one lane a seed, and with one lane a neuron."""
        units, update = config.width * points * UNIT[config.dtype], parameters * UPDATE[config.dtype]
        return (units + update) * idle, units * WIDE_UNIT[config.width >= NARROW] + update + WIDE_STEP

    side_by_side, shared = on_points(data.points)
    found = [
        Candidate("lanes", side_by_side, lambda threads: LaneEngine(config, data, threads)),
        Candidate("wide", shared, lambda threads: WideEngine(config, data, threads)),
    ]
    if compress is not False and compressible(config, data):
        fixed = None if compress is True else compress
        nodes = min(fixed or LADDER[config.dtype][0], data.points)
        audits = 4 * len(audit_steps(config.steps)) * min(data.points, 4096) / config.steps
        side_by_side, shared = on_points(nodes + audits)
        inner = LaneEngine if side_by_side <= shared else WideEngine
        found.append(
            Candidate(
                "compressed", min(side_by_side, shared), lambda threads: CompressedEngine(config, data, threads, inner, fixed)
            )
        )
    if data.inputs == 1 and config.activation in PIECEWISE_LINEAR and config.dtype == "float64":
        found.append(Candidate("exact", config.width * EXACT_NEURON, lambda threads: ExactEngine(config, data, threads)))
    return found


def compressible(config: Config, data: Dataset) -> bool:
    """Whether the loss needs the data's moments only: one input, and an activation without kinks."""
    return data.inputs == 1 and not activation_of(config.activation).kinks


def choose(config: Config, data: Dataset, engine: str, compress: Compress) -> tuple[Candidate, str]:
    """The candidate to take and the reason in a few words. Raises ConfigError where `engine` or `compress` cannot be had."""
    if compress is not True and compress is not False and not compressible(config, data):
        raise ConfigError(
            f"compress={compress} is not to be had for {config.activation} on {data.inputs} inputs; "
            "it takes one input and a smooth activation (compress=False)"
        )
    if engine == "reference":
        return Candidate("reference", float("nan"), lambda threads: _reference(config, data, threads)), "asked for"
    found = {candidate.name: candidate for candidate in candidates(config, data, compress)}
    if engine != "auto":
        if engine not in found:
            raise ConfigError(f"engine={engine!r} cannot train this; here are {', '.join(found)} (engine='auto' chooses)")
        return found[engine], "asked for"
    if compress is not True and compress is not False:
        return found["compressed"], f"asked for {compress} nodes"
    if config.sampling == "population" and activation_of(config.activation).kinks and "exact" not in found:
        raise ConfigError(
            f"sampling='population' cannot train {config.activation} in {config.dtype} on {data.inputs} inputs: no quadrature "
            "resolves its kinks; use one input and dtype='float64', or sampling='uniform'"
        )
    best, *others = sorted(found.values(), key=lambda candidate: candidate.cost)
    costs = ", ".join(f"{other.name} {other.cost:.3g}" for other in others)
    return best, f"{best.cost:.3g} ns a step and net against {costs}, by estimate"


def _reference(config: Config, data: Dataset, threads: int) -> Engine:
    from minilotto.engines.reference import ReferenceEngine  # here, because it takes scipy along

    return ReferenceEngine(config, data, threads)
