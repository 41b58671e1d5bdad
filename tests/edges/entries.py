"""Entry points by what they take: a name, and a callable that is given the thing.

A new entry point meets every hostile input of a kind by being added to its group.
"""

# ---- words of the command line, and streams ----


# ---- arrays, datasets, configs, seeds, tables of data ----


# ---- paths, folders, stores ----


# ---- signals and interruptions ----


# ---- samples of losses and fits ----
