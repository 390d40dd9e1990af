"""The steps: each says, on standard error, what it does."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import msgspec

import conformance
from conformance.disk import write
from conformance.model.backend import BackendRecord
from conformance.model.records import Footer, Header
from conformance.plain import command_line, plain, say
from conformance.reports.diff.compare import DiffSettings, compare_runs
from conformance.reports.diff.render import markdown_text
from conformance.reports.diff.speed import compare_speed, timed_once
from conformance.reports.escape import escape
from conformance.reports.nightly.folder import Folder
from conformance.reports.nightly.frameworks import Framework, requirements_of
from conformance.results.environment import describe_environment, suite_commit
from conformance.results.store import FILE, Writer, discard

__all__ = ["VERSIONS", "compare", "export", "install", "job", "keep", "reason_of_pip", "run", "write_issue"]

#: By what pip finds each version of a backend.
VERSIONS = {
    "pinned": ("--constraint", "constraints.txt"),
    "latest": ("--upgrade",),
    "pre-release": ("--upgrade", "--pre"),
}
#: What a folder's name had better not hold.
UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
#: Below what GitHub takes as the text of an issue.
ISSUE = 60_000
#: A mention or a reference in an issue would call people: this mark, which does not show, breaks them.
INVISIBLE = "\u200b"


def install(folder: Folder, backends: Sequence[str], arguments: Sequence[str], label: str = "") -> int:
    """Install with pip, into this environment, what backends need; 0, or 1 where that fails.

    Then the run of each backend says that it could not be installed, and why.
    """
    _say(command_line("pip", "install", *arguments))
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = done.stdout.decode("utf-8", "replace")
    say(said, err=True)
    if done.returncode == 0:
        return 0
    why = reason_of_pip(said)
    for backend in backends:
        header = Header(
            suite=conformance.__version__,
            commit=suite_commit(),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            environment=describe_environment(),
            selection={"backends": [backend]},
        )
        name = Path(backend).stem if backend.endswith(".py") else backend
        discard(folder.runs / _name(backend, label))
        with Writer(folder.runs / _name(backend, label), header) as writer:
            writer.describe(BackendRecord(name=name, error=f"it could not be installed: {plain(why, 400)}"))
            writer.finish(Footer(counts={}, seconds=0.0, complete=True))
    return 1


def reason_of_pip(said: str) -> str:
    """Why pip could not install, in what it said: its first error, and what it was asked for that cannot be had."""
    lines = said.splitlines() or ["no reason given"]
    first = next((line for line in lines if line.startswith("ERROR")), lines[0])
    _, _, behind = said.partition("The conflict is caused by:\n")
    causes = [line.strip() for line in behind.partition("\n\n")[0].splitlines()]
    return f"{first} {'; '.join(causes)}".strip()


def run(
    folder: Folder,
    backends: Sequence[str],
    arguments: Sequence[str],
    label: str = "",
    cases: Mapping[str, str] | None = None,
) -> int:
    """Run all cases on each backend as a run of its own, or on all that are installed as one; the gravest exit code.

    ``label`` names the runs of a matrix job; ``arguments`` are passed on to ``conformance run``. ``cases`` are those of
    a backend that is not asked the whole corpus; other ones in ``arguments`` go before. A backend that does not start
    is a finding of the night (1), not its end: its run says so.
    """
    named = any(word.partition("=")[0] == "--cases" for word in arguments)
    code = 0
    for backend in backends or [""]:
        made = folder.runs / _name(backend, label)
        chosen = ["-b", backend] if backend else []
        if cases and backend in cases and not named:
            chosen += ["--cases", cases[backend]]
        ended = _verb("run", *chosen, "--output", made, "--replace", "--details", "0", "--tier", "full", *arguments)
        code = max(code, 1 if ended == 3 and (made / FILE).is_file() else ended)
    return code


def job(folder: Folder, framework: Framework, version: str, arguments: Sequence[str]) -> int:
    """A job of the matrix: install a framework in a version into this environment, from this checkout, and run it.

    0 where its runs are there, also where they say that it could not be installed, or that something does not conform:
    whether that is new is for the comparison to say.
    """
    what = f".[{','.join(framework.extras)}]" if framework.extras else "."
    # By their names, too: what is installed because something needs it is not upgraded.
    wanted = [*VERSIONS[version], *requirements_of(framework, Path()), "--editable", what]
    if install(folder, framework.backends, wanted, version):
        return 0
    ended = run(folder, framework.backends, arguments, version, framework.cases)
    return ended if ended > 1 else 0


def export(folder: Folder, summary: Path | None = None, *, annotate: bool = False) -> int:
    """Merge this night's runs: the report, JUnit, tables and badges; the job summary and annotations if asked for."""
    exports = folder.exports
    arguments: list[object] = [
        "--junit", exports / "junit.xml", "--csv", exports / "outcomes.csv", "--badge", folder.site / "badges",
    ]  # fmt: skip
    if find_spec("pyarrow"):
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
    regressed, parts, found = False, [], {}
    for name in sorted(before | now):
        title, missed = f"## {escape(name)}", folder.missed(name)
        if name not in now:
            parts.append(f"{title}: did not come back{', as in the night before' if missed else ''}\n")
            regressed |= not missed
        elif name not in before:
            parts.append(f"{title}: new since then\n")
        else:
            pair = (folder.previous / name, folder.runs / name)
            diff = found[name] = compare_runs(*pair, DiffSettings(), compare_speed(*pair), timed_once(*pair))
            again = missed and all(change.check == "start" for change in diff.regressions)
            note = "Compared with an earlier night: in the last one nothing started.\n\n" if missed else ""
            parts.append(f"{title}\n\n{note}{markdown_text(diff)}")
            regressed |= diff.regressed and not again
    text = "\n".join(parts)
    write(folder.difference, text)
    write(folder.difference.with_suffix(".json"), msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    sys.stdout.write(text)
    return int(regressed)


def keep(folder: Folder) -> int:
    """Add this night to the history."""
    database = ("--db", folder.history / "history.duckdb")
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
    write(folder.issue, f"Since the night before, something newly fails.\n\n{text}")


def _name(backend: str, label: str) -> str:
    """The folder of a backend's run."""
    return "-".join(UNSAFE.sub("-", word).strip("-.") for word in (Path(backend).name or "all", label) if word)


def _verb(*arguments: object) -> int:
    words = [str(each) for each in arguments]
    _say(command_line("conformance", *words))
    sys.stdout.flush()
    return subprocess.run([sys.executable, "-m", "conformance", *words], check=False).returncode


def _say(text: str) -> None:
    say(f"nightly: {text}", err=True)
    sys.stderr.flush()
