"""Points of a caller's own arrays as lanes: one lane is one point of x (P,) or (P, D), y (P,), in
any memory layout. Wrong types are refused here, while the caller's function compiles.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from minilotto.kernels.simd import Lanes, llvm_type, precision_of
from minilotto.kernels.spec import SpecType


def _check(*axes: int, contiguous: bool = False):
    @intrinsic
    def check(typingctx, spec, array):
        if not isinstance(spec, SpecType):
            raise TypingError(
                f"{spec} where the spec of a Form belongs; make one with "
                "minilotto.kernels.single.form"
            )
        if not (isinstance(array, types.Array) and array.dtype == spec.lanes.dtype):
            raise TypingError(
                f"{array} where an array of {spec.lanes.dtype} belongs, the precision of the Form"
            )
        if array.ndim not in axes:  # lengths are checked along these alone
            belong = " or ".join(map(str, axes))
            raise TypingError(
                f"{array} has {array.ndim} axes where an array of {belong} belongs; one net is "
                "theta (K,), as thetas[0] of thetas (R, K)"
            )
        if contiguous and array.layout != "C":
            raise TypingError(f"{array} where a contiguous array belongs")

        def codegen(context, builder, signature, arguments):
            return context.get_dummy_value()

        return types.void(spec, array), codegen

    return check


check_vector = _check(1)
check_matrix = _check(2)
check_rows = _check(1, 2)
check_contiguous = _check(1, contiguous=True)


def _address(builder, array_type, array, point, column) -> ir.Value:
    strides = cgutils.unpack_tuple(builder, array.strides)
    offset = builder.mul(point, strides[0])
    if array_type.ndim == 2:
        offset = builder.add(offset, builder.mul(column, strides[1]))
    start = builder.bitcast(array.data, ir.IntType(8).as_pointer())
    return builder.bitcast(builder.gep(start, [offset]), array.data.type)


def _loader(partial: bool):
    def codegen_of(spec, array):
        side_by_side = array.layout == "F" or (
            array.layout == "C" and (array.ndim == 1 or spec.inputs == 1)
        )

        def codegen(context, builder, signature, arguments):
            data, first, column = arguments[1:4]
            data = context.make_array(array)(context, builder, data)
            align = precision_of(spec.lanes) // 8 if array.aligned else 1
            vector = llvm_type(spec.lanes)
            if side_by_side and not partial:
                address = _address(builder, array, data, first, column)
                return builder.load(builder.bitcast(address, vector.as_pointer()), align=align)
            result = ir.Constant(vector, ir.Undefined)
            for lane in range(spec.lanes.count):
                point = builder.add(first, ir.Constant(first.type, lane))
                if partial:
                    last = builder.sub(arguments[4], ir.Constant(first.type, 1))
                    point = builder.select(builder.icmp_signed("<", point, last), point, last)
                element = builder.load(_address(builder, array, data, point, column), align=align)
                result = builder.insert_element(result, element, ir.Constant(ir.IntType(32), lane))
            return result

        return codegen

    return codegen_of


_codegen_of_full, _codegen_of_partial = _loader(partial=False), _loader(partial=True)


def _takes_points(spec, array) -> bool:
    return (
        isinstance(spec, SpecType)
        and isinstance(array, types.Array)
        and array.dtype == spec.lanes.dtype
        and array.ndim <= 2
    )


@intrinsic
def load_points(typingctx, spec, array, first, column):
    """The Lanes array[first + lane], or array[first + lane, column] where the array has columns;
    all must exist.
    """
    if not _takes_points(spec, array):
        return None
    return spec.lanes(spec, array, types.intp, types.intp), _codegen_of_full(spec, array)


@intrinsic
def load_last_points(typingctx, spec, array, first, column, points):
    """load_points where there are only `points` of them: the last fills the lanes left over."""
    if not _takes_points(spec, array):
        return None
    return spec.lanes(spec, array, types.intp, types.intp, types.intp), _codegen_of_partial(
        spec, array
    )


@intrinsic
def first_lanes(typingctx, value, count):
    """The first `count` lanes of value, and zeros in the others."""
    if not (isinstance(value, Lanes) and isinstance(count, types.Integer)):
        return None

    def codegen(context, builder, signature, arguments):
        vector = arguments[0]
        for lane in range(value.count):
            index = ir.Constant(ir.IntType(32), lane)
            inside = builder.icmp_signed(">", arguments[1], ir.Constant(arguments[1].type, lane))
            element = builder.extract_element(vector, index)
            vector = builder.insert_element(
                vector, builder.select(inside, element, ir.Constant(element.type, 0.0)), index
            )
        return vector

    return value(value, types.intp), codegen


@intrinsic
def lane_of(typingctx, value, lane):
    """One lane of value, as a plain number."""
    if not (isinstance(value, Lanes) and isinstance(lane, types.Integer)):
        return None

    def codegen(context, builder, signature, arguments):
        return builder.extract_element(arguments[0], arguments[1])

    return value.dtype(value, types.intp), codegen
