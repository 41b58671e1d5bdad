"""Files that are either whole or not there, and folders."""

import contextlib
import hashlib
import os
import platform
import re
import secrets
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from minilotto.errors import ConfigError, FileError
from minilotto.signals import deferring


def check_output(path: str | Path, suffixes: tuple[str, ...], force: bool = False) -> Path:
    """`path`, once it is clear that a file can be made there. Leaves nothing behind.

    Raises ConfigError for a wrong suffix or an existing file without `force`, FileError for a
    folder that is missing or cannot be written to.
    """
    path = Path(path)
    if path.suffix not in suffixes:
        raise ConfigError(
            f"output {str(path)!r} ends in {path.suffix!r}; use a name that ends in "
            f"{' or '.join(suffixes)}"
        )
    if os.path.isdir(path):  # unlike Path.is_dir, False for what may not be looked at
        raise ConfigError(f"output {str(path)!r} is a folder; name a file in it")
    if os.path.exists(path) and not force:
        raise ConfigError(
            f"output {str(path)!r} exists; choose another name, or overwrite it with --force "
            "(force=True)"
        )
    if not os.path.isdir(path.parent):
        raise FileError(f"folder {str(path.parent)!r} does not exist; create it first")
    try:
        probe(path)
    except OSError as error:
        raise FileError(
            f"output {str(path)!r} cannot be made ({error.strerror}); choose another name or folder"
        ) from None
    return path


@deferring
def probe(path: Path) -> None:
    """Raises OSError where no file can be made beside `path`. Leaves nothing behind."""
    beside = _beside(path)
    with beside.open("xb"):
        pass
    beside.unlink()


@deferring
def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file by `write`, so that `path` afterwards holds all of it or what it held before.

    Raises FileError when it cannot be written; the old file is then intact and no fragment is left.
    """
    temporary = _beside(path)
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise FileError(f"{str(path)!r} cannot be written ({error.strerror or error})") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # some file systems cannot sync a folder
        _sync_folder(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """`write_atomically` of these bytes."""
    write_atomically(path, lambda file: file.write(content))


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing. Raises FileError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise FileError(
            f"folder {str(folder)!r} cannot be made ({reason}); choose another"
        ) from None


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """Entries of a folder, none where it is missing. Raises FileError where it is unreadable."""
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise FileError(f"{str(folder)!r} cannot be listed ({error.strerror})") from None


DAY = 86_400.0
_FRAGMENT = re.compile(r"\..+\.(?P<host>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{12}")


def remove_fragments(folder: Path) -> None:
    """Remove temporary files of this machine's dead processes, and those older than a day."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            found = _FRAGMENT.fullmatch(entry.name)
            if not found:
                continue
            dead = found["host"] == _host() and not psutil.pid_exists(int(found["process"]))
            with contextlib.suppress(OSError):
                if dead or time.time() - entry.stat().st_mtime > DAY:
                    os.unlink(entry.path)


@lru_cache(maxsize=1)
def _host() -> str:
    """Eight hexadecimal digits for this machine's name."""
    return hashlib.blake2b(platform.node().encode(), digest_size=4).hexdigest()


def _beside(path: Path) -> Path:
    """A hidden name in the same folder, unique, with the machine and process that write it."""
    return path.with_name(f".{path.name}.{_host()}-{os.getpid()}-{secrets.token_hex(6)}")


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def parsed_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises ValueError for what is no TOML."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    tables: dict[str, Any] = tomllib.loads(text)
    return tables
