"""Which verdicts changed between two reports, such as those of two root seeds."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minilotto.errors import ConfigError, FileError
from minilotto.files import path_of
from minilotto.report.claims import Verdict
from minilotto.report.rules import DECIDED

# By figure and key in the register: claims in words and verdicts, one for each activation.
Claims = Mapping[tuple[str, str], list[tuple[str, str]]]


@dataclass(frozen=True)
class Changes:
    """Verdicts of one report beside those of another.

    agree: claims decided alike in both; flipped: decided otherwise, (figure, claim, before, after);
    lost: decided in one report alone.
    """

    agree: int
    flipped: list[tuple[str, str, str, str]]
    lost: list[tuple[str, str, str, str]]

    @property
    def share(self) -> float:
        """Of the claims decided in both reports, the fraction decided alike; NaN for none."""
        both = self.agree + len(self.flipped)
        return self.agree / both if both else float("nan")

    def words(self) -> list[str]:
        both = self.agree + len(self.flipped)
        lines = [f"{self.agree} of {both} claims that both reports decide have the same verdict."]
        for what, rows in (("Changed", self.flipped), ("Decided in one alone", self.lost)):
            each = [
                f"{name}, {claim}: {before}, now {after}" for name, claim, before, after in rows
            ]
            lines += [f"{what}: {'; '.join(each)}."] if each else []
        return lines


def changes(before: Claims, after: Claims) -> Changes:
    """Claims of both reports, matched by their keys, whatever their words."""
    rows = [
        (place[0], words, then, now)
        for place, some in after.items()
        if len(before.get(place, ())) == len(some)
        for (_, then), (words, now) in zip(before[place], some, strict=True)
    ]
    both = [row for row in rows if row[2] in DECIDED and row[3] in DECIDED]
    return Changes(
        agree=sum(then == now for *_, then, now in both),
        flipped=[row for row in both if row[2] != row[3]],
        lost=[row for row in rows if (row[2] in DECIDED) != (row[3] in DECIDED)],
    )


def recorded(path: str | Path) -> Claims:
    """The verdicts in a report's folder or report.json. Raises FileError, ConfigError."""
    place = path_of(path, folder=True)
    place = place / "report.json" if os.path.isdir(place) else place
    try:
        content: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        return _keyed(
            (figure["name"], claim["key"], claim["claim"], claim["verdict"])
            for figure in content["figures"]
            for claim in figure["claims"]
        )
    except OSError as error:
        raise FileError(f"cannot read {str(place)!r}: {error.strerror}; name a report") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(f"{str(place)!r} is no report.json; name a report's folder") from None


def claims_of(sections: Iterable[tuple[str, Iterable[Verdict]]]) -> Claims:
    """The same of sections at hand."""
    return _keyed(
        (name, one.key, one.claim, one.verdict) for name, verdicts in sections for one in verdicts
    )


def _keyed(rows: Iterable[tuple[str, str, str, str]]) -> Claims:
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name, key, words, verdict in rows:
        found.setdefault((name, key), []).append((words, verdict))
    return found
