"""The paper's SiLU sweep by one command, start to finish: `python -m bench.sweep [--seeds 1000]
[--rounds 1]`.

Widths 1, 2, 3, 4, 10, 20, 30, 40, 50; 50,000 steps; float32; `minilotto sweep` into an empty
folder, its table and files included.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.command import run_command

WIDTHS = (1, 2, 3, 4, 10, 20, 30, 40, 50)


def main(*, seeds: int = 1000, rounds: int = 1) -> None:
    """Train the sweep `rounds` times and print what each took in seconds, from the command to its
    end.
    """
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            words = [
                "sweep",
                "--widths",
                ",".join(map(str, WIDTHS)),
                "--seeds",
                str(seeds),
                "--out",
                str(Path(folder) / "runs"),
                "--quiet",
            ]
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "minilotto", *words],
                check=True,
                capture_output=True,
                text=True,
            )
            took = time.perf_counter() - began
        if number == 0:
            print(done.stdout)
        print(f"all widths: {took:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(run_command(main, "bench.sweep"))
