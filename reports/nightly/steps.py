"""The steps: each calls verbs of the command line and says, on standard error, what it does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from conformance.model.errors import HarnessError
from conformance.reports.escape import escape
from conformance.reports.nightly.folder import Folder
from conformance.results.store import FILE

__all__ = ["compare", "export", "keep", "run", "write_issue"]

#: What a folder's name had better not hold.
UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
#: Below what GitHub takes as the text of an issue.
ISSUE = 60_000
#: A mention or a reference in an issue would call people: this mark, which does not show, breaks them.
INVISIBLE = "\u200b"


def run(folder: Folder, backends: Sequence[str], arguments: Sequence[str], label: str = "") -> int:
    """Run the cases on each backend as a run of its own, or on all that are installed as one; the gravest exit code.

    ``label`` names the runs of a matrix job; ``arguments`` are passed on to ``conformance run``.
    """
    code = 0
    for backend in backends or [""]:
        words = (Path(backend).name or "all", label)
        name = "-".join(UNSAFE.sub("-", word).strip("-.") for word in words if word)
        chosen = ("-b", backend) if backend else ()
        code = max(
            code, _verb("run", *chosen, "--output", folder.runs / name, "--replace", "--details", "0", *arguments)
        )
    return code


def export(folder: Folder, summary: Path | None = None, *, annotate: bool = False) -> int:
    """Merge this night's runs: the report, JUnit, tables and badges; the job summary and annotations if asked for."""
    exports = folder.exports
    arguments: list[object] = [
        "--junit", exports / "junit.xml", "--csv", exports / "outcomes.csv", "--badge", folder.site / "badges",
    ]  # fmt: skip
    if _has("pyarrow"):
        arguments += ["--parquet", exports / "outcomes.parquet"]
    if summary:
        arguments += ["--summary", summary]
    if annotate:
        arguments.append("--annotations")
    return _verb("report", folder.runs, "--output", folder.site, "--details", "0", *arguments)


def compare(folder: Folder) -> int:
    """What changed since the night before, run by run of the same name; 1 when something regressed.

    A run that was there and is not is a regression: its job died. Writes it as Markdown and as JSON, and prints the
    Markdown.
    """
    if not folder.has_previous():
        _say("diff: there is no night before to compare with")
        return 0
    before, now = ({path.parent.name for path in where.glob(f"*/{FILE}")} for where in (folder.previous, folder.runs))
    code, parts, documents = 0, [], {}
    for name in sorted(before & now):
        pair = (folder.previous / name, folder.runs / name)
        found, text = _captured("diff", *pair, "--format", "markdown")
        if found > 1:
            return found
        code = max(code, found)
        parts.append(f"## {escape(name)}\n\n{text}")
        documents[name] = json.loads(_captured("diff", *pair, "--format", "json")[1])
    for word, names in (("new since then", now - before), ("did not come back", before - now)):
        parts += [f"## {escape(name)}: {word}\n" for name in sorted(names)]
    code = max(code, int(bool(before - now)))
    _write(folder.difference, "\n".join(parts))
    _write(folder.difference.with_suffix(".json"), json.dumps(documents, indent=1, ensure_ascii=False) + "\n")
    sys.stdout.write("\n".join(parts))
    return code


def keep(folder: Folder) -> int:
    """Add this night to the history."""
    database = ("--db", folder.history / "history.duckdb")
    try:
        folder.history.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarnessError(f"{folder.history} cannot be written: {error.strerror or error}") from None
    timed = any(folder.runs.glob("*/benchmarks.json"))  # only times are drawn
    drawn = ("--output", folder.site / "history") if timed else ()
    return _verb("history", "add", folder.runs, *database) or _verb("history", "show", *database, *drawn)


def write_issue(folder: Folder, code: int) -> None:
    """Write the text of an issue when something newly fails, and no file otherwise."""
    folder.issue.unlink(missing_ok=True)
    if code != 1 or not folder.difference.exists():
        return
    text = folder.difference.read_text(encoding="utf-8")
    text = text if len(text) <= ISSUE else text[:ISSUE] + "\n\n… cut here: the rest is in the job's summary.\n"
    text = re.sub(r"[@#](?=\w)", lambda match: match[0] + INVISIBLE, text)
    _write(folder.issue, f"Since the night before, something newly fails.\n\n{text}")


def _has(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def _command(arguments: Sequence[object]) -> list[str]:
    return [sys.executable, "-m", "conformance", *map(str, arguments)]


def _verb(*arguments: object) -> int:
    _say(f"conformance {' '.join(map(str, arguments))}")
    sys.stdout.flush()
    return subprocess.run(_command(arguments), check=False).returncode


def _captured(*arguments: object) -> tuple[int, str]:
    _say(f"conformance {' '.join(map(str, arguments))}")
    done = subprocess.run(_command(arguments), check=False, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    return done.returncode, done.stdout


def _say(text: str) -> None:
    sys.stderr.write(f"nightly: {text}\n")
    sys.stderr.flush()


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"{path} cannot be written: {error.strerror or error}") from None
