"""Derive CRITICAL of minilotto/analysis/stats/modes.py: `python -m bench.multiscale [--draws N]`.

For each number of losses, quantiles of the largest excess of the multiscale test among uniform
values, the density that is hardest to tell from one with a valley.
"""

import sys

import numpy as np

from bench.command import run_command
from minilotto.analysis.stats.modes import CRITICAL, excesses, stretches
from minilotto.settings.arrays import Array
from minilotto.settings.limits import blocks
from minilotto.settings.numbers import whole_number

BATCH = 2_000_000  # tests at a time


def largest_excesses(count: int, draws: int, seed: int = 0) -> Array:
    """The largest excess (draws,) among all intervals of `count` sorted uniform values."""
    random = np.random.default_rng((seed, count))
    first, last = stretches(count)
    found = np.empty(draws)
    for block in blocks(draws, len(first), BATCH):
        rows = found[block]
        ordered = np.cumsum(random.standard_exponential((len(rows), count + 1)), axis=1)
        ordered = ordered[:, :-1] / ordered[:, -1:]
        rows[:] = excesses(ordered, first, last, ordered[:, first], ordered[:, last]).max(axis=1)
    return found


def main(*, draws: int = 20_000) -> None:
    """Print the table; a chance of 5 percent is met to 0.15 percent by 20,000 draws."""
    whole_number("draws", draws, at_least=2)
    counts = CRITICAL["losses"]
    columns = []
    for count in counts:
        largest = largest_excesses(int(count), draws if count < 1000 else draws // 2)
        columns.append(np.quantile(largest, [0.9, 0.95, 0.99]))
    print(f'CRITICAL = {{\n    "losses": {counts},')
    for name, values in zip((0.1, 0.05, 0.01), np.transpose(columns).tolist(), strict=True):
        print(f"    {name}: ({', '.join(f'{value:.3f}' for value in values)}),")
    print("}")


if __name__ == "__main__":
    sys.exit(run_command(main, "bench.multiscale"))
