"""Random numbers of a seed at a step: Philox 4x32 with 7 rounds, one seed a lane.

Philox (Salmon et al. 2011) is a function of a counter of four 32-bit words and a key of two. The
key of a seed is what Philox makes of the seed under the root seed; the counter is (block, step), so
that a draw is known by root seed, seed, step and place alone. A block is four draws. Whole numbers
make no rounding errors: draws are equal on every machine.
"""

import sys
from functools import partial

from llvmlite import ir
from numba import types
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model

from minilotto.kernels.compile import kernel
from minilotto.kernels.groups import joined, part_of
from minilotto.kernels.simd import Lanes, constant_of, llvm_type, splat
from minilotto.kernels.spec import SpecType

ROUNDS = 7  # the fewest that pass BigCrush
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
INCREMENTS = (0x9E3779B9, 0xBB67AE85)
DRAWS = 4  # of a block
TWICE = 256  # rows of a table up to which one word draws two
_HALF, _MASK = 32, 2**32 - 1
_WORD = ir.IntType(64)


class Words(types.Type):
    """Numba type of one 32-bit word a lane, in the lower half of 64 bits, where CPUs multiply."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(name=f"Words({count})")


@register_model(Words)
class _WordsModel(models.PrimitiveModel):
    def __init__(self, manager, words):
        super().__init__(manager, words, _vector(words.count))


def _vector(count: int) -> ir.VectorType:
    return ir.VectorType(_WORD, count)


def _constant(value: int, count: int) -> ir.Constant:
    return ir.Constant(_vector(count), [value] * count)


def _tuple(builder, parts) -> ir.Value:
    result = ir.Constant(ir.ArrayType(parts[0].type, len(parts)), ir.Undefined)
    for place, part in enumerate(parts):
        result = builder.insert_value(result, part, place)
    return result


def _lower(builder, value) -> ir.Value:
    return builder.and_(value, _constant(_MASK, value.type.count))


def _upper(builder, value) -> ir.Value:
    return builder.lshr(value, _constant(_HALF, value.type.count))


@intrinsic
def words_of(typingctx, spec, number):
    """The lower and the upper half of a whole number, in every lane: two Words."""
    if not (isinstance(spec, SpecType) and isinstance(number, types.Integer)):
        return None
    words = Words(spec.lanes.count)

    def codegen(context, builder, signature, arguments):
        wide = context.cast(builder, arguments[1], signature.args[1], types.uint64)
        every = splat(builder, _vector(words.count), wide)
        return _tuple(builder, [_lower(builder, every), _upper(builder, every)])

    return types.UniTuple(words, 2)(spec, number), codegen


@intrinsic
def load_words(typingctx, spec, array, offset):
    """The lower and the upper halves of `array[offset : offset + lanes]`: two Words."""
    if not (isinstance(spec, SpecType) and isinstance(array, types.Array)):
        return None
    words = Words(spec.lanes.count)

    def codegen(context, builder, signature, arguments):
        data = context.make_array(array)(context, builder, arguments[1]).data
        address = builder.gep(data, [arguments[2]], inbounds=True)
        address = builder.bitcast(address, _vector(words.count).as_pointer())
        every = builder.load(address, align=8)
        return _tuple(builder, [_lower(builder, every), _upper(builder, every)])

    return types.UniTuple(words, 2)(spec, array, types.intp), codegen


@intrinsic
def philox(typingctx, counter, key):
    """Four Words from a counter of four and a key of two."""
    if not (isinstance(counter, types.UniTuple) and isinstance(key, types.UniTuple)):
        return None

    def codegen(context, builder, signature, arguments):
        words = [builder.extract_value(arguments[0], place) for place in range(4)]
        return _rounds(context, builder, words, arguments[1], range(ROUNDS))

    return counter(counter, key), codegen


def rounds_of(builder, number, words, key, rounds, kept=lambda word: word):
    """The lower halves of four words after some rounds, by the operations of `builder` on what
    `number` makes of constants: LLVM's, or those of Python's numbers.
    """
    half, mask = number(_HALF), number(_MASK)
    a, b, c, d = words
    for count in rounds:
        # The upper halves of b, d and the keys are ignored: only lower halves are multiplied.
        b, d = (
            kept(builder.xor(word, builder.add(own, number(count * by & _MASK))))
            for word, own, by in zip((b, d), key, INCREMENTS, strict=True)
        )
        first, second = (
            builder.mul(builder.and_(word, mask), number(by))
            for word, by in zip((a, c), MULTIPLIERS, strict=True)
        )
        a = builder.xor(builder.lshr(second, half), b)
        c = builder.xor(builder.lshr(first, half), d)
        b, d = second, first
    return [builder.and_(word, mask) for word in (a, b, c, d)]


def _rounds(context, builder, words, key, rounds) -> ir.Value:
    count = words[0].type.count
    number, kept = partial(_constant, count=count), partial(_opaque, context, builder)
    key = [builder.extract_value(key, place) for place in range(2)]
    return _tuple(builder, rounds_of(builder, number, words, key, rounds, kept))


def _opaque(context, builder, words) -> ir.Value:
    """The same words, hidden from LLVM on AMD's AVX-512: it would make one instruction of two xor,
    which takes the place of a multiplication there.
    """
    features = context.codegen().magic_tuple()[-1].split(",")
    if not {"+avx512f", "+sse4a"} <= set(features) or words.type.count % 8:
        return words
    parts = [part_of(builder, words, part, 8) for part in range(words.type.count // 8)]
    same = ir.FunctionType(_vector(8), [_vector(8)])
    return joined(builder, [builder.asm(same, "", "=v,0", [part], False) for part in parts])


@intrinsic
def times(typingctx, words, count):
    """The 64 bits of word * count, for a count below 2^32, of which only the lower half counts as a
    word.

    The upper half is floor(word * count / 2^32): a whole number below `count`, each with a
    probability that is off by less than 2^-32. The lower half is as good as another word where
    count^2 is far below 2^32.
    """
    if not (isinstance(words, Words) and isinstance(count, types.Integer)):
        return None

    def codegen(context, builder, signature, arguments):
        every = splat(builder, _vector(words.count), arguments[1])
        return builder.mul(_lower(builder, arguments[0]), _lower(builder, every))

    return words(words, types.intp), codegen


@intrinsic
def store_upper(typingctx, array, offset, products):
    """Write the upper halves of `times` to the int32 numbers `array[offset : offset + lanes]`."""
    if not (isinstance(products, Words) and isinstance(array, types.Array)):
        return None
    count, word = products.count, ir.IntType(32)
    narrow = ir.VectorType(word, count)
    upper = int(sys.byteorder == "little")  # which of the two halves in memory

    def codegen(context, builder, signature, arguments):
        halves = builder.bitcast(arguments[2], ir.VectorType(word, 2 * count))
        chosen = ir.Constant(narrow, list(range(upper, 2 * count, 2)))
        data = context.make_array(array)(context, builder, arguments[0]).data
        address = builder.gep(data, [arguments[1]], inbounds=True)
        address = builder.bitcast(address, narrow.as_pointer())
        builder.store(builder.shuffle_vector(halves, halves, chosen), address, align=4)

    return types.void(array, types.intp, products), codegen


@intrinsic
def uniform(typingctx, words, low, span):
    """low + span (word + 1/2) / 2^32, Lanes of float64."""
    if not isinstance(words, Words):
        return None
    result = Lanes(types.float64, words.count)

    def codegen(context, builder, signature, arguments):
        words, low, span = arguments
        vector = llvm_type(result)
        # 2^52 + word has the word in its lowest bits; AVX2 converts no whole numbers of 64 bits
        real = builder.or_(words, _constant(0x433 << 52, result.count))
        real = builder.fsub(builder.bitcast(real, vector), constant_of(result, 2.0**52 - 0.5))
        span = builder.fmul(span, ir.Constant(span.type, 2.0**-32))  # exact
        real = builder.fmul(real, splat(builder, vector, span))
        return builder.fadd(splat(builder, vector, low), real)

    return result(words, types.float64, types.float64), codegen


@intrinsic
def store_words(typingctx, array, offset, words):
    """The inverse of load_words."""
    if not (isinstance(words, types.UniTuple) and isinstance(array, types.Array)):
        return None
    count = words.dtype.count

    def codegen(context, builder, signature, arguments):
        low, high = (builder.extract_value(arguments[2], place) for place in range(2))
        every = builder.or_(low, builder.shl(high, _constant(_HALF, count)))
        data = context.make_array(array)(context, builder, arguments[0]).data
        address = builder.gep(data, [arguments[1]], inbounds=True)
        builder.store(every, builder.bitcast(address, _vector(count).as_pointer()), align=8)

    return types.void(array, types.intp, words), codegen


@kernel()
def seed_keys(spec, root_seed, seeds, keys):
    """Write the key of each of `seeds` (blocks, lanes) to `keys`, words as of `load_words`."""
    zero, one = words_of(spec, 1 << _HALF)
    root = words_of(spec, root_seed)
    for block in range(len(seeds)):
        low, high = load_words(spec, seeds[block], 0)
        words = philox((low, high, zero, one), root)
        store_words(keys[block], 0, (words[0], words[1]))


@intrinsic
def draws_of(typingctx, spec, key, step, block):
    """Draws 4 block to 4 block + 3 of that step: `philox` of (block, step, 0), whose first round is
    one of numbers that all lanes share.
    """
    if not (isinstance(spec, SpecType) and isinstance(key, types.UniTuple)):
        return None
    words = types.UniTuple(key.dtype, 4)
    count = key.dtype.count

    def codegen(context, builder, signature, arguments):
        _, key, step, block = arguments
        half, mask = ir.Constant(_WORD, _HALF), ir.Constant(_WORD, _MASK)
        by_block, by_step = (ir.Constant(_WORD, by) for by in MULTIPLIERS)
        first = builder.mul(builder.and_(block, mask), by_block)
        second = builder.mul(builder.lshr(step, half), by_step)
        mixed = builder.xor(builder.lshr(second, half), step), builder.lshr(first, half)
        a, c = (
            builder.xor(splat(builder, _vector(count), number), builder.extract_value(key, place))
            for place, number in enumerate(mixed)
        )
        b, d = (splat(builder, _vector(count), number) for number in (second, first))
        return _rounds(context, builder, (a, b, c, d), key, range(1, ROUNDS))

    return words(spec, key, types.uint64, types.uint64), codegen
