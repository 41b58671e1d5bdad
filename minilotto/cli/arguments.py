"""Words of a command line, as Fire reads them, made what they should be.

Fire reads types off the words: 1e6 is a float, 1,2 a tuple, --flag=false a string, and a flag
without a value True.
"""

import difflib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from minilotto.errors import ConfigError

PROGRAM = "python -m minilotto"
FAILURE, USAGE, INTERRUPTED = 1, 2, 130  # exit statuses


class Plan:
    """What a command is going to do. `run()` does it and returns the exit status; Fire finds
    nothing here to walk into.
    """

    def __init__(self, run: Callable[[], int]) -> None:
        self.run = run

    def __dir__(self) -> list[str]:
        return []


def refuse_unknown(
    settings: dict[str, Any], command: Callable[..., Plan], fields: Iterable[str] = ()
) -> None:
    """Raises ConfigError, with the nearest flag, for a name that is neither a flag of `command` nor
    one of `fields`.
    """
    known = (
        *(
            p.name
            for p in inspect.signature(command).parameters.values()
            if p.kind is p.KEYWORD_ONLY
        ),
        *fields,
    )
    for name in settings:
        if name not in known:
            raise ConfigError(
                f"--{name} is no flag{suggestion(name, known, '--')}; see {PROGRAM} "
                f"{command.__name__} --help for all of them"
            )


def refuse_empty(values: dict[str, Any]) -> None:
    """Raises ConfigError for a flag that was given no value."""
    for name, value in values.items():
        if isinstance(value, bool):
            raise ConfigError(
                f"--{name} is {str(value).lower()} where it needs a value; give one after it"
            )


def suggestion(word: str, known: Iterable[str], prefix: str = "") -> str:
    """What to say where a word is close to a known one."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {prefix}{close[0]}?)" if close else ""


def truth(name: str, value: Any) -> bool:
    """Of --quiet, --quiet=false and the like. Raises ConfigError."""
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(value).lower() not in known:
        raise ConfigError(
            f"--{name}={value!r} is no truth value; give --{name} alone, or --{name}=true or "
            f"--{name}=false"
        )
    return known[str(value).lower()]


def nodes_or_not(value: Any) -> Any:
    """--compress, --compress=false or a number. Raises ConfigError."""
    try:
        return truth("compress", value) if isinstance(value, str) else value
    except ConfigError:
        raise ConfigError(
            f"--compress={value!r} is neither true nor false nor a number of nodes; give one of "
            "these"
        ) from None


def file_name(name: str, value: Any) -> str:
    """A file's or folder's name. Raises ConfigError."""
    if isinstance(value, (bool, list, tuple, dict, set)):
        raise ConfigError(f"--{name}={value!r} is no file name; give one, as in --{name} nets.npz")
    return str(value)


def items(value: Any) -> list[Any]:
    """A list, whether Fire made one or not."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def seed_words(value: Any) -> Any:
    """1000, or range(1000, 2000) for "1000:2000", or a list. Raises ConfigError."""
    if not isinstance(value, str):
        return value
    first, colon, last = value.partition(":")
    if not (colon and first.isdecimal() and last.isdecimal() and int(first) < int(last)):
        raise ConfigError(
            f"--seeds={value!r} is no seeds; give a number, a range such as 1000:2000, or a list "
            "such as 3,5,8"
        )
    return range(int(first), int(last))
