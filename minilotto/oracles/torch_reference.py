"""A second oracle: torch's own autograd, in float64, where torch is installed. Imports nothing of
ours.
"""

import numpy as np
from numpy.typing import NDArray


def installed() -> bool:
    """Whether torch can be imported."""
    try:
        import torch
    except ImportError:
        return False
    return torch is not None


def function_of(name: str, negative_slope: float):
    """torch's own function of that name. Raises KeyError where none is known here."""
    import torch
    from torch.nn import functional

    return {
        "silu": functional.silu,
        "relu": torch.relu,
        "leaky_relu": lambda z: functional.leaky_relu(z, negative_slope),
        "tanh": torch.tanh,
        "gelu": functional.gelu,
        "softplus": lambda z: functional.softplus(z, threshold=700),
        "sigmoid": torch.sigmoid,
    }[name]


def knows(name: str) -> bool:
    """Whether there is a function of torch's for that name here."""
    try:
        function_of(name, 0.0)
    except KeyError:
        return False
    return True


def loss_and_gradient(
    name: str,
    w: NDArray,
    b: NDArray,
    v: NDArray,
    c: NDArray,
    x: NDArray,
    y: NDArray,
    weight: NDArray,
    negative_slope: float = 0.01,
    loss: str = "squared",
) -> tuple[NDArray, tuple[NDArray, NDArray, NDArray, NDArray]]:
    """Losses (R,) and gradients (dw, db, dv, dc) of sum_p weight_p (f(x_p) - y_p)^2; shapes as in
    reference.py, float64.

    loss="logistic": torch's binary cross entropy of logits f(x_p) and labels y_p in place of the
    square.
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
