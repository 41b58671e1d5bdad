"""What minilotto raises. Each message is one line: the value, the rule, the remedy."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minilotto.ensemble.ensemble import Ensemble
    from minilotto.store.store import Store


SHOWN = 500  # characters of an argument in a message


def shown(value: object, text_of: Callable[[Any], str] = repr) -> str:
    """An argument as a message shows it: in one line, cut to SHOWN characters.

    >>> shown(10**5000), shown([0] * 500)[-9:]
    ('a value of type int', '0, 0, ...')
    """
    try:
        text = " ".join(text_of(value).split())
    except Exception:  # so do integers of 5000 digits, and objects whose repr fails
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


class MinilottoError(Exception):
    """Base class of all errors that minilotto raises on purpose."""


class ConfigError(MinilottoError, ValueError):
    """A setting, a range of seeds or a name that cannot be used."""


class DataError(MinilottoError, ValueError):
    """Training data or parameters of the wrong shape, type or content."""


class FileError(MinilottoError, OSError):
    """A file that cannot be read or written, or that is damaged."""


class UnusableFileError(FileError):
    """An intact file that this process cannot use.

    It is from a newer minilotto, or of a task that is not registered.
    """


class ResourceError(MinilottoError):
    """Work that this machine cannot do: too little memory, no usable GPU."""


class MissingExtraError(MinilottoError, ImportError):
    """An optional package that is not installed; the message names the extra that installs it."""

    @classmethod
    def of(cls, package: str, extra: str, reason: object) -> "MissingExtraError":
        """The error for one package.

        Parameters
        ----------
        package : str
            What is missing.
        extra : str
            The extra of setup.cfg that installs it.
        reason : object
            The error of the import, or what needs the package.

        Returns
        -------
        MissingExtraError
            To be raised by the caller.
        """
        remedy = f"""pip install -e ".[{extra}]" in minilotto's folder installs it"""
        return cls(f"{package} is not installed ({reason}); {remedy}")


def imported(module: str, extra: str) -> Any:
    """A module of an optional package.

    Parameters
    ----------
    module : str
        Its dotted name.
    extra : str
        The extra of setup.cfg that installs it.

    Returns
    -------
    module
        The module, imported.

    Raises
    ------
    MissingExtraError
        Where it cannot be imported.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError.of(module.partition(".")[0], extra, error) from None


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
