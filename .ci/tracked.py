"""Refuses files that do not belong into the repository: packages, archives, compiled or trained things, large files."""

import subprocess
import sys
from pathlib import Path

MOST_BYTES = 500_000
#: Binary files by folder and suffix, with their most bytes: pictures of the documents, measurements of a published run.
BINARY = {("docs/images/", ".png"): 500_000, ("reports/published/", ".json.gz"): 2_000_000}


def complaint(name: str) -> str | None:
    """What is wrong with a tracked file, or None. A link is read as the link that it is."""
    path = Path(name)
    if path.is_symlink() or not path.is_file():
        return None
    allowed = [most for (folder, suffix), most in BINARY.items() if name.startswith(folder) and name.endswith(suffix)]
    most, size = max(allowed, default=MOST_BYTES), path.stat().st_size
    if size > most:
        return f"has {size:,} bytes, more than {most:,}"
    return "is binary" if not allowed and b"\0" in path.read_bytes()[:8192] else None


def main() -> None:
    """Exit with 1 and a line for each such file."""
    listed = subprocess.run(("git", "ls-files", "-z"), check=True, capture_output=True, text=True).stdout
    wrong = {name: text for name in listed.split("\0") if name and (text := complaint(name))}
    if wrong:
        lines = [f"{name} {text}" for name, text in wrong.items()]
        sys.exit("\n".join([*lines, "hint: such files stay out of the repository"]))


if __name__ == "__main__":
    main()
