"""Drawing: (numbers, ax) -> ax. No computing beyond binning, no files. The only importer of
matplotlib.

Figures are made without pyplot, so that drawing needs no display, keeps no global state and may
happen in any thread.
"""
