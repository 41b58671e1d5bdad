"""Random numbers that depend on their purpose and their position alone, not on earlier draws."""

import hashlib

import numpy as np

from minilotto.settings.arrays import Array


def stream(root_seed: int, purpose: str, first: int, count: int) -> Array:
    """Uniform random numbers (count,) in (0, 1), symmetric about 1/2, of a root seed; different
    purposes share none.

    They are those of the Philox blocks first, first + 1, ..., four in each.
    """
    tag = int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little")
    philox = np.random.Philox(key=np.array([root_seed, tag], dtype=np.uint64), counter=first)
    return ((philox.random_raw(count) >> 11).astype(np.float64) + 0.5) * 2.0**-53
