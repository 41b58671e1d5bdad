"""check: compares ten steps of each optimiser, by each engine that takes all points, with the
oracles: NumPy, and torch where it is installed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from minilotto.data.dataset import Dataset, sampled
from minilotto.engines.interface import Engine
from minilotto.engines.lanes import LaneEngine
from minilotto.engines.wide import WideEngine
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.settings.config import Config

STEPS, NETS = 10, 24
# Errors are counted in units of rounding: machine epsilon times the size of a parameter and of the
# steps that it may make. Adam divides small gradients by their own size, hence the factor.
STEP_FACTOR, TOLERANCE = 100.0, 4.0


@dataclass(frozen=True)
class StepComparison:
    """What was compared, and by oracle the largest error of a parameter after STEPS steps, over all
    nets and engines, in units of rounding.
    """

    optimizer: str
    dtype: str
    errors: dict[str, float]

    @property
    def passed(self) -> bool:
        return all(error <= TOLERANCE for error in self.errors.values())


def compare_steps(optimizers: Sequence[str], dtypes: Sequence[str]) -> Iterator[StepComparison]:
    """Compare every parameter after ten steps with a warmup, for each optimiser and precision of
    the engines; the oracles have float64.
    """
    for dtype in dtypes:
        for optimizer in optimizers:
            yield _compare(optimizer, dtype)


def _compare(optimizer: str, dtype: str) -> StepComparison:
    config = Config(
        width=5,
        points=21,
        steps=STEPS,
        warmup=3,
        optimizer=optimizer,
        dtype=dtype,
        lr_decay_every=4,
    )
    data, exact = sampled(config), config.replace(dtype="float64")
    start = initial_parameters(config, 1, np.arange(NETS))
    expected = _by_oracles(exact, data, start)
    errors = dict.fromkeys(expected, 0.0)
    for make in (LaneEngine, WideEngine):
        found = _trained(make(config, data, 1), start)
        for oracle, theirs in expected.items():
            for a, b in zip(found, theirs, strict=True):
                unit = np.finfo(dtype).eps * (np.abs(b) + STEP_FACTOR * STEPS * config.lr)
                errors[oracle] = max(errors[oracle], float((np.abs(a - b) / unit).max()))
    return StepComparison(optimizer, dtype, errors)


def _by_oracles(config: Config, data: Dataset, start: Parameters) -> dict[str, Parameters]:
    from minilotto.engines.reference import ReferenceEngine
    from minilotto.oracles import torch_reference

    start = Parameters(*(array.astype(np.float64) for array in start))
    found = {"reference": _trained(ReferenceEngine(config, data), start)}
    if torch_reference.installed():
        by_torch = torch_reference.trained(config, start, data.x, data.y, data.weight)
        found["torch"] = Parameters(*by_torch)
    return found


def _trained(engine: Engine, start: Parameters) -> Parameters:
    engine.start(start)
    engine.advance(0, STEPS)
    return engine.parameters()


def table(comparisons: Sequence[StepComparison]) -> str:
    """The comparisons as text: a row for each precision, a column for each optimiser, with the
    largest error over the oracles in units of rounding; then how many agree.
    """
    names = list(dict.fromkeys(c.optimizer for c in comparisons))
    worst = {(c.dtype, c.optimizer): max(c.errors.values()) for c in comparisons}
    lines = [f"{f'{STEPS} steps by':31}" + "".join(f"{name:>12}" for name in names)]
    for dtype in dict.fromkeys(c.dtype for c in comparisons):
        entries = [worst[dtype, name] for name in names]
        cells = "".join(f"{entry:11.2f}{' ' if entry <= TOLERANCE else '!'}" for entry in entries)
        lines.append(f"{dtype:31}{cells}")
    passed, against = sum(c.passed for c in comparisons), " and ".join(comparisons[0].errors)
    lines.append(
        f"{passed} of {len(comparisons)} agree with {against} within {TOLERANCE:g} units of "
        "rounding"
    )
    return "\n".join(lines)
