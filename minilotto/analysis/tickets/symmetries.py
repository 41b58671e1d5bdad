"""Symmetries of a target on its points and of an activation, found by trying; no names matter."""

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation
from minilotto.settings.arrays import Array, Ints
from minilotto.settings.display import Shown
from minilotto.settings.limits import check_one_layer

# Of the range of coordinates, of the largest target, of the activation's largest value.
TOLERANCE = 1e-9
MOST_INPUTS = 5  # 2^5 5! = 3840 signed permutations


@dataclass(frozen=True, eq=False)
class TargetSymmetry(Shown):
    """A signed permutation G of the inputs with y(G x) = sign y(x) + shift at every point.

    Points and weights are mapped to themselves. A net f then has an image of equal loss, x -> sign
    (f(G x) - shift), that `image` gives in parameters.

    Parameters
    ----------
    matrix : (D, D) ndarray of float64
        G.
    sign : float
        1 or -1.
    shift : float
    order : (P,) ndarray of int
        The point G x_p is x[order[p]].
    """

    matrix: Array
    sign: float
    shift: float
    order: NDArray[np.intp]

    def image(self, parameters: Parameters) -> Parameters:
        """The nets x -> sign (f(G x) - shift): w -> G^T w, v -> sign v, c -> sign (c - shift).

        Parameters
        ----------
        parameters : Parameters
            Of nets f.

        Returns
        -------
        Parameters
        """
        check_one_layer("an analysis of neurons", parameters.depth)
        w, b, v, c = parameters
        return Parameters(w @ self.matrix, b, self.sign * v, self.sign * (c - self.shift))


def target_symmetries(data: Dataset) -> tuple[TargetSymmetry, ...]:
    """Every signed permutation of the inputs under which points, weights and targets agree.

    An even target of one input has (identity, mirror); so has an odd one, with sign -1. Points
    without symmetry, such as random ones, leave the identity alone, as do more than MOST_INPUTS
    inputs.

    Parameters
    ----------
    data : Dataset

    Returns
    -------
    tuple of TargetSymmetry
        The identity comes first.

    Examples
    --------
    >>> from minilotto.settings.config import Config
    >>> from minilotto.data.dataset import sampled
    >>> [(g.matrix.tolist(), g.sign) for g in target_symmetries(sampled(Config(task="cube")))]
    [([[1.0]], 1.0), ([[-1.0]], -1.0)]
    """
    inputs = data.inputs
    identity = TargetSymmetry(np.eye(inputs), 1.0, 0.0, np.arange(data.points))
    if inputs > MOST_INPUTS:
        return (identity,)
    label = _labels(data.x)
    here = np.lexsort(label.T)
    found = [identity]
    for places in permutations(range(inputs)):
        for signs in product((1, -1), repeat=inputs):
            if places == tuple(range(inputs)) and min(signs) == 1:
                continue
            moved = label[:, places] * np.array(signs)
            there = np.lexsort(moved.T)
            if not np.array_equal(moved[there], label[here]):
                continue
            order = np.empty(data.points, np.intp)
            order[there] = here
            unequal = np.abs(data.weight[order] - data.weight).max()
            if unequal > TOLERANCE * np.abs(data.weight).max():
                continue
            for sign in (1.0, -1.0):
                difference = data.y[order] - sign * data.y
                shift = float(data.weight @ difference) / float(data.weight.sum())
                if np.abs(difference - shift).max() <= TOLERANCE * np.abs(data.y).max():
                    shift = shift if abs(shift) > TOLERANCE * np.abs(data.y).max() else 0.0
                    matrix = np.eye(inputs)[list(places)] * np.array(signs, np.float64)[:, None]
                    found.append(TargetSymmetry(matrix, sign, shift, order))
                    break
    return tuple(found)


def _labels(x: Array) -> Ints:
    """Whole numbers (P, D) for the coordinates: equal for equal, negated for negated ones."""
    size = np.abs(x).ravel()
    rising = np.sort(size)
    tolerance = TOLERANCE * max(rising[-1], np.finfo(np.float64).tiny)
    starts = rising[np.concatenate([[True], np.diff(rising) > tolerance])]
    rank = np.searchsorted(starts, size, side="right").reshape(x.shape)
    return np.where(np.abs(x) <= tolerance, 0, np.sign(x) * rank).astype(np.int64)


def parity(activation: Activation) -> tuple[float, float] | None:
    """(s, t) with sigma(-z) = s sigma(z) + t, or None.

    The neuron (w, b, v) then equals (-w, -b, s v) and a constant t v.

    Parameters
    ----------
    activation : Activation

    Returns
    -------
    (float, float) or None

    Examples
    --------
    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> parity(ACTIVATIONS["tanh"]), parity(ACTIVATIONS["sigmoid"]), parity(ACTIVATIONS["silu"])
    ((-1.0, 0.0), (-1.0, 1.0), None)
    """
    z = np.linspace(0.01, 20.0, 500)
    plus, minus = activation.value(z), activation.value(-z)
    scale = TOLERANCE * max(float(np.abs(plus).max()), float(np.abs(minus).max()))
    for sign in (1.0, -1.0):
        rest = minus - sign * plus
        if np.ptp(rest) <= scale:
            middle = float(rest.mean())
            return sign, round(middle, 12) if abs(middle) > scale else 0.0
    return None


def homogeneous(activation: Activation) -> bool:
    """Whether sigma(a z) = a sigma(z) for a > 0: (w, b, v) then equals (a w, a b, v / a).

    Parameters
    ----------
    activation : Activation

    Returns
    -------
    bool

    Examples
    --------
    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> [name for name in ACTIVATIONS if homogeneous(ACTIVATIONS[name])]
    ['relu', 'leaky_relu']
    """
    z = np.linspace(-20.0, 20.0, 401)
    value = activation.value(z)
    scale = TOLERANCE * float(np.abs(value).max())
    return all(np.abs(activation.value(a * z) - a * value).max() <= a * scale for a in (0.25, 3.0))
