"""Parameters of a net as one vector theta (K,), and back.

K = N (D + 2) + 1: neuron by neuron its D weights w, its b, its v; and c at the end. Of several
hidden layers K is N (N + 1) more for each after the first: its hidden_w, row by row, and hidden_b.
"""

from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from minilotto.data.checks import floating
from minilotto.errors import ConfigError, DataError, shown
from minilotto.initialisation import NAMES, Parameters
from minilotto.settings.activations import Reals, activation_of
from minilotto.settings.combinations import check_depth
from minilotto.settings.config import LOSSES
from minilotto.settings.limits import check_choice
from minilotto.settings.numbers import whole_number

__all__ = ["pack", "unpack"]


def pack(parameters: Parameters) -> Reals:
    """Parameters as vectors theta.

    Parameters
    ----------
    parameters : Parameters
        Of R nets, or of one net without the axis R: w (N, D), b (N,), v (N,), c (), and of several
        hidden layers hidden_w (L - 1, N, N), hidden_b (L - 1, N).

    Returns
    -------
    (R, K) or (K,) array
        In the same precision.

    Raises
    ------
    DataError
        For shapes or precisions that do not match, and for no net.

    Examples
    --------
    >>> w, b, v, c = [[0.1], [0.2]], [0.3, 0.4], [0.5, 0.6], 0.7
    >>> pack(Parameters(*map(np.array, (w, b, v, c)))).tolist()
    [0.1, 0.3, 0.5, 0.2, 0.4, 0.6, 0.7]
    """
    _check_no_nets(parameters)
    try:
        names = NAMES[: 6 if len(parameters) == 6 else 4]
        arrays = [floating(name, array) for name, array in zip(names, parameters, strict=True)]
    except DataError:
        raise
    except Exception:
        raise DataError(
            f"parameters are a {type(parameters).__name__}; pass (w, b, v, c), as in "
            "nets.parameters"
        ) from None
    w, b, v, c, *hidden = arrays
    shape, (*nets, width) = w.shape[:-1], w.shape[:-1] or (0,)
    layers = hidden[0].shape[-3:-2] if hidden else ()
    hidden_shapes = [(*nets, *layers, width, width), (*nets, *layers, width)] if hidden else []
    if (
        w.ndim not in (2, 3)
        or 0 in w.shape
        or [array.shape for array in arrays[1:]] != [shape, shape, tuple(nets), *hidden_shapes]
    ):
        more = ", (R, L - 1, N, N), (R, L - 1, N)" if hidden else ""
        raise DataError(
            f"{', '.join(names)} have shapes {', '.join(str(array.shape) for array in arrays)}; "
            f"they must be (R, N, D), (R, N), (R, N), (R,){more}, or the same without R, of at "
            "least one net"
        )
    if len({array.dtype for array in arrays}) > 1:
        raise DataError(
            f"{', '.join(names)} have dtypes {', '.join(str(array.dtype) for array in arrays)}; "
            "give all of them the same"
        )
    neurons = np.concatenate([w, b[..., None], v[..., None]], axis=-1)
    parts = [neurons.reshape(*nets, -1), c[..., None]]
    if hidden:
        rows = [hidden[0].reshape(*nets, *layers, -1), hidden[1]]
        parts.append(np.concatenate(rows, axis=-1).reshape(*nets, -1))
    return np.concatenate(parts, axis=-1)


