"""Checks of single settings: what counts as a whole or a real number, and in which range."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minilotto.errors import ConfigError, shown

NO_NUMBERS = (bool, np.bool_, str, bytes, np.ndarray)  # though int() or float() accepts them


def whole_number(name: str, value: Any, at_least: int, below: int | None = None) -> int:
    """A setting as an int in [at_least, below); 1e6 counts as whole. Raises ConfigError."""
    whole = None
    if not isinstance(value, NO_NUMBERS):
        try:
            if value == math.floor(value):
                whole = int(value)
        except Exception:  # whatever the caller's own type raises
            whole = None
    if whole is None or whole < at_least or (below is not None and whole >= below):
        limit = f"of at least {at_least}" + (f" and below {below}" if below else "")
        raise ConfigError(f"{name}={shown(value)} is out of range; give a whole number {limit}")
    return whole


def truth_value(name: str, value: Any) -> bool:
    """A setting as a bool. Raises ConfigError for what is neither True nor False, such as "no"."""
    if not isinstance(value, (bool, np.bool_)):
        raise ConfigError(f"{name}={shown(value)} is no truth value; give True or False")
    return bool(value)


def real_number(name: str, value: Any, rule: str, holds: Callable[[float], bool]) -> float:
    """A setting as a finite float for which `holds` is true, a range that `rule` says in words;
    zero has no sign, so that equal configs have equal keys. Raises ConfigError for anything else.
    """
    real = None
    if not isinstance(value, NO_NUMBERS):
        try:
            real = float(value) + 0.0
        except Exception:
            real = None
    if real is None or not math.isfinite(real) or not holds(real):
        raise ConfigError(f"{name}={shown(value)} is out of range; give a finite number {rule}")
    return real
