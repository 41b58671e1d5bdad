"""The file of an Ensemble: one .npz with every array, a header in JSON and a digest of both."""

import hashlib
import json
import zipfile
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.engines.state import OptimizerState, array_names, from_arrays
from minilotto.errors import ConfigError, FileError, UnusableFileError
from minilotto.initialisation import NAMES, shapes_of
from minilotto.settings.config import Config

SCHEMA = 1
PER_NET = ("seeds", *NAMES[:4], "loss", "nodes", "audit")  # one row for each net
HIDDEN = NAMES[4:]  # so have these, which nets of several hidden layers have too
ARRAYS = (*PER_NET, "history_steps", "history_loss", "x", "y", "weight")


class Content(NamedTuple):
    """Contents of a file: the arrays ARRAYS and HIDDEN by name, what the header says of them, and,
    where it is kept, the state from which the training goes on.
    """

    config: Config
    requested: int
    provenance: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    step: int
    state: OptimizerState | None = None


def write(content: Content, file: BinaryIO) -> None:
    """Write into an open file. Equal contents make equal bytes."""
    state = content.state
    arrays = {name: content.arrays[name] for name in ARRAYS} | content.arrays
    arrays |= {} if state is None else state.arrays()
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    header: dict[str, Any] = {
        "schema": SCHEMA,
        "config": content.config.to_json(),
        "requested": content.requested,
        "provenance": content.provenance,
    }
    if content.step != content.config.steps:
        header["step"] = content.step
    if state is not None:
        audited = None if state.audited is None else state.audited.step
        header["state"] = {"since": state.since, "audited": audited}
    header["digest"] = digest_of(header, arrays)
    np.savez(file, allow_pickle=False, header=np.array(json.dumps(header)), **arrays)


def read(file: BinaryIO, path: str, sealed: bool = False) -> Content:
    """What `write` wrote, checked; `path` is what errors call it. Raises FileError as `load` does.

    With `sealed`, a digest of the whole file was checked before, and the one within it is not.
    """
    try:
        _refuse_compressed(file)
        with np.load(file, allow_pickle=False) as content:
            header = json.loads(str(content["header"]))
            state = header.get("state")
            hidden = tuple(name for name in HIDDEN if name in content)
            parameters, more = (*NAMES[:4], *hidden), hidden
            if state is not None:
                more += array_names(parameters, state["audited"] is not None)
            arrays = {name: content[name] for name in (*ARRAYS, *more)}
        schema, digest = header["schema"], header.pop("digest")
        config_text, requested, provenance = (
            header[name] for name in ("config", "requested", "provenance")
        )
    except Exception as error:  # a damaged archive makes zipfile, zlib, NumPy and json raise any
        reason = " ".join(str(error).split())
        raise FileError(f"{path!r} is no whole ensemble ({reason}); train it again") from None
    if type(schema) is not int or schema < 1:
        raise FileError(f"{path!r} has schema {schema!r}, which never was; train it again")
    if schema > SCHEMA:
        raise UnusableFileError(
            f"{path!r} has schema {schema}, and {SCHEMA} is the newest known here; upgrade "
            "minilotto"
        )
    if not sealed and digest_of(header, arrays) != digest:
        raise FileError(
            f"{path!r} is damaged: its contents do not match their digest; train it again"
        )
    try:
        config = Config.from_json(config_text)
    except ConfigError as error:
        raise UnusableFileError(
            f"{path!r} holds a config that is not known here ({error})"
        ) from None
    step = header.get("step", config.steps)
    if wrong := _contradiction(config, requested, provenance, step, state, arrays):
        raise FileError(f"{path!r} contradicts itself: {wrong}; train it again")
    kept = None if state is None else from_arrays(arrays, state["since"], state["audited"])
    return Content(config, requested, provenance, arrays, step, kept)


def _refuse_compressed(file: BinaryIO) -> None:
    """Raises ValueError for what is no archive, and for compressed members, which may be huge."""
    if not zipfile.is_zipfile(file):
        raise ValueError("it is no .npz file, or not a whole one")
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("its arrays are compressed, as none are written here")
    file.seek(0)


def _contradiction(
    config: Config,
    requested: Any,
    provenance: Any,
    step: Any,
    state: Any,
    arrays: dict[str, NDArray[Any]],
) -> str | None:
    """The contradiction in the contents of a file, or None."""
    count, steps = arrays["seeds"].size, arrays["history_steps"].size
    points = arrays["y"].size if config.sampling in ("population", "examples") else config.points
    inputs = arrays["x"].shape[-1] if arrays["x"].ndim else 0
    kept, whole, real = np.dtype(config.dtype), np.dtype(np.int64), np.dtype(np.float64)
    parameters = {name: (shape, kept) for name, shape in shapes_of(config, inputs, count).items()}
    expected = {
        "seeds": ((count,), whole),
        **parameters,
        "loss": ((count,), real),
        "nodes": ((count,), whole),
        "audit": ((count,), real),
        "history_steps": ((steps,), whole),
        "history_loss": ((steps, count), real),
        "x": ((points, inputs), real),
        "y": ((points,), real),
        "weight": ((points,), real),
    }
    if state is not None:
        audited = state["audited"] is not None
        likes = [*parameters.values()] * (5 if audited else 2)
        likes += [expected["nodes"], expected["audit"]] * audited
        expected |= zip(array_names(parameters, audited), likes, strict=True)
    for name in HIDDEN:
        if (name in arrays) != (name in expected):
            return f"{name} is {'there' if name in arrays else 'missing'} at depth {config.depth}"
    for name, (shape, dtype) in expected.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != dtype:
            return (
                f"{name} is {array.dtype} of shape {array.shape} where {dtype} of shape "
                f"{shape} belongs"
            )
    if type(requested) is not int or requested < count:
        return f"requested={requested!r} where {count} nets are"
    if not isinstance(provenance, dict):
        return f"provenance is a {type(provenance).__name__}"
    if type(step) is not int or not 0 <= step <= config.steps:
        return f"step={step!r} of {config.steps} steps"
    for name in () if state is None else ("since", "audited"):
        value = state.get(name)
        last = name == "audited" and value is None
        if not last and (type(value) is not int or not 0 <= value <= step):
            return f"state has {name}={value!r} at step {step}"
    return None


def digest_of(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    """Digest of the header, without a digest, and of every array with its dtype and shape."""
    digest = hashlib.blake2b(json.dumps(header, sort_keys=True).encode(), digest_size=16)
    for name in (*ARRAYS, *(name for name in arrays if name not in ARRAYS)):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
