"""check: compares ten steps of each optimiser, by each engine that takes all points, with the
oracles: NumPy, and torch where it is installed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from minilotto.data.dataset import Dataset, sampled
from minilotto.engines.check import TOLERANCE, agreement, grid
from minilotto.engines.interface import Engine
from minilotto.engines.lanes import LaneEngine
from minilotto.engines.wide import WideEngine
from minilotto.initialisation import Parameters, initial_parameters
from minilotto.settings.config import Config

STEPS, NETS = 10, 24
# Errors are counted in units of rounding: machine epsilon times the size of a parameter and of the
# steps that it may make. Adam divides small gradients by their own size, hence the factor.
STEP_FACTOR = 100.0


@dataclass(frozen=True)
class StepComparison:
    """By oracle the largest error of a parameter after STEPS steps, in units of rounding."""

    optimizer: str
    dtype: str
    errors: dict[str, float]

    @property
    def passed(self) -> bool:
        return all(error <= TOLERANCE for error in self.errors.values())


def compare_steps(optimizers: Sequence[str], dtypes: Sequence[str]) -> Iterator[StepComparison]:
    """Compare every parameter after ten steps with a warmup, for each optimiser and precision."""
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
    """A row for each precision, a column for each optimiser, and how many agree."""
    worst = {(f"{c.dtype:31}", c.optimizer): max(c.errors.values()) for c in comparisons}
    passed = [c.passed for c in comparisons]
    lines = [*grid(f"{STEPS} steps by", worst), agreement(passed, comparisons[0].errors)]
    return "\n".join(lines)
