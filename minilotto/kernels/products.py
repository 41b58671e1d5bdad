"""Products of matrices whose elements are Lanes, in tiles that are held in registers.

An element is the sum start + left[0] right[0] + left[1] right[1] + ... in this order, by fused
multiply-adds, so that neither the tiles nor the CPU's vector width change a bit.
"""

from itertools import product

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from minilotto.kernels.simd import constant_of, fused, llvm_type, precision_of, suffix_of
from minilotto.kernels.spec import fits, load_at

MATRIX = types.UniTuple(types.intp, 3)
ABSENT = (0, 0, 0)  # in place of a matrix


def _largest_tile(lanes) -> tuple[int, int]:
    """Rows and columns: 20 sums in 32 registers of 64 bytes (AVX-512), else 10 in 16, so that there
    are fewer loads than multiply-adds.
    """
    return (5, 4) if lanes.count * precision_of(lanes) == 512 else (2, 5)


@intrinsic
def matrix(typingctx, spec, array, offset, down, across):
    """The matrix whose element (i, j) is `offset + i down + j across` vectors from the start of an
    array, as the address of the first and both distances in bytes.
    """
    if not fits(spec, array):
        return None

    def codegen(context, builder, signature, arguments):
        size = ir.Constant(arguments[2].type, spec.lanes.count * precision_of(spec.lanes) // 8)
        offset, down, across = (builder.mul(place, size) for place in arguments[2:])
        data = context.make_array(array)(context, builder, arguments[1]).data
        address = builder.add(builder.ptrtoint(data, offset.type), offset)
        return context.make_tuple(builder, MATRIX, [address, down, across])

    return MATRIX(spec, array, types.intp, types.intp, types.intp), codegen


@intrinsic
def multiply_add(typingctx, spec, start, left, right, result, factor, rows, columns, count):
    """result[i, j] = start[i, j] + sum_k left[i, k] right[j, k], over `count` k, at least one; and
    factor[i, j] times as much in the place of the factor.

    In place of start, result and factor, ABSENT may stand. The result may lie where start does.
    """

    def codegen(context, builder, signature, arguments):
        numbers = [
            number for place in arguments[1:6] for number in cgutils.unpack_tuple(builder, place, 3)
        ]
        numbers += arguments[6:]
        kind = ir.FunctionType(ir.VoidType(), [number.type for number in numbers])
        name = f"multiply_add.{suffix_of(spec.lanes)}"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        if function.is_declaration:
            function.linkage = "linkonce_odr"
            function.attributes.add("noinline")
            _define(ir.IRBuilder(function.append_basic_block()), spec.lanes)
        builder.call(function, numbers)
        return context.get_dummy_value()

    return types.void(spec, *[MATRIX] * 5, *[types.intp] * 3), codegen


def _define(builder, lanes) -> None:
    """The body of `multiply_add`: each size of tiles has code of its own."""
    *places, rows, columns, count = builder.function.args
    matrices = [places[first : first + 3] for first in range(0, len(places), 3)]
    tallest, broadest = _largest_tile(lanes)
    for i, height in _in_blocks(builder, rows, tallest):
        for j, breadth in _in_blocks(builder, columns, broadest):
            _write_tile(builder, lanes, matrices, i, j, height, breadth, count)
    builder.ret_void()


def _in_blocks(builder, length, largest):
    """Loops over the first places of blocks that make up the length: as few as may be of at most
    `largest`, all of one size or the next smaller one.
    """
    zero, over = (ir.Constant(length.type, value) for value in (0, largest - 1))
    start, blocks = zero, builder.sdiv(builder.add(length, over), length.type(largest))
    for size in range(largest, 0, -1):
        # Of this size are those without which smaller ones would not reach the end.
        rest = builder.sub(builder.sub(length, start), builder.mul(blocks, length.type(size - 1)))
        count = builder.select(builder.icmp_signed(">", rest, zero), rest, zero)
        stop = builder.add(start, builder.mul(count, length.type(size)))
        with cgutils.for_range_slice(builder, start, stop, length.type(size)) as (index, _):
            yield index, size
        start, blocks = stop, builder.sub(blocks, count)


def _write_tile(builder, lanes, matrices, i, j, rows, columns, count) -> None:
    """The rows x columns elements from (i, j) on."""
    start, left, right, result, factor = matrices
    vector, align = llvm_type(lanes).as_pointer(), precision_of(lanes) // 8
    nought = ir.Constant(i.type, 0)
    sums = [cgutils.alloca_once(builder, vector.pointee) for _ in range(rows * columns)]

    def elements(matrix, i, j, rows, columns):
        first, *distances = matrix
        for place, distance in zip((i, j), distances, strict=True):
            first = builder.add(first, builder.mul(place, distance))
        for steps in product(range(rows), range(columns)):
            at = first
            for step, distance in zip(steps, distances, strict=True):
                at = builder.add(at, builder.mul(distance, ir.Constant(i.type, step)))
            yield builder.inttoptr(at, vector)

    def each_of(matrix):
        with builder.if_then(builder.icmp_signed("!=", matrix[0], nought)):
            yield from zip(sums, elements(matrix, i, j, rows, columns), strict=True)

    for total in sums:
        builder.store(constant_of(lanes, 0.0), total)
    for total, element in each_of(start):
        builder.store(load_at(builder, lanes, element), total)
    with cgutils.for_range(builder, count) as loop:
        pairs = product(
            [load_at(builder, lanes, at) for at in elements(left, i, loop.index, rows, 1)],
            [load_at(builder, lanes, at) for at in elements(right, j, loop.index, columns, 1)],
        )
        for total, pair in zip(sums, pairs, strict=True):
            builder.store(fused(builder, lanes, [*pair, builder.load(total)]), total)
        end = builder.block
    _leave_rolled(builder.module, end.terminator)
    for total, element in each_of(factor):
        value = builder.fmul(builder.load(total), load_at(builder, lanes, element))
        builder.store(value, element, align=align)
    for total, element in each_of(result):
        builder.store(builder.load(total), element, align=align)


def _leave_rolled(module, branch) -> None:
    """Tell LLVM not to unroll the loop of this branch: loads and FMAs fill its time, and the
    offsets of an unrolled one would take more registers than there are.
    """
    text = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
    loop = module.add_metadata([text])
    loop.operands = (loop, text)
    branch.set_metadata("llvm.loop", loop)
