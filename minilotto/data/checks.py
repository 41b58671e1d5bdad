"""The caller's arrays, checked: their shapes, precision and finiteness."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.errors import DataError
from minilotto.settings.activations import Reals
from minilotto.settings.arrays import Array


def checked(x: ArrayLike, y: ArrayLike, weight: ArrayLike | None) -> tuple[Reals, Reals, Reals]:
    """The caller's points, targets and weights as arrays, in their own precisions.

    Parameters
    ----------
    x : (P,) or (P, D) array_like of float32 or float64
        Points.
    y, weight : (P,) array_like of float32 or float64
        Targets and weights; for weight=None all are 1.

    Returns
    -------
    points, targets, weights : (P, D), (P,) and (P,) arrays of float32 or float64

    Raises
    ------
    DataError
        For wrong shapes, other dtypes, NaN or infinity.
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
    """The caller's points as an array.

    Parameters
    ----------
    x : (P,) or (P, D) array_like of float32 or float64
        At least one point and one input.

    Returns
    -------
    (P, D) array
        In the same precision.

    Raises
    ------
    DataError
        For a wrong shape, another dtype, NaN or infinity.
    """
    points = _finite("x", floating("x", x))
    if points.ndim not in (1, 2) or 0 in points.shape:
        raise DataError(
            f"x has shape {points.shape}; it must be (P,) or (P, D) with at least one point and "
            "one input"
        )
    return points[:, None] if points.ndim == 1 else points


def floating(name: str, values: ArrayLike) -> Reals:
    """The caller's numbers as an array.

    Parameters
    ----------
    name : str
        Its name, for the message.
    values : array_like
        Of float32 or float64.

    Returns
    -------
    array
        In the same precision.

    Raises
    ------
    DataError
        For rows of different length, or another dtype.
    """
    array = _array(name, values)
    if array.dtype not in (np.float32, np.float64):
        raise DataError(
            f"{name} has dtype {array.dtype}; pass float32 or float64, as in {name}.astype(float)"
        )
    return array


def inputs_of(x: ArrayLike, inputs: int) -> Array:
    """The caller's inputs to nets, as an array.

    Parameters
    ----------
    x : (P, D) array_like of real numbers, or (P,) where D = 1
    inputs : int
        D.

    Returns
    -------
    (P, D) ndarray of float64

    Raises
    ------
    DataError
        For another shape, and for what is no array of finite numbers.
    """
    points = _array("x", x)
    if points.dtype.kind not in "fiu":
        raise DataError(f"x has dtype {points.dtype}; pass real numbers")
    if points.ndim == 1 and inputs == 1:
        points = points[:, None]
    if points.ndim != 2 or points.shape[1] != inputs:
        flat = " or (P,)" if inputs == 1 else ""
        raise DataError(f"x has shape {points.shape}; these nets take (P, {inputs}){flat}")
    return np.ascontiguousarray(_finite("x", points), dtype=np.float64)


def _array(name: str, values: ArrayLike) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(f"{name} is no array ({error}); pass rows of equal length") from None


def _finite(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if not np.isfinite(array).all():
        raise DataError(
            f"{name} holds NaN or infinity at index "
            f"{np.argwhere(~np.isfinite(array))[0].tolist()}; remove it first"
        )
    return array
