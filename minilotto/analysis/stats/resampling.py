"""Resamples of losses with replacement, and statistics of them."""

from collections.abc import Iterator

import numpy as np

from minilotto.settings.arrays import Array, Ints
from minilotto.settings.limits import blocks

__all__: list[str] = []

GATHERED = 4_000_000  # losses resampled at a time


def resampled_quantiles(
    ordered: Array, quantile: float, resamples: int, random: np.random.Generator
) -> Array:
    """A quantile of each of many resamples of ascending losses (n,), from its exact distribution.

    A resample of n losses is n uniform numbers U mapped to ordered[floor(n U)], so its r-th
    smallest loss is that of the r-th smallest U, which is Beta(r, n - r + 1); the next one is the
    least of n - r uniforms above it. So no resample is drawn. Interpolation is numpy's.
    """
    n = len(ordered)
    place = (n - 1) * quantile
    below = int(place)
    rank = below + 1
    first = random.beta(rank, n - rank + 1, resamples)
    result: Array = ordered[_cells(first, n)]
    if place > below:
        second = first + (1 - first) * -np.expm1(np.log1p(-random.random(resamples)) / (n - rank))
        result = result + (place - below) * (ordered[_cells(second, n)] - result)
    return result


def _cells(uniform: Array, n: int) -> Ints:
    return np.minimum((n * uniform).astype(np.int64), n - 1)


def resampled_means(values: Array, resamples: int, random: np.random.Generator) -> Array:
    """Mean of each of many resamples of some values."""
    return np.concatenate([rows.mean(axis=1) for rows in resampled(values, resamples, random)])


def resampled(values: Array, resamples: int, random: np.random.Generator) -> Iterator[Array]:
    """Resamples (., n) of n values, with replacement, in blocks of bounded memory."""
    n = len(values)
    for block in blocks(resamples, n, GATHERED):
        yield values[random.integers(0, n, (block.stop - block.start, n))]
