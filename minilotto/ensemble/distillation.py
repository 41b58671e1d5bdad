"""Distillation: few neurons of a trained net, with their output weights fitted anew.

Tiny weights make neurons almost equal, and output weights of 1e12 and more tell them apart, so the
least squares here are done with care: each neuron's response is centred and scaled before it meets
another, remainders are orthogonalised twice, and what rounding would decide is cut off and
reported.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.errors import ConfigError, DataError
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation

Array = NDArray[np.float64]
EPSILON = float(np.finfo(np.float64).eps)
RANK_CUT = (
    100 * EPSILON
)  # of a response's size: what is left of it after taking out others, and is no more than rounding
ALL_PAIRS = 256  # widths up to which every pair of neurons is tried
GAIN = 0.01  # an exchange of neurons must lower the loss by this part
EXCHANGES = 50
# times its rounding is added to a loss when neurons are chosen, so that none wins by the
# arithmetic's luck
WARY = 10.0
BLOCK = 2**22  # numbers that are held at a time
PREDICTORS = ("span", "output")
TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False)
class Distilled:
    """Nets of K neurons each, first layers kept and last layers refitted, in float64.

    parameters: w (R, K, D), b, v (R, K), c (R,). chosen (R, K): positions of the neurons in the
    nets that they come from, -1 for nets that are not finite. loss (R,): on the data, as float64
    arithmetic evaluates the net. rank (R,): how many of the K responses are independent to
    rounding; the others got v = 0. cancellation (R,): root mean square of sum_i |v_i sigma_i| +
    |c|, over that of f. rounding (R,): (eps times that sum)^2, the loss that rounding alone may
    make: a loss near it says no more.
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
    """The best `width` neurons of each net that the search finds, refitted; see `distill_path`.

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
    """Each net cut down to each of `widths`: neurons whose span holds the target best, then v and c
    by least squares.

    min over v, c of sum_p weight_p (sum_{i in chosen} v_i sigma(w_i x_p + b_i) + c - y_p)^2. One
    neuron and, up to ALL_PAIRS wide, two are the best there are: all are tried. From there on the
    neuron that lowers the loss most is added (orthogonal least squares), and at each of `widths`
    neurons are exchanged, one for the best other, until none gains GAIN: a local optimum that may
    differ from the best set.

    Returns one Distilled a width, in the order of `widths`. Raises ConfigError for widths below 1
    or above the nets'. Paper: appendix D. Differs: there the two neurons are mirror images, the
    pair of the highest R^2; that is `distill_pairs`.
    """
    raw = _checked(parameters, data)
    nets, most = raw.b.shape
    for width in widths:
        if (
            isinstance(width, bool)
            or not isinstance(width, (int, np.integer))
            or not 1 <= width <= most
        ):
            raise ConfigError(
                f"width={width!r} is out of reach; these nets have 1 to {most} neurons to keep"
            )
    chosen = {int(width): np.full((nets, int(width)), -1) for width in widths}
    root = np.sqrt(data.weight / data.weight.sum())
    target = centred(data.y, root)
    for i in np.flatnonzero(_finite(raw)):
        response = np.asarray(activation.value(raw.w[i] @ data.x.T + raw.b[i][:, None]), np.float64)
        units, length = directions(response, root)
        size = np.sqrt(response**2 @ root**2) / length
        sets = _search(_Span(units, size, target), sorted(chosen))
        for width, places in sets.items():
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

    pairs (R, K, 2): positions of neurons; a pair with a position of -1 is passed over. predictor:
    as in `pair_errors`; "span" takes the pair of the lowest loss after the fit. Raises as
    `pair_errors` does. Paper: figure 13.
    """
    errors, _ = pair_errors(activation, parameters, pairs, data, predictor)
    raw, pairs = _checked(parameters, data), np.asarray(pairs)
    # By the errors, for R^2 itself ends at 1 - 1e-16.
    loss = np.where(
        pairs.min(axis=2) >= 0, np.nan_to_num(errors**2 @ data.weight, nan=np.inf), np.inf
    )
    best = pairs[np.arange(len(pairs)), np.argmin(loss, axis=1)]
    return _refitted(
        activation, raw, np.where(np.isfinite(loss.min(axis=1))[:, None], best, -1), data
    )


