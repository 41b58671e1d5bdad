"""Limits of arguments, refused in one line of value, rule and remedy, and of memory in use."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from minilotto.errors import ConfigError, reason_of, shown

MOST_LISTED = 2**22  # values that are taken from an iterable
HELD = 2**22  # numbers that are held at a time, unless a caller says otherwise


def check_whole(name: str, value: object, least: int, most: int | None = None) -> None:
    """Raises ConfigError for what is no whole number from `least` on, or to `most`.

    >>> check_whole("flips", 99, 99)
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):  # type: ignore[operator]
        rule = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ConfigError(f"{name}={shown(value)} is out of range; give a whole number {rule}")


def check_fraction(name: str, value: object, example: float) -> None:
    """Raises ConfigError for what is no number between 0 and 1, both excluded.

    >>> check_fraction("level", 0.9, 0.95)
    """
    if not (isinstance(value, (float, np.floating)) and 0 < value < 1):
        raise ConfigError(
            f"{name}={shown(value)} is out of range; give a number between 0 and 1, such as "
            f"{example:g}"
        )


def check_one_layer(what: str, depth: int) -> None:
    """Raises ConfigError for nets of several hidden layers, which `what` is not defined for.

    >>> check_one_layer("distillation", 1)
    """
    if depth > 1:
        raise ConfigError(f"{what} takes nets of one hidden layer, and depth={depth}; use depth=1")


def check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    """Raises ConfigError for a value that is none of the choices.

    >>> check_choice("predictor", "span", ("span", "output"))
    """
    known = tuple(choices)
    if not any(isinstance(value, type(one)) and value == one for one in known):
        words = ", ".join(map(str, known))
        raise ConfigError(f"{name}={shown(value)} is unknown; choose from {words}")


def listed(name: str, values: object) -> list[Any]:
    """The caller's values as a list. Raises ConfigError for what has none, and for more than
    MOST_LISTED, as an iterator may not end.

    >>> listed("keep", range(3))
    [0, 1, 2]
    """
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise ConfigError(f"{name}={shown(values)} is no list; give one")
    try:
        found = list(itertools.islice(values, MOST_LISTED + 1))
    except Exception as error:  # of the caller's own `__iter__`
        raise ConfigError(f"{name} is no list ({reason_of(error)}); give one") from None
    if len(found) > MOST_LISTED:
        raise ConfigError(f"{name} has more than {MOST_LISTED} values; give fewer")
    return found


def blocks(count: int, numbers: int, held: int = HELD) -> Iterator[slice]:
    """Slices of `count` rows, so many at a time that their `numbers` each stay within `held`.

    >>> list(blocks(5, 10, held=20))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = max(1, held // max(1, numbers))
    for first in range(0, count, step):
        yield slice(first, min(count, first + step))
