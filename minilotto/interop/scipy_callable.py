"""Nets as scipy.LowLevelCallable: scipy's compiled loops call them without passing through Python."""

import ctypes
from functools import lru_cache
from typing import Any

import numpy as np
from numba import carray, cfunc, types
from scipy import LowLevelCallable

from minilotto.errors import ConfigError
from minilotto.initialisation import Parameters
from minilotto.interop.functional import pack
from minilotto.kernels.compile import kernel
from minilotto.kernels.forms import Form, form
from minilotto.kernels.single import forward
from minilotto.kernels.spec import Spec
from minilotto.settings.activations import Activation

USES = ("integrate", "filter")
HEADER = 2  # numbers before theta: the activation's parameter, and how many numbers theta has


@kernel()
def _theta(data):
    """The activation's parameter and theta, from where user_data points."""
    header = carray(data, HEADER, np.float64)
    return header[0], carray(data, HEADER + int(header[1]), np.float64)[HEADER:]


@lru_cache(maxsize=64)
def _compiled(spec: Spec, use: str) -> Any:
    """The C callback of a Spec: one for all its nets, which differ in user_data alone."""
    inputs = spec.inputs

    def of_number(x, data):
        parameter, theta = _theta(data)
        return forward(Form(spec, parameter), theta, x)

    def of_point(count, x, data):
        parameter, theta = _theta(data)
        if count != inputs:
            return np.nan
        return forward(Form(spec, parameter), theta, carray(x, inputs))

    def of_neighbours(values, count, result, data):
        parameter, theta = _theta(data)
        if count != inputs:
            return 0
        result[0] = forward(Form(spec, parameter), theta, carray(values, inputs))
        return 1

    real, numbers = types.float64, types.CPointer(types.float64)
    if use == "filter":
        return cfunc(types.intc(numbers, types.intp, numbers, types.voidptr), error_model="numpy")(
            of_neighbours
        )
    if inputs == 1:
        return cfunc(real(real, types.voidptr), error_model="numpy")(of_number)
    return cfunc(real(types.intc, numbers, types.voidptr), error_model="numpy")(of_point)


def low_level_callable(
    activation: Activation, parameters: Parameters, use: str = "integrate"
) -> LowLevelCallable:
    """One net, parameters with R = 1, as a LowLevelCallable in float64.

    use="integrate": for scipy.integrate: `double (double, void *)`, or `double (int, double *, void
    *)` for nquad of D inputs. use="filter": for scipy.ndimage.generic_filter with a footprint of D
    places, whose values are the inputs.

    Raises ConfigError for an unknown use and unless there is exactly one net.
    """
    if use not in USES:
        raise ConfigError(f"use={use!r} is unknown; choose from {', '.join(USES)}")
    nets, _, inputs = parameters.w.shape
    if nets != 1:
        raise ConfigError(f"{nets} nets make no function of one value; choose one, as in nets[0]")
    theta = pack(parameters)[0].astype(np.float64)
    numbers = np.concatenate([[activation.parameter, len(theta)], theta])
    memory = (ctypes.c_double * len(numbers))(*numbers)
    spec = form(activation.name, inputs, "float64").spec
    # The pointer keeps `memory` alive, and the LowLevelCallable keeps the pointer.
    return LowLevelCallable(_compiled(spec, use).ctypes, ctypes.cast(memory, ctypes.c_void_p))
