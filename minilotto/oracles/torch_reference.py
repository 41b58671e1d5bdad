"""A second oracle: torch's autograd, in float64, where torch is installed."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Reals = NDArray[np.floating]  # float32 or float64


def installed() -> bool:
    """Whether there is a torch, which may be unusable."""
    return find_spec("torch") is not None


def function_of(name: str, negative_slope: float) -> Callable[[Any], Any]:
    """torch's function for an activation. Raises KeyError for an unknown name."""
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
    """Whether `function_of` knows an activation."""
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
    """The losses sum_p weight_p (f(x_p) - y_p)^2 and their gradients, by autograd, in float64.

    Arguments and shapes are those of numpy_reference; "logistic" is torch's binary cross entropy of
    logits f(x_p) and labels y_p.
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
    """Outputs (R, P) of R nets with parameters (w, b, v, c) or (w, b, v, c, hidden_w, hidden_b)."""
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
    """Parameters after all steps of a config's training by torch.optim and torch's schedulers, from
    `start` in the precision of the config: (w, b, v, c) or (w, b, v, c, hidden_w, hidden_b) of R
    nets.
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
    """torch's optimiser of a config. Raises KeyError for one that torch has not."""
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
    """torch's scheduler of a config. Raises KeyError for one that torch has not."""
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
