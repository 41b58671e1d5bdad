"""Cumulative moments of weighted data in one dimension, and the search for a breakpoint's place in
them in constant time.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, register_jitable
from numpy.typing import NDArray

from minilotto.kernels.compile import kernel

PIECE_TERMS = 8  # coefficients of a polynomial piece of y: degree 7
PIECE = 2 + 2 * PIECE_TERMS  # numbers in a row of Moments.pieces
ROW = 8  # float64 in a row of Moments.sums, which is one cache line: 5 leading parts, then,
REST = 10  # counted in uint32, 5 remainders
WINDOW = 8  # numbers that are compared with a breakpoint at once
GROUP = 32  # points whose places, of two bytes each, fill a cache line
LAST_PLACE = 2**16 - 2  # the next one is that of no point
NEAR = 2**12  # so many points fit the caches, and fetching ahead does not pay


class Moments(NamedTuple):
    """Cumulative moments of weighted data, to be looked up at any breakpoint.

    Points: U distinct x, ascending; sums[j] belongs to the first j of them. A density: U + 1 cells,
    whose U inner edges take the place of x; sums[j] belongs to the first j cells, and pieces[j]
    gives what a part of cell j adds.

    x (32 G + 32,)         points or inner edges, in G groups of GROUP, then NaN
    heads (G + WINDOW,)    first x of each group, then NaN
    paces (G,)             places in a group are 1 + (x - head) * pace, cut to an integer of 16 bits
    places (G, 32)         of each x, in a quarter of its bytes; then 65535
    starts (buckets + 2,)  how many heads lie in buckets before k: in bucket floor((head - origin) *
                           pace); none in the last
    sums (U + 1, 8)        sums of 2 weight (1, x, x^2, y, x y), each as a float64 and the upper
                           half of one that is added to it, which makes about 74 bits; see ROW
    pieces (U + 1, 18)     left edge and 1 / length of a cell; then coefficients of the powers of q
                           = (x - edge) / length, of 1 / q times the integral of 2 weight y from the
                           edge on, and of 1 / q^2 times that of 2 weight (x - edge) y. (0, 18) for
                           points
    size, buckets          U and the number of buckets but the last
    density                2 weight of a unit length; 0 for points
    low, high              ends of the domain; infinite for points
    """

    x: NDArray[np.float64]
    heads: NDArray[np.float64]
    paces: NDArray[np.float64]
    places: NDArray[np.uint16]
    starts: NDArray[np.uint32]
    sums: NDArray[np.float64]
    pieces: NDArray[np.float64]
    size: int
    buckets: int
    origin: float
    pace: float
    density: float
    low: float
    high: float


# Kernels pass pointers on: arrays would have their references counted at every call, atomically.
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)


@intrinsic
def pointer(typingctx, array, offset):
    """The address of array[offset]; `array` is contiguous, or a pointer itself."""
    if not (
        isinstance(array, types.CPointer)
        or (isinstance(array, types.Array) and array.layout == "C")
    ):
        return None

    def codegen(context, builder, signature, arguments):
        base, offset = arguments
        if isinstance(array, types.Array):
            base = context.make_array(array)(context, builder, base).data
        return builder.gep(base, [offset], inbounds=True)

    return types.CPointer(array.dtype)(array, types.intp), codegen


@intrinsic
def prefetch(typingctx, pointer, offset):
    """Have the cache line of pointer[offset] fetched, without waiting for it."""
    if not isinstance(pointer, types.CPointer):
        return None

    def codegen(context, builder, signature, arguments):
        address = builder.bitcast(
            builder.gep(arguments[0], [arguments[1]]), ir.IntType(8).as_pointer()
        )
        function = ir.FunctionType(ir.VoidType(), [address.type] + [_INT32] * 3)
        to_read, to_keep, data = (ir.Constant(_INT32, value) for value in (0, 3, 1))
        builder.call(
            builder.module.declare_intrinsic("llvm.prefetch", [address.type], function),
            [address, to_read, to_keep, data],
        )
        return context.get_dummy_value()

    return types.void(pointer, types.intp), codegen


@intrinsic
def remainder(typingctx, sums, offset):
    """The float64 with number `offset` of the uint32 at `sums` as upper half, and a lower of 0."""
    if sums != types.CPointer(types.float64):
        return None

    def codegen(context, builder, signature, arguments):
        halves = builder.bitcast(arguments[0], _INT32.as_pointer())
        half = builder.zext(builder.load(builder.gep(halves, [arguments[1]]), align=4), _INT64)
        return builder.bitcast(builder.shl(half, ir.Constant(_INT64, 32)), ir.DoubleType())

    return types.float64(sums, types.intp), codegen


def _compared(builder, arguments, relation, number, count, size):
    """A vector of bits: which of `count` numbers, of `size` bytes each, satisfy the relation to a
    bound.
    """
    numbers, offset, bound = arguments
    vector, index = ir.VectorType(number, count), ir.VectorType(_INT32, count)
    window = builder.load(
        builder.bitcast(builder.gep(numbers, [offset]), vector.as_pointer()), align=size
    )
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), bound, ir.Constant(_INT32, 0))
    bounds = builder.shuffle_vector(first, first, ir.Constant(index, [0] * count))
    compare = builder.fcmp_ordered if number == ir.DoubleType() else builder.icmp_unsigned
    return builder.bitcast(compare(relation, window, bounds), ir.IntType(count))


_NUMBERS = {
    types.CPointer(types.float64): (ir.DoubleType(), WINDOW, 8),
    types.CPointer(types.uint16): (ir.IntType(16), GROUP, 2),
}


@intrinsic
def count_below(typingctx, numbers, offset, bound):
    """How many of the next WINDOW float64, or of the next GROUP uint16, from numbers[offset] on are
    less than `bound`.

    Without branches, which would often be mispredicted.
    """

    def codegen(context, builder, signature, arguments):
        return builder.zext(
            builder.ctpop(_compared(builder, arguments, "<", *_NUMBERS[numbers])), _INT64
        )

    return types.int64(numbers, types.intp, numbers.dtype), codegen


@intrinsic
def any_equal(typingctx, numbers, offset, bound):
    """Whether one of these numbers equals `bound`."""

    def codegen(context, builder, signature, arguments):
        bits = _compared(builder, arguments, "==", *_NUMBERS[numbers])
        return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    return types.boolean(numbers, types.intp, numbers.dtype), codegen


@register_jitable
def borrowed(moments):
    """Moments with pointers in place of arrays."""
    return Moments(
        pointer(moments.x, 0),
        pointer(moments.heads, 0),
        pointer(moments.paces, 0),
        pointer(moments.places, 0),
        pointer(moments.starts, 0),
        pointer(moments.sums, 0),
        pointer(moments.pieces, 0),
        moments.size,
        moments.buckets,
        moments.origin,
        moments.pace,
        moments.density,
        moments.low,
        moments.high,
    )


@kernel()
def accumulate(terms, sums, rests):
    """sums[j] + rests[j] = sum of terms[:j], with an error of about 2^-104 of it: terms (P, 5),
    sums and rests (P + 1, 5).
    """
    for m in range(terms.shape[1]):
        lead, rest = 0.0, 0.0
        for p in range(terms.shape[0]):
            sums[p, m], rests[p, m] = lead, rest
            total = lead + terms[p, m]
            back = total - lead
            # What `total` lost to rounding (Knuth's two-sum).
            rest += (lead - (total - back)) + (terms[p, m] - back)
            lead = total + rest
            rest -= lead - total
        sums[terms.shape[0], m], rests[terms.shape[0], m] = lead, rest


@register_jitable(forceinline=True)
def place_of(heads, paces, group, t):
    """A place of 16 bits, which rises with t: 0 left of the group's first x."""
    place = (t - heads[group]) * paces[group] + 1.0
    return np.uint16(max(0.0, min(place, np.float64(LAST_PLACE))))


