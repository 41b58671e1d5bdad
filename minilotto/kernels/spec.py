"""What a kernel is compiled for, and how it reads and writes memory.

A Spec, the kernel specification, names an activation, a precision, a lane count, a number of
inputs, a loss, an optimiser and the points that go side by side. It is an argument of every kernel,
alone or in a Form, and is part of the argument's type, so it costs nothing at run time.
"""

from dataclasses import astuple, dataclass
from functools import lru_cache

from llvmlite import ir
from numba import types
from numba.core.datamodel import models
from numba.core.errors import TypingError
from numba.core.imputils import lower_constant
from numba.extending import NativeValue, intrinsic, register_model, typeof_impl, unbox

from minilotto.kernels.compile import sources_digest
from minilotto.kernels.simd import Lanes, constant_of, fused, llvm_type, precision_of, splat


@dataclass(frozen=True)
class Spec:
    """Compile-time constants of a kernel; `group`, a power of two, is of seed_parallel."""

    activation: str
    dtype: str
    lanes: int
    inputs: int
    loss: str = "squared"
    optimizer: str = "adam"
    group: int = 2


class SpecType(types.Type):
    """Numba type of one particular Spec."""

    def __init__(self, spec: Spec) -> None:
        self.activation, self.loss, self.optimizer = spec.activation, spec.loss, spec.optimizer
        self.inputs = spec.inputs
        self.lanes = Lanes(types.float32 if spec.dtype == "float32" else types.float64, spec.lanes)
        self.group = Lanes(self.lanes.dtype, spec.lanes * spec.group)
        super().__init__(name=f"Spec({', '.join(map(str, astuple(spec)))}, {sources_digest()})")


@lru_cache(maxsize=256)
def type_of_spec(spec: Spec) -> SpecType:
    """The SpecType of a Spec, kept: making one takes longer than a small kernel."""
    return SpecType(spec)


@typeof_impl.register(Spec)
def _type_of_spec(spec, context):
    return type_of_spec(spec)


register_model(SpecType)(models.OpaqueModel)


@unbox(SpecType)
def _unbox_spec(spec, obj, context):
    return NativeValue(context.context.get_dummy_value())


@lower_constant(SpecType)
def _spec_among_globals(context, builder, spec, value):
    return context.get_dummy_value()


def constant_of_spec(attribute, kind=types.intp):
    """An intrinsic for a number that a Spec decides; it costs nothing to compile."""

    @intrinsic
    def constant(typingctx, spec):
        if not isinstance(spec, SpecType):
            return None

        def codegen(context, builder, signature, arguments):
            return context.get_constant(kind, attribute(spec))

        return kind(spec), codegen

    return constant


@intrinsic
def spec_of(typingctx, form):
    """The Spec of a Form, which callers hand in."""
    if not (isinstance(form, types.NamedTuple) and isinstance(form[0], SpecType)):
        raise TypingError(
            f"{form} where a Form belongs; make one with minilotto.kernels.single.form"
        )

    def codegen(context, builder, signature, arguments):
        return context.get_dummy_value()

    return form[0](form), codegen


inputs_of = constant_of_spec(lambda spec: spec.inputs)
lanes_of = constant_of_spec(lambda spec: spec.lanes.count)
group_of = constant_of_spec(lambda spec: spec.group.count // spec.lanes.count)


@intrinsic
def zero(typingctx, spec):
    """Lanes of zeros."""
    if not isinstance(spec, SpecType):
        return None

    def codegen(context, builder, signature, arguments):
        return constant_of(spec.lanes, 0.0)

    return spec.lanes(spec), codegen


# Memory. Offsets count array elements from the start of a contiguous array and are never negative:
# no wraparound, no gathers.
def address_of(context, builder, array_type, array, offset):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [offset], inbounds=True)


def fits(spec, array) -> bool:
    return (
        isinstance(spec, SpecType)
        and isinstance(array, types.Array)
        and array.dtype == spec.lanes.dtype
    )


