"""The report as one self-contained HTML page, as Markdown and as JSON, with the same verdicts."""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from html import escape
from importlib.resources import files
from typing import Any

from minilotto.report.claims import Verdict
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNDECIDED, UNTESTED

MARK = "written by minilotto reproduce"  # in every page, so that no other is overwritten
_CLASSES = {HOLDS: "holds", IN_PART: "part", FAILS: "fails", UNDECIDED: "none", UNTESTED: "none"}


@dataclass(frozen=True)
class Section:
    """One figure on the page: its picture as .svg or .png bytes, None where it could not be drawn,
    and `notes` that say why.

    `preface` stands above the picture; `claimed_by` says whose claims the verdicts are about.
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
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdicts(self) -> list[Verdict]:
        return [verdict for section in self.sections for verdict in section.verdicts]

    @property
    def headlines(self) -> list[str]:
        return [section.headline for section in self.sections if section.headline]

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
    links = (f'<a href="#{_anchor(one.name)}">{escape(one.title)}</a>' for one in report.sections)
    claims = [
        (f'<a href="#{_anchor(section.name)}">{escape(section.name)}</a>',)
        + (escape(verdict.claim), _badge(verdict.verdict))
        for section in report.sections
        for verdict in section.verdicts
    ]
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta name="generator" content="{MARK}">',
        f"<title>{title}</title><style>\n{style}</style></head><body><main><h1>{title}</h1>",
        *_paragraphs(report.introduction),
        *(_paragraphs([report.warning], ' class="quick"') if report.warning else ()),
        _list("In short", map(_prose, report.headlines)),
        f"<p>{''.join(counts)}</p><nav>{_list('', links)}</nav>",
        _table("All claims", claims, ("figure", "claim", "verdict")),
        *map(_section, report.sections),
        _list("What could not be recovered, and what to know", map(_prose, report.remarks)),
        _table("Provenance", [(escape(k), escape(str(v))) for k, v in report.provenance.items()]),
        "</main></body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _section(section: Section) -> str:
    parts = [f'<h2 id="{_anchor(section.name)}">{escape(section.title)}</h2>']
    parts += _paragraphs(section.preface)
    if section.picture is not None:
        kind = "png" if section.picture.startswith(b"\x89PNG") else "svg+xml"
        data = base64.b64encode(section.picture).decode()
        parts.append(
            f'<figure><img alt="{escape(section.title)}" src="data:image/{kind};base64,{data}">'
            f"<figcaption>{_prose(section.caption)}</figcaption></figure>"
        )
    parts += _paragraphs(section.notes, ' class="note"')
    for verdict in section.verdicts:
        rows = (f"<dt>{k}</dt><dd>{_prose(t)}</dd>" for k, t in section.rows(verdict).items() if t)
        parts.append(
            f'<div class="claim"><h3><span>{escape(verdict.claim)}</span>'
            f"{_badge(verdict.verdict)}</h3><dl>{''.join(rows)}</dl></div>"
        )
    made = ", ".join(f'<a href="{escape(name)}">{escape(name)}</a>' for name in section.files)
    repeat = f"To repeat: <code>{escape(section.command)}</code>."
    parts.append(f"<p>{repeat}{f' Numbers and pictures: {made}.' if made else ''}</p>")
    return "\n".join(parts)


def _paragraphs(texts: Iterable[str], attributes: str = "") -> list[str]:
    return [f"<p{attributes}>{_prose(text)}</p>" for text in texts]


def _list(heading: str, items: Iterable[str]) -> str:
    listed = "".join(f"<li>{item}</li>" for item in items)
    return f"{f'<h2>{heading}</h2>' if heading else ''}<ul>{listed}</ul>" if listed else ""


def _table(heading: str, rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> str:
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    if header:
        lines.insert(0, "".join(f"<th>{cell}</th>" for cell in header))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<h2>{heading}</h2><table>{body}</table>" if rows else ""


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
    parts = [f"# {report.title}", *report.introduction, report.warning, _listed(report.headlines)]
    parts.append(", ".join(f"{name}: {count}" for name, count in report.counted()))
    for section in report.sections:
        parts += [f"## {section.title}", *section.preface]
        pictures = [name for name in section.files if name.endswith(".png")]
        parts += [f"![{section.title}]({pictures[0]})", section.caption] if pictures else []
        parts += [f"*{note}*" for note in section.notes]
        rows = [{"claim": one.claim, **section.rows(one)} for one in section.verdicts]
        for row, one in zip(rows, section.verdicts, strict=True):
            row["verdict"] = f"**{one.verdict}**: {one.reason}"
        labels = [label for label in (rows[0] if rows else ()) if any(row[label] for row in rows)]
        lines = [f"| {' | '.join(labels)} |", "|---" * len(labels) + "|"] if rows else []
        for row in rows:
            cells = (" ".join(row[label].split()).replace("|", "\\|") for label in labels)
            lines.append(f"| {' | '.join(cells)} |")
        parts += ["\n".join(lines), f"`{section.command}`"]
    provenance = [f"{key}: {value}" for key, value in report.provenance.items()]
    parts += [_listed(report.remarks), _listed(provenance), f"<!-- {MARK} -->"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _listed(texts: Iterable[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def to_json(report: Report) -> str:
    """The same for machines; numbers that are not finite become null."""
    figures = []
    for section in report.sections:
        one = asdict(replace(section, picture=None))
        del one["picture"]
        one["claims"] = one.pop("verdicts")
        figures.append(one)
    content: dict[str, Any] = {"title": report.title, "warning": report.warning, "generator": MARK}
    content |= {"figures": figures, "provenance": dict(report.provenance)}
    return json.dumps(_finite(content), indent=1, sort_keys=True) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return value
