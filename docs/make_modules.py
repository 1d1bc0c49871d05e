"""Writes docs/modules.md: one line per module, taken from the modules' own first lines. Run by ``make docs``."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ("syncd", "console")
HEAD: Final = """# Modules

One line each, from the modules themselves. Made by `make docs`; the rooms and the reasons are in
[architecture.md](architecture.md).
"""


def modules(root: Path = ROOT) -> list[Path]:
    """Every module with something to say; packages that only mark a folder, and what protoc made, are left out."""
    found = sorted(path for name in PACKAGES for path in (root / name).rglob("*.py"))
    return [path for path in found if path.stat().st_size and not path.stem.endswith("_pb2")]


def first_line(path: Path) -> str:
    """The first paragraph of the docstring, on one line, in Markdown's code marks. Empty where there is none."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    line = " ".join(text.split("\n\n", 1)[0].split())
    for role in ("mod", "class", "func", "meth", "data"):
        line = line.replace(f":{role}:`", "`")
    return line.replace("``", "`").replace("|", r"\|").removesuffix("::")


def render(root: Path = ROOT) -> str:
    lines: list[str] = [HEAD]
    folder = ""
    for path in sorted(modules(root), key=lambda one: (str(one.parent), one.name)):
        name = path.relative_to(root)
        if str(name.parent) != folder:
            folder = str(name.parent)
            lines += [f"\n## `{folder}/`\n", "| module | |", "|---|---|"]
        lines.append(f"| `{name.name}` | {first_line(path)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    target = ROOT / "docs" / "modules.md"
    text = render()
    changed = not target.exists() or target.read_text("utf-8") != text
    target.write_text(text, "utf-8")
    print(f"{target.relative_to(ROOT)}: {'renewed' if changed else 'was true already'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
