"""Numba, imported once the environment's settings of it are known to be usable.

What imports Numba imports this first, so that a variable such as NUMBA_NUM_THREADS=0 is an error of
one line.
"""

import os
import subprocess
import sys
import warnings

from minilotto.errors import ResourceError

# LLVM reports names that it does not know on the standard error, or ends the process.
_MACHINE = """
import os
from llvmlite import binding as llvm
llvm.initialize_native_target()
llvm.Target.from_default_triple().create_target_machine(
    cpu=os.environ.get("NUMBA_CPU_NAME", ""), features=os.environ.get("NUMBA_CPU_FEATURES", "")
)
"""


def _refusal(reason: str, prefix: str) -> ResourceError:
    names = sorted(name for name in os.environ if name.startswith(prefix))
    named = ", ".join([name for name in names if name in reason] or names)
    return ResourceError(
        f"Numba cannot be used ({reason.strip('. ')}); correct or unset {named} in the environment"
    )


def _check_environment() -> None:
    """Raises ResourceError where Numba or LLVM cannot use a variable of theirs."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Environment variable '")
        try:
            import numba
        except (ValueError, RuntimeWarning) as error:
            raise _refusal(str(error).partition("\n")[0], "NUMBA_") from None
    if numba.config.DISABLE_JIT:
        raise _refusal("its compiler is turned off", "NUMBA_DISABLE_JIT")
    if {"NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"} & os.environ.keys():
        made = subprocess.run([sys.executable, "-c", _MACHINE], capture_output=True, text=True)
        unknown = [line for line in made.stderr.splitlines() if "is not a recognized" in line]
        if made.returncode or unknown:
            raise _refusal(unknown[0] if unknown else "LLVM ends the process", "NUMBA_CPU")


_check_environment()
