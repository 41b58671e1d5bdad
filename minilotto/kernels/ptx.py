"""Instructions of NVIDIA GPUs for those of LLVM's intrinsics that their compiler does not take."""

from llvmlite import ir

INSTRUCTIONS = {
    "llvm.fabs": "abs.{0} $0, $1;",
    "llvm.rint": "cvt.rni.{0}.{0} $0, $1;",  # to the nearest whole number, of two the even one
    "llvm.copysign": "copysign.{0} $0, $2, $1;",
}
LETTERS = {"f32": "f", "f64": "d"}


def instruction(
    builder: ir.IRBuilder, name: str, signature: ir.FunctionType
) -> ir.InlineAsm | None:
    """What stands for the LLVM intrinsic `name` where code is built for a GPU; None where the
    intrinsic itself will do.
    """
    family, _, kind = name.rpartition(".")
    if not builder.module.triple.startswith("nvptx") or family not in INSTRUCTIONS:
        return None
    letter = LETTERS[kind]
    return ir.InlineAsm(
        signature,
        INSTRUCTIONS[family].format(kind),
        f"={letter}" + f",{letter}" * len(signature.args),
    )


def special_function(name: str) -> ir.InlineAsm:
    """A float32 result of the special function unit, such as "ex2": subnormals count as zero."""
    single = ir.FloatType()
    return ir.InlineAsm(ir.FunctionType(single, [single]), f"{name}.approx.ftz.f32 $0, $1;", "=f,f")
