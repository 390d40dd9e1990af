"""JUnit XML of all outcomes: a test suite for each backend of each run, a test case for each check.

A pass is a test that passed, and a deviation too, with a property that says what is declared. Known defects,
unsupported features and what was not run are skipped, each with its reason. A fail and an outdated register entry are
failures; a crash, a timeout and a fault of the harness are errors, and so are a backend that did not start and a run
that was cut off.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape, quoteattr

from conformance.model.records import Outcome
from conformance.model.verdicts import CONFORMING, SILENT
from conformance.model.wording import message
from conformance.plain import plain, plain_lines
from conformance.reports.exports.files import replacing
from conformance.reports.merge import Merged
from conformance.results.store import Run
from conformance.results.words import explain_command, facts, title

__all__ = ["write_junit"]

#: What XML 1.0 cannot hold, even escaped.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(merged: Merged, path: Path) -> Path:
    """Write the file at ``path``; returns it. Raises HarnessError where it cannot be written."""
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(b'<?xml version="1.0" encoding="utf-8"?>\n<testsuites name="conformance">\n')
        for run in merged.runs:
            _write_run(run, file)
        file.write(b"</testsuites>\n")
    return path


def _write_run(run: Run, file: IO[bytes]) -> None:
    """The suites of one run. Their heads hold counts, so their bodies wait in temporary files."""
    with ExitStack() as stack:
        suites: dict[tuple[str, str], _Suite] = {}
        for outcome in run.outcomes:
            key = (outcome.backend, run.identity(outcome.backend).version)
            if key not in suites:
                suites[key] = _Suite(*key, stack.enter_context(tempfile.TemporaryFile()))
            suites[key].add(outcome, run.source(outcome))
        for name, record in run.backends.items():
            if record.error:
                version = next((version for backend, version in suites if backend == name), "")
                if (name, version) not in suites:
                    suites[(name, version)] = _Suite(name, version, stack.enter_context(tempfile.TemporaryFile()))
                suites[(name, version)].add_error("backend", "the backend did not run", record.error)
        if run.truncated:
            suite = _Suite("run", "", stack.enter_context(tempfile.TemporaryFile()))
            suite.add_error("run", "the run is truncated", "it has no footer: complete it with --resume")
            suites[("", "")] = suite
        for suite in suites.values():
            suite.close_into(file, run)


@dataclass(eq=False)
class _Suite:
    """The test cases of one backend, and their counts."""

    backend: str
    version: str
    body: IO[bytes]
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, outcome: Outcome, source: str | None) -> None:
        """Write the test case of an outcome."""
        seconds = max(outcome.seconds, 0.0)
        kind, inside = _inside(outcome, source)
        self._write(outcome.theme or outcome.op, title(outcome), seconds, kind, inside)

    def add_error(self, name: str, message: str, text: str) -> None:
        """Write a test case that stands for a fault of the whole suite."""
        self._write("conformance", name, 0.0, "errors", _element("error", message, "error", text))

    def close_into(self, file: IO[bytes], run: Run) -> None:
        """Write the suite, head first."""
        name = f"{self.backend} {self.version}".rstrip()
        counts = " ".join(f'{kind}="{self.counts[kind]}"' for kind in ("tests", "failures", "errors", "skipped"))
        started = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", run.header.started)
        when = f' timestamp="{started[0]}"' if started else ""
        file.write(f' <testsuite name={_attribute(name)} {counts} time="{self.seconds:.6f}"{when}>\n'.encode())
        file.write(_properties(_about(run, self.backend)).encode() + b"\n")
        self.body.seek(0)
        shutil.copyfileobj(self.body, file)
        file.write(b" </testsuite>\n")

    def _write(self, group: str, name: str, seconds: float, kind: str, inside: str) -> None:
        self.counts["tests"] += 1
        self.counts[kind] += 1
        self.seconds += seconds
        head = f"  <testcase classname={_attribute(group)} name={_attribute(name)} time={_attribute(f'{seconds:.6f}')}"
        line = f"{head}>{inside}</testcase>\n" if inside else f"{head}/>\n"
        self.body.write(line.encode())


def _inside(outcome: Outcome, source: str | None) -> tuple[str, str]:
    """The attribute that counts such a test case, and what stands in its element."""
    verdict, said = outcome.verdict, message(outcome)
    if verdict in CONFORMING:
        return "passed", _properties([("deviation", said)]) if verdict == "deviation" else ""
    if verdict in SILENT or verdict == "known":
        known = _properties([("known", said), ("explain", explain_command(outcome))]) if verdict == "known" else ""
        return "skipped", f"{known}<skipped message={_attribute(plain(f'{verdict}: {said}'))}/>"
    text = "\n".join(f"{name}: {value}" for name, value in facts(outcome, source=source))
    if verdict in ("fail", "stale"):
        return "failures", _element("failure", said, verdict, text)
    return "errors", _element("error", said, verdict, text)


def _element(tag: str, message: str, kind: str, text: str) -> str:
    lines = "\n".join(plain_lines(text))
    return f"<{tag} type={_attribute(kind)} message={_attribute(message)}>{escape(_legal(lines))}</{tag}>"


def _properties(pairs: list[tuple[str, str]]) -> str:
    each = "".join(f"<property name={_attribute(name)} value={_attribute(value)}/>" for name, value in pairs)
    return f"<properties>{each}</properties>"


def _about(run: Run, backend: str) -> list[tuple[str, str]]:
    """What a suite says of its backend and machine."""
    record = run.backends.get(backend)
    versions = record.versions if record else {}
    pairs = [("suite", run.header.suite), ("commit", run.header.commit or "")]
    pairs += [(name, str(run.header.environment.get(name, ""))) for name in ("python", "platform", "cpu")]
    if record:
        pairs += [("device", record.id.device), ("mode", record.id.mode)]
    pairs += [(f"version.{name}", version) for name, version in versions.items()]
    return [(name, value) for name, value in pairs if value]


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)


def _attribute(text: str) -> str:
    return quoteattr(_legal(plain(text)))
