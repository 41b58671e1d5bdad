"""Pairs of numbers of a table at places that differ from lane to lane.

Some AVX-512 has an instruction that chooses among the bytes of two registers. It reads small
tables, held as planes of bytes, some three times faster than loads do.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minilotto.kernels.groups import joined, shuffled
from minilotto.kernels.simd import call, llvm_type, precision_of
from minilotto.kernels.spec import SpecType

SMALL = 128  # pairs of a table that is held in registers
ROWS = 4  # of lanes that are read at a time, in either way
_INT32, _BYTE = ir.IntType(32), ir.IntType(8)
_BYTES = ir.VectorType(_BYTE, 64)  # of a register
_PLANES = 8  # bytes of a pair


def _in_registers(context, lanes) -> bool:
    features = context.codegen().magic_tuple()[-1].split(",")
    return "+avx512vbmi" in features and lanes.count == 16 and precision_of(lanes) == 32


def _load(context, builder, array_type, array, offset, vector) -> ir.Value:
    """A vector from `array[offset]` on."""
    start = context.make_array(array_type)(context, builder, array).data
    address = builder.bitcast(builder.gep(start, [offset], inbounds=True), vector.as_pointer())
    return builder.load(address, align=array_type.dtype.bitwidth // 8)


@intrinsic
def load_small(typingctx, spec, planes, offset):
    """The bytes `planes[offset : offset + 8 * SMALL]`, for `pick_small`: the first of each pair,
    then the second, ...
    """
    if not (isinstance(spec, SpecType) and isinstance(planes, types.Array)):
        return None
    lanes = spec.lanes
    result = types.UniTuple(lanes, _PLANES * SMALL // 64)

    def codegen(context, builder, signature, arguments):
        if not _in_registers(context, lanes):
            return ir.Constant(context.get_value_type(result), ir.Undefined)  # never used
        parts = []
        for number in range(result.count):
            at = builder.add(arguments[2], ir.Constant(arguments[2].type, 64 * number))
            parts.append(_load(context, builder, planes, arguments[1], at, llvm_type(lanes)))
        return context.make_tuple(builder, result, parts)

    return result(spec, planes, types.intp), codegen


@intrinsic
def pick(typingctx, spec, table, offset, places, first):
    """The first and the second numbers of the pairs in places[first + lane], where `table[offset]`
    begins the first pair: two Lanes.
    """
    if not (isinstance(spec, SpecType) and isinstance(table, types.Array)):
        return None
    lanes = spec.lanes

    def codegen(context, builder, signature, arguments):
        _, data, offset, array, first = arguments
        start = context.make_array(table)(context, builder, data).data
        start = builder.gep(start, [offset], inbounds=True)
        rows = context.make_array(places)(context, builder, array).data
        pair = ir.VectorType(start.type.pointee, 2)
        found = []
        for lane in range(lanes.count):
            at = builder.add(first, ir.Constant(first.type, lane))
            row = builder.zext(builder.load(builder.gep(rows, [at], inbounds=True)), at.type)
            address = builder.gep(start, [builder.shl(row, ir.Constant(at.type, 1))], inbounds=True)
            address = builder.bitcast(address, pair.as_pointer())
            found.append(builder.load(address, align=precision_of(lanes) // 8))
        every = joined(builder, found)
        parts = [shuffled(builder, every, every, range(n, 2 * lanes.count, 2)) for n in (0, 1)]
        return context.make_tuple(builder, signature.return_type, parts)

    return types.UniTuple(lanes, 2)(spec, table, types.intp, places, types.intp), codegen


@intrinsic
def has_small(typingctx, spec):
    """Whether this CPU has what `pick_small` takes, known while compiling."""
    if not isinstance(spec, SpecType):
        return None

    def codegen(context, builder, signature, arguments):
        return context.get_constant(types.boolean, _in_registers(context, spec.lanes))

    return types.boolean(spec), codegen


def _interleaved(builder, a, b, upper: bool) -> ir.Value:
    """The numbers of the lower or the upper half of each 16 bytes of a and of b, in turns."""
    count = a.type.count
    each = count // 4
    places = [
        place + own
        for start in range(each // 2 * upper, count, each)
        for place in range(start, start + each // 2)
        for own in (0, count)
    ]
    wider = ir.VectorType(ir.IntType(2 * a.type.element.width), count // 2)
    return builder.bitcast(shuffled(builder, a, b, places), wider)


@intrinsic
def pick_small(typingctx, spec, small, places, first):
    """`pick` from `small`, by `load_small`, at first, first + lanes, ... of four rows of lanes: all
    first numbers, then all second ones. Only where `has_small`.
    """
    if not (isinstance(spec, SpecType) and isinstance(small, types.UniTuple)):
        return None
    lanes = spec.lanes
    result = types.UniTuple(lanes, 2 * ROWS)

    def codegen(context, builder, signature, arguments):
        if not _in_registers(context, lanes):
            return ir.Constant(context.get_value_type(result), ir.Undefined)  # never run
        _, parts, array, first = arguments
        rows, words = ir.VectorType(_INT32, lanes.count), ir.VectorType(ir.IntType(16), 32)
        where = [
            _load(context, builder, places, array, builder.add(first, at), rows)
            for at in (ir.Constant(first.type, row * lanes.count) for row in range(ROWS))
        ]
        where = [
            call(builder, "llvm.x86.avx512.packusdw.512", words, pair)
            for pair in (where[:2], where[2:])
        ]
        where = call(builder, "llvm.x86.avx512.packuswb.512", _BYTES, where)
        planes = []
        for plane in range(0, small.count, 2):
            low, high = (
                builder.bitcast(builder.extract_value(parts, plane + half), _BYTES)
                for half in (0, 1)
            )
            name = "llvm.x86.avx512.vpermi2var.qi.512"
            planes.append(call(builder, name, _BYTES, [low, where, high]))
        numbers = []
        for one, two, three, four in (planes[:4], planes[4:]):
            for upper in (False, True):
                low = _interleaved(builder, one, two, upper)
                high = _interleaved(builder, three, four, upper)
                numbers += [_interleaved(builder, low, high, beyond) for beyond in (False, True)]
        numbers = [builder.bitcast(number, llvm_type(lanes)) for number in numbers]
        return context.make_tuple(builder, result, numbers)

    return result(spec, small, places, types.intp), codegen
