"""Refuses words that a reader of the field does not expect here: `is no file` for *is not a file*, and a few others."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

#: Beginnings of paths that are not read: this list and its test, legal text, and what machines have written.
SKIPPED = (".ci/words.py", "LICENSE", "reports/published/", "tests/integration/project/test_project.py")
WORDS = {
    "bury|buried|crew|freedoms?|labour|scenes?|sights?|spoken|witness|witnesses": "name what it is",
    "heard|hears?|tells|told": "write `receives`, `says` or `shows`",
    "mend|mended|mends": "write `repair` or `correct`",
}
_NOT = re.compile(r"(?<!there)[\s_](?:is|are|was|were)[\s_]no[\s_](?!longer|such|more|less|fewer|lower|rounder)", re.I)
_PATTERNS = {re.compile(rf"(?<![a-z])(?:{words})(?![a-z])", re.IGNORECASE): hint for words, hint in WORDS.items()}


def complaints(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, words, and what to write instead."""
    for pattern, hint in {_NOT: "write `is not a`", **_PATTERNS}.items():
        for found in pattern.finditer(text):
            yield text.count("\n", 0, found.end()) + 1, " ".join(found[0].replace("_", " ").split()), hint


def main() -> None:
    """Exit with 1 and a line for each."""
    listed = subprocess.run(("git", "ls-files", "-z"), check=True, capture_output=True, text=True).stdout
    lines = []
    for name in filter(None, listed.split("\0")):
        path = Path(name)
        if name.startswith(SKIPPED) or path.is_symlink() or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        lines += [f"{name}:{line}: `{words}`: {hint}" for line, words, hint in complaints(text)]
    if lines:
        sys.exit("\n".join(lines))


if __name__ == "__main__":
    main()
