"""How many neurons are in mirror pairs that fit the target."""

import numpy as np

from minilotto.analysis.stats.bootstrap import Estimate, estimate
from minilotto.analysis.tickets.tickets import alive, pair_neurons, pair_quality
from minilotto.ensemble.ensemble import Ensemble


def mirror_fraction(nets: Ensemble, symmetric: float = 0.01, level: float = 0.95) -> Estimate:
    """Mean fraction of neurons in mirror pairs whose output is even in x and fits the target.

    Parameters
    ----------
    nets : Ensemble
        Finite nets of one input.
    symmetric : float
        Fraction of a pair's variance that may be odd in x.
    level : float in (0, 1)
        Of the bootstrap interval over seeds.

    Returns
    -------
    Estimate
    """
    living = alive(nets.activation, nets.parameters, nets.data)
    pairs = pair_neurons(nets.w, nets.b, among=living)
    quality = pair_quality(nets.activation, nets.parameters, pairs, nets.data)
    good = (quality.kind == "ticket") & (quality.odd <= symmetric)
    fraction = 2 * good.sum(axis=1) / nets.config.width
    drawn = np.random.default_rng(0).integers(len(fraction), size=(2000, len(fraction)))
    return estimate(float(fraction.mean()), fraction[drawn].mean(axis=1), level)
