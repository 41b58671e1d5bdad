"""How a benchmark's command runs: its words are read as those of `python -m minilotto`, all of them
first, then it measures.
"""

import inspect
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, get_args, get_type_hints

from minilotto.cli.arguments import FAILURE, INTERRUPTED, USAGE, Plan, plan_of
from minilotto.cli.docstrings import text_of
from minilotto.errors import ConfigError, MinilottoError
from minilotto.settings.numbers import real_number, whole_number

__all__ = ["FAILURE", "Plan", "chosen_of", "run_command"]
FROM_ZERO = ("seed", "batches")  # other numbers are at least 1, or above 0


def run_command(command: Callable[..., Any], name: str) -> int:
    """Run a command, or the plan that it returns, with the words of the command line.

    The exit status: what it returns, 2 for wrong flags, 130 when interrupted.
    """
    words, program = sys.argv[1:], f"python -m {name}"
    if "-h" in words or "--help" in words:
        parameters = inspect.signature(command).parameters.values()
        flags = [f"--{p.name} (default {p.default})" for p in parameters]
        print(f"usage: {program} [--flag value ...]", text_of(command), *flags, sep="\n\n")
        return 0
    try:
        done = plan_of(_checked(command), words, program)
        return int((done.run() if isinstance(done, Plan) else done) or 0)
    except MinilottoError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _checked(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command, which refuses what is no number where it declares one."""
    types = get_type_hints(command)

    @wraps(command)
    def within(*words: Any, **flags: Any) -> Any:
        given = inspect.signature(command).bind(*words, **flags).arguments
        return command(**{name: _number(types[name], name, v) for name, v in given.items()})

    return within


def _number(declared: Any, name: str, value: Any) -> Any:
    kinds = {declared, *get_args(declared)}  # of int | None both
    if isinstance(value, list):
        if not value:
            raise ConfigError(f"--{name} names nothing; give at least one")
        of = int if list[int] in kinds else str
        return [_number(of, name, one) for one in value]
    if int in kinds:
        return whole_number(name, value, at_least=0 if name in FROM_ZERO else 1)
    if float in kinds:
        return real_number(name, value, "above 0", lambda real: real > 0)
    return value


def chosen_of(name: str, words: Sequence[str] | None, choices: Sequence[str]) -> tuple[str, ...]:
    """Those of the choices that a flag names: all by default. Raises ConfigError."""
    for word in words or ():
        if word not in choices:
            raise ConfigError(f"{name}={word!r} is unknown; choose from {', '.join(choices)}")
    return tuple(choices if words is None else words)
