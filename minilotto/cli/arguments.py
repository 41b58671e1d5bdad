"""Words of a command line: to which flag each belongs, and which value it is.

A word is the string that it is until the declared type of its flag, or of its field of Config, says
how to read it; nothing is read as Python.
"""

import dataclasses
import difflib
import functools
import inspect
import operator
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from types import GenericAlias
from typing import Any, NewType, get_args, get_type_hints

from minilotto.errors import ConfigError, MinilottoError, shown
from minilotto.settings.config import DEFAULTS, FIELDS, Config
from minilotto.signals import CONSOLE
from minilotto.store.grid import AXES

PROGRAM = "minilotto" if CONSOLE else "python -m minilotto"
FAILURE, USAGE, INTERRUPTED = 1, 2, 130  # exit statuses

# Flags by what they are called elsewhere.
COMMON = {"learning_rate": "lr", "target": "task", "neurons": "width", "layers": "depth"}

FileName = NewType("FileName", str)
Seeds = int | range | list[int]


class Plan:
    """What a command will do: `run()` does it and returns the exit status.

    An error of the kinds `failures` on the way is one line and FAILURE. It lists no attributes, so
    that Fire takes no further word for one.
    """

    def __init__(
        self, work: Callable[[], int], failures: tuple[type[MinilottoError], ...] = ()
    ) -> None:
        self.work, self.failures = work, failures

    def run(self) -> int:
        try:
            return self.work()
        except self.failures as error:
            return tell(error)

    def __dir__(self) -> list[str]:
        return []


def tell(error: MinilottoError, more: str = "") -> int:
    """Print an error, and more, in a line on stderr; returns FAILURE."""
    print(f"{type(error).__name__}: {error}{more}", file=sys.stderr)
    return FAILURE


def plan_of(command: Callable[..., Plan], words: Sequence[str], program: str = "") -> Plan:
    """The plan that Fire makes of the words after the name of the command, which messages call
    `program`. Raises ConfigError.

    Fire gets `--name=text` alone, and for each name the function that reads its text.
    """
    from fire import Fire
    from fire.decorators import SetParseFns

    types = _types_of(command)
    given = _texts(command, words, types, program or f"{PROGRAM} {command.__name__}")
    readers = {name: functools.partial(READERS[types[name]], name) for name in given}
    plan: Plan = Fire(
        SetParseFns(**readers)(command),
        command=[f"--{name}={text}" for name, text in given.items()],
        name=command.__name__,
        serialize=lambda result: None,
    )
    return plan


def _types_of(command: Callable[..., Plan]) -> dict[str, Any]:
    """Declared types of a command's parameters, without None, and of the fields that it takes."""
    hints = get_type_hints(command)
    named = [
        p for p in inspect.signature(command).parameters.values() if p.kind is not p.VAR_KEYWORD
    ]
    types = {parameter.name: _declared(hints[parameter.name]) for parameter in named}
    return {**types, **_FIELDS_OF.get(command.__name__, {})}


def _declared(hint: Any) -> Any:
    """A type without None."""
    parts = get_args(hint)
    return functools.reduce(operator.or_, parts[:-1]) if type(None) in parts else hint


_FIELD_TYPES = {field.name: _declared(field.type) for field in dataclasses.fields(Config)}
_FIELDS_OF: dict[str, dict[str, Any]] = {
    "train": _FIELD_TYPES,
    "sweep": {
        "from": FileName,  # which Python does not allow as the name of a parameter
        **{name: GenericAlias(list, _FIELD_TYPES[field]) for name, field in AXES.items()},
    },
}


def _texts(
    command: Callable[..., Plan], words: Sequence[str], types: dict[str, Any], program: str
) -> dict[str, str]:
    """The text of each flag and of each word without one. Raises ConfigError."""
    parameters = inspect.signature(command).parameters.values()
    places = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    see = f"see {program} --help"
    found: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("-", "--"):
            raise ConfigError(f"a lone dash means nothing here; {see}")
        if word.startswith("--"):
            name, text = _flag(word, rest, types)
            if name in AXES and AXES[name] in types and name not in types:
                raise ConfigError(
                    f"--{name} takes several values and a training one; use {PROGRAM} sweep, or "
                    f"--{AXES[name]}"
                )
            if name not in types:
                close = suggestion(COMMON.get(name, name), types, "--")
                raise ConfigError(f"--{shown(name)[1:-1]} is no flag{close}; {see} for all of them")
        elif word.startswith("-"):
            raise ConfigError(
                f"{shown(word)} is no flag, as these begin with two dashes; write ./{word} for a "
                f"file, or {see}"
            )
        elif not places:
            raise ConfigError(
                f"{shown(word)} is not understood; flags are written --flag value, and {see}"
            )
        else:
            name, text = places.pop(0), word
        if name in found:
            raise ConfigError(
                f"--{name} is given twice, as {shown(found[name])} and {shown(text)}; give it once"
            )
        if "," in text and _FIELD_TYPES.get(name) is types[name] and not _GROUPED.fullmatch(text):
            raise ConfigError(
                f"{_shown(name, text)} is a list, and a training takes one value; use {PROGRAM} "
                "sweep for several"
            )
        if not text:
            raise ConfigError(f"--{name} is given no value; give one after it")
        found[name] = text
    return found


