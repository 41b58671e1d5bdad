"""The report as one self-contained HTML page, as Markdown and as JSON, with the same verdicts."""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from html import escape
from importlib.resources import files
from itertools import islice
from typing import Any

from minilotto.errors import MinilottoError
from minilotto.report.calibration import PageTable
from minilotto.report.claims import Verdict
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNDECIDED, UNTESTED

MARK = "written by minilotto reproduce"  # in every page, so that no other is overwritten
LONG = 40  # rows of a table that are folded away
NOTES = 4  # of a section that are printed
_CLASSES = {HOLDS: "holds", IN_PART: "part", FAILS: "fails", UNDECIDED: "none", UNTESTED: "none"}


@dataclass(frozen=True)
class Section:
    """One figure on the page: its picture as .svg or .png bytes, None where it could not be drawn,
    and `notes` that say why; `small`, the picture in few pixels.

    `preface` stands above the picture; `claimed_by` says whose claims the verdicts are about;
    `drawn` when, by which version and from how many seeds; `warning` what is less than the paper's.
    """

    name: str
    title: str
    caption: str
    command: str
    picture: bytes | None
    files: Sequence[str]
    verdicts: Sequence[Verdict]
    notes: Sequence[str] = ()
    headline: str = ""
    preface: Sequence[str] = ()
    claimed_by: str = "the paper"
    drawn: str = ""
    warning: str = ""
    small: bytes | None = None

    def first_notes(self) -> list[str]:
        """The first NOTES of them, and how many follow, which report.json has."""
        rest = len(self.notes) - NOTES
        more = [f"{rest} more such notes are in report.json."] if rest > 0 else []
        return [*self.notes[:NOTES], *more]

    def rows(self, verdict: Verdict) -> dict[str, str]:
        """What is printed of a claim, by label; "" where that does not apply."""
        return {
            "where": "" if verdict.where == self.claimed_by else verdict.where,
            self.claimed_by: verdict.says,
            "measured": verdict.measured,
            "tested by": verdict.how,
            "fails if": verdict.fails,
            "verdict": verdict.reason,
        }


@dataclass(frozen=True)
class Report:
    """Everything on the page."""

    title: str
    introduction: Sequence[str]
    warning: str
    sections: Sequence[Section]
    remarks: Sequence[str]
    reading: Sequence[str] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    tables: Sequence[PageTable] = ()

    @property
    def verdicts(self) -> list[Verdict]:
        return [verdict for section in self.sections for verdict in section.verdicts]

    @property
    def headlines(self) -> list[Section]:
        """The sections that have one."""
        return [section for section in self.sections if section.headline]

    def counted(self) -> list[tuple[str, int]]:
        """How many claims got each verdict, in a fixed order."""
        counts = Counter(verdict.verdict for verdict in self.verdicts)
        return [(name, counts[name]) for name in _CLASSES if counts[name]]


def to_html(report: Report) -> str:
    """One page that needs nothing else: style and pictures are inside."""
    style = (files("minilotto.report") / "page.css").read_text(encoding="utf-8")
    title = escape(report.title)
    counts = (
        f'<span class="count">{_badge(name)} {count}</span>' for name, count in report.counted()
    )
    links = (_link(one, one.title) for one in report.sections)
    claims = [
        (_link(section, section.name),) + (escape(verdict.claim), _badge(verdict.verdict))
        for section in report.sections
        for verdict in section.verdicts
    ]
    first = (
        f'<figure class="first">{_link(one, _image(one.picture, one.title), True)}'
        f"<figcaption>{escape(one.title)}</figcaption></figure>"
        for one in report.sections
        if one.picture is not None
    )
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta name="generator" content="{MARK}">',
        f"<title>{title}</title><style>\n{style}</style></head><body><main><h1>{title}</h1>",
        *_paragraphs(report.introduction),
        *(_paragraphs([report.warning], ' class="quick"') if report.warning else ()),
        *islice(first, 1),
        _list("In short", map(_headline, report.headlines), ' class="short"'),
        f"<p>{''.join(counts)}</p>",
        _list("How to read this page", map(_prose, report.reading)),
        f"<nav>{_list('Contents', links)}</nav>",
        _table("All claims", claims, ("figure", "claim", "verdict")),
        *(_section(one, report.warning) for one in report.sections),
        _list("What could not be recovered, and what to know", map(_prose, report.remarks)),
        *(_page_table(one) for one in report.tables),
        _table("Provenance", [(escape(k), escape(str(v))) for k, v in report.provenance.items()]),
        "</main></body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _section(section: Section, common: str) -> str:
    parts = [f'<h2 id="{_anchor(section.name)}">{escape(section.title)}</h2>']
    if section.warning and section.warning != common:
        parts += _paragraphs([section.warning], ' class="quick"')
    parts += _paragraphs(section.preface)
    if section.picture is not None:
        parts.append(
            f'<figure><div class="wide">{_image(section.picture, section.title)}</div>'
            f"<figcaption>{_prose(section.caption)}</figcaption></figure>"
        )
    parts += _paragraphs(section.first_notes(), ' class="note"')
    for verdict in section.verdicts:
        rows = (f"<dt>{k}</dt><dd>{_prose(t)}</dd>" for k, t in section.rows(verdict).items() if t)
        parts.append(
            f'<div class="claim"><h3><span>{escape(verdict.claim)}</span>'
            f"{_badge(verdict.verdict)}</h3><dl>{''.join(rows)}</dl></div>"
        )
    made = ", ".join(f'<a href="{escape(name)}">{escape(name)}</a>' for name in section.files)
    repeat = f"To repeat: <code>{escape(section.command)}</code>."
    drawn = f" Drawn {escape(section.drawn)}." if section.drawn else ""
    parts.append(f"<p>{repeat}{drawn}{f' Numbers and pictures: {made}.' if made else ''}</p>")
    return "\n".join(parts)


