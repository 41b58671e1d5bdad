"""Entry points by what they take: a name, and a callable that is given the thing.

A new entry point meets every hostile input of a kind by being added to its group.
"""

from collections.abc import Callable
from functools import partial


# ---- words of the command line, and streams ----
def _lines(*lines: str) -> dict[str, Callable[[str], list[str]]]:
    """Command lines that take a word, in the place of {}."""
    return {line: partial(_words, line) for line in lines}


def _words(line: str, word: str) -> list[str]:
    return [part.replace("{}", word) for part in line.split(" ")]


WHOLE_NUMBERS = _lines(
    *("train --seeds {}", "train --steps {}", "train --width={}", "train --points {}"),
    *("train --threads {}", "train --checkpoints {}", "train --lr-decay-every {}"),
    *("train --root_seed={}", "train --compress {}"),
    *("sweep --out r --widths {}", "sweep --out r --steps {}", "sweep --out r --seeds {}"),
    *("sweep --out r --threads={}", "figure 1c --seeds {}", "figure 1c --threads {}"),
    *("reproduce --seeds {}", "reproduce --threads {}", "verify r --recompute {}"),
)
REAL_NUMBERS = _lines(
    *(
        "train --lr {}",
        "train --noise={}",
        "train --beta1 {}",
        "train --init normal --init-scale {}",
    ),
    *("sweep --out r --lrs {}", "sweep --out r --epsilon {}"),
)
SWITCHES = _lines(
    *("train --quiet {}", "train --force={}", "sweep --out r --quiet {}", "figure 1c --quick={}"),
    *("reproduce --beyond {}", "reproduce --train {}", "check --quiet {}"),
)
NAMES = _lines(
    *("train --activation {}", "train --task {}", "train --backend={}", "train --engine {}"),
    *("sweep --out r --tasks {}", "sweep --out r --check {}", "sweep --out r --cluster {}"),
    *("check --losses {}", "figure {}", "reproduce --figures {}", "{}"),
)
# Each says in its refusal that the file is not there.
MISSING_FILES = _lines(
    *("train --data {}.csv", "train --data={}.npz", "sweep --out r --from {}.toml"),
    *("status {}", "verify {}", "train --out {}/n.npz", "train --plot {}/n.png"),
    *("figure 1c --out={}/f.png",),
)
MADE_FILES = _lines(
    *("train --width 1 --steps 5 --seeds 2 --quiet --out {}.npz",),
    *("sweep --width 1 --steps 5 --seeds 2 --quiet --out {}",),
)
# Each needs Numba.
COMPILED = (
    "train --width 1 --steps 5 --seeds 2 --quiet",
    "train --width 1 --steps 5 --seeds 2 --quiet --backend reference",
    "sweep --width 1 --steps 5 --seeds 2 --quiet --out r",
    "sweep --width 1 --steps 5 --seeds 2 --quiet --out r --cluster local:2",
    "check --activations silu --tasks square --dtypes float32 --losses squared --quiet",
    "figure 1c --quick --quiet",
    "info",
)
# Quick, and all that is printed is asked for.
COMMANDS = ("--help", "--version", "train --help", "info")


# ---- arrays, datasets, configs, seeds, tables of data ----


# ---- paths, folders, stores ----


# ---- signals and interruptions ----


# ---- samples of losses and fits ----
