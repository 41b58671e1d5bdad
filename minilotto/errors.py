"""What minilotto raises. Each message is one line: the value, the rule, the remedy.

Optional packages are imported here, so that one that is missing, too old, too new, broken, or
hidden by another module of its name is such a line.
"""

import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from minilotto.ensemble.ensemble import Ensemble
    from minilotto.store.store import Store

QUOTED = 200  # characters of another package's error
IMPORTED_AS = {"scikit-learn": "sklearn", "numba-cuda": "numba_cuda"}  # others by their own name


SHOWN = 100  # characters of an argument in a message


def shown(value: object) -> str:
    """An argument as a message shows it: in one line, cut to SHOWN characters.

    >>> shown(10**5000), shown([10] * 500)[-11:]
    ('a value of type int', '10, 10, ...')
    """
    return _line_of(value, repr, SHOWN)


def reason_of(error: object) -> str:
    """What another package says, in one line of at most QUOTED characters."""
    return _line_of(error, str, QUOTED)


def _line_of(value: object, text_of: Callable[[Any], str], most: int) -> str:
    try:
        text = " ".join(text_of(value).split())
    except Exception:  # so do integers of 5000 digits, and objects whose repr fails
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= most else f"{text[: most - 3]}..."


class MinilottoError(Exception):
    """Base class of all errors that minilotto raises on purpose."""


class ConfigError(MinilottoError, ValueError):
    """A setting, a range of seeds or a name that cannot be used."""


class DataError(MinilottoError, ValueError):
    """Training data or parameters of the wrong shape, type or content."""


class FileError(MinilottoError, OSError):
    """A file that cannot be read or written, or that is damaged."""


class UnreadableFileError(FileError):
    """A file that may be sound, which this process cannot read now."""


class UnusableFileError(FileError):
    """An intact file that this process cannot use.

    It is from a newer minilotto, or of a task that is not registered.
    """


class ResourceError(MinilottoError):
    """Work that this machine cannot do: too little memory, no usable GPU."""


class MissingExtraError(MinilottoError, ImportError):
    """An optional package that is missing or unusable; the message names the extra for it."""

    @classmethod
    def of(cls, package: str, extra: str, reason: object) -> "MissingExtraError":
        """The error for one package.

        Parameters
        ----------
        package : str
            What cannot be used.
        extra : str
            The extra of setup.cfg that installs it.
        reason : object
            What follows the package's name in a sentence.

        Returns
        -------
        MissingExtraError
            To be raised by the caller.
        """
        remedy = f"""pip install -e ".[{extra}]" in minilotto's folder installs what is needed"""
        return cls(f"{package} {reason}; {remedy}")


def imported(module: str, extra: str) -> Any:
    """A module of an optional package, by its dotted name and the extra of setup.cfg that installs
    it.

    Raises MissingExtraError where it cannot be imported, or an installed package has a version that
    the extra excludes.
    """
    with optional(module.partition(".")[0], extra):
        return import_module(module)


@contextmanager
def optional(package: str, extra: str) -> Iterator[None]:
    """For a block that imports from an optional package of that name, which the extra of setup.cfg
    installs.

    Raises MissingExtraError for whatever goes wrong in the block but our own errors, and where an
    installed package has a version that the extra excludes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages about each other
        try:
            # Every package here has a version; a file or folder of that name has none.
            _ = import_module(package).__version__
            if excluded := _excluded(extra):
                raise MissingExtraError.of(*excluded)
            yield
        except MinilottoError:
            raise
        except (Exception, SystemExit) as error:  # a broken package may raise anything
            raise _explained(package, extra, error) from error


def _explained(package: str, extra: str, error: BaseException) -> MissingExtraError:
    shown = next((name for name, other in IMPORTED_AS.items() if other == package), package)
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing == package:
        return MissingExtraError.of(shown, extra, "is not installed")
    if excluded := _excluded(extra):
        return MissingExtraError.of(*excluded)
    found = PathFinder.find_spec(package)
    place = found and (found.origin or next(iter(found.submodule_search_locations or ()), None))
    if missing and missing.partition(".")[0] != package:
        return MissingExtraError.of(missing, extra, f"is not installed, and {place} imports it")
    why = f"{type(error).__name__}: {error}".rstrip(": ")
    why = textwrap.shorten(why, QUOTED, placeholder=" ...")
    return MissingExtraError.of(
        shown, extra, f"cannot be used as it is at {place} ({why}); remove or rename that"
    )


def _excluded(extra: str) -> tuple[str, str, str] | None:
    """Arguments of MissingExtraError.of for the first package that the extra's bounds exclude."""
    for requirement in _requirements(extra):
        version = _version(requirement.name)
        if version and not requirement.specifier.contains(version, prereleases=True):
            bounds = f"is installed where {requirement.specifier} is needed"
            return f"{requirement.name} {version}", extra, bounds
    return None


@lru_cache
def _requirements(extra: str) -> "tuple[Requirement, ...]":
    """What the extra asks for, as it was when minilotto was installed; nothing where it was not."""
    from importlib import metadata  # here, as it takes longer to import than all else of ours

    from packaging.requirements import Requirement

    try:
        every = map(Requirement, metadata.requires("minilotto") or ())
    except metadata.PackageNotFoundError:
        return ()
    return tuple(one for one in every if one.marker and one.marker.evaluate({"extra": extra}))


def _version(distribution: str) -> str | None:
    """The version that is imported, else that which is installed."""
    package = sys.modules.get(IMPORTED_AS.get(distribution, distribution))
    if package is not None and hasattr(package, "__version__"):
        return str(package.__version__)
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C during a training.

    Parameters
    ----------
    nets : Ensemble or None
        The nets that were trained by then, None where there are none. Kept as an attribute.
    requested : int
        Number of seeds of the training. Kept as an attribute.
    """

    def __init__(self, nets: "Ensemble | None", requested: int) -> None:
        self.nets, self.requested = nets, requested
        done = 0 if nets is None else len(nets)
        super().__init__(f"interrupted: {done} of {requested} seeds were done")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.nets, self.requested)


class SweepError(MinilottoError):
    """Blocks of a sweep that failed, while all others are done.

    Parameters
    ----------
    store : Store
        Holds the other blocks. Kept as an attribute, as are the others.
    failures : tuple of (str, str)
        Name of each block that failed, and why.
    blocks : int
        Number of blocks of the sweep.
    """

    def __init__(self, store: "Store", failures: tuple[tuple[str, str], ...], blocks: int) -> None:
        self.store, self.failures, self.blocks = store, failures, blocks
        what, why = failures[0]
        super().__init__(
            f"{len(failures)} of {blocks} blocks failed, the first of them {what} ({why}); the "
            "others are kept, and the same sweep tries again"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.store, self.failures, self.blocks)


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep; the same sweep continues from there.

    Parameters
    ----------
    store : Store
        Holds every block that was finished by then. Kept as an attribute.
    """

    def __init__(self, store: "Store") -> None:
        self.store = store
        super().__init__(
            "interrupted: every finished block is kept, and the same sweep goes on from there"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.store,)
