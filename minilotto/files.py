"""Paths as callers give them, files that are either whole or not there, and folders."""

import contextlib
import errno
import hashlib
import os
import platform
import re
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from minilotto.errors import ConfigError, FileError, UnreadableFileError, shown
from minilotto.signals import deferring

LONGEST_PATH, LONGEST_NAME = 4095, 255  # bytes


def path_of(given: object, folder: bool = False) -> Path:
    """The path that a caller means: a str, bytes or a Path, with ~ for the home folder.

    Raises ConfigError for what is no path, and for the name of a folder where a file is meant.
    """
    try:
        text = os.path.expanduser(os.fsdecode(given))  # type: ignore[arg-type]
        encoded = os.fsencode(text)
    except UnicodeEncodeError:
        raise ConfigError(
            f"path {shown(given)} has characters that no file name has; give another"
        ) from None
    except Exception:  # an object's __fspath__ may raise anything
        kind = type(given).__name__
        raise ConfigError(f"a path is a str or a pathlib.Path, and this is a {kind}") from None
    if not text or b"\0" in encoded:
        raise ConfigError(
            f"path {shown(text)} is empty or has a NUL; give the name of a file or folder"
        )
    if len(encoded) > LONGEST_PATH or max(map(len, encoded.split(os.sep.encode()))) > LONGEST_NAME:
        raise ConfigError(
            f"path {shown(text)} is longer than file systems take (File name too long); give a "
            "shorter one"
        )
    user, slash, _ = text.partition(os.sep)
    if user == "~" or (slash and user.startswith("~")):
        raise ConfigError(
            f"path {text!r} is in no known home folder; give it in full, or ./{user} for a folder "
            "of that name"
        )
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise ConfigError(f"path {text!r} is an address; give the name of a file or folder here")
    if not folder and text.endswith(os.sep):
        raise ConfigError(f"path {text!r} names a folder; name a file")
    return Path(text)


def absolute(path: Path) -> Path:
    """The path from the root on, which later changes of the working folder do not move."""
    try:
        return path.absolute()
    except OSError as error:
        raise FileError(
            f"{str(path)!r} is in a working folder that is gone ({error.strerror}); change to "
            "another"
        ) from None


def check_input(given: object) -> Path:
    """The path of a regular file, to read. Raises FileError, and ConfigError as `path_of` does."""
    path = path_of(given)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise FileError(f"{str(path)!r} does not exist; check the name") from None
    except OSError as error:
        raise FileError(
            f"{str(path)!r} cannot be read ({error.strerror}); check the name and who may read it"
        ) from None
    if stat.S_ISDIR(mode):
        raise FileError(f"{str(path)!r} is a folder; name a file")
    if not stat.S_ISREG(mode):
        raise FileError(f"{str(path)!r} is a pipe, socket or device; name a regular file")
    return path


# What says that a name leads to no file. Other errors say nothing about the content of a file.
NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO | None]:
    """The file that `path` leads to, open to be read; None where it leads to no regular file.

    Raises UnreadableFileError where it cannot be opened or read: for want of a right, of memory or
    of handles, or as the disk or the network fails.
    """
    try:
        with contextlib.ExitStack() as stack:
            file = None
            try:
                if stat.S_ISREG(os.stat(path).st_mode):
                    file = stack.enter_context(open(path, "rb"))
            except OSError as error:
                if error.errno not in NOWHERE:
                    raise
            yield file
    except FileError:  # of what the block does with the file
        raise
    except (OSError, MemoryError) as error:
        memory = isinstance(error, MemoryError)
        reason = "no memory is left" if memory else getattr(error, "strerror", None) or error
        raise UnreadableFileError(
            f"{str(path)!r} cannot be read ({reason}), which does not mean that it is damaged; "
            "mend that and try again, or remove the file"
        ) from None


def check_output(given: object, suffixes: tuple[str, ...], force: bool = False) -> Path:
    """The path of a file, once it is clear that it can be made. Leaves nothing behind.

    Raises ConfigError for what is no path, a wrong suffix or an existing file without `force`,
    FileError for a folder that is missing or cannot be written to.
    """
    path = path_of(given)
    if not isinstance(force, bool):  # "no" is true to Python
        raise ConfigError(f"force={shown(force)} is no truth value; give True or False")
    if path.suffix.lower() not in suffixes:
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


def check_folder(given: object, whole: str = "") -> Path:
    """The path of a folder to write into, which may be missing. Leaves nothing behind.

    One that has a file of the name `whole` may be read-only, as it may lack nothing. Raises
    ConfigError for what is no path, FileError for a file and for what cannot be made or written to.
    """
    folder = path_of(given, folder=True)
    there = next((one for one in (folder, *folder.parents) if os.path.lexists(one)), Path())
    try:
        if not os.path.isdir(there):
            raise NotADirectoryError(errno.ENOTDIR, f"{str(there)!r} is a file")
        if not (there == folder and whole and os.path.lexists(folder / whole)):
            probe(absolute(there) / "probe")
    except OSError as error:
        if not os.path.lexists(there):  # another process has removed it
            return check_folder(folder, whole)
        if isinstance(error, NotADirectoryError) and there == folder:
            raise FileError(f"{str(folder)!r} is a file; name a folder") from None
        raise _not_made(folder, error) from None
    return folder


