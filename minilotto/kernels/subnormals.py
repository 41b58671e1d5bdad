"""Whether a thread treats subnormal numbers as zero.

They cost x86 CPUs a hundred cycles each, and dying neurons make them by the thousand. Other CPUs
keep them at no cost in speed, and there nothing here has an effect.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from minilotto.kernels.simd import call

# Bits of MXCSR, the control register of SSE and AVX arithmetic.
_FLUSH_RESULTS, _FLUSH_OPERANDS = 0x8000, 0x0040
_INT32 = ir.IntType(32)


def _is_x86(context) -> bool:
    return context.codegen().magic_tuple()[0].startswith(("x86_64", "i386", "i686"))


def _slot(builder) -> tuple[ir.Value, ir.Value]:
    """Memory for a copy of MXCSR, and its address as the instructions take it."""
    slot = cgutils.alloca_once(builder, _INT32)
    return slot, builder.bitcast(slot, ir.IntType(8).as_pointer())


@intrinsic
def flush_subnormals(typingctx, flush):
    """Have this thread treat subnormal numbers as zero where `flush` holds. Returns the former
    mode, for `restore_mode`.
    """
    if not isinstance(flush, types.Boolean):
        return None

    def codegen(context, builder, signature, arguments):
        if not _is_x86(context):
            return ir.Constant(_INT32, 0)
        slot, address = _slot(builder)
        call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [address])
        before = builder.load(slot)
        flushing = builder.or_(before, ir.Constant(_INT32, _FLUSH_RESULTS | _FLUSH_OPERANDS))
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
            slot, address = _slot(builder)
            builder.store(arguments[0], slot)
            call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [address])
        return context.get_dummy_value()

    return types.void(types.int32), codegen