@kernel()
def set_places(x, heads, paces, places):
    """places (G, 32) of the x of each group; the last may be a part of one."""
    for j in range(x.size):
        places[j // GROUP, j % GROUP] = place_of(heads, paces, j // GROUP, x[j])


@register_jitable(forceinline=True)
def group_of(moments, t):
    """The last group whose first x is less than t, which is no NaN; 0 if none is."""
    heads = moments.heads
    place = (t - moments.origin) * moments.pace
    bucket = np.intp(max(0.0, min(place, np.float64(moments.buckets))))
    start, end = np.intp(moments.starts[bucket]), np.intp(moments.starts[bucket + 1])
    while end - start > WINDOW:
        middle = (start + end) >> 1
        if heads[middle] < t:
            start = middle + 1
        else:
            end = middle
    return max(start + count_below(heads, start, t) - 1, 0)  # what follows `end` is not less than t


@register_jitable(forceinline=True)
def below(moments, group, t):
    """(how many of moments.x are less than t, whether the next one equals it), for t in this group.

    The places decide; x itself, of which little fits the caches, is read where a place equals t's.
    """
    x, first = moments.x, GROUP * group
    place = place_of(moments.heads, moments.paces, group, t)
    j = first + count_below(moments.places, first, place)
    if any_equal(moments.places, first, place) | (moments.heads[group + 1] == t):
        j = first
        for k in range(first, first + GROUP, WINDOW):
            j += count_below(x, k, t)
        return j, x[j] == t
    return j, False
