"""Arrays: names of their types, and the caller's values as arrays."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.errors import DataError, reason_of

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_BROADCAST = 2**24  # numbers of an array that repeats some memory
STAGE_BITS = 8  # 2^8 powers of a base are kept


class ReadOnly:
    """Base of frozen dataclasses whose arrays are read-only, in copies and unpickled ones too."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)


def powers(base: float, exponents: Ints) -> Array:
    """base^k for whole k >= 0 (n,), with the same bits on every CPU: NumPy's own function of arrays
    has other last bits with AVX-512 than without.
    """
    flat = np.ravel(exponents)
    stages = flat >> STAGE_BITS
    changes = np.append(True, stages[1:] != stages[:-1])[: len(flat)]
    starts = np.flatnonzero(changes)  # of runs of one stage
    with np.errstate(over="ignore"):  # of bases above 1: infinite
        table = [np.float64(base) ** (k << STAGE_BITS) for k in stages[starts].tolist()]
        product = np.repeat(table, np.diff(starts, append=len(flat)))
        product *= _first_powers(base)[flat & ((1 << STAGE_BITS) - 1)]
    return product.reshape(np.shape(exponents))


@lru_cache(maxsize=8)
def _first_powers(base: float) -> Array:
    """base^k for k = 0, ..., 2^STAGE_BITS - 1."""
    with np.errstate(over="ignore"):
        return np.array([np.float64(base) ** k for k in range(1 << STAGE_BITS)])


def is_list(value: Any) -> bool:
    """Whether a value has items: no text, and no array without a dimension."""
    words = isinstance(value, (str, bytes)) or getattr(value, "shape", None) == ()
    return isinstance(value, Iterable) and not words


def array_of(name: str, values: object) -> NDArray[Any]:
    """The caller's values as an array of any dtype; `name` is for the message. Raises DataError."""
    try:
        check_unmasked(name, values)
        array = np.asarray(values)
    except DataError:
        raise
    except Exception as error:  # `__array__`, `__len__` and `__iter__` of the caller's raise any
        raise DataError(
            f"{name} is no array ({reason_of(error)}); pass numbers, in rows of equal length"
        ) from None
    if array.size > MOST_BROADCAST and 0 in array.strides:
        raise DataError(
            f"{name} is broadcast to shape {array.shape}, whose copies may not fit in memory; pass "
            "an array of its own"
        )
    return array


def check_unmasked(name: str, values: object) -> None:
    """Raises DataError for masked values, in lists too: NumPy would use what is behind the mask."""
    if _masked(values):
        raise DataError(
            f"{name} has masked values; leave them out, or give them a value with .filled()"
        )


def reals_of(name: str, values: object) -> Array:
    """The caller's real numbers, NaN and infinity too, in float64. Raises DataError for others."""
    array = array_of(name, values)
    if array.dtype.kind not in "fiu":
        raise DataError(f"{name} has dtype {array.dtype}; pass real numbers")
    with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinite
        return np.asarray(array, np.float64)


def check_match(match: bool, rule: str, **arrays: NDArray[Any]) -> None:
    """Raises DataError with the shapes of the caller's arrays, and the rule, unless they match."""
    if not match:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise DataError(f"shapes {shapes} do not match; give {rule}")


def _masked(values: object) -> bool:
    if isinstance(values, (list, tuple)):
        kinds = (list, tuple, np.ma.MaskedArray)
        return any(_masked(one) for one in values if isinstance(one, kinds))
    return isinstance(values, np.ma.MaskedArray) and bool(np.ma.getmaskarray(values).any())
