"""The SIMD lane type: several seeds side by side in one machine vector, inside Numba.

A `Lanes` value is an LLVM vector such as `<16 x float>`. Operators act lane by lane, so that a
formula written for one number serves sixteen seeds. Nothing here is left to the auto-vectoriser,
which on these loops is several times slower.

No fast-math flag is ever set: an operation is fused, reordered or approximated only where a formula
says so. A lane's bits therefore do not depend on the lane count, on the lane's neighbours, or on
how LLVM happened to optimise.
"""

import operator
from functools import lru_cache

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.registry import cpu_target
from numba.extending import intrinsic, lower_builtin, register_model, type_callable

from minilotto.kernels.ptx import instruction


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
    """Names, as LLVM spells them, of the CPU features that Numba compiles for: this CPU's, unless
    NUMBA_CPU_FEATURES says less.
    """
    listed = cpu_target.target_context.codegen().magic_tuple()[-1]
    return frozenset(feature[1:] for feature in listed.split(",") if feature.startswith("+"))


def lane_count(dtype) -> int:
    """How many numbers of `dtype` one native vector register of this CPU holds (at least four
    float32).
    """
    features = target_features()
    size = 64 if "avx512f" in features else 32 if "avx" in features else 16
    return size // np.dtype(dtype).itemsize


# Operators: lane by lane, between equal lane types only. Scalars are spread with `like` first,
# which keeps float32 float32.
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


# Building blocks that work on Lanes and on plain floats alike, so that one formula serves lanes,
# scalar loops and CUDA.
def _is_real(kind) -> bool:
    return isinstance(kind, (Lanes, types.Float))


def llvm_type(kind) -> ir.Type:
    return ir.VectorType(_real(kind.dtype), kind.count) if isinstance(kind, Lanes) else _real(kind)


def precision_of(kind) -> int:
    dtype = kind.dtype if isinstance(kind, Lanes) else kind
    return 32 if dtype == types.float32 else 64


def suffix_of(kind) -> str:
    return (f"v{kind.count}" if isinstance(kind, Lanes) else "") + f"f{precision_of(kind)}"


def constant_of(kind, value) -> ir.Constant:
    """The constant `value` in the precision of `kind`, in every lane."""
    real = _real(kind.dtype) if isinstance(kind, Lanes) else _real(kind)
    value = float(np.float32(value)) if precision_of(kind) == 32 else float(value)
    if isinstance(kind, Lanes):
        return ir.Constant(llvm_type(kind), [ir.Constant(real, value)] * kind.count)
    return ir.Constant(real, value)


def splat(builder, vector: ir.VectorType, scalar) -> ir.Value:
    first = builder.insert_element(
        ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0)
    )
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def call(builder, name, result, arguments):
    signature = ir.FunctionType(result, [argument.type for argument in arguments])
    on_gpu = instruction(builder, name, signature)
    return builder.call(
        on_gpu or cgutils.get_or_insert_function(builder.module, signature, name), arguments
    )


