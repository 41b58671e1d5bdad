"""Ensemble: what a training leaves behind."""

import hashlib
import json
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilotto.activations import Activation, activation_of
from minilotto.config import Config
from minilotto.dataset import Dataset
from minilotto.errors import ConfigError, DataError, FileError, NewerFileError
from minilotto.files import check_output, write_atomically
from minilotto.gpu import the_gpu
from minilotto.initial import Parameters
from minilotto.tasks import task_of

SCHEMA = 1
STATUSES = ("ok", "diverged")
_ARRAYS = ("seeds", "w", "b", "v", "c", "loss", "nodes", "audit", "history_steps", "history_loss", "x", "y", "weight")


@dataclass(frozen=True, eq=False)
class History:
    """Losses along the way: steps (C,) int64 and loss (C, R) float64, NaN where a seed had diverged."""

    steps: NDArray[np.int64]
    loss: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """R trained nets f(x) = sum_i v_i sigma(w_i x + b_i) + c. Arrays are read-only.

    seeds (R,) int64; w (R, N, D), b (R, N), v (R, N), c (R,) in config.dtype; loss (R,) float64 on `data`. The row of a seed that
    diverged is NaN. nodes (R,) int64: points or nodes that each step used; audit (R,) float64: the largest difference between nodes
    and data that audits saw, in units of the sum of absolute terms, NaN where there were none. `requested` counts the seeds that
    were asked for: more than R where the training was interrupted. `provenance` says who computed this: version, engine and why,
    lanes, threads, CPU, seconds.
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
        for array in (self.seeds, *self.parameters, self.loss, self.nodes, self.audit, self.history.steps, self.history.loss):
            array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.seeds)

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

        x: (P,) for one input, or (P, D). Raises DataError for other shapes, or when x is no array of finite numbers.
        """
        from minilotto.kernels.evaluate import predictions

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
            raise DataError(f"x has shape {points.shape}; these nets take (P, {inputs})" + (" or (P,)" if inputs == 1 else ""))
        if not np.isfinite(points).all():
            raise DataError(f"x holds NaN or infinity at index {np.argwhere(~np.isfinite(points))[0].tolist()}; remove it first")
        return predictions(self.activation, self.parameters, np.ascontiguousarray(points, dtype=np.float64))

    @cached_property
    def population_loss(self) -> NDArray[np.float64]:
        """(R,) float64: the loss on infinitely many uniform points of the task's domain, whatever the nets were trained on.

        NaN where a net diverged or the quadrature does not settle. Raises ConfigError for data of the caller's own, for more than
        three inputs, and for more than one with a piecewise linear activation.
        """
        from minilotto.population import population_losses

        return population_losses(self.activation, self.parameters, task_of(self.config.task))

    def select(self, which: ArrayLike) -> "Ensemble":
        """The nets of a boolean mask (R,) or of integer positions, in that order. Raises ConfigError for anything else."""
        positions = np.asarray(which)
        if positions.dtype == bool:
            if positions.shape != (len(self),):
                raise ConfigError(f"mask has shape {positions.shape}; it must be ({len(self)},), one truth value a net")
            positions = np.flatnonzero(positions)
        elif positions.size == 0:
            positions = np.empty(0, np.intp)
        if positions.ndim != 1 or positions.dtype.kind not in "iu":
            raise ConfigError(
                f"selection has dtype {positions.dtype} and shape {positions.shape}; give a mask or a list of positions"
            )
        if positions.size and not (-len(self) <= positions.min() and positions.max() < len(self)):
            raise ConfigError(f"selection reaches from {positions.min()} to {positions.max()}; there are {len(self)} nets")
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

    def to_device(self) -> Parameters:
        """Copies of w, b, v, c on the GPU: Numba's arrays, whose `__cuda_array_interface__` CuPy, JAX and torch understand.

        Raises MissingExtraError or ResourceError where there is no GPU to be used.
        """
        the_gpu()
        from numba import cuda

        return Parameters(*(cuda.to_device(array) for array in self.parameters))

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write everything to one .npz; it appears whole or not at all. Returns the path.

        Raises ConfigError when the name does not end in .npz or the file exists (unless `force`), FileError when it
        cannot be written.
        """
        path = check_output(path, (".npz",), force)
        write_atomically(path, self.write)
        return path

    def write(self, file: BinaryIO) -> None:
        """Write the .npz of `save` into an open file. Equal ensembles make equal bytes."""
        arrays = self._arrays()
        header = {
            "schema": SCHEMA,
            "config": self.config.to_json(),
            "requested": self.requested,
            "provenance": self.provenance,
        }
        header["digest"] = _digest(header, arrays)
        np.savez(file, allow_pickle=False, header=np.array(json.dumps(header)), **arrays)

    def _arrays(self) -> dict[str, NDArray]:
        return dict(
            zip(
                _ARRAYS,
                map(
                    np.ascontiguousarray,
                    (
                        self.seeds,
                        *self.parameters,
                        self.loss,
                        self.nodes,
                        self.audit,
                        self.history.steps,
                        self.history.loss,
                        self.data.x,
                        self.data.y,
                        self.data.weight,
                    ),
                ),
                strict=True,
            )
        )


def load(path: str | Path) -> Ensemble:
    """The Ensemble that `save` wrote.

    Raises FileError when the file is missing, damaged, from a newer minilotto, no Ensemble, or of a task that is not registered.
    """
    try:
        with open(path, "rb") as file:
            return read(file, str(path))
    except FileNotFoundError:
        raise FileError(f"{str(path)!r} does not exist; check the name") from None
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{str(path)!r} cannot be read ({error.strerror or error}); check the name and who may read it") from None


def read(file: BinaryIO, path: str) -> Ensemble:
    """The Ensemble that `Ensemble.write` wrote; `path` is what errors call it. Raises FileError as `load` does."""
    try:
        _refuse_compressed(file)
        with np.load(file, allow_pickle=False) as content:
            header = json.loads(str(content["header"]))
            arrays = {name: content[name] for name in _ARRAYS}
        schema, digest = header["schema"], header.pop("digest")
        config_text, requested, provenance = (header[name] for name in ("config", "requested", "provenance"))
    except Exception as error:  # a damaged archive raises whatever zipfile, zlib, NumPy and json make of it
        reason = " ".join(str(error).split())
        raise FileError(f"{path!r} is no whole ensemble ({reason}); train it again") from None
    if type(schema) is not int or schema < 1:
        raise FileError(f"{path!r} has schema {schema!r}, which never was; train it again")
    if schema > SCHEMA:
        raise NewerFileError(f"{path!r} has schema {schema}, and {SCHEMA} is the newest known here; upgrade minilotto")
    if _digest(header, arrays) != digest:
        raise FileError(f"{path!r} is damaged: its contents do not match their digest; train it again")
    try:
        config = Config.from_json(config_text)
    except ConfigError as error:
        raise FileError(f"{path!r} holds a config that is not known here ({error})") from None
    wrong = _contradiction(config, requested, provenance, arrays)
    if wrong:
        raise FileError(f"{path!r} contradicts itself: {wrong}; train it again")
    x, y, weight = (arrays[name] for name in ("x", "y", "weight"))
    for array in (x, y, weight):
        array.setflags(write=False)
    return Ensemble(
        config=config,
        data=Dataset(x, y, weight),
        **{name: arrays[name] for name in ("seeds", "w", "b", "v", "c", "loss", "nodes", "audit")},
        history=History(arrays["history_steps"], arrays["history_loss"]),
        requested=requested,
        provenance=provenance,
    )


def _refuse_compressed(file: BinaryIO) -> None:
    """Nothing here is written compressed, so a member that is would only be a bomb. Raises ValueError."""
    if file.read(2) == b"PK":
        with zipfile.ZipFile(file) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("its arrays are compressed, as none are written here")
    file.seek(0)


def _contradiction(config: Config, requested: Any, provenance: Any, arrays: dict[str, NDArray]) -> str | None:
    """What in a file's contents does not go together, or None."""
    count, steps = arrays["seeds"].size, arrays["history_steps"].size
    points = arrays["y"].size if config.sampling == "population" else config.points
    inputs = arrays["x"].shape[-1] if arrays["x"].ndim else 0
    kept, whole, real = np.dtype(config.dtype), np.dtype(np.int64), np.dtype(np.float64)
    expected = {
        "seeds": ((count,), whole),
        "w": ((count, config.width, inputs), kept),
        "b": ((count, config.width), kept),
        "v": ((count, config.width), kept),
        "c": ((count,), kept),
        "loss": ((count,), real),
        "nodes": ((count,), whole),
        "audit": ((count,), real),
        "history_steps": ((steps,), whole),
        "history_loss": ((steps, count), real),
        "x": ((points, inputs), real),
        "y": ((points,), real),
        "weight": ((points,), real),
    }
    for name, (shape, dtype) in expected.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != dtype:
            return f"{name} is {array.dtype} of shape {array.shape} where {dtype} of shape {shape} belongs"
    if type(requested) is not int or requested < count:
        return f"requested={requested!r} where {count} nets are"
    if not isinstance(provenance, dict):
        return f"provenance is a {type(provenance).__name__}"
    return None


def _digest(header: dict[str, Any], arrays: dict[str, NDArray]) -> str:
    digest = hashlib.blake2b(json.dumps(header, sort_keys=True).encode(), digest_size=16)
    for name in _ARRAYS:
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
