"""Lazy or rich: how far training moved the parameters of a net from where they were drawn."""

import numpy as np

from minilotto.ensemble.last_layer import flat
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.settings.arrays import Array
from minilotto.settings.limits import check_one_layer


def distance_moved(start: Parameters, end: Parameters) -> Array:
    """How far each net is from its initial parameters, |theta - theta_0| / |theta_0|.

    Small: lazy, the features are those of the initial draw. About 1 and above: rich, they have no
    relation to it.

    Parameters
    ----------
    start, end : Parameters
        w (R, N, D), b, v (R, N), c (R,) of the same nets, of any dtype.

    Returns
    -------
    (R,) ndarray of float64
        NaN where a net diverged.

    Raises
    ------
    DataError
        For shapes that differ, or where a net starts at zero.

    References
    ----------
    Chizat, Oyallon and Bach (2019); not in the paper.

    Examples
    --------
    >>> one = Parameters(*(np.ones(shape) for shape in ((2, 3, 1), (2, 3), (2, 3), (2,))))
    >>> distance_moved(one, Parameters(*(3 * part for part in one))).tolist()
    [2.0, 2.0]
    """
    check_one_layer("an analysis of neurons", getattr(start, "depth", 1))
    shapes, others = ([np.shape(part) for part in nets] for nets in (start, end))
    if shapes != others:
        raise DataError(
            f"initial parameters have shapes {shapes}, final ones {others}; give the same nets"
        )
    before, after = flat(start), flat(end)
    size = np.linalg.norm(before, axis=1)
    if not (size > 0).all():
        raise DataError("a net starts with all parameters at zero; its distance has no unit")
    with np.errstate(invalid="ignore"):
        moved = np.linalg.norm(after - before, axis=1) / size
    return np.where(np.isfinite(moved), moved, np.nan)
