"""Entry points by what they take: a name, and a callable that is given the thing.

A new entry point meets every hostile input of a kind by being added to its group.
"""

# ---- words of the command line, and streams ----


# ---- arrays, datasets, configs, seeds, tables of data ----


# ---- paths, folders, stores ----

# ---- signals and interruptions ----
# Commands that a signal may end at any moment, by words; {} is the folder that they write to.
INTERRUPTED = {
    "train": "train --width 2 --seeds 1000 --steps 3000 --quiet --threads 1 --out {}/nets.npz",
    "train with a bar and a picture": "train --width 2 --seeds 600 --steps 3000 --threads 2 "
    "--out {}/nets.npz --plot {}/nets.png",
    "train without a file": "train --width 2 --seeds 1000 --steps 3000 --quiet --threads 1",
    "sweep": "sweep --widths 1,2 --seeds 60 --steps 400 --quiet --threads 1 --out {}/runs",
    "sweep in threads": "sweep --widths 1,2 --seeds 60 --steps 400 --quiet --threads 2 "
    "--out {}/runs",
    "figure": "figure 2b --quick --seeds 30 --quiet --threads 1 --runs {}/runs --out {}/figure.png",
    "reproduce": "reproduce --quick --figures 2b,4 --seeds 30 --quiet --threads 2 --out {}/report",
    "verify": "verify {}/../runs --recompute 40 --threads 2",
    "check": "check --activations silu --tasks square --dtypes float32 --losses squared --quiet",
}


# ---- samples of losses and fits ----
