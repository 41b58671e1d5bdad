"""Nets as scipy.LowLevelCallable, which SciPy's compiled loops call without the interpreter."""

import ctypes
from functools import lru_cache
from typing import Any

import numpy as np
from numba import carray, cfunc, types
from scipy import LowLevelCallable

from minilotto.errors import ConfigError
from minilotto.initialisation import Parameters
from minilotto.interop.vectors import check_exported, pack
from minilotto.kernels.compile import kernel
from minilotto.kernels.forms import Form, form
from minilotto.kernels.single import forward
from minilotto.kernels.spec import Spec
from minilotto.settings.activations import Activation
from minilotto.settings.limits import check_choice

USES = ("integrate", "filter")
HEADER = 2  # numbers before theta: the activation's parameter, and how many numbers theta has


@kernel()
def _theta(data: Any) -> Any:
    """The activation's parameter and theta, from the address in user_data."""
    header = carray(data, HEADER, np.float64)
    return header[0], carray(data, HEADER + int(header[1]), np.float64)[HEADER:]


@lru_cache(maxsize=64)
def _compiled(spec: Spec, use: str) -> Any:
    """The C callback of a Spec: one for all its nets, which differ in user_data alone."""
    inputs = spec.inputs

    def of_number(x: Any, data: Any) -> Any:
        parameter, theta = _theta(data)
        return forward(Form(spec, parameter), theta, x)

    def of_point(count: Any, x: Any, data: Any) -> Any:
        parameter, theta = _theta(data)
        if count != inputs:
            return np.nan
        return forward(Form(spec, parameter), theta, carray(x, inputs))

    def of_neighbours(values: Any, count: Any, result: Any, data: Any) -> Any:
        parameter, theta = _theta(data)
        if count != inputs:
            return 0
        result[0] = forward(Form(spec, parameter), theta, carray(values, inputs))
        return 1

    real, numbers, data = types.float64, types.CPointer(types.float64), types.voidptr
    if use == "filter":
        compiled = cfunc(types.intc(numbers, types.intp, numbers, data), error_model="numpy")
        return compiled(of_neighbours)
    if inputs == 1:
        return cfunc(real(real, data), error_model="numpy")(of_number)
    return cfunc(real(types.intc, numbers, data), error_model="numpy")(of_point)


def low_level_callable(
    activation: Activation, parameters: Parameters, use: str = "integrate"
) -> LowLevelCallable:
    """One net as a LowLevelCallable in float64.

    Parameters
    ----------
    activation : Activation
        Activation of the net.
    parameters : Parameters
        With R = 1.
    use : {"integrate", "filter"}
        "integrate" is for scipy.integrate: `double (double, void *)`, or
        `double (int, double *, void *)` for nquad of D inputs. "filter" is for
        scipy.ndimage.generic_filter with a footprint of D elements, whose values are the inputs.

    Returns
    -------
    scipy.LowLevelCallable
        The function f.

    Raises
    ------
    ConfigError
        For an unknown use, several nets, or a net that is not finite.
    """
    check_choice("use", use, USES)
    nets, _, inputs = parameters.w.shape
    if nets != 1:
        raise ConfigError(f"{nets} nets make no function of one value; choose one, as in nets[0]")
    check_exported(parameters)
    theta = pack(parameters)[0].astype(np.float64)
    numbers = np.concatenate([[activation.parameter, len(theta)], theta])
    memory = (ctypes.c_double * len(numbers))(*numbers)
    spec = form(activation.name, inputs, "float64").spec
    # The pointer keeps `memory` alive, and the LowLevelCallable keeps the pointer.
    return LowLevelCallable(_compiled(spec, use).ctypes, ctypes.cast(memory, ctypes.c_void_p))
