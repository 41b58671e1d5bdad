"""Nets as a torch module, and back. Needs torch (extra `torch`)."""

from typing import Any

import numpy as np

from minilotto.errors import ConfigError, DataError, optional
from minilotto.initialisation import Parameters
from minilotto.oracles.torch_reference import function_of, knows, outputs_of
from minilotto.settings.activations import Activation, Reals

with optional("torch", "torch"):
    import torch


class Nets(torch.nn.Module):  # type: ignore[misc]
    """R nets f(x) = sum_i v_i sigma(w_i x + b_i) + c.

    Those of several hidden layers are as `Config` defines them. Their torch parameters are w, b, v
    and c, and of several layers hidden_w and hidden_b.

    Parameters
    ----------
    activation : Activation
        Activation of the nets.
    parameters : Parameters
        Of R nets; copied.
    residual : bool
        As in Config.

    Raises
    ------
    ConfigError
        For an activation that torch does not have.
    """

    def __init__(
        self, activation: Activation, parameters: Parameters, residual: bool = False
    ) -> None:
        super().__init__()
        self.residual = residual
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
        sigma = function_of(self.activation, self.negative_slope)
        return outputs_of(sigma, [*self.parameters()], points, self.residual)

    def extra_repr(self) -> str:
        """The line that torch prints."""
        nets, width, inputs = self.w.shape
        depth = from_torch(self).depth
        hidden = " -> ".join([str(width)] * depth)
        residual = ", residual" * self.residual
        return f"{nets} nets, {inputs} -> {hidden} -> 1, {self.activation}{residual}"


def from_torch(module: Any) -> Parameters:
    """Parameters of a torch module.

    Parameters
    ----------
    module : torch.nn.Module
        What `Ensemble.to_torch` returned, or a module with torch.nn.Linear, with or without biases,
        such as Sequential(Linear(D, N), SiLU(), Linear(N, 1)), where Linear(N, N) and an activation
        may stand between for more hidden layers: one net (R = 1).

    Returns
    -------
    Parameters
        Copies in the module's precision.

    Raises
    ------
    DataError
        For any other module, and for parameters that are not all float32 or all float64.
    """
    known = isinstance(module, torch.nn.Module)
    dtypes = {parameter.dtype for parameter in module.parameters()} if known else set()
    if len(dtypes) > 1 or dtypes - {torch.float32, torch.float64}:
        raise DataError(
            f"a {type(module).__name__} has parameters of {', '.join(sorted(map(str, dtypes)))}; "
            "convert it by .float() or .double()"
        )
    if isinstance(module, Nets):
        return Parameters(*map(_array, module.parameters()))
    # a layer that comes twice counts twice
    modules = [each for _, each in module.named_modules(remove_duplicate=False)] if known else []
    layers = [layer for layer in modules if isinstance(layer, torch.nn.Linear)]
    own = {id(array) for layer in layers for array in (*layer.parameters(), *layer.buffers())}
    state = [*module.named_parameters(), *module.named_buffers()] if known else []
    if other := [name for name, array in state if id(array) not in own]:
        raise DataError(
            f"a {type(module).__name__} has {', '.join(other)} beside its linear layers; a net has "
            "no normalisation, activation or factor with parameters of its own"
        )
    found = [(layer.in_features, layer.out_features) for layer in layers]
    inputs, width = found[0] if found else (0, 0)
    later = [(width, width)] * (len(layers) - 2) + [(width, 1)]
    if len(layers) < 2 or not inputs or found[1:] != later:
        raise DataError(
            f"a {type(module).__name__} with linear layers {found} is no net; it takes Linear(D, "
            "N) and Linear(N, 1), and any number of Linear(N, N) between"
        )
    w, *hidden_w, v = (_array(layer.weight) for layer in layers)
    b, *hidden_b, c = (
        np.zeros(len(layer.weight), w.dtype) if layer.bias is None else _array(layer.bias)
        for layer in layers
    )
    hidden = (np.stack(hidden_w)[None], np.stack(hidden_b)[None]) if hidden_w else ()
    return Parameters(w[None], b[None], v, c, *hidden)


def _array(parameter: torch.Tensor) -> Reals:
    array: Reals = parameter.detach().cpu().numpy().copy()
    return array
