"""How kernels are compiled: without the GIL, without fast-math, kept on disk, and never stale."""

import contextlib
import hashlib
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import event

from minilotto.files import DAY, entries

NO_CACHE = (
    "minilotto: no folder for compiled kernels can be written to, so each process compiles them "
    "again; set NUMBA_CACHE_DIR to a writable folder"
)
LONG = 30 * DAY


def kernel(*, allocates: bool = False, **options: Any) -> Callable:
    """njit as every kernel is compiled; with no writable folder uncached, and one warning.

    A kernel that allocates nothing counts no references to arrays, which would take part of a short
    step: those of its caller outlive the call. Numba's parallel loops allocate.
    """
    options |= {"nogil": True, "error_model": "numpy"}
    options["_nrt"] = allocates or "parallel" in options
    alone = (
        options.get("inline") != "always"
    )  # others are part of their callers, and of their files

    def decorate(function: Callable) -> Callable:
        try:
            compiled = njit(cache=alone, **options)(function)
        except RuntimeError:
            warn_of_no_cache()
            return njit(**options)(function)
        if alone:
            _harden(compiled._cache)
        return compiled

    return decorate


def _harden(cache: Any) -> None:
    """Let neither a full disk nor an index by an older version, whose classes are gone, end a
    training, and no process run what another one compiled for other types.

    Numba offers no hook for this, so its cache is patched: a compiled kernel that cannot be stored
    is used all the same, and an index that cannot be read is emptied. Numba numbers the files that
    an index names, so that processes that compile at once would write two kernels into one file;
    and it writes the index first, which a kill would leave with the file of an older kernel. It
    removes nothing: a file that is loaded counts as new here, and old ones are removed.
    """
    load, save, files = cache.load_overload, cache.save_overload, cache._cache_file
    load_data = files._load_data

    def load_if_readable(*wanted: Any) -> Any:
        try:
            return load(*wanted)
        except Exception:
            with contextlib.suppress(OSError):
                cache.flush()
            return None

    def save_if_possible(*overload: Any) -> None:
        try:
            save(*overload)
        except OSError:
            warn_of_no_cache()

    def load_and_mark(name: str) -> Any:
        compiled = load_data(name)
        with contextlib.suppress(OSError):
            os.utime(files._data_path(name))
            os.utime(files._index_path)
        return compiled

    def save_apart(key: Any, compiled: Any) -> None:
        remove_unused(files._cache_path)
        name = files._data_name(number_of(files._source_stamp, key))
        files._save_data(name, compiled)
        files._save_index({**files._load_index(), key: name})

    cache.load_overload, cache.save_overload = load_if_readable, save_if_possible
    files.save, files._load_data = save_apart, load_and_mark


@lru_cache
def remove_unused(folder: str) -> None:
    """Remove compiled kernels that no process has loaded for long, as those of older sources.

    A process that finds one gone compiles it again.
    """
    with contextlib.suppress(OSError):
        for entry in entries(Path(folder)):
            if entry.name.endswith((".nbi", ".nbc")) and time.time() - entry.stat().st_mtime > LONG:
                os.unlink(entry.path)


def number_of(*what: Any) -> int:
    """A number of 64 bits for what has this representation, another one for anything else."""
    return int(hashlib.blake2b(repr(what).encode(), digest_size=8).hexdigest(), 16)


@lru_cache(maxsize=1)
def warn_of_no_cache() -> None:
    warnings.warn(NO_CACHE, RuntimeWarning, stacklevel=2)


@lru_cache(maxsize=1)
def sources_digest() -> str:
    """Eight hexadecimal digits of all the sources that a kernel can be built from.

    Numba's cache notices an edit of the file that a kernel stands in, but not of the files whose
    functions it calls. The digest is part of the type of each kernel's Spec, hence of the cache's
    key: an edited formula is a new kernel.
    """
    digest = hashlib.blake2b(digest_size=4)
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Compilation(event.Listener):
    """Listens for functions that Numba compiles, not loads; `seconds` is how long it took."""

    def __init__(self, notify: Callable[[], None]) -> None:
        self.seconds = 0.0
        self._notify = notify
        self._depth = 0  # compiling one function compiles those that it calls
        self._began = 0.0

    def on_start(self, event: event.Event) -> None:
        if self._depth == 0:
            self._began = time.perf_counter()
            self._notify()
        self._depth += 1

    def on_end(self, event: event.Event) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.seconds += time.perf_counter() - self._began


@contextmanager
def watched_compilation(notify: Callable[[], None]) -> Iterator[Compilation]:
    """Call `notify` whenever, inside the block, a function is compiled."""
    compilation = Compilation(notify)
    with event.install_listener("numba:compile", compilation):
        yield compilation