def load_at(builder, lanes, address) -> ir.Value:
    """The Lanes that begin at an address."""
    address = builder.bitcast(address, llvm_type(lanes).as_pointer())
    return builder.load(address, align=precision_of(lanes) // 8)


def loader(lanes_of_spec, doc):
    """An intrinsic that reads the Lanes of the type `lanes_of_spec(spec)`."""

    @intrinsic
    def read(typingctx, spec, array, offset):
        if not fits(spec, array):
            return None
        lanes = lanes_of_spec(spec)

        def codegen(context, builder, signature, arguments):
            address = address_of(context, builder, array, arguments[1], arguments[2])
            return load_at(builder, lanes, address)

        return lanes(spec, array, types.intp), codegen

    read.__doc__ = doc
    return read


load = loader(lambda spec: spec.lanes, "The Lanes at `array[offset : offset + lanes]`.")


@intrinsic
def spread(typingctx, spec, array, offset):
    """`array[offset]` in every lane."""
    if not fits(spec, array):
        return None

    def codegen(context, builder, signature, arguments):
        address = address_of(context, builder, array, arguments[1], arguments[2])
        return splat(builder, llvm_type(spec.lanes), builder.load(address))

    return spec.lanes(spec, array, types.intp), codegen


@intrinsic
def store(typingctx, array, offset, value):
    """Write Lanes to `array[offset : offset + lanes]`."""
    if not (
        isinstance(value, Lanes) and isinstance(array, types.Array) and array.dtype == value.dtype
    ):
        return None

    def codegen(context, builder, signature, arguments):
        address = address_of(context, builder, array, arguments[0], arguments[1])
        address = builder.bitcast(address, llvm_type(value).as_pointer())
        builder.store(arguments[2], address, align=precision_of(value) // 8)

    return types.void(array, types.intp, value), codegen


@intrinsic
def rounded(typingctx, array, value):
    """Lanes of float64 in the precision of an array."""
    if not (isinstance(array, types.Array) and isinstance(value, Lanes)):
        return None
    result = Lanes(array.dtype, value.count)

    def codegen(context, builder, signature, arguments):
        same = result == value
        return arguments[1] if same else builder.fptrunc(arguments[1], llvm_type(result))

    return result(array, value), codegen


# Where a lane is a neuron: one vector for each of the D inputs, held in registers as a tuple, and
# sums over a vector's lanes.
def _each_input(spec) -> types.UniTuple:
    return types.UniTuple(spec.lanes, spec.inputs)


def _tuple_of(builder, spec, vectors) -> ir.Value:
    result = ir.Constant(ir.ArrayType(llvm_type(spec.lanes), spec.inputs), ir.Undefined)
    for d, vector in enumerate(vectors):
        result = builder.insert_value(result, vector, d)
    return result


def _spread_element(context, builder, spec, array_type, array, offset, d) -> ir.Value:
    address = address_of(
        context, builder, array_type, array, builder.add(offset, ir.Constant(offset.type, d))
    )
    return splat(builder, llvm_type(spec.lanes), builder.load(address))


@intrinsic
def zero_each(typingctx, spec):
    """A tuple of D Lanes of zeros."""
    if not isinstance(spec, SpecType):
        return None

    def codegen(context, builder, signature, arguments):
        return _tuple_of(builder, spec, [constant_of(spec.lanes, 0.0)] * spec.inputs)

    return _each_input(spec)(spec), codegen


@intrinsic
def load_each(typingctx, spec, array, offset, stride):
    """A tuple of D Lanes, that of input d from `array[offset + d * stride]` on."""
    if not fits(spec, array):
        return None

    def codegen(context, builder, signature, arguments):
        _, data, offset, stride = arguments
        vectors = []
        for _ in range(spec.inputs):
            address = address_of(context, builder, array, data, offset)
            vectors.append(load_at(builder, spec.lanes, address))
            offset = builder.add(offset, stride)
        return _tuple_of(builder, spec, vectors)

    return _each_input(spec)(spec, array, types.intp, types.intp), codegen


@intrinsic
def add_products(typingctx, spec, start, factors, array, offset):
    """start + sum_d factors[d] * array[offset + d], one fma after the other."""
    if not (fits(spec, array) and start == spec.lanes and factors == _each_input(spec)):
        return None

    def codegen(context, builder, signature, arguments):
        _, result, vectors, data, offset = arguments
        for d in range(spec.inputs):
            x = _spread_element(context, builder, spec, array, data, offset, d)
            terms = [builder.extract_value(vectors, d), x, result]
            result = fused(builder, spec.lanes, terms)
        return result

    return spec.lanes(spec, start, factors, array, types.intp), codegen


@intrinsic
def add_each_product(typingctx, spec, sums, factor, array, offset):
    """The tuple of sums[d] + factor * array[offset + d]."""
    if not (fits(spec, array) and factor == spec.lanes and sums == _each_input(spec)):
        return None

    def codegen(context, builder, signature, arguments):
        _, before, vector, data, offset = arguments
        after = []
        for d in range(spec.inputs):
            terms = [
                vector,
                _spread_element(context, builder, spec, array, data, offset, d),
                builder.extract_value(before, d),
            ]
            after.append(fused(builder, spec.lanes, terms))
        return _tuple_of(builder, spec, after)

    return _each_input(spec)(spec, sums, factor, array, types.intp), codegen
