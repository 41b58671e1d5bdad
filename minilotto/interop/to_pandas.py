"""Nets as pandas tables. Needs pandas (extra `pandas`)."""

from typing import Any

import numpy as np

from minilotto.errors import MissingExtraError

try:
    import pandas
except ImportError as error:
    raise MissingExtraError(
        f'pandas is not installed ({error}); pip install "minilotto[pandas]" brings it'
    ) from None


def table_of_nets(nets: Any) -> pandas.DataFrame:
    """One row a net of an Ensemble: seed, loss, status, nodes, audit, c."""
    columns = {
        name: np.array(getattr(nets, name)) for name in ("loss", "status", "nodes", "audit", "c")
    }
    return pandas.DataFrame({"seed": np.array(nets.seeds), **columns})


def table_of_neurons(nets: Any) -> pandas.DataFrame:
    """One row a neuron of an Ensemble: seed, neuron, w (or w0, w1, ... of several inputs), b, v."""
    count, width, inputs = nets.w.shape
    w = {"w" if inputs == 1 else f"w{d}": nets.w[:, :, d].ravel() for d in range(inputs)}
    where = {"seed": np.repeat(nets.seeds, width), "neuron": np.tile(np.arange(width), count)}
    return pandas.DataFrame({**where, **w, "b": nets.b.flatten(), "v": nets.v.flatten()})
