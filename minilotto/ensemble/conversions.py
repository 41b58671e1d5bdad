"""Conversions of trained nets to other forms."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilotto.files import check_output, write_bytes
from minilotto.hardware.gpu import the_gpu
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation, activation_of
from minilotto.settings.config import Config


class Conversions:
    """Nets as C, SciPy callables, torch modules, ONNX models, tables and arrays on a GPU."""

    config: Config
    seeds: NDArray[np.int64]
    w: NDArray[Any]
    b: NDArray[Any]
    v: NDArray[Any]
    c: NDArray[Any]

    @property
    def parameters(self) -> Parameters:
        """The arrays w, b, v and c."""
        return Parameters(self.w, self.b, self.v, self.c)

    @property
    def activation(self) -> Activation:
        """The activation function sigma."""
        return activation_of(self.config.activation, self.config.negative_slope)

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
            The source. Raises ConfigError for a wrong name, for nets that are not finite and for
            none.
        """
        from minilotto.interop.c_source import c_source

        count = len(self.seeds)
        named = ", ".join(map(str, self.seeds[:8])) + ", ..." * (count > 8)
        note = f"{self.config.task}, seed{'s' * (count > 1)} {named}"
        source = c_source(self.activation, self.parameters, name, dtype, note)
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
            Raises ConfigError for another use, and for more than one net or none.
        """
        from minilotto.interop.scipy_callable import low_level_callable

        return low_level_callable(self.activation, self.parameters, use)

    def to_torch(self) -> Any:
        """These nets as one torch.nn.Module.

        `with_parameters(minilotto.interop.to_torch.from_torch(module))` converts back.

        Returns
        -------
        torch.nn.Module
            Maps x (P,) or (P, D) to f(x) (R, P).
        """
        from minilotto.interop.to_torch import Nets

        return Nets(self.activation, self.parameters)

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
        """
        from minilotto.interop.to_onnx import onnx_model

        model = onnx_model(self.activation, self.parameters)
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
            Columns seed, loss, status, nodes, audit, c; of neurons seed, neuron, w (w0, w1, ... for
            several inputs), b, v.
        """
        from minilotto.interop.to_pandas import table_of_nets, table_of_neurons

        return table_of_neurons(self) if neurons else table_of_nets(self)

    def to_device(self) -> Parameters:
        """Copies of w, b, v and c on the GPU.

        Returns
        -------
        Parameters
            Numba's arrays, whose `__cuda_array_interface__` CuPy, JAX and torch read. Raises
            MissingExtraError or ResourceError where no GPU can be used.
        """
        the_gpu()
        from numba import cuda

        return Parameters(*(cuda.to_device(array) for array in self.parameters))
