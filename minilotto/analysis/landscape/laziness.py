"""Lazy or rich: how far training moved the parameters of a net from where they were drawn."""

from dataclasses import dataclass

import numpy as np

from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.settings.arrays import Array


@dataclass(frozen=True, eq=False)
class Moved:
    """Distances |theta - theta_0| / |theta_0| of R nets: whole (R,), of all parameters; hidden
    (R,), of w and b alone.

    Small: lazy, the features are those of the draw. About 1 and above: rich, the draw is forgotten.
    NaN where a net diverged.
    """

    whole: Array
    hidden: Array


def distance_moved(start: Parameters, end: Parameters) -> Moved:
    """How far each net is from its initial parameters, in units of their norm.

    start, end: w (R, N, D), b, v (R, N), c (R,) of the same nets, in any dtype. Raises DataError
    for shapes that differ, or where a net starts at zero. Paper: none; the measure of Chizat,
    Oyallon and Bach (2019).

    >>> one = Parameters(*(np.ones(shape) for shape in ((2, 3, 1), (2, 3), (2, 3), (2,))))
    >>> distance_moved(one, Parameters(*(3 * part for part in one))).whole.tolist()
    [2.0, 2.0]
    """
    shapes = [np.shape(part) for part in start]
    if shapes != [np.shape(part) for part in end]:
        raise DataError(
            f"initial parameters have shapes {shapes}, final ones "
            f"{[np.shape(part) for part in end]}; give the same nets"
        )
    before, after = _flat(start), _flat(end)
    hidden = int(np.prod(shapes[0][1:]) + np.prod(shapes[1][1:]))
    return Moved(_relative(before, after), _relative(before[:, :hidden], after[:, :hidden]))


def _flat(parameters: Parameters) -> Array:
    """All parameters of each net in a row: (R, K)."""
    count = len(parameters.c)
    return np.concatenate(
        [np.asarray(part, dtype=np.float64).reshape(count, -1) for part in parameters], axis=1
    )


def _relative(before: Array, after: Array) -> Array:
    size = np.linalg.norm(before, axis=1)
    if not (size > 0).all():
        raise DataError("a net starts with all parameters at zero; its distance has no unit")
    with np.errstate(invalid="ignore"):
        moved = np.linalg.norm(after - before, axis=1) / size
    return np.where(np.isfinite(moved), moved, np.nan)
