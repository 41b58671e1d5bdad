"""What means of narrow nets are worth beside single nets of as many neurons."""

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
from numpy.typing import ArrayLike

from minilotto.analysis.ensembling.averages import Averages
from minilotto.analysis.stats.bootstrap import Estimate, points
from minilotto.errors import DataError


def worth(
    means: Mapping[int, Averages | None], losses: Mapping[int, ArrayLike], level: float
) -> dict[tuple[int, int], Estimate]:
    """Loss of the mean of M / N nets of width N over the median loss of nets of width M.

    Intervals are of independent normal errors of both logarithms, 1.96 standard errors wide.

    Parameters
    ----------
    means : mapping of int to Averages or None
        By width N.
    losses : mapping of int to (R,) array_like of float
        Of single nets, by width M.
    level : float in (0, 1)
        That of the estimates, 0.95 for so wide an interval.

    Returns
    -------
    dict of (int, int) to Estimate
        By (N, M), where N divides M and there are enough nets.
    """
    found = {}
    for narrow, one in means.items():
        sizes = {wide: wide // narrow for wide in losses if wide > narrow and wide % narrow == 0}
        for wide, size in sizes.items():
            if one is None or size not in one.sizes:
                continue
            with suppress(DataError):
                whole = points([wide], [losses[wide]], level=level)
                k = int(np.flatnonzero(one.sizes == size)[0])
                ratio = float(one.loss[k] / whole.value[0])
                error = np.hypot(one.error[k], whole.error[0])
                reach = float(np.exp(1.96 * error))
                found[narrow, wide] = Estimate(ratio, ratio / reach, ratio * reach, level)
    return found
