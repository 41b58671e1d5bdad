"""Reading of ensembles from their files."""

from pathlib import Path
from typing import BinaryIO

from minilotto.data.dataset import frozen
from minilotto.ensemble import npz
from minilotto.ensemble.ensemble import Ensemble, History
from minilotto.errors import FileError
from minilotto.files import check_input


def load(path: str | Path) -> Ensemble:
    """Read the Ensemble that `Ensemble.save` wrote.

    Parameters
    ----------
    path : str or Path
        A .npz file.

    Returns
    -------
    Ensemble
        Equal to the one that was saved, in every bit.

    Raises
    ------
    ConfigError
        For what is no name of a file.
    FileError
        For a file that is missing, damaged or no ensemble.
    UnusableFileError
        For a file of a newer minilotto, or of a task that is not registered.

    Examples
    --------
    >>> load("no/such/file.npz")
    Traceback (most recent call last):
    minilotto.errors.FileError: 'no/such/file.npz' does not exist; check the name
    """
    path = check_input(path)
    try:
        with open(path, "rb") as file:
            return read(file, str(path))
    except FileError:
        raise
    except OSError as error:
        raise FileError(
            f"{str(path)!r} cannot be read ({error.strerror or error}); check the name and who "
            "may read it"
        ) from None


def read(file: BinaryIO, path: str, sealed: bool = False) -> Ensemble:
    """The Ensemble of an open file, which errors call `path`; see `npz.read`."""
    config, requested, provenance, arrays, step, state = npz.read(file, path, sealed)
    return Ensemble(
        config=config,
        data=frozen(arrays["x"], arrays["y"], arrays["weight"]),
        **{name: arrays[name] for name in (*npz.PER_NET, *npz.HIDDEN) if name in arrays},
        history=History(arrays["history_steps"], arrays["history_loss"]),
        requested=requested,
        provenance=provenance,
        step=step,
        state=state,
        kept={},
    )
