"""A second oracle: torch's autograd, in float64, where torch is installed."""

from collections.abc import Callable, Sequence
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
    *,
    hidden: Sequence[Reals] = (),
    residual: bool = False,
) -> tuple[Array, tuple[Array, ...]]:
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
    hidden : () or (hidden_w, hidden_b)
        Weights (R, L - 1, N, N) and biases (R, L - 1, N) of the layers h_l = sigma(W_l h_(l-1) +
        b_l) after the first.
    residual : bool
        Whether these are h_l = h_(l-1) + sigma(W_l h_(l-1) + b_l) / L.

    Returns
    -------
    losses : (R,) array of float64
        Loss of each net.
    gradients : (dw, db, dv, dc) or (dw, db, dv, dc, dhidden_w, dhidden_b)
        In the shapes of w, b, v, c and hidden, float64.
    """
    import torch

    parameters = [
        torch.tensor(np.asarray(array, dtype=np.float64), requires_grad=True)
        for array in (w, b, v, c, *hidden)
    ]
    data = [torch.tensor(np.asarray(array, dtype=np.float64)) for array in (x, y, weight)]
    sigma = function_of(name, negative_slope)
    losses = _losses(sigma, parameters, data, loss, residual)
    gradients = torch.autograd.grad(losses.sum(), parameters)
    return losses.detach().numpy(), tuple(gradient.numpy() for gradient in gradients)


def outputs_of(sigma: Callable[[Any], Any], parameters: Any, x: Any, residual: bool) -> Any:
    """Outputs of R nets.

    Parameters
    ----------
    sigma : callable
        The activation, as `function_of` returns it.
    parameters : list of torch.Tensor
        (w, b, v, c) or (w, b, v, c, hidden_w, hidden_b).
    x : (P, D) torch.Tensor
        Points.
    residual : bool
        As `loss_and_gradient` takes it.

    Returns
    -------
    (R, P) torch.Tensor
    """
    w, b, v, c, *hidden = parameters
    h = sigma(w @ x.T + b[:, :, None])
    for layer in range(hidden[0].shape[1] if hidden else 0):
        after = sigma(hidden[0][:, layer] @ h + hidden[1][:, layer, :, None])
        h = h + after / (1 + hidden[0].shape[1]) if residual else after
    return (v[:, None, :] @ h)[:, 0, :] + c[:, None]


def _losses(
    sigma: Callable[[Any], Any], parameters: Any, data: Any, loss: str, residual: bool
) -> Any:
    from torch.nn import functional

    x, y, weight = data
    outputs = outputs_of(sigma, parameters, x, residual)
    if loss == "logistic":
        return (
            functional.binary_cross_entropy_with_logits(
                outputs, y.expand_as(outputs), reduction="none"
            )
            @ weight
        )
    return (outputs - y) ** 2 @ weight


def trained(config: Any, start: Any, x: Reals, y: Reals, weight: Reals) -> tuple[Reals, ...]:
    """Parameters after all steps of a training by torch.optim and torch's schedulers.

    Parameters
    ----------
    config : Config
        Activation, loss, precision, optimiser, schedule, steps, and whether nets are residual.
    start : (w, b, v, c) or (w, b, v, c, hidden_w, hidden_b)
        Initial parameters of R nets, in the precision of the config.
    x, y, weight : (P, D), (P,) and (P,) arrays
        Points, targets and weights.

    Returns
    -------
    (w, b, v, c) or (w, b, v, c, hidden_w, hidden_b)
        Of R nets.
    """
    import torch

    dtype = getattr(torch, config.dtype)
    parameters = [torch.tensor(np.array(array), requires_grad=True) for array in start]
    data = [torch.tensor(np.array(array), dtype=dtype) for array in (x, y, weight)]
    sigma = function_of(config.activation, config.negative_slope)
    optimizer = optimizer_of(config, parameters)
    scheduler = scheduler_of(config, optimizer)
    for _ in range(config.steps):
        optimizer.zero_grad()
        _losses(sigma, parameters, data, config.loss, config.residual).sum().backward()
        optimizer.step()
        scheduler.step()
    return tuple(parameter.detach().numpy() for parameter in parameters)


def optimizer_of(config: Any, parameters: Any) -> Any:
    """torch's optimiser of a config.

    Parameters
    ----------
    config : Config
        Names the optimiser and its constants.
    parameters : list of torch.Tensor
        What it steps.

    Returns
    -------
    torch.optim.Optimizer

    Raises
    ------
    KeyError
        For an optimiser that torch has not.
    """
    from torch import optim

    betas, smooth = (config.beta1, config.beta2), {"lr": config.lr, "eps": config.epsilon}
    rules: dict[str, Callable[[], Any]] = {
        "adam": lambda: optim.Adam(parameters, betas=betas, **smooth),
        "adamw": lambda: optim.AdamW(
            parameters, betas=betas, weight_decay=config.weight_decay, **smooth
        ),
        "gd": lambda: optim.SGD(parameters, config.lr),
        "momentum": lambda: optim.SGD(parameters, config.lr, momentum=config.momentum),
        "nesterov": lambda: optim.SGD(
            parameters, config.lr, momentum=config.momentum, nesterov=True
        ),
        "rmsprop": lambda: optim.RMSprop(parameters, alpha=config.beta2, **smooth),
    }
    return rules[config.optimizer]()


def scheduler_of(config: Any, optimizer: Any) -> Any:
    """torch's scheduler of a config.

    Parameters
    ----------
    config : Config
        Names the schedule and its constants.
    optimizer : torch.optim.Optimizer
        Whose rate it sets.

    Returns
    -------
    torch.optim.lr_scheduler.LRScheduler

    Raises
    ------
    KeyError
        For a schedule that torch has not.
    """
    from torch.optim import lr_scheduler

    steps, final = config.steps - config.warmup, config.final_fraction

    def fall(t: int) -> float:
        return float(config.lr_decay ** (t // config.lr_decay_every))

    rules: dict[str, Callable[[], Any]] = {
        "step": lambda: lr_scheduler.StepLR(optimizer, config.lr_decay_every, config.lr_decay),
        "constant": lambda: lr_scheduler.ConstantLR(optimizer, 1.0),
        "cosine": lambda: lr_scheduler.CosineAnnealingLR(optimizer, steps, final * config.lr),
        "linear": lambda: lr_scheduler.LinearLR(optimizer, 1.0, final, steps),
        "exponential": lambda: lr_scheduler.ExponentialLR(optimizer, final ** (1.0 / steps)),
        "held": lambda: lr_scheduler.LambdaLR(optimizer, lambda t: max(final, fall(t))),
        "stretched": lambda: lr_scheduler.LambdaLR(
            optimizer, lambda t: min(1.0, final / fall(max(steps - 1 - t, 0)))
        ),
    }
    if not config.warmup:
        return rules[config.schedule]()
    rise = lr_scheduler.LinearLR(optimizer, 1.0 / (config.warmup + 1), 1.0, config.warmup)
    return lr_scheduler.SequentialLR(optimizer, [rise, rules[config.schedule]()], [config.warmup])
