"""python -m minilotto"""

import sys

from minilotto import signals
from minilotto.cli.commands import main

if __name__ == "__main__":
    status = main(sys.argv[1:])
    signals.done()
    sys.exit(status)
