"""Products of matrices whose elements are Lanes, in tiles that are held in registers.

An element is the sum start + left[0] right[0] + left[1] right[1] + ... in this order, by fused
multiply-adds, so that neither the tiles nor the CPU's vector width change a bit.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from minilotto.kernels.compile import kernel
from minilotto.kernels.simd import constant_of, fused, llvm_type, precision_of
from minilotto.kernels.spec import fits


def _largest_tile(lanes) -> tuple[int, int]:
    """Rows and columns: 20 sums in 32 registers of 64 bytes (AVX-512), else 8 in 16, so that there
    are fewer loads than multiply-adds.
    """
    return (5, 4) if lanes.count * precision_of(lanes) == 512 else (2, 4)


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
    """The elements of a matrix, at distances in bytes."""

    def __init__(self, context, builder, spec, kind, value) -> None:
        self.builder, self.vector = builder, llvm_type(spec.lanes)
        self.align = precision_of(spec.lanes) // 8
        array, *places = cgutils.unpack_tuple(builder, value, 4)
        size = ir.Constant(places[0].type, self.align * spec.lanes.count)
        offset, self.down, self.across = (builder.mul(place, size) for place in places)
        data = context.make_array(kind[0])(context, builder, array).data
        self.data = builder.gep(builder.bitcast(data, cgutils.voidptr_t), [offset])

    def at(self, i, j) -> ir.Value:
        """The address of element (i, j)."""
        builder = self.builder
        distance = builder.add(builder.mul(i, self.down), builder.mul(j, self.across))
        return builder.gep(self.data, [distance])

    def load(self, address, distance) -> ir.Value:
        return self.builder.load(self._vector_at(address, distance), align=self.align)

    def store(self, value, address, distance) -> None:
        self.builder.store(value, self._vector_at(address, distance), align=self.align)

    def _vector_at(self, address, distance) -> ir.Value:
        there = self.builder.gep(address, [distance])
        return self.builder.bitcast(there, self.vector.as_pointer())


def _multiples(builder, distance, count) -> list[ir.Value]:
    return [builder.mul(distance, ir.Constant(distance.type, k)) for k in range(count)]


def _leave_rolled(module, branch) -> None:
    """Tell LLVM not to unroll the loop of this branch: loads and FMAs fill its time, and the
    offsets of an unrolled one would take more registers than there are.
    """
    text = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
    loop = module.add_metadata([text])
    loop.operands = (loop, text)
    branch.set_metadata("llvm.loop", loop)


def _tile(builder, spec, operands, i, j, size, count) -> None:
    """One tile of the result, with its first element at (i, j)."""
    start, left, right, result, factor = operands
    height, breadth = size
    nought, one = ir.Constant(i.type, 0), ir.Constant(i.type, 1)

    def distances(operand):
        downs = _multiples(builder, operand.down, height)
        return [
            builder.add(down, across)
            for down in downs
            for across in _multiples(builder, operand.across, breadth)
        ]

    sums = [constant_of(spec.lanes, 0.0)] * (height * breadth)
    if start is not None:
        first = start.at(i, j)
        sums = [start.load(first, distance) for distance in distances(start)]
    sides = [
        (left, left.at(i, nought), _multiples(builder, left.down, height)),
        (right, right.at(j, nought), _multiples(builder, right.down, breadth)),
    ]
    before = builder.block
    loop, after = (builder.append_basic_block(name) for name in ("terms", "sums"))
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(i.type)
    k.add_incoming(nought, before)
    running = [builder.phi(sum_.type) for sum_ in sums]
    addresses = [builder.phi(address.type) for _, address, _ in sides]
    factors = [
        [operand.load(address, distance) for distance in some]
        for (operand, _, some), address in zip(sides, addresses, strict=True)
    ]
    pairs = [(a, b) for a in factors[0] for b in factors[1]]
    totals = [
        fused(builder, spec.lanes, [*pair, phi]) for phi, pair in zip(running, pairs, strict=True)
    ]
    for phi, sum_, total in zip(running, sums, totals, strict=True):
        phi.add_incoming(sum_, before)
        phi.add_incoming(total, loop)
    for phi, (operand, address, _) in zip(addresses, sides, strict=True):
        phi.add_incoming(address, before)
        phi.add_incoming(builder.gep(phi, [operand.across]), loop)
    following = builder.add(k, one)
    k.add_incoming(following, loop)
    again = builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
    _leave_rolled(builder.module, again)
    builder.position_at_end(after)
    if factor is not None:
        first = factor.at(i, j)
        factors = [factor.load(first, distance) for distance in distances(factor)]
        totals = [builder.fmul(*pair) for pair in zip(totals, factors, strict=True)]
    first = result.at(i, j)
    for total, distance in zip(totals, distances(result), strict=True):
        result.store(total, first, distance)


@intrinsic
def _multiply_add(typingctx, spec, start, left, right, result, factor, sizes):
    given = [one for one in (start, left, right, result, factor) if one != types.none]
    if not all(fits(spec, operand[0]) for operand in given):
        return None

    def codegen(context, builder, signature, arguments):
        operands = [
            None if kind == types.none else _Operand(context, builder, spec, kind, value)
            for kind, value in zip(signature.args[1:6], arguments[1:6], strict=True)
        ]
        rows, columns, count = cgutils.unpack_tuple(builder, arguments[6])
        tallest, broadest = _largest_tile(spec.lanes)
        for i, height in _in_blocks(builder, rows, tallest):
            for j, breadth in _in_blocks(builder, columns, broadest):
                _tile(builder, spec, operands, i, j, (height, breadth), count)
        return context.get_dummy_value()

    sizes = types.UniTuple(types.intp, 3)
    return types.void(spec, start, left, right, result, factor, sizes), codegen


def _in_blocks(builder, length, largest):
    """Loops over the first places of blocks that make up the length: as few as may be of at most
    `largest`, all of one size or the next smaller one.
    """

    def number(value):
        return ir.Constant(length.type, value)

    start, over = number(0), builder.add(length, number(largest - 1))
    blocks = builder.sdiv(over, number(largest))
    for size in range(largest, 0, -1):
        # Of this size are those without which smaller ones would not reach the end.
        smaller = builder.mul(blocks, number(size - 1))
        rest = builder.sub(builder.sub(length, start), smaller)
        count = builder.select(builder.icmp_signed(">", rest, number(0)), rest, number(0))
        stop = builder.add(start, builder.mul(count, number(size)))
        with cgutils.for_range_slice(builder, start, stop, number(size)) as (index, _):
            yield index, size
        start, blocks = stop, builder.sub(blocks, count)


@kernel()
def multiply_add(spec, start, left, right, result, factor, rows, columns, count):
    """result[i, j] = (start[i, j] + sum_k left[i, k] right[j, k]) factor[i, j], over `count` k, at
    least one.

    All are matrices made by `matrix`; None as `start` are zeros, as `factor` ones. The result may
    lie where these do.
    """
    _multiply_add(spec, start, left, right, result, factor, (rows, columns, count))
