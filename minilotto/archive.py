"""The file of an Ensemble: one .npz with every array, a header in JSON and a digest of both."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from minilotto.config import Config
from minilotto.dataset import Dataset
from minilotto.ensemble import Ensemble, History
from minilotto.errors import ConfigError, FileError, UnusableFileError

SCHEMA = 1
ARRAYS = ("seeds", "w", "b", "v", "c", "loss", "nodes", "audit", "history_steps", "history_loss", "x", "y", "weight")


def arrays_of(nets: Ensemble) -> dict[str, NDArray]:
    """Every array of `nets` by its name in the file."""
    data, history = nets.data, nets.history
    values = (
        nets.seeds,
        *nets.parameters,
        nets.loss,
        nets.nodes,
        nets.audit,
        history.steps,
        history.loss,
        data.x,
        data.y,
        data.weight,
    )
    return dict(zip(ARRAYS, map(np.ascontiguousarray, values), strict=True))


def write(nets: Ensemble, file: BinaryIO) -> None:
    """Write `nets` into an open file. Equal ensembles make equal bytes."""
    arrays = arrays_of(nets)
    header = {"schema": SCHEMA, "config": nets.config.to_json(), "requested": nets.requested, "provenance": nets.provenance}
    header["digest"] = digest_of(header, arrays)
    np.savez(file, allow_pickle=False, header=np.array(json.dumps(header)), **arrays)


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
            arrays = {name: content[name] for name in ARRAYS}
        schema, digest = header["schema"], header.pop("digest")
        config_text, requested, provenance = (header[name] for name in ("config", "requested", "provenance"))
    except Exception as error:  # a damaged archive raises whatever zipfile, zlib, NumPy and json make of it
        reason = " ".join(str(error).split())
        raise FileError(f"{path!r} is no whole ensemble ({reason}); train it again") from None
    if type(schema) is not int or schema < 1:
        raise FileError(f"{path!r} has schema {schema!r}, which never was; train it again")
    if schema > SCHEMA:
        raise UnusableFileError(f"{path!r} has schema {schema}, and {SCHEMA} is the newest known here; upgrade minilotto")
    if digest_of(header, arrays) != digest:
        raise FileError(f"{path!r} is damaged: its contents do not match their digest; train it again")
    try:
        config = Config.from_json(config_text)
    except ConfigError as error:
        raise UnusableFileError(f"{path!r} holds a config that is not known here ({error})") from None
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
    points = arrays["y"].size if config.sampling in ("population", "examples") else config.points
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


def digest_of(header: dict[str, Any], arrays: dict[str, NDArray]) -> str:
    digest = hashlib.blake2b(json.dumps(header, sort_keys=True).encode(), digest_size=16)
    for name in ARRAYS:
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
