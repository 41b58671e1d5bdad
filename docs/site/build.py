"""Builds the site: `python docs/site/build.py [FOLDER]`, by default into build/site/html.

The pages of docs/, README, CONTRIBUTING and CHANGELOG are copied, their links led to the copies;
each example is run for the gallery; each public name of the package gets a page. Then Sphinx runs,
to which every warning is an error. A name such as `ml.train` in a page must exist.
"""

import ast
import concurrent.futures
import importlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build" / "site"
SOURCE = BUILD / "source"
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

import reference  # noqa: E402

import minilotto as ml  # noqa: E402

# The page of the site that a file of the repository becomes.
PAGES = {
    ROOT / "README.md": "index.md",
    ROOT / "CONTRIBUTING.md": "development/contributing.md",
    ROOT / "CHANGELOG.md": "development/changelog.md",
    ROOT / "docs" / "architecture.md": "development/architecture.md",
    ROOT / "docs" / "commands.md": "reference/commands.md",
    ROOT / "docs" / "README.md": "guide/index.md",
    ROOT / "docs" / "notebooks": "notebooks/index.md",
    ROOT / "examples": "gallery/index.md",
}
for page in sorted((ROOT / "docs").glob("*.md")):
    PAGES.setdefault(page, f"guide/{page.name}")
for page in sorted((ROOT / "docs" / "notebooks").glob("*.md")):
    PAGES[page] = f"notebooks/{page.name}"
for page in sorted((ROOT / "examples").glob("*.py")):
    PAGES[page] = f"gallery/{page.stem}.md"

# What a page calls its objects.
OBJECTS = {"ml": ml, "minilotto": ml, "nets": ml.Ensemble, "config": ml.Config, "store": ml.Store}
FILES = ("npz", "png", "pdf", "svg", "csv", "c", "h", "onnx", "toml", "py")  # nets.npz is no name
FENCED = re.compile(r"^(?:```|~~~).*?^(?:```|~~~)$", re.MULTILINE | re.DOTALL)


class BadPage(Exception):
    """A page names what does not exist."""


