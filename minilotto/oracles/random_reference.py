"""The oracle of the random numbers that kernels draw while they train: plain NumPy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def philox(counter: Sequence[Any], key: Sequence[Any], rounds: int = 7) -> NDArray[np.uint64]:
    """Philox 4x32: four random words (4, ...) from counters of four words below 2^32 and keys of
    two, which broadcast.

    Salmon, Moraes, Dror and Shaw 2011, section 3.3.
    """
    arrays = np.broadcast_arrays(*(np.asarray(a, np.uint64) for a in (*counter, *key)))
    c, k, low = list(arrays[:4]), list(arrays[4:]), np.uint64(2**32 - 1)
    for _ in range(rounds):
        one, two = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(two >> 32) ^ c[1] ^ k[0], two & low, (one >> 32) ^ c[3] ^ k[1], one & low]
        k = [(k[0] + np.uint64(0x9E3779B9)) & low, (k[1] + np.uint64(0xBB67AE85)) & low]
    return np.stack(c)


def draws(root_seed: int, seeds: NDArray[np.int64], step: int, count: int) -> NDArray[np.uint64]:
    """The first `count` draws of each seed (R,) at a step: (R, count) words below 2^32."""
    low, root = 2**32 - 1, int(root_seed)
    one = philox((seeds & low, seeds >> 32, 0, 1), (root & low, root >> 32))
    blocks = np.arange(-(-count // 4))
    words = philox((blocks, step & low, step >> 32, 0), (one[0][:, None], one[1][:, None]))
    rows: NDArray[np.uint64] = words.transpose(1, 2, 0).reshape(len(seeds), -1)[:, :count]
    return rows


def batch_rows(
    root_seed: int, seeds: NDArray[np.int64], step: int, batch: int, points: int
) -> NDArray[np.intp]:
    """The points (R, batch) of so many that each seed draws at a step, with replacement."""
    each = 2 if points <= 256 else 1  # places that one word is good for
    words = draws(root_seed, seeds, step, -(-batch // each))
    places = []
    for _ in range(each):
        product = words * np.uint64(points)
        places.append(product >> np.uint64(32))
        words = product & np.uint64(2**32 - 1)
    return np.stack(places, axis=-1).reshape(len(seeds), -1)[:, :batch].astype(np.intp)


def fresh_points(
    root_seed: int,
    seeds: NDArray[np.int64],
    step: int,
    batch: int,
    domain: Sequence[tuple[float, float]],
) -> NDArray[np.float64]:
    """Uniform points (R, batch, D) of a box, an interval an input, that seeds draw at a step."""
    low, high = np.array(domain, dtype=np.float64).T
    words = draws(root_seed, seeds, step, batch * len(domain)).astype(np.float64)
    unit: NDArray[np.float64] = (words + 0.5) / 2**32
    x: NDArray[np.float64] = low + (high - low) * unit.reshape(len(seeds), batch, len(domain))
    return x
