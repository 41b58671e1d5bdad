"""What objects show of themselves in a notebook: a table and a histogram as HTML, no scripts."""

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 30
LEAST = 8  # values of which a histogram is drawn
LONGEST = 80  # characters of a value
MOST = 6  # values of a mapping or an array that are shown one by one
_SHORT = reprlib.Repr()
_SHORT.maxother = _SHORT.maxstring = LONGEST


class Shown:
    """Base of dataclasses that show their fields in a few words, in a notebook as a table."""

    def __init_subclass__(cls) -> None:
        if cls.__str__ is object.__str__:
            cls.__repr__ = Shown.__repr__  # type: ignore[method-assign]  # dataclass adds none then

    def __repr__(self) -> str:
        rows = [(one.name, words_of(getattr(self, one.name))) for one in fields(self) if one.repr]  # type: ignore[arg-type]
        width = max((len(name) for name, _ in rows), default=0)
        return "\n".join(
            (type(self).__name__, *(f"  {name:{width}}  {text}" for name, text in rows))
        )

    def _repr_html_(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        vectors = (
            (name, value)
            for name, value in values.items()
            if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "f"
        )
        name, vector = max(vectors, key=lambda pair: pair[1].size, default=("", np.empty(0)))
        return panel(type(self).__name__, values.items(), histogram(vector, name))


def panel(title: str, rows: Iterable[tuple[str, object]], *more: str) -> str:
    """HTML of a title, a table of names and values, and further HTML."""
    return f"<div><strong>{escape(title)}</strong>{table(rows)}{''.join(more)}</div>"


def config_panel(config: Any) -> str:
    """HTML of a Config: what names the training, then its defaults behind a fold."""
    own = own_settings(config)
    rest = [(one.name, one.default) for one in fields(config) if one.name not in own]
    more = f"<details><summary>{len(rest)} defaults</summary>{table(rest)}</details>"
    return panel("Config", own.items(), more)


def own_settings(config: Any) -> dict[str, object]:
    """Width, activation, task, steps and what is not a default of a Config."""
    found = {name: getattr(config, name) for name in ("width", "activation", "task", "steps")}
    for one in fields(config):
        if getattr(config, one.name) != one.default:
            found[one.name] = getattr(config, one.name)
    return found


def in_words(config: Any) -> str:
    """The same as text, in a line."""
    return ", ".join(f"{name}={value}" for name, value in own_settings(config).items())


def table(rows: Iterable[tuple[str, object]]) -> str:
    """HTML of names and values."""
    left = ' style="text-align: left"'
    lines = (
        f"<tr><th{left}>{escape(name)}</th><td{left}>{escape(words_of(value))}</td></tr>"
        for name, value in rows
    )
    return f"<table>{''.join(lines)}</table>"


def words_of(value: object) -> str:
    """A value in a few words; of an array its type, shape and range."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, np.ndarray) and value.size > MOST:
        text = f"{value.dtype} {value.shape}"
        kept = _finite(value)
        if kept.size:
            text += f", {kept.min():.3g} to {kept.max():.3g}"
        if value.dtype.kind == "f" and kept.size < value.size:
            text += f", {value.size - kept.size} not finite"
    elif isinstance(value, Mapping) and len(value) <= MOST:
        return ", ".join(f"{key}: {words_of(one)}" for key, one in value.items())
    elif isinstance(value, np.ndarray):
        text = np.array2string(value, precision=4)
    elif isinstance(value, Shown):
        text = str(value)
    else:
        text = f"{value:.4g}" if isinstance(value, float) else _SHORT.repr(value)
    text = " ".join(text.split())
    half = (LONGEST - 3) // 2
    return text if len(text) <= LONGEST else f"{text[:half]}...{text[-half:]}"


def histogram(values: NDArray[Any], name: str) -> str:
    """Inline SVG of a histogram of values (n,); of log10 where all are above zero and span a
    decade. "" for fewer than LEAST finite values, and for equal ones.
    """
    kept = _finite(values)
    if kept.size < LEAST or not kept.min() < kept.max():
        return ""
    logarithmic = bool(kept.min() > 0 and kept.max() >= 10 * kept.min())
    with np.errstate(all="ignore"):  # subnormal values
        scaled = np.log10(kept) if logarithmic else kept
    low, high = float(scaled.min()), float(scaled.max())
    if not np.isfinite(high - low) or not high - low > 1e-12 * max(abs(low), abs(high)):
        return ""
    count, _ = np.histogram(scaled, BINS, (low, high))
    bars = "".join(
        f'<rect x="{10 * i}" y="{80 * (1 - n / count.max()):.1f}" width="9" '
        f'height="{80 * n / count.max():.1f}"/>'
        for i, n in enumerate(count)
        if n
    )
    ends = f"{kept.min():.2g}", f"{kept.max():.2g}"
    what = escape(f"{name}, logarithmic" if logarithmic else name)
    places = ((0, "start", ends[0]), (5 * BINS, "middle", what), (10 * BINS, "end", ends[1]))
    texts = "".join(
        f'<text x="{x}" y="95" text-anchor="{anchor}">{text}</text>' for x, anchor, text in places
    )
    return (
        f'<svg viewBox="0 0 {10 * BINS} 100" width="{10 * BINS}" height="100" role="img" '
        f'aria-label="histogram of {what}"><g fill="#0072B2">{bars}</g>'
        f'<g fill="currentColor" font-size="11">{texts}</g></svg>'
    )


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind not in "iuf":
        return np.empty(0)
    kept: NDArray[Any] = values[np.isfinite(values)]
    return kept
