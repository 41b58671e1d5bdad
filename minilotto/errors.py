"""What minilotto raises. Each message is one line: the value, the rule, the remedy."""

from typing import Any


class MinilottoError(Exception):
    """Base of everything that minilotto raises on purpose."""


class ConfigError(MinilottoError, ValueError):
    """A setting, a seed range or a name that cannot be used."""


class DataError(MinilottoError, ValueError):
    """Training data or parameters of the wrong shape, type or content."""


class FileError(MinilottoError, OSError):
    """A file that cannot be read, written or trusted."""


class UnusableFileError(FileError):
    """A file that is whole, but of no use here: from a newer minilotto, or of a task that is not
    registered.
    """


class ResourceError(MinilottoError):
    """Work that would not fit this machine."""


class MissingExtraError(MinilottoError, ImportError):
    """An optional package that is not installed; the message names the extra that brings it."""


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C during a training. `nets` is an Ensemble of the seeds that were done by then, or None
    where none was.
    """

    def __init__(self, nets: Any, requested: int) -> None:
        self.nets = nets
        done = 0 if nets is None else len(nets)
        super().__init__(f"interrupted: {done} of {requested} seeds were done")


class SweepError(MinilottoError):
    """Blocks of a sweep that failed while all others are done. `failures` names each and why;
    `store` holds the others.
    """

    def __init__(self, store: Any, failures: tuple[tuple[str, str], ...], blocks: int) -> None:
        self.store, self.failures = store, failures
        what, why = failures[0]
        super().__init__(
            f"{len(failures)} of {blocks} blocks failed, the first of them {what} ({why}); the "
            "others are kept, and the same "
            "sweep tries again"
        )


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep. `store` holds every block that was done by then; the same sweep goes
    on from there.
    """

    def __init__(self, store: Any) -> None:
        self.store = store
        super().__init__(
            "interrupted: every finished block is kept, and the same sweep goes on from there"
        )
