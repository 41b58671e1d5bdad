"""Cumulative moments of weighted data in one dimension, and finding one's place in them in constant time."""

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
WINDOW = 8  # points that are compared with a breakpoint at once
NEAR = 2**12  # so many points fit the caches, and fetching ahead does not pay


class Moments(NamedTuple):
    """Cumulative moments of weighted data, to be looked up at any breakpoint.

    Points: U distinct x, ascending; sums[j] belongs to the first j of them. A density: U + 1 cells, whose U inner edges take the
    place of x; sums[j] belongs to the first j cells, and pieces[j] says what part of cell j adds.

    x (U + WINDOW,)        points or inner edges, then NaN
    starts (buckets + 2,)  how many x lie in buckets before k. x lies in bucket floor((x - origin) * pace); none in the last
    sums (U + 1, 8)        sums of 2 weight (1, x, x^2, y, x y), each as a float64 and the upper half of one that is added to it,
                           which makes about 74 bits; see ROW
    pieces (U + 1, 18)     left edge and 1 / length of a cell; then coefficients of the powers of q = (x - edge) / length, of 1 / q
                           times the integral of 2 weight y from the edge on, and of 1 / q^2 times that of 2 weight (x - edge) y.
                           (0, 18) for points
    size, buckets          U and the number of buckets but the last
    density                2 weight of a unit length; 0 for points
    low, high              ends of the domain; infinite for points
    """

    x: NDArray[np.float64]
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
    if not (isinstance(array, types.CPointer) or (isinstance(array, types.Array) and array.layout == "C")):
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
        address = builder.bitcast(builder.gep(arguments[0], [arguments[1]]), ir.IntType(8).as_pointer())
        function = ir.FunctionType(ir.VoidType(), [address.type] + [_INT32] * 3)
        to_read, to_keep, data = (ir.Constant(_INT32, value) for value in (0, 3, 1))
        builder.call(builder.module.declare_intrinsic("llvm.prefetch", [address.type], function), [address, to_read, to_keep, data])
        return context.get_dummy_value()

    return types.void(pointer, types.intp), codegen


@intrinsic
def remainder(typingctx, sums, offset):
    """The float64 whose upper half is number `offset` of the uint32 at `sums`, its lower half zero."""
    if sums != types.CPointer(types.float64):
        return None

    def codegen(context, builder, signature, arguments):
        halves = builder.bitcast(arguments[0], _INT32.as_pointer())
        half = builder.zext(builder.load(builder.gep(halves, [arguments[1]]), align=4), _INT64)
        return builder.bitcast(builder.shl(half, ir.Constant(_INT64, 32)), ir.DoubleType())

    return types.float64(sums, types.intp), codegen


@intrinsic
def count_below(typingctx, x, offset, t):
    """How many of x[offset : offset + WINDOW] are less than t, without branches, which would often be mispredicted."""
    if not (x == types.CPointer(types.float64) and t == types.float64):
        return None

    def codegen(context, builder, signature, arguments):
        vector, index = ir.VectorType(ir.DoubleType(), WINDOW), ir.VectorType(_INT32, WINDOW)
        window = builder.load(builder.bitcast(builder.gep(arguments[0], [arguments[1]]), vector.as_pointer()), align=8)
        first = builder.insert_element(ir.Constant(vector, ir.Undefined), arguments[2], ir.Constant(_INT32, 0))
        less = builder.fcmp_ordered("<", window, builder.shuffle_vector(first, first, ir.Constant(index, [0] * WINDOW)))
        return builder.zext(builder.ctpop(builder.bitcast(less, ir.IntType(WINDOW))), _INT64)

    return types.int64(x, types.intp, t), codegen


@register_jitable
def borrowed(moments):
    """Moments with pointers in place of arrays."""
    return Moments(
        pointer(moments.x, 0),
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
    """sums[j] + rests[j] = sum of terms[:j], with an error of about 2^-104 of it: terms (P, 5), sums and rests (P + 1, 5)."""
    for m in range(terms.shape[1]):
        lead, rest = 0.0, 0.0
        for p in range(terms.shape[0]):
            sums[p, m], rests[p, m] = lead, rest
            total = lead + terms[p, m]
            back = total - lead
            rest += (lead - (total - back)) + (terms[p, m] - back)  # what `total` lost to rounding (Knuth's two-sum)
            lead = total + rest
            rest -= lead - total
        sums[terms.shape[0], m], rests[terms.shape[0], m] = lead, rest


@register_jitable(forceinline=True)
def bucket_of(moments, t):
    """(start, end, part) of t's bucket: start to end are its x, and t lies at that part of its length."""
    last = np.float64(moments.buckets)
    place = (t - moments.origin) * moments.pace
    place = max(0.0, min(place, last))
    k = np.intp(place)
    return np.intp(moments.starts[k]), np.intp(moments.starts[k + 1]), place - np.float64(k)


@register_jitable(forceinline=True)
def window(start, end, part):
    """Where WINDOW x have t in their middle, if those of its bucket are spread evenly."""
    middle = start + np.intp(part * np.float64(end - start))
    return max(start, min(middle - WINDOW // 2, end - WINDOW))


@register_jitable(forceinline=True)
def below(moments, t):
    """How many of moments.x are less than t, which is no NaN."""
    x = moments.x
    start, end, part = bucket_of(moments, t)
    if end - start > WINDOW:
        guess = window(start, end, part)
        if x[guess] < t and not x[guess + WINDOW - 1] < t:
            start, end = guess, guess + WINDOW
        while end - start > WINDOW:
            middle = (start + end) >> 1
            if x[middle] < t:
                start = middle + 1
            else:
                end = middle
    return start + count_below(x, start, t)  # what follows `end` is not less than t