def pair_errors(
    activation: Activation,
    parameters: Parameters,
    pairs: NDArray[np.intp],
    data: Dataset,
    predictor: str = "span",
) -> tuple[Array, Array]:
    """Errors e (R, K, P) of each pair's best linear predictor of the target, and its R^2 = 1 -
    <e^2> / <(y - <y>)^2> (R, K).

    pairs (R, K, 2): positions of neurons, -1 for none. predictor="span": a_i sigma_i + a_j sigma_j
    + c, the best that the two neurons can do; "output": a (v_i sigma_i + v_j sigma_j) + c, with the
    output weights of the net. The errors have weighted mean zero. Nets that are not finite get NaN.
    Raises ConfigError for another `predictor`, DataError for pairs that do not fit the nets or a
    constant target.
    """
    if predictor not in PREDICTORS:
        raise ConfigError(
            f"predictor={predictor!r} is unknown; choose from {', '.join(PREDICTORS)}"
        )
    raw, pairs = _checked(parameters, data), np.asarray(pairs)
    nets, width = raw.b.shape
    if (
        pairs.ndim != 3
        or pairs.shape[::2] != (nets, 2)
        or pairs.shape[1] == 0
        or pairs.dtype.kind not in "iu"
    ):
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
    finite = _finite(raw)
    errors = np.full((*pairs.shape[:2], data.points), np.nan)
    step = max(1, BLOCK // (pairs.shape[1] * data.points))
    for first in range(0, nets, step):
        rows = np.arange(first, min(nets, first + step))
        rows = rows[finite[rows]]
        w, b, v = (part[rows[:, None, None], pairs[rows]] for part in raw[:3])
        response = activation.value(w @ data.x.T + b[..., None])
        response = np.where(pairs[rows][..., None] >= 0, response, 0.0)
        if predictor == "output":
            response = np.einsum("rkip,rki->rkp", response, v)[:, :, None]
        rest = np.broadcast_to(target, (*response.shape[:2], data.points))
        units, _ = directions(response, root)
        if predictor == "span":
            units = _orthonormal_pair(units)
        for _ in range(2):
            rest = rest - np.einsum("rkip,rki->rkp", units, np.einsum("rkip,rkp->rki", units, rest))
        errors[rows] = -rest
    r2 = 1.0 - np.einsum("rkp,rkp->rk", errors, errors) / whole
    return errors / np.where(root > 0, root, np.inf), np.where(r2 < 0, 0.0, r2)


def _orthonormal_pair(units: Array) -> Array:
    """Unit vectors (..., 2, P) made orthonormal; the second is zero where rounding alone tells the
    two apart.
    """
    first, second = units[..., 0, :], units[..., 1, :]
    alone = ~first.any(axis=-1, keepdims=True)
    first, second = np.where(alone, second, first), np.where(alone, 0.0, second)
    for _ in range(2):
        second = second - np.sum(first * second, axis=-1, keepdims=True) * first
    norm = np.linalg.norm(second, axis=-1, keepdims=True)
    second = np.divide(second, norm, out=np.zeros_like(second), where=norm > RANK_CUT)
    return np.stack([first, second], axis=-2)


def refit(activation: Activation, w: Array, b: Array, data: Dataset) -> Distilled:
    """First layers w (R, K, D), b (R, K) with the v and c of least squares, which are cut off at
    relative RANK_CUT.

    >>> from minilotto.settings.activations import ACTIVATIONS
    >>> from minilotto.data.dataset import given
    >>> x = np.linspace(-2, 2, 100)
    >>> w, b = np.array([[[-5.9e-8], [1.2e-5]]]), np.array([[-2.8e-7, 7.6e-5]])  # the paper's equation 11
    >>> bool(refit(ACTIVATIONS["silu"], w, b, given(x, x**2)).loss[0] < 5e-19)
    True
    """
    w, b = np.asarray(w, np.float64), np.asarray(b, np.float64)
    nets, width = b.shape
    raw = _checked(Parameters(w, b, np.zeros_like(b), np.zeros(nets)), data)
    return _refitted(activation, raw, np.where(_finite(raw)[:, None], np.arange(width), -1), data)


def _checked(parameters: Parameters, data: Dataset) -> Parameters:
    raw = Parameters(*(np.asarray(part, np.float64) for part in parameters))
    if raw.w.shape[2] != data.inputs:
        raise DataError(
            f"nets take {raw.w.shape[2]} inputs and data have {data.inputs}; pass data of the "
            "same task"
        )
    if (data.weight < 0).any():
        raise DataError(
            "data have negative weights; pass the points themselves, not compressed ones"
        )
    return raw


def _finite(raw: Parameters) -> NDArray[np.bool_]:
    return np.isfinite(np.concatenate([part.reshape(len(raw.c), -1) for part in raw], axis=1)).all(
        axis=1
    )


def centred(values: Array, root: Array) -> Array:
    """(..., P) less the weighted mean, twice for rounding's sake, times the root of the weights."""
    for _ in range(2):
        values = values - (values @ root**2)[..., None]
    return values * root


def directions(response: NDArray[np.floating], root: Array) -> tuple[Array, Array]:
    """Unit vectors (..., N, P) of centred responses times the root of the weights (P,), and the
    lengths (..., N) divided out.

    A response that is constant to rounding has a zero vector and length 1.
    """
    response = np.asarray(response, np.float64)
    size = np.sqrt(response**2 @ root**2)
    scale = np.where(size > TINY, size, 1.0)
    parts = centred(response / scale[..., None], root)
    norm = np.linalg.norm(parts, axis=-1)
    alive = (norm > RANK_CUT) & (size > TINY)
    units = np.divide(parts, norm[..., None], out=np.zeros_like(parts), where=alive[..., None])
    return units, np.where(alive, norm * scale, 1.0)


class _Span(NamedTuple):
    """One net's responses: unit vectors u (N, P), the size of each response in units of its centred
    one (N,), the target (P,).
    """

    u: Array
    size: Array
    target: Array


def _search(span: _Span, widths: list[int]) -> dict[int, list[int]]:
    """The neurons to keep for each of the rising `widths`."""
    count = len(span.u)
    places: list[int] = []
    found = {}
    for width in range(1, widths[-1] + 1):
        if width == 2 and count <= ALL_PAIRS:
            ways = [(i, *_best_addition(span, [i])) for i in range(count)]
            first, second, _ = min(ways, key=lambda way: way[2])
            places = [first, second]
        else:
            places = [*places, _best_addition(span, places)[0]]
        if width in widths:
            if width > 2 or (width == 2 and count > ALL_PAIRS):
                places = _exchanged(span, places)
            found[width] = places
    return found


def _exchanged(span: _Span, places: list[int]) -> list[int]:
    """`places` after exchanging neurons, the exchange that gains most first, as long as one gains."""
    loss = np.inf
    for _ in range(EXCHANGES):
        others = [[*places[:k], *places[k + 1 :]] for k in range(len(places))]
        ways = [_best_addition(span, rest) for rest in others]
        k = min(range(len(ways)), key=lambda k: ways[k][1])
        if not ways[k][1] < loss * (1 - GAIN):
            break
        places, loss = [*others[k], ways[k][0]], ways[k][1]
    return places


def _basis(span: _Span, places: list[int]) -> tuple[Array, Array]:
    """Orthonormal rows that span u[places], and the target less its part in them."""
    basis = np.empty((0, span.u.shape[1]))
    for place in places:
        rest = _orthogonal(span.u[place][None], basis)[0]
        norm = np.linalg.norm(rest)
        if norm > RANK_CUT:
            basis = np.concatenate([basis, rest[None] / norm])
    return basis, _orthogonal(span.target[None], basis)[0]


def _orthogonal(rows: Array, basis: Array) -> Array:
    """Rows less their parts in the basis; twice, or little would be right in what is left of
    near-parallels.
    """
    for _ in range(2 if len(basis) else 0):
        rows = rows - (rows @ basis.T) @ basis
    return rows


def _best_addition(span: _Span, places: list[int]) -> tuple[int, float]:
    """The neuron outside `places` that is best beside them, and the loss then plus WARY times its
    rounding.
    """
    basis, rest = _basis(span, places)
    left = _orthogonal(span.u, basis)
    square = np.einsum("np,np->n", left, left)
    alive = square > RANK_CUT**2
    alive[places] = False
    whole = float(rest @ rest)
    if not alive.any():
        free = np.setdiff1d(np.arange(len(span.u)), places)
        return int(free[0]), whole
    part = np.divide(
        left @ rest, square, out=np.zeros_like(square), where=alive
    )  # the weight of its unit vector
    # What it adds cancels against those before it, so these have as large weights; rounding is
    # relative to whole responses.
    sizes = span.size + (span.size[places].max() if places else 0.0)
    rounding = WARY * (EPSILON * part * sizes) ** 2
    rough = np.where(alive, whole - part**2 * square + rounding, np.inf)
    # That difference is known to eps of the loss before; where several come as close to nothing,
    # residuals decide.
    close = np.flatnonzero(alive & (rough <= rough.min() + 1e-12 * whole))
    after = rest - part[close, None] * left[close]
    losses = np.einsum("np,np->n", after, after) + rounding[close]
    best = int(np.argmin(losses))
    return int(close[best]), float(losses[best])


def _refitted(
    activation: Activation, raw: Parameters, chosen: NDArray[np.intp], data: Dataset
) -> Distilled:
    """Least squares for the neurons `chosen` (R, K) of each net: centred, scaled columns, by their
    singular values.
    """
    places = np.maximum(chosen, 0)
    w = np.take_along_axis(raw.w, places[:, :, None], axis=1)
    b = np.take_along_axis(raw.b, places, axis=1)
    absent = chosen.min(axis=1) < 0
    w[absent], b[absent] = 0.0, 0.0
    weight: Array = data.weight / data.weight.sum()
    root: Array = np.sqrt(weight)
    response = activation.value(w @ data.x.T + b[:, :, None])
    units, length = directions(response, root)
    left, values, right = np.linalg.svd(units, full_matrices=False)
    independent = values > RANK_CUT * np.maximum(values[:, :1], TINY)
    part = np.divide(
        right @ centred(data.y, root), values, out=np.zeros_like(values), where=independent
    )
    v = np.where(units.any(axis=2), np.einsum("rak,rk->ra", left, part), 0.0) / length
    c = (data.y - np.einsum("rkp,rk->rp", response, v)) @ weight
    output = np.einsum("rkp,rk->rp", response, v) + c[:, None]
    terms = np.einsum("rkp,rk->rp", np.abs(response), np.abs(v)) + np.abs(c)[:, None]
    whole, loss = terms**2 @ weight, (output - data.y) ** 2 @ weight + data.offset
    cancellation = np.sqrt(whole / np.maximum(output**2 @ weight, TINY))
    for part in (w, b, v, c, loss, cancellation, whole):
        part[absent] = np.nan
    rank = np.where(absent, 0, independent.sum(axis=1))
    return Distilled(
        Parameters(w, b, v, c),
        np.where(absent[:, None], -1, chosen),
        loss,
        rank,
        cancellation,
        EPSILON**2 * whole,
    )
