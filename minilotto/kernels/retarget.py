"""The formulas over other operations than those of simd.py: over text of C, or NumPy's numbers."""

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from minilotto.kernels import formulas


def retargeted(
    function: Callable[..., Any],
    operations: Mapping[str, Callable[..., Any]],
    bits_of: Callable[[Any], int],
) -> Callable[..., Any]:
    """A function of formulas.py, uncompiled, whose operations are replaced.

    Parameters
    ----------
    function : callable
        Of formulas.py. The functions and polynomials that it calls are replaced likewise.
    operations : mapping of str to callable
        What stands for fma, like and the other names that formulas.py imports from simd.py.
    bits_of : callable
        Precision of a number, 32 or 64, which selects the coefficients of polynomials.

    Returns
    -------
    callable
        Takes what `function` takes, in the type of number that `operations` work on.
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

    namespace = {**vars(formulas), **operations}
    for name, value in vars(formulas).items():
        if isinstance(value, FunctionType) and value.__module__ == formulas.__name__:
            namespace[name] = FunctionType(
                value.__code__, namespace, name, value.__defaults__, value.__closure__
            )
        elif hasattr(value, "coefficients"):
            namespace[name] = polynomial(value.coefficients)
    retarget: Callable[..., Any] = namespace[function.__name__]
    return retarget
