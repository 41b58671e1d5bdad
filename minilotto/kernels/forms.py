"""Form: what a net is made of, as callers of compiled functions name it; and the checks of their
arguments.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import types
from numba.core.errors import TypingError
from numba.extending import overload, typeof_impl

from minilotto.errors import ConfigError, shown
from minilotto.kernels.compile import kernel
from minilotto.kernels.points import check_rows, check_vector
from minilotto.kernels.spec import Spec, inputs_of, lanes_of, spec_of, type_of_spec
from minilotto.kernels.updates import UPDATES
from minilotto.settings.activations import activation_of
from minilotto.settings.config import LOSSES

VECTOR_BYTES = 64
PRECISIONS = ("float32", "float64")


class Form(NamedTuple):
    """What a net is made of, its parameters apart; made by `form`.

    Parameters
    ----------
    spec : Spec
        Activation, precision, lanes, inputs, loss and optimiser, known while compiling.
    parameter : float
        Slope of leaky_relu for z < 0.
    """

    spec: Spec
    parameter: float


@lru_cache(maxsize=256)
def _type_of(spec: Spec) -> types.NamedTuple:
    return types.NamedTuple((type_of_spec(spec), types.float64), Form)


@typeof_impl.register(Form)
def _type_of_form(form, context):
    return _type_of(form.spec)


def form(
    activation: str = "silu",
    inputs: int = 1,
    dtype: str = "float64",
    negative_slope: float = 0.01,
    loss: str = "squared",
    optimizer: str = "adam",
) -> Form:
    """The Form of nets with that activation and number of inputs.

    Passed to a compiled function as an argument, it makes the function's own disk cache notice a
    new minilotto. As a global it works too.

    Parameters
    ----------
    activation : str
        As in Config.
    inputs : int
        D, at least 1.
    dtype : {"float32", "float64"}
        Precision of all arrays and results.
    negative_slope : float
        Of leaky_relu, below 1.
    loss : str
        As in Config.
    optimizer : str
        One of Config's that has an update: all but lm.

    Returns
    -------
    Form

    Raises
    ------
    ConfigError
        For an unknown activation, precision, loss or optimiser, a number of inputs below 1, or a
        slope that is not below 1.

    Examples
    --------
    >>> form("tanh", inputs=2).spec.inputs
    2
    """
    if dtype not in PRECISIONS:
        raise ConfigError(f"dtype={shown(dtype)} is unknown; choose from {', '.join(PRECISIONS)}")
    if isinstance(inputs, bool) or not isinstance(inputs, (int, np.integer)) or inputs < 1:
        raise ConfigError(
            f"inputs={shown(inputs)} is out of range; give a whole number of at least 1"
        )
    if loss not in LOSSES:
        raise ConfigError(f"loss={shown(loss)} is unknown; choose from {', '.join(LOSSES)}")
    if optimizer not in UPDATES:
        raise ConfigError(
            f"optimizer={shown(optimizer)} is unknown; choose from {', '.join(UPDATES)}"
        )
    row, lanes = activation_of(activation, negative_slope), VECTOR_BYTES // np.dtype(dtype).itemsize
    return Form(Spec(row.name, dtype, lanes, int(inputs), loss, optimizer), float(row.parameter))


# Shapes. Errors are raised where a wrong length would read or write beyond an array.
def columns_of(x):
    """D of points x (P, D), 1 of points (P,)."""
    raise TypeError("columns_of runs inside compiled functions only")


def coordinates_of(x):
    """D of one point x (D,), 1 of a number."""
    raise TypeError("coordinates_of runs inside compiled functions only")


def coordinate(spec, x, d):
    """Coordinate d of one point, in the precision of `spec`."""
    raise TypeError("coordinate runs inside compiled functions only")


@overload(columns_of)
def _compile_columns(x):
    columns = isinstance(x, types.Array) and x.ndim == 2  # check_rows refuses what is no array
    return (lambda x: x.shape[1]) if columns else (lambda x: 1)


@overload(coordinates_of)
def _compile_coordinates(x):
    if isinstance(x, types.Array) and x.ndim != 1:
        raise TypingError(f"{x} has {x.ndim} axes where one point x (D,) belongs")
    kind = x.dtype if isinstance(x, types.Array) else x
    if not isinstance(kind, (types.Integer, types.Float, types.Boolean)):
        raise TypingError(f"{x} where one point belongs, a real number or an array x (D,)")
    return (lambda x: x.size) if isinstance(x, types.Array) else (lambda x: 1)


@overload(coordinate)
def _compile_coordinate(spec, x, d):
    real = spec.lanes.dtype
    return (
        (lambda spec, x, d: real(x[d]))
        if isinstance(x, types.Array)
        else (lambda spec, x, d: real(x))
    )


@kernel()
def width_of(form, theta):
    """The width N of a net.

    Parameters
    ----------
    form : Form
    theta : (K,) array

    Returns
    -------
    int

    Raises
    ------
    ValueError
        Where no N has so many parameters.
    """
    spec = spec_of(form)
    check_vector(spec, theta)
    rows = inputs_of(spec) + 2
    width = (theta.size - 1) // rows
    if width < 1 or width * rows + 1 != theta.size:
        raise ValueError("theta has a length that no net has: it must be N (D + 2) + 1")
    return width


@kernel()
def scratch_size(form, width):
    """How long the scratch of `single.loss_and_gradient` must be, for any number of points.

    Parameters
    ----------
    form : Form
    width : int
        N.

    Returns
    -------
    int
    """
    spec = spec_of(form)
    lanes, inputs = lanes_of(spec), inputs_of(spec)
    return (width * (inputs + 2) + lanes) + (inputs + width * (inputs + 4)) * lanes


@kernel()
def check_points(form, x, y, weight):
    spec = spec_of(form)
    check_rows(spec, x)
    check_vector(spec, y)
    check_vector(spec, weight)
    if y.size == 0 or x.shape[0] != y.size or weight.size != y.size:
        raise ValueError("x, y and weight have different numbers of points, or none")
    if columns_of(x) != inputs_of(spec):
        raise ValueError("x has another number of inputs than the Form")
