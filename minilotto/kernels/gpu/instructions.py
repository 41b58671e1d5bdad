"""Instructions of NVIDIA GPUs, as functions of kernels, and formulas that use them in float32.

Quotients, square roots and 2^t of float32 come from the special function unit, with relative errors
of about 2^-22 or less (NVIDIA's PTX manual), like those of the CPU's polynomials. Importing this
module replaces those formulas in code for GPUs.
"""

import numpy as np
from numba import types
from numba.cuda.extending import intrinsic, overload

from minilotto.kernels import formulas
from minilotto.kernels.ptx import special_function


@intrinsic
def element(typingctx, array, offset):
    """array[offset] for an offset of at least 0, without the check of Numba's own indexing."""
    if not (
        isinstance(array, types.Array) and array.ndim == 1 and isinstance(offset, types.Integer)
    ):
        return None

    def codegen(context, builder, signature, arguments):
        data = context.make_array(array)(context, builder, arguments[0]).data
        return builder.load(builder.gep(data, [arguments[1]], inbounds=True))

    return array.dtype(array, types.intp), codegen


def _special(name):
    @intrinsic
    def function(typingctx, t):
        if t != types.float32:
            return None

        def codegen(context, builder, signature, arguments):
            return builder.call(special_function(name), arguments)

        return t(t), codegen

    return function


_power_of_two, _reciprocal, _square_root = _special("ex2"), _special("rcp"), _special("sqrt")


@overload(formulas.exp2)
def _exp2(t):
    return (lambda t: _power_of_two(t)) if t == types.float32 else None


@overload(formulas.falling_logistic)
def _falling_logistic(t):
    if t == types.float32:
        return lambda t: _reciprocal(np.float32(1.0) + _power_of_two(t))


@overload(formulas.quotient)
def _quotient(a, b):
    return (lambda a, b: a * _reciprocal(b)) if a == b == types.float32 else None


@overload(formulas.root)
def _root(a):
    return (lambda a: _square_root(a)) if a == types.float32 else None
