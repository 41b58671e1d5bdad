"""Targets of one input that kernels compute where they draw fresh points.

They take products and comparisons alone, so that they round as the tasks of these names do.
"""

from numba.extending import register_jitable

from minilotto.kernels.simd import like, where

TARGETS = ("square", "cube", "quartic", "relu")


@register_jitable
def target_at(number, x):
    """TARGETS[number] at x."""
    if number == 0:
        return x * x
    if number == 1:
        return x * x * x
    if number == 2:
        return (x * x) * (x * x)
    nil = like(x, 0.0)
    return where(x > nil, x, nil)
