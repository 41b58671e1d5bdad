"""Drawing: (numbers, ax) -> ax. No computing beyond binning, no files. The only importer of
matplotlib.

Figures are made without pyplot, so that drawing needs no display, keeps no global state and may
happen in any thread.
"""

from minilotto.errors import ResourceError

try:
    import matplotlib  # noqa: F401
except (ImportError, OSError, ValueError) as error:  # a folder or a setting of its own
    raise ResourceError(
        f"matplotlib cannot be loaded ({error}); see MPLBACKEND, MPLCONFIGDIR"
    ) from None
