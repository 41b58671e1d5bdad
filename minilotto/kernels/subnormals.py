"""Whether a thread treats subnormal numbers as zero.

They cost x86 CPUs a hundred cycles each, and dying neurons make them by the thousand. ARM CPUs are
set likewise, for the same bits. On other CPUs nothing here has an effect.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from minilotto.kernels.simd import call

# Bits that flush results and operands: of MXCSR, the control register of SSE and AVX arithmetic,
# and of FPCR, that of ARM.
_MXCSR_FLUSHES, _FPCR_FLUSHES = 0x8040, 1 << 24
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)


def _flushing(context) -> int:
    """The bits of this CPU's control register; 0 for a CPU that is not known."""
    triple = context.codegen().magic_tuple()[0]
    if triple.startswith(("x86_64", "i386", "i686")):
        return _MXCSR_FLUSHES
    return _FPCR_FLUSHES if triple.startswith(("aarch64", "arm64")) else 0


def _slot(builder) -> tuple[ir.Value, ir.Value]:
    """Memory for a copy of MXCSR, and its address as the instructions take it."""
    slot = cgutils.alloca_once(builder, _INT32)
    return slot, builder.bitcast(slot, ir.IntType(8).as_pointer())


def _read(builder, flushing: int) -> ir.Value:
    if flushing == _FPCR_FLUSHES:
        return call(builder, "llvm.aarch64.get.fpcr", _INT64, [])
    slot, address = _slot(builder)
    call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [address])
    return builder.zext(builder.load(slot), _INT64)


def _write(builder, flushing: int, mode) -> None:
    if flushing == _FPCR_FLUSHES:
        call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), [mode])
        return
    slot, address = _slot(builder)
    builder.store(builder.trunc(mode, _INT32), slot)
    call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [address])


@intrinsic
def flush_subnormals(typingctx, flush):
    """Have this thread treat subnormal numbers as zero where `flush` holds. Returns the former
    mode, for `restore_mode`.
    """
    if not isinstance(flush, types.Boolean):
        return None

    def codegen(context, builder, signature, arguments):
        bits = _flushing(context)
        if not bits:
            return ir.Constant(_INT64, 0)
        before = _read(builder, bits)
        condition = context.cast(builder, arguments[0], signature.args[0], types.boolean)
        if condition.type != ir.IntType(1):
            condition = builder.trunc(condition, ir.IntType(1))
        flushed = builder.or_(before, ir.Constant(_INT64, bits))
        _write(builder, bits, builder.select(condition, flushed, before))
        return before

    return types.int64(flush), codegen


@intrinsic
def restore_mode(typingctx, mode):
    """Undo `flush_subnormals`."""
    if not isinstance(mode, types.Integer):
        return None

    def codegen(context, builder, signature, arguments):
        if bits := _flushing(context):
            _write(builder, bits, arguments[0])
        return context.get_dummy_value()

    return types.void(types.int64), codegen