def _flag(word: str, rest: list[str], types: dict[str, Any]) -> tuple[str, str]:
    """Name and text of a word with two dashes; the text may be taken from the front of `rest`."""
    name, equals, text = word[2:].partition("=")
    name = name.replace("-", "_")
    if equals:
        return name, text
    negated = name.removeprefix("no").removeprefix("_")
    if name not in types and name.startswith("no") and _is_switch(types.get(negated)):
        return negated, "false"
    switch = _is_switch(types.get(name))
    if rest and not rest[0].startswith("-" if switch else "--"):
        return name, rest.pop(0)
    return name, "true" if switch else ""


def _is_switch(declared: Any) -> bool:
    """Whether a flag of this type may stand alone."""
    return declared is bool or bool in get_args(declared)


def _shown(name: str, text: str) -> str:
    return f"--{name}={shown(text)}"


def refuse_unused(config: Config, given: Iterable[str]) -> None:
    """Raises ConfigError for a given number that is the default of its field, and is not used.

    Config refuses all but the default of what it does not use, and cannot know what was given.
    """
    for name in given:
        value = getattr(config, name)
        if value and value == DEFAULTS[name] and isinstance(value, (int, float)):
            try:
                config.replace(**{name: value + 1 if isinstance(value, int) else 0.99 * value})
            except ConfigError as error:
                _, _, rule = str(error).partition(" ")
                if rule.startswith("means nothing"):
                    raise ConfigError(f"{name}={value} {rule}") from None


def suggestion(word: str, known: Iterable[str], prefix: str = "") -> str:
    """The known word that is close to this one, as a question; nothing where none is."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {prefix}{close[0]}?)" if close else ""


# Readers: a flag's name and its text give its value. What is no value of the type stays a string,
# for the check of the setting to refuse.
def truth(name: str, value: Any) -> bool:
    """The value of --quiet, --quiet=false and so on. Raises ConfigError."""
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(value).lower() not in known:
        raise ConfigError(
            f"--{name}={shown(value)} is no truth value; give --{name} alone, or --{name}=true or "
            f"--{name}=false"
        )
    return known[str(value).lower()]


def truth_or_number(name: str, text: str) -> Any:
    """The value of --compress, --compress=false or a number. Raises ConfigError."""
    value = whole(name, text)
    try:
        return truth(name, text) if isinstance(value, str) else value
    except ConfigError:
        raise ConfigError(
            f"{_shown(name, text)} is neither true nor false nor a number; give one of these"
        ) from None


_WHOLE = r"(0|[1-9]\d{0,2}(_\d{3})+|[1-9]\d*)"
_NUMBER = re.compile(rf"[+-]?({_WHOLE}(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}([.,'\s][0-9]{3})+")


def number(name: str, text: str) -> int | float | str:
    """A decimal number: an int where it is written as one. Raises ConfigError for 1,000."""
    if _GROUPED.fullmatch(text) and "." not in text:
        raise _grouped(name, text)
    if not _NUMBER.fullmatch(text):
        return text
    digits = text.replace("_", "")
    real = float(digits)
    return int(digits) if digits.lstrip("+-").isdecimal() and real - real == 0 else real


def whole(name: str, text: str) -> int | float | str:
    """`number`, and 1e3 is an int; 1.000 may be a thousand too and is refused."""
    if _GROUPED.fullmatch(text):
        raise _grouped(name, text)
    value = number(name, text)
    exact = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if exact else value


def _grouped(name: str, text: str, more: str = "") -> ConfigError:
    rule = "is a number or a list" if more else "has separators of thousands"
    digits = re.sub(r"[.,'\s]", "", text)
    return ConfigError(f"{_shown(name, text)} {rule}; write {digits}{more}")


def items(name: str, text: str) -> list[str]:
    """The parts of a list such as 1,2 or [1, 2]."""
    inner = text[1:-1] if text[0] + text[-1] in ("[]", "()") else text
    parts = [part.strip() for part in inner.split(",")]
    if not parts[-1]:
        parts.pop()
    return parts


def _list_of(
    read: Callable[[str, str], int | float | str],
) -> Callable[[str, str], list[int | float | str]]:
    def read_all(name: str, text: str) -> list[int | float | str]:
        if "," in text and _GROUPED.fullmatch(text):
            if ",0" in text:
                raise _grouped(name, text)
            if name in (*FIELDS, "seeds"):  # where one value is as usual as several
                raise _grouped(name, text, f" or [{text}]")
        return [read(name, part) for part in items(name, text)]

    return read_all


def seeds(name: str, text: str) -> Any:
    """Seeds as `train` takes them: 1000:2000 becomes a range. Raises ConfigError."""
    if re.search(r"[,[(]", text):
        return READERS[list[int]](name, text)
    first, *last = (whole(name, part) for part in text.split(":"))
    if not last and not isinstance(first, str):
        return first
    if not (
        len(last) == 1
        and isinstance(first, int)
        and isinstance(last[0], int)
        and 0 <= first < last[0]
    ):
        raise ConfigError(
            f"{_shown(name, text)} is no seeds; give a number, a range such as 1000:2000, or a "
            "list such as 3,5,8"
        )
    return range(first, last[0])


READERS: dict[Any, Callable[[str, str], Any]] = {
    str: lambda name, text: text,
    FileName: lambda name, text: text,
    int: whole,
    float: number,
    bool: truth,
    bool | int: truth_or_number,
    Seeds: seeds,
    list[str]: items,
    list[int]: _list_of(whole),
    list[float]: _list_of(number),
    list[bool]: _list_of(truth),
}
