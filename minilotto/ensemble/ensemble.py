"""Ensemble: what a training leaves behind."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.data.dataset import Dataset, check_labels, examples_of
from minilotto.ensemble import npz
from minilotto.errors import ConfigError, DataError
from minilotto.files import check_output, write_atomically, write_bytes
from minilotto.hardware.gpu import the_gpu
from minilotto.initialisation import Parameters
from minilotto.settings.activations import Activation, activation_of
from minilotto.settings.config import Config
from minilotto.settings.tasks import task_of

STATUSES = ("ok", "diverged")


@dataclass(frozen=True, eq=False)
class History:
    """Losses along the way: steps (C,) int64 and loss (C, R) float64, NaN where a seed had
    diverged.
    """

    steps: NDArray[np.int64]
    loss: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """R trained nets f(x) = sum_i v_i sigma(w_i x + b_i) + c. Arrays are read-only.

    seeds (R,) int64; w (R, N, D), b (R, N), v (R, N), c (R,) in config.dtype; loss (R,) float64 on
    `data`. The row of a seed that diverged is NaN. nodes (R,) int64: points or nodes that each step
    used; audit (R,) float64: the largest difference between nodes and data that audits saw, in
    units of the sum of absolute terms, NaN where there were none. `requested` counts the seeds that
    were asked for: more than R where the training was interrupted. `provenance` says who computed
    this: version, engine and why, lanes, threads, CPU, seconds.
    """

    config: Config
    data: Dataset
    seeds: NDArray[np.int64]
    w: NDArray
    b: NDArray
    v: NDArray
    c: NDArray
    loss: NDArray[np.float64]
    history: History
    nodes: NDArray[np.int64]
    audit: NDArray[np.float64]
    requested: int
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for array in (
            self.seeds,
            *self.parameters,
            self.loss,
            self.nodes,
            self.audit,
            self.history.steps,
            self.history.loss,
        ):
            array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.seeds)

    def __getitem__(self, which: Any) -> "Ensemble":
        """The net at one position, as an Ensemble of one, or those of a slice, a mask or a list.
        Raises ConfigError as `select`.
        """
        if isinstance(which, slice):
            return self.select(np.arange(len(self))[which])
        if np.ndim(which) == 0 and not isinstance(which, (bool, np.bool_, str)):
            return self.select([which])
        return self.select(which)

    def __iter__(self) -> Iterator["Ensemble"]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        partial = f" of {self.requested} requested" if self.partial else ""
        return f"Ensemble({len(self)} nets{partial}, {self.config})"

    @property
    def parameters(self) -> Parameters:
        return Parameters(self.w, self.b, self.v, self.c)

    @property
    def activation(self) -> Activation:
        return activation_of(self.config.activation, self.config.negative_slope)

    @property
    def status(self) -> NDArray[np.str_]:
        """(R,) "ok", or "diverged" where a parameter or the loss is no finite number."""
        return np.array(STATUSES)[(~np.isfinite(self.loss)).astype(np.intp)]

    @property
    def partial(self) -> bool:
        """Whether the training was interrupted before all requested seeds were done."""
        return len(self) < self.requested

    @property
    def engine(self) -> str:
        """Which way of training was taken, and with what."""
        return str(self.provenance.get("engine", "unknown"))

    @property
    def reason(self) -> str:
        """Why that way was taken."""
        return str(self.provenance.get("reason", "unknown"))

    def predict(self, x: ArrayLike) -> NDArray[np.float64]:
        """f(x) of every net, in float64: (R, P).

        x: (P,) for one input, or (P, D). Raises DataError for other shapes, or when x is no array
        of finite numbers.
        """
        from minilotto.engines.evaluate import predictions

        try:
            points = np.asarray(x)
        except ValueError as error:
            raise DataError(f"x is no array ({error}); pass rows of equal length") from None
        if points.dtype.kind not in "fiu":
            raise DataError(f"x has dtype {points.dtype}; pass real numbers")
        inputs = self.data.inputs
        if points.ndim == 1 and inputs == 1:
            points = points[:, None]
        if points.ndim != 2 or points.shape[1] != inputs:
            raise DataError(
                f"x has shape {points.shape}; these nets take (P, {inputs})"
                + (" or (P,)" if inputs == 1 else "")
            )
        if not np.isfinite(points).all():
            raise DataError(
                "x holds NaN or infinity at index "
                f"{np.argwhere(~np.isfinite(points))[0].tolist()}; remove it first"
            )
        return predictions(
            self.activation, self.parameters, np.ascontiguousarray(points, dtype=np.float64)
        )

    @cached_property
    def population_loss(self) -> NDArray[np.float64]:
        """(R,) float64: the loss on infinitely many uniform points of the task's domain, whatever
        the nets were trained on.

        The targets there are without noise, so this is how far the nets are from the task itself.
        NaN where a net diverged or the quadrature does not settle. Raises ConfigError for data of
        the caller's own, for examples (see `held_out`), for more than three inputs, and for more
        than one with a piecewise linear activation.
        """
        from minilotto.engines.population import population_losses

        return population_losses(
            self.activation, self.parameters, task_of(self.config.task), self.config.loss
        )

    @cached_property
    def held_out(self) -> Dataset:
        """The examples of the task that no net was trained on. Raises ConfigError for a task or
        data without.
        """
        if self.config.sampling != "examples":
            raise ConfigError(
                f"sampling={self.config.sampling!r} holds out no examples; pass points of your "
                "own to `loss_on`"
            )
        return examples_of(task_of(self.config.task)).held_out

    def loss_on(self, data: Dataset) -> NDArray[np.float64]:
        """(R,) float64: the loss on other points, such as `held_out`. Raises DataError for points
        of other inputs, or other labels.

        NaN where a net diverged.
        """
        from minilotto.engines.evaluate import losses

        if data.inputs != self.data.inputs:
            raise DataError(f"data have {data.inputs} inputs; these nets take {self.data.inputs}")
        if self.config.loss == "logistic":
            check_labels(data.y)
        return losses(self.activation, self.parameters, data, self.config.loss)

    def error_rate_on(self, data: Dataset) -> NDArray[np.float64]:
        """(R,) float64: the part of the weight of `data`, whose labels are 0 and 1, that lies on
        points told wrongly.

        A net says 1 where that is the likelier: f > 0 for the logistic loss, f > 1/2 for squares.
        NaN where a net diverged. Raises DataError as `loss_on`, and for other labels.
        """
        check_labels(data.y)
        outputs = self.predict(data.x)
        said = outputs > (0.0 if self.config.loss == "logistic" else 0.5)
        return np.where(np.isfinite(outputs).all(axis=1), (said != data.y) @ data.weight, np.nan)

    def select(self, which: ArrayLike) -> "Ensemble":
        """The nets of a boolean mask (R,) or of integer positions, in that order. Raises
        ConfigError for anything else.
        """
        positions = np.asarray(which)
        if positions.dtype == bool:
            if positions.shape != (len(self),):
                raise ConfigError(
                    f"mask has shape {positions.shape}; it must be ({len(self)},), one truth "
                    "value a net"
                )
            positions = np.flatnonzero(positions)
        elif positions.size == 0:
            positions = np.empty(0, np.intp)
        if positions.ndim != 1 or positions.dtype.kind not in "iu":
            raise ConfigError(
                f"selection has dtype {positions.dtype} and shape {positions.shape}; give a mask "
                "or a list of positions"
            )
        if positions.size and not (-len(self) <= positions.min() and positions.max() < len(self)):
            raise ConfigError(
                f"selection reaches from {positions.min()} to {positions.max()}; there are "
                f"{len(self)} nets"
            )
        return Ensemble(
            config=self.config,
            data=self.data,
            seeds=self.seeds[positions],
            w=self.w[positions],
            b=self.b[positions],
            v=self.v[positions],
            c=self.c[positions],
            loss=self.loss[positions],
            nodes=self.nodes[positions],
            audit=self.audit[positions],
            history=History(self.history.steps, self.history.loss[:, positions]),
            requested=len(positions),
            provenance=self.provenance,
        )

    def distill(self, width: int) -> "Ensemble":
        """Each net cut down to the `width` neurons that hold the target best together, output
        weights fitted anew: float64 nets.

        They are no trained nets, and `provenance` says so; `minilotto.ensemble.distillation` has more ways,
        and tells of rank and rounding. The output weights may be huge: keep float64. Raises
        ConfigError for a width below 1 or above config.width.
        """
        from minilotto.ensemble.distillation import distill

        if self.config.loss != "squared":
            raise ConfigError(
                f"nets of loss={self.config.loss!r} are not distilled, which fits output weights "
                "by least squares"
            )
        small = distill(self.activation, self.parameters, width, self.data)
        return Ensemble(
            config=dataclasses.replace(self.config, width=width, dtype="float64"),
            data=self.data,
            seeds=self.seeds,
            w=small.parameters.w,
            b=small.parameters.b,
            v=small.parameters.v,
            c=small.parameters.c,
            loss=small.loss,
            history=History(np.empty(0, np.int64), np.empty((0, len(self)))),
            nodes=np.full(len(self), self.data.points),
            audit=np.full(len(self), np.nan),
            requested=len(self),
            provenance={
                **self.provenance,
                "engine": "distilled",
                "reason": f"from trained nets of width {self.config.width}",
            },
        )

    def with_parameters(self, parameters: Parameters) -> "Ensemble":
        """These nets with other parameters of the same shapes, perhaps of another optimiser's
        finding; losses are evaluated anew.

        Raises DataError for other shapes or what is no array of numbers.
        """
        from minilotto.engines.evaluate import losses

        try:
            arrays = [np.array(array, dtype=self.config.dtype) for array in parameters]
        except (TypeError, ValueError) as error:
            raise DataError(f"parameters are no arrays ({error}); pass (w, b, v, c)") from None
        shapes, wanted = (
            [array.shape for array in arrays],
            [array.shape for array in self.parameters],
        )
        if shapes != wanted:
            raise DataError(f"parameters have shapes {shapes}; these nets have {wanted}")
        fresh = Parameters(*arrays)
        with np.errstate(invalid="ignore", over="ignore"):
            loss = losses(self.activation, fresh, self.data, self.config.loss)
        none = History(np.empty(0, np.int64), np.empty((0, len(self))))
        return dataclasses.replace(
            self,
            **fresh._asdict(),
            loss=np.where(np.isfinite(loss), loss, np.nan),
            audit=np.full(len(self), np.nan),
            nodes=np.full(len(self), self.data.points),
            history=none,
            provenance={**self.provenance, "engine": "none", "reason": "parameters were given"},
        )

    def to_c(
        self,
        path: str | Path | None = None,
        *,
        name: str = "net",
        dtype: str = "float64",
        force: bool = False,
    ) -> str:
        """C99 source of functions that evaluate these nets and their derivative df/dx; see
        `export.c_source` for declarations.

        It needs nothing beyond <math.h>. Written to `path` (.c, .h or .cpp) where one is given.
        `dtype` is that of the C functions.

        Raises ConfigError for a name that is no C identifier, for nets that are not finite and for
        an Ensemble without nets.
        """
        from minilotto.interop.c_source import c_source

        note = (
            f"{self.config.task}, seed{'s' * (len(self) > 1)} "
            f"{', '.join(map(str, self.seeds[:8]))}{', ...' * (len(self) > 8)}"
        )
        source = c_source(self.activation, self.parameters, name, dtype, note)
        if path is not None:
            path = check_output(path, (".c", ".h", ".cpp"), force)
            write_bytes(path, source.encode())
        return source

    def to_scipy(self, use: str = "integrate") -> Any:
        """This one net as a scipy.LowLevelCallable: for scipy.integrate, or (use="filter") for
        ndimage.generic_filter.

        Raises ConfigError for an unknown use and unless there is exactly one net.
        """
        from minilotto.interop.scipy_callable import low_level_callable

        return low_level_callable(self.activation, self.parameters, use)

    def to_torch(self) -> Any:
        """These nets as one torch.nn.Module: x (P,) or (P, D) to f(x) (R, P).

        The way back is `with_parameters(minilotto.interop.to_torch.from_torch(module))`.
        Raises MissingExtraError where torch is not installed.
        """
        from minilotto.interop.to_torch import Nets

        return Nets(self.activation, self.parameters)

    def to_onnx(self, path: str | Path | None = None, force: bool = False) -> Any:
        """These nets as an onnx.ModelProto, x (P, D) to f (P, R), in the training dtype; also
        written to `path` (.onnx) if given.

        Raises MissingExtraError where onnx is not installed, ConfigError and FileError as `save`.
        """
        from minilotto.interop.to_onnx import onnx_model

        model = onnx_model(self.activation, self.parameters)
        if path is not None:
            path = check_output(path, (".onnx",), force)
            write_bytes(path, model.SerializeToString())
        return model

    def to_dataframe(self, neurons: bool = False) -> Any:
        """A pandas.DataFrame, one row a net: seed, loss, status, nodes, audit, c.

        With `neurons` one row a neuron: seed, neuron, w (or w0, w1, ... of several inputs), b, v.

        Raises MissingExtraError where pandas is not installed.
        """
        from minilotto.interop.to_pandas import table_of_nets, table_of_neurons

        return table_of_neurons(self) if neurons else table_of_nets(self)

    def to_device(self) -> Parameters:
        """Copies of w, b, v, c on the GPU: Numba's arrays, whose `__cuda_array_interface__` CuPy,
        JAX and torch understand.

        Raises MissingExtraError or ResourceError where there is no GPU to be used.
        """
        the_gpu()
        from numba import cuda

        return Parameters(*(cuda.to_device(array) for array in self.parameters))

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write everything to one .npz; it appears whole or not at all. Returns the path.

        Raises ConfigError when the name does not end in .npz or the file exists (unless `force`),
        FileError when it cannot be written.
        """
        path = check_output(path, (".npz",), force)
        write_atomically(path, self.write)
        return path

    def content(self) -> npz.Content:
        """What `save` writes, by name."""
        data, history = self.data, self.history
        values = (self.seeds, *self.parameters, self.loss, self.nodes, self.audit, history.steps)
        arrays = (*values, history.loss, data.x, data.y, data.weight)
        named = dict(zip(npz.ARRAYS, arrays, strict=True))
        return npz.Content(self.config, self.requested, self.provenance, named)

    def write(self, file: BinaryIO) -> None:
        """Write the .npz of `save` into an open file. Equal ensembles make equal bytes."""
        npz.write(self.content(), file)