def _headline(section: Section) -> str:
    """A result in a sentence or two, with its figure in few pixels and a link."""
    image = "" if section.small is None else _link(section, _image(section.small, ""), True)
    where = section.title.partition(":")[0] if section.claimed_by == "the paper" else section.title
    return f"{image}<span>{_prose(section.headline)} {_link(section, where)}</span>"


def _link(section: Section, text: str, markup: bool = False) -> str:
    return f'<a href="#{_anchor(section.name)}">{text if markup else escape(text)}</a>'


def _image(picture: bytes, words: str) -> str:
    kind = "png" if picture.startswith(b"\x89PNG") else "svg+xml"
    data = base64.b64encode(picture).decode()
    return f'<img alt="{escape(words)}" src="data:image/{kind};base64,{data}">'


def _paragraphs(texts: Iterable[str], attributes: str = "") -> list[str]:
    return [f"<p{attributes}>{_prose(text)}</p>" for text in texts]


def _list(heading: str, items: Iterable[str], attributes: str = "") -> str:
    listed = "".join(f"<li>{item}</li>" for item in items)
    return f"<h2>{heading}</h2><ul{attributes}>{listed}</ul>" if listed else ""


def _table(heading: str, rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> str:
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    if header:
        lines.insert(0, "".join(f"<th>{cell}</th>" for cell in header))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<h2>{heading}</h2><div class="wide"><table>{body}</table></div>' if rows else ""


def _page_table(one: PageTable) -> str:
    rows = [[escape(cell) for cell in row] for row in one.rows]
    table = _table("", rows, one.header).removeprefix("<h2></h2>")
    if len(rows) > LONG:
        table = f"<details><summary>{len(rows)} rows</summary>{table}</details>"
    return f"<h2>{escape(one.heading)}</h2>{_paragraphs([one.text])[0]}{table}"


def _badge(verdict: str) -> str:
    return f'<span class="badge {_CLASSES[verdict]}">{escape(verdict)}</span>'


def _anchor(name: str) -> str:
    return "figure-" + re.sub(r"\W", "-", name)


def _prose(text: str) -> str:
    """Escaped text in which `code` is marked as such and preprints are linked."""
    linked = re.sub(
        r"arXiv:(\d{4}\.\d{5})", r'<a href="https://arxiv.org/abs/\1">arXiv:\1</a>', escape(text)
    )
    return re.sub("`(.*?)`", r"<code>\1</code>", linked)


def to_markdown(report: Report) -> str:
    """The same in Markdown, one table a figure."""
    headlines = [f"{one.headline} ({one.title.partition(':')[0]})" for one in report.headlines]
    parts = [f"# {report.title}", *report.introduction, report.warning, _listed(headlines)]
    parts.append(", ".join(f"{name}: {count}" for name, count in report.counted()))
    parts.append(_listed(report.reading))
    for section in report.sections:
        warning = section.warning if section.warning != report.warning else ""
        parts += [f"## {section.title}", warning, *section.preface]
        pictures = [name for name in section.files if name.endswith(".png")]
        parts += [f"![{section.title}]({pictures[0]})", section.caption] if pictures else []
        parts += [f"*{note}*" for note in section.first_notes()]
        rows = [{"claim": one.claim, **section.rows(one)} for one in section.verdicts]
        for row, one in zip(rows, section.verdicts, strict=True):
            row["verdict"] = f"**{one.verdict}**: {one.reason}"
        labels = [label for label in (rows[0] if rows else ()) if any(row[label] for row in rows)]
        parts.append(_piped(labels, ([row[label] for label in labels] for row in rows)))
        drawn = f" (drawn {section.drawn})" if section.drawn else ""
        parts.append(f"`{section.command}`{drawn}")
    for table in report.tables:
        parts += [f"## {table.heading}", table.text, _piped(table.header, table.rows)]
    provenance = [f"{key}: {value}" for key, value in report.provenance.items()]
    parts += [_listed(report.remarks), _listed(provenance), f"<!-- {MARK} -->"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _piped(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *cells] if header else []
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _listed(texts: Iterable[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def to_json(report: Report) -> str:
    """The same for machines; numbers that are not finite become null."""
    figures = []
    for section in report.sections:
        one = asdict(replace(section, picture=None, small=None))
        del one["picture"], one["small"]
        one["claims"] = one.pop("verdicts")
        figures.append(one)
    content: dict[str, Any] = {"title": report.title, "warning": report.warning, "generator": MARK}
    content |= {"figures": figures, "provenance": dict(report.provenance)}
    return json.dumps(_finite(content), indent=1, sort_keys=True) + "\n"


def from_json(text: str) -> list[Section]:
    """The sections that `to_json` wrote, without their pictures. Raises ValueError for other text,
    and for that of a version whose sections had other fields.
    """
    try:
        content = json.loads(text)
        figures = [dict(one) for one in content["figures"]]
        verdicts = [[Verdict(**claim) for claim in one.pop("claims")] for one in figures]
        rest = zip(figures, verdicts, strict=True)
        return [Section(**one, picture=None, verdicts=claims) for one, claims in rest]
    except (AttributeError, KeyError, TypeError, RecursionError, MinilottoError) as error:
        raise ValueError(f"no sections of a report: {error}") from None


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return value
