"""Conversion of a command line's words, as Fire reads them, to the values that are meant.

Fire guesses types: 1e6 is a float, 1,2 a tuple, --flag=false a string, and a flag without a value
True.
"""

import difflib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from minilotto.errors import ConfigError

PROGRAM = "python -m minilotto"
FAILURE, USAGE, INTERRUPTED = 1, 2, 130  # exit statuses


class Plan:
    """What a command will do: `run()` does it and returns the exit status.

    It lists no attributes, so that Fire takes no further word for one.
    """

    def __init__(self, run: Callable[[], int]) -> None:
        self.run = run

    def __dir__(self) -> list[str]:
        return []


def refuse_unknown(
    settings: dict[str, Any], command: Callable[..., Plan], fields: Iterable[str] = ()
) -> None:
    """Raises ConfigError, with the nearest flag, for a name that is no flag nor in `fields`."""
    parameters = inspect.signature(command).parameters.values()
    known = (*(p.name for p in parameters if p.kind is p.KEYWORD_ONLY), *fields)
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
    """The known word that is close to this one, as a question; nothing where none is."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {prefix}{close[0]}?)" if close else ""


def truth(name: str, value: Any) -> bool:
    """The value of --quiet, --quiet=false and so on. Raises ConfigError."""
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(value).lower() not in known:
        raise ConfigError(
            f"--{name}={value!r} is no truth value; give --{name} alone, or --{name}=true or "
            f"--{name}=false"
        )
    return known[str(value).lower()]


def nodes_or_not(value: Any) -> Any:
    """The value of --compress, --compress=false or a number. Raises ConfigError."""
    try:
        return truth("compress", value) if isinstance(value, str) else value
    except ConfigError:
        raise ConfigError(
            f"--compress={value!r} is neither true nor false nor a number of nodes; give one of "
            "these"
        ) from None


def file_name(name: str, value: Any) -> str:
    """The name of a file or folder. Raises ConfigError."""
    if isinstance(value, (bool, list, tuple, dict, set)):
        raise ConfigError(f"--{name}={value!r} is no file name; give one, as in --{name} nets.npz")
    return str(value)


def items(value: Any) -> list[Any]:
    """The value as a list, whether Fire made one or not."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def seed_words(value: Any) -> Any:
    """Seeds as `train` takes them: "1000:2000" becomes a range. Raises ConfigError."""
    if not isinstance(value, str):
        return value
    first, colon, last = value.partition(":")
    if not (colon and first.isdecimal() and last.isdecimal() and int(first) < int(last)):
        raise ConfigError(
            f"--seeds={value!r} is no seeds; give a number, a range such as 1000:2000, or a list "
            "such as 3,5,8"
        )
    return range(int(first), int(last))
