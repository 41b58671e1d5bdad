"""`minilotto` and `python -m minilotto`."""

import logging
import os
import sys
import warnings
from typing import NoReturn

from minilotto import signals
from minilotto.cli import commands
from minilotto.cli.streams import run


def take_over() -> None:
    """Keep settings that are meant for other programs from ending this one.

    Pictures are files without a date, whatever matplotlib is to draw in elsewhere. tqdm takes
    options from the environment. A warning is a line, and no error.
    """
    os.environ["MPLBACKEND"] = "agg"
    os.environ.pop("SOURCE_DATE_EPOCH", None)  # NumPy and matplotlib fail where it is no number
    for name in [name for name in os.environ if name.startswith("TQDM_")]:
        if name != "TQDM_DISABLE":
            del os.environ[name]
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    warnings.formatwarning = lambda message, *_, **__: f"{message}\n"
    if any(option.startswith("e") for option in sys.warnoptions):
        warnings.simplefilter("default")
        for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", kind)  # as without the option


def main() -> NoReturn:
    """Run the words of the command line, and end the process."""
    take_over()
    status = run(commands.main, sys.argv[1:])
    signals.done()
    sys.exit(status)


if __name__ == "__main__":
    main()
