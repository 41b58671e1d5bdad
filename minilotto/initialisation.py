"""Initial parameters of each seed, independent of other seeds.

Seed s's draw depends on (root seed, s, inputs, width, scheme) alone: it owns a fixed range of
the Philox 4x64 counter, so that any subset of seeds, in any order and on any backend, gets the same
bits, and consecutive seeds are drawn in one call.
"""

import math
from operator import itemgetter
from typing import Any

import numpy as np

from minilotto.settings.activations import Reals
from minilotto.settings.arrays import Array, Ints
from minilotto.settings.config import Config
from minilotto.settings.schemes import SCHEMES
from minilotto.settings.streams import stream

NAMES = ("w", "b", "v", "c", "hidden_w", "hidden_b")


class Parameters(tuple[Reals, ...]):
    """Parameters of R nets f(x) = sum_i v_i h_L,i + c of L hidden layers.

    h_1 = sigma(w x + b), and h_l = sigma(W_l h_(l-1) + b_l) for l = 2, ..., L, where row l - 2 of
    hidden_w and hidden_b is W_l and b_l; in residual nets h_l = h_(l-1) + sigma(W_l h_(l-1) + b_l)
    / L. A tuple (w, b, v, c) for one hidden layer, (w, b, v, c, hidden_w, hidden_b) for several.

    Parameters
    ----------
    w : (R, N, D) array of float32 or float64
        Input weights.
    b : (R, N) array
        Biases of the neurons of the first hidden layer.
    v : (R, N) array
        Output weights.
    c : (R,) array
        Constants.
    hidden_w : (R, L - 1, N, N) array or None
        Weights between hidden layers: [r, l - 2, i, j] of neuron i of layer l for neuron j of layer
        l - 1.
    hidden_b : (R, L - 1, N) array or None
        Biases of the neurons of the hidden layers after the first.

    References
    ----------
    Paper: equation 1, for one hidden layer.

    Examples
    --------
    >>> one = Parameters(np.ones((5, 3, 1)), np.ones((5, 3)), np.ones((5, 3)), np.ones(5))
    >>> len(one), one.depth, one.hidden_w.shape
    (4, 1, (5, 0, 3, 3))
    """

    __slots__ = ()

    def __new__(
        cls, w: Reals, b: Reals, v: Reals, c: Reals, hidden_w: Any = None, hidden_b: Any = None
    ) -> "Parameters":
        deep = hidden_w is not None and 0 not in np.shape(hidden_w)[-3:-2]
        return super().__new__(cls, (w, b, v, c, *((hidden_w, hidden_b) if deep else ())))

    w = property(itemgetter(0))
    b = property(itemgetter(1))
    v = property(itemgetter(2))
    c = property(itemgetter(3))

    def __getnewargs__(self) -> tuple[Reals, ...]:
        return tuple(self)

    def __repr__(self) -> str:
        return f"Parameters({', '.join(f'{name}={a!r}' for name, a in self._asdict().items())})"

    @property
    def hidden_w(self) -> Reals:
        """(R, L - 1, N, N), without elements for one hidden layer."""
        if len(self) > 4:
            return self[4]
        return np.empty((*self.b.shape[:-1], 0, *self.b.shape[-1:] * 2), self.b.dtype)

    @property
    def hidden_b(self) -> Reals:
        """(R, L - 1, N), without elements for one hidden layer."""
        if len(self) > 4:
            return self[5]
        return np.empty((*self.b.shape[:-1], 0, *self.b.shape[-1:]), self.b.dtype)

    @property
    def depth(self) -> int:
        """Number of hidden layers L."""
        return 1 + (np.shape(self[4])[-3] if len(self) > 4 else 0)

    @property
    def _fields(self) -> tuple[str, ...]:
        return NAMES[: len(self)]

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def _replace(self, **changes: Reals) -> "Parameters":
        return Parameters(**{**self._asdict(), **changes})


def shapes_of(config: Config, inputs: int, count: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the Parameters of `count` nets of D inputs, by name, without empty ones."""
    neurons, layers = (count, config.width), (count, config.depth - 1, config.width)
    shallow = {"w": (*neurons, inputs), "b": neurons, "v": neurons, "c": (count,)}
    hidden = {"hidden_w": (*layers, config.width), "hidden_b": layers}
    return {**shallow, **hidden} if config.depth > 1 else shallow


def parameter_count(config: Config, inputs: int) -> int:
    """Parameters of a net: N (D + 2) + 1, and N (N + 1) for each hidden layer after the first."""
    return sum(math.prod(shape) for shape in shapes_of(config, inputs, 1).values())


def _unit_draws(scheme: str, purpose: str, count: int, seeds: Ints, root_seed: int) -> Array:
    """Rows of `count` or a few more unit draws, one for each seed."""
    blocks = (count + 3) // 4
    draws = np.empty((len(seeds), 4 * blocks))
    breaks = np.flatnonzero(np.diff(seeds) != 1) + 1
    for run in np.split(np.arange(len(seeds)), breaks):
        first, numbers = int(seeds[run[0]]) * blocks, 4 * blocks * len(run)
        draws[run] = stream(root_seed, purpose, first, numbers).reshape(len(run), -1)
    if SCHEMES[scheme].unit == "normal":
        from scipy.special import ndtri

        normal: Array = ndtri(draws)
        return normal
    return 2.0 * draws - 1.0


def initial_parameters(config: Config, inputs: int, seeds: Ints) -> Parameters:
    """Parameters at the start of training, drawn and scaled in float64, then rounded once.

    A hidden layer after the first is drawn as a first layer of N inputs would be scaled, from
    numbers of its own: the other layers do not depend on how many there are.

    Parameters
    ----------
    config : Config
        Width N, depth L, scheme, scales, dtype and root seed.
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
    width, name, scheme = config.width, config.init, SCHEMES[config.init]
    shapes = shapes_of(config, inputs, len(seeds))

    def unit_draws(purpose: str, count: int) -> Array:
        return _unit_draws(name, purpose, count, seeds, config.root_seed)

    draws = unit_draws(f"initial {name} {inputs} {width}", width * (inputs + 2) + 1)
    w_end, b_end, v_end = width * inputs, width * (inputs + 1), width * (inputs + 2)
    w, b, v, c = (spread * config.init_scale for spread in scheme.spreads(inputs, width))
    v, c = v * config.output_scale, c * config.output_scale
    drawn = {
        "w": (w * draws[:, :w_end]).reshape(shapes["w"]).astype(config.dtype),
        "b": (b * draws[:, w_end:b_end]).astype(config.dtype),
        "v": (v * draws[:, b_end:v_end]).astype(config.dtype),
        "c": (c * draws[:, v_end]).astype(config.dtype),
    }
    if config.depth > 1:
        hidden_w, hidden_b = (np.empty(shapes[part], config.dtype) for part in NAMES[4:])
        w, b = (spread * config.init_scale for spread in scheme.spreads(width, width)[:2])
        for row in range(config.depth - 1):
            draws = unit_draws(f"initial {name} hidden {width} {row + 2}", width * (width + 1))
            hidden_w[:, row] = (w * draws[:, : width * width]).reshape(-1, width, width)
            hidden_b[:, row] = b * draws[:, width * width : width * (width + 1)]
        drawn |= {"hidden_w": hidden_w, "hidden_b": hidden_b}
    return Parameters(**drawn)
