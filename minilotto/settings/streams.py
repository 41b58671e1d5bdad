"""Random numbers that depend on their purpose and on a place in a counter alone, not on what was
drawn before.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray


def stream(root_seed: int, purpose: str, first: int, count: int) -> NDArray[np.float64]:
    """`count` numbers in (0, 1), symmetric about 1/2, from Philox blocks `first`, first + 1, ... of
    four numbers each.

    `purpose` and root_seed select the key, so that different purposes share no numbers.
    """
    tag = int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little")
    philox = np.random.Philox(key=np.array([root_seed, tag], dtype=np.uint64), counter=first)
    return ((philox.random_raw(count) >> 11).astype(np.float64) + 0.5) * 2.0**-53
