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
from minilotto.kernels.one_point import forward, forward_of_layers
from minilotto.kernels.spec import Spec
from minilotto.settings.activations import Activation
from minilotto.settings.limits import check_choice

USES = ("integrate", "filter")
# Numbers before theta: how many theta has, the activation's parameter, N, L, and whether residual.
HEADER = 5


@kernel(allocates=True)  # as carray asks for
def _net(data: Any) -> Any:
    """The numbers before theta, and theta, from the address in user_data."""
    header = carray(data, HEADER, np.float64)
    return header, carray(data, HEADER + int(header[0]), np.float64)[HEADER:]


@kernel(allocates=True)
def _of_one_layer(spec: Any, data: Any, x: Any) -> Any:
    header, theta = _net(data)
    return forward(Form(spec, header[1]), theta, x)


@kernel(allocates=True)
def _of_several_layers(spec: Any, data: Any, x: Any) -> Any:
    header, theta = _net(data)
    width, depth, residual = int(header[2]), int(header[3]), header[4] > 0
    h = np.empty((2, width))
    return forward_of_layers(Form(spec, header[1]), theta, width, depth, residual, x, h)


@lru_cache(maxsize=64)
def _compiled(spec: Spec, use: str, several_layers: bool) -> Any:
    """The C callback of a Spec: one for all its nets, which differ in user_data alone."""
    inputs, output = spec.inputs, _of_several_layers if several_layers else _of_one_layer

    def of_number(x: Any, data: Any) -> Any:
        return output(spec, data, x)

    def of_point(count: Any, x: Any, data: Any) -> Any:
        if count != inputs:
            return np.nan
        return output(spec, data, carray(x, inputs))

    def of_neighbours(values: Any, count: Any, result: Any, data: Any) -> Any:
        if count != inputs:
            return 0
        result[0] = output(spec, data, carray(values, inputs))
        return 1

    real, numbers, data = types.float64, types.CPointer(types.float64), types.voidptr
    if use == "filter":
        compiled = cfunc(types.intc(numbers, types.intp, numbers, data), error_model="numpy")
        return compiled(of_neighbours)
    if inputs == 1:
        return cfunc(real(real, data), error_model="numpy")(of_number)
    return cfunc(real(types.intc, numbers, data), error_model="numpy")(of_point)


def low_level_callable(
    activation: Activation, parameters: Parameters, use: str = "integrate", residual: bool = False
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
    residual : bool
        As in Config.

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
    nets, width, inputs = parameters.w.shape
    if nets != 1:
        raise ConfigError(f"{nets} nets make no function of one value; choose one, as in nets[0]")
    check_exported(parameters)
    theta = pack(parameters)[0].astype(np.float64)
    depth = parameters.depth
    header = [len(theta), activation.parameter, width, depth, residual]
    numbers = np.concatenate([header, theta])
    memory = (ctypes.c_double * len(numbers))(*numbers)
    spec = form(activation.name, inputs, "float64").spec
    # The pointer keeps `memory` alive, and the LowLevelCallable keeps the pointer.
    return LowLevelCallable(
        _compiled(spec, use, depth > 1).ctypes, ctypes.cast(memory, ctypes.c_void_p)
    )
