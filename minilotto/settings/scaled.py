"""Tasks whose target is another's times a fraction: square_times_3_over_8 is 3/8 x^2."""

import dataclasses
import re
from fractions import Fraction
from typing import TYPE_CHECKING

from minilotto.settings.arrays import Array

if TYPE_CHECKING:
    from minilotto.settings.tasks import Task

_NUMBER = "([1-9][0-9]{0,8})"
SCALED = re.compile(rf"(\w+?)(?:_times_{_NUMBER})?(?:_over_{_NUMBER})?")
SCALED_WORDS = "square_times_3_over_8 (a built-in function times a fraction in lowest terms)"


def times(task: str, number: float | Fraction) -> str:
    """The name of a task's target times a number above 0.

    >>> times("square", 8), times("square", 1), times("square", 0.375)
    ('square_times_8', 'square', 'square_times_3_over_8')
    """
    fraction = Fraction(number)
    top, bottom = (
        f"_{word}_{n}" * (n > 1)
        for word, n in (("times", fraction.numerator), ("over", fraction.denominator))
    )
    return f"{task}{top}{bottom}"


def parts_of(name: str) -> tuple[str, Fraction]:
    """The task that a name scales, itself not scaled, and the factor; else the name and 1."""
    if found := SCALED.fullmatch(name):
        base, factor = found[1], Fraction(int(found[2] or 1), int(found[3] or 1))
        again = SCALED.fullmatch(base)
        if times(base, factor) == name and again and again[1] == base:
            return base, factor
    return name, Fraction(1)


def scaled(base: "Task", factor: Fraction) -> "Task | None":
    """A task times a number; None where it is a set of examples."""
    function, name, number = base.function, times(base.name, factor), float(factor)
    if function is None:
        return None

    def target(x: Array) -> Array:
        return number * function(x)

    formula, latex = f"{factor} ({base.formula})", rf"{factor}\ ({base.latex})"
    return dataclasses.replace(base, name=name, formula=formula, latex=latex, function=target)
