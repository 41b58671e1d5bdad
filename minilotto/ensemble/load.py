"""Ensembles out of their files."""

from pathlib import Path
from typing import BinaryIO

from minilotto.data.dataset import frozen
from minilotto.ensemble import npz
from minilotto.ensemble.ensemble import Ensemble, History
from minilotto.errors import FileError


def load(path: str | Path) -> Ensemble:
    """The Ensemble that `save` wrote.

    Raises FileError when the file is missing, damaged, from a newer minilotto, no Ensemble, or of a
    task that is not registered.
    """
    try:
        with open(path, "rb") as file:
            return read(file, str(path))
    except FileNotFoundError:
        raise FileError(f"{str(path)!r} does not exist; check the name") from None
    except FileError:
        raise
    except OSError as error:
        raise FileError(
            f"{str(path)!r} cannot be read ({error.strerror or error}); check the name and who "
            "may read it"
        ) from None


def read(file: BinaryIO, path: str) -> Ensemble:
    """The Ensemble that `Ensemble.write` wrote; `path` is what errors call it. Raises FileError as
    `load` does.
    """
    config, requested, provenance, arrays = npz.read(file, path)
    return Ensemble(
        config=config,
        data=frozen(arrays["x"], arrays["y"], arrays["weight"]),
        **{name: arrays[name] for name in ("seeds", "w", "b", "v", "c", "loss", "nodes", "audit")},
        history=History(arrays["history_steps"], arrays["history_loss"]),
        requested=requested,
        provenance=provenance,
    )
