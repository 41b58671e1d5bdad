"""Each example runs at its small setting and draws."""

from pathlib import Path

import numpy as np
import pytest

import minilotto as ml

ROOT = Path(ml.__file__).resolve().parent.parent
EXAMPLES = (
    "one_net",
    "depth",
    "own_data",
    "scaling_law",
    "tickets",
    "optimisers",
    "update_rules",
    "schedules",
    "numba_loop",
    "c_and_fortran",
    "dask_sweep",
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ROOT / "examples" / "one_net.py").exists(), reason="only a source tree has examples"
    ),
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_and_draws(python, tmp_path, name):
    done = python(
        "-W",
        "error",
        str(ROOT / "examples" / f"{name}.py"),
        "picture.png",
        timeout=600,
        OPENBLAS_NUM_THREADS="1",
    )
    assert done.status == 0, done.err
    if done.out.startswith("skipped: "):
        pytest.skip(done.out.strip())
    assert (tmp_path / "picture.png").stat().st_size > 10_000
    if name == "c_and_fortran" and "Fortran part is skipped" not in done.out:
        rows = np.array(
            [line.split() for line in done.out.splitlines() if len(line.split()) == 3], dtype=float
        )
        np.testing.assert_allclose(rows[:, 0], np.arange(-4, 5) / 2)
        np.testing.assert_allclose(
            rows[:, 1:], np.stack([np.sin(rows[:, 0]), np.cos(rows[:, 0])], axis=1), atol=0.1
        )


def test_without_its_extra_the_dask_example_names_it(python, tmp_path):
    (tmp_path / "distributed.py").write_text("raise ImportError('no such package')\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.path.insert(1, "
        f"{str(ROOT / 'examples')!r})\n"
    )
    done = python(
        "-c", code + "import dask_sweep\ndask_sweep.main('picture.png', steps=50, seeds=2)"
    )
    assert done.status == 0, done.err
    assert done.out.startswith("skipped: distributed cannot be used as it is at ")
    assert 'pip install -e ".[dask]"' in done.out
    assert not (tmp_path / "picture.png").exists()


def test_no_example_is_left_out():
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)
