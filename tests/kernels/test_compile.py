"""What processes that compile at once, or are killed, leave on disk."""

import os
import time

import numba
import pytest

from minilotto.kernels.compile import LONG, kernel, remove_unused


def twice(number):
    return 2 * number


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """Makes the kernel as a process of its own has it, which keeps it in an empty folder."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    return lambda: kernel()(twice)


def test_processes_that_compile_at_once_write_into_files_of_their_own(
    compiled, tmp_path, monkeypatch
):
    whole, real = compiled(), compiled()
    for one, number in ((whole, 3), (real, 1.5)):
        # Each has read the index before the other one wrote it.
        monkeypatch.setattr(one._cache._cache_file, "_load_index", dict)
        assert one(number) == 2 * number
    assert len({*tmp_path.rglob("*.nbc")}) == 2
    third = compiled()
    assert third(1.5) == 3.0
    assert sum(third.stats.cache_hits.values()) == 1


def test_a_kernel_is_in_the_index_once_its_file_is_whole(compiled, tmp_path, monkeypatch):
    def killed(name, content):
        raise KeyboardInterrupt

    one = compiled()
    monkeypatch.setattr(one._cache._cache_file, "_save_data", killed)
    with pytest.raises(KeyboardInterrupt):
        one(3)
    assert not [*tmp_path.rglob("*.nbi")]


def test_what_no_process_has_loaded_for_long_is_removed(compiled, tmp_path):
    first, old = compiled(), time.time() - LONG - 60
    first(3)
    before = {*tmp_path.rglob("*.nbc")}
    first(1.5)
    for path in [*tmp_path.rglob("*.nb?"), *tmp_path.iterdir()]:
        os.utime(path, (old, old))
    (other := next(tmp_path.iterdir()) / "notes.txt").touch()
    os.utime(other, (old, old))
    remove_unused.cache_clear()
    second = compiled()
    second(3)  # from disk
    second(1j)  # compiled, and old files removed
    assert before < {*tmp_path.rglob("*.nbc")}
    assert len({*tmp_path.rglob("*.nbc")}) == 2
    assert other.exists()
    third = compiled()
    assert (third(3), third(1.5), third(1j)) == (6, 3.0, 2j)
    assert (len(third.stats.cache_hits), len(third.stats.cache_misses)) == (2, 1)
