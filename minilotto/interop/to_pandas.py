"""Nets as pandas tables. Needs pandas (extra `pandas`)."""

from typing import TYPE_CHECKING

import numpy as np

from minilotto.errors import optional

with optional("pandas", "pandas"):
    import pandas

if TYPE_CHECKING:
    from minilotto.ensemble.nets import Nets


def table_of_nets(nets: "Nets") -> pandas.DataFrame:
    """One row for each net.

    Parameters
    ----------
    nets : Ensemble
        R nets.

    Returns
    -------
    pandas.DataFrame
        R rows; columns seed, loss, status, nodes, audit, c.
    """
    columns = ("loss", "status", "nodes", "audit", "c")
    values = {name: np.array(getattr(nets, name)) for name in columns}
    return pandas.DataFrame({"seed": np.array(nets.seeds), **values})


def table_of_neurons(nets: "Nets") -> pandas.DataFrame:
    """One row for each neuron.

    Parameters
    ----------
    nets : Ensemble
        R nets of width N.

    Returns
    -------
    pandas.DataFrame
        R N rows; columns seed, neuron (0 to N - 1), w (w0, w1, ... for several inputs), b, v. Of
        L > 1 hidden layers R L N rows, with a column layer (1 to L); w0, w1, ... are weights of the
        inputs in layer 1, of the neurons of the layer before in others, NaN where there are fewer;
        v is NaN in all but the last.
    """
    count, width, inputs = nets.w.shape
    depth = nets.config.depth
    most = max(width, inputs) if depth > 1 else inputs
    w = np.full((count, depth, width, most), np.nan, nets.w.dtype)
    w[:, 0, :, :inputs] = nets.w
    if depth > 1:
        w[:, 1:, :, :width] = nets.hidden_w
    b = np.concatenate([nets.b[:, None], nets.hidden_b], axis=1)
    v = np.full((count, depth, width), np.nan, nets.v.dtype)
    v[:, -1] = nets.v
    seed, layer, neuron = np.indices((count, depth, width)).reshape(3, -1)
    where = {"seed": nets.seeds[seed], **({"layer": 1 + layer} if depth > 1 else {})}
    columns = {"w" if most == 1 else f"w{j}": w[..., j].ravel() for j in range(most)}
    return pandas.DataFrame({**where, "neuron": neuron, **columns, "b": b.ravel(), "v": v.ravel()})
