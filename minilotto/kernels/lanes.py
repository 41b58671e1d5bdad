"""The SIMD lane type: several seeds side by side in one machine vector, inside Numba.

A `Lanes` value is an LLVM vector such as `<16 x float>`. Operators act lane by lane, so that a formula written for one number
serves sixteen seeds. Nothing here is left to the auto-vectoriser, which on these loops is several times slower.

No fast-math flag is ever set: an operation is fused, reordered or approximated only where a formula says so. A lane's bits
therefore do not depend on the lane count, on the lane's neighbours, or on how LLVM happened to optimise.
"""

import operator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.registry import cpu_target
from numba.extending import NativeValue, intrinsic, lower_builtin, register_model, type_callable, typeof_impl, unbox

from minilotto.kernels.compile import sources_digest


class Lanes(types.Type):
    """Numba type of `count` floating-point numbers in one vector register."""

    def __init__(self, dtype: types.Float, count: int) -> None:
        self.dtype = dtype
        self.count = count
        super().__init__(name=f"Lanes({dtype}, {count})")


class LaneMask(types.Type):
    """Numba type of one truth value a lane, the result of comparing Lanes."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(name=f"LaneMask({count})")


def _real(dtype: types.Float) -> ir.Type:
    return ir.FloatType() if dtype == types.float32 else ir.DoubleType()


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes):
        super().__init__(manager, lanes, ir.VectorType(_real(lanes.dtype), lanes.count))


@register_model(LaneMask)
class _LaneMaskModel(models.PrimitiveModel):
    def __init__(self, manager, mask):
        super().__init__(manager, mask, ir.VectorType(ir.IntType(1), mask.count))


@lru_cache(maxsize=1)
def target_features() -> frozenset[str]:
    """Names, as LLVM spells them, of the CPU features that Numba compiles for: this CPU's, unless NUMBA_CPU_FEATURES says less."""
    listed = cpu_target.target_context.codegen().magic_tuple()[-1]
    return frozenset(feature[1:] for feature in listed.split(",") if feature.startswith("+"))


def lane_count(dtype) -> int:
    """How many numbers of `dtype` one native vector register of this CPU holds (at least four float32)."""
    features = target_features()
    size = 64 if "avx512f" in features else 32 if "avx" in features else 16
    return size // np.dtype(dtype).itemsize


# Operators: lane by lane, between equal lane types only. Scalars are spread with `like` first, which keeps float32 float32.
def _declare_binary(function, method, result=lambda lanes: lanes):
    @type_callable(function)
    def typer_of(context):
        def typer(a, b):
            if isinstance(a, Lanes) and a == b:
                return result(a)

        return typer

    @lower_builtin(function, Lanes, Lanes)
    def lower(context, builder, signature, arguments):
        return getattr(builder, method)(*arguments)


_declare_binary(operator.add, "fadd")
_declare_binary(operator.sub, "fsub")
_declare_binary(operator.mul, "fmul")
_declare_binary(operator.truediv, "fdiv")


def _declare_comparison(function, symbol):
    @type_callable(function)
    def typer_of(context):
        def typer(a, b):
            if isinstance(a, Lanes) and a == b:
                return LaneMask(a.count)

        return typer

    @lower_builtin(function, Lanes, Lanes)
    def lower(context, builder, signature, arguments):
        return builder.fcmp_ordered(symbol, *arguments)


_declare_comparison(operator.lt, "<")
_declare_comparison(operator.gt, ">")


@type_callable(operator.neg)
def _type_negation(context):
    def typer(a):
        if isinstance(a, Lanes):
            return a

    return typer


@lower_builtin(operator.neg, Lanes)
def _lower_negation(context, builder, signature, arguments):
    return builder.fneg(arguments[0])


# Building blocks that work on Lanes and on plain floats alike, so that one formula serves lanes, scalar loops and CUDA.
def _is_real(kind) -> bool:
    return isinstance(kind, (Lanes, types.Float))


