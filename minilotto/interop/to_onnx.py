"""Nets as an ONNX model. Needs the package onnx (extra `onnx`)."""

from typing import Any

import numpy as np

from minilotto.errors import ConfigError, optional
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation

with optional("onnx", "onnx"):
    import onnx
    from onnx import helper, numpy_helper

OPSET, FORMAT = 20, 9  # the first opset with Gelu, and the file format that belongs to it


def onnx_model(activation: Activation, parameters: Parameters) -> Any:
    """Nets as an ONNX model.

    Parameters
    ----------
    activation : Activation
        Activation of the nets.
    parameters : Parameters
        Of R nets.

    Returns
    -------
    onnx.ModelProto
        With input x (P, D) and output f (P, R), in the parameters' precision.

    Raises
    ------
    ConfigError
        For an activation that is none of ONNX's operators.
    """
    w, b, v, c = (np.asarray(array) for array in parameters)
    nets, width, inputs = w.shape
    reading = np.zeros((nets * width, nets), w.dtype)  # one column a net
    reading[np.arange(nets * width), np.repeat(np.arange(nets), width)] = v.ravel()
    constants = {"w": w.reshape(-1, inputs).T, "b": b.ravel(), "v": reading, "c": c}
    nodes = {
        "silu": [
            helper.make_node("Sigmoid", ["z"], ["s"]),
            helper.make_node("Mul", ["z", "s"], ["h"]),
        ],
        "leaky_relu": [helper.make_node("LeakyRelu", ["z"], ["h"], alpha=activation.parameter)],
    }.get(activation.name)
    if nodes is None:
        operator = activation.name.capitalize()
        if not onnx.defs.has(operator):
            raise ConfigError(
                f"{activation.name} is none of ONNX's operators; write its nodes into "
                "minilotto/interop/to_onnx.py"
            )
        nodes = [helper.make_node(operator, ["z"], ["h"])]
    real = helper.np_dtype_to_tensor_dtype(w.dtype)
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w", "b"], ["z"]),
            *nodes,
            helper.make_node("Gemm", ["h", "v", "c"], ["f"]),
        ],
        "minilotto",
        [helper.make_tensor_value_info("x", real, ["P", inputs])],
        [helper.make_tensor_value_info("f", real, ["P", nets])],
        [
            numpy_helper.from_array(np.ascontiguousarray(array), name)
            for name, array in constants.items()
        ],
    )
    model = helper.make_model(
        graph,
        producer_name="minilotto",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=FORMAT,
    )
    onnx.checker.check_model(model, full_check=True)
    return model
