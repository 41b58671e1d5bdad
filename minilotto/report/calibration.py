"""Tables of the page about the rules: how often planted truths get which verdict, and margins."""

import csv
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

from minilotto.report.rules import DECIDED, FAILS, HOLDS, MARGINS, UNDECIDED

FILE = "verdict-rates.csv"  # python -m bench.coverage --parts verdicts --out FILE


class PageTable(NamedTuple):
    """A table of the page that belongs to no figure."""

    heading: str
    text: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def rates() -> list[dict[str, str]]:
    """Rows of the generated file: what is planted, and how often each verdict is given."""
    text = (files("minilotto.report") / FILE).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def rates_table() -> PageTable:
    places = ("claim", "truth", "losses", "seeds")
    verdicts = (HOLDS, FAILS, UNDECIDED)
    found = rates()
    rows = [
        (*(row[name] for name in places), *(f"{float(row[name]):.0%}" for name in verdicts))
        for row in found
    ]
    text = (
        "Truths planted at the report's numbers of seeds and judged by its code, each as one of a "
        f"family of six tests of which no other is decided; {found[0]['trials']} draws of each. "
        "Losses about their median: log-normal (one peak), a fifth of them with five times the "
        "spread (heavy-tailed), three tenths shifted by more than a decade (two peaks), of targets "
        "of two inputs with that standard deviation of the natural logarithm (spread)."
    )
    return PageTable("How often each verdict is given", text, (*places, *verdicts), rows)


def margins_table() -> PageTable:
    rows = [(one.kind, f"{one.size:g}", one.why) for one in MARGINS.values()]
    text = (
        "A claim about a number holds where the interval lies within the margin, and fails where "
        "it lies outside or excludes a value that is claimed exactly; else it is undecided. The "
        "intervals judged in one figure or study are one family: by Holm's step-down any of them "
        "decides wrongly with a chance of at most 5%. Of claims about several things: "
        f"{', '.join(DECIDED)} where all do, some do and some do not, and none does."
    )
    return PageTable("Margins", text, ("quantity", "margin", "why"), rows)
