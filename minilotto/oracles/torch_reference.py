"""A second oracle: torch's autograd, in float64, where torch is installed."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Reals = NDArray[np.floating]  # float32 or float64


def installed() -> bool:
    """Whether there is a torch, which may be unusable.

    Returns
    -------
    bool
        True if there is.
    """
    return find_spec("torch") is not None


def function_of(name: str, negative_slope: float) -> Callable[[Any], Any]:
    """torch's function for an activation.

    Parameters
    ----------
    name : str
        Name of the activation.
    negative_slope : float
        Slope of leaky_relu for z < 0.

    Returns
    -------
    callable
        Maps a tensor to a tensor of the same shape.

    Raises
    ------
    KeyError
        For an unknown name.
    """
    import torch
    from torch.nn import functional

    functions: dict[str, Callable[[Any], Any]] = {
        "silu": functional.silu,
        "relu": torch.relu,
        "leaky_relu": lambda z: functional.leaky_relu(z, negative_slope),
        "tanh": torch.tanh,
        "gelu": functional.gelu,
        "softplus": lambda z: functional.softplus(z, threshold=700),
        "sigmoid": torch.sigmoid,
    }
    return functions[name]


def knows(name: str) -> bool:
    """Whether `function_of` knows an activation.

    Parameters
    ----------
    name : str
        Name of the activation.

    Returns
    -------
    bool
        True if it does.
    """
    try:
        function_of(name, 0.0)
    except KeyError:
        return False
    return True


def loss_and_gradient(
    name: str,
    w: Reals,
    b: Reals,
    v: Reals,
    c: Reals,
    x: Reals,
    y: Reals,
    weight: Reals,
    negative_slope: float = 0.01,
    loss: str = "squared",
) -> tuple[Array, tuple[Array, Array, Array, Array]]:
    """The losses sum_p weight_p (f(x_p) - y_p)^2 and their gradients, by autograd.

    Parameters
    ----------
    name : str
        The activation.
    w, b, v, c : (R, N, D), (R, N), (R, N) and (R,) arrays
        Parameters of R nets.
    x, y, weight : (P, D), (P,) and (P,) arrays
        Points, targets and weights.
    negative_slope : float
        Slope of leaky_relu for z < 0.
    loss : {"squared", "logistic"}
        The latter is torch's binary cross entropy of logits f(x_p) and labels y_p.

    Returns
    -------
    losses : (R,) array of float64
        Loss of each net.
    gradients : (dw, db, dv, dc)
        In the shapes of w, b, v, c, float64.
    """
    import torch
    from torch.nn import functional

    parameters = [
        torch.tensor(np.asarray(array, dtype=np.float64), requires_grad=True)
        for array in (w, b, v, c)
    ]
    points, targets, weights = (
        torch.tensor(np.asarray(array, dtype=np.float64)) for array in (x, y, weight)
    )
    hidden = function_of(name, negative_slope)(parameters[0] @ points.T + parameters[1][:, :, None])
    outputs = (parameters[2][:, None, :] @ hidden)[:, 0, :] + parameters[3][:, None]
    if loss == "logistic":
        terms = functional.binary_cross_entropy_with_logits(
            outputs, targets.expand_as(outputs), reduction="none"
        )
    else:
        terms = (outputs - targets) ** 2
    losses = terms @ weights
    dw, db, dv, dc = torch.autograd.grad(losses.sum(), parameters)
    return losses.detach().numpy(), (dw.numpy(), db.numpy(), dv.numpy(), dc.numpy())
