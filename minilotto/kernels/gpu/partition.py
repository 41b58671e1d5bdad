"""How the threads of a GPU share one net.

A thread holds some neurons, their parameters and Adam's moments, in registers. Points come in
batches, which are dealt out to the leaves of a binary tree of sums, and a net is held by one or
more groups of threads, each of which works on some of the leaves. What decides a seed's bits
(`Partition` without its splits) is a function of sizes alone; the number of splits follows from the
number of nets, and changes no bit.

Nets of up to 32 threads share a warp with others; a larger one takes a block. A net too large for
registers is streamed from memory by one block.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple

WARP = 32
WORDS = {"float32": 1, "float64": 2}
BLOCK_WARPS = 16
REGISTER_FILE, MOST_REGISTERS = 65536, 255  # of a processor, of a thread
SCHEDULERS = 4  # of a processor
MOST_NEURONS, MOST_BATCH, STREAMED_BATCH = 7, 10, 8
MOST_TERMS = 50  # products of inputs and weights at a time: of more the compiler writes loops
# The registers that a thread is compiled for, and the words held at once that they suffice for;
# formulas of float64 take many themselves.
ROOM = {
    "float32": {128: 120, 168: 165, 200: 212, MOST_REGISTERS: 224},
    "float64": {MOST_REGISTERS: 164},
}
ASIDE = 32  # bytes of other memory that a thread may use, for addresses before and after all steps
MOST_LEAVES = 8
# Units that a round of a thread's leaves writes out: what more take does not stay in the cache.
MOST_UNITS = {"float32": 160, "float64": 40}
SHARED_BYTES = 32 * 1024  # of points, kept in shared memory; more are read from the cache
MOST_AUDITED = 5500  # points, for each of which an audit keeps a number in shared memory
# Instructions, counted in the machine code of SiLU (`python -m bench.cuda instructions`), of
# which only ratios matter: of a unit, of a thread at one point, of adding one half of the threads
# to the other, of one parameter's update, of passing a sum to another split and the parameter back.
UNIT, RESIDUAL, HALVING, UPDATE, PASSING = {"float32": 9, "float64": 70}, 6, 2, 12, 12
# Of a batch: instructions that the other warps of a processor may issue while one waits.
LATENCY = {"float32": 400, "float64": 3000}
ALONE = 2.0  # a warp alone on its scheduler takes as long as two that share it


@dataclass(frozen=True)
class Partition:
    """How threads share a net: `slots` threads hold `neurons` each, `splits` copies of them share
    the points, which come `batch` at a time and are summed in `leaves` partial sums.

    Batch k belongs to leaf k modulo `leaves`, and leaf l to split l modulo `splits`. Leaves are
    added in halves: l and l + leaves / 2, then l and l + leaves / 4, and so on. All but the neurons
    are powers of two, or slots a multiple of a warp.
    """

    slots: int
    neurons: int
    batch: int
    leaves: int = 1
    splits: int = 1
    streamed: bool = False

    @property
    def threads(self) -> int:
        """Threads that train one net together."""
        return self.slots * self.splits

    @property
    def warps(self) -> int:
        """Warps that one net spans."""
        return ceil(self.threads / WARP)

    def batches(self, points: int) -> int:
        """Batches of so many points."""
        return ceil(points / self.batch)

    def padded(self, points: int) -> int:
        """Rows that a table of so many points needs, for any number of splits."""
        unit = self.leaves * self.batch
        return ceil(points / unit) * unit


class Kind(NamedTuple):
    """What a training kernel is compiled for; `staged`: the points fit shared memory; `batched`:
    each net draws those of a step; `whole`: no thread holds fewer neurons than another.
    """

    activation: str
    dtype: str
    inputs: int
    partition: Partition
    staged: bool
    optimizer: str
    loss: str = "squared"
    batched: bool = False
    whole: bool = False


class Evaluation(NamedTuple):
    """What a kernel of evaluate.py is compiled for; `audit`: it compares gradients too."""

    activation: str
    dtype: str
    inputs: int
    loss: str
    audit: bool


class Gathering(NamedTuple):
    """What the kernel that copies rows is compiled for."""

    dtype: str


Form = Kind | Evaluation | Gathering


class Draws(NamedTuple):
    """Batches of points: `size` of a table's first `rows`; other places of a step get row `rows`,
    whose weight is zero. Without draws `rows` is how many rows each net has for itself at each
    step, and 0 where all have the same at all steps.

    keys (R,)       of the seeds, by `random.seed_keys`
    places (*, P)   space for the rows drawn, for each net of the launch
    first           number of the first step
    """

    keys: Any
    places: Any
    first: int
    size: int
    rows: int


@lru_cache(maxsize=256)
def partition_for(width: int, inputs: int, points: int, dtype: str) -> Partition:
    """The Partition of nets of this size, with the fewest splits.

    >>> partition_for(20, 1, 100, "float32")
    Partition(slots=4, neurons=5, batch=10, leaves=4, splits=2, streamed=False)
    """
    within = [1 << k for k in range(WARP.bit_length())]
    beyond = range(2 * WARP, WARP * BLOCK_WARPS + 1, WARP)
    found = []
    for slots in (*within, *beyond):
        neurons = ceil(width / slots)
        if neurons > MOST_NEURONS:
            continue
        for batch in range(1, min(MOST_BATCH, points) + 1):
            if neurons * batch * inputs > MOST_TERMS:
                break
            batches = ceil(points / batch)
            most = (
                MOST_LEAVES
                if neurons * WORDS[dtype] < 5
                else min(MOST_LEAVES // 2, max(2, batches // 2))
            )
            leaves = 1 << min(most, batches, WARP // min(slots, WARP)).bit_length() - 1
            one = Partition(slots, neurons, batch, leaves)
            found += _splittings(one, inputs, dtype)[:1]
        if neurons == 1:
            break
    if found:
        return min(found, key=lambda one: one.threads * _instructions(one, inputs, points, dtype))
    slots = min(max(_power_of_two(width), WARP), WARP * BLOCK_WARPS)
    return Partition(slots, 0, STREAMED_BATCH, streamed=True)


def _splittings(partition: Partition, inputs: int, dtype: str) -> list[Partition]:
    """The same with each number of splits that leaves room for the sums."""
    units = partition.leaves * partition.neurons * partition.batch
    numbers = (1 << k for k in range(partition.leaves.bit_length()))
    found = [replace(partition, splits=n) for n in numbers if units <= n * MOST_UNITS[dtype]]
    return [one for one in found if registers(one, inputs, dtype)]


def split_for(
    partition: Partition, inputs: int, points: int, dtype: str, nets: int, processors: int
) -> Partition:
    """The same with the splits that train so many nets soonest.

    >>> few, many = 1000, 60_000
    >>> partition = partition_for(20, 1, 100, "float32")
    >>> [split_for(partition, 1, 100, "float32", nets, 132).splits for nets in (few, many)]
    [4, 2]
    """
    if partition.streamed:
        return partition

    def time(one: Partition) -> float:
        warps = ceil(ceil(nets * one.threads / WARP) / (processors * SCHEDULERS))
        return max(ALONE, warps) * _instructions(one, inputs, points, dtype)

    return min(_splittings(partition, inputs, dtype), key=time)


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


def _instructions(partition: Partition, inputs: int, points: int, dtype: str) -> float:
    """Of one thread in one step, about."""
    slots, neurons, batch, leaves, splits = (
        partition.slots,
        partition.neurons,
        partition.batch,
        partition.leaves,
        partition.splits,
    )
    full, rest = divmod(partition.batches(points), leaves)
    batches = full * leaves // splits + ceil(rest / splits)
    halvings = ceil(slots / WARP) - 1 + (min(slots, WARP) - 1).bit_length()
    point = neurons * (UNIT[dtype] + 2 * inputs) + RESIDUAL + 2 * inputs + HALVING * halvings
    waiting = LATENCY[dtype] / (REGISTER_FILE // (WARP * registers(partition, inputs, dtype)))
    sums = neurons * (inputs + 2) + 1
    share = ceil(sums / splits)
    update = UPDATE * share + PASSING * share * (splits - 1)
    return batches * (batch * point + waiting) + sums * (leaves // splits - 1) + update


def registers(partition: Partition, inputs: int, dtype: str) -> int:
    """Registers to compile a thread for; 0 where it holds too much."""
    if partition.streamed:
        return min(MOST_REGISTERS, REGISTER_FILE // partition.threads)
    parameters = partition.neurons * (inputs + 2)
    sums = partition.leaves // partition.splits * (parameters + 1)
    kept = (2 * partition.neurons + 1) * partition.batch
    held = WORDS[dtype] * (4 * parameters + sums + kept)
    fitting = (
        number
        for number, room in ROOM[dtype].items()
        if held <= room and number * partition.threads <= REGISTER_FILE
    )
    return next(fitting, 0)


def limits(kind: Form) -> tuple[int, ...]:
    """Registers to compile a kernel for, and the most of all, for formulas that need more."""
    if not isinstance(kind, Kind):
        return 128, MOST_REGISTERS
    partition = kind.partition
    first = registers(partition, kind.inputs, kind.dtype)
    most = min(MOST_REGISTERS, REGISTER_FILE // partition.threads)
    return (first, most) if first < most else (first,)
