"""Square tiles of a matrix whose elements are Lanes, held in registers: T x T of them, as many as
the CPU's registers hold beside their factors.

An array holds a matrix of lanes by rows. Offsets and strides count numbers, not lanes.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minilotto.kernels.simd import fused, llvm_type, precision_of
from minilotto.kernels.spec import address_of, constant_of_spec, fits


def tile_edge(lanes: int) -> int:
    """T: 16 sums in 32 registers of 64 bytes (AVX-512), else 9 in 16. Changes no bit."""
    return 4 if lanes >= 8 else 3


edge_of = constant_of_spec(lambda spec: tile_edge(spec.lanes.count))


def _tile(spec) -> types.UniTuple:
    return types.UniTuple(spec.lanes, tile_edge(spec.lanes.count) ** 2)


def _places(builder, spec, start, stride):
    """Offsets of T elements, each `stride` after the last."""
    places = [start]
    for _ in range(1, tile_edge(spec.lanes.count)):
        places.append(builder.add(places[-1], stride))
    return places


def _vector_at(context, builder, spec, array_type, array, offset):
    address = address_of(context, builder, array_type, array, offset)
    return builder.bitcast(address, llvm_type(spec.lanes).as_pointer())


def _elements(context, builder, spec, array_type, array, offset, stride):
    """Addresses of a tile's elements, row by row."""
    lanes = ir.Constant(offset.type, spec.lanes.count)
    return [
        _vector_at(context, builder, spec, array_type, array, place)
        for row in _places(builder, spec, offset, stride)
        for place in _places(builder, spec, row, lanes)
    ]


@intrinsic
def load_tile(typingctx, spec, array, offset, stride):
    """The tile whose first element is at array[offset] and whose rows are `stride` apart."""
    if not fits(spec, array):
        return None

    def codegen(context, builder, signature, arguments):
        result = ir.Constant(context.get_value_type(signature.return_type), ir.Undefined)
        places = _elements(context, builder, spec, array, *arguments[1:])
        for index, place in enumerate(places):
            vector = builder.load(place, align=precision_of(spec.lanes) // 8)
            result = builder.insert_value(result, vector, index)
        return result

    return _tile(spec)(spec, array, types.intp, types.intp), codegen


@intrinsic
def store_tile(typingctx, spec, array, offset, stride, tile):
    """The inverse of load_tile."""
    if not (fits(spec, array) and tile == _tile(spec)):
        return None

    def codegen(context, builder, signature, arguments):
        places = _elements(context, builder, spec, array, *arguments[1:4])
        for index, place in enumerate(places):
            vector = builder.extract_value(arguments[4], index)
            builder.store(vector, place, align=precision_of(spec.lanes) // 8)
        return context.get_dummy_value()

    return types.void(spec, array, types.intp, types.intp, tile), codegen


def _outer(negative: bool):
    @intrinsic
    def product(typingctx, spec, tile, array, first, second, stride):
        """tile[i, j] + (or -) array[first + i stride] array[second + j stride]."""
        if not (fits(spec, array) and tile == _tile(spec)):
            return None

        def codegen(context, builder, signature, arguments):
            _, result, data, first, second, stride = arguments
            edge = tile_edge(spec.lanes.count)
            left, right = (
                [
                    builder.load(
                        _vector_at(context, builder, spec, array, data, place),
                        align=precision_of(spec.lanes) // 8,
                    )
                    for place in _places(builder, spec, start, stride)
                ]
                for start in (first, second)
            )
            if negative:
                left = [builder.fneg(vector) for vector in left]
            for index in range(edge * edge):
                terms = [left[index // edge], right[index % edge]]
                terms.append(builder.extract_value(result, index))
                sum_ = fused(builder, spec.lanes, terms)
                result = builder.insert_value(result, sum_, index)
            return result

        signature = tile(spec, tile, array, types.intp, types.intp, types.intp)
        return signature, codegen

    return product


add_outer, subtract_outer = _outer(negative=False), _outer(negative=True)
