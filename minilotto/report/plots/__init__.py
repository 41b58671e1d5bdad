"""Drawing of numbers on axes. No computing beyond binning, no files. With
minilotto.ensemble.plots the only importer of matplotlib.

Figures are made without pyplot, so that drawing needs no display, keeps no global state and may
happen in any thread.
"""

import minilotto.ensemble.plots  # noqa: F401  refuses a matplotlib that cannot be loaded
