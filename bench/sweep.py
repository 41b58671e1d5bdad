"""The paper's SiLU sweep through the command line, start to finish: `python -m bench.sweep [--seeds 1000] [--compress false]`.

Widths 1, 2, 3, 4, 10, 20, 30, 40, 50; 50,000 steps; float32; each width a command of its own, with its summary and its file.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

WIDTHS = (1, 2, 3, 4, 10, 20, 30, 40, 50)


def main(*, seeds: int = 1000, compress: bool = True) -> None:
    """Train the sweep and print what each width, and all of them, took in seconds."""
    total = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for width in WIDTHS:
            words = ["train", "--width", width, "--seeds", seeds, "--compress", compress, "--out", Path(folder) / f"{width}.npz"]
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", "minilotto", *map(str, words), "--quiet"], check=True, stdout=subprocess.DEVNULL)
            took = time.perf_counter() - began
            total += took
            print(f"width {width:2d}: {took:6.2f} s", flush=True)
    print(f"all widths: {total:.1f} s")


if __name__ == "__main__":
    import fire

    fire.Fire(main)
