"""python -m minilotto"""

import sys

from minilotto.cli.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
