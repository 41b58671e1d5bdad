"""Functions of interop/functional.py for several hidden layers: NumPy, each net by itself."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minilotto.initialisation import Parameters
from minilotto.interop.vectors import pack, unpack
from minilotto.settings.activations import Reals, activation_of
from minilotto.settings.arrays import Array

if TYPE_CHECKING:
    from minilotto.kernels.forms import Form

POINTS_AT_ONCE = 2**12  # to keep their derivatives small


def of_each(
    function: Callable[..., Any], form: "Form", thetas: Reals, x: Reals, depth: int, residual: bool
) -> Iterator[Any]:
    """What a function gives for each net.

    Parameters
    ----------
    function : callable
        Of kernels/layers.py: (activation, nets, x, residual).
    form : Form
        Names the activation.
    thetas : (R, K) array
        Nets.
    x : (P, D) array
        Points.
    depth, residual : int, bool
        As in Config.

    Yields
    ------
    object
        Of one net.
    """
    sigma = activation_of(form.spec.activation, form.parameter)
    for theta in thetas:
        net = unpack(theta[None], x.shape[1], depth)
        with np.errstate(over="ignore", invalid="ignore"):
            yield function(sigma, net, x.astype(np.float64), residual)


def rows_of(parts: tuple[Array, ...]) -> Reals:
    """Derivatives with respect to the parameters of one net in the order of `pack`.

    Parameters
    ----------
    parts : tuple of (1, P, ...) arrays
        As kernels/layers.py returns them.

    Returns
    -------
    (P, K) array
    """
    return pack(Parameters(*(part[0] for part in parts)))


def write_losses_and_gradients(
    form: "Form",
    thetas: Reals,
    data: tuple[Reals, Reals, Reals],
    depth: int,
    residual: bool,
    losses: Reals,
    gradients: Reals,
) -> None:
    """Losses of nets and their gradients.

    Parameters
    ----------
    form : Form
        Names the activation and the loss.
    thetas : (R, K) array
        Nets.
    data : (x, y, weight)
        Points (P, D), targets (P,) and weights (P,).
    depth, residual : int, bool
        As in Config.
    losses : (R,) array
        Written.
    gradients : (R, K) array
        Written.
    """
    from minilotto.kernels import layers

    losses[:], gradients[:] = 0.0, 0.0
    for first in range(0, len(data[0]), POINTS_AT_ONCE):
        x, y, weight = (array[first : first + POINTS_AT_ONCE].astype(float) for array in data)
        found = [
            of_each(function, form, thetas, x, depth, residual)
            for function in (layers.outputs, layers.derivatives)
        ]
        for net, (outputs, parts) in enumerate(zip(*found, strict=True)):
            terms, slopes = layers.loss_and_slope(form.spec.loss, outputs[0], y)
            losses[net] += weight @ terms
            gradients[net] += (weight * slopes) @ rows_of(parts)