# Pages
def outside_code(text: str, change: Callable[[str], str]) -> str:
    """The text with all but its fenced blocks changed."""
    parts, end = [], 0
    for block in FENCED.finditer(text):
        parts += [change(text[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*parts, change(text[end:])])


def relative(target: str, page: str) -> str:
    """The link from a page of the site to another."""
    return os.path.relpath(target, Path(page).parent).replace(os.sep, "/")


def led(target: str, origin: Path, page: str) -> str:
    """A link of the file `origin`, as it must be on its page; what it leads to is copied."""
    if re.match(r"\w+:", target) or target.startswith("#"):
        return target
    path, _, anchor = target.partition("#")
    found = (origin.parent / path).resolve()
    if not found.exists():
        raise BadPage(f"{origin.relative_to(ROOT)}: the link {target} leads nowhere")
    there = PAGES.get(found) or copied(found)
    return relative(there, page) + (f"#{anchor}" if anchor else "")


def copied(path: Path) -> str:
    """The place on the site of a picture, or of the page that shows a source or lists a folder."""
    name = path.relative_to(ROOT).as_posix()
    if path.suffix in (".png", ".svg"):
        put(f"pictures/{name.replace('/', '-')}", path.read_bytes())
        return f"pictures/{name.replace('/', '-')}"
    title = f"{name}\n{'=' * len(name)}\n\n"
    if path.is_file():
        language = {".py": "python", ".toml": "toml", ".f90": "fortran"}.get(path.suffix, "text")
        place = f"source/{name}.rst"
        body = f".. literalinclude:: {included(path, place)}\n   :language: {language}\n"
    else:
        place = f"source/{name}/index.rst"
        rows = [(file.name, first_line(file)) for file in sorted(path.glob("*.py"))]
        rows += [(f"{each.parent.name}/", first_line(each)) for each in path.glob("*/__init__.py")]
        body = "".join(f"``{row}``\n    {words}\n" for row, words in sorted(rows) if words)
    put(place, f":orphan:\n:nosearch:\n\n{title}{body}")
    return place


def included(path: Path, page: str) -> str:
    """A file of the repository, as a page includes it."""
    return os.path.relpath(path, (SOURCE / page).parent)


def first_line(module: Path) -> str:
    """Of its docstring, as literal text."""
    words = (ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or "").split("\n")[0]
    return f"``{words.replace('`', '')}``" if words else ""


def object_of(dotted: str) -> str:
    """The full name of what a page calls `ml.train` or `nets.select`; "" without a page of its own.

    Raises BadPage where there is nothing of this name.
    """
    first, *rest = dotted.split(".")
    value, name = OBJECTS[first], "minilotto"
    if first not in ("ml", "minilotto"):
        name = f"minilotto.{value.__name__}"
    for part in rest:
        if is_dataclass(value) and part in {field.name for field in fields(value)}:
            return ""  # its type is not known here
        if not hasattr(value, part):
            try:
                value = importlib.import_module(f"{name}.{part}")
            except ml.MissingExtraError:
                return ""
            except ImportError:
                raise BadPage(f"`{dotted}` does not exist") from None
        else:
            value = getattr(value, part)
        name += f".{part}"
        if isinstance(value, property):
            break
    return name if name in reference.documented() else ""


def linked(text: str) -> str:
    """Names of the package in a text, such as `ml.train(config)`, led to their pages."""

    def link(found: re.Match[str]) -> str:
        dotted = found["name"]
        if dotted.rpartition(".")[2] in FILES:
            return found[0]
        full = object_of(dotted)
        words = " ".join(found["span"].split())
        if not full or found["before"] or "<" in words or text_is_heading(found):
            return found[0]
        return f"{{py:obj}}`{words} <{full}>`"

    def text_is_heading(found: re.Match[str]) -> bool:
        return found.string[found.string.rfind("\n", 0, found.start()) + 1 :].startswith("#")

    names = "|".join(OBJECTS)
    pattern = (
        rf"(?P<before>\[?)(?<!`)`(?!`)(?P<span>(?P<name>(?:{names})(?:\.[A-Za-z_]\w*)+)"
        r"(?:\([^`]*\))?)`(?!`)"
    )
    return re.sub(pattern, link, text)


def page_of(origin: Path, page: str) -> str:
    """The text of a page of the repository, for the site."""

    def change(text: str) -> str:
        try:
            text = text if origin.name == "CHANGELOG.md" else linked(text)  # has former names
        except BadPage as error:
            raise BadPage(f"{origin.relative_to(ROOT)}: {error}") from None
        return re.sub(r"\]\(([^)\s]+)\)", lambda m: f"]({led(m[1], origin, page)})", text)

    return outside_code(origin.read_text(encoding="utf-8"), change)


# Gallery
def run_example(path: Path) -> tuple[str, float]:
    """What an example prints; its picture goes to the gallery."""
    picture = SOURCE / "gallery" / f"{path.stem}.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.unlink(missing_ok=True)
    began = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", path, picture],
        capture_output=True,
        text=True,
        env=environment,
        cwd=picture.parent,
    )
    if done.returncode:
        raise BadPage(f"examples/{path.name} fails: {done.stderr.strip()[-2000:]}")
    drawn = picture.exists() and picture.stat().st_size > 10_000
    if not drawn and not done.stdout.startswith("skipped: "):
        raise BadPage(f"examples/{path.name} draws nothing")
    return done.stdout, time.monotonic() - began


def example_page(path: Path, printed: str) -> tuple[str, str]:
    """A card for the gallery's index, and the page."""
    text = path.read_text(encoding="utf-8")
    documentation = re.match(r'"""(.*?)"""', text, re.DOTALL)[1].strip()
    title, _, rest = documentation.partition("\n\n")
    title, _, more = title.partition(". ")
    drawn = (SOURCE / "gallery" / f"{path.stem}.png").exists()
    picture = f"![{title.rstrip('.')}]({path.stem}.png)\n\n" if drawn else ""
    page = (
        f"# {title.rstrip('.')}\n\n{more}\n\n{rest}\n\n{picture}"
        f"```{{literalinclude}} {included(path, 'gallery/index.md')}\n:language: python\n```\n\n"
        + (f"Output:\n\n```text\n{printed}```\n" if printed else "")
    )
    image = f":img-top: {path.stem}.png\n" if drawn else ""
    card = f":::{{grid-item-card}} {title.rstrip('.')}\n:link: {path.stem}\n:link-type: doc\n"
    return f"{card}{image}:::\n", page


