"""Which engine trains a config on given data, and why: the one that a measured model of cost finds
cheapest.

The choice follows from config and data alone, never from the seeds or threads, because the bits of
a result depend on it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from minilotto.data.dataset import Dataset
from minilotto.engines.compressed import LADDER, CompressedEngine, audit_steps
from minilotto.engines.cuda import CudaEngine
from minilotto.engines.exact import PIECEWISE_LINEAR, ExactEngine
from minilotto.engines.interface import Engine
from minilotto.engines.lanes import LaneEngine
from minilotto.engines.wide import WideEngine
from minilotto.errors import ConfigError
from minilotto.hardware.gpu import the_gpu, there_is_a_gpu
from minilotto.settings.activations import activation_of
from minilotto.settings.config import Config

Compress = bool | int


@dataclass(frozen=True)
class Candidate:
    """An engine that could do it: nanoseconds a step of one net, about, and how to make it."""

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
INPUT = {
    "float32": 0.09,
    "float64": 0.2,
}  # more for each input beyond the first (`python -m bench.axes --only=inputs`)
UPDATE = {"float32": 0.9, "float64": 2.6}
EXACT_NEURON = 27.0
NARROW, WIDE_UNIT, WIDE_STEP = (
    256,
    (1.2, 0.95),
    500.0,
)  # a unit over one of the lanes engine, below and above; a step's fixed cost
TYPICAL_NEURONS = (
    20_000  # in all nets of one call: the wider the nets, the fewer there are to fill the lanes
)
# The same on a whole H100, by the instructions of the kernels and the processor's rates.
GPU_UNIT = {"float32": 0.002, "float64": 0.012}
GPU_UPDATE = {"float32": 0.004, "float64": 0.03}
CORES = 16  # of a machine that has such a GPU
WORTH_SECONDS = 5.0  # of CPU time in one call, which starting a GPU and compiling for it takes too


def candidates(config: Config, data: Dataset, compress: Compress) -> list[Candidate]:
    """Engines that can train `config` on `data`."""
    parameters = config.width * (data.inputs + 2) + 1
    seeds = max(1.0, TYPICAL_NEURONS / config.width)
    lanes = 64 // (4 if config.dtype == "float32" else 8)
    idle = ceil(seeds / lanes) * lanes / seeds

    unit = (
        UNITS.get(config.activation, UNITS["silu"])[config.dtype]
        + (data.inputs - 1) * INPUT[config.dtype]
    )

    def on_points(points: float) -> tuple[float, float]:
        """Nanoseconds a step and net, on so many points: with one lane a seed, and with one lane a
        neuron.
        """
        units, update = config.width * points * unit, parameters * UPDATE[config.dtype]
        return (units + update) * idle, units * WIDE_UNIT[
            config.width >= NARROW
        ] + update + WIDE_STEP

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
                "compressed",
                min(side_by_side, shared),
                lambda threads: CompressedEngine(config, data, threads, inner, fixed),
            )
        )
    if _piecewise_linear(config, data) and config.dtype == "float64":
        found.append(
            Candidate(
                "exact",
                config.width * EXACT_NEURON,
                lambda threads: ExactEngine(config, data, threads),
            )
        )
    return found


def gpu_candidates(config: Config, data: Dataset, compress: Compress) -> list[Candidate]:
    """Engines that can train `config` on `data` on a GPU."""
    update = (config.width * (data.inputs + 2) + 1) * GPU_UPDATE[config.dtype]
    unit = config.width * GPU_UNIT[config.dtype]
    found = [
        Candidate(
            "cuda", data.points * unit + update, lambda threads: CudaEngine(config, data, threads)
        )
    ]
    if compress is not False and compressible(config, data):
        fixed = None if compress is True else compress
        nodes = min(fixed or LADDER[config.dtype][0], data.points)
        audited = 4 * len(audit_steps(config.steps)) * min(data.points, 4096) / config.steps
        audits = audited * config.width * UNITS["silu"]["float64"]
        make = lambda threads: CompressedEngine(config, data, threads, CudaEngine, fixed)  # noqa: E731
        found.append(Candidate("compressed", nodes * unit + update + audits, make))
    return found


def _piecewise_linear(config: Config, data: Dataset) -> bool:
    """Whether the exact engine can train it, in float64."""
    return config.loss == "squared" and data.inputs == 1 and config.activation in PIECEWISE_LINEAR


def compressible(config: Config, data: Dataset) -> bool:
    """Whether the loss needs the data's moments only: squares, one input, and an activation without
    kinks.
    """
    return (
        config.loss == "squared" and data.inputs == 1 and not activation_of(config.activation).kinks
    )


def choose(
    config: Config, data: Dataset, engine: str, compress: Compress, backend: str = "cpu"
) -> tuple[Candidate, str]:
    """The candidate to take and the reason in a few words. Raises ConfigError where `engine` or
    `compress` cannot be had.
    """
    if compress is not True and compress is not False and not compressible(config, data):
        raise ConfigError(
            f"compress={compress} is not to be had for {config.activation} on {data.inputs} "
            f"inputs with loss={config.loss!r}; "
            "it takes squares, one input and a smooth activation (compress=False)"
        )
    if engine not in ("auto", "compressed") and compress is not True and compress is not False:
        raise ConfigError(
            f"compress={compress} goes with engine='compressed', not with {engine!r}; leave out "
            "one of them"
        )
    if engine == "reference":
        return Candidate(
            "reference", float("nan"), lambda threads: _reference(config, data, threads)
        ), "asked for"
    if backend == "cuda":
        return _choose_on_gpu(config, data, engine, compress)
    found = {candidate.name: candidate for candidate in candidates(config, data, compress)}
    if engine != "auto" and engine not in found:
        raise ConfigError(
            f"engine={engine!r} cannot train this: {_needs(engine)}; here are {', '.join(found)} "
            "(engine='auto' chooses)"
        )
    unresolved = _unresolved(config) and not ("exact" in found and engine in ("auto", "exact"))
    if engine != "auto" and not unresolved:
        return found[engine], "asked for"
    if (
        backend == "auto"
        and not unresolved
        and _worth_a_gpu(config, data, compress, min(c.cost for c in found.values()))
    ):
        return _choose_on_gpu(config, data, engine, compress)
    if compress is not True and compress is not False:
        return found["compressed"], f"asked for {compress} nodes"
    if unresolved:
        raise ConfigError(
            f"sampling='population' cannot train {config.activation} in {config.dtype}, "
            f"engine={engine!r}, inputs={data.inputs}, "
            f"loss={config.loss!r}: no quadrature resolves its kinks; use one input, "
            "dtype='float64', squares and engine='auto', "
            "or sampling='uniform'"
        )
    best, reason = _cheapest(found)
    exact = config.width * EXACT_NEURON
    if _piecewise_linear(config, data) and 2 * exact < best.cost:
        reason += f"; with dtype='float64', exact {exact:.3g}"
    return best, reason


def _needs(engine: str) -> str:
    """What an engine that is not among the candidates is for."""
    if engine == "exact":
        return "it takes relu or leaky_relu, one input, squares and dtype='float64'"
    return "it takes a smooth activation, one input, squares and compress=True or a number of nodes"


def _unresolved(config: Config) -> bool:
    """Whether the data are a quadrature that this activation's kinks spoil."""
    return config.sampling == "population" and bool(activation_of(config.activation).kinks)