def _llvm_type(kind) -> ir.Type:
    return ir.VectorType(_real(kind.dtype), kind.count) if isinstance(kind, Lanes) else _real(kind)


def _precision(kind) -> int:
    dtype = kind.dtype if isinstance(kind, Lanes) else kind
    return 32 if dtype == types.float32 else 64


def _suffix(kind) -> str:
    return (f"v{kind.count}" if isinstance(kind, Lanes) else "") + f"f{_precision(kind)}"


def _spread(kind, value) -> ir.Constant:
    """The constant `value` in the precision of `kind`, in every lane."""
    real = _real(kind.dtype) if isinstance(kind, Lanes) else _real(kind)
    value = float(np.float32(value)) if _precision(kind) == 32 else float(value)
    if isinstance(kind, Lanes):
        return ir.Constant(_llvm_type(kind), [ir.Constant(real, value)] * kind.count)
    return ir.Constant(real, value)


def _splat(builder, vector: ir.VectorType, scalar) -> ir.Value:
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def _call(builder, name, result, arguments):
    signature = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), arguments)


@intrinsic
def like(typingctx, model, value):
    """`value` in the precision of `model`, in every lane where `model` is Lanes."""
    if not _is_real(model) or not isinstance(value, types.Number):
        return None

    def codegen(context, builder, signature, arguments):
        scalar_type = model.dtype if isinstance(model, Lanes) else model
        scalar = context.cast(builder, arguments[1], signature.args[1], scalar_type)
        return _splat(builder, _llvm_type(model), scalar) if isinstance(model, Lanes) else scalar

    return model(model, value), codegen


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c with one rounding."""
    if not (_is_real(a) and a == b == c):
        return None

    def codegen(context, builder, signature, arguments):
        return _call(builder, f"llvm.fma.{_suffix(a)}", _llvm_type(a), arguments)

    return a(a, b, c), codegen


@intrinsic
def square_root(typingctx, a):
    """Correctly rounded square root."""
    if not _is_real(a):
        return None

    def codegen(context, builder, signature, arguments):
        return _call(builder, f"llvm.sqrt.{_suffix(a)}", _llvm_type(a), arguments)

    return a(a), codegen


@intrinsic
def absolute(typingctx, a):
    """|a|, NaN kept."""
    if not _is_real(a):
        return None

    def codegen(context, builder, signature, arguments):
        return _call(builder, f"llvm.fabs.{_suffix(a)}", _llvm_type(a), arguments)

    return a(a), codegen


@intrinsic
def with_sign_of(typingctx, a, b):
    """|a| with the sign of b."""
    if not (_is_real(a) and a == b):
        return None

    def codegen(context, builder, signature, arguments):
        return _call(builder, f"llvm.copysign.{_suffix(a)}", _llvm_type(a), arguments)

    return a(a, b), codegen


@intrinsic
def where(typingctx, mask, a, b):
    """a where the mask holds, else b. A comparison with NaN is false."""
    if not (isinstance(mask, (LaneMask, types.Boolean)) and _is_real(a) and a == b):
        return None

    def codegen(context, builder, signature, arguments):
        condition, first, second = arguments
        if isinstance(mask, types.Boolean):
            condition = context.cast(builder, condition, signature.args[0], types.boolean)
            if condition.type != ir.IntType(1):
                condition = builder.trunc(condition, ir.IntType(1))
        return builder.select(condition, first, second)

    return a(mask, a, b), codegen


def polynomial(single, double):
    """An intrinsic that evaluates sum_k c[k] x^k by Horner's rule: coefficients `single` for float32, `double` for float64."""
    table = {32: tuple(single), 64: tuple(double)}

    @intrinsic
    def horner(typingctx, x):
        if not _is_real(x):
            return None

        def codegen(context, builder, signature, arguments):
            coefficients = table[_precision(x)]
            value = _spread(x, coefficients[-1])
            for coefficient in coefficients[-2::-1]:
                value = _call(builder, f"llvm.fma.{_suffix(x)}", _llvm_type(x), [value, arguments[0], _spread(x, coefficient)])
            return value

        return x(x), codegen

    return horner


