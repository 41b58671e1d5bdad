"""The layers of residual nets as members of an average: their errors, and nets without one."""

from dataclasses import dataclass

import numpy as np

from minilotto.analysis.ensembling.ensembling import gram
from minilotto.ensemble.ensemble import Ensemble
from minilotto.ensemble.last_layer import hidden
from minilotto.settings.arrays import Array


@dataclass(frozen=True)
class Members:
    """R residual nets of L layers as means of M = L - 1.

    errors: (R, M, P) of each layer, whose mean is the net's; loss: (R,); cosine: (R,) median over
    pairs of layers, NaN for one; ratio: (R,) loss over that of an average of independent layers;
    lesion: (R,) loss without one layer over the loss, median over layers.
    """

    errors: Array
    loss: Array
    cosine: Array
    ratio: Array
    lesion: Array


def members(nets: Ensemble) -> Members:
    """The layers after the first of residual nets, in float64."""
    data, w = nets.data, nets.data.weight
    v, c = nets.v.astype(np.float64), nets.c.astype(np.float64)
    steps = added(nets)
    count = len(steps) - 1
    start = np.einsum("rn,rnp->rp", v, steps[0]) + c[:, None] - data.y
    parts = np.stack([np.einsum("rn,rnp->rp", v, step) for step in steps[1:]], axis=1)
    errors = start[:, None] + count * parts
    products = gram(errors, w)
    size = np.diagonal(products, axis1=1, axis2=2)
    loss = errors.mean(axis=1) ** 2 @ w
    first, second = np.triu_indices(count, 1)
    cosine = np.full(len(loss), np.nan)
    if count > 1:
        scale = np.sqrt(size[:, first] * size[:, second])
        cosine = np.median(products[:, first, second] / scale, axis=1)
    without = [
        (np.einsum("rn,rnp->rp", v, sum(added(nets, layer))) + c[:, None] - data.y) ** 2 @ w
        for layer in range(1, count + 1)
    ]
    lesion = np.median(np.stack(without) / loss, axis=0)
    return Members(errors, loss, cosine, loss / (size.mean(axis=1) / count), lesion)


def added(nets: Ensemble, without: int = 0) -> list[Array]:
    """What each layer adds to the state of a residual net, (R, N, P), the first layer its all; one
    that is left `without` adds nothing, which those after it see.
    """
    depth = nets.config.depth
    steps = [hidden(nets.activation, nets.w, nets.b, nets.data.x)]
    state = steps[0]
    for row in range(depth - 1):
        weights = nets.hidden_w[:, row].astype(np.float64)
        z = weights @ state + nets.hidden_b[:, row, :, None]
        step = np.asarray(nets.activation.value(z)) / depth * (row + 1 != without)
        steps.append(step)
        state = state + step
    return steps
