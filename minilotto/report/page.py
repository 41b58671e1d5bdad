"""The claims report as one self-contained HTML page, as Markdown and as JSON: the same verdicts in
each.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

from minilotto.report.claims import Verdict
from minilotto.report.rules import FAILS, HOLDS, IN_PART, UNTESTED

_CLASSES = {HOLDS: "holds", IN_PART: "part", FAILS: "fails", UNTESTED: "none"}
_STYLE = """
:root { color-scheme: light; --ink: #1c1c1c; --soft: #5b5b5b; --line: #d9d9d9; --page: #ffffff; --shade: #f6f6f4; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; overflow-wrap: break-word; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0.5rem 0; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 0.5rem; border-top: 1px solid var(--line); padding-top: 1.5rem; }
p, ul { max-width: 46rem; }
a { color: #00558a; }
code { font: 0.875em ui-monospace, monospace; background: var(--shade); padding: 0.1em 0.3em; border-radius: 3px; }
figure { margin: 1rem 0; }
figure img { width: 100%; height: auto; display: block; }
figcaption { color: var(--soft); font-size: 0.925rem; margin-top: 0.5rem; max-width: 46rem; }
.quick { background: #fff4d6; padding: 0.6rem 0.9rem; border-radius: 4px; max-width: 46rem; }
.note { color: #8a3b00; }
.count { display: inline-block; margin: 0 1rem 0.3rem 0; }
.badge { display: inline-block; padding: 0.05em 0.55em; border-radius: 3px; }
.badge { font-size: 0.85rem; font-weight: 600; white-space: nowrap; }
.holds { background: #d6efe4; color: #00533b; } .part { background: #fff0cc; color: #5f4300; }
.fails { background: #fbdccb; color: #7a2e00; } .none { background: #e8e8e8; color: #444444; }
.claim { border: 1px solid var(--line); border-radius: 6px; padding: 0.8rem 1rem; margin: 0.8rem 0; break-inside: avoid; }
.claim h3 { font-size: 1rem; margin: 0 0 0.4rem; }
.claim h3 { display: flex; gap: 0.6rem; align-items: baseline; justify-content: space-between; }
.claim dl { display: grid; grid-template-columns: 7.5rem 1fr; gap: 0.25rem 0.8rem; margin: 0; font-size: 0.94rem; }
.claim dt { color: var(--soft); } .claim dd { margin: 0; }
table { border-collapse: collapse; font-size: 0.92rem; }
td, th { text-align: left; padding: 0.25rem 0.9rem 0.25rem 0; vertical-align: top; }
tr + tr td { border-top: 1px solid var(--line); }
nav ul { padding-left: 1.1rem; }
@media (max-width: 40rem) {
  figure { overflow-x: auto; } figure img { min-width: 36rem; }
  .claim dl { grid-template-columns: 1fr; gap: 0; } .claim dd { margin-bottom: 0.4rem; }
  .claim h3 { flex-direction: column; gap: 0.2rem; }
}
@media print { main { max-width: none; } nav { display: none; } h2 { break-after: avoid; } figure { break-inside: avoid; } }
"""


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

    def counted(self) -> list[tuple[str, int]]:
        """How many claims got each verdict, in a fixed order."""
        counts = Counter(verdict.verdict for verdict in self.verdicts)
        return [(name, counts[name]) for name in _CLASSES if counts[name]]


def to_html(report: Report) -> str:
    """One page that needs nothing else: style and pictures are inside."""
    title = escape(report.title)
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body><main>",
        f"<h1>{title}</h1>",
        *(f"<p>{_prose(text)}</p>" for text in report.introduction),
    ]
    if report.warning:
        parts.append(f'<p class="quick">{_prose(report.warning)}</p>')
    counts = "".join(
        f'<span class="count">{_badge(name)} {count}</span>' for name, count in report.counted()
    )
    links = "".join(
        f'<li><a href="#{_anchor(s.name)}">{escape(s.title)}</a></li>' for s in report.sections
    )
    headlines = "".join(
        f"<li>{_prose(section.headline)}</li>" for section in report.sections if section.headline
    )
    parts += [f"<h2>In short</h2><ul>{headlines}</ul>"] if headlines else []
    parts += [f"<p>{counts}</p>", f"<nav><ul>{links}</ul></nav>", _overview(report)]
    parts += [_section(section) for section in report.sections]
    if report.remarks:
        parts.append("<h2>What could not be recovered, and what to know</h2><ul>")
        parts += [f"<li>{_prose(text)}</li>" for text in report.remarks]
        parts.append("</ul>")
    rows = "".join(
        f"<tr><td>{escape(key)}</td><td>{escape(str(value))}</td></tr>"
        for key, value in report.provenance.items()
    )
    parts += [f"<h2>Provenance</h2><table>{rows}</table>", "</main></body></html>"]
    return "\n".join(parts) + "\n"


def _overview(report: Report) -> str:
    rows = "".join(
        "<tr><td><a "
        f'href="#{_anchor(section.name)}">{escape(section.name)}</a></td><td>{_prose(verdict.says)}</td>'
        f"<td>{_badge(verdict.verdict)}</td></tr>"
        for section in report.sections
        for verdict in section.verdicts
    )
    return (
        "<h2>All "
        f"claims</h2><table><tr><th>figure</th><th>claim</th><th>verdict</th></tr>{rows}</table>"
        if rows
        else ""
    )


def _section(section: Section) -> str:
    parts = [
        f'<h2 id="{_anchor(section.name)}">{escape(section.title)}</h2>',
        *(f"<p>{_prose(text)}</p>" for text in section.preface),
    ]
    if section.picture is not None:
        kind = "png" if section.picture.startswith(b"\x89PNG") else "svg+xml"
        data = base64.b64encode(section.picture).decode()
        caption = f"<figcaption>{_prose(section.caption)}</figcaption>"
        parts.append(
            f'<figure><img alt="{escape(section.title)}" '
            f'src="data:image/{kind};base64,{data}">{caption}</figure>'
        )
    parts += [f'<p class="note">{_prose(note)}</p>' for note in section.notes]
    for verdict in section.verdicts:
        rows = {
            section.claimed_by: verdict.says,
            "measured": verdict.measured,
            "tested by": verdict.how,
            "verdict": verdict.reason,
        }
        listed = "".join(
            f"<dt>{key}</dt><dd>{_prose(text)}</dd>" for key, text in rows.items() if text
        )
        parts.append(
            "<div "
            f'class="claim"><h3><span>{escape(verdict.claim)}</span>{_badge(verdict.verdict)}</h3><dl>{listed}</dl></div>'
        )
    files = ", ".join(f'<a href="{escape(name)}">{escape(name)}</a>' for name in section.files)
    repeat = f"To repeat: <code>{escape(section.command)}</code>."
    parts.append(f"<p>{repeat}{f' Numbers and pictures: {files}.' if files else ''}</p>")
    return "\n".join(parts)


def _badge(verdict: str) -> str:
    return f'<span class="badge {_CLASSES[verdict]}">{escape(verdict)}</span>'


def _anchor(name: str) -> str:
    return "figure-" + "".join(character if character.isalnum() else "-" for character in name)


def _prose(text: str) -> str:
    """Escaped text in which `code` is marked as such and preprints are linked."""
    linked = re.sub(
        r"arXiv:(\d{4}\.\d{5})", r'<a href="https://arxiv.org/abs/\1">arXiv:\1</a>', escape(text)
    )
    pieces = linked.split("`")
    return "".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces))


def to_markdown(report: Report) -> str:
    """The same in Markdown, one table a figure."""
    lines = [f"# {report.title}", ""]
    for text in (*report.introduction, report.warning):
        lines += [text, ""] if text else []
    headlines = [section.headline for section in report.sections if section.headline]
    lines += [*(f"- {text}" for text in headlines), ""] if headlines else []
    lines += [", ".join(f"{name}: {count}" for name, count in report.counted()), ""]
    for section in report.sections:
        lines += [f"## {section.title}", ""]
        lines += [line for text in section.preface for line in (text, "")]
        pictures = [name for name in section.files if name.endswith(".png")]
        lines += [f"![{section.title}]({pictures[0]})", "", section.caption, ""] if pictures else []
        lines += [line for note in section.notes for line in (f"*{note}*", "")]
        if section.verdicts:
            lines += [
                f"| claim | {section.claimed_by} | measured | tested by | verdict |",
                "|---|---|---|---|---|",
            ]
            for v in section.verdicts:
                cells = (v.claim, v.says, v.measured, v.how, f"**{v.verdict}**: {v.reason}")
                lines.append(
                    "| "
                    + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
                    + " |"
                )
            lines.append("")
        lines += [f"`{section.command}`", ""]
    lines += [*(f"- {text}" for text in report.remarks), ""]
    lines += [f"- {key}: {value}" for key, value in report.provenance.items()]
    return "\n".join(lines) + "\n"


def to_json(report: Report) -> str:
    """The same for machines; numbers that are not finite become null."""
    content = {
        "title": report.title,
        "warning": report.warning,
        "provenance": dict(report.provenance),
        "figures": [
            {
                "name": section.name,
                "title": section.title,
                "preface": list(section.preface),
                "headline": section.headline,
                "caption": section.caption,
                "command": section.command,
                "files": list(section.files),
                "notes": list(section.notes),
                "claims": [asdict(verdict) for verdict in section.verdicts],
            }
            for section in report.sections
        ],
    }
    return json.dumps(_finite(content), indent=1, sort_keys=True) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return value