@intrinsic
def floor(typingctx, a):
    """The greatest whole number that is not above a."""
    if not _is_real(a):
        return None

    def codegen(context, builder, signature, arguments):
        return _call(builder, f"llvm.floor.{_suffix(a)}", _llvm_type(a), arguments)

    return a(a), codegen


def _has_scalef(context, kind) -> bool:
    """Whether one AVX-512 instruction multiplies this kind of Lanes by powers of two."""
    full = isinstance(kind, Lanes) and kind.count * _precision(kind) == 512
    return full and "+avx512f" in context.codegen().magic_tuple()[-1]


@intrinsic
def scale(typingctx, a, n):
    """a * 2^n for a whole number n; zero where 2^n is no normal number, infinite where it is too large for one."""
    if not (_is_real(a) and a == n):
        return None

    def codegen(context, builder, signature, arguments):
        value, exponent = arguments
        kind = _llvm_type(n)
        if _has_scalef(context, n):
            letter = "ps" if _precision(n) == 32 else "pd"
            every_lane, current_rounding = ir.Constant(ir.IntType(n.count), -1), ir.Constant(ir.IntType(32), 4)
            name = f"llvm.x86.avx512.mask.scalef.{letter}.512"
            return _call(builder, name, kind, [value, exponent, _spread(n, 0.0), every_lane, current_rounding])
        # 2^n has the biased exponent n + bias above its mantissa: 0 for zero, 2 bias + 1 for infinity. Adding 2^mantissa leaves the
        # whole number n + bias in the lowest bits of the sum, and the shift pushes all other bits out. A NaN stays one in `value`.
        bits, mantissa, bias = (32, 23, 127) if _precision(n) == 32 else (64, 52, 1023)
        lowest, highest = _spread(n, -bias), _spread(n, bias + 1)
        exponent = builder.select(builder.fcmp_ordered("<", exponent, lowest), lowest, exponent)
        exponent = builder.select(builder.fcmp_ordered(">", exponent, highest), highest, exponent)
        integer: ir.Type = ir.IntType(bits)
        shift = ir.Constant(integer, mantissa)
        if isinstance(n, Lanes):
            integer = ir.VectorType(integer, n.count)
            shift = ir.Constant(integer, [mantissa] * n.count)
        sum_bits = builder.bitcast(builder.fadd(exponent, _spread(n, 2.0**mantissa + bias)), integer)
        return builder.fmul(value, builder.bitcast(builder.shl(sum_bits, shift), kind))

    return a(a, n), codegen


# Subnormal numbers cost x86 CPUs a hundred cycles each, and dying neurons make them by the thousand.
_FLUSH_RESULTS, _FLUSH_OPERANDS = 0x8000, 0x0040  # bits of MXCSR, the control register of SSE and AVX arithmetic


def _is_x86(context) -> bool:
    return context.codegen().magic_tuple()[0].startswith(("x86_64", "i386", "i686"))


@intrinsic
def flush_subnormals(typingctx, flush):
    """Have this thread treat subnormal numbers as zero where `flush` holds. Returns the former mode, for `restore_mode`.

    On CPUs other than x86 nothing changes: they keep subnormals, at no cost in speed.
    """
    if not isinstance(flush, types.Boolean):
        return None

    def codegen(context, builder, signature, arguments):
        integer = ir.IntType(32)
        if not _is_x86(context):
            return ir.Constant(integer, 0)
        slot = cgutils.alloca_once(builder, integer)
        address = builder.bitcast(slot, ir.IntType(8).as_pointer())
        _call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [address])
        before = builder.load(slot)
        flushing = builder.or_(before, ir.Constant(integer, _FLUSH_RESULTS | _FLUSH_OPERANDS))
        condition = context.cast(builder, arguments[0], signature.args[0], types.boolean)
        if condition.type != ir.IntType(1):
            condition = builder.trunc(condition, ir.IntType(1))
        builder.store(builder.select(condition, flushing, before), slot)
        _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [address])
        return before

    return types.int32(flush), codegen