@intrinsic
def like(typingctx, model, value):
    """`value` in the precision of `model`, in every lane where `model` is Lanes."""
    if not _is_real(model) or not isinstance(value, types.Number):
        return None

    def codegen(context, builder, signature, arguments):
        scalar_type = model.dtype if isinstance(model, Lanes) else model
        scalar = context.cast(builder, arguments[1], signature.args[1], scalar_type)
        return splat(builder, llvm_type(model), scalar) if isinstance(model, Lanes) else scalar

    return model(model, value), codegen


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c with one rounding."""
    if not (_is_real(a) and a == b == c):
        return None

    def codegen(context, builder, signature, arguments):
        return call(builder, f"llvm.fma.{suffix_of(a)}", llvm_type(a), arguments)

    return a(a, b, c), codegen


@intrinsic
def square_root(typingctx, a):
    """Correctly rounded square root."""
    if not _is_real(a):
        return None

    def codegen(context, builder, signature, arguments):
        return call(builder, f"llvm.sqrt.{suffix_of(a)}", llvm_type(a), arguments)

    return a(a), codegen


@intrinsic
def absolute(typingctx, a):
    """|a|, NaN kept."""
    if not _is_real(a):
        return None

    def codegen(context, builder, signature, arguments):
        return call(builder, f"llvm.fabs.{suffix_of(a)}", llvm_type(a), arguments)

    return a(a), codegen


@intrinsic
def with_sign_of(typingctx, a, b):
    """|a| with the sign of b."""
    if not (_is_real(a) and a == b):
        return None

    def codegen(context, builder, signature, arguments):
        return call(builder, f"llvm.copysign.{suffix_of(a)}", llvm_type(a), arguments)

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
    """An intrinsic that evaluates sum_k c[k] x^k by Horner's rule: coefficients `single` for
    float32, `double` for float64.
    """
    table = {32: tuple(single), 64: tuple(double)}

    @intrinsic
    def horner(typingctx, x):
        if not _is_real(x):
            return None

        def codegen(context, builder, signature, arguments):
            coefficients = table[precision_of(x)]
            value = constant_of(x, coefficients[-1])
            for coefficient in coefficients[-2::-1]:
                value = call(
                    builder,
                    f"llvm.fma.{suffix_of(x)}",
                    llvm_type(x),
                    [value, arguments[0], constant_of(x, coefficient)],
                )
            return value

        return x(x), codegen

    horner.coefficients = table  # for those who write formulas in another language
    return horner


# AVX-512 has one instruction for either part of a power of two: the fraction, and scaling by the
# whole number.
def _has_avx512(context, kind) -> bool:
    if not (isinstance(kind, Lanes) and kind.count * precision_of(kind) == 512):
        return False
    features = context.codegen().magic_tuple()[-1].split(",")
    return "+avx512f" in features and "+avx512dq" in features


def _call_avx512(builder, name, kind, arguments) -> ir.Value:
    """An AVX-512 instruction on all lanes of `kind`, in the current rounding mode: the name's
    letter and width are added.
    """
    letter = "ps" if precision_of(kind) == 32 else "pd"
    every_lane, current_rounding = (
        ir.Constant(ir.IntType(kind.count), -1),
        ir.Constant(ir.IntType(32), 4),
    )
    arguments = [*arguments, constant_of(kind, 0.0), every_lane, current_rounding]
    return call(builder, f"llvm.x86.avx512.mask.{name}.{letter}.512", llvm_type(kind), arguments)


@intrinsic
def fraction(typingctx, t):
    """t less the nearest whole number: in [-1/2, 1/2], exact, so that t - fraction(t) is that whole
    number exactly.
    """
    if not _is_real(t):
        return None

    def codegen(context, builder, signature, arguments):
        if _has_avx512(context, t):
            to_nearest_even_quietly = ir.Constant(ir.IntType(32), 8)
            return _call_avx512(builder, "reduce", t, [arguments[0], to_nearest_even_quietly])
        return builder.fsub(
            arguments[0], call(builder, f"llvm.rint.{suffix_of(t)}", llvm_type(t), arguments)
        )

    return t(t), codegen


@intrinsic
def scale(typingctx, a, n):
    """a * 2^n for a whole number n; zero where 2^n is no normal number, infinite where it is too
    large for one.
    """
    if not (_is_real(a) and a == n):
        return None

    def codegen(context, builder, signature, arguments):
        value, exponent = arguments
        kind = llvm_type(n)
        if _has_avx512(context, n):
            return _call_avx512(builder, "scalef", n, [value, exponent])
        # 2^n has the biased exponent n + bias above its mantissa: 0 for zero, 2 bias + 1 for
        # infinity. Adding 2^mantissa leaves the whole number n + bias in the lowest bits of the
        # sum, and the shift pushes all other bits out. A NaN stays one in `value`.
        bits, mantissa, bias = (32, 23, 127) if precision_of(n) == 32 else (64, 52, 1023)
        lowest, highest = constant_of(n, -bias), constant_of(n, bias + 1)
        exponent = builder.select(builder.fcmp_ordered("<", exponent, lowest), lowest, exponent)
        exponent = builder.select(builder.fcmp_ordered(">", exponent, highest), highest, exponent)
        integer: ir.Type = ir.IntType(bits)
        shift = ir.Constant(integer, mantissa)
        if isinstance(n, Lanes):
            integer = ir.VectorType(integer, n.count)
            shift = ir.Constant(integer, [mantissa] * n.count)
        sum_bits = builder.bitcast(
            builder.fadd(exponent, constant_of(n, 2.0**mantissa + bias)), integer
        )
        return builder.fmul(value, builder.bitcast(builder.shl(sum_bits, shift), kind))

    return a(a, n), codegen


# Subnormal numbers cost x86 CPUs a hundred cycles each, and dying neurons make them by the
# thousand.
_FLUSH_RESULTS, _FLUSH_OPERANDS = (
    0x8000,
    0x0040,
)  # bits of MXCSR, the control register of SSE and AVX arithmetic


def _is_x86(context) -> bool:
    return context.codegen().magic_tuple()[0].startswith(("x86_64", "i386", "i686"))


@intrinsic
def flush_subnormals(typingctx, flush):
    """Have this thread treat subnormal numbers as zero where `flush` holds. Returns the former
    mode, for `restore_mode`.

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
        call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [address])
        before = builder.load(slot)
        flushing = builder.or_(before, ir.Constant(integer, _FLUSH_RESULTS | _FLUSH_OPERANDS))
        condition = context.cast(builder, arguments[0], signature.args[0], types.boolean)
        if condition.type != ir.IntType(1):
            condition = builder.trunc(condition, ir.IntType(1))
        builder.store(builder.select(condition, flushing, before), slot)
        call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [address])
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
            call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [address])
        return context.get_dummy_value()

    return types.void(types.int32), codegen


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
                builder.shuffle_vector(
                    vector,
                    vector,
                    ir.Constant(ir.VectorType(index, count), list(range(first, first + count))),
                )
                for first in (0, count)
            ]
            vector = builder.fadd(*halves)
        return builder.extract_element(vector, ir.Constant(index, 0))

    return a.dtype(a), codegen
