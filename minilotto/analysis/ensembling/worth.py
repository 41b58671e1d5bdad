"""What means of narrow nets are worth beside single nets of as many neurons."""

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
from numpy.typing import ArrayLike

from minilotto.analysis.ensembling.averages import Averages
from minilotto.analysis.stats.bootstrap import Estimate, points
from minilotto.errors import DataError

__all__: list[str] = []


def worth(
    means: Mapping[int, Averages | None], losses: Mapping[int, ArrayLike], level: float
) -> dict[tuple[int, int], Estimate]:
    """Loss of the mean of M / N nets of width N over the median loss of nets of width M, by (N, M),
    where N divides M and there are enough nets.

    Intervals are of independent normal errors of both logarithms, 1.96 standard errors wide: of a
    level of 0.95.
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
