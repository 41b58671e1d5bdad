"""How much loss and gradient of nets on a rule differ from those on the data, in float64."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.data.dataset import Dataset
from minilotto.engines.evaluate import PackedNets
from minilotto.initialisation import Parameters
from minilotto.kernels.formulas import bounds_of_slopes
from minilotto.settings.activations import Activation


class Compared(NamedTuple):
    """What `difference` gives, and of what it is made: (R,) each."""

    largest: NDArray[np.float64]
    on_rule: NDArray[np.float64]
    on_data: NDArray[np.float64]
    loss_scale: NDArray[np.float64]


def difference(
    activation: Activation, parameters: Parameters, rule: Dataset, data: Dataset, residual: bool
) -> NDArray[np.float64]:
    """Largest difference between rule and data, over loss and every coordinate of the gradient, in
    units of its scale: (R,).

    It is zero for nets whose loss or gradient on the data is not finite, as no number of nodes
    makes these finite, and infinite where they are not finite on the rule alone.
    """
    return compared(activation, parameters, rule, data, residual).largest


def compared(
    activation: Activation, parameters: Parameters, rule: Dataset, data: Dataset, residual: bool
) -> Compared:
    """`difference` with the losses that it compares."""
    exact = Parameters(*(array.astype(np.float64) for array in parameters))
    with np.errstate(invalid="ignore", over="ignore"):
        scale, loss_scale = scales(exact, data, residual)
        nets = PackedNets(activation, exact, residual)
        on_data, on_rule = nets.losses(data), nets.losses(rule)
        theirs, ours = nets.gradients(data), nets.gradients(rule)
        differences = np.abs(on_rule - on_data) / loss_scale
        ratio = np.abs(ours - theirs) / nets.packed(scale)
        differences = np.maximum(differences, nets.largest(ratio))
        finite = np.isfinite(on_data) & np.isfinite(loss_scale)
        finite &= np.isfinite(nets.largest(np.abs(theirs)))
    largest = np.where(np.isfinite(differences), differences, np.where(finite, np.inf, 0.0))
    return Compared(largest, on_rule, on_data, loss_scale)


def scales(
    parameters: Parameters, data: Dataset, residual: bool = False
) -> tuple[Parameters, NDArray[np.float64]]:
    """Bounds of the sums of absolute terms of each coordinate of the gradient, and of the loss
    (R,).

    They use |sigma(z)| <= |z| + 1 and |sigma'(z)| <= 2, which hold for every smooth activation
    here. Between hidden layers, where bounds of sums would grow with every layer far beyond the
    sums, terms are taken to have random signs, and slopes to be 1.
    """
    w, b, v, c = (np.abs(array) for array in parameters[:4])
    share = 1.0 / parameters.depth if residual else 1.0
    squares = np.swapaxes(parameters.hidden_w, 0, 1) ** 2
    reach = np.abs(data.x).max(axis=0)
    hidden = [w @ reach + b + 1.0]
    for row, square in enumerate(squares):
        after = _root_sum(square, hidden[-1]) + np.abs(parameters.hidden_b[:, row]) + 1.0
        hidden.append(share * after + (hidden[-1] if residual else 0.0))
    f = (v * hidden[-1]).sum(axis=1) + c + np.sqrt(np.abs(data.weight) @ data.y**2)
    dh, dv = bounds_of_slopes(f[:, None], v, hidden[-1])
    dz: list[NDArray[np.float64]] = []
    for square in squares[::-1]:
        dz.insert(0, 2.0 * share * dh)
        dh = share * _root_sum(square.swapaxes(1, 2), dh) + (dh if residual else 0.0)
    db = 2.0 * dh
    units = [db[:, :, None] * reach, db, dv, 2.0 * f]
    if dz:
        pairs = zip(dz, hidden[:-1], strict=True)
        weights = [after[:, :, None] * before[:, None] for after, before in pairs]
        units += [np.stack(weights, axis=1), np.stack(dz, axis=1)]
    tiny = np.finfo(np.float64).tiny
    return Parameters(*(unit + tiny for unit in units)), f**2 + tiny


def _root_sum(squares: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """sqrt(sum_j squares_ij sizes_j^2) of each net: (R, N)."""
    return np.sqrt((squares @ sizes[:, :, None] ** 2)[:, :, 0])
