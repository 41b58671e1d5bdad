"""Random numbers that depend on their purpose and their position alone, not on earlier draws."""

import hashlib

import numpy as np

from minilotto.settings.arrays import Array


def stream(root_seed: int, purpose: str, first: int, count: int) -> Array:
    """Uniform random numbers in (0, 1), symmetric about 1/2.

    Parameters
    ----------
    root_seed : int
        Selects, with `purpose`, the key of the Philox generator.
    purpose : str
        Different purposes share no numbers.
    first : int
        Number of the first Philox block; a block is four numbers.
    count : int
        How many numbers.

    Returns
    -------
    (count,) array of float64
        The numbers of blocks first, first + 1, ...
    """
    tag = int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little")
    philox = np.random.Philox(key=np.array([root_seed, tag], dtype=np.uint64), counter=first)
    return ((philox.random_raw(count) >> 11).astype(np.float64) + 0.5) * 2.0**-53
