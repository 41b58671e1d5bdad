"""One target's nets against width: how the loss falls, how much of it is common to all seeds, and
how much a refit of the output weights leaves.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from minilotto.analysis.ensembling.decomposition import Decomposition, as_points, decompose
from minilotto.analysis.ensembling.readout import readout_loss
from minilotto.analysis.stats.bootstrap import Estimate, Points, points
from minilotto.analysis.stats.scaling import Compared, Fit, compare_laws, power_law_over
from minilotto.ensemble.ensemble import Ensemble
from minilotto.errors import DataError
from minilotto.settings.arrays import Array
from minilotto.settings.display import Shown
from minilotto.settings.limits import check_one_layer

__all__: list[str] = []

COMPARED_FROM = 3  # widths from here on are enough to compare all three laws
REFITTED = 32  # nets of a width whose output weights are fitted again


@dataclass(frozen=True)
class WidthStudy(Shown):
    """Loss against width of nets that learn one target.

    points: median losses; laws: from width COMPARED_FROM on, none where the widths are too few;
    parts: bias and variance of the central half of the nets by loss, where there are nets enough;
    whole: the same of all nets, where a few bad ones may decide; left: loss with the best output
    weights for the same hidden neurons over loss as trained, quartiles (3,) over REFITTED nets.
    """

    name: str
    points: Points
    laws: tuple[Compared, ...]
    parts: Mapping[int, Decomposition]
    whole: Mapping[int, Decomposition]
    left: Mapping[int, Array]

    @property
    def widest(self) -> int:
        """The largest width."""
        return int(self.points.widths[-1])

    @property
    def share(self) -> Estimate | None:
        """Bias over loss at the largest width, None where it could not be had."""
        return self.parts[self.widest].share if self.widest in self.parts else None

    def fit(self, low: float, high: float, part: str | None = None) -> Fit | None:
        """The power law of the median loss, or of its "bias" or "variance", over some widths; None
        for fewer than 3, and for a part that may be 0.
        """
        if not part:
            return power_law_over(self.points, low, high)
        inside = {width: one for width, one in self.parts.items() if low <= width <= high}
        with suppress(DataError):
            found = as_points(list(inside), list(inside.values()), part)
            return power_law_over(found, low, high)
        return None


def width_study(
    name: str, nets: Mapping[int, Ensemble], level: float = 0.95, refitted_from: int = 1
) -> WidthStudy:
    """Studies the loss of nets of one target against their width; output weights are fitted again
    from a width on. Raises DataError for fewer than 10 finite losses at a width.
    """
    found = points(list(nets), [one.loss for one in nets.values()], level=level)
    laws: tuple[Compared, ...] = ()
    parts, whole = {}, {}
    with suppress(DataError):
        laws = compare_laws(found.select(found.widths >= COMPARED_FROM))
    for width, one in sorted(nets.items()):
        with suppress(DataError):
            errors = one.predict(one.data.x) - one.data.y
            parts[width] = decompose(errors, one.data.weight, level=level)
            whole[width] = decompose(errors, one.data.weight, central=1.0, level=level)
    left = {}
    for width in (width for width in nets if width >= refitted_from):
        check_one_layer("a fit of output weights", nets[width].config.depth)
        some = nets[width].select(np.flatnonzero(np.isfinite(nets[width].loss))[:REFITTED])
        better = readout_loss(some.activation, some.w, some.b, some.data, some.config.dtype)
        left[width] = np.quantile(np.minimum(better / some.loss, 1.0), (0.25, 0.5, 0.75))
    return WidthStudy(name, found, laws, parts, whole, left)