def write_gallery() -> None:
    paths = sorted((ROOT / "examples").glob("*.py"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        printed = list(pool.map(run_example, paths))
    for path, (_, seconds) in zip(paths, printed, strict=True):
        print(f"examples/{path.name}: {seconds:.0f} s", flush=True)
    made = [example_page(path, text) for path, (text, _) in zip(paths, printed, strict=True)]
    for path, (_, page) in zip(paths, made, strict=True):
        put(f"gallery/{path.stem}.md", page)
    names = "\n".join(path.stem for path in paths)
    cards = "\n".join(card for card, _ in made)
    put(
        "gallery/index.md",
        "# Gallery\n\nEach example is one short file that draws something, run when this site was "
        f"built.\n\n::::{{grid}} 1 2 2 3\n:gutter: 3\n\n{cards}::::\n\n"
        f"```{{toctree}}\n:hidden:\n\n{names}\n```\n",
    )


# All
_WRITTEN: set[Path] = set()


def put(name: str, content: str | bytes) -> None:
    """Write a file of Sphinx's input where it has changed."""
    path = SOURCE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = content.encode() if isinstance(content, str) else content
    if not path.exists() or path.read_bytes() != whole:
        path.write_bytes(whole)
    _WRITTEN.add(path)


def listed(*names: str, caption: str = "") -> str:
    heading = f":caption: {caption}\n" if caption else ""
    return "\n\n```{toctree}\n:hidden:\n" + heading + "\n" + "\n".join(names) + "\n```\n"


def write_pages() -> None:
    """Everything but the gallery."""
    sections: dict[str, list[str]] = {}
    for origin, page in PAGES.items():
        if origin.is_file() and not page.startswith("gallery/"):
            folder, _, name = page.rpartition("/")
            sections.setdefault(folder, []).append(name.removesuffix(".md"))
            put(page, page_of(origin, page))
    more = {
        "index.md": ("Guide <guide/index>", "notebooks/index", "gallery/index", "reference/index")
        + ("development/index",),
        "guide/index.md": [name for name in sections["guide"] if name != "index"],
    }
    for page, names in more.items():
        put(page, (SOURCE / page).read_text(encoding="utf-8") + listed(*names))
    notebooks = sorted(sections["notebooks"], key=NOTEBOOKS.index)
    titles = [f"- [](./{name}.md)" for name in notebooks]
    put(
        "notebooks/index.md",
        "# Notebooks\n\nRun when this site was built. Their sources are Markdown in "
        "`docs/notebooks/`, which Jupyter opens with the extension jupytext.\n\n"
        + "\n".join(titles)
        + listed(*notebooks),
    )
    development = sorted(sections["development"])
    titles = [f"- [](./{name}.md)" for name in development]
    put("development/index.md", "# Development\n\n" + "\n".join(titles) + listed(*development))
    for name, text in reference.pages():
        put(f"reference/{name}", text)


NOTEBOOKS = ["first", "tickets", "own_data", "optimisers"]


def leftovers() -> Iterator[Path]:
    """Files of an earlier build that no page, or no public name, belongs to."""
    for path in SOURCE.rglob("*"):
        named = path.parent.name == "generated" and path.stem in reference.documented()
        if path.suffix in (".md", ".rst") and path not in _WRITTEN and not named:
            yield path


def main() -> int:
    folder = Path(*sys.argv[1:]) if sys.argv[1:] else BUILD / "html"
    began = time.monotonic()
    try:
        write_pages()
        write_gallery()
    except (BadPage, ml.MinilottoError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    for path in list(leftovers()):
        path.unlink()
    print(f"pages and examples: {time.monotonic() - began:.0f} s", flush=True)
    words = ["-W", "--keep-going", "-n", "-q", "-j", "2", "-c", Path(__file__).parent, "-b", "html"]
    cached = ["-d", BUILD / "doctrees"]
    done = subprocess.run([sys.executable, "-m", "sphinx", *words, *cached, SOURCE, folder])
    print(f"the site is {folder}/index.html, {time.monotonic() - began:.0f} s", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