def unpack(theta: ArrayLike, inputs: int = 1, depth: int = 1) -> Parameters:
    """Vectors theta as Parameters, the inverse of pack.

    Parameters
    ----------
    theta : (K,) or (R, K) array_like of float
        One net or R nets.
    inputs : int
        Number of inputs D, at least 1.
    depth : int
        Number of hidden layers L, at least 1.

    Returns
    -------
    Parameters
        Copies; without the axis R for one net.

    Raises
    ------
    DataError
        For a length K that no such net has.

    Examples
    --------
    >>> unpack(np.arange(7.0)).v.tolist()
    [2.0, 5.0]
    """
    for name, value in (("inputs", inputs), ("depth", depth)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise DataError(
                f"{name}={shown(value)} is out of range; give a whole number of at least 1"
            )
    array, inputs, depth = flat(theta, int(inputs), int(depth)), int(inputs), int(depth)
    nets, width = array.shape[:-1], width_of(array.shape[-1], inputs, depth)
    first, c, hidden = np.split(array, [width * (inputs + 2), width * (inputs + 2) + 1], axis=-1)
    neurons = first.reshape(*nets, width, inputs + 2)
    layers = hidden.reshape(*nets, depth - 1, width * (width + 1))
    parts = (
        *(neurons[..., :inputs], neurons[..., inputs], neurons[..., inputs + 1], c[..., 0]),
        layers[..., : width * width].reshape(*nets, depth - 1, width, width),
        layers[..., width * width :],
    )
    return Parameters(*(np.array(part) for part in parts))


def width_of(length: int, inputs: int, depth: int) -> int:
    """Width N of the nets that a vector of this length K is of; 0 if there are none."""
    # (L - 1) N^2 + (D + 1 + L) N = K - 1
    linear = inputs + 1 + depth
    root = isqrt(linear**2 + 4 * (depth - 1) * (length - 1)) if length > 1 else 0
    width = (root - linear) // (2 * (depth - 1)) if depth > 1 else (length - 1) // linear
    return width if width * (linear + (depth - 1) * width) == length - 1 and width > 0 else 0


def check_form(activation: str, negative_slope: float, loss: str) -> None:
    """Raises ConfigError for an unknown activation or loss, and a slope that is not finite."""
    activation_of(activation)
    check_choice("loss", loss, LOSSES)
    if (
        not isinstance(negative_slope, (int, float, np.floating))
        or not -np.inf < negative_slope < 1
    ):
        raise ConfigError(
            f"negative_slope={shown(negative_slope)} is out of range; give a finite number below 1"
        )


def check_exported(parameters: Parameters) -> None:
    """Raises ConfigError for no net, and for one that is not finite."""
    if not len(parameters.c):
        raise ConfigError("there is no net to export; select at least one")
    finite = np.all(
        [np.isfinite(part).reshape(len(part), -1).all(1) for part in parameters], axis=0
    )
    if not finite.all():
        raise ConfigError(
            f"net {np.argmin(finite)} is not finite; export nets whose status is ok, as in "
            "nets[nets.status == 'ok']"
        )


def flat(theta: ArrayLike, inputs: int, depth: int = 1) -> Reals:
    """The caller's theta, (K,) or (R, K), as an array in its precision. Raises DataError."""
    _check_no_nets(theta)
    array = floating("theta", theta)
    if array.ndim not in (1, 2) or 0 in array.shape or not width_of(array.shape[-1], inputs, depth):
        layers = f" and {depth} hidden layers" * (depth > 1)
        more = f" + {depth - 1} N (N + 1)" * (depth > 1)
        raise DataError(
            f"theta has shape {array.shape}; for {inputs} input{'s' * (inputs > 1)}{layers} it "
            f"must be (K,) or (R, K) with K = {inputs + 2} N + 1{more} and at least one net"
        )
    return array


def thetas_of(
    parameters: Parameters | ArrayLike, inputs: int, depth: int, residual: bool
) -> tuple[Reals, Reals, int]:
    """Nets as vectors: the caller's (K,) or (R, K), the same read-only (R, K), and their depth,
    which Parameters have of their own. Raises ConfigError for another one.
    """
    packed: Any = parameters
    if isinstance(parameters, Parameters):
        if whole_number("depth", depth, at_least=1) not in (1, parameters.depth):
            raise ConfigError(
                f"depth={shown(depth)} is not that of the Parameters, {parameters.depth}; leave it "
                "out"
            )
        packed, depth = pack(parameters), parameters.depth
    depth = check_depth(depth, residual)
    array = flat(packed, inputs, depth)
    return array, read_only(array.reshape(-1, array.shape[-1]), array.dtype), depth


def read_only(array: Reals, dtype: DTypeLike) -> Reals:
    """The array, contiguous and marked read-only, so that the compiler sees one type."""
    view: Reals = np.ascontiguousarray(array, dtype)
    view = view.view() if view.flags.aligned else view.copy()
    view.setflags(write=False)
    return view


def _check_no_nets(parameters: object) -> None:
    if hasattr(parameters, "with_parameters"):
        raise DataError("an Ensemble is given where parameters belong; pass nets.parameters")
