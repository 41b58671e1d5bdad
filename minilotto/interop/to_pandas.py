"""Nets as pandas tables. Needs pandas (extra `pandas`)."""

from typing import TYPE_CHECKING

import numpy as np

from minilotto.errors import optional
from minilotto.settings.limits import check_one_layer

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
        R N rows; columns seed, neuron (0 to N - 1), w (w0, w1, ... for several inputs), b, v.
    """
    check_one_layer("a table of neurons", nets.config.depth)
    count, width, inputs = nets.w.shape
    w = {"w" if inputs == 1 else f"w{d}": nets.w[:, :, d].ravel() for d in range(inputs)}
    where = {"seed": np.repeat(nets.seeds, width), "neuron": np.tile(np.arange(width), count)}
    return pandas.DataFrame({**where, **w, "b": nets.b.flatten(), "v": nets.v.flatten()})
