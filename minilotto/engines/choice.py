"""Which engine trains a config on given data, and why: the one that a measured cost model finds
cheapest.

The choice follows from config and data alone, never from the seeds or threads, because the bits of
a result depend on it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from minilotto.data.dataset import Dataset
from minilotto.engines.batches import BatchEngine
from minilotto.engines.compressed import FEW_POINTS, NODE_LEVELS, CompressedEngine, audit_steps
from minilotto.engines.cuda import CudaEngine
from minilotto.engines.exact import PIECEWISE_LINEAR, ExactEngine
from minilotto.engines.interface import Engine
from minilotto.engines.lanes import LaneEngine
from minilotto.engines.request import Request
from minilotto.engines.second_order import (
    CompressedSecondOrderEngine,
    SecondOrderEngine,
    nanoseconds,
)
from minilotto.engines.wide import WideEngine
from minilotto.errors import ConfigError
from minilotto.hardware.gpu import the_gpu, there_is_a_gpu
from minilotto.initialisation import parameter_count
from minilotto.settings.activations import activation_of
from minilotto.settings.config import Config
from minilotto.settings.limits import check_one_layer


@dataclass(frozen=True)
class Candidate:
    """An engine that can train it: nanoseconds a step of one net, about, and how to make it."""

    name: str
    cost: float
    make: Callable[[int], Engine]


# Nanoseconds on one core of a 2 GHz AVX-512 machine (`python -m bench`); only ratios matter. A unit
# is one neuron at one point in one step of one net, forward and backward; an update is Adam's for
# one parameter.
UNITS = {
    "silu": {"float32": 0.43, "float64": 1.08},  # of activations without a row here too
    "relu": {"float32": 0.18, "float64": 0.40},
    "leaky_relu": {"float32": 0.20, "float64": 0.41},
    "tanh": {"float32": 0.55, "float64": 1.39},
    "gelu": {"float32": 0.87, "float64": 3.05},
    "softplus": {"float32": 0.78, "float64": 2.50},
    "sigmoid": {"float32": 0.48, "float64": 1.45},
}
# More for each input beyond the first (`python -m bench.axes --only=inputs`).
INPUT = {"float32": 0.09, "float64": 0.2}
# Of one weight between hidden layers at one point; a layer more also takes a unit more a neuron.
WEIGHT = {"float32": 0.06, "float64": 0.12}
UPDATE = {"float32": 0.9, "float64": 2.6}
EXACT_NEURON = 27.0
# The wide engine's unit over that of the lanes engine, below NARROW neurons and from there on, and
# the fixed cost of its step.
NARROW, WIDE_UNIT, WIDE_STEP = 256, (1.2, 0.95), 500.0
# In all nets of one call: the wider the nets, the fewer there are to fill the lanes.
TYPICAL_NEURONS = 20_000
# The same on a whole H100: units of float32 as measured, the rest by the kernels' instructions.
GPU_UNIT = {"float32": 0.001, "float64": 0.012}
GPU_UPDATE = {"float32": 0.004, "float64": 0.03}
# Of two inputs: the level of nodes that a net has most of the time, about, and nanoseconds for the
# rules of all levels: of a thousand points, and for each of many.
TYPICAL_LEVEL, RULES, RULES_POINT = 2, 5e9, 1.8e5
# Not measured since audits run on the GPU: what the host does in one audit of all nets, in
# nanoseconds, and by what factor nodes have to be cheaper. At 100 points they took up to 3.2 times
# as long as points when audits ran on the host.
GPU_AUDIT, SURELY = 5e6, 4.0
CORES = 16  # of a machine that has such a GPU
WORTH_SECONDS = 5.0  # of CPU time in one call, which starting a GPU and compiling for it takes too


class _Compressed(NamedTuple):
    """Points a step of the compressed engine: its nodes, and its audits spread over all steps; and
    nanoseconds a step for its rules.
    """

    nodes: int
    audits: float
    rules: float


def _compressed(config: Config, data: Dataset, request: Request) -> _Compressed | None:
    """None where the engine cannot train this, or must not."""
    if not (request.compress and compressible(config, data)):
        return None
    levels, few = NODE_LEVELS[data.inputs][config.dtype], min(data.points, FEW_POINTS)
    one = data.inputs == 1
    nodes, audited = (levels[0], few) if one else (levels[TYPICAL_LEVEL], data.points)
    rules = 0.0 if one else max(RULES, RULES_POINT * data.points)
    return _Compressed(
        min(request.nodes or nodes, data.points),
        4 * len(audit_steps(config.steps)) * audited / config.steps,
        rules * config.width / (TYPICAL_NEURONS * config.steps),
    )


def candidates(config: Config, data: Dataset, request: Request) -> dict[str, Candidate]:
    """Engines that can train `config` on `data` on the CPU, by name."""
    if config.optimizer == "lm":
        return _second_order(config, data, request)
    parameters = parameter_count(config, data.inputs)
    hidden = (config.depth - 1) * config.width**2 * WEIGHT[config.dtype]
    seeds = max(1.0, TYPICAL_NEURONS / config.width)
    lanes = 64 // (4 if config.dtype == "float32" else 8)
    idle = ceil(seeds / lanes) * lanes / seeds
    unit = UNITS.get(config.activation, UNITS["silu"])[config.dtype]
    unit += (data.inputs - 1) * INPUT[config.dtype]

    def on_points(points: float) -> tuple[float, float]:
        """Nanoseconds a step and net on so many points, with one lane a seed and one a neuron."""
        units = points * (config.depth * config.width * unit + hidden)
        update = parameters * UPDATE[config.dtype]
        wide_units = units * WIDE_UNIT[config.width >= NARROW]
        return (units + update) * idle, wide_units + update + WIDE_STEP

    by_seed, by_neuron = on_points(config.batch or data.points)
    if config.batch:
        batches = Candidate("lanes", by_seed, lambda threads: BatchEngine(config, data, threads))
        return {"lanes": batches}
    found = [Candidate("lanes", by_seed, lambda threads: LaneEngine(config, data, threads))]
    if config.depth == 1:
        found.append(
            Candidate("wide", by_neuron, lambda threads: WideEngine(config, data, threads))
        )
    if some := _compressed(config, data, request):
        by_seed, by_neuron = on_points(some.nodes + some.audits)
        inner = WideEngine if config.depth == 1 and by_neuron < by_seed else LaneEngine
        cost = some.rules + (by_neuron if inner is WideEngine else by_seed)
        found.append(_on_nodes(config, data, request, inner, cost))
    if _piecewise_linear(config, data) and config.dtype == "float64" and config.depth == 1:
        cost = config.width * EXACT_NEURON
        found.append(Candidate("exact", cost, lambda threads: ExactEngine(config, data, threads)))
    return {candidate.name: candidate for candidate in found}


def _second_order(config: Config, data: Dataset, request: Request) -> dict[str, Candidate]:
    """Those of Levenberg-Marquardt."""
    unit = UNITS.get(config.activation, UNITS["silu"])["float64"]
    unit += (data.inputs - 1) * INPUT["float64"]

    def cost(points: int) -> float:
        return nanoseconds(config.width, data.inputs, points, unit)

    def on_nodes(threads: int) -> Engine:
        return CompressedSecondOrderEngine(config, data, threads, request.nodes)

    found = {
        "lanes": Candidate(
            "lanes", cost(data.points), lambda threads: SecondOrderEngine(config, data, threads)
        )
    }
    if some := _compressed(config, data, request):
        audits = config.width * some.audits * unit
        cost_on_nodes = cost(some.nodes) + audits + some.rules
        found["compressed"] = Candidate("compressed", cost_on_nodes, on_nodes)
    return found


def gpu_candidates(config: Config, data: Dataset, request: Request) -> dict[str, Candidate]:
    """Engines that can train `config` on `data` on a GPU, by name."""
    update = (config.width * (data.inputs + 2) + 1) * GPU_UPDATE[config.dtype]
    unit = config.width * GPU_UNIT[config.dtype]
    cost = (config.batch or data.points) * unit + update
    found = [Candidate("cuda", cost, lambda threads: CudaEngine(config, data, threads))]
    if config.batch:
        return {"cuda": found[0]}
    if some := _compressed(config, data, request):
        audits = some.audits * config.width * GPU_UNIT["float64"]
        at_once = config.steps * max(1.0, TYPICAL_NEURONS / config.width)
        audits += GPU_AUDIT * len(audit_steps(config.steps)) / at_once
        cost = SURELY * (some.nodes * unit + update + audits) + some.rules
        found.append(_on_nodes(config, data, request, CudaEngine, cost))
    return {candidate.name: candidate for candidate in found}


def _on_nodes(
    config: Config, data: Dataset, request: Request, inner: type[Engine], cost: float
) -> Candidate:
    def make(threads: int) -> Engine:
        return CompressedEngine(config, data, threads, inner, request.nodes)

    return Candidate("compressed", cost, make)


def _piecewise_linear(config: Config, data: Dataset) -> bool:
    """Whether the exact engine can train it, in float64 and with one hidden layer."""
    return (
        config.loss == "squared"
        and config.optimizer != "lm"
        and data.inputs == 1
        and config.activation in PIECEWISE_LINEAR
    )


def compressible(config: Config, data: Dataset) -> bool:
    """Whether the loss needs the data's moments only: squares, one or two inputs, and an activation
    without kinks.
    """
    smooth = not activation_of(config.activation).kinks
    return config.loss == "squared" and data.inputs in NODE_LEVELS and smooth


def choose(config: Config, data: Dataset, request: Request) -> tuple[Candidate, str]:
    """The engine to take, and the reason in a few words.

    Raises
    ------
    ConfigError
        Where the request cannot be met.
    MissingExtraError, ResourceError
        Where a GPU is asked for and cannot be used.
    """
    if config.batch:
        _refuse_with_batches(config, request)
    if request.nodes is not None and not compressible(config, data):
        raise ConfigError(
            f"compress={request.nodes} is not to be had for {config.activation} on {data.inputs} "
            f"inputs with loss={config.loss!r}; "
            "it takes squares, one or two inputs and a smooth activation (compress=False)"
        )
    if config.optimizer == "lm":
        _check_second_order(config, data, request)
    if request.backend == "reference":
        return Candidate("reference", float("nan"), _reference(config, data)), "asked for"
    if request.backend == "cuda":
        return _choose_on_gpu(config, data, request)
    engine, found = request.engine, candidates(config, data, request)
    if engine != "auto" and engine not in found:
        raise ConfigError(
            f"engine={engine!r} cannot train this, of depth={config.depth}: {_NEEDS[engine]}; here "
            f"are {', '.join(found)} (engine='auto' chooses)"
        )
    exactly = "exact" in found and engine in ("auto", "exact")
    unresolved = _unresolved(config, data) and not exactly
    if engine != "auto" and not unresolved:
        return found[engine], "asked for"
    best, reason = _cheapest(found)
    if config.batch and not unresolved:
        return best, f"the only one that draws points, batch={config.batch}"
    if request.backend == "auto" and not unresolved and _worth_a_gpu(config, data, request, best):
        return _choose_on_gpu(config, data, request)
    if request.nodes is not None:
        return found["compressed"], f"asked for {request.nodes} nodes"
    if unresolved:
        raise ConfigError(
            f"sampling='population' cannot train {config.activation} in {config.dtype}, "
            f"engine={engine!r}, inputs={data.inputs}, "
            f"loss={config.loss!r}: no quadrature resolves its kinks; use one input, depth=1, "
            "dtype='float64', squares and engine='auto', "
            "or sampling='uniform'"
        )
    exact = config.width * EXACT_NEURON
    if _piecewise_linear(config, data) and config.depth == 1 and 2 * exact < best.cost:
        reason += f"; with dtype='float64', exact {exact:.3g}"
    return best, reason


def _check_second_order(config: Config, data: Dataset, request: Request) -> None:
    """Refuse what does not train with Levenberg-Marquardt."""
    if _unresolved(config, data):
        raise ConfigError(
            f"sampling='population' cannot train {config.activation} with optimizer='lm': no "
            "quadrature resolves its kinks; use sampling='uniform' or another optimiser"
        )
    for name, value, known in (
        ("backend", request.backend, ("auto", "cpu")),
        ("engine", request.engine, ("auto", "lanes", "compressed")),
    ):
        if value not in known:
            raise ConfigError(
                f"{name}={value!r} does not train with optimizer='lm'; choose from "
                f"{', '.join(known)}"
            )


def _refuse_with_batches(config: Config, request: Request) -> None:
    asked = {
        f"compress={request.nodes}": request.nodes is not None,
        f"engine={request.engine!r}": request.engine not in ("auto", "lanes"),
    }
    for words, wrong in asked.items():
        if wrong:
            raise ConfigError(
                f"{words} takes no batches, but batch={config.batch}; engine='auto' does, so leave "
                "out one of them"
            )


# What an engine that is not among the candidates is for.
_NEEDS = {
    "exact": "it takes relu or leaky_relu, depth=1, one input, squares and dtype='float64'",
    "wide": "it takes depth=1",
    "compressed": "it takes a smooth activation, one or two inputs, squares and compress=True or a "
    "number of nodes",
}


def _unresolved(config: Config, data: Dataset) -> bool:
    """Whether the data are a quadrature, which does not resolve this activation's kinks. Batches
    need it for the losses reported alone, which are exact of what is piecewise linear.
    """
    kinks = bool(activation_of(config.activation).kinks)
    exactly = config.batch > 0 and _piecewise_linear(config, data)
    return config.sampling == "population" and kinks and not exactly


def _cheapest(found: dict[str, Candidate]) -> tuple[Candidate, str]:
    best, *others = sorted(found.values(), key=lambda candidate: candidate.cost)
    costs = ", ".join(f"{other.name} {other.cost:.3g}" for other in others)
    against = f" against {costs}" if others else ""
    return best, f"{best.cost:.3g} ns a step and net{against}, by estimate"


def _choose_on_gpu(config: Config, data: Dataset, request: Request) -> tuple[Candidate, str]:
    """The same on a GPU. Raises MissingExtraError or ResourceError where there is none."""
    check_one_layer("backend='cuda'", config.depth)
    if _unresolved(config, data):
        raise ConfigError(
            f"sampling='population' cannot train {config.activation} on a GPU: no quadrature "
            "resolves its kinks; "
            "use backend='cpu' with one input and dtype='float64', or sampling='uniform'"
        )
    gpu, engine = the_gpu(), request.engine
    found = gpu_candidates(config, data, request)
    if engine != "auto" and engine not in found:
        raise ConfigError(
            f"engine={engine!r} is none of a GPU's; backend='cuda' takes engine='auto'"
            + (" or 'compressed'" if "compressed" in found else "")
        )
    if engine != "auto":
        return found[engine], f"asked for, on {gpu.name}"
    if request.nodes is not None:
        return found["compressed"], f"asked for {request.nodes} nodes, on {gpu.name}"
    best, reason = _cheapest(found)
    return best, f"{reason}, on {gpu.name}"


def _worth_a_gpu(config: Config, data: Dataset, request: Request, best: Candidate) -> bool:
    """Whether a call of usual size gains by a GPU over the CPU's best, and there is one. The seeds
    of this call do not matter: see above.
    """
    if config.loss != "squared" or config.optimizer == "lm" or config.depth > 1:
        return False
    cheapest, _ = _cheapest(gpu_candidates(config, data, request))
    seconds = 1e-9 * best.cost * config.steps * max(1.0, TYPICAL_NEURONS / config.width)
    return best.cost > CORES * cheapest.cost and seconds > WORTH_SECONDS and there_is_a_gpu()


def _reference(config: Config, data: Dataset) -> Callable[[int], Engine]:
    def make(threads: int) -> Engine:
        from minilotto.engines.reference import ReferenceEngine  # here, because it imports scipy

        return ReferenceEngine(config, data)  # in one thread

    return make
