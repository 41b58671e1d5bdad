"""Targets of one input that kernels compute where they draw fresh points.

They take products and comparisons alone, so that they round as the tasks of these names do.
"""

from numba.extending import register_jitable

from minilotto.kernels.simd import like, where

TARGETS = ("square", "cube", "quartic", "relu")
ITSELF = -1  # stands for x


@register_jitable
def target_at(number, x):
    """TARGETS[number] at x, or x ITSELF."""
    if number == 0:
        return x * x
    if number == 1:
        return x * x * x
    if number == 2:
        return (x * x) * (x * x)
    if number == 3:
        return where(x > like(x, 0.0), x, like(x, 0.0))
    return x