@intrinsic
def restore_mode(typingctx, mode):
    """Undo `flush_subnormals`."""
    if not isinstance(mode, types.Integer):
        return None

    def codegen(context, builder, signature, arguments):
        if _is_x86(context):
            slot = cgutils.alloca_once(builder, ir.IntType(32))
            builder.store(arguments[0], slot)
            address = builder.bitcast(slot, ir.IntType(8).as_pointer())
            _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [address])
        return context.get_dummy_value()

    return types.void(types.int32), codegen


# What a kernel is compiled for: an activation, a precision, a lane count and an input dimension.
@dataclass(frozen=True)
class Kind:
    """Compile-time constants of a kernel. Pass one as first argument; it costs nothing at run time."""

    activation: str
    dtype: str
    lanes: int
    inputs: int


class KindType(types.Type):
    """Numba type of one particular Kind."""

    def __init__(self, activation: str, dtype: str, lanes: int, inputs: int) -> None:
        self.activation = activation
        self.inputs = inputs
        self.lanes = Lanes(types.float32 if dtype == "float32" else types.float64, lanes)
        super().__init__(name=f"Kind({activation}, {dtype}, {lanes}, {inputs}, {sources_digest()})")


@typeof_impl.register(Kind)
def _type_of_kind(kind, context):
    return KindType(kind.activation, kind.dtype, kind.lanes, kind.inputs)


register_model(KindType)(models.OpaqueModel)


@unbox(KindType)
def _unbox_kind(kind, obj, context):
    return NativeValue(context.context.get_dummy_value())


def _constant_of(kind_attribute):
    @intrinsic
    def constant(typingctx, kind):
        if not isinstance(kind, KindType):
            return None

        def codegen(context, builder, signature, arguments):
            return context.get_constant(types.intp, kind_attribute(kind))

        return types.intp(kind), codegen

    return constant


inputs_of = _constant_of(lambda kind: kind.inputs)
lanes_of = _constant_of(lambda kind: kind.lanes.count)


@intrinsic
def zero(typingctx, kind):
    """Lanes of zeros."""
    if not isinstance(kind, KindType):
        return None

    def codegen(context, builder, signature, arguments):
        return _spread(kind.lanes, 0.0)

    return kind.lanes(kind), codegen


# Memory. Offsets count array elements from the start of a contiguous array and are never negative: no wraparound, no gathers.
def _address(context, builder, array_type, array, offset):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [offset], inbounds=True)


def _fits(kind, array) -> bool:
    return isinstance(kind, KindType) and isinstance(array, types.Array) and array.dtype == kind.lanes.dtype


