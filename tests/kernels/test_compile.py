"""What processes that compile at once, or are killed, leave on disk."""

import numba
import pytest

from minilotto.kernels.compile import kernel


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
