"""Numbers of a table at places that differ from lane to lane.

AVX-512 chooses among the numbers of two registers by one instruction, which makes small tables some
three times faster to read than by loads.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minilotto.kernels.simd import call, llvm_type, precision_of
from minilotto.kernels.spec import SpecType

SMALL = 128  # numbers of a table that is held in registers
_INT32 = ir.IntType(32)


def _in_registers(context, lanes) -> bool:
    features = context.codegen().magic_tuple()[-1].split(",")
    return "+avx512f" in features and lanes.count == 16 and precision_of(lanes) == 32


@intrinsic
def load_small(typingctx, spec, table):
    """The numbers `table[:SMALL]`, for `pick_small`."""
    if not (isinstance(spec, SpecType) and isinstance(table, types.Array)):
        return None
    lanes = spec.lanes
    result = types.UniTuple(lanes, SMALL // lanes.count)

    def codegen(context, builder, signature, arguments):
        vector = llvm_type(lanes)
        start = context.make_array(table)(context, builder, arguments[1]).data
        parts = ir.Constant(ir.ArrayType(vector, result.count), ir.Undefined)
        for number in range(result.count):
            address = builder.gep(start, [ir.Constant(_INT32, number * lanes.count)])
            part = builder.load(builder.bitcast(address, vector.as_pointer()), align=4)
            parts = builder.insert_value(parts, part, number)
        return parts

    return result(spec, table), codegen


def _load_places(context, builder, lanes, array_type, array, offset) -> ir.Value:
    data = context.make_array(array_type)(context, builder, array).data
    address = builder.gep(data, [offset], inbounds=True)
    vector = ir.VectorType(_INT32, lanes.count)
    return builder.load(builder.bitcast(address, vector.as_pointer()), align=4)


def _gathered(context, builder, lanes, start, places) -> ir.Value:
    """By scalar loads or the CPU's own gather, as LLVM finds best."""
    real = start.type.pointee
    wide = ir.VectorType(ir.IntType(64), lanes.count)
    size = ir.Constant(wide, [precision_of(lanes) // 8] * lanes.count)
    base = builder.ptrtoint(start, ir.IntType(64))
    undefined = ir.Constant(wide, ir.Undefined)
    first = builder.insert_element(undefined, base, ir.Constant(_INT32, 0))
    zeros = ir.Constant(ir.VectorType(_INT32, lanes.count), [0] * lanes.count)
    base = builder.shuffle_vector(first, undefined, zeros)
    addresses = builder.add(base, builder.mul(builder.zext(places, wide), size))
    pointers = builder.inttoptr(addresses, ir.VectorType(real.as_pointer(), lanes.count))
    every = ir.Constant(ir.VectorType(ir.IntType(1), lanes.count), [1] * lanes.count)
    name = f"llvm.masked.gather.v{lanes.count}f{precision_of(lanes)}.v{lanes.count}p0"
    alignment = ir.Constant(_INT32, precision_of(lanes) // 8)
    vector = llvm_type(lanes)
    return call(
        builder, name, vector, [pointers, alignment, every, ir.Constant(vector, ir.Undefined)]
    )


@intrinsic
def pick(typingctx, spec, table, places, first):
    """The Lanes table[places[first + lane]]."""
    if not (isinstance(spec, SpecType) and isinstance(table, types.Array)):
        return None
    lanes = spec.lanes

    def codegen(context, builder, signature, arguments):
        start = context.make_array(table)(context, builder, arguments[1]).data
        where = _load_places(context, builder, lanes, places, *arguments[2:])
        return _gathered(context, builder, lanes, start, where)

    return lanes(spec, table, places, types.intp), codegen


@intrinsic
def has_small(typingctx, spec):
    """Whether `pick_small` is worth its while on this CPU, known while compiling."""
    if not isinstance(spec, SpecType):
        return None

    def codegen(context, builder, signature, arguments):
        return context.get_constant(types.boolean, _in_registers(context, spec.lanes))

    return types.boolean(spec), codegen


@intrinsic
def pick_small(typingctx, spec, small, places, first):
    """The Lanes of `small`, by `load_small`, at places[first + lane]; only where `has_small`."""
    if not (isinstance(spec, SpecType) and isinstance(small, types.UniTuple)):
        return None
    lanes = spec.lanes

    def codegen(context, builder, signature, arguments):
        if not _in_registers(context, lanes):
            return ir.Constant(llvm_type(lanes), ir.Undefined)  # never run
        where = _load_places(context, builder, lanes, places, *arguments[2:])
        parts = [builder.extract_value(arguments[1], number) for number in range(small.count)]
        name = "llvm.x86.avx512.vpermi2var.ps.512"
        found = [
            call(builder, name, llvm_type(lanes), [low, where, high])
            for low, high in zip(parts[::2], parts[1::2], strict=True)
        ]
        bit = 2 * lanes.count
        while len(found) > 1:
            mask = builder.and_(where, ir.Constant(where.type, [bit] * lanes.count))
            upper = builder.icmp_unsigned("!=", mask, ir.Constant(where.type, [0] * lanes.count))
            found = [
                builder.select(upper, high, low)
                for low, high in zip(found[::2], found[1::2], strict=True)
            ]
            bit *= 2
        return found[0]

    return lanes(spec, small, places, types.intp), codegen
