"""Products of matrices whose elements are Lanes, in tiles that are held in registers.

An element is the sum start + left[0] right[0] + left[1] right[1] + ... in this order, by fused
multiply-adds, so that neither the tiles nor the CPU's vector width change a bit.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from minilotto.kernels.compile import kernel
from minilotto.kernels.simd import fused, llvm_type, precision_of
from minilotto.kernels.spec import fits


def _tile_sizes(lanes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Rows and columns of tiles, the largest first: 16 sums in 32 registers of 64 bytes (AVX-512),
    else 8 in 16, so that there are fewer loads than multiply-adds.
    """
    wide = lanes.count * precision_of(lanes) == 512
    return ((4, 2, 1) if wide else (2, 1)), (4, 2, 1)


@intrinsic
def matrix(typingctx, array, offset, down, across):
    """The matrix whose element (i, j) is `offset + i down + j across` vectors from the start of an
    array.
    """
    kind = types.Tuple((array, types.intp, types.intp, types.intp))

    def codegen(context, builder, signature, arguments):
        context.nrt.incref(builder, array, arguments[0])
        return context.make_tuple(builder, kind, arguments)

    return kind(array, types.intp, types.intp, types.intp), codegen


class _Operand:
    """The elements of a matrix."""

    def __init__(self, context, builder, spec, kind, value) -> None:
        self.builder, self.vector = builder, llvm_type(spec.lanes)
        self.align = precision_of(spec.lanes) // 8
        array, self.offset, self.down, self.across = cgutils.unpack_tuple(builder, value, 4)
        data = context.make_array(kind[0])(context, builder, array).data
        self.data = builder.bitcast(data, self.vector.as_pointer())

    def place(self, i, j) -> ir.Value:
        builder = self.builder
        index = builder.add(self.offset, builder.mul(i, self.down))
        return builder.gep(self.data, [builder.add(index, builder.mul(j, self.across))])

    def load(self, place) -> ir.Value:
        return self.builder.load(place, align=self.align)

    def store(self, value, place) -> None:
        self.builder.store(value, place, align=self.align)


def _tile(builder, spec, operands, i, j, size, count) -> None:
    """One tile of the result, with its first element at (i, j)."""
    start, left, right, result = operands
    rows = [builder.add(i, ir.Constant(i.type, row)) for row in range(size[0])]
    columns = [builder.add(j, ir.Constant(j.type, column)) for column in range(size[1])]
    places = [(row, column) for row in rows for column in columns]
    nought, one = ir.Constant(i.type, 0), ir.Constant(i.type, 1)
    sums = [start.load(start.place(*place)) for place in places]
    before = builder.block
    loop, after = (builder.append_basic_block(name) for name in ("terms", "sums"))
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(i.type)
    k.add_incoming(nought, before)
    running = [builder.phi(sum_.type) for sum_ in sums]
    factors = [
        [operand.load(operand.place(place, k)) for place in some]
        for operand, some in ((left, rows), (right, columns))
    ]
    pairs = [(a, b) for a in factors[0] for b in factors[1]]
    totals = [
        fused(builder, spec.lanes, [*pair, phi]) for phi, pair in zip(running, pairs, strict=True)
    ]
    for phi, sum_, total in zip(running, sums, totals, strict=True):
        phi.add_incoming(sum_, before)
        phi.add_incoming(total, loop)
    following = builder.add(k, one)
    k.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
    builder.position_at_end(after)
    for total, place in zip(totals, places, strict=True):
        result.store(total, result.place(*place))


@intrinsic
def _multiply_add(typingctx, spec, start, left, right, result, sizes):
    if not all(fits(spec, operand[0]) for operand in (start, left, right, result)):
        return None

    def codegen(context, builder, signature, arguments):
        operands = [
            _Operand(context, builder, spec, kind, value)
            for kind, value in zip(signature.args[1:5], arguments[1:5], strict=True)
        ]
        rows, columns, count = cgutils.unpack_tuple(builder, arguments[5])
        heights, breadths = _tile_sizes(spec.lanes)
        nought = ir.Constant(rows.type, 0)
        for i, height in _in_blocks(builder, nought, rows, heights):
            for j, breadth in _in_blocks(builder, nought, columns, breadths):
                _tile(builder, spec, operands, i, j, (height, breadth), count)
        return context.get_dummy_value()

    return types.void(spec, start, left, right, result, types.UniTuple(types.intp, 3)), codegen


def _in_blocks(builder, start, stop, sizes):
    """Loops over start, ..., stop - 1 in blocks of the first size, then of the others."""
    for size in sizes:
        length = ir.Constant(start.type, size)
        whole = builder.mul(builder.sdiv(builder.sub(stop, start), length), length)
        end = builder.add(start, whole)
        with cgutils.for_range_slice(builder, start, end, length, intp=start.type) as (index, _):
            yield index, size
        start = end


@kernel()
def multiply_add(spec, start, left, right, result, rows, columns, count):
    """result[i, j] = start[i, j] + sum_k left[i, k] right[j, k], over `count` k, at least one.

    All are matrices made by `matrix`. The result may lie where `start` does.
    """
    _multiply_add(spec, start, left, right, result, (rows, columns, count))
