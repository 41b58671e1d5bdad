"""Initial parameters: seed s's draw depends on (root seed, s, inputs, width, scheme) alone, bit for
bit.

Seed s owns a fixed stretch of the Philox 4x64 counter, so that any subset of seeds, in any order
and on any backend, gets the same numbers, and a run of consecutive seeds is drawn in one call.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.settings.config import Config
from minilotto.settings.schemes import SCHEMES
from minilotto.settings.streams import stream


class Parameters(NamedTuple):
    """Parameters of R nets: w (R, N, D), b (R, N), v (R, N), c (R,)."""

    w: NDArray
    b: NDArray
    v: NDArray
    c: NDArray


def _unit_draws(
    scheme: str, inputs: int, width: int, seeds: NDArray[np.int64], root_seed: int
) -> NDArray[np.float64]:
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

        return ndtri(draws)
    return 2.0 * draws - 1.0


def initial_parameters(config: Config, inputs: int, seeds: NDArray[np.int64]) -> Parameters:
    """The parameters from which `seeds` (R,) start, in config.dtype.

    Drawn and scaled in float64, then rounded once. Paper: says nothing; see Config.init.
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
