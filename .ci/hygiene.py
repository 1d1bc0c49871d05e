"""What no file of the repository may name: package indexes, and places on somebody's own machine.

Run by ``make lint``. The lock must install from whatever index the installing machine trusts, and nothing may depend
on where a developer keeps things. Marks of unfinished work are refused as well: what is missing is said in
docs/capabilities.md, where users read it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

# Put together from parts, so that this file does not name what it looks for.
REFUSED: Final = {
    "a package index": re.compile(
        "|".join(("py" + r"pi\.org", "python" + r"hosted\.org", "--(extra-)?index" + "-url"))
    ),
    "a path on one machine": re.compile(
        r"(?<![\w.~$}*-])/(?:" + "|".join(("wor" + r"k/\w", "roo" + r"t/\w", "User" + r"s/\w")) + ")"
    ),
    "a mark of unfinished work": re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b"),
}
BINARY: Final = frozenset({".png", ".svg", ".ico", ".gz"})


def tracked(root: Path) -> list[Path]:
    """Files that git keeps, and new ones that it does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=root, check=True, capture_output=True).stdout
    names = sorted(set(listing.decode().split("\0")) - {""})
    return [path for name in names if (path := root / name).is_file() and path.suffix not in BINARY]


def findings(root: Path) -> list[str]:
    found = []
    for path in tracked(root):
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
            found += [
                f"{path.relative_to(root)}:{number}: names {what}: {match[0]}"
                for what, pattern in REFUSED.items()
                if (match := pattern.search(line))
            ]
    return found


def main() -> int:
    found = findings(Path(__file__).resolve().parent.parent)
    print("\n".join(found) or "Nothing is named that should not be.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
