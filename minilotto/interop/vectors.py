"""Parameters of a net as one vector theta (K,), and back.

K = N (D + 2) + 1: neuron by neuron its D weights w, its b, its v; and c at the end.
"""

import numpy as np
from numpy.typing import ArrayLike

from minilotto.data.checks import floating
from minilotto.errors import ConfigError, DataError, shown
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Reals, activation_of
from minilotto.settings.config import LOSSES
from minilotto.settings.limits import check_choice, check_one_layer


def pack(parameters: Parameters) -> Reals:
    """Parameters as vectors theta.

    Parameters
    ----------
    parameters : Parameters
        Of R nets, or of one net without the axis R: w (N, D), b (N,), v (N,), c ().

    Returns
    -------
    (R, K) or (K,) array
        In the same precision.

    Raises
    ------
    DataError
        For shapes or precisions that do not match. ConfigError for several hidden layers.

    Examples
    --------
    >>> w, b, v, c = [[0.1], [0.2]], [0.3, 0.4], [0.5, 0.6], 0.7
    >>> pack(Parameters(*map(np.array, (w, b, v, c)))).tolist()
    [0.1, 0.3, 0.5, 0.2, 0.4, 0.6, 0.7]
    """
    check_one_layer("a vector theta", getattr(parameters, "depth", 1))
    try:
        w, b, v, c = (floating(name, array) for name, array in zip("wbvc", parameters, strict=True))
    except DataError:
        raise
    except Exception:
        raise DataError(
            f"parameters are a {type(parameters).__name__}; pass (w, b, v, c), as in "
            "nets.parameters"
        ) from None
    shape = w.shape[:-1]
    if (
        w.ndim not in (2, 3)
        or 0 in w.shape[-2:]
        or b.shape != shape
        or v.shape != shape
        or c.shape != shape[:-1]
    ):
        raise DataError(
            f"w, b, v, c have shapes {w.shape}, {b.shape}, {v.shape}, {c.shape}; "
            "they must be (R, N, D), (R, N), (R, N), (R,), or the same without R"
        )
    if len({array.dtype for array in (w, b, v, c)}) > 1:
        raise DataError(
            f"w, b, v, c have dtypes {w.dtype}, {b.dtype}, {v.dtype}, {c.dtype}; give all of them "
            "the same"
        )
    neurons = np.concatenate([w, b[..., None], v[..., None]], axis=-1)
    return np.concatenate([neurons.reshape(*shape[:-1], -1), c[..., None]], axis=-1)


def unpack(theta: ArrayLike, inputs: int = 1) -> Parameters:
    """Vectors theta as Parameters, the inverse of pack.

    Parameters
    ----------
    theta : (K,) or (R, K) array_like of float
        One net or R nets.
    inputs : int
        Number of inputs D, at least 1.

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
    if isinstance(inputs, bool) or not isinstance(inputs, (int, np.integer)) or inputs < 1:
        raise DataError(
            f"inputs={shown(inputs)} is out of range; give a whole number of at least 1"
        )
    array = flat(theta, int(inputs))
    neurons = array[..., :-1].reshape(*array.shape[:-1], -1, inputs + 2)
    parts = neurons[..., :inputs], neurons[..., inputs], neurons[..., inputs + 1], array[..., -1]
    return Parameters(*(np.array(part) for part in parts))


def check_form(activation: str, negative_slope: float, loss: str) -> None:
    """Refuse what names no activation or loss.

    Parameters
    ----------
    activation, negative_slope, loss
        As in Config.

    Raises
    ------
    ConfigError
        For an unknown name, and for a slope that is no finite number.
    """
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
    """Refuse nets that another program could not evaluate.

    Parameters
    ----------
    parameters : Parameters
        Of R nets.

    Raises
    ------
    ConfigError
        For none, for one that is not finite, and for several hidden layers.
    """
    check_one_layer("an export", parameters.depth)
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


def flat(theta: ArrayLike, inputs: int) -> Reals:
    """The caller's theta as an array.

    Parameters
    ----------
    theta : (K,) or (R, K) array_like of float32 or float64
        One net or R nets.
    inputs : int
        Number of inputs D.

    Returns
    -------
    (K,) or (R, K) array
        In the same precision.

    Raises
    ------
    DataError
        For another dtype, or a length K that no such net has.
    """
    array = floating("theta", theta)
    rows = inputs + 2
    if (
        array.ndim not in (1, 2)
        or array.shape[-1] <= rows
        or array.shape[-1] % rows != 1 % rows
        or 0 in array.shape
    ):
        raise DataError(
            f"theta has shape {array.shape}; for {inputs} input{'s' * (inputs > 1)} it must be "
            f"(K,) or (R, K) with K = {rows} N + 1 and at least one net"
        )
    return array
