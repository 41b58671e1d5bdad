"""Formulas of kernels/formulas.py as C: run with objects that record operations as statements."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minilotto.errors import ConfigError
from minilotto.kernels.retarget import retargeted

__all__: list[str] = []

REAL = {"float64": ("double", "", 64), "float32": ("float", "f", 32)}


class Written:
    """A number of which only the C text is known; operators write statements."""

    def __init__(self, writer: "Writer", text: str) -> None:
        self.writer, self.text = writer, text

    def __add__(self, other: "Written") -> "Written":
        return self.writer.keep(f"{self.text} + {other.text}")

    def __sub__(self, other: "Written") -> "Written":
        return self.writer.keep(f"{self.text} - {other.text}")

    def __mul__(self, other: "Written") -> "Written":
        return self.writer.keep(f"{self.text} * {other.text}")

    def __truediv__(self, other: "Written") -> "Written":
        return self.writer.keep(f"{self.text} / {other.text}")

    def __neg__(self) -> "Written":
        return self.writer.keep(f"-({self.text})")

    def __lt__(self, other: "Written") -> str:
        return f"{self.text} < {other.text}"

    def __gt__(self, other: "Written") -> str:
        return f"{self.text} > {other.text}"


class Writer:
    """Runs formulas of kernels/formulas.py and records C statements, one operation each."""

    def __init__(self, dtype: str, prefix: str) -> None:
        self.real, self.suffix, self.bits = REAL[dtype]
        self.prefix, self.dtype = prefix, dtype
        self.lines: list[str] = []
        self.known: dict[str, Written] = {}

    def keep(self, expression: str) -> Written:
        """The result of an expression, recorded once however often it occurs."""
        if expression not in self.known:
            self.known[expression] = Written(self, f"t{len(self.lines)}")
            self.lines.append(f"const {self.real} t{len(self.lines)} = {expression};")
        return self.known[expression]

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a formula of kernels/formulas.py returns, called with operations that write C."""
        operations: dict[str, Callable[..., Any]] = {
            "fma": lambda a, b, c: self.keep(f"{self.prefix}_FMA({a.text}, {b.text}, {c.text})"),
            "like": lambda model, value: (
                value if isinstance(value, Written) else Written(self, number(value, self.dtype))
            ),
            "absolute": lambda a: self.keep(f"fabs{self.suffix}({a.text})"),
            "square_root": lambda a: self.keep(f"sqrt{self.suffix}({a.text})"),
            "with_sign_of": lambda a, b: self.keep(f"copysign{self.suffix}({a.text}, {b.text})"),
            "where": lambda mask, a, b: self.keep(f"{mask} ? {a.text} : {b.text}"),
            "whole": lambda t: self.keep(f"rint{self.suffix}({t.text})"),
            "fraction": lambda t: self.keep(f"{t.text} - rint{self.suffix}({t.text})"),
            "scale": lambda a, n: self.keep(f"{self.prefix}_scale({a.text}, {n.text})"),
        }
        return retargeted(function, operations, lambda x: self.bits)(*arguments)


def number(value: float, dtype: str) -> str:
    """A C constant with exactly this value. Raises ConfigError for one that is not finite."""
    if not np.isfinite(value):
        raise ConfigError(
            f"a number of the nets, or the product of two, is beyond {dtype}; export nets of "
            "smaller weights, or in float64"
        )
    if dtype == "float32":
        text = str(np.float32(value))
        return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"
    return repr(float(value))
