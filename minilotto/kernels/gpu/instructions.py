"""Instructions of NVIDIA GPUs, as functions of kernels, and formulas that use them in float32.

Quotients, square roots and 2^t of float32 come from the special function unit, with relative errors
of about 2^-22 or less (NVIDIA's PTX manual), like those of the CPU's polynomials. Importing this
module replaces those formulas in code for GPUs.
"""

from functools import partial

import numpy as np
from llvmlite import ir
from numba import types
from numba.cuda.extending import intrinsic, overload

from minilotto.kernels import formulas
from minilotto.kernels.ptx import special_function
from minilotto.kernels.random import DRAWS, ROUNDS, rounds_of


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


@intrinsic
def draws_of(typingctx, key, step, block):
    """Draws 4 block to 4 block + 3 of the seed of that key at a step: words below 2^32."""
    words = types.UniTuple(types.int64, DRAWS)

    def codegen(context, builder, signature, arguments):
        key, step, block = arguments
        number = key.type
        half, mask = ir.Constant(number, 32), ir.Constant(number, 2**32 - 1)
        halves = [(builder.and_(word, mask), builder.lshr(word, half)) for word in (key, step)]
        counter = block, *halves[1], ir.Constant(number, 0)
        constant = partial(ir.Constant, number)
        drawn = rounds_of(builder, constant, counter, halves[0], range(ROUNDS))
        return context.make_tuple(builder, words, drawn)

    return words(types.int64, types.int64, types.int64), codegen


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
