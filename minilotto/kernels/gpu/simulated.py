"""The formulas that kernels for GPUs call: compiled, or over NumPy's numbers for Numba's simulator.

The latter are slow, and rounded as on hardware but for some last bits (a float64 fma rounds twice).
"""

import operator
from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np

from minilotto.kernels.formulas import FORMULAS, LOSS_FORMULAS
from minilotto.kernels.random import ROUNDS, rounds_of
from minilotto.kernels.retarget import retargeted

SIMULATED = bool(numba.config.ENABLE_CUDASIM)


def _fma(a: Any, b: Any, c: Any) -> Any:
    if isinstance(a, np.float32):
        return np.float32(np.float64(a) * np.float64(b) + np.float64(c))
    return a * b + c


PRIMITIVES: dict[str, Callable[..., Any]] = {
    "like": lambda model, value: type(model)(value),
    "fma": _fma,
    "square_root": np.sqrt,
    "absolute": np.abs,
    "with_sign_of": np.copysign,
    "where": lambda mask, a, b: a if mask else b,
    "whole": np.rint,
    "fraction": lambda t: t - np.rint(t),
    "scale": lambda a, n: np.ldexp(a, int(min(max(n, -2000), 2000))) if n == n else n,
}


_OPERATIONS = SimpleNamespace(
    add=operator.add, and_=operator.and_, lshr=operator.rshift, mul=operator.mul, xor=operator.xor
)


def draws_of(key: int, step: int, block: int) -> list[int]:
    """What instructions.draws_of does."""
    halves = [(word & 2**32 - 1, word >> 32) for word in (int(key) & 2**64 - 1, int(step))]
    return rounds_of(_OPERATIONS, int, (int(block), *halves[1], 0), halves[0], range(ROUNDS))


@lru_cache(maxsize=64)
def uncompiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The formula or update of the same text, to be called with NumPy's numbers.

    >>> from minilotto.kernels import formulas
    >>> value, slope = uncompiled(formulas.silu)(np.float64(0.0), 0.0)
    >>> float(value), float(slope)
    (0.0, 0.5)
    """
    return retargeted(function, PRIMITIVES, lambda x: 8 * x.itemsize)


def bound(formula: Callable[..., Any]) -> Callable[..., Any]:
    """The formula or update as a kernel calls it here."""
    return uncompiled(formula) if SIMULATED else formula


def formulas_of(activation: str, loss: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return bound(FORMULAS[activation].evaluate), bound(LOSS_FORMULAS[loss].evaluate)


def units_of(activation: str, dtype: str) -> tuple[Any, ...]:
    """Zero, 1 / input unit and output unit of the activation."""
    formula, real = FORMULAS[activation], np.dtype(dtype).type
    return real(0.0), real(1.0 / formula.input_unit), real(formula.output_unit)
