"""How the threads of a GPU share one net: a function of sizes alone, so that a seed's bits never
depend on its neighbours.

A thread holds some neurons, parameters and Adam's moments in registers. Where a net takes few
threads, it is held several times, and each copy works on a fraction of the points. Nets of up to 32
threads share a warp with others; a larger one takes a block. A net too large for registers is
streamed from memory by one block.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

WARP = 32
WORDS = {"float32": 1, "float64": 2}
# A thread's registers of 32 bits for parameters, moments, gradient and kept activations.
REGISTERS = 96
# Points at a time; the same for all, so that few kernels serve all numbers of points.
BATCH, STREAMED_BATCH = 4, 8
POINTS_A_THREAD = 24  # at least so many before points are split
BLOCK_WARPS = 16
REGISTER_FILE, MOST_REGISTERS = 65536, 255  # of a processor, of a thread
SHARED_BYTES = 32 * 1024  # of points, kept in shared memory; more are read from the cache
# Instructions a point, about: of a neuron, of adding one half of the threads to the other, of the
# residual. Only ratios matter.
NEURON, HALVING, RESIDUAL = 11, 2, 4


@dataclass(frozen=True)
class Partition:
    """How threads share a net: `slots` threads hold `neurons` each, `splits` copies of them share
    the points, `batch` at a time.
    """

    slots: int
    neurons: int
    splits: int
    batch: int
    streamed: bool = False

    @property
    def threads(self) -> int:
        """Threads that train one net together."""
        return self.slots * self.splits

    @property
    def warps(self) -> int:
        """Warps that one net spans."""
        return ceil(self.threads / WARP)

    def padded(self, points: int) -> int:
        """The next number of points that the threads share evenly."""
        unit = self.splits * self.batch
        return ceil(points / unit) * unit


class Kind(NamedTuple):
    """What a training kernel is compiled for; `staged`: the points fit shared memory; `batched`:
    each net draws those of a step.
    """

    activation: str
    dtype: str
    inputs: int
    partition: Partition
    staged: bool
    optimizer: str
    loss: str = "squared"
    batched: bool = False


class Draws(NamedTuple):
    """Batches of points: `size` of a table's first `rows`; other places of a step get row `rows`,
    whose weight is zero.

    keys (R,)       of the seeds, by `random.seed_keys`
    places (*, P)   space for the rows drawn, for each net of the launch
    first           number of the first step
    """

    keys: Any
    places: Any
    first: int
    size: int
    rows: int


def partition_for(width: int, inputs: int, points: int, dtype: str) -> Partition:
    """The Partition of nets of this size.

    >>> partition_for(20, 1, 100, "float32")
    Partition(slots=8, neurons=3, splits=4, batch=4, streamed=False)
    """
    # Words a neuron: parameter, two moments, gradient, and the parameter in the activation's units.
    held = 5 * (inputs + 2)
    most = REGISTERS // WORDS[dtype] // (held + 2 * BATCH)
    if most == 0 or width > most * WARP * BLOCK_WARPS:
        slots = min(max(_power_of_two(width), WARP), WARP * BLOCK_WARPS)
        return Partition(slots, 0, 1, STREAMED_BATCH, streamed=True)
    fitting = [(_power_of_two(ceil(width / neurons)), neurons) for neurons in range(1, most + 1)]
    within_warp = [(slots, neurons) for slots, neurons in fitting if slots <= WARP]
    if within_warp:
        slots, neurons = min(
            within_warp, key=lambda pair: (_instructions(pair[0], pair[1], inputs), -pair[0])
        )
        splits = 1
        while 2 * slots * splits <= WARP and points >= 2 * splits * POINTS_A_THREAD:
            splits *= 2
    else:
        slots, neurons, splits = WARP * ceil(width / (most * WARP)), most, 1
    return Partition(slots, neurons, splits, BATCH)


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


def _instructions(slots: int, neurons: int, inputs: int) -> int:
    """Issued for one net and point, about."""
    halvings = slots.bit_length() - 1
    return slots * (neurons * (NEURON + 2 * inputs) + HALVING * halvings + RESIDUAL + inputs)


def limits(partition: Partition) -> dict[str, int]:
    """Options that make a block of so many threads fit the 65536 registers of a processor."""
    if partition.threads > REGISTER_FILE // MOST_REGISTERS:
        return {"max_registers": REGISTER_FILE // partition.threads}
    return {}
