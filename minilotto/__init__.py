"""minilotto trains thousands of small dense networks at once and measures scaling laws.

>>> import minilotto as ml
>>> nets = ml.train(ml.Config(width=2, steps=200), seeds=4)
>>> nets.loss.shape
(4,)
"""

import minilotto.signals  # noqa: F401  before all else, which takes a second
from minilotto.data.dataset import Dataset
from minilotto.ensemble.ensemble import Ensemble, History
from minilotto.ensemble.load import load
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
from minilotto.initialisation import Parameters
from minilotto.interop.functional import (
    jacobian,
    loss_and_gradient,
    predict,
    residual_jacobian,
    residuals,
)
from minilotto.interop.second_derivatives import hessian
from minilotto.interop.vectors import pack, unpack
from minilotto.settings.activations import ACTIVATIONS, Activation
from minilotto.settings.config import Config
from minilotto.settings.optimizers import OPTIMIZERS
from minilotto.settings.schedules import SCHEDULES
from minilotto.settings.schemes import SCHEMES
from minilotto.settings.tasks import TASKS, Task, register_task
from minilotto.store.grid import Sweep
from minilotto.store.store import Store, open_store
from minilotto.sweeps.run import sweep
from minilotto.training.train import train
from minilotto.version import VERSION as __version__

__all__ = [
    "ACTIVATIONS",
    "OPTIMIZERS",
    "SCHEDULES",
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
