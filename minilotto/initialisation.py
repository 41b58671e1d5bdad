"""Initial parameters of each seed, independent of other seeds.

Seed s's draw depends on (root seed, s, inputs, width, scheme) alone: it owns a fixed range of
the Philox 4x64 counter, so that any subset of seeds, in any order and on any backend, gets the same
bits, and consecutive seeds are drawn in one call.
"""

from typing import NamedTuple

import numpy as np

from minilotto.settings.activations import Reals
from minilotto.settings.arrays import Array, Ints
from minilotto.settings.config import Config
from minilotto.settings.schemes import SCHEMES
from minilotto.settings.streams import stream


class Parameters(NamedTuple):
    """Parameters of R nets f(x) = sum_i v_i sigma(w_i x + b_i) + c.

    Parameters
    ----------
    w : (R, N, D) array of float32 or float64
        Input weights.
    b : (R, N) array
        Biases of the neurons.
    v : (R, N) array
        Output weights.
    c : (R,) array
        Constants.

    References
    ----------
    Paper: equation 1.
    """

    w: Reals
    b: Reals
    v: Reals
    c: Reals


def _unit_draws(scheme: str, inputs: int, width: int, seeds: Ints, root_seed: int) -> Array:
    """Rows of unit draws, one for each seed: those of w, b, v and c in this order."""
    blocks = (width * (inputs + 2) + 1 + 3) // 4
    draws = np.empty((len(seeds), 4 * blocks))
    breaks = np.flatnonzero(np.diff(seeds) != 1) + 1
    for run in np.split(np.arange(len(seeds)), breaks):
        numbers = stream(
            root_seed,
            f"initial {scheme} {inputs} {width}",
            int(seeds[run[0]]) * blocks,
            4 * blocks * len(run),
        )
        draws[run] = numbers.reshape(len(run), -1)
    if SCHEMES[scheme].unit == "normal":
        from scipy.special import ndtri

        normal: Array = ndtri(draws)
        return normal
    return 2.0 * draws - 1.0


def initial_parameters(config: Config, inputs: int, seeds: Ints) -> Parameters:
    """Parameters at the start of training, drawn and scaled in float64, then rounded once.

    Parameters
    ----------
    config : Config
        Width N, scheme, scales, dtype and root seed.
    inputs : int
        Number of inputs D.
    seeds : (R,) array of int64
        In any order.

    Returns
    -------
    Parameters
        Of R nets, in config.dtype.

    References
    ----------
    The paper does not state its initialisation; see Config.init.
    """
    width, scheme = config.width, SCHEMES[config.init]
    draws = _unit_draws(config.init, inputs, width, seeds, config.root_seed)
    w_end, b_end, v_end = width * inputs, width * (inputs + 1), width * (inputs + 2)
    w, b, v, c = (spread * config.init_scale for spread in scheme.spreads(inputs, width))
    v, c = v * config.output_scale, c * config.output_scale
    return Parameters(
        (w * draws[:, :w_end]).reshape(len(seeds), width, inputs).astype(config.dtype),
        (b * draws[:, w_end:b_end]).astype(config.dtype),
        (v * draws[:, b_end:v_end]).astype(config.dtype),
        (c * draws[:, v_end]).astype(config.dtype),
    )
