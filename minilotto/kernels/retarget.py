"""The formulas over other operations than those of simd.py: over text of C, or NumPy's numbers."""

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from minilotto.kernels import formulas, updates

MODULES = (formulas.__name__, updates.__name__)


def retargeted(
    function: Callable[..., Any],
    operations: Mapping[str, Callable[..., Any]],
    bits_of: Callable[[Any], int],
) -> Callable[..., Any]:
    """A function of formulas.py or updates.py, uncompiled, whose operations are replaced; functions
    and polynomials that it calls are replaced too.

    `operations` stand for fma, like and the other names that formulas.py imports from simd.py;
    `bits_of` gives the precision of a number, 32 or 64, which selects the coefficients of
    polynomials.
    """
    like, fma = operations["like"], operations["fma"]

    def polynomial(table: Mapping[int, tuple[float, ...]]) -> Callable[[Any], Any]:
        def horner(x: Any) -> Any:
            *rest, last = table[bits_of(x)]
            value = like(x, last)
            for coefficient in reversed(rest):
                value = fma(value, x, like(x, coefficient))
            return value

        return horner

    known = {**vars(formulas), **vars(updates)}
    namespace = {**known, **operations}
    for name, value in known.items():
        if isinstance(value, FunctionType) and value.__module__ in MODULES:
            namespace[name] = FunctionType(
                value.__code__, namespace, name, value.__defaults__, value.__closure__
            )
        elif hasattr(value, "coefficients"):
            namespace[name] = polynomial(value.coefficients)
    retarget: Callable[..., Any] = namespace[function.__name__]
    return retarget
