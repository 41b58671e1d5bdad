"""Distillation: few neurons of a trained net, with output weights fitted again by least squares."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.ensemble.last_layer import (
    EPSILON,
    RANK_CUT,
    TINY,
    centred,
    check_weight,
    checked_nets,
    directions,
    finite_nets,
    first_layer,
    hidden,
    orthogonal,
    orthonormal_pair,
    output_layer,
)
from minilotto.errors import DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation, Reals
from minilotto.settings.arrays import Array, array_of, reals_of
from minilotto.settings.limits import blocks, check_choice, check_whole

ALL_PAIRS = 256  # widths up to which every pair of neurons is tried
GAIN = 0.01  # an exchange of neurons must lower the loss by this fraction
EXCHANGES = 50
# A choice of neurons is charged this multiple of its rounding, so that none wins by rounding alone.
WARY = 10.0
PREDICTORS = ("span", "output")


@dataclass(frozen=True, eq=False)
class Distilled:
    """Nets of K neurons each, first layers kept and last layers refitted, in float64.

    Parameters
    ----------
    parameters : Parameters
        w (R, K, D), b, v (R, K), c (R,).
    chosen : (R, K) ndarray of int
        Positions of the neurons in the nets that they come from, -1 for nets that are not finite.
    loss : (R,) ndarray of float64
        On the data, as float64 arithmetic evaluates the net.
    rank : (R,) ndarray of int
        How many of the K responses are independent to rounding; the others get v = 0.
    cancellation : (R,) ndarray of float64
        Root mean square of sum_i |v_i sigma_i| + |c|, over that of the output.
    rounding : (R,) ndarray of float64
        (eps times that sum)^2, the loss that rounding alone may make.
    """

    parameters: Parameters
    chosen: NDArray[np.intp]
    loss: Array
    rank: NDArray[np.intp]
    cancellation: Array
    rounding: Array

    def __len__(self) -> int:
        return len(self.loss)


def distill(activation: Activation, parameters: Parameters, width: int, data: Dataset) -> Distilled:
    """The best `width` neurons of each net that the search finds, refitted.

    Parameters
    ----------
    activation, parameters
        As in `distill_path`, whose exceptions it raises.
    width : int
        From 1 to N.
    data : Dataset

    Returns
    -------
    Distilled

    Examples
    --------
    >>> import minilotto as ml
    >>> nets = ml.train(ml.Config(width=10, steps=500), seeds=8)
    >>> small = distill(nets.activation, nets.parameters, 2, nets.data)
    >>> small.parameters.w.shape
    (8, 2, 1)
    """
    return distill_path(activation, parameters, [width], data)[0]


def distill_path(
    activation: Activation, parameters: Parameters, widths: list[int], data: Dataset
) -> list[Distilled]:
    """Each net cut down to each of `widths`: the neurons whose span holds the target best.

    min over v, c of sum_p weight_p (sum_{i in chosen} v_i sigma(w_i x_p + b_i) + c - y_p)^2. Up to
    ALL_PAIRS wide, one and two neurons are the best there are: all are tried. From there on the
    neuron that lowers the loss most is added (orthogonal least squares), and at each of `widths`
    neurons are exchanged, one for the best other, until none gains GAIN: a local optimum.

    Parameters
    ----------
    activation : Activation
    parameters : Parameters
        w (R, N, D), b, v (R, N), c (R,), of any dtype.
    widths : list of int
        From 1 to N.
    data : Dataset
        Of D inputs, weights at least 0.

    Returns
    -------
    list of Distilled
        One for each of `widths`, in their order.

    Raises
    ------
    ConfigError
        For widths below 1 or above the nets'.
    DataError
        For parameters that do not fit the data, or negative weights.

    References
    ----------
    Paper: appendix D. Differs: there the two neurons are mirror images, the pair of the highest
    R^2; that is `distill_pairs`.
    """
    raw = _checked(parameters, data)
    nets, most = raw.b.shape
    for width in widths:
        check_whole("width", width, 1, most)
    chosen = {int(width): np.full((nets, int(width)), -1) for width in widths}
    root = np.sqrt(data.weight / data.weight.sum())
    target = centred(data.y, root)
    for i in np.flatnonzero(finite_nets(raw)):
        response = hidden(activation, raw.w[i : i + 1], raw.b[i : i + 1], data.x)[0]
        units, length = directions(response, root)
        size = np.sqrt(response**2 @ root**2) / length
        for width, places in _search(_Neurons(units, size, target), sorted(chosen)).items():
            chosen[width][i] = places
    return [_refitted(activation, raw, chosen[int(width)], data) for width in widths]


def distill_pairs(
    activation: Activation,
    parameters: Parameters,
    pairs: NDArray[np.intp],
    data: Dataset,
    predictor: str = "span",
) -> Distilled:
    """The pair of the highest R^2 among the given pairs of each net, refitted.

    Parameters
    ----------
    activation, parameters
        As in `distill_path`.
    pairs : (R, K, 2) ndarray of int
        Positions of neurons; a pair with a position of -1 is skipped.
    data : Dataset
    predictor : {"span", "output"}
        As in `pair_errors`; "span" takes the pair of the lowest loss after the fit.

    Returns
    -------
    Distilled

    Raises
    ------
    ConfigError, DataError
        As `pair_errors`.

    References
    ----------
    Paper: figure 13.
    """
    errors, _ = pair_errors(activation, parameters, pairs, data, predictor)
    raw, pairs = _checked(parameters, data), array_of("pairs", pairs)
    # By the errors, for R^2 itself ends at 1 - 1e-16.
    square = np.nan_to_num(errors**2 @ data.weight, nan=np.inf)
    loss = np.where(pairs.min(axis=2) >= 0, square, np.inf)
    best = pairs[np.arange(len(pairs)), np.argmin(loss, axis=1)]
    best = np.where(np.isfinite(loss.min(axis=1))[:, None], best, -1)
    return _refitted(activation, raw, best, data)


def pair_errors(
    activation: Activation,
    parameters: Parameters,
    pairs: NDArray[np.intp],
    data: Dataset,
    predictor: str = "span",
) -> tuple[Array, Array]:
    """Errors of each pair's best linear predictor of the target, and its R^2.

    e = predictor - y, of weighted mean zero; R^2 = 1 - <e^2> / <(y - <y>)^2>.

    Parameters
    ----------
    activation, parameters
        As in `distill_path`.
    pairs : (R, K, 2) ndarray of int
        Positions of neurons, -1 for none.
    data : Dataset
    predictor : {"span", "output"}
        "span": a_i sigma_i + a_j sigma_j + c, the best that the two neurons can do; "output":
        a (v_i sigma_i + v_j sigma_j) + c, with the output weights of the net.

    Returns
    -------
    errors : (R, K, P) ndarray of float64
        NaN for nets that are not finite.
    r2 : (R, K) ndarray of float64
        From 0 to 1.

    Raises
    ------
    ConfigError
        For another `predictor`.
    DataError
        For pairs that do not fit the nets, or a constant target.
    """
    check_choice("predictor", predictor, PREDICTORS)
    raw, pairs = _checked(parameters, data), array_of("pairs", pairs)
    nets, width = raw.b.shape
    shaped = pairs.ndim == 3 and pairs.shape[::2] == (nets, 2) and pairs.dtype.kind in "iu"
    if not shaped or pairs.shape[1] == 0:
        raise DataError(
            f"pairs have shape {pairs.shape} and dtype {pairs.dtype}; pass ({nets}, K, 2) "
            "positions of neurons"
        )
    if not -1 <= pairs.min() <= pairs.max() < width:
        raise DataError(
            f"pairs reach from {pairs.min()} to {pairs.max()}; these nets have neurons 0 to "
            f"{width - 1}"
        )
    root = np.sqrt(data.weight / data.weight.sum())
    target = centred(data.y, root)
    whole = float(target @ target)
    if not whole > 0:
        raise DataError("the target is constant on these points; there is nothing to predict")
    errors = np.full((*pairs.shape[:2], data.points), np.nan)
    for block in blocks(nets, pairs.shape[1] * data.points):
        rows = np.flatnonzero(finite_nets(raw))[block]
        w, b, v = (part[rows[:, None, None], pairs[rows]] for part in raw[:3])
        response = np.asarray(activation.value(w @ data.x.T + b[..., None]), np.float64)
        response = np.where(pairs[rows][..., None] >= 0, response, 0.0)
        if predictor == "output":
            response = np.einsum("rkip,rki->rkp", response, v)[:, :, None]
        units, _ = directions(response, root)
        if predictor == "span":
            units = orthonormal_pair(units)
        rest = np.broadcast_to(target, (*response.shape[:2], data.points))
        for _ in range(2):
            rest = rest - np.einsum("rkip,rki->rkp", units, np.einsum("rkip,rkp->rki", units, rest))
        errors[rows] = -rest
    r2 = 1.0 - np.einsum("rkp,rkp->rk", errors, errors) / whole
    return errors / np.where(root > 0, root, np.inf), np.where(r2 < 0, 0.0, r2)


def refit(activation: Activation, w: Reals, b: Reals, data: Dataset) -> Distilled:
    """Nets of given first layers, with the v and c of least squares.

    Parameters
    ----------
    activation : Activation
    w, b : (R, K, D), (R, K) array_like
    data : Dataset
        Of D inputs, weights at least 0.

    Returns
    -------
    Distilled

    Raises
    ------
    DataError
        For shapes that do not fit, or negative weights.

    References
    ----------
    Paper: equation 11, whose loss is found from the printed w and b.

    Examples
    --------
    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> from minilotto.data.dataset import given
    >>> x = np.linspace(-2, 2, 100)
    >>> w, b = np.array([[[-5.9e-8], [1.2e-5]]]), np.array([[-2.8e-7, 7.6e-5]])
    >>> bool(refit(ACTIVATIONS["silu"], w, b, given(x, x**2)).loss[0] < 5e-19)
    True
    """
    v = np.zeros(reals_of("b", b).shape)
    raw = _checked(Parameters(w, b, v, np.zeros(len(np.atleast_1d(v)))), data)
    kept = np.where(finite_nets(raw)[:, None], np.arange(raw.b.shape[1]), -1)
    return _refitted(activation, raw, kept, data)


def _checked(parameters: Parameters, data: Dataset) -> Parameters:
    raw = checked_nets(parameters, data)
    check_weight(data.weight)
    return raw


class _Neurons(NamedTuple):
    """One net's responses to P points."""

    u: Array  # (N, P) unit vectors
    size: Array  # (N,) of each response, in units of its centred one
    target: Array  # (P,)


