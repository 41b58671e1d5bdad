"""How a benchmark's command runs: its flags first, all of them, then the measurement."""

import sys
from collections.abc import Callable

from minilotto.cli.arguments import FAILURE, INTERRUPTED, USAGE, Plan
from minilotto.errors import ConfigError, FileError

__all__ = ["FAILURE", "Plan", "main"]


def main(plan: Callable[..., Plan], name: str) -> int:
    """Make the plan that the command line asks for, and run it. The exit status: 2 for wrong flags,
    130 when interrupted.
    """
    import fire

    try:
        chosen = fire.Fire(plan, name=name, serialize=lambda result: None)
    except (ConfigError, FileError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return USAGE
    try:
        return chosen.run() if isinstance(chosen, Plan) else 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
