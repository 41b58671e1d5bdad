"""minilotto: train thousands of one-hidden-layer networks at once, and measure what scaling laws are made of.

>>> import minilotto as ml
>>> nets = ml.train(ml.Config(width=2, steps=200), seeds=4)
>>> nets.loss.shape
(4,)
"""

from minilotto.activations import ACTIVATIONS, Activation
from minilotto.archive import load
from minilotto.config import Config
from minilotto.dataset import Dataset
from minilotto.embedding import hessian, jacobian, loss_and_gradient, pack, predict, residual_jacobian, residuals, unpack
from minilotto.ensemble import Ensemble, History
from minilotto.errors import (
    ConfigError,
    DataError,
    FileError,
    MinilottoError,
    MissingExtraError,
    ResourceError,
    SweepError,
    SweepInterrupted,
    TrainingInterrupted,
    UnusableFileError,
)
from minilotto.initial import Parameters
from minilotto.schemes import SCHEMES
from minilotto.store import Store, open_store
from minilotto.study import Sweep
from minilotto.sweep import sweep
from minilotto.tasks import TASKS, Task, register_task
from minilotto.train import train
from minilotto.version import VERSION as __version__

__all__ = [
    "ACTIVATIONS",
    "SCHEMES",
    "TASKS",
    "Activation",
    "Config",
    "ConfigError",
    "DataError",
    "Dataset",
    "Ensemble",
    "FileError",
    "History",
    "MinilottoError",
    "MissingExtraError",
    "Parameters",
    "ResourceError",
    "Store",
    "Sweep",
    "SweepError",
    "SweepInterrupted",
    "Task",
    "TrainingInterrupted",
    "UnusableFileError",
    "__version__",
    "hessian",
    "jacobian",
    "load",
    "loss_and_gradient",
    "open_store",
    "pack",
    "predict",
    "register_task",
    "residual_jacobian",
    "residuals",
    "sweep",
    "train",
    "unpack",
]
