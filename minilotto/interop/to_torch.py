"""Nets as a torch module, and back. Needs torch (extra `torch`)."""

from typing import Any

import numpy as np

from minilotto.errors import ConfigError, DataError, optional
from minilotto.initialisation import Parameters
from minilotto.oracles.torch_reference import function_of, knows
from minilotto.settings.activations import Activation, Reals
from minilotto.settings.limits import check_one_layer

with optional("torch", "torch"):
    import torch


class Nets(torch.nn.Module):  # type: ignore[misc]
    """R nets f(x) = sum_i v_i sigma(w_i x + b_i) + c with torch parameters w, b, v and c.

    Parameters
    ----------
    activation : Activation
        Activation of the nets.
    parameters : Parameters
        Of R nets; copied.

    Raises
    ------
    ConfigError
        For an activation that torch does not have, and for several hidden layers.
    """

    def __init__(self, activation: Activation, parameters: Parameters) -> None:
        super().__init__()
        check_one_layer("a torch module", parameters.depth)
        self.activation, self.negative_slope = activation.name, activation.parameter
        if not knows(self.activation):
            raise ConfigError(
                f"{self.activation} is not among torch's functions; add it to "
                "oracles/torch_reference.py"
            )
        for name, array in parameters._asdict().items():
            self.register_parameter(name, torch.nn.Parameter(torch.tensor(np.array(array))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (R, P) of all nets at x (P, D), or (P,) for D = 1."""
        points = x[:, None] if x.ndim == 1 else x
        hidden = function_of(self.activation, self.negative_slope)(
            self.w @ points.T + self.b[:, :, None]
        )
        return (self.v[:, None, :] @ hidden)[:, 0, :] + self.c[:, None]

    def extra_repr(self) -> str:
        """The line that torch prints."""
        nets, width, inputs = self.w.shape
        return f"{nets} nets, {inputs} -> {width} -> 1, {self.activation}"


def from_torch(module: Any) -> Parameters:
    """Parameters of a torch module.

    Parameters
    ----------
    module : torch.nn.Module
        What `Ensemble.to_torch` returned, or a module with exactly two torch.nn.Linear, with or
        without biases, such as Sequential(Linear(D, N), SiLU(), Linear(N, 1)): one net (R = 1).

    Returns
    -------
    Parameters
        Copies in the module's precision.

    Raises
    ------
    DataError
        For any other module.
    """
    if isinstance(module, Nets):
        return Parameters(*(_array(getattr(module, name)) for name in "wbvc"))
    modules = module.modules() if isinstance(module, torch.nn.Module) else ()
    layers = [layer for layer in modules if isinstance(layer, torch.nn.Linear)]
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


def _array(parameter: torch.Tensor) -> Reals:
    array: Reals = parameter.detach().cpu().numpy().copy()
    return array
