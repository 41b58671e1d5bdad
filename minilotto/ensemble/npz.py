"""The file of an Ensemble: one .npz with every array, a header in JSON and a digest of both."""

import hashlib
import json
import zipfile
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilotto.errors import ConfigError, FileError, UnusableFileError
from minilotto.settings.config import Config

SCHEMA = 1
PER_NET = ("seeds", "w", "b", "v", "c", "loss", "nodes", "audit")  # one row for each net
ARRAYS = (*PER_NET, "history_steps", "history_loss", "x", "y", "weight")


class Content(NamedTuple):
    """Contents of a file: the arrays ARRAYS by name, and what the header says of them."""

    config: Config
    requested: int
    provenance: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def write(content: Content, file: BinaryIO) -> None:
    """Write into an open file. Equal contents make equal bytes."""
    arrays = {name: np.ascontiguousarray(content.arrays[name]) for name in ARRAYS}
    header: dict[str, Any] = {
        "schema": SCHEMA,
        "config": content.config.to_json(),
        "requested": content.requested,
        "provenance": content.provenance,
    }
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
            arrays = {name: content[name] for name in ARRAYS}
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
    wrong = _contradiction(config, requested, provenance, arrays)
    if wrong:
        raise FileError(f"{path!r} contradicts itself: {wrong}; train it again")
    return Content(config, requested, provenance, arrays)


def _refuse_compressed(file: BinaryIO) -> None:
    """Raises ValueError for what is no archive, and for a compressed member, which may expand
    without limit.
    """
    if not zipfile.is_zipfile(file):
        raise ValueError("it is no .npz file, or not a whole one")
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("its arrays are compressed, as none are written here")
    file.seek(0)


def _contradiction(
    config: Config, requested: Any, provenance: Any, arrays: dict[str, NDArray[Any]]
) -> str | None:
    """The contradiction in the contents of a file, or None."""
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
            return (
                f"{name} is {array.dtype} of shape {array.shape} where {dtype} of shape "
                f"{shape} belongs"
            )
    if type(requested) is not int or requested < count:
        return f"requested={requested!r} where {count} nets are"
    if not isinstance(provenance, dict):
        return f"provenance is a {type(provenance).__name__}"
    return None


def digest_of(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    """Digest of the header, without a digest, and of every array with its dtype and shape."""
    digest = hashlib.blake2b(json.dumps(header, sort_keys=True).encode(), digest_size=16)
    for name in ARRAYS:
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
