"""SCHEMES: how initial parameters are drawn, as frozen rows."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Scheme:
    """How initial parameters are drawn: each of w, b, v, c is its spread times a unit draw."""

    unit: str  # "uniform" on (-1, 1), or "normal"
    # maps (D, N) to the spreads of (w, b, v, c); zero gives zeros. Those of v and c are multiplied
    # by Config.output_scale. A hidden layer after the first has those of w and b for (N, N).
    spreads: Callable[[int, int], tuple[float, float, float, float]]
    note: str  # in words
    scalable: bool = False  # whether all four spreads are multiplied by Config.init_scale

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A row of SCHEMES travels as its name: its function need not be picklable."""
        for name, scheme in SCHEMES.items():
            if scheme is self:
                return _scheme_of, (name,)
        return super().__reduce_ex__(protocol)


def _fan(gain: float, mode: str) -> Callable[[int, int], tuple[float, float, float, float]]:
    def spreads(inputs: int, width: int) -> tuple[float, float, float, float]:
        fans = {"in": (inputs, width), "mean": ((inputs + width) / 2, (width + 1) / 2)}[mode]
        return gain / fans[0] ** 0.5, 0.0, gain / fans[1] ** 0.5, 0.0

    return spreads


_ROOT2, _ROOT3, _ROOT6 = 2.0**0.5, 3.0**0.5, 6.0**0.5

SCHEMES = MappingProxyType(
    {
        "torch": Scheme(
            "uniform",
            lambda D, N: (D**-0.5, D**-0.5, N**-0.5, N**-0.5),
            "torch.nn.Linear's default: U(+-1/sqrt(fan_in))",
        ),
        "kaiming_uniform": Scheme(
            "uniform", _fan(_ROOT6, "in"), "variance 2/fan_in, biases zero (He et al. 2015)"
        ),
        "kaiming_normal": Scheme(
            "normal", _fan(_ROOT2, "in"), "variance 2/fan_in, biases zero (He et al. 2015)"
        ),
        "glorot_uniform": Scheme(
            "uniform",
            _fan(_ROOT3, "mean"),
            "variance 2/(fan_in + fan_out), biases zero (Glorot and Bengio 2010)",
        ),
        "glorot_normal": Scheme(
            "normal",
            _fan(1.0, "mean"),
            "variance 2/(fan_in + fan_out), biases zero (Glorot and Bengio 2010)",
        ),
        "lecun_uniform": Scheme(
            "uniform", _fan(_ROOT3, "in"), "variance 1/fan_in, biases zero (LeCun et al. 1998)"
        ),
        "lecun_normal": Scheme(
            "normal", _fan(1.0, "in"), "variance 1/fan_in, biases zero (LeCun et al. 1998)"
        ),
        "uniform": Scheme(
            "uniform",
            lambda D, N: (1.0, 1.0, 1.0, 1.0),
            "every parameter U(+-init_scale)",
            scalable=True,
        ),
        "normal": Scheme(
            "normal",
            lambda D, N: (1.0, 1.0, 1.0, 1.0),
            "every parameter N(0, init_scale^2)",
            scalable=True,
        ),
        "mean_field": Scheme(
            "uniform",
            lambda D, N: (D**-0.5, D**-0.5, 1.0 / N, 0.0),
            "hidden layers as torch, v in U(+-1/N), c = 0",
        ),
    }
)


def _scheme_of(name: str) -> Scheme:
    return SCHEMES[name]