def _search(neurons: _Neurons, widths: list[int]) -> dict[int, list[int]]:
    """The neurons to keep for each of the rising `widths`."""
    count = len(neurons.u)
    places: list[int] = []
    found = {}
    for width in range(1, max(widths, default=0) + 1):
        every_pair = width == 2 and count <= ALL_PAIRS
        if every_pair:
            ways = [(i, *_best_addition(neurons, [i])) for i in range(count)]
            first, second, _ = min(ways, key=lambda way: way[2])
            places = [first, second]
        else:
            places = [*places, _best_addition(neurons, places)[0]]
        if width in widths:
            if width > 1 and not every_pair:
                places = _exchanged(neurons, places)
            found[width] = places
    return found


def _exchanged(neurons: _Neurons, places: list[int]) -> list[int]:
    """`places` after exchanges of one neuron each, the best one first, while one gains."""
    loss = np.inf
    for _ in range(EXCHANGES):
        others = [[*places[:k], *places[k + 1 :]] for k in range(len(places))]
        ways = [_best_addition(neurons, rest) for rest in others]
        k = min(range(len(ways)), key=lambda k: ways[k][1])
        if not ways[k][1] < loss * (1 - GAIN):
            break
        places, loss = [*others[k], ways[k][0]], ways[k][1]
    return places


