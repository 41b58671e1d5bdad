"""Entry points by what they take: a name, and a callable that is given the thing.

A new entry point meets every hostile input of a kind by being added to its group.
"""

import importlib

import numpy as np

import minilotto as ml
from minilotto.analysis.stats.dip import dip_test
from minilotto.cli import commands
from minilotto.report.figure import QUICK, Source
from minilotto.report.studies.classification.classification import Classification

# ---- words of the command line, and streams ----


# ---- arrays, datasets, configs, seeds, tables of data ----


# ---- paths, folders, stores ----


# ---- signals and interruptions ----


# ---- samples of losses and fits ----


# ---- optional packages ----
# (package, extra): name and callable, which is given three nets and a folder; see OF_EXTRAS.

CONFIG = ml.Config(width=2, steps=5)
MOONS = {"task": "moons", "sampling": "examples", "loss": "logistic"}
SMALL = ["--width", "2", "--seeds", "2", "--steps", "5", "--quiet"]


def _store(folder):
    return ml.sweep(ml.Sweep(width=2, seeds=2, steps=5), out=folder / "given")


def _sweep(folder, **arguments):
    return ml.sweep(ml.Sweep(width=2, seeds=2, steps=5), out=folder / "runs", **arguments)


OF_EXTRAS = {
    ("torch", "torch"): {
        "Ensemble.to_torch": lambda nets, folder: nets.to_torch(),
        "minilotto.interop.to_torch": lambda nets, folder: importlib.import_module(
            "minilotto.interop.to_torch"
        ),
    },
    ("pandas", "pandas"): {
        "Ensemble.to_dataframe": lambda nets, folder: nets.to_dataframe(),
        "Store.to_dataframe": lambda nets, folder: _store(folder).to_dataframe(),
    },
    ("pandas", "netcdf"): {
        "Store.to_netcdf": lambda nets, folder: _store(folder).to_netcdf(folder / "t.nc")
    },
    ("pyarrow", "pandas"): {
        "Store.to_parquet": lambda nets, folder: _store(folder).to_parquet(folder / "t.parquet")
    },
    ("onnx", "onnx"): {"Ensemble.to_onnx": lambda nets, folder: nets.to_onnx(folder / "n.onnx")},
    ("sklearn", "sklearn"): {
        "minilotto.training.estimator": lambda nets, folder: importlib.import_module(
            "minilotto.training.estimator"
        ),
        "train on examples": lambda nets, folder: ml.train(ml.Config(**MOONS), 2),
        "Classification": lambda nets, folder: Classification(Source(None), QUICK),
        "train --task moons": lambda nets, folder: commands.main(
            ["train", *SMALL, "--task", "moons", "--sampling", "examples", "--loss", "logistic"]
        ),
    },
    ("distributed", "dask"): {
        "sweep(cluster=...)": lambda nets, folder: _sweep(folder, cluster="local:1"),
        "sweep --cluster": lambda nets, folder: commands.main(
            ["sweep", "--widths", *SMALL[1:], "--cluster", "local:1", "--out", str(folder / "runs")]
        ),
    },
    ("diptest", "report"): {"dip_test": lambda nets, folder: dip_test(np.geomspace(1, 10, 40))},
    ("numba_cuda", "cuda"): {
        "train(backend=...)": lambda nets, folder: ml.train(CONFIG, 2, backend="cuda"),
        "sweep(backend=...)": lambda nets, folder: _sweep(folder, backend="cuda"),
        "Ensemble.to_device": lambda nets, folder: nets.to_device(),
        "train --backend cuda": lambda nets, folder: commands.main(
            ["train", *SMALL, "--backend", "cuda", "--out", str(folder / "runs.npz")]
        ),
    },
    ("torch", "bench"): {
        "bench.torch_peer": lambda nets, folder: importlib.import_module("bench.torch_peer")
    },
    ("jax", "bench"): {
        "bench.jax_peer": lambda nets, folder: importlib.import_module("bench.jax_peer")
    },
}