@deferring
def probe(path: Path) -> None:
    """Raises OSError where `path` cannot be written. Leaves nothing behind."""
    beside = _beside(_target(path)[0])
    with beside.open("xb"):
        pass
    beside.unlink()


def _target(path: Path) -> tuple[Path, os.stat_result | None]:
    """The file that is written for `path`, where its links lead, and what is there now, or None."""
    there = None
    with contextlib.suppress(FileNotFoundError):
        there = os.stat(path)
    if there is not None and not stat.S_ISREG(there.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    return (Path(os.path.realpath(path)) if path.is_symlink() else path), there


@deferring
def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file by `write`, so that `path` afterwards holds all of it or what it held before.

    A link stays and its target is written; an existing file keeps its mode and owner. Raises
    FileError when it cannot be written; the old file is then intact and no fragment is left.
    """
    try:
        target, there = _target(path)
        temporary = _beside(target)
        try:
            with temporary.open("xb") as file:
                if there is not None:
                    _keep_owner_and_mode(temporary, there)
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    except FileError:  # of what `write` reads
        raise
    except OSError as error:
        raise FileError(f"{str(path)!r} cannot be written ({error.strerror or error})") from None
    with contextlib.suppress(OSError):  # some file systems cannot sync a folder
        _sync_folder(target.parent)


def _keep_owner_and_mode(path: Path, there: os.stat_result) -> None:
    """Give a file the owner, group and mode of the one that it replaces, as far as it may."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            os.chown(path, there.st_uid, there.st_gid)
    with contextlib.suppress(OSError):
        os.chmod(path, stat.S_IMODE(there.st_mode))


def write_bytes(path: Path, content: bytes) -> None:
    """`write_atomically` of these bytes."""
    write_atomically(path, lambda file: file.write(content))


def make_folder(folder: Path, parents: bool = True) -> None:
    """Make a folder and, with `parents`, those above it, where missing. Raises FileError."""
    try:
        folder.mkdir(parents=parents, exist_ok=True)
    except OSError as error:
        raise _not_made(folder, error) from None


def _not_made(folder: Path, error: OSError) -> FileError:
    what, reason = "written to" if os.path.isdir(folder) else "made", error.strerror or error
    return FileError(f"folder {str(folder)!r} cannot be {what} ({reason}); choose another")


@contextlib.contextmanager
def folder_for(folder: Path) -> Iterator[None]:
    """A folder for what the block does; where that fails, new empty folders are removed."""
    missing = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
    try:
        make_folder(folder)
        yield
    except BaseException:
        for one in missing:
            with contextlib.suppress(OSError):  # not empty, or never made
                one.rmdir()
        raise


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """A block that one process at a time runs, of those that name this folder; any number where
    the system has no such locks, as on network file systems.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


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
_FRAGMENT = re.compile(r"\..*\.(?P<host>[0-9a-f]{8})-(?P<process>\d{1,9})-[0-9a-f]{12}")


def remove_fragments(folder: Path) -> None:
    """Remove temporary files of this machine's dead processes, and those older than a day."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            found = _FRAGMENT.fullmatch(entry.name)
            if not found:
                continue
            dead = found["host"] == _host() and not _lives(int(found["process"]))
            with contextlib.suppress(OSError):
                if dead or time.time() - entry.stat().st_mtime > DAY:
                    os.unlink(entry.path)


def _lives(process: int) -> bool:
    """Whether there is a process of this number."""
    if os.name != "posix":
        import psutil  # here, as it takes long

        return bool(psutil.pid_exists(process))
    try:
        os.kill(process, 0)
    except OSError as error:  # EPERM: another user's, which psutil misses where /proc hides it
        return error.errno != errno.ESRCH
    return True


@lru_cache(maxsize=1)
def _host() -> str:
    """Eight hexadecimal digits for where process numbers are unique: this machine since it was
    started, or a container on it. Others may have the same name.
    """
    where = [platform.node()]
    with contextlib.suppress(OSError):  # Linux alone has these
        where.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        where.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.blake2b(repr(where).encode(), digest_size=4).hexdigest()


def _beside(path: Path) -> Path:
    """A hidden name in the same folder, unique, with the machine and process that write it."""
    # File systems allow 255 bytes for a name, some of them 143.
    name = os.fsencode(path.name)[:100].decode(errors="ignore")
    return path.with_name(f".{name}.{_host()}-{os.getpid()}-{secrets.token_hex(6)}")


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