def _best_addition(neurons: _Neurons, places: list[int]) -> tuple[int, float]:
    """The neuron outside `places` that is best beside them, and the loss then with WARY."""
    basis = np.empty((0, neurons.u.shape[1]))
    for place in places:
        further = orthogonal(neurons.u[place][None], basis)
        norm = np.linalg.norm(further)
        if norm > RANK_CUT:
            basis = np.concatenate([basis, further / norm])
    rest = orthogonal(neurons.target[None], basis)[0]
    left = orthogonal(neurons.u, basis)
    square = np.einsum("np,np->n", left, left)
    alive = square > RANK_CUT**2
    alive[places] = False
    whole = float(rest @ rest)
    if not alive.any():
        free = np.setdiff1d(np.arange(len(neurons.u)), places)
        return int(free[0]), whole
    # The output weight of its unit vector. What it adds cancels against those before it, so these
    # have as large weights; rounding is relative to whole responses.
    weight = np.divide(left @ rest, square, out=np.zeros_like(square), where=alive)
    sizes = neurons.size + (neurons.size[places].max() if places else 0.0)
    rounding = WARY * (EPSILON * weight * sizes) ** 2
    rough = np.where(alive, whole - weight**2 * square + rounding, np.inf)
    # That difference is known to eps of the loss before; where several come as close to nothing,
    # residuals decide.
    close = np.flatnonzero(alive & (rough <= rough.min() + 1e-12 * whole))
    after = rest - weight[close, None] * left[close]
    losses = np.einsum("np,np->n", after, after) + rounding[close]
    best = int(np.argmin(losses))
    return int(close[best]), float(losses[best])


def _refitted(
    activation: Activation, raw: Parameters, chosen: NDArray[np.intp], data: Dataset
) -> Distilled:
    """Least squares for the neurons `chosen` (R, K) of each net."""
    w, b = first_layer(raw, np.maximum(chosen, 0))
    absent = chosen.min(axis=1) < 0
    w[absent], b[absent] = 0.0, 0.0
    weight: Array = data.weight / data.weight.sum()
    response = hidden(activation, w, b, data.x)
    v, c, output, rank = output_layer(response, data.y, weight)
    terms = np.einsum("rkp,rk->rp", np.abs(response), np.abs(v)) + np.abs(c)[:, None]
    whole, loss = terms**2 @ weight, (output - data.y) ** 2 @ weight + data.offset
    cancellation = np.sqrt(whole / np.maximum(output**2 @ weight, TINY))
    for part in (w, b, v, c, loss, cancellation, whole):
        part[absent] = np.nan
    chosen, rank = np.where(absent[:, None], -1, chosen), np.where(absent, 0, rank)
    nets = Parameters(w, b, v, c)
    return Distilled(nets, chosen, loss, rank, cancellation, EPSILON**2 * whole)