def _cheapest(found: dict[str, Candidate]) -> tuple[Candidate, str]:
    best, *others = sorted(found.values(), key=lambda candidate: candidate.cost)
    against = (
        " against " + ", ".join(f"{other.name} {other.cost:.3g}" for other in others)
        if others
        else ""
    )
    return best, f"{best.cost:.3g} ns a step and net{against}, by estimate"


def _choose_on_gpu(
    config: Config, data: Dataset, engine: str, compress: Compress
) -> tuple[Candidate, str]:
    """The same on a GPU. Raises MissingExtraError or ResourceError where there is none."""
    if config.loss != "squared":
        raise ConfigError(
            f"loss={config.loss!r} is not trained on a GPU, whose kernels know squares alone; use "
            "backend='cpu'"
        )
    if _unresolved(config):
        raise ConfigError(
            f"sampling='population' cannot train {config.activation} on a GPU: no quadrature "
            "resolves its kinks; "
            "use backend='cpu' with one input and dtype='float64', or sampling='uniform'"
        )
    gpu = the_gpu()
    found = {candidate.name: candidate for candidate in gpu_candidates(config, data, compress)}
    if engine != "auto" and engine not in found:
        raise ConfigError(
            f"engine={engine!r} is none of a GPU's; backend='cuda' takes "
            f"engine='auto'{_or_compressed(found)}"
        )
    if engine != "auto":
        return found[engine], f"asked for, on {gpu.name}"
    if compress is not True and compress is not False:
        return found["compressed"], f"asked for {compress} nodes, on {gpu.name}"
    best, reason = _cheapest(found)
    return best, f"{reason}, on {gpu.name}"


def _or_compressed(found: dict[str, Candidate]) -> str:
    return " or 'compressed'" if "compressed" in found else ""


def _worth_a_gpu(config: Config, data: Dataset, compress: Compress, cost: float) -> bool:
    """Whether a call of usual size gains by a GPU, and there is one. The seeds of this call do not
    matter: see above.
    """
    if config.loss != "squared":
        return False
    gain = cost > CORES * min(
        candidate.cost for candidate in gpu_candidates(config, data, compress)
    )
    seconds = 1e-9 * cost * config.steps * max(1.0, TYPICAL_NEURONS / config.width)
    return gain and seconds > WORTH_SECONDS and there_is_a_gpu()


def _reference(config: Config, data: Dataset, threads: int) -> Engine:
    from minilotto.engines.reference import ReferenceEngine  # here, because it takes scipy along

    return ReferenceEngine(config, data, threads)