@intrinsic
def load(typingctx, kind, array, offset):
    """The Lanes at `array[offset : offset + lanes]`."""
    if not _fits(kind, array):
        return None

    def codegen(context, builder, signature, arguments):
        address = _address(context, builder, array, arguments[1], arguments[2])
        address = builder.bitcast(address, _llvm_type(kind.lanes).as_pointer())
        return builder.load(address, align=_precision(kind.lanes) // 8)

    return kind.lanes(kind, array, types.intp), codegen


@intrinsic
def spread(typingctx, kind, array, offset):
    """`array[offset]` in every lane."""
    if not _fits(kind, array):
        return None

    def codegen(context, builder, signature, arguments):
        address = _address(context, builder, array, arguments[1], arguments[2])
        return _splat(builder, _llvm_type(kind.lanes), builder.load(address))

    return kind.lanes(kind, array, types.intp), codegen


@intrinsic
def store(typingctx, array, offset, value):
    """Write Lanes to `array[offset : offset + lanes]`."""
    if not (isinstance(value, Lanes) and isinstance(array, types.Array) and array.dtype == value.dtype):
        return None

    def codegen(context, builder, signature, arguments):
        address = _address(context, builder, array, arguments[0], arguments[1])
        address = builder.bitcast(address, _llvm_type(value).as_pointer())
        builder.store(arguments[2], address, align=_precision(value) // 8)

    return types.void(array, types.intp, value), codegen


# Where a lane is a neuron: one vector for each of the D inputs, held in registers as a tuple, and sums over a vector's lanes.
def _each_input(kind) -> types.UniTuple:
    return types.UniTuple(kind.lanes, kind.inputs)


def _tuple_of(builder, kind, vectors) -> ir.Value:
    result = ir.Constant(ir.ArrayType(_llvm_type(kind.lanes), kind.inputs), ir.Undefined)
    for d, vector in enumerate(vectors):
        result = builder.insert_value(result, vector, d)
    return result


def _spread_element(context, builder, kind, array_type, array, offset, d) -> ir.Value:
    address = _address(context, builder, array_type, array, builder.add(offset, ir.Constant(offset.type, d)))
    return _splat(builder, _llvm_type(kind.lanes), builder.load(address))


@intrinsic
def zero_each(typingctx, kind):
    """A tuple of D Lanes of zeros."""
    if not isinstance(kind, KindType):
        return None

    def codegen(context, builder, signature, arguments):
        return _tuple_of(builder, kind, [_spread(kind.lanes, 0.0)] * kind.inputs)

    return _each_input(kind)(kind), codegen


@intrinsic
def load_each(typingctx, kind, array, offset, stride):
    """A tuple of D Lanes, that of input d from `array[offset + d * stride]` on."""
    if not _fits(kind, array):
        return None

    def codegen(context, builder, signature, arguments):
        _, data, offset, stride = arguments
        vectors = []
        for _ in range(kind.inputs):
            address = builder.bitcast(_address(context, builder, array, data, offset), _llvm_type(kind.lanes).as_pointer())
            vectors.append(builder.load(address, align=_precision(kind.lanes) // 8))
            offset = builder.add(offset, stride)
        return _tuple_of(builder, kind, vectors)

    return _each_input(kind)(kind, array, types.intp, types.intp), codegen


@intrinsic
def add_products(typingctx, kind, start, factors, array, offset):
    """start + sum_d factors[d] * array[offset + d], one fma after the other."""
    if not (_fits(kind, array) and start == kind.lanes and factors == _each_input(kind)):
        return None

    def codegen(context, builder, signature, arguments):
        _, result, vectors, data, offset = arguments
        for d in range(kind.inputs):
            x = _spread_element(context, builder, kind, array, data, offset, d)
            terms = [builder.extract_value(vectors, d), x, result]
            result = _call(builder, f"llvm.fma.{_suffix(kind.lanes)}", _llvm_type(kind.lanes), terms)
        return result

    return kind.lanes(kind, start, factors, array, types.intp), codegen


@intrinsic
def add_each_product(typingctx, kind, sums, factor, array, offset):
    """The tuple of sums[d] + factor * array[offset + d]."""
    if not (_fits(kind, array) and factor == kind.lanes and sums == _each_input(kind)):
        return None

    def codegen(context, builder, signature, arguments):
        _, before, vector, data, offset = arguments
        after = []
        for d in range(kind.inputs):
            terms = [vector, _spread_element(context, builder, kind, array, data, offset, d), builder.extract_value(before, d)]
            after.append(_call(builder, f"llvm.fma.{_suffix(kind.lanes)}", _llvm_type(kind.lanes), terms))
        return _tuple_of(builder, kind, after)

    return _each_input(kind)(kind, sums, factor, array, types.intp), codegen


@intrinsic
def sum_of_lanes(typingctx, a):
    """The sum over the lanes of a, halves added to halves: of four, (a0 + a2) + (a1 + a3)."""
    if not isinstance(a, Lanes):
        return None

    def codegen(context, builder, signature, arguments):
        vector, count, index = arguments[0], a.count, ir.IntType(32)
        while count > 1:
            count //= 2
            halves = [
                builder.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(index, count), list(range(first, first + count))))
                for first in (0, count)
            ]
            vector = builder.fadd(*halves)
        return builder.extract_element(vector, ir.Constant(index, 0))

    return a.dtype(a), codegen
