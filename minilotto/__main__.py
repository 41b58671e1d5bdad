"""python -m minilotto"""

import sys

from minilotto.cli.commands import main
from minilotto.cli.streams import run

if __name__ == "__main__":
    sys.exit(run(main, sys.argv[1:]))
