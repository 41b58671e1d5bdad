"""The SIMD lane type: several seeds side by side in one machine vector, inside Numba.

A `Lanes` value is an LLVM vector such as `<16 x float>`. Operators act lane by lane, so that a
formula written for one number serves sixteen seeds. LLVM's auto-vectoriser makes these loops
several times slower, so nothing is left to it.

No fast-math flag is set: an operation is fused, reordered or approximated only where a formula
says so. A lane's bits therefore depend neither on the lane count, nor on the lane's neighbours, nor
on LLVM's optimisations.
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
    """LLVM's names of the CPU features that Numba compiles for: this CPU's, unless
    NUMBA_CPU_FEATURES says otherwise.
    """
    listed = cpu_target.target_context.codegen().magic_tuple()[-1]
    return frozenset(feature[1:] for feature in listed.split(",") if feature.startswith("+"))


def lane_count(dtype) -> int:
    """Numbers of `dtype` in one vector register of this CPU (at least four float32)."""
    features = target_features()
    size = 64 if "avx512f" in features else 32 if "avx" in features else 16
    return size // np.dtype(dtype).itemsize


# Operators: lane by lane, between equal lane types only. Scalars are spread with `like` first,
# which keeps float32 float32.
def _declare(function, build, result=lambda lanes: lanes):
    @type_callable(function)
    def typer_of(context):
        def typer(a, b):
            if isinstance(a, Lanes) and a == b:
                return result(a)

        return typer

    @lower_builtin(function, Lanes, Lanes)
    def lower(context, builder, signature, arguments):
        return build(builder, *arguments)


def _mask_of(lanes):
    return LaneMask(lanes.count)


_declare(operator.add, ir.IRBuilder.fadd)
_declare(operator.sub, ir.IRBuilder.fsub)
_declare(operator.mul, ir.IRBuilder.fmul)
_declare(operator.truediv, ir.IRBuilder.fdiv)
_declare(operator.lt, lambda builder, a, b: builder.fcmp_ordered("<", a, b), _mask_of)
_declare(operator.gt, lambda builder, a, b: builder.fcmp_ordered(">", a, b), _mask_of)


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
def _is_real(number) -> bool:
    return isinstance(number, (Lanes, types.Float))


def llvm_type(number) -> ir.Type:
    return (
        ir.VectorType(_real(number.dtype), number.count)
        if isinstance(number, Lanes)
        else _real(number)
    )


def precision_of(number) -> int:
    dtype = number.dtype if isinstance(number, Lanes) else number
    return 32 if dtype == types.float32 else 64


def suffix_of(number) -> str:
    return (f"v{number.count}" if isinstance(number, Lanes) else "") + f"f{precision_of(number)}"


def constant_of(number, value) -> ir.Constant:
    """The constant `value` in the precision of `number`, in every lane."""
    real = _real(number.dtype) if isinstance(number, Lanes) else _real(number)
    value = float(np.float32(value)) if precision_of(number) == 32 else float(value)
    if isinstance(number, Lanes):
        return ir.Constant(llvm_type(number), [ir.Constant(real, value)] * number.count)
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


def fused(builder, number, terms) -> ir.Value:
    """terms[0] * terms[1] + terms[2], of the type `number`, with one rounding."""
    return call(builder, f"llvm.fma.{suffix_of(number)}", llvm_type(number), terms)


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c with one rounding."""
    if not (_is_real(a) and a == b == c):
        return None

    def codegen(context, builder, signature, arguments):
        return fused(builder, a, arguments)

    return a(a, b, c), codegen


def _unary(name, doc):
    @intrinsic
    def function(typingctx, a):
        if not _is_real(a):
            return None

        def codegen(context, builder, signature, arguments):
            return call(builder, f"llvm.{name}.{suffix_of(a)}", llvm_type(a), arguments)

        return a(a), codegen

    function.__doc__ = doc
    return function


square_root = _unary("sqrt", "Correctly rounded square root.")
absolute = _unary("fabs", "|a|, NaN kept.")


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
    """An intrinsic for sum_k c[k] x^k by Horner's rule, with the coefficients `single` for float32
    and `double` for float64.
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
                value = fused(builder, x, [value, arguments[0], constant_of(x, coefficient)])
            return value

        return x(x), codegen

    horner.coefficients = table  # for sources in other languages
    return horner


# AVX-512 has an instruction for the fraction of a number and one for scaling by a power of two.
def _has_avx512(context, number) -> bool:
    if not (isinstance(number, Lanes) and number.count * precision_of(number) == 512):
        return False
    features = context.codegen().magic_tuple()[-1].split(",")
    return "+avx512f" in features and "+avx512dq" in features


def _call_avx512(builder, name, number, arguments) -> ir.Value:
    """An AVX-512 instruction on all lanes of `number`, in the current rounding mode."""
    letter = "ps" if precision_of(number) == 32 else "pd"
    every_lane = ir.Constant(ir.IntType(number.count), -1)
    current_rounding = ir.Constant(ir.IntType(32), 4)
    arguments = [*arguments, constant_of(number, 0.0), every_lane, current_rounding]
    return call(builder, f"llvm.x86.avx512.mask.{name}.{letter}.512", llvm_type(number), arguments)


def _whole_and_fraction(context, builder, number, value) -> tuple[ir.Value, ir.Value]:
    if _has_avx512(context, number):
        to_nearest_even_quietly = ir.Constant(ir.IntType(32), 8)
        rest = _call_avx512(builder, "reduce", number, [value, to_nearest_even_quietly])
        return builder.fsub(value, rest), rest
    whole = call(builder, f"llvm.rint.{suffix_of(number)}", llvm_type(number), [value])
    return whole, builder.fsub(value, whole)


def _part(index, doc):
    @intrinsic
    def function(typingctx, t):
        if not _is_real(t):
            return None

        def codegen(context, builder, signature, arguments):
            return _whole_and_fraction(context, builder, t, arguments[0])[index]

        return t(t), codegen

    function.__doc__ = doc
    return function


whole = _part(0, "The nearest whole number.")
fraction = _part(1, "t minus the nearest whole number: exact, in [-1/2, 1/2].")


@intrinsic
def scale(typingctx, a, n):
    """a * 2^n for a whole number n. Where 2^n is below (above) all normal numbers, it counts as 0
    (infinity).
    """
    if not (_is_real(a) and a == n):
        return None

    def codegen(context, builder, signature, arguments):
        value, exponent = arguments
        number = llvm_type(n)
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
        return builder.fmul(value, builder.bitcast(builder.shl(sum_bits, shift), number))

    return a(a, n), codegen


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


@intrinsic
def apart(typingctx):
    """Keep the calling function out of those that call it: LLVM would hold its constants in
    registers that their loops need.
    """

    def codegen(context, builder, signature, arguments):
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), codegen
