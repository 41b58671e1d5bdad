"""Standard streams that end no run: closed, full, or of an encoding that lacks characters."""

import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from minilotto.cli.arguments import FAILURE


class Output:
    """A text stream, in place of sys.stdout or sys.stderr.

    Characters that its encoding lacks are written as escapes. The first error of the system ends
    what is written, and is kept in `failure`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write what the stream can hold of a text."""
        coding = self._stream.encoding or "utf-8"
        shown = text.encode(coding, "backslashreplace").decode(coding)
        self._try(self._stream.write, shown)
        return len(text)

    def flush(self) -> None:
        """Flush, as far as the system allows."""
        self._try(self._stream.flush)

    def _try(self, act: Callable[..., object], *arguments: str) -> None:
        if self.failure is None:
            try:
                act(*arguments)
            except OSError as error:
                self.failure = error


def run(main: Callable[[list[str]], int], arguments: list[str]) -> int:
    """The exit status of `main` with such streams; 1 where its output could not be written."""
    _occupy_closed()
    sys.stdout = out = Output(sys.stdout or _nowhere())
    sys.stderr = Output(sys.stderr or _nowhere())
    status = main(arguments)
    out.flush()
    if out.failure is None:
        return status
    if not isinstance(out.failure, BrokenPipeError):  # its reader has seen enough
        print(f"output cannot be written ({out.failure.strerror})", file=sys.stderr)
    return status or FAILURE


def _occupy_closed() -> None:
    """Open the null device in place of closed streams, which a file of ours would take else."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.dup2(null, descriptor)
    if null > 2:
        os.close(null)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")
