"""Nets as functions: outputs, losses, and forms for other programs."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.data.checks import inputs_of
from minilotto.data.dataset import (
    Dataset,
    check_dataset,
    check_labels,
    differing,
    examples_of,
    sampled,
)
from minilotto.errors import ConfigError, DataError
from minilotto.files import check_output, write_bytes
from minilotto.hardware.gpu import numba_cuda, the_gpu, working
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation, activation_of
from minilotto.settings.config import Config
from minilotto.settings.tasks import Task, task_of


class Nets:
    """R nets of one config: what follows from their parameters and data."""

    config: Config
    data: Dataset
    seeds: NDArray[np.int64]
    w: NDArray[Any]
    b: NDArray[Any]
    v: NDArray[Any]
    c: NDArray[Any]
    hidden_w: NDArray[Any]
    hidden_b: NDArray[Any]

    @property
    def parameters(self) -> Parameters:
        """The arrays w, b, v and c; of several hidden layers hidden_w and hidden_b too."""
        return Parameters(self.w, self.b, self.v, self.c, self.hidden_w, self.hidden_b)

    @property
    def activation(self) -> Activation:
        """The activation function sigma."""
        return activation_of(self.config.activation, self.config.negative_slope)

    def predict(self, x: ArrayLike) -> NDArray[np.float64]:
        """Outputs f(x) of every net.

        Parameters
        ----------
        x : (P,) or (P, D) array_like of float
            Finite; (P,) for one input only.

        Returns
        -------
        (R, P) ndarray of float64

        Raises
        ------
        DataError
            For another shape, and for what is no array of finite numbers.
        """
        from minilotto.engines.evaluate import predictions

        points = inputs_of(x, self.data.inputs)
        return predictions(self.activation, self.parameters, points, self.config.residual)

    @cached_property
    def population_loss(self) -> NDArray[np.float64]:
        """(R,) float64: the loss on infinitely many uniform points of the task's domain.

        The targets are without noise, so this is the distance from the task itself. NaN where a net
        diverged or the quadrature does not settle. Raises ConfigError for data of the caller's own,
        for examples (see `held_out`), for more than three inputs, for more than one with a
        piecewise linear activation, and where another function has since been registered under the
        name of the task.
        """
        from minilotto.engines.population import population_losses

        config, nets = self.config, (self.activation, self.parameters)
        return population_losses(*nets, self._task(), config.loss, config.residual)

    def _task(self) -> Task:
        """What the nets learnt. Raises ConfigError where its name is another task's by now."""
        task = task_of(self.config.task)
        now = self.data if task.built_in else sampled(self.config)
        if differing(now, self.data):
            raise ConfigError(
                f"these nets learnt another task than the {task.name!r} of now; register theirs"
            )
        return task

    @cached_property
    def held_out(self) -> Dataset:
        """The examples that no net was trained on.

        Raises
        ------
        ConfigError
            For a task without examples, and where others have since been registered under its name.
        """
        if self.config.sampling != "examples":
            raise ConfigError(
                f"sampling={self.config.sampling!r} holds out no examples; pass points of your "
                "own to `loss_on`"
            )
        return examples_of(self._task()).held_out

    def loss_on(self, data: Dataset) -> NDArray[np.float64]:
        """Losses on other points.

        Parameters
        ----------
        data : Dataset
            Such as `held_out`.

        Returns
        -------
        (R,) ndarray of float64
            NaN where a net diverged.

        Raises
        ------
        DataError
            For another number of inputs, and for labels that the loss does not take.
        """
        from minilotto.engines.evaluate import losses

        check_dataset(data)
        if data.inputs != self.data.inputs:
            raise DataError(f"data have {data.inputs} inputs; these nets take {self.data.inputs}")
        if self.config.loss == "logistic":
            check_labels(data.y)
        config = self.config
        return losses(self.activation, self.parameters, data, config.loss, config.residual)

    def error_rate_on(self, data: Dataset) -> NDArray[np.float64]:
        """Weight of the misclassified points.

        A net predicts 1 where that is likelier: f > 0 for the logistic loss, f > 1/2 for squares.

        Parameters
        ----------
        data : Dataset
            With labels 0 and 1.

        Returns
        -------
        (R,) ndarray of float64
            In [0, 1]; NaN where a net diverged.

        Raises
        ------
        DataError
            As `loss_on`.
        """
        check_dataset(data)
        check_labels(data.y)
        outputs = self.predict(data.x)
        label = outputs > (0.0 if self.config.loss == "logistic" else 0.5)
        return np.where(np.isfinite(outputs).all(axis=1), (label != data.y) @ data.weight, np.nan)

    def to_c(
        self,
        path: str | Path | None = None,
        *,
        name: str = "net",
        dtype: str = "float64",
        force: bool = False,
    ) -> str:
        """C99 source of functions that evaluate these nets and their derivative df/dx.

        It needs only <math.h>; `minilotto.interop.c_source` describes the declarations.

        Parameters
        ----------
        path : str, Path or None
            A file to write the source to: .c, .h or .cpp.
        name : str
            Prefix of the functions, a C identifier.
        dtype : {"float64", "float32"}
            Precision of the functions.
        force : bool
            Overwrite an existing file.

        Returns
        -------
        str
            The source.

        Raises
        ------
        ConfigError
            For a wrong name, for nets that are not finite and for none.
        """
        from minilotto.interop.c_source import c_source

        count = len(self.seeds)
        named = ", ".join(map(str, self.seeds[:8])) + ", ..." * (count > 8)
        note = f"{self.config.task}, seed{'s' * (count > 1)} {named}"
        residual = self.config.residual
        source = c_source(self.activation, self.parameters, name, dtype, note, residual)
        if path is not None:
            write_bytes(check_output(path, (".c", ".h", ".cpp"), force), source.encode())
        return source

    def to_scipy(self, use: str = "integrate") -> Any:
        """This one net as a scipy.LowLevelCallable.

        Parameters
        ----------
        use : {"integrate", "filter"}
            For scipy.integrate, or for scipy.ndimage.generic_filter.

        Returns
        -------
        scipy.LowLevelCallable

        Raises
        ------
        ConfigError
            For another use, for more than one net or none, and for a net that is not finite.
        """
        from minilotto.interop.scipy_callable import low_level_callable

        return low_level_callable(self.activation, self.parameters, use, self.config.residual)

    def to_torch(self) -> Any:
        """These nets as one torch.nn.Module.

        `with_parameters(minilotto.interop.to_torch.from_torch(module))` converts back.

        Returns
        -------
        torch.nn.Module
            Maps x (P,) or (P, D) to f(x) (R, P).
        """
        from minilotto.interop.to_torch import Nets as TorchNets

        return TorchNets(self.activation, self.parameters, self.config.residual)

    def to_onnx(self, path: str | Path | None = None, force: bool = False) -> Any:
        """These nets as an ONNX model in the training dtype.

        Parameters
        ----------
        path : str, Path or None
            A .onnx file to write the model to.
        force : bool
            Overwrite an existing file.

        Returns
        -------
        onnx.ModelProto
            Maps x (P, D) to f (P, R).

        Raises
        ------
        ConfigError
            For no net, for one that is not finite, and for an activation that ONNX runtimes do not
            have in that dtype.
        MissingExtraError
            Without the extra onnx.
        """
        from minilotto.interop.to_onnx import onnx_model

        model = onnx_model(self.activation, self.parameters, self.config.residual)
        if path is not None:
            write_bytes(check_output(path, (".onnx",), force), model.SerializeToString())
        return model

    def to_dataframe(self, neurons: bool = False) -> Any:
        """These nets as a table.

        Parameters
        ----------
        neurons : bool
            One row for each neuron instead of each net.

        Returns
        -------
        pandas.DataFrame
            Columns seed, loss, status, nodes, audit, c; of neurons seed, layer where there are
            several, neuron, w (w0, w1, ... for several inputs or layers), b, v.
        """
        from minilotto.interop.to_pandas import table_of_nets, table_of_neurons

        return table_of_neurons(self) if neurons else table_of_nets(self)

    def to_device(self) -> Parameters:
        """Copies of the parameters on the GPU.

        Returns
        -------
        Parameters
            Numba's arrays, whose `__cuda_array_interface__` CuPy, JAX and torch read.

        Raises
        ------
        MissingExtraError, ResourceError
            Where no GPU can be used.
        """
        the_gpu()
        with working():
            return Parameters(*map(numba_cuda().to_device, self.parameters))
