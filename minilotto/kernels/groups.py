"""Points side by side: one long vector has the lanes of the first point of a group, then those of
the next. LLVM cuts it into registers.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minilotto.kernels.simd import Lanes, fused, llvm_type, splat
from minilotto.kernels.spec import SpecType, address_of, fits, load_at, loader


def shuffled(builder, a, b, places) -> ir.Value:
    """The numbers of a, then of b, at those places."""
    return builder.shuffle_vector(
        a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))
    )


def part_of(builder, vector, part: int, count: int) -> ir.Value:
    """Part `part` of a vector that is made of parts of `count` numbers."""
    undefined = ir.Constant(vector.type, ir.Undefined)
    return shuffled(builder, vector, undefined, range(part * count, (part + 1) * count))


def joined(builder, vectors) -> ir.Value:
    """Vectors of one type, one or a power of two of them, one after the other."""
    while len(vectors) > 1:
        both = range(2 * vectors[0].type.count)
        vectors = [
            shuffled(builder, a, b, both) for a, b in zip(vectors[::2], vectors[1::2], strict=True)
        ]
    return vectors[0]


@intrinsic
def halves(typingctx, a):
    """The first and the second half of the Lanes a."""
    if not isinstance(a, Lanes):
        return None
    half = Lanes(a.dtype, a.count // 2)

    def codegen(context, builder, signature, arguments):
        parts = [part_of(builder, arguments[0], part, half.count) for part in (0, 1)]
        return context.make_tuple(builder, signature.return_type, parts)

    return types.UniTuple(half, 2)(a), codegen


@intrinsic
def side_by_side(typingctx, a, b):
    """The Lanes of a, then those of b."""
    if not (isinstance(a, Lanes) and a == b):
        return None

    def codegen(context, builder, signature, arguments):
        return joined(builder, arguments)

    return Lanes(a.dtype, 2 * a.count)(a, b), codegen


@intrinsic
def repeat(typingctx, spec, a):
    """The Lanes a for each point of a group."""
    if not (isinstance(spec, SpecType) and a == spec.lanes):
        return None

    def codegen(context, builder, signature, arguments):
        return joined(builder, [arguments[1]] * (spec.group.count // spec.lanes.count))

    return spec.group(spec, a), codegen


load_group = loader(
    lambda spec: spec.group,
    "What `store` wrote of a group: `array[offset : offset + group * lanes]`.",
)


def _of_group(element):
    """An intrinsic for what `element` reads at offset, offset + stride, ... for a group."""

    @intrinsic
    def read(typingctx, spec, array, offset, stride):
        if not fits(spec, array):
            return None

        def codegen(context, builder, signature, arguments):
            _, data, offset, stride = arguments
            vectors = []
            for _ in range(spec.group.count // spec.lanes.count):
                address = address_of(context, builder, array, data, offset)
                vectors.append(element(builder, spec.lanes, address))
                offset = builder.add(offset, stride)
            return joined(builder, vectors)

        return spec.group(spec, array, types.intp, types.intp), codegen

    return read


spread_group = _of_group(
    lambda builder, lanes, address: splat(builder, llvm_type(lanes), builder.load(address))
)
gather_group = _of_group(load_at)


@intrinsic
def add_products_of_group(typingctx, spec, start, a, b):
    """start + a_0 b_0 + a_1 b_1 + ... over the points of a group, one fma after the other."""
    if not (isinstance(spec, SpecType) and start == spec.lanes and a == b == spec.group):
        return None

    def codegen(context, builder, signature, arguments):
        _, result, *factors = arguments
        for part in range(spec.group.count // spec.lanes.count):
            own = [part_of(builder, factor, part, spec.lanes.count) for factor in factors]
            result = fused(builder, spec.lanes, [*own, result])
        return result

    return start(spec, start, a, b), codegen


@intrinsic
def add_group(typingctx, spec, start, a):
    """start + (a_0 + a_1) + (a_2 + a_3) + ... over the points of a group."""
    if not (isinstance(spec, SpecType) and start == spec.lanes and a == spec.group):
        return None

    def codegen(context, builder, signature, arguments):
        _, result, vector = arguments
        for part in range(0, spec.group.count // spec.lanes.count, 2):
            pair = [part_of(builder, vector, part + one, spec.lanes.count) for one in (0, 1)]
            result = builder.fadd(result, builder.fadd(*pair))
        return result

    return start(spec, start, a), codegen
