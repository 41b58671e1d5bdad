"""Nets as a torch module, and back. Needs torch (extra `torch`)."""

from typing import Any

import numpy as np

from minilotto.errors import ConfigError, DataError, MissingExtraError
from minilotto.initialisation import Parameters
from minilotto.oracles.torch_reference import function_of, knows
from minilotto.settings.activations import Activation

try:
    import torch
except ImportError as error:
    raise MissingExtraError.of("torch", "torch", error) from None


class Nets(torch.nn.Module):
    """R nets f(x) = sum_i v_i sigma(w_i x + b_i) + c with torch parameters w (R, N, D), b (R, N), v
    (R, N), c (R,).
    """

    def __init__(self, activation: Activation, parameters: Parameters) -> None:
        super().__init__()
        self.activation, self.negative_slope = activation.name, activation.parameter
        if not knows(self.activation):
            raise ConfigError(
                f"{self.activation} has no function of torch's; name one in "
                "oracles/torch_reference.py"
            )
        for name, array in parameters._asdict().items():
            self.register_parameter(name, torch.nn.Parameter(torch.tensor(np.array(array))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """f(x) of every net: (R, P) for x (P, D), or (P,) for D = 1."""
        points = x[:, None] if x.ndim == 1 else x
        hidden = function_of(self.activation, self.negative_slope)(
            self.w @ points.T + self.b[:, :, None]
        )
        return (self.v[:, None, :] @ hidden)[:, 0, :] + self.c[:, None]

    def extra_repr(self) -> str:
        nets, width, inputs = self.w.shape
        return f"{nets} nets, {inputs} -> {width} -> 1, {self.activation}"


def from_torch(module: Any) -> Parameters:
    """Parameters, as NumPy copies in the module's precision, of what `Ensemble.to_torch` made or of
    two Linear layers.

    The latter are taken from any module that holds exactly two torch.nn.Linear, with biases or
    without, such as Sequential(Linear(D, N), SiLU(), Linear(N, 1)); they make one net (R = 1).

    Raises DataError for any other module.
    """
    if isinstance(module, Nets):
        return Parameters(*(_array(getattr(module, name)) for name in "wbvc"))
    layers = (
        [layer for layer in module.modules() if isinstance(layer, torch.nn.Linear)]
        if isinstance(module, torch.nn.Module)
        else []
    )
    if (
        len(layers) != 2
        or layers[1].out_features != 1
        or layers[0].out_features != layers[1].in_features
    ):
        found = [(layer.in_features, layer.out_features) for layer in layers]
        raise DataError(
            f"a {type(module).__name__} with linear layers {found} is no net; it takes Linear(D, "
            "N) and Linear(N, 1)"
        )
    w, v = _array(layers[0].weight), _array(layers[1].weight)
    b, c = (
        np.zeros(len(layer.weight), w.dtype) if layer.bias is None else _array(layer.bias)
        for layer in layers
    )
    return Parameters(w[None], b[None], v, c)


def _array(parameter: torch.Tensor) -> np.ndarray:
    return parameter.detach().cpu().numpy().copy()
