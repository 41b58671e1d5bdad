"""Draw docs/architecture.png: the entries of minilotto/ in rows, from their imports.

`python docs/architecture.py`. A row imports from rows below it only.
"""

import ast
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "minilotto"
WIDTH, HEIGHT, COLUMN, ROW = 2.55, 0.62, 2.8, 1.02  # of a box, and from one to the next, in inches


def entries() -> dict[str, str]:
    """What stands directly under minilotto/, and the first sentence that each says of itself."""
    found = {}
    for path in sorted(PACKAGE.iterdir()):
        if path.name.startswith("__"):
            continue
        source = path / "__init__.py" if path.is_dir() else path
        if source.suffix == ".py" and source.exists():
            text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
            found[path.stem] = " ".join(text.split("\n\n")[0].split()).split(". ")[0]
    return found


def arrows(names: dict[str, str]) -> dict[str, set[str]]:
    """The entries that each one imports at run time."""
    found: dict[str, set[str]] = {name: set() for name in names}
    for path in PACKAGE.rglob("*.py"):
        entry = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        branches = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
        for_types = [node for node in branches if "TYPE_CHECKING" in ast.unparse(node.test)]
        left_out = {id(inner) for node in for_types for inner in ast.walk(node)}
        for node in ast.walk(tree):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            if (
                entry in found
                and id(node) not in left_out
                and (module or "").startswith("minilotto.")
            ):
                other = str(module).split(".")[1]
                found[entry] |= {other} & (set(names) - {entry})
    return found


def levels(imports: dict[str, set[str]]) -> dict[str, int]:
    """1 for what imports nothing, else one more than the highest level imported."""
    known: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in known:
            known[name] = 1 + max(map(level, imports[name]), default=0)
        return known[name]

    for name in imports:
        level(name)
    return known


def wrapped(text: str, width: int = 42, most: int = 2) -> str:
    """A sentence over at most two lines."""
    import textwrap

    lines = textwrap.wrap(text.rstrip("."), width)
    return "\n".join(lines[:most]) + ("..." if len(lines) > most else "")


def draw(path: Path) -> None:
    names = entries()
    imports = arrows(names)
    rows: dict[int, list[str]] = {}
    for name, level in levels(imports).items():
        rows.setdefault(level, []).append(name)
    widest, deepest = max(map(len, rows.values())), max(rows)
    figure = Figure(figsize=(COLUMN * widest + 0.2, ROW * deepest + 0.2), dpi=110)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, COLUMN * widest + 0.2)
    axes.set_ylim(0, ROW * deepest + 0.2)
    axes.set_axis_off()
    place = {}
    for level, row in rows.items():
        for column, name in enumerate(sorted(row)):
            x = (COLUMN * widest + 0.2) / 2 + (column - (len(row) - 1) / 2) * COLUMN
            place[name] = (x, ROW * (level - 0.5) + 0.1)
    for level in rows:
        middle = ROW * (level - 0.5) + 0.1
        axes.axhspan(middle - 0.46, middle + 0.46, color="#f7f7f5" if level % 2 else "#ffffff")
    for name, (x, y) in place.items():
        corner = (x - WIDTH / 2, y - HEIGHT / 2)
        axes.add_patch(
            FancyBboxPatch(
                corner,
                WIDTH,
                HEIGHT,
                boxstyle="round,pad=0.02,rounding_size=0.08",
                facecolor="#eef3f8",
                edgecolor="#33546f",
            )
        )
        axes.text(x, y + 0.17, name, ha="center", va="center", fontsize=11, weight="bold")
        axes.text(x, y - 0.1, wrapped(names[name]), ha="center", va="center", fontsize=7)
    figure.savefig(path)


if __name__ == "__main__":
    draw(Path(__file__).with_suffix(".png"))
