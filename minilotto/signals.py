"""Signals that ask a process to end: Ctrl-C, SIGTERM and SIGHUP.

What is finished is kept: results that are not on disk yet, and files that are being written, are
within a Deferral, in which signals wait. Outside of one a signal acts at once. In a process of
the command line it prints one line and ends the process there and then, so that nothing can
catch it and no traceback is printed; elsewhere it raises KeyboardInterrupt, and only Python's own
handlers are replaced, for as long as they must wait.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from types import FrameType
from typing import Any, TypeVar

NUMBERS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
CHILD_SECONDS = 20.0  # in which a child that is told to end finishes the file that it writes
DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


class _State:
    """What this process knows of signals."""

    def __init__(self) -> None:
        self.previous: dict[int, Any] = {}  # handlers that ours have replaced, by signal
        self.command = False  # whether a command of the command line runs
        self.at_once = False  # whether a signal ends the process, rather than raises
        self.ending = False  # whether a signal is about to do so
        self.received = 0  # the first signal
        self.waiting = False  # one came while results were not on disk
        self.line = "interrupted"  # what is printed on the way out,
        self.told = False  # once
        self.forked = False  # whether this is a forked child
        self.bar = False  # whether a progress bar stands on the last line of stderr


state = _State()
_deferring: set["Deferral"] = set()  # those that have begun, of all threads
_thread = threading.local()


class Deferral:
    """A block at whose end results are on disk. Once it has begun, signals wait for that end, where
    KeyboardInterrupt is raised if one has come.

    Within another one of the same thread, it is a part of that one.
    """

    def __init__(self) -> None:
        self._outer, self._took = self, False

    def __enter__(self) -> "Deferral":
        self._outer = getattr(_thread, "outermost", None) or self
        _thread.outermost = self._outer
        return self

    def begin(self) -> None:
        """From now on there are results to keep."""
        outer = self._outer
        if outer not in _deferring:
            outer._took = not state.command and not state.previous and _take([signal.SIGINT])
            _deferring.add(outer)
            while state.ending:  # the main thread ends the process, unless it sees this one in time
                _deferring.discard(outer)
                time.sleep(0.001)
                _deferring.add(outer)

    def __exit__(self, *_: object) -> None:
        if self._outer is not self:
            return
        _thread.outermost = None
        _deferring.discard(self)
        if self._took:
            _give_back()
        check()


Function = TypeVar("Function", bound=Callable[..., Any])


def deferring(function: Function) -> Function:
    """The function as a Deferral that begins with its call."""

    @wraps(function)
    def within(*arguments: Any, **named: Any) -> Any:
        with Deferral() as deferral, _held_in_child():
            deferral.begin()
            return function(*arguments, **named)

    return within  # type: ignore[return-value]


@contextmanager
def _held_in_child() -> Iterator[None]:
    """In a forked child, which has Python's own handlers, signals wait for the end of the block."""
    if not state.forked:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def check() -> None:
    """Raises KeyboardInterrupt where a signal has waited."""
    if state.waiting:
        state.waiting = False
        raise KeyboardInterrupt


def _handle(number: int, _: FrameType | None) -> None:
    first, state.received = not state.received, state.received or number
    state.ending = state.at_once
    if state.ending and not _deferring:
        _end()
    state.ending = False
    if _deferring or not (state.command and first):
        state.waiting = True
    else:
        raise KeyboardInterrupt


def _end() -> None:
    """End this process and those that it started. Another signal may come in the midst of it."""
    line = f"{chr(10) * state.bar}{state.line}\n".encode(errors="replace")
    with suppress(OSError):
        told, state.told = state.told, True
        os.write(2, b"" if told else line)
    processes = sys.modules.get("multiprocessing.process")
    children = processes.active_children() if processes else []
    for child in children:
        child.terminate()
    for child in children:  # one that is writing a file ends after it
        child.join(CHILD_SECONDS)
        child.kill()
    os._exit(status())


def status() -> int:
    """Exit status of a process that a signal ended: 130 for Ctrl-C."""
    return 128 + (state.received or signal.SIGINT)


def tell() -> None:
    """Print the one line about the interruption."""
    if not state.told:
        state.told = True
        print(state.line, file=sys.stderr)


def say(line: str = "interrupted") -> None:
    """From now on, an interruption is told in this line."""
    state.line = line


def _take(numbers: list[int]) -> bool:
    """Handle these signals, except those that are ignored or that the program handles itself.

    Whether any is handled now; none is outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    for number in numbers:
        if signal.getsignal(number) in DEFAULTS:
            state.previous[number] = signal.signal(number, _handle)
    return bool(state.previous)


def _give_back() -> None:
    """Set the handlers that were there before, that of Ctrl-C last, which may raise at once."""
    state.command, state.received = False, 0
    while state.previous:
        signal.signal(*state.previous.popitem())


@contextmanager
def command() -> Iterator[None]:
    """A command of the command line: all signals are handled within the block."""
    if state.command:
        yield
        return
    say()
    state.told = state.waiting = False
    state.command = _take(NUMBERS)
    try:
        yield
    finally:
        if state.command:
            _give_back()
            state.waiting = False


def own_process() -> None:
    """From now on, until `done`, a signal ends this process."""
    state.command = state.at_once = _take(NUMBERS)


def done() -> None:
    """All is done: signals that come now, while Python ends, change nothing."""
    for number in state.previous:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def unwound() -> Iterator[None]:
    """What the block starts must end in order: one signal raises KeyboardInterrupt, others wait."""
    before, state.at_once = state.at_once, False
    try:
        yield
    finally:
        state.at_once = before


@contextmanager
def hidden_from_children() -> Iterator[None]:
    """Threads and processes that are started in the block are reached by SIGTERM alone; for this
    thread, other signals wait until the end of the block.

    A terminal sends Ctrl-C, and its end, to all processes at once.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGHUP])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _after_fork() -> None:
    """A forked child is not the command, and its parent's threads are gone."""
    _deferring.clear()
    _thread.outermost = None
    _give_back()
    state.__init__()  # type: ignore[misc]
    state.forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

# The console command, no child of it that got its words; `python -m minilotto`, which imports the
# package before it runs __main__.py.
CONSOLE = any(
    os.path.basename(word) in ("minilotto", "minilotto.exe") and word in sys.orig_argv
    for word in sys.argv[:1]
)
if CONSOLE or (sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)].endswith("minilotto")):
    own_process()
