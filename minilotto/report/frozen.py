"""The version of the rules: what they were when it was given, as digests.

Rules, margins and claims are written while their authors see results, so they are no predictions.
What can be had is this: they are frozen at a version, then applied to trainings from a root seed
that nobody had looked at (`reproduce --root_seed N --compare REPORT`). `python -m
minilotto.report.frozen` says what has changed since the version, or with a number freezes that
version; a test fails until it does.
"""

import hashlib
import json
import re
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from minilotto.errors import ConfigError, MinilottoError
from minilotto.files import parsed_toml, write_bytes
from minilotto.report.claims import read_toml
from minilotto.settings.numbers import whole_number

PACKAGE, FILE = "minilotto.report", "frozen.toml"
JUDGED = ("how", "fails", "why", "reasons")  # texts of a claim that state its rule


def frozen() -> dict[str, Any]:
    """The version of the rules, and the digest of each file that it was given to."""
    return read_toml(PACKAGE, FILE)


def digests() -> dict[str, str]:
    """Of the rules, and of the rules of each register's claims, as they are now."""
    folder = Path(str(files(PACKAGE)))
    found = {"rules.py": _digest((folder / "rules.py").read_bytes())}
    for path in sorted(folder.rglob("claims.toml")):
        found[path.relative_to(folder).as_posix()] = _digest(_rules_of(path))
    return found


def changed() -> list[str]:
    """Files that differ from what was frozen, appeared, or disappeared."""
    then, now = frozen()["digests"], digests()
    return sorted(name for name in {*then, *now} if then.get(name) != now.get(name))


def freeze(version: int) -> None:
    """Give what is there a version. Raises ConfigError for one that is not higher."""
    last = frozen()["version"]
    if version <= last:
        raise ConfigError(f"version {version} is not above {last}; give a higher one")
    lines = [
        "# The rules that judge, frozen: python -m minilotto.report.frozen VERSION",
        f"version = {version}",
        "\n[digests]",
        *(f'"{name}" = "{digest}"' for name, digest in digests().items()),
    ]
    write_bytes(Path(str(files(PACKAGE) / FILE)), ("\n".join(lines) + "\n").encode())


def _rules_of(path: Path) -> bytes:
    """What a register says of how its claims are judged: numbers and rules, no other sentences."""
    tables = parsed_toml(path.read_text(encoding="utf-8"))
    rules = {
        f"{name}.{key}": {n: v for n, v in row.items() if not isinstance(v, str) or n in JUDGED}
        for name, table in tables.items()
        for key, row in table.get("claims", {}).items()
    }
    return json.dumps(rules, sort_keys=True).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def main(words: list[str]) -> int:
    """Exit status: 1 where something has changed since the version, 2 for a wrong one."""
    try:
        if words:
            text = " ".join(words)
            version = int(text) if re.fullmatch("[0-9]{1,9}", text) else text
            freeze(whole_number("version", version, at_least=1))
    except MinilottoError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    differ = changed()
    print(f"version {frozen()['version']}; changed since: {', '.join(differ) or 'nothing'}")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
