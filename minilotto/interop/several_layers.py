"""Derivatives of the outputs of a net of several hidden layers: NumPy, in float64."""

from typing import Any, NamedTuple

import numpy as np

from minilotto.initialisation import Parameters
from minilotto.interop.vectors import pack, unpack
from minilotto.kernels.layers import layers
from minilotto.settings.activations import Activation, Reals
from minilotto.settings.arrays import Array

__all__: list[str] = []


class _Trace(NamedTuple):
    """Of each layer, (P, N): what sigma takes; h; dh / dz in the layer alone; df / dh; df / dz."""

    z: list[Array]
    h: list[Array]
    slope: list[Reals]
    dh: list[Reals]
    dz: list[Reals]


def _traced(sigma: Activation, net: Parameters, x: Any, residual: bool) -> _Trace:
    nets = [np.asarray(array)[None] for array in net]
    z, h = (
        [one[0].T for one in some] for some in zip(*layers(sigma, nets, x, residual), strict=True)
    )
    slope = [_share(layer, len(z), residual) * sigma.slope(one) for layer, one in enumerate(z)]
    dh = [np.broadcast_to(net.v, h[0].shape)]
    dz = [dh[0] * slope[-1]]
    for weights, below in zip(net.hidden_w[::-1], slope[-2::-1], strict=True):
        back = dz[0] @ weights
        dh.insert(0, back + dh[0] if residual else back)
        dz.insert(0, dh[0] * below)
    return _Trace(z, h, slope, dh, dz)


def _share(layer: int, depth: int, residual: bool) -> float:
    return 1.0 / depth if residual and layer > 0 else 1.0


def jacobian_of(sigma: Activation, theta: Reals, x: Reals, depth: int, residual: bool) -> Reals:
    """Derivatives (P, K) of the outputs of one net theta (K,), in the order of `pack`."""
    x, net = x.astype(np.float64), unpack(theta.astype(np.float64), x.shape[1], depth)
    with np.errstate(over="ignore", invalid="ignore"):
        trace = _traced(sigma, net, x, residual)
        (w, *hidden_w), (b, *hidden_b) = (
            [
                dz[:, :, None] * h[:, None, :]
                for dz, h in zip(trace.dz, [x, *trace.h], strict=False)
            ],
            trace.dz,
        )
    hidden = (np.stack(parts, axis=1) for parts in (hidden_w, hidden_b))
    return pack(Parameters(w, b, trace.h[-1], np.ones(len(x)), *hidden))


def add_curvature(
    sigma: Activation,
    theta: Reals,
    x: Array,
    factor: Array,
    depth: int,
    residual: bool,
    total: Array,
) -> None:
    """Add to `total` (K, K) sum_p factor_p H_p, H_p the second derivatives of f(x_p) of one net
    theta (K,).

    Beside the curvature of each sigma, which takes the derivatives of its argument twice, these are
    the products of each weight with what it multiplies.
    """
    inputs = x.shape[1]
    net, count = unpack(theta, inputs, depth), len(theta)
    places = Parameters(*(p.astype(int) for p in unpack(np.arange(float(count)), inputs, depth)))
    neurons = np.arange(len(net.v))
    mixed = np.zeros_like(total)
    trace = _traced(sigma, net, x, residual)
    along = np.zeros((len(x), len(neurons), count))  # dh / dtheta of the layer below
    for layer in range(depth):
        if layer == 0:
            below, weights, biases, inner = x, places.w, places.b, along.copy()
        else:
            below, weights = trace.h[layer - 1], places.hidden_w[layer - 1]
            biases, inner = places.hidden_b[layer - 1], net.hidden_w[layer - 1] @ along
            products = (factor[:, None] * trace.dz[layer]).T @ along.reshape(len(x), -1)
            mixed[weights] += products.reshape(*weights.shape, count)
        inner[:, neurons[:, None], weights] += below[:, None, :]
        inner[:, neurons, biases] += 1.0
        bend = _share(layer, depth, residual) * sigma.curvature(trace.z[layer]) * trace.dh[layer]
        rows = inner.reshape(-1, count)
        total += (rows * (factor[:, None] * bend).reshape(-1, 1)).T @ rows
        inner *= trace.slope[layer][:, :, None]
        along = inner + along if residual else inner
    mixed[places.v] += np.tensordot(factor, along, 1)
    total += mixed + mixed.T
