"""The caller's arrays, checked: their shapes, precision, finiteness and resolution."""

import numpy as np
from numpy.typing import ArrayLike

from minilotto.errors import DataError
from minilotto.settings.activations import Reals
from minilotto.settings.arrays import Array, array_of, reals_of

RESOLVED = 1000  # least variation of numbers that are trained on, in units of their rounding


def checked(x: ArrayLike, y: ArrayLike, weight: ArrayLike | None) -> tuple[Reals, Reals, Reals]:
    """The caller's points (P, D), targets (P,) and weights (P,), 1 where there are none, each in
    its own precision. Raises DataError for wrong shapes, other dtypes, masked values, NaN or
    infinity.
    """
    points, targets = points_of(x), _finite("y", floating("y", y))
    if targets.shape != (len(points),):
        raise DataError(
            f"y has shape {targets.shape} where x has {len(points)} points; it must be "
            f"({len(points)},)"
        )
    weights = (
        np.ones(len(points)) if weight is None else _finite("weight", floating("weight", weight))
    )
    if weights.shape != targets.shape:
        raise DataError(
            f"weight has shape {weights.shape} where y has {targets.shape}; give one weight a point"
        )
    return points, targets, weights


def points_of(x: ArrayLike) -> Reals:
    """The caller's points, (P, D) or (P,), as (P, D) in their precision, as of `checked`."""
    points = _finite("x", floating("x", x))
    if points.ndim not in (1, 2) or 0 in points.shape:
        raise DataError(
            f"x has shape {points.shape}; it must be (P,) or (P, D) with at least one point and "
            "one input"
        )
    return points[:, None] if points.ndim == 1 else points


def floating(name: str, values: ArrayLike) -> Reals:
    """The caller's numbers as float32 or float64; `name` is for the message. Raises DataError."""
    array = array_of(name, values)
    if array.dtype not in (np.float32, np.float64):
        raise DataError(
            f"{name} has dtype {array.dtype}; pass float32 or float64, as in {name}.astype(float)"
        )
    return array


def inputs_of(x: ArrayLike, inputs: int) -> Array:
    """The caller's inputs to nets, (P, D), or (P,) where D = 1, as (P, D) float64. Or DataError."""
    points = reals_of("x", x)
    if points.ndim == 1 and inputs == 1:
        points = points[:, None]
    if points.ndim != 2 or points.shape[1] != inputs:
        flat = " or (P,)" if inputs == 1 else ""
        raise DataError(f"x has shape {points.shape}; these nets take (P, {inputs}){flat}")
    return np.ascontiguousarray(_finite("x", points))


def check_resolution(name: str, values: Array, dtype: str) -> None:
    """Raises DataError where points or targets vary by less than RESOLVED roundings of the largest
    in the dtype of the training, and by more in float64.
    """
    if dtype == "float64":
        return
    with np.errstate(over="ignore"):  # what is too large for the dtype is refused elsewhere
        spread, largest = np.ptp(values, axis=0), np.abs(values).max(axis=0)
    coarse, fine = (
        np.maximum(precision.eps * largest, precision.tiny)
        for precision in map(np.finfo, ("float32", "float64"))
    )
    merged = np.atleast_1d((spread < RESOLVED * coarse) & (spread >= RESOLVED * fine))
    if merged.any():
        d = int(np.argmax(merged))
        column = f"{name}[:, {d}]" if values.ndim == 2 and values.shape[1] > 1 else name
        raise DataError(
            f"{column} varies by {np.atleast_1d(spread)[d]:.3g}, where dtype='float32' rounds to "
            f"{np.atleast_1d(coarse)[d]:.2g}; subtract a constant, scale it, or use "
            "dtype='float64'"
        )


def _finite(name: str, array: Reals) -> Reals:
    if not np.isfinite(array).all():
        raise DataError(
            f"{name} holds NaN or infinity at index "
            f"{np.argwhere(~np.isfinite(array))[0].tolist()}; remove it first"
        )
    return array
