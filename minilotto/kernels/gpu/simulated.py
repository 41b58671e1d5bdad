"""The formulas without a compiler, for Numba's CUDA simulator: their own text, over NumPy's numbers
instead of machine code.

Slow, and rounded like the kernels up to a few last bits (a float64 fma rounds twice).
"""

from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any

import numpy as np

from minilotto.kernels import formulas


def _fma(a: Any, b: Any, c: Any) -> Any:
    if isinstance(a, np.float32):
        return np.float32(np.float64(a) * np.float64(b) + np.float64(c))
    return a * b + c


def _horner(coefficients: dict[int, tuple[float, ...]]) -> Callable:
    def horner(x: Any) -> Any:
        value = type(x)(0)
        for coefficient in reversed(coefficients[8 * x.itemsize]):
            value = _fma(value, x, type(x)(coefficient))
        return value

    return horner


PRIMITIVES: dict[str, Callable] = {
    "like": lambda model, value: type(model)(value),
    "fma": _fma,
    "square_root": np.sqrt,
    "absolute": np.abs,
    "with_sign_of": np.copysign,
    "where": lambda mask, a, b: a if mask else b,
    "fraction": lambda t: t - np.rint(t),
    "scale": lambda a, n: np.ldexp(a, int(min(max(n, -2000), 2000))) if n == n else n,
}


@lru_cache(maxsize=1)
def _namespace() -> dict[str, Any]:
    """The names of formulas.py, bound to functions that run as they stand."""
    namespace = {**vars(formulas), **PRIMITIVES}
    for name, value in vars(formulas).items():
        if isinstance(value, FunctionType) and value.__module__ == formulas.__name__:
            namespace[name] = FunctionType(
                value.__code__, namespace, name, value.__defaults__, value.__closure__
            )
        elif hasattr(value, "coefficients"):
            namespace[name] = _horner(value.coefficients)
    return namespace


def uncompiled(function: Callable) -> Callable:
    """The function of formulas.py of the same text, to be called with NumPy's numbers.

    >>> value, slope = uncompiled(formulas.silu)(np.float64(0.0), 0.0)
    >>> float(value), float(slope)
    (0.0, 0.5)
    """
    return _namespace()[function.__name__]
