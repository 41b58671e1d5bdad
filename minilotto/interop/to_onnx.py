"""Nets as an ONNX model. Needs the package onnx (extra `onnx`)."""

from typing import Any

import numpy as np

from minilotto.errors import ConfigError, optional
from minilotto.initialisation import Parameters
from minilotto.interop.vectors import check_exported
from minilotto.settings.activations import Activation

with optional("onnx", "onnx"):
    import onnx
    from onnx import helper, numpy_helper

OPSET, FORMAT = 20, 9  # the first opset with Gelu, and the file format that belongs to it
# Activations h of z by operators that onnxruntime implements in float64 too. That of softplus is
# max(z, 0) + log(1 + e^-|z|), with u = 1 + e and log(1 + e) = e log(u) / (u - 1) to rounding.
COMPOSED = {
    "silu": """
        s = Sigmoid z
        h = Mul z s""",
    "leaky_relu": """
        positive = Relu z
        negative = Sub z positive
        scaled = Mul negative slope
        h = Add positive scaled""",
    "softplus": """
        positive = Relu z
        size = Abs z
        minus = Neg size
        e = Exp minus
        u = Add e one
        log = Log u
        exact = Sub u one
        tiny = Equal u one
        divisor = Where tiny one exact
        product = Mul e log
        quotient = Div product divisor
        log1p = Where tiny e quotient
        h = Add positive log1p""",
}


def onnx_model(activation: Activation, parameters: Parameters, residual: bool = False) -> Any:
    """Nets as an ONNX model.

    Parameters
    ----------
    activation : Activation
        Activation of the nets.
    parameters : Parameters
        Of R nets.
    residual : bool
        As in Config.

    Returns
    -------
    onnx.ModelProto
        With input x (P, D) and output f (P, R), in the parameters' precision.

    Raises
    ------
    ConfigError
        For an activation that is none of ONNX's operators, or that runtimes lack in float64, and
        for no net or one that is not finite.
    """
    check_exported(parameters)
    w, b, v, c, *hidden = (np.asarray(array) for array in parameters)
    nets, width, inputs = w.shape
    constants = {"w": w.reshape(-1, inputs).T, "b": b.ravel(), "c": c}
    if activation.name in COMPOSED:
        steps = COMPOSED[activation.name].strip().splitlines()
        scalars = {"one": np.array(1.0, w.dtype), "slope": np.array(activation.parameter, w.dtype)}
        used = {name for step in steps for name in step.split() if name in scalars}
        constants |= {name: scalars[name] for name in sorted(used)}
    else:
        steps = [f"h = {activation.name.capitalize()} z"]
        if not onnx.defs.has(activation.name.capitalize()):
            raise ConfigError(
                f"{activation.name} is none of ONNX's operators; write its nodes into "
                "minilotto/interop/to_onnx.py"
            )
        if activation.name == "gelu" and w.dtype == np.float64:
            raise ConfigError(
                "activation='gelu' is not implemented in float64 by ONNX runtimes; export nets "
                "that were trained with dtype='float32'"
            )
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["z"]), *_activation(steps)]
    if hidden:
        constants |= {"v": v, "shape": np.array([-1, nets, width])}
        if residual:
            constants["share"] = np.array(1.0 / parameters.depth, w.dtype)
        nodes.append(helper.make_node("Reshape", ["h", "shape"], ["h1"]))
        for row, layer in enumerate(range(2, parameters.depth + 1)):
            constants |= {f"w{layer}": hidden[0][:, row], f"b{layer}": hidden[1][:, row]}
            nodes += _layer(layer, steps, residual)
        last = [f"h{parameters.depth}", "v"]
        nodes += [
            helper.make_node("Einsum", last, ["vh"], equation="prn,rn->pr"),
            helper.make_node("Add", ["vh", "c"], ["f"]),
        ]
    else:
        reading = np.zeros((nets * width, nets), w.dtype)  # one column a net
        reading[np.arange(nets * width), np.repeat(np.arange(nets), width)] = v.ravel()
        constants["v"] = reading
        nodes.append(helper.make_node("Gemm", ["h", "v", "c"], ["f"]))
    real = helper.np_dtype_to_tensor_dtype(w.dtype)
    graph = helper.make_graph(
        nodes,
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


def _activation(steps: list[str], suffix: str = "") -> list[Any]:
    """Nodes that make h of z, both with this suffix."""
    inner = {step.split()[0] for step in steps} | {"z"}
    nodes = []
    for result, _, operator, *of in (step.split() for step in steps):
        names = [name + suffix * (name in inner) for name in of]
        nodes.append(helper.make_node(operator, names, [result + suffix]))
    return nodes


def _layer(layer: int, steps: list[str], residual: bool) -> list[Any]:
    """Nodes that make h of a layer (P, R, N) of that of the layer before."""
    at, before = str(layer), f"h{layer - 1}"
    nodes = [
        helper.make_node("Einsum", [before, f"w{at}"], [f"sum{at}"], equation="prj,rij->pri"),
        helper.make_node("Add", [f"sum{at}", f"b{at}"], [f"z{at}"]),
        *_activation(steps, at),
    ]
    if residual:
        nodes[-1].output[0] = f"sigma{at}"
        nodes += [
            helper.make_node("Mul", [f"sigma{at}", "share"], [f"part{at}"]),
            helper.make_node("Add", [before, f"part{at}"], [f"h{at}"]),
        ]
    return nodes
